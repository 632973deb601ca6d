/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A whole setup for tests: one vhost-net device, its two rings, a tap behind
 * them, and a packet socket on the host's side of the tap.
 *
 *	ring[VMM_TX] -> vhost-net -> tap -> sock
 *	ring[VMM_RX] <- vhost-net <- tap <- sock
 *
 * A step that fails ends the running test.
 */
#ifndef VHOST_TEST_VNET_H
#define VHOST_TEST_VNET_H

#include "gdrv.h"
#include "netdev.h"

/* What most tests negotiate; the features of the test's mode come on top. */
#define VNET_FEATURES (BIT_ULL(VIRTIO_F_VERSION_1) |			\
		       BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |		\
		       BIT_ULL(VIRTIO_NET_F_MRG_RXBUF))

/**
 * struct vnet_conf - what may be chosen; 0 means the default
 * @features: acknowledged features (VNET_FEATURES). If given, they have to say
 *	by themselves whether EVENT_IDX is among them; packed and IN_ORDER are as
 *	the mode says
 * @legacy: @features may lack VERSION_1 and are taken as they are, even if 0
 * @num: ring size, both queues (256)
 * @buf_size: bytes of one buffer in the pools (2048)
 * @table_len: entries of indirect tables (16)
 * @mem: bytes of guest memory (16 MiB)
 * @tap_flags: for TUNSETIFF
 * @iommu: negotiate ACCESS_PLATFORM, I/O addresses differ from physical ones
 * @no_backend: leave the rings stopped
 * @tap_of: use the tap and the socket of this setup instead of new ones
 */
struct vnet_conf {
	__u64 features;
	bool legacy;
	__u16 num;
	unsigned int buf_size;
	unsigned int table_len;
	size_t mem;
	int tap_flags;
	bool iommu;
	bool no_backend;
	const struct vnet *tap_of;
};

/* Buffers of one queue, all of one size, handed out in turn. */
struct vnet_pool {
	char *base;
	unsigned int size;
	unsigned int nr;
	unsigned int next;
};

struct vnet {
	struct vmm vmm;
	struct gring ring[VMM_VQS];
	struct vnet_pool pool[VMM_VQS];
	__u64 features;
	unsigned int hdr_len;
	char tap[IFNAMSIZ];
	int tapfd;
	int sock;
};

/* Offset between guest physical and I/O virtual addresses with @iommu. */
#define VNET_IOVA 0x7000000000ULL

/* The features of the test's mode; the first without EVENT_IDX. */
__u64 vnet_layout(void);
__u64 vnet_mode(void);
/* Only the tap and its socket, for others' @tap_of. */
void vnet_start_tap(struct vnet *n);
void vnet_start(struct vnet *n, const struct vnet_conf *conf);
/* Set or, with -1, take away the backend of both queues. */
void vnet_backend(struct vnet *n, int fd);
void vnet_stop(struct vnet *n);
/* Stop one queue, empty its ring, and start it anew at place @base. */
void vnet_restart(struct vnet *n, unsigned int vq, __u16 base);

void *vnet_buf(struct vnet *n, unsigned int vq);
__u64 vnet_addr(const struct vnet *n, const void *p);

/* TX: a frame of @len bytes with number @seq, header in front, one segment. */
int vnet_tx_add(struct vnet *n, __u32 seq, unsigned int len);
/* Take back all that is used; returns how many. */
unsigned int vnet_tx_reap(struct vnet *n);
/* Until everything that was added is used; false after @ms without progress. */
bool vnet_tx_drain(struct vnet *n, int ms);
/* On the host: the next frame's number, -1 a bad one, -ETIMEDOUT. */
long long vnet_host_recv(struct vnet *n, unsigned int *len, int ms);
/* @count frames from guest to host, checked on arrival, in order. */
void vnet_tx_check(struct vnet *n, __u32 seq, unsigned int count,
		   unsigned int len);

/* RX: post up to @count buffers and kick; returns how many were posted. */
unsigned int vnet_rx_post(struct vnet *n, unsigned int count);
/* On the host: send a frame to the guest. */
void vnet_host_send(struct vnet *n, __u32 seq, unsigned int len);
/*
 * In the guest: the next packet, header included, gathered from as many
 * buffers as it has. Its length, or -ETIMEDOUT.
 */
int vnet_rx_recv(struct vnet *n, void *buf, size_t size, int ms);
/*
 * Receive and forget what is on its way to the guest, until a frame that was
 * sent behind all of it arrives.
 */
void vnet_rx_flush(struct vnet *n);
/* @count frames from host to guest, checked on arrival, in order. */
void vnet_rx_check(struct vnet *n, __u32 seq, unsigned int count,
		   unsigned int len);

#endif /* VHOST_TEST_VNET_H */
