/* SPDX-License-Identifier: GPL-2.0 */
/* The driver's side of a split ring; see gdrv.h, which includes it. */
#ifndef VHOST_TEST_GSPLIT_H
#define VHOST_TEST_GSPLIT_H

static inline __u16 *gring_used_event(const struct gring *r)
{
	return &r->avail->ring[r->num];
}

static inline __u16 *gring_avail_event(const struct gring *r)
{
	return (__u16 *)&r->used->ring[r->num];
}

/* Put a head into the available ring, whatever it names. */
static inline void gring_push(struct gring *r, __u16 id)
{
	r->avail->ring[r->avail_idx++ & (r->num - 1)] = id;
}

static inline int gsplit_add(struct gring *r, const struct gseg *seg,
			     unsigned int out, unsigned int in, void *token)
{
	unsigned int i, n = out + in;
	__u16 id = r->free_head, at = id;
	__u32 room = 0;

	for (i = 0; i < n; i++) {
		struct vring_desc *d = &r->desc[at];

		d->addr = seg[i].addr;
		d->len = seg[i].len;
		d->flags = (i >= out ? VRING_DESC_F_WRITE : 0) |
			   (i + 1 < n ? VRING_DESC_F_NEXT : 0);
		at = r->head[at].next;
		d->next = at;
		if (i >= out)
			room += seg[i].len;
	}
	r->free_head = at;
	r->nr_free -= n;
	r->head[id].token = token;
	r->head[id].room = room;
	r->head[id].nr = n;
	gring_push(r, id);
	return id;
}

/* Pairs with the device's barrier after loading idx. */
static inline void gsplit_publish(struct gring *r)
{
	__atomic_store_n(&r->avail->idx, r->avail_idx, __ATOMIC_RELEASE);
	r->shown_idx = r->avail_idx;
}

static inline bool gsplit_want_kick(struct gring *r)
{
	__u16 old = r->kicked_idx;

	r->kicked_idx = r->shown_idx;
	if (r->event_idx)
		return gring_passed(__atomic_load_n(gring_avail_event(r),
						    __ATOMIC_RELAXED),
				    r->shown_idx, old);
	return !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) &
		 VRING_USED_F_NO_NOTIFY);
}

static inline unsigned int gsplit_pending(const struct gring *r)
{
	return (__u16)(__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) -
		       r->last_used);
}

/*
 * Where the descriptors of a buffer go. With IN_ORDER they are free in the
 * order of the table by themselves, and @free_head just goes round.
 */
static inline void gsplit_release(struct gring *r, __u16 id)
{
	struct gring_head *h = &r->head[id];
	__u16 at = id, i;

	r->nr_free += h->nr;
	if (!r->in_order) {
		for (i = 1; i < h->nr; i++)
			at = r->head[at].next;
		r->head[at].next = r->free_head;
		r->free_head = id;
	}
	h->nr = 0;
	r->last_used++;
}

/* How many buffers a batch has that ends with @id; at most @max, or 0. */
static inline unsigned int gsplit_batch(struct gring *r, __u16 at, __u32 id,
					unsigned int max)
{
	unsigned int n;

	for (n = 1; n <= max && r->head[at].nr; n++) {
		if (at == id)
			return n;
		if (r->head[at].room) {
			r->error = "used_hole";
			return 0;
		}
		at = (at + r->head[at].nr) & (r->num - 1);
	}
	r->error = "used_order";
	return 0;
}

static __always_inline int gsplit_get(struct gring *r, __u32 *len, void **token)
{
	unsigned int pending = gsplit_pending(r);
	const struct vring_used_elem *e;
	__u32 id;

	if (r->error)
		return -2;
	if (!pending)
		return -1;
	if (pending > (__u16)(r->shown_idx - r->last_used)) {
		r->error = "used_idx";
		return -2;
	}
	e = &r->used->ring[r->last_used & (r->num - 1)];
	id = e->id;
	*len = e->len;
	if (r->in_order) {
		/* The next one's head: behind the descriptors that are taken. */
		__u16 at = (r->free_head + r->nr_free) & (r->num - 1);

		if (!r->batch) {
			if (id >= r->num || !r->head[id].nr)
				goto bad_id;
			r->batch = gsplit_batch(r, at, id, pending);
			if (!r->batch)
				return -2;
			r->batch_len = *len;
		}
		id = at;
		*len = --r->batch ? 0 : r->batch_len;
	}
	if (id >= r->num || !r->head[id].nr)
		goto bad_id;
	if (*len > r->head[id].room) {
		r->error = "used_len";
		return -2;
	}
	*token = r->head[id].token;
	gsplit_release(r, id);
	return id;
bad_id:
	r->error = "used_id";
	return -2;
}

static inline void gsplit_call_enable(struct gring *r)
{
	if (r->event_idx)
		__atomic_store_n(gring_used_event(r), r->last_used,
				 __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->avail->flags, 0, __ATOMIC_RELAXED);
}

static inline void gsplit_call_disable(struct gring *r)
{
	if (r->event_idx)
		/* As far away as can be: behind us. */
		__atomic_store_n(gring_used_event(r), r->last_used - 1,
				 __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->avail->flags, VRING_AVAIL_F_NO_INTERRUPT,
				 __ATOMIC_RELAXED);
}

#endif /* VHOST_TEST_GSPLIT_H */
