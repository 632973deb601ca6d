/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A reference model of the device's side of a virtqueue.
 *
 * The model is told which verb was called and what came back, looks at what the
 * code loaded and stored meanwhile (env.event), and dies if any of it is not
 * what the specification and the contract in ring.h want. It never looks at the
 * ring itself: it lives on the values that were loaded, each of which may be
 * used once. So it holds while memory changes under the code, and a field that
 * was loaded twice, and of which the second value was used, does not fit.
 */
#ifndef HOST_MODEL_H
#define HOST_MODEL_H

#include "env.h"

/**
 * struct model - what the device has promised so far
 * @num: entries of the ring
 * @event_idx: features
 * @indirect: features
 * @notify_on_empty: features
 * @in_order: features
 * @avail_idx: the available index as last loaded
 * @last_avail: next entry to fetch
 * @last_used: next used index to record
 * @published: used index that the guest has seen
 * @signalled: @published at the last decision
 * @signals_missed: entries published since, or more than 65535 if unknown
 * @used_flags: as last stored
 * @used: entries recorded, by used index modulo @num
 * @stored: which of them the guest's memory holds, by an entry of their own or,
 *	in order, by one that speaks for them
 * @stored_id: the id that was stored last in each place
 */
struct model {
	u32 num;
	bool event_idx;
	bool indirect;
	bool notify_on_empty;
	bool in_order;
	u16 avail_idx;
	u16 last_avail;
	u16 last_used;
	u16 published;
	u16 signalled;
	u32 signals_missed;
	u16 used_flags;
	struct vring_done *used;
	u8 *stored;
	u32 *stored_id;
};

/* A chain as the model reads it. */
struct model_chain {
	u16 id;
	u32 nr;
	u32 nr_out;
	u64 out_len;
	u64 in_len;
	struct vring_seg seg[VRING_SEG_MAX];
};

void model_init(struct model *m, const struct vring_dev *r);
void model_free(struct model *m);

/* One for each verb: @ret is what the code under test returned. */
void model_start(struct model *m, const struct vring_dev *r, u16 last_avail, int ret);
void model_fetch(struct model *m, const struct vring_dev *r, const struct vring_batch *b,
		 unsigned int max, int ret);
void model_unfetch(struct model *m, const struct vring_dev *r, u16 n);
void model_put(struct model *m, const struct vring_dev *r, const struct vring_done *done,
	       int ret);
void model_publish(struct model *m, const struct vring_dev *r, int ret);
void model_need_signal(struct model *m, const struct vring_dev *r, int ret);
void model_kick_enable(struct model *m, const struct vring_dev *r, int ret);
void model_kick_more(struct model *m, const struct vring_dev *r, int ret);
void model_kick_disable(struct model *m, const struct vring_dev *r, int ret);
void model_has_avail(struct model *m, const struct vring_dev *r, int ret);

/* model_chain.c: the loads of the last verb, each given out once, */
bool view_load(enum env_part part, u32 off, u32 size, u64 *val);
const struct env_event *view_guest(u64 addr, u32 len);
/* Index of the first event of a kind that touches a field, or -1. */
int view_find(enum env_kind kind, enum env_part part, u32 off);

/* and a chain made out of them. */
enum model_verdict {
	MODEL_GOOD,
	MODEL_BAD,	/* *err is the name */
	MODEL_UNSEEN,	/* not all of it was loaded */
};

enum model_verdict model_chain(const struct model *m, u16 idx,
			       struct model_chain *c, int *err, u32 *table_len);

#endif /* HOST_MODEL_H */
