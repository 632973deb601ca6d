/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory of one ring, seen from the guest: three parts, each contiguous or
 * scattered page by page over the heap, so that an access that leaves its page
 * is caught by the address sanitizer as well as by the environment.
 */
#ifndef HOST_RINGMEM_H
#define HOST_RINGMEM_H

#include "env.h"

#define RINGMEM_PAGE	(1u << VRING_PAGE_SHIFT)

/*
 * In a packed ring ENV_DESC is the ring itself, ENV_AVAIL the driver's event
 * suppression structure and ENV_USED the device's.
 */
enum ring_layout {
	LAYOUT_SPLIT,
	LAYOUT_PACKED,
};

struct ringmem_part {
	u8 *mem;
	vring_ptr *page;
	u32 nr_page;
	u32 off;
	u32 len;
};

struct ringmem {
	enum ring_layout layout;
	u32 num;
	struct ringmem_part part[ENV_NR_PARTS];
};

/**
 * struct ringmem_shape - how the parts lie in memory
 * @scattered: each page of each part elsewhere
 * @off: if @scattered, where in its first page each part begins; a multiple of
 *	16, 2 (packed: 4) and 4 in the order of enum env_part
 */
struct ringmem_shape {
	bool scattered;
	u32 off[ENV_NR_PARTS];
};

/* Allocate zeroed parts, register them with the environment, set r's. */
void ringmem_init(struct ringmem *m, struct vring_dev *r, enum ring_layout layout,
		  u32 num, const struct ringmem_shape *shape);
void ringmem_free(struct ringmem *m);

/* Loads and stores of the guest, in its byte order. No hooks, no faults. */
u16 ringmem_get16(const struct ringmem *m, enum env_part part, u32 off);
u32 ringmem_get32(const struct ringmem *m, enum env_part part, u32 off);
u64 ringmem_get64(const struct ringmem *m, enum env_part part, u32 off);
void ringmem_put16(struct ringmem *m, enum env_part part, u32 off, u16 val);
void ringmem_put32(struct ringmem *m, enum env_part part, u32 off, u32 val);
void ringmem_put64(struct ringmem *m, enum env_part part, u32 off, u64 val);

#endif /* HOST_RINGMEM_H */
