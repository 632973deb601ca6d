// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of vhost_core/mem.c: order, overlap and wrap of the memory table, and
 * lookups in both directions at every edge.
 */
#include "test.h"

#include "mem.h"

#define PAGE	0x1000ull

struct row {
	u64 start;
	u64 last;
	u64 user;
};

static struct vhc_mem *table(const struct row *row, u32 nr)
{
	struct vhc_mem *mem = calloc(1, sizeof(*mem) + nr * sizeof(mem->region[0]));
	u32 i;

	mem->nr = nr;
	for (i = 0; i < nr; i++)
		mem->region[i] = (struct vhc_region){ row[i].start, row[i].last,
						      row[i].user, VHC_PERM_RW };
	return mem;
}

static void sorts(const struct row *row, u32 nr, bool good)
{
	struct vhc_mem *mem = table(row, nr);
	u32 i, k;

	assert_int_equal(vhc_mem_sort(mem), good);
	assert_int_equal(mem->nr, nr);
	for (i = 1; i < nr && good; i++)
		assert_true(mem->region[i - 1].last < mem->region[i].start);
	/* Each row is still there, with the address that belonged to it. */
	for (i = 0; i < nr && good; i++) {
		for (k = 0; k < nr; k++)
			if (mem->region[k].start == row[i].start &&
			    mem->region[k].last == row[i].last &&
			    mem->region[k].user == row[i].user)
				break;
		assert_true(k < nr);
	}
	free(mem);
}

static void empty_table(void **state)
{
	u64 addr, n;
	u32 cursor = 0;
	struct vhc_mem mem = { 0 };

	(void)state;
	assert_true(vhc_mem_sort(&mem));
	assert_null(vhc_mem_find(&mem, 0));
	assert_null(vhc_mem_find(&mem, U64_MAX));
	assert_false(vhc_mem_reverse(&mem, &cursor, 0, 1, &addr, &n));
}

static void unsorted(void **state)
{
	static const struct row rows[] = {
		{ 5 * PAGE, 6 * PAGE - 1, 0x500 }, { 0, PAGE - 1, 0x100 },
		{ 9 * PAGE, U64_MAX, 0x900 },	   { PAGE, 2 * PAGE - 1, 0x200 },
		{ 3 * PAGE, 3 * PAGE, 0x300 },
	};
	struct row perm[5];
	unsigned int i, k, n;

	(void)state;
	/* All 120 orders. */
	for (n = 0; n < 120; n++) {
		unsigned int left[5] = { 0, 1, 2, 3, 4 }, code = n;

		for (i = 0; i < 5; i++) {
			unsigned int at = code % (5 - i);

			code /= 5 - i;
			perm[i] = rows[left[at]];
			for (k = at; k + 1 < 5 - i; k++)
				left[k] = left[k + 1];
		}
		sorts(perm, 5, true);
	}
}

static void overlapping(void **state)
{
	static const struct row same[] = { { PAGE, 2 * PAGE, 0 }, { PAGE, 2 * PAGE, 0 } };
	static const struct row by_one[] = { { PAGE, 2 * PAGE, 0 }, { 2 * PAGE, 3 * PAGE, 0 } };
	static const struct row inside[] = { { 2 * PAGE, 3 * PAGE, 0 }, { 0, 9 * PAGE, 0 } };
	static const struct row all[] = { { 0, U64_MAX, 0 }, { U64_MAX, U64_MAX, 0 } };
	static const struct row third[] = {
		{ 4 * PAGE, 5 * PAGE, 0 }, { 0, PAGE, 0 }, { PAGE, 2 * PAGE, 0 },
	};
	static const struct row adjacent[] = { { PAGE, 2 * PAGE, 0 }, { 2 * PAGE + 1, 3 * PAGE, 0 } };

	(void)state;
	sorts(same, 2, false);
	sorts(by_one, 2, false);
	sorts(inside, 2, false);
	sorts(all, 2, false);
	sorts(third, 3, false);
	sorts(adjacent, 2, true);
}

static void wrapping(void **state)
{
	static const struct row wrap[] = { { PAGE, PAGE - 1, 0 } };
	static const struct row far[] = { { U64_MAX, 0, 0 }, { 5, 6, 0 } };
	static const struct row whole[] = { { 0, U64_MAX, 0 } };

	(void)state;
	sorts(wrap, 1, false);
	sorts(far, 2, false);
	sorts(whole, 1, true);
}

static void find(void **state)
{
	static const struct row rows[] = {
		{ 0x1000, 0x1fff, 0xa000 }, { 0x2000, 0x2000, 0xb000 },
		{ 0x4000, 0x7fff, 0xc000 }, { U64_MAX - 1, U64_MAX, 0xd000 },
	};
	static const struct {
		u64 addr;
		int row;
	} c[] = {
		{ 0, -1 },	{ 0xfff, -1 },	{ 0x1000, 0 },	{ 0x1fff, 0 },
		{ 0x2000, 1 },	{ 0x2001, -1 },	{ 0x3fff, -1 },	{ 0x4000, 2 },
		{ 0x7fff, 2 },	{ 0x8000, -1 },	{ U64_MAX - 2, -1 }, { U64_MAX - 1, 3 },
		{ U64_MAX, 3 },
	};
	unsigned int i, nr;

	(void)state;
	/* Tables of each length: the bisection ends on each row. */
	for (nr = 0; nr <= 4; nr++) {
		struct vhc_mem *mem = table(rows, nr);

		assert_true(vhc_mem_sort(mem));
		for (i = 0; i < ARRAY_SIZE(c); i++) {
			const struct vhc_region *r = vhc_mem_find(mem, c[i].addr);

			if (c[i].row < 0 || c[i].row >= (int)nr)
				assert_null(r);
			else
				assert_ptr_equal(r, &mem->region[c[i].row]);
		}
		free(mem);
	}
}

static void reverse(void **state)
{
	/* 0x100000 of the VMM is mapped twice; the last one ends at the top. */
	static const struct row rows[] = {
		{ 0x1000, 0x2fff, 0x100000 }, { 0x4000, 0x4fff, 0x101000 },
		{ 0x8000, 0x8fff, 0x300000 }, { 0xf000, 0xffff, U64_MAX - 0xfff },
	};
	static const struct {
		u64 user;
		u64 len;
		unsigned int pieces;
		struct {
			u64 addr;
			u64 n;
		} piece[2];
	} c[] = {
		{ 0x0ff000, 0x1000, 0, { { 0 } } },
		{ 0x0ff000, 0x1001, 1, { { 0x1000, 1 } } },
		{ 0x100000, 1, 1, { { 0x1000, 1 } } },
		{ 0x100fff, 2, 2, { { 0x1fff, 2 }, { 0x4000, 1 } } },
		{ 0x101800, 0x10, 2, { { 0x2800, 0x10 }, { 0x4800, 0x10 } } },
		{ 0x101fff, 1, 2, { { 0x2fff, 1 }, { 0x4fff, 1 } } },
		{ 0x101fff, 0x1000, 2, { { 0x2fff, 1 }, { 0x4fff, 1 } } },
		{ 0x102000, 0x1000, 0, { { 0 } } },
		{ 0x2fffff, 0x1002, 1, { { 0x8000, 0x1000 } } },
		{ 0x300fff, 1, 1, { { 0x8fff, 1 } } },
		{ 0x301000, 1, 0, { { 0 } } },
		{ U64_MAX, 1, 1, { { 0xffff, 1 } } },
		{ U64_MAX - 0xfff, 0x1000, 1, { { 0xf000, 0x1000 } } },
	};
	struct vhc_mem *mem = table(rows, ARRAY_SIZE(rows));
	unsigned int i, k;

	(void)state;
	assert_true(vhc_mem_sort(mem));
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		u64 addr = 0, n = 0;
		u32 cursor = 0;

		for (k = 0; k < c[i].pieces; k++) {
			assert_true(vhc_mem_reverse(mem, &cursor, c[i].user, c[i].len,
						    &addr, &n));
			assert_int_equal(addr, c[i].piece[k].addr);
			assert_int_equal(n, c[i].piece[k].n);
		}
		assert_false(vhc_mem_reverse(mem, &cursor, c[i].user, c[i].len, &addr, &n));
		/* And it stays at the end. */
		assert_false(vhc_mem_reverse(mem, &cursor, c[i].user, c[i].len, &addr, &n));
	}
	free(mem);
}

/* As long as tables get, in the worst order for the sort. */
static void largest_table(void **state)
{
	struct row row[VHC_MEM_REGIONS_MAX];
	struct vhc_mem *mem;
	u32 i;

	(void)state;
	for (i = 0; i < VHC_MEM_REGIONS_MAX; i++) {
		u64 at = VHC_MEM_REGIONS_MAX - 1 - i;

		row[i] = (struct row){ at * PAGE, at * PAGE + PAGE - 1, at };
	}
	mem = table(row, VHC_MEM_REGIONS_MAX);
	assert_true(vhc_mem_sort(mem));
	for (i = 0; i < VHC_MEM_REGIONS_MAX; i++) {
		const struct vhc_region *r = vhc_mem_find(mem, i * PAGE + i);

		assert_non_null(r);
		assert_int_equal(r->user, i);
	}
	assert_null(vhc_mem_find(mem, i * PAGE));
	free(mem);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_table),
		cmocka_unit_test(unsorted),
		cmocka_unit_test(overlapping),
		cmocka_unit_test(wrapping),
		cmocka_unit_test(find),
		cmocka_unit_test(reverse),
		cmocka_unit_test(largest_table),
	};

	return run_group("mem", tests, ARRAY_SIZE(tests));
}
