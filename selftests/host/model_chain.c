// SPDX-License-Identifier: GPL-2.0
/*
 * The model's reading of one descriptor chain: virtio 1.3, sections 2.7.5 and
 * 2.7.13, from the values that the code under test loaded.
 */
#include <string.h>

#include "model.h"

bool view_load(enum env_part part, u32 off, u32 size, u64 *val)
{
	unsigned int i;

	while (env.first_untaken < env.nr_event &&
	       (env.event[env.first_untaken].taken ||
		env.event[env.first_untaken].kind != ENV_LOAD))
		env.first_untaken++;
	for (i = env.first_untaken; i < env.nr_event; i++) {
		struct env_event *e = &env.event[i];

		if (e->kind != ENV_LOAD || e->part != part || e->off != off ||
		    e->size != size || e->faulted || e->taken)
			continue;
		e->taken = true;
		*val = e->val;
		return true;
	}
	return false;
}

const struct env_event *view_guest(u64 addr, u32 len)
{
	unsigned int i;

	for (i = 0; i < env.nr_event; i++) {
		struct env_event *e = &env.event[i];

		if (e->kind == ENV_GUEST_READ && e->addr == addr &&
		    e->size == len && !e->taken) {
			e->taken = true;
			return e;
		}
	}
	return NULL;
}

int view_find(enum env_kind kind, enum env_part part, u32 off)
{
	unsigned int i;

	for (i = 0; i < env.nr_event; i++) {
		const struct env_event *e = &env.event[i];

		if (e->kind == kind && e->part == part && e->off == off && !e->faulted)
			return i;
	}
	return -1;
}

static struct vring_seg from_wire(const u8 *p)
{
	struct vring_seg s;
	__le64 addr;
	__le32 len;
	__le16 flags, next;

	memcpy(&addr, p, sizeof(addr));
	memcpy(&len, p + 8, sizeof(len));
	memcpy(&flags, p + 12, sizeof(flags));
	memcpy(&next, p + 14, sizeof(next));
	s.addr = le64_to_cpu(addr);
	s.len = le32_to_cpu(len);
	s.flags = le16_to_cpu(flags);
	s.next = le16_to_cpu(next);
	return s;
}

static bool wraps(const struct vring_seg *s)
{
	return s->len && s->addr > U64_MAX - (s->len - 1);
}

/* The descriptors of the ring's own table, up to one without a next. */
static enum model_verdict direct(const struct model *m, u16 head,
				 struct model_chain *c, int *err)
{
	u32 at = head;

	for (;;) {
		struct vring_seg *s = &c->seg[c->nr];
		u64 word;

		if (c->nr == VRING_SEG_MAX) {
			*err = VRING_E_SEGS;
			return MODEL_BAD;
		}
		if (!view_load(ENV_DESC, 16 * at, 8, &s->addr) ||
		    !view_load(ENV_DESC, 16 * at + 8, 8, &word))
			return MODEL_UNSEEN;
		s->len = word & 0xffffffff;
		s->flags = word >> 32 & 0xffff;
		s->next = word >> 48;
		c->nr++;
		if (s->flags & VRING_D_INDIRECT || !(s->flags & VRING_D_NEXT))
			return MODEL_GOOD;
		at = s->next;
		if (at >= m->num) {
			*err = VRING_E_NEXT;
			return MODEL_BAD;
		}
		if (c->nr == m->num) {
			*err = VRING_E_LOOP;
			return MODEL_BAD;
		}
	}
}

/* Put the table that the last segment names in its place. */
static enum model_verdict indirect(const struct model *m, struct model_chain *c,
				   int *err, u32 *table_len)
{
	struct vring_seg ind = c->seg[--c->nr];
	const struct env_event *e;
	u32 n = ind.len / 16, at = 0, k;

	*err = 0;
	if (!m->indirect)
		*err = VRING_E_INDIRECT_OFF;
	else if (ind.flags & VRING_D_NEXT)
		*err = VRING_E_INDIRECT_NEXT;
	else if (n == 0 || ind.len != n * 16 || n > VRING_SEG_MAX)
		*err = VRING_E_INDIRECT_LEN;
	else if (wraps(&ind))
		*err = VRING_E_ADDR_WRAP;
	if (*err)
		return MODEL_BAD;

	*table_len = n;
	e = view_guest(ind.addr, ind.len);
	if (!e)
		return MODEL_UNSEEN;
	if (e->result) {
		*err = -e->result;
		return MODEL_BAD;
	}
	for (k = 0; k < n; k++) {
		struct vring_seg s = from_wire((u8 *)e->copy + 16 * at);

		*err = VRING_E_INDIRECT_NESTED;
		if (s.flags & VRING_D_INDIRECT)
			return MODEL_BAD;
		*err = VRING_E_SEGS;
		if (c->nr == VRING_SEG_MAX)
			return MODEL_BAD;
		c->seg[c->nr++] = s;
		if (!(s.flags & VRING_D_NEXT))
			return MODEL_GOOD;
		at = s.next;
		*err = VRING_E_NEXT;
		if (at >= n)
			return MODEL_BAD;
	}
	*err = VRING_E_LOOP;
	return MODEL_BAD;
}

/* What holds for every segment, however it came into the chain. */
static int contents(struct model_chain *c)
{
	u32 i;

	for (i = 0; i < c->nr; i++) {
		const struct vring_seg *s = &c->seg[i];

		if (s->len == 0)
			return VRING_E_ZERO_LEN;
		if (wraps(s))
			return VRING_E_ADDR_WRAP;
		if (s->flags & VRING_D_WRITE) {
			c->in_len += s->len;
			continue;
		}
		if (c->nr_out != i)
			return VRING_E_ORDER;
		c->nr_out++;
		c->out_len += s->len;
	}
	return c->in_len + c->out_len > 0xffffffffull ? VRING_E_BYTES : 0;
}

enum model_verdict model_chain(const struct model *m, u16 idx,
			       struct model_chain *c, int *err, u32 *table_len)
{
	enum model_verdict v;
	u64 head;

	c->nr = 0;
	c->nr_out = 0;
	c->out_len = 0;
	c->in_len = 0;
	*err = 0;
	*table_len = 0;

	if (!view_load(ENV_AVAIL, 4 + 2 * (idx % m->num), 2, &head))
		return MODEL_UNSEEN;
	c->id = head;
	if (head >= m->num) {
		*err = VRING_E_HEAD;
		return MODEL_BAD;
	}
	v = direct(m, c->id, c, err);
	if (v == MODEL_GOOD && c->seg[c->nr - 1].flags & VRING_D_INDIRECT)
		v = indirect(m, c, err, table_len);
	if (v != MODEL_GOOD)
		return v;
	*err = contents(c);
	return *err ? MODEL_BAD : MODEL_GOOD;
}
