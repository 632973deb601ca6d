/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the instructions of the timed windows go.
 *
 * Samples of perf's cpu-clock event, which under the instruction clock is one
 * every so many instructions, taken between prof_start() and prof_stop() only:
 * what prepares and checks a round is not in it. The clock's interrupt cannot
 * come where interrupts are off, so such instructions appear at the place
 * that turns them on again.
 */
#ifndef BENCH_PROF_H
#define BENCH_PROF_H

#include <stdbool.h>

/* Without an open one, start and stop do nothing. */
void prof_open(void);
void prof_close(void);
/* Whether the windows are marked for the emulator's own counting (exact.c). */
void prof_mark(bool on);
void prof_start(void);
void prof_stop(void);

/*
 * Prints what was found: shares, and shares of @cost (instructions per packet
 * as measured without sampling).
 */
void prof_report(double cost, unsigned int lines);
/* Forget all samples. */
void prof_reset(void);

#endif
