/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of vhost_blk share: one disk, and short names. */
#ifndef VHOST_TEST_BLK_H
#define VHOST_TEST_BLK_H

#include <stdlib.h>
#include <unistd.h>

#include "test.h"
#include "vblk.h"

#define N(a) (sizeof(a) / sizeof(*(a)))

static struct vblk d;

static inline void fill(void *buf, __u32 len, unsigned int seed)
{
	unsigned char *p = buf;

	while (len--) {
		seed = seed * 1103515245 + 12345;
		*p++ = seed >> 16;
	}
}

static inline long long rejected(const char *name)
{
	return vmm_counter(&d.vmm, 0, name);
}

/* A disk that takes 100 ms for whatever it is. */
#define SLOW "slow"

static inline void slow_disk(void)
{
	static const char *const set[][2] = {
		{ "size", "64" }, { "blocksize", "512" }, { "irqmode", "2" },
		{ "completion_nsec", "100000000" },
	};

	vblk_null_disk(SLOW, set, N(set));
}

/* One that takes longer than the machine that runs us ever pauses. */
#define SLOWEST "slowest"

static inline void slowest_disk(void)
{
	static const char *const set[][2] = {
		{ "size", "64" }, { "blocksize", "512" }, { "irqmode", "2" },
		{ "completion_nsec", "3000000000" },
	};

	vblk_null_disk(SLOWEST, set, N(set));
}

/* The backings that tests take, if this kernel has them; then these tests. */
static inline int blk_main(const struct test *tests, unsigned int n, int argc, char **argv)
{
	int ret = system("for module in 'brd rd_nr=1 rd_size=65536' 'null_blk nr_devices=0' loop; "
			 "do modprobe -q $module; done");

	test_after = vblk_after;
	return ret == -1 ? 1 : test_main(tests, n, argc, argv);
}

#endif /* VHOST_TEST_BLK_H */
