// SPDX-License-Identifier: GPL-2.0
/*
 * What a packet costs: drives /dev/vhost-net as a guest driver and a VMM in
 * one process, and prints nanoseconds a packet. In a machine whose clock counts
 * instructions (selftests/bench/run.sh starts one) these are instructions.
 */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof.h"
#include "vbench.h"

static const struct bench_case cases[] = {
	{ .name = "tx64", .title = "TX 64 B, XDP_DROP on the tap",
	  .len = 64, .xdp = true },
	{ .name = "tx64-stack", .title = "TX 64 B, through the host stack",
	  .len = 64 },
	{ .name = "tx1500", .title = "TX 1500 B, XDP_DROP",
	  .len = 1500, .xdp = true },
	{ .name = "tx64-kick", .title = "TX 64 B, one packet a kick, XDP_DROP",
	  .len = 64, .xdp = true, .burst = 1 },
	{ .name = "rx64", .title = "RX 64 B",
	  .len = 64, .rx = true },
	{ .name = "rx1500-mrg", .title = "RX 1500 B, mergeable buffers",
	  .len = 1500, .rx = true, .mergeable = true },
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* "split", "packed+in-order" ...: a word, and what --mode takes. */
static const char *mode(const struct options *o)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s%s%s", o->packed ? "packed" : "split",
		 o->in_order ? "+in-order" : "", o->event_idx ? "+event-idx" : "");
	return text;
}

static bool set_mode(struct options *o, char *text)
{
	char *word;

	for (word = strtok(text, "+"); word; word = strtok(NULL, "+")) {
		if (!strcmp(word, "split"))
			o->packed = false;
		else if (!strcmp(word, "packed"))
			o->packed = true;
		else if (!strcmp(word, "in-order"))
			o->in_order = true;
		else if (!strcmp(word, "event-idx"))
			o->event_idx = true;
		else
			return false;
	}
	return true;
}

static void run(const struct options *o, const struct bench_case *c)
{
	double *cost = calloc(o->rounds, sizeof(*cost));
	unsigned int i, burst = c->burst ? c->burst : o->burst;
	unsigned int packets = (o->packets + burst - 1) / burst * burst;
	struct net *n = net_open(o, c);

	if (!cost)
		err(1, "memory");
	/* One round for page faults, slab caches and static keys. */
	net_round(n, packets);
	for (i = 0; i < o->rounds; i++)
		cost[i] = (double)net_round(n, packets) / packets;
	qsort(cost, o->rounds, sizeof(*cost), by_value);
	printf("%-12s %-16s %9.1f %9.1f %9.1f  %s\n", c->name, mode(o), cost[o->rounds / 2],
	       cost[0], cost[o->rounds - 1], c->title);
	fflush(stdout);
	if (o->profile) {
		prof_open();
		for (i = 0; i < o->rounds; i++)
			net_round(n, packets);
		prof_report(cost[o->rounds / 2], o->profile);
		prof_reset();
		prof_close();
	}
	if (o->exact) {
		prof_mark(true);
		for (i = 0; i < o->rounds; i++)
			net_round(n, packets);
		prof_mark(false);
		printf("exact %u\n", o->rounds * packets);
	}
	net_close(n);
	free(cost);
	fflush(stdout);
}

static void usage(void)
{
	size_t i;

	fprintf(stderr,
		"vbench [options] [case...]\n"
		"prints: case, mode, median, least and most instructions a packet, title\n"
		"ends with 77 if the device does not offer the mode\n"
		"  --node NODE     device (/dev/vhost-net)\n"
		"  --burst N       packets made available at once (64)\n"
		"  --ring N        entries of the ring (256)\n"
		"  --packets N     in a round (12800)\n"
		"  --rounds N      of which the median counts (5)\n"
		"  --rx-buf N      bytes of a receive buffer (2048)\n"
		"  --wait HOW      call (sleep on the call eventfd; default) or yield (look at the ring)\n"
		"  --mode MODE     split (default) or packed, then +in-order, +event-idx\n"
		"  --profile[=N]   where the instructions go, by symbol; the first N (40)\n"
		"  --exact         more rounds, marked for profile.sh\n"
		"cases:\n");
	for (i = 0; i < NR_CASES; i++)
		fprintf(stderr, "  %-12s %s\n", cases[i].name, cases[i].title);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "node", required_argument, NULL, 'n' },
		{ "burst", required_argument, NULL, 'b' },
		{ "ring", required_argument, NULL, 'g' },
		{ "packets", required_argument, NULL, 'p' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "rx-buf", required_argument, NULL, 'x' },
		{ "wait", required_argument, NULL, 'w' },
		{ "mode", required_argument, NULL, 'm' },
		{ "profile", optional_argument, NULL, 'P' },
		{ "exact", no_argument, NULL, 'X' },
		{ }
	};
	struct options o = {
		.node = "/dev/vhost-net",
		.ring = 256,
		.burst = 64,
		.packets = 12800,
		.rounds = 5,
		.rx_buf = 2048,
	};
	bool found;
	size_t i;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			o.node = optarg;
			break;
		case 'b':
			o.burst = strtoul(optarg, NULL, 0);
			break;
		case 'g':
			o.ring = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			o.packets = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			o.rounds = strtoul(optarg, NULL, 0);
			break;
		case 'x':
			o.rx_buf = strtoul(optarg, NULL, 0);
			break;
		case 'w':
			if (!strcmp(optarg, "yield"))
				o.wait = WAIT_YIELD;
			else if (!strcmp(optarg, "call"))
				o.wait = WAIT_CALL;
			else
				usage();
			break;
		case 'm':
			if (!set_mode(&o, optarg))
				usage();
			break;
		case 'P':
			o.profile = optarg ? strtoul(optarg, NULL, 0) : 40;
			break;
		case 'X':
			o.exact = true;
			break;
		default:
			usage();
		}
	}
	if (!o.burst || !o.rounds || !o.packets || o.rx_buf < 2048)
		usage();
	for (c = optind; c < argc; c++) {
		for (found = false, i = 0; i < NR_CASES; i++)
			found |= !strcmp(argv[c], cases[i].name);
		if (!found)
			errx(2, "no case '%s'", argv[c]);
	}
	for (i = 0; i < NR_CASES; i++) {
		found = optind == argc;
		for (c = optind; c < argc; c++)
			found |= !strcmp(argv[c], cases[i].name);
		if (found)
			run(&o, &cases[i]);
	}
	return 0;
}
