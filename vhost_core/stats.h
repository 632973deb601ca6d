/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names of the per-queue counters and rejections, once: the enums, the debugfs
 * files, the log lines and the reject tracepoint are made from these lists.
 */
#ifndef VHOST_STATS_H
#define VHOST_STATS_H

#include "ring/ring.h"

/* X(NAME, name, what is counted) */
#define VHC_COUNTERS(X)							\
	X(CHAINS, chains, "chains completed")				\
	X(BYTES_READ, bytes_read, "bytes of guest buffers consumed")	\
	X(BYTES_WRITTEN, bytes_written, "bytes written to guest buffers")	\
	X(KICKS, kicks, "notifications from the guest")			\
	X(KICKS_SUPPRESSED, kicks_suppressed, "batches found without a kick") \
	X(SIGNALS, signals, "interrupts sent")				\
	X(SIGNALS_SUPPRESSED, signals_suppressed, "publications the guest did not want an interrupt for") \
	X(BATCHES, batches, "batches fetched")				\
	X(RUNS, runs, "turns of the worker")				\
	X(REQUEUES, requeues, "turns cut by the weight limit")		\
	X(PAUSES, pauses, "pauses of the worker after many rejections")	\
	X(POLL_HITS, poll_hits, "busy polls that found work")		\
	X(POLL_MISSES, poll_misses, "busy polls that found nothing")	\
	X(POLL_GROWN, poll_grown, "times the adaptive window was doubled")	\
	X(POLL_SHRUNK, poll_shrunk, "times the adaptive window was halved")	\
	X(IOTLB_MISSES, iotlb_misses, "addresses without a translation, asked of the VMM")

/*
 * Rejections that the ring code does not know of: X(NAME, name, explanation).
 * Those in ring.h's VRING_ERRORS come first in the one enum of rejections.
 */
#define VHC_REJECTIONS(X)						\
	X(ADDR_UNMAPPED, addr_unmapped, "guest address outside the memory table") \
	X(DATA_FAULT, data_fault, "guest memory is not accessible")	\
	X(RING_MAP, ring_map, "ring is not mapped in whole pages")	\
	X(LOG_FAULT, log_fault, "dirty log is not accessible or too short")

enum vhc_counter {
#define X(NAME, name, text) VHC_C_##NAME,
	VHC_COUNTERS(X)
#undef X
	VHC_C_NR,
};

enum vhc_rejection {
	VHC_R_FIRST = VRING_E_MAX,
#define X(NAME, name, text) VHC_R_##NAME,
	VHC_REJECTIONS(X)
#undef X
	/* A device module's own rejections follow: VHC_R_DRIVER + n. */
	VHC_R_DRIVER,
};

#endif /* VHOST_STATS_H */
