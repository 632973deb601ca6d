// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define DEBUGFS "/sys/kernel/debug/"

unsigned int fault_nth;

/* Allocations that may wait fail, too, and the log does not tell of each. */
void faults_need(void)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	static const char *const any[] = {
		"fail_usercopy/verbose", "fail_futex/verbose", "fail_function/verbose",
	};
	char path[96];

	test_need_ours();
	if (access("/proc/self/fail-nth", W_OK))
		test_skip("no fault injection (CONFIG_FAULT_INJECTION)");
	for (unsigned int i = 0; i < N(kinds); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/ignore-gfp-wait", kinds[i]);
		if (test_write_file(path, "0"))
			test_skip("no fault injection (%s)", kinds[i]);
		snprintf(path, sizeof(path), DEBUGFS "%s/verbose", kinds[i]);
		OK(test_write_file(path, "0"));
	}
	test_write_file(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "0");
	test_write_file(DEBUGFS "fail_page_alloc/min-order", "0");
	for (unsigned int i = 0; i < N(any); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s", any[i]);
		test_write_file(path, "0");
	}
}

int faults_open(int tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		test_fail("%s: %m", path);
	return fd;
}

void faults_set(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	/* The one before may happen to this write. */
	if (pwrite(fd, text, len, 0) != len && pwrite(fd, text, len, 0) != len)
		test_fail("fail-nth: %m");
}

int faults_left(int fd)
{
	char text[16] = "";

	/* If the fault happens to this read it did not happen before. */
	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 1;
}

static const struct fault_case *now;

static bool documented(int err)
{
	if (!err || err == -EFAULT)
		return true;
	for (unsigned int i = 0; i < N(now->err) && now->err[i]; i++)
		if (err == -now->err[i])
			return true;
	return false;
}

#define STATUS_DONE 3

static void one_fault(int fd)
{
	int err, left;

	now->state();
	faults_set(fd, fault_nth);
	err = now->call();
	left = faults_left(fd);
	faults_set(fd, 0);
	if (left) {
		if (err && !now->always)
			test_fail("%s without a fault: %s", now->name, strerrorname_(-err));
		_exit(STATUS_DONE);
	}
	if (!documented(err))
		test_fail("%s, fault %u: %s", now->name, fault_nth, strerrorname_(-err));
	/* Now and then the VMM just goes away. */
	if (fault_nth % 4)
		now->whole();
	_exit(0);
}

static void all_faults(const struct fault_case *c)
{
	const char *left;
	int pid, status;

	now = c;
	for (fault_nth = 1; fault_nth < FAULTS_MAX; fault_nth = fault_next(fault_nth)) {
		pid = test_fork();
		if (!pid)
			one_fault(faults_open(getpid()));
		EXPECT(waitpid(pid, &status, 0) == pid);
		if (WIFSIGNALED(status))
			test_fail("%s, fault %u: killed by signal %d", c->name, fault_nth,
				  WTERMSIG(status));
		if (test_after)
			test_after(pid);
		left = test_leftover(pid);
		if (left)
			test_fail("%s, fault %u: %s", c->name, fault_nth, left);
		if (WEXITSTATUS(status) == STATUS_DONE)
			break;
		if (WEXITSTATUS(status)) {
			printf("# %s, fault %u\n", c->name, fault_nth);
			_exit(1);
		}
	}
	EXPECT(fault_nth < FAULTS_MAX);
	printf("# %s: %u faults\n", c->name, fault_nth - 1);
	fflush(stdout);
}

void faults_run(const struct fault_case *c, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		all_faults(&c[i]);
}
