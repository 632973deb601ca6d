// SPDX-License-Identifier: GPL-2.0
/* What there is, as rows: devices, virtqueues with their counters, workers. */
#include "nl.h"
#include "vhostctl.h"

static void dev_row(const struct nlmsghdr *nlh, json_object *rows)
{
	json_object_array_add(rows, decode(nlh, dev_fields));
}

int get_devices(long dev, json_object *rows)
{
	struct request r;

	request_begin(&r, VHOST_CMD_DEV_GET, dev < 0);
	if (dev >= 0)
		mnl_attr_put_u32(r.nlh, VHOST_A_DEV_ID, dev);
	return request_rows(&r, dev_row, rows);
}

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

/*
 * Give the virtqueues in @rows the counters in @stats. Both are in the same order;
 * one may lack what came or went between them, so the search begins behind the
 * last that was found, and goes round.
 */
static void join(json_object *rows, json_object *stats)
{
	size_t i, k, n = json_object_array_length(stats), at = 0;

	for (i = 0; i < json_object_array_length(rows); i++) {
		json_object *row = json_object_array_get_idx(rows, i);

		for (k = 0; k < n; k++, at++) {
			json_object *stat = json_object_array_get_idx(stats, at % n);

			if (!same(row, stat, "dev") || !same(row, stat, "vq"))
				continue;
			json_object_object_add(row, "counters",
					       json_object_get(json_object_object_get(stat, "counters")));
			break;
		}
	}
}

int get_stats(long dev, long vq, json_object *rows)
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

void worker_row(const struct nlmsghdr *nlh, json_object *rows)
{
	json_object_array_add(rows, decode(nlh, worker_fields));
}

int get_workers(long dev, long worker, json_object *rows)
{
	struct request r;

	request_begin(&r, VHOST_CMD_WORKER_GET, worker < 0);
	if (dev >= 0)
		mnl_attr_put_u32(r.nlh, VHOST_A_WORKER_DEV_ID, dev);
	if (worker >= 0)
		mnl_attr_put_u32(r.nlh, VHOST_A_WORKER_ID, worker);
	return request_rows(&r, worker_row, rows);
}
