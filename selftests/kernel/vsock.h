/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of vhost-vsock share: one guest, and short names. */
#ifndef VHOST_TEST_VSOCK_H
#define VHOST_TEST_VSOCK_H

#include <unistd.h>

#include "test.h"
#include "vvsock.h"

#define N(a)		(sizeof(a) / sizeof((a)[0]))
#define STREAM		VIRTIO_VSOCK_TYPE_STREAM
#define SEQPACKET	VIRTIO_VSOCK_TYPE_SEQPACKET
#define PORT		5000	/* of the guest */
#define KIB		1024u

static struct vvsock v;
static struct vpkt p;

static inline void fill(void *buf, size_t len, unsigned int seed)
{
	unsigned char *b = buf;

	while (len--) {
		seed = seed * 1103515245 + 12345;
		*b++ = seed >> 16;
	}
}

static inline long long tx_count(const char *name)
{
	return vmm_counter(&v.vmm, VSOCK_TX, name);
}

static inline int error_of(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	return err;
}

/* A connection by the guest; the host's end is returned. */
static inline int guest_pair(struct vconn *c, int type, __u32 port)
{
	unsigned int peer = 0;
	int listener = hsock_listen(type, &peer), fd;

	vconn_connect(c, &v, port, peer, type == SOCK_STREAM ? STREAM : SEQPACKET);
	fd = hsock_accept(listener);
	close(listener);
	return fd;
}

#endif /* VHOST_TEST_VSOCK_H */
