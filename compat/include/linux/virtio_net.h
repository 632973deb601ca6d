/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VHOST_COMPAT_LINUX_VIRTIO_NET_H
#define VHOST_COMPAT_LINUX_VIRTIO_NET_H

#include_next <linux/virtio_net.h>

/*
 * Since 6.17 tun knows UDP tunnel segmentation offload: features 65 and 67, and
 * a header that is longer for them.
 */
#define VHC_NET_F_GUEST_TUNNEL	65
#define VHC_NET_F_HOST_TUNNEL	67

#ifdef HAVE_VIRTIO_NET_TUNNEL
#define VHC_NET_TUNNEL_FEATURES						\
	(BIT_ULL(VHC_NET_F_GUEST_TUNNEL - 64) | BIT_ULL(VHC_NET_F_HOST_TUNNEL - 64))
#define VHC_NET_TUNNEL_HDR	sizeof(struct virtio_net_hdr_v1_hash_tunnel)
#else
#define VHC_NET_TUNNEL_FEATURES	0ULL
#define VHC_NET_TUNNEL_HDR	0
#endif

#endif
