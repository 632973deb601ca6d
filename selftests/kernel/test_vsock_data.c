// SPDX-License-Identifier: GPL-2.0
/* vhost-vsock: what connections carry, and their credit. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <linux/errqueue.h>

#include "vsock.h"

/* Bytes through a connection, with a child as the host's end. */
static void bulk_to_guest(const struct vvsock_conf *conf, unsigned int bytes,
			  unsigned int chunk)
{
	unsigned char *want = malloc(bytes), *got = malloc(bytes);
	struct vconn c;
	int fd, pid;

	vvsock_up(&v, conf);
	fd = guest_pair(&c, SOCK_STREAM, PORT);
	fill(want, bytes, bytes);
	pid = test_fork();
	if (!pid) {
		unsigned int at, n;

		for (at = 0; at < bytes; at += n) {
			n = bytes - at < chunk ? bytes - at : chunk;
			OK(hsock_write(fd, want + at, n));
		}
		exit(0);
	}
	vconn_read(&c, got, bytes);
	EXPECT(!memcmp(want, got, bytes));
	test_join(pid);
	free(want);
	free(got);
	vvsock_close(&v);
}

static void bulk_to_host(const struct vvsock_conf *conf, unsigned int bytes)
{
	unsigned char *want = malloc(bytes), *got = malloc(bytes);
	struct vconn c;
	int fd, pid;

	vvsock_up(&v, conf);
	fd = guest_pair(&c, SOCK_STREAM, PORT);
	fill(want, bytes, bytes);
	pid = test_fork();
	if (!pid) {
		OK(hsock_read(fd, got, bytes));
		EXPECT(!memcmp(want, got, bytes));
		exit(0);
	}
	vconn_write(&c, want, bytes);
	test_join(pid);
	free(want);
	free(got);
	vvsock_close(&v);
}

static void stream_to_guest(void)
{
	bulk_to_guest(NULL, 3000 * KIB + 17, 64 * KIB);
	bulk_to_guest(NULL, 500 * KIB, 1000);
	bulk_to_guest(NULL, test_rounds(20 * KIB), 1);
}

static void stream_to_guest_large_buffers(void)
{
	bulk_to_guest(&(struct vvsock_conf){ .rx_size = VSOCK_HDR + VSOCK_MAX },
		      3000 * KIB + 17, 64 * KIB);
	bulk_to_guest(&(struct vvsock_conf){ .rx_size = 128 }, 100 * KIB, 64 * KIB);
	bulk_to_guest(&(struct vvsock_conf){ .rx_size = VSOCK_HDR + 1, .num = 8 }, 1000, 700);
}

static void stream_to_host(void)
{
	bulk_to_host(NULL, 3000 * KIB + 17);
}

static void through_iommu(void)
{
	bulk_to_guest(&(struct vvsock_conf){ .iommu = true }, 300 * KIB, 64 * KIB);
	bulk_to_host(&(struct vvsock_conf){ .iommu = true }, 300 * KIB);
}

/* A write that ends in memory that is not there takes what it says, and no more. */
static void write_with_fault(void)
{
	static char got[200 * KIB];
	char *want = mmap(NULL, 256 * KIB, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vconn c;
	ssize_t n;
	int fd;

	vvsock_up(&v, NULL);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	fill(want, 256 * KIB, 9);
	EXPECT_EQ(mprotect(want + 100 * KIB, 4096, PROT_NONE), 0);
	n = send(fd, want, 200 * KIB, 0);
	EXPECT_EQ(n, 64 * KIB);
	EXPECT_EQ(send(fd, want + 64 * KIB, 100 * KIB, 0), -1);
	EXPECT_EQ(mprotect(want + 100 * KIB, 4096, PROT_READ), 0);
	EXPECT_EQ(send(fd, want + n, 100 * KIB, 0), 100 * KIB);
	vconn_read(&c, got, 164 * KIB);
	EXPECT(!memcmp(want, got, 164 * KIB));
}

/* Small writes that wait go to the guest in one packet. */
static void small_writes_merge(void)
{
	char want[40 * 64], got[sizeof(want)];
	unsigned int i, packets = 0, at = 0;
	struct vconn c;
	int fd;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	vvsock_post_some(&v, 1);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	/* That posted another buffer, which the first write takes. */
	fill(want, sizeof(want), 1);
	OK(hsock_write(fd, want, 64));
	EXPECT(test_until(gring_pending(&v.ring[VSOCK_RX]), VSOCK_WAIT_MS));
	for (i = 1; i < 40; i++)
		OK(hsock_write(fd, want + 64 * i, 64));
	for (; at < sizeof(want); packets++) {
		vconn_next(&c, &p);
		memcpy(got + at, p.data, p.len);
		at += p.len;
	}
	EXPECT(!memcmp(got, want, sizeof(want)));
	EXPECT_EQ(packets, 2);
}

/* The host sends as much as the guest has room for, and not a byte more. */
static void credit_of_guest(void)
{
	static char buf[64 * KIB], got[64 * KIB];
	struct vconn c;
	int fd;

	vvsock_up(&v, NULL);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	c.alloc = 5000;
	vconn_put(&c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	vvsock_sync(&v);
	fill(buf, sizeof(buf), 1);
	EXPECT_EQ(send(fd, buf, sizeof(buf), 0), 5000);
	EXPECT_EQ(send(fd, buf, 1, 0), -1);
	EXPECT_EQ(errno, EAGAIN);
	c.alloc = 0;	/* no update of credit by vconn_read() */
	while (c.got < 5000) {
		vconn_next(&c, &p);
		memcpy(got + c.got - p.len, p.data, p.len);
	}
	EXPECT(!memcmp(buf, got, 5000));
	c.alloc = 5000;
	c.fwd = 100;
	vconn_put(&c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	EXPECT(hsock_poll(fd, POLLOUT, VSOCK_WAIT_MS));
	EXPECT_EQ(send(fd, buf, sizeof(buf), 0), 100);
	/* A guest that takes room away, or has read what was never sent. */
	c.alloc = 0;
	c.fwd = 4000000000u;
	vconn_put(&c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	vvsock_sync(&v);
	EXPECT_EQ(send(fd, buf, 1, 0), -1);
	EXPECT_EQ(errno, EAGAIN);
}

/* A guest that says that it read what it never took gets no more memory for that. */
static void credit_that_lies(void)
{
	static char buf[64 * KIB];
	unsigned int sent = 0;
	struct vconn c;
	int fd;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	vvsock_post_some(&v, 1);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	while (sent < 16 * 1024 * KIB) {
		ssize_t n = send(fd, buf, sizeof(buf), MSG_NOSIGNAL);

		if (n > 0) {
			sent += n;
			continue;
		}
		if (errno != EAGAIN)
			break;
		c.fwd = sent;
		vconn_put(&c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
		vvsock_sync(&v);
	}
	EXPECT(sent < 1700 * KIB);
	EXPECT_EQ(errno, ENOBUFS);
	/* What was taken from the writer is not lost. */
	vvsock_post(&v);
	while (c.got < sent)
		vconn_next(&c, &p);
	EXPECT_EQ(c.got, sent);
}

static void credit_of_host(void)
{
	static char buf[VSOCK_MAX];
	struct vconn c;
	int fd;

	vvsock_up(&v, NULL);
	fd = guest_pair(&c, SOCK_STREAM, PORT);
	EXPECT(c.peer_alloc >= 4 * VSOCK_MAX);
	vconn_put(&c, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0, NULL, 0);
	vvsock_next(&v, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	EXPECT_EQ(p.hdr.fwd_cnt, 0);
	/* More than the host has room for: the connection is cut. */
	while (c.sent <= c.peer_alloc)
		vconn_put(&c, VIRTIO_VSOCK_OP_RW, 0, buf, VSOCK_MAX);
	vconn_expect(&c, VIRTIO_VSOCK_OP_RST);
	/* That it was cut is told before why. */
	EXPECT(test_until(error_of(fd) == ENOBUFS, VSOCK_WAIT_MS));
}

/* Updates of credit that wait for the guest: those ahead of data that comes now. */
static unsigned int updates_before_data(int fd)
{
	unsigned int i;

	OK(hsock_write(fd, "x", 1));
	for (i = 0;; i++) {
		vvsock_next(&v, &p);
		if (p.hdr.op == VIRTIO_VSOCK_OP_RW)
			return i;
		EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	}
}

/* Questions that the guest takes no answers to cost the host one packet. */
static void credit_requests_without_buffers(void)
{
	struct vconn c;
	unsigned int i;
	int fd;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	vvsock_post_some(&v, 1);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	/* The buffer that it posted is used up by the first answer. */
	for (i = 0; i < 5000; i++)
		vconn_put(&c, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0, NULL, 0);
	vvsock_sync(&v);
	vvsock_post(&v);
	EXPECT(updates_before_data(fd) <= 3);
}

/* The same while buffers come all the time, of which none is one. */
static void credit_requests_with_bad_buffers(void)
{
	struct gring *r = &v.ring[VSOCK_RX];
	struct gseg seg;
	struct vconn c;
	unsigned int i, k;
	void *token;
	__u32 len;
	int fd;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	vvsock_post_some(&v, 1);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	while (gring_get(r, &len, &token) >= 0)
		;
	/* For the device to read: rejected. Fewer than those after which it pauses. */
	seg = (struct gseg){ vmm_addr(&v.vmm, v.rx), 4096 };
	for (i = 0; i < 2000; i++) {
		vconn_put(&c, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0, NULL, 0);
		for (k = 0; k < 48 && gring_add(r, &seg, 1, 0, NULL) >= 0; k++)
			;
		gring_kick(r);
		while (gring_get(r, &len, &token) >= 0)
			;
	}
	vvsock_sync(&v);
	EXPECT(test_until((gring_get(r, &len, &token), r->nr_free == r->num), VSOCK_WAIT_MS));
	vvsock_post(&v);
	EXPECT(updates_before_data(fd) <= 3);
}

/* Other answers: the device stops to listen when too many wait. */
static void replies_without_buffers(void)
{
	enum { PACKETS = 1000 };
	struct virtio_vsock_hdr hdr;
	unsigned int i, got = 0;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true, .num = 1024, .rx_size = 128 });
	for (i = 0; i < PACKETS; i++) {
		hdr = vvsock_hdr(&v, 10000 + i, 4999, STREAM, VIRTIO_VSOCK_OP_REQUEST);
		vvsock_put(&v, &hdr, NULL, 0);
	}
	EXPECT(test_until(tx_count("replies_full") > 0, VSOCK_WAIT_MS));
	EXPECT(tx_count("packets") < 400);
	vvsock_post(&v);
	for (got = 0; got < PACKETS; got++) {
		vvsock_next(&v, &p);
		EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RST);
		EXPECT_EQ(p.hdr.dst_port, 10000 + got);
	}
	vvsock_sync(&v);
	EXPECT_EQ(tx_count("packets"), PACKETS);
}

/* Sockets that are closed while their request waits: a limit, and an errno. */
static void request_flood(void)
{
	unsigned int i;
	int fd = 0;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	for (i = 0; i < 20000; i++) {
		fd = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, v.cid, PORT);
		if (fd < 0)
			break;
		close(fd);
	}
	EXPECT(i > 1000 && i < 10000);
	EXPECT_EQ(fd, -ENOBUFS);
	vvsock_post(&v);
	while (i--)
		vvsock_next(&v, &p);
	fd = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, v.cid, PORT + 1);
	EXPECT(fd >= 0);
	vvsock_next(&v, &p);
	EXPECT_EQ(p.hdr.dst_port, PORT + 1);
}

/* The same again and again between the same ports. */
static void request_flood_same_port(void)
{
	struct sockaddr_vm to = { .svm_family = AF_VSOCK, .svm_port = PORT };
	struct sockaddr_vm from = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 70000,
	};
	unsigned int i;
	int err = 0;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	to.svm_cid = v.cid;
	for (i = 0; i < 10000 && !err; i++) {
		int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0);

		EXPECT(fd >= 0);
		EXPECT_EQ(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
		EXPECT_EQ(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
		if (errno != EINPROGRESS)
			err = errno;
		close(fd);
	}
	EXPECT_EQ(err, ENOBUFS);
}

/* A socket may be shut down as often as one likes; the guest has to hear of it once. */
static void shutdown_flood(void)
{
	unsigned int i, flags = 0, got;
	struct vconn c;
	int fd;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	vvsock_post_some(&v, 1);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	for (i = 0; i < 2000; i++) {
		EXPECT_EQ(shutdown(fd, SHUT_RD), 0);
		/* Answered with credit, which goes with the other. */
		vconn_put(&c, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0, NULL, 0);
		vvsock_sync(&v);
	}
	EXPECT_EQ(shutdown(fd, SHUT_WR), 0);
	vvsock_post(&v);
	for (got = 0; !(flags & VIRTIO_VSOCK_SHUTDOWN_SEND); got++) {
		vvsock_next(&v, &p);
		if (p.hdr.op == VIRTIO_VSOCK_OP_SHUTDOWN)
			flags |= p.hdr.flags;
		else
			EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	}
	EXPECT_EQ(flags, VIRTIO_VSOCK_SHUTDOWN_SEND | VIRTIO_VSOCK_SHUTDOWN_RCV);
	if (got > 5)
		test_fail("%u packets for one end", got);
}

static void seqpacket_to_guest(void)
{
	static const unsigned int sizes[] = { 1, 100, 4052, 4053, 20000, 65536, 100000 };
	static char want[100000], got[100000];
	unsigned int i, at;
	struct vconn c;
	int fd;

	vvsock_up(&v, NULL);
	fd = hsock_pair(&v, &c, SOCK_SEQPACKET, PORT);
	EXPECT_EQ(c.type, SEQPACKET);
	for (i = 0; i < N(sizes); i++) {
		int flags = i % 2 ? MSG_EOR : 0;

		fill(want, sizes[i], i);
		EXPECT_EQ(send(fd, want, sizes[i], flags), sizes[i]);
		for (at = 0; at < sizes[i]; at += p.len) {
			vconn_next(&c, &p);
			EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RW);
			EXPECT(p.len <= sizes[i] - at);
			memcpy(got + at, p.data, p.len);
			/* The end is marked at the end, and only there. */
			if (at + p.len < sizes[i])
				EXPECT_EQ(p.hdr.flags, 0);
			else if (flags)
				EXPECT_EQ(p.hdr.flags, VIRTIO_VSOCK_SEQ_EOM | VIRTIO_VSOCK_SEQ_EOR);
			else
				EXPECT_EQ(p.hdr.flags, VIRTIO_VSOCK_SEQ_EOM);
		}
		EXPECT(!memcmp(want, got, sizes[i]));
		c.fwd = c.got;
		vconn_put(&c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
		vvsock_sync(&v);
	}
	/* Messages that wait together stay apart. */
	for (i = 0; i < 10; i++)
		EXPECT_EQ(send(fd, want, 10 + i, 0), 10 + i);
	for (i = 0; i < 10; i++) {
		vconn_next(&c, &p);
		EXPECT_EQ(p.len, 10 + i);
		EXPECT_EQ(p.hdr.flags, VIRTIO_VSOCK_SEQ_EOM);
	}
}

static void seqpacket_to_host(void)
{
	static char want[100000], got[100000];
	struct vconn c;
	int fd;

	vvsock_up(&v, NULL);
	fd = guest_pair(&c, SOCK_SEQPACKET, PORT);
	fill(want, sizeof(want), 1);
	vconn_put(&c, VIRTIO_VSOCK_OP_RW, VIRTIO_VSOCK_SEQ_EOM, want, 10);
	vconn_put(&c, VIRTIO_VSOCK_OP_RW, 0, want, 50000);
	vconn_put(&c, VIRTIO_VSOCK_OP_RW, VIRTIO_VSOCK_SEQ_EOM, want + 50000, 50000);
	vconn_put(&c, VIRTIO_VSOCK_OP_RW, VIRTIO_VSOCK_SEQ_EOM, want, 20);
	EXPECT_EQ(recv(fd, got, sizeof(got), 0), 10);
	EXPECT_EQ(recv(fd, got, sizeof(got), 0), 100000);
	EXPECT(!memcmp(want, got, sizeof(want)));
	EXPECT_EQ(recv(fd, got, sizeof(got), 0), 20);
}

/* A guest that did not ask for it is not sent any. */
static void seqpacket_not_agreed(void)
{
	struct virtio_vsock_hdr hdr;
	unsigned int peer = 0;

	vvsock_up(&v, &(struct vvsock_conf){ .without = BIT_ULL(VIRTIO_VSOCK_F_SEQPACKET) });
	EXPECT(hsock_connect(SOCK_SEQPACKET, v.cid, PORT) < 0);
	hsock_listen(SOCK_SEQPACKET, &peer);
	hdr = vvsock_hdr(&v, PORT, peer, SEQPACKET, VIRTIO_VSOCK_OP_REQUEST);
	vvsock_put(&v, &hdr, NULL, 0);
	vvsock_next(&v, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RST);
}

static void zerocopy_from_host(void)
{
	struct { struct cmsghdr h; struct sock_extended_err e; char rest[64]; } control;
	struct msghdr m = { .msg_control = &control, .msg_controllen = sizeof(control) };
	static char want[32 * KIB] __attribute__((aligned(4096))), got[32 * KIB];
	struct vconn c;
	int fd, on = 1;

	vvsock_up(&v, NULL);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on))) {
		if (test_ours())
			test_fail("no SO_ZEROCOPY: %m");
		test_skip("no SO_ZEROCOPY");
	}
	fill(want, sizeof(want), 5);
	EXPECT_EQ(send(fd, want, sizeof(want), MSG_ZEROCOPY), sizeof(want));
	vconn_read(&c, got, sizeof(got));
	EXPECT(!memcmp(want, got, sizeof(got)));
	EXPECT(hsock_poll(fd, 0, VSOCK_WAIT_MS) & POLLERR);
	EXPECT_EQ(recvmsg(fd, &m, MSG_ERRQUEUE), 0);
	EXPECT_EQ(control.e.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
	/* It was done without a copy on the way. */
	EXPECT_EQ(control.e.ee_code & SO_EE_CODE_ZEROCOPY_COPIED, 0);
}

/*
 * A socket that sends little beside one that sends all it can: neither waits
 * for what the other has queued.
 */
static void small_beside_bulk(void)
{
	enum { ROUNDS = 50 };
	static char buf[200 * KIB];
	unsigned int i, small = 0, bulk = 0, turns;
	struct vconn b, s;
	int fb, fs;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .num = 128, .rx_hold = true });
	vvsock_post_some(&v, 1);
	fb = hsock_pair(&v, &b, SOCK_STREAM, PORT);
	fs = hsock_pair(&v, &s, SOCK_SEQPACKET, PORT + 1);
	/* There is one buffer: all but the first packet wait. */
	OK(hsock_write(fb, buf, sizeof(buf)));
	for (i = 0; i < ROUNDS; i++)
		EXPECT_EQ(send(fs, buf, 64, 0), 64);
	vvsock_post(&v);
	/* Until the small ones are through: what did each of them get? */
	while (small < ROUNDS) {
		vvsock_next(&v, &p);
		if (p.hdr.dst_port == PORT + 1)
			small++;
		else
			bulk += p.len;
	}
	/* 50 small ones are two turns; the bulk transfer had about as many. */
	turns = (bulk + 4095) / 4096;
	if (turns > 4)
		test_fail("%u bulk packets of 4 KiB before %u small ones", turns, small);
}

static const struct test tests[] = {
	TEST(stream_to_guest), TEST(stream_to_guest_large_buffers),
	TEST(stream_to_host), TEST(through_iommu), TEST_ONCE(write_with_fault),
	TEST(small_writes_merge), TEST(credit_of_guest), TEST_ONCE(credit_that_lies),
	TEST(credit_of_host), TEST(credit_requests_without_buffers),
	TEST(credit_requests_with_bad_buffers),
	TEST(replies_without_buffers), TEST_ONCE(request_flood),
	TEST_ONCE(request_flood_same_port), TEST_ONCE(shutdown_flood), TEST(seqpacket_to_guest),
	TEST(seqpacket_to_host), TEST_ONCE(seqpacket_not_agreed),
	TEST_ONCE(zerocopy_from_host), TEST(small_beside_bulk),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
