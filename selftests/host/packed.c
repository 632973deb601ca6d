// SPDX-License-Identifier: GPL-2.0
/*
 * A packed ring under test and its guest driver. See packed.h.
 *
 * Everything here is single threaded, so that what are barriers in a driver
 * are none here.
 */
#include <stdlib.h>
#include <string.h>

#include "packed.h"

#define VERB(call)							\
	({								\
		int _ret;						\
									\
		env_verb_begin();					\
		_ret = call;						\
		env_verb_end();						\
		_ret;							\
	})

u16 pk_wire(u32 num, u32 pos)
{
	return pos % num + (pos / num % 2 ? 0 : 0x8000);
}

u16 pk_avail(bool wrap)
{
	return wrap ? 0x0080 : 0x8000;
}

u16 pk_used(bool wrap)
{
	return wrap ? 0x8080 : 0;
}

void pk_desc(struct ringmem *m, u32 slot, u64 addr, u32 len, u16 id, u16 flags)
{
	ringmem_put64(m, ENV_DESC, 16 * slot, addr);
	ringmem_put32(m, ENV_DESC, 16 * slot + 8, len);
	ringmem_put16(m, ENV_DESC, 16 * slot + 12, id);
	ringmem_put16(m, ENV_DESC, 16 * slot + 14, flags);
}

/* The same as a split ring's but for the order of the last two. */
void pk_table(u64 table, u32 i, u64 addr, u32 len, u16 id, u16 flags)
{
	drv_table(table, i, addr, len, id, flags);
}

u16 pk_desc_flags(const struct ringmem *m, u32 slot)
{
	return ringmem_get16(m, ENV_DESC, 16 * slot + 14);
}

u16 pk_desc_id(const struct ringmem *m, u32 slot)
{
	return ringmem_get16(m, ENV_DESC, 16 * slot + 12);
}

u32 pk_desc_len(const struct ringmem *m, u32 slot)
{
	return ringmem_get32(m, ENV_DESC, 16 * slot + 8);
}

void pk_event(struct ringmem *m, u16 flags, u16 off_wrap)
{
	ringmem_put16(m, ENV_AVAIL, 0, off_wrap);
	ringmem_put16(m, ENV_AVAIL, 2, flags);
}

u16 pk_dev_off_wrap(const struct ringmem *m)
{
	return ringmem_get16(m, ENV_USED, 0);
}

u16 pk_dev_flags(const struct ringmem *m)
{
	return ringmem_get16(m, ENV_USED, 2);
}

static void advance(const struct pk_drv *d, struct pk_pos *p, u16 n)
{
	if (p->slot + n >= (int)d->m->num) {
		p->slot -= d->m->num;
		p->wrap = !p->wrap;
	}
	p->slot += n;
}

static void drv_start(struct pk_drv *d, struct ringmem *m, bool in_order, u32 start)
{
	struct pk_pos at = { start % m->num, !(start / m->num % 2) };
	u32 i;

	d->m = m;
	d->in_order = in_order;
	d->avail = at;
	d->used = at;
	d->nr_free = m->num;
	d->chain = calloc(m->num, sizeof(*d->chain));
	d->fifo = calloc(m->num, sizeof(*d->fifo));
	/* As the laps before would have left it: all used, and in use no more. */
	for (i = 0; i < m->num; i++)
		ringmem_put16(m, ENV_DESC, 16 * i + 14, pk_used(at.wrap == (i < at.slot)));
}

static int free_id(const struct pk_drv *d)
{
	u32 i, id;

	/* Not in the order of slots, so that these cannot pass for ids. */
	for (i = 0; i < d->m->num; i++) {
		id = (i * 5 + 3) % d->m->num;
		if (!d->chain[id].slots)
			return id;
	}
	env_die("the guest itself has more chains than descriptors");
}

int pk_add(struct pk_drv *d, const struct drv_buf *buf, unsigned int nr, u64 table)
{
	unsigned int need = table ? 1 : nr, i;
	struct pk_pos first = d->avail;
	u16 first_flags = 0;
	bool out_only = true;
	int id;

	if (need > d->nr_free)
		return -1;
	id = free_id(d);
	for (i = 0; i < nr; i++) {
		u16 flags = buf[i].write ? VRING_D_WRITE : 0;

		out_only &= !buf[i].write;
		if (table) {
			pk_table(table, i, buf[i].addr, buf[i].len, 0xbad, flags);
			continue;
		}
		flags |= i < nr - 1 ? VRING_D_NEXT : 0;
		flags |= pk_avail(d->avail.wrap);
		if (!i) {
			first_flags = flags;
			flags = pk_desc_flags(d->m, first.slot);
		}
		/* The id is in the last one. */
		pk_desc(d->m, d->avail.slot, buf[i].addr, buf[i].len,
			i < nr - 1 ? 0xbad0 + i : (u16)id, flags);
		advance(d, &d->avail, 1);
	}
	if (table) {
		first_flags = VRING_D_INDIRECT | pk_avail(first.wrap);
		pk_desc(d->m, first.slot, table, 16 * nr, id,
			pk_desc_flags(d->m, first.slot));
		advance(d, &d->avail, 1);
	}
	ringmem_put16(d->m, ENV_DESC, 16 * first.slot + 14, first_flags);
	d->nr_free -= need;
	d->added += need;
	d->chain[id] = (struct pk_chain){ need, nr, out_only };
	d->fifo[(d->fifo_at + d->fifo_nr++) % d->m->num] = id;
	return id;
}

int pk_offer(struct pk *g, unsigned int nr, u32 len, bool write)
{
	struct drv_buf buf[VRING_SEG_MAX + 1];
	unsigned int i;

	for (i = 0; i < nr; i++)
		buf[i] = (struct drv_buf){ 0x10000000ull + i * 0x10000ull, len,
					   write && i == nr - 1 };
	return pk_add(&g->drv, buf, nr, 0);
}

/* As Linux does it: virtqueue_kick_prepare_packed(). */
bool pk_wants_kick(struct pk_drv *d)
{
	u16 new = d->avail.slot, old = new - d->added, off_wrap = pk_dev_off_wrap(d->m);
	u16 event = off_wrap & 0x7fff, flags = pk_dev_flags(d->m) & 3;

	d->added = 0;
	if (flags != PK_DESC)
		return flags != PK_DISABLE;
	if (off_wrap >> 15 != d->avail.wrap)
		event -= d->m->num;
	return (u16)(new - event - 1) < (u16)(new - old);
}

/* How many of the oldest chains there are up to an id, that one included. */
static u32 row_up_to(const struct pk_drv *d, u16 id)
{
	u32 i;

	for (i = 0; i < d->fifo_nr; i++)
		if (d->fifo[(d->fifo_at + i) % d->m->num] == id)
			return i + 1;
	env_die("used entry names %u, which is not in flight", id);
}

/* Chain @i of those in flight is so no more. */
static void forget(struct pk_drv *d, u32 i)
{
	u16 id = d->fifo[(d->fifo_at + i) % d->m->num];

	advance(d, &d->used, d->chain[id].slots);
	d->nr_free += d->chain[id].slots;
	d->chain[id].slots = 0;
	for (; i; i--)
		d->fifo[(d->fifo_at + i) % d->m->num] =
			d->fifo[(d->fifo_at + i - 1) % d->m->num];
	d->fifo_at++;
	d->fifo_nr--;
}

bool pk_get(struct pk_drv *d, u16 *id, u32 *len)
{
	if (!d->row) {
		u16 flags = pk_desc_flags(d->m, d->used.slot), last;

		if ((flags & 0x8080) != pk_used(d->used.wrap))
			return false;
		/* An empty ring's are those of the lap before, or not. */
		last = pk_desc_id(d->m, d->used.slot);
		if (last >= d->m->num || !d->chain[last].slots)
			env_die("used entry at %u names %u, which is not in flight",
				d->used.slot, last);
		d->flags = flags;
		d->row = row_up_to(d, last);
		d->row_len = pk_desc_len(d->m, d->used.slot);
		if (!!(flags & VRING_D_WRITE) != !!d->row_len)
			env_die("used entry at %u: WRITE is wrong", d->used.slot);
		if (!d->in_order) {
			*id = last;
			*len = d->row_len;
			forget(d, d->row - 1);
			d->row = 0;
			return true;
		}
	}
	*id = d->fifo[d->fifo_at % d->m->num];
	d->row--;
	if (d->row && !d->chain[*id].out_only)
		env_die("chain %u is writable and has no entry of its own", *id);
	*len = d->row ? 0 : d->row_len;
	forget(d, 0);
	return true;
}

void pk_init(struct pk *g, const struct pk_config *cfg)
{
	memset(g, 0, sizeof(*g));
	env_reset();
	g->r.num = cfg->num;
	g->r.event_idx = cfg->event_idx;
	g->r.indirect = cfg->indirect;
	g->r.in_order = cfg->in_order;
	ringmem_init(&g->mem, &g->r, LAYOUT_PACKED, cfg->num, &cfg->shape);

	env.guest_len = cfg->guest_len ? cfg->guest_len : PK_GUEST_LEN;
	g->guest = calloc(1, env.guest_len);
	env.guest = g->guest;
	env.guest_base = PK_GUEST_BASE;

	memset(g->b.chain, 0xee, sizeof(g->b.chain));
	g->b.seg = malloc(VRING_SEG_MAX * sizeof(*g->b.seg));
	g->b.table = malloc(VRING_SEG_MAX * sizeof(*g->b.table));
	memset(g->b.seg, 0xee, VRING_SEG_MAX * sizeof(*g->b.seg));
	memset(g->b.table, 0xee, VRING_SEG_MAX * sizeof(*g->b.table));

	drv_start(&g->drv, &g->mem, cfg->in_order, cfg->start);
	pk_start(g, pk_wire(cfg->num, cfg->start) * 0x10001u);
}

void pk_free(struct pk *g)
{
	env_reset();
	free(g->drv.chain);
	free(g->drv.fifo);
	ringmem_free(&g->mem);
	free(g->guest);
	free(g->b.seg);
	free(g->b.table);
}

int pk_start(struct pk *g, u32 base)
{
	return VERB(vring_packed_start(&g->r, base));
}

int pk_fetch(struct pk *g, unsigned int max)
{
	return VERB(vring_packed_fetch(&g->r, &g->b, max));
}

void pk_unfetch(struct pk *g, u32 slots)
{
	vring_unfetch(&g->r, slots);
}

/* One chain, as a caller records many. */
static int put(struct vring_dev *r, u16 id, u16 slots, u32 len, bool out_only)
{
	struct vring_done *done;
	int ret = vring_put_begin(r, 1, &done);

	if (ret)
		return ret;
	*done = (struct vring_done){ .id = id, .slots = slots, .len = len,
				     .out_only = out_only };
	return vring_put_end(r, 1, slots);
}

int pk_put(struct pk *g, u16 id, u16 slots, u32 len, bool out_only)
{
	return VERB(put(&g->r, id, slots, len, out_only));
}

int pk_flush(struct pk *g)
{
	return VERB(vring_packed_flush(&g->r));
}

int pk_publish(struct pk *g)
{
	return VERB(vring_packed_publish(&g->r));
}

int pk_need_signal(struct pk *g)
{
	return VERB(vring_packed_need_signal(&g->r));
}

int pk_kick_disable(struct pk *g)
{
	return VERB(vring_packed_kick_disable(&g->r));
}

int pk_kick_enable(struct pk *g)
{
	return VERB(vring_packed_kick_enable(&g->r));
}

int pk_kick_more(struct pk *g)
{
	return VERB(vring_packed_kick_more(&g->r));
}

int pk_has_avail(struct pk *g)
{
	return VERB(vring_packed_has_avail(&g->r));
}
