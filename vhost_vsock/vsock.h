/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private structures of vhost_vsock, and under each file's name what it offers
 * to the others. Directions are the guest's: rx is from the host to the guest.
 *
 * Locks, in their order (the core's, see vhost_core/main.c, come first; a
 * socket's own lock is taken by the kernel between the queue's and ours):
 *
 *	cid_mutex	who has which CID, and is in which group (cid.c)
 *	group's lock	connections between its members (group.c)
 *	sendq.lock	packets on their way to a guest (sendq.c)
 */
#ifndef VHOST_VSOCK_H
#define VHOST_VSOCK_H

#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/virtio_vsock.h>
#include <net/net_namespace.h>

#include "vhost_core.h"

#define VHV_NR_VQS		(VSOCK_VQ_TX + 1)

#define VHV_HOST_CID		VMADDR_CID_HOST
#define VHV_HDR_LEN		sizeof(struct virtio_vsock_hdr)

/* A turn ends after so many bytes or packets: other queues wait. */
#define VHV_WEIGHT_BYTES	0x80000
#define VHV_WEIGHT_PACKETS	256

/*
 * What a turn may have sent before it is accounted for: it ends after the chain that
 * reaches the weight, and that one has a large packet or many small ones.
 */
#define VHV_TURN_BYTES		(VHV_WEIGHT_BYTES + VIRTIO_VSOCK_MAX_PKT_BUF_SIZE)
#define VHV_TURN_PACKETS	(2 * VHV_WEIGHT_PACKETS)

/* Sockets of the host that are reset in a row. */
#define VHV_ROW			32

/* As many devices as there may be files. */
#define VHV_CIDS_TRIED		(1u << 24)

/* Answers that may wait for the guest's buffers before we listen no more. */
#define VHV_REPLIES_MAX		256

/*
 * What may wait of a connection between guests, in one direction, and of all that
 * one guest has to another one: a guest that takes nothing must not fill our
 * memory, and one that sends much takes no room from the others. Linux offers 256
 * KiB a connection unless told otherwise.
 */
#define VHV_FLOW_BYTES		(1u << 20)
#define VHV_FLOW_PACKETS	4096
#define VHV_SENDER_BYTES	(16u << 20)
#define VHV_SENDER_PACKETS	16384

/*
 * Requests of the host's sockets are refused when there are more connections with the
 * host than that for which something waits, or when so much does between the same ports.
 */
#define VHV_REQUEST_FLOWS	4096
#define VHV_REQUEST_PACKETS	16

/* CIDs that are near each other do not share; a guest cannot choose its own. */
#define VHV_SENDERS		256

/* A packet so small is put into the one before it, if that has room. */
#define VHV_SMALL		128

/* Bad packets and buffers: X(NAME, name, explanation). */
#define VHV_REJECTIONS(X)						\
	X(TX_WRITABLE, tx_writable, "transmit chain with a device-writable part") \
	X(TX_SHORT, tx_short, "transmit chain shorter than a header")	\
	X(TX_LONG, tx_long, "transmit chain longer than a packet may be") \
	X(TX_LEN, tx_len, "header speaks of bytes beyond the chain")	\
	X(TX_SRC, tx_src, "source is not the guest's own CID")		\
	X(TX_DST, tx_dst, "destination that the guest cannot reach")	\
	X(TX_TYPE, tx_type, "unknown type of socket")			\
	X(TX_OP, tx_op, "unknown operation")				\
	X(TX_FLAGS, tx_flags, "flags that the operation does not have")	\
	X(TX_PAYLOAD, tx_payload, "payload in a packet that is not data") \
	X(TX_CREDIT, tx_credit, "more data than another guest has room for") \
	X(TX_STRAY, tx_stray, "packet to another guest outside any connection") \
	X(RX_READABLE, rx_readable, "receive chain with a device-readable part") \
	X(RX_SMALL, rx_small, "receive chain without room for a header and data")

enum vhv_rejection {
#define X(NAME, name, text) VHV_R_##NAME,
	VHV_REJECTIONS(X)
#undef X
	VHV_R_NR,
};

/* Counters of each queue. */
#define VHV_COUNTERS(X)							\
	X(PACKETS, packets, "packets passed between guest and sockets")	\
	X(MERGED, merged, "packets that went to the guest together with the one before") \
	X(SPLIT, split, "packets of which a part went to the guest by itself") \
	X(REPLIES_FULL, replies_full, "waits of the sender for answers to be taken") \
	X(NO_MEMORY, no_memory, "packets that had to wait for memory")	\
	X(FORWARDED, forwarded, "packets passed to another guest")	\
	X(PEERS_RESET, peers_reset, "connections cut since the guest was gone or another")

enum vhv_counter {
#define X(NAME, name, text) VHV_C_##NAME,
	VHV_COUNTERS(X)
#undef X
	VHV_C_NR,
};

struct seq_file;
struct vhv_group;

/* Whose packets they are: the one end is the guest's CID, which is given. */
struct vhv_key {
	u32 cid;	/* of the sender */
	u32 src_port;
	u32 dst_port;
};

/**
 * struct vhv_flow - packets of one connection on their way to the guest
 * @key: the connection
 * @node: in sendq.flows
 * @turn: in sendq.turns
 * @packets: those that are waiting; its own lock is not used
 * @nr: how many, those in a turn included
 * @bytes: bytes of payload in them
 * @deficit: bytes that it may send in this round
 *
 * All of it under sendq.lock.
 */
struct vhv_flow {
	struct vhv_key key;
	struct hlist_node node;
	struct list_head turn;
	struct sk_buff_head packets;
	unsigned int nr;
	unsigned int bytes;
	int deficit;
};

#define VHV_IDLE_FLOWS	16

/* What waits of one sender. */
struct vhv_sender {
	unsigned int packets;
	unsigned int bytes;
};

/* Connections of which is known what credit the guest was told of last. */
#define VHV_TOLD	64

struct vhv_told {
	struct vhv_key key;
	u32 fwd_cnt;
};

/**
 * struct vhv_sendq - all packets on their way to one guest
 * @lock: protects all of it; never held for long
 * @seed: of the hash of keys (constant)
 * @flows: connections that have packets, by key
 * @turns: the same in the order of their turns
 * @idle: some without, for the next
 * @nr_idle: how many
 * @nr_flows: connections that have packets
 * @nr_host_flows: those of them with the host
 * @packets: packets in all flows
 * @bytes: bytes of payload in them
 * @replies: of them, answers to what the guest sent
 * @sender: what waits of the host, and behind it of guests, by their CIDs
 * @told: by a hash of the connection: the last fwd_cnt that the guest got
 * @timer: sends what waits without need of haste
 * @v: the device (constant)
 * @hungry: the receive queue has found no packet, and wants to be woken
 * @tx_waits: the transmit queue waits for @replies to get less
 */
struct vhv_sendq {
	spinlock_t lock;
	u32 seed;
	DECLARE_HASHTABLE(flows, 6);
	struct list_head turns;
	struct list_head idle;
	unsigned int nr_idle;
	unsigned int nr_flows;
	unsigned int nr_host_flows;
	unsigned int packets;
	unsigned int bytes;
	unsigned int replies;
	struct vhv_sender sender[1 + VHV_SENDERS];
	struct vhv_told told[VHV_TOLD];
	struct timer_list timer;
	struct vhv_vsock *v;
	bool hungry;
	bool tx_waits;
};

/**
 * struct vhv_turn - a connection's turn; the receive queue's own
 * @flow: the connection, or NULL
 * @packets: its packets, those that were sent taken out
 * @nr_sent: packets that were
 * @bytes_sent: bytes of payload that were
 * @fwd_cnt: of the last packet that was
 * @cost: of what it was sent, against its deficit
 * @replies_sent: answers among them
 */
struct vhv_turn {
	struct vhv_flow *flow;
	struct sk_buff_head packets;
	unsigned int nr_sent;
	unsigned int bytes_sent;
	u32 fwd_cnt;
	int cost;
	unsigned int replies_sent;
};

/**
 * struct vhv_cid - a CID that is taken
 * @node: in the table of them, under RCU; written with cid_mutex held
 * @cid: the CID (constant)
 * @vsock: whose it is (constant)
 * @retired: it names nobody any more, but is not free yet
 * @rcu: to free it
 */
struct vhv_cid {
	struct hlist_node node;
	u32 cid;
	struct vhv_vsock *vsock;
	bool retired;
	struct rcu_head rcu;
};

#define VHV_POOL_PAGES	16
#define VHV_POOL_ORDER	3

/* Packets with as much data come from there. */
#define VHV_POOL_MIN	1024

/**
 * struct vhv_pool - pages for data from or to the guest
 * @page: pages, or NULL; of one that nobody else has a reference of, the data
 *	was the same guest's, and is overwritten: it needs no clearing
 * @next: the one to take from
 * @used: bytes of it that are taken; 0: it has not been looked at
 */
struct vhv_pool {
	struct page *page[VHV_POOL_PAGES];
	unsigned int next;
	unsigned int used;
};

/**
 * struct vhv_vsock - a device
 * @dev: the core's part
 * @net: namespace that it was opened in (constant after open)
 * @ns_tracker: of that
 * @counter: of each queue, by enum vhv_counter; under the queue's lock
 * @sendq: packets to the guest
 * @tx_pool: pages for packets from it; its transmit queue's
 * @rx_pool: pages for packets to it, under @rx_pool_lock
 * @rx_pool_lock: nothing nests in it
 * @cid: its CID or NULL; written with the device and its queues locked
 * @group: guests that it may talk to, or NULL: read under RCU, written with
 *	cid_mutex and the group's lock held
 * @nr_links: connections to them that it has opened, under the group's lock
 * @seqpacket: whether the guest knows SOCK_SEQPACKET
 * @running: it was started; written with the device locked
 * @was_running: it was once (device locked)
 * @base: where its queues were stopped then (device locked)
 * @row: the host's sockets that are to be reset: peers.c (device locked)
 */
struct vhv_vsock {
	struct vhc_dev *dev;
	struct net *net;
	netns_tracker ns_tracker;
	u64 *counter[VHV_NR_VQS];
	struct vhv_sendq sendq;
	struct vhv_pool tx_pool;
	struct vhv_pool rx_pool;
	spinlock_t rx_pool_lock;
	struct vhv_cid *cid;
	struct vhv_group __rcu *group;
	unsigned int nr_links;
	bool seqpacket;
	bool running;
	bool was_running;
	u32 base[VHV_NR_VQS];
	struct sock *row[VHV_ROW];
};

/* transport.c */
extern struct virtio_transport vhv_transport;
int vhv_transport_send(struct sk_buff *skb, struct net *net);

/* enqueue.c */
ssize_t vhv_enqueue_stream(struct vsock_sock *vsk, struct msghdr *msg, size_t len);

/* peers.c */
void vhv_peers_reset(struct vhv_vsock *v, u32 cid);

/* sendq.c */
void vhv_sendq_init(struct vhv_vsock *v);
void vhv_sendq_exit(struct vhv_sendq *q);
int vhv_sendq_add(struct vhv_vsock *v, struct sk_buff *skb);
void vhv_sendq_cancel(struct vhv_vsock *v, const struct sock *sk);
void vhv_sendq_purge(struct vhv_vsock *v, u32 keep);
bool vhv_sendq_next(struct vhv_vsock *v, struct vhv_turn *t);
void vhv_sendq_end(struct vhv_vsock *v, struct vhv_turn *t);
bool vhv_sendq_has_room(struct vhv_vsock *v);
bool vhv_sendq_is_crowded(struct vhv_vsock *v, u32 cid);

/* cid.c */
struct vhv_vsock *vhv_cid_find(u32 cid, struct net *net);
int vhv_cid_set(struct vhv_vsock *v, u64 cid);
int vhv_cid_alloc(struct vhv_vsock *v, u64 *cid);
void vhv_cid_drop(struct vhv_vsock *v);
int vhv_cid_set_group(u64 cid, u32 group);
void vhv_cid_leave_group(struct vhv_vsock *v);
int vhv_cid_show(struct seq_file *m, void *unused);

/* group.c */
enum vhv_rejection vhv_group_forward(struct vhv_vsock *v, struct sk_buff *skb);
void vhv_group_cut(struct vhv_vsock *v);
int vhv_group_set(struct vhv_vsock *v, u32 id);
u32 vhv_group_id(const struct vhv_vsock *v);
void vhv_group_show(struct seq_file *m);

/* tx.c */
enum vhc_verdict vhv_tx_run(struct vhv_vsock *v);

/* pool.c */
bool vhv_pool_add(struct vhv_pool *pool, struct sk_buff *skb, u32 len, gfp_t gfp);
void vhv_pool_exit(struct vhv_pool *pool);

/* rx.c */
enum vhc_verdict vhv_rx_run(struct vhv_vsock *v);

static inline struct vhc_vq *vhv_vq(const struct vhv_vsock *v, unsigned int index)
{
	return vhc_dev_vq(v->dev, index);
}

/* Data of a stream, which has no borders. */
static inline bool vhv_is_stream_data(struct sk_buff *skb)
{
	const struct virtio_vsock_hdr *hdr = virtio_vsock_hdr(skb);

	return hdr->op == cpu_to_le16(VIRTIO_VSOCK_OP_RW) &&
	       hdr->type == cpu_to_le16(VIRTIO_VSOCK_TYPE_STREAM) && !hdr->flags;
}

#endif /* VHOST_VSOCK_H */
