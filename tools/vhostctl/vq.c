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

static void vq_row(const struct nlmsghdr *nlh, json_object *rows)
{
	json_object_array_add(rows, decode(nlh, vq_fields));
}

static bool same(json_object *a, json_object *b, const char *key)
{
	return json_object_get_int64(json_object_object_get(a, key)) ==
	       json_object_get_int64(json_object_object_get(b, key));
}

static void add_counter(json_object *counters, const struct nlattr *nest)
{
	const struct nlattr *attr;
	const char *name = NULL;
	__u64 value = 0;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == VHOST_A_COUNTER_NAME)
			name = mnl_attr_get_str(attr);
		else if (mnl_attr_get_payload_len(attr) == sizeof(__u64))
			value = mnl_attr_get_u64(attr);
		else
			value = mnl_attr_get_u32(attr);
	}
	if (name)
		json_object_object_add(counters, name, json_object_new_uint64(value));
}

/* Those of one virtqueue may come in several messages, one after the other. */
static void stat_row(const struct nlmsghdr *nlh, json_object *rows)
{
	json_object *row = decode(nlh, vq_fields), *last, *counters = NULL;
	size_t n = json_object_array_length(rows);
	const struct nlattr *attr;

	last = n ? json_object_array_get_idx(rows, n - 1) : NULL;
	if (last && same(last, row, "dev") && same(last, row, "vq")) {
		json_object_put(row);
		counters = json_object_object_get(last, "counters");
	} else {
		counters = json_object_new_object();
		json_object_object_add(row, "counters", counters);
		json_object_array_add(rows, row);
	}
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == VHOST_A_VQ_COUNTER)
			add_counter(counters, attr);
	}
}

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

/* Give the virtqueues in @rows the counters in @stats. */
static void join(json_object *rows, json_object *stats)
{
	size_t i, k;

	for (i = 0; i < json_object_array_length(rows); i++) {
		json_object *row = json_object_array_get_idx(rows, i);

		for (k = 0; k < json_object_array_length(stats); k++) {
			json_object *stat = json_object_array_get_idx(stats, k);

			if (same(row, stat, "dev") && same(row, stat, "vq"))
				json_object_object_add(row, "counters",
						       json_object_get(json_object_object_get(stat, "counters")));
		}
	}
}

static int get_stats(long dev, long vq, json_object *rows)
{
	struct request r;

	request_begin(&r, VHOST_CMD_STAT_GET, true);
	if (dev >= 0)
		mnl_attr_put_u32(r.nlh, VHOST_A_VQ_DEV_ID, dev);
	if (vq >= 0)
		mnl_attr_put_u32(r.nlh, VHOST_A_VQ_INDEX, vq);
	return request_rows(&r, stat_row, rows);
}

int get_queues(long dev, long vq, json_object *rows, bool counters)
{
	json_object *stats;
	struct request r;
	int err;

	request_begin(&r, VHOST_CMD_VQ_GET, vq < 0);
	if (dev >= 0)
		mnl_attr_put_u32(r.nlh, VHOST_A_VQ_DEV_ID, dev);
	if (vq >= 0)
		mnl_attr_put_u32(r.nlh, VHOST_A_VQ_INDEX, vq);
	err = request_rows(&r, vq_row, rows);
	if (err || !counters)
		return err;
	stats = json_object_new_array();
	err = get_stats(dev, vq, stats);
	if (!err)
		join(rows, stats);
	json_object_put(stats);
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
