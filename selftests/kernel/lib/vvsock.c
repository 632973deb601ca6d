// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"
#include "vvsock.h"

/* I/O addresses are the guest's and this: neither is taken for the other. */
#define IOVA		(1ULL << 40)
#define TX_SIZE		(VSOCK_HDR + VSOCK_MAX)
#define BUF_ALLOC	262144

static const struct vvsock *explained;

static void explain(void)
{
	unsigned int vq;

	for (vq = 0; vq < 2; vq++) {
		const struct gring *r = &explained->ring[vq];

		if (!r->avail)
			continue;
		printf("# vq%u: driver: avail 0x%x, last used 0x%x, free %u%s%s;", vq,
		       r->avail_idx, r->last_used, r->nr_free,
		       r->error ? ", device did: " : "", r->error ? r->error : "");
		vmm_print_stats(&explained->vmm, vq);
		printf("\n");
	}
}

/* ---- the guest ------------------------------------------------------------------ */

static __u64 mode(void)
{
	return (test_mode & TEST_PACKED ? BIT_ULL(VIRTIO_F_RING_PACKED) : 0) |
	       (test_mode & TEST_IN_ORDER ? BIT_ULL(VIRTIO_F_IN_ORDER) : 0) |
	       (test_mode & TEST_EVENT_IDX ? BIT_ULL(VIRTIO_RING_F_EVENT_IDX) : 0);
}

static void need_offered(struct vmm *v, __u64 features)
{
	__u64 offered;

	OK(vmm_get_features(v, &offered));
	features &= ~offered;
	if (features && test_ours())
		test_fail("features 0x%llx are not offered", features);
	if (features)
		test_skip("features 0x%llx are not offered", features);
}

void vvsock_open(struct vvsock *v, const struct vvsock_conf *conf)
{
	static const struct vvsock_conf none;
	unsigned int num, i;

	if (!conf)
		conf = &none;
	num = conf->num ? conf->num : 64;
	memset(v, 0, sizeof(*v));
	v->rx_size = conf->rx_size ? conf->rx_size : 4096;
	v->features = BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_VSOCK_F_SEQPACKET) |
		      BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | mode();
	v->features &= ~conf->without;
	if (conf->iommu)
		v->features |= BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	OK(vmm_open(&v->vmm, "/dev/vhost-vsock",
		    (1 << 20) + num * ((size_t)v->rx_size + TX_SIZE + 1024)));
	need_offered(&v->vmm, v->features);
	if (conf->iommu)
		v->vmm.translate = IOVA;
	OK(vmm_set_owner(&v->vmm));
	explained = v;
	test_explain = explain;
	if (conf->iommu)
		OK(vmm_set_backend_features(&v->vmm, BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2)));
	OK(vmm_set_features(&v->vmm, v->features));
	OK(vmm_set_mem_table(&v->vmm));
	if (conf->iommu)
		OK(vmm_iotlb_map_all(&v->vmm));
	v->rx = vmm_alloc(&v->vmm, num * (size_t)v->rx_size, 4096);
	v->tx = vmm_alloc(&v->vmm, num * (size_t)TX_SIZE, 4096);
	if (!v->rx || !v->tx)
		test_fail("guest memory is too small for the buffers");
	for (i = 0; i < 2; i++) {
		OK(gring_alloc(&v->ring[i], &v->vmm, num, v->features, 16));
		OK(gring_attach(&v->ring[i], &v->vmm, i));
	}
	if (!conf->rx_hold)
		vvsock_post(v);
}

void vvsock_up(struct vvsock *v, const struct vvsock_conf *conf)
{
	vvsock_open(v, conf);
	v->cid = conf && conf->cid ? conf->cid : 1000000ULL + getpid();
	OK(vvsock_set_cid(v, v->cid));
	OK(vvsock_run(v, 1));
}

void vvsock_close(struct vvsock *v)
{
	unsigned int i;

	vmm_close(&v->vmm);
	for (i = 0; i < 2; i++)
		gring_free(&v->ring[i]);
}

int vvsock_set_cid(struct vvsock *v, __u64 cid)
{
	return vmm_ioctl(&v->vmm, VHOST_VSOCK_SET_GUEST_CID, &cid);
}

int vvsock_alloc_cid(struct vvsock *v, __u64 *cid)
{
	return vmm_ioctl(&v->vmm, VHOST_VSOCK_ALLOC_CID, cid);
}

int vvsock_run(struct vvsock *v, int on)
{
	return vmm_ioctl(&v->vmm, VHOST_VSOCK_SET_RUNNING, &on);
}

int vvsock_set_group(struct vvsock *v, __u64 cid, unsigned int group)
{
	struct vhost_vsock_group g = { .guest_cid = cid, .group = group };

	return vmm_ioctl(&v->vmm, VHOST_VSOCK_SET_GROUP, &g);
}

void vvsock_post_some(struct vvsock *v, unsigned int n)
{
	struct gring *r = &v->ring[VSOCK_RX];

	while (n-- && r->nr_free) {
		char *buf = v->rx + r->free_head * (size_t)v->rx_size;
		struct gseg seg = { vmm_addr(&v->vmm, buf), v->rx_size };

		EXPECT(gring_add(r, &seg, 0, 1, buf) >= 0);
	}
	gring_kick(r);
}

void vvsock_post(struct vvsock *v)
{
	vvsock_post_some(v, ~0u);
}

static void reap(struct vvsock *v)
{
	struct gring *r = &v->ring[VSOCK_TX];
	void *token;
	__u32 len;
	int got;

	while ((got = gring_get(r, &len, &token)) >= 0)
		EXPECT_EQ(len, 0);
	if (got == -2)
		test_fail("the device did: %s", r->error);
}

void vvsock_put(struct vvsock *v, const struct virtio_vsock_hdr *hdr, const void *data,
		unsigned int len)
{
	struct gring *r = &v->ring[VSOCK_TX];
	char *buf = v->tx + (v->tx_next++ % r->num) * (size_t)TX_SIZE;
	struct gseg seg[2] = {
		{ vmm_addr(&v->vmm, buf), VSOCK_HDR },
		{ vmm_addr(&v->vmm, buf) + VSOCK_HDR, len },
	};

	reap(v);
	while (r->nr_free < 2) {
		if (!gring_wait(r, VSOCK_WAIT_MS))
			test_fail("the device does not take packets");
		reap(v);
	}
	memcpy(buf, hdr, VSOCK_HDR);
	memcpy(buf + VSOCK_HDR, data, len);
	EXPECT(gring_add(r, seg, len ? 2 : 1, 0, NULL) >= 0);
	gring_kick(r);
}

void vvsock_sync(struct vvsock *v)
{
	struct gring *r = &v->ring[VSOCK_TX];

	for (reap(v); r->nr_free < r->num; reap(v))
		if (!gring_wait(r, VSOCK_WAIT_MS))
			test_fail("the device does not take packets");
}

bool vvsock_get(struct vvsock *v, struct vpkt *p, int ms)
{
	struct gring *r = &v->ring[VSOCK_RX];
	void *buf;
	__u32 len;
	int got;

	if (!gring_pending(r) && !gring_wait(r, ms))
		return false;
	got = gring_get(r, &len, &buf);
	if (got < 0)
		test_fail("the device did: %s", r->error ? r->error : "nothing");
	EXPECT(len >= VSOCK_HDR && len <= v->rx_size);
	memcpy(&p->hdr, buf, VSOCK_HDR);
	p->len = p->hdr.len;
	EXPECT_EQ(p->len, len - VSOCK_HDR);
	memcpy(p->data, (char *)buf + VSOCK_HDR, p->len);
	EXPECT_EQ(p->hdr.dst_cid, v->cid);
	vvsock_post_some(v, 1);
	return true;
}

void vvsock_next(struct vvsock *v, struct vpkt *p)
{
	if (!vvsock_get(v, p, VSOCK_WAIT_MS))
		test_fail("no packet for the guest");
}

struct virtio_vsock_hdr vvsock_hdr(const struct vvsock *v, __u32 port, __u32 peer,
				   __u16 type, __u16 op)
{
	return (struct virtio_vsock_hdr){
		.src_cid = v->cid, .dst_cid = VSOCK_HOST,
		.src_port = port, .dst_port = peer,
		.type = type, .op = op, .buf_alloc = BUF_ALLOC,
	};
}

/* ---- connections -------------------------------------------------------------------- */

static void take_credit(struct vconn *c, const struct vpkt *p)
{
	c->peer_alloc = p->hdr.buf_alloc;
	c->peer_fwd = p->hdr.fwd_cnt;
}

void vconn_put(struct vconn *c, __u16 op, __u32 flags, const void *data, unsigned int len)
{
	struct virtio_vsock_hdr hdr = vvsock_hdr(c->v, c->port, c->peer, c->type, op);

	hdr.dst_cid = c->peer_cid;
	hdr.flags = flags;
	hdr.len = len;
	hdr.buf_alloc = c->alloc;
	hdr.fwd_cnt = c->fwd;
	c->sent += len;
	vvsock_put(c->v, &hdr, data, len);
}

static void accept_request(struct vconn *c, struct vvsock *v, const struct vpkt *p)
{
	*c = (struct vconn){
		.v = v, .port = p->hdr.dst_port, .peer = p->hdr.src_port,
		.peer_cid = p->hdr.src_cid, .type = p->hdr.type, .alloc = BUF_ALLOC,
	};
	take_credit(c, p);
	vconn_put(c, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
}

void vconn_accept(struct vconn *c, struct vvsock *v)
{
	static struct vpkt p;

	vvsock_next(v, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_REQUEST);
	accept_request(c, v, &p);
}

/* The same, of the request for this port, whatever comes before it. */
static void accept_on(struct vconn *c, struct vvsock *v, unsigned int port)
{
	static struct vpkt p;

	do
		vvsock_next(v, &p);
	while (p.hdr.op != VIRTIO_VSOCK_OP_REQUEST || p.hdr.dst_port != port);
	accept_request(c, v, &p);
}

void vconn_request(struct vconn *c, struct vvsock *v, __u32 port, __u64 cid, __u32 peer,
		   __u16 type)
{
	*c = (struct vconn){
		.v = v, .port = port, .peer_cid = cid, .peer = peer, .type = type,
		.alloc = BUF_ALLOC,
	};
	vconn_put(c, VIRTIO_VSOCK_OP_REQUEST, 0, NULL, 0);
}

void vconn_connect(struct vconn *c, struct vvsock *v, __u32 port, __u32 peer, __u16 type)
{
	vconn_request(c, v, port, VSOCK_HOST, peer, type);
	vconn_expect(c, VIRTIO_VSOCK_OP_RESPONSE);
}

void vconn_next(struct vconn *c, struct vpkt *p)
{
	do {
		vvsock_next(c->v, p);
		EXPECT_EQ(p->hdr.src_cid, c->peer_cid);
		EXPECT_EQ(p->hdr.src_port, c->peer);
		EXPECT_EQ(p->hdr.dst_port, c->port);
		EXPECT_EQ(p->hdr.type, c->type);
		take_credit(c, p);
	} while (p->hdr.op == VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	if (p->hdr.op == VIRTIO_VSOCK_OP_RW)
		c->got += p->len;
	else
		EXPECT_EQ(p->len, 0);
}

void vconn_expect(struct vconn *c, __u16 op)
{
	static struct vpkt p;

	vconn_next(c, &p);
	EXPECT_EQ(p.hdr.op, op);
}

void vconn_read(struct vconn *c, void *buf, unsigned int len)
{
	static struct vpkt p;

	while (len) {
		vconn_next(c, &p);
		EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RW);
		EXPECT_EQ(p.hdr.flags, 0);
		EXPECT(p.len && p.len <= len);
		memcpy(buf, p.data, p.len);
		buf = (char *)buf + p.len;
		len -= p.len;
		if (c->got - c->fwd > c->alloc / 2) {
			c->fwd = c->got;
			vconn_put(c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
		}
	}
}

void vconn_write(struct vconn *c, const void *buf, unsigned int len)
{
	static struct vpkt p;

	while (len) {
		__u32 room = c->peer_alloc - (c->sent - c->peer_fwd);
		unsigned int n = len < VSOCK_MAX ? len : VSOCK_MAX;

		if (n > room)
			n = room;
		if (!n) {
			vvsock_next(c->v, &p);
			EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
			take_credit(c, &p);
			continue;
		}
		vconn_put(c, VIRTIO_VSOCK_OP_RW, 0, buf, n);
		buf = (const char *)buf + n;
		len -= n;
	}
}

/* ---- the host ------------------------------------------------------------------------ */

int hsock_listen(int type, unsigned int *port)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY,
		.svm_port = *port ? *port : VMADDR_PORT_ANY,
	};
	socklen_t len = sizeof(a);
	int fd = socket(AF_VSOCK, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1024) ||
	    getsockname(fd, (struct sockaddr *)&a, &len))
		test_fail("listening socket: %s", strerror(errno));
	*port = a.svm_port;
	return fd;
}

int hsock_connect(int type, __u64 cid, unsigned int port)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port,
	};
	int fd = socket(AF_VSOCK, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		test_fail("socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) && errno != EINPROGRESS) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

int hsock_accept(int fd)
{
	int got;

	if (!hsock_poll(fd, POLLIN, VSOCK_WAIT_MS))
		test_fail("no connection to accept");
	got = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (got < 0)
		test_fail("accept: %s", strerror(errno));
	return got;
}

int hsock_write(int fd, const void *buf, size_t len)
{
	while (len) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		buf = (const char *)buf + n;
		len -= n;
	}
	return 0;
}

int hsock_read(int fd, void *buf, size_t len)
{
	while (len) {
		ssize_t n = recv(fd, buf, len, 0);

		if (n <= 0)
			return n ? -errno : -EPIPE;
		buf = (char *)buf + n;
		len -= n;
	}
	return 0;
}

int hsock_poll(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, ms) > 0 ? p.revents : 0;
}

struct opener {
	struct vvsock *v;
	int type;
	unsigned int port;
	int fd;
};

static void *open_socket(void *arg)
{
	struct opener *o = arg;

	o->fd = hsock_connect(o->type, o->v->cid, o->port);
	return NULL;
}

/*
 * A socket that does not block has a timer of two seconds for its connection, and
 * the kernel keeps the socket, and the module, until that is over.
 */
int hsock_pair(struct vvsock *v, struct vconn *c, int type, unsigned int port)
{
	struct opener o = { v, type, port, -1 };
	pthread_t opener;

	if (pthread_create(&opener, NULL, open_socket, &o))
		test_fail("no thread");
	accept_on(c, v, port);
	pthread_join(opener, NULL);
	if (o.fd < 0)
		test_fail("connect: %s", strerror(-o.fd));
	if (fcntl(o.fd, F_SETFL, O_NONBLOCK))
		test_fail("socket: %s", strerror(errno));
	return o.fd;
}
