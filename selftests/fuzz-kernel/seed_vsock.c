// SPDX-License-Identifier: GPL-2.0
/*
 * Writes the inputs to begin with, of the target vhost_vsock. Between them they
 * reach each call, connections both ways of both types, and between guests.
 */
#include <linux/virtio_vsock.h>

#include "seed.h"

/* Queue 0 receives, 1 transmits; 2 and 3 are the second device's. */
#define RX		0
#define TX		1
#define RX2		2
#define TX2		3

/* Features: the first byte of A_SETUP. */
#define PACKED		0x01
#define IN_ORDER	0x02
#define EVENT_IDX	0x04
#define INDIRECT	0x08
#define SEQPACKET	0x10
#define IOMMU		0x20
#define LOG		0x40

/* The second one. */
#define LEGACY		0x01
#define NO_GROUP	0x02
#define OTHER_CID	0x04
#define STOPPED		0x08
#define ONE_WORKER	0x10
#define GROUP_2		0x20
#define NO_CID		0x40
#define BUFFERS		0x80

/* Of A_PKT: what the operation and the kind are made of. */
#define MANY(log2)	((log2) << 4)
#define UNKNOWN_OP	0x80
#define SEQ		0x01
#define NO_TYPE		0x02
#define FLAGS(f)	((f) << 2)
#define TO_GUEST	0x10
#define CIDS		0x20
#define CREDIT		0x40
#define MORE_FLAGS	0x80

/* Ports: the guest's n; at the other end a listener, a socket, or another guest's. */
#define PORTS(n, to)	((to) << 4 | (n))
#define STREAM_PORT	0
#define SEQ_PORT	1
#define SOCK_PORT(i)	(2 + (i))

/* Lengths: their index. */
#define L_0		0
#define L_1		1
#define L_64		2
#define L_128		3
#define L_1000		5
#define L_2048		7
#define L_4096		9
#define L_16384		10
#define L_65536		12
#define L_65537		13
#define L_2G		14
#define L_4G		15

#define INDIRECT_CHAIN	0x04
#define PIECES		0x08
#define LIE		0x10
#define CUT		0x20
#define SPOIL		0x80

#define OP(name)	VIRTIO_VSOCK_OP_##name

/* What a socket does, as in vsock.c. */
#define S_CONNECT	0
#define S_ACCEPT	1
#define S_SEND		2
#define S_RECV		3
#define S_SHUTDOWN	4
#define S_CLOSE		5
#define S_OPTION	6
#define S_ASK		7
#define S_SEND_MANY	8
#define S_LISTEN	9

#define SETUP(f, more)	A_SETUP, 0, (f), (more), 8, 0
#define SETUP2(f, more)	A_SETUP, 2, (f), (more), 8, 0
#define PKT(q, op, kind, ports, len, shape, ...)			\
	A_PKT, (q), (op), (kind), (ports), (len), (shape), ##__VA_ARGS__
#define GO(q)		A_KICK, (q), A_WAIT, (q) & 2
#define POST(q, n)	A_CHAINS, (q), (n), 0x08, GO(q)
#define SOCK(i, what, a, b) A_SOCK, (i), (what), (a), (b)
/* Port of the guest's, and whether SEQPACKET; the first guest is CID 0. */
#define CONNECT(i, seq, port) SOCK(i, S_CONNECT, (seq) | (port) << 4, 0), A_WAIT, 0
#define RUN(q, on)	CALL(q, C_VSOCK_SET_RUNNING, (on))

/* A connection that the guest opens: it sends, gets, and is closed by either. */
#define BY_GUEST(kind, port)						\
	PKT(TX, OP(REQUEST), kind, PORTS(1, port), L_0, 0), GO(TX),		\
	SOCK(0, S_ACCEPT, port, 0),						\
	PKT(TX, OP(RW), (kind) | FLAGS((kind) & SEQ), PORTS(1, port), L_64, 0),	\
	PKT(TX, OP(RW), (kind) | FLAGS((kind) & SEQ), PORTS(1, port), L_4096, 2),	\
	PKT(TX, OP(RW), kind, PORTS(1, port), L_16384, PIECES | 1), GO(TX),		\
	SOCK(0, S_ASK, 0, 0), A_RECV, SOCK(0, S_SEND, L_64, (kind) & SEQ),	\
	SOCK(0, S_SEND, L_65536, 0), SOCK(0, S_SEND, L_1000, 0), A_WAIT, 0,	\
	PKT(TX, OP(CREDIT_REQUEST), kind, PORTS(1, port), L_0, 0),		\
	PKT(TX, OP(CREDIT_UPDATE), (kind) | CREDIT, PORTS(1, port), L_0, 0, 0x40), GO(TX), \
	POST(RX, 60), SOCK(0, S_SEND_MANY, L_128, 0), 40, A_WAIT, 0,		\
	PKT(TX, OP(SHUTDOWN), (kind) | FLAGS(1), PORTS(1, port), L_0, 0), GO(TX),	\
	SOCK(0, S_SHUTDOWN, 1, 0), SOCK(0, S_CLOSE, 0, 0), A_WAIT, 0,		\
	PKT(TX, OP(RST), kind, PORTS(1, port), L_0, 0), GO(TX)

/* One that the host opens. */
#define BY_HOST(kind, i)						\
	CONNECT(i, (kind) & SEQ, 3),						\
	PKT(TX, OP(RESPONSE), kind, PORTS(3, SOCK_PORT(i)), L_0, 0), GO(TX),		\
	SOCK(i, S_SEND, L_1000, 0), SOCK(i, S_SEND, L_16384, 1), A_WAIT, 0,	\
	PKT(TX, OP(RW), kind, PORTS(3, SOCK_PORT(i)), L_128, 0), GO(TX),		\
	SOCK(i, S_RECV, L_64, 1), SOCK(i, S_RECV, L_64, 0), SOCK(i, S_ASK, 0, 0),	\
	PKT(TX, OP(SHUTDOWN), (kind) | FLAGS(3), PORTS(3, SOCK_PORT(i)), L_0, 0), GO(TX), \
	SOCK(i, S_CLOSE, 0, 0), A_WAIT, 0

/* An input has 80 actions: both types both ways are two. */
#define STREAMS(f, more)						\
	SETUP((f) | SEQPACKET, (more) | BUFFERS), BY_GUEST(0, STREAM_PORT), BY_HOST(SEQ, 1)
#define MESSAGES(f, more)						\
	SETUP((f) | SEQPACKET, (more) | BUFFERS), BY_GUEST(SEQ, SEQ_PORT), BY_HOST(0, 1)

static int layouts(void)
{
	int failed = 0;

	SEED("split", STREAMS(0, 0));
	SEED("split_messages", MESSAGES(0, ONE_WORKER));
	SEED("split_event_idx", STREAMS(EVENT_IDX, OTHER_CID));
	SEED("split_in_order", MESSAGES(IN_ORDER, 0));
	SEED("packed", STREAMS(PACKED, ONE_WORKER));
	SEED("packed_messages", MESSAGES(PACKED, 0));
	SEED("packed_event_idx", STREAMS(PACKED | EVENT_IDX, 0));
	SEED("packed_in_order", MESSAGES(PACKED | IN_ORDER | EVENT_IDX, 0));
	SEED("legacy", STREAMS(0, LEGACY));
	SEED("logged", MESSAGES(LOG, 0));
	SEED("logged_packed", STREAMS(LOG | PACKED, 0));
	SEED("iommu", STREAMS(IOMMU, 0));
	SEED("iommu_packed", MESSAGES(IOMMU | PACKED | LOG, 0));
	SEED("iommu_asks", A_SETUP, 0, IOMMU, 0, 0x88, 0,
	     PKT(TX, OP(REQUEST), 0, PORTS(1, 0), L_0, 0), A_KICK, TX, A_ANSWER, 0, 0,
	     SOCK(0, S_ACCEPT, 0, 0), A_CHAINS, RX, 9, 8, A_KICK, RX, A_ANSWER, 0, 0,
	     PKT(TX, OP(RW), 0, PORTS(1, 0), L_4096, 3), A_KICK, TX, A_ANSWER, 0, 0,
	     SOCK(0, S_SEND, L_4096, 0), A_ANSWER, 0, 0, A_MSG, 0, 0, 3, 0, 1, 0,
	     SOCK(0, S_SEND, L_4096, 0), A_ANSWER, 0, 2);
	return failed;
}

static int headers(void)
{
	int failed = 0;

	SEED("operations", SETUP(SEQPACKET, BUFFERS),
	     PKT(TX, OP(INVALID), 0, 0, L_0, 0), PKT(TX, 8, 0, 0, L_0, 0),
	     PKT(TX, UNKNOWN_OP, 0, 0, L_0, 0), PKT(TX, OP(RST), 0, 0, L_0, 0), GO(TX),
	     PKT(TX, OP(RESPONSE), 0, 0, L_0, 0), PKT(TX, OP(RW), 0, 0, L_64, 0),
	     PKT(TX, OP(CREDIT_UPDATE), 0, 0, L_0, 0), PKT(TX, OP(REQUEST), 0, 0, L_64, 0), GO(TX),
	     PKT(TX, OP(REQUEST), NO_TYPE, 0, L_0, 0), PKT(TX, OP(REQUEST), SEQ, 0, L_0, 0),
	     PKT(TX, OP(REQUEST), MORE_FLAGS, 0, L_0, 0, 0xff), PKT(TX, OP(SHUTDOWN), 0, 0, L_0, 0),
	     GO(TX));
	SEED("cids", SETUP(0, BUFFERS), PKT(TX, OP(REQUEST), CIDS, 0, L_0, 0, 0x02),
	     PKT(TX, OP(REQUEST), CIDS, 0, L_0, 0, 0x04), PKT(TX, OP(REQUEST), CIDS, 0, L_0, 0, 0x06),
	     PKT(TX, OP(REQUEST), CIDS, 0, L_0, 0, 0x33), PKT(TX, OP(REQUEST), CIDS, 0, L_0, 0, 0x08),
	     PKT(TX, OP(RW), CIDS, 0, L_64, 0, 0x07), PKT(TX, OP(RST), CIDS, 0, L_0, 0, 0x00), GO(TX));
	SEED("lengths", SETUP(INDIRECT, BUFFERS), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX),
	     SOCK(0, S_ACCEPT, 0, 0), PKT(TX, OP(RW), 0, 0, L_0, 0),
	     PKT(TX, OP(RW), 0, 0, L_64, LIE, 1), PKT(TX, OP(RW), 0, 0, L_64, LIE, 0xff),
	     PKT(TX, OP(RW), 0, 0, L_64, CUT, 1), PKT(TX, OP(RW), 0, 0, L_0, CUT, 1), GO(TX), A_RECV,
	     PKT(TX, OP(RW), 0, 0, L_65536, 3), PKT(TX, OP(RW), 0, 0, L_65537, 0),
	     PKT(TX, OP(RW), 0, 0, L_1000, INDIRECT_CHAIN | PIECES | 2), GO(TX), A_RECV,
	     PKT(TX, OP(RW), 0, 0, L_2G, 0), PKT(TX, OP(RW), 0, 0, L_4G, 0), GO(TX), A_RECV);
	SEED("spoilt", SETUP(0, BUFFERS), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX),
	     PKT(TX, OP(RW), 0, 0, L_64, SPOIL, 0x10), PKT(TX, OP(RW), 0, 0, L_64, SPOIL, 0x12),
	     PKT(TX, OP(RW), 0, 0, L_64, SPOIL, 0x13), PKT(TX, OP(RW), 0, 0, L_64, SPOIL, 0x15), GO(TX),
	     PKT(TX, OP(RW), 0, 0, L_64, SPOIL, 0x14), GO(TX), RUN(0, 0), RUN(0, 1),
	     PKT(TX, OP(RW), 0, 0, L_64, SPOIL, 0x01), GO(TX));
	SEED("credit", SETUP(0, BUFFERS), PKT(TX, OP(REQUEST), CREDIT, 0, L_0, 0, 0x02), GO(TX),
	     SOCK(0, S_ACCEPT, 0, 0), SOCK(0, S_SEND, L_1000, 0), A_WAIT, 0,
	     PKT(TX, OP(CREDIT_UPDATE), CREDIT, 0, L_0, 0, 0x77), GO(TX),
	     SOCK(0, S_SEND_MANY, L_65536, 0), 99, A_WAIT, 0, POST(RX, 200),
	     PKT(TX, OP(CREDIT_UPDATE), CREDIT, 0, L_0, 0, 0x55), GO(TX),
	     SOCK(0, S_SEND_MANY, L_65536, 0), 99, A_WAIT, 0);
	SEED("host_is_full", SETUP(0, BUFFERS), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX),
	     SOCK(0, S_ACCEPT, 0, 0), SOCK(0, S_OPTION, 0, L_1000),
	     PKT(TX, OP(RW) | MANY(5), 0, 0, L_16384, 0), GO(TX), A_RECV, A_WAIT, 0,
	     PKT(TX, OP(RW) | MANY(5), 0, 0, L_64, 0), GO(TX), A_RECV, A_WAIT, 0);
	SEED("answers_pile_up", SETUP(0, 0), PKT(TX, OP(RW) | MANY(7), 0, 0, L_0, 0), GO(TX),
	     PKT(TX, OP(RW) | MANY(7), 0, 1, L_0, 0), GO(TX),
	     PKT(TX, OP(RW) | MANY(7), 0, 2, L_0, 0), GO(TX), A_STATS, 0, POST(RX, 250),
	     POST(RX, 250), PKT(TX, OP(RW), 0, 0, L_0, 0), GO(TX));
	return failed;
}

/* The second guest's answer to the first one's port n, which is the other way round. */
#define GUESTS								\
	PKT(TX, OP(REQUEST), TO_GUEST, PORTS(1, 2), L_0, 0), GO(TX), A_WAIT, 2,	\
	PKT(TX2, OP(RESPONSE), TO_GUEST, PORTS(2, 1), L_0, 0), GO(TX2), A_WAIT, 0

static int guests(void)
{
	int failed = 0;

	SEED("guests", SETUP(SEQPACKET, BUFFERS), SETUP2(SEQPACKET, BUFFERS), GUESTS,
	     PKT(TX, OP(RW), TO_GUEST, PORTS(1, 2), L_64, 0),
	     PKT(TX, OP(RW), TO_GUEST, PORTS(1, 2), L_64, 0),
	     PKT(TX, OP(RW), TO_GUEST, PORTS(1, 2), L_16384, 1), GO(TX), A_WAIT, 2,
	     PKT(TX2, OP(RW), TO_GUEST, PORTS(2, 1), L_1000, 0),
	     PKT(TX2, OP(CREDIT_UPDATE), TO_GUEST | CREDIT, PORTS(2, 1), L_0, 0, 0x47), GO(TX2),
	     A_WAIT, 0, PKT(TX, OP(SHUTDOWN), TO_GUEST | FLAGS(3), PORTS(1, 2), L_0, 0), GO(TX),
	     A_STATS, 0, PKT(TX2, OP(RST), TO_GUEST, PORTS(2, 1), L_0, 0), GO(TX2), A_WAIT, 0,
	     A_STATS, 0);
	SEED("guests_packed", SETUP(PACKED, BUFFERS), SETUP2(PACKED | IN_ORDER, BUFFERS), GUESTS,
	     PKT(TX, OP(RW) | MANY(6), TO_GUEST, PORTS(1, 2), L_64, 0), GO(TX), A_WAIT, 2,
	     PKT(TX2, OP(RW) | MANY(3), TO_GUEST, PORTS(2, 1), L_4096, 1), GO(TX2), A_WAIT, 0,
	     A_CLOSE, 2, A_WAIT, 0, PKT(TX, OP(RW), TO_GUEST, PORTS(1, 2), L_64, 0), GO(TX));
	SEED("guest_is_full", SETUP(0, BUFFERS), SETUP2(0, 0), GUESTS,
	     PKT(TX, OP(RW) | MANY(4), TO_GUEST, PORTS(1, 2), L_65536, 0), GO(TX), POST(RX2, 250),
	     PKT(TX, OP(RW) | MANY(6), TO_GUEST, PORTS(1, 2), L_65536, 0), GO(TX), A_WAIT, 2,
	     GUESTS, PKT(TX, OP(RW), TO_GUEST, PORTS(1, 2), L_64, 0), GO(TX));
	SEED("guests_strangers", SETUP(0, BUFFERS), SETUP2(0, BUFFERS | GROUP_2), GUESTS,
	     CALL(0, C_VSOCK_SET_GROUP, 1, 1), GUESTS, CALL(0, C_VSOCK_SET_GROUP, 0, 2),
	     PKT(TX, OP(RW), TO_GUEST, PORTS(1, 2), L_64, 0), GO(TX), A_WAIT, 2,
	     CALL(0, C_VSOCK_SET_GROUP, 0, 1), GUESTS, CALL(0, C_VSOCK_SET_GROUP, 1, 0),
	     CALL(0, C_VSOCK_SET_GROUP, 2, 1), CALL(0, C_VSOCK_SET_GROUP, 0, 0x81));
	SEED("guests_stray", SETUP(0, BUFFERS), SETUP2(0, BUFFERS),
	     PKT(TX, OP(RW), TO_GUEST, PORTS(1, 2), L_64, 0),
	     PKT(TX, OP(RST), TO_GUEST, PORTS(1, 2), L_0, 0),
	     PKT(TX, OP(RESPONSE), TO_GUEST, PORTS(1, 2), L_0, 0), GO(TX),
	     PKT(TX, OP(REQUEST) | MANY(2), TO_GUEST, PORTS(1, 2), L_0, 0),
	     PKT(TX, OP(RW), TO_GUEST, PORTS(1, 2), L_64, 0),
	     PKT(TX, OP(REQUEST), TO_GUEST | SEQ, PORTS(1, 2), L_0, 0), GO(TX),
	     PKT(TX2, OP(REQUEST), TO_GUEST, PORTS(2, 1), L_0, 0), GO(TX2), RUN(RX2, 0),
	     PKT(TX, OP(REQUEST), TO_GUEST, PORTS(3, 2), L_0, 0), GO(TX), RUN(RX2, 1));
	SEED("guest_anew", SETUP(0, BUFFERS), SETUP2(0, BUFFERS), GUESTS, RUN(RX2, 0), RUN(RX2, 1),
	     PKT(TX, OP(RW), TO_GUEST, PORTS(1, 2), L_64, 0), GO(TX), A_WAIT, 2,
	     SETUP2(0, BUFFERS), A_WAIT, 0, GUESTS, A_IOCTL, 2, C_VSOCK_ALLOC_CID, 0, A_WAIT, 0,
	     A_IOCTL, 2, C_VSOCK_SET_GUEST_CID, 0, 9, GUESTS, CALL(RX2, C_RESET_OWNER), A_WAIT, 0);
	return failed;
}

static int trouble(void)
{
	int failed = 0;

	SEED("guest_is_gone", SETUP(SEQPACKET, BUFFERS), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX),
	     SOCK(0, S_ACCEPT, 0, 0), CONNECT(1, 0, 2), CONNECT(2, 1, 2),
	     PKT(TX, OP(RESPONSE), 0, PORTS(2, SOCK_PORT(1)), L_0, 0), GO(TX), CONNECT(3, 0, 4),
	     SOCK(1, S_CLOSE, 0, 0), SOCK(0, S_SEND, L_64, 0), A_CLOSE, 0, SOCK(0, S_ASK, 0, 0),
	     SOCK(3, S_ASK, 0, 0), SOCK(0, S_SEND, L_64, 0));
	SEED("stop_and_go", SETUP(0, BUFFERS), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX),
	     SOCK(0, S_ACCEPT, 0, 0), RUN(0, 0), SOCK(0, S_SEND, L_4096, 0), CONNECT(1, 0, 2),
	     PKT(TX, OP(RW), 0, 0, L_64, 0), A_KICK, TX, RUN(0, 1), A_WAIT, 0, SOCK(0, S_RECV, L_64, 0),
	     RUN(0, 0), CALL(TX, C_SET_VRING_BASE, 0), RUN(0, 1), SOCK(0, S_ASK, 0, 0));
	SEED("cancelled", SETUP(0, 0), CONNECT(0, 0, 1), SOCK(0, S_CLOSE, 0, 0), CONNECT(1, 0, 1),
	     PKT(TX, OP(RESPONSE), 0, PORTS(1, SOCK_PORT(1)), L_0, 0), GO(TX),
	     SOCK(1, S_SEND_MANY, L_1000, 0), 200, SOCK(1, S_CLOSE, 0, 0), POST(RX, 3),
	     POST(RX, 200));
	SEED("zerocopy", SETUP(SEQPACKET, BUFFERS), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX),
	     SOCK(0, S_ACCEPT, 0, 0), SOCK(0, S_OPTION, 4, 1), SOCK(0, S_SEND, L_65536, 2),
	     SOCK(0, S_SEND, L_16384, 2), A_WAIT, 0, SOCK(0, S_RECV, L_64, 4), POST(RX, 100),
	     SOCK(0, S_SEND, L_16384, 2), SOCK(0, S_CLOSE, 0, 0));
	SEED("small_buffers", A_SETUP, 0, 0, 0, 8, 0, A_CHAIN, RX, 0x28, 0, A_CHAIN, RX, 0x28, 2,
	     A_CHAIN, RX, 0x28, 9, A_CHAIN, RX, 0x2b, 0x33, 3, 2, 1, A_CHAINS, RX, 9, 0, A_KICK, RX,
	     PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX), SOCK(0, S_ACCEPT, 0, 0),
	     SOCK(0, S_SEND, L_4096, 0), A_WAIT, 0, A_CHAINS, RX, 60, 0x28, GO(RX),
	     SOCK(0, S_SEND, L_4096, 0), A_CHAINS, RX, 9, 0x18, GO(RX));
	SEED("protected", SETUP(0, BUFFERS), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX),
	     SOCK(0, S_ACCEPT, 0, 0), A_PROTECT, 16, 0, A_PROTECT, 17, 1, SOCK(0, S_SEND, L_4096, 0),
	     A_WAIT, 0, A_PROTECT, 32, 2, PKT(TX, OP(RW), 0, 0, L_64, 0), GO(TX), RUN(0, 1),
	     A_PROTECT, 32, 3, A_PROTECT, 16, 3, A_PROTECT, 17, 3, RUN(0, 1), A_WAIT, 0);
	SEED("cid_changes", SETUP(0, BUFFERS | NO_CID), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX),
	     CALL(0, C_VSOCK_SET_GUEST_CID, 0), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX),
	     CALL(0, C_VSOCK_SET_GUEST_CID, 2), CALL(0, C_VSOCK_SET_GUEST_CID, 3), CONNECT(0, 0, 1),
	     CALL(0, C_VSOCK_SET_GUEST_CID, 0), CALL(0, C_VSOCK_ALLOC_CID),
	     SETUP2(0, NO_CID), A_IOCTL, 2, C_VSOCK_SET_GUEST_CID, 0, 0);
	SEED("second_thread", SETUP(SEQPACKET, BUFFERS), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX),
	     SOCK(0, S_ACCEPT, 0, 0), A_HELP, 0x18 << 2, H_SEND, WORD(L_4096), POST(RX, 100),
	     PKT(TX, OP(RW) | MANY(3), 0, 0, L_4096, 0), GO(TX), A_HELP_END, 0,
	     A_HELP, 0x20 << 2, H_SEND, WORD(0), RUN(0, 0), RUN(0, 1), POST(RX, 100), A_CLOSE, 0,
	     SETUP(0, 0), A_HELP, C_VSOCK_SET_GROUP << 2, H_IOCTL, WORD(0x0100), SETUP2(0, BUFFERS), GUESTS,
	     A_HELP_END, 0, A_HELP, TX, H_SCRIBBLE, WORD(0x6000),
	     PKT(TX, OP(RW) | MANY(6), 0, 0, L_64, 0), GO(TX), A_HELP_END, 0);
	SEED("failing", A_FAIL, 0, SETUP(0, 0), A_FAIL, 1, CALL(0, C_VSOCK_ALLOC_CID),
	     A_FAIL, 0, CALL(0, C_VSOCK_SET_GUEST_CID, 9), A_FAIL, 0, CALL(0, C_VSOCK_SET_GROUP, 0, 2),
	     SETUP(0, BUFFERS), PKT(TX, OP(REQUEST), 0, 0, L_0, 0), GO(TX), SOCK(0, S_ACCEPT, 0, 0),
	     A_FAIL, 0, SOCK(0, S_SEND, L_4096, 0), A_FAIL, 1, SOCK(0, S_SEND, L_4096, 0),
	     A_FAIL, 2, SOCK(0, S_SEND, L_4096, 0), A_FAIL, 1, SOCK(1, S_CONNECT, 0x20, 0));
	SEED("fork", SETUP(0, BUFFERS), A_FORK, 0, C_VSOCK_ALLOC_CID, A_FORK, 0, C_VSOCK_SET_GROUP,
	     A_FORK, 0x80, C_VSOCK_SET_RUNNING, SETUP2(0, 0), A_FORK, 0x81, C_VSOCK_SET_GUEST_CID);
	return failed;
}

int main(int argc, char **argv)
{
	int err = seed_dir(argc, argv);

	return err ? err : every_call(NR_VSOCK_CALLS) | layouts() | headers() | guests() | trouble();
}
