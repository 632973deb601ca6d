// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations of vhost_vsock fail: lib/faults.h. In calls and in the sockets of the
 * host, and in the worker: what a guest sends is taken then when there is memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "faults.h"
#include "vsock.h"

static struct vconn c;
static int fd;

static __u64 own_cid(void)
{
	return 1000000ULL + getpid();
}

/* ---- states, and what shows that they are whole ------------------------------------------- */

static void closed(void)
{
	memset(&v, 0, sizeof(v));
	v.vmm.fd = -1;
}

static void opened(void)
{
	vvsock_open(&v, NULL);
}

static void named(void)
{
	opened();
	v.cid = own_cid();
	OK(vvsock_set_cid(&v, v.cid));
}

static void running(void)
{
	vvsock_up(&v, NULL);
}

static void connected(void)
{
	running();
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
}

static void talk(void)
{
	OK(hsock_write(fd, "x", 1));
	/* Behind what else was sent, maybe in one packet with it: none of that ends so. */
	do
		vvsock_next(&v, &p);
	while (p.hdr.op != VIRTIO_VSOCK_OP_RW || p.hdr.dst_port != c.port ||
	       !p.len || p.data[p.len - 1] != 'x');
}

/* A new connection, whatever is still there of others. */
static void can_connect(void)
{
	fd = hsock_pair(&v, &c, SOCK_STREAM, PORT + 1);
	talk();
}

static void can_open(void)
{
	if (v.vmm.fd >= 0)
		vmm_close(&v.vmm);
	running();
	can_connect();
}

static void can_run(void)
{
	v.cid = own_cid();
	OK(vvsock_set_cid(&v, v.cid));
	OK(vvsock_run(&v, 1));
	can_connect();
}

static void can_alloc(void)
{
	OK(vvsock_alloc_cid(&v, &v.cid));
	OK(vvsock_run(&v, 1));
	can_connect();
}

/* ---- calls -------------------------------------------------------------------------------- */

static int do_open(void)
{
	return vmm_open(&v.vmm, "/dev/vhost-vsock", 0);
}

static int do_close(void)
{
	int node = v.vmm.fd;

	v.vmm.fd = -1;
	return close(node) ? -errno : 0;
}

static int do_set_cid(void)
{
	return vvsock_set_cid(&v, own_cid());
}

static int do_change_cid(void)
{
	return vvsock_set_cid(&v, own_cid() + 1000000);
}

static int do_alloc_cid(void)
{
	__u64 cid;

	return vvsock_alloc_cid(&v, &cid);
}

static int do_run(void)
{
	return vvsock_run(&v, 1);
}

static int do_set_group(void)
{
	return vvsock_set_group(&v, v.cid, 7);
}

static int do_connect(void)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = v.cid, .svm_port = PORT,
	};
	int s = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (s < 0)
		return -errno;
	return connect(s, (struct sockaddr *)&a, sizeof(a)) && errno != EINPROGRESS ? -errno : 0;
}

static int send_some(unsigned int len)
{
	static char buf[64 * KIB];

	return send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int do_send_small(void)
{
	return send_some(64);
}

static int do_send_large(void)
{
	return send_some(64 * KIB);
}

static int do_shutdown(void)
{
	return shutdown(fd, SHUT_RDWR) ? -errno : 0;
}

static void run_cases(const struct fault_case *cases, unsigned int nr)
{
	faults_need();
	faults_run(cases, nr);
}

static void device(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(open, closed, can_open, ENOMEM),
		FAULT_CASE(close, connected, can_open, 0),
		FAULT_CASE(set_cid, opened, can_run, ENOMEM),
		FAULT_CASE(change_cid, named, can_run, ENOMEM),
		FAULT_CASE(alloc_cid, opened, can_alloc, ENOMEM),
		FAULT_CASE(run, named, can_run, ENOMEM),
		FAULT_CASE(set_group, running, can_connect, ENOMEM),
	};

	run_cases(cases, N(cases));
}

static void sockets(void)
{
	static const struct fault_case cases[] = {
		FAULT_CASE(connect, running, can_connect, ENOMEM, ENOBUFS, ENFILE),
		FAULT_CASE(send_small, connected, talk, ENOMEM, ENOBUFS),
		FAULT_CASE(send_large, connected, talk, ENOMEM, ENOBUFS),
		FAULT_CASE(shutdown, connected, can_connect, ENOMEM),
	};

	run_cases(cases, N(cases));
}

/* ---- the worker ----------------------------------------------------------------------------- */

static int worker_tid(void)
{
	struct vhost_ext_worker_info info;
	unsigned int id;

	OK(vmm_get_worker(&v.vmm, VSOCK_TX, &id));
	OK(vmm_worker_info(&v.vmm, id, &info));
	return info.tid;
}

static bool is_broken(void)
{
	char state[32];

	OK(vmm_stat(&v.vmm, VSOCK_TX, "state", state, sizeof(state)));
	if (strcmp(state, "broken"))
		return false;
	if (access("/sys/kernel/debug/fail_usercopy", F_OK) ||
	    tx_count("data_fault") + tx_count("ring_fault") != 1)
		test_fail("fault %u: the queue is broken", fault_nth);
	return true;
}

/* Bytes of a guest arrive all the same. */
static void guest_sends(unsigned int piece)
{
	static char buf[16 * KIB], got[16 * KIB];
	const unsigned int packets = sizeof(buf) / piece;
	unsigned int i;

	faults_need();
	for (fault_nth = 1; fault_nth < FAULTS_MAX; fault_nth = fault_next(fault_nth)) {
		bool broken, hit;
		long long before;
		int fault;

		vvsock_up(&v, &(struct vvsock_conf){ .num = 256 });
		fd = hsock_pair(&v, &c, SOCK_STREAM, PORT);
		before = tx_count("packets");
		fill(buf, sizeof(buf), fault_nth);
		fault = faults_open(worker_tid());
		faults_set(fault, fault_nth);
		for (i = 0; i < packets; i++)
			vconn_put(&c, VIRTIO_VSOCK_OP_RW, 0, buf + i * piece, piece);
		EXPECT(test_until(tx_count("packets") == before + packets || is_broken(),
				  VSOCK_WAIT_MS));
		broken = is_broken();
		hit = !faults_left(fault);
		faults_set(fault, 0);
		close(fault);
		if (!broken) {
			OK(hsock_read(fd, got, sizeof(got)));
			EXPECT(!memcmp(buf, got, sizeof(got)));
			talk();
		}
		close(fd);
		vvsock_close(&v);
		for (i = 0; i < 2; i++)
			memset(&v.ring[i], 0, sizeof(v.ring[i]));
		if (!hit)
			break;
	}
	EXPECT(fault_nth < FAULTS_MAX);
	printf("# %u bytes: %u faults\n", piece, fault_nth - 1);
	fflush(stdout);
}

static void guest_sends_small(void) { guest_sends(512); }
static void guest_sends_large(void) { guest_sends(4 * KIB); }

static const struct test tests[] = {
	TEST_ONCE(device), TEST_ONCE(sockets), TEST_ONCE(guest_sends_small),
	TEST_ONCE(guest_sends_large),
};

int main(int argc, char **argv)
{
	test_seconds = 300;
	return test_main(tests, N(tests), argc, argv);
}
