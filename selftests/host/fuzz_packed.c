// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of packed.c and chain.c. The input is a program of actions: the guest
 * makes chains available, or scribbles anywhere in its ring, now or between
 * two loads; the device calls verbs; memory faults. The environment checks
 * every access.
 *
 * Whatever the guest does, batches have to follow from what was loaded, results
 * must not be seen before they are published, and state moves on success only.
 * As long as the guest has done nothing that a driver would not do, it is also
 * checked end to end: no errors, chains arrive in order and complete, and what
 * was put comes out of the ring, as a driver with or without IN_ORDER reads it.
 *
 * Input: 5 bytes of configuration, see configure(); then actions of a byte
 * each, followed by their arguments. Bytes that are missing are zero.
 */
#include <stdlib.h>
#include <string.h>

#include "packed.h"

#define CHANGES_MAX	8
#define ACTIONS_MAX	512
#define NUM_MAX		1024

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

/* A chain on its way: added, fetched, or put. */
struct chain {
	u16 id;
	u16 slots;
	u16 nr;
	u16 nr_out;
	u16 end;	/* fetched: position behind it */
	u32 len;	/* put: as it has to come out */
	bool out_only;
};

struct list {
	u32 nr;
	struct chain c[NUM_MAX];
};

struct fuzz {
	struct pk g;
	struct in in;
	struct change change[CHANGES_MAX];
	unsigned int nr_change;
	bool clean;
	struct list added;
	struct list flight;
	struct list put;
	/* Of signals: positions that do not wrap. */
	u64 published;
	u64 signalled;
	bool signalled_valid;
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
			env_die("%s: " text, __func__);			\
	} while (0)

static void append(struct list *l, struct chain c)
{
	require(l->nr < NUM_MAX, "more chains than a ring has room for");
	l->c[l->nr++] = c;
}

static struct chain take(struct list *l, u32 i)
{
	struct chain c = l->c[i];

	memmove(l->c + i, l->c + i + 1, (--l->nr - i) * sizeof(c));
	return c;
}

static void scribble(struct fuzz *f, const struct change *c)
{
	if (c->part == ENV_NR_PARTS)
		memcpy(f->g.guest + c->off, &c->val, sizeof(c->val));
	else
		ringmem_put16(&f->g.mem, c->part, c->off, c->val);
}

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
		scribble(f, c);
		f->change[i--] = f->change[--f->nr_change];
	}
}

static void configure(struct fuzz *f)
{
	static const u16 off[][ENV_NR_PARTS] = {
		{ 0, 0, 0 }, { 0xff0, 0xffc, 0xffc }, { 0x800, 0x7fc, 8 }, { 0x10, 4, 4 },
	};
	u8 size = byte(&f->in), feature = byte(&f->in), shape = byte(&f->in);
	struct pk_config cfg = {
		.num = 1u << size % 11,
		.event_idx = feature & 1,
		.indirect = feature & 2,
		.in_order = feature & 4,
		.shape.scattered = shape & 4,
		.guest_len = 0x10000,
	};
	unsigned int i;

	cfg.start = word(&f->in) % (2 * cfg.num);
	for (i = 0; i < ENV_NR_PARTS; i++)
		cfg.shape.off[i] = off[shape % 4][i];
	pk_init(&f->g, &cfg);
	f->clean = true;
	f->published = cfg.start;
	env.hook_arg = f;
	env.before_load = between_loads;
}

static void guest_add(struct fuzz *f)
{
	u8 shape = byte(&f->in), nr = 1 + byte(&f->in) % 16, outs = byte(&f->in) % (nr + 1);
	struct drv_buf buf[16];
	u64 table = 0;
	unsigned int i;
	int id;

	for (i = 0; i < nr; i++)
		buf[i] = (struct drv_buf){ 0x1000 * (shape + i), 1 + shape * i, i >= outs };
	/* A table for each slot, in 256 places; a ring of more goes without. */
	if (shape & 1 && f->g.r.indirect && f->g.r.num <= 256)
		table = PK_GUEST_BASE + 256 * f->g.drv.avail.slot;
	id = pk_add(&f->g.drv, buf, nr, table);
	if (id < 0 || !f->clean)
		return;
	append(&f->added, (struct chain){ .id = id, .slots = table ? 1 : nr, .nr = nr,
					  .nr_out = outs });
}

static void guest_get(struct fuzz *f)
{
	struct chain c;
	u32 len;
	u16 id;

	if (!f->clean)
		return;
	if (!pk_get(&f->g.drv, &id, &len)) {
		require(!f->put.nr || f->g.r.published != f->g.r.last_used,
			"what was published is not there");
		return;
	}
	require(f->put.nr, "a used entry that was never put");
	c = take(&f->put, 0);
	require(id == c.id && len == c.len, "another used entry than was put");
}

/* A descriptor where the device is about to look, nearly right. */
static void guest_desc(struct fuzz *f)
{
	u8 ahead = byte(&f->in), flags = byte(&f->in), next = byte(&f->in);
	u16 pos = f->g.r.last_avail + ahead % 32, len = word(&f->in);
	u64 addr = flags & 0x80 ? U64_MAX - next : PK_GUEST_BASE + 256 * next;
	u16 owner = pk_avail(!(pos & f->g.r.num));

	f->clean = false;
	if (flags & 0x20)
		owner = flags & 0x10 ? 0 : 0x8080;
	pk_desc(&f->g.mem, pos % f->g.r.num, addr, flags & 0x40 ? 0xffff0000u + len : len,
		next, (flags & 7) | owner);
}

static void guest_table(struct fuzz *f)
{
	u8 i = byte(&f->in), flags = byte(&f->in), next = byte(&f->in);

	f->clean = false;
	pk_table(PK_GUEST_BASE, i, flags & 0x80 ? U64_MAX - next : 0x1000, word(&f->in),
		 next, flags & 7);
}

static void guest_write(struct fuzz *f, bool later)
{
	u8 part = byte(&f->in) % (ENV_NR_PARTS + 1), after = later ? byte(&f->in) : 0;
	u32 len = part == ENV_NR_PARTS ? 0x8000 : f->g.mem.part[part].len;
	struct change c = { .part = part, .after = after };

	c.off = word(&f->in) % (len / 2) * 2;
	c.val = word(&f->in);
	/* A driver may write its event suppression structure at any time. */
	if (part != ENV_AVAIL)
		f->clean = false;
	if (!later)
		scribble(f, &c);
	else if (f->nr_change < CHANGES_MAX)
		f->change[f->nr_change++] = c;
}

/* What the guest wants to hear of: something near to what it looks at next. */
static void guest_event(struct fuzz *f)
{
	u8 flags = byte(&f->in), ahead = byte(&f->in);
	u32 num = f->g.r.num, pos = f->g.drv.used.slot + (f->g.drv.used.wrap ? 0 : num);

	pk_event(&f->g.mem, flags & 3, pk_wire(num, pos + (flags & 4 ? num : 0) + ahead));
}

/* The next load of this verb, from event *@i on, which is to be this one: its value. */
static u64 next_load(unsigned int *i, enum env_part part, u32 off, u32 size)
{
	while (*i < env.nr_event) {
		const struct env_event *e = &env.event[(*i)++];

		if (e->kind != ENV_LOAD || e->faulted)
			continue;
		require(e->part == part && e->off == off && e->size == size,
			"another field than the next");
		return e->val;
	}
	env_die("a field that was not loaded");
}

static u64 get_le(const u8 *p, unsigned int n)
{
	u64 v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

/* Segment @k of an indirect table that was read in this verb. */
static void check_table_seg(u64 addr, u32 len, u32 k, const struct vring_seg *s)
{
	unsigned int i;

	for (i = 0; i < env.nr_event; i++) {
		const struct env_event *e = &env.event[i];
		const u8 *p = e->copy;

		if (e->kind != ENV_GUEST_READ || !p || e->addr != addr || e->size != len)
			continue;
		p += 16 * k;
		if (s->addr == get_le(p, 8) && s->len == get_le(p + 8, 4) &&
		    !((s->flags ^ get_le(p + 14, 2)) & VRING_D_WRITE))
			return;
	}
	env_die("a segment that is in no table");
}

/* Chains of the batch against what was loaded, each word of it once. */
static void check_batch(const struct fuzz *f, u16 start)
{
	const struct vring_dev *r = &f->g.r;
	const struct vring_batch *b = &f->g.b;
	unsigned int ev = 0, i, k;
	u16 pos = start;

	for (i = 0; i < b->nr; i++) {
		const struct vring_chain *c = &b->chain[i];
		const struct vring_seg *s = b->seg + c->seg;
		u64 addr = 0, out_len = 0, in_len = 0;
		u32 len = 0, flags = 0;
		u16 id = 0;
		unsigned int outs = 0;

		require(c->nr_seg && c->seg + c->nr_seg <= VRING_SEG_MAX, "segments out of range");
		require(c->slots && c->slots <= r->num, "slots out of range");
		for (k = 0; k < c->slots; k++, pos++) {
			u32 at = pos % r->num * 16;

			id = next_load(&ev, ENV_DESC, at + 12, 4);
			flags = env.event[ev - 1].val >> 16;
			if (!k) {
				require((flags & 0x8080) == pk_avail(!(pos & r->num)),
					"a chain that was not available");
				require(env.event[ev].kind == ENV_RMB,
					"no barrier behind the first flags");
			}
			addr = next_load(&ev, ENV_DESC, at, 8);
			len = next_load(&ev, ENV_DESC, at + 8, 4);
			require(k == c->slots - 1u || (flags & 5) == VRING_D_NEXT,
				"a chain beyond its end");
			if (flags & VRING_D_INDIRECT)
				continue;
			require(k < c->nr_seg && s[k].addr == addr && s[k].len == len &&
				!((s[k].flags ^ flags) & VRING_D_WRITE),
				"a segment that was not loaded");
		}
		require(c->id == id, "another id than the last one's");
		if (flags & VRING_D_INDIRECT) {
			require(r->indirect && c->slots == 1 && !(flags & VRING_D_NEXT),
				"a table where none may be");
			require(len == 16u * c->nr_seg, "not all of a table");
			for (k = 0; k < c->nr_seg; k++)
				check_table_seg(addr, len, k, s + k);
		} else {
			require(!(flags & VRING_D_NEXT), "a chain without an end");
			require(c->nr_seg == c->slots, "more segments than descriptors");
		}
		for (k = 0; k < c->nr_seg; k++) {
			require(s[k].len, "length 0");
			require(s[k].addr + (s[k].len - 1) >= s[k].addr, "an address that wraps");
			if (s[k].flags & VRING_D_WRITE) {
				in_len += s[k].len;
				continue;
			}
			require(!in_len, "readable behind writable");
			out_len += s[k].len;
			outs++;
		}
		require(in_len + out_len <= U32_MAX, "a chain that is too long");
		require(c->nr_out == outs && c->out_len == out_len && c->in_len == in_len,
			"sums that are wrong");
	}
	require(pos == r->last_avail, "another position than behind the batch");
}

static void check_state(const struct fuzz *f)
{
	const struct vring_dev *r = &f->g.r;

	require((u16)(r->last_avail - r->published) <= r->num, "more than the ring has");
	require((u16)(r->last_used - r->published) <= r->num, "more put than the ring has");
	require((u16)(r->stored - r->published) <= (u16)(r->last_used - r->published),
		"more stored than put");
	require(r->nr_pend <= VRING_BATCH, "more pending than there is room");
}

static void device_fetch(struct fuzz *f)
{
	unsigned int max = byte(&f->in) % 80;
	struct vring_dev old = f->g.r;
	int n, i;

	n = pk_fetch(&f->g, max);
	require(!f->clean || n >= 0 || env.faulted || n == -VRING_E_AGAIN,
		"error from a ring that is well");
	require(n <= (int)max && n <= (int)VRING_BATCH, "more than asked for");
	require(f->g.r.last_used == old.last_used && f->g.r.published == old.published &&
		f->g.r.stored == old.stored && f->g.r.nr_pend == old.nr_pend,
		"a fetch that moves more than its own");
	require(!env_count(ENV_STORE), "a fetch that stores");
	if (n <= 0) {
		require(f->g.r.last_avail == old.last_avail, "moved without success");
		require(n || !f->clean || env.faulted || !max || !f->added.nr,
			"a chain that was not found");
		return;
	}
	require(n == f->g.b.nr, "another number than in the batch");
	check_batch(f, old.last_avail);
	for (i = 0; i < n; i++) {
		const struct vring_chain *c = &f->g.b.chain[i];
		struct chain fl = { .id = c->id, .slots = c->slots, .nr = c->nr_seg,
				    .nr_out = c->nr_out, .out_only = !c->in_len };

		old.last_avail += c->slots;
		fl.end = old.last_avail;
		if (f->clean) {
			struct chain want;

			require(f->added.nr, "a chain that was never added");
			want = take(&f->added, 0);
			require(c->id == want.id && c->slots == want.slots &&
				c->nr_seg == want.nr && c->nr_out == want.nr_out,
				"another chain than was added");
		}
		append(&f->flight, fl);
	}
}

/* Give back the @n chains that were fetched last, as far as they are the last. */
static void unfetch(struct fuzz *f, u32 n)
{
	while (n-- && f->flight.nr) {
		struct chain c = f->flight.c[f->flight.nr - 1];

		if (c.end != f->g.r.last_avail)
			return;
		f->flight.nr--;
		pk_unfetch(&f->g, c.slots);
		if (!f->clean)
			continue;
		append(&f->added, c);
		memmove(f->added.c + 1, f->added.c, (f->added.nr - 1) * sizeof(c));
		f->added.c[0] = c;
	}
}

/* Nothing that a driver would look at was stored, at @pos. */
static void check_unseen(const struct fuzz *f, u16 pos)
{
	u32 flags = pos % f->g.r.num * 16 + 14;
	unsigned int i;

	for (i = 0; i < env.nr_event; i++) {
		const struct env_event *e = &env.event[i];

		require(e->kind != ENV_STORE || e->part != ENV_DESC || e->faulted ||
			flags < e->off || flags >= e->off + e->size,
			"seen before it was published");
	}
}

static void device_put(struct fuzz *f)
{
	u8 n = byte(&f->in) % 100, which = byte(&f->in);
	u32 len = word(&f->in);

	while (n-- && f->flight.nr) {
		u32 i = f->g.r.in_order ? 0 : which % f->flight.nr;
		struct chain c = f->flight.c[i];
		u16 old = f->g.r.last_used;
		int ret;

		c.len = c.out_only ? 0 : len;
		ret = pk_put(&f->g, c.id, c.slots, c.len, c.out_only);
		check_unseen(f, f->g.r.published);
		require(!ret || env.faulted, "no room for a used entry");
		require(f->g.r.last_used == (u16)(old + (ret ? 0 : c.slots)), "a put that miscounts");
		if (ret)
			return;
		take(&f->flight, i);
		if (f->clean)
			append(&f->put, c);
	}
}

static void device_flush(struct fuzz *f)
{
	u16 old = f->g.r.stored;
	int ret = pk_flush(&f->g);

	require(!ret || env.faulted, "flush failed");
	check_unseen(f, f->g.r.published);
	require(f->g.r.stored == (ret ? old : f->g.r.last_used), "a flush that miscounts");
}

static int device_publish(struct fuzz *f)
{
	u16 old = f->g.r.published, n = f->g.r.last_used - old;
	int ret = pk_publish(&f->g);

	require(ret == n || (ret < 0 && env.faulted), "publish failed or miscounts");
	if (ret < 0) {
		check_unseen(f, old);
		require(f->g.r.published == old, "moved without success");
		return ret;
	}
	require(f->g.r.published == f->g.r.last_used && f->g.r.stored == f->g.r.last_used,
		"not all of it");
	if (n) {
		const struct env_event *e = &env.event[env.nr_event - 1];

		require(e->kind == ENV_STORE && e->size == 2 &&
			e->off == old % f->g.r.num * 16 + 14, "not the first flags at last");
		require((e->val & 0x8080) == pk_used(!(old & f->g.r.num)), "flags of another lap");
		require(e[-1].kind == ENV_WMB, "no barrier in front of the first flags");
		env.nr_event--;
		check_unseen(f, old);
		env.nr_event++;
	}
	f->published += n;
	return ret;
}

static void device_need_signal(struct fuzz *f)
{
	u64 old = f->signalled, pos, end;
	u32 num = f->g.r.num, event;
	unsigned int i = 0;
	int want = 1, ret = pk_need_signal(&f->g);

	require(ret >= 0 || (ret == -VRING_E_FAULT && env.faulted), "need_signal failed");
	if (ret < 0)
		return;
	require(env.event[0].kind == ENV_MB, "no barrier in front of the guest's wish");
	event = next_load(&i, ENV_AVAIL, 0, 4);
	f->signalled = f->published;
	if ((event >> 16 & 3) == PK_DISABLE) {
		want = 0;
	} else if ((event >> 16 & 3) == PK_DESC && f->g.r.event_idx && f->signalled_valid) {
		want = 0;
		end = min(f->published, old + 2 * num);
		for (pos = old; pos < end; pos++)
			want |= pk_wire(num, pos % (2 * num)) == (event & 0xffff);
		/* An offset outside of the ring means nothing. */
		if ((event & 0x7fff) >= num)
			want = ret;
	}
	f->signalled_valid = true;
	require(ret == want, "the guest wants otherwise");
}

static void device_kick(struct fuzz *f, u8 what)
{
	const struct vring_dev *r = &f->g.r;
	bool more = what == 1;
	u16 at = more ? r->avail_idx : r->last_avail;
	u32 wish;
	int ret;

	switch (what) {
	case 0:
		ret = pk_kick_enable(&f->g);
		break;
	case 1:
		ret = pk_kick_more(&f->g);
		break;
	case 2:
		ret = pk_has_avail(&f->g);
		break;
	default:
		ret = pk_kick_disable(&f->g);
		break;
	}
	require((ret >= 0 && ret <= 1) || (ret == -VRING_E_FAULT && env.faulted), "kick failed");
	if (ret < 0)
		return;
	if (what < 2 && f->clean) {
		require(pk_dev_flags(&f->g.mem) == (r->event_idx ? PK_DESC : PK_ENABLE),
			"the wish for a kick is wrong");
		require(!r->event_idx || pk_dev_off_wrap(&f->g.mem) ==
			pk_wire(r->num, at % (2 * r->num)), "the kick's offset is wrong");
	}
	if (what == 3) {
		/* What was added since the last wish is passed in silence. */
		require(!ret, "kicks were not done without");
		if (!f->clean || pk_dev_flags(&f->g.mem) == PK_DISABLE)
			return;
		wish = pk_dev_off_wrap(&f->g.mem);
		wish = (wish & 0x7fff) + (wish & 0x8000 ? 0 : r->num);
		require(r->event_idx && pk_dev_flags(&f->g.mem) == PK_DESC &&
			(r->last_avail - wish) % (2 * r->num) < r->num,
			"kicks were not done without");
		return;
	}
	if (f->clean && at == r->last_avail)
		require(ret == !!f->added.nr, "wrong about what is available");
}

/* Stopped and started where it stands, everything done or given back. */
static void device_start(struct fuzz *f)
{
	u32 base;

	if (device_publish(f) < 0)
		return;
	unfetch(f, f->flight.nr);
	if (f->flight.nr)
		return;
	base = vring_packed_base(&f->g.r);
	require(vring_packed_base_ok(&f->g.r, base), "a base that is not its own");
	require(!pk_start(&f->g, base) || env.faulted, "start failed");
	require(vring_packed_base(&f->g.r) == base, "started elsewhere");
	f->signalled_valid = false;
	/* A driver would not be told of what it wrote meanwhile. */
	f->g.drv.added = 0;
}

static void act(struct fuzz *f)
{
	u8 what = byte(&f->in) % 20;

	switch (what) {
	case 0:
	case 1:
		guest_add(f);
		break;
	case 2:
		guest_get(f);
		break;
	case 3:
		guest_event(f);
		break;
	case 4:
		pk_wants_kick(&f->g.drv);
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
		device_need_signal(f);
		break;
	case 9:
	case 10:
	case 11:
	case 12:
		device_kick(f, what - 9);
		break;
	case 13:
		unfetch(f, byte(&f->in));
		break;
	case 14:
		device_start(f);
		break;
	case 15:
		guest_write(f, false);
		break;
	case 16:
		guest_write(f, true);
		break;
	case 17:
		guest_desc(f);
		break;
	case 18:
		guest_table(f);
		break;
	case 19:
		what = byte(&f->in);
		if (what & 0x80)
			env.guest_result = -VRING_E_AGAIN;
		else if (what & 0x40)
			device_flush(f);
		else
			env.fault_after = what;
		break;
	}
	check_state(f);
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
	pk_free(&f.g);
	return 0;
}
