/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private structures of vhost_net, and under each file's name what it offers
 * to the others.
 */
#ifndef VHOST_NET_H
#define VHOST_NET_H

#include <linux/if_tun.h>
#include <linux/net.h>
#include <linux/ptr_ring.h>
#include <linux/virtio_net.h>
#include <net/xdp.h>

#include "vhost_core.h"

/* Virtqueues of a device, as VHOST_NET_SET_BACKEND numbers them. */
enum {
	VHN_RX,
	VHN_TX,
	VHN_NR_VQS,
};

/* A turn ends after so many bytes or packets: other queues wait. */
#define VHN_WEIGHT_BYTES	0x80000
#define VHN_WEIGHT_PACKETS	256

/* Bad packets and buffers: X(NAME, name, explanation). */
#define VHN_REJECTIONS(X)						\
	X(TX_WRITABLE, tx_writable, "transmit chain with a device-writable part") \
	X(TX_SHORT, tx_short, "transmit chain shorter than its header")	\
	X(TX_HDR, tx_hdr, "header speaks of bytes beyond the packet")	\
	X(TX_FRAME, tx_frame, "frame that the backend refuses")		\
	X(RX_READABLE, rx_readable, "receive chain with a device-readable part") \
	X(RX_SMALL, rx_small, "receive buffers too small for the packet")

enum vhn_rejection {
#define X(NAME, name, text) VHN_R_##NAME,
	VHN_REJECTIONS(X)
#undef X
	VHN_R_NR,
};

/* Counters of each queue. */
#define VHN_COUNTERS(X)							\
	X(PACKETS, packets, "packets passed between guest and backend")	\
	X(BATCHED, batched, "packets given to the backend in a batch")	\
	X(DIRECT, direct, "received packets written without asking the backend") \
	X(DROPPED, dropped, "packets that the backend did not take")	\
	X(BACKEND_FULL, backend_full, "waits for room in the backend")

enum vhn_counter {
#define X(NAME, name, text) VHN_C_##NAME,
	VHN_COUNTERS(X)
#undef X
	VHN_C_NR,
};

enum vhn_backend_kind {
	VHN_TAP,
	VHN_MACVTAP,
	VHN_PACKET,
};

/**
 * struct vhn_backend - where packets go to and come from
 * @file: holds all of it
 * @sock: its socket
 * @ring: packets for us, if the backend keeps them in a ring
 * @kind: which one it is
 */
struct vhn_backend {
	struct file *file;
	struct socket *sock;
	struct ptr_ring *ring;
	enum vhn_backend_kind kind;
};

/* frag.c: pages kept for packet buffers */
#define VHN_FRAG_PAGES	8

struct vhn_frag_page {
	struct page *page;
	unsigned int refs;	/* that we still hold of it */
};

struct vhn_frag {
	struct vhn_frag_page page[VHN_FRAG_PAGES];
	struct vhn_frag_page *cur;
	void *base;		/* of the current page */
	unsigned int left;	/* bytes of it; used downwards */
};

bool vhn_frag_refill(struct vhn_frag *frag);
void vhn_frag_free(void *buf);
void vhn_frag_exit(struct vhn_frag *frag);

/**
 * vhn_frag_alloc() - a buffer
 * @frag: where from
 * @len: bytes, a multiple of SMP_CACHE_BYTES, at most a page
 *
 * Context: may sleep.
 * Return: the buffer, not cleared, or NULL.
 */
static inline void *vhn_frag_alloc(struct vhn_frag *frag, unsigned int len)
{
	if (unlikely(frag->left < len) && !vhn_frag_refill(frag))
		return NULL;
	frag->left -= len;
	frag->cur->refs--;
	return frag->base + frag->left;
}

/* Take back the buffer that was handed out last, of @len bytes. */
static inline void vhn_frag_unalloc(struct vhn_frag *frag, unsigned int len)
{
	frag->left += len;
	frag->cur->refs++;
}

/**
 * struct vhn_queue - one direction; all of it under the virtqueue's lock
 * @vq: the virtqueue
 * @net: its device
 * @backend: all zero if there is none
 * @poll: its events; for TX only while it has no room
 * @counter: by enum vhn_counter
 * @vhost_hlen: bytes of header that we make up for a backend without
 * @sock_hlen: bytes of header that the backend takes and gives
 */
struct vhn_queue {
	struct vhc_vq *vq;
	struct vhn_net *net;
	struct vhn_backend backend;
	struct vhc_poll poll;
	u64 *counter;
	u16 vhost_hlen;
	u16 sock_hlen;
};

struct vhn_tx {
	struct vhn_queue q;
	struct vhn_frag frag;
	unsigned int pad;	/* in front of a frame, in this turn */
	unsigned int nr_xdp;
	struct xdp_buff xdp[VHC_BATCH];
};

struct vhn_rx {
	struct vhn_queue q;
	bool mergeable;
	bool logged;			/* writes to guest memory are */
	unsigned int per_packet;	/* chains that the last one took */
	unsigned int head;		/* packets taken from the ring: */
	unsigned int tail;		/* pkt[head] to pkt[tail - 1] */
	void *pkt[VHC_BATCH];
	struct sk_buff *written;	/* to be counted and freed: */
	unsigned int nr_written;
	unsigned int bytes_written;
	unsigned int trust;		/* rx_packet.c; so are these: */
	bool dev_sought;
	int ifindex;
	const struct net_device *dev;	/* compared, never followed */
	struct vhn_big *big;		/* rx.c */
};

/* Chains for one packet, their iovecs in one row. */
struct vhn_bufs {
	struct vhc_chain *chain;
	unsigned int nr;
	unsigned int fetched;	/* not those at hand: to be given back if not put */
};

struct vhn_net {
	struct vhc_dev *dev;
	struct vhn_rx rx;
	struct vhn_tx tx;
};

/* backend.c */
int vhn_backend_get(struct vhn_backend *b, int fd);
void vhn_backend_put(struct vhn_backend *b);
bool vhn_backend_has_room(const struct vhn_backend *b);

/* tx.c */
enum vhc_verdict vhn_tx_run(struct vhn_tx *tx);

/* rx.c */
enum vhc_verdict vhn_rx_run(struct vhn_rx *rx);
void vhn_rx_free(struct vhn_rx *rx);

/* rx_packet.c */
int vhn_packet_next(struct vhn_rx *rx, unsigned int *queued);
int vhn_packet_receive(struct vhn_rx *rx, const struct vhn_bufs *b, size_t hlen,
		       size_t len);
void vhn_packet_drop(struct vhn_rx *rx);
void vhn_packet_flush(struct vhn_rx *rx);
void vhn_packet_give_back(struct vhn_rx *rx);
void vhn_packet_reset(struct vhn_rx *rx);

#endif /* VHOST_NET_H */
