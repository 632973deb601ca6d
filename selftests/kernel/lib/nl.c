// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nl.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define ALIGN4(n)	(((n) + 3) & ~3u)

static const void *payload(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}

static const struct nlattr *find(const void *from, const void *end, int attr)
{
	const char *at = from;

	while (at + NLA_HDRLEN <= (const char *)end) {
		const struct nlattr *a = (const void *)at;

		if (a->nla_len < NLA_HDRLEN || at + a->nla_len > (const char *)end)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == attr)
			return a;
		at += ALIGN4(a->nla_len);
	}
	return NULL;
}

static long long number(const struct nlattr *a)
{
	__u64 wide;
	__u32 n;

	if (!a)
		return -1;
	if (a->nla_len - NLA_HDRLEN == sizeof(wide)) {
		memcpy(&wide, payload(a), sizeof(wide));
		return wide;
	}
	if (a->nla_len - NLA_HDRLEN == sizeof(__u16))
		return *(const __u16 *)payload(a);
	memcpy(&n, payload(a), sizeof(n));
	return n;
}

const struct nlattr *nl_next(const struct nlmsg *m, int attr, const struct nlattr *after)
{
	const void *from = after ? (const char *)after + ALIGN4(after->nla_len) : m->attrs;

	return find(from, (const char *)m + m->h.nlmsg_len, attr);
}

const struct nlattr *nl_attr(const struct nlmsg *m, int attr)
{
	return nl_next(m, attr, NULL);
}

long long nl_number(const struct nlmsg *m, int attr)
{
	return number(nl_attr(m, attr));
}

const char *nl_text(const struct nlmsg *m, int attr)
{
	const struct nlattr *a = nl_attr(m, attr);

	return a ? payload(a) : "";
}

static const struct nlattr *nested(const struct nlattr *nest, int attr)
{
	return find(payload(nest), (const char *)nest + nest->nla_len, attr);
}

long long nl_nested_number(const struct nlattr *nest, int attr)
{
	return number(nested(nest, attr));
}

const char *nl_nested_text(const struct nlattr *nest, int attr)
{
	const struct nlattr *a = nested(nest, attr);

	return a ? payload(a) : "";
}

void nl_begin(struct nlmsg *m, unsigned int cmd)
{
	memset(&m->h, 0, sizeof(m->h));
	memset(&m->g, 0, sizeof(m->g));
	m->h.nlmsg_len = sizeof(m->h) + sizeof(m->g);
	m->h.nlmsg_flags = NLM_F_REQUEST;
	m->g.cmd = cmd;
	m->g.version = VHOST_FAMILY_VERSION;
}

void nl_put(struct nlmsg *m, int attr, const void *data, size_t len)
{
	struct nlattr *a = (void *)((char *)m + m->h.nlmsg_len);

	a->nla_type = attr;
	a->nla_len = NLA_HDRLEN + len;
	memset((char *)a + NLA_HDRLEN, 0, ALIGN4(len));
	if (len)
		memcpy((char *)a + NLA_HDRLEN, data, len);
	m->h.nlmsg_len += ALIGN4(a->nla_len);
}

void nl_put_u32(struct nlmsg *m, int attr, __u32 value)
{
	nl_put(m, attr, &value, sizeof(value));
}

static int send_to_kernel(struct nl *nl, struct nlmsg *m, int type, int flags)
{
	m->h.nlmsg_type = type;
	m->h.nlmsg_flags |= flags;
	m->h.nlmsg_seq = ++nl->seq;
	nl->why[0] = '\0';
	return send(nl->fd, m, m->h.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* The sentence behind an error; the request that caused it was left out. */
static void note_why(struct nl *nl, const struct nlmsghdr *h)
{
	const char *at = (const char *)h + NLMSG_HDRLEN + sizeof(struct nlmsgerr);
	const struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	a = find(at, (const char *)h + h->nlmsg_len, NLMSGERR_ATTR_MSG);
	if (a)
		snprintf(nl->why, sizeof(nl->why), "%s", (const char *)payload(a));
}

/* Until the last message of an answer. */
static int receive(struct nl *nl, void (*take)(const struct nlmsg *m, void *arg), void *arg)
{
	/* Small: so dumps come in pieces, and must go on where they were. */
	static char buf[4096] __attribute__((aligned(8)));

	for (;;) {
		ssize_t n = recv(nl->fd, buf, sizeof(buf), 0);
		struct nlmsghdr *h = (void *)buf;

		if (n < 0)
			return -errno;
		nl->buffers++;
		for (; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_seq != nl->seq)
				continue;
			if (h->nlmsg_flags & NLM_F_DUMP_INTR)
				nl->interrupted = true;
			if (h->nlmsg_type == NLMSG_ERROR) {
				note_why(nl, h);
				return e->error;
			}
			if (h->nlmsg_type == NLMSG_DONE)
				return *(int *)NLMSG_DATA(h);
			if (take)
				take((void *)h, arg);
		}
	}
}

static void copy(const struct nlmsg *m, void *arg)
{
	if (m->h.nlmsg_len <= sizeof(*m))
		memcpy(arg, m, m->h.nlmsg_len);
}

int nl_do(struct nl *nl, struct nlmsg *m)
{
	int err = send_to_kernel(nl, m, nl->family, NLM_F_ACK);

	return err ? err : receive(nl, copy, m);
}

int nl_dump(struct nl *nl, struct nlmsg *m, void (*take)(const struct nlmsg *m, void *arg),
	    void *arg)
{
	int err = send_to_kernel(nl, m, nl->family, NLM_F_DUMP);

	nl->interrupted = false;
	nl->buffers = 0;
	return err ? err : receive(nl, take, arg);
}

int nl_open(struct nl *nl)
{
	const struct nlattr *groups, *g;
	struct nlmsg m;
	int one = 1, err;

	memset(nl, 0, sizeof(*nl));
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (nl->fd < 0)
		return -errno;
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	nl_begin(&m, CTRL_CMD_GETFAMILY);
	nl_put(&m, CTRL_ATTR_FAMILY_NAME, VHOST_FAMILY_NAME, sizeof(VHOST_FAMILY_NAME));
	err = send_to_kernel(nl, &m, GENL_ID_CTRL, NLM_F_ACK);
	if (!err)
		err = receive(nl, copy, &m);
	if (err) {
		nl_close(nl);
		return err;
	}
	nl->family = nl_number(&m, CTRL_ATTR_FAMILY_ID);
	groups = nl_attr(&m, CTRL_ATTR_MCAST_GROUPS);
	/* There is one. */
	g = groups ? nested(groups, 1) : NULL;
	nl->group = g ? nl_nested_number(g, CTRL_ATTR_MCAST_GRP_ID) : 0;
	return 0;
}

void nl_close(struct nl *nl)
{
	close(nl->fd);
	nl->fd = -1;
}

int nl_listen(struct nl *nl)
{
	return setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nl->group,
			  sizeof(nl->group)) ? -errno : 0;
}

int nl_event(struct nl *nl, struct nlmsg *m, int ms)
{
	struct pollfd p = { .fd = nl->fd, .events = POLLIN };

	if (poll(&p, 1, ms) <= 0)
		return -ETIMEDOUT;
	return recv(nl->fd, m, sizeof(*m), 0) < 0 ? -errno : 0;
}
