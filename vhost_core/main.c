// SPDX-License-Identifier: GPL-2.0
/*
 * vhost_core: the host's half of virtio devices, in the kernel.
 *
 * A VMM opens /dev/vhost-net (or -blk, -vsock), and says by ioctl where the
 * guest's memory is in its own address space, where the virtqueues are in that
 * memory, and which eventfds stand for notifications. From then on a worker
 * thread moves the data, and the VMM is not in the way:
 *
 *	guest			VMM (QEMU ...)		host kernel
 *	-----			--------------		-----------
 *	driver	--- kick: eventfd ----------------->	worker thread, which
 *	rings	<-- guest memory = VMM's memory --->	  uses the VMM's mm
 *	driver	<-- call: eventfd ------------------	  |
 *			set-up: ioctls ------------>	  backend: tap, disk ...
 *
 * Modules and files
 *
 *	A device module (vhost_net ...) registers a struct vhc_driver and knows
 *	vhost_core.h only. In the core, one file is one thing:
 *
 *	ring/	  the ring format: pure C, shared with the tests
 *	vq.c	  ring + memory + notification: the verbs of device modules
 *	vq_setup.c  a queue's life: its ring is mapped, it starts and stops
 *	mem.c	  memory table: guest address to VMM address
 *	iotlb.c	  the same through an IOMMU of the VMM
 *	worker.c  threads and what they have to do
 *	notify.c  eventfds, busy polling, a queue's turn
 *	log.c	  dirty pages, for live migration
 *	dev.c	  open file, owner, features, teardown
 *	node.c	  nodes by name, of devices with an object behind them
 *	ioctl.c	  the classic dialect of user space
 *	vdpa.c	  the vhost-vdpa dialect
 *	stats.c	  counters; trace.h: tracepoints
 *	registry.c  the open devices, for netlink*.c: the admin's view of them
 *
 * States
 *
 *	A device is without owner, or owned: SET_OWNER takes the caller's mm and
 *	starts workers; RESET_OWNER and close give all back. Only the owner's
 *	calls are served: guest memory is in its address space.
 *
 *	A queue is stopped, running, draining (what was taken is completed) or
 *	broken:
 *
 *		       vhc_vq_start()		 malformed ring, bad memory
 *		stopped ------------> running ----------------------> broken
 *		   ^	vhc_vq_stop()    |			       |
 *		   +---------------------+-----------------------------+
 *
 *	A broken queue touches nothing any more, has signalled its error
 *	eventfd, and waits for user space. Other queues do not notice.
 *
 * Threads and locks
 *
 *	dev->mutex	serialises user space's calls on a device.
 *	vq->mutex	is held by a worker for one turn of one queue, and by
 *			calls that change the queue.
 *	Order: dev->mutex, then queues by index. A worker takes one queue's.
 *
 *	The tables - memory table, IOTLB, features, log - are written with the
 *	device and all its queues locked, and read with any queue locked. So a
 *	turn sees them unchanged from its beginning to its end, at no cost per
 *	packet, and a call that changes them returns when nobody uses the old
 *	ones.
 *
 *	call_lock	is held for one eventfd_signal(): replacing the call
 *			eventfd never waits for a turn.
 *	miss_lock	guards the questions about unknown addresses.
 *	Kicks		come in any context; they set a bit and push the queue
 *			to its worker's lockless list.
 *
 *	Nothing is shared between devices but code, and the registry of those
 *	that are open. Who looks at a device from there reads numbers without
 *	any lock, and has changes made by a thread (netlink_set.c): a VMM that
 *	blocks its own device blocks nobody else.
 *
 * One packet's way (transmit)
 *
 *	The guest adds a chain and kicks: the eventfd's wait entry of ours
 *	(notify.c) pushes the queue to its worker (worker.c). The worker locks
 *	the queue, tells the guest not to kick, and calls the device module's
 *	run() (vhost_net/tx.c). That fetches a batch: up to 64 chains are
 *	copied out of the ring in one window of user access (ring/split.c),
 *	checked as copies (ring/chain.c), translated into the VMM's addresses
 *	(vq.c). It copies the packets, hands them to the tap in one call,
 *	records all chains as used, publishes them with one index store, and
 *	signals once if the guest wants that. When the ring is empty it polls
 *	for a while if asked to, enables kicks, looks once more, and is done.
 *
 *	A turn is bounded by bytes and packets; a queue with more to do goes to
 *	the end of its worker's list.
 *
 * The guest is hostile
 *
 *	What it writes is loaded once, into private memory, and checked there.
 *	Every way to be malformed has a name (ring/ring.h, stats.h) that is
 *	the counter's, the tracepoint's, the log line's and the test's.
 */
#include <linux/export.h>
#include <linux/module.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

unsigned int vhc_max_mem_regions = 512;
module_param_named(max_mem_regions, vhc_max_mem_regions, uint, 0644);
MODULE_PARM_DESC(max_mem_regions,
		 "regions a memory table may have, at most 1024 (default 512)");

unsigned int vhc_max_iotlb_entries = 2048;
module_param_named(max_iotlb_entries, vhc_max_iotlb_entries, uint, 0644);
MODULE_PARM_DESC(max_iotlb_entries,
		 "translations kept for a device behind an IOMMU (default 2048)");

bool vhc_worker_per_queue;
module_param_named(worker_per_queue, vhc_worker_per_queue, bool, 0644);
MODULE_PARM_DESC(worker_per_queue,
		 "give each queue of a new owner a worker of its own (default: one for all)");

bool vhc_poll_adaptive;
module_param_named(poll_adaptive, vhc_poll_adaptive, bool, 0644);
MODULE_PARM_DESC(poll_adaptive,
		 "take the busy-loop timeout of devices opened from now on as the bound of an adaptive one (default: as fixed)");

bool vhc_worker_fifo;
module_param_named(worker_fifo, vhc_worker_fifo, bool, 0644);
MODULE_PARM_DESC(worker_fifo,
		 "run new workers as SCHED_FIFO: for workers with CPUs of their own (default: a fair share)");

static int __init vhost_core_init(void)
{
	int err = vhc_netlink_init();

	if (err)
		return err;
	vhc_stats_init();
	return 0;
}

static void __exit vhost_core_exit(void)
{
	vhc_stats_exit();
	vhc_netlink_exit();
}

module_init(vhost_core_init);
module_exit(vhost_core_exit);

MODULE_DESCRIPTION("Host side of virtio devices: rings, memory, workers");
MODULE_AUTHOR("The vhost accelerator authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
