/* SPDX-License-Identifier: GPL-2.0 */
/* The netlink family "vhost", for the objects of vhostctl. */
#ifndef VHOSTCTL_NL_H
#define VHOSTCTL_NL_H

#include <json-c/json.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/vhost_netlink.h>

/* How an attribute is shown. */
enum kind { NUMBER, SIGNED, TEXT, CHOICE, HEX, CPUS, LIST };

/**
 * struct field - an attribute
 * @attr: its number
 * @key: its name, with its unit if it has one
 * @kind: what it is
 * @choice: names of the values of a CHOICE
 * @nr_choice: how many
 */
struct field {
	int attr;
	const char *key;
	enum kind kind;
	const char *const *choice;
	unsigned int nr_choice;
};

/* A set of attributes, in the order in which they are shown; the last has no key. */
extern const struct field dev_fields[];
extern const struct field vq_fields[];
extern const struct field worker_fields[];
extern const char *const poll_modes[2];

/* Names of a row's first values: "dev 1 vq 0". */
#define COLUMNS_DEV	1
#define COLUMNS_IN_DEV	2

/**
 * struct request - an operation that is being put together
 * @nlh: the message
 * @buf: where it is
 */
struct request {
	struct nlmsghdr *nlh;
	char buf[4096];
};

void request_begin(struct request *r, unsigned int cmd, bool dump);
/* Each answer is given to @take, which may be NULL. Return: an exit code. */
int request_send(struct request *r, void (*take)(const struct nlmsghdr *nlh, void *arg),
		 void *arg);
/*
 * Have a dump's answers made into rows with @row. Repeated if the dump was
 * interrupted. Return: an exit code.
 */
int request_rows(struct request *r, void (*row)(const struct nlmsghdr *nlh, json_object *rows),
		 json_object *rows);

/* Text that somebody else chose, as one that can be shown anywhere. */
json_object *clean_text(const char *text);
/* One message as an object. */
json_object *decode(const struct nlmsghdr *nlh, const struct field *fields);
/* Rows as -j wants them, or as text, of which @columns begin the line. */
void print_rows(json_object *rows, int columns);
/* One row, as text. */
void print_row(json_object *row, int columns);

/*
 * What there is, into @rows: of one device or virtqueue or worker, or if that is
 * -1 of all. Virtqueues with their counters if @counters; of get_stats() that is
 * all that there is of them. Return: an exit code.
 */
int get_devices(long dev, json_object *rows);
int get_queues(long dev, long vq, json_object *rows, bool counters);
int get_stats(long dev, long vq, json_object *rows);
int get_workers(long dev, long worker, json_object *rows);
/* Make a row of a worker: for request_rows(). */
void worker_row(const struct nlmsghdr *nlh, json_object *rows);

/* Command lines: "WORD VALUE". */
struct args {
	int argc;
	char **argv;
};

/* Take the next word if it is @word; then what follows, into *@value. */
bool next_is(struct args *a, const char *word, const char **value);
int parse_number(const char *word, const char *text, long min, long max, long *to);
int parse_choice(const char *word, const char *text, const char *const *choice,
		 unsigned int nr, long *to);
/* "0-3,8" into a mask; returns its bytes, or 0. */
size_t parse_cpus(const char *text, __u32 *mask);

/* Wait for what the kernel tells by itself, and call @take, for ever. */
int listen_events(void (*take)(const struct nlmsghdr *nlh));

#endif /* VHOSTCTL_NL_H */
