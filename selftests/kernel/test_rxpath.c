// SPDX-License-Identifier: GPL-2.0
/*
 * Packets to the guest, behind the first few: the device writes the plain ones
 * itself and leaves the others to the tap. Guest and tap must not notice.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "bad.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS BAD_WAIT_MS
#define V1 BIT_ULL(VIRTIO_F_VERSION_1)
#define MRG BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)
#define VHOST_HDR BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR)
/* One packet of so many is the tap's even if all are plain. */
#define PERIOD 64

static long long counter(const char *name)
{
	return vmm_counter(&n.vmm, VMM_RX, name);
}

/* @count packets were received since @before of them were direct, @plain so. */
static void direct_is(long long before, unsigned int plain, unsigned int count)
{
	long long direct = counter("direct") - before;

	if (!test_ours())
		return;
	EXPECT(direct <= plain);
	EXPECT(direct >= plain - (long long)(count + PERIOD - 1) / PERIOD);
}

/* Let the device learn what the tap is like. */
static void warm_up(void)
{
	vnet_rx_check(&n, 0, 3, 60);
}

/* What a device has sent, by its own account. */
static void dev_sent(const char *name, long long *packets, long long *bytes)
{
	char line[512], *p;
	FILE *f = fopen("/proc/self/net/dev", "r");

	EXPECT(f);
	*packets = -1;
	while (fgets(line, sizeof(line), f)) {
		p = strstr(line, name);
		if (p && p[strlen(name)] == ':')
			EXPECT(sscanf(p + strlen(name) + 1,
				      "%*d %*d %*d %*d %*d %*d %*d %*d %lld %lld",
				      bytes, packets) == 2);
	}
	fclose(f);
}

static bool dev_has_sent(const char *name, long long packets, long long bytes)
{
	long long p, b;

	dev_sent(name, &p, &b);
	return p == packets && b == bytes;
}

/* ---- plain packets --------------------------------------------------------------- */

static void all_sizes(void)
{
	unsigned int len, count = 0;
	long long before;

	vnet_start(&n, NULL);
	warm_up();
	before = counter("direct");
	for (len = 60; len < 1514; len += 1 + len / 200) {
		vnet_rx_check(&n, len, 2, len);
		count += 2;
	}
	direct_is(before, count, count);
}

/* The tap's device counts every packet, whoever wrote it. */
static void tap_counts(void)
{
	long long packets, bytes;

	vnet_start(&n, NULL);
	dev_sent(n.tap, &packets, &bytes);
	vnet_rx_check(&n, 0, 500, 60);
	vnet_rx_check(&n, 500, 500, 1000);
	EXPECT(test_until(dev_has_sent(n.tap, packets + 1000,
				       bytes + 500 * 1060), WAIT_MS));
}

static void with_header(__u64 features, bool one_buffer)
{
	static const unsigned int lens[] = { 60, 116, 117, 1514 };
	struct virtio_net_hdr_mrg_rxbuf h;
	long long before;
	unsigned int i;
	char buf[2048];

	vnet_start(&n, &(struct vnet_conf){ .features = features, .legacy = true });
	warm_up();
	before = counter("direct");
	for (i = 0; i < N(lens); i++)
		vnet_rx_check(&n, i * 100, 50, lens[i]);
	direct_is(before, 200, 200);
	vnet_rx_post(&n, 1);
	vnet_host_send(&n, 1, 60);
	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), n.hdr_len + 60);
	memcpy(&h, buf, sizeof(h));
	EXPECT(!h.hdr.flags && !h.hdr.gso_type && !h.hdr.hdr_len && !h.hdr.gso_size);
	/* In-tree writes it with mergeable buffers only. */
	if (one_buffer && (features & MRG || test_ours()))
		EXPECT_EQ(h.num_buffers, 1);
	vnet_stop(&n);
}

static void header_10(void)
{
	with_header(0, false);
}

static void header_12(void)
{
	with_header(V1, true);
	with_header(MRG, true);
	with_header(V1 | MRG, true);
}

/* Header and data in descriptors of their own, and data in pieces. */
static void chains(void)
{
	static const unsigned int lens[] = { 12, 20, 7, 90, 1, 1 << 11 };
	struct gring *ring = &n.ring[VMM_RX];
	struct gseg seg[N(lens)];
	long long before;
	unsigned int i, k;
	char out[2048];

	vnet_start(&n, &(struct vnet_conf){ .features = V1 });
	warm_up();
	vnet_restart(&n, VMM_RX, 0);
	before = counter("direct");
	for (k = 0; k < 200; k++) {
		unsigned int at = 0, len = 60 + k * 5;
		void *token;
		__u32 got;

		for (i = 0; i < N(lens); i++)
			seg[i] = (struct gseg){
				vnet_addr(&n, vnet_buf(&n, VMM_RX)), lens[i] };
		EXPECT(gring_add(ring, seg, 0, N(lens), ring) >= 0);
		gring_kick(ring);
		vnet_host_send(&n, k, len);
		EXPECT(gring_pending(ring) || gring_wait(ring, WAIT_MS));
		EXPECT(gring_get(ring, &got, &token) >= 0);
		EXPECT_EQ(got, 12 + len);
		for (i = 0; at < got; at += lens[i++])
			memcpy(out + at, n.vmm.region[0].hva + (seg[i].addr - VMM_GPA),
			       got - at < lens[i] ? got - at : lens[i]);
		EXPECT_EQ(frame_check(out + 12, len), k);
	}
	direct_is(before, 200, 200);
}

/* Small mergeable buffers: the first one of a packet ends in its data. */
static void mergeable(void)
{
	long long before;
	char buf[2048];
	unsigned int k;

	vnet_start(&n, &(struct vnet_conf){ .num = 512, .buf_size = 64 });
	warm_up();
	before = counter("direct");
	for (k = 0; k < 200; k++) {
		unsigned int len = 60 + k * 6;
		struct virtio_net_hdr_mrg_rxbuf h;

		vnet_rx_post(&n, 512);
		vnet_host_send(&n, k, len);
		EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 12 + len);
		EXPECT_EQ(frame_check(buf + 12, len), k);
		memcpy(&h, buf, sizeof(h));
		EXPECT_EQ(h.num_buffers, (12 + len + 63) / 64);
	}
	direct_is(before, 200, 200);
}

/* What a packet socket sends in more than a page is in fragments. */
static void nonlinear(void)
{
	long long before;
	unsigned int i;

	vnet_start(&n, &(struct vnet_conf){ .num = 64, .buf_size = 1 << 14 });
	OK(netdev_mtu(n.tap, 9000));
	warm_up();
	before = counter("direct");
	for (i = 0; i < 10; i++)
		vnet_rx_check(&n, i, 10, 4200 + i * 500);
	direct_is(before, 100, 100);
}

/* A checksum that is left to do: the header says where. */
static void csum_partial(void)
{
	const struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 34,
		.csum_offset = 16,
	};
	char buf[10 + 300], got[2048];
	long long before;
	int one = 1, host;
	unsigned int i;

	vnet_start(&n, NULL);
	OK(tap_offload(n.tapfd, TUN_F_CSUM));
	warm_up();
	host = packet_open(n.tap, SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(!setsockopt(host, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)));
	before = counter("direct");
	for (i = 0; i < 100; i++) {
		memcpy(buf, &h, sizeof(h));
		frame_fill(buf + 10, 300, i);
		vnet_rx_post(&n, 16);
		EXPECT_EQ(send(host, buf, sizeof(buf), 0), sizeof(buf));
		EXPECT_EQ(vnet_rx_recv(&n, got, sizeof(got), WAIT_MS), 312);
		EXPECT(!memcmp(got, buf, sizeof(h)));
		EXPECT_EQ(frame_check(got + 12, 300), i);
	}
	direct_is(before, 100, 100);
}

/* A tap without a header of its own: what the guest gets is made up. */
static void made_up_header(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = "plain" };
	struct virtio_net_hdr_mrg_rxbuf h;
	long long before;
	char buf[2048];
	int fd;

	vnet_start(&n, &(struct vnet_conf){ .features = V1 | MRG | VHOST_HDR,
					    .no_backend = true });
	fd = open("/dev/net/tun", O_RDWR);
	EXPECT(!ioctl(fd, TUNSETIFF, &ifr));
	OK(netdev_up("plain"));
	close(n.sock);
	n.sock = packet_open("plain", SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(n.sock >= 0);
	vnet_backend(&n, fd);
	warm_up();
	before = counter("direct");
	vnet_rx_check(&n, 0, 100, 60);
	vnet_rx_check(&n, 0, 100, 1514);
	direct_is(before, 200, 200);
	vnet_rx_post(&n, 1);
	vnet_host_send(&n, 1, 60);
	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 72);
	memcpy(&h, buf, sizeof(h));
	EXPECT_EQ(h.hdr.flags, 0);
	EXPECT_EQ(h.num_buffers, 1);
}

static void macvtap(void)
{
	long long before;
	int fd;

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	close(n.sock);
	if (netdev_run("ip link add v0 address 02:00:00:00:00:03 type veth peer name v1"))
		test_skip("no veth devices in this kernel");
	OK(netdev_up("v0"));
	OK(netdev_up("v1"));
	fd = macvtap_open("v0", "m0");
	if (fd < 0)
		test_skip("no macvtap: %s", strerrorname_(-fd));
	OK(tap_hdr_len(fd, 12));
	OK(netdev_run("ip link set m0 address 02:00:00:00:00:02"));
	OK(netdev_up("m0"));
	n.sock = packet_open("v1", SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(n.sock >= 0);
	/* Until the carrier has been noticed what is sent vanishes. */
	EXPECT(test_until(!netdev_run("ip link show v1 | grep -q 'state UP'"), WAIT_MS));
	vnet_backend(&n, fd);
	warm_up();
	before = counter("direct");
	vnet_rx_check(&n, 0, 100, 60);
	vnet_rx_check(&n, 0, 100, 1514);
	direct_is(before, 200, 200);
	vnet_backend(&n, -1);
	close(fd);
}

/* ---- those that are the tap's ------------------------------------------------------ */

/* The host's ends for packets of each kind, all of them into our tap. */
struct sources {
	int vlan;	/* packet socket on a VLAN device on top of it */
	int gso;	/* with virtio-net headers */
	int xdp;	/* a tap whose packets an XDP program redirects */
};

static void open_sources(struct sources *s)
{
	char other[IFNAMSIZ] = "other";
	int one = 1, prog;

	OK(tap_offload(n.tapfd, TUN_F_CSUM | TUN_F_TSO4));
	if (netdev_run("ip link add link %s name vlan5 type vlan id 5", n.tap))
		test_skip("no VLAN devices in this kernel");
	OK(netdev_up("vlan5"));
	s->vlan = packet_open("vlan5", SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(s->vlan >= 0);
	s->gso = packet_open(n.tap, SOCK_RAW, ETH_P_ALL);
	EXPECT(!setsockopt(s->gso, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)));
	s->xdp = tap_open(other, 0);
	EXPECT(s->xdp >= 0);
	OK(tap_hdr_len(s->xdp, 12));
	OK(netdev_up(other));
	/* Only a write that may not wait takes the tap's XDP path. */
	EXPECT(!fcntl(s->xdp, F_SETFL, O_NONBLOCK));
	prog = xdp_prog_redirect(netdev_index(n.tap));
	if (prog < 0)
		test_skip("no BPF: %s", strerrorname_(-prog));
	EXPECT(xdp_attach(netdev_index(other), prog) >= 0);
}

static void send_xdp(int fd, __u32 seq, unsigned int len)
{
	char buf[2048] = { 0 };

	frame_fill(buf + 12, len, seq);
	EXPECT_EQ(write(fd, buf, 12 + len), 12 + len);
}

static void send_vlan(int fd, __u32 seq, unsigned int len)
{
	char buf[2048];

	frame_fill(buf, len, seq);
	EXPECT_EQ(send(fd, buf, len, 0), len);
}

static void get_vlan(__u32 seq, unsigned int len)
{
	char buf[2048];

	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 12 + 4 + len);
	EXPECT(!memcmp(buf + 12 + 12, "\x81\0\0\5", 4));
	memmove(buf + 12 + 12, buf + 12 + 16, len - 12);
	EXPECT_EQ(frame_check(buf + 12, len), seq);
}

/* Segments of TCP over IPv4, as far as headers say so. */
static const struct virtio_net_hdr gso_hdr = {
	.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	.hdr_len = 54,
	.gso_size = 50,
	.csum_start = 34,
	.csum_offset = 16,
};

static void make_gso(char *p, __u32 seq, unsigned int len)
{
	frame_fill(p, len, seq);
	memcpy(p + 12, "\x08\0\x45\0", 4);
	p[16] = (len - 14) >> 8;
	p[17] = len - 14;
	memcpy(p + 20, "\0\0\x40\6", 4);
	p[34 + 12] = 0x50;
}

static void send_gso(int fd, __u32 seq, unsigned int len)
{
	char buf[2048];

	memcpy(buf, &gso_hdr, 10);
	make_gso(buf + 10, seq, len);
	EXPECT_EQ(send(fd, buf, 10 + len, 0), 10 + len);
}

static void get_gso(__u32 seq, unsigned int len)
{
	char buf[2048], want[2048];
	struct virtio_net_hdr h;

	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 12 + len);
	memcpy(&h, buf, sizeof(h));
	EXPECT_EQ(h.flags, gso_hdr.flags);
	EXPECT_EQ(h.gso_type, gso_hdr.gso_type);
	EXPECT_EQ(h.gso_size, gso_hdr.gso_size);
	EXPECT_EQ(h.csum_start, gso_hdr.csum_start);
	EXPECT_EQ(h.csum_offset, gso_hdr.csum_offset);
	make_gso(want, seq, len);
	EXPECT(!memcmp(buf + 12, want, len));
}

/* All kinds in one row, taken out of the tap together: order and counts stay. */
static void mixed(void)
{
	long long packets, bytes, before, sum = 0;
	unsigned int i, round;
	struct sources s;
	char buf[2048];

	vnet_start(&n, NULL);
	open_sources(&s);
	warm_up();
	EXPECT(test_until(dev_has_sent(n.tap, 3, 180), WAIT_MS));
	dev_sent(n.tap, &packets, &bytes);
	before = counter("direct");
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 40; i++) {
			unsigned int len = 100 + i * 20;

			switch (i % 8) {
			case 2:
				send_vlan(s.vlan, i, len);
				sum += len + 4;
				break;
			case 4:
				send_gso(s.gso, i, len);
				sum += len;
				break;
			case 7:
				send_xdp(s.xdp, i, len);
				/* The tap counts the header of such a frame, too. */
				sum += len + 12;
				break;
			default:
				vnet_host_send(&n, i, len);
				sum += len;
			}
		}
		vnet_rx_post(&n, 256);
		for (i = 0; i < 40; i++) {
			unsigned int len = 100 + i * 20;

			switch (i % 8) {
			case 2:
				get_vlan(i, len);
				break;
			case 4:
				get_gso(i, len);
				break;
			default:
				EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS),
					  12 + len);
				EXPECT_EQ(frame_check(buf + 12, len), i);
			}
		}
	}
	EXPECT(test_until(dev_has_sent(n.tap, packets + 400, bytes + sum), WAIT_MS));
	/* One that the tap wrote answers the question as well. */
	direct_is(before, 250, 0);
}

/* ---- what goes wrong ------------------------------------------------------------------ */

/* A buffer that ends, as far as it can be written, after @good bytes. */
static void faulty_after(unsigned int good, unsigned int frame)
{
	struct gseg seg = { .len = 2048 };
	unsigned int i;
	char *p;

	bad_start(VMM_RX, NULL);
	p = vmm_alloc(&n.vmm, 8192, 4096);
	OK(mprotect(p + 4096, 4096, PROT_NONE));
	bad_add_good(GOOD);
	seg.addr = vnet_addr(&n, p + 4096 - good);
	EXPECT(gring_add(&n.ring[VMM_RX], &seg, 0, 1, p) >= 0);
	for (i = 0; i < GOOD; i++)
		vnet_host_send(&n, i, 60);
	vnet_host_send(&n, i, frame);
	gring_kick(&n.ring[VMM_RX]);
	bad_expect_break("data_fault", GOOD);
	EXPECT_EQ(counter("direct"), GOOD - 1);
	bad_expect_recovery();
	vnet_stop(&n);
}

static void fault_in_header(void)
{
	faulty_after(0, 60);
	faulty_after(5, 60);
	faulty_after(11, 1000);
}

static void fault_in_data(void)
{
	faulty_after(12, 60);
	faulty_after(12, 1000);
	faulty_after(50, 60);
	faulty_after(71, 60);
	faulty_after(500, 1000);
}

/* Larger than a buffer: dropped, and those around it arrive. */
static void too_small(void)
{
	long long packets, bytes, before;
	unsigned int i;
	char buf[2048];

	test_need_ours();
	vnet_start(&n, &(struct vnet_conf){ .features = V1, .buf_size = 128 });
	warm_up();
	EXPECT(test_until(dev_has_sent(n.tap, 3, 180), WAIT_MS));
	dev_sent(n.tap, &packets, &bytes);
	before = counter("direct");
	for (i = 0; i < 50; i++)
		vnet_host_send(&n, i, i % 5 ? 100 : 1000);
	vnet_rx_post(&n, 256);
	for (i = 0; i < 50; i++) {
		if (!(i % 5))
			continue;
		EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 112);
		EXPECT_EQ(frame_check(buf + 12, 100), i);
	}
	EXPECT_EQ(counter("rx_small"), 10);
	direct_is(before, 40, 40);
	EXPECT(test_until(dev_has_sent(n.tap, packets + 40, bytes + 4000), WAIT_MS));
}

/* The VMM changes the tap's header under a running queue: noticed soon. */
static void header_changes(void)
{
	unsigned int i;

	test_need_ours();
	vnet_start(&n, NULL);
	warm_up();
	vnet_rx_post(&n, 256);
	OK(tap_hdr_len(n.tapfd, 20));
	for (i = 0; i < 4 * PERIOD; i++)
		vnet_host_send(&n, i, 60);
	EXPECT(test_until(counter("dropped") >= 3 * PERIOD, WAIT_MS));
	EXPECT(counter("dropped") + counter("direct") + 1 >= 4 * PERIOD);
	OK(tap_hdr_len(n.tapfd, 12));
	vnet_rx_flush(&n);
	vnet_rx_check(&n, 0, 200, 60);
	EXPECT(counter("direct") > 200);
}

/* A tap on the same descriptor, and a socket to it, in this namespace. */
static void tap_again(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	strcpy(ifr.ifr_name, n.tap);
	EXPECT(!ioctl(n.tapfd, TUNSETIFF, &ifr));
	OK(tap_hdr_len(n.tapfd, 12));
	OK(netdev_up(n.tap));
	close(n.sock);
	n.sock = packet_open(n.tap, SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(n.sock >= 0);
}

/* Receive until the frame with number @seq comes. */
static void receive_until(__u32 seq)
{
	char buf[2048];

	do {
		vnet_rx_post(&n, 4);
		EXPECT(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS) > 0);
	} while (frame_check(buf + 12, 60) != seq);
}

/*
 * The tap goes while packets of it wait with us. They know its device by a
 * pointer that leads nowhere now, also when they are given back and taken
 * once more, for another tap.
 */
static void tap_gone(void)
{
	unsigned int i;
	char buf[2048];

	vnet_start(&n, &(struct vnet_conf){ .num = 4 });
	warm_up();
	while (n.ring[VMM_RX].nr_free < 4) {
		vnet_host_send(&n, 0, 60);
		EXPECT(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS) > 0);
	}
	for (i = 0; i < 20; i++)
		vnet_host_send(&n, i, 60);
	/* They are taken out of the tap's ring as soon as the worker runs. */
	usleep(200000);
	OK(netdev_run("ip link del %s", n.tap));
	vnet_rx_post(&n, 2);
	usleep(100000);
	OK(vmm_net_backend(&n.vmm, VMM_RX, -1));
	FAILS(vmm_net_backend(&n.vmm, VMM_RX, n.tapfd), EINVAL);
	tap_again();
	OK(vmm_net_backend(&n.vmm, VMM_RX, n.tapfd));
	vnet_host_send(&n, 999, 60);
	receive_until(999);
	vnet_rx_check(&n, 0, 200, 60);
	/* With all of the old ones gone it is as it was. */
	OK(vmm_net_backend(&n.vmm, VMM_RX, -1));
	OK(vmm_net_backend(&n.vmm, VMM_RX, n.tapfd));
	i = counter("direct");
	vnet_rx_check(&n, 0, 200, 60);
	direct_is(i, 200, 200);
}

/*
 * The device moves to another network namespace: it is not where its packets'
 * device is looked for, so from then on all packets are the tap's.
 */
static void tap_moves(void)
{
	long long packets, bytes, before;
	int old, new;

	vnet_start(&n, NULL);
	warm_up();
	old = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	OK(net_private());
	new = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	EXPECT(old >= 0 && new >= 0 && !setns(old, CLONE_NEWNET));
	if (netdev_run("ip link set %s netns /proc/%d/fd/%d", n.tap, getpid(), new))
		test_skip("no network namespaces");
	EXPECT(!setns(new, CLONE_NEWNET));
	OK(netdev_up(n.tap));
	close(n.sock);
	n.sock = packet_open(n.tap, SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(n.sock >= 0);
	vnet_rx_check(&n, 0, 200, 60);
	dev_sent(n.tap, &packets, &bytes);
	before = counter("direct");
	vnet_rx_check(&n, 0, 200, 60);
	EXPECT(test_until(dev_has_sent(n.tap, packets + 200, bytes + 200 * 60), WAIT_MS));
	EXPECT_EQ(counter("direct"), before);
}

static const struct test tests[] = {
	TEST(all_sizes), TEST_ONCE(tap_counts), TEST_ONCE(header_10), TEST_ONCE(header_12),
	TEST(chains), TEST(mergeable), TEST(nonlinear), TEST(csum_partial),
	TEST(made_up_header), TEST_ONCE(macvtap), TEST(mixed),
	TEST(fault_in_header), TEST(fault_in_data), TEST(too_small),
	TEST(header_changes), TEST_ONCE(tap_gone), TEST_ONCE(tap_moves),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
