// SPDX-License-Identifier: GPL-2.0
/*
 * Split virtqueues: virtio 1.3, section 2.7.
 *
 *	descriptor table	available ring		used ring
 *	{addr, len,		flags			flags
 *	 flags, next} * num	idx			idx
 *				ring[num]		{id, len} ring[num]
 *				used_event		avail_event
 */
#include "ring.h"

/* Byte offsets inside the available and the used ring. */
#define RING_FLAGS	0u
#define RING_IDX	2u
#define RING_ENTRIES	4u

/* Where the guest says at which used index it wants its interrupt. */
static inline vring_ptr used_event(const struct vring_dev *r)
{
	return vring_at(&r->avail, RING_ENTRIES + 2 * r->num);
}

/* Where we say at which available index we want our kick. */
static inline vring_ptr avail_event(const struct vring_dev *r)
{
	return vring_at(&r->used, RING_ENTRIES + 8 * r->num);
}

/* One 16-bit load and one 16-bit store, each in a window of its own. */
static int load16(vring_ptr ptr, u16 *val)
{
	u16 v;

	if (!vring_access_begin(ptr, sizeof(v)))
		return -VRING_E_FAULT;
	vring_get16(v, ptr, fault);
	vring_access_end();
	*val = v;
	return 0;
fault:
	vring_access_end();
	return -VRING_E_FAULT;
}

static int store16(vring_ptr ptr, u16 val)
{
	if (!vring_access_begin(ptr, sizeof(val)))
		return -VRING_E_FAULT;
	vring_put16(val, ptr, fault);
	vring_access_end();
	return 0;
fault:
	vring_access_end();
	return -VRING_E_FAULT;
}

/* Look at the available index, for who takes nothing. */
static int peek_avail_idx(const struct vring_dev *r, u16 *idx)
{
	int err = load16(vring_at(&r->avail, RING_IDX), idx);

	if (err)
		return err;
	return (u16)(*idx - r->last_avail) > r->num ? -VRING_E_AVAIL_IDX : 0;
}

/* Load the available index. What is at it and behind is read afterwards. */
static int load_avail_idx(struct vring_dev *r)
{
	u16 idx;
	int err;

	err = peek_avail_idx(r, &idx);
	if (err)
		return err;
	r->avail_idx = idx;
	/* Pairs with the guest's barrier between its ring entries and idx. */
	vring_rmb();
	return 0;
}

int vring_split_start(struct vring_dev *r, u16 last_avail)
{
	u16 idx;
	int err;

	err = load16(vring_at(&r->used, RING_IDX), &idx);
	if (err)
		return err;
	err = store16(vring_at(&r->used, RING_FLAGS), 0);
	if (err)
		return err;
	r->last_avail = last_avail;
	r->avail_idx = last_avail;
	r->last_used = idx;
	r->stored = idx;
	r->published = idx;
	r->signalled_valid = false;
	r->nr_pend = 0;
	r->used_flags = 0;
	return 0;
}

/* Inside a window: copy the descriptor at @idx of @part, which is inside @mask. */
#define copy_desc(s, part, mask, idx, fault)				\
	do {								\
		/* Changes no index that passed; binds a mispredicted one, too. */ \
		const vring_ptr _desc = vring_at(part, 16 * ((idx) & (mask))); \
		u64 _word;						\
									\
		vring_get64((s)->addr, _desc, fault);			\
		vring_get64(_word, _desc + 8, fault);			\
		(s)->len = (u32)_word;					\
		(s)->flags = (u16)(_word >> 32);			\
		(s)->next = (u16)(_word >> 48);				\
	} while (0)

/*
 * One window: @max heads, and for each the raw descriptors of its chain. What
 * keeps the walk inside the table is checked here, and simple chains; @odd is
 * the first that is not simple, or behind all.
 *
 * Return: number of chains, or the negative of an enum vring_error if the
 * first of them cannot be had.
 */
static int gather(const struct vring_dev *r, struct vring_batch *b, unsigned int max,
		  u16 *odd)
{
	const u32 mask = r->num - 1;
	/* Copies, as stores to the batch might change these for all the compiler knows. */
	const struct vring_part avail = r->avail, table = r->desc;
	/* Pointers, not indices: checks of these would be calls in the window. */
	struct vring_chain *c = b->chain, *last = c + max, *strange = last;
	struct vring_seg *s = b->seg;
	const struct vring_seg *room = s + VRING_SEG_MAX;
	u16 at = r->last_avail, seg = 0;
	int err = 0;

	if (!vring_access_begin(vring_at(&r->avail, 0), sizeof(u16)))
		return -VRING_E_FAULT;

	for (; c < last; c++, s++, at++) {
		u16 idx;

		vring_get16(idx, vring_at(&avail, RING_ENTRIES + 2 * (at & mask)), fault);
		if (unlikely(idx > mask)) {
			err = -VRING_E_HEAD;
			break;
		}
		copy_desc(s, &table, mask, idx, fault);
		c->id = idx;
		c->slots = 1;
		c->seg = seg;
		c->nr_seg = 1;
		if (likely(!(s->flags & (VRING_D_NEXT | VRING_D_INDIRECT)))) {
			if (unlikely(!vring_chain_simple(c, s)) && c < strange)
				strange = c;
			seg++;
			continue;
		}
		/* A chain of several, or a table. */
		if (c < strange)
			strange = c;
		while (vring_goes_on(s)) {
			idx = s->next;
			if (unlikely(idx > mask)) {
				err = -VRING_E_NEXT;
				break;
			}
			if (unlikely(c->nr_seg > mask)) {
				err = -VRING_E_LOOP;
				break;
			}
			if (unlikely(++s == room)) {
				err = -VRING_E_SEGS;
				break;
			}
			copy_desc(s, &table, mask, idx, fault);
			c->nr_seg++;
		}
		if (unlikely(err))
			break;
		seg += c->nr_seg;
		/* Each chain behind it needs a segment. */
		last = min(last, c + (room - s));
	}
out:
	vring_access_end();
	b->nr_seg = seg;
	*odd = strange - b->chain;
	return c > b->chain ? c - b->chain : err;
fault:
	err = -VRING_E_FAULT;
	goto out;
}

int vring_split_fetch(struct vring_dev *r, struct vring_batch *b, unsigned int max)
{
	u16 avail = r->avail_idx - r->last_avail;
	u16 odd;
	int n;

	b->nr = 0;
	b->nr_seg = 0;
	if (!avail) {
		int err = load_avail_idx(r);

		if (err)
			return err;
		avail = r->avail_idx - r->last_avail;
		if (!avail)
			return 0;
	}

	n = gather(r, b, min3(max, (unsigned int)avail, VRING_BATCH), &odd);
	if (n <= 0)
		return n;
	b->nr = n;
	if (unlikely(odd < n)) {
		int err = vring_batch_check(r, b, odd);

		if (err)
			return err;
	}
	r->last_avail += b->nr;
	return b->nr;
}

/*
 * Inside a window: store the recorded entries; false on a fault. In two stores
 * each: an entry is aligned to 4 bytes only, and its second half may lie in the
 * next page.
 */
static __always_inline bool store_pending(const struct vring_dev *r)
{
	const struct vring_done *done = r->pend, *end = done + r->nr_pend;
	u16 row = r->stored;

	while (done < end) {
		/* One time round the ring, one piece of memory. */
		const u32 slot = vring_slot(r, row), off = RING_ENTRIES + 8 * slot;
		const vring_ptr start = vring_at(&r->used, off);
		const vring_ptr stop = start + 8 * (r->used.base ? r->num - slot : 1);
		vring_ptr id = start, len = vring_at(&r->used, off + 4);

		do {
			u32 slots = done->slots;

			while (vring_skip(r, done, end))
				slots += (++done)->slots;
			vring_put32(done->id, id, fault);
			vring_put32(done->len, len, fault);
			id += 8 * slots;
			len += 8 * slots;
		} while (++done < end && id < stop);
		row += (id - start) / 8;
	}
	return true;
fault:
	return false;
}

/* All that was recorded is in the ring. */
static void stored(struct vring_dev *r)
{
	r->stored = r->last_used;
	r->nr_pend = 0;
}

int vring_split_flush(struct vring_dev *r)
{
	if (!vring_access_begin(vring_at(&r->used, 0), sizeof(u16)))
		return -VRING_E_FAULT;
	if (!store_pending(r))
		goto fault;
	vring_access_end();
	stored(r);
	return 0;
fault:
	vring_access_end();
	return -VRING_E_FAULT;
}

int vring_split_publish(struct vring_dev *r)
{
	u16 n = r->last_used - r->published;

	if (!n)
		return 0;
	if (!vring_access_begin(vring_at(&r->used, 0), sizeof(u16)))
		return -VRING_E_FAULT;
	if (!store_pending(r))
		goto fault;
	/*
	 * Used entries, and the data that they speak of, before the index.
	 * Pairs with the guest's barrier between loading idx and the entries.
	 */
	vring_wmb();
	vring_put16(r->last_used, vring_at(&r->used, RING_IDX), fault);
	vring_access_end();
	stored(r);
	r->published = r->last_used;
	/*
	 * After 2^16 entries without a decision the comparison in
	 * need_signal would be fooled by the wrap.
	 */
	if (unlikely((u16)(r->published - r->signalled) < n))
		r->signalled_valid = false;
	return n;
fault:
	vring_access_end();
	return -VRING_E_FAULT;
}

int vring_split_need_signal(struct vring_dev *r)
{
	u16 old = r->signalled, new = r->published;
	bool valid = r->signalled_valid;
	u16 val;
	int err;

	/*
	 * Store of the used index before the load of the guest's wish. Pairs
	 * with the guest's barrier between storing its wish and checking the
	 * used index again.
	 */
	vring_mb();

	/*
	 * Not has_avail: what that finds counts as known, and the turn that ends
	 * here has not looked at it. It may wait for more than is known: kick_more.
	 */
	if (unlikely(r->notify_on_empty) && r->avail_idx == r->last_avail) {
		err = peek_avail_idx(r, &val);
		if (err)
			return err;
		if (val == r->last_avail)
			return 1;
	}

	if (!r->event_idx) {
		err = load16(vring_at(&r->avail, RING_FLAGS), &val);
		if (err)
			return err;
		return !(val & VRING_AVAIL_NO_INTERRUPT);
	}

	err = load16(used_event(r), &val);
	if (err)
		return err;
	r->signalled = new;
	r->signalled_valid = true;
	/* Did the index move past the event, that is old <= event < new? */
	return !valid || (u16)(new - val - 1) < (u16)(new - old);
}

int vring_split_kick_disable(struct vring_dev *r)
{
	u16 flags = r->used_flags | VRING_USED_NO_NOTIFY;
	int err;

	/* With event indices silence needs nothing: ours is out of date. */
	if (r->event_idx || r->used_flags == flags)
		return 0;
	err = store16(vring_at(&r->used, RING_FLAGS), flags);
	if (!err)
		r->used_flags = flags;
	return err;
}

/* Ask for a kick when the available index moves past @event. */
static int ask_for_kick(struct vring_dev *r, u16 event)
{
	u16 flags = r->used_flags & ~VRING_USED_NO_NOTIFY;
	int err;

	if (r->event_idx) {
		err = store16(avail_event(r), event);
	} else {
		err = store16(vring_at(&r->used, RING_FLAGS), flags);
		if (!err)
			r->used_flags = flags;
	}
	/*
	 * Store of our wish before the load of the available index. Pairs with
	 * the guest's barrier between storing its index and reading our wish.
	 */
	vring_mb();
	return err;
}

int vring_split_kick_enable(struct vring_dev *r)
{
	int err = ask_for_kick(r, r->last_avail);

	return err ? err : vring_split_has_avail(r);
}

int vring_split_kick_more(struct vring_dev *r)
{
	u16 known = r->avail_idx;
	int err;

	err = ask_for_kick(r, known);
	if (!err)
		err = load_avail_idx(r);
	return err ? err : r->avail_idx != known;
}

int vring_split_has_avail(struct vring_dev *r)
{
	int err;

	if (r->avail_idx != r->last_avail)
		return 1;
	err = load_avail_idx(r);
	if (err)
		return err;
	return r->avail_idx != r->last_avail;
}
