// SPDX-License-Identifier: GPL-2.0
/* vhostctl doctor: modules, ours and the kernel's own, and their nodes. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"

/* What is in the kernel, too, by the same name. */
static const char *const shared[] = { "vhost_net", "vhost_vsock" };
static const char *const others[] = { "vhost_net", "vhost_vsock", "vhost_blk" };

bool module_loaded(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return !access(path, F_OK);
}

/* Is the one of that name that is loaded of this project? */
static bool is_ours(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/vhost_core/holders/%s", name);
	return !access(path, F_OK);
}

/*
 * The file that modprobe takes, below /lib/modules/RELEASE: depmod has chosen.
 * Return: false if there is none.
 */
static bool preferred(const char *name, char *file, size_t size)
{
	char path[256], line[4096];
	struct utsname u;
	size_t len = strlen(name);
	bool is = false;
	FILE *f;

	uname(&u);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", u.release);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!is && fgets(line, sizeof(line), f)) {
		char *base;

		line[strcspn(line, ":\n")] = 0;
		base = strrchr(line, '/');
		base = base ? base + 1 : line;
		is = !strncmp(base, name, len) && !strncmp(base + len, ".ko", 3);
	}
	fclose(f);
	if (is)
		snprintf(file, size, "%.*s", (int)size - 1, line);
	return is;
}

static bool is_kernels(const char *file)
{
	return !strncmp(file, "kernel/", 7);
}

static void check_shared(const char *name)
{
	char file[512], version[64] = "unknown";
	bool is_there = preferred(name, file, sizeof(file));
	bool kernels = is_there && is_kernels(file);

	if (!module_loaded(name)) {
		if (is_there)
			found(FOUND_NOTE, "not-loaded", "Nothing: opening its node loads it.",
			      "%s is not loaded; modprobe takes %s (%s)", name,
			      kernels ? "the kernel's own" : "this project's", file);
		else
			found(FOUND_NOTE, "not-loaded",
			      "Install vhost-accel-dkms and this kernel's headers, or make install.",
			      "%s is not loaded, and there is none for this kernel", name);
	} else if (is_ours(name)) {
		first_line(version, sizeof(version), "/sys/module/%s/version", name);
		if (is_there && !kernels)
			found(FOUND_OK, "loaded", NULL, "%s %s of this project is loaded", name,
			      version);
		else
			found(FOUND_WARNING, "not-installed",
			      "Install vhost-accel-dkms, or make install; then depmod -a.",
			      "%s %s of this project is loaded, but modprobe takes %s", name,
			      version, is_there ? file : "none");
	} else if (is_there && !kernels) {
		found(FOUND_WARNING, "switch-pending",
		      "Stop the VMs that use it, then: modprobe -r MODULE && modprobe MODULE.",
		      "the kernel's own %s is loaded, though modprobe takes %s", name, file);
	} else {
		found(FOUND_NOTE, "in-tree",
		      "Nothing, if that is meant; else install vhost-accel-dkms, or make install.",
		      "the kernel's own %s is loaded", name);
	}
}

/* After an update only some have been loaded anew. */
static void check_versions(void)
{
	char core[64], version[64];
	unsigned int i;

	if (!first_line(core, sizeof(core), "/sys/module/vhost_core/version"))
		return;
	for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (!is_ours(others[i]) ||
		    !first_line(version, sizeof(version), "/sys/module/%s/version", others[i]))
			continue;
		if (strcmp(core, version))
			found(FOUND_WARNING, "versions-differ",
			      "Stop all VMs, then: modprobe -r all of ours, and load them again.",
			      "%s is version %s, vhost_core %s", others[i], version, core);
	}
}

/* The kernel's own vhost may be loaded for devices that we do not have. */
static void check_beside(void)
{
	char names[256] = "";
	struct dirent *e;
	size_t len = 0;
	DIR *dir;

	if (!module_loaded("vhost_core") || !module_loaded("vhost"))
		return;
	dir = opendir("/sys/module/vhost/holders");
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] != '.' && len < sizeof(names))
			len += snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
					e->d_name);
	}
	if (dir)
		closedir(dir);
	found(FOUND_NOTE, "in-tree-beside", "Nothing: they do not get in each other's way.",
	      "the kernel's own vhost is loaded beside ours, for %s", len ? names : "nobody");
}

/* Is a kernel without valid signatures refused? */
static bool signatures_wanted(const char **why)
{
	char line[128];

	*why = "module.sig_enforce";
	if (first_line(line, sizeof(line), "/sys/module/module/parameters/sig_enforce") &&
	    line[0] == 'Y')
		return true;
	*why = "lockdown";
	return first_line(line, sizeof(line), "/sys/kernel/security/lockdown") &&
	       !strstr(line, "[none]");
}

static void check_signatures(void)
{
	char taint[64] = "";
	const char *why;

	first_line(taint, sizeof(taint), "/sys/module/vhost_core/taint");
	if (signatures_wanted(&why)) {
		if (!module_loaded("vhost_core"))
			found(FOUND_WARNING, "signatures",
			      "Sign the modules with a key that the machine knows (mokutil --import).",
			      "this kernel wants signed modules (%s): ours load only if signed",
			      why);
	} else if (strchr(taint, 'E')) {
		found(FOUND_NOTE, "unsigned",
		      "Nothing; before turning Secure Boot on, have DKMS sign them.",
		      "vhost_core is not signed by a key that this kernel knows");
	}
}

static void check_node(const char *module, const char *node)
{
	struct stat st;

	if (stat(node, &st)) {
		found(FOUND_PROBLEM, "node-missing",
		      "Is udev running, and is /dev a devtmpfs? In a container: pass the node on.",
		      "%s is loaded, but there is no %s", module, node);
		return;
	}
	if (st.st_mode & 0006)
		found(FOUND_WARNING, "node-open-to-all",
		      "chmod o= NODE, and look for the udev rule that did it.",
		      "everybody may open %s (mode %04o)", node, st.st_mode & 07777);
	else if (!(st.st_mode & 0060))
		found(FOUND_NOTE, "node-root-only",
		      "Nothing, if VMMs get it from libvirt; else a udev rule: GROUP=\"kvm\", MODE=\"0660\".",
		      "only its owner may open %s (mode %04o)", node, st.st_mode & 07777);
}

void check_modules(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(shared) / sizeof(*shared); i++)
		check_shared(shared[i]);
	check_versions();
	check_beside();
	check_signatures();
	if (module_loaded("vhost_net"))
		check_node("vhost_net", "/dev/vhost-net");
	if (module_loaded("vhost_vsock"))
		check_node("vhost_vsock", "/dev/vhost-vsock");
}
