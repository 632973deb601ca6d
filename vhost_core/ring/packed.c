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
static __always_inline int store_event(struct vring_dev *r, u32 flags, u16 pos)
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
static inline u32 run_length(const struct vring_dev *r, u16 pos)
{
	u32 slot = vring_slot(r, pos), n = r->num - slot;

	if (unlikely(!r->desc.base)) {
		u32 off = (r->desc.off + DESC_SIZE * slot) & VRING_PAGE_MASK;

		n = min(n, (VRING_PAGE_MASK + 1 - off) / DESC_SIZE);
	}
	return n;
}

/* Inside a window: the rest of the descriptor at @desc, @word is its id and flags. */
#define copy_rest(s, word, desc, fault)					\
	do {								\
		vring_get64((s)->addr, desc, fault);			\
		vring_get32((s)->len, (desc) + DESC_LEN, fault);	\
		(s)->next = (u16)(word);				\
		(s)->flags = (word) >> 16;				\
	} while (0)

/*
 * One window: copy chains as long as their first descriptors are available; of
 * the others' flags only NEXT and WRITE count. Most chains are one descriptor
 * that names its buffer: flags are compared with those of such a one. @odd is
 * the first that is not simple, or behind all.
 *
 * Return: how the window ended, 0 or the negative of an enum vring_error; b->nr
 * chains were copied before, and @end is the position behind them.
 */
static int gather(const struct vring_dev *r, struct vring_batch *b, unsigned int max,
		  u16 *end, struct vring_chain **odd)
{
	/* Pointers, not indices: checks of these would be calls in the window. */
	struct vring_chain *c = b->chain, *strange = c + max;
	struct vring_seg *s = b->seg;
	const struct vring_seg *room = s + VRING_SEG_MAX;
	/* What we have and the guest was not told of is not the guest's. */
	const u16 limit = r->published + r->num;
	u16 at = r->last_avail, seg = 0;
	u32 left = min(max, (u32)(u16)(limit - at)), run = 0, rest = 0;
	int err = 0;

	if (!vring_access_begin(vring_at(&r->desc, 0), sizeof(u64)))
		return -VRING_E_FAULT;

	while (left) {
		/* One lap, one piece of memory. */
		const u32 want = (u32)avail_flags(r, at) << 16;
		vring_ptr desc = desc_at(r, at);
		u32 word = 0, diff = 0;
		u16 pos;

		run = min(left, run_length(r, at));
		for (rest = run; rest; rest--, c++, s++, desc += DESC_SIZE) {
			vring_get32(word, desc + DESC_ID, fault);
			diff = (word ^ want) & (OWNER_FLAGS | VRING_D_NEXT |
						VRING_D_INDIRECT) << 16;
			if (unlikely(diff))
				break;
			/*
			 * Flags before the rest. Pairs with the guest's barrier
			 * between a chain and the flags of its first descriptor.
			 */
			vring_rmb();
			copy_rest(s, word, desc, fault);
			c->id = s->next;
			c->slots = 1;
			c->seg = seg++;
			c->nr_seg = 1;
			if (unlikely(!vring_chain_simple(c, s)) && c < strange)
				strange = c;
		}
		at += run - rest;
		left -= run - rest;
		run = rest;
		if (diff & OWNER_FLAGS << 16)
			break;
		if (likely(!diff))
			continue;

		/* A chain of several, or a table. */
		vring_rmb();
		copy_rest(s, word, desc, fault);
		c->seg = seg;
		c->nr_seg = 1;
		for (pos = at + 1; vring_goes_on(s); pos++) {
			if (++s == room) {
				err = -VRING_E_SEGS;
				goto out;
			}
			if (pos == limit) {
				err = -VRING_E_LOOP;
				goto out;
			}
			desc = desc_at(r, pos);
			vring_get32(word, desc + DESC_ID, fault);
			copy_rest(s, word, desc, fault);
			c->nr_seg++;
		}
		c->id = s->next;
		c->slots = c->nr_seg;
		seg += c->nr_seg;
		s++;
		if (c < strange)
			strange = c;
		c++;
		/* Each chain behind it needs a segment and a descriptor. */
		at = pos;
		left = min3(left - 1, (u32)(room - s), (u32)(u16)(limit - at));
	}
out:
	vring_access_end();
	b->nr = c - b->chain;
	b->nr_seg = seg;
	*end = at;
	*odd = strange;
	return err;
fault:
	/* Of this run so many were copied; of a chain of several, nothing. */
	at += run - rest;
	err = -VRING_E_FAULT;
	goto out;
}

int vring_packed_fetch(struct vring_dev *r, struct vring_batch *b, unsigned int max)
{
	struct vring_chain *odd;
	u16 end, i;
	int err, n;

	b->nr = 0;
	b->nr_seg = 0;
	err = gather(r, b, min(max, VRING_BATCH), &end, &odd);
	n = b->nr;
	if (!n)
		return err;
	r->avail_idx = end;
	if (unlikely(odd < b->chain + n)) {
		err = vring_batch_check(r, b, odd - b->chain);
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
 * The next recorded entry that is stored; with IN_ORDER it may speak for those
 * before it. Return: the slots of all of them.
 */
static __always_inline u32 next_done(const struct vring_dev *r, const struct vring_done **done,
				     const struct vring_done *end)
{
	u32 slots = (*done)->slots;

	while (vring_skip(r, *done, end))
		slots += (++*done)->slots;
	return slots;
}

/* Id and flags of a used entry; @lap is those of its lap. */
static inline u32 used_word(const struct vring_done *done, u32 lap)
{
	return done->id | lap | (done->len ? VRING_D_WRITE << 16 : 0);
}

static inline u32 used_flags(const struct vring_dev *r, u16 pos)
{
	return wrap_counter(r, pos) ? OWNER_FLAGS << 16 : 0;
}

/*
 * Store the recorded entries, but of the one at @published only what the flags
 * do not cover; with @publish then its flags, and the guest sees them all.
 */
static int store(struct vring_dev *r, bool publish)
{
	const struct vring_done *done = r->pend, *end = done + r->nr_pend;
	const vring_ptr first = desc_at(r, r->published);
	u16 row = r->stored;

	if (!vring_access_begin(first, sizeof(u64)))
		return -VRING_E_FAULT;
	if (row == r->published && done < end) {
		u32 slots = next_done(r, &done, end);
		u32 word = used_word(done, used_flags(r, row));

		r->first_flags = word >> 16;
		vring_put32(done->len, first + DESC_LEN, fault);
		vring_put16((u16)word, first + DESC_ID, fault);
		row += slots;
		done++;
	}
	while (done < end) {
		/* One lap, one piece of memory. */
		const vring_ptr start = desc_at(r, row);
		const vring_ptr stop = start + DESC_SIZE * run_length(r, row);
		const u32 lap = used_flags(r, row);
		vring_ptr desc = start;

		do {
			u32 slots = next_done(r, &done, end);

			vring_put32(done->len, desc + DESC_LEN, fault);
			vring_put32(used_word(done, lap), desc + DESC_ID, fault);
			desc += DESC_SIZE * slots;
		} while (++done < end && desc < stop);
		row += (desc - start) / DESC_SIZE;
	}
	if (publish) {
		/*
		 * Used entries, and the data that they speak of, before the
		 * flags of the first. Pairs with the guest's barrier between
		 * loading these and the rest.
		 */
		vring_wmb();
		vring_put16(r->first_flags, first + DESC_FLAGS, fault);
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
static __always_inline int ask_for_kick(struct vring_dev *r, u16 pos)
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
static __always_inline int look_at(const struct vring_dev *r, u16 pos)
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
