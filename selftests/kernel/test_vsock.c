// SPDX-License-Identifier: GPL-2.0
/* vhost-vsock: CIDs, connections, and their ends. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "vsock.h"

/* What a socket's next read gives: bytes, or the negative errno. */
static int read_of(int fd)
{
	char c;
	int n = recv(fd, &c, 1, 0);

	return n < 0 ? -errno : n;
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

static int rmmod(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
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

/*
 * Sockets that no packet of the guest's can find: bound to a CID that is not the
 * host's. The device goes all the same.
 */
static void close_with_unresettable_peers(void)
{
	enum { MANY = 40 };
	struct sockaddr_vm from = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL };
	struct sockaddr_vm to = { .svm_family = AF_VSOCK, .svm_port = PORT };
	struct timeval t = { .tv_sec = 3 };
	long long begin;
	int fd[MANY], i;

	test_need_ours();
	if (system("modprobe -q vsock_loopback"))
		test_skip("no vsock_loopback");
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	to.svm_cid = v.cid;
	for (i = 0; i < MANY; i++) {
		fd[i] = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0);
		EXPECT(fd[i] >= 0);
		from.svm_port = 70000 + i;
		EXPECT_EQ(setsockopt(fd[i], AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &t,
				     sizeof(t)), 0);
		EXPECT_EQ(bind(fd[i], (struct sockaddr *)&from, sizeof(from)), 0);
		EXPECT_EQ(connect(fd[i], (struct sockaddr *)&to, sizeof(to)), -1);
		EXPECT_EQ(errno, EINPROGRESS);
	}
	begin = test_now();
	vvsock_close(&v);
	EXPECT(test_now() - begin < 2000);
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(error_of(fd[i]), ECONNRESET);
	rmmod("vsock_loopback");
}

struct closer {
	int fd;
	bool closed;
};

static void *close_socket(void *arg)
{
	struct closer *c = arg;

	close(c->fd);
	__atomic_store_n(&c->closed, true, __ATOMIC_RELEASE);
	return NULL;
}

/* A socket that is closed waits until the guest has got all; or is gone. */
static void linger_ends_with_guest(void)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 10 };
	static char buf[64 * KIB];
	struct closer closer = {};
	long long begin;
	pthread_t thread;
	struct vconn c;

	test_need_ours();
	vvsock_up(&v, &(struct vvsock_conf){ .rx_hold = true });
	vvsock_post_some(&v, 1);
	closer.fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
	EXPECT_EQ(setsockopt(closer.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	OK(hsock_write(closer.fd, buf, sizeof(buf)));
	EXPECT_EQ(pthread_create(&thread, NULL, close_socket, &closer), 0);
	usleep(200000);
	EXPECT(!__atomic_load_n(&closer.closed, __ATOMIC_ACQUIRE));
	begin = test_now();
	vvsock_close(&v);
	EXPECT_EQ(pthread_join(thread, NULL), 0);
	EXPECT(test_now() - begin < 8000);
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
	TEST_ONCE(many_at_once), TEST(close_resets_peers),
	TEST_ONCE(close_with_unresettable_peers), TEST_ONCE(linger_ends_with_guest),
	TEST_ONCE(killed_with_connections), TEST(cid_change_resets_peers),
	TEST_ONCE(owner_reset_resets_peers), TEST(guest_reset_resets_peers),
	TEST(pause_keeps_peers), TEST_ONCE(rmmod_while_in_use),
	TEST_ONCE(open_close_under_connect),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
