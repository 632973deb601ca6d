/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, system "vhost": docs/tracing.md. They are stable: a field is never
 * taken away, renamed or given another meaning, new ones come behind the others.
 *
 * Every event names a queue: the device's number, which is the one of netlink and
 * vhostctl, the queue's index, the owner's process id, and the device's driver.
 * The first two are arguments as well (VHC_WHO), for BPF programs on the raw
 * tracepoint: it is the cheapest one, and sees arguments instead of fields.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vhost

#if !defined(VHOST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VHOST_TRACE_H

#include <linux/tracepoint.h>

#include "internal.h"

#define VHC_TRACE_FIELDS						\
	__field(u32, dev)						\
	__field(u32, vq)						\
	__field(int, owner)						\
	__string(driver, vq->dev->drv->name)

#define VHC_TRACE_ASSIGN						\
	__entry->dev = dev;						\
	__entry->vq = index;						\
	__entry->owner = vq->dev->owner_pid;				\
	__assign_str(driver)

#define VHC_TRACE_FMT	"dev=%u vq=%u owner=%d driver=%s"
#define VHC_TRACE_ARGS	__entry->dev, __entry->vq, __entry->owner, \
			__get_str(driver)

DECLARE_EVENT_CLASS(vhost_vq,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index),
	TP_ARGS(vq, dev, index),
	TP_STRUCT__entry(VHC_TRACE_FIELDS),
	TP_fast_assign(VHC_TRACE_ASSIGN;),
	TP_printk(VHC_TRACE_FMT, VHC_TRACE_ARGS)
);

/* The guest notified us. */
DEFINE_EVENT(vhost_vq, vhost_kick,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index),
	TP_ARGS(vq, dev, index));

/* A turn of the queue begins on its worker. */
DEFINE_EVENT(vhost_vq, vhost_run,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index),
	TP_ARGS(vq, dev, index));

/* The guest is interrupted. */
DEFINE_EVENT(vhost_vq, vhost_signal,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index),
	TP_ARGS(vq, dev, index));

DECLARE_EVENT_CLASS(vhost_vq_value,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index, int value),
	TP_ARGS(vq, dev, index, value),
	TP_STRUCT__entry(
		VHC_TRACE_FIELDS
		__field(int, value)
	),
	TP_fast_assign(
		VHC_TRACE_ASSIGN;
		__entry->value = value;
	),
	TP_printk(VHC_TRACE_FMT " value=%d", VHC_TRACE_ARGS, __entry->value)
);

/* Work was queued for the worker; value: its thread id. */
DEFINE_EVENT(vhost_vq_value, vhost_wake,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index, int value),
	TP_ARGS(vq, dev, index, value));

/* A batch was fetched; value: chains. */
DEFINE_EVENT(vhost_vq_value, vhost_fetch,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index, int value),
	TP_ARGS(vq, dev, index, value));

/* Used entries were published; value: chains. */
DEFINE_EVENT(vhost_vq_value, vhost_publish,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index, int value),
	TP_ARGS(vq, dev, index, value));

/* Busy polling begins; value: 1 if it waits for the guest. */
DEFINE_EVENT(vhost_vq_value, vhost_poll_begin,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index, int value),
	TP_ARGS(vq, dev, index, value));

/* Busy polling ends; value: 1 if it found something. */
DEFINE_EVENT(vhost_vq_value, vhost_poll_end,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index, int value),
	TP_ARGS(vq, dev, index, value));

/* Something malformed was rejected; name: as the counter is called. */
TRACE_EVENT(vhost_reject,
	TP_PROTO(const struct vhc_vq *vq, u32 dev, u32 index, const char *name),
	TP_ARGS(vq, dev, index, name),
	TP_STRUCT__entry(
		VHC_TRACE_FIELDS
		__string(name, name)
	),
	TP_fast_assign(
		VHC_TRACE_ASSIGN;
		__assign_str(name);
	),
	TP_printk(VHC_TRACE_FMT " name=%s", VHC_TRACE_ARGS, __get_str(name))
);

#endif /* VHOST_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
