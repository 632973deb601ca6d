/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs that write the first inputs share: seed DIRECTORY. */
#ifndef VHOST_FUZZ_SEED_H
#define VHOST_FUZZ_SEED_H

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define WORD(w)		(w) & 0xff, (w) >> 8
#define CALL(q, which, ...) A_IOCTL, (q), (which), 0, ##__VA_ARGS__

static const char *dir;

static int write_seed(const char *name, const __u8 *data, size_t size)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f)) {
		perror(path);
		return 1;
	}
	return 0;
}

#define SEED(name, ...)							\
	do {								\
		static const __u8 bytes_[] = { __VA_ARGS__ };		\
		failed |= write_seed(name, bytes_, sizeof(bytes_));	\
	} while (0)

/* Each call alone: before and after there is an owner, and with bad pointers. */
static int every_call(unsigned int calls)
{
	static const __u8 ptr[] = { 0, 0xff, 0xfe, 0xfd, 0xfb, 0xfa, 0xf9, 0xf8 };
	unsigned int which, i;
	__u8 data[512];
	char name[32];
	int failed = 0;

	for (which = 0; which < calls; which++) {
		size_t n = 0;

		for (i = 0; i < 2 * ARRAY_SIZE(ptr); i++) {
			const __u8 one[] = { A_IOCTL, 1, which, ptr[i / 2], 2, 1, 1, 0 };

			if (i == 2) {
				const __u8 owner[] = { CALL(0, C_SET_OWNER) };

				memcpy(data + n, owner, sizeof(owner));
				n += sizeof(owner);
			}
			memcpy(data + n, one, sizeof(one));
			n += sizeof(one);
			/* What the call did not take would be actions. */
			data[n++] = A_STATS;
			data[n++] = 0;
		}
		snprintf(name, sizeof(name), "call_%u", which);
		failed |= write_seed(name, data, n);
	}
	return failed;
}

/* Status 2 and the usage, or 0. */
static int seed_dir(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	dir = argv[1];
	mkdir(dir, 0755);
	return 0;
}

#endif /* VHOST_FUZZ_SEED_H */
