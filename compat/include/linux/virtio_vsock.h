/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VHOST_COMPAT_LINUX_VIRTIO_VSOCK_H
#define VHOST_COMPAT_LINUX_VIRTIO_VSOCK_H

#include_next <linux/virtio_vsock.h>

/*
 * Since 7.0 a transport is told for which socket, and in which network
 * namespace. The callbacks of one are written for that; VHC_VSOCK_CALLBACKS()
 * defines functions of the kernel's types around them.
 */
#ifdef HAVE_VSOCK_NET
#define VHC_VSOCK_CALLBACKS(send, stream, seqpacket)			\
	static int vhc_vsock_send_pkt(struct sk_buff *skb, struct net *net) \
	{								\
		return send(skb, net);					\
	}								\
									\
	static bool vhc_vsock_stream_allow(struct vsock_sock *vsk, u32 cid, \
					   u32 port)			\
	{								\
		return stream(vsk, cid, port);				\
	}								\
									\
	static bool vhc_vsock_seqpacket_allow(struct vsock_sock *vsk, u32 cid) \
	{								\
		return seqpacket(vsk, cid);				\
	}

/* The namespace of a socket that a callback was told of. */
static inline struct net *vhc_vsock_net(struct vsock_sock *vsk)
{
	return sock_net(sk_vsock(vsk));
}
#else
#define VHC_VSOCK_CALLBACKS(send, stream, seqpacket)			\
	static int vhc_vsock_send_pkt(struct sk_buff *skb)		\
	{								\
		return send(skb, NULL);					\
	}								\
									\
	static bool vhc_vsock_stream_allow(u32 cid, u32 port)		\
	{								\
		return stream(NULL, cid, port);				\
	}								\
									\
	static bool vhc_vsock_seqpacket_allow(u32 cid)			\
	{								\
		return seqpacket(NULL, cid);				\
	}

static inline struct net *vhc_vsock_net(struct vsock_sock *vsk)
{
	return NULL;
}

/* CIDs are the same in all of them. */
static inline bool vsock_net_check_mode(struct net *ns0, struct net *ns1)
{
	return true;
}

#define virtio_transport_recv_pkt(t, skb, net)	virtio_transport_recv_pkt(t, skb)
#endif

/* Since 7.1. Without it all CIDs but the host's are ours. */
#ifdef HAVE_VSOCK_HAS_REMOTE_CID
#define VHC_VSOCK_HAS_REMOTE_CID(fn)	.has_remote_cid = fn,
#else
#define VHC_VSOCK_HAS_REMOTE_CID(fn)
#endif

#endif
