// SPDX-License-Identifier: GPL-2.0
/*
 * The environment that ring/ runs in as a program: checked accessors with
 * hooks, faults and a record. See env/vring_env.h for what it insists on.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"

/* A part may be scattered over this many pages: a ring of 32768 has 128. */
#define STRETCHES_MAX	512

struct stretch {
	u8 *mem;
	u32 len;
	u32 off;
	enum env_part part;
};

struct env env = {
	.store_parts = 1u << ENV_USED, .fault_after = -1, .fault_part = ENV_NOWHERE,
};
void (*env_die_hook)(void);

static struct stretch stretch[STRETCHES_MAX];
static unsigned int nr_stretch;
static bool window;

static const char *const part_name[] = { "desc", "avail", "used", "nowhere" };

void env_die(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "environment: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	window = false;
	if (env_die_hook)
		env_die_hook();
	abort();
}

static void forget_events(void)
{
	unsigned int i;

	for (i = 0; i < env.nr_event; i++)
		free(env.event[i].copy);
	env.nr_event = 0;
	env.first_untaken = 0;
}

void env_reset(void)
{
	forget_events();
	nr_stretch = 0;
	window = false;
	env.before_load = NULL;
	env.after_load = NULL;
	env.hook_arg = NULL;
	env.store_parts = 1u << ENV_USED;
	env.fault_after = -1;
	env.fault_part = ENV_NOWHERE;
	env.faulted = false;
	env.accesses = 0;
	env.guest = NULL;
	env.guest_len = 0;
	env.guest_result = 0;
}

void env_register(enum env_part part, u32 off, void *mem, u32 len)
{
	if (nr_stretch == STRETCHES_MAX)
		env_die("too many stretches of memory");
	stretch[nr_stretch++] = (struct stretch){ mem, len, off, part };
}

void env_verb_begin(void)
{
	forget_events();
	env.faulted = false;
	env.accesses = 0;
}

void env_verb_end(void)
{
	if (window)
		env_die("a window was left open");
}

unsigned int env_count(enum env_kind kind)
{
	unsigned int i, n = 0;

	for (i = 0; i < env.nr_event; i++)
		n += env.event[i].kind == kind;
	return n;
}

static struct env_event *record(enum env_kind kind)
{
	struct env_event *e;

	if (env.nr_event == ENV_EVENTS_MAX)
		env_die("a verb did more than %d things: unbounded work", ENV_EVENTS_MAX);
	e = &env.event[env.nr_event++];
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->part = ENV_NOWHERE;
	return e;
}

/* Count an access; is it the one that a test wants to fault? */
static bool fault_now(struct env_event *e)
{
	bool in_part = e->kind != ENV_WINDOW && e->part != ENV_NOWHERE &&
		       e->part == env.fault_part && e->off <= env.fault_to && e->off + e->size > env.fault_from;

	env.accesses++;
	if (!in_part && (env.fault_after < 0 || env.fault_after-- > 0))
		return false;
	e->faulted = true;
	env.faulted = true;
	return true;
}

/* Find the part that an access lies in, entirely, or die. */
static u8 *locate(vring_ptr ptr, struct env_event *e)
{
	static unsigned int last;
	u8 *p = ptr;
	unsigned int i;

	for (i = 0; i < nr_stretch; i++) {
		const struct stretch *s = &stretch[(last + i) % nr_stretch];

		if (p < s->mem || p >= s->mem + s->len)
			continue;
		if (e->size > (size_t)(s->mem + s->len - p))
			break;
		last = s - stretch;
		e->part = s->part;
		e->off = s->off + (p - s->mem);
		if ((uintptr_t)p % e->size)
			env_die("%u bytes at %s+%u: not aligned", e->size,
				part_name[e->part], e->off);
		return p;
	}
	env_die("%u bytes at %p: outside of the ring", e->size, ptr);
}

bool env_window_open(vring_ptr ptr, size_t size)
{
	struct env_event *e = record(ENV_WINDOW);

	if (window)
		env_die("windows nest");
	e->size = size;
	locate(ptr, e);
	if (fault_now(e))
		return false;
	window = true;
	return true;
}

void env_window_close(void)
{
	if (!window)
		env_die("a window was closed that is not open");
	window = false;
}

bool env_load(vring_ptr ptr, unsigned int size, u64 *val)
{
	struct env_event *e = record(ENV_LOAD);
	__le16 v16;
	__le32 v32;
	__le64 v64;
	u8 *p;

	if (!window)
		env_die("load outside of a window");
	e->size = size;
	p = locate(ptr, e);
	if (fault_now(e))
		return false;
	if (env.before_load)
		env.before_load(env.hook_arg, e);
	if (size == sizeof(v16)) {
		memcpy(&v16, p, sizeof(v16));
		e->val = le16_to_cpu(v16);
	} else if (size == sizeof(v32)) {
		memcpy(&v32, p, sizeof(v32));
		e->val = le32_to_cpu(v32);
	} else {
		memcpy(&v64, p, sizeof(v64));
		e->val = le64_to_cpu(v64);
	}
	*val = e->val;
	if (env.after_load)
		env.after_load(env.hook_arg, e);
	return true;
}

bool env_store(vring_ptr ptr, unsigned int size, u64 val)
{
	struct env_event *e = record(ENV_STORE);
	__le16 v16;
	__le32 v32;
	__le64 v64;
	u8 *p;

	if (!window)
		env_die("store outside of a window");
	e->size = size;
	e->val = val;
	p = locate(ptr, e);
	/* The address of a descriptor is the guest's, even in a packed ring. */
	if (!(env.store_parts & 1u << e->part) || (e->part == ENV_DESC && e->off % 16 < 8))
		env_die("store to %s+%u", part_name[e->part], e->off);
	if (fault_now(e))
		return false;
	if (size == sizeof(v16)) {
		v16 = cpu_to_le16((u16)val);
		memcpy(p, &v16, sizeof(v16));
	} else if (size == sizeof(v64)) {
		v64 = cpu_to_le64(val);
		memcpy(p, &v64, sizeof(v64));
	} else {
		v32 = cpu_to_le32((u32)val);
		memcpy(p, &v32, sizeof(v32));
	}
	return true;
}

void env_rmb(void)
{
	record(ENV_RMB);
}

void env_wmb(void)
{
	record(ENV_WMB);
}

void env_mb(void)
{
	record(ENV_MB);
}

int vring_read_guest(const struct vring_dev *r, u64 addr, void *dst, u32 len)
{
	struct env_event *e = record(ENV_GUEST_READ);
	u64 off = addr - env.guest_base;

	(void)r;
	if (window)
		env_die("guest memory read inside a window");
	if (!len || len % 16 || len > VRING_SEG_MAX * 16)
		env_die("indirect table of %u bytes read", len);
	e->addr = addr;
	e->size = len;
	if (fault_now(e)) {
		e->result = -VRING_E_FAULT;
		return e->result;
	}
	if (env.guest_result) {
		e->result = env.guest_result;
		env.guest_result = 0;
		return e->result;
	}
	if (off >= env.guest_len || len > env.guest_len - off) {
		e->result = -VRING_E_INDIRECT_ADDR;
		return e->result;
	}
	if (env.before_load)
		env.before_load(env.hook_arg, e);
	e->copy = malloc(len);
	memcpy(e->copy, env.guest + off, len);
	memcpy(dst, e->copy, len);
	if (env.after_load)
		env.after_load(env.hook_arg, e);
	return 0;
}
