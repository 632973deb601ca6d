// SPDX-License-Identifier: GPL-2.0
/*
 * The list of open devices, for those who look at them from outside: netlink.
 *
 * A device is in the list from the end of open() to the beginning of close().
 * Who found one holds a reference, and close() waits for those; so while one
 * holds it neither the device nor the module behind it goes away. References
 * are held for as long as a message or a change takes, never from one message
 * of a dump to the next.
 */
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <net/net_namespace.h>

#include "internal.h"

static DEFINE_XARRAY_ALLOC1(devices);
static u32 last_id;
/* How often what a dump lists has changed. */
static atomic_t generation = ATOMIC_INIT(1);

/* What was added or removed is counted afterwards: see nl_dump_check_consistent(). */
void vhc_registry_changed(void)
{
	atomic_inc(&generation);
}

/* Not 0, which means "none" to netlink. */
u32 vhc_registry_generation(void)
{
	return (u32)atomic_read(&generation) ?: 1;
}

/* By a task that opens the node: the device belongs to its network namespace. */
int vhc_registry_add(struct vhc_dev *dev)
{
	int err;

	dev->net_cookie = current->nsproxy->net_ns->net_cookie;
	refcount_set(&dev->users, 1);
	init_completion(&dev->unused);
	/* Ids go round: one that was in use lately does not come again soon. */
	err = xa_alloc_cyclic(&devices, &dev->id, dev, XA_LIMIT(1, INT_MAX), &last_id,
			      GFP_KERNEL_ACCOUNT);
	if (err < 0)
		return err;
	vhc_registry_changed();
	return 0;
}

/* When this returns nobody looks at the device. Not with it locked. */
void vhc_registry_remove(struct vhc_dev *dev)
{
	xa_erase(&devices, dev->id);
	vhc_registry_changed();
	vhc_registry_put(dev);
	wait_for_completion(&dev->unused);
}

/* The initial namespace is the host's, whose admin sees all. */
static bool is_visible(const struct vhc_dev *dev, const struct net *net)
{
	return net_eq(net, &init_net) || dev->net_cookie == net->net_cookie;
}

/*
 * The first device from this id to @last that @net may see, referenced, and its
 * id; or NULL.
 */
struct vhc_dev *vhc_registry_next(const struct net *net, unsigned long *id, unsigned long last)
{
	struct vhc_dev *dev;
	bool found;

	for (;; ++*id) {
		xa_lock(&devices);
		dev = xa_find(&devices, id, last, XA_PRESENT);
		found = dev && is_visible(dev, net);
		/* In the list, so it is referenced. */
		if (found)
			refcount_inc(&dev->users);
		xa_unlock(&devices);
		if (found || !dev)
			return dev;
	}
}

/* The device of this id, referenced; NULL if @net sees none. */
struct vhc_dev *vhc_registry_get(const struct net *net, u32 id)
{
	struct vhc_dev *dev;

	xa_lock(&devices);
	dev = xa_load(&devices, id);
	if (dev && is_visible(dev, net))
		refcount_inc(&dev->users);
	else
		dev = NULL;
	xa_unlock(&devices);
	return dev;
}

void vhc_registry_hold(struct vhc_dev *dev)
{
	refcount_inc(&dev->users);
}

void vhc_registry_put(struct vhc_dev *dev)
{
	if (refcount_dec_and_test(&dev->users))
		complete(&dev->unused);
}
