// SPDX-License-Identifier: GPL-2.0
/*
 * Backings: the file that a disk's blocks are in, a block device or a regular
 * file.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/stat.h>
#include <linux/vhost.h>

#include "blk.h"

/*
 * A block device is opened once more, exclusively: what is mounted, or belongs
 * to another disk, is refused, and cannot be mounted later.
 *
 * Requests pass the page cache by. So what the host wrote goes to the device
 * first, else the guest would not see it, and would lose what it writes there
 * when the cache is written back at last.
 */
static int get_bdev(struct vhb_backend *b, struct file *file, bool poll)
{
	struct block_device *bdev = I_BDEV(file->f_mapping->host);
	blk_mode_t mode = BLK_OPEN_READ | (b->rdonly ? 0 : BLK_OPEN_WRITE);
	struct file *own;
	int err;

	if (!b->rdonly && bdev_read_only(bdev))
		return -EROFS;
	if (bdev_is_zoned(bdev))
		return -EOPNOTSUPP;
	own = bdev_file_open_by_dev(bdev->bd_dev, mode, b, NULL);
	if (IS_ERR(own))
		return PTR_ERR(own);
	err = sync_blockdev(file_bdev(own));
	if (err) {
		fput(own);
		return err;
	}
	b->file = own;
	b->bdev = file_bdev(own);
	/* Who polls must not wait for anything else: see bdev.c. */
	b->poll = poll && bdev_nowait(b->bdev) &&
		  bdev_get_queue(b->bdev)->limits.features & BLK_FEAT_POLL;
	b->direct = true;
	b->block = bdev_logical_block_size(b->bdev);
	b->align = bdev_dma_alignment(b->bdev) | (b->block - 1);
	return 0;
}

/* Regular files that are in use. Block devices have their holders. */
static LIST_HEAD(files);
static DEFINE_MUTEX(files_lock);

/* Two guests on one file overwrite each other, unless none of them writes. */
static int claim(struct vhb_backend *b, struct file *file)
{
	struct vhb_backend *other;
	int err = 0;

	mutex_lock(&files_lock);
	list_for_each_entry(other, &files, link) {
		if (file_inode(other->file) == file_inode(file) && !(other->rdonly && b->rdonly))
			err = -EBUSY;
	}
	if (!err) {
		b->file = get_file(file);
		list_add(&b->link, &files);
	}
	mutex_unlock(&files_lock);
	return err;
}

static void unclaim(struct vhb_backend *b)
{
	mutex_lock(&files_lock);
	list_del(&b->link);
	mutex_unlock(&files_lock);
}

static int get_regular(struct vhb_backend *b, struct file *file, bool buffered)
{
	struct kstat stat;
	int err;

	if (!(file->f_mode & FMODE_CAN_READ) || !file->f_op->read_iter ||
	    (!b->rdonly && (!(file->f_mode & FMODE_CAN_WRITE) || !file->f_op->write_iter)))
		return -EOPNOTSUPP;
	b->block = SECTOR_SIZE;
	err = vfs_getattr(&file->f_path, &stat, STATX_DIOALIGN, AT_STATX_SYNC_AS_STAT);
	if (err)
		return err;
	/* A file system that does not say what direct access wants gets none. */
	if (!buffered && file->f_mode & FMODE_CAN_ODIRECT &&
	    stat.result_mask & STATX_DIOALIGN && stat.dio_offset_align) {
		b->direct = true;
		b->block = max_t(u32, stat.dio_offset_align, SECTOR_SIZE);
		b->align = (stat.dio_mem_align - 1) | (b->block - 1);
	}
	return claim(b, file);
}

/**
 * vhb_backend_get() - take a file as the backing of a disk
 * @b: out: the backend; its address has to stay the same
 * @fd: file descriptor of the caller
 * @flags: VHOST_BLK_F_*
 *
 * Context: may sleep.
 * Return: 0 or an errno, as VHOST_BLK_ADD returns it.
 */
int vhb_backend_get(struct vhb_backend *b, int fd, u32 flags)
{
	struct file *file = fget(fd);
	umode_t mode;
	int err;

	if (!file)
		return -EBADF;
	memset(b, 0, sizeof(*b));
	b->rdonly = flags & VHOST_BLK_F_RDONLY;
	mode = file_inode(file)->i_mode;
	if (!(file->f_mode & FMODE_READ) || (!b->rdonly && !(file->f_mode & FMODE_WRITE)))
		err = -EBADF;
	else if (S_ISBLK(mode))
		err = get_bdev(b, file, flags & VHOST_BLK_F_POLL);
	else if (S_ISREG(mode))
		err = get_regular(b, file, flags & VHOST_BLK_F_BUFFERED);
	else
		err = -ENOTBLK;
	fput(file);
	return err;
}

/* What the host has read is no longer what the guest has made of it. */
void vhb_backend_put(struct vhb_backend *b)
{
	if (b->bdev && !b->rdonly)
		invalidate_bdev(b->bdev);
	if (b->file && !b->bdev)
		unclaim(b);
	if (b->file)
		fput(b->file);
	memset(b, 0, sizeof(*b));
}

/* Its size now; a file's last incomplete block does not count. */
u64 vhb_backend_sectors(const struct vhb_backend *b)
{
	u64 bytes;

	if (b->bdev)
		return bdev_nr_sectors(b->bdev);
	bytes = i_size_read(file_inode(b->file));
	return (bytes - bytes % b->block) >> SECTOR_SHIFT;
}
