// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "vblk.h"

#define WAIT_MS	20000
#define MEMORY	(64u << 20)
/* I/O addresses are the guest's and this: neither is taken for the other. */
#define IOVA	(1ULL << 40)

static int control(unsigned long req, void *arg)
{
	int fd = open(VBLK_CONTROL, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, req, arg) ? -errno : 0;
	close(fd);
	return ret;
}

int vblk_add(const char *name, int fd, unsigned int queues, unsigned int flags)
{
	struct vhost_blk_add a = {
		.fd = fd, .queues = queues, .flags = flags, .serial = "serial-0123456789abc",
	};

	memcpy(a.name, name, strnlen(name, sizeof(a.name)));
	return control(VHOST_BLK_ADD, &a);
}

int vblk_del(const char *name)
{
	struct vhost_blk_del d = {};

	memcpy(d.name, name, strnlen(name, sizeof(d.name)));
	return control(VHOST_BLK_DEL, &d);
}

/* Disk and file of the test that was process @pid. */
static void name_of(char *name, int pid)
{
	snprintf(name, VHOST_BLK_NAME_LEN, "t%d", pid);
}

static void file_of(char *path, size_t size, int pid)
{
	snprintf(path, size, "/tmp/vblk-%d", pid);
}

void vblk_after(int pid)
{
	char name[VHOST_BLK_NAME_LEN], path[64];
	int err;

	name_of(name, pid);
	err = vblk_del(name);
	if (err && err != -ENOENT)
		printf("# disk %s is left: %s\n", name, strerror(-err));
	file_of(path, sizeof(path), pid);
	unlink(path);
}

static void make_file(struct vblk *d)
{
	int fd;

	file_of(d->backing, sizeof(d->backing), getpid());
	fd = open(d->backing, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)VBLK_SECTORS * 512))
		test_fail("%s: %s", d->backing, strerror(errno));
	close(fd);
}

int vblk_open_flags;

void vblk_make(struct vblk *d, const char *path, unsigned int queues, unsigned int flags)
{
	int fd;

	memset(d, 0, sizeof(*d));
	d->vmm.fd = -1;
	d->queues = queues;
	if (path)
		snprintf(d->backing, sizeof(d->backing), "%s", path);
	else
		make_file(d);
	name_of(d->name, getpid());
	fd = open(d->backing, (flags & VHOST_BLK_F_RDONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC |
		  vblk_open_flags);
	if (fd < 0)
		test_fail("%s: %s", d->backing, strerror(errno));
	OK(vblk_add(d->name, fd, queues, flags));
	close(fd);
}

int vblk_status(struct vblk *d, __u8 status)
{
	return vmm_ioctl(&d->vmm, VHOST_VDPA_SET_STATUS, &status);
}

int vblk_get_status(struct vblk *d)
{
	__u8 status = 0xff;

	OK(vmm_ioctl(&d->vmm, VHOST_VDPA_GET_STATUS, &status));
	return status;
}

int vblk_enable(struct vblk *d, unsigned int vq, unsigned int on)
{
	struct vhost_vring_state s = { .index = vq, .num = on };

	return vmm_ioctl(&d->vmm, VHOST_VDPA_SET_VRING_ENABLE, &s);
}

int vblk_get_config(struct vblk *d, __u32 off, void *buf, __u32 len)
{
	struct vhost_vdpa_config *c = calloc(1, sizeof(*c) + len);
	int ret;

	c->off = off;
	c->len = len;
	ret = vmm_ioctl(&d->vmm, VHOST_VDPA_GET_CONFIG, c);
	memcpy(buf, c->buf, len);
	free(c);
	return ret;
}

int vblk_set_config(struct vblk *d, __u32 off, const void *buf, __u32 len)
{
	struct vhost_vdpa_config *c = calloc(1, sizeof(*c) + len);
	int ret;

	c->off = off;
	c->len = len;
	memcpy(c->buf, buf, len);
	ret = vmm_ioctl(&d->vmm, VHOST_VDPA_SET_CONFIG, c);
	free(c);
	return ret;
}

void vblk_open(struct vblk *d, __u64 features)
{
	char path[64];
	__u64 offered;

	snprintf(path, sizeof(path), "/dev/vhost-blk/%s", d->name);
	OK(vmm_open(&d->vmm, path, MEMORY));
	d->vmm.translate = IOVA;
	OK(vblk_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER));
	OK(vmm_set_owner(&d->vmm));
	OK(vmm_get_features(&d->vmm, &offered));
	if (features & ~offered)
		test_fail("features 0x%llx are not offered",
			  (unsigned long long)(features & ~offered));
	d->features = features;
	OK(vmm_set_features(&d->vmm, features));
	OK(vblk_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			  VIRTIO_CONFIG_S_FEATURES_OK));
	OK(vmm_set_backend_features(&d->vmm, BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2)));
	OK(vmm_iotlb_map_all(&d->vmm));
}

void vblk_start(struct vblk *d)
{
	unsigned int i;

	for (i = 0; i < d->queues; i++) {
		if (!d->ring[i].num)
			OK(gring_alloc(&d->ring[i], &d->vmm, VBLK_RING, d->features, 64));
		OK(gring_attach(&d->ring[i], &d->vmm, i));
		OK(vblk_enable(d, i, 1));
	}
	OK(vblk_status(d, vblk_get_status(d) | VIRTIO_CONFIG_S_DRIVER_OK));
}

void vblk_close(struct vblk *d)
{
	unsigned int i;

	if (d->vmm.fd >= 0)
		vmm_close(&d->vmm);
	for (i = 0; i < d->queues; i++) {
		if (d->ring[i].num)
			gring_free(&d->ring[i]);
		memset(&d->ring[i], 0, sizeof(d->ring[i]));
	}
}

void vblk_up(struct vblk *d, const char *path, unsigned int queues, unsigned int flags)
{
	__u64 drop = BIT_ULL(VIRTIO_F_RING_PACKED) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	__u64 offered, mode = 0;
	char node[64];
	struct vmm v;

	vblk_make(d, path, queues, flags);
	snprintf(node, sizeof(node), "/dev/vhost-blk/%s", d->name);
	OK(vmm_open(&v, node, 0));
	OK(vmm_get_features(&v, &offered));
	vmm_close(&v);
	if (test_mode & TEST_PACKED)
		mode |= BIT_ULL(VIRTIO_F_RING_PACKED);
	if (test_mode & TEST_EVENT_IDX)
		mode |= BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	vblk_open(d, (offered & ~drop) | mode);
	vblk_start(d);
}

struct vreq *vblk_req(struct vblk *d, __u32 type, __u64 sector, __u32 len)
{
	struct vreq *r = calloc(1, sizeof(*r));

	r->hdr = vmm_alloc(&d->vmm, sizeof(*r->hdr), 16);
	r->data = vmm_alloc(&d->vmm, len ? len : 1, 4096);
	r->status = vmm_alloc(&d->vmm, 1, 1);
	if (!r->hdr || !r->data || !r->status)
		test_fail("guest memory is too small for the requests");
	r->hdr->type = type;
	r->hdr->ioprio = 0;
	r->hdr->sector = sector;
	r->len = len;
	*r->status = 0xaa;
	return r;
}

static bool reads_guest(const struct vreq *r)
{
	switch (r->hdr->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_GET_ID:
		return false;
	}
	return true;
}

void vblk_submit(struct vblk *d, unsigned int vq, struct vreq *r)
{
	struct gring *g = &d->ring[vq];
	struct gseg seg[3] = {
		{ vmm_addr(&d->vmm, r->hdr), sizeof(*r->hdr) },
		{ vmm_addr(&d->vmm, r->data), r->len },
		{ vmm_addr(&d->vmm, r->status), 1 },
	};
	unsigned int out = reads_guest(r) ? 2 : 1, in = 3 - out;

	if (!r->len) {
		seg[1] = seg[2];
		out = in = 1;
	}
	EXPECT(gring_add(g, seg, out, in, r) >= 0);
	gring_kick(g);
}

int vblk_wait(struct vblk *d, unsigned int vq, struct vreq *r)
{
	struct gring *g = &d->ring[vq];
	struct vreq *got;
	__u32 len;

	while (!r->done) {
		if (!gring_pending(g) && !gring_wait(g, WAIT_MS))
			test_fail("a request was not completed in time");
		if (gring_get(g, &len, (void **)&got) < 0)
			test_fail("the device did: %s", g->error ? g->error : "nothing");
		got->done = true;
		got->used = len;
	}
	return *r->status;
}

int vblk_do(struct vblk *d, struct vreq *r)
{
	vblk_submit(d, 0, r);
	return vblk_wait(d, 0, r);
}

void vblk_peek(struct vblk *d, __u64 sector, void *buf, __u32 len)
{
	int fd = open(d->backing, O_RDONLY | O_CLOEXEC);

	/* A block device's page cache knows nothing of what went past it. */
	EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	EXPECT_EQ(pread(fd, buf, len, sector * 512), len);
	close(fd);
}

void vblk_poke(struct vblk *d, __u64 sector, const void *buf, __u32 len)
{
	int fd = open(d->backing, O_WRONLY | O_CLOEXEC);

	EXPECT_EQ(pwrite(fd, buf, len, sector * 512), len);
	EXPECT_EQ(fsync(fd), 0);
	close(fd);
}

#define NULL_CONF "/sys/kernel/config/nullb/"

void vblk_null_disk(const char *name, const char *const set[][2], unsigned int n)
{
	char dir[64], path[128];
	unsigned int i;

	if (access(NULL_CONF "features", F_OK))
		mount("configfs", "/sys/kernel/config", "configfs", 0, NULL);
	if (access(NULL_CONF "features", F_OK))
		test_skip("no null_blk in configfs");
	snprintf(dir, sizeof(dir), NULL_CONF "%s", name);
	snprintf(path, sizeof(path), "%s/power", dir);
	if (mkdir(dir, 0755)) {
		EXPECT_EQ(errno, EEXIST);
		/* Unless somebody came to an end halfway. */
		if (test_read_number(path) == 1)
			return;
	}
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, set[i][0]);
		EXPECT_EQ(test_write_file(path, set[i][1]), 0);
	}
	snprintf(path, sizeof(path), "%s/power", dir);
	EXPECT_EQ(test_write_file(path, "1"), 0);
}
