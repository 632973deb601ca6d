/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frame of a test program: a list of named functions, each run in a
 * process of its own under a time limit.
 *
 * Afterwards it is checked that the process left nothing behind: no worker
 * thread, no debugfs directory, no use of the modules.
 *
 *	ok - name
 *	skip - name: reason
 *	not ok - name: why
 *
 * With TEST_TIMES in the environment, each is followed by the time it took.
 * TEST_SLOW multiplies the time limit, for kernels that check all they do.
 * Exit status 0, 1, or 77 if every test was skipped.
 *
 * The rings that vnet_start() makes are of the mode that --mode MODE or
 * TEST_MODE in the environment tells: "split" or "packed", then "+in-order",
 * "+event-idx", or both. A test that is not about that mode is left out:
 *
 *	TEST(fn)		in each mode
 *	TEST_WITH(fn, bits)	if the mode has all of these
 *	TEST_WITHOUT(fn, bits)	if it has none of them
 *	TEST_ONLY(fn, a, b)	both of these
 *	TEST_ONCE(fn)		in one of them, for what has nothing to do with rings
 *
 * Without a mode all tests are run, each in split+event-idx or in what comes
 * nearest to it.
 */
#ifndef VHOST_TEST_TEST_H
#define VHOST_TEST_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What a mode is made of. */
#define TEST_PACKED	(1u << 0)
#define TEST_IN_ORDER	(1u << 1)
#define TEST_EVENT_IDX	(1u << 2)

/* The mode of the running test. */
extern unsigned int test_mode;

struct test {
	const char *name;
	void (*run)(void);
	unsigned int with;
	unsigned int without;
};

#define TEST(fn)		{ #fn, fn, 0, 0 }
#define TEST_WITH(fn, bits)	{ #fn, fn, bits, 0 }
#define TEST_WITHOUT(fn, bits)	{ #fn, fn, 0, bits }
#define TEST_ONLY(fn, has, has_not) { #fn, fn, has, has_not }
#define TEST_ONCE(fn)							\
	TEST_ONLY(fn, TEST_EVENT_IDX, TEST_PACKED | TEST_IN_ORDER)

/* Runs them all, or those named in @argv. */
int test_main(const struct test *tests, unsigned int n, int argc, char **argv);

/* Leave the running test. */
void test_fail(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
void test_skip(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/*
 * How often to repeat what is repeated n times on other kernels: less on a slow
 * one, which is there for what it finds in one round.
 */
unsigned int test_rounds(unsigned int n);

/* Seconds that a test may take; a program with long ones sets it in main(). */
extern unsigned int test_seconds;

/*
 * Where a test's random choices begin: TEST_SEED in the environment, else
 * something new. A test that fails after such choices says which it was.
 */
unsigned int test_seed(void);
/* The next choice, less than @n. */
unsigned int test_random(unsigned int *state, unsigned int n);

/* Called when a test fails, in its process: to say more, in lines with '#'. */
extern void (*test_explain)(void);
/* Called when a test's process is gone, to remove what outlives it. */
extern void (*test_after)(int pid);
/* Whether the vhost modules in use are this project's. */
bool test_ours(void);
/* Skip unless they are. */
void test_need_ours(void);
/* A process whose failure is ours: fork, and the verdict of a child. */
int test_fork(void);
void test_join(int pid);
/* Milliseconds since some time. */
long long test_now(void);
/* Value of a file's first number or -1. */
long long test_read_number(const char *path);
/* Write to a file that is there. Return: 0 or a negative errno. */
int test_write_file(const char *path, const char *text);
/* Number of live threads whose name begins so. */
int test_threads(const char *prefix);
/*
 * What a process that is gone left behind, or NULL: workers, debugfs
 * directories, use of the module (by anybody: nobody else may have a device).
 */
const char *test_leftover(int pid);
/*
 * Kernel memory that cannot be reclaimed, in KiB. Always 0 on the debug kernel,
 * where KASAN keeps for a while what was freed, and kmemleak tells what is lost.
 */
long long test_kernel_memory(void);
/* The kernel's log from now on; whether a line with @text has come since. */
int test_log_open(void);
bool test_log_has(int fd, const char *text);
/* Busy waiting for what sends no event: true as soon as @cond holds. */
#define test_until(cond, ms)						\
	({								\
		long long end_ = test_now() + (ms);			\
		bool done_;						\
		while (!(done_ = (cond)) && test_now() < end_)		\
			test_pause();					\
		done_;							\
	})
void test_pause(void);

#define EXPECT(cond)							\
	do {								\
		if (!(cond))						\
			test_fail("%s:%d: %s", __func__, __LINE__, #cond); \
	} while (0)

#define EXPECT_EQ(a, b)							\
	do {								\
		long long a_ = (a), b_ = (b);				\
		if (a_ != b_)						\
			test_fail("%s:%d: %s is %lld (0x%llx), not %lld (0x%llx)", \
				  __func__, __LINE__, #a, a_,		\
				  (unsigned long long)a_, b_,		\
				  (unsigned long long)b_);		\
	} while (0)

/* A call of the libraries that has to return 0. */
#define OK(call)							\
	do {								\
		int r_ = (call);					\
		if (r_)							\
			test_fail("%s:%d: %s: %s", __func__, __LINE__,	\
				  #call, r_ < 0 ? strerrorname_(-r_) : "not 0"); \
	} while (0)

/* One that has to fail with @err. */
#define FAILS(call, err)						\
	do {								\
		int r_ = (call);					\
		if (r_ != -(err))					\
			test_fail("%s:%d: %s: %s, not %s", __func__,	\
				  __LINE__, #call,			\
				  r_ < 0 ? strerrorname_(-r_) : "succeeded", #err); \
	} while (0)

const char *strerrorname_(int err);

#endif /* VHOST_TEST_TEST_H */
