// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM dies without a word, at some moment that nobody chose: in its set-up,
 * under traffic in both directions, inside each of its calls. Each time its
 * workers, its debugfs directory and its use of the module have to go, and the
 * tap that it shared with the next one has to work.
 *
 * Moments are random; when one is bad the test says from which TEST_SEED. The
 * same seed does not make the same moment, but the same choices.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define ROUNDS test_rounds(60)

/* The host's side, which outlives all VMMs, and the VMM's. */
static struct vnet host, n;
static unsigned int seed, rnd;
static bool stop;
/* A VMM that is ready to be killed says so here. */
static int ready[2];

static void *host_traffic(void *unused)
{
	static char out[60], in[2048];
	unsigned int i;

	(void)unused;
	frame_fill(out, sizeof(out), 0);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < 32; i++)
			(void)!send(host.sock, out, sizeof(out), MSG_DONTWAIT);
		while (recv(host.sock, in, sizeof(in), MSG_DONTWAIT) > 0)
			;
		test_pause();
	}
	return NULL;
}

static void guest_turn(void)
{
	static char buf[1 << 16];
	unsigned int i;

	for (i = 0; i < 16; i++)
		vnet_tx_add(&n, i, i & 1 ? 60 : 1514);
	gring_kick(&n.ring[VMM_TX]);
	vnet_rx_post(&n, 64);
	vnet_tx_reap(&n);
	while (gring_pending(&n.ring[VMM_RX]) &&
	       vnet_rx_recv(&n, buf, sizeof(buf), 0) > 0)
		;
}

static void *guest_traffic(void *unused)
{
	(void)unused;
	for (;;)
		guest_turn();
	return NULL;
}

static void start_guest(const struct vnet_conf *conf)
{
	struct vnet_conf c = *conf;
	pthread_t thread;

	c.tap_of = &host;
	c.mem = 4 << 20;
	vnet_start(&n, &c);
	EXPECT(!pthread_create(&thread, NULL, guest_traffic, NULL));
}

static void begin(void)
{
	seed = test_seed();
	rnd = seed;
	vnet_start_tap(&host);
	EXPECT(!pipe(ready));
}

/* Run a VMM until it is killed, at most @us after it says that it is ready. */
static void kill_one(void (*vm)(unsigned int arg), unsigned int arg,
		     unsigned int us, const char *what)
{
	struct timespec moment = { 0, test_random(&rnd, us) * 1000L };
	const char *left;
	int pid, status;
	char byte;

	pid = test_fork();
	if (!pid) {
		vm(arg);
		_exit(1);
	}
	EXPECT_EQ(read(ready[0], &byte, 1), 1);
	nanosleep(&moment, NULL);
	kill(pid, SIGKILL);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		test_fail("%s: ended by itself (TEST_SEED=%u)", what, seed);
	left = test_leftover(pid);
	if (left)
		test_fail("%s: %s (TEST_SEED=%u)", what, left, seed);
}

static void is_ready(void)
{
	if (write(ready[1], "r", 1) != 1)
		_exit(1);
}

/* What is left works for the next one. */
static void end(pthread_t *thread)
{
	if (thread) {
		__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
		pthread_join(*thread, NULL);
	}
	vnet_start(&n, &(struct vnet_conf){ .tap_of = &host });
	/* What waits in the tap comes first. */
	vnet_rx_flush(&n);
	while (vnet_host_recv(&n, NULL, 0) != -ETIMEDOUT)
		;
	vnet_tx_check(&n, 0, 100, 60);
	vnet_rx_check(&n, 0, 100, 60);
}

/* ---- set-up -------------------------------------------------------------------- */

static void set_up(unsigned int arg)
{
	(void)arg;
	is_ready();
	for (;;)
		storm_set_up(host.tapfd);
}

static void in_setup(void)
{
	unsigned int i;

	begin();
	for (i = 0; i < ROUNDS; i++)
		kill_one(set_up, 0, 40000, "in set-up");
	end(NULL);
}

/* ---- traffic -------------------------------------------------------------------- */

static void traffic(unsigned int several)
{
	unsigned int id;

	start_guest(&(struct vnet_conf){ 0 });
	if (several && test_ours()) {
		OK(vmm_new_worker(&n.vmm, &id));
		OK(vmm_attach_worker(&n.vmm, VMM_TX, id));
	}
	is_ready();
	pause();
}

static void in_traffic(void)
{
	pthread_t thread;
	unsigned int i;

	begin();
	EXPECT(!pthread_create(&thread, NULL, host_traffic, NULL));
	for (i = 0; i < ROUNDS; i++)
		kill_one(traffic, i & 1, 20000, "in traffic");
	end(&thread);
}

/* ---- calls ------------------------------------------------------------------------ */

/* One call again and again: that is where it is killed. */
static void one_call(unsigned int call)
{
	struct storm s;

	start_guest(&(struct vnet_conf){ 0 });
	storm_start(&s, &n, rnd);
	is_ready();
	for (;;)
		storm_call(&s, call);
}

static void in_each_call(void)
{
	unsigned int i, rounds = ROUNDS / storm_calls + 1;
	pthread_t thread;

	begin();
	EXPECT(!pthread_create(&thread, NULL, host_traffic, NULL));
	for (i = 0; i < storm_calls * rounds; i++)
		kill_one(one_call, i % storm_calls, 10000,
			 storm_name(i % storm_calls));
	end(&thread);
}

static void *second_storm(void *arg)
{
	struct storm s = *(struct storm *)arg;

	s.random++;
	for (;;)
		storm_call(&s, test_random(&s.random, storm_calls));
	return NULL;
}

/* All of them, from two threads, so that one waits for the other. */
static void any_call(unsigned int arg)
{
	pthread_t thread;
	struct storm s;

	(void)arg;
	start_guest(&(struct vnet_conf){ 0 });
	storm_start(&s, &n, rnd);
	s.several = true;
	EXPECT(!pthread_create(&thread, NULL, second_storm, &s));
	is_ready();
	for (;;)
		storm_call(&s, test_random(&s.random, storm_calls));
}

static void in_any_call(void)
{
	pthread_t thread;
	unsigned int i;

	begin();
	EXPECT(!pthread_create(&thread, NULL, host_traffic, NULL));
	for (i = 0; i < ROUNDS; i++)
		kill_one(any_call, 0, 40000, "in any call");
	end(&thread);
}

/* ---- IOTLB ------------------------------------------------------------------------- */

/* Questions are asked, read, and answered; answers are taken back. */
static void iotlb(unsigned int arg)
{
	(void)arg;
	start_guest(&(struct vnet_conf){ .iommu = true });
	is_ready();
	for (;;) {
		const struct vmm_region *r = &n.vmm.region[0];
		struct vhost_iotlb_msg msg;
		__u64 page;

		page = r->gpa + n.vmm.translate +
			4096ULL * test_random(&rnd, r->size / 4096);
		OK(vmm_iotlb_invalidate(&n.vmm, page, 4096));
		while (!vmm_iotlb_read(&n.vmm, &msg, 1)) {
			page = msg.iova & -4096ULL;
			OK(vmm_iotlb_update(&n.vmm, page, 4096,
					    r->hva + (page - n.vmm.translate - r->gpa),
					    VHOST_ACCESS_RW));
		}
	}
}

static void in_iotlb(void)
{
	pthread_t thread;
	unsigned int i;

	begin();
	EXPECT(!pthread_create(&thread, NULL, host_traffic, NULL));
	for (i = 0; i < ROUNDS / 2; i++)
		kill_one(iotlb, 0, 20000, "in the IOTLB's messages");
	end(&thread);
}

static const struct test tests[] = {
	TEST_ONCE(in_setup), TEST(in_traffic), TEST_ONCE(in_each_call),
	TEST(in_any_call), TEST_ONCE(in_iotlb),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
