// SPDX-License-Identifier: GPL-2.0
/*
 * Device IOTLB: with VIRTIO_F_ACCESS_PLATFORM guest addresses go through the
 * VMM's IOMMU, of which this is a cache. The VMM fills it by write() and learns
 * by read() what is missing.
 *
 * A queue that meets an unknown address stops there, and waits for that one
 * address: at most one question a queue, kept in the queue, so that no guest
 * can make us allocate by asking. The VMM's update gives the queue another
 * turn; so does a kick, which repeats the question.
 *
 * The tree is one of "the tables" (internal.h): lookups happen with a queue
 * locked, changes with all of them locked. When the write() of an INVALIDATE
 * returns, nobody uses the old translation.
 */
#include <linux/interval_tree_generic.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "internal.h"

/*
 * Maps of the vdpa dialect, which are all that there is and not a cache: a VMM
 * with a virtual IOMMU has one for each of its guest's entries. Their memory is
 * charged to it.
 */
#define VDPA_MAPS_MAX	(1u << 20)

struct map {
	struct rb_node rb;
	struct list_head link;
	u64 subtree_last;
	struct vhc_region region;
};

#define MAP_START(map)	((map)->region.start)
#define MAP_LAST(map)	((map)->region.last)

INTERVAL_TREE_DEFINE(struct map, rb, u64, subtree_last, MAP_START, MAP_LAST,
		     static inline __maybe_unused, map_tree);

struct vhc_iotlb *vhc_iotlb_create(void)
{
	struct vhc_iotlb *tlb = kzalloc(sizeof(*tlb), GFP_KERNEL_ACCOUNT);

	if (!tlb)
		return NULL;
	tlb->root = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&tlb->list);
	return tlb;
}

static void remove_map(struct vhc_iotlb *tlb, struct map *map)
{
	map_tree_remove(map, &tlb->root);
	list_del(&map->link);
	kfree(map);
	tlb->nr--;
}

/* Return: whether anything was removed. A map goes as a whole. */
static bool remove_range(struct vhc_iotlb *tlb, u64 start, u64 last)
{
	struct map *map;
	bool any = false;

	while ((map = map_tree_iter_first(&tlb->root, start, last))) {
		remove_map(tlb, map);
		any = true;
		cond_resched();
	}
	return any;
}

void vhc_iotlb_destroy(struct vhc_iotlb *tlb)
{
	if (!tlb)
		return;
	remove_range(tlb, 0, U64_MAX);
	kfree(tlb);
}

bool vhc_iotlb_find(struct vhc_iotlb *tlb, u64 addr, struct vhc_region *region)
{
	const struct map *map = map_tree_iter_first(&tlb->root, addr, addr);

	if (!map)
		return false;
	*region = map->region;
	return true;
}

/* ---- questions to the VMM ------------------------------------------------ */

/* A queue, locked, needs @addr. It asks again only if the guest kicks again. */
void vhc_iotlb_miss(struct vhc_vq *vq, u64 addr, u32 perm)
{
	struct vhc_dev *dev = vq->dev;
	struct vhc_miss *miss = &vq->miss;
	bool ask;

	spin_lock(&dev->miss_lock);
	ask = miss->state == VHC_MISS_NONE || miss->addr != addr ||
	      miss->perm != perm || vq->kicked;
	if (ask) {
		miss->state = VHC_MISS_QUEUED;
		miss->addr = addr;
		miss->perm = perm;
	}
	spin_unlock(&dev->miss_lock);
	if (!ask)
		return;
	WRITE_ONCE(vq->kicked, false);
	vhc_count(vq, VHC_C_IOTLB_MISSES, 1);
	wake_up_interruptible_poll(&dev->miss_wait, EPOLLIN | EPOLLRDNORM);
}

/* The queue stops: it needs nothing any more. */
void vhc_iotlb_forget(struct vhc_vq *vq)
{
	spin_lock(&vq->dev->miss_lock);
	vq->miss.state = VHC_MISS_NONE;
	spin_unlock(&vq->dev->miss_lock);
}

/* Take the next question, from one queue after the other. */
static bool next_miss(struct vhc_dev *dev, struct vhost_iotlb_msg *msg)
{
	unsigned int i, nr = dev->nr_vqs;
	bool found = false;

	spin_lock(&dev->miss_lock);
	for (i = 0; i < nr && !found; i++) {
		struct vhc_miss *miss = &dev->vqs[(dev->miss_next + i) % nr].miss;

		if (miss->state != VHC_MISS_QUEUED)
			continue;
		miss->state = VHC_MISS_SENT;
		msg->iova = miss->addr;
		msg->perm = miss->perm;
		msg->type = VHOST_IOTLB_MISS;
		dev->miss_next = (dev->miss_next + i + 1) % nr;
		found = true;
	}
	spin_unlock(&dev->miss_lock);
	return found;
}

static bool miss_queued(struct vhc_dev *dev)
{
	unsigned int i;
	bool found = false;

	spin_lock(&dev->miss_lock);
	for (i = 0; i < dev->nr_vqs && !found; i++)
		found = dev->vqs[i].miss.state == VHC_MISS_QUEUED;
	spin_unlock(&dev->miss_lock);
	return found;
}

/* Give those queues a turn whose question is answered. Tables locked. */
static void answer_misses(struct vhc_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_vqs; i++) {
		struct vhc_vq *vq = &dev->vqs[i];
		struct vhc_region region;
		bool wake = false;

		spin_lock(&dev->miss_lock);
		if (vq->miss.state != VHC_MISS_NONE &&
		    vhc_iotlb_find(dev->iotlb, vq->miss.addr, &region) &&
		    (region.perm & vq->miss.perm) == vq->miss.perm) {
			vq->miss.state = VHC_MISS_NONE;
			wake = true;
		}
		spin_unlock(&dev->miss_lock);
		if (wake)
			vhc_vq_wake(vq);
	}
}

/* ---- messages from the VMM ----------------------------------------------- */

static void remap_all(struct vhc_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_vqs; i++)
		vhc_vq_remap(&dev->vqs[i]);
}

/* Tables locked, as for all that follow. */
static int update(struct vhc_dev *dev, const struct vhost_iotlb_msg *msg)
{
	struct vhc_iotlb *tlb = dev->iotlb;
	u64 last = msg->iova + (msg->size - 1);
	struct map *map;

	if (!msg->size || last < msg->iova || !msg->perm ||
	    msg->perm & ~VHC_PERM_RW)
		return -EINVAL;
	if ((u64)(uintptr_t)msg->uaddr != msg->uaddr ||
	    msg->size != (size_t)msg->size ||
	    !access_ok((void __user *)(uintptr_t)msg->uaddr, msg->size))
		return -EFAULT;
	map = kmalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	if (!map)
		return -ENOMEM;
	map->region.start = msg->iova;
	map->region.last = last;
	map->region.user = msg->uaddr;
	map->region.perm = msg->perm;

	/* A VMM's own maps are neither replaced nor dropped. */
	if (dev->vdpa && map_tree_iter_first(&tlb->root, msg->iova, last)) {
		kfree(map);
		return -EEXIST;
	}
	if (dev->vdpa && tlb->nr >= VDPA_MAPS_MAX) {
		kfree(map);
		return -ENOSPC;
	}
	if (remove_range(tlb, msg->iova, last))
		remap_all(dev);
	if (!dev->vdpa && tlb->nr >= max(vhc_max_iotlb_entries, 1u)) {
		/* Full: the oldest one goes; it can be asked for again. */
		remove_map(tlb, list_first_entry(&tlb->list, struct map, link));
		remap_all(dev);
	}
	map_tree_insert(map, &tlb->root);
	list_add_tail(&map->link, &tlb->list);
	tlb->nr++;
	if (!dev->batch)
		answer_misses(dev);
	return 0;
}

static int invalidate(struct vhc_dev *dev, const struct vhost_iotlb_msg *msg)
{
	u64 last = msg->iova + (msg->size - 1);

	if (!msg->size || last < msg->iova)
		return -EINVAL;
	if (remove_range(dev->iotlb, msg->iova, last))
		remap_all(dev);
	return 0;
}

static int handle(struct vhc_dev *dev, const struct vhost_iotlb_msg *msg)
{
	if (!dev->iotlb)
		return -EFAULT;
	switch (msg->type) {
	case VHOST_IOTLB_UPDATE:
		return update(dev, msg);
	case VHOST_IOTLB_INVALIDATE:
		return invalidate(dev, msg);
	case VHOST_IOTLB_BATCH_BEGIN:
		dev->batch = true;
		return 0;
	case VHOST_IOTLB_BATCH_END:
		dev->batch = false;
		answer_misses(dev);
		return 0;
	default:
		return -EINVAL;
	}
}

/* Either version of a message; @type tells which. Their sizes are equal. */
union message {
	__u32 type;
	struct vhost_msg v1;
	struct vhost_msg_v2 v2;
};

ssize_t vhc_iotlb_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct vhc_dev *dev = iocb->ki_filp->private_data;
	const struct vhost_iotlb_msg *iotlb;
	size_t len = iov_iter_count(from);
	union message msg;
	int err;

	BUILD_BUG_ON(sizeof(struct vhost_msg) != sizeof(struct vhost_msg_v2));
	if (len < sizeof(msg))
		return -EINVAL;
	if (!copy_from_iter_full(&msg, sizeof(msg), from))
		return -EFAULT;
	switch (msg.type) {
	case VHOST_IOTLB_MSG:
		iotlb = &msg.v1.iotlb;
		break;
	case VHOST_IOTLB_MSG_V2:
		/* One address space. */
		if (msg.v2.asid)
			return -EINVAL;
		iotlb = &msg.v2.iotlb;
		break;
	default:
		return -EINVAL;
	}

	mutex_lock(&dev->mutex);
	if (vhc_dev_is_owner(dev)) {
		vhc_dev_lock_vqs(dev);
		err = handle(dev, iotlb);
		vhc_dev_unlock_vqs(dev);
	} else {
		err = -EPERM;
	}
	mutex_unlock(&dev->mutex);
	return err ? err : sizeof(msg);
}

ssize_t vhc_iotlb_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct vhc_dev *dev = iocb->ki_filp->private_data;
	bool nonblock = iocb->ki_filp->f_flags & O_NONBLOCK ||
			iocb->ki_flags & IOCB_NOWAIT;
	struct vhost_iotlb_msg iotlb = {};
	union message msg;

	if (iov_iter_count(to) < sizeof(msg))
		return -EINVAL;
	while (!next_miss(dev, &iotlb)) {
		int err;

		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(dev->miss_wait, miss_queued(dev));
		if (err)
			return err;
	}
	/* All of it: padding goes to user space, too. */
	memset(&msg, 0, sizeof(msg));
	if (READ_ONCE(dev->backend_features) & BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2)) {
		msg.v2.type = VHOST_IOTLB_MSG_V2;
		msg.v2.iotlb = iotlb;
	} else {
		msg.v1.type = VHOST_IOTLB_MSG;
		msg.v1.iotlb = iotlb;
	}
	if (copy_to_iter(&msg, sizeof(msg), to) != sizeof(msg))
		return -EFAULT;
	return sizeof(msg);
}

__poll_t vhc_iotlb_poll(struct file *file, poll_table *wait)
{
	struct vhc_dev *dev = file->private_data;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &dev->miss_wait, wait);
	if (miss_queued(dev))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}
