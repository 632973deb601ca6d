/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef VHOST_COMPAT_LINUX_VHOST_H
#define VHOST_COMPAT_LINUX_VHOST_H

#include_next <linux/vhost.h>

/* Since 6.18. Only the ioctl numbers are needed; the struct is read by words. */
#ifndef VHOST_GET_FEATURES_ARRAY
struct vhost_features_array {
	__u64 count;
	__u64 features[] __counted_by(count);
};

#define VHOST_GET_FEATURES_ARRAY \
	_IOR(VHOST_VIRTIO, 0x83, struct vhost_features_array)
#define VHOST_SET_FEATURES_ARRAY \
	_IOW(VHOST_VIRTIO, 0x83, struct vhost_features_array)
#endif

/* Since 6.17. */
#ifndef VHOST_FORK_OWNER_KTHREAD
#define VHOST_FORK_OWNER_KTHREAD 0
#define VHOST_FORK_OWNER_TASK 1
#define VHOST_SET_FORK_FROM_OWNER _IOW(VHOST_VIRTIO, 0x84, __u8)
#define VHOST_GET_FORK_FROM_OWNER _IOR(VHOST_VIRTIO, 0x85, __u8)
#endif

#endif
