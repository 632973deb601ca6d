// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gdrv.h"

void gring_reset(struct gring *r, __u16 base)
{
	unsigned int i;

	memset(r->desc, 0, GRING_DESC_SIZE(r->num));
	memset(r->avail, 0, GRING_AVAIL_SIZE(r->num));
	memset(r->used, 0, GRING_USED_SIZE(r->num));
	for (i = 0; i < r->num; i++) {
		r->head[i].token = NULL;
		r->head[i].next = i + 1;
		r->head[i].nr = 0;
	}
	r->free_head = 0;
	r->nr_free = r->num;
	r->avail_idx = base;
	r->shown_idx = base;
	r->kicked_idx = base;
	r->last_used = base;
	r->avail->idx = base;
	r->used->idx = base;
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
	r->layout = GRING_SPLIT;
	r->num = num;
	r->event_idx = features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
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
	void *avail = vmm_alloc(v, GRING_AVAIL_SIZE(num), 4096);
	void *used = vmm_alloc(v, GRING_USED_SIZE(num), 4096);
	int err;

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

int gring_attach(struct gring *r, struct vmm *v, unsigned int vq)
{
	int err;

	err = vmm_vring_num(v, vq, r->num);
	if (!err)
		err = vmm_vring_base(v, vq, r->avail_idx);
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

int gring_add_indirect(struct gring *r, const struct gseg *seg, unsigned int out,
		       unsigned int in, void *token)
{
	unsigned int i, n = out + in, id = r->free_head;
	struct vring_desc *t = r->table + (size_t)id * r->table_len;
	struct vring_desc *d;

	if (!r->nr_free || n > r->table_len)
		return -1;
	for (i = 0; i < n; i++) {
		t[i].addr = seg[i].addr;
		t[i].len = seg[i].len;
		t[i].flags = (i >= out ? VRING_DESC_F_WRITE : 0) |
			     (i + 1 < n ? VRING_DESC_F_NEXT : 0);
		t[i].next = i + 1;
	}
	d = &r->desc[id];
	d->addr = r->table_addr + 16ULL * id * r->table_len;
	d->len = 16 * n;
	d->flags = VRING_DESC_F_INDIRECT;
	r->free_head = r->head[id].next;
	r->nr_free--;
	r->head[id].token = token;
	r->head[id].nr = 1;
	gring_push(r, id);
	return id;
}
