// SPDX-License-Identifier: GPL-2.0
/*
 * The target /dev/vhost-net. Its network devices are made once, since that takes
 * long, and are emptied and put right again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "fuzz.h"
#include "netdev.h"

#define PACKETS_MAX	200

#define F(bit)		(1ULL << (bit))

static char name[2][16] = { "fz0", "fz1" };	/* of the taps */
static int inject[NR_INJECT];	/* packet sockets: host's end of the first tap */
static int xdp_prog = -1, xdp_link = -1;

/* ---- network devices ------------------------------------------------------------ */

static int bare_tap(const char *tap)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	strcpy(ifr.ifr_name, tap);
	return ioctl(fd, TUNSETIFF, &ifr) ? -errno : fd;
}

static int inject_open(const char *dev, bool header)
{
	int fd = packet_open(dev, SOCK_RAW, 0), one = 1;

	if (fd >= 0 && header &&
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)))
		return -errno;
	return fd;
}

static int small_packet(const char *dev)
{
	int fd = packet_open(dev, SOCK_RAW, ETH_P_ALL), size = 1;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static int net_init(void)
{
	struct world *w = &world;
	unsigned int i;
	int err;

	err = net_private();
	if (err)
		return err;
	/* Of many queues, as one of these can be detached. */
	w->backend[B_TAP] = tap_open(name[B_TAP], IFF_MULTI_QUEUE);
	w->backend[B_TAP_BARE] = bare_tap("fz1");
	if (w->backend[B_TAP] < 0 || w->backend[B_TAP_BARE] < 0)
		return -ENODEV;
	tap_hdr_len(w->backend[B_TAP], 12);
	netdev_up("fz0");
	netdev_up("fz1");
	w->backend[B_PACKET] = packet_open("fz0", SOCK_RAW, ETH_P_ALL);
	w->backend[B_PACKET_SMALL] = small_packet("fz1");
	w->backend[B_MACVTAP] = macvtap_open("fz1", "fzm");
	if (w->backend[B_MACVTAP] >= 0)
		netdev_up("fzm");
	if (!netdev_run("ip link add link fz0 name fzv type vlan id 5 2>/dev/null"))
		netdev_up("fzv");
	inject[I_PLAIN] = inject_open("fz0", false);
	inject[I_VNET_HDR] = inject_open("fz0", true);
	inject[I_VLAN] = inject_open("fzv", false);
	inject[I_BARE] = inject_open("fz1", false);
	for (i = 0; i < NR_NET_BACKENDS; i++) {
		if (w->backend[i] < 0)
			fprintf(stderr, "fuzz: no backend %u: %s\n", i, strerror(-w->backend[i]));
		else
			fcntl(w->backend[i], F_SETFL, O_RDWR | O_NONBLOCK);
	}
	xdp_prog = xdp_prog_redirect(netdev_index("fz0"));
	return 0;
}

/* What was sent to the host and nobody read. */
static void recv_all(void)
{
	char buf[2048];
	unsigned int i, n;

	for (i = 0; i < NR_NET_BACKENDS; i++) {
		for (n = 0; n < 10000 && read(world.backend[i], buf, sizeof(buf)) > 0; n++)
			;
	}
}

static void send_packet(__u8 kind, __u16 len)
{
	static const __u8 broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static __u8 buf[65536 + 64];
	unsigned int how = kind % NR_INJECT, off = 0;
	struct virtio_net_hdr hdr = {};

	if (how == I_VNET_HDR) {
		if (kind & 0x10) {
			hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
			hdr.csum_start = 34;
			hdr.csum_offset = 16;
			hdr.hdr_len = 54;
		}
		if (kind & 0x20) {
			hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
			hdr.gso_size = 1000;
		}
		memcpy(buf, &hdr, sizeof(hdr));
		off = sizeof(hdr);
	}
	if (len < 14)
		len = 14;
	memset(buf + off, kind, len);
	memcpy(buf + off, broadcast, 6);
	memcpy(buf + off + 6, "\x02\0\0\0\0\1\x88\xb5", 8);
	if (hdr.gso_type || hdr.flags) {
		/* IPv4 and TCP, as far as anybody looks. */
		memcpy(buf + off + 12, "\x08\0\x45\0", 4);
		buf[off + 16] = (len - 14) >> 8;
		buf[off + 17] = len - 14;
		buf[off + 23] = 6;
		buf[off + 46] = 0x50;
	}
	if (send(inject[how], buf, off + len, MSG_DONTWAIT) < 0)
		cover_result(901 + how, errno);
}

static void set_queue(int flag)
{
	struct ifreq ifr = { .ifr_flags = flag };

	if (ioctl(world.backend[B_TAP], TUNSETQUEUE, &ifr))
		cover_result(910, errno);
}

static void tap_change(unsigned int which, __u8 what, __u16 value)
{
	int fd = world.backend[which % 2], size = value;
	const char *tap = name[which % 2];

	world.touched = true;
	switch (what % 10) {
	case 0:
		netdev_up(tap);
		break;
	case 1:
		netdev_down(tap);
		break;
	case 2:
		tap_hdr_len(fd, value % 32);
		break;
	case 3:
		ioctl(fd, TUNSETSNDBUF, &size);
		break;
	case 4:
		tap_offload(fd, value);
		break;
	case 5:
		netdev_mtu(tap, value);
		break;
	case 6:
		size = value & 1;
		ioctl(fd, TUNSETCARRIER, &size);
		break;
	case 7:
		netdev_txqueuelen(tap, value % 1024);
		break;
	case 8:
		set_queue(IFF_DETACH_QUEUE);
		break;
	case 9:
		set_queue(IFF_ATTACH_QUEUE);
		break;
	}
}

static void tap_mend(void)
{
	int size = INT_MAX, one = 1;
	unsigned int i;

	set_queue(IFF_ATTACH_QUEUE);
	for (i = 0; i < 2; i++) {
		int fd = world.backend[i];

		tap_hdr_len(fd, i == B_TAP ? 12 : 10);
		ioctl(fd, TUNSETSNDBUF, &size);
		tap_offload(fd, 0);
		ioctl(fd, TUNSETCARRIER, &one);
		netdev_mtu(name[i], 1500);
		netdev_txqueuelen(name[i], 1000);
		netdev_up(name[i]);
	}
}

/* What a device sends to the second tap goes to the first as XDP frames. */
static void tap_xdp(bool on)
{
	if (xdp_link >= 0)
		close(xdp_link);
	xdp_link = -1;
	if (on)
		xdp_link = xdp_attach(netdev_index("fz1"), xdp_prog);
}

/* ---- devices -------------------------------------------------------------------------- */

static void net_open(struct dev *d, __u8 node)
{
	(void)node;
	d->fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
}

/*
 * Arguments: features, see target.features; what else, see below; ring size; memory table.
 *
 *	0x01	no VERSION_1		0x02	NOTIFY_ON_EMPTY
 *	0x04	tunnel features		0x18	which backend
 *	0x20	transmit queue only	0x40	a worker for each queue
 *	0x80	receive buffers
 */
static void set_up(struct dev *d, struct in *in)
{
	__u8 a = in_byte(in), b = in_byte(in), size = in_byte(in), shape = in_byte(in);
	unsigned int q, num = 1u << size % 9, backend = b >> 3 & 3;
	__u64 array[3] = { 2, features_of(a, !(b & 1) | (b & 2)), b & 4 ? 0x0a : 0 };
	__u64 log = MEM_HVA + LOG_PAGE * PAGE, v2 = 1 << VHOST_BACKEND_F_IOTLB_MSG_V2;
	bool packed = array[1] & F(VIRTIO_F_RING_PACKED);
	struct vhost_vring_file f = { .fd = world.backend[backend] };
	struct table table;
	int err;

	/* Whether what follows is expected to work is up to the device's state. */
	d->clean = false;
	table_make(&table, shape, shape);
	do_ioctl(d, VHOST_SET_OWNER, NULL);
	do_ioctl(d, VHOST_SET_BACKEND_FEATURES, &v2);
	err = do_ioctl(d, VHOST_SET_MEM_TABLE, &table);
	err |= do_ioctl(d, VHOST_SET_LOG_BASE, &log);
	err |= do_ioctl(d, b & 4 ? VHOST_SET_FEATURES_ARRAY : VHOST_SET_FEATURES,
			b & 4 ? array : array + 1);
	if (!err)
		d->iommu = array[1] & F(VIRTIO_F_ACCESS_PLATFORM);
	if (d->iommu && !(size & 0x80))
		err |= iotlb_map(d, 0, MEM_SIZE, 0, VHOST_ACCESS_RW);
	for (q = b & 0x20 ? VQ_TX : VQ_RX; q < NR_VQS; q++) {
		d->vq[q].in_order = array[1] & F(VIRTIO_F_IN_ORDER);
		d->vq[q].indirect = array[1] & F(VIRTIO_RING_F_INDIRECT_DESC);
		if (b & 0x40)
			own_worker(d, q);
		err |= set_up_vring(d, q, num, packed, 1 << VHOST_VRING_F_LOG);
		f.index = q;
		err |= do_ioctl(d, VHOST_NET_SET_BACKEND, &f);
	}
	/* One region in the usual place, a tap, and nobody who does otherwise. */
	d->clean = !err && !shape && backend == B_TAP && !d->iommu && !world.touched &&
		   !world.mem_touched && !world.helper && !world.polls;
	if (b & 0x80 && !(b & 0x20)) {
		ring_chains(d, VQ_RX, num / 2 + 1, 0x08);
		ring_kick(d, VQ_RX);
		d->clean = false;
	}
}

static void waited(struct dev *d)
{
	struct vq *tx = &d->vq[VQ_TX];

	if (d->clean && tx->kicked && !ring_done(d, VQ_TX))
		finding("the queue stopped with chains in the ring: slot %u, available %u",
			tx->last, tx->avail);
}

/* ---- actions -------------------------------------------------------------------------- */

static void packets(struct in *in)
{
	__u8 kind = in_byte(in), n = in_byte(in) % PACKETS_MAX;
	__u16 len = in_word(in);

	for (; n; n--)
		send_packet(kind, len);
}

static void vnet_hdr(struct in *in)
{
	__u8 page = in_byte(in);
	struct virtio_net_hdr hdr = {
		.flags = in_byte(in),
		.gso_type = in_byte(in),
		.hdr_len = in_byte(in),
		.gso_size = in_byte(in) * 8,
		.csum_start = in_byte(in),
		.csum_offset = in_byte(in),
	};

	memcpy(mem + page % MEM_PAGES * PAGE, &hdr, sizeof(hdr));
}

static void act(unsigned int action, struct dev *d, unsigned int q, __u8 sel, struct in *in)
{
	__u8 b;

	(void)d;
	(void)q;
	switch (action) {
	case A_PACKETS:
		packets(in);
		break;
	case A_RECV:
		recv_all();
		break;
	case A_TAP:
		b = in_byte(in);
		tap_change(sel, b, in_word(in));
		break;
	case A_XDP:
		tap_xdp(sel & 1);
		break;
	case A_VNET_HDR:
		vnet_hdr(in);
		break;
	}
}

static bool harmless(unsigned int action)
{
	return action == A_PACKETS || action == A_RECV;
}

static unsigned long no_call(struct dev *d, unsigned int q, unsigned int which, union arg *a,
			     struct in *in, size_t *size)
{
	(void)d, (void)q, (void)which, (void)a, (void)in, (void)size;
	return 0;
}

static bool lasting(unsigned int which)
{
	(void)which;
	return false;
}

static void help(__u8 a, __u16 b)
{
	send_packet(a, b % 4096);
}

static void no_stats(void)
{
}

static void end(void)
{
	if (xdp_link >= 0)
		tap_xdp(false);
	if (world.touched)
		tap_mend();
	recv_all();
}

const struct target target = {
	.actions	= NR_NET_ACTIONS,
	.calls		= NR_NET_CALLS,
	.backends	= NR_NET_BACKENDS,
	.nodes		= 1,
	.features	= {
		{
			F(VIRTIO_F_RING_PACKED), F(VIRTIO_F_IN_ORDER), F(VIRTIO_RING_F_EVENT_IDX),
			F(VIRTIO_RING_F_INDIRECT_DESC), F(VIRTIO_NET_F_MRG_RXBUF),
			F(VIRTIO_F_ACCESS_PLATFORM), F(VHOST_F_LOG_ALL),
			F(VHOST_NET_F_VIRTIO_NET_HDR),
		},
		{
			F(VIRTIO_F_VERSION_1), F(VIRTIO_F_NOTIFY_ON_EMPTY), F(VIRTIO_F_ANY_LAYOUT),
			F(VIRTIO_F_RING_RESET), F(1), F(63), F(0), 0,
		},
	},
	.init		= net_init,
	.end		= end,
	.open		= net_open,
	.set_up		= set_up,
	.act		= act,
	.harmless	= harmless,
	.call		= no_call,
	.lasting	= lasting,
	.waited		= waited,
	.help		= help,
	.stats		= no_stats,
};
