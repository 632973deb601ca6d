// SPDX-License-Identifier: GPL-2.0
/* A sample as lines of a table, or as JSON. */
#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vhosttop.h"

/* ---- columns -------------------------------------------------------------------- */

static double pid(const struct queue *q)
{
	return q->pid;
}

static double tid(const struct queue *q)
{
	return q->tid ? q->tid : -1;
}

static double cpu(const struct queue *q)
{
	return q->cpu;
}

static double cpu_percent(const struct queue *q)
{
	return q->cpu_percent;
}

static double wait_percent(const struct queue *q)
{
	return q->wait_percent;
}

static double rate(const struct queue *q, enum counter c)
{
	return q->known ? q->rate[c] : -1;
}

static double operations(const struct queue *q)
{
	return rate(q, OPS);
}

static double bytes(const struct queue *q)
{
	return q->known ? q->rate[READ_BYTES] + q->rate[WRITTEN_BYTES] : -1;
}

static double kicks(const struct queue *q)
{
	return rate(q, KICKS);
}

static double kicks_suppressed(const struct queue *q)
{
	return rate(q, KICKS_SUPPRESSED);
}

static double interrupts(const struct queue *q)
{
	return rate(q, INTERRUPTS);
}

static double poll_hit_percent(const struct queue *q)
{
	return percent(q->rate[POLL_HITS], q->rate[POLL_HITS] + q->rate[POLL_MISSES]);
}

static double ring_percent(const struct queue *q)
{
	return percent(q->in_flight, q->size);
}

static double p50_us(const struct queue *q)
{
	return q->p50_ns < 0 ? -1 : q->p50_ns / 1000;
}

static double p99_us(const struct queue *q)
{
	return q->p99_ns < 0 ? -1 : q->p99_ns / 1000;
}

/* How numbers are written: as they are, with a digit behind the point, short ("12.3k"). */
enum style { WHOLE, TENTHS, SHORT };

/**
 * struct column - of the table
 * @head: its caption
 * @width: in characters; negative: to the left
 * @key: that is pressed to sort by it; 0 for none
 * @value: negative: not known
 * @style: how it is written
 * Three columns are text: those without a value.
 */
static const struct column {
	const char *head;
	int width;
	int key;
	double (*value)(const struct queue *q);
	enum style style;
} columns[] = {
	{ "PID", 7, 'p', pid, WHOLE },
	{ "VM", -12, 0, NULL, WHOLE },
	{ "DEVICE", -9, 'd', NULL, WHOLE },
	{ "QUEUE", -5, 0, NULL, WHOLE },
	{ "TID", 7, 0, tid, WHOLE },
	{ "CPU", 3, 0, cpu, WHOLE },
	{ "%CPU", 5, 'c', cpu_percent, TENTHS },
	{ "%WAIT", 5, 'w', wait_percent, TENTHS },
	{ "OP/s", 6, 'o', operations, SHORT },
	{ "B/s", 6, 'b', bytes, SHORT },
	{ "KICK/s", 6, 'k', kicks, SHORT },
	{ "SUPP/s", 6, 's', kicks_suppressed, SHORT },
	{ "INT/s", 6, 'i', interrupts, SHORT },
	{ "BATCH", 5, 0, batch_size, TENTHS },
	{ "%HIT", 5, 0, poll_hit_percent, TENTHS },
	{ "%RING", 5, 'r', ring_percent, TENTHS },
	{ "P50us", 7, 0, p50_us, TENTHS },
	{ "P99us", 7, 'l', p99_us, TENTHS },
};

#define NR_COLUMNS (sizeof(columns) / sizeof(*columns))

static void put_number(char *to, size_t size, const struct column *c, double n)
{
	static const char units[] = " kMGTPE";
	const char *unit = units;

	if (n < 0) {
		snprintf(to, size, "-");
	} else if (c->style == TENTHS) {
		snprintf(to, size, "%.*f", n < 99999 ? 1 : 0, n);
	} else if (c->style == WHOLE || n < 9999.5) {
		snprintf(to, size, "%.0f", n);
	} else {
		for (; n >= 999.95 && unit[1]; unit++)
			n /= 1000;
		snprintf(to, size, "%.1f%c", n, *unit);
	}
}

static void put_text(char *to, size_t size, const struct column *c, const struct queue *q)
{
	char *s;

	if (!strcmp(c->head, "VM"))
		snprintf(to, size, "%s", q->vm);
	else if (!strcmp(c->head, "DEVICE"))
		snprintf(to, size, "%u:%s", q->dev, q->driver);
	else
		snprintf(to, size, "%s", q->name);
	/* What has a width of its own would spoil the table. */
	for (s = to; *s; s++) {
		if ((unsigned char)*s >= 0x80)
			*s = '?';
	}
}

/* Append a cell to a line. */
static void put_cell(char *line, size_t size, const struct column *c, const char *cell)
{
	size_t len = strlen(line);

	snprintf(line + len, size - len, "%s%*.*s", len ? " " : "", c->width, abs(c->width), cell);
}

void line_of_heads(char *line, size_t size)
{
	size_t i;

	*line = 0;
	for (i = 0; i < NR_COLUMNS; i++)
		put_cell(line, size, &columns[i], columns[i].head);
}

void line_of_queue(const struct queue *q, char *line, size_t size)
{
	char cell[160];
	size_t i;

	*line = 0;
	for (i = 0; i < NR_COLUMNS; i++) {
		if (columns[i].value)
			put_number(cell, sizeof(cell), &columns[i], columns[i].value(q));
		else
			put_text(cell, sizeof(cell), &columns[i], q);
		put_cell(line, size, &columns[i], cell);
	}
}

/* ---- order ---------------------------------------------------------------------- */

static double (*sort_value)(const struct queue *q);

static int compare(const void *a, const void *b)
{
	const struct queue *x = a, *y = b;
	double m = sort_value ? sort_value(x) : 0, n = sort_value ? sort_value(y) : 0;

	/* The most at the top, but process ids from the first on; then by number. */
	if (m != n)
		return (m > n) == (sort_value != pid) ? -1 : 1;
	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return (x->vq > y->vq) - (x->vq < y->vq);
}

const char *sort_by(struct sample *s, int key)
{
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++) {
		if (!key || columns[i].key != key)
			continue;
		sort_value = columns[i].value;
		qsort(s->queue, s->nr, sizeof(*s->queue), compare);
		return columns[i].head;
	}
	return NULL;
}

/* ---- JSON ----------------------------------------------------------------------- */

/* Rounded to thousandths: figures, not noise. Not known: null. */
static void add(json_object *o, const char *key, double value)
{
	char digits[64];

	snprintf(digits, sizeof(digits), "%.3f", value);
	json_object_object_add(o, key, value < 0 ? NULL : json_object_new_double_s(value, digits));
}

static void add_text(json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void add_number(json_object *o, const char *key, unsigned long long value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static json_object *queue_object(const struct queue *q)
{
	json_object *o = json_object_new_object();

	add_number(o, "dev", q->dev);
	add_number(o, "vq", q->vq);
	add_number(o, "pid", q->pid);
	add_text(o, "vm", q->vm);
	add_text(o, "driver", q->driver);
	add_text(o, "node", q->node);
	add_text(o, "queue", q->name);
	add_text(o, "state", q->state);
	json_object_object_add(o, "worker_tid", q->tid ? json_object_new_int(q->tid) : NULL);
	json_object_object_add(o, "worker_cpu", q->cpu < 0 ? NULL : json_object_new_int(q->cpu));
	add(o, "worker_cpu_percent", q->cpu_percent);
	add(o, "worker_wait_percent", q->wait_percent);
	add(o, strcmp(q->driver, "blk") ? "packets_per_s" : "requests_per_s", operations(q));
	add(o, "read_bytes_per_s", rate(q, READ_BYTES));
	add(o, "written_bytes_per_s", rate(q, WRITTEN_BYTES));
	add(o, "kicks_per_s", kicks(q));
	add(o, "kicks_suppressed_per_s", kicks_suppressed(q));
	add(o, "interrupts_per_s", interrupts(q));
	add(o, "interrupts_suppressed_per_s", rate(q, INTERRUPTS_SUPPRESSED));
	add(o, "batch_chains", batch_size(q));
	add(o, "poll_hit_percent", poll_hit_percent(q));
	add_number(o, "ring_size", q->size);
	add_number(o, "ring_in_flight", q->in_flight);
	add(o, "ring_percent", ring_percent(q));
	add_number(o, "kick_to_run_turns", q->turns);
	add(o, "kick_to_run_p50_us", p50_us(q));
	add(o, "kick_to_run_p99_us", p99_us(q));
	return o;
}

void print_json(const struct sample *s, const char *why)
{
	json_object *o = json_object_new_object(), *queues = json_object_new_array();
	size_t i;

	add_number(o, "time_s", time(NULL));
	add(o, "interval_s", s->seconds);
	json_object_object_add(o, "no_latencies", why ? json_object_new_string(why) : NULL);
	for (i = 0; i < s->nr; i++)
		json_object_array_add(queues, queue_object(&s->queue[i]));
	json_object_object_add(o, "queues", queues);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}
