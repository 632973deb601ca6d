// SPDX-License-Identifier: GPL-2.0
/*
 * Packed rings as no driver should write them: each breaks its queue. A test
 * has the name of the rejection that it provokes, and a suffix if there are
 * several ways to. Bad addresses are in test_badmem.c, for either layout.
 */
#include "bad.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS BAD_WAIT_MS

static void put(__u64 addr, __u32 len, __u16 flags)
{
	gpacked_put(r, addr, len, 77, flags);
}

/* Every descriptor has a next one: the ring is one circle. */
static void desc_loop(void)
{
	unsigned int i;
	__u64 page;

	bad_start(VMM_TX, &(struct vnet_conf){ .num = 64 });
	page = vnet_addr(&n, bad_page());
	for (i = 0; i < 64; i++)
		put(page, 1, NEXT);
	gring_kick(r);
	bad_expect_break("desc_loop", 0);
	bad_expect_recovery();
}

static void too_many_segs(void)
{
	unsigned int i;
	__u64 page;

	bad_start(VMM_TX, &(struct vnet_conf){ .num = 2048 });
	bad_add_good(GOOD);
	page = vnet_addr(&n, bad_page());
	for (i = 0; i < 1025; i++)
		put(page + i, 1, i < 1024 ? NEXT : 0);
	bad_published_breaks("too_many_segs");
}

static void zero_len(void)
{
	bad_begin(VMM_TX);
	put(vnet_addr(&n, bad_page()), 0, 0);
	bad_published_breaks("zero_len");
}

static void zero_len_middle(void)
{
	__u64 page;

	bad_begin(VMM_TX);
	page = vnet_addr(&n, bad_page());
	put(page, 12, NEXT);
	put(page, 0, NEXT);
	put(page, 60, 0);
	bad_published_breaks("zero_len");
}

static void zero_len_rx(void)
{
	bad_begin(VMM_RX);
	put(vnet_addr(&n, bad_page()), 0, WRITE);
	bad_published_breaks("zero_len");
}

static void addr_wrap(void)
{
	bad_begin(VMM_TX);
	put(-50ULL, 100, 0);
	bad_published_breaks("addr_wrap");
}

static void addr_wrap_rx(void)
{
	bad_begin(VMM_RX);
	put(~0ULL, 2, WRITE);
	bad_published_breaks("addr_wrap");
}

static void chain_bytes(void)
{
	bad_begin(VMM_TX);
	put(VMM_GPA, ~0u, NEXT);
	put(VMM_GPA, 1, 0);
	bad_published_breaks("chain_bytes");
}

static void chain_bytes_rx(void)
{
	bad_begin(VMM_RX);
	put(VMM_GPA, 1u << 31, NEXT | WRITE);
	put(VMM_GPA, 1u << 31, WRITE);
	bad_published_breaks("chain_bytes");
}

static void write_before_read(void)
{
	__u64 page;

	bad_begin(VMM_TX);
	page = vnet_addr(&n, bad_page());
	put(page, 100, NEXT | WRITE);
	put(page, 100, 0);
	bad_published_breaks("write_before_read");
}

/* Entries of the table, one byte each. */
static void fill_table(unsigned int nr, __u16 flags)
{
	struct vring_packed_desc *t = (void *)r->table;
	__u64 page = vnet_addr(&n, bad_page());
	unsigned int i;

	for (i = 0; i < nr; i++)
		t[i] = (struct vring_packed_desc){ page + i, 1, 0, flags };
}

static void indirect_off(void)
{
	struct vnet_conf conf = {
		.features = (VNET_FEATURES & ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)) |
			    vnet_mode(),
	};

	bad_start(VMM_TX, &conf);
	bad_add_good(GOOD);
	fill_table(16, 0);
	put(r->table_addr, 256, INDIRECT);
	bad_published_breaks("indirect_off");
}

/* A table is all of its buffer: nothing behind it (2.8.7). */
static void indirect_next(void)
{
	bad_begin(VMM_TX);
	fill_table(16, 0);
	put(r->table_addr, 256, INDIRECT | NEXT);
	put(vnet_addr(&n, bad_page()), 100, 0);
	bad_published_breaks("indirect_next");
}

/* Nor before it, other than in a split ring (2.8.19). */
static void indirect_next_last(void)
{
	bad_begin(VMM_TX);
	fill_table(16, 0);
	put(vnet_addr(&n, bad_page()), 100, NEXT);
	put(r->table_addr, 256, INDIRECT);
	bad_published_breaks("indirect_next");
}

static void bad_indirect_len(__u32 len)
{
	bad_begin(VMM_TX);
	fill_table(16, 0);
	put(r->table_addr, len, INDIRECT);
	bad_published_breaks("indirect_len");
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
	bad_begin(VMM_TX);
	put(VMM_GPA - 4096, 256, INDIRECT);
	bad_published_breaks("indirect_addr");
}

static void indirect_addr_end(void)
{
	bad_begin(VMM_TX);
	put(VMM_GPA + (16 << 20) - 64, 256, INDIRECT);
	bad_published_breaks("indirect_addr");
}

static void zero_len_indirect(void)
{
	bad_begin(VMM_RX);
	fill_table(16, WRITE);
	r->table[7].len = 0;
	put(r->table_addr, 256, INDIRECT);
	bad_published_breaks("zero_len");
}

static void write_before_read_indirect(void)
{
	bad_begin(VMM_TX);
	fill_table(16, 0);
	((struct vring_packed_desc *)r->table)[3].flags = WRITE;
	put(r->table_addr, 256, INDIRECT);
	bad_published_breaks("write_before_read");
}

static void addr_wrap_indirect_table(void)
{
	bad_begin(VMM_TX);
	put(-128ULL, 256, INDIRECT);
	bad_published_breaks("addr_wrap");
}

/* A chain that breaks the queue, wherever it lies: the base still names it. */
static void broken_across_wrap(void)
{
	unsigned int base, i;

	for (i = 0; i < 2; i++) {
		bad_start(VMM_TX, &(struct vnet_conf){ .num = 16 });
		vnet_restart(&n, VMM_TX, 14 + 16 * i);
		EXPECT(vnet_tx_add(&n, 1, 60) >= 0);
		put(VMM_GPA, 12, NEXT);
		put(VMM_GPA, 0, 0);
		gring_kick(r);
		EXPECT_EQ(evt_wait(r->err, WAIT_MS), 1);
		bad_counted_once("zero_len");
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 1);
		EXPECT(vnet_tx_reap(&n) == 1);
		OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
		OK(vmm_get_vring_base(&n.vmm, VMM_TX, &base));
		EXPECT_EQ(base, gring_base_of(r, 15 + 16 * i));
		bad_expect_recovery();
		vnet_stop(&n);
	}
}

#define PACKED(fn) TEST_WITH(fn, TEST_PACKED)

static const struct test tests[] = {
	PACKED(desc_loop), PACKED(too_many_segs), PACKED(zero_len),
	PACKED(zero_len_middle), PACKED(zero_len_rx), PACKED(addr_wrap),
	PACKED(addr_wrap_rx), PACKED(chain_bytes), PACKED(chain_bytes_rx),
	PACKED(write_before_read), PACKED(indirect_off), PACKED(indirect_next),
	PACKED(indirect_next_last),
	PACKED(indirect_len_0), PACKED(indirect_len_not_16),
	PACKED(indirect_len_too_long),
	PACKED(indirect_len_max), PACKED(indirect_addr),
	PACKED(indirect_addr_end), PACKED(zero_len_indirect),
	PACKED(write_before_read_indirect), PACKED(addr_wrap_indirect_table),
	PACKED(broken_across_wrap),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
