// SPDX-License-Identifier: GPL-2.0
/* vhostctl cid: the addresses of vhost_vsock's guests, and their groups. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vhost_ext.h>

#include "vhostctl.h"

#define NODE	"/dev/vhost-vsock"
#define LIST	"/sys/kernel/debug/vhost/vsock"
/* Is there if vhost_vsock is this project's. */
#define OURS	"/sys/module/vhost_core/holders/vhost_vsock"

static const char usage_text[] =
	"Usage: vhostctl cid [show [CID]]\n"
	"       vhostctl cid set CID group NUMBER|none\n"
	"\n"
	"show  guests with a context id, and the groups of these\n"
	"set   puts a guest into a group, whose members may talk to each other, or out\n";

static bool parse_number(const char *text, unsigned long long max, unsigned long long *n)
{
	char *end;

	errno = 0;
	*n = strtoull(text, &end, 0);
	return !errno && *text >= '0' && *text <= '9' && !*end && *n <= max;
}

/* ---- set -------------------------------------------------------------------------- */

static int set(int argc, char **argv)
{
	struct vhost_vsock_group g = {};
	unsigned long long cid, group = 0;
	int node;

	if (argc != 3 || strcmp(argv[1], "group"))
		return error(EXIT_USAGE, "cid set: CID group NUMBER|none");
	if (!parse_number(argv[0], UINT32_MAX, &cid))
		return error(EXIT_USAGE, "cid set: not a CID: %s", argv[0]);
	if (strcmp(argv[2], "none") && !parse_number(argv[2], UINT32_MAX, &group))
		return error(EXIT_USAGE, "cid set: not a group: %s", argv[2]);
	node = open(NODE, O_RDWR | O_CLOEXEC);
	if (node < 0)
		return error(EXIT_KERNEL, "%s: %s%s", NODE, strerror(errno),
			     errno == ENOENT ? " (is vhost_vsock loaded?)" : "");
	g.guest_cid = cid;
	g.group = group;
	if (!ioctl(node, VHOST_VSOCK_SET_GROUP, &g))
		return EXIT_OK;
	switch (errno) {
	case ENODEV:
		return error(EXIT_KERNEL, "no guest has CID %llu", cid);
	case EPERM:
		/* The kernel's own says so of every call, as long as there is no owner. */
		if (!access(OURS, F_OK))
			return error(EXIT_KERNEL, "%s (this wants CAP_NET_ADMIN)", strerror(EPERM));
		/* fall through */
	case ENOTTY:
		return error(EXIT_KERNEL, "%s is the kernel's own, which knows no groups", NODE);
	default:
		return error(EXIT_KERNEL, "cannot put CID %llu into a group: %s", cid,
			     strerror(errno));
	}
}

/* ---- show ------------------------------------------------------------------------- */

/* Keys of the kernel's list whose unit is to be told, too. */
static const char *key_of(const char *word)
{
	if (!strcmp(word, "owner"))
		return "owner_pid";
	return word;
}

/* A line of the list is words in pairs: name, number. */
static json_object *parse_line(char *line)
{
	json_object *object = json_object_new_object();
	char *save, *word = strtok_r(line, "\n ", &save), *value;

	while (word && (value = strtok_r(NULL, "\n ", &save))) {
		json_object_object_add(object, key_of(word),
				       json_object_new_int64(strtoll(value, NULL, 10)));
		word = strtok_r(NULL, "\n ", &save);
	}
	return object;
}

static void print(json_object *object)
{
	const char *before = "";

	json_object_object_foreach(object, key, value) {
		printf("%s%s %s", before, key, json_object_get_string(value));
		before = *before ? " " : ": ";
	}
	putchar('\n');
}

static bool is_wanted(json_object *object, const char *cid)
{
	return !cid || !strcmp(json_object_get_string(json_object_object_get(object, "cid")), cid);
}

static void show_json(json_object *cids, json_object *groups)
{
	json_object *all = json_object_new_object();
	int flags = opt_pretty ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN;

	json_object_object_add(all, "cids", json_object_get(cids));
	json_object_object_add(all, "groups", json_object_get(groups));
	puts(json_object_to_json_string_ext(all, flags));
	json_object_put(all);
}

static void show_text(json_object *cids, json_object *groups)
{
	size_t i;

	for (i = 0; i < json_object_array_length(cids); i++)
		print(json_object_array_get_idx(cids, i));
	for (i = 0; i < json_object_array_length(groups); i++)
		print(json_object_array_get_idx(groups, i));
}

static int show(int argc, char **argv)
{
	const char *cid = argc ? argv[0] : NULL;
	json_object *cids, *groups;
	char line[512];
	int found;
	FILE *list;

	if (argc > 1)
		return error(EXIT_USAGE, "cid show: only one CID");
	list = fopen(LIST, "re");
	if (!list)
		return error(EXIT_KERNEL, "%s: %s%s", LIST, strerror(errno),
			     errno == ENOENT ? " (is vhost_vsock of this project loaded?)" : "");
	cids = json_object_new_array();
	groups = json_object_new_array();
	while (fgets(line, sizeof(line), list)) {
		json_object *object;

		if (!strncmp(line, "cid ", 4)) {
			object = parse_line(line);
			if (is_wanted(object, cid))
				json_object_array_add(cids, object);
			else
				json_object_put(object);
		} else if (!cid) {
			json_object_array_add(groups, parse_line(line));
		}
	}
	fclose(list);
	found = json_object_array_length(cids);
	if (opt_json)
		show_json(cids, groups);
	else
		show_text(cids, groups);
	json_object_put(cids);
	json_object_put(groups);
	if (cid && !found)
		return error(EXIT_KERNEL, "no guest has CID %s", cid);
	return EXIT_OK;
}

int cmd_cid(int argc, char **argv)
{
	if (wants_help(argc, argv))
		return help(usage_text);
	if (!argc || is_word(argv[0], "show"))
		return show(argc ? argc - 1 : 0, argv + 1);
	if (!strcmp(argv[0], "set"))
		return set(argc - 1, argv + 1);
	return error(EXIT_USAGE, "cid: no such command: %s", argv[0]);
}
