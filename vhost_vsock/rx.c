// SPDX-License-Identifier: GPL-2.0
/*
 * Receive: from sockets of the host to the guest's ring.
 *
 * Connections take turns (sendq.c). In its turn a connection fills receive
 * chains, each to its end: a large packet goes in pieces, and of a stream
 * several small packets go together, which for the guest is one packet of
 * theirs. Chains are put in a row and published once a batch, and the packets
 * are freed, which may wake their senders, when the guest has been told.
 */
#include <linux/uio.h>

#include "vsock.h"

/* What a chain costs a connection in its turn, beside its bytes. */
#define CHAIN_COST	20

/* Where to write next in a chain, and how much of it is left. */
struct sink {
	struct vhc_walk at;
	size_t room;
};

/* Chains at hand: @used of @nr are done with. @put were put since the last publish. */
struct hand {
	struct vhc_chain *chain;
	unsigned int nr;
	unsigned int used;
	unsigned int put;
	unsigned int want;
};

static bool sink_write(struct sink *s, const void *src, size_t len)
{
	s->room -= len;
	return vhc_walk_write(&s->at, src, len);
}

/* The kernel's own way, for what is not where we can read it. */
static bool sink_iter(struct sink *s, const struct vhc_chain *c, struct sk_buff *skb,
		      u32 off, u32 len)
{
	const struct iovec *iov = s->at.iov;
	struct iov_iter to;
	size_t n;

	iov_iter_init(&to, ITER_DEST, iov, c->iov + c->nr_in - iov, s->at.off + s->room);
	iov_iter_advance(&to, s->at.off);
	if (skb_copy_datagram_iter(skb, off, &to, len))
		return false;
	s->room -= len;
	for (; len; len -= n)
		vhc_walk_piece(&s->at, len, &n);
	return true;
}

/* @len bytes of payload from @off on. */
static bool sink_packet(struct sink *s, const struct vhc_chain *c, struct sk_buff *skb,
			u32 off, u32 len)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	u32 before = 0;
	unsigned int i;

	if (!skb_is_nonlinear(skb))
		return sink_write(s, skb->data + off, len);
	if (unlikely(skb_headlen(skb) || skb_has_frag_list(skb)))
		return sink_iter(s, c, skb, off, len);
	for (i = 0; len; i++) {
		const skb_frag_t *frag = &si->frags[i];
		u32 size = skb_frag_size(frag), n;
		void *data;

		if (off >= size) {
			off -= size;
			before += size;
			continue;
		}
		n = min(len, size - off);
		data = skb_frag_address_safe(frag);
		if (unlikely(!data)) {
			/* In high memory. */
			if (!sink_iter(s, c, skb, before + off, n))
				return false;
		} else if (!sink_write(s, data + off, n)) {
			return false;
		}
		len -= n;
		off = 0;
		before += size;
	}
	return true;
}

static u32 *offset_of(struct sk_buff *skb)
{
	return &VIRTIO_VSOCK_SKB_CB(skb)->offset;
}

/*
 * Those who watch (vsockmon) see packets as they were sent, in the pieces that
 * they went in.
 */
static void show(struct sk_buff *skb, u32 len)
{
	virtio_vsock_hdr(skb)->len = cpu_to_le32(len);
	virtio_transport_deliver_tap_pkt(skb);
	virtio_vsock_skb_clear_tap_delivered(skb);
}

/* A packet was sent to its end. */
static void sent(struct vhv_turn *t, struct sk_buff *skb, struct sk_buff_head *done)
{
	t->nr_sent++;
	t->fwd_cnt = le32_to_cpu(virtio_vsock_hdr(skb)->fwd_cnt);
	if (virtio_vsock_skb_reply(skb))
		t->replies_sent++;
	__skb_unlink(skb, &t->packets);
	__skb_queue_tail(done, skb);
}

/* How much of the packets in turn goes into a chain that has @room for data. */
static u32 measure(const struct vhv_turn *t, u32 room, struct sk_buff **last)
{
	struct sk_buff *skb = skb_peek(&t->packets);
	u32 len = skb->len - *offset_of(skb);

	*last = skb;
	if (!vhv_is_stream_data(skb))
		return min(len, room);
	while (len < room) {
		skb = skb_peek_next(skb, &t->packets);
		if (!skb || !vhv_is_stream_data(skb))
			break;
		*last = skb;
		len += skb->len;
	}
	return min(len, room);
}

/*
 * Fill a chain. Its header is that of the last packet in it, which has the
 * newest credit; flags that end a message come with the message's end only.
 *
 * Return: false on a fault, with the packets as they were.
 */
static bool fill(struct vhv_vsock *v, struct vhv_turn *t, struct vhc_chain *c,
		 struct sk_buff_head *done)
{
	struct sink s = { .at.iov = c->iov, .room = c->in_len };
	struct sk_buff *skb = skb_peek(&t->packets), *last;
	u32 len = measure(t, c->in_len - VHV_HDR_LEN, &last);
	struct virtio_vsock_hdr hdr = *virtio_vsock_hdr(last);
	u32 left = len;
	struct sk_buff *p;

	hdr.len = cpu_to_le32(len);
	if (skb == last && len < skb->len - *offset_of(skb) &&
	    hdr.op == cpu_to_le16(VIRTIO_VSOCK_OP_RW))
		hdr.flags = 0;
	if (unlikely(!sink_write(&s, &hdr, sizeof(hdr))))
		return false;
	for (p = skb; left; p = skb_peek_next(p, &t->packets)) {
		u32 n = min(left, p->len - *offset_of(p));

		if (unlikely(!sink_packet(&s, c, p, *offset_of(p), n)))
			return false;
		left -= n;
	}
	c->written = sizeof(hdr) + len;

	/* All of it is there: now the packets may go. */
	for (left = len;;) {
		u32 n = min(left, skb->len - *offset_of(skb));

		show(skb, n);
		*offset_of(skb) += n;
		left -= n;
		t->bytes_sent += n;
		if (*offset_of(skb) < skb->len) {
			v->counter[VSOCK_VQ_RX][VHV_C_SPLIT]++;
			break;
		}
		sent(t, skb, done);
		v->counter[VSOCK_VQ_RX][VHV_C_PACKETS]++;
		if (!left)
			break;
		v->counter[VSOCK_VQ_RX][VHV_C_MERGED]++;
		skb = skb_peek(&t->packets);
	}
	return true;
}

/* Whether a chain is one to receive the next packet in. */
static bool usable(struct vhv_vsock *v, const struct vhv_turn *t, const struct vhc_chain *c)
{
	if (unlikely(c->nr_out)) {
		vhc_vq_reject(vhv_vq(v, VSOCK_VQ_RX), VHV_R_RX_READABLE);
		return false;
	}
	if (unlikely(c->in_len < VHV_HDR_LEN + !!skb_peek(&t->packets)->len)) {
		vhc_vq_reject(vhv_vq(v, VSOCK_VQ_RX), VHV_R_RX_SMALL);
		return false;
	}
	return true;
}

/* Lay down what is at hand. Return: whether the queue is still whole. */
static bool lay_down(struct vhv_vsock *v, struct hand *h)
{
	struct vhc_vq *vq = vhv_vq(v, VSOCK_VQ_RX);
	unsigned int used = h->used;

	vhc_vq_unfetch(vq, h->chain + used, h->nr - used);
	h->nr = 0;
	h->used = 0;
	h->put += used;
	return !used || !vhc_vq_put(vq, h->chain, used);
}

/* Show the guest what it got; then there is time to tell the senders. */
static bool publish(struct vhv_vsock *v, struct hand *h, struct sk_buff_head *done)
{
	bool whole = lay_down(v, h) && vhc_vq_publish(vhv_vq(v, VSOCK_VQ_RX)) >= 0;
	struct sk_buff *skb;

	h->put = 0;
	while ((skb = __skb_dequeue(done)))
		virtio_transport_consume_skb_sent(skb, true);
	return whole;
}

/*
 * As many chains as the waiting packets may take, given the size of the last
 * one; the more the more often that was too few.
 */
static unsigned int wanted(const struct vhv_sendq *q, struct hand *h, unsigned int room)
{
	unsigned int n = READ_ONCE(q->bytes) / room + READ_ONCE(q->nr_flows);

	h->want = min_t(unsigned int, max(n, 2 * h->want), VHC_BATCH);
	return h->want;
}

/* Return: as vhc_vq_fetch(). */
static int refill(struct vhv_vsock *v, struct hand *h, unsigned int room,
		  struct sk_buff_head *done)
{
	int n;

	if (!lay_down(v, h) || (h->put >= VHC_BATCH && !publish(v, h, done)))
		return -EPROTO;
	n = vhc_vq_fetch(vhv_vq(v, VSOCK_VQ_RX), wanted(&v->sendq, h, room), &h->chain);
	h->nr = max(n, 0);
	return n;
}

/* A connection that is alone need not end its turn. */
static bool turn_is_over(const struct vhv_sendq *q, struct vhv_turn *t)
{
	if (!t->flow || skb_queue_empty(&t->packets))
		return true;
	if (t->cost < t->flow->deficit)
		return false;
	if (READ_ONCE(q->nr_flows) > 1)
		return true;
	t->cost = 0;
	return false;
}

/* Queue locked, on the worker. */
enum vhc_verdict vhv_rx_run(struct vhv_vsock *v)
{
	struct vhc_vq *vq = vhv_vq(v, VSOCK_VQ_RX);
	enum vhc_verdict end = VHC_MORE;
	unsigned int room = 4096, packets = 0;
	struct sk_buff_head done;
	struct vhv_turn turn = {};
	struct hand h = {};
	size_t bytes = 0;

	__skb_queue_head_init(&done);
	while (packets < VHV_WEIGHT_PACKETS && bytes < VHV_WEIGHT_BYTES) {
		struct vhc_chain *c;

		if (turn_is_over(&v->sendq, &turn) && !vhv_sendq_next(v, &turn)) {
			end = VHC_WAIT_BACKEND;
			break;
		}
		if (h.used == h.nr) {
			int n;

			if (vhc_turn_is_over(vq, packets))
				break;
			n = refill(v, &h, room, &done);
			if (n <= 0) {
				end = n == -EAGAIN ? VHC_WAIT_ADDRESS : VHC_WAIT_GUEST;
				break;
			}
		}
		c = &h.chain[h.used];
		packets++;
		if (unlikely(!usable(v, &turn, c))) {
			h.used++;
			continue;
		}
		if (unlikely(!fill(v, &turn, c, &done))) {
			c->written = 0;
			vhc_vq_data_fault(vq);
			end = VHC_WAIT_GUEST;
			break;
		}
		room = c->in_len;
		turn.cost += c->written + CHAIN_COST;
		bytes += c->written;
		h.used++;
	}
	vhv_sendq_end(v, &turn);
	publish(v, &h, &done);
	return end;
}
