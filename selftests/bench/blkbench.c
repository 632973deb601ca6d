// SPDX-License-Identifier: GPL-2.0
/*
 * blkbench - requests of one process through libblkio, and what each costs.
 *
 *   blkbench [--exact] DRIVER PATH read|write SIZE DEPTH REQUESTS [QUEUES]
 *
 * DRIVER is libblkio's: io_uring, virtio-blk-vhost-vdpa, virtio-blk-vhost-user.
 * The same program drives whatever serves the blocks. Under the lab's
 * instruction clock nanoseconds are instructions. Prints one line:
 * "REQUESTS NANOSECONDS-A-REQUEST P50 P99", latencies in ns.
 *
 * --exact: marks for the emulator where the time begins and ends (mark.h).
 * Offsets are pseudo-random and the same in each run; every completion is
 * followed by a new request, so that DEPTH of them are always under way.
 */
#include <blkio.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mark.h"

static struct blkio *b;
static struct blkio_mem_region region;
static bool writes, exact;
static uint64_t size, capacity, requests;
static unsigned int depth, queues;

static void check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "blkbench: %s: %s (%s)\n", what, strerror(-ret), blkio_get_error_msg());
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

struct job {
	pthread_t thread;
	struct blkioq *q;
	char *memory;
	uint64_t seed;
	uint64_t *latency;
};

static uint64_t next_offset(struct job *j)
{
	j->seed = j->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (j->seed >> 16) % (capacity / size) * size;
}

static void submit(struct job *j, uint64_t slot)
{
	uint64_t offset = next_offset(j);
	char *buf = j->memory + slot * size;

	if (writes)
		blkioq_write(j->q, offset, buf, size, (void *)(uintptr_t)slot, 0);
	else
		blkioq_read(j->q, offset, buf, size, (void *)(uintptr_t)slot, 0);
}

static void *run(void *arg)
{
	struct job *j = arg;
	uint64_t start[depth], begun = 0, done = 0;
	struct blkio_completion c[depth];

	while (begun < depth && begun < requests) {
		start[begun] = now();
		submit(j, begun++);
	}
	while (done < requests) {
		int i, n = blkioq_do_io(j->q, c, 1, depth, NULL);

		check(n, "do_io");
		for (i = 0; i < n; i++) {
			uint64_t slot = (uintptr_t)c[i].user_data;

			check(c[i].ret, "request");
			j->latency[done++] = now() - start[slot];
			if (begun < requests) {
				start[slot] = now();
				submit(j, slot);
				begun++;
			}
		}
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	uint64_t begin, end, *all;
	struct job *jobs;
	unsigned int i;

	if (argc > 1 && !strcmp(argv[1], "--exact")) {
		exact = true;
		argc--;
		argv++;
	}
	if (argc < 7) {
		fputs("usage: blkbench [--exact] DRIVER PATH read|write SIZE DEPTH REQUESTS [QUEUES]\n", stderr);
		return 2;
	}
	writes = !strcmp(argv[3], "write");
	size = strtoull(argv[4], NULL, 0);
	depth = strtoul(argv[5], NULL, 0);
	requests = strtoull(argv[6], NULL, 0);
	queues = argc > 7 ? strtoul(argv[7], NULL, 0) : 1;

	check(blkio_create(argv[1], &b), "create");
	check(blkio_set_str(b, "path", argv[2]), "path");
	if (!strcmp(argv[1], "io_uring"))
		check(blkio_set_bool(b, "direct", true), "direct");
	check(blkio_connect(b), "connect");
	check(blkio_get_uint64(b, "capacity", &capacity), "capacity");
	check(blkio_set_int(b, "num-queues", queues), "num-queues");
	check(blkio_start(b), "start");
	check(blkio_alloc_mem_region(b, &region, queues * depth * size), "memory");
	memset(region.addr, 0x5a, region.len);
	check(blkio_map_mem_region(b, &region), "map");

	jobs = calloc(queues, sizeof(*jobs));
	all = calloc(queues * requests, sizeof(*all));
	for (i = 0; i < queues; i++) {
		jobs[i].q = blkio_get_queue(b, i);
		jobs[i].memory = (char *)region.addr + i * depth * size;
		jobs[i].seed = i + 1;
		jobs[i].latency = all + i * requests;
	}
	if (exact)
		mark_start();
	begin = now();
	for (i = 1; i < queues; i++)
		pthread_create(&jobs[i].thread, NULL, run, &jobs[i]);
	run(&jobs[0]);
	for (i = 1; i < queues; i++)
		pthread_join(jobs[i].thread, NULL);
	end = now();
	if (exact)
		mark_stop();
	requests *= queues;
	qsort(all, requests, sizeof(*all), by_value);
	printf("%llu %llu %llu %llu\n", (unsigned long long)requests,
	       (unsigned long long)((end - begin) / requests),
	       (unsigned long long)all[requests / 2],
	       (unsigned long long)all[requests - 1 - requests / 100]);
	blkio_destroy(&b);
	return 0;
}
