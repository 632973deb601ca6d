/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A packed ring under test and, on its other side, a guest driver in miniature
 * as virtio 1.3 sections 2.8.13 to 2.8.21 describe it. The driver counts slots
 * and wrap counters, as Linux' does; the code under test counts positions.
 *
 * There is no reference model behind it: a packed ring is short enough that the
 * driver and the tests say themselves what has to be where.
 */
#ifndef HOST_PACKED_H
#define HOST_PACKED_H

#include "driver.h"

#define PK_GUEST_BASE	0x100000ull
#define PK_GUEST_LEN	0x40000u

/* Flags of an event suppression structure. */
#define PK_ENABLE	0
#define PK_DISABLE	1
#define PK_DESC		2

/* A slot and the wrap counter of the lap that it is meant in. */
struct pk_pos {
	u16 slot;
	bool wrap;
};

/* What the driver knows of a chain, by its id. */
struct pk_chain {
	u16 slots;
	u16 nr;
	bool out_only;
};

/**
 * struct pk_drv - driver side of one packed virtqueue
 * @m: ring memory
 * @in_order: VIRTIO_F_IN_ORDER was negotiated
 * @avail: where the next chain goes
 * @used: where the next used entry is expected
 * @nr_free: descriptors that are the driver's
 * @added: descriptors made available since the last decision about a kick
 * @chain: chains in flight, by id; @slots is 0 for those that are not
 * @fifo: ids in the order of being made available, @fifo_at the oldest
 * @fifo_nr: number of ids in @fifo
 * @row: in order: chains of the row that an entry stands for, still to be taken
 * @row_len: length in that entry
 * @flags: of the used entry that was looked at last
 */
struct pk_drv {
	struct ringmem *m;
	bool in_order;
	struct pk_pos avail;
	struct pk_pos used;
	u16 nr_free;
	u16 added;
	struct pk_chain *chain;
	u16 *fifo;
	u32 fifo_at;
	u32 fifo_nr;
	u32 row;
	u32 row_len;
	u16 flags;
};

struct pk_config {
	u32 num;
	bool event_idx;
	bool indirect;
	bool in_order;
	u32 guest_len;		/* size of guest memory, if not PK_GUEST_LEN */
	u32 start;		/* position in two laps, of both sides */
	struct ringmem_shape shape;
};

struct pk {
	struct vring_dev r;
	struct vring_batch b;
	struct ringmem mem;
	struct pk_drv drv;
	u8 *guest;
};

/* The ring is started; driver and device agree on cfg->start. */
void pk_init(struct pk *g, const struct pk_config *cfg);
void pk_free(struct pk *g);

/* The verbs of ring.h, each in its own record. */
int pk_start(struct pk *g, u32 base);
int pk_fetch(struct pk *g, unsigned int max);
void pk_unfetch(struct pk *g, u32 slots);
int pk_put(struct pk *g, u16 id, u16 slots, u32 len, bool out_only);
int pk_flush(struct pk *g);
int pk_publish(struct pk *g);
int pk_need_signal(struct pk *g);
int pk_kick_disable(struct pk *g);
int pk_kick_enable(struct pk *g);
int pk_kick_more(struct pk *g);
int pk_has_avail(struct pk *g);

/**
 * pk_add() - make a chain available
 * @d: the driver
 * @buf: its buffers, readable ones first
 * @nr: their number
 * @table: 0, or the guest address of room for an indirect table
 *
 * Return: its id, or -1 if there are not enough descriptors.
 */
int pk_add(struct pk_drv *d, const struct drv_buf *buf, unsigned int nr, u64 table);

/* The same with @nr buffers of @len bytes, the last one written to if @write. */
int pk_offer(struct pk *g, unsigned int nr, u32 len, bool write);

/* Does the device want a kick for what was made available since the last call? */
bool pk_wants_kick(struct pk_drv *d);

/* Take one used chain. Return: false if there is none. */
bool pk_get(struct pk_drv *d, u16 *id, u32 *len);

/* A position in two laps on the wire: slot and wrap counter. */
u16 pk_wire(u32 num, u32 pos);

/* Raw descriptors, the ring's and of indirect tables. */
void pk_desc(struct ringmem *m, u32 slot, u64 addr, u32 len, u16 id, u16 flags);
void pk_table(u64 table, u32 i, u64 addr, u32 len, u16 id, u16 flags);
u16 pk_desc_flags(const struct ringmem *m, u32 slot);
u16 pk_desc_id(const struct ringmem *m, u32 slot);
u32 pk_desc_len(const struct ringmem *m, u32 slot);

/* Flags of a descriptor that is available, and used, in a lap. */
u16 pk_avail(bool wrap);
u16 pk_used(bool wrap);

/* The driver's event suppression structure is written, the device's read. */
void pk_event(struct ringmem *m, u16 flags, u16 off_wrap);
u16 pk_dev_flags(const struct ringmem *m);
u16 pk_dev_off_wrap(const struct ringmem *m);

#endif /* HOST_PACKED_H */
