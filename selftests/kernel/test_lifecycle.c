// SPDX-License-Identifier: GPL-2.0
/* Owners that come, fork, pass on; modules that go; nothing that stays. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000

static struct vnet n;

/* A child has the fd, and nothing else: it may close it, or die. */
static void fork_after_set_owner(void)
{
	int i, pid;

	vnet_start(&n, NULL);
	for (i = 0; i < 5; i++) {
		pid = test_fork();
		if (!pid) {
			if (test_ours())
				FAILS(vmm_net_backend(&n.vmm, VMM_TX, -1), EPERM);
			if (i & 1)
				close(n.vmm.fd);
			_exit(0);
		}
		vnet_tx_check(&n, 0, 20, 60);
		test_join(pid);
		vnet_rx_check(&n, 0, 20, 60);
	}
}

/* The owner is gone, its memory is not, while somebody holds the device. */
static void fd_outlives_owner(void)
{
	int pair[2], pid, fd;
	char c = 0;
	struct iovec iov = { &c, 1 };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct vmm other;
	char prefix[32];

	EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = test_fork();
	if (!pid) {
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

		vnet_start(&n, NULL);
		vnet_rx_post(&n, 100);
		vnet_tx_check(&n, 0, 10, 60);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &n.vmm.fd, sizeof(int));
		EXPECT(sendmsg(pair[1], &msg, 0) == 1);
		/* Something for the worker to be at. */
		vnet_tx_add(&n, 0, 60);
		gring_kick(&n.ring[VMM_TX]);
		_exit(0);
	}
	close(pair[1]);
	EXPECT(recvmsg(pair[0], &msg, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	test_join(pid);
	memset(&other, 0, sizeof(other));
	other.fd = fd;
	if (test_ours()) {
		FAILS(vmm_net_backend(&other, VMM_TX, -1), EPERM);
		FAILS(vmm_reset_owner(&other), EPERM);
	}
	FAILS(vmm_set_owner(&other), EBUSY);
	close(fd);
	snprintf(prefix, sizeof(prefix), "vhost-%d", pid);
	EXPECT(test_until(!test_threads(prefix), WAIT_MS));
}

static void reset_owner(void)
{
	unsigned int i, base;
	__u64 f = n.features;

	vnet_start(&n, NULL);
	f = n.features;
	for (i = 0; i < 5; i++) {
		unsigned int vq;

		vnet_rx_post(&n, 100);
		vnet_tx_add(&n, 0, 60);
		gring_kick(&n.ring[VMM_TX]);
		OK(vmm_reset_owner(&n.vmm));
		if (test_ours()) {
			FAILS(vmm_get_vring_base(&n.vmm, VMM_TX, &base), EPERM);
			FAILS(vmm_reset_owner(&n.vmm), EPERM);
		}
		OK(vmm_set_owner(&n.vmm));
		/* As after open. */
		OK(vmm_get_vring_base(&n.vmm, VMM_TX, &base));
		EXPECT_EQ(base, 0);
		EXPECT(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd) < 0);
		OK(vmm_set_features(&n.vmm, f));
		OK(vmm_set_mem_table(&n.vmm));
		for (vq = 0; vq < VMM_VQS; vq++) {
			gring_reset(&n.ring[vq], 0);
			OK(gring_attach(&n.ring[vq], &n.vmm, vq));
		}
		vnet_backend(&n, n.tapfd);
		while (vnet_host_recv(&n, NULL, 0) >= 0)
			;
		vnet_tx_check(&n, 0, 20, 60);
		vnet_rx_check(&n, 0, 20, 60);
	}
}

/* Reset by one, taken by another. */
static void next_owner(void)
{
	int pid;

	vnet_start(&n, NULL);
	vnet_tx_check(&n, 0, 20, 60);
	OK(vmm_reset_owner(&n.vmm));
	pid = test_fork();
	if (!pid) {
		OK(vmm_set_owner(&n.vmm));
		OK(vmm_set_features(&n.vmm, n.features));
		OK(vmm_set_mem_table(&n.vmm));
		for (unsigned int vq = 0; vq < VMM_VQS; vq++) {
			gring_reset(&n.ring[vq], 0);
			OK(gring_attach(&n.ring[vq], &n.vmm, vq));
		}
		vnet_backend(&n, n.tapfd);
		vnet_tx_check(&n, 0, 20, 60);
		vnet_rx_check(&n, 0, 20, 60);
		OK(vmm_reset_owner(&n.vmm));
		_exit(0);
	}
	test_join(pid);
	OK(vmm_set_owner(&n.vmm));
}

static void two_owners(void)
{
	int pid[2], i;

	for (i = 0; i < 2; i++) {
		pid[i] = test_fork();
		if (!pid[i]) {
			vnet_start(&n, NULL);
			for (int k = 0; k < 5; k++) {
				vnet_tx_check(&n, 0, 200, 60);
				vnet_rx_check(&n, 0, 200, 60);
			}
			_exit(0);
		}
	}
	test_join(pid[0]);
	test_join(pid[1]);
}

static void many_devices(void)
{
	struct vmm v[32];
	unsigned int i;

	for (i = 0; i < N(v); i++) {
		OK(vmm_open(&v[i], NULL, 4096));
		OK(vmm_set_owner(&v[i]));
		OK(vmm_set_mem_table(&v[i]));
	}
	for (i = 0; i < N(v); i++)
		vmm_close(&v[i * 37 % N(v)]);
}

static void close_in_flight(void)
{
	unsigned int i, k;

	for (i = 0; i < test_rounds(25); i++) {
		vnet_start(&n, NULL);
		vnet_rx_post(&n, 256);
		for (k = 0; k < 200; k++)
			vnet_tx_add(&n, k, i & 1 ? 60 : 1514);
		for (k = 0; k < 100; k++)
			vnet_host_send(&n, k, 60);
		gring_kick(&n.ring[VMM_TX]);
		vnet_stop(&n);
	}
}

/* The tap is closed before the device is, and holds packets. */
static void close_tap_first(void)
{
	unsigned int i, k;

	for (i = 0; i < test_rounds(10); i++) {
		vnet_start(&n, NULL);
		for (k = 0; k < 100; k++)
			vnet_host_send(&n, k, 60);
		/* A few buffers: the rest is in between the two. */
		vnet_rx_post(&n, 10);
		EXPECT(gring_wait(&n.ring[VMM_RX], WAIT_MS));
		close(n.tapfd);
		close(n.sock);
		OK(netdev_run("ip link del %s", n.tap));
		vmm_close(&n.vmm);
		gring_free(&n.ring[0]);
		gring_free(&n.ring[1]);
	}
}

/* ---- memory tables ------------------------------------------------------------------ */

static bool stop;

static void *swap_tables(void *arg)
{
	struct vhost_memory_region r[3];
	unsigned int i;

	(void)arg;
	memset(r, 0, sizeof(r));
	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		/* Memory in one region, in two, with another one before it. */
		unsigned int half = 8 << 20, nr = 0;
		char *hva = n.vmm.region[0].hva;

		if (i % 3 == 2)
			r[nr++] = (struct vhost_memory_region){
				0, 1 << 20, (uintptr_t)hva, 0 };
		r[nr++] = (struct vhost_memory_region){
			VMM_GPA, i & 1 ? half : 2 * half, (uintptr_t)hva, 0 };
		if (i & 1)
			r[nr++] = (struct vhost_memory_region){
				VMM_GPA + half, half, (uintptr_t)hva + half, 0 };
		OK(vmm_set_mem_regions(&n.vmm, r, nr, 0));
	}
	return NULL;
}

static void mem_table_swapped_under_load(void)
{
	pthread_t thread;
	int i;

	vnet_start(&n, NULL);
	EXPECT(!pthread_create(&thread, NULL, swap_tables, NULL));
	for (i = 0; i < 5; i++) {
		vnet_tx_check(&n, 0, 300, 60);
		vnet_rx_check(&n, 0, 300, 1514);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(evt_wait(n.ring[VMM_TX].err, 0), 0);
	EXPECT_EQ(evt_wait(n.ring[VMM_RX].err, 0), 0);
}

/* When the call returns, the old place is not used any more. */
static void mem_table_moves(void)
{
	char *old, *new, *p;
	int i;

	vnet_start(&n, NULL);
	OK(vmm_add_region(&n.vmm, VMM_GPA + (1 << 30), 1 << 16));
	p = n.vmm.region[1].hva;
	old = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	new = p;
	for (i = 0; i < 100; i++) {
		char *here = i & 1 ? old : new;
		struct gseg seg = { VMM_GPA + (1 << 30), 72 };

		n.vmm.region[1].hva = here;
		OK(vmm_set_mem_table(&n.vmm));
		memset(i & 1 ? new : old, 0xdd, 72);
		memset(here, 0, 12);
		frame_fill(here + 12, 60, i);
		gring_add(&n.ring[VMM_TX], &seg, 1, 0, NULL);
		gring_kick(&n.ring[VMM_TX]);
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
	}
}

/* Memory behind the table is unmapped by its owner: an error, not a crash. */
static void memory_unmapped_under_load(void)
{
	int i;

	vnet_start(&n, NULL);
	vnet_rx_post(&n, 100);
	for (i = 0; i < 50; i++)
		vnet_tx_add(&n, i, 1514);
	gring_kick(&n.ring[VMM_TX]);
	for (i = 0; i < 50; i++)
		vnet_host_send(&n, i, 60);
	munmap(n.vmm.region[0].hva, n.vmm.region[0].size);
	n.vmm.nr_region = 0;
	evt_signal(n.ring[VMM_TX].kick);
	evt_signal(n.ring[VMM_RX].kick);
	if (test_ours())
		EXPECT(evt_wait(n.ring[VMM_TX].err, WAIT_MS));
	vmm_close(&n.vmm);
}

/* ---- leaks -------------------------------------------------------------------------- */

/* In several processes: most of a cycle is waiting. */
static void bare_cycles(unsigned int count)
{
	struct vmm v;
	int pid[8];
	unsigned int i;

	for (i = 0; i < N(pid); i++) {
		pid[i] = test_fork();
		if (!pid[i])
			break;
	}
	if (i == N(pid)) {
		while (i--)
			test_join(pid[i]);
		return;
	}
	while (count--) {
		OK(vmm_open(&v, NULL, 4096));
		OK(vmm_set_owner(&v));
		OK(vmm_set_mem_table(&v));
		OK(vmm_set_features(&v, BIT_ULL(VIRTIO_F_VERSION_1) |
					BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)));
		OK(vmm_iotlb_update(&v, 0, 4096, v.region[0].hva, 3));
		vmm_close(&v);
	}
	_exit(0);
}

/* 960 times what is never given back would show, even if it is little. */
static void no_memory_left(void)
{
	long long before;

	bare_cycles(20);
	before = test_kernel_memory();
	bare_cycles(test_rounds(120));
	if (!test_until(test_kernel_memory() - before < 200, 5000))
		test_fail("%lld KiB more after %u cycles",
			  test_kernel_memory() - before, 8 * test_rounds(120));
}

static long long free_memory(void)
{
	char line[128];
	long long val = -1;
	FILE *f = fopen("/proc/meminfo", "re");

	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "MemFree:", 8))
			val = atoll(line + 8);
	fclose(f);
	return val;
}

static void traffic_cycles(unsigned int count)
{
	while (count--) {
		unsigned int k;

		OK(vmm_set_owner(&n.vmm));
		OK(vmm_set_features(&n.vmm, n.features));
		OK(vmm_set_mem_table(&n.vmm));
		for (k = 0; k < VMM_VQS; k++) {
			gring_reset(&n.ring[k], 0);
			OK(gring_attach(&n.ring[k], &n.vmm, k));
		}
		vnet_backend(&n, n.tapfd);
		vnet_tx_check(&n, 0, 100, 1514);
		vnet_rx_check(&n, 0, 100, 1514);
		OK(vmm_reset_owner(&n.vmm));
		close(n.vmm.fd);
		n.vmm.fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	}
}

/* Nor the pages that packets travel in. */
static void no_pages_left(void)
{
	long long before, kernel;

	vnet_start(&n, NULL);
	OK(vmm_reset_owner(&n.vmm));
	traffic_cycles(10);
	before = free_memory();
	kernel = test_kernel_memory();
	traffic_cycles(40);
	if (!test_until(before - free_memory() < 4096, 5000))
		test_fail("%lld KiB less after 40 cycles", before - free_memory());
	if (!test_until(test_kernel_memory() - kernel < 1000, 5000))
		test_fail("%lld KiB of the kernel's more after 40 cycles",
			  test_kernel_memory() - kernel);
}

/* The guest's memory goes with its owner and device, and not later. */
static void no_guest_memory_left(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING), pid;

	EXPECT(fd >= 0 && !ftruncate(fd, 4096));
	pid = test_fork();
	if (!pid) {
		struct vmm v;

		EXPECT(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    0) != MAP_FAILED);
		OK(vmm_open(&v, NULL, 1 << 20));
		OK(vmm_set_owner(&v));
		OK(vmm_set_mem_table(&v));
		_exit(0);
	}
	test_join(pid);
	/* Refused for as long as it is mapped anywhere. */
	EXPECT(test_until(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), WAIT_MS));
}

/* ---- modules ------------------------------------------------------------------------- */

static int rmmod(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static int open_module(const char *name)
{
	const char *dir = getenv("VHOST_MODULES");
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.ko", dir ? dir : "/build", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int insmod(const char *name)
{
	int fd = open_module(name), ret;

	if (fd < 0)
		return fd;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

/* vhost_blk and vhost_vsock use vhost_core as well. */
static int unload_all(void)
{
	static const char *const others[] = { "vhost_blk", "vhost_vsock" };
	unsigned int i;

	for (i = 0; i < N(others); i++) {
		int err = rmmod(others[i]);

		EXPECT(!err || err == -ENOENT);
	}
	EXPECT(test_until(!rmmod("vhost_net"), WAIT_MS));
	return rmmod("vhost_core");
}

static int load_all(void)
{
	return insmod("vhost_core") ?: insmod("vhost_net") ?: insmod("vhost_blk") ?:
	       insmod("vhost_vsock");
}

static bool in_file(const char *path, const char *text)
{
	char line[256];
	bool found = false;
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		found = found || strstr(line, text);
	if (f)
		fclose(f);
	return found;
}

static void rmmod_while_open(void)
{
	test_need_ours();
	vnet_start(&n, NULL);
	FAILS(rmmod("vhost_net"), EAGAIN);
	FAILS(rmmod("vhost_core"), EAGAIN);
	vnet_tx_check(&n, 0, 20, 60);
	vnet_rx_check(&n, 0, 20, 60);
}

static void rmmod_after(void)
{
	const char *dir = getenv("VHOST_MODULES");
	char path[256];
	bool clean;
	int i, err;

	test_need_ours();
	snprintf(path, sizeof(path), "%s/vhost_net.ko", dir ? dir : "/build");
	if (access(path, R_OK))
		test_skip("%s is not there to load again", path);
	for (i = 0; i < 5; i++) {
		vnet_start(&n, NULL);
		vnet_rx_post(&n, 50);
		vnet_tx_check(&n, 0, 20, 1514);
		vnet_stop(&n);
		err = unload_all();
		clean = access("/dev/vhost-net", F_OK) &&
			access("/sys/module/vhost_net", F_OK) &&
			access("/sys/module/vhost_core", F_OK) &&
			access("/sys/kernel/debug/vhost", F_OK) &&
			access("/sys/class/vhost-blk", F_OK) &&
			!in_file("/proc/misc", "vhost-net") &&
			!in_file("/proc/misc", "vhost-blk") &&
			!in_file("/proc/misc", "vhost-vsock") &&
			!in_file("/proc/devices", "vhost-blk") &&
			!test_threads("vhost-");
		OK(err);
		OK(load_all());
		EXPECT(clean);
	}
	vnet_start(&n, NULL);
	vnet_tx_check(&n, 0, 20, 60);
}

/* Loading and unloading leave no memory behind either. */
static void rmmod_leaves_no_memory(void)
{
	long long before = 0;
	int i;

	test_need_ours();
	for (i = 0; i < 20; i++) {
		if (i == 10)
			before = test_kernel_memory();
		OK(unload_all());
		if (load_all())
			test_skip("the modules cannot be loaded again from here");
	}
	if (!test_until(test_kernel_memory() - before < 200, 5000))
		test_fail("%lld KiB more after 10 loads", test_kernel_memory() - before);
}

/*
 * The kernel's own vhost_net is there first: ours is refused, and says so; and
 * the other way round.
 */
static void beside_in_tree(void)
{
	int err;

	test_need_ours();
	FAILS(rmmod("vhost_core"), EWOULDBLOCK);
	OK(rmmod("vhost_net"));
	if (netdev_run("modprobe vhost_net 2>/dev/null") ||
	    !access("/sys/module/vhost_core/holders/vhost_net", F_OK)) {
		OK(insmod("vhost_net"));
		test_skip("the kernel has no vhost_net of its own");
	}
	err = insmod("vhost_net");
	OK(rmmod("vhost_net"));
	OK(insmod("vhost_net"));
	netdev_run("modprobe -r vhost 2>/dev/null");
	/* Two modules of one name. */
	EXPECT_EQ(err, -EEXIST);
	vnet_start(&n, NULL);
	vnet_tx_check(&n, 0, 20, 60);
}

/* What vhost_core shares with the others is of one version. */
static void other_version(void)
{
	static const char text[] = "\0version=";
	struct stat st;
	int fd, log, err;
	char *image, *at;

	test_need_ours();
	fd = open_module("vhost_net");
	if (fd < 0)
		test_skip("vhost_net.ko is not there to load again");
	EXPECT_EQ(fstat(fd, &st), 0);
	image = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	EXPECT(image != MAP_FAILED);
	at = memmem(image, st.st_size, text, sizeof(text) - 1);
	EXPECT(at);
	at[sizeof(text) - 1]++;
	OK(rmmod("vhost_net"));
	log = test_log_open();
	err = syscall(SYS_init_module, image, st.st_size, "") ? -errno : 0;
	OK(insmod("vhost_net"));
	EXPECT_EQ(err, -EINVAL);
	EXPECT(test_log_has(log, "does not go with vhost_core"));
	vnet_start(&n, NULL);
	vnet_tx_check(&n, 0, 20, 60);
}

static const struct test tests[] = {
	TEST(fork_after_set_owner), TEST(fd_outlives_owner),
	TEST(reset_owner), TEST(next_owner), TEST(two_owners),
	TEST_ONCE(many_devices), TEST(close_in_flight), TEST_ONCE(close_tap_first),
	TEST(mem_table_swapped_under_load), TEST(mem_table_moves),
	TEST(memory_unmapped_under_load),
	TEST_ONCE(no_memory_left), TEST_WITHOUT(no_pages_left, TEST_EVENT_IDX),
	TEST_ONCE(no_guest_memory_left), TEST_ONCE(rmmod_while_open),
	TEST_ONCE(rmmod_after), TEST_ONCE(rmmod_leaves_no_memory),
	TEST_ONCE(beside_in_tree), TEST_ONCE(other_version),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
