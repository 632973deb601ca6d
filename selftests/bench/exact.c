// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU's that counts how often each instruction of the guest's
 * kernel runs between two marks: a profile without sampling, interrupts-off
 * code included. profile.sh loads it, vbench --exact sets the marks.
 *
 *   -plugin file=exact-N.so,out=FILE
 *
 * At the end FILE has a line for each instruction that ran: address, how often,
 * and what it is as it was when it ran (so alternatives and static branches are
 * seen as patched). A block that an exception leaves early counts as whole.
 *
 * What is used of the plugin interface is the same in all versions of it, and
 * is declared here: no package has its header. N is the version that QEMU
 * insists on: 1 before QEMU 9, 2 from then on.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
		void (*cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
		void (*cb)(unsigned int cpu, void *data), int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
		void (*cb)(unsigned int cpu, void *data), int flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
		void (*cb)(qemu_plugin_id_t id, void *data), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *insn);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = PLUGIN_VERSION;

/* Both kinds of records hang in hash tables, by address. */
#define BUCKETS (1u << 20)

struct insn {
	struct insn *next;
	uint64_t addr;
	uint64_t count;
	char *text;
};

struct block {
	struct block *next;
	uint64_t addr;
	uint64_t count;
	size_t nr;
	struct insn *insn[];
};

static struct insn *insns[BUCKETS];
static struct block *blocks[BUCKETS];
static size_t nr_insns;
static int counting;
static uint64_t user_count;
static const char *out_file;

static unsigned int bucket(uint64_t addr)
{
	return (addr * 0x9e3779b97f4a7c15ULL) >> 44;
}

static void *must_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		fputs("exact: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static struct insn *find_insn(uint64_t addr)
{
	struct insn **at = &insns[bucket(addr)], *i;

	for (i = *at; i; i = i->next)
		if (i->addr == addr)
			return i;
	i = must_alloc(sizeof(*i));
	i->addr = addr;
	i->next = *at;
	*at = i;
	nr_insns++;
	return i;
}

static void on_block(unsigned int cpu, void *data)
{
	(void)cpu;
	if (counting)
		((struct block *)data)->count++;
}

static void on_user_block(unsigned int cpu, void *data)
{
	(void)cpu;
	if (counting)
		user_count += (uintptr_t)data;
}

static void on_mark(unsigned int cpu, void *data)
{
	(void)cpu;
	counting = data != NULL;
}

static void kernel_block(struct qemu_plugin_tb *tb, uint64_t addr, size_t nr)
{
	struct block **at = &blocks[bucket(addr)], *b;
	size_t i;

	for (b = *at; b; b = b->next)
		if (b->addr == addr && b->nr == nr)
			break;
	if (!b) {
		b = must_alloc(sizeof(*b) + nr * sizeof(b->insn[0]));
		b->addr = addr;
		b->nr = nr;
		b->next = *at;
		*at = b;
		for (i = 0; i < nr; i++)
			b->insn[i] = find_insn(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i)));
	}
	for (i = 0; i < nr; i++) {
		free(b->insn[i]->text);
		b->insn[i]->text = qemu_plugin_insn_disas(qemu_plugin_tb_get_insn(tb, i));
	}
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, b);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t addr = qemu_plugin_tb_vaddr(tb);
	size_t i, nr = qemu_plugin_tb_n_insns(tb);

	(void)id;
	if (addr >> 63) {
		kernel_block(tb, addr, nr);
		return;
	}
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_user_block, QEMU_PLUGIN_CB_NO_REGS,
					     (void *)(uintptr_t)nr);
	for (i = 0; i < nr; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		char *text = qemu_plugin_insn_disas(insn);

		if (text && strstr(text, MARK_START_TEXT))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
					QEMU_PLUGIN_CB_NO_REGS, &counting);
		else if (text && strstr(text, MARK_STOP_TEXT))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
					QEMU_PLUGIN_CB_NO_REGS, NULL);
		free(text);
	}
}

static int by_addr(const void *a, const void *b)
{
	const struct insn *x = *(struct insn **)a, *y = *(struct insn **)b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void on_exit_of_qemu(qemu_plugin_id_t id, void *data)
{
	struct insn **list = must_alloc((nr_insns + 1) * sizeof(*list)), *i;
	struct block *b;
	FILE *f = fopen(out_file, "w");
	size_t at, n = 0;

	(void)id;
	(void)data;
	if (!f) {
		perror(out_file);
		return;
	}
	for (at = 0; at < BUCKETS; at++)
		for (b = blocks[at]; b; b = b->next)
			for (size_t k = 0; k < b->nr; k++)
				b->insn[k]->count += b->count;
	for (at = 0; at < BUCKETS; at++)
		for (i = insns[at]; i; i = i->next)
			if (i->count)
				list[n++] = i;
	qsort(list, n, sizeof(*list), by_addr);
	fprintf(f, "%016x %llu user\n", 0, (unsigned long long)user_count);
	for (at = 0; at < n; at++)
		fprintf(f, "%016llx %llu %s\n", (unsigned long long)list[at]->addr,
			(unsigned long long)list[at]->count, list[at]->text ? list[at]->text : "?");
	fclose(f);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out_file = strdup(argv[i] + 4);
	if (!out_file) {
		fputs("exact: out=FILE is missing\n", stderr);
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}
