/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What the vhost devices of this project offer beyond <linux/vhost.h>.
 *
 * All of these are ioctls on an open vhost device node, next to the stock
 * ones. Like those they may be called by the device's owner only (the process
 * that did VHOST_SET_OWNER; EPERM otherwise), if they do not say otherwise. To tell whether the modules are
 * ours ask for a worker with VHOST_EXT_GET_WORKER_INFO: in-tree vhost answers
 * ENOTTY, or ENOBUFS when it takes the worker's number for a queue's.
 *
 * Numbers 0xC0 to 0xDF of the vhost ioctl type are used here; the stock
 * header has come as far as 0x85.
 */
#ifndef _UAPI_LINUX_VHOST_EXT_H
#define _UAPI_LINUX_VHOST_EXT_H

#include <linux/types.h>
#include <linux/vhost.h>

/**
 * struct vhost_ext_worker_info - what a worker is and whom it serves
 * @worker_id: in: which worker (from VHOST_NEW_WORKER or VHOST_GET_VRING_WORKER)
 * @tid: out: thread id of the worker in the caller's pid namespace, 0 if the
 *	worker is not visible from there (it is a kernel thread and lives in
 *	the initial pid namespace)
 * @vrings: out: number of virtqueues attached to it now
 * @reserved: out: 0
 */
struct vhost_ext_worker_info {
	__u32 worker_id;
	__s32 tid;
	__u32 vrings;
	__u32 reserved;
};

/**
 * struct vhost_ext_worker_affinity - the CPUs a worker may run on
 * @worker_id: in: which worker
 * @len: in: size of @mask in bytes, a multiple of 8. A set reads at most the
 *	kernel's own mask size and requires the rest to be 0; a get wants room
 *	for the kernel's mask and fills the rest with 0.
 * @mask: user address of a CPU mask as sched_setaffinity(2) takes it
 */
struct vhost_ext_worker_affinity {
	__u32 worker_id;
	__u32 len;
	__aligned_u64 mask;
};

/*
 * Read a worker's thread id and load. Since 0.1.
 * Errors: ENODEV no such worker.
 */
#define VHOST_EXT_GET_WORKER_INFO \
	_IOWR(VHOST_VIRTIO, 0xC0, struct vhost_ext_worker_info)

/*
 * Pin a worker. The mask is cut to the CPUs that the owner's cpuset allows.
 * Since 0.1.
 * Errors: ENODEV no such worker; EINVAL nothing of the mask is left after the
 * cut, or @len is bad; E2BIG CPUs named that this kernel cannot have.
 */
#define VHOST_EXT_SET_WORKER_AFFINITY \
	_IOW(VHOST_VIRTIO, 0xC1, struct vhost_ext_worker_affinity)

/*
 * Read a worker's CPU mask. Since 0.1.
 * Errors: ENODEV no such worker; EINVAL @len too small or not a multiple of 8.
 */
#define VHOST_EXT_GET_WORKER_AFFINITY \
	_IOWR(VHOST_VIRTIO, 0xC2, struct vhost_ext_worker_affinity)

/*
 * How a virtqueue uses the time of VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
 *
 * FIXED: each time it runs out of work it polls that long before it sleeps. As
 * in-tree, and the default (unless the module parameter poll_adaptive is set).
 *
 * ADAPTIVE: it polls for a window that is at most that long. The window doubles
 * when polling found work, and when work came too late for the window but
 * within that time; else it is halved, down to no polling at all.
 */
enum vhost_ext_poll_mode {
	VHOST_EXT_POLL_FIXED,
	VHOST_EXT_POLL_ADAPTIVE,
};

/*
 * Set a virtqueue's mode, at any time; the window starts from nothing.
 * @num: an enum vhost_ext_poll_mode. Since 0.1.
 * Errors: ENOBUFS no such virtqueue; EINVAL no such mode.
 */
#define VHOST_EXT_SET_VRING_POLL_MODE \
	_IOW(VHOST_VIRTIO, 0xC3, struct vhost_vring_state)

/*
 * Read it. Since 0.1.
 * Errors: ENOBUFS no such virtqueue.
 */
#define VHOST_EXT_GET_VRING_POLL_MODE \
	_IOWR(VHOST_VIRTIO, 0xC4, struct vhost_vring_state)

/*
 * Of /dev/vhost-vsock: give the device a CID that no other guest has, and say
 * which (a __u64, 3 or more). From then on, until the file is closed or gets
 * another CID, it is taken: VHOST_VSOCK_SET_GUEST_CID of the same one on this
 * file succeeds, on others it fails with EADDRINUSE. So a management tool can
 * open the device, take a CID, and hand the file and the number to the VMM.
 * As SET_GUEST_CID it may be called before there is an owner, by anybody who has
 * the file. A CID is not handed out again as long as there are others that were
 * not. Since 0.1.
 * Errors: EADDRINUSE none is free; ENOMEM; EFAULT the CID could not be copied to
 * user space (the device keeps it).
 */
#define VHOST_VSOCK_ALLOC_CID _IOR(VHOST_VIRTIO, 0xC5, __u64)

/**
 * struct vhost_vsock_group - which group a guest is in
 * @guest_cid: the guest's CID
 * @group: a number that means a group, or 0 for none
 * @reserved: 0
 */
struct vhost_vsock_group {
	__u64 guest_cid;
	__u32 group;
	__u32 reserved;
};

/*
 * Put a guest into a group. Guests of the same group may talk to each other by
 * their CIDs, as long as the network namespaces of their devices let them; a
 * guest is in none until it is put in one, and leaves it with its CID's device.
 * Connections to guests of the group that it leaves are reset. Any open file of
 * /dev/vhost-vsock will do, of an owner or not; the guest is looked for in the
 * caller's network namespace. Needs CAP_NET_ADMIN. Since 0.1.
 * Errors: EPERM; EINVAL @reserved is not 0; ENODEV no such guest; ENOMEM.
 */
#define VHOST_VSOCK_SET_GROUP _IOW(VHOST_VIRTIO, 0xC6, struct vhost_vsock_group)

#endif /* _UAPI_LINUX_VHOST_EXT_H */
