// SPDX-License-Identifier: GPL-2.0
/* The device IOTLB: what the VMM is asked, and what its answers do. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000
#define RW VHOST_ACCESS_RW

static struct vnet n;

/* All of guest memory is mapped for the device but for a region of its own. */
static void start(void)
{
	vnet_start(&n, &(struct vnet_conf){ .iommu = true });
	OK(vmm_add_region(&n.vmm, VMM_GPA + (1 << 30), 1 << 20));
}

static void *hidden(unsigned int pages)
{
	return vmm_alloc_in(&n.vmm, 1, pages * 4096, 4096);
}

/*
 * Have all turns of a queue behind us that were due: the other one is served
 * after it by the same worker.
 */
static void turns_done(unsigned int vq)
{
	if (vq == VMM_TX)
		vnet_rx_check(&n, 0, 1, 60);
	else
		vnet_tx_check(&n, 0, 1, 60);
	OK(vmm_vring_err(&n.vmm, vq, n.ring[vq].err));
}

/* No question is there but, once more, the one about @page. */
static void only_asked(unsigned int vq, __u64 page)
{
	struct vhost_iotlb_msg m;

	turns_done(vq);
	if (!vmm_iotlb_read(&n.vmm, &m, 0))
		EXPECT_EQ(m.iova & ~4095ULL, page);
	EXPECT_EQ(vmm_iotlb_read(&n.vmm, &m, 0), -ETIMEDOUT);
}

static void expect_miss(__u64 page, __u8 perm)
{
	struct vhost_iotlb_msg m;

	OK(vmm_iotlb_read(&n.vmm, &m, WAIT_MS));
	EXPECT_EQ(m.type, VHOST_IOTLB_MISS);
	EXPECT_EQ(m.iova & ~4095ULL, page);
	EXPECT_EQ(m.perm, perm);
}

static char *hidden_page(void)
{
	return hidden(1);
}

static void show(char *p, __u8 perm)
{
	OK(vmm_iotlb_update(&n.vmm, vnet_addr(&n, p), 4096, p, perm));
}

static void add_tx(char *p, __u32 seq)
{
	struct gseg seg = { vnet_addr(&n, p), 12 + 60 };

	memset(p, 0, 12);
	frame_fill(p + 12, 60, seq);
	EXPECT(gring_add(&n.ring[VMM_TX], &seg, 1, 0, p) >= 0);
}

static void traffic_v2(void)
{
	struct vhost_iotlb_msg m;

	start();
	vnet_tx_check(&n, 0, 300, 60);
	vnet_rx_check(&n, 0, 300, 1514);
	EXPECT_EQ(vmm_iotlb_read(&n.vmm, &m, 0), -ETIMEDOUT);
}

static void traffic_v1(void)
{
	start();
	OK(vmm_set_backend_features(&n.vmm, 0));
	n.vmm.msg_v1 = true;
	OK(vmm_iotlb_invalidate(&n.vmm, VMM_GPA + VNET_IOVA, 16 << 20));
	OK(vmm_iotlb_map_all(&n.vmm));
	vnet_tx_check(&n, 0, 100, 60);
	vnet_rx_check(&n, 0, 100, 60);
}

/* What was mapped for the driver before is not for the next one. */
static void forgotten_by_features(void)
{
	const struct vmm_region *rings = &n.vmm.region[0];
	char *p;

	start();
	p = hidden_page();
	show(p, RW);
	vnet_backend(&n, -1);
	OK(vmm_set_features(&n.vmm, n.features));
	OK(vmm_iotlb_update(&n.vmm, rings->gpa + n.vmm.translate, rings->size,
			    rings->hva, RW));
	vnet_backend(&n, n.tapfd);
	add_tx(p, 5);
	gring_kick(&n.ring[VMM_TX]);
	expect_miss(vnet_addr(&n, p), VHOST_ACCESS_RO);
	show(p, VHOST_ACCESS_RO);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 5);
}

static void miss_tx(void)
{
	char *p;

	start();
	p = hidden_page();
	add_tx(p, 5);
	gring_kick(&n.ring[VMM_TX]);
	expect_miss(vnet_addr(&n, p), VHOST_ACCESS_RO);
	only_asked(VMM_TX, vnet_addr(&n, p));
	EXPECT_EQ(gring_pending(&n.ring[VMM_TX]), 0);
	show(p, VHOST_ACCESS_RO);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 5);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
}

static void miss_rx(void)
{
	struct gseg seg;
	char *p, buf[2048];

	start();
	p = hidden_page();
	seg = (struct gseg){ vnet_addr(&n, p), 2048 };
	gring_add(&n.ring[VMM_RX], &seg, 0, 1, p);
	gring_kick(&n.ring[VMM_RX]);
	vnet_host_send(&n, 6, 60);
	expect_miss(vnet_addr(&n, p), VHOST_ACCESS_WO);
	show(p, VHOST_ACCESS_WO);
	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 72);
	EXPECT_EQ(frame_check(buf + 12, 60), 6);
}

/* In the old format, to who asked for that. */
static void miss_v1(void)
{
	char *p;

	start();
	p = hidden_page();
	OK(vmm_set_backend_features(&n.vmm, 0));
	n.vmm.msg_v1 = true;
	add_tx(p, 5);
	gring_kick(&n.ring[VMM_TX]);
	expect_miss(vnet_addr(&n, p), VHOST_ACCESS_RO);
	show(p, VHOST_ACCESS_RO);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 5);
}

/* Those before it go, it and those behind it wait, and none goes twice. */
static void miss_mid_batch(void)
{
	char *p;
	int i;

	start();
	p = hidden_page();
	for (i = 0; i < 10; i++)
		add_tx(i == 4 ? p : vnet_buf(&n, VMM_TX), i);
	gring_kick(&n.ring[VMM_TX]);
	expect_miss(vnet_addr(&n, p), VHOST_ACCESS_RO);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
	only_asked(VMM_TX, vnet_addr(&n, p));
	EXPECT_EQ(gring_pending(&n.ring[VMM_TX]), 4);
	show(p, VHOST_ACCESS_RO);
	for (i = 4; i < 10; i++)
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	EXPECT_EQ(vnet_host_recv(&n, NULL, 0), -ETIMEDOUT);
}

/* A chain of several pages, each of them asked for. */
static void miss_many_pages(void)
{
	char *p;
	struct gseg seg;
	int i;

	start();
	p = hidden(5);
	memset(p, 0, 12);
	frame_fill(p + 12, 20000, 3);
	seg = (struct gseg){ vnet_addr(&n, p), 12 + 20000 };
	gring_add(&n.ring[VMM_TX], &seg, 1, 0, p);
	gring_kick(&n.ring[VMM_TX]);
	for (i = 0; i < 5; i++) {
		expect_miss(vnet_addr(&n, p + i * 4096), VHOST_ACCESS_RO);
		show(p + i * 4096, VHOST_ACCESS_RO);
	}
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 3);
}

static void miss_indirect_table(void)
{
	struct gring *r;
	struct gseg seg[2];
	char *p, *buf;

	start();
	r = &n.ring[VMM_TX];
	p = hidden_page();
	/* The next table is there, whichever it is. */
	r->table = (void *)(p - 16 * r->table_len * r->free_head);
	r->table_addr = vnet_addr(&n, p) - 16 * r->table_len * r->free_head;
	buf = vnet_buf(&n, VMM_TX);
	memset(buf, 0, 12);
	frame_fill(buf + 12, 100, 9);
	seg[0] = (struct gseg){ vnet_addr(&n, buf), 12 };
	seg[1] = (struct gseg){ vnet_addr(&n, buf + 12), 100 };
	EXPECT(gring_add_indirect(r, seg, 2, 0, buf) >= 0);
	gring_kick(r);
	expect_miss(vnet_addr(&n, p), VHOST_ACCESS_RO);
	show(p, VHOST_ACCESS_RO);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 9);
}

/*
 * A guest that may not write there: a question for that right, again and
 * again, and never a write.
 */
static void permission(void)
{
	struct gseg seg;
	char *p, *rx, buf[2048];

	test_need_ours();
	start();
	rx = hidden_page();
	show(rx, VHOST_ACCESS_RO);
	memset(rx, 0x55, 4096);
	seg = (struct gseg){ vnet_addr(&n, rx), 2048 };
	gring_add(&n.ring[VMM_RX], &seg, 0, 1, rx);
	gring_kick(&n.ring[VMM_RX]);
	vnet_host_send(&n, 6, 60);
	expect_miss(vnet_addr(&n, rx), VHOST_ACCESS_WO);
	/* An answer that does not give the right is none. */
	show(rx, VHOST_ACCESS_RO);
	only_asked(VMM_RX, vnet_addr(&n, rx));
	EXPECT_EQ(rx[0], 0x55);
	EXPECT_EQ(gring_pending(&n.ring[VMM_RX]), 0);

	/* Nor may it have sent what it may not read. */
	p = hidden_page();
	show(p, VHOST_ACCESS_WO);
	add_tx(p, 7);
	gring_kick(&n.ring[VMM_TX]);
	expect_miss(vnet_addr(&n, p), VHOST_ACCESS_RO);
	EXPECT_EQ(vnet_host_recv(&n, NULL, 0), -ETIMEDOUT);
	show(p, RW);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 7);
	show(rx, VHOST_ACCESS_WO);
	EXPECT_EQ(vnet_rx_recv(&n, buf, sizeof(buf), WAIT_MS), 72);
}

/* One question a queue, however often the guest kicks. */
static void one_question(void)
{
	struct vhost_iotlb_msg m;
	char *p;
	int i;

	test_need_ours();
	start();
	p = hidden_page();
	add_tx(p, 5);
	gring_publish(&n.ring[VMM_TX]);
	for (i = 0; i < 200; i++)
		evt_signal(n.ring[VMM_TX].kick);
	turns_done(VMM_TX);
	expect_miss(vnet_addr(&n, p), VHOST_ACCESS_RO);
	EXPECT_EQ(vmm_iotlb_read(&n.vmm, &m, 0), -ETIMEDOUT);
	show(p, VHOST_ACCESS_RO);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 5);
	EXPECT(vmm_counter(&n.vmm, VMM_TX, "iotlb_misses") >= 1);
}

/* After the write of an INVALIDATE nobody uses the old memory any more. */
static void invalidate_under_load(void)
{
	char *p, *old, *new;
	int i;

	start();
	p = hidden(1);
	old = p;
	new = hidden(1);
	for (i = 0; i < 100; i++) {
		/* The same guest address is at @old, then at @new. */
		OK(vmm_iotlb_update(&n.vmm, vnet_addr(&n, p), 4096, old, RW));
		memset(old, 0, 12);
		frame_fill(old + 12, 60, 2 * i);
		vnet_tx_add(&n, 1000, 60);
		struct gseg seg = { vnet_addr(&n, p), 72 };

		gring_add(&n.ring[VMM_TX], &seg, 1, 0, p);
		gring_kick(&n.ring[VMM_TX]);
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 1000);
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 2 * i);
		OK(vmm_iotlb_invalidate(&n.vmm, vnet_addr(&n, p), 4096));
		memset(new, 0, 12);
		frame_fill(new + 12, 60, 2 * i + 1);
		memset(old, 0xdd, 4096);
		gring_add(&n.ring[VMM_TX], &seg, 1, 0, p);
		gring_kick(&n.ring[VMM_TX]);
		expect_miss(vnet_addr(&n, p), VHOST_ACCESS_RO);
		OK(vmm_iotlb_update(&n.vmm, vnet_addr(&n, p), 4096, new, RW));
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 2 * i + 1);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
		OK(vmm_iotlb_invalidate(&n.vmm, vnet_addr(&n, p), 4096));
	}
}

/* An update takes the place of what was mapped there, without INVALIDATE. */
static void update_replaces(void)
{
	char *p, *new;

	test_need_ours();
	start();
	p = hidden(1);
	new = hidden(1);
	show(p, RW);
	add_tx(p, 1);
	memset(new, 0, 12);
	frame_fill(new + 12, 60, 2);
	OK(vmm_iotlb_update(&n.vmm, vnet_addr(&n, p), 4096, new, RW));
	gring_kick(&n.ring[VMM_TX]);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 2);
}

/* The queue starts before anything is mapped, and asks its way through. */
static void start_unmapped(void)
{
	struct vhost_iotlb_msg m;
	int i, misses = 0;

	/* In-tree wants the used ring mapped before. */
	test_need_ours();
	vnet_start(&n, &(struct vnet_conf){ .iommu = true, .no_backend = true });
	OK(vmm_iotlb_invalidate(&n.vmm, VMM_GPA + VNET_IOVA, 16 << 20));
	vnet_tx_add(&n, 77, 60);
	gring_publish(&n.ring[VMM_TX]);
	OK(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd));
	evt_signal(n.ring[VMM_TX].kick);
	for (i = 0; i < 100 && vnet_host_recv(&n, NULL, 0) < 0; i++) {
		if (vmm_iotlb_read(&n.vmm, &m, 100))
			continue;
		misses++;
		m.iova &= ~4095ULL;
		OK(vmm_iotlb_update(&n.vmm, m.iova, 4096,
				    n.vmm.region[0].hva + (m.iova - VNET_IOVA - VMM_GPA),
				    RW));
	}
	EXPECT(misses >= 4);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
}

/* The ring's own pages come and go while it runs. */
static void ring_invalidated(void)
{
	void *part[3];
	int i;

	vnet_start(&n, &(struct vnet_conf){ .iommu = true, .mem = 2 << 20,
					    .no_backend = true });
	/* Page by page: what is invalidated in part goes as a whole. */
	OK(vmm_iotlb_invalidate(&n.vmm, VMM_GPA + VNET_IOVA, 2 << 20));
	for (i = 0; i < 512; i++)
		OK(vmm_iotlb_update(&n.vmm, VMM_GPA + VNET_IOVA + i * 4096, 4096,
				    n.vmm.region[0].hva + i * 4096, RW));
	vnet_backend(&n, n.tapfd);
	part[0] = n.ring[VMM_TX].desc;
	part[1] = n.ring[VMM_TX].avail;
	part[2] = n.ring[VMM_TX].used;
	for (i = 0; i < 30; i++) {
		struct vhost_iotlb_msg m;

		OK(vmm_iotlb_invalidate(&n.vmm, vnet_addr(&n, part[i % 3]), 4096));
		vnet_tx_add(&n, i, 60);
		gring_publish(&n.ring[VMM_TX]);
		evt_signal(n.ring[VMM_TX].kick);
		OK(vmm_iotlb_read(&n.vmm, &m, WAIT_MS));
		EXPECT_EQ(m.iova & ~4095ULL, vnet_addr(&n, part[i % 3]));
		OK(vmm_iotlb_update(&n.vmm, vnet_addr(&n, part[i % 3]), 4096,
				    part[i % 3], RW));
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
	}
}

/* A ring whose pages lie scattered in the VMM's memory, in any order. */
static void scattered_ring(void)
{
	enum { PAGES = 32 };
	int fd = memfd_create("ring", MFD_CLOEXEC), vq, i;
	__u64 avail, iova = 0x5000000000ULL;
	char *flat, *mess;

	test_need_ours();
	EXPECT(!ftruncate(fd, PAGES * 4096));
	vnet_start(&n, &(struct vnet_conf){ .iommu = true, .num = 1024,
					    .no_backend = true });
	for (vq = 0; vq < VMM_VQS; vq++) {
		struct gring *r = &n.ring[vq];

		/*
		 * The guest sees the pages in order, the device's side has
		 * them backwards, with holes in between.
		 */
		flat = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);
		mess = mmap(NULL, PAGES * 2 * 4096, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		EXPECT(flat != MAP_FAILED && mess != MAP_FAILED);
		for (i = 0; i < PAGES / 2; i++) {
			int page = vq * PAGES / 2 + i;
			char *at = mess + (PAGES - 1 - i) * 2 * 4096;

			EXPECT(mmap(at, 4096, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, fd, page * 4096) == at);
			OK(vmm_iotlb_update(&n.vmm, iova + page * 4096, 4096, at, RW));
		}
		flat += vq * PAGES / 2 * 4096;
		/* 4 pages and a bit: begin within a page. */
		r->desc = (void *)(flat + 256);
		avail = 5 * 4096 + 2048 + (r->packed ? 4 : 2);
		r->avail = (void *)(flat + avail);
		r->used = (void *)(flat + 8 * 4096 + 4092);
		gring_reset(r, 65000);
		OK(vmm_vring_base(&n.vmm, vq, gring_base_of(r, 65000)));
		OK(vmm_vring_addr(&n.vmm, vq, 0,
				  iova + vq * PAGES / 2 * 4096 + 256,
				  iova + vq * PAGES / 2 * 4096 + avail,
				  iova + vq * PAGES / 2 * 4096 + 8 * 4096 + 4092, 0));
	}
	vnet_backend(&n, n.tapfd);
	/* Round the ring, so that every page of it is used. */
	vnet_tx_check(&n, 0, 2500, 60);
	vnet_rx_check(&n, 0, 2500, 60);
}

/* A mapping goes as a whole, even if only a part of it is named. */
static void invalidate_part(void)
{
	char *p;

	start();
	p = hidden(4);
	OK(vmm_iotlb_update(&n.vmm, vnet_addr(&n, p), 4 * 4096, p, RW));
	add_tx(p + 4096, 1);
	gring_kick(&n.ring[VMM_TX]);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 1);
	OK(vmm_iotlb_invalidate(&n.vmm, vnet_addr(&n, p + 4096), 4096));
	add_tx(p + 4096, 2);
	gring_kick(&n.ring[VMM_TX]);
	expect_miss(vnet_addr(&n, p + 4096), VHOST_ACCESS_RO);
	/* A page is enough to go on. */
	show(p + 4096, RW);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 2);
}

/* More mappings than there is room for: the oldest one goes. */
static void entries_limit(void)
{
	long long max = test_read_number(
		"/sys/module/vhost_core/parameters/max_iotlb_entries");
	char *p, val[32];
	long long i;

	test_need_ours();
	EXPECT(max > 0);
	start();
	p = hidden_page();
	show(p, RW);
	add_tx(p, 1);
	gring_kick(&n.ring[VMM_TX]);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 1);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	/* Elsewhere, one page in two, so that none can be merged. */
	for (i = 0; i < max; i++)
		OK(vmm_iotlb_update(&n.vmm, 0x100000000000ULL + i * 8192, 4096, p, RW));
	OK(vmm_stat(&n.vmm, -1, "iotlb_entries", val, sizeof(val)));
	EXPECT_EQ(atoll(val), max);
	/* Everything else has been pushed out, the ring's memory included. */
	add_tx(p, 2);
	gring_kick(&n.ring[VMM_TX]);
	evt_signal(n.ring[VMM_TX].kick);
	for (i = 0; i < 10 && vnet_host_recv(&n, NULL, 0) < 0; i++) {
		struct vhost_iotlb_msg m;

		OK(vmm_iotlb_read(&n.vmm, &m, WAIT_MS));
		OK(vmm_iotlb_map_all(&n.vmm));
		EXPECT(test_until(vnet_tx_drain(&n, WAIT_MS), WAIT_MS));
		break;
	}
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 2);
}

/* A batch of updates wakes the queue at its end. */
static void batch(void)
{
	struct vhost_iotlb_msg begin = { .type = VHOST_IOTLB_BATCH_BEGIN };
	struct vhost_iotlb_msg end = { .type = VHOST_IOTLB_BATCH_END };
	char *p;

	test_need_ours();
	start();
	OK(vmm_set_backend_features(&n.vmm,
				    BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2) |
				    BIT_ULL(VHOST_BACKEND_F_IOTLB_BATCH)));
	p = hidden_page();
	add_tx(p, 4);
	gring_kick(&n.ring[VMM_TX]);
	expect_miss(vnet_addr(&n, p), VHOST_ACCESS_RO);
	OK(vmm_iotlb_send(&n.vmm, &begin));
	show(p, RW);
	/* Not before the end, whatever is known by now. */
	EXPECT_EQ(vnet_host_recv(&n, NULL, 50), -ETIMEDOUT);
	OK(vmm_iotlb_send(&n.vmm, &end));
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 4);
}

static void bad_messages(void)
{
	const struct vhost_iotlb_msg good = {
		.iova = 0, .size = 4096, .uaddr = 0x10000000, .perm = RW,
		.type = VHOST_IOTLB_UPDATE,
	};
	struct vhost_iotlb_msg m;
	struct vhost_msg_v2 m2;

	test_need_ours();
	start();
	OK(vmm_iotlb_send(&n.vmm, &good));
	m = good;
	m.size = 0;
	FAILS(vmm_iotlb_send(&n.vmm, &m), EINVAL);
	m = good;
	m.iova = -2048ULL;
	FAILS(vmm_iotlb_send(&n.vmm, &m), EINVAL);
	m = good;
	m.iova = 1;
	m.size = ~0ULL;
	EXPECT(vmm_iotlb_send(&n.vmm, &m) < 0);
	m = good;
	m.uaddr = 0xffff800000000000ULL;
	FAILS(vmm_iotlb_send(&n.vmm, &m), EFAULT);
	m = good;
	m.uaddr = -2048ULL;
	FAILS(vmm_iotlb_send(&n.vmm, &m), EFAULT);
	m = good;
	m.perm = 0;
	FAILS(vmm_iotlb_send(&n.vmm, &m), EINVAL);
	m = good;
	m.perm = 4;
	FAILS(vmm_iotlb_send(&n.vmm, &m), EINVAL);
	m = good;
	m.type = VHOST_IOTLB_INVALIDATE;
	m.size = 0;
	FAILS(vmm_iotlb_send(&n.vmm, &m), EINVAL);
	m = good;
	m.type = VHOST_IOTLB_INVALIDATE;
	m.iova = -2048ULL;
	FAILS(vmm_iotlb_send(&n.vmm, &m), EINVAL);
	m = good;
	m.type = VHOST_IOTLB_MISS;
	FAILS(vmm_iotlb_send(&n.vmm, &m), EINVAL);
	m = good;
	m.type = 99;
	FAILS(vmm_iotlb_send(&n.vmm, &m), EINVAL);

	memset(&m2, 0, sizeof(m2));
	m2.type = VHOST_IOTLB_MSG_V2;
	m2.iotlb = good;
	EXPECT(write(n.vmm.fd, &m2, 71) < 0 && errno == EINVAL);
	EXPECT(write(n.vmm.fd, &m2, 4) < 0 && errno == EINVAL);
	m2.asid = 1;
	EXPECT(write(n.vmm.fd, &m2, sizeof(m2)) < 0 && errno == EINVAL);
	m2.asid = 0;
	m2.type = 3;
	EXPECT(write(n.vmm.fd, &m2, sizeof(m2)) < 0 && errno == EINVAL);
	EXPECT(write(n.vmm.fd, (void *)4096, sizeof(m2)) < 0 && errno == EFAULT);
	vnet_tx_check(&n, 0, 10, 60);
}

/* The very last address of all may be mapped. */
static void last_page(void)
{
	struct gseg seg = { -4096ULL, 72 };
	char *p;

	start();
	p = vmm_alloc(&n.vmm, 4096, 4096);
	memset(p, 0, 12);
	frame_fill(p + 12, 60, 3);
	OK(vmm_iotlb_update(&n.vmm, -4096ULL, 4096, p, RW));
	gring_add(&n.ring[VMM_TX], &seg, 1, 0, p);
	gring_kick(&n.ring[VMM_TX]);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 3);
}

static void needs_the_feature(void)
{
	test_need_ours();
	vnet_start(&n, NULL);
	FAILS(vmm_iotlb_update(&n.vmm, 0, 4096, n.vmm.region[0].hva, RW), EFAULT);
	FAILS(vmm_iotlb_invalidate(&n.vmm, 0, 4096), EFAULT);
}

static void not_the_owner(void)
{
	int pid;

	test_need_ours();
	start();
	pid = test_fork();
	if (!pid) {
		FAILS(vmm_iotlb_map_all(&n.vmm), EPERM);
		_exit(0);
	}
	test_join(pid);
}

static void read_errors(void)
{
	struct vhost_msg_v2 m;
	char *p;

	start();
	EXPECT(read(n.vmm.fd, &m, sizeof(m)) < 0 && errno == EAGAIN);
	p = hidden_page();
	add_tx(p, 1);
	gring_kick(&n.ring[VMM_TX]);
	struct pollfd pfd = { .fd = n.vmm.fd, .events = POLLIN };

	EXPECT_EQ(poll(&pfd, 1, WAIT_MS), 1);
	EXPECT(pfd.revents & POLLIN);
	test_need_ours();
	EXPECT(read(n.vmm.fd, &m, 71) < 0 && errno == EINVAL);
	/* The question is still there, and its padding says nothing. */
	memset(&m, 0xff, sizeof(m));
	EXPECT_EQ(read(n.vmm.fd, &m, sizeof(m)), sizeof(m));
	EXPECT_EQ(m.type, VHOST_IOTLB_MSG_V2);
	EXPECT_EQ(m.asid, 0);
	EXPECT_EQ(m.iotlb.type, VHOST_IOTLB_MISS);
	for (unsigned int i = sizeof(m.iotlb); i < sizeof(m.padding); i++)
		EXPECT_EQ(m.padding[i], 0);
	EXPECT_EQ(poll(&pfd, 1, 0), 0);
}

static bool sleeps(int pid)
{
	char path[32], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		fclose(f);
	}
	return state == 'S';
}

/* A reader that waits is woken by the question. */
static void blocking_read(void)
{
	struct vhost_msg_v2 m;
	char *p;
	int pid;

	start();
	p = hidden_page();
	EXPECT(!fcntl(n.vmm.fd, F_SETFL, 0));
	pid = test_fork();
	if (!pid) {
		EXPECT_EQ(read(n.vmm.fd, &m, sizeof(m)), sizeof(m));
		EXPECT_EQ(m.iotlb.iova & ~4095ULL, vnet_addr(&n, p));
		_exit(0);
	}
	EXPECT(test_until(sleeps(pid), WAIT_MS));
	add_tx(p, 1);
	gring_kick(&n.ring[VMM_TX]);
	test_join(pid);
}

/* A question that nobody read dies with the queue's stop. */
static void stop_forgets(void)
{
	struct vhost_iotlb_msg m;
	char *p;

	test_need_ours();
	start();
	p = hidden_page();
	add_tx(p, 1);
	gring_kick(&n.ring[VMM_TX]);
	struct pollfd pfd = { .fd = n.vmm.fd, .events = POLLIN };

	EXPECT_EQ(poll(&pfd, 1, WAIT_MS), 1);
	vnet_backend(&n, -1);
	EXPECT_EQ(vmm_iotlb_read(&n.vmm, &m, 0), -ETIMEDOUT);
	/* Started again it asks again. */
	vnet_backend(&n, n.tapfd);
	expect_miss(vnet_addr(&n, p), VHOST_ACCESS_RO);
	show(p, RW);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 1);
}

static const struct test tests[] = {
	TEST(traffic_v2), TEST(traffic_v1),
	TEST(forgotten_by_features),
	TEST(miss_tx), TEST(miss_rx), TEST_ONCE(miss_v1), TEST(miss_mid_batch),
	TEST(miss_many_pages), TEST(miss_indirect_table),
	TEST(permission), TEST(one_question),
	TEST(invalidate_under_load), TEST(update_replaces), TEST(invalidate_part),
	TEST(start_unmapped), TEST(ring_invalidated), TEST(scattered_ring),
	TEST_ONCE(entries_limit), TEST(batch), TEST_ONCE(bad_messages), TEST(last_page),
	TEST_ONCE(needs_the_feature), TEST_ONCE(not_the_owner),
	TEST_ONCE(read_errors), TEST_ONCE(blocking_read), TEST(stop_forgets),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
