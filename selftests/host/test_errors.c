// SPDX-License-Identifier: GPL-2.0
/*
 * One test for each name in VRING_ERRORS, called after it. The list of tests
 * is made from that list: a name without a test does not compile.
 *
 * Most tests put a good chain in front of the bad one. The good one has to be
 * delivered, the bad one reported then, as often as it is asked for, and the
 * ring must stay where it is.
 */
#include "test.h"

#define TABLE	GUEST_BASE

/* Chain 0 is good, chain 1 starts at descriptor 1 and is bad. */
static void rejected(struct rig *g, enum vring_error err)
{
	drv_desc(&g->mem, 0, 0x1000, 64, 0, 0);
	drv_head(&g->mem, 0, 0);
	drv_avail_idx(&g->mem, 2);
	assert_int_equal(rig_fetch(g, 64), 1);
	assert_int_equal(g->b.nr, 1);
	assert_int_equal(g->b.chain[0].id, 0);
	assert_int_equal(rig_fetch(g, 64), -(int)err);
	assert_int_equal(rig_fetch(g, 1), -(int)err);
	assert_int_equal(g->r.last_avail, 1);
}

/* The guest makes it good after all: nothing was lost. */
static void accepted_at_last(struct rig *g)
{
	drv_desc(&g->mem, 1, 0x2000, 64, 0, 0);
	drv_head(&g->mem, 1, 1);
	assert_int_equal(rig_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].id, 1);
	assert_int_equal(g->r.last_avail, 2);
}

struct wire {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/* A bad chain as descriptors 1, 2, ... and then as a table, 0, 1, ... */
static void rejected_both_ways(const struct wire *w, unsigned int n, enum vring_error err)
{
	struct rig *g = open_plain(8);
	unsigned int i;

	drv_head(&g->mem, 1, 1);
	for (i = 0; i < n; i++)
		drv_desc(&g->mem, 1 + i, w[i].addr, w[i].len, w[i].flags,
			 w[i].flags & NEXT ? w[i].next + 1 : 0);
	rejected(g, err);
	accepted_at_last(g);
	close_rig(g);

	g = open_plain(8);
	drv_head(&g->mem, 1, 1);
	drv_desc(&g->mem, 1, TABLE, 16 * n, IND, 0);
	for (i = 0; i < n; i++)
		drv_table(TABLE, i, w[i].addr, w[i].len, w[i].flags, w[i].next);
	rejected(g, err);
	accepted_at_last(g);
	close_rig(g);
}

static void ring_fault(void **state)
{
	static const struct {
		enum env_part part;
		u32 off;
	} field[] = {
		{ ENV_AVAIL, 2 }, { ENV_AVAIL, 4 }, { ENV_DESC, 0 }, { ENV_DESC, 8 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(field); i++) {
		struct rig *g = open_plain(8);

		rig_offer(g, 1, 1);
		env.fault_part = field[i].part;
		env.fault_from = field[i].off;
		env.fault_to = field[i].off;
		assert_int_equal(rig_fetch(g, 64), -VRING_E_FAULT);
		env.fault_part = ENV_NOWHERE;
		assert_int_equal(rig_fetch(g, 64), 1);
		close_rig(g);
	}

	/* Chains in front of the fault are delivered, as in front of all errors. */
	for (i = 0; i < 3; i++) {
		struct rig *g = open_plain(8);

		drv_head(&g->mem, 1, 1);
		drv_desc(&g->mem, 1, 0x1000, 64, NEXT, 2);
		drv_desc(&g->mem, 2, 0x1000, 64, 0, 0);
		env.fault_part = i ? ENV_DESC : ENV_AVAIL;
		env.fault_from = i ? 16 * i : 6;
		env.fault_to = env.fault_from;
		rejected(g, VRING_E_FAULT);
		env.fault_part = ENV_NOWHERE;
		accepted_at_last(g);
		close_rig(g);
	}
}

static void avail_idx(void **state)
{
	/* Where the ring is, what the guest writes, whether that is possible. */
	static const struct {
		u16 at;
		u16 idx;
		bool good;
	} idx[] = {
		{ 0, 8, true },		{ 0, 9, false },
		{ 0, 0x8000, false },	{ 0, 0xffff, false },
		{ 0xfffc, 4, true },	{ 0xfffc, 5, false },
		{ 0xfffc, 0xfffb, false },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(idx); i++) {
		struct rig_config cfg = plain(8);
		struct rig *g;
		u16 k;

		cfg.start = idx[i].at;
		g = open_rig(&cfg);
		for (k = 0; k < 8; k++) {
			drv_desc(&g->mem, k, 0x1000, 1, 0, 0);
			drv_head(&g->mem, k, k);
		}
		drv_avail_idx(&g->mem, idx[i].idx);
		if (idx[i].good) {
			assert_int_equal(rig_has_avail(g), 1);
			assert_int_equal(rig_fetch(g, 64), 8);
		} else {
			assert_int_equal(rig_fetch(g, 64), -VRING_E_AVAIL_IDX);
			assert_int_equal(rig_has_avail(g), -VRING_E_AVAIL_IDX);
			assert_int_equal(rig_kick_enable(g), -VRING_E_AVAIL_IDX);
			assert_int_equal(g->r.last_avail, idx[i].at);
			drv_avail_idx(&g->mem, idx[i].at + 1);
			assert_int_equal(rig_fetch(g, 64), 1);
		}
		close_rig(g);
	}
}

static void head_range(void **state)
{
	static const u16 head[] = { 8, 9, 0x8000, 0xffff };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(head); i++) {
		struct rig *g = open_plain(8);

		drv_head(&g->mem, 1, head[i]);
		rejected(g, VRING_E_HEAD);
		accepted_at_last(g);
		close_rig(g);
	}
}

static void next_range(void **state)
{
	/* In the ring's table of 8, descriptor 7 + 1; in a table of 2, entry 7. */
	static const struct wire near[] = { { 0x1000, 64, NEXT, 7 }, { 0x1000, 64, 0, 0 } };
	static const struct wire far[] = { { 0x1000, 64, NEXT, 0xfffe } };
	/* One behind the table's end. */
	static const struct wire edge[] = { { 0x1000, 64, NEXT, 1 } };
	struct rig *g;

	(void)state;
	rejected_both_ways(near, ARRAY_SIZE(near), VRING_E_NEXT);
	rejected_both_ways(far, ARRAY_SIZE(far), VRING_E_NEXT);

	g = open_plain(8);
	drv_table(TABLE, 0, edge[0].addr, edge[0].len, edge[0].flags, edge[0].next);
	drv_desc(&g->mem, 1, TABLE, 16, IND, 0);
	drv_head(&g->mem, 1, 1);
	rejected(g, VRING_E_NEXT);
	close_rig(g);
}

static void desc_loop(void **state)
{
	static const struct wire self[] = { { 0x1000, 64, NEXT, 0 } };
	static const struct wire pair[] = { { 0x1000, 64, NEXT, 1 }, { 0x1000, 64, NEXT, 0 } };
	struct rig *g;
	unsigned int i;

	(void)state;
	rejected_both_ways(self, ARRAY_SIZE(self), VRING_E_LOOP);
	rejected_both_ways(pair, ARRAY_SIZE(pair), VRING_E_LOOP);

	g = open_plain(8);
	/* As long as the table is no loop; one more is. */
	for (i = 0; i < 8; i++)
		drv_desc(&g->mem, i, 0x1000, 64, i < 7 ? NEXT : 0, i + 1);
	drv_head(&g->mem, 0, 0);
	drv_avail_idx(&g->mem, 1);
	assert_int_equal(rig_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].nr_seg, 8);
	drv_desc(&g->mem, 7, 0x1000, 64, NEXT, 0);
	drv_head(&g->mem, 1, 0);
	drv_avail_idx(&g->mem, 2);
	assert_int_equal(rig_fetch(g, 64), -VRING_E_LOOP);
	close_rig(g);

	/* In a table that fills the batch it is a loop, too, and not one too many. */
	g = open_plain(8);
	for (i = 0; i < 1024; i++)
		drv_table(TABLE, i, 0x1000, 64, NEXT, (i + 1) % 1024);
	drv_desc(&g->mem, 1, TABLE, 1024 * 16, IND, 0);
	drv_head(&g->mem, 1, 1);
	rejected(g, VRING_E_LOOP);
	drv_table(TABLE, 1023, 0x1000, 64, 0, 0);
	assert_int_equal(rig_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].nr_seg, 1024);
	close_rig(g);
}

static void too_many_segs(void **state)
{
	struct rig *g = open_plain(4096);
	unsigned int i;

	(void)state;
	/* 1024 segments pass, 1025 do not. */
	for (i = 1; i <= 1025; i++)
		drv_desc(&g->mem, i, 0x1000, 64, i < 1024 ? NEXT : 0, i + 1);
	drv_head(&g->mem, 0, 1);
	drv_avail_idx(&g->mem, 1);
	assert_int_equal(rig_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].nr_seg, 1024);
	close_rig(g);

	g = open_plain(4096);
	for (i = 1; i <= 1025; i++)
		drv_desc(&g->mem, i, 0x1000, 64, i < 1025 ? NEXT : 0, i + 1);
	drv_head(&g->mem, 1, 1);
	rejected(g, VRING_E_SEGS);
	accepted_at_last(g);
	close_rig(g);

	/* Direct ones in front of a table count. */
	g = open_plain(8);
	drv_desc(&g->mem, 1, 0x1000, 64, NEXT, 2);
	drv_desc(&g->mem, 2, TABLE, 1024 * 16, IND, 0);
	for (i = 0; i < 1024; i++)
		drv_table(TABLE, i, 0x1000, 64, i < 1023 ? NEXT : 0, i + 1);
	drv_head(&g->mem, 1, 1);
	rejected(g, VRING_E_SEGS);
	/* 1 + 1023 fit, though the table itself is as long as before. */
	drv_table(TABLE, 1022, 0x1000, 64, 0, 0);
	assert_int_equal(rig_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].nr_seg, 1024);
	close_rig(g);
}

static void zero_len(void **state)
{
	static const struct wire only[] = { { 0x1000, 0, 0, 0 } };
	static const struct wire last[] = { { 0x1000, 64, NEXT, 1 }, { 0x1000, 0, WRITE, 0 } };

	(void)state;
	rejected_both_ways(only, ARRAY_SIZE(only), VRING_E_ZERO_LEN);
	rejected_both_ways(last, ARRAY_SIZE(last), VRING_E_ZERO_LEN);
}

static void addr_wrap(void **state)
{
	static const struct wire by_one[] = { { U64_MAX - 62, 64, 0, 0 } };
	static const struct wire far[] = { { U64_MAX, U32_MAX, WRITE, 0 } };
	struct rig *g;

	(void)state;
	rejected_both_ways(by_one, ARRAY_SIZE(by_one), VRING_E_ADDR_WRAP);
	rejected_both_ways(far, ARRAY_SIZE(far), VRING_E_ADDR_WRAP);

	g = open_plain(8);
	/* So does the address of a table. */
	drv_desc(&g->mem, 1, U64_MAX - 14, 16, IND, 0);
	drv_head(&g->mem, 1, 1);
	rejected(g, VRING_E_ADDR_WRAP);
	/* The last byte of all does not wrap, though nothing is there. */
	drv_desc(&g->mem, 1, U64_MAX - 15, 16, IND, 0);
	assert_int_equal(rig_fetch(g, 64), -VRING_E_INDIRECT_ADDR);
	drv_desc(&g->mem, 1, U64_MAX - 63, 64, 0, 0);
	assert_int_equal(rig_fetch(g, 64), 1);
	close_rig(g);
}

static void chain_bytes(void **state)
{
	static const struct wire over[] = { { 0, U32_MAX, NEXT, 1 }, { 0, 1, WRITE, 0 } };
	static const struct wire twice[] = { { 0, U32_MAX, NEXT, 1 }, { 0, U32_MAX, 0, 0 } };
	static const struct wire many[] = {
		{ 0, 0x80000000, NEXT | WRITE, 1 }, { 0, 0x80000000, WRITE, 0 },
	};
	struct rig *g;

	(void)state;
	rejected_both_ways(over, ARRAY_SIZE(over), VRING_E_BYTES);
	rejected_both_ways(twice, ARRAY_SIZE(twice), VRING_E_BYTES);
	rejected_both_ways(many, ARRAY_SIZE(many), VRING_E_BYTES);

	g = open_plain(8);
	drv_desc(&g->mem, 0, 0, U32_MAX - 1, NEXT, 1);
	drv_desc(&g->mem, 1, 0, 1, WRITE, 0);
	drv_avail_idx(&g->mem, 1);
	assert_int_equal(rig_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].out_len, U32_MAX - 1);
	assert_int_equal(g->b.chain[0].in_len, 1);
	close_rig(g);
}

static void write_before_read(void **state)
{
	static const struct wire two[] = { { 0x1000, 64, NEXT | WRITE, 1 }, { 0x1000, 64, 0, 0 } };
	static const struct wire three[] = {
		{ 0x1000, 64, NEXT, 1 }, { 0x1000, 64, NEXT | WRITE, 2 }, { 0x1000, 64, 0, 0 },
	};

	(void)state;
	rejected_both_ways(two, ARRAY_SIZE(two), VRING_E_ORDER);
	rejected_both_ways(three, ARRAY_SIZE(three), VRING_E_ORDER);
}

static void indirect_off(void **state)
{
	struct rig_config cfg = plain(8);
	struct rig *g;

	(void)state;
	cfg.indirect = false;
	g = open_rig(&cfg);
	drv_table(TABLE, 0, 0x1000, 64, 0, 0);
	drv_desc(&g->mem, 1, TABLE, 16, IND, 0);
	drv_head(&g->mem, 1, 1);
	rejected(g, VRING_E_INDIRECT_OFF);
	assert_int_equal(env_count(ENV_GUEST_READ), 0);
	accepted_at_last(g);
	close_rig(g);
}

static void indirect_nested(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	drv_table(TABLE, 0, 0x1000, 64, NEXT, 1);
	drv_table(TABLE, 1, TABLE + 64, 16, IND, 0);
	drv_table(TABLE + 64, 0, 0x1000, 64, 0, 0);
	drv_desc(&g->mem, 1, TABLE, 32, IND, 0);
	drv_head(&g->mem, 1, 1);
	rejected(g, VRING_E_INDIRECT_NESTED);
	accepted_at_last(g);
	close_rig(g);
}

static void indirect_next(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	drv_table(TABLE, 0, 0x1000, 64, 0, 0);
	drv_desc(&g->mem, 1, TABLE, 16, IND | NEXT, 2);
	drv_desc(&g->mem, 2, 0x1000, 64, 0, 0);
	drv_head(&g->mem, 1, 1);
	rejected(g, VRING_E_INDIRECT_NEXT);
	accepted_at_last(g);
	close_rig(g);
}

static void indirect_len(void **state)
{
	static const u32 len[] = { 0, 1, 15, 17, 24, 16 * 1024 + 1, 16 * 1025, 0xfffffff0, U32_MAX };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(len); i++) {
		struct rig *g = open_plain(8);

		drv_table(TABLE, 0, 0x1000, 64, 0, 0);
		drv_desc(&g->mem, 1, TABLE, len[i], IND, 0);
		drv_head(&g->mem, 1, 1);
		rejected(g, VRING_E_INDIRECT_LEN);
		assert_int_equal(env_count(ENV_GUEST_READ), 0);
		drv_desc(&g->mem, 1, TABLE, 16 * 1024, IND, 0);
		assert_int_equal(rig_fetch(g, 64), 1);
		close_rig(g);
	}
}

static void indirect_addr(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	drv_desc(&g->mem, 1, GUEST_BASE + GUEST_LEN - 16, 32, IND, 0);
	drv_head(&g->mem, 1, 1);
	rejected(g, VRING_E_INDIRECT_ADDR);
	drv_desc(&g->mem, 1, GUEST_BASE - 16, 32, IND, 0);
	assert_int_equal(rig_fetch(g, 64), -VRING_E_INDIRECT_ADDR);

	/* Memory behind an IOMMU may come later: the fetch is repeated. */
	drv_table(TABLE, 0, 0x1000, 64, 0, 0);
	drv_desc(&g->mem, 1, TABLE, 16, IND, 0);
	env.guest_result = -VRING_E_AGAIN;
	assert_int_equal(rig_fetch(g, 64), -VRING_E_AGAIN);
	env.guest_result = -VRING_E_FAULT;
	assert_int_equal(rig_fetch(g, 64), -VRING_E_FAULT);
	assert_int_equal(rig_fetch(g, 64), 1);
	close_rig(g);
}

static void used_overflow(void **state)
{
	static const u32 num[] = { 1, 2, 8, 64, 128, 256 };
	unsigned int i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(num); i++) {
		struct rig_config cfg = plain(num[i]);
		struct rig *g;

		cfg.start = 0xfff0;
		g = open_rig(&cfg);
		for (k = 0; k < num[i]; k++)
			assert_int_equal(rig_put(g, k, k), 0);
		assert_int_equal(rig_put(g, 0, 0), -VRING_E_USED_OVERFLOW);
		assert_int_equal(rig_put(g, 0, 0), -VRING_E_USED_OVERFLOW);
		assert_int_equal(rig_publish(g), num[i]);
		assert_int_equal(rig_put(g, 0, 0), 0);
		assert_int_equal(rig_publish(g), 1);
		close_rig(g);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define X(NAME, name, text) cmocka_unit_test(name),
		VRING_ERRORS(X)
#undef X
	};

	return run_group("errors", tests, ARRAY_SIZE(tests));
}
