// SPDX-License-Identifier: GPL-2.0
/* The netlink family: who may see and change what, by capabilities and namespaces. */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include "netlink.h"

static void drop_caps(__u64 keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = keep, .permitted = keep }, { .effective = keep >> 32, .permitted = keep >> 32 },
	};

	EXPECT(!syscall(SYS_capset, &head, data));
}

static void all_eperm(struct nl *nl, long long dev)
{
	static const int gets[] = { VHOST_CMD_DEV_GET, VHOST_CMD_VQ_GET, VHOST_CMD_WORKER_GET };
	unsigned int i;

	for (i = 0; i < N(gets); i++) {
		about(gets[i], dev, i ? 0 : -1);
		FAILS(nl_do(nl, &m), EPERM);
		nl_begin(&m, gets[i]);
		FAILS(nl_dump(nl, &m, NULL, NULL), EPERM);
	}
	nl_begin(&m, VHOST_CMD_STAT_GET);
	FAILS(nl_dump(nl, &m, NULL, NULL), EPERM);
	for (i = 0; i < N(changes); i++) {
		begin_change(changes[i], dev);
		FAILS(nl_do(nl, &m), EPERM);
	}
	FAILS(nl_listen(nl), EPERM);
}

static void in_child(void (*fn)(long long dev), long long dev)
{
	int child = test_fork();

	if (!child) {
		fn(dev);
		_exit(0);
	}
	test_join(child);
}

static void without_caps(long long dev)
{
	struct nl mine;

	drop_caps(0);
	OK(nl_open(&mine));
	all_eperm(&mine, dev);
}

/* A privileged socket in the hands of somebody who is not. */
static void with_lent_socket(long long dev)
{
	drop_caps(0);
	all_eperm(&host, dev);
}

static void without_sys_nice(long long dev)
{
	drop_caps(1ULL << CAP_NET_ADMIN);
	OK(nl_open(&host));
	get(VHOST_CMD_DEV_GET, dev, -1);
	begin_change(VHOST_CMD_VQ_SET, dev);
	OK(nl_do(&host, &m));
	begin_change(VHOST_CMD_WORKER_SCHED_SET, dev);
	FAILS(nl_do(&host, &m), EPERM);
	EXPECT(strstr(host.why, "CAP_SYS_NICE"));
}

static void rights(void)
{
	long long dev;

	begin_host();
	vnet_start(&n, NULL);
	dev = only_id();
	in_child(without_caps, dev);
	in_child(with_lent_socket, dev);
	in_child(without_sys_nice, dev);
}

/* ---- namespaces ---------------------------------------------------------------------- */

static void not_there(struct nl *nl, long long dev)
{
	unsigned int i;

	EXPECT_EQ(dump_ids(nl).nr, 0);
	about(VHOST_CMD_DEV_GET, dev, -1);
	FAILS(nl_do(nl, &m), ENOENT);
	for (i = 0; i < N(changes); i++) {
		begin_change(changes[i], dev);
		FAILS(nl_do(nl, &m), ENOENT);
	}
}

static void in_other_netns(long long dev)
{
	struct nl mine;
	struct vmm v;
	struct ids ids;

	EXPECT(!unshare(CLONE_NEWNET));
	OK(nl_open(&mine));
	not_there(&mine, dev);
	/* What is opened here belongs here, and the host sees it. */
	OK(vmm_open(&v, NULL, 0));
	ids = dump_ids(&mine);
	EXPECT_EQ(ids.nr, 1);
	EXPECT(ids.id[0] != dev);
	EXPECT_EQ(dump_ids(&host).nr, 2);
	vmm_close(&v);
}

static void network_namespaces(void)
{
	struct vmm v;

	begin_host();
	OK(vmm_open(&v, NULL, 0));
	OK(vmm_set_owner(&v));
	in_child(in_other_netns, only_id());
	vmm_close(&v);
}

/* root of a user namespace: admin of its own network, of no scheduling class. */
static void in_user_namespace(long long dev)
{
	struct nl mine;
	struct vmm v;
	struct ids ids;

	/* Opened while that is allowed; it belongs where it is opened. */
	OK(nl_open(&mine));
	EXPECT(!unshare(CLONE_NEWUSER));
	all_eperm(&mine, dev);
	nl_close(&mine);
	EXPECT(!unshare(CLONE_NEWNET));
	OK(nl_open(&mine));
	OK(vmm_open(&v, NULL, 0));
	OK(vmm_set_owner(&v));
	ids = dump_ids(&mine);
	EXPECT_EQ(ids.nr, 1);
	begin_change(VHOST_CMD_VQ_SET, ids.id[0]);
	OK(nl_do(&mine, &m));
	begin_change(VHOST_CMD_WORKER_SCHED_SET, ids.id[0]);
	FAILS(nl_do(&mine, &m), EPERM);
	vmm_close(&v);
}

static void user_namespaces(void)
{
	struct vmm v;

	begin_host();
	OK(vmm_open(&v, NULL, 0));
	OK(vmm_set_owner(&v));
	in_child(in_user_namespace, only_id());
	vmm_close(&v);
}

static void in_pid_namespace(long long dev)
{
	struct vmm v;
	struct ids ids;

	EXPECT_EQ(getpid(), 1);
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_OWNER_PID), 0);
	nl_begin(&m, VHOST_CMD_WORKER_GET);
	OK(nl_dump(&host, &m, take_worker, &m));
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_TID), 0);
	OK(vmm_open(&v, NULL, 0));
	OK(vmm_set_owner(&v));
	ids = dump_ids(&host);
	EXPECT_EQ(ids.nr, 2);
	get(VHOST_CMD_DEV_GET, ids.id[0] == dev ? ids.id[1] : ids.id[0], -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_OWNER_PID), 1);
	vmm_close(&v);
}

static void pid_namespaces(void)
{
	struct vmm v;
	long long dev;

	begin_host();
	OK(vmm_open(&v, NULL, 0));
	OK(vmm_set_owner(&v));
	dev = only_id();
	EXPECT(!unshare(CLONE_NEWPID));
	in_child(in_pid_namespace, dev);
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_OWNER_PID), getpid());
	vmm_close(&v);
}

/* To the device's own namespace and to the host's, and to no other. */
static void event_namespaces(void)
{
	struct nl mine, other;
	struct vmm v;

	begin_host();
	OK(nl_listen(&host));
	EXPECT(!unshare(CLONE_NEWNET));
	OK(nl_open(&other));
	OK(nl_listen(&other));
	EXPECT(!unshare(CLONE_NEWNET));
	OK(nl_open(&mine));
	OK(nl_listen(&mine));
	OK(vmm_open(&v, NULL, 0));
	event_is(&host, VHOST_CMD_DEV_ADD_NTF);
	event_is(&mine, VHOST_CMD_DEV_ADD_NTF);
	OK(vmm_set_owner(&v));
	event_is(&mine, VHOST_CMD_WORKER_ADD_NTF);
	EXPECT(!nl_attr(&m, VHOST_A_WORKER_TID));
	vmm_close(&v);
	event_is(&mine, VHOST_CMD_DEV_DEL_NTF);
	EXPECT_EQ(nl_event(&other, &m, 0), -ETIMEDOUT);
}

static const struct test tests[] = {
	TEST_ONCE(rights), TEST_ONCE(network_namespaces), TEST_ONCE(user_namespaces),
	TEST_ONCE(pid_namespaces), TEST_ONCE(event_namespaces),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
