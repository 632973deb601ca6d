/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every file of unit tests includes: cmocka, the rig, and the short forms
 * that keep tests readable.
 */
#ifndef HOST_TEST_H
#define HOST_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#include <cmocka.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define NEXT	VRING_D_NEXT
#define WRITE	VRING_D_WRITE
#define IND	VRING_D_INDIRECT

/* A broken rule of the environment or the model fails the test it happens in. */
static inline void test_die(void)
{
	fail();
}

/* A ring of @num entries, all features on but notify_on_empty. */
static inline struct rig_config plain(u32 num)
{
	return (struct rig_config){ .num = num, .event_idx = true, .indirect = true };
}

/* One rig at a time. One that a failed test left behind is closed for it. */
static struct rig *the_rig;

static inline void close_rig(struct rig *g)
{
	if (!g)
		return;
	rig_free(g);
	free(g);
	the_rig = NULL;
}

static inline struct rig *open_rig(const struct rig_config *cfg)
{
	close_rig(the_rig);
	the_rig = malloc(sizeof(*the_rig));
	rig_init(the_rig, cfg);
	return the_rig;
}

static inline struct rig *open_plain(u32 num)
{
	struct rig_config cfg = plain(num);

	return open_rig(&cfg);
}

static inline int run_group(const char *name, const struct CMUnitTest *tests, size_t n)
{
	int failed;

	env_die_hook = test_die;
	failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
	close_rig(the_rig);
	return failed;
}

#endif /* HOST_TEST_H */
