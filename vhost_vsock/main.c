// SPDX-License-Identifier: GPL-2.0
/*
 * vhost_vsock: sockets between the host and its guests.
 *
 * A device is a guest's AF_VSOCK: a CID, and two virtqueues, named from the
 * guest's side. The third one of virtio-vsock, for events, stays with the VMM.
 * The host's end are sockets of the kernel, of which we are a transport.
 *
 *	host's sockets					guest
 *	--------------					-----
 *	sendmsg -> transport.c -> sendq.c -> rx.c -> receive queue
 *	recvmsg <- (the kernel's common code) <- tx.c <- transmit queue
 *
 * Each direction has a worker of its own.
 *
 *	cid.c	whose CID is whose
 *	group.c	guests that may talk to each other
 *	peers.c	what sockets learn when a guest is gone
 *	pool.c	pages for large packets
 *	enqueue.c	large writes of the host's sockets
 *
 * SET_RUNNING starts and stops both queues. A VMM stops them when it pauses the
 * guest, and when the guest resets its device. In the first case connections
 * live on. In the second the queues start from elsewhere than where they
 * stopped: then the guest's driver is a new one, and knows no connection.
 */
#include <linux/capability.h>
#include <linux/debugfs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vhost.h>
#include <linux/vhost_ext.h>
#include <linux/virtio_config.h>
#include <net/af_vsock.h>

#include "vsock.h"

/* The minor that systemd and udev know /dev/vhost-vsock by. */
#define VHV_MINOR	241

static enum vhc_verdict run(struct vhc_vq *vq, unsigned int index, void *priv)
{
	struct vhv_vsock *v = priv;

	return index == VSOCK_VQ_RX ? vhv_rx_run(v) : vhv_tx_run(v);
}

/* ---- start and stop ------------------------------------------------------------ */

/* Device locked. */
static void stop(struct vhv_vsock *v)
{
	bool was = v->running;
	unsigned int i;

	WRITE_ONCE(v->running, false);
	for (i = 0; i < VHV_NR_VQS; i++) {
		struct vhc_vq *vq = vhv_vq(v, i);

		vhc_vq_lock(vq);
		vhc_vq_stop(vq);
		if (was)
			v->base[i] = vhc_vq_base(vq);
		vhc_vq_unlock(vq);
	}
}

/* Whether the queues go on where they stopped. Device locked. */
static bool goes_on(const struct vhv_vsock *v)
{
	return v->base[VSOCK_VQ_RX] == vhc_vq_base(vhv_vq(v, VSOCK_VQ_RX)) &&
	       v->base[VSOCK_VQ_TX] == vhc_vq_base(vhv_vq(v, VSOCK_VQ_TX));
}

/* The driver is new: what was on its way to the one before is void. Device locked. */
static void begin_anew(struct vhv_vsock *v)
{
	vhc_dev_lock_vqs(v->dev);
	vhv_sendq_purge(v, 0);
	if (v->cid)
		vhv_peers_reset(v, v->cid->cid);
	vhv_group_cut(v);
	vhc_dev_unlock_vqs(v->dev);
}

/*
 * Start the queues; if they run those that broke. Device locked.
 *
 * Return: 0 or as vhc_vq_start(), with both stopped.
 */
static int start(struct vhv_vsock *v)
{
	unsigned int i;
	int err = 0;

	if (!v->running && v->was_running && !goes_on(v))
		begin_anew(v);
	for (i = 0; !err && i < VHV_NR_VQS; i++) {
		struct vhc_vq *vq = vhv_vq(v, i);

		vhc_vq_lock(vq);
		if (!v->running || vhc_vq_is_broken(vq))
			err = vhc_vq_start(vq);
		vhc_vq_unlock(vq);
	}
	if (err) {
		stop(v);
		return err;
	}
	v->was_running = true;
	WRITE_ONCE(v->running, true);
	for (i = 0; i < VHV_NR_VQS; i++)
		vhc_vq_wake(vhv_vq(v, i));
	return 0;
}

static long ioctl(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	struct vhv_vsock *v = vhc_dev_priv(dev);
	int on;

	if (cmd != VHOST_VSOCK_SET_RUNNING)
		return -ENOIOCTLCMD;
	if (get_user(on, (int __user *)arg))
		return -EFAULT;
	if (on)
		return start(v);
	stop(v);
	return 0;
}

/* ---- CIDs ----------------------------------------------------------------------- */

/*
 * libvirt chooses the CID, on a file that it then hands to QEMU: there is no
 * owner yet.
 */
static long early_ioctl(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	struct vhv_vsock *v = vhc_dev_priv(dev);
	u64 cid;
	int err;

	switch (cmd) {
	case VHOST_VSOCK_SET_GUEST_CID:
		if (copy_from_user(&cid, arg, sizeof(cid)))
			return -EFAULT;
		return vhv_cid_set(v, cid);
	case VHOST_VSOCK_ALLOC_CID:
		err = vhv_cid_alloc(v, &cid);
		if (err)
			return err;
		return copy_to_user(arg, &cid, sizeof(cid)) ? -EFAULT : 0;
	}
	return -ENOIOCTLCMD;
}

/* The administrator's, on any file, about any guest. */
static long control(unsigned int cmd, void __user *arg)
{
	struct vhost_vsock_group g;

	if (cmd != VHOST_VSOCK_SET_GROUP)
		return -ENOIOCTLCMD;
	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&g, arg, sizeof(g)))
		return -EFAULT;
	if (g.reserved)
		return -EINVAL;
	return vhv_cid_set_group(g.guest_cid, g.group);
}

/* ---- life cycle ------------------------------------------------------------------ */

static void set_features(struct vhc_dev *dev)
{
	struct vhv_vsock *v = vhc_dev_priv(dev);

	WRITE_ONCE(v->seqpacket, vhc_dev_has_feature(dev, VIRTIO_VSOCK_F_SEQPACKET));
}

static int open(struct vhc_dev *dev)
{
	struct vhv_vsock *v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!v)
		return -ENOMEM;
	v->dev = dev;
	v->net = get_net_track(current->nsproxy->net_ns, &v->ns_tracker, GFP_KERNEL);
	vhv_sendq_init(v);
	spin_lock_init(&v->rx_pool_lock);
	vhc_dev_set_priv(dev, v);
	for (i = 0; i < VHV_NR_VQS; i++) {
		v->counter[i] = vhc_vq_counters(vhv_vq(v, i));
		vhc_vq_set_priv(vhv_vq(v, i), v);
	}
	vhc_dev_want_worker_per_queue(dev);
	return 0;
}

static void reset(struct vhc_dev *dev)
{
	struct vhv_vsock *v = vhc_dev_priv(dev);

	stop(v);
	vhv_cid_drop(v);
	vhv_cid_leave_group(v);
	v->was_running = false;
	WRITE_ONCE(v->seqpacket, false);
}

static void release(struct vhc_dev *dev)
{
	struct vhv_vsock *v = vhc_dev_priv(dev);

	vhv_pool_exit(&v->tx_pool);
	vhv_pool_exit(&v->rx_pool);
	vhv_sendq_exit(&v->sendq);
	put_net_track(v->net, &v->ns_tracker);
	kfree(v);
}

static const char *const vq_names[] = {
	[VSOCK_VQ_RX] = "rx",
	[VSOCK_VQ_TX] = "tx",
};

static const struct vhc_name rejections[] = {
#define X(NAME, name, text) [VHV_R_##NAME] = { #name, text },
	VHV_REJECTIONS(X)
#undef X
};

static const struct vhc_name counters[] = {
#define X(NAME, name, text) [VHV_C_##NAME] = { #name, text },
	VHV_COUNTERS(X)
#undef X
};

static const struct vhc_driver driver = {
	.owner		= THIS_MODULE,
	.name		= "vsock",
	.node		= "vhost-vsock",
	.minor		= VHV_MINOR,
	.nr_vqs		= VHV_NR_VQS,
	.vq_names	= vq_names,
	.patient	= BIT(VSOCK_VQ_RX),
	.features	= { BIT_ULL(VIRTIO_VSOCK_F_SEQPACKET) },
	.rejections	= rejections,
	.nr_rejections	= VHV_R_NR,
	.counters	= counters,
	.nr_counters	= VHV_C_NR,
	.open		= open,
	.release	= release,
	.reset		= reset,
	.set_features	= set_features,
	.ioctl		= ioctl,
	.early_ioctl	= early_ioctl,
	.control	= control,
	.run		= run,
};

DEFINE_SHOW_ATTRIBUTE(vhv_cid);

static struct vhc_registration *registration;
static struct dentry *list;

static int __init vhost_vsock_init(void)
{
	int err;

	err = vsock_core_register(&vhv_transport.transport, VSOCK_TRANSPORT_F_H2G);
	if (err) {
		if (err == -EBUSY)
			pr_err("vhost-vsock: AF_VSOCK has a transport to guests already\n");
		return err;
	}
	registration = vhc_register(&driver);
	if (IS_ERR(registration)) {
		vsock_core_unregister(&vhv_transport.transport);
		return PTR_ERR(registration);
	}
	list = debugfs_create_file("vsock", 0400, vhc_debugfs(), NULL, &vhv_cid_fops);
	return 0;
}

static void __exit vhost_vsock_exit(void)
{
	debugfs_remove(list);
	vhc_unregister(registration);
	vsock_core_unregister(&vhv_transport.transport);
}

module_init(vhost_vsock_init);
module_exit(vhost_vsock_exit);

VHC_IMPORT();
MODULE_ALIAS_MISCDEV(VHV_MINOR);
MODULE_ALIAS("devname:vhost-vsock");
MODULE_DESCRIPTION("Host side of virtio-vsock");
MODULE_AUTHOR("The vhost accelerator authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
