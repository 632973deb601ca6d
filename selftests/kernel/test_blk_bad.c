// SPDX-License-Identifier: GPL-2.0
/* vhost_blk: bad requests, and backings and VMMs that fail. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blk.h"

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

/* A head again and again, without waiting for it: there are no more than a ring has. */
static void reused_head(void)
{
	struct gring *g = &d.ring[0];
	struct vreq *r;
	unsigned int i;

	slowest_disk();
	vblk_up(&d, "/dev/" SLOWEST, 1, 0);
	r = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512);
	vblk_submit(&d, 0, r);
	for (i = 1; i < g->num; i++)
		g->avail->ring[i] = g->avail->ring[0];
	g->avail->idx = g->num;
	evt_signal(g->kick);
	EXPECT(test_until(vmm_counter(&d.vmm, 0, "in_flight") == g->num, 10000));
	g->avail->idx += g->num;
	evt_signal(g->kick);
	EXPECT(evt_wait(g->err, 10000) > 0);
	EXPECT(vmm_counter(&d.vmm, 0, "in_flight") <= g->num);
	EXPECT_EQ(rejected("avail_idx"), 1);
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

/* Pages of user space that somebody in the kernel holds. */
static long long pinned(void)
{
	long long acquired = -1, released = -1, n;
	char name[64];
	FILE *f;

	/* Each CPU has counted for itself. */
	EXPECT_EQ(test_write_file("/proc/sys/vm/stat_refresh", "1"), 0);
	f = fopen("/proc/vmstat", "re");
	EXPECT(f);
	while (fscanf(f, "%63s %lld", name, &n) == 2) {
		if (!strcmp(name, "nr_foll_pin_acquired"))
			acquired = n;
		if (!strcmp(name, "nr_foll_pin_released"))
			released = n;
	}
	fclose(f);
	EXPECT(acquired >= 0 && released >= 0);
	return acquired - released;
}

/* Killed while a disk still writes to its pages: its exit waits for that. */
static void killed_with_bios(void)
{
	long long before = pinned();
	int pid, fds[2], status;
	unsigned int i;
	char c;

	slowest_disk();
	vblk_make(&d, "/dev/" SLOWEST, 1, 0);
	EXPECT_EQ(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1));
		vblk_start(&d);
		for (i = 0; i < 16; i++)
			vblk_submit(&d, 0, vblk_req(&d, VIRTIO_BLK_T_IN, 8 * i, 4096));
		if (!test_until(vmm_counter(&d.vmm, 0, "last_avail") == 16, 10000) ||
		    pinned() < before + 16 || write(fds[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	close(fds[1]);
	EXPECT_EQ(read(fds[0], &c, 1), 1);
	kill(pid, SIGKILL);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(pinned(), before);
	close(fds[0]);
}

static unsigned long long writes_done(void)
{
	unsigned long long n[5] = {};
	FILE *f = fopen("/sys/block/" SLOWEST "/stat", "re");

	EXPECT(f);
	EXPECT_EQ(fscanf(f, "%llu %llu %llu %llu %llu", n, n + 1, n + 2, n + 3, n + 4), 5);
	fclose(f);
	return n[4];
}

/* A reset waits for what the disk does, not for what is yet to begin. */
static void reset_with_zeroes(void)
{
	const unsigned int ranges = 16;
	struct virtio_blk_discard_write_zeroes *range;
	unsigned long long before;
	unsigned int i, j;

	slowest_disk();
	vblk_up(&d, "/dev/" SLOWEST, 1, 0);
	before = writes_done();
	for (i = 0; i < 20; i++) {
		struct vreq *r = vblk_req(&d, VIRTIO_BLK_T_WRITE_ZEROES, 0, ranges * sizeof(*range));

		range = (void *)r->data;
		for (j = 0; j < ranges; j++) {
			range[j].sector = 8 * (ranges * i + j);
			range[j].num_sectors = 8;
		}
		vblk_submit(&d, 0, r);
	}
	EXPECT(test_until(writes_done() > before, 10000));
	OK(vblk_status(&d, 0));
	EXPECT(writes_done() - before < 20 * ranges / 2);
}

/* The device goes while it is a disk. */
static void unplugged(void)
{
	static const char *const set[][2] = {
		{ "size", "16" }, { "memory_backed", "1" }, { "cache_size", "1" },
	};

	vblk_null_disk("unplug", set, N(set));
	vblk_up(&d, "/dev/unplug", 1, 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_OUT, 0, 4096)), 0);
	EXPECT_EQ(test_write_file("/sys/kernel/config/nullb/unplug/power", "0"), 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_OUT, 0, 4096)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 4096)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_FLUSH, 0, 0)), VIRTIO_BLK_S_IOERR);
	EXPECT_EQ(vblk_get_status(&d) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	EXPECT_EQ(rmdir("/sys/kernel/config/nullb/unplug"), 0);
}

static const struct test tests[] = {
	TEST_ONCE(blk_no_status),
	TEST_ONCE(blk_short),
	TEST_ONCE(blk_length),
	TEST_ONCE(blk_sector),
	TEST_ONCE(blk_read_only),
	TEST_ONCE(blk_type),
	TEST_ONCE(blk_ranges),
	TEST_ONCE(blk_fault),
	TEST(addr_unmapped),
	TEST_ONCE(reused_head),
	TEST_ONCE(truncated_file),
	TEST_ONCE(resized_file),
	TEST(vmm_killed),
	TEST_ONCE(killed_with_bios),
	TEST_ONCE(reset_with_zeroes),
	TEST_ONCE(unplugged),
};

int main(int argc, char **argv)
{
	return blk_main(tests, N(tests), argc, argv);
}
