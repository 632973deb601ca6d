// SPDX-License-Identifier: GPL-2.0
/* vhostctl worker: threads that serve virtqueues. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "vhostctl.h"
#include "nl.h"

static const char usage_text[] =
	"Usage: vhostctl worker [show] [dev ID [worker ID]]\n"
	"       vhostctl worker set dev ID worker ID cpus LIST\n"
	"       vhostctl worker set dev ID worker ID class normal|batch [nice N]\n"
	"       vhostctl worker set dev ID worker ID class fifo [prio N]\n"
	"       vhostctl worker add dev ID\n"
	"       vhostctl worker del dev ID worker ID\n"
	"\n"
	"show  workers: thread id, CPUs, scheduling class, virtqueues\n"
	"set   pins a worker, within the VMM's cpuset (\"0-3,8\"), or schedules it:\n"
	"      normal or batch (does not preempt the task that woke it) with a nice value\n"
	"      (-20 to 19), fifo with a priority (1 to 99)\n"
	"add   makes another one, and shows it; give it virtqueues with \"vq set\"\n"
	"del   ends one that serves no virtqueue\n";

/* "dev ID worker ID"; what is not given is -1. */
static int parse_which(struct args *a, long *dev, long *worker)
{
	const char *value;
	int err = EXIT_OK;

	*dev = -1;
	*worker = -1;
	if (next_is(a, "dev", &value))
		err = parse_number("dev", value, 1, INT_MAX, dev);
	if (!err && *dev >= 0 && next_is(a, "worker", &value))
		err = parse_number("worker", value, 0, INT_MAX, worker);
	return err;
}

static void put_which(struct request *r, long dev, long worker)
{
	if (dev >= 0)
		mnl_attr_put_u32(r->nlh, VHOST_A_WORKER_DEV_ID, dev);
	if (worker >= 0)
		mnl_attr_put_u32(r->nlh, VHOST_A_WORKER_ID, worker);
}

/* Have a request answered with workers, and show them. */
static int show_answer(struct request *r)
{
	json_object *rows = json_object_new_array();
	int err = request_rows(r, worker_row, rows);

	if (!err)
		print_rows(rows, COLUMNS_IN_DEV);
	json_object_put(rows);
	return err;
}

static int show(struct args *a)
{
	json_object *rows;
	long dev, worker;
	int err = parse_which(a, &dev, &worker);

	if (err)
		return err;
	if (a->argc)
		return error(EXIT_USAGE, "what is \"%s\"?", a->argv[0]);
	rows = json_object_new_array();
	err = get_workers(dev, worker, rows);
	if (!err)
		print_rows(rows, COLUMNS_IN_DEV);
	json_object_put(rows);
	return err;
}

static int set_cpus(long dev, long worker, const char *list)
{
	static __u32 mask[VHOST_CPUS_BYTES_MAX / sizeof(__u32)];
	size_t size = parse_cpus(list, mask);
	struct request r;

	if (!size)
		return error(EXIT_USAGE, "cpus: a list like 0-3,8, not \"%s\"", list);
	request_begin(&r, VHOST_CMD_WORKER_SET, false);
	put_which(&r, dev, worker);
	mnl_attr_put(r.nlh, VHOST_A_WORKER_CPUS, size, mask);
	return request_send(&r, NULL, NULL);
}

static const char *const classes[] = { "normal", "batch", "fifo" };
static const __u32 policies[] = {
	VHOST_SCHED_POLICY_NORMAL, VHOST_SCHED_POLICY_BATCH, VHOST_SCHED_POLICY_FIFO,
};

static int set_class(long dev, long worker, const char *class, struct args *a)
{
	const char *value;
	struct request r;
	long which, n;
	int err;

	err = parse_choice("class", class, classes, sizeof(classes) / sizeof(*classes), &which);
	if (err)
		return err;
	request_begin(&r, VHOST_CMD_WORKER_SCHED_SET, false);
	put_which(&r, dev, worker);
	mnl_attr_put_u32(r.nlh, VHOST_A_WORKER_POLICY, policies[which]);
	if (next_is(a, "nice", &value)) {
		err = parse_number("nice", value, -20, 19, &n);
		mnl_attr_put_u32(r.nlh, VHOST_A_WORKER_NICE, n);
	} else if (next_is(a, "prio", &value)) {
		err = parse_number("prio", value, 1, 99, &n);
		mnl_attr_put_u32(r.nlh, VHOST_A_WORKER_PRIORITY, n);
	}
	if (!err && a->argc)
		err = error(EXIT_USAGE, "what is \"%s\"?", a->argv[0]);
	return err ? err : request_send(&r, NULL, NULL);
}

static int set(struct args *a, long dev, long worker)
{
	const char *value;

	if (next_is(a, "cpus", &value)) {
		if (a->argc)
			return error(EXIT_USAGE, "what is \"%s\"?", a->argv[0]);
		return set_cpus(dev, worker, value);
	}
	if (next_is(a, "class", &value))
		return set_class(dev, worker, value, a);
	return error(EXIT_USAGE, "worker set: cpus or class is missing");
}

static int change(const char *command, struct args *a)
{
	bool is_add = !strcmp(command, "add");
	struct request r;
	long dev, worker;
	int err;

	err = parse_which(a, &dev, &worker);
	if (err)
		return err;
	if (dev < 0 || is_add != (worker < 0))
		return error(EXIT_USAGE, "worker %s: dev ID%s is wanted", command,
			     is_add ? " alone" : " worker ID");
	if (!strcmp(command, "set"))
		return set(a, dev, worker);
	if (a->argc)
		return error(EXIT_USAGE, "what is \"%s\"?", a->argv[0]);
	request_begin(&r, is_add ? VHOST_CMD_WORKER_NEW : VHOST_CMD_WORKER_DEL, false);
	put_which(&r, dev, worker);
	return is_add ? show_answer(&r) : request_send(&r, NULL, NULL);
}

int cmd_worker(int argc, char **argv)
{
	struct args a = { argc, argv };

	if (wants_help(argc, argv))
		return help(usage_text);
	if (argc && (!strcmp(argv[0], "set") || !strcmp(argv[0], "add") || !strcmp(argv[0], "del"))) {
		a = (struct args){ argc - 1, argv + 1 };
		return change(argv[0], &a);
	}
	if (argc && is_word(argv[0], "show"))
		a = (struct args){ argc - 1, argv + 1 };
	return show(&a);
}
