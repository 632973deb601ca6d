// SPDX-License-Identifier: GPL-2.0
/*
 * Checksum and segmentation offloads: the virtio-net header that the guest
 * writes is the one that the host's stack sees, and the other way round.
 */
#include <sys/socket.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000
#define TCP 34		/* where the TCP header is */
#define DATA 54		/* and what follows it */
#define ALL_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

static struct vnet n;
static int host;	/* packet socket with virtio-net headers */

static void start(unsigned int offloads)
{
	int one = 1;

	vnet_start(&n, &(struct vnet_conf){ .num = 64, .buf_size = 1 << 16 });
	OK(tap_offload(n.tapfd, offloads));
	host = packet_open(n.tap, SOCK_RAW, ETH_P_ALL);
	EXPECT(host >= 0);
	EXPECT(!setsockopt(host, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)));
}

static __u32 sum(const void *buf, size_t len, __u32 s)
{
	const __u8 *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		s += i & 1 ? p[i] : p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void put16(char *p, __u16 val)
{
	p[0] = val >> 8;
	p[1] = val;
}

static __u16 get16(const char *p)
{
	return (__u8)p[0] << 8 | (__u8)p[1];
}

/* The part of the TCP checksum that does not depend on the segment's bytes. */
static __u32 pseudo(const char *frame, unsigned int tcp_len)
{
	return sum(frame + 26, 8, 6 + tcp_len);
}

/* IPv4 and TCP with @len bytes of data; the checksum left to do. */
static unsigned int make_tcp(char *p, unsigned int len, __u32 seq)
{
	unsigned int i;

	memset(p, 0, DATA);
	memcpy(p, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", 14);
	p[14] = 0x45;
	put16(p + 16, 40 + len);
	p[22] = 64;
	p[23] = 6;
	memcpy(p + 26, "\xc0\0\2\1\xc0\0\2\2", 8);
	put16(p + 24, ~sum(p + 14, 20, 0));
	put16(p + TCP, 1000);
	put16(p + TCP + 2, 2000);
	put16(p + TCP + 4, seq >> 16);
	put16(p + TCP + 6, seq);
	p[TCP + 12] = 0x50;
	p[TCP + 13] = 0x10;
	put16(p + TCP + 16, pseudo(p, 20 + len));
	for (i = 0; i < len; i++)
		p[DATA + i] = (seq + i) * 13;
	return DATA + len;
}

static struct virtio_net_hdr csum_hdr(void)
{
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.hdr_len = DATA,
		.csum_start = TCP,
		.csum_offset = 16,
	};
}

static struct virtio_net_hdr tso_hdr(unsigned int mss)
{
	struct virtio_net_hdr h = csum_hdr();

	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	h.gso_size = mss;
	return h;
}

/* Headers of a captured packet are what was sent; the rest is up to the host. */
static void same_header(const struct virtio_net_hdr *got,
			const struct virtio_net_hdr *want)
{
	EXPECT_EQ(got->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM,
		  want->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	EXPECT_EQ(got->gso_type, want->gso_type);
	EXPECT_EQ(got->gso_size, want->gso_size);
	if (want->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		EXPECT_EQ(got->csum_start, want->csum_start);
		EXPECT_EQ(got->csum_offset, want->csum_offset);
	}
}

static void send_tcp(const struct virtio_net_hdr *h, unsigned int len, __u32 seq)
{
	char *buf = vnet_buf(&n, VMM_TX);
	unsigned int size;
	struct gseg seg;

	memset(buf, 0, 12);
	memcpy(buf, h, sizeof(*h));
	size = make_tcp(buf + 12, len, seq);
	seg = (struct gseg){ vnet_addr(&n, buf), 12 + size };
	EXPECT(gring_add(&n.ring[VMM_TX], &seg, 1, 0, buf) >= 0);
	gring_kick(&n.ring[VMM_TX]);
}

static void host_expect(const struct virtio_net_hdr *h, unsigned int len, __u32 seq)
{
	static char want[1 << 16], got[1 << 17];
	int size = make_tcp(want, len, seq);

	EXPECT_EQ(sock_recv(host, got, sizeof(got), WAIT_MS), 10 + size);
	same_header((void *)got, h);
	EXPECT(!memcmp(got + 10, want, size));
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
}

static void tx_csum(void)
{
	struct virtio_net_hdr h = csum_hdr();
	unsigned int i;

	start(0);
	for (i = 0; i < 20; i++) {
		send_tcp(&h, i * 70, i);
		host_expect(&h, i * 70, i);
	}
}

/* hdr_len is a hint, and may be 0. */
static void tx_csum_no_hdr_len(void)
{
	struct virtio_net_hdr h = csum_hdr();

	start(0);
	h.hdr_len = 0;
	send_tcp(&h, 500, 1);
	host_expect(&h, 500, 1);
}

static void tx_tso(void)
{
	static const unsigned int lens[] = { 1461, 2921, 10000, 30000, 65000 };
	struct virtio_net_hdr h = tso_hdr(1460);
	unsigned int i;

	start(0);
	for (i = 0; i < N(lens); i++) {
		send_tcp(&h, lens[i], i);
		host_expect(&h, lens[i], i);
	}
}

/* A TSO packet so small that it fits where small packets go. */
static void tx_tso_small(void)
{
	struct virtio_net_hdr h = tso_hdr(100);

	start(0);
	send_tcp(&h, 250, 1);
	host_expect(&h, 250, 1);
}

/* A header that no packet can have: dropped, and the next one is sent. */
static void tx_bad_gso_type(void)
{
	struct virtio_net_hdr h = csum_hdr(), bad = tso_hdr(1460);
	unsigned int i;

	start(0);
	for (i = 0; i < 3; i++) {
		bad.gso_type = i ? 0x7f : VIRTIO_NET_HDR_GSO_TCPV4;
		bad.gso_size = i == 2 ? 1460 : 0;
		send_tcp(&bad, 500, 1);
		send_tcp(&bad, 20000, 1);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
		send_tcp(&h, 500, 2);
		host_expect(&h, 500, 2);
	}
}

/* ---- from the host ------------------------------------------------------------ */

static void host_send(const struct virtio_net_hdr *h, unsigned int len, __u32 seq)
{
	static char buf[1 << 16];
	int size;

	memcpy(buf, h, sizeof(*h));
	size = make_tcp(buf + 10, len, seq);
	EXPECT_EQ(send(host, buf, 10 + size, 0), 10 + size);
}

static void rx_tso(void)
{
	static char got[1 << 17], want[1 << 16];
	struct virtio_net_hdr h = tso_hdr(1460);
	unsigned int i, lens[] = { 1461, 10000, 60000 };

	start(ALL_OFFLOADS);
	for (i = 0; i < N(lens); i++) {
		int size = make_tcp(want, lens[i], i);

		vnet_rx_post(&n, 64);
		host_send(&h, lens[i], i);
		EXPECT_EQ(vnet_rx_recv(&n, got, sizeof(got), WAIT_MS), 12 + size);
		same_header((void *)got, &h);
		EXPECT(!memcmp(got + 12, want, size));
	}
}

/* The tap may not send such: the host cuts the packet up itself. */
static void rx_tso_off(void)
{
	struct virtio_net_hdr h = tso_hdr(1000), none = { 0 };
	static char got[1 << 16];
	unsigned int at = 0;

	start(0);
	vnet_rx_post(&n, 64);
	host_send(&h, 9500, 0);
	while (at < 9500) {
		unsigned int len = 9500 - at < 1000 ? 9500 - at : 1000;
		char *f = got + 12;

		EXPECT_EQ(vnet_rx_recv(&n, got, sizeof(got), WAIT_MS),
			  12 + DATA + len);
		same_header((void *)got, &none);
		EXPECT_EQ(get16(f + TCP + 6), at);
		EXPECT_EQ(sum(f + TCP, 20 + len, pseudo(f, 20 + len)), 0xffff);
		at += len;
	}
}

static void rx_csum(void)
{
	static char got[1 << 16], want[1 << 16];
	struct virtio_net_hdr h = csum_hdr();
	int size;

	start(TUN_F_CSUM);
	vnet_rx_post(&n, 64);
	host_send(&h, 700, 5);
	size = make_tcp(want, 700, 5);
	EXPECT_EQ(vnet_rx_recv(&n, got, sizeof(got), WAIT_MS), 12 + size);
	same_header((void *)got, &h);
	EXPECT(!memcmp(got + 12, want, size));
}

static void rx_csum_off(void)
{
	struct virtio_net_hdr h = csum_hdr(), none = { 0 };
	static char got[1 << 16];

	start(0);
	vnet_rx_post(&n, 64);
	host_send(&h, 700, 5);
	EXPECT_EQ(vnet_rx_recv(&n, got, sizeof(got), WAIT_MS), 12 + DATA + 700);
	same_header((void *)got, &none);
	EXPECT_EQ(sum(got + 12 + TCP, 720, pseudo(got + 12, 720)), 0xffff);
}

/* A large packet that has to be spread over small buffers keeps its header. */
static void rx_tso_mergeable(void)
{
	static char got[1 << 17], want[1 << 16];
	struct virtio_net_hdr h = tso_hdr(1460);
	int one = 1, size;

	vnet_start(&n, &(struct vnet_conf){ .num = 1024, .buf_size = 256 });
	OK(tap_offload(n.tapfd, ALL_OFFLOADS));
	host = packet_open(n.tap, SOCK_RAW, ETH_P_ALL);
	EXPECT(!setsockopt(host, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)));
	vnet_rx_post(&n, 1024);
	host_send(&h, 60000, 3);
	size = make_tcp(want, 60000, 3);
	EXPECT_EQ(vnet_rx_recv(&n, got, sizeof(got), WAIT_MS), 12 + size);
	same_header((void *)got, &h);
	EXPECT(!memcmp(got + 12, want, size));
}

static const struct test tests[] = {
	TEST(tx_csum), TEST(tx_csum_no_hdr_len),
	TEST(tx_tso), TEST(tx_tso_small), TEST(tx_bad_gso_type),
	TEST(rx_tso), TEST(rx_tso_off), TEST(rx_csum), TEST(rx_csum_off),
	TEST(rx_tso_mergeable),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
