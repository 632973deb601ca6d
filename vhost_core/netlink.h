/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the netlink family share; <linux/vhost_netlink.h> is the
 * contract. netlink.c has the family and its notifications, netlink_get.c
 * writes messages, netlink_set.c makes changes.
 */
#ifndef VHOST_NETLINK_H
#define VHOST_NETLINK_H

#include <linux/vhost_netlink.h>
#include <net/genetlink.h>

#include "internal.h"

/**
 * struct vhc_nl_msg - where a message goes
 * @skb: into this buffer
 * @cmd: its command
 * @portid: to whom
 * @seq: in answer to what
 * @ns: process ids are of this namespace; NULL: there are none in it
 * @cb: the dump that it is a part of; NULL for a reply or a notification
 */
struct vhc_nl_msg {
	struct sk_buff *skb;
	u8 cmd;
	u32 portid;
	u32 seq;
	struct pid_namespace *ns;
	struct netlink_callback *cb;
};

/* netlink.c */
extern struct genl_family vhc_nl_family;

/* netlink_get.c */
int vhc_nl_put_dev(const struct vhc_nl_msg *m, struct vhc_dev *dev);
int vhc_nl_put_vq(const struct vhc_nl_msg *m, struct vhc_vq *vq, const char *rejection);
int vhc_nl_put_worker(const struct vhc_nl_msg *m, struct vhc_worker *worker, int err);
int vhc_nl_reply_worker(struct genl_info *info, struct vhc_dev *dev, u32 id);
struct vhc_dev *vhc_nl_find_dev(struct genl_info *info);
struct vhc_vq *vhc_nl_find_vq(struct genl_info *info, struct vhc_dev *dev);
int vhc_nl_dev_get(struct sk_buff *skb, struct genl_info *info);
int vhc_nl_vq_get(struct sk_buff *skb, struct genl_info *info);
int vhc_nl_worker_get(struct sk_buff *skb, struct genl_info *info);
int vhc_nl_dump_start(struct netlink_callback *cb);
int vhc_nl_dev_dump(struct sk_buff *skb, struct netlink_callback *cb);
int vhc_nl_vq_dump(struct sk_buff *skb, struct netlink_callback *cb);
int vhc_nl_worker_dump(struct sk_buff *skb, struct netlink_callback *cb);
int vhc_nl_stat_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_set.c */
int vhc_nl_vq_set(struct sk_buff *skb, struct genl_info *info);
int vhc_nl_worker_set(struct sk_buff *skb, struct genl_info *info);
int vhc_nl_worker_sched_set(struct sk_buff *skb, struct genl_info *info);
int vhc_nl_worker_new(struct sk_buff *skb, struct genl_info *info);
int vhc_nl_worker_del(struct sk_buff *skb, struct genl_info *info);

#endif /* VHOST_NETLINK_H */
