// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of packed rings: every verb at every position, the order of stores and
 * barriers, all ways to be malformed, a fault at each access.
 */
#include "test.h"

#include "packed.h"

#define TABLE	PK_GUEST_BASE

/* One ring at a time. One that a failed test left behind is closed for it. */
static struct pk *the_pk;

static void close_pk(struct pk *g)
{
	if (!g)
		return;
	pk_free(g);
	free(g);
	the_pk = NULL;
}

static struct pk *open_with(u32 num, u32 start, bool event_idx, bool scattered)
{
	struct pk_config cfg = {
		.num = num,
		.event_idx = event_idx,
		.indirect = true,
		.start = start,
		.shape = { scattered, { 0xff0, 0xffc, 8 } },
	};

	close_pk(the_pk);
	the_pk = malloc(sizeof(*the_pk));
	pk_init(the_pk, &cfg);
	return the_pk;
}

static struct pk *open_at(u32 num, u32 start)
{
	return open_with(num, start, true, false);
}

/* First event that touches a field, or -1. */
static int find(enum env_kind kind, enum env_part part, u32 off)
{
	unsigned int i;

	for (i = 0; i < env.nr_event; i++) {
		const struct env_event *e = &env.event[i];

		if (e->kind == kind && e->part == part && off >= e->off &&
		    off < e->off + e->size)
			return i;
	}
	return -1;
}

static int find_kind(enum env_kind kind)
{
	unsigned int i;

	for (i = 0; i < env.nr_event; i++)
		if (env.event[i].kind == kind)
			return i;
	return -1;
}

/* Put chain @i of the batch. */
static void put_chain(struct pk *g, unsigned int i, u32 len)
{
	const struct vring_chain *c = &g->b.chain[i];

	assert_int_equal(pk_put(g, c->id, c->slots, len, !c->in_len), 0);
}

static void assert_got(struct pk *g, u16 want_id, u32 want_len)
{
	u16 id;
	u32 len;

	assert_true(pk_get(&g->drv, &id, &len));
	assert_int_equal(id, want_id);
	assert_int_equal(len, want_len);
}

static void assert_got_none(struct pk *g)
{
	u16 id;
	u32 len;

	assert_false(pk_get(&g->drv, &id, &len));
}

static void round_trip(void **state)
{
	static const struct drv_buf buf[] = {
		{ 0x123456789abcull, 0x11223344, false }, { 0x2000, 20, true }, { 0x3000, 300, true },
	};
	struct pk *g = open_at(8, 0);
	const struct vring_chain *c = g->b.chain;
	const struct vring_seg *s;
	int one, two;

	(void)state;
	assert_int_equal(pk_fetch(g, 64), 0);
	assert_int_equal(pk_publish(g), 0);
	assert_int_equal(env_count(ENV_STORE), 0);
	one = pk_add(&g->drv, buf, 3, 0);
	two = pk_offer(g, 1, 64, false);
	assert_int_not_equal(one, two);
	assert_int_equal(pk_has_avail(g), 1);
	assert_int_equal(pk_fetch(g, 64), 2);
	assert_int_equal(g->b.nr, 2);
	assert_int_equal(g->b.nr_seg, 4);
	assert_int_equal(g->r.last_avail, 4);
	assert_int_equal(pk_has_avail(g), 0);

	/* The id is that of the last descriptor; others hold nonsense. */
	assert_int_equal(c[0].id, one);
	assert_int_equal(c[0].slots, 3);
	assert_int_equal(c[0].nr_seg, 3);
	assert_int_equal(c[0].nr_out, 1);
	assert_int_equal(c[0].out_len, 0x11223344);
	assert_int_equal(c[0].in_len, 320);
	s = g->b.seg + c[0].seg;
	assert_true(s[0].addr == 0x123456789abcull && s[0].len == 0x11223344);
	assert_true(s[1].addr == 0x2000 && s[1].len == 20 && s[1].flags & WRITE);
	assert_true(s[2].addr == 0x3000 && s[2].len == 300 && s[2].flags & WRITE);
	assert_int_equal(c[1].id, two);
	assert_int_equal(c[1].slots, 1);
	assert_int_equal(c[1].nr_out, 1);
	assert_int_equal(c[1].in_len, 0);

	/* In another order than they came. */
	put_chain(g, 1, 0);
	assert_int_equal(env.accesses, 0);
	put_chain(g, 0, 77);
	assert_int_equal(env.accesses, 0);
	assert_got_none(g);
	assert_int_equal(pk_publish(g), 4);
	assert_got(g, two, 0);
	assert_false(g->drv.flags & WRITE);
	assert_got(g, one, 77);
	assert_true(g->drv.flags & WRITE);
	assert_got_none(g);
	close_pk(g);
}

/* @max and VRING_BATCH bound a fetch; what was given back comes again. */
static void bounds(void **state)
{
	struct pk *g = open_at(256, 200);
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++)
		pk_offer(g, 1 + i % 2, 10, false);
	assert_int_equal(pk_fetch(g, 0), 0);
	assert_int_equal(pk_fetch(g, 1), 1);
	assert_int_equal(g->r.last_avail, 201);
	assert_int_equal(pk_fetch(g, 3), 3);
	assert_int_equal(g->r.last_avail, 206);
	pk_unfetch(g, 2);
	assert_int_equal(pk_has_avail(g), 1);
	assert_int_equal(pk_fetch(g, 1000), 64);
	assert_int_equal(g->b.chain[0].slots, 2);
	assert_int_equal(pk_fetch(g, 64), 33);
	assert_int_equal(pk_fetch(g, 64), 0);
	assert_int_equal(g->r.last_avail, 350);
	assert_int_equal(g->r.avail_idx, 350);
	close_pk(g);
}

/* A single flag of a chain counts, that of its first descriptor. */
static void first_flags_count(void **state)
{
	struct pk *g = open_at(8, 0);

	(void)state;
	pk_desc(&g->mem, 1, 0x2000, 10, 5, 0);
	pk_desc(&g->mem, 0, 0x1000, 10, 6, NEXT | pk_avail(true));
	assert_int_equal(pk_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].id, 5);
	assert_int_equal(g->b.chain[0].slots, 2);
	assert_int_equal(pk_fetch(g, 64), 0);
	/* Both flags, or none, is not available; so is the other lap's one. */
	pk_desc(&g->mem, 2, 0x1000, 10, 6, 0x8080);
	assert_int_equal(pk_fetch(g, 64), 0);
	assert_int_equal(pk_has_avail(g), 0);
	pk_desc(&g->mem, 2, 0x1000, 10, 6, pk_avail(false));
	assert_int_equal(pk_fetch(g, 64), 0);
	assert_int_equal(pk_has_avail(g), 0);
	/* Flags that mean nothing mean nothing. */
	pk_desc(&g->mem, 2, 0x1000, 10, 6, pk_avail(true) | 0x7f78);
	assert_int_equal(pk_has_avail(g), 1);
	assert_int_equal(pk_fetch(g, 64), 1);
	close_pk(g);
}

static void indirect_table(void **state)
{
	struct pk *g = open_at(8, 7);
	const struct vring_seg *s;
	unsigned int i;
	int next;

	(void)state;
	/* Entries one by one: NEXT and INDIRECT mean nothing, nor do laps. */
	for (i = 0; i < 5; i++)
		pk_table(TABLE, i, 0x1000 * (i + 1), 10 + i, 0xffff,
			 i < 2 ? (i ? 0x8080 | NEXT : IND) : WRITE | IND | (i & 1 ? NEXT : 0));
	/* WRITE of the descriptor itself is reserved and ignored. */
	pk_desc(&g->mem, 7, TABLE, 5 * 16, 3, IND | WRITE | pk_avail(true));
	assert_int_equal(pk_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].id, 3);
	assert_int_equal(g->b.chain[0].slots, 1);
	assert_int_equal(g->b.chain[0].nr_seg, 5);
	assert_int_equal(g->b.chain[0].nr_out, 2);
	assert_int_equal(g->b.chain[0].out_len, 21);
	assert_int_equal(g->b.chain[0].in_len, 12 + 13 + 14);
	s = g->b.seg + g->b.chain[0].seg;
	for (i = 0; i < 5; i++)
		assert_true(s[i].addr == 0x1000 * (i + 1) && s[i].len == 10 + i);
	close_pk(g);

	/* Between direct ones. */
	g = open_at(8, 6);
	pk_offer(g, 2, 5, true);
	for (i = 0; i < 3; i++) {
		static const struct drv_buf buf[] = {
			{ 0x1000, 10, false }, { 0x2000, 20, true },
		};

		pk_add(&g->drv, buf, 2, TABLE + 32 * i);
	}
	next = pk_offer(g, 3, 5, false);
	assert_int_equal(pk_fetch(g, 64), 5);
	for (i = 1; i < 4; i++) {
		assert_int_equal(g->b.chain[i].nr_seg, 2);
		assert_int_equal(g->b.chain[i].slots, 1);
		assert_int_equal(g->b.chain[i].out_len, 10);
		assert_int_equal(g->b.chain[i].in_len, 20);
	}
	assert_int_equal(g->b.chain[4].id, next);
	assert_int_equal(g->r.last_avail, 14);
	close_pk(g);
}

/* No room for a table in the batch: cut, and the rest fetched again. */
static void batch_is_cut(void **state)
{
	struct drv_buf buf[600];
	struct pk *g = open_at(64, 60);
	unsigned int i;
	int id[6];

	(void)state;
	for (i = 0; i < 600; i++)
		buf[i] = (struct drv_buf){ 0x1000, 1, false };
	id[0] = pk_offer(g, 3, 5, false);
	id[1] = pk_add(&g->drv, buf, 600, TABLE);
	id[2] = pk_offer(g, 2, 5, false);
	id[3] = pk_add(&g->drv, buf, 600, TABLE + 600 * 16);
	id[4] = pk_offer(g, 2, 5, false);
	id[5] = pk_offer(g, 1, 5, false);
	assert_int_equal(pk_fetch(g, 64), 3);
	assert_int_equal(g->r.last_avail, 66);
	for (i = 0; i < 3; i++)
		assert_int_equal(g->b.chain[i].id, id[i]);
	assert_int_equal(pk_fetch(g, 64), 3);
	for (i = 0; i < 3; i++)
		assert_int_equal(g->b.chain[i].id, id[i + 3]);
	assert_int_equal(g->r.last_avail, 70);
	close_pk(g);

	/* The first one needs all: the others give way. */
	g = open_at(8, 0);
	for (i = 0; i < 1024; i++)
		pk_table(TABLE, i, 0x1000, 1, 0, 0);
	pk_desc(&g->mem, 0, TABLE, 1024 * 16, 1, IND | pk_avail(true));
	pk_desc(&g->mem, 2, 0x1000, 10, 2, pk_avail(true));
	pk_desc(&g->mem, 1, 0x1000, 10, 0, NEXT | pk_avail(true));
	assert_int_equal(pk_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].nr_seg, 1024);
	assert_int_equal(g->r.last_avail, 1);
	assert_int_equal(pk_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].id, 2);
	assert_int_equal(g->r.last_avail, 3);
	close_pk(g);
}

/* Chains of every length from every position, three laps, all restarts. */
static void wrap_and_restart(void **state)
{
	static const u32 nums[] = { 1, 2, 4, 8 };
	unsigned int i, len, step, scattered, restart;
	u32 start;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(nums) * 4; i++) {
		const u32 num = nums[i / 4];

		scattered = i & 1;
		restart = i & 2;
		for (start = 0; start < 2 * num; start++) {
			for (len = 1; len <= num; len++) {
				struct pk *g = open_with(num, start, true, scattered);
				u32 pos = start;

				for (step = 0; step * len < 3 * num; step++) {
					int id = pk_offer(g, len, 10, step & 1);

					assert_int_equal(pk_has_avail(g), 1);
					assert_int_equal(pk_fetch(g, 64), 1);
					assert_int_equal(g->b.chain[0].id, id);
					assert_int_equal(g->b.chain[0].slots, len);
					/* Nothing behind it, not even after a lap. */
					assert_int_equal(pk_fetch(g, 64), 0);
					assert_int_equal(pk_has_avail(g), 0);
					assert_got_none(g);
					assert_int_equal(pk_put(g, id, len, step & 1, false), 0);
					assert_int_equal(pk_publish(g), len);
					assert_got(g, id, step & 1);
					assert_got_none(g);
					assert_int_equal(pk_fetch(g, 64), 0);
					pos = (pos + len) % (2 * num);
					assert_int_equal(vring_packed_base(&g->r),
							 pk_wire(num, pos) * 0x10001u);
					if (!restart)
						continue;
					assert_true(vring_packed_base_ok(&g->r, vring_packed_base(&g->r)));
					assert_int_equal(pk_start(g, vring_packed_base(&g->r)), 0);
					assert_int_equal(pk_dev_flags(&g->mem), PK_ENABLE);
				}
				close_pk(g);
			}
		}
	}
}

/* As many as the ring holds, in flight across its end. */
static void full_ring(void **state)
{
	static const u32 nums[] = { 1, 2, 4, 8, 64, 128 };
	unsigned int i, k, n;
	u32 start;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(nums); i++) {
		const u32 num = nums[i];

		for (start = 0; start < 2 * num; start += num > 8 ? 37 : 1) {
			struct pk *g = open_at(num, start);

			for (k = 0; k < 3; k++) {
				u16 id[128];

				for (n = 0; n < num; n++)
					id[n] = pk_offer(g, 1, 10, false);
				assert_int_equal(pk_offer(g, 1, 10, false), -1);
				for (n = 0; n < num; n += g->b.nr) {
					assert_true(pk_fetch(g, 64) > 0);
					assert_int_equal(g->b.chain[0].id, id[n]);
				}
				/* All are ours, and the flags say what they said before. */
				assert_int_equal(pk_fetch(g, 64), 0);
				assert_int_equal(pk_has_avail(g), 0);
				assert_int_equal(pk_kick_enable(g), 0);
				assert_int_equal(pk_kick_more(g), 0);
				for (n = 0; n < num; n++)
					assert_int_equal(pk_put(g, id[n], 1, n, false), 0);
				assert_int_equal(pk_put(g, 0, 1, 0, false),
						 -VRING_E_USED_OVERFLOW);
				assert_int_equal(pk_publish(g), num);
				for (n = 0; n < num; n++)
					assert_got(g, id[n], n);
				assert_got_none(g);
			}
			close_pk(g);
		}
	}
}

/*
 * Behind a chain of several, too, only as many are taken as are the guest's;
 * of those that are ours the flags still say what they said before.
 */
static void full_behind_chain(void **state)
{
	unsigned int start, i;

	(void)state;
	for (start = 0; start < 16; start++) {
		struct pk *g = open_at(8, start);

		for (i = 0; i < 3; i++)
			pk_offer(g, 1, 10, false);
		assert_int_equal(pk_fetch(g, 64), 3);
		pk_offer(g, 3, 10, false);
		pk_offer(g, 1, 10, false);
		pk_offer(g, 1, 10, false);
		/* The guest lies about those that are ours. */
		for (i = 8; i < 11; i++)
			pk_desc(&g->mem, (start + i) % 8, 0x1000, 1, i,
				pk_avail((start + i) % 16 < 8));
		assert_int_equal(pk_fetch(g, 64), 3);
		assert_int_equal(g->b.chain[0].slots, 3);
		assert_int_equal(g->r.last_avail, start + 8);
		assert_int_equal(pk_fetch(g, 64), 0);
		close_pk(g);
	}
}

/* The largest ring, whose positions fill 16 bits. */
static void largest_ring(void **state)
{
	static const u32 starts[] = { 0, 32767, 32768, 65535, 65530 };
	unsigned int i, k;

	(void)state;
	for (i = 0; i < 2 * ARRAY_SIZE(starts); i++) {
		struct pk *g = open_with(VRING_NUM_MAX, starts[i / 2], true, i & 1);

		for (k = 0; k < 10; k++) {
			int id = pk_offer(g, 3, 10, true);

			assert_int_equal(pk_fetch(g, 64), 1);
			put_chain(g, 0, 9);
			assert_int_equal(pk_fetch(g, 64), 0);
			assert_int_equal(pk_publish(g), 3);
			assert_got(g, id, 9);
			assert_got_none(g);
			assert_int_equal(pk_start(g, vring_packed_base(&g->r)), 0);
		}
		close_pk(g);
	}
}

static void base(void **state)
{
	static const struct {
		u32 base;
		bool ok;
		u16 last_avail;
		u16 last_used;
	} c[] = {
		{ 0x8000, true, 0, 0 },		{ 0x80008000, true, 0, 0 },
		{ 0, true, 8, 8 },		{ 0x00078007, true, 7, 15 },
		{ 0x80038005, true, 5, 3 },	{ 0x00008007, true, 7, 8 },
		{ 0x00080000, false, 0, 0 },	{ 0x00000008, false, 0, 0 },
		{ 0x80088000, false, 0, 0 },	{ 0x80008008, false, 0, 0 },
		{ 0x8008, false, 0, 0 },	{ 0xffffffff, false, 0, 0 },
		{ 0x7fff0000, false, 0, 0 },	{ 0x00007fff, false, 0, 0 },
	};
	struct pk *g = open_at(8, 0);
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		assert_int_equal(vring_packed_base_ok(&g->r, c[i].base), c[i].ok);
		if (!c[i].ok)
			continue;
		pk_put(g, 0, 1, 0, false);
		pk_kick_disable(g);
		pk_need_signal(g);
		assert_int_equal(pk_start(g, c[i].base), 0);
		assert_int_equal(g->r.last_avail, c[i].last_avail);
		assert_int_equal(g->r.avail_idx, c[i].last_avail);
		assert_int_equal(g->r.last_used, c[i].last_used);
		assert_int_equal(g->r.published, c[i].last_used);
		assert_int_equal(g->r.stored, c[i].last_used);
		assert_int_equal(g->r.nr_pend, 0);
		assert_false(g->r.signalled_valid);
		assert_int_equal(pk_dev_flags(&g->mem), PK_ENABLE);
		assert_int_equal(vring_packed_base(&g->r),
				 c[i].base == 0x8000 ? 0x80008000 : c[i].base);
	}
	close_pk(g);
}

/* First entry's flags last, behind a barrier; each entry in one store. */
static void publish_order(void **state)
{
	static const struct {
		enum env_kind kind;
		u32 off;
		u32 size;
	} want[] = {
		{ ENV_WINDOW, 16 * 7, 8 },
		{ ENV_STORE, 16 * 7 + 8, 4 }, { ENV_STORE, 16 * 7 + 12, 2 },
		{ ENV_STORE, 16 * 1 + 8, 4 }, { ENV_STORE, 16 * 1 + 12, 4 },
		{ ENV_STORE, 16 * 3 + 8, 4 }, { ENV_STORE, 16 * 3 + 12, 4 },
		{ ENV_WMB, 0, 0 },
		{ ENV_STORE, 16 * 7 + 14, 2 },
	};
	struct pk *g = open_at(8, 7);
	unsigned int i;

	(void)state;
	assert_int_equal(pk_put(g, 5, 2, 0x10001, false), 0);
	assert_int_equal(pk_put(g, 6, 2, 0, false), 0);
	assert_int_equal(pk_put(g, 0x1234, 3, 0x89abcdef, false), 0);
	assert_int_equal(pk_publish(g), 7);
	assert_int_equal(env.nr_event, ARRAY_SIZE(want));
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(env.event[i].kind, want[i].kind);
		assert_int_equal(env.event[i].off, want[i].off);
		assert_int_equal(env.event[i].size, want[i].size);
	}
	assert_int_equal(pk_desc_len(&g->mem, 7), 0x10001);
	assert_int_equal(pk_desc_id(&g->mem, 7), 5);
	assert_int_equal(pk_desc_flags(&g->mem, 7), WRITE | 0x8080);
	assert_int_equal(pk_desc_len(&g->mem, 1), 0);
	assert_int_equal(pk_desc_id(&g->mem, 1), 6);
	assert_int_equal(pk_desc_flags(&g->mem, 1), 0);
	assert_int_equal(pk_desc_len(&g->mem, 3), 0x89abcdef);
	assert_int_equal(pk_desc_id(&g->mem, 3), 0x1234);
	assert_int_equal(pk_desc_flags(&g->mem, 3), WRITE);
	close_pk(g);
}

/* More than the private array holds: entries go out early, the first's flags not. */
static void more_than_64(void **state)
{
	unsigned int i, stores = 0, flush;
	struct pk *g;
	u16 id[200];

	(void)state;
	for (flush = 0; flush < 2; flush++) {
		g = open_at(256, 250);
		for (i = 0; i < 200; i++)
			id[i] = pk_offer(g, 1, 10, true);
		for (i = 0; i < 200; i++) {
			assert_int_equal(pk_put(g, id[i], 1, i + 1, false), 0);
			stores += env_count(ENV_STORE);
			assert_int_equal(find(ENV_STORE, ENV_DESC, 16 * 250 + 14), -1);
			if (flush && i % 10 == 0) {
				assert_int_equal(pk_flush(g), 0);
				assert_int_equal(find(ENV_STORE, ENV_DESC, 16 * 250 + 14), -1);
			}
			assert_got_none(g);
		}
		if (!flush)
			assert_int_equal(stores, 2 * 192);
		else
			assert_int_equal(pk_flush(g), 0);
		assert_int_equal(g->r.published, 250);
		assert_int_equal(pk_publish(g), 200);
		/* The last event of all. */
		assert_int_equal(env.event[env.nr_event - 1].kind, ENV_STORE);
		assert_int_equal(env.event[env.nr_event - 1].off, 16 * 250 + 14);
		assert_int_equal(env.event[env.nr_event - 2].kind, ENV_WMB);
		for (i = 0; i < 200; i++)
			assert_got(g, id[i], i + 1);
		assert_got_none(g);
		close_pk(g);
	}
}

/* What a chain is made of is loaded after a barrier behind its first flags. */
static void fetch_order(void **state)
{
	struct pk *g = open_at(8, 0);
	int flags, addr, rmb;

	(void)state;
	pk_offer(g, 2, 10, false);
	assert_int_equal(pk_fetch(g, 64), 1);
	flags = find(ENV_LOAD, ENV_DESC, 14);
	addr = find(ENV_LOAD, ENV_DESC, 0);
	rmb = find_kind(ENV_RMB);
	assert_true(flags >= 0 && flags < rmb && rmb < addr);
	assert_true(rmb < find(ENV_LOAD, ENV_DESC, 8));
	assert_true(rmb < find(ENV_LOAD, ENV_DESC, 16));
	/* None without need. */
	assert_int_equal(pk_fetch(g, 64), 0);
	assert_int_equal(env_count(ENV_RMB), 0);
	assert_int_equal(env_count(ENV_LOAD), 1);
	close_pk(g);
}

/* Slot @arg's chain is made available while slot 0's addr is loaded. */
static void appear(void *arg, const struct env_event *e)
{
	struct pk *g = arg;

	if (e->kind == ENV_LOAD && e->off == 0)
		pk_offer(g, 1, 10, false);
}

/* A chain that appears in the middle of a fetch has a barrier of its own. */
static void late_chain(void **state)
{
	struct pk *g = open_at(8, 0);
	int flags, addr, i;

	(void)state;
	pk_offer(g, 2, 10, false);
	env.hook_arg = g;
	env.before_load = appear;
	assert_int_equal(pk_fetch(g, 64), 2);
	assert_int_equal(env_count(ENV_RMB), 2);
	flags = find(ENV_LOAD, ENV_DESC, 32 + 14);
	addr = find(ENV_LOAD, ENV_DESC, 32);
	for (i = flags; i < addr && env.event[i].kind != ENV_RMB; i++)
		;
	assert_true(flags >= 0 && i < addr);
	assert_true(i < find(ENV_LOAD, ENV_DESC, 32 + 8));
	close_pk(g);
}

static void signal_order(void **state)
{
	struct pk *g = open_at(8, 0);

	(void)state;
	pk_put(g, 0, 1, 0, false);
	pk_publish(g);
	pk_need_signal(g);
	assert_int_equal(env.event[0].kind, ENV_MB);
	/* Flags and offset in one load, or they may not belong together. */
	assert_int_equal(env_count(ENV_LOAD), 1);
	assert_int_equal(env.event[2].kind, ENV_LOAD);
	assert_int_equal(env.event[2].part, ENV_AVAIL);
	assert_int_equal(env.event[2].size, 4);
	close_pk(g);
}

static void kick_order(void **state)
{
	struct pk *g = open_at(8, 0);
	unsigned int more;

	(void)state;
	for (more = 0; more < 2; more++) {
		assert_int_equal(more ? pk_kick_more(g) : pk_kick_enable(g), 0);
		assert_int_equal(env_count(ENV_STORE), 1);
		assert_int_equal(env.event[1].kind, ENV_STORE);
		assert_int_equal(env.event[1].part, ENV_USED);
		assert_int_equal(env.event[1].size, 4);
		assert_int_equal(env.event[2].kind, ENV_MB);
		assert_int_equal(env.event[4].kind, ENV_LOAD);
		assert_int_equal(env.event[4].part, ENV_DESC);
	}
	close_pk(g);
}

/* Malformed: chain 0 is good, from slot 1 on it is what the test wrote. */
static void rejected(struct pk *g, enum vring_error err)
{
	struct vring_dev r;

	pk_desc(&g->mem, 0, 0x1000, 64, 7, pk_avail(true));
	assert_int_equal(pk_fetch(g, 64), 1);
	assert_int_equal(g->b.nr, 1);
	assert_int_equal(g->b.chain[0].id, 7);
	assert_int_equal(g->r.last_avail, 1);
	r = g->r;
	assert_int_equal(pk_fetch(g, 64), -(int)err);
	assert_int_equal(pk_fetch(g, 1), -(int)err);
	assert_int_equal(g->r.last_avail, 1);
	assert_int_equal(g->r.last_used, r.last_used);
	assert_int_equal(g->r.published, r.published);
	assert_int_equal(g->r.signalled, r.signalled);
}

/* The guest makes it good after all: nothing was lost. */
static void accepted_at_last(struct pk *g)
{
	pk_desc(&g->mem, 1, 0x2000, 64, 4, pk_avail(true));
	assert_int_equal(pk_fetch(g, 1), 1);
	assert_int_equal(g->b.chain[0].id, 4);
	assert_int_equal(g->r.last_avail, 2);
	close_pk(g);
}

struct wire {
	u64 addr;
	u32 len;
	u16 flags;
};

/* A bad chain as descriptors 1, 2, ... and then as a table. */
static void rejected_both_ways(const struct wire *w, unsigned int n, enum vring_error err)
{
	struct pk *g = open_at(8, 0);
	unsigned int i;

	for (i = 0; i < n; i++)
		pk_desc(&g->mem, 1 + i, w[i].addr, w[i].len, 3,
			w[i].flags | pk_avail(true) | (i < n - 1 ? NEXT : 0));
	rejected(g, err);
	accepted_at_last(g);

	g = open_at(8, 0);
	for (i = 0; i < n; i++)
		pk_table(TABLE, i, w[i].addr, w[i].len, 3, w[i].flags);
	pk_desc(&g->mem, 1, TABLE, 16 * n, 3, IND | pk_avail(true));
	rejected(g, err);
	accepted_at_last(g);
}

static void bad_descriptors(void **state)
{
	static const struct wire empty[] = { { 0x1000, 0, 0 } };
	static const struct wire empty_last[] = { { 0x1000, 1, 0 }, { 0x1000, 0, WRITE } };
	static const struct wire by_one[] = { { U64_MAX - 62, 64, 0 } };
	static const struct wire far[] = { { 0x1000, 1, 0 }, { U64_MAX, U32_MAX, WRITE } };
	static const struct wire over[] = { { 0, U32_MAX, 0 }, { 0, 1, WRITE } };
	static const struct wire twice[] = { { 0, U32_MAX, 0 }, { 0, U32_MAX, 0 } };
	static const struct wire order[] = { { 0x1000, 1, WRITE }, { 0x1000, 1, 0 } };
	static const struct wire order_last[] = {
		{ 0x1000, 1, 0 }, { 0x1000, 1, WRITE }, { 0x1000, 1, 0 },
	};
	struct pk *g;

	(void)state;
	rejected_both_ways(empty, 1, VRING_E_ZERO_LEN);
	rejected_both_ways(empty_last, 2, VRING_E_ZERO_LEN);
	rejected_both_ways(by_one, 1, VRING_E_ADDR_WRAP);
	rejected_both_ways(far, 2, VRING_E_ADDR_WRAP);
	rejected_both_ways(over, 2, VRING_E_BYTES);
	rejected_both_ways(twice, 2, VRING_E_BYTES);
	rejected_both_ways(order, 2, VRING_E_ORDER);
	rejected_both_ways(order_last, 3, VRING_E_ORDER);

	/* As far as it goes. */
	g = open_at(8, 0);
	pk_desc(&g->mem, 0, U64_MAX - 63, 64, 0, pk_avail(true));
	pk_desc(&g->mem, 1, 0, U32_MAX - 1, 0, NEXT | pk_avail(true));
	pk_desc(&g->mem, 2, 0, 1, 0, WRITE | pk_avail(true));
	assert_int_equal(pk_fetch(g, 64), 2);
	close_pk(g);
}

static void bad_indirect(void **state)
{
	static const u32 len[] = { 0, 1, 15, 17, 16 * 1024 + 1, 16 * 1025, 0xfffffff0, U32_MAX };
	struct pk *g;
	unsigned int i;

	(void)state;
	g = open_at(8, 0);
	g->r.indirect = false;
	pk_desc(&g->mem, 1, TABLE, 16, 0, IND | pk_avail(true));
	rejected(g, VRING_E_INDIRECT_OFF);
	assert_int_equal(env_count(ENV_GUEST_READ), 0);
	accepted_at_last(g);

	/* With a next one, or as a chain's last: both are forbidden. */
	g = open_at(8, 0);
	pk_table(TABLE, 0, 0x1000, 1, 0, 0);
	pk_desc(&g->mem, 1, TABLE, 16, 0, NEXT | IND | pk_avail(true));
	pk_desc(&g->mem, 2, 0x1000, 16, 0, pk_avail(true));
	rejected(g, VRING_E_INDIRECT_NEXT);
	accepted_at_last(g);
	g = open_at(8, 0);
	pk_table(TABLE, 0, 0x1000, 1, 0, 0);
	pk_desc(&g->mem, 1, 0x1000, 16, 0, NEXT | pk_avail(true));
	pk_desc(&g->mem, 2, TABLE, 16, 0, IND | pk_avail(true));
	rejected(g, VRING_E_INDIRECT_NEXT);
	accepted_at_last(g);

	for (i = 0; i < ARRAY_SIZE(len); i++) {
		g = open_at(8, 0);
		pk_desc(&g->mem, 1, TABLE, len[i], 0, IND | pk_avail(true));
		rejected(g, VRING_E_INDIRECT_LEN);
		assert_int_equal(env_count(ENV_GUEST_READ), 0);
		accepted_at_last(g);
	}

	g = open_at(8, 0);
	pk_desc(&g->mem, 1, U64_MAX - 14, 16, 0, IND | pk_avail(true));
	rejected(g, VRING_E_ADDR_WRAP);
	pk_desc(&g->mem, 1, PK_GUEST_BASE + PK_GUEST_LEN - 16, 32, 0, IND | pk_avail(true));
	assert_int_equal(pk_fetch(g, 64), -VRING_E_INDIRECT_ADDR);
	pk_table(TABLE, 0, 0x1000, 1, 0, 0);
	pk_desc(&g->mem, 1, TABLE, 16, 0, IND | pk_avail(true));
	env.guest_result = -VRING_E_AGAIN;
	assert_int_equal(pk_fetch(g, 64), -VRING_E_AGAIN);
	assert_int_equal(g->r.last_avail, 1);
	assert_int_equal(pk_fetch(g, 64), 1);
	close_pk(g);
}

static void loops(void **state)
{
	unsigned int i, start;

	(void)state;
	/* As long as the ring is none, one more is; wherever it starts. */
	for (start = 0; start < 16; start++) {
		struct pk *g = open_at(8, start);

		for (i = 0; i < 8; i++)
			pk_desc(&g->mem, (start + i) % 8, 0x1000, 1, i,
				pk_avail((start + i) % 16 < 8) | NEXT);
		assert_int_equal(pk_fetch(g, 64), -VRING_E_LOOP);
		assert_int_equal(g->r.last_avail, start);
		ringmem_put16(&g->mem, ENV_DESC, 16 * ((start + 7) % 8) + 14, 0);
		assert_int_equal(pk_fetch(g, 64), 1);
		assert_int_equal(g->b.chain[0].nr_seg, 8);
		assert_int_equal(g->b.chain[0].id, 7);
		close_pk(g);
	}

	/* A chain that runs into what we have not given back. */
	for (start = 0; start < 16; start++) {
		struct pk *g = open_at(8, start);
		u16 id = pk_offer(g, 3, 1, false);

		assert_int_equal(pk_fetch(g, 64), 1);
		for (i = 3; i < 8; i++)
			pk_desc(&g->mem, (start + i) % 8, 0x1000, 1, i,
				pk_avail((start + i) % 16 < 8) | NEXT);
		assert_int_equal(pk_fetch(g, 64), -VRING_E_LOOP);
		/* Putting alone does not show it to the guest. */
		assert_int_equal(pk_put(g, id, 3, 0, true), 0);
		assert_int_equal(pk_fetch(g, 64), -VRING_E_LOOP);
		assert_int_equal(g->r.last_avail, start + 3);
		assert_int_equal(pk_publish(g), 3);
		for (i = 8; i < 10; i++)
			pk_desc(&g->mem, (start + i) % 8, 0x1000, 1, i, i < 9 ? NEXT : 0);
		assert_int_equal(pk_fetch(g, 64), 1);
		assert_int_equal(g->b.chain[0].slots, 7);
		assert_int_equal(g->b.chain[0].id, 9);
		close_pk(g);
	}
}

static void too_many_segs(void **state)
{
	unsigned int i, extra;

	(void)state;
	for (extra = 0; extra < 2; extra++) {
		struct pk *g = open_at(4096, 0);

		for (i = 1; i <= 1024 + extra; i++)
			pk_desc(&g->mem, i, 0x1000, 1, i,
				pk_avail(true) | (i < 1024 + extra ? NEXT : 0));
		if (extra) {
			rejected(g, VRING_E_SEGS);
			accepted_at_last(g);
			continue;
		}
		/* With the good one in front it is one too many, by itself not. */
		pk_desc(&g->mem, 0, 0x1000, 1, 0, pk_avail(true));
		assert_int_equal(pk_fetch(g, 64), 1);
		assert_int_equal(pk_fetch(g, 64), 1);
		assert_int_equal(g->b.chain[0].nr_seg, 1024);
		assert_int_equal(g->r.last_avail, 1025);
		/* Behind a full batch there is no room for anything. */
		pk_unfetch(g, 1025);
		pk_desc(&g->mem, 0, 0x1000, 1, 0, pk_avail(true) | NEXT);
		pk_desc(&g->mem, 1023, 0x1000, 1, 9, pk_avail(true));
		pk_desc(&g->mem, 1024, 0x1000, 1, 8, pk_avail(true));
		assert_int_equal(pk_fetch(g, 64), 1);
		assert_int_equal(g->b.chain[0].id, 9);
		assert_int_equal(pk_fetch(g, 64), 1);
		assert_int_equal(g->b.chain[0].id, 8);
		close_pk(g);
	}
}

static void used_overflow(void **state)
{
	struct pk *g = open_at(8, 13);

	(void)state;
	assert_int_equal(pk_put(g, 0, 9, 0, false), -VRING_E_USED_OVERFLOW);
	assert_int_equal(pk_put(g, 0, 5, 0, false), 0);
	assert_int_equal(pk_put(g, 1, 4, 0, false), -VRING_E_USED_OVERFLOW);
	assert_int_equal(pk_flush(g), 0);
	assert_int_equal(pk_put(g, 1, 4, 0, false), -VRING_E_USED_OVERFLOW);
	assert_int_equal(g->r.last_used, 18);
	assert_int_equal(pk_put(g, 1, 3, 0, false), 0);
	assert_int_equal(pk_put(g, 1, 1, 0, false), -VRING_E_USED_OVERFLOW);
	assert_int_equal(pk_publish(g), 8);
	assert_int_equal(pk_put(g, 1, 8, 0, false), 0);
	assert_int_equal(pk_publish(g), 8);
	close_pk(g);
}

/* Publish @n descriptors. */
static void finish(struct pk *g, u32 n)
{
	assert_int_equal(pk_put(g, 0, n, 0, false), 0);
	assert_int_equal(pk_publish(g), n);
}

/* What the guest wants to hear of, at each offset of the two laps around us. */
static void event_desc(void **state)
{
	static const u32 nums[] = { 1, 2, 4, 8 };
	unsigned int k, n, first;
	u32 start;

	(void)state;
	for (k = 0; k < ARRAY_SIZE(nums); k++)
		for (start = 0; start < 2 * nums[k]; start++)
			for (n = 0; n <= nums[k]; n++) {
				const u32 num = nums[k];
				u32 ahead;

				/* @ahead of where we were at the last decision. */
				for (ahead = 0; ahead < 2 * num; ahead++) {
					struct pk *g = open_at(num, start);
					u16 wire = pk_wire(num, start + ahead);

					/* The first decision has nothing to compare with. */
					pk_event(&g->mem, PK_DESC, pk_wire(num, start + num));
					assert_int_equal(pk_need_signal(g), 1);
					pk_event(&g->mem, PK_DESC, wire);
					if (n)
						finish(g, n);
					assert_int_equal(pk_need_signal(g), ahead < n);
					assert_int_equal(pk_need_signal(g), 0);
					close_pk(g);
				}
			}

	/* In pieces, it is one of them that passes the offset. */
	for (first = 0; first < 8; first++) {
		struct pk *g = open_at(8, 5);

		pk_need_signal(g);
		pk_event(&g->mem, PK_DESC, pk_wire(8, 5 + first));
		for (n = 0; n < 8; n++) {
			finish(g, 1);
			assert_int_equal(pk_need_signal(g), n == first);
		}
		close_pk(g);
	}
}

static void event_flags(void **state)
{
	unsigned int event_idx, junk;
	struct pk *g;

	(void)state;
	for (event_idx = 0; event_idx < 2; event_idx++) {
		g = open_with(8, 3, event_idx, false);
		for (junk = 0; junk < 2; junk++) {
			pk_event(&g->mem, junk * 0xfffc | PK_ENABLE, 0xffff);
			finish(g, 1);
			assert_int_equal(pk_need_signal(g), 1);
			pk_event(&g->mem, junk * 0xfffc | PK_DISABLE, pk_wire(8, g->r.published));
			finish(g, 1);
			assert_int_equal(pk_need_signal(g), 0);
			/* Without the feature no offset is looked at. */
			pk_event(&g->mem, junk * 0xfffc | PK_DESC, pk_wire(8, g->r.published));
			finish(g, 1);
			assert_int_equal(pk_need_signal(g), 1);
			pk_event(&g->mem, junk * 0xfffc | PK_DESC, pk_wire(8, g->r.published + 4));
			finish(g, 1);
			assert_int_equal(pk_need_signal(g), !event_idx);
			/* Reserved: rather one interrupt too many. */
			pk_event(&g->mem, 3, 0);
			finish(g, 1);
			assert_int_equal(pk_need_signal(g), 1);
		}
		close_pk(g);
	}
}

/* Decisions that were not asked for add up; after 65536 nothing is known. */
static void event_far(void **state)
{
	static const struct {
		u32 n;
		int signal;
	} c[] = { { 100, 0 }, { 511, 1 }, { 512, 1 }, { 65536, 1 }, { 65536 + 100, 1 } };
	unsigned int i;
	u32 n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		struct pk *g = open_at(256, 77);

		pk_need_signal(g);
		for (n = c[i].n; n; n -= min(n, 100u))
			finish(g, min(n, 100u));
		pk_event(&g->mem, PK_DESC, pk_wire(256, 77 + c[i].n + 5));
		if (c[i].n == 511)	/* an offset that is among the last 511 */
			pk_event(&g->mem, PK_DESC, pk_wire(256, 77 + 511 - 400));
		assert_int_equal(pk_need_signal(g), c[i].signal);
		/* From now on it is known again. */
		pk_event(&g->mem, PK_DESC, pk_wire(256, 78 + c[i].n));
		finish(g, 1);
		assert_int_equal(pk_need_signal(g), 0);
		finish(g, 1);
		assert_int_equal(pk_need_signal(g), 1);
		close_pk(g);
	}
}

/* Our wishes: as Linux' driver reads them, at each position. */
static void kicks(void **state)
{
	unsigned int event_idx, start;

	(void)state;
	for (event_idx = 0; event_idx < 2; event_idx++)
		for (start = 0; start < 16; start++) {
			struct pk *g = open_with(8, start, event_idx, false);

			/* Whatever the start says, the first one is kicked for. */
			assert_int_equal(pk_dev_flags(&g->mem), PK_ENABLE);
			pk_offer(g, 1, 1, false);
			assert_true(pk_wants_kick(&g->drv));

			assert_int_equal(pk_kick_disable(g), 0);
			assert_int_equal(pk_dev_flags(&g->mem), PK_DISABLE);
			assert_int_equal(pk_kick_disable(g), 0);
			assert_int_equal(env.accesses, 0);
			pk_offer(g, 2, 1, false);
			assert_false(pk_wants_kick(&g->drv));

			/* Too late for those two: told. */
			assert_int_equal(pk_kick_enable(g), 1);
			assert_int_equal(pk_dev_flags(&g->mem), event_idx ? PK_DESC : PK_ENABLE);
			if (event_idx)
				assert_int_equal(pk_dev_off_wrap(&g->mem), pk_wire(8, start));
			assert_int_equal(pk_fetch(g, 1), 1);
			assert_int_equal(pk_kick_enable(g), 1);
			if (event_idx)
				assert_int_equal(pk_dev_off_wrap(&g->mem), pk_wire(8, start + 1));
			assert_int_equal(pk_fetch(g, 64), 1);
			assert_int_equal(pk_kick_enable(g), 0);
			pk_offer(g, 3, 1, false);
			assert_true(pk_wants_kick(&g->drv));

			/* With an offset that was passed there is no second one. */
			pk_offer(g, 1, 1, false);
			assert_int_equal(pk_wants_kick(&g->drv), !event_idx);
			assert_int_equal(pk_fetch(g, 64), 2);

			/* Given back, they are no news to who asks for more. */
			pk_unfetch(g, 4);
			assert_int_equal(pk_kick_more(g), 0);
			if (event_idx)
				assert_int_equal(pk_dev_off_wrap(&g->mem), pk_wire(8, start + 7));
			assert_int_equal(pk_kick_enable(g), 1);
			assert_int_equal(pk_kick_more(g), 0);
			pk_offer(g, 1, 1, false);
			assert_true(pk_wants_kick(&g->drv));
			assert_int_equal(pk_kick_more(g), 1);
			close_pk(g);
		}
}

/* A wish that the guest has passed is silent without a store, for a lap. */
static void kick_passed(void **state)
{
	u32 start, i;

	(void)state;
	for (start = 0; start < 16; start++) {
		struct pk *g = open_with(8, start, true, false);

		assert_int_equal(pk_kick_enable(g), 0);
		for (i = 0; i < 24; i++) {
			u16 id;
			u32 len;

			pk_offer(g, 1, 1, false);
			assert_int_equal(pk_wants_kick(&g->drv), !i);
			assert_int_equal(pk_kick_disable(g), 0);
			assert_int_equal(pk_dev_flags(&g->mem), i < 8 ? PK_DESC : PK_DISABLE);
			assert_int_equal(env.accesses > 0, i == 8);
			assert_int_equal(pk_fetch(g, 64), 1);
			assert_int_equal(pk_put(g, g->b.chain[0].id, 1, 0, true), 0);
			assert_int_equal(pk_publish(g), 1);
			assert_true(pk_get(&g->drv, &id, &len));
		}
		assert_int_equal(pk_kick_enable(g), 0);
		pk_offer(g, 1, 1, false);
		assert_true(pk_wants_kick(&g->drv));
		close_pk(g);
	}
}

/* A verb in a situation in which it touches much of the ring. */
struct scene {
	const char *name;
	bool scattered;
	void (*prepare)(struct pk *g);
	int (*verb)(struct pk *g);
};

static void idle(struct pk *g)
{
	(void)g;
}

static void offer_mixed(struct pk *g)
{
	static const struct drv_buf three[] = {
		{ 0x1000, 10, false }, { 0x2000, 20, false }, { 0x3000, 300, true },
	};

	pk_add(&g->drv, three, 3, 0);
	pk_add(&g->drv, three, 3, TABLE);
	pk_add(&g->drv, three, 1, 0);
	pk_add(&g->drv, three, 2, TABLE + 64);
}

static void put_64(struct pk *g)
{
	u32 i;

	for (i = 0; i < 64; i++)
		pk_put(g, i, 1 + i % 3, i, false);
}

static void put_70(struct pk *g)
{
	u32 i;

	for (i = 0; i < 70; i++)
		pk_put(g, i, 1 + i % 3, i, false);
}

static void published(struct pk *g)
{
	pk_need_signal(g);
	put_70(g);
	pk_publish(g);
	pk_event(&g->mem, PK_DESC, pk_wire(256, 254 + 3));
}

static int fetch(struct pk *g)
{
	return pk_fetch(g, 64);
}

static int put(struct pk *g)
{
	return pk_put(g, 99, 1, 99, false);
}

static int start_over(struct pk *g)
{
	return pk_start(g, 0x80058005);
}

static const struct scene scenes[] = {
	{ "start", false, put_70, start_over },
	{ "fetch", false, offer_mixed, fetch },
	{ "fetch, scattered", true, offer_mixed, fetch },
	{ "put", false, put_64, put },
	{ "flush", false, put_70, pk_flush },
	{ "publish", false, put_70, pk_publish },
	{ "publish, first", false, put_64, pk_publish },
	{ "publish, scattered", true, put_70, pk_publish },
	{ "need_signal", false, published, pk_need_signal },
	{ "kick_enable", false, offer_mixed, pk_kick_enable },
	{ "kick_more", false, offer_mixed, pk_kick_more },
	{ "kick_disable", false, idle, pk_kick_disable },
	{ "has_avail", false, offer_mixed, pk_has_avail },
};

/* Everything that the guest can see. */
static u8 *snapshot(const struct pk *g)
{
	u32 len = g->mem.part[ENV_DESC].len, i;
	u8 *all = malloc(len + 4);

	for (i = 0; i < len; i += 2) {
		u16 v = ringmem_get16(&g->mem, ENV_DESC, i);

		memcpy(all + i, &v, 2);
	}
	for (i = 0; i < 4; i += 2) {
		u16 v = ringmem_get16(&g->mem, ENV_USED, i);

		memcpy(all + len + i, &v, 2);
	}
	return all;
}

static struct pk *set_up(const struct scene *s)
{
	struct pk *g = open_with(256, 254, true, s->scattered);

	s->prepare(g);
	return g;
}

/*
 * A fault at the first, second, ... access. The verb says so, nothing moved;
 * when memory is back, it does what it would have done at first.
 */
static void fault_everywhere(void **state)
{
	unsigned int i;
	long at;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(scenes); i++) {
		const struct scene *s = &scenes[i];
		struct pk *g = set_up(s);
		int want = s->verb(g);
		struct vring_dev after = g->r;
		u8 *guest = snapshot(g), *now;

		assert_true(want >= 0);
		for (at = 0;; at++) {
			struct vring_dev before;
			int ret;

			g = set_up(s);
			before = g->r;
			env.fault_after = at;
			ret = s->verb(g);
			env.fault_after = -1;
			if (!env.faulted)
				break;
			if (ret > 0 && s->verb == fetch) {
				/* Chains in front of the fault were delivered. */
				int k;

				for (k = 0; k < ret; k++)
					before.last_avail += g->b.chain[k].slots;
				assert_int_equal(g->r.last_avail, before.last_avail);
				ret = pk_fetch(g, 64) + ret;
				assert_int_equal(ret, want);
				assert_int_equal(g->r.last_avail, after.last_avail);
				continue;
			}
			if (ret != -VRING_E_FAULT)
				print_error("%s: %d at access %ld\n", s->name, ret, at);
			assert_int_equal(ret, -VRING_E_FAULT);
			if (s->verb != start_over) {
				assert_int_equal(g->r.last_avail, before.last_avail);
				assert_int_equal(g->r.last_used, before.last_used);
				assert_int_equal(g->r.stored, before.stored);
				assert_int_equal(g->r.published, before.published);
				assert_int_equal(g->r.signalled, before.signalled);
				assert_int_equal(g->r.signalled_valid, before.signalled_valid);
				assert_int_equal(g->r.used_flags, before.used_flags ==
						 after.used_flags ? before.used_flags :
						 pk_dev_flags(&g->mem));
				assert_int_equal(g->r.nr_pend, before.nr_pend);
			}
			if (s->verb == pk_publish)
				assert_int_equal(pk_desc_flags(&g->mem, 254),
						 pk_used(false));
			assert_int_equal(s->verb(g), want);
			assert_int_equal(g->r.last_avail, after.last_avail);
			assert_int_equal(g->r.last_used, after.last_used);
			assert_int_equal(g->r.published, after.published);
			now = snapshot(g);
			assert_memory_equal(now, guest, 256 * 16 + 4);
			free(now);
		}
		assert_true(at > 0);
		free(guest);
		close_pk(g);
	}
}

/* What was loaded changes at once: the copy counts. */
static void change_loaded(void *arg, const struct env_event *e)
{
	struct pk *g = arg;

	if (e->kind == ENV_LOAD && e->part == ENV_DESC && e->size == 8)
		ringmem_put64(&g->mem, ENV_DESC, e->off, ~0ull);
	else if (e->kind == ENV_LOAD && e->part == ENV_DESC)
		ringmem_put32(&g->mem, ENV_DESC, e->off & ~3u, ~0u);
}

static void loaded_once(void **state)
{
	struct pk *g = open_at(8, 6);
	unsigned int i, k, seen;

	(void)state;
	pk_offer(g, 3, 10, false);
	pk_offer(g, 1, 10, true);
	env.hook_arg = g;
	env.after_load = change_loaded;
	assert_int_equal(pk_fetch(g, 64), 2);
	assert_int_equal(g->b.chain[0].nr_seg, 3);
	assert_int_equal(g->b.chain[0].out_len, 30);
	assert_int_equal(g->b.chain[1].in_len, 10);
	for (i = 0; i < 4; i++)
		for (k = 0; k < 16; k += 4) {
			unsigned int n, at = (6 + i) % 8 * 16 + k;

			for (seen = 0, n = 0; n < env.nr_event; n++)
				seen += env.event[n].kind == ENV_LOAD && env.event[n].off <= at &&
					at < env.event[n].off + env.event[n].size;
			assert_int_equal(seen, 1);
		}
	close_pk(g);
}

/* A ring that lies page by page, each chain across every boundary. */
static void scattered(void **state)
{
	unsigned int i, k;
	struct pk *g;

	(void)state;
	g = open_with(1024, 0, true, true);
	for (i = 0; i < 900; i++) {
		unsigned int n = 1 + i % 7;
		u16 id[7];

		for (k = 0; k < n; k++)
			id[k] = pk_offer(g, 1 + (i + k) % 5, 10 + k, k & 1);
		assert_int_equal(pk_fetch(g, 64), n);
		for (k = 0; k < n; k++) {
			assert_int_equal(g->b.chain[k].id, id[k]);
			assert_int_equal(g->b.chain[k].nr_seg, 1 + (i + k) % 5);
			put_chain(g, k, k & 1 ? k : 0);
		}
		assert_true(pk_publish(g) > 0);
		for (k = 0; k < n; k++)
			assert_got(g, id[k], k & 1 ? k : 0);
		assert_got_none(g);
	}
	close_pk(g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(bounds),
		cmocka_unit_test(first_flags_count),
		cmocka_unit_test(indirect_table),
		cmocka_unit_test(batch_is_cut),
		cmocka_unit_test(wrap_and_restart),
		cmocka_unit_test(full_ring),
		cmocka_unit_test(full_behind_chain),
		cmocka_unit_test(largest_ring),
		cmocka_unit_test(base),
		cmocka_unit_test(publish_order),
		cmocka_unit_test(more_than_64),
		cmocka_unit_test(fetch_order),
		cmocka_unit_test(late_chain),
		cmocka_unit_test(signal_order),
		cmocka_unit_test(kick_order),
		cmocka_unit_test(bad_descriptors),
		cmocka_unit_test(bad_indirect),
		cmocka_unit_test(loops),
		cmocka_unit_test(too_many_segs),
		cmocka_unit_test(used_overflow),
		cmocka_unit_test(event_desc),
		cmocka_unit_test(event_flags),
		cmocka_unit_test(event_far),
		cmocka_unit_test(kicks),
		cmocka_unit_test(kick_passed),
		cmocka_unit_test(fault_everywhere),
		cmocka_unit_test(loaded_once),
		cmocka_unit_test(scattered),
	};
	int failed = run_group("packed", tests, ARRAY_SIZE(tests));

	close_pk(the_pk);
	return failed;
}
