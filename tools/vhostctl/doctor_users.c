// SPDX-License-Identifier: GPL-2.0
/* vhostctl doctor: who has vhost's nodes open, and what memory they have. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define PREFIX	"/dev/vhost-"

/* A VMM with less than that is no matter for huge pages. */
#define MEMORY_MIB_MIN	64

/* Modules and what their nodes begin with. */
static const struct {
	const char *module;
	const char *node;
} nodes[] = {
	{ "vhost_net", "/dev/vhost-net" },
	{ "vhost_vsock", "/dev/vhost-vsock" },
	{ "vhost_blk", "/dev/vhost-blk/" },
};

#define NR_NODES	(sizeof(nodes) / sizeof(*nodes))

/**
 * struct user - a process that has nodes open
 * @pid: its id
 * @comm: its name
 * @files: how many, of each module, and of others of the kernel's own
 */
struct user {
	int pid;
	char comm[64];
	unsigned int files[NR_NODES + 1];
};

static struct user *users;
static size_t nr_users;

static size_t which_node(const char *target)
{
	size_t i;

	for (i = 0; i < NR_NODES; i++) {
		if (!strncmp(target, nodes[i].node, strlen(nodes[i].node)))
			return i;
	}
	return NR_NODES;
}

/* Return: false if it is gone or not ours to see. */
static bool look_at(int pid)
{
	struct user u = { .pid = pid };
	char path[64], target[256];
	struct dirent *e;
	bool any = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while ((e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = 0;
		if (strncmp(target, PREFIX, strlen(PREFIX)))
			continue;
		u.files[which_node(target)]++;
		any = true;
	}
	closedir(dir);
	if (!any)
		return true;
	if (!first_line(u.comm, sizeof(u.comm), "/proc/%d/comm", pid))
		strcpy(u.comm, "?");
	users = realloc(users, (nr_users + 1) * sizeof(*users));
	users[nr_users++] = u;
	return true;
}

static void find_users(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		if (isdigit(e->d_name[0]))
			look_at(atoi(e->d_name));
	}
	if (dir)
		closedir(dir);
}

static void check_module_users(size_t which)
{
	const char *module = nodes[which].module;
	unsigned int all = 0;
	char line[32];
	size_t i;

	if (!module_loaded(module))
		return;
	for (i = 0; i < nr_users; i++) {
		unsigned int n = users[i].files[which];

		all += n;
		if (n)
			found(FOUND_NOTE, "in-use",
			      "Nothing; to change the module, stop this VM or migrate it away first.",
			      "%s (process %d) has %u %s of %s open", users[i].comm, users[i].pid,
			      n, n == 1 ? "node" : "nodes", module);
	}
	if (!all && first_line(line, sizeof(line), "/sys/module/%s/refcnt", module) &&
	    atoi(line) > 0)
		found(FOUND_WARNING, "users-hidden",
		      "Ask as root, on the host; a file can also be under way over a unix socket.",
		      "%s is used %s times, but no process is seen that has a node open", module,
		      line);
}

/* KiB of a line "Name:   N kB". */
static unsigned long add_kib(const char *line, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(line, name, len) && line[len] == ':' ? strtoul(line + len + 1, NULL, 10) : 0;
}

static void check_memory(const struct user *u)
{
	static const char *const kinds[] = {
		"AnonHugePages", "ShmemPmdMapped", "FilePmdMapped",
		"Shared_Hugetlb", "Private_Hugetlb",
	};
	unsigned long all = 0, huge = 0;
	char path[64], line[256];
	unsigned int i;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", u->pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		/* Resident memory is without hugetlb's. */
		all += add_kib(line, "Rss") + add_kib(line, "Shared_Hugetlb") +
		       add_kib(line, "Private_Hugetlb");
		for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			huge += add_kib(line, kinds[i]);
	}
	fclose(f);
	if (all / 1024 < MEMORY_MIB_MIN || huge >= all / 2)
		return;
	if (!first_line(line, sizeof(line), "/sys/kernel/mm/transparent_hugepage/enabled"))
		strcpy(line, "[none]");
	found(FOUND_NOTE, "small-pages",
	      "Give guests hugetlb memory, or transparent huge pages (enabled: madvise or always).",
	      "%s (process %d): of %lu MiB %lu%% are on huge pages; transparent ones: %s", u->comm,
	      u->pid, all / 1024, huge * 100 / all, line);
}

void check_users(void)
{
	size_t i;

	if (geteuid())
		found(FOUND_WARNING, "not-root", "Run it as root.",
		      "not run as root: other people's processes, and devices, are not seen");
	find_users();
	for (i = 0; i < NR_NODES; i++)
		check_module_users(i);
	for (i = 0; i < nr_users; i++)
		check_memory(&users[i]);
	free(users);
}
