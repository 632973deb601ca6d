// SPDX-License-Identifier: GPL-2.0
/*
 * Fair queueing by class: what the guest writes into a request's ioprio field
 * (real-time, best-effort, idle) decides how much of the backing's queue its
 * class may fill. Nothing of this runs before a request of a device has a
 * class other than best-effort.
 *
 * A device that is given 128 large writes serves the small read behind them
 * last. So as long as a higher class is active, the lower ones share a budget
 * of work under way; what exceeds it waits here, and takes turns by deficit
 * round robin. There is always at least one request of theirs under way, and one
 * that has waited for a second goes whatever the budget is: no class and no queue
 * starves, whatever the others do.
 *
 * How much work keeps a backing busy, the backing alone knows. So the budget
 * grows while small reads of the higher class take less than twice the least that
 * one took, and shrinks when they take more.
 *
 * Writes and flushes of a queue keep their order among themselves: when one of
 * them waits, those after it wait behind it, and if they are of a higher class,
 * it waits in theirs. Reads may pass them, as they may on any disk.
 *
 * The budget is the device's, the lists are the queue's; queues share an
 * atomic counter and a bitmap of those that wait, and no lock.
 */
#include <linux/bitmap.h>
#include <linux/ioprio.h>
#include <linux/jiffies.h>

#include "blk.h"

/* Work of the lower classes under way while a higher one is active: bounds. */
#define BUDGET_MIN	(512u << 10)
#define BUDGET_MAX	(16u << 20)

/* Reads of the higher class by which the budget is judged are no longer. */
#define SMALL		(16u << 10)

/* What a request costs beside its bytes. */
#define COST_FIXED	(12u << 10)

/* A class that has had no request for so long is not active. */
#define ACTIVE_FOR	HZ

/* What has waited for so long goes, one request of a device at a time. */
#define LATE_AFTER	HZ

/* Bytes that a class may send on in one round. */
static const u32 quantum[VHB_CLASSES] = {
	[VHB_BE] = 256 << 10,
	[VHB_IDLE] = 32 << 10,
};

/* The class that an ioprio of virtio-blk means. */
enum vhb_class vhb_sched_class(u32 ioprio)
{
	switch (IOPRIO_PRIO_CLASS(ioprio & U16_MAX)) {
	case IOPRIO_CLASS_RT:
		return VHB_RT;
	case IOPRIO_CLASS_IDLE:
		return VHB_IDLE;
	default:
		return VHB_BE;
	}
}

void vhb_sched_init_dev(struct vhb_dev *d)
{
	d->budget = BUDGET_MIN;
}

void vhb_sched_init(struct vhb_sched *s)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < VHB_CLASSES; i++)
		INIT_LIST_HEAD(&s->wait[i]);
	s->next = VHB_BE;
}

static u32 cost(const struct vhb_req *r)
{
	return r->len + COST_FIXED;
}

/* Must it keep its place among the others of its queue? */
static bool is_ordered(const struct vhb_req *r)
{
	return r->type != VIRTIO_BLK_T_IN;
}

/* The highest class that is active; those below it are limited. */
static enum vhb_class top_class(const struct vhb_dev *d)
{
	unsigned int i;

	for (i = 0; i < VHB_IDLE; i++) {
		unsigned long seen = READ_ONCE(d->seen[i]);

		if (seen && time_before(jiffies, seen + ACTIVE_FOR))
			break;
	}
	return i;
}

static bool is_limited(const struct vhb_dev *d, enum vhb_class class)
{
	return class > top_class(d);
}

/* What those under way cost whose class is below @top. */
static s64 work_below(const struct vhb_dev *d, enum vhb_class top)
{
	s64 work = 0;
	unsigned int i;

	for (i = top + 1; i < VHB_CLASSES; i++)
		work += atomic64_read(&d->work[i]);
	return work;
}

static bool may_go(struct vhb_dev *d, const struct vhb_req *r)
{
	enum vhb_class top = top_class(d);
	s64 work;

	if (r->class <= top)
		return true;
	work = work_below(d, top);
	return !work || work + cost(r) <= READ_ONCE(d->budget);
}

/* The budget is not for it, maybe because it is others' all the time. */
static bool may_go_late(struct vhb_dev *d, struct vhb_req *r)
{
	if (time_before(jiffies, r->held + LATE_AFTER) || test_and_set_bit(0, &d->late))
		return false;
	r->late = true;
	return true;
}

static void go(struct vhb_queue *q, struct vhb_req *r)
{
	r->sent = ktime_get_ns();
	if (r->class != VHB_RT) {
		r->counted = true;
		atomic64_add(cost(r), &q->dev->work[r->class]);
	}
	vhb_req_execute(r);
}

/* Those that wait become of a higher class: one of that has to wait for them. */
static void raise_writes(struct vhb_sched *s, enum vhb_class class)
{
	struct vhb_req *r, *next;

	list_for_each_entry_safe(r, next, &s->wait[s->write_class], link) {
		if (!is_ordered(r))
			continue;
		r->class = class;
		list_move_tail(&r->link, &s->wait[class]);
	}
	s->write_class = class;
}

static void hold(struct vhb_queue *q, struct vhb_req *r)
{
	struct vhb_sched *s = &q->sched;
	enum vhb_class class = r->class;

	if (is_ordered(r)) {
		/* Nothing waits in the highest class. */
		class = max(class, VHB_BE);
		if (!s->writes++)
			s->write_class = class;
		else if (class < s->write_class)
			raise_writes(s, class);
		class = s->write_class;
		r->class = min(r->class, class);
	}
	r->held = jiffies;
	list_add_tail(&r->link, &s->wait[class]);
	s->waiting++;
	vhb_count(q, VHB_C_HELD);
}

/**
 * vhb_sched_submit() - execute a request now, or when its class's turn comes
 * @q: its queue, locked
 * @r: the request
 *
 * vhb_sched_dispatch() follows in the same turn.
 */
void vhb_sched_submit(struct vhb_queue *q, struct vhb_req *r)
{
	struct vhb_sched *s = &q->sched;
	struct vhb_dev *d = q->dev;

	WRITE_ONCE(d->classes, true);
	/* 0 stands for never. */
	WRITE_ONCE(d->seen[r->class], jiffies | 1);
	if ((is_ordered(r) && s->writes) ||
	    (r->class != VHB_RT && (!list_empty(&s->wait[r->class]) || !may_go(d, r)))) {
		hold(q, r);
		return;
	}
	go(q, r);
}

/* The next one to go, or NULL if that has to wait; @all: none has to. */
static struct vhb_req *pick(struct vhb_queue *q, bool all)
{
	struct vhb_sched *s = &q->sched;
	struct vhb_req *r = list_first_entry_or_null(&s->wait[VHB_BE], struct vhb_req, link);

	/* Held when a higher class was active: nobody's turn comes first any more. */
	if (r && !is_limited(q->dev, VHB_BE))
		return r;
	for (;;) {
		enum vhb_class class = s->next;

		r = list_first_entry_or_null(&s->wait[class], struct vhb_req, link);
		if (r && s->deficit[class] >= r->len) {
			if (!all && !may_go(q->dev, r) && !may_go_late(q->dev, r))
				return NULL;
			s->deficit[class] -= r->len;
			return r;
		}
		/* An empty list saves nothing up. */
		s->deficit[class] = r ? s->deficit[class] + quantum[class] : 0;
		s->next = class == VHB_BE ? VHB_IDLE : VHB_BE;
	}
}

/*
 * Give a turn to the next queue that waits, if there may be something for it: once
 * round for each completion, for what did not fit fits no better now; and now and
 * then, for what is late, or fits a budget that has grown. @went: something went.
 */
static void wake_next(struct vhb_queue *q, bool went)
{
	struct vhb_sched *s = &q->sched;
	struct vhb_dev *d = q->dev;
	unsigned int me = q - d->queue, from = me, i;
	int freed = atomic_read(&d->freed);

	if (bitmap_empty(d->waiting, d->nr_queues))
		return;
	if (time_after_eq(jiffies, READ_ONCE(d->looked) + LATE_AFTER / 8)) {
		WRITE_ONCE(d->looked, jiffies);
		from = READ_ONCE(d->looked_at);
	} else if ((!went && freed == s->freed) ||
		   work_below(d, top_class(d)) >= READ_ONCE(d->budget)) {
		return;
	}
	s->freed = freed;
	i = find_next_bit_wrap(d->waiting, d->nr_queues, from + 1);
	WRITE_ONCE(d->looked_at, i);
	if (i < d->nr_queues && i != me)
		vhc_vq_wake(d->queue[i].vq);
}

/**
 * vhb_sched_dispatch() - execute what may go now
 * @q: a queue, locked
 */
void vhb_sched_dispatch(struct vhb_queue *q)
{
	struct vhb_sched *s = &q->sched;
	struct vhb_dev *d = q->dev;
	bool broken = vhc_vq_is_broken(q->vq);
	bool all = broken || vhc_vq_is_draining(q->vq);
	unsigned int me = q - d->queue;
	struct vhb_req *r;
	bool went = false;

	while (s->waiting) {
		set_bit(me, d->waiting);
		/* The bit first, then the budget: see vhb_sched_completed(). */
		smp_mb__after_atomic();
		r = pick(q, all);
		if (!r)
			break;
		list_del_init(&r->link);
		s->waiting--;
		if (is_ordered(r))
			s->writes--;
		went = true;
		if (unlikely(broken))
			vhb_req_done(r, -EIO);
		else
			go(q, r);
	}
	if (!s->waiting && test_bit(me, d->waiting))
		clear_bit(me, d->waiting);
	wake_next(q, went);
}

/*
 * Grow or shrink the budget by how long a request took; only reads, for a write
 * may end in a cache, and a flush takes any time. Queues do this side by side:
 * when one overwrites what another one did, that counts as one request less.
 */
static void judge(struct vhb_dev *d, const struct vhb_req *r)
{
	u64 took, least = READ_ONCE(d->least);
	u32 budget = READ_ONCE(d->budget);

	if (r->type != VIRTIO_BLK_T_IN || r->error || r->len > SMALL ||
	    bitmap_empty(d->waiting, d->nr_queues) || is_limited(d, r->class))
		return;
	took = ktime_get_ns() - r->sent;
	/*
	 * Forgotten slowly, for the backing may have become slower; but only
	 * while that cannot be our doing.
	 */
	if (budget == BUDGET_MIN)
		least += least >> 10;
	least = least ? min(least, took) : took;
	WRITE_ONCE(d->least, least);
	if (took < 2 * least)
		budget = min(budget + budget / 32, BUDGET_MAX);
	else
		budget = max(budget - budget / 8, BUDGET_MIN);
	WRITE_ONCE(d->budget, budget);
}

/**
 * vhb_sched_completed() - a request is done
 * @q: its queue, locked
 * @r: the request
 *
 * vhb_sched_dispatch() follows in the same turn.
 */
void vhb_sched_completed(struct vhb_queue *q, struct vhb_req *r)
{
	if (r->sent)
		judge(q->dev, r);
	if (!r->counted)
		return;
	r->counted = false;
	atomic64_sub(cost(r), &q->dev->work[r->class]);
	atomic_inc(&q->dev->freed);
	if (unlikely(r->late)) {
		r->late = false;
		clear_bit(0, &q->dev->late);
	}
	/*
	 * The budget first, then the bits. Pairs with vhb_sched_dispatch():
	 * either that sees the budget, or we see that it waits.
	 */
	smp_mb__after_atomic();
}
