// SPDX-License-Identifier: GPL-2.0
/*
 * Changes by netlink. Each is made by a kernel thread of its own, with the device
 * locked, while the caller waits for a while only.
 *
 * The device's lock, a queue's, and the end of a worker's turn can be made to
 * take for ever by a VMM that does not deliver its memory (userfaultfd). That
 * is its own affair as long as nobody else waits; but who calls an operation
 * holds generic netlink's lock, and the registration of any family in the
 * system would wait with it.
 *
 * A device has one change under way at a time, and thus no more than one thread
 * that waits for it; with threads that are shared, as a workqueue's, those who
 * can stall many changes would hold up the changes of all other devices.
 */
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "netlink.h"

#define WAIT_SECONDS	5

/**
 * struct change - what is to be done
 * @done: it is done
 * @refs: caller and thread; the last one frees it
 * @dev: the device, referenced until it is done
 * @make: does it, with the device locked and owned; returns 0 or an errno
 * @err: how that went
 * @why: if badly, a sentence for people, or NULL
 * @vq: the virtqueue
 * @worker: id of the worker
 * @what: which of the following are meant: bits by attribute
 * @poll_mode: of the virtqueue
 * @poll_us: of the virtqueue
 * @policy: of the worker
 * @priority: of the worker
 * @nice: of the worker
 * @cpus: of the worker
 */
struct change {
	struct completion done;
	refcount_t refs;
	struct vhc_dev *dev;
	int (*make)(struct change *c);
	int err;
	const char *why;
	struct vhc_vq *vq;
	u32 worker;
	u32 what;
	u32 poll_mode;
	u32 poll_us;
	u32 policy;
	u32 priority;
	s32 nice;
	cpumask_var_t cpus;
};

static void put(struct change *c)
{
	if (!refcount_dec_and_test(&c->refs))
		return;
	free_cpumask_var(c->cpus);
	kfree(c);
}

/* One change of a device at a time: begin, within @wait jiffies that it takes from. */
static bool begin(struct vhc_dev *dev, long *wait)
{
	*wait = wait_event_interruptible_timeout(dev->changed,
						 !test_and_set_bit_lock(0, &dev->changing),
						 *wait);
	return *wait > 0;
}

static void end(struct vhc_dev *dev)
{
	clear_bit_unlock(0, &dev->changing);
	wake_up(&dev->changed);
}

static int thread_fn(void *data)
{
	struct change *c = data;
	struct vhc_dev *dev = c->dev;

	mutex_lock(&dev->mutex);
	if (dev->mm) {
		c->err = c->make(c);
	} else {
		c->err = -ENOTCONN;
		c->why = "the device has no owner";
	}
	mutex_unlock(&dev->mutex);
	end(dev);
	vhc_registry_put(dev);
	complete(&c->done);
	put(c);
	module_put_and_kthread_exit(0);
}

/* Has its own references to change, device and module. */
static int start(struct change *c)
{
	struct task_struct *task;

	__module_get(THIS_MODULE);
	vhc_registry_hold(c->dev);
	refcount_inc(&c->refs);
	task = kthread_run(thread_fn, c, "vhost_ctl-%u", c->dev->id);
	if (!IS_ERR(task))
		return 0;
	put(c);
	vhc_registry_put(c->dev);
	module_put(THIS_MODULE);
	return PTR_ERR(task);
}

static struct change *new_change(struct vhc_dev *dev, int (*make)(struct change *c))
{
	struct change *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return NULL;
	if (!zalloc_cpumask_var(&c->cpus, GFP_KERNEL)) {
		kfree(c);
		return NULL;
	}
	init_completion(&c->done);
	refcount_set(&c->refs, 1);
	c->dev = dev;
	c->make = make;
	return c;
}

/* Have it made, and wait. The caller keeps its references. */
static int make(struct change *c, struct genl_info *info)
{
	long left = WAIT_SECONDS * HZ;
	int err;

	if (!begin(c->dev, &left)) {
		GENL_SET_ERR_MSG(info, "another change of the device is under way; nothing was changed");
		return -EBUSY;
	}
	err = start(c);
	if (err) {
		end(c->dev);
		return err;
	}
	left = wait_for_completion_interruptible_timeout(&c->done, left);
	if (!left) {
		GENL_SET_ERR_MSG(info, "the device is busy; the change is made when it can be");
		return -EINPROGRESS;
	}
	if (left < 0) {
		GENL_SET_ERR_MSG(info, "interrupted; the change is made nevertheless");
		return -EINTR;
	}
	if (c->why)
		GENL_SET_ERR_MSG_FMT(info, "%s", c->why);
	return c->err;
}

/* Device locked. The worker, or NULL after saying why. */
static struct vhc_worker *find_worker(struct change *c)
{
	struct vhc_worker *worker = vhc_worker_find(c->dev, c->worker);

	if (!worker)
		c->why = "the device has no such worker";
	return worker;
}

/* Device locked. The owner, referenced, or NULL after saying why. */
static struct task_struct *get_owner(struct change *c)
{
	struct task_struct *owner = get_pid_task(c->dev->owner, PIDTYPE_TGID);

	if (!owner)
		c->why = "the device's owner has exited";
	return owner;
}

static bool get_u32(struct genl_info *info, int attr, u32 *to)
{
	if (!info->attrs[attr])
		return false;
	*to = nla_get_u32(info->attrs[attr]);
	return true;
}

/* ---- virtqueues ---------------------------------------------------------------- */

static int change_vq(struct change *c)
{
	int err;

	if (c->what & BIT(VHOST_A_VQ_WORKER_ID)) {
		err = vhc_worker_move(c->vq, c->worker);
		if (err) {
			c->why = "the device has no such worker";
			return -ENOENT;
		}
	}
	vhc_vq_lock(c->vq);
	if (c->what & BIT(VHOST_A_VQ_POLL_MODE))
		vhc_notify_set_poll_mode(c->vq, c->poll_mode == VHOST_POLL_MODE_ADAPTIVE);
	if (c->what & BIT(VHOST_A_VQ_POLL_US))
		vhc_notify_set_busyloop(c->vq, c->poll_us);
	vhc_vq_unlock(c->vq);
	return 0;
}

int vhc_nl_vq_set(struct sk_buff *skb, struct genl_info *info)
{
	struct vhc_dev *dev = vhc_nl_find_dev(info);
	struct change *c;
	int err = -ENOMEM;

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	c = new_change(dev, change_vq);
	if (!c)
		goto put_dev;
	c->vq = vhc_nl_find_vq(info, dev);
	err = PTR_ERR_OR_ZERO(c->vq);
	if (err)
		goto put_change;
	if (get_u32(info, VHOST_A_VQ_WORKER_ID, &c->worker))
		c->what |= BIT(VHOST_A_VQ_WORKER_ID);
	if (get_u32(info, VHOST_A_VQ_POLL_MODE, &c->poll_mode))
		c->what |= BIT(VHOST_A_VQ_POLL_MODE);
	if (get_u32(info, VHOST_A_VQ_POLL_US, &c->poll_us))
		c->what |= BIT(VHOST_A_VQ_POLL_US);
	if (c->what) {
		err = make(c, info);
	} else {
		GENL_SET_ERR_MSG(info, "nothing to change: no worker, poll mode or poll time");
		err = -EINVAL;
	}
put_change:
	put(c);
put_dev:
	vhc_registry_put(dev);
	return err;
}

/* ---- workers -------------------------------------------------------------------- */

/*
 * A change of the worker that a request names. Returns it, or NULL and an
 * error.
 */
static struct change *new_worker_change(struct genl_info *info, int (*make)(struct change *c),
					int *err)
{
	struct vhc_dev *dev = vhc_nl_find_dev(info);
	struct change *c;

	if (IS_ERR(dev)) {
		*err = PTR_ERR(dev);
		return NULL;
	}
	if (GENL_REQ_ATTR_CHECK(info, VHOST_A_WORKER_ID)) {
		GENL_SET_ERR_MSG(info, "which worker? its id is missing");
		*err = -EINVAL;
		goto put_dev;
	}
	*err = -ENOMEM;
	c = new_change(dev, make);
	if (!c)
		goto put_dev;
	c->worker = nla_get_u32(info->attrs[VHOST_A_WORKER_ID]);
	return c;

put_dev:
	vhc_registry_put(dev);
	return NULL;
}

static int finish(struct change *c, int err)
{
	struct vhc_dev *dev = c->dev;

	put(c);
	vhc_registry_put(dev);
	return err;
}

static int pin(struct change *c)
{
	struct vhc_worker *worker = find_worker(c);
	struct task_struct *owner;
	int err;

	if (!worker)
		return -ENOENT;
	owner = get_owner(c);
	if (!owner)
		return -ESRCH;
	err = vhc_worker_set_affinity(worker, owner, c->cpus);
	put_task_struct(owner);
	if (err == -EINVAL)
		c->why = "none of these CPUs is in the owner's cpuset";
	return err;
}

static int parse_cpus(struct genl_info *info, struct cpumask *cpus)
{
	const struct nlattr *a = info->attrs[VHOST_A_WORKER_CPUS];
	unsigned int i, bit;

	if (!a || nla_len(a) % sizeof(u32)) {
		GENL_SET_ERR_MSG(info, "on which CPUs? a mask of 32-bit words is missing");
		return -EINVAL;
	}
	for (i = 0; i < nla_len(a) / sizeof(u32); i++) {
		unsigned long word = ((const u32 *)nla_data(a))[i];

		for_each_set_bit(bit, &word, 32) {
			if (32 * i + bit >= nr_cpu_ids) {
				NL_SET_ERR_MSG_ATTR_FMT(info->extack, a, "the last CPU is %u",
							nr_cpu_ids - 1);
				return -E2BIG;
			}
			cpumask_set_cpu(32 * i + bit, cpus);
		}
	}
	return 0;
}

int vhc_nl_worker_set(struct sk_buff *skb, struct genl_info *info)
{
	struct change *c;
	int err;

	c = new_worker_change(info, pin, &err);
	if (!c)
		return err;
	err = parse_cpus(info, c->cpus);
	if (!err)
		err = make(c, info);
	return finish(c, err);
}

static int schedule_worker(struct change *c)
{
	struct vhc_worker *worker = find_worker(c);

	if (!worker)
		return -ENOENT;
	return vhc_worker_set_sched(worker, c->policy, c->nice, c->priority);
}

static int parse_sched(struct genl_info *info, struct change *c)
{
	const struct nlattr *nice = info->attrs[VHOST_A_WORKER_NICE];

	if (GENL_REQ_ATTR_CHECK(info, VHOST_A_WORKER_POLICY)) {
		GENL_SET_ERR_MSG(info, "which scheduling class? normal, batch or fifo");
		return -EINVAL;
	}
	c->policy = nla_get_u32(info->attrs[VHOST_A_WORKER_POLICY]);
	switch (c->policy) {
	case VHOST_SCHED_POLICY_NORMAL:
	case VHOST_SCHED_POLICY_BATCH:
		if (info->attrs[VHOST_A_WORKER_PRIORITY]) {
			GENL_SET_ERR_MSG(info, "a priority is for the class fifo");
			return -EINVAL;
		}
		c->nice = nice ? nla_get_s32(nice) : 0;
		return 0;
	case VHOST_SCHED_POLICY_FIFO:
		if (nice) {
			NL_SET_ERR_MSG_ATTR(info->extack, nice,
					    "a nice value is for the classes normal and batch");
			return -EINVAL;
		}
		c->priority = 1;
		get_u32(info, VHOST_A_WORKER_PRIORITY, &c->priority);
		return 0;
	}
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[VHOST_A_WORKER_POLICY],
			    "workers are normal, batch or fifo");
	return -ERANGE;
}

/* Real-time priority is more than a network's admin has to give. */
int vhc_nl_worker_sched_set(struct sk_buff *skb, struct genl_info *info)
{
	struct change *c;
	int err;

	if (!netlink_capable(skb, CAP_SYS_NICE)) {
		GENL_SET_ERR_MSG(info, "this wants CAP_SYS_NICE");
		return -EPERM;
	}
	c = new_worker_change(info, schedule_worker, &err);
	if (!c)
		return err;
	err = parse_sched(info, c);
	if (!err)
		err = make(c, info);
	return finish(c, err);
}

static int create(struct change *c)
{
	struct task_struct *owner = get_owner(c);
	struct vhc_worker *worker;
	int err;

	if (!owner)
		return -ESRCH;
	err = vhc_worker_create(c->dev, owner, NULL, &worker);
	put_task_struct(owner);
	if (!err)
		c->worker = worker->id;
	else if (err == -ENOSPC)
		c->why = "the device has as many workers as it may have";
	return err;
}

int vhc_nl_worker_new(struct sk_buff *skb, struct genl_info *info)
{
	struct vhc_dev *dev = vhc_nl_find_dev(info);
	struct change *c;
	int err;

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	c = new_change(dev, create);
	if (!c) {
		vhc_registry_put(dev);
		return -ENOMEM;
	}
	err = make(c, info);
	if (!err)
		err = vhc_nl_reply_worker(info, dev, c->worker);
	return finish(c, err);
}

static int delete(struct change *c)
{
	int err;

	if (!find_worker(c))
		return -ENOENT;
	err = vhc_worker_free(c->dev, c->worker);
	if (err == -EBUSY)
		c->why = "it serves virtqueues: move them to another worker first";
	return err;
}

int vhc_nl_worker_del(struct sk_buff *skb, struct genl_info *info)
{
	struct change *c;
	int err;

	c = new_worker_change(info, delete, &err);
	if (!c)
		return err;
	return finish(c, make(c, info));
}
