// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <err.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mark.h"
#include "prof.h"

/* Prime, so that sampling does not fall in step with the packets; 10000 is the kernel's least. */
#define PERIOD		10007
#define RING_BYTES	(16u << 20)
#define MAX_DEPTH	64

struct symbol {
	uint64_t addr;
	const char *name;
	unsigned long self;	/* samples in it */
	unsigned long below;	/* samples in it or in what it called */
	unsigned long seen;	/* number of the last sample counted in @below */
};

static struct symbol *symbols;
static size_t nr_symbols;
static struct symbol user = { .name = "(the driver's own code)" };

static bool marking;
static int event = -1;
static struct perf_event_mmap_page *ring;
static pid_t self_tid;
static unsigned long nr_samples, nr_lost, nr_worker, nr_syscall;

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static int by_self(const void *a, const void *b)
{
	const struct symbol *x = *(struct symbol **)a, *y = *(struct symbol **)b;

	return x->self < y->self ? 1 : x->self > y->self ? -1 : 0;
}

static int by_below(const void *a, const void *b)
{
	const struct symbol *x = *(struct symbol **)a, *y = *(struct symbol **)b;

	return x->below < y->below ? 1 : x->below > y->below ? -1 : 0;
}

static void read_symbols(void)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512];
	size_t room = 0;

	if (!f)
		err(1, "/proc/kallsyms");
	while (fgets(line, sizeof(line), f)) {
		unsigned long long addr;
		char type, name[256], module[128] = "", *full;

		if (sscanf(line, "%llx %c %255s %127s", &addr, &type, name, module) < 3 ||
		    !strchr("tTwW", type) || !addr || !strncmp(name, "__pfx_", 6))
			continue;
		if (nr_symbols == room) {
			room = room ? 2 * room : 1 << 18;
			symbols = realloc(symbols, room * sizeof(*symbols));
			if (!symbols)
				err(1, "symbols");
		}
		if (asprintf(&full, "%s%s%s", name, *module ? " " : "", module) < 0)
			err(1, "symbols");
		symbols[nr_symbols++] = (struct symbol){ .addr = addr, .name = full };
	}
	fclose(f);
	if (!nr_symbols)
		errx(1, "/proc/kallsyms has no addresses: not root?");
	qsort(symbols, nr_symbols, sizeof(*symbols), by_addr);
}

static struct symbol *symbol_of(uint64_t ip)
{
	size_t lo = 0, hi = nr_symbols;

	if (!(ip >> 63))
		return &user;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (symbols[mid].addr <= ip)
			lo = mid;
		else
			hi = mid;
	}
	return &symbols[lo];
}

void prof_open(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = PERIOD,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN,
		.disabled = 1,
		.exclude_callchain_user = 1,
	};
	FILE *f;

	/* Neither limit on sampling makes sense when time stands still for us. */
	f = fopen("/proc/sys/kernel/perf_cpu_time_max_percent", "w");
	if (f) {
		fputs("0", f);
		fclose(f);
	}
	f = fopen("/proc/sys/kernel/perf_event_max_sample_rate", "w");
	if (f) {
		fputs("1000000", f);
		fclose(f);
	}
	self_tid = gettid();
	event = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		err(1, "perf_event_open");
	ring = mmap(NULL, RING_BYTES + getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, event, 0);
	if (ring == MAP_FAILED)
		err(1, "perf ring");
}

void prof_close(void)
{
	munmap(ring, RING_BYTES + getpagesize());
	close(event);
	event = -1;
}

static void copy_out(uint64_t at, void *to, size_t len)
{
	const char *data = (char *)ring + ring->data_offset;
	size_t i, off = at & (RING_BYTES - 1);

	for (i = 0; i < len; i++)
		((char *)to)[i] = data[(off + i) & (RING_BYTES - 1)];
}

struct sample {
	struct perf_event_header header;
	uint64_t ip;
	uint32_t pid, tid;
	uint64_t nr;
	uint64_t chain[MAX_DEPTH];
};

static void count_sample(const struct sample *s)
{
	struct symbol *sym = symbol_of(s->ip);
	bool nested = false;
	uint64_t i;

	/* Our own switching on and off. */
	for (i = 0; i < s->nr && i < MAX_DEPTH; i++)
		if (s->chain[i] >> 63 && s->chain[i] < PERF_CONTEXT_MAX &&
		    !strcmp(symbol_of(s->chain[i])->name, "perf_ioctl"))
			return;
	nr_samples++;
	sym->self++;
	if (s->tid != (uint32_t)self_tid)
		nr_worker++;
	else if (sym != &user)
		nr_syscall++;
	for (i = 0; i < s->nr && i < MAX_DEPTH; i++) {
		if (s->chain[i] >= PERF_CONTEXT_MAX)
			continue;
		sym = symbol_of(s->chain[i]);
		if (sym->seen != nr_samples) {
			sym->seen = nr_samples;
			sym->below++;
		}
		nested = true;
	}
	if (!nested)
		sym->below++;
}

static void drain(void)
{
	uint64_t head = __atomic_load_n(&ring->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->data_tail;
	struct sample s;

	if (!symbols)
		read_symbols();
	while (tail < head) {
		copy_out(tail, &s.header, sizeof(s.header));
		if (s.header.type == PERF_RECORD_SAMPLE) {
			copy_out(tail, &s, s.header.size < sizeof(s) ? s.header.size : sizeof(s));
			count_sample(&s);
		} else if (s.header.type == PERF_RECORD_LOST) {
			uint64_t lost[2];

			copy_out(tail + sizeof(s.header), lost, sizeof(lost));
			nr_lost += lost[1];
		}
		tail += s.header.size;
	}
	__atomic_store_n(&ring->data_tail, tail, __ATOMIC_RELEASE);
}

void prof_start(void)
{
	if (marking)
		mark_start();
	if (event >= 0 && ioctl(event, PERF_EVENT_IOC_ENABLE, 0))
		err(1, "PERF_EVENT_IOC_ENABLE");
}

void prof_stop(void)
{
	if (marking)
		mark_stop();
	if (event < 0)
		return;
	if (ioctl(event, PERF_EVENT_IOC_DISABLE, 0))
		err(1, "PERF_EVENT_IOC_DISABLE");
	drain();
}

void prof_mark(bool on)
{
	marking = on;
}

void prof_reset(void)
{
	size_t i;

	for (i = 0; i < nr_symbols; i++)
		symbols[i].self = symbols[i].below = symbols[i].seen = 0;
	user.self = user.below = user.seen = 0;
	nr_samples = nr_lost = nr_worker = nr_syscall = 0;
}

static void print_line(double cost, unsigned long n, const char *name)
{
	double share = (double)n / nr_samples;

	printf("%6.1f%% %8.1f  %s\n", 100 * share, cost * share, name);
}

void prof_report(double cost, unsigned int lines)
{
	struct symbol **list = malloc((nr_symbols + 1) * sizeof(*list));
	size_t i, n = 0;

	if (!list)
		err(1, "report");
	if (!nr_samples)
		errx(1, "no samples");
	for (i = 0; i < nr_symbols; i++)
		if (symbols[i].below || symbols[i].self)
			list[n++] = &symbols[i];
	if (user.self)
		list[n++] = &user;

	printf("# %lu samples, %lu lost, %.1f instructions per packet\n", nr_samples, nr_lost, cost);
	printf("# where: share, instructions per packet\n");
	print_line(cost, nr_worker, "(worker, and interrupts in it)");
	print_line(cost, nr_syscall, "(the driver's system calls, and interrupts in it)");
	print_line(cost, user.self, user.name);
	qsort(list, n, sizeof(*list), by_self);
	printf("# in the function itself: share, instructions per packet, symbol, module\n");
	for (i = 0; i < n && i < lines && list[i]->self; i++)
		print_line(cost, list[i]->self, list[i]->name);
	qsort(list, n, sizeof(*list), by_below);
	printf("# with all that it calls: share, instructions per packet, symbol, module\n");
	for (i = 0; i < n && i < lines && list[i]->below; i++)
		print_line(cost, list[i]->below, list[i]->name);
	free(list);
}
