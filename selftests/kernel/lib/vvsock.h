/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest with sockets for tests: a vhost-vsock device, its two queues, and the
 * guest's end of connections, packet by packet. The host's end are sockets of
 * this process.
 *
 *	ring[VSOCK_RX] <- /dev/vhost-vsock <- socket
 *	ring[VSOCK_TX] -> /dev/vhost-vsock -> socket
 *
 * A step that fails ends the running test.
 */
#ifndef VHOST_TEST_VVSOCK_H
#define VHOST_TEST_VVSOCK_H

#include <linux/types.h>
#include <linux/virtio_vsock.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>

#include "gdrv.h"
#include "vmm.h"

#define VSOCK_RX	0
#define VSOCK_TX	1
#define VSOCK_HDR	sizeof(struct virtio_vsock_hdr)
#define VSOCK_MAX	65536u	/* bytes of payload in a packet */
#define VSOCK_HOST	VMADDR_CID_HOST
#define VSOCK_WAIT_MS	10000

/**
 * struct vvsock_conf - what a setup is to be like; 0 is the default
 * @cid: the guest's CID (one of its own for each process)
 * @num: entries of the rings (64)
 * @rx_size: bytes of a receive buffer (4096)
 * @rx_hold: post no receive buffers yet
 * @iommu: behind an IOMMU
 * @without: features not to take
 */
struct vvsock_conf {
	__u64 cid;
	__u16 num;
	unsigned int rx_size;
	bool rx_hold;
	bool iommu;
	__u64 without;
};

/**
 * struct vvsock - a guest
 * @vmm: the device
 * @cid: the guest's
 * @features: negotiated
 * @ring: the virtqueues
 * @rx: receive buffers, one for each entry of the ring
 * @rx_size: bytes of each
 * @tx: transmit buffers, the same
 */
struct vvsock {
	struct vmm vmm;
	__u64 cid;
	__u64 features;
	struct gring ring[2];
	char *rx;
	unsigned int rx_size;
	char *tx;
	unsigned int tx_next;
};

/* A packet that the guest got. */
struct vpkt {
	struct virtio_vsock_hdr hdr;
	__u32 len;	/* of the data */
	char data[VSOCK_MAX];
};

/**
 * struct vconn - the guest's end of a connection
 * @v: the guest
 * @port: its port
 * @peer_cid: the other end, as a rule the host
 * @peer: and its port
 * @type: VIRTIO_VSOCK_TYPE_*
 * @sent: bytes sent
 * @peer_alloc: the host's buffer
 * @peer_fwd: bytes that the host has read
 * @alloc: our buffer
 * @got: bytes received
 * @fwd: bytes that we say we have read
 */
struct vconn {
	struct vvsock *v;
	__u32 port;
	__u64 peer_cid;
	__u32 peer;
	__u16 type;
	__u32 sent;
	__u32 peer_alloc;
	__u32 peer_fwd;
	__u32 alloc;
	__u32 got;
	__u32 fwd;
};

/* The guest. vvsock_open() is vvsock_up() without CID and start. */
void vvsock_open(struct vvsock *v, const struct vvsock_conf *conf);
void vvsock_up(struct vvsock *v, const struct vvsock_conf *conf);
void vvsock_close(struct vvsock *v);
int vvsock_set_cid(struct vvsock *v, __u64 cid);
int vvsock_alloc_cid(struct vvsock *v, __u64 *cid);
int vvsock_run(struct vvsock *v, int on);
/* Give the device all receive buffers that it does not have. */
void vvsock_post(struct vvsock *v);
void vvsock_post_some(struct vvsock *v, unsigned int n);

/* Any packet: a chain with this header and data. Not waited for. */
void vvsock_put(struct vvsock *v, const struct virtio_vsock_hdr *hdr, const void *data,
		unsigned int len);
/* Wait until the device has taken all packets. */
void vvsock_sync(struct vvsock *v);
/* The next packet to the guest; false after @ms. */
bool vvsock_get(struct vvsock *v, struct vpkt *p, int ms);
/* The same; the test fails without. */
void vvsock_next(struct vvsock *v, struct vpkt *p);
/* A packet to the host with all fields right. */
struct virtio_vsock_hdr vvsock_hdr(const struct vvsock *v, __u32 port, __u32 peer,
				   __u16 type, __u16 op);

int vvsock_set_group(struct vvsock *v, __u64 cid, unsigned int group);

/* Connections. vconn_accept() answers a request, which must come next. */
void vconn_accept(struct vconn *c, struct vvsock *v);
/* Ask for one; vconn_connect() is the same with the host, and waits for it. */
void vconn_request(struct vconn *c, struct vvsock *v, __u32 port, __u64 cid, __u32 peer,
		   __u16 type);
void vconn_connect(struct vconn *c, struct vvsock *v, __u32 port, __u32 peer, __u16 type);
/* A packet of a connection. */
void vconn_put(struct vconn *c, __u16 op, __u32 flags, const void *data, unsigned int len);
/* The next packet must be of this connection; updates of credit are passed over. */
void vconn_next(struct vconn *c, struct vpkt *p);
void vconn_expect(struct vconn *c, __u16 op);
/* Stream data, within the other side's credit. */
void vconn_read(struct vconn *c, void *buf, unsigned int len);
void vconn_write(struct vconn *c, const void *buf, unsigned int len);

/* Sockets of the host. @type: SOCK_STREAM or SOCK_SEQPACKET, with SOCK_NONBLOCK. */
int hsock_listen(int type, unsigned int *port);
int hsock_connect(int type, __u64 cid, unsigned int port);
int hsock_accept(int fd);
/* The whole, or the negative errno. */
int hsock_write(int fd, const void *buf, size_t len);
int hsock_read(int fd, void *buf, size_t len);
/* Wait for events; 0 after @ms without. */
int hsock_poll(int fd, short events, int ms);
/* A connection by the host; the guest's end is @c. */
int hsock_pair(struct vvsock *v, struct vconn *c, int type, unsigned int port);

#endif /* VHOST_TEST_VVSOCK_H */
