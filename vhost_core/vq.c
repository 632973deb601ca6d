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
#include <linux/nospec.h>

#include "internal.h"
#include "trace.h"

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
 * @vq: the queue; locked, or it may become so at any time
 */
bool vhc_vq_is_broken(const struct vhc_vq *vq)
{
	return READ_ONCE(vq->state) == VHC_VQ_BROKEN;
}
VHC_EXPORT(vhc_vq_is_broken);

/**
 * vhc_vq_is_draining() - whether a queue is about to be stopped
 * @vq: the queue, locked
 *
 * What it has taken is to be completed soon: vhc_vq_drain() waits for that.
 */
bool vhc_vq_is_draining(const struct vhc_vq *vq)
{
	return vq->state == VHC_VQ_DRAINING;
}
VHC_EXPORT(vhc_vq_is_draining);

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
	WRITE_ONCE(vq->state, VHC_VQ_BROKEN);
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
				vhc_vq_cache_clear(vq);
				return -VHC_R_ADDR_UNMAPPED;
			}
			/*
			 * A mapping without the permission is a miss as well:
			 * the guest may just have changed it.
			 */
			vhc_vq_cache_clear(vq);
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

/* The same, for who is in no hurry. */
int vhc_vq_translate(struct vhc_vq *vq, u64 addr, u32 len, u32 perm, struct iovec *iov,
		     unsigned int room)
{
	return translate_slow(vq, addr, len, perm, iov, room);
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
	u32 room = vq->ring.num - vq->in_flight;
	int nr, ok, i;

	if (unlikely(vq->state != VHC_VQ_RUNNING))
		return vq->state == VHC_VQ_DRAINING ? 0 : -EPROTO;
	if (unlikely(!room)) {
		/* A ring's worth of chains is under way: there are no others. */
		nr = vhc_vq_has_avail(vq);
		return nr > 0 ? ring_error(vq, -VRING_E_AVAIL_IDX) : nr;
	}
	nr = VHC_RING(vq, fetch, &vq->batch, min(max, room));
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

	n = VHC_RING(vq, publish);
	if (n <= 0)
		return n ? ring_error(vq, n) : 0;
	trace_vhost_publish(VHC_WHO(vq), n);
	if (unlikely(vq->log_used && vq->dev->log_all)) {
		err = log_published(vq, first, n);
		if (err)
			return ring_error(vq, err);
	}
	err = VHC_RING(vq, need_signal);
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
	int more = news ? VHC_RING(vq, kick_more) : VHC_RING(vq, kick_enable);
	int err;

	if (unlikely(more < 0))
		return ring_error(vq, more);
	err = log_wish(vq);
	return err ? err : more;
}

int vhc_vq_kick_disable(struct vhc_vq *vq)
{
	u16 old = vq->ring.used_flags;
	int err = VHC_RING(vq, kick_disable);

	if (unlikely(err))
		return ring_error(vq, err);
	return vq->ring.used_flags != old ? log_wish(vq) : 0;
}

/* Return: 1 or 0, or -EPROTO with the queue broken. */
int vhc_vq_has_avail(struct vhc_vq *vq)
{
	int err = VHC_RING(vq, has_avail);

	return err < 0 ? ring_error(vq, err) : err;
}
