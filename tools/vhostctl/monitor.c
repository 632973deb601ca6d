// SPDX-License-Identifier: GPL-2.0
/* vhostctl monitor: what happens to devices, as it happens. */
#include <stdio.h>
#include <stdlib.h>

#include "vhostctl.h"
#include "nl.h"

static const char usage_text[] =
	"Usage: vhostctl monitor\n"
	"\n"
	"Prints a line for each: dev_add, dev_del, worker_add, pin_fail, vq_broken.\n"
	"With -j each line is an object of JSON. Ends when it is killed.\n";

static const struct {
	int cmd;
	const char *name;
	const struct field *fields;
	int columns;
} events[] = {
	{ VHOST_CMD_DEV_ADD_NTF, "dev_add", dev_fields, COLUMNS_DEV },
	{ VHOST_CMD_DEV_DEL_NTF, "dev_del", dev_fields, COLUMNS_DEV },
	{ VHOST_CMD_WORKER_ADD_NTF, "worker_add", worker_fields, COLUMNS_IN_DEV },
	{ VHOST_CMD_PIN_FAIL_NTF, "pin_fail", worker_fields, COLUMNS_IN_DEV },
	{ VHOST_CMD_VQ_BROKEN_NTF, "vq_broken", vq_fields, COLUMNS_IN_DEV },
};

static void take(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	unsigned int i;

	for (i = 0; i < sizeof(events) / sizeof(*events); i++) {
		json_object *row;

		if (events[i].cmd != genl->cmd)
			continue;
		row = decode(nlh, events[i].fields);
		if (opt_json) {
			json_object_object_add(row, "event", json_object_new_string(events[i].name));
			puts(json_object_to_json_string_ext(row, opt_pretty ?
							    JSON_C_TO_STRING_PRETTY :
							    JSON_C_TO_STRING_PLAIN));
		} else {
			printf("%s ", events[i].name);
			print_row(row, events[i].columns);
		}
		fflush(stdout);
		json_object_put(row);
		if (ferror(stdout))
			exit(EXIT_KERNEL);
	}
}

int cmd_monitor(int argc, char **argv)
{
	if (wants_help(argc, argv))
		return help(usage_text);
	if (argc)
		return error(EXIT_USAGE, "what is \"%s\"?", argv[0]);
	return listen_events(take);
}
