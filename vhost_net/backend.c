// SPDX-License-Identifier: GPL-2.0
/*
 * Backends: a file that user space hands us becomes a socket, if it is a tap
 * device, a macvtap, or a raw packet socket. Anything else is refused: it was
 * not made to be driven from here.
 */
#include <linux/file.h>
#include <linux/if_packet.h>
#include <linux/if_tap.h>
#include <linux/poll.h>
#include <net/sock.h>

#include "net.h"

static int get_packet(struct vhn_backend *b)
{
	struct socket *sock = sock_from_file(b->file);

	if (!sock)
		return -ENOTSOCK;
	if (sock->sk->sk_type != SOCK_RAW)
		return -ESOCKTNOSUPPORT;
	if (sock->sk->sk_family != AF_PACKET)
		return -EPFNOSUPPORT;
	b->sock = sock;
	b->ring = NULL;
	b->kind = VHN_PACKET;
	return 0;
}

/**
 * vhn_backend_get() - take hold of a backend
 * @b: to be filled
 * @fd: of the calling process; looked at once
 *
 * Return: 0, -EBADF, -ENOTSOCK, -ESOCKTNOSUPPORT or -EPFNOSUPPORT.
 */
int vhn_backend_get(struct vhn_backend *b, int fd)
{
	int err;

	b->file = fget(fd);
	if (!b->file)
		return -EBADF;

	b->sock = tun_get_socket(b->file);
	if (!IS_ERR(b->sock)) {
		b->ring = tun_get_tx_ring(b->file);
		b->kind = VHN_TAP;
		if (!IS_ERR(b->ring))
			return 0;
	}
	b->sock = tap_get_socket(b->file);
	if (!IS_ERR(b->sock)) {
		b->ring = tap_get_ptr_ring(b->file);
		b->kind = VHN_MACVTAP;
		if (!IS_ERR(b->ring))
			return 0;
	}
	err = get_packet(b);
	if (err)
		fput(b->file);
	return err;
}

void vhn_backend_put(struct vhn_backend *b)
{
	fput(b->file);
	memset(b, 0, sizeof(*b));
}

/* Also asks the backend to tell when it has room, if it has none. */
bool vhn_backend_has_room(const struct vhn_backend *b)
{
	return vfs_poll(b->file, NULL) & EPOLLOUT;
}
