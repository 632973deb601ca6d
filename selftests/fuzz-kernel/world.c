// SPDX-License-Identifier: GPL-2.0
/*
 * What inputs act upon. Devices, guest memory and eventfds are as new for each
 * input. What is behind the devices is the target's, made once and put right
 * again.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

/* What a worker may take to get through its work, if nobody gives it more. */
#define IDLE_MS		20000
/* How long to look at one that may be busy for ever: it polls, or is fed. */
#define BUSY_MS		5

struct world world;
__u8 *mem;

static int memfd, emptyfd;

/* ---- guest memory ------------------------------------------------------------ */

static void map_pages(unsigned int first, unsigned int n, int fd, int prot)
{
	void *at = (void *)(uintptr_t)(MEM_HVA + first * PAGE);

	if (mmap(at, n * PAGE, prot, MAP_SHARED | MAP_FIXED, fd,
		 fd == emptyfd ? 0 : first * PAGE) == MAP_FAILED)
		cover_result(900, errno);
}

/* Takes a page away from the device, or gives it back. */
void page_change(unsigned int page, __u8 how)
{
	void *at;

	page %= MEM_PAGES;
	world.mem_touched = true;
	at = (void *)(uintptr_t)(MEM_HVA + page * PAGE);
	switch (how % 5) {
	case 0:
		map_pages(page, 1, memfd, PROT_READ);
		break;
	case 1:
		map_pages(page, 1, memfd, PROT_NONE);
		break;
	case 2:
		munmap(at, PAGE);
		break;
	case 3:
		map_pages(page, 1, memfd, PROT_READ | PROT_WRITE);
		break;
	case 4:
		/* Mapped, but the file ends before it. */
		map_pages(page, 1, emptyfd, PROT_READ | PROT_WRITE);
		break;
	}
}

static int mem_init(void)
{
	memfd = memfd_create("guest", MFD_CLOEXEC);
	emptyfd = memfd_create("empty", MFD_CLOEXEC);
	if (memfd < 0 || emptyfd < 0 || ftruncate(memfd, MEM_SIZE))
		return -errno;
	mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	return mem == MAP_FAILED ? -errno : 0;
}

/* ---- devices ------------------------------------------------------------------------- */

void dev_open(unsigned int i, __u8 node)
{
	struct dev *d = &world.dev[i];
	unsigned int q;

	node %= target.nodes;
	if (d->fd >= 0 && d->node == node)
		return;
	dev_close(i);
	memset(d, 0, sizeof(*d));
	d->node = node;
	target.open(d, node);
	if (d->fd < 0)
		cover_result(920, errno);
	for (q = 0; q < NR_VQS; q++)
		d->vq[q].base = (i * NR_VQS + q) * RING_PAGES * PAGE;
}

void dev_close(unsigned int i)
{
	if (world.dev[i].fd >= 0)
		close(world.dev[i].fd);
	world.dev[i].fd = -1;
}

/* State of a thread as /proc has it: S when it sleeps and waits for work. */
static char thread_state(int tid)
{
	char path[48], buf[256], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 'X';
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = 0;
	p = strrchr(buf, ')');
	return p ? p[2] : 'X';
}

static int worker_tid(struct dev *d, unsigned int q)
{
	struct vhost_ext_worker_info info = {};
	struct vhost_vring_worker w = { .index = q };

	if (ioctl(d->fd, VHOST_GET_VRING_WORKER, &w))
		return -errno;
	info.worker_id = w.worker_id;
	return ioctl(d->fd, VHOST_EXT_GET_WORKER_INFO, &info) ? -errno : info.tid;
}

/*
 * A kick has made its worker runnable when the write returns, and a worker goes
 * to sleep only when its list is empty: one that sleeps has done all there was.
 */
static void wait_idle(struct dev *d, unsigned int q)
{
	bool endless = world.polls || world.helper;
	long long end = now_ms() + (endless ? BUSY_MS : IDLE_MS);
	int tid = worker_tid(d, q);

	if (tid == -ENOTTY || tid == -ENOBUFS)
		poll(NULL, 0, 2);	/* not our modules: they do not tell */
	if (tid <= 0)
		return;
	while (thread_state(tid) != 'S') {
		if (now_ms() < end) {
			sched_yield();
			continue;
		}
		if (!endless)
			finding("worker %d of queue %u is never idle (state %c)", tid, q,
				thread_state(tid));
		return;
	}
}

void dev_wait(struct dev *d)
{
	unsigned int q;

	if (d->fd < 0)
		return;
	for (q = 0; q < NR_VQS; q++)
		wait_idle(d, q);
	target.waited(d);
	for (q = 0; q < NR_VQS; q++) {
		if (d->vq[q].kicked)
			d->vq[q].in_flight = 0;
	}
}

/* Nobody knows any more what the devices should do. */
void world_dirty(void)
{
	unsigned int i;

	for (i = 0; i < NR_DEVS; i++)
		world.dev[i].clean = false;
}

void file_read(const char *dir, const char *name)
{
	char path[640], buf[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

void stats_read(void)
{
	struct dirent *e;
	DIR *dir = opendir("/sys/kernel/debug/vhost");

	if (!dir)
		return;
	target.stats();
	while ((e = readdir(dir))) {
		static const char *const files[] = { "info", "vq0", "vq1" };
		unsigned int i;
		char path[320];

		snprintf(path, sizeof(path), "/sys/kernel/debug/vhost/%s", e->d_name);
		for (i = 0; e->d_name[0] != '.' && i < ARRAY_SIZE(files); i++)
			file_read(path, files[i]);
	}
	closedir(dir);
}

/* ---- all of it ------------------------------------------------------------------------- */

int world_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < NR_DEVS; i++)
		world.dev[i].fd = -1;
	for (i = 0; i < NR_EVTS; i++) {
		world.evt[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (world.evt[i] < 0)
			return -errno;
	}
	err = mem_init();
	if (!err)
		err = call_init();
	return err ? err : target.init();
}

void world_begin(void)
{
	memset(mem, 0, MEM_SIZE);
	map_pages(0, MEM_PAGES, memfd, PROT_READ | PROT_WRITE);
	world.polls = false;
	world.mem_touched = false;
	dev_open(0, 0);
}

void world_end(void)
{
	unsigned int i;
	__u64 n;

	helper_stop();
	for (i = 0; i < NR_DEVS; i++)
		dev_close(i);
	cover_fold();
	for (i = 0; i < NR_EVTS; i++) {
		while (read(world.evt[i], &n, sizeof(n)) == sizeof(n))
			;
	}
	target.end();
	world.touched = false;
}
