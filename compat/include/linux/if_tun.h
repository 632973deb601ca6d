/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VHOST_COMPAT_LINUX_IF_TUN_H
#define VHOST_COMPAT_LINUX_IF_TUN_H

#include_next <linux/if_tun.h>

/*
 * Frames handed to tun with TUN_MSG_PTR carry their virtio-net header at
 * xdp_buff.data_hard_start. Until 6.17 it came behind the buffer's length; now
 * that is in xdp_buff.frame_sz. To guess wrong would corrupt memory.
 *
 * Return: where the virtio-net header goes.
 */
static inline void *vhc_tun_frame_hdr(void *hard_start, unsigned int buflen)
#ifdef HAVE_TUN_XDP_HDR
{
	struct tun_xdp_hdr *hdr = hard_start;

	hdr->buflen = buflen;
	/* Not &hdr->gso: the header may be longer than that member. */
	return hard_start + offsetof(struct tun_xdp_hdr, gso);
}
#else
{
	return hard_start;
}
#endif

/*
 * Since 7.3. A tap with IFF_BACKPRESSURE stops its queue when the ring is full;
 * who took packets out of it says so, under the ring's consumer_lock.
 */
#ifndef HAVE_TUN_WAKE_QUEUE
static inline void tun_wake_queue(struct file *file, int consumed)
{
}
#endif

#endif
