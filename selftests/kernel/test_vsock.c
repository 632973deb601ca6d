// SPDX-License-Identifier: GPL-2.0
/* vhost-vsock: sockets of the host, and a guest that is driven packet by packet. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>
#include <linux/errqueue.h>

#include "test.h"
#include "vvsock.h"

#define N(a)		(sizeof(a) / sizeof((a)[0]))
#define STREAM		VIRTIO_VSOCK_TYPE_STREAM
#define SEQPACKET	VIRTIO_VSOCK_TYPE_SEQPACKET
#define PORT		5000	/* of the guest */
#define KIB		1024u

static struct vvsock v;
static struct vpkt p;

static void fill(void *buf, size_t len, unsigned int seed)
{
	unsigned char *b = buf;

	while (len--) {
		seed = seed * 1103515245 + 12345;
		*b++ = seed >> 16;
	}
}

static long long tx_count(const char *name)
{
	return vmm_counter(&v.vmm, VSOCK_TX, name);
}

static long long rx_count(const char *name)
{
	return vmm_counter(&v.vmm, VSOCK_RX, name);
}

/* What a socket's next read gives: bytes, or the negative errno. */
static int read_of(int fd)
{
	char c;
	int n = recv(fd, &c, 1, 0);

	return n < 0 ? -errno : n;
}

static int error_of(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	return err;
}

/* A connection by the guest; the host's end is returned. */
static int guest_pair(struct vconn *c, int type, __u32 port)
{
	unsigned int peer = 0;
	int listener = hsock_listen(type, &peer), fd;

	vconn_connect(c, &v, port, peer, type == SOCK_STREAM ? STREAM : SEQPACKET);
	fd = hsock_accept(listener);
	close(listener);
	return fd;
}

/* ---- setting it up ------------------------------------------------------------------ */

static void features_offered(void)
{
	__u64 features;

	test_need_ours();
	OK(vmm_open(&v.vmm, "/dev/vhost-vsock", 0));
	OK(vmm_get_features(&v.vmm, &features));
	EXPECT(features & BIT_ULL(VIRTIO_VSOCK_F_SEQPACKET));
	EXPECT(features & BIT_ULL(VIRTIO_F_RING_PACKED));
	EXPECT(features & BIT_ULL(VIRTIO_F_IN_ORDER));
	EXPECT(features & BIT_ULL(VIRTIO_F_RING_RESET));
	EXPECT(features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM));
	FAILS(vmm_set_features(&v.vmm, BIT_ULL(0)), EOPNOTSUPP);
}

static void cid_errors(void)
{
	static const __u64 bad[] = { 0, 1, 2, 0xffffffff, 1ULL << 32, ~0ULL };
	struct vvsock other;
	unsigned int i;

	vvsock_open(&v, NULL);
	vvsock_open(&other, NULL);
	for (i = 0; i < N(bad); i++)
		FAILS(vvsock_set_cid(&v, bad[i]), EINVAL);
	FAILS(vmm_ioctl(&v.vmm, VHOST_VSOCK_SET_GUEST_CID, NULL), EFAULT);
	OK(vvsock_set_cid(&v, 4242));
	OK(vvsock_set_cid(&v, 4242));
	FAILS(vvsock_set_cid(&other, 4242), EADDRINUSE);
	OK(vvsock_set_cid(&v, 4243));
	OK(vvsock_set_cid(&other, 4242));
	vvsock_close(&v);
	OK(vvsock_set_cid(&other, 4243));
	OK(vvsock_set_cid(&other, 0xfffffffe));
}

/* libvirt sets the CID of a file that QEMU will own. */
static void cid_before_owner(void)
{
	__u64 cid = 4244;
	int pid;

	OK(vmm_open(&v.vmm, "/dev/vhost-vsock", 0));
	OK(vmm_ioctl(&v.vmm, VHOST_VSOCK_SET_GUEST_CID, &cid));
	pid = test_fork();
	if (!pid) {
		OK(vmm_set_owner(&v.vmm));
		OK(vmm_ioctl(&v.vmm, VHOST_VSOCK_SET_GUEST_CID, &cid));
		exit(0);
	}
	test_join(pid);
}

static void cid_is_the_owners(void)
{
	int pid;

	test_need_ours();
	vvsock_up(&v, NULL);
	pid = test_fork();
	if (!pid) {
		FAILS(vvsock_set_cid(&v, 4245), EPERM);
		FAILS(vvsock_alloc_cid(&v, &v.cid), EPERM);
		exit(0);
	}
	test_join(pid);
}

static void alloc_cid(void)
{
	struct vvsock other;
	__u64 a = 0, b = 0, c = 0;

	test_need_ours();
	vvsock_open(&v, NULL);
	vvsock_open(&other, NULL);
	OK(vvsock_alloc_cid(&v, &a));
	EXPECT(a >= 3 && a < 0xffffffff);
	OK(vvsock_alloc_cid(&other, &b));
	EXPECT(b >= 3 && b < 0xffffffff && b != a);
	OK(vvsock_set_cid(&v, a));
	FAILS(vvsock_set_cid(&other, a), EADDRINUSE);
	/* Another one gives the first back, but not to the next who asks. */
	OK(vvsock_alloc_cid(&v, &c));
	EXPECT(c != a && c != b);
	OK(vvsock_set_cid(&other, a));
	FAILS(vmm_ioctl(&v.vmm, VHOST_VSOCK_ALLOC_CID, NULL), EFAULT);
}

/* Many at once: nobody gets what another has. */
static void alloc_cid_race(void)
{
	enum { PROCS = 8, EACH = 50 };
	__u64 *cid = mmap(NULL, 4096 * PROCS, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int pids[PROCS], i, j, done[2], go[2];
	char c;

	test_need_ours();
	EXPECT_EQ(pipe(done) | pipe(go), 0);
	for (i = 0; i < PROCS; i++) {
		pids[i] = test_fork();
		if (!pids[i]) {
			for (j = 0; j < EACH; j++) {
				int fd = open("/dev/vhost-vsock", O_RDWR);

				if (ioctl(fd, VHOST_VSOCK_ALLOC_CID, &cid[i * EACH + j]))
					test_fail("ALLOC_CID: %m");
			}
			EXPECT_EQ(write(done[1], "", 1), 1);
			/* The parent has looked at all of them. */
			close(go[1]);
			EXPECT_EQ(read(go[0], &c, 1), 0);
			exit(0);
		}
	}
	for (i = 0; i < PROCS; i++)
		EXPECT_EQ(read(done[0], &c, 1), 1);
	for (i = 0; i < PROCS * EACH; i++) {
		EXPECT(cid[i] >= 3);
		for (j = 0; j < i; j++)
			EXPECT(cid[i] != cid[j]);
	}
	close(go[1]);
	for (i = 0; i < PROCS; i++)
		test_join(pids[i]);
}

static void running_errors(void)
{
	struct vmm m;
	int on = 1;

	OK(vmm_open(&m, "/dev/vhost-vsock", 1 << 20));
	FAILS(vmm_ioctl(&m, VHOST_VSOCK_SET_RUNNING, &on), EPERM);
	OK(vmm_set_owner(&m));
	FAILS(vmm_ioctl(&m, VHOST_VSOCK_SET_RUNNING, &on), EFAULT);
	FAILS(vmm_ioctl(&m, VHOST_VSOCK_SET_RUNNING, NULL), EFAULT);
	FAILS(vmm_vring_num(&m, 2, 64), ENOBUFS);
	FAILS(vmm_vring_num(&m, ~0u, 64), ENOBUFS);
	FAILS(vmm_ioctl(&m, VHOST_NET_SET_BACKEND, &on), ENOTTY);
	on = 0;
	OK(vmm_ioctl(&m, VHOST_VSOCK_SET_RUNNING, &on));
	vmm_close(&m);

	/* Half set up, none runs; then both. */
	vvsock_open(&v, NULL);
	OK(vmm_vring_addr(&v.vmm, VSOCK_TX, 0, 0, 0, 0, 0));
	FAILS(vvsock_run(&v, 1), EFAULT);
	OK(gring_set_addr(&v.ring[VSOCK_TX], &v.vmm, VSOCK_TX, 0, 0));
	OK(vvsock_run(&v, 1));
	OK(vvsock_run(&v, 1));
	FAILS(vmm_vring_num(&v.vmm, VSOCK_RX, 128), EBUSY);
	OK(vvsock_run(&v, 0));
	OK(vvsock_run(&v, 0));
	OK(vmm_vring_num(&v.vmm, VSOCK_RX, 128));
}

static void two_workers(void)
{
	unsigned int rx, tx;

	test_need_ours();
	vvsock_up(&v, NULL);
	OK(vmm_get_worker(&v.vmm, VSOCK_RX, &rx));
	OK(vmm_get_worker(&v.vmm, VSOCK_TX, &tx));
	EXPECT(rx != tx);
}

static void no_such_guest(void)
{
	test_need_ours();
	vvsock_open(&v, NULL);
	OK(vvsock_set_cid(&v, 4250));
	EXPECT_EQ(hsock_connect(SOCK_STREAM, 4249, PORT), -ENODEV);
	/* It is there, but does not run. */
	EXPECT_EQ(hsock_connect(SOCK_STREAM, 4250, PORT), -EHOSTUNREACH);
}

/* ---- connections --------------------------------------------------------------------- */

static void connect_by_host(void)
{
	struct vconn c;
	char buf[5];
	int fd;

	vvsock_up(&v, NULL);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	EXPECT_EQ(c.port, PORT);
	EXPECT_EQ(c.type, STREAM);
	OK(hsock_write(fd, "hello", 5));
	vconn_read(&c, buf, 5);
	EXPECT(!memcmp(buf, "hello", 5));
	vconn_write(&c, "world", 5);
	EXPECT(hsock_poll(fd, POLLIN, VSOCK_WAIT_MS) & POLLIN);
	OK(hsock_read(fd, buf, 5));
	EXPECT(!memcmp(buf, "world", 5));
}

static void connect_by_guest(void)
{
	struct vconn c;
	char buf[5];
	int fd;

	vvsock_up(&v, NULL);
	fd = guest_pair(&c, SOCK_STREAM, PORT);
	vconn_write(&c, "hello", 5);
	OK(hsock_read(fd, buf, 5));
	EXPECT(!memcmp(buf, "hello", 5));
	OK(hsock_write(fd, "world", 5));
	vconn_read(&c, buf, 5);
	EXPECT(!memcmp(buf, "world", 5));
}

static void refused_by_guest(void)
{
	struct virtio_vsock_hdr hdr;
	int fd;

	vvsock_up(&v, NULL);
	fd = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, v.cid, PORT);
	vvsock_next(&v, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_REQUEST);
	hdr = vvsock_hdr(&v, PORT, p.hdr.src_port, STREAM, VIRTIO_VSOCK_OP_RST);
	vvsock_put(&v, &hdr, NULL, 0);
	EXPECT(hsock_poll(fd, POLLOUT, VSOCK_WAIT_MS));
	EXPECT_EQ(error_of(fd), ECONNRESET);
}

static void refused_by_host(void)
{
	struct virtio_vsock_hdr hdr;

	vvsock_up(&v, NULL);
	hdr = vvsock_hdr(&v, PORT, 4999, STREAM, VIRTIO_VSOCK_OP_REQUEST);
	vvsock_put(&v, &hdr, NULL, 0);
	vvsock_next(&v, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RST);
	EXPECT_EQ(p.hdr.src_port, 4999);
	EXPECT_EQ(p.hdr.dst_port, PORT);
}

/* A connection that is given up before the guest had a buffer for its request. */
static void request_cancelled(void)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK, .svm_port = PORT };
	struct timeval t = { .tv_usec = 50000 };
	struct vconn c;
	int fd;

	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT_EQ(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &t, sizeof(t)), 0);
	a.svm_cid = v.cid;
	EXPECT_EQ(connect(fd, (struct sockaddr *)&a, sizeof(a)), -1);
	EXPECT_EQ(errno, ETIMEDOUT);
	vvsock_post(&v);
	/* The next request is the first that the guest sees. */
	hsock_pair(&v, &c, SOCK_STREAM, PORT + 1);
	EXPECT_EQ(c.port, PORT + 1);
}

static void shutdown_by_host(void)
{
	struct vconn c;
	int fd;

	vvsock_up(&v, NULL);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	EXPECT_EQ(shutdown(fd, SHUT_WR), 0);
	vconn_next(&c, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_SHUTDOWN);
	EXPECT_EQ(p.hdr.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	/* The other direction goes on. */
	vconn_write(&c, "x", 1);
	EXPECT(hsock_poll(fd, POLLIN, VSOCK_WAIT_MS));
	EXPECT_EQ(read_of(fd), 1);
	close(fd);
	vconn_next(&c, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_SHUTDOWN);
	EXPECT_EQ(p.hdr.flags, VIRTIO_VSOCK_SHUTDOWN_SEND | VIRTIO_VSOCK_SHUTDOWN_RCV);
	vconn_put(&c, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
	vvsock_sync(&v);
}

static void shutdown_by_guest(void)
{
	struct vconn c;
	int fd;

	vvsock_up(&v, NULL);
	fd = guest_pair(&c, SOCK_STREAM, PORT);
	vconn_write(&c, "x", 1);
	vconn_put(&c, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND, NULL, 0);
	EXPECT_EQ(read_of(fd), 1);
	EXPECT_EQ(read_of(fd), 0);
	OK(hsock_write(fd, "y", 1));
	vconn_next(&c, &p);
	EXPECT_EQ(p.len, 1);
	vconn_put(&c, VIRTIO_VSOCK_OP_SHUTDOWN,
		  VIRTIO_VSOCK_SHUTDOWN_SEND | VIRTIO_VSOCK_SHUTDOWN_RCV, NULL, 0);
	vconn_expect(&c, VIRTIO_VSOCK_OP_RST);
	EXPECT_EQ(hsock_write(fd, "z", 1), -EPIPE);
}

static void reset_by_guest(void)
{
	struct vconn c;
	int fd;

	vvsock_up(&v, NULL);
	fd = guest_pair(&c, SOCK_STREAM, PORT);
	vconn_put(&c, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
	vvsock_sync(&v);
	EXPECT_EQ(read_of(fd), 0);
	EXPECT_EQ(hsock_write(fd, "z", 1), -EPIPE);
}

static void many_connections(void)
{
	const unsigned int many = test_rounds(3000);
	unsigned int peer = 0, i;
	int listener, fd;
	struct vconn c;

	vvsock_up(&v, NULL);
	listener = hsock_listen(SOCK_STREAM, &peer);
	for (i = 0; i < many; i++) {
		/* By the guest and by the host in turns, closed by the other one. */
		if (i % 2) {
			vconn_connect(&c, &v, 10000 + i, peer, STREAM);
			fd = hsock_accept(listener);
			close(fd);
			vconn_expect(&c, VIRTIO_VSOCK_OP_SHUTDOWN);
			vconn_put(&c, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
		} else {
			fd = hsock_pair(&v, &c, SOCK_STREAM, 10000 + i);
			vconn_put(&c, VIRTIO_VSOCK_OP_SHUTDOWN, 3, NULL, 0);
			vconn_expect(&c, VIRTIO_VSOCK_OP_RST);
			close(fd);
			/* The kernel says it once more when the socket is closed. */
			vconn_expect(&c, VIRTIO_VSOCK_OP_RST);
		}
	}
	vvsock_sync(&v);
}

static void many_at_once(void)
{
	enum { MANY = 500 };
	static struct vconn c[MANY];
	static int fd[MANY];
	unsigned int i;
	__u32 got;

	vvsock_up(&v, NULL);
	for (i = 0; i < MANY; i++)
		fd[i] = hsock_pair(&v, &c[i], SOCK_STREAM, 10000 + i);
	for (i = 0; i < MANY; i++)
		OK(hsock_write(fd[i], &i, sizeof(i)));
	for (i = 0; i < MANY; i++) {
		vvsock_next(&v, &p);
		EXPECT_EQ(p.len, 4);
		memcpy(&got, p.data, 4);
		EXPECT_EQ(p.hdr.dst_port, 10000 + got);
	}
}

/* ---- data ------------------------------------------------------------------------------- */

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
	fd = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, v.cid, PORT);
	vconn_accept(&c, &v);
	/* That posted another buffer, which the first write takes. */
	EXPECT(hsock_poll(fd, POLLOUT, VSOCK_WAIT_MS));
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
	fd = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, v.cid, PORT);
	vconn_accept(&c, &v);
	EXPECT(hsock_poll(fd, POLLOUT, VSOCK_WAIT_MS));
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

/* Questions that the guest takes no answers to cost the host one packet. */
static void credit_requests_without_buffers(void)
{
	struct vconn c;
	unsigned int i;
	int fd;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	vvsock_post_some(&v, 1);
	fd = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, v.cid, PORT);
	vconn_accept(&c, &v);
	EXPECT(hsock_poll(fd, POLLOUT, VSOCK_WAIT_MS));
	/* The buffer that it posted is used up by the first answer. */
	for (i = 0; i < 5000; i++)
		vconn_put(&c, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0, NULL, 0);
	vvsock_sync(&v);
	vvsock_post(&v);
	OK(hsock_write(fd, "x", 1));
	for (i = 0;; i++) {
		vvsock_next(&v, &p);
		if (p.hdr.op == VIRTIO_VSOCK_OP_RW)
			break;
		EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	}
	EXPECT(i <= 3);
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
	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)))
		test_skip("no SO_ZEROCOPY");
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
	fb = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, v.cid, PORT);
	vconn_accept(&b, &v);
	EXPECT(hsock_poll(fb, POLLOUT, VSOCK_WAIT_MS));
	fs = hsock_connect(SOCK_SEQPACKET | SOCK_NONBLOCK, v.cid, PORT + 1);
	vconn_accept(&s, &v);
	EXPECT(hsock_poll(fs, POLLOUT, VSOCK_WAIT_MS));
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

/* ---- malformed packets ---------------------------------------------------------------- */

/* A connection, and a packet of it to be spoilt. */
static struct vconn bad_c;
static struct virtio_vsock_hdr bad_hdr;
static int bad_fd;

static void bad_begin(void)
{
	test_need_ours();
	vvsock_up(&v, NULL);
	bad_fd = guest_pair(&bad_c, SOCK_STREAM, PORT);
	bad_hdr = vvsock_hdr(&v, PORT, bad_c.peer, STREAM, VIRTIO_VSOCK_OP_RW);
	bad_hdr.len = 4;
}

/* It was counted once, and the connection is as it was. */
static void bad_end(const char *name)
{
	static const char *const all[] = {
		"tx_writable", "tx_short", "tx_long", "tx_len", "tx_src", "tx_dst",
		"tx_type", "tx_op", "tx_flags", "tx_payload", "tx_credit", "tx_stray",
	};
	char buf[4];
	unsigned int i;

	vvsock_sync(&v);
	for (i = 0; i < N(all); i++)
		if (tx_count(all[i]) != !strcmp(all[i], name))
			test_fail("%s is %lld", all[i], tx_count(all[i]));
	bad_hdr = vvsock_hdr(&v, PORT, bad_c.peer, STREAM, VIRTIO_VSOCK_OP_RW);
	bad_hdr.len = 4;
	vvsock_put(&v, &bad_hdr, "good", 4);
	OK(hsock_read(bad_fd, buf, 4));
	EXPECT(!memcmp(buf, "good", 4));
	EXPECT_EQ(recv(bad_fd, buf, 4, MSG_DONTWAIT), -1);
	EXPECT_EQ(errno, EAGAIN);
}

#define BAD_PACKET(test, name, change)					\
	static void test(void)						\
	{								\
		bad_begin();						\
		change;							\
		vvsock_put(&v, &bad_hdr, "evil", 4);			\
		bad_end(name);						\
	}

BAD_PACKET(bad_len, "tx_len", bad_hdr.len = 5)
BAD_PACKET(bad_len_huge, "tx_len", bad_hdr.len = 0xfffffff0)
BAD_PACKET(bad_src, "tx_src", bad_hdr.src_cid++)
BAD_PACKET(bad_src_host, "tx_src", bad_hdr.src_cid = VSOCK_HOST)
BAD_PACKET(bad_src_high, "tx_src", bad_hdr.src_cid |= 1ULL << 32)
BAD_PACKET(bad_op, "tx_op", bad_hdr.op = 8)
BAD_PACKET(bad_op_zero, "tx_op", bad_hdr.op = 0)
BAD_PACKET(bad_op_high, "tx_op", bad_hdr.op = 0x0500)
BAD_PACKET(bad_payload_in_request, "tx_payload", bad_hdr.op = VIRTIO_VSOCK_OP_REQUEST)
BAD_PACKET(bad_payload_in_update, "tx_payload", bad_hdr.op = VIRTIO_VSOCK_OP_CREDIT_UPDATE)

/* An unknown type is answered with a reset. */
static void bad_type(void)
{
	bad_begin();
	bad_hdr.type = 3;
	vvsock_put(&v, &bad_hdr, "evil", 4);
	vvsock_next(&v, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RST);
	bad_end("tx_type");
}

/* Not the type of the connection: that is the socket's to refuse. */
static void bad_type_of_connection(void)
{
	bad_begin();
	bad_hdr.type = SEQPACKET;
	vvsock_put(&v, &bad_hdr, "evil", 4);
	vvsock_next(&v, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RST);
	bad_end("");
}

static void unreachable(__u64 dst)
{
	bad_begin();
	bad_hdr.dst_cid = dst;
	vvsock_put(&v, &bad_hdr, "evil", 4);
	vvsock_next(&v, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RST);
	EXPECT_EQ(p.hdr.src_cid, dst);
	EXPECT_EQ(p.hdr.src_port, bad_hdr.dst_port);
	EXPECT_EQ(p.hdr.dst_port, PORT);
	/* A reset is not answered. */
	bad_hdr.op = VIRTIO_VSOCK_OP_RST;
	bad_hdr.len = 0;
	vvsock_put(&v, &bad_hdr, NULL, 0);
	vvsock_sync(&v);
	EXPECT_EQ(tx_count("tx_dst"), 2);
	EXPECT_EQ(rx_count("packets"), 2);
}

static void bad_dst_guest(void)
{
	unreachable(77);
}

static void bad_dst_local(void)
{
	unreachable(1);
}

static void bad_dst_high(void)
{
	unreachable(1ULL << 32 | VSOCK_HOST);
}

static void bad_dst_itself(void)
{
	unreachable(1000000 + getpid());
}

/* Flags that data does not have are taken away; the data is good. */
static void bad_flags(void)
{
	char buf[4];

	bad_begin();
	bad_hdr.flags = 0xffffffff;
	vvsock_put(&v, &bad_hdr, "evil", 4);
	OK(hsock_read(bad_fd, buf, 4));
	EXPECT(!memcmp(buf, "evil", 4));
	bad_end("tx_flags");
}

static void bad_flags_of_shutdown(void)
{
	bad_begin();
	bad_hdr.op = VIRTIO_VSOCK_OP_SHUTDOWN;
	bad_hdr.len = 0;
	bad_hdr.flags = 4;
	vvsock_put(&v, &bad_hdr, NULL, 0);
	bad_end("tx_flags");
}

static void bad_short(void)
{
	struct gring *r;
	struct gseg seg;

	bad_begin();
	vvsock_sync(&v);
	r = &v.ring[VSOCK_TX];
	memcpy(v.tx, &bad_hdr, VSOCK_HDR);
	seg = (struct gseg){ vmm_addr(&v.vmm, v.tx), VSOCK_HDR - 1 };
	EXPECT(gring_add(r, &seg, 1, 0, NULL) >= 0);
	gring_kick(r);
	bad_end("tx_short");
}

static void bad_long(void)
{
	struct gring *r;
	struct gseg seg;

	bad_begin();
	vvsock_sync(&v);
	r = &v.ring[VSOCK_TX];
	bad_hdr.len = VSOCK_MAX + 1;
	memcpy(v.tx, &bad_hdr, VSOCK_HDR);
	seg = (struct gseg){ vmm_addr(&v.vmm, v.tx), VSOCK_HDR + VSOCK_MAX + 1 };
	EXPECT(gring_add(r, &seg, 1, 0, NULL) >= 0);
	gring_kick(r);
	bad_end("tx_long");
}

static void bad_writable(void)
{
	struct gseg seg[2];
	struct gring *r;

	bad_begin();
	vvsock_sync(&v);
	r = &v.ring[VSOCK_TX];
	memcpy(v.tx, &bad_hdr, VSOCK_HDR);
	seg[0] = (struct gseg){ vmm_addr(&v.vmm, v.tx), VSOCK_HDR + 4 };
	seg[1] = (struct gseg){ vmm_addr(&v.vmm, v.tx) + 4096, 16 };
	EXPECT(gring_add(r, seg, 1, 1, NULL) >= 0);
	gring_kick(r);
	bad_end("tx_writable");
}

/* Any layout: a header in pieces. */
static void header_in_pieces(void)
{
	struct gseg seg[5];
	struct gring *r;
	unsigned int i;
	char buf[4];

	bad_begin();
	vvsock_sync(&v);
	r = &v.ring[VSOCK_TX];
	memcpy(v.tx, &bad_hdr, VSOCK_HDR);
	memcpy(v.tx + VSOCK_HDR, "evil", 4);
	for (i = 0; i < N(seg); i++)
		seg[i] = (struct gseg){ vmm_addr(&v.vmm, v.tx) + 10 * i, i < 4 ? 10 : 8 };
	EXPECT(gring_add(r, seg, N(seg), 0, NULL) >= 0);
	gring_kick(r);
	OK(hsock_read(bad_fd, buf, 4));
	EXPECT(!memcmp(buf, "evil", 4));
	bad_end("");
}

/* Receive chains that nothing fits in are given back, and the next is taken. */
static void bad_rx(const char *name, unsigned int out, unsigned int len)
{
	struct gring *r = &v.ring[VSOCK_RX];
	struct gseg seg[2];
	struct vconn c;
	void *token;
	char buf[5];
	__u32 used;
	int fd;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	vvsock_post_some(&v, 2);
	fd = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, v.cid, PORT);
	vconn_accept(&c, &v);
	EXPECT(hsock_poll(fd, POLLOUT, VSOCK_WAIT_MS));
	/* Two good ones are there; behind them the bad one, then another good one. */
	seg[0] = (struct gseg){ vmm_addr(&v.vmm, v.tx), 16 };
	seg[out] = (struct gseg){ vmm_addr(&v.vmm, v.tx) + 4096, len };
	EXPECT(gring_add(r, seg, out, 1, &seg) >= 0);
	vvsock_post_some(&v, 1);
	OK(hsock_write(fd, "hello", 5));
	vvsock_next(&v, &p);
	EXPECT_EQ(p.len, 5);
	OK(hsock_write(fd, "hello", 5));
	vvsock_next(&v, &p);
	EXPECT_EQ(p.len, 5);
	OK(hsock_write(fd, "world", 5));
	EXPECT(gring_pending(r) || gring_wait(r, VSOCK_WAIT_MS));
	EXPECT(gring_get(r, &used, &token) >= 0);
	EXPECT_EQ(used, 0);
	EXPECT(token == &seg);
	vconn_read(&c, buf, 5);
	EXPECT(!memcmp(buf, "world", 5));
	EXPECT_EQ(rx_count(name), 1);
}

static void bad_rx_readable(void)
{
	bad_rx("rx_readable", 1, 4096);
}

static void bad_rx_small(void)
{
	bad_rx("rx_small", 0, VSOCK_HDR);
}

static void bad_rx_tiny(void)
{
	bad_rx("rx_small", 0, 1);
}

/* Memory that is not there: the queue breaks, and a restart brings it back. */
static void data_fault(void)
{
	char state[32];
	struct vconn c;
	struct gseg seg;
	int fd;

	test_need_ours();
	vvsock_up(&v, NULL);
	vvsock_sync(&v);
	munmap(v.tx, 4096);
	seg = (struct gseg){ vmm_addr(&v.vmm, v.tx), VSOCK_HDR };
	EXPECT(gring_add(&v.ring[VSOCK_TX], &seg, 1, 0, NULL) >= 0);
	gring_kick(&v.ring[VSOCK_TX]);
	EXPECT_EQ(evt_wait(v.ring[VSOCK_TX].err, VSOCK_WAIT_MS), 1);
	EXPECT_EQ(tx_count("data_fault"), 1);
	EXPECT_EQ(vmm_stat(&v.vmm, VSOCK_TX, "state", state, sizeof(state)), 0);
	EXPECT(!strcmp(state, "broken"));
	v.tx += 2 * (VSOCK_HDR + VSOCK_MAX);
	OK(vvsock_run(&v, 0));
	gring_reset(&v.ring[VSOCK_TX], 0);
	OK(gring_attach(&v.ring[VSOCK_TX], &v.vmm, VSOCK_TX));
	OK(vvsock_run(&v, 1));
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	close(fd);
}

/* ---- guest to guest ---------------------------------------------------------------------- */

static struct vvsock w;
static struct vconn near, far;

/* Two guests, and who they are in debugfs. */
static void two_guests(const struct vvsock_conf *conf, unsigned int group_v,
		       unsigned int group_w)
{
	struct vvsock_conf other = conf ? *conf : (struct vvsock_conf){};

	test_need_ours();
	other.cid = 2000000 + getpid();
	vvsock_up(&v, NULL);
	vvsock_up(&w, &other);
	if (group_v)
		OK(vvsock_set_group(&v, v.cid, group_v));
	if (group_w)
		OK(vvsock_set_group(&v, w.cid, group_w));
}

static void guests_connect(__u16 type)
{
	vconn_request(&near, &v, 4000, w.cid, PORT, type);
	vconn_accept(&far, &w);
	EXPECT_EQ(far.peer_cid, v.cid);
	EXPECT_EQ(far.port, PORT);
	EXPECT_EQ(far.type, type);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RESPONSE);
}

static bool listed(const char *line)
{
	FILE *f = fopen("/sys/kernel/debug/vhost/vsock", "re");
	char text[200];
	bool found = false;

	EXPECT(f);
	while (fgets(text, sizeof(text), f))
		found = found || !strncmp(text, line, strlen(line));
	fclose(f);
	return found;
}

static void guests_are_listed(void)
{
	char line[100];

	two_guests(NULL, 0, 9);
	snprintf(line, sizeof(line), "cid %llu owner %d group 0\n", v.cid, getpid());
	EXPECT(listed(line));
	snprintf(line, sizeof(line), "cid %llu owner %d group 9\n", w.cid, getpid());
	EXPECT(listed(line));
	EXPECT(listed("group 9 members 1 connections 0 packets 0 bytes 0 refused 0\n"));
	vvsock_close(&w);
	EXPECT(!listed(line));
	EXPECT(!listed("group 9"));
}

static void group_errors(void)
{
	struct vhost_vsock_group g = { .group = 1 };
	int pid;

	two_guests(NULL, 0, 0);
	FAILS(vvsock_set_group(&v, 4999999, 1), ENODEV);
	FAILS(vvsock_set_group(&v, v.cid | 1ULL << 32, 1), ENODEV);
	FAILS(vmm_ioctl(&v.vmm, VHOST_VSOCK_SET_GROUP, NULL), EFAULT);
	g.guest_cid = v.cid;
	g.reserved = 1;
	FAILS(vmm_ioctl(&v.vmm, VHOST_VSOCK_SET_GROUP, &g), EINVAL);
	pid = test_fork();
	if (!pid) {
		/* Not the owner: that may be anybody. */
		OK(vvsock_set_group(&v, v.cid, 1));
		EXPECT_EQ(setreuid(1, 1), 0);
		FAILS(vvsock_set_group(&v, v.cid, 2), EPERM);
		exit(0);
	}
	test_join(pid);
}

static void strangers(unsigned int group_v, unsigned int group_w)
{
	two_guests(NULL, group_v, group_w);
	vconn_request(&near, &v, 4000, w.cid, PORT, STREAM);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
	EXPECT_EQ(tx_count("tx_dst"), 1);
	EXPECT(!vvsock_get(&w, &p, 50));
}

static void no_group(void)
{
	strangers(0, 0);
}

static void one_in_group(void)
{
	strangers(0, 7);
}

static void other_group(void)
{
	strangers(7, 8);
}

static void same_group(void)
{
	static char want[300 * KIB], got[300 * KIB];
	int pid;

	two_guests(NULL, 7, 7);
	guests_connect(STREAM);
	fill(want, sizeof(want), 3);
	/* One writes while the other reads, each in a process of its own. */
	pid = test_fork();
	if (!pid) {
		vconn_read(&far, got, sizeof(got));
		EXPECT(!memcmp(want, got, sizeof(want)));
		vconn_write(&far, want, sizeof(want));
		vvsock_sync(&w);
		exit(0);
	}
	vconn_write(&near, want, sizeof(want));
	vconn_read(&near, got, sizeof(got));
	EXPECT(!memcmp(want, got, sizeof(want)));
	test_join(pid);
	EXPECT(tx_count("forwarded") > 4);
}

static void same_group_seqpacket(void)
{
	static char data[5000];

	two_guests(NULL, 7, 7);
	guests_connect(SEQPACKET);
	vconn_put(&near, VIRTIO_VSOCK_OP_RW, VIRTIO_VSOCK_SEQ_EOM, data, 5000);
	vconn_next(&far, &p);
	EXPECT_EQ(p.hdr.flags, 0);
	EXPECT_EQ(p.len, 4096 - VSOCK_HDR);
	vconn_next(&far, &p);
	EXPECT_EQ(p.hdr.flags, VIRTIO_VSOCK_SEQ_EOM);
	vconn_put(&far, VIRTIO_VSOCK_OP_SHUTDOWN, 3, NULL, 0);
	vconn_expect(&near, VIRTIO_VSOCK_OP_SHUTDOWN);
	vconn_put(&near, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
	vconn_expect(&far, VIRTIO_VSOCK_OP_RST);
	EXPECT(listed("group 7 members 2 connections 0 packets 5 bytes 5000 refused 0\n"));
}

static void group_stray(void)
{
	two_guests(NULL, 7, 7);
	near = (struct vconn){
		.v = &v, .port = 4000, .peer_cid = w.cid, .peer = PORT, .type = STREAM,
	};
	vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, "x", 1);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
	EXPECT_EQ(tx_count("tx_stray"), 1);
	/* A connection has one type. */
	guests_connect(STREAM);
	near.type = SEQPACKET;
	vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, "x", 1);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
	EXPECT_EQ(tx_count("tx_stray"), 2);
	near.type = STREAM;
	vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, "y", 1);
	vconn_next(&far, &p);
	EXPECT_EQ(p.data[0], 'y');
	/* Nobody takes a connection to who does not run. */
	OK(vvsock_run(&w, 0));
	vconn_request(&near, &v, 4001, w.cid, PORT, STREAM);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
}

/* No more waits for a guest than it would be offered room for. */
static void group_credit(void)
{
	static char buf[VSOCK_MAX];
	unsigned int i;

	two_guests(&(struct vvsock_conf){ .rx_hold = true }, 7, 7);
	vvsock_post_some(&w, 1);
	guests_connect(STREAM);
	EXPECT_EQ(near.peer_alloc, 256 * KIB);
	far.alloc = 1 << 30;
	vconn_put(&far, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
	vvsock_next(&v, &p);
	EXPECT_EQ(p.hdr.buf_alloc, 1024 * KIB);
	for (i = 0; i < 18; i++)
		vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, buf, VSOCK_MAX);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
	EXPECT_EQ(tx_count("tx_credit"), 1);
	/* The other one gets what was within, and then is told. */
	vvsock_post(&w);
	do {
		vconn_next(&far, &p);
	} while (p.hdr.op == VIRTIO_VSOCK_OP_RW);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RST);
	EXPECT(far.got <= 1024 * KIB + 4096 && far.got >= 1024 * KIB);
}

static void group_small_packets(void)
{
	unsigned int i;

	two_guests(&(struct vvsock_conf){ .rx_hold = true }, 7, 7);
	vvsock_post_some(&w, 1);
	guests_connect(STREAM);
	/* Of one byte each as many as may be on their way: they wait in few packets. */
	for (i = 0; i < 20000; i++)
		vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, &i, 1);
	vvsock_sync(&v);
	EXPECT_EQ(tx_count("tx_credit"), 0);
	vvsock_post(&w);
	for (i = 0; i < 20000; i += p.len) {
		vconn_next(&far, &p);
		EXPECT_EQ((unsigned char)p.data[0], i & 0xff);
	}
}

/* Nothing fits even where there is no room. */
static void group_empty_packets(void)
{
	static char buf[2048];
	unsigned int i;

	two_guests(&(struct vvsock_conf){ .rx_hold = true }, 7, 7);
	vvsock_post_some(&w, 1);
	guests_connect(STREAM);
	for (i = 0; i < 32; i++) {
		vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, buf, sizeof(buf));
		vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, NULL, 0);
	}
	vvsock_sync(&v);
	vvsock_post(&w);
	while (far.got < 32 * sizeof(buf))
		vconn_next(&far, &p);
	EXPECT_EQ(tx_count("tx_credit"), 0);
}

/* Data that the other one has not agreed to. */
static void group_unanswered(void)
{
	two_guests(NULL, 7, 7);
	vconn_request(&near, &v, 4000, w.cid, PORT, STREAM);
	vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, "x", 1);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
	EXPECT_EQ(tx_count("tx_stray"), 1);
	/* Nor may the one who asked agree. */
	vconn_put(&near, VIRTIO_VSOCK_OP_RESPONSE, 0, NULL, 0);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
	/* It may ask again, as when the answer took too long. */
	vconn_request(&near, &v, 4000, w.cid, PORT, STREAM);
	vvsock_sync(&v);
	vconn_accept(&far, &w);
	vconn_accept(&far, &w);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RESPONSE);
	vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, "y", 1);
	vconn_next(&far, &p);
	EXPECT_EQ(p.data[0], 'y');
	EXPECT(listed("group 7 members 2 connections 1"));
}

/* One who fills all that it may takes nothing from another one. */
static void group_share(void)
{
	enum { CONNECTIONS = 34 };
	static char buf[VSOCK_MAX];
	static struct vconn many[CONNECTIONS];
	static struct vvsock x;
	unsigned int i, j;

	two_guests(&(struct vvsock_conf){ .rx_hold = true }, 7, 7);
	vvsock_up(&x, &(struct vvsock_conf){ .cid = 3000000 + getpid() });
	OK(vvsock_set_group(&v, x.cid, 7));
	vvsock_post_some(&w, 1);
	guests_connect(STREAM);
	for (i = 0; i < CONNECTIONS; i++) {
		vconn_request(&many[i], &x, 4000 + i, w.cid, PORT, STREAM);
		vconn_accept(&far, &w);
		vconn_expect(&many[i], VIRTIO_VSOCK_OP_RESPONSE);
	}
	for (i = 0; i < CONNECTIONS; i++) {
		for (j = 0; j < 16; j++)
			vconn_put(&many[i], VIRTIO_VSOCK_OP_RW, 0, buf, VSOCK_MAX);
		while (gring_pending(&x.ring[VSOCK_RX]))
			vvsock_next(&x, &p);
	}
	vvsock_sync(&x);
	EXPECT(vmm_counter(&x.vmm, VSOCK_TX, "tx_credit") > 10);
	vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, buf, VSOCK_MAX);
	vconn_request(&near, &v, 4001, w.cid, PORT, STREAM);
	vvsock_sync(&v);
	EXPECT_EQ(tx_count("tx_credit") + tx_count("tx_stray"), 0);
	EXPECT_EQ(tx_count("forwarded"), 3);
}

/* Connections that are asked for, and given up, faster than the other one looks. */
static void group_request_flood(void)
{
	unsigned int i, got = 0;

	two_guests(&(struct vvsock_conf){ .rx_hold = true, .rx_size = 128, .num = 1024 }, 7, 7);
	for (i = 0; i < 20000; i++) {
		vconn_request(&near, &v, 10000 + i, w.cid, PORT, STREAM);
		vconn_put(&near, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
		while (gring_pending(&v.ring[VSOCK_RX]))
			vvsock_next(&v, &p);
	}
	vvsock_sync(&v);
	EXPECT(tx_count("tx_stray") > 10000);
	vvsock_post(&w);
	while (vvsock_get(&w, &p, 100))
		got++;
	EXPECT(got > 1000 && got < 10000);
}

/* The other guest is told at once, and no one else. */
static void one_is_told(void)
{
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
	EXPECT(!vvsock_get(&v, &p, 20));
	EXPECT(!listed("group 7 members 2 connections 1"));
}

static void group_peer_closed(void)
{
	two_guests(NULL, 7, 7);
	guests_connect(STREAM);
	vvsock_close(&w);
	one_is_told();
	/* The CID is nobody's now. */
	vconn_request(&near, &v, 4000, w.cid, PORT, STREAM);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
}

static void group_peer_renamed(void)
{
	two_guests(NULL, 7, 7);
	guests_connect(STREAM);
	OK(vvsock_set_cid(&w, w.cid + 1000000));
	one_is_told();
	w.cid += 1000000;
	guests_connect(STREAM);
}

static void group_peer_restarted(void)
{
	unsigned int i;

	two_guests(NULL, 7, 7);
	guests_connect(STREAM);
	vvsock_sync(&w);
	OK(vvsock_run(&w, 0));
	for (i = 0; i < 2; i++) {
		gring_reset(&w.ring[i], 0);
		OK(gring_attach(&w.ring[i], &w.vmm, i));
	}
	vvsock_post(&w);
	OK(vvsock_run(&w, 1));
	one_is_told();
	guests_connect(STREAM);
}

static void group_left(void)
{
	two_guests(NULL, 7, 7);
	guests_connect(STREAM);
	OK(vvsock_set_group(&v, w.cid, 8));
	vconn_expect(&far, VIRTIO_VSOCK_OP_RST);
	one_is_told();
	OK(vvsock_set_group(&v, v.cid, 8));
	guests_connect(STREAM);
	OK(vvsock_set_group(&v, v.cid, 0));
	OK(vvsock_set_group(&v, v.cid, 0));
	vconn_expect(&far, VIRTIO_VSOCK_OP_RST);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
}

/* ---- life cycle ------------------------------------------------------------------------ */

/* Host sockets in each state, with a guest that ends. */
struct peers {
	struct vconn c[5];
	int open;	/* connected */
	int with_data;	/* connected, with data to read */
	int seqpacket;
	int opening;	/* the guest has not answered */
	int accepted;	/* not yet accepted */
};

static void peers_make(struct peers *s)
{
	unsigned int port = 0;

	s->open = hsock_pair(&v, &s->c[0], SOCK_STREAM, PORT);
	s->with_data = hsock_pair(&v, &s->c[1], SOCK_STREAM, PORT + 1);
	vconn_write(&s->c[1], "x", 1);
	s->seqpacket = hsock_pair(&v, &s->c[2], SOCK_SEQPACKET, PORT + 2);
	s->accepted = hsock_listen(SOCK_STREAM, &port);
	vconn_connect(&s->c[3], &v, PORT + 3, port, STREAM);
	close(hsock_pair(&v, &s->c[4], SOCK_STREAM, PORT + 5));
	s->opening = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, v.cid, PORT + 4);
	vvsock_sync(&v);
}

static void peers_are_reset(struct peers *s)
{
	char c;

	EXPECT(hsock_poll(s->open, POLLIN, VSOCK_WAIT_MS) & POLLERR);
	EXPECT_EQ(read_of(s->open), -ECONNRESET);
	EXPECT_EQ(hsock_write(s->open, "x", 1), -ECONNRESET);
	EXPECT_EQ(recv(s->with_data, &c, 1, 0), 1);
	EXPECT_EQ(read_of(s->with_data), -ECONNRESET);
	/* The socket layer lets a reader of messages see no more than an end. */
	EXPECT_EQ(error_of(s->seqpacket), ECONNRESET);
	EXPECT_EQ(read_of(s->seqpacket), 0);
	EXPECT(hsock_poll(s->opening, POLLOUT, VSOCK_WAIT_MS));
	EXPECT_EQ(error_of(s->opening), ECONNRESET);
}

static void close_resets_peers(void)
{
	long long begin;
	struct peers s;

	test_need_ours();
	vvsock_up(&v, NULL);
	peers_make(&s);
	begin = test_now();
	vvsock_close(&v);
	peers_are_reset(&s);
	EXPECT(test_now() - begin < 1500);
	EXPECT_EQ(hsock_connect(SOCK_STREAM, v.cid, PORT), -ENODEV);
}

static void killed_with_connections(void)
{
	__u64 cid = 1000000 + getpid();
	int up[2], fd[40], pid, i;
	struct vconn c;
	char byte;

	test_need_ours();
	EXPECT_EQ(pipe(up), 0);
	pid = test_fork();
	if (!pid) {
		vvsock_up(&v, &(struct vvsock_conf){ .cid = cid });
		EXPECT_EQ(write(up[1], "", 1), 1);
		for (;;)
			vconn_accept(&c, &v);
	}
	EXPECT_EQ(read(up[0], &byte, 1), 1);
	for (i = 0; i < 40; i++) {
		fd[i] = hsock_connect(SOCK_STREAM, cid, PORT + i);
		EXPECT(fd[i] >= 0);
	}
	kill(pid, SIGKILL);
	for (i = 0; i < 40; i++)
		EXPECT_EQ(read_of(fd[i]), -ECONNRESET);
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
	/* Its CID is free again. */
	vvsock_up(&v, &(struct vvsock_conf){ .cid = cid });
}

static void cid_change_resets_peers(void)
{
	struct vconn c;
	struct peers s;

	test_need_ours();
	vvsock_up(&v, NULL);
	peers_make(&s);
	OK(vvsock_set_cid(&v, v.cid + 1000000));
	peers_are_reset(&s);
	EXPECT_EQ(hsock_connect(SOCK_STREAM, v.cid, PORT), -ENODEV);
	/* What the guest sends under its former name is not taken. */
	vconn_put(&s.c[0], VIRTIO_VSOCK_OP_RW, 0, "x", 1);
	vvsock_sync(&v);
	EXPECT_EQ(tx_count("tx_src"), 1);
	/* The request of the opening one had reached the guest by then. */
	while (gring_pending(&v.ring[VSOCK_RX]))
		vvsock_next(&v, &p);
	v.cid += 1000000;
	hsock_pair(&v, &c, SOCK_STREAM, PORT);
}

static void owner_reset_resets_peers(void)
{
	struct peers s;

	test_need_ours();
	vvsock_up(&v, NULL);
	peers_make(&s);
	OK(vmm_reset_owner(&v.vmm));
	peers_are_reset(&s);
}

/* The guest's driver starts anew: it knows no connection. */
static void guest_reset_resets_peers(void)
{
	struct vconn c;
	struct peers s;
	unsigned int i;

	test_need_ours();
	vvsock_up(&v, NULL);
	peers_make(&s);
	OK(vvsock_run(&v, 0));
	for (i = 0; i < 2; i++) {
		gring_reset(&v.ring[i], 0);
		OK(gring_attach(&v.ring[i], &v.vmm, i));
	}
	vvsock_post(&v);
	OK(vvsock_run(&v, 1));
	peers_are_reset(&s);
	/* What was read of the dead connection's data is told to the new driver. */
	vvsock_next(&v, &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	hsock_pair(&v, &c, SOCK_STREAM, PORT);
}

/* A guest that is paused keeps its connections, and what was sent meanwhile. */
static void pause_keeps_peers(void)
{
	struct vconn c;
	unsigned int base[2], i;
	char buf[10];
	int fd;

	test_need_ours();
	vvsock_up(&v, NULL);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	OK(hsock_write(fd, "hello", 5));
	vconn_read(&c, buf, 5);
	vvsock_sync(&v);
	OK(vvsock_run(&v, 0));
	for (i = 0; i < 2; i++)
		OK(vmm_get_vring_base(&v.vmm, i, &base[i]));
	OK(hsock_write(fd, "world", 5));
	EXPECT_EQ(hsock_connect(SOCK_STREAM, v.cid, PORT), -EHOSTUNREACH);
	for (i = 0; i < 2; i++)
		OK(vmm_vring_base(&v.vmm, i, base[i]));
	OK(vvsock_run(&v, 1));
	vconn_read(&c, buf, 5);
	EXPECT(!memcmp(buf, "world", 5));
	vconn_write(&c, "again", 5);
	EXPECT(hsock_poll(fd, POLLIN, VSOCK_WAIT_MS));
	OK(hsock_read(fd, buf, 5));
	EXPECT(!memcmp(buf, "again", 5));
}

static int rmmod(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static void rmmod_while_in_use(void)
{
	struct vconn c;
	int fd;

	test_need_ours();
	vvsock_up(&v, NULL);
	FAILS(rmmod("vhost_vsock"), EAGAIN);
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	vvsock_close(&v);
	/* The device is gone; a socket that it served is not. */
	FAILS(rmmod("vhost_vsock"), EAGAIN);
	close(fd);
}

/* Devices come and go while sockets connect to them. */
static void open_close_under_connect(void)
{
	__u64 cid = 1000000 + getpid();
	unsigned int i;
	int pid;

	test_need_ours();
	pid = test_fork();
	if (!pid) {
		for (;;) {
			int fd = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, cid, PORT);

			if (fd >= 0)
				close(fd);
		}
	}
	for (i = 0; i < test_rounds(50); i++) {
		vvsock_up(&v, NULL);
		vvsock_get(&v, &p, 5);
		OK(vvsock_set_cid(&v, cid + 1000000));
		OK(vvsock_set_cid(&v, cid));
		vvsock_close(&v);
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
}

static const struct test tests[] = {
	TEST_ONCE(features_offered), TEST_ONCE(cid_errors), TEST_ONCE(cid_before_owner),
	TEST_ONCE(cid_is_the_owners), TEST_ONCE(alloc_cid), TEST_ONCE(alloc_cid_race),
	TEST_ONCE(running_errors), TEST_ONCE(two_workers), TEST_ONCE(no_such_guest),
	TEST(connect_by_host), TEST(connect_by_guest), TEST(refused_by_guest),
	TEST(refused_by_host), TEST(request_cancelled), TEST(shutdown_by_host),
	TEST(shutdown_by_guest), TEST(reset_by_guest), TEST_ONCE(many_connections),
	TEST_ONCE(many_at_once), TEST(stream_to_guest),
	TEST(stream_to_guest_large_buffers), TEST(stream_to_host), TEST(through_iommu),
	TEST_ONCE(write_with_fault), TEST(small_writes_merge), TEST(credit_of_guest),
	TEST_ONCE(credit_that_lies), TEST(credit_of_host),
	TEST(credit_requests_without_buffers), TEST(replies_without_buffers),
	TEST(seqpacket_to_guest), TEST(seqpacket_to_host), TEST_ONCE(seqpacket_not_agreed),
	TEST_ONCE(zerocopy_from_host), TEST(small_beside_bulk),
	TEST(bad_len), TEST_ONCE(bad_len_huge), TEST(bad_src), TEST_ONCE(bad_src_host),
	TEST_ONCE(bad_src_high), TEST(bad_op), TEST_ONCE(bad_op_zero), TEST_ONCE(bad_op_high),
	TEST_ONCE(bad_payload_in_request), TEST_ONCE(bad_payload_in_update), TEST(bad_type),
	TEST_ONCE(bad_type_of_connection), TEST(bad_dst_guest), TEST_ONCE(bad_dst_local),
	TEST_ONCE(bad_dst_high), TEST_ONCE(bad_dst_itself), TEST(bad_flags),
	TEST_ONCE(bad_flags_of_shutdown), TEST(bad_short), TEST(bad_long),
	TEST(bad_writable), TEST(header_in_pieces), TEST(bad_rx_readable),
	TEST(bad_rx_small), TEST(bad_rx_tiny), TEST(data_fault),
	TEST_ONCE(guests_are_listed), TEST_ONCE(group_errors), TEST_ONCE(no_group),
	TEST_ONCE(one_in_group), TEST_ONCE(other_group), TEST(same_group),
	TEST(same_group_seqpacket), TEST_ONCE(group_stray), TEST_ONCE(group_credit),
	TEST_ONCE(group_empty_packets), TEST_ONCE(group_unanswered), TEST_ONCE(group_share),
	TEST_ONCE(group_small_packets), TEST_ONCE(group_request_flood),
	TEST(group_peer_closed), TEST_ONCE(group_peer_renamed),
	TEST_ONCE(group_peer_restarted), TEST_ONCE(group_left), TEST(close_resets_peers),
	TEST_ONCE(killed_with_connections), TEST(cid_change_resets_peers),
	TEST_ONCE(owner_reset_resets_peers), TEST(guest_reset_resets_peers),
	TEST(pause_keeps_peers), TEST_ONCE(rmmod_while_in_use),
	TEST_ONCE(open_close_under_connect),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
