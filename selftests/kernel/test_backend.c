// SPDX-License-Identifier: GPL-2.0
/* Each kind of backend, and backends that come and go. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000
#define V1 BIT_ULL(VIRTIO_F_VERSION_1)
#define MRG BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)
#define VHOST_HDR BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR)

static struct vnet n;

/* ---- other backends --------------------------------------------------------------- */

/* Until the carrier has been noticed what is sent vanishes without an error. */
static void wait_for_carrier(int from, int to)
{
	char frame[60], buf[60];
	int i;

	frame_fill(frame, sizeof(frame), 0);
	for (i = 0; i < WAIT_MS / 20; i++) {
		EXPECT(send(from, frame, sizeof(frame), 0) == sizeof(frame));
		if (sock_recv(to, buf, sizeof(buf), 20) > 0)
			return;
	}
	test_fail("no carrier");
}

/* Two Ethernet devices with a cable: ours and the host's end. */
static int veth(void)
{
	int ours, sock;

	if (netdev_run("ip link add v0 address 02:00:00:00:00:02 type veth peer name v1"))
		test_skip("no veth devices in this kernel");
	OK(netdev_up("v0"));
	OK(netdev_up("v1"));
	ours = packet_open("v0", SOCK_RAW, NET_ETH_P_TEST);
	sock = packet_open("v1", SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(ours >= 0 && sock >= 0);
	wait_for_carrier(ours, sock);
	wait_for_carrier(sock, ours);
	close(ours);
	return sock;
}

static void packet_socket(void)
{
	static const __u64 features[] = { V1 | MRG | VHOST_HDR, VHOST_HDR,
					  V1 | VHOST_HDR };
	unsigned int i;

	for (i = 0; i < N(features); i++) {
		int fd;

		if (vnet_layout() && !(features[i] & V1))
			continue;

		vnet_start(&n, &(struct vnet_conf){ .features = features[i],
						    .no_backend = true });
		close(n.sock);
		n.sock = veth();
		fd = packet_open("v0", SOCK_RAW, ETH_P_ALL);
		EXPECT(fd >= 0);
		vnet_backend(&n, fd);
		vnet_tx_check(&n, 0, 100, 60);
		vnet_rx_check(&n, 0, 100, 60);
		vnet_tx_check(&n, 0, 100, 1514);
		vnet_rx_check(&n, 0, 100, 1514);
		vnet_backend(&n, -1);
		close(fd);
		vnet_stop(&n);
		netdev_run("ip link del v0");
	}
}

/*
 * The socket's send buffer is full until the slow device has sent: by whichever CPU,
 * so packets may overtake each other on their way to us.
 */
static void packet_socket_full(void)
{
	static bool seen[1000];
	int fd, size = 30000;
	unsigned int i;
	long long seq;

	vnet_start(&n, &(struct vnet_conf){ .features = V1 | VHOST_HDR, .num = 1024,
					    .no_backend = true });
	close(n.sock);
	n.sock = veth();
	if (netdev_run("tc qdisc add dev v0 root tbf rate 8mbit burst 2k limit 1000000"))
		test_skip("no tbf in this kernel");
	fd = packet_open("v0", SOCK_RAW, ETH_P_ALL);
	EXPECT(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	vnet_backend(&n, fd);
	for (i = 0; i < 1000; i++)
		EXPECT(vnet_tx_add(&n, i, 60) >= 0);
	gring_kick(&n.ring[VMM_TX]);
	for (i = 0; i < 1000; i++) {
		seq = vnet_host_recv(&n, NULL, WAIT_MS);
		EXPECT(seq >= 0 && seq < 1000 && !seen[seq]);
		seen[seq] = true;
	}
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	if (test_ours())
		EXPECT(vmm_counter(&n.vmm, VMM_TX, "backend_full") > 0);
}

static void macvtap(void)
{
	int fd;

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	close(n.sock);
	n.sock = veth();
	fd = macvtap_open("v0", "m0");
	if (fd < 0)
		test_skip("no macvtap: %s", strerrorname_(-fd));
	OK(tap_hdr_len(fd, 12));
	/* Frames to the host's end come to the macvtap by its address. */
	OK(netdev_run("ip link set v0 address 02:00:00:00:00:03"));
	OK(netdev_run("ip link set m0 address 02:00:00:00:00:02"));
	OK(netdev_up("m0"));
	vnet_backend(&n, fd);
	vnet_tx_check(&n, 0, 100, 60);
	vnet_rx_check(&n, 0, 100, 60);
	vnet_tx_check(&n, 0, 100, 1514);
	vnet_rx_check(&n, 0, 100, 1514);
	vnet_backend(&n, -1);
	close(fd);
}

/* A tap without a header of its own: we make it up and strip it. */
static void tap_without_header(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = "plain" };
	int fd = open("/dev/net/tun", O_RDWR);

	vnet_start(&n, &(struct vnet_conf){ .features = V1 | MRG | VHOST_HDR,
					    .no_backend = true });
	/* The namespace is a new one since vnet_start(). */
	close(fd);
	fd = open("/dev/net/tun", O_RDWR);
	EXPECT(!ioctl(fd, TUNSETIFF, &ifr));
	OK(netdev_up("plain"));
	close(n.sock);
	n.sock = packet_open("plain", SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(n.sock >= 0);
	vnet_backend(&n, fd);
	vnet_tx_check(&n, 0, 100, 60);
	vnet_rx_check(&n, 0, 100, 60);
	vnet_rx_check(&n, 0, 100, 1514);
}

/* Two devices, a queue pair each, on one tap. */
static void multiqueue_tap(void)
{
	struct vnet m;
	int fd;

	vnet_start(&n, &(struct vnet_conf){ .tap_flags = IFF_MULTI_QUEUE });
	fd = tap_open(n.tap, IFF_MULTI_QUEUE);
	EXPECT(fd >= 0);
	memset(&m, 0, sizeof(m));
	m.features = VNET_FEATURES | vnet_mode();
	m.hdr_len = 12;
	m.sock = n.sock;
	OK(tap_hdr_len(fd, 12));
	OK(vmm_open(&m.vmm, NULL, 16 << 20));
	OK(vmm_set_owner(&m.vmm));
	OK(vmm_set_features(&m.vmm, m.features));
	OK(vmm_set_mem_table(&m.vmm));
	for (unsigned int vq = 0; vq < VMM_VQS; vq++) {
		OK(gring_alloc(&m.ring[vq], &m.vmm, 256, m.features, 1));
		OK(gring_attach(&m.ring[vq], &m.vmm, vq));
		m.pool[vq] = (struct vnet_pool){
			vmm_alloc(&m.vmm, 256 * 2048, 4096), 2048, 256, 0 };
	}
	vnet_backend(&m, fd);
	for (int i = 0; i < 10; i++) {
		vnet_tx_check(&n, i * 100, 100, 60);
		vnet_tx_check(&m, i * 100, 100, 60);
	}
	vnet_backend(&m, -1);
	vmm_close(&m.vmm);
	close(fd);
	vnet_rx_check(&n, 0, 100, 60);
}

/* ---- backends that come and go ------------------------------------------------------ */

static int second_tap(char name[IFNAMSIZ], int *sock)
{
	int fd = tap_open(name, 0);

	EXPECT(fd >= 0);
	OK(tap_hdr_len(fd, n.hdr_len));
	OK(netdev_up(name));
	*sock = packet_open(name, SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(*sock >= 0);
	return fd;
}

/* Each packet goes to one of the two, and only once. */
static void backend_swap_under_load(void)
{
	unsigned int sent = 0, seen = 0, i;
	char name[IFNAMSIZ] = "other", buf[2048];
	long long last[2] = { -1, -1 };
	int fd[2], sock[2];

	vnet_start(&n, NULL);
	fd[0] = n.tapfd;
	sock[0] = n.sock;
	fd[1] = second_tap(name, &sock[1]);
	for (i = 0; i < 60; i++) {
		for (int k = 0; k < 40 && vnet_tx_add(&n, sent, 60) >= 0; k++)
			sent++;
		gring_kick(&n.ring[VMM_TX]);
		OK(vmm_net_backend(&n.vmm, VMM_TX, fd[(i + 1) % 2]));
		vnet_tx_reap(&n);
	}
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	for (i = 0; i < 2; i++) {
		int len;

		while ((len = sock_recv(sock[i], buf, sizeof(buf), 0)) >= 0) {
			long long seq = frame_check(buf, len);

			if (seq <= last[i])
				test_fail("packet %lld after %lld", seq, last[i]);
			last[i] = seq;
			seen++;
		}
	}
	EXPECT_EQ(seen, sent);
	/* What is sent after the call goes to the new one. */
	for (i = 0; i < 2; i++) {
		OK(vmm_net_backend(&n.vmm, VMM_TX, fd[i]));
		vnet_tx_add(&n, sent + i, 60);
		gring_kick(&n.ring[VMM_TX]);
		EXPECT_EQ(sock_recv(sock[i], buf, sizeof(buf), WAIT_MS), 60);
		EXPECT_EQ(frame_check(buf, 60), sent + i);
	}
}

/* Packets that were taken out of the ring's tap go back into it. */
static void backend_swap_rx(void)
{
	char name[IFNAMSIZ] = "other", buf[2048];
	int other, sock, i;

	vnet_start(&n, NULL);
	other = second_tap(name, &sock);
	for (i = 0; i < 40; i++)
		vnet_host_send(&n, i, 60);
	vnet_rx_post(&n, 10);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 72);
		EXPECT_EQ(frame_check(buf + 12, 60), i);
	}
	OK(vmm_net_backend(&n.vmm, VMM_RX, other));
	frame_fill(buf, 60, 1000);
	EXPECT_EQ(send(sock, buf, 60, 0), 60);
	vnet_rx_post(&n, 1);
	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 72);
	EXPECT_EQ(frame_check(buf + 12, 60), 1000);
	OK(vmm_net_backend(&n.vmm, VMM_RX, n.tapfd));
	vnet_rx_post(&n, 40);
	for (i = 10; i < 40; i++) {
		EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 72);
		EXPECT_EQ(frame_check(buf + 12, 60), i);
	}
}

static void tap_deleted_under_load(void)
{
	char name[IFNAMSIZ] = "other";
	unsigned int i, sent = 0;
	int fd, sock;

	vnet_start(&n, NULL);
	fd = second_tap(name, &sock);
	vnet_rx_post(&n, 256);
	for (i = 0; i < 100; i++) {
		for (int k = 0; k < 40 && vnet_tx_add(&n, sent, 60) >= 0; k++)
			sent++;
		if (i < 50)
			vnet_host_send(&n, i, 60);
		gring_kick(&n.ring[VMM_TX]);
		if (i == 50)
			OK(netdev_run("ip link del %s", n.tap));
		vnet_tx_reap(&n);
	}
	/* Into nowhere, but used. In-tree forgets a batch that tun refused. */
	test_need_ours();
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	vnet_backend(&n, -1);
	close(n.tapfd);
	close(n.sock);
	n.tapfd = fd;
	n.sock = sock;
	vnet_restart(&n, VMM_RX, 0);
	vnet_restart(&n, VMM_TX, 0);
	vnet_tx_check(&n, 0, 10, 60);
	vnet_rx_check(&n, 0, 10, 60);
}

static void tap_down(void)
{
	unsigned int i;

	vnet_start(&n, &(struct vnet_conf){ .buf_size = 1 << 14 });
	for (i = 0; i < 3; i++) {
		vnet_tx_check(&n, 0, 10, 60);
		OK(netdev_down(n.tap));
		vnet_tx_add(&n, 1, 60);
		vnet_tx_add(&n, 2, 60);
		/* By itself, not in a batch: this one is refused. */
		vnet_tx_add(&n, 3, 9014);
		gring_kick(&n.ring[VMM_TX]);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
		if (test_ours())
			EXPECT_EQ(vmm_counter(&n.vmm, VMM_TX, "dropped"), i + 1);
		OK(netdev_up(n.tap));
		/* The socket was told that the device went down. */
		while (vnet_host_recv(&n, NULL, 0) != -ETIMEDOUT)
			;
	}
	vnet_rx_check(&n, 0, 10, 60);
}

/* The VMM closes its tap; the device keeps it. */
static void tap_fd_closed(void)
{
	vnet_start(&n, NULL);
	close(n.tapfd);
	vnet_tx_check(&n, 0, 10, 60);
	vnet_rx_check(&n, 0, 10, 60);
	vnet_backend(&n, -1);
	EXPECT(test_until(netdev_index(n.tap) < 0, WAIT_MS));
}

static bool stop;

/* One number, three files. */
static void *change_fd(void *arg)
{
	const int *fd = arg;
	unsigned int i;

	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++)
		dup2(fd[1 + i % 3], fd[0]);
	return NULL;
}

/*
 * What the descriptor means changes while it is looked up: a backend is what
 * it was found to be, and all of its parts are of one file.
 */
static void fd_changes(void)
{
	int fd[4], i, set = 0, sock;
	char name[IFNAMSIZ] = "other";
	pthread_t thread;

	vnet_start(&n, NULL);
	fd[0] = dup(n.tapfd);
	fd[1] = n.tapfd;
	fd[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fd[3] = packet_open(n.tap, SOCK_RAW, NET_ETH_P_TEST);
	EXPECT(fd[0] >= 0 && fd[2] >= 0 && fd[3] >= 0);
	EXPECT(!pthread_create(&thread, NULL, change_fd, fd));
	for (i = 0; i < 3000 || !set || set == i; i++) {
		int err = vmm_net_backend(&n.vmm, i & 1, fd[0]);

		if (err != -ENOTSOCK)
			OK(err);
		set += !err;
		vnet_tx_add(&n, i, 60);
		gring_kick(&n.ring[VMM_TX]);
		vnet_tx_reap(&n);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	for (i = 0; i < 4; i++)
		close(fd[i]);
	close(n.sock);
	/* No reference is left on any of them: the tap goes with the last one. */
	vnet_backend(&n, -1);
	EXPECT(test_until(netdev_index(n.tap) < 0, WAIT_MS));
	n.tapfd = second_tap(name, &sock);
	n.sock = sock;
	vnet_restart(&n, VMM_RX, 0);
	vnet_restart(&n, VMM_TX, 0);
	vnet_tx_check(&n, 0, 10, 60);
	vnet_rx_check(&n, 0, 10, 60);
}

static const struct test tests[] = {
	TEST_WITHOUT(packet_socket, TEST_EVENT_IDX),
	TEST_WITHOUT(packet_socket_full, TEST_EVENT_IDX), TEST_ONCE(macvtap),
	TEST_WITHOUT(tap_without_header, TEST_EVENT_IDX), TEST(multiqueue_tap),
	TEST(backend_swap_under_load), TEST(backend_swap_rx),
	TEST(tap_deleted_under_load), TEST_ONCE(tap_down), TEST_ONCE(tap_fd_closed),
	TEST_ONCE(fd_changes),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
