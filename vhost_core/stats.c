// SPDX-License-Identifier: GPL-2.0
/*
 * Counters and their names, and the files in debugfs that show them:
 *
 *	vhost/<owner's pid>-<device>-<n>/info	the device
 *	vhost/<owner's pid>-<device>-<n>/vq<i>	state and counters of queue i
 *	vhost/vsock				vhost_vsock's CIDs and groups
 *
 * Every line is "name value".
 */
#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>

#include "internal.h"

static struct dentry *root;
static atomic_t next_id = ATOMIC_INIT(0);

static const struct vhc_name counters[] = {
#define X(NAME, name, text) [VHC_C_##NAME] = { #name, text },
	VHC_COUNTERS(X)
#undef X
};

static const struct vhc_name rejections[] = {
#define X(NAME, name, text) [VRING_E_##NAME] = { #name, text },
	VRING_ERRORS(X)
#undef X
#define X(NAME, name, text) [VHC_R_##NAME] = { #name, text },
	VHC_REJECTIONS(X)
#undef X
};

static const struct vhc_name *rejection(const struct vhc_driver *drv, unsigned int i)
{
	return i < VHC_R_DRIVER ? &rejections[i] : &drv->rejections[i - VHC_R_DRIVER];
}

/* How many the core and a driver have together; slot 0 is not used. */
unsigned int vhc_stats_nr_rejections(const struct vhc_driver *drv)
{
	return VHC_R_DRIVER + drv->nr_rejections;
}

const char *vhc_stats_rejection(const struct vhc_vq *vq, unsigned int i,
				const char **text)
{
	const struct vhc_name *r = rejection(vq->dev->drv, i);

	if (text)
		*text = r->text;
	return r->name;
}

/*
 * The @i-th of all counters that a queue has: the core's, rejections, the
 * driver's.
 *
 * Return: false if it does not have that many.
 */
bool vhc_stats_counter(const struct vhc_vq *vq, unsigned int i, const char **name, u64 *value)
{
	const struct vhc_driver *drv = vq->dev->drv;
	/* Two slots are none: VRING_OK and VHC_R_FIRST. */
	unsigned int nr_rejections = vhc_stats_nr_rejections(drv) - 2;

	if (i < VHC_C_NR) {
		*name = counters[i].name;
		*value = READ_ONCE(vq->counter[i]);
		return true;
	}
	i -= VHC_C_NR;
	if (i < nr_rejections) {
		i += VRING_OK + 1;
		i += i >= VHC_R_FIRST;
		*name = rejection(drv, i)->name;
		*value = READ_ONCE(vq->rejected[i]);
		return true;
	}
	i -= nr_rejections;
	if (i < drv->nr_counters) {
		*name = drv->counters[i].name;
		*value = READ_ONCE(vq->drv_counter[i]);
		return true;
	}
	return false;
}

static const char *state_name(enum vhc_vq_state state)
{
	switch (state) {
	case VHC_VQ_STOPPED:
		return "stopped";
	case VHC_VQ_RUNNING:
		return "running";
	case VHC_VQ_DRAINING:
		return "draining";
	case VHC_VQ_BROKEN:
		return "broken";
	}
	return "unknown";
}

static int worker_tid(struct vhc_vq *vq)
{
	struct vhc_worker *worker;
	int tid = 0;

	rcu_read_lock();
	worker = rcu_dereference(vq->worker);
	if (worker)
		tid = task_pid_nr(worker->task);
	rcu_read_unlock();
	return tid;
}

static int vq_show(struct seq_file *m, void *unused)
{
	struct vhc_vq *vq = m->private;
	const char *name;
	unsigned int i;
	u64 value;

	vhc_vq_lock(vq);
	seq_printf(m, "name %s\n", vhc_vq_name(vq));
	seq_printf(m, "state %s\n", state_name(vq->state));
	seq_printf(m, "size %u\n", vq->ring.num);
	seq_printf(m, "layout %s\n", vq->ring.packed ? "packed" : "split");
	seq_printf(m, "last_avail %u\n", vhc_vq_last_avail(vq));
	seq_printf(m, "last_used %u\n", vhc_vq_last_used(vq));
	seq_printf(m, "in_flight %u\n", vq->in_flight);
	seq_printf(m, "worker_tid %d\n", worker_tid(vq));
	seq_printf(m, "poll_window_ns %llu\n", vhc_notify_poll_window(vq));
	for (i = 0; vhc_stats_counter(vq, i, &name, &value); i++)
		seq_printf(m, "%s %llu\n", name, value);
	vhc_vq_unlock(vq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vq);

static int info_show(struct seq_file *m, void *unused)
{
	struct vhc_dev *dev = m->private;
	unsigned int nr_iotlb;
	unsigned int nr_mem;
	struct vhc_vq *vq = &dev->vqs[0];

	/* Any queue's lock holds the tables still; the device's may be busy. */
	vhc_vq_lock(vq);
	nr_mem = dev->mem ? dev->mem->nr : 0;
	nr_iotlb = dev->iotlb ? dev->iotlb->nr : 0;
	seq_printf(m, "owner %d\n", dev->owner_pid);
	seq_printf(m, "comm %s\n", dev->owner_comm);
	seq_printf(m, "device %s\n", vhc_dev_name(dev));
	seq_printf(m, "features 0x%llx\n", dev->features[0]);
	seq_printf(m, "features_high 0x%llx\n", dev->features[1]);
	seq_printf(m, "memory_regions %u\n", nr_mem);
	seq_printf(m, "iotlb_entries %u\n", nr_iotlb);
	seq_printf(m, "workers %u\n", READ_ONCE(dev->nr_workers));
	vhc_vq_unlock(vq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(info);

/* Device locked. Files are for the admin's eyes: failing to make them is fine. */
void vhc_stats_add_dev(struct vhc_dev *dev)
{
	char name[48];
	unsigned int i;

	snprintf(name, sizeof(name), "%d-%s-%d", dev->owner_pid, dev->drv->name,
		 atomic_inc_return(&next_id));
	dev->debugfs = debugfs_create_dir(name, root);
	debugfs_create_file("info", 0400, dev->debugfs, dev, &info_fops);
	for (i = 0; i < dev->nr_vqs; i++) {
		snprintf(name, sizeof(name), "vq%u", i);
		debugfs_create_file(name, 0400, dev->debugfs, &dev->vqs[i], &vq_fops);
	}
}

/* Waits for readers: not with a queue locked. */
void vhc_stats_remove_dev(struct vhc_dev *dev)
{
	debugfs_remove(dev->debugfs);
	dev->debugfs = NULL;
}

/* Return: the directory of all files in debugfs. */
struct dentry *vhc_debugfs(void)
{
	return root;
}
VHC_EXPORT(vhc_debugfs);

void vhc_stats_init(void)
{
	root = debugfs_create_dir("vhost", NULL);
}

void vhc_stats_exit(void)
{
	debugfs_remove(root);
}
