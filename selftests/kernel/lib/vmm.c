// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm.h"

#define STATS_DIR "/sys/kernel/debug/vhost"

int vmm_open(struct vmm *v, const char *node, size_t mem)
{
	memset(v, 0, sizeof(*v));
	v->fd = open(node ? node : "/dev/vhost-net",
		     O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (v->fd < 0)
		return -errno;
	if (mem) {
		int err = vmm_add_region(v, VMM_GPA, mem);

		if (err) {
			vmm_close(v);
			return err;
		}
	}
	return 0;
}

void vmm_close(struct vmm *v)
{
	unsigned int i;

	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
	for (i = 0; i < v->nr_region; i++)
		munmap(v->region[i].hva, v->region[i].size);
	v->nr_region = 0;
}

int vmm_ioctl(struct vmm *v, unsigned long req, void *arg)
{
	int ret = ioctl(v->fd, req, arg);

	return ret < 0 ? -errno : ret;
}

/*
 * The directory is <pid>-<name>-<n>: among those of our pid, the one with the
 * largest n was made last.
 */
static void find_stats(struct vmm *v)
{
	int best = -1, pid = getpid();
	struct dirent *entry;
	DIR *dir;

	v->stats[0] = '\0';
	dir = opendir(STATS_DIR);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		int owner, n, end = 0;

		if (sscanf(entry->d_name, "%d-%*[^-]-%d%n", &owner, &n, &end) != 2 ||
		    entry->d_name[end] || owner != pid || n <= best)
			continue;
		best = n;
		snprintf(v->stats, sizeof(v->stats), STATS_DIR "/%.80s",
			 entry->d_name);
	}
	closedir(dir);
}

int vmm_set_owner(struct vmm *v)
{
	int err = vmm_ioctl(v, VHOST_SET_OWNER, NULL);

	if (!err)
		find_stats(v);
	return err;
}

int vmm_reset_owner(struct vmm *v)
{
	return vmm_ioctl(v, VHOST_RESET_OWNER, NULL);
}

int vmm_get_features(struct vmm *v, __u64 *features)
{
	return vmm_ioctl(v, VHOST_GET_FEATURES, features);
}

int vmm_set_features(struct vmm *v, __u64 features)
{
	return vmm_ioctl(v, VHOST_SET_FEATURES, &features);
}

int vmm_get_features_array(struct vmm *v, __u64 *array, unsigned int n)
{
	__u64 buf[1 + 64];
	int ret;

	/* What the device does not write must not look like an answer. */
	memset(buf, 0xff, sizeof(buf));
	buf[0] = n;
	ret = vmm_ioctl(v, VHOST_GET_FEATURES_ARRAY, buf);
	memcpy(array, buf + 1, n * sizeof(*array));
	return ret;
}

int vmm_set_features_array(struct vmm *v, const __u64 *array, unsigned int n)
{
	__u64 buf[1 + 64] = { n };

	memcpy(buf + 1, array, n * sizeof(*array));
	return vmm_ioctl(v, VHOST_SET_FEATURES_ARRAY, buf);
}

int vmm_get_backend_features(struct vmm *v, __u64 *features)
{
	return vmm_ioctl(v, VHOST_GET_BACKEND_FEATURES, features);
}

int vmm_set_backend_features(struct vmm *v, __u64 features)
{
	return vmm_ioctl(v, VHOST_SET_BACKEND_FEATURES, &features);
}

int vmm_add_region(struct vmm *v, __u64 gpa, size_t size)
{
	struct vmm_region *r;
	void *mem;

	if (v->nr_region == VMM_REGIONS)
		return -ENOSPC;
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return -errno;
	r = &v->region[v->nr_region++];
	r->gpa = gpa;
	r->size = size;
	r->hva = mem;
	r->used = 0;
	return 0;
}

int vmm_set_mem_regions(struct vmm *v, const struct vhost_memory_region *r,
			unsigned int n, __u32 padding)
{
	struct vhost_memory *m;
	int ret;

	m = malloc(sizeof(*m) + n * sizeof(*r));
	if (!m)
		return -ENOMEM;
	m->nregions = n;
	m->padding = padding;
	if (n)
		memcpy(m->regions, r, n * sizeof(*r));
	ret = vmm_ioctl(v, VHOST_SET_MEM_TABLE, m);
	free(m);
	return ret;
}

int vmm_set_mem_table(struct vmm *v)
{
	struct vhost_memory_region r[VMM_REGIONS];
	unsigned int i;

	for (i = 0; i < v->nr_region; i++) {
		r[i].guest_phys_addr = v->region[i].gpa;
		r[i].memory_size = v->region[i].size;
		r[i].userspace_addr = (uintptr_t)v->region[i].hva;
		r[i].flags_padding = 0;
	}
	return vmm_set_mem_regions(v, r, v->nr_region, 0);
}

void *vmm_alloc_in(struct vmm *v, unsigned int region, size_t size, size_t align)
{
	struct vmm_region *r = &v->region[region];
	size_t at = (r->used + align - 1) & -align;

	if (at + size > r->size)
		return NULL;
	r->used = at + size;
	return r->hva + at;
}

void *vmm_alloc(struct vmm *v, size_t size, size_t align)
{
	return vmm_alloc_in(v, 0, size, align);
}

__u64 vmm_gpa(const struct vmm *v, const void *hva)
{
	unsigned int i;

	for (i = 0; i < v->nr_region; i++) {
		const struct vmm_region *r = &v->region[i];
		size_t off = (const char *)hva - r->hva;

		if (off < r->size)
			return r->gpa + off;
	}
	return 0;
}

__u64 vmm_addr(const struct vmm *v, const void *hva)
{
	return vmm_gpa(v, hva) + v->translate;
}

static int vring_state(struct vmm *v, unsigned long req, unsigned int vq,
		       unsigned int num)
{
	struct vhost_vring_state s = { .index = vq, .num = num };

	return vmm_ioctl(v, req, &s);
}

static int vring_file(struct vmm *v, unsigned long req, unsigned int vq, int fd)
{
	struct vhost_vring_file f = { .index = vq, .fd = fd };

	return vmm_ioctl(v, req, &f);
}

int vmm_vring_num(struct vmm *v, unsigned int vq, unsigned int num)
{
	return vring_state(v, VHOST_SET_VRING_NUM, vq, num);
}

int vmm_vring_base(struct vmm *v, unsigned int vq, unsigned int base)
{
	return vring_state(v, VHOST_SET_VRING_BASE, vq, base);
}

int vmm_get_vring_base(struct vmm *v, unsigned int vq, unsigned int *base)
{
	struct vhost_vring_state s = { .index = vq, .num = ~0u };
	int ret = vmm_ioctl(v, VHOST_GET_VRING_BASE, &s);

	*base = s.num;
	return ret;
}

int vmm_vring_addr(struct vmm *v, unsigned int vq, unsigned int flags,
		   __u64 desc, __u64 avail, __u64 used, __u64 log)
{
	struct vhost_vring_addr a = {
		.index = vq,
		.flags = flags,
		.desc_user_addr = desc,
		.avail_user_addr = avail,
		.used_user_addr = used,
		.log_guest_addr = log,
	};

	return vmm_ioctl(v, VHOST_SET_VRING_ADDR, &a);
}

int vmm_vring_kick(struct vmm *v, unsigned int vq, int fd)
{
	return vring_file(v, VHOST_SET_VRING_KICK, vq, fd);
}

int vmm_vring_call(struct vmm *v, unsigned int vq, int fd)
{
	return vring_file(v, VHOST_SET_VRING_CALL, vq, fd);
}

int vmm_vring_err(struct vmm *v, unsigned int vq, int fd)
{
	return vring_file(v, VHOST_SET_VRING_ERR, vq, fd);
}

int vmm_vring_busyloop(struct vmm *v, unsigned int vq, unsigned int us)
{
	return vring_state(v, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, vq, us);
}

int vmm_get_vring_busyloop(struct vmm *v, unsigned int vq, unsigned int *us)
{
	struct vhost_vring_state s = { .index = vq, .num = ~0u };
	int ret = vmm_ioctl(v, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &s);

	*us = s.num;
	return ret;
}

int vmm_net_backend(struct vmm *v, unsigned int vq, int fd)
{
	return vring_file(v, VHOST_NET_SET_BACKEND, vq, fd);
}

int vmm_log_base(struct vmm *v, void *base)
{
	__u64 p = (uintptr_t)base;

	return vmm_ioctl(v, VHOST_SET_LOG_BASE, &p);
}

int vmm_log_fd(struct vmm *v, int fd)
{
	return vmm_ioctl(v, VHOST_SET_LOG_FD, &fd);
}

int vmm_new_worker(struct vmm *v, unsigned int *id)
{
	struct vhost_worker_state s = { .worker_id = ~0u };
	int ret = vmm_ioctl(v, VHOST_NEW_WORKER, &s);

	*id = s.worker_id;
	return ret;
}

int vmm_free_worker(struct vmm *v, unsigned int id)
{
	struct vhost_worker_state s = { .worker_id = id };

	return vmm_ioctl(v, VHOST_FREE_WORKER, &s);
}

int vmm_attach_worker(struct vmm *v, unsigned int vq, unsigned int id)
{
	struct vhost_vring_worker w = { .index = vq, .worker_id = id };

	return vmm_ioctl(v, VHOST_ATTACH_VRING_WORKER, &w);
}

int vmm_get_worker(struct vmm *v, unsigned int vq, unsigned int *id)
{
	struct vhost_vring_worker w = { .index = vq, .worker_id = ~0u };
	int ret = vmm_ioctl(v, VHOST_GET_VRING_WORKER, &w);

	*id = w.worker_id;
	return ret;
}

int vmm_worker_info(struct vmm *v, unsigned int id,
		    struct vhost_ext_worker_info *info)
{
	memset(info, 0xff, sizeof(*info));
	info->worker_id = id;
	return vmm_ioctl(v, VHOST_EXT_GET_WORKER_INFO, info);
}

int vmm_set_affinity(struct vmm *v, unsigned int id, const void *mask,
		     unsigned int len)
{
	struct vhost_ext_worker_affinity a = {
		.worker_id = id,
		.len = len,
		.mask = (uintptr_t)mask,
	};

	return vmm_ioctl(v, VHOST_EXT_SET_WORKER_AFFINITY, &a);
}

int vmm_get_affinity(struct vmm *v, unsigned int id, void *mask,
		     unsigned int len)
{
	struct vhost_ext_worker_affinity a = {
		.worker_id = id,
		.len = len,
		.mask = (uintptr_t)mask,
	};

	return vmm_ioctl(v, VHOST_EXT_GET_WORKER_AFFINITY, &a);
}

int vmm_iotlb_send(struct vmm *v, const struct vhost_iotlb_msg *msg)
{
	struct vhost_msg_v2 m2;
	struct vhost_msg m1;
	const void *buf = &m2;
	size_t size = sizeof(m2);
	ssize_t n;

	memset(&m1, 0, sizeof(m1));
	memset(&m2, 0, sizeof(m2));
	m1.type = VHOST_IOTLB_MSG;
	m1.iotlb = *msg;
	m2.type = VHOST_IOTLB_MSG_V2;
	m2.iotlb = *msg;
	if (v->msg_v1) {
		buf = &m1;
		size = sizeof(m1);
	}
	n = write(v->fd, buf, size);
	if (n < 0)
		return -errno;
	return n == (ssize_t)size ? 0 : -EIO;
}

int vmm_iotlb_update(struct vmm *v, __u64 iova, __u64 size, const void *hva,
		     __u8 perm)
{
	struct vhost_iotlb_msg msg = {
		.iova = iova,
		.size = size,
		.uaddr = (uintptr_t)hva,
		.perm = perm,
		.type = VHOST_IOTLB_UPDATE,
	};

	return vmm_iotlb_send(v, &msg);
}

int vmm_iotlb_invalidate(struct vmm *v, __u64 iova, __u64 size)
{
	struct vhost_iotlb_msg msg = {
		.iova = iova,
		.size = size,
		.type = VHOST_IOTLB_INVALIDATE,
	};

	return vmm_iotlb_send(v, &msg);
}

int vmm_iotlb_map_all(struct vmm *v)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < v->nr_region && !err; i++)
		err = vmm_iotlb_update(v, v->region[i].gpa + v->translate,
				       v->region[i].size, v->region[i].hva,
				       VHOST_ACCESS_RW);
	return err;
}

int vmm_iotlb_read(struct vmm *v, struct vhost_iotlb_msg *msg, int ms)
{
	struct pollfd p = { .fd = v->fd, .events = POLLIN };
	union {
		struct vhost_msg v1;
		struct vhost_msg_v2 v2;
	} m;
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return -ETIMEDOUT;
	n = read(v->fd, &m, v->msg_v1 ? sizeof(m.v1) : sizeof(m.v2));
	if (n < 0)
		return -errno;
	if (n != (ssize_t)(v->msg_v1 ? sizeof(m.v1) : sizeof(m.v2)))
		return -EIO;
	if (m.v2.type != (v->msg_v1 ? VHOST_IOTLB_MSG : VHOST_IOTLB_MSG_V2))
		return -EPROTO;
	*msg = v->msg_v1 ? m.v1.iotlb : m.v2.iotlb;
	return 0;
}

int vmm_stat(const struct vmm *v, int vq, const char *name, char *buf,
	     size_t size)
{
	char path[160], line[256];
	size_t len = strlen(name);
	int ret = -ENOENT;
	FILE *f;

	if (!v->stats[0])
		return -ENOENT;
	if (vq < 0)
		snprintf(path, sizeof(path), "%s/info", v->stats);
	else
		snprintf(path, sizeof(path), "%s/vq%d", v->stats, vq);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		char *val = line + len;

		if (strncmp(line, name, len) || (*val != ' ' && *val != '\t'))
			continue;
		val += strspn(val, " \t");
		val[strcspn(val, "\n")] = '\0';
		snprintf(buf, size, "%s", val);
		ret = 0;
		break;
	}
	fclose(f);
	return ret;
}

long long vmm_counter(const struct vmm *v, unsigned int vq, const char *name)
{
	char buf[32];

	if (vmm_stat(v, vq, name, buf, sizeof(buf)))
		return -1;
	return strtoll(buf, NULL, 0);
}

void vmm_print_stats(const struct vmm *v, unsigned int vq)
{
	char path[160], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/vq%u", v->stats, vq);
	f = v->stats[0] ? fopen(path, "re") : NULL;
	if (!f)
		return;
	printf(" device:");
	while (fgets(line, sizeof(line), f)) {
		size_t len = strcspn(line, "\n");

		line[len] = '\0';
		if (len > 2 && strcmp(line + len - 2, " 0"))
			printf(" %s,", line);
	}
	fclose(f);
}

int evt_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

void evt_signal(int fd)
{
	/* Fails only when the counter is full, which signals as well. */
	eventfd_write(fd, 1);
}

__u64 evt_wait(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	eventfd_t val;

	if (!eventfd_read(fd, &val))
		return val;
	if (!ms || poll(&p, 1, ms) <= 0 || eventfd_read(fd, &val))
		return 0;
	return val;
}
