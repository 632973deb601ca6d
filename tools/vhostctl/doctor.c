// SPDX-License-Identifier: GPL-2.0
/* vhostctl doctor: what is wrong on this host, and what to do. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vhostctl.h"
#include "nl.h"
#include "doctor.h"

static const char usage_text[] =
	"Usage: vhostctl doctor\n"
	"\n"
	"Looks for what does not work or costs more than it has to: modules, nodes, who\n"
	"uses them, virtqueues, workers, memory. Worst first: problem, warning, note, ok.\n"
	"Exit status 1 if there is a problem. A paragraph for each finding is in\n"
	"/usr/share/doc/vhost-accel-tools/docs/troubleshooting.md.\n";

static const char *const severities[] = { "ok", "note", "warning", "problem" };

static json_object *findings;
static enum severity worst;

void found(enum severity severity, const char *id, const char *action, const char *fmt, ...)
{
	json_object *o = json_object_new_object();
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	json_object_object_add(o, "severity", json_object_new_string(severities[severity]));
	json_object_object_add(o, "finding", json_object_new_string(id));
	json_object_object_add(o, "what", clean_text(what));
	if (action)
		json_object_object_add(o, "do", json_object_new_string(action));
	json_object_array_add(findings, o);
	if (severity > worst)
		worst = severity;
}

bool first_line(char *line, size_t size, const char *fmt, ...)
{
	char path[512];
	va_list ap;
	FILE *f;
	bool ok;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(line, size, f);
	fclose(f);
	if (ok)
		line[strcspn(line, "\n")] = 0;
	return ok;
}

static const char *text_of(json_object *o, const char *key)
{
	return json_object_get_string(json_object_object_get(o, key));
}

/* The worst first; those of a kind stay in their order. */
static json_object *sorted(void)
{
	json_object *all = json_object_new_array();
	int severity;
	size_t i;

	for (severity = FOUND_PROBLEM; severity >= FOUND_OK; severity--) {
		for (i = 0; i < json_object_array_length(findings); i++) {
			json_object *o = json_object_array_get_idx(findings, i);

			if (!strcmp(text_of(o, "severity"), severities[severity]))
				json_object_array_add(all, json_object_get(o));
		}
	}
	return all;
}

static void print(json_object *all)
{
	size_t i;

	if (opt_json) {
		print_rows(all, 0);
		return;
	}
	for (i = 0; i < json_object_array_length(all); i++) {
		json_object *o = json_object_array_get_idx(all, i);

		printf("%s %s: %s\n", text_of(o, "severity"), text_of(o, "finding"),
		       text_of(o, "what"));
		if (json_object_object_get(o, "do"))
			printf("    %s\n", text_of(o, "do"));
	}
}

int cmd_doctor(int argc, char **argv)
{
	json_object *all;

	if (wants_help(argc, argv))
		return help(usage_text);
	if (argc)
		return error(EXIT_USAGE, "what is \"%s\"?", argv[0]);
	findings = json_object_new_array();
	check_modules();
	check_users();
	check_devices();
	all = sorted();
	print(all);
	json_object_put(all);
	json_object_put(findings);
	return worst == FOUND_PROBLEM ? EXIT_FINDINGS : EXIT_OK;
}
