// SPDX-License-Identifier: GPL-2.0
/*
 * The reference model's verbs. See model.h for how it is used.
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* Offsets of the fields of a split ring, and what may be stored by a verb. */
#define AVAIL_FLAGS	0
#define AVAIL_IDX	2
#define USED_FLAGS	0
#define USED_IDX	2
#define USED_EVENT(m)	(4 + 2 * (m)->num)
#define AVAIL_EVENT(m)	(4 + 8 * (m)->num)

#define MAY_FLAGS	1u
#define MAY_IDX		2u
#define MAY_ENTRIES	4u
#define MAY_EVENT	8u

/* More than a 16-bit index can tell. */
#define MISSED_UNKNOWN	0x10000u

#define HAS_ID		1u
#define HAS_LEN		2u

#define expect(cond, ...)						\
	do {								\
		if (!(cond))						\
			env_die("model: " __VA_ARGS__);			\
	} while (0)

/* A field is loaded once, and for a use. */
static void check_loads(void)
{
	unsigned int i;

	for (i = 0; i < env.nr_event; i++) {
		const struct env_event *e = &env.event[i];

		expect(e->kind != ENV_LOAD || e->taken || e->faulted,
		       "load of part %u, byte %u, that nothing needs", e->part, e->off);
	}
}

static void check_state(const struct model *m, const struct vring_dev *r)
{
	expect(r->last_avail == m->last_avail, "last_avail is %u, not %u",
	       r->last_avail, m->last_avail);
	expect(r->avail_idx == m->avail_idx, "avail_idx is %u, not %u",
	       r->avail_idx, m->avail_idx);
	expect(r->last_used == m->last_used, "last_used is %u, not %u",
	       r->last_used, m->last_used);
	expect(r->published == m->published, "published is %u, not %u",
	       r->published, m->published);
	expect(r->used_flags == m->used_flags, "used_flags are %u, not %u",
	       r->used_flags, m->used_flags);
	if (!m->event_idx)
		return;
	expect(r->signalled_valid == (m->signals_missed < MISSED_UNKNOWN),
	       "signalled_valid is %d", r->signalled_valid);
	expect(!r->signalled_valid || r->signalled == m->signalled,
	       "signalled is %u, not %u", r->signalled, m->signalled);
}

/*
 * In order an entry names the last of a row, of which all others had nothing to
 * write. How long a row is the code may choose. Returns its last place; entries
 * that a hostile guest made alike are taken for one row.
 */
static int row_end(const struct model *m, u32 slot, u16 recorded, u32 id, const u32 *len)
{
	int end = -1;
	u16 i;

	for (i = 0; i < recorded; i++) {
		u32 at = (slot + i) & (m->num - 1);

		if (m->used[at].id == id && (!len || m->used[at].len == *len))
			end = at;
		if (!m->in_order || !m->used[at].out_only)
			break;
	}
	return end;
}

/* A store into the used ring's entries: of a recorded one, and the right value. */
static void check_entry(struct model *m, const struct env_event *e)
{
	u32 slot = (e->off - 4) / 8;
	u16 ahead = (u16)(slot - m->published) & (m->num - 1);
	bool is_len = (e->off - 4) % 8;
	u16 recorded = m->last_used - m->published;
	u32 val = e->val;
	int end;

	expect(ahead < recorded, "store to used entry %u, which is not ours to write", slot);
	expect(e->size == 4 && (e->off - 4) % 4 == 0, "odd store to used+%u", e->off);
	if (!is_len)
		m->stored_id[slot] = val;
	end = row_end(m, slot, recorded - ahead, m->stored_id[slot], is_len ? &val : NULL);
	expect(end >= 0, "used entry %u: %u stored as its %s", slot, val, is_len ? "len" : "id");
	for (;; slot = (slot + 1) & (m->num - 1)) {
		m->stored[slot] |= is_len ? HAS_LEN : HAS_ID;
		if ((int)slot == end)
			break;
	}
}

/* All stores of a verb; also that nothing else was stored. */
static void check_stores(struct model *m, unsigned int may)
{
	unsigned int i;

	for (i = 0; i < env.nr_event; i++) {
		const struct env_event *e = &env.event[i];

		if (e->kind != ENV_STORE || e->faulted)
			continue;
		if (e->off == USED_FLAGS)
			expect(may & MAY_FLAGS && e->size == 2, "flags stored");
		else if (e->off == USED_IDX)
			expect(may & MAY_IDX && e->size == 2, "used index stored");
		else if (e->off == AVAIL_EVENT(m))
			expect(may & MAY_EVENT && e->size == 2, "event stored");
		else if (may & MAY_ENTRIES)
			check_entry(m, e);
		else
			expect(false, "used entry stored");
	}
}

/* Whether a barrier is recorded behind event @from and before event @to. */
static bool barrier_between(enum env_kind kind, int from, int to)
{
	int i;

	for (i = from + 1; i < to; i++)
		if (env.event[i].kind == kind)
			return true;
	return false;
}

/* The first load behind event @from. */
static int next_load(int from)
{
	int i;

	for (i = from + 1; i < (int)env.nr_event; i++)
		if (env.event[i].kind == ENV_LOAD)
			break;
	return i;
}

/*
 * The available index that was loaded, if one was wanted and it came.
 * Return: 0, or the error that has to be reported.
 */
static int see_avail_idx(const struct model *m, u64 *idx)
{
	if (!view_load(ENV_AVAIL, AVAIL_IDX, 2, idx)) {
		expect(env.faulted, "the available index was not loaded");
		return -VRING_E_FAULT;
	}
	return (u16)(*idx - m->last_avail) > m->num ? -VRING_E_AVAIL_IDX : 0;
}

/* The same, remembered. */
static int take_avail_idx(struct model *m)
{
	int at = view_find(ENV_LOAD, ENV_AVAIL, AVAIL_IDX);
	u64 idx;
	int err = see_avail_idx(m, &idx);

	if (err)
		return err;
	m->avail_idx = idx;
	expect(barrier_between(ENV_RMB, at, next_load(at)),
	       "no read barrier behind the available index");
	return 0;
}

void model_init(struct model *m, const struct vring_dev *r)
{
	memset(m, 0, sizeof(*m));
	m->num = r->num;
	m->event_idx = r->event_idx;
	m->indirect = r->indirect;
	m->notify_on_empty = r->notify_on_empty;
	m->in_order = r->in_order;
	m->signals_missed = MISSED_UNKNOWN;
	m->used = calloc(m->num, sizeof(*m->used));
	m->stored = calloc(m->num, sizeof(*m->stored));
	m->stored_id = calloc(m->num, sizeof(*m->stored_id));
}

void model_free(struct model *m)
{
	free(m->used);
	free(m->stored);
	free(m->stored_id);
	memset(m, 0, sizeof(*m));
}

void model_start(struct model *m, const struct vring_dev *r, u16 last_avail, int ret)
{
	u64 idx;

	if (env.faulted) {
		expect(ret == -VRING_E_FAULT, "start returned %d on a fault", ret);
		check_state(m, r);
		return;
	}
	expect(ret == 0, "start returned %d", ret);
	expect(view_load(ENV_USED, USED_IDX, 2, &idx), "used index not loaded");
	expect(view_find(ENV_STORE, ENV_USED, USED_FLAGS) >= 0, "flags not stored");
	m->last_avail = last_avail;
	m->avail_idx = last_avail;
	m->last_used = idx;
	m->published = idx;
	m->used_flags = 0;
	m->signals_missed = MISSED_UNKNOWN;
	check_loads();
	check_stores(m, MAY_FLAGS);
	check_state(m, r);
}

/* Is what was delivered what the model read? */
static void check_chain(const struct model_chain *want, const struct vring_batch *b,
			u32 i, u8 *seen)
{
	const struct vring_chain *c = &b->chain[i];
	u32 k;

	expect(c->id == want->id, "chain %u: id %u, not %u", i, c->id, want->id);
	expect(c->nr_seg == want->nr, "chain %u: %u segments, not %u", i,
	       c->nr_seg, want->nr);
	expect(c->nr_out == want->nr_out, "chain %u: %u readable segments, not %u",
	       i, c->nr_out, want->nr_out);
	expect(c->out_len == want->out_len && c->in_len == want->in_len,
	       "chain %u: %u + %u bytes", i, c->out_len, c->in_len);
	expect((u32)c->seg + c->nr_seg <= b->nr_seg && b->nr_seg <= VRING_SEG_MAX,
	       "chain %u: segments outside of the batch", i);
	for (k = 0; k < want->nr; k++) {
		const struct vring_seg *s = &b->seg[c->seg + k];

		expect(!seen[c->seg + k]++, "chain %u shares a segment", i);
		expect(s->addr == want->seg[k].addr && s->len == want->seg[k].len &&
		       s->flags == want->seg[k].flags,
		       "chain %u: segment %u is not what was loaded", i, k);
	}
}

void model_fetch(struct model *m, const struct vring_dev *r, const struct vring_batch *b,
		 unsigned int max, int ret)
{
	static struct model_chain c;
	u8 seen[VRING_SEG_MAX] = { 0 };
	u16 avail = m->avail_idx - m->last_avail;
	u32 gathered, room, limit, table_len, first_need = 0;
	enum model_verdict v;
	int n, err;

	check_stores(m, 0);
	if (!avail) {
		err = take_avail_idx(m);
		if (err) {
			expect(ret == err, "fetch returned %d, not %d", ret, err);
			check_state(m, r);
			return;
		}
		avail = m->avail_idx - m->last_avail;
	}
	limit = min3(max, (u32)avail, (u32)VRING_BATCH);

	/* What the batch has room for hangs on all that was gathered. */
	for (gathered = 0, n = 0; n < (int)env.nr_event; n++)
		gathered += env.event[n].kind == ENV_LOAD &&
			    env.event[n].part == ENV_DESC;
	gathered /= 2;
	room = gathered;

	expect(ret <= (int)limit, "fetch returned %d of %u", ret, limit);
	for (n = 0; n < ret; n++) {
		v = model_chain(m, m->last_avail + n, &c, &err, &table_len);
		expect(v == MODEL_GOOD, "chain %d was delivered with error %d", n, err);
		check_chain(&c, b, n, seen);
		if (!n && table_len)
			first_need = gathered + c.nr + table_len;
		if (table_len)
			room += c.nr;
	}
	if (ret == (int)limit)
		check_loads();
	if (ret < (int)limit) {
		v = model_chain(m, m->last_avail + n, &c, &err, &table_len);
		if (ret == -VRING_E_FAULT && v == MODEL_UNSEEN)
			expect(env.faulted, "fetch returned a fault that never was");
		else if (ret < 0)
			expect(v == MODEL_BAD && err == -ret,
			       "fetch returned %d for a chain with error %d", ret, err);
		else if (v == MODEL_BAD)
			expect(ret, "error %d was not reported", err);
		else
			expect(ret && (env.faulted || gathered == VRING_SEG_MAX ||
				       room + c.nr + table_len > VRING_SEG_MAX ||
				       (ret == 1 && first_need > VRING_SEG_MAX)),
			       "batch of %d ends for no reason", ret);
	}
	if (ret > 0)
		m->last_avail += ret;
	check_state(m, r);
}

void model_unfetch(struct model *m, const struct vring_dev *r, u16 n)
{
	m->last_avail -= n;
	check_state(m, r);
}

void model_put(struct model *m, const struct vring_dev *r, const struct vring_done *done,
	       int ret)
{
	u32 slot = m->last_used & (m->num - 1);

	check_stores(m, MAY_ENTRIES);
	if (env.faulted) {
		expect(ret == -VRING_E_FAULT, "put returned %d on a fault", ret);
	} else if ((u16)(m->last_used - m->published) == m->num) {
		expect(ret == -VRING_E_USED_OVERFLOW, "put returned %d", ret);
	} else {
		expect(ret == 0, "put returned %d", ret);
		m->used[slot] = *done;
		m->stored[slot] = 0;
		m->last_used++;
	}
	check_state(m, r);
}

void model_publish(struct model *m, const struct vring_dev *r, int ret)
{
	u16 n = m->last_used - m->published, i;
	int at;

	check_stores(m, MAY_ENTRIES | MAY_IDX);
	if (env.faulted) {
		expect(ret == -VRING_E_FAULT, "publish returned %d on a fault", ret);
		check_state(m, r);
		return;
	}
	expect(ret == n, "publish returned %d, not %u", ret, n);
	at = view_find(ENV_STORE, ENV_USED, USED_IDX);
	expect((at >= 0) == (n > 0), "used index stored: %d", at);
	if (n) {
		int prev = at - 1;

		expect(env.event[at].val == m->last_used, "used index %llu stored, not %u",
		       (unsigned long long)env.event[at].val, m->last_used);
		for (i = m->published; i != m->last_used; i++)
			expect(m->stored[i & (m->num - 1)] == (HAS_ID | HAS_LEN),
			       "used entry %u was published but not stored", i);
		while (prev >= 0 && env.event[prev].kind != ENV_STORE)
			prev--;
		expect(barrier_between(ENV_WMB, prev, at),
		       "no write barrier before the used index");
		for (i = at + 1; i < env.nr_event; i++)
			expect(env.event[i].kind != ENV_STORE,
			       "store behind the used index");
	}
	m->published = m->last_used;
	m->signals_missed = min(m->signals_missed + n, MISSED_UNKNOWN);
	check_state(m, r);
}

void model_need_signal(struct model *m, const struct vring_dev *r, int ret)
{
	int want = 0, err = 0;
	bool decided = false;
	u64 val = 0;

	check_stores(m, 0);
	expect(env.faulted || barrier_between(ENV_MB, -1, next_load(-1)),
	       "no barrier between the used index and the guest's wish");
	if (m->notify_on_empty && m->avail_idx == m->last_avail) {
		/* Seen, not taken. */
		err = see_avail_idx(m, &val);
		want = decided = !err && val == m->last_avail;
	}
	if (!err && !decided) {
		if (!view_load(ENV_AVAIL, m->event_idx ? USED_EVENT(m) : AVAIL_FLAGS,
			       2, &val)) {
			expect(env.faulted, "the guest's wish was not loaded");
			err = -VRING_E_FAULT;
		} else if (!m->event_idx) {
			want = !(val & VRING_AVAIL_NO_INTERRUPT);
		} else {
			/* Is the event one of the entries published since? */
			want = m->signals_missed == MISSED_UNKNOWN ||
			       (u16)(val - m->signalled) < m->signals_missed;
			m->signalled = m->published;
			m->signals_missed = 0;
		}
	}
	check_loads();
	expect(ret == (err ? err : want), "need_signal returned %d, not %d", ret,
	       err ? err : want);
	check_state(m, r);
}

void model_has_avail(struct model *m, const struct vring_dev *r, int ret)
{
	int err = 0;

	check_stores(m, 0);
	if (m->avail_idx == m->last_avail)
		err = take_avail_idx(m);
	if (!err)
		err = m->avail_idx != m->last_avail;
	check_loads();
	expect(ret == err, "has_avail returned %d, not %d", ret, err);
	check_state(m, r);
}

void model_kick_enable(struct model *m, const struct vring_dev *r, int ret)
{
	int at = view_find(ENV_STORE, ENV_USED, m->event_idx ? AVAIL_EVENT(m) : USED_FLAGS);
	u16 wish = m->event_idx ? m->last_avail : 0;

	check_stores(m, m->event_idx ? MAY_EVENT : MAY_FLAGS);
	if (at < 0) {
		expect(env.faulted, "the wish for a kick was not stored");
		expect(ret == -VRING_E_FAULT, "kick_enable returned %d", ret);
		check_state(m, r);
		return;
	}
	expect(env.event[at].val == wish, "a wish of %llu was stored",
	       (unsigned long long)env.event[at].val);
	if (!m->event_idx)
		m->used_flags = 0;
	expect(env.faulted || barrier_between(ENV_MB, at, next_load(at)),
	       "no barrier between our wish and the available index");
	if (m->avail_idx == m->last_avail) {
		int err = take_avail_idx(m);

		if (err) {
			expect(ret == err, "kick_enable returned %d, not %d", ret, err);
			check_state(m, r);
			return;
		}
	}
	check_loads();
	expect(ret == (m->avail_idx != m->last_avail), "kick_enable returned %d", ret);
	check_state(m, r);
}

void model_kick_more(struct model *m, const struct vring_dev *r, int ret)
{
	int at = view_find(ENV_STORE, ENV_USED, m->event_idx ? AVAIL_EVENT(m) : USED_FLAGS);
	u16 known = m->avail_idx;
	int err = -VRING_E_FAULT;

	check_stores(m, m->event_idx ? MAY_EVENT : MAY_FLAGS);
	if (at < 0) {
		expect(env.faulted, "the wish for a kick was not stored");
	} else {
		expect(env.event[at].val == (m->event_idx ? known : 0),
		       "a wish of %llu was stored", (unsigned long long)env.event[at].val);
		if (!m->event_idx)
			m->used_flags = 0;
		expect(env.faulted || barrier_between(ENV_MB, at, next_load(at)),
		       "no barrier between our wish and the available index");
		err = take_avail_idx(m);
		check_loads();
	}
	expect(ret == (err ? err : m->avail_idx != known), "kick_more returned %d", ret);
	check_state(m, r);
}

void model_kick_disable(struct model *m, const struct vring_dev *r, int ret)
{
	int at = view_find(ENV_STORE, ENV_USED, USED_FLAGS);

	check_stores(m, MAY_FLAGS);
	if (env.faulted) {
		expect(ret == -VRING_E_FAULT, "kick_disable returned %d on a fault", ret);
		check_state(m, r);
		return;
	}
	expect(ret == 0, "kick_disable returned %d", ret);
	if (!m->event_idx && !m->used_flags) {
		expect(at >= 0 && env.event[at].val == VRING_USED_NO_NOTIFY,
		       "the guest was not told to stop kicking");
		m->used_flags = VRING_USED_NO_NOTIFY;
	}
	expect(!m->event_idx || at < 0, "flags stored with event indices");
	check_state(m, r);
}
