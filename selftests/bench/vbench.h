/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BENCH_VBENCH_H
#define BENCH_VBENCH_H

#include <stdbool.h>
#include <stdint.h>

/* How the driver waits for the device. */
enum wait_how {
	WAIT_CALL,	/* ask for an interrupt, sleep in read(2) of the call eventfd */
	WAIT_YIELD,	/* look at the ring, give the CPU away in between */
};

struct options {
	const char *node;
	unsigned int ring;	/* entries */
	unsigned int burst;	/* packets made available at once; 0: the case's own */
	unsigned int packets;	/* in a round */
	unsigned int rounds;
	unsigned int rx_buf;	/* bytes of a receive buffer */
	enum wait_how wait;
	bool packed;
	bool in_order;
	bool event_idx;
	bool exact;
	unsigned int profile;	/* lines of a profile, 0 for none */
};

struct bench_case {
	const char *name;
	const char *title;
	bool rx;
	bool xdp;
	bool mergeable;
	unsigned int len;	/* of a frame, without virtio-net header */
	unsigned int burst;	/* 0: any */
};

/* One queue of one device with its tap, ready to run. */
struct net;

struct net *net_open(const struct options *o, const struct bench_case *c);
/* Moves @packets; returns the nanoseconds of the timed parts. Ends the program if one went astray. */
uint64_t net_round(struct net *n, unsigned int packets);
void net_close(struct net *n);

#endif
