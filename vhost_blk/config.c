// SPDX-License-Identifier: GPL-2.0
/*
 * Configuration space of a disk (virtio 1.3, section 5.2.4), and the features
 * that say what of it counts. Everything is asked of the backing when it is
 * read: it may have been resized. Little-endian, as VERSION_1 has it: legacy
 * drivers do not come by the vdpa dialect.
 */
#include <linux/fs.h>
#include <linux/virtio_byteorder.h>

#include "blk.h"

/* Bytes that one segment may have: as many as may be are no more than a request. */
#define SIZE_MAX_BYTES	(256u << 10)
static_assert(VHB_REQUEST_MAX / VHB_SEG_MAX >= SIZE_MAX_BYTES);

u64 vhb_config_features(const struct vhb_disk *disk)
{
	const struct vhb_backend *b = &disk->backend;
	u64 features = BIT_ULL(VIRTIO_BLK_F_SEG_MAX) | BIT_ULL(VIRTIO_BLK_F_SIZE_MAX) |
		       BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) | BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) |
		       BIT_ULL(VIRTIO_BLK_F_FLUSH) | BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE);

	if (disk->queues > 1)
		features |= BIT_ULL(VIRTIO_BLK_F_MQ);
	if (b->rdonly)
		return features | BIT_ULL(VIRTIO_BLK_F_RO);
	features |= BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES);
	if (b->bdev ? bdev_max_discard_sectors(b->bdev) : !!b->file->f_op->fallocate)
		features |= BIT_ULL(VIRTIO_BLK_F_DISCARD);
	if (b->bdev && bdev_max_secure_erase_sectors(b->bdev))
		features |= BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE);
	return features;
}

static u32 range_max(u32 sectors)
{
	return min(sectors ?: VHB_RANGE_SECTORS_MAX, VHB_RANGE_SECTORS_MAX);
}

static void fill_bdev(struct virtio_blk_config *c, struct block_device *bdev)
{
	u32 block = bdev_logical_block_size(bdev);
	u32 granularity = max(bdev_discard_granularity(bdev), block);

	c->physical_block_exp = ilog2(max(bdev_physical_block_size(bdev) / block, 1u));
	c->alignment_offset = max(bdev_alignment_offset(bdev), 0) / block;
	c->min_io_size = __cpu_to_virtio16(true, min_t(u32, bdev_io_min(bdev) / block, U16_MAX));
	c->opt_io_size = __cpu_to_virtio32(true, bdev_io_opt(bdev) / block);
	c->max_discard_sectors = __cpu_to_virtio32(true, range_max(bdev_max_discard_sectors(bdev)));
	c->discard_sector_alignment = __cpu_to_virtio32(true, granularity >> SECTOR_SHIFT);
	c->max_secure_erase_sectors =
		__cpu_to_virtio32(true, range_max(bdev_max_secure_erase_sectors(bdev)));
	c->secure_erase_sector_alignment = c->discard_sector_alignment;
}

static void fill_file(struct virtio_blk_config *c, const struct vhb_backend *b)
{
	c->max_discard_sectors = __cpu_to_virtio32(true, VHB_RANGE_SECTORS_MAX);
	c->discard_sector_alignment =
		__cpu_to_virtio32(true, max(i_blocksize(file_inode(b->file)), b->block) >> SECTOR_SHIFT);
}

static void fill(const struct vhb_dev *d, struct virtio_blk_config *c)
{
	const struct vhb_disk *disk = d->disk;
	const struct vhb_backend *b = &disk->backend;

	memset(c, 0, sizeof(*c));
	c->capacity = __cpu_to_virtio64(true, vhb_backend_sectors(b));
	c->size_max = __cpu_to_virtio32(true, SIZE_MAX_BYTES);
	c->seg_max = __cpu_to_virtio32(true, VHB_SEG_MAX);
	c->blk_size = __cpu_to_virtio32(true, b->block);
	/* Before the VMM has passed the driver's features on it is taken to know FLUSH. */
	c->wce = READ_ONCE(d->wce) && (READ_ONCE(d->can_flush) ||
				       !vhc_dev_has_feature(d->dev, VIRTIO_BLK_F_CONFIG_WCE));
	c->num_queues = __cpu_to_virtio16(true, disk->queues);
	c->max_discard_seg = __cpu_to_virtio32(true, VHB_RANGES_MAX);
	c->max_write_zeroes_sectors = __cpu_to_virtio32(true, VHB_RANGE_SECTORS_MAX);
	c->max_write_zeroes_seg = __cpu_to_virtio32(true, VHB_RANGES_MAX);
	c->write_zeroes_may_unmap = 1;
	c->max_secure_erase_seg = __cpu_to_virtio32(true, VHB_RANGES_MAX);
	if (b->bdev)
		fill_bdev(c, b->bdev);
	else
		fill_file(c, b);
}

void vhb_config_get(struct vhc_dev *dev, u32 offset, void *buf, u32 len)
{
	struct virtio_blk_config c;

	fill(vhc_dev_priv(dev), &c);
	memcpy(buf, (char *)&c + offset, len);
}

/*
 * The driver may choose between write-back and write-through, and no more. A VMM
 * may write all of the space for that, as QEMU does: the rest is as it is.
 */
int vhb_config_set(struct vhc_dev *dev, u32 offset, const void *buf, u32 len)
{
	struct vhb_dev *d = vhc_dev_priv(dev);
	u32 at = offsetof(struct virtio_blk_config, wce);
	u8 wce;

	if (!vhc_dev_has_feature(dev, VIRTIO_BLK_F_CONFIG_WCE))
		return -EINVAL;
	if (at < offset || at - offset >= len)
		return 0;
	wce = ((const u8 *)buf)[at - offset];
	if (wce > 1)
		return -EINVAL;
	WRITE_ONCE(d->wce, wce);
	return 0;
}
