// SPDX-License-Identifier: GPL-2.0
/*
 * One round of packets through a vhost-net queue, and the proof that they
 * went all the way.
 *
 * Sending: a burst is made available, the device kicked, and the driver waits
 * until all of it is used; all of that is timed.
 *
 * Receiving: a burst is queued in the tap while the ring is empty, which is not
 * timed; then the buffers are made available, and the time runs until all of
 * them are used.
 */
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_packet.h>

#include "gdrv.h"
#include "netdev.h"
#include "prof.h"
#include "vbench.h"

#define HDR_LEN		12	/* virtio-net header of VERSION_1 */
#define LIMIT_SECONDS	60	/* for a round */
#define LIMIT_YIELDS	10000000

struct net {
	const struct options *o;
	const struct bench_case *c;
	struct vmm v;
	struct gring r;
	unsigned int burst;
	unsigned int vq;
	unsigned int stride;	/* from buffer to buffer */
	char *buf;		/* one for each entry of the ring */
	char *frame;		/* what they hold, or shall hold; as many */
	__u64 buf_addr;
	char tap[IFNAMSIZ];
	int tapfd;
	int sock;		/* packet socket that sends to the guest */
	int xdp;		/* link of the XDP program, or -1 */
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int must(int ret, const char *what)
{
	if (ret < 0)
		errx(1, "%s: %s", what, strerror(-ret));
	return ret;
}

/* A counter of the tap interface. */
static uint64_t tap_counter(const struct net *n, const char *name)
{
	char path[96];
	unsigned long long value;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", n->tap, name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu", &value) != 1)
		err(1, "%s", path);
	fclose(f);
	return value;
}

/* Ends a wait that would never end: read(2) then returns EINTR. */
static void on_alarm(int sig)
{
	(void)sig;
}

static void arm_limit(unsigned int seconds)
{
	struct sigaction sa = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &sa, NULL);
	alarm(seconds);
}

/* Wait until there is a used buffer, of which @left are missing. */
static void wait_used(struct net *n, unsigned int left)
{
	eventfd_t calls;
	uint64_t tries;

	if (n->o->wait == WAIT_YIELD) {
		for (tries = 0; tries < LIMIT_YIELDS; tries++) {
			if (gring_pending(&n->r))
				return;
			sched_yield();
		}
	} else if (!gring_call_enable(&n->r) || !eventfd_read(n->r.call, &calls)) {
		return;
	}
	errx(1, "%s: %u buffers did not come back", n->c->name, left);
}

/* Take back one of @left buffers. */
static __always_inline void take(struct net *n, unsigned int left, __u32 *len, void **token)
{
	int ret;

	while ((ret = gring_get(&n->r, len, token)) < 0) {
		if (ret != -1)
			errx(1, "bad used entry: %s", n->r.error);
		wait_used(n, left);
	}
}

static void tx_burst(struct net *n, unsigned int burst)
{
	struct gseg seg = { .addr = n->buf_addr, .len = HDR_LEN + n->c->len };
	unsigned int i;
	void *token;
	__u32 len;

	for (i = 0; i < burst; i++) {
		if (gring_add(&n->r, &seg, 1, 0, NULL) < 0)
			errx(1, "ring full");
		seg.addr += n->stride;
	}
	gring_kick(&n->r);
	for (i = 0; i < burst; i++)
		take(n, burst - i, &len, &token);
}

/* What is sent arrives as it is; asked once, before anything is timed. */
static void tx_check(struct net *n)
{
	int s = must(packet_open(n->tap, SOCK_RAW, NET_ETH_P_TEST), "packet socket");
	char frame[2048];
	unsigned int i;

	tx_burst(n, n->burst);
	for (i = 0; i < n->burst; i++) {
		int len = must(sock_recv(s, frame, sizeof(frame), 2000), "packet that was sent");

		if (len != (int)n->c->len || frame_check(frame, len) != i)
			errx(1, "%s: packet %u of %u arrived damaged", n->c->name, i, n->burst);
	}
	close(s);
}

static uint64_t tx_round(struct net *n, unsigned int packets)
{
	/* XDP_DROP counts as dropped; what reaches the stack counts as received. */
	const char *counter = n->c->xdp ? "rx_dropped" : "rx_packets";
	uint64_t before = tap_counter(n, counter);
	unsigned int done;
	uint64_t ns;

	prof_start();
	ns = now();
	for (done = 0; done < packets; done += n->burst)
		tx_burst(n, n->burst);
	ns = now() - ns;
	prof_stop();
	before = tap_counter(n, counter) - before;
	if (before != done)
		errx(1, "%s: %u packets sent, %llu arrived", n->c->name, done,
		     (unsigned long long)before);
	return ns;
}

static uint64_t rx_burst(struct net *n, unsigned int burst)
{
	struct gseg seg = { .addr = n->buf_addr, .len = n->o->rx_buf };
	char *buf = n->buf;
	unsigned int i;
	uint64_t ns;

	for (i = 0; i < burst; i++) {
		if (send(n->sock, n->frame + i * n->stride, n->c->len, 0) != n->c->len)
			err(1, "send to %s", n->tap);
		memset(buf + i * n->stride, 0xff, HDR_LEN + n->c->len);
	}
	/* Whatever the device does about packets without buffers, it does now. */
	for (i = 0; i < 8; i++)
		sched_yield();

	prof_start();
	ns = now();
	for (i = 0; i < burst; i++) {
		if (gring_add(&n->r, &seg, 0, 1, buf) < 0)
			errx(1, "ring full");
		seg.addr += n->stride;
		buf += n->stride;
	}
	gring_kick(&n->r);
	buf = n->buf;
	for (i = 0; i < burst; i++) {
		void *token;
		__u32 len;

		take(n, burst - i, &len, &token);
		if (len != HDR_LEN + n->c->len || token != buf)
			errx(1, "%s: packet %u of %u: %u bytes", n->c->name, i, burst, len);
		buf += n->stride;
	}
	ns = now() - ns;
	prof_stop();

	buf = n->buf;
	for (i = 0; i < burst; i++) {
		struct virtio_net_hdr_v1 *h = (void *)buf;

		/* Without mergeable buffers in-tree leaves num_buffers alone. */
		if (h->flags || h->gso_type || (n->c->mergeable && h->num_buffers != 1))
			errx(1, "%s: flags %u, gso_type %u, num_buffers %u", n->c->name,
			     h->flags, h->gso_type, h->num_buffers);
		if (memcmp(buf + HDR_LEN, n->frame + i * n->stride, n->c->len))
			errx(1, "%s: packet %u of %u arrived damaged", n->c->name, i, burst);
		buf += n->stride;
	}
	return ns;
}

static uint64_t rx_round(struct net *n, unsigned int packets)
{
	uint64_t ns = 0;
	unsigned int done;

	for (done = 0; done < packets; done += n->burst)
		ns += rx_burst(n, n->burst);
	return ns;
}

uint64_t net_round(struct net *n, unsigned int packets)
{
	uint64_t ns;

	arm_limit(LIMIT_SECONDS);
	ns = n->c->rx ? rx_round(n, packets) : tx_round(n, packets);
	alarm(0);
	return ns;
}

static void open_tap(struct net *n)
{
	int one = 1;

	strcpy(n->tap, "bench%d");
	n->tapfd = must(tap_open(n->tap, 0), "tap");
	must(tap_hdr_len(n->tapfd, HDR_LEN), "TUNSETVNETHDRSZ");
	must(netdev_up(n->tap), n->tap);
	/* Of protocol 0: receives nothing, so it costs what the guest sends nothing. */
	n->sock = must(packet_open(n->tap, SOCK_RAW, 0), "packet socket");
	if (setsockopt(n->sock, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		err(1, "PACKET_QDISC_BYPASS");
	n->xdp = -1;
}

static void drop_all(struct net *n)
{
	int prog = must(xdp_prog_return(XDP_DROP), "BPF_PROG_LOAD");

	n->xdp = must(xdp_attach(netdev_index(n->tap), prog), "BPF_LINK_CREATE");
	close(prog);
}

static void make_buffers(struct net *n)
{
	size_t size = (size_t)n->stride * n->r.num;
	unsigned int i;

	n->buf = vmm_alloc(&n->v, size, 4096);
	n->frame = malloc(size);
	if (!n->buf || !n->frame)
		errx(1, "no memory for buffers");
	n->buf_addr = vmm_addr(&n->v, n->buf);
	memset(n->buf, 0, size);
	for (i = 0; i < n->r.num; i++) {
		frame_fill(n->frame + i * n->stride, n->c->len, i);
		memcpy(n->buf + i * n->stride + HDR_LEN, n->frame + i * n->stride, n->c->len);
	}
}

struct net *net_open(const struct options *o, const struct bench_case *c)
{
	__u64 offered, features = BIT_ULL(VIRTIO_F_VERSION_1);
	struct net *n = calloc(1, sizeof(*n));

	if (!n)
		err(1, "memory");
	n->o = o;
	n->c = c;
	n->vq = c->rx ? VMM_RX : VMM_TX;
	n->burst = c->burst ? c->burst : o->burst;
	n->stride = o->rx_buf;
	if (n->burst > o->ring)
		errx(2, "bursts of %u do not fit a ring of %u", n->burst, o->ring);
	if (o->packed)
		features |= BIT_ULL(VIRTIO_F_RING_PACKED);
	if (o->in_order)
		features |= BIT_ULL(VIRTIO_F_IN_ORDER);
	if (o->event_idx)
		features |= BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	if (c->mergeable)
		features |= BIT_ULL(VIRTIO_NET_F_MRG_RXBUF);

	open_tap(n);
	must(vmm_open(&n->v, o->node, (size_t)16 << 20), o->node);
	must(vmm_set_owner(&n->v), "SET_OWNER");
	must(vmm_get_features(&n->v, &offered), "GET_FEATURES");
	if (features & ~offered)
		errx(77, "SKIP: the device does not offer features %#llx", features & ~offered);
	must(vmm_set_features(&n->v, features), "SET_FEATURES");
	must(vmm_set_mem_table(&n->v), "SET_MEM_TABLE");
	must(gring_alloc(&n->r, &n->v, o->ring, features, 0), "ring");
	make_buffers(n);
	must(gring_attach(&n->r, &n->v, n->vq), "ring set-up");
	if (o->wait == WAIT_YIELD)
		gring_call_disable(&n->r);
	else if (fcntl(n->r.call, F_SETFL, 0))
		err(1, "call eventfd");
	must(vmm_net_backend(&n->v, n->vq, n->tapfd), "NET_SET_BACKEND");
	if (!c->rx) {
		arm_limit(LIMIT_SECONDS);
		tx_check(n);
		if (c->xdp)
			drop_all(n);
	}
	return n;
}

void net_close(struct net *n)
{
	must(vmm_net_backend(&n->v, n->vq, -1), "NET_SET_BACKEND");
	gring_free(&n->r);
	vmm_close(&n->v);
	if (n->xdp >= 0)
		close(n->xdp);
	close(n->sock);
	close(n->tapfd);
	free(n->frame);
	free(n);
}
