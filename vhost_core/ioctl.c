// SPDX-License-Identifier: GPL-2.0
/*
 * The classic vhost ioctl dialect: copy in, validate, dispatch. What the calls
 * do is done elsewhere. <linux/vhost.h> and vhost_ext.h are the contract.
 */
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/vhost_ext.h>

#include "internal.h"

#define BACKEND_FEATURES						\
	(BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2) |			\
	 BIT_ULL(VHOST_BACKEND_F_IOTLB_BATCH))

/* More words of features than anybody will ever have. */
#define FEATURE_WORDS_MAX	64

/* ---- features --------------------------------------------------------------- */

/* Features are negotiated by the owner, or before there is one. */
bool vhc_ioctl_may_negotiate(const struct vhc_dev *dev)
{
	return !dev->mm || vhc_dev_is_owner(dev);
}

static long get_features(struct vhc_dev *dev, u64 __user *arg)
{
	return put_user(dev->offered[0], arg);
}

static long set_features(struct vhc_dev *dev, u64 __user *arg)
{
	u64 features[VHC_FEATURE_WORDS] = {};

	if (!vhc_ioctl_may_negotiate(dev))
		return -EPERM;
	if (get_user(features[0], arg))
		return -EFAULT;
	return vhc_dev_set_features(dev, features);
}

/* struct vhost_features_array: a count, then that many words. */
static long get_features_array(struct vhc_dev *dev, u64 __user *arg)
{
	u64 i, count;

	if (get_user(count, arg))
		return -EFAULT;
	for (i = 0; i < min_t(u64, count, VHC_FEATURE_WORDS); i++) {
		if (put_user(dev->offered[i], &arg[1 + i]))
			return -EFAULT;
	}
	/* What the caller has room for beyond our words is 0. */
	if (count > VHC_FEATURE_WORDS) {
		u64 bytes;

		if (check_mul_overflow(count - VHC_FEATURE_WORDS, sizeof(u64), &bytes) ||
		    clear_user(&arg[1 + VHC_FEATURE_WORDS], bytes))
			return -EFAULT;
	}
	return 0;
}

static long set_features_array(struct vhc_dev *dev, u64 __user *arg)
{
	u64 features[VHC_FEATURE_WORDS] = {};
	u64 i, count, word;

	if (!vhc_ioctl_may_negotiate(dev))
		return -EPERM;
	if (get_user(count, arg))
		return -EFAULT;
	if (count > FEATURE_WORDS_MAX)
		return -E2BIG;
	for (i = 0; i < count; i++) {
		if (get_user(word, &arg[1 + i]))
			return -EFAULT;
		if (i < VHC_FEATURE_WORDS)
			features[i] = word;
		else if (word)
			return -EOPNOTSUPP;
	}
	return vhc_dev_set_features(dev, features);
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

/* ---- memory and log ------------------------------------------------------------ */

static int copy_region(struct vhc_region *r, const struct vhost_memory_region __user *arg)
{
	struct vhost_memory_region u;

	if (copy_from_user(&u, arg, sizeof(u)))
		return -EFAULT;
	if (!u.memory_size)
		return -EINVAL;
	if ((u64)(uintptr_t)u.userspace_addr != u.userspace_addr ||
	    (u64)(size_t)u.memory_size != u.memory_size ||
	    !access_ok((void __user *)(uintptr_t)u.userspace_addr, u.memory_size))
		return -EFAULT;
	r->start = u.guest_phys_addr;
	r->last = u.guest_phys_addr + (u.memory_size - 1);
	r->user = u.userspace_addr;
	r->perm = VHC_PERM_RW;
	return 0;
}

static long set_mem_table(struct vhc_dev *dev, struct vhost_memory __user *arg)
{
	u32 max = min(READ_ONCE(vhc_max_mem_regions), VHC_MEM_REGIONS_MAX);
	struct vhost_memory head;
	struct vhc_mem *mem;
	u32 i;
	int err;

	if (copy_from_user(&head, arg, offsetof(struct vhost_memory, regions)))
		return -EFAULT;
	if (head.padding)
		return -EOPNOTSUPP;
	if (head.nregions > max)
		return -E2BIG;
	mem = kvzalloc(struct_size(mem, region, head.nregions), GFP_KERNEL_ACCOUNT);
	if (!mem)
		return -ENOMEM;
	mem->nr = head.nregions;
	for (i = 0; i < mem->nr; i++) {
		err = copy_region(&mem->region[i], &arg->regions[i]);
		if (err) {
			kvfree(mem);
			return err;
		}
	}
	return vhc_dev_set_mem(dev, mem);
}

static long set_log_base(struct vhc_dev *dev, u64 __user *arg)
{
	u64 base;
	int err;

	if (get_user(base, arg))
		return -EFAULT;
	vhc_dev_lock_vqs(dev);
	err = vhc_log_set_base(dev, base);
	vhc_dev_unlock_vqs(dev);
	return err;
}

static long set_log_fd(struct vhc_dev *dev, int __user *arg)
{
	struct eventfd_ctx *ctx = NULL;
	int fd;

	if (get_user(fd, arg))
		return -EFAULT;
	if (fd != VHOST_FILE_UNBIND) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	vhc_dev_lock_vqs(dev);
	swap(dev->log_call, ctx);
	vhc_dev_unlock_vqs(dev);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

/* ---- virtqueues ------------------------------------------------------------------ */

static long set_vring_num(struct vhc_vq *vq, u32 num)
{
	const struct vhc_dev *dev = vq->dev;
	u32 max = dev->vdpa ? dev->drv->vdpa->vring_num : VRING_NUM_MAX;

	if (!num || num > max || num & (num - 1))
		return -EINVAL;
	if (vq->state != VHC_VQ_STOPPED)
		return -EBUSY;
	vq->ring.num = num;
	return 0;
}

static long set_vring_base(struct vhc_vq *vq, u32 num)
{
	if (vq->state != VHC_VQ_STOPPED)
		return -EBUSY;
	if (num > U16_MAX && !vhc_dev_has_feature(vq->dev, VIRTIO_F_RING_PACKED))
		return -EINVAL;
	vq->base = num;
	return 0;
}

static bool is_user_addr(u64 addr)
{
	return (u64)(uintptr_t)addr == addr;
}

/*
 * While the queue runs only the logging of the used ring may change: that is
 * how QEMU switches it on for migration.
 */
static long set_vring_addr(struct vhc_vq *vq, const struct vhost_vring_addr *a)
{
	bool log = a->flags & BIT(VHOST_VRING_F_LOG);

	if (a->flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (!is_user_addr(a->desc_user_addr) || !is_user_addr(a->avail_user_addr) ||
	    !is_user_addr(a->used_user_addr))
		return -EFAULT;
	if (!IS_ALIGNED(a->desc_user_addr, VRING_DESC_ALIGN_SIZE) ||
	    !IS_ALIGNED(a->avail_user_addr, VRING_AVAIL_ALIGN_SIZE) ||
	    !IS_ALIGNED(a->used_user_addr, VRING_USED_ALIGN_SIZE) ||
	    !IS_ALIGNED(a->log_guest_addr, VRING_USED_ALIGN_SIZE))
		return -EINVAL;
	if (vq->state != VHC_VQ_STOPPED &&
	    (a->desc_user_addr != vq->desc.addr ||
	     a->avail_user_addr != vq->avail.addr ||
	     a->used_user_addr != vq->used.addr))
		return -EBUSY;
	if (log && !vq->dev->iotlb && vq->ring.num &&
	    a->log_guest_addr + vring_split_used_size(vq->ring.num) < a->log_guest_addr)
		return -EINVAL;
	vq->desc.addr = a->desc_user_addr;
	vq->avail.addr = a->avail_user_addr;
	vq->used.addr = a->used_user_addr;
	vq->log_addr = a->log_guest_addr;
	vq->log_used = log;
	vq->addr_set = true;
	return 0;
}

/* Calls whose argument is struct vhost_vring_state. */
static long vring_state(struct vhc_vq *vq, unsigned int cmd,
			struct vhost_vring_state __user *arg)
{
	struct vhost_vring_state s;
	long err = 0;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	vhc_vq_lock(vq);
	switch (cmd) {
	case VHOST_SET_VRING_NUM:
		err = set_vring_num(vq, s.num);
		break;
	case VHOST_SET_VRING_BASE:
		err = set_vring_base(vq, s.num);
		break;
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
		vhc_notify_set_busyloop(vq, s.num);
		break;
	case VHOST_EXT_SET_VRING_POLL_MODE:
		if (s.num > VHOST_EXT_POLL_ADAPTIVE)
			err = -EINVAL;
		else
			vhc_notify_set_poll_mode(vq, s.num == VHOST_EXT_POLL_ADAPTIVE);
		break;
	case VHOST_GET_VRING_BASE:
		s.num = vhc_vq_base(vq);
		break;
	case VHOST_EXT_GET_VRING_POLL_MODE:
		s.num = vq->poll_adaptive ? VHOST_EXT_POLL_ADAPTIVE :
					    VHOST_EXT_POLL_FIXED;
		break;
	case VHOST_GET_VRING_BUSYLOOP_TIMEOUT:
		s.num = vq->busyloop_us;
		break;
	}
	vhc_vq_unlock(vq);
	/* Not by _IOC_DIR(): GET_VRING_BUSYLOOP_TIMEOUT is an _IOW. */
	if (!err && (cmd == VHOST_GET_VRING_BASE ||
		     cmd == VHOST_GET_VRING_BUSYLOOP_TIMEOUT ||
		     cmd == VHOST_EXT_GET_VRING_POLL_MODE) &&
	    copy_to_user(arg, &s, sizeof(s)))
		return -EFAULT;
	return err;
}

/* Calls whose argument is struct vhost_vring_file. */
static long vring_file(struct vhc_vq *vq, unsigned int cmd, int fd)
{
	switch (cmd) {
	case VHOST_SET_VRING_KICK:
		return vhc_notify_set_kick(vq, fd);
	case VHOST_SET_VRING_CALL:
		return vhc_notify_set_call(vq, fd);
	default:
		return vhc_notify_set_err(vq, fd);
	}
}

/* Every argument of a vring ioctl begins with the queue's index. */
static long vring_ioctl(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	struct vhost_vring_worker w;
	struct vhost_vring_addr a;
	struct vhost_vring_file f;
	struct vhc_vq *vq;
	u32 index;
	long err;

	if (get_user(index, (u32 __user *)arg))
		return -EFAULT;
	if (index >= dev->nr_vqs)
		return -ENOBUFS;
	vq = &dev->vqs[array_index_nospec(index, dev->nr_vqs)];

	switch (cmd) {
	case VHOST_SET_VRING_ADDR:
		if (copy_from_user(&a, arg, sizeof(a)))
			return -EFAULT;
		vhc_vq_lock(vq);
		err = set_vring_addr(vq, &a);
		vhc_vq_unlock(vq);
		return err;
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		if (copy_from_user(&f, arg, sizeof(f)))
			return -EFAULT;
		return vring_file(vq, cmd, f.fd);
	case VHOST_ATTACH_VRING_WORKER:
		if (copy_from_user(&w, arg, sizeof(w)))
			return -EFAULT;
		return vhc_worker_move(vq, w.worker_id);
	case VHOST_GET_VRING_WORKER:
		w.index = index;
		w.worker_id = vhc_worker_of(vq)->id;
		return copy_to_user(arg, &w, sizeof(w)) ? -EFAULT : 0;
	default:
		return vring_state(vq, cmd, arg);
	}
}

/* ---- workers ------------------------------------------------------------------------ */

static long new_worker(struct vhc_dev *dev, struct vhost_worker_state __user *arg)
{
	struct vhost_worker_state s;
	struct vhc_worker *worker;
	int err;

	err = vhc_worker_create(dev, current, NULL, &worker);
	if (err)
		return err;
	s.worker_id = worker->id;
	if (copy_to_user(arg, &s, sizeof(s))) {
		vhc_worker_free(dev, worker->id);
		return -EFAULT;
	}
	return 0;
}

static long free_worker(struct vhc_dev *dev, struct vhost_worker_state __user *arg)
{
	struct vhost_worker_state s;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	return vhc_worker_free(dev, s.worker_id);
}

static long worker_info(struct vhc_dev *dev, struct vhost_ext_worker_info __user *arg)
{
	struct vhost_ext_worker_info info;
	struct vhc_worker *worker;
	u32 id;

	if (get_user(id, &arg->worker_id))
		return -EFAULT;
	worker = vhc_worker_find(dev, id);
	if (!worker)
		return -ENODEV;
	memset(&info, 0, sizeof(info));
	info.worker_id = id;
	info.tid = task_pid_vnr(worker->task);
	info.vrings = worker->nr_vqs;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* The mask as user space sees it: whole u64 words, the rest of @len zero. */
static long get_mask(const struct cpumask *mask, u32 len, void __user *to)
{
	u32 size = min_t(u32, len, cpumask_size());

	if (len % sizeof(u64) || len * 8ULL < nr_cpu_ids)
		return -EINVAL;
	if (copy_to_user(to, cpumask_bits(mask), size) ||
	    clear_user(to + size, len - size))
		return -EFAULT;
	return 0;
}

static long set_mask(struct cpumask *mask, u32 len, const void __user *from)
{
	u32 size = min_t(u32, len, cpumask_size());
	int rest;

	if (!len || len % sizeof(u64))
		return -EINVAL;
	cpumask_clear(mask);
	if (copy_from_user(cpumask_bits(mask), from, size))
		return -EFAULT;
	if (len > size) {
		rest = check_zeroed_user(from + size, len - size);
		if (rest <= 0)
			return rest ? rest : -E2BIG;
	}
	return 0;
}

static long worker_affinity(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	struct vhost_ext_worker_affinity a;
	struct vhc_worker *worker;
	cpumask_var_t mask;
	long err;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	worker = vhc_worker_find(dev, a.worker_id);
	if (!worker)
		return -ENODEV;
	if (!alloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	if (cmd == VHOST_EXT_GET_WORKER_AFFINITY) {
		/* A task's own mask must not be copied to user space from. */
		cpumask_copy(mask, &worker->task->cpus_mask);
		err = get_mask(mask, a.len, u64_to_user_ptr(a.mask));
	} else {
		err = set_mask(mask, a.len, u64_to_user_ptr(a.mask));
		if (!err)
			err = vhc_worker_set_affinity(worker, current, mask);
	}
	free_cpumask_var(mask);
	return err;
}

/* Our workers are kernel threads, and cannot be anything else. */
static long set_fork_from_owner(u8 __user *arg)
{
	u8 val;

	if (get_user(val, arg))
		return -EFAULT;
	return val == VHOST_FORK_OWNER_KTHREAD ? 0 : -EOPNOTSUPP;
}

/* ---- dispatch ------------------------------------------------------------------------- */

/* What only the owner may call. */
static long owner_ioctl(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	switch (cmd) {
	case VHOST_RESET_OWNER:
		return vhc_dev_reset_owner(dev);
	case VHOST_SET_MEM_TABLE:
		return set_mem_table(dev, arg);
	case VHOST_SET_LOG_BASE:
		return set_log_base(dev, arg);
	case VHOST_SET_LOG_FD:
		return set_log_fd(dev, arg);
	case VHOST_NEW_WORKER:
		return new_worker(dev, arg);
	case VHOST_FREE_WORKER:
		return free_worker(dev, arg);
	case VHOST_EXT_GET_WORKER_INFO:
		return worker_info(dev, arg);
	case VHOST_EXT_SET_WORKER_AFFINITY:
	case VHOST_EXT_GET_WORKER_AFFINITY:
		return worker_affinity(dev, cmd, arg);
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_ADDR:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
	case VHOST_GET_VRING_BUSYLOOP_TIMEOUT:
	case VHOST_EXT_SET_VRING_POLL_MODE:
	case VHOST_EXT_GET_VRING_POLL_MODE:
	case VHOST_ATTACH_VRING_WORKER:
	case VHOST_GET_VRING_WORKER:
		return vring_ioctl(dev, cmd, arg);
	case VHOST_SET_VRING_ENDIAN:
	case VHOST_GET_VRING_ENDIAN:
		/*
		 * Rings are little-endian. ENOTTY is the answer that QEMU has
		 * a sentence for: "vhost does not support cross-endian".
		 */
		return -ENOTTY;
	default:
		return dev->drv->ioctl(dev, cmd, arg);
	}
}

static long early_ioctl(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	if (!dev->drv->early_ioctl || !vhc_ioctl_may_negotiate(dev))
		return -ENOIOCTLCMD;
	return dev->drv->early_ioctl(dev, cmd, arg);
}

/* Device locked. */
long vhc_ioctl_common(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	long err = early_ioctl(dev, cmd, arg);

	if (err != -ENOIOCTLCMD)
		return err;
	switch (cmd) {
	case VHOST_SET_OWNER:
		return vhc_dev_set_owner(dev);
	case VHOST_GET_FEATURES:
		return get_features(dev, arg);
	case VHOST_SET_FEATURES:
		return set_features(dev, arg);
	case VHOST_GET_FEATURES_ARRAY:
		return get_features_array(dev, arg);
	case VHOST_SET_FEATURES_ARRAY:
		return set_features_array(dev, arg);
	case VHOST_GET_BACKEND_FEATURES:
		return put_user((u64)BACKEND_FEATURES, (u64 __user *)arg);
	case VHOST_SET_BACKEND_FEATURES:
		return set_backend_features(dev, arg);
	case VHOST_GET_FORK_FROM_OWNER:
		return put_user((u8)VHOST_FORK_OWNER_KTHREAD, (u8 __user *)arg);
	case VHOST_SET_FORK_FROM_OWNER:
		return set_fork_from_owner(arg);
	default:
		return vhc_dev_is_owner(dev) ? owner_ioctl(dev, cmd, arg) : -EPERM;
	}
}

long vhc_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vhc_dev *dev = file->private_data;
	long err = -ENOIOCTLCMD;

	if (dev->drv->control)
		err = dev->drv->control(cmd, (void __user *)arg);
	if (err != -ENOIOCTLCMD)
		return err;
	mutex_lock(&dev->mutex);
	err = vhc_ioctl_common(dev, cmd, (void __user *)arg);
	mutex_unlock(&dev->mutex);
	return err;
}
