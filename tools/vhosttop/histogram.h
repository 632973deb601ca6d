/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Histograms of nanoseconds: what the BPF program and its reader have in common.
 *
 * Each power of two is cut into eight slots of one width: a slot is at most an
 * eighth wider than its lower bound. What is below eight has a slot for each value.
 */
#ifndef VHOSTTOP_HISTOGRAM_H
#define VHOSTTOP_HISTOGRAM_H

#define SUB_BITS	3
#define SUB		(1 << SUB_BITS)
/* Up to 2^36 ns, which are 68 s; what takes longer is in the last slot. */
#define TOP_BITS	36
#define NR_SLOTS	((TOP_BITS - SUB_BITS + 1) * SUB)

/**
 * struct queue_times - what is measured of a virtqueue
 * @dev: its device's number; 0: no virtqueue is here
 * @vq: its index
 * @kicked: when the first kick came that no turn has followed yet; 0 for none
 * @slot: how many turns came so long after such a kick. Differences count.
 */
struct queue_times {
	unsigned int dev;
	unsigned int vq;
	unsigned long long kicked;
	unsigned int slot[NR_SLOTS];
};

/*
 * Virtqueues lie in rows; one that finds its row full is not measured. A hash map
 * of the kernel's would cost as much as all else together.
 */
#define NR_ROWS		1024
#define ROW		4

static inline unsigned int row_of(unsigned int dev, unsigned int vq)
{
	return (dev * 31 + vq) % NR_ROWS;
}

#endif /* VHOSTTOP_HISTOGRAM_H */
