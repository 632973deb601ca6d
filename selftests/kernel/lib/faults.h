/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every allocation fails once, one after the other: /proc/self/fail-nth lets
 * the first, second, third ... that a call makes fail, until the call comes to
 * its end without one. Copies from and to user space fail in the same way.
 *
 * A call that fails says so with an errno that docs/reference.md has for it;
 * what it was called on works as before, and goes without a trace. A call that
 * succeeds without that memory has done its work.
 *
 * Needs CONFIG_FAULT_INJECTION_DEBUG_FS with FAILSLAB and FAIL_PAGE_ALLOC. Best
 * with kmemleak and KASAN, which see what is left and what is used too late.
 */
#ifndef VHOST_TEST_FAULTS_H
#define VHOST_TEST_FAULTS_H

#include <stdbool.h>

/* More than any call allocates. */
#define FAULTS_MAX 2000

/* Skip unless this kernel lets allocations fail; those that may wait, too. */
void faults_need(void);

/* The faults of thread @tid: the @nth from now on; 0: none. */
int faults_open(int tid);
void faults_set(int fd, unsigned int nth);
/* What is left of the count: 0 once the fault has happened. */
int faults_left(int fd);

/* Which one fails at present. */
extern unsigned int fault_nth;

/* Each of the first 16; of very many, some. */
static inline unsigned int fault_next(unsigned int nth)
{
	return nth + 1 + nth / 16;
}

/**
 * struct fault_case - a call all of whose allocations are to fail
 * @name: the call
 * @state: makes what it is called on
 * @call: calls; 0 or a negative errno
 * @whole: shows that what it was called on works
 * @err: errnos it may return, beside EFAULT; 0 ends
 * @always: it fails without a fault, too
 */
struct fault_case {
	const char *name;
	void (*state)(void);
	int (*call)(void);
	void (*whole)(void);
	int err[4];
	bool always;
};

#define FAULT_CASE(call, state, whole, ...) \
	{ #call, state, do_##call, whole, { __VA_ARGS__ }, false }

/* Each of them in a process of its own for each of its faults. */
void faults_run(const struct fault_case *c, unsigned int nr);

#endif /* VHOST_TEST_FAULTS_H */
