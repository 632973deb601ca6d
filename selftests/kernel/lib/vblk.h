/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk for tests: made of a file or a block device, opened, and driven as a
 * guest would.
 *
 *	ring[0..] -> /dev/vhost-blk/NAME -> backing
 *
 * A step that fails ends the running test.
 */
#ifndef VHOST_TEST_VBLK_H
#define VHOST_TEST_VBLK_H

#include <linux/vhost_blk.h>
#include <linux/virtio_blk.h>

#include "gdrv.h"
#include "vmm.h"

#define VBLK_CONTROL	"/dev/vhost-blk/control"
#define VBLK_QUEUES	2
#define VBLK_RING	64
#define VBLK_SECTORS	(16u << 11)	/* of a new backing: 16 MiB */

/**
 * struct vblk - a disk and a device that drives it
 * @vmm: the device: memory, node, IOTLB
 * @name: the disk's name
 * @backing: path of its backing
 * @features: negotiated
 * @ring: the virtqueues
 * @queues: number of them
 */
struct vblk {
	struct vmm vmm;
	char name[VHOST_BLK_NAME_LEN];
	char backing[128];
	__u64 features;
	struct gring ring[VBLK_QUEUES];
	unsigned int queues;
};

/**
 * struct vreq - a request in guest memory
 * @hdr: what the device reads first
 * @data: data, of either direction
 * @status: where the device says how it went
 * @len: bytes of data
 * @used: bytes that the device says it wrote
 */
struct vreq {
	struct virtio_blk_outhdr *hdr;
	unsigned char *data;
	__u8 *status;
	__u32 len;
	__u32 used;
	bool done;
};

/* Control node. vblk_add() and vblk_del() return 0 or the negative errno. */
int vblk_add(const char *name, int fd, unsigned int queues, unsigned int flags);
int vblk_del(const char *name);

/* A disk on a new file, or on @path; opened with these flags as well. */
extern int vblk_open_flags;
void vblk_make(struct vblk *d, const char *path, unsigned int queues, unsigned int flags);
/* Deletes what the test that was process @pid made: for test_after. */
void vblk_after(int pid);
/* Open it and get as far as FEATURES_OK, then as far as DRIVER_OK. */
void vblk_open(struct vblk *d, __u64 features);
void vblk_start(struct vblk *d);
void vblk_close(struct vblk *d);
/* All of the above, in the mode of the test, with all features that are offered. */
void vblk_up(struct vblk *d, const char *path, unsigned int queues, unsigned int flags);

/* The vdpa dialect. */
int vblk_status(struct vblk *d, __u8 status);
int vblk_get_status(struct vblk *d);
int vblk_enable(struct vblk *d, unsigned int vq, unsigned int on);
int vblk_get_config(struct vblk *d, __u32 off, void *buf, __u32 len);
int vblk_set_config(struct vblk *d, __u32 off, const void *buf, __u32 len);

/* Requests. */
struct vreq *vblk_req(struct vblk *d, __u32 type, __u64 sector, __u32 len);
void vblk_submit(struct vblk *d, unsigned int vq, struct vreq *r);
/* Wait until the request is done, and return its status. */
int vblk_wait(struct vblk *d, unsigned int vq, struct vreq *r);
/* Submit and wait. */
int vblk_do(struct vblk *d, struct vreq *r);
/* The backing itself. */
void vblk_peek(struct vblk *d, __u64 sector, void *buf, __u32 len);
void vblk_poke(struct vblk *d, __u64 sector, const void *buf, __u32 len);

/* A null_blk disk: @n pairs of a setting and its value, as configfs has them. */
void vblk_null_disk(const char *name, const char *const set[][2], unsigned int n);

#endif /* VHOST_TEST_VBLK_H */
