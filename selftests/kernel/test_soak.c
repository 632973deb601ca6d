// SPDX-License-Identifier: GPL-2.0
/*
 * All of it at once, for SOAK_SECONDS (60): several VMs, each for a second or
 * two, of which some do everything right while their VMM does not leave the
 * device alone, some are killed, some post garbage, some lose their tap, some
 * cannot be set up for want of memory; and CPUs come and go.
 *
 * What the right ones send and are sent arrives, once, in order, and guest,
 * device and tap agree on how much that was. In the end nothing is left: no
 * worker, no use of the module, no memory.
 *
 * Choices are random; a failure names the TEST_SEED that repeats them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storm.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 20000
#define VMS 4

static struct vnet n;
static unsigned int seed, rnd, seconds = 60;
static bool stop;

/* ---- VMs --------------------------------------------------------------------------- */

static void *storm(void *arg)
{
	struct storm *s = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		storm_call(s, test_random(&s->random, storm_calls));
	return NULL;
}

/* Guest, device and tap count the same. */
static void same_counts(unsigned int vq, long long packets, unsigned int column)
{
	char state[32];

	OK(vmm_stat(&n.vmm, vq, "state", state, sizeof(state)));
	if (strcmp(state, "running"))
		test_fail("queue %u is %s", vq, state);
	EXPECT_EQ(evt_wait(n.ring[vq].err, 0), 0);
	EXPECT_EQ(vmm_counter(&n.vmm, vq, "packets"), packets);
	EXPECT_EQ(vmm_counter(&n.vmm, vq, "chains"), packets);
	EXPECT_EQ(vmm_counter(&n.vmm, vq, "dropped"), 0);
	EXPECT_EQ(netdev_stat(n.tap, column), packets);
}

/* Does everything right; its VMM calls and calls. */
static void right(unsigned int ms)
{
	long long end = test_now() + ms, packets = 0;
	struct storm s;
	pthread_t thread;

	vnet_start(&n, NULL);
	storm_start(&s, &n, rnd);
	EXPECT(!pthread_create(&thread, NULL, storm, &s));
	while (test_now() < end) {
		unsigned int len = 60 + test_random(&rnd, 1400);

		vnet_tx_check(&n, packets, 100, len);
		vnet_rx_check(&n, packets, 100, len);
		packets += 100;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	if (!test_ours())
		return;
	same_counts(VMM_TX, packets, NETDEV_RX_PACKETS);
	same_counts(VMM_RX, packets, NETDEV_TX_PACKETS);
}

/* Never comes to its end. */
static void killed(unsigned int ms)
{
	right(ms + 3600 * 1000);
}

/* Chains, rings and packets that make no sense; started again when it breaks. */
static void garbage(unsigned int ms)
{
	struct gring *r = &n.ring[VMM_TX];
	long long end = test_now() + ms;
	unsigned int i;

	vnet_start(&n, NULL);
	while (test_now() < end) {
		for (i = 0; i < 50; i++) {
			struct gseg seg = {
				vnet_addr(&n, vnet_buf(&n, VMM_TX)),
				1 + test_random(&rnd, 2000),
			};

			gring_add(r, &seg, 1, 0, NULL);
		}
		gring_kick(r);
		/* Then bytes at random, in every part of the ring. */
		for (i = 0; i < 8; i++) {
			volatile __u8 *p = (__u8 *)r->desc;

			if (r->packed)
				p = (__u8 *)r->pdesc;

			p[test_random(&rnd, 16 * r->num)] = test_random(&rnd, 256);
		}
		r->avail_idx += test_random(&rnd, 4) ? 0 : test_random(&rnd, 1000);
		gring_publish(r);
		evt_signal(r->kick);
		vnet_host_send(&n, 0, 60);
		if (evt_wait(r->err, 1) || test_random(&rnd, 4) == 0)
			vnet_restart(&n, VMM_TX, 0);
	}
}

/* The tap goes while packets do. */
static void tap_deleted(unsigned int ms)
{
	long long end = test_now() + ms;

	vnet_start(&n, NULL);
	while (test_now() < end) {
		vnet_tx_check(&n, 0, 50, 60);
		vnet_rx_check(&n, 0, 50, 60);
	}
	vnet_rx_post(&n, 100);
	while (vnet_tx_add(&n, 0, 1514) >= 0)
		;
	gring_kick(&n.ring[VMM_TX]);
	OK(netdev_run("ip link del %s", n.tap));
	if (test_ours())
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
}

/* Now and then, and only for processes that ask for it: see hungry(). */
static bool limit_memory(void)
{
	static const char dir[] = "/sys/kernel/debug/failslab/";
	static const char *const set[][2] = {
		{ "task-filter", "Y" }, { "ignore-gfp-wait", "N" }, { "verbose", "0" },
		{ "times", "-1" }, { "interval", "1" }, { "probability", "5" },
	};
	char path[96];

	for (unsigned int i = 0; i < N(set); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, set[i][0]);
		if (test_write_file(path, set[i][1]))
			return false;
	}
	return true;
}

/* Set-up and its end, without memory for some of it. */
static void hungry(unsigned int ms)
{
	long long end = test_now() + ms;
	char tap[IFNAMSIZ] = "tap%d";
	int fd;

	OK(net_private());
	fd = tap_open(tap, 0);
	EXPECT(fd >= 0);
	test_write_file("/proc/self/make-it-fail", "1");
	while (test_now() < end)
		storm_set_up(fd);
}

static const struct {
	const char *name;
	void (*run)(unsigned int ms);
} kinds[] = {
	{ "right", right }, { "right", right }, { "killed", killed },
	{ "garbage", garbage }, { "tap_deleted", tap_deleted }, { "hungry", hungry },
};

/* ---- the host ---------------------------------------------------------------------- */

static const char cpu1[] = "/sys/devices/system/cpu/cpu1/online";

struct vm {
	int pid;
	unsigned int kind;
	long long end;
};

static void vm_start(struct vm *vm)
{
	unsigned int ms = 200 + test_random(&rnd, 2000);

	/* The VM's own choices follow from those before it. */
	vm->kind = test_random(&rnd, N(kinds));
	vm->end = test_now() + ms;
	vm->pid = test_fork();
	if (vm->pid)
		return;
	kinds[vm->kind].run(ms);
	_exit(0);
}

/* Whether it is gone; the end of all if it was no good end. */
static bool vm_ended(struct vm *vm)
{
	bool kill_it = kinds[vm->kind].run == killed && test_now() >= vm->end;
	int status;

	if (kill_it)
		kill(vm->pid, SIGKILL);
	if (waitpid(vm->pid, &status, kill_it ? 0 : WNOHANG) != vm->pid)
		return false;
	if (WIFSIGNALED(status) ? !kill_it : WEXITSTATUS(status)) {
		printf("# a VM of kind %s, TEST_SEED=%u\n", kinds[vm->kind].name, seed);
		if (!WIFSIGNALED(status))
			_exit(1);
		test_fail("killed by signal %d", WTERMSIG(status));
	}
	return true;
}

static unsigned int run_vms(unsigned int ms)
{
	long long end = test_now() + ms, hotplug = 0;
	bool cpus = !access(cpu1, W_OK), online = true;
	struct vm vm[VMS] = { 0 };
	unsigned int i, count = 0, running = 0;

	do {
		for (i = 0; i < VMS; i++) {
			if (vm[i].pid && vm_ended(&vm[i])) {
				vm[i].pid = 0;
				running--;
			}
			if (!vm[i].pid && test_now() < end) {
				vm_start(&vm[i]);
				running++;
				count++;
			}
		}
		if (cpus && test_now() >= hotplug) {
			online = !online || test_now() >= end;
			OK(test_write_file(cpu1, online ? "1" : "0"));
			hotplug = test_now() + 300 + test_random(&rnd, 1000);
		}
		usleep(5000);
	} while (running);
	if (cpus)
		test_write_file(cpu1, "1");
	return count;
}

/* What nothing points to any more; two scans, as one may catch it on its way. */
static void no_leaks(void)
{
	static const char file[] = "/sys/kernel/debug/kmemleak";
	char text[1024] = "";
	int fd;

	if (access(file, W_OK))
		return;
	/* What is younger than five seconds is not reported. */
	sleep(6);
	OK(test_write_file(file, "scan"));
	sleep(1);
	OK(test_write_file(file, "scan"));
	fd = open(file, O_RDONLY | O_CLOEXEC);
	EXPECT(fd >= 0);
	if (read(fd, text, sizeof(text) - 1) > 0)
		test_fail("kmemleak (TEST_SEED=%u): %s", seed, text);
	close(fd);
}

static void soak(void)
{
	long long before;
	unsigned int count;
	const char *left;
	bool limited;

	seed = test_seed();
	rnd = seed;
	limited = limit_memory();
	printf("# TEST_SEED=%u%s\n", seed, limited ? ", some without memory" : "");
	fflush(stdout);
	/* What the kernel keeps from the first ones on is not ours. */
	run_vms(5000);
	before = test_kernel_memory();
	count = run_vms(seconds * 1000);
	left = test_leftover(getpid());
	if (left)
		test_fail("%s (TEST_SEED=%u)", left, seed);
	if (test_threads("vhost-"))
		test_fail("a worker is left (TEST_SEED=%u)", seed);
	if (!test_until(test_kernel_memory() - before < 4096, 10000))
		test_fail("%lld KiB more after %u VMs (TEST_SEED=%u)",
			  test_kernel_memory() - before, count, seed);
	if (limited)
		test_write_file("/sys/kernel/debug/failslab/probability", "0");
	no_leaks();
	printf("# %u VMs, %lld KiB of kernel memory more\n", count,
	       test_kernel_memory() - before);
}

static const struct test tests[] = {
	TEST(soak),
};

int main(int argc, char **argv)
{
	const char *text = getenv("SOAK_SECONDS");

	if (text)
		seconds = atoi(text);
	test_seconds = seconds + 120;
	return test_main(tests, N(tests), argc, argv);
}
