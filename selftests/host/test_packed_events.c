// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of packed rings: who wants to be told, and is.
 */
#include "packed_test.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_desc),
		cmocka_unit_test(event_flags),
		cmocka_unit_test(event_far),
		cmocka_unit_test(kicks),
		cmocka_unit_test(kick_passed),
	};
	int failed = run_group("packed_events", tests, ARRAY_SIZE(tests));

	close_pk(the_pk);
	return failed;
}
