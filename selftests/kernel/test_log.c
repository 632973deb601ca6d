// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: a bit for every 4 KiB page of guest memory that was written,
 * the used rings included, and none for any other.
 *
 * Of a packed ring the device writes descriptors, which are looked up in the
 * memory table, and its event suppression area, which is where the VMM says.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000
#define V1 BIT_ULL(VIRTIO_F_VERSION_1)
#define MRG BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)
#define LOG_ALL BIT_ULL(VHOST_F_LOG_ALL)
#define F_LOG (1u << VHOST_VRING_F_LOG)
#define LOG_SIZE ((size_t)((VMM_GPA + (64 << 20)) / 4096 / 8))

static struct vnet n;
static __u64 *bitmap;

/* Pages expected: they must all be dirty, and no others but for those of @may. */
static __u64 want[64], may[64];
static unsigned int nr_want, nr_may;

static void new_bitmap(void)
{
	bitmap = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT(bitmap != MAP_FAILED);
}

/* @features without EVENT_IDX: then only buffers and entries are written. */
static void start(const struct vnet_conf *conf)
{
	unsigned int vq;

	vnet_start(&n, conf);
	new_bitmap();
	OK(vmm_log_base(&n.vmm, bitmap));
	OK(vmm_set_features(&n.vmm, n.features | LOG_ALL));
	for (vq = 0; vq < VMM_VQS; vq++)
		OK(gring_set_addr(&n.ring[vq], &n.vmm, vq, F_LOG,
				  vmm_gpa(&n.vmm, n.ring[vq].used)));
}

static void prime(void);

static void start_flags(void)
{
	start(&(struct vnet_conf){ .features = V1 | MRG, .num = 1024 });
	prime();
}

static void settle(void)
{
	unsigned int vq;

	for (vq = 0; vq < VMM_VQS; vq++)
		OK(vmm_vring_err(&n.vmm, vq, n.ring[vq].err));
}

static void clean(void)
{
	settle();
	memset(bitmap, 0, LOG_SIZE);
	nr_want = 0;
	nr_may = 0;
}

static void want_gpa(__u64 gpa, size_t len)
{
	__u64 page;

	for (page = gpa / 4096; page <= (gpa + len - 1) / 4096; page++)
		want[nr_want++] = page;
}

static void want_bytes(const void *p, size_t len)
{
	want_gpa(vmm_gpa(&n.vmm, p), len);
}

static void may_bytes(const void *p, size_t len)
{
	unsigned int first = nr_want;

	want_bytes(p, len);
	while (nr_want > first)
		may[nr_may++] = want[--nr_want];
}

/*
 * The @count used entries that came last, flags and index; none of a packed
 * ring's buffers has more than one descriptor here. With IN_ORDER what was sent
 * may have been used at once: by the first entry, and which others is not told.
 */
static void want_used(unsigned int vq, unsigned int count)
{
	struct gring *r = &n.ring[vq];
	unsigned int i;

	if (r->packed)
		/* Whether it was written depends on what was there. */
		may_bytes(r->device, sizeof(*r->device));
	else
		want_bytes(r->used, 4);
	for (i = 0; i < count; i++) {
		unsigned int at = (gpacked_slot(r->last_used) - count + i) &
				  (r->num - 1);
		const void *p = r->packed ? (void *)&r->pdesc[at] :
					    (void *)&r->used->ring[at];
		size_t size = r->packed ? 16 : 8;

		if (r->in_order && vq == VMM_TX && i)
			may_bytes(p, size);
		else
			want_bytes(p, size);
	}
}

static void expect_dirty(void)
{
	size_t w, i;

	settle();
	for (i = 0; i < nr_want; i++)
		if (!(bitmap[want[i] / 64] & 1ULL << want[i] % 64))
			test_fail("page 0x%llx is not dirty (guest address 0x%llx)",
				  want[i], want[i] * 4096);
	for (i = 0; i < nr_want; i++)
		bitmap[want[i] / 64] &= ~(1ULL << want[i] % 64);
	for (i = 0; i < nr_may; i++)
		bitmap[may[i] / 64] &= ~(1ULL << may[i] % 64);
	for (w = 0; w < LOG_SIZE / 8; w++)
		if (bitmap[w])
			test_fail("pages beside 0x%zx are dirty: 0x%llx", w * 64,
				  bitmap[w]);
}

/* A receive buffer of @size bytes at @p; @len bytes of frame arrive in it. */
static void post(void *p, unsigned int size)
{
	struct gseg seg = { vnet_addr(&n, p), size };

	EXPECT(gring_add(&n.ring[VMM_RX], &seg, 0, 1, p) >= 0);
}

static void receive(unsigned int len)
{
	unsigned int size = n.pool[VMM_RX].size;
	char *buf = malloc(1 << 17);

	gring_kick(&n.ring[VMM_RX]);
	vnet_host_send(&n, 1, len);
	/* The buffer may be larger than those of the pool. */
	n.pool[VMM_RX].size = 1 << 16;
	EXPECT_EQ(vnet_rx_recv(&n, buf, 1 << 17, WAIT_MS), 12 + len);
	EXPECT_EQ(frame_check(buf + 12, len), 1);
	n.pool[VMM_RX].size = size;
	free(buf);
}

static char *pages(unsigned int nr)
{
	return vmm_alloc(&n.vmm, nr * 4096, 4096);
}

static void receive_one(void)
{
	post(pages(1), 2048);
	receive(60);
}

/*
 * A queue takes a turn when it is started, and writes its used flags. Have
 * these turns behind us: one worker serves the queues in the order of wakes.
 */
static void prime(void)
{
	vnet_tx_check(&n, 0, 1, 60);
	receive_one();
}

static void rx_data(void)
{
	char *p;

	start_flags();
	clean();
	p = pages(3);
	post(p + 4096, 2048);
	receive(60);
	want_bytes(p + 4096, 72);
	want_used(VMM_RX, 1);
	expect_dirty();
}

/* The packet crosses into the next page by its last byte. */
static void rx_data_crosses(void)
{
	char *p;

	start_flags();
	clean();
	p = pages(3);
	post(p + 4096 - 71, 2048);
	receive(60);
	want_bytes(p, 4097);
	want_used(VMM_RX, 1);
	expect_dirty();
}

/* The buffer goes on, the packet does not. */
static void rx_data_ends_before(void)
{
	char *p;

	start_flags();
	clean();
	p = pages(3);
	post(p + 4096 - 72, 2048);
	receive(60);
	want_bytes(p, 4096);
	want_used(VMM_RX, 1);
	expect_dirty();
}

static void rx_mergeable(void)
{
	unsigned int i;
	char *p;

	start_flags();
	clean();
	p = pages(10);
	for (i = 0; i < 5; i++)
		post(p + i * 2 * 4096, 400);
	receive(1000);
	for (i = 0; i < 3; i++)
		want_bytes(p + i * 2 * 4096, 400);
	want_used(VMM_RX, 3);
	expect_dirty();
}

static void rx_many_pages(void)
{
	char *p;

	start_flags();
	OK(netdev_mtu(n.tap, 65000));
	clean();
	p = pages(40);
	post(p + 100, 40 * 4096 - 100);
	receive(60000);
	want_bytes(p + 100, 60012);
	want_used(VMM_RX, 1);
	expect_dirty();
}

/* What is sent is read, not written. */
static void tx_data(void)
{
	start_flags();
	clean();
	vnet_tx_check(&n, 0, 20, 1514);
	want_used(VMM_TX, 20);
	expect_dirty();
}

/* The used ring has three pages here, and entry 511 lies on two of them. */
static void used_entries(void)
{
	static const unsigned int at[] = { 5, 510, 511, 512, 1022, 1023 };
	unsigned int i;

	start_flags();
	for (i = 0; i < N(at); i++) {
		vnet_restart(&n, VMM_TX, at[i]);
		OK(gring_set_addr(&n.ring[VMM_TX], &n.vmm, VMM_TX, F_LOG,
				  vmm_gpa(&n.vmm, n.ring[VMM_TX].used)));
		receive_one();
		clean();
		vnet_tx_check(&n, 0, 1, 60);
		want_used(VMM_TX, 1);
		expect_dirty();
	}
}

static void used_entries_wrap(void)
{
	struct gring *r = &n.ring[VMM_TX];
	unsigned int i;

	start_flags();
	/* Entry 0 is on another page than the index. */
	OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
	r->used = (void *)(pages(4) + 4092);
	vnet_restart(&n, VMM_TX, 1020);
	OK(gring_set_addr(&n.ring[VMM_TX], &n.vmm, VMM_TX, F_LOG,
			  vmm_gpa(&n.vmm, n.ring[VMM_TX].used)));
	receive_one();
	clean();
	for (i = 0; i < 8; i++)
		vnet_tx_add(&n, i, 60);
	gring_kick(&n.ring[VMM_TX]);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	want_used(VMM_TX, 8);
	expect_dirty();
}

/*
 * One descriptor of a chain is written, the first; whether the pages of the
 * others are dirty as well is not told. Here the chain crosses into the next
 * page, round the end, and then there is a batch of chains.
 */
static void packed_chains(void)
{
	static const struct {
		unsigned int at, chains;
	} cases[] = { { 253, 1 }, { 1021, 1 }, { 1008, 10 }, { 1024 + 254, 1 } };
	struct gring *r = &n.ring[VMM_TX];
	unsigned int i, k;
	struct gseg seg[4];

	start_flags();
	for (i = 0; i < N(cases); i++) {
		char *buf = pages(1);

		vnet_restart(&n, VMM_TX, cases[i].at);
		OK(gring_set_addr(r, &n.vmm, VMM_TX, F_LOG,
				  vmm_gpa(&n.vmm, r->used)));
		receive_one();
		memset(buf, 0, 12);
		frame_fill(buf + 12, 60, i);
		for (k = 0; k < 4; k++)
			seg[k] = (struct gseg){ vnet_addr(&n, buf + k * 18), 18 };
		clean();
		for (k = 0; k < cases[i].chains; k++)
			EXPECT(gring_add(r, seg, 4, 0, buf) >= 0);
		gring_kick(r);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
		may_bytes(r->device, sizeof(*r->device));
		for (k = 0; k < 4 * cases[i].chains; k++) {
			const void *d = &r->pdesc[(cases[i].at + k) & 1023];

			if (k % 4 || (k && r->in_order))
				may_bytes(d, 16);
			else
				want_bytes(d, 16);
		}
		expect_dirty();
	}
}

/* With event indices the one for kicks is written, on the last page. */
static void avail_event(void)
{
	start(&(struct vnet_conf){ .num = 1024 });
	prime();
	clean();
	vnet_tx_check(&n, 0, 1, 60);
	want_used(VMM_TX, 1);
	if (n.ring[VMM_TX].packed)
		want_bytes(n.ring[VMM_TX].device, 4);
	else
		want_bytes(gring_avail_event(&n.ring[VMM_TX]), 2);
	expect_dirty();
}

/* VHOST_VRING_F_LOG is for the used ring, LOG_ALL for everything. */
static void without_f_log(void)
{
	char *p;

	start_flags();
	OK(gring_set_addr(&n.ring[VMM_RX], &n.vmm, VMM_RX, 0, 0));
	clean();
	p = pages(1);
	post(p, 2048);
	receive(60);
	want_bytes(p, 72);
	expect_dirty();
}

static void without_log_all(void)
{
	start_flags();
	OK(vmm_set_features(&n.vmm, n.features));
	clean();
	vnet_tx_check(&n, 0, 20, 60);
	vnet_rx_check(&n, 0, 20, 60);
	expect_dirty();
}

/* The used ring is where the VMM says, whatever the memory table thinks. */
static void log_guest_addr(void)
{
	__u64 at = VMM_GPA + (15 << 20);

	test_need_ours();
	start_flags();
	OK(gring_set_addr(&n.ring[VMM_TX], &n.vmm, VMM_TX, F_LOG, at + 16));
	clean();
	vnet_tx_check(&n, 0, 1, 60);
	want_gpa(at, 1);
	if (n.ring[VMM_TX].packed)
		/* Only of the event suppression: the ring is looked up. */
		want_bytes(&n.ring[VMM_TX].pdesc[1], 16);
	expect_dirty();
}

/* A start that the log refuses has not happened: where the queue stands is still the VMM's to say. */
static void start_refused(void)
{
	struct gring *r = &n.ring[VMM_TX];
	unsigned int base;

	test_need_ours();
	start_flags();
	OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
	gring_reset(r, 7);
	OK(gring_attach(r, &n.vmm, VMM_TX));
	OK(vmm_vring_base(&n.vmm, VMM_TX, gring_base_of(r, 5)));
	OK(gring_set_addr(r, &n.vmm, VMM_TX, F_LOG, VMM_GPA + (1ULL << 32)));
	FAILS(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd), EFAULT);
	OK(gring_set_addr(r, &n.vmm, VMM_TX, F_LOG, vmm_gpa(&n.vmm, r->used)));
	OK(vmm_vring_base(&n.vmm, VMM_TX, gring_base_of(r, 7)));
	OK(vmm_get_vring_base(&n.vmm, VMM_TX, &base));
	EXPECT_EQ(base, gring_base_of(r, 7));
	OK(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd));
	OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
	OK(vmm_get_vring_base(&n.vmm, VMM_TX, &base));
	EXPECT_EQ(base, gring_base_of(r, 7));
	OK(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd));
	vnet_tx_check(&n, 0, 20, 60);
}

/* A second name for the same memory is dirty, too. */
static void aliased_memory(void)
{
	struct vhost_memory_region r[2];
	unsigned int i;
	char *p;

	test_need_ours();
	start_flags();
	for (i = 0; i < 2; i++)
		r[i] = (struct vhost_memory_region){
			.guest_phys_addr = VMM_GPA + i * (16 << 20),
			.memory_size = 16 << 20,
			.userspace_addr = (uintptr_t)n.vmm.region[0].hva,
		};
	OK(vmm_set_mem_regions(&n.vmm, r, 2, 0));
	clean();
	p = pages(1);
	post(p, 2048);
	receive(60);
	want_bytes(p, 72);
	want_gpa(vmm_gpa(&n.vmm, p) + (16 << 20), 72);
	want_used(VMM_RX, 1);
	if (n.ring[VMM_RX].packed)
		/* The first descriptors, like everything that is looked up. */
		want_gpa(vmm_gpa(&n.vmm, n.ring[VMM_RX].pdesc) + (16 << 20), 1);
	expect_dirty();
}

static void log_base_swapped(void)
{
	__u64 *old;

	start_flags();
	clean();
	vnet_tx_check(&n, 0, 1, 60);
	want_used(VMM_TX, 1);
	expect_dirty();
	nr_want = 0;
	nr_may = 0;
	old = bitmap;
	new_bitmap();
	OK(vmm_log_base(&n.vmm, bitmap));
	vnet_tx_check(&n, 0, 1, 60);
	want_used(VMM_TX, 1);
	expect_dirty();
	bitmap = old;
	nr_want = 0;
	nr_may = 0;
	expect_dirty();
}

static void log_fd(void)
{
	int fd = evt_new();
	char *p;

	start_flags();
	OK(vmm_log_fd(&n.vmm, fd));
	p = pages(1);
	post(p, 2048);
	receive(60);
	EXPECT(evt_wait(fd, WAIT_MS) > 0);
	/* Nobody is told any more. */
	OK(vmm_log_fd(&n.vmm, -1));
	evt_wait(fd, 0);
	post(p, 2048);
	receive(60);
	EXPECT_EQ(evt_wait(fd, 0), 0);
}

/* A log that is just long enough for memory, and ends where ours does. */
static void exact_size(void)
{
	size_t bytes = (VMM_GPA + (16 << 20)) / 4096 / 8;
	size_t room = (bytes + 4095) & ~4095UL;
	char *mem, *p;

	vnet_start(&n, &(struct vnet_conf){ .features = V1 | MRG });
	mem = mmap(NULL, room + 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK(munmap(mem + room, 4096));
	OK(vmm_log_base(&n.vmm, mem + room - bytes));
	OK(vmm_set_features(&n.vmm, n.features | LOG_ALL));
	/* The last page of guest memory. */
	p = n.vmm.region[0].hva + (16 << 20) - 4096;
	post(p, 2048);
	receive(60);
	EXPECT(mem[room - 1] & 0x80);
	EXPECT_EQ(evt_wait(n.ring[VMM_RX].err, 0), 0);
}

/* ---- through the IOTLB --------------------------------------------------------- */

static void iotlb_data(void)
{
	char *p;

	start(&(struct vnet_conf){ .features = V1 | MRG, .num = 1024,
				   .iommu = true });
	prime();
	clean();
	p = pages(4);
	post(p + 4096 - 71, 2048);
	receive(60);
	want_bytes(p, 4097);
	want_used(VMM_RX, 1);
	expect_dirty();
	clean();
	vnet_tx_check(&n, 0, 1, 60);
	want_used(VMM_TX, 1);
	expect_dirty();
}

/* I/O pages in another order than the guest's: the guest's are dirty. */
static void iotlb_scattered(void)
{
	const __u64 iova = 0x6000000000ULL;
	struct gring *r;
	unsigned int i;
	char *p, *used;

	test_need_ours();
	start(&(struct vnet_conf){ .features = V1 | MRG, .num = 1024,
				   .iommu = true });
	r = &n.ring[VMM_RX];
	OK(vmm_net_backend(&n.vmm, VMM_RX, -1));
	/* Used ring: I/O pages 0, 1, 2 are the guest's 4, 2, 0. */
	used = pages(5);
	for (i = 0; i < 3; i++)
		OK(vmm_iotlb_update(&n.vmm, iova + i * 4096, 4096,
				    used + (4 - 2 * i) * 4096, VHOST_ACCESS_RW));
	/* Data: 5, 4, 3 for 0, 1, 2. */
	p = pages(6);
	for (i = 0; i < 3; i++)
		OK(vmm_iotlb_update(&n.vmm, iova + 65536 + i * 4096, 4096,
				    p + (5 - i) * 4096, VHOST_ACCESS_RW));
	memset(used, 0, 5 * 4096);
	/* At entry 600 and index 600: on the second page. */
	*(__u16 *)(used + 4 * 4096 + 2) = 600;
	r->avail->idx = 600;
	r->avail_idx = 600;
	OK(vmm_vring_base(&n.vmm, VMM_RX, 600));
	OK(vmm_vring_addr(&n.vmm, VMM_RX, F_LOG, vnet_addr(&n, r->desc),
			  vnet_addr(&n, r->avail), iova, 0));
	OK(vmm_net_backend(&n.vmm, VMM_RX, n.tapfd));
	OK(netdev_mtu(n.tap, 9000));
	vnet_tx_check(&n, 0, 1, 60);
	clean();
	struct gseg seg = { iova + 65536 + 100, 3 * 4096 - 100 };

	gring_add(r, &seg, 0, 1, p);
	gring_publish(r);
	evt_signal(r->kick);
	vnet_host_send(&n, 1, 5000);
	EXPECT(test_until(*(volatile __u16 *)(used + 4 * 4096 + 2) == 601, WAIT_MS));
	want_bytes(p + 5 * 4096, 1);
	want_bytes(p + 4 * 4096, 1);
	want_bytes(used + 4 * 4096, 1);
	want_bytes(used + 2 * 4096, 1);
	expect_dirty();
}

/* ---- switched while it runs ------------------------------------------------------ */

static void *toggle(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
		OK(vmm_set_features(&n.vmm, n.features));
		OK(vmm_set_features(&n.vmm, n.features | LOG_ALL));
	}
	return NULL;
}

static void toggled_under_load(void)
{
	bool stop = false;
	pthread_t thread;

	start_flags();
	EXPECT(!pthread_create(&thread, NULL, toggle, &stop));
	vnet_tx_check(&n, 0, 1000, 60);
	vnet_rx_check(&n, 0, 1000, 60);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	clean();
	vnet_tx_check(&n, 0, 1, 60);
	want_used(VMM_TX, 1);
	expect_dirty();
}

/* Most of these are without EVENT_IDX, whatever the mode: see start(). */
static const struct test tests[] = {
	TEST_WITHOUT(rx_data, TEST_EVENT_IDX),
	TEST_WITHOUT(rx_data_crosses, TEST_EVENT_IDX),
	TEST_WITHOUT(rx_data_ends_before, TEST_EVENT_IDX),
	TEST_WITHOUT(rx_mergeable, TEST_EVENT_IDX),
	TEST_WITHOUT(rx_many_pages, TEST_EVENT_IDX),
	TEST_WITHOUT(tx_data, TEST_EVENT_IDX),
	TEST_WITHOUT(used_entries, TEST_EVENT_IDX),
	TEST_WITHOUT(used_entries_wrap, TEST_EVENT_IDX | TEST_PACKED),
	TEST_ONLY(packed_chains, TEST_PACKED, TEST_EVENT_IDX),
	TEST_WITH(avail_event, TEST_EVENT_IDX),
	TEST_WITHOUT(without_f_log, TEST_EVENT_IDX),
	TEST_WITHOUT(without_log_all, TEST_EVENT_IDX),
	TEST_WITHOUT(log_guest_addr, TEST_EVENT_IDX),
	TEST_WITHOUT(start_refused, TEST_EVENT_IDX),
	TEST_WITHOUT(aliased_memory, TEST_EVENT_IDX),
	TEST_WITHOUT(log_base_swapped, TEST_EVENT_IDX),
	TEST_WITHOUT(log_fd, TEST_EVENT_IDX),
	TEST_WITHOUT(exact_size, TEST_EVENT_IDX),
	TEST_WITHOUT(iotlb_data, TEST_EVENT_IDX),
	TEST_WITHOUT(iotlb_scattered, TEST_EVENT_IDX | TEST_PACKED),
	TEST_WITHOUT(toggled_under_load, TEST_EVENT_IDX),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
