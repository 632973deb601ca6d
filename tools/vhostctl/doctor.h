/* SPDX-License-Identifier: GPL-2.0 */
/* vhostctl doctor: findings, and who looks for them. */
#ifndef VHOSTCTL_DOCTOR_H
#define VHOSTCTL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

enum severity {
	FOUND_OK,
	FOUND_NOTE,	/* worth knowing */
	FOUND_WARNING,	/* costs something, or will */
	FOUND_PROBLEM,	/* something does not work */
};

/*
 * Note something: what it is, and what to do (NULL: nothing). @id is a heading of
 * docs/troubleshooting.md.
 */
void found(enum severity severity, const char *id, const char *action, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The first line of a file, without its end. Return: false if there is none. */
bool first_line(char *line, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* doctor_modules.c */
bool module_loaded(const char *name);
void check_modules(void);

/* doctor_users.c */
void check_users(void);

/* doctor_devices.c */
void check_devices(void);

#endif /* VHOSTCTL_DOCTOR_H */
