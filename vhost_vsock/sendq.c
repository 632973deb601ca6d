// SPDX-License-Identifier: GPL-2.0
/*
 * Packets on their way to a guest: a queue for each connection, which take
 * turns by deficit round robin. A connection in its turn sends about QUANTUM
 * bytes, then the next one's is. So one that has little to send waits for one
 * quantum of each other, not for all that a bulk transfer has queued.
 *
 * What waits here is bounded: data by the credit that the guest gave, and by the
 * buffers of the host's socket if it gave credit for what it never took; answers
 * by VHV_REPLIES_MAX; requests by VHV_REQUEST_FLOWS; what another guest sends by that
 * guest's share. Updates of credit go with the packet before them.
 */
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "vsock.h"

/* One buffer of a Linux guest. */
#define QUANTUM		4096

static struct vhv_key key_of(struct sk_buff *skb)
{
	const struct virtio_vsock_hdr *hdr = virtio_vsock_hdr(skb);

	return (struct vhv_key){
		.cid = le64_to_cpu(hdr->src_cid),
		.src_port = le32_to_cpu(hdr->src_port),
		.dst_port = le32_to_cpu(hdr->dst_port),
	};
}

/* With a seed: guests choose ports, and must not choose those that collide. */
static u32 hash_of(const struct vhv_sendq *q, const struct vhv_key *key)
{
	return jhash_3words(key->cid, key->src_port, key->dst_port, q->seed);
}

static unsigned int left_of(struct sk_buff *skb)
{
	return skb->len - VIRTIO_VSOCK_SKB_CB(skb)->offset;
}

/* What waits has waited long enough. */
static void timeout(struct timer_list *timer)
{
	struct vhv_sendq *q = container_of(timer, struct vhv_sendq, timer);

	vhc_vq_wake(vhv_vq(q->v, VSOCK_VQ_RX));
}

void vhv_sendq_init(struct vhv_vsock *v)
{
	struct vhv_sendq *q = &v->sendq;

	q->v = v;
	q->seed = get_random_u32();
	timer_setup(&q->timer, timeout, 0);
	spin_lock_init(&q->lock);
	hash_init(q->flows);
	INIT_LIST_HEAD(&q->turns);
	INIT_LIST_HEAD(&q->idle);
}

/* Nobody uses it any more, and it is empty. */
void vhv_sendq_exit(struct vhv_sendq *q)
{
	struct vhv_flow *flow, *next;

	timer_shutdown_sync(&q->timer);
	list_for_each_entry_safe(flow, next, &q->idle, turn)
		kfree(flow);
}

static bool same_key(const struct vhv_key *a, const struct vhv_key *b)
{
	return a->src_port == b->src_port && a->dst_port == b->dst_port && a->cid == b->cid;
}

static struct vhv_flow *find(struct vhv_sendq *q, const struct vhv_key *key, u32 hash)
{
	struct vhv_flow *flow;

	hash_for_each_possible(q->flows, flow, node, hash) {
		if (same_key(&flow->key, key))
			return flow;
	}
	return NULL;
}

/* The queue of a connection, which takes its turn after all others if new. */
static struct vhv_flow *get(struct vhv_sendq *q, const struct vhv_key *key)
{
	u32 hash = hash_of(q, key);
	struct vhv_flow *flow = find(q, key, hash);

	if (flow)
		return flow;
	flow = list_first_entry_or_null(&q->idle, struct vhv_flow, turn);
	if (flow) {
		list_del(&flow->turn);
		q->nr_idle--;
	} else {
		flow = kmalloc(sizeof(*flow), GFP_ATOMIC | __GFP_NOWARN);
		if (!flow)
			return NULL;
		__skb_queue_head_init(&flow->packets);
	}
	flow->key = *key;
	flow->nr = 0;
	flow->bytes = 0;
	flow->deficit = QUANTUM;
	hash_add(q->flows, &flow->node, hash);
	list_add_tail(&flow->turn, &q->turns);
	q->nr_flows++;
	q->nr_host_flows += key->cid == VHV_HOST_CID;
	return flow;
}

/* It is empty, and in nobody's hand. */
static void put(struct vhv_sendq *q, struct vhv_flow *flow)
{
	hash_del(&flow->node);
	list_del(&flow->turn);
	q->nr_flows--;
	q->nr_host_flows -= flow->key.cid == VHV_HOST_CID;
	if (q->nr_idle == VHV_IDLE_FLOWS) {
		kfree(flow);
		return;
	}
	list_add(&flow->turn, &q->idle);
	q->nr_idle++;
}

/* What waits of whom the connection is with. */
static struct vhv_sender *sender(struct vhv_sendq *q, u32 cid)
{
	return &q->sender[cid == VHV_HOST_CID ? 0 : 1 + cid % VHV_SENDERS];
}

/* Locked. So many more wait in a connection. */
static void account(struct vhv_sendq *q, struct vhv_flow *flow, int packets, int bytes)
{
	struct vhv_sender *s = sender(q, flow->key.cid);

	flow->nr += packets;
	flow->bytes += bytes;
	s->packets += packets;
	s->bytes += bytes;
	q->packets += packets;
	q->bytes += bytes;
}

static bool is_op(struct sk_buff *skb, u16 op)
{
	return virtio_vsock_hdr(skb)->op == cpu_to_le16(op);
}

static bool is_credit_update(struct sk_buff *skb)
{
	return is_op(skb, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
}

/* Each packet tells the guest of credit. */
static void take_credit(struct sk_buff *skb, struct sk_buff *from)
{
	virtio_vsock_hdr(skb)->fwd_cnt = virtio_vsock_hdr(from)->fwd_cnt;
	virtio_vsock_hdr(skb)->buf_alloc = virtio_vsock_hdr(from)->buf_alloc;
}

/*
 * An update of credit goes with the packet before it, unless that is an end; a shutdown
 * with one before it. A program may have as many made as it likes.
 */
static bool join(struct vhv_flow *flow, struct sk_buff *skb)
{
	struct sk_buff *last = skb_peek_tail(&flow->packets);

	if (!last || last->sk != skb->sk || is_op(last, VIRTIO_VSOCK_OP_RST))
		return false;
	if (is_op(skb, VIRTIO_VSOCK_OP_SHUTDOWN) && is_op(last, VIRTIO_VSOCK_OP_SHUTDOWN))
		virtio_vsock_hdr(last)->flags |= virtio_vsock_hdr(skb)->flags;
	else if (!is_credit_update(skb))
		return false;
	take_credit(last, skb);
	return true;
}

static struct vhv_told *told(struct vhv_sendq *q, const struct vhv_key *key)
{
	return &q->told[hash_of(q, key) % VHV_TOLD];
}

/*
 * Whether an update of credit may wait for a tick, or for company. A socket sends
 * one whenever it has been read empty, which may be after each packet; to wake the
 * worker for it costs more than the packet. The guest has half of the buffer left
 * at least, by what it was told. One that tells nothing new was asked for.
 *
 * Context: the socket is locked.
 */
static bool may_wait(struct vhv_sendq *q, const struct vhv_key *key, struct sk_buff *skb)
{
	const struct virtio_vsock_hdr *hdr = virtio_vsock_hdr(skb);
	const struct virtio_vsock_sock *vvs;
	const struct vhv_told *t;
	u32 news;

	if (!is_credit_update(skb) || !skb->sk)
		return false;
	t = told(q, key);
	vvs = vsock_sk(skb->sk)->trans;
	news = le32_to_cpu(hdr->fwd_cnt) - t->fwd_cnt;
	return same_key(&t->key, key) && news &&
	       (u64)news + vvs->rx_bytes < le32_to_cpu(hdr->buf_alloc) / 2;
}

/* Data of a stream goes into the packet before it if that has room. */
static bool merge(struct vhv_flow *flow, struct sk_buff *skb)
{
	struct sk_buff *last = skb_peek_tail(&flow->packets);

	/* A guest's may be empty, and fit where there is no room at all. */
	if (!last || skb_is_nonlinear(last) || skb_is_nonlinear(skb) ||
	    skb->len > VHV_SMALL || skb->len > skb_tailroom(last) || last->sk != skb->sk ||
	    !vhv_is_stream_data(skb) || !vhv_is_stream_data(last))
		return false;
	skb_put_data(last, skb->data, skb->len);
	take_credit(last, skb);
	return true;
}

/*
 * A host's socket has at most its buffer's size under way, by the credit that it
 * got. More than that, and what a turn sent and has not accounted for, waits if
 * the guest says that it read what it never took.
 *
 * Context: the socket is locked.
 */
static bool is_beyond_credit(const struct vhv_flow *flow, struct sk_buff *skb)
{
	const struct virtio_vsock_sock *vvs = vsock_sk(skb->sk)->trans;

	return is_op(skb, VIRTIO_VSOCK_OP_RW) &&
	       (u64)flow->bytes + skb->len > 2ULL * vvs->buf_alloc + VHV_FLOW_BYTES;
}

/*
 * A request waits on when its socket is closed, and another one may follow at once, also
 * between the same ports.
 */
static bool is_request_too_much(const struct vhv_sendq *q, const struct vhv_flow *flow,
				struct sk_buff *skb)
{
	return is_op(skb, VIRTIO_VSOCK_OP_REQUEST) &&
	       (q->nr_host_flows > VHV_REQUEST_FLOWS || flow->nr >= VHV_REQUEST_PACKETS);
}

/* What other guests send may be anything; of resets there is one a connection. */
static bool is_too_much(struct vhv_sendq *q, const struct vhv_flow *flow,
			struct sk_buff *skb)
{
	const struct vhv_sender *s = sender(q, flow->key.cid);

	if (skb->sk)
		return is_beyond_credit(flow, skb) || is_request_too_much(q, flow, skb);
	if (is_op(skb, VIRTIO_VSOCK_OP_RST))
		return false;
	/* What a turn has sent may be read, and credit given for it, before it ends. */
	return flow->nr >= VHV_FLOW_PACKETS + VHV_TURN_PACKETS ||
	       flow->bytes + skb->len > VHV_FLOW_BYTES + VHV_TURN_BYTES ||
	       s->packets >= VHV_SENDER_PACKETS || s->bytes + skb->len > VHV_SENDER_BYTES;
}

/**
 * vhv_sendq_add() - send a packet to the guest
 * @v: the guest's device
 * @skb: the packet, taken over; freed on an error
 *
 * Context: process, under RCU or with the device otherwise kept.
 * Return: 0; -ENOMEM; -ENOBUFS if more waits of the connection than may.
 */
int vhv_sendq_add(struct vhv_vsock *v, struct sk_buff *skb)
{
	struct vhv_key key = key_of(skb);
	struct vhv_sendq *q = &v->sendq;
	struct vhv_flow *flow;
	bool waits, wake = false;
	int err = -ENOMEM;

	spin_lock(&q->lock);
	flow = get(q, &key);
	if (unlikely(!flow))
		goto refuse;
	err = -ENOBUFS;
	if (unlikely(is_too_much(q, flow, skb)))
		goto refuse;
	waits = may_wait(q, &key, skb);
	if (join(flow, skb) || merge(flow, skb)) {
		account(q, flow, 0, skb->len);
		err = 1;
	} else {
		account(q, flow, 1, skb->len);
		__skb_queue_tail(&flow->packets, skb);
		if (virtio_vsock_skb_reply(skb))
			q->replies++;
		err = 0;
	}
	if (q->hungry && !waits) {
		q->hungry = false;
		wake = true;
	}
	spin_unlock(&q->lock);
	if (err)
		consume_skb(skb);
	if (wake)
		vhc_vq_wake(vhv_vq(v, VSOCK_VQ_RX));
	else if (waits && !timer_pending(&q->timer))
		mod_timer(&q->timer, jiffies + 1);
	return 0;
refuse:
	/* If it is new: nobody else would find it before the guest takes something. */
	if (flow && !flow->nr)
		put(q, flow);
	spin_unlock(&q->lock);
	kfree_skb(skb);
	return err;
}

/* Locked. A packet leaves its flow unsent. */
static void remove(struct vhv_sendq *q, struct vhv_flow *flow, struct sk_buff *skb,
		   struct sk_buff_head *to)
{
	__skb_unlink(skb, &flow->packets);
	account(q, flow, -1, -left_of(skb));
	if (virtio_vsock_skb_reply(skb))
		q->replies--;
	__skb_queue_tail(to, skb);
}

/* Locked. Whether the transmit queue has to be woken. */
static bool release_tx(struct vhv_sendq *q)
{
	if (!q->tx_waits || q->replies >= VHV_REPLIES_MAX)
		return false;
	q->tx_waits = false;
	return true;
}

/* Forget the packets of a socket. */
void vhv_sendq_cancel(struct vhv_vsock *v, const struct sock *sk)
{
	struct vhv_sendq *q = &v->sendq;
	struct sk_buff_head gone;
	struct sk_buff *skb, *next;
	struct vhv_flow *flow;
	bool wake;

	__skb_queue_head_init(&gone);
	spin_lock(&q->lock);
	list_for_each_entry(flow, &q->turns, turn) {
		skb_queue_walk_safe(&flow->packets, skb, next) {
			if (skb->sk == sk)
				remove(q, flow, skb, &gone);
		}
	}
	wake = release_tx(q);
	spin_unlock(&q->lock);
	if (wake)
		vhc_vq_wake(vhv_vq(v, VSOCK_VQ_TX));
	__skb_queue_purge(&gone);
}

/*
 * Forget all packets but those for CID @keep. The receive queue is locked, so
 * nobody is in turn.
 */
void vhv_sendq_purge(struct vhv_vsock *v, u32 keep)
{
	struct vhv_sendq *q = &v->sendq;
	struct vhv_flow *flow, *next_flow;
	struct sk_buff_head gone;
	struct sk_buff *skb, *next;
	bool wake;

	__skb_queue_head_init(&gone);
	spin_lock(&q->lock);
	list_for_each_entry_safe(flow, next_flow, &q->turns, turn) {
		skb_queue_walk_safe(&flow->packets, skb, next) {
			if (!keep || le64_to_cpu(virtio_vsock_hdr(skb)->dst_cid) != keep)
				remove(q, flow, skb, &gone);
		}
		if (skb_queue_empty(&flow->packets))
			put(q, flow);
	}
	wake = release_tx(q);
	spin_unlock(&q->lock);
	if (wake)
		vhc_vq_wake(vhv_vq(v, VSOCK_VQ_TX));
	/* As if sent: who waits until it is would wait in vain. */
	while ((skb = __skb_dequeue(&gone)))
		virtio_transport_consume_skb_sent(skb, true);
}

/* Whether the one packet tells all that the one before it does; made so if need be. */
static bool covers(struct sk_buff *newer, struct sk_buff *older)
{
	if (newer->sk != older->sk || is_op(newer, VIRTIO_VSOCK_OP_RST))
		return false;
	if (is_op(newer, VIRTIO_VSOCK_OP_SHUTDOWN) && is_op(older, VIRTIO_VSOCK_OP_SHUTDOWN)) {
		virtio_vsock_hdr(newer)->flags |= virtio_vsock_hdr(older)->flags;
		return true;
	}
	return is_credit_update(older);
}

/*
 * Locked. What is left of a turn and what came meanwhile are about to be one queue:
 * where they meet there may be two that would be one. The older one, to be freed.
 */
static struct sk_buff *take_stale(struct vhv_sendq *q, struct vhv_turn *t)
{
	struct sk_buff *older = skb_peek_tail(&t->packets);
	struct sk_buff *newer = skb_peek(&t->flow->packets);

	if (!older || !newer || !covers(newer, older))
		return NULL;
	__skb_unlink(older, &t->packets);
	account(q, t->flow, -1, 0);
	if (virtio_vsock_skb_reply(older))
		q->replies--;
	return older;
}

/*
 * Locked. Account for what was sent in a turn, and give back the rest. Returns a
 * packet to be freed without the lock, or NULL.
 */
static struct sk_buff *end(struct vhv_sendq *q, struct vhv_turn *t)
{
	struct sk_buff *stale = take_stale(q, t);
	struct vhv_flow *flow = t->flow;

	account(q, flow, -t->nr_sent, -t->bytes_sent);
	q->replies -= t->replies_sent;
	flow->deficit -= t->cost;
	if (t->nr_sent)
		*told(q, &flow->key) = (struct vhv_told){ flow->key, t->fwd_cnt };
	skb_queue_splice_init(&t->packets, &flow->packets);
	if (skb_queue_empty(&flow->packets))
		put(q, flow);
	t->flow = NULL;
	t->nr_sent = 0;
	t->bytes_sent = 0;
	t->cost = 0;
	t->replies_sent = 0;
	return stale;
}

/**
 * vhv_sendq_next() - end a turn, and begin the next one
 * @v: the device, its receive queue locked
 * @t: the turn; all 0 for the first one
 *
 * Return: false if there is no packet; the receive queue is woken for the next.
 */
bool vhv_sendq_next(struct vhv_vsock *v, struct vhv_turn *t)
{
	struct vhv_sendq *q = &v->sendq;
	struct sk_buff *stale = NULL;
	struct vhv_flow *flow;
	bool wake;

	spin_lock(&q->lock);
	if (t->flow)
		stale = end(q, t);
	else
		__skb_queue_head_init(&t->packets);
	while ((flow = list_first_entry_or_null(&q->turns, struct vhv_flow, turn))) {
		if (skb_queue_empty(&flow->packets)) {
			/* They were cancelled. */
			put(q, flow);
			continue;
		}
		if (flow->deficit > 0)
			break;
		flow->deficit += QUANTUM;
		list_move_tail(&flow->turn, &q->turns);
	}
	if (flow) {
		t->flow = flow;
		skb_queue_splice_init(&flow->packets, &t->packets);
	} else {
		q->hungry = true;
	}
	wake = release_tx(q);
	spin_unlock(&q->lock);
	if (wake)
		vhc_vq_wake(vhv_vq(v, VSOCK_VQ_TX));
	consume_skb(stale);
	return flow;
}

/* End a turn, with none behind it. */
void vhv_sendq_end(struct vhv_vsock *v, struct vhv_turn *t)
{
	struct vhv_sendq *q = &v->sendq;
	struct sk_buff *stale;
	bool wake;

	if (!t->flow)
		return;
	spin_lock(&q->lock);
	stale = end(q, t);
	wake = release_tx(q);
	spin_unlock(&q->lock);
	if (wake)
		vhc_vq_wake(vhv_vq(v, VSOCK_VQ_TX));
	consume_skb(stale);
}

/*
 * Whether the guest may send on: what it sends may have to be answered, and a
 * guest that takes no answers must not fill our memory with them. If not, its
 * transmit queue is woken later.
 */
bool vhv_sendq_has_room(struct vhv_vsock *v)
{
	struct vhv_sendq *q = &v->sendq;
	bool room;

	if (likely(READ_ONCE(q->replies) < VHV_REPLIES_MAX))
		return true;
	spin_lock(&q->lock);
	room = q->replies < VHV_REPLIES_MAX;
	q->tx_waits = !room;
	spin_unlock(&q->lock);
	return room;
}

/*
 * Whether so much of a guest's waits for another one that it should open no
 * connections to it: a look without the lock, which may be a packet wrong.
 */
bool vhv_sendq_is_crowded(struct vhv_vsock *v, u32 cid)
{
	return READ_ONCE(sender(&v->sendq, cid)->packets) >= VHV_SENDER_PACKETS / 2;
}
