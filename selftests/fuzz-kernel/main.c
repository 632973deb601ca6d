// SPDX-License-Identifier: GPL-2.0
/*
 * The program around libFuzzer. Arguments are libFuzzer's: directories to fuzz
 * with, or files to run once each.
 *
 *	FUZZ_CURRENT=FILE	where each input is kept while it runs: what is in
 *				there when the machine dies is what it died of
 *	FUZZ_COVER=FILE		where to write which code was met
 *	FUZZ_HANG=SECONDS	what an input may take (60)
 *
 * The main thread has the handle of remote coverage and watches the time; the
 * engine and the inputs run in a thread of their own. A thread that hangs in
 * the kernel can be told of only by another one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const __u8 *, size_t));

/* As in selftests/lab/runtests.sh: what the kernel must not say. */
static const char *const bad_lines[] = {
	"WARNING:", "BUG:", "Oops", "hung task", "blocked for more than",
	"possible circular locking", "possible recursive locking", "suspicious RCU",
	"inconsistent lock state", "general protection", "Call Trace", "KASAN",
	"KCSAN", "UBSAN", "kmemleak", "refcount_t", "soft lockup",
	"scheduling while atomic", "sleeping function called", "Bad page state",
	"list_add corruption", "list_del corruption", "unregister_netdevice: waiting",
	"lost its CPU mask",
	"timed out",		/* a request that nobody looked for any more */
};

static int argc_;
static char **argv_;
static int kmsg = -1, current = -1;
static size_t current_size;
/* When the running input began, 0 between two. */
static long long began;

long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

void finding(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "FINDING: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	/* libFuzzer keeps the input. */
	abort();
}

/* ---- the kernel's log ---------------------------------------------------------- */

static void kmsg_open(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
}

/* Whether it said something bad. With @show the rest of it is printed. */
static bool kmsg_read(bool show)
{
	char line[4096];
	bool bad = false;
	unsigned int i;
	ssize_t n;

	if (kmsg < 0)
		return false;
	for (;;) {
		n = read(kmsg, line, sizeof(line) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		line[n] = 0;
		for (i = 0; i < ARRAY_SIZE(bad_lines); i++)
			bad |= !!strstr(line, bad_lines[i]);
		if (bad || show) {
			char *text = strchr(line, ';');

			fprintf(stderr, "kernel: %s", text ? text + 1 : line);
		}
	}
	return bad;
}

/* ---- one input ------------------------------------------------------------------- */

static void keep(const __u8 *data, size_t size)
{
	if (current < 0)
		return;
	if (pwrite(current, data, size, 0) != (ssize_t)size)
		perror("FUZZ_CURRENT");
	if (size < current_size && ftruncate(current, size))
		perror("FUZZ_CURRENT");
	current_size = size;
}

static int one(const __u8 *data, size_t size)
{
	static bool started;

	if (!started) {
		started = true;
		cover_thread(0);
	}
	keep(data, size);
	__atomic_store_n(&began, now_ms(), __ATOMIC_SEQ_CST);
	world_begin();
	act_all(data, size);
	world_end();
	cover_fold();
	__atomic_store_n(&began, 0, __ATOMIC_SEQ_CST);
	if (kmsg_read(false)) {
		/* The report may not be at its end yet. */
		sleep(1);
		kmsg_read(true);
		finding("the kernel log");
	}
	return 0;
}

static void at_exit(void)
{
	const char *path = getenv("FUZZ_COVER");

	if (path)
		cover_write(path);
}

static void *engine(void *unused)
{
	sigset_t none;

	(void)unused;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	exit(LLVMFuzzerRunDriver(&argc_, &argv_, one));
}

/* ---- the watchdog ------------------------------------------------------------------ */

static void show(const char *path)
{
	char buf[4096];
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return;
	n = fread(buf, 1, sizeof(buf), f);
	fwrite(buf, 1, n, stderr);
	fclose(f);
}

static void watch(long long limit)
{
	for (;;) {
		long long since;

		sleep(1);
		since = __atomic_load_n(&began, __ATOMIC_SEQ_CST);
		if (!since || now_ms() - since < limit)
			continue;
		fprintf(stderr, "FINDING: an input takes more than %lld ms\n", limit);
		kmsg_read(true);
		if (system("for t in /proc/[0-9]*/task/*; do case $(cat $t/comm) in fuzz*|vhost-*) "
			   "echo $t $(cat $t/comm); cat $t/stack;; esac; done 2>/dev/null >&2"))
			show("/proc/self/stack");
		/* The input is in FUZZ_CURRENT; who hangs in the kernel stays there. */
		fflush(stderr);
		_exit(99);
	}
}

int main(int argc, char **argv)
{
	const char *path = getenv("FUZZ_CURRENT"), *hang = getenv("FUZZ_HANG");
	struct rlimit files = { 4096, 4096 };
	pthread_t thread;
	sigset_t all;
	int err;

	argc_ = argc;
	argv_ = argv;
	setrlimit(RLIMIT_NOFILE, &files);
	err = world_init();
	if (err) {
		fprintf(stderr, "fuzz: no world: %s\n", strerror(-err));
		return 2;
	}
	if (!cover_open())
		fprintf(stderr, "fuzz: no KCOV: only results of calls guide\n");
	kmsg_open();
	if (path) {
		current = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (current < 0)
			perror(path);
	}
	atexit(at_exit);
	/* Signals are the engine's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	err = pthread_create(&thread, NULL, engine, NULL);
	if (err) {
		fprintf(stderr, "fuzz: %s\n", strerror(err));
		return 2;
	}
	watch((hang ? atoi(hang) : 60) * 1000LL);
}
