// SPDX-License-Identifier: GPL-2.0
/* The socket, requests and their errors. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vhostctl.h"
#include "nl.h"

/* So often a dump is repeated if devices come and go meanwhile. */
#define TRIES	8

static struct mnl_socket *sock;
static int family;
static unsigned int group;
static char buf[32768];

static const char *extack(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	unsigned int at = sizeof(*e);

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	/* The request comes back behind the error, whole unless it was capped. */
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		at += mnl_nlmsg_get_payload_len(&e->msg);
	mnl_attr_for_each(attr, nlh, at) {
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
			return mnl_attr_get_str(attr);
	}
	return NULL;
}

static int refused(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	const char *why = extack(nlh);

	if (!e->error)
		return EXIT_OK;
	return error(EXIT_KERNEL, "%s%s%s%s", why ? why : "", why ? ": " : "", strerror(-e->error),
		     e->error == -EPERM && !why ? " (this wants CAP_NET_ADMIN)" : "");
}

/* The end of a dump says whether it came that far. */
static int done(const struct nlmsghdr *nlh)
{
	const int *err = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err) || *err >= 0)
		return EXIT_OK;
	return error(EXIT_KERNEL, "%s", strerror(-*err));
}

/*
 * Receive the answers to what was sent. *@interrupted: a dump is not complete.
 */
static int receive(unsigned int seq, void (*take)(const struct nlmsghdr *nlh, void *arg),
		   void *arg, bool *interrupted)
{
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(sock, buf, sizeof(buf));
		const struct nlmsghdr *nlh = (void *)buf;
		int left = n;

		if (n < 0)
			return error(EXIT_KERNEL, "netlink: %s", strerror(errno));
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			if (nlh->nlmsg_seq != seq)
				continue;
			if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
				*interrupted = true;
			if (nlh->nlmsg_type == NLMSG_ERROR)
				return refused(nlh);
			if (nlh->nlmsg_type == NLMSG_DONE)
				return done(nlh);
			if (take)
				take(nlh, arg);
		}
	}
}

static int send_request(struct nlmsghdr *nlh,
			void (*take)(const struct nlmsghdr *nlh, void *arg), void *arg,
			bool *interrupted)
{
	static unsigned int seq;

	nlh->nlmsg_seq = ++seq;
	if (mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) < 0)
		return error(EXIT_KERNEL, "netlink: %s", strerror(errno));
	return receive(seq, take, arg, interrupted);
}

static void take_group(const struct nlattr *nest)
{
	const struct nlattr *attr;
	const char *name = "";
	unsigned int id = 0;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME)
			name = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
			id = mnl_attr_get_u32(attr);
	}
	if (!strcmp(name, VHOST_MCGRP_MONITOR))
		group = id;
}

static void take_family(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr, *nest;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID) {
			family = mnl_attr_get_u16(attr);
		} else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS) {
			mnl_attr_for_each_nested(nest, attr)
				take_group(nest);
		}
	}
}

static struct nlmsghdr *put_header(void *to, int type, unsigned int cmd, int flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(to);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = type == GENL_ID_CTRL ? 1 : VHOST_FAMILY_VERSION;
	return nlh;
}

static int find_family(void)
{
	struct nlmsghdr *nlh;
	char request[256];
	ssize_t n;

	nlh = put_header(request, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, VHOST_FAMILY_NAME);
	if (mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(sock, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	nlh = (void *)buf;
	if (!mnl_nlmsg_ok(nlh, n) || nlh->nlmsg_type == NLMSG_ERROR)
		return -ENOENT;
	take_family(nlh);
	return family ? 0 : -ENOENT;
}

static int open_socket(void)
{
	int one = 1;

	if (sock)
		return EXIT_OK;
	sock = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!sock || mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return error(EXIT_KERNEL, "netlink: %s", strerror(errno));
	mnl_socket_setsockopt(sock, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(sock, NETLINK_CAP_ACK, &one, sizeof(one));
	if (find_family())
		return error(EXIT_KERNEL, "the kernel does not know netlink family \"%s\" (is vhost_core loaded?)",
			     VHOST_FAMILY_NAME);
	return EXIT_OK;
}

void request_begin(struct request *r, unsigned int cmd, bool dump)
{
	r->nlh = put_header(r->buf, 0, cmd, dump ? NLM_F_DUMP : NLM_F_ACK);
}

int request_send(struct request *r, void (*take)(const struct nlmsghdr *nlh, void *arg),
		 void *arg)
{
	bool interrupted = false;
	int err = open_socket();

	if (err)
		return err;
	r->nlh->nlmsg_type = family;
	return send_request(r->nlh, take, arg, &interrupted);
}

struct rows {
	void (*row)(const struct nlmsghdr *nlh, json_object *rows);
	json_object *rows;
};

static void take_row(const struct nlmsghdr *nlh, void *arg)
{
	struct rows *r = arg;

	r->row(nlh, r->rows);
}

int request_rows(struct request *r, void (*row)(const struct nlmsghdr *nlh, json_object *rows),
		 json_object *rows)
{
	struct rows arg = { row, rows };
	int tries, err = open_socket();
	bool interrupted = true;

	r->nlh->nlmsg_type = family;
	for (tries = 0; !err && interrupted && tries < TRIES; tries++) {
		json_object_array_del_idx(rows, 0, json_object_array_length(rows));
		interrupted = false;
		err = send_request(r->nlh, take_row, &arg, &interrupted);
	}
	if (!err && interrupted)
		error(EXIT_OK, "devices come and go: this list may lack some");
	return err;
}

int listen_events(void (*take)(const struct nlmsghdr *nlh))
{
	int err = open_socket();

	if (err)
		return err;
	if (mnl_socket_setsockopt(sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return error(EXIT_KERNEL, "cannot listen: %s", strerror(errno));
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(sock, buf, sizeof(buf));
		const struct nlmsghdr *nlh = (void *)buf;
		int left = n;

		if (n < 0 && errno == ENOBUFS) {
			error(EXIT_OK, "some events were lost");
			continue;
		}
		if (n < 0)
			return error(EXIT_KERNEL, "netlink: %s", strerror(errno));
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			if (nlh->nlmsg_type == family)
				take(nlh);
		}
	}
}
