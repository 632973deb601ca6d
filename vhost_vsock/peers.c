// SPDX-License-Identifier: GPL-2.0
/*
 * What the host's sockets learn when a guest is gone, or is another one than
 * before: ECONNRESET, at once.
 */
#include <net/af_vsock.h>

#include "vsock.h"

/* Times that a bucket is looked at: 131072 sockets. */
#define ROUNDS	4096

/* Sockets that are dealt with in a row, without the table's lock; each is held. */
struct row {
	struct vhv_vsock *v;
	u32 cid;
	unsigned int nr;
};

static bool is_peer(const struct row *row, struct vsock_sock *vsk)
{
	return vsk->transport == &vhv_transport.transport &&
	       vsk->remote_addr.svm_cid == row->cid &&
	       vsock_net_check_mode(sock_net(sk_vsock(vsk)), row->v->net);
}

/* One that is done is not changed by a reset. */
static bool is_connecting(const struct row *row, struct vsock_sock *vsk)
{
	return is_peer(row, vsk) && sk_vsock(vsk)->sk_state == TCP_SYN_SENT &&
	       !sock_flag(sk_vsock(vsk), SOCK_DONE);
}

/*
 * A connected socket gets an error, which a reset by itself would not give it.
 * The table's lock keeps it from going away. Its own lock cannot be had here;
 * the fields are such as may change at any time (vsock_core's transports do
 * the same).
 */
static void reset_connected(struct row *row, struct vsock_sock *vsk)
{
	struct sock *sk = sk_vsock(vsk);

	sock_set_flag(sk, SOCK_DONE);
	WRITE_ONCE(vsk->peer_shutdown, SHUTDOWN_MASK);
	WRITE_ONCE(sk->sk_err, ECONNRESET);
	sk_error_report(sk);
	row->v->counter[VSOCK_VQ_TX][VHV_C_PEERS_RESET]++;
}

/* One that needs its own lock. */
static void note(struct row *row, struct vsock_sock *vsk)
{
	if (row->nr == VHV_ROW)
		return;
	sock_hold(sk_vsock(vsk));
	row->v->row[row->nr++] = sk_vsock(vsk);
}

/*
 * Look at the sockets of a bucket: those that have been there for longest come first, so
 * that none is shielded by others that come meanwhile.
 *
 * Return: how many there are to be noted. As many as a row has room for are, after the
 * first @skip of them.
 */
static unsigned int walk(struct row *row, unsigned int bucket, unsigned int skip)
{
	struct vsock_sock *vsk;
	unsigned int nr = 0;

	row->nr = 0;
	spin_lock_bh(&vsock_table_lock);
	list_for_each_entry_reverse(vsk, &vsock_connected_table[bucket], connected_table) {
		if (!is_peer(row, vsk) || sock_flag(sk_vsock(vsk), SOCK_DONE))
			continue;
		/* One that was closed waits for the guest's answer. */
		if (!vsk->close_work_scheduled)
			reset_connected(row, vsk);
		else if (nr++ >= skip)
			note(row, vsk);
	}
	list_for_each_entry_reverse(vsk, &vsock_bind_table[bucket], bound_table) {
		if (is_connecting(row, vsk) && nr++ >= skip)
			note(row, vsk);
	}
	spin_unlock_bh(&vsock_table_lock);
	return nr;
}

/* The guest's answer to one that was closed: a reset. Without memory it has to wait. */
static void answer(struct row *row, struct vsock_sock *vsk)
{
	bool stream = sk_vsock(vsk)->sk_type == SOCK_STREAM;
	struct sk_buff *skb = virtio_vsock_alloc_skb(VHV_HDR_LEN, GFP_KERNEL);

	if (!skb)
		return;
	*virtio_vsock_hdr(skb) = (struct virtio_vsock_hdr){
		.src_cid = cpu_to_le64(row->cid),
		.dst_cid = cpu_to_le64(VHV_HOST_CID),
		.src_port = cpu_to_le32(vsk->remote_addr.svm_port),
		.dst_port = cpu_to_le32(vsk->local_addr.svm_port),
		.type = cpu_to_le16(stream ? VIRTIO_VSOCK_TYPE_STREAM :
					     VIRTIO_VSOCK_TYPE_SEQPACKET),
		.op = cpu_to_le16(VIRTIO_VSOCK_OP_RST),
	};
	virtio_transport_recv_pkt(&vhv_transport, skb, row->v->net);
}

/*
 * What a reset does to a socket that connects. A packet would not find each of them: one
 * may be bound to a CID that is not the host's.
 */
static bool refuse(struct row *row, struct vsock_sock *vsk)
{
	struct sock *sk = sk_vsock(vsk);
	bool connecting;

	lock_sock(sk);
	connecting = is_connecting(row, vsk);
	if (connecting) {
		sk->sk_state = TCP_CLOSE;
		sk->sk_err = ECONNRESET;
		sk_error_report(sk);
	}
	release_sock(sk);
	return connecting;
}

static void settle(struct row *row)
{
	unsigned int i;

	for (i = 0; i < row->nr; i++) {
		struct sock *sk = row->v->row[i];

		if (!refuse(row, vsock_sk(sk)) && vsock_sk(sk)->close_work_scheduled)
			answer(row, vsock_sk(sk));
		sock_put(sk);
	}
	row->v->counter[VSOCK_VQ_TX][VHV_C_PEERS_RESET] += row->nr;
}

/**
 * vhv_peers_reset() - end all connections between the host and a guest
 * @v: the guest's device, locked, its queues as well
 * @cid: its CID, or the one it had
 *
 * Those to be closed or still to be opened need their own locks, which cannot be had under
 * that of the table: so they are noted first. Each of them is another one afterwards. If
 * there are not fewer, since some were made to connect again, these are passed over; if
 * others come as fast, a bucket is left at some time.
 */
void vhv_peers_reset(struct vhv_vsock *v, u32 cid)
{
	struct row row = { .v = v, .cid = cid };
	unsigned int bucket, round, skip, before, nr;

	for (bucket = 0; bucket < VSOCK_HASH_SIZE; bucket++) {
		skip = 0;
		before = UINT_MAX;
		for (round = 0; round < ROUNDS; round++) {
			nr = walk(&row, bucket, skip);
			settle(&row);
			if (nr <= skip + VHV_ROW)
				break;
			if (nr >= before)
				skip += VHV_ROW;
			before = nr;
		}
	}
}
