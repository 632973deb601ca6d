// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's coverage, as counters that libFuzzer looks at.
 *
 * Several KCOV devices. One is enabled by the program's main thread, for remote
 * coverage: that gives the thread a handle, which the threads that it makes
 * inherit, and which a worker remembers of whoever made it. What is run on
 * workers arrives in this one. The others are enabled by the threads
 * that make calls.
 *
 * Only what lies in the modules counts, and each pair of successive blocks for
 * itself. How often it was met is not counted: that depends on timing.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "fuzz.h"

#define AREA_WORDS	(1u << 16)
#define NR_COUNTERS	(1u << 16)
#define SECTIONS_MAX	64

/* Nobody but libFuzzer reads them, which the compiler must not conclude from. */
__attribute__((section("__libfuzzer_extra_counters"), used))
static __u8 counters[NR_COUNTERS];

struct area {
	unsigned long *word;	/* the number of them, then addresses */
	unsigned long last;
};

static struct area remote;
/* Of the thread that runs the inputs, and of its helper. */
static struct area local[2];

/* A section of a module's code, and which bytes of it were met. */
struct section {
	char module[32];
	char name[32];
	unsigned long start;
	unsigned long size;
	__u8 *met;
};

static struct section section[SECTIONS_MAX];
static unsigned int nr_sections;

static int by_start(const void *a, const void *b)
{
	const struct section *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void add_sections(const char *module)
{
	char path[96];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/module/%s/sections", module);
	dir = opendir(path);
	if (!dir)
		return;
	while ((e = readdir(dir)) && nr_sections < SECTIONS_MAX) {
		struct section *s = &section[nr_sections];
		char file[400];
		FILE *f;

		if (strncmp(e->d_name, ".text", 5))
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		f = fopen(file, "re");
		if (!f)
			continue;
		if (fscanf(f, "%lx", &s->start) == 1 && s->start) {
			snprintf(s->module, sizeof(s->module), "%s", module);
			snprintf(s->name, sizeof(s->name), "%s", e->d_name);
			/* More than any has; what is behind it is not met. */
			s->size = 1u << 20;
			nr_sections++;
		}
		fclose(f);
	}
	closedir(dir);
}

static void find_sections(void)
{
	unsigned int i;

	add_sections("vhost_core");
	add_sections("vhost_net");
	add_sections("vhost_blk");
	add_sections("vhost_vsock");
	qsort(section, nr_sections, sizeof(*section), by_start);
	for (i = 0; i < nr_sections; i++) {
		struct section *s = &section[i];

		if (i + 1 < nr_sections && section[i + 1].start - s->start < s->size)
			s->size = section[i + 1].start - s->start;
		s->met = calloc(s->size, 1);
		if (!s->met)
			abort();
	}
}

static struct section *find(unsigned long pc)
{
	unsigned int i;

	for (i = nr_sections; i-- > 0;) {
		if (pc >= section[i].start)
			return pc - section[i].start < section[i].size ? &section[i] : NULL;
	}
	return NULL;
}

static int open_area(struct area *a)
{
	void *p;
	int fd;

	fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	p = MAP_FAILED;
	if (!ioctl(fd, KCOV_INIT_TRACE, AREA_WORDS))
		p = mmap(NULL, AREA_WORDS * sizeof(long), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		perror("kcov");
		exit(2);
	}
	a->word = p;
	return fd;
}

/* In the main thread, before there are others. Returns whether there is KCOV. */
bool cover_open(void)
{
	struct kcov_remote_arg arg = {
		.trace_mode = KCOV_TRACE_PC,
		.area_size = AREA_WORDS,
		/* Its own: libFuzzer merges in children of a program like it. */
		.common_handle = getpid(),
	};
	int fd;

	find_sections();
	fd = open_area(&remote);
	if (fd < 0)
		return false;
	if (ioctl(fd, KCOV_REMOTE_ENABLE, &arg)) {
		perror("KCOV_REMOTE_ENABLE");
		exit(2);
	}
	return true;
}

/* In each thread that makes calls, before it makes them. */
void cover_thread(unsigned int thread)
{
	int fd = open_area(&local[thread]);

	if (fd >= 0 && ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC)) {
		perror("KCOV_ENABLE");
		exit(2);
	}
}

static void mark(unsigned long value)
{
	counters[(value * 0x9e3779b97f4a7c15ull) >> 48] = 1;
}

static void fold(struct area *a)
{
	unsigned long i, n, last = a->last;

	if (!a->word)
		return;
	n = __atomic_load_n(&a->word[0], __ATOMIC_ACQUIRE);
	if (n >= AREA_WORDS)
		n = AREA_WORDS - 1;
	for (i = 1; i <= n; i++) {
		struct section *s = find(a->word[i]);
		unsigned long at;

		if (!s)
			continue;
		/* The same in each boot, wherever the module lies. */
		at = (s - section) << 20 | (a->word[i] - s->start);
		s->met[a->word[i] - s->start] = 1;
		mark(at);
		mark(last << 1 ^ at ^ 1ull << 40);
		last = at;
	}
	a->last = last;
	/* What a worker adds just now may be lost; it is met again. */
	__atomic_store_n(&a->word[0], 0, __ATOMIC_RELEASE);
}

/* After each action: the area is small against what an input may run. */
void cover_fold(void)
{
	fold(&local[0]);
	fold(&local[1]);
	fold(&remote);
}

void cover_result(unsigned int what, int result)
{
	mark(1ull << 50 | (unsigned long)what << 16 | (result & 0xffff));
}

/* What was met since the start: module, section, offset. */
void cover_write(const char *path)
{
	unsigned long off;
	unsigned int i;
	FILE *f;

	f = fopen(path, "we");
	if (!f) {
		perror(path);
		return;
	}
	for (i = 0; i < nr_sections; i++) {
		const struct section *s = &section[i];

		for (off = 0; off < s->size; off++) {
			if (s->met[off])
				fprintf(f, "%s %s %lx\n", s->module, s->name, off);
		}
	}
	fclose(f);
}
