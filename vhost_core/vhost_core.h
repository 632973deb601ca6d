/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a device module (vhost_net, ...) sees of the core. The only header of
 * the core that it includes.
 *
 * A module describes itself in a struct vhc_driver and registers it; the core
 * makes the device node, speaks the ioctl dialect, owns the virtqueues, and
 * calls back. The module's data path is its run() callback: one turn of one
 * virtqueue, on a worker that uses the owner's mm, with the queue locked:
 *
 *	vhc_vq_fetch()		a batch of chains, as iovecs of user memory
 *	(copy)			vhc_copy_from_user(), _to_user(), iov_iter, ...
 *	vhc_vq_put()		record them as used
 *	vhc_vq_publish()	show them to the guest, interrupt it if it wants
 *	vhc_vq_unfetch()	give back what was not used
 *
 * Nothing that vhc_vq_fetch() returned may be used after run() returns: memory
 * table and IOTLB may change between turns, and never during one.
 */
#ifndef VHOST_CORE_H
#define VHOST_CORE_H

#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/thread_info.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/unaligned.h>

struct dentry;
struct device;
struct file;
struct module;
struct vhc_dev;
struct vhc_vq;

/* Chains that one vhc_vq_fetch() may return. */
#define VHC_BATCH	64

/**
 * vhc_should_yield() - whether another task is due on this CPU
 *
 * With lazy preemption (the flag that need_resched() leaves out) a kernel
 * thread is left alone until the next tick, and nobody but itself can know
 * better. Drivers ask vhc_turn_is_over().
 */
static inline bool vhc_should_yield(void)
{
	return need_resched() || test_thread_flag(TIF_NEED_RESCHED_LAZY);
}

/* Words of a feature set: bits 0 to 127. */
#define VHC_FEATURE_WORDS	2

/**
 * enum vhc_verdict - how a turn ended
 * @VHC_MORE: the turn was long enough, there is more to do: come back soon
 * @VHC_WAIT_GUEST: nothing to do until the guest adds chains
 * @VHC_WAIT_MORE: the chains that there are do not suffice: as WAIT_GUEST
 * @VHC_WAIT_BACKEND: nothing to do until vhc_vq_wake() or a vhc_poll fires
 * @VHC_WAIT_ADDRESS: vhc_vq_fetch() returned -EAGAIN
 */
enum vhc_verdict {
	VHC_MORE,
	VHC_WAIT_GUEST,
	VHC_WAIT_MORE,
	VHC_WAIT_BACKEND,
	VHC_WAIT_ADDRESS,
};

/**
 * struct vhc_name - a counter or a rejection of a device module
 * @name: as it appears in files and tracepoints
 * @text: what it means
 */
struct vhc_name {
	const char *name;
	const char *text;
};

/**
 * struct vhc_driver - a kind of vhost device
 * @owner: the module
 * @name: short name, for workers, log lines and debugfs: "net"
 * @node: name of the device node: "vhost-net"
 * @minor: its misc minor
 * @nr_vqs: number of virtqueues
 * @vq_names: a short name for each; NULL: their numbers are their names
 * @patient: bit mask of virtqueues whose own workers do not preempt who wakes
 *	them, so that more comes together for a turn
 * @features: feature bits it offers beside the core's own
 * @without: feature bits of the core that it cannot do
 * @rejections: ways in which a request can be bad that the core knows not of
 * @nr_rejections: how many
 * @counters: counters of its own, one set for each queue
 * @nr_counters: how many
 * @open: a device was opened; set vhc_dev_set_priv(). May sleep.
 * @release: it is closed, its queues are stopped; free what open made. May
 *	sleep.
 * @reset: detach all backends, as for a new owner. Device locked, may sleep.
 * @set_features: features were agreed on. Device and all queues locked, none
 *	runs unless only VHOST_F_LOG_ALL changed.
 * @ioctl: the module's own ioctls. Device locked, caller is the owner. Returns
 *	-ENOIOCTLCMD for what it does not know.
 * @early_ioctl: the same for those that may be called before there is an owner,
 *	and then by it, as features may be set; NULL: none. Device locked.
 * @control: ioctls that are about no device, by anybody; NULL: none. Nothing is
 *	locked. Returns -ENOIOCTLCMD for what it does not know.
 * @run: one turn of a running queue, given its number and its priv pointer.
 *	Queue locked, on the worker, may sleep. While chains are kept
 *	(vhc_vq_keep()) also of a queue that is broken or stopping, which then
 *	has no more of them to fetch.
 * @vdpa: what the vdpa dialect needs to know; NULL without it
 */
struct vhc_driver {
	struct module *owner;
	const char *name;
	const char *node;
	int minor;
	unsigned int nr_vqs;
	const char *const *vq_names;
	u32 patient;
	u64 features[VHC_FEATURE_WORDS];
	u64 without;
	const struct vhc_name *rejections;
	unsigned int nr_rejections;
	const struct vhc_name *counters;
	unsigned int nr_counters;
	int (*open)(struct vhc_dev *dev);
	void (*release)(struct vhc_dev *dev);
	void (*reset)(struct vhc_dev *dev);
	void (*set_features)(struct vhc_dev *dev);
	long (*ioctl)(struct vhc_dev *dev, unsigned int cmd, void __user *arg);
	long (*early_ioctl)(struct vhc_dev *dev, unsigned int cmd, void __user *arg);
	long (*control)(unsigned int cmd, void __user *arg);
	enum vhc_verdict (*run)(struct vhc_vq *vq, unsigned int index, void *priv);
	const struct vhc_vdpa_ops *vdpa;
};

/**
 * struct vhc_vdpa_ops - a virtio device as the vhost-vdpa dialect shows it
 * @device_id: its virtio device id
 * @vring_num: entries a ring may have at most; QEMU wants no more than 1024
 * @config_size: bytes of configuration space
 * @get_config: read from it; the range is inside. Device locked.
 * @set_config: write to it; the range is inside. Device locked. Returns 0 or
 *	an errno.
 */
struct vhc_vdpa_ops {
	u32 device_id;
	u16 vring_num;
	u32 config_size;
	void (*get_config)(struct vhc_dev *dev, u32 offset, void *buf, u32 len);
	int (*set_config)(struct vhc_dev *dev, u32 offset, const void *buf, u32 len);
};

/**
 * struct vhc_chain - one buffer of the guest, translated
 * @iov: its parts in the owner's memory: @nr_out to read, then @nr_in to write
 * @id: the ring's name for it
 * @slots: what it takes of the ring
 * @nr_out: parts that the device reads
 * @nr_in: parts that the device writes
 * @out_len: bytes in those that the device reads
 * @in_len: bytes in those that the device writes
 * @written: set by the device module before vhc_vq_put(): bytes it wrote
 */
struct vhc_chain {
	struct iovec *iov;
	u16 id;
	u16 slots;
	u16 nr_out;
	u16 nr_in;
	u32 out_len;
	u32 in_len;
	u32 written;
};

/* Registration: dev.c */
struct vhc_registration;
struct vhc_registration *vhc_register(const struct vhc_driver *drv);
void vhc_unregister(struct vhc_registration *reg);

/* Nodes by name, /dev/DIRECTORY/NAME: node.c */
struct attribute_group;
struct vhc_node_class;
struct vhc_node;
struct vhc_node_class *vhc_node_class_create(const struct vhc_driver *drv,
					     const char *directory,
					     const struct attribute_group **groups);
void vhc_node_class_destroy(struct vhc_node_class *cls);
struct vhc_node *vhc_node_add(struct vhc_node_class *cls, const char *name,
			      unsigned int nr_vqs, void *object);
int vhc_node_remove(struct vhc_node *node);
void *vhc_node_object(struct device *dev);

/* Devices: dev.c */
void vhc_dev_set_priv(struct vhc_dev *dev, void *priv);
void *vhc_dev_priv(const struct vhc_dev *dev);
struct vhc_vq *vhc_dev_vq(struct vhc_dev *dev, unsigned int index);
void vhc_dev_lock_vqs(struct vhc_dev *dev);
void vhc_dev_unlock_vqs(struct vhc_dev *dev);
bool vhc_dev_has_feature(const struct vhc_dev *dev, unsigned int bit);
void vhc_dev_offer(struct vhc_dev *dev, u64 features);
void vhc_dev_withhold(struct vhc_dev *dev, u64 features);
void vhc_dev_want_worker_per_queue(struct vhc_dev *dev);
void *vhc_dev_object(const struct vhc_dev *dev);
pid_t vhc_dev_owner(const struct vhc_dev *dev);
unsigned int vhc_dev_nr_vqs(const struct vhc_dev *dev);
void vhc_dev_show_cid(struct vhc_dev *dev, u32 cid);

/* Files for the admin's eyes: stats.c */
struct dentry *vhc_debugfs(void);

/* The vdpa dialect, and stopping in any: vdpa.c */
void vhc_dev_config_changed(struct vhc_dev *dev);
void vhc_dev_stop(struct vhc_dev *dev, bool discard);

/* Virtqueues: vq.c, vq_setup.c */
unsigned int vhc_vq_size(const struct vhc_vq *vq);
bool vhc_vq_is_broken(const struct vhc_vq *vq);
bool vhc_vq_is_draining(const struct vhc_vq *vq);
u32 vhc_vq_base(const struct vhc_vq *vq);
bool vhc_vq_is_set_up(const struct vhc_vq *vq);
void vhc_vq_set_priv(struct vhc_vq *vq, void *priv);
void vhc_vq_lock(struct vhc_vq *vq);
void vhc_vq_unlock(struct vhc_vq *vq);
int vhc_vq_start(struct vhc_vq *vq);
void vhc_vq_stop(struct vhc_vq *vq);
void vhc_vq_drain(struct vhc_vq *vq, bool discard);
void vhc_vq_flush(struct vhc_vq *vq);
void vhc_vq_wake(struct vhc_vq *vq);
int vhc_vq_fetch(struct vhc_vq *vq, unsigned int max, struct vhc_chain **chains);
void vhc_vq_unfetch(struct vhc_vq *vq, const struct vhc_chain *c, unsigned int n);
int vhc_vq_put(struct vhc_vq *vq, const struct vhc_chain *c, unsigned int n);
int vhc_vq_publish(struct vhc_vq *vq);
void vhc_vq_keep(struct vhc_vq *vq);
int vhc_vq_complete(struct vhc_vq *vq, const struct vhc_chain *c);
u64 vhc_vq_last_in(const struct vhc_vq *vq, const struct vhc_chain *c);
int vhc_vq_write_byte(struct vhc_vq *vq, u64 addr, u8 byte);
u64 *vhc_vq_counters(struct vhc_vq *vq);
void vhc_vq_who(const struct vhc_vq *vq, u32 *dev, u32 *index, int *owner);
void vhc_vq_reject(struct vhc_vq *vq, unsigned int rejection);
bool vhc_turn_is_over(const struct vhc_vq *vq, unsigned int done);
void vhc_vq_data_fault(struct vhc_vq *vq);

/**
 * struct vhc_poll - a lasting wait entry on a file: its event wakes a queue
 * @table: for vfs_poll()
 * @wait: the entry
 * @head: where it is, NULL if nowhere
 * @vq: the queue
 * @mask: events that count
 * @kick: the file is the kick eventfd
 * @muted: events are ignored. Who unmutes looks for work once more, after a
 *	full barrier: that pairs with the one of wq_has_sleeper() between the
 *	event and its wake-up.
 *
 * Added once when a backend is attached, not torn down for every burst.
 */
struct vhc_poll {
	poll_table table;
	wait_queue_entry_t wait;
	wait_queue_head_t *head;
	struct vhc_vq *vq;
	__poll_t mask;
	bool kick;
	bool muted;
};

/* notify.c */
void vhc_poll_init(struct vhc_poll *poll, struct vhc_vq *vq, __poll_t mask);
int vhc_poll_start(struct vhc_poll *poll, struct file *file);
void vhc_poll_stop(struct vhc_poll *poll);

/* Up to here a copy by single loads and stores, inlined, is cheaper. */
#define VHC_SMALL_COPY	128

/* Word number @n of such a copy, from and to user memory. */
#define VHC_WORD_IN(type, dst, src, n, label)				\
	do {								\
		type _word;						\
									\
		unsafe_get_user(_word, (const type __user *)(src) + (n), label); \
		put_unaligned(_word, (type *)(dst) + (n));		\
	} while (0)

#define VHC_WORD_OUT(type, dst, src, n, label)				\
	unsafe_put_user(get_unaligned((const type *)(src) + (n)),	\
			(type __user *)(dst) + (n), label)

#define VHC_COPY_STEP(bytes, dst, src, len)				\
	do {								\
		(dst) += (bytes);					\
		(src) += (bytes);					\
		(len) -= (bytes);					\
	} while (0)

#define VHC_COPY_WORD(word, type, dst, src, len, label)			\
	do {								\
		word(type, dst, src, 0, label);				\
		VHC_COPY_STEP(sizeof(type), dst, src, len);		\
	} while (0)

/* The copy, word by word, inside a window of user access. */
#define VHC_COPY_SMALL(word, dst, src, len, label)			\
	do {								\
		while ((len) >= 4 * sizeof(u64)) {			\
			word(u64, dst, src, 0, label);			\
			word(u64, dst, src, 1, label);			\
			word(u64, dst, src, 2, label);			\
			word(u64, dst, src, 3, label);			\
			VHC_COPY_STEP(4 * sizeof(u64), dst, src, len);	\
		}							\
		while ((len) >= sizeof(u64))				\
			VHC_COPY_WORD(word, u64, dst, src, len, label);	\
		if ((len) >= sizeof(u32))				\
			VHC_COPY_WORD(word, u32, dst, src, len, label);	\
		if ((len) >= sizeof(u16))				\
			VHC_COPY_WORD(word, u16, dst, src, len, label);	\
		if (len)						\
			word(u8, dst, src, 0, label);			\
	} while (0)

/**
 * vhc_copy_from_user() - copy from a part of a chain
 * @dst: kernel memory
 * @src: address inside an iovec of a chain
 * @len: bytes, all of them inside that iovec
 *
 * The range was checked with access_ok() when the guest's memory was set, and
 * speculation was fenced when the batch was translated. @len was just compared
 * with the size of @dst by the caller, which is what the walk of
 * CONFIG_HARDENED_USERCOPY would find out at many times the cost.
 *
 * Context: the worker's, or any that uses the owner's mm. May sleep.
 * Return: false on a fault.
 */
static __always_inline bool vhc_copy_from_user(void *dst, const void __user *src,
					       size_t len)
{
	if (len > VHC_SMALL_COPY)
		return !raw_copy_from_user(dst, src, len);
	if (!user_access_begin(src, len))
		return false;
	VHC_COPY_SMALL(VHC_WORD_IN, dst, src, len, fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

/**
 * vhc_copy_to_user() - copy to a part of a chain
 * @dst: address inside an iovec of a chain
 * @src: kernel memory
 * @len: bytes, all of them inside that iovec
 *
 * As vhc_copy_from_user().
 *
 * Context: the worker's, or any that uses the owner's mm. May sleep.
 * Return: false on a fault.
 */
static __always_inline bool vhc_copy_to_user(void __user *dst, const void *src,
					     size_t len)
{
	if (len > VHC_SMALL_COPY)
		return !raw_copy_to_user(dst, src, len);
	if (!user_access_begin(dst, len))
		return false;
	VHC_COPY_SMALL(VHC_WORD_OUT, dst, src, len, fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

/**
 * struct vhc_walk - a place in a chain's memory
 * @iov: the iovec
 * @off: bytes of it that lie behind; less than it has, but for empty ones
 */
struct vhc_walk {
	const struct iovec *iov;
	size_t off;
};

/**
 * vhc_walk_piece() - the next bytes that lie in one piece
 * @w: where; behind them afterwards
 * @len: how many are wanted; the chain has as many
 * @n: how many these are, at most @len
 *
 * Return: their address.
 */
static __always_inline void __user *vhc_walk_piece(struct vhc_walk *w, size_t len, size_t *n)
{
	void __user *piece = w->iov->iov_base + w->off;

	*n = min(len, w->iov->iov_len - w->off);
	w->off += *n;
	if (w->off == w->iov->iov_len) {
		w->iov++;
		w->off = 0;
	}
	return piece;
}

/**
 * vhc_walk_read() - copy the next bytes of a chain
 * @w: where; behind them afterwards
 * @dst: kernel memory
 * @len: bytes; the chain has as many
 *
 * Context: as vhc_copy_from_user().
 * Return: false on a fault.
 */
static __always_inline bool vhc_walk_read(struct vhc_walk *w, void *dst, size_t len)
{
	size_t n;

	for (; len; len -= n, dst += n) {
		const void __user *piece = vhc_walk_piece(w, len, &n);

		if (!vhc_copy_from_user(dst, piece, n))
			return false;
	}
	return true;
}

/**
 * vhc_walk_write() - copy to the next bytes of a chain
 * @w: where; behind them afterwards
 * @src: kernel memory
 * @len: bytes; the chain has as many
 *
 * Context: as vhc_copy_to_user().
 * Return: false on a fault.
 */
static __always_inline bool vhc_walk_write(struct vhc_walk *w, const void *src, size_t len)
{
	size_t n;

	for (; len; len -= n, src += n) {
		void __user *piece = vhc_walk_piece(w, len, &n);

		if (!vhc_copy_to_user(piece, src, n))
			return false;
	}
	return true;
}

#endif /* VHOST_CORE_H */
