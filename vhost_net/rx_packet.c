// SPDX-License-Identifier: GPL-2.0
/*
 * Receive: a packet, from the backend into the guest's buffers.
 *
 * What a tap or macvtap does with a packet is here twice. Its recvmsg() is
 * right for every packet, but comes to half of what a small one costs. So what
 * is plain - no VLAN tag, no segments, no XDP frame - is written from here:
 * header, and data behind it, as tun_put_user() and tap_put_user() do.
 *
 * What they look at is for the most part in the packet, where we can look too.
 * The rest is private to the tap: whether its packets have a header, how long
 * it is, and whether there still is a device behind the file. So recvmsg() is
 * asked again and again: the first packet of a backend and then one of so many
 * goes that way, and only while the length that it returns is the one that was
 * negotiated may those behind it be written from here.
 *
 * - That length also tells that there is no struct tun_pi (4 bytes) in front:
 *   with it, headers have 4 or at least 14 bytes, those of virtio 10 or 12. (A
 *   tunnel header's 24 could be 4 and 20. Then the VMM has told guest and tap
 *   different things, and the guest gets what it was told.)
 * - Byte order matters for packets with a partial checksum only. It is little
 *   endian where the kernel gives the tap no choice; elsewhere such packets
 *   are not plain.
 * - tun counts packets in its device's statistics. The device is known by the
 *   packets' skb->dev, which is a name and not a reference: see find_dev().
 *
 * A VMM that changes the tap under a running queue sees it happen a few packets
 * late. It could see its tap deliver those at any time before.
 */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/skb_array.h>
#include <linux/virtio_byteorder.h>
#include <net/sock.h>

#include "net.h"

/* Packets that may be written from here until recvmsg() is asked again. */
#define TRUST	63

/* The header of a plain packet; what is not named is zero. */
union header {
	struct virtio_net_hdr base;
	struct virtio_net_hdr_mrg_rxbuf mrg;
	u8 tunnel[VHC_NET_TUNNEL_HDR];
};

#define NUM_BUFFERS_OFF	offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers)

/* ---- the next one ------------------------------------------------------------- */

static int ring_packet_len(void *ptr)
{
	if (tun_is_xdp_frame(ptr))
		return tun_ptr_to_xdp(ptr)->len;
	return __skb_array_len_with_tag(ptr);
}

static int socket_packet_len(struct sock *sk)
{
	struct sk_buff *head;
	unsigned long flags;
	int len = -1;

	spin_lock_irqsave(&sk->sk_receive_queue.lock, flags);
	head = skb_peek(&sk->sk_receive_queue);
	if (head) {
		len = head->len;
		if (skb_vlan_tag_present(head))
			len += VLAN_HLEN;
	}
	spin_unlock_irqrestore(&sk->sk_receive_queue.lock, flags);
	return len;
}

/* Take packets out of the tap's ring. */
static unsigned int take(struct vhn_rx *rx)
{
	struct vhn_backend *b = &rx->q.backend;
	unsigned int n;

	spin_lock(&b->ring->consumer_lock);
	n = __ptr_ring_consume_batched(b->ring, rx->pkt, VHC_BATCH);
	if (n && b->kind == VHN_TAP)
		tun_wake_queue(b->file, n);
	spin_unlock(&b->ring->consumer_lock);
	return n;
}

/*
 * Length of the packet that comes next, negative if there is none. @queued is
 * how many are known to wait.
 */
int vhn_packet_next(struct vhn_rx *rx, unsigned int *queued)
{
	if (unlikely(!rx->q.backend.ring)) {
		*queued = 1;
		return socket_packet_len(rx->q.backend.sock->sk);
	}
	if (rx->head == rx->tail) {
		rx->head = 0;
		rx->tail = take(rx);
	}
	*queued = rx->tail - rx->head;
	return *queued ? ring_packet_len(rx->pkt[rx->head]) : -1;
}

/* Take the next packet and throw it away. */
void vhn_packet_drop(struct vhn_rx *rx)
{
	struct socket *sock = rx->q.backend.sock;
	struct msghdr msg = {};
	struct kvec none = {};

	if (rx->q.backend.ring) {
		tun_ptr_free(rx->pkt[rx->head++]);
		return;
	}
	iov_iter_kvec(&msg.msg_iter, ITER_DEST, &none, 1, 0);
	sock->ops->recvmsg(sock, &msg, 0, MSG_DONTWAIT | MSG_TRUNC);
}

/* Give packets back to the backend. Queue locked. */
void vhn_packet_give_back(struct vhn_rx *rx)
{
	if (rx->head != rx->tail && rx->q.backend.ring)
		ptr_ring_unconsume(rx->q.backend.ring, rx->pkt + rx->head,
				   rx->tail - rx->head, tun_ptr_free);
	rx->head = 0;
	rx->tail = 0;
}

/* The backend is a new one: nothing is known of it. Queue locked. */
void vhn_packet_reset(struct vhn_rx *rx)
{
	rx->trust = 0;
	rx->dev = NULL;
	rx->dev_sought = false;
}

/* ---- statistics of the tap ------------------------------------------------------ */

/*
 * A packet knows the tap's device, but holds no reference: it may be of one
 * that is gone. So the pointer is not followed before it is found among the
 * devices that there are. Once for each backend: if it is not found (the device
 * went to another network namespace), packets of this tap are not plain.
 */
static void find_dev(struct vhn_rx *rx, const struct sk_buff *skb)
{
	struct net_device *dev;

	rx->dev_sought = true;
	rcu_read_lock();
	for_each_netdev_rcu(sock_net(rx->q.backend.sock->sk), dev) {
		if (dev == skb->dev && dev->pcpu_stat_type == NETDEV_PCPU_STAT_TSTATS) {
			rx->dev = dev;
			rx->ifindex = dev->ifindex;
			break;
		}
	}
	rcu_read_unlock();
}

/*
 * Count what was written. If the device is gone so are its counters; if it just
 * went to another namespace this is the last batch that escapes them.
 */
static void count(struct vhn_rx *rx)
{
	struct net_device *dev;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(sock_net(rx->q.backend.sock->sk), rx->ifindex);
	if (dev && dev == rx->dev && dev->pcpu_stat_type == NETDEV_PCPU_STAT_TSTATS) {
		preempt_disable();
		dev_sw_netstats_tx_add(dev, rx->nr_written, rx->bytes_written);
		preempt_enable();
	} else {
		rx->dev = NULL;
	}
	rcu_read_unlock();
}

/**
 * vhn_packet_flush() - count and free the packets that were written from here
 * @rx: the queue, locked
 *
 * To be called when the guest has been told of them: it need not wait for this.
 */
void vhn_packet_flush(struct vhn_rx *rx)
{
	if (!rx->written)
		return;
	if (rx->dev)
		count(rx);
	kfree_skb_list_reason(rx->written, SKB_CONSUMED);
	rx->written = NULL;
	rx->nr_written = 0;
	rx->bytes_written = 0;
}

/* ---- plain packets --------------------------------------------------------------- */

static bool is_plain(struct vhn_rx *rx, void *ptr)
{
	const bool little_endian = virtio_legacy_is_little_endian() &&
				   !IS_ENABLED(CONFIG_TUN_VNET_CROSS_LE);
	const struct sk_buff *skb = ptr;

	if (tun_is_xdp_frame(ptr) || skb_vlan_tag_present(skb) || skb_shared(skb) ||
	    skb_shinfo(skb)->gso_size || skb_shinfo(skb)->gso_type)
		return false;
	if (skb->ip_summed == CHECKSUM_PARTIAL && !little_endian)
		return false;
	if (skb_is_nonlinear(skb) && !skb_frags_readable(skb))
		return false;
	if (rx->q.backend.kind == VHN_MACVTAP)
		return true;
	if (unlikely(!rx->dev_sought))
		find_dev(rx, skb);
	return skb->dev == rx->dev;
}

static void buffers_iter(struct iov_iter *iter, const struct vhn_bufs *b, size_t len)
{
	unsigned int i, nr_iov = 0;

	for (i = 0; i < b->nr; i++)
		nr_iov += b->chain[i].nr_in;
	iov_iter_init(iter, ITER_DEST, b->chain->iov, nr_iov, len);
}

/* A packet in several pieces, or buffers in several. */
static noinline bool write_pieces(const struct vhn_bufs *b, const union header *hdr,
				  size_t hlen, const struct sk_buff *skb)
{
	struct iov_iter iter;

	buffers_iter(&iter, b, hlen + skb->len);
	return copy_to_iter(hdr, hlen, &iter) == hlen &&
	       !skb_copy_datagram_iter(skb, 0, &iter, skb->len);
}

/* Return: false on a fault. */
static bool write_plain(const struct vhn_rx *rx, const struct vhn_bufs *b, size_t hlen,
			const struct sk_buff *skb)
{
	const struct iovec *iov = b->chain->iov;
	union header hdr = {};

	if (rx->q.sock_hlen)
		virtio_net_hdr_from_skb(skb, &hdr.base, true, true, 0);
	hdr.mrg.num_buffers = (__force __virtio16)cpu_to_le16(b->nr);

	if (unlikely(skb_is_nonlinear(skb) || iov->iov_len < hlen + skb->len))
		return write_pieces(b, &hdr, hlen, skb);
	return vhc_copy_to_user(iov->iov_base, &hdr, hlen) &&
	       vhc_copy_to_user(iov->iov_base + hlen, skb->data, skb->len);
}

static int receive_plain(struct vhn_rx *rx, const struct vhn_bufs *b, size_t hlen)
{
	struct sk_buff *skb = rx->pkt[rx->head++];

	if (unlikely(!write_plain(rx, b, hlen, skb))) {
		kfree_skb(skb);
		return -EFAULT;
	}
	rx->q.counter[VHN_C_DIRECT] += 1;
	rx->trust--;
	rx->nr_written++;
	rx->bytes_written += skb->len;
	skb->next = rx->written;
	rx->written = skb;
	return 0;
}

/* ---- all packets ------------------------------------------------------------------ */

/* Write into the header how many buffers the packet is in. */
static int put_num_buffers(const struct vhn_bufs *b)
{
	const struct iovec *iov = b->chain->iov;
	__le16 num = cpu_to_le16(b->nr);
	struct iov_iter iter;

	if (likely(iov->iov_len >= NUM_BUFFERS_OFF + sizeof(num)))
		return __put_user(num, (__le16 __user *)(iov->iov_base + NUM_BUFFERS_OFF));
	buffers_iter(&iter, b, NUM_BUFFERS_OFF + sizeof(num));
	iov_iter_advance(&iter, NUM_BUFFERS_OFF);
	return copy_to_iter(&num, sizeof(num), &iter) == sizeof(num) ? 0 : -EFAULT;
}

/*
 * Let the backend write the packet, @len bytes, behind the header that we make
 * up if it has none, and finish the header.
 */
static int receive_msg(struct vhn_rx *rx, const struct vhn_bufs *b, size_t hlen,
		       size_t len)
{
	struct socket *sock = rx->q.backend.sock;
	struct msghdr msg = {};
	int n;

	buffers_iter(&msg.msg_iter, b, hlen + len);
	if (rx->q.backend.ring)
		msg.msg_control = rx->pkt[rx->head++];
	if (unlikely(rx->q.vhost_hlen) &&
	    iov_iter_zero(rx->q.vhost_hlen, &msg.msg_iter) != rx->q.vhost_hlen) {
		if (msg.msg_control)
			tun_ptr_free(msg.msg_control);
		return -EFAULT;
	}
	len += rx->q.sock_hlen;
	n = sock->ops->recvmsg(sock, &msg, len, MSG_DONTWAIT | MSG_TRUNC);
	if (unlikely(n != len))
		return n < 0 ? n : -EMSGSIZE;
	if (hlen < sizeof(struct virtio_net_hdr_mrg_rxbuf))
		return 0;
	return put_num_buffers(b);
}

/**
 * vhn_packet_receive() - write the next packet into buffers, header in front
 * @rx: the queue, locked, in a turn
 * @b: as many buffers as it takes
 * @hlen: bytes of header
 * @len: what vhn_packet_next() said
 *
 * Return: 0; -EFAULT if the buffers cannot be written; another error if the
 * backend did not hand out the packet. It is gone in any case.
 */
int vhn_packet_receive(struct vhn_rx *rx, const struct vhn_bufs *b, size_t hlen,
		       size_t len)
{
	int err;

	if (likely(rx->trust) && is_plain(rx, rx->pkt[rx->head]))
		return receive_plain(rx, b, hlen);
	err = receive_msg(rx, b, hlen, len);
	rx->trust = !err && rx->q.backend.ring ? TRUST : 0;
	return err;
}
