// SPDX-License-Identifier: GPL-2.0
/*
 * Ring memory as the guest sees it: allocation in one piece or in scattered
 * pages, and plain little-endian loads and stores.
 */
#include <stdlib.h>
#include <string.h>

#include "ringmem.h"

static void init_part(struct ringmem_part *p, struct vring_part *vp,
		      enum env_part id, u32 len, bool scattered, u32 off)
{
	u32 i, at = 0;

	memset(p, 0, sizeof(*p));
	p->len = len;
	memset(vp, 0, sizeof(*vp));
	vp->len = len;
	if (!scattered) {
		/* Exactly as long as the part: one byte more is a finding. */
		p->mem = calloc(1, len);
		vp->base = p->mem;
		env_register(id, 0, p->mem, len);
		return;
	}
	p->off = off;
	p->nr_page = (off + len + RINGMEM_PAGE - 1) / RINGMEM_PAGE;
	p->page = calloc(p->nr_page, sizeof(*p->page));
	for (i = 0; i < p->nr_page; i++) {
		u32 start = i ? 0 : off;
		u32 n = min(RINGMEM_PAGE - start, len - at);
		u8 *page = aligned_alloc(RINGMEM_PAGE, RINGMEM_PAGE);

		memset(page, 0, RINGMEM_PAGE);
		p->page[i] = page;
		env_register(id, at, page + start, n);
		at += n;
	}
	vp->page = p->page;
	vp->off = off;
}

void ringmem_init(struct ringmem *m, struct vring_dev *r, enum ring_layout layout,
		  u32 num, const struct ringmem_shape *shape)
{
	static const struct ringmem_shape contiguous;
	u32 len[ENV_NR_PARTS] = { 0 };
	struct vring_part *vp[ENV_NR_PARTS] = { &r->desc, &r->avail, &r->used };
	unsigned int i;

	if (!shape)
		shape = &contiguous;
	m->layout = layout;
	m->num = num;
	r->packed = layout == LAYOUT_PACKED;
	switch (layout) {
	case LAYOUT_SPLIT:
		len[ENV_DESC] = 16 * num;
		len[ENV_AVAIL] = 6 + 2 * num;
		len[ENV_USED] = 6 + 8 * num;
		break;
	case LAYOUT_PACKED:
		len[ENV_DESC] = 16 * num;
		len[ENV_AVAIL] = 4;
		len[ENV_USED] = 4;
		env.store_parts = 1u << ENV_DESC | 1u << ENV_USED;
		break;
	}
	for (i = 0; i < ENV_NR_PARTS; i++)
		init_part(&m->part[i], vp[i], i, len[i], shape->scattered,
			  shape->off[i]);
}

void ringmem_free(struct ringmem *m)
{
	unsigned int i, k;

	for (i = 0; i < ENV_NR_PARTS; i++) {
		struct ringmem_part *p = &m->part[i];

		free(p->mem);
		for (k = 0; k < p->nr_page; k++)
			free(p->page[k]);
		free(p->page);
	}
	memset(m, 0, sizeof(*m));
}

/* A byte of a part. Kept apart from vring_at(), which is under test. */
static u8 *at(const struct ringmem *m, enum env_part part, u32 off)
{
	const struct ringmem_part *p = &m->part[part];
	u8 *page;

	if (off >= p->len)
		env_die("the guest itself left its ring");
	if (p->mem)
		return p->mem + off;
	page = p->page[(p->off + off) / RINGMEM_PAGE];
	return page + (p->off + off) % RINGMEM_PAGE;
}

static u64 get(const struct ringmem *m, enum env_part part, u32 off, u32 size)
{
	u64 val = 0;

	while (size--)
		val = val << 8 | *at(m, part, off + size);
	return val;
}

static void put(struct ringmem *m, enum env_part part, u32 off, u32 size, u64 val)
{
	u32 i;

	for (i = 0; i < size; i++, val >>= 8)
		*at(m, part, off + i) = (u8)val;
}

u16 ringmem_get16(const struct ringmem *m, enum env_part part, u32 off)
{
	return (u16)get(m, part, off, 2);
}

u32 ringmem_get32(const struct ringmem *m, enum env_part part, u32 off)
{
	return (u32)get(m, part, off, 4);
}

u64 ringmem_get64(const struct ringmem *m, enum env_part part, u32 off)
{
	return get(m, part, off, 8);
}

void ringmem_put16(struct ringmem *m, enum env_part part, u32 off, u16 val)
{
	put(m, part, off, 2, val);
}

void ringmem_put32(struct ringmem *m, enum env_part part, u32 off, u32 val)
{
	put(m, part, off, 4, val);
}

void ringmem_put64(struct ringmem *m, enum env_part part, u32 off, u64 val)
{
	put(m, part, off, 8, val);
}
