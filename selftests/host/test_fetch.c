// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of fetch and unfetch on rings that a well-behaved driver fills: chains
 * of every kind, batches, wrap-around, scattered ring memory.
 */
#include "test.h"

static const struct drv_buf two_way[] = {
	{ 0x1000, 10, false }, { 0x2000, 20, false }, { 0x3000, 300, true },
};

static void check_two_way(const struct rig *g, unsigned int i, u16 id)
{
	const struct vring_chain *c = &g->b.chain[i];
	unsigned int k;

	assert_int_equal(c->id, id);
	assert_int_equal(c->nr_seg, 3);
	assert_int_equal(c->nr_out, 2);
	assert_int_equal(c->out_len, 30);
	assert_int_equal(c->in_len, 300);
	for (k = 0; k < 3; k++) {
		assert_int_equal(g->b.seg[c->seg + k].addr, two_way[k].addr);
		assert_int_equal(g->b.seg[c->seg + k].len, two_way[k].len);
	}
}

static void empty(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	assert_int_equal(rig_fetch(g, 64), 0);
	assert_int_equal(g->b.nr, 0);
	assert_int_equal(rig_has_avail(g), 0);
	rig_offer(g, 1, 1);
	assert_int_equal(rig_has_avail(g), 1);
	assert_int_equal(rig_fetch(g, 0), 0);
	assert_int_equal(rig_fetch(g, 1), 1);
	assert_int_equal(rig_has_avail(g), 0);
	assert_int_equal(rig_fetch(g, 1), 0);
	close_rig(g);
}

static void direct_chain(void **state)
{
	struct rig *g = open_plain(8);
	int a, b;

	(void)state;
	a = drv_add(&g->drv, two_way, 3, 0);
	b = drv_add(&g->drv, two_way, 3, 0);
	drv_show(&g->drv);
	assert_int_equal(rig_fetch(g, 64), 2);
	check_two_way(g, 0, a);
	check_two_way(g, 1, b);
	close_rig(g);
}

static void indirect_chain(void **state)
{
	struct rig *g = open_plain(4);
	int id[3], i;

	(void)state;
	for (i = 0; i < 3; i++)
		id[i] = drv_add(&g->drv, two_way, 3, GUEST_BASE + 64 * i);
	drv_show(&g->drv);
	assert_int_equal(rig_fetch(g, 64), 3);
	for (i = 0; i < 3; i++)
		check_two_way(g, i, id[i]);
	close_rig(g);
}

/* Section 2.7.5.3.2: direct descriptors may stand in front of an indirect one. */
static void direct_then_indirect(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	drv_desc(&g->mem, 5, 0x1000, 10, NEXT, 3);
	/* The write flag of an indirect descriptor means nothing. */
	drv_desc(&g->mem, 3, GUEST_BASE, 48, IND | WRITE, 0);
	/* Entries may be chained in any order. */
	drv_table(GUEST_BASE, 0, 0x2000, 20, NEXT, 2);
	drv_table(GUEST_BASE, 2, 0x3000, 300, WRITE, 1);
	drv_head(&g->mem, 0, 5);
	drv_desc(&g->mem, 0, 0x1000, 10, NEXT, 1);
	drv_desc(&g->mem, 1, 0x2000, 20, NEXT, 2);
	drv_desc(&g->mem, 2, 0x3000, 300, WRITE, 0);
	drv_head(&g->mem, 1, 0);
	drv_avail_idx(&g->mem, 2);
	assert_int_equal(rig_fetch(g, 64), 2);
	check_two_way(g, 0, 5);
	check_two_way(g, 1, 0);
	close_rig(g);
}

/* Chains of one descriptor, for each size of ring and each first index. */
static void wrap_around(void **state)
{
	static const u32 num[] = { 1, 2, 4, 16, 64, 128 };
	static const u16 base[] = { 0, 0x7ff0, 0xff80, 0xffff };
	unsigned int i, k, at, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(num); i++)
		for (k = 0; k < ARRAY_SIZE(base); k++)
			for (at = 0; at <= num[i]; at++) {
				struct rig_config cfg = plain(num[i]);
				unsigned int done = 0;
				struct rig *g;
				u32 id, len;

				cfg.start = base[k] + at;
				g = open_rig(&cfg);
				/* Twice round, in steps that do not divide num. */
				while (done < 2 * num[i]) {
					n = 0;
					while (n < 3 && rig_add(g, 1, 50, true) >= 0)
						n++;
					drv_show(&g->drv);
					assert_int_equal(rig_fetch(g, 64), n);
					for (n = 0; n < g->b.nr; n++)
						rig_put(g, g->b.chain[n].id, 50);
					assert_int_equal(rig_publish(g), n);
					rig_need_signal(g);
					while (drv_get(&g->drv, &id, &len))
						done++;
				}
				close_rig(g);
			}
}

/* One load of the index for all chains that it shows. */
static void index_is_cached(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	rig_offer(g, 4, 1);
	assert_int_equal(rig_fetch(g, 1), 1);
	assert_int_equal(view_find(ENV_LOAD, ENV_AVAIL, 2), 1);
	/* The guest takes its index back: what it showed stays shown. */
	drv_avail_idx(&g->mem, 0);
	assert_int_equal(rig_fetch(g, 2), 2);
	assert_int_equal(view_find(ENV_LOAD, ENV_AVAIL, 2), -1);
	assert_int_equal(rig_fetch(g, 2), 1);
	assert_int_equal(rig_fetch(g, 2), -VRING_E_AVAIL_IDX);
	close_rig(g);
}

static void batch_of_64(void **state)
{
	struct rig *g = open_plain(256);

	(void)state;
	rig_offer(g, 150, 1);
	assert_int_equal(rig_fetch(g, 1000), 64);
	assert_int_equal(g->b.chain[63].id, 63);
	assert_int_equal(rig_fetch(g, 1000), 64);
	assert_int_equal(rig_fetch(g, 1000), 22);
	assert_int_equal(g->b.chain[21].id, 149);
	close_rig(g);
}

/* A batch has 1024 segments. Chains that no longer fit wait for the next one. */
static void cut_direct(void **state)
{
	static const struct {
		unsigned int len;
		int batch[4];
	} cut[] = {
		{ 16, { 64, 64 } },	/* 64 * 16 = 1024 */
		{ 17, { 60, 60 } },	/* 60 * 17 = 1020 */
		{ 512, { 2, 2, 0 } },
		{ 513, { 1, 1, 1 } },
		{ 1024, { 1, 1, 0 } },
	};
	unsigned int i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cut); i++) {
		struct rig *g = open_plain(4096);
		unsigned int chains = min(4096 / cut[i].len, 200u);

		if (cut[i].len == 1024)
			chains = 2;
		rig_offer(g, chains, cut[i].len);
		for (k = 0; k < ARRAY_SIZE(cut[i].batch) && chains; k++) {
			int n = rig_fetch(g, 64);

			if (cut[i].batch[k])
				assert_int_equal(n, cut[i].batch[k]);
			assert_true(n > 0);
			assert_int_equal(g->b.nr, n);
			chains -= n;
		}
		close_rig(g);
	}
}

static void cut_indirect(void **state)
{
	struct drv_buf buf[1024];
	struct rig *g;
	unsigned int i, n;
	int ret;

	(void)state;
	for (i = 0; i < 1024; i++)
		buf[i] = (struct drv_buf){ 0x1000, 1, i > 511 };

	/* 8 heads and 7 * 128 entries, of 128, fit into 1024; one more does not. */
	g = open_plain(8);
	for (i = 0; i < 8; i++)
		drv_add(&g->drv, buf, 128, GUEST_BASE + i * 128 * 16);
	drv_show(&g->drv);
	assert_int_equal(rig_fetch(g, 64), 7);
	assert_int_equal(rig_fetch(g, 64), 1);
	assert_int_equal(g->b.chain[0].nr_seg, 128);
	close_rig(g);

	/* Each as long as a batch: one by one, though heads were gathered. */
	g = open_plain(16);
	for (i = 0; i < 16; i++)
		drv_add(&g->drv, buf, 1024, GUEST_BASE + i * 1024 * 16);
	drv_show(&g->drv);
	for (i = 0; i < 16; i++) {
		assert_int_equal(rig_fetch(g, 64), 1);
		assert_int_equal(g->b.chain[0].id, i);
		assert_int_equal(g->b.chain[0].nr_seg, 1024);
		assert_int_equal(g->b.chain[0].nr_out, 512);
		assert_int_equal(g->b.nr_seg, 1024);
	}
	close_rig(g);

	/* Direct segments in front of a long table, behind a full batch. */
	g = open_plain(2048);
	rig_offer(g, 63, 16);
	drv_desc(&g->mem, 2000, 0x1000, 1, NEXT, 2001);
	drv_desc(&g->mem, 2001, 0x1000, 1, NEXT, 2002);
	drv_desc(&g->mem, 2002, GUEST_BASE, 1022 * 16, IND, 0);
	for (i = 0; i < 1022; i++)
		drv_table(GUEST_BASE, i, 0x1000, 1, i < 1021 ? NEXT : 0, i + 1);
	drv_head(&g->mem, 63, 2000);
	drv_head(&g->mem, 64, 2000);
	drv_avail_idx(&g->mem, 65);
	assert_int_equal(rig_fetch(g, 64), 63);
	for (n = 0; n < 2; n++) {
		ret = rig_fetch(g, 64);
		assert_int_equal(ret, 1);
		assert_int_equal(g->b.chain[0].nr_seg, 1024);
	}
	close_rig(g);
}

/* One chain, around the length at which it no longer fits behind its own heads. */
static void long_indirect(void **state)
{
	unsigned int direct, n, i;

	(void)state;
	for (direct = 0; direct < 4; direct++)
		for (n = 1010; n <= 1024 - direct; n++) {
			struct rig *g = open_plain(8);

			for (i = 0; i < direct; i++)
				drv_desc(&g->mem, i, 0x1000, 1, NEXT, i + 1);
			drv_desc(&g->mem, direct, GUEST_BASE, n * 16, IND, 0);
			for (i = 0; i < n; i++)
				drv_table(GUEST_BASE, i, 0x1000, 1, i < n - 1 ? NEXT : 0, i + 1);
			drv_head(&g->mem, 0, 0);
			drv_avail_idx(&g->mem, 1);
			assert_int_equal(rig_fetch(g, 64), 1);
			assert_int_equal(g->b.chain[0].nr_seg, direct + n);
			close_rig(g);
		}
}

/* What was gathered of a chain that is bad takes no room from those before. */
static void bad_chain_takes_no_room(void **state)
{
	struct rig *g = open_plain(8);
	unsigned int i;

	(void)state;
	drv_desc(&g->mem, 0, 0x1000, 1, 0, 0);
	drv_desc(&g->mem, 1, GUEST_BASE, 1022 * 16, IND, 0);
	for (i = 0; i < 1022; i++)
		drv_table(GUEST_BASE, i, 0x1000, 1, i < 1021 ? NEXT : 0, i + 1);
	drv_desc(&g->mem, 2, 0x1000, 1, NEXT, 2);
	for (i = 0; i < 3; i++)
		drv_head(&g->mem, i, i);
	drv_avail_idx(&g->mem, 3);
	assert_int_equal(rig_fetch(g, 64), 2);
	assert_int_equal(g->b.chain[1].nr_seg, 1022);
	assert_int_equal(rig_fetch(g, 64), -VRING_E_LOOP);
	close_rig(g);
}

static void unfetch(void **state)
{
	struct rig_config cfg = plain(8);
	struct rig *g;
	unsigned int n;

	(void)state;
	cfg.start = 0xfffd;
	g = open_rig(&cfg);
	rig_offer(g, 5, 1);
	assert_int_equal(rig_fetch(g, 64), 5);
	rig_unfetch(g, 2);
	assert_int_equal(rig_has_avail(g), 1);
	assert_int_equal(rig_fetch(g, 64), 2);
	assert_int_equal(g->b.chain[0].id, 3);
	assert_int_equal(g->b.chain[1].id, 4);
	/* All, and again; no chain is lost or doubled. */
	rig_unfetch(g, 5);
	assert_int_equal(g->r.last_avail, 0xfffd);
	for (n = 0; n < 5; n++) {
		assert_int_equal(rig_fetch(g, 1), 1);
		assert_int_equal(g->b.chain[0].id, n);
	}
	assert_int_equal(rig_fetch(g, 1), 0);
	close_rig(g);
}

/* Behind an IOMMU each page of a ring lies elsewhere: every slot is visited. */
static void scattered(void **state)
{
	static const struct ringmem_shape shape[] = {
		{ true, { 0, 0, 0 } },
		{ true, { 0xff0, 0xffe, 0xffc } },
		{ true, { 0x10, 2, 4 } },
		{ true, { 0x800, 0x802, 8 } },
	};
	static const u32 num[] = { 1, 512, 2048 };
	unsigned int i, k, n, done;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shape); i++)
		for (k = 0; k < ARRAY_SIZE(num); k++) {
			struct rig_config cfg = plain(num[k]);
			struct rig *g;
			u32 id, len;

			cfg.shape = shape[i];
			g = open_rig(&cfg);
			rig_offer(g, num[k], 1);
			for (done = 0; done < num[k]; done += n) {
				n = rig_fetch(g, 64);
				assert_true(n > 0 && n <= 64);
				while (g->b.nr--)
					rig_put(g, g->b.chain[n - 1 - g->b.nr].id, 5);
			}
			assert_int_equal(rig_publish(g), num[k]);
			drv_irq_enable(&g->drv);
			assert_int_equal(rig_need_signal(g), 1);
			rig_kick_enable(g);
			for (done = 0; drv_get(&g->drv, &id, &len); done++) {
				assert_int_equal(id, done);
				assert_int_equal(len, 5);
			}
			assert_int_equal(done, num[k]);
			close_rig(g);
		}
}

/* Every entry and every descriptor of the largest ring. */
static void largest_ring(void **state)
{
	struct rig *g = open_plain(VRING_NUM_MAX);
	u32 i, k, id, len;
	int n;

	(void)state;
	rig_offer(g, VRING_NUM_MAX, 1);
	for (i = 0; i < VRING_NUM_MAX; i += n) {
		n = rig_fetch(g, 64);
		assert_int_equal(n, 64);
		for (k = 0; k < 64; k++)
			assert_int_equal(rig_put(g, g->b.chain[k].id, 1), 0);
	}
	assert_int_equal(rig_put(g, 0, 1), -VRING_E_USED_OVERFLOW);
	assert_int_equal(rig_publish(g), VRING_NUM_MAX);
	for (i = 0; drv_get(&g->drv, &id, &len); i++)
		assert_int_equal(id, i);
	assert_int_equal(i, VRING_NUM_MAX);
	close_rig(g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(direct_chain),
		cmocka_unit_test(indirect_chain),
		cmocka_unit_test(direct_then_indirect),
		cmocka_unit_test(wrap_around),
		cmocka_unit_test(index_is_cached),
		cmocka_unit_test(batch_of_64),
		cmocka_unit_test(cut_direct),
		cmocka_unit_test(cut_indirect),
		cmocka_unit_test(long_indirect),
		cmocka_unit_test(bad_chain_takes_no_room),
		cmocka_unit_test(unfetch),
		cmocka_unit_test(scattered),
		cmocka_unit_test(largest_ring),
	};

	return run_group("fetch", tests, ARRAY_SIZE(tests));
}
