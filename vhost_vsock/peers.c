// SPDX-License-Identifier: GPL-2.0
/*
 * What the host's sockets learn when a guest is gone, or is another one than
 * before: ECONNRESET, at once.
 */
#include <net/af_vsock.h>

#include "vsock.h"

/* Sockets that are dealt with in a row, without the table's lock. */
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

/* A reset that the guest might have sent. */
static void note(struct row *row, struct vsock_sock *vsk)
{
	bool stream = sk_vsock(vsk)->sk_type == SOCK_STREAM;

	if (row->nr == VHV_ROW)
		return;
	row->v->row[row->nr++] = (struct virtio_vsock_hdr){
		.src_cid = cpu_to_le64(row->cid),
		.dst_cid = cpu_to_le64(VHV_HOST_CID),
		.src_port = cpu_to_le32(vsk->remote_addr.svm_port),
		.dst_port = cpu_to_le32(vsk->local_addr.svm_port),
		.type = cpu_to_le16(stream ? VIRTIO_VSOCK_TYPE_STREAM :
					     VIRTIO_VSOCK_TYPE_SEQPACKET),
		.op = cpu_to_le16(VIRTIO_VSOCK_OP_RST),
	};
}

/*
 * A connected socket gets an error, which a reset by itself would not give it.
 * The table's lock keeps it from going away. Its own lock cannot be had here;
 * the fields are such as may change at any time (vsock_core's transports do
 * the same).
 *
 * One that was closed already waits for the guest's answer, which is a reset.
 */
static void reset_connected(struct row *row, struct vsock_sock *vsk)
{
	struct sock *sk = sk_vsock(vsk);

	if (sock_flag(sk, SOCK_DONE))
		return;
	if (vsk->close_work_scheduled) {
		note(row, vsk);
		return;
	}
	sock_set_flag(sk, SOCK_DONE);
	WRITE_ONCE(vsk->peer_shutdown, SHUTDOWN_MASK);
	WRITE_ONCE(sk->sk_err, ECONNRESET);
	sk_error_report(sk);
	row->v->counter[VSOCK_VQ_TX][VHV_C_PEERS_RESET]++;
}

static void walk(struct row *row)
{
	struct vsock_sock *vsk;
	unsigned int i;

	row->nr = 0;
	spin_lock_bh(&vsock_table_lock);
	for (i = 0; i < VSOCK_HASH_SIZE; i++) {
		list_for_each_entry(vsk, &vsock_connected_table[i], connected_table) {
			if (is_peer(row, vsk))
				reset_connected(row, vsk);
		}
		list_for_each_entry(vsk, &vsock_bind_table[i], bound_table) {
			/* One that is done is not changed by a reset. */
			if (is_peer(row, vsk) && sk_vsock(vsk)->sk_state == TCP_SYN_SENT &&
			    !sock_flag(sk_vsock(vsk), SOCK_DONE))
				note(row, vsk);
		}
	}
	spin_unlock_bh(&vsock_table_lock);
}

/* Return: false if there is no memory for it. */
static bool deliver(struct vhv_vsock *v, const struct virtio_vsock_hdr *reset)
{
	struct sk_buff *skb = virtio_vsock_alloc_skb(VHV_HDR_LEN, GFP_KERNEL);

	if (!skb)
		return false;
	*virtio_vsock_hdr(skb) = *reset;
	virtio_transport_recv_pkt(&vhv_transport, skb, v->net);
	return true;
}

/**
 * vhv_peers_reset() - end all connections between the host and a guest
 * @v: the guest's device, locked, its queues as well
 * @cid: its CID, or the one it had
 *
 * Those to be closed or still to be opened get their reset by the ordinary
 * way, which needs their locks: so they are noted first, and each of them is
 * another one afterwards, so that this has an end.
 */
void vhv_peers_reset(struct vhv_vsock *v, u32 cid)
{
	struct row row = { .v = v, .cid = cid };
	bool go_on;
	unsigned int i;

	do {
		walk(&row);
		go_on = row.nr == VHV_ROW;
		for (i = 0; i < row.nr; i++)
			go_on &= deliver(v, &v->row[i]);
		v->counter[VSOCK_VQ_TX][VHV_C_PEERS_RESET] += row.nr;
	} while (go_on);
}
