// SPDX-License-Identifier: GPL-2.0
/* Workers: made, named, placed, moved under traffic, and gone with the owner. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000
#define PER_QUEUE "/sys/module/vhost_core/parameters/worker_per_queue"
#define FIFO "/sys/module/vhost_core/parameters/worker_fifo"

static struct vnet n;

static int my_threads(void)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "vhost-%d", getpid());
	return test_threads(prefix);
}

static void read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		test_fail("%s: %m", path);
	len = read(fd, buf, size - 1);
	close(fd);
	buf[len > 0 ? len : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static int tid_of(unsigned int id)
{
	struct vhost_ext_worker_info info;

	OK(vmm_worker_info(&n.vmm, id, &info));
	EXPECT(info.tid > 0);
	return info.tid;
}

static void proc_file(int tid, const char *file, char *buf, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, file);
	read_file(path, buf, size);
}

static void one_by_default(void)
{
	unsigned int rx, tx;
	char comm[64], want[64], val[32];

	test_need_ours();
	vnet_start(&n, NULL);
	OK(vmm_get_worker(&n.vmm, VMM_RX, &rx));
	OK(vmm_get_worker(&n.vmm, VMM_TX, &tx));
	EXPECT_EQ(rx, tx);
	EXPECT_EQ(my_threads(), 1);
	snprintf(want, sizeof(want), "vhost-%d-net", getpid());
	proc_file(tid_of(rx), "comm", comm, sizeof(comm));
	if (strcmp(comm, want))
		test_fail("worker is named %s, not %s", comm, want);
	OK(vmm_stat(&n.vmm, VMM_TX, "worker_tid", val, sizeof(val)));
	EXPECT_EQ(atoi(val), tid_of(tx));
}

/* As the kernel lays it out; older C libraries do not know it. */
struct attr {
	__u32 size;
	__u32 policy;
	__u64 flags;
	__s32 nice;
	__u32 priority;
	__u64 runtime;
	__u64 deadline;
	__u64 period;
};

static struct attr worker_attr(void)
{
	unsigned int id;
	struct attr a;

	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	if (syscall(SYS_sched_getattr, tid_of(id), &a, sizeof(a), 0))
		test_fail("sched_getattr: %m");
	return a;
}

/* Preempts its owner's threads when it is woken: slice and nice value. */
static void scheduled_before_owner(void)
{
	struct attr a;

	test_need_ours();
	OK(vmm_open(&n.vmm, NULL, 1 << 20));
	EXPECT_EQ(setpriority(PRIO_PROCESS, 0, 4), 0);
	OK(vmm_set_owner(&n.vmm));
	a = worker_attr();
	EXPECT_EQ(a.policy, SCHED_OTHER);
	EXPECT_EQ(a.nice, 1);
	EXPECT_EQ(a.runtime, 300000);
	OK(vmm_reset_owner(&n.vmm));
	EXPECT_EQ(setpriority(PRIO_PROCESS, 0, -20), 0);
	OK(vmm_set_owner(&n.vmm));
	EXPECT_EQ(worker_attr().nice, -20);
	EXPECT_EQ(setpriority(PRIO_PROCESS, 0, 0), 0);
}

static void fifo_on_request(void)
{
	struct attr a;

	test_need_ours();
	OK(test_write_file(FIFO, "Y"));
	vnet_start(&n, NULL);
	OK(test_write_file(FIFO, "N"));
	a = worker_attr();
	EXPECT_EQ(a.policy, SCHED_FIFO);
	EXPECT_EQ(a.priority, 1);
	vnet_tx_check(&n, 0, 300, 60);
}

static void one_per_queue(void)
{
	unsigned int id, vq;
	char comm[64], want[64];
	int err;

	test_need_ours();
	OK(test_write_file(PER_QUEUE, "1"));
	err = vmm_open(&n.vmm, NULL, 0);
	if (!err)
		err = vmm_set_owner(&n.vmm);
	OK(test_write_file(PER_QUEUE, "0"));
	OK(err);
	EXPECT_EQ(my_threads(), 2);
	for (vq = 0; vq < VMM_VQS; vq++) {
		OK(vmm_get_worker(&n.vmm, vq, &id));
		snprintf(want, sizeof(want), "vhost-%d-net-%s", getpid(),
			 vq == VMM_RX ? "rx" : "tx");
		proc_file(tid_of(id), "comm", comm, sizeof(comm));
		if (strcmp(comm, want))
			test_fail("worker is named %s, not %s", comm, want);
	}
}

static void per_queue_traffic(void)
{
	test_need_ours();
	OK(test_write_file(PER_QUEUE, "1"));
	vnet_start(&n, NULL);
	OK(test_write_file(PER_QUEUE, "0"));
	vnet_tx_check(&n, 0, 300, 60);
	vnet_rx_check(&n, 0, 300, 60);
}

static void new_and_free(void)
{
	struct vhost_ext_worker_info info;
	unsigned int first, a, b;

	test_need_ours();
	vnet_start(&n, NULL);
	OK(vmm_get_worker(&n.vmm, VMM_TX, &first));
	OK(vmm_new_worker(&n.vmm, &a));
	OK(vmm_new_worker(&n.vmm, &b));
	EXPECT(a != b && a != first && b != first);
	EXPECT_EQ(my_threads(), 3);
	OK(vmm_worker_info(&n.vmm, a, &info));
	EXPECT_EQ(info.vrings, 0);
	EXPECT_EQ(info.reserved, 0);
	OK(vmm_worker_info(&n.vmm, first, &info));
	EXPECT_EQ(info.vrings, 2);

	OK(vmm_attach_worker(&n.vmm, VMM_TX, a));
	OK(vmm_attach_worker(&n.vmm, VMM_TX, a));
	OK(vmm_get_worker(&n.vmm, VMM_TX, &b));
	EXPECT_EQ(a, b);
	OK(vmm_worker_info(&n.vmm, a, &info));
	EXPECT_EQ(info.vrings, 1);
	FAILS(vmm_free_worker(&n.vmm, a), EBUSY);
	FAILS(vmm_free_worker(&n.vmm, first), EBUSY);
	vnet_tx_check(&n, 0, 20, 60);
	OK(vmm_attach_worker(&n.vmm, VMM_RX, a));
	OK(vmm_free_worker(&n.vmm, first));
	vnet_rx_check(&n, 0, 20, 60);
	FAILS(vmm_free_worker(&n.vmm, first), ENODEV);
	FAILS(vmm_free_worker(&n.vmm, 4711), ENODEV);
	FAILS(vmm_free_worker(&n.vmm, ~0u), ENODEV);
	FAILS(vmm_attach_worker(&n.vmm, VMM_TX, first), ENODEV);
	FAILS(vmm_worker_info(&n.vmm, first, &info), ENODEV);
	EXPECT(test_until(my_threads() == 2, WAIT_MS));
}

static void number_is_limited(void)
{
	unsigned int id, i;
	int err = 0;

	test_need_ours();
	vnet_start(&n, NULL);
	for (i = 1; i < 100 && !err; i++)
		err = vmm_new_worker(&n.vmm, &id);
	EXPECT_EQ(err, -ENOSPC);
	/* The last turn made none. */
	EXPECT_EQ(i - 1, 2 * VMM_VQS + 1);
	EXPECT_EQ(my_threads(), 2 * VMM_VQS + 1);
	vnet_tx_check(&n, 0, 20, 60);
}

static bool stop;
static unsigned int moves;

static void *mover(void *arg)
{
	unsigned int id[3], i;

	(void)arg;
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id[0]));
	OK(vmm_new_worker(&n.vmm, &id[1]));
	OK(vmm_new_worker(&n.vmm, &id[2]));
	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		OK(vmm_attach_worker(&n.vmm, VMM_TX, id[i % 3]));
		OK(vmm_attach_worker(&n.vmm, VMM_RX, id[i * 7 % 3]));
		__atomic_store_n(&moves, i, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Every packet once, in its order, wherever the queue is served. */
static void move_under_traffic(void)
{
	pthread_t thread;
	unsigned int i;

	test_need_ours();
	vnet_start(&n, NULL);
	EXPECT(!pthread_create(&thread, NULL, mover, NULL));
	for (i = 0; i < 4 || __atomic_load_n(&moves, __ATOMIC_RELAXED) < 20; i++) {
		vnet_tx_check(&n, i * 500, 500, 60);
		vnet_rx_check(&n, i * 500, 500, 60);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(vnet_host_recv(&n, NULL, 0), -ETIMEDOUT);
	EXPECT(!gring_pending(&n.ring[VMM_RX]));
}

static void affinity(void)
{
	__u64 mask[16], was[16];
	char status[4096], *at;
	unsigned int id;

	test_need_ours();
	vnet_start(&n, NULL);
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_get_affinity(&n.vmm, id, was, sizeof(was)));
	EXPECT(was[0] & 1);
	memset(mask, 0, sizeof(mask));
	mask[0] = 1;
	OK(vmm_set_affinity(&n.vmm, id, mask, sizeof(mask)));
	memset(mask, 0xff, sizeof(mask));
	OK(vmm_get_affinity(&n.vmm, id, mask, sizeof(mask)));
	EXPECT_EQ(mask[0], 1);
	for (unsigned int i = 1; i < N(mask); i++)
		EXPECT_EQ(mask[i], 0);
	int fd;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", tid_of(id));
	fd = open(path, O_RDONLY);
	EXPECT(fd >= 0);
	ssize_t len = read(fd, status, sizeof(status) - 1);

	close(fd);
	status[len > 0 ? len : 0] = '\0';
	at = strstr(status, "Cpus_allowed_list:");
	EXPECT(at && atoi(at + 18) == 0 && at[20] == '\n');
	vnet_tx_check(&n, 0, 20, 60);
	/* Wider again; short masks are fine for a set. */
	OK(vmm_set_affinity(&n.vmm, id, was, sizeof(was)));
	mask[0] = was[0];
	OK(vmm_set_affinity(&n.vmm, id, mask, 8));
	OK(vmm_get_affinity(&n.vmm, id, mask, sizeof(mask)));
	EXPECT_EQ(mask[0], was[0]);
}

static void affinity_errors(void)
{
	__u64 mask[2048] = { 1 };
	unsigned int id;

	test_need_ours();
	vnet_start(&n, NULL);
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	FAILS(vmm_set_affinity(&n.vmm, id + 1000, mask, 8), ENODEV);
	FAILS(vmm_get_affinity(&n.vmm, id + 1000, mask, 8), ENODEV);
	FAILS(vmm_set_affinity(&n.vmm, id, mask, 0), EINVAL);
	FAILS(vmm_set_affinity(&n.vmm, id, mask, 7), EINVAL);
	FAILS(vmm_get_affinity(&n.vmm, id, mask, 0), EINVAL);
	FAILS(vmm_get_affinity(&n.vmm, id, mask, 12), EINVAL);
	mask[0] = 0;
	FAILS(vmm_set_affinity(&n.vmm, id, mask, 8), EINVAL);
	/* CPUs that exist in no kernel. */
	mask[0] = 1;
	mask[2047] = 1;
	FAILS(vmm_set_affinity(&n.vmm, id, mask, sizeof(mask)), E2BIG);
	FAILS(vmm_set_affinity(&n.vmm, id, (void *)4096, 8), EFAULT);
	FAILS(vmm_get_affinity(&n.vmm, id, (void *)4096, 1024), EFAULT);
	/* None of these changed anything. */
	OK(vmm_get_affinity(&n.vmm, id, mask, sizeof(mask)));
	EXPECT(mask[0] & 1);
	vnet_tx_check(&n, 0, 5, 60);
}

/* ---- control groups --------------------------------------------------------------- */

static char group[96], home[256];

static void leave_group(void)
{
	char path[300], pid[16];

	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cgroup.procs", home);
	snprintf(pid, sizeof(pid), "%d", getpid());
	test_write_file(path, pid);
	/* A worker that was stopped may be in it for a moment. */
	test_until(!rmdir(group), 5000);
}

/* A new control group at the top, with us in it. */
static void enter_group(const char *cpus)
{
	char path[160], pid[16], line[256];

	snprintf(group, sizeof(group), "/sys/fs/cgroup/vhost-test-%d", getpid());
	read_file("/proc/self/cgroup", line, sizeof(line));
	if (strncmp(line, "0::", 3))
		test_skip("no unified control group hierarchy");
	snprintf(home, sizeof(home), "%s", line + 3);
	if (mkdir(group, 0755))
		test_skip("no control groups: %m");
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (cpus) {
		/* May be on already, or not be there. */
		test_write_file("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
		snprintf(path, sizeof(path), "%s/cpuset.cpus", group);
		if (test_write_file(path, cpus)) {
			rmdir(group);
			test_skip("no cpusets");
		}
	}
	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	OK(test_write_file(path, pid));
}

static void in_owners_group(void)
{
	char mine[256], worker[256];
	unsigned int id, extra;

	test_need_ours();
	enter_group(NULL);
	vnet_start(&n, NULL);
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_new_worker(&n.vmm, &extra));
	read_file("/proc/self/cgroup", mine, sizeof(mine));
	proc_file(tid_of(id), "cgroup", worker, sizeof(worker));
	bool same = !strcmp(mine, worker);

	proc_file(tid_of(extra), "cgroup", worker, sizeof(worker));
	same = same && !strcmp(mine, worker);
	vnet_tx_check(&n, 0, 20, 60);
	vnet_stop(&n);
	leave_group();
	EXPECT(same);
	EXPECT(strstr(mine, "vhost-test"));
	EXPECT(access(group, F_OK));
}

static void in_owners_cpuset(void)
{
	__u64 got[16] = { 0 }, mask[16] = { 0 };
	unsigned int id;
	int none, cut;

	test_need_ours();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		test_skip("one CPU only");
	enter_group("1");
	vnet_start(&n, NULL);
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_get_affinity(&n.vmm, id, got, sizeof(got)));
	/* A mask is cut to the set; one outside of it is refused. */
	mask[0] = 1;
	none = vmm_set_affinity(&n.vmm, id, mask, sizeof(mask));
	mask[0] = 3;
	cut = vmm_set_affinity(&n.vmm, id, mask, sizeof(mask));
	OK(vmm_get_affinity(&n.vmm, id, mask, sizeof(mask)));
	vnet_tx_check(&n, 0, 20, 60);
	vnet_stop(&n);
	leave_group();
	EXPECT_EQ(got[0], 2);
	EXPECT_EQ(none, -EINVAL);
	EXPECT_EQ(cut, 0);
	EXPECT_EQ(mask[0], 2);
}

/* As libvirt runs QEMU: pinned, and with no right to steer the kernel's threads. */
static void in_owners_cpuset_without_rights(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct held[2], none[2];
	__u64 got[16] = { 0 }, mask[16] = { 2 };
	int owner, more, set;
	unsigned int id = 0;

	test_need_ours();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		test_skip("one CPU only");
	OK(vmm_open(&n.vmm, NULL, 0));
	enter_group("1");
	/* To be had back: without them the group would stay. */
	EXPECT(!syscall(SYS_capget, &head, held));
	memcpy(none, held, sizeof(none));
	none[0].effective = 0;
	none[1].effective = 0;
	EXPECT(!syscall(SYS_capset, &head, none));
	owner = vmm_set_owner(&n.vmm);
	more = vmm_new_worker(&n.vmm, &id);
	set = vmm_set_affinity(&n.vmm, id, mask, sizeof(mask));
	vmm_get_affinity(&n.vmm, id, got, sizeof(got));
	vmm_close(&n.vmm);
	EXPECT(!syscall(SYS_capset, &head, held));
	leave_group();
	EXPECT(access(group, F_OK));
	EXPECT_EQ(owner, 0);
	EXPECT_EQ(more, 0);
	EXPECT_EQ(set, 0);
	EXPECT_EQ(got[0], 2);
}

/* Somebody else's CPUs become isolated, and then are not any more: newer kernels tell kthreads. */
static void isolation_elsewhere(void)
{
	__u64 got[16] = { 0 }, during[16] = { 0 };
	char cpus[96], path[160], line[64];
	unsigned int id;
	bool isolated;

	test_need_ours();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		test_skip("one CPU only");
	enter_group("0");
	snprintf(cpus, sizeof(cpus), "/sys/fs/cgroup/vhost-test-isolated-%d", getpid());
	EXPECT(!mkdir(cpus, 0755));
	snprintf(path, sizeof(path), "%s/cpuset.cpus", cpus);
	OK(test_write_file(path, "1"));
	vnet_start(&n, NULL);
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	snprintf(path, sizeof(path), "%s/cpuset.cpus.partition", cpus);
	test_write_file(path, "isolated");
	read_file(path, line, sizeof(line));
	isolated = !strcmp(line, "isolated");
	OK(vmm_get_affinity(&n.vmm, id, during, sizeof(during)));
	test_write_file(path, "member");
	rmdir(cpus);
	OK(vmm_get_affinity(&n.vmm, id, got, sizeof(got)));
	vnet_tx_check(&n, 0, 20, 60);
	vnet_stop(&n);
	leave_group();
	if (!isolated)
		test_skip("no isolated partition: %s", line);
	EXPECT_EQ(during[0], 1);
	EXPECT_EQ(got[0], 1);
}

/* Where its owner may run, as taskset says; until somebody pins it elsewhere. */
static void on_owners_cpus(void)
{
	__u64 mask[16] = { 0 };
	cpu_set_t cpus;
	unsigned int id, more;

	test_need_ours();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		test_skip("one CPU only");
	CPU_ZERO(&cpus);
	CPU_SET(1, &cpus);
	EXPECT(!sched_setaffinity(0, sizeof(cpus), &cpus));
	vnet_start(&n, NULL);
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_get_affinity(&n.vmm, id, mask, sizeof(mask)));
	EXPECT_EQ(mask[0], 2);
	OK(vmm_new_worker(&n.vmm, &more));
	OK(vmm_get_affinity(&n.vmm, more, mask, sizeof(mask)));
	EXPECT_EQ(mask[0], 2);
	vnet_tx_check(&n, 0, 20, 60);
	mask[0] = 3;
	OK(vmm_set_affinity(&n.vmm, id, mask, sizeof(mask)));
	OK(vmm_get_affinity(&n.vmm, id, mask, sizeof(mask)));
	EXPECT_EQ(mask[0], 3);
	vnet_tx_check(&n, 0, 20, 60);
}

static const char cpu1_online[] = "/sys/devices/system/cpu/cpu1/online";

static void offline_and_back(void)
{
	__u64 mask[16] = { 2 };
	unsigned int id;

	vnet_start(&n, NULL);
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_set_affinity(&n.vmm, id, mask, sizeof(mask)));
	vnet_tx_check(&n, 0, 20, 60);
	OK(test_write_file(cpu1_online, "0"));
	vnet_tx_check(&n, 0, 20, 60);
	vnet_rx_check(&n, 0, 20, 60);
	OK(test_write_file(cpu1_online, "1"));
	OK(vmm_set_affinity(&n.vmm, id, mask, sizeof(mask)));
	vnet_tx_check(&n, 0, 20, 60);
}

static void *hotplug(void *arg)
{
	unsigned int i, id;

	(void)arg;
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	for (i = 0; i < 5; i++) {
		__u64 mask[16] = { 2 };

		OK(vmm_set_affinity(&n.vmm, id, mask, sizeof(mask)));
		OK(test_write_file(cpu1_online, "0"));
		/* Nothing is left of that. */
		FAILS(vmm_set_affinity(&n.vmm, id, mask, sizeof(mask)), EINVAL);
		OK(test_write_file(cpu1_online, "1"));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	return NULL;
}

static void offline_under_traffic(void)
{
	unsigned int seq = 0;
	pthread_t thread;

	vnet_start(&n, NULL);
	EXPECT(!pthread_create(&thread, NULL, hotplug, NULL));
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		vnet_tx_check(&n, seq, 100, 60);
		vnet_rx_check(&n, seq, 100, 60);
		seq += 100;
	}
	pthread_join(thread, NULL);
}

/* Whatever comes of it, the tests after this one need their CPU. */
static void with_cpu1(void (*fn)(void))
{
	siginfo_t info;
	int pid;

	test_need_ours();
	if (access(cpu1_online, W_OK))
		test_skip("CPU 1 cannot go offline");
	pid = test_fork();
	if (!pid) {
		fn();
		_exit(0);
	}
	EXPECT(!waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	OK(test_write_file(cpu1_online, "1"));
	test_join(pid);
}

/* The CPU that the worker is pinned to goes away, and comes back. */
static void cpu_offline(void)
{
	with_cpu1(offline_and_back);
}

/* Again and again while packets go both ways: none is lost, none waits. */
static void cpu_offline_under_traffic(void)
{
	with_cpu1(offline_under_traffic);
}

/* ---- the owner's end ----------------------------------------------------------------- */

static void reset_owner_ends_them(void)
{
	unsigned int id;

	test_need_ours();
	vnet_start(&n, NULL);
	OK(vmm_new_worker(&n.vmm, &id));
	OK(vmm_attach_worker(&n.vmm, VMM_TX, id));
	vnet_tx_check(&n, 0, 20, 60);
	OK(vmm_reset_owner(&n.vmm));
	/* The thread has stopped; its last steps are the kernel's. */
	EXPECT(test_until(!my_threads(), WAIT_MS));
	OK(vmm_set_owner(&n.vmm));
	EXPECT_EQ(my_threads(), 1);
}

static const struct test tests[] = {
	TEST_ONCE(one_by_default), TEST_ONCE(scheduled_before_owner),
	TEST_ONCE(fifo_on_request), TEST_ONCE(one_per_queue),
	TEST(per_queue_traffic), TEST_ONCE(new_and_free),
	TEST_ONCE(number_is_limited), TEST(move_under_traffic),
	TEST_ONCE(affinity), TEST_ONCE(affinity_errors),
	TEST_ONCE(in_owners_group), TEST_ONCE(in_owners_cpuset),
	TEST_ONCE(in_owners_cpuset_without_rights),
	TEST_ONCE(isolation_elsewhere), TEST_ONCE(on_owners_cpus),
	TEST_ONCE(cpu_offline), TEST(cpu_offline_under_traffic), TEST_ONCE(reset_owner_ends_them),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
