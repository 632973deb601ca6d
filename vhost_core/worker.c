// SPDX-License-Identifier: GPL-2.0
/*
 * Workers: kernel threads that serve the queues of one device.
 *
 * A worker uses the owner's mm, and lives in the owner's cgroups and cpuset: a
 * VM's packet work is charged to the VM. Its list of work is a lockless stack
 * that any context may push to, interrupts included; the worker takes all of
 * it at once and turns it round. Only the push that finds the list empty wakes
 * the thread.
 *
 * A work item is in at most one list (bit 0 of queued), so that a queue runs on
 * one worker at a time, also while it is being moved to another.
 */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/kcov.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <uapi/linux/sched/types.h>

#include "internal.h"
#include "trace.h"

static void push(struct vhc_worker *worker, struct vhc_work *work)
{
	if (test_and_set_bit(0, &work->queued))
		return;
	if (llist_add(&work->node, &worker->works))
		wake_up_process(worker->task);
}

/*
 * cond_resched() does nothing where preemption is lazy. A worker that is alone on
 * its CPU never goes to sleep under load: who waits for Tasks RCU, to take away a
 * tracer's trampoline, would wait for the load's end.
 */
static void let_others(void)
{
	if (vhc_should_yield())
		schedule();
	else
		cond_resched_tasks_rcu_qs();
}

static void run_all(struct vhc_worker *worker, struct llist_node *list)
{
	struct vhc_work *work, *next;

	list = llist_reverse_order(list);
	llist_for_each_entry_safe(work, next, list, node) {
		worker->rest = work->node.next;
		clear_bit(0, &work->queued);
		/*
		 * The bit before anything that the work looks at. Pairs with
		 * test_and_set_bit() in push(): who finds it set has
		 * its news seen.
		 */
		smp_mb__after_atomic();
		kcov_remote_start_common(worker->kcov);
		work->fn(work);
		kcov_remote_stop();
		let_others();
	}
}

static int worker_thread(void *data)
{
	struct vhc_worker *worker = data;

	/* See vhc_worker_create(): from here on cpusets and taskset may move it. */
	current->flags &= ~PF_NO_SETAFFINITY;
	kthread_use_mm(worker->dev->mm);
	complete(&worker->started);
	for (;;) {
		struct llist_node *list;

		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		if (llist_empty(&worker->works)) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		list = llist_del_all(&worker->works);
		run_all(worker, list);
	}
	__set_current_state(TASK_RUNNING);
	kthread_unuse_mm(worker->dev->mm);
	return 0;
}

/**
 * vhc_vq_wake() - give a queue a turn on its worker
 * @vq: the queue
 *
 * Context: any, interrupts included.
 */
void vhc_vq_wake(struct vhc_vq *vq)
{
	struct vhc_worker *worker;

	rcu_read_lock();
	worker = rcu_dereference(vq->worker);
	if (worker) {
		trace_vhost_wake(VHC_WHO(vq), task_pid_nr(worker->task));
		push(worker, &vq->work);
	}
	rcu_read_unlock();
}
VHC_EXPORT(vhc_vq_wake);

/* Device locked. */
struct vhc_worker *vhc_worker_of(struct vhc_vq *vq)
{
	return rcu_dereference_protected(vq->worker,
					 lockdep_is_held(&vq->dev->mutex));
}

/* Does anything wait for the worker of @vq, which is the caller? */
bool vhc_worker_has_work(struct vhc_vq *vq)
{
	struct vhc_worker *worker;
	bool has_work;

	rcu_read_lock();
	worker = rcu_dereference(vq->worker);
	has_work = worker && (worker->task != current || worker->rest ||
			      !llist_empty(&worker->works));
	rcu_read_unlock();
	return has_work;
}

struct flush {
	struct vhc_work work;
	struct completion done;
};

static void flush_fn(struct vhc_work *work)
{
	complete(&container_of(work, struct flush, work)->done);
}

/* Wait for all that was queued before. Not on the worker itself. */
void vhc_worker_flush(struct vhc_worker *worker)
{
	struct flush flush = { .work.fn = flush_fn };

	init_completion(&flush.done);
	push(worker, &flush.work);
	wait_for_completion(&flush.done);
}

/*
 * As the kernel: a cpuset asks whether the caller may steer the thread, and a
 * VMM without CAP_SYS_NICE may not steer the kernel's. Whose cgroups they are
 * is not the VMM's choice.
 */
static int attach(struct task_struct *task, struct task_struct *whose)
{
	struct cred *kernel = prepare_kernel_cred(&init_task);
	const struct cred *old;
	int err;

	if (!kernel)
		return -ENOMEM;
	old = override_creds(kernel);
	err = cgroup_attach_task_all(whose, task);
	revert_creds(old);
	put_cred(kernel);
	return err;
}

/*
 * Take the thread into all of the caller's cgroups. The cpuset among them sets
 * its CPU mask, but only if it differs from the one it leaves: hence the full
 * mask first.
 */
static int join_cgroups(struct task_struct *task, struct task_struct *whose)
{
	int err;

	err = set_cpus_allowed_ptr(task, cpu_possible_mask);
	if (err)
		return err;
	return attach(task, whose);
}

/*
 * And onto the CPUs that its owner keeps to within the cpuset: what taskset says,
 * or what isolcpus= and nohz_full= leave to it. If none of these is online any will do.
 */
static int join_cpus(struct task_struct *task, struct task_struct *whose)
{
	cpumask_var_t mask;

	if (!alloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	if (cpumask_and(mask, &task->cpus_mask, &whose->cpus_mask))
		set_cpus_allowed_ptr(task, mask);
	free_cpumask_var(mask);
	return 0;
}

/*
 * A worker does little and often, and what it does is waited for. On a CPU that
 * it shares with its VM's threads it should run when it is kicked, not when
 * they have used up their slices: a slice shorter than the usual one lets it
 * preempt them (EEVDF, since 6.12), and a weight twice theirs leaves it entitled
 * to: a disk's worker easily does more for a request than the thread that made
 * it. Who works more than its share waits like all others.
 */
#define NICE_BONUS	3
#define SLICE_NS	(300 * NSEC_PER_USEC)

static int set_sched(struct task_struct *task, u32 policy, s32 nice, u32 priority)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = policy,
	};

	switch (policy) {
	case SCHED_NORMAL:
		attr.sched_runtime = SLICE_NS;
		fallthrough;
	case SCHED_BATCH:
		attr.sched_nice = nice;
		break;
	default:
		attr.sched_priority = priority;
	}
	return sched_setattr_nocheck(task, &attr);
}

/*
 * A patient worker waits for its turn when it is woken on a busy CPU: the one that
 * woke it may have more for it. Elsewhere it runs at once, as all do.
 */
static bool is_patient(const struct vhc_vq *vq)
{
	return vq && vq->index < BITS_PER_TYPE(u32) && vq->dev->drv->patient & BIT(vq->index);
}

static void set_class(struct task_struct *task, struct task_struct *whose, bool patient)
{
	if (vhc_worker_fifo)
		sched_set_fifo_low(task);
	else
		WARN_ON_ONCE(set_sched(task, patient ? SCHED_BATCH : SCHED_NORMAL,
				       max(task_nice(whose) - NICE_BONUS, MIN_NICE), 0));
}

/* SCHED_NORMAL or _BATCH with @nice, or a real-time class with @priority. Device locked. */
int vhc_worker_set_sched(struct vhc_worker *worker, u32 policy, s32 nice, u32 priority)
{
	return set_sched(worker->task, policy, nice, priority);
}

/*
 * Create a worker: for @vq, by whose name it goes, or NULL for the device's
 * default one, and later ones, which have a number. It joins the cgroups of
 * @whose, a thread of the owner, and its CPUs. Device locked.
 *
 * Return: 0; -ENOSPC if the device has enough; or what made it fail.
 */
int vhc_worker_create(struct vhc_dev *dev, struct task_struct *whose, struct vhc_vq *vq,
		      struct vhc_worker **out)
{
	const char *suffix = vq ? vhc_vq_name(vq) : NULL;
	struct vhc_worker *worker;
	struct task_struct *task;
	char number[16];
	int err;

	/* One for every queue, a default one, and as many to change over to. */
	if (dev->nr_workers > 2 * dev->nr_vqs)
		return -ENOSPC;
	worker = kzalloc(sizeof(*worker), GFP_KERNEL_ACCOUNT);
	if (!worker)
		return -ENOMEM;
	init_llist_head(&worker->works);
	init_completion(&worker->started);
	worker->dev = dev;
	worker->kcov = kcov_common_handle();
	/* Only the place for it: who looks finds complete ones. */
	err = xa_alloc(&dev->workers, &worker->id, NULL, xa_limit_31b, GFP_KERNEL_ACCOUNT);
	if (err)
		goto free;

	if (!suffix && dev->nr_workers) {
		snprintf(number, sizeof(number), "w%u", worker->id);
		suffix = number;
	}
	/*
	 * Of no NUMA node: one that has a node gets that node's CPU mask again
	 * whenever a CPU comes online (since 6.14), the cpuset's is lost then.
	 */
	task = kthread_create(worker_thread, worker, "vhost-%d-%s%s%s",
			      dev->owner_pid, dev->drv->name, suffix ? "-" : "",
			      suffix ? suffix : "");
	if (IS_ERR(task)) {
		err = PTR_ERR(task);
		goto erase;
	}
	worker->task = get_task_struct(task);
	/*
	 * One that starts unbound is the kernel's to place: newer kernels (7.2) give
	 * all of these another CPU mask whenever some cpuset partition becomes
	 * isolated or ceases to be, and the owner's cpuset's is lost. So it starts
	 * bound, to any CPU, and the thread undoes that by itself; join_cgroups() then
	 * sets the mask.
	 */
	kthread_bind(task, raw_smp_processor_id());
	/* Start first, move then: no cpuset takes a bound thread. */
	wake_up_process(task);
	wait_for_completion(&worker->started);
	err = join_cgroups(task, whose);
	if (!err)
		err = join_cpus(task, whose);
	if (err)
		goto stop;
	set_class(task, whose, is_patient(vq));
	/* The place is there: nothing is allocated. */
	xa_store(&dev->workers, worker->id, worker, GFP_KERNEL);
	WRITE_ONCE(dev->nr_workers, dev->nr_workers + 1);
	vhc_registry_changed();
	vhc_netlink_worker_added(worker);
	*out = worker;
	return 0;

stop:
	kthread_stop(task);
	put_task_struct(task);
erase:
	xa_erase(&dev->workers, worker->id);
free:
	kfree(worker);
	return err;
}

static void destroy(struct vhc_dev *dev, struct vhc_worker *worker)
{
	/* Nobody looks at it any more. */
	xa_erase(&dev->workers, worker->id);
	WRITE_ONCE(dev->nr_workers, dev->nr_workers - 1);
	vhc_registry_changed();
	WARN_ON_ONCE(!llist_empty(&worker->works));
	kthread_stop(worker->task);
	put_task_struct(worker->task);
	kfree(worker);
}

/* Device locked. */
struct vhc_worker *vhc_worker_find(struct vhc_dev *dev, u32 id)
{
	return xa_load(&dev->workers, id);
}

/* Device locked. Return: 0, -ENODEV, or -EBUSY if it has queues. */
int vhc_worker_free(struct vhc_dev *dev, u32 id)
{
	struct vhc_worker *worker = vhc_worker_find(dev, id);

	if (!worker)
		return -ENODEV;
	if (worker->nr_vqs)
		return -EBUSY;
	destroy(dev, worker);
	return 0;
}

/*
 * Make @worker, or none, serve a queue, while traffic flows. Device locked.
 * When this returns nothing of the queue is left with the former one.
 */
void vhc_worker_attach(struct vhc_vq *vq, struct vhc_worker *worker)
{
	struct vhc_worker *old = vhc_worker_of(vq);

	if (old == worker)
		return;
	rcu_assign_pointer(vq->worker, worker);
	if (worker)
		worker->nr_vqs++;
	if (!old)
		return;
	/* Those who loaded the old pointer have queued by now ... */
	synchronize_rcu();
	/* ... and what they queued has run. */
	vhc_worker_flush(old);
	old->nr_vqs--;
}

/* The same, by the worker's id. Device locked. Return: 0 or -ENODEV. */
int vhc_worker_move(struct vhc_vq *vq, u32 id)
{
	struct vhc_worker *worker = vhc_worker_find(vq->dev, id);

	if (!worker)
		return -ENODEV;
	vhc_worker_attach(vq, worker);
	return 0;
}

/* The device is stopped: no queue runs or is woken any more. Device locked. */
void vhc_worker_free_all(struct vhc_dev *dev)
{
	struct vhc_worker *worker;
	unsigned long id;
	unsigned int i;

	for (i = 0; i < dev->nr_vqs; i++)
		RCU_INIT_POINTER(dev->vqs[i].worker, NULL);
	/* As in vhc_worker_attach(), once for all queues. */
	synchronize_rcu();
	xa_for_each(&dev->workers, id, worker) {
		vhc_worker_flush(worker);
		destroy(dev, worker);
	}
}

/*
 * After a failure: back into the owner's cgroups, if it left them, and onto
 * its CPUs. What failed for want of memory the first time may not the second.
 */
static void go_home(struct task_struct *task, struct task_struct *whose, bool left,
		    const struct cpumask *mask)
{
	if ((left && join_cgroups(task, whose)) || set_cpus_allowed_ptr(task, mask))
		pr_warn("vhost: worker %d lost its cgroups or CPU mask\n",
			task_pid_nr(task));
}

/*
 * Pin a worker to @mask, as far as the owner's cpuset allows; @mask is cut to
 * that. Joining the cgroups anew is how to learn what the cpuset allows today;
 * they are those of @whose, a thread of the owner. Device locked.
 */
int vhc_worker_set_affinity(struct vhc_worker *worker, struct task_struct *whose,
			    struct cpumask *mask)
{
	struct task_struct *task = worker->task;
	cpumask_var_t old;
	bool left = true;
	int err;

	if (!zalloc_cpumask_var(&old, GFP_KERNEL))
		return -ENOMEM;
	/* Not cpus_ptr: that is one CPU while the worker may not migrate. */
	cpumask_copy(old, &task->cpus_mask);
	err = attach(task, &init_task);
	if (!err)
		err = join_cgroups(task, whose);
	if (!err) {
		left = false;
		if (cpumask_and(mask, mask, &task->cpus_mask))
			err = set_cpus_allowed_ptr(task, mask);
		else
			err = -EINVAL;
	}
	if (err) {
		go_home(task, whose, left, old);
		vhc_netlink_pin_failed(worker, err);
	}
	free_cpumask_var(old);
	return err;
}
