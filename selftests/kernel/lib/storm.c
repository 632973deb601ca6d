// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storm.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))

/* Bits of the log for all that vnet.h puts into the memory table. */
#define LOG_BYTES	((VMM_GPA + (256 << 20)) / VHOST_PAGE_SIZE / 8)

static unsigned int any_vq(struct storm *s)
{
	return test_random(&s->random, VMM_VQS);
}

/* The same memory, in one piece or in two. */
static void mem_table(struct storm *s)
{
	const struct vmm_region *r = &s->n->vmm.region[0];
	unsigned int half = r->size / 2;
	struct vhost_memory_region two[2] = {
		{ r->gpa, half, (uintptr_t)r->hva, 0 },
		{ r->gpa + half, r->size - half, (uintptr_t)r->hva + half, 0 },
	};

	if (test_random(&s->random, 2))
		OK(vmm_set_mem_regions(&s->n->vmm, two, 2, 0));
	else
		OK(vmm_set_mem_table(&s->n->vmm));
}

static void call_swap(struct storm *s)
{
	unsigned int vq = any_vq(s);

	OK(vmm_vring_call(&s->n->vmm, vq, s->call[vq]));
	OK(vmm_vring_call(&s->n->vmm, vq, s->n->ring[vq].call));
}

static void call_unbind(struct storm *s)
{
	unsigned int vq = any_vq(s);

	OK(vmm_vring_call(&s->n->vmm, vq, -1));
	OK(vmm_vring_call(&s->n->vmm, vq, s->n->ring[vq].call));
}

static void kick_unbind(struct storm *s)
{
	unsigned int vq = any_vq(s);

	OK(vmm_vring_kick(&s->n->vmm, vq, -1));
	OK(vmm_vring_kick(&s->n->vmm, vq, s->n->ring[vq].kick));
}

static void err_unbind(struct storm *s)
{
	unsigned int vq = any_vq(s);

	OK(vmm_vring_err(&s->n->vmm, vq, -1));
	OK(vmm_vring_err(&s->n->vmm, vq, s->n->ring[vq].err));
}

static void backend(struct storm *s)
{
	unsigned int vq = any_vq(s);

	OK(vmm_net_backend(&s->n->vmm, vq, -1));
	OK(vmm_net_backend(&s->n->vmm, vq, s->n->tapfd));
}

static void vring_base(struct storm *s)
{
	unsigned int base;

	OK(vmm_get_vring_base(&s->n->vmm, any_vq(s), &base));
}

static void features(struct storm *s)
{
	__u64 f = s->n->features;

	if (test_random(&s->random, 2))
		f |= BIT_ULL(VHOST_F_LOG_ALL);
	OK(vmm_set_features(&s->n->vmm, f));
}

static void log_base(struct storm *s)
{
	OK(vmm_log_base(&s->n->vmm, s->log));
}

static void log_fd(struct storm *s)
{
	OK(vmm_log_fd(&s->n->vmm, test_random(&s->random, 2) ? s->call[0] : -1));
}

/* Each queue to a worker of its own, or back; a device has at most five. */
static void workers(struct storm *s)
{
	unsigned int vq = any_vq(s), old, new;

	OK(vmm_get_worker(&s->n->vmm, vq, &old));
	if (vmm_new_worker(&s->n->vmm, &new))
		return;
	OK(vmm_attach_worker(&s->n->vmm, vq, new));
	/* -EBUSY if the other queue is there, too. */
	vmm_free_worker(&s->n->vmm, old);
}

/* A call about a worker has to return 0, unless somebody else freed that. */
static bool done(struct storm *s, int err)
{
	if (err == -ENODEV && s->several)
		return false;
	OK(err);
	return true;
}

static void affinity(struct storm *s)
{
	__u64 mask[128], one[128] = { 1 };
	unsigned int id;

	OK(vmm_get_worker(&s->n->vmm, any_vq(s), &id));
	if (!done(s, vmm_get_affinity(&s->n->vmm, id, mask, sizeof(mask))) ||
	    !done(s, vmm_set_affinity(&s->n->vmm, id, one, sizeof(one))))
		return;
	/* Refused if those CPUs went offline meanwhile. */
	vmm_set_affinity(&s->n->vmm, id, mask, sizeof(mask));
}

static void worker_info(struct storm *s)
{
	struct vhost_ext_worker_info info;
	unsigned int id;

	OK(vmm_get_worker(&s->n->vmm, any_vq(s), &id));
	done(s, vmm_worker_info(&s->n->vmm, id, &info));
}

static void busyloop(struct storm *s)
{
	OK(vmm_vring_busyloop(&s->n->vmm, any_vq(s),
			      test_random(&s->random, 2) * 200));
}

static void poll_mode(struct storm *s)
{
	struct vhost_vring_state state = {
		any_vq(s), test_random(&s->random, 2),
	};

	OK(vmm_ioctl(&s->n->vmm, VHOST_EXT_SET_VRING_POLL_MODE, &state));
}

static void counters(struct storm *s)
{
	vmm_counter(&s->n->vmm, any_vq(s), "chains");
}

static const struct {
	const char *name;
	void (*fn)(struct storm *s);
	bool ours;
} calls[] = {
	{ "mem_table", mem_table, false },
	{ "call_swap", call_swap, false },
	{ "call_unbind", call_unbind, true },
	{ "kick_unbind", kick_unbind, false },
	{ "err_unbind", err_unbind, false },
	{ "backend", backend, false },
	{ "vring_base", vring_base, false },
	{ "features", features, false },
	{ "log_base", log_base, false },
	{ "log_fd", log_fd, false },
	{ "workers", workers, true },
	{ "affinity", affinity, true },
	{ "worker_info", worker_info, true },
	{ "busyloop", busyloop, false },
	{ "poll_mode", poll_mode, true },
	{ "counters", counters, true },
};

const unsigned int storm_calls = N(calls);

const char *storm_name(unsigned int call)
{
	return calls[call].name;
}

void storm_start(struct storm *s, struct vnet *n, unsigned int seed)
{
	unsigned int vq;

	s->n = n;
	s->random = seed;
	s->log = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	EXPECT(s->log != MAP_FAILED);
	for (vq = 0; vq < VMM_VQS; vq++) {
		s->call[vq] = fcntl(n->ring[vq].call, F_DUPFD_CLOEXEC, 0);
		EXPECT(s->call[vq] >= 0);
	}
	OK(vmm_log_base(&n->vmm, s->log));
}

void storm_call(struct storm *s, unsigned int call)
{
	if (!calls[call].ours || test_ours())
		calls[call].fn(s);
}

void storm_set_up(int tapfd)
{
	__u64 features = VNET_FEATURES | vnet_mode();
	struct vmm v;
	struct gring r;
	unsigned int id;

	if (vmm_open(&v, NULL, 1 << 20))
		return;
	vmm_set_owner(&v);
	vmm_set_features(&v, features);
	vmm_set_mem_table(&v);
	if (!gring_alloc(&r, &v, 256, features, 0)) {
		gring_attach(&r, &v, VMM_TX);
		vmm_net_backend(&v, VMM_TX, tapfd);
		if (!vmm_new_worker(&v, &id))
			vmm_attach_worker(&v, VMM_TX, id);
		evt_signal(r.kick);
		vmm_set_mem_table(&v);
		vmm_net_backend(&v, VMM_TX, -1);
		vmm_reset_owner(&v);
		gring_free(&r);
	}
	vmm_close(&v);
}
