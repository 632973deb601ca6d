// SPDX-License-Identifier: GPL-2.0
/* vhostctl doctor: what the devices' own numbers tell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vhostctl.h"
#include "nl.h"
#include "counters.h"
#include "doctor.h"

#define WORDS	(VHOST_CPUS_BYTES_MAX / sizeof(__u32))
#define CPUS	(VHOST_CPUS_BYTES_MAX * 8)

static json_object *devs, *vqs, *workers;

static const char *text_of(json_object *row, const char *key)
{
	json_object *o = json_object_object_get(row, key);

	return o ? json_object_get_string(o) : "";
}

static long number_of(json_object *row, const char *key)
{
	return json_object_get_int64(json_object_object_get(row, key));
}

static json_object *device_of(json_object *row)
{
	size_t i;

	for (i = 0; i < json_object_array_length(devs); i++) {
		json_object *dev = json_object_array_get_idx(devs, i);

		if (number_of(dev, "dev") == number_of(row, "dev"))
			return dev;
	}
	return NULL;
}

/* "device 3 (net of qemu, process 123)", for people. */
static const char *name_of(json_object *row)
{
	json_object *dev = device_of(row);
	static char name[160];

	snprintf(name, sizeof(name), "device %s (%s of %s, process %s)", text_of(row, "dev"),
		 dev ? text_of(dev, "node") : "?", dev ? text_of(dev, "comm") : "?",
		 dev ? text_of(dev, "pid") : "?");
	return name;
}

static void check_owner(json_object *dev)
{
	if (json_object_object_get(dev, "pid") && !number_of(dev, "pid"))
		found(FOUND_WARNING, "owner-exited",
		      "End who has the node open (see in-use): the device cannot be used any more.",
		      "device %s (%s): its owner, %s, has exited or is in another pid namespace",
		      text_of(dev, "dev"), text_of(dev, "node"), text_of(dev, "comm"));
}

/* What a virtqueue has rejected: "avail_idx 1, tx_short 3"; and what broke it. */
static void list_rejections(json_object *vq, char *list, size_t size,
			    const struct rejection **breaking)
{
	json_object *counters = json_object_object_get(vq, "counters"), *o;
	const struct rejection *r;
	size_t len = 0;

	*list = 0;
	*breaking = NULL;
	for (r = rejections; r->name && counters; r++) {
		if (!json_object_object_get_ex(counters, r->name, &o) || !json_object_get_uint64(o))
			continue;
		if (r->breaks)
			*breaking = r;
		if (len < size)
			len += snprintf(list + len, size - len, "%s%s %s", len ? ", " : "", r->name,
					json_object_get_string(o));
	}
}

static void check_queue(json_object *vq)
{
	const struct rejection *breaking;
	char list[256];

	list_rejections(vq, list, sizeof(list), &breaking);
	if (!strcmp(text_of(vq, "state"), "broken"))
		found(FOUND_PROBLEM, "queue-broken",
		      "Reset the device in the guest (reload its driver, or reboot); suspect the guest.",
		      "%s: virtqueue %s is broken: %s%s%s%s", name_of(vq), text_of(vq, "name"),
		      breaking ? breaking->name : "?", breaking ? " (" : "",
		      breaking ? breaking->text : "", breaking ? ")" : "");
	else if (*list)
		found(FOUND_WARNING, "rejections",
		      "Look at the guest's driver; tracepoint vhost:vhost_reject tells when it happens.",
		      "%s: virtqueue %s has rejected: %s", name_of(vq), text_of(vq, "name"), list);
}

/* ---- workers ---------------------------------------------------------------------- */

static bool has_cpu(const __u32 *mask, unsigned int cpu)
{
	return mask[cpu / 32] & 1u << cpu % 32;
}

/* A file with a list of CPUs. Return: false if there is none, or it is empty. */
static bool read_cpus(const char *path, __u32 *mask)
{
	char line[1024];

	return first_line(line, sizeof(line), "%s", path) && parse_cpus(line, mask);
}

/*
 * The CPUs that @pid's cpuset allows: those of the nearest group that has the
 * controller.
 */
static bool cpuset_of(long pid, __u32 *mask)
{
	char line[512], path[640], *group, *slash;

	if (!first_line(line, sizeof(line), "/proc/%ld/cgroup", pid) || strncmp(line, "0::", 3))
		return false;
	for (group = line + 3;; *slash = 0) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpuset.cpus.effective", group);
		if (read_cpus(path, mask))
			return true;
		slash = strrchr(group, '/');
		if (!slash)
			return false;
	}
}

static void check_cpuset(json_object *worker, const __u32 *cpus, const __u32 *online)
{
	json_object *dev = device_of(worker);
	static __u32 allowed[WORDS];
	unsigned int cpu;

	if (!dev || !cpuset_of(number_of(dev, "pid"), allowed))
		return;
	for (cpu = 0; cpu < CPUS; cpu++) {
		if (!has_cpu(cpus, cpu) || !has_cpu(online, cpu) || has_cpu(allowed, cpu))
			continue;
		found(FOUND_WARNING, "worker-outside-cpuset",
		      "vhostctl worker set dev ID worker ID cpus LIST, with CPUs of the VMM's cpuset.",
		      "%s: worker %s may run on CPU %u, which the VMM's cpuset has not",
		      name_of(worker), text_of(worker, "worker"), cpu);
		return;
	}
}

/* The only online CPU of @cpus, or -1 if there is none or more than one. */
static int only_cpu(const __u32 *cpus, const __u32 *online)
{
	int cpu, only = -1;

	for (cpu = 0; cpu < (int)CPUS; cpu++) {
		if (!has_cpu(cpus, cpu) || !has_cpu(online, cpu))
			continue;
		if (only >= 0)
			return -1;
		only = cpu;
	}
	return only;
}

/* Pinned onto each other, while other CPUs have none. */
static void check_sharing(const unsigned int *pinned, const __u32 *online)
{
	unsigned int cpu, unused;

	for (unused = 0; unused < CPUS; unused++) {
		if (has_cpu(online, unused) && !pinned[unused])
			break;
	}
	for (cpu = 0; cpu < CPUS && unused < CPUS; cpu++) {
		if (pinned[cpu] > 1)
			found(FOUND_WARNING, "workers-share-cpu",
			      "Spread them: vhostctl worker set dev ID worker ID cpus LIST.",
			      "%u workers are pinned to CPU %u, and none to CPU %u", pinned[cpu],
			      cpu, unused);
	}
}

static void check_workers(void)
{
	static __u32 online[WORDS], cpus[WORDS];
	static unsigned int pinned[CPUS];
	size_t i;

	if (!read_cpus("/sys/devices/system/cpu/online", online))
		return;
	for (i = 0; i < json_object_array_length(workers); i++) {
		json_object *worker = json_object_array_get_idx(workers, i);
		int cpu;

		if (!parse_cpus(text_of(worker, "cpus"), cpus))
			continue;
		check_cpuset(worker, cpus, online);
		cpu = only_cpu(cpus, online);
		if (cpu >= 0)
			pinned[cpu]++;
	}
	check_sharing(pinned, online);
}

void check_devices(void)
{
	size_t i;

	if (!module_loaded("vhost_core")) {
		found(FOUND_NOTE, "no-netlink", "Nothing, if the kernel's own modules are meant.",
		      "vhost_core is not loaded: virtqueues and workers cannot be looked at");
		return;
	}
	devs = json_object_new_array();
	vqs = json_object_new_array();
	workers = json_object_new_array();
	if (get_devices(-1, devs) || get_queues(-1, -1, vqs, true) || get_workers(-1, -1, workers)) {
		found(FOUND_WARNING, "no-rights",
		      "Run it as root, in the host's network namespace (CAP_NET_ADMIN).",
		      "the kernel does not tell about devices");
	} else {
		for (i = 0; i < json_object_array_length(devs); i++)
			check_owner(json_object_array_get_idx(devs, i));
		for (i = 0; i < json_object_array_length(vqs); i++)
			check_queue(json_object_array_get_idx(vqs, i));
		check_workers();
		found(FOUND_OK, "devices", NULL, "%zu devices, %zu virtqueues, %zu workers looked at",
		      json_object_array_length(devs), json_object_array_length(vqs),
		      json_object_array_length(workers));
	}
	json_object_put(workers);
	json_object_put(vqs);
	json_object_put(devs);
}
