// SPDX-License-Identifier: GPL-2.0
/*
 * Devices: one for every open file of a node. Registration of the node, the
 * owner, and the teardown, which is the set-up read backwards.
 */
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "internal.h"

#define CORE_FEATURES							\
	(BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT_ULL(VHOST_F_LOG_ALL) |	\
	 BIT_ULL(VIRTIO_F_ANY_LAYOUT) | BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | \
	 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | BIT_ULL(VIRTIO_F_VERSION_1) | \
	 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | BIT_ULL(VIRTIO_F_RING_RESET) | \
	 BIT_ULL(VIRTIO_F_RING_PACKED) | BIT_ULL(VIRTIO_F_IN_ORDER))

#define NATIVE_LE	(cpu_to_le16(1) == (__force __le16)1)

/**
 * vhc_dev_offer() - offer features beside those of the driver, in its open()
 * @dev: the device
 * @features: bits 0 to 63
 */
void vhc_dev_offer(struct vhc_dev *dev, u64 features)
{
	dev->offered[0] |= features;
}
VHC_EXPORT(vhc_dev_offer);

/**
 * vhc_dev_withhold() - do not offer features, in the driver's open()
 * @dev: the device
 * @features: bits 0 to 63
 */
void vhc_dev_withhold(struct vhc_dev *dev, u64 features)
{
	dev->offered[0] &= ~features;
}
VHC_EXPORT(vhc_dev_withhold);

/**
 * vhc_dev_want_worker_per_queue() - as the module parameter, for one device
 * @dev: the device, in open()
 */
void vhc_dev_want_worker_per_queue(struct vhc_dev *dev)
{
	dev->worker_per_queue = true;
}
VHC_EXPORT(vhc_dev_want_worker_per_queue);

/**
 * vhc_dev_has_feature() - whether a feature was agreed on
 * @dev: the device, or one of its queues, locked
 * @bit: number of the feature
 */
bool vhc_dev_has_feature(const struct vhc_dev *dev, unsigned int bit)
{
	return dev->features[bit / 64] & BIT_ULL(bit % 64);
}
VHC_EXPORT(vhc_dev_has_feature);

/**
 * vhc_dev_set_priv() - set the device module's own pointer, in its open()
 * @dev: the device
 * @priv: anything
 */
void vhc_dev_set_priv(struct vhc_dev *dev, void *priv)
{
	dev->priv = priv;
}
VHC_EXPORT(vhc_dev_set_priv);

/**
 * vhc_dev_priv() - get the device module's own pointer
 * @dev: the device
 */
void *vhc_dev_priv(const struct vhc_dev *dev)
{
	return dev->priv;
}
VHC_EXPORT(vhc_dev_priv);

/**
 * vhc_dev_owner() - process id of a device's owner, for lists
 * @dev: the device
 *
 * Return: 0 if there was none yet.
 */
pid_t vhc_dev_owner(const struct vhc_dev *dev)
{
	return READ_ONCE(dev->owner_pid);
}
VHC_EXPORT(vhc_dev_owner);

/**
 * vhc_dev_nr_vqs() - how many queues a device has
 * @dev: the device
 */
unsigned int vhc_dev_nr_vqs(const struct vhc_dev *dev)
{
	return dev->nr_vqs;
}
VHC_EXPORT(vhc_dev_nr_vqs);

/**
 * vhc_dev_show_cid() - tell administrators by which context id a guest is known
 * @dev: the device, locked
 * @cid: the guest's CID, 0 for none
 */
void vhc_dev_show_cid(struct vhc_dev *dev, u32 cid)
{
	WRITE_ONCE(dev->cid, cid);
}
VHC_EXPORT(vhc_dev_show_cid);

/**
 * vhc_dev_vq() - a queue of a device
 * @dev: the device
 * @index: less than the device's number of queues
 */
struct vhc_vq *vhc_dev_vq(struct vhc_dev *dev, unsigned int index)
{
	return &dev->vqs[index];
}
VHC_EXPORT(vhc_dev_vq);

/**
 * vhc_dev_lock_vqs() - keep all queues of a device from running
 * @dev: the device, locked: "the tables" may change now
 *
 * Context: may sleep; waits for turns, which are bounded.
 */
void vhc_dev_lock_vqs(struct vhc_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_vqs; i++) {
		atomic_inc(&dev->vqs[i].lockers);
		mutex_lock_nest_lock(&dev->vqs[i].mutex, &dev->mutex);
		atomic_dec(&dev->vqs[i].lockers);
	}
}
VHC_EXPORT(vhc_dev_lock_vqs);

/**
 * vhc_dev_unlock_vqs() - let them run again
 * @dev: the device
 */
void vhc_dev_unlock_vqs(struct vhc_dev *dev)
{
	unsigned int i;

	for (i = dev->nr_vqs; i-- > 0;)
		mutex_unlock(&dev->vqs[i].mutex);
}
VHC_EXPORT(vhc_dev_unlock_vqs);

/* ---- owner ---------------------------------------------------------------- */

/* Device locked. Guest memory is the owner's: only it may say what is where. */
bool vhc_dev_is_owner(const struct vhc_dev *dev)
{
	return dev->mm && dev->mm == current->mm;
}

/* One worker for all queues, or one for each. */
static int create_workers(struct vhc_dev *dev)
{
	struct vhc_worker *worker = NULL;
	bool per_queue = dev->worker_per_queue || READ_ONCE(vhc_worker_per_queue);
	unsigned int i;
	int err;

	for (i = 0; i < dev->nr_vqs; i++) {
		struct vhc_vq *vq = &dev->vqs[i];

		if (per_queue || !worker) {
			err = vhc_worker_create(dev, current, per_queue ? vq : NULL, &worker);
			if (err)
				return err;
		}
		vhc_worker_attach(vq, worker);
	}
	return 0;
}

/* Device locked. */
static void name_owner(struct vhc_dev *dev, struct pid *owner)
{
	spin_lock(&dev->owner_lock);
	swap(dev->owner, owner);
	if (dev->owner)
		get_task_comm(dev->owner_comm, current->group_leader);
	spin_unlock(&dev->owner_lock);
	put_pid(owner);
}

/* Device locked, has an owner. */
static void drop_owner(struct vhc_dev *dev)
{
	vhc_stats_remove_dev(dev);
	vhc_worker_free_all(dev);
	name_owner(dev, NULL);
	mmput(dev->mm);
	dev->mm = NULL;
}

/* Device locked. */
int vhc_dev_set_owner(struct vhc_dev *dev)
{
	int err;

	if (dev->mm)
		return -EBUSY;
	dev->mm = get_task_mm(current);
	if (!dev->mm)
		return -EPERM;
	dev->owner_pid = task_tgid_nr(current);
	name_owner(dev, get_task_pid(current, PIDTYPE_TGID));
	vhc_stats_add_dev(dev);
	err = create_workers(dev);
	if (err)
		drop_owner(dev);
	return err;
}

static void set_iotlb(struct vhc_dev *dev, struct vhc_iotlb *tlb)
{
	swap(dev->iotlb, tlb);
	vhc_iotlb_destroy(tlb);
	dev->batch = false;
}

/* Back to how it was after open. Device locked. */
static void reset(struct vhc_dev *dev)
{
	unsigned int i;

	dev->drv->reset(dev);
	vhc_dev_lock_vqs(dev);
	for (i = 0; i < dev->nr_vqs; i++)
		vhc_vq_reset(&dev->vqs[i]);
	kvfree(dev->mem);
	dev->mem = NULL;
	set_iotlb(dev, NULL);
	memset(dev->features, 0, sizeof(dev->features));
	dev->backend_features = 0;
	dev->log_all = false;
	dev->log_base = NULL;
	dev->log_bytes = 0;
	if (dev->log_call)
		eventfd_ctx_put(dev->log_call);
	dev->log_call = NULL;
	vhc_dev_unlock_vqs(dev);
	if (dev->mm)
		drop_owner(dev);
}

/* Device locked, by the owner. */
int vhc_dev_reset_owner(struct vhc_dev *dev)
{
	reset(dev);
	return 0;
}

/* ---- features and memory --------------------------------------------------- */

static bool any_running(const struct vhc_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_vqs; i++) {
		if (dev->vqs[i].state != VHC_VQ_STOPPED)
			return true;
	}
	return false;
}

/*
 * Device locked.
 *
 * Return: 0; -EOPNOTSUPP for bits not offered; -EBUSY while a queue runs,
 * unless just logging is switched; -EFAULT if there is no log for all of
 * memory; -ENOMEM.
 */
int vhc_dev_set_features(struct vhc_dev *dev, const u64 *features)
{
	const u64 log = BIT_ULL(VHOST_F_LOG_ALL);
	bool want_tlb = features[0] & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	struct vhc_iotlb *tlb = NULL;
	unsigned int i;
	u64 bytes;
	int err = 0;

	for (i = 0; i < VHC_FEATURE_WORDS; i++) {
		if (features[i] & ~dev->offered[i])
			return -EOPNOTSUPP;
	}
	/* A legacy guest's ring is in its own byte order; ours is read as LE. */
	if (!NATIVE_LE && !(features[0] & BIT_ULL(VIRTIO_F_VERSION_1)))
		return -EOPNOTSUPP;
	if (want_tlb && !dev->vdpa) {
		tlb = vhc_iotlb_create();
		if (!tlb)
			return -ENOMEM;
	}

	vhc_dev_lock_vqs(dev);
	if (any_running(dev) && ((features[0] ^ dev->features[0]) & ~log ||
				 features[1] != dev->features[1])) {
		err = -EBUSY;
		goto unlock;
	}
	if (features[0] & log &&
	    (!dev->log_base ||
	     !vhc_log_covers(dev, dev->mem, (uintptr_t)dev->log_base, &bytes))) {
		err = -EFAULT;
		goto unlock;
	}
	memcpy(dev->features, features, sizeof(dev->features));
	dev->log_all = features[0] & log;
	/*
	 * A driver that starts anew finds no translation of the one before: the
	 * VMM does not report what is unmapped while the device is stopped. The
	 * maps of the vdpa dialect are the VMM's own, and stay.
	 */
	if (!any_running(dev) && !dev->vdpa) {
		set_iotlb(dev, tlb);
		tlb = NULL;
	}
	dev->drv->set_features(dev);
unlock:
	vhc_dev_unlock_vqs(dev);
	vhc_iotlb_destroy(tlb);
	return err;
}

/*
 * Exchange the memory table, under load as well. Takes over @mem. Device
 * locked, by the owner.
 *
 * Return: 0; -EINVAL for overlapping regions; -EFAULT if the log is too short.
 */
int vhc_dev_set_mem(struct vhc_dev *dev, struct vhc_mem *mem)
{
	u64 bytes = 0;
	unsigned int i;
	int err = 0;

	if (!vhc_mem_sort(mem)) {
		kvfree(mem);
		return -EINVAL;
	}
	vhc_dev_lock_vqs(dev);
	if (dev->log_base &&
	    !vhc_log_covers(dev, mem, (uintptr_t)dev->log_base, &bytes)) {
		err = -EFAULT;
	} else {
		swap(dev->mem, mem);
		dev->log_bytes = bytes;
		for (i = 0; i < dev->nr_vqs; i++)
			vhc_vq_remap(&dev->vqs[i]);
	}
	vhc_dev_unlock_vqs(dev);
	kvfree(mem);
	return err;
}

/* ---- open and close --------------------------------------------------------- */

void vhc_dev_free(struct vhc_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_vqs; i++)
		vhc_vq_free(&dev->vqs[i]);
	kvfree(dev->vqs);
	xa_destroy(&dev->workers);
	/* Says how many log lines were suppressed, if any. */
	ratelimit_state_exit(&dev->log_limit);
	mutex_destroy(&dev->mutex);
	kfree(dev);
}

struct vhc_dev *vhc_dev_alloc(const struct vhc_driver *drv, unsigned int nr_vqs)
{
	struct vhc_dev *dev;
	unsigned int i;
	int err = 0;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);
	if (!dev)
		return NULL;
	dev->vqs = kvcalloc(nr_vqs, sizeof(*dev->vqs), GFP_KERNEL_ACCOUNT);
	if (!dev->vqs) {
		kfree(dev);
		return NULL;
	}
	mutex_init(&dev->mutex);
	spin_lock_init(&dev->owner_lock);
	init_waitqueue_head(&dev->changed);
	dev->drv = drv;
	dev->nr_vqs = nr_vqs;
	dev->offered[0] = drv->features[0] | (CORE_FEATURES & ~drv->without);
	dev->offered[1] = drv->features[1];
	init_waitqueue_head(&dev->drained);
	xa_init_flags(&dev->workers, XA_FLAGS_ALLOC);
	spin_lock_init(&dev->miss_lock);
	init_waitqueue_head(&dev->miss_wait);
	ratelimit_state_init(&dev->log_limit, 5 * HZ, 10);
	ratelimit_set_flags(&dev->log_limit, RATELIMIT_MSG_ON_RELEASE);
	for (i = 0; i < nr_vqs; i++)
		err = err ?: vhc_vq_init(&dev->vqs[i], dev, i);
	if (err) {
		vhc_dev_free(dev);
		return NULL;
	}
	return dev;
}

static int vhc_open(struct inode *inode, struct file *file)
{
	struct vhc_registration *reg = container_of(file->private_data,
						    struct vhc_registration, misc);
	struct vhc_dev *dev;
	int err;

	dev = vhc_dev_alloc(reg->drv, reg->drv->nr_vqs);
	if (!dev)
		return -ENOMEM;
	err = reg->drv->open(dev);
	if (err)
		goto free;
	err = vhc_registry_add(dev);
	if (err)
		goto release;
	vhc_netlink_dev_added(dev);
	file->private_data = dev;
	return 0;

release:
	reg->drv->release(dev);
free:
	vhc_dev_free(dev);
	return err;
}

/* The file is closed: whatever it had goes. */
void vhc_dev_close(struct vhc_dev *dev)
{
	vhc_registry_remove(dev);
	vhc_netlink_dev_removed(dev);
	mutex_lock(&dev->mutex);
	reset(dev);
	mutex_unlock(&dev->mutex);
	dev->drv->release(dev);
	vhc_vdpa_destroy(dev);
	vhc_dev_free(dev);
}

static int vhc_release(struct inode *inode, struct file *file)
{
	vhc_dev_close(file->private_data);
	return 0;
}

static const struct file_operations fops_template = {
	.open		= vhc_open,
	.release	= vhc_release,
	.read_iter	= vhc_iotlb_read,
	.write_iter	= vhc_iotlb_write,
	.poll		= vhc_iotlb_poll,
	.unlocked_ioctl	= vhc_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

/**
 * vhc_register() - make the device node of a driver
 * @drv: the driver; must live until vhc_unregister()
 *
 * Return: a handle, or an error pointer: -EBUSY if the minor is taken, by the
 * in-tree module of the same name most likely; -EINVAL if the module is of
 * another version than this one.
 */
struct vhc_registration *vhc_register(const struct vhc_driver *drv)
{
	struct vhc_registration *reg;
	int err;

	/* What modules have in common is theirs alone: no two versions agree on it. */
	if (strcmp(drv->owner->version, THIS_MODULE->version)) {
		pr_err("%s is version %s and does not go with vhost_core %s\n",
		       drv->owner->name, drv->owner->version, THIS_MODULE->version);
		return ERR_PTR(-EINVAL);
	}
	reg = kzalloc(sizeof(*reg), GFP_KERNEL);
	if (!reg)
		return ERR_PTR(-ENOMEM);
	reg->drv = drv;
	reg->fops = fops_template;
	reg->fops.owner = drv->owner;
	reg->misc.minor = drv->minor;
	reg->misc.name = drv->node;
	reg->misc.nodename = drv->node;
	reg->misc.fops = &reg->fops;
	err = misc_register(&reg->misc);
	if (err) {
		if (err == -EBUSY)
			pr_err("%s: minor %d is taken; is the in-tree module loaded?\n",
			       drv->node, drv->minor);
		kfree(reg);
		return ERR_PTR(err);
	}
	return reg;
}
VHC_EXPORT(vhc_register);

/**
 * vhc_unregister() - remove the node; no file of it is open any more
 * @reg: what vhc_register() returned
 */
void vhc_unregister(struct vhc_registration *reg)
{
	misc_deregister(&reg->misc);
	kfree(reg);
}
VHC_EXPORT(vhc_unregister);
