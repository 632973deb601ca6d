// SPDX-License-Identifier: GPL-2.0
/*
 * A guest driver in miniature, split layout. See driver.h.
 *
 * Everything here is single threaded, so that what are barriers in a driver
 * are none here.
 */
#include <stdlib.h>
#include <string.h>

#include "driver.h"

static u32 slot(const struct ringmem *m, u16 idx)
{
	return idx % m->num;
}

void drv_desc(struct ringmem *m, u32 i, u64 addr, u32 len, u16 flags, u16 next)
{
	ringmem_put64(m, ENV_DESC, 16 * i, addr);
	ringmem_put32(m, ENV_DESC, 16 * i + 8, len);
	ringmem_put16(m, ENV_DESC, 16 * i + 12, flags);
	ringmem_put16(m, ENV_DESC, 16 * i + 14, next);
}

void drv_table(u64 table, u32 i, u64 addr, u32 len, u16 flags, u16 next)
{
	u64 off = table - env.guest_base + 16ull * i;
	__le64 a = cpu_to_le64(addr);
	__le32 l = cpu_to_le32(len);
	__le16 f = cpu_to_le16(flags);
	__le16 n = cpu_to_le16(next);

	if (off + 16 > env.guest_len)
		env_die("the guest itself left its memory");
	memcpy(env.guest + off, &a, sizeof(a));
	memcpy(env.guest + off + 8, &l, sizeof(l));
	memcpy(env.guest + off + 12, &f, sizeof(f));
	memcpy(env.guest + off + 14, &n, sizeof(n));
}

void drv_head(struct ringmem *m, u16 idx, u16 head)
{
	ringmem_put16(m, ENV_AVAIL, 4 + 2 * slot(m, idx), head);
}

void drv_avail_idx(struct ringmem *m, u16 idx)
{
	ringmem_put16(m, ENV_AVAIL, 2, idx);
}

void drv_avail_flags(struct ringmem *m, u16 flags)
{
	ringmem_put16(m, ENV_AVAIL, 0, flags);
}

void drv_used_event(struct ringmem *m, u16 idx)
{
	ringmem_put16(m, ENV_AVAIL, 4 + 2 * m->num, idx);
}

u16 drv_used_idx(const struct ringmem *m)
{
	return ringmem_get16(m, ENV_USED, 2);
}

u16 drv_used_flags(const struct ringmem *m)
{
	return ringmem_get16(m, ENV_USED, 0);
}

u16 drv_avail_event(const struct ringmem *m)
{
	return ringmem_get16(m, ENV_USED, 4 + 8 * m->num);
}

u32 drv_used_id(const struct ringmem *m, u16 idx)
{
	return ringmem_get32(m, ENV_USED, 4 + 8 * slot(m, idx));
}

u32 drv_used_len(const struct ringmem *m, u16 idx)
{
	return ringmem_get32(m, ENV_USED, 4 + 8 * slot(m, idx) + 4);
}

void drv_init(struct drv *d, struct ringmem *m, bool event_idx, u16 start)
{
	u32 i;

	memset(d, 0, sizeof(*d));
	d->m = m;
	d->event_idx = event_idx;
	d->nr_free = m->num;
	d->next = calloc(m->num, sizeof(*d->next));
	d->len = calloc(m->num, sizeof(*d->len));
	for (i = 0; i < m->num; i++)
		d->next[i] = i + 1;
	d->avail = start;
	d->avail_shown = start;
	d->used = start;
	drv_avail_idx(m, start);
	ringmem_put16(m, ENV_USED, 2, start);
}

void drv_free(struct drv *d)
{
	free(d->next);
	free(d->len);
	memset(d, 0, sizeof(*d));
}

static u16 buf_flags(const struct drv_buf *buf, bool last)
{
	return (buf->write ? VRING_D_WRITE : 0) | (last ? 0 : VRING_D_NEXT);
}

int drv_add(struct drv *d, const struct drv_buf *buf, unsigned int nr, u64 table)
{
	unsigned int need = table ? 1 : nr, i;
	u16 head = d->free, at = head;

	if (need > d->nr_free)
		return -1;
	if (table) {
		for (i = 0; i < nr; i++)
			drv_table(table, i, buf[i].addr, buf[i].len,
				  buf_flags(&buf[i], i == nr - 1), i + 1);
		drv_desc(d->m, at, table, 16 * nr, VRING_D_INDIRECT, 0);
		d->free = d->next[at];
	} else {
		for (i = 0; i < nr; i++) {
			drv_desc(d->m, at, buf[i].addr, buf[i].len,
				 buf_flags(&buf[i], i == nr - 1), d->next[at]);
			at = d->next[at];
		}
		d->free = at;
	}
	d->nr_free -= need;
	d->len[head] = need;
	drv_head(d->m, d->avail, head);
	d->avail++;
	return head;
}

bool drv_show(struct drv *d)
{
	u16 old = d->avail_shown, new = d->avail;

	drv_avail_idx(d->m, new);
	d->avail_shown = new;
	/* Section 2.7.13.4.1 and 2.7.10.1. */
	if (d->event_idx) {
		u16 event = drv_avail_event(d->m);

		return (u16)(new - event - 1) < (u16)(new - old);
	}
	return new != old && !(drv_used_flags(d->m) & VRING_USED_NO_NOTIFY);
}

bool drv_peek(const struct drv *d, u32 *id, u32 *len)
{
	if (d->used == drv_used_idx(d->m))
		return false;
	*id = drv_used_id(d->m, d->used);
	*len = drv_used_len(d->m, d->used);
	return true;
}

void drv_take(struct drv *d, u32 id)
{
	u16 at = id, k;

	if (id >= d->m->num || !d->len[id])
		env_die("used entry %u names %u, which is not in flight", d->used, id);
	for (k = 1; k < d->len[id]; k++)
		at = d->next[at];
	d->next[at] = d->free;
	d->free = id;
	d->nr_free += d->len[id];
	d->len[id] = 0;
	d->used++;
}

bool drv_get(struct drv *d, u32 *id, u32 *len)
{
	if (!drv_peek(d, id, len))
		return false;
	drv_take(d, *id);
	return true;
}

void drv_irq_enable(struct drv *d)
{
	if (d->event_idx)
		drv_used_event(d->m, d->used);
	else
		drv_avail_flags(d->m, 0);
}

void drv_irq_disable(struct drv *d)
{
	/* With event indices: an index that is long past. */
	if (d->event_idx)
		drv_used_event(d->m, d->used - 1);
	else
		drv_avail_flags(d->m, VRING_AVAIL_NO_INTERRUPT);
}
