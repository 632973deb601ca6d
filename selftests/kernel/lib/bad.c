// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "bad.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))

static const char *const rejections[] = {
	"ring_fault", "avail_idx", "head_range", "next_range", "desc_loop",
	"too_many_segs", "zero_len", "addr_wrap", "chain_bytes",
	"write_before_read", "indirect_off", "indirect_nested",
	"indirect_next", "indirect_len", "indirect_addr", "used_overflow",
	"addr_unmapped", "data_fault", "ring_map", "log_fault", "tx_writable",
	"tx_short", "tx_hdr", "tx_frame", "rx_readable", "rx_small",
};

struct vnet n;
struct gring *r;
unsigned int vq;
int log_fd;

void bad_start(unsigned int which, const struct vnet_conf *conf)
{
	test_need_ours();
	log_fd = test_log_open();
	vnet_start(&n, conf);
	vq = which;
	r = &n.ring[vq];
}

/* Guest memory that nothing else uses, a page of its own. */
char *bad_page(void)
{
	return vmm_alloc(&n.vmm, 4096, 4096);
}

/* Write a descriptor as it comes; indices from the end, which are free. */
void bad_desc(unsigned int i, __u64 addr, __u32 len, __u16 flags, __u16 next)
{
	r->desc[i] = (struct vring_desc){ addr, len, flags, next };
}

void bad_counted_once(const char *name)
{
	unsigned int i;

	for (i = 0; i < N(rejections); i++) {
		long long val = vmm_counter(&n.vmm, vq, rejections[i]);
		long long want = !strcmp(name, rejections[i]);

		if (val != want)
			test_fail("rejected as %s: %lld times, not %lld",
				  rejections[i], val, want);
	}
}

void bad_state_is(const char *want)
{
	char state[32];

	OK(vmm_stat(&n.vmm, vq, "state", state, sizeof(state)));
	if (strcmp(state, want))
		test_fail("queue is %s, not %s", state, want);
}

void bad_add_good(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		char *buf = vnet_buf(&n, VMM_RX);
		struct gseg seg = { vnet_addr(&n, buf), 2048 };

		if (vq == VMM_TX)
			vnet_tx_add(&n, i, 60);
		else
			gring_add(r, &seg, 0, 1, buf);
	}
}

/* Packets for a receive queue: otherwise it would not look at its ring. */
static void feed(unsigned int count)
{
	unsigned int i;

	for (i = 0; vq == VMM_RX && i < count; i++)
		vnet_host_send(&n, i, 60);
}

static void got_good(unsigned int count)
{
	char buf[2048];
	unsigned int i;

	EXPECT_EQ(gring_pending(r), count);
	for (i = 0; i < count; i++) {
		if (vq == VMM_TX) {
			EXPECT_EQ(vnet_host_recv(&n, NULL, BAD_WAIT_MS), i);
		} else {
			EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), 0), 72);
			EXPECT_EQ(frame_check(buf + 12, 60), i);
		}
	}
	if (vq == VMM_TX)
		vnet_tx_reap(&n);
}

/* The queue has been given @good good chains and one that is @name. */
void bad_expect_break(const char *name, unsigned int good)
{
	unsigned int base;
	char line[64];

	EXPECT_EQ(evt_wait(r->err, BAD_WAIT_MS), 1);
	bad_counted_once(name);
	bad_state_is("broken");
	snprintf(line, sizeof(line), "vq %u: rejected: %s: ", vq, name);
	EXPECT(test_log_has(log_fd, line));
	got_good(good);

	/* Nothing more happens here, while the other queue works. */
	evt_signal(r->kick);
	if (vq == VMM_TX)
		vnet_rx_check(&n, 50, 10, 100);
	else
		vnet_tx_check(&n, 50, 10, 100);
	evt_signal(r->kick);
	EXPECT_EQ(evt_wait(r->err, 0), 0);
	bad_counted_once(name);
	EXPECT_EQ(gring_pending(r), 0);

	/* The bad chain is still in the ring. */
	OK(vmm_net_backend(&n.vmm, vq, -1));
	bad_state_is("stopped");
	OK(vmm_get_vring_base(&n.vmm, vq, &base));
	EXPECT_EQ(base, gring_base_of(r, good));
}

void bad_expect_recovery(void)
{
	char buf[2048];

	vnet_restart(&n, vq, 0);
	bad_state_is("running");
	if (vq == VMM_TX) {
		vnet_tx_check(&n, 70, 10, 100);
		return;
	}
	/* What was waiting for the queue may come first. */
	vnet_rx_post(&n, 64);
	vnet_host_send(&n, 999, 60);
	do {
		EXPECT(vnet_rx_recv(&n, buf, sizeof(buf), BAD_WAIT_MS) > 0);
	} while (frame_check(buf + 12, 60) != 999);
}

void bad_published_breaks(const char *name)
{
	feed(GOOD + 1);
	gring_kick(r);
	bad_expect_break(name, GOOD);
	bad_expect_recovery();
}

void bad_breaks(const char *name, __u16 head)
{
	gring_push(r, head);
	bad_published_breaks(name);
}

/* Add a buffer whose descriptors are as they come. Returns what gring_add() would. */
static int add_chain(const struct bad_seg *seg, unsigned int nr)
{
	struct gseg plain[16];
	__u16 at, first;
	unsigned int i;
	bool hidden;
	int id;

	EXPECT(nr <= N(plain));
	for (i = 0; i < nr; i++)
		plain[i] = (struct gseg){ seg[i].addr, seg[i].len };
	at = r->packed ? gpacked_slot(r->avail_idx) : r->free_head;
	first = at;
	hidden = r->packed && r->avail_idx == r->shown_idx;
	id = gring_add(r, plain, nr, 0, NULL);
	EXPECT(id >= 0);
	for (i = 0; i < nr; i++) {
		if (!r->packed) {
			r->desc[at].flags |= seg[i].flags;
			at = r->head[at].next;
			continue;
		}
		if (hidden && at == first)
			r->hidden |= seg[i].flags;
		else
			r->pdesc[at].flags |= seg[i].flags;
		at = (at + 1) & (r->num - 1);
	}
	return id;
}

void bad_chain_breaks(const char *name, const struct bad_seg *seg, unsigned int nr)
{
	add_chain(seg, nr);
	bad_published_breaks(name);
}

void bad_begin(unsigned int which)
{
	bad_start(which, NULL);
	bad_add_good(GOOD);
}

/* Good ones, the bad one, good ones: all are used, the bad one with 0 bytes. */
void bad_chain_spoils(const char *name, const struct bad_seg *seg, unsigned int nr)
{
	int bad = add_chain(seg, nr);
	unsigned int i;

	bad_add_good(GOOD);
	feed(2 * GOOD);
	gring_kick(r);
	EXPECT(test_until(gring_pending(r) == 2 * GOOD + 1, BAD_WAIT_MS));
	for (i = 0; i < 2 * GOOD + 1; i++) {
		void *token;
		__u32 len;
		int id = gring_get(r, &len, &token);

		if (id < 0)
			test_fail("device did: %s", r->error);
		EXPECT_EQ(id == bad, i == GOOD);
		EXPECT_EQ(len, vq == VMM_RX && id != bad ? 72 : 0);
	}
	for (i = 0; vq == VMM_TX && i < 2 * GOOD; i++)
		EXPECT_EQ(vnet_host_recv(&n, NULL, BAD_WAIT_MS), i % GOOD);
	bad_counted_once(name);
	bad_state_is("running");
	EXPECT_EQ(evt_wait(r->err, 0), 0);
	EXPECT(!test_log_has(log_fd, "rejected"));
}

void bad_one_breaks(const char *name, __u64 addr, __u32 len, __u16 flags)
{
	bad_chain_breaks(name, &(struct bad_seg){ addr, len, flags }, 1);
}

void bad_one_spoils(const char *name, __u64 addr, __u32 len, __u16 flags)
{
	bad_chain_spoils(name, &(struct bad_seg){ addr, len, flags }, 1);
}
