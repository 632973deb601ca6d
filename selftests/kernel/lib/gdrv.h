/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's half of a test: the driver side of a virtqueue.
 *
 *	gring_add()		put a buffer into the ring (invisible yet)
 *	gring_publish()		show all added buffers to the device
 *	gring_want_kick()	does the device want to be told?
 *	gring_kick()		publish, and tell it if so
 *	gring_get()		take back a buffer that the device is done with
 *	gring_call_enable()	ask for an interrupt; false if there is no need
 *				to wait, since something is used already
 *	gring_call_disable()	do without interrupts
 *	gring_wait()		enable, and wait on the call eventfd
 *
 * Tests that have to write a malformed ring reach through to @desc, @avail and
 * @used. All but gring_wait() and the kick itself are inline and make no system
 * call, so that a benchmark may count instructions around them.
 *
 * The host is little-endian, so the ring's fields are used as they are.
 */
#ifndef VHOST_TEST_GDRV_H
#define VHOST_TEST_GDRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the guest driver does not swap bytes");

enum gring_layout {
	GRING_SPLIT,
};

/* One segment of a buffer, as the guest sees it. */
struct gseg {
	__u64 addr;
	__u32 len;
};

/* What the driver remembers of a descriptor that heads a buffer. */
struct gring_head {
	void *token;
	__u16 next;	/* next free descriptor, or next of the chain */
	__u16 nr;	/* descriptors of the chain */
};

/**
 * struct gring - driver side of one virtqueue
 * @layout: how the ring's memory is laid out
 * @num: entries
 * @event_idx: VIRTIO_F_EVENT_IDX is in use
 * @desc: descriptor table
 * @avail: available ring
 * @used: used ring
 * @head: driver's notes, @num of them
 * @free_head: first free descriptor
 * @nr_free: number of free ones
 * @avail_idx: next available entry to write
 * @shown_idx: available index as last published
 * @kicked_idx: available index at the last decision about a kick
 * @last_used: next used entry to read
 * @table: guest memory for indirect tables, @table_len entries for each head
 * @table_addr: its guest address
 * @table_len: entries
 * @kick: eventfd, to the device
 * @call: eventfd, from the device
 * @err: eventfd, from the device when it gives up on the queue
 */
struct gring {
	enum gring_layout layout;
	__u16 num;
	bool event_idx;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct gring_head *head;
	__u16 free_head;
	__u16 nr_free;
	__u16 avail_idx;
	__u16 shown_idx;
	__u16 kicked_idx;
	__u16 last_used;
	struct vring_desc *table;
	__u64 table_addr;
	unsigned int table_len;
	int kick;
	int call;
	int err;
};

/* Sizes of the parts, with the event index fields. */
#define GRING_DESC_SIZE(num)	((size_t)(num) * 16)
#define GRING_AVAIL_SIZE(num)	(6 + (size_t)(num) * 2)
#define GRING_USED_SIZE(num)	(6 + (size_t)(num) * 8)

/* Take up a ring in memory that the caller chose; begins at index @base. */
int gring_init(struct gring *r, __u16 num, void *desc, void *avail, void *used,
	       __u64 features, __u16 base);
/* The same, in memory from @v; with @table_len entries for indirect tables. */
int gring_alloc(struct gring *r, struct vmm *v, __u16 num, __u64 features,
		unsigned int table_len);
void gring_free(struct gring *r);
/* Forget all buffers and begin anew at @base; the eventfds stay, emptied. */
void gring_reset(struct gring *r, __u16 base);
/* Set up queue @vq of the device for the ring: all but the backend. */
int gring_attach(struct gring *r, struct vmm *v, unsigned int vq);
/* gring_attach() in parts: addresses only, with flags and log address. */
int gring_set_addr(struct gring *r, struct vmm *v, unsigned int vq,
		   unsigned int flags, __u64 log);
/* Wait on the call eventfd until something is used; false after @ms. */
bool gring_wait(struct gring *r, int ms);
/* Indirect flavour of gring_add(). */
int gring_add_indirect(struct gring *r, const struct gseg *seg, unsigned int out,
		       unsigned int in, void *token);

static inline __u16 *gring_used_event(const struct gring *r)
{
	return &r->avail->ring[r->num];
}

static inline __u16 *gring_avail_event(const struct gring *r)
{
	return (__u16 *)&r->used->ring[r->num];
}

/* Did @idx move past @event on its way from @old to @idx? Section 2.7.10. */
static inline bool gring_passed(__u16 event, __u16 idx, __u16 old)
{
	return (__u16)(idx - event - 1) < (__u16)(idx - old);
}

/* Put a head into the available ring, whatever it names. */
static inline void gring_push(struct gring *r, __u16 id)
{
	r->avail->ring[r->avail_idx++ & (r->num - 1)] = id;
}

/**
 * gring_add() - add a buffer
 * @r: the ring
 * @seg: its segments, those that the device reads first
 * @out: number of segments that the device reads
 * @in: number of segments that it writes
 * @token: comes back from gring_get()
 *
 * Return: the head's index, or -1 if there is no room.
 */
static inline int gring_add(struct gring *r, const struct gseg *seg,
			    unsigned int out, unsigned int in, void *token)
{
	unsigned int i, n = out + in;
	__u16 id = r->free_head, at = id;

	if (r->nr_free < n)
		return -1;
	for (i = 0; i < n; i++) {
		struct vring_desc *d = &r->desc[at];

		d->addr = seg[i].addr;
		d->len = seg[i].len;
		d->flags = (i >= out ? VRING_DESC_F_WRITE : 0) |
			   (i + 1 < n ? VRING_DESC_F_NEXT : 0);
		d->next = r->head[at].next;
		at = r->head[at].next;
	}
	r->free_head = at;
	r->nr_free -= n;
	r->head[id].token = token;
	r->head[id].nr = n;
	gring_push(r, id);
	return id;
}

/* Show what was added. Pairs with the device's barrier after loading idx. */
static inline void gring_publish(struct gring *r)
{
	__atomic_store_n(&r->avail->idx, r->avail_idx, __ATOMIC_RELEASE);
	r->shown_idx = r->avail_idx;
}

/* Whether the device wants a kick for what was published since last asked. */
static inline bool gring_want_kick(struct gring *r)
{
	__u16 old = r->kicked_idx;

	/* Store of idx before the load of the wish; pairs with kick_enable. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	r->kicked_idx = r->shown_idx;
	if (r->event_idx)
		return gring_passed(__atomic_load_n(gring_avail_event(r),
						    __ATOMIC_RELAXED),
				    r->shown_idx, old);
	return !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) &
		 VRING_USED_F_NO_NOTIFY);
}

/* Publish and kick. Returns whether it made the system call. */
static inline bool gring_kick(struct gring *r)
{
	gring_publish(r);
	if (!gring_want_kick(r))
		return false;
	evt_signal(r->kick);
	return true;
}

/* Number of buffers that the device returned and we did not take yet. */
static inline __u16 gring_pending(const struct gring *r)
{
	return __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) - r->last_used;
}

/**
 * gring_get() - take back a used buffer
 * @r: the ring
 * @len: what the device says it wrote
 * @token: of gring_add()
 *
 * Return: the head's index, -1 if there is none, -2 if the device returned
 * something that it did not have.
 */
static inline int gring_get(struct gring *r, __u32 *len, void **token)
{
	const struct vring_used_elem *e;
	struct gring_head *h;
	__u16 at, i;
	__u32 id;

	if (!gring_pending(r))
		return -1;
	e = &r->used->ring[r->last_used & (r->num - 1)];
	id = e->id;
	if (id >= r->num || !r->head[id].nr)
		return -2;
	h = &r->head[id];
	*len = e->len;
	*token = h->token;
	at = id;
	for (i = 1; i < h->nr; i++)
		at = r->head[at].next;
	r->head[at].next = r->free_head;
	r->free_head = id;
	r->nr_free += h->nr;
	h->nr = 0;
	r->last_used++;
	return id;
}

/* Ask for an interrupt. False: do not wait, there is something to get. */
static inline bool gring_call_enable(struct gring *r)
{
	if (r->event_idx)
		__atomic_store_n(gring_used_event(r), r->last_used,
				 __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->avail->flags, 0, __ATOMIC_RELAXED);
	/* Store of the wish before the load of idx; pairs with need_signal. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !gring_pending(r);
}

static inline void gring_call_disable(struct gring *r)
{
	if (r->event_idx)
		/* As far away as can be: behind us. */
		__atomic_store_n(gring_used_event(r), r->last_used - 1,
				 __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->avail->flags, VRING_AVAIL_F_NO_INTERRUPT,
				 __ATOMIC_RELAXED);
}

#endif /* VHOST_TEST_GDRV_H */
