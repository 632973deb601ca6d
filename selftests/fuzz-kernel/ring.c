// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's driver, as far as it takes one: writes chains into rings of both
 * layouts. It never looks at what is used, and goes round the ring for ever.
 */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define WRAP	0x8000

/* Shape of a chain: how many segments, and what is particular about it. */
#define SHAPE_NR(shape)	(1 + ((shape) & 3))
#define SHAPE_INDIRECT	0x04
#define SHAPE_IN	0x08	/* device-writable: for the receive queue */
#define SHAPE_MIXED	0x10	/* the last one the other way round */
#define SHAPE_ODD	0x20	/* with a byte of length for each segment */
#define SHAPE_HIDDEN	0x40	/* not shown yet */
#define SHAPE_FAR	0x80	/* with an address outside of memory */

__u64 guest_addr(const struct dev *d, __u32 off)
{
	return (d->iommu ? MEM_IOVA : MEM_GPA) + off;
}

static __u16 wire_flags(__u16 slot, bool used)
{
	bool wrap = slot & WRAP;

	if (used)
		return wrap ? 1 << 7 | 1 << 15 : 0;
	return wrap ? 1 << 7 : 1 << 15;
}

static __u16 step(const struct vq *vq, __u16 slot, unsigned int n)
{
	for (; n; n--) {
		slot++;
		if ((slot & ~WRAP) == vq->num)
			slot = (slot & WRAP) ^ WRAP;
	}
	return slot;
}

void ring_init(struct vq *vq, __u16 num, bool packed)
{
	vq->num = num;
	vq->packed = packed;
	vq->avail = packed ? WRAP : 0;
	vq->head = 0;
	vq->in_flight = 0;
	vq->kicked = false;
	vq->last = 0;
	vq->used = vq->avail;
	memset(mem + vq->base, 0, 3 * PAGE);
}

static void put(__u32 off, const void *p, size_t n)
{
	if (off + n <= MEM_SIZE)
		memcpy(mem + off, p, n);
}

static void put16(__u32 off, __u16 val)
{
	put(off, &val, sizeof(val));
}

/* What the segments of a chain are. */
static unsigned int segments(struct dev *d, unsigned int q, __u8 shape, struct in *in,
			     struct vring_desc *desc)
{
	static const __u32 lens[] = {
		60, 12, 14, 26, 100, 1514, 2048, 4096, 10, 1, 0, 8192, 65536, 65549,
		0x7fffffff, 0xffffffff,
	};
	unsigned int nr = SHAPE_NR(shape), i;
	struct vq *vq = &d->vq[q];

	for (i = 0; i < nr; i++) {
		unsigned int buf = (q * 16 + (vq->head + i) % 16 + BUF_PAGE) * PAGE;
		bool write = shape & SHAPE_IN;
		__u8 odd = 0;

		if (shape & SHAPE_ODD) {
			odd = in_byte(in);
			desc[i].len = lens[odd % 16];
			buf += (odd >> 4) * 0xff;
		} else {
			desc[i].len = write ? 2048 : i ? 60 : 12 + 60;
		}
		if (shape & SHAPE_MIXED && i == nr - 1)
			write = !write;
		desc[i].addr = guest_addr(d, buf);
		if (shape & SHAPE_FAR && i == nr - 1)
			desc[i].addr += odd & 0x80 ? MEM_SIZE : ~0xfffull << 20;
		desc[i].flags = (write ? VRING_DESC_F_WRITE : 0) |
				(i + 1 < nr ? VRING_DESC_F_NEXT : 0);
		desc[i].next = i + 1;
		if (!write && !i && !(shape & SHAPE_ODD))
			memcpy(mem + buf + 12, "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\2\x88\xb5", 14);
	}
	return nr;
}

/* A table of its own for each of the first heads. */
static __u32 table_of(const struct vq *vq, __u16 head)
{
	return vq->base + 3 * PAGE + head % 32 * 128;
}

static void split_put(struct dev *d, struct vq *vq, struct vring_desc *desc, unsigned int nr,
		      bool indirect, bool hidden)
{
	__u16 head = vq->head;
	unsigned int i;

	if (indirect) {
		__u32 table = table_of(vq, head);

		put(table, desc, nr * sizeof(*desc));
		desc[0] = (struct vring_desc){ guest_addr(d, table), nr * sizeof(*desc),
					       VRING_DESC_F_INDIRECT, 0 };
		nr = 1;
	}
	for (i = 0; i < nr; i++) {
		__u16 at = (head + i) % vq->num;

		desc[i].next = (head + i + 1) % vq->num;
		put(vq->base + at * sizeof(*desc), &desc[i], sizeof(*desc));
	}
	vq->head = (head + nr) % vq->num;
	put16(vq->base + PAGE + 4 + vq->avail % vq->num * 2, head);
	vq->avail++;
	if (!hidden)
		put16(vq->base + PAGE + 2, vq->avail);
}

static void packed_put(struct dev *d, struct vq *vq, struct vring_desc *desc, unsigned int nr,
		       bool indirect, bool hidden)
{
	__u16 slot = vq->avail & ~WRAP, first = 0;
	unsigned int i;

	vq->head = (vq->head + 1) % 16;
	if (indirect) {
		__u32 table = table_of(vq, slot);

		for (i = 0; i < nr; i++) {
			struct vring_packed_desc p = {
				.addr = desc[i].addr,
				.len = desc[i].len,
				.flags = desc[i].flags & VRING_DESC_F_WRITE,
			};

			put(table + i * sizeof(p), &p, sizeof(p));
		}
		desc[0] = (struct vring_desc){ guest_addr(d, table), nr * sizeof(*desc),
					       VRING_DESC_F_INDIRECT, 0 };
		nr = 1;
	}
	vq->last = slot;
	vq->length[slot % VQ_MAX] = nr;
	for (i = 0; i < nr; i++) {
		__u16 at = vq->avail & ~WRAP;
		struct vring_packed_desc p = {
			.addr = desc[i].addr,
			.len = desc[i].len,
			.id = slot,
			.flags = desc[i].flags | wire_flags(vq->avail, false),
		};

		put(vq->base + at * sizeof(p), &p, i ? sizeof(p) : sizeof(p) - 2);
		if (!i)
			first = p.flags;
		vq->avail = step(vq, vq->avail, 1);
	}
	if (hidden)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	put16(vq->base + slot * sizeof(struct vring_packed_desc) + 14, first);
}

void ring_put(struct dev *d, unsigned int q, struct vring_desc *desc, unsigned int nr,
	      bool indirect, bool hidden)
{
	struct vq *vq = &d->vq[q];

	if (hidden || (indirect && !vq->indirect))
		d->clean = false;
	if (!vq->num)
		return;
	/* More than there is room for, if nothing was used in between. */
	vq->in_flight += nr;
	if (vq->in_flight > vq->num)
		d->clean = false;
	vq->kicked = false;
	if (vq->packed)
		packed_put(d, vq, desc, nr, indirect, hidden);
	else
		split_put(d, vq, desc, nr, indirect, hidden);
}

void ring_chain(struct dev *d, unsigned int q, __u8 shape, struct in *in)
{
	struct vring_desc desc[CHAIN_MAX];

	/* The queue that is expected to go on gets nothing else. */
	if (shape & ~(3 | SHAPE_INDIRECT))
		d->clean = false;
	if (!d->vq[q].num)
		return;
	ring_put(d, q, desc, segments(d, q, shape, in, desc), shape & SHAPE_INDIRECT,
		 shape & SHAPE_HIDDEN);
}

void ring_chains(struct dev *d, unsigned int q, unsigned int n, __u8 shape)
{
	struct in none = {};

	for (; n; n--)
		ring_chain(d, q, shape, &none);
}

void ring_kick(struct dev *d, unsigned int q)
{
	unsigned int i = (d - world.dev) * NR_VQS + q;
	__u64 one = 1;

	if (write(world.evt[E_KICK + i], &one, sizeof(one)) < 0)
		return;
	d->vq[q].kicked = true;
}

bool ring_done(struct dev *d, unsigned int q)
{
	struct vq *vq = &d->vq[q];
	__u16 val;

	if (!vq->packed) {
		memcpy(&val, mem + vq->base + 2 * PAGE + 2, sizeof(val));
		return val == vq->avail;
	}
	/* A batch has one used entry, which lies we do not know where. */
	if (vq->in_order)
		return true;
	while (vq->used != vq->avail) {
		struct vring_packed_desc p;

		memcpy(&p, mem + vq->base + (vq->used & ~WRAP) * sizeof(p), sizeof(p));
		if ((p.flags & (1 << 7 | 1 << 15)) != wire_flags(vq->used, true))
			return false;
		/* No chain of ours has such an ID. */
		if (p.id >= VQ_MAX || !vq->length[p.id])
			return false;
		vq->used = step(vq, vq->used, vq->length[p.id]);
	}
	return true;
}
