// SPDX-License-Identifier: GPL-2.0
/*
 * A queue's turn: take a batch of chains, make them requests, hand them to the
 * backing, and complete those that are done. One publication and at most one
 * interrupt for all that one look at the list of completions finds.
 *
 * Completions come in any context, from any CPU, and go to the queue's lockless
 * list. Only the one that finds it empty wakes the worker, and not even that
 * while the worker is in a turn: it looks at the list before it leaves, and if
 * there is something new, has another turn after those of other queues.
 */
#include <linux/blkdev.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include "blk.h"
#include "trace.h"

/* Requests that one turn may take; others want the worker, too. */
#define WEIGHT	256

static struct vhb_req *get_req(struct vhb_queue *q)
{
	struct vhb_req *r = q->idle;
	struct mem_cgroup *memcg;

	if (r) {
		q->idle = r->next_idle;
		return r;
	}
	memcg = vhb_charge_owner();
	r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	vhb_charge_nobody(memcg);
	if (!r)
		return NULL;
	INIT_LIST_HEAD(&r->link);
	r->q = q;
	return r;
}

/*
 * The clock is read once for a batch, at either end: @now may be of another CPU
 * than the beginning, and a little behind it.
 */
static void count_latency(struct vhb_queue *q, const struct vhb_req *r, u64 now)
{
	u64 ns = now > r->begin ? now - r->begin : 0;
	unsigned int bucket = min(fls64(ns >> 10), VHB_BUCKETS - 1);

	trace_vhost_blk_complete(r, ns);
	switch (r->type) {
	case VIRTIO_BLK_T_IN:
		q->counter[VHB_C_READ_US_1 + bucket]++;
		break;
	case VIRTIO_BLK_T_OUT:
		q->counter[VHB_C_WRITE_US_1 + bucket]++;
		break;
	case VIRTIO_BLK_T_FLUSH:
		q->counter[VHB_C_FLUSH_US_1 + bucket]++;
		break;
	}
}

/* Complete what is done. */
static void reap(struct vhb_queue *q)
{
	struct llist_node *list = llist_del_all(&q->done);
	struct vhb_req *r, *next;
	u64 now;

	if (!list)
		return;
	now = local_clock();
	list = llist_reverse_order(list);
	llist_for_each_entry_safe(r, next, list, done) {
		/* It may be in the list of those to be polled. */
		if (unlikely(!list_empty(&r->link)))
			list_del_init(&r->link);
		if (unlikely(r->error == -EAGAIN)) {
			vhb_req_punt(r);
			continue;
		}
		q->flight -= r->len;
		vhb_sched_completed(q, r);
		count_latency(q, r, now);
		vhb_req_finish(r);
		r->next_idle = q->idle;
		q->idle = r;
	}
	vhc_vq_publish(q->vq);
}

/* Make chains requests and execute them. Returns how many could be taken. */
static unsigned int take(struct vhb_queue *q, const struct vhc_chain *c, unsigned int n)
{
	u64 now = local_clock();
	struct blk_plug plug;
	unsigned int i;

	blk_start_plug(&plug);
	for (i = 0; i < n && q->flight < VHB_FLIGHT_MAX; i++, c++) {
		struct vhb_req *r = get_req(q);
		bool execute;

		if (!r)
			break;
		r->begin = now;
		execute = vhb_req_parse(r, c);
		vhc_vq_keep(q->vq);
		q->flight += r->len;
		if (!execute)
			vhb_req_done(r, r->error);
		else if (likely(r->class == VHB_BE && !READ_ONCE(q->dev->classes)))
			vhb_req_execute(r);
		else
			vhb_sched_submit(q, r);
	}
	blk_finish_plug(&plug);
	return i;
}

/* What has been taken when there is no more to take, or enough. */
static enum vhc_verdict take_all(struct vhb_queue *q)
{
	unsigned int taken = 0;

	while (taken < WEIGHT) {
		struct vhc_chain *c;
		unsigned int ok;
		int n;

		if (q->flight >= VHB_FLIGHT_MAX)
			return VHC_WAIT_BACKEND;
		n = vhc_vq_fetch(q->vq, VHC_BATCH, &c);
		if (n <= 0)
			return n == -EAGAIN ? VHC_WAIT_ADDRESS : VHC_WAIT_GUEST;
		ok = take(q, c, n);
		if (ok < n)
			vhc_vq_unfetch(q->vq, c + ok, n - ok);
		reap(q);
		/* A completion comes; without one there is no memory: try again. */
		if (ok < n)
			return q->flight ? VHC_WAIT_BACKEND : VHC_MORE;
		taken += n;
		/* That was all, or nearly: the core looks for more before it sleeps. */
		if (n < VHC_BATCH)
			return VHC_WAIT_GUEST;
		if (vhc_turn_is_over(q->vq, taken))
			break;
	}
	return VHC_MORE;
}

/* A turn: run() of the driver. */
enum vhc_verdict vhb_queue_run(struct vhc_vq *vq, unsigned int index, void *priv)
{
	struct vhb_queue *q = priv;
	enum vhc_verdict verdict;

	WRITE_ONCE(q->busy, true);
	reap(q);
	verdict = take_all(q);
	/*
	 * After those that have just come, which may be of a higher class: the
	 * backing may make us wait for room.
	 */
	if (unlikely(READ_ONCE(q->dev->classes)))
		vhb_sched_dispatch(q);
	if (unlikely(!list_empty(&q->polled))) {
		vhb_bdev_poll(q);
		verdict = VHC_MORE;
	}
	WRITE_ONCE(q->busy, false);
	/* Pairs with vhb_req_done(). */
	smp_mb();
	return llist_empty(&q->done) ? verdict : VHC_MORE;
}

void vhb_queue_init(struct vhb_queue *q, struct vhb_dev *dev, unsigned int index)
{
	q->vq = vhc_dev_vq(dev->dev, index);
	q->dev = dev;
	q->counter = vhc_vq_counters(q->vq);
	init_llist_head(&q->done);
	INIT_LIST_HEAD(&q->polled);
	vhb_sched_init(&q->sched);
	vhc_vq_set_priv(q->vq, q);
}

/* Nothing is under way any more. */
void vhb_queue_free(struct vhb_queue *q)
{
	struct vhb_req *r;

	while ((r = q->idle)) {
		q->idle = r->next_idle;
		kfree(r);
	}
}
