/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * vhost-blk: virtio block devices whose requests the host kernel serves.
 *
 * /dev/vhost-blk/control makes and removes disks. Each is a node of its own,
 * /dev/vhost-blk/NAME, which speaks the vhost-vdpa dialect of <linux/vhost.h>;
 * QEMU (vhost-vdpa-device-pci), libblkio and libvirt take its path. A disk
 * lives until it is deleted, and can be open once at a time. Its attributes
 * are in /sys/class/vhost-blk/NAME/.
 *
 * The control node speaks the classic vhost dialect, too, as /dev/vhost-net
 * does: an open file of it is a device without a name, whose backing is set
 * with VHOST_BLK_SET_BACKEND.
 *
 * Numbers 0xE0 to 0xE7 of the vhost ioctl type are used here.
 */
#ifndef _UAPI_LINUX_VHOST_BLK_H
#define _UAPI_LINUX_VHOST_BLK_H

#include <linux/types.h>
#include <linux/vhost.h>

/* Bytes of a name, with its closing 0. */
#define VHOST_BLK_NAME_LEN	32

/* Bytes of a serial number, as GET_ID returns it; without a closing 0 if full. */
#define VHOST_BLK_SERIAL_LEN	20

/* Virtqueues that a disk may have. */
#define VHOST_BLK_QUEUES_MAX	64

/* The guest may not write. Wanted if the backing is read-only. */
#define VHOST_BLK_F_RDONLY		(1u << 0)

/* Give each virtqueue a worker of its own. */
#define VHOST_BLK_F_WORKER_PER_QUEUE	(1u << 1)

/* Poll for completions, where the block device has queues for that. */
#define VHOST_BLK_F_POLL		(1u << 2)

/* Files: go through the page cache, though the file could do without. */
#define VHOST_BLK_F_BUFFERED		(1u << 3)

/*
 * Offer split rings only. QEMU's vhost-vdpa-device-pci passes on what a disk
 * offers, so a guest that can use packed rings does.
 */
#define VHOST_BLK_F_SPLIT		(1u << 4)

/**
 * struct vhost_blk_add - a new disk
 * @name: its name, 1 to 31 characters: letters and digits of ASCII, "_", "-" and
 *	"."; not "control", and not beginning with "." or "-"
 * @fd: a block device or a regular file, open for reading, and for writing
 *	unless the disk is to be read-only. It can be closed afterwards.
 * @queues: virtqueues, 1 to VHOST_BLK_QUEUES_MAX
 * @flags: VHOST_BLK_F_*
 * @reserved: 0
 * @serial: serial number, filled up with 0
 */
struct vhost_blk_add {
	char name[VHOST_BLK_NAME_LEN];
	__s32 fd;
	__u32 queues;
	__u32 flags;
	__u32 reserved;
	char serial[VHOST_BLK_SERIAL_LEN];
};

/**
 * struct vhost_blk_del - a disk to delete
 * @name: its name
 */
struct vhost_blk_del {
	char name[VHOST_BLK_NAME_LEN];
};

/**
 * struct vhost_blk_backend - the backing of a classic device
 * @fd: as in struct vhost_blk_add; -1 to stop
 * @flags: VHOST_BLK_F_RDONLY, _POLL, _BUFFERED
 * @serial: as in struct vhost_blk_add
 */
struct vhost_blk_backend {
	__s32 fd;
	__u32 flags;
	char serial[VHOST_BLK_SERIAL_LEN];
};

/*
 * Make a disk. On the control node, with CAP_SYS_ADMIN; no owner is needed.
 * Since 0.1.
 * Errors: EPERM; EINVAL bad name, number of queues, flags or reserved; EEXIST
 * there is one of that name; EBADF no such file, or not open for what is asked;
 * EROFS the block device is read-only; ENOTBLK neither a block device nor a
 * regular file; EOPNOTSUPP a file that cannot be read or written so, or a zoned
 * block device; EBUSY the block device is mounted or otherwise claimed, or the
 * file is a disk already; EIO what was cached of the block device could not be
 * written back; ENOMEM.
 */
#define VHOST_BLK_ADD	_IOW(VHOST_VIRTIO, 0xE0, struct vhost_blk_add)

/*
 * Delete a disk. On the control node, with CAP_SYS_ADMIN. Since 0.1.
 * Errors: EPERM; EINVAL not a name; ENOENT no such disk; EBUSY it is open.
 */
#define VHOST_BLK_DEL	_IOW(VHOST_VIRTIO, 0xE1, struct vhost_blk_del)

/*
 * Set the backing of a classic device and start all of its virtqueues that
 * were set up; or, with fd -1, complete what is under way and stop them. For
 * the owner. The configuration space is the VMM's: it has to promise no more
 * than 64 MiB a request, and for DISCARD, WRITE_ZEROES and SECURE_ERASE 16
 * segments of 2^18 sectors; requests beyond that get IOERR. Since 0.1.
 * Errors: as VHOST_BLK_ADD; EBUSY it has a backing; EFAULT a ring is not
 * accessible.
 */
#define VHOST_BLK_SET_BACKEND	_IOW(VHOST_VIRTIO, 0xE2, struct vhost_blk_backend)

#endif /* _UAPI_LINUX_VHOST_BLK_H */
