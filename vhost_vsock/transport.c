// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of AF_VSOCK: the transport from host to guests, as the socket
 * layer knows it. What is the same in all virtio transports - the state of a
 * connection, credit, queues of received data - the kernel has in
 * virtio_transport_common; ours is the way of a packet to the guest (sendq.c,
 * rx.c) and from it (tx.c).
 */
#include <linux/module.h>
#include <net/af_vsock.h>

#include "vsock.h"

static u32 get_local_cid(void)
{
	return VHV_HOST_CID;
}

/* Context: process; the socket's lock is held if there is one. Takes over @skb. */
int vhv_transport_send(struct sk_buff *skb, struct net *net)
{
	const struct virtio_vsock_hdr *hdr = virtio_vsock_hdr(skb);
	struct vhv_vsock *v;
	int len = skb->len;
	int err;

	rcu_read_lock();
	v = vhv_cid_find(le64_to_cpu(hdr->dst_cid), net);
	if (unlikely(!v)) {
		err = -ENODEV;
	} else if (unlikely(!READ_ONCE(v->running) &&
			    hdr->op == cpu_to_le16(VIRTIO_VSOCK_OP_REQUEST))) {
		/*
		 * Nobody listens in a guest without a driver. A guest that is
		 * just paused keeps what connections it has.
		 */
		err = -EHOSTUNREACH;
	} else {
		err = vhv_sendq_add(v, skb);
		rcu_read_unlock();
		return err ? err : len;
	}
	rcu_read_unlock();
	kfree_skb(skb);
	return err;
}

static int cancel_pkt(struct vsock_sock *vsk)
{
	struct sock *sk = sk_vsock(vsk);
	struct vhv_vsock *v;

	rcu_read_lock();
	v = vhv_cid_find(vsk->remote_addr.svm_cid, sock_net(sk));
	if (v)
		vhv_sendq_cancel(v, sk);
	rcu_read_unlock();
	return v ? 0 : -ENODEV;
}

static bool __maybe_unused has_remote_cid(struct vsock_sock *vsk, u32 cid)
{
	bool found;

	rcu_read_lock();
	found = vhv_cid_find(cid, sock_net(sk_vsock(vsk)));
	rcu_read_unlock();
	return found;
}

static bool stream_allow(struct vsock_sock *vsk, u32 cid, u32 port)
{
	return true;
}

static bool seqpacket_allow(struct vsock_sock *vsk, u32 cid)
{
	struct vhv_vsock *v;
	bool allow;

	rcu_read_lock();
	v = vhv_cid_find(cid, vhc_vsock_net(vsk));
	allow = v && READ_ONCE(v->seqpacket);
	rcu_read_unlock();
	return allow;
}

static bool msgzerocopy_allow(void)
{
	return true;
}

VHC_VSOCK_CALLBACKS(vhv_transport_send, stream_allow, seqpacket_allow)

struct virtio_transport vhv_transport = {
	.transport = {
		.module			  = THIS_MODULE,

		.get_local_cid		  = get_local_cid,

		.init			  = virtio_transport_do_socket_init,
		.destruct		  = virtio_transport_destruct,
		.release		  = virtio_transport_release,
		.connect		  = virtio_transport_connect,
		.shutdown		  = virtio_transport_shutdown,
		.cancel_pkt		  = cancel_pkt,

		.dgram_enqueue		  = virtio_transport_dgram_enqueue,
		.dgram_dequeue		  = virtio_transport_dgram_dequeue,
		.dgram_bind		  = virtio_transport_dgram_bind,
		.dgram_allow		  = virtio_transport_dgram_allow,

		.stream_enqueue		  = vhv_enqueue_stream,
		.stream_dequeue		  = virtio_transport_stream_dequeue,
		.stream_has_data	  = virtio_transport_stream_has_data,
		.stream_has_space	  = virtio_transport_stream_has_space,
		.stream_rcvhiwat	  = virtio_transport_stream_rcvhiwat,
		.stream_is_active	  = virtio_transport_stream_is_active,
		.stream_allow		  = vhc_vsock_stream_allow,

		.seqpacket_dequeue	  = virtio_transport_seqpacket_dequeue,
		.seqpacket_enqueue	  = virtio_transport_seqpacket_enqueue,
		.seqpacket_allow	  = vhc_vsock_seqpacket_allow,
		.seqpacket_has_data	  = virtio_transport_seqpacket_has_data,

		.msgzerocopy_allow	  = msgzerocopy_allow,

		.notify_poll_in		  = virtio_transport_notify_poll_in,
		.notify_poll_out	  = virtio_transport_notify_poll_out,
		.notify_recv_init	  = virtio_transport_notify_recv_init,
		.notify_recv_pre_block	  = virtio_transport_notify_recv_pre_block,
		.notify_recv_pre_dequeue  = virtio_transport_notify_recv_pre_dequeue,
		.notify_recv_post_dequeue = virtio_transport_notify_recv_post_dequeue,
		.notify_send_init	  = virtio_transport_notify_send_init,
		.notify_send_pre_block	  = virtio_transport_notify_send_pre_block,
		.notify_send_pre_enqueue  = virtio_transport_notify_send_pre_enqueue,
		.notify_send_post_enqueue = virtio_transport_notify_send_post_enqueue,
		.notify_buffer_size	  = virtio_transport_notify_buffer_size,
		.notify_set_rcvlowat	  = virtio_transport_notify_set_rcvlowat,

		.unsent_bytes		  = virtio_transport_unsent_bytes,

		.read_skb		  = virtio_transport_read_skb,

		VHC_VSOCK_HAS_REMOTE_CID(has_remote_cid)
	},

	.send_pkt = vhc_vsock_send_pkt,
};
