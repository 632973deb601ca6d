// SPDX-License-Identifier: GPL-2.0
/*
 * Memory table lookups. No kernel calls: selftests/host runs this file as a
 * program. Allocation, locking and user access are the callers'.
 */
#include "mem.h"

bool vhc_mem_sort(struct vhc_mem *mem)
{
	struct vhc_region *r = mem->region;
	u32 i, k;

	/* Tables are short, and most arrive in order: insertion sort. */
	for (i = 1; i < mem->nr; i++) {
		struct vhc_region tmp = r[i];

		for (k = i; k && r[k - 1].start > tmp.start; k--)
			r[k] = r[k - 1];
		r[k] = tmp;
	}
	for (i = 0; i < mem->nr; i++) {
		if (r[i].last < r[i].start)
			return false;
		if (i && r[i].start <= r[i - 1].last)
			return false;
	}
	return true;
}

const struct vhc_region *vhc_mem_find(const struct vhc_mem *mem, u64 addr)
{
	u32 lo = 0, hi = mem->nr;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;
		const struct vhc_region *r = &mem->region[mid];

		if (addr < r->start)
			hi = mid;
		else if (addr > r->last)
			lo = mid + 1;
		else
			return r;
	}
	return NULL;
}

bool vhc_mem_reverse(const struct vhc_mem *mem, u32 *cursor, u64 user, u64 len,
		     u64 *addr, u64 *n)
{
	u64 last = user + (len - 1);

	while (*cursor < mem->nr) {
		const struct vhc_region *r = &mem->region[(*cursor)++];
		u64 r_last = r->user + (r->last - r->start);
		u64 first;

		if (last < r->user || user > r_last)
			continue;
		first = max(user, r->user);
		*addr = r->start + (first - r->user);
		*n = min(last, r_last) - first + 1;
		return true;
	}
	return false;
}
