// SPDX-License-Identifier: GPL-2.0
/*
 * The target vhost_blk: disks by the vdpa dialect, devices of the control node
 * by the classic one, and what a guest asks of both. The disks are made once
 * and made anew after inputs that add, delete or resize.
 *
 * fuzz.sh brings the block devices: /dev/ram0 and ram1, /dev/fznull. What is
 * not there is left out.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/virtio_blk.h>

#include "fuzz.h"

#define CONTROL		"/dev/vhost-blk/control"
#define N_CONTROL	NR_DISKS	/* the node behind those of the disks */
#define DISK_SIZE	(1u << 20)
#define ODD_SIZE	1000
#define SECTORS		(DISK_SIZE / 512)
#define SECTOR		512u

/* A good request takes no longer. */
#define ANSWER_MS	20000

/* Beside rings and buffers: pages of each of four queues. */
#define HDR_PAGE	48u
#define STATUS_PAGE	52u
#define RANGE_PAGE	56u
#define STATUS_NONE	0xff

/* Guest memory that nothing is behind, for lengths that are too long. */
#define BIG_OFF		(1u << 28)
#define BIG_SIZE	(1u << 27)

#define F(bit)		(1ULL << (bit))

#ifndef VIRTIO_BLK_F_SECURE_ERASE
#define VIRTIO_BLK_F_SECURE_ERASE	16
#define VIRTIO_BLK_T_SECURE_ERASE	14
#endif

static int control = -1;

/* ---- disks ----------------------------------------------------------------------- */

/* What A_IOCTL's ADD and DEL know: the disks, some more, and no names at all. */
static const char *const names[] = {
	"fa", "fb", "fc-._9", "fz0", "fz1", "fz2", "fz3", "fz4",
	"a23456789012345678901234567890x", "a234567890123456789012345678901y",
	"", "control", ".", "-x", "a/b", "\xc3\xa4",
};

static void put_name(char *to, __u8 which)
{
	const char *name = names[which % ARRAY_SIZE(names)];

	memcpy(to, name, strnlen(name, VHOST_BLK_NAME_LEN));
}

static void disk_add(unsigned int i)
{
	static const __u32 flags[NR_DISKS] = {
		[D_RAM] = VHOST_BLK_F_WORKER_PER_QUEUE,
		[D_NULL] = VHOST_BLK_F_POLL,
		[D_MEMFD] = VHOST_BLK_F_BUFFERED | VHOST_BLK_F_SPLIT,
		[D_RDONLY] = VHOST_BLK_F_RDONLY,
	};
	struct vhost_blk_add a = {
		.fd = world.backend[i], .queues = NR_VQS, .flags = flags[i], .serial = "fuzz",
	};

	if (a.fd < 0)
		return;
	snprintf(a.name, sizeof(a.name), "fz%u", i);
	if (ioctl(control, VHOST_BLK_ADD, &a))
		fprintf(stderr, "fuzz: no disk %s: %s\n", a.name, strerror(errno));
}

static void disks_mend(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct vhost_blk_del del = {};

		put_name(del.name, i);
		ioctl(control, VHOST_BLK_DEL, &del);
	}
	for (i = 0; i < NR_DISKS; i++)
		disk_add(i);
}

static int memfd(const char *name, off_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return fd < 0 || ftruncate(fd, size) ? -errno : fd;
}

static int reopen(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int plain_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

static int file_open(void)
{
	const char *dir = getenv("FUZZ_BLK_DIR");
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/fuzz-blk", dir ? dir : "/tmp");
	fd = plain_open(path, O_RDWR | O_CREAT);
	return fd >= 0 && ftruncate(fd, DISK_SIZE) ? -errno : fd;
}

static int blk_init(void)
{
	int *b = world.backend, rdonly = memfd("rdonly", DISK_SIZE);
	unsigned int i;

	control = open(CONTROL, O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	b[D_RAM] = plain_open("/dev/ram0", O_RDWR);
	b[D_RAM_FREE] = plain_open("/dev/ram1", O_RDWR);
	b[D_NULL] = plain_open("/dev/fznull", O_RDWR);
	b[D_FILE] = file_open();
	b[D_MEMFD] = memfd("disk", DISK_SIZE);
	b[D_MEMFD_FREE] = memfd("free", DISK_SIZE);
	b[D_MEMFD_ODD] = memfd("odd", ODD_SIZE);
	b[D_RDONLY] = reopen(rdonly, O_RDONLY);
	b[D_WRONG] = plain_open("/", O_RDONLY | O_DIRECTORY);
	for (i = 0; i < NR_BLK_BACKENDS; i++) {
		if (b[i] < 0)
			fprintf(stderr, "fuzz: no backend %u: %s\n", i, strerror(-b[i]));
	}
	disks_mend();
	return 0;
}

static void resize(unsigned int i, off_t size)
{
	world.touched = true;
	if (ftruncate(world.backend[i], size))
		cover_result(900, errno);
}

/* Beneath the devices that use it. */
static void disk_change(unsigned int which, __u8 what, __u16 value)
{
	static const __u8 files[] = { D_FILE, D_MEMFD, D_MEMFD_FREE, D_MEMFD_ODD };
	unsigned int i = files[which % ARRAY_SIZE(files)];
	int set = value & 1;

	switch (what % 3) {
	case 0:
		resize(i, value % (2 * SECTORS) * SECTOR + (value >> 15));
		break;
	case 1:
		if (fallocate(world.backend[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      value % SECTORS * SECTOR, 64 * SECTOR))
			cover_result(901, errno);
		break;
	case 2:
		world.touched = true;
		if (ioctl(world.backend[D_RAM_FREE], BLKROSET, &set))
			cover_result(902, errno);
		break;
	}
}

static void end(void)
{
	if (!world.touched)
		return;
	disk_change(0, 2, 0);
	resize(D_FILE, DISK_SIZE);
	resize(D_MEMFD, DISK_SIZE);
	resize(D_MEMFD_FREE, DISK_SIZE);
	resize(D_MEMFD_ODD, ODD_SIZE);
	disks_mend();
}

/* Attributes in sysfs. */
static void stats(void)
{
	static const char *const attrs[] = {
		"backing", "block_size", "capacity", "direct", "open", "poll", "queues",
		"read_only", "serial", "worker_per_queue",
	};
	struct dirent *e;
	DIR *dir = opendir("/sys/class/vhost-blk");

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		char path[320];
		unsigned int i;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/vhost-blk/%s", e->d_name);
		for (i = 0; i < ARRAY_SIZE(attrs); i++)
			file_read(path, attrs[i]);
	}
	closedir(dir);
}

/* ---- devices ------------------------------------------------------------------------ */

static void blk_open(struct dev *d, __u8 node)
{
	char path[32];

	if (node == N_CONTROL) {
		d->fd = open(CONTROL, O_RDWR | O_CLOEXEC);
		return;
	}
	snprintf(path, sizeof(path), "/dev/vhost-blk/fz%u", node);
	d->fd = open(path, O_RDWR | O_CLOEXEC);
	d->vdpa = d->iommu = true;
}

static int set_status(struct dev *d, __u8 status)
{
	return do_ioctl(d, VHOST_VDPA_SET_STATUS, &status);
}

/* Everything at once, page by page, in a batch, or not quite everything. */
static int maps(struct dev *d, __u8 shape, bool pages, bool batch)
{
	struct vhost_msg msg = { .type = VHOST_IOTLB_MSG };
	__u32 bufs = BUF_PAGE * PAGE, behind = HDR_PAGE * PAGE, off;
	int err = 0;

	iotlb_drop(d);
	msg.iotlb.type = VHOST_IOTLB_BATCH_BEGIN;
	if (batch && write(d->fd, &msg, sizeof(msg)) < 0)
		err = -errno;
	if (pages) {
		for (off = 0; off < MEM_SIZE && !err; off += PAGE)
			err = iotlb_map(d, off, PAGE, off, VHOST_ACCESS_RW);
	} else if (!shape) {
		err |= iotlb_map(d, 0, MEM_SIZE, 0, VHOST_ACCESS_RW);
	} else {
		err |= iotlb_map(d, 0, bufs, 0, VHOST_ACCESS_RW);
		if (shape % 4)
			err |= iotlb_map(d, bufs, behind - bufs, bufs, shape % 4);
		err |= iotlb_map(d, behind, MEM_SIZE - behind, behind, VHOST_ACCESS_RW);
	}
	err |= iotlb_map(d, BIG_OFF, BIG_SIZE, BIG_OFF, VHOST_ACCESS_RW);
	msg.iotlb.type = VHOST_IOTLB_BATCH_END;
	if (batch && write(d->fd, &msg, sizeof(msg)) < 0)
		err = -errno;
	return err;
}

/* How far a device gets before its features, and after them. */
static int begin_classic(struct dev *d, __u8 shape)
{
	struct vhost_blk_backend none = { .fd = -1 };
	struct table table;

	do_ioctl(d, VHOST_BLK_SET_BACKEND, &none);
	table_make(&table, shape, shape);
	if (table.nr < REGIONS_MAX)
		table_region(&table, MEM_GPA + BIG_OFF, BIG_SIZE, MEM_HVA + BIG_OFF);
	return do_ioctl(d, VHOST_SET_MEM_TABLE, &table);
}

static int begin_vdpa(struct dev *d)
{
	__u64 backend = F(VHOST_BACKEND_F_IOTLB_MSG_V2) | F(VHOST_BACKEND_F_IOTLB_BATCH);
	int err = set_status(d, 0);

	err |= do_ioctl(d, VHOST_SET_BACKEND_FEATURES, &backend);
	err |= set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	return err | set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
}

static int start_classic(struct dev *d, __u8 which)
{
	struct vhost_blk_backend b = {
		.fd = world.backend[(which & 15) % NR_BLK_BACKENDS],
		.flags = (which & 0x10 ? VHOST_BLK_F_RDONLY : 0) |
			 (which & 0x20 ? VHOST_BLK_F_POLL : 0) |
			 (which & 0x40 ? VHOST_BLK_F_BUFFERED : 0),
		.serial = "12345678901234567890",
	};

	return do_ioctl(d, VHOST_BLK_SET_BACKEND, &b);
}

static int start_vdpa(struct dev *d)
{
	const __u8 ok = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			VIRTIO_CONFIG_S_FEATURES_OK;
	struct vhost_vring_state s = { .num = 1 };
	int err = set_status(d, ok);

	for (s.index = 0; s.index < NR_VQS; s.index++)
		err |= do_ioctl(d, VHOST_VDPA_SET_VRING_ENABLE, &s);
	return err | set_status(d, ok | VIRTIO_CONFIG_S_DRIVER_OK);
}

/*
 * Arguments: features, see target.features; what else, see below; ring size;
 * what of the memory is told of; the classic device's backend and flags.
 *
 *	0x01	no VERSION_1		0x06	as in the second byte of features
 *	0x10	a worker for each queue	0x20	maps of a page each
 *	0x40	in a batch		0x80	also features that are not offered
 */
static void set_up(struct dev *d, struct in *in)
{
	__u8 a = in_byte(in), b = in_byte(in), size = in_byte(in), shape = in_byte(in);
	__u8 which = in_byte(in);
	__u64 features = features_of(a, !(b & 1) | (b & 6)), offered = 0;
	unsigned int q, i = d - world.dev;
	int err;

	d->clean = false;
	if (d->fd < 0)
		return;
	do_ioctl(d, VHOST_SET_OWNER, NULL);
	if (d->vdpa) {
		err = begin_vdpa(d);
		features |= F(VIRTIO_F_ACCESS_PLATFORM);
	} else {
		err = begin_classic(d, shape);
	}
	err |= do_ioctl(d, VHOST_GET_FEATURES, &offered);
	if (!(b & 0x80))
		features &= offered;
	err |= do_ioctl(d, VHOST_SET_FEATURES, &features);
	if (d->vdpa && !(size & 0x80))
		err |= maps(d, shape, b & 0x20, b & 0x40);
	for (q = 0; q < NR_VQS; q++) {
		struct vq *vq = &d->vq[q];

		vq->indirect = features & F(VIRTIO_RING_F_INDIRECT_DESC);
		vq->nr = 0;
		if (b & 0x10)
			own_worker(d, q);
		err |= set_up_vring(d, q, 1u << size % 9, features & F(VIRTIO_F_RING_PACKED), 0);
		memset(mem + (STATUS_PAGE + i * NR_VQS + q) * PAGE, 0, PAGE);
	}
	err |= d->vdpa ? start_vdpa(d) : start_classic(d, which);
	/* All memory in its place, and nobody who does otherwise. */
	d->clean = !err && !shape && !(size & 0x80) && !world.touched && !world.mem_touched &&
		   !world.helper && !world.polls;
}

/* Each good request has its status by now, or soon. */
static void waited(struct dev *d)
{
	long long end = now_ms() + ANSWER_MS;
	unsigned int q, n;

	for (q = 0; q < NR_VQS; q++) {
		const __u8 *status = mem + (STATUS_PAGE + (d - world.dev) * NR_VQS + q) * PAGE;
		struct vq *vq = &d->vq[q];

		if (!d->clean || !vq->kicked)
			continue;
		while (!ring_done(d, q)) {
			if (now_ms() > end)
				finding("queue %u of a device does not answer: available %u",
					q, vq->avail);
			sched_yield();
		}
		for (n = 0; n < PAGE; n++) {
			if (status[n] > VIRTIO_BLK_S_UNSUPP)
				finding("request %u of queue %u has status %u", n, q, status[n]);
		}
	}
}

/* ---- requests -------------------------------------------------------------------------- */

/* Shape of a request. */
#define REQ_SEGS(shape)	(1 + ((shape) & 3))
#define REQ_INDIRECT	0x04
#define REQ_HDR_PIECES	0x08	/* the header in two */
#define REQ_JOIN	0x10	/* header and data, or data and status, in one */
#define REQ_ODD		0x20	/* addresses and segments not aligned */
#define REQ_HIDDEN	0x40	/* not shown yet */
#define REQ_SPOIL	0x80	/* one more byte says how */

/* How a request may be spoilt. */
enum spoil {
	S_NO_STATUS,
	S_STATUS_READABLE,
	S_STATUS_LONG,
	S_HDR_SHORT,
	S_HDR_WRITABLE,
	S_HDR_LONG,
	S_FAR_HDR,
	S_FAR_DATA,
	S_FAR_STATUS,
	S_BIG_DATA,
	S_EMPTY,	/* a segment of no bytes */
	S_DATA_OTHER,	/* data the other way round */
	S_ORDER,	/* status first */
	S_NEAR_END,	/* data as far as guest memory goes, and a byte more */
	S_BIG_IN_PIECES,
	S_STATUS_IN_HDR,	/* status and header are one place */
	NR_SPOILS,
};

static const __u32 types[] = {
	VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID,
	VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_SECURE_ERASE,
	2 /* SCSI */, 10 /* GET_LIFETIME */, 16 /* zones */, 0x7fffffff, 0x80000000, 0x80000001,
	0xffffffff, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT,
};

static const __u32 lengths[] = {
	512, 4096, 1024, 8192, 0, 1, 511, 32768, 1536, 20, 16, 513, 4095, 65536, 131072, 12288,
};

struct seg {
	__u32 off;
	__u32 len;
};

static __u64 sector_of(__u16 word)
{
	switch (word >> 14) {
	case 2:
		return SECTORS - (word & 0x3fff);
	case 3:
		return ~0ULL - (word & 0x3fff);
	}
	return word;
}

/*
 * Ranges of a discard, write-zeroes or erase: 1 to 16, or 0 or 17. @what, above
 * the type: 0x10 unmap, 0x20 an unknown flag, 0x40 one of them ends behind the disk,
 * 0x80 none and no sectors.
 */
static __u32 put_ranges(__u32 off, __u8 what, __u8 len, __u64 sector)
{
	struct virtio_blk_discard_write_zeroes r = {
		.sector = sector,
		.num_sectors = what & 0x80 ? 0 : 1 + len,
		.flags = (what & 0x10 ? 1 : 0) | (what & 0x20 ? 2 : 0),
	};
	unsigned int n = len % 18, i;

	for (i = 0; i < n; i++) {
		if (what & 0x40 && i == n - 1)
			r.num_sectors = 0xffffffff;
		memcpy(mem + off + i * sizeof(r), &r, sizeof(r));
		r.sector += r.num_sectors;
	}
	return n * sizeof(r);
}

struct chain {
	struct dev *d;
	struct vring_desc desc[CHAIN_MAX];
	unsigned int nr;
};

static void add(struct chain *c, __u32 off, __u32 len, bool in)
{
	if (c->nr == CHAIN_MAX)
		return;
	c->desc[c->nr++] = (struct vring_desc){
		guest_addr(c->d, off), len, in ? VRING_DESC_F_WRITE : 0, 0
	};
}

/* @len bytes from @off on in some segments. */
static void add_data(struct chain *c, __u32 off, __u32 len, __u8 shape, bool in)
{
	unsigned int n = REQ_SEGS(shape), i;
	__u32 each = len / n & ~(shape & REQ_ODD ? 0 : SECTOR - 1);

	for (i = 0; i < n && len; i++) {
		__u32 now = i == n - 1 || !each ? len : each;

		add(c, off, now, in);
		off += now;
		len -= now;
	}
}

static void spoil(struct chain *c, enum spoil how, __u32 hdr)
{
	struct vring_desc *first = &c->desc[0], *last = &c->desc[c->nr - 1];
	struct vring_desc *data = &c->desc[c->nr / 2], tmp;

	c->d->clean = false;
	switch (how) {
	case S_NO_STATUS:
		c->nr--;
		break;
	case S_STATUS_READABLE:
		last->flags ^= VRING_DESC_F_WRITE;
		break;
	case S_STATUS_LONG:
		last->len = 100;
		break;
	case S_HDR_SHORT:
		first->len -= 1;
		break;
	case S_HDR_WRITABLE:
		first->flags ^= VRING_DESC_F_WRITE;
		break;
	case S_HDR_LONG:
		first->len += SECTOR;
		break;
	case S_FAR_HDR:
		first->addr += 1ULL << 40;
		break;
	case S_FAR_DATA:
		data->addr += 1ULL << 40;
		break;
	case S_FAR_STATUS:
		last->addr += 1ULL << 40;
		break;
	case S_BIG_DATA:
		data->addr = guest_addr(c->d, BIG_OFF);
		data->len = (64u << 20) + (data->len & 1 ? SECTOR : 0);
		break;
	case S_EMPTY:
		data->len = 0;
		break;
	case S_DATA_OTHER:
		data->flags ^= VRING_DESC_F_WRITE;
		break;
	case S_ORDER:
		tmp = *last;
		*last = *first;
		*first = tmp;
		break;
	case S_NEAR_END:
		data->addr = guest_addr(c->d, MEM_SIZE) - data->len + 1;
		break;
	case S_BIG_IN_PIECES:
		/* Mapped, but nothing is behind it. */
		data->addr = guest_addr(c->d, BIG_OFF);
		break;
	case S_STATUS_IN_HDR:
		last->addr = guest_addr(c->d, hdr);
		break;
	case NR_SPOILS:
		break;
	}
}

struct request {
	__u8 what;
	__u8 shape;
	__u8 len;
	__u64 sector;
	__u32 ioprio;
	__u8 spoil;
};

static __u32 ioprio_of(__u8 class)
{
	/* None, real-time, best-effort, idle; then anything. */
	return class < 4 ? class << 13 : class * 0x01010101u;
}

static void one_request(struct dev *d, unsigned int q, const struct request *r)
{
	unsigned int i = (d - world.dev) * NR_VQS + q, n = d->vq[q].nr++, at;
	__u32 hdr = (HDR_PAGE + i) * PAGE + n % 64 * 64;
	__u32 status = (STATUS_PAGE + i) * PAGE + n % PAGE;
	__u32 off = (BUF_PAGE + q * 16 + n % 8) * PAGE;
	__u32 len = lengths[r->len % ARRAY_SIZE(lengths)];
	struct virtio_blk_outhdr h = {
		.type = types[r->what % ARRAY_SIZE(types)],
		.ioprio = r->ioprio,
		.sector = r->sector,
	};
	bool in = h.type == VIRTIO_BLK_T_IN || h.type == VIRTIO_BLK_T_GET_ID;
	bool join = r->shape & REQ_JOIN;
	struct chain c = { .d = d };

	switch (h.type) {
	case VIRTIO_BLK_T_FLUSH:
		len = 0;
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
	case VIRTIO_BLK_T_SECURE_ERASE:
		off = (RANGE_PAGE + i) * PAGE + n % 8 * 512;
		len = put_ranges(off, r->what, r->len, r->sector);
		/* The header right before them. */
		if (join && n % 8)
			hdr = off - sizeof(h);
		else
			join = false;
		break;
	default:
		/* Data of one request would be the status of another. */
		if (len > 32768)
			d->clean = false;
		if (r->shape & REQ_ODD)
			off += 3;
		if (join && !in) {
			off += SECTOR;
			hdr = off - sizeof(h);
		}
	}
	memcpy(mem + hdr, &h, sizeof(h));
	if (join && !in) {
		add(&c, hdr, sizeof(h) + len, false);
	} else {
		if (r->shape & REQ_HDR_PIECES) {
			add(&c, hdr, 7, false);
			add(&c, hdr + 7, sizeof(h) - 7, false);
		} else {
			add(&c, hdr, sizeof(h), false);
		}
		add_data(&c, off, len, r->shape, in);
	}
	if (join && in && len) {
		c.desc[c.nr - 1].len++;
	} else {
		mem[status] = STATUS_NONE;
		add(&c, status, 1, true);
	}
	if (r->shape & REQ_SPOIL)
		spoil(&c, r->spoil % NR_SPOILS, hdr);
	for (at = 0; at + 1 < c.nr; at++) {
		c.desc[at].flags |= VRING_DESC_F_NEXT;
		c.desc[at].next = at + 1;
	}
	ring_put(d, q, c.desc, c.nr, r->shape & REQ_INDIRECT, r->shape & REQ_HIDDEN);
}

static void requests(struct dev *d, unsigned int q, struct in *in)
{
	unsigned int n = 1 + in_byte(in) % 128;
	struct request r = {
		.what = in_byte(in), .shape = in_byte(in), .len = in_byte(in),
		.sector = sector_of(in_word(in)), .ioprio = ioprio_of(in_byte(in)),
	};

	if (r.shape & REQ_SPOIL)
		r.spoil = in_byte(in);
	for (; n && d->vq[q].num; n--) {
		one_request(d, q, &r);
		r.sector += 8;
	}
}

/* ---- actions and calls -------------------------------------------------------------------- */

static void act(unsigned int action, struct dev *d, unsigned int q, __u8 sel, struct in *in)
{
	__u8 b;

	switch (action) {
	case A_REQ:
		requests(d, q, in);
		break;
	case A_DISK:
		b = in_byte(in);
		disk_change(sel, b, in_word(in));
		break;
	}
}

static bool harmless(unsigned int action)
{
	return action == A_REQ;
}

static bool lasting(unsigned int which)
{
	return which == C_BLK_ADD || which == C_BLK_DEL;
}

static unsigned long config_call(unsigned int which, union arg *a, struct in *in, size_t *size)
{
	__u8 off = in_byte(in), len = in_byte(in);

	a->config.off = off == 0xff ? 0xffffffff : off;
	if (off == 0xfe)
		a->config.off = offsetof(struct virtio_blk_config, wce);
	a->config.len = len == 0xff ? 0xffffffff : len;
	*size = sizeof(a->config);
	if (which == C_VDPA_GET_CONFIG)
		return VHOST_VDPA_GET_CONFIG;
	memset(a->config.buf, in_byte(in), sizeof(a->config.buf));
	return VHOST_VDPA_SET_CONFIG;
}

static unsigned long vdpa_state_call(unsigned int q, unsigned int which, union arg *a,
				     struct in *in, size_t *size)
{
	*size = sizeof(a->state);
	a->state.index = q;
	switch (which) {
	case C_VDPA_SET_VRING_ENABLE:
		a->state.num = in_byte(in);
		return VHOST_VDPA_SET_VRING_ENABLE;
	case C_VDPA_GET_VRING_GROUP:
		return VHOST_VDPA_GET_VRING_GROUP;
	case C_VDPA_SET_GROUP_ASID:
		a->state.num = in_byte(in);
		return VHOST_VDPA_SET_GROUP_ASID;
	default:
		return VHOST_VDPA_GET_VRING_SIZE;
	}
}

static unsigned long disk_call(struct dev *d, unsigned int which, union arg *a, struct in *in,
			       size_t *size)
{
	__u8 flags;

	switch (which) {
	case C_BLK_ADD:
		put_name(a->add.name, in_byte(in));
		a->add.fd = pick_backend(d, in_byte(in));
		a->add.queues = in_byte(in);
		flags = in_byte(in);
		a->add.flags = flags & 0x7f;
		a->add.reserved = flags >> 7;
		memset(a->add.serial, 's', sizeof(a->add.serial));
		*size = sizeof(a->add);
		return VHOST_BLK_ADD;
	case C_BLK_DEL:
		put_name(a->del.name, in_byte(in));
		*size = sizeof(a->del);
		return VHOST_BLK_DEL;
	default:
		a->backend.fd = pick_backend(d, in_byte(in));
		a->backend.flags = in_byte(in);
		*size = sizeof(a->backend);
		return VHOST_BLK_SET_BACKEND;
	}
}

static unsigned long blk_call(struct dev *d, unsigned int q, unsigned int which, union arg *a,
			      struct in *in, size_t *size)
{
	/* Answers: none is longer. */
	*size = sizeof(a->u64);
	switch (which) {
	case C_VDPA_GET_DEVICE_ID:
		return VHOST_VDPA_GET_DEVICE_ID;
	case C_VDPA_GET_STATUS:
		return VHOST_VDPA_GET_STATUS;
	case C_VDPA_SET_STATUS:
		a->u8 = in_byte(in);
		*size = sizeof(a->u8);
		return VHOST_VDPA_SET_STATUS;
	case C_VDPA_GET_CONFIG:
	case C_VDPA_SET_CONFIG:
		return config_call(which, a, in, size);
	case C_VDPA_GET_VRING_NUM:
		return VHOST_VDPA_GET_VRING_NUM;
	case C_VDPA_SET_CONFIG_CALL:
		a->fd = pick_fd(d, world.evt[E_SPARE], in_byte(in));
		*size = sizeof(a->fd);
		return VHOST_VDPA_SET_CONFIG_CALL;
	case C_VDPA_GET_IOVA_RANGE:
		return VHOST_VDPA_GET_IOVA_RANGE;
	case C_VDPA_GET_CONFIG_SIZE:
		return VHOST_VDPA_GET_CONFIG_SIZE;
	case C_VDPA_GET_AS_NUM:
		return VHOST_VDPA_GET_AS_NUM;
	case C_VDPA_GET_GROUP_NUM:
		return VHOST_VDPA_GET_GROUP_NUM;
	case C_VDPA_SUSPEND:
		return VHOST_VDPA_SUSPEND;
	case C_VDPA_RESUME:
		return VHOST_VDPA_RESUME;
	case C_VDPA_GET_VQS_COUNT:
		return VHOST_VDPA_GET_VQS_COUNT;
	case C_BLK_ADD:
	case C_BLK_DEL:
	case C_BLK_SET_BACKEND:
		return disk_call(d, which, a, in, size);
	default:
		return vdpa_state_call(q, which, a, in, size);
	}
}

static void help(__u8 a, __u16 b)
{
	disk_change(a, 0, b);
	poll(NULL, 0, 1);
	disk_change(a, 0, SECTORS);
}

const struct target target = {
	.actions	= NR_BLK_ACTIONS,
	.calls		= NR_BLK_CALLS,
	.backends	= NR_BLK_BACKENDS,
	.nodes		= NR_DISKS + 1,
	.features	= {
		{
			F(VIRTIO_F_RING_PACKED), F(VIRTIO_BLK_F_FLUSH), F(VIRTIO_RING_F_EVENT_IDX),
			F(VIRTIO_RING_F_INDIRECT_DESC), F(VIRTIO_BLK_F_DISCARD),
			F(VIRTIO_BLK_F_WRITE_ZEROES), F(VIRTIO_BLK_F_MQ), F(VIRTIO_BLK_F_RO),
		},
		{
			F(VIRTIO_F_VERSION_1), F(VIRTIO_BLK_F_CONFIG_WCE),
			F(VIRTIO_BLK_F_SECURE_ERASE), F(VIRTIO_F_ACCESS_PLATFORM),
			F(VIRTIO_F_IN_ORDER), F(VHOST_F_LOG_ALL), F(63), F(VIRTIO_BLK_F_TOPOLOGY),
		},
	},
	.init		= blk_init,
	.end		= end,
	.open		= blk_open,
	.set_up		= set_up,
	.act		= act,
	.harmless	= harmless,
	.call		= blk_call,
	.lasting	= lasting,
	.waited		= waited,
	.help		= help,
	.stats		= stats,
};
