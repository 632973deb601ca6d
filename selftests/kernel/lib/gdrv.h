/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's half of a test: the driver side of a virtqueue, in both layouts.
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
 * The features decide: a split ring (section 2.7 of the specification) or with
 * VIRTIO_F_RING_PACKED a packed one (2.8), either with or without EVENT_IDX and
 * VIRTIO_F_IN_ORDER. gsplit.h and gpacked.h have the layouts' own parts.
 *
 * The driver believes nothing. What the device may not do makes gring_get()
 * return -2, and @error tells which rule was broken:
 *
 *	used_idx	more is used than is available
 *	used_id		an id of no buffer that the device has
 *	used_order	IN_ORDER: the id of a buffer, but not of one in this batch
 *	used_hole	IN_ORDER: a buffer to be written was passed over
 *	used_len	more bytes written than the buffer has room for
 *	used_flag	packed: bytes written, but not VRING_DESC_F_WRITE
 *	event_flags	packed: no value that the device may store there
 *
 * With IN_ORDER the device may use a batch of buffers with one entry:
 *
 * - It has the id of the last buffer of the batch, and lies where the entry of
 *   the first one would: in a split ring at the used index before the batch,
 *   which then grows by the number of buffers (2.7.9); in a packed one in the
 *   slot of the batch's first descriptor, and the next one as many descriptors
 *   further as the batch has (2.8.8). Linux reads both just there
 *   (virtqueue_get_buf_ctx_split_in_order(), ..._packed_in_order()), and
 *   one entry for each buffer as batches of one.
 * - Linux finds the end of the batch by walking its own buffers until their
 *   head is the id, and would walk on through buffers that are not used:
 *   used_order. (In a packed ring Linux gives buffers their head's slot as id.
 *   The specification does not say so, hence nor do we.)
 * - A buffer that was passed over counts as filled to its end (2.7.9), which
 *   Linux believes. But DPDK reads an entry for each received buffer
 *   (virtqueue_dequeue_rx_inorder()): used_hole.
 * - The driver uses descriptors in the order of the ring, from 0 on (2.7.5),
 *   whatever index the ring itself begins at.
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

/* One segment of a buffer, as the guest sees it. */
struct gseg {
	__u64 addr;
	__u32 len;
};

/*
 * What the driver remembers of a buffer; its index is that of the head
 * descriptor in a split ring, the buffer's id in a packed one. The exception
 * is @id, whose index is a slot of a packed ring: the id of the buffer that
 * begins there.
 */
struct gring_head {
	void *token;
	__u32 room;	/* bytes that the device may write */
	__u32 len;	/* packed: what it says it wrote */
	__u16 next;	/* next free one; split: or next of the chain */
	__u16 nr;	/* descriptors of the buffer; 0: none with the device */
	__u16 id;
	bool seen;	/* packed: used, and counted as pending */
};

/**
 * struct gring - driver side of one virtqueue
 * @packed: VIRTIO_F_RING_PACKED is in use
 * @in_order: VIRTIO_F_IN_ORDER is in use
 * @event_idx: VIRTIO_F_EVENT_IDX is in use
 * @num: entries
 * @desc: descriptor table
 * @pdesc: descriptor ring of a packed ring
 * @avail: available ring
 * @driver: driver event suppression of a packed ring
 * @used: used ring
 * @device: device event suppression of a packed ring
 * @head: driver's notes, @num of them
 * @error: what the device did that it may not do, or NULL
 * @free_head: first free descriptor, or free id
 * @nr_free: number of free descriptors
 * @avail_idx: next available entry to write. In a packed ring this and the
 *	following three are slots, with the wrap counter in bit 15
 * @shown_idx: the same as last published
 * @last_used: next used entry to read
 * @kicked_idx: split: available index at the last decision about a kick
 * @nr_seen: packed: used buffers from @last_used on that were looked at ahead
 * @seen: packed: next used descriptor to look at, if there are any
 * @avail_bits: packed: of descriptors that become available in this lap
 * @hidden: packed: flags of the first unpublished descriptor
 * @nr_shown: packed: published since the last decision about a kick
 * @batch: split, in order: buffers left of the batch
 * @batch_len: length that the batch's last buffer has
 * @table: guest memory for indirect tables, @table_len entries for each head
 * @table_addr: its guest address
 * @table_len: entries
 * @kick: eventfd, to the device
 * @call: eventfd, from the device
 * @err: eventfd, from the device when it gives up on the queue
 */
struct gring {
	bool packed;
	bool in_order;
	bool event_idx;
	__u16 num;
	union {
		struct vring_desc *desc;
		struct vring_packed_desc *pdesc;
	};
	union {
		struct vring_avail *avail;
		struct vring_packed_desc_event *driver;
	};
	union {
		struct vring_used *used;
		struct vring_packed_desc_event *device;
	};
	struct gring_head *head;
	const char *error;
	__u16 free_head;
	__u16 nr_free;
	__u16 avail_idx;
	__u16 shown_idx;
	__u16 last_used;
	__u16 kicked_idx;
	__u16 seen;
	__u16 nr_seen;
	__u16 avail_bits;
	__u16 hidden;
	unsigned int nr_shown;
	__u16 batch;
	__u32 batch_len;
	struct vring_desc *table;
	__u64 table_addr;
	unsigned int table_len;
	int kick;
	int call;
	int err;
};

/* Sizes of the parts of a split ring, with the event index fields. */
#define GRING_DESC_SIZE(num)	((size_t)(num) * 16)
#define GRING_AVAIL_SIZE(num)	(6 + (size_t)(num) * 2)
#define GRING_USED_SIZE(num)	(6 + (size_t)(num) * 8)

/* Sizes of the parts of either layout. */
static inline size_t gring_avail_size(const struct gring *r)
{
	return r->packed ? sizeof(*r->driver) : GRING_AVAIL_SIZE(r->num);
}

static inline size_t gring_used_size(const struct gring *r)
{
	return r->packed ? sizeof(*r->device) : GRING_USED_SIZE(r->num);
}

/*
 * A place in a ring is told as the number of entries since its beginning,
 * modulo 2^16; in a packed ring of descriptors. Take up a ring in memory that
 * the caller chose, at place @base.
 */
int gring_init(struct gring *r, __u16 num, void *desc, void *avail, void *used,
	       __u64 features, __u16 base);
/* The same at 0, in memory from @v; with @table_len entries for indirect tables. */
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
/* What SET_VRING_BASE takes for a ring at place @base. */
unsigned int gring_base_of(const struct gring *r, __u16 base);
/*
 * What GET_VRING_BASE has to return when the device is stopped: all buffers
 * that it took are used.
 */
unsigned int gring_stopped_base(struct gring *r);
/* Wait on the call eventfd until something is used; false after @ms. */
bool gring_wait(struct gring *r, int ms);
/* Indirect flavour of gring_add(). */
int gring_add_indirect(struct gring *r, const struct gseg *seg, unsigned int out,
		       unsigned int in, void *token);
/* Ask for an interrupt when the buffer @ahead of the next one to take is used. */
void gring_call_at(struct gring *r, __u16 ahead);
/* Whether the device wants to be told of the very next buffer. */
bool gring_kick_wanted(const struct gring *r);

/* Did @idx move past @event on its way from @old to @idx? Section 2.7.10. */
static inline bool gring_passed(__u16 event, __u16 idx, __u16 old)
{
	return (__u16)(idx - event - 1) < (__u16)(idx - old);
}

#include "gsplit.h"
#include "gpacked.h"

/**
 * gring_add() - add a buffer
 * @r: the ring
 * @seg: its segments, those that the device reads first
 * @out: number of segments that the device reads
 * @in: number of segments that it writes
 * @token: comes back from gring_get()
 *
 * Return: the head's index or the buffer's id, or -1 if there is no room.
 */
static inline int gring_add(struct gring *r, const struct gseg *seg,
			    unsigned int out, unsigned int in, void *token)
{
	if (r->nr_free < out + in)
		return -1;
	return r->packed ? gpacked_add(r, seg, out, in, token) :
			   gsplit_add(r, seg, out, in, token);
}

/* Show what was added. */
static inline void gring_publish(struct gring *r)
{
	if (r->packed)
		gpacked_publish(r);
	else
		gsplit_publish(r);
}

/* Whether the device wants a kick for what was published since last asked. */
static inline bool gring_want_kick(struct gring *r)
{
	/* Store of idx or flags before the load of the wish; pairs with kick_enable. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return r->packed ? gpacked_want_kick(r) : gsplit_want_kick(r);
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

/*
 * Number of buffers that the device returned and we did not take yet. When it
 * did something that it may not do, at least 1: gring_get() tells.
 */
static inline unsigned int gring_pending(struct gring *r)
{
	return r->packed ? gpacked_pending(r) : gsplit_pending(r);
}

/**
 * gring_get() - take back a used buffer
 * @r: the ring
 * @len: what the device says it wrote
 * @token: of gring_add()
 *
 * Return: what gring_add() did, -1 if there is none, -2 if the device did
 * something that it may not do: see @error.
 */
static __always_inline int gring_get(struct gring *r, __u32 *len, void **token)
{
	return r->packed ? gpacked_get(r, len, token) : gsplit_get(r, len, token);
}

/* Ask for an interrupt. False: do not wait, there is something to get. */
static inline bool gring_call_enable(struct gring *r)
{
	if (r->packed)
		gpacked_call_enable(r);
	else
		gsplit_call_enable(r);
	/* Store of the wish before the load of idx or flags; pairs with need_signal. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !gring_pending(r);
}

static inline void gring_call_disable(struct gring *r)
{
	if (r->packed)
		gpacked_call_disable(r);
	else
		gsplit_call_disable(r);
}

#endif /* VHOST_TEST_GDRV_H */
