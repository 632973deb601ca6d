// SPDX-License-Identifier: GPL-2.0
/*
 * The rig: sets up a ring under test, and calls each verb between
 * env_verb_begin() and env_verb_end(), the model looking on.
 */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

/* Call a verb of the ring's layout; @ret is "ret =" or nothing. */
#define VERB(g, ret, verb, ...)						\
	do {								\
		env_verb_begin();					\
		switch ((g)->mem.layout) {				\
		case LAYOUT_SPLIT:					\
			ret vring_split_##verb(&(g)->r, ##__VA_ARGS__);	\
			break;						\
		case LAYOUT_PACKED:					\
			env_die("the rig is for split rings");		\
		}							\
		env_verb_end();						\
	} while (0)

void rig_init(struct rig *g, const struct rig_config *cfg)
{
	memset(g, 0, sizeof(*g));
	env_reset();
	g->r.num = cfg->num;
	g->r.event_idx = cfg->event_idx;
	g->r.indirect = cfg->indirect;
	g->r.notify_on_empty = cfg->notify_on_empty;
	g->r.in_order = cfg->in_order;
	ringmem_init(&g->mem, &g->r, cfg->layout, cfg->num, &cfg->shape);

	env.guest_len = cfg->guest_len ? cfg->guest_len : GUEST_LEN;
	g->guest = calloc(1, env.guest_len);
	env.guest = g->guest;
	env.guest_base = GUEST_BASE;

	/* The batch is what a caller would pass: dirty, and no longer than asked. */
	memset(g->b.chain, 0xee, sizeof(g->b.chain));
	g->b.seg = malloc(VRING_SEG_MAX * sizeof(*g->b.seg));
	g->b.table = malloc(VRING_SEG_MAX * sizeof(*g->b.table));
	memset(g->b.seg, 0xee, VRING_SEG_MAX * sizeof(*g->b.seg));
	memset(g->b.table, 0xee, VRING_SEG_MAX * sizeof(*g->b.table));

	drv_init(&g->drv, &g->mem, cfg->event_idx, cfg->start);
	model_init(&g->model, &g->r);
	rig_start(g, cfg->start);
}

void rig_free(struct rig *g)
{
	env_reset();
	drv_free(&g->drv);
	model_free(&g->model);
	ringmem_free(&g->mem);
	free(g->guest);
	free(g->b.seg);
	free(g->b.table);
}

int rig_start(struct rig *g, u16 last_avail)
{
	int ret = 0;

	VERB(g, ret =, start, last_avail);
	model_start(&g->model, &g->r, last_avail, ret);
	return ret;
}

int rig_fetch(struct rig *g, unsigned int max)
{
	int ret = 0;

	VERB(g, ret =, fetch, &g->b, max);
	model_fetch(&g->model, &g->r, &g->b, max, ret);
	return ret;
}

void rig_unfetch(struct rig *g, u16 n)
{
	env_verb_begin();
	vring_unfetch(&g->r, n);
	env_verb_end();
	model_unfetch(&g->model, &g->r, n);
}

/* One chain, as a caller records many. */
static int put(struct vring_dev *r, const struct vring_done *chain)
{
	struct vring_done *done;
	int ret = vring_put_begin(r, 1, &done);

	if (ret)
		return ret;
	*done = *chain;
	return vring_put_end(r, 1, chain->slots);
}

static int put_and_look(struct rig *g, const struct vring_done *chain)
{
	int ret = 0;

	env_verb_begin();
	ret = put(&g->r, chain);
	env_verb_end();
	model_put(&g->model, &g->r, chain, ret);
	return ret;
}

int rig_put(struct rig *g, u16 id, u32 len)
{
	return put_and_look(g, &(struct vring_done){ .id = id, .slots = 1, .len = len });
}

int rig_put_out(struct rig *g, u16 id)
{
	return put_and_look(g, &(struct vring_done){ .id = id, .slots = 1, .out_only = true });
}

int rig_publish(struct rig *g)
{
	int ret = 0;

	VERB(g, ret =, publish);
	model_publish(&g->model, &g->r, ret);
	return ret;
}

int rig_need_signal(struct rig *g)
{
	int ret = 0;

	VERB(g, ret =, need_signal);
	model_need_signal(&g->model, &g->r, ret);
	return ret;
}

int rig_kick_enable(struct rig *g)
{
	int ret = 0;

	VERB(g, ret =, kick_enable);
	model_kick_enable(&g->model, &g->r, ret);
	return ret;
}

int rig_kick_more(struct rig *g)
{
	int ret = 0;

	VERB(g, ret =, kick_more);
	model_kick_more(&g->model, &g->r, ret);
	return ret;
}

int rig_kick_disable(struct rig *g)
{
	int ret = 0;

	VERB(g, ret =, kick_disable);
	model_kick_disable(&g->model, &g->r, ret);
	return ret;
}

int rig_has_avail(struct rig *g)
{
	int ret = 0;

	VERB(g, ret =, has_avail);
	model_has_avail(&g->model, &g->r, ret);
	return ret;
}

int rig_add(struct rig *g, unsigned int nr, u32 len, bool write)
{
	struct drv_buf buf[VRING_SEG_MAX];
	unsigned int i;

	for (i = 0; i < nr; i++)
		buf[i] = (struct drv_buf){ 0x10000000ull + i * 0x10000ull, len, write };
	return drv_add(&g->drv, buf, nr, 0);
}

void rig_offer(struct rig *g, unsigned int chains, unsigned int nr)
{
	while (chains--)
		if (rig_add(g, nr, 100, false) < 0)
			env_die("the guest's ring is full");
	drv_show(&g->drv);
}
