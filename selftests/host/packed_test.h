/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of packed rings have in common: one ring at a time. */
#ifndef HOST_PACKED_TEST_H
#define HOST_PACKED_TEST_H

#include "test.h"

#include "packed.h"

#define TABLE	PK_GUEST_BASE

/* One ring at a time. One that a failed test left behind is closed for it. */
static struct pk *the_pk;

static inline void close_pk(struct pk *g)
{
	if (!g)
		return;
	pk_free(g);
	free(g);
	the_pk = NULL;
}

static inline struct pk *open_with(u32 num, u32 start, bool event_idx, bool scattered)
{
	struct pk_config cfg = {
		.num = num,
		.event_idx = event_idx,
		.indirect = true,
		.start = start,
		.shape = { scattered, { 0xff0, 0xffc, 8 } },
	};

	close_pk(the_pk);
	the_pk = malloc(sizeof(*the_pk));
	pk_init(the_pk, &cfg);
	return the_pk;
}

static inline struct pk *open_at(u32 num, u32 start)
{
	return open_with(num, start, true, false);
}

/* Put chain @i of the batch. */
static inline void put_chain(struct pk *g, unsigned int i, u32 len)
{
	const struct vring_chain *c = &g->b.chain[i];

	assert_int_equal(pk_put(g, c->id, c->slots, len, !c->in_len), 0);
}

static inline void assert_got(struct pk *g, u16 want_id, u32 want_len)
{
	u16 id;
	u32 len;

	assert_true(pk_get(&g->drv, &id, &len));
	assert_int_equal(id, want_id);
	assert_int_equal(len, want_len);
}

static inline void assert_got_none(struct pk *g)
{
	u16 id;
	u32 len;

	assert_false(pk_get(&g->drv, &id, &len));
}

#endif /* HOST_PACKED_TEST_H */
