// SPDX-License-Identifier: GPL-2.0
/*
 * Rings as no driver should write them. A test has the name of the rejection
 * that it provokes, and a suffix if there are several ways to.
 *
 * What breaks a queue must: let the good chains before it through, count under
 * exactly its name, signal the error eventfd once, say so in the kernel log,
 * stop the queue where the bad chain is, leave the other queue alone, and be
 * forgotten when the queue is started again.
 *
 * What spoils one packet must: count, complete that chain with length 0, and
 * let all others through.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000
#define GOOD 5
#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

static const char *const rejections[] = {
	"ring_fault", "avail_idx", "head_range", "next_range", "desc_loop",
	"too_many_segs", "zero_len", "addr_wrap", "chain_bytes",
	"write_before_read", "indirect_off", "indirect_nested",
	"indirect_next", "indirect_len", "indirect_addr", "used_overflow",
	"addr_unmapped", "data_fault", "ring_map", "log_fault", "tx_writable",
	"tx_short", "tx_hdr", "tx_frame", "rx_readable", "rx_small",
};

static struct vnet n;
static struct gring *r;
static unsigned int vq;
static int log_fd;

static void start(unsigned int which, const struct vnet_conf *conf)
{
	test_need_ours();
	log_fd = test_log_open();
	vnet_start(&n, conf);
	vq = which;
	r = &n.ring[vq];
}

/* Guest memory that nothing else uses, a page of its own. */
static char *page(void)
{
	return vmm_alloc(&n.vmm, 4096, 4096);
}

/* Write a descriptor as it comes; indices from the end, which are free. */
static void desc(unsigned int i, __u64 addr, __u32 len, __u16 flags, __u16 next)
{
	r->desc[i] = (struct vring_desc){ addr, len, flags, next };
}

static void counted_once(const char *name)
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

static void state_is(const char *want)
{
	char state[32];

	OK(vmm_stat(&n.vmm, vq, "state", state, sizeof(state)));
	if (strcmp(state, want))
		test_fail("queue is %s, not %s", state, want);
}

static void add_good(unsigned int count)
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
			EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
		} else {
			EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), 0), 72);
			EXPECT_EQ(frame_check(buf + 12, 60), i);
		}
	}
	if (vq == VMM_TX)
		vnet_tx_reap(&n);
}

/* The queue has been given @good good chains and one that is @name. */
static void expect_break(const char *name, unsigned int good)
{
	unsigned int base;
	char line[64];

	EXPECT_EQ(evt_wait(r->err, WAIT_MS), 1);
	counted_once(name);
	state_is("broken");
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
	counted_once(name);
	EXPECT_EQ(gring_pending(r), 0);

	/* The bad chain is still in the ring. */
	OK(vmm_net_backend(&n.vmm, vq, -1));
	state_is("stopped");
	OK(vmm_get_vring_base(&n.vmm, vq, &base));
	EXPECT_EQ(base, good);
}

static void expect_recovery(void)
{
	char buf[2048];

	vnet_restart(&n, vq, 0);
	state_is("running");
	if (vq == VMM_TX) {
		vnet_tx_check(&n, 70, 10, 100);
		return;
	}
	/* What was waiting for the queue may come first. */
	vnet_rx_post(&n, 64);
	vnet_host_send(&n, 999, 60);
	do {
		EXPECT(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS) > 0);
	} while (frame_check(buf + 12, 60) != 999);
}

/* The usual case: good chains and one bad head, published at once. */
static void breaks(const char *name, __u16 head)
{
	gring_push(r, head);
	feed(GOOD + 1);
	gring_kick(r);
	expect_break(name, GOOD);
	expect_recovery();
}

static void begin(unsigned int which)
{
	start(which, NULL);
	add_good(GOOD);
}

/* ---- the available ring ---------------------------------------------------- */

static void avail_idx(void)
{
	start(VMM_TX, NULL);
	r->avail_idx += 257;
	gring_kick(r);
	expect_break("avail_idx", 0);
	expect_recovery();
}

static void avail_idx_backwards(void)
{
	start(VMM_TX, NULL);
	vnet_tx_check(&n, 0, 10, 60);
	r->avail->idx = 9;
	evt_signal(r->kick);
	EXPECT_EQ(evt_wait(r->err, WAIT_MS), 1);
	counted_once("avail_idx");
	expect_recovery();
}

static void head_range(void)
{
	begin(VMM_TX);
	breaks("head_range", 256);
}

static void head_range_rx(void)
{
	begin(VMM_RX);
	breaks("head_range", 65535);
}

/* ---- descriptors ------------------------------------------------------------- */

static void next_range(void)
{
	begin(VMM_TX);
	desc(200, vnet_addr(&n, page()), 100, NEXT, 256);
	breaks("next_range", 200);
}

static void next_range_rx(void)
{
	begin(VMM_RX);
	desc(200, vnet_addr(&n, page()), 100, NEXT | WRITE, 65535);
	breaks("next_range", 200);
}

static void desc_loop(void)
{
	begin(VMM_TX);
	desc(200, vnet_addr(&n, page()), 10, NEXT, 201);
	desc(201, vnet_addr(&n, page()), 10, NEXT, 200);
	breaks("desc_loop", 200);
}

static void desc_loop_self(void)
{
	begin(VMM_RX);
	desc(200, vnet_addr(&n, page()), 10, NEXT | WRITE, 200);
	breaks("desc_loop", 200);
}

/* Entries of a table, as many as asked for, one byte each. */
static void fill_table(struct vring_desc *t, unsigned int nr, __u16 flags)
{
	unsigned int i;
	__u64 addr = vnet_addr(&n, page());

	for (i = 0; i < nr; i++)
		t[i] = (struct vring_desc){ addr + i, 1,
			flags | (i + 1 < nr ? NEXT : 0), i + 1 };
}

static void too_many_segs(void)
{
	unsigned int i;

	start(VMM_TX, &(struct vnet_conf){ .num = 2048 });
	add_good(GOOD);
	for (i = 0; i < 1025; i++)
		desc(1000 + i, vnet_addr(&n, n.pool[VMM_TX].base) + i, 1,
		     i < 1024 ? NEXT : 0, 1001 + i);
	breaks("too_many_segs", 1000);
}

static void too_many_segs_indirect(void)
{
	start(VMM_TX, &(struct vnet_conf){ .table_len = 1024, .mem = 32 << 20 });
	add_good(GOOD);
	fill_table(r->table, 1024, 0);
	desc(200, vnet_addr(&n, page()), 12, NEXT, 201);
	desc(201, r->table_addr, 1024 * 16, INDIRECT, 0);
	breaks("too_many_segs", 200);
}

static void zero_len(void)
{
	begin(VMM_TX);
	desc(200, vnet_addr(&n, page()), 0, 0, 0);
	breaks("zero_len", 200);
}

static void zero_len_middle(void)
{
	begin(VMM_TX);
	desc(200, vnet_addr(&n, page()), 12, NEXT, 201);
	desc(201, vnet_addr(&n, page()), 0, NEXT, 202);
	desc(202, vnet_addr(&n, page()), 60, 0, 0);
	breaks("zero_len", 200);
}

static void zero_len_rx(void)
{
	begin(VMM_RX);
	desc(200, vnet_addr(&n, page()), 0, WRITE, 0);
	breaks("zero_len", 200);
}

static void addr_wrap(void)
{
	begin(VMM_TX);
	desc(200, -50ULL, 100, 0, 0);
	breaks("addr_wrap", 200);
}

static void addr_wrap_rx(void)
{
	begin(VMM_RX);
	desc(200, ~0ULL, 2, WRITE, 0);
	breaks("addr_wrap", 200);
}

static void chain_bytes(void)
{
	begin(VMM_TX);
	desc(200, VMM_GPA, ~0u, NEXT, 201);
	desc(201, VMM_GPA, 1, 0, 0);
	breaks("chain_bytes", 200);
}

static void chain_bytes_rx(void)
{
	begin(VMM_RX);
	desc(200, VMM_GPA, 1u << 31, NEXT | WRITE, 201);
	desc(201, VMM_GPA, 1u << 31, WRITE, 0);
	breaks("chain_bytes", 200);
}

static void write_before_read(void)
{
	begin(VMM_TX);
	desc(200, vnet_addr(&n, page()), 100, NEXT | WRITE, 201);
	desc(201, vnet_addr(&n, page()), 100, 0, 0);
	breaks("write_before_read", 200);
}

/* ---- indirect tables ------------------------------------------------------------ */

static void indirect_off(void)
{
	start(VMM_TX, &(struct vnet_conf){
		.features = VNET_FEATURES & ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) });
	add_good(GOOD);
	fill_table(r->table, 16, 0);
	desc(200, r->table_addr, 256, INDIRECT, 0);
	breaks("indirect_off", 200);
}

static void indirect_nested(void)
{
	begin(VMM_TX);
	fill_table(r->table, 16, 0);
	r->table[3] = (struct vring_desc){ r->table_addr, 256, INDIRECT, 0 };
	desc(200, r->table_addr, 256, INDIRECT, 0);
	breaks("indirect_nested", 200);
}

static void indirect_next(void)
{
	begin(VMM_TX);
	fill_table(r->table, 16, 0);
	desc(200, r->table_addr, 256, INDIRECT | NEXT, 201);
	desc(201, vnet_addr(&n, page()), 100, 0, 0);
	breaks("indirect_next", 200);
}

static void bad_indirect_len(__u32 len)
{
	begin(VMM_TX);
	fill_table(r->table, 16, 0);
	desc(200, r->table_addr, len, INDIRECT, 0);
	breaks("indirect_len", 200);
}

static void indirect_len_0(void)
{
	bad_indirect_len(0);
}

static void indirect_len_not_16(void)
{
	bad_indirect_len(33);
}

static void indirect_len_too_long(void)
{
	bad_indirect_len(1025 * 16);
}

static void indirect_len_max(void)
{
	bad_indirect_len(0xfffffff0);
}

static void indirect_addr(void)
{
	begin(VMM_TX);
	desc(200, VMM_GPA - 4096, 256, INDIRECT, 0);
	breaks("indirect_addr", 200);
}

/* The table begins in guest memory and ends beyond. */
static void indirect_addr_end(void)
{
	begin(VMM_TX);
	desc(200, VMM_GPA + (16 << 20) - 64, 256, INDIRECT, 0);
	breaks("indirect_addr", 200);
}

static void next_range_indirect(void)
{
	begin(VMM_TX);
	fill_table(r->table, 16, 0);
	r->table[3].next = 16;
	desc(200, r->table_addr, 256, INDIRECT, 0);
	breaks("next_range", 200);
}

static void desc_loop_indirect(void)
{
	begin(VMM_TX);
	fill_table(r->table, 16, 0);
	r->table[3].next = 2;
	desc(200, r->table_addr, 256, INDIRECT, 0);
	breaks("desc_loop", 200);
}

static void zero_len_indirect(void)
{
	begin(VMM_RX);
	fill_table(r->table, 16, WRITE);
	r->table[7].len = 0;
	desc(200, r->table_addr, 256, INDIRECT, 0);
	breaks("zero_len", 200);
}

static void addr_wrap_indirect_table(void)
{
	begin(VMM_TX);
	desc(200, -128ULL, 256, INDIRECT, 0);
	breaks("addr_wrap", 200);
}

/* ---- memory ------------------------------------------------------------------------ */

static void addr_unmapped(void)
{
	begin(VMM_TX);
	desc(200, VMM_GPA - 4096, 100, 0, 0);
	breaks("addr_unmapped", 200);
}

static void addr_unmapped_end(void)
{
	begin(VMM_TX);
	desc(200, VMM_GPA + (16 << 20) - 50, 100, 0, 0);
	breaks("addr_unmapped", 200);
}

/* A user address of ours is not a guest address. */
static void addr_unmapped_user(void)
{
	begin(VMM_TX);
	desc(200, (uintptr_t)page(), 100, 0, 0);
	breaks("addr_unmapped", 200);
}

static void addr_unmapped_rx(void)
{
	begin(VMM_RX);
	desc(200, 0, 2048, WRITE, 0);
	breaks("addr_unmapped", 200);
}

static void data_fault(void)
{
	char *p;

	begin(VMM_TX);
	p = page();
	OK(mprotect(p, 4096, PROT_NONE));
	desc(200, vnet_addr(&n, p), 100, 0, 0);
	breaks("data_fault", 200);
}

/* A large one goes another way: not copied, but mapped. */
static void data_fault_large(void)
{
	char *p;

	begin(VMM_TX);
	p = vmm_alloc(&n.vmm, 65536, 4096);
	OK(mprotect(p + 32768, 4096, PROT_NONE));
	desc(200, vnet_addr(&n, p), 60000, 0, 0);
	breaks("data_fault", 200);
}

static void data_fault_rx(void)
{
	char *p;

	begin(VMM_RX);
	p = page();
	OK(mprotect(p, 4096, PROT_NONE));
	desc(200, vnet_addr(&n, p), 2048, WRITE, 0);
	breaks("data_fault", 200);
}

static void ring_fault_part(void *part)
{
	vnet_tx_check(&n, 0, GOOD, 60);
	add_good(1);
	gring_publish(r);
	OK(mprotect(part, 4096, PROT_NONE));
	evt_signal(r->kick);
	EXPECT_EQ(evt_wait(r->err, WAIT_MS), 1);
	counted_once("ring_fault");
	state_is("broken");
	EXPECT(test_log_has(log_fd, "vq 1: rejected: ring_fault: "));
	evt_signal(r->kick);
	vnet_rx_check(&n, 50, 10, 100);
	EXPECT_EQ(evt_wait(r->err, 0), 0);
	counted_once("ring_fault");
	OK(mprotect(part, 4096, PROT_READ | PROT_WRITE));
	/* With the used ring out of reach the packet is sent, but not used. */
	while (vnet_host_recv(&n, NULL, 0) >= 0)
		;
	expect_recovery();
}

static void ring_fault_desc(void)
{
	start(VMM_TX, NULL);
	ring_fault_part(r->desc);
}

static void ring_fault_avail(void)
{
	start(VMM_TX, NULL);
	ring_fault_part(r->avail);
}

static void ring_fault_used(void)
{
	start(VMM_TX, NULL);
	ring_fault_part(r->used);
}

static void ring_fault_indirect_table(void)
{
	char *p;

	begin(VMM_TX);
	p = page();
	OK(mprotect(p, 4096, PROT_NONE));
	desc(200, vnet_addr(&n, p), 256, INDIRECT, 0);
	breaks("ring_fault", 200);
}

/* A page of the ring in two pieces: no field may cross, so neither may it. */
static void ring_map(void)
{
	const __u64 first = VMM_GPA + VNET_IOVA, end = first + (16 << 20);
	__u64 iova;

	start(VMM_TX, &(struct vnet_conf){ .iommu = true, .no_backend = true });
	iova = vnet_addr(&n, r->desc);
	/* The one mapping of everything goes, and returns without this page. */
	OK(vmm_iotlb_update(&n.vmm, iova, 2048, r->desc, VHOST_ACCESS_RW));
	OK(vmm_iotlb_update(&n.vmm, iova + 2048, 2048, page(), VHOST_ACCESS_RW));
	if (iova > first)
		OK(vmm_iotlb_update(&n.vmm, first, iova - first,
				    n.vmm.region[0].hva, VHOST_ACCESS_RW));
	OK(vmm_iotlb_update(&n.vmm, iova + 4096, end - iova - 4096,
			    (char *)r->desc + 4096, VHOST_ACCESS_RW));
	vnet_backend(&n, n.tapfd);
	evt_signal(r->kick);
	expect_break("ring_map", 0);
	OK(vmm_iotlb_map_all(&n.vmm));
	expect_recovery();
}

#define LOG_SIZE ((VMM_GPA + (64 << 20)) / 4096 / 8)

static void log_fault(void)
{
	char *log = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	start(VMM_RX, NULL);
	OK(vmm_log_base(&n.vmm, log));
	OK(vmm_set_features(&n.vmm, n.features | BIT_ULL(VHOST_F_LOG_ALL)));
	OK(munmap(log, LOG_SIZE));
	vnet_rx_post(&n, 5);
	vnet_host_send(&n, 0, 60);
	expect_break("log_fault", 0);
	OK(vmm_set_features(&n.vmm, n.features));
	expect_recovery();
}

static void log_fault_used(void)
{
	char *log = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	start(VMM_TX, NULL);
	OK(vmm_log_base(&n.vmm, log));
	OK(vmm_set_features(&n.vmm, n.features | BIT_ULL(VHOST_F_LOG_ALL)));
	OK(gring_set_addr(r, &n.vmm, VMM_TX, BIT_ULL(VHOST_VRING_F_LOG),
			  vmm_gpa(&n.vmm, r->used)));
	OK(munmap(log, LOG_SIZE));
	vnet_tx_add(&n, 0, 60);
	gring_kick(r);
	EXPECT_EQ(evt_wait(r->err, WAIT_MS), 1);
	counted_once("log_fault");
	state_is("broken");
	OK(vmm_set_features(&n.vmm, n.features));
}

/* ---- packets ------------------------------------------------------------------------- */

/* Good ones, the bad head, good ones: all are used, the bad one with 0 bytes. */
static void spoils_packet(const char *name, __u16 head)
{
	unsigned int i;

	gring_push(r, head);
	add_good(GOOD);
	feed(2 * GOOD);
	gring_kick(r);
	EXPECT(test_until(gring_pending(r) == 2 * GOOD + 1, WAIT_MS));
	for (i = 0; i < 2 * GOOD + 1; i++) {
		const struct vring_used_elem *e = &r->used->ring[i];

		if (i == GOOD) {
			EXPECT_EQ(e->id, head);
			EXPECT_EQ(e->len, 0);
		} else if (vq == VMM_RX) {
			EXPECT_EQ(e->len, 72);
		}
	}
	for (i = 0; vq == VMM_TX && i < 2 * GOOD; i++)
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i % GOOD);
	counted_once(name);
	state_is("running");
	EXPECT_EQ(evt_wait(r->err, 0), 0);
	EXPECT(!test_log_has(log_fd, "rejected"));
}

static void tx_writable(void)
{
	begin(VMM_TX);
	desc(200, vnet_addr(&n, page()), 72, WRITE, 0);
	spoils_packet("tx_writable", 200);
}

static void tx_writable_tail(void)
{
	begin(VMM_TX);
	desc(200, vnet_addr(&n, page()), 72, NEXT, 201);
	desc(201, vnet_addr(&n, page()), 72, WRITE, 0);
	spoils_packet("tx_writable", 200);
}

static void tx_short(void)
{
	begin(VMM_TX);
	desc(200, vnet_addr(&n, page()), 11, 0, 0);
	spoils_packet("tx_short", 200);
}

static void tx_short_legacy(void)
{
	start(VMM_TX, &(struct vnet_conf){ .legacy = true });
	add_good(GOOD);
	desc(200, vnet_addr(&n, page()), 9, 0, 0);
	spoils_packet("tx_short", 200);
}

/* A header and nothing else, and one byte short of an Ethernet header. */
static void tx_frame_empty(void)
{
	begin(VMM_TX);
	desc(200, vnet_addr(&n, page()), 12, 0, 0);
	spoils_packet("tx_frame", 200);
}

static void tx_frame_13(void)
{
	begin(VMM_TX);
	desc(200, vnet_addr(&n, page()), 12 + 13, 0, 0);
	spoils_packet("tx_frame", 200);
}

static void bad_header(const struct virtio_net_hdr *h, unsigned int len)
{
	char *p;

	begin(VMM_TX);
	p = vmm_alloc(&n.vmm, 65536, 4096);
	memcpy(p, h, sizeof(*h));
	frame_fill(p + 12, len, 99);
	desc(200, vnet_addr(&n, p), 12 + len, 0, 0);
	spoils_packet("tx_hdr", 200);
}

static void tx_hdr_csum_start(void)
{
	bad_header(&(struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 65535 }, 60);
}

static void tx_hdr_csum_offset(void)
{
	bad_header(&(struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34,
		.csum_offset = 60 - 34 - 1 }, 60);
}

static void rx_readable(void)
{
	begin(VMM_RX);
	desc(200, vnet_addr(&n, page()), 2048, 0, 0);
	spoils_packet("rx_readable", 200);
}

static void rx_readable_head(void)
{
	begin(VMM_RX);
	desc(200, vnet_addr(&n, page()), 20, NEXT, 201);
	desc(201, vnet_addr(&n, page()), 2048, WRITE, 0);
	spoils_packet("rx_readable", 200);
}

/* One buffer a packet, and it is too small for this one: the packet goes. */
static void rx_small(void)
{
	struct gseg seg;
	char buf[2048];

	start(VMM_RX, &(struct vnet_conf){ .features = BIT_ULL(VIRTIO_F_VERSION_1) });
	seg = (struct gseg){ vnet_addr(&n, page()), 200 };
	EXPECT(gring_add(r, &seg, 0, 1, page()) >= 0);
	vnet_host_send(&n, 1, 500);
	vnet_host_send(&n, 2, 60);
	gring_kick(r);
	vnet_rx_post(&n, 5);
	vnet_host_send(&n, 3, 500);
	/* Whether the small buffer is used for the next packet, or given back
	 * empty, is the device's choice; the others must arrive. */
	EXPECT(test_until(gring_pending(r) >= 2, WAIT_MS));
	while (vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS) != 512)
		;
	EXPECT_EQ(frame_check(buf + 12, 500), 3);
	counted_once("rx_small");
	state_is("running");
	EXPECT_EQ(evt_wait(r->err, 0), 0);
}

/* ---- what is no chain at all ------------------------------------------------------------ */

/* A flood of chains that each are rejected: the other queue gets its turns. */
static void flood_of_short_packets(void)
{
	unsigned int i;

	start(VMM_TX, NULL);
	desc(200, vnet_addr(&n, page()), 1, 0, 0);
	for (i = 0; i < 256; i++)
		r->avail->ring[i] = 200;
	for (i = 0; i < 40; i++) {
		r->avail_idx = r->used->idx + 256;
		gring_kick(r);
		evt_signal(r->kick);
		vnet_rx_check(&n, i, 1, 60);
	}
	EXPECT(test_until(*(volatile __u16 *)&r->used->idx == r->avail_idx, WAIT_MS));
	EXPECT_EQ(vmm_counter(&n.vmm, VMM_TX, "tx_short"),
		  vmm_counter(&n.vmm, VMM_TX, "chains"));
	state_is("running");
}

/* Both queues broken at once: two names, each on its own. */
static void both_queues(void)
{
	struct gring *tx, *rx;

	start(VMM_TX, NULL);
	tx = &n.ring[VMM_TX];
	rx = &n.ring[VMM_RX];
	gring_push(tx, 256);
	gring_kick(tx);
	rx->avail_idx += 300;
	gring_kick(rx);
	vnet_host_send(&n, 0, 60);
	EXPECT_EQ(evt_wait(tx->err, WAIT_MS), 1);
	EXPECT_EQ(evt_wait(rx->err, WAIT_MS), 1);
	counted_once("head_range");
	vq = VMM_RX;
	counted_once("avail_idx");
}

static const struct test tests[] = {
	TEST(avail_idx), TEST(avail_idx_backwards),
	TEST(head_range), TEST(head_range_rx),
	TEST(next_range), TEST(next_range_rx), TEST(next_range_indirect),
	TEST(desc_loop), TEST(desc_loop_self), TEST(desc_loop_indirect),
	TEST(too_many_segs), TEST(too_many_segs_indirect),
	TEST(zero_len), TEST(zero_len_middle), TEST(zero_len_rx),
	TEST(zero_len_indirect),
	TEST(addr_wrap), TEST(addr_wrap_rx), TEST(addr_wrap_indirect_table),
	TEST(chain_bytes), TEST(chain_bytes_rx),
	TEST(write_before_read),
	TEST(indirect_off), TEST(indirect_nested), TEST(indirect_next),
	TEST(indirect_len_0), TEST(indirect_len_not_16),
	TEST(indirect_len_too_long), TEST(indirect_len_max),
	TEST(indirect_addr), TEST(indirect_addr_end),
	TEST(addr_unmapped), TEST(addr_unmapped_end), TEST(addr_unmapped_user),
	TEST(addr_unmapped_rx),
	TEST(data_fault), TEST(data_fault_large), TEST(data_fault_rx),
	TEST(ring_fault_desc), TEST(ring_fault_avail), TEST(ring_fault_used),
	TEST(ring_fault_indirect_table),
	TEST(ring_map),
	TEST(log_fault), TEST(log_fault_used),
	TEST(tx_writable), TEST(tx_writable_tail),
	TEST(tx_short), TEST(tx_short_legacy),
	TEST(tx_frame_empty), TEST(tx_frame_13),
	TEST(tx_hdr_csum_start), TEST(tx_hdr_csum_offset),
	TEST(rx_readable), TEST(rx_readable_head),
	TEST(rx_small),
	TEST(flood_of_short_packets), TEST(both_queues),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
