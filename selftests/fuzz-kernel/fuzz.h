/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fuzzer of the live interface: bytes become a sequence of actions against
 * /dev/vhost-net, and the kernel's coverage tells which bytes were worth it.
 *
 *	main.c	the engine (libFuzzer), a watchdog, the kernel's log
 *	cover.c	KCOV, of the calling thread and of the workers
 *	world.c	what inputs act upon: guest memory, eventfds, backends, devices;
 *		all of it as new for every input
 *	act.c	the actions
 *	call.c	ioctls
 *	ring.c	well-formed rings: what a guest's driver would write
 *	seed.c	a program that writes the first inputs
 *
 * An input is a row of actions: a byte, modulo NR_ACTIONS, and its arguments.
 * Bytes that are missing are zero.
 */
#ifndef VHOST_FUZZ_H
#define VHOST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>

#include "uapi.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

/* The numbers are in the corpus: new ones go to the end. */
enum action {
	A_SETUP,	/* queue, features, more features, ring size, memory */
	A_IOCTL,	/* queue, enum call, pointer, its arguments */
	A_IOCTL_RAW,	/* queue, nr, size and direction, 8 bytes */
	A_OPEN,		/* device */
	A_CLOSE,	/* device */
	A_CHAIN,	/* queue, shape, then a byte each segment */
	A_KICK,		/* queue */
	A_WAIT,		/* device */
	A_RING_WRITE,	/* queue, part, offset, value */
	A_MEM_WRITE,	/* offset, value */
	A_DESC,		/* queue, index, flags, next, length, address */
	A_IDX,		/* queue, how far */
	A_EVENT,	/* eventfd, what */
	A_MSG,		/* device, form, type, perm, iova, size, address */
	A_ANSWER,	/* device, how */
	A_READ,		/* device, form */
	A_PACKETS,	/* where, how many, kind, length */
	A_RECV,		/* where */
	A_TAP,		/* which, what, value */
	A_PROTECT,	/* page, how */
	A_HELP,		/* what, argument, argument */
	A_HELP_END,
	A_FORK,		/* device, call */
	A_STATS,
	A_FAIL,		/* which allocation */
	A_XDP,		/* on or off */
	A_VNET_HDR,	/* page, flags, gso, csum start, csum offset */
	A_CHAINS,	/* queue, how many, shape */
	NR_ACTIONS,
};

/* So are these. Arguments: see call.c. */
enum call {
	C_SET_OWNER,
	C_RESET_OWNER,
	C_GET_FEATURES,
	C_SET_FEATURES,
	C_GET_FEATURES_ARRAY,
	C_SET_FEATURES_ARRAY,
	C_GET_BACKEND_FEATURES,
	C_SET_BACKEND_FEATURES,
	C_SET_MEM_TABLE,
	C_SET_LOG_BASE,
	C_SET_LOG_FD,
	C_NEW_WORKER,
	C_FREE_WORKER,
	C_ATTACH_VRING_WORKER,
	C_GET_VRING_WORKER,
	C_SET_VRING_NUM,
	C_SET_VRING_ADDR,
	C_SET_VRING_BASE,
	C_GET_VRING_BASE,
	C_SET_VRING_KICK,
	C_SET_VRING_CALL,
	C_SET_VRING_ERR,
	C_SET_VRING_BUSYLOOP,
	C_GET_VRING_BUSYLOOP,
	C_SET_VRING_ENDIAN,
	C_GET_VRING_ENDIAN,
	C_NET_SET_BACKEND,
	C_SET_FORK_OWNER,
	C_GET_FORK_OWNER,
	C_WORKER_INFO,
	C_SET_AFFINITY,
	C_GET_AFFINITY,
	C_SET_POLL_MODE,
	C_GET_POLL_MODE,
	NR_CALLS,
};

/* ---- the input: act.c -------------------------------------------------------- */

struct in {
	const __u8 *p;
	size_t left;
};

__u8 in_byte(struct in *in);
__u16 in_word(struct in *in);
__u32 in_dword(struct in *in);

void act_all(const __u8 *data, size_t size);

/* ---- cover.c ------------------------------------------------------------------- */

bool cover_open(void);
void cover_thread(unsigned int thread);
void cover_fold(void);
/* What a call returned is worth knowing, too: the fuzzer's clue without KCOV. */
void cover_result(unsigned int what, int result);
void cover_write(const char *path);

/* ---- world.c --------------------------------------------------------------------- */

#define NR_DEVS		2
#define NR_VQS		2
#define VQ_RX		0
#define VQ_TX		1

/*
 * Guest memory: rings first, then buffers, then the log. The device is told of
 * it at MEM_HVA, where inputs take pages away or protect them; @mem is another
 * mapping of the same memory, where all pages can be written at any time.
 */
#define PAGE		4096u
#define MEM_PAGES	64u
#define MEM_SIZE	(MEM_PAGES * PAGE)
#define MEM_HVA		0x600000000000ULL
#define MEM_GPA		0x100000ULL
#define MEM_IOVA	0x40000000ULL
#define RING_PAGES	4u	/* each of four queues: descriptors, available, used, table */
#define BUF_PAGE	16u
#define LOG_PAGE	60u

extern __u8 *mem;

enum backend {
	B_TAP,		/* with the usual header of 12 bytes */
	B_TAP_BARE,	/* without */
	B_PACKET,	/* on the first tap's device */
	B_MACVTAP,	/* on the second tap's */
	B_PACKET_SMALL,	/* with hardly any send buffer */
	NR_BACKENDS,
};

enum evt {
	E_KICK,				/* one for each of four queues */
	E_CALL = NR_DEVS * NR_VQS,
	E_ERR = 2 * NR_DEVS * NR_VQS,
	E_LOG,
	E_SPARE,
	NR_EVTS,
};

/* What the driver's half of a queue knows. */
struct vq {
	unsigned int base;	/* its place in memory, in bytes */
	__u16 num;
	__u16 avail;		/* split: index; packed: slot and wrap counter */
	__u16 head;		/* next descriptor to use */
	__u16 last;		/* packed: slot of the last chain's head */
	__u16 last_flags;	/* packed: how it looks when used */
	unsigned int in_flight;	/* descriptors added since the last look */
	bool kicked;		/* since a chain was added */
	bool packed;
	bool in_order;
	bool indirect;
};

struct dev {
	int fd;
	bool iommu;		/* addresses of rings and buffers are I/O addresses */
	/*
	 * All that was done to it and to the world was to set it up and to send:
	 * what is in the transmit ring has to be used once it was kicked.
	 */
	bool clean;
	struct vq vq[NR_VQS];
};

/* How the host sends: as it is, with a virtio header, through a VLAN, to fz1. */
enum inject { I_PLAIN, I_VNET_HDR, I_VLAN, I_BARE, NR_INJECT };

struct world {
	struct dev dev[NR_DEVS];
	int evt[NR_EVTS];
	int backend[NR_BACKENDS];
	char name[NR_BACKENDS][16];	/* of the network devices */
	int inject[NR_INJECT];		/* packet sockets: host's end of the first tap */
	bool polls;			/* some queue may be busy polling */
	bool tap_touched;
	bool helper;			/* the other thread is at work */
};

extern struct world world;

int world_init(void);
void world_begin(void);
void world_end(void);
void world_dirty(void);
void dev_open(unsigned int i);
void dev_close(unsigned int i);
/* Until the device's workers have nothing to do. A hang ends the program. */
void dev_wait(struct dev *d);
void tap_change(unsigned int which, __u8 what, __u16 value);
void tap_xdp(bool on);
void stats_read(void);
/* Packets from the host, and what is left of those to it. */
void send_packet(__u8 kind, __u16 len);
void recv_all(void);
void page_change(unsigned int page, __u8 how);

/* A second thread that acts at the same time. */
enum help {
	H_SCRIBBLE,	/* writes to guest memory again and again */
	H_READ,		/* reads from the device, blocking */
	H_IOCTL,	/* one ioctl again and again */
	H_KICK,		/* kicks again and again */
	H_SEND,		/* packets from the host */
	NR_HELP,
};

void helper_start(enum help what, struct dev *d, __u8 a, __u16 b);
void helper_stop(void);

/* ---- call.c ------------------------------------------------------------------------ */

int call_init(void);
int call(struct dev *d, unsigned int vq, unsigned int which, __u8 ptr, struct in *in);
int call_raw(struct dev *d, struct in *in);
/* The calls that set a device up, good ones. */
int do_ioctl(struct dev *d, unsigned long req, void *arg);
void set_up(struct dev *d, unsigned int dev, struct in *in);
void message(struct dev *d, struct in *in);
void answer(struct dev *d, __u8 how);
void read_message(struct dev *d, __u8 how);

/* ---- ring.c ------------------------------------------------------------------------- */

/* The address of @off in guest memory as a descriptor holds it. */
__u64 guest_addr(const struct dev *d, __u32 off);
void ring_init(struct vq *vq, __u16 num, bool packed);
void ring_chain(struct dev *d, unsigned int q, __u8 shape, struct in *in);
void ring_chains(struct dev *d, unsigned int q, unsigned int n, __u8 shape);
void ring_kick(struct dev *d, unsigned int q);
/* Is all used that was added? Only for a driver that did nothing wrong. */
bool ring_done(const struct dev *d, unsigned int q);

/* ---- main.c ---------------------------------------------------------------------------- */

/* A finding that the kernel does not report by itself: the input is kept. */
void finding(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
long long now_ms(void);

#endif /* VHOST_FUZZ_H */
