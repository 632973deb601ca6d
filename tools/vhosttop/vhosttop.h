/* SPDX-License-Identifier: GPL-2.0 */
/* vhosttop: what is sampled, and who shows it. */
#ifndef VHOSTTOP_H
#define VHOSTTOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What a virtqueue has counted, of what is shown. */
enum counter {
	CHAINS,
	READ_BYTES,
	WRITTEN_BYTES,
	KICKS,
	KICKS_SUPPRESSED,
	INTERRUPTS,
	INTERRUPTS_SUPPRESSED,
	BATCHES,
	POLL_HITS,
	POLL_MISSES,
	OPS,	/* packets, or of a disk requests */
	NR_COUNTERS,
};

/**
 * struct queue - a virtqueue at one moment, and since the sample before
 * @dev: number of its device
 * @vq: its index
 * @pid: process id of the VMM; 0 if not visible
 * @driver: "net", "blk", "vsock"
 * @node: what the VMM has opened
 * @vm: name of the VM, or else of the VMM's process
 * @name: of the queue, or its index
 * @state: as vhostctl says it
 * @size: entries of the ring
 * @in_flight: chains taken and not completed
 * @tid: thread id of the worker; 0 for none, or if not visible
 * @cpu: where it ran last; -1 if not known
 * @ran_ns: how long it has run since it exists; @waited_ns: how long for a CPU
 * @counter: since the device has its owner
 * @known: what follows is known: there is a sample before of the same queue
 * @rate: counters a second
 * @cpu_percent: of a CPU that the worker has used; @wait_percent: of the time
 *	that it was ready to run and did not. Both negative if not known
 * @turns: turns that were measured from the kick
 * @p50_ns: so soon half of them began, and @p99_ns 99 of 100. Negative without any
 */
struct queue {
	unsigned int dev;
	unsigned int vq;
	int pid;
	char driver[16];
	char node[64];
	char vm[128];
	char name[16];
	char state[16];
	unsigned int size;
	unsigned int in_flight;
	int tid;
	int cpu;
	unsigned long long ran_ns;
	unsigned long long waited_ns;
	unsigned long long counter[NR_COUNTERS];
	bool known;
	double rate[NR_COUNTERS];
	double cpu_percent;
	double wait_percent;
	unsigned long long turns;
	double p50_ns;
	double p99_ns;
};

/**
 * struct sample - all virtqueues at one moment
 * @ns: when, by the monotonic clock
 * @seconds: since the sample before
 * @queue: @nr of them, in the order of devices and indices
 */
struct sample {
	unsigned long long ns;
	double seconds;
	struct queue *queue;
	size_t nr;
};

/* sample.c */
unsigned long long now_ns(void);
/*
 * When the sample after the one that was due at @due is due. What was missed, since we were
 * stopped or samples take longer than an interval, is not made up for.
 */
unsigned long long next_due(unsigned long long due, double seconds);

/*
 * sample_take() fills @s; rates come from @before, which may be empty.
 * Only devices of process @pid, if that is not 0. Return: an exit code.
 */
int sample_take(struct sample *s, const struct sample *before, int pid);
void sample_free(struct sample *s);

/* latency.c: why there are none, or NULL. */
const char *latency_begin(void);
/* Measure these queues, and fill in what was measured since the last time. */
void latency_update(struct sample *s);
void latency_end(void);

/* Parts of a whole in percent; negative if the whole is nothing. */
double percent(double part, double whole);
double batch_size(const struct queue *q);

/* show.c -- as lines of text: the caption, or one queue. */
void line_of_heads(char *line, size_t size);
void line_of_queue(const struct queue *q, char *line, size_t size);
/* As JSON, one line. @why: there are no latencies, or NULL. */
void print_json(const struct sample *s, const char *why);

/* Sort by the column of this key. Return: its name, or NULL if there is none such. */
const char *sort_by(struct sample *s, int key);

/* screen.c: until the user or a signal ends it. Return: an exit code. */
int run_screen(double seconds, long count, int pid, const char *why);
/* Something to be said in the screen, which may be NULL for none. */
extern const char *screen_note;
/* There is a screen. */
extern bool screen_active;

/* main.c: a signal wants us to end. */
extern volatile int ending;

#endif /* VHOSTTOP_H */
