// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of packed rings: the order of loads, stores and barriers.
 */
#include "packed_test.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(publish_order),
		cmocka_unit_test(more_than_64),
		cmocka_unit_test(fetch_order),
		cmocka_unit_test(late_chain),
		cmocka_unit_test(signal_order),
		cmocka_unit_test(kick_order),
		cmocka_unit_test(loaded_once),
	};
	int failed = run_group("packed_order", tests, ARRAY_SIZE(tests));

	close_pk(the_pk);
	return failed;
}
