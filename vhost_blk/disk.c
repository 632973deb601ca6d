// SPDX-License-Identifier: GPL-2.0
/*
 * Named disks: made and deleted through the control node, shown in sysfs.
 */
#include <linux/capability.h>
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "blk.h"

#define ADD_FLAGS							\
	(VHOST_BLK_F_RDONLY | VHOST_BLK_F_WORKER_PER_QUEUE |		\
	 VHOST_BLK_F_POLL | VHOST_BLK_F_BUFFERED | VHOST_BLK_F_SPLIT)

/* Nobody tells us that a backing has been resized: we look. */
#define WATCH_INTERVAL	HZ

static LIST_HEAD(disks);
static DEFINE_MUTEX(disks_lock);
static struct vhc_node_class *class;

/* ---- sysfs ----------------------------------------------------------------------- */

#define ATTRIBUTE(name, fmt, ...)					\
	static ssize_t name##_show(struct device *dev,			\
				   struct device_attribute *attr, char *buf) \
	{								\
		struct vhb_disk *disk = vhc_node_object(dev);		\
									\
		return sysfs_emit(buf, fmt "\n", __VA_ARGS__);		\
	}								\
	static DEVICE_ATTR_RO(name)

ATTRIBUTE(capacity, "%llu", vhb_backend_sectors(&disk->backend));
ATTRIBUTE(block_size, "%u", disk->backend.block);
ATTRIBUTE(queues, "%u", disk->queues);
ATTRIBUTE(read_only, "%d", disk->backend.rdonly);
ATTRIBUTE(direct, "%d", disk->backend.direct);
ATTRIBUTE(poll, "%d", disk->backend.poll);
ATTRIBUTE(worker_per_queue, "%d", !!(disk->flags & VHOST_BLK_F_WORKER_PER_QUEUE));
ATTRIBUTE(serial, "%.*s", VHOST_BLK_SERIAL_LEN, disk->serial);
ATTRIBUTE(open, "%d", !!READ_ONCE(disk->user));

/* Where the blocks are: a block device's name, or a file's path. */
static ssize_t backing_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct vhb_disk *disk = vhc_node_object(dev);
	struct vhb_backend *b = &disk->backend;
	char *path;
	ssize_t len;

	if (b->bdev)
		return sysfs_emit(buf, "/dev/%pg\n", b->bdev);
	path = file_path(b->file, buf, PAGE_SIZE - 1);
	if (IS_ERR(path))
		return PTR_ERR(path);
	len = strlen(path);
	memmove(buf, path, len);
	buf[len++] = '\n';
	return len;
}
static DEVICE_ATTR_RO(backing);

static struct attribute *disk_attrs[] = {
	&dev_attr_backing.attr,
	&dev_attr_block_size.attr,
	&dev_attr_capacity.attr,
	&dev_attr_direct.attr,
	&dev_attr_open.attr,
	&dev_attr_poll.attr,
	&dev_attr_queues.attr,
	&dev_attr_read_only.attr,
	&dev_attr_serial.attr,
	&dev_attr_worker_per_queue.attr,
	NULL
};
ATTRIBUTE_GROUPS(disk);

/* ---- changes of size --------------------------------------------------------------- */

static void watch(struct work_struct *work)
{
	struct vhb_disk *disk = container_of(to_delayed_work(work), struct vhb_disk, watch);
	u64 capacity = vhb_backend_sectors(&disk->backend);

	mutex_lock(&disk->lock);
	if (disk->user) {
		if (capacity != disk->capacity) {
			disk->capacity = capacity;
			vhc_dev_config_changed(disk->user->dev);
		}
		schedule_delayed_work(&disk->watch, WATCH_INTERVAL);
	}
	mutex_unlock(&disk->lock);
}

void vhb_disk_opened(struct vhb_disk *disk, struct vhb_dev *user)
{
	mutex_lock(&disk->lock);
	WRITE_ONCE(disk->user, user);
	disk->capacity = vhb_backend_sectors(&disk->backend);
	schedule_delayed_work(&disk->watch, WATCH_INTERVAL);
	mutex_unlock(&disk->lock);
}

void vhb_disk_closed(struct vhb_disk *disk)
{
	mutex_lock(&disk->lock);
	WRITE_ONCE(disk->user, NULL);
	mutex_unlock(&disk->lock);
	cancel_delayed_work_sync(&disk->watch);
}

/* ---- add and delete ------------------------------------------------------------------ */

/* A name goes into paths, sysfs and log lines. */
static bool name_ok(const char *name)
{
	size_t len = strnlen(name, VHOST_BLK_NAME_LEN), i;

	if (!len || len == VHOST_BLK_NAME_LEN || name[0] == '.' || name[0] == '-')
		return false;
	for (i = 0; i < len; i++) {
		if (!isascii(name[i]) || !(isalnum(name[i]) || strchr("_-.", name[i])))
			return false;
	}
	return strcmp(name, "control");
}

static struct vhb_disk *find(const char *name)
{
	struct vhb_disk *disk;

	list_for_each_entry(disk, &disks, link) {
		if (!strcmp(disk->name, name))
			return disk;
	}
	return NULL;
}

static bool is_taken(const char *name)
{
	bool taken;

	mutex_lock(&disks_lock);
	taken = find(name);
	mutex_unlock(&disks_lock);
	return taken;
}

/* Disks locked. */
static int make_node(struct vhb_disk *disk)
{
	struct vhc_node *node;

	if (find(disk->name))
		return -EEXIST;
	node = vhc_node_add(class, disk->name, disk->queues, disk);
	if (IS_ERR(node))
		return PTR_ERR(node);
	disk->node = node;
	list_add_tail(&disk->link, &disks);
	/* As long as there are disks they are in use. */
	__module_get(THIS_MODULE);
	return 0;
}

static int make(struct vhb_disk *disk, int fd)
{
	int err;

	if (is_taken(disk->name))
		return -EEXIST;
	/* Not locked: a backing that hangs is no other disk's business. */
	err = vhb_backend_get(&disk->backend, fd, disk->flags);
	if (err)
		return err;
	mutex_lock(&disks_lock);
	err = make_node(disk);
	mutex_unlock(&disks_lock);
	if (err)
		vhb_backend_put(&disk->backend);
	return err;
}

static long add(const struct vhost_blk_add __user *arg)
{
	struct vhost_blk_add a;
	struct vhb_disk *disk;
	int err;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (!name_ok(a.name) || !a.queues || a.queues > VHOST_BLK_QUEUES_MAX ||
	    a.flags & ~ADD_FLAGS || a.reserved)
		return -EINVAL;
	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		return -ENOMEM;
	strscpy(disk->name, a.name);
	memcpy(disk->serial, a.serial, sizeof(disk->serial));
	disk->queues = a.queues;
	disk->flags = a.flags;
	mutex_init(&disk->lock);
	INIT_DELAYED_WORK(&disk->watch, watch);
	err = make(disk, a.fd);
	if (err)
		kfree(disk);
	return err;
}

static long del(const struct vhost_blk_del __user *arg)
{
	struct vhost_blk_del d;
	struct vhb_disk *disk;
	int err;

	if (copy_from_user(&d, arg, sizeof(d)))
		return -EFAULT;
	if (!name_ok(d.name))
		return -EINVAL;
	mutex_lock(&disks_lock);
	disk = find(d.name);
	err = disk ? vhc_node_remove(disk->node) : -ENOENT;
	if (!err)
		list_del(&disk->link);
	mutex_unlock(&disks_lock);
	if (err)
		return err;
	vhb_backend_put(&disk->backend);
	mutex_destroy(&disk->lock);
	kfree(disk);
	module_put(THIS_MODULE);
	return 0;
}

/* Ioctls of the control node that are about no device of its own. */
long vhb_disk_control(unsigned int cmd, void __user *arg)
{
	if (cmd != VHOST_BLK_ADD && cmd != VHOST_BLK_DEL)
		return -ENOIOCTLCMD;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return cmd == VHOST_BLK_ADD ? add(arg) : del(arg);
}

int vhb_disk_init(const struct vhc_driver *drv)
{
	class = vhc_node_class_create(drv, "vhost-blk", disk_groups);
	return PTR_ERR_OR_ZERO(class);
}

void vhb_disk_exit(void)
{
	vhc_node_class_destroy(class);
}
