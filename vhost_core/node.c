// SPDX-License-Identifier: GPL-2.0
/*
 * Nodes by name: /dev/DIRECTORY/NAME, made and removed while the module is
 * loaded, each for one object (a disk) that outlives whoever opens it. They
 * speak the vdpa dialect, and are open at most once at a time: the object has
 * one guest.
 */
#include <linux/bitops.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/slab.h>

#include "internal.h"

#define MAX_NODES	(1u << MINORBITS)

/**
 * struct vhc_node_class - all nodes of a driver
 * @drv: the driver (c)
 * @class: in sysfs, named as the directory (c)
 * @groups: attributes of each node in sysfs (c)
 * @fops: operations of the nodes, with the driver's module as owner (c)
 * @first: first device number (c)
 * @minors: those in use
 */
struct vhc_node_class {
	const struct vhc_driver *drv;
	struct class class;
	const struct attribute_group **groups;
	struct file_operations fops;
	dev_t first;
	struct ida minors;
};

/* Bit of vhc_node.flags: the node is open, or about to be removed. */
#define IN_USE	0

struct vhc_node {
	struct device dev;
	struct cdev cdev;
	struct vhc_node_class *cls;	/* (c) */
	unsigned int nr_vqs;		/* (c) */
	void *object;			/* (c) */
	unsigned long flags;		/* atomic */
};

static struct vhc_node *to_node(struct device *dev)
{
	return container_of(dev, struct vhc_node, dev);
}

/* In debugfs and log lines: the node's name below /dev. */
const char *vhc_dev_name(const struct vhc_dev *dev)
{
	return dev->node ? dev_name(&dev->node->dev) : dev->drv->node;
}

/**
 * vhc_dev_object() - the object of the node that a device was opened by
 * @dev: the device
 *
 * Return: what vhc_node_add() was given; NULL for the classic node.
 */
void *vhc_dev_object(const struct vhc_dev *dev)
{
	return dev->node ? dev->node->object : NULL;
}
VHC_EXPORT(vhc_dev_object);

/**
 * vhc_node_object() - the object of a node's device in sysfs
 * @dev: the device, of an attribute for example
 */
void *vhc_node_object(struct device *dev)
{
	return to_node(dev)->object;
}
VHC_EXPORT(vhc_node_object);

/* ---- open and close ---------------------------------------------------------- */

static int node_open(struct inode *inode, struct file *file)
{
	struct vhc_node *node = container_of(inode->i_cdev, struct vhc_node, cdev);
	const struct vhc_driver *drv = node->cls->drv;
	struct vhc_dev *dev;
	int err;

	if (test_and_set_bit(IN_USE, &node->flags))
		return -EBUSY;
	err = -ENOMEM;
	dev = vhc_dev_alloc(drv, node->nr_vqs);
	if (!dev)
		goto unuse;
	dev->node = node;
	err = vhc_vdpa_create(dev);
	if (err)
		goto free;
	err = drv->open(dev);
	if (err)
		goto destroy;
	err = vhc_registry_add(dev);
	if (err)
		goto release;
	vhc_netlink_dev_added(dev);
	file->private_data = dev;
	return 0;

release:
	drv->release(dev);
destroy:
	vhc_vdpa_destroy(dev);
free:
	vhc_dev_free(dev);
unuse:
	clear_bit_unlock(IN_USE, &node->flags);
	return err;
}

static int node_release(struct inode *inode, struct file *file)
{
	struct vhc_dev *dev = file->private_data;
	struct vhc_node *node = dev->node;

	vhc_dev_close(dev);
	clear_bit_unlock(IN_USE, &node->flags);
	return 0;
}

static const struct file_operations fops_template = {
	.open		= node_open,
	.release	= node_release,
	.write_iter	= vhc_iotlb_write,
	.unlocked_ioctl	= vhc_vdpa_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

/* ---- nodes --------------------------------------------------------------------- */

static char *devnode(const struct device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0660;
	/* The part behind the slash; that before it is the class. */
	return kasprintf(GFP_KERNEL, "%s/%s", dev->class->name, dev_name(dev));
}

static void node_free(struct device *dev)
{
	struct vhc_node *node = to_node(dev);

	ida_free(&node->cls->minors, MINOR(dev->devt) - MINOR(node->cls->first));
	kfree(node);
}

/**
 * vhc_node_add() - make a node
 * @cls: the class
 * @name: its name, a valid one for a file
 * @nr_vqs: virtqueues that devices opened by it have
 * @object: for vhc_dev_object(); must live until the node was removed
 *
 * Context: may sleep.
 * Return: the node, or an error pointer: -EEXIST if there is one of that name.
 */
struct vhc_node *vhc_node_add(struct vhc_node_class *cls, const char *name,
			      unsigned int nr_vqs, void *object)
{
	struct vhc_node *node;
	int minor, err;

	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return ERR_PTR(-ENOMEM);
	minor = ida_alloc_max(&cls->minors, MAX_NODES - 1, GFP_KERNEL);
	if (minor < 0) {
		kfree(node);
		return ERR_PTR(minor);
	}
	node->cls = cls;
	node->nr_vqs = nr_vqs;
	node->object = object;
	device_initialize(&node->dev);
	node->dev.class = &cls->class;
	node->dev.groups = cls->groups;
	node->dev.devt = cls->first + minor;
	node->dev.release = node_free;
	cdev_init(&node->cdev, &cls->fops);
	node->cdev.owner = cls->drv->owner;
	err = dev_set_name(&node->dev, "%s", name);
	if (!err)
		err = cdev_device_add(&node->cdev, &node->dev);
	if (err) {
		put_device(&node->dev);
		return ERR_PTR(err);
	}
	return node;
}
VHC_EXPORT(vhc_node_add);

/**
 * vhc_node_remove() - remove a node
 * @node: the node
 *
 * Context: may sleep.
 * Return: 0; -EBUSY if it is open.
 */
int vhc_node_remove(struct vhc_node *node)
{
	/* Never cleared again: who opens it until it is gone is told "busy". */
	if (test_and_set_bit(IN_USE, &node->flags))
		return -EBUSY;
	cdev_device_del(&node->cdev, &node->dev);
	put_device(&node->dev);
	return 0;
}
VHC_EXPORT(vhc_node_remove);

/* ---- classes ------------------------------------------------------------------- */

/**
 * vhc_node_class_create() - prepare for nodes in a directory of /dev
 * @drv: the driver that they belong to, with its vdpa part
 * @directory: its name
 * @groups: attributes in sysfs that each node has
 *
 * Context: may sleep.
 * Return: the class, or an error pointer.
 */
struct vhc_node_class *vhc_node_class_create(const struct vhc_driver *drv,
					     const char *directory,
					     const struct attribute_group **groups)
{
	struct vhc_node_class *cls;
	int err;

	cls = kzalloc(sizeof(*cls), GFP_KERNEL);
	if (!cls)
		return ERR_PTR(-ENOMEM);
	cls->drv = drv;
	cls->groups = groups;
	cls->fops = fops_template;
	cls->fops.owner = drv->owner;
	cls->class.name = directory;
	cls->class.devnode = devnode;
	ida_init(&cls->minors);
	err = class_register(&cls->class);
	if (err)
		goto free;
	err = alloc_chrdev_region(&cls->first, 0, MAX_NODES, directory);
	if (err)
		goto unregister;
	return cls;

unregister:
	class_unregister(&cls->class);
free:
	kfree(cls);
	return ERR_PTR(err);
}
VHC_EXPORT(vhc_node_class_create);

/**
 * vhc_node_class_destroy() - the opposite; all nodes were removed
 * @cls: the class
 */
void vhc_node_class_destroy(struct vhc_node_class *cls)
{
	unregister_chrdev_region(cls->first, MAX_NODES);
	class_unregister(&cls->class);
	ida_destroy(&cls->minors);
	kfree(cls);
}
VHC_EXPORT(vhc_node_class_destroy);
