// SPDX-License-Identifier: GPL-2.0
/* The netlink family: what it shows, who may see and change it, what it tells. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/userfaultfd.h>

#include "bad.h"
#include "nl.h"
#include "test.h"
#include "vvsock.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000

/* A socket in the host's network namespace, where every test begins. */
static struct nl host;
static struct nlmsg m;

static void begin_host(void)
{
	test_need_ours();
	OK(nl_open(&host));
}

/* Begin a request about a device, and (@in >= 0) what is in it. */
static void about(unsigned int cmd, long long dev, long long in)
{
	nl_begin(&m, cmd);
	nl_put_u32(&m, VHOST_A_DEV_ID, dev);
	if (in >= 0)
		nl_put_u32(&m, VHOST_A_VQ_INDEX, in);
}

static void get(unsigned int cmd, long long dev, long long in)
{
	about(cmd, dev, in);
	OK(nl_do(&host, &m));
}

/* ---- what is there ---------------------------------------------------------------- */

struct ids {
	unsigned int nr;
	long long id[256];
};

static void take_id(const struct nlmsg *msg, void *arg)
{
	struct ids *ids = arg;

	EXPECT(ids->nr < N(ids->id));
	ids->id[ids->nr++] = nl_number(msg, VHOST_A_DEV_ID);
}

static struct ids dump_ids(struct nl *nl)
{
	struct ids ids = { 0 };

	nl_begin(&m, VHOST_CMD_DEV_GET);
	OK(nl_dump(nl, &m, take_id, &ids));
	return ids;
}

static bool has(const struct ids *ids, long long id)
{
	unsigned int i;

	for (i = 0; i < ids->nr; i++)
		if (ids->id[i] == id)
			return true;
	return false;
}

/* The id of the only device. */
static long long only_id(void)
{
	struct ids ids = dump_ids(&host);

	EXPECT_EQ(ids.nr, 1);
	return ids.id[0];
}

static void state_is(long long dev, int state)
{
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_STATE), state);
}

static void text_is(int attr, const char *want)
{
	if (strcmp(nl_text(&m, attr), want))
		test_fail("attribute %d is \"%s\", not \"%s\"", attr, nl_text(&m, attr), want);
}

static void device(void)
{
	struct vmm a, b;
	struct ids ids;
	long long id;
	char comm[32] = "";

	begin_host();
	EXPECT_EQ(dump_ids(&host).nr, 0);
	OK(vmm_open(&a, NULL, 1 << 20));
	id = only_id();
	get(VHOST_CMD_DEV_GET, id, -1);
	text_is(VHOST_A_DEV_DRIVER, "net");
	text_is(VHOST_A_DEV_NODE, "vhost-net");
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_VQS), 2);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_WORKERS), 0);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_STATE), VHOST_DEV_STATE_UNOWNED);
	EXPECT(!nl_attr(&m, VHOST_A_DEV_OWNER_PID) && !nl_attr(&m, VHOST_A_DEV_OWNER_COMM));
	EXPECT(nl_number(&m, VHOST_A_DEV_NETNS_COOKIE) > 0);

	OK(vmm_set_owner(&a));
	OK(vmm_set_features(&a, BIT_ULL(VIRTIO_F_VERSION_1)));
	get(VHOST_CMD_DEV_GET, id, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_STATE), VHOST_DEV_STATE_OWNED);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_OWNER_PID), getpid());
	prctl(PR_GET_NAME, comm);
	text_is(VHOST_A_DEV_OWNER_COMM, comm);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_WORKERS), 1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_FEATURES), BIT_ULL(VIRTIO_F_VERSION_1));

	/* Another one is another id; one that is closed is gone. */
	OK(vmm_open(&b, NULL, 0));
	ids = dump_ids(&host);
	EXPECT_EQ(ids.nr, 2);
	EXPECT(has(&ids, id));
	OK(vmm_reset_owner(&a));
	state_is(id, VHOST_DEV_STATE_UNOWNED);
	EXPECT(!nl_attr(&m, VHOST_A_DEV_OWNER_PID));
	vmm_close(&a);
	about(VHOST_CMD_DEV_GET, id, -1);
	FAILS(nl_do(&host, &m), ENOENT);
	EXPECT(strstr(host.why, "no such device"));
	EXPECT(only_id() != id);
	vmm_close(&b);
}

static void queues(void)
{
	unsigned int worker;
	long long id;
	int i;

	begin_host();
	vnet_start(&n, NULL);
	id = only_id();
	state_is(id, VHOST_DEV_STATE_RUNNING);
	vnet_tx_check(&n, 0, 20, 60);
	for (i = 0; i < VMM_VQS; i++) {
		get(VHOST_CMD_VQ_GET, id, i);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_DEV_ID), id);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_INDEX), i);
		text_is(VHOST_A_VQ_NAME, i == VMM_RX ? "rx" : "tx");
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_STATE), VHOST_VQ_STATE_RUNNING);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_LAYOUT), !!(test_mode & TEST_PACKED));
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_SIZE), 256);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_LAST_AVAIL),
			  vmm_counter(&n.vmm, i, "last_avail"));
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_LAST_USED), vmm_counter(&n.vmm, i, "last_used"));
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_IN_FLIGHT), 0);
		OK(vmm_get_worker(&n.vmm, i, &worker));
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_WORKER_ID), worker);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_POLL_MODE), VHOST_POLL_MODE_FIXED);
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_POLL_US), 0);
	}
	EXPECT(nl_number(&m, VHOST_A_VQ_LAST_USED) == 20);
	vnet_backend(&n, -1);
	get(VHOST_CMD_VQ_GET, id, VMM_TX);
	EXPECT_EQ(nl_number(&m, VHOST_A_VQ_STATE), VHOST_VQ_STATE_STOPPED);
}

/* Whose counters are compared, and how many there were. */
struct counted {
	const struct vmm *vmm;
	unsigned int vq;
	unsigned int nr;
};

static void take_counters(const struct nlmsg *msg, void *arg)
{
	const struct nlattr *c = NULL;
	struct counted *counted = arg;

	EXPECT_EQ(nl_number(msg, VHOST_A_VQ_INDEX), counted->vq);
	while ((c = nl_next(msg, VHOST_A_VQ_COUNTER, c))) {
		const char *name = nl_nested_text(c, VHOST_A_COUNTER_NAME);

		if (nl_nested_number(c, VHOST_A_COUNTER_VALUE) !=
		    vmm_counter(counted->vmm, counted->vq, name))
			test_fail("%s is %lld", name, nl_nested_number(c, VHOST_A_COUNTER_VALUE));
		counted->nr++;
	}
}

static unsigned int lines_of(const char *path)
{
	unsigned int lines = 0;
	FILE *f = fopen(path, "re");
	int c;

	EXPECT(f);
	while ((c = fgetc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return lines;
}

/* The same counters as in debugfs, all of them, with the same values. */
static void counters_are(long long dev, const struct vmm *vmm, unsigned int vq)
{
	struct counted counted = { .vmm = vmm, .vq = vq };
	char path[160];

	about(VHOST_CMD_STAT_GET, dev, vq);
	OK(nl_dump(&host, &m, take_counters, &counted));
	snprintf(path, sizeof(path), "%.100s/vq%u", vmm->stats, vq);
	/* name ... poll_window_ns come before the counters. */
	EXPECT_EQ(counted.nr, lines_of(path) - 9);
}

static void counters(void)
{
	begin_host();
	vnet_start(&n, NULL);
	vnet_tx_check(&n, 0, 50, 60);
	counters_are(only_id(), &n.vmm, VMM_TX);
	EXPECT(vmm_counter(&n.vmm, VMM_TX, "packets") == 50);
}

static void take_worker(const struct nlmsg *msg, void *arg)
{
	memcpy(arg, msg, msg->h.nlmsg_len);
}

static void workers(void)
{
	struct vhost_ext_worker_info info;
	const struct nlattr *a;
	unsigned int id;
	__u64 mask[16];
	long long dev;

	begin_host();
	vnet_start(&n, NULL);
	dev = only_id();
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_worker_info(&n.vmm, id, &info));
	nl_begin(&m, VHOST_CMD_WORKER_GET);
	OK(nl_dump(&host, &m, take_worker, &m));
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_DEV_ID), dev);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_ID), id);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_TID), info.tid);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_VQS), 2);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_POLICY), VHOST_SCHED_POLICY_NORMAL);
	EXPECT_EQ((int)nl_number(&m, VHOST_A_WORKER_NICE), -3);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_PRIORITY), 0);
	a = nl_attr(&m, VHOST_A_WORKER_VQ);
	EXPECT(a && *(__u32 *)(a + 1) == VMM_RX);
	a = nl_next(&m, VHOST_A_WORKER_VQ, a);
	EXPECT(a && *(__u32 *)(a + 1) == VMM_TX);
	EXPECT(!nl_next(&m, VHOST_A_WORKER_VQ, a));
	OK(vmm_get_affinity(&n.vmm, id, mask, sizeof(mask)));
	a = nl_attr(&m, VHOST_A_WORKER_CPUS);
	EXPECT(a && !memcmp(a + 1, mask, a->nla_len - NLA_HDRLEN));
}

/* ---- changes ---------------------------------------------------------------------- */

static void vq_set(void)
{
	unsigned int first, other, us, now;
	struct vhost_vring_state mode = { .index = VMM_TX };
	long long dev;

	begin_host();
	vnet_start(&n, NULL);
	dev = only_id();
	OK(vmm_get_worker(&n.vmm, VMM_TX, &first));
	OK(vmm_new_worker(&n.vmm, &other));

	about(VHOST_CMD_VQ_SET, dev, VMM_TX);
	nl_put_u32(&m, VHOST_A_VQ_POLL_US, 50);
	OK(nl_do(&host, &m));
	OK(vmm_get_vring_busyloop(&n.vmm, VMM_TX, &us));
	EXPECT_EQ(us, 50);
	OK(vmm_get_vring_busyloop(&n.vmm, VMM_RX, &us));
	EXPECT_EQ(us, 0);
	about(VHOST_CMD_VQ_SET, dev, VMM_TX);
	nl_put_u32(&m, VHOST_A_VQ_POLL_MODE, VHOST_POLL_MODE_ADAPTIVE);
	nl_put_u32(&m, VHOST_A_VQ_WORKER_ID, other);
	OK(nl_do(&host, &m));
	OK(vmm_ioctl(&n.vmm, VHOST_EXT_GET_VRING_POLL_MODE, &mode));
	EXPECT_EQ(mode.num, VHOST_EXT_POLL_ADAPTIVE);
	OK(vmm_get_worker(&n.vmm, VMM_TX, &now));
	EXPECT_EQ(now, other);
	vnet_tx_check(&n, 0, 50, 60);
	get(VHOST_CMD_VQ_GET, dev, VMM_TX);
	EXPECT_EQ(nl_number(&m, VHOST_A_VQ_WORKER_ID), other);
	EXPECT_EQ(nl_number(&m, VHOST_A_VQ_POLL_MODE), VHOST_POLL_MODE_ADAPTIVE);
	EXPECT_EQ(nl_number(&m, VHOST_A_VQ_POLL_US), 50);

	/* All or nothing. */
	about(VHOST_CMD_VQ_SET, dev, VMM_TX);
	nl_put_u32(&m, VHOST_A_VQ_POLL_US, 70);
	nl_put_u32(&m, VHOST_A_VQ_WORKER_ID, 1000);
	FAILS(nl_do(&host, &m), ENOENT);
	EXPECT(strstr(host.why, "no such worker"));
	OK(vmm_get_vring_busyloop(&n.vmm, VMM_TX, &us));
	EXPECT_EQ(us, 50);
}

static int pin(struct nl *nl, long long dev, unsigned int id, const void *mask, size_t len)
{
	about(VHOST_CMD_WORKER_SET, dev, id);
	nl_put(&m, VHOST_A_WORKER_CPUS, mask, len);
	return nl_do(nl, &m);
}

static void read_link(int pid, const char *file, char *buf, size_t size)
{
	char path[64];
	int fd;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT(fd >= 0);
	len = read(fd, buf, size - 1);
	close(fd);
	buf[len > 0 ? len : 0] = '\0';
}

/* Move this process to a group, made if need be. */
static void enter_group(const char *path)
{
	char procs[300], pid[16];

	EXPECT(!mkdir(path, 0700) || errno == EEXIST);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	snprintf(pid, sizeof(pid), "%d", getpid());
	OK(test_write_file(procs, pid));
}

/* By somebody who is in another group than the owner: the worker stays in its. */
static void worker_set(void)
{
	static const char owners[] = "/sys/fs/cgroup/vhost-owner";
	static const char admins[] = "/sys/fs/cgroup/vhost-admin";
	char home[256], path[300], before[256], after[256];
	struct vhost_ext_worker_info info;
	__u64 mask[16] = { 1 }, got[16];
	unsigned int id;
	long long dev;
	int child;

	begin_host();
	read_link(getpid(), "cgroup", home, sizeof(home));
	home[strcspn(home, "\n")] = '\0';
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s", strstr(home, "::") + 2);
	enter_group(owners);
	vnet_start(&n, NULL);
	dev = only_id();
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_worker_info(&n.vmm, id, &info));
	read_link(info.tid, "cgroup", before, sizeof(before));
	child = test_fork();
	if (!child) {
		enter_group(admins);
		OK(pin(&host, dev, id, mask, 8));
		_exit(0);
	}
	test_join(child);
	OK(vmm_get_affinity(&n.vmm, id, got, sizeof(got)));
	read_link(info.tid, "cgroup", after, sizeof(after));
	/* The groups go in any case; the owner's when its worker is elsewhere. */
	enter_group(path);
	OK(vmm_set_affinity(&n.vmm, id, mask, sizeof(mask)));
	EXPECT(test_until(!rmdir(admins), WAIT_MS));
	EXPECT(test_until(!rmdir(owners), WAIT_MS));
	EXPECT(!memcmp(mask, got, sizeof(got)));
	EXPECT(strstr(before, "vhost-owner"));
	if (strcmp(before, after))
		test_fail("the worker is in %s, not in %s", after, before);

	/* More than there is; nothing; half a word; nothing that this kernel can have. */
	mask[0] = 0;
	FAILS(pin(&host, dev, id, mask, 8), EINVAL);
	FAILS(pin(&host, dev, id, mask, 6), EINVAL);
	FAILS(pin(&host, dev, id, mask, 0), ERANGE);
	mask[0] = 1;
	FAILS(pin(&host, dev, id + 1000, mask, 8), ENOENT);
	about(VHOST_CMD_WORKER_SET, dev, id);
	nl_put(&m, VHOST_A_WORKER_CPUS, memset(malloc(1024), 0xff, 1024), 1024);
	FAILS(nl_do(&host, &m), E2BIG);
	about(VHOST_CMD_WORKER_SET, dev, id);
	nl_put(&m, VHOST_A_WORKER_CPUS, memset(malloc(1028), 0, 1028), 1028);
	FAILS(nl_do(&host, &m), ERANGE);
	OK(vmm_get_affinity(&n.vmm, id, got, sizeof(got)));
	EXPECT(!memcmp(mask, got, sizeof(got)));
	vnet_tx_check(&n, 0, 20, 60);
}

static void begin_sched(long long dev, unsigned int id, unsigned int policy)
{
	about(VHOST_CMD_WORKER_SCHED_SET, dev, id);
	nl_put_u32(&m, VHOST_A_WORKER_POLICY, policy);
}

static void sched_is(long long dev, unsigned int id, int policy, int nice, int prio)
{
	get(VHOST_CMD_WORKER_GET, dev, id);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_POLICY), policy);
	EXPECT_EQ((int)nl_number(&m, VHOST_A_WORKER_NICE), nice);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_PRIORITY), prio);
}

static void worker_sched_set(void)
{
	struct vhost_ext_worker_info info;
	unsigned int id;
	long long dev;

	begin_host();
	vnet_start(&n, NULL);
	dev = only_id();
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_worker_info(&n.vmm, id, &info));

	begin_sched(dev, id, VHOST_SCHED_POLICY_NORMAL);
	nl_put_u32(&m, VHOST_A_WORKER_NICE, -11);
	OK(nl_do(&host, &m));
	sched_is(dev, id, VHOST_SCHED_POLICY_NORMAL, -11, 0);
	begin_sched(dev, id, VHOST_SCHED_POLICY_FIFO);
	nl_put_u32(&m, VHOST_A_WORKER_PRIORITY, 7);
	OK(nl_do(&host, &m));
	EXPECT_EQ(sched_getscheduler(info.tid), SCHED_FIFO);
	get(VHOST_CMD_WORKER_GET, dev, id);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_PRIORITY), 7);
	vnet_tx_check(&n, 0, 20, 60);
	begin_sched(dev, id, VHOST_SCHED_POLICY_FIFO);
	OK(nl_do(&host, &m));
	get(VHOST_CMD_WORKER_GET, dev, id);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_PRIORITY), 1);
	begin_sched(dev, id, VHOST_SCHED_POLICY_NORMAL);
	OK(nl_do(&host, &m));
	sched_is(dev, id, VHOST_SCHED_POLICY_NORMAL, 0, 0);
	begin_sched(dev, id, VHOST_SCHED_POLICY_BATCH);
	nl_put_u32(&m, VHOST_A_WORKER_NICE, 4);
	OK(nl_do(&host, &m));
	EXPECT_EQ(sched_getscheduler(info.tid), SCHED_BATCH);
	sched_is(dev, id, VHOST_SCHED_POLICY_BATCH, 4, 0);
	vnet_tx_check(&n, 0, 20, 60);
	begin_sched(dev, id, VHOST_SCHED_POLICY_NORMAL);
	OK(nl_do(&host, &m));
	sched_is(dev, id, VHOST_SCHED_POLICY_NORMAL, 0, 0);

	begin_sched(dev, id, VHOST_SCHED_POLICY_RR);
	FAILS(nl_do(&host, &m), ERANGE);
	begin_sched(dev, id, VHOST_SCHED_POLICY_IDLE);
	FAILS(nl_do(&host, &m), ERANGE);
	begin_sched(dev, id, VHOST_SCHED_POLICY_FIFO);
	nl_put_u32(&m, VHOST_A_WORKER_NICE, 3);
	FAILS(nl_do(&host, &m), EINVAL);
	begin_sched(dev, id, VHOST_SCHED_POLICY_NORMAL);
	nl_put_u32(&m, VHOST_A_WORKER_PRIORITY, 3);
	FAILS(nl_do(&host, &m), EINVAL);
	begin_sched(dev, id, VHOST_SCHED_POLICY_NORMAL);
	nl_put_u32(&m, VHOST_A_WORKER_NICE, 20);
	FAILS(nl_do(&host, &m), ERANGE);
	begin_sched(dev, id, VHOST_SCHED_POLICY_FIFO);
	nl_put_u32(&m, VHOST_A_WORKER_PRIORITY, 100);
	FAILS(nl_do(&host, &m), ERANGE);
	begin_sched(dev, id + 1000, VHOST_SCHED_POLICY_NORMAL);
	FAILS(nl_do(&host, &m), ENOENT);
	sched_is(dev, id, VHOST_SCHED_POLICY_NORMAL, 0, 0);
}

static void worker_new_and_del(void)
{
	unsigned int i, first;
	long long dev, id;
	char prefix[32];

	begin_host();
	vnet_start(&n, NULL);
	dev = only_id();
	OK(vmm_get_worker(&n.vmm, VMM_TX, &first));
	snprintf(prefix, sizeof(prefix), "vhost-%d", getpid());
	about(VHOST_CMD_WORKER_NEW, dev, -1);
	OK(nl_do(&host, &m));
	id = nl_number(&m, VHOST_A_WORKER_ID);
	EXPECT(nl_number(&m, VHOST_A_WORKER_TID) > 0);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_VQS), 0);
	EXPECT_EQ(test_threads(prefix), 2);
	OK(vmm_attach_worker(&n.vmm, VMM_TX, id));
	vnet_tx_check(&n, 0, 20, 60);
	about(VHOST_CMD_WORKER_DEL, dev, id);
	FAILS(nl_do(&host, &m), EBUSY);
	EXPECT(strstr(host.why, "serves virtqueues"));
	OK(vmm_attach_worker(&n.vmm, VMM_TX, first));
	about(VHOST_CMD_WORKER_DEL, dev, id);
	OK(nl_do(&host, &m));
	about(VHOST_CMD_WORKER_DEL, dev, id);
	FAILS(nl_do(&host, &m), ENOENT);
	EXPECT(test_until(test_threads(prefix) == 1, WAIT_MS));
	for (i = 0; i < 4; i++) {
		about(VHOST_CMD_WORKER_NEW, dev, -1);
		OK(nl_do(&host, &m));
	}
	about(VHOST_CMD_WORKER_NEW, dev, -1);
	FAILS(nl_do(&host, &m), ENOSPC);
}

/* ---- errors and rights --------------------------------------------------------------- */

static const int changes[] = {
	VHOST_CMD_VQ_SET, VHOST_CMD_WORKER_SET, VHOST_CMD_WORKER_SCHED_SET,
	VHOST_CMD_WORKER_NEW, VHOST_CMD_WORKER_DEL,
};

/* A request that changes something, and would do. */
static void begin_change(int cmd, long long dev)
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

static void errors(void)
{
	static const int gets[] = { VHOST_CMD_VQ_GET, VHOST_CMD_WORKER_GET };
	struct vmm v;
	unsigned int i;
	long long dev;

	begin_host();
	OK(vmm_open(&v, NULL, 0));
	dev = only_id();
	for (i = 0; i < N(changes); i++) {
		begin_change(changes[i], dev);
		FAILS(nl_do(&host, &m), ENOTCONN);
		EXPECT(strstr(host.why, "no owner"));
		begin_change(changes[i], dev + 1000);
		FAILS(nl_do(&host, &m), ENOENT);
		begin_change(changes[i], 0);
		FAILS(nl_do(&host, &m), ERANGE);
		nl_begin(&m, changes[i]);
		FAILS(nl_do(&host, &m), EINVAL);
		EXPECT(strstr(host.why, "which device?"));
		/* An attribute that is none, and one that is cut. */
		begin_change(changes[i], dev);
		nl_put_u32(&m, 60, 1);
		FAILS(nl_do(&host, &m), EINVAL);
		nl_begin(&m, changes[i]);
		nl_put(&m, VHOST_A_DEV_ID, "\1", 1);
		FAILS(nl_do(&host, &m), EINVAL);
		if (changes[i] == VHOST_CMD_WORKER_NEW)
			continue;
		about(changes[i], dev, -1);
		FAILS(nl_do(&host, &m), EINVAL);
	}
	for (i = 0; i < N(gets); i++) {
		about(gets[i], dev, 1000);
		FAILS(nl_do(&host, &m), ENOENT);
		about(gets[i], dev, -1);
		FAILS(nl_do(&host, &m), EINVAL);
		about(gets[i], dev + 1000, -1);
		FAILS(nl_dump(&host, &m, NULL, NULL), ENOENT);
		about(gets[i], dev, 0);
		FAILS(nl_dump(&host, &m, NULL, NULL), EINVAL);
	}
	about(VHOST_CMD_VQ_SET, dev, 0);
	FAILS(nl_do(&host, &m), EINVAL);
	EXPECT(strstr(host.why, "nothing to change"));
	about(VHOST_CMD_VQ_SET, dev, 0);
	nl_put_u32(&m, VHOST_A_VQ_POLL_US, VHOST_POLL_US_MAX + 1);
	FAILS(nl_do(&host, &m), ERANGE);
	about(VHOST_CMD_VQ_SET, dev, 0);
	nl_put_u32(&m, VHOST_A_VQ_POLL_MODE, 2);
	FAILS(nl_do(&host, &m), ERANGE);
	about(VHOST_CMD_VQ_SET, dev, 2);
	nl_put_u32(&m, VHOST_A_VQ_POLL_US, 1);
	FAILS(nl_do(&host, &m), ENOENT);
	EXPECT(strstr(host.why, "last virtqueue"));
	about(VHOST_CMD_STAT_GET, dev, 2);
	FAILS(nl_dump(&host, &m, NULL, NULL), ENOENT);
	nl_begin(&m, VHOST_CMD_STAT_GET);
	nl_put_u32(&m, VHOST_A_VQ_INDEX, 0);
	FAILS(nl_dump(&host, &m, NULL, NULL), EINVAL);
	about(VHOST_CMD_STAT_GET, dev, 0);
	FAILS(nl_do(&host, &m), EOPNOTSUPP);
	nl_begin(&m, VHOST_CMD_MAX + 1);
	FAILS(nl_do(&host, &m), EOPNOTSUPP);
	vmm_close(&v);
}

/* The descriptor, and with it the device, outlives the process that owned it. */
static void owner_gone(void)
{
	__u32 cpus = 1;
	struct vmm v;
	long long dev;
	int child;

	begin_host();
	OK(vmm_open(&v, NULL, 0));
	child = test_fork();
	if (!child) {
		OK(vmm_set_owner(&v));
		_exit(0);
	}
	test_join(child);
	dev = only_id();
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_OWNER_PID), 0);
	about(VHOST_CMD_WORKER_NEW, dev, -1);
	FAILS(nl_do(&host, &m), ESRCH);
	EXPECT(strstr(host.why, "has exited"));
	about(VHOST_CMD_WORKER_SET, dev, 0);
	nl_put(&m, VHOST_A_WORKER_CPUS, &cpus, sizeof(cpus));
	FAILS(nl_do(&host, &m), ESRCH);
	vmm_close(&v);
}

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

/* ---- namespaces ------------------------------------------------------------------------ */

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

/* ---- dumps while devices come and go ------------------------------------------------------ */

#define STABLE	100

static bool churning = true;

static void *churn(void *unused)
{
	while (__atomic_load_n(&churning, __ATOMIC_RELAXED)) {
		struct vmm v;

		OK(vmm_open(&v, NULL, 0));
		OK(vmm_set_owner(&v));
		vmm_close(&v);
	}
	return unused;
}

struct rows {
	unsigned int nr;
	long long last;
};

/* In order, so none twice: by device, then by number in it. */
static void take_row(const struct nlmsg *msg, void *arg)
{
	long long at = nl_number(msg, VHOST_A_DEV_ID) << 32 | nl_number(msg, VHOST_A_VQ_INDEX);
	struct rows *rows = arg;

	/* Those of one virtqueue's counters may be cut in two. */
	EXPECT(msg->g.cmd == VHOST_CMD_STAT_GET ? at >= rows->last : at > rows->last);
	rows->nr += at > rows->last;
	rows->last = at;
}

/* What does not fit in a buffer goes on in the next one. */
static void dump_many(void)
{
	static const int cmds[] = { VHOST_CMD_VQ_GET, VHOST_CMD_STAT_GET, VHOST_CMD_WORKER_GET };
	static struct vmm v[2 * STABLE];
	unsigned int i;

	begin_host();
	for (i = 0; i < N(v); i++) {
		OK(vmm_open(&v[i], NULL, 0));
		OK(vmm_set_owner(&v[i]));
	}
	for (i = 0; i < N(cmds); i++) {
		struct rows rows = { 0, 0 };

		nl_begin(&m, cmds[i]);
		OK(nl_dump(&host, &m, take_row, &rows));
		EXPECT_EQ(rows.nr, cmds[i] == VHOST_CMD_WORKER_GET ? N(v) : 2 * N(v));
		EXPECT(host.buffers > 5);
		EXPECT(!host.interrupted);
	}
	for (i = 0; i < N(v); i++)
		vmm_close(&v[i]);
}

/* Complete or flagged, and none twice. */
static void dump_under_churn(void)
{
	static struct vmm v[STABLE];
	unsigned int i, k, interrupted = 0, complete = 0;
	struct ids stable, ids;
	pthread_t thread;

	begin_host();
	for (i = 0; i < STABLE; i++)
		OK(vmm_open(&v[i], NULL, 0));
	stable = dump_ids(&host);
	EXPECT_EQ(stable.nr, STABLE);
	EXPECT(host.buffers > 2);
	EXPECT(!host.interrupted);
	EXPECT(!pthread_create(&thread, NULL, churn, NULL));
	/* Both have to be seen: who is slow makes more of the one, who is fast of the other. */
	for (i = 0; i < 100 || (i < 5000 && (!interrupted || !complete)); i++) {
		ids = dump_ids(&host);
		for (k = 1; k < ids.nr; k++)
			EXPECT(ids.id[k] > ids.id[k - 1]);
		if (host.interrupted) {
			interrupted++;
			continue;
		}
		complete++;
		EXPECT(ids.nr >= STABLE);
		for (k = 0; k < STABLE; k++)
			EXPECT(has(&ids, stable.id[k]));
	}
	__atomic_store_n(&churning, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("# %u complete, %u interrupted\n", complete, interrupted);
	EXPECT(interrupted);
	EXPECT_EQ(dump_ids(&host).nr, STABLE);
	EXPECT(!host.interrupted);
	for (i = 0; i < STABLE; i++)
		vmm_close(&v[i]);
}

/* ---- events ------------------------------------------------------------------------------ */

static void event_is(struct nl *nl, int cmd)
{
	OK(nl_event(nl, &m, WAIT_MS));
	EXPECT_EQ(m.g.cmd, cmd);
}

static void events(void)
{
	struct nl listener;
	__u64 mask[16] = { 0 };
	unsigned int id;
	struct vmm v;
	long long dev;

	begin_host();
	OK(nl_open(&listener));
	OK(nl_listen(&listener));
	OK(vmm_open(&v, NULL, 0));
	event_is(&listener, VHOST_CMD_DEV_ADD_NTF);
	dev = nl_number(&m, VHOST_A_DEV_ID);
	text_is(VHOST_A_DEV_DRIVER, "net");
	EXPECT_EQ(dev, only_id());
	OK(vmm_set_owner(&v));
	event_is(&listener, VHOST_CMD_WORKER_ADD_NTF);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_DEV_ID), dev);
	EXPECT(nl_number(&m, VHOST_A_WORKER_TID) > 0);
	id = nl_number(&m, VHOST_A_WORKER_ID);
	/* Whoever tries: the owner, or the admin. */
	FAILS(vmm_set_affinity(&v, id, mask, sizeof(mask)), EINVAL);
	event_is(&listener, VHOST_CMD_PIN_FAIL_NTF);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_ID), id);
	EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_ERRNO), EINVAL);
	FAILS(pin(&host, dev, id, mask, 4), EINVAL);
	event_is(&listener, VHOST_CMD_PIN_FAIL_NTF);
	vmm_close(&v);
	event_is(&listener, VHOST_CMD_DEV_DEL_NTF);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_ID), dev);
	EXPECT_EQ(nl_event(&listener, &m, 0), -ETIMEDOUT);
}

static void event_vq_broken(void)
{
	struct nl listener;

	begin_host();
	OK(nl_open(&listener));
	bad_begin(VMM_TX);
	OK(nl_listen(&listener));
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 0, 0, 0);
	bad_breaks("zero_len", BAD_HEAD);
	event_is(&listener, VHOST_CMD_VQ_BROKEN_NTF);
	EXPECT_EQ(nl_number(&m, VHOST_A_VQ_INDEX), VMM_TX);
	EXPECT_EQ(nl_number(&m, VHOST_A_VQ_STATE), VHOST_VQ_STATE_BROKEN);
	text_is(VHOST_A_VQ_REJECTION, "zero_len");
	EXPECT_EQ(nl_event(&listener, &m, 0), -ETIMEDOUT);
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

/* ---- a device of another kind ----------------------------------------------------------------- */

/* Its driver, queues, workers, and reasons to reject are its own; it has a CID. */
static void vsock(void)
{
	static const int class[] = { VHOST_SCHED_POLICY_BATCH, VHOST_SCHED_POLICY_NORMAL };
	struct virtio_vsock_hdr hdr;
	struct nl listener;
	struct vvsock v;
	long long dev;
	int i;

	begin_host();
	OK(nl_open(&listener));
	OK(nl_listen(&listener));
	vvsock_open(&v, NULL);
	event_is(&listener, VHOST_CMD_DEV_ADD_NTF);
	text_is(VHOST_A_DEV_DRIVER, "vsock");
	dev = nl_number(&m, VHOST_A_DEV_ID);
	for (i = 0; i < 2; i++) {
		event_is(&listener, VHOST_CMD_WORKER_ADD_NTF);
		EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_DEV_ID), dev);
		EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_POLICY), class[i]);
		EXPECT_EQ((int)nl_number(&m, VHOST_A_WORKER_NICE), -3);
	}
	EXPECT_EQ(dev, only_id());
	get(VHOST_CMD_DEV_GET, dev, -1);
	text_is(VHOST_A_DEV_NODE, "vhost-vsock");
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_VQS), 2);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_WORKERS), 2);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_STATE), VHOST_DEV_STATE_OWNED);
	EXPECT(!nl_attr(&m, VHOST_A_DEV_CID));
	OK(vvsock_alloc_cid(&v, &v.cid));
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_CID), v.cid);
	v.cid = 4260;
	OK(vvsock_set_cid(&v, v.cid));
	OK(vvsock_run(&v, 1));
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_CID), v.cid);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_STATE), VHOST_DEV_STATE_RUNNING);
	for (i = 0; i < 2; i++) {
		get(VHOST_CMD_VQ_GET, dev, i);
		text_is(VHOST_A_VQ_NAME, i == VSOCK_RX ? "rx" : "tx");
		EXPECT_EQ(nl_number(&m, VHOST_A_VQ_STATE), VHOST_VQ_STATE_RUNNING);
		get(VHOST_CMD_WORKER_GET, dev, nl_number(&m, VHOST_A_VQ_WORKER_ID));
		EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_VQ), i);
		EXPECT_EQ(nl_number(&m, VHOST_A_WORKER_VQS), 1);
	}
	hdr = vvsock_hdr(&v, 1, 2, VIRTIO_VSOCK_TYPE_STREAM, VIRTIO_VSOCK_OP_REQUEST);
	hdr.src_cid++;
	vvsock_put(&v, &hdr, NULL, 0);
	vvsock_sync(&v);
	EXPECT_EQ(vmm_counter(&v.vmm, VSOCK_TX, "tx_src"), 1);
	for (i = 0; i < 2; i++)
		counters_are(dev, &v.vmm, i);
	OK(vmm_reset_owner(&v.vmm));
	get(VHOST_CMD_DEV_GET, dev, -1);
	EXPECT(!nl_attr(&m, VHOST_A_DEV_CID));
	OK(vmm_set_owner(&v.vmm));
	for (i = 0; i < 2; i++)
		event_is(&listener, VHOST_CMD_WORKER_ADD_NTF);
	OK(vvsock_set_cid(&v, v.cid));
	vvsock_close(&v);
	event_is(&listener, VHOST_CMD_DEV_DEL_NTF);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_ID), dev);
	EXPECT_EQ(nl_number(&m, VHOST_A_DEV_CID), v.cid);
	EXPECT_EQ(nl_event(&listener, &m, 0), -ETIMEDOUT);
}

/* ---- a VMM that stalls itself ---------------------------------------------------------------- */

static int userfault(void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		test_fail("userfaultfd: %m");
	return fd;
}

/* The worker waits, with the queue locked, for a page that comes when this is closed. */
static int stall(void)
{
	struct uffd_msg fault;
	struct gseg seg;
	char *page = vmm_alloc(&n.vmm, 4096, 4096);
	int fd;

	EXPECT(page);
	/* To explain a failure it would wait for the queue. */
	test_explain = NULL;
	fd = userfault(page);
	seg = (struct gseg){ .addr = vnet_addr(&n, page), .len = 72 };
	EXPECT(gring_add(&n.ring[VMM_TX], &seg, 1, 0, page) >= 0);
	gring_publish(&n.ring[VMM_TX]);
	gring_kick(&n.ring[VMM_TX]);
	EXPECT(test_until(read(fd, &fault, sizeof(fault)) == sizeof(fault), WAIT_MS));
	return fd;
}

static void poll_us_becomes(long long dev, unsigned int us)
{
	EXPECT(test_until((get(VHOST_CMD_VQ_GET, dev, VMM_TX),
			   nl_number(&m, VHOST_A_VQ_POLL_US) == us), WAIT_MS));
}

/*
 * Who looks does not wait; a change is made when the page is there, and until
 * then holds up nobody else in generic netlink.
 */
static void stalled_vmm(void)
{
	struct nl another;
	long long dev, begin;
	unsigned int us;
	int fd;

	begin_host();
	vnet_start(&n, NULL);
	dev = only_id();
	fd = stall();

	get(VHOST_CMD_DEV_GET, dev, -1);
	get(VHOST_CMD_VQ_GET, dev, VMM_TX);
	about(VHOST_CMD_STAT_GET, dev, -1);
	OK(nl_dump(&host, &m, NULL, NULL));
	about(VHOST_CMD_WORKER_GET, dev, -1);
	OK(nl_dump(&host, &m, NULL, NULL));
	begin = test_now();
	about(VHOST_CMD_VQ_SET, dev, VMM_TX);
	nl_put_u32(&m, VHOST_A_VQ_POLL_US, 9);
	FAILS(nl_do(&host, &m), EINPROGRESS);
	EXPECT(test_now() - begin >= 4000);
	EXPECT(strstr(host.why, "busy"));
	OK(nl_open(&another));
	/* Nobody serves the page any more: it is as any other. */
	close(fd);
	poll_us_becomes(dev, 9);
	OK(vmm_get_vring_busyloop(&n.vmm, VMM_TX, &us));
	EXPECT_EQ(us, 9);
}

static void no_op(int sig)
{
	(void)sig;
}

static int set_poll_us(long long dev, unsigned int us)
{
	about(VHOST_CMD_VQ_SET, dev, VMM_TX);
	nl_put_u32(&m, VHOST_A_VQ_POLL_US, us);
	return nl_do(&host, &m);
}

/* Changes of it that their callers do not wait for are not piled up. */
static void stalled_changes(void)
{
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { 0 };
	struct sigaction act = { .sa_handler = no_op };
	struct vmm other;
	struct ids ids;
	long long dev;
	unsigned int i;
	int fd;

	begin_host();
	vnet_start(&n, NULL);
	dev = only_id();
	OK(vmm_open(&other, NULL, 0));
	OK(vmm_set_owner(&other));
	ids = dump_ids(&host);
	fd = stall();
	EXPECT(!sigaction(SIGALRM, &act, NULL) && !setitimer(ITIMER_REAL, &often, NULL));
	FAILS(set_poll_us(dev, 9), EINTR);
	for (i = 0; i < 300; i++)
		FAILS(set_poll_us(dev, 10), EBUSY);
	EXPECT(strstr(host.why, "nothing was changed"));
	EXPECT(!setitimer(ITIMER_REAL, &never, NULL));
	/* Nor are those of another device behind them. */
	OK(set_poll_us(ids.id[ids.id[0] == dev], 11));
	close(fd);
	poll_us_becomes(dev, 9);
	OK(set_poll_us(dev, 12));
	vmm_close(&other);
}

static const struct test tests[] = {
	TEST_ONCE(device), TEST(queues), TEST_ONCE(counters), TEST_ONCE(workers),
	TEST(vq_set), TEST_ONCE(worker_set), TEST_ONCE(worker_sched_set),
	TEST_ONCE(worker_new_and_del), TEST_ONCE(errors),
	TEST_ONCE(owner_gone), TEST_ONCE(rights),
	TEST_ONCE(network_namespaces), TEST_ONCE(user_namespaces), TEST_ONCE(pid_namespaces),
	TEST_ONCE(dump_many), TEST_ONCE(dump_under_churn), TEST_ONCE(events),
	TEST_ONCE(event_vq_broken), TEST_ONCE(event_namespaces), TEST_ONCE(vsock),
	TEST_ONCE(stalled_vmm), TEST_ONCE(stalled_changes),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
