// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of packed rings: all ways to be malformed, a fault at each access.
 */
#include "packed_test.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_descriptors),
		cmocka_unit_test(bad_indirect),
		cmocka_unit_test(loops),
		cmocka_unit_test(too_many_segs),
		cmocka_unit_test(used_overflow),
		cmocka_unit_test(fault_everywhere),
	};
	int failed = run_group("packed_hostile", tests, ARRAY_SIZE(tests));

	close_pk(the_pk);
	return failed;
}
