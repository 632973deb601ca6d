// SPDX-License-Identifier: GPL-2.0
/* Messages as rows, rows as JSON and text; and words of the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vhostctl.h"
#include "nl.h"

#define N(a) (sizeof(a) / sizeof(*(a)))

static const char *const dev_states[] = { "unowned", "owned", "running", "broken" };
static const char *const vq_states[] = { "stopped", "running", "draining", "broken" };
static const char *const layouts[] = { "split", "packed" };
const char *const poll_modes[2] = { "fixed", "adaptive" };
static const char *const sched_policies[8] = {
	"normal", "fifo", "rr", "batch", "iso", "idle", "deadline", "ext",
};

const struct field dev_fields[] = {
	{ VHOST_A_DEV_ID, "dev", NUMBER, NULL, 0 },
	{ VHOST_A_DEV_DRIVER, "driver", TEXT, NULL, 0 },
	{ VHOST_A_DEV_NODE, "node", TEXT, NULL, 0 },
	{ VHOST_A_DEV_STATE, "state", CHOICE, dev_states, N(dev_states) },
	{ VHOST_A_DEV_OWNER_PID, "pid", NUMBER, NULL, 0 },
	{ VHOST_A_DEV_OWNER_COMM, "comm", TEXT, NULL, 0 },
	{ VHOST_A_DEV_VQS, "vqs", NUMBER, NULL, 0 },
	{ VHOST_A_DEV_WORKERS, "workers", NUMBER, NULL, 0 },
	{ VHOST_A_DEV_FEATURES, "features", HEX, NULL, 0 },
	{ VHOST_A_DEV_FEATURES_HIGH, "features_high", HEX, NULL, 0 },
	{ VHOST_A_DEV_NETNS_COOKIE, "netns_cookie", NUMBER, NULL, 0 },
	{ VHOST_A_DEV_CID, "cid", NUMBER, NULL, 0 },
	{ 0, NULL, NUMBER, NULL, 0 },
};

const struct field vq_fields[] = {
	{ VHOST_A_VQ_DEV_ID, "dev", NUMBER, NULL, 0 },
	{ VHOST_A_VQ_INDEX, "vq", NUMBER, NULL, 0 },
	{ VHOST_A_VQ_NAME, "name", TEXT, NULL, 0 },
	{ VHOST_A_VQ_STATE, "state", CHOICE, vq_states, N(vq_states) },
	{ VHOST_A_VQ_LAYOUT, "layout", CHOICE, layouts, N(layouts) },
	{ VHOST_A_VQ_SIZE, "size", NUMBER, NULL, 0 },
	{ VHOST_A_VQ_LAST_AVAIL, "last_avail", NUMBER, NULL, 0 },
	{ VHOST_A_VQ_LAST_USED, "last_used", NUMBER, NULL, 0 },
	{ VHOST_A_VQ_IN_FLIGHT, "in_flight", NUMBER, NULL, 0 },
	{ VHOST_A_VQ_WORKER_ID, "worker", NUMBER, NULL, 0 },
	{ VHOST_A_VQ_POLL_MODE, "poll", CHOICE, poll_modes, N(poll_modes) },
	{ VHOST_A_VQ_POLL_US, "poll_us", NUMBER, NULL, 0 },
	{ VHOST_A_VQ_POLL_WINDOW_NS, "poll_window_ns", NUMBER, NULL, 0 },
	{ VHOST_A_VQ_REJECTION, "rejection", TEXT, NULL, 0 },
	{ 0, NULL, NUMBER, NULL, 0 },
};

const struct field worker_fields[] = {
	{ VHOST_A_WORKER_DEV_ID, "dev", NUMBER, NULL, 0 },
	{ VHOST_A_WORKER_ID, "worker", NUMBER, NULL, 0 },
	{ VHOST_A_WORKER_TID, "tid", NUMBER, NULL, 0 },
	{ VHOST_A_WORKER_CPUS, "cpus", CPUS, NULL, 0 },
	{ VHOST_A_WORKER_POLICY, "class", CHOICE, sched_policies, N(sched_policies) },
	{ VHOST_A_WORKER_PRIORITY, "prio", NUMBER, NULL, 0 },
	{ VHOST_A_WORKER_NICE, "nice", SIGNED, NULL, 0 },
	{ VHOST_A_WORKER_VQ, "vqs", LIST, NULL, 0 },
	{ VHOST_A_WORKER_ERRNO, "errno", NUMBER, NULL, 0 },
	{ 0, NULL, NUMBER, NULL, 0 },
};

/* ---- rows --------------------------------------------------------------------- */

static __u64 get_uint(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == sizeof(__u64) ? mnl_attr_get_u64(attr) :
								 mnl_attr_get_u32(attr);
}

/* "0-3,8" */
static json_object *cpu_list(const struct nlattr *attr)
{
	const __u32 *mask = mnl_attr_get_payload(attr);
	unsigned int bits = mnl_attr_get_payload_len(attr) * 8, cpu, first;
	json_object *o;
	size_t size;
	char *text;
	FILE *f = open_memstream(&text, &size);

	for (cpu = 0; cpu < bits; cpu++) {
		if (!(mask[cpu / 32] & 1u << cpu % 32))
			continue;
		for (first = cpu; cpu + 1 < bits && mask[(cpu + 1) / 32] & 1u << (cpu + 1) % 32;)
			cpu++;
		fprintf(f, ftell(f) ? ",%u" : "%u", first);
		if (cpu > first)
			fprintf(f, "-%u", cpu);
	}
	fclose(f);
	o = json_object_new_string(text);
	free(text);
	return o;
}

/* Bytes of the character that @s begins with in UTF-8, or 0 if it is none that may be shown. */
static int character(const unsigned char *s)
{
	int n = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;
	int i;

	if (*s < ' ' || *s == 0x7f)
		return 0;
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* More controls, overlong forms, halves of pairs, beyond the last one. */
	if ((*s == 0xc2 && s[1] < 0xa0) || (*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/*
 * A process chooses its own name, and the kernel cuts it at a byte: what is no
 * text would spoil JSON and metrics, and what steers a terminal is not for ours.
 */
json_object *clean_text(const char *text)
{
	char *clean = strdup(text), *s = clean;
	json_object *o;

	while (*s) {
		int n = character((unsigned char *)s);

		if (!n)
			*s = '?';
		s += n ? n : 1;
	}
	o = json_object_new_string(clean);
	free(clean);
	return o;
}

static json_object *value_of(const struct nlattr *attr, const struct field *f)
{
	char hex[24];
	__u32 n;

	switch (f->kind) {
	case TEXT:
		return clean_text(mnl_attr_get_str(attr));
	case SIGNED:
		return json_object_new_int((int)mnl_attr_get_u32(attr));
	case CHOICE:
		n = mnl_attr_get_u32(attr);
		return n < f->nr_choice ? json_object_new_string(f->choice[n]) :
					  json_object_new_int(n);
	case HEX:
		snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long)get_uint(attr));
		return json_object_new_string(hex);
	case CPUS:
		return cpu_list(attr);
	default:
		return json_object_new_uint64(get_uint(attr));
	}
}

json_object *decode(const struct nlmsghdr *nlh, const struct field *fields)
{
	json_object *row = json_object_new_object();
	const struct nlattr *attr;

	for (; fields->key; fields++) {
		json_object *list = NULL;

		if (fields->kind == LIST) {
			list = json_object_new_array();
			json_object_object_add(row, fields->key, list);
		}
		mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
			if (mnl_attr_get_type(attr) != fields->attr)
				continue;
			if (list)
				json_object_array_add(list, value_of(attr, fields));
			else
				json_object_object_add(row, fields->key, value_of(attr, fields));
		}
	}
	return row;
}

static void print_value(json_object *value)
{
	size_t i;

	if (!json_object_is_type(value, json_type_array)) {
		fputs(json_object_get_string(value), stdout);
		return;
	}
	for (i = 0; i < json_object_array_length(value); i++)
		printf(i ? ",%s" : "%s",
		       json_object_get_string(json_object_array_get_idx(value, i)));
	if (!i)
		putchar('-');
}

void print_row(json_object *row, int columns)
{
	json_object *counters = NULL;
	int column = 0;

	json_object_object_foreach(row, key, value) {
		if (json_object_is_type(value, json_type_object)) {
			counters = value;
			continue;
		}
		if (column)
			fputs(column == columns ? ": " : " ", stdout);
		column++;
		printf("%s ", key);
		print_value(value);
	}
	putchar('\n');
	if (!counters)
		return;
	json_object_object_foreach(counters, name, count)
		printf("    %s %s\n", name, json_object_get_string(count));
}

void print_rows(json_object *rows, int columns)
{
	int flags = opt_pretty ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN;
	size_t i;

	if (opt_json) {
		puts(json_object_to_json_string_ext(rows, flags));
		return;
	}
	for (i = 0; i < json_object_array_length(rows); i++)
		print_row(json_object_array_get_idx(rows, i), columns);
}

/* ---- words ---------------------------------------------------------------------- */

bool next_is(struct args *a, const char *word, const char **value)
{
	if (!a->argc || strcmp(a->argv[0], word))
		return false;
	*value = a->argc > 1 ? a->argv[1] : "";
	a->argc -= a->argc > 1 ? 2 : 1;
	a->argv += 2;
	return true;
}

int parse_number(const char *word, const char *text, long min, long max, long *to)
{
	char *end;

	*to = strtol(text, &end, 10);
	if (!*text || *end || *to < min || *to > max)
		return error(EXIT_USAGE, "%s: a number from %ld to %ld, not \"%s\"", word, min, max,
			     text);
	return EXIT_OK;
}

int parse_choice(const char *word, const char *text, const char *const *choice,
		 unsigned int nr, long *to)
{
	char all[64] = "";
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!strcmp(text, choice[i])) {
			*to = i;
			return EXIT_OK;
		}
	}
	for (i = 0; i < nr && len < sizeof(all); i++)
		len += snprintf(all + len, sizeof(all) - len, "%s%s",
				!i ? "" : i + 1 < nr ? ", " : " or ", choice[i]);
	return error(EXIT_USAGE, "%s: %s, not \"%s\"", word, all, text);
}

size_t parse_cpus(const char *text, __u32 *mask)
{
	const unsigned long max = VHOST_CPUS_BYTES_MAX * 8;
	unsigned long first, last, most = 0;

	memset(mask, 0, VHOST_CPUS_BYTES_MAX);
	do {
		char *end;

		if (*text < '0' || *text > '9')
			return 0;
		first = strtoul(text, &end, 10);
		last = first;
		if (*end == '-') {
			text = end + 1;
			if (*text < '0' || *text > '9')
				return 0;
			last = strtoul(text, &end, 10);
		}
		if (last < first || last >= max || (*end && *end != ','))
			return 0;
		most = last > most ? last : most;
		for (; first <= last; first++)
			mask[first / 32] |= 1u << first % 32;
		text = end;
	} while (*text++);
	return (most / 32 + 1) * sizeof(*mask);
}
