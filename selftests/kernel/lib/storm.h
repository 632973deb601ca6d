/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VMM that does not leave its running device alone: every call that may be
 * made under load, in any order, and none of them may lose a packet or an
 * interrupt.
 */
#ifndef VHOST_TEST_STORM_H
#define VHOST_TEST_STORM_H

#include "vnet.h"

/**
 * struct storm - whose device it is, and what the calls need
 * @n: the setup; its rings run
 * @random: state of test_random()
 * @call: the call eventfd of each queue under another number
 * @log: the dirty log
 * @several: others call, too: a worker may be gone before the next call
 */
struct storm {
	struct vnet *n;
	unsigned int random;
	int call[VMM_VQS];
	void *log;
	bool several;
};

/* How many different calls there are, and their names. */
extern const unsigned int storm_calls;
const char *storm_name(unsigned int call);

void storm_start(struct storm *s, struct vnet *n, unsigned int seed);
/* One of them; fails the test if the device refuses. */
void storm_call(struct storm *s, unsigned int call);

/* All that set-up does, once, and back; whether it succeeds or not. */
void storm_set_up(int tapfd);

#endif /* VHOST_TEST_STORM_H */
