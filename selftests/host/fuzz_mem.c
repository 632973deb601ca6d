// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of mem.c: makes a table out of the input, and compares order, lookups
 * and reverse lookups with the slowest possible way of doing the same.
 *
 * Input: a number of regions, 6 bytes for each, 3 for each lookup. Addresses are 16 bits,
 * moved to one of four places of the 64-bit space by a shift, so that regions
 * touch, overlap and end at the top often.
 */
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "mem.h"

#define REGIONS_MAX	24

static u64 place(u16 raw)
{
	static const u64 base[] = { 0, 0xfff0, U64_MAX - 0x3fff, 1ull << 63 };

	return base[raw >> 14] + (raw & 0x3fff);
}

/* What vhc_mem_sort() has to say. */
static bool in_order(const struct vhc_region *r, u32 nr)
{
	u32 i, k;

	for (i = 0; i < nr; i++) {
		if (r[i].last < r[i].start)
			return false;
		for (k = 0; k < i; k++)
			if (r[i].start <= r[k].last && r[k].start <= r[i].last)
				return false;
	}
	return true;
}

static bool same_region(const struct vhc_region *a, const struct vhc_region *b)
{
	return a->start == b->start && a->last == b->last && a->user == b->user &&
	       a->perm == b->perm;
}

static void check_find(const struct vhc_mem *mem, u64 addr)
{
	const struct vhc_region *want = NULL;
	u32 i;

	for (i = 0; i < mem->nr; i++)
		if (addr >= mem->region[i].start && addr <= mem->region[i].last)
			want = &mem->region[i];
	if (vhc_mem_find(mem, addr) != want)
		env_die("find %#llx", (unsigned long long)addr);
}

static void check_reverse(const struct vhc_mem *mem, u64 user, u64 len)
{
	u64 last = user + (len - 1), addr, n;
	u32 cursor = 0, i;

	if (last < user)
		return;
	for (i = 0; i < mem->nr; i++) {
		const struct vhc_region *r = &mem->region[i];
		u64 r_last = r->user + (r->last - r->start);
		u64 from = max(user, r->user), to = min(last, r_last);

		if (from > to)
			continue;
		if (!vhc_mem_reverse(mem, &cursor, user, len, &addr, &n))
			env_die("reverse %#llx: piece missing", (unsigned long long)user);
		if (addr - r->start != from - r->user || n - 1 != to - from)
			env_die("reverse %#llx: another piece", (unsigned long long)user);
	}
	if (vhc_mem_reverse(mem, &cursor, user, len, &addr, &n))
		env_die("reverse %#llx: one piece too many", (unsigned long long)user);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct vhc_region before[REGIONS_MAX];
	struct vhc_mem *mem;
	u32 nr, i, k;

	if (!size)
		return 0;
	nr = data[0] % (REGIONS_MAX + 1);
	data++;
	size--;
	mem = malloc(sizeof(*mem) + nr * sizeof(mem->region[0]));
	for (mem->nr = 0; mem->nr < nr && size >= 6; mem->nr++, data += 6, size -= 6) {
		struct vhc_region *r = &mem->region[mem->nr];
		u16 len = data[2] | data[3] << 8;

		r->start = place(data[0] | data[1] << 8);
		/* The last one before the start now and then: wrapped. */
		r->last = r->start + len % 0x1000 - !(len % 17);
		r->user = (u64)(data[4] | data[5] << 8) << (len & 15);
		/* Whoever fills a table has checked that this does not wrap. */
		if (r->user + (r->last - r->start) < r->user)
			r->user = 0;
		r->perm = 1 + len % 3;
	}
	memcpy(before, mem->region, mem->nr * sizeof(before[0]));

	if (vhc_mem_sort(mem) != in_order(before, mem->nr))
		env_die("sort accepted what is bad, or the other way round");
	if (in_order(before, mem->nr)) {
		for (i = 0; i < mem->nr; i++) {
			for (k = 0; k < mem->nr; k++)
				if (same_region(&before[i], &mem->region[k]))
					break;
			if (k == mem->nr)
				env_die("sort lost a region");
			check_find(mem, before[i].start);
			check_find(mem, before[i].start - 1);
			check_find(mem, before[i].last);
			check_find(mem, before[i].last + 1);
			check_reverse(mem, before[i].user, 1);
			check_reverse(mem, before[i].user, before[i].last - before[i].start + 1);
		}
		for (; size >= 3; data += 3, size -= 3) {
			u16 at = data[0] | data[1] << 8;

			check_find(mem, place(at));
			check_reverse(mem, (u64)at << (data[2] & 15), 1 + 16 * data[2]);
		}
	}
	free(mem);
	return 0;
}
