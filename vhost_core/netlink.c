// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family "vhost": operations, who may call them, and
 * notifications.
 *
 * Reading takes no lock that is held while a device works: a VMM that makes a
 * turn or an ioctl of its own device wait for ever must not make the admin
 * wait, nor all of generic netlink, whose lock the caller of an operation
 * holds. What changes a device is done by a kernel thread for the same reason
 * (netlink_set.c).
 */
#include <linux/pid_namespace.h>
#include <linux/rculist.h>
#include <net/net_namespace.h>

#include "netlink.h"

enum { MONITOR };

static const struct genl_multicast_group groups[] = {
	[MONITOR] = {
		.name = VHOST_MCGRP_MONITOR,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

/* ---- policies ------------------------------------------------------------------ */

/* Of a device, or of what is in one: their attributes DEV_ID are the same. */
static const struct nla_policy dev_id[VHOST_A_DEV_ID + 1] = {
	[VHOST_A_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* For dumps of all, or of a device. */
static const struct nla_policy of_dev[VHOST_A_VQ_INDEX + 1] = {
	[VHOST_A_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[VHOST_A_VQ_INDEX] = { .type = NLA_REJECT },
};

static const struct nla_policy vq_id[VHOST_A_VQ_INDEX + 1] = {
	[VHOST_A_VQ_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[VHOST_A_VQ_INDEX] = { .type = NLA_U32 },
};

static const struct netlink_range_validation poll_us = { .max = VHOST_POLL_US_MAX };

static const struct nla_policy vq_set[VHOST_A_VQ_POLL_US + 1] = {
	[VHOST_A_VQ_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[VHOST_A_VQ_INDEX] = { .type = NLA_U32 },
	[VHOST_A_VQ_WORKER_ID] = { .type = NLA_U32 },
	[VHOST_A_VQ_POLL_MODE] = NLA_POLICY_MAX(NLA_U32, VHOST_POLL_MODE_ADAPTIVE),
	[VHOST_A_VQ_POLL_US] = NLA_POLICY_FULL_RANGE(NLA_U32, &poll_us),
};

static const struct nla_policy worker_id[VHOST_A_WORKER_ID + 1] = {
	[VHOST_A_WORKER_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[VHOST_A_WORKER_ID] = { .type = NLA_U32 },
};

static const struct nla_policy worker_set[VHOST_A_WORKER_CPUS + 1] = {
	[VHOST_A_WORKER_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[VHOST_A_WORKER_ID] = { .type = NLA_U32 },
	[VHOST_A_WORKER_CPUS] = NLA_POLICY_RANGE(NLA_BINARY, sizeof(u32), VHOST_CPUS_BYTES_MAX),
};

static const struct nla_policy worker_sched_set[VHOST_A_WORKER_NICE + 1] = {
	[VHOST_A_WORKER_DEV_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[VHOST_A_WORKER_ID] = { .type = NLA_U32 },
	[VHOST_A_WORKER_POLICY] = NLA_POLICY_MAX(NLA_U32, VHOST_SCHED_POLICY_BATCH),
	[VHOST_A_WORKER_PRIORITY] = NLA_POLICY_RANGE(NLA_U32, 1, MAX_RT_PRIO - 1),
	[VHOST_A_WORKER_NICE] = NLA_POLICY_RANGE(NLA_S32, MIN_NICE, MAX_NICE),
};

/* ---- operations ------------------------------------------------------------------ */

#define DO(number, fn, rules, perm)					\
	{								\
		.cmd = (number),					\
		.doit = (fn),						\
		.policy = (rules),					\
		.maxattr = ARRAY_SIZE(rules) - 1,			\
		.flags = GENL_CMD_CAP_DO | (perm),			\
	}

#define DUMP(number, fn, rules)						\
	{								\
		.cmd = (number),					\
		.start = vhc_nl_dump_start,				\
		.dumpit = (fn),						\
		.policy = (rules),					\
		.maxattr = ARRAY_SIZE(rules) - 1,			\
		.flags = GENL_CMD_CAP_DUMP | GENL_UNS_ADMIN_PERM,	\
	}

static const struct genl_split_ops ops[] = {
	DO(VHOST_CMD_DEV_GET, vhc_nl_dev_get, dev_id, GENL_UNS_ADMIN_PERM),
	{
		.cmd = VHOST_CMD_DEV_GET,
		.dumpit = vhc_nl_dev_dump,
		.flags = GENL_CMD_CAP_DUMP | GENL_UNS_ADMIN_PERM,
	},
	DO(VHOST_CMD_VQ_GET, vhc_nl_vq_get, vq_id, GENL_UNS_ADMIN_PERM),
	DUMP(VHOST_CMD_VQ_GET, vhc_nl_vq_dump, of_dev),
	DO(VHOST_CMD_WORKER_GET, vhc_nl_worker_get, worker_id, GENL_UNS_ADMIN_PERM),
	DUMP(VHOST_CMD_WORKER_GET, vhc_nl_worker_dump, of_dev),
	DUMP(VHOST_CMD_STAT_GET, vhc_nl_stat_dump, vq_id),
	DO(VHOST_CMD_VQ_SET, vhc_nl_vq_set, vq_set, GENL_UNS_ADMIN_PERM),
	DO(VHOST_CMD_WORKER_SET, vhc_nl_worker_set, worker_set, GENL_UNS_ADMIN_PERM),
	DO(VHOST_CMD_WORKER_SCHED_SET, vhc_nl_worker_sched_set, worker_sched_set,
	   GENL_ADMIN_PERM),
	DO(VHOST_CMD_WORKER_NEW, vhc_nl_worker_new, dev_id, GENL_UNS_ADMIN_PERM),
	DO(VHOST_CMD_WORKER_DEL, vhc_nl_worker_del, worker_id, GENL_UNS_ADMIN_PERM),
};

struct genl_family vhc_nl_family __ro_after_init = {
	.name		= VHOST_FAMILY_NAME,
	.version	= VHOST_FAMILY_VERSION,
	.netnsok	= true,
	/* Each device has its own lock. */
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= ops,
	.n_split_ops	= ARRAY_SIZE(ops),
	.mcgrps		= groups,
	.n_mcgrps	= ARRAY_SIZE(groups),
};

/* ---- notifications ----------------------------------------------------------------- */

/* What happened, to one of the three. */
struct event {
	u8 cmd;
	struct vhc_dev *dev;
	struct vhc_worker *worker;
	struct vhc_vq *vq;
	const char *rejection;
	int err;
};

static int put_event(const struct vhc_nl_msg *m, const struct event *e)
{
	if (e->worker)
		return vhc_nl_put_worker(m, e->worker, e->err);
	if (e->vq)
		return vhc_nl_put_vq(m, e->vq, e->rejection);
	return vhc_nl_put_dev(m, e->dev);
}

/* From any context that may not sleep: queues break with their lock held. */
static void send(struct net *net, const struct event *e)
{
	struct vhc_nl_msg m = {
		.cmd = e->cmd,
		.ns = net_eq(net, &init_net) ? &init_pid_ns : NULL,
	};

	if (!genl_has_listeners(&vhc_nl_family, net, MONITOR))
		return;
	m.skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_ATOMIC | __GFP_NOWARN);
	if (!m.skb || put_event(&m, e)) {
		nlmsg_free(m.skb);
		/* They get ENOBUFS: something was lost. */
		genl_set_err(&vhc_nl_family, net, 0, MONITOR, -ENOBUFS);
		return;
	}
	genlmsg_multicast_netns(&vhc_nl_family, net, m.skb, 0, MONITOR, GFP_ATOMIC);
}

/*
 * To the host's namespace and the device's. That is looked for, by its cookie,
 * since a device does not keep it: a namespace that is gone has no listeners.
 */
static void notify(const struct event *e)
{
	u64 cookie = e->dev->net_cookie;
	struct net *net;

	send(&init_net, e);
	if (cookie == init_net.net_cookie)
		return;
	rcu_read_lock();
	for_each_net_rcu(net) {
		if (net->net_cookie == cookie) {
			send(net, e);
			break;
		}
	}
	rcu_read_unlock();
}

void vhc_netlink_dev_added(struct vhc_dev *dev)
{
	notify(&(struct event){ .cmd = VHOST_CMD_DEV_ADD_NTF, .dev = dev });
}

void vhc_netlink_dev_removed(struct vhc_dev *dev)
{
	notify(&(struct event){ .cmd = VHOST_CMD_DEV_DEL_NTF, .dev = dev });
}

/* Device locked. */
void vhc_netlink_worker_added(struct vhc_worker *worker)
{
	notify(&(struct event){
		.cmd = VHOST_CMD_WORKER_ADD_NTF,
		.dev = worker->dev,
		.worker = worker,
	});
}

/* Device locked; @err is a negative errno. */
void vhc_netlink_pin_failed(struct vhc_worker *worker, int err)
{
	notify(&(struct event){
		.cmd = VHOST_CMD_PIN_FAIL_NTF,
		.dev = worker->dev,
		.worker = worker,
		.err = err,
	});
}

/* Queue locked. */
void vhc_netlink_vq_broken(struct vhc_vq *vq, const char *rejection)
{
	notify(&(struct event){
		.cmd = VHOST_CMD_VQ_BROKEN_NTF,
		.dev = vq->dev,
		.vq = vq,
		.rejection = rejection,
	});
}

/* ---- life cycle ---------------------------------------------------------------------- */

int __init vhc_netlink_init(void)
{
	return genl_register_family(&vhc_nl_family);
}

/* No device is open any more. */
void vhc_netlink_exit(void)
{
	genl_unregister_family(&vhc_nl_family);
}
