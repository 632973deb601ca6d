// SPDX-License-Identifier: GPL-2.0
/*
 * Receive: from the backend to the guest's ring.
 *
 * Packets are taken out of the tap's ring in batches. For each one, chains
 * are collected until it fits (one chain, or as many as it takes with
 * mergeable buffers), and header and data are written into them: rx_packet.c.
 * The chains of a batch are put in a row; publication and signal follow once
 * for all of them.
 *
 * Packets wait in the backend's ring as long as the guest has no buffers for
 * them; what we have taken out of it goes back when the backend is detached.
 */
#include <linux/slab.h>

#include "net.h"

/* Chains that one packet may take: a 64 KiB packet in 64 byte buffers. */
#define BIG_CHAINS	1024
#define BIG_IOV		1024

/*
 * A packet that takes more chains than one fetch returns: collected here.
 */
struct vhn_big {
	unsigned int nr;
	unsigned int nr_iov;
	struct vhc_chain chain[BIG_CHAINS];
	struct iovec iov[BIG_IOV];
};

/*
 * Chains at hand in a turn. Those in front of @put are put, those from there
 * to @used are filled, and those from there to @nr can be given back.
 */
struct hand {
	struct vhc_chain *chain;
	unsigned int nr;
	unsigned int used;
	unsigned int put;
};

enum got {
	GOT,		/* enough chains */
	TOO_FEW,	/* the guest has to add some */
	NEVER,		/* the packet does not fit whatever it adds */
	NO_MEMORY,	/* to sort chains for the packet */
	ENOUGH_WORK,	/* for one turn */
	NO_ADDRESS,	/* until the VMM translates */
	BROKEN,		/* the queue is */
};

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

/* Put what was filled. Return: whether the queue is still whole. */
static bool put_filled(struct vhn_rx *rx, struct hand *h)
{
	unsigned int n = h->used - h->put;
	struct vhc_chain *c = h->chain + h->put;

	h->put = h->used;
	return !n || !vhc_vq_put(rx->q.vq, c, n);
}

/* Put what was filled, and give back the rest. */
static bool lay_down(struct vhn_rx *rx, struct hand *h)
{
	bool whole = put_filled(rx, h);

	vhc_vq_unfetch(rx->q.vq, h->chain + h->used, h->nr - h->used);
	*h = (struct hand){};
	return whole;
}

/*
 * Lay down what is at hand and fetch up to @max chains. One with a readable
 * part is no receive buffer: it is used, with 0 bytes, when it is the first.
 */
static enum got refill(struct vhn_rx *rx, struct hand *h, unsigned int max)
{
	unsigned int rejected;

	if (!lay_down(rx, h))
		return BROKEN;
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
static bool append(struct vhn_big *big, const struct vhc_chain *c, unsigned int n)
{
	unsigned int nr = big->nr, nr_iov = big->nr_iov, i;

	for (i = 0; i < n; i++, c++) {
		if (nr == BIG_CHAINS || nr_iov + c->nr_in > BIG_IOV)
			return false;
		memcpy(&big->iov[nr_iov], c->iov, c->nr_in * sizeof(*c->iov));
		big->chain[nr] = *c;
		big->chain[nr].iov = &big->iov[nr_iov];
		nr_iov += c->nr_in;
		nr++;
	}
	big->nr = nr;
	big->nr_iov = nr_iov;
	return true;
}

/*
 * The packet takes more chains than one fetch returned. Collect copies of them,
 * beginning with all that are at hand, until it fits or the ring has no more.
 */
static enum got collect_big(struct vhn_rx *rx, struct hand *h, size_t need,
			    struct vhn_bufs *b)
{
	struct vhc_chain *c = h->chain;
	struct vhn_big *big = rx->big;
	enum got got = NEVER;
	int n = h->nr;

	if (!big)
		big = kvmalloc(sizeof(*big), GFP_KERNEL_ACCOUNT);
	if (!big)
		return NO_MEMORY;
	rx->big = big;
	big->nr = 0;
	big->nr_iov = 0;

	/* The hand's chains are ours now; none of them is filled. */
	*h = (struct hand){};
	/* One with a readable part is not worth sorting out: never, too. */
	while (writable_only(c, n) == n) {
		unsigned int last = spread(c, n, &need);
		unsigned int take = last ? last : n;

		if (!append(big, c, take))
			break;
		if (last) {
			vhc_vq_unfetch(rx->q.vq, c + take, n - take);
			b->chain = big->chain;
			b->nr = big->nr;
			b->fetched = big->nr;
			return GOT;
		}
		n = vhc_vq_fetch(rx->q.vq, VHC_BATCH, &c);
		if (n <= 0) {
			if (big->nr < vhc_vq_size(rx->q.vq))
				got = fetch_error(n);
			n = 0;
			break;
		}
	}
	vhc_vq_unfetch(rx->q.vq, c, n);
	vhc_vq_unfetch(rx->q.vq, big->chain, big->nr);
	return got;
}

/* Chains for a packet of @need bytes, header included; @queued packets wait. */
static enum got collect(struct vhn_rx *rx, struct hand *h, size_t need,
			unsigned int queued, struct vhn_bufs *b)
{
	unsigned int max = rx->mergeable ? VHC_BATCH : 1;
	unsigned int nr = 0;
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
	return GOT;
}

/* ---- a turn ----------------------------------------------------------------------- */

/* A packet's chains are filled, or to be given back if nothing was received. */
static enum got finish(struct vhn_rx *rx, struct hand *h, const struct vhn_bufs *b, int err)
{
	if (likely(!err)) {
		rx->q.counter[VHN_C_PACKETS] += 1;
		if (unlikely(b->fetched))
			return vhc_vq_put(rx->q.vq, b->chain, b->nr) ? BROKEN : GOT;
		h->used += b->nr;
		if (likely(!rx->logged) || put_filled(rx, h))
			return GOT;
		/* They could not be logged, and stay in the ring. */
		h->used -= b->nr;
		h->put = h->used;
		return BROKEN;
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

/* Tell the guest; then there is time to clean up. */
static bool publish(struct vhn_rx *rx)
{
	bool whole = vhc_vq_publish(rx->q.vq) >= 0;

	vhn_packet_flush(rx);
	return whole;
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
		struct vhn_bufs bufs;
		enum got got;
		int len;

		len = vhn_packet_next(rx, &queued);
		if (len < 0) {
			WRITE_ONCE(rx->q.poll.muted, false);
			/* Its partner: see struct vhc_poll. */
			smp_mb();
			len = vhn_packet_next(rx, &queued);
			if (len < 0) {
				end = VHC_WAIT_BACKEND;
				break;
			}
			WRITE_ONCE(rx->q.poll.muted, true);
		}
		if (packets && packets % VHC_BATCH == 0) {
			if (!(put_filled(rx, &hand) && publish(rx)))
				break;
			if (vhc_turn_is_over(rx->q.vq, packets))
				break;
		}
		got = collect(rx, &hand, hlen + len, queued, &bufs);
		if (unlikely(got == NEVER || got == NO_MEMORY)) {
			if (got == NEVER)
				vhc_vq_reject(rx->q.vq, VHN_R_RX_SMALL);
			else
				rx->q.counter[VHN_C_DROPPED] += 1;
			vhn_packet_drop(rx);
			/* To know that it fits in none, all chains were looked at. */
			if (got == NEVER && rx->mergeable)
				break;
			continue;
		}
		if (got == GOT)
			got = finish(rx, &hand, &bufs,
				     vhn_packet_receive(rx, &bufs, hlen, len));
		if (got != GOT) {
			end = verdict(got);
			break;
		}
		bytes += len;
	}
	lay_down(rx, &hand);
	publish(rx);
	return end;
}
