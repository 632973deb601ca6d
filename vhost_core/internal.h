/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private structures of the core, and under each file's name what it offers
 * to the others. Beside every field: what protects it.
 *
 *	(c)	constant after creation
 *	(d)	dev->mutex
 *	(t)	written with dev->mutex and every vq->mutex held ("the tables"),
 *		read with any one of them
 *	(q)	vq->mutex
 *	(m)	dev->miss_lock
 *	(o)	dev->owner_lock; written with dev->mutex as well
 *
 * netlink_get.c reads numbers of a device or queue without its lock.
 */
#ifndef VHOST_INTERNAL_H
#define VHOST_INTERNAL_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/kcov.h>
#include <linux/llist.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/vhost.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "vhost_core.h"
#include "mem.h"
#include "stats.h"
#include "ring/ring.h"

/* Descriptors that cross a border of memory regions cost an iovec more. */
#define VHC_IOV_MAX	(VRING_SEG_MAX + 64)

/**
 * struct vhc_registration - a registered driver and its device node
 * @drv: the driver (c)
 * @misc: the node (c)
 * @fops: its operations, with the driver's module as owner (c)
 */
struct vhc_registration {
	const struct vhc_driver *drv;
	struct miscdevice misc;
	struct file_operations fops;
};

/**
 * struct vhc_work - something a worker shall do
 * @node: entry in the worker's list, in use while @queued
 * @queued: bit 0: it is in a list
 * @fn: called on the worker
 */
struct vhc_work {
	struct llist_node node;
	unsigned long queued;
	void (*fn)(struct vhc_work *work);
};

/**
 * struct vhc_worker - a kernel thread that serves queues of one device
 * @works: what to do, newest first (lockless)
 * @rest: what was taken from there and not done yet (the thread's own)
 * @task: the thread (c)
 * @dev: its device (c)
 * @id: as user space names it (c)
 * @nr_vqs: queues attached to it (d)
 * @started: the thread runs on the owner's mm
 * @kcov: to whom a fuzzer's kernel accounts what is run here; else empty (c)
 */
struct vhc_worker {
	struct llist_head works;
	struct llist_node *rest;
	struct task_struct *task;
	struct vhc_dev *dev;
	u32 id;
	u32 nr_vqs;
	struct completion started;
	struct kcov_common_handle_id kcov;
};

enum vhc_miss_state {
	VHC_MISS_NONE,
	VHC_MISS_QUEUED,	/* to be read by the VMM */
	VHC_MISS_SENT,		/* read, not answered yet */
};

/**
 * struct vhc_miss - the one address a queue waits for (m)
 * @state: whether there is one
 * @addr: the guest address
 * @perm: VHC_PERM_* wanted
 */
struct vhc_miss {
	enum vhc_miss_state state;
	u64 addr;
	u32 perm;
};

/**
 * struct vhc_ring_part - one part of a ring as user space describes it
 * @addr: user address, or guest address if there is an IOTLB (q)
 * @page: where each page of it lives, when scattered (q)
 * @nr_page: size of @page (q)
 */
struct vhc_ring_part {
	u64 addr;
	void __user **page;
	u32 nr_page;
};

/*
 * Draining is on the way from running to stopped: chains that were taken are
 * completed, no more are taken.
 */
enum vhc_vq_state {
	VHC_VQ_STOPPED,
	VHC_VQ_RUNNING,
	VHC_VQ_DRAINING,
	VHC_VQ_BROKEN,
};

struct vhc_vq {
	/* What a turn touches first. */
	struct mutex mutex;
	atomic_t lockers;			/* who waits for mutex, but the worker */
	struct vhc_dev *dev;			/* (c) */
	u32 index;				/* (c) */
	char number[12];			/* (c) the index, as a name */
	enum vhc_vq_state state;		/* (q) */
	bool mapped;				/* (q) ring.{desc,avail,used} are valid */
	bool started;				/* (q) the ring's indices were taken up */
	bool log_used;				/* (q) VHOST_VRING_F_LOG */
	bool kicked;				/* set by kicks, cleared by turns; lockless */
	bool poll_adaptive;			/* (q) */
	u32 busyloop_us;			/* (q) */
	u32 in_flight;				/* (q) chains taken and not completed yet */
	u32 bad;				/* (q) chains rejected since it was idle or paused */
	struct vhc_work work;
	struct vhc_worker __rcu *worker;	/* (d) and RCU */
	void *priv;				/* (q) the device module's */

	struct vring_dev ring;			/* (q) */
	struct vring_batch batch;		/* (q) */
	struct vhc_region cache[2];		/* (q) the last regions met */
	unsigned int cache_next;		/* (q) which of them goes next */
	struct iovec *iov;			/* (q) */
	struct vhc_chain chain[VHC_BATCH];	/* (q) */

	spinlock_t call_lock;
	struct eventfd_ctx *call;		/* call_lock */
	bool call_missed;			/* call_lock: a signal found no eventfd */
	struct eventfd_ctx *err;		/* (q) */
	struct file *kick;			/* (q) */
	struct vhc_poll kick_poll;		/* (q) */
	u64 poll_window;			/* (q) ns; when adaptive */
	u64 poll_since;				/* (q) when a vain poll began, or 0 */

	u64 log_addr;				/* (q) guest address of the used ring */
	u32 base;				/* (q) where to start */
	bool addr_set;				/* (q) */
	struct vhc_ring_part desc;		/* (q) */
	struct vhc_ring_part avail;		/* (q) */
	struct vhc_ring_part used;		/* (q) */
	struct vhc_miss miss;			/* (m) */

	u64 counter[VHC_C_NR];			/* (q); kicks: lock of the eventfd */
	u64 *rejected;				/* (q) by rejection */
	u64 *drv_counter;			/* (q) by the driver's index */
};

struct vhc_iotlb {
	struct rb_root_cached root;
	struct list_head list;			/* oldest first */
	u32 nr;
};

struct vhc_dev {
	struct mutex mutex;
	const struct vhc_driver *drv;		/* (c) */
	struct vhc_vq *vqs;			/* (c) */
	u32 nr_vqs;				/* (c) */
	u64 offered[VHC_FEATURE_WORDS];		/* (c) after open: features it can have */
	bool worker_per_queue;			/* (c) after open */
	struct vhc_node *node;			/* (c) NULL for the classic dialect */
	struct vhc_vdpa *vdpa;			/* (c) NULL for the classic dialect */
	void *priv;				/* (c) after open */

	struct mm_struct *mm;			/* (d) the owner's, NULL without one */
	pid_t owner_pid;			/* (d) */
	spinlock_t owner_lock;
	struct pid *owner;			/* (o) its thread group, NULL without one */
	char owner_comm[TASK_COMM_LEN];		/* (o) */
	struct xarray workers;			/* (d) by id; looked at under its own lock */
	u32 nr_workers;				/* (d) */
	struct dentry *debugfs;			/* (d) */

	u64 features[VHC_FEATURE_WORDS];	/* (t) */
	u64 backend_features;			/* (d) */
	struct vhc_mem *mem;			/* (t) */
	struct vhc_iotlb *iotlb;		/* (t) NULL without ACCESS_PLATFORM */
	unsigned long __user *log_base;		/* (t) */
	u64 log_bytes;				/* (t) what of it was checked */
	bool log_all;				/* (t) VHOST_F_LOG_ALL */
	struct eventfd_ctx *log_call;		/* (t) */

	spinlock_t miss_lock;
	wait_queue_head_t miss_wait;		/* readers and pollers */
	u32 miss_next;				/* (m) queue to look at first */
	bool batch;				/* (d) between BATCH_BEGIN and _END */
	wait_queue_head_t drained;		/* for in_flight of a queue to become 0 */

	struct ratelimit_state log_limit;

	u32 id;					/* (c) in the registry */
	u64 net_cookie;				/* (c) of its network namespace */
	u32 cid;				/* (d) the guest's, 0 for none */
	refcount_t users;			/* who looks at it, and being open */
	struct completion unused;		/* none of them is left */
	unsigned long changing;			/* bit 0, lockless: a change by netlink is under way */
	wait_queue_head_t changed;		/* for that to end */
};

/* main.c: module parameters */
extern unsigned int vhc_max_mem_regions;
extern unsigned int vhc_max_iotlb_entries;
extern bool vhc_worker_per_queue;
extern bool vhc_worker_fifo;
extern bool vhc_poll_adaptive;

/* dev.c */
struct vhc_dev *vhc_dev_alloc(const struct vhc_driver *drv, unsigned int nr_vqs);
void vhc_dev_free(struct vhc_dev *dev);
void vhc_dev_close(struct vhc_dev *dev);
bool vhc_dev_is_owner(const struct vhc_dev *dev);
int vhc_dev_set_owner(struct vhc_dev *dev);
int vhc_dev_reset_owner(struct vhc_dev *dev);
int vhc_dev_set_features(struct vhc_dev *dev, const u64 *features);
int vhc_dev_set_mem(struct vhc_dev *dev, struct vhc_mem *mem);

/* node.c: nodes by name, for the vdpa dialect */
const char *vhc_dev_name(const struct vhc_dev *dev);

/* ioctl.c: the classic dialect, and what both have */
long vhc_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long vhc_ioctl_common(struct vhc_dev *dev, unsigned int cmd, void __user *arg);
bool vhc_ioctl_may_negotiate(const struct vhc_dev *dev);

/* vdpa.c */
int vhc_vdpa_create(struct vhc_dev *dev);
void vhc_vdpa_destroy(struct vhc_dev *dev);
long vhc_vdpa_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* iotlb.c */
struct vhc_iotlb *vhc_iotlb_create(void);
void vhc_iotlb_destroy(struct vhc_iotlb *tlb);
bool vhc_iotlb_find(struct vhc_iotlb *tlb, u64 addr, struct vhc_region *region);
void vhc_iotlb_miss(struct vhc_vq *vq, u64 addr, u32 perm);
void vhc_iotlb_forget(struct vhc_vq *vq);
ssize_t vhc_iotlb_read(struct kiocb *iocb, struct iov_iter *to);
ssize_t vhc_iotlb_write(struct kiocb *iocb, struct iov_iter *from);
__poll_t vhc_iotlb_poll(struct file *file, poll_table *wait);

/* vq_setup.c */
void vhc_vq_drain_begin(struct vhc_vq *vq, bool discard);
int vhc_vq_init(struct vhc_vq *vq, struct vhc_dev *dev, u32 index);
void vhc_vq_free(struct vhc_vq *vq);
void vhc_vq_reset(struct vhc_vq *vq);
void vhc_vq_remap(struct vhc_vq *vq);
bool vhc_vq_make_ready(struct vhc_vq *vq);
u32 vhc_vq_last_avail(const struct vhc_vq *vq);
u32 vhc_vq_last_used(const struct vhc_vq *vq);

/* vq.c */
int vhc_vq_translate(struct vhc_vq *vq, u64 addr, u32 len, u32 perm, struct iovec *iov,
		     unsigned int room);
int vhc_vq_kick_enable(struct vhc_vq *vq, bool news);
int vhc_vq_kick_disable(struct vhc_vq *vq);
int vhc_vq_has_avail(struct vhc_vq *vq);
void vhc_vq_break(struct vhc_vq *vq, unsigned int rejection);
const char *vhc_vq_name(const struct vhc_vq *vq);

/* worker.c */
int vhc_worker_create(struct vhc_dev *dev, struct task_struct *whose, struct vhc_vq *vq,
		      struct vhc_worker **out);
int vhc_worker_free(struct vhc_dev *dev, u32 id);
void vhc_worker_free_all(struct vhc_dev *dev);
struct vhc_worker *vhc_worker_find(struct vhc_dev *dev, u32 id);
void vhc_worker_attach(struct vhc_vq *vq, struct vhc_worker *worker);
int vhc_worker_move(struct vhc_vq *vq, u32 id);
struct vhc_worker *vhc_worker_of(struct vhc_vq *vq);
bool vhc_worker_has_work(struct vhc_vq *vq);
int vhc_worker_set_affinity(struct vhc_worker *worker, struct task_struct *whose,
			    struct cpumask *mask);
int vhc_worker_set_sched(struct vhc_worker *worker, u32 policy, s32 nice, u32 priority);
void vhc_worker_flush(struct vhc_worker *worker);

/* notify.c */
int vhc_notify_set_kick(struct vhc_vq *vq, int fd);
int vhc_notify_set_call(struct vhc_vq *vq, int fd);
int vhc_notify_set_err(struct vhc_vq *vq, int fd);
void vhc_notify_signal(struct vhc_vq *vq);
void vhc_notify_error(struct vhc_vq *vq);
void vhc_notify_set_busyloop(struct vhc_vq *vq, u32 us);
void vhc_notify_set_poll_mode(struct vhc_vq *vq, bool adaptive);
u64 vhc_notify_poll_window(const struct vhc_vq *vq);
void vhc_notify_run(struct vhc_work *work);
void vhc_notify_reset(struct vhc_vq *vq);

/* log.c */
int vhc_log_set_base(struct vhc_dev *dev, u64 base);
bool vhc_log_covers(const struct vhc_dev *dev, const struct vhc_mem *mem,
		    u64 base, u64 *bytes);
int vhc_log_user(struct vhc_dev *dev, u64 user, u64 len);
int vhc_log_chain(struct vhc_dev *dev, const struct vhc_chain *c);
int vhc_log_used_ring(struct vhc_vq *vq, u32 off, u32 len);
int vhc_log_desc(struct vhc_vq *vq, u32 off, u32 len);

/* stats.c */
const char *vhc_stats_rejection(const struct vhc_vq *vq, unsigned int rejection,
				const char **text);
unsigned int vhc_stats_nr_rejections(const struct vhc_driver *drv);
bool vhc_stats_counter(const struct vhc_vq *vq, unsigned int i, const char **name, u64 *value);
void vhc_stats_add_dev(struct vhc_dev *dev);
void vhc_stats_remove_dev(struct vhc_dev *dev);
void vhc_stats_init(void);
void vhc_stats_exit(void);

/* registry.c: the open devices */
struct net;
int vhc_registry_add(struct vhc_dev *dev);
void vhc_registry_remove(struct vhc_dev *dev);
void vhc_registry_changed(void);
u32 vhc_registry_generation(void);
struct vhc_dev *vhc_registry_get(const struct net *net, u32 id);
struct vhc_dev *vhc_registry_next(const struct net *net, unsigned long *id, unsigned long last);
void vhc_registry_hold(struct vhc_dev *dev);
void vhc_registry_put(struct vhc_dev *dev);

/* netlink.c: the family, and what it tells by itself */
int vhc_netlink_init(void);
void vhc_netlink_exit(void);
void vhc_netlink_dev_added(struct vhc_dev *dev);
void vhc_netlink_dev_removed(struct vhc_dev *dev);
void vhc_netlink_worker_added(struct vhc_worker *worker);
void vhc_netlink_pin_failed(struct vhc_worker *worker, int err);
void vhc_netlink_vq_broken(struct vhc_vq *vq, const char *rejection);

/*
 * A verb of a queue's ring. Layouts are chosen here, once a batch: each choice
 * names both functions.
 */
#define VHC_RING(vq, verb, ...)						\
	((vq)->ring.packed ? vring_packed_##verb(&(vq)->ring, ##__VA_ARGS__) : \
			     vring_split_##verb(&(vq)->ring, ##__VA_ARGS__))

/* Bytes of the three parts of a ring. */
static inline u32 vhc_ring_desc_size(const struct vring_dev *r)
{
	return r->packed ? vring_packed_desc_size(r->num) :
			   vring_split_desc_size(r->num);
}

static inline u32 vhc_ring_avail_size(const struct vring_dev *r)
{
	return r->packed ? VRING_PACKED_EVENT_SIZE : vring_split_avail_size(r->num);
}

static inline u32 vhc_ring_used_size(const struct vring_dev *r)
{
	return r->packed ? VRING_PACKED_EVENT_SIZE : vring_split_used_size(r->num);
}

/* The queue as the first arguments of a tracepoint: see trace.h. */
#define VHC_WHO(vq)	(vq), (vq)->dev->id, (vq)->index

static inline void vhc_count(struct vhc_vq *vq, enum vhc_counter c, u64 n)
{
	vq->counter[c] += n;
}

/* Forget what was translated. No address is inside an empty region. */
static inline void vhc_vq_cache_clear(struct vhc_vq *vq)
{
	struct vhc_region *c;

	for (c = vq->cache; c < vq->cache + ARRAY_SIZE(vq->cache); c++) {
		c->start = 1;
		c->last = 0;
		c->perm = 0;
	}
}

/*
 * See to it that the ring of a running queue, locked, may be touched; if not,
 * the queue waits for the VMM or is broken.
 */
static inline bool vhc_vq_ready(struct vhc_vq *vq)
{
	return likely(vq->mapped && vq->started) || vhc_vq_make_ready(vq);
}

/*
 * Mark a write to the used ring, by its offset, if the VMM wants these logged.
 * Return: 0 or -VHC_R_LOG_FAULT.
 */
static inline int vhc_log_used(struct vhc_vq *vq, u32 off, u32 len)
{
	if (likely(!vq->log_used || !vq->dev->log_all))
		return 0;
	return vhc_log_used_ring(vq, off, len);
}

#endif /* VHOST_INTERNAL_H */
