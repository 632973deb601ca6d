// SPDX-License-Identifier: GPL-2.0
/*
 * Block devices: one bio on the guest's own pages for each request. The block
 * layer splits it to what the device can do.
 */
#include "blk.h"

static void end_io(struct bio *bio)
{
	struct vhb_req *r = container_of(bio, struct vhb_req, bio);
	int error = blk_status_to_errno(bio->bi_status);

	bio_uninit(bio);
	vhb_req_done(r, error);
}

static void submit(struct vhb_req *r)
{
	r->bio.bi_end_io = end_io;
	submit_bio(&r->bio);
}

static void init_rw(struct vhb_req *r, bool fua, blk_opf_t opf)
{
	const struct vhb_backend *b = r->q->dev->backend;
	struct bio *bio = &r->bio;

	opf |= vhb_is_write(r) ? REQ_OP_WRITE | REQ_SYNC | REQ_IDLE : REQ_OP_READ;
	if (fua)
		opf |= REQ_FUA;
	if (r->bounce) {
		bio_init(bio, b->bdev, r->bounce, r->nr_bounce, opf);
		bio->bi_vcnt = r->nr_bounce;
	} else {
		bio_init(bio, b->bdev, r->vec, r->nr_vec, opf);
		bio->bi_vcnt = r->nr_vec;
	}
	bio->bi_iter.bi_sector = r->sector;
	bio->bi_iter.bi_size = r->len;
}

/*
 * What a worker that polls must not do is wait: for a tag, say, that one of the
 * requests has which it would have to poll for. Instead -EAGAIN comes back, and
 * the request goes to a thread that may wait.
 */
static blk_opf_t may_not_wait(const struct vhb_backend *b)
{
	return b->poll ? REQ_NOWAIT : 0;
}

/**
 * vhb_bdev_rw() - read or write
 * @r: the request
 * @fua: a write is to be on stable storage when it is done
 */
void vhb_bdev_rw(struct vhb_req *r, bool fua)
{
	struct vhb_queue *q = r->q;
	const struct vhb_backend *b = q->dev->backend;

	init_rw(r, fua, may_not_wait(b) | (b->poll ? REQ_POLLED : 0));
	if (b->poll)
		list_add_tail(&r->link, &q->polled);
	submit(r);
}

/**
 * vhb_bdev_flush() - all writes that are done are to be on stable storage
 * @r: the request
 */
void vhb_bdev_flush(struct vhb_req *r)
{
	const struct vhb_backend *b = r->q->dev->backend;

	bio_init(&r->bio, b->bdev, NULL, 0, REQ_OP_WRITE | REQ_PREFLUSH | may_not_wait(b));
	submit(r);
}

static int do_range(const struct vhb_req *r, const struct virtio_blk_discard_write_zeroes *range)
{
	struct block_device *bdev = r->q->dev->backend->bdev;
	sector_t sector = le64_to_cpu(range->sector);
	sector_t sectors = le32_to_cpu(range->num_sectors);
	bool unmap = le32_to_cpu(range->flags) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;

	if (!sectors)
		return 0;
	switch (r->type) {
	case VIRTIO_BLK_T_DISCARD:
		return blkdev_issue_discard(bdev, sector, sectors, GFP_KERNEL);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return blkdev_issue_zeroout(bdev, sector, sectors, GFP_KERNEL,
					    unmap ? 0 : BLKDEV_ZERO_NOUNMAP);
	default:
		return blkdev_issue_secure_erase(bdev, sector, sectors, GFP_KERNEL);
	}
}

static int wait_rw(struct vhb_req *r)
{
	int err;

	init_rw(r, vhb_is_write(r) && vhb_is_write_through(r->q->dev), 0);
	err = submit_bio_wait(&r->bio);
	bio_uninit(&r->bio);
	return err;
}

/**
 * vhb_bdev_wait() - do what a request wants, and wait until it is done
 * @r: the request
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int vhb_bdev_wait(struct vhb_req *r)
{
	struct block_device *bdev = r->q->dev->backend->bdev;
	int err = 0;
	u32 i;

	switch (r->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return wait_rw(r);
	case VIRTIO_BLK_T_FLUSH:
		return blkdev_issue_flush(bdev);
	}
	for (i = 0; i < r->nr_range && !err && !vhb_is_given_up(r); i++)
		err = do_range(r, &r->range[i]);
	/* Write-through holds for these, too. */
	if (!err && !vhb_is_given_up(r) && vhb_is_write_through(r->q->dev))
		err = blkdev_issue_flush(bdev);
	return err;
}

/**
 * vhb_bdev_poll() - look whether requests are done that nobody else would find
 * @q: the queue
 *
 * The block layer may ignore the wish; those requests complete by themselves,
 * and are taken off the list here.
 */
void vhb_bdev_poll(struct vhb_queue *q)
{
	struct vhb_req *r, *next;

	list_for_each_entry_safe(r, next, &q->polled, link) {
		if (!(READ_ONCE(r->bio.bi_opf) & REQ_POLLED)) {
			list_del_init(&r->link);
			continue;
		}
		/* Not with the driver yet, or part of another one's request. */
		if (READ_ONCE(r->bio.bi_cookie) == BLK_QC_T_NONE)
			continue;
		/* One call finds all that are done on its hardware queue. */
		bio_poll(&r->bio, NULL, BLK_POLL_ONESHOT);
		break;
	}
}
