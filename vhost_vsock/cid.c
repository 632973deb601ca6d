// SPDX-License-Identifier: GPL-2.0
/*
 * Context ids: which device a CID names.
 *
 * A CID that is given up first names nobody (it is retired), then the packets
 * for it and the connections to it are done away with, and only then another
 * device can have it: nobody's connection ends up with somebody else.
 */
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <net/af_vsock.h>

#include "vsock.h"

static DEFINE_MUTEX(cid_mutex);
static DEFINE_READ_MOSTLY_HASHTABLE(cids, 8);

/* Where to look for a free one next: not soon again for who had it last. */
static u32 next_cid = VHV_HOST_CID + 1;

/* Whether it is that CID, for somebody in @net. It names, or named, a device that exists. */
static bool matches(const struct vhv_cid *c, u32 cid, struct net *net)
{
	return c->cid == cid && vsock_net_check_mode(net, c->vsock->net);
}

/**
 * vhv_cid_find() - the device that a CID names
 * @cid: the CID
 * @net: for whom
 *
 * Context: under RCU, and so long the device may be used.
 * Return: NULL if there is none.
 */
struct vhv_vsock *vhv_cid_find(u32 cid, struct net *net)
{
	struct vhv_cid *c;

	hash_for_each_possible_rcu(cids, c, node, cid, lockdep_is_held(&cid_mutex)) {
		/*
		 * The device of a retired one may go at any time: only those
		 * who saw it in use are waited for.
		 */
		if (!READ_ONCE(c->retired) && matches(c, cid, net))
			return c->vsock;
	}
	return NULL;
}

/* With cid_mutex held, without which no device leaves the table. */
static bool is_free(const struct vhv_vsock *v, u32 cid)
{
	struct vhv_cid *c;

	if (vsock_find_cid(cid))
		return false;
	hash_for_each_possible(cids, c, node, cid) {
		if (matches(c, cid, v->net))
			return false;
	}
	return true;
}

/* Change over to @new, or none. Device locked. */
static void change(struct vhv_vsock *v, struct vhv_cid *new)
{
	struct vhv_cid *old = v->cid;

	/* No packet of the guest's is looked at, and none is sent to it. */
	vhc_dev_lock_vqs(v->dev);
	v->cid = new;
	vhc_dev_show_cid(v->dev, new ? new->cid : 0);
	if (old) {
		WRITE_ONCE(old->retired, true);
		/* Who found it before has queued his packet by now. */
		synchronize_rcu();
		vhv_sendq_purge(v, new ? new->cid : 0);
		vhv_peers_reset(v, old->cid);
		vhv_group_cut(v);
	}
	vhc_dev_unlock_vqs(v->dev);
	if (!old)
		return;
	mutex_lock(&cid_mutex);
	hash_del_rcu(&old->node);
	mutex_unlock(&cid_mutex);
	kfree_rcu(old, rcu);
}

/* With cid_mutex held. */
static void take(struct vhv_vsock *v, struct vhv_cid *c, u32 cid)
{
	c->cid = cid;
	c->vsock = v;
	hash_add_rcu(cids, &c->node, cid);
}

/*
 * Give a device a CID. Device locked.
 *
 * Return: 0; -EINVAL for one that no guest can have; -EADDRINUSE; -ENOMEM.
 */
int vhv_cid_set(struct vhv_vsock *v, u64 cid)
{
	struct vhv_cid *c;
	int err = 0;

	if (cid <= VHV_HOST_CID || cid >= VMADDR_CID_ANY)
		return -EINVAL;
	if (v->cid && v->cid->cid == cid)
		return 0;
	c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		return -ENOMEM;
	mutex_lock(&cid_mutex);
	if (is_free(v, cid))
		take(v, c, cid);
	else
		err = -EADDRINUSE;
	mutex_unlock(&cid_mutex);
	if (err)
		kfree(c);
	else
		change(v, c);
	return err;
}

/*
 * Give a device a CID that is free. Device locked.
 *
 * Return: 0, -ENOMEM, or -EADDRINUSE if all are taken.
 */
int vhv_cid_alloc(struct vhv_vsock *v, u64 *cid)
{
	struct vhv_cid *c;
	int err = -EADDRINUSE;
	u32 tries;

	c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		return -ENOMEM;
	mutex_lock(&cid_mutex);
	/* More devices than that there cannot be; so one of these is free. */
	for (tries = 0; err && tries < VHV_CIDS_TRIED; tries++) {
		if (next_cid <= VHV_HOST_CID || next_cid == VMADDR_CID_ANY)
			next_cid = VHV_HOST_CID + 1;
		if (is_free(v, next_cid)) {
			take(v, c, next_cid);
			err = 0;
		}
		next_cid++;
	}
	mutex_unlock(&cid_mutex);
	if (err) {
		kfree(c);
		return err;
	}
	change(v, c);
	*cid = c->cid;
	return 0;
}

/* Take it away. Device locked. */
void vhv_cid_drop(struct vhv_vsock *v)
{
	change(v, NULL);
}

/* ---- groups and lists ------------------------------------------------------------------- */

/*
 * Put the guest that a CID names, in the caller's namespace, into a group.
 *
 * Return: 0; -ENODEV if there is none; -ENOMEM.
 */
int vhv_cid_set_group(u64 cid, u32 group)
{
	struct vhv_vsock *v;
	int err = -ENODEV;

	mutex_lock(&cid_mutex);
	/* As long as we have the mutex it does not give its CID back. */
	v = cid <= U32_MAX ? vhv_cid_find(cid, current->nsproxy->net_ns) : NULL;
	if (v)
		err = vhv_group_set(v, group);
	mutex_unlock(&cid_mutex);
	return err;
}

/* Its CID was dropped before: nobody can put it in one again. Device locked. */
void vhv_cid_leave_group(struct vhv_vsock *v)
{
	mutex_lock(&cid_mutex);
	vhv_group_set(v, 0);
	mutex_unlock(&cid_mutex);
}

/* Lines "cid <cid> owner <pid> group <group>", then those of groups. */
int vhv_cid_show(struct seq_file *m, void *unused)
{
	struct vhv_cid *c;
	unsigned int i;

	mutex_lock(&cid_mutex);
	hash_for_each(cids, i, c, node) {
		if (!c->retired)
			seq_printf(m, "cid %u owner %d group %u\n", c->cid,
				   vhc_dev_owner(c->vsock->dev), vhv_group_id(c->vsock));
	}
	vhv_group_show(m);
	mutex_unlock(&cid_mutex);
	return 0;
}
