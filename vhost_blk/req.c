// SPDX-License-Identifier: GPL-2.0
/*
 * Requests: from a chain to something that a backing can do, and back to a
 * status (virtio 1.3, section 5.2.6).
 *
 *	parse	   the header is copied and checked, the guest's pages pinned
 *	execute	   the backing is asked
 *	done	   it has answered, in any context: to the queue's list
 *	finish	   on the worker: status byte, pages let go, chain completed
 *
 * Only parse sees the guest's memory by address. From then on it is pages, so
 * that whatever becomes of the VMM and its mappings, the request has something
 * to read or write until it is done.
 *
 * A request is laid out in its chain in any way (VIRTIO_F_ANY_LAYOUT): header
 * and data to write are one stretch of bytes, data to read and the status
 * another one.
 */
#include <linux/cgroup.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "blk.h"
#include "trace.h"

/* Pages that are pinned in one go. */
#define PIN_BATCH	32

/* ---- memory that is charged to the owner ------------------------------------------------ */

/* A kernel thread's allocations are nobody's, unless it says whose. On the worker. */
struct mem_cgroup *vhb_charge_owner(void)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(current->mm);

	set_active_memcg(memcg);
	return memcg;
}

void vhb_charge_nobody(struct mem_cgroup *memcg)
{
	set_active_memcg(NULL);
	mem_cgroup_put(memcg);
}

/* ---- pages --------------------------------------------------------------------------- */

/* Add a pinned page; neighbours become one piece. */
static void add_page(struct vhb_req *r, struct page *page, u32 off, u32 len)
{
	struct bio_vec *last = r->nr_vec ? &r->vec[r->nr_vec - 1] : NULL;

	if (last && !off && PAGE_ALIGNED(last->bv_offset + last->bv_len) &&
	    page_to_pfn(last->bv_page) +
	    ((last->bv_offset + last->bv_len) >> PAGE_SHIFT) == page_to_pfn(page)) {
		last->bv_len += len;
		return;
	}
	bvec_set_page(&r->vec[r->nr_vec++], page, len, off);
}

static int pin_piece(struct vhb_req *r, unsigned long addr, size_t len, unsigned int gup)
{
	struct page *pages[PIN_BATCH];

	while (len) {
		u32 off = offset_in_page(addr);
		int want = min_t(size_t, DIV_ROUND_UP(off + len, PAGE_SIZE), PIN_BATCH);
		int i, got = pin_user_pages_fast(addr, want, gup, pages);

		if (got <= 0)
			return -EFAULT;
		for (i = 0; i < got; i++) {
			u32 n = min_t(size_t, len, PAGE_SIZE - off);

			add_page(r, pages[i], off, n);
			addr += n;
			len -= n;
			off = 0;
		}
	}
	return 0;
}

static int room_for(struct vhb_req *r, u32 pages)
{
	struct mem_cgroup *memcg;

	if (pages <= VHB_INLINE_VECS) {
		r->vec = r->inline_vec;
		return 0;
	}
	memcg = vhb_charge_owner();
	r->vec = kvmalloc_array(pages, sizeof(*r->vec), GFP_KERNEL_ACCOUNT);
	vhb_charge_nobody(memcg);
	return r->vec ? 0 : -ENOMEM;
}

/*
 * Pin the next r->len bytes. Return: 0, -EFAULT, -ENOMEM; 1 if they are not
 * aligned as the backing wants.
 */
static int pin(struct vhb_req *r, struct vhc_walk w)
{
	unsigned int gup = vhb_is_write(r) ? 0 : FOLL_WRITE;
	u32 align = r->q->dev->backend->align;
	unsigned long bits = 0;
	struct vhc_walk count = w;
	u32 pages = 0, left;
	size_t n;
	int err;

	for (left = r->len; left; left -= n) {
		unsigned long addr = (unsigned long)vhc_walk_piece(&count, left, &n);

		bits |= addr | n;
		pages += DIV_ROUND_UP(offset_in_page(addr) + n, PAGE_SIZE);
	}
	err = room_for(r, pages);
	for (left = r->len; left && !err; left -= n) {
		unsigned long addr = (unsigned long)vhc_walk_piece(&w, left, &n);

		err = pin_piece(r, addr, n, gup);
	}
	return err ?: !!(bits & align);
}

static void unpin(struct vhb_req *r)
{
	bool dirty = !vhb_is_write(r);
	u32 i;

	for (i = 0; i < r->nr_vec; i++) {
		const struct bio_vec *v = &r->vec[i];
		u32 pages = DIV_ROUND_UP(v->bv_offset + v->bv_len, PAGE_SIZE);

		unpin_user_page_range_dirty_lock(v->bv_page, pages, dirty);
	}
	r->nr_vec = 0;
	if (r->vec != r->inline_vec)
		kvfree(r->vec);
	r->vec = r->inline_vec;
}

static void free_bounce(struct vhb_req *r)
{
	while (r->nr_bounce)
		__free_page(r->bounce[--r->nr_bounce].bv_page);
	kvfree(r->bounce);
	r->bounce = NULL;
}

static int fill_bounce(struct vhb_req *r)
{
	u32 pages = DIV_ROUND_UP(r->len, PAGE_SIZE), left = r->len;
	struct iov_iter iter;

	r->bounce = kvmalloc_array(pages, sizeof(*r->bounce), GFP_KERNEL_ACCOUNT);
	if (!r->bounce)
		return -ENOMEM;
	iov_iter_bvec(&iter, ITER_SOURCE, r->vec, r->nr_vec, r->len);
	while (left) {
		u32 n = min_t(u32, left, PAGE_SIZE);
		struct page *page = alloc_page(GFP_KERNEL_ACCOUNT);

		if (!page)
			return -ENOMEM;
		bvec_set_page(&r->bounce[r->nr_bounce++], page, n, 0);
		if (vhb_is_write(r) && copy_page_from_iter(page, 0, n, &iter) != n)
			return -EFAULT;
		left -= n;
	}
	return 0;
}

/* Pages of ours that the backing reads or writes in place of the guest's. */
static int make_bounce(struct vhb_req *r)
{
	struct mem_cgroup *memcg = vhb_charge_owner();
	int err = fill_bounce(r);

	vhb_charge_nobody(memcg);
	if (!err)
		vhb_count(r->q, VHB_C_BOUNCED);
	return err;
}

static void copy_bounce(struct vhb_req *r)
{
	struct iov_iter iter;
	u32 i;

	iov_iter_bvec(&iter, ITER_DEST, r->vec, r->nr_vec, r->len);
	for (i = 0; i < r->nr_bounce; i++) {
		const struct bio_vec *v = &r->bounce[i];

		if (copy_page_to_iter(v->bv_page, 0, v->bv_len, &iter) != v->bv_len)
			r->error = -EFAULT;
	}
}

/* ---- parse ------------------------------------------------------------------------------ */

static int reject(struct vhb_req *r, enum vhb_rejection why, int error)
{
	vhc_vq_reject(r->q->vq, why);
	return error;
}

static bool inside(const struct vhb_req *r, u64 sector, u64 sectors)
{
	u64 capacity = vhb_backend_sectors(r->q->dev->backend);

	return sector <= capacity && sectors <= capacity - sector;
}

/* @len bytes of data are at @w. */
static int parse_rw(struct vhb_req *r, struct vhc_walk w, u64 len)
{
	const struct vhb_backend *b = r->q->dev->backend;
	int err;

	/* A block is a power of two. */
	if (!len || len > VHB_REQUEST_MAX || len & (b->block - 1))
		return reject(r, VHB_R_LENGTH, -EIO);
	if (!inside(r, r->sector, len >> SECTOR_SHIFT))
		return reject(r, VHB_R_SECTOR, -EIO);
	if ((r->sector << SECTOR_SHIFT) & (b->block - 1))
		return reject(r, VHB_R_LENGTH, -EIO);
	if (vhb_is_write(r) && b->rdonly)
		return reject(r, VHB_R_READ_ONLY, -EIO);
	r->len = len;
	err = pin(r, w);
	if (err == 1)
		err = make_bounce(r);
	if (err == -EFAULT)
		return reject(r, VHB_R_FAULT, err);
	return err;
}

static u64 type_feature(u32 type)
{
	switch (type) {
	case VIRTIO_BLK_T_DISCARD:
		return VIRTIO_BLK_F_DISCARD;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return VIRTIO_BLK_F_WRITE_ZEROES;
	default:
		return VIRTIO_BLK_F_SECURE_ERASE;
	}
}

static int check_range(struct vhb_req *r, const struct virtio_blk_discard_write_zeroes *range)
{
	u32 flags = le32_to_cpu(range->flags);

	if (flags & ~(r->type == VIRTIO_BLK_T_WRITE_ZEROES ?
		      VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0))
		return reject(r, VHB_R_RANGES, -EOPNOTSUPP);
	if (le32_to_cpu(range->num_sectors) > VHB_RANGE_SECTORS_MAX)
		return reject(r, VHB_R_RANGES, -EIO);
	if (!inside(r, le64_to_cpu(range->sector), le32_to_cpu(range->num_sectors)))
		return reject(r, VHB_R_SECTOR, -EIO);
	return 0;
}

static int parse_ranges(struct vhb_req *r, struct vhc_walk w, u64 len)
{
	u32 i, n = len / sizeof(*r->range);
	struct mem_cgroup *memcg;
	int err = 0;

	if (!vhc_dev_has_feature(r->q->dev->dev, type_feature(r->type)))
		return reject(r, VHB_R_TYPE, -EOPNOTSUPP);
	if (r->q->dev->backend->rdonly)
		return reject(r, VHB_R_READ_ONLY, -EIO);
	if (!n || len % sizeof(*r->range) || len / sizeof(*r->range) > VHB_RANGES_MAX)
		return reject(r, VHB_R_RANGES, -EIO);
	memcg = vhb_charge_owner();
	r->range = kmalloc_array(n, sizeof(*r->range), GFP_KERNEL_ACCOUNT);
	vhb_charge_nobody(memcg);
	if (!r->range)
		return -ENOMEM;
	if (!vhc_walk_read(&w, r->range, n * sizeof(*r->range)))
		return reject(r, VHB_R_FAULT, -EFAULT);
	r->nr_range = n;
	for (i = 0; i < n && !err; i++)
		err = check_range(r, &r->range[i]);
	return err;
}

/* There is nothing to wait for: it is answered at once. */
static int get_id(struct vhb_req *r, struct vhc_walk w, u64 len)
{
	const char *id = r->q->dev->serial;
	size_t n, left;

	for (left = min_t(u64, len, VIRTIO_BLK_ID_BYTES); left; left -= n) {
		void __user *to = vhc_walk_piece(&w, left, &n);

		if (!vhc_copy_to_user(to, id, n))
			return reject(r, VHB_R_FAULT, -EFAULT);
		id += n;
	}
	return 0;
}

/* What is left to do after the checks: 1 nothing, 0 to execute it, or an errno. */
static int parse_type(struct vhb_req *r, struct vhc_walk out, struct vhc_walk in)
{
	u64 out_len = r->chain.out_len - sizeof(struct virtio_blk_outhdr);
	u64 in_len = r->chain.in_len - 1;
	int err;

	switch (r->type) {
	case VIRTIO_BLK_T_IN:
		r->chain.written = in_len + 1;
		return parse_rw(r, in, in_len);
	case VIRTIO_BLK_T_OUT:
		return parse_rw(r, out, out_len);
	case VIRTIO_BLK_T_FLUSH:
		return 0;
	case VIRTIO_BLK_T_GET_ID:
		r->chain.written = in_len + 1;
		err = get_id(r, in, in_len);
		return err ?: 1;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
	case VIRTIO_BLK_T_SECURE_ERASE:
		return parse_ranges(r, out, out_len);
	default:
		return reject(r, VHB_R_TYPE, -EOPNOTSUPP);
	}
}

/**
 * vhb_req_parse() - check a chain and make it a request
 * @r: the request, with its queue set
 * @c: the chain, just fetched
 *
 * Context: a turn of the queue; may sleep.
 * Return: whether it is to be executed; else it is done, with r->error.
 */
bool vhb_req_parse(struct vhb_req *r, const struct vhc_chain *c)
{
	struct vhc_walk out = { .iov = c->iov }, in = { .iov = c->iov + c->nr_out };
	struct virtio_blk_outhdr hdr;
	int err;

	r->chain = *c;
	r->chain.iov = NULL;
	r->type = VIRTIO_BLK_T_GET_ID;
	r->class = VHB_BE;
	r->sent = 0;
	r->len = 0;
	r->nr_vec = 0;
	r->vec = r->inline_vec;
	r->range = NULL;
	r->nr_range = 0;
	r->error = 0;
	if (!c->in_len) {
		/* Completed all the same, for there is nobody to tell. */
		reject(r, VHB_R_NO_STATUS, 0);
		return false;
	}
	r->status_addr = vhc_vq_last_in(r->q->vq, c);
	r->chain.written = 1;
	if (c->out_len < sizeof(hdr)) {
		r->error = reject(r, VHB_R_SHORT, -EIO);
		return false;
	}
	if (!vhc_walk_read(&out, &hdr, sizeof(hdr))) {
		r->error = reject(r, VHB_R_FAULT, -EFAULT);
		return false;
	}
	r->type = le32_to_cpu((__force __le32)hdr.type);
	r->sector = le64_to_cpu((__force __le64)hdr.sector);
	r->class = vhb_sched_class(le32_to_cpu((__force __le32)hdr.ioprio));
	err = parse_type(r, out, in);
	r->error = min(err, 0);
	return !err;
}

/* ---- execute ------------------------------------------------------------------------------ */

/* Write-through: nothing is done before it is safe. */
static bool write_through(const struct vhb_req *r)
{
	return vhb_is_write(r) && vhb_is_write_through(r->q->dev);
}

/**
 * vhb_req_execute() - ask the backing
 * @r: a request that was parsed
 *
 * Context: a turn of the queue, or the scheduler in one. vhb_req_done() follows,
 * maybe before this returns.
 */
void vhb_req_execute(struct vhb_req *r)
{
	bool bdev = r->q->dev->backend->bdev;

	trace_vhost_blk_issue(r);
	switch (r->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		if (bdev)
			vhb_bdev_rw(r, write_through(r));
		else
			vhb_file_rw(r, write_through(r));
		break;
	case VIRTIO_BLK_T_FLUSH:
		if (bdev)
			vhb_bdev_flush(r);
		else
			vhb_req_punt(r);
		break;
	default:
		vhb_req_punt(r);
	}
}

/* ---- what has to wait ----------------------------------------------------------------------- */

#ifdef CONFIG_BLK_CGROUP
/* I/O of the thread that waits is charged as that of the worker. */
static struct cgroup_subsys_state *get_css(void)
{
	return task_get_css(current, io_cgrp_id);
}
#else
static struct cgroup_subsys_state *get_css(void)
{
	return NULL;
}
#endif

static void work_fn(struct work_struct *work)
{
	struct vhb_req *r = container_of(work, struct vhb_req, work);
	struct cgroup_subsys_state *css = r->css;
	int err;

	if (css)
		kthread_associate_blkcg(css);
	set_active_memcg(r->memcg);
	kcov_remote_start_common(r->q->dev->kcov);
	if (vhb_is_given_up(r))
		err = -EIO;
	else
		err = r->q->dev->backend->bdev ? vhb_bdev_wait(r) : vhb_file_wait(r);
	kcov_remote_stop();
	vhb_charge_nobody(r->memcg);
	/* It has waited. There is nobody to give it to once more. */
	if (err == -EAGAIN)
		err = -EIO;
	if (css) {
		kthread_associate_blkcg(NULL);
		css_put(css);
	}
	/* Nothing of the request may be touched after this. */
	vhb_req_done(r, err);
}

/* Hand a request to a thread that may wait. On the worker. */
void vhb_req_punt(struct vhb_req *r)
{
	vhb_count(r->q, VHB_C_PUNTED);
	r->css = get_css();
	r->memcg = get_mem_cgroup_from_mm(current->mm);
	INIT_WORK(&r->work, work_fn);
	queue_work(r->q->dev->punted, &r->work);
}

/* ---- done and finish ---------------------------------------------------------------------------- */

/**
 * vhb_req_done() - the backing has answered
 * @r: the request; it may be gone when this returns
 * @error: 0 or an errno
 *
 * Context: any, interrupts included.
 */
void vhb_req_done(struct vhb_req *r, int error)
{
	struct vhb_queue *q = r->q;

	r->error = error;
	/*
	 * Once it is in the list the device may be drained and closed; it is not
	 * freed before those that are in here have left.
	 */
	rcu_read_lock();
	/*
	 * A full barrier, in llist_add(): pairs with the one in
	 * vhb_queue_run(). Either this sees that the worker is not busy any
	 * more, or the worker sees the entry.
	 */
	if (llist_add(&r->done, &q->done) && !READ_ONCE(q->busy))
		vhc_vq_wake(q->vq);
	rcu_read_unlock();
}

/* The one place where errors become the guest's. */
static u8 wire_status(int error)
{
	switch (error) {
	case 0:
		return VIRTIO_BLK_S_OK;
	case -EOPNOTSUPP:
		return VIRTIO_BLK_S_UNSUPP;
	default:
		return VIRTIO_BLK_S_IOERR;
	}
}

static enum vhb_counter type_counter(const struct vhb_req *r)
{
	switch (r->type) {
	case VIRTIO_BLK_T_IN:
		return VHB_C_READS;
	case VIRTIO_BLK_T_OUT:
		return VHB_C_WRITES;
	case VIRTIO_BLK_T_FLUSH:
		return VHB_C_FLUSHES;
	default:
		return VHB_C_OTHERS;
	}
}

/* Let go of all that a request has. */
void vhb_req_release(struct vhb_req *r)
{
	if (r->bounce)
		free_bounce(r);
	unpin(r);
	if (unlikely(r->range)) {
		kfree(r->range);
		r->range = NULL;
	}
}

/**
 * vhb_req_finish() - tell the guest
 * @r: a request that is done
 *
 * Context: a turn of the queue.
 * Return: 0, or -EPROTO with the queue broken; in any case the chain is
 * completed and the request empty.
 */
int vhb_req_finish(struct vhb_req *r)
{
	struct vhb_queue *q = r->q;

	if (r->bounce && !vhb_is_write(r) && !r->error)
		copy_bounce(r);
	vhb_req_release(r);
	vhb_count(q, type_counter(r));
	if (unlikely(r->error))
		vhb_count(q, VHB_C_ERRORS);
	if (likely(r->chain.in_len))
		vhc_vq_write_byte(q->vq, r->status_addr, wire_status(r->error));
	return vhc_vq_complete(q->vq, &r->chain);
}
