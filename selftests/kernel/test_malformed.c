// SPDX-License-Identifier: GPL-2.0
/*
 * Split rings as no driver should write them: each breaks its queue. A test has the
 * name of the rejection that it provokes, and a suffix if there are several
 * ways to.
 */

#include "bad.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS BAD_WAIT_MS

/* ---- the available ring ---------------------------------------------------- */

static void avail_idx(void)
{
	bad_start(VMM_TX, NULL);
	r->avail_idx += 257;
	gring_kick(r);
	bad_expect_break("avail_idx", 0);
	bad_expect_recovery();
}

static void avail_idx_backwards(void)
{
	bad_start(VMM_TX, NULL);
	vnet_tx_check(&n, 0, 10, 60);
	r->avail->idx = 9;
	evt_signal(r->kick);
	EXPECT_EQ(evt_wait(r->err, WAIT_MS), 1);
	bad_counted_once("avail_idx");
	bad_expect_recovery();
}

static void head_range(void)
{
	bad_begin(VMM_TX);
	bad_breaks("head_range", 256);
}

static void head_range_rx(void)
{
	bad_begin(VMM_RX);
	bad_breaks("head_range", 65535);
}

/* ---- descriptors ------------------------------------------------------------- */

static void next_range(void)
{
	bad_begin(VMM_TX);
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 100, NEXT, 256);
	bad_breaks("next_range", BAD_HEAD);
}

static void next_range_rx(void)
{
	bad_begin(VMM_RX);
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 100, NEXT | WRITE, 65535);
	bad_breaks("next_range", BAD_HEAD);
}

static void desc_loop(void)
{
	bad_begin(VMM_TX);
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 10, NEXT, BAD_HEAD + 1);
	bad_desc(BAD_HEAD + 1, vnet_addr(&n, bad_page()), 10, NEXT, 200);
	bad_breaks("desc_loop", BAD_HEAD);
}

static void desc_loop_self(void)
{
	bad_begin(VMM_RX);
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 10, NEXT | WRITE, 200);
	bad_breaks("desc_loop", BAD_HEAD);
}

/* Entries of a table, as many as asked for, one byte each. */
static void fill_table(struct vring_desc *t, unsigned int nr, __u16 flags)
{
	unsigned int i;
	__u64 addr = vnet_addr(&n, bad_page());

	for (i = 0; i < nr; i++)
		t[i] = (struct vring_desc){ addr + i, 1,
			flags | (i + 1 < nr ? NEXT : 0), i + 1 };
}

static void too_many_segs(void)
{
	unsigned int i;

	bad_start(VMM_TX, &(struct vnet_conf){ .num = 2048 });
	bad_add_good(GOOD);
	for (i = 0; i < 1025; i++)
		bad_desc(1000 + i, vnet_addr(&n, n.pool[VMM_TX].base) + i, 1,
		     i < 1024 ? NEXT : 0, 1001 + i);
	bad_breaks("too_many_segs", 1000);
}

static void too_many_segs_indirect(void)
{
	bad_start(VMM_TX, &(struct vnet_conf){ .table_len = 1024, .mem = 32 << 20 });
	bad_add_good(GOOD);
	fill_table(r->table, 1024, 0);
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 12, NEXT, BAD_HEAD + 1);
	bad_desc(BAD_HEAD + 1, r->table_addr, 1024 * 16, INDIRECT, 0);
	bad_breaks("too_many_segs", BAD_HEAD);
}

static void zero_len(void)
{
	bad_begin(VMM_TX);
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 0, 0, 0);
	bad_breaks("zero_len", BAD_HEAD);
}

static void zero_len_middle(void)
{
	bad_begin(VMM_TX);
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 12, NEXT, BAD_HEAD + 1);
	bad_desc(BAD_HEAD + 1, vnet_addr(&n, bad_page()), 0, NEXT, BAD_HEAD + 2);
	bad_desc(BAD_HEAD + 2, vnet_addr(&n, bad_page()), 60, 0, 0);
	bad_breaks("zero_len", BAD_HEAD);
}

static void zero_len_rx(void)
{
	bad_begin(VMM_RX);
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 0, WRITE, 0);
	bad_breaks("zero_len", BAD_HEAD);
}

static void addr_wrap(void)
{
	bad_begin(VMM_TX);
	bad_desc(BAD_HEAD, -50ULL, 100, 0, 0);
	bad_breaks("addr_wrap", BAD_HEAD);
}

static void addr_wrap_rx(void)
{
	bad_begin(VMM_RX);
	bad_desc(BAD_HEAD, ~0ULL, 2, WRITE, 0);
	bad_breaks("addr_wrap", BAD_HEAD);
}

static void chain_bytes(void)
{
	bad_begin(VMM_TX);
	bad_desc(BAD_HEAD, VMM_GPA, ~0u, NEXT, BAD_HEAD + 1);
	bad_desc(BAD_HEAD + 1, VMM_GPA, 1, 0, 0);
	bad_breaks("chain_bytes", BAD_HEAD);
}

static void chain_bytes_rx(void)
{
	bad_begin(VMM_RX);
	bad_desc(BAD_HEAD, VMM_GPA, 1u << 31, NEXT | WRITE, BAD_HEAD + 1);
	bad_desc(BAD_HEAD + 1, VMM_GPA, 1u << 31, WRITE, 0);
	bad_breaks("chain_bytes", BAD_HEAD);
}

static void write_before_read(void)
{
	bad_begin(VMM_TX);
	bad_desc(BAD_HEAD, vnet_addr(&n, bad_page()), 100, NEXT | WRITE, BAD_HEAD + 1);
	bad_desc(BAD_HEAD + 1, vnet_addr(&n, bad_page()), 100, 0, 0);
	bad_breaks("write_before_read", BAD_HEAD);
}

/* ---- indirect tables ------------------------------------------------------------ */

static void indirect_off(void)
{
	struct vnet_conf conf = {
		.features = VNET_FEATURES & ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC),
	};

	bad_start(VMM_TX, &conf);
	bad_add_good(GOOD);
	fill_table(r->table, 16, 0);
	bad_desc(BAD_HEAD, r->table_addr, 256, INDIRECT, 0);
	bad_breaks("indirect_off", BAD_HEAD);
}

static void indirect_nested(void)
{
	bad_begin(VMM_TX);
	fill_table(r->table, 16, 0);
	r->table[3] = (struct vring_desc){ r->table_addr, 256, INDIRECT, 0 };
	bad_desc(BAD_HEAD, r->table_addr, 256, INDIRECT, 0);
	bad_breaks("indirect_nested", BAD_HEAD);
}

static void indirect_next(void)
{
	bad_begin(VMM_TX);
	fill_table(r->table, 16, 0);
	bad_desc(BAD_HEAD, r->table_addr, 256, INDIRECT | NEXT, BAD_HEAD + 1);
	bad_desc(BAD_HEAD + 1, vnet_addr(&n, bad_page()), 100, 0, 0);
	bad_breaks("indirect_next", BAD_HEAD);
}

static void bad_indirect_len(__u32 len)
{
	bad_begin(VMM_TX);
	fill_table(r->table, 16, 0);
	bad_desc(BAD_HEAD, r->table_addr, len, INDIRECT, 0);
	bad_breaks("indirect_len", BAD_HEAD);
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
	bad_desc(BAD_HEAD, VMM_GPA - 4096, 256, INDIRECT, 0);
	bad_breaks("indirect_addr", BAD_HEAD);
}

/* The table begins in guest memory and ends beyond. */
static void indirect_addr_end(void)
{
	bad_begin(VMM_TX);
	bad_desc(BAD_HEAD, VMM_GPA + (16 << 20) - 64, 256, INDIRECT, 0);
	bad_breaks("indirect_addr", BAD_HEAD);
}

static void next_range_indirect(void)
{
	bad_begin(VMM_TX);
	fill_table(r->table, 16, 0);
	r->table[3].next = 16;
	bad_desc(BAD_HEAD, r->table_addr, 256, INDIRECT, 0);
	bad_breaks("next_range", BAD_HEAD);
}

static void desc_loop_indirect(void)
{
	bad_begin(VMM_TX);
	fill_table(r->table, 16, 0);
	r->table[3].next = 2;
	bad_desc(BAD_HEAD, r->table_addr, 256, INDIRECT, 0);
	bad_breaks("desc_loop", BAD_HEAD);
}

static void zero_len_indirect(void)
{
	bad_begin(VMM_RX);
	fill_table(r->table, 16, WRITE);
	r->table[7].len = 0;
	bad_desc(BAD_HEAD, r->table_addr, 256, INDIRECT, 0);
	bad_breaks("zero_len", BAD_HEAD);
}

static void addr_wrap_indirect_table(void)
{
	bad_begin(VMM_TX);
	bad_desc(BAD_HEAD, -128ULL, 256, INDIRECT, 0);
	bad_breaks("addr_wrap", BAD_HEAD);
}

static const struct test tests[] = {
	TEST(avail_idx), TEST(avail_idx_backwards), TEST(head_range),
	TEST(head_range_rx), TEST(next_range), TEST(next_range_rx),
	TEST(desc_loop), TEST(desc_loop_self), TEST(too_many_segs),
	TEST(too_many_segs_indirect), TEST(zero_len), TEST(zero_len_middle),
	TEST(zero_len_rx), TEST(addr_wrap), TEST(addr_wrap_rx),
	TEST(chain_bytes), TEST(chain_bytes_rx), TEST(write_before_read),
	TEST(indirect_off), TEST(indirect_nested), TEST(indirect_next),
	TEST(indirect_len_0), TEST(indirect_len_not_16),
	TEST(indirect_len_too_long), TEST(indirect_len_max),
	TEST(indirect_addr), TEST(indirect_addr_end),
	TEST(next_range_indirect), TEST(desc_loop_indirect),
	TEST(zero_len_indirect), TEST(addr_wrap_indirect_table),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
