/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The generic netlink family "vhost": to see vhost devices, their virtqueues
 * and workers, and to steer them. tools/ynl/vhost.yaml is the same for
 * programs; names and numbers are equal. Since 0.1.
 *
 * Who may call. Every operation wants CAP_NET_ADMIN in the user namespace that
 * owns the network namespace of the socket; reading, too, since counters tell
 * how busy other people's guests are. The group wants it likewise. Only
 * VHOST_CMD_WORKER_SCHED_SET wants CAP_NET_ADMIN and CAP_SYS_NICE in the
 * initial user namespace: a container must not give itself real-time priority.
 *
 * Who sees what. A device belongs to the network namespace in which its node
 * was opened, for as long as it is open. A socket sees and steers the devices
 * of its own network namespace; one in the initial network namespace, the
 * host's, all. What a caller does not see does not exist for it (ENOENT).
 * Process and thread ids are those of the caller's pid namespace, 0 for what
 * is not visible there; workers are kernel threads, and live in the initial
 * one.
 *
 * Reading waits for nothing: a queue is looked at while it runs. So each value
 * is exact, but those of one message need not be of the same moment.
 *
 * Dumps: if a device or worker came or went since the dump began, messages
 * after that (the last one, NLMSG_DONE, included) have the flag
 * NLM_F_DUMP_INTR. Without it the dump is complete.
 *
 * Changes are made in the caller's place by a kernel thread, which waits for
 * the device; a VMM can make that long, by memory that it does not deliver.
 * After 5 seconds the caller gets EINPROGRESS, after a signal EINTR: in both
 * cases the change is still made as soon as the device allows. A device has one
 * change under way at a time: a caller that does not get its turn within 5
 * seconds, or is interrupted while waiting, gets EBUSY, and nothing is changed.
 *
 * Errors of all operations: EPERM; EINVAL an attribute is missing, unknown or
 * of a wrong type; ERANGE a number is out of its range; ENOENT no such device,
 * virtqueue or worker; ENOMEM. Messages are in the extended ACK.
 */
#ifndef _UAPI_LINUX_VHOST_NETLINK_H
#define _UAPI_LINUX_VHOST_NETLINK_H

#define VHOST_FAMILY_NAME	"vhost"
#define VHOST_FAMILY_VERSION	1

/* The multicast group of notifications. */
#define VHOST_MCGRP_MONITOR	"monitor"

/* The longest busy polling that may be set, in microseconds. */
#define VHOST_POLL_US_MAX	1000000

/* The longest CPU mask that is understood, in bytes. */
#define VHOST_CPUS_BYTES_MAX	1024

/**
 * enum vhost_dev_state - what a device does
 * @VHOST_DEV_STATE_UNOWNED: open, but without owner: no worker, no memory
 * @VHOST_DEV_STATE_OWNED: has an owner, and no virtqueue runs
 * @VHOST_DEV_STATE_RUNNING: at least one virtqueue runs, none is broken
 * @VHOST_DEV_STATE_BROKEN: at least one virtqueue is broken
 */
enum vhost_dev_state {
	VHOST_DEV_STATE_UNOWNED,
	VHOST_DEV_STATE_OWNED,
	VHOST_DEV_STATE_RUNNING,
	VHOST_DEV_STATE_BROKEN,
};

/**
 * enum vhost_vq_state - what a virtqueue does
 * @VHOST_VQ_STATE_STOPPED: nothing; it has no backend
 * @VHOST_VQ_STATE_RUNNING: it is served
 * @VHOST_VQ_STATE_DRAINING: what was taken is completed, then it stops
 * @VHOST_VQ_STATE_BROKEN: its ring was malformed or not accessible; it waits
 *	for user space to start it again
 */
enum vhost_vq_state {
	VHOST_VQ_STATE_STOPPED,
	VHOST_VQ_STATE_RUNNING,
	VHOST_VQ_STATE_DRAINING,
	VHOST_VQ_STATE_BROKEN,
};

/**
 * enum vhost_vq_layout - format of a ring
 * @VHOST_VQ_LAYOUT_SPLIT: virtio 1.2, section 2.7
 * @VHOST_VQ_LAYOUT_PACKED: section 2.8
 */
enum vhost_vq_layout {
	VHOST_VQ_LAYOUT_SPLIT,
	VHOST_VQ_LAYOUT_PACKED,
};

/**
 * enum vhost_poll_mode - how busy polling uses its time; as in vhost_ext.h
 * @VHOST_POLL_MODE_FIXED: all of it, before each sleep
 * @VHOST_POLL_MODE_ADAPTIVE: a window of at most that, as it pays
 */
enum vhost_poll_mode {
	VHOST_POLL_MODE_FIXED,
	VHOST_POLL_MODE_ADAPTIVE,
};

/**
 * enum vhost_sched_policy - scheduling classes, numbers as SCHED_*
 * @VHOST_SCHED_POLICY_NORMAL: a fair share; @VHOST_A_WORKER_NICE weighs it
 * @VHOST_SCHED_POLICY_FIFO: real-time, until it sleeps
 * @VHOST_SCHED_POLICY_RR: real-time in turns (not to be set here)
 * @VHOST_SCHED_POLICY_BATCH: as NORMAL, but waits when it is woken on a busy CPU:
 *	so that who wakes it has more for it; virtqueues' own workers can be such
 * @VHOST_SCHED_POLICY_ISO: reserved by the kernel
 * @VHOST_SCHED_POLICY_IDLE: (not to be set here)
 * @VHOST_SCHED_POLICY_DEADLINE: (not to be set here)
 * @VHOST_SCHED_POLICY_EXT: by a BPF program (not to be set here)
 */
enum vhost_sched_policy {
	VHOST_SCHED_POLICY_NORMAL,
	VHOST_SCHED_POLICY_FIFO,
	VHOST_SCHED_POLICY_RR,
	VHOST_SCHED_POLICY_BATCH,
	VHOST_SCHED_POLICY_ISO,
	VHOST_SCHED_POLICY_IDLE,
	VHOST_SCHED_POLICY_DEADLINE,
	VHOST_SCHED_POLICY_EXT,
};

/**
 * enum vhost_a_dev - a device
 * @VHOST_A_DEV_ID: u32, from 1; the same while the file is open, and not used
 *	again soon
 * @VHOST_A_DEV_DRIVER: string: "net", "blk", "vsock"
 * @VHOST_A_DEV_NODE: string: its node below /dev ("vhost-net"), or of a disk
 *	its name
 * @VHOST_A_DEV_STATE: u32, enum vhost_dev_state
 * @VHOST_A_DEV_OWNER_PID: u32, process id of the owner (the VMM), 0 if it has
 *	exited; absent without one
 * @VHOST_A_DEV_OWNER_COMM: string, its name; absent without owner
 * @VHOST_A_DEV_VQS: u32, how many virtqueues it has
 * @VHOST_A_DEV_WORKERS: u32, how many workers
 * @VHOST_A_DEV_FEATURES: uint, virtio features agreed on, bits 0 to 63
 * @VHOST_A_DEV_FEATURES_HIGH: uint, bits 64 to 127
 * @VHOST_A_DEV_NETNS_COOKIE: uint, its network namespace, as SO_NETNS_COOKIE
 *	names it
 * @VHOST_A_DEV_CID: u32, the guest's context id (AF_VSOCK); absent without one
 */
enum vhost_a_dev {
	VHOST_A_DEV_ID = 1,
	VHOST_A_DEV_DRIVER,
	VHOST_A_DEV_NODE,
	VHOST_A_DEV_STATE,
	VHOST_A_DEV_OWNER_PID,
	VHOST_A_DEV_OWNER_COMM,
	VHOST_A_DEV_VQS,
	VHOST_A_DEV_WORKERS,
	VHOST_A_DEV_FEATURES,
	VHOST_A_DEV_FEATURES_HIGH,
	VHOST_A_DEV_NETNS_COOKIE,
	VHOST_A_DEV_CID,

	__VHOST_A_DEV_MAX,
	VHOST_A_DEV_MAX = (__VHOST_A_DEV_MAX - 1)
};

/**
 * enum vhost_a_vq - a virtqueue
 * @VHOST_A_VQ_DEV_ID: u32, its device
 * @VHOST_A_VQ_INDEX: u32, from 0
 * @VHOST_A_VQ_NAME: string: "rx", "tx", or the index
 * @VHOST_A_VQ_STATE: u32, enum vhost_vq_state
 * @VHOST_A_VQ_LAYOUT: u32, enum vhost_vq_layout
 * @VHOST_A_VQ_SIZE: u32, entries of its ring; 0 before it is set up
 * @VHOST_A_VQ_LAST_AVAIL: u32, next available index (packed: slot) to take
 * @VHOST_A_VQ_LAST_USED: u32, next used index (packed: slot) to write
 * @VHOST_A_VQ_IN_FLIGHT: u32, chains taken and not completed
 * @VHOST_A_VQ_WORKER_ID: u32, who serves it; absent without worker
 * @VHOST_A_VQ_POLL_MODE: u32, enum vhost_poll_mode
 * @VHOST_A_VQ_POLL_US: u32, how long it may busy poll, microseconds
 * @VHOST_A_VQ_POLL_WINDOW_NS: uint, how long it would now, nanoseconds
 * @VHOST_A_VQ_COUNTER: nest of enum vhost_a_counter, one for each counter
 * @VHOST_A_VQ_REJECTION: string, the name of what broke it, which is a
 *	counter's as well
 */
enum vhost_a_vq {
	VHOST_A_VQ_DEV_ID = 1,
	VHOST_A_VQ_INDEX,
	VHOST_A_VQ_NAME,
	VHOST_A_VQ_STATE,
	VHOST_A_VQ_LAYOUT,
	VHOST_A_VQ_SIZE,
	VHOST_A_VQ_LAST_AVAIL,
	VHOST_A_VQ_LAST_USED,
	VHOST_A_VQ_IN_FLIGHT,
	VHOST_A_VQ_WORKER_ID,
	VHOST_A_VQ_POLL_MODE,
	VHOST_A_VQ_POLL_US,
	VHOST_A_VQ_POLL_WINDOW_NS,
	VHOST_A_VQ_COUNTER,
	VHOST_A_VQ_REJECTION,

	__VHOST_A_VQ_MAX,
	VHOST_A_VQ_MAX = (__VHOST_A_VQ_MAX - 1)
};

/**
 * enum vhost_a_counter - a counter of a virtqueue
 * @VHOST_A_COUNTER_NAME: string; docs/reference.md says what is counted
 * @VHOST_A_COUNTER_VALUE: uint, since the owner took the device
 */
enum vhost_a_counter {
	VHOST_A_COUNTER_NAME = 1,
	VHOST_A_COUNTER_VALUE,

	__VHOST_A_COUNTER_MAX,
	VHOST_A_COUNTER_MAX = (__VHOST_A_COUNTER_MAX - 1)
};

/**
 * enum vhost_a_worker - a worker
 * @VHOST_A_WORKER_DEV_ID: u32, its device
 * @VHOST_A_WORKER_ID: u32, as VHOST_NEW_WORKER of <linux/vhost.h> returns it
 * @VHOST_A_WORKER_TID: u32, thread id
 * @VHOST_A_WORKER_CPUS: binary, the CPUs it may run on: 32-bit words of the
 *	machine's byte order, CPU n is bit n % 32 of word n / 32
 * @VHOST_A_WORKER_POLICY: u32, enum vhost_sched_policy
 * @VHOST_A_WORKER_PRIORITY: u32, 1 to 99 if real-time, else 0
 * @VHOST_A_WORKER_NICE: s32, -20 to 19
 * @VHOST_A_WORKER_VQS: u32, how many virtqueues it serves
 * @VHOST_A_WORKER_VQ: u32, the index of one of them; as often as there are
 * @VHOST_A_WORKER_ERRNO: u32, why pinning it failed
 */
enum vhost_a_worker {
	VHOST_A_WORKER_DEV_ID = 1,
	VHOST_A_WORKER_ID,
	VHOST_A_WORKER_TID,
	VHOST_A_WORKER_CPUS,
	VHOST_A_WORKER_POLICY,
	VHOST_A_WORKER_PRIORITY,
	VHOST_A_WORKER_NICE,
	VHOST_A_WORKER_VQS,
	VHOST_A_WORKER_VQ,
	VHOST_A_WORKER_ERRNO,

	__VHOST_A_WORKER_MAX,
	VHOST_A_WORKER_MAX = (__VHOST_A_WORKER_MAX - 1)
};

/**
 * enum vhost_cmd - operations and notifications
 * @VHOST_CMD_DEV_GET: get the device DEV_ID, or dump all.
 * @VHOST_CMD_VQ_GET: get the virtqueue VQ_DEV_ID, VQ_INDEX; or dump all, or
 *	all of VQ_DEV_ID. Replies lack COUNTER and REJECTION.
 * @VHOST_CMD_WORKER_GET: get the worker WORKER_DEV_ID, WORKER_ID; or dump all,
 *	or all of WORKER_DEV_ID.
 * @VHOST_CMD_STAT_GET: dump the counters of all virtqueues, or of those of
 *	VQ_DEV_ID, or of VQ_DEV_ID, VQ_INDEX. Each message has VQ_DEV_ID, INDEX,
 *	NAME, and many COUNTERs; those of one virtqueue may take several messages.
 * @VHOST_CMD_VQ_SET: change the virtqueue VQ_DEV_ID, VQ_INDEX: move it to
 *	VQ_WORKER_ID, set VQ_POLL_MODE, set VQ_POLL_US (0 to VHOST_POLL_US_MAX).
 *	What is absent stays. Nothing is changed if there is no such worker.
 *	Errors: EINVAL nothing to change; ENOTCONN no owner.
 * @VHOST_CMD_WORKER_SET: pin the worker WORKER_DEV_ID, WORKER_ID to
 *	WORKER_CPUS, cut to what the owner's cpuset allows.
 *	Errors: EINVAL nothing is left after the cut; E2BIG CPUs that this kernel
 *	cannot have; ESRCH the owner has exited; ENOTCONN no owner.
 * @VHOST_CMD_WORKER_SCHED_SET: set WORKER_POLICY (NORMAL, BATCH or FIFO), and
 *	WORKER_NICE for the first two (0 if absent) or WORKER_PRIORITY for FIFO (1
 *	if absent). Errors: EINVAL nice for FIFO, or priority for the others; ERANGE
 *	another class; ENOTCONN no owner; what sched_setattr(2) says.
 * @VHOST_CMD_WORKER_NEW: make a worker for WORKER_DEV_ID, as VHOST_NEW_WORKER
 *	does, in the owner's cgroups. Replies with the worker. Errors: ENOSPC more
 *	than 2 * virtqueues + 1; ESRCH the owner has exited; ENOTCONN no owner.
 * @VHOST_CMD_WORKER_DEL: end the worker WORKER_DEV_ID, WORKER_ID.
 *	Errors: EBUSY it serves virtqueues; ENOTCONN no owner.
 * @VHOST_CMD_DEV_ADD_NTF: a device was opened. As DEV_GET replies.
 * @VHOST_CMD_DEV_DEL_NTF: a device was closed. As DEV_GET replies.
 * @VHOST_CMD_WORKER_ADD_NTF: a worker was made, whoever asked for it. As
 *	WORKER_GET replies.
 * @VHOST_CMD_PIN_FAIL_NTF: pinning a worker failed, whoever tried. As
 *	WORKER_GET replies, and ERRNO. CPUS is where it may run now.
 * @VHOST_CMD_VQ_BROKEN_NTF: a virtqueue broke. As VQ_GET replies, and REJECTION.
 *
 * Notifications go to the device's network namespace, and to the initial one;
 * only there they have OWNER_PID and TID, of the initial pid namespace. A
 * listener that lost some gets ENOBUFS.
 */
enum vhost_cmd {
	VHOST_CMD_DEV_GET = 1,
	VHOST_CMD_VQ_GET,
	VHOST_CMD_WORKER_GET,
	VHOST_CMD_STAT_GET,
	VHOST_CMD_VQ_SET,
	VHOST_CMD_WORKER_SET,
	VHOST_CMD_WORKER_SCHED_SET,
	VHOST_CMD_WORKER_NEW,
	VHOST_CMD_WORKER_DEL,
	VHOST_CMD_DEV_ADD_NTF,
	VHOST_CMD_DEV_DEL_NTF,
	VHOST_CMD_WORKER_ADD_NTF,
	VHOST_CMD_PIN_FAIL_NTF,
	VHOST_CMD_VQ_BROKEN_NTF,

	__VHOST_CMD_MAX,
	VHOST_CMD_MAX = (__VHOST_CMD_MAX - 1)
};

#endif /* _UAPI_LINUX_VHOST_NETLINK_H */
