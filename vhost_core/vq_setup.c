// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a virtqueue: where its ring is, start, stop, and the end. What
 * it does while it runs is in vq.c.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

/* ---- mapping of the ring itself ---------------------------------------- */

static void unmap_part(struct vhc_ring_part *p)
{
	kvfree(p->page);
	p->page = NULL;
	p->nr_page = 0;
}

static u32 nr_pages(const struct vhc_ring_part *p, u32 len)
{
	return ((p->addr & VRING_PAGE_MASK) + len + VRING_PAGE_MASK) >> VRING_PAGE_SHIFT;
}

/* Make the table of a part's pages, at start: later there is nobody to tell. */
static int alloc_part(struct vhc_ring_part *p, u32 len)
{
	u32 nr = nr_pages(p, len);

	if (p->nr_page >= nr)
		return 0;
	unmap_part(p);
	p->page = kvcalloc(nr, sizeof(*p->page), GFP_KERNEL_ACCOUNT);
	if (!p->page)
		return -ENOMEM;
	p->nr_page = nr;
	return 0;
}

static int alloc_ring(struct vhc_vq *vq)
{
	const struct vring_dev *r = &vq->ring;
	int err;

	err = alloc_part(&vq->desc, vhc_ring_desc_size(r));
	if (!err)
		err = alloc_part(&vq->avail, vhc_ring_avail_size(r));
	if (!err)
		err = alloc_part(&vq->used, vhc_ring_used_size(r));
	return err;
}

/*
 * Behind an IOTLB a part of the ring is scattered over the VMM's memory. One
 * stretch needs no table; else each 4 KiB page of guest addresses has to be in
 * one piece.
 */
static int map_scattered(struct vhc_vq *vq, struct vhc_ring_part *p, u32 len,
			 u32 perm, struct vring_part *out)
{
	u32 off = p->addr & VRING_PAGE_MASK;
	u32 nr = nr_pages(p, len);
	bool contiguous = true;
	u64 addr = p->addr, first = 0;
	u32 i, left = len;

	for (i = 0; i < nr; i++) {
		u32 in_page = addr & VRING_PAGE_MASK;
		u32 n = min(left, (1u << VRING_PAGE_SHIFT) - in_page);
		struct iovec iov;
		u64 user;
		int err;

		err = vhc_vq_translate(vq, addr, n, perm, &iov, 1);
		if (err < 0)
			return err == -VRING_E_AGAIN ? -EAGAIN : -EFAULT;
		if (!err)
			return -EFAULT;
		user = (u64)(uintptr_t)iov.iov_base;
		if (!i)
			first = user;
		else if (user != first + (addr - p->addr))
			contiguous = false;
		p->page[i] = iov.iov_base - in_page;
		addr += n;
		left -= n;
	}
	out->base = contiguous ? (void __user *)(uintptr_t)first : NULL;
	out->page = p->page;
	out->off = off;
	return 0;
}

static int map_part(struct vhc_vq *vq, struct vhc_ring_part *p, u32 len,
		    u32 perm, struct vring_part *out)
{
	out->len = len;
	if (vq->dev->iotlb)
		return map_scattered(vq, p, len, perm, out);
	out->base = (void __user *)(uintptr_t)p->addr;
	/* A base of NULL says "scattered", see vring_at(): there is no table. */
	if (!out->base || !access_ok(out->base, len))
		return -EFAULT;
	return 0;
}

/* Return: 0, -EAGAIN while the VMM is asked for an address, or an error. */
static int map_ring(struct vhc_vq *vq)
{
	struct vring_dev *r = &vq->ring;
	int err;

	err = map_part(vq, &vq->desc, vhc_ring_desc_size(r),
		       r->packed ? VHC_PERM_R | VHC_PERM_W : VHC_PERM_R, &r->desc);
	if (!err)
		err = map_part(vq, &vq->avail, vhc_ring_avail_size(r), VHC_PERM_R,
			       &r->avail);
	if (!err)
		err = map_part(vq, &vq->used, vhc_ring_used_size(r), VHC_PERM_W,
			       &r->used);
	if (!err)
		vq->mapped = true;
	return err;
}

/* The tables changed: forget every translation. Queue locked. */
void vhc_vq_remap(struct vhc_vq *vq)
{
	vhc_vq_cache_clear(vq);
	if (vq->dev->iotlb)
		vq->mapped = false;
}

/*
 * Go on in a mapped ring where @base says. After a failure the queue stands where
 * user space says, as before: @started would let the ring say so.
 */
static int take_up(struct vhc_vq *vq)
{
	int err = VHC_RING(vq, start, vq->base);

	if (!err)
		err = vhc_log_used(vq, 0, vq->ring.packed ? VRING_PACKED_EVENT_SIZE : 2);
	vq->started = !err;
	return err;
}

/* What vhc_vq_ready() does when there is something to do. */
bool vhc_vq_make_ready(struct vhc_vq *vq)
{
	int err;

	if (unlikely(!vq->mapped)) {
		err = map_ring(vq);
		if (err == -EAGAIN)
			return false;
		if (err) {
			vhc_vq_break(vq, VHC_R_RING_MAP);
			return false;
		}
	}
	if (unlikely(!vq->started)) {
		err = take_up(vq);
		if (err) {
			vhc_vq_break(vq, -err);
			return false;
		}
	}
	return true;
}

/* ---- start and stop ----------------------------------------------------- */

static int alloc_batch(struct vhc_vq *vq)
{
	struct vring_batch *b = &vq->batch;

	if (b->seg)
		return 0;
	b->seg = kvmalloc_array(VRING_SEG_MAX, sizeof(*b->seg), GFP_KERNEL_ACCOUNT);
	b->table = kvmalloc_array(VRING_SEG_MAX, sizeof(*b->table), GFP_KERNEL_ACCOUNT);
	vq->iov = kvmalloc_array(VHC_IOV_MAX, sizeof(*vq->iov), GFP_KERNEL_ACCOUNT);
	if (b->seg && b->table && vq->iov)
		return 0;
	kvfree(b->seg);
	kvfree(b->table);
	kvfree(vq->iov);
	b->seg = NULL;
	b->table = NULL;
	vq->iov = NULL;
	return -ENOMEM;
}

/**
 * vhc_vq_start() - let a queue run
 * @vq: the queue, locked; its device locked
 *
 * The ring has to be set up, and is checked as far as it can be now: behind
 * an IOTLB its addresses mean nothing before the first turn.
 *
 * Return: 0; -EFAULT if the ring is not set up or not accessible; -EINVAL if it
 * is packed and its base is outside of it or an event suppression structure not
 * aligned; -ENOMEM.
 */
int vhc_vq_start(struct vhc_vq *vq)
{
	struct vring_dev *r = &vq->ring;
	int err;

	if (vq->state != VHC_VQ_STOPPED)
		vhc_vq_stop(vq);
	if (!vq->addr_set || !r->num)
		return -EFAULT;
	err = alloc_batch(vq);
	if (err)
		return err;

	r->packed = vhc_dev_has_feature(vq->dev, VIRTIO_F_RING_PACKED);
	r->in_order = vhc_dev_has_feature(vq->dev, VIRTIO_F_IN_ORDER);
	r->event_idx = vhc_dev_has_feature(vq->dev, VIRTIO_RING_F_EVENT_IDX);
	r->indirect = vhc_dev_has_feature(vq->dev, VIRTIO_RING_F_INDIRECT_DESC);
	r->notify_on_empty = vhc_dev_has_feature(vq->dev, VIRTIO_F_NOTIFY_ON_EMPTY);
	if (r->packed &&
	    (!vring_packed_base_ok(r, vq->base) ||
	     !IS_ALIGNED(vq->avail.addr | vq->used.addr, VRING_PACKED_EVENT_SIZE)))
		return -EINVAL;
	vhc_vq_cache_clear(vq);
	vq->mapped = false;
	vq->started = false;
	if (vq->dev->iotlb) {
		err = alloc_ring(vq);
		if (err)
			return err;
	} else {
		/* Called by the owner: its memory can be tried right here. */
		err = map_ring(vq);
		if (err)
			return err;
		if (take_up(vq)) {
			vq->mapped = false;
			return -EFAULT;
		}
	}
	vq->state = VHC_VQ_RUNNING;
	return 0;
}
VHC_EXPORT(vhc_vq_start);

/**
 * vhc_vq_base() - where a queue stands, or will start
 * @vq: the queue, locked; or stopped, with its device locked
 *
 * Return: as GET_VRING_BASE does.
 */
u32 vhc_vq_base(const struct vhc_vq *vq)
{
	if (!vq->started)
		return vq->base;
	return vq->ring.packed ? vring_packed_base(&vq->ring) : vq->ring.last_avail;
}
VHC_EXPORT(vhc_vq_base);

/*
 * The next index (of a packed ring the slot) to take, and to write to the used
 * ring. Without the lock they are those of a moment of a turn.
 */
u32 vhc_vq_last_avail(const struct vhc_vq *vq)
{
	return vhc_vq_base(vq) & (vq->ring.packed ? 0x7fff : U16_MAX);
}

u32 vhc_vq_last_used(const struct vhc_vq *vq)
{
	return vq->ring.packed ? vring_slot(&vq->ring, vq->ring.last_used) : vq->ring.last_used;
}

/**
 * vhc_vq_stop() - keep a queue from running until it is started again
 * @vq: the queue, locked; its device locked
 *
 * All chains were completed or given back by its last turn, or by
 * vhc_vq_drain() before.
 */
void vhc_vq_stop(struct vhc_vq *vq)
{
	WARN_ON_ONCE(vq->in_flight);
	if (vq->started)
		vq->base = vhc_vq_base(vq);
	vq->state = VHC_VQ_STOPPED;
	vq->started = false;
	vq->mapped = false;
	vhc_iotlb_forget(vq);
}
VHC_EXPORT(vhc_vq_stop);

/* The part of vhc_vq_drain() that does not wait. */
void vhc_vq_drain_begin(struct vhc_vq *vq, bool discard)
{
	vhc_vq_lock(vq);
	if (vq->state == VHC_VQ_RUNNING || (discard && vq->state == VHC_VQ_DRAINING))
		WRITE_ONCE(vq->state, discard ? VHC_VQ_BROKEN : VHC_VQ_DRAINING);
	vhc_vq_unlock(vq);
}

/**
 * vhc_vq_drain() - wait until no chain of a queue is under way
 * @vq: the queue, not locked; its device locked
 * @discard: the ring must not be touched any more, the guest learns nothing
 *
 * For devices that complete chains after the turn that took them. No more are
 * taken from now on; the worker completes those that were. Stop the queue, or
 * start it, next.
 *
 * Context: may sleep, as long as the slowest request takes.
 */
void vhc_vq_drain(struct vhc_vq *vq, bool discard)
{
	vhc_vq_drain_begin(vq, discard);
	/* One that was given back meanwhile may still wait for its turn. */
	vhc_vq_wake(vq);
	wait_event(vq->dev->drained, !READ_ONCE(vq->in_flight));
}
VHC_EXPORT(vhc_vq_drain);

/**
 * vhc_vq_flush() - wait until work queued for a queue so far has been done
 * @vq: the queue, not locked
 *
 * Context: device locked; may sleep.
 */
void vhc_vq_flush(struct vhc_vq *vq)
{
	struct vhc_worker *worker = vhc_worker_of(vq);

	if (worker)
		vhc_worker_flush(worker);
}
VHC_EXPORT(vhc_vq_flush);

/* ---- creation ------------------------------------------------------------ */

int vhc_vq_init(struct vhc_vq *vq, struct vhc_dev *dev, u32 index)
{
	const struct vhc_driver *drv = dev->drv;

	mutex_init(&vq->mutex);
	spin_lock_init(&vq->call_lock);
	vq->dev = dev;
	vq->index = index;
	snprintf(vq->number, sizeof(vq->number), "%u", index);
	vq->work.fn = vhc_notify_run;
	vq->ring.num = 0;
	vhc_vq_cache_clear(vq);
	vhc_poll_init(&vq->kick_poll, vq, EPOLLIN);
	vq->kick_poll.kick = true;
	vhc_notify_set_poll_mode(vq, READ_ONCE(vhc_poll_adaptive));
	vq->rejected = kcalloc(vhc_stats_nr_rejections(drv), sizeof(u64),
			       GFP_KERNEL_ACCOUNT);
	vq->drv_counter = kcalloc(max(drv->nr_counters, 1u), sizeof(u64),
				  GFP_KERNEL_ACCOUNT);
	return vq->rejected && vq->drv_counter ? 0 : -ENOMEM;
}

/* Back to how it was after open. Stopped; device and queue locked. */
void vhc_vq_reset(struct vhc_vq *vq)
{
	const struct vhc_driver *drv = vq->dev->drv;

	vhc_vq_stop(vq);
	vhc_notify_reset(vq);
	unmap_part(&vq->desc);
	unmap_part(&vq->avail);
	unmap_part(&vq->used);
	memset(&vq->ring, 0, sizeof(vq->ring));
	vhc_vq_cache_clear(vq);
	vq->base = 0;
	vq->addr_set = false;
	vq->log_used = false;
	vq->log_addr = 0;
	vq->busyloop_us = 0;
	vhc_notify_set_poll_mode(vq, READ_ONCE(vhc_poll_adaptive));
	memset(vq->counter, 0, sizeof(vq->counter));
	memset(vq->rejected, 0, vhc_stats_nr_rejections(drv) * sizeof(u64));
	memset(vq->drv_counter, 0, drv->nr_counters * sizeof(u64));
}

void vhc_vq_free(struct vhc_vq *vq)
{
	kvfree(vq->batch.seg);
	kvfree(vq->batch.table);
	kvfree(vq->iov);
	kfree(vq->rejected);
	kfree(vq->drv_counter);
	mutex_destroy(&vq->mutex);
}
