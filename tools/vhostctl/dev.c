// SPDX-License-Identifier: GPL-2.0
/* vhostctl dev: open vhost devices. */
#include <limits.h>
#include <stdio.h>

#include "vhostctl.h"
#include "nl.h"

static const char usage_text[] =
	"Usage: vhostctl dev [show [ID]]\n"
	"\n"
	"Shows vhost devices: id, driver, node, state, the VMM's process id and name,\n"
	"number of virtqueues and workers, features agreed on.\n";

static int show(struct args *a)
{
	json_object *rows;
	long id = -1;
	int err;

	if (a->argc > 1)
		return error(EXIT_USAGE, "dev show: only one ID");
	if (a->argc) {
		err = parse_number("dev", a->argv[0], 1, INT_MAX, &id);
		if (err)
			return err;
	}
	rows = json_object_new_array();
	err = get_devices(id, rows);
	if (!err)
		print_rows(rows, COLUMNS_DEV);
	json_object_put(rows);
	return err;
}

int cmd_dev(int argc, char **argv)
{
	struct args a = { argc, argv };

	if (wants_help(argc, argv))
		return help(usage_text);
	if (a.argc && is_word(a.argv[0], "show")) {
		a.argc--;
		a.argv++;
	} else if (a.argc) {
		return error(EXIT_USAGE, "dev: no such command: %s", a.argv[0]);
	}
	return show(&a);
}
