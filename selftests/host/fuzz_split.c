// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of split.c and chain.c. The input is a program of actions: the guest
 * adds chains, or scribbles anywhere in its ring, now or between two loads;
 * the device calls verbs; memory faults. The environment checks every access,
 * the model every result.
 *
 * As long as the guest has done nothing that a driver would not do, it is also
 * checked end to end: no errors, chains arrive in order and complete, and what
 * was put comes out of the used ring, as a driver with or without IN_ORDER reads it.
 *
 * Input: 6 bytes of configuration, see configure(); then actions of a byte
 * each, followed by their arguments. Bytes that are missing are zero.
 */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define CHANGES_MAX	8
#define ACTIONS_MAX	512
#define FLIGHT_MAX	1024

/* A write of the guest that happens before the load that it waits for. */
struct change {
	u16 after;
	u8 part;
	u16 off;
	u16 val;
};

struct in {
	const u8 *p;
	size_t left;
};

struct fuzz {
	struct rig g;
	struct in in;
	struct change change[CHANGES_MAX];
	unsigned int nr_change;
	bool clean;
	/* Chains fetched and not put, oldest first; chains put, by used index. */
	struct vring_done flight[FLIGHT_MAX];
	u32 nr_flight;
	struct vring_done *put;
	u32 nr_put;
	/* Heads in the order in which the driver added them. */
	u16 *added;
	u16 *added_segs;
	u16 first_added;
	u16 nr_added;
};

static u8 byte(struct in *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static u16 word(struct in *in)
{
	u16 lo = byte(in);

	return lo | byte(in) << 8;
}

#define require(cond, text)						\
	do {								\
		if (!(cond))						\
			env_die("end to end: " text);			\
	} while (0)

/* The changes that wait for this load. */
static void between_loads(void *arg, const struct env_event *e)
{
	struct fuzz *f = arg;
	unsigned int i;

	(void)e;
	for (i = 0; i < f->nr_change; i++) {
		struct change *c = &f->change[i];

		if (c->after--)
			continue;
		if (c->part == ENV_NR_PARTS)
			memcpy(f->g.guest + c->off, &c->val, sizeof(c->val));
		else
			ringmem_put16(&f->g.mem, c->part, c->off, c->val);
		f->change[i--] = f->change[--f->nr_change];
	}
}

/* An even offset into a part, or into the first pages of guest memory. */
static u16 pick_off(struct fuzz *f, u8 part, u16 raw)
{
	u32 len = part == ENV_NR_PARTS ? 0x8000 : f->g.mem.part[part].len;

	return raw % (len / 2) * 2;
}

static void configure(struct fuzz *f)
{
	static const u16 off[][ENV_NR_PARTS] = {
		{ 0, 0, 0 }, { 0xff0, 0xffe, 0xffc }, { 0x800, 0x7fe, 8 }, { 0x10, 2, 4 },
	};
	u8 size = byte(&f->in), feature = byte(&f->in), shape = byte(&f->in);
	struct rig_config cfg = {
		.num = 1u << size % 12,
		.event_idx = feature & 1,
		.indirect = feature & 2,
		.notify_on_empty = feature & 4,
		.in_order = feature & 8,
		.start = word(&f->in),
		.shape.scattered = shape & 4,
		.guest_len = 0x10000,
	};
	unsigned int i;

	byte(&f->in);
	for (i = 0; i < ENV_NR_PARTS; i++)
		cfg.shape.off[i] = off[shape % 4][i];
	rig_init(&f->g, &cfg);
	f->clean = true;
	f->put = calloc(cfg.num, sizeof(*f->put));
	f->added = calloc(cfg.num, sizeof(*f->added));
	f->added_segs = calloc(cfg.num, sizeof(*f->added_segs));
	env.hook_arg = f;
	env.before_load = between_loads;
}

static void guest_add(struct fuzz *f)
{
	u8 shape = byte(&f->in), nr = 1 + byte(&f->in) % 16, outs = byte(&f->in) % (nr + 1);
	struct drv_buf buf[16];
	u64 table = 0;
	unsigned int i;
	int head;

	for (i = 0; i < nr; i++)
		buf[i] = (struct drv_buf){ 0x1000 * (shape + i), 1 + shape * i, i >= outs };
	/* A table for each head, in 256 slots; a ring of more goes without. */
	if (shape & 1 && f->g.r.indirect && f->g.r.num <= 256)
		table = GUEST_BASE + 256 * f->g.drv.free;
	if (table && !f->g.drv.nr_free)
		return;
	head = drv_add(&f->g.drv, buf, nr, table);
	if (head < 0)
		return;
	i = (u16)(f->first_added + f->nr_added++) & (f->g.r.num - 1);
	f->added[i] = head;
	f->added_segs[i] = nr;
}

/* In order an entry may speak for some before it that had nothing to write. */
static void guest_get(struct fuzz *f)
{
	u32 id, len, n = 0, i;

	if (!f->clean)
		return;
	if (!drv_peek(&f->g.drv, &id, &len))
		return;
	while (f->g.r.in_order && n < f->nr_put && f->put[n].id != id && f->put[n].out_only)
		n++;
	require(n < f->nr_put, "a used entry that was never put");
	require(id == f->put[n].id && len == f->put[n].len, "another used entry than was put");
	require((u16)(drv_used_idx(&f->g.mem) - f->g.drv.used) > n,
		"a used entry for chains that are not used");
	for (i = 0; i <= n; i++)
		drv_take(&f->g.drv, f->put[i].id);
	f->nr_put -= n + 1;
	memmove(f->put, f->put + n + 1, f->nr_put * sizeof(*f->put));
}

/* A whole descriptor, of the table or of an indirect one, nearly right. */
static void guest_desc(struct fuzz *f, bool in_table)
{
	u8 i = byte(&f->in), flags = byte(&f->in), next = byte(&f->in);
	u16 len = word(&f->in);
	u64 addr = flags & 0x80 ? U64_MAX - next : GUEST_BASE + 256 * next;
	u32 bytes = flags & 0x40 ? 0xffff0000u + len : len;

	f->clean = false;
	if (in_table)
		drv_table(GUEST_BASE, i, addr, bytes, flags & 7, next);
	else
		drv_desc(&f->g.mem, i % f->g.r.num, addr, bytes, flags & 7, next);
}

static void guest_write(struct fuzz *f, bool later)
{
	u8 part = byte(&f->in) % (ENV_NR_PARTS + 1), after = later ? byte(&f->in) : 0;
	struct change c = { .part = part, .after = after };

	c.off = pick_off(f, part, word(&f->in));
	c.val = word(&f->in);
	f->clean = false;
	if (later) {
		if (f->nr_change < CHANGES_MAX)
			f->change[f->nr_change++] = c;
	} else if (part == ENV_NR_PARTS) {
		memcpy(f->g.guest + c.off, &c.val, sizeof(c.val));
	} else {
		ringmem_put16(&f->g.mem, part, c.off, c.val);
	}
}

static void device_fetch(struct fuzz *f)
{
	unsigned int max = byte(&f->in) % 80;
	int n, i;

	/* With so many in flight one would be forgotten. */
	if (f->nr_flight > FLIGHT_MAX - VRING_BATCH)
		return;
	n = rig_fetch(&f->g, max);
	require(!f->clean || n >= 0 || env.faulted || n == -VRING_E_AGAIN,
		"error from a ring that is well");
	for (i = 0; i < n; i++) {
		u16 at = f->first_added & (f->g.r.num - 1);

		if (f->clean) {
			require(f->nr_added, "a chain that was never added");
			require(f->g.b.chain[i].id == f->added[at], "chains out of order");
			require(f->g.b.chain[i].nr_seg == f->added_segs[at],
				"another chain than was added");
			f->first_added++;
			f->nr_added--;
		}
		f->flight[f->nr_flight++] = (struct vring_done){
			.id = f->g.b.chain[i].id,
			.out_only = f->g.b.chain[i].nr_out == f->g.b.chain[i].nr_seg,
		};
	}
}

static void device_unfetch(struct fuzz *f)
{
	u32 n = byte(&f->in);

	n = min(n, f->nr_flight);
	if (f->clean) {
		f->first_added -= n;
		f->nr_added += n;
	}
	f->nr_flight -= n;
	rig_unfetch(&f->g, n);
}

static void device_put(struct fuzz *f)
{
	u8 n = byte(&f->in) % 100;
	u32 len = word(&f->in);

	while (n--) {
		struct vring_done done = { .id = len };
		int ret;

		if (f->clean && !f->nr_flight)
			return;
		if (f->nr_flight)
			done = f->flight[0];
		if (!done.out_only)
			done.len = len;
		ret = done.out_only ? rig_put_out(&f->g, done.id) :
				      rig_put(&f->g, done.id, len);
		require(!f->clean || !ret || env.faulted, "no room for a used entry");
		if (ret)
			return;
		if (f->nr_flight)
			memmove(f->flight, f->flight + 1, --f->nr_flight * sizeof(*f->flight));
		if (f->clean)
			f->put[f->nr_put++] = done;
	}
}

static void device_publish(struct fuzz *f)
{
	int ret = rig_publish(&f->g);

	require(!f->clean || ret >= 0 || env.faulted, "publish failed on a ring that is well");
}

/* Anywhere: what was in flight is forgotten, and the driver knows nothing of it. */
static void device_start(struct fuzz *f)
{
	f->clean = false;
	f->nr_flight = 0;
	rig_start(&f->g, f->g.r.last_avail + word(&f->in));
}

static void act(struct fuzz *f)
{
	struct rig *g = &f->g;

	switch (byte(&f->in) % 20) {
	case 0:
		guest_add(f);
		break;
	case 1:
		drv_show(&g->drv);
		break;
	case 2:
		guest_get(f);
		break;
	case 3:
		drv_irq_enable(&g->drv);
		break;
	case 4:
		drv_irq_disable(&g->drv);
		break;
	case 5:
		device_fetch(f);
		break;
	case 6:
		device_put(f);
		break;
	case 7:
		device_publish(f);
		break;
	case 8:
		rig_need_signal(g);
		break;
	case 9:
		rig_kick_enable(g);
		break;
	case 10:
		rig_kick_disable(g);
		break;
	case 11:
		rig_has_avail(g);
		break;
	case 12:
		device_unfetch(f);
		break;
	case 13:
		device_start(f);
		break;
	case 14:
		guest_write(f, false);
		break;
	case 15:
		guest_write(f, true);
		break;
	case 16:
		guest_desc(f, false);
		break;
	case 17:
		guest_desc(f, true);
		break;
	case 18:
		f->clean = false;
		drv_avail_idx(&g->mem, g->r.last_avail + byte(&f->in));
		break;
	case 19:
		if (f->in.left && *f->in.p & 0x80)
			env.guest_result = -VRING_E_AGAIN;
		else if (f->in.left)
			env.fault_after = *f->in.p & 0x3f;
		byte(&f->in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct fuzz f;
	unsigned int i;

	memset(&f, 0, sizeof(f));
	f.in = (struct in){ data, size };
	configure(&f);
	for (i = 0; i < ACTIONS_MAX && f.in.left; i++)
		act(&f);
	rig_free(&f.g);
	free(f.put);
	free(f.added);
	free(f.added_segs);
	return 0;
}
