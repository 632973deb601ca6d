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

/* @n descriptors further; @n is at most the ring's size. */
static inline __u16 gpacked_forward(const struct gring *r, __u16 pos,
				    unsigned int n)
{
	unsigned int slot = gpacked_slot(pos) + n;

	if (slot >= r->num)
		return ((pos ^ GPACKED_WRAP) & GPACKED_WRAP) | (slot - r->num);
	return (pos & GPACKED_WRAP) | slot;
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
	struct vring_packed_desc *d = &r->pdesc[gpacked_slot(r->avail_idx)];

	d->addr = addr;
	d->len = len;
	d->id = id;
	flags ^= gpacked_avail_bits(r->avail_idx);
	if (r->nr_hidden++)
		d->flags = flags;
	else
		r->hidden = flags;
	r->avail_idx = gpacked_forward(r, r->avail_idx, 1);
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
	h->seen = false;
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
	if (!r->nr_hidden)
		return;
	__atomic_store_n(&r->pdesc[gpacked_slot(r->shown_idx)].flags, r->hidden,
			 __ATOMIC_RELEASE);
	r->shown_idx = r->avail_idx;
	r->nr_shown += r->nr_hidden;
	r->nr_hidden = 0;
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

static inline bool gpacked_is_used(const struct gring *r, __u16 pos)
{
	__u16 flags = __atomic_load_n(&r->pdesc[gpacked_slot(pos)].flags,
				      __ATOMIC_ACQUIRE);

	return (flags & (GPACKED_AVAIL | GPACKED_USED)) == gpacked_used_bits(pos);
}

/* A batch of buffers that begins at @seen, up to that with @id. */
static inline const char *gpacked_batch(struct gring *r, __u16 id)
{
	struct gring_head *h;
	__u16 at;

	for (;;) {
		at = r->head[gpacked_slot(r->seen)].id;
		h = &r->head[at];
		/* Round the ring, or behind the last one. */
		if (!h->nr || h->seen)
			return "used_order";
		h->seen = true;
		r->seen = gpacked_forward(r, r->seen, h->nr);
		r->nr_seen++;
		if (at == id)
			return NULL;
		if (h->room)
			return "used_hole";
		h->len = 0;
	}
}

/* Used descriptors that came since we looked last. */
static inline unsigned int gpacked_pending(struct gring *r)
{
	while (!r->error && gpacked_is_used(r, r->seen)) {
		const struct vring_packed_desc *d = &r->pdesc[gpacked_slot(r->seen)];
		__u16 id = d->id, flags = d->flags;
		struct gring_head *h = &r->head[id];
		__u32 len = d->len;

		if (id >= r->num || !h->nr || h->seen) {
			r->error = "used_id";
			break;
		}
		/* Linux takes the length as it is, so it has to be right anyway. */
		if (len > h->room)
			r->error = "used_len";
		else if (len && !(flags & VRING_DESC_F_WRITE))
			r->error = "used_flag";
		h->len = len;
		if (r->error)
			break;
		if (!r->in_order)
			r->head[gpacked_slot(r->seen)].id = id;
		r->error = gpacked_batch(r, id);
	}
	return r->nr_seen + !!r->error;
}

static inline int gpacked_get(struct gring *r, __u32 *len, void **token)
{
	struct gring_head *h;
	__u16 id;

	if (r->error || (!r->nr_seen && !gpacked_pending(r)))
		return r->error ? -2 : -1;
	if (r->error)
		return -2;
	id = r->head[gpacked_slot(r->last_used)].id;
	h = &r->head[id];
	*len = h->len;
	*token = h->token;
	r->last_used = gpacked_forward(r, r->last_used, h->nr);
	r->nr_seen--;
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
