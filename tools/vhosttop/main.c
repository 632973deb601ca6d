// SPDX-License-Identifier: GPL-2.0
/* vhosttop: what the virtqueues of all VMs do, every second. */
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vhostctl.h"
#include "vhosttop.h"

/* What nl.c and show.c of vhostctl want to know. */
bool opt_json;
bool opt_pretty;

volatile int ending;

static const char usage_text[] =
	"Usage: vhosttop [-b | -j] [-d SECONDS] [-n COUNT] [-p PID] [-x]\n"
	"  -b  batch mode: prints a table each interval\n"
	"  -j  prints a JSON object each interval, in one line\n"
	"  -d  length of an interval: 0.1 to 3600 s (1)\n"
	"  -n  ends after so many intervals\n"
	"  -p  only devices of this VMM\n"
	"  -x  without latencies: loads no BPF programs\n"
	"  -h  shows this\n";

/* While there is a screen it is said there; the last is repeated at the end. */
int error(int code, const char *fmt, ...)
{
	static char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (screen_active)
		screen_note = text;
	else
		fprintf(stderr, "vhosttop: %s\n", text);
	return code;
}

static void end(int signal)
{
	ending = 1;
}

static void print_table(const struct sample *s, const char *why)
{
	char line[256], date[32];
	time_t now = time(NULL);
	size_t i;

	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", localtime(&now));
	printf("vhosttop %s, %.2f s, %zu virtqueues%s%s\n", date, s->seconds, s->nr,
	       why ? "; no latencies: " : "", why ? why : "");
	line_of_heads(line, sizeof(line));
	puts(line);
	for (i = 0; i < s->nr; i++) {
		line_of_queue(&s->queue[i], line, sizeof(line));
		puts(line);
	}
	putchar('\n');
}

/* Until that time or a signal. */
static void sleep_until(unsigned long long ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int run_batch(double seconds, long count, int pid, const char *why)
{
	struct sample s, before = {};
	unsigned long long next = 0;
	int err = EXIT_OK;
	long i;

	for (i = -1; !err && !ending && (count < 0 || i < count); i++) {
		err = sample_take(&s, &before, pid);
		if (err)
			break;
		latency_update(&s);
		if (i >= 0 && opt_json)
			print_json(&s, why);
		else if (i >= 0)
			print_table(&s, why);
		if (fflush(stdout))
			err = error(EXIT_KERNEL, "cannot write");
		sample_free(&before);
		before = s;
		/* The first one takes longer: the programs are just being attached. */
		next = next_due(i < 0 ? s.ns : next, seconds);
		if (i + 1 != count)
			sleep_until(next);
	}
	sample_free(&before);
	return err;
}

static bool parse(const char *text, double least, double most, double *to)
{
	char *end;

	*to = strtod(text, &end);
	return *text && !*end && *to >= least && *to <= most;
}

int main(int argc, char **argv)
{
	double seconds = 1, count = -1, pid = 0;
	struct sigaction action = { .sa_handler = end, .sa_flags = SA_RESTART };
	bool batch = false, latencies = true;
	const char *why = "switched off";
	int opt, err;

	setlocale(LC_CTYPE, "");
	while ((opt = getopt(argc, argv, "bjd:n:p:xh")) != -1) {
		switch (opt) {
		case 'j':
			opt_json = true;
			/* fall through */
		case 'b':
			batch = true;
			break;
		case 'd':
			if (!parse(optarg, 0.1, 3600, &seconds))
				return error(EXIT_USAGE, "-d: 0.1 to 3600 seconds, not \"%s\"", optarg);
			break;
		case 'n':
			if (!parse(optarg, 1, 1e9, &count) || count != (long)count)
				return error(EXIT_USAGE, "-n: a number from 1 on, not \"%s\"", optarg);
			break;
		case 'p':
			if (!parse(optarg, 1, 1 << 22, &pid) || pid != (int)pid)
				return error(EXIT_USAGE, "-p: a process id, not \"%s\"", optarg);
			break;
		case 'x':
			latencies = false;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return EXIT_OK;
		default:
			fputs(usage_text, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return error(EXIT_USAGE, "what is \"%s\"?", argv[optind]);
	if (!batch && (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)))
		return error(EXIT_USAGE, "this is no terminal (-b and -j want none)");
	/* The screen is put back, and the programs taken away. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	if (latencies)
		why = latency_begin();
	if (batch)
		err = run_batch(seconds, count, pid, why);
	else
		err = run_screen(seconds, count, pid, why);
	latency_end();
	return err;
}
