// SPDX-License-Identifier: GPL-2.0
/*
 * Transmit: from the guest's ring to sockets of the host.
 *
 * A batch of chains is fetched. Of each, the header is copied and checked, the
 * payload is copied into a packet, and the kernel's virtio_transport_common
 * finds the socket and does the rest. Its answers go to the guest by sendq.c;
 * when too many of them wait there, nothing is taken from the guest.
 *
 * A bad packet is dropped under its rejection's name, the chain used.
 */
#include "vsock.h"

enum received {
	RECEIVED,	/* or dropped: the chain is done with */
	NO_MEMORY,	/* at the moment */
	BROKEN,		/* the queue is */
};

/* Payload of a packet; the chain has as much. */
static bool read_payload(struct sk_buff *skb, struct vhc_walk *w, u32 len)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	unsigned int i;

	if (!skb_is_nonlinear(skb))
		return vhc_walk_read(w, skb->data, len);
	for (i = 0; i < si->nr_frags; i++) {
		const skb_frag_t *frag = &si->frags[i];

		if (!vhc_walk_read(w, skb_frag_address(frag), skb_frag_size(frag)))
			return false;
	}
	return true;
}

/* Flags that a packet may have. */
static u32 flags_of(const struct virtio_vsock_hdr *hdr)
{
	switch (le16_to_cpu(hdr->op)) {
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		return VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND;
	case VIRTIO_VSOCK_OP_RW:
		return hdr->type == cpu_to_le16(VIRTIO_VSOCK_TYPE_SEQPACKET) ?
			VIRTIO_VSOCK_SEQ_EOM | VIRTIO_VSOCK_SEQ_EOR : 0;
	}
	return 0;
}

static void reject(struct vhv_vsock *v, enum vhv_rejection r)
{
	vhc_vq_reject(vhv_vq(v, VSOCK_VQ_TX), r);
}

/* Nobody is there: a reset, unless that is what came. */
static void answer_reset(struct vhv_vsock *v, const struct virtio_vsock_hdr *hdr)
{
	struct sk_buff *skb;

	if (hdr->op == cpu_to_le16(VIRTIO_VSOCK_OP_RST))
		return;
	skb = virtio_vsock_alloc_skb(sizeof(*hdr), GFP_KERNEL);
	if (!skb)
		return;
	*virtio_vsock_hdr(skb) = (struct virtio_vsock_hdr){
		.src_cid = hdr->dst_cid,
		.dst_cid = hdr->src_cid,
		.src_port = hdr->dst_port,
		.dst_port = hdr->src_port,
		.type = hdr->type,
		.op = cpu_to_le16(VIRTIO_VSOCK_OP_RST),
	};
	virtio_vsock_skb_set_reply(skb);
	vhv_sendq_add(v, skb);
}

/*
 * Check a header, of which we have a copy. Flags that the operation does not
 * have are taken away: to drop data would do a stream more harm. A type that is
 * not known is answered with a reset (virtio 1.3, section 5.10.6.4).
 *
 * Return: whether the packet is good.
 */
static bool check(struct vhv_vsock *v, const struct vhc_chain *c,
		  struct virtio_vsock_hdr *hdr)
{
	u32 len = le32_to_cpu(hdr->len);
	u16 op = le16_to_cpu(hdr->op);
	u32 flags;

	if (unlikely(len > c->out_len - VHV_HDR_LEN)) {
		reject(v, VHV_R_TX_LEN);
		return false;
	}
	if (unlikely(!v->cid || le64_to_cpu(hdr->src_cid) != v->cid->cid)) {
		reject(v, VHV_R_TX_SRC);
		return false;
	}
	if (unlikely(op == VIRTIO_VSOCK_OP_INVALID || op > VIRTIO_VSOCK_OP_CREDIT_REQUEST)) {
		reject(v, VHV_R_TX_OP);
		return false;
	}
	if (unlikely(len && op != VIRTIO_VSOCK_OP_RW)) {
		reject(v, VHV_R_TX_PAYLOAD);
		return false;
	}
	if (unlikely(hdr->type != cpu_to_le16(VIRTIO_VSOCK_TYPE_STREAM) &&
		     hdr->type != cpu_to_le16(VIRTIO_VSOCK_TYPE_SEQPACKET))) {
		reject(v, VHV_R_TX_TYPE);
		answer_reset(v, hdr);
		return false;
	}
	flags = flags_of(hdr);
	if (unlikely(le32_to_cpu(hdr->flags) & ~flags)) {
		reject(v, VHV_R_TX_FLAGS);
		hdr->flags &= cpu_to_le32(flags);
	}
	return true;
}

static bool to_host(const struct virtio_vsock_hdr *hdr)
{
	return hdr->dst_cid == cpu_to_le64(VHV_HOST_CID);
}

/*
 * Bytes to have for a packet: between guests small ones get room for those
 * behind them (sendq.c).
 */
static size_t size_of(const struct virtio_vsock_hdr *hdr, u32 len)
{
	if (!to_host(hdr) && len && len <= VHV_SMALL)
		len = 8 * VHV_SMALL;
	return sizeof(*hdr) + len;
}

/* A packet for another guest. */
static void forward(struct vhv_vsock *v, const struct virtio_vsock_hdr *hdr,
		    struct sk_buff *skb)
{
	enum vhv_rejection r = vhv_group_forward(v, skb);

	if (likely(r == VHV_R_NR)) {
		v->counter[VSOCK_VQ_TX][VHV_C_FORWARDED]++;
		return;
	}
	/* Resets that cross are nobody's fault. */
	if (r != VHV_R_TX_STRAY || hdr->op != cpu_to_le16(VIRTIO_VSOCK_OP_RST))
		reject(v, r);
	if (r != VHV_R_TX_CREDIT)
		answer_reset(v, hdr);
}

/* A packet with room for its data, in memory that the kernel can write to. */
static struct sk_buff *alloc(struct vhv_vsock *v, const struct virtio_vsock_hdr *hdr, u32 len)
{
	struct sk_buff *skb;

	if (len >= VHV_POOL_MIN) {
		skb = virtio_vsock_alloc_skb(VHV_HDR_LEN, GFP_KERNEL);
		if (skb && vhv_pool_add(&v->tx_pool, skb, len, GFP_KERNEL_ACCOUNT))
			return skb;
		kfree_skb(skb);
	}
	skb = virtio_vsock_alloc_skb(size_of(hdr, len), GFP_KERNEL);
	if (skb && len)
		virtio_vsock_skb_put(skb, len);
	return skb;
}

/* Take one packet. */
static enum received receive(struct vhv_vsock *v, const struct vhc_chain *c)
{
	struct vhc_walk from = { .iov = c->iov };
	struct virtio_vsock_hdr hdr;
	struct sk_buff *skb;
	u32 len;

	if (unlikely(c->nr_in)) {
		reject(v, VHV_R_TX_WRITABLE);
		return RECEIVED;
	}
	if (unlikely(c->out_len < sizeof(hdr))) {
		reject(v, VHV_R_TX_SHORT);
		return RECEIVED;
	}
	if (unlikely(c->out_len > sizeof(hdr) + VIRTIO_VSOCK_MAX_PKT_BUF_SIZE)) {
		reject(v, VHV_R_TX_LONG);
		return RECEIVED;
	}
	if (unlikely(!vhc_walk_read(&from, &hdr, sizeof(hdr))))
		goto fault;
	if (unlikely(!check(v, c, &hdr)))
		return RECEIVED;
	len = le32_to_cpu(hdr.len);
	skb = alloc(v, &hdr, len);
	if (unlikely(!skb))
		return NO_MEMORY;
	*virtio_vsock_hdr(skb) = hdr;
	if (unlikely(len && !read_payload(skb, &from, len))) {
		kfree_skb(skb);
		goto fault;
	}
	if (unlikely(!to_host(&hdr))) {
		forward(v, &hdr, skb);
		return RECEIVED;
	}
	virtio_transport_deliver_tap_pkt(skb);
	v->counter[VSOCK_VQ_TX][VHV_C_PACKETS]++;
	virtio_transport_recv_pkt(&vhv_transport, skb, v->net);
	return RECEIVED;
fault:
	vhc_vq_data_fault(vhv_vq(v, VSOCK_VQ_TX));
	return BROKEN;
}

/* Queue locked, on the worker. */
enum vhc_verdict vhv_tx_run(struct vhv_vsock *v)
{
	struct vhc_vq *vq = vhv_vq(v, VSOCK_VQ_TX);
	unsigned int packets = 0;
	size_t bytes = 0;

	while (packets < VHV_WEIGHT_PACKETS && bytes < VHV_WEIGHT_BYTES) {
		enum received received = RECEIVED;
		struct vhc_chain *chains;
		bool room = true;
		int i, n;

		n = vhc_vq_fetch(vq, VHC_BATCH, &chains);
		if (n <= 0)
			return n == -EAGAIN ? VHC_WAIT_ADDRESS : VHC_WAIT_GUEST;
		for (i = 0; i < n && bytes < VHV_WEIGHT_BYTES; i++) {
			room = vhv_sendq_has_room(v);
			if (!room)
				break;
			received = receive(v, &chains[i]);
			if (received != RECEIVED)
				break;
			bytes += chains[i].out_len;
		}
		vhc_vq_unfetch(vq, chains + i, n - i);
		/* Those before a fault were taken: say so. */
		if (i && (vhc_vq_put(vq, chains, i) || vhc_vq_publish(vq) < 0))
			return VHC_WAIT_GUEST;
		packets += i;
		if (received == BROKEN)
			return VHC_WAIT_GUEST;
		if (!room) {
			v->counter[VSOCK_VQ_TX][VHV_C_REPLIES_FULL]++;
			return VHC_WAIT_BACKEND;
		}
		if (received == NO_MEMORY) {
			v->counter[VSOCK_VQ_TX][VHV_C_NO_MEMORY]++;
			return VHC_MORE;
		}
		if (n < VHC_BATCH && i == n)
			return VHC_WAIT_GUEST;
		if (vhc_turn_is_over(vq, packets))
			break;
	}
	return VHC_MORE;
}
