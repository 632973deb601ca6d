/* SPDX-License-Identifier: GPL-2.0 */
/* The driver's side of a packed ring; see gdrv.h, which includes it. */
#ifndef VHOST_TEST_GPACKED_H
#define VHOST_TEST_GPACKED_H

#define GPACKED_WRAP	(1u << VRING_PACKED_EVENT_F_WRAP_CTR)
#define GPACKED_AVAIL	(1u << VRING_PACKED_DESC_F_AVAIL)
#define GPACKED_USED	(1u << VRING_PACKED_DESC_F_USED)

static inline __u16 gpacked_slot(__u16 pos)
{
	return pos & ~GPACKED_WRAP;
}

/*
 * @n descriptors further; @n is at most the ring's size. In a ring of 2^15 the
 * carry turns the wrap counter by itself.
 */
static inline __u16 gpacked_forward(const struct gring *r, __u16 pos,
				    unsigned int n)
{
	pos += n;
	if (__builtin_expect(gpacked_slot(pos) >= r->num, 0))
		pos = (pos - r->num) ^ GPACKED_WRAP;
	return pos;
}

/* The two bits that make a descriptor available at @pos, and used. */
static inline __u16 gpacked_avail_bits(__u16 pos)
{
	return pos & GPACKED_WRAP ? GPACKED_AVAIL : GPACKED_USED;
}

static inline __u16 gpacked_used_bits(__u16 pos)
{
	return pos & GPACKED_WRAP ? GPACKED_AVAIL | GPACKED_USED : 0;
}

/*
 * Write one descriptor as it comes, and make it available: at the latest when
 * the first one that is hidden yet is shown, and therefore not before.
 */
static inline void gpacked_put(struct gring *r, __u64 addr, __u32 len, __u16 id,
			       __u16 flags)
{
	const __u16 pos = r->avail_idx;
	struct vring_packed_desc *d = &r->pdesc[gpacked_slot(pos)];

	flags ^= r->avail_bits;
	if (pos != r->shown_idx)
		d->flags = flags;
	else
		r->hidden = flags;
	d->addr = addr;
	d->len = len;
	d->id = id;
	r->avail_idx = pos + 1;
	if (__builtin_expect(gpacked_slot(pos) + 1 == r->num, 0)) {
		r->avail_idx = gpacked_forward(r, pos, 1);
		r->avail_bits = gpacked_avail_bits(r->avail_idx);
	}
}

/* A free id for a buffer of @n descriptors that begins here. */
static inline __u16 gpacked_take_id(struct gring *r, unsigned int n, __u32 room,
				    void *token)
{
	__u16 id = r->free_head;
	struct gring_head *h = &r->head[id];

	r->free_head = h->next;
	r->nr_free -= n;
	h->token = token;
	h->room = room;
	h->nr = n;
	if (r->in_order)
		r->head[gpacked_slot(r->avail_idx)].id = id;
	return id;
}

static inline int gpacked_add(struct gring *r, const struct gseg *seg,
			      unsigned int out, unsigned int in, void *token)
{
	unsigned int i, n = out + in;
	__u32 room = 0;
	__u16 id;

	for (i = out; i < n; i++)
		room += seg[i].len;
	id = gpacked_take_id(r, n, room, token);
	/* The last one has the id (2.8.6); DPDK leaves the others' as they are. */
	for (i = 0; i + 1 < n; i++)
		gpacked_put(r, seg[i].addr, seg[i].len, ~id, VRING_DESC_F_NEXT |
			    (i >= out ? VRING_DESC_F_WRITE : 0));
	gpacked_put(r, seg[i].addr, seg[i].len, id,
		    i >= out ? VRING_DESC_F_WRITE : 0);
	return id;
}

/* Pairs with the device's barrier after loading the flags. */
static inline void gpacked_publish(struct gring *r)
{
	const __u16 from = r->shown_idx, to = r->avail_idx;

	if (from == to)
		return;
	__atomic_store_n(&r->pdesc[gpacked_slot(from)].flags, r->hidden,
			 __ATOMIC_RELEASE);
	if (r->event_idx) {
		r->nr_shown += gpacked_slot(to) - gpacked_slot(from);
		if ((from ^ to) & GPACKED_WRAP)
			r->nr_shown += r->num;
	}
	r->shown_idx = to;
}

static inline bool gpacked_want_kick(struct gring *r)
{
	union {
		struct vring_packed_desc_event e;
		__u32 both;
	} wish;
	unsigned int n = r->nr_shown;
	__u16 event, pos = r->shown_idx;

	r->nr_shown = 0;
	wish.both = __atomic_load_n((__u32 *)r->device, __ATOMIC_RELAXED);
	if (wish.e.flags != VRING_PACKED_EVENT_FLAG_DESC || !r->event_idx) {
		if (wish.e.flags > VRING_PACKED_EVENT_FLAG_DISABLE)
			r->error = "event_flags";
		return wish.e.flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	}
	event = gpacked_slot(wish.e.off_wrap);
	if ((wish.e.off_wrap ^ pos) & GPACKED_WRAP)
		event -= r->num;
	pos = gpacked_slot(pos);
	return n > 0xffff || gring_passed(event, pos, pos - n);
}

/* Are these the flags of a used descriptor at @pos? */
static inline bool gpacked_flags_used(__u16 flags, __u16 pos)
{
	return !((flags ^ gpacked_used_bits(pos)) & (GPACKED_AVAIL | GPACKED_USED));
}

static inline bool gpacked_is_used(const struct gring *r, __u16 pos)
{
	return gpacked_flags_used(__atomic_load_n(&r->pdesc[gpacked_slot(pos)].flags,
						  __ATOMIC_ACQUIRE), pos);
}

/*
 * The used entry at @pos: its buffer's id and length, or -1 if there is none, -2
 * if there may be none like that.
 */
static inline int gpacked_entry(struct gring *r, __u16 pos, __u32 *written)
{
	const struct vring_packed_desc *d = &r->pdesc[gpacked_slot(pos)];
	__u16 flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);
	const struct gring_head *h;
	__u32 len;
	__u16 id;

	if (!gpacked_flags_used(flags, pos))
		return -1;
	id = d->id;
	len = d->len;
	h = &r->head[id];
	if (id >= r->num || !h->nr || h->seen) {
		r->error = "used_id";
		return -2;
	}
	if (len) {
		/* Linux takes the length as it is, so it has to be right anyway. */
		if (len > h->room)
			r->error = "used_len";
		else if (!(flags & VRING_DESC_F_WRITE))
			r->error = "used_flag";
		if (r->error)
			return -2;
	}
	*written = len;
	return id;
}

/*
 * Buffers that are used according to the entry at @seen, which has @id: with
 * IN_ORDER all from there up to that one.
 */
static inline const char *gpacked_batch(struct gring *r, __u16 id, __u32 len)
{
	struct gring_head *head = r->head;
	__u16 pos = r->seen, n = r->nr_seen;
	const char *error = NULL;

	if (!r->in_order)
		head[gpacked_slot(pos)].id = id;
	for (;;) {
		const __u16 at = head[gpacked_slot(pos)].id;
		struct gring_head *h = &head[at];

		/* Round the ring, or behind the last one. */
		if (!h->nr || h->seen) {
			error = "used_order";
			break;
		}
		h->seen = true;
		pos = gpacked_forward(r, pos, h->nr);
		n++;
		if (at == id) {
			h->len = len;
			break;
		}
		if (h->room) {
			error = "used_hole";
			break;
		}
		h->len = 0;
	}
	r->seen = pos;
	r->nr_seen = n;
	return error;
}

/* The next used entry, ahead of those that are to be taken. Is there one? */
static inline bool gpacked_look(struct gring *r)
{
	__u32 len;
	int id;

	if (!r->nr_seen)
		r->seen = r->last_used;
	id = gpacked_entry(r, r->seen, &len);
	if (id < 0)
		return false;
	r->error = gpacked_batch(r, id, len);
	return !r->error;
}

/* Used buffers, those included that came since we looked last. */
static inline unsigned int gpacked_pending(struct gring *r)
{
	while (!r->error && gpacked_look(r))
		;
	return r->nr_seen + !!r->error;
}

static __always_inline int gpacked_get(struct gring *r, __u32 *len, void **token)
{
	const __u16 pos = r->last_used;
	struct gring_head *h;
	int id;

	if (r->error)
		return -2;
	if (!r->nr_seen && !r->in_order) {
		id = gpacked_entry(r, pos, len);
		if (id < 0)
			return id;
		h = &r->head[id];
	} else {
		if (!r->nr_seen && !gpacked_look(r))
			return r->error ? -2 : -1;
		id = r->head[gpacked_slot(pos)].id;
		h = &r->head[id];
		*len = h->len;
		h->seen = false;
		r->nr_seen--;
	}
	*token = h->token;
	r->last_used = gpacked_forward(r, pos, h->nr);
	r->nr_free += h->nr;
	h->nr = 0;
	h->next = r->free_head;
	r->free_head = id;
	return id;
}

static inline void gpacked_call_enable(struct gring *r)
{
	if (r->event_idx)
		__atomic_store_n(&r->driver->off_wrap, r->last_used,
				 __ATOMIC_RELAXED);
	/* The place before the wish for it. */
	__atomic_store_n(&r->driver->flags,
			 r->event_idx ? VRING_PACKED_EVENT_FLAG_DESC :
					VRING_PACKED_EVENT_FLAG_ENABLE,
			 __ATOMIC_RELEASE);
}

static inline void gpacked_call_disable(struct gring *r)
{
	__atomic_store_n(&r->driver->flags, VRING_PACKED_EVENT_FLAG_DISABLE,
			 __ATOMIC_RELAXED);
}

#endif /* VHOST_TEST_GPACKED_H */
