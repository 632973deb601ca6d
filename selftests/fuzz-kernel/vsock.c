// SPDX-License-Identifier: GPL-2.0
/*
 * The target /dev/vhost-vsock: two guests, which send packets with any header to
 * the host and to each other, and sockets of the host, made anew for each input.
 *
 * CIDs and ports are few, so that packets meet the sockets that they are for. A
 * device has two queues; the one for events is the VMM's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <linux/virtio_vsock.h>
#include <linux/vm_sockets.h>

#include "fuzz.h"

#define F(bit)		(1ULL << (bit))

#define HDR_LEN		sizeof(struct virtio_vsock_hdr)

/* Beside rings and buffers: two pages of headers for each of four queues. */
#define HDR_PAGE	48u
#define HDRS		(2 * PAGE / 64)

/* What a guest is told at most before it has to take it: VHV_REPLIES_MAX. */
#define REPLIES_MAX	256

/* A good packet takes no longer. */
#define USED_MS		20000

#define NR_SOCKS	6
#define CID(i)		(0x10000u + (i))
#define CID_SPARE	CID(NR_DEVS)
#define GUEST_PORT	5000u
#define HOST_PORT	9000u	/* two listeners, then a socket's each */

/* Listeners, then what connects or was accepted. */
static int listener[2], sock[NR_SOCKS];

static __u64 cid_of[NR_DEVS];

/* Packets that were sent since a device was set up. */
static unsigned int sent[NR_DEVS];

/* ---- names ------------------------------------------------------------------------ */

/* The devices' first. */
static __u64 cid_named(__u8 which)
{
	static const __u64 others[] = {
		CID_SPARE, VMADDR_CID_HOST, VMADDR_CID_LOCAL, VMADDR_CID_HYPERVISOR,
		VMADDR_CID_ANY, 1ULL << 32 | CID(0), 1ULL << 32 | VMADDR_CID_HOST, ~0ULL,
		CID(0), CID(1), 3, 0xfffffffe, 256,
	};

	which %= NR_DEVS + ARRAY_SIZE(others);
	return which < NR_DEVS ? cid_of[which] : others[which - NR_DEVS];
}

static __u32 guest_port(__u8 which)
{
	which %= 16;
	return which == 15 ? VMADDR_PORT_ANY : GUEST_PORT + which;
}

static __u32 host_port(__u8 which)
{
	which %= 16;
	return which == 15 ? VMADDR_PORT_ANY : HOST_PORT + which;
}

/* ---- sockets of the host ------------------------------------------------------------- */

static int type_of(__u8 b)
{
	return (b & 1 ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
}

static int sock_open(int type, __u32 port)
{
	struct sockaddr_vm at = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port,
	};
	int fd = socket(AF_VSOCK, type, 0);

	/* The port may be that of one that is not quite closed. */
	if (fd >= 0 && bind(fd, (void *)&at, sizeof(at)))
		cover_result(900, errno);
	return fd;
}

static void sock_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void socks_open(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(listener); i++) {
		listener[i] = sock_open(type_of(i), host_port(i));
		if (listen(listener[i], 8))
			cover_result(901, errno);
	}
	/* Where net has taps: for calls that take any file. */
	world.backend[0] = listener[0];
}

static void sock_connect(unsigned int i, int type, __u64 cid, __u32 port)
{
	struct sockaddr_vm to = { .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };

	sock_close(&sock[i]);
	sock[i] = sock_open(type, host_port(ARRAY_SIZE(listener) + i));
	if (connect(sock[i], (void *)&to, sizeof(to)))
		cover_result(902, errno);
}

static void sock_accept(unsigned int i, unsigned int which)
{
	sock_close(&sock[i]);
	sock[i] = accept4(listener[which], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (sock[i] < 0)
		cover_result(903, errno);
}

static const __u32 lengths[] = {
	0, 1, 64, 128, 129, 1000, 1024, 2048, 4052, 4096, 16384, 65535, 65536, 65537,
	0x7fffffff, 0xffffffff,
};

static void sock_send(int fd, __u8 len, __u8 flags)
{
	static char data[65537];
	__u32 n = lengths[len % ARRAY_SIZE(lengths)];

	if (send(fd, data, n < sizeof(data) ? n : sizeof(data),
		 MSG_DONTWAIT | MSG_NOSIGNAL | (flags & 1 ? MSG_EOR : 0) |
		 (flags & 2 ? MSG_ZEROCOPY : 0) | (flags & 4 ? MSG_MORE : 0) |
		 (flags & 8 ? MSG_OOB : 0)) < 0)
		cover_result(904, errno);
}

static void sock_recv(int fd, __u8 len, __u8 flags)
{
	static char data[65537];
	__u32 n = lengths[len % ARRAY_SIZE(lengths)];

	if (recv(fd, data, n < sizeof(data) ? n : sizeof(data),
		 MSG_DONTWAIT | (flags & 1 ? MSG_PEEK : 0) | (flags & 2 ? MSG_TRUNC : 0) |
		 (flags & 4 ? MSG_ERRQUEUE : 0)) < 0)
		cover_result(905, errno);
}

static void sock_option(int fd, __u8 what, __u8 value)
{
	__u64 size = lengths[value % ARRAY_SIZE(lengths)];
	int n = size, level = AF_VSOCK, name = SO_VM_SOCKETS_BUFFER_SIZE;
	bool big = true;

	switch (what % 5) {
	case 0:
		break;
	case 1:
		name = SO_VM_SOCKETS_BUFFER_MAX_SIZE;
		break;
	case 2:
		name = SO_VM_SOCKETS_BUFFER_MIN_SIZE;
		break;
	case 3:
		level = SOL_SOCKET;
		name = SO_RCVLOWAT;
		big = false;
		break;
	case 4:
		level = SOL_SOCKET;
		name = SO_ZEROCOPY;
		n = value & 1;
		big = false;
		break;
	}
	if (setsockopt(fd, level, name, big ? (void *)&size : (void *)&n,
		       big ? sizeof(size) : sizeof(n)))
		cover_result(906, errno);
}

static void sock_ask(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	struct sockaddr_vm at;
	socklen_t len = sizeof(at);
	int n = 0;

	if (poll(&p, 1, 0) < 0 || getpeername(fd, (void *)&at, &len) || ioctl(fd, SIOCOUTQ, &n))
		cover_result(907, errno);
	len = sizeof(n);
	if (!getsockopt(fd, SOL_SOCKET, SO_ERROR, &n, &len))
		cover_result(908, n);
}

/* What a socket does. */
enum deed {
	S_CONNECT,	/* type and port, CID */
	S_ACCEPT,	/* which listener */
	S_SEND,		/* length, flags */
	S_RECV,		/* length, flags */
	S_SHUTDOWN,	/* how */
	S_CLOSE,
	S_OPTION,	/* which, value */
	S_ASK,
	S_SEND_MANY,	/* length, flags, how often */
	S_LISTEN,	/* a connected one listens; or a listener's backlog */
	NR_DEEDS,
};

static void sock_act(__u8 sel, struct in *in)
{
	unsigned int i = sel % (NR_SOCKS + ARRAY_SIZE(listener)), n;
	int *fd = i < NR_SOCKS ? &sock[i] : &listener[i - NR_SOCKS];
	__u8 what = in_byte(in), a = in_byte(in), b = in_byte(in);

	switch (what % NR_DEEDS) {
	case S_CONNECT:
		if (i < NR_SOCKS)
			sock_connect(i, type_of(a), cid_named(b), guest_port(a >> 4));
		break;
	case S_ACCEPT:
		if (i < NR_SOCKS)
			sock_accept(i, a % ARRAY_SIZE(listener));
		break;
	case S_SEND:
		sock_send(*fd, a, b);
		break;
	case S_RECV:
		sock_recv(*fd, a, b);
		break;
	case S_SHUTDOWN:
		if (shutdown(*fd, a % 3))
			cover_result(909, errno);
		break;
	case S_CLOSE:
		sock_close(fd);
		break;
	case S_OPTION:
		sock_option(*fd, a, b);
		break;
	case S_ASK:
		sock_ask(*fd);
		break;
	case S_SEND_MANY:
		for (n = in_byte(in); n; n--)
			sock_send(*fd, a, b);
		break;
	case S_LISTEN:
		if (listen(*fd, a))
			cover_result(901, errno);
		break;
	}
}

/* All that the host has got, and answers to requests. */
static void recv_all(void)
{
	static char data[65536];
	unsigned int i;

	for (i = 0; i < NR_SOCKS; i++) {
		if (sock[i] < 0)
			sock_accept(i, i & 1);
		while (recv(sock[i], data, sizeof(data), MSG_DONTWAIT) > 0)
			;
	}
}

/* ---- devices -------------------------------------------------------------------------- */

static int vsock_init(void)
{
	unsigned int i;

	for (i = 0; i < NR_SOCKS; i++)
		sock[i] = -1;
	for (i = 0; i < NR_DEVS; i++)
		cid_of[i] = CID(i);
	socks_open();
	return listener[0] < 0 || listener[1] < 0 ? -errno : 0;
}

/* The devices are closed: no socket waits for a guest. */
static void end(void)
{
	unsigned int i;

	for (i = 0; i < NR_SOCKS; i++)
		sock_close(&sock[i]);
	for (i = 0; i < ARRAY_SIZE(listener); i++)
		sock_close(&listener[i]);
	for (i = 0; i < NR_DEVS; i++)
		cid_of[i] = CID(i);
	socks_open();
}

static void vsock_open(struct dev *d, __u8 node)
{
	(void)node;
	d->fd = open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC);
}

static int set_running(struct dev *d, int on)
{
	return do_ioctl(d, VHOST_VSOCK_SET_RUNNING, &on);
}

static int set_cid(struct dev *d, bool alloc)
{
	__u64 *cid = &cid_of[d - world.dev];

	if (alloc)
		return do_ioctl(d, VHOST_VSOCK_ALLOC_CID, cid);
	*cid = CID(d - world.dev);
	return do_ioctl(d, VHOST_VSOCK_SET_GUEST_CID, cid);
}

static int set_group(struct dev *d, __u32 group)
{
	struct vhost_vsock_group g = { cid_of[d - world.dev], group, 0 };

	return do_ioctl(d, VHOST_VSOCK_SET_GROUP, &g);
}

/*
 * Arguments: features, see target.features; what else, see below; ring size;
 * memory table.
 *
 *	0x01	no VERSION_1		0x02	in no group
 *	0x04	another CID		0x08	not started
 *	0x10	a worker for both	0x20	in a second group
 *	0x40	no CID			0x80	receive buffers
 */
static void set_up(struct dev *d, struct in *in)
{
	__u8 a = in_byte(in), b = in_byte(in), size = in_byte(in), shape = in_byte(in);
	__u64 features = features_of(a, !(b & 1)), v2 = 1 << VHOST_BACKEND_F_IOTLB_MSG_V2;
	__u64 log = MEM_HVA + LOG_PAGE * PAGE;
	bool packed = features & F(VIRTIO_F_RING_PACKED);
	struct vhost_vring_worker w = { .index = VQ_RX };
	unsigned int q, num = 1u << size % 9;
	struct table table;
	int err;

	d->clean = false;
	if (d->fd < 0)
		return;
	table_make(&table, shape, shape);
	do_ioctl(d, VHOST_SET_OWNER, NULL);
	set_running(d, 0);
	do_ioctl(d, VHOST_SET_BACKEND_FEATURES, &v2);
	err = do_ioctl(d, VHOST_SET_MEM_TABLE, &table);
	err |= do_ioctl(d, VHOST_SET_LOG_BASE, &log);
	err |= do_ioctl(d, VHOST_SET_FEATURES, &features);
	if (!err)
		d->iommu = features & F(VIRTIO_F_ACCESS_PLATFORM);
	if (d->iommu && !(size & 0x80))
		err |= iotlb_map(d, 0, MEM_SIZE, 0, VHOST_ACCESS_RW);
	for (q = 0; q < NR_VQS; q++) {
		d->vq[q].in_order = features & F(VIRTIO_F_IN_ORDER);
		d->vq[q].indirect = features & F(VIRTIO_RING_F_INDIRECT_DESC);
		d->vq[q].nr = 0;
		err |= set_up_vring(d, q, num, packed, 1 << VHOST_VRING_F_LOG);
	}
	if (b & 0x10 && !do_ioctl(d, VHOST_GET_VRING_WORKER, &w)) {
		w.index = VQ_TX;
		do_ioctl(d, VHOST_ATTACH_VRING_WORKER, &w);
	}
	if (!(b & 0x40))
		err |= set_cid(d, b & 4);
	set_group(d, b & 2 ? 0 : b & 0x20 ? 2 : 1);
	if (!(b & 8))
		err |= set_running(d, 1);
	sent[d - world.dev] = 0;
	/* One region in the usual place, and nobody who does otherwise. */
	d->clean = !err && !(b & 8) && !shape && !d->iommu && !world.mem_touched &&
		   !world.helper && !world.polls;
	if (b & 0x80) {
		bool clean = d->clean;

		ring_chains(d, VQ_RX, num / 2 + 1, 0x08);
		ring_kick(d, VQ_RX);
		d->clean = clean;
	}
}

/* All that was sent is taken, as long as answers to it cannot fill the queue to the guest. */
static void waited(struct dev *d)
{
	struct vq *tx = &d->vq[VQ_TX];
	long long until = now_ms() + USED_MS;

	if (!d->clean || !tx->kicked || sent[d - world.dev] >= REPLIES_MAX / 2)
		return;
	while (!ring_done(d, VQ_TX)) {
		if (now_ms() > until)
			finding("the queue stopped with packets in the ring: slot %u, available %u",
				tx->last, tx->avail);
		sched_yield();
	}
}

/* ---- packets ---------------------------------------------------------------------------- */

/*
 * Arguments: operation (and above it how often, see below), kind, ports (the
 * guest's and above it the other end's), length, shape; then bytes that these ask for.
 *
 * Kind:
 *	0x01	SEQPACKET		0x02	of no known type
 *	0x0c	flags			0x10	to the other guest
 *	0x20	a byte for both CIDs	0x40	a byte for credit
 *	0x80	a byte of flags
 */
#define OP_MANY(op)	(1u << ((op) >> 4 & 7))
#define OP_UNKNOWN	0x80
#define KIND_SEQ	0x01
#define KIND_UNKNOWN	0x02
#define KIND_FLAGS(k)	((k) >> 2 & 3)
#define KIND_GUEST	0x10
#define KIND_CIDS	0x20
#define KIND_CREDIT	0x40
#define KIND_MORE_FLAGS	0x80

/* Its shape: as many segments of data, and the rest. */
#define PKT_SEGS(shape)	(1 + ((shape) & 3))
#define PKT_INDIRECT	0x04
#define PKT_HDR_PIECES	0x08	/* the header in two */
#define PKT_LIE		0x10	/* a byte for the length that the header tells */
#define PKT_CUT		0x20	/* a byte: so much of the chain is missing */
#define PKT_HIDDEN	0x40	/* not shown yet */
#define PKT_SPOIL	0x80	/* a byte says how */

/* What is spoilt of a segment, of which there is one at least. */
enum spoil {
	SP_WRITABLE,
	SP_FAR,
	SP_EMPTY,
	SP_BIG,
	SP_NEAR_END,	/* as far as guest memory goes, and a byte more */
	SP_OWN_HDR,	/* data that is the packet's header */
	NR_SPOILS,
};

static const __u32 credits[] = {
	256 << 10, 0, 1, 4096, 65536, 1 << 20, 0x7fffffff, 0xffffffff,
};

struct packet {
	struct virtio_vsock_hdr hdr;
	__u32 len;
	__u8 shape;
	__u8 cut;
	__u8 spoil;
};

static void spoil(struct vring_desc *desc, __u8 how, __u64 hdr, __u64 behind)
{
	switch (how % NR_SPOILS) {
	case SP_WRITABLE:
		desc->flags ^= VRING_DESC_F_WRITE;
		break;
	case SP_FAR:
		desc->addr += 1ULL << 40;
		break;
	case SP_EMPTY:
		desc->len = 0;
		break;
	case SP_BIG:
		desc->len = 0x7fffffff;
		break;
	case SP_NEAR_END:
		desc->addr = behind - desc->len + 1;
		break;
	case SP_OWN_HDR:
		desc->addr = hdr;
		break;
	}
}

static void one_packet(struct dev *d, unsigned int q, const struct packet *p)
{
	unsigned int i = (d - world.dev) * NR_VQS + q, n = d->vq[q].nr++, nr = 0, k;
	__u32 hdr = (HDR_PAGE + 2 * i) * PAGE + n % HDRS * 64;
	__u32 off = (BUF_PAGE + q * 16) * PAGE;
	/* Of more than guest memory has the header speaks alone. */
	__u32 left = p->len <= 16 * PAGE + 1 ? p->len : PAGE, cut = p->cut;
	struct vring_desc desc[CHAIN_MAX];

	memcpy(mem + hdr, &p->hdr, sizeof(p->hdr));
	if (p->shape & PKT_HDR_PIECES) {
		desc[nr++] = (struct vring_desc){ guest_addr(d, hdr), 7, 0, 0 };
		desc[nr++] = (struct vring_desc){ guest_addr(d, hdr + 7), HDR_LEN - 7, 0, 0 };
	} else {
		desc[nr++] = (struct vring_desc){ guest_addr(d, hdr), HDR_LEN, 0, 0 };
	}
	for (k = PKT_SEGS(p->shape); k && left; k--) {
		__u32 len = k == 1 ? left : left / k;

		if (!len)
			continue;
		desc[nr++] = (struct vring_desc){ guest_addr(d, off), len, 0, 0 };
		off += len;
		left -= len;
	}
	if (p->shape & PKT_CUT)
		desc[nr - 1].len -= cut < desc[nr - 1].len ? cut : desc[nr - 1].len - 1;
	if (p->shape & PKT_SPOIL)
		spoil(&desc[(p->spoil >> 4) % nr], p->spoil, guest_addr(d, hdr),
		      guest_addr(d, MEM_SIZE));
	for (k = 0; k + 1 < nr; k++) {
		desc[k].flags |= VRING_DESC_F_NEXT;
		desc[k].next = k + 1;
	}
	ring_put(d, q, desc, nr, p->shape & PKT_INDIRECT, p->shape & PKT_HIDDEN);
}

static __u16 type_in(__u8 kind)
{
	if (kind & KIND_UNKNOWN)
		return 0xffff << (kind & 1);
	return kind & KIND_SEQ ? VIRTIO_VSOCK_TYPE_SEQPACKET : VIRTIO_VSOCK_TYPE_STREAM;
}

static void packets(struct dev *d, unsigned int q, struct in *in)
{
	__u8 op = in_byte(in), kind = in_byte(in), ports = in_byte(in), len = in_byte(in);
	unsigned int i = d - world.dev, n = OP_MANY(op);
	__u8 c = kind & KIND_GUEST ? !i : NR_DEVS + 1, more;
	struct packet p = {
		.hdr = {
			.src_cid = cid_of[i],
			.dst_cid = cid_named(c),
			.src_port = guest_port(ports),
			.type = type_in(kind),
			.op = op & OP_UNKNOWN ? 0xff00 | op : op & 15,
			.flags = KIND_FLAGS(kind),
			.buf_alloc = credits[0],
		},
		.len = lengths[len % ARRAY_SIZE(lengths)],
		.shape = in_byte(in),
	};

	if (kind & KIND_CIDS) {
		more = in_byte(in);
		p.hdr.dst_cid = cid_named(more & 15);
		if (more >> 4)
			p.hdr.src_cid = cid_named((more >> 4) - 1);
	}
	if (kind & KIND_CREDIT) {
		more = in_byte(in);
		p.hdr.buf_alloc = credits[more % ARRAY_SIZE(credits)];
		p.hdr.fwd_cnt = credits[(more >> 4) % ARRAY_SIZE(credits)];
		/* What was sent so far, or nothing. */
		if (!(more >> 4))
			p.hdr.fwd_cnt = 0;
	}
	if (kind & KIND_MORE_FLAGS)
		p.hdr.flags = in_byte(in) * 0x01010101u;
	p.hdr.dst_port = p.hdr.dst_cid == VMADDR_CID_HOST ? host_port(ports >> 4) :
							    guest_port(ports >> 4);
	p.hdr.len = p.len;
	if (p.shape & PKT_LIE)
		p.hdr.len = p.len + (__s8)in_byte(in);
	if (p.shape & PKT_CUT)
		p.cut = in_byte(in);
	if (p.shape & PKT_SPOIL) {
		p.spoil = in_byte(in);
		d->clean = false;
	}
	if (q == VQ_TX)
		sent[i] += n;
	for (; n && d->vq[q].num; n--)
		one_packet(d, q, &p);
}

/* ---- actions and calls ---------------------------------------------------------------------- */

static void act(unsigned int action, struct dev *d, unsigned int q, __u8 sel, struct in *in)
{
	switch (action) {
	case A_RECV:
		recv_all();
		break;
	case A_PKT:
		packets(d, q, in);
		break;
	case A_SOCK:
		sock_act(sel, in);
		break;
	}
}

static bool harmless(unsigned int action)
{
	return action == A_RECV || action == A_PKT || action == A_SOCK;
}

static unsigned long vsock_call(struct dev *d, unsigned int q, unsigned int which, union arg *a,
				struct in *in, size_t *size)
{
	__u8 b;

	(void)d;
	(void)q;
	*size = sizeof(a->u64[0]);
	switch (which) {
	case C_VSOCK_SET_RUNNING:
		a->fd = in_byte(in);
		*size = sizeof(a->fd);
		return VHOST_VSOCK_SET_RUNNING;
	case C_VSOCK_ALLOC_CID:
		return VHOST_VSOCK_ALLOC_CID;
	case C_VSOCK_SET_GROUP:
		a->group.guest_cid = cid_named(in_byte(in));
		b = in_byte(in);
		a->group.group = b & 0x40 ? ~0u : b & 3;
		a->group.reserved = b >> 7;
		*size = sizeof(a->group);
		return VHOST_VSOCK_SET_GROUP;
	default:
		a->u64[0] = cid_named(in_byte(in));
		return VHOST_VSOCK_SET_GUEST_CID;
	}
}

/* CIDs and groups end with the devices. */
static bool lasting(unsigned int which)
{
	(void)which;
	return false;
}

/* 0x08 sends, 0x10 receives, 0x20 connects and closes: @a has six bits. */
static void help(__u8 a, __u16 b)
{
	unsigned int i = (a & 7) % NR_SOCKS;
	__u32 len = b;

	if (a & 0x08)
		sock_send(sock[i], len, len >> 8);
	if (a & 0x10)
		sock_recv(sock[i], len, 0);
	if (a & 0x20) {
		int fd = sock_open(type_of(b), VMADDR_PORT_ANY);
		struct sockaddr_vm to = {
			.svm_family = AF_VSOCK, .svm_cid = cid_named(b >> 8 & 1),
			.svm_port = guest_port(b >> 4),
		};

		if (connect(fd, (void *)&to, sizeof(to)))
			cover_result(910, errno);
		close(fd);
	}
}

static void stats(void)
{
	file_read("/sys/kernel/debug/vhost", "vsock");
}

const struct target target = {
	.actions	= NR_VSOCK_ACTIONS,
	.calls		= NR_VSOCK_CALLS,
	.backends	= 1,
	.nodes		= 1,
	.may_fail	= A_SOCK,
	.features	= {
		{
			F(VIRTIO_F_RING_PACKED), F(VIRTIO_F_IN_ORDER), F(VIRTIO_RING_F_EVENT_IDX),
			F(VIRTIO_RING_F_INDIRECT_DESC), F(VIRTIO_VSOCK_F_SEQPACKET),
			F(VIRTIO_F_ACCESS_PLATFORM), F(VHOST_F_LOG_ALL), F(VIRTIO_F_RING_RESET),
		},
		{
			F(VIRTIO_F_VERSION_1), F(VIRTIO_F_NOTIFY_ON_EMPTY), F(VIRTIO_F_ANY_LAYOUT),
			F(0), F(2), F(63), 0, 0,
		},
	},
	.init		= vsock_init,
	.end		= end,
	.open		= vsock_open,
	.set_up		= set_up,
	.act		= act,
	.harmless	= harmless,
	.call		= vsock_call,
	.lasting	= lasting,
	.waited		= waited,
	.help		= help,
	.stats		= stats,
};
