// SPDX-License-Identifier: GPL-2.0
/*
 * Transmit: from the guest's ring to the backend.
 *
 * A batch of chains is fetched. Small packets are copied into buffers and go to
 * the tap all at once (TUN_MSG_PTR); a large one - a TSO packet, as a rule -
 * goes straight from the guest's pages into an skb of the backend's making, by
 * itself, after the small ones before it. Then the whole batch is used,
 * published and signalled.
 *
 * A bad packet costs its sender that packet: the chain is used, the rejection
 * counted. When the backend has no room the chain stays in the ring, and the
 * backend's event brings us back.
 */
#include <linux/etherdevice.h>
#include <linux/skbuff.h>
#include <net/sock.h>

#include "net.h"

/* Room in front of a packet that the stack likes to find. */
#define FRAME_PAD	(NET_IP_ALIGN + NET_SKB_PAD)

/* The longest header, and what tun may want in front of it. */
#define HDR_MAX		MAX(sizeof(struct virtio_net_hdr_mrg_rxbuf), VHC_NET_TUNNEL_HDR)

static void reject(struct vhn_tx *tx, enum vhn_rejection r)
{
	vhc_vq_reject(tx->q.vq, r);
}

/* Copy the first @len bytes of a chain; it has as many to read. */
static bool copy_out(const struct vhc_chain *c, void *dst, size_t len)
{
	const struct iovec *iov = c->iov;

	for (;;) {
		size_t n = min(len, iov->iov_len);

		if (!vhc_copy_from_user(dst, iov->iov_base, n))
			return false;
		len -= n;
		if (likely(!len))
			return true;
		dst += n;
		iov++;
	}
}

/*
 * A header that wants a checksum must place it inside the packet, and its
 * hdr_len must reach as far. Backends take the header as linear from here.
 */
static bool fix_header(struct virtio_net_hdr *hdr, size_t len)
{
	u32 end;

	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	end = le16_to_cpu((__force __le16)hdr->csum_start) +
	      le16_to_cpu((__force __le16)hdr->csum_offset) + 2;
	if (end > len)
		return false;
	if (end > le16_to_cpu((__force __le16)hdr->hdr_len))
		hdr->hdr_len = (__force __virtio16)cpu_to_le16(end);
	return true;
}

/* Hand over the buffers filled so far. */
static void flush(struct vhn_tx *tx)
{
	struct tun_msg_ctl ctl = {
		.type = TUN_MSG_PTR,
		.num = tx->nr_xdp,
		.ptr = tx->xdp,
	};
	struct msghdr msg = {
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
		.msg_flags = MSG_DONTWAIT,
	};
	struct socket *sock = tx->q.backend.sock;
	unsigned int i;

	if (!tx->nr_xdp)
		return;
	if (sock->ops->sendmsg(sock, &msg, 0) < 0) {
		/* The device is gone; it took none of them. */
		for (i = 0; i < tx->nr_xdp; i++)
			vhn_frag_free(tx->xdp[i].data);
		tx->q.counter[VHN_C_DROPPED] += tx->nr_xdp;
	} else {
		tx->q.counter[VHN_C_BATCHED] += tx->nr_xdp;
	}
	tx->nr_xdp = 0;
}

enum sent {
	SENT,		/* or dropped: the chain is done with */
	TOO_LARGE,	/* for a buffer */
	NO_ROOM,	/* in the backend */
	BROKEN,		/* the queue is */
};

/*
 * Copy a small packet into a buffer, header and frame in one go, then the
 * header to where tun looks for it. The copy's length is a constant that fits
 * in the headroom and covers any header.
 *
 *	hard_start				data
 *	| header for tun | ... headroom | header | frame ... | skb_shared_info |
 */
static enum sent send_small(struct vhn_tx *tx, const struct vhc_chain *c, size_t hlen,
			    size_t len)
{
	const struct vhn_queue *q = &tx->q;
	size_t pad = tx->pad;
	/* As wide as @len: a chain of almost 4 GiB must not wrap to a small one. */
	size_t buflen = SKB_DATA_ALIGN(len + pad) +
			SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	struct xdp_buff *xdp = &tx->xdp[tx->nr_xdp];
	struct virtio_net_hdr *hdr;
	void *buf;

	BUILD_BUG_ON(sizeof(int) + HDR_MAX > FRAME_PAD);
	if (buflen > PAGE_SIZE)
		return TOO_LARGE;
	buf = vhn_frag_alloc(&tx->frag, buflen);
	/* Memory is in small pieces: the backend can do with such. */
	if (unlikely(!buf))
		return TOO_LARGE;

	if (unlikely(!copy_out(c, buf + pad - hlen, hlen + len))) {
		vhn_frag_unalloc(&tx->frag, buflen);
		vhc_vq_data_fault(q->vq);
		return BROKEN;
	}
	hdr = vhc_tun_frame_hdr(buf, buflen);
	if (likely(q->sock_hlen))
		memcpy(hdr, buf + pad - hlen, HDR_MAX);
	else
		memset(hdr, 0, HDR_MAX);
	if (unlikely(!fix_header(hdr, len))) {
		vhn_frag_unalloc(&tx->frag, buflen);
		reject(tx, VHN_R_TX_HDR);
		return SENT;
	}
	xdp_init_buff(xdp, buflen, NULL);
	xdp_prepare_buff(xdp, buf, pad, len, true);
	tx->nr_xdp++;
	return SENT;
}

/*
 * A packet by itself, from the guest's pages. Without MSG_MORE: what a tap holds
 * back for it counts against the send buffer that the rest waits for.
 */
static enum sent send_large(struct vhn_tx *tx, const struct vhc_chain *c)
{
	struct socket *sock = tx->q.backend.sock;
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	size_t len = c->out_len - tx->q.vhost_hlen;
	int n;

	iov_iter_init(&msg.msg_iter, ITER_SOURCE, c->iov, c->nr_out, c->out_len);
	iov_iter_advance(&msg.msg_iter, tx->q.vhost_hlen);
	n = sock->ops->sendmsg(sock, &msg, len);
	switch (n) {
	case -EAGAIN:
		return NO_ROOM;
	case -EFAULT:
		vhc_vq_data_fault(tx->q.vq);
		return BROKEN;
	case -EINVAL:
		reject(tx, VHN_R_TX_FRAME);
		return SENT;
	}
	/* As a wire would: what is lost is lost, and counted. */
	if (n < 0)
		tx->q.counter[VHN_C_DROPPED] += 1;
	return SENT;
}

static enum sent send(struct vhn_tx *tx, const struct vhc_chain *c, size_t hlen,
		      bool batch)
{
	enum sent sent;

	if (unlikely(c->nr_in)) {
		reject(tx, VHN_R_TX_WRITABLE);
		return SENT;
	}
	if (unlikely(c->out_len < hlen)) {
		reject(tx, VHN_R_TX_SHORT);
		return SENT;
	}
	if (unlikely(c->out_len - hlen - ETH_HLEN > GSO_MAX_SIZE)) {
		/*
		 * Shorter than a header (that wraps), or longer than any stack
		 * makes them. Backends have stumbled over both: tun counts in
		 * int, and gets sizes of small skbs out of almost 4 GiB.
		 */
		reject(tx, VHN_R_TX_FRAME);
		return SENT;
	}
	if (batch) {
		sent = send_small(tx, c, hlen, c->out_len - hlen);
		if (sent != TOO_LARGE)
			return sent;
		flush(tx);
	}
	return send_large(tx, c);
}

/* Wait for the backend's event; a race with it wakes us at once. */
static enum vhc_verdict wait_for_room(struct vhn_tx *tx)
{
	tx->q.counter[VHN_C_BACKEND_FULL] += 1;
	/* Where there is nothing to wait for the next packet is lost, and not us. */
	if (vhc_poll_start(&tx->q.poll, tx->q.backend.file))
		return VHC_MORE;
	return vhn_backend_has_room(&tx->q.backend) ? VHC_MORE : VHC_WAIT_BACKEND;
}

/* Queue locked, on the worker. */
enum vhc_verdict vhn_tx_run(struct vhn_tx *tx)
{
	struct vhn_queue *q = &tx->q;
	size_t hlen = q->vhost_hlen + q->sock_hlen;
	unsigned int packets = 0;
	size_t bytes = 0;
	bool batch;

	if (unlikely(q->poll.head))
		vhc_poll_stop(&q->poll);
	/*
	 * A batch is not charged to the socket's send buffer: only where that
	 * is unlimited, as for a tap that nobody limited, batches are allowed.
	 */
	batch = q->backend.kind != VHN_PACKET &&
		q->backend.sock->sk->sk_sndbuf == INT_MAX;
	tx->pad = SKB_DATA_ALIGN(FRAME_PAD + hlen +
				 (sock_flag(q->backend.sock->sk, SOCK_XDP) ?
				  XDP_PACKET_HEADROOM : 0));

	while (packets < VHN_WEIGHT_PACKETS && bytes < VHN_WEIGHT_BYTES) {
		struct vhc_chain *chains;
		enum sent sent = SENT;
		int i, n;

		n = vhc_vq_fetch(q->vq, VHC_BATCH, &chains);
		if (n <= 0)
			return n == -EAGAIN ? VHC_WAIT_ADDRESS : VHC_WAIT_GUEST;
		for (i = 0; i < n && bytes < VHN_WEIGHT_BYTES; i++) {
			sent = send(tx, &chains[i], hlen, batch);
			if (sent != SENT)
				break;
			bytes += chains[i].out_len;
		}
		flush(tx);
		if (sent == BROKEN) {
			vhc_vq_unfetch(q->vq, chains + i, n - i);
			/* Those before it were sent: say so. */
			vhc_vq_put(q->vq, chains, i);
			vhc_vq_publish(q->vq);
			q->counter[VHN_C_PACKETS] += i;
			return VHC_WAIT_GUEST;
		}
		if (i < n)
			vhc_vq_unfetch(q->vq, chains + i, n - i);
		if (i && (vhc_vq_put(q->vq, chains, i) ||
			  vhc_vq_publish(q->vq) < 0))
			return VHC_WAIT_GUEST;
		q->counter[VHN_C_PACKETS] += i;
		packets += i;
		if (sent == NO_ROOM)
			return wait_for_room(tx);
		if (n < VHC_BATCH && i == n)
			return VHC_WAIT_GUEST;
		if (vhc_turn_is_over(q->vq, packets))
			break;
	}
	return VHC_MORE;
}
