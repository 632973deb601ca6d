// SPDX-License-Identifier: GPL-2.0
/*
 * Large writes to a stream: as the kernel's virtio_transport_stream_enqueue(), but
 * into pages that are used again (pool.c). All others are the kernel's.
 */
#include <net/af_vsock.h>

#include "vsock.h"

/* A packet with room for data, in pages of the guest's pool; or NULL. */
static struct sk_buff *alloc_pooled(struct vsock_sock *vsk, u32 len)
{
	struct sk_buff *skb = virtio_vsock_alloc_skb(VHV_HDR_LEN, GFP_KERNEL);
	struct vhv_vsock *v;
	bool got = false;

	if (!skb)
		return NULL;
	rcu_read_lock();
	v = vhv_cid_find(vsk->remote_addr.svm_cid, vhc_vsock_net(vsk));
	if (v) {
		spin_lock(&v->rx_pool_lock);
		got = vhv_pool_add(&v->rx_pool, skb, len, GFP_NOWAIT);
		spin_unlock(&v->rx_pool_lock);
	}
	rcu_read_unlock();
	if (got)
		return skb;
	kfree_skb(skb);
	return NULL;
}

/* All of it, or nothing is taken. */
static bool fill_pooled(struct sk_buff *skb, struct iov_iter *from)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	size_t before = iov_iter_count(from);
	unsigned int i;

	for (i = 0; i < si->nr_frags; i++) {
		const skb_frag_t *frag = &si->frags[i];
		size_t len = skb_frag_size(frag);

		if (copy_from_iter(skb_frag_address(frag), len, from) != len) {
			iov_iter_revert(from, before - iov_iter_count(from));
			return false;
		}
	}
	return true;
}

/* A packet with @len bytes of a message, or an error pointer. */
static struct sk_buff *make(struct vsock_sock *vsk, struct msghdr *msg, u32 len)
{
	struct sk_buff *skb = alloc_pooled(vsk, len);
	bool whole;

	if (skb) {
		whole = fill_pooled(skb, &msg->msg_iter);
	} else {
		skb = virtio_vsock_alloc_skb(VHV_HDR_LEN + len, GFP_KERNEL);
		if (!skb)
			return ERR_PTR(-ENOMEM);
		virtio_vsock_skb_put(skb, len);
		whole = !skb_copy_datagram_from_iter_full(skb, 0, &msg->msg_iter, len);
	}
	if (whole)
		return skb;
	kfree_skb(skb);
	return ERR_PTR(-EFAULT);
}

static int send(struct vsock_sock *vsk, struct sk_buff *skb, u32 len)
{
	*virtio_vsock_hdr(skb) = (struct virtio_vsock_hdr){
		.src_cid = cpu_to_le64(VHV_HOST_CID),
		.dst_cid = cpu_to_le64(vsk->remote_addr.svm_cid),
		.src_port = cpu_to_le32(vsk->local_addr.svm_port),
		.dst_port = cpu_to_le32(vsk->remote_addr.svm_port),
		.len = cpu_to_le32(len),
		.type = cpu_to_le16(VIRTIO_VSOCK_TYPE_STREAM),
		.op = cpu_to_le16(VIRTIO_VSOCK_OP_RW),
	};
	skb_set_owner_w(skb, sk_vsock(vsk));
	virtio_transport_inc_tx_pkt(vsk->trans, skb);
	return vhv_transport_send(skb, vhc_vsock_net(vsk));
}

/**
 * vhv_enqueue_stream() - send data of a stream socket, within its credit
 * @vsk: the socket, locked
 * @msg: the data
 * @len: bytes of it
 *
 * Context: process, may sleep.
 * Return: bytes that were taken, 0 if there is no credit, or an errno.
 */
ssize_t vhv_enqueue_stream(struct vsock_sock *vsk, struct msghdr *msg, size_t len)
{
	u32 credit, left;
	int err = 0;

	if (len < VHV_POOL_MIN || msg->msg_flags & MSG_ZEROCOPY)
		return virtio_transport_stream_enqueue(vsk, msg, len);
	credit = virtio_transport_get_credit(vsk->trans, min_t(size_t, len, U32_MAX));
	left = credit;
	while (left) {
		u32 n = min_t(u32, left, VIRTIO_VSOCK_MAX_PKT_BUF_SIZE);
		struct sk_buff *skb = make(vsk, msg, n);

		if (IS_ERR(skb)) {
			err = PTR_ERR(skb);
			break;
		}
		err = send(vsk, skb, n);
		if (err < 0)
			break;
		left -= n;
	}
	virtio_transport_put_credit(vsk->trans, left);
	if (left == credit)
		return err;
	return credit - left;
}
