/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory table: which guest addresses are backed by which addresses of the
 * VMM. Pure code, as ring/ is: see mem.c.
 */
#ifndef VHOST_MEM_H
#define VHOST_MEM_H

#include <vring_env.h>

/* Values of struct vhost_iotlb_msg.perm. */
#define VHC_PERM_R	1u
#define VHC_PERM_W	2u
#define VHC_PERM_RW	3u

/* A table may never have more regions, whatever max_mem_regions says. */
#define VHC_MEM_REGIONS_MAX	1024u

/**
 * struct vhc_region - a stretch of guest addresses
 * @start: first guest address
 * @last: last guest address
 * @user: address in the VMM of @start
 * @perm: VHC_PERM_* that the guest's device has here
 */
struct vhc_region {
	u64 start;
	u64 last;
	u64 user;
	u32 perm;
};

/**
 * struct vhc_mem - a memory table
 * @nr: number of regions
 * @region: the regions, by ascending address, none overlapping
 */
struct vhc_mem {
	u32 nr;
	struct vhc_region region[];
};

/**
 * vhc_mem_sort() - bring a table into order and check it
 * @mem: the table, filled in any order
 *
 * Return: false if a region wraps around or two regions overlap.
 */
bool vhc_mem_sort(struct vhc_mem *mem);

/**
 * vhc_mem_find() - the region that holds a guest address
 * @mem: a table in order
 * @addr: guest address
 *
 * Return: the region, or NULL.
 */
const struct vhc_region *vhc_mem_find(const struct vhc_mem *mem, u64 addr);

/**
 * vhc_mem_reverse() - guest addresses of a stretch of the VMM's memory
 * @mem: a table in order
 * @cursor: 0 at first; afterwards where the search goes on
 * @user: first address in the VMM
 * @len: bytes, at least 1
 * @addr: out: a guest address
 * @n: out: bytes that belong to it
 *
 * The VMM may have mapped the same memory at several guest addresses; each
 * call finds one piece, until there is none.
 *
 * Return: whether a piece was found.
 */
bool vhc_mem_reverse(const struct vhc_mem *mem, u32 *cursor, u64 user, u64 len,
		     u64 *addr, u64 *n);

#endif /* VHOST_MEM_H */
