// SPDX-License-Identifier: GPL-2.0
/* What the modules count. Their own lists are stats.h, ring.h, net.h, blk.h, vsock.h. */
#include <stddef.h>
#include <string.h>

#include "counters.h"

const struct counter counters[] = {
	{ "chains", "chains", NULL, "Chains of descriptors completed" },
	{ "bytes_read", "read_bytes", "bytes", "Bytes of guest buffers consumed" },
	{ "bytes_written", "written_bytes", "bytes", "Bytes written to guest buffers" },
	{ "kicks", "kicks", NULL, "Notifications from the guest" },
	{ "kicks_suppressed", "kicks_suppressed", NULL, "Batches found without a notification" },
	{ "signals", "signals", NULL, "Interrupts sent" },
	{ "signals_suppressed", "signals_suppressed", NULL,
	  "Publications for which the guest wanted no interrupt" },
	{ "batches", "batches", NULL, "Batches of chains fetched" },
	{ "runs", "runs", NULL, "Turns on the worker" },
	{ "requeues", "requeues", NULL, "Turns cut by the weight limit" },
	{ "pauses", "pauses", NULL, "Pauses of the worker after many rejections" },
	{ "poll_hits", "poll_hits", NULL, "Busy polls that found work" },
	{ "poll_misses", "poll_misses", NULL, "Busy polls that found nothing" },
	{ "poll_grown", "poll_grown", NULL, "Times the adaptive polling window was doubled" },
	{ "poll_shrunk", "poll_shrunk", NULL, "Times the adaptive polling window was halved" },
	{ "iotlb_misses", "iotlb_misses", NULL, "Addresses asked of the VMM" },
	/* net and vsock */
	{ "packets", "packets", NULL, "Packets passed between the guest and the host" },
	/* net */
	{ "batched", "net_batched", NULL, "Packets given to the backend in a batch" },
	{ "direct", "net_direct", NULL, "Received packets written without asking the backend" },
	{ "dropped", "net_dropped", NULL, "Packets that the backend did not take" },
	{ "backend_full", "net_backend_full", NULL, "Waits for room in the backend" },
	/* blk */
	{ "reads", "blk_reads", NULL, "Reads completed" },
	{ "writes", "blk_writes", NULL, "Writes completed" },
	{ "flushes", "blk_flushes", NULL, "Flushes completed" },
	{ "others", "blk_others", NULL, "Requests of other types completed" },
	{ "errors", "blk_errors", NULL, "Requests completed with an error" },
	{ "bounced", "blk_bounced", NULL, "Requests copied, since not aligned" },
	{ "punted", "blk_punted", NULL, "Requests handed to a thread that may wait" },
	{ "held", "blk_held", NULL, "Requests that waited for their class's turn" },
	/* vsock */
	{ "merged", "vsock_merged", NULL,
	  "Packets that went to the guest together with the one before" },
	{ "split", "vsock_split", NULL, "Pieces of packets that went to the guest by themselves" },
	{ "replies_full", "vsock_replies_full", NULL,
	  "Waits of the transmit queue until answers were taken" },
	{ "no_memory", "vsock_no_memory", NULL, "Packets that had to wait for memory" },
	{ "forwarded", "vsock_forwarded", NULL, "Packets passed to another guest" },
	{ "peers_reset", "vsock_peers_reset", NULL,
	  "Connections cut since the guest was gone or another" },
	{ NULL, NULL, NULL, NULL },
};

const struct rejection rejections[] = {
	{ "ring_fault", true, "ring memory is not accessible" },
	{ "avail_idx", true, "available index is further ahead than the ring is long" },
	{ "head_range", true, "head names a descriptor outside the table" },
	{ "next_range", true, "next names a descriptor outside the table" },
	{ "desc_loop", true, "chain is longer than its table or ring" },
	{ "too_many_segs", true, "chain has more segments than are supported" },
	{ "zero_len", true, "descriptor of length 0" },
	{ "addr_wrap", true, "descriptor's address and length wrap around" },
	{ "chain_bytes", true, "chain is longer than 2^32 - 1 bytes" },
	{ "write_before_read", true, "device-readable descriptor behind a device-writable one" },
	{ "indirect_off", true, "indirect descriptor without the feature" },
	{ "indirect_nested", true, "indirect descriptor inside an indirect table" },
	{ "indirect_next", true, "indirect descriptor with a next one, or in a packed ring's chain" },
	{ "indirect_len", true, "indirect table of length 0, not a multiple of 16, or too long" },
	{ "indirect_addr", true, "indirect table is not in guest memory" },
	{ "used_overflow", true, "more used entries recorded than the ring has" },
	{ "addr_unmapped", true, "guest address outside the memory table" },
	{ "data_fault", true, "guest memory is not accessible" },
	{ "ring_map", true, "ring is not mapped in whole pages" },
	{ "log_fault", true, "dirty log is not accessible or too short" },
	/* net and vsock */
	{ "tx_writable", false, "transmit chain with a device-writable part" },
	{ "tx_short", false, "transmit chain shorter than its header" },
	{ "rx_readable", false, "receive chain with a device-readable part" },
	{ "rx_small", false, "receive buffers too small" },
	/* net */
	{ "tx_hdr", false, "header speaks of bytes beyond the packet" },
	{ "tx_frame", false, "frame that the backend refuses" },
	/* vsock */
	{ "tx_long", false, "transmit chain longer than a packet may be" },
	{ "tx_len", false, "header speaks of bytes beyond the chain" },
	{ "tx_src", false, "source is not the guest's own CID" },
	{ "tx_dst", false, "destination that the guest cannot reach" },
	{ "tx_type", false, "unknown type of socket" },
	{ "tx_op", false, "unknown operation" },
	{ "tx_flags", false, "flags that the operation does not have" },
	{ "tx_payload", false, "payload in a packet that is not data" },
	{ "tx_credit", false, "more data than another guest has room for" },
	{ "tx_stray", false, "packet to another guest outside any connection" },
	/* blk */
	{ "blk_no_status", false, "request without room for a status" },
	{ "blk_short", false, "request shorter than its header" },
	{ "blk_length", false, "data not a multiple of the sector size, or too long" },
	{ "blk_sector", false, "sectors beyond the end of the disk" },
	{ "blk_read_only", false, "write to a read-only disk" },
	{ "blk_type", false, "type of request that is not offered" },
	{ "blk_ranges", false, "malformed or too long ranges of a discard or write-zeroes" },
	{ "blk_fault", false, "data of a request are not accessible" },
	{ NULL, false, NULL },
};

const struct rejection *find_rejection(const char *name)
{
	const struct rejection *r;

	for (r = rejections; r->name; r++) {
		if (!strcmp(r->name, name))
			return r;
	}
	return NULL;
}
