// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that may talk to each other: those that the administrator put in the
 * same group.
 *
 * A packet from one to the other goes from tx.c into the other one's sendq, with
 * its header as it was checked. We watch connections as a firewall does (a link
 * is what we know of one), for three things:
 *
 *	- Credit goes from end to end, but no guest is offered more than
 *	  VHV_FLOW_BYTES. A sender that goes beyond that, so that more of its data
 *	  would wait for the other guest, loses the connection.
 *	- A guest whose peer is gone is told so, as a host's socket is.
 *	- A packet that belongs to no connection is not passed on, nor is data
 *	  that nobody has agreed to receive.
 *
 * A group's lock is taken by its members alone, for moments; the lock of a
 * sendq nests in it.
 */
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "vsock.h"

/* Connections that a guest may have opened to others. */
#define LINKS_MAX	512

/**
 * struct end - an end of a connection
 * @v: the guest
 * @cid: its CID
 * @port: its port
 */
struct end {
	struct vhv_vsock *v;
	u32 cid;
	u32 port;
};

/* A connection: who asked for it, who was asked, and whether he agreed. */
struct vhv_link {
	struct hlist_node node;
	__le16 type;
	bool answered;
	struct end end[2];
};

/**
 * struct vhv_group - guests that may talk to each other
 * @entry: in the list of groups; under cid_mutex, as @id and @members
 * @id: its number
 * @members: guests in it
 * @seed: of the hash of connections (constant)
 * @lock: protects all behind it, and that a guest is a member
 * @links: connections
 * @nr_links: how many
 * @packets: packets that were passed on
 * @bytes: bytes of data in them
 * @refused: packets that were not
 * @rcu: to free it
 */
struct vhv_group {
	struct list_head entry;
	u32 id;
	unsigned int members;
	u32 seed;
	spinlock_t lock;
	DECLARE_HASHTABLE(links, 6);
	unsigned int nr_links;
	u64 packets;
	u64 bytes;
	u64 refused;
	struct rcu_head rcu;
};

static LIST_HEAD(groups);

/* ---- links; their group is locked --------------------------------------------------- */

/* The same from both sides. With a seed: guests choose ports. */
static u32 hash_of(const struct vhv_group *g, const struct end *a, const struct end *b)
{
	return jhash_2words(a->cid, a->port, g->seed) ^ jhash_2words(b->cid, b->port, g->seed);
}

static struct end src_of(struct vhv_vsock *v, const struct virtio_vsock_hdr *hdr)
{
	return (struct end){ v, le64_to_cpu(hdr->src_cid), le32_to_cpu(hdr->src_port) };
}

static struct end dst_of(struct vhv_vsock *v, const struct virtio_vsock_hdr *hdr)
{
	return (struct end){ v, le64_to_cpu(hdr->dst_cid), le32_to_cpu(hdr->dst_port) };
}

/*
 * A group may have members in several namespaces, where a CID names several devices; and
 * a device that changes its CID has, for a moment, links of both.
 */
static bool is_same(const struct end *a, const struct end *b)
{
	return a->v == b->v && a->cid == b->cid && a->port == b->port;
}

/* Return: the link, and which end of it @src is. */
static struct vhv_link *find(struct vhv_group *g, const struct end *src,
			     const struct end *dst, unsigned int *from)
{
	struct vhv_link *l;

	hash_for_each_possible(g->links, l, node, hash_of(g, src, dst)) {
		for (*from = 0; *from < 2; (*from)++) {
			if (is_same(&l->end[*from], src) && is_same(&l->end[!*from], dst))
				return l;
		}
	}
	return NULL;
}

static void unlink(struct vhv_group *g, struct vhv_link *l)
{
	hash_del(&l->node);
	l->end[0].v->nr_links--;
	g->nr_links--;
	kfree(l);
}

/* A reset to one end, as if from the other. Without memory it is not told. */
static void reset(const struct vhv_link *l, unsigned int to)
{
	const struct end *dst = &l->end[to], *src = &l->end[!to];
	struct sk_buff *skb = virtio_vsock_alloc_skb(VHV_HDR_LEN, GFP_ATOMIC);

	if (!skb)
		return;
	*virtio_vsock_hdr(skb) = (struct virtio_vsock_hdr){
		.src_cid = cpu_to_le64(src->cid),
		.dst_cid = cpu_to_le64(dst->cid),
		.src_port = cpu_to_le32(src->port),
		.dst_port = cpu_to_le32(dst->port),
		.type = l->type,
		.op = cpu_to_le16(VIRTIO_VSOCK_OP_RST),
	};
	vhv_sendq_add(dst->v, skb);
}

/* A connection that @src asks for. Return: NULL if it has too many, or no memory. */
static struct vhv_link *link_up(struct vhv_group *g, const struct end *src,
				const struct end *dst, __le16 type)
{
	struct vhv_link *l;

	if (src->v->nr_links == LINKS_MAX)
		return NULL;
	l = kzalloc(sizeof(*l), GFP_ATOMIC | __GFP_NOWARN);
	if (!l)
		return NULL;
	l->type = type;
	l->end[0] = *src;
	l->end[1] = *dst;
	hash_add(g->links, &l->node, hash_of(g, src, dst));
	src->v->nr_links++;
	g->nr_links++;
	return l;
}

/* ---- the way of a packet ---------------------------------------------------------------- */

static bool is_member(const struct vhv_vsock *v, const struct vhv_group *g)
{
	return rcu_access_pointer(v->group) == g;
}

/* Whether an end may send a packet now. Who asks may ask again. */
static bool fits(const struct vhv_link *l, unsigned int from,
		 const struct virtio_vsock_hdr *hdr)
{
	if (l->type != hdr->type)
		return false;
	switch (le16_to_cpu(hdr->op)) {
	case VIRTIO_VSOCK_OP_RST:
		return true;
	case VIRTIO_VSOCK_OP_REQUEST:
		return from == 0 && !l->answered;
	case VIRTIO_VSOCK_OP_RESPONSE:
		return from == 1;
	}
	return l->answered;
}

/*
 * Whether a guest may open another connection to the other one. Not if much waits for
 * either: the one may not look at what it is asked, or the other not at the answers, which
 * each are the end of a connection and so make room for the next.
 */
static bool may_ask(const struct end *src, const struct end *dst)
{
	return READ_ONCE(dst->v->running) && !vhv_sendq_is_crowded(dst->v, src->cid) &&
	       !vhv_sendq_is_crowded(src->v, dst->cid);
}

/*
 * Pass a packet to the other end of its connection, or of the one that it opens.
 * Both are members, the group is locked. Takes over @skb.
 *
 * Return: VHV_R_NR or why not.
 */
static enum vhv_rejection pass(struct vhv_group *g, struct vhv_vsock *v,
			       struct vhv_vsock *to, struct sk_buff *skb)
{
	struct virtio_vsock_hdr *hdr = virtio_vsock_hdr(skb);
	bool is_request = hdr->op == cpu_to_le16(VIRTIO_VSOCK_OP_REQUEST);
	bool is_response = hdr->op == cpu_to_le16(VIRTIO_VSOCK_OP_RESPONSE);
	bool is_reset = hdr->op == cpu_to_le16(VIRTIO_VSOCK_OP_RST);
	struct end src = src_of(v, hdr), dst = dst_of(to, hdr);
	struct vhv_link *l;
	unsigned int from;
	u32 len = skb->len;

	l = find(g, &src, &dst, &from);
	if (!l && is_request && may_ask(&src, &dst)) {
		l = link_up(g, &src, &dst, hdr->type);
		from = 0;
	}
	if (!l || !fits(l, from, hdr)) {
		kfree_skb(skb);
		return VHV_R_TX_STRAY;
	}
	hdr->buf_alloc = cpu_to_le32(min(le32_to_cpu(hdr->buf_alloc), VHV_FLOW_BYTES));
	if (vhv_sendq_add(to, skb)) {
		reset(l, 0);
		reset(l, 1);
		unlink(g, l);
		return VHV_R_TX_CREDIT;
	}
	g->packets++;
	g->bytes += len;
	l->answered |= is_response;
	if (is_reset)
		unlink(g, l);
	return VHV_R_NR;
}

/**
 * vhv_group_forward() - pass a packet to another guest
 * @v: the sender's device, its transmit queue locked
 * @skb: the packet, checked, taken over
 *
 * Return: VHV_R_NR if it was passed on; or VHV_R_TX_DST, VHV_R_TX_STRAY, which the
 * sender has to be told of, or VHV_R_TX_CREDIT, which it was.
 */
enum vhv_rejection vhv_group_forward(struct vhv_vsock *v, struct sk_buff *skb)
{
	u64 cid = le64_to_cpu(virtio_vsock_hdr(skb)->dst_cid);
	enum vhv_rejection r = VHV_R_TX_DST;
	struct vhv_vsock *to = NULL;
	struct vhv_group *g;

	rcu_read_lock();
	g = rcu_dereference(v->group);
	if (g && cid <= U32_MAX)
		to = vhv_cid_find(cid, v->net);
	if (to && to != v && is_member(to, g)) {
		spin_lock(&g->lock);
		/* It may just have left. */
		if (is_member(v, g) && is_member(to, g)) {
			r = pass(g, v, to, skb);
			skb = NULL;
			g->refused += r != VHV_R_NR;
		}
		spin_unlock(&g->lock);
	}
	rcu_read_unlock();
	kfree_skb(skb);
	return r;
}

/* With the group locked: end all connections of a guest. */
static void cut(struct vhv_group *g, const struct vhv_vsock *v, bool tell_it)
{
	struct hlist_node *next;
	struct vhv_link *l;
	unsigned int i, end;

	hash_for_each_safe(g->links, i, next, l, node) {
		if (l->end[0].v != v && l->end[1].v != v)
			continue;
		end = l->end[1].v == v;
		reset(l, !end);
		if (tell_it)
			reset(l, end);
		unlink(g, l);
	}
}

/**
 * vhv_group_cut() - a guest is gone, or is another one: tell its peers
 * @v: its device, locked
 *
 * Nobody finds it by its CID any more, or it does not run.
 */
void vhv_group_cut(struct vhv_vsock *v)
{
	struct vhv_group *g;

	rcu_read_lock();
	g = rcu_dereference(v->group);
	if (g) {
		spin_lock(&g->lock);
		if (is_member(v, g))
			cut(g, v, false);
		spin_unlock(&g->lock);
	}
	rcu_read_unlock();
}

/* ---- membership; with cid_mutex held ------------------------------------------------------ */

static struct vhv_group *get(u32 id)
{
	struct vhv_group *g;

	list_for_each_entry(g, &groups, entry) {
		if (g->id == id)
			return g;
	}
	g = kzalloc(sizeof(*g), GFP_KERNEL);
	if (!g)
		return NULL;
	g->id = id;
	g->seed = get_random_u32();
	spin_lock_init(&g->lock);
	hash_init(g->links);
	list_add_tail(&g->entry, &groups);
	return g;
}

static void leave(struct vhv_vsock *v, struct vhv_group *g, struct vhv_group *next)
{
	spin_lock(&g->lock);
	/* In this order: links in the next group are counted under its own lock. */
	cut(g, v, true);
	rcu_assign_pointer(v->group, next);
	spin_unlock(&g->lock);
	if (--g->members)
		return;
	list_del(&g->entry);
	kfree_rcu(g, rcu);
}

/**
 * vhv_group_set() - put a guest into a group, or none
 * @v: its device
 * @id: the group; 0 is none
 *
 * Context: with cid_mutex held.
 * Return: 0 or -ENOMEM.
 */
int vhv_group_set(struct vhv_vsock *v, u32 id)
{
	struct vhv_group *old = rcu_dereference_protected(v->group, true), *new = NULL;

	if ((old ? old->id : 0) == id)
		return 0;
	if (id) {
		new = get(id);
		if (!new)
			return -ENOMEM;
		new->members++;
	}
	if (old)
		leave(v, old, new);
	else
		rcu_assign_pointer(v->group, new);
	return 0;
}

/* The number of a guest's group, with cid_mutex held. */
u32 vhv_group_id(const struct vhv_vsock *v)
{
	const struct vhv_group *g = rcu_dereference_protected(v->group, true);

	return g ? g->id : 0;
}

/* All groups, with cid_mutex held. */
void vhv_group_show(struct seq_file *m)
{
	struct vhv_group *g;

	list_for_each_entry(g, &groups, entry) {
		spin_lock(&g->lock);
		seq_printf(m, "group %u members %u connections %u packets %llu bytes %llu refused %llu\n",
			   g->id, g->members, g->nr_links, g->packets, g->bytes,
			   g->refused);
		spin_unlock(&g->lock);
	}
}
