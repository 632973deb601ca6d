// SPDX-License-Identifier: GPL-2.0
/*
 * What inputs act upon. Devices, guest memory and eventfds are as new for each
 * input; network devices are made once, since that takes long, and are emptied
 * and put right again.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "fuzz.h"
#include "netdev.h"

/* What a worker may take to get through its work, if nobody gives it more. */
#define IDLE_MS		20000
/* How long to look at one that may be busy for ever: it polls, or is fed. */
#define BUSY_MS		5

struct world world;
__u8 *mem;

static int memfd, emptyfd;
static int xdp_prog = -1, xdp_link = -1;

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

/* ---- network devices ------------------------------------------------------------ */

static int bare_tap(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	strcpy(ifr.ifr_name, name);
	return ioctl(fd, TUNSETIFF, &ifr) ? -errno : fd;
}

static int inject_open(const char *name, bool header)
{
	int fd = packet_open(name, SOCK_RAW, 0), one = 1;

	if (fd >= 0 && header &&
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)))
		return -errno;
	return fd;
}

static int small_packet(const char *name)
{
	int fd = packet_open(name, SOCK_RAW, ETH_P_ALL), size = 1;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static int net_init(void)
{
	struct world *w = &world;
	unsigned int i;
	int err;

	err = net_private();
	if (err)
		return err;
	strcpy(w->name[B_TAP], "fz0");
	strcpy(w->name[B_TAP_BARE], "fz1");
	/* Of many queues, as one of these can be detached. */
	w->backend[B_TAP] = tap_open(w->name[B_TAP], IFF_MULTI_QUEUE);
	w->backend[B_TAP_BARE] = bare_tap("fz1");
	if (w->backend[B_TAP] < 0 || w->backend[B_TAP_BARE] < 0)
		return -ENODEV;
	tap_hdr_len(w->backend[B_TAP], 12);
	netdev_up("fz0");
	netdev_up("fz1");
	w->backend[B_PACKET] = packet_open("fz0", SOCK_RAW, ETH_P_ALL);
	w->backend[B_PACKET_SMALL] = small_packet("fz1");
	w->backend[B_MACVTAP] = macvtap_open("fz1", "fzm");
	if (w->backend[B_MACVTAP] >= 0)
		netdev_up("fzm");
	if (!netdev_run("ip link add link fz0 name fzv type vlan id 5 2>/dev/null"))
		netdev_up("fzv");
	w->inject[I_PLAIN] = inject_open("fz0", false);
	w->inject[I_VNET_HDR] = inject_open("fz0", true);
	w->inject[I_VLAN] = inject_open("fzv", false);
	w->inject[I_BARE] = inject_open("fz1", false);
	for (i = 0; i < NR_BACKENDS; i++) {
		if (w->backend[i] < 0)
			fprintf(stderr, "fuzz: no backend %u: %s\n", i, strerror(-w->backend[i]));
		else
			fcntl(w->backend[i], F_SETFL, O_RDWR | O_NONBLOCK);
	}
	xdp_prog = xdp_prog_redirect(netdev_index("fz0"));
	return 0;
}

/* What was sent to the host and nobody read. */
void recv_all(void)
{
	char buf[2048];
	unsigned int i, n;

	for (i = 0; i < NR_BACKENDS; i++) {
		for (n = 0; n < 10000 && read(world.backend[i], buf, sizeof(buf)) > 0; n++)
			;
	}
}

void send_packet(__u8 kind, __u16 len)
{
	static const __u8 broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static __u8 buf[65536 + 64];
	unsigned int how = kind % NR_INJECT, off = 0;
	struct virtio_net_hdr hdr = {};

	if (how == I_VNET_HDR) {
		if (kind & 0x10) {
			hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
			hdr.csum_start = 34;
			hdr.csum_offset = 16;
			hdr.hdr_len = 54;
		}
		if (kind & 0x20) {
			hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
			hdr.gso_size = 1000;
		}
		memcpy(buf, &hdr, sizeof(hdr));
		off = sizeof(hdr);
	}
	if (len < 14)
		len = 14;
	memset(buf + off, kind, len);
	memcpy(buf + off, broadcast, 6);
	memcpy(buf + off + 6, "\x02\0\0\0\0\1\x88\xb5", 8);
	if (hdr.gso_type || hdr.flags) {
		/* IPv4 and TCP, as far as anybody looks. */
		memcpy(buf + off + 12, "\x08\0\x45\0", 4);
		buf[off + 16] = (len - 14) >> 8;
		buf[off + 17] = len - 14;
		buf[off + 23] = 6;
		buf[off + 46] = 0x50;
	}
	if (send(world.inject[how], buf, off + len, MSG_DONTWAIT) < 0)
		cover_result(901 + how, errno);
}

static void set_queue(int flag)
{
	struct ifreq ifr = { .ifr_flags = flag };

	if (ioctl(world.backend[B_TAP], TUNSETQUEUE, &ifr))
		cover_result(910, errno);
}

void tap_change(unsigned int which, __u8 what, __u16 value)
{
	int fd = world.backend[which % 2], size = value;
	const char *name = world.name[which % 2];

	world.tap_touched = true;
	switch (what % 10) {
	case 0:
		netdev_up(name);
		break;
	case 1:
		netdev_down(name);
		break;
	case 2:
		tap_hdr_len(fd, value % 32);
		break;
	case 3:
		ioctl(fd, TUNSETSNDBUF, &size);
		break;
	case 4:
		tap_offload(fd, value);
		break;
	case 5:
		netdev_mtu(name, value);
		break;
	case 6:
		size = value & 1;
		ioctl(fd, TUNSETCARRIER, &size);
		break;
	case 7:
		netdev_txqueuelen(name, value % 1024);
		break;
	case 8:
		set_queue(IFF_DETACH_QUEUE);
		break;
	case 9:
		set_queue(IFF_ATTACH_QUEUE);
		break;
	}
}

static void tap_mend(void)
{
	int size = INT_MAX, one = 1;
	unsigned int i;

	set_queue(IFF_ATTACH_QUEUE);
	for (i = 0; i < 2; i++) {
		int fd = world.backend[i];

		tap_hdr_len(fd, i == B_TAP ? 12 : 10);
		ioctl(fd, TUNSETSNDBUF, &size);
		tap_offload(fd, 0);
		ioctl(fd, TUNSETCARRIER, &one);
		netdev_mtu(world.name[i], 1500);
		netdev_txqueuelen(world.name[i], 1000);
		netdev_up(world.name[i]);
	}
	world.tap_touched = false;
}

/* What a device sends to the second tap goes to the first as XDP frames. */
void tap_xdp(bool on)
{
	if (xdp_link >= 0)
		close(xdp_link);
	xdp_link = -1;
	if (on)
		xdp_link = xdp_attach(netdev_index("fz1"), xdp_prog);
}

/* ---- devices ------------------------------------------------------------------------- */

void dev_open(unsigned int i)
{
	struct dev *d = &world.dev[i];
	unsigned int q;

	if (d->fd >= 0)
		return;
	memset(d, 0, sizeof(*d));
	d->fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
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
	struct vq *tx = &d->vq[VQ_TX];
	unsigned int q;

	if (d->fd < 0)
		return;
	for (q = 0; q < NR_VQS; q++)
		wait_idle(d, q);
	if (d->clean && tx->kicked && !ring_done(d, VQ_TX))
		finding("the queue stopped with chains in the ring: slot %u, available %u",
			tx->last, tx->avail);
	if (tx->kicked)
		tx->in_flight = 0;
}

/* Nobody knows any more what the devices should do. */
void world_dirty(void)
{
	unsigned int i;

	for (i = 0; i < NR_DEVS; i++)
		world.dev[i].clean = false;
}

void stats_read(void)
{
	static char buf[4096];
	struct dirent *e;
	DIR *dir = opendir("/sys/kernel/debug/vhost");

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		static const char *const files[] = { "info", "vq0", "vq1" };
		unsigned int i;

		for (i = 0; e->d_name[0] != '.' && i < ARRAY_SIZE(files); i++) {
			char path[400];
			int fd;

			snprintf(path, sizeof(path), "/sys/kernel/debug/vhost/%s/%s",
				 e->d_name, files[i]);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			while (read(fd, buf, sizeof(buf)) > 0)
				;
			close(fd);
		}
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
	return err ? err : net_init();
}

void world_begin(void)
{
	memset(mem, 0, MEM_SIZE);
	map_pages(0, MEM_PAGES, memfd, PROT_READ | PROT_WRITE);
	world.polls = false;
	dev_open(0);
}

void world_end(void)
{
	unsigned int i;
	__u64 n;

	helper_stop();
	for (i = 0; i < NR_DEVS; i++)
		dev_close(i);
	cover_fold();
	if (xdp_link >= 0)
		tap_xdp(false);
	for (i = 0; i < NR_EVTS; i++) {
		while (read(world.evt[i], &n, sizeof(n)) == sizeof(n))
			;
	}
	if (world.tap_touched)
		tap_mend();
	recv_all();
}
