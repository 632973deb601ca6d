// SPDX-License-Identifier: GPL-2.0
/* What vhost-net does with packets, with a tap behind it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000
#define V1 BIT_ULL(VIRTIO_F_VERSION_1)
#define MRG BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)
#define VHOST_HDR BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR)

static struct vnet n;

static void tx_sizes(void)
{
	static const unsigned int lens[] = {
		18, 60, 61, 64, 127, 128, 129, 500, 1514, 3000, 4000, 9014, 65000,
	};
	unsigned int i;

	vnet_start(&n, &(struct vnet_conf){ .num = 16, .buf_size = 1 << 17 });
	for (i = 0; i < N(lens); i++)
		vnet_tx_check(&n, i * 100, 20, lens[i]);
}

/* Small and large ones mixed in one batch keep their order. */
static void tx_mixed_batch(void)
{
	unsigned int i, k, len;

	vnet_start(&n, &(struct vnet_conf){ .num = 64, .buf_size = 1 << 15 });
	for (k = 0; k < 4; k++) {
		for (i = 0; i < 64; i++)
			vnet_tx_add(&n, i, i % 5 == 2 ? 20000 : 60 + i);
		gring_kick(&n.ring[VMM_TX]);
		for (i = 0; i < 64; i++) {
			EXPECT_EQ(vnet_host_recv(&n, &len, WAIT_MS), i);
			EXPECT_EQ(len, i % 5 == 2 ? 20000 : 60 + i);
		}
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
	}
}

/* Larger than any packet may be: gone, and the next one is sent. */
static void tx_oversize(void)
{
	static const unsigned int lens[] = { 200000, 524288 + 14, 600000 };
	unsigned int i, k;

	vnet_start(&n, &(struct vnet_conf){ .num = 16, .buf_size = 1 << 20,
					    .mem = 64 << 20 });
	for (k = 0; k < N(lens); k++) {
		for (i = 0; i < 4; i++) {
			vnet_tx_add(&n, 0, lens[k]);
			gring_kick(&n.ring[VMM_TX]);
			EXPECT(vnet_tx_drain(&n, WAIT_MS));
		}
		/* The first ones the backend may take. */
		while (vnet_host_recv(&n, NULL, 0) != -ETIMEDOUT)
			;
		vnet_tx_check(&n, 5, 10, 60);
	}
	if (test_ours())
		EXPECT_EQ(vmm_counter(&n.vmm, VMM_TX, "tx_frame"), 8);
}

/* So long that with what a buffer needs besides it passes 2^32: gone as well. */
static void tx_almost_4g(void)
{
	enum { SEGS = 1024, SEG = 4 << 20 };
	static struct gseg seg[SEGS];
	unsigned int i;

	vnet_start(&n, &(struct vnet_conf){ .num = SEGS, .mem = 64 << 20 });
	for (i = 0; i < SEGS; i++)
		seg[i] = (struct gseg){ VMM_GPA, SEG };
	seg[SEGS - 1].len -= 16;
	EXPECT(gring_add(&n.ring[VMM_TX], seg, SEGS, 0, seg) >= 0);
	gring_kick(&n.ring[VMM_TX]);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	if (test_ours())
		EXPECT_EQ(vmm_counter(&n.vmm, VMM_TX, "tx_frame"), 1);
	vnet_tx_check(&n, 5, 10, 60);
}

/* More than the weight of a turn at once. */
static void tx_burst_beyond_weight(void)
{
	unsigned int i;

	vnet_start(&n, &(struct vnet_conf){ .num = 2048 });
	for (i = 0; i < 1500; i++)
		EXPECT(vnet_tx_add(&n, i, 60) >= 0);
	gring_kick(&n.ring[VMM_TX]);
	for (i = 0; i < 1500; i++)
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	if (test_ours())
		EXPECT(vmm_counter(&n.vmm, VMM_TX, "requeues") >= 1500 / 256);
}

static void rx_sizes(void)
{
	static const unsigned int lens[] = { 18, 60, 61, 116, 117, 128, 500, 1514 };
	unsigned int i;

	vnet_start(&n, NULL);
	for (i = 0; i < N(lens); i++)
		vnet_rx_check(&n, i * 100, 20, lens[i]);
}

/* One packet over as many buffers as it takes. */
static void rx_mergeable(void)
{
	static const unsigned int lens[] = { 60, 116, 117, 128, 244, 245, 9014, 60000 };
	unsigned int i, k;
	char buf[1 << 16];

	vnet_start(&n, &(struct vnet_conf){ .num = 1024, .buf_size = 128 });
	OK(netdev_mtu(n.tap, 65000));
	for (i = 0; i < N(lens); i++) {
		for (k = 0; k < 4; k++) {
			vnet_rx_post(&n, 1024);
			vnet_host_send(&n, k, lens[i]);
			EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS),
				  12 + lens[i]);
			EXPECT_EQ(frame_check(buf + 12, lens[i]), k);
			/* Not one buffer more than needed. */
			EXPECT_EQ(n.ring[VMM_RX].nr_free,
				  (12 + lens[i] + 127) / 128);
		}
	}
}

/* Buffers of all sizes, even some that end inside the header. */
static void rx_mergeable_uneven(void)
{
	static const unsigned int sizes[] = { 20, 300, 12, 4, 1000, 64, 11, 1 };
	struct gring *r;
	unsigned int k;
	char out[4096];

	vnet_start(&n, NULL);
	OK(netdev_mtu(n.tap, 9000));
	r = &n.ring[VMM_RX];
	for (k = 0; k < 40; k++) {
		unsigned int len = 60 + k * 70, at = 0, i, nr = 0;

		for (i = 0; r->nr_free; i++) {
			char *buf = vnet_buf(&n, VMM_RX);
			struct gseg seg = { vnet_addr(&n, buf), sizes[(i + k) % 8] };

			gring_add(r, &seg, 0, 1, buf);
		}
		gring_kick(r);
		vnet_host_send(&n, k, len);
		while (at < 12 + len) {
			__u32 used;
			void *token;

			EXPECT(gring_pending(r) || gring_wait(r, WAIT_MS));
			EXPECT(gring_get(r, &used, &token) >= 0);
			EXPECT(used <= 1000 && at + used <= sizeof(out));
			memcpy(out + at, token, used);
			at += used;
			nr++;
		}
		EXPECT_EQ(at, 12 + len);
		EXPECT_EQ(((struct virtio_net_hdr_mrg_rxbuf *)out)->num_buffers, nr);
		EXPECT_EQ(frame_check(out + 12, len), k);
	}
}

/* The packet waits until there are buffers enough for it. */
static void rx_waits_for_buffers(void)
{
	char buf[1 << 14];
	unsigned int i;

	vnet_start(&n, &(struct vnet_conf){ .num = 256, .buf_size = 128 });
	OK(netdev_mtu(n.tap, 9000));
	vnet_host_send(&n, 1, 9014);
	vnet_host_send(&n, 2, 60);
	for (i = 0; i < 7; i++) {
		vnet_rx_post(&n, 10);
		/* The other queue as a clock: the packet had its chance. */
		vnet_tx_check(&n, i, 2, 60);
		EXPECT_EQ(gring_pending(&n.ring[VMM_RX]), 0);
	}
	vnet_rx_post(&n, 10);
	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 12 + 9014);
	EXPECT_EQ(frame_check(buf + 12, 9014), 1);
	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 12 + 60);
	EXPECT_EQ(frame_check(buf + 12, 60), 2);
}

/* Without mergeable buffers: a chain of several segments for a large packet. */
static void rx_big_chain(void)
{
	struct gseg seg[5];
	struct gring *r;
	unsigned int i;
	__u32 used;
	void *token;
	char *buf;

	vnet_start(&n, &(struct vnet_conf){ .features = V1 });
	OK(netdev_mtu(n.tap, 9000));
	r = &n.ring[VMM_RX];
	buf = vmm_alloc(&n.vmm, 16384, 4096);
	seg[0] = (struct gseg){ vnet_addr(&n, buf), 12 };
	for (i = 1; i < 5; i++)
		seg[i] = (struct gseg){ vnet_addr(&n, buf + 12 + (i - 1) * 3000), 3000 };
	for (i = 0; i < 10; i++) {
		unsigned int len = 60 + i * 900;

		memset(buf, 0xee, 16384);
		gring_add(r, seg, 0, 5, buf);
		gring_kick(r);
		vnet_host_send(&n, i, len);
		EXPECT(gring_wait(r, WAIT_MS));
		EXPECT(gring_get(r, &used, &token) >= 0);
		EXPECT_EQ(used, 12 + len);
		EXPECT_EQ(frame_check(buf + 12, len), i);
		EXPECT_EQ((unsigned char)buf[12 + len], 0xee);
	}
}

/* ---- VLAN tags ------------------------------------------------------------------ */

static void vlan_tags(void)
{
	char vlan[IFNAMSIZ + 8], buf[2048], frame[2048];
	struct gring *r;
	struct gseg seg;
	int sock;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	snprintf(vlan, sizeof(vlan), "%s.5", n.tap);
	if (netdev_run("ip link add link %s name %s type vlan id 5", n.tap, vlan))
		test_skip("no VLAN devices in this kernel");
	OK(netdev_up(vlan));
	sock = packet_open(vlan, SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(sock >= 0);

	/* Out: the guest's tag becomes the packet's, and the device's. */
	frame_fill(frame, 200, 7);
	char *p = vnet_buf(&n, VMM_TX);

	memset(p, 0, 12);
	memcpy(p + 12, frame, 12);
	memcpy(p + 24, "\x81\x00\x00\x05", 4);
	memcpy(p + 28, frame + 12, 188);
	seg = (struct gseg){ vnet_addr(&n, p), 12 + 204 };
	gring_add(r, &seg, 1, 0, p);
	gring_kick(r);
	EXPECT_EQ(sock_recv(sock, buf, sizeof(buf), WAIT_MS), 200);
	EXPECT_EQ(frame_check(buf, 200), 7);

	/* In: the device's tag is in the guest's packet, and in its length. */
	vnet_rx_post(&n, 4);
	frame_fill(frame, 300, 8);
	EXPECT_EQ(send(sock, frame, 300, 0), 300);
	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 12 + 304);
	EXPECT(!memcmp(buf + 24, "\x81\x00\x00\x05", 4));
	memmove(buf + 24, buf + 28, 288);
	EXPECT_EQ(frame_check(buf + 12, 300), 8);
}

/* ---- XDP ------------------------------------------------------------------------ */

/* Frames, not skbs, in the tap's ring: what the guest sends comes back. */
static void xdp_tx_comes_back(void)
{
	int prog = xdp_prog_return(XDP_TX), link;
	unsigned int i;
	char buf[2048];

	vnet_start(&n, NULL);
	if (prog < 0)
		test_skip("no BPF: %s", strerrorname_(-prog));
	link = xdp_attach(netdev_index(n.tap), prog);
	EXPECT(link >= 0);
	vnet_rx_post(&n, 256);
	for (i = 0; i < 100; i++)
		vnet_tx_add(&n, i, 60 + i * 10);
	gring_kick(&n.ring[VMM_TX]);
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS),
			  12 + 60 + i * 10);
		EXPECT_EQ(frame_check(buf + 12, 60 + i * 10), i);
	}
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	close(link);
	vnet_tx_check(&n, 0, 10, 60);
}

static void xdp_drop(void)
{
	int prog = xdp_prog_return(XDP_DROP), link;
	unsigned int i;

	vnet_start(&n, NULL);
	if (prog < 0)
		test_skip("no BPF: %s", strerrorname_(-prog));
	link = xdp_attach(netdev_index(n.tap), prog);
	EXPECT(link >= 0);
	/* More than the buffers' pages hold, to see them come back. */
	for (i = 0; i < 5000; i++) {
		vnet_tx_add(&n, i, 60);
		gring_kick(&n.ring[VMM_TX]);
		if (!n.ring[VMM_TX].nr_free)
			EXPECT(vnet_tx_drain(&n, WAIT_MS));
	}
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	EXPECT_EQ(vnet_host_recv(&n, NULL, 0), -ETIMEDOUT);
	close(link);
	vnet_tx_check(&n, 0, 10, 60);
}

/* Frames that another device redirects into our tap. */
static void xdp_redirect(void)
{
	char other[IFNAMSIZ] = "other", buf[2048];
	int fd, prog, link;
	unsigned int i;

	vnet_start(&n, NULL);
	fd = tap_open(other, 0);
	EXPECT(fd >= 0);
	OK(tap_hdr_len(fd, 12));
	OK(netdev_up(other));
	/* Only a write that may not wait takes the tap's XDP path. */
	EXPECT(!fcntl(fd, F_SETFL, O_NONBLOCK));
	prog = xdp_prog_redirect(netdev_index(n.tap));
	if (prog < 0)
		test_skip("no BPF: %s", strerrorname_(-prog));
	link = xdp_attach(netdev_index(other), prog);
	EXPECT(link >= 0);
	vnet_rx_post(&n, 256);
	for (i = 0; i < 100; i++) {
		unsigned int len = 60 + i * 14;

		memset(buf, 0, 12);
		frame_fill(buf + 12, len, i);
		EXPECT_EQ(write(fd, buf, 12 + len), 12 + len);
		EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 12 + len);
		EXPECT_EQ(frame_check(buf + 12, len), i);
	}
}

static const struct test tests[] = {
	TEST(tx_sizes), TEST(tx_mixed_batch), TEST(tx_oversize),
	TEST(tx_almost_4g), TEST(tx_burst_beyond_weight), TEST(rx_sizes),
	TEST(rx_mergeable), TEST(rx_mergeable_uneven),
	TEST(rx_waits_for_buffers), TEST_WITHOUT(rx_big_chain, TEST_EVENT_IDX), TEST_ONCE(vlan_tags),
	TEST(xdp_tx_comes_back), TEST(xdp_drop), TEST(xdp_redirect),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
