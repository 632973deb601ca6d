// SPDX-License-Identifier: GPL-2.0
/*
 * blkmq - a disk through all its queues at once, by libblkio.
 *
 *   blkmq NODE BACKING QUEUES
 *
 * Each queue has a thread, and each thread a part of the disk. It writes its
 * part, block by block marked with writer, round, place and a CRC; when all have
 * written it reads and verifies the part of another one through its own queue.
 * That a few times, so that what is left of the round before is an error, too.
 * Requests have all lengths up to 64 KiB, in another cut and order each time,
 * and DEPTH of them are under way in each queue. Then a flush through every queue.
 *
 * In the end each queue must have counted what went through it, and the whole
 * disk is read once more from its backing, past the page cache. Prints one line:
 * each queue's requests, and the layout of the rings.
 */
#define _GNU_SOURCE
#include <blkio.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK		4096u
#define REQUEST_MAX	16u		/* blocks */
#define DEPTH		16u
#define ROUNDS		3u
#define QUEUES_MAX	16u
#define MAGIC		0x316d716b6c62ull

struct mark {
	uint64_t magic;
	uint64_t block;
	uint32_t writer;
	uint32_t round;
	uint32_t crc;		/* of the block, with 0 here */
};

struct request {
	uint64_t block;
	unsigned int blocks;
};

struct job {
	pthread_t thread;
	struct blkioq *q;
	unsigned int index;
	char *memory;			/* DEPTH requests */
	struct request *plan;
	uint64_t writes, reads;		/* requests */
};

static struct blkio *b;
static unsigned int queues;
static uint64_t part;			/* blocks */
static pthread_barrier_t barrier;
static struct job jobs[QUEUES_MAX];

#define die(...) do { fprintf(stderr, "blkmq: " __VA_ARGS__); fputc('\n', stderr); exit(1); } while (0)

static void check(int ret, const char *what)
{
	if (ret < 0)
		die("%s: %s (%s)", what, strerror(-ret), blkio_get_error_msg());
}

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* ---- blocks ---------------------------------------------------------------------- */

static uint32_t crc_table[256];

static void crc_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
		crc_table[i] = crc;
	}
}

static uint32_t crc32c(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint32_t crc = ~0u;

	while (len--)
		crc = crc >> 8 ^ crc_table[(crc ^ *p++) & 0xff];
	return ~crc;
}

static void fill(void *to, unsigned int writer, unsigned int round, uint64_t block)
{
	uint64_t seed = block << 8 | round, *word = to;
	struct mark *m = to;

	for (unsigned int i = 0; i < BLOCK / sizeof(*word); i++)
		word[i] = next(&seed);
	*m = (struct mark){ MAGIC, block, writer, round, 0 };
	m->crc = crc32c(to, BLOCK);
}

static void verify(void *from, unsigned int writer, unsigned int round, uint64_t block,
		   const char *by)
{
	struct mark *m = from;
	uint32_t crc = m->crc;

	m->crc = 0;
	if (m->magic != MAGIC || m->block != block || m->writer != writer || m->round != round)
		die("%s: block %ju of writer %u, round %u, is block %ju of writer %u, round %u%s",
		    by, (uintmax_t)block, writer, round, (uintmax_t)m->block, m->writer,
		    m->round, m->magic == MAGIC ? "" : ", without the magic");
	if (crc32c(from, BLOCK) != crc)
		die("%s: block %ju: wrong CRC", by, (uintmax_t)block);
}

/* ---- a queue ----------------------------------------------------------------------- */

/* Cut a part into requests, and mix them. Returns how many. */
static unsigned int make_plan(struct job *j, unsigned int whose, uint64_t seed)
{
	uint64_t block = whose * part, end = block + part;
	unsigned int i, n = 0;

	while (block < end) {
		struct request *r = &j->plan[n++];

		r->block = block;
		r->blocks = next(&seed) % REQUEST_MAX + 1;
		if (r->blocks > end - block)
			r->blocks = end - block;
		block += r->blocks;
	}
	for (i = n - 1; i; i--) {
		unsigned int k = next(&seed) % (i + 1);
		struct request r = j->plan[i];

		j->plan[i] = j->plan[k];
		j->plan[k] = r;
	}
	return n;
}

static char *slot_memory(struct job *j, unsigned int slot)
{
	return j->memory + slot * REQUEST_MAX * BLOCK;
}

static void submit(struct job *j, const struct request *r, unsigned int slot,
		   unsigned int round, bool write)
{
	char *buf = slot_memory(j, slot);
	void *token = (void *)(uintptr_t)slot;
	unsigned int i;

	if (!write) {
		memset(buf, 0, r->blocks * BLOCK);
		blkioq_read(j->q, r->block * BLOCK, buf, r->blocks * BLOCK, token, 0);
		return;
	}
	for (i = 0; i < r->blocks; i++)
		fill(buf + i * BLOCK, j->index, round, r->block + i);
	blkioq_write(j->q, r->block * BLOCK, buf, r->blocks * BLOCK, token, 0);
}

/* Write the part of @whose, or read and verify it, through this queue. */
static unsigned int pass(struct job *j, unsigned int whose, unsigned int round, bool write)
{
	unsigned int n = make_plan(j, whose, round << 16 | j->index << 8 | write);
	struct request under_way[DEPTH];
	struct blkio_completion c[DEPTH];
	unsigned int begun = 0, done = 0;

	for (; begun < n && begun < DEPTH; begun++) {
		under_way[begun] = j->plan[begun];
		submit(j, &under_way[begun], begun, round, write);
	}
	while (done < n) {
		int k, got = blkioq_do_io(j->q, c, 1, DEPTH, NULL);

		check(got, "do_io");
		for (k = 0; k < got; k++, done++) {
			unsigned int slot = (uintptr_t)c[k].user_data, i;
			const struct request *r = &under_way[slot];

			check(c[k].ret, write ? "write" : "read");
			for (i = 0; !write && i < r->blocks; i++)
				verify(slot_memory(j, slot) + i * BLOCK, whose, round,
				       r->block + i, "read through another queue");
			if (begun < n) {
				under_way[slot] = j->plan[begun++];
				submit(j, &under_way[slot], slot, round, write);
			}
		}
	}
	return n;
}

static void *run(void *arg)
{
	struct blkio_completion c;
	struct job *j = arg;

	for (unsigned int round = 1; round <= ROUNDS; round++) {
		/* Another one's, and each time the next one's. */
		unsigned int whose = (j->index + 1 + (round - 1) % (queues - 1)) % queues;

		j->writes += pass(j, j->index, round, true);
		pthread_barrier_wait(&barrier);
		j->reads += pass(j, whose, round, false);
		pthread_barrier_wait(&barrier);
	}
	blkioq_flush(j->q, NULL, 0);
	check(blkioq_do_io(j->q, &c, 1, 1, NULL), "do_io");
	check(c.ret, "flush");
	return NULL;
}

/* ---- after it ------------------------------------------------------------------------ */

/* The queue's file: while the disk is open. */
static FILE *queue_file(unsigned int index)
{
	char pattern[80];
	glob_t found;
	FILE *f;

	snprintf(pattern, sizeof(pattern), "/sys/kernel/debug/vhost/%d-blk-*/vq%u", getpid(),
		 index);
	if (glob(pattern, 0, NULL, &found) || found.gl_pathc != 1)
		die("no %s, or several", pattern);
	f = fopen(found.gl_pathv[0], "re");
	if (!f)
		die("%s: %m", found.gl_pathv[0]);
	globfree(&found);
	return f;
}

static void counter_is(unsigned int index, const char *name, uint64_t want)
{
	char line[256], key[64];
	FILE *f = queue_file(index);
	uint64_t value;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %ju", key, &value) != 2 || strcmp(key, name))
			continue;
		if (value != want)
			die("queue %u: %s is %ju, not %ju", index, name, (uintmax_t)value,
			    (uintmax_t)want);
		fclose(f);
		return;
	}
	die("queue %u has no %s", index, name);
}

static void print_layout(void)
{
	char line[256], layout[32] = "";
	FILE *f = queue_file(0);

	while (fgets(line, sizeof(line), f) && sscanf(line, "layout %31s", layout) != 1)
		;
	fclose(f);
	printf(" layout=%s\n", layout);
}

static void verify_backing(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	size_t size = REQUEST_MAX * BLOCK;
	uint64_t block = 0;
	char *buf = NULL;

	if (fd < 0 || posix_memalign((void **)&buf, BLOCK, size))
		die("%s: %m", path);
	while (block < queues * part) {
		ssize_t n = pread(fd, buf, size, block * BLOCK);

		if (n <= 0 || n % BLOCK)
			die("%s: %m (%zd bytes read)", path, n);
		for (ssize_t i = 0; i < n && block < queues * part; i += BLOCK, block++)
			verify(buf + i, block / part, ROUNDS, block, "read from the backing");
	}
	free(buf);
	close(fd);
}

int main(int argc, char **argv)
{
	struct blkio_mem_region region;
	uint64_t capacity;
	unsigned int i;
	size_t memory = DEPTH * REQUEST_MAX * BLOCK;

	queues = argc == 4 ? atoi(argv[3]) : 0;
	if (queues < 2 || queues > QUEUES_MAX) {
		fputs("usage: blkmq NODE BACKING QUEUES (2 to 16)\n", stderr);
		return 2;
	}
	crc_init();
	check(blkio_create("virtio-blk-vhost-vdpa", &b), "create");
	check(blkio_set_str(b, "path", argv[1]), "path");
	check(blkio_connect(b), "connect");
	check(blkio_get_uint64(b, "capacity", &capacity), "capacity");
	check(blkio_set_int(b, "num-queues", queues), "num-queues");
	check(blkio_start(b), "start");
	check(blkio_alloc_mem_region(b, &region, queues * memory), "memory");
	check(blkio_map_mem_region(b, &region), "map");
	part = capacity / BLOCK / queues;

	pthread_barrier_init(&barrier, NULL, queues);
	for (i = 0; i < queues; i++) {
		jobs[i].q = blkio_get_queue(b, i);
		jobs[i].index = i;
		jobs[i].memory = (char *)region.addr + i * memory;
		jobs[i].plan = calloc(part, sizeof(*jobs[i].plan));
	}
	for (i = 0; i < queues; i++)
		if (pthread_create(&jobs[i].thread, NULL, run, &jobs[i]))
			die("no thread");
	for (i = 0; i < queues; i++)
		pthread_join(jobs[i].thread, NULL);
	for (i = 0; i < queues; i++) {
		counter_is(i, "writes", jobs[i].writes);
		counter_is(i, "reads", jobs[i].reads);
		counter_is(i, "flushes", 1);
		counter_is(i, "errors", 0);
		printf("vq%u=%ju/%ju ", i, (uintmax_t)jobs[i].writes, (uintmax_t)jobs[i].reads);
		free(jobs[i].plan);
	}
	print_layout();
	blkio_destroy(&b);
	verify_backing(argv[2]);
	return 0;
}
