// SPDX-License-Identifier: GPL-2.0
/*
 * Guest addresses, memory and logs that are not what they should be: each
 * breaks its queue. A test has the name of the rejection that it provokes, and
 * a suffix if there are several ways to.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include "bad.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS BAD_WAIT_MS

/* ---- memory ------------------------------------------------------------------------ */

static void addr_unmapped(void)
{
	bad_begin(VMM_TX);
	bad_one_breaks("addr_unmapped", VMM_GPA - 4096, 100, 0);
}

static void addr_unmapped_end(void)
{
	bad_begin(VMM_TX);
	bad_one_breaks("addr_unmapped", VMM_GPA + (16 << 20) - 50, 100, 0);
}

/* A user address of ours is not a guest address. */
static void addr_unmapped_user(void)
{
	bad_begin(VMM_TX);
	bad_one_breaks("addr_unmapped", (uintptr_t)bad_page(), 100, 0);
}

static void addr_unmapped_rx(void)
{
	bad_begin(VMM_RX);
	bad_one_breaks("addr_unmapped", 0, 2048, WRITE);
}

static void data_fault(void)
{
	char *p;

	bad_begin(VMM_TX);
	p = bad_page();
	OK(mprotect(p, 4096, PROT_NONE));
	bad_one_breaks("data_fault", vnet_addr(&n, p), 100, 0);
}

/* A large one goes another way: not copied, but mapped. */
static void data_fault_large(void)
{
	char *p;

	bad_begin(VMM_TX);
	p = vmm_alloc(&n.vmm, 65536, 4096);
	OK(mprotect(p + 32768, 4096, PROT_NONE));
	bad_one_breaks("data_fault", vnet_addr(&n, p), 60000, 0);
}

static void data_fault_rx(void)
{
	char *p;

	bad_begin(VMM_RX);
	p = bad_page();
	OK(mprotect(p, 4096, PROT_NONE));
	bad_one_breaks("data_fault", vnet_addr(&n, p), 2048, WRITE);
}

/* A worker that waits for work has looked into its queues' rings for the last time. */
static bool worker_waits(void)
{
	char tid[16], path[48], state = 0;
	FILE *f;

	OK(vmm_stat(&n.vmm, VMM_TX, "worker_tid", tid, sizeof(tid)));
	snprintf(path, sizeof(path), "/proc/%s/stat", tid);
	f = fopen(path, "r");
	EXPECT(f);
	EXPECT_EQ(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
	fclose(f);
	return state == 'S';
}

static void ring_fault_part(void *part)
{
	vnet_tx_check(&n, 0, GOOD, 60);
	/* Or it would take the next one before its ring is out of reach. */
	EXPECT(test_until(worker_waits(), WAIT_MS));
	bad_add_good(1);
	gring_publish(r);
	OK(mprotect(part, 4096, PROT_NONE));
	evt_signal(r->kick);
	EXPECT_EQ(evt_wait(r->err, WAIT_MS), 1);
	bad_counted_once("ring_fault");
	bad_state_is("broken");
	EXPECT(test_log_has(log_fd, "vq 1: rejected: ring_fault: "));
	evt_signal(r->kick);
	vnet_rx_check(&n, 50, 10, 100);
	EXPECT_EQ(evt_wait(r->err, 0), 0);
	bad_counted_once("ring_fault");
	OK(mprotect(part, 4096, PROT_READ | PROT_WRITE));
	/* With the used ring out of reach the packet is sent, but not used. */
	while (vnet_host_recv(&n, NULL, 0) >= 0)
		;
	bad_expect_recovery();
}

static void ring_fault_desc(void)
{
	bad_start(VMM_TX, NULL);
	ring_fault_part(r->desc);
}

static void ring_fault_avail(void)
{
	bad_start(VMM_TX, NULL);
	ring_fault_part(r->avail);
}

/* Of a used ring of three pages the first: the event behind it is in reach. */
static void ring_fault_used(void)
{
	bad_start(VMM_TX, &(struct vnet_conf){ .num = 1024 });
	ring_fault_part(r->used);
}

static void ring_fault_indirect_table(void)
{
	char *p;

	bad_begin(VMM_TX);
	p = bad_page();
	OK(mprotect(p, 4096, PROT_NONE));
	bad_one_breaks("ring_fault", vnet_addr(&n, p), 256, INDIRECT);
}

/* A page of the ring in two pieces: no field may cross, so neither may it. */
static void ring_map(void)
{
	const __u64 first = VMM_GPA + VNET_IOVA, end = first + (16 << 20);
	__u64 iova;

	bad_start(VMM_TX, &(struct vnet_conf){ .iommu = true, .no_backend = true });
	iova = vnet_addr(&n, r->desc);
	/* The one mapping of everything goes, and returns without this page. */
	OK(vmm_iotlb_update(&n.vmm, iova, 2048, r->desc, VHOST_ACCESS_RW));
	OK(vmm_iotlb_update(&n.vmm, iova + 2048, 2048, bad_page(), VHOST_ACCESS_RW));
	if (iova > first)
		OK(vmm_iotlb_update(&n.vmm, first, iova - first,
				    n.vmm.region[0].hva, VHOST_ACCESS_RW));
	OK(vmm_iotlb_update(&n.vmm, iova + 4096, end - iova - 4096,
			    (char *)r->desc + 4096, VHOST_ACCESS_RW));
	vnet_backend(&n, n.tapfd);
	evt_signal(r->kick);
	bad_expect_break("ring_map", 0);
	OK(vmm_iotlb_map_all(&n.vmm));
	bad_expect_recovery();
}

#define LOG_SIZE ((VMM_GPA + (64 << 20)) / 4096 / 8)

static void log_fault(void)
{
	char *log = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	bad_start(VMM_RX, NULL);
	OK(vmm_log_base(&n.vmm, log));
	OK(vmm_set_features(&n.vmm, n.features | BIT_ULL(VHOST_F_LOG_ALL)));
	OK(munmap(log, LOG_SIZE));
	vnet_rx_post(&n, 5);
	vnet_host_send(&n, 0, 60);
	bad_expect_break("log_fault", 0);
	OK(vmm_set_features(&n.vmm, n.features));
	bad_expect_recovery();
}

static void log_fault_used(void)
{
	char *log = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	bad_start(VMM_TX, NULL);
	OK(vmm_log_base(&n.vmm, log));
	OK(vmm_set_features(&n.vmm, n.features | BIT_ULL(VHOST_F_LOG_ALL)));
	OK(gring_set_addr(r, &n.vmm, VMM_TX, BIT_ULL(VHOST_VRING_F_LOG),
			  vmm_gpa(&n.vmm, r->used)));
	OK(munmap(log, LOG_SIZE));
	vnet_tx_add(&n, 0, 60);
	gring_kick(r);
	EXPECT_EQ(evt_wait(r->err, WAIT_MS), 1);
	bad_counted_once("log_fault");
	bad_state_is("broken");
	OK(vmm_set_features(&n.vmm, n.features));
}

static const struct test tests[] = {
	TEST(addr_unmapped), TEST(addr_unmapped_end), TEST(addr_unmapped_user),
	TEST(addr_unmapped_rx), TEST(data_fault), TEST(data_fault_large),
	TEST(data_fault_rx), TEST(ring_fault_desc), TEST(ring_fault_avail),
	TEST(ring_fault_used), TEST(ring_fault_indirect_table), TEST(ring_map),
	TEST(log_fault), TEST(log_fault_used),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
