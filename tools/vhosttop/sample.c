// SPDX-License-Identifier: GPL-2.0
/* What all virtqueues and their workers have done, and how fast. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nl.h"
#include "vhostctl.h"
#include "vhosttop.h"

/* Names of the counters; operations have one of several. */
static const char *const names[NR_COUNTERS] = {
	[CHAINS] = "chains",
	[READ_BYTES] = "bytes_read",
	[WRITTEN_BYTES] = "bytes_written",
	[KICKS] = "kicks",
	[KICKS_SUPPRESSED] = "kicks_suppressed",
	[INTERRUPTS] = "signals",
	[INTERRUPTS_SUPPRESSED] = "signals_suppressed",
	[BATCHES] = "batches",
	[POLL_HITS] = "poll_hits",
	[POLL_MISSES] = "poll_misses",
};

static const char *const operations[] = { "packets", "reads", "writes", "flushes", "others" };

unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

unsigned long long next_due(unsigned long long due, double seconds)
{
	unsigned long long now = now_ns(), next = due + seconds * 1e9;

	return next < now ? now + seconds * 1e9 : next;
}

static unsigned long long number(json_object *row, const char *key)
{
	return json_object_get_uint64(json_object_object_get(row, key));
}

static void text(char *to, size_t size, json_object *row, const char *key)
{
	const char *from = json_object_get_string(json_object_object_get(row, key));

	snprintf(to, size, "%s", from ? from : "");
}

/* The row in which @key is @value, and @key2 (if there is one) @value2. */
static json_object *find(json_object *rows, const char *key, unsigned long long value,
			 const char *key2, unsigned long long value2)
{
	size_t i;

	for (i = 0; i < json_object_array_length(rows); i++) {
		json_object *row = json_object_array_get_idx(rows, i);

		if (number(row, key) == value && (!key2 || number(row, key2) == value2))
			return row;
	}
	return NULL;
}

/* ---- /proc ---------------------------------------------------------------------- */

static size_t read_proc(int pid, const char *file, char *to, size_t size)
{
	char path[64];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(to, 1, size - 1, f);
	fclose(f);
	to[n] = 0;
	return n;
}

/*
 * QEMU's "-name guest=NAME,..." or "-name NAME": what virt-manager and others
 * call the VM. Return: whether there is one.
 */
static bool vm_name(int pid, char *to, size_t size)
{
	static char line[65536];
	size_t n = read_proc(pid, "cmdline", line, sizeof(line));
	char *word, *next, *name = NULL;
	json_object *clean;

	for (word = line; !name && word < line + n; word = next) {
		next = word + strlen(word) + 1;
		if (!strcmp(word, "-name") && next < line + n)
			name = next;
	}
	if (!name)
		return false;
	if (!strncmp(name, "guest=", 6))
		name += 6;
	name[strcspn(name, ",")] = 0;
	/* Cut first: a part of a character is none. */
	if (strlen(name) >= size)
		name[size - 1] = 0;
	clean = clean_text(name);
	snprintf(to, size, "%s", json_object_get_string(clean));
	json_object_put(clean);
	return *to;
}

/* Time and place of a worker. */
static void look_at_worker(struct queue *q)
{
	char line[1024], *behind;
	int field;

	q->cpu = -1;
	if (!q->tid || !read_proc(q->tid, "stat", line, sizeof(line)))
		return;
	/* The name may have blanks and parentheses; behind it is the third field. */
	behind = strrchr(line, ')');
	for (field = 2; behind && field < 39; field++)
		behind = strchr(behind + 1, ' ');
	if (behind)
		q->cpu = atoi(behind);
	if (!read_proc(q->tid, "schedstat", line, sizeof(line)) ||
	    sscanf(line, "%llu %llu", &q->ran_ns, &q->waited_ns) != 2)
		q->cpu = -1;
}

/* ---- a sample ------------------------------------------------------------------- */

static void fill(struct queue *q, json_object *row, json_object *dev, json_object *workers)
{
	json_object *counters = json_object_object_get(row, "counters"), *worker;
	size_t i;

	q->dev = number(row, "dev");
	q->vq = number(row, "vq");
	q->pid = number(dev, "pid");
	text(q->driver, sizeof(q->driver), dev, "driver");
	text(q->node, sizeof(q->node), dev, "node");
	text(q->name, sizeof(q->name), row, "name");
	if (!*q->name)
		snprintf(q->name, sizeof(q->name), "%u", q->vq);
	text(q->state, sizeof(q->state), row, "state");
	if (!q->pid || !vm_name(q->pid, q->vm, sizeof(q->vm)))
		text(q->vm, sizeof(q->vm), dev, "comm");
	q->size = number(row, "size");
	q->in_flight = number(row, "in_flight");
	for (i = 0; i < NR_COUNTERS; i++) {
		if (names[i])
			q->counter[i] = number(counters, names[i]);
	}
	for (i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		q->counter[OPS] += number(counters, operations[i]);
	worker = find(workers, "dev", q->dev, "worker", number(row, "worker"));
	q->tid = number(worker, "tid");
	look_at_worker(q);
	q->cpu_percent = q->wait_percent = q->p50_ns = q->p99_ns = -1;
}

/*
 * What has happened since @was. A counter that went back is not a counter of the
 * same queue: the device has another owner, or its number another device.
 */
static void compare(struct queue *q, const struct queue *was, double seconds)
{
	int i;

	if (q->pid != was->pid || seconds <= 0)
		return;
	for (i = 0; i < NR_COUNTERS; i++) {
		if (q->counter[i] < was->counter[i])
			return;
	}
	for (i = 0; i < NR_COUNTERS; i++)
		q->rate[i] = (q->counter[i] - was->counter[i]) / seconds;
	q->known = true;
	if (q->tid != was->tid || q->cpu < 0 || was->cpu < 0 || q->ran_ns < was->ran_ns ||
	    q->waited_ns < was->waited_ns)
		return;
	q->cpu_percent = (q->ran_ns - was->ran_ns) / seconds / 1e7;
	q->wait_percent = (q->waited_ns - was->waited_ns) / seconds / 1e7;
}

static int by_number(const void *a, const void *b)
{
	const struct queue *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return (x->vq > y->vq) - (x->vq < y->vq);
}

static int collect(struct sample *s, json_object *devices, json_object *queues, json_object *workers,
		   int pid)
{
	int err = get_devices(-1, devices);
	size_t i;

	if (!err)
		err = get_workers(-1, -1, workers);
	s->ns = now_ns();
	if (!err)
		err = get_queues(-1, -1, queues, true);
	if (err)
		return err;
	s->queue = calloc(json_object_array_length(queues) + 1, sizeof(*s->queue));
	if (!s->queue)
		return error(EXIT_KERNEL, "no memory");
	for (i = 0; i < json_object_array_length(queues); i++) {
		json_object *row = json_object_array_get_idx(queues, i);
		json_object *dev = find(devices, "dev", number(row, "dev"), NULL, 0);

		/* Without counters it came or went between two messages. */
		if (!dev || !json_object_object_get(row, "counters") ||
		    (pid && number(dev, "pid") != (unsigned int)pid))
			continue;
		fill(&s->queue[s->nr++], row, dev, workers);
	}
	return EXIT_OK;
}

int sample_take(struct sample *s, const struct sample *before, int pid)
{
	json_object *devices = json_object_new_array();
	json_object *queues = json_object_new_array();
	json_object *workers = json_object_new_array();
	size_t i;
	int err;

	*s = (struct sample){};
	err = collect(s, devices, queues, workers, pid);
	json_object_put(devices);
	json_object_put(queues);
	json_object_put(workers);
	if (err)
		return err;
	s->seconds = before->ns ? (s->ns - before->ns) / 1e9 : 0;
	qsort(s->queue, s->nr, sizeof(*s->queue), by_number);
	/* The one before may be sorted in another way. */
	for (i = 0; i < s->nr; i++) {
		const struct queue *was;

		for (was = before->queue; was < before->queue + before->nr; was++) {
			if (!by_number(&s->queue[i], was))
				compare(&s->queue[i], was, s->seconds);
		}
	}
	return EXIT_OK;
}

void sample_free(struct sample *s)
{
	free(s->queue);
	*s = (struct sample){};
}

double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : -1;
}

double batch_size(const struct queue *q)
{
	return q->rate[BATCHES] > 0 ? q->rate[CHAINS] / q->rate[BATCHES] : -1;
}
