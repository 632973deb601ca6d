// SPDX-License-Identifier: GPL-2.0
/*
 * Two VMs on one host: one behaves well, the other one kicks without end, posts
 * garbage without end, or floods. What does the first one notice?
 *
 * A VM here is what it is to a host: a control group with a process in it (VMM
 * and guest driver) and, because they join their owner's groups, its workers.
 * Both groups have the same weight. They share nothing else but the CPU that
 * all of them are pinned to.
 *
 * Share: packets that the victim sends in a fixed time, sending as fast as it
 * can, beside the attacker, by the same when it is alone. Both want all of the
 * CPU, so what is fair is a half; what our code did for the attacker outside of
 * the attacker's group, or with the victim held up, would make it less.
 *
 * Latency: from a kick for a single packet until the driver has its interrupt;
 * the 99th percentile of some thousand, now and then.
 *
 * The driver has a class of its own meanwhile, as if it had a CPU of its own:
 * what is waited for is the worker. It must be less than four times what it is
 * alone. The scheduler lets a worker that sleeps most of the time run at once,
 * but for one time in some hundred, when it has used up its credit: then it waits
 * until the other one's turn ends, a tick at worst. So the percentile is that of
 * all rounds together: of a single round's few it is now and then such a wait.
 *
 * Rounds alone and beside take turns; of the throughput the median counts. This is
 * for the instruction clock (vm.sh --icount): there an emulated CPU that the host
 * takes away for a while does no harm.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000

#define ROUNDS		5
#define ROUND_MS	200
#define SAMPLES		600
/* Of the throughput alone, in percent; of the latency alone, times. */
#define SHARE_MIN	40
#define LATENCY_MAX	4

static struct vnet n;

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* ---- VMs ------------------------------------------------------------------------ */

struct vm {
	const char *name;
	char group[96];
	int pid;
	int control;		/* what to do next, and what came of it */
};

static struct vm victim = { .name = "victim" };
static struct vm attacker = { .name = "attacker" };
static char groups[64];

static int write_in(const char *dir, const char *file, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return test_write_file(path, text);
}

static void remove_groups(void)
{
	rmdir(victim.group);
	rmdir(attacker.group);
	rmdir(groups);
}

static void make_groups(void)
{
	struct vm *vms[] = { &victim, &attacker };

	snprintf(groups, sizeof(groups), "/sys/fs/cgroup/neighbours-%d", getpid());
	write_in("/sys/fs/cgroup", "cgroup.subtree_control", "+cpu");
	if (mkdir(groups, 0755))
		test_skip("no control groups: %m");
	if (write_in(groups, "cgroup.subtree_control", "+cpu")) {
		rmdir(groups);
		test_skip("no CPU controller for control groups");
	}
	for (unsigned int i = 0; i < N(vms); i++) {
		snprintf(vms[i]->group, sizeof(vms[i]->group), "%s/%s", groups,
			 vms[i]->name);
		EXPECT(!mkdir(vms[i]->group, 0755));
	}
}

/* CPU time of all that is in the group, in microseconds. */
static long long cpu_time(const struct vm *vm)
{
	char path[128];
	long long us = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cpu.stat", vm->group);
	f = fopen(path, "re");
	EXPECT(f && fscanf(f, "usage_usec %lld", &us) == 1);
	fclose(f);
	return us;
}

static void pin(int cpu)
{
	unsigned int id;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	EXPECT(!sched_setaffinity(0, sizeof(set), &set));
	if (n.vmm.fd <= 0)
		return;
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_set_affinity(&n.vmm, id, &set, sizeof(set)));
}

/* A process in the group, with a device whose packets nobody takes. */
static void vm_start(struct vm *vm, int cpu, void (*run)(int control))
{
	int pair[2];
	char byte;

	EXPECT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	vm->pid = test_fork();
	if (vm->pid) {
		close(pair[1]);
		vm->control = pair[0];
		/* It is set up. */
		EXPECT_EQ(read(pair[0], &byte, 1), 1);
		return;
	}
	close(pair[0]);
	OK(write_in(vm->group, "cgroup.procs", "0"));
	vnet_start(&n, NULL);
	close(n.sock);
	pin(cpu);
	EXPECT_EQ(write(pair[1], "r", 1), 1);
	run(pair[1]);
	_exit(0);
}

static void vm_stop(struct vm *vm)
{
	kill(vm->pid, SIGKILL);
	waitpid(vm->pid, NULL, 0);
	close(vm->control);
}

/* ---- the victim ------------------------------------------------------------------ */

/* Packets sent in the time of a round. */
static long long throughput(void)
{
	struct gring *r = &n.ring[VMM_TX];
	long long end = now_ns() + ROUND_MS * 1000000LL, done = 0;

	while (now_ns() < end) {
		while (vnet_tx_add(&n, 0, 60) >= 0)
			;
		gring_kick(r);
		EXPECT(gring_wait(r, WAIT_MS));
		done += vnet_tx_reap(&n);
	}
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	return done;
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

/* As if the driver had a CPU of its own: nobody but the worker is waited for. */
static void own_cpu(bool own)
{
	struct sched_param param = { .sched_priority = own };

	EXPECT(!sched_setscheduler(0, own ? SCHED_FIFO : SCHED_OTHER, &param));
}

/* Nanoseconds from a kick to the interrupt. */
static void latency(long long *ns)
{
	struct gring *r = &n.ring[VMM_TX];
	unsigned int i, random = 1;

	own_cpu(true);
	for (i = 0; i < SAMPLES; i++) {
		struct timespec pause = { 0, test_random(&random, 1000000) };
		long long begin;

		nanosleep(&pause, NULL);
		gring_call_enable(r);
		vnet_tx_add(&n, i, 60);
		begin = now_ns();
		gring_kick(r);
		if (!evt_wait(r->call, WAIT_MS))
			test_fail("no interrupt");
		ns[i] = now_ns() - begin;
		EXPECT_EQ(vnet_tx_reap(&n), 1);
	}
	own_cpu(false);
}

static long long percentile_99(long long *ns)
{
	qsort(ns, ROUNDS * SAMPLES, sizeof(*ns), compare);
	return ns[ROUNDS * SAMPLES * 99 / 100];
}

enum ask { THROUGHPUT, LATENCY_ALONE, LATENCY_BESIDE, P99_ALONE, P99_BESIDE };

/* A round of either latency adds to what there is; the percentile is for the end. */
static void be_victim(int control)
{
	static long long alone[ROUNDS * SAMPLES], beside[ROUNDS * SAMPLES];
	long long *next_alone = alone, *next_beside = beside, result;
	char what;

	while (read(control, &what, 1) == 1) {
		result = 0;
		switch ((enum ask)what) {
		case THROUGHPUT:
			result = throughput();
			break;
		case LATENCY_ALONE:
			latency(next_alone);
			next_alone += SAMPLES;
			break;
		case LATENCY_BESIDE:
			latency(next_beside);
			next_beside += SAMPLES;
			break;
		case P99_ALONE:
			result = percentile_99(alone);
			break;
		case P99_BESIDE:
			result = percentile_99(beside);
			break;
		}
		EXPECT_EQ(write(control, &result, sizeof(result)), sizeof(result));
	}
}

static long long ask_victim(enum ask ask)
{
	struct pollfd p = { .fd = victim.control, .events = POLLIN };
	char what = ask;
	long long result;

	EXPECT_EQ(write(victim.control, &what, 1), 1);
	EXPECT(poll(&p, 1, WAIT_MS) == 1);
	/* If it failed it has said why. */
	if (read(victim.control, &result, sizeof(result)) != sizeof(result))
		_exit(1);
	return result;
}

/* ---- attackers -------------------------------------------------------------------- */

/* Kicks for nothing. */
static void be_kicker(int control)
{
	(void)control;
	for (;;) {
		evt_signal(n.ring[VMM_TX].kick);
		evt_signal(n.ring[VMM_RX].kick);
	}
}

/* Packets that are none, and now and then a ring that is none. */
static void be_garbage(int control)
{
	struct gring *r = &n.ring[VMM_TX];
	struct gseg seg = { vnet_addr(&n, vnet_buf(&n, VMM_TX)), 1 };
	unsigned int i;

	(void)control;
	for (i = 1;; i++) {
		while (gring_add(r, &seg, 1, 0, NULL) >= 0)
			;
		gring_kick(r);
		evt_signal(r->kick);
		if (i % 16) {
			vnet_tx_reap(&n);
			continue;
		}
		r->avail_idx += 2 * r->num;
		gring_publish(r);
		evt_signal(r->kick);
		EXPECT(evt_wait(r->err, WAIT_MS));
		vnet_restart(&n, VMM_TX, 0);
	}
}

/* As many packets as there is room for, of all sizes. */
static void be_flood(int control)
{
	static const unsigned int len[] = { 60, 60, 1514, 60, 60000, 60, 9014 };
	struct gring *r = &n.ring[VMM_TX];
	struct gseg seg[N(len)];
	unsigned int i;

	(void)control;
	for (i = 0; i < N(len); i++) {
		char *buf = vmm_alloc(&n.vmm, n.hdr_len + len[i], 64);

		memset(buf, 0, n.hdr_len);
		frame_fill(buf + n.hdr_len, len[i], i);
		seg[i] = (struct gseg){ vnet_addr(&n, buf), n.hdr_len + len[i] };
	}
	for (i = 0;; i++) {
		vnet_tx_reap(&n);
		while (gring_add(r, &seg[i++ % N(len)], 1, 0, NULL) >= 0)
			;
		gring_kick(r);
		evt_signal(r->kick);
	}
}

/* ---- both -------------------------------------------------------------------------- */

static void attack(bool on)
{
	kill(attacker.pid, on ? SIGCONT : SIGSTOP);
}

static long long median(long long *v)
{
	qsort(v, ROUNDS, sizeof(*v), compare);
	return v[ROUNDS / 2];
}

static void measure(void (*attack_fn)(int control))
{
	long long alone_t[ROUNDS], beside_t[ROUNDS];
	long long share, used = 0, all = 0, t, alone, beside;
	unsigned int i;

	test_need_ours();
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		test_skip("more than one CPU: this is for the instruction clock");
	make_groups();
	vm_start(&victim, 0, be_victim);
	vm_start(&attacker, 0, attack_fn);
	attack(false);
	ask_victim('t');
	for (i = 0; i < ROUNDS; i++) {
		long long v, a;

		alone_t[i] = ask_victim(THROUGHPUT);
		ask_victim(LATENCY_ALONE);
		attack(true);
		v = cpu_time(&victim);
		a = cpu_time(&attacker);
		beside_t[i] = ask_victim(THROUGHPUT);
		v = cpu_time(&victim) - v;
		a = cpu_time(&attacker) - a;
		used += v;
		all += v + a;
		ask_victim(LATENCY_BESIDE);
		attack(false);
	}
	alone = ask_victim(P99_ALONE);
	beside = ask_victim(P99_BESIDE);
	vm_stop(&attacker);
	vm_stop(&victim);
	remove_groups();
	t = median(alone_t);
	share = 100 * median(beside_t) / t;
	printf("# alone %lld packets/s, beside the attacker %lld%% of it, with %lld%% of the CPU time\n",
	       t * 1000 / ROUND_MS, share, 100 * used / all);
	printf("# kick to interrupt, p99: alone %lld us, beside the attacker %lld us\n",
	       alone / 1000, beside / 1000);
	if (share <= SHARE_MIN)
		test_fail("share is %lld%%, not above %d%%", share, SHARE_MIN);
	if (beside >= LATENCY_MAX * alone)
		test_fail("p99 is %lld us, alone %lld us", beside / 1000, alone / 1000);
}

static void kicks_on_same_cpu(void)
{
	measure(be_kicker);
}

static void garbage_on_same_cpu(void)
{
	measure(be_garbage);
}

static void flood_on_same_cpu(void)
{
	measure(be_flood);
}

/* ---- locks -------------------------------------------------------------------------- */

static const char lock_stat[] = "/proc/lock_stat";

/*
 * A class's line ends its name with ':' and goes on with bounces and
 * contentions; below it are the places that waited. Ours are those whose lock,
 * or whose waiter, is the modules'. Returns how many times those waited.
 */
static unsigned long our_contentions(void)
{
	static const char *const classes[] = {
		"&vq->mutex", "&vq->call_lock", "&dev->miss_lock", "&dev->log_limit",
	};
	char line[512], name[256] = "";
	unsigned long bounces, waits = 0, total = 0;
	FILE *f = fopen(lock_stat, "re");
	unsigned int i;

	EXPECT(f);
	while (fgets(line, sizeof(line), f)) {
		char *text = line + strspn(line, " "), *colon = strstr(line, ": ");

		if (colon && sscanf(colon + 2, "%lu %lu", &bounces, &waits) == 2) {
			*colon = '\0';
			snprintf(name, sizeof(name), "%s", text);
			for (i = 0; i < N(classes); i++)
				if (!strncmp(name, classes[i], strlen(classes[i])))
					break;
			if (i < N(classes) && waits) {
				printf("# %s: %lu contentions\n", name, waits);
				total += waits;
			}
		} else if (strstr(line, "[vhost_")) {
			printf("# %s waited in %s", name, text);
			total++;
		}
	}
	fclose(f);
	return total;
}

/* Until stopped, packets one way and the other as fast as they go. */
static void be_busy(int control)
{
	unsigned int i;

	(void)control;
	for (i = 0;; i++) {
		vnet_tx_add(&n, i, 60);
		gring_kick(&n.ring[VMM_TX]);
		vnet_rx_post(&n, 64);
		evt_signal(n.ring[VMM_RX].kick);
		vnet_tx_reap(&n);
	}
}

/* Two VMs on two CPUs, at full speed: neither waits for a lock. */
static void no_shared_lock(void)
{
	test_need_ours();
	if (access(lock_stat, W_OK))
		test_skip("no lock statistics (CONFIG_LOCK_STAT)");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		test_skip("one CPU only");
	make_groups();
	vm_start(&victim, 0, be_busy);
	vm_start(&attacker, 1, be_busy);
	OK(write_in("/proc/sys/kernel", "lock_stat", "1"));
	OK(write_in("/proc", "lock_stat", "0"));
	sleep(3);
	OK(write_in("/proc/sys/kernel", "lock_stat", "0"));
	vm_stop(&attacker);
	vm_stop(&victim);
	remove_groups();
	EXPECT_EQ(our_contentions(), 0);
}

static const struct test tests[] = {
	TEST_ONCE(kicks_on_same_cpu), TEST_ONCE(garbage_on_same_cpu),
	TEST_ONCE(flood_on_same_cpu), TEST_ONCE(no_shared_lock),
};

int main(int argc, char **argv)
{
	test_seconds = 120;
	return test_main(tests, N(tests), argc, argv);
}
