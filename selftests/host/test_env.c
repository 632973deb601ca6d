// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the environment itself: that it stops code which breaks its rules.
 * Without these, a test that passes because nothing is checked looks well.
 */
#include "test.h"

static jmp_buf died;

static void note_death(void)
{
	longjmp(died, 1);
}

/* Whether a statement breaks a rule of the environment. */
#define dies(statement)							\
	({								\
		volatile bool _died = true;				\
		env_die_hook = note_death;				\
		if (!setjmp(died)) {					\
			statement;					\
			_died = false;					\
		}							\
		env_die_hook = test_die;				\
		env_verb_begin();					\
		_died;							\
	})

static bool load(vring_ptr ptr, unsigned int size)
{
	u64 val;

	return env_load(ptr, size, &val);
}

static bool load_in_window(vring_ptr ptr, unsigned int size)
{
	bool ok;

	if (!env_window_open(ptr, 2))
		return false;
	ok = load(ptr, size);
	env_window_close();
	return ok;
}

static void open_twice(vring_ptr ptr)
{
	if (env_window_open(ptr, 2) && env_window_open(ptr, 2))
		env_window_close();
}

static void leave_open(vring_ptr ptr)
{
	if (env_window_open(ptr, 2))
		env_verb_end();
}

static void read_guest_in_window(struct rig *g)
{
	u8 buf[16];

	if (env_window_open(g->r.avail.base, 2))
		vring_read_guest(&g->r, GUEST_BASE, buf, sizeof(buf));
}

static void store_in_window(vring_ptr ptr)
{
	if (env_window_open(ptr, 2)) {
		env_store(ptr, 2, 0);
		env_window_close();
	}
}

static void work_without_end(void)
{
	for (;;)
		env_mb();
}

static void windows(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	assert_false(dies(load_in_window(g->r.avail.base, 2)));
	assert_true(dies(load(g->r.avail.base, 2)));
	assert_true(dies(env_store(g->r.used.base, 2, 0)));
	assert_true(dies(open_twice(g->r.avail.base)));
	assert_true(dies(env_window_close()));
	assert_true(dies(leave_open(g->r.avail.base)));
	assert_true(dies(read_guest_in_window(g)));
	assert_true(dies(work_without_end()));
	close_rig(g);
}

static void bounds(void **state)
{
	struct rig *g = open_plain(8);
	u8 *desc = g->r.desc.base, *avail = g->r.avail.base, *used = g->r.used.base;
	u8 elsewhere[8];

	(void)state;
	assert_false(dies(load_in_window(desc + 16 * 8 - 8, 8)));
	assert_true(dies(load_in_window(desc + 16 * 8, 8)));
	assert_true(dies(load_in_window(desc + 4, 8)));
	assert_false(dies(load_in_window(avail + 4 + 2 * 8, 2)));
	assert_true(dies(load_in_window(avail + 4 + 2 * 8 + 2, 2)));
	assert_true(dies(load_in_window(avail + 4 + 2 * 8, 8)));
	assert_true(dies(load_in_window(elsewhere, 2)));
	assert_false(dies(store_in_window(used)));
	assert_true(dies(store_in_window(used + 4 + 8 * 8 + 2)));
	assert_true(dies(store_in_window(avail)));
	assert_true(dies(store_in_window(desc)));
	close_rig(g);
}

static void faults(void **state)
{
	struct rig *g = open_plain(8);
	u8 *avail = g->r.avail.base;

	(void)state;
	/* By count: window, load, window, load. */
	env.fault_after = 3;
	assert_true(load_in_window(avail, 2));
	assert_false(load_in_window(avail, 2));
	assert_true(load_in_window(avail, 2));
	/* By address. */
	env.fault_part = ENV_AVAIL;
	env.fault_from = 2;
	env.fault_to = 2;
	assert_true(load_in_window(avail, 2));
	assert_false(load_in_window(avail + 2, 2));
	assert_true(load_in_window(avail + 4, 2));
	close_rig(g);
}

static void flip(void *arg, const struct env_event *e)
{
	struct rig *g = arg;

	ringmem_put16(&g->mem, e->part, e->off,
		      ringmem_get16(&g->mem, e->part, e->off) ^ 0xffff);
}

static void hooks(void **state)
{
	struct rig *g = open_plain(8);
	u8 *avail = g->r.avail.base;

	(void)state;
	env_verb_begin();
	env.hook_arg = g;
	env.before_load = flip;
	load_in_window(avail, 2);
	load_in_window(avail, 2);
	env.before_load = NULL;
	env.after_load = flip;
	load_in_window(avail, 2);
	load_in_window(avail, 2);
	assert_int_equal(env.event[1].val, 0xffff);
	assert_int_equal(env.event[3].val, 0);
	assert_int_equal(env.event[5].val, 0);
	assert_int_equal(env.event[7].val, 0xffff);
	env.after_load = NULL;
	close_rig(g);
}

/* The model notices what is not so. Each line breaks one thing. */
static void model(void **state)
{
	struct rig *g = open_plain(8);

	(void)state;
	rig_offer(g, 3, 2);
	assert_int_equal(rig_fetch(g, 2), 2);
	g->r.last_avail++;
	assert_true(dies(rig_has_avail(g)));
	g->r.last_avail--;
	assert_int_equal(rig_has_avail(g), 1);
	assert_int_equal(rig_put(g, 0, 7), 0);
	g->r.pend[0].len++;
	assert_true(dies(rig_publish(g)));
	close_rig(g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows),
		cmocka_unit_test(bounds),
		cmocka_unit_test(faults),
		cmocka_unit_test(hooks),
		cmocka_unit_test(model),
	};

	return run_group("environment", tests, ARRAY_SIZE(tests));
}
