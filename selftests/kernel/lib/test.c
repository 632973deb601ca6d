// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#define STATUS_SKIP	77

static const char *current;
/* TEST_SLOW in the environment: how many times slower this kernel may be. */
static unsigned int slow = 1;

void (*test_explain)(void);
void (*test_after)(int pid);
unsigned int test_mode = TEST_EVENT_IDX;
unsigned int test_seconds = 60;

const char *strerrorname_(int err)
{
	const char *name = strerrorname_np(err);

	return name ? name : "unknown error";
}

void test_fail(const char *fmt, ...)
{
	va_list ap;

	printf("not ok - %s: ", current);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (test_explain)
		test_explain();
	fflush(stdout);
	_exit(1);
}

void test_skip(const char *fmt, ...)
{
	va_list ap;

	printf("skip - %s: ", current);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(STATUS_SKIP);
}

bool test_ours(void)
{
	return !access("/sys/module/vhost_core", F_OK);
}

void test_need_ours(void)
{
	if (!test_ours())
		test_skip("not with the kernel's own vhost");
}

int test_fork(void)
{
	int pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		test_fail("fork: %m");
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

void test_join(int pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		test_fail("waitpid: %m");
	if (WIFSIGNALED(status))
		test_fail("child killed by signal %d", WTERMSIG(status));
	/* A child that failed has printed why. */
	if (WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
}

long long test_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

unsigned int test_seed(void)
{
	const char *text = getenv("TEST_SEED");

	return text ? strtoul(text, NULL, 0) : (unsigned int)test_now() ^ getpid() << 16;
}

unsigned int test_random(unsigned int *state, unsigned int n)
{
	/* Numerical Recipes' generator; the low bits of it are poor. */
	*state = *state * 1664525u + 1013904223u;
	return (unsigned long long)*state * n >> 32;
}

void test_pause(void)
{
	sched_yield();
}

long long test_read_number(const char *path)
{
	long long n = -1;
	FILE *f = fopen(path, "re");

	if (f) {
		if (fscanf(f, "%lld", &n) != 1)
			n = -1;
		fclose(f);
	}
	return n;
}

int test_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int test_threads(const char *prefix)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	int n = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		char path[300], comm[128] = "";
		FILE *f;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) &&
		    !strncmp(comm, prefix, strlen(prefix)))
			n++;
		fclose(f);
	}
	closedir(dir);
	return n;
}

long long test_kernel_memory(void)
{
	static const char *const names[] = {
		"SUnreclaim:", "KernelStack:", "PageTables:", "VmallocUsed:", "Percpu:",
	};
	long long total = 0;
	char line[128];
	unsigned int i;
	FILE *f;

	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		return 0;
	f = fopen("/proc/meminfo", "re");
	EXPECT(f);
	while (fgets(line, sizeof(line), f))
		for (i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (!strncmp(line, names[i], strlen(names[i])))
				total += atoll(line + strlen(names[i]));
	fclose(f);
	return total;
}

int test_log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
		test_fail("/dev/kmsg: %m");
	return fd;
}

bool test_log_has(int fd, const char *text)
{
	char line[1024];
	ssize_t n;

	/* A read returns one record; EPIPE: some were overwritten meanwhile. */
	while ((n = read(fd, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		line[n] = '\0';
		if (strstr(line, text))
			return true;
	}
	return false;
}

static bool stats_left(int pid)
{
	char prefix[32];
	struct dirent *entry;
	bool found = false;
	DIR *dir = opendir("/sys/kernel/debug/vhost");

	if (!dir)
		return false;
	snprintf(prefix, sizeof(prefix), "%d-", pid);
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			found = true;
	closedir(dir);
	return found;
}

const char *test_leftover(int pid)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "vhost-%d-", pid);
	if (!test_until(!test_threads(prefix), 2000))
		return "a worker thread is left";
	if (!test_until(!stats_left(pid), 1000))
		return "a debugfs directory is left";
	if (test_ours() &&
	    !test_until(test_read_number("/sys/module/vhost_net/refcnt") <= 0, 2000))
		return "vhost_net is still in use";
	/* A socket that connects without blocking lives for 2 s at least. */
	if (test_ours() &&
	    !test_until(test_read_number("/sys/module/vhost_vsock/refcnt") <= 0, 10000))
		return "vhost_vsock is still in use";
	return NULL;
}

static int run(const struct test *t)
{
	const char *left;
	int pid, status;

	current = t->name;
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		printf("not ok - %s: fork: %m\n", t->name);
		return 1;
	}
	if (!pid) {
		/* Whatever a test forks dies with its group. */
		setpgid(0, 0);
		alarm(slow * test_seconds);
		t->run();
		fflush(stdout);
		_exit(0);
	}
	setpgid(pid, pid);
	if (waitpid(pid, &status, 0) != pid)
		status = -1;
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (test_after)
		test_after(pid);
	left = test_leftover(pid);
	if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == SIGALRM)
			printf("not ok - %s: no end after %u s\n", t->name,
			       slow * test_seconds);
		else
			printf("not ok - %s: killed by signal %d\n", t->name,
			       WTERMSIG(status));
		return 1;
	}
	status = WEXITSTATUS(status);
	if (left && status != 1) {
		printf("not ok - %s: %s\n", t->name, left);
		return 1;
	}
	if (!status)
		printf("ok - %s\n", t->name);
	return status;
}

/* The bits of @text, or -1 if that is no mode. */
static int parse_mode(const char *text)
{
	static const struct {
		const char *word;
		int bit;
	} words[] = {
		{ "+in-order", TEST_IN_ORDER }, { "+event-idx", TEST_EVENT_IDX },
	};
	unsigned int i;
	int mode = 0;

	if (!strncmp(text, "packed", 6)) {
		mode = TEST_PACKED;
		text += 6;
	} else if (!strncmp(text, "split", 5)) {
		text += 5;
	} else {
		return -1;
	}
	for (i = 0; i < 2; i++) {
		size_t len = strlen(words[i].word);

		if (!strncmp(text, words[i].word, len)) {
			mode |= words[i].bit;
			text += len;
		}
	}
	return *text ? -1 : mode;
}

static bool is_named(const char *name, int argc, char **argv)
{
	for (int k = 0; k < argc; k++)
		if (!strcmp(argv[k], name))
			return true;
	return !argc;
}

unsigned int test_rounds(unsigned int n)
{
	return n / slow ?: 1;
}

int test_main(const struct test *tests, unsigned int n, int argc, char **argv)
{
	const char *text = getenv("TEST_MODE"), *factor = getenv("TEST_SLOW");
	unsigned int i, skipped = 0, failed = 0, done = 0;
	int mode = -1;

	if (factor && atoi(factor) > 0)
		slow = atoi(factor);
	argc--;
	argv++;
	if (argc >= 2 && !strcmp(argv[0], "--mode")) {
		text = argv[1];
		argc -= 2;
		argv += 2;
	}
	if (text) {
		mode = parse_mode(text);
		if (mode < 0) {
			printf("not ok - no mode '%s'\n", text);
			return 1;
		}
	}
	for (i = 0; i < n; i++) {
		const struct test *t = &tests[i];
		long long begin = test_now();
		int status;

		if (!is_named(t->name, argc, argv))
			continue;
		test_mode = (TEST_EVENT_IDX & ~t->without) | t->with;
		if (mode >= 0) {
			if ((mode & t->with) != t->with || mode & t->without)
				continue;
			test_mode = mode;
		}
		status = run(t);
		if (getenv("TEST_TIMES"))
			printf("# %lld ms\n", test_now() - begin);
		done++;
		if (status == STATUS_SKIP)
			skipped++;
		else if (status)
			failed++;
		fflush(stdout);
	}
	if (!done) {
		printf("not ok - no such test%s%s\n", text ? " in mode " : "",
		       text ? text : "");
		return 1;
	}
	if (failed)
		return 1;
	if (skipped == done) {
		printf("SKIP: none of these tests can run here\n");
		return STATUS_SKIP;
	}
	return 0;
}
