/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMM's half of a test: guest memory, and the vhost device's ioctls.
 *
 * Every function that makes a system call returns its result or the negative
 * errno; nothing here prints or exits.
 */
#ifndef VHOST_TEST_VMM_H
#define VHOST_TEST_VMM_H

#include <stdbool.h>
#include <stddef.h>

#include "uapi.h"

#define VMM_REGIONS	8
#define VMM_VQS		2

/* Queue indices of a vhost-net device. */
#define VMM_RX		0
#define VMM_TX		1

/*
 * Where guest memory begins unless told otherwise: not at 0, so that a guest
 * address mistaken for an offset or for a user address shows.
 */
#define VMM_GPA		0x100000000ULL

/**
 * struct vmm_region - a stretch of guest memory
 * @gpa: guest physical address
 * @size: bytes
 * @hva: where it is mapped here
 * @used: bytes that vmm_alloc() handed out
 */
struct vmm_region {
	__u64 gpa;
	size_t size;
	char *hva;
	size_t used;
};

/**
 * struct vmm - a virtual machine monitor with one vhost device
 * @fd: the device
 * @nr_region: entries in @region
 * @region: guest memory
 * @translate: offset that vmm_addr() adds to a guest address to make an I/O
 *	virtual address; 0 without an IOMMU
 * @msg_v1: send IOTLB messages of the old format
 * @stats: the device's debugfs directory, "" when there is none
 */
struct vmm {
	int fd;
	unsigned int nr_region;
	struct vmm_region region[VMM_REGIONS];
	__u64 translate;
	bool msg_v1;
	char stats[128];
};

/* Device file. vmm_open() also makes one region of @mem bytes, if not 0. */
int vmm_open(struct vmm *v, const char *node, size_t mem);
void vmm_close(struct vmm *v);
int vmm_ioctl(struct vmm *v, unsigned long req, void *arg);
int vmm_set_owner(struct vmm *v);
int vmm_reset_owner(struct vmm *v);

/* Features. */
int vmm_get_features(struct vmm *v, __u64 *features);
int vmm_set_features(struct vmm *v, __u64 features);
int vmm_get_features_array(struct vmm *v, __u64 *array, unsigned int n);
int vmm_set_features_array(struct vmm *v, const __u64 *array, unsigned int n);
int vmm_get_backend_features(struct vmm *v, __u64 *features);
int vmm_set_backend_features(struct vmm *v, __u64 features);

/* Guest memory. vmm_add_region() maps it; vmm_set_mem_table() tells the device. */
int vmm_add_region(struct vmm *v, __u64 gpa, size_t size);
int vmm_set_mem_table(struct vmm *v);
int vmm_set_mem_regions(struct vmm *v, const struct vhost_memory_region *r,
			unsigned int n, __u32 padding);
void *vmm_alloc(struct vmm *v, size_t size, size_t align);
void *vmm_alloc_in(struct vmm *v, unsigned int region, size_t size, size_t align);
/* Guest physical address of a pointer into guest memory; 0 if it is not. */
__u64 vmm_gpa(const struct vmm *v, const void *hva);
/* What a descriptor has to hold for it: the same, or its I/O address. */
__u64 vmm_addr(const struct vmm *v, const void *hva);

/* Virtqueues. */
int vmm_vring_num(struct vmm *v, unsigned int vq, unsigned int num);
int vmm_vring_base(struct vmm *v, unsigned int vq, unsigned int base);
int vmm_get_vring_base(struct vmm *v, unsigned int vq, unsigned int *base);
int vmm_vring_addr(struct vmm *v, unsigned int vq, unsigned int flags,
		   __u64 desc, __u64 avail, __u64 used, __u64 log);
int vmm_vring_kick(struct vmm *v, unsigned int vq, int fd);
int vmm_vring_call(struct vmm *v, unsigned int vq, int fd);
int vmm_vring_err(struct vmm *v, unsigned int vq, int fd);
int vmm_vring_busyloop(struct vmm *v, unsigned int vq, unsigned int us);
int vmm_get_vring_busyloop(struct vmm *v, unsigned int vq, unsigned int *us);
int vmm_net_backend(struct vmm *v, unsigned int vq, int fd);

/* Dirty log. */
int vmm_log_base(struct vmm *v, void *base);
int vmm_log_fd(struct vmm *v, int fd);

/* Workers. */
int vmm_new_worker(struct vmm *v, unsigned int *id);
int vmm_free_worker(struct vmm *v, unsigned int id);
int vmm_attach_worker(struct vmm *v, unsigned int vq, unsigned int id);
int vmm_get_worker(struct vmm *v, unsigned int vq, unsigned int *id);
int vmm_worker_info(struct vmm *v, unsigned int id,
		    struct vhost_ext_worker_info *info);
int vmm_set_affinity(struct vmm *v, unsigned int id, const void *mask,
		     unsigned int len);
int vmm_get_affinity(struct vmm *v, unsigned int id, void *mask,
		     unsigned int len);

/* Device IOTLB. A write returns 0 when the whole message was taken. */
int vmm_iotlb_send(struct vmm *v, const struct vhost_iotlb_msg *msg);
int vmm_iotlb_update(struct vmm *v, __u64 iova, __u64 size, const void *hva,
		     __u8 perm);
int vmm_iotlb_invalidate(struct vmm *v, __u64 iova, __u64 size);
int vmm_iotlb_map_all(struct vmm *v);
/* Wait up to @ms for a message from the device. -ETIMEDOUT if none came. */
int vmm_iotlb_read(struct vmm *v, struct vhost_iotlb_msg *msg, int ms);

/* Counters: the value, or -1 if the device has none of that name. */
long long vmm_counter(const struct vmm *v, unsigned int vq, const char *name);
/* All counters that are not 0, in one line, for people. */
void vmm_print_stats(const struct vmm *v, unsigned int vq);
/* A word behind a name in the queue's or (@vq < 0) the device's file. */
int vmm_stat(const struct vmm *v, int vq, const char *name, char *buf,
	     size_t size);

/* Event counters. evt_wait() returns what it read, 0 after @ms without one. */
int evt_new(void);
void evt_signal(int fd);
__u64 evt_wait(int fd, int ms);

#endif /* VHOST_TEST_VMM_H */
