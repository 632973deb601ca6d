// SPDX-License-Identifier: GPL-2.0
/*
 * vhost_blk: virtio-blk's data path in the host kernel.
 *
 * A disk is an object that an administrator makes of a block device or a file
 * (disk.c); a VMM opens its node and speaks the vdpa dialect. The control node
 * also speaks the classic dialect, for VMMs that have a device model of their
 * own. The data path does not know which of them set it up.
 *
 *	backend.c	files that blocks are in
 *	disk.c		named disks, the control node
 *	config.c	configuration space
 *	queue.c		a turn of a queue
 *	req.c		a request, from chain to status
 *	bdev.c, file.c	what it means for a block device, for a file
 *	sched.c		fair queueing by class
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "blk.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define BACKEND_FLAGS	(VHOST_BLK_F_RDONLY | VHOST_BLK_F_POLL | VHOST_BLK_F_BUFFERED)

/*
 * What a classic device can do with any backing. Its configuration space is the
 * VMM's, so what a driver writes there (CONFIG_WCE) we would not know.
 */
#define CLASSIC_FEATURES						\
	(BIT_ULL(VIRTIO_BLK_F_SEG_MAX) | BIT_ULL(VIRTIO_BLK_F_SIZE_MAX) |	\
	 BIT_ULL(VIRTIO_BLK_F_RO) | BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) |	\
	 BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) | BIT_ULL(VIRTIO_BLK_F_FLUSH) |	\
	 BIT_ULL(VIRTIO_BLK_F_MQ) | BIT_ULL(VIRTIO_BLK_F_DISCARD) |	\
	 BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES))

/* ---- the classic dialect -------------------------------------------------------------- */

static void stop(struct vhb_dev *d, bool discard)
{
	vhc_dev_stop(d->dev, discard);
	if (!d->disk) {
		d->backend = NULL;
		vhb_backend_put(&d->own);
	}
}

/* Start the queues that were set up. */
static int start(struct vhb_dev *d)
{
	unsigned int i;
	int err;

	for (i = 0; i < d->nr_queues; i++) {
		struct vhc_vq *vq = d->queue[i].vq;

		vhc_vq_lock(vq);
		err = vhc_vq_is_set_up(vq) ? vhc_vq_start(vq) : 0;
		vhc_vq_unlock(vq);
		if (err)
			return err;
		vhc_vq_wake(vq);
	}
	return 0;
}

static long set_backend(struct vhb_dev *d, const struct vhost_blk_backend __user *arg)
{
	struct vhost_blk_backend b;
	int err;

	if (copy_from_user(&b, arg, sizeof(b)))
		return -EFAULT;
	if (b.flags & ~BACKEND_FLAGS)
		return -EINVAL;
	if (b.fd == VHOST_FILE_UNBIND) {
		stop(d, false);
		return 0;
	}
	if (d->backend)
		return -EBUSY;
	err = vhb_backend_get(&d->own, b.fd, b.flags);
	if (err)
		return err;
	d->backend = &d->own;
	memcpy(d->serial, b.serial, sizeof(d->serial));
	err = start(d);
	/* Those that started may have taken something already. */
	if (err)
		stop(d, false);
	return err;
}

static long ioctl(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	struct vhb_dev *d = vhc_dev_priv(dev);

	if (cmd != VHOST_BLK_SET_BACKEND || d->disk)
		return -ENOIOCTLCMD;
	return set_backend(d, arg);
}

/* ---- life cycle -------------------------------------------------------------------------- */

static void set_features(struct vhc_dev *dev)
{
	struct vhb_dev *d = vhc_dev_priv(dev);

	WRITE_ONCE(d->can_flush, vhc_dev_has_feature(dev, VIRTIO_BLK_F_FLUSH));
}

static int open(struct vhc_dev *dev)
{
	struct vhb_disk *disk = vhc_dev_object(dev);
	unsigned int nr = vhc_dev_nr_vqs(dev), i;
	struct vhb_dev *d;

	d = kvzalloc(struct_size(d, queue, nr), GFP_KERNEL_ACCOUNT);
	if (!d)
		return -ENOMEM;
	d->punted = alloc_workqueue("vhost-blk-%d", WQ_UNBOUND, VHB_PUNTED_MAX,
				    task_tgid_nr(current));
	if (!d->punted) {
		kvfree(d);
		return -ENOMEM;
	}
	d->wce = true;
	d->nr_queues = nr;
	vhb_sched_init_dev(d);
	d->dev = dev;
	d->disk = disk;
	d->kcov = kcov_common_handle();
	vhc_dev_set_priv(dev, d);
	for (i = 0; i < nr; i++)
		vhb_queue_init(&d->queue[i], d, i);
	if (!disk) {
		vhc_dev_offer(dev, CLASSIC_FEATURES);
		return 0;
	}
	d->backend = &disk->backend;
	memcpy(d->serial, disk->serial, sizeof(d->serial));
	vhc_dev_offer(dev, vhb_config_features(disk));
	if (disk->flags & VHOST_BLK_F_SPLIT)
		vhc_dev_withhold(dev, BIT_ULL(VIRTIO_F_RING_PACKED));
	if (disk->flags & VHOST_BLK_F_WORKER_PER_QUEUE)
		vhc_dev_want_worker_per_queue(dev);
	vhb_disk_opened(disk, d);
	return 0;
}

static void reset(struct vhc_dev *dev)
{
	struct vhb_dev *d = vhc_dev_priv(dev);

	stop(d, true);
	/* A new owner may never say what its driver can. */
	WRITE_ONCE(d->can_flush, false);
}

static void release(struct vhc_dev *dev)
{
	struct vhb_dev *d = vhc_dev_priv(dev);
	unsigned int i;

	if (d->disk)
		vhb_disk_closed(d->disk);
	destroy_workqueue(d->punted);
	for (i = 0; i < d->nr_queues; i++)
		vhb_queue_free(&d->queue[i]);
	kvfree(d);
}

static const struct vhc_name rejections[] = {
#define X(NAME, name, text) [VHB_R_##NAME] = { #name, text },
	VHB_REJECTIONS(X)
#undef X
};

static const struct vhc_name counters[] = {
#define X(NAME, name, text) [VHB_C_##NAME] = { #name, text },
	VHB_COUNTERS(X)
#undef X
};

static const struct vhc_vdpa_ops vdpa = {
	.device_id	= VIRTIO_ID_BLOCK,
	.vring_num	= VHB_VRING_NUM,
	.config_size	= sizeof(struct virtio_blk_config),
	.get_config	= vhb_config_get,
	.set_config	= vhb_config_set,
};

static const struct vhc_driver driver = {
	.owner		= THIS_MODULE,
	.name		= "blk",
	.node		= "vhost-blk/control",
	.minor		= MISC_DYNAMIC_MINOR,
	.nr_vqs		= VHOST_BLK_QUEUES_MAX,
	/*
	 * Requests are completed as they are done, and written to after the
	 * turn that took them, when there is no log of it.
	 */
	.without	= BIT_ULL(VIRTIO_F_IN_ORDER) | BIT_ULL(VHOST_F_LOG_ALL) |
			  BIT_ULL(VIRTIO_F_ACCESS_PLATFORM),
	.rejections	= rejections,
	.nr_rejections	= VHB_R_NR,
	.counters	= counters,
	.nr_counters	= VHB_C_NR,
	.open		= open,
	.release	= release,
	.reset		= reset,
	.set_features	= set_features,
	.ioctl		= ioctl,
	.control	= vhb_disk_control,
	.run		= vhb_queue_run,
	.vdpa		= &vdpa,
};

static struct vhc_registration *registration;

static int __init vhost_blk_init(void)
{
	int err;

	err = vhb_disk_init(&driver);
	if (err)
		return err;
	registration = vhc_register(&driver);
	err = PTR_ERR_OR_ZERO(registration);
	if (err)
		vhb_disk_exit();
	return err;
}

static void __exit vhost_blk_exit(void)
{
	vhc_unregister(registration);
	vhb_disk_exit();
}

module_init(vhost_blk_init);
module_exit(vhost_blk_exit);

VHC_IMPORT();
MODULE_DESCRIPTION("Host side of virtio-blk");
MODULE_AUTHOR("The vhost accelerator authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
