// SPDX-License-Identifier: GPL-2.0
/*
 * Writes the inputs to begin with: seed DIRECTORY. Between them they reach each
 * call, and running devices of every layout.
 */
#include "seed.h"

/* Queue 0 receives, 1 transmits; 2 and 3 are the second device's. */
#define RX		0
#define TX		1

/* Features: the first byte of A_SETUP. */
#define PACKED		0x01
#define IN_ORDER	0x02
#define EVENT_IDX	0x04
#define INDIRECT	0x08
#define MRG		0x10
#define IOMMU		0x20
#define LOG		0x40
#define VHOST_HDR	0x80

/* The second one. */
#define LEGACY		0x01
#define ON_EMPTY	0x02
#define TUNNEL		0x04
#define BACKEND(b)	((b) << 3)
#define TX_ONLY		0x20
#define WORKERS		0x40
#define BUFFERS		0x80

#define SETUP(f, more)	A_SETUP, 0, (f), (more), 8, 0
#define SEND(n, shape)	A_CHAINS, TX, (n), (shape), A_KICK, TX, A_WAIT, 0
#define POST(n, shape)	A_CHAINS, RX, (n), (shape), A_KICK, RX, A_WAIT, 0
#define STOP(q)		CALL(q, C_NET_SET_BACKEND, 0xff)
#define START(q)	CALL(q, C_NET_SET_BACKEND, B_TAP)
#define RECEIVE(kind, n, len) A_PACKETS, (kind), (n), (len) & 0xff, (len) >> 8, A_WAIT, 0

#define BOTH_WAYS(f, more)						\
	SETUP(f, more), SEND(3, 0), SEND(40, 1), POST(8, 0x08),		\
	RECEIVE(I_PLAIN, 5, 60), POST(40, 0x08), RECEIVE(I_PLAIN, 70, 1514), \
	SEND(10, 0), STOP(TX), START(TX), SEND(5, 0)

static int layouts(void)
{
	int failed = 0;

	SEED("split", BOTH_WAYS(0, 0));
	SEED("split_event_idx", BOTH_WAYS(EVENT_IDX | MRG, 0));
	SEED("split_in_order", BOTH_WAYS(IN_ORDER | MRG, 0));
	SEED("packed", BOTH_WAYS(PACKED, 0));
	SEED("packed_event_idx", BOTH_WAYS(PACKED | EVENT_IDX | MRG, 0));
	SEED("packed_in_order", BOTH_WAYS(PACKED | IN_ORDER | EVENT_IDX, 0));
	SEED("legacy", BOTH_WAYS(0, LEGACY | ON_EMPTY));
	SEED("tunnel", BOTH_WAYS(MRG, TUNNEL));
	SEED("workers", BOTH_WAYS(EVENT_IDX, WORKERS));
	SEED("indirect", SETUP(INDIRECT, 0), SEND(8, 0x05), SEND(20, 0x06), POST(8, 0x0c),
	     RECEIVE(0, 4, 100));
	SEED("indirect_packed", SETUP(INDIRECT | PACKED, 0), SEND(8, 0x05), SEND(20, 0x06),
	     POST(8, 0x0c), RECEIVE(0, 4, 100));
	SEED("bare", BOTH_WAYS(VHOST_HDR | MRG, BACKEND(B_TAP_BARE)), RECEIVE(I_BARE, 5, 80));
	SEED("packet_socket", BOTH_WAYS(VHOST_HDR | MRG, BACKEND(B_PACKET)));
	SEED("packet_socket_small", BOTH_WAYS(VHOST_HDR, BACKEND(B_PACKET)),
	     CALL(TX, C_NET_SET_BACKEND, B_PACKET_SMALL), SEND(60, 0), SEND(60, 0));
	SEED("macvtap", BOTH_WAYS(MRG, BACKEND(B_MACVTAP)), RECEIVE(I_BARE, 5, 80));
	SEED("logged", BOTH_WAYS(LOG | MRG, 0));
	SEED("logged_packed", BOTH_WAYS(LOG | PACKED | MRG, 0));
	SEED("iommu", BOTH_WAYS(IOMMU | MRG, 0));
	SEED("iommu_packed_logged", BOTH_WAYS(IOMMU | PACKED | LOG, 0));
	SEED("iommu_asks", A_SETUP, 0, IOMMU, 0, 0x88, 0, A_CHAINS, TX, 5, 0, A_KICK, TX,
	     A_ANSWER, 0, 0, SEND(5, 1), A_ANSWER, 0, 0, A_MSG, 0, 0, 3, 0, 1, 0,
	     SEND(5, 1), A_ANSWER, 0, 1, A_READ, 0, 0);
	SEED("iommu_asks_packed", A_SETUP, 0, IOMMU | PACKED, 0, 0x88, 0, A_CHAINS, TX, 5, 0,
	     A_KICK, TX, A_ANSWER, 0, 4, SEND(5, 1), A_ANSWER, 0, 7, A_MSG, 0, 4, 3, 2, 1, 0,
	     SEND(5, 1), A_ANSWER, 0, 2, A_ANSWER, 0, 0, A_READ, 0, 1);
	SEED("iommu_batch", SETUP(IOMMU, 0), A_MSG, 0, 0, VHOST_IOTLB_BATCH_BEGIN, 0, 0, 0,
	     A_MSG, 0, 0, VHOST_IOTLB_UPDATE, 16, 0x30, 16, A_MSG, 0, 0, VHOST_IOTLB_BATCH_END,
	     0, 0, 0, SEND(4, 0), A_MSG, 0, 3, 2, 1, 0x31, 1, A_MSG, 0, 7, 2, 1, 1, 1,
	     A_MSG, 0, 5, 2, 17, 0x10, 3, SEND(4, 0), A_ANSWER, 0, 1);
	return failed;
}

static int packets(void)
{
	int failed = 0;

	SEED("kinds", SETUP(MRG, BUFFERS), RECEIVE(I_PLAIN, 60, 1000), RECEIVE(I_VLAN, 5, 60),
	     RECEIVE(I_VNET_HDR, 5, 200), RECEIVE(I_VNET_HDR | 0x10, 5, 200),
	     RECEIVE(I_VNET_HDR | 0x30, 5, 9000), POST(60, 0x08), RECEIVE(I_PLAIN, 5, 60));
	SEED("very_big", SETUP(MRG, 0), POST(250, 0x28), RECEIVE(I_VNET_HDR | 0x30, 1, 12000),
	     POST(100, 0x28), RECEIVE(I_VNET_HDR | 0x30, 2, 9000), POST(250, 0x28),
	     POST(250, 0x28), CALL(RX, C_SET_VRING_NUM, 4), RECEIVE(I_VNET_HDR | 0x30, 2, 65000));
	SEED("very_big_packed", SETUP(MRG | PACKED, 0), POST(250, 0x28),
	     RECEIVE(I_VNET_HDR | 0x30, 1, 12000), POST(100, 0x28),
	     RECEIVE(I_VNET_HDR | 0x30, 2, 9000), POST(120, 0x29), POST(250, 0x28));
	SEED("pages_come_round", SETUP(0, 0), SEND(200, 0), SEND(200, 0), SEND(200, 0),
	     SEND(200, 0), A_RECV, SEND(200, 0), SEND(200, 0), SEND(200, 0), SEND(200, 0));
	SEED("events", SETUP(EVENT_IDX, 0), A_IDX, TX, 10, 1, SEND(3, 0), A_IDX, TX, 1, 1,
	     SEND(3, 0), A_IDX, TX, 0, 0x0e, SEND(3, 0), SETUP(0, 0), A_CLOSE, 0,
	     SETUP(PACKED | EVENT_IDX, 0), A_IDX, TX, 0, 0x16, A_IDX, TX, 5, 1, SEND(9, 0),
	     A_IDX, TX, 0, 0x0e, SEND(3, 0), A_CLOSE, 0, SETUP(PACKED, 0),
	     A_IDX, TX, 0, 0x16, SEND(3, 0), A_IDX, TX, 0, 0x06, SEND(3, 0));
	SEED("flags", SETUP(0, ON_EMPTY), A_IDX, TX, 0, 0x0e, SEND(3, 0), SEND(70, 0), SEND(130, 0));
	SEED("big_in_small", A_SETUP, 0, MRG, 0, 7, 0, A_CHAIN, RX, 0x2b, 0x33, 3, 2, 1,
	     POST(120, 0x29), RECEIVE(I_PLAIN, 3, 1500));
	SEED("too_small", SETUP(0, 0), A_CHAINS, RX, 20, 0x28, A_KICK, RX,
	     RECEIVE(I_PLAIN, 3, 1500), RECEIVE(I_PLAIN, 90, 60));
	SEED("readable", SETUP(MRG, 0), POST(4, 0), POST(4, 0x18), POST(4, 0x19), POST(4, 0x08),
	     RECEIVE(I_PLAIN, 9, 60));
	SEED("headers", SETUP(0, 0), A_VNET_HDR, 32, 1, 0, 0, 0, 34, 16, SEND(1, 0),
	     A_VNET_HDR, 33, 1, 1, 54, 100, 34, 16, A_CHAIN, TX, 0x21, 6, 6, A_KICK, TX,
	     A_WAIT, 0, A_VNET_HDR, 34, 1, 1, 54, 100, 255, 255, SEND(1, 0));
	SEED("lengths", SETUP(0, 0), A_CHAIN, TX, 0x20, 1, A_CHAIN, TX, 0x20, 3, A_CHAIN, TX, 0x20,
	     8, A_CHAIN, TX, 0x21, 1, 6, A_CHAIN, TX, 0x21, 7, 11, A_KICK, TX, A_WAIT, 0,
	     A_CHAIN, TX, 0x20, 13, A_KICK, TX, A_WAIT, 0, A_CHAIN, TX, 0x20, 15, A_KICK, TX,
	     A_WAIT, 0);
	SEED("xdp", SETUP(VHOST_HDR, BACKEND(B_TAP_BARE)), A_XDP, 1,
	     A_SETUP, 2, MRG, BUFFERS, 6, 0, SEND(20, 0), A_WAIT, 2, A_XDP, 0);
	SEED("tap_changes", SETUP(MRG, BUFFERS), A_TAP, 0, 3, WORD(100), SEND(20, 0),
	     A_TAP, 0, 3, WORD(0), SEND(20, 0), A_TAP, 0, 2, WORD(20), RECEIVE(0, 20, 60),
	     A_TAP, 0, 1, WORD(0), SEND(20, 0), A_TAP, 0, 0, WORD(0), A_TAP, 0, 8, WORD(0),
	     SEND(5, 0), RECEIVE(0, 5, 60), A_TAP, 0, 9, WORD(0), SEND(5, 0));
	SEED("two_devices", SETUP(0, 0), A_SETUP, 2, PACKED | MRG, BACKEND(B_PACKET) | BUFFERS, 8, 0,
	     SEND(40, 0), A_WAIT, 2, SEND(40, 1), A_WAIT, 2, A_CLOSE, 0, A_OPEN, 0, A_CLOSE, 2);
	return failed;
}

static int trouble(void)
{
	int failed = 0;

	SEED("bad_ring", SETUP(0, 0), A_IDX, TX, 200, 0, A_IDX, TX, 0xff, 4, A_KICK, TX, A_WAIT, 0,
	     STOP(TX), A_RING_WRITE, TX, 1, WORD(4), WORD(900), SETUP(0, 0), A_KICK, TX, A_WAIT, 0);
	SEED("bad_desc", SETUP(INDIRECT, 0), A_CHAIN, TX, 1, A_DESC, TX, 0, 1, 0, WORD(60), 64,
	     A_KICK, TX, A_WAIT, 0, SETUP(INDIRECT, 0), A_CHAIN, TX, 0, A_DESC, TX, 0, 4, 0,
	     WORD(20), 64, A_KICK, TX, A_WAIT, 0);
	SEED("bad_desc_packed", SETUP(INDIRECT | PACKED, 0), A_DESC, TX, 0, 0x10 | 1, 0, WORD(60), 64,
	     A_DESC, TX, 1, 0x10 | 6, 0, WORD(60), 64, A_KICK, TX, A_WAIT, 0);
	SEED("far", SETUP(0, 0), A_CHAIN, TX, 0x80, A_KICK, TX, A_WAIT, 0);
	SEED("part_gone", SETUP(0, 0), A_PROTECT, 4, 1, A_KICK, TX, A_WAIT, 0, A_PROTECT, 4, 3,
	     START(TX), A_PROTECT, 5, 1, A_KICK, TX, A_WAIT, 0, A_PROTECT, 5, 3, START(TX),
	     A_CHAINS, TX, 3, 0, A_PROTECT, 6, 0, A_KICK, TX, A_WAIT, 0, START(TX));
	SEED("part_gone_packed", SETUP(PACKED | EVENT_IDX, 0), A_PROTECT, 4, 1, A_KICK, TX, A_WAIT, 0,
	     A_PROTECT, 4, 3, START(TX), A_CHAINS, TX, 3, 0, A_PROTECT, 5, 1, A_KICK, TX, A_WAIT, 0,
	     A_PROTECT, 5, 3, START(TX), A_CHAINS, TX, 3, 0, A_PROTECT, 6, 0, A_KICK, TX, A_WAIT, 0,
	     START(TX), A_PROTECT, 6, 3, START(TX), A_PROTECT, 4, 0, SEND(3, 0));
	SEED("iommu_fault", SETUP(IOMMU | LOG, 0), A_PROTECT, 60, 1, SEND(3, 0),
	     A_SETUP, 2, IOMMU, 0, 0x88, 0, A_CHAINS, 3, 3, 0, A_KICK, 3, A_ANSWER, 2, 4,
	     A_ANSWER, 2, 6, A_MSG, 2, 0, 3, 0, 1, 0, A_READ, 2, 1, A_HELP, 2, H_READ, WORD(0),
	     A_CHAINS, 3, 3, 0, A_KICK, 3, A_WAIT, 2, A_HELP_END, 0);
	SEED("polls_adaptive", SETUP(0, 0), CALL(TX, C_SET_POLL_MODE, 1),
	     CALL(TX, C_SET_VRING_BUSYLOOP, 0, 0x10, 0, 0), SEND(1, 0), SEND(1, 0), SEND(1, 0),
	     SEND(1, 0), SEND(1, 0), A_STATS, 0, SEND(1, 0), SEND(1, 0), A_STATS, 0,
	     A_HELP, 4, H_KICK, WORD(0), SEND(9, 0), SEND(9, 0), A_HELP_END, 0, SEND(1, 0));
	SEED("protected", SETUP(MRG, BUFFERS), A_PROTECT, 32, 1, SEND(1, 0), START(TX),
	     A_PROTECT, 16, 0, RECEIVE(0, 3, 60), START(RX), A_PROTECT, 6, 2, START(TX),
	     SEND(2, 0), A_PROTECT, 4, 4, START(TX));
	SEED("log_gone", SETUP(LOG | MRG, BUFFERS), A_PROTECT, 60, 1, SEND(3, 0),
	     RECEIVE(0, 3, 60));
	SEED("mem_table", SETUP(0, 0), CALL(0, C_SET_MEM_TABLE, 1, 31), SEND(3, 0),
	     CALL(0, C_SET_MEM_TABLE, 2, 31), SEND(3, 0), CALL(0, C_SET_MEM_TABLE, 4, 1),
	     CALL(0, C_SET_MEM_TABLE, 11, 1), SEND(20, 1), CALL(0, C_SET_MEM_TABLE, 5, 0),
	     SEND(3, 0), CALL(0, C_SET_MEM_TABLE, 7, 0), CALL(0, C_SET_MEM_TABLE, 8, 0),
	     CALL(0, C_SET_MEM_TABLE, 9, 0), CALL(0, C_SET_MEM_TABLE, 10, 0));
	SEED("polling", SETUP(0, BUFFERS), CALL(TX, C_SET_VRING_BUSYLOOP, 50, 0, 0, 0),
	     CALL(RX, C_SET_VRING_BUSYLOOP, 50, 0, 0, 0), SEND(3, 0), RECEIVE(0, 2, 60),
	     CALL(TX, C_SET_POLL_MODE, 1), SEND(3, 0), SEND(3, 0), SEND(3, 0), SEND(3, 0),
	     CALL(TX, C_GET_POLL_MODE), CALL(TX, C_SET_POLL_MODE, 7));
	SEED("attach", SETUP(0, 0), CALL(0, C_NEW_WORKER, 0), CALL(TX, C_ATTACH_VRING_WORKER, 1),
	     SEND(3, 0), CALL(0, C_WORKER_INFO, 1), CALL(0, C_SET_AFFINITY, 1, 0, 1),
	     CALL(0, C_GET_AFFINITY, 1, 7, 1), CALL(0, C_FREE_WORKER, 0),
	     CALL(TX, C_ATTACH_VRING_WORKER, 0), CALL(0, C_FREE_WORKER, 1), SEND(3, 0),
	     CALL(0, C_SET_AFFINITY, 0, 0, 0), CALL(0, C_SET_AFFINITY, 0, 0x90, 1));
	SEED("reset", SETUP(MRG, BUFFERS), SEND(3, 0), CALL(0, C_RESET_OWNER), SETUP(PACKED, 0),
	     SEND(3, 0), CALL(0, C_RESET_OWNER), CALL(0, C_SET_OWNER));
	SEED("swap", SETUP(EVENT_IDX, 0), CALL(TX, C_SET_VRING_CALL, 0xff), SEND(3, 0),
	     CALL(TX, C_SET_VRING_CALL, 0), CALL(TX, C_SET_VRING_KICK, 0xff), SEND(3, 0),
	     CALL(TX, C_SET_VRING_KICK, 0), SEND(3, 0), CALL(TX, C_SET_VRING_ERR, 0xff),
	     CALL(0, C_SET_LOG_FD, 0), A_EVENT, 5, 1);
	SEED("base", SETUP(PACKED, 0), SEND(5, 0), STOP(TX), CALL(TX, C_GET_VRING_BASE),
	     CALL(TX, C_SET_VRING_BASE, 1, 5, 0x80, 5, 0x80), START(TX), A_KICK, TX, A_WAIT, 0,
	     STOP(TX), CALL(TX, C_SET_VRING_ADDR, 0, 2, WORD(2)), START(TX),
	     CALL(TX, C_SET_VRING_ADDR, 0, 1, WORD(1)), CALL(TX, C_SET_VRING_ADDR, 0, 0x10, WORD(0)),
	     START(TX), CALL(TX, C_SET_VRING_NUM, 0x80, WORD(3)), CALL(TX, C_SET_VRING_NUM, 16),
	     CALL(TX, C_SET_VRING_ADDR, 0, 0), START(TX));
	SEED("fork", SETUP(0, 0), SEND(2, 0), A_FORK, 0, C_GET_VRING_BASE, SEND(2, 0),
	     A_FORK, 0x80, C_SET_VRING_NUM);
	SEED("second_thread", SETUP(MRG, BUFFERS), A_HELP, TX, H_SCRIBBLE, WORD(0x3000),
	     SEND(20, 0), RECEIVE(0, 10, 60), A_HELP_END, 0, START(TX), A_HELP, C_SET_MEM_TABLE << 2,
	     H_IOCTL, WORD(0), SEND(20, 0), A_HELP_END, 0, A_HELP, 0, H_SEND, WORD(60),
	     POST(20, 0x08), A_HELP, 4, H_KICK, WORD(0), SEND(9, 0), A_HELP, 0, H_READ, WORD(0),
	     SEND(3, 0));
	SEED("failing", A_FAIL, 0, CALL(0, C_SET_OWNER), A_FAIL, 3, CALL(0, C_SET_OWNER),
	     A_FAIL, 1, SETUP(IOMMU, 0), A_FAIL, 0, CALL(0, C_NEW_WORKER, 0), A_FAIL, 0,
	     CALL(0, C_SET_MEM_TABLE, 0, 0), A_FAIL, 0, CALL(0, C_SET_FEATURES, IOMMU, 1));
	SEED("raw", CALL(0, C_SET_OWNER), A_IOCTL_RAW, 0, 0x00, 0x08, 1, 0, 0, 0, 0, 0, 0, 0,
	     A_IOCTL_RAW, 0, 0x60, 0x21, 1, 0, 0, 0, 0, 0, 0, 0,
	     A_IOCTL_RAW, 0, 0x73, 0x11, 1, 0, 0, 0, 0, 0, 0, 0);
	return failed;
}

int main(int argc, char **argv)
{
	int err = seed_dir(argc, argv);

	return err ? err : every_call(NR_NET_CALLS) | layouts() | packets() | trouble();
}
