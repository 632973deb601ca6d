// SPDX-License-Identifier: GPL-2.0
/*
 * From kick to turn: loads the BPF programs, tells them which virtqueues to measure,
 * and reads their histograms. They are gone with this process.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "histogram.h"
#include "vhosttop.h"
#include "vhosttop.skel.h"

static struct vhosttop *bpf;
/* What the table held at the last update. */
static struct queue_times (*seen)[ROW];

static const char *because(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static const char *because(const char *fmt, ...)
{
	static char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	latency_end();
	return why;
}

static int silence(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

const char *latency_begin(void)
{
	int err;

	libbpf_set_print(silence);
	bpf = vhosttop__open();
	if (!bpf)
		return because("%s", strerror(errno));
	seen = calloc(NR_ROWS, sizeof(*seen));
	if (!seen)
		return because("no memory");
	err = vhosttop__load(bpf);
	if (err)
		return because("loading a BPF program: %s", strerror(-err));
	err = vhosttop__attach(bpf);
	if (err)
		return because("attaching a BPF program: %s", strerror(-err));
	return NULL;
}

void latency_end(void)
{
	vhosttop__destroy(bpf);
	bpf = NULL;
	free(seen);
	seen = NULL;
}

/* ---- histograms ----------------------------------------------------------------- */

/* What lies in a slot is less than that. */
static double end_of_slot(unsigned int slot)
{
	unsigned int shift = slot < SUB ? 0 : slot / SUB - 1;

	if (slot < SUB)
		return slot + 1;
	return (double)((SUB + slot % SUB + 1ull) << shift);
}

/* So soon that part of all turns began. */
static double quantile(const unsigned int *slot, unsigned long long all, double part)
{
	unsigned long long sum = 0;
	unsigned int i;

	for (i = 0; i < NR_SLOTS; i++) {
		sum += slot[i];
		if (sum && sum >= part * all)
			return end_of_slot(i);
	}
	return -1;
}

static void evaluate(struct queue *q, const struct queue_times *now, struct queue_times *was)
{
	unsigned int slot[NR_SLOTS], i;

	for (i = 0; i < NR_SLOTS; i++) {
		unsigned int n = __atomic_load_n(&now->slot[i], __ATOMIC_RELAXED);

		slot[i] = n - was->slot[i];
		was->slot[i] = n;
		q->turns += slot[i];
	}
	q->p50_ns = quantile(slot, q->turns, 0.5);
	q->p99_ns = quantile(slot, q->turns, 0.99);
}

/* Measure a queue from now on, if there is room. */
static void begin(const struct queue *q, struct queue_times *table, struct queue_times *was)
{
	int i;

	for (i = 0; i < ROW && table[i].dev; i++)
		;
	if (i == ROW)
		return;
	memcpy(was[i].slot, table[i].slot, sizeof(was[i].slot));
	table[i].kicked = 0;
	table[i].vq = q->vq;
	__atomic_store_n(&table[i].dev, q->dev, __ATOMIC_RELEASE);
	was[i].dev = q->dev;
	was[i].vq = q->vq;
	was[i].kicked = true;
}

/* @kicked of what was seen says that the queue is still there. */
void latency_update(struct sample *s)
{
	struct queue_times *table, *was;
	unsigned int row;
	size_t i;
	int k;

	if (!bpf)
		return;
	for (i = 0; i < s->nr; i++) {
		struct queue *q = &s->queue[i];

		/* A stopped queue keeps its kick until it is started: no latency. */
		if (strcmp(q->state, "running"))
			continue;
		table = bpf->bss->queues[row_of(q->dev, q->vq)];
		was = seen[row_of(q->dev, q->vq)];
		for (k = 0; k < ROW; k++) {
			if (was[k].dev == q->dev && was[k].vq == q->vq)
				break;
		}
		if (k == ROW) {
			begin(q, table, was);
			continue;
		}
		evaluate(q, &table[k], &was[k]);
		was[k].kicked = true;
	}
	for (row = 0; row < NR_ROWS; row++) {
		for (k = 0; k < ROW; k++) {
			if (!seen[row][k].dev)
				continue;
			if (!seen[row][k].kicked) {
				seen[row][k].dev = 0;
				bpf->bss->queues[row][k].dev = 0;
			}
			seen[row][k].kicked = false;
		}
	}
}
