/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fuzzers of the live interface: bytes become a sequence of actions against
 * devices, and the kernel's coverage tells which bytes were worth it.
 *
 *	main.c	the engine (libFuzzer), a watchdog, the kernel's log
 *	cover.c	KCOV, of the calling thread and of the workers
 *	world.c	what inputs act upon: guest memory, eventfds, devices; all of it
 *		as new for every input
 *	act.c	the actions
 *	call.c	ioctls
 *	ring.c	well-formed rings: what a guest's driver would write
 *
 * and the target, one for each of three programs:
 *
 *	net.c	/dev/vhost-net: packets, taps and other backends
 *	blk.c	vhost_blk, both dialects: disks, requests, the vdpa calls
 *	vsock.c	/dev/vhost-vsock: guests' packets, sockets of the host
 *	seed.c, seed_blk.c, seed_vsock.c	programs that write the first inputs
 *
 * An input is a row of actions: a byte, modulo target.actions, and its arguments.
 * Bytes that are missing are zero.
 *
 * Programs and corpora of their own rather than one language for all: each byte
 * is taken modulo the number of actions or calls, so that another one, even at the
 * end, changes what inputs mean that libFuzzer has found. And most of what an
 * input of all did would be about a device that it is not after.
 */
#ifndef VHOST_FUZZ_H
#define VHOST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>

#include "uapi.h"

#include <linux/vhost_blk.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

/*
 * The numbers are in the corpora. New ones go to the end of blk's or vsock's,
 * which begin where net's end; net's are complete, but for a corpus made anew.
 */
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
	NR_NET_ACTIONS,
	/* blk's own; A_PACKETS, A_RECV, A_TAP, A_XDP, A_VNET_HDR do nothing there. */
	A_REQ = NR_NET_ACTIONS,	/* queue, how many, what, shape, length, sector, class */
	A_DISK,		/* disk, what, value */
	NR_BLK_ACTIONS,
	/* vsock's own; A_PACKETS, A_TAP, A_XDP, A_VNET_HDR do nothing there. */
	A_PKT = NR_NET_ACTIONS,	/* queue, operation, kind, ports, length, shape */
	A_SOCK,		/* socket, what, value, value */
	NR_VSOCK_ACTIONS,
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
	NR_NET_CALLS,
	C_VDPA_GET_DEVICE_ID = NR_NET_CALLS,
	C_VDPA_GET_STATUS,
	C_VDPA_SET_STATUS,
	C_VDPA_GET_CONFIG,
	C_VDPA_SET_CONFIG,
	C_VDPA_SET_VRING_ENABLE,
	C_VDPA_GET_VRING_NUM,
	C_VDPA_SET_CONFIG_CALL,
	C_VDPA_GET_IOVA_RANGE,
	C_VDPA_GET_CONFIG_SIZE,
	C_VDPA_GET_AS_NUM,
	C_VDPA_GET_GROUP_NUM,
	C_VDPA_GET_VRING_GROUP,
	C_VDPA_SET_GROUP_ASID,
	C_VDPA_SUSPEND,
	C_VDPA_RESUME,
	C_VDPA_GET_VQS_COUNT,
	C_VDPA_GET_VRING_SIZE,
	C_BLK_ADD,
	C_BLK_DEL,
	C_BLK_SET_BACKEND,
	NR_BLK_CALLS,
	C_VSOCK_SET_GUEST_CID = NR_NET_CALLS,
	C_VSOCK_SET_RUNNING,
	C_VSOCK_ALLOC_CID,
	C_VSOCK_SET_GROUP,
	NR_VSOCK_CALLS,
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

/* What a device can be given: open files, made once. */
#define BACKENDS_MAX	10

/* net's */
enum backend {
	B_TAP,		/* with the usual header of 12 bytes */
	B_TAP_BARE,	/* without */
	B_PACKET,	/* on the first tap's device */
	B_MACVTAP,	/* on the second tap's */
	B_PACKET_SMALL,	/* with hardly any send buffer */
	NR_NET_BACKENDS,
};

/* How the host sends: as it is, with a virtio header, through a VLAN, to fz1. */
enum inject { I_PLAIN, I_VNET_HDR, I_VLAN, I_BARE, NR_INJECT };

/* blk's. Of the first there are disks, fz0 to fz4, which devices are opened by. */
enum blk_backend {
	D_RAM,		/* a RAM disk: completes at once */
	D_NULL,		/* null_blk: completes later, can be polled */
	D_FILE,		/* on a file system, as good a one as there is */
	D_MEMFD,	/* through the page cache */
	D_RDONLY,	/* open for reading only */
	NR_DISKS,
	D_RAM_FREE = NR_DISKS,	/* nobody's yet */
	D_MEMFD_FREE,
	D_MEMFD_ODD,	/* not a multiple of a sector long */
	D_WRONG,	/* a directory */
	NR_BLK_BACKENDS,
};

enum evt {
	E_KICK,				/* one for each of four queues */
	E_CALL = NR_DEVS * NR_VQS,
	E_ERR = 2 * NR_DEVS * NR_VQS,
	E_LOG,
	E_SPARE,
	NR_EVTS,
};

/* Entries of a ring that set_up() makes. */
#define VQ_MAX	256

/* What the driver's half of a queue knows. */
struct vq {
	unsigned int base;	/* its place in memory, in bytes */
	unsigned int nr;	/* requests so far */
	__u16 num;
	__u16 avail;		/* split: index; packed: slot and wrap counter */
	__u16 head;		/* next descriptor to use */
	__u16 used;		/* packed: slot and wrap counter of the next used one */
	__u16 last;		/* packed: slot of the last chain's head */
	__u8 length[VQ_MAX];	/* packed: descriptors of the chain with this ID */
	unsigned int in_flight;	/* descriptors added since the last look */
	bool kicked;		/* since a chain was added */
	bool packed;
	bool in_order;
	bool indirect;
};

struct dev {
	int fd;
	__u8 node;		/* what it was opened by: the target's number */
	bool vdpa;		/* speaks that dialect */
	bool iommu;		/* addresses of rings and buffers are I/O addresses */
	/*
	 * All that was done to it and to the world was to set it up and to send:
	 * what is in the ring has to be used once it was kicked.
	 */
	bool clean;
	struct vq vq[NR_VQS];
};

struct world {
	struct dev dev[NR_DEVS];
	int evt[NR_EVTS];
	int backend[BACKENDS_MAX];
	bool polls;			/* some queue may be busy polling */
	bool touched;			/* what outlives an input has to be put right */
	bool mem_touched;		/* pages were taken away */
	bool helper;			/* the other thread is at work */
};

extern struct world world;

int world_init(void);
void world_begin(void);
void world_end(void);
void world_dirty(void);
/* By a node of the target's. One that is open by another is closed first. */
void dev_open(unsigned int i, __u8 node);
void dev_close(unsigned int i);
/* Until the device's workers have nothing to do. A hang ends the program. */
void dev_wait(struct dev *d);
/* Reads a file to its end, for the sake of what that runs. */
void file_read(const char *dir, const char *name);
void stats_read(void);
void page_change(unsigned int page, __u8 how);

/* A second thread that acts at the same time. */
enum help {
	H_SCRIBBLE,	/* writes to guest memory again and again */
	H_READ,		/* reads from the device, blocking */
	H_IOCTL,	/* one ioctl again and again */
	H_KICK,		/* kicks again and again */
	H_SEND,		/* the target's own: the host's end is busy */
	NR_HELP,
};

void helper_start(enum help what, struct dev *d, __u8 a, __u16 b);
void helper_stop(void);

/* ---- call.c ------------------------------------------------------------------------ */

#define REGIONS_MAX	64

struct table {
	__u32 nr;
	__u32 padding;
	struct vhost_memory_region r[REGIONS_MAX];
};

union arg {
	__u8 u8;
	int fd;
	__u64 u64[9];
	struct vhost_vring_state state;
	struct vhost_vring_addr addr;
	struct vhost_vring_file file;
	struct vhost_vring_worker vring_worker;
	struct vhost_worker_state worker;
	struct vhost_ext_worker_info info;
	struct vhost_ext_worker_affinity affinity;
	struct vhost_blk_add add;
	struct vhost_blk_del del;
	struct vhost_blk_backend backend;
	struct vhost_vsock_group group;
	struct {
		__u32 off;
		__u32 len;
		__u8 buf[256];
	} config;
	struct table table;
};

int call_init(void);
int call(struct dev *d, unsigned int vq, unsigned int which, __u8 ptr, struct in *in);
int call_raw(struct dev *d, struct in *in);
/* The calls that set a device up, good ones. */
int do_ioctl(struct dev *d, unsigned long req, void *arg);
__u64 features_of(__u8 a, __u8 b);
void table_make(struct table *t, __u8 shape, __u8 page);
void table_region(struct table *t, __u64 gpa, __u64 size, __u64 hva);
/* All of a queue but what starts it. */
int set_up_vring(struct dev *d, unsigned int q, unsigned int num, bool packed, __u32 flags);
int own_worker(struct dev *d, unsigned int q);
int iotlb_map(struct dev *d, __u64 off, __u64 size, __u64 hva_off, __u8 perm);
int iotlb_drop(struct dev *d);
/* One of world.evt for a queue; an open file that fits, or another one. */
int evt_of(const struct dev *d, unsigned int first, unsigned int q);
int pick_fd(const struct dev *d, int fits, __u8 which);
int pick_backend(const struct dev *d, __u8 which);
void message(struct dev *d, struct in *in);
void answer(struct dev *d, __u8 how);
void read_message(struct dev *d, __u8 how);

/* ---- ring.c ------------------------------------------------------------------------- */

/* The address of @off in guest memory as a descriptor holds it. */
__u64 guest_addr(const struct dev *d, __u32 off);
void ring_init(struct vq *vq, __u16 num, bool packed);
/* At most CHAIN_MAX descriptors; flags and next are set already. */
#define CHAIN_MAX	8
void ring_put(struct dev *d, unsigned int q, struct vring_desc *desc, unsigned int nr,
	      bool indirect, bool hidden);
void ring_chain(struct dev *d, unsigned int q, __u8 shape, struct in *in);
void ring_chains(struct dev *d, unsigned int q, unsigned int n, __u8 shape);
void ring_kick(struct dev *d, unsigned int q);
/* Is all used that was added? Only for a driver that did nothing wrong. */
bool ring_done(struct dev *d, unsigned int q);

/* ---- the target: net.c, blk.c, vsock.c ------------------------------------------------- */

struct target {
	unsigned int actions;	/* how many numbers have a meaning */
	unsigned int calls;
	unsigned int backends;
	unsigned int nodes;	/* that devices are opened by */
	unsigned int may_fail;	/* an own action whose allocations may fail, or 0 */
	/* What byte says which bits. */
	__u64 features[2][8];

	int (*init)(void);
	/* What inputs have changed is put right, with all devices closed. */
	void (*end)(void);
	/* Sets fd and what else there is to know of a device. */
	void (*open)(struct dev *d, __u8 node);
	/* A_SETUP: a device that works. */
	void (*set_up)(struct dev *d, struct in *in);
	/* Actions that the other target does not have. */
	void (*act)(unsigned int action, struct dev *d, unsigned int q, __u8 sel, struct in *in);
	/* Whether the ring still has to do what it did before. */
	bool (*harmless)(unsigned int action);
	/* Ioctls that the other target does not have: the request, or 0. */
	unsigned long (*call)(struct dev *d, unsigned int q, unsigned int which, union arg *a,
			      struct in *in, size_t *size);
	/* Calls whose effect outlives the input. */
	bool (*lasting)(unsigned int which);
	/* The workers of a device are idle: is all done that has to be? */
	void (*waited)(struct dev *d);
	/* One round of H_SEND. */
	void (*help)(__u8 a, __u16 b);
	void (*stats)(void);
};

extern const struct target target;

/* ---- main.c ---------------------------------------------------------------------------- */

/* A finding that the kernel does not report by itself: the input is kept. */
void finding(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
long long now_ms(void);

#endif /* VHOST_FUZZ_H */
