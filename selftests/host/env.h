/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests and fuzzers see of the environment behind env/vring_env.h: the
 * registered ring memory, the hooks, the faults and the record of one verb.
 */
#ifndef HOST_ENV_H
#define HOST_ENV_H

#include "ring/ring.h"

/* Parts of a split ring. A packed ring has three, too: see ringmem.h. */
enum env_part {
	ENV_DESC,
	ENV_AVAIL,
	ENV_USED,
	ENV_NR_PARTS,
	ENV_NOWHERE = ENV_NR_PARTS,
};

enum env_kind {
	ENV_WINDOW,
	ENV_LOAD,
	ENV_STORE,
	ENV_GUEST_READ,
	ENV_RMB,
	ENV_WMB,
	ENV_MB,
};

/**
 * struct env_event - one thing that the code under test did
 * @kind: what
 * @part: of the ring, for loads and stores
 * @off: in @part
 * @size: bytes
 * @val: what was loaded or stored, in the CPU's byte order
 * @addr: guest address, for reads of an indirect table
 * @result: of such a read
 * @copy: what it copied, @size bytes
 * @faulted: the access did not happen
 * @taken: for the model: this load was accounted for
 */
struct env_event {
	enum env_kind kind;
	enum env_part part;
	u32 off;
	u32 size;
	u64 val;
	u64 addr;
	int result;
	void *copy;
	bool faulted;
	bool taken;
};

/*
 * More than any verb may do: the longest fetch loads an index, 64 heads, and
 * two words for each of 1024 segments. Running out of events is a failure.
 */
#define ENV_EVENTS_MAX	4096

typedef void (*env_hook)(void *arg, const struct env_event *e);

/**
 * struct env - everything that a test may set or look at
 * @before_load: called before every load and every read of guest memory
 * @after_load: called after it, the value being in private memory
 * @hook_arg: their first argument
 * @store_parts: bit mask of the parts that may be stored to
 * @fault_after: number of accesses (windows opened, loads, stores, reads of
 *	guest memory) that succeed before one faults; -1: never
 * @fault_part: part in which all accesses from @fault_from to @fault_to fault
 * @fault_from: first byte
 * @fault_to: last byte
 * @faulted: a fault was delivered in this verb
 * @accesses: accesses of this verb
 * @guest: guest memory, for indirect tables
 * @guest_base: its guest address
 * @guest_len: its size
 * @guest_result: what the next read of guest memory returns, if not 0
 * @nr_event: number of events of this verb
 * @first_untaken: for the model: all loads before this one are taken
 * @event: the events
 */
struct env {
	env_hook before_load;
	env_hook after_load;
	void *hook_arg;
	unsigned int store_parts;
	long fault_after;
	enum env_part fault_part;
	u32 fault_from;
	u32 fault_to;
	bool faulted;
	unsigned long accesses;
	u8 *guest;
	u64 guest_base;
	u32 guest_len;
	int guest_result;
	unsigned int nr_event;
	unsigned int first_untaken;
	struct env_event event[ENV_EVENTS_MAX];
};

extern struct env env;

/* Called on a broken rule, after its text was printed; abort() if it is NULL. */
extern void (*env_die_hook)(void);
void env_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Forget hooks, faults, registered memory and events. */
void env_reset(void);

/* Make @len bytes at @mem known as bytes @off... of a part. */
void env_register(enum env_part part, u32 off, void *mem, u32 len);

/* Around each verb: forget the last one's events; check that windows are shut. */
void env_verb_begin(void);
void env_verb_end(void);

/* Number of events of a kind in this verb. */
unsigned int env_count(enum env_kind kind);


#endif /* HOST_ENV_H */
