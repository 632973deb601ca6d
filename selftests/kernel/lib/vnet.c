// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"
#include "vnet.h"

#define WAIT_MS 10000

static const struct vnet *explained;

/* What the device thinks of the queues of the setup that was started last. */
static void explain(void)
{
	unsigned int vq;

	for (vq = 0; vq < VMM_VQS; vq++) {
		const struct gring *r = &explained->ring[vq];

		if (!r->avail)
			continue;
		printf("# vq%u: driver: avail 0x%x, last used 0x%x, free %u, kick %llu, call %llu%s%s;",
		       vq, r->avail_idx, r->last_used, r->nr_free,
		       evt_wait(r->kick, 0), evt_wait(r->call, 0),
		       r->error ? ", device did: " : "", r->error ? r->error : "");
		vmm_print_stats(&explained->vmm, vq);
		printf("\n");
	}
}

static void make_tap(struct vnet *n, int flags)
{
	OK(net_private());
	strcpy(n->tap, "tap%d");
	n->tapfd = tap_open(n->tap, flags);
	if (n->tapfd < 0)
		test_fail("tap: %s", strerror(-n->tapfd));
	OK(tap_hdr_len(n->tapfd, n->hdr_len));
	OK(netdev_txqueuelen(n->tap, 4096));
	OK(netdev_up(n->tap));
	n->sock = packet_open(n->tap, SOCK_RAW, NET_ETH_P_TEST);
	if (n->sock < 0)
		test_fail("packet socket: %s", strerror(-n->sock));
}

void vnet_start_tap(struct vnet *n)
{
	memset(n, 0, sizeof(*n));
	n->hdr_len = 12;
	make_tap(n, 0);
}

static void make_pool(struct vnet *n, unsigned int vq, unsigned int size)
{
	struct vnet_pool *p = &n->pool[vq];

	p->nr = n->ring[vq].num;
	p->size = size;
	p->next = 0;
	p->base = vmm_alloc(&n->vmm, (size_t)p->nr * size, 4096);
	if (!p->base)
		test_fail("guest memory is too small for the buffers");
}

__u64 vnet_layout(void)
{
	return (test_mode & TEST_PACKED ? BIT_ULL(VIRTIO_F_RING_PACKED) : 0) |
	       (test_mode & TEST_IN_ORDER ? BIT_ULL(VIRTIO_F_IN_ORDER) : 0);
}

__u64 vnet_mode(void)
{
	return vnet_layout() | (test_mode & TEST_EVENT_IDX ?
				BIT_ULL(VIRTIO_RING_F_EVENT_IDX) : 0);
}

/* In-tree has no packed rings, and IN_ORDER since 6.17; ours have to have them. */
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

void vnet_start(struct vnet *n, const struct vnet_conf *conf)
{
	static const struct vnet_conf none;
	unsigned int vq, table_len, buf_size;
	__u16 num;

	if (!conf)
		conf = &none;
	num = conf->num ? conf->num : 256;
	buf_size = conf->buf_size ? conf->buf_size : 2048;
	table_len = conf->table_len ? conf->table_len : 16;
	memset(n, 0, sizeof(*n));
	n->features = conf->features;
	if (!conf->legacy)
		n->features = n->features ? n->features | vnet_layout() :
					    VNET_FEATURES | vnet_mode();
	if (conf->iommu)
		n->features |= BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	n->hdr_len = n->features & (BIT_ULL(VIRTIO_F_VERSION_1) |
				    BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)) ? 12 : 10;
	explained = n;
	test_explain = explain;
	if (conf->tap_of) {
		memcpy(n->tap, conf->tap_of->tap, sizeof(n->tap));
		n->tapfd = conf->tap_of->tapfd;
		n->sock = conf->tap_of->sock;
	} else {
		make_tap(n, conf->tap_flags);
	}

	OK(vmm_open(&n->vmm, NULL, conf->mem ? conf->mem : 16 << 20));
	need_offered(&n->vmm, n->features & vnet_mode());
	if (conf->iommu)
		n->vmm.translate = VNET_IOVA;
	OK(vmm_set_owner(&n->vmm));
	if (conf->iommu)
		OK(vmm_set_backend_features(&n->vmm,
					    BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2)));
	OK(vmm_set_features(&n->vmm, n->features));
	OK(vmm_set_mem_table(&n->vmm));
	if (conf->iommu)
		OK(vmm_iotlb_map_all(&n->vmm));
	for (vq = 0; vq < VMM_VQS; vq++) {
		OK(gring_alloc(&n->ring[vq], &n->vmm, num, n->features,
			       table_len));
		OK(gring_attach(&n->ring[vq], &n->vmm, vq));
		make_pool(n, vq, buf_size);
	}
	if (!conf->no_backend)
		vnet_backend(n, n->tapfd);
}

void vnet_backend(struct vnet *n, int fd)
{
	OK(vmm_net_backend(&n->vmm, VMM_RX, fd));
	OK(vmm_net_backend(&n->vmm, VMM_TX, fd));
}

void vnet_stop(struct vnet *n)
{
	unsigned int vq;

	vmm_close(&n->vmm);
	for (vq = 0; vq < VMM_VQS; vq++)
		gring_free(&n->ring[vq]);
	close(n->sock);
	close(n->tapfd);
}

void vnet_restart(struct vnet *n, unsigned int vq, __u16 base)
{
	OK(vmm_net_backend(&n->vmm, vq, -1));
	gring_reset(&n->ring[vq], base);
	OK(gring_attach(&n->ring[vq], &n->vmm, vq));
	OK(vmm_net_backend(&n->vmm, vq, n->tapfd));
}

void *vnet_buf(struct vnet *n, unsigned int vq)
{
	struct vnet_pool *p = &n->pool[vq];

	return p->base + (size_t)(p->next++ % p->nr) * p->size;
}

__u64 vnet_addr(const struct vnet *n, const void *p)
{
	return vmm_addr(&n->vmm, p);
}

int vnet_tx_add(struct vnet *n, __u32 seq, unsigned int len)
{
	struct gring *r = &n->ring[VMM_TX];
	struct gseg seg;
	char *buf;

	if (!r->nr_free)
		return -1;
	buf = vnet_buf(n, VMM_TX);
	memset(buf, 0, n->hdr_len);
	frame_fill(buf + n->hdr_len, len, seq);
	seg.addr = vnet_addr(n, buf);
	seg.len = n->hdr_len + len;
	return gring_add(r, &seg, 1, 0, buf);
}

unsigned int vnet_tx_reap(struct vnet *n)
{
	unsigned int count = 0;
	void *token;
	__u32 len;
	int id;

	while ((id = gring_get(&n->ring[VMM_TX], &len, &token)) >= 0) {
		if (len)
			test_fail("used length %u for a transmitted buffer", len);
		count++;
	}
	if (id == -2)
		test_fail("device did: %s", n->ring[VMM_TX].error);
	return count;
}

bool vnet_tx_drain(struct vnet *n, int ms)
{
	struct gring *r = &n->ring[VMM_TX];

	for (;;) {
		vnet_tx_reap(n);
		if (r->nr_free == r->num)
			return true;
		if (!gring_wait(r, ms))
			return false;
	}
}

long long vnet_host_recv(struct vnet *n, unsigned int *len, int ms)
{
	static char buf[1 << 17];
	int got = sock_recv(n->sock, buf, sizeof(buf), ms);

	if (got < 0)
		return got;
	if (len)
		*len = got;
	return frame_check(buf, got);
}

void vnet_tx_check(struct vnet *n, __u32 seq, unsigned int count,
		   unsigned int len)
{
	struct gring *r = &n->ring[VMM_TX];
	unsigned int sent = 0, seen = 0;

	while (seen < count) {
		unsigned int burst = 0, got;

		/* What the socket cannot hold would be lost on its side. */
		while (sent < count && burst < 64 &&
		       vnet_tx_add(n, seq + sent, len) >= 0) {
			sent++;
			burst++;
		}
		gring_kick(r);
		for (; seen < sent; seen++) {
			EXPECT_EQ(vnet_host_recv(n, &got, WAIT_MS), seq + seen);
			EXPECT_EQ(got, len);
		}
		if (!vnet_tx_drain(n, WAIT_MS))
			test_fail("transmitted buffers do not come back");
	}
}

unsigned int vnet_rx_post(struct vnet *n, unsigned int count)
{
	struct gring *r = &n->ring[VMM_RX];
	unsigned int i;

	for (i = 0; i < count && r->nr_free; i++) {
		char *buf = vnet_buf(n, VMM_RX);
		struct gseg seg = {
			.addr = vnet_addr(n, buf),
			.len = n->pool[VMM_RX].size,
		};

		memset(buf, 0xee, seg.len);
		gring_add(r, &seg, 0, 1, buf);
	}
	if (i)
		gring_kick(r);
	return i;
}

void vnet_host_send(struct vnet *n, __u32 seq, unsigned int len)
{
	static char buf[1 << 16];

	frame_fill(buf, len, seq);
	if (send(n->sock, buf, len, 0) != (ssize_t)len)
		test_fail("send: %s", strerror(errno));
}

int vnet_rx_recv(struct vnet *n, void *buf, size_t size, int ms)
{
	struct gring *r = &n->ring[VMM_RX];
	unsigned int at = 0, nr = 1, i;

	for (i = 0; i < nr; i++) {
		void *token = NULL;
		__u32 len = 0;
		int id;

		if (!gring_pending(r) && !gring_wait(r, ms))
			return -ETIMEDOUT;
		id = gring_get(r, &len, &token);
		if (id < 0)
			test_fail("device did: %s", r->error);
		if (len > n->pool[VMM_RX].size || at + len > size)
			test_fail("used length %u is too large", len);
		memcpy((char *)buf + at, token, len);
		at += len;
		if (!i && n->features & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)) {
			struct virtio_net_hdr_mrg_rxbuf h;

			memcpy(&h, buf, sizeof(h));
			nr = h.num_buffers;
			if (!nr)
				test_fail("packet of 0 buffers");
		}
	}
	return at;
}

void vnet_rx_check(struct vnet *n, __u32 seq, unsigned int count,
		   unsigned int len)
{
	static char buf[1 << 17];
	unsigned int i, sent = 0;

	for (i = 0; i < count; i++) {
		vnet_rx_post(n, n->ring[VMM_RX].num);
		/* A few at a time, so that the tap's queue never overflows. */
		while (sent < count && sent < i + 64)
			vnet_host_send(n, seq + sent++, len);
		EXPECT_EQ(vnet_rx_recv(n, buf, sizeof(buf), WAIT_MS),
			  n->hdr_len + len);
		EXPECT_EQ(frame_check(buf + n->hdr_len, len), seq + i);
	}
}

/* Numbers of frames that nobody expects. */
#define FLUSH_SEQ 0xf1000000u

void vnet_rx_flush(struct vnet *n)
{
	static char buf[1 << 17];
	char last[60];
	unsigned int i;
	int len;

	for (i = 0; i < WAIT_MS / 100; i++) {
		/* A full tap drops it: the next one follows when that is empty. */
		frame_fill(last, sizeof(last), FLUSH_SEQ + i);
		(void)!send(n->sock, last, sizeof(last), 0);
		do {
			vnet_rx_post(n, n->ring[VMM_RX].num);
			len = vnet_rx_recv(n, buf, sizeof(buf), 100);
			if (len == (int)(n->hdr_len + sizeof(last)) &&
			    frame_check(buf + n->hdr_len, sizeof(last)) == FLUSH_SEQ + i)
				return;
		} while (len > 0);
	}
	test_fail("the tap does not run empty");
}
