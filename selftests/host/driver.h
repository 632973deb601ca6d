/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest driver in miniature: the driver side of one virtqueue, as virtio 1.3
 * sections 2.7.13 and 2.7.14 describe it. It behaves well; what a hostile guest
 * does, tests write with the raw calls at the end.
 */
#ifndef HOST_DRIVER_H
#define HOST_DRIVER_H

#include "ringmem.h"

/* One buffer of a chain. */
struct drv_buf {
	u64 addr;
	u32 len;
	bool write;
};

/**
 * struct drv - driver side of one virtqueue
 * @m: ring memory
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @free: head of the list of free descriptors
 * @nr_free: their number
 * @next: the list, and the chains in use
 * @len: descriptors of the chain that each head stands for, 0 if none
 * @avail: next entry of the available ring to fill
 * @avail_shown: the available index as last stored
 * @used: next used entry to look at
 */
struct drv {
	struct ringmem *m;
	bool event_idx;
	u16 free;
	u16 nr_free;
	u16 *next;
	u16 *len;
	u16 avail;
	u16 avail_shown;
	u16 used;
};

/* @start: both indices, as after a device was stopped and started there. */
void drv_init(struct drv *d, struct ringmem *m, bool event_idx, u16 start);
void drv_free(struct drv *d);

/**
 * drv_add() - fill in a chain
 * @d: the driver
 * @buf: its buffers, readable ones first
 * @nr: their number
 * @table: 0, or the guest address of room for an indirect table
 *
 * Return: its head, or -1 if there are not enough descriptors.
 */
int drv_add(struct drv *d, const struct drv_buf *buf, unsigned int nr, u64 table);

/* Show all added chains to the device. Return: whether it wants a kick. */
bool drv_show(struct drv *d);

/* Look at the next used entry. Return: false if there is none. */
bool drv_peek(const struct drv *d, u32 *id, u32 *len);

/* Free a chain that a used entry speaks for, and go on to the next entry. */
void drv_take(struct drv *d, u32 id);

/* Take a used entry and free its chain. Return: false if there is none. */
bool drv_get(struct drv *d, u32 *id, u32 *len);

/* Ask for an interrupt at the next used entry, or for none. */
void drv_irq_enable(struct drv *d);
void drv_irq_disable(struct drv *d);

/* Raw writes, with which a test makes what a driver never would. */
void drv_desc(struct ringmem *m, u32 i, u64 addr, u32 len, u16 flags, u16 next);
void drv_table(u64 table, u32 i, u64 addr, u32 len, u16 flags, u16 next);
void drv_head(struct ringmem *m, u16 idx, u16 head);
void drv_avail_idx(struct ringmem *m, u16 idx);
void drv_avail_flags(struct ringmem *m, u16 flags);
void drv_used_event(struct ringmem *m, u16 idx);

/* And reads of what the device wrote. */
u16 drv_used_idx(const struct ringmem *m);
u16 drv_used_flags(const struct ringmem *m);
u16 drv_avail_event(const struct ringmem *m);
u32 drv_used_id(const struct ringmem *m, u16 idx);
u32 drv_used_len(const struct ringmem *m, u16 idx);

#endif /* HOST_DRIVER_H */
