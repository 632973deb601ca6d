// SPDX-License-Identifier: GPL-2.0
/* vhost_blk: requests. */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blk.h"

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

	vblk_null_disk(POLLED, set, N(set));
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

static long long runs(void)
{
	return rejected("runs") + vmm_counter(&d.vmm, 1, "runs");
}

/* Two idle queues of one worker: that the other one polls is no work for either. */
static void poll_two_queues(void)
{
	long long before;
	unsigned int i, q;

	vblk_up(&d, NULL, 2, 0);
	for (q = 0; q < 2; q++)
		OK(vmm_vring_busyloop(&d.vmm, q, 50));
	for (i = 0; i < 100; i++) {
		for (q = 0; q < 2; q++)
			evt_signal(d.ring[q].kick);
		usleep(20);
	}
	/* The last kicks are dealt with when nothing has run for a while. */
	EXPECT(test_until((before = runs(), usleep(200000), runs() == before), 10000));
	EXPECT(before > 0);
	usleep(300000);
	EXPECT_EQ(runs(), before);
	/* Both still find what comes. */
	for (i = 0; i < 20; i++)
		for (q = 0; q < 2; q++) {
			struct vreq *r = vblk_req(&d, VIRTIO_BLK_T_IN, 8 * i, 512);

			vblk_submit(&d, q, r);
			EXPECT_EQ(vblk_wait(&d, q, r), 0);
		}
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


/* ---- what is written stays written ------------------------------------------------- */

/* A disk with a cache of its own, which is to be flushed; and how often it was. */
#define CACHED "cached"

static void cached_disk(void)
{
	static const char *const set[][2] = {
		{ "size", "16" }, { "blocksize", "512" }, { "memory_backed", "1" },
		{ "cache_size", "1" }, { "fua", "0" },
	};

	vblk_null_disk(CACHED, set, N(set));
}

static unsigned long long flushes(void)
{
	FILE *f = fopen("/sys/block/" CACHED "/stat", "re");
	unsigned long long n = 0;
	unsigned int i;

	EXPECT(f);
	for (i = 0; i < 16; i++)
		EXPECT_EQ(fscanf(f, "%llu", &n), 1);
	fclose(f);
	return n;
}

static void write_one(void)
{
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_OUT, 0, 512)), 0);
}

static void flush(void)
{
	unsigned long long before;

	cached_disk();
	vblk_up(&d, "/dev/" CACHED, 1, 0);
	before = flushes();
	write_one();
	EXPECT_EQ(flushes(), before);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_FLUSH, 0, 0)), 0);
	EXPECT_EQ(flushes(), before + 1);
}

/* Written through, as the driver asks for it: each write, until it wants it no more. */
static void write_through(void)
{
	unsigned long long before;
	__u8 wce = 0;

	cached_disk();
	vblk_up(&d, "/dev/" CACHED, 1, 0);
	OK(vblk_set_config(&d, offsetof(struct virtio_blk_config, wce), &wce, 1));
	before = flushes();
	write_one();
	EXPECT_EQ(flushes(), before + 1);
	write_one();
	EXPECT_EQ(flushes(), before + 2);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
	EXPECT_EQ(flushes(), before + 2);
	wce = 1;
	OK(vblk_set_config(&d, offsetof(struct virtio_blk_config, wce), &wce, 1));
	write_one();
	EXPECT_EQ(flushes(), before + 2);
}

/* A driver that cannot flush has all of it written through. */
static void no_flush(void)
{
	unsigned long long before;

	cached_disk();
	vblk_make(&d, "/dev/" CACHED, 1, 0);
	vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1));
	vblk_start(&d);
	before = flushes();
	write_one();
	EXPECT_EQ(flushes(), before + 1);
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
		  rejected("read_us_524288") + rejected("read_us_1048576") +
		  rejected("read_us_more"), 1);
}

static const struct test tests[] = {
	TEST(read_write_file),
	TEST_ONCE(read_write_buffered),
	TEST_ONCE(read_write_ext4),
	TEST(read_write_bdev),
	TEST_ONCE(page_cache),
	TEST_ONCE(read_write_poll),
	TEST_ONCE(poll_many),
	TEST_ONCE(poll_merged),
	TEST(poll_two_queues),
	TEST(many),
	TEST(any_layout),
	TEST_ONCE(unaligned_bdev),
	TEST(indirect),
	TEST_ONCE(get_id),
	TEST_ONCE(discard),
	TEST_ONCE(write_zeroes),
	TEST_ONCE(write_zeroes_append),
	TEST_ONCE(write_zeroes_bdev),
	TEST_ONCE(flush),
	TEST_ONCE(write_through),
	TEST_ONCE(no_flush),
	TEST_ONCE(latencies),
};

int main(int argc, char **argv)
{
	return blk_main(tests, N(tests), argc, argv);
}
