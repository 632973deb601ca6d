// SPDX-License-Identifier: GPL-2.0
/* vhost-vsock: packets and buffers that a guest should not send. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/mman.h>

#include "vsock.h"

static long long rx_count(const char *name)
{
	return vmm_counter(&v.vmm, VSOCK_RX, name);
}

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
BAD_PACKET(bad_op_high, "tx_op", bad_hdr.op = 0x0105)
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
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
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

static const struct test tests[] = {
	TEST(bad_len), TEST_ONCE(bad_len_huge), TEST(bad_src), TEST_ONCE(bad_src_host),
	TEST_ONCE(bad_src_high), TEST(bad_op), TEST_ONCE(bad_op_zero),
	TEST_ONCE(bad_op_high), TEST_ONCE(bad_payload_in_request),
	TEST_ONCE(bad_payload_in_update), TEST(bad_type),
	TEST_ONCE(bad_type_of_connection), TEST(bad_dst_guest),
	TEST_ONCE(bad_dst_local), TEST_ONCE(bad_dst_high), TEST_ONCE(bad_dst_itself),
	TEST(bad_flags), TEST_ONCE(bad_flags_of_shutdown), TEST(bad_short),
	TEST(bad_long), TEST(bad_writable), TEST(header_in_pieces),
	TEST(bad_rx_readable), TEST(bad_rx_small), TEST(bad_rx_tiny), TEST(data_fault),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
