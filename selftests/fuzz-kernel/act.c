// SPDX-License-Identifier: GPL-2.0
/* From bytes to actions, one after the other. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define ACTIONS_MAX	80

__u8 in_byte(struct in *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

__u16 in_word(struct in *in)
{
	__u16 lo = in_byte(in);

	return lo | in_byte(in) << 8;
}

__u32 in_dword(struct in *in)
{
	__u32 lo = in_word(in);

	return lo | (__u32)in_word(in) << 16;
}

/* ---- the second thread ----------------------------------------------------------- */

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	enum { IDLE, BUSY } state;
	bool stop;
	enum help what;
	struct dev dev;
	__u8 a;
	__u16 b;
} helper = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.cond = PTHREAD_COND_INITIALIZER,
};

static bool helped_enough(void)
{
	return __atomic_load_n(&helper.stop, __ATOMIC_SEQ_CST);
}

static void help(void)
{
	static const __u8 none[8];
	unsigned int n = 0;
	char buf[64];

	while (!helped_enough()) {
		struct in in = { none, 0 };
		__u32 off = (helper.b * 2u + n / 16 * 2) % (MEM_SIZE - 2);
		__u16 val = helper.a + n;
		__u64 one = 1;

		switch (helper.what) {
		case H_SCRIBBLE:
			memcpy(mem + off, &val, sizeof(val));
			break;
		case H_READ:
			if (read(helper.dev.fd, buf, sizeof(buf)) < 0 && errno != EINTR)
				return;
			break;
		case H_IOCTL:
			in = (struct in){ (void *)&helper.b, sizeof(helper.b) };
			call(&helper.dev, n & 1, helper.a, 0, &in);
			break;
		case H_KICK:
			if (write(world.evt[helper.a % (NR_DEVS * NR_VQS)], &one, sizeof(one)) < 0)
				return;
			break;
		case H_SEND:
			target.help(helper.a, helper.b);
			break;
		default:
			return;
		}
		n++;
	}
}

static void *helper_main(void *unused)
{
	(void)unused;
	cover_thread(1);
	pthread_mutex_lock(&helper.lock);
	for (;;) {
		while (helper.state == IDLE)
			pthread_cond_wait(&helper.cond, &helper.lock);
		pthread_mutex_unlock(&helper.lock);
		help();
		pthread_mutex_lock(&helper.lock);
		helper.state = IDLE;
		pthread_cond_broadcast(&helper.cond);
	}
	return NULL;
}

/* Its only purpose is to end a read(). */
static void on_signal(int sig)
{
	(void)sig;
}

static void helper_make(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set;

	sigaction(SIGRTMIN, &sa, NULL);
	sigfillset(&set);
	sigdelset(&set, SIGRTMIN);
	/* The thread inherits the mask; the engine gets its signals itself. */
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	if (pthread_create(&helper.thread, NULL, helper_main, NULL))
		abort();
	sigemptyset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

void helper_start(enum help what, struct dev *d, __u8 a, __u16 b)
{
	helper_stop();
	if (!helper.thread)
		helper_make();
	pthread_mutex_lock(&helper.lock);
	helper.what = what;
	helper.dev = *d;
	helper.a = a;
	helper.b = b;
	helper.stop = false;
	helper.state = BUSY;
	pthread_cond_broadcast(&helper.cond);
	pthread_mutex_unlock(&helper.lock);
	world.helper = true;
}

void helper_stop(void)
{
	struct timespec t;

	if (!world.helper)
		return;
	world.helper = false;
	__atomic_store_n(&helper.stop, true, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&helper.lock);
	while (helper.state == BUSY) {
		/* Again and again: it may come just before the read(). */
		pthread_kill(helper.thread, SIGRTMIN);
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += 1000000;
		if (t.tv_nsec >= 1000000000) {
			t.tv_nsec -= 1000000000;
			t.tv_sec++;
		}
		pthread_cond_timedwait(&helper.cond, &helper.lock, &t);
	}
	pthread_mutex_unlock(&helper.lock);
}

/* ---- actions ----------------------------------------------------------------------- */

/* A child has the device, makes a call on it, and may be the last who has it. */
static void do_fork(struct in *in)
{
	__u8 i = in_byte(in), which = in_byte(in);
	struct dev *d = &world.dev[i % NR_DEVS];
	int status;
	pid_t pid;

	world.touched |= target.lasting(which % target.calls);
	pid = fork();
	if (pid < 0)
		return;
	if (!pid) {
		struct in none = {};

		call(d, 0, which, 0, &none);
		_exit(0);
	}
	if (i & 0x80)
		dev_close(i % NR_DEVS);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

static void ring_write(struct vq *vq, struct in *in)
{
	__u8 part = in_byte(in) % 4;
	__u16 off = in_word(in) % (PAGE - 1), val = in_word(in);

	memcpy(mem + vq->base + part * PAGE + off, &val, sizeof(val));
}

static void desc_write(struct dev *d, struct vq *vq, struct in *in)
{
	__u8 i = in_byte(in), flags = in_byte(in), next = in_byte(in);
	__u16 len = in_word(in);
	__u8 addr = in_byte(in);
	struct vring_desc split = {
		.addr = guest_addr(d, addr * 1024),
		.len = flags & 0x40 ? 0xffff0000u + len : len,
		.flags = flags & 7,
		.next = next,
	};
	struct vring_packed_desc packed = {
		.addr = split.addr,
		.len = split.len,
		.id = next,
		.flags = (flags & 7) | (flags & 0x10) << 3 | (flags & 0x20) << 10,
	};

	/* The fourth page of a ring has indirect tables. */
	memcpy(mem + vq->base + (flags & 0x80 ? 3 * PAGE : 0) + i * 16,
	       vq->packed ? (void *)&packed : (void *)&split, 16);
}

/* The available index of a split ring, or the event words of either. */
static void idx_write(struct vq *vq, struct in *in)
{
	__u16 off = PAGE + 2, val = vq->avail + in_byte(in);
	__u8 where = in_byte(in);

	if (where & 1)
		off = vq->packed ? PAGE : PAGE + 4 + vq->num * 2;
	if (where & 2)
		off = vq->packed ? PAGE + 2 : PAGE;
	if (where & 4)
		val = where >> 3;
	memcpy(mem + vq->base + off, &val, sizeof(val));
}

static void do_event(struct in *in)
{
	int fd = world.evt[in_byte(in) % NR_EVTS];
	__u8 what = in_byte(in);
	__u64 n = what & 2 ? ~0ULL - 1 : 1;

	if (what & 1) {
		if (read(fd, &n, sizeof(n)) < 0)
			cover_result(400, errno);
	} else if (write(fd, &n, sizeof(n)) < 0) {
		cover_result(401, errno);
	}
}

/* Whether rings still have to do what they did before. */
static bool harmless(unsigned int action)
{
	switch (action) {
	case A_SETUP:
	case A_OPEN:
	case A_CHAIN:
	case A_CHAINS:
	case A_KICK:
	case A_WAIT:
	case A_READ:
	case A_STATS:
		return true;
	}
	return target.harmless(action);
}

static void act(struct in *in)
{
	unsigned int action = in_byte(in) % target.actions;
	__u8 sel = 0, b;
	struct dev *d;
	struct vq *vq;

	if (!harmless(action))
		world_dirty();
	/* Of most the first argument is a device and a queue. */
	if (action != A_EVENT && action != A_PACKETS && action != A_RECV &&
	    action != A_MEM_WRITE && action != A_FORK && action != A_VNET_HDR)
		sel = in_byte(in);
	d = &world.dev[sel >> 1 & 1];
	vq = &d->vq[sel & 1];
	switch (action) {
	case A_SETUP:
		dev_open(sel >> 1 & 1, sel >> 2);
		target.set_up(d, in);
		break;
	case A_IOCTL:
		b = in_byte(in);
		call(d, sel & 1, b, in_byte(in), in);
		break;
	case A_IOCTL_RAW:
		call_raw(d, in);
		break;
	case A_OPEN:
		dev_open(sel >> 1 & 1, sel >> 2);
		break;
	case A_CLOSE:
		dev_close(sel >> 1 & 1);
		break;
	case A_CHAIN:
		ring_chain(d, sel & 1, in_byte(in), in);
		break;
	case A_CHAINS:
		b = in_byte(in);
		ring_chains(d, sel & 1, b, in_byte(in));
		break;
	case A_KICK:
		ring_kick(d, sel & 1);
		break;
	case A_WAIT:
		dev_wait(d);
		break;
	case A_RING_WRITE:
		ring_write(vq, in);
		break;
	case A_MEM_WRITE: {
		__u32 off = in_word(in) * 4u % (MEM_SIZE - 4), val = in_dword(in);

		memcpy(mem + off, &val, sizeof(val));
		break;
	}
	case A_DESC:
		desc_write(d, vq, in);
		break;
	case A_IDX:
		idx_write(vq, in);
		break;
	case A_EVENT:
		do_event(in);
		break;
	case A_MSG:
		message(d, in);
		break;
	case A_ANSWER:
		answer(d, in_byte(in));
		break;
	case A_READ:
		read_message(d, in_byte(in));
		break;
	case A_PROTECT:
		page_change(sel, in_byte(in));
		break;
	case A_HELP:
		b = in_byte(in);
		helper_start(b % NR_HELP, d, sel >> 2, in_word(in));
		break;
	case A_HELP_END:
		helper_stop();
		break;
	case A_FORK:
		do_fork(in);
		break;
	case A_STATS:
		stats_read();
		break;
	default:
		target.act(action, d, sel & 1, sel, in);
		break;
	}
}

/* Failures are of interest in our calls; elsewhere the kernel complains of them. */
static bool may_fail(unsigned int action)
{
	switch (action) {
	case A_SETUP:
	case A_IOCTL:
	case A_IOCTL_RAW:
	case A_OPEN:
	case A_MSG:
		return true;
	}
	return target.may_fail && action == target.may_fail;
}

/*
 * The allocation that the next action's calls make as number @n fails, if the
 * kernel was built for that.
 */
static void fail_nth(__u8 n)
{
	static int fd = -2;
	char text[8];
	int len;

	if (fd == -2)
		fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	len = snprintf(text, sizeof(text), "%u", n);
	if (pwrite(fd, text, len, 0) != len)
		fd = -1;
}

void act_all(const __u8 *data, size_t size)
{
	struct in in = { data, size };
	unsigned int i;

	for (i = 0; i < ACTIONS_MAX && in.left; i++) {
		bool fails = false;

		if (*in.p % target.actions == A_FAIL && in.left > 2) {
			fails = may_fail(in.p[2] % target.actions);
			in_byte(&in);
			if (fails)
				fail_nth(1 + in_byte(&in) % 16);
			else
				in_byte(&in);
			world_dirty();
		}
		act(&in);
		if (fails)
			fail_nth(0);
		cover_fold();
	}
}
