// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of packed rings: every verb at every position, whatever the size of the ring
 * and of its pages.
 */
#include "packed_test.h"

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
		cmocka_unit_test(scattered),
	};
	int failed = run_group("packed", tests, ARRAY_SIZE(tests));

	close_pk(the_pk);
	return failed;
}
