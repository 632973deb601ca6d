/* SPDX-License-Identifier: GPL-2.0 */
/* vhostctl: objects, each a file of its own. */
#ifndef VHOSTCTL_H
#define VHOSTCTL_H

#include <stdbool.h>

/* Exit codes, as iproute2's. */
enum {
	EXIT_OK = 0,
	EXIT_FINDINGS = 1,	/* doctor: there is a problem */
	EXIT_USAGE = 1,		/* the command line makes no sense */
	EXIT_KERNEL = 2,	/* the kernel refused, or there is nothing */
};

/* -j */
extern bool opt_json;
/* -p: JSON for people */
extern bool opt_pretty;
/* -s: with counters */
extern bool opt_stats;

int error(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool is_word(const char *arg, const char *word);

bool wants_help(int argc, char **argv);
int help(const char *text);

/* blk.c */
int cmd_blk(int argc, char **argv);

/* cid.c */
int cmd_cid(int argc, char **argv);

/* dev.c */
int cmd_dev(int argc, char **argv);

/* vq.c */
int cmd_vq(int argc, char **argv);
int cmd_stat(int argc, char **argv);

/* metrics.c */
int print_metrics(long dev, long vq, bool as_openmetrics);

/* worker.c */
int cmd_worker(int argc, char **argv);

/* monitor.c */
int cmd_monitor(int argc, char **argv);

/* doctor.c */
int cmd_doctor(int argc, char **argv);

#endif /* VHOSTCTL_H */
