// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of a descriptor chain, on private copies. Whatever the ring's layout,
 * a chain ends up here as a run of segments.
 */
#include "ring.h"

#define DESC_SIZE 16u

/*
 * Turn the wire's descriptors into segments, in place. A packed ring has flags
 * and the other 16 bits the other way round.
 */
static void convert_table(const struct vring_dev *r, struct vring_seg *table, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		u16 third = le16_to_cpu((__force __le16)table[i].flags);
		u16 last = le16_to_cpu((__force __le16)table[i].next);

		table[i].addr = le64_to_cpu((__force __le64)table[i].addr);
		table[i].len = le32_to_cpu((__force __le32)table[i].len);
		table[i].flags = r->packed ? last : third;
		table[i].next = r->packed ? third : last;
	}
}

/*
 * Append the segments of an indirect table (the copy in b->table, n entries)
 * to b->seg. Section 2.7.5.3: a split ring's is a chain that starts at entry 0,
 * and it may not lead to another table. Section 2.8.7: a packed ring's is all its
 * entries in their order, and their other flags mean nothing.
 */
static int walk_table(const struct vring_dev *r, struct vring_batch *b,
		      struct vring_chain *c, u32 n)
{
	u32 idx = 0, steps;

	for (steps = 0; steps < n; steps++) {
		/* Changes no index that passed; binds a mispredicted one, too. */
		struct vring_seg *s = &b->table[idx & (VRING_SEG_MAX - 1)];

		if (r->packed)
			s->flags &= VRING_D_WRITE;
		if (s->flags & VRING_D_INDIRECT)
			return -VRING_E_INDIRECT_NESTED;
		if (c->seg + c->nr_seg >= VRING_SEG_MAX)
			return -VRING_E_SEGS;
		b->seg[c->seg + c->nr_seg++] = *s;
		if (r->packed) {
			idx++;
			continue;
		}
		if (!(s->flags & VRING_D_NEXT))
			return 0;
		idx = s->next;
		if (idx >= n)
			return -VRING_E_NEXT;
	}
	return r->packed ? 0 : -VRING_E_LOOP;
}

/*
 * The last segment of chain @i names an indirect table: put the table's
 * segments in its place.
 */
static int expand(const struct vring_dev *r, struct vring_batch *b, u16 i)
{
	struct vring_chain *c = &b->chain[i];
	struct vring_seg ind = b->seg[c->seg + c->nr_seg - 1];
	u32 n = ind.len / DESC_SIZE;
	u16 direct = c->nr_seg - 1;
	int err;

	if (!r->indirect)
		return -VRING_E_INDIRECT_OFF;
	/* A packed ring's may not be part of a chain at all (2.8.19). */
	if (ind.flags & VRING_D_NEXT || (r->packed && direct))
		return -VRING_E_INDIRECT_NEXT;
	if (!ind.len || ind.len % DESC_SIZE || n > VRING_SEG_MAX)
		return -VRING_E_INDIRECT_LEN;
	if (ind.addr + (ind.len - 1) < ind.addr)
		return -VRING_E_ADDR_WRAP;

	/*
	 * The chain moves to the end of the batch. When it is the first and
	 * would not fit there, the others give way: they are fetched again.
	 */
	if (b->nr_seg + direct + n > VRING_SEG_MAX) {
		if (i)
			return 1;
		b->nr = 1;
	} else {
		u16 k;

		for (k = 0; k < direct; k++)
			b->seg[b->nr_seg + k] = b->seg[c->seg + k];
		c->seg = b->nr_seg;
	}
	c->nr_seg = direct;

	err = vring_read_guest(r, ind.addr, b->table, n * DESC_SIZE);
	if (err)
		return err;
	convert_table(r, b->table, n);
	err = walk_table(r, b, c, n);
	if (err)
		return err;
	b->nr_seg = c->seg + c->nr_seg;
	return 0;
}

int vring_chain_check(const struct vring_dev *r, struct vring_batch *b, u16 i)
{
	struct vring_chain *c = &b->chain[i];
	u64 out_len = 0, in_len = 0;
	const struct vring_seg *s, *end;
	u16 nr_out = 0;

	if (b->seg[c->seg + c->nr_seg - 1].flags & VRING_D_INDIRECT) {
		int err = expand(r, b, i);

		if (err)
			return err;
	}

	s = &b->seg[c->seg];
	end = s + c->nr_seg;
	for (; s < end; s++) {
		if (unlikely(!s->len))
			return -VRING_E_ZERO_LEN;
		if (unlikely(s->addr + (s->len - 1) < s->addr))
			return -VRING_E_ADDR_WRAP;
		if (s->flags & VRING_D_WRITE) {
			in_len += s->len;
		} else {
			if (unlikely(in_len))
				return -VRING_E_ORDER;
			out_len += s->len;
			nr_out++;
		}
	}
	if (unlikely(in_len + out_len > U32_MAX))
		return -VRING_E_BYTES;

	c->nr_out = nr_out;
	c->out_len = out_len;
	c->in_len = in_len;
	return 0;
}

int vring_batch_check(const struct vring_dev *r, struct vring_batch *b, u16 i)
{
	for (; i < b->nr; i++) {
		int err = vring_chain_check(r, b, i);

		if (likely(!err))
			continue;
		if (err < 0 && !i)
			return err;
		b->nr = i;
	}
	return 0;
}
