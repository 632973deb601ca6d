/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private structures of vhost_blk, and under each file's name what it offers
 * to the others.
 */
#ifndef VHOST_BLK_H
#define VHOST_BLK_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/kcov.h>
#include <linux/llist.h>
#include <linux/vhost_blk.h>
#include <linux/virtio_blk.h>
#include <linux/workqueue.h>

#include "vhost_core.h"

/* Entries of a ring; QEMU takes no more. */
#define VHB_VRING_NUM	1024

/* Data segments of a request that we promise to take; chains may have more. */
#define VHB_SEG_MAX	254

/* Bytes of one request, and bytes under way in a queue before it waits. */
#define VHB_REQUEST_MAX	(64u << 20)
#define VHB_FLIGHT_MAX	(64u << 20)

/* Requests of a device that wait in threads; the others wait for these. */
#define VHB_PUNTED_MAX	64

/* Segments of one DISCARD, WRITE_ZEROES or SECURE_ERASE. */
#define VHB_RANGES_MAX	16

/* Sectors of one of them: it must not keep a thread for minutes. */
#define VHB_RANGE_SECTORS_MAX	(1u << 18)

/* X(NAME, name, what is wrong) */
#define VHB_REJECTIONS(X)						\
	X(NO_STATUS, blk_no_status, "request without room for a status")	\
	X(SHORT, blk_short, "request shorter than its header")		\
	X(LENGTH, blk_length, "data not a multiple of the sector size, or too long") \
	X(SECTOR, blk_sector, "sectors beyond the end of the disk")	\
	X(READ_ONLY, blk_read_only, "write to a read-only disk")	\
	X(TYPE, blk_type, "type of request that is not offered")		\
	X(RANGES, blk_ranges, "malformed or too long ranges of a discard or write-zeroes") \
	X(FAULT, blk_fault, "data of a request are not accessible")

/*
 * How long requests took, from their chain's fetch to its completion: a power of
 * two of 1024 ns each, named by its upper end.
 */
#define VHB_BUCKETS	22
#define VHB_LATENCY(X, TYPE, type)					\
	X(TYPE##_US_1, type##_us_1, #type "s in less than 1 us")	\
	X(TYPE##_US_2, type##_us_2, #type "s in less than 2 us")	\
	X(TYPE##_US_4, type##_us_4, #type "s in less than 4 us")	\
	X(TYPE##_US_8, type##_us_8, #type "s in less than 8 us")	\
	X(TYPE##_US_16, type##_us_16, #type "s in less than 16 us")	\
	X(TYPE##_US_32, type##_us_32, #type "s in less than 32 us")	\
	X(TYPE##_US_64, type##_us_64, #type "s in less than 64 us")	\
	X(TYPE##_US_128, type##_us_128, #type "s in less than 128 us")	\
	X(TYPE##_US_256, type##_us_256, #type "s in less than 256 us")	\
	X(TYPE##_US_512, type##_us_512, #type "s in less than 512 us")	\
	X(TYPE##_US_1024, type##_us_1024, #type "s in less than 1024 us")	\
	X(TYPE##_US_2048, type##_us_2048, #type "s in less than 2048 us")	\
	X(TYPE##_US_4096, type##_us_4096, #type "s in less than 4096 us")	\
	X(TYPE##_US_8192, type##_us_8192, #type "s in less than 8192 us")	\
	X(TYPE##_US_16384, type##_us_16384, #type "s in less than 16384 us")	\
	X(TYPE##_US_32768, type##_us_32768, #type "s in less than 32768 us")	\
	X(TYPE##_US_65536, type##_us_65536, #type "s in less than 65536 us")	\
	X(TYPE##_US_131072, type##_us_131072, #type "s in less than 131072 us")	\
	X(TYPE##_US_262144, type##_us_262144, #type "s in less than 262144 us")	\
	X(TYPE##_US_524288, type##_us_524288, #type "s in less than 524288 us")	\
	X(TYPE##_US_1048576, type##_us_1048576, #type "s in less than 1048576 us")	\
	X(TYPE##_US_MORE, type##_us_more, #type "s that took longer")

/* X(NAME, name, what is counted) */
#define VHB_COUNTERS(X)							\
	X(READS, reads, "reads completed")				\
	X(WRITES, writes, "writes completed")				\
	X(FLUSHES, flushes, "flushes completed")				\
	X(OTHERS, others, "requests of other types completed")		\
	X(ERRORS, errors, "requests completed with an error")		\
	X(BOUNCED, bounced, "requests copied, since not aligned")	\
	X(PUNTED, punted, "requests handed to a thread that may wait")	\
	X(HELD, held, "requests that waited for their class's turn")	\
	VHB_LATENCY(X, READ, read)					\
	VHB_LATENCY(X, WRITE, write)					\
	VHB_LATENCY(X, FLUSH, flush)

enum vhb_rejection {
#define X(NAME, name, text) VHB_R_##NAME,
	VHB_REJECTIONS(X)
#undef X
	VHB_R_NR,
};

enum vhb_counter {
#define X(NAME, name, text) VHB_C_##NAME,
	VHB_COUNTERS(X)
#undef X
	VHB_C_NR,
};

/**
 * struct vhb_backend - what a disk's blocks are in
 * @link: in the list of files that are in use
 * @file: held by us: the block device, opened exclusively, or the file
 * @bdev: the block device; NULL for a file
 * @rdonly: it must not be written to
 * @poll: completions are polled for
 * @direct: reads and writes pass by the page cache
 * @block: bytes that requests have to be a multiple of
 * @align: mask of address bits that data must not have to do without a copy
 */
struct vhb_backend {
	struct list_head link;
	struct file *file;
	struct block_device *bdev;
	bool rdonly;
	bool poll;
	bool direct;
	u32 block;
	u32 align;
};

struct vhb_dev;

/**
 * struct vhb_disk - a named disk
 * @link: in the list of disks
 * @name: its name
 * @serial: what GET_ID returns
 * @queues: number of virtqueues
 * @flags: VHOST_BLK_F_*
 * @backend: its blocks
 * @node: its node
 * @lock: protects @user
 * @user: the device that it is open as, or NULL
 * @watch: looks whether the backing's size has changed
 * @capacity: sectors, when it last looked; one writer, read anywhere
 *
 * All but @user, @watch and @capacity are constant.
 */
struct vhb_disk {
	struct list_head link;
	char name[VHOST_BLK_NAME_LEN];
	char serial[VHOST_BLK_SERIAL_LEN];
	u32 queues;
	u32 flags;
	struct vhb_backend backend;
	struct vhc_node *node;
	struct mutex lock;
	struct vhb_dev *user;
	struct delayed_work watch;
	u64 capacity;
};

/* ioprio classes as the scheduler has them: see sched.c. */
enum vhb_class {
	VHB_RT,
	VHB_BE,
	VHB_IDLE,
	VHB_CLASSES,
};

/* Requests of one queue that wait for their turn: sched.c. */
struct vhb_sched {
	struct list_head wait[VHB_CLASSES];
	u32 deficit[VHB_CLASSES];
	u32 waiting;		/* requests in all of them */
	u32 writes;		/* writes and flushes among them ... */
	enum vhb_class write_class;	/* ... which are all in this list */
	enum vhb_class next;	/* bulk class whose turn it is */
	int freed;		/* the device's @freed when the next queue was woken */
};

/**
 * struct vhb_queue - one virtqueue of a device
 * @vq: the core's part
 * @dev: the device
 * @counter: enum vhb_counter, of the virtqueue
 * @done: completed requests, newest first; lockless, added to in any context
 * @busy: the worker will look at @done before its turn ends
 * @polled: requests that bio_poll() completes
 * @idle: request structures without a request, linked by next_idle
 * @flight: bytes under way
 * @sched: those that wait
 *
 * But for @done and @busy: the virtqueue's lock.
 */
struct vhb_queue {
	struct vhc_vq *vq;
	struct vhb_dev *dev;
	u64 *counter;
	struct llist_head done;
	bool busy;
	struct list_head polled;
	struct vhb_req *idle;
	u32 flight;
	struct vhb_sched sched;
};

/**
 * struct vhb_dev - an open device
 * @dev: the core's part
 * @disk: the named disk; NULL for a classic device
 * @backend: its blocks: the disk's, or what SET_BACKEND set; NULL: none
 * @own: the classic device's backend
 * @serial: what GET_ID returns
 * @wce: what the configuration space says: writes may wait in the backing's cache.
 *	It outlives resets: a VMM resets the device where its driver does not.
 * @can_flush: the driver asks for them to be safe
 * @classes: a request had a class: requests are scheduled from now on
 * @seen: when a request of a class was met last, in jiffies; 0 never
 * @work: what is under way in all queues, by class; not of the highest
 * @budget: how much that may be of the classes below one that is active
 * @late: a request is under way that the budget is not for
 * @looked: when a queue was waked last to look for such a one, in jiffies
 * @looked_at: the queue that was waked last
 * @freed: how often @work has shrunk
 * @least: the least time that a small read of the higher class took, in ns; 0 not
 *	known
 * @waiting: queues that wait for @work to shrink
 * @punted: threads for what may have to wait: its own, for they wait as long as
 *	its backing wants
 * @kcov: to whom a fuzzer's kernel accounts what threads do that may wait
 * @nr_queues: number of queues
 * @queue: the queues
 */
struct vhb_dev {
	struct vhc_dev *dev;
	struct vhb_disk *disk;
	struct vhb_backend *backend;
	struct vhb_backend own;
	char serial[VHOST_BLK_SERIAL_LEN];
	bool wce;
	bool can_flush;
	bool classes;
	unsigned long seen[VHB_CLASSES];
	atomic64_t work[VHB_CLASSES];
	u32 budget;
	unsigned long late;
	unsigned long looked;
	unsigned int looked_at;
	atomic_t freed;
	u64 least;
	DECLARE_BITMAP(waiting, VHOST_BLK_QUEUES_MAX);
	struct workqueue_struct *punted;
	struct kcov_common_handle_id kcov;
	u32 nr_queues;
	struct vhb_queue queue[] __counted_by(nr_queues);
};

/* Pieces of memory that need no allocation. */
#define VHB_INLINE_VECS	8

/**
 * struct vhb_req - a request under way
 * @link: in a list of the queue or the scheduler
 * @done: in the queue's @done
 * @next_idle: in the queue's @idle
 * @q: its queue
 * @chain: how the guest knows it; without iovecs
 * @status_addr: guest address of the status byte
 * @sector: first sector
 * @len: bytes of data
 * @type: VIRTIO_BLK_T_*
 * @class: for the scheduler
 * @counted: it is part of the device's @work
 * @late: it went for having waited too long
 * @held: since when it has waited for its class's turn, in jiffies
 * @begin: when its chain was fetched, by the worker's clock
 * @sent: when it was executed, in ns; 0: not by the scheduler
 * @error: how it ended: 0 or an errno
 * @vec: pinned guest memory
 * @nr_vec: pieces in it
 * @max_vec: pieces that @vec has room for
 * @bounce: what the backing reads or writes instead, if @vec is not aligned
 * @nr_bounce: pieces in it
 * @range: of DISCARD, WRITE_ZEROES, SECURE_ERASE
 * @nr_range: how many
 * @bio: for a block device
 * @iocb: for a file
 * @work: for what may have to wait
 * @css: the I/O control group that pays for that
 * @memcg: the memory control group that does
 */
struct vhb_req {
	struct list_head link;
	struct llist_node done;
	struct vhb_req *next_idle;
	struct vhb_queue *q;
	struct vhc_chain chain;
	u64 status_addr;
	u64 sector;
	u32 len;
	u32 type;
	enum vhb_class class;
	bool counted;
	bool late;
	unsigned long held;
	u64 begin;
	u64 sent;
	int error;
	struct bio_vec *vec;
	u32 nr_vec;
	u32 max_vec;
	struct bio_vec *bounce;
	u32 nr_bounce;
	struct virtio_blk_discard_write_zeroes *range;
	u32 nr_range;
	union {
		struct bio bio;
		struct kiocb iocb;
	};
	struct work_struct work;
	struct cgroup_subsys_state *css;
	struct mem_cgroup *memcg;
	struct bio_vec inline_vec[VHB_INLINE_VECS];
};

static inline void vhb_count(struct vhb_queue *q, enum vhb_counter c)
{
	q->counter[c]++;
}

/*
 * Nobody is left to tell how it ended: the device was reset, or its VMM is gone.
 * What has not begun need not begin. Any context.
 */
static inline bool vhb_is_given_up(const struct vhb_req *r)
{
	return vhc_vq_is_broken(r->q->vq);
}

/* Does the guest's data go to the backing? */
static inline bool vhb_is_write(const struct vhb_req *r)
{
	return r->type == VIRTIO_BLK_T_OUT;
}

/*
 * Write-through: what changes the disk is done when it is safe. So it is for a
 * driver that wants it so, and for one that could not ask for it later.
 */
static inline bool vhb_is_write_through(const struct vhb_dev *d)
{
	return !READ_ONCE(d->can_flush) || !READ_ONCE(d->wce);
}

/* backend.c */
int vhb_backend_get(struct vhb_backend *b, int fd, u32 flags);
void vhb_backend_put(struct vhb_backend *b);
u64 vhb_backend_sectors(const struct vhb_backend *b);

/* disk.c: named disks */
int vhb_disk_init(const struct vhc_driver *drv);
void vhb_disk_exit(void);
long vhb_disk_control(unsigned int cmd, void __user *arg);
void vhb_disk_opened(struct vhb_disk *disk, struct vhb_dev *user);
void vhb_disk_closed(struct vhb_disk *disk);

/* config.c: configuration space and the features that go with it */
u64 vhb_config_features(const struct vhb_disk *disk);
void vhb_config_get(struct vhc_dev *dev, u32 offset, void *buf, u32 len);
int vhb_config_set(struct vhc_dev *dev, u32 offset, const void *buf, u32 len);

/* queue.c: a turn, and memory of requests */
enum vhc_verdict vhb_queue_run(struct vhc_vq *vq, unsigned int index, void *priv);
void vhb_queue_init(struct vhb_queue *q, struct vhb_dev *dev, unsigned int index);
void vhb_queue_free(struct vhb_queue *q);

/* req.c: from a chain to a request and back */
struct mem_cgroup *vhb_charge_owner(void);
void vhb_charge_nobody(struct mem_cgroup *memcg);
bool vhb_req_parse(struct vhb_req *r, const struct vhc_chain *c);
void vhb_req_execute(struct vhb_req *r);
void vhb_req_done(struct vhb_req *r, int error);
int vhb_req_finish(struct vhb_req *r);
void vhb_req_release(struct vhb_req *r);
void vhb_req_punt(struct vhb_req *r);

/* bdev.c, file.c: the backings */
void vhb_bdev_rw(struct vhb_req *r, bool fua);
void vhb_bdev_flush(struct vhb_req *r);
int vhb_bdev_wait(struct vhb_req *r);
void vhb_bdev_poll(struct vhb_queue *q);
void vhb_file_rw(struct vhb_req *r, bool sync);
int vhb_file_wait(struct vhb_req *r);

/* sched.c: classes */
void vhb_sched_init_dev(struct vhb_dev *d);
void vhb_sched_init(struct vhb_sched *s);
void vhb_sched_submit(struct vhb_queue *q, struct vhb_req *r);
void vhb_sched_completed(struct vhb_queue *q, struct vhb_req *r);
void vhb_sched_dispatch(struct vhb_queue *q);
enum vhb_class vhb_sched_class(u32 ioprio);

#endif /* VHOST_BLK_H */
