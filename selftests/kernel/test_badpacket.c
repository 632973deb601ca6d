// SPDX-License-Identifier: GPL-2.0
/*
 * Packets and buffers that are not what they should be: each is gone, and its
 * queue goes on. A test has the name of the rejection that it provokes, and a
 * suffix if there are several ways to.
 */

#include "bad.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS BAD_WAIT_MS

/* ---- packets ------------------------------------------------------------------------- */

static void tx_writable(void)
{
	bad_begin(VMM_TX);
	bad_one_spoils("tx_writable", vnet_addr(&n, bad_page()), 72, WRITE);
}

static void tx_writable_tail(void)
{
	bad_begin(VMM_TX);
	bad_chain_spoils("tx_writable", (struct bad_seg[]){
		{ vnet_addr(&n, bad_page()), 72, 0 },
		{ vnet_addr(&n, bad_page()), 72, WRITE },
	}, 2);
}

static void tx_short(void)
{
	bad_begin(VMM_TX);
	bad_one_spoils("tx_short", vnet_addr(&n, bad_page()), 11, 0);
}

static void tx_short_legacy(void)
{
	bad_start(VMM_TX, &(struct vnet_conf){ .legacy = true });
	bad_add_good(GOOD);
	bad_one_spoils("tx_short", vnet_addr(&n, bad_page()), 9, 0);
}

/* A header and nothing else, and one byte short of an Ethernet header. */
static void tx_frame_empty(void)
{
	bad_begin(VMM_TX);
	bad_one_spoils("tx_frame", vnet_addr(&n, bad_page()), 12, 0);
}

static void tx_frame_13(void)
{
	bad_begin(VMM_TX);
	bad_one_spoils("tx_frame", vnet_addr(&n, bad_page()), 12 + 13, 0);
}

static void bad_header(const struct virtio_net_hdr *h, unsigned int len)
{
	char *p;

	bad_begin(VMM_TX);
	p = vmm_alloc(&n.vmm, 65536, 4096);
	memcpy(p, h, sizeof(*h));
	frame_fill(p + 12, len, 99);
	bad_one_spoils("tx_hdr", vnet_addr(&n, p), 12 + len, 0);
}

static void tx_hdr_csum_start(void)
{
	bad_header(&(struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 65535 }, 60);
}

static void tx_hdr_csum_offset(void)
{
	struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 34,
		.csum_offset = 60 - 34 - 1,
	};

	bad_header(&hdr, 60);
}

static void rx_readable(void)
{
	bad_begin(VMM_RX);
	bad_one_spoils("rx_readable", vnet_addr(&n, bad_page()), 2048, 0);
}

static void rx_readable_head(void)
{
	bad_begin(VMM_RX);
	bad_chain_spoils("rx_readable", (struct bad_seg[]){
		{ vnet_addr(&n, bad_page()), 20, 0 },
		{ vnet_addr(&n, bad_page()), 2048, WRITE },
	}, 2);
}

/* One buffer a packet, and it is too small for this one: the packet goes. */
static void rx_small(void)
{
	struct gseg seg;
	char buf[2048];

	bad_start(VMM_RX, &(struct vnet_conf){ .features = BIT_ULL(VIRTIO_F_VERSION_1) });
	seg = (struct gseg){ vnet_addr(&n, bad_page()), 200 };
	EXPECT(gring_add(r, &seg, 0, 1, bad_page()) >= 0);
	vnet_host_send(&n, 1, 500);
	vnet_host_send(&n, 2, 60);
	gring_kick(r);
	vnet_rx_post(&n, 5);
	vnet_host_send(&n, 3, 500);
	/*
	 * Whether the small buffer is used for the next packet, or given back
	 * empty, is the device's choice; the others must arrive.
	 */
	EXPECT(test_until(gring_pending(r) >= 2, WAIT_MS));
	while (vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS) != 512)
		;
	EXPECT_EQ(frame_check(buf + 12, 500), 3);
	bad_counted_once("rx_small");
	bad_state_is("running");
	EXPECT_EQ(evt_wait(r->err, 0), 0);
}

/* ---- what is no chain at all ------------------------------------------------------------ */

/*
 * A flood of chains that each are rejected, for @why: none of them counts as
 * little work, and the other queue gets its turns. Who floods has to wait.
 */
static void flood(unsigned int len, const char *why)
{
	struct gseg seg;
	unsigned int i;
	char *buf;

	bad_start(VMM_TX, &(struct vnet_conf){ .mem = 32 << 20 });
	buf = vmm_alloc(&n.vmm, len, 4096);
	EXPECT(buf);
	memset(buf, 0, len);
	seg = (struct gseg){ vnet_addr(&n, buf), len };
	for (i = 0; i < 40; i++) {
		vnet_tx_reap(&n);
		while (gring_add(r, &seg, 1, 0, NULL) >= 0)
			;
		gring_kick(r);
		evt_signal(r->kick);
		vnet_rx_check(&n, i, 1, 60);
	}
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	EXPECT_EQ(vmm_counter(&n.vmm, VMM_TX, why),
		  vmm_counter(&n.vmm, VMM_TX, "chains"));
	EXPECT(vmm_counter(&n.vmm, VMM_TX, "pauses") > 0);
	bad_state_is("running");
}

static void flood_of_short_packets(void)
{
	flood(1, "tx_short");
}

static void flood_of_oversize_packets(void)
{
	flood(600000, "tx_frame");
}

static void flood_of_empty_frames(void)
{
	flood(12, "tx_frame");
}

/* From the host: packets too large for the guest's buffers; it can still send. */
static void flood_of_large_packets_rx(void)
{
	char buf[2048];
	unsigned int i;

	bad_start(VMM_RX, &(struct vnet_conf){ .features = BIT_ULL(VIRTIO_F_VERSION_1),
					       .buf_size = 256 });
	vnet_rx_post(&n, 256);
	for (i = 0; i < 2000; i++) {
		vnet_host_send(&n, i, 1000);
		if (i % 200 == 0)
			vnet_tx_check(&n, i, 1, 60);
	}
	EXPECT(test_until(vmm_counter(&n.vmm, VMM_RX, "rx_small") == 2000, WAIT_MS));
	vnet_host_send(&n, 1, 60);
	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 72);
	bad_state_is("running");
}

/* Both queues broken at once: two names, each on its own. */
static void both_queues(void)
{
	struct gring *tx, *rx;

	bad_start(VMM_TX, NULL);
	tx = &n.ring[VMM_TX];
	rx = &n.ring[VMM_RX];
	gring_push(tx, 256);
	gring_kick(tx);
	rx->avail_idx += 300;
	gring_kick(rx);
	vnet_host_send(&n, 0, 60);
	EXPECT_EQ(evt_wait(tx->err, WAIT_MS), 1);
	EXPECT_EQ(evt_wait(rx->err, WAIT_MS), 1);
	bad_counted_once("head_range");
	vq = VMM_RX;
	bad_counted_once("avail_idx");
}

static const struct test tests[] = {
	TEST(tx_writable), TEST(tx_writable_tail), TEST(tx_short),
	TEST_ONCE(tx_short_legacy), TEST(tx_frame_empty), TEST(tx_frame_13),
	TEST(tx_hdr_csum_start), TEST(tx_hdr_csum_offset), TEST(rx_readable),
	TEST(rx_readable_head), TEST_WITHOUT(rx_small, TEST_EVENT_IDX),
	TEST(flood_of_short_packets),
	TEST(flood_of_oversize_packets), TEST(flood_of_empty_frames),
	TEST_WITHOUT(flood_of_large_packets_rx, TEST_EVENT_IDX),
	TEST_WITHOUT(both_queues, TEST_PACKED),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
