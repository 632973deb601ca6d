// SPDX-License-Identifier: GPL-2.0
/*
 * Notifications: kicks from the guest in, interrupts and errors out, and the
 * turn of a queue that they lead to.
 *
 * The kick eventfd has one wait entry of ours for as long as it is set. Its
 * callback queues the virtqueue on its worker, and that is all it does. The
 * eventfd's counter is left alone: a VMM that takes over a stopped queue finds
 * it non-zero, looks into the ring, and misses nothing.
 *
 * Who sleeps and who wakes:
 *
 *	worker				guest
 *	------				-----
 *	run(): ring is empty
 *	kick_enable: store our wish	store available index
 *	full barrier			full barrier
 *	load available index		load our wish, kick if it says so
 *
 * One of the two sees the other.
 */
#include <linux/delay.h>
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>

#include "internal.h"
#include "trace.h"

/* ---- wait entries ------------------------------------------------------- */

static int poll_wake(wait_queue_entry_t *wait, unsigned int mode, int sync,
		     void *key)
{
	struct vhc_poll *poll = container_of(wait, struct vhc_poll, wait);

	if (READ_ONCE(poll->muted) || !(key_to_poll(key) & poll->mask))
		return 0;
	if (poll->kick) {
		/* Under the lock of the eventfd's wait queue. */
		WRITE_ONCE(poll->vq->kicked, true);
		vhc_count(poll->vq, VHC_C_KICKS, 1);
		trace_vhost_kick(VHC_WHO(poll->vq));
	}
	vhc_vq_wake(poll->vq);
	return 0;
}

static void poll_queue(struct file *file, wait_queue_head_t *head,
		       poll_table *table)
{
	struct vhc_poll *poll = container_of(table, struct vhc_poll, table);

	/* Files with two wait queues: the first is the one for events. */
	if (poll->head)
		return;
	poll->head = head;
	add_wait_queue(head, &poll->wait);
}

/**
 * vhc_poll_init() - prepare a wait entry
 * @poll: the entry
 * @vq: the queue to wake
 * @mask: EPOLL* events that count
 */
void vhc_poll_init(struct vhc_poll *poll, struct vhc_vq *vq, __poll_t mask)
{
	init_poll_funcptr(&poll->table, poll_queue);
	init_waitqueue_func_entry(&poll->wait, poll_wake);
	poll->table._key = mask;
	poll->head = NULL;
	poll->vq = vq;
	poll->mask = mask;
	poll->kick = false;
	poll->muted = false;
}
VHC_EXPORT(vhc_poll_init);

/**
 * vhc_poll_start() - let events of a file wake the queue
 * @poll: the entry
 * @file: the file; the caller holds it until vhc_poll_stop()
 *
 * An event that is there already wakes it at once.
 *
 * Context: may sleep; calls for one entry are serialised by the caller.
 * Return: 0, or -EINVAL if the file is in error.
 */
int vhc_poll_start(struct vhc_poll *poll, struct file *file)
{
	__poll_t mask;

	if (poll->head)
		return 0;
	mask = vfs_poll(file, &poll->table);
	if (mask & EPOLLERR) {
		vhc_poll_stop(poll);
		return -EINVAL;
	}
	if (mask & poll->mask)
		vhc_vq_wake(poll->vq);
	return 0;
}
VHC_EXPORT(vhc_poll_start);

/**
 * vhc_poll_stop() - take a wait entry off its file
 * @poll: the entry; no callback runs any more afterwards
 */
void vhc_poll_stop(struct vhc_poll *poll)
{
	if (!poll->head)
		return;
	remove_wait_queue(poll->head, &poll->wait);
	poll->head = NULL;
}
VHC_EXPORT(vhc_poll_stop);

/* ---- eventfds ------------------------------------------------------------ */

/* Device locked, by the owner. fd -1 unbinds. */
int vhc_notify_set_kick(struct vhc_vq *vq, int fd)
{
	struct file *file = NULL, *old;
	int err = 0;

	if (fd != VHOST_FILE_UNBIND) {
		file = eventfd_fget(fd);
		if (IS_ERR(file))
			return PTR_ERR(file);
	}
	vhc_vq_lock(vq);
	old = vq->kick;
	vhc_poll_stop(&vq->kick_poll);
	vq->kick = file;
	if (file)
		err = vhc_poll_start(&vq->kick_poll, file);
	/*
	 * A kick may have gone to the old one while nobody looked, and for
	 * what is in the ring already there may be none. Look once.
	 */
	vhc_vq_wake(vq);
	vhc_vq_unlock(vq);
	if (old)
		fput(old);
	return err;
}

static struct eventfd_ctx *get_eventfd(int fd)
{
	return fd == VHOST_FILE_UNBIND ? NULL : eventfd_ctx_fdget(fd);
}

/*
 * QEMU swaps this one at every mask and unmask of the MSI-X vector, and after
 * a mask looks whether the old one was signalled in the meantime. So the swap
 * must not wait for a turn, yet once it returns nobody may signal the old one:
 * a lock that is held for the signal alone does both.
 */
int vhc_notify_set_call(struct vhc_vq *vq, int fd)
{
	struct eventfd_ctx *ctx = get_eventfd(fd);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	spin_lock(&vq->call_lock);
	swap(vq->call, ctx);
	if (vq->call && vq->call_missed) {
		/* It was due while there was nobody to tell. */
		vq->call_missed = false;
		eventfd_signal(vq->call);
	}
	spin_unlock(&vq->call_lock);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

int vhc_notify_set_err(struct vhc_vq *vq, int fd)
{
	struct eventfd_ctx *ctx = get_eventfd(fd);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	vhc_vq_lock(vq);
	swap(vq->err, ctx);
	vhc_vq_unlock(vq);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

/* Interrupt the guest. */
void vhc_notify_signal(struct vhc_vq *vq)
{
	vhc_count(vq, VHC_C_SIGNALS, 1);
	trace_vhost_signal(VHC_WHO(vq));
	spin_lock(&vq->call_lock);
	if (vq->call)
		eventfd_signal(vq->call);
	else
		vq->call_missed = true;
	spin_unlock(&vq->call_lock);
}

/* Tell the VMM that the queue is broken. */
void vhc_notify_error(struct vhc_vq *vq)
{
	if (vq->err)
		eventfd_signal(vq->err);
}

/* Drop all three; device and queue locked. */
void vhc_notify_reset(struct vhc_vq *vq)
{
	struct eventfd_ctx *call;

	vhc_poll_stop(&vq->kick_poll);
	if (vq->kick)
		fput(vq->kick);
	vq->kick = NULL;
	if (vq->err)
		eventfd_ctx_put(vq->err);
	vq->err = NULL;

	spin_lock(&vq->call_lock);
	call = vq->call;
	vq->call = NULL;
	vq->call_missed = false;
	spin_unlock(&vq->call_lock);
	if (call)
		eventfd_ctx_put(call);
}

/* ---- busy polling -------------------------------------------------------- */

/* The shortest adaptive window but none; less is spent on going to sleep. */
#define POLL_MIN_NS	(2 * NSEC_PER_USEC)

/* How long to poll at most. Queue locked. */
void vhc_notify_set_busyloop(struct vhc_vq *vq, u32 us)
{
	vq->busyloop_us = us;
}

/* Queue locked. */
void vhc_notify_set_poll_mode(struct vhc_vq *vq, bool adaptive)
{
	vq->poll_adaptive = adaptive;
	vq->poll_window = 0;
	vq->poll_since = 0;
}

static u64 poll_bound(const struct vhc_vq *vq)
{
	return (u64)vq->busyloop_us * NSEC_PER_USEC;
}

/* How long to poll now, in ns. Queue locked. */
u64 vhc_notify_poll_window(const struct vhc_vq *vq)
{
	/* The bound may have been lowered since. */
	return vq->poll_adaptive ? min(vq->poll_window, poll_bound(vq)) : poll_bound(vq);
}

static void grow_window(struct vhc_vq *vq)
{
	u64 window = max(2 * vq->poll_window, (u64)POLL_MIN_NS);

	window = min(window, poll_bound(vq));
	if (window == vq->poll_window)
		return;
	vq->poll_window = window;
	vhc_count(vq, VHC_C_POLL_GROWN, 1);
}

static void shrink_window(struct vhc_vq *vq)
{
	u64 window = vq->poll_window / 2;

	if (!vq->poll_window)
		return;
	vq->poll_window = window < POLL_MIN_NS ? 0 : window;
	vhc_count(vq, VHC_C_POLL_SHRUNK, 1);
}

/*
 * Work came after polling in vain. Would a longer window have found it?
 */
static void judge_window(struct vhc_vq *vq)
{
	if (local_clock() - vq->poll_since <= poll_bound(vq))
		grow_window(vq);
	else
		shrink_window(vq);
	vq->poll_since = 0;
}

/*
 * Look for work until @end; true if there is some for this queue. Work for
 * another one ends it as well, but is no reason for a turn: two idle queues
 * would each poll for the other's for ever.
 */
static bool poll_until(struct vhc_vq *vq, bool avail, u64 end)
{
	do {
		if (avail && vhc_vq_has_avail(vq) > 0)
			return true;
		if (test_bit(0, &vq->work.queued))
			return true;
		if (vhc_worker_has_work(vq))
			return false;
		/* As let_others() does: a window may be seconds. */
		rcu_tasks_qs(current, false);
		cpu_relax();
	} while (vq->state == VHC_VQ_RUNNING && !vhc_should_yield() &&
		 !atomic_read(&vq->lockers) &&
		 local_clock() < end);
	return false;
}

/*
 * Look for work before going to sleep. @avail: chains are what the queue waits
 * for; else it waits for its backend, whose wait entry queues work like a kick
 * does. Ends early when anything is queued on the worker, or another task wants
 * the CPU or the queue.
 *
 * Return: whether there is something to do for this queue.
 */
static bool busy_poll(struct vhc_vq *vq, bool avail)
{
	u64 begin = local_clock();
	u64 window = vhc_notify_poll_window(vq);
	bool hit = false;

	if (window) {
		trace_vhost_poll_begin(VHC_WHO(vq), avail);
		hit = poll_until(vq, avail, begin + window);
		vhc_count(vq, hit ? VHC_C_POLL_HITS : VHC_C_POLL_MISSES, 1);
		trace_vhost_poll_end(VHC_WHO(vq), hit);
	}
	if (vq->poll_adaptive) {
		if (hit)
			grow_window(vq);
		else
			vq->poll_since = begin;
	}
	return hit;
}

/* ---- a turn -------------------------------------------------------------- */

/*
 * What follows from how the turn ended. Returns whether the queue wants
 * another one.
 */
static bool conclude(struct vhc_vq *vq, enum vhc_verdict verdict)
{
	switch (verdict) {
	case VHC_MORE:
		vhc_count(vq, VHC_C_REQUEUES, 1);
		return true;
	case VHC_WAIT_BACKEND:
		if (vq->busyloop_us)
			busy_poll(vq, false);
		return false;
	case VHC_WAIT_GUEST:
		if (vq->busyloop_us) {
			if (busy_poll(vq, true))
				return vq->state == VHC_VQ_RUNNING;
		} else if (vq->batch.nr > 1) {
			/* A guest that sends in rows may just have added one. */
			int more = vhc_vq_has_avail(vq);

			if (more)
				return more > 0;
		}
		return vq->state == VHC_VQ_RUNNING && vhc_vq_kick_enable(vq, false) > 0;
	case VHC_WAIT_ADDRESS:
		/* The VMM's answer wakes the queue; a kick repeats the question. */
		vhc_vq_kick_enable(vq, true);
		return false;
	case VHC_WAIT_MORE:
		/* No busy polling: that looks for any chain, and would spin. */
		return vhc_vq_kick_enable(vq, true) > 0;
	}
	return false;
}

/*
 * A batch or more of a queue's chains was rejected, and there is more. They cost
 * so little that a whole ring of them is less than a slice of the scheduler: no
 * other task is due before its end, and a neighbour's worker, woken for a single
 * packet, waits for all of it. Good chains have a claim to that, bad ones have
 * none: who sends them waits.
 */
#define PAUSE_US	50

static void pause(void)
{
	usleep_range_state(PAUSE_US, 2 * PAUSE_US, TASK_IDLE);
}

/* Turns in a row, as long as nobody else wants the worker or its CPU. */
#define ROUNDS	4

/* The work of every queue, on its worker. */
void vhc_notify_run(struct vhc_work *work)
{
	struct vhc_vq *vq = container_of(work, struct vhc_vq, work);
	enum vhc_verdict verdict;
	bool again = false, bad = false;
	unsigned int round;

	mutex_lock(&vq->mutex);
	/* What is under way has to be finished in any state. */
	if (vq->state != VHC_VQ_RUNNING && !vq->in_flight)
		goto out;
	vhc_count(vq, VHC_C_RUNS, 1);
	trace_vhost_run(VHC_WHO(vq));
	if (vq->state != VHC_VQ_BROKEN && !vhc_vq_ready(vq) && !vq->in_flight)
		goto out;
	if (unlikely(vq->poll_since))
		judge_window(vq);
	for (round = 0; round < ROUNDS; round++) {
		again = false;
		if (vq->state == VHC_VQ_RUNNING && vhc_vq_kick_disable(vq) &&
		    !vq->in_flight)
			break;
		verdict = vq->dev->drv->run(vq, vq->index, vq->priv);
		if (vq->state != VHC_VQ_RUNNING) {
			again = verdict == VHC_MORE;
			break;
		}
		again = conclude(vq, verdict);
		/* After a whole turn its end is due whenever somebody waits: UINT_MAX. */
		if (!again || verdict == VHC_MORE || vhc_worker_has_work(vq) ||
		    vhc_turn_is_over(vq, UINT_MAX))
			break;
	}
	if (vq->state != VHC_VQ_RUNNING && !vq->in_flight)
		wake_up_all(&vq->dev->drained);
	bad = again && vq->bad >= VHC_BATCH;
	vhc_count(vq, VHC_C_PAUSES, bad);
	if (bad || !again)
		vq->bad = 0;
out:
	mutex_unlock(&vq->mutex);
	if (unlikely(bad))
		pause();
	/* At the end of the worker's list: others get their turn first. */
	if (again)
		vhc_vq_wake(vq);
}
