// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations of vhost_blk and of the vdpa dialect fail: lib/faults.h.
 *
 * Where the worker's fail, and those of the thread that waits in its place, a
 * request is done after all, or has an error; a queue goes on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "blk.h"
#include "faults.h"

/* The disk that all of them open. */
static struct vblk made;
static char path[64];
/* What a call is given. */
static int file, event;

/* ---- states, and what shows that they are whole ------------------------------------------- */

static void nothing(void)
{
	snprintf(d.name, sizeof(d.name), "t%d", getpid());
	file = open(made.backing, O_RDONLY | O_CLOEXEC);
	EXPECT(file >= 0);
}

static void closed(void)
{
	d = made;
}

static void opened(void)
{
	d = made;
	OK(vmm_open(&d.vmm, path, 1 << 20));
}

static void owned(void)
{
	opened();
	OK(vmm_set_owner(&d.vmm));
	event = evt_new();
}

/* As far as FEATURES_OK. */
static void agreed(void)
{
	d = made;
	vblk_open(&d, BIT_ULL(VIRTIO_F_VERSION_1));
}

static void unmapped(void)
{
	agreed();
	OK(vmm_iotlb_invalidate(&d.vmm, d.vmm.region[0].gpa + d.vmm.translate,
				d.vmm.region[0].size));
}

static void running(void)
{
	agreed();
	vblk_start(&d);
}

static void suspended(void)
{
	running();
	OK(vmm_ioctl(&d.vmm, VHOST_VDPA_SUSPEND, NULL));
}

static void requests(void)
{
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_OUT, 8, 4096)), 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_IN, 0, 512)), 0);
	EXPECT_EQ(vblk_do(&d, vblk_req(&d, VIRTIO_BLK_T_FLUSH, 0, 0)), 0);
}

/* The name is free again, or the disk is there. */
static void can_add(void)
{
	int err = vblk_del(d.name), fd = open(made.backing, O_RDONLY | O_CLOEXEC);

	if (err != -ENOENT)
		OK(err);
	OK(vblk_add(d.name, fd, 1, VHOST_BLK_F_RDONLY));
	OK(vblk_del(d.name));
	close(fd);
}

static void can_open(void)
{
	if (d.vmm.fd >= 0)
		vmm_close(&d.vmm);
	running();
	requests();
}

/* The map is there, or is made now. */
static void can_map(void)
{
	int err = vmm_iotlb_map_all(&d.vmm);

	if (err != -EEXIST)
		OK(err);
	vblk_start(&d);
	requests();
}

/* From a reset on, whatever came of the call. */
static void can_start(void)
{
	unsigned int i;

	OK(vblk_status(&d, 0));
	OK(vblk_status(&d, 3));
	OK(vmm_set_features(&d.vmm, d.features));
	OK(vblk_status(&d, 11));
	for (i = 0; i < d.queues; i++)
		gring_reset(&d.ring[i], 0);
	vblk_start(&d);
	requests();
}

/* ---- calls -------------------------------------------------------------------------------- */

static int do_add(void)
{
	return vblk_add(d.name, file, 4, VHOST_BLK_F_RDONLY);
}

static int do_open(void)
{
	return vmm_open(&d.vmm, path, 0);
}

static int do_close(void)
{
	int fd = d.vmm.fd;

	d.vmm.fd = -1;
	return close(fd) ? -errno : 0;
}

static int do_owner(void)
{
	return vmm_set_owner(&d.vmm);
}

static int do_map(void)
{
	return vmm_iotlb_map_all(&d.vmm);
}

static int do_driver_ok(void)
{
	return vblk_status(&d, 15);
}

static int do_reset(void)
{
	return vblk_status(&d, 0);
}

static int do_suspend(void)
{
	return vmm_ioctl(&d.vmm, VHOST_VDPA_SUSPEND, NULL);
}

static int do_resume(void)
{
	return vmm_ioctl(&d.vmm, VHOST_VDPA_RESUME, NULL);
}

static int do_disable(void)
{
	return vblk_enable(&d, 0, 0);
}

static int do_config_call(void)
{
	return vmm_ioctl(&d.vmm, VHOST_VDPA_SET_CONFIG_CALL, &event);
}

/* All is set up but the last step. */
static void ready(void)
{
	running();
	OK(vblk_status(&d, 0));
	OK(vblk_status(&d, 3));
	OK(vmm_set_features(&d.vmm, d.features));
	OK(vblk_status(&d, 11));
	gring_reset(&d.ring[0], 0);
	OK(gring_attach(&d.ring[0], &d.vmm, 0));
	OK(vblk_enable(&d, 0, 1));
}

static void run_cases(const struct fault_case *c, unsigned int nr)
{
	faults_need();
	vblk_make(&made, NULL, 1, VHOST_BLK_F_BUFFERED);
	snprintf(path, sizeof(path), "/dev/vhost-blk/%s", made.name);
	faults_run(c, nr);
}

static void disks(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(open, closed, can_open, ENOMEM, ENFILE),
		FAULT_CASE(close, running, can_open, 0),
		FAULT_CASE(owner, opened, can_open, ENOMEM, EINTR),
	};

	run_cases(cases, N(cases));
}

/* Of a read-only file there may be several disks. */
static void control(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(add, nothing, can_add, ENOMEM, ENFILE),
	};
	char name[] = "/tmp/faults-XXXXXX";
	int fd = mkstemp(name);

	faults_need();
	EXPECT_EQ(ftruncate(fd, 1 << 20), 0);
	close(fd);
	snprintf(made.backing, sizeof(made.backing), "%s", name);
	faults_run(cases, N(cases));
	unlink(name);
}

static void dialect(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(map, unmapped, can_map, ENOMEM),
		FAULT_CASE(driver_ok, ready, can_start, ENOMEM),
		FAULT_CASE(reset, running, can_start, 0),
		FAULT_CASE(suspend, running, can_start, 0),
		FAULT_CASE(resume, suspended, can_start, ENOMEM),
		FAULT_CASE(disable, running, can_start, 0),
		FAULT_CASE(config_call, owned, can_open, ENOMEM),
	};

	run_cases(cases, N(cases));
}

/* ---- requests ------------------------------------------------------------------------------- */

static int worker_tid(void)
{
	struct vhost_ext_worker_info info;
	unsigned int id;

	OK(vmm_get_worker(&d.vmm, 0, &id));
	OK(vmm_worker_info(&d.vmm, id, &info));
	return info.tid;
}

/* Some requests of each kind; those that fail were hit. Returns whether one was. */
static bool row(int fd)
{
	static const struct { __u32 type, len; } what[] = {
		{ VIRTIO_BLK_T_OUT, 4096 }, { VIRTIO_BLK_T_IN, 4096 }, { VIRTIO_BLK_T_OUT, 1 << 20 },
		{ VIRTIO_BLK_T_IN, 1 << 20 }, { VIRTIO_BLK_T_GET_ID, 20 }, { VIRTIO_BLK_T_FLUSH, 0 },
	};
	struct vreq *r[N(what)];
	unsigned int i, failed = 0;
	bool hit;

	for (i = 0; i < N(what); i++)
		r[i] = vblk_req(&d, what[i].type, 4096 * i, what[i].len);
	/* Not aligned as a block device wants it: by way of a copy. */
	r[1]->data += 4;
	r[1]->len -= 512;
	faults_set(fd, fault_nth);
	for (i = 0; i < N(what); i++) {
		vblk_submit(&d, 0, r[i]);
		/* A fault in place of a copy of the guest's memory is the guest's. */
		if (!test_until(gring_pending(&d.ring[0]) ||
				vblk_get_status(&d) & VIRTIO_CONFIG_S_NEEDS_RESET, 20000))
			test_fail("fault %u: request %u is not answered", fault_nth, i);
		if (!gring_pending(&d.ring[0])) {
			EXPECT_EQ(access("/sys/kernel/debug/fail_usercopy", F_OK), 0);
			EXPECT_EQ(rejected("data_fault") + rejected("ring_fault"), 1);
			break;
		}
		failed += vblk_wait(&d, 0, r[i]) != VIRTIO_BLK_S_OK;
	}
	hit = !faults_left(fd);
	faults_set(fd, 0);
	if (failed > 1 || (failed && !hit))
		test_fail("fault %u: %u requests failed", fault_nth, failed);
	return hit;
}

static void data_path(const char *backing, unsigned int flags)
{
	faults_need();
	vblk_make(&made, backing, 1, flags);
	snprintf(path, sizeof(path), "/dev/vhost-blk/%s", made.name);
	for (fault_nth = 1; fault_nth < FAULTS_MAX; fault_nth = fault_next(fault_nth)) {
		bool hit;
		int fd;

		running();
		fd = faults_open(worker_tid());
		hit = row(fd);
		close(fd);
		can_start();
		vmm_close(&d.vmm);
		gring_free(&d.ring[0]);
		if (!hit)
			break;
	}
	EXPECT(fault_nth < FAULTS_MAX);
	printf("# %u faults\n", fault_nth - 1);
	fflush(stdout);
}

static void file_requests(void) { data_path(NULL, 0); }
static void bdev_requests(void) { data_path("/dev/ram0", 0); }

static const struct test tests[] = {
	TEST_ONCE(control), TEST_ONCE(disks), TEST_ONCE(dialect),
	TEST_ONCE(file_requests), TEST_ONCE(bdev_requests),
};

int main(int argc, char **argv)
{
	test_seconds = 300;
	return blk_main(tests, N(tests), argc, argv);
}
