// SPDX-License-Identifier: GPL-2.0
/*
 * blkclass - how long a reader waits beside a bulk writer, on one queue of one
 * disk of vhost_blk.
 *
 *	blkclass BACKING CLASSES READS
 *
 * The reader has one read of 4 KiB under way, the writer 128 writes of 128 KiB
 * each. CLASSES is what their requests' headers say: none (neither has one), rt
 * (the reader is real-time, the writer has none) or idle (the reader has none,
 * the writer is idle). Prints "READS P50 P99 BULK": the reader's latencies, and
 * the time that a write of the writer's took of the whole, in ns.
 */
#include <err.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "test.h"
#include "vblk.h"

#define DEPTH		128
#define RING		512
#define READ_SIZE	4096u
#define WRITE_SIZE	(128u << 10)
#define WAIT_MS		20000
#define IOPRIO(class)	((class) << 13)
#define FEATURES	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | \
		  BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | BIT_ULL(VIRTIO_BLK_F_FLUSH))

static struct vblk d;
static __u64 seed = 1, sectors;

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void submit(struct vreq *r)
{
	__u64 align = r->len / 512;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	r->hdr->sector = (seed >> 16) % (sectors / align) * align;
	*r->status = 0xaa;
	vblk_submit(&d, 0, r);
}

static struct vreq *next_done(void)
{
	struct gring *g = &d.ring[0];
	struct vreq *r;
	__u32 len;

	if (!gring_pending(g) && !gring_wait(g, WAIT_MS))
		errx(1, "no request was completed for %d s", WAIT_MS / 1000);
	if (gring_get(g, &len, (void **)&r) < 0)
		errx(1, "the device did: %s", g->error ? g->error : "nothing");
	if (*r->status)
		errx(1, "status %u", *r->status);
	return r;
}

static int by_value(const void *a, const void *b)
{
	unsigned long long x = *(unsigned long long *)a, y = *(unsigned long long *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned long long *latency, start, begin, writes = 0;
	unsigned int i, reads, done = 0;
	struct vreq *read, *r;

	reads = argc == 4 ? strtoul(argv[3], NULL, 0) : 0;
	if (!reads) {
		fputs("usage: blkclass BACKING none|rt|idle READS\n", stderr);
		return 2;
	}
	latency = calloc(reads, sizeof(*latency));
	if (!latency)
		err(1, "latencies");

	vblk_make(&d, argv[1], 1, 0);
	vblk_open(&d, FEATURES);
	if (gring_alloc(&d.ring[0], &d.vmm, RING, FEATURES, 0))
		errx(1, "ring");
	vblk_start(&d);
	if (vblk_get_config(&d, 0, &sectors, sizeof(sectors)))
		errx(1, "capacity");

	read = vblk_req(&d, VIRTIO_BLK_T_IN, 0, READ_SIZE);
	if (!strcmp(argv[2], "rt"))
		read->hdr->ioprio = IOPRIO(1);
	for (i = 0; i < DEPTH; i++) {
		r = vblk_req(&d, VIRTIO_BLK_T_OUT, 0, WRITE_SIZE);
		if (!strcmp(argv[2], "idle"))
			r->hdr->ioprio = IOPRIO(3);
		submit(r);
	}
	/* All of them once: from then on the backing's queue is as long as it gets. */
	for (i = 0; i < DEPTH; i++)
		submit(next_done());

	start = begin = now();
	submit(read);
	while (done < reads) {
		r = next_done();
		if (r == read) {
			latency[done++] = now() - start;
			start = now();
		} else {
			writes++;
		}
		submit(r);
	}
	begin = now() - begin;
	vblk_close(&d);
	vblk_after(getpid());
	qsort(latency, reads, sizeof(*latency), by_value);
	printf("%u %llu %llu %llu\n", reads, latency[reads / 2],
	       latency[reads - 1 - reads / 100], writes ? begin / writes : 0);
	return 0;
}
