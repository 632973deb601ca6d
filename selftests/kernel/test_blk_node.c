// SPDX-License-Identifier: GPL-2.0
/* vhost_blk: disks, their nodes, and the two dialects that VMMs speak. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blk.h"

#define OK_STATUS (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
		   VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)

/* ---- the control node --------------------------------------------------------- */

static void add_bad_names(void)
{
	static const char *const names[] = {
		"", ".", "..", "control", "a/b", "a b", "-a", ".a", "\xc3\xa4", "\xe4",
		"0123456789012345678901234567890x",
	};
	char path[] = "/tmp/blk-XXXXXX";
	int fd = mkstemp(path);
	unsigned int i;

	unlink(path);
	for (i = 0; i < N(names); i++)
		FAILS(vblk_add(names[i], fd, 1, 0), EINVAL);
	FAILS(vblk_add("q0", fd, 0, 0), EINVAL);
	FAILS(vblk_add("q65", fd, VHOST_BLK_QUEUES_MAX + 1, 0), EINVAL);
	FAILS(vblk_add("f", fd, 1, 1u << 31), EINVAL);
	FAILS(vblk_del("nobody"), ENOENT);
	FAILS(vblk_del("a/b"), EINVAL);
}

static void add_bad_files(void)
{
	char path[] = "/tmp/blk-XXXXXX";
	int fd = mkstemp(path), ro = open(path, O_RDONLY | O_CLOEXEC);
	int wo = open(path, O_WRONLY | O_CLOEXEC);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int dir = open("/tmp", O_RDONLY | O_CLOEXEC);

	unlink(path);
	FAILS(vblk_add("a", -1, 1, 0), EBADF);
	FAILS(vblk_add("a", ro, 1, 0), EBADF);
	FAILS(vblk_add("a", wo, 1, 0), EBADF);
	FAILS(vblk_add("a", null, 1, 0), ENOTBLK);
	FAILS(vblk_add("a", dir, 1, VHOST_BLK_F_RDONLY), ENOTBLK);
	OK(vblk_add("a", ro, 1, VHOST_BLK_F_RDONLY));
	/* Read-only twice is fine, and then nobody writes. */
	OK(vblk_add("b", ro, 1, VHOST_BLK_F_RDONLY));
	FAILS(vblk_add("c", fd, 1, 0), EBUSY);
	FAILS(vblk_add("a", fd, 1, 0), EEXIST);
	OK(vblk_del("a"));
	OK(vblk_del("b"));
	OK(vblk_add("a", fd, 1, 0));
	FAILS(vblk_add("b", fd, 1, 0), EBUSY);
	OK(vblk_del("a"));
}

/* What it is made of is exclusively its own. */
static void add_busy_device(void)
{
	int fd = open("/dev/ram0", O_RDWR | O_CLOEXEC), excl;

	if (fd < 0)
		test_skip("no /dev/ram0 (brd)");
	excl = open("/dev/ram0", O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT(excl >= 0);
	FAILS(vblk_add("a", fd, 1, 0), EBUSY);
	close(excl);
	OK(vblk_add("a", fd, 1, 0));
	EXPECT(open("/dev/ram0", O_RDWR | O_EXCL | O_CLOEXEC) < 0);
	EXPECT_EQ(errno, EBUSY);
	OK(vblk_del("a"));
	excl = open("/dev/ram0", O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT(excl >= 0);
}

static void add_needs_admin(void)
{
	char path[] = "/tmp/blk-XXXXXX";
	int fd = mkstemp(path), pid, control;

	unlink(path);
	control = open(VBLK_CONTROL, O_RDWR | O_CLOEXEC);
	EXPECT(control >= 0);
	pid = test_fork();
	if (!pid) {
		struct vhost_blk_add a = { .name = "a", .fd = fd, .queues = 1 };

		EXPECT_EQ(setreuid(1, 1), 0);
		EXPECT_EQ(ioctl(control, VHOST_BLK_ADD, &a), -1);
		EXPECT_EQ(errno, EPERM);
		exit(0);
	}
	test_join(pid);
}

static void open_once(void)
{
	struct vmm other;
	char node[64];

	vblk_up(&d, NULL, 1, 0);
	snprintf(node, sizeof(node), "/dev/vhost-blk/%s", d.name);
	FAILS(vmm_open(&other, node, 0), EBUSY);
	FAILS(vblk_del(d.name), EBUSY);
	vblk_close(&d);
	OK(vmm_open(&other, node, 0));
	vmm_close(&other);
}

/* ---- the vdpa dialect ------------------------------------------------------------ */

static void what_it_is(void)
{
	struct vhost_vdpa_iova_range range;
	__u32 id = 0, vqs = 0, size = 0;
	__u16 num = 0;

	vblk_up(&d, NULL, 2, 0);
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_GET_DEVICE_ID, &id));
	EXPECT_EQ(id, 2);
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_GET_VQS_COUNT, &vqs));
	EXPECT_EQ(vqs, 2);
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_GET_VRING_NUM, &num));
	EXPECT_EQ(num, 1024);
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_GET_CONFIG_SIZE, &size));
	EXPECT_EQ(size, sizeof(struct virtio_blk_config));
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_GET_IOVA_RANGE, &range));
	EXPECT_EQ(range.first, 0);
	EXPECT_EQ(range.last, -1ull);
	FAILS(vmm_set_mem_table(&d.vmm), ENOTTY);
	FAILS(vmm_reset_owner(&d.vmm), ENOTTY);
}

/* Rings may be restricted to those that every program knows. */
static void split_only(void)
{
	__u64 features = 0;

	vblk_make(&d, NULL, 1, VHOST_BLK_F_SPLIT);
	vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1));
	OK(vmm_get_features(&d.vmm, &features));
	EXPECT(!(features & BIT_ULL(VIRTIO_F_RING_PACKED)));
	OK(vblk_status(&d, 0));
	OK(vblk_status(&d, 3));
	FAILS(vmm_set_features(&d.vmm, BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_RING_PACKED)),
	      EOPNOTSUPP);
}

static void status_machine(void)
{
	vblk_make(&d, NULL, 1, 0);
	vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1));
	EXPECT_EQ(vblk_get_status(&d), OK_STATUS & ~VIRTIO_CONFIG_S_DRIVER_OK);
	/* Features are settled. */
	FAILS(vmm_set_features(&d.vmm, 0), EBUSY);
	/* Bits are not taken back but by a reset. */
	FAILS(vblk_status(&d, VIRTIO_CONFIG_S_ACKNOWLEDGE), EINVAL);
	vblk_start(&d);
	EXPECT_EQ(vblk_get_status(&d), OK_STATUS);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
	OK(vblk_status(&d, 0));
	EXPECT_EQ(vblk_get_status(&d), 0);
	/* Maps outlive the reset: all it takes is to start again. */
	OK(vblk_status(&d, 3));
	FAILS(vblk_status(&d, 3 | VIRTIO_CONFIG_S_DRIVER_OK), EINVAL);
	OK(vmm_set_features(&d.vmm, d.features));
	OK(vblk_status(&d, 11));
	gring_reset(&d.ring[0], 0);
	vblk_start(&d);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
}

static void ring_checked_at_driver_ok(void)
{
	vblk_make(&d, NULL, 1, 0);
	vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1));
	OK(gring_alloc(&d.ring[0], &d.vmm, VBLK_RING, d.features, 0));
	OK(gring_attach(&d.ring[0], &d.vmm, 0));
	OK(vmm_vring_addr(&d.vmm, 0, 0, 0x1000, 0x2000, 0x3000, 0));
	OK(vblk_enable(&d, 0, 1));
	FAILS(vblk_status(&d, OK_STATUS), EFAULT);
	EXPECT_EQ(vblk_get_status(&d) & VIRTIO_CONFIG_S_DRIVER_OK, 0);
	OK(gring_set_addr(&d.ring[0], &d.vmm, 0, 0, 0));
	OK(vblk_status(&d, OK_STATUS));
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
}

static void vring_limits(void)
{
	struct vhost_vring_state s = { .index = 1 };

	vblk_up(&d, NULL, 1, 0);
	FAILS(vblk_enable(&d, 1, 1), ENOBUFS);
	FAILS(vblk_enable(&d, ~0u, 1), ENOBUFS);
	FAILS(vblk_enable(&d, 0, 2), EINVAL);
	FAILS(vmm_vring_num(&d.vmm, 0, 2048), EINVAL);
	FAILS(vmm_vring_num(&d.vmm, 1, 64), ENOBUFS);
	FAILS(vmm_vring_num(&d.vmm, 0, 64), EBUSY);
	FAILS(vmm_ioctl(&d.vmm, VHOST_VDPA_GET_VRING_GROUP, &s), ENOBUFS);
	s.index = 0;
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_GET_VRING_GROUP, &s));
	EXPECT_EQ(s.num, 0);
	s.num = 1;
	FAILS(vmm_ioctl(&d.vmm, VHOST_VDPA_SET_GROUP_ASID, &s), EINVAL);
	/* Of a running queue it says nothing. */
	FAILS(vmm_get_vring_base(&d.vmm, 0, &s.num), EINVAL);
}

static void config_space(void)
{
	struct virtio_blk_config c;
	__u8 wce = 0;

	vblk_up(&d, NULL, 2, 0);
	OK(vblk_get_config(&d, 0, &c, sizeof(c)));
	EXPECT_EQ(c.capacity, VBLK_SECTORS);
	EXPECT_EQ(c.num_queues, 2);
	EXPECT_EQ(c.blk_size, 512);
	EXPECT_EQ(c.wce, 1);
	EXPECT(c.seg_max >= 126);
	EXPECT(c.max_discard_sectors && c.max_discard_seg);
	EXPECT(c.max_write_zeroes_sectors && c.max_write_zeroes_seg);
	FAILS(vblk_get_config(&d, 0, &c, 0), EINVAL);
	FAILS(vblk_get_config(&d, 0, &c, sizeof(c) + 1), E2BIG);
	FAILS(vblk_get_config(&d, sizeof(c), &c, 1), E2BIG);
	FAILS(vblk_get_config(&d, sizeof(c) + 1, &c, 1), EINVAL);
	FAILS(vblk_get_config(&d, ~0u, &c, 1), EINVAL);
	OK(vblk_set_config(&d, offsetof(struct virtio_blk_config, wce), &wce, 1));
	OK(vblk_get_config(&d, offsetof(struct virtio_blk_config, wce), &wce, 1));
	EXPECT_EQ(wce, 0);
	wce = 2;
	FAILS(vblk_set_config(&d, offsetof(struct virtio_blk_config, wce), &wce, 1), EINVAL);
	/* All of it, as QEMU has it: the rest does not count. */
	OK(vblk_get_config(&d, 0, &c, sizeof(c)));
	c.wce = 1;
	c.capacity = 1;
	OK(vblk_set_config(&d, 0, &c, sizeof(c)));
	OK(vblk_get_config(&d, 0, &c, sizeof(c)));
	EXPECT_EQ(c.wce, 1);
	EXPECT_EQ(c.capacity, VBLK_SECTORS);
	EXPECT((__u64)c.seg_max * c.size_max <= 64 << 20);
}

/*
 * QEMU passes the driver's features on when the driver has read what it needs: what
 * it is told of the cache then has to be what holds later.
 */
static void cache_before_features(void)
{
	const __u32 at = offsetof(struct virtio_blk_config, wce);
	__u8 wce = 0;

	vblk_make(&d, NULL, 1, 0);
	vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_BLK_F_FLUSH) |
		  BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE));
	OK(vblk_status(&d, 0));
	OK(vblk_get_config(&d, at, &wce, 1));
	EXPECT_EQ(wce, 1);
	/* What a driver has chosen outlives a reset, which may be the VMM's own. */
	OK(vblk_status(&d, 3));
	OK(vmm_set_features(&d.vmm, d.features));
	OK(vblk_status(&d, 11));
	wce = 0;
	OK(vblk_set_config(&d, at, &wce, 1));
	OK(vblk_status(&d, 0));
	wce = 1;
	OK(vblk_get_config(&d, at, &wce, 1));
	EXPECT_EQ(wce, 0);
	vblk_close(&d);
	/* Who cannot flush has no cache to wait for. */
	vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE));
	wce = 1;
	OK(vblk_get_config(&d, at, &wce, 1));
	EXPECT_EQ(wce, 0);
}

/* RESUME that fails for one ring loses nothing of another one. */
static void refused_resume(void)
{
	struct vreq *r[8];
	unsigned int i;
	__u64 at;

	slow_disk();
	vblk_up(&d, "/dev/" SLOW, 2, VHOST_BLK_F_WORKER_PER_QUEUE);
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_SUSPEND, NULL));
	for (i = 0; i < N(r); i++) {
		r[i] = vblk_req(&d, VIRTIO_BLK_T_IN, 8 * i, 4096);
		vblk_submit(&d, 0, r[i]);
	}
	/* All of memory but what was allocated before the second ring. */
	at = vmm_addr(&d.vmm, d.ring[1].desc) & ~4095ull;
	OK(vmm_iotlb_invalidate(&d.vmm, at, 4096));
	for (i = 0; i < 20; i++)
		FAILS(vmm_ioctl(&d.vmm, VHOST_VDPA_RESUME, NULL), EFAULT);
	OK(vmm_iotlb_map_all(&d.vmm));
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_RESUME, NULL));
	for (i = 0; i < N(r); i++)
		EXPECT_EQ(vblk_wait(&d, 0, r[i]), 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
}

static void maps(void)
{
	vblk_up(&d, NULL, 1, 0);
	/* A VMM's own maps are not replaced. */
	FAILS(vmm_iotlb_map_all(&d.vmm), EEXIST);
	OK(vmm_iotlb_invalidate(&d.vmm, d.vmm.region[0].gpa + d.vmm.translate,
				d.vmm.region[0].size));
	OK(vmm_iotlb_map_all(&d.vmm));
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 4096)), 0);
}

static void write_only_open(void)
{
	char node[64];
	__u8 status;
	int fd;

	vblk_make(&d, NULL, 1, 0);
	snprintf(node, sizeof(node), "/dev/vhost-blk/%s", d.name);
	fd = open(node, O_WRONLY | O_CLOEXEC);
	EXPECT(fd >= 0);
	EXPECT_EQ(ioctl(fd, VHOST_VDPA_GET_STATUS, &status), 0);
	close(fd);
	/* Doorbells are no pages of ours. */
	fd = open(node, O_RDWR | O_CLOEXEC);
	EXPECT(fd >= 0);
	EXPECT(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	EXPECT_EQ(errno, ENODEV);
	close(fd);
}

/* Stopped, moved to another place in memory, and on: nothing is lost. */
static void suspend_and_resume(void)
{
	unsigned int base, i;

	vblk_up(&d, NULL, 1, 0);
	for (i = 0; i < 3 * VBLK_RING; i++)
		EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, i, 512)), 0);
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_SUSPEND, NULL));
	OK(vmm_get_vring_base(&d.vmm, 0, &base));
	EXPECT_EQ(base, gring_stopped_base(&d.ring[0]));
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_RESUME, NULL));
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
}

/* What is under way is completed before the device is suspended, each once. */
static void suspend_in_flight(void)
{
	struct vreq *r[16];
	unsigned int i;

	slow_disk();
	vblk_up(&d, "/dev/" SLOW, 1, 0);
	for (i = 0; i < N(r); i++) {
		r[i] = vblk_req(&d, VIRTIO_BLK_T_IN, 8 * i, 4096);
		vblk_submit(&d, 0, r[i]);
	}
	EXPECT(test_until(vmm_counter(&d.vmm, 0, "last_avail") == N(r), 10000));
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_SUSPEND, NULL));
	EXPECT_EQ(gring_pending(&d.ring[0]), N(r));
	for (i = 0; i < N(r); i++)
		EXPECT_EQ(vblk_wait(&d, 0, r[i]), 0);
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_RESUME, NULL));
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
	EXPECT_EQ(vmm_counter(&d.vmm, 0, "reads"), N(r) + 1);
}

static void late_enable(void)
{
	struct vreq *r;

	vblk_make(&d, NULL, 2, 0);
	vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_BLK_F_MQ));
	vblk_start(&d);
	OK(vblk_enable(&d, 1, 0));
	r = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512);
	vblk_submit(&d, 1, r);
	/* The other one goes on, and when it is done this one has not begun. */
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
	EXPECT_EQ(*r->status, 0xaa);
	OK(vblk_enable(&d, 1, 1));
	EXPECT_EQ(vblk_wait(&d, 1, r), 0);
}

/* ---- the classic dialect ------------------------------------------------------------------ */

static void classic(void)
{
	struct vhost_blk_backend b = { .fd = -1 };
	struct vreq *r;
	unsigned int base;

	memset(&d, 0, sizeof(d));
	d.queues = 1;
	OK(vmm_open(&d.vmm, VBLK_CONTROL, 16 << 20));
	OK(vmm_set_owner(&d.vmm));
	d.features = BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_BLK_F_FLUSH);
	OK(vmm_set_features(&d.vmm, d.features));
	OK(vmm_set_mem_table(&d.vmm));
	OK(gring_alloc(&d.ring[0], &d.vmm, VBLK_RING, d.features, 0));
	OK(gring_attach(&d.ring[0], &d.vmm, 0));
	strcpy(d.backing, "/tmp/blk-XXXXXX");
	b.fd = mkstemp(d.backing);
	EXPECT_EQ(ftruncate(b.fd, 1 << 20), 0);
	OK(vmm_ioctl(&d.vmm, VHOST_BLK_SET_BACKEND, &b));
	FAILS(vmm_ioctl(&d.vmm, VHOST_BLK_SET_BACKEND, &b), EBUSY);
	/* Nobody else's meanwhile. */
	FAILS(vblk_add("a", b.fd, 1, 0), EBUSY);
	r = vblk_req(&d, VIRTIO_BLK_T_OUT, 1, 512);
	fill(r->data, 512, 3);
	EXPECT_EQ(vblk_do(&d, r), 0);
	b.fd = -1;
	OK(vmm_ioctl(&d.vmm, VHOST_BLK_SET_BACKEND, &b));
	OK(vmm_get_vring_base(&d.vmm, 0, &base));
	EXPECT_EQ(base, 1);
	/* Nothing is taken any more. */
	r = vblk_req(&d, VIRTIO_BLK_T_OUT, 1, 512);
	vblk_submit(&d, 0, r);
	EXPECT(!gring_wait(&d.ring[0], 50));
	EXPECT_EQ(*r->status, 0xaa);
	unlink(d.backing);
	vblk_close(&d);
}

static const struct test tests[] = {
	TEST_ONCE(add_bad_names),
	TEST_ONCE(add_bad_files),
	TEST_ONCE(add_busy_device),
	TEST_ONCE(add_needs_admin),
	TEST_ONCE(open_once),
	TEST_ONCE(what_it_is),
	TEST_ONCE(split_only),
	TEST_ONCE(status_machine),
	TEST_ONCE(ring_checked_at_driver_ok),
	TEST_ONCE(vring_limits),
	TEST_ONCE(config_space),
	TEST_ONCE(cache_before_features),
	TEST_ONCE(maps),
	TEST_ONCE(write_only_open),
	TEST(suspend_and_resume),
	TEST_ONCE(suspend_in_flight),
	TEST_ONCE(refused_resume),
	TEST_ONCE(late_enable),
	TEST_ONCE(classic),
};

int main(int argc, char **argv)
{
	return blk_main(tests, N(tests), argc, argv);
}
