// SPDX-License-Identifier: GPL-2.0
/* The calls on a device: ioctls, and messages of the IOTLB. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define NOT_CANONICAL	0x8000000000000000ULL

#define F(bit)		(1ULL << (bit))

__u64 features_of(__u8 a, __u8 b)
{
	__u64 features = 0;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		features |= a & 1 << i ? target.features[0][i] : 0;
		features |= b & 1 << i ? target.features[1][i] : 0;
	}
	return features;
}

/* ---- arguments ------------------------------------------------------------------ */

/* Two pages for arguments, and behind them none. */
static char *pages;

int call_init(void)
{
	pages = mmap((void *)(uintptr_t)(MEM_HVA + MEM_SIZE + 16 * PAGE), 2 * PAGE,
		     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return pages == MAP_FAILED ? -errno : 0;
}

/*
 * Where the argument is as the kernel sees it. Most values of @ptr are good
 * ones; the others are 0, across the border to a page that is not there, that
 * page, and a kernel address.
 */
static void *place(const void *arg, size_t size, __u8 ptr)
{
	memcpy(pages, arg, size);
	switch (ptr) {
	case 0xff:
		return NULL;
	case 0xfe:
		memcpy(pages + 2 * PAGE - size / 2, arg, size / 2);
		return pages + 2 * PAGE - size / 2;
	case 0xfd:
		return pages + 2 * PAGE;
	case 0xfc:
		return (void *)0xffff888000000000;
	case 0xfb:
		/* The first word and no more. */
		memcpy(pages + 2 * PAGE - 4, arg, 4);
		return pages + 2 * PAGE - 4;
	case 0xfa:
		/* The first two. */
		memcpy(pages + 2 * PAGE - 8, arg, 8);
		return pages + 2 * PAGE - 8;
	}
	return pages;
}

static unsigned int index_of(unsigned int q, __u8 ptr)
{
	return ptr == 0xf9 ? NR_VQS : ptr == 0xf8 ? 0xffffffff : q;
}

/* One that fits, or another one. */
int pick_fd(const struct dev *d, int fits, __u8 which)
{
	switch (which) {
	case 0xff:
		return -1;
	case 0xfe:
		return -2;
	case 0xfd:
		return d->fd;
	case 0xfc:
		return world.backend[0];
	case 0xfb:
		return 0;
	case 0xfa:
		return 1000000;
	}
	if (which >= 0x80)
		return world.evt[which % NR_EVTS];
	return fits;
}

int pick_backend(const struct dev *d, __u8 which)
{
	if (which >= 0xf0)
		return pick_fd(d, -1, which);
	return world.backend[which % target.backends];
}

/* ---- memory tables ---------------------------------------------------------------- */

void table_region(struct table *t, __u64 gpa, __u64 size, __u64 hva)
{
	t->r[t->nr].guest_phys_addr = gpa;
	t->r[t->nr].memory_size = size;
	t->r[t->nr].userspace_addr = hva;
	t->nr++;
}

void table_make(struct table *t, __u8 shape, __u8 page)
{
	__u32 cut = (1 + page % (MEM_PAGES - 1)) * PAGE;
	unsigned int i;

	memset(t, 0, sizeof(*t));
	switch (shape % 14) {
	case 0:
	default:
		table_region(t, MEM_GPA, MEM_SIZE, MEM_HVA);
		break;
	case 1:
		table_region(t, MEM_GPA, cut, MEM_HVA);
		table_region(t, MEM_GPA + cut, MEM_SIZE - cut, MEM_HVA + cut);
		break;
	case 2:
		/* A page is missing. */
		table_region(t, MEM_GPA, cut, MEM_HVA);
		if (cut + PAGE < MEM_SIZE)
			table_region(t, MEM_GPA + cut + PAGE, MEM_SIZE - cut - PAGE,
			       MEM_HVA + cut + PAGE);
		break;
	case 3:
		table_region(t, MEM_GPA, MEM_SIZE, MEM_HVA);
		table_region(t, 16 * MEM_GPA, MEM_SIZE, MEM_HVA);
		break;
	case 4:
		table_region(t, MEM_GPA, MEM_SIZE, MEM_HVA);
		table_region(t, MEM_GPA + cut, MEM_SIZE, MEM_HVA);
		break;
	case 5:
		break;
	case 6:
		table_region(t, MEM_GPA, MEM_SIZE, MEM_HVA);
		t->padding = 1;
		break;
	case 7:
		t->nr = 100000;
		break;
	case 8:
		table_region(t, MEM_GPA, 0, MEM_HVA);
		break;
	case 9:
		table_region(t, ~0ULL - cut, MEM_SIZE, MEM_HVA);
		break;
	case 10:
		table_region(t, MEM_GPA, MEM_SIZE, NOT_CANONICAL | MEM_HVA);
		break;
	case 11:
		for (i = MEM_PAGES; i-- > 0;)
			table_region(t, MEM_GPA + i * PAGE, PAGE, MEM_HVA + i * PAGE);
		break;
	case 12:
		table_region(t, 0 - (__u64)MEM_SIZE, MEM_SIZE, MEM_HVA);
		break;
	case 13:
		/* Most of user space. */
		table_region(t, 0, 0x7ffffff00000ULL, PAGE);
		break;
	}
}

/* ---- ioctls -------------------------------------------------------------------------- */

int do_ioctl(struct dev *d, unsigned long req, void *arg)
{
	int err = ioctl(d->fd, req, arg) ? -errno : 0;

	cover_result(req & 0xff, err);
	return err;
}

static void ring_addrs(const struct dev *d, unsigned int q, struct vhost_vring_addr *a)
{
	__u64 base = (d->iommu ? MEM_IOVA : MEM_HVA) + d->vq[q].base;

	memset(a, 0, sizeof(*a));
	a->index = q;
	a->desc_user_addr = base;
	a->avail_user_addr = base + PAGE;
	a->used_user_addr = base + 2 * PAGE;
	a->log_guest_addr = MEM_GPA + d->vq[q].base + 2 * PAGE;
}

/* Move one of the addresses, or all. */
static void bend_addrs(struct vhost_vring_addr *a, __u8 how, __u16 by)
{
	__u64 delta = how & 0x80 ? 0 - (__u64)by : by;

	if (how & 0x40)
		delta *= PAGE;
	if (how & 0x20)
		delta <<= 40;
	if (how & 1)
		a->desc_user_addr += delta;
	if (how & 2)
		a->avail_user_addr += delta;
	if (how & 4)
		a->used_user_addr += delta;
	if (how & 8)
		a->log_guest_addr += delta;
	if (how & 16)
		a->desc_user_addr = 0;
}

static unsigned int base_of(const struct dev *d, unsigned int q, struct in *in)
{
	__u8 how = in_byte(in);

	if (how & 1)
		return in_dword(in);
	return d->vq[q].packed ? 0x80008000 : 0;
}

/* An eventfd's place in world.evt for a queue. */
int evt_of(const struct dev *d, unsigned int first, unsigned int q)
{
	return world.evt[first + (d - world.dev) * NR_VQS + q];
}

static unsigned long vring_call(struct dev *d, unsigned int q, unsigned int which,
				union arg *a, struct in *in, size_t *size)
{
	__u8 b;

	*size = sizeof(a->state);
	switch (which) {
	case C_SET_VRING_NUM:
		b = in_byte(in);
		a->state.num = b & 0x80 ? in_word(in) : 1u << b % 17;
		return VHOST_SET_VRING_NUM;
	case C_SET_VRING_ADDR:
		ring_addrs(d, q, &a->addr);
		a->addr.flags = in_byte(in);
		b = in_byte(in);
		if (b)
			bend_addrs(&a->addr, b, in_word(in));
		*size = sizeof(a->addr);
		return VHOST_SET_VRING_ADDR;
	case C_SET_VRING_BASE:
		a->state.num = base_of(d, q, in);
		return VHOST_SET_VRING_BASE;
	case C_GET_VRING_BASE:
		return VHOST_GET_VRING_BASE;
	case C_SET_VRING_KICK:
		a->file.fd = pick_fd(d, evt_of(d, E_KICK, q), in_byte(in));
		return VHOST_SET_VRING_KICK;
	case C_SET_VRING_CALL:
		a->file.fd = pick_fd(d, evt_of(d, E_CALL, q), in_byte(in));
		return VHOST_SET_VRING_CALL;
	case C_SET_VRING_ERR:
		a->file.fd = pick_fd(d, world.evt[E_ERR], in_byte(in));
		return VHOST_SET_VRING_ERR;
	case C_SET_VRING_BUSYLOOP:
		a->state.num = in_dword(in);
		world.polls |= a->state.num;
		return VHOST_SET_VRING_BUSYLOOP_TIMEOUT;
	case C_GET_VRING_BUSYLOOP:
		return VHOST_GET_VRING_BUSYLOOP_TIMEOUT;
	case C_SET_VRING_ENDIAN:
		a->state.num = in_byte(in);
		return VHOST_SET_VRING_ENDIAN;
	case C_GET_VRING_ENDIAN:
		return VHOST_GET_VRING_ENDIAN;
	case C_SET_POLL_MODE:
		a->state.num = in_byte(in);
		return VHOST_EXT_SET_VRING_POLL_MODE;
	case C_GET_POLL_MODE:
		return VHOST_EXT_GET_VRING_POLL_MODE;
	case C_NET_SET_BACKEND:
		a->file.fd = pick_backend(d, in_byte(in));
		return VHOST_NET_SET_BACKEND;
	case C_ATTACH_VRING_WORKER:
		a->vring_worker.worker_id = in_byte(in);
		return VHOST_ATTACH_VRING_WORKER;
	case C_GET_VRING_WORKER:
		return VHOST_GET_VRING_WORKER;
	}
	return 0;
}

static unsigned long worker_call(unsigned int which, union arg *a, struct in *in,
				 size_t *size)
{
	static __u64 mask[256];
	__u8 len;

	*size = sizeof(a->worker);
	a->worker.worker_id = in_byte(in);
	switch (which) {
	case C_NEW_WORKER:
		return VHOST_NEW_WORKER;
	case C_FREE_WORKER:
		return VHOST_FREE_WORKER;
	case C_WORKER_INFO:
		*size = sizeof(a->info);
		return VHOST_EXT_GET_WORKER_INFO;
	}
	len = in_byte(in);
	/* Longer than any kernel's mask, and with a bit anywhere. */
	memset(mask, 0, sizeof(mask));
	mask[0] = in_byte(in);
	if (len & 0x80)
		mask[len & 0x7f] = 1;
	a->affinity.len = len & 0x40 ? len : 8u << len % 9;
	a->affinity.mask = len == 0x3f ? 8 : (uintptr_t)mask;
	*size = sizeof(a->affinity);
	return which == C_SET_AFFINITY ? VHOST_EXT_SET_WORKER_AFFINITY :
					 VHOST_EXT_GET_WORKER_AFFINITY;
}

static unsigned long device_call(struct dev *d, unsigned int which, union arg *a,
				 struct in *in, size_t *size)
{
	__u8 b, c;

	*size = sizeof(a->u64[0]);
	switch (which) {
	case C_SET_OWNER:
		return VHOST_SET_OWNER;
	case C_RESET_OWNER:
		return VHOST_RESET_OWNER;
	case C_GET_FEATURES:
		return VHOST_GET_FEATURES;
	case C_SET_FEATURES:
		b = in_byte(in);
		a->u64[0] = features_of(b, in_byte(in));
		return VHOST_SET_FEATURES;
	case C_GET_FEATURES_ARRAY:
		a->u64[0] = in_byte(in);
		/* One that cannot be multiplied by 8. */
		if (a->u64[0] == 0xff)
			a->u64[0] = ~0ULL;
		*size = sizeof(a->u64);
		return VHOST_GET_FEATURES_ARRAY;
	case C_SET_FEATURES_ARRAY:
		a->u64[0] = in_byte(in);
		b = in_byte(in);
		a->u64[1] = features_of(b, in_byte(in));
		a->u64[2] = in_byte(in);
		a->u64[3] = in_byte(in);
		*size = sizeof(a->u64);
		return VHOST_SET_FEATURES_ARRAY;
	case C_GET_BACKEND_FEATURES:
		return VHOST_GET_BACKEND_FEATURES;
	case C_SET_BACKEND_FEATURES:
		a->u64[0] = in_byte(in);
		return VHOST_SET_BACKEND_FEATURES;
	case C_SET_MEM_TABLE:
		b = in_byte(in);
		table_make(&a->table, b, in_byte(in));
		*size = sizeof(a->table);
		return VHOST_SET_MEM_TABLE;
	case C_SET_LOG_BASE:
		b = in_byte(in);
		c = in_byte(in);
		a->u64[0] = MEM_HVA + (LOG_PAGE + b % 8) * PAGE + c;
		if (b & 0x80)
			a->u64[0] = (__u64)c << 56;
		return VHOST_SET_LOG_BASE;
	case C_SET_LOG_FD:
		a->fd = pick_fd(d, world.evt[E_LOG], in_byte(in));
		*size = sizeof(a->fd);
		return VHOST_SET_LOG_FD;
	case C_SET_FORK_OWNER:
		a->u8 = in_byte(in);
		*size = sizeof(a->u8);
		return VHOST_SET_FORK_FROM_OWNER;
	case C_GET_FORK_OWNER:
		*size = sizeof(a->u8);
		return VHOST_GET_FORK_FROM_OWNER;
	default:
		return worker_call(which, a, in, size);
	}
}

int call(struct dev *d, unsigned int q, unsigned int which, __u8 ptr, struct in *in)
{
	unsigned long req;
	union arg a;
	size_t size;
	int err;

	memset(&a, 0, sizeof(a));
	which %= target.calls;
	world.touched |= target.lasting(which);
	req = vring_call(d, q, which, &a, in, &size);
	if (req)
		a.state.index = index_of(q, ptr);
	else if (which >= NR_NET_CALLS)
		req = target.call(d, index_of(q, ptr), which, &a, in, &size);
	else
		req = device_call(d, which, &a, in, &size);
	err = do_ioctl(d, req, place(&a, size, ptr));
	if (err)
		return err;
	/* What decides how the driver's half goes on. */
	if (which == C_SET_FEATURES)
		d->iommu = d->vdpa || a.u64[0] & F(VIRTIO_F_ACCESS_PLATFORM);
	else if (which == C_SET_FEATURES_ARRAY)
		d->iommu = d->vdpa || (a.u64[0] && a.u64[1] & F(VIRTIO_F_ACCESS_PLATFORM));
	return 0;
}

/* Any number: of this type or any other, of any size. */
int call_raw(struct dev *d, struct in *in)
{
	__u8 nr = in_byte(in), form = in_byte(in);
	__u64 arg[8] = { in_dword(in), in_dword(in) };

	/* The busy loop's time is to be known. */
	world.polls = true;
	return do_ioctl(d, _IOC(form & 3, form & 0x80 ? 0 : VHOST_VIRTIO, nr, form >> 2 & 0x1f),
			form & 0x40 ? (void *)(uintptr_t)arg[0] : place(arg, sizeof(arg), 0));
}

/* ---- a device that works --------------------------------------------------------------- */

int iotlb_map(struct dev *d, __u64 off, __u64 size, __u64 hva_off, __u8 perm)
{
	struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = MEM_IOVA + off,
			.size = size,
			.uaddr = MEM_HVA + hva_off,
			.perm = perm,
			.type = VHOST_IOTLB_UPDATE,
		},
	};

	return write(d->fd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -errno;
}

/* Forgets all maps. */
int iotlb_drop(struct dev *d)
{
	struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.size = ~0ULL,
			.type = VHOST_IOTLB_INVALIDATE,
		},
	};

	return write(d->fd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -errno;
}

int set_up_vring(struct dev *d, unsigned int q, unsigned int num, bool packed, __u32 flags)
{
	struct vhost_vring_state s = { q, num };
	struct vhost_vring_file f = { .index = q };
	struct vhost_vring_addr a;
	int err;

	ring_init(&d->vq[q], num, packed);
	err = do_ioctl(d, VHOST_SET_VRING_NUM, &s);
	s.num = packed ? 0x80008000 : 0;
	err |= do_ioctl(d, VHOST_SET_VRING_BASE, &s);
	ring_addrs(d, q, &a);
	a.flags = flags;
	err |= do_ioctl(d, VHOST_SET_VRING_ADDR, &a);
	f.fd = evt_of(d, E_KICK, q);
	err |= do_ioctl(d, VHOST_SET_VRING_KICK, &f);
	f.fd = evt_of(d, E_CALL, q);
	err |= do_ioctl(d, VHOST_SET_VRING_CALL, &f);
	f.fd = world.evt[E_ERR];
	return err | do_ioctl(d, VHOST_SET_VRING_ERR, &f);
}

/* A worker of its own for a queue. */
int own_worker(struct dev *d, unsigned int q)
{
	struct vhost_vring_worker w = { .index = q };
	struct vhost_worker_state s;
	int err = do_ioctl(d, VHOST_NEW_WORKER, &s);

	if (err)
		return err;
	w.worker_id = s.worker_id;
	return do_ioctl(d, VHOST_ATTACH_VRING_WORKER, &w);
}

/* ---- messages ----------------------------------------------------------------------------- */

void message(struct dev *d, struct in *in)
{
	static const __u64 sizes[] = {
		PAGE, MEM_SIZE, 0, 1, 16 * PAGE, ~0ULL, ~0ULL - MEM_IOVA, 1ULL << 47,
	};
	__u8 form = in_byte(in), type = in_byte(in), page = in_byte(in);
	__u8 size = in_byte(in), to = in_byte(in);
	union {
		__u32 type;
		struct vhost_msg v1;
		struct vhost_msg_v2 v2;
	} msg;
	struct vhost_iotlb_msg iotlb = {
		.iova = MEM_IOVA + page * PAGE,
		.size = sizes[size % ARRAY_SIZE(sizes)],
		.uaddr = MEM_HVA + to * PAGE,
		.perm = size >> 4,
		.type = type,
	};
	size_t len = sizeof(msg);
	ssize_t n;

	memset(&msg, 0, sizeof(msg));
	if (size & 8)
		iotlb.uaddr = (__u64)to << 56;
	switch (form % 8) {
	case 6:
		len = form;
		/* fallthrough */
	case 0 ... 2:
		msg.v2.type = VHOST_IOTLB_MSG_V2;
		msg.v2.iotlb = iotlb;
		break;
	case 3:
		msg.v2.type = VHOST_IOTLB_MSG_V2;
		msg.v2.asid = form;
		msg.v2.iotlb = iotlb;
		break;
	case 4 ... 5:
		msg.v1.type = VHOST_IOTLB_MSG;
		msg.v1.iotlb = iotlb;
		break;
	case 7:
		msg.type = form;
		break;
	}
	n = write(d->fd, place(&msg, sizeof(msg), form >= 0xf8 ? form : 0),
		  len < sizeof(msg) ? len : sizeof(msg));
	cover_result(300 + type % 16, n < 0 ? -errno : n);
}

/* The next question, if there is one. */
static bool question(struct dev *d, struct vhost_iotlb_msg *iotlb)
{
	struct pollfd p = { .fd = d->fd, .events = POLLIN };
	struct vhost_msg_v2 msg;

	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLIN))
		return false;
	if (read(d->fd, &msg, sizeof(msg)) != sizeof(msg))
		return false;
	*iotlb = msg.iotlb;
	return iotlb->type == VHOST_IOTLB_MISS;
}

/*
 * Answers questions until there are none.
 *
 *	0 the page	1 all		2 read-only	3 write-only	4 another page
 *	5 not at all	6 two bytes	7 the page and the next
 */
void answer(struct dev *d, __u8 how)
{
	struct vhost_iotlb_msg miss;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		__u64 off;

		dev_wait(d);
		if (!question(d, &miss))
			break;
		off = (miss.iova - MEM_IOVA) & ~(__u64)(PAGE - 1);
		switch (how % 8) {
		case 0:
			iotlb_map(d, off, PAGE, off, VHOST_ACCESS_RW);
			break;
		case 1:
			iotlb_map(d, 0, MEM_SIZE, 0, VHOST_ACCESS_RW);
			break;
		case 2:
			iotlb_map(d, off, PAGE, off, VHOST_ACCESS_RO);
			break;
		case 3:
			iotlb_map(d, off, PAGE, off, VHOST_ACCESS_WO);
			break;
		case 4:
			iotlb_map(d, off, PAGE, off ^ PAGE, VHOST_ACCESS_RW);
			break;
		case 6:
			iotlb_map(d, miss.iova - MEM_IOVA, 2, miss.iova - MEM_IOVA, miss.perm);
			break;
		case 7:
			iotlb_map(d, off, 2 * PAGE, off, VHOST_ACCESS_RW);
			break;
		}
	}
	cover_result(320, i);
}

/* Without waiting: there is something to read, or the buffer is bad. */
void read_message(struct dev *d, __u8 how)
{
	struct pollfd p = { .fd = d->fd, .events = POLLIN | POLLOUT };
	char buf[256] = {};
	ssize_t n;

	if (poll(&p, 1, 0) != 1)
		return;
	if (!(p.revents & POLLIN) && !(how & 1))
		return;
	n = read(d->fd, place(buf, sizeof(buf), how),
		 how & 1 ? how % 72 : sizeof(struct vhost_msg_v2));
	cover_result(330, n < 0 ? -errno : n);
}
