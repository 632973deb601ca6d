// SPDX-License-Identifier: GPL-2.0
/* vhost-vsock: guests that talk to each other. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>

#include "vsock.h"

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

/* Not much more waits for a guest than it would be offered room for. */
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
	for (i = 0; i < 28; i++)
		vconn_put(&near, VIRTIO_VSOCK_OP_RW, 0, buf, VSOCK_MAX);
	vconn_expect(&near, VIRTIO_VSOCK_OP_RST);
	EXPECT_EQ(tx_count("tx_credit"), 1);
	/* The other one gets what was within, and then is told. */
	vvsock_post(&w);
	do {
		vconn_next(&far, &p);
	} while (p.hdr.op == VIRTIO_VSOCK_OP_RW);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RST);
	EXPECT(far.got <= 1600 * KIB + 4096 && far.got >= 1024 * KIB);
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

/*
 * Connections that are asked for, and given up, faster than the other one looks: what
 * waits for it has a limit, and the one who asks is told.
 */
static void group_request_flood(void)
{
	unsigned int i, refused = 0, got = 0;

	two_guests(&(struct vvsock_conf){ .rx_hold = true, .rx_size = 128, .num = 1024 }, 7, 7);
	for (i = 0; i < 10000 && refused < 500; i++) {
		vconn_request(&near, &v, 10000 + i, w.cid, PORT, STREAM);
		vconn_put(&near, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
		for (; gring_pending(&v.ring[VSOCK_RX]); refused++)
			vvsock_next(&v, &p);
	}
	EXPECT(i > 1000 && i < 10000);
	vvsock_sync(&v);
	EXPECT(tx_count("tx_stray") >= 500);
	vvsock_post(&w);
	/* Now there is room again: for a last one, behind all that waits. */
	for (; got < 100; got++)
		vvsock_next(&w, &p);
	vconn_request(&near, &v, 4000, w.cid, PORT, STREAM);
	for (; p.hdr.src_port != 4000; got++)
		vvsock_next(&w, &p);
	EXPECT(got > 1000 && got < 10000);
}

/*
 * Connections that the other one refuses, asked for by one who takes no answers: what
 * waits for that one has a limit too.
 */
static void group_reset_flood(void)
{
	enum { BATCH = 32 };
	unsigned int i, refused = 0, got = 0, asked = 0;

	two_guests(&(struct vvsock_conf){ .rx_hold = true, .rx_size = 128, .num = 1024 }, 7, 7);
	while (!refused && asked < 20000) {
		for (i = 0; i < BATCH; i++)
			vconn_request(&far, &w, 10000 + asked++, v.cid, PORT, STREAM);
		vvsock_sync(&w);
		refused = vmm_counter(&w.vmm, VSOCK_TX, "tx_stray");
		for (; got < asked - refused; got++) {
			vvsock_next(&v, &p);
			near = (struct vconn){
				.v = &v, .port = PORT, .peer_cid = w.cid,
				.peer = p.hdr.src_port, .type = STREAM,
			};
			vconn_put(&near, VIRTIO_VSOCK_OP_RST, 0, NULL, 0);
		}
		vvsock_sync(&v);
	}
	EXPECT(got > 1000 && got < 10000);
	vvsock_post(&w);
	/* One for each, also for those that were refused. */
	for (i = 0; i < asked; i++)
		vvsock_next(&w, &p);
	/* It took them: now it may ask again. */
	vconn_request(&far, &w, 4000, v.cid, PORT, STREAM);
	vconn_accept(&near, &v);
	vconn_expect(&far, VIRTIO_VSOCK_OP_RESPONSE);
}

/*
 * In namespaces that have CIDs of their own, connections of the same names are not the
 * same.
 */
static void group_same_cids(void)
{
	static const char mode[] = "/proc/sys/net/vsock/child_ns_mode";
	static struct vvsock a[2], b[2];
	struct vvsock_conf conf_a = { .cid = 2000000 + getpid() };
	struct vvsock_conf conf_b = { .cid = 3000000 + getpid() };
	struct vconn from[2], to[2];
	unsigned int i;

	test_need_ours();
	if (access(mode, F_OK))
		test_skip("no namespaces of vsock");
	/* What is written here holds for the children of a namespace for ever. */
	EXPECT_EQ(unshare(CLONE_NEWNET), 0);
	OK(test_write_file(mode, "local"));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(unshare(CLONE_NEWNET), 0);
		vvsock_up(&a[i], &conf_a);
		vvsock_up(&b[i], &conf_b);
		OK(vvsock_set_group(&a[i], conf_a.cid, 7));
		OK(vvsock_set_group(&a[i], conf_b.cid, 7));
		vconn_request(&from[i], &a[i], 4000, conf_b.cid, PORT, STREAM);
		vconn_accept(&to[i], &b[i]);
		vconn_expect(&from[i], VIRTIO_VSOCK_OP_RESPONSE);
	}
	vvsock_close(&b[0]);
	vconn_expect(&from[0], VIRTIO_VSOCK_OP_RST);
	vconn_put(&from[1], VIRTIO_VSOCK_OP_RW, 0, "x", 1);
	vconn_next(&to[1], &p);
	EXPECT_EQ(p.hdr.op, VIRTIO_VSOCK_OP_RW);
	EXPECT(!vvsock_get(&a[1], &p, 20));
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

static const struct test tests[] = {
	TEST_ONCE(guests_are_listed), TEST_ONCE(group_errors), TEST_ONCE(no_group),
	TEST_ONCE(one_in_group), TEST_ONCE(other_group), TEST(same_group),
	TEST(same_group_seqpacket), TEST_ONCE(group_stray), TEST_ONCE(group_credit),
	TEST_ONCE(group_empty_packets), TEST_ONCE(group_unanswered),
	TEST_ONCE(group_share), TEST_ONCE(group_small_packets),
	TEST_ONCE(group_request_flood), TEST_ONCE(group_reset_flood),
	TEST_ONCE(group_same_cids), TEST(group_peer_closed),
	TEST_ONCE(group_peer_renamed), TEST_ONCE(group_peer_restarted),
	TEST_ONCE(group_left),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
