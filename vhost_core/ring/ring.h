/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ring: what the device side of a virtqueue does, and nothing else.
 *
 * A virtqueue is memory that the guest writes while we read it. The code here
 * turns that memory into private copies of descriptor chains, and private
 * results into used entries. It knows the virtio specification (1.3, section
 * 2.7 for split rings) and knows neither guest addresses, nor locks, nor
 * devices. It includes this file and <vring_env.h>, calls no kernel function,
 * never allocates, sleeps or logs, and is compiled a second time as an
 * ordinary program under selftests/host/, where the ring's memory changes
 * between any two loads.
 *
 *	guest writes			we write
 *	------------			--------
 *	descriptor table
 *	available ring  --- fetch -->	struct vring_batch
 *					   (caller moves the data)
 *	used ring      <-- publish ---	put, put, put ...
 *	call interrupt <-- need_signal
 *
 * Five verbs, always in this order:
 *
 *   fetch	Copy up to VRING_BATCH chains out of the ring. One load of the
 *		available index when the last one is used up, then one window
 *		of user access in which heads and raw descriptors are copied.
 *		Then, on the copies: every check of the specification.
 *		Descriptors hold guest addresses; translating them is the
 *		caller's business, who may hand back the tail of the batch
 *		(unfetch) when it cannot go on.
 *   put	Remember that a chain is finished and how many bytes were
 *		written to it. Nothing reaches the guest yet.
 *   publish	Store the remembered used entries, a write barrier, the used
 *		index. The one place where the guest gets to see results.
 *   need_signal Does the guest want an interrupt for what was published?
 *   kick_enable, kick_disable
 *		Ask for, or do without, the guest's notifications.
 *
 * Rules that hold everywhere:
 *
 *  - A guest-written field is loaded once. Checks and uses touch the copy.
 *  - Every loop is bounded by the ring's size, by VRING_BATCH or by the room
 *    in the batch, none by a number that the guest wrote.
 *  - A malformed ring is reported by one name out of VRING_ERRORS, as the
 *    negative of its enum value. The chains in front of the bad one are
 *    delivered first; the bad one is then met again as the first of the next
 *    fetch, and reported.
 *  - Ring state only moves on success: after an error, last_avail and
 *    last_used tell exactly what the guest was promised.
 */
#ifndef VHOST_RING_H
#define VHOST_RING_H

#include <vring_env.h>

/* Chains in one batch. 64 heads are 128 bytes: two cache lines of the ring. */
#define VRING_BATCH	64

/* Segments that one chain, and all chains of one batch, may have. */
#define VRING_SEG_MAX	1024

/* Largest ring: section 2.7 says 32768. */
#define VRING_NUM_MAX	32768

/*
 * Every way in which a ring can be malformed: X(NAME, name, explanation).
 * The name is the counter, the tracepoint's text and the log line's.
 */
#define VRING_ERRORS(X)							\
	X(FAULT, ring_fault, "ring memory is not accessible")		\
	X(AVAIL_IDX, avail_idx, "available index is further ahead than the ring is long") \
	X(HEAD, head_range, "head names a descriptor outside the table")	\
	X(NEXT, next_range, "next names a descriptor outside the table")	\
	X(LOOP, desc_loop, "chain is longer than its table")		\
	X(SEGS, too_many_segs, "chain has more segments than are supported") \
	X(ZERO_LEN, zero_len, "descriptor of length 0")			\
	X(ADDR_WRAP, addr_wrap, "descriptor's address and length wrap around") \
	X(BYTES, chain_bytes, "chain is longer than 2^32 - 1 bytes")	\
	X(ORDER, write_before_read, "device-readable descriptor behind a device-writable one") \
	X(INDIRECT_OFF, indirect_off, "indirect descriptor without the feature") \
	X(INDIRECT_NESTED, indirect_nested, "indirect descriptor inside an indirect table") \
	X(INDIRECT_NEXT, indirect_next, "indirect descriptor with a next one") \
	X(INDIRECT_LEN, indirect_len, "indirect table of length 0, not a multiple of 16, or too long") \
	X(INDIRECT_ADDR, indirect_addr, "indirect table is not in guest memory") \
	X(USED_OVERFLOW, used_overflow, "more used entries recorded than the ring has")

enum vring_error {
	VRING_OK,
#define X(NAME, name, text) VRING_E_##NAME,
	VRING_ERRORS(X)
#undef X
	VRING_E_MAX,
	/*
	 * Not the ring's fault: the guest address of an indirect table has no
	 * translation yet. The fetch may be repeated when it has.
	 */
	VRING_E_AGAIN = VRING_E_MAX,
};

/* Wire constants of section 2.7, in the ring's own words. */
#define VRING_D_NEXT		1u
#define VRING_D_WRITE		2u
#define VRING_D_INDIRECT	4u
#define VRING_AVAIL_NO_INTERRUPT 1u
#define VRING_USED_NO_NOTIFY	1u

/*
 * struct vring_seg - private copy of one descriptor
 *
 * In the order of the wire format, so that an indirect table is copied as it
 * is and converted in place.
 */
struct vring_seg {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/**
 * struct vring_chain - one buffer that the guest made available
 * @id: what goes back to the guest: index of the head descriptor
 * @seg: index of its first segment in &struct vring_batch.seg
 * @nr_seg: its number of segments, readable ones first
 * @nr_out: how many of them the device reads
 * @out_len: bytes that the device may read
 * @in_len: bytes that the device may write
 */
struct vring_chain {
	u16 id;
	u16 seg;
	u16 nr_seg;
	u16 nr_out;
	u32 out_len;
	u32 in_len;
};

/**
 * struct vring_batch - the result of a fetch, private memory of the caller
 * @nr: number of chains
 * @nr_seg: segments taken up, those of chains that were moved or cut included
 * @chain: the chains, in the order in which they were made available
 * @seg: all segments; VRING_SEG_MAX of them
 * @table: scratch for one indirect table; VRING_SEG_MAX entries
 */
struct vring_batch {
	u16 nr;
	u16 nr_seg;
	struct vring_chain chain[VRING_BATCH];
	struct vring_seg *seg;
	struct vring_seg *table;
};

/*
 * A part of a ring (descriptor table, available ring, used ring) in user
 * memory. One contiguous stretch as a rule; behind an IOMMU the guest's ring
 * may be scattered page by page, then @base is NULL and @page says where each
 * 4 KiB page of it lives, @off being where in the first page the part begins.
 */
struct vring_part {
	vring_ptr base;
	vring_ptr *page;
	u32 off;
	u32 len;
};

#define VRING_PAGE_SHIFT	12
#define VRING_PAGE_MASK		((1u << VRING_PAGE_SHIFT) - 1)

/* Where byte @off of a part lives. No field of a ring crosses a page. */
static inline vring_ptr vring_at(const struct vring_part *p, u32 off)
{
	if (likely(p->base))
		return p->base + off;
	off += p->off;
	return p->page[off >> VRING_PAGE_SHIFT] + (off & VRING_PAGE_MASK);
}

struct vring_done {
	u32 id;
	u32 len;
};

/**
 * struct vring_dev - device side of one virtqueue
 * @desc: descriptor table
 * @avail: available ring
 * @used: used ring
 * @num: entries, a power of two
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @indirect: VIRTIO_F_INDIRECT_DESC was negotiated
 * @notify_on_empty: VIRTIO_F_NOTIFY_ON_EMPTY was negotiated
 * @last_avail: next available entry to fetch
 * @avail_idx: the available index as last loaded
 * @last_used: next used entry to write; the guest has seen all before
 *	@published
 * @published: the used index as last stored
 * @signalled: used index at the last decision about a signal
 * @signalled_valid: whether @signalled may be compared with
 * @used_flags: flags of the used ring as last stored
 * @nr_pend: entries in @pend
 * @pend: used entries that were put and not stored yet
 *
 * The caller serialises all calls on one ring.
 */
struct vring_dev {
	struct vring_part desc;
	struct vring_part avail;
	struct vring_part used;
	u32 num;
	bool event_idx;
	bool indirect;
	bool notify_on_empty;
	u16 last_avail;
	u16 avail_idx;
	u16 last_used;
	u16 published;
	u16 signalled;
	bool signalled_valid;
	u16 used_flags;
	u16 nr_pend;
	struct vring_done pend[VRING_BATCH];
};

/* Sizes of the three parts of a split ring, event index fields included. */
static inline u32 vring_split_desc_size(u32 num)
{
	return num * 16;
}

static inline u32 vring_split_avail_size(u32 num)
{
	return 4 + 2 * num + 2;
}

static inline u32 vring_split_used_size(u32 num)
{
	return 4 + 8 * num + 2;
}

/* chain.c: checks shared by every ring layout */

/**
 * vring_chain_check() - validate the copies of one chain, expand indirect ones
 * @r: the ring
 * @b: the batch
 * @i: index of the chain in the batch; its @seg and @nr_seg are set
 *
 * An indirect table needs room at the end of the batch. When there is none,
 * the batch is cut: in front of this chain, or behind it if it is the first.
 *
 * Return: 0 with the chain complete, 1 if the batch now ends before it, or
 * the negative of an enum vring_error.
 */
int vring_chain_check(const struct vring_dev *r, struct vring_batch *b, u16 i);

/* The same, inline for what most chains are: one direct descriptor. */
static inline int vring_chain_check_fast(const struct vring_dev *r,
					 struct vring_batch *b, u16 i)
{
	struct vring_chain *c = b->chain + i;
	const struct vring_seg *s = b->seg + c->seg;

	if (unlikely(c->nr_seg != 1 || s->flags & VRING_D_INDIRECT || !s->len ||
		     s->addr + (s->len - 1) < s->addr))
		return vring_chain_check(r, b, i);
	if (s->flags & VRING_D_WRITE) {
		c->nr_out = 0;
		c->out_len = 0;
		c->in_len = s->len;
	} else {
		c->nr_out = 1;
		c->out_len = s->len;
		c->in_len = 0;
	}
	return 0;
}

/* split.c: section 2.7 */

/**
 * vring_split_start() - take up a ring whose addresses and size are set
 * @r: the ring
 * @last_avail: where to go on, as GET_VRING_BASE once returned it
 *
 * Reads the used index and writes the used flags (notifications wanted).
 *
 * Return: 0 or the negative of an enum vring_error.
 */
int vring_split_start(struct vring_dev *r, u16 last_avail);

/**
 * vring_split_fetch() - copy chains out of the ring
 * @r: the ring
 * @b: where to
 * @max: at most so many
 *
 * Return: number of chains in @b, 0 if there is none available, or the
 * negative of an enum vring_error if the first one is malformed.
 */
int vring_split_fetch(struct vring_dev *r, struct vring_batch *b, unsigned int max);

/**
 * vring_split_unfetch() - give back the last @n chains that were fetched
 * @r: the ring
 * @n: how many
 */
void vring_split_unfetch(struct vring_dev *r, u16 n);

/**
 * vring_split_flush() - store the recorded entries in the ring, not the index
 * @r: the ring
 *
 * Return: 0 or the negative of an enum vring_error.
 */
int vring_split_flush(struct vring_dev *r);

/**
 * vring_split_put() - record a finished chain
 * @r: the ring
 * @id: of the chain
 * @len: bytes written to it
 *
 * May store entries in the ring that were recorded before, for want of room,
 * but never the index.
 *
 * Return: 0 or the negative of an enum vring_error.
 */
static inline int vring_split_put(struct vring_dev *r, u16 id, u32 len)
{
	struct vring_done *done;

	/* More entries than the ring has would overwrite unseen ones. */
	if (unlikely((u16)(r->last_used - r->published) >= r->num))
		return -VRING_E_USED_OVERFLOW;
	if (unlikely(r->nr_pend == VRING_BATCH)) {
		int err = vring_split_flush(r);

		if (err)
			return err;
	}
	done = r->pend + r->nr_pend++;
	done->id = id;
	done->len = len;
	r->last_used++;
	return 0;
}

/**
 * vring_split_publish() - show all recorded chains to the guest
 * @r: the ring
 *
 * Return: how many, or the negative of an enum vring_error.
 */
int vring_split_publish(struct vring_dev *r);

/**
 * vring_split_need_signal() - whether the guest wants to hear of it
 * @r: the ring
 *
 * To be asked once after a publish.
 *
 * Return: 1, 0, or the negative of an enum vring_error.
 */
int vring_split_need_signal(struct vring_dev *r);

/**
 * vring_split_kick_disable() - tell the guest that we look by ourselves
 * @r: the ring
 *
 * Return: 0 or the negative of an enum vring_error.
 */
int vring_split_kick_disable(struct vring_dev *r);

/**
 * vring_split_kick_enable() - ask the guest for a notification
 * @r: the ring
 *
 * Return: 1 if chains were made available meanwhile (for which there may
 * never be a notification: fetch again), 0 if not, or the negative of an enum
 * vring_error.
 */
int vring_split_kick_enable(struct vring_dev *r);

/**
 * vring_split_kick_more() - ask for a notification of chains yet to come
 * @r: the ring
 *
 * For who gave chains back because they do not suffice: those are no news.
 *
 * Return: 1 if more were made available since the index was last loaded (fetch
 * again), 0 if not, or the negative of an enum vring_error.
 */
int vring_split_kick_more(struct vring_dev *r);

/**
 * vring_split_has_avail() - whether a fetch would find something
 * @r: the ring
 *
 * Return: 1, 0, or the negative of an enum vring_error.
 */
int vring_split_has_avail(struct vring_dev *r);

#endif /* VHOST_RING_H */
