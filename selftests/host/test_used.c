// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the way back: put, publish, need_signal, and of kick_enable and
 * kick_disable. The order of stores and barriers is checked by the model in
 * each of them, and spelled out once in publish_order and the *_order tests.
 */
#include "test.h"

static struct rig *open_with(u32 num, bool event_idx, bool notify_on_empty, u16 start)
{
	struct rig_config cfg = {
		.num = num,
		.event_idx = event_idx,
		.notify_on_empty = notify_on_empty,
		.start = start,
	};

	return open_rig(&cfg);
}

static void finish(struct rig *g, unsigned int n)
{
	while (n--)
		assert_int_equal(rig_put(g, 0, 1), 0);
	assert_true(rig_publish(g) >= 0);
}

static void nothing_to_publish(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	assert_int_equal(rig_publish(g), 0);
	assert_int_equal(env_count(ENV_STORE), 0);
	close_rig(g);
}

static void put_is_invisible(void **state)
{
	struct rig *g = open_plain(8);
	u32 id, len;

	(void)state;
	rig_offer(g, 2, 1);
	assert_int_equal(rig_fetch(g, 64), 2);
	assert_int_equal(rig_put(g, g->b.chain[1].id, 11), 0);
	assert_int_equal(env_count(ENV_STORE), 0);
	assert_int_equal(rig_put(g, g->b.chain[0].id, 22), 0);
	assert_false(drv_get(&g->drv, &id, &len));
	assert_int_equal(rig_publish(g), 2);
	assert_true(drv_get(&g->drv, &id, &len));
	assert_int_equal(id, g->b.chain[1].id);
	assert_int_equal(len, 11);
	assert_true(drv_get(&g->drv, &id, &len));
	assert_int_equal(id, g->b.chain[0].id);
	assert_int_equal(len, 22);
	assert_false(drv_get(&g->drv, &id, &len));
	close_rig(g);
}

/* More than the private array holds: entries go out early, the index does not. */
static void more_than_64(void **state)
{
	struct rig *g = open_plain(256);
	unsigned int i, stores = 0;

	(void)state;
	for (i = 0; i < 200; i++) {
		assert_int_equal(rig_put(g, i, i + 1), 0);
		stores += env_count(ENV_STORE);
		assert_int_equal(view_find(ENV_STORE, ENV_USED, 2), -1);
	}
	assert_int_equal(stores, 2 * 192);
	assert_int_equal(drv_used_idx(&g->mem), 0);
	assert_int_equal(rig_publish(g), 200);
	assert_int_equal(drv_used_idx(&g->mem), 200);
	for (i = 0; i < 200; i++) {
		assert_int_equal(drv_used_id(&g->mem, i), i);
		assert_int_equal(drv_used_len(&g->mem, i), i + 1);
	}
	close_rig(g);
}

static void publish_order(void **state)
{
	static const struct {
		enum env_kind kind;
		u32 off;
	} want[] = {
		{ ENV_WINDOW, 0 },
		{ ENV_STORE, 4 }, { ENV_STORE, 8 }, { ENV_STORE, 12 }, { ENV_STORE, 16 },
		{ ENV_WMB, 0 }, { ENV_STORE, 2 },
	};
	struct rig *g = open_plain(8);
	unsigned int i;

	(void)state;
	rig_put(g, 0, 1);
	rig_put(g, 1, 2);
	assert_int_equal(rig_publish(g), 2);
	assert_int_equal(env.nr_event, ARRAY_SIZE(want));
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(env.event[i].kind, want[i].kind);
		assert_int_equal(env.event[i].off, want[i].off);
	}
	close_rig(g);
}

static void signal_order(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	finish(g, 1);
	rig_need_signal(g);
	assert_int_equal(env.event[0].kind, ENV_MB);
	assert_int_equal(env.event[2].kind, ENV_LOAD);
	close_rig(g);
}

static void kick_order(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	assert_int_equal(rig_kick_enable(g), 0);
	assert_int_equal(env.event[1].kind, ENV_STORE);
	assert_int_equal(env.event[2].kind, ENV_MB);
	assert_int_equal(env.event[4].kind, ENV_LOAD);
	assert_int_equal(env.event[5].kind, ENV_RMB);
	close_rig(g);
}

static void flags_mode(void **state)
{
	struct rig *g = open_with(8, false, false, 0);

	(void)state;
	finish(g, 1);
	assert_int_equal(rig_need_signal(g), 1);
	drv_irq_disable(&g->drv);
	finish(g, 1);
	assert_int_equal(rig_need_signal(g), 0);
	/* Bits that mean nothing mean nothing. */
	drv_avail_flags(&g->mem, 0xfffe);
	finish(g, 1);
	assert_int_equal(rig_need_signal(g), 1);
	/* The event field is not looked at. */
	assert_int_equal(view_find(ENV_LOAD, ENV_AVAIL, 4 + 2 * 8), -1);
	close_rig(g);
}

/*
 * The guest's event against [old, new): section 2.7.7.2. Tried at every
 * position of 16-bit wrap-around.
 */
static void event_idx(void **state)
{
	static const struct {
		s32 event;	/* relative to the index at the last decision */
		unsigned int n;	/* entries published */
		int signal;
	} c[] = {
		{ 0, 1, 1 }, { 1, 1, 0 }, { -1, 1, 0 }, { 0x7fff, 1, 0 }, { -0x8000, 1, 0 },
		{ 0, 5, 1 }, { 3, 5, 1 }, { 4, 5, 1 }, { 5, 5, 0 }, { 6, 5, 0 }, { -1, 5, 0 },
		{ 0, 0, 0 }, { -1, 0, 0 }, { 7, 8, 1 }, { 8, 8, 0 },
	};
	static const u16 start[] = { 0, 1, 0x7ffe, 0xfff8, 0xfffc, 0xffff };
	unsigned int i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(c); i++)
		for (k = 0; k < ARRAY_SIZE(start); k++) {
			struct rig *g = open_with(8, true, false, start[k]);

			/* The first decision has nothing to compare with. */
			drv_used_event(&g->mem, start[k] + 100);
			assert_int_equal(rig_need_signal(g), 1);
			drv_used_event(&g->mem, start[k] + c[i].event);
			finish(g, c[i].n);
			assert_int_equal(rig_need_signal(g), c[i].signal);
			/* Asked again without more: no. */
			assert_int_equal(rig_need_signal(g), 0);
			close_rig(g);
		}
}

/* Entries published without a decision add up; after 65536 nothing is known. */
static void event_idx_far(void **state)
{
	static const struct {
		u32 n;
		int signal;
	} c[] = { { 65535, 0 }, { 65536, 1 }, { 65537, 1 }, { 65536 + 40000, 1 } };
	unsigned int i;
	u32 n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		struct rig *g = open_with(256, true, false, 77);

		rig_need_signal(g);
		for (n = c[i].n; n; n -= min(n, 251u))
			finish(g, min(n, 251u));
		/* One before the first entry: not among the last 65535. */
		drv_used_event(&g->mem, 76);
		assert_int_equal(rig_need_signal(g), c[i].signal);
		/* From now on it is known again. */
		drv_used_event(&g->mem, 78 + c[i].n);
		finish(g, 1);
		assert_int_equal(rig_need_signal(g), 0);
		finish(g, 1);
		assert_int_equal(rig_need_signal(g), 1);
		close_rig(g);
	}
}

static void notify_on_empty(void **state)
{
	unsigned int event_idx;

	(void)state;
	for (event_idx = 0; event_idx < 2; event_idx++) {
		struct rig *g = open_with(8, event_idx, true, 0);

		rig_offer(g, 2, 1);
		rig_fetch(g, 1);
		finish(g, 1);
		rig_need_signal(g);
		/* The guest wants none, and the ring is not empty. */
		drv_irq_disable(&g->drv);
		drv_used_event(&g->mem, 100);
		finish(g, 1);
		assert_int_equal(rig_need_signal(g), 0);
		/* Now it is: an interrupt all the same. */
		rig_fetch(g, 1);
		finish(g, 1);
		assert_int_equal(rig_need_signal(g), 1);
		/* Chains that came meanwhile are seen. */
		rig_offer(g, 1, 1);
		assert_int_equal(rig_need_signal(g), 0);
		/* An index that cannot be is told, not interpreted. */
		rig_fetch(g, 1);
		drv_avail_idx(&g->mem, 500);
		assert_int_equal(rig_need_signal(g), -VRING_E_AVAIL_IDX);
		close_rig(g);

		/* Without the feature an empty ring is nothing special. */
		g = open_with(8, event_idx, false, 0);
		rig_need_signal(g);
		drv_irq_disable(&g->drv);
		drv_used_event(&g->mem, 100);
		finish(g, 1);
		assert_int_equal(rig_need_signal(g), 0);
		close_rig(g);
	}
}

/*
 * Looking whether the ring is empty is no promise to deal with what is in it:
 * who waits for more than it was given last is told of that.
 */
static void notify_on_empty_forgets(void **state)
{
	unsigned int event_idx;

	(void)state;
	for (event_idx = 0; event_idx < 2; event_idx++) {
		struct rig *g = open_with(8, event_idx, true, 0);

		rig_offer(g, 2, 1);
		assert_int_equal(rig_fetch(g, 64), 2);
		assert_int_equal(rig_fetch(g, 64), 0);
		finish(g, 2);
		rig_offer(g, 1, 1);
		rig_need_signal(g);
		assert_int_equal(rig_kick_more(g), 1);
		/* Now it is known. */
		assert_int_equal(rig_kick_more(g), 0);
		assert_int_equal(rig_fetch(g, 64), 1);
		close_rig(g);
	}
}

static void kick_flags(void **state)
{
	struct rig *g = open_with(8, false, false, 0);

	(void)state;
	assert_int_equal(rig_kick_disable(g), 0);
	assert_int_equal(drv_used_flags(&g->mem), VRING_USED_NO_NOTIFY);
	assert_int_equal(rig_add(g, 1, 1, false), 0);
	assert_false(drv_show(&g->drv));
	/* Said once is enough. */
	assert_int_equal(rig_kick_disable(g), 0);
	assert_int_equal(env.accesses, 0);
	/* Enabled too late for the first chain: the caller is told. */
	assert_int_equal(rig_kick_enable(g), 1);
	assert_int_equal(drv_used_flags(&g->mem), 0);
	assert_int_equal(rig_fetch(g, 64), 1);
	assert_int_equal(rig_kick_enable(g), 0);
	rig_add(g, 1, 1, false);
	assert_true(drv_show(&g->drv));
	close_rig(g);
}

static void kick_event_idx(void **state)
{
	static const u16 start[] = { 0, 0x7fff, 0xfffe, 0xffff };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(start); i++) {
		struct rig *g = open_with(8, true, false, start[i]);

		assert_int_equal(rig_kick_enable(g), 0);
		assert_int_equal(drv_avail_event(&g->mem), start[i]);
		rig_add(g, 1, 1, false);
		assert_true(drv_show(&g->drv));
		assert_int_equal(rig_kick_disable(g), 0);
		assert_int_equal(env.accesses, 0);
		rig_add(g, 1, 1, false);
		assert_false(drv_show(&g->drv));
		assert_int_equal(rig_fetch(g, 1), 1);
		assert_int_equal(rig_kick_enable(g), 1);
		assert_int_equal(drv_avail_event(&g->mem), (u16)(start[i] + 1));
		assert_int_equal(rig_fetch(g, 64), 1);
		/* Changed between our wish and our look: told. */
		rig_offer(g, 1, 1);
		assert_int_equal(rig_kick_enable(g), 1);
		assert_int_equal(drv_avail_event(&g->mem), (u16)(start[i] + 2));
		close_rig(g);
	}
}

/* Stopped and started, as for migration: goes on where it was. */
static void restart(void **state)
{
	struct rig_config cfg = plain(8);
	struct rig *g;
	u32 id, len;
	u16 at;

	(void)state;
	cfg.event_idx = false;
	cfg.start = 0xfffe;
	g = open_rig(&cfg);
	rig_offer(g, 5, 1);
	assert_int_equal(rig_fetch(g, 3), 3);
	rig_put(g, 0, 1);
	rig_put(g, 1, 1);
	assert_int_equal(rig_publish(g), 2);
	rig_put(g, 2, 1);	/* never published, so never promised */
	assert_int_equal(rig_kick_disable(g), 0);
	rig_unfetch(g, 1);
	at = g->r.last_avail;
	assert_int_equal(at, 0);

	assert_int_equal(rig_start(g, at), 0);
	assert_int_equal(drv_used_flags(&g->mem), 0);
	assert_int_equal(g->r.last_used, 0);
	assert_int_equal(rig_fetch(g, 64), 3);
	assert_int_equal(g->b.chain[0].id, 2);
	for (id = 2; id < 5; id++)
		rig_put(g, id, 9);
	assert_int_equal(rig_publish(g), 3);
	for (at = 0; drv_get(&g->drv, &id, &len); at++)
		assert_int_equal(id, at);
	assert_int_equal(at, 5);
	close_rig(g);

	/* What was known of signals belongs to the time before. */
	g = open_with(8, true, false, 0);
	rig_need_signal(g);
	finish(g, 3);
	rig_start(g, 0);
	drv_used_event(&g->mem, 50);
	finish(g, 1);
	assert_int_equal(rig_need_signal(g), 1);
	close_rig(g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_publish),
		cmocka_unit_test(put_is_invisible),
		cmocka_unit_test(more_than_64),
		cmocka_unit_test(publish_order),
		cmocka_unit_test(signal_order),
		cmocka_unit_test(kick_order),
		cmocka_unit_test(flags_mode),
		cmocka_unit_test(event_idx),
		cmocka_unit_test(event_idx_far),
		cmocka_unit_test(notify_on_empty),
		cmocka_unit_test(notify_on_empty_forgets),
		cmocka_unit_test(kick_flags),
		cmocka_unit_test(kick_event_idx),
		cmocka_unit_test(restart),
	};

	return run_group("used", tests, ARRAY_SIZE(tests));
}
