/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family "vhost", without a library: what is sent is what
 * the test says, wrong things included.
 *
 * Functions return 0 or the negative errno, of the kernel's answer as well.
 */
#ifndef VHOST_TEST_NL_H
#define VHOST_TEST_NL_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/vhost_netlink.h>

/**
 * struct nl - a socket
 * @fd: the socket
 * @family: number of the family
 * @group: number of its group "monitor"
 * @seq: of the last request
 * @why: the kernel's sentence about the last error, or ""
 * @interrupted: the last dump said that it lacks something
 * @buffers: in how many pieces that came
 */
struct nl {
	int fd;
	int family;
	unsigned int group;
	unsigned int seq;
	char why[128];
	bool interrupted;
	unsigned int buffers;
};

/* A message: to be sent, or received. */
struct nlmsg {
	struct nlmsghdr h;
	struct genlmsghdr g;
	char attrs[8000];
};

/* In the network namespace that this thread is in. */
int nl_open(struct nl *nl);
void nl_close(struct nl *nl);

/* Requests: begin, add attributes, do or dump. */
void nl_begin(struct nlmsg *m, unsigned int cmd);
void nl_put(struct nlmsg *m, int attr, const void *data, size_t len);
void nl_put_u32(struct nlmsg *m, int attr, __u32 value);
/* The reply, if there is one, takes the request's place. */
int nl_do(struct nl *nl, struct nlmsg *m);
/* @take is called for each message, if not NULL. */
int nl_dump(struct nl *nl, struct nlmsg *m, void (*take)(const struct nlmsg *m, void *arg),
	    void *arg);

/* What a message has: a pointer, or NULL; a number, or -1; a text, or "". */
const struct nlattr *nl_attr(const struct nlmsg *m, int attr);
long long nl_number(const struct nlmsg *m, int attr);
const char *nl_text(const struct nlmsg *m, int attr);
/* The next attribute of that number behind @after (NULL: the first one). */
const struct nlattr *nl_next(const struct nlmsg *m, int attr, const struct nlattr *after);
/* The same inside a nest. */
long long nl_nested_number(const struct nlattr *nest, int attr);
const char *nl_nested_text(const struct nlattr *nest, int attr);

/* Events. */
int nl_listen(struct nl *nl);
/* The next one within @ms, or -ETIMEDOUT. */
int nl_event(struct nl *nl, struct nlmsg *m, int ms);

#endif /* VHOST_TEST_NL_H */
