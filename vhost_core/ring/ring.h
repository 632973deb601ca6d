/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ring: what the device side of a virtqueue does, and nothing else.
 *
 * A virtqueue is memory that the guest writes while we read it. The code here
 * turns that memory into private copies of descriptor chains, and private
 * results into used entries. It knows the virtio specification (1.3, section
 * 2.7 for split rings, 2.8 for packed ones) and knows neither guest addresses,
 * nor locks, nor devices. It includes this file and <vring_env.h>, calls no kernel function,
 * never allocates, sleeps or logs, and is compiled a second time as an
 * ordinary program under selftests/host/, where the ring's memory changes
 * between any two loads.
 *
 *	split: guest writes		we write
 *	-------------------		--------
 *	descriptor table
 *	available ring  --- fetch -->	struct vring_batch
 *					   (caller moves the data)
 *	used ring      <-- publish ---	put, put, put ...
 *	call interrupt <-- need_signal
 *
 *	A packed ring is one table: the guest writes descriptors into it, we
 *	write used ones over them. Two flags in each say which lap of the ring
 *	it belongs to, and so whose it is.
 *
 * Five verbs, always in this order:
 *
 *   fetch	Copy up to VRING_BATCH chains out of the ring: one window of user
 *		access in which heads and raw descriptors are copied.
 *		Then, on the copies: every check of the specification.
 *		Descriptors hold guest addresses; translating them is the
 *		caller's business, who may hand back the tail of the batch
 *		(unfetch) when it cannot go on.
 *   put	Remember that a chain is finished and how many bytes were
 *		written to it. Nothing reaches the guest yet.
 *   publish	Store the remembered used entries, a write barrier, and what
 *		makes them seen: the used index of a split ring, the flags of the
 *		first entry in a packed one. The one place where the guest gets
 *		to see results.
 *   need_signal Does the guest want an interrupt for what was published?
 *   kick_enable, kick_disable
 *		Ask for, or do without, the guest's notifications.
 *
 * Positions are counters of 16 bits that run freely: of ring entries in a split
 * ring, where a chain takes one; of descriptors in a packed one, where it takes
 * as many as it has there. Position modulo size is the slot. A packed ring's
 * wrap counters are positions, too: they are 1 in even laps, 0 in odd ones.
 *
 * With IN_ORDER chains are used in the order in which they were made available.
 * Then one used entry, the last one's, stands for a row of chains that the device
 * only reads (sections 2.7.9, 2.8.8). It is stored where the row begins, and the
 * next one behind the row. A chain that is written to keeps its own entry, even
 * if it was filled and the specification lets it be left out: DPDK's drivers
 * look at each.
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
#define VRING_BATCH	64u

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
	X(LOOP, desc_loop, "chain is longer than its table or ring")	\
	X(SEGS, too_many_segs, "chain has more segments than are supported") \
	X(ZERO_LEN, zero_len, "descriptor of length 0")			\
	X(ADDR_WRAP, addr_wrap, "descriptor's address and length wrap around") \
	X(BYTES, chain_bytes, "chain is longer than 2^32 - 1 bytes")	\
	X(ORDER, write_before_read, "device-readable descriptor behind a device-writable one") \
	X(INDIRECT_OFF, indirect_off, "indirect descriptor without the feature") \
	X(INDIRECT_NESTED, indirect_nested, "indirect descriptor inside an indirect table") \
	X(INDIRECT_NEXT, indirect_next, "indirect descriptor with a next one, or in a packed ring's chain") \
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

/* Wire constants of sections 2.7 and 2.8, in the ring's own words. */
#define VRING_D_NEXT		1u
#define VRING_D_WRITE		2u
#define VRING_D_INDIRECT	4u
#define VRING_D_AVAIL		(1u << 7)	/* packed: equals the lap's ... */
#define VRING_D_USED		(1u << 15)	/* ... or not: see packed.c */
#define VRING_AVAIL_NO_INTERRUPT 1u
#define VRING_USED_NO_NOTIFY	1u

/*
 * struct vring_seg - private copy of one descriptor
 *
 * In the order of a split ring's wire format, so that an indirect table is
 * copied as it is and converted in place. In a packed ring @next holds the id.
 */
struct vring_seg {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/**
 * struct vring_chain - one buffer that the guest made available
 * @id: what goes back to the guest: index of the head descriptor (split), or
 *	the buffer id (packed)
 * @slots: positions of the ring that it takes; 1 in a split ring
 * @seg: index of its first segment in &struct vring_batch.seg
 * @nr_seg: its number of segments, readable ones first
 * @nr_out: how many of them the device reads
 * @out_len: bytes that the device may read
 * @in_len: bytes that the device may write
 */
struct vring_chain {
	u16 id;
	u16 slots;
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

/**
 * struct vring_done - a used entry, put and not stored yet
 * @len: bytes written to it
 * @id: of the chain
 * @slots: of the chain
 * @out_only: it had no room to write to
 */
struct vring_done {
	u32 len;
	u16 id;
	u16 slots;
	bool out_only;
};

/**
 * struct vring_dev - device side of one virtqueue
 * @desc: descriptor table, or the packed ring itself
 * @avail: available ring, or the driver's event suppression structure
 * @used: used ring, or the device's event suppression structure
 * @num: entries, a power of two
 * @packed: VIRTIO_F_RING_PACKED was negotiated
 * @in_order: VIRTIO_F_IN_ORDER was negotiated
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @indirect: VIRTIO_F_INDIRECT_DESC was negotiated
 * @notify_on_empty: VIRTIO_F_NOTIFY_ON_EMPTY was negotiated (split only)
 * @last_avail: position to fetch from next
 * @avail_idx: position up to which the guest was seen to have added chains
 * @last_used: position behind all that was put
 * @stored: position behind all used entries that were stored in the ring
 * @published: position behind all that the guest was shown
 * @signalled: @published at the last decision about a signal
 * @signalled_valid: whether @signalled may be compared with
 * @used_flags: our wish for kicks as last stored: flags of the used ring, or of
 *	the device's event suppression structure
 * @kick_pos: packed: position of the descriptor that a kick was asked for
 * @first_flags: packed: flags of the entry at @published, which come last
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
	bool packed;
	bool in_order;
	bool event_idx;
	bool indirect;
	bool notify_on_empty;
	u16 last_avail;
	u16 avail_idx;
	u16 last_used;
	u16 stored;
	u16 published;
	u16 signalled;
	bool signalled_valid;
	u16 used_flags;
	u16 kick_pos;
	u16 first_flags;
	u16 nr_pend;
	struct vring_done pend[VRING_BATCH];
};

static inline u32 vring_slot(const struct vring_dev *r, u16 pos)
{
	return pos & (r->num - 1);
}

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

/* Sizes of the same three parts of a packed one. */
#define VRING_PACKED_EVENT_SIZE	4u

static inline u32 vring_packed_desc_size(u32 num)
{
	return num * 16;
}

/* chain.c: checks shared by both layouts */

/* Is there another descriptor behind this one? */
static inline bool vring_goes_on(const struct vring_seg *s)
{
	return (s->flags & (VRING_D_NEXT | VRING_D_INDIRECT)) == VRING_D_NEXT;
}

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

/*
 * The same, inline for what most chains are: one descriptor, and no table's.
 * False if there is something about it that vring_chain_check() has to report.
 */
static inline bool vring_chain_simple(struct vring_chain *c, const struct vring_seg *s)
{
	const u32 len = s->len;

	if (unlikely(!len || s->addr + (len - 1) < s->addr))
		return false;
	if (s->flags & VRING_D_WRITE) {
		c->nr_out = 0;
		c->out_len = 0;
		c->in_len = len;
	} else {
		c->nr_out = 1;
		c->out_len = len;
		c->in_len = 0;
	}
	return true;
}

/**
 * vring_batch_check() - vring_chain_check() of the chains from one on
 * @r: the ring
 * @b: the batch
 * @i: the first one; those before it are simple
 *
 * Cuts the batch in front of the first one that is malformed.
 *
 * Return: 0, or the negative of an enum vring_error if that leaves nothing.
 */
int vring_batch_check(const struct vring_dev *r, struct vring_batch *b, u16 i);

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
 * vring_split_flush() - store the recorded entries in the ring, not the index
 * @r: the ring
 *
 * Return: 0 or the negative of an enum vring_error.
 */
int vring_split_flush(struct vring_dev *r);

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

/* packed.c: section 2.8. The verbs are those of split.c. */

/**
 * vring_packed_start() - take up a ring whose address and size are set
 * @r: the ring
 * @base: where to go on, as vring_packed_base() once returned it: bits 0 to 14
 *	slot, 15 wrap counter of what to fetch next, 16 to 31 the same of what to
 *	use next. 0x8000 alone is a fresh ring, too (so says DPDK).
 *
 * Writes the device's event suppression structure (notifications wanted).
 *
 * Return: 0 or the negative of an enum vring_error.
 */
int vring_packed_start(struct vring_dev *r, u32 base);

/**
 * vring_packed_base_ok() - whether the slots in @base are inside the ring
 * @r: the ring
 * @base: as for vring_packed_start()
 */
bool vring_packed_base_ok(const struct vring_dev *r, u32 base);

/**
 * vring_packed_base() - where the ring stands, for vring_packed_start()
 * @r: the ring; all that was fetched is published or given back
 */
u32 vring_packed_base(const struct vring_dev *r);

int vring_packed_fetch(struct vring_dev *r, struct vring_batch *b, unsigned int max);
int vring_packed_flush(struct vring_dev *r);
int vring_packed_publish(struct vring_dev *r);
int vring_packed_need_signal(struct vring_dev *r);
int vring_packed_kick_disable(struct vring_dev *r);
int vring_packed_kick_enable(struct vring_dev *r);
int vring_packed_kick_more(struct vring_dev *r);
int vring_packed_has_avail(struct vring_dev *r);

/* Both layouts. */

/**
 * vring_unfetch() - give back what was fetched last
 * @r: the ring
 * @slots: of all chains that are given back
 */
static inline void vring_unfetch(struct vring_dev *r, u32 slots)
{
	r->last_avail -= slots;
}

/**
 * vring_put_begin() - make room to record finished chains
 * @r: the ring
 * @n: how many, at most VRING_BATCH
 * @done: out: an array of @n, to be filled in the order of completion
 *
 * May store entries in the ring that were recorded before, for want of room,
 * but nothing that the guest would see.
 *
 * Return: 0 or the negative of an enum vring_error.
 */
static inline int vring_put_begin(struct vring_dev *r, unsigned int n,
				  struct vring_done **done)
{
	if (unlikely(r->nr_pend + n > VRING_BATCH)) {
		int err = r->packed ? vring_packed_flush(r) : vring_split_flush(r);

		if (err)
			return err;
	}
	*done = r->pend + r->nr_pend;
	return 0;
}

/**
 * vring_put_end() - record the chains that were filled in
 * @r: the ring
 * @n: as for vring_put_begin()
 * @slots: of all of them
 *
 * Return: 0 or the negative of an enum vring_error; then none was recorded.
 */
static inline int vring_put_end(struct vring_dev *r, unsigned int n, u32 slots)
{
	/* More entries than the ring has would overwrite unseen ones. */
	if (unlikely((u16)(r->last_used - r->published) + slots > r->num))
		return -VRING_E_USED_OVERFLOW;
	r->last_used += slots;
	r->nr_pend += n;
	return 0;
}

/* With IN_ORDER: does the next entry before @end speak for @done, too? */
static inline bool vring_skip(const struct vring_dev *r, const struct vring_done *done,
			      const struct vring_done *end)
{
	return r->in_order && done->out_only && done + 1 < end;
}

#endif /* VHOST_RING_H */
