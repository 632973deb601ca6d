// SPDX-License-Identifier: GPL-2.0
/* vhostctl: the administrator's tool for vhost devices. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vhostctl.h"

bool opt_json;
bool opt_pretty;
bool opt_stats;

static const char usage_text[] =
	"Usage: vhostctl [-s] [-j [-p]] OBJECT [COMMAND] [ARGUMENT...]\n"
	"  dev      vhost devices\n"
	"  vq       their virtqueues (-s: and counters)\n"
	"  worker   the threads that serve these\n"
	"  stat     counters\n"
	"  monitor  events\n"
	"  blk      disks of vhost_blk\n"
	"  cid      guests of vhost_vsock, and their groups\n"
	"  doctor   what is wrong on this host, and what to do\n"
	"\"vhostctl OBJECT help\" says more. Without a COMMAND, the objects are listed.\n";

/* Says what is wrong, and returns @code. */
int error(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("vhostctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return code;
}

/* Is @arg the word, or the beginning of it? */
bool is_word(const char *arg, const char *word)
{
	size_t len = strlen(arg);

	return len && !strncmp(arg, word, len);
}

/* Is that what the words behind the object ask for? */
bool wants_help(int argc, char **argv)
{
	return argc && (!strcmp(argv[0], "help") || !strcmp(argv[0], "-h") ||
			!strcmp(argv[0], "--help"));
}

int help(const char *text)
{
	fputs(text, stdout);
	return EXIT_OK;
}

/* The first of those that begin with a word is meant. */
static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} objects[] = {
	{ "blk", cmd_blk },	  { "dev", cmd_dev },	{ "vq", cmd_vq },
	{ "worker", cmd_worker }, { "stat", cmd_stat }, { "monitor", cmd_monitor },
	{ "cid", cmd_cid },	  { "doctor", cmd_doctor },
};

static int run(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
		if (is_word(argv[0], objects[i].name))
			return objects[i].run(argc - 1, argv + 1);
	}
	return error(EXIT_USAGE, "no such object: %s", argv[0]);
}

/* The exit status, with what was printed on its way: half a list is not a list. */
static int end(int status)
{
	if (fflush(stdout) || ferror(stdout))
		return error(EXIT_KERNEL, "cannot write");
	return status;
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "+jphs")) != -1) {
		switch (opt) {
		case 'j':
			opt_json = true;
			break;
		case 'p':
			opt_pretty = true;
			break;
		case 's':
			opt_stats = true;
			break;
		case 'h':
			return end(help(usage_text));
		default:
			fputs(usage_text, stderr);
			return EXIT_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	if (!argc) {
		fputs(usage_text, stderr);
		return EXIT_USAGE;
	}
	return end(run(argc, argv));
}
