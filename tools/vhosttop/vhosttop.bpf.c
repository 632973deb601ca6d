// SPDX-License-Identifier: GPL-2.0
/*
 * From kick to turn: how long a virtqueue waits for its worker.
 *
 * Programs on two tracepoints, vhost_kick and vhost_run. Only virtqueues that are
 * in the table are measured: user space puts those there that it shows. Nothing is
 * allocated here.
 *
 * They are on the raw tracepoints, whose arguments begin with the queue, its device's
 * number and its index: half of the cost of an event is writing its fields, which are
 * not needed here. Nor is type information of the modules, which modules built out of
 * tree often lack; what is needed of the kernel's types is written down here.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed int __s32;
typedef signed long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#include <bpf/bpf_helpers.h>

#include "histogram.h"

char LICENSE[] SEC("license") = "GPL";

/* User space has this in its memory. */
struct queue_times queues[NR_ROWS][ROW];

/* Arguments of both. */
struct args {
	__u64 queue;
	__u64 dev;
	__u64 vq;
};

static struct queue_times *times_of(const struct args *a)
{
	struct queue_times *t = queues[row_of(a->dev, a->vq)];
	int i;

	for (i = 0; i < ROW; i++, t++) {
		if (t->dev == a->dev && t->vq == a->vq)
			return t;
	}
	return 0;
}

static __u32 slot_of(__u64 ns)
{
	__u32 bits = 0, slot;
	__u64 rest = ns;

	if (ns < SUB)
		return ns;
	/* The number of the highest bit, without a loop. */
	if (rest >> 32) {
		bits += 32;
		rest >>= 32;
	}
	if (rest >> 16) {
		bits += 16;
		rest >>= 16;
	}
	if (rest >> 8) {
		bits += 8;
		rest >>= 8;
	}
	if (rest >> 4) {
		bits += 4;
		rest >>= 4;
	}
	if (rest >> 2) {
		bits += 2;
		rest >>= 2;
	}
	bits += rest >> 1;
	slot = (bits - SUB_BITS) * SUB + (ns >> (bits - SUB_BITS));
	return slot < NR_SLOTS ? slot : NR_SLOTS - 1;
}

/* Kicks of a virtqueue come one after the other: under its eventfd's lock. */
SEC("raw_tp/vhost_kick")
int on_kick(struct args *a)
{
	struct queue_times *t = times_of(a);

	if (t && !t->kicked)
		t->kicked = bpf_ktime_get_ns();
	return 0;
}

/* So do turns: with the virtqueue locked. */
SEC("raw_tp/vhost_run")
int on_run(struct args *a)
{
	struct queue_times *t = times_of(a);
	__u32 slot;

	if (!t || !t->kicked)
		return 0;
	slot = slot_of(bpf_ktime_get_ns() - t->kicked);
	/* A kick in between is for what this turn is about to find. */
	t->kicked = 0;
	if (slot < NR_SLOTS)
		t->slot[slot]++;
	return 0;
}
