// SPDX-License-Identifier: GPL-2.0
/* vhost_blk: classes of requests, and what is held back for them. */
#include <stdio.h>
#include <unistd.h>

#include "blk.h"

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
 * What waits in two queues, and does not fit beside what is under way, is looked at
 * when that is done, not all the time.
 */
static void waiting_is_quiet(void)
{
	static const char *const set[][2] = {
		{ "size", "64" }, { "irqmode", "2" }, { "completion_nsec", "500000000" },
	};
	struct vreq *rt, *large[3];
	unsigned int i;
	long long runs;

	vblk_null_disk("slower", set, N(set));
	vblk_up(&d, "/dev/slower", 2, VHOST_BLK_F_WORKER_PER_QUEUE);
	rt = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512);
	rt->hdr->ioprio = 1 << 13;
	for (i = 0; i < N(large); i++)
		large[i] = vblk_req(&d, VIRTIO_BLK_T_IN, 0, i ? 256 << 10 : 400 << 10);
	/* Its class is active for a second from now on. */
	vblk_submit(&d, 0, rt);
	EXPECT(test_until(vmm_counter(&d.vmm, 0, "last_avail") == 1, 10000));
	/* The first one takes most of the budget for half a second. */
	for (i = 0; i < 2; i++)
		vblk_submit(&d, 0, large[i]);
	EXPECT(test_until(vmm_counter(&d.vmm, 0, "held") == 1, 10000));
	vblk_submit(&d, 1, large[2]);
	EXPECT(test_until(vmm_counter(&d.vmm, 1, "held") == 1, 10000));
	runs = vmm_counter(&d.vmm, 0, "runs") + vmm_counter(&d.vmm, 1, "runs");
	EXPECT_EQ(vblk_wait(&d, 1, large[2]), 0);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(vblk_wait(&d, 0, large[i]), 0);
	runs = vmm_counter(&d.vmm, 0, "runs") + vmm_counter(&d.vmm, 1, "runs") - runs;
	if (runs > 40)
		test_fail("%lld turns for two requests", runs);
}

static unsigned int reads_under_way(void)
{
	FILE *f = fopen("/sys/block/" SLOWEST "/inflight", "re");
	unsigned int n = 0;

	EXPECT(f);
	EXPECT_EQ(fscanf(f, "%u", &n), 1);
	fclose(f);
	return n;
}

/*
 * Nothing of the lower class is done for long, and does not fit beside what is under
 * way: it goes after a second all the same, also if only the higher class shows life.
 */
static void late_beside_rt(void)
{
	struct vreq *rt[18], *write, *large;
	bool late = false;
	unsigned int i;

	slowest_disk();
	vblk_up(&d, "/dev/" SLOWEST, 2, VHOST_BLK_F_WORKER_PER_QUEUE);
	for (i = 0; i < N(rt); i++) {
		rt[i] = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512);
		rt[i]->hdr->ioprio = 1 << 13;
	}
	write = vblk_req(&d, VIRTIO_BLK_T_OUT, 0, 65536);
	large = vblk_req(&d, VIRTIO_BLK_T_IN, 0, 1 << 20);
	vblk_submit(&d, 0, rt[0]);
	vblk_submit(&d, 0, write);
	EXPECT(test_until(vmm_counter(&d.vmm, 0, "last_avail") == 2, 10000));
	vblk_submit(&d, 1, large);
	EXPECT(test_until(vmm_counter(&d.vmm, 1, "held") == 1, 10000));
	for (i = 1; i < N(rt) && !late; i++) {
		vblk_submit(&d, 0, rt[i]);
		usleep(130000);
		late = reads_under_way() > i + 1;
	}
	EXPECT(late);
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

static const struct test tests[] = {
	TEST_ONCE(classes),
	TEST_ONCE(idle_write_beside_reads),
	TEST_ONCE(large_beside_small),
	TEST_ONCE(waiting_is_quiet),
	TEST_ONCE(late_beside_rt),
	TEST_ONCE(classes_on_two_queues),
	TEST_ONCE(reset_with_held),
};

int main(int argc, char **argv)
{
	return blk_main(tests, N(tests), argc, argv);
}
