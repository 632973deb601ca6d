// SPDX-License-Identifier: GPL-2.0
/*
 * What data between a host's socket and a guest costs: drives /dev/vhost-vsock
 * as a guest driver and a VMM, and the host's end of a connection, in one process.
 * Where the clock counts instructions (run.sh) its nanoseconds are such.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "prof.h"
#include "test.h"
#include "vvsock.h"

#define RX_SIZE		4096
#define RING		128
#define ROUNDS		5
#define PORT		5000
#define LIMIT_SECONDS	120
#define KIB		1024u
/* The host's socket may have so much on its way: credit is given for half of it. */
#define ALLOC		(256 * KIB)
/* What is one turn at most in share(): a receive buffer, and the device's quantum. */
#define TURN		RX_SIZE

struct bench_case {
	const char *name;
	const char *title;
	void (*run)(const struct bench_case *c);	/* one round */
	unsigned int size;	/* of a message */
	unsigned int burst;	/* messages at once */
	unsigned int nr;	/* of bursts in a round */
	unsigned int units;	/* of what is counted, in a burst */
};

static struct vvsock v;
static struct vconn conn;
static int fd;		/* the host's end */
static char buf[VSOCK_MAX];
static struct vconn small;	/* a second connection, for share() */
static int small_fd = -1;
static double spent;
static uint64_t began;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void start(void)
{
	prof_start();
	began = now();
}

static void stop(void)
{
	spent += now() - began;
	prof_stop();
}

/* Wait, asleep, until something is used. */
static void wait_used(struct gring *r)
{
	uint64_t n;

	while (!gring_pending(r)) {
		if (gring_call_enable(r) && read(r->call, &n, 8) != 8)
			err(1, "call eventfd");
	}
	gring_call_disable(r);
}

/* One packet of the connection, whose data is in its buffer already. */
static void put(unsigned int slot, __u16 op, unsigned int len)
{
	char *at = v.tx + (size_t)slot * (VSOCK_HDR + VSOCK_MAX);
	struct virtio_vsock_hdr *hdr = (void *)at;
	struct gseg seg = { vmm_addr(&v.vmm, at), VSOCK_HDR + len };

	*hdr = vvsock_hdr(&v, conn.port, conn.peer, conn.type, op);
	hdr->len = len;
	hdr->buf_alloc = ALLOC;
	hdr->fwd_cnt = conn.fwd;
	gring_add(&v.ring[VSOCK_TX], &seg, 1, 0, NULL);
}

static void reap(void)
{
	void *token;
	__u32 len;

	while (gring_get(&v.ring[VSOCK_TX], &len, &token) >= 0)
		;
}

/* Take packets until @len bytes of data came, and give the buffers back. */
static void drain(unsigned int len)
{
	struct gring *r = &v.ring[VSOCK_RX];
	void *token;
	__u32 used;

	while (len) {
		unsigned int n = 0;

		wait_used(r);
		while (gring_get(r, &used, &token) >= 0) {
			struct gseg seg = { vmm_addr(&v.vmm, token), RX_SIZE };
			struct virtio_vsock_hdr *hdr = token;

			if (hdr->op == VIRTIO_VSOCK_OP_RW) {
				if (hdr->len > len)
					errx(1, "more data than was sent");
				len -= hdr->len;
				conn.got += hdr->len;
			}
			gring_add(r, &seg, 0, 1, token);
			n++;
		}
		if (n)
			gring_kick(r);
	}
	if (conn.got - conn.fwd >= ALLOC / 2) {
		conn.fwd = conn.got;
		reap();
		put(0, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
		gring_kick(&v.ring[VSOCK_TX]);
	}
}

static void to_guest(const struct bench_case *c)
{
	unsigned int i, k;

	for (i = 0; i < c->nr; i++) {
		start();
		for (k = 0; k < c->burst; k++)
			if (write(fd, buf, c->size) != c->size)
				err(1, "write");
		drain(c->burst * c->size);
		stop();
	}
}

static void to_host(const struct bench_case *c)
{
	unsigned int i, k, left;

	for (i = 0; i < c->nr; i++) {
		start();
		for (k = 0; k < c->burst; k++)
			put(k, VIRTIO_VSOCK_OP_RW, c->size);
		gring_kick(&v.ring[VSOCK_TX]);
		for (left = c->burst * c->size; left;) {
			ssize_t n = read(fd, buf, left < sizeof(buf) ? left : sizeof(buf));

			if (n <= 0)
				err(1, "read");
			left -= n;
		}
		reap();
		stop();
		/* What the host says of credit is taken out of the clock's sight. */
		while (gring_pending(&v.ring[VSOCK_RX])) {
			void *token;
			__u32 used;

			gring_get(&v.ring[VSOCK_RX], &used, &token);
			vvsock_post_some(&v, 1);
		}
	}
}

static void connections(const struct bench_case *c)
{
	unsigned int i;

	for (i = 0; i < c->nr; i++) {
		struct vconn one;
		int s;

		start();
		s = hsock_connect(SOCK_STREAM | SOCK_NONBLOCK, v.cid, 10000 + i % 1000);
		if (s < 0)
			errx(1, "connect");
		vconn_accept(&one, &v);
		vvsock_sync(&v);
		close(s);
		vconn_expect(&one, VIRTIO_VSOCK_OP_SHUTDOWN);
		vconn_put(&one, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
		vvsock_sync(&v);
		stop();
	}
}

/* ---- turns ------------------------------------------------------------------------ */

/* Turns that went by, of the small connection and of both. */
struct turns {
	unsigned int small;
	unsigned int all;
	unsigned int left;	/* in the present turn, in bytes */
	bool was_small;
};

static void count(struct turns *t, bool is_small, unsigned int used)
{
	if (!t->all || is_small != t->was_small || used > t->left) {
		t->all++;
		t->small += is_small;
		t->left = TURN;
		t->was_small = is_small;
	}
	t->left -= used;
}

/* Take the next buffer; of data it is counted. Return: whether it was the small one's. */
static bool take(struct turns *t)
{
	struct gring *r = &v.ring[VSOCK_RX];
	struct virtio_vsock_hdr *hdr;
	struct vconn *c;
	void *token;
	__u32 used;

	wait_used(r);
	if (gring_get(r, &used, &token) < 0)
		errx(1, "receive ring: %s", r->error ? r->error : "nothing");
	hdr = token;
	if (hdr->op != VIRTIO_VSOCK_OP_RW)
		return false;
	c = hdr->dst_port == small.port ? &small : &conn;
	c->got += hdr->len;
	if (t)
		count(t, c == &small, used);
	return c == &small;
}

/* Take the buffers that the device has: then what is sent waits for more. */
static void take_posted(struct turns *t)
{
	while (v.ring[VSOCK_RX].nr_free < RING)
		take(t);
}

static void tell_credit(struct vconn *c)
{
	c->fwd = c->got;
	vconn_put(c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
}

/* Messages, as long as there is credit. Return: bytes. */
static unsigned int write_some(int to, unsigned int size, unsigned int most)
{
	unsigned int sum = 0;
	ssize_t n;

	while (most--) {
		n = send(to, buf, size, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			err(1, "send");
		sum += n;
	}
	return sum;
}

/* The small connection, and a device that has hardly any buffers. */
static void share_begin(void)
{
	small_fd = hsock_pair(&v, &small, SOCK_STREAM, PORT + 1);
	small.alloc = ALLOC;
	vvsock_sync(&v);
	while (v.ring[VSOCK_RX].nr_free < RING - 8) {
		write_some(fd, KIB, 1);
		take(NULL);
	}
}

/*
 * One socket has filled its credit in writes of 64 KiB, the other one writes
 * messages behind it: whose turns are they while it has something to send? In
 * percent, and no matter how long they take.
 */
static void share(const struct bench_case *c)
{
	unsigned int i, bulk, until, end;

	if (small_fd < 0)
		share_begin();
	for (i = 0; i < c->nr; i++) {
		struct turns t = {};

		tell_credit(&conn);
		tell_credit(&small);
		vvsock_sync(&v);
		/* The device has 8 buffers, which the bulk is more than enough for. */
		bulk = write_some(fd, 64 * KIB, ~0u);
		end = conn.got + bulk;
		if (bulk < ALLOC / 2)
			errx(1, "no credit");
		take_posted(NULL);
		until = small.got + c->burst * c->size;
		if (write_some(small_fd, c->size, c->burst) != c->burst * c->size)
			errx(1, "no credit");
		while (small.got != until) {
			vvsock_post_some(&v, 1);
			take(&t);
		}
		spent += 100.0 * t.small / t.all;
		while (conn.got != end) {
			vvsock_post_some(&v, 1);
			take(NULL);
		}
		vvsock_post_some(&v, 8);
	}
}

static const struct bench_case cases[] = {
	{ "vs-rx64k", "host to guest, 64 KiB writes, per KiB", to_guest, 64 * KIB, 1, 100, 64 },
	{ "vs-rx4k", "host to guest, 4 KiB writes, per KiB", to_guest, 4 * KIB, 16, 100, 64 },
	{ "vs-tx64k", "guest to host, 64 KiB, per KiB", to_host, 64 * KIB, 1, 100, 64 },
	{ "vs-tx4k", "guest to host, 4 KiB, one a kick, per KiB", to_host, 4 * KIB, 1, 500, 4 },
	{ "vs-rx64", "host to guest, 64 B messages", to_guest, 64, 64, 50, 64 },
	{ "vs-tx64", "guest to host, 64 B messages, 8 a kick", to_host, 64, 8, 200, 8 },
	{ "vs-conn", "connect and close", connections, 0, 1, 200, 1 },
	{ "vs-share", "a small-packet socket's turns beside a bulk one, percent", share,
	  64, 128, 10, 1 },
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void open_guest(void)
{
	vvsock_up(&v, &(struct vvsock_conf){
		.cid = 100, .num = RING, .rx_size = RX_SIZE,
		.without = BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC),
	});
	if (fcntl(v.ring[VSOCK_RX].call, F_SETFL, 0))
		err(1, "call eventfd");
	fd = hsock_pair(&v, &conn, SOCK_STREAM, PORT);
	if (fcntl(fd, F_SETFL, 0))
		err(1, "socket");
	vvsock_sync(&v);
	gring_call_disable(&v.ring[VSOCK_TX]);
	conn.alloc = ALLOC;
	memset(buf, 0x55, sizeof(buf));
	memset(v.tx, 0, RING * (VSOCK_HDR + VSOCK_MAX));
	memset(v.rx, 0, RING * RX_SIZE);
}

static void run(const struct bench_case *c, const char *mode, bool exact, unsigned int profile)
{
	unsigned int i, units = c->nr * c->units;
	double cost[ROUNDS];

	open_guest();
	/* One round for page faults, slab caches and static keys. */
	c->run(c);
	for (i = 0; i < ROUNDS; i++) {
		spent = 0;
		c->run(c);
		cost[i] = spent / units;
	}
	qsort(cost, ROUNDS, sizeof(*cost), by_value);
	printf("%-12s %-16s %9.1f %9.1f %9.1f  %s\n", c->name, mode, cost[ROUNDS / 2],
	       cost[0], cost[ROUNDS - 1], c->title);
	fflush(stdout);
	if (profile) {
		prof_open();
		for (i = 0; i < ROUNDS; i++)
			c->run(c);
		prof_report(cost[ROUNDS / 2], profile);
		prof_reset();
		prof_close();
	}
	if (exact) {
		prof_mark(true);
		for (i = 0; i < ROUNDS; i++)
			c->run(c);
		prof_mark(false);
		printf("exact %u\n", ROUNDS * units);
	}
	fflush(stdout);
	close(fd);
	if (small_fd >= 0)
		close(small_fd);
	small_fd = -1;
	vvsock_close(&v);
}

static unsigned int parse_mode(const char *text)
{
	return (strstr(text, "packed") ? TEST_PACKED : 0) |
	       (strstr(text, "in-order") ? TEST_IN_ORDER : 0) |
	       (strstr(text, "event-idx") ? TEST_EVENT_IDX : 0);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "profile", optional_argument, NULL, 'P' },
		{ "exact", no_argument, NULL, 'X' },
		{ }
	};
	const char *mode = "split";
	unsigned int profile = 0;
	bool exact = false, found;
	size_t i;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'm':
			mode = optarg;
			break;
		case 'P':
			profile = optarg ? strtoul(optarg, NULL, 0) : 40;
			break;
		case 'X':
			exact = true;
			break;
		default:
			errx(2, "vsockbench [--mode MODE] [--profile[=N]] [--exact] [case...]");
		}
	}
	test_mode = parse_mode(mode);
	alarm(LIMIT_SECONDS);
	for (i = 0; i < NR_CASES; i++) {
		found = optind == argc;
		for (c = optind; c < argc; c++)
			found |= !strcmp(argv[c], cases[i].name);
		if (found)
			run(&cases[i], mode, exact, profile);
	}
	return 0;
}
