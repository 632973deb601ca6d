// SPDX-License-Identifier: GPL-2.0
/* The virtqueue as a well-behaved driver may use it. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000
#define V1 BIT_ULL(VIRTIO_F_VERSION_1)
#define EVENT BIT_ULL(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)
#define MRG BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)
#define ON_EMPTY BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY)

static struct vnet n;

/* Cut @len bytes at @buf into segments of @cut[0], @cut[1], ..., 0: the rest. */
static unsigned int cut_up(struct gseg *seg, char *buf, unsigned int len,
			   const unsigned int *cut, unsigned int nr_cut)
{
	unsigned int i, at = 0;

	for (i = 0; at < len; i++) {
		unsigned int part = len - at;

		if (i < nr_cut && cut[i] && cut[i] < part)
			part = cut[i];
		seg[i].addr = vnet_addr(&n, buf + at);
		seg[i].len = part;
		at += part;
	}
	return i;
}

static char *tx_frame(__u32 seq, unsigned int len)
{
	char *buf = vnet_buf(&n, VMM_TX);

	memset(buf, 0, n.hdr_len);
	frame_fill(buf + n.hdr_len, len, seq);
	return buf;
}

static void tx_expect(__u32 seq, unsigned int len)
{
	unsigned int got;

	gring_kick(&n.ring[VMM_TX]);
	EXPECT_EQ(vnet_host_recv(&n, &got, WAIT_MS), seq);
	EXPECT_EQ(got, len);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
}

static const unsigned int cuts[][4] = {
	{ 12 },			/* header apart */
	{ 10 },			/* a legacy driver's idea of a header */
	{ 1 },
	{ 5, 7, 14, 1 },	/* header in two, Ethernet header apart */
	{ 13 },
	{ 12, 13, 1, 1 },
	{ 60, 4, 8, 100 },
};

static void tx_chains(void)
{
	struct gseg seg[8];
	unsigned int i, nr;

	vnet_start(&n, NULL);
	for (i = 0; i < N(cuts); i++) {
		nr = cut_up(seg, tx_frame(i, 500), n.hdr_len + 500, cuts[i], 4);
		EXPECT(gring_add(&n.ring[VMM_TX], seg, nr, 0, NULL) >= 0);
		tx_expect(i, 500);
	}
}

/* Every byte a segment: as many as the ring has. */
static void tx_chain_fills_ring(void)
{
	unsigned int one[256], i;
	struct gseg seg[256];

	vnet_start(&n, NULL);
	for (i = 0; i < 256; i++)
		one[i] = 1;
	EXPECT_EQ(cut_up(seg, tx_frame(7, 256 - 12), 256, one, 256), 256);
	EXPECT(gring_add(&n.ring[VMM_TX], seg, 256, 0, NULL) >= 0);
	tx_expect(7, 256 - 12);
	/* Once more: all descriptors came back. */
	EXPECT(gring_add(&n.ring[VMM_TX], seg, 256, 0, NULL) >= 0);
	tx_expect(7, 256 - 12);
}

static void tx_indirect(void)
{
	struct gseg seg[8];
	unsigned int i, nr;

	vnet_start(&n, NULL);
	for (i = 0; i < N(cuts); i++) {
		nr = cut_up(seg, tx_frame(i, 500), n.hdr_len + 500, cuts[i], 4);
		EXPECT(gring_add_indirect(&n.ring[VMM_TX], seg, nr, 0, NULL) >= 0);
		tx_expect(i, 500);
	}
}

/* The longest chain that is supported: 1024 segments. */
static void tx_indirect_1024(void)
{
	unsigned int one[1024], i;
	struct gseg seg[1024];

	vnet_start(&n, &(struct vnet_conf){ .num = 16, .table_len = 1024 });
	for (i = 0; i < 1024; i++)
		one[i] = 1;
	EXPECT_EQ(cut_up(seg, tx_frame(3, 1012), 1024, one, 1024), 1024);
	EXPECT(gring_add_indirect(&n.ring[VMM_TX], seg, 1024, 0, NULL) >= 0);
	tx_expect(3, 1012);
	/* Several in one batch have to share the room for segments. */
	for (i = 0; i < 4; i++)
		EXPECT(gring_add_indirect(&n.ring[VMM_TX], seg, 1024, 0, NULL) >= 0);
	gring_kick(&n.ring[VMM_TX]);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 3);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	/* Of these it is enough for three. */
	for (i = 0; i < 8; i++) {
		unsigned int nr = cut_up(seg, tx_frame(i, 500), 512, one, 299);

		EXPECT_EQ(nr, 300);
		EXPECT(gring_add_indirect(&n.ring[VMM_TX], seg, nr, 0, NULL) >= 0);
	}
	gring_kick(&n.ring[VMM_TX]);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
}

/* Section 2.7.5.3.2: a chain of a split ring may end in an indirect descriptor. */
static void tx_direct_then_indirect(void)
{
	struct gring *r;
	struct gseg seg[2];
	char *buf;
	int id;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	buf = tx_frame(11, 300);
	seg[0] = (struct gseg){ vnet_addr(&n, buf), 12 };
	seg[1] = (struct gseg){ vnet_addr(&n, r->table), 32 };
	r->table[0] = (struct vring_desc){ vnet_addr(&n, buf + 12), 100,
					   VRING_DESC_F_NEXT, 1 };
	r->table[1] = (struct vring_desc){ vnet_addr(&n, buf + 112), 200, 0, 0 };
	id = gring_add(r, seg, 2, 0, NULL);
	EXPECT(id >= 0);
	r->desc[r->head[id].next].flags = VRING_DESC_F_INDIRECT;
	tx_expect(11, 300);
}

/* A table that is walked in an order of its own. */
static void tx_indirect_out_of_order(void)
{
	struct gring *r;
	struct gseg seg;
	char *buf;
	int id;

	/* In-tree reads tables from the first entry to the last. */
	test_need_ours();
	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	buf = tx_frame(12, 300);
	r->table[0] = (struct vring_desc){ vnet_addr(&n, buf), 12,
					   VRING_DESC_F_NEXT, 3 };
	r->table[3] = (struct vring_desc){ vnet_addr(&n, buf + 12), 100,
					   VRING_DESC_F_NEXT, 1 };
	r->table[1] = (struct vring_desc){ vnet_addr(&n, buf + 112), 200, 0, 0 };
	seg = (struct gseg){ vnet_addr(&n, r->table), 64 };
	id = gring_add(r, &seg, 1, 0, NULL);
	EXPECT(id >= 0);
	r->desc[id].flags = VRING_DESC_F_INDIRECT;
	tx_expect(12, 300);
}

static void rx_in_chains(bool indirect)
{
	static const unsigned int lens[] = { 60, 61, 1000, 1514 };
	struct gring *r;
	unsigned int i, nr;
	struct gseg seg[8];

	vnet_start(&n, NULL);
	r = &n.ring[VMM_RX];
	for (i = 0; i < N(cuts); i++) {
		unsigned int len = lens[i % N(lens)], used = 0;
		char *buf = vnet_buf(&n, VMM_RX);
		void *token;

		nr = cut_up(seg, buf, 2048, cuts[i], 4);
		if (indirect)
			EXPECT(gring_add_indirect(r, seg, 0, nr, buf) >= 0);
		else
			EXPECT(gring_add(r, seg, 0, nr, buf) >= 0);
		gring_kick(r);
		vnet_host_send(&n, i, len);
		EXPECT(gring_wait(r, WAIT_MS));
		EXPECT(gring_get(r, &used, &token) >= 0);
		EXPECT_EQ(used, 12 + len);
		EXPECT_EQ(frame_check(buf + 12, len), i);
	}
}

static void rx_chains(void)
{
	rx_in_chains(false);
}

static void rx_indirect(void)
{
	rx_in_chains(true);
}

/* Headers: 10 bytes without VERSION_1 and MRG_RXBUF, else 12. */
static void legacy_header_10(void)
{
	vnet_start(&n, &(struct vnet_conf){ .legacy = true });
	EXPECT_EQ(n.hdr_len, 10);
	vnet_tx_check(&n, 0, 20, 60);
	vnet_rx_check(&n, 0, 20, 60);
	vnet_tx_check(&n, 100, 20, 1514);
	vnet_rx_check(&n, 100, 20, 1514);
}

static void legacy_header_12(void)
{
	vnet_start(&n, &(struct vnet_conf){ .legacy = true, .features = MRG });
	vnet_tx_check(&n, 0, 20, 60);
	vnet_rx_check(&n, 0, 20, 1514);
}

static void version_1_header_12(void)
{
	vnet_start(&n, &(struct vnet_conf){ .features = V1 });
	vnet_tx_check(&n, 0, 20, 60);
	vnet_rx_check(&n, 0, 20, 1514);
}

static void many_feature_sets(void)
{
	static const __u64 sets[] = {
		V1 | EVENT, V1 | MRG, V1 | INDIRECT, EVENT | MRG, EVENT | INDIRECT,
		V1 | EVENT | MRG | ON_EMPTY, ON_EMPTY | MRG,
	};
	unsigned int i;

	for (i = 0; i < N(sets); i++) {
		/* Legacy drivers know neither packed rings nor IN_ORDER. */
		if (vnet_layout() && !(sets[i] & V1))
			continue;
		vnet_start(&n, &(struct vnet_conf){ .features = sets[i] });
		vnet_tx_check(&n, 0, 100, 60);
		vnet_rx_check(&n, 0, 100, 1514);
		vnet_stop(&n);
	}
}

static void ring_sizes(void)
{
	static const __u16 sizes[] = { 1, 2, 4, 1024, 32768 };
	unsigned int i;

	for (i = 0; i < N(sizes); i++) {
		vnet_start(&n, &(struct vnet_conf){
			.num = sizes[i], .table_len = 1, .buf_size = 2048,
			.mem = 160 << 20 });
		vnet_tx_check(&n, 0, 20, 60);
		vnet_rx_check(&n, 0, 20, 60);
		/* Its last entries, too. */
		vnet_restart(&n, VMM_TX, 65536 - 10);
		vnet_restart(&n, VMM_RX, 65536 - 10);
		vnet_tx_check(&n, 0, 20, 60);
		vnet_rx_check(&n, 0, 20, 60);
		vnet_stop(&n);
	}
}

/* The indices go round 2^16 and the ring's size at once. */
static void index_wrap(void)
{
	unsigned int base;

	vnet_start(&n, NULL);
	vnet_restart(&n, VMM_TX, 65536 - 300);
	vnet_restart(&n, VMM_RX, 65536 - 300);
	vnet_tx_check(&n, 0, 700, 60);
	vnet_rx_check(&n, 0, 700, 60);
	vnet_backend(&n, -1);
	OK(vmm_get_vring_base(&n.vmm, VMM_TX, &base));
	EXPECT_EQ(base, gring_base_of(&n.ring[VMM_TX], 400));
	EXPECT_EQ(base, gring_stopped_base(&n.ring[VMM_TX]));
}

/* For tests of tens of thousands of packets, that end at the tap. */
static void drop_packets(void)
{
	int prog = xdp_prog_return(XDP_DROP);

	close(n.sock);
	if (prog >= 0)
		EXPECT(xdp_attach(netdev_index(n.tap), prog) >= 0);
}

/* More than 2^16 buffers, seldom with an interrupt: the event comparison. */
static void event_idx_long_silence(void)
{
	struct gring *r;
	unsigned int i;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	drop_packets();
	for (i = 0; i < 66000 / 64; i++) {
		unsigned int k;

		gring_call_disable(r);
		for (k = 0; k < 64; k++)
			EXPECT(vnet_tx_add(&n, k, 60) >= 0);
		gring_kick(r);
		while (k)
			k -= vnet_tx_reap(&n);
	}
	evt_wait(r->call, 0);
	/* Asked for before there is something to be told of: told it is. */
	gring_call_enable(r);
	vnet_tx_add(&n, 0, 60);
	gring_kick(r);
	EXPECT_EQ(evt_wait(r->call, WAIT_MS), 1);
}

/*
 * Used buffers may be seen before the device has decided about the interrupt
 * for them. Setting the error eventfd waits for the end of a queue's turn.
 */
static void settle(unsigned int vq)
{
	OK(vmm_vring_err(&n.vmm, vq, n.ring[vq].err));
}

/* Interrupt exactly when the used index passes the event, and only then. */
static void event_idx_signal(void)
{
	struct gring *r;
	unsigned int i;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	vnet_tx_check(&n, 0, 10, 60);
	settle(VMM_TX);
	EXPECT_EQ(vnet_tx_reap(&n), 0);
	evt_wait(r->call, 0);

	gring_call_at(r, 9);
	for (i = 0; i < 20; i++) {
		__u64 want = i == 9;

		vnet_tx_add(&n, i, 60);
		gring_kick(r);
		if (want) {
			EXPECT_EQ(evt_wait(r->call, WAIT_MS), 1);
			continue;
		}
		EXPECT(test_until(gring_pending(r) == i + 1, WAIT_MS));
	}
	settle(VMM_TX);
	EXPECT_EQ(evt_wait(r->call, 0), 0);
	EXPECT_EQ(vnet_tx_reap(&n), 20);
}

/*
 * An interrupt because the ring is empty needs no look at the event, and with
 * such alone the index goes all the way round: the last look is no measure then.
 */
static void event_idx_after_on_empty(void)
{
	/* How many the device takes at once, and where it last looks. */
	const unsigned int batch = 64, looked = batch;
	struct gring *r;
	unsigned int i, k, at;

	/* In-tree's batches are others. */
	test_need_ours();
	vnet_start(&n, &(struct vnet_conf){ .features = V1 | EVENT | ON_EMPTY });
	r = &n.ring[VMM_TX];
	drop_packets();
	/* After the first batch there is a second one: it looks. */
	for (k = 0; k < 2 * batch; k++)
		EXPECT(vnet_tx_add(&n, k, 60) >= 0);
	gring_kick(r);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	/* To where a batch ends just past that place. */
	for (at = 2 * batch; at < 65536 + looked - batch / 2; at += k) {
		settle(VMM_TX);
		k = at < 65536 ? batch : batch / 2;
		for (i = 0; i < k; i++)
			EXPECT(vnet_tx_add(&n, i, 60) >= 0);
		gring_kick(r);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
	}
	EXPECT_EQ(at, 65536 + looked - batch / 2);
	settle(VMM_TX);
	evt_wait(r->call, 0);
	/* The first batch passes the event, the second one empties the ring. */
	EXPECT(gring_call_enable(r));
	for (k = 0; k < 2 * batch; k++)
		EXPECT(vnet_tx_add(&n, k, 60) >= 0);
	gring_kick(r);
	EXPECT(test_until(gring_pending(r) == 2 * batch, WAIT_MS));
	settle(VMM_TX);
	EXPECT_EQ(evt_wait(r->call, 0), 2);
}

static void flags_no_interrupt(void)
{
	struct gring *r;
	unsigned int i;

	vnet_start(&n, &(struct vnet_conf){ .features = V1 });
	r = &n.ring[VMM_TX];
	gring_call_disable(r);
	for (i = 0; i < 20; i++) {
		vnet_tx_add(&n, i, 60);
		gring_kick(r);
		EXPECT(test_until(gring_pending(r) == i + 1, WAIT_MS));
	}
	settle(VMM_TX);
	EXPECT_EQ(evt_wait(r->call, 0), 0);
	EXPECT_EQ(vnet_tx_reap(&n), 20);
	EXPECT(gring_call_enable(r));
	vnet_tx_add(&n, i, 60);
	gring_kick(r);
	EXPECT_EQ(evt_wait(r->call, WAIT_MS), 1);
}

/* The interrupt comes though the driver does not want any: all is used. */
static void notify_on_empty(void)
{
	struct gring *r;

	vnet_start(&n, &(struct vnet_conf){ .features = V1 | ON_EMPTY });
	r = &n.ring[VMM_TX];
	gring_call_disable(r);
	vnet_tx_add(&n, 1, 60);
	gring_kick(r);
	EXPECT(evt_wait(r->call, WAIT_MS));
	EXPECT(test_until(gring_pending(r) == 1, WAIT_MS));
}

/* An idle device wants to be told of new buffers. */
static void idle_wants_kick(void)
{
	struct gring *r;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	vnet_tx_check(&n, 0, 5, 60);
	EXPECT(test_until(gring_kick_wanted(r), WAIT_MS));
}

/* The three parts one behind the other, as close as the alignments allow. */
static void parts_together(void)
{
	__u64 a;
	struct gring *r;
	char *mem;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
	mem = vmm_alloc(&n.vmm, 3 * 4096, 4096);
	/* Not at the page's start, and crossing into the next one. */
	mem += 4096 - 16 * 7;
	r->num = 16;
	r->desc = (void *)mem;
	r->avail = (void *)(mem + GRING_DESC_SIZE(16));
	a = (uintptr_t)r->avail + gring_avail_size(r);
	r->used = (void *)((a + 3) & ~3ULL);
	gring_reset(r, 0);
	OK(gring_attach(r, &n.vmm, VMM_TX));
	OK(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd));
	vnet_tx_check(&n, 0, 200, 60);
}

/* Rings need not be in the guest's memory at all. */
static void outside_memory_table(void)
{
	struct gring *r;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
	r->desc = aligned_alloc(4096, 4096);
	r->avail = aligned_alloc(4096, 4096);
	r->used = aligned_alloc(4096, 4096);
	gring_reset(r, 0);
	OK(gring_attach(r, &n.vmm, VMM_TX));
	OK(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd));
	vnet_tx_check(&n, 0, 200, 60);
}

/* One buffer crosses from one memory region to the next. */
static void across_regions(void)
{
	__u64 gpa = VMM_GPA + (16 << 20);
	unsigned int size = 1 << 16;
	void *token;
	__u32 got;
	struct gseg seg;
	char *one, *two;
	char flat[600];

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	/* Adjacent for the guest; for us with a third one in between. */
	OK(vmm_add_region(&n.vmm, gpa, size));
	OK(vmm_add_region(&n.vmm, gpa + 2 * size, size));
	OK(vmm_add_region(&n.vmm, gpa + size, size));
	OK(vmm_set_mem_table(&n.vmm));
	vnet_backend(&n, n.tapfd);
	one = n.vmm.region[1].hva + size - 100;
	two = n.vmm.region[3].hva;
	memset(flat, 0, 12);
	frame_fill(flat + 12, 588, 5);
	memcpy(one, flat, 100);
	memcpy(two, flat + 100, 500);
	seg = (struct gseg){ gpa + size - 100, 600 };
	EXPECT(gring_add(&n.ring[VMM_TX], &seg, 1, 0, NULL) >= 0);
	tx_expect(5, 588);

	seg.len = 2048;
	EXPECT(gring_add(&n.ring[VMM_RX], &seg, 0, 1, NULL) >= 0);
	gring_kick(&n.ring[VMM_RX]);
	vnet_host_send(&n, 6, 588);
	EXPECT(gring_wait(&n.ring[VMM_RX], WAIT_MS));
	memcpy(flat, one, 100);
	memcpy(flat + 100, two, 500);
	EXPECT_EQ(frame_check(flat + 12, 588), 6);
	EXPECT(gring_get(&n.ring[VMM_RX], &got, &token) >= 0);
	EXPECT_EQ(got, 600);
}

/*
 * Stopped in the middle of work, over and over: every buffer is either used or
 * still in the ring, the base says which, and nothing is sent twice.
 */
static void stop_start(void)
{
	const unsigned int total = 3000;
	unsigned int sent = 0, seen = 0, base, i;
	struct gring *r;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	for (i = 0; seen < total; i++) {
		unsigned int k;

		for (k = 0; k < 100 && sent < total &&
			    vnet_tx_add(&n, sent, 60) >= 0; k++)
			sent++;
		gring_kick(r);
		OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
		OK(vmm_get_vring_base(&n.vmm, VMM_TX, &base));
		EXPECT_EQ(base, gring_stopped_base(r));
		vnet_tx_reap(&n);
		/* What is used was sent; what is not was not. */
		for (; seen < sent - (r->num - r->nr_free); seen++)
			EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), seen);
		EXPECT_EQ(vnet_host_recv(&n, NULL, 0), -ETIMEDOUT);
		OK(vmm_vring_base(&n.vmm, VMM_TX, base));
		OK(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd));
		if (i % 4 == 0)
			vnet_tx_drain(&n, WAIT_MS);
		if (i > 10000)
			test_fail("no progress");
	}
}

/* The same for reception: a packet is never lost to a stop. */
static void stop_start_rx(void)
{
	unsigned int seen = 0, base, i;
	char buf[2048];
	struct gring *r;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_RX];
	for (i = 0; i < 30; i++) {
		unsigned int k;

		vnet_rx_post(&n, 256);
		for (k = 0; k < 40; k++)
			vnet_host_send(&n, i * 40 + k, 60);
		OK(vmm_net_backend(&n.vmm, VMM_RX, -1));
		OK(vmm_get_vring_base(&n.vmm, VMM_RX, &base));
		EXPECT_EQ(base, gring_stopped_base(r));
		while (gring_pending(r)) {
			EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), 0), 72);
			EXPECT_EQ(frame_check(buf + 12, 60), seen++);
		}
		OK(vmm_vring_base(&n.vmm, VMM_RX, base));
		OK(vmm_net_backend(&n.vmm, VMM_RX, n.tapfd));
	}
	while (seen < 30 * 40) {
		vnet_rx_post(&n, 256);
		EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 72);
		EXPECT_EQ(frame_check(buf + 12, 60), seen++);
	}
}

/* RING_RESET and a reset driver: the queue begins anew from nothing. */
static void restart_from_zero(void)
{
	unsigned int i;

	vnet_start(&n, NULL);
	for (i = 0; i < 5; i++) {
		/* Other ones each time, so that an index of the last time is wrong. */
		vnet_tx_check(&n, 100 * i, 30 - 5 * i, 60);
		vnet_rx_check(&n, 100 * i, 30 - 5 * i, 60);
		vnet_restart(&n, VMM_TX, 0);
		vnet_restart(&n, VMM_RX, 0);
	}
}

/* Buffers that are there before the queue starts are found without a kick. */
static void filled_before_start(void)
{
	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	vnet_tx_add(&n, 5, 60);
	gring_publish(&n.ring[VMM_TX]);
	vnet_rx_post(&n, 10);
	evt_wait(n.ring[VMM_RX].kick, 0);
	vnet_host_send(&n, 6, 60);
	vnet_backend(&n, n.tapfd);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 5);
	EXPECT(gring_wait(&n.ring[VMM_RX], WAIT_MS));
}

static const struct test tests[] = {
	TEST(tx_chains),
	TEST(tx_chain_fills_ring),
	TEST(tx_indirect),
	TEST(tx_indirect_1024),
	TEST_WITHOUT(tx_direct_then_indirect, TEST_PACKED),
	TEST_WITHOUT(tx_indirect_out_of_order, TEST_PACKED | TEST_IN_ORDER),
	TEST(rx_chains),
	TEST(rx_indirect),
	TEST_ONCE(legacy_header_10),
	TEST_ONCE(legacy_header_12),
	TEST_WITHOUT(version_1_header_12, TEST_EVENT_IDX),
	TEST_WITHOUT(many_feature_sets, TEST_EVENT_IDX),
	TEST(ring_sizes),
	TEST(index_wrap),
	TEST_WITH(event_idx_long_silence, TEST_EVENT_IDX),
	TEST_WITH(event_idx_signal, TEST_EVENT_IDX),
	TEST_ONCE(event_idx_after_on_empty),
	TEST_WITHOUT(flags_no_interrupt, TEST_EVENT_IDX),
	TEST_WITHOUT(notify_on_empty, TEST_EVENT_IDX | TEST_PACKED),
	TEST(idle_wants_kick),
	TEST(parts_together),
	TEST(outside_memory_table),
	TEST(across_regions),
	TEST(stop_start),
	TEST(stop_start_rx),
	TEST(restart_from_zero),
	TEST(filled_before_start),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
