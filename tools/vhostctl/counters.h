/* SPDX-License-Identifier: GPL-2.0 */
/* What the modules count: names as the kernel tells them, and what they mean. */
#ifndef VHOSTCTL_COUNTERS_H
#define VHOSTCTL_COUNTERS_H

#include <stdbool.h>

/**
 * struct counter - something that a virtqueue counts
 * @name: as in netlink and debugfs
 * @family: as in metrics, without "vhost_" and "_total"
 * @unit: the family's last word, if that is a unit
 * @help: what is counted
 */
struct counter {
	const char *name;
	const char *family;
	const char *unit;
	const char *help;
};

/**
 * struct rejection - a way in which a guest can be wrong
 * @name: as in netlink, debugfs and the tracepoint
 * @breaks: it breaks the virtqueue; else only a packet or request is lost
 * @text: what is wrong
 */
struct rejection {
	const char *name;
	bool breaks;
	const char *text;
};

/* The last of each has no name. */
extern const struct counter counters[];
extern const struct rejection rejections[];

/* Return: NULL if @name is not a rejection's. */
const struct rejection *find_rejection(const char *name);

#endif /* VHOSTCTL_COUNTERS_H */
