// SPDX-License-Identifier: GPL-2.0
/*
 * The vhost-vdpa dialect: a node is a whole virtio device, with a status, a
 * configuration space, and maps in place of a memory table. <linux/vhost.h> is
 * the contract; what the calls do is done elsewhere.
 *
 * Maps come by write(), see iotlb.c. They are all there are: an address that
 * is in none of them is outside the guest's memory. They outlive a reset of
 * the device, and may come at any time before it is used; so nothing is
 * checked against them before DRIVER_OK.
 */
#include <linux/bitmap.h>
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/vhost_ext.h>
#include <linux/virtio_config.h>

#include "internal.h"

#define BACKEND_FEATURES						\
	(BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2) |			\
	 BIT_ULL(VHOST_BACKEND_F_IOTLB_BATCH) |				\
	 BIT_ULL(VHOST_BACKEND_F_SUSPEND) |				\
	 BIT_ULL(VHOST_BACKEND_F_RESUME) |				\
	 BIT_ULL(VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK) |		\
	 BIT_ULL(VHOST_BACKEND_F_IOTLB_PERSIST))

/*
 * Features that make no sense here. The status says what a reset of a ring
 * would; nobody migrates by a log, and no legacy driver comes this way.
 */
#define NOT_OFFERED							\
	(BIT_ULL(VHOST_F_LOG_ALL) | BIT_ULL(VIRTIO_F_RING_RESET) |	\
	 BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT_ULL(VIRTIO_F_ANY_LAYOUT))

/* Configuration is copied through the stack in pieces. */
#define CONFIG_PIECE	128

/**
 * struct vhc_vdpa - a device of this dialect
 * @status: virtio device status, as the driver set it (d)
 * @suspended: between SUSPEND and RESUME or a reset (d)
 * @enabled: queues that may run (d)
 * @broken: queues that were broken when they were stopped; only a reset helps:
 *	the chains that they had taken are lost (d)
 * @call_lock: for @config_call
 * @config_call: told of changes of the configuration
 */
struct vhc_vdpa {
	u8 status;
	bool suspended;
	unsigned long *enabled;
	unsigned long *broken;
	spinlock_t call_lock;
	struct eventfd_ctx *config_call;
};

static const struct vhc_vdpa_ops *ops_of(const struct vhc_dev *dev)
{
	return dev->drv->vdpa;
}

/* Device locked. */
static bool is_live(const struct vhc_vdpa *v)
{
	return v->status & VIRTIO_CONFIG_S_DRIVER_OK;
}

/**
 * vhc_dev_config_changed() - the configuration space has changed
 * @dev: the device
 *
 * Context: any but interrupts.
 */
void vhc_dev_config_changed(struct vhc_dev *dev)
{
	struct vhc_vdpa *v = dev->vdpa;

	if (!v)
		return;
	spin_lock(&v->call_lock);
	if (v->config_call)
		eventfd_signal(v->config_call);
	spin_unlock(&v->call_lock);
}
VHC_EXPORT(vhc_dev_config_changed);

/* ---- queues ------------------------------------------------------------------- */

/* How a queue is before its driver sets it up. Stopped; device locked. */
static void forget_ring(struct vhc_dev *dev, struct vhc_vq *vq)
{
	vhc_vq_lock(vq);
	vq->ring.num = ops_of(dev)->vring_num;
	vq->base = 0;
	vq->addr_set = false;
	vhc_vq_unlock(vq);
}

/*
 * Start a queue that the driver has set up. Here its addresses are checked.
 * Device locked, by the owner.
 */
static int start_queue(struct vhc_vq *vq)
{
	int err = 0;

	if (test_bit(vq->index, vq->dev->vdpa->broken))
		return 0;
	vhc_vq_lock(vq);
	/* A driver does not have to use all queues. */
	if (vq->addr_set) {
		err = vhc_vq_start(vq);
		if (!err && !vhc_vq_ready(vq)) {
			vhc_vq_stop(vq);
			err = -EFAULT;
		}
	}
	vhc_vq_unlock(vq);
	if (!err)
		vhc_vq_wake(vq);
	return err;
}

static void stop_queue(struct vhc_vq *vq, bool discard)
{
	const struct vhc_vdpa *v = vq->dev->vdpa;

	vhc_vq_drain(vq, discard);
	vhc_vq_lock(vq);
	if (v && !discard && vq->state == VHC_VQ_BROKEN)
		__set_bit(vq->index, v->broken);
	vhc_vq_stop(vq);
	vhc_vq_unlock(vq);
}

/**
 * vhc_dev_stop() - drain and stop all queues
 * @dev: the device, locked
 * @discard: see vhc_vq_drain()
 *
 * Context: may sleep, as long as the slowest request takes.
 */
void vhc_dev_stop(struct vhc_dev *dev, bool discard)
{
	unsigned int i;

	/* None takes more while others are waited for. */
	for (i = 0; i < dev->nr_vqs; i++)
		vhc_vq_drain_begin(&dev->vqs[i], discard);
	for (i = 0; i < dev->nr_vqs; i++)
		stop_queue(&dev->vqs[i], discard);
}
VHC_EXPORT(vhc_dev_stop);

static int start_all(struct vhc_dev *dev)
{
	unsigned int i;
	int err;

	for_each_set_bit(i, dev->vdpa->enabled, dev->nr_vqs) {
		err = start_queue(&dev->vqs[i]);
		if (err) {
			/* Those that started may have taken something already. */
			vhc_dev_stop(dev, false);
			return err;
		}
	}
	return 0;
}

/* ---- status --------------------------------------------------------------------- */

static u8 get_status(struct vhc_dev *dev)
{
	const struct vhc_vdpa *v = dev->vdpa;
	u8 status = v->status;
	unsigned int i;

	if (!bitmap_empty(v->broken, dev->nr_vqs))
		status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	for (i = 0; i < dev->nr_vqs; i++) {
		if (READ_ONCE(dev->vqs[i].state) == VHC_VQ_BROKEN)
			status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	}
	return status;
}

/* Back to how it was after open, but for owner, maps and eventfds. */
static void device_reset(struct vhc_dev *dev)
{
	struct vhc_vdpa *v = dev->vdpa;
	unsigned int i;

	vhc_dev_stop(dev, true);
	for (i = 0; i < dev->nr_vqs; i++)
		forget_ring(dev, &dev->vqs[i]);
	bitmap_zero(v->enabled, dev->nr_vqs);
	bitmap_zero(v->broken, dev->nr_vqs);
	v->status = 0;
	v->suspended = false;
	vhc_dev_lock_vqs(dev);
	memset(dev->features, 0, sizeof(dev->features));
	dev->drv->set_features(dev);
	vhc_dev_unlock_vqs(dev);
}

static long set_status(struct vhc_dev *dev, u8 __user *arg)
{
	struct vhc_vdpa *v = dev->vdpa;
	u8 status;
	int err;

	if (get_user(status, arg))
		return -EFAULT;
	if (dev->mm && !vhc_dev_is_owner(dev))
		return -EPERM;
	if (!status) {
		device_reset(dev);
		return 0;
	}
	/* What the driver has set only a reset clears; this bit is ours. */
	status &= ~VIRTIO_CONFIG_S_NEEDS_RESET;
	if (v->status & ~status)
		return -EINVAL;
	if (status & VIRTIO_CONFIG_S_DRIVER_OK && !is_live(v)) {
		if (!(status & VIRTIO_CONFIG_S_FEATURES_OK))
			return -EINVAL;
		if (!dev->mm)
			return -EPERM;
		err = start_all(dev);
		if (err)
			return err;
	}
	v->status = status;
	return 0;
}

static long suspend(struct vhc_dev *dev)
{
	if (!is_live(dev->vdpa) || dev->vdpa->suspended)
		return 0;
	vhc_dev_stop(dev, false);
	dev->vdpa->suspended = true;
	return 0;
}

static long resume(struct vhc_dev *dev)
{
	int err;

	if (!is_live(dev->vdpa) || !dev->vdpa->suspended)
		return 0;
	err = start_all(dev);
	if (!err)
		dev->vdpa->suspended = false;
	return err;
}

static long set_features(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	if (dev->vdpa->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return -EBUSY;
	return vhc_ioctl_common(dev, cmd, arg);
}

static long set_backend_features(struct vhc_dev *dev, u64 __user *arg)
{
	u64 features;

	if (!vhc_ioctl_may_negotiate(dev))
		return -EPERM;
	if (get_user(features, arg))
		return -EFAULT;
	if (features & ~BACKEND_FEATURES)
		return -EOPNOTSUPP;
	WRITE_ONCE(dev->backend_features, features);
	return 0;
}

/* ---- configuration space ----------------------------------------------------------- */

static long config(struct vhc_dev *dev, bool set, struct vhost_vdpa_config __user *arg)
{
	const struct vhc_vdpa_ops *ops = ops_of(dev);
	struct vhost_vdpa_config c;
	u8 buf[CONFIG_PIECE];

	if (copy_from_user(&c, arg, offsetof(struct vhost_vdpa_config, buf)))
		return -EFAULT;
	if (!c.len || c.off > ops->config_size)
		return -EINVAL;
	if (c.len > ops->config_size - c.off || c.len > sizeof(buf))
		return -E2BIG;
	if (set) {
		if (copy_from_user(buf, arg->buf, c.len))
			return -EFAULT;
		return ops->set_config(dev, c.off, buf, c.len);
	}
	ops->get_config(dev, c.off, buf, c.len);
	return copy_to_user(arg->buf, buf, c.len) ? -EFAULT : 0;
}

static long set_config_call(struct vhc_dev *dev, int __user *arg)
{
	struct vhc_vdpa *v = dev->vdpa;
	struct eventfd_ctx *ctx = NULL;
	int fd;

	if (get_user(fd, arg))
		return -EFAULT;
	if (fd != VHOST_FILE_UNBIND) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	spin_lock(&v->call_lock);
	swap(v->config_call, ctx);
	spin_unlock(&v->call_lock);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

/* ---- calls about one queue ----------------------------------------------------------- */

static long set_enable(struct vhc_dev *dev, unsigned int index, u32 on)
{
	struct vhc_vdpa *v = dev->vdpa;
	struct vhc_vq *vq = &dev->vqs[index];
	int err = 0;

	if (on > 1)
		return -EINVAL;
	if (test_bit(index, v->enabled) == on)
		return 0;
	if (is_live(v) && !v->suspended) {
		if (on)
			err = start_queue(vq);
		else
			stop_queue(vq, false);
	}
	if (!err)
		__assign_bit(index, v->enabled, on);
	return err;
}

/* Calls whose argument is struct vhost_vring_state, and its index checked. */
static long queue_ioctl(struct vhc_dev *dev, unsigned int cmd,
			struct vhost_vring_state __user *arg)
{
	const struct vhc_vdpa_ops *ops = ops_of(dev);
	struct vhc_vdpa *v = dev->vdpa;
	struct vhost_vring_state s;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	/* One group of queues, in one address space. */
	if (cmd == VHOST_VDPA_SET_GROUP_ASID)
		return s.index || s.num ? -EINVAL : 0;
	if (s.index >= dev->nr_vqs)
		return -ENOBUFS;
	s.index = array_index_nospec(s.index, dev->nr_vqs);
	switch (cmd) {
	case VHOST_VDPA_SET_VRING_ENABLE:
		return set_enable(dev, s.index, s.num);
	case VHOST_GET_VRING_BASE:
		/* Of a queue that runs it says nothing. */
		if (is_live(v) && !v->suspended)
			return -EINVAL;
		break;
	case VHOST_VDPA_GET_VRING_GROUP:
		return put_user(0, &arg->num);
	case VHOST_VDPA_GET_VRING_SIZE:
		return put_user(ops->vring_num, &arg->num);
	}
	return vhc_ioctl_common(dev, cmd, arg);
}

/* ---- dispatch ------------------------------------------------------------------------- */

/* What only the owner may call. */
static long owner_ioctl(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	switch (cmd) {
	case VHOST_VDPA_SUSPEND:
		return suspend(dev);
	case VHOST_VDPA_RESUME:
		return resume(dev);
	case VHOST_VDPA_SET_CONFIG:
		return config(dev, true, arg);
	case VHOST_VDPA_SET_CONFIG_CALL:
		return set_config_call(dev, arg);
	case VHOST_VDPA_SET_GROUP_ASID:
	case VHOST_VDPA_SET_VRING_ENABLE:
	case VHOST_SET_VRING_NUM:
	case VHOST_GET_VRING_BASE:
		return queue_ioctl(dev, cmd, arg);
	case VHOST_SET_VRING_ADDR:
	case VHOST_SET_VRING_BASE:
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
	case VHOST_GET_VRING_BUSYLOOP_TIMEOUT:
	case VHOST_EXT_SET_VRING_POLL_MODE:
	case VHOST_EXT_GET_VRING_POLL_MODE:
	case VHOST_ATTACH_VRING_WORKER:
	case VHOST_GET_VRING_WORKER:
	case VHOST_NEW_WORKER:
	case VHOST_FREE_WORKER:
	case VHOST_EXT_GET_WORKER_INFO:
	case VHOST_EXT_SET_WORKER_AFFINITY:
	case VHOST_EXT_GET_WORKER_AFFINITY:
		return vhc_ioctl_common(dev, cmd, arg);
	default:
		return -ENOIOCTLCMD;
	}
}

static long locked_ioctl(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	const struct vhc_vdpa_ops *ops = ops_of(dev);
	struct vhost_vdpa_iova_range range = { .first = 0, .last = U64_MAX };

	switch (cmd) {
	case VHOST_VDPA_GET_DEVICE_ID:
		return put_user(ops->device_id, (u32 __user *)arg);
	case VHOST_VDPA_GET_STATUS:
		return put_user(get_status(dev), (u8 __user *)arg);
	case VHOST_VDPA_SET_STATUS:
		return set_status(dev, arg);
	case VHOST_VDPA_GET_CONFIG:
		return config(dev, false, arg);
	case VHOST_VDPA_GET_CONFIG_SIZE:
		return put_user(ops->config_size, (u32 __user *)arg);
	case VHOST_VDPA_GET_VRING_NUM:
		return put_user(ops->vring_num, (u16 __user *)arg);
	case VHOST_VDPA_GET_VQS_COUNT:
		return put_user(dev->nr_vqs, (u32 __user *)arg);
	case VHOST_VDPA_GET_IOVA_RANGE:
		return copy_to_user(arg, &range, sizeof(range)) ? -EFAULT : 0;
	case VHOST_VDPA_GET_AS_NUM:
	case VHOST_VDPA_GET_GROUP_NUM:
		return put_user(1, (u32 __user *)arg);
	case VHOST_VDPA_GET_VRING_GROUP:
	case VHOST_VDPA_GET_VRING_SIZE:
		return queue_ioctl(dev, cmd, arg);
	case VHOST_GET_BACKEND_FEATURES:
		return put_user((u64)BACKEND_FEATURES, (u64 __user *)arg);
	case VHOST_SET_BACKEND_FEATURES:
		return set_backend_features(dev, arg);
	case VHOST_SET_FEATURES:
	case VHOST_SET_FEATURES_ARRAY:
		return set_features(dev, cmd, arg);
	case VHOST_SET_OWNER:
	case VHOST_GET_FEATURES:
	case VHOST_GET_FEATURES_ARRAY:
	case VHOST_GET_FORK_FROM_OWNER:
	case VHOST_SET_FORK_FROM_OWNER:
		return vhc_ioctl_common(dev, cmd, arg);
	default:
		return vhc_dev_is_owner(dev) ? owner_ioctl(dev, cmd, arg) : -EPERM;
	}
}

long vhc_vdpa_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vhc_dev *dev = file->private_data;
	long err;

	mutex_lock(&dev->mutex);
	err = locked_ioctl(dev, cmd, (void __user *)arg);
	mutex_unlock(&dev->mutex);
	return err;
}

/* ---- creation ---------------------------------------------------------------------------- */

int vhc_vdpa_create(struct vhc_dev *dev)
{
	struct vhc_vdpa *v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!v)
		return -ENOMEM;
	v->enabled = bitmap_zalloc(dev->nr_vqs, GFP_KERNEL_ACCOUNT);
	v->broken = bitmap_zalloc(dev->nr_vqs, GFP_KERNEL_ACCOUNT);
	dev->iotlb = vhc_iotlb_create();
	if (!v->enabled || !v->broken || !dev->iotlb) {
		vhc_iotlb_destroy(dev->iotlb);
		dev->iotlb = NULL;
		bitmap_free(v->broken);
		bitmap_free(v->enabled);
		kfree(v);
		return -ENOMEM;
	}
	spin_lock_init(&v->call_lock);
	dev->vdpa = v;
	dev->offered[0] &= ~NOT_OFFERED;
	dev->offered[0] |= BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	for (i = 0; i < dev->nr_vqs; i++)
		forget_ring(dev, &dev->vqs[i]);
	return 0;
}

/* Nothing runs any more. The IOTLB goes with what else a device has. */
void vhc_vdpa_destroy(struct vhc_dev *dev)
{
	struct vhc_vdpa *v = dev->vdpa;

	if (!v)
		return;
	dev->vdpa = NULL;
	vhc_iotlb_destroy(dev->iotlb);
	dev->iotlb = NULL;
	if (v->config_call)
		eventfd_ctx_put(v->config_call);
	bitmap_free(v->broken);
	bitmap_free(v->enabled);
	kfree(v);
}
