// SPDX-License-Identifier: GPL-2.0
/* Kicks and interrupts: none lost, whatever is swapped, and counted. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/mman.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000

static struct vnet n;
static int fds[2];
static int current;	/* which of @fds is, or is about to be, set */
static bool stop;

/* Wait on both: the interrupt comes by either. */
static bool wait_either(struct gring *r)
{
	struct pollfd p[2] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };
	eventfd_t val;

	while (gring_call_enable(r)) {
		if (poll(p, 2, WAIT_MS) <= 0)
			return false;
		eventfd_read(fds[0], &val);
		eventfd_read(fds[1], &val);
	}
	return true;
}

static void *swap_calls(void *unbind)
{
	int i;

	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		OK(vmm_vring_call(&n.vmm, VMM_TX, fds[i & 1]));
		if (unbind)
			OK(vmm_vring_call(&n.vmm, VMM_TX, -1));
	}
	return NULL;
}

static void call_swapped(void *unbind)
{
	struct gring *r;
	pthread_t thread;
	unsigned int i, done = 0;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	fds[0] = r->call;
	fds[1] = evt_new();
	EXPECT(!pthread_create(&thread, NULL, swap_calls, unbind));
	for (i = 0; i < 1500; i++) {
		vnet_tx_add(&n, i, 60);
		gring_kick(r);
		if (!wait_either(r))
			test_fail("interrupt %u is lost", i);
		done += vnet_tx_reap(&n);
	}
	EXPECT_EQ(done, 1500);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

static void call_swapped_under_load(void)
{
	call_swapped(NULL);
}

/* As a VMM masks its interrupts: while none is set, what is due is kept. */
static void call_unbound_under_load(void)
{
	test_need_ours();
	call_swapped(&stop);
}

static void call_while_unbound(void)
{
	struct gring *r;

	test_need_ours();
	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	gring_call_enable(r);
	OK(vmm_vring_call(&n.vmm, VMM_TX, -1));
	vnet_tx_add(&n, 1, 60);
	gring_kick(r);
	EXPECT(test_until(gring_pending(r) == 1, WAIT_MS));
	OK(vmm_vring_err(&n.vmm, VMM_TX, r->err));
	EXPECT_EQ(evt_wait(r->call, 0), 0);
	OK(vmm_vring_call(&n.vmm, VMM_TX, r->call));
	EXPECT_EQ(evt_wait(r->call, WAIT_MS), 1);
	/* Just once. */
	OK(vmm_vring_call(&n.vmm, VMM_TX, -1));
	OK(vmm_vring_call(&n.vmm, VMM_TX, r->call));
	EXPECT_EQ(evt_wait(r->call, 0), 0);
}

/* Once the swap has returned the old eventfd stays silent. */
static void old_call_is_silent(void)
{
	struct gring *r;
	int i;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	fds[0] = r->call;
	fds[1] = evt_new();
	for (i = 0; i < 300; i++) {
		int old = fds[i & 1], new = fds[!(i & 1)];

		gring_call_enable(r);
		vnet_tx_add(&n, i, 60);
		gring_kick(r);
		OK(vmm_vring_call(&n.vmm, VMM_TX, new));
		/* It may have been first; from here on it is not. */
		evt_wait(old, 0);
		EXPECT(test_until(gring_pending(r) == 1, WAIT_MS));
		OK(vmm_vring_err(&n.vmm, VMM_TX, r->err));
		EXPECT_EQ(evt_wait(old, 0), 0);
		evt_wait(new, 0);
		vnet_tx_reap(&n);
	}
}

static void *swap_kicks(void *unused)
{
	int i;

	(void)unused;
	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		__atomic_store_n(&current, i & 1, __ATOMIC_SEQ_CST);
		OK(vmm_vring_kick(&n.vmm, VMM_TX, fds[i & 1]));
	}
	return NULL;
}

static void kick_swapped_under_load(void)
{
	struct gring *r;
	pthread_t thread;
	unsigned int i;

	/* In-tree does not look into the ring when the eventfd is new. */
	test_need_ours();
	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	fds[0] = r->kick;
	fds[1] = evt_new();
	EXPECT(!pthread_create(&thread, NULL, swap_kicks, NULL));
	for (i = 0; i < 1500; i++) {
		vnet_tx_add(&n, i, 60);
		gring_publish(r);
		if (gring_want_kick(r))
			evt_signal(fds[__atomic_load_n(&current, __ATOMIC_SEQ_CST)]);
		if (!vnet_tx_drain(&n, WAIT_MS))
			test_fail("kick %u is lost", i);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/* Without a kick eventfd nothing happens; with one again, at once. */
static void kick_unbound(void)
{
	struct gring *r;

	test_need_ours();
	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	vnet_tx_check(&n, 0, 10, 60);
	OK(vmm_vring_kick(&n.vmm, VMM_TX, -1));
	/* It looks once more when the eventfd changes: let that pass. */
	vnet_rx_check(&n, 0, 10, 60);
	vnet_tx_add(&n, 5, 60);
	gring_kick(r);
	vnet_rx_check(&n, 0, 10, 60);
	EXPECT_EQ(gring_pending(r), 0);
	/* A fresh one, which nobody has signalled. */
	OK(vmm_vring_kick(&n.vmm, VMM_TX, evt_new()));
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 5);
}

/* The eventfd is shared with another process that reads it away. */
static void kick_is_not_consumed(void)
{
	struct gring *r;

	test_need_ours();
	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	vnet_tx_check(&n, 0, 10, 60);
	vnet_backend(&n, -1);
	/* A VMM that takes over finds what the guest signalled. */
	EXPECT(evt_wait(r->kick, 0) > 0);
}

static void busyloop(void)
{
	struct gring *r;
	unsigned int i;

	vnet_start(&n, NULL);
	r = &n.ring[VMM_TX];
	OK(vmm_vring_busyloop(&n.vmm, VMM_TX, 200));
	OK(vmm_vring_busyloop(&n.vmm, VMM_RX, 200));
	for (i = 0; i < 5; i++) {
		vnet_tx_check(&n, 0, 100, 60);
		vnet_rx_check(&n, 0, 100, 60);
	}
	test_need_ours();
	EXPECT(vmm_counter(&n.vmm, VMM_TX, "poll_misses") > 0);

	/* Nobody polls while another wants the CPU. */
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	/* Long enough that chains are found without being told of. */
	OK(vmm_vring_busyloop(&n.vmm, VMM_TX, 500000));
	for (i = 0; i < 40; i++) {
		long long hits = vmm_counter(&n.vmm, VMM_TX, "poll_hits"), end;

		vnet_tx_add(&n, 0, 60);
		gring_publish(r);
		evt_signal(r->kick);
		EXPECT(test_until(gring_pending(r) == 1, WAIT_MS));
		/* Who looks just once has looked by now. */
		for (end = test_now() + 5; test_now() < end;)
			test_pause();
		vnet_tx_add(&n, 0, 60);
		gring_publish(r);
		/* No kick. It is found, or the polling ended early. */
		(void)test_until(gring_pending(r) == 2, 500);
		evt_signal(r->kick);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
		if (vmm_counter(&n.vmm, VMM_TX, "poll_hits") > hits)
			return;
	}
	test_fail("busy polling never found anything");
}

/*
 * A worker that nothing else keeps from polling: of the real-time class, on a
 * CPU that we stay away from.
 */
static void start_undisturbed(void)
{
	__u64 mask[16] = { 2 };
	cpu_set_t ours;
	unsigned int id;
	int fd;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		vnet_start(&n, NULL);
		return;
	}
	fd = open("/sys/module/vhost_core/parameters/worker_fifo", O_WRONLY);
	EXPECT(fd >= 0 && write(fd, "Y", 1) == 1);
	vnet_start(&n, NULL);
	EXPECT(write(fd, "N", 1) == 1);
	close(fd);
	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_set_affinity(&n.vmm, id, mask, sizeof(mask)));
	CPU_ZERO(&ours);
	CPU_SET(0, &ours);
	EXPECT(!sched_setaffinity(0, sizeof(ours), &ours));
}

/* Polling ends when somebody else has work for the worker. */
static void busyloop_yields(void)
{
	struct gring *tx = &n.ring[VMM_TX], *rx = &n.ring[VMM_RX];
	long long begin;
	char buf[2048];
	int i;

	/* In-tree a stop waits for the end of the polling. */
	test_need_ours();
	start_undisturbed();
	OK(vmm_vring_busyloop(&n.vmm, VMM_TX, ~0u));
	OK(vmm_vring_busyloop(&n.vmm, VMM_RX, ~0u));
	begin = test_now();
	vnet_tx_check(&n, 0, 5, 60);
	vnet_rx_check(&n, 0, 5, 60);
	vnet_tx_check(&n, 0, 5, 60);
	vnet_rx_check(&n, 0, 5, 60);
	/* Nor does anybody wait who wants the queue for something else. */
	for (i = 0; i < 20; i++) {
		OK(vmm_set_mem_table(&n.vmm));
		OK(vmm_set_features(&n.vmm, n.features));
		vnet_tx_check(&n, 0, 1, 60);
		OK(vmm_vring_err(&n.vmm, VMM_TX, tx->err));
	}
	/*
	 * Nor a queue that waits in what the worker has taken already: behind
	 * reception, both queued while it is at a row of packets.
	 */
	vnet_restart(&n, VMM_RX, 0);
	for (i = 0; i < 20; i++) {
		char *p = vnet_buf(&n, VMM_RX);
		struct gseg seg = { vnet_addr(&n, p), 2048 };

		vnet_host_send(&n, i, 60);
		while (vnet_tx_add(&n, 0, 60) >= 0)
			;
		gring_publish(tx);
		evt_signal(tx->kick);
		EXPECT(test_until(gring_pending(tx), WAIT_MS));
		gring_add(rx, &seg, 0, 1, p);
		gring_publish(rx);
		evt_signal(rx->kick);
		evt_signal(tx->kick);
		EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 72);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
		vnet_tx_add(&n, 0, 60);
		gring_publish(tx);
		evt_signal(tx->kick);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
	}
	vnet_backend(&n, -1);
	EXPECT(test_now() - begin < 10000);
}

#define INSTANCE "/sys/kernel/tracing/instances/vhost-test"
#define POLL_MS 20000

/*
 * Who takes away a function tracer waits until each task has been seen elsewhere
 * than in a trampoline: a worker that polls for long lets itself be seen.
 */
static void busyloop_lets_tracers_go(void)
{
	struct gring *r = &n.ring[VMM_TX];
	long long begin, took;
	int err;

	test_need_ours();
	if (mkdir(INSTANCE, 0755))
		test_skip("no tracefs: %s", strerror(errno));
	err = test_write_file(INSTANCE "/set_ftrace_filter", "eventfd_write");
	if (!err)
		err = test_write_file(INSTANCE "/current_tracer", "function");
	if (err) {
		rmdir(INSTANCE);
		test_skip("no function tracer: %s", strerror(-err));
	}
	start_undisturbed();
	OK(vmm_vring_busyloop(&n.vmm, VMM_TX, 1000 * POLL_MS));
	vnet_tx_add(&n, 0, 60);
	gring_publish(r);
	evt_signal(r->kick);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	begin = test_now();
	err = test_write_file(INSTANCE "/current_tracer", "nop");
	took = test_now() - begin;
	rmdir(INSTANCE);
	OK(err);
	if (took >= POLL_MS / 2)
		test_fail("it took %lld ms", took);
}

/* Counters tell exactly what happened. */
static void counters(void)
{
	static const struct {
		const char *name;
		long long tx, rx;
	} exact[] = {
		{ "chains", 10, 20 },
		{ "bytes_read", 10 * 112, 0 },
		{ "bytes_written", 0, 20 * 212 },
		{ "kicks", 10, 20 },
		{ "packets", 10, 20 },
		{ "iotlb_misses", 0, 0 },
		{ "dropped", 0, 0 },
	};
	char buf[2048];
	unsigned int i;

	test_need_ours();
	vnet_start(&n, NULL);
	for (i = 0; i < 10; i++) {
		vnet_tx_add(&n, i, 100);
		gring_publish(&n.ring[VMM_TX]);
		evt_signal(n.ring[VMM_TX].kick);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
	}
	for (i = 0; i < 20; i++) {
		struct gring *r = &n.ring[VMM_RX];
		char *p = vnet_buf(&n, VMM_RX);
		struct gseg seg = { vnet_addr(&n, p), 2048 };

		gring_add(r, &seg, 0, 1, p);
		gring_publish(r);
		evt_signal(r->kick);
		vnet_host_send(&n, i, 200);
		EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 212);
	}
	/* A new eventfd is no signal. */
	for (i = 0; i < 4; i++)
		OK(vmm_vring_call(&n.vmm, VMM_TX, n.ring[VMM_TX].call));
	for (i = 0; i < N(exact); i++) {
		EXPECT_EQ(vmm_counter(&n.vmm, VMM_TX, exact[i].name), exact[i].tx);
		EXPECT_EQ(vmm_counter(&n.vmm, VMM_RX, exact[i].name), exact[i].rx);
	}
	EXPECT(vmm_counter(&n.vmm, VMM_TX, "signals") +
	       vmm_counter(&n.vmm, VMM_TX, "signals_suppressed") == 10);
	EXPECT(vmm_counter(&n.vmm, VMM_TX, "batches") == 10);
}

static void info_file(void)
{
	char val[64], want[64];

	test_need_ours();
	vnet_start(&n, NULL);
	OK(vmm_stat(&n.vmm, -1, "owner", val, sizeof(val)));
	EXPECT_EQ(atoi(val), getpid());
	OK(vmm_stat(&n.vmm, -1, "features", val, sizeof(val)));
	snprintf(want, sizeof(want), "0x%llx", n.features);
	EXPECT(!strcmp(val, want));
	OK(vmm_stat(&n.vmm, VMM_TX, "size", val, sizeof(val)));
	EXPECT_EQ(atoi(val), 256);
	OK(vmm_stat(&n.vmm, VMM_TX, "state", val, sizeof(val)));
	EXPECT(!strcmp(val, "running"));
	vnet_tx_check(&n, 0, 7, 60);
	OK(vmm_stat(&n.vmm, VMM_TX, "last_avail", val, sizeof(val)));
	EXPECT_EQ(atoi(val), 7);
	OK(vmm_stat(&n.vmm, VMM_TX, "last_used", val, sizeof(val)));
	EXPECT_EQ(atoi(val), 7);
}

/* ---- idle ---------------------------------------------------------------------- */

/* Nanoseconds that the worker has run. */
static long long worker_ns(void)
{
	struct vhost_ext_worker_info info;
	unsigned int id;
	char path[64];

	OK(vmm_get_worker(&n.vmm, VMM_TX, &id));
	OK(vmm_worker_info(&n.vmm, id, &info));
	snprintf(path, sizeof(path), "/proc/%d/schedstat", info.tid);
	return test_read_number(path);
}

static long long runs(void)
{
	return vmm_counter(&n.vmm, VMM_RX, "runs") + vmm_counter(&n.vmm, VMM_TX, "runs");
}

#define IDLE_MS 300

/* Nothing can be done, so nothing is: what is looked at is that time goes by. */
static void is_idle(const char *when)
{
	long long ns, before;

	/* What is under way comes to its end. */
	EXPECT(test_until(({ before = runs(); usleep(20000); runs() == before; }), WAIT_MS));
	ns = worker_ns();
	before = runs();
	usleep(IDLE_MS * 1000);
	ns = worker_ns() - ns;
	if (runs() != before || ns > IDLE_MS * 1000000LL / 10)
		test_fail("%s: %lld turns, %lld us of CPU time in %u ms", when,
			  runs() - before, ns / 1000, IDLE_MS);
}

/*
 * A guest that leaves its queues in whatever state does not keep the worker
 * busy.
 */
static void idle_in_every_state(void)
{
	struct gring *tx = &n.ring[VMM_TX], *rx = &n.ring[VMM_RX];
	unsigned int i;

	test_need_ours();
	vnet_start(&n, &(struct vnet_conf){ .buf_size = 128 });
	is_idle("nothing to do");
	for (i = 0; i < 10; i++)
		vnet_host_send(&n, i, 1000);
	is_idle("packets, and no buffers for them");
	vnet_rx_post(&n, 2);
	is_idle("too few buffers for a packet");
	evt_signal(rx->kick);
	is_idle("kicked without new buffers");
	vnet_tx_check(&n, 0, 100, 60);
	evt_signal(tx->kick);
	is_idle("kicked with an empty ring");
	/* A ring that makes no sense, and a guest that goes on with it. */
	if (tx->packed)
		gpacked_put(tx, 0, 0, 0, 0);
	else
		tx->avail_idx += 2 * tx->num;
	gring_publish(tx);
	evt_signal(tx->kick);
	EXPECT_EQ(evt_wait(tx->err, WAIT_MS), 1);
	for (i = 0; i < 100; i++)
		evt_signal(tx->kick);
	is_idle("a broken queue");
	OK(netdev_down(n.tap));
	is_idle("the tap is down");
	OK(netdev_run("ip link del %s", n.tap));
	is_idle("the tap is gone");
}

/* A question that nobody answers is not asked again and again. */
static void idle_without_answer(void)
{
	const struct vmm_region *r = &n.vmm.region[0];
	__u64 start = VMM_GPA + VNET_IOVA;
	char *pool;

	test_need_ours();
	vnet_start(&n, &(struct vnet_conf){ .iommu = true });
	vnet_tx_check(&n, 0, 10, 60);
	OK(vmm_iotlb_invalidate(&n.vmm, start, r->size));
	vnet_host_send(&n, 0, 60);
	evt_signal(n.ring[VMM_TX].kick);
	is_idle("the rings' addresses unknown");
	/* All that is in front of the buffers, the ring's parts among it. */
	pool = n.pool[VMM_TX].base;
	OK(vmm_iotlb_update(&n.vmm, start, pool - r->hva, r->hva, VHOST_ACCESS_RW));
	vnet_tx_add(&n, 0, 60);
	gring_kick(&n.ring[VMM_TX]);
	evt_signal(n.ring[VMM_TX].kick);
	is_idle("a buffer's address unknown");
	EXPECT(vmm_counter(&n.vmm, VMM_TX, "iotlb_misses") > 0);
	OK(vmm_iotlb_map_all(&n.vmm));
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 0);
}

static void *forget_pages(void *arg)
{
	const struct vmm_region *r = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		madvise(r->hva, r->size, MADV_DONTNEED);
	return NULL;
}

/* The ring's pages have to be faulted in while it is polled. */
static void busyloop_faults(void)
{
	pthread_t thread;
	int i;

	vnet_start(&n, NULL);
	OK(vmm_vring_busyloop(&n.vmm, VMM_TX, 2000));
	OK(vmm_vring_busyloop(&n.vmm, VMM_RX, 2000));
	EXPECT(!pthread_create(&thread, NULL, forget_pages, &n.vmm.region[0]));
	for (i = 0; i < 200; i++) {
		vnet_tx_check(&n, i, 1, 60);
		vnet_rx_check(&n, i, 1, 60);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

static const struct test tests[] = {
	TEST(idle_in_every_state), TEST_ONCE(idle_without_answer), TEST(busyloop_faults),
	TEST(call_swapped_under_load), TEST(call_unbound_under_load),
	TEST(call_while_unbound), TEST(old_call_is_silent),
	TEST(kick_swapped_under_load), TEST(kick_unbound),
	TEST(kick_is_not_consumed),
	TEST(busyloop), TEST(busyloop_yields),
	TEST_ONCE(busyloop_lets_tracers_go),
	TEST(counters), TEST(info_file),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
