// SPDX-License-Identifier: GPL-2.0
/* vhostctl blk: disks of vhost_blk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vhost_blk.h>

#include "vhostctl.h"
#include "nl.h"

#define CONTROL	"/dev/vhost-blk/control"
#define SYSFS	"/sys/class/vhost-blk"

static const char usage_text[] =
	"Usage: vhostctl blk [show [NAME]]\n"
	"       vhostctl blk add NAME path FILE [queues N] [serial TEXT] [ro] [poll]\n"
	"                [buffered] [split] [worker device|queue]\n"
	"       vhostctl blk del NAME\n"
	"\n"
	"show  disks\n"
	"add   makes one of a block device or file: /dev/vhost-blk/NAME\n"
	"del   ends one that no VMM has open\n";

static int open_control(void)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		error(EXIT_KERNEL, "%s: %s%s", CONTROL, strerror(errno),
		      errno == ENOENT ? " (is vhost_blk loaded?)" : "");
	return fd;
}

static int set_name(char *to, const char *name)
{
	if (strlen(name) >= VHOST_BLK_NAME_LEN)
		return error(EXIT_USAGE, "name is too long: %s", name);
	strcpy(to, name);
	return EXIT_OK;
}

static const char *reason(int err)
{
	switch (err) {
	case EBUSY:
		return "it is in use";
	case EEXIST:
		return "there is a disk of that name";
	case ENOENT:
		return "there is no such disk";
	case ENOTBLK:
		return "neither a block device nor a regular file";
	case EROFS:
		return "the block device is read-only (add \"ro\")";
	case EOPNOTSUPP:
		return "a file or device of this kind cannot be used";
	case EINVAL:
		return "the kernel does not like the name or number of queues";
	default:
		return strerror(err);
	}
}

static int parse_add(struct vhost_blk_add *a, const char **path, int argc, char **argv)
{
	while (argc) {
		const char *word = argv[0], *value = argc > 1 ? argv[1] : NULL;
		int used = 1;

		if (!strcmp(word, "ro")) {
			a->flags |= VHOST_BLK_F_RDONLY;
		} else if (!strcmp(word, "poll")) {
			a->flags |= VHOST_BLK_F_POLL;
		} else if (!strcmp(word, "split")) {
			a->flags |= VHOST_BLK_F_SPLIT;
		} else if (!strcmp(word, "buffered")) {
			a->flags |= VHOST_BLK_F_BUFFERED;
		} else if (!value) {
			return error(EXIT_USAGE, "what about \"%s\"?", word);
		} else if (!strcmp(word, "path")) {
			*path = value;
			used = 2;
		} else if (!strcmp(word, "queues")) {
			char *end;
			unsigned long n = strtoul(value, &end, 10);

			if (*end || !*value || !n || n > VHOST_BLK_QUEUES_MAX)
				return error(EXIT_USAGE, "queues: 1 to %d, not %s",
					     VHOST_BLK_QUEUES_MAX, value);
			a->queues = n;
			used = 2;
		} else if (!strcmp(word, "serial")) {
			if (strlen(value) > sizeof(a->serial))
				return error(EXIT_USAGE, "serial: at most %zu characters",
					     sizeof(a->serial));
			memcpy(a->serial, value, strlen(value));
			used = 2;
		} else if (!strcmp(word, "worker")) {
			if (!strcmp(value, "queue"))
				a->flags |= VHOST_BLK_F_WORKER_PER_QUEUE;
			else if (strcmp(value, "device"))
				return error(EXIT_USAGE, "worker: device or queue, not %s", value);
			used = 2;
		} else {
			return error(EXIT_USAGE, "what is \"%s\"?", word);
		}
		argc -= used;
		argv += used;
	}
	return *path ? EXIT_OK : error(EXIT_USAGE, "path FILE is missing");
}

static int add(int argc, char **argv)
{
	struct vhost_blk_add a = { .queues = 1 };
	const char *path = NULL;
	int control, err;

	if (!argc)
		return error(EXIT_USAGE, "blk add: NAME is missing");
	err = set_name(a.name, argv[0]);
	if (!err)
		err = parse_add(&a, &path, argc - 1, argv + 1);
	if (err)
		return err;
	a.fd = open(path, (a.flags & VHOST_BLK_F_RDONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (a.fd < 0)
		return error(EXIT_KERNEL, "%s: %s", path, strerror(errno));
	control = open_control();
	if (control < 0)
		return EXIT_KERNEL;
	if (ioctl(control, VHOST_BLK_ADD, &a))
		return error(EXIT_KERNEL, "cannot add %s on %s: %s", a.name, path, reason(errno));
	return EXIT_OK;
}

static int del(int argc, char **argv)
{
	struct vhost_blk_del d = {};
	int control, err;

	if (argc != 1)
		return error(EXIT_USAGE, "blk del: NAME");
	err = set_name(d.name, argv[0]);
	if (err)
		return err;
	control = open_control();
	if (control < 0)
		return EXIT_KERNEL;
	if (ioctl(control, VHOST_BLK_DEL, &d))
		return error(EXIT_KERNEL, "cannot delete %s: %s", d.name, reason(errno));
	return EXIT_OK;
}

/* ---- show --------------------------------------------------------------------- */

enum attr_kind { ATTR_TEXT, ATTR_NUMBER, ATTR_FLAG };

/* Attributes in sysfs, and how they are shown; units are in the names. */
static const struct {
	const char *file;
	const char *key;
	enum attr_kind kind;
} attribute[] = {
	{ "backing", "backing", ATTR_TEXT },
	{ "capacity", "capacity_sectors", ATTR_NUMBER },
	{ "block_size", "block_size_bytes", ATTR_NUMBER },
	{ "queues", "queues", ATTR_NUMBER },
	{ "serial", "serial", ATTR_TEXT },
	{ "read_only", "read_only", ATTR_FLAG },
	{ "direct", "direct", ATTR_FLAG },
	{ "poll", "poll", ATTR_FLAG },
	{ "worker_per_queue", "worker_per_queue", ATTR_FLAG },
	{ "open", "open", ATTR_FLAG },
};

static bool read_attribute(const char *disk, const char *file, char *value, size_t size)
{
	char path[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), SYSFS "/%s/%s", disk, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, value, size - 1);
	close(fd);
	if (n < 0)
		return false;
	value[n] = 0;
	value[strcspn(value, "\n")] = 0;
	return true;
}

/* Return: the disk, or NULL if there is none (any more). */
static json_object *disk_object(const char *name)
{
	json_object *disk = json_object_new_object();
	char value[4096];
	unsigned int i;

	json_object_object_add(disk, "name", json_object_new_string(name));
	for (i = 0; i < sizeof(attribute) / sizeof(*attribute); i++) {
		json_object *o;

		if (!read_attribute(name, attribute[i].file, value, sizeof(value))) {
			json_object_put(disk);
			return NULL;
		}
		/* Paths and serial numbers are any bytes. */
		if (attribute[i].kind == ATTR_TEXT)
			o = clean_text(value);
		else if (attribute[i].kind == ATTR_NUMBER)
			o = json_object_new_int64(strtoll(value, NULL, 10));
		else
			o = json_object_new_boolean(value[0] == '1');
		json_object_object_add(disk, attribute[i].key, o);
	}
	return disk;
}

static void print_disk(json_object *disk)
{
	unsigned int i;

	printf("%s:", json_object_get_string(json_object_object_get(disk, "name")));
	for (i = 0; i < sizeof(attribute) / sizeof(*attribute); i++) {
		json_object *o = json_object_object_get(disk, attribute[i].key);

		if (attribute[i].kind == ATTR_FLAG) {
			if (json_object_get_boolean(o))
				printf(" %s", attribute[i].key);
		} else if (*json_object_get_string(o)) {
			printf(" %s %s", attribute[i].key, json_object_get_string(o));
		}
	}
	putchar('\n');
}

static int show(int argc, char **argv)
{
	json_object *disks = json_object_new_array();
	const char *name = argc ? argv[0] : NULL;
	struct dirent **entry = NULL;
	int i, n, shown;

	if (argc > 1)
		return error(EXIT_USAGE, "blk show: only one NAME");
	n = scandir(SYSFS, &entry, NULL, alphasort);
	if (n < 0)
		return error(EXIT_KERNEL, "%s: %s (is vhost_blk loaded?)", SYSFS, strerror(errno));
	for (i = 0; i < n; i++) {
		json_object *disk = NULL;

		if (entry[i]->d_name[0] != '.' && (!name || !strcmp(name, entry[i]->d_name)))
			disk = disk_object(entry[i]->d_name);
		if (disk)
			json_object_array_add(disks, disk);
		free(entry[i]);
	}
	free(entry);
	shown = json_object_array_length(disks);
	if (opt_json) {
		int flags = opt_pretty ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN;

		puts(json_object_to_json_string_ext(disks, flags));
	} else {
		for (i = 0; i < shown; i++)
			print_disk(json_object_array_get_idx(disks, i));
	}
	json_object_put(disks);
	if (name && !shown)
		return error(EXIT_KERNEL, "there is no disk %s", name);
	return EXIT_OK;
}

int cmd_blk(int argc, char **argv)
{
	if (wants_help(argc, argv))
		return help(usage_text);
	if (!argc || is_word(argv[0], "show"))
		return show(argc ? argc - 1 : 0, argv + 1);
	if (is_word(argv[0], "add"))
		return add(argc - 1, argv + 1);
	if (is_word(argv[0], "del"))
		return del(argc - 1, argv + 1);
	return error(EXIT_USAGE, "blk: no such command: %s", argv[0]);
}
