// SPDX-License-Identifier: GPL-2.0
/*
 * Regular files: asynchronous and direct where the file allows it. What would
 * have to wait goes to a thread that may; the worker never does.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/mm.h>
#include <linux/uio.h>

#include "blk.h"

static loff_t position(const struct vhb_req *r)
{
	return (loff_t)r->sector << SECTOR_SHIFT;
}

static void init_iter(struct vhb_req *r, struct iov_iter *iter)
{
	unsigned int dir = vhb_is_write(r) ? ITER_SOURCE : ITER_DEST;

	if (r->bounce)
		iov_iter_bvec(iter, dir, r->bounce, r->nr_bounce, r->len);
	else
		iov_iter_bvec(iter, dir, r->vec, r->nr_vec, r->len);
}

static void init_iocb(struct vhb_req *r, struct kiocb *iocb, bool sync)
{
	const struct vhb_backend *b = r->q->dev->backend;

	init_sync_kiocb(iocb, b->file);
	iocb->ki_pos = position(r);
	/* The file's own flags are its opener's wishes, not ours. */
	iocb->ki_flags &= ~(IOCB_APPEND | IOCB_NOWAIT | IOCB_DIRECT);
	if (b->direct)
		iocb->ki_flags |= IOCB_DIRECT;
	if (sync)
		iocb->ki_flags |= IOCB_DSYNC;
}

static ssize_t start(struct vhb_req *r, struct kiocb *iocb)
{
	struct file *file = r->q->dev->backend->file;
	struct iov_iter iter;

	init_iter(r, &iter);
	return vhb_is_write(r) ? vfs_iocb_iter_write(file, iocb, &iter) :
				 vfs_iocb_iter_read(file, iocb, &iter);
}

/* In any context. -EAGAIN: it would have had to wait; the worker sees to that. */
static void complete_rw(struct kiocb *iocb, long ret)
{
	struct vhb_req *r = container_of(iocb, struct vhb_req, iocb);

	if (vhb_is_write(r))
		kiocb_end_write(iocb);
	if (ret >= 0)
		ret = ret == r->len ? 0 : -EIO;
	vhb_req_done(r, ret);
}

/* Writers to a frozen file system wait until it thaws, those too that must not. */
static bool would_wait_for_thaw(const struct vhb_req *r)
{
	struct super_block *sb = file_inode(r->q->dev->backend->file)->i_sb;

	if (!vhb_is_write(r))
		return false;
	if (!sb_start_write_trylock(sb))
		return true;
	sb_end_write(sb);
	return false;
}

/**
 * vhb_file_rw() - read or write
 * @r: the request
 * @sync: a write is to be on stable storage when it is done
 */
void vhb_file_rw(struct vhb_req *r, bool sync)
{
	const struct vhb_backend *b = r->q->dev->backend;
	ssize_t ret;

	/* To sync what is in the page cache is to wait, whatever the flags. */
	if (!(b->file->f_mode & FMODE_NOWAIT) || (sync && !b->direct) || would_wait_for_thaw(r)) {
		vhb_req_punt(r);
		return;
	}
	init_iocb(r, &r->iocb, sync);
	r->iocb.ki_flags |= IOCB_NOWAIT;
	r->iocb.ki_complete = complete_rw;
	ret = start(r, &r->iocb);
	if (ret == -EIOCBQUEUED)
		return;
	if (ret == r->len)
		vhb_req_done(r, 0);
	else if (ret == -EAGAIN || ret == -EOPNOTSUPP || ret >= 0)
		/*
		 * A part of it, or nothing, without waiting, or not at all, as
		 * ext4 writes to its cache: all of it again.
		 */
		vhb_req_punt(r);
	else
		vhb_req_done(r, ret);
}

/* Zeroes the long way: through the page cache, a page at a time. */
static int write_zeroes(struct vhb_req *r, loff_t pos, loff_t len)
{
	struct kiocb iocb;

	init_iocb(r, &iocb, false);
	iocb.ki_flags &= ~IOCB_DIRECT;
	iocb.ki_pos = pos;
	while (len && !vhb_is_given_up(r)) {
		struct iov_iter iter;
		struct bio_vec zeroes;
		ssize_t ret;

		bvec_set_page(&zeroes, ZERO_PAGE(0), min_t(loff_t, len, PAGE_SIZE), 0);
		iov_iter_bvec(&iter, ITER_SOURCE, &zeroes, 1, zeroes.bv_len);
		ret = vfs_iocb_iter_write(iocb.ki_filp, &iocb, &iter);
		if (ret <= 0)
			return ret ?: -EIO;
		len -= ret;
	}
	return 0;
}

static int do_range(struct vhb_req *r, const struct virtio_blk_discard_write_zeroes *range)
{
	struct file *file = r->q->dev->backend->file;
	loff_t pos = le64_to_cpu(range->sector) << SECTOR_SHIFT;
	loff_t len = (loff_t)le32_to_cpu(range->num_sectors) << SECTOR_SHIFT;
	bool zero = r->type == VIRTIO_BLK_T_WRITE_ZEROES;
	bool unmap = le32_to_cpu(range->flags) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	int err;

	if (!len)
		return 0;
	err = vfs_fallocate(file, FALLOC_FL_KEEP_SIZE |
			    (zero && !unmap ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE),
			    pos, len);
	if (err == -EOPNOTSUPP && zero)
		err = write_zeroes(r, pos, len);
	return err;
}

static int wait_rw(struct vhb_req *r)
{
	struct kiocb iocb;
	ssize_t ret;

	init_iocb(r, &iocb, vhb_is_write(r) && vhb_is_write_through(r->q->dev));
	ret = start(r, &iocb);
	if (ret < 0)
		return ret;
	return ret == r->len ? 0 : -EIO;
}

/**
 * vhb_file_wait() - do what a request wants, and wait until it is done
 * @r: the request
 *
 * Return: 0 or an errno.
 */
int vhb_file_wait(struct vhb_req *r)
{
	struct file *file = r->q->dev->backend->file;
	int err = 0;
	u32 i;

	switch (r->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return wait_rw(r);
	case VIRTIO_BLK_T_FLUSH:
		return vfs_fsync(file, 1);
	}
	for (i = 0; i < r->nr_range && !err && !vhb_is_given_up(r); i++)
		err = do_range(r, &r->range[i]);
	if (!err && !vhb_is_given_up(r) && vhb_is_write_through(r->q->dev))
		err = vfs_fsync(file, 1);
	return err;
}
