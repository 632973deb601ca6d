// SPDX-License-Identifier: GPL-2.0
/* vhost_blk: disks, the vdpa dialect, requests good and bad. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "vblk.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define OK_STATUS (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
		   VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)

static struct vblk d;

static void fill(void *buf, __u32 len, unsigned int seed)
{
	unsigned char *p = buf;

	while (len--) {
		seed = seed * 1103515245 + 12345;
		*p++ = seed >> 16;
	}
}

static long long rejected(const char *name)
{
	return vmm_counter(&d.vmm, 0, name);
}

/* ---- disks ------------------------------------------------------------------------ */

/* A null_blk disk of its own: pairs of a setting and its value, as configfs has them. */
#define NULL_CONF "/sys/kernel/config/nullb/"

static void null_disk(const char *name, const char *const set[][2], unsigned int n)
{
	char dir[64], path[128];
	unsigned int i;

	if (access(NULL_CONF "features", F_OK))
		mount("configfs", "/sys/kernel/config", "configfs", 0, NULL);
	if (access(NULL_CONF "features", F_OK))
		test_skip("no null_blk in configfs");
	snprintf(dir, sizeof(dir), NULL_CONF "%s", name);
	if (mkdir(dir, 0755)) {
		EXPECT_EQ(errno, EEXIST);
		return;
	}
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, set[i][0]);
		EXPECT_EQ(test_write_file(path, set[i][1]), 0);
	}
	snprintf(path, sizeof(path), "%s/power", dir);
	EXPECT_EQ(test_write_file(path, "1"), 0);
}

/* A disk that takes 100 ms for whatever it is. */
#define SLOW "slow"

static void slow_disk(void)
{
	static const char *const set[][2] = {
		{ "size", "64" }, { "blocksize", "512" }, { "irqmode", "2" },
		{ "completion_nsec", "100000000" },
	};

	null_disk(SLOW, set, N(set));
}

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

/* ---- requests --------------------------------------------------------------------- */

static void round_trip(const char *path, unsigned int flags)
{
	static const __u32 sizes[] = { 512, 4096, 12288, 65536, 1 << 20 };
	struct vreq *w, *r;
	unsigned int i;
	char *buf = malloc(1 << 20);

	vblk_up(&d, path, 1, flags);
	for (i = 0; i < N(sizes); i++) {
		w = vblk_req(&d, VIRTIO_BLK_T_OUT, 8 * i + 1, sizes[i]);
		r = vblk_req(&d, VIRTIO_BLK_T_IN, 8 * i + 1, sizes[i]);
		fill(w->data, sizes[i], i);
		EXPECT_EQ(vblk_do(&d, w), 0);
		EXPECT_EQ(w->used, 1);
		EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_FLUSH, 0, 0)), 0);
		EXPECT_EQ(vblk_do(&d, r), 0);
		EXPECT_EQ(r->used, sizes[i] + 1);
		EXPECT(!memcmp(r->data, w->data, sizes[i]));
		vblk_peek(&d, 8 * i + 1, buf, sizes[i]);
		EXPECT(!memcmp(buf, w->data, sizes[i]));
	}
	EXPECT_EQ(rejected("errors"), 0);
}

static void read_write_file(void) { round_trip(NULL, 0); }
static void read_write_buffered(void) { round_trip(NULL, VHOST_BLK_F_BUFFERED); }

/* A file system that cannot write to its cache without waiting. */
static void read_write_ext4(void)
{
	char dir[] = "/tmp/blk-XXXXXX", img[32], path[32], cmd[256];
	int fd;

	EXPECT(mkdtemp(dir));
	snprintf(img, sizeof(img), "%s.img", dir);
	snprintf(path, sizeof(path), "%s/disk", dir);
	snprintf(cmd, sizeof(cmd), "truncate -s 64M %s && mkfs.ext4 -q %s && mount -o loop %s %s",
		 img, img, img, dir);
	if (system(cmd)) {
		rmdir(dir);
		unlink(img);
		test_skip("no ext4, or no loop device");
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT(fd >= 0 && !ftruncate(fd, (off_t)VBLK_SECTORS * 512));
	close(fd);
	round_trip(path, VHOST_BLK_F_BUFFERED);
	EXPECT_EQ(umount2(dir, MNT_DETACH), 0);
	EXPECT_EQ(rmdir(dir), 0);
	EXPECT_EQ(unlink(img), 0);
}

static void read_write_bdev(void)
{
	if (access("/dev/ram0", F_OK))
		test_skip("no /dev/ram0 (brd)");
	round_trip("/dev/ram0", 0);
}

/* What the host wrote reaches the guest, and what the guest wrote the host, whatever is cached. */
static void page_cache(void)
{
	static char host[65536], guest[65536], now[65536];
	int fd = open("/dev/ram0", O_RDWR | O_CLOEXEC);
	struct vreq *r;

	if (fd < 0)
		test_skip("no /dev/ram0 (brd)");
	fill(host, sizeof(host), getpid());
	EXPECT_EQ(pwrite(fd, host, sizeof(host), 0), sizeof(host));
	vblk_up(&d, "/dev/ram0", 1, 0);
	r = vblk_req(&d, VIRTIO_BLK_T_IN, 0, sizeof(host));
	EXPECT_EQ(vblk_do(&d, r), 0);
	EXPECT(!memcmp(r->data, host, sizeof(host)));
	r = vblk_req(&d, VIRTIO_BLK_T_OUT, 0, sizeof(host));
	fill(guest, sizeof(guest), getpid() + 1);
	memcpy(r->data, guest, sizeof(guest));
	EXPECT_EQ(vblk_do(&d, r), 0);
	vblk_close(&d);
	OK(vblk_del(d.name));
	EXPECT_EQ(pread(fd, now, sizeof(now), 0), sizeof(now));
	EXPECT(!memcmp(guest, now, sizeof(now)));
	close(fd);
}

/* A disk that answers to polls only, and has few tags. */
#define POLLED "polled"

static void polled_disk(void)
{
	static const char *const set[][2] = {
		{ "size", "64" }, { "blocksize", "512" }, { "memory_backed", "1" },
		{ "hw_queue_depth", "8" }, { "poll_queues", "1" },
	};

	null_disk(POLLED, set, N(set));
}

static void read_write_poll(void)
{
	polled_disk();
	round_trip("/dev/" POLLED, VHOST_BLK_F_POLL);
}

/* More requests than tags, of all classes: also those that waited are polled for. */
static void poll_many(void)
{
	struct vreq *r[20];
	unsigned int i, round;

	polled_disk();
	vblk_up(&d, "/dev/" POLLED, 1, VHOST_BLK_F_POLL);
	for (i = 0; i < N(r); i++) {
		r[i] = vblk_req(&d, i & 4 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 128 * i, 65536);
		r[i]->hdr->ioprio = (1 + i % 3) << 13;
	}
	for (round = 0; round < 20; round++) {
		for (i = 0; i < N(r); i++) {
			r[i]->done = false;
			*r[i]->status = 0xaa;
			vblk_submit(&d, 0, r[i]);
		}
		for (i = 0; i < N(r); i++)
			EXPECT_EQ(vblk_wait(&d, 0, r[i]), 0);
	}
	EXPECT(rejected("held") > 0);
}

/*
 * From the last sector to the first: the block layer makes one request of them,
 * and only the bio that is then its first can be polled for.
 */
static void poll_merged(void)
{
	struct vreq *r[8];
	unsigned int i;

	polled_disk();
	vblk_make(&d, "/dev/" POLLED, 2, VHOST_BLK_F_POLL);
	vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_BLK_F_MQ));
	vblk_start(&d);
	/* A queue that is off finds all of them at once when it is on. */
	OK(vblk_enable(&d, 1, 0));
	for (i = 0; i < N(r); i++) {
		r[i] = vblk_req(&d, VIRTIO_BLK_T_IN, 8 * (N(r) - i), 4096);
		vblk_submit(&d, 1, r[i]);
	}
	OK(vblk_enable(&d, 1, 1));
	for (i = 0; i < N(r); i++)
		EXPECT_EQ(vblk_wait(&d, 1, r[i]), 0);
}

/* As many at a time as the ring holds, on all queues. */
static void many(void)
{
	struct vreq *r[VBLK_QUEUES][VBLK_RING / 4];
	unsigned int i, q, round;

	vblk_up(&d, NULL, VBLK_QUEUES, VHOST_BLK_F_WORKER_PER_QUEUE);
	for (q = 0; q < VBLK_QUEUES; q++) {
		for (i = 0; i < N(r[q]); i++)
			r[q][i] = vblk_req(&d, VIRTIO_BLK_T_OUT, 64 * (q * N(r[q]) + i), 8192);
	}
	for (round = 0; round < 20; round++) {
		for (i = 0; i < N(r[0]); i++) {
			for (q = 0; q < VBLK_QUEUES; q++) {
				r[q][i]->done = false;
				*r[q][i]->status = 0xaa;
				vblk_submit(&d, q, r[q][i]);
			}
		}
		for (i = 0; i < N(r[0]); i++) {
			for (q = 0; q < VBLK_QUEUES; q++)
				EXPECT_EQ(vblk_wait(&d, q, r[q][i]), 0);
		}
	}
}

/* Header, data and status in any pieces: the device must not care. */
static void any_layout(void)
{
	struct vreq *w = NULL, *r = NULL;
	struct gseg seg[64];
	unsigned int i, n = 0, out;

	vblk_up(&d, NULL, 1, 0);
	w = vblk_req(&d, VIRTIO_BLK_T_OUT, 7, 1024);
	fill(w->data, 1024, 99);
	/* 16 bytes of header one by one, then the data in odd pieces. */
	for (i = 0; i < 16; i++)
		seg[n++] = (struct gseg){ vmm_addr(&d.vmm, w->hdr) + i, 1 };
	for (i = 0; i < 1024; i += seg[n++].len)
		seg[n] = (struct gseg){ vmm_addr(&d.vmm, w->data) + i, i + 37 > 1024 ? 1024 - i : 37 };
	out = n;
	seg[n++] = (struct gseg){ vmm_addr(&d.vmm, w->status), 1 };
	EXPECT(gring_add(&d.ring[0], seg, out, 1, w) >= 0);
	gring_kick(&d.ring[0]);
	EXPECT_EQ(vblk_wait(&d, 0, w), 0);

	/* Data and status in one piece. */
	r = vblk_req(&d, VIRTIO_BLK_T_IN, 7, 1025);
	seg[0] = (struct gseg){ vmm_addr(&d.vmm, r->hdr), 16 };
	seg[1] = (struct gseg){ vmm_addr(&d.vmm, r->data), 1025 };
	r->data[1024] = 0xaa;
	EXPECT(gring_add(&d.ring[0], seg, 1, 1, r) >= 0);
	gring_kick(&d.ring[0]);
	vblk_wait(&d, 0, r);
	EXPECT_EQ(r->data[1024], 0);
	EXPECT(!memcmp(r->data, w->data, 1024));
	EXPECT_EQ(rejected("bounced") > 0 || rejected("punted") > 0, 1);
}

/* Header and data to write in one piece, on a device that wants alignment. */
static void unaligned_bdev(void)
{
	struct vreq *w, *r;
	struct gseg seg[3];

	if (access("/dev/ram0", F_OK))
		test_skip("no /dev/ram0 (brd)");
	vblk_up(&d, "/dev/ram0", 1, 0);
	w = vblk_req(&d, VIRTIO_BLK_T_OUT, 3, 8192);
	fill(w->data, 8192, 5);
	memcpy(w->data, w->hdr, 16);
	seg[0] = (struct gseg){ vmm_addr(&d.vmm, w->data), 16 + 4096 };
	seg[1] = (struct gseg){ vmm_addr(&d.vmm, w->status), 1 };
	EXPECT(gring_add(&d.ring[0], seg, 1, 1, w) >= 0);
	gring_kick(&d.ring[0]);
	EXPECT_EQ(vblk_wait(&d, 0, w), 0);
	r = vblk_req(&d, VIRTIO_BLK_T_IN, 3, 8192);
	seg[0] = (struct gseg){ vmm_addr(&d.vmm, r->hdr), 16 };
	seg[1] = (struct gseg){ vmm_addr(&d.vmm, r->data) + 3, 4096 };
	seg[2] = (struct gseg){ vmm_addr(&d.vmm, r->status), 1 };
	EXPECT(gring_add(&d.ring[0], seg, 1, 2, r) >= 0);
	gring_kick(&d.ring[0]);
	EXPECT_EQ(vblk_wait(&d, 0, r), 0);
	EXPECT(!memcmp(r->data + 3, w->data + 16, 4096));
	EXPECT_EQ(rejected("bounced"), 2);
}

static void indirect(void)
{
	struct vreq *r;
	struct gseg seg[3];

	vblk_up(&d, NULL, 1, 0);
	r = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 4096);
	seg[0] = (struct gseg){ vmm_addr(&d.vmm, r->hdr), 16 };
	seg[1] = (struct gseg){ vmm_addr(&d.vmm, r->data), 4096 };
	seg[2] = (struct gseg){ vmm_addr(&d.vmm, r->status), 1 };
	EXPECT(gring_add_indirect(&d.ring[0], seg, 1, 2, r) >= 0);
	gring_kick(&d.ring[0]);
	EXPECT_EQ(vblk_wait(&d, 0, r), 0);
	EXPECT_EQ(r->used, 4097);
}

static void get_id(void)
{
	struct vreq *r;

	vblk_up(&d, NULL, 1, 0);
	r = vblk_req(&d, VIRTIO_BLK_T_GET_ID, 0, 20);
	EXPECT_EQ(vblk_do(&d, r), 0);
	EXPECT(!memcmp(r->data, "serial-0123456789abc", 20));
	r = vblk_req(&d, VIRTIO_BLK_T_GET_ID, 0, 8);
	EXPECT_EQ(vblk_do(&d, r), 0);
	EXPECT(!memcmp(r->data, "serial-0\0\0", 10));
}

static void ranges(__u32 type, __u32 flags, bool zeroes)
{
	struct virtio_blk_discard_write_zeroes *range;
	static char buf[8192], old[8192];
	struct vreq *r;

	fill(old, sizeof(old), 1);
	vblk_poke(&d, 0, old, sizeof(old));
	r = vblk_req(&d, type, 0, 2 * sizeof(*range));
	range = (void *)r->data;
	range[0] = (struct virtio_blk_discard_write_zeroes){ .sector = 0, .num_sectors = 8, .flags = flags };
	range[1] = (struct virtio_blk_discard_write_zeroes){ .sector = 8, .num_sectors = 1, .flags = flags };
	EXPECT_EQ(vblk_do(&d, r), 0);
	vblk_peek(&d, 0, buf, sizeof(buf));
	if (zeroes) {
		EXPECT_EQ(buf[0] | buf[4095] | buf[4096] | buf[4607], 0);
		EXPECT(!memcmp(buf + 4608, old + 4608, sizeof(old) - 4608));
	}
}

static void discard(void)
{
	vblk_up(&d, NULL, 1, 0);
	/* A file has a hole there. */
	ranges(VIRTIO_BLK_T_DISCARD, 0, true);
}

static void write_zeroes(void)
{
	vblk_up(&d, NULL, 1, 0);
	ranges(VIRTIO_BLK_T_WRITE_ZEROES, 0, true);
	ranges(VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP, true);
}

/* Where the opener of the file would have written is not where the guest wants it. */
static void write_zeroes_append(void)
{
	struct stat st;

	vblk_open_flags = O_APPEND;
	vblk_up(&d, NULL, 1, 0);
	ranges(VIRTIO_BLK_T_WRITE_ZEROES, 0, true);
	EXPECT_EQ(stat(d.backing, &st), 0);
	EXPECT_EQ(st.st_size, (off_t)VBLK_SECTORS * 512);
}

static void write_zeroes_bdev(void)
{
	if (access("/dev/ram0", F_OK))
		test_skip("no /dev/ram0 (brd)");
	vblk_up(&d, "/dev/ram0", 1, 0);
	ranges(VIRTIO_BLK_T_WRITE_ZEROES, 0, true);
}

/* Classes in the request header: all are served, in whatever order. */
static void classes(void)
{
	struct vreq *r[48];
	unsigned int i;

	vblk_up(&d, NULL, 1, 0);
	for (i = 0; i < 20; i++) {
		r[i] = vblk_req(&d, i & 4 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 256 * i, 131072);
		r[i]->hdr->ioprio = (1 + i % 3) << 13;
		vblk_submit(&d, 0, r[i]);
	}
	for (i = 0; i < 20; i++)
		EXPECT_EQ(vblk_wait(&d, 0, r[i]), 0);
	EXPECT(rejected("held") > 0);
}

/* One of @n reads in turn is waited for, and made again. */
static void read_on(struct vreq **read, unsigned int n, unsigned int turn)
{
	struct vreq *r = read[turn % n];

	EXPECT_EQ(vblk_wait(&d, 0, r), 0);
	r->done = false;
	vblk_submit(&d, 0, r);
}

/*
 * Reads that never pause, more than the budget of the class below them; an idle
 * write, and behind it a flush that is not idle: both are done while the reads
 * go on.
 */
static void idle_write_beside_reads(void)
{
	struct vreq *read[16], *write, *flush;
	unsigned int i;

	slow_disk();
	vblk_up(&d, "/dev/" SLOW, 1, 0);
	/* From the first one on that has a class they are all scheduled. */
	read[0] = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512);
	read[0]->hdr->ioprio = 3 << 13;
	EXPECT_EQ(vblk_do(&d, read[0]), 0);
	for (i = 0; i < N(read); i++) {
		read[i] = vblk_req(&d, VIRTIO_BLK_T_IN, 128 * i, 65536);
		vblk_submit(&d, 0, read[i]);
		/* So that they are not done at the same time. */
		usleep(5000);
	}
	write = vblk_req(&d, VIRTIO_BLK_T_OUT, 0, 4096);
	write->hdr->ioprio = 3 << 13;
	flush = vblk_req(&d, VIRTIO_BLK_T_FLUSH, 0, 0);
	vblk_submit(&d, 0, write);
	vblk_submit(&d, 0, flush);
	for (i = 0; i < 5 * N(read); i++)
		read_on(read, N(read), i);
	EXPECT(write->done);
	EXPECT(flush->done);
	for (i = 0; i < N(read); i++)
		EXPECT_EQ(vblk_wait(&d, 0, read[i]), 0);
}

/*
 * Small reads of one queue, always some under way, and a large one of another queue
 * that the budget has no room for beside them, while a higher class is active.
 */
static void large_beside_small(void)
{
	struct vreq *read[9], *large;
	long long begin;
	unsigned int i;

	slow_disk();
	vblk_up(&d, "/dev/" SLOW, 2, VHOST_BLK_F_WORKER_PER_QUEUE);
	for (i = 0; i < N(read); i++) {
		read[i] = vblk_req(&d, VIRTIO_BLK_T_IN, 8 * i, 4096);
		read[i]->hdr->ioprio = (i ? 2 : 1) << 13;
		vblk_submit(&d, 0, read[i]);
		usleep(10000);
	}
	large = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 20 << 20);
	vblk_submit(&d, 1, large);
	begin = test_now();
	for (i = 0; !gring_pending(&d.ring[1]); i++) {
		read_on(read, N(read), i);
		EXPECT(test_now() - begin < 10000);
	}
	EXPECT_EQ(vblk_wait(&d, 1, large), 0);
	EXPECT(vmm_counter(&d.vmm, 1, "held") > 0);
	for (i = 0; i < N(read); i++)
		EXPECT_EQ(vblk_wait(&d, 0, read[i]), 0);
}

/*
 * Two queues that share the budget of the lower class: whoever waits goes on
 * when the other one leaves room, also when it has nothing under way itself.
 */
static void classes_on_two_queues(void)
{
	struct vreq *r[2][12], *rt;
	unsigned int i, q;

	vblk_up(&d, NULL, 2, VHOST_BLK_F_WORKER_PER_QUEUE);
	rt = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512);
	rt->hdr->ioprio = 1 << 13;
	EXPECT_EQ(vblk_do(&d, rt), 0);
	for (i = 0; i < N(r[0]); i++) {
		for (q = 0; q < 2; q++) {
			r[q][i] = vblk_req(&d, VIRTIO_BLK_T_OUT, 512 * i, 262144);
			vblk_submit(&d, q, r[q][i]);
		}
	}
	for (i = 0; i < N(r[0]); i++) {
		for (q = 0; q < 2; q++)
			EXPECT_EQ(vblk_wait(&d, q, r[q][i]), 0);
	}
	EXPECT(rejected("held") > 0);
}

/* Reset and closed while requests wait for their turn: nothing hangs. */
static void reset_with_held(void)
{
	unsigned int i;
	struct vreq *r;

	slow_disk();
	vblk_up(&d, "/dev/" SLOW, 1, 0);
	for (i = 0; i < 16; i++) {
		r = vblk_req(&d, VIRTIO_BLK_T_OUT, 512 * i, 262144);
		r->hdr->ioprio = (i ? 3 : 1) << 13;
		vblk_submit(&d, 0, r);
	}
	EXPECT(test_until(rejected("held") > 0, 10000));
	EXPECT(!r->done);
	OK(vblk_status(&d, 0));
	OK(vblk_status(&d, 3));
}

/* ---- seeing --------------------------------------------------------------------------- */

/* All of a histogram. */
static long long timed(const char *type)
{
	long long n = 0;
	char name[32];
	unsigned int us;

	for (us = 1; us <= 1 << 20; us *= 2) {
		snprintf(name, sizeof(name), "%s_us_%u", type, us);
		n += vmm_counter(&d.vmm, 0, name);
	}
	snprintf(name, sizeof(name), "%s_us_more", type);
	return n + vmm_counter(&d.vmm, 0, name);
}

/* Each request is in its histogram, once. */
static void latencies(void)
{
	unsigned int i;

	vblk_up(&d, NULL, 1, 0);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 8 * i, 4096)), 0);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_OUT, 8 * i, 4096)), 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_FLUSH, 0, 0)), 0);
	EXPECT_EQ(timed("read"), 5);
	EXPECT_EQ(timed("write"), 3);
	EXPECT_EQ(timed("flush"), 1);
	vblk_close(&d);
	OK(vblk_del(d.name));

	/* One of 100 ms is where those of 65 to 131 ms are, or later on a slow machine. */
	slow_disk();
	vblk_up(&d, "/dev/" SLOW, 1, 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 4096)), 0);
	EXPECT_EQ(rejected("read_us_131072") + rejected("read_us_262144") +
		  rejected("read_us_524288") + rejected("read_us_1048576"), 1);
}

/* ---- bad requests ------------------------------------------------------------------- */

static void blk_no_status(void)
{
	struct vreq *r;
	struct gseg seg;

	vblk_up(&d, NULL, 1, 0);
	r = vblk_req(&d, VIRTIO_BLK_T_FLUSH, 0, 0);
	seg = (struct gseg){ vmm_addr(&d.vmm, r->hdr), 16 };
	EXPECT(gring_add(&d.ring[0], &seg, 1, 0, r) >= 0);
	gring_kick(&d.ring[0]);
	EXPECT_EQ(vblk_wait(&d, 0, r), 0xaa);
	EXPECT_EQ(r->used, 0);
	EXPECT_EQ(rejected("blk_no_status"), 1);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
}

static void blk_short(void)
{
	struct gseg seg[2];
	struct vreq *r;

	vblk_up(&d, NULL, 1, 0);
	r = vblk_req(&d, VIRTIO_BLK_T_FLUSH, 0, 0);
	seg[0] = (struct gseg){ vmm_addr(&d.vmm, r->hdr), 15 };
	seg[1] = (struct gseg){ vmm_addr(&d.vmm, r->status), 1 };
	EXPECT(gring_add(&d.ring[0], seg, 1, 1, r) >= 0);
	gring_kick(&d.ring[0]);
	EXPECT_EQ(vblk_wait(&d, 0, r), VIRTIO_BLK_S_IOERR);
	/* Nothing to read at all. */
	r = vblk_req(&d, VIRTIO_BLK_T_FLUSH, 0, 0);
	seg[1] = (struct gseg){ vmm_addr(&d.vmm, r->status), 1 };
	EXPECT(gring_add(&d.ring[0], seg + 1, 0, 1, r) >= 0);
	gring_kick(&d.ring[0]);
	EXPECT_EQ(vblk_wait(&d, 0, r), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(rejected("blk_short"), 2);
}

static void blk_length(void)
{
	vblk_up(&d, NULL, 1, 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 511)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_OUT, 0, 513)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 0)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(rejected("blk_length"), 3);
}

static void blk_sector(void)
{
	static const __u64 bad[] = { VBLK_SECTORS, VBLK_SECTORS - 1, ~0ull, 1ull << 55, ~0ull - 1 };
	unsigned int i;

	vblk_up(&d, NULL, 1, 0);
	for (i = 0; i < N(bad); i++)
		EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, bad[i], 1024)),
			  VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(rejected("blk_sector"), N(bad));
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, VBLK_SECTORS - 2, 1024)), 0);
}

static void blk_read_only(void)
{
	vblk_up(&d, NULL, 1, VHOST_BLK_F_RDONLY);
	EXPECT(d.features & BIT_ULL(VIRTIO_BLK_F_RO));
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_OUT, 0, 512)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
	EXPECT_EQ(rejected("blk_read_only"), 1);
}

static void blk_type(void)
{
	static const __u32 bad[] = { 2, 3, 5, 15, 16, 27, 0x80000000, ~0u };
	unsigned int i;

	vblk_up(&d, NULL, 1, 0);
	for (i = 0; i < N(bad); i++)
		EXPECT_EQ(vblk_do(&d, vblk_req(&d, bad[i], 0, 0)), VIRTIO_BLK_S_UNSUPP);
	/* A file has no secure erase. */
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_SECURE_ERASE, 0, 16)),
		  VIRTIO_BLK_S_UNSUPP);
	EXPECT_EQ(rejected("blk_type"), N(bad) + 1);
}

static void blk_ranges(void)
{
	struct virtio_blk_discard_write_zeroes *range;
	struct vreq *r;

	vblk_up(&d, NULL, 1, 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_DISCARD, 0, 0)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_DISCARD, 0, 15)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_DISCARD, 0, 17 * 16)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(rejected("blk_ranges"), 3);
	r = vblk_req(&d, VIRTIO_BLK_T_DISCARD, 0, 16);
	range = (void *)r->data;
	range->num_sectors = 8;
	range->flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	EXPECT_EQ(vblk_do(&d, r), VIRTIO_BLK_S_UNSUPP);
	EXPECT_EQ(rejected("blk_ranges"), 4);
	r = vblk_req(&d, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16);
	range = (void *)r->data;
	range->num_sectors = 1 + (1 << 18);
	EXPECT_EQ(vblk_do(&d, r), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(rejected("blk_ranges"), 5);
	r = vblk_req(&d, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16);
	range = (void *)r->data;
	range->sector = VBLK_SECTORS - 1;
	range->num_sectors = 2;
	EXPECT_EQ(vblk_do(&d, r), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(rejected("blk_sector"), 1);
}

/* Memory that is mapped, but not there. */
static void blk_fault(void)
{
	struct vreq *r;
	size_t page = 4096;

	vblk_up(&d, NULL, 1, 0);
	r = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 2 * page);
	EXPECT_EQ(munmap(r->data + page, page), 0);
	EXPECT_EQ(vblk_do(&d, r), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(rejected("blk_fault"), 1);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
}

static void addr_unmapped(void)
{
	struct vreq *r;
	struct gseg seg[3];

	vblk_up(&d, NULL, 1, 0);
	r = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512);
	seg[0] = (struct gseg){ vmm_addr(&d.vmm, r->hdr), 16 };
	seg[1] = (struct gseg){ 0x1000, 512 };
	seg[2] = (struct gseg){ vmm_addr(&d.vmm, r->status), 1 };
	EXPECT(gring_add(&d.ring[0], seg, 1, 2, r) >= 0);
	gring_kick(&d.ring[0]);
	EXPECT(evt_wait(d.ring[0].err, 10000) > 0);
	EXPECT_EQ(rejected("addr_unmapped"), 1);
	EXPECT(vblk_get_status(&d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	/* A pause does not mend it. */
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_SUSPEND, NULL));
	EXPECT(vblk_get_status(&d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_RESUME, NULL));
	EXPECT(vblk_get_status(&d) & VIRTIO_CONFIG_S_NEEDS_RESET);
	OK(vblk_status(&d, 0));
	EXPECT_EQ(vblk_get_status(&d), 0);
}

/* ---- backings that fail ---------------------------------------------------------------- */

static void truncated_file(void)
{
	vblk_up(&d, NULL, 1, 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 100, 4096)), 0);
	EXPECT_EQ(truncate(d.backing, 512), 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 100, 4096)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(rejected("blk_sector"), 1);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
}

/* The guest is told of a new size, and may use it. */
static void resized_file(void)
{
	int call = evt_new();
	__u64 capacity;

	vblk_up(&d, NULL, 1, 0);
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_SET_CONFIG_CALL, &call));
	EXPECT_EQ(truncate(d.backing, 2 * 512ull * VBLK_SECTORS), 0);
	EXPECT(evt_wait(call, 10000) > 0);
	OK(vblk_get_config(&d, 0, &capacity, sizeof(capacity)));
	EXPECT_EQ(capacity, 2 * VBLK_SECTORS);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, VBLK_SECTORS, 4096)), 0);
}

/* Killed with requests under way, again and again. */
static void killed_under_load(void)
{
	unsigned int i, round;
	int status;

	for (round = 0; round < 10; round++) {
		int pid, fds[2];
		char c;

		EXPECT_EQ(pipe(fds), 0);
		pid = fork();
		if (!pid) {
			char name[] = "killed";

			snprintf(d.name, sizeof(d.name), "%s", name);
			vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1));
			d.queues = 1;
			vblk_start(&d);
			for (i = 0;; i++) {
				struct vreq *r = vblk_req(&d, i & 1 ? VIRTIO_BLK_T_IN :
							  VIRTIO_BLK_T_OUT, i % 128, 8192);

				vblk_submit(&d, 0, r);
				if (i == 16 && write(fds[1], "", 1) != 1)
					_exit(1);
				if (i >= 16)
					vblk_wait(&d, 0, r);
				if (i > 2000)
					pause();
			}
		}
		EXPECT_EQ(read(fds[0], &c, 1), 1);
		kill(pid, SIGKILL);
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		close(fds[0]);
		close(fds[1]);
	}
}

static void vmm_killed(void)
{
	char path[] = "/tmp/blk-XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	EXPECT_EQ(ftruncate(fd, (off_t)VBLK_SECTORS * 512), 0);
	OK(vblk_add("killed", fd, 1, 0));
	close(fd);
	killed_under_load();
	OK(vblk_del("killed"));
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
	TEST_ONCE(status_machine),
	TEST_ONCE(ring_checked_at_driver_ok),
	TEST_ONCE(vring_limits),
	TEST_ONCE(config_space),
	TEST_ONCE(maps),
	TEST_ONCE(write_only_open),
	TEST(suspend_and_resume),
	TEST_ONCE(suspend_in_flight),
	TEST_ONCE(late_enable),
	TEST(read_write_file),
	TEST_ONCE(read_write_buffered),
	TEST_ONCE(read_write_ext4),
	TEST(read_write_bdev),
	TEST_ONCE(page_cache),
	TEST_ONCE(read_write_poll),
	TEST_ONCE(poll_many),
	TEST_ONCE(poll_merged),
	TEST(many),
	TEST(any_layout),
	TEST_ONCE(unaligned_bdev),
	TEST(indirect),
	TEST_ONCE(get_id),
	TEST_ONCE(discard),
	TEST_ONCE(write_zeroes),
	TEST_ONCE(write_zeroes_append),
	TEST_ONCE(write_zeroes_bdev),
	TEST_ONCE(classes),
	TEST_ONCE(idle_write_beside_reads),
	TEST_ONCE(large_beside_small),
	TEST_ONCE(classes_on_two_queues),
	TEST_ONCE(reset_with_held),
	TEST_ONCE(latencies),
	TEST_ONCE(blk_no_status),
	TEST_ONCE(blk_short),
	TEST_ONCE(blk_length),
	TEST_ONCE(blk_sector),
	TEST_ONCE(blk_read_only),
	TEST_ONCE(blk_type),
	TEST_ONCE(blk_ranges),
	TEST_ONCE(blk_fault),
	TEST(addr_unmapped),
	TEST_ONCE(truncated_file),
	TEST_ONCE(resized_file),
	TEST(vmm_killed),
	TEST_ONCE(classic),
};

int main(int argc, char **argv)
{
	test_after = vblk_after;
	return test_main(tests, N(tests), argc, argv);
}
