/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of requests, in the system "vhost" like those of vhost_core, and as
 * stable: see vhost_core/trace.h. Types are VIRTIO_BLK_T_*, classes enum vhb_class.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vhost

#if !defined(VHOST_BLK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VHOST_BLK_TRACE_H

#include <linux/tracepoint.h>

#include "blk.h"

#define VHB_TRACE_FIELDS						\
	__field(u32, dev)						\
	__field(u32, vq)						\
	__field(int, owner)						\
	__field(u32, type)						\
	__field(u32, bytes)						\
	__field(u64, sector)

#define VHB_TRACE_ASSIGN						\
	vhc_vq_who(r->q->vq, &__entry->dev, &__entry->vq,		\
		   &__entry->owner);					\
	__entry->type = r->type;					\
	__entry->bytes = r->len;					\
	__entry->sector = r->sector

#define VHB_TRACE_FMT	"dev=%u vq=%u owner=%d type=%u sector=%llu bytes=%u"
#define VHB_TRACE_ARGS	__entry->dev, __entry->vq, __entry->owner, \
			__entry->type, __entry->sector, __entry->bytes

/* A request is handed to the backing; class: for the scheduler. */
TRACE_EVENT(vhost_blk_issue,
	TP_PROTO(const struct vhb_req *r),
	TP_ARGS(r),
	TP_STRUCT__entry(
		VHB_TRACE_FIELDS
		__field(unsigned int, class)
	),
	TP_fast_assign(
		VHB_TRACE_ASSIGN;
		__entry->class = r->class;
	),
	TP_printk(VHB_TRACE_FMT " class=%u", VHB_TRACE_ARGS, __entry->class)
);

/* The guest is about to be told; error: 0 or an errno, ns: since the fetch. */
TRACE_EVENT(vhost_blk_complete,
	TP_PROTO(const struct vhb_req *r, u64 ns),
	TP_ARGS(r, ns),
	TP_STRUCT__entry(
		VHB_TRACE_FIELDS
		__field(int, error)
		__field(u64, ns)
	),
	TP_fast_assign(
		VHB_TRACE_ASSIGN;
		__entry->error = r->error;
		__entry->ns = ns;
	),
	TP_printk(VHB_TRACE_FMT " error=%d ns=%llu", VHB_TRACE_ARGS,
		  __entry->error, __entry->ns)
);

#endif /* VHOST_BLK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../vhost_blk
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
