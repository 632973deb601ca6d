// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of IN_ORDER, in both layouts: which chains share a used entry, where it
 * lies, what it holds, and that everything else counts chains (split) or
 * descriptors (packed) and not entries.
 */
#include "test.h"

#include "packed.h"

#define NUM	16

/* A ring of either layout, without a model; entries are read as they lie. */
struct ring {
	struct pk pk;		/* its ring and memory are used by both */
	bool packed;
	u32 num;
};

static struct ring *the_ring;

static void close_ring(struct ring *g)
{
	if (!g)
		return;
	pk_free(&g->pk);
	free(g);
	the_ring = NULL;
}

static struct ring *open_ring(bool packed, u32 num, u16 start, bool in_order)
{
	struct pk_config cfg = {
		.num = num, .event_idx = true, .in_order = in_order, .start = start,
	};
	struct ring *g = malloc(sizeof(*g));

	close_ring(the_ring);
	the_ring = g;
	g->packed = packed;
	g->num = num;
	if (packed) {
		pk_init(&g->pk, &cfg);
		return g;
	}
	memset(&g->pk, 0, sizeof(g->pk));
	env_reset();
	g->pk.r.num = num;
	g->pk.r.event_idx = true;
	g->pk.r.in_order = in_order;
	ringmem_init(&g->pk.mem, &g->pk.r, LAYOUT_SPLIT, num, NULL);
	ringmem_put16(&g->pk.mem, ENV_USED, 2, start);
	env_verb_begin();
	assert_int_equal(vring_split_start(&g->pk.r, start), 0);
	env_verb_end();
	return g;
}

static int publish(struct ring *g)
{
	int ret;

	env_verb_begin();
	ret = g->packed ? vring_packed_publish(&g->pk.r) : vring_split_publish(&g->pk.r);
	env_verb_end();
	return ret;
}

static int flush(struct ring *g)
{
	int ret;

	env_verb_begin();
	ret = g->packed ? vring_packed_flush(&g->pk.r) : vring_split_flush(&g->pk.r);
	env_verb_end();
	return ret;
}

static int need_signal(struct ring *g)
{
	int ret;

	env_verb_begin();
	ret = g->packed ? vring_packed_need_signal(&g->pk.r) : vring_split_need_signal(&g->pk.r);
	env_verb_end();
	return ret;
}

/* The guest wants an interrupt when we pass @pos. */
static void want_signal_at(struct ring *g, u16 pos)
{
	if (g->packed)
		pk_event(&g->pk.mem, PK_DESC, pk_wire(g->num, pos));
	else
		drv_used_event(&g->pk.mem, pos);
}

static void put(struct ring *g, u16 id, u16 slots, u32 len, bool out_only)
{
	assert_int_equal(pk_put(&g->pk, id, slots, len, out_only), 0);
}

/* Stores to used entries in this verb: at which slots, in the order of events. */
static unsigned int stored_slots(const struct ring *g, u32 *slot, unsigned int max)
{
	enum env_part part = g->packed ? ENV_DESC : ENV_USED;
	unsigned int i, n = 0;

	for (i = 0; i < env.nr_event; i++) {
		const struct env_event *e = &env.event[i];
		u32 at;

		if (e->kind == ENV_WMB)
			break;
		if (e->kind != ENV_STORE || e->part != part)
			continue;
		at = g->packed ? e->off / 16 : (e->off - 4) / 8;
		if (n && slot[n - 1] == at)
			continue;
		assert_true(n < max);
		slot[n++] = at;
	}
	return n;
}

/* An entry as it lies in the ring, at a position. */
static void assert_entry(const struct ring *g, u32 pos, u16 id, u32 len)
{
	if (g->packed) {
		assert_int_equal(pk_desc_id(&g->pk.mem, pos % g->num), id);
		assert_int_equal(pk_desc_len(&g->pk.mem, pos % g->num), len);
		assert_int_equal(pk_desc_flags(&g->pk.mem, pos % g->num),
				 pk_used(!(pos / g->num % 2)) | (len ? WRITE : 0));
	} else {
		assert_int_equal(drv_used_id(&g->pk.mem, pos), id);
		assert_int_equal(drv_used_len(&g->pk.mem, pos), len);
	}
}

/* How far the guest was told that we are. */
static void assert_shown(const struct ring *g, u16 pos)
{
	assert_int_equal(g->pk.r.published, pos);
	assert_int_equal(g->pk.r.stored, pos);
	assert_int_equal(g->pk.r.last_used, pos);
	if (!g->packed)
		assert_int_equal(drv_used_idx(&g->pk.mem), pos);
}

/* Chains of 1 to 3 descriptors in a packed ring. */
static u16 slots_of(const struct ring *g, unsigned int i)
{
	return g->packed ? 1 + i % 3 : 1;
}

/* Starts that try each slot, both laps of a packed ring, the end of 16 bits. */
static u16 start_at(bool packed, unsigned int i)
{
	return packed ? i % (2 * NUM) : (u16)(0xfff0 + i);
}

/* One row: one entry, the last one's, where the row begins. */
static void one_row(void **state)
{
	unsigned int packed, i, k, n, round;

	(void)state;
	for (packed = 0; packed < 2; packed++)
		for (i = 0; i < 2 * NUM; i++)
			for (n = 1; n <= 7; n++) {
				u16 pos = start_at(packed, i), at = pos;
				struct ring *g = open_ring(packed, NUM, pos, true);
				u32 slot[2];

				for (round = 0; round < 5; round++) {
					for (k = 0; k < n; k++) {
						put(g, 20 * round + k, slots_of(g, k), 0, true);
						assert_int_equal(env.accesses, 0);
						at += slots_of(g, k);
					}
					assert_int_equal(publish(g), (u16)(at - pos));
					assert_int_equal(stored_slots(g, slot, 2), 1);
					assert_int_equal(slot[0], pos % NUM);
					assert_entry(g, pos, 20 * round + n - 1, 0);
					assert_shown(g, at);
					/* Of the next one, the ring says nothing yet. */
					if (packed && !round)
						assert_int_not_equal(pk_desc_flags(&g->pk.mem, at % NUM) & 0x8080,
								     pk_used(!(at / NUM % 2)));
					pos = at;
				}
				close_ring(g);
			}
}

/* Without the feature, and for what is written to, each has its own. */
static void own_entries(void **state)
{
	unsigned int packed, in_order, k;

	(void)state;
	for (packed = 0; packed < 2; packed++)
		for (in_order = 0; in_order < 2; in_order++) {
			struct ring *g = open_ring(packed, NUM, 13, in_order);
			u32 slot[8], pos = 13;

			/* Room to write to and nothing written is no exception. */
			for (k = 0; k < 5; k++)
				put(g, k, slots_of(g, k), k & 1 ? k : 0, !in_order);
			assert_true(publish(g) > 0);
			assert_int_equal(stored_slots(g, slot, 8), 5);
			for (k = 0; k < 5; k++) {
				assert_int_equal(slot[k], pos % NUM);
				assert_entry(g, pos, k, k & 1 ? k : 0);
				pos += slots_of(g, k);
			}
			assert_shown(g, pos);
			close_ring(g);
		}
}

/*
 * Every pattern of seven: an entry that is not out_only speaks for those in
 * front of it, and ends their row.
 */
static void patterns(void **state)
{
	unsigned int packed, start, pattern, k;

	(void)state;
	for (packed = 0; packed < 2; packed++)
		for (start = 0; start < 2 * NUM; start += 3)
			for (pattern = 0; pattern < 128; pattern++) {
				u16 pos = start_at(packed, start), row = pos;
				struct ring *g = open_ring(packed, NUM, pos, true);
				u32 slot[8];
				unsigned int n, seen = 0;

				for (k = 0; k < 7; k++) {
					bool out_only = pattern >> k & 1;

					put(g, 100 + k, slots_of(g, k), out_only ? 0 : k, out_only);
				}
				assert_true(publish(g) > 0);
				n = stored_slots(g, slot, 8);
				for (k = 0; k < 7; k++) {
					bool out_only = pattern >> k & 1;

					pos += slots_of(g, k);
					if (out_only && k < 6)
						continue;
					assert_true(seen < n);
					assert_int_equal(slot[seen++], row % NUM);
					assert_entry(g, row, 100 + k, out_only ? 0 : k);
					row = pos;
				}
				assert_int_equal(seen, n);
				assert_shown(g, pos);
				close_ring(g);
			}
}

/* What was flushed is stored: the row ends there, still unseen. */
static void flush_ends_row(void **state)
{
	unsigned int packed, start;

	(void)state;
	for (packed = 0; packed < 2; packed++)
		for (start = 0; start < 2 * NUM; start++) {
			u16 pos = start_at(packed, start), two, all;
			struct ring *g = open_ring(packed, NUM, pos, true);
			u32 slot[8];

			put(g, 1, slots_of(g, 1), 0, true);
			put(g, 2, slots_of(g, 2), 0, true);
			two = pos + slots_of(g, 1) + slots_of(g, 2);
			assert_int_equal(flush(g), 0);
			assert_int_equal(stored_slots(g, slot, 8), 1);
			assert_int_equal(slot[0], pos % NUM);
			assert_int_equal(g->pk.r.published, pos);
			assert_int_equal(g->pk.r.stored, two);
			if (packed)
				assert_int_not_equal(pk_desc_flags(&g->pk.mem, pos % NUM) & 0x8080,
						     pk_used(!(pos / NUM % 2)));
			else
				assert_int_equal(drv_used_idx(&g->pk.mem), pos);
			/* With nothing more, the index or the flags alone are left. */
			put(g, 3, slots_of(g, 3), 0, true);
			put(g, 4, slots_of(g, 4), 0, true);
			all = two + slots_of(g, 3) + slots_of(g, 4);
			assert_int_equal(publish(g), (u16)(all - pos));
			assert_int_equal(stored_slots(g, slot, 8), 1);
			assert_int_equal(slot[0], two % NUM);
			assert_entry(g, pos, 2, 0);
			assert_entry(g, two, 4, 0);
			assert_shown(g, all);

			put(g, 5, 1, 0, true);
			assert_int_equal(flush(g), 0);
			assert_int_equal(flush(g), 0);
			assert_int_equal(publish(g), 1);
			assert_int_equal(stored_slots(g, slot, 8), 0);
			assert_entry(g, all, 5, 0);
			assert_shown(g, all + 1);
			close_ring(g);
		}
}

/* More than the private array holds: a row ends with it. */
static void more_than_64(void **state)
{
	unsigned int packed, k;

	(void)state;
	for (packed = 0; packed < 2; packed++) {
		struct ring *g = open_ring(packed, 256, 200, true);

		for (k = 0; k < 150; k++)
			put(g, k, 1, 0, true);
		assert_int_equal(publish(g), 150);
		assert_entry(g, 200, 63, 0);
		assert_entry(g, 264, 127, 0);
		assert_entry(g, 328, 149, 0);
		assert_shown(g, 350);
		close_ring(g);
	}
}

/* Chains and descriptors are what the guest's event is compared with. */
static void signals(void **state)
{
	unsigned int packed, start, ahead;

	(void)state;
	for (packed = 0; packed < 2; packed++)
		for (start = 0; start < 2 * NUM; start++)
			for (ahead = 0; ahead < 2 * NUM; ahead++) {
				u16 pos = start_at(packed, start), n;
				struct ring *g = open_ring(packed, NUM, pos, true);

				assert_int_equal(need_signal(g), 1);
				put(g, 0, slots_of(g, 0), 0, true);
				put(g, 1, slots_of(g, 1), 0, true);
				put(g, 2, slots_of(g, 2), 0, true);
				n = packed ? 6 : 3;
				want_signal_at(g, pos + ahead);
				assert_int_equal(publish(g), n);
				assert_int_equal(need_signal(g), ahead < n);
				assert_int_equal(need_signal(g), 0);
				close_ring(g);
			}
}

/* A faulting store leaves the row as it was. */
static void fault_in_row(void **state)
{
	unsigned int packed, k;
	long at;

	(void)state;
	for (packed = 0; packed < 2; packed++)
		for (at = 0;; at++) {
			struct ring *g = open_ring(packed, NUM, 14, true);

			for (k = 0; k < 6; k++)
				put(g, k, 1, k == 2 ? 9 : 0, k != 2);
			env.fault_after = at;
			k = publish(g) == 6;
			env.fault_after = -1;
			if (k) {
				assert_false(env.faulted);
				assert_true(at > 4);
				close_ring(g);
				break;
			}
			assert_true(env.faulted);
			assert_int_equal(g->pk.r.published, 14);
			assert_int_equal(g->pk.r.stored, 14);
			assert_int_equal(g->pk.r.nr_pend, 6);
			assert_int_equal(publish(g), 6);
			assert_entry(g, 14, 2, 9);
			assert_entry(g, 17, 5, 0);
			assert_shown(g, 20);
			close_ring(g);
		}
}

/* End to end: an in-order driver gets every chain, with what was written. */
static void driver(void **state)
{
	unsigned int start, step, k;

	(void)state;
	for (start = 0; start < 2 * NUM; start++) {
		struct ring *g = open_ring(true, NUM, start, true);
		struct pk *p = &g->pk;
		u32 len;
		u16 id;

		for (step = 0; step < 60; step++) {
			unsigned int n = 1 + step % 5;
			u16 want[5];

			for (k = 0; k < n; k++)
				want[k] = pk_offer(p, 1 + (step + k) % 3, 10, (step >> k) & 1);
			assert_int_equal(pk_fetch(p, 64), n);
			for (k = 0; k < n; k++) {
				const struct vring_chain *c = &p->b.chain[k];

				assert_int_equal(c->id, want[k]);
				put(g, c->id, c->slots, c->in_len ? 1 + k : 0, !c->in_len);
			}
			assert_false(pk_get(&p->drv, &id, &len));
			assert_true(publish(g) > 0);
			for (k = 0; k < n; k++) {
				assert_true(pk_get(&p->drv, &id, &len));
				assert_int_equal(id, want[k]);
				assert_int_equal(len, p->b.chain[k].in_len ? 1 + k : 0);
			}
			assert_false(pk_get(&p->drv, &id, &len));
		}
		close_ring(g);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_row),
		cmocka_unit_test(own_entries),
		cmocka_unit_test(patterns),
		cmocka_unit_test(flush_ends_row),
		cmocka_unit_test(more_than_64),
		cmocka_unit_test(signals),
		cmocka_unit_test(fault_in_row),
		cmocka_unit_test(driver),
	};
	int failed = run_group("in_order", tests, ARRAY_SIZE(tests));

	close_ring(the_ring);
	return failed;
}
