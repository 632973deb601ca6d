// SPDX-License-Identifier: GPL-2.0
/* vhostctl: the administrator's tool for vhost devices. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vhostctl.h"

bool opt_json;
bool opt_pretty;

static const char usage_text[] =
	"Usage: vhostctl [-j [-p]] OBJECT [COMMAND] [ARGUMENT...]\n"
	"  blk [show [NAME]]\n"
	"  blk add NAME path FILE [queues N] [serial TEXT] [ro] [poll] [buffered]\n"
	"          [split] [worker device|queue]\n"
	"  blk del NAME\n"
	"  cid [show [CID]]\n"
	"  cid set CID group NUMBER|none\n";

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

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "+jph")) != -1) {
		switch (opt) {
		case 'j':
			opt_json = true;
			break;
		case 'p':
			opt_pretty = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return EXIT_OK;
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
	if (is_word(argv[0], "blk"))
		return cmd_blk(argc - 1, argv + 1);
	if (is_word(argv[0], "cid"))
		return cmd_cid(argc - 1, argv + 1);
	return error(EXIT_USAGE, "no such object: %s", argv[0]);
}
