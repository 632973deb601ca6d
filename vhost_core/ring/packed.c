// SPDX-License-Identifier: GPL-2.0
/*
 * Packed virtqueues: virtio 1.3, section 2.8.
 *
 *	descriptor ring			driver and device event suppression
 *	{addr, len, id, flags} * num	{off_wrap, flags}
 *
 * Guest and device go round the ring, the guest ahead. Whose a descriptor is,
 * say two of its flags and the lap that one is in. In laps whose wrap counter is
 * 1 the guest makes a descriptor available with AVAIL set and USED clear, and we
 * use it by setting both; in the laps between it is AVAIL clear and USED set,
 * and both clear. A chain lies in consecutive descriptors; the first one's flags
 * are written last. Its used entry goes into one descriptor, and the next one
 * behind the room of the whole chain.
 *
 * Positions (see ring.h) count descriptors.
 */
#include "ring.h"

/* Byte offsets inside a descriptor; len, id and flags are one 64-bit word. */
#define DESC_SIZE	16u
#define DESC_LEN	8u
#define DESC_ID		12u
#define DESC_FLAGS	14u

/* Flags of an event suppression structure: bits 16 and 17 of its 32. */
#define EVENT_ENABLE	0u
#define EVENT_DISABLE	1u
#define EVENT_DESC	2u
#define EVENT_MASK	3u

/* Where a slot and its wrap counter are in 16 bits: vring base, events. */
#define WRAP_BIT	(1u << 15)

static inline bool wrap_counter(const struct vring_dev *r, u16 pos)
{
	return !(pos & r->num);
}

/* Position as slot and wrap counter, and back: within two laps. */
static inline u16 to_wire(const struct vring_dev *r, u16 pos)
{
	return vring_slot(r, pos) | (wrap_counter(r, pos) ? WRAP_BIT : 0);
}

static inline u16 from_wire(const struct vring_dev *r, u16 wire)
{
	return (wire & (WRAP_BIT - 1)) + (wire & WRAP_BIT ? 0 : r->num);
}

static inline vring_ptr desc_at(const struct vring_dev *r, u16 pos)
{
	return vring_at(&r->desc, DESC_SIZE * vring_slot(r, pos));
}

/* The two flags that say whose a descriptor is. */
#define OWNER_FLAGS	(VRING_D_AVAIL | VRING_D_USED)

/*
 * How they are in a descriptor at @pos that is available. In one that is used
 * both are as the wrap counter.
 */
static inline u16 avail_flags(const struct vring_dev *r, u16 pos)
{
	return wrap_counter(r, pos) ? VRING_D_AVAIL : VRING_D_USED;
}

/* Say when we want kicks. */
static int store_event(struct vring_dev *r, u32 flags, u16 pos)
{
	vring_ptr ptr = vring_at(&r->used, 0);

	if (!vring_access_begin(ptr, sizeof(u32)))
		return -VRING_E_FAULT;
	/* In one store, so that no mixture of old and new can be read. */
	vring_put32(to_wire(r, pos) | flags << 16, ptr, fault);
	vring_access_end();
	r->used_flags = flags;
	return 0;
fault:
	vring_access_end();
	return -VRING_E_FAULT;
}

bool vring_packed_base_ok(const struct vring_dev *r, u32 base)
{
	return (base & (WRAP_BIT - 1)) < r->num &&
	       (base >> 16 & (WRAP_BIT - 1)) < r->num;
}

int vring_packed_start(struct vring_dev *r, u32 base)
{
	r->last_avail = from_wire(r, base);
	r->last_used = base == WRAP_BIT ? r->last_avail : from_wire(r, base >> 16);
	r->avail_idx = r->last_avail;
	r->stored = r->last_used;
	r->published = r->last_used;
	r->signalled_valid = false;
	r->nr_pend = 0;
	return store_event(r, EVENT_ENABLE, 0);
}

u32 vring_packed_base(const struct vring_dev *r)
{
	return to_wire(r, r->last_avail) | (u32)to_wire(r, r->last_used) << 16;
}

/* Descriptors from @pos on that are in one lap and lie in one piece. */
static inline u16 run_length(const struct vring_dev *r, u16 pos)
{
	u32 slot = vring_slot(r, pos), n = r->num - slot;

	if (unlikely(!r->desc.base)) {
		u32 off = (r->desc.off + DESC_SIZE * slot) & VRING_PAGE_MASK;

		n = min(n, (VRING_PAGE_MASK + 1 - off) / DESC_SIZE);
	}
	return n;
}

/*
 * Inside a window: which descriptors from @pos to @stop are available, as far
 * as they are in a row? Sets @pos behind them; false on a fault.
 */
static __always_inline bool scan(const struct vring_dev *r, u16 *pos, u16 stop)
{
	u16 at = *pos;

	while (at != stop) {
		const vring_ptr start = desc_at(r, at) + DESC_FLAGS;
		const u16 want = avail_flags(r, at);
		const u16 n = min((u16)(stop - at), run_length(r, at));
		const vring_ptr end = start + DESC_SIZE * n;
		vring_ptr ptr;

		for (ptr = start; ptr != end; ptr += DESC_SIZE) {
			u16 flags;

			vring_get16(flags, ptr, fault);
			if ((flags & OWNER_FLAGS) != want) {
				*pos = at + (ptr - start) / DESC_SIZE;
				return true;
			}
		}
		at += n;
	}
	*pos = at;
	return true;
fault:
	return false;
}

/* Inside a window: copy the descriptor at @pos of @part, by @mask in a slot. */
#define copy_desc(part, mask, s, pos, fault)				\
	do {								\
		const vring_ptr _desc = vring_at(part, DESC_SIZE * ((pos) & (mask))); \
		u64 _word;						\
									\
		vring_get64((s)->addr, _desc, fault);			\
		vring_get64(_word, _desc + DESC_LEN, fault);		\
		(s)->len = (u32)_word;					\
		(s)->next = (u16)(_word >> 32);				\
		(s)->flags = (u16)(_word >> 48);			\
	} while (0)

/* Is there another descriptor behind this one? */
static inline bool goes_on(const struct vring_seg *s)
{
	return (s->flags & (VRING_D_NEXT | VRING_D_INDIRECT)) == VRING_D_NEXT;
}

/*
 * One window: look which descriptors are available, then copy chains. The
 * first look is at flags only, at many of them for one barrier; what counts
 * of a descriptor otherwise is in the copy. Of a chain only the first flags say
 * that it is available. @end is the position behind the chains, @odd the first
 * that is not simple, or behind all.
 *
 * Return: number of chains, or the negative of an enum vring_error if the
 * first of them cannot be had.
 */
static int gather(const struct vring_dev *r, struct vring_batch *b, unsigned int max,
		  u16 *end, u16 *odd)
{
	/* Pointers, not indices: checks of these would be calls in the window. */
	struct vring_chain *c = b->chain, *last = c + max, *strange = last;
	struct vring_seg *s = b->seg, *first = s;
	const struct vring_seg *room = s + VRING_SEG_MAX;
	/* Copies, as stores to the batch might change these for all the compiler knows. */
	const struct vring_seg *segs = s;
	const struct vring_part desc = r->desc;
	const u32 mask = r->num - 1;
	/* What we have and the guest was not told of is not the guest's. */
	const u16 limit = r->published + r->num;
	u16 start = r->last_avail, at = start, seen = start;
	u32 dry = U32_MAX;	/* where a descriptor was found not available */
	int err = 0;

	if (!vring_access_begin(vring_at(&r->desc, 0), sizeof(u64)))
		return -VRING_E_FAULT;

	for (; c < last; c++) {
		u16 nr = 1;

		if (at == seen) {
			u16 stop = at + min((u32)(last - c), (u32)(u16)(limit - at));

			if (at == dry)
				break;
			if (!scan(r, &seen, stop))
				goto fault;
			if (at == seen)
				break;
			if (seen != stop)
				dry = seen;
			/*
			 * Flags before the rest. Pairs with the guest's barrier
			 * between a chain and the flags of its first descriptor.
			 */
			vring_rmb();
		}
		if (unlikely(s == room)) {
			err = -VRING_E_SEGS;
			break;
		}
		copy_desc(&desc, mask, s, at, fault);
		at++;
		while (unlikely(goes_on(s))) {
			s++;
			nr++;
			if (s == room) {
				err = -VRING_E_SEGS;
				break;
			}
			if (at == limit) {
				err = -VRING_E_LOOP;
				break;
			}
			copy_desc(&desc, mask, s, at, fault);
			if (at == seen)
				seen++;
			at++;
		}
		if (unlikely(err))
			break;
		c->id = s->next;
		c->slots = at - start;
		s++;
		c->seg = first - segs;
		c->nr_seg = nr;
		if (unlikely(!vring_chain_simple(c, first)) && c < strange)
			strange = c;
		first = s;
		start = at;
	}
	vring_access_end();
out:
	b->nr_seg = first - segs;
	*end = start;
	*odd = strange - b->chain;
	return c > b->chain ? c - b->chain : err;
fault:
	vring_access_end();
	err = -VRING_E_FAULT;
	goto out;
}

int vring_packed_fetch(struct vring_dev *r, struct vring_batch *b, unsigned int max)
{
	u16 end, odd, i;
	int n;

	b->nr = 0;
	b->nr_seg = 0;
	n = gather(r, b, min(max, VRING_BATCH), &end, &odd);
	if (n <= 0)
		return n;
	b->nr = n;
	r->avail_idx = end;
	if (unlikely(odd < n)) {
		int err = vring_batch_check(r, b, odd);

		if (err)
			return err;
		/* What was cut off is fetched again. */
		for (i = b->nr; i < n; i++)
			end -= b->chain[i].slots;
	}
	r->last_avail = end;
	return b->nr;
}

/*
 * Store the recorded entries, but of the one at @published only what the flags
 * do not cover; with @publish then its flags, and the guest sees them all.
 */
static int store(struct vring_dev *r, bool publish)
{
	const struct vring_done *done = r->pend, *end = done + r->nr_pend;
	const struct vring_part part = r->desc;
	const u32 num = r->num, mask = num - 1;
	const u16 published = r->published;
	/* Not cut to 16 bits at each step; a slot and its lap are the same. */
	u32 row = r->stored, at = row;

	if (!vring_access_begin(vring_at(&r->desc, 0), sizeof(u64)))
		return -VRING_E_FAULT;
	for (; done < end; done++) {
		const u32 len = done->len;
		vring_ptr desc;
		u32 flags;

		at += done->slots;
		if (vring_skip(r, done, end))
			continue;
		flags = row & num ? 0 : OWNER_FLAGS;
		if (len)
			flags |= VRING_D_WRITE;
		desc = vring_at(&part, DESC_SIZE * (row & mask));
		if (unlikely((u16)row == published)) {
			r->first_flags = flags;
			vring_put32(len, desc + DESC_LEN, fault);
			vring_put16(done->id, desc + DESC_ID, fault);
		} else {
			vring_put64(len | (u64)(done->id | flags << 16) << 32,
				    desc + DESC_LEN, fault);
		}
		row = at;
	}
	if (publish) {
		/*
		 * Used entries, and the data that they speak of, before the
		 * flags of the first. Pairs with the guest's barrier between
		 * loading these and the rest.
		 */
		vring_wmb();
		vring_put16(r->first_flags, desc_at(r, r->published) + DESC_FLAGS, fault);
	}
	vring_access_end();
	r->stored = r->last_used;
	r->nr_pend = 0;
	return 0;
fault:
	vring_access_end();
	return -VRING_E_FAULT;
}

int vring_packed_flush(struct vring_dev *r)
{
	return store(r, false);
}

int vring_packed_publish(struct vring_dev *r)
{
	u16 n = r->last_used - r->published;
	int err;

	if (!n)
		return 0;
	err = store(r, true);
	if (err)
		return err;
	r->published = r->last_used;
	/* As in a split ring, but fooled after two laps. */
	if (unlikely((u16)(r->published - r->signalled) < n))
		r->signalled_valid = false;
	return n;
}

int vring_packed_need_signal(struct vring_dev *r)
{
	const vring_ptr ptr = vring_at(&r->avail, 0);
	u16 moved = r->published - r->signalled, behind;
	bool valid = r->signalled_valid;
	u32 event;

	/*
	 * Store of the used flags before the load of the guest's wish. Pairs
	 * with the guest's barrier between storing its wish and checking the
	 * used flags again.
	 */
	vring_mb();

	if (!vring_access_begin(ptr, sizeof(event)))
		return -VRING_E_FAULT;
	vring_get32(event, ptr, fault);
	vring_access_end();

	r->signalled = r->published;
	r->signalled_valid = true;
	switch (event >> 16 & EVENT_MASK) {
	case EVENT_DISABLE:
		return 0;
	case EVENT_DESC:
		if (!r->event_idx)
			return 1;
		/* How far behind us is the descriptor that it waits for? */
		behind = (r->published - 1 - from_wire(r, event)) & (2 * r->num - 1);
		return !valid || behind < moved;
	}
	return 1;
fault:
	vring_access_end();
	return -VRING_E_FAULT;
}

int vring_packed_kick_disable(struct vring_dev *r)
{
	if (r->used_flags == EVENT_DISABLE)
		return 0;
	/*
	 * The guest has passed the descriptor that it was to kick for, or is
	 * about to. That wish is out of date, and silent, for two laps.
	 */
	if (r->used_flags == EVENT_DESC && (u16)(r->last_avail - r->kick_pos) < r->num)
		return 0;
	return store_event(r, EVENT_DISABLE, 0);
}

/* Ask for a kick when a descriptor at @pos is made available. */
static int ask_for_kick(struct vring_dev *r, u16 pos)
{
	int err = store_event(r, r->event_idx ? EVENT_DESC : EVENT_ENABLE, pos);

	if (!err)
		r->kick_pos = pos;
	/*
	 * Store of our wish before the load of the descriptor's flags. Pairs
	 * with the guest's barrier between storing these and reading our wish.
	 */
	vring_mb();
	return err;
}

/* Is the descriptor at @pos available? 1, 0, or an error. */
static int look_at(const struct vring_dev *r, u16 pos)
{
	const vring_ptr ptr = desc_at(r, pos) + DESC_FLAGS;
	u16 flags;

	/* All are ours already: what is there was there before. */
	if ((u16)(pos - r->published) == r->num)
		return 0;
	if (!vring_access_begin(ptr, sizeof(flags)))
		return -VRING_E_FAULT;
	vring_get16(flags, ptr, fault);
	vring_access_end();
	return (flags & OWNER_FLAGS) == avail_flags(r, pos);
fault:
	vring_access_end();
	return -VRING_E_FAULT;
}

int vring_packed_kick_enable(struct vring_dev *r)
{
	int err = ask_for_kick(r, r->last_avail);

	return err ? err : look_at(r, r->last_avail);
}

int vring_packed_kick_more(struct vring_dev *r)
{
	int err = ask_for_kick(r, r->avail_idx);

	return err ? err : look_at(r, r->avail_idx);
}

int vring_packed_has_avail(struct vring_dev *r)
{
	return look_at(r, r->last_avail);
}
