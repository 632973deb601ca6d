// SPDX-License-Identifier: GPL-2.0
/* vhostctl vq and stat: virtqueues and their counters. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "vhostctl.h"
#include "nl.h"

static const char usage_text[] =
	"Usage: vhostctl [-s] vq [show] [dev ID [vq INDEX]]\n"
	"       vhostctl vq set dev ID vq INDEX [worker ID] [poll fixed|adaptive] [poll_us N]\n"
	"\n"
	"show  virtqueues, with -s their counters as well\n"
	"set   moves a virtqueue to a worker, or sets how it busy polls: for how many\n"
	"      microseconds, and whether always or as it pays\n";

static const char stat_usage_text[] =
	"Usage: vhostctl stat [show] [dev ID [vq INDEX]]\n"
	"       vhostctl stat --openmetrics|--prometheus [dev ID [vq INDEX]]\n"
	"\n"
	"Shows what virtqueues have counted since their owner took the device.\n"
	"\n"
	"--openmetrics  that and more for a monitoring system: OpenMetrics\n"
	"--prometheus   the same in the text format of Prometheus, as node_exporter's\n"
	"               textfile collector reads it\n";

/* "dev ID vq INDEX"; what is not given is -1. */
static int parse_which(struct args *a, long *dev, long *vq)
{
	const char *value;
	int err = EXIT_OK;

	*dev = -1;
	*vq = -1;
	if (next_is(a, "dev", &value))
		err = parse_number("dev", value, 1, INT_MAX, dev);
	if (!err && *dev >= 0 && next_is(a, "vq", &value))
		err = parse_number("vq", value, 0, INT_MAX, vq);
	return err;
}

static int show(struct args *a, bool only_stats)
{
	json_object *rows;
	long dev, vq;
	int err = parse_which(a, &dev, &vq);

	if (err)
		return err;
	if (a->argc)
		return error(EXIT_USAGE, "what is \"%s\"?", a->argv[0]);
	rows = json_object_new_array();
	err = only_stats ? get_stats(dev, vq, rows) : get_queues(dev, vq, rows, opt_stats);
	if (!err)
		print_rows(rows, COLUMNS_IN_DEV);
	json_object_put(rows);
	return err;
}

static int set(struct args *a)
{
	const char *value;
	long dev, vq, n;
	struct request r;
	int err;

	err = parse_which(a, &dev, &vq);
	if (err)
		return err;
	if (vq < 0)
		return error(EXIT_USAGE, "vq set: dev ID vq INDEX is missing");
	if (!a->argc)
		return error(EXIT_USAGE, "vq set: worker, poll or poll_us is missing");
	request_begin(&r, VHOST_CMD_VQ_SET, false);
	mnl_attr_put_u32(r.nlh, VHOST_A_VQ_DEV_ID, dev);
	mnl_attr_put_u32(r.nlh, VHOST_A_VQ_INDEX, vq);
	while (!err && a->argc) {
		if (next_is(a, "worker", &value)) {
			err = parse_number("worker", value, 0, INT_MAX, &n);
			mnl_attr_put_u32(r.nlh, VHOST_A_VQ_WORKER_ID, n);
		} else if (next_is(a, "poll", &value)) {
			err = parse_choice("poll", value, poll_modes, 2, &n);
			mnl_attr_put_u32(r.nlh, VHOST_A_VQ_POLL_MODE, n);
		} else if (next_is(a, "poll_us", &value)) {
			err = parse_number("poll_us", value, 0, VHOST_POLL_US_MAX, &n);
			mnl_attr_put_u32(r.nlh, VHOST_A_VQ_POLL_US, n);
		} else {
			err = error(EXIT_USAGE, "what is \"%s\"?", a->argv[0]);
		}
	}
	return err ? err : request_send(&r, NULL, NULL);
}

int cmd_vq(int argc, char **argv)
{
	struct args a = { argc, argv };

	if (wants_help(argc, argv))
		return help(usage_text);
	if (argc && !strcmp(argv[0], "set")) {
		a = (struct args){ argc - 1, argv + 1 };
		return set(&a);
	}
	if (argc && is_word(argv[0], "show"))
		a = (struct args){ argc - 1, argv + 1 };
	return show(&a, false);
}

static int metrics(struct args *a, bool openmetrics)
{
	long dev, vq;
	int err = parse_which(a, &dev, &vq);

	if (!err && a->argc)
		err = error(EXIT_USAGE, "what is \"%s\"?", a->argv[0]);
	return err ? err : print_metrics(dev, vq, openmetrics);
}

int cmd_stat(int argc, char **argv)
{
	struct args a = { argc, argv };

	if (wants_help(argc, argv))
		return help(stat_usage_text);
	if (argc && (!strcmp(argv[0], "--openmetrics") || !strcmp(argv[0], "--prometheus"))) {
		a = (struct args){ argc - 1, argv + 1 };
		return metrics(&a, !strcmp(argv[0], "--openmetrics"));
	}
	if (argc && is_word(argv[0], "show"))
		a = (struct args){ argc - 1, argv + 1 };
	return show(&a, true);
}
