// SPDX-License-Identifier: GPL-2.0
/*
 * vhost_net: virtio-net's data path in the host kernel.
 *
 * A device has two virtqueues, receive and transmit; a VMM opens one device
 * for each queue pair of a multiqueue NIC. NET_SET_BACKEND joins a virtqueue
 * and a backend (backend.c) and starts it; with -1 it stops. The control queue
 * of virtio-net stays with the VMM.
 *
 *	backend.c	files that packets go to and come from
 *	tx.c, frag.c	guest to backend
 *	rx.c, rx_packet.c	backend to guest
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>

#include "net.h"

/* The minor that systemd and udev know /dev/vhost-net by. */
#define VHN_MINOR	238

static struct vhn_queue *queue_of(struct vhn_net *net, unsigned int index)
{
	return index == VHN_RX ? &net->rx.q : &net->tx.q;
}

static enum vhc_verdict run(struct vhc_vq *vq, unsigned int index, void *priv)
{
	struct vhn_net *net = priv;

	if (index == VHN_RX)
		return vhn_rx_run(&net->rx);
	return vhn_tx_run(&net->tx);
}

/* ---- backends ------------------------------------------------------------------ */

/* Queue locked. What it had is returned in @old. */
static void detach(struct vhn_net *net, struct vhn_queue *q, struct vhn_backend *old)
{
	vhc_vq_stop(q->vq);
	vhc_poll_stop(&q->poll);
	if (q == &net->rx.q)
		vhn_packet_give_back(&net->rx);
	*old = q->backend;
	memset(&q->backend, 0, sizeof(q->backend));
}

/* Queue locked. Takes over @new if it returns 0. */
static int attach(struct vhn_net *net, struct vhn_queue *q, const struct vhn_backend *new)
{
	int err;

	err = vhc_vq_start(q->vq);
	if (err)
		return err;
	q->backend = *new;
	if (q == &net->rx.q) {
		net->rx.per_packet = 1;
		vhn_packet_reset(&net->rx);
		q->poll.muted = false;
		err = vhc_poll_start(&q->poll, new->file);
		if (err) {
			vhc_vq_stop(q->vq);
			memset(&q->backend, 0, sizeof(q->backend));
		}
	}
	return err;
}

/*
 * Exchange the backend of one queue, under load as well. Device locked. fd -1
 * is none. When this returns the old one is not used any more.
 */
static int set_backend(struct vhn_net *net, struct vhn_queue *q, int fd)
{
	struct vhn_backend new = {}, old = {};
	int err = 0;

	if (fd != VHOST_FILE_UNBIND) {
		err = vhn_backend_get(&new, fd);
		if (err)
			return err;
	}
	vhc_vq_lock(q->vq);
	detach(net, q, &old);
	if (new.file)
		err = attach(net, q, &new);
	vhc_vq_unlock(q->vq);
	if (old.file)
		vhn_backend_put(&old);
	if (err)
		vhn_backend_put(&new);
	else if (new.file)
		vhc_vq_wake(q->vq);
	return err;
}

static long ioctl(struct vhc_dev *dev, unsigned int cmd, void __user *arg)
{
	struct vhn_net *net = vhc_dev_priv(dev);
	struct vhost_vring_file file;

	if (cmd != VHOST_NET_SET_BACKEND)
		return -ENOIOCTLCMD;
	if (copy_from_user(&file, arg, sizeof(file)))
		return -EFAULT;
	if (file.index >= VHN_NR_VQS)
		return -ENOBUFS;
	return set_backend(net, queue_of(net, file.index), file.fd);
}

/* ---- features ------------------------------------------------------------------- */

/* Bytes of virtio-net header: virtio 1.3, section 5.1.6. */
static size_t header_len(const struct vhc_dev *dev)
{
	if (vhc_dev_has_feature(dev, VHC_NET_F_GUEST_TUNNEL) ||
	    vhc_dev_has_feature(dev, VHC_NET_F_HOST_TUNNEL))
		return VHC_NET_TUNNEL_HDR;
	if (vhc_dev_has_feature(dev, VIRTIO_NET_F_MRG_RXBUF) ||
	    vhc_dev_has_feature(dev, VIRTIO_F_VERSION_1))
		return sizeof(struct virtio_net_hdr_mrg_rxbuf);
	return sizeof(struct virtio_net_hdr);
}

static void set_features(struct vhc_dev *dev)
{
	struct vhn_net *net = vhc_dev_priv(dev);
	bool ours = vhc_dev_has_feature(dev, VHOST_NET_F_VIRTIO_NET_HDR);
	size_t len = header_len(dev);
	unsigned int i;

	for (i = 0; i < VHN_NR_VQS; i++) {
		struct vhn_queue *q = queue_of(net, i);

		q->vhost_hlen = ours ? len : 0;
		q->sock_hlen = ours ? 0 : len;
	}
	net->rx.mergeable = vhc_dev_has_feature(dev, VIRTIO_NET_F_MRG_RXBUF);
	net->rx.logged = vhc_dev_has_feature(dev, VHOST_F_LOG_ALL);
}

/* ---- life cycle ------------------------------------------------------------------- */

static void init_queue(struct vhn_net *net, unsigned int index, __poll_t mask)
{
	struct vhn_queue *q = queue_of(net, index);

	q->vq = vhc_dev_vq(net->dev, index);
	q->net = net;
	q->counter = vhc_vq_counters(q->vq);
	vhc_vq_set_priv(q->vq, net);
	vhc_poll_init(&q->poll, q->vq, mask);
}

static int open(struct vhc_dev *dev)
{
	struct vhn_net *net = kvzalloc(sizeof(*net), GFP_KERNEL_ACCOUNT);

	if (!net)
		return -ENOMEM;
	net->dev = dev;
	vhc_dev_set_priv(dev, net);
	init_queue(net, VHN_RX, EPOLLIN);
	init_queue(net, VHN_TX, EPOLLOUT);
	return 0;
}

static void reset(struct vhc_dev *dev)
{
	struct vhn_net *net = vhc_dev_priv(dev);
	unsigned int i;

	for (i = 0; i < VHN_NR_VQS; i++) {
		struct vhn_queue *q = queue_of(net, i);

		set_backend(net, q, VHOST_FILE_UNBIND);
		q->vhost_hlen = 0;
		q->sock_hlen = 0;
	}
	net->rx.mergeable = false;
	net->rx.logged = false;
}

static void release(struct vhc_dev *dev)
{
	struct vhn_net *net = vhc_dev_priv(dev);

	vhn_rx_free(&net->rx);
	vhn_frag_exit(&net->tx.frag);
	kvfree(net);
}

static const char *const vq_names[] = {
	[VHN_RX] = "rx",
	[VHN_TX] = "tx",
};

static const struct vhc_name rejections[] = {
#define X(NAME, name, text) [VHN_R_##NAME] = { #name, text },
	VHN_REJECTIONS(X)
#undef X
};

static const struct vhc_name counters[] = {
#define X(NAME, name, text) [VHN_C_##NAME] = { #name, text },
	VHN_COUNTERS(X)
#undef X
};

static const struct vhc_driver driver = {
	.owner		= THIS_MODULE,
	.name		= "net",
	.node		= "vhost-net",
	.minor		= VHN_MINOR,
	.nr_vqs		= VHN_NR_VQS,
	.vq_names	= vq_names,
	.features	= {
		BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR) |
		BIT_ULL(VIRTIO_NET_F_MRG_RXBUF),
		VHC_NET_TUNNEL_FEATURES,
	},
	.rejections	= rejections,
	.nr_rejections	= VHN_R_NR,
	.counters	= counters,
	.nr_counters	= VHN_C_NR,
	.open		= open,
	.release	= release,
	.reset		= reset,
	.set_features	= set_features,
	.ioctl		= ioctl,
	.run		= run,
};

static struct vhc_registration *registration;

static int __init vhost_net_init(void)
{
	registration = vhc_register(&driver);
	return PTR_ERR_OR_ZERO(registration);
}

static void __exit vhost_net_exit(void)
{
	vhc_unregister(registration);
}

module_init(vhost_net_init);
module_exit(vhost_net_exit);

VHC_IMPORT();
MODULE_ALIAS_MISCDEV(VHN_MINOR);
MODULE_ALIAS("devname:vhost-net");
MODULE_DESCRIPTION("Host side of virtio-net");
MODULE_AUTHOR("The vhost accelerator authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
