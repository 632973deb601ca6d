/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests of malformed rings and bad packets share.
 *
 * What breaks a queue must: let the good chains before it through, count under
 * exactly its name, signal the error eventfd once, say so in the kernel log,
 * stop the queue where the bad chain is, leave the other queue alone, and be
 * forgotten when the queue is started again.
 *
 * What spoils one packet must: count, complete that chain with length 0, and
 * let all others through.
 */
#ifndef VHOST_TEST_BAD_H
#define VHOST_TEST_BAD_H

#include "vnet.h"

/*
 * Descriptors of bad chains of a split ring begin here, if the test writes them
 * by itself; good ones have those from 0 on.
 */
#define BAD_HEAD	200
/* Number of good chains in front of a bad one. */
#define GOOD		5

#define BAD_WAIT_MS	10000

#define NEXT		VRING_DESC_F_NEXT
#define WRITE		VRING_DESC_F_WRITE
#define INDIRECT	VRING_DESC_F_INDIRECT

/* The setup under test, and its queue under test. */
extern struct vnet n;
extern struct gring *r;
extern unsigned int vq;
/* The kernel log since the test began. */
extern int log_fd;

/* Start a setup; the second form adds the good chains. */
void bad_start(unsigned int which, const struct vnet_conf *conf);
void bad_begin(unsigned int which);
/* Good chains; they have to be the first ones added. */
void bad_add_good(unsigned int count);
/* Guest memory that nothing else uses, a page of its own. */
char *bad_page(void);
/* Write a descriptor as it comes. */
void bad_desc(unsigned int i, __u64 addr, __u32 len, __u16 flags, __u16 next);

/* Publish what was put behind the good chains: the queue breaks, and recovers. */
void bad_published_breaks(const char *name);
/* The same with @head, of a split ring. */
void bad_breaks(const char *name, __u16 head);

/* In any ring: one descriptor of a bad chain, NEXT of which is put there. */
struct bad_seg {
	__u64 addr;
	__u32 len;
	__u16 flags;
};

/* Publish these behind the good chains: the queue breaks, and recovers. */
void bad_chain_breaks(const char *name, const struct bad_seg *seg, unsigned int nr);
/* Publish these between good chains: that one is spoilt. */
void bad_chain_spoils(const char *name, const struct bad_seg *seg, unsigned int nr);
/* The same with a chain of one descriptor. */
void bad_one_breaks(const char *name, __u64 addr, __u32 len, __u16 flags);
void bad_one_spoils(const char *name, __u64 addr, __u32 len, __u16 flags);

/* The steps of these. */
void bad_expect_break(const char *name, unsigned int good);
void bad_expect_recovery(void);
void bad_counted_once(const char *name);
void bad_state_is(const char *want);

#endif /* VHOST_TEST_BAD_H */
