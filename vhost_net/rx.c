// SPDX-License-Identifier: GPL-2.0
/*
 * Receive: from the backend to the guest's ring.
 *
 * Packets are taken out of the tap's ring in batches. For each one, chains
 * are collected until it fits (one chain, or as many as it takes with
 * mergeable buffers), the backend copies header and data into them, the number
 * of buffers is written into the header, and the chains are put. Publication
 * and signal follow once for all packets of a batch.
 *
 * Packets wait in the backend's ring as long as the guest has no buffers for
 * them; what we have taken out of it goes back when the backend is detached.
 */
#include <linux/etherdevice.h>
#include <linux/skb_array.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "net.h"

/* Chains that one packet may take: a 64 KiB packet in 64 byte buffers. */
#define BIG_CHAINS	1024
#define BIG_IOV		1024

/*
 * A packet that takes more chains than one fetch returns: collected here.
 */
struct vhn_big {
	struct vhc_chain chain[BIG_CHAINS];
	struct iovec iov[BIG_IOV];
};

/* Where the number of buffers is in the header, if there is one. */
#define NUM_BUFFERS_OFF	offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers)

/*
 * Chains at hand in a turn: fetched, and put one after the other. Those in
 * front of @used are put, those from there to @nr can be given back.
 */
struct hand {
	struct vhc_chain *chain;
	unsigned int nr;
	unsigned int used;
};

/* Chains for one packet, their iovecs in one row. */
struct bufs {
	struct vhc_chain *chain;
	unsigned int nr;
	unsigned int nr_iov;
	unsigned int fetched;	/* beyond the hand: to be given back if not put */
};

enum got {
	GOT,		/* enough chains */
	TOO_FEW,	/* the guest has to add some */
	NEVER,		/* the packet does not fit whatever it adds */
	ENOUGH_WORK,	/* for one turn */
	NO_ADDRESS,	/* until the VMM translates */
	BROKEN,		/* the queue is */
};

/* ---- packets ------------------------------------------------------------------ */

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

/*
 * Length of the packet that comes next, negative if there is none. @queued is
 * how many are known to wait.
 */
static int next_packet(struct vhn_rx *rx, unsigned int *queued)
{
	struct ptr_ring *ring = rx->q.backend.ring;

	if (!ring) {
		*queued = 1;
		return socket_packet_len(rx->q.backend.sock->sk);
	}
	if (rx->head == rx->tail) {
		rx->head = 0;
		rx->tail = ptr_ring_consume_batched(ring, rx->pkt, VHC_BATCH);
	}
	*queued = rx->tail - rx->head;
	return *queued ? ring_packet_len(rx->pkt[rx->head]) : -1;
}

/* Take the next packet and throw it away. */
static void drop_packet(struct vhn_rx *rx)
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
void vhn_rx_give_back(struct vhn_rx *rx)
{
	if (rx->head != rx->tail && rx->q.backend.ring)
		ptr_ring_unconsume(rx->q.backend.ring, rx->pkt + rx->head,
				   rx->tail - rx->head, tun_ptr_free);
	rx->head = 0;
	rx->tail = 0;
}

void vhn_rx_free(struct vhn_rx *rx)
{
	kvfree(rx->big);
	rx->big = NULL;
}

/* ---- chains --------------------------------------------------------------------- */

static enum got fetch_error(int err)
{
	return !err ? TOO_FEW : err == -EAGAIN ? NO_ADDRESS : BROKEN;
}

/* Chains without a readable part, at the front of @n. */
static int writable_only(const struct vhc_chain *c, int n)
{
	int i;

	for (i = 0; i < n && likely(!c[i].nr_out); i++)
		;
	return i;
}

/*
 * Give back what is at hand and fetch up to @max chains. One with a readable
 * part is no receive buffer: it is used, with 0 bytes, when it is the first.
 */
static enum got refill(struct vhn_rx *rx, struct hand *h, unsigned int max)
{
	unsigned int rejected;

	vhc_vq_unfetch(rx->q.vq, h->chain + h->used, h->nr - h->used);
	h->used = 0;
	h->nr = 0;
	for (rejected = 0; rejected < VHN_WEIGHT_PACKETS; rejected++) {
		/* One at a time behind a bad one: the next may be as bad. */
		int n = vhc_vq_fetch(rx->q.vq, rejected ? 1 : max, &h->chain);
		int good;

		if (n <= 0)
			return fetch_error(n);
		good = writable_only(h->chain, n);
		if (likely(good)) {
			vhc_vq_unfetch(rx->q.vq, h->chain + good, n - good);
			h->nr = good;
			return GOT;
		}
		vhc_vq_unfetch(rx->q.vq, h->chain + 1, n - 1);
		vhc_vq_reject(rx->q.vq, VHN_R_RX_READABLE);
		if (vhc_vq_put(rx->q.vq, h->chain, 1))
			return BROKEN;
	}
	return ENOUGH_WORK;
}

/*
 * Spread @need bytes over chains, from the first on.
 *
 * Return: how many it takes; 0 if @n are too few, with what does not fit left
 * in @need.
 */
static unsigned int spread(struct vhc_chain *c, unsigned int n, size_t *need)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (*need <= c[i].in_len) {
			c[i].written = *need;
			*need = 0;
			return i + 1;
		}
		c[i].written = c[i].in_len;
		*need -= c[i].in_len;
	}
	return 0;
}

/* Append copies of @n chains, all or none. */
static bool append(struct vhn_big *big, struct bufs *b, const struct vhc_chain *c,
		   unsigned int n)
{
	unsigned int nr = b->nr, nr_iov = b->nr_iov, i;

	for (i = 0; i < n; i++, c++) {
		if (nr == BIG_CHAINS || nr_iov + c->nr_in > BIG_IOV)
			return false;
		memcpy(&big->iov[nr_iov], c->iov, c->nr_in * sizeof(*c->iov));
		big->chain[nr] = *c;
		big->chain[nr].iov = &big->iov[nr_iov];
		nr_iov += c->nr_in;
		nr++;
	}
	b->nr = nr;
	b->nr_iov = nr_iov;
	return true;
}

/*
 * The packet takes more chains than one fetch returns. Collect copies of them,
 * beginning with all that are at hand.
 */
static enum got collect_big(struct vhn_rx *rx, struct hand *h, size_t need,
			    struct bufs *b)
{
	struct vhc_chain *c = h->chain;
	enum got got = NEVER;
	int n = h->nr;

	if (!rx->big)
		rx->big = kvmalloc(sizeof(*rx->big), GFP_KERNEL_ACCOUNT);
	if (!rx->big)
		return NEVER;

	/* The hand's chains are ours now. */
	h->nr = 0;
	h->used = 0;
	b->chain = rx->big->chain;
	b->nr = 0;
	b->nr_iov = 0;
	/* One with a readable part is not worth sorting out: never, too. */
	while (writable_only(c, n) == n) {
		unsigned int last = spread(c, n, &need);
		unsigned int take = last ? last : n;

		if (!append(rx->big, b, c, take))
			break;
		if (last) {
			vhc_vq_unfetch(rx->q.vq, c + take, n - take);
			b->fetched = b->nr;
			return GOT;
		}
		n = vhc_vq_fetch(rx->q.vq, VHC_BATCH, &c);
		if (n <= 0) {
			if (b->nr < vhc_vq_size(rx->q.vq))
				got = fetch_error(n);
			n = 0;
			break;
		}
	}
	vhc_vq_unfetch(rx->q.vq, c, n);
	vhc_vq_unfetch(rx->q.vq, b->chain, b->nr);
	return got;
}

/* Chains for a packet of @need bytes, header included; @queued packets wait. */
static enum got collect(struct vhn_rx *rx, struct hand *h, size_t need,
			unsigned int queued, struct bufs *b)
{
	unsigned int max = rx->mergeable ? VHC_BATCH : 1;
	unsigned int i, nr = 0;
	size_t left = need;
	enum got got;

	if (h->used < h->nr)
		nr = spread(h->chain + h->used, min(h->nr - h->used, max), &left);
	if (!nr) {
		/* As many as the packets before this one would have taken. */
		unsigned int want = min(queued * rx->per_packet, VHC_BATCH);

		if (h->used < h->nr)
			want = VHC_BATCH;
		got = refill(rx, h, want);
		if (got != GOT)
			return got;
		left = need;
		nr = spread(h->chain, min(h->nr, max), &left);
		if (!nr && rx->mergeable && h->nr < VHC_BATCH && want < VHC_BATCH) {
			got = refill(rx, h, VHC_BATCH);
			if (got != GOT)
				return got;
			left = need;
			nr = spread(h->chain, h->nr, &left);
		}
	}
	if (unlikely(!nr)) {
		if (!rx->mergeable || h->nr == vhc_vq_size(rx->q.vq))
			return NEVER;
		return collect_big(rx, h, need, b);
	}
	rx->per_packet = nr;
	b->chain = h->chain + h->used;
	b->nr = nr;
	b->fetched = 0;
	b->nr_iov = 0;
	for (i = 0; i < nr; i++)
		b->nr_iov += b->chain[i].nr_in;
	return GOT;
}

/* ---- one packet ------------------------------------------------------------------- */

/* Write into the header how many buffers the packet is in. */
static int put_num_buffers(const struct bufs *b)
{
	const struct iovec *iov = b->chain->iov;
	__le16 num = cpu_to_le16(b->nr);
	struct iov_iter iter;

	if (likely(iov->iov_len >= NUM_BUFFERS_OFF + sizeof(num)))
		return __put_user(num, (__le16 __user *)(iov->iov_base + NUM_BUFFERS_OFF));
	iov_iter_init(&iter, ITER_DEST, iov, b->nr_iov, NUM_BUFFERS_OFF + sizeof(num));
	iov_iter_advance(&iter, NUM_BUFFERS_OFF);
	return copy_to_iter(&num, sizeof(num), &iter) == sizeof(num) ? 0 : -EFAULT;
}

/*
 * Let the backend write the packet, @len bytes, behind the header that we make
 * up if it has none, and finish the header. The packet is gone in any case.
 */
static int receive(struct vhn_rx *rx, const struct bufs *b, size_t len)
{
	struct socket *sock = rx->q.backend.sock;
	size_t hlen = rx->q.vhost_hlen + rx->q.sock_hlen;
	struct msghdr msg = {};
	int n;

	iov_iter_init(&msg.msg_iter, ITER_DEST, b->chain->iov, b->nr_iov,
		      len + hlen);
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

/* Put a packet's chains, or give them back if nothing was received. */
static enum got finish(struct vhn_rx *rx, struct hand *h, const struct bufs *b, int err)
{
	if (likely(!err)) {
		if (vhc_vq_put(rx->q.vq, b->chain, b->nr))
			return BROKEN;
		if (!b->fetched)
			h->used += b->nr;
		rx->q.counter[VHN_C_PACKETS] += 1;
		return GOT;
	}
	if (b->fetched)
		vhc_vq_unfetch(rx->q.vq, b->chain, b->fetched);
	if (err == -EFAULT) {
		vhc_vq_data_fault(rx->q.vq);
		return BROKEN;
	}
	rx->q.counter[VHN_C_DROPPED] += 1;
	return GOT;
}

static enum vhc_verdict verdict(enum got got)
{
	switch (got) {
	case TOO_FEW:
		return VHC_WAIT_MORE;
	case BROKEN:
		return VHC_WAIT_GUEST;
	case NO_ADDRESS:
		return VHC_WAIT_ADDRESS;
	default:
		return VHC_MORE;
	}
}

/* Queue locked, on the worker. */
enum vhc_verdict vhn_rx_run(struct vhn_rx *rx)
{
	size_t hlen = rx->q.vhost_hlen + rx->q.sock_hlen;
	enum vhc_verdict end = VHC_MORE;
	struct hand hand = {};
	unsigned int packets;
	size_t bytes = 0;

	WRITE_ONCE(rx->q.poll.muted, true);
	for (packets = 0; packets < VHN_WEIGHT_PACKETS && bytes < VHN_WEIGHT_BYTES;
	     packets++) {
		unsigned int queued;
		struct bufs bufs;
		enum got got;
		int len;

		len = next_packet(rx, &queued);
		if (len < 0) {
			WRITE_ONCE(rx->q.poll.muted, false);
			/* Its partner: see struct vhc_poll. */
			smp_mb();
			len = next_packet(rx, &queued);
			if (len < 0) {
				end = VHC_WAIT_BACKEND;
				break;
			}
			WRITE_ONCE(rx->q.poll.muted, true);
		}
		if (packets && packets % VHC_BATCH == 0 &&
		    vhc_vq_publish(rx->q.vq) < 0)
			break;
		got = collect(rx, &hand, hlen + len, queued, &bufs);
		if (unlikely(got == NEVER)) {
			vhc_vq_reject(rx->q.vq, VHN_R_RX_SMALL);
			drop_packet(rx);
			continue;
		}
		if (got == GOT)
			got = finish(rx, &hand, &bufs, receive(rx, &bufs, len));
		if (got != GOT) {
			end = verdict(got);
			break;
		}
		bytes += len;
	}
	vhc_vq_unfetch(rx->q.vq, hand.chain + hand.used, hand.nr - hand.used);
	vhc_vq_publish(rx->q.vq);
	return end;
}
