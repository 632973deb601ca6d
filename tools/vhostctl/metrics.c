// SPDX-License-Identifier: GPL-2.0
/*
 * vhostctl stat --openmetrics and --prometheus: all there is, for a monitoring
 * system.
 *
 * The two texts have the same samples. OpenMetrics names a counter's family
 * without "_total", knows units, and ends with a mark; the older text format of
 * Prometheus, which node_exporter's textfile collector reads, has none of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vhostctl.h"
#include "nl.h"
#include "counters.h"

static bool openmetrics;

/* ---- text ------------------------------------------------------------------------- */

struct family {
	const char *name;	/* without "vhost_" and what its type adds */
	const char *type;
	const char *unit;
	const char *help;
	bool begun;
};

/* What a type adds to a family's name. */
static const char *suffix_of(const struct family *f)
{
	if (!strcmp(f->type, "counter"))
		return "_total";
	return !strcmp(f->type, "info") ? "_info" : "";
}

/* Print what @f is, before its first sample; a family without any is not there. */
static void begin(struct family *f)
{
	const char *suffix = openmetrics ? "" : suffix_of(f), *type = f->type;

	if (f->begun)
		return;
	f->begun = true;
	if (!openmetrics && !strcmp(type, "info"))
		type = "gauge";
	printf("# HELP vhost_%s%s %s.\n", f->name, suffix, f->help);
	printf("# TYPE vhost_%s%s %s\n", f->name, suffix, type);
	if (openmetrics && f->unit)
		printf("# UNIT vhost_%s %s\n", f->name, f->unit);
}

static void sample(struct family *f, const char *labels, double value)
{
	begin(f);
	printf("vhost_%s%s{%s} %.17g\n", f->name, suffix_of(f), labels, value);
}

/* Counters need all their 64 bits. */
static void sample_count(struct family *f, const char *labels, unsigned long long value)
{
	begin(f);
	printf("vhost_%s%s{%s} %llu\n", f->name, suffix_of(f), labels, value);
}

/* Append NAME="VALUE" to @labels. A process chooses its name. */
static void label(FILE *labels, const char *name, const char *value)
{
	fprintf(labels, "%s%s=\"", ftell(labels) ? "," : "", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", labels);
		else if (*value == '"' || *value == '\\')
			fprintf(labels, "\\%c", *value);
		else
			fputc(*value, labels);
	}
	fputc('"', labels);
}

/* ---- rows and their labels ------------------------------------------------------ */

static const char *text_of(json_object *row, const char *key)
{
	json_object *o = json_object_object_get(row, key);

	return o ? json_object_get_string(o) : "";
}

static void label_from(FILE *labels, const char *name, json_object *row, const char *key)
{
	label(labels, name, text_of(row, key));
}

/* Those of a device, which all its samples have. */
static void device_labels(FILE *f, json_object *dev)
{
	label_from(f, "device", dev, "dev");
	label_from(f, "driver", dev, "driver");
	label_from(f, "node", dev, "node");
	label_from(f, "pid", dev, "pid");
	label_from(f, "comm", dev, "comm");
}

/* The device with @row's number; NULL if it came after the devices were read. */
static json_object *device_of(json_object *devs, json_object *row)
{
	const char *id = text_of(row, "dev");
	size_t i;

	for (i = 0; i < json_object_array_length(devs); i++) {
		json_object *dev = json_object_array_get_idx(devs, i);

		if (!strcmp(text_of(dev, "dev"), id))
			return dev;
	}
	return NULL;
}

/* A virtqueue's labels are kept in its row. */
static void add_labels(json_object *devs, json_object *vqs)
{
	size_t i, size;

	for (i = 0; i < json_object_array_length(vqs); i++) {
		json_object *row = json_object_array_get_idx(vqs, i), *dev = device_of(devs, row);
		char *labels;
		FILE *f;

		if (!dev)
			continue;
		f = open_memstream(&labels, &size);
		device_labels(f, dev);
		label_from(f, "queue", row, "name");
		fclose(f);
		json_object_object_add(row, "labels", json_object_new_string(labels));
		free(labels);
	}
}

/*
 * Each of @rows that has labels, with its labels. Return: NULL if there are no
 * more.
 */
static json_object *next_row(json_object *rows, size_t *i, const char **labels)
{
	while (*i < json_object_array_length(rows)) {
		json_object *row = json_object_array_get_idx(rows, (*i)++);
		json_object *o = json_object_object_get(row, "labels");

		if (!o)
			continue;
		*labels = json_object_get_string(o);
		return row;
	}
	return NULL;
}

/* ---- families ------------------------------------------------------------------- */

static void print_devices(json_object *devs)
{
	struct family f = { "device", "info", NULL, "Open vhost devices", false };
	size_t i, size;

	for (i = 0; i < json_object_array_length(devs); i++) {
		json_object *dev = json_object_array_get_idx(devs, i);
		char *labels;
		FILE *to = open_memstream(&labels, &size);

		device_labels(to, dev);
		label_from(to, "state", dev, "state");
		label_from(to, "features", dev, "features");
		fclose(to);
		sample(&f, labels, 1);
		free(labels);
	}
}

static double is_running(json_object *vq)
{
	return !strcmp(text_of(vq, "state"), "running");
}

static double is_broken(json_object *vq)
{
	return !strcmp(text_of(vq, "state"), "broken");
}

static double size_of(json_object *vq)
{
	return json_object_get_int64(json_object_object_get(vq, "size"));
}

static double in_flight(json_object *vq)
{
	return json_object_get_int64(json_object_object_get(vq, "in_flight"));
}

static double poll_window(json_object *vq)
{
	return json_object_get_int64(json_object_object_get(vq, "poll_window_ns")) / 1e9;
}

static void print_gauges(json_object *vqs)
{
	static const struct {
		struct family family;
		double (*value)(json_object *vq);
	} gauge[] = {
		{ { "queue_running", "gauge", NULL, "1 if the virtqueue is served", false },
		  is_running },
		{ { "queue_broken", "gauge", NULL, "1 if the virtqueue waits to be started again",
		    false },
		  is_broken },
		{ { "queue_size", "gauge", NULL, "Entries of the ring", false }, size_of },
		{ { "queue_in_flight", "gauge", NULL, "Chains taken and not completed", false },
		  in_flight },
		{ { "queue_poll_window_seconds", "gauge", "seconds",
		    "How long the virtqueue would busy poll now", false },
		  poll_window },
	};
	const char *labels;
	json_object *vq;
	unsigned int k;

	for (k = 0; k < sizeof(gauge) / sizeof(*gauge); k++) {
		struct family f = gauge[k].family;
		size_t i = 0;

		while ((vq = next_row(vqs, &i, &labels)))
			sample(&f, labels, gauge[k].value(vq));
	}
}

/* Return: false if the virtqueue does not count that. */
static bool count_of(json_object *vq, const char *name, unsigned long long *count)
{
	json_object *all = json_object_object_get(vq, "counters"), *o;

	if (!all || !json_object_object_get_ex(all, name, &o))
		return false;
	*count = json_object_get_uint64(o);
	return true;
}

static void print_counters(json_object *vqs)
{
	const struct counter *c;
	unsigned long long count;
	const char *labels;
	json_object *vq;

	for (c = counters; c->name; c++) {
		struct family f = { c->family, "counter", c->unit, c->help, false };
		size_t i = 0;

		while ((vq = next_row(vqs, &i, &labels))) {
			if (count_of(vq, c->name, &count))
				sample_count(&f, labels, count);
		}
	}
}

/*
 * All reasons together of every virtqueue, so that a first rejection is a step
 * from 0; one by one only those that were: most never are, and they are many.
 */
static void print_rejections(json_object *vqs)
{
	struct family all = { "rejected", "counter", NULL,
			      "Malformed chains, packets and requests", false };
	struct family each = { "rejections", "counter", NULL,
			       "The same by reason; only reasons that occurred", false };
	const struct rejection *r;
	unsigned long long count;
	const char *labels;
	json_object *vq;
	size_t i = 0;

	while ((vq = next_row(vqs, &i, &labels))) {
		unsigned long long sum = 0;

		for (r = rejections; r->name; r++) {
			if (count_of(vq, r->name, &count))
				sum += count;
		}
		if (json_object_object_get(vq, "counters"))
			sample_count(&all, labels, sum);
	}
	for (i = 0; (vq = next_row(vqs, &i, &labels));) {
		for (r = rejections; r->name; r++) {
			if (!count_of(vq, r->name, &count) || !count)
				continue;
			begin(&each);
			printf("vhost_%s_total{%s,reason=\"%s\"} %llu\n", each.name, labels,
			       r->name, count);
		}
	}
}

/*
 * The modules count for each power of two of 1024 ns what took less, and not
 * less than half; Prometheus all that took less. Nobody adds up the times, so
 * there is no sum; OpenMetrics then wants no count either.
 */
static void print_histogram(struct family *f, json_object *vq, const char *labels,
			    const char *type)
{
	unsigned long long count, sum = 0;
	unsigned long us;
	char name[40];

	for (us = 1; us <= 1ul << 20; us *= 2) {
		snprintf(name, sizeof(name), "%s_us_%lu", type, us);
		if (!count_of(vq, name, &count))
			return;
		begin(f);
		sum += count;
		printf("vhost_%s_bucket{%s,type=\"%s\",le=\"%.9g\"} %llu\n", f->name, labels, type,
		       us * 1024e-9, sum);
	}
	snprintf(name, sizeof(name), "%s_us_more", type);
	if (count_of(vq, name, &count))
		sum += count;
	printf("vhost_%s_bucket{%s,type=\"%s\",le=\"+Inf\"} %llu\n", f->name, labels, type, sum);
	if (!openmetrics)
		printf("vhost_%s_count{%s,type=\"%s\"} %llu\n", f->name, labels, type, sum);
}

static void print_times(json_object *vqs)
{
	static const char *const type[] = { "read", "write", "flush" };
	struct family f = { "blk_request_seconds", "histogram", "seconds",
			    "Time from the fetch of a request to its completion", false };
	const char *labels;
	json_object *vq;
	unsigned int k;
	size_t i = 0;

	while ((vq = next_row(vqs, &i, &labels))) {
		for (k = 0; k < sizeof(type) / sizeof(*type); k++)
			print_histogram(&f, vq, labels, type[k]);
	}
}

/* A worker's time on CPUs, in nanoseconds; the kernel tells it with the thread's others. */
static bool cpu_time(const char *tid, unsigned long long *ns)
{
	char path[64];
	bool found;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	found = fscanf(f, "%llu", ns) == 1;
	fclose(f);
	return found;
}

static void print_workers(json_object *devs, json_object *workers)
{
	struct family f = { "worker_cpu_seconds", "counter", "seconds",
			    "Time that the worker has spent on CPUs", false };
	unsigned long long ns;
	size_t i, size;

	for (i = 0; i < json_object_array_length(workers); i++) {
		json_object *row = json_object_array_get_idx(workers, i);
		json_object *dev = device_of(devs, row);
		char *labels;
		FILE *to;

		if (!dev || !cpu_time(text_of(row, "tid"), &ns))
			continue;
		to = open_memstream(&labels, &size);
		device_labels(to, dev);
		label_from(to, "worker", row, "worker");
		label_from(to, "tid", row, "tid");
		fclose(to);
		sample(&f, labels, ns / 1e9);
		free(labels);
	}
}

int print_metrics(long dev, long vq, bool as_openmetrics)
{
	json_object *devs = json_object_new_array(), *vqs = json_object_new_array();
	json_object *workers = json_object_new_array();
	int err = get_devices(dev, devs);

	openmetrics = as_openmetrics;
	if (!err)
		err = get_queues(dev, vq, vqs, true);
	if (!err && vq < 0)
		err = get_workers(dev, -1, workers);
	if (!err) {
		add_labels(devs, vqs);
		print_devices(devs);
		print_gauges(vqs);
		print_counters(vqs);
		print_rejections(vqs);
		print_times(vqs);
		print_workers(devs, workers);
		if (openmetrics)
			puts("# EOF");
		if (fflush(stdout) || ferror(stdout))
			err = error(EXIT_KERNEL, "cannot write");
	}
	json_object_put(workers);
	json_object_put(vqs);
	json_object_put(devs);
	return err;
}
