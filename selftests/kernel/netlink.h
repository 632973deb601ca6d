/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of the netlink family share: the admin's socket, requests, short names. */
#ifndef VHOST_TEST_NETLINK_H
#define VHOST_TEST_NETLINK_H

#include <stdlib.h>
#include <unistd.h>

#include "bad.h"
#include "nl.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000

/* A socket in the host's network namespace, where every test begins. */
static struct nl host;
static struct nlmsg m;

static inline void begin_host(void)
{
	test_need_ours();
	OK(nl_open(&host));
}

/* Begin a request about a device, and (@in >= 0) what is in it. */
static inline void about(unsigned int cmd, long long dev, long long in)
{
	nl_begin(&m, cmd);
	nl_put_u32(&m, VHOST_A_DEV_ID, dev);
	if (in >= 0)
		nl_put_u32(&m, VHOST_A_VQ_INDEX, in);
}

static inline void get(unsigned int cmd, long long dev, long long in)
{
	about(cmd, dev, in);
	OK(nl_do(&host, &m));
}

struct ids {
	unsigned int nr;
	long long id[256];
};

static inline void take_id(const struct nlmsg *msg, void *arg)
{
	struct ids *ids = arg;

	EXPECT(ids->nr < N(ids->id));
	ids->id[ids->nr++] = nl_number(msg, VHOST_A_DEV_ID);
}

static inline struct ids dump_ids(struct nl *nl)
{
	struct ids ids = { 0 };

	nl_begin(&m, VHOST_CMD_DEV_GET);
	OK(nl_dump(nl, &m, take_id, &ids));
	return ids;
}

static inline bool has(const struct ids *ids, long long id)
{
	unsigned int i;

	for (i = 0; i < ids->nr; i++)
		if (ids->id[i] == id)
			return true;
	return false;
}

/* The id of the only device. */
static inline long long only_id(void)
{
	struct ids ids = dump_ids(&host);

	EXPECT_EQ(ids.nr, 1);
	return ids.id[0];
}

static inline void text_is(int attr, const char *want)
{
	if (strcmp(nl_text(&m, attr), want))
		test_fail("attribute %d is \"%s\", not \"%s\"", attr, nl_text(&m, attr), want);
}

static inline void take_worker(const struct nlmsg *msg, void *arg)
{
	memcpy(arg, msg, msg->h.nlmsg_len);
}

/* What changes something. */
static const int changes[] __attribute__((unused)) = {
	VHOST_CMD_VQ_SET, VHOST_CMD_WORKER_SET, VHOST_CMD_WORKER_SCHED_SET,
	VHOST_CMD_WORKER_NEW, VHOST_CMD_WORKER_DEL,
};

/* A request that changes something, and would do. */
static inline void begin_change(int cmd, long long dev)
{
	__u32 cpus = 1;

	about(cmd, dev, cmd == VHOST_CMD_WORKER_NEW ? -1 : 0);
	if (cmd == VHOST_CMD_VQ_SET)
		nl_put_u32(&m, VHOST_A_VQ_POLL_US, 1);
	if (cmd == VHOST_CMD_WORKER_SET)
		nl_put(&m, VHOST_A_WORKER_CPUS, &cpus, sizeof(cpus));
	if (cmd == VHOST_CMD_WORKER_SCHED_SET)
		nl_put_u32(&m, VHOST_A_WORKER_POLICY, 0);
}

static inline int pin(struct nl *nl, long long dev, unsigned int id, const void *mask, size_t len)
{
	about(VHOST_CMD_WORKER_SET, dev, id);
	nl_put(&m, VHOST_A_WORKER_CPUS, mask, len);
	return nl_do(nl, &m);
}

static inline void event_is(struct nl *nl, int cmd)
{
	OK(nl_event(nl, &m, WAIT_MS));
	EXPECT_EQ(m.g.cmd, cmd);
}

#endif /* VHOST_TEST_NETLINK_H */
