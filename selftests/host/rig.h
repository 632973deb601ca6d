/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rig that tests and fuzzers use: a ring under test, its memory, a guest
 * driver on one side, a batch and the reference model on the other. Every verb
 * is called through here, so that the model sees all of them.
 */
#ifndef HOST_RIG_H
#define HOST_RIG_H

#include "driver.h"
#include "model.h"

#define GUEST_BASE	0x100000ull
#define GUEST_LEN	0x40000u

/**
 * struct rig_config - the ring that a test wants
 * @layout: of the ring
 * @num: its size
 * @event_idx: feature
 * @indirect: feature
 * @notify_on_empty: feature
 * @in_order: feature
 * @guest_len: size of guest memory, if not GUEST_LEN
 * @start: first index, available and used
 * @shape: of the memory
 */
struct rig_config {
	enum ring_layout layout;
	u32 num;
	bool event_idx;
	bool indirect;
	bool notify_on_empty;
	bool in_order;
	u32 guest_len;
	u16 start;
	struct ringmem_shape shape;
};

/**
 * struct rig - everything about one ring
 * @r: the ring under test
 * @b: where fetches go
 * @mem: the guest's view of the ring
 * @drv: a guest driver
 * @model: what has to be
 * @guest: guest memory for indirect tables
 */
struct rig {
	struct vring_dev r;
	struct vring_batch b;
	struct ringmem mem;
	struct drv drv;
	struct model model;
	u8 *guest;
};

/* The ring is started; driver and device agree on cfg->start. */
void rig_init(struct rig *g, const struct rig_config *cfg);
void rig_free(struct rig *g);

/* The verbs of ring.h. */
int rig_start(struct rig *g, u16 last_avail);
int rig_fetch(struct rig *g, unsigned int max);
void rig_unfetch(struct rig *g, u16 n);
int rig_put(struct rig *g, u16 id, u32 len);
/* Of a chain that has nothing to write into. */
int rig_put_out(struct rig *g, u16 id);
int rig_publish(struct rig *g);
int rig_need_signal(struct rig *g);
int rig_kick_enable(struct rig *g);
int rig_kick_more(struct rig *g);
int rig_kick_disable(struct rig *g);
int rig_has_avail(struct rig *g);

/* Add a readable or writable chain of @nr buffers of @len bytes; its head. */
int rig_add(struct rig *g, unsigned int nr, u32 len, bool write);

/* Add @chains chains of @nr readable buffers each and show them. */
void rig_offer(struct rig *g, unsigned int chains, unsigned int nr);

#endif /* HOST_RIG_H */
