// SPDX-License-Identifier: GPL-2.0
/*
 * Messages about devices, virtqueues and workers: replies, dumps, and the
 * contents of notifications.
 *
 * Nothing here waits for a device. Values of a queue are read without its lock:
 * they are words, each of which is right by itself. What may go away is held
 * by what is cheap: the device by a reference, the worker by the lock of the
 * table it is in, the owner's name by owner_lock.
 */
#include <linux/bitmap.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>

#include "netlink.h"

static void *begin(const struct vhc_nl_msg *m)
{
	void *hdr = genlmsg_put(m->skb, m->portid, m->seq, &vhc_nl_family,
				m->cb ? NLM_F_MULTI : 0, m->cmd);

	if (hdr && m->cb)
		genl_dump_check_consistent(m->cb, hdr);
	return hdr;
}

static int end(const struct vhc_nl_msg *m, void *hdr, bool failed)
{
	if (failed) {
		genlmsg_cancel(m->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(m->skb, hdr);
	return 0;
}

/* ---- a device ------------------------------------------------------------------ */

static u32 dev_state(const struct vhc_dev *dev)
{
	u32 state = READ_ONCE(dev->mm) ? VHOST_DEV_STATE_OWNED : VHOST_DEV_STATE_UNOWNED;
	unsigned int i;

	for (i = 0; i < dev->nr_vqs; i++) {
		switch (READ_ONCE(dev->vqs[i].state)) {
		case VHC_VQ_BROKEN:
			return VHOST_DEV_STATE_BROKEN;
		case VHC_VQ_RUNNING:
			state = VHOST_DEV_STATE_RUNNING;
			break;
		default:
			break;
		}
	}
	return state;
}

static bool put_owner(const struct vhc_nl_msg *m, struct vhc_dev *dev)
{
	char comm[TASK_COMM_LEN] = "";
	u32 pid = 0;
	bool owned;

	spin_lock(&dev->owner_lock);
	owned = dev->owner;
	if (owned) {
		memcpy(comm, dev->owner_comm, sizeof(comm));
		/* The number of one that has exited may be another's by now. */
		rcu_read_lock();
		if (m->ns && pid_task(dev->owner, PIDTYPE_TGID))
			pid = pid_nr_ns(dev->owner, m->ns);
		rcu_read_unlock();
	}
	spin_unlock(&dev->owner_lock);
	if (!owned)
		return false;
	return (m->ns && nla_put_u32(m->skb, VHOST_A_DEV_OWNER_PID, pid)) ||
	       nla_put_string(m->skb, VHOST_A_DEV_OWNER_COMM, comm);
}

int vhc_nl_put_dev(const struct vhc_nl_msg *m, struct vhc_dev *dev)
{
	u32 cid = READ_ONCE(dev->cid);
	struct sk_buff *skb = m->skb;
	void *hdr = begin(m);

	if (!hdr)
		return -EMSGSIZE;
	return end(m, hdr,
		   nla_put_u32(skb, VHOST_A_DEV_ID, dev->id) ||
		   nla_put_string(skb, VHOST_A_DEV_DRIVER, dev->drv->name) ||
		   nla_put_string(skb, VHOST_A_DEV_NODE, vhc_dev_name(dev)) ||
		   nla_put_u32(skb, VHOST_A_DEV_STATE, dev_state(dev)) ||
		   put_owner(m, dev) ||
		   nla_put_u32(skb, VHOST_A_DEV_VQS, dev->nr_vqs) ||
		   nla_put_u32(skb, VHOST_A_DEV_WORKERS, READ_ONCE(dev->nr_workers)) ||
		   nla_put_uint(skb, VHOST_A_DEV_FEATURES, READ_ONCE(dev->features[0])) ||
		   nla_put_uint(skb, VHOST_A_DEV_FEATURES_HIGH, READ_ONCE(dev->features[1])) ||
		   nla_put_uint(skb, VHOST_A_DEV_NETNS_COOKIE, dev->net_cookie) ||
		   (cid && nla_put_u32(skb, VHOST_A_DEV_CID, cid)));
}

/* ---- a virtqueue ----------------------------------------------------------------- */

static_assert((int)VHC_VQ_STOPPED == VHOST_VQ_STATE_STOPPED);
static_assert((int)VHC_VQ_RUNNING == VHOST_VQ_STATE_RUNNING);
static_assert((int)VHC_VQ_DRAINING == VHOST_VQ_STATE_DRAINING);
static_assert((int)VHC_VQ_BROKEN == VHOST_VQ_STATE_BROKEN);

static bool put_vq_worker(struct sk_buff *skb, struct vhc_vq *vq)
{
	struct vhc_worker *worker;
	bool failed = false;

	rcu_read_lock();
	worker = rcu_dereference(vq->worker);
	if (worker)
		failed = nla_put_u32(skb, VHOST_A_VQ_WORKER_ID, worker->id);
	rcu_read_unlock();
	return failed;
}

static bool put_vq_id(struct sk_buff *skb, const struct vhc_vq *vq)
{
	return nla_put_u32(skb, VHOST_A_VQ_DEV_ID, vq->dev->id) ||
	       nla_put_u32(skb, VHOST_A_VQ_INDEX, vq->index) ||
	       nla_put_string(skb, VHOST_A_VQ_NAME, vhc_vq_name(vq));
}

int vhc_nl_put_vq(const struct vhc_nl_msg *m, struct vhc_vq *vq, const char *rejection)
{
	struct sk_buff *skb = m->skb;
	void *hdr = begin(m);
	bool packed;

	if (!hdr)
		return -EMSGSIZE;
	packed = READ_ONCE(vq->ring.packed);
	return end(m, hdr,
		   put_vq_id(skb, vq) ||
		   nla_put_u32(skb, VHOST_A_VQ_STATE, READ_ONCE(vq->state)) ||
		   nla_put_u32(skb, VHOST_A_VQ_LAYOUT,
			       packed ? VHOST_VQ_LAYOUT_PACKED : VHOST_VQ_LAYOUT_SPLIT) ||
		   nla_put_u32(skb, VHOST_A_VQ_SIZE, READ_ONCE(vq->ring.num)) ||
		   nla_put_u32(skb, VHOST_A_VQ_LAST_AVAIL, vhc_vq_last_avail(vq)) ||
		   nla_put_u32(skb, VHOST_A_VQ_LAST_USED, vhc_vq_last_used(vq)) ||
		   nla_put_u32(skb, VHOST_A_VQ_IN_FLIGHT, READ_ONCE(vq->in_flight)) ||
		   put_vq_worker(skb, vq) ||
		   nla_put_u32(skb, VHOST_A_VQ_POLL_MODE,
			       READ_ONCE(vq->poll_adaptive) ? VHOST_POLL_MODE_ADAPTIVE :
							      VHOST_POLL_MODE_FIXED) ||
		   nla_put_u32(skb, VHOST_A_VQ_POLL_US, READ_ONCE(vq->busyloop_us)) ||
		   nla_put_uint(skb, VHOST_A_VQ_POLL_WINDOW_NS, vhc_notify_poll_window(vq)) ||
		   (rejection && nla_put_string(skb, VHOST_A_VQ_REJECTION, rejection)));
}

static bool put_counter(struct sk_buff *skb, const char *name, u64 value)
{
	struct nlattr *nest = nla_nest_start(skb, VHOST_A_VQ_COUNTER);

	if (!nest)
		return true;
	if (nla_put_string(skb, VHOST_A_COUNTER_NAME, name) ||
	    nla_put_uint(skb, VHOST_A_COUNTER_VALUE, value)) {
		nla_nest_cancel(skb, nest);
		return true;
	}
	nla_nest_end(skb, nest);
	return false;
}

/*
 * As many counters as fit, beginning with number *@next, which is moved on.
 *
 * Return: 0 if these were the last ones, else -EMSGSIZE.
 */
static int put_counters(const struct vhc_nl_msg *m, const struct vhc_vq *vq, u32 *next)
{
	u32 first = *next;
	const char *name;
	void *hdr;
	u64 value;

	hdr = begin(m);
	if (!hdr)
		return -EMSGSIZE;
	if (put_vq_id(m->skb, vq))
		return end(m, hdr, true);
	while (vhc_stats_counter(vq, *next, &name, &value)) {
		if (put_counter(m->skb, name, value)) {
			/* What is in the message is sent, unless that is nothing. */
			end(m, hdr, *next == first);
			return -EMSGSIZE;
		}
		++*next;
	}
	return end(m, hdr, *next == first);
}

/* ---- a worker ---------------------------------------------------------------------- */

static bool put_cpus(struct sk_buff *skb, const struct cpumask *mask)
{
	struct nlattr *a = nla_reserve(skb, VHOST_A_WORKER_CPUS,
				       BITS_TO_U32(nr_cpu_ids) * sizeof(u32));

	if (!a)
		return true;
	bitmap_to_arr32(nla_data(a), cpumask_bits(mask), nr_cpu_ids);
	return false;
}

static bool put_served(struct sk_buff *skb, struct vhc_worker *worker)
{
	struct vhc_dev *dev = worker->dev;
	bool failed = false;
	unsigned int i;

	for (i = 0; i < dev->nr_vqs && !failed; i++) {
		if (rcu_access_pointer(dev->vqs[i].worker) == worker)
			failed = nla_put_u32(skb, VHOST_A_WORKER_VQ, i);
	}
	return failed;
}

/* With the worker kept from going: the device or its table of workers locked. */
int vhc_nl_put_worker(const struct vhc_nl_msg *m, struct vhc_worker *worker, int err)
{
	struct task_struct *task = worker->task;
	struct sk_buff *skb = m->skb;
	void *hdr = begin(m);

	if (!hdr)
		return -EMSGSIZE;
	return end(m, hdr,
		   nla_put_u32(skb, VHOST_A_WORKER_DEV_ID, worker->dev->id) ||
		   nla_put_u32(skb, VHOST_A_WORKER_ID, worker->id) ||
		   (m->ns && nla_put_u32(skb, VHOST_A_WORKER_TID, task_pid_nr_ns(task, m->ns))) ||
		   put_cpus(skb, &task->cpus_mask) ||
		   nla_put_u32(skb, VHOST_A_WORKER_POLICY, READ_ONCE(task->policy)) ||
		   nla_put_u32(skb, VHOST_A_WORKER_PRIORITY, READ_ONCE(task->rt_priority)) ||
		   nla_put_s32(skb, VHOST_A_WORKER_NICE, task_nice(task)) ||
		   nla_put_u32(skb, VHOST_A_WORKER_VQS, READ_ONCE(worker->nr_vqs)) ||
		   put_served(skb, worker) ||
		   (err && nla_put_u32(skb, VHOST_A_WORKER_ERRNO, -err)));
}

/*
 * The first worker of the device with at least this id, and its id.
 *
 * Return: 0, -ENOENT if there is none, -EMSGSIZE.
 */
static int put_next_worker(const struct vhc_nl_msg *m, struct vhc_dev *dev, unsigned long *id)
{
	struct vhc_worker *worker;
	int err = -ENOENT;

	/* Who ends a worker takes it out of the table first. */
	xa_lock(&dev->workers);
	worker = xa_find(&dev->workers, id, ULONG_MAX, XA_PRESENT);
	if (worker)
		err = vhc_nl_put_worker(m, worker, 0);
	xa_unlock(&dev->workers);
	return err;
}

/* ---- one of them --------------------------------------------------------------------- */

/* Those that name what is meant have the same numbers in all requests. */
static_assert((int)VHOST_A_VQ_DEV_ID == VHOST_A_DEV_ID);
static_assert((int)VHOST_A_WORKER_DEV_ID == VHOST_A_DEV_ID);

/* NULL as well for one that the operation does not have. */
static const struct nlattr *attr(const struct genl_info *info, int type)
{
	/* Dumps without attributes have no table of them. */
	return info->attrs ? info->attrs[type] : NULL;
}

static struct vhc_dev *find_dev(const struct genl_info *info, const struct nlattr *id)
{
	struct vhc_dev *dev = vhc_registry_get(genl_info_net(info), nla_get_u32(id));

	if (!dev)
		NL_SET_ERR_MSG_ATTR(info->extack, id,
				    "no such device in this network namespace");
	return dev;
}

/* The device that a request is about, referenced; or an error pointer. */
struct vhc_dev *vhc_nl_find_dev(struct genl_info *info)
{
	struct vhc_dev *dev;

	if (GENL_REQ_ATTR_CHECK(info, VHOST_A_DEV_ID)) {
		GENL_SET_ERR_MSG(info, "which device? its id is missing");
		return ERR_PTR(-EINVAL);
	}
	dev = find_dev(info, info->attrs[VHOST_A_DEV_ID]);
	return dev ?: ERR_PTR(-ENOENT);
}

static struct vhc_vq *find_vq(const struct genl_info *info, struct vhc_dev *dev,
			      const struct nlattr *a)
{
	u32 index = nla_get_u32(a);

	if (index < dev->nr_vqs)
		return &dev->vqs[array_index_nospec(index, dev->nr_vqs)];
	NL_SET_ERR_MSG_ATTR_FMT(info->extack, a, "the last virtqueue of this device is %u",
				dev->nr_vqs - 1);
	return ERR_PTR(-ENOENT);
}

struct vhc_vq *vhc_nl_find_vq(struct genl_info *info, struct vhc_dev *dev)
{
	if (GENL_REQ_ATTR_CHECK(info, VHOST_A_VQ_INDEX)) {
		GENL_SET_ERR_MSG(info, "which virtqueue? its index is missing");
		return ERR_PTR(-EINVAL);
	}
	return find_vq(info, dev, info->attrs[VHOST_A_VQ_INDEX]);
}

static int new_reply(struct vhc_nl_msg *m, struct genl_info *info)
{
	*m = (struct vhc_nl_msg){
		.skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL),
		.cmd = info->genlhdr->cmd,
		.portid = info->snd_portid,
		.seq = info->snd_seq,
		.ns = task_active_pid_ns(current),
	};
	return m->skb ? 0 : -ENOMEM;
}

static int send_reply(struct vhc_nl_msg *m, struct genl_info *info, int err)
{
	if (!err)
		return genlmsg_reply(m->skb, info);
	nlmsg_free(m->skb);
	return err;
}

int vhc_nl_dev_get(struct sk_buff *skb, struct genl_info *info)
{
	struct vhc_dev *dev = vhc_nl_find_dev(info);
	struct vhc_nl_msg m;
	int err;

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	err = new_reply(&m, info);
	if (!err)
		err = send_reply(&m, info, vhc_nl_put_dev(&m, dev));
	vhc_registry_put(dev);
	return err;
}

int vhc_nl_vq_get(struct sk_buff *skb, struct genl_info *info)
{
	struct vhc_dev *dev = vhc_nl_find_dev(info);
	struct vhc_nl_msg m;
	struct vhc_vq *vq;
	int err;

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	vq = vhc_nl_find_vq(info, dev);
	err = PTR_ERR_OR_ZERO(vq);
	if (!err)
		err = new_reply(&m, info);
	if (!err)
		err = send_reply(&m, info, vhc_nl_put_vq(&m, vq, NULL));
	vhc_registry_put(dev);
	return err;
}

/* Reply with a worker of a device that is referenced. */
int vhc_nl_reply_worker(struct genl_info *info, struct vhc_dev *dev, u32 id)
{
	unsigned long at = id;
	struct vhc_nl_msg m;
	int err;

	err = new_reply(&m, info);
	if (err)
		return err;
	err = put_next_worker(&m, dev, &at);
	if (!err && at != id)
		err = -ENOENT;
	if (err == -ENOENT)
		GENL_SET_ERR_MSG(info, "the device has no such worker");
	return send_reply(&m, info, err);
}

int vhc_nl_worker_get(struct sk_buff *skb, struct genl_info *info)
{
	struct vhc_dev *dev = vhc_nl_find_dev(info);
	int err;

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	if (GENL_REQ_ATTR_CHECK(info, VHOST_A_WORKER_ID)) {
		GENL_SET_ERR_MSG(info, "which worker? its id is missing");
		err = -EINVAL;
	} else {
		err = vhc_nl_reply_worker(info, dev,
					  nla_get_u32(info->attrs[VHOST_A_WORKER_ID]));
	}
	vhc_registry_put(dev);
	return err;
}

/* ---- all of them ----------------------------------------------------------------------- */

/**
 * struct cursor - where a dump goes on; begins as zeroes
 * @dev: id of the device
 * @item: in it, index of the virtqueue or id of the worker
 * @part: in that, number of the counter
 */
struct cursor {
	unsigned long dev;
	unsigned long item;
	u32 part;
};

static_assert(sizeof(struct cursor) <= sizeof_field(struct netlink_callback, ctx));

/* Writes what there is of a device, from the cursor on: 0 or -EMSGSIZE. */
typedef int (*dump_one_t)(const struct vhc_nl_msg *m, struct vhc_dev *dev, struct cursor *c);

/* All devices, or that of the attribute DEV_ID. */
static int dump(struct sk_buff *skb, struct netlink_callback *cb, dump_one_t one)
{
	const struct genl_info *info = genl_info_dump(cb);
	const struct nlattr *only = attr(info, VHOST_A_DEV_ID);
	struct cursor *c = (struct cursor *)cb->ctx;
	struct vhc_nl_msg m = {
		.skb = skb,
		.cmd = info->genlhdr->cmd,
		.portid = info->snd_portid,
		.seq = info->snd_seq,
		.ns = task_active_pid_ns(current),
		.cb = cb,
	};
	unsigned long last = ULONG_MAX;
	struct vhc_dev *dev;
	int err = 0;

	cb->seq = vhc_registry_generation();
	if (only) {
		last = nla_get_u32(only);
		c->dev = max(c->dev, last);
	}
	while (!err) {
		dev = vhc_registry_next(genl_info_net(info), &c->dev, last);
		if (!dev)
			break;
		err = one(&m, dev, c);
		vhc_registry_put(dev);
		if (!err) {
			c->dev++;
			c->item = 0;
			c->part = 0;
		}
	}
	/* What did not fit goes into the next buffer; nothing at all is too much. */
	return skb->len ?: err;
}

static int dump_dev(const struct vhc_nl_msg *m, struct vhc_dev *dev, struct cursor *c)
{
	return vhc_nl_put_dev(m, dev);
}

static int dump_vqs(const struct vhc_nl_msg *m, struct vhc_dev *dev, struct cursor *c)
{
	int err = 0;

	for (; c->item < dev->nr_vqs && !err; c->item += !err)
		err = vhc_nl_put_vq(m, &dev->vqs[c->item], NULL);
	return err;
}

static int dump_workers(const struct vhc_nl_msg *m, struct vhc_dev *dev, struct cursor *c)
{
	int err = 0;

	for (; !err; c->item += !err)
		err = put_next_worker(m, dev, &c->item);
	return err == -ENOENT ? 0 : err;
}

static int dump_stats(const struct vhc_nl_msg *m, struct vhc_dev *dev, struct cursor *c)
{
	const struct nlattr *a = attr(genl_info_dump(m->cb), VHOST_A_VQ_INDEX);
	int err;

	for (; c->item < dev->nr_vqs; c->item++, c->part = 0) {
		if (a && nla_get_u32(a) != c->item)
			continue;
		err = put_counters(m, &dev->vqs[c->item], &c->part);
		if (err)
			return err;
	}
	return 0;
}

/* A dump of what there is not is an error, and not an empty one. */
int vhc_nl_dump_start(struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	const struct nlattr *id = attr(info, VHOST_A_DEV_ID);
	const struct nlattr *index = attr(info, VHOST_A_VQ_INDEX);
	struct vhc_dev *dev;
	int err = 0;

	if (!id && index) {
		NL_SET_ERR_MSG_ATTR(info->extack, index, "of which device? its id is missing");
		return -EINVAL;
	}
	if (!id)
		return 0;
	dev = find_dev(info, id);
	if (!dev)
		return -ENOENT;
	if (index)
		err = PTR_ERR_OR_ZERO(find_vq(info, dev, index));
	vhc_registry_put(dev);
	return err;
}

int vhc_nl_dev_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, dump_dev);
}

int vhc_nl_vq_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, dump_vqs);
}

int vhc_nl_worker_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, dump_workers);
}

int vhc_nl_stat_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump(skb, cb, dump_stats);
}
