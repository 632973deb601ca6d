// SPDX-License-Identifier: GPL-2.0
/*
 * A virtqueue: ring + memory + notification, joined into the verbs that device
 * modules call.
 *
 * Everything here runs with the queue locked. While it is, memory table and
 * IOTLB stand still (see internal.h), so that a translation made in a turn is
 * good to its end.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

/*
 * Layouts are chosen here and nowhere else, once a batch: each choice names
 * both functions.
 */
#define RING(vq, verb, ...)						\
	((vq)->ring.packed ? vring_packed_##verb(&(vq)->ring, ##__VA_ARGS__) : \
			     vring_split_##verb(&(vq)->ring, ##__VA_ARGS__))

const char *vhc_vq_name(const struct vhc_vq *vq)
{
	const char *const *names = vq->dev->drv->vq_names;

	return names ? names[vq->index] : vq->number;
}

/**
 * vhc_vq_size() - entries of a queue's ring
 * @vq: the queue, locked
 */
unsigned int vhc_vq_size(const struct vhc_vq *vq)
{
	return vq->ring.num;
}
VHC_EXPORT(vhc_vq_size);

/**
 * vhc_vq_is_broken() - whether a queue must not touch its ring any more
 * @vq: the queue, locked
 */
bool vhc_vq_is_broken(const struct vhc_vq *vq)
{
	return vq->state == VHC_VQ_BROKEN;
}
VHC_EXPORT(vhc_vq_is_broken);

/**
 * vhc_vq_is_set_up() - whether user space has said where a queue's ring is
 * @vq: the queue, locked
 */
bool vhc_vq_is_set_up(const struct vhc_vq *vq)
{
	return vq->addr_set && vq->ring.num;
}
VHC_EXPORT(vhc_vq_is_set_up);

/**
 * vhc_vq_set_priv() - set the device module's own pointer
 * @vq: the queue, locked or not yet in use
 * @priv: anything
 */
void vhc_vq_set_priv(struct vhc_vq *vq, void *priv)
{
	vq->priv = priv;
}
VHC_EXPORT(vhc_vq_set_priv);

/**
 * vhc_vq_lock() - keep a queue from running
 * @vq: the queue; waits for the turn it is in
 *
 * Context: may sleep. Nests inside the device's lock.
 */
void vhc_vq_lock(struct vhc_vq *vq)
{
	/* Busy polling holds the lock, and ends when somebody wants it. */
	atomic_inc(&vq->lockers);
	mutex_lock(&vq->mutex);
	atomic_dec(&vq->lockers);
}
VHC_EXPORT(vhc_vq_lock);

/**
 * vhc_vq_unlock() - let it run again
 * @vq: the queue
 */
void vhc_vq_unlock(struct vhc_vq *vq)
{
	mutex_unlock(&vq->mutex);
}
VHC_EXPORT(vhc_vq_unlock);

/* ---- counters and rejections ------------------------------------------ */

static void note_rejection(struct vhc_vq *vq, unsigned int rejection)
{
	vq->rejected[rejection]++;
	vq->bad++;
	trace_vhost_reject(VHC_WHO(vq), vhc_stats_rejection(vq, rejection, NULL));
}

/**
 * vhc_vq_reject() - count one bad request that the queue survives
 * @vq: the queue, locked
 * @rejection: index in the driver's list
 */
void vhc_vq_reject(struct vhc_vq *vq, unsigned int rejection)
{
	note_rejection(vq, VHC_R_DRIVER + rejection);
}
VHC_EXPORT(vhc_vq_reject);

/**
 * vhc_turn_is_over() - whether a turn should end before its weight is used up
 * @vq: the queue, locked
 * @done: chains that the turn has dealt with
 *
 * For drivers to ask after a batch. It should when another task is due on this
 * CPU, but not after the first batch: the guest that was just woken by that is
 * not what it should end for. Or when as many chains as a batch has were
 * rejected: see pause() in notify.c.
 *
 * Return: true if run() should return VHC_MORE.
 */
bool vhc_turn_is_over(const struct vhc_vq *vq, unsigned int done)
{
	return vq->bad >= VHC_BATCH || (done > VHC_BATCH && vhc_should_yield());
}
VHC_EXPORT(vhc_turn_is_over);

/**
 * vhc_vq_counters() - the device module's own counters of a queue
 * @vq: the queue; counting is done with it locked
 *
 * Return: the driver's nr_counters of them, good as long as the device is open.
 */
u64 *vhc_vq_counters(struct vhc_vq *vq)
{
	return vq->drv_counter;
}
VHC_EXPORT(vhc_vq_counters);

/**
 * vhc_vq_who() - by what a tracepoint names a queue
 * @vq: the queue
 * @dev: out: the device's number, as netlink has it
 * @index: out: index of the queue in its device
 * @owner: out: process id of the device's owner
 *
 * Context: any.
 */
void vhc_vq_who(const struct vhc_vq *vq, u32 *dev, u32 *index, int *owner)
{
	*dev = vq->dev->id;
	*index = vq->index;
	*owner = vq->dev->owner_pid;
}
VHC_EXPORT(vhc_vq_who);

/*
 * The ring makes no sense, or its memory is gone: the queue stops until user
 * space starts it again. Other queues and other guests do not notice.
 */
void vhc_vq_break(struct vhc_vq *vq, unsigned int rejection)
{
	const struct vhc_dev *dev = vq->dev;
	const char *name, *text;

	/* What fails on the way out of a broken turn is a consequence. */
	if (vq->state == VHC_VQ_BROKEN)
		return;
	note_rejection(vq, rejection);
	vq->state = VHC_VQ_BROKEN;
	name = vhc_stats_rejection(vq, rejection, &text);
	if (__ratelimit(&vq->dev->log_limit))
		pr_warn("%s[%d %s] vq %u: rejected: %s: %s\n", vhc_dev_name(dev),
			dev->owner_pid, dev->owner_comm, vq->index, name, text);
	vhc_notify_error(vq);
	vhc_netlink_vq_broken(vq, name);
	/* A device of the vdpa dialect says so in its status. */
	vhc_dev_config_changed(vq->dev);
}

/**
 * vhc_vq_data_fault() - guest memory of a chain could not be accessed
 * @vq: the queue, locked; broken afterwards
 */
void vhc_vq_data_fault(struct vhc_vq *vq)
{
	vhc_vq_break(vq, VHC_R_DATA_FAULT);
}
VHC_EXPORT(vhc_vq_data_fault);

/* Turn the ring code's error into a broken queue and an errno. */
static int ring_error(struct vhc_vq *vq, int err)
{
	if (err == -VRING_E_AGAIN)
		return -EAGAIN;
	vhc_vq_break(vq, -err);
	return -EPROTO;
}

/* ---- guest addresses --------------------------------------------------- */

/* No address is inside an empty region: start - addr always exceeds its size. */
static void cache_clear(struct vhc_vq *vq)
{
	struct vhc_region *c;

	for (c = vq->cache; c < vq->cache + ARRAY_SIZE(vq->cache); c++) {
		c->start = 1;
		c->last = 0;
		c->perm = 0;
	}
}

static inline bool cache_hit(const struct vhc_region *c, u64 addr, u32 perm)
{
	return addr >= c->start && addr <= c->last && (c->perm & perm) == perm;
}

/*
 * The region of @addr, if it is one of the last two: a driver's headers and
 * its data are often in different ones.
 */
static __always_inline const struct vhc_region *cached(const struct vhc_vq *vq, u64 addr,
						       u32 perm)
{
	if (likely(cache_hit(&vq->cache[0], addr, perm)))
		return &vq->cache[0];
	if (cache_hit(&vq->cache[1], addr, perm))
		return &vq->cache[1];
	return NULL;
}

/*
 * Find the region of @addr, and remember it.
 *
 * Return: 0, -VRING_E_AGAIN after asking the VMM, or the negative of an enum
 * vhc_rejection.
 */
static int find_region(struct vhc_vq *vq, u64 addr, u32 perm, const struct vhc_region **region)
{
	struct vhc_region *c = &vq->cache[vq->cache_next];
	struct vhc_dev *dev = vq->dev;
	const struct vhc_region *r;

	if (dev->iotlb) {
		if (!vhc_iotlb_find(dev->iotlb, addr, c) || (c->perm & perm) != perm) {
			if (dev->vdpa) {
				/* All maps are here: there is nobody to ask. */
				cache_clear(vq);
				return -VHC_R_ADDR_UNMAPPED;
			}
			/*
			 * A mapping without the permission is a miss as well:
			 * the guest may just have changed it.
			 */
			cache_clear(vq);
			vhc_iotlb_miss(vq, addr, perm);
			return -VRING_E_AGAIN;
		}
	} else {
		r = dev->mem ? vhc_mem_find(dev->mem, addr) : NULL;
		if (!r)
			return -VHC_R_ADDR_UNMAPPED;
		*c = *r;
	}
	vq->cache_next ^= 1;
	*region = c;
	return 0;
}

static inline void __user *cache_user(const struct vhc_region *c, u64 addr)
{
	return (void __user *)(uintptr_t)(c->user + (addr - c->start));
}

/*
 * Translate @len bytes at @addr into @iov. @len is not 0 and does not wrap.
 *
 * Return: number of iovecs, 0 if @room did not suffice, or the negative of an
 * error as find_region().
 */
static noinline int translate_slow(struct vhc_vq *vq, u64 addr, u32 len, u32 perm,
				   struct iovec *iov, unsigned int room)
{
	unsigned int n = 0;

	for (;;) {
		const struct vhc_region *c = cached(vq, addr, perm);
		u64 left;

		if (unlikely(!c)) {
			int err = find_region(vq, addr, perm, &c);

			if (err)
				return err;
		}
		if (unlikely(n == room))
			return 0;
		iov[n].iov_base = cache_user(c, addr);
		left = c->last - addr;
		if (likely(len - 1 <= left)) {
			iov[n].iov_len = len;
			return n + 1;
		}
		iov[n].iov_len = left + 1;
		n++;
		addr += left + 1;
		len -= left + 1;
	}
}

/* The same, inline for what lies in one of the regions met last. */
static __always_inline int translate(struct vhc_vq *vq, u64 addr, u32 len, u32 perm,
				     struct iovec *iov, unsigned int room)
{
	const struct vhc_region *c = cached(vq, addr, perm);

	if (unlikely(!c || addr + (len - 1) > c->last || !room))
		return translate_slow(vq, addr, len, perm, iov, room);
	iov->iov_base = cache_user(c, addr);
	iov->iov_len = len;
	return 1;
}

/* The seam of ring/: read an indirect table. */
int vring_read_guest(const struct vring_dev *r, u64 addr, void *dst, u32 len)
{
	struct vhc_vq *vq = container_of(r, struct vhc_vq, ring);

	while (len) {
		const struct vhc_region *c = cached(vq, addr, VHC_PERM_R);
		u64 n;
		int err;

		if (!c) {
			err = find_region(vq, addr, VHC_PERM_R, &c);
			if (err == -VRING_E_AGAIN)
				return err;
			if (err)
				return -VRING_E_INDIRECT_ADDR;
		}
		n = min_t(u64, len, c->last - addr + 1);
		barrier_nospec();
		if (!vhc_copy_from_user(dst, cache_user(c, addr), n))
			return -VRING_E_FAULT;
		addr += n;
		dst += n;
		len -= n;
	}
	return 0;
}

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

		err = translate(vq, addr, n, perm, &iov, 1);
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
	cache_clear(vq);
	if (vq->dev->iotlb)
		vq->mapped = false;
}

/* Go on in a mapped ring where @base says. */
static int take_up(struct vhc_vq *vq)
{
	int err = RING(vq, start, vq->base);

	if (err)
		return err;
	vq->started = true;
	return vhc_log_used(vq, 0, vq->ring.packed ? VRING_PACKED_EVENT_SIZE : 2);
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
	cache_clear(vq);
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
		if (take_up(vq))
			return -EFAULT;
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
	vhc_vq_lock(vq);
	if (vq->state == VHC_VQ_RUNNING || (discard && vq->state == VHC_VQ_DRAINING))
		vq->state = discard ? VHC_VQ_BROKEN : VHC_VQ_DRAINING;
	vhc_vq_unlock(vq);
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

/* ---- the verbs ----------------------------------------------------------- */

/* Translate the chains of a batch; returns how many could be. */
static int translate_batch(struct vhc_vq *vq, int nr)
{
	const struct vring_batch *b = &vq->batch;
	const struct vring_chain *rc = b->chain;
	struct iovec *iov = vq->iov, *end = iov + VHC_IOV_MAX;
	struct vhc_chain *c = vq->chain;
	int i, k;

	for (i = 0; i < nr; i++, rc++, c++) {
		const struct vring_seg *s = b->seg + rc->seg;

		c->iov = iov;
		c->id = rc->id;
		c->slots = rc->slots;
		c->out_len = rc->out_len;
		c->in_len = rc->in_len;
		c->written = 0;
		if (likely(rc->nr_seg == 1)) {
			int n = translate(vq, s->addr, s->len, rc->nr_out ?
					  VHC_PERM_R : VHC_PERM_W, iov, end - iov);

			if (likely(n == 1)) {
				c->nr_out = rc->nr_out;
				c->nr_in = 1 - rc->nr_out;
				iov++;
				continue;
			}
		}
		c->nr_out = 0;
		for (k = 0; k < rc->nr_seg; k++, s++) {
			u32 perm = s->flags & VRING_D_WRITE ? VHC_PERM_W : VHC_PERM_R;
			int n;

			if (k == rc->nr_out)
				c->nr_out = iov - c->iov;
			n = translate(vq, s->addr, s->len, perm, iov, end - iov);
			if (unlikely(n <= 0)) {
				/* Those before it first; it is met again. */
				if (i)
					return i;
				return n ? n : -VRING_E_SEGS;
			}
			iov += n;
		}
		if (rc->nr_out == rc->nr_seg)
			c->nr_out = iov - c->iov;
		c->nr_in = iov - c->iov - c->nr_out;
	}
	return nr;
}

/**
 * vhc_vq_fetch() - take chains out of the ring
 * @vq: the queue, locked, in a turn
 * @max: at most so many; never more than VHC_BATCH
 * @chains: out: the chains, valid until the next fetch or the turn's end
 *
 * Return: number of chains; 0 if there are none; -EAGAIN if the VMM has to
 * translate an address first (the queue is woken when it has); -EPROTO if the
 * ring is malformed (the queue is broken now).
 */
int vhc_vq_fetch(struct vhc_vq *vq, unsigned int max, struct vhc_chain **chains)
{
	int nr, ok, i;

	if (unlikely(vq->state != VHC_VQ_RUNNING))
		return vq->state == VHC_VQ_DRAINING ? 0 : -EPROTO;
	nr = RING(vq, fetch, &vq->batch, max);
	if (nr <= 0)
		return nr ? ring_error(vq, nr) : 0;

	ok = translate_batch(vq, nr);
	if (unlikely(ok < nr)) {
		for (i = max(ok, 0); i < nr; i++)
			vring_unfetch(&vq->ring, vq->batch.chain[i].slots);
		if (ok < 0)
			return ring_error(vq, ok);
	}
	/* Addresses made from a mispredicted region stay unused. */
	barrier_nospec();

	vhc_count(vq, VHC_C_BATCHES, 1);
	if (vq->kicked)
		vq->kicked = false;
	else
		vhc_count(vq, VHC_C_KICKS_SUPPRESSED, 1);
	trace_vhost_fetch(VHC_WHO(vq), ok);
	*chains = vq->chain;
	return ok;
}
VHC_EXPORT(vhc_vq_fetch);

/**
 * vhc_vq_unfetch() - give back the last chains that were fetched
 * @vq: the queue, locked, in a turn
 * @c: the first of them
 * @n: how many
 */
void vhc_vq_unfetch(struct vhc_vq *vq, const struct vhc_chain *c, unsigned int n)
{
	u32 slots = 0;

	for (; n; n--, c++)
		slots += c->slots;
	vring_unfetch(&vq->ring, slots);
}
VHC_EXPORT(vhc_vq_unfetch);

/* Mark what was written to chains. */
static int log_written(struct vhc_vq *vq, const struct vhc_chain *c, unsigned int n)
{
	for (; n; n--, c++) {
		if (c->written && vhc_log_chain(vq->dev, c)) {
			vhc_vq_break(vq, VHC_R_LOG_FAULT);
			return -EPROTO;
		}
	}
	return 0;
}

/**
 * vhc_vq_put() - record finished chains
 * @vq: the queue, locked, in a turn
 * @c: the first one; @written is set in each
 * @n: how many in a row
 *
 * The guest does not see them yet.
 *
 * Return: 0, or -EPROTO with the queue broken.
 */
int vhc_vq_put(struct vhc_vq *vq, const struct vhc_chain *c, unsigned int n)
{
	u64 out = 0, in = 0;

	if (unlikely(vq->dev->log_all)) {
		int err = log_written(vq, c, n);

		if (err)
			return err;
	}
	vhc_count(vq, VHC_C_CHAINS, n);
	while (n) {
		unsigned int row = min(n, VRING_BATCH);
		const struct vhc_chain *end = c + row;
		struct vring_done *done;
		u32 slots = 0;
		int err;

		err = vring_put_begin(&vq->ring, row, &done);
		for (; likely(!err) && c < end; c++, done++) {
			done->id = c->id;
			done->slots = c->slots;
			done->len = c->written;
			done->out_only = !c->in_len;
			slots += c->slots;
			out += c->out_len;
			in += c->written;
		}
		if (likely(!err))
			err = vring_put_end(&vq->ring, row, slots);
		if (unlikely(err))
			return ring_error(vq, err);
		n -= row;
	}
	vhc_count(vq, VHC_C_BYTES_READ, out);
	vhc_count(vq, VHC_C_BYTES_WRITTEN, in);
	return 0;
}
VHC_EXPORT(vhc_vq_put);

/*
 * Mark what a publish wrote between two positions: the entries, which may go
 * round the end, and in a split ring the index.
 */
static int log_published(struct vhc_vq *vq, u16 first, u32 n)
{
	const struct vring_dev *r = &vq->ring;
	u32 slot = vring_slot(r, first);
	u32 tail = min(n, r->num - slot);
	int err;

	if (r->packed) {
		err = vhc_log_desc(vq, 16 * slot, 16 * tail);
		return err || n <= tail ? err : vhc_log_desc(vq, 0, 16 * (n - tail));
	}
	err = vhc_log_used(vq, 4 + 8 * slot, 8 * tail);
	if (!err && n > tail)
		err = vhc_log_used(vq, 4, 8 * (n - tail));
	if (!err)
		err = vhc_log_used(vq, 2, 2);
	return err;
}

/**
 * vhc_vq_keep() - a chain will be completed in a later turn
 * @vq: the queue, locked, in a turn
 *
 * The device keeps a copy of the chain, without its iovecs (unless it took the
 * memory that they name), and calls vhc_vq_complete() for it exactly once.
 */
void vhc_vq_keep(struct vhc_vq *vq)
{
	vq->in_flight++;
}
VHC_EXPORT(vhc_vq_keep);

/**
 * vhc_vq_complete() - as vhc_vq_put(), for a chain that was kept
 * @vq: the queue, locked, in a turn
 * @c: the chain
 *
 * Chains of a broken queue are forgotten.
 *
 * Return: 0, or -EPROTO with the queue broken.
 */
int vhc_vq_complete(struct vhc_vq *vq, const struct vhc_chain *c)
{
	vq->in_flight--;
	if (unlikely(vq->state == VHC_VQ_BROKEN))
		return -EPROTO;
	return vhc_vq_put(vq, c, 1);
}
VHC_EXPORT(vhc_vq_complete);

/**
 * vhc_vq_last_in() - guest address of the last byte that a device may write
 * @vq: the queue, locked, in a turn
 * @c: a chain of the last fetch, with @in_len not 0
 *
 * Unlike the chain's iovecs it can be kept, for vhc_vq_write_guest().
 */
u64 vhc_vq_last_in(const struct vhc_vq *vq, const struct vhc_chain *c)
{
	const struct vring_chain *rc = &vq->batch.chain[c - vq->chain];
	const struct vring_seg *s = &vq->batch.seg[rc->seg + rc->nr_seg - 1];

	return s->addr + (s->len - 1);
}
VHC_EXPORT(vhc_vq_last_in);

/**
 * vhc_vq_write_byte() - write a byte of a chain that was taken in an earlier turn
 * @vq: the queue, locked, in a turn
 * @addr: guest address, from vhc_vq_last_in()
 * @byte: what to write
 *
 * The address is translated anew: the guest's memory may have changed since.
 *
 * Return: 0, or -EPROTO with the queue broken.
 */
int vhc_vq_write_byte(struct vhc_vq *vq, u64 addr, u8 byte)
{
	struct iovec iov;
	int n;

	if (unlikely(vq->state == VHC_VQ_BROKEN))
		return -EPROTO;
	n = translate(vq, addr, 1, VHC_PERM_W, &iov, 1);
	if (unlikely(n != 1))
		return ring_error(vq, n);
	barrier_nospec();
	if (unlikely(put_user(byte, (u8 __user *)iov.iov_base))) {
		vhc_vq_data_fault(vq);
		return -EPROTO;
	}
	if (unlikely(vq->dev->log_all) &&
	    vhc_log_user(vq->dev, (uintptr_t)iov.iov_base, 1)) {
		vhc_vq_break(vq, VHC_R_LOG_FAULT);
		return -EPROTO;
	}
	return 0;
}
VHC_EXPORT(vhc_vq_write_byte);

/**
 * vhc_vq_publish() - show recorded chains to the guest, interrupt it if it wants
 * @vq: the queue, locked, in a turn
 *
 * At most one signal, however many chains.
 *
 * Return: number of ring entries shown, or -EPROTO with the queue broken.
 */
int vhc_vq_publish(struct vhc_vq *vq)
{
	u16 first = vq->ring.published;
	int n, err;

	n = RING(vq, publish);
	if (n <= 0)
		return n ? ring_error(vq, n) : 0;
	trace_vhost_publish(VHC_WHO(vq), n);
	if (unlikely(vq->log_used && vq->dev->log_all)) {
		err = log_published(vq, first, n);
		if (err)
			return ring_error(vq, err);
	}
	err = RING(vq, need_signal);
	if (unlikely(err < 0))
		return ring_error(vq, err);
	if (err)
		vhc_notify_signal(vq);
	else
		vhc_count(vq, VHC_C_SIGNALS_SUPPRESSED, 1);
	return n;
}
VHC_EXPORT(vhc_vq_publish);

/* Mark where we wrote whether we want kicks. */
static int log_wish(struct vhc_vq *vq)
{
	const struct vring_dev *r = &vq->ring;
	u32 off = !r->packed && r->event_idx ? 4 + 8 * r->num : 0;
	int err = vhc_log_used(vq, off, r->packed ? VRING_PACKED_EVENT_SIZE : 2);

	return err ? ring_error(vq, err) : 0;
}

/*
 * The guest's notifications on and off. The first returns 1 if chains have
 * come meanwhile, or with @news more of them; both -EPROTO with the queue
 * broken.
 */
int vhc_vq_kick_enable(struct vhc_vq *vq, bool news)
{
	int more = news ? RING(vq, kick_more) : RING(vq, kick_enable);
	int err;

	if (unlikely(more < 0))
		return ring_error(vq, more);
	err = log_wish(vq);
	return err ? err : more;
}

int vhc_vq_kick_disable(struct vhc_vq *vq)
{
	u16 old = vq->ring.used_flags;
	int err = RING(vq, kick_disable);

	if (unlikely(err))
		return ring_error(vq, err);
	return vq->ring.used_flags != old ? log_wish(vq) : 0;
}

/* Return: 1 or 0, or -EPROTO with the queue broken. */
int vhc_vq_has_avail(struct vhc_vq *vq)
{
	int err = RING(vq, has_avail);

	return err < 0 ? ring_error(vq, err) : err;
}

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
	cache_clear(vq);
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
	cache_clear(vq);
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
