/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Network devices and frames for the tests: taps, packet sockets, macvtaps,
 * XDP programs. Functions return a descriptor, an index or 0, or the negative
 * errno.
 */
#ifndef VHOST_TEST_NETDEV_H
#define VHOST_TEST_NETDEV_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/types.h>

/* An ethertype for local experiments, which no stack answers. */
#define NET_ETH_P_TEST	0x88b5

/* A network namespace of our own: its devices go when we go. */
int net_private(void);

/*
 * A tap with a virtio-net header and blocking I/O. @name may hold a pattern
 * ("tap%d") and returns the name. @flags: IFF_MULTI_QUEUE etc. on top.
 */
int tap_open(char name[IFNAMSIZ], int flags);
int tap_hdr_len(int fd, int len);
int tap_offload(int fd, unsigned int flags);
/* A macvtap on top of @parent; opens its character device. */
int macvtap_open(const char *parent, const char *name);
/* A packet socket that sends to and receives from @name. */
int packet_open(const char *name, int type, int proto);

int netdev_index(const char *name);
/* Up without neighbour discovery or ARP, so that only tests make packets. */
int netdev_up(const char *name);
int netdev_down(const char *name);
int netdev_mtu(const char *name, int mtu);
int netdev_txqueuelen(const char *name, int len);
int netdev_mac(const char *name, __u8 mac[6]);
/* A column of /proc/net/dev, 0 the received bytes; -1 without the device. */
#define NETDEV_RX_PACKETS	1
#define NETDEV_RX_DROPPED	3
#define NETDEV_TX_PACKETS	9
long long netdev_stat(const char *name, unsigned int column);
int netdev_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* XDP programs: all packets dropped, passed, or sent out of @ifindex. */
int xdp_prog_return(int action);
int xdp_prog_redirect(int ifindex);
/* Attach until the returned descriptor is closed. Native mode. */
int xdp_attach(int ifindex, int prog);

/*
 * Frames: Ethernet header of NET_ETH_P_TEST, a sequence number, and bytes that
 * depend on it and on their place. frame_check() returns the number, or -1.
 */
#define FRAME_MIN	18
void frame_fill(void *buf, size_t len, __u32 seq);
long long frame_check(const void *buf, size_t len);

/* Receive one packet within @ms; its length, -ETIMEDOUT or another error. */
int sock_recv(int fd, void *buf, size_t size, int ms);

#endif /* VHOST_TEST_NETDEV_H */
