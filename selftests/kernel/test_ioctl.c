// SPDX-License-Identifier: GPL-2.0
/* Every ioctl of the device: what it does, and every error it may return. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"
#include "vnet.h"

/* No user address: as far as access_ok() is concerned, and a hole below. */
#define BAD_USER	0xffff800000001000ULL
#define HOLE		((void *)0x1000)

static struct vmm v;

static void open_owned(void)
{
	OK(vmm_open(&v, NULL, 1 << 20));
	OK(vmm_set_owner(&v));
}

/* Every ioctl that is for the owner only, with arguments that would do. */
static const struct {
	const char *name;
	unsigned long req;
	bool reads_ptr;
} owner_only[] = {
#define R(req, ptr) { #req, req, ptr }
	R(VHOST_RESET_OWNER, false),
	R(VHOST_SET_MEM_TABLE, true),
	R(VHOST_SET_LOG_BASE, true),
	R(VHOST_SET_LOG_FD, true),
	R(VHOST_SET_VRING_NUM, true),
	R(VHOST_SET_VRING_ADDR, true),
	R(VHOST_SET_VRING_BASE, true),
	R(VHOST_GET_VRING_BASE, true),
	R(VHOST_SET_VRING_KICK, true),
	R(VHOST_SET_VRING_CALL, true),
	R(VHOST_SET_VRING_ERR, true),
	R(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, true),
	R(VHOST_GET_VRING_BUSYLOOP_TIMEOUT, true),
	R(VHOST_EXT_SET_VRING_POLL_MODE, true),
	R(VHOST_EXT_GET_VRING_POLL_MODE, true),
	R(VHOST_NET_SET_BACKEND, true),
	R(VHOST_NEW_WORKER, true),
	R(VHOST_FREE_WORKER, true),
	R(VHOST_ATTACH_VRING_WORKER, true),
	R(VHOST_GET_VRING_WORKER, true),
	R(VHOST_EXT_GET_WORKER_INFO, true),
	R(VHOST_EXT_SET_WORKER_AFFINITY, true),
	R(VHOST_EXT_GET_WORKER_AFFINITY, true),
#undef R
};

#define N(a) (sizeof(a) / sizeof(*(a)))

static void all_are_eperm(void)
{
	char arg[256] = { 0 };
	unsigned int i;

	for (i = 0; i < N(owner_only); i++) {
		int ret = vmm_ioctl(&v, owner_only[i].req, arg);

		if (ret != -EPERM)
			test_fail("%s: %s, not EPERM", owner_only[i].name,
				  ret < 0 ? strerrorname_(-ret) : "succeeded");
	}
}

static void no_owner_is_eperm(void)
{
	test_need_ours();
	OK(vmm_open(&v, NULL, 0));
	all_are_eperm();
}

static void other_mm_is_eperm(void)
{
	__u64 f;
	int pid;

	test_need_ours();
	open_owned();
	pid = test_fork();
	if (!pid) {
		all_are_eperm();
		FAILS(vmm_set_owner(&v), EBUSY);
		FAILS(vmm_set_features(&v, 0), EPERM);
		FAILS(vmm_set_backend_features(&v, 0), EPERM);
		/* Asking what there is changes nothing. */
		OK(vmm_get_features(&v, &f));
		OK(vmm_get_backend_features(&v, &f));
		_exit(0);
	}
	test_join(pid);
}

static void allowed_without_owner(void)
{
	__u64 f, b;

	OK(vmm_open(&v, NULL, 0));
	OK(vmm_get_features(&v, &f));
	OK(vmm_set_features(&v, BIT_ULL(VIRTIO_F_VERSION_1)));
	OK(vmm_get_backend_features(&v, &b));
	OK(vmm_set_backend_features(&v, b));
}

static void bad_pointer_is_efault(void)
{
	static const unsigned long more[] = {
		VHOST_GET_FEATURES, VHOST_SET_FEATURES,
		VHOST_GET_BACKEND_FEATURES, VHOST_SET_BACKEND_FEATURES,
		VHOST_GET_FEATURES_ARRAY, VHOST_SET_FEATURES_ARRAY,
	};
	unsigned int i;

	test_need_ours();
	open_owned();
	for (i = 0; i < N(owner_only); i++) {
		int ret;

		if (!owner_only[i].reads_ptr)
			continue;
		ret = vmm_ioctl(&v, owner_only[i].req, HOLE);
		if (ret != -EFAULT)
			test_fail("%s: %s, not EFAULT", owner_only[i].name,
				  ret < 0 ? strerrorname_(-ret) : "succeeded");
	}
	for (i = 0; i < N(more); i++)
		FAILS(vmm_ioctl(&v, more[i], HOLE), EFAULT);
	/* A worker that nobody could be told of must not be left. */
	EXPECT(test_until(test_threads("vhost-") <= 1, 2000));
}

static void unknown_is_enotty(void)
{
	char arg[64] = { 0 };

	open_owned();
	FAILS(vmm_ioctl(&v, _IO(VHOST_VIRTIO, 0xbf), arg), ENOTTY);
	FAILS(vmm_ioctl(&v, _IO('x', 1), arg), ENOTTY);
}

static void set_owner(void)
{
	open_owned();
	FAILS(vmm_set_owner(&v), EBUSY);
	OK(vmm_reset_owner(&v));
	OK(vmm_set_owner(&v));
}

static void get_features(void)
{
	const __u64 want = BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) |
		BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT_ULL(VHOST_F_LOG_ALL) |
		BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR) |
		BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |
		BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
		BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |
		BIT_ULL(VIRTIO_F_RING_RESET);
	__u64 f = 0;

	OK(vmm_open(&v, NULL, 0));
	OK(vmm_get_features(&v, &f));
	EXPECT_EQ(f & want, want);
}

static void set_features_unknown(void)
{
	__u64 f;

	open_owned();
	OK(vmm_get_features(&v, &f));
	FAILS(vmm_set_features(&v, f | BIT_ULL(5)), EOPNOTSUPP);
	FAILS(vmm_set_features(&v, BIT_ULL(63)), EOPNOTSUPP);
	OK(vmm_set_features(&v, 0));
}

static void features_array(void)
{
	__u64 f, a[6];

	test_need_ours();
	open_owned();
	OK(vmm_get_features(&v, &f));
	memset(a, 0xff, sizeof(a));
	OK(vmm_get_features_array(&v, a, 5));
	EXPECT_EQ(a[0], f);
	EXPECT(!a[2] && !a[3] && !a[4]);
	OK(vmm_get_features_array(&v, a, 0));
	OK(vmm_get_features_array(&v, a, 1));
	EXPECT_EQ(a[0], f);

	memset(a, 0, sizeof(a));
	a[0] = BIT_ULL(VIRTIO_F_VERSION_1);
	OK(vmm_set_features_array(&v, a, 6));
	OK(vmm_set_features_array(&v, a, 1));
	OK(vmm_set_features_array(&v, a, 0));
	a[5] = 1;
	FAILS(vmm_set_features_array(&v, a, 6), EOPNOTSUPP);
	a[5] = 0;
	a[1] = BIT_ULL(63);
	FAILS(vmm_set_features_array(&v, a, 2), EOPNOTSUPP);
}

/* Zeros behind what is known are welcome, but not without end. */
static void features_array_huge(void)
{
	__u64 *buf = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	test_need_ours();
	open_owned();
	buf[0] = 64;
	OK(vmm_ioctl(&v, VHOST_SET_FEATURES_ARRAY, buf));
	buf[0] = 65;
	FAILS(vmm_ioctl(&v, VHOST_SET_FEATURES_ARRAY, buf), E2BIG);
	buf[0] = ~0ULL;
	FAILS(vmm_ioctl(&v, VHOST_SET_FEATURES_ARRAY, buf), E2BIG);
	FAILS(vmm_ioctl(&v, VHOST_GET_FEATURES_ARRAY, buf), EFAULT);
	/* As many bytes as make 8 when they wrap. */
	buf[0] = (1ULL << 61) + 3;
	FAILS(vmm_ioctl(&v, VHOST_SET_FEATURES_ARRAY, buf), E2BIG);
	FAILS(vmm_ioctl(&v, VHOST_GET_FEATURES_ARRAY, buf), EFAULT);
}

static void set_features_running(void)
{
	struct vnet n;

	test_need_ours();
	vnet_start(&n, NULL);
	OK(vmm_set_features(&n.vmm, n.features));
	FAILS(vmm_set_features(&n.vmm,
			       n.features & ~BIT_ULL(VIRTIO_RING_F_EVENT_IDX)),
	      EBUSY);
	FAILS(vmm_set_features(&n.vmm, n.features | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)),
	      EBUSY);
	vnet_tx_check(&n, 0, 3, 60);
	vnet_backend(&n, -1);
	OK(vmm_set_features(&n.vmm, 0));
}

static void set_features_log_all_without_log(void)
{
	struct vnet n;

	test_need_ours();
	vnet_start(&n, NULL);
	FAILS(vmm_set_features(&n.vmm, n.features | BIT_ULL(VHOST_F_LOG_ALL)),
	      EFAULT);
}

static void backend_features(void)
{
	__u64 b = 0;

	open_owned();
	OK(vmm_get_backend_features(&v, &b));
	EXPECT(b & BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2));
	OK(vmm_set_backend_features(&v, b));
	OK(vmm_set_backend_features(&v, 0));
	FAILS(vmm_set_backend_features(&v, BIT_ULL(40)), EOPNOTSUPP);
	test_need_ours();
	EXPECT_EQ(b, BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2) |
		     BIT_ULL(VHOST_BACKEND_F_IOTLB_BATCH));
}

static void index_is_enobufs(void)
{
	static const unsigned int bad[] = { 2, 3, 0x80000000, 0xffffffff };
	unsigned int i, val;

	open_owned();
	for (i = 0; i < N(bad); i++) {
		FAILS(vmm_vring_num(&v, bad[i], 256), ENOBUFS);
		FAILS(vmm_vring_base(&v, bad[i], 0), ENOBUFS);
		FAILS(vmm_get_vring_base(&v, bad[i], &val), ENOBUFS);
		FAILS(vmm_vring_addr(&v, bad[i], 0, 0, 0, 0, 0), ENOBUFS);
		FAILS(vmm_vring_kick(&v, bad[i], -1), ENOBUFS);
		FAILS(vmm_vring_call(&v, bad[i], -1), ENOBUFS);
		FAILS(vmm_vring_err(&v, bad[i], -1), ENOBUFS);
		FAILS(vmm_vring_busyloop(&v, bad[i], 0), ENOBUFS);
		FAILS(vmm_get_vring_busyloop(&v, bad[i], &val), ENOBUFS);
		FAILS(vmm_net_backend(&v, bad[i], -1), ENOBUFS);
		if (!test_ours())
			continue;
		FAILS(vmm_attach_worker(&v, bad[i], 0), ENOBUFS);
		FAILS(vmm_get_worker(&v, bad[i], &val), ENOBUFS);
	}
}

static void vring_num(void)
{
	struct vnet n;

	open_owned();
	OK(vmm_vring_num(&v, 0, 1));
	OK(vmm_vring_num(&v, 0, 256));
	OK(vmm_vring_num(&v, 1, 32768));
	FAILS(vmm_vring_num(&v, 0, 0), EINVAL);
	FAILS(vmm_vring_num(&v, 0, 100), EINVAL);
	FAILS(vmm_vring_num(&v, 0, 65536), EINVAL);
	FAILS(vmm_vring_num(&v, 0, 0x80000000), EINVAL);

	vnet_start(&n, NULL);
	FAILS(vmm_vring_num(&n.vmm, VMM_TX, 128), EBUSY);
}

static void vring_base(void)
{
	unsigned int base;
	struct vnet n;

	open_owned();
	OK(vmm_vring_base(&v, 0, 0));
	OK(vmm_vring_base(&v, 0, 65535));
	OK(vmm_get_vring_base(&v, 0, &base));
	EXPECT_EQ(base, 65535);
	OK(vmm_get_vring_base(&v, 1, &base));
	EXPECT_EQ(base, 0);
	FAILS(vmm_vring_base(&v, 0, 65536), EINVAL);

	vnet_start(&n, NULL);
	FAILS(vmm_vring_base(&n.vmm, VMM_TX, 0), EBUSY);
}

static void vring_addr(void)
{
	const __u64 a = (uintptr_t)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	open_owned();
	OK(vmm_vring_num(&v, 0, 256));
	OK(vmm_vring_addr(&v, 0, 0, a, a + 4096, a + 8192, 0));
	FAILS(vmm_vring_addr(&v, 0, 2, a, a + 4096, a + 8192, 0), EOPNOTSUPP);
	FAILS(vmm_vring_addr(&v, 0, 0x80000000, a, a + 4096, a + 8192, 0),
	      EOPNOTSUPP);
	OK(vmm_vring_addr(&v, 0, 0, a + 16, a + 4098, a + 8196, 0));
	FAILS(vmm_vring_addr(&v, 0, 0, a, a + 4097, a + 8192, 0), EINVAL);
	FAILS(vmm_vring_addr(&v, 0, 0, a, a + 4096, a + 8194, 0), EINVAL);
	FAILS(vmm_vring_addr(&v, 0, 0, a, a + 4096, a + 8192, 2), EINVAL);
	test_need_ours();
	FAILS(vmm_vring_addr(&v, 0, 0, a + 8, a + 4096, a + 8192, 0), EINVAL);
	/* A log address that wraps. */
	FAILS(vmm_vring_addr(&v, 0, 1 << VHOST_VRING_F_LOG, a, a + 4096, a + 8192, -4ULL), EINVAL);
}

static void vring_addr_running(void)
{
	struct gring *r;
	struct vnet n;
	__u64 d, a, u;

	test_need_ours();
	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	d = (uintptr_t)r->desc;
	a = (uintptr_t)r->avail;
	u = (uintptr_t)r->used;
	OK(vmm_vring_addr(&n.vmm, VMM_TX, 0, d, a, u, 0));
	FAILS(vmm_vring_addr(&n.vmm, VMM_TX, 0, d + 16, a, u, 0), EBUSY);
	FAILS(vmm_vring_addr(&n.vmm, VMM_TX, 0, d, a + 4096, u, 0), EBUSY);
	FAILS(vmm_vring_addr(&n.vmm, VMM_TX, 0, d, a, u + 4, 0), EBUSY);
	vnet_tx_check(&n, 0, 3, 60);
	vnet_backend(&n, -1);
	OK(vmm_vring_addr(&n.vmm, VMM_TX, 0, d + 16, a, u, 0));
}

/* The ring's addresses have to be the user's, whatever the memory table says. */
/* Refused here, or at the latest when the queue is to start. */
static void refused_addr(struct vnet *n, __u64 d, __u64 a, __u64 u)
{
	int ret = vmm_vring_addr(&n->vmm, VMM_TX, 0, d, a, u, 0);

	if (!ret)
		ret = vmm_net_backend(&n->vmm, VMM_TX, n->tapfd);
	EXPECT_EQ(ret, -EFAULT);
}

static void vring_addr_kernel(void)
{
	struct vnet n;
	__u64 d, a, u;

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	d = (uintptr_t)n.ring[VMM_TX].desc;
	a = (uintptr_t)n.ring[VMM_TX].avail;
	u = (uintptr_t)n.ring[VMM_TX].used;
	refused_addr(&n, BAD_USER, BAD_USER + 4096, BAD_USER + 8192);
	refused_addr(&n, BAD_USER, a, u);
	refused_addr(&n, d, BAD_USER, u);
	refused_addr(&n, d, a, BAD_USER);
}

static void eventfds(void)
{
	int (*const set[])(struct vmm *, unsigned int, int) = {
		vmm_vring_kick, vmm_vring_call, vmm_vring_err,
	};
	int e = evt_new(), other = open("/dev/null", O_RDWR);
	unsigned int i, k;

	open_owned();
	for (i = 0; i < N(set); i++) {
		OK(set[i](&v, 0, e));
		OK(set[i](&v, 1, e));
		FAILS(set[i](&v, 0, 999), EBADF);
		FAILS(set[i](&v, 0, -2), EBADF);
		FAILS(set[i](&v, 0, other), EINVAL);
		for (k = 0; k < 3; k++)
			OK(set[i](&v, 0, e));
		OK(set[i](&v, 0, -1));
		OK(set[i](&v, 0, -1));
	}
}

static void log_fd(void)
{
	open_owned();
	OK(vmm_log_fd(&v, evt_new()));
	FAILS(vmm_log_fd(&v, 999), EBADF);
	FAILS(vmm_log_fd(&v, open("/dev/null", O_RDWR)), EINVAL);
	OK(vmm_log_fd(&v, -1));
}

static void log_base(void)
{
	open_owned();
	OK(vmm_set_mem_table(&v));
	/* One bit for 4 KiB, from guest address 0 on. */
	OK(vmm_log_base(&v, malloc((VMM_GPA + (1 << 20)) / 4096 / 8 + 8)));
	test_need_ours();
	FAILS(vmm_log_base(&v, (void *)BAD_USER), EFAULT);
	FAILS(vmm_log_base(&v, (void *)~7ULL), EFAULT);
	FAILS(vmm_log_base(&v, (char *)malloc(1 << 20) + 1), EFAULT);
}

static void busyloop(void)
{
	unsigned int us = 1;

	open_owned();
	OK(vmm_get_vring_busyloop(&v, 0, &us));
	EXPECT_EQ(us, 0);
	OK(vmm_vring_busyloop(&v, 0, 50));
	OK(vmm_get_vring_busyloop(&v, 0, &us));
	EXPECT_EQ(us, 50);
	OK(vmm_get_vring_busyloop(&v, 1, &us));
	EXPECT_EQ(us, 0);
}

static void endian_is_refused(void)
{
	struct vhost_vring_state s = { .index = 0, .num = 0 };

	open_owned();
	FAILS(vmm_ioctl(&v, VHOST_SET_VRING_ENDIAN, &s), ENOTTY);
	FAILS(vmm_ioctl(&v, VHOST_GET_VRING_ENDIAN, &s), ENOTTY);
}

static void fork_from_owner(void)
{
	__u8 val = 7;

	test_need_ours();
	OK(vmm_open(&v, NULL, 0));
	OK(vmm_ioctl(&v, VHOST_GET_FORK_FROM_OWNER, &val));
	EXPECT_EQ(val, VHOST_FORK_OWNER_KTHREAD);
	OK(vmm_ioctl(&v, VHOST_SET_FORK_FROM_OWNER, &val));
	val = VHOST_FORK_OWNER_TASK;
	FAILS(vmm_ioctl(&v, VHOST_SET_FORK_FROM_OWNER, &val), EOPNOTSUPP);
}

static struct vhost_memory_region region(__u64 gpa, __u64 size, __u64 user)
{
	return (struct vhost_memory_region){
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = user,
	};
}

static void mem_table(void)
{
	const __u64 u = 0x10000000;
	struct vhost_memory_region r[2];

	open_owned();
	OK(vmm_set_mem_regions(&v, NULL, 0, 0));
	FAILS(vmm_set_mem_regions(&v, NULL, 0, 1), EOPNOTSUPP);
	r[0] = region(0, 4096, u);
	OK(vmm_set_mem_regions(&v, r, 1, 0));
	FAILS(vmm_set_mem_regions(&v, r, 1, 1), EOPNOTSUPP);
	/* Out of order, and touching: fine. */
	r[0] = region(8192, 4096, u);
	r[1] = region(0, 8192, u + 65536);
	OK(vmm_set_mem_regions(&v, r, 2, 0));
	/* Two guest addresses for the same memory: fine. */
	r[1] = region(0, 8192, u);
	OK(vmm_set_mem_regions(&v, r, 2, 0));
	/* Reaches up to the very last guest address: fine. */
	r[0] = region(-4096ULL, 4096, u);
	OK(vmm_set_mem_regions(&v, r, 1, 0));

	test_need_ours();
	r[0] = region(0, 4096, BAD_USER);
	FAILS(vmm_set_mem_regions(&v, r, 1, 0), EFAULT);
	r[0] = region(0, ~0ULL, u);
	EXPECT(vmm_set_mem_regions(&v, r, 1, 0) < 0);
}

static void mem_table_overlap(void)
{
	const __u64 u = 0x10000000;
	struct vhost_memory_region r[2];

	test_need_ours();
	open_owned();
	r[0] = region(0, 8192, u);
	r[1] = region(4096, 8192, u + 65536);
	FAILS(vmm_set_mem_regions(&v, r, 2, 0), EINVAL);
	r[1] = region(0, 8192, u + 65536);
	FAILS(vmm_set_mem_regions(&v, r, 2, 0), EINVAL);
	r[0] = region(0, 0, u);
	FAILS(vmm_set_mem_regions(&v, r, 1, 0), EINVAL);
	r[0] = region(-4096ULL, 8192, u);
	FAILS(vmm_set_mem_regions(&v, r, 1, 0), EINVAL);
}

/* A refused table leaves the one before in use. */
static void mem_table_refused_keeps_old(void)
{
	struct vhost_memory_region r = region(0, 4096, BAD_USER);
	struct vnet n;

	vnet_start(&n, NULL);
	FAILS(vmm_set_mem_regions(&n.vmm, &r, 1, 0), EFAULT);
	vnet_tx_check(&n, 0, 3, 60);
}

static void try_regions(unsigned int nr, int want)
{
	struct vhost_memory_region *r = calloc(nr, sizeof(*r));
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++)
		/* Backwards, so that sorting has work. */
		r[i] = region((__u64)(nr - i) << 20, 4096, 0x10000000 + i * 4096);
	ret = vmm_set_mem_regions(&v, r, nr, 0);
	if (ret != want)
		test_fail("%u regions: %d, not %d", nr, ret, want);
	free(r);
}

static void mem_table_count(void)
{
	const char *param = "/sys/module/vhost_core/parameters/max_mem_regions";
	long long max = test_ours() ? test_read_number(param) : 64;

	open_owned();
	EXPECT(max >= 64);
	try_regions(1, 0);
	try_regions(63, 0);
	try_regions(64, 0);
	try_regions(max, 0);
	try_regions(max + 1, -E2BIG);
	/* More than anyone could have copied in. */
	FAILS(vmm_ioctl(&v, VHOST_SET_MEM_TABLE,
			&(struct vhost_memory){ .nregions = ~0u }), E2BIG);
}

static void net_backend(void)
{
	int udp = socket(AF_INET, SOCK_DGRAM, 0), null = open("/dev/null", O_RDWR);
	int packet = socket(AF_PACKET, SOCK_DGRAM, 0);
	int raw = socket(AF_INET, SOCK_RAW, 255);
	int other = socket(AF_UNIX, SOCK_STREAM, 0);
	struct vnet n;

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, null), ENOTSOCK);
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, n.ring[0].call), ENOTSOCK);
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, n.vmm.fd), ENOTSOCK);
	OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
	OK(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd));
	OK(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd));
	OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
	OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
	test_need_ours();
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, 999), EBADF);
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, -2), EBADF);
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, udp), ESOCKTNOSUPPORT);
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, other), ESOCKTNOSUPPORT);
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, packet), ESOCKTNOSUPPORT);
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, raw), EPFNOSUPPORT);
}

/* A tap that is not connected to any interface yet is none. */
static void net_backend_unattached_tap(void)
{
	int fd = open("/dev/net/tun", O_RDWR);
	struct vnet n;

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	/*
	 * The in-tree driver takes it and transmits into nowhere: either will
	 * do, as long as the queue can be stopped and started again.
	 */
	(void)vmm_net_backend(&n.vmm, VMM_TX, fd);
	OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
	OK(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd));
	vnet_tx_check(&n, 0, 3, 60);
}

static void net_backend_without_ring(void)
{
	struct vnet n;

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	open_owned();
	test_need_ours();
	FAILS(vmm_net_backend(&v, VMM_TX, n.tapfd), EFAULT);
	OK(vmm_vring_num(&v, VMM_TX, 256));
	FAILS(vmm_net_backend(&v, VMM_TX, n.tapfd), EFAULT);
}

/* Half of the ring outside of what is mapped shows when it is used, not before. */
static void vring_addr_unmapped(void)
{
	struct vnet n;

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	OK(munmap(n.ring[VMM_TX].used, 4096));
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd), EFAULT);
}

/* Each part of the ring at address 0: nothing is there, and nobody falls. */
static void vring_addr_zero(void)
{
	struct vnet n;
	__u64 d, a, u;

	test_need_ours();
	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	d = (uintptr_t)n.ring[VMM_TX].desc;
	a = (uintptr_t)n.ring[VMM_TX].avail;
	u = (uintptr_t)n.ring[VMM_TX].used;
	OK(vmm_vring_addr(&n.vmm, VMM_TX, 0, 0, a, u, 0));
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd), EFAULT);
	OK(vmm_vring_addr(&n.vmm, VMM_TX, 0, d, 0, u, 0));
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd), EFAULT);
	OK(vmm_vring_addr(&n.vmm, VMM_TX, 0, d, a, 0, 0));
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd), EFAULT);
}

static const struct test tests[] = {
	TEST(no_owner_is_eperm),
	TEST(other_mm_is_eperm),
	TEST(allowed_without_owner),
	TEST(bad_pointer_is_efault),
	TEST(unknown_is_enotty),
	TEST(set_owner),
	TEST(get_features),
	TEST(set_features_unknown),
	TEST(features_array),
	TEST(features_array_huge),
	TEST(set_features_running),
	TEST(set_features_log_all_without_log),
	TEST(backend_features),
	TEST(index_is_enobufs),
	TEST(vring_num),
	TEST(vring_base),
	TEST(vring_addr),
	TEST(vring_addr_running),
	TEST(vring_addr_kernel),
	TEST(vring_addr_unmapped),
	TEST(vring_addr_zero),
	TEST(eventfds),
	TEST(log_fd),
	TEST(log_base),
	TEST(busyloop),
	TEST(endian_is_refused),
	TEST(fork_from_owner),
	TEST(mem_table),
	TEST(mem_table_overlap),
	TEST(mem_table_refused_keeps_old),
	TEST(mem_table_count),
	TEST(net_backend),
	TEST(net_backend_unattached_tap),
	TEST(net_backend_without_ring),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
