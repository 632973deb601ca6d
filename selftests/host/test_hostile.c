// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of rings that change and vanish under us: a fault at each access of
 * each verb, a field that changes right after it was loaded, and memory that
 * changes at random between any two loads.
 */
#include "test.h"

/* A verb in a situation in which it touches much of the ring. */
struct scene {
	const char *name;
	bool event_idx;
	bool notify_on_empty;
	bool scattered;
	void (*prepare)(struct rig *g);
	int (*verb)(struct rig *g);
};

static const struct drv_buf three[] = {
	{ 0x1000, 10, false }, { 0x2000, 20, false }, { 0x3000, 300, true },
};

static void offer_mixed(struct rig *g)
{
	drv_add(&g->drv, three, 3, 0);
	drv_add(&g->drv, three, 3, GUEST_BASE);
	drv_add(&g->drv, three, 1, 0);
	drv_add(&g->drv, three, 2, GUEST_BASE + 64);
	drv_show(&g->drv);
}

static void idle(struct rig *g)
{
	(void)g;
}

static void put_70(struct rig *g)
{
	u32 i;

	for (i = 0; i < 70; i++)
		rig_put(g, i, i);
}

static void put_64(struct rig *g)
{
	u32 i;

	for (i = 0; i < 64; i++)
		rig_put(g, i, i);
}

static void published(struct rig *g)
{
	put_70(g);
	rig_publish(g);
	rig_need_signal(g);
	put_64(g);
	rig_publish(g);
	drv_used_event(&g->mem, 80);
}

static void kick_disabled(struct rig *g)
{
	rig_kick_disable(g);
	offer_mixed(g);
}

static int fetch(struct rig *g)
{
	return rig_fetch(g, 64);
}

static int put(struct rig *g)
{
	return rig_put(g, 99, 99);
}

static int start(struct rig *g)
{
	return rig_start(g, 5);
}

static const struct scene scenes[] = {
	{ "start", true, false, false, put_70, start },
	{ "fetch", true, false, false, offer_mixed, fetch },
	{ "fetch, scattered", true, false, true, offer_mixed, fetch },
	{ "put", true, false, false, put_64, put },
	{ "publish", true, false, false, put_70, rig_publish },
	{ "publish, scattered", true, false, true, put_70, rig_publish },
	{ "need_signal, event index", true, false, false, published, rig_need_signal },
	{ "need_signal, flags", false, false, false, published, rig_need_signal },
	{ "need_signal, empty", true, true, false, published, rig_need_signal },
	{ "kick_enable, event index", true, false, false, offer_mixed, rig_kick_enable },
	{ "kick_enable, flags", false, false, false, kick_disabled, rig_kick_enable },
	{ "kick_more, event index", true, false, false, offer_mixed, rig_kick_more },
	{ "kick_more, flags", false, false, false, kick_disabled, rig_kick_more },
	{ "kick_disable", false, false, false, idle, rig_kick_disable },
	{ "has_avail", true, false, false, offer_mixed, rig_has_avail },
};

static struct rig *set_up(const struct scene *s)
{
	struct rig_config cfg = {
		.num = 256,
		.indirect = true,
		.event_idx = s->event_idx,
		.notify_on_empty = s->notify_on_empty,
		.start = 0xfffe,
		.shape = { s->scattered, { 0xff0, 0xffe, 0xffc } },
	};
	struct rig *g = open_rig(&cfg);

	s->prepare(g);
	return g;
}

/* What a verb that failed has to leave as it was. */
static void assert_same_state(const struct vring_dev *a, const struct vring_dev *b)
{
	assert_int_equal(a->last_avail, b->last_avail);
	assert_int_equal(a->last_used, b->last_used);
	assert_int_equal(a->published, b->published);
	assert_int_equal(a->signalled, b->signalled);
	assert_int_equal(a->signalled_valid, b->signalled_valid);
}

/* Everything that the guest can see, and what the verb returned in the batch. */
static void assert_same_result(const struct rig *g, const u8 *used, const struct vring_batch *b,
			       const struct vring_seg *seg)
{
	unsigned int i;

	for (i = 0; i < g->mem.part[ENV_USED].len; i += 2)
		assert_int_equal(ringmem_get16(&g->mem, ENV_USED, i), used[i] | used[i + 1] << 8);
	assert_int_equal(g->b.nr, b->nr);
	assert_memory_equal(g->b.chain, b->chain, sizeof(b->chain));
	for (i = 0; i < b->nr; i++)
		assert_memory_equal(g->b.seg + b->chain[i].seg, seg + b->chain[i].seg,
				    b->chain[i].nr_seg * sizeof(*seg));
}

struct outcome {
	int ret;
	u8 *used;
	struct vring_batch b;
	struct vring_seg seg[VRING_SEG_MAX];
	struct vring_dev r;
};

/* Run a scene as it should go, and keep all of what comes out. */
static void rehearse(const struct scene *s, struct outcome *o)
{
	struct rig *g = set_up(s);
	u32 i, len = g->mem.part[ENV_USED].len;

	o->ret = s->verb(g);
	assert_true(o->ret >= 0);
	o->used = malloc(len);
	for (i = 0; i < len; i += 2) {
		o->used[i] = ringmem_get16(&g->mem, ENV_USED, i) & 0xff;
		o->used[i + 1] = ringmem_get16(&g->mem, ENV_USED, i) >> 8;
	}
	o->b = g->b;
	memcpy(o->seg, g->b.seg, sizeof(o->seg));
	o->r = g->r;
	close_rig(g);
}

/*
 * A fault at the first, second, ... access. The verb says so, nothing moved;
 * when memory is back, it does what it would have done at first.
 */
static void fault_everywhere(void **state)
{
	static struct outcome o;
	unsigned int i;
	long at;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(scenes); i++) {
		const struct scene *s = &scenes[i];

		rehearse(s, &o);
		for (at = 0;; at++) {
			struct rig *g = set_up(s);
			struct vring_dev before = g->r;
			int ret;

			env.fault_after = at;
			ret = s->verb(g);
			env.fault_after = -1;
			if (!env.faulted) {
				close_rig(g);
				break;
			}
			if (ret > 0 && s->verb == fetch) {
				/* Chains in front of the fault were delivered. */
				assert_int_equal(g->r.last_avail, (u16)(before.last_avail + ret));
				rig_unfetch(g, ret);
			} else if (ret != -VRING_E_FAULT) {
				print_error("%s: %d at access %ld\n", s->name, ret, at);
				fail();
			}
			assert_same_state(&g->r, &before);
			/* The flags are those that the guest sees, old or new. */
			assert_int_equal(g->r.used_flags, drv_used_flags(&g->mem));
			ret = s->verb(g);
			assert_int_equal(ret, o.ret);
			assert_same_state(&g->r, &o.r);
			assert_same_result(g, o.used, &o.b, o.seg);
			close_rig(g);
		}
		print_message("    %s: %ld accesses\n", s->name, at);
		assert_true(at > 0);
		free(o.used);
	}
}

/* Turn every bit of what was just loaded. */
static void scribble(void *arg, const struct env_event *e)
{
	struct rig *g = arg;
	u32 i;

	if (e->kind == ENV_GUEST_READ) {
		for (i = 0; i < e->size; i++)
			env.guest[e->addr - env.guest_base + i] ^= 0xff;
		return;
	}
	for (i = 0; i < e->size; i += 2)
		ringmem_put16(&g->mem, e->part, e->off + i,
			      ~ringmem_get16(&g->mem, e->part, e->off + i));
}

/* No field is needed twice: each is destroyed as soon as it was loaded. */
static void double_fetch(void **state)
{
	static struct outcome o;
	unsigned int i, k, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(scenes); i++) {
		const struct scene *s = &scenes[i];
		struct rig *g;
		int ret;

		rehearse(s, &o);
		g = set_up(s);
		env.hook_arg = g;
		env.after_load = scribble;
		ret = s->verb(g);
		env.after_load = NULL;
		assert_int_equal(ret, o.ret);
		assert_same_state(&g->r, &o.r);
		assert_int_equal(g->b.nr, o.b.nr);
		for (k = 0; k < g->b.nr; k++)
			assert_memory_equal(&g->b.chain[k], &o.b.chain[k], sizeof(g->b.chain[k]));
		/* Nor was any loaded twice for no use. */
		for (k = 0; k < env.nr_event; k++)
			for (n = 0; n < k; n++)
				assert_false(env.event[k].kind == ENV_LOAD &&
					     env.event[n].kind == ENV_LOAD &&
					     env.event[k].part == env.event[n].part &&
					     env.event[k].off == env.event[n].off);
		close_rig(g);
		free(o.used);
	}
}

static u32 random_state;

static u32 rnd(u32 below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

/* Small numbers are the dangerous ones: nearly right. */
static u16 rnd_field(u32 num)
{
	switch (rnd(4)) {
	case 0:
		return rnd(0x10000);
	case 1:
		return rnd(8);
	default:
		return rnd(num + 2);
	}
}

static void change_something(void *arg, const struct env_event *e)
{
	struct rig *g = arg;
	enum env_part part = rnd(ENV_NR_PARTS);

	(void)e;
	if (!rnd(3))
		ringmem_put16(&g->mem, part, rnd(g->mem.part[part].len / 2) * 2,
			      rnd_field(g->r.num));
}

/*
 * Random rings, changing all the time, every verb in any order. What is tested
 * is in the environment (bounds, windows) and in the model (values).
 */
static void restless_memory(void **state)
{
	unsigned int round, i;

	(void)state;
	random_state = 1;
	for (round = 0; round < 300; round++) {
		struct rig_config cfg = {
			.num = 1u << rnd(8),
			.event_idx = rnd(2),
			.indirect = rnd(2),
			.notify_on_empty = rnd(2),
			.start = rnd(0x10000),
			.shape = { rnd(2), { 0xff0, 0xffe, 0xffc } },
		};
		struct rig *g = open_rig(&cfg);

		env.hook_arg = g;
		env.before_load = change_something;
		for (i = 0; i < cfg.num; i++) {
			drv_desc(&g->mem, i, 0x1000, 1 + rnd(100), rnd(2), rnd(cfg.num));
			drv_head(&g->mem, i, rnd(cfg.num));
		}
		for (i = 0; i < 60; i++) {
			drv_avail_idx(&g->mem, g->r.last_avail + rnd(cfg.num + 1));
			switch (rnd(8)) {
			case 0:
				rig_put(g, rnd(cfg.num), i);
				break;
			case 1:
				rig_publish(g);
				break;
			case 2:
				rig_need_signal(g);
				break;
			case 3:
				rig_kick_enable(g);
				break;
			case 4:
				rig_kick_disable(g);
				break;
			case 5:
				rig_has_avail(g);
				break;
			default:
				rig_fetch(g, 1 + rnd(64));
				break;
			}
		}
		close_rig(g);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fault_everywhere),
		cmocka_unit_test(double_fetch),
		cmocka_unit_test(restless_memory),
	};

	return run_group("hostile", tests, ARRAY_SIZE(tests));
}
