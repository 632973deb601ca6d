// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gdrv.h"

/* A packed ring whose descriptors before @pos are used in this round. */
static void reset_packed(struct gring *r, __u16 pos)
{
	__u16 lap = gpacked_used_bits(pos), i;

	memset(r->driver, 0, sizeof(*r->driver));
	memset(r->device, 0, sizeof(*r->device));
	for (i = 0; i < r->num; i++) {
		bool now = i < gpacked_slot(pos);

		/* Those behind it were used in the round before. */
		r->pdesc[i].flags = now ? lap : lap ^ gpacked_used_bits(GPACKED_WRAP);
		/* Ids in another order than slots: nobody may take one for the other. */
		r->head[i].next = i - 1;
	}
	r->free_head = r->num - 1;
	r->avail_bits = gpacked_avail_bits(pos);
	r->seen = pos;
	r->nr_seen = 0;
	r->nr_shown = 0;
}

static void reset_split(struct gring *r, __u16 base)
{
	__u16 i;

	memset(r->avail, 0, GRING_AVAIL_SIZE(r->num));
	memset(r->used, 0, GRING_USED_SIZE(r->num));
	for (i = 0; i < r->num; i++)
		r->head[i].next = (i + 1) & (r->num - 1);
	r->free_head = 0;
	r->kicked_idx = base;
	r->avail->idx = base;
	r->used->idx = base;
	r->batch = 0;
}

void gring_reset(struct gring *r, __u16 base)
{
	if (r->packed)
		base = gring_base_of(r, base);
	memset(r->desc, 0, GRING_DESC_SIZE(r->num));
	memset(r->head, 0, r->num * sizeof(*r->head));
	if (r->packed)
		reset_packed(r, base);
	else
		reset_split(r, base);
	r->error = NULL;
	r->nr_free = r->num;
	r->avail_idx = base;
	r->shown_idx = base;
	r->last_used = base;
	evt_wait(r->kick, 0);
	evt_wait(r->call, 0);
	evt_wait(r->err, 0);
}

int gring_init(struct gring *r, __u16 num, void *desc, void *avail, void *used,
	       __u64 features, __u16 base)
{
	memset(r, 0, sizeof(*r));
	r->head = calloc(num, sizeof(*r->head));
	if (!r->head)
		return -ENOMEM;
	r->packed = features & BIT_ULL(VIRTIO_F_RING_PACKED);
	r->in_order = features & BIT_ULL(VIRTIO_F_IN_ORDER);
	r->event_idx = features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	r->num = num;
	r->desc = desc;
	r->avail = avail;
	r->used = used;
	r->kick = evt_new();
	r->call = evt_new();
	r->err = evt_new();
	gring_reset(r, base);
	if (r->kick < 0 || r->call < 0 || r->err < 0) {
		gring_free(r);
		return -EMFILE;
	}
	return 0;
}

int gring_alloc(struct gring *r, struct vmm *v, __u16 num, __u64 features,
		unsigned int table_len)
{
	void *desc = vmm_alloc(v, GRING_DESC_SIZE(num), 4096);
	void *avail, *used;
	int err;

	/* Of the sizes of a split ring, which are the larger ones. */
	avail = vmm_alloc(v, GRING_AVAIL_SIZE(num), 4096);
	used = vmm_alloc(v, GRING_USED_SIZE(num), 4096);

	if (!desc || !avail || !used)
		return -ENOMEM;
	err = gring_init(r, num, desc, avail, used, features, 0);
	if (err || !table_len)
		return err;
	r->table = vmm_alloc(v, 16 * (size_t)num * table_len, 16);
	if (!r->table) {
		gring_free(r);
		return -ENOMEM;
	}
	r->table_addr = vmm_addr(v, r->table);
	r->table_len = table_len;
	return 0;
}

void gring_free(struct gring *r)
{
	free(r->head);
	r->head = NULL;
	if (r->kick >= 0)
		close(r->kick);
	if (r->call >= 0)
		close(r->call);
	if (r->err >= 0)
		close(r->err);
}

int gring_set_addr(struct gring *r, struct vmm *v, unsigned int vq,
		   unsigned int flags, __u64 log)
{
	/* Behind an IOMMU the ring's addresses are the guest's, else ours. */
	if (v->translate)
		return vmm_vring_addr(v, vq, flags, vmm_addr(v, r->desc),
				      vmm_addr(v, r->avail), vmm_addr(v, r->used),
				      log);
	return vmm_vring_addr(v, vq, flags, (uintptr_t)r->desc,
			      (uintptr_t)r->avail, (uintptr_t)r->used, log);
}

/*
 * Of a packed ring, VRING_BASE has the place of the next available descriptor
 * in its lower half and that of the next used one in the upper half; both with
 * the wrap counter, which is 1 at first, in the highest bit.
 */
static unsigned int packed_base(__u16 avail, __u16 used)
{
	return avail | (unsigned int)used << 16;
}

unsigned int gring_base_of(const struct gring *r, __u16 base)
{
	__u16 pos;

	if (!r->packed)
		return base;
	pos = base % r->num;
	if (!(base / r->num % 2))
		pos |= GPACKED_WRAP;
	return packed_base(pos, pos);
}

unsigned int gring_stopped_base(struct gring *r)
{
	unsigned int pending = gring_pending(r);

	if (!r->packed)
		return (__u16)(r->last_used + pending);
	return pending ? packed_base(r->seen, r->seen) :
			 packed_base(r->last_used, r->last_used);
}

int gring_attach(struct gring *r, struct vmm *v, unsigned int vq)
{
	int err;

	err = vmm_vring_num(v, vq, r->num);
	if (!err)
		err = vmm_vring_base(v, vq, r->packed ?
				     packed_base(r->avail_idx, r->last_used) :
				     r->avail_idx);
	if (!err)
		err = gring_set_addr(r, v, vq, 0, 0);
	if (!err)
		err = vmm_vring_kick(v, vq, r->kick);
	if (!err)
		err = vmm_vring_call(v, vq, r->call);
	if (!err)
		err = vmm_vring_err(v, vq, r->err);
	return err;
}

static int now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool gring_wait(struct gring *r, int ms)
{
	int end = now_ms() + ms;

	while (gring_call_enable(r)) {
		int left = end - now_ms();

		/*
		 * A call that was for buffers taken already wakes us, too. A
		 * used buffer without its call is a lost interrupt: false.
		 */
		if (left <= 0 || !evt_wait(r->call, left))
			return false;
	}
	return true;
}

void gring_call_at(struct gring *r, __u16 ahead)
{
	__u16 pos = r->packed ? gpacked_forward(r, r->last_used, ahead) :
				r->last_used + ahead;

	if (!r->packed) {
		__atomic_store_n(gring_used_event(r), pos, __ATOMIC_SEQ_CST);
		return;
	}
	__atomic_store_n(&r->driver->off_wrap, pos, __ATOMIC_RELAXED);
	__atomic_store_n(&r->driver->flags, VRING_PACKED_EVENT_FLAG_DESC,
			 __ATOMIC_SEQ_CST);
}

bool gring_kick_wanted(const struct gring *r)
{
	volatile const __u16 *flags = r->packed ? &r->device->flags : &r->used->flags;
	volatile const __u16 *place = r->packed ? &r->device->off_wrap :
						  gring_avail_event(r);

	if (r->packed ? *flags == VRING_PACKED_EVENT_FLAG_DESC : r->event_idx)
		return *place == r->shown_idx;
	/* Not to be notified is 1 in both layouts. */
	return !*flags;
}

static int add_indirect_packed(struct gring *r, const struct gseg *seg,
			       unsigned int out, unsigned int n, void *token)
{
	size_t at = (size_t)r->free_head * r->table_len;
	struct vring_packed_desc *t = (void *)(r->table + at);
	__u32 room = 0;
	unsigned int i;
	__u16 id;

	for (i = 0; i < n; i++) {
		t[i].addr = seg[i].addr;
		t[i].len = seg[i].len;
		/* The order is that of the table, ids mean nothing here (2.8.7). */
		t[i].id = ~i;
		t[i].flags = i >= out ? VRING_DESC_F_WRITE : 0;
		if (i >= out)
			room += seg[i].len;
	}
	id = gpacked_take_id(r, 1, room, token);
	gpacked_put(r, r->table_addr + 16 * at, 16 * n, id, VRING_DESC_F_INDIRECT);
	return id;
}

int gring_add_indirect(struct gring *r, const struct gseg *seg, unsigned int out,
		       unsigned int in, void *token)
{
	unsigned int i, n = out + in, id = r->free_head;
	struct vring_desc *t = r->table + (size_t)id * r->table_len;
	struct vring_desc *d;
	__u32 room = 0;

	if (!r->nr_free || n > r->table_len)
		return -1;
	if (r->packed)
		return add_indirect_packed(r, seg, out, n, token);
	for (i = 0; i < n; i++) {
		t[i].addr = seg[i].addr;
		t[i].len = seg[i].len;
		t[i].flags = (i >= out ? VRING_DESC_F_WRITE : 0) |
			     (i + 1 < n ? VRING_DESC_F_NEXT : 0);
		t[i].next = i + 1;
		if (i >= out)
			room += seg[i].len;
	}
	d = &r->desc[id];
	d->addr = r->table_addr + 16ULL * id * r->table_len;
	d->len = 16 * n;
	d->flags = VRING_DESC_F_INDIRECT;
	r->free_head = r->head[id].next;
	r->nr_free--;
	r->head[id].token = token;
	r->head[id].room = room;
	r->head[id].nr = 1;
	gring_push(r, id);
	return id;
}
