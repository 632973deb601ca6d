// SPDX-License-Identifier: GPL-2.0
/* The netlink family: changes, also of a device that does not answer. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <linux/userfaultfd.h>

#include "netlink.h"

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

/* ---- a VMM that stalls itself -------------------------------------------------------- */

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
	EXPECT(test_now() - begin >= 4000 && test_now() - begin < 15000);
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
	TEST(vq_set), TEST_ONCE(worker_set), TEST_ONCE(worker_sched_set),
	TEST_ONCE(worker_new_and_del), TEST_ONCE(owner_gone),
	TEST_ONCE(stalled_vmm), TEST_ONCE(stalled_changes),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
