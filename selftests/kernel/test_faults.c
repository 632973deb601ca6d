// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations of the core and of vhost_net fail: lib/faults.h.
 *
 * In the data path it is the worker's allocations that fail. A packet may be
 * lost there, and then it is counted; a queue goes on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"
#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000

#define DEBUGFS "/sys/kernel/debug/"

static struct vnet host, n;

/* ---- states of a device, and what shows that they are whole ----------------------------- */

static void closed(void)
{
	memset(&n, 0, sizeof(n));
	n.vmm.fd = -1;
}

static void opened(void)
{
	OK(vmm_open(&n.vmm, NULL, 1 << 20));
}

static void owned(void)
{
	opened();
	OK(vmm_set_owner(&n.vmm));
}

static void set_up(void)
{
	vnet_start(&n, &(struct vnet_conf){ .tap_of = &host, .no_backend = true });
}

static void running(void)
{
	vnet_start(&n, &(struct vnet_conf){ .tap_of = &host });
}

static void with_iotlb(void)
{
	vnet_start(&n, &(struct vnet_conf){ .tap_of = &host, .iommu = true });
}

static void iotlb_set_up(void)
{
	vnet_start(&n, &(struct vnet_conf){ .tap_of = &host, .iommu = true,
					    .no_backend = true });
}

/* A question of the device waits to be read. */
static void with_miss(void)
{
	struct pollfd p;

	with_iotlb();
	OK(vmm_iotlb_invalidate(&n.vmm, VMM_GPA + VNET_IOVA, n.vmm.region[0].size));
	evt_signal(n.ring[VMM_TX].kick);
	p = (struct pollfd){ n.vmm.fd, POLLIN, 0 };
	EXPECT(poll(&p, 1, WAIT_MS) == 1);
}

static void traffic(void)
{
	vnet_tx_check(&n, 0, 20, 60);
	vnet_rx_check(&n, 0, 20, 60);
}

static void can_own(void)
{
	int err = vmm_set_owner(&n.vmm);

	/* It may have succeeded in spite of it. */
	if (err != -EBUSY)
		OK(err);
	OK(vmm_set_mem_table(&n.vmm));
	OK(vmm_reset_owner(&n.vmm));
	OK(vmm_set_owner(&n.vmm));
}

static void can_open(void)
{
	if (n.vmm.fd < 0)
		opened();
	can_own();
}

static void can_map(void)
{
	__u64 features;

	OK(vmm_set_mem_table(&n.vmm));
	OK(vmm_get_features(&n.vmm, &features));
}

static void can_start(void)
{
	OK(vmm_net_backend(&n.vmm, VMM_RX, -1));
	OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
	vnet_backend(&n, n.tapfd);
	traffic();
}

/* The call may have happened, or not: the translation is given again. */
static void can_translate(void)
{
	OK(vmm_iotlb_map_all(&n.vmm));
	traffic();
}

/* Still in its owner's group, and where that may be. */
static void worker_at_home(void)
{
	char path[64], mine[256] = "", its[256] = "";
	struct vhost_ext_worker_info info;
	unsigned int id;
	FILE *f;

	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_worker_info(&n.vmm, id, &info));
	f = fopen("/proc/self/cgroup", "re");
	EXPECT(f && fgets(mine, sizeof(mine), f));
	fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", info.tid);
	f = fopen(path, "re");
	EXPECT(f && fgets(its, sizeof(its), f));
	fclose(f);
	if (strcmp(mine, its))
		test_fail("worker is in %s, its owner in %s", its, mine);
	traffic();
}

/* ---- calls ------------------------------------------------------------------------------ */

static int do_open(void)
{
	return vmm_open(&n.vmm, NULL, 0);
}

static int do_set_owner(void)
{
	return vmm_ioctl(&n.vmm, VHOST_SET_OWNER, NULL);
}

static int do_reset_owner(void)
{
	return vmm_reset_owner(&n.vmm);
}

static int do_get_features(void)
{
	__u64 f;

	return vmm_get_features(&n.vmm, &f);
}

static int do_set_features(void)
{
	return vmm_set_features(&n.vmm, VNET_FEATURES);
}

static int do_set_features_iotlb(void)
{
	return vmm_set_features(&n.vmm, VNET_FEATURES |
				BIT_ULL(VIRTIO_F_ACCESS_PLATFORM));
}

static int do_get_features_array(void)
{
	__u64 f[4];

	return vmm_get_features_array(&n.vmm, f, 4);
}

static int do_set_features_array(void)
{
	__u64 f[2] = { VNET_FEATURES, 0 };

	return vmm_set_features_array(&n.vmm, f, 2);
}

static int do_get_backend_features(void)
{
	__u64 f;

	return vmm_get_backend_features(&n.vmm, &f);
}

static int do_set_backend_features(void)
{
	return vmm_set_backend_features(&n.vmm, BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2));
}

static int do_set_mem_table(void)
{
	return vmm_set_mem_table(&n.vmm);
}

/* A table that is more than a page, copied in 130 times. */
static int do_set_large_table(void)
{
	static struct vhost_memory_region r[130];

	for (unsigned int i = 0; i < N(r); i++)
		r[i] = (struct vhost_memory_region){
			VMM_GPA + i * 8192ULL, 4096,
			(__u64)(unsigned long)n.vmm.region[0].hva + i * 4096, 0 };
	return vmm_set_mem_regions(&n.vmm, r, N(r), 0);
}

static char log_bits[1 << 19] __attribute__((aligned(8)));

static int do_set_log_base(void)
{
	return vmm_log_base(&n.vmm, log_bits);
}

static int do_set_log_fd(void)
{
	return vmm_log_fd(&n.vmm, n.ring[0].call);
}

static int do_vring_num(void)
{
	return vmm_vring_num(&n.vmm, VMM_TX, n.ring[VMM_TX].num);
}

static int do_vring_base(void)
{
	return vmm_vring_base(&n.vmm, VMM_TX,
			      test_mode & TEST_PACKED ? 0x8000 : 0);
}

static int do_get_vring_base(void)
{
	unsigned int base;

	return vmm_get_vring_base(&n.vmm, VMM_TX, &base);
}

static int do_vring_addr(void)
{
	return gring_set_addr(&n.ring[VMM_TX], &n.vmm, VMM_TX, 0, 0);
}

static int do_vring_kick(void)
{
	return vmm_vring_kick(&n.vmm, VMM_TX, n.ring[VMM_TX].kick);
}

static int do_vring_call(void)
{
	return vmm_vring_call(&n.vmm, VMM_TX, n.ring[VMM_TX].call);
}

static int do_vring_err(void)
{
	return vmm_vring_err(&n.vmm, VMM_TX, n.ring[VMM_TX].err);
}

static int do_busyloop(void)
{
	return vmm_vring_busyloop(&n.vmm, VMM_TX, 10);
}

static int do_get_busyloop(void)
{
	unsigned int us;

	return vmm_get_vring_busyloop(&n.vmm, VMM_TX, &us);
}

static int do_poll_mode(void)
{
	struct vhost_vring_state s = { VMM_TX, VHOST_EXT_POLL_ADAPTIVE };

	return vmm_ioctl(&n.vmm, VHOST_EXT_SET_VRING_POLL_MODE, &s);
}

static int do_get_poll_mode(void)
{
	struct vhost_vring_state s = { VMM_TX, 0 };

	return vmm_ioctl(&n.vmm, VHOST_EXT_GET_VRING_POLL_MODE, &s);
}

static int do_set_backend(void)
{
	return vmm_net_backend(&n.vmm, VMM_RX, n.tapfd);
}

static int do_set_backend_tx(void)
{
	return vmm_net_backend(&n.vmm, VMM_TX, n.tapfd);
}

static int do_unset_backend(void)
{
	return vmm_net_backend(&n.vmm, VMM_RX, -1);
}

static int do_new_worker(void)
{
	unsigned int id;

	return vmm_new_worker(&n.vmm, &id);
}

static unsigned int spare;

static void with_spare(void)
{
	running();
	OK(vmm_new_worker(&n.vmm, &spare));
}

static int do_free_worker(void)
{
	return vmm_free_worker(&n.vmm, spare);
}

static int do_attach_worker(void)
{
	return vmm_attach_worker(&n.vmm, VMM_TX, spare);
}

static int do_get_worker(void)
{
	unsigned int id;

	return vmm_get_worker(&n.vmm, VMM_TX, &id);
}

static int do_worker_info(void)
{
	struct vhost_ext_worker_info info;

	return vmm_worker_info(&n.vmm, 0, &info);
}

static int do_set_affinity(void)
{
	__u64 mask[128] = { 1 };

	return vmm_set_affinity(&n.vmm, 0, mask, sizeof(mask));
}

static int do_get_affinity(void)
{
	__u64 mask[128];

	return vmm_get_affinity(&n.vmm, 0, mask, sizeof(mask));
}

static int do_get_fork(void)
{
	__u8 val;

	return vmm_ioctl(&n.vmm, VHOST_GET_FORK_FROM_OWNER, &val);
}

static int do_set_fork(void)
{
	__u8 val = VHOST_FORK_OWNER_KTHREAD;

	return vmm_ioctl(&n.vmm, VHOST_SET_FORK_FROM_OWNER, &val);
}

static int do_update(void)
{
	return vmm_iotlb_update(&n.vmm, VMM_GPA + VNET_IOVA, 4096,
				n.vmm.region[0].hva, VHOST_ACCESS_RW);
}

static int do_invalidate(void)
{
	return vmm_iotlb_invalidate(&n.vmm, VMM_GPA + VNET_IOVA, 4096);
}

static int do_read_miss(void)
{
	struct vhost_msg_v2 msg;

	return read(n.vmm.fd, &msg, sizeof(msg)) < 0 ? -errno : 0;
}

static int do_mmap(void)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, n.vmm.fd, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int do_read_counters(void)
{
	static char buf[4096];
	char path[160];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/vq1", n.vmm.stats);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = read(fd, buf, sizeof(buf)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int do_close(void)
{
	int fd = n.vmm.fd;

	n.vmm.fd = -1;
	return close(fd) ? -errno : 0;
}

static void can_set_up(void)
{
	vmm_close(&n.vmm);
	running();
	traffic();
}

/* ---- the cases --------------------------------------------------------------------------- */

static void run_cases(const struct fault_case *c, unsigned int nr)
{
	faults_need();
	vnet_start_tap(&host);
	faults_run(c, nr);
}

static void open_and_close(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(open, closed, can_open, ENOMEM, ENFILE),
		FAULT_CASE(close, running, can_set_up, 0),
	};

	run_cases(cases, N(cases));
}

static void owner(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(set_owner, opened, can_own, ENOMEM, EINTR),
		FAULT_CASE(reset_owner, running, can_set_up, 0),
	};

	run_cases(cases, N(cases));
}

static void features(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(get_features, opened, can_own, 0),
		FAULT_CASE(set_features, owned, can_map, ENOMEM),
		FAULT_CASE(set_features_iotlb, owned, can_map, ENOMEM),
		FAULT_CASE(get_features_array, owned, can_map, 0),
		FAULT_CASE(set_features_array, owned, can_map, ENOMEM),
		FAULT_CASE(get_backend_features, owned, can_map, 0),
		FAULT_CASE(set_backend_features, owned, can_map, 0),
		FAULT_CASE(get_fork, owned, can_map, 0),
		FAULT_CASE(set_fork, owned, can_map, 0),
	};

	run_cases(cases, N(cases));
}

static void memory(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(set_mem_table, running, traffic, ENOMEM),
		FAULT_CASE(set_large_table, owned, can_map, ENOMEM),
		FAULT_CASE(set_log_base, running, traffic, 0),
		FAULT_CASE(set_log_fd, running, traffic, EBADF, EINVAL),
	};

	run_cases(cases, N(cases));
}

static void vrings(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(vring_num, set_up, can_start, 0),
		FAULT_CASE(vring_base, set_up, can_start, 0),
		FAULT_CASE(get_vring_base, running, traffic, 0),
		FAULT_CASE(vring_addr, running, traffic, 0),
		FAULT_CASE(vring_kick, running, can_start, 0),
		FAULT_CASE(vring_call, running, traffic, 0),
		FAULT_CASE(vring_err, running, traffic, 0),
		FAULT_CASE(busyloop, running, traffic, 0),
		FAULT_CASE(get_busyloop, running, traffic, 0),
		FAULT_CASE(poll_mode, running, traffic, 0),
		FAULT_CASE(get_poll_mode, running, traffic, 0),
		FAULT_CASE(read_counters, running, traffic, ENOMEM, EINTR),
	};

	run_cases(cases, N(cases));
}

static void backend(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(set_backend, set_up, can_start, ENOMEM),
		FAULT_CASE(set_backend_tx, set_up, can_start, ENOMEM),
		FAULT_CASE(set_backend, running, can_start, ENOMEM),
		FAULT_CASE(set_backend, iotlb_set_up, can_start, ENOMEM),
		FAULT_CASE(unset_backend, running, can_start, 0),
	};

	run_cases(cases, N(cases));
}

static void workers(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(new_worker, running, traffic, ENOMEM, EINTR),
		FAULT_CASE(free_worker, with_spare, traffic, 0),
		FAULT_CASE(attach_worker, with_spare, traffic, 0),
		FAULT_CASE(get_worker, running, traffic, 0),
		FAULT_CASE(worker_info, running, traffic, 0),
		FAULT_CASE(get_affinity, running, traffic, ENOMEM),
	};

	run_cases(cases, N(cases));
}

static void affinity(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(set_affinity, running, worker_at_home, ENOMEM),
	};

	run_cases(cases, N(cases));
}

static void iotlb(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(update, with_iotlb, can_translate, ENOMEM),
		FAULT_CASE(invalidate, with_iotlb, can_translate, ENOMEM),
		FAULT_CASE(read_miss, with_miss, can_translate, ENOMEM),
		{ "mmap", running, do_mmap, traffic, { ENOMEM, ENODEV }, true },
	};

	run_cases(cases, N(cases));
}

/* ---- the data path: a worker's allocations ------------------------------------------------ */

static int worker_tid(void)
{
	struct vhost_ext_worker_info info;
	unsigned int id;

	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_worker_info(&n.vmm, id, &info));
	EXPECT(info.tid > 0);
	return info.tid;
}

/* What the host's stack says that it lost of what the tap was given. */
static long long host_lost(void)
{
	static long long socket_drops;
	struct {
		unsigned int packets, drops;
	} stats;
	socklen_t len = sizeof(stats);

	/* PACKET_STATISTICS begins anew with each question. */
	EXPECT(!getsockopt(n.sock, 263 /* SOL_PACKET */, 6, &stats, &len));
	socket_drops += stats.drops;
	return socket_drops + netdev_stat(n.tap, NETDEV_RX_DROPPED);
}

static long long dropped(unsigned int vq)
{
	return vmm_counter(&n.vmm, vq, "dropped");
}

/* A fault in place of a copy of the guest's memory is the guest's: it breaks the queue. */
static bool is_broken(unsigned int vq)
{
	char state[32];

	OK(vmm_stat(&n.vmm, vq, "state", state, sizeof(state)));
	if (strcmp(state, "broken"))
		return false;
	if (access(DEBUGFS "fail_usercopy", F_OK) ||
	    vmm_counter(&n.vmm, vq, "data_fault") + vmm_counter(&n.vmm, vq, "ring_fault") != 1)
		test_fail("fault %u: queue %u is broken", fault_nth, vq);
	return true;
}

/* What is lost of a row to the host. Returns whether there was a fault. */
static bool lossy_tx(int fd, unsigned int len)
{
	long long lost = host_lost() + dropped(VMM_TX);
	/* Large ones allocate and copy many times each. */
	unsigned int count = len > 2000 ? 3 : 16, seen = 0, i;
	bool hit;

	for (i = 0; i < count; i++)
		vnet_tx_add(&n, i, len);
	faults_set(fd, fault_nth);
	gring_kick(&n.ring[VMM_TX]);
	EXPECT(test_until(gring_pending(&n.ring[VMM_TX]) == count || is_broken(VMM_TX),
			  WAIT_MS));
	hit = !faults_left(fd);
	faults_set(fd, 0);
	vnet_tx_reap(&n);
	while (vnet_host_recv(&n, NULL, 0) >= 0)
		seen++;
	if (is_broken(VMM_TX)) {
		vnet_restart(&n, VMM_TX, 0);
		return hit;
	}
	lost = host_lost() + dropped(VMM_TX) - lost;
	/*
	 * One fault, one packet. tun may count what we count, too; of a packet
	 * in a batch that it has no skb for it counts nothing, and tells nobody.
	 */
	if (seen > count || seen + 1 < count || (seen < count && len > 1514 && !lost))
		test_fail("fault %u: %u packets arrived, %lld are counted as lost, of %u",
			  fault_nth, seen, lost, count);
	return hit;
}

/* The same in the other direction: each one arrives or is counted. */
static bool lossy_rx(int fd, unsigned int len)
{
	static char buf[1 << 17];
	struct gring *r = &n.ring[VMM_RX];
	unsigned int seen = 0, i;
	bool hit;

	for (i = 0; i < 8; i++)
		vnet_host_send(&n, i, len);
	faults_set(fd, fault_nth);
	vnet_rx_post(&n, r->num);
	for (;;) {
		/* In this order: what is dropped shows after what arrived. */
		bool broken = is_broken(VMM_RX);
		long long lost = dropped(VMM_RX);

		if (gring_pending(r)) {
			EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS),
				  n.hdr_len + len);
			vnet_rx_post(&n, r->num);
			seen++;
		} else if (broken || seen + lost == 8) {
			break;
		} else if (seen + lost > 8 ||
			   !test_until(gring_pending(r) || is_broken(VMM_RX) ||
				       dropped(VMM_RX) > lost, WAIT_MS)) {
			test_fail("fault %u: %u packets arrived, %lld are counted as lost, of 8",
				  fault_nth, seen, lost);
		}
	}
	hit = !faults_left(fd);
	faults_set(fd, 0);
	if (is_broken(VMM_RX)) {
		/* What was not received yet comes first; this one is known by its size. */
		vnet_restart(&n, VMM_RX, 0);
		vnet_host_send(&n, 0, len - 1);
		do {
			vnet_rx_post(&n, r->num);
			i = vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS);
		} while (i == n.hdr_len + len);
		EXPECT_EQ(i, n.hdr_len + len - 1);
	}
	return hit;
}

static void queues_run(void)
{
	char state[32];

	for (unsigned int vq = 0; vq < VMM_VQS; vq++) {
		OK(vmm_stat(&n.vmm, vq, "state", state, sizeof(state)));
		if (strcmp(state, "running"))
			test_fail("fault %u: queue %u is %s", fault_nth, vq, state);
	}
	vnet_rx_check(&n, 0, 20, 60);
	if (n.pool[VMM_TX].size > 100)
		vnet_tx_check(&n, 0, 20, 60);
}

/*
 * The faults of a row of packets, from a device that never sent any: buffers
 * are allocated in the first row.
 */
static void data_path(const struct vnet_conf *conf, bool (*row)(int fd, unsigned int len),
		      unsigned int len)
{
	struct vnet_conf c = *conf;
	unsigned int i;

	faults_need();
	vnet_start_tap(&host);
	c.tap_of = &host;
	for (fault_nth = 1; fault_nth < FAULTS_MAX; fault_nth = fault_next(fault_nth)) {
		bool hit;
		int fd;

		vnet_start(&n, &c);
		fd = faults_open(worker_tid());
		hit = row(fd, len);
		close(fd);
		queues_run();
		vmm_close(&n.vmm);
		for (i = 0; i < VMM_VQS; i++)
			gring_free(&n.ring[i]);
		if (!hit)
			break;
	}
	EXPECT(fault_nth < FAULTS_MAX);
	printf("# %u bytes: %u faults\n", len, fault_nth - 1);
	fflush(stdout);
}

static void tx_small(void)
{
	data_path(&(struct vnet_conf){ 0 }, lossy_tx, 60);
}

static void tx_large(void)
{
	data_path(&(struct vnet_conf){ .buf_size = 1 << 14 }, lossy_tx, 9014);
}

static void rx_small(void)
{
	data_path(&(struct vnet_conf){ 0 }, lossy_rx, 60);
}

/* More chains than a fetch returns: the worker allocates room for them. */
static void rx_many_chains(void)
{
	data_path(&(struct vnet_conf){ .buf_size = 16, .num = 1024 }, lossy_rx, 1514);
}

static void through_iotlb(void)
{
	data_path(&(struct vnet_conf){ .iommu = true }, lossy_tx, 60);
}

static const struct test tests[] = {
	TEST_ONCE(open_and_close), TEST_ONCE(owner), TEST_ONCE(features),
	TEST_ONCE(memory), TEST_ONCE(vrings), TEST_ONCE(backend),
	TEST_ONCE(workers), TEST_ONCE(affinity), TEST_ONCE(iotlb),
	TEST(tx_small), TEST_ONCE(tx_large), TEST_ONCE(rx_small),
	TEST_ONCE(rx_many_chains), TEST_ONCE(through_iotlb),
};

int main(int argc, char **argv)
{
	test_seconds = 300;
	return test_main(tests, N(tests), argc, argv);
}
