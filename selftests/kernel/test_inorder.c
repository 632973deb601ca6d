// SPDX-License-Identifier: GPL-2.0
/*
 * VIRTIO_F_IN_ORDER, split and packed: what was sent is used in batches of one
 * entry, what was received by an entry each; the driver's rules are in gdrv.h,
 * and it checks them at every buffer that it takes.
 */
#include <errno.h>
#include <string.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000
#define BATCH 64	/* what the device takes at once */

static struct vnet n;

/* The same numbers in every run. */
static unsigned int some(unsigned int below)
{
	static __u32 state = 1;

	state = state * 1664525 + 1013904223;
	return (state >> 16) % below;
}

/* Frame @seq in @nr descriptors, or in a table of as many entries. */
static int add_chain(__u32 seq, unsigned int nr, bool indirect)
{
	struct gring *r = &n.ring[VMM_TX];
	unsigned int i, len = n.hdr_len + 60, at = 0;
	struct gseg seg[8];
	char *buf;

	if (r->nr_free < (indirect ? 1 : nr))
		return -1;
	buf = vnet_buf(&n, VMM_TX);
	memset(buf, 0, n.hdr_len);
	frame_fill(buf + n.hdr_len, 60, seq);
	for (i = 0; i < nr; i++) {
		seg[i].addr = vnet_addr(&n, buf + at);
		seg[i].len = i + 1 < nr ? 7 : len - at;
		at += seg[i].len;
	}
	return indirect ? gring_add_indirect(r, seg, nr, 0, buf) :
			  gring_add(r, seg, nr, 0, buf);
}

/* Used entries among the first @count ones of a ring: those that were written. */
static unsigned int entries(const struct gring *r, unsigned int count)
{
	unsigned int i, written = 0;

	for (i = 0; i < count; i++)
		if (r->packed)
			written += gpacked_is_used(r, GPACKED_WRAP | i);
		else
			written += r->used->ring[i].id != ~0u;
	return written;
}

/* All there before the queue starts, so that the device finds them at once. */
static void one_entry_a_batch(void)
{
	struct gring *r = &n.ring[VMM_TX];
	unsigned int i;

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	for (i = 0; i < BATCH; i++) {
		EXPECT(vnet_tx_add(&n, i, 60) >= 0);
		if (!r->packed)
			r->used->ring[i].id = ~0u;
	}
	gring_publish(r);
	vnet_backend(&n, n.tapfd);
	for (i = 0; i < BATCH; i++)
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
	EXPECT(test_until(gring_pending(r) == BATCH, WAIT_MS));
	if (test_ours())
		EXPECT_EQ(entries(r, BATCH), 1);
	EXPECT_EQ(vnet_tx_reap(&n), BATCH);
	/* The next entry is at the slot behind the whole batch. */
	vnet_tx_check(&n, 100, 300, 60);
}

/* Chains of several descriptors: batches count buffers, slots descriptors. */
static void batches_of_chains(void)
{
	static const __u16 sizes[] = { 8, 64, 256 };
	struct gring *r = &n.ring[VMM_TX];
	unsigned int i, sent, seen;

	for (i = 0; i < N(sizes); i++) {
		vnet_start(&n, &(struct vnet_conf){ .num = sizes[i] });
		for (sent = seen = 0; seen < 1500;) {
			unsigned int burst = 1 + some(2 * BATCH);

			while (burst-- && add_chain(sent, 1 + some(6), !some(3)) >= 0)
				sent++;
			gring_kick(r);
			for (; seen < sent; seen++)
				EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), seen);
			/* Not always all of them: batches begin anywhere. */
			if (some(3))
				EXPECT(vnet_tx_drain(&n, WAIT_MS));
			else
				vnet_tx_reap(&n);
		}
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
		vnet_stop(&n);
	}
}

/*
 * Stopped in the middle of work: the base tells buffers in a split ring, and
 * where the next chain's head is follows from the ring alone.
 */
static void stop_start_chains(void)
{
	struct gring *r = &n.ring[VMM_TX];
	unsigned int sent = 0, used = 0, seen = 0, base, i;

	vnet_start(&n, &(struct vnet_conf){ .num = 128 });
	for (i = 0; seen < 2000; i++) {
		unsigned int burst = 1 + some(60);

		while (burst-- && add_chain(sent, 1 + some(6), !some(4)) >= 0)
			sent++;
		gring_kick(r);
		OK(vmm_net_backend(&n.vmm, VMM_TX, -1));
		OK(vmm_get_vring_base(&n.vmm, VMM_TX, &base));
		EXPECT_EQ(base, gring_stopped_base(r));
		used += vnet_tx_reap(&n);
		for (; seen < used; seen++)
			EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), seen);
		EXPECT_EQ(vnet_host_recv(&n, NULL, 0), -ETIMEDOUT);
		OK(vmm_vring_base(&n.vmm, VMM_TX, base));
		OK(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd));
		if (i % 4 == 0) {
			EXPECT(vnet_tx_drain(&n, WAIT_MS));
			used = sent;
		}
		if (i > 10000)
			test_fail("no progress");
	}
}

/* The same on another device, as after a migration. */
static void moves_to_another_device(void)
{
	unsigned int sent = 0, base[VMM_VQS], i, vq;
	__u64 features;

	vnet_start(&n, &(struct vnet_conf){ .num = 64 });
	features = n.features;
	for (i = 0; i < 20; i++) {
		unsigned int burst = 5 + some(20), first = sent;

		while (burst-- && add_chain(sent, 1 + some(3), false) >= 0)
			sent++;
		gring_kick(&n.ring[VMM_TX]);
		for (; first < sent; first++)
			EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), first);
		vnet_rx_check(&n, i * 10, 10, 60);
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
		vnet_backend(&n, -1);
		for (vq = 0; vq < VMM_VQS; vq++) {
			OK(vmm_get_vring_base(&n.vmm, vq, &base[vq]));
			EXPECT_EQ(base[vq], gring_stopped_base(&n.ring[vq]));
		}
		OK(vmm_reset_owner(&n.vmm));
		OK(vmm_set_owner(&n.vmm));
		OK(vmm_set_features(&n.vmm, features));
		OK(vmm_set_mem_table(&n.vmm));
		for (vq = 0; vq < VMM_VQS; vq++) {
			OK(gring_attach(&n.ring[vq], &n.vmm, vq));
			OK(vmm_vring_base(&n.vmm, vq, base[vq]));
		}
		vnet_backend(&n, n.tapfd);
	}
}

/* Received packets in chains and over several buffers: an entry for each buffer. */
static void rx_entries(void)
{
	struct gring *r = &n.ring[VMM_RX];
	unsigned int i, k, base, seq = 0;
	char out[4096];

	vnet_start(&n, NULL);
	OK(netdev_mtu(n.tap, 3000));
	for (i = 0; i < 60; i++) {
		unsigned int count = 1 + some(8);

		while (r->nr_free >= 4) {
			unsigned int nr = 1 + some(4);
			char *buf = vnet_buf(&n, VMM_RX);
			struct gseg seg[4];

			/* The header never on its own: 400 bytes in all. */
			for (k = 0; k < nr; k++)
				seg[k] = (struct gseg){
					vnet_addr(&n, buf + k * 400 / nr),
					(k + 1) * 400 / nr - k * 400 / nr };
			if (some(3))
				EXPECT(gring_add(r, seg, 0, nr, buf) >= 0);
			else
				EXPECT(gring_add_indirect(r, seg, 0, nr, buf) >= 0);
		}
		gring_kick(r);
		for (k = 0; k < count; k++)
			vnet_host_send(&n, seq + k, k % 2 ? 60 : 2500);
		for (k = 0; k < count; k++, seq++) {
			unsigned int len = k % 2 ? 60 : 2500;

			EXPECT_EQ(vnet_rx_recv(&n, out, sizeof(out), WAIT_MS),
				  n.hdr_len + len);
			EXPECT_EQ(frame_check(out + n.hdr_len, len), seq);
		}
		if (i % 5)
			continue;
		OK(vmm_net_backend(&n.vmm, VMM_RX, -1));
		OK(vmm_get_vring_base(&n.vmm, VMM_RX, &base));
		EXPECT_EQ(base, gring_stopped_base(r));
		OK(vmm_net_backend(&n.vmm, VMM_RX, n.tapfd));
	}
}

/*
 * A chain that the device could have written to, and did not: passed over, it
 * would count as written to its end.
 */
static void refused_is_no_hole(void)
{
	struct gring *r = &n.ring[VMM_TX];
	struct gseg seg[2];
	unsigned int i;
	char *buf;

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	buf = vmm_alloc(&n.vmm, 4096, 4096);
	memset(buf, 0, 4096);
	seg[0] = (struct gseg){ vnet_addr(&n, buf), 72 };
	seg[1] = (struct gseg){ vnet_addr(&n, buf + 100), 72 };
	for (i = 0; i < 30; i++) {
		if (i % 10 == 5)
			EXPECT(gring_add(r, seg, 1, 1, NULL) >= 0);
		else
			EXPECT(vnet_tx_add(&n, i, 60) >= 0);
	}
	gring_publish(r);
	vnet_backend(&n, n.tapfd);
	for (i = 0; i < 30; i++)
		if (i % 10 != 5)
			EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
	/* All used with length 0, says vnet_tx_reap(). */
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	if (test_ours())
		EXPECT_EQ(vmm_counter(&n.vmm, VMM_TX, "tx_writable"), 3);
}

/* The event is in the middle of a batch, at its ends, and just behind it. */
static void event_within_batch(void)
{
	static const struct {
		__u16 ahead;
		bool call;
	} at[] = {
		{ 0, true }, { 1, true }, { 31, true }, { BATCH - 2, true },
		{ BATCH - 1, true }, { BATCH, false }, { BATCH + 100, false },
	};
	struct gring *r = &n.ring[VMM_TX];
	unsigned int i, k;

	vnet_start(&n, NULL);
	vnet_tx_check(&n, 0, 10, 60);
	for (i = 0; i < N(at); i++) {
		OK(vmm_vring_err(&n.vmm, VMM_TX, r->err));
		evt_wait(r->call, 0);
		gring_call_at(r, at[i].ahead);
		for (k = 0; k < BATCH; k++)
			EXPECT(vnet_tx_add(&n, k, 60) >= 0);
		gring_kick(r);
		EXPECT(test_until(gring_pending(r) == BATCH, WAIT_MS));
		/* Until its turn is over it may not have decided yet. */
		OK(vmm_vring_err(&n.vmm, VMM_TX, r->err));
		EXPECT_EQ(evt_wait(r->call, 0), at[i].call);
		EXPECT_EQ(vnet_tx_reap(&n), BATCH);
		for (k = 0; k < BATCH; k++)
			EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), k);
	}
}

static void busy_polling(void)
{
	unsigned int i;

	vnet_start(&n, NULL);
	OK(vmm_vring_busyloop(&n.vmm, VMM_TX, 500));
	OK(vmm_vring_busyloop(&n.vmm, VMM_RX, 500));
	for (i = 0; i < 5; i++) {
		vnet_tx_check(&n, 0, 200, 60);
		vnet_rx_check(&n, 0, 200, 60);
	}
	vnet_backend(&n, -1);
	vnet_backend(&n, n.tapfd);
	vnet_tx_check(&n, 0, 200, 60);
	vnet_rx_check(&n, 0, 200, 60);
}

/* A guest address that has to be asked for splits the batch, and none is lost. */
static void miss_in_batch(void)
{
	struct gring *r = &n.ring[VMM_TX];
	struct vhost_iotlb_msg m;
	struct gseg seg;
	unsigned int i;
	char *p;

	vnet_start(&n, &(struct vnet_conf){ .iommu = true });
	OK(vmm_add_region(&n.vmm, VMM_GPA + (1 << 30), 4096));
	p = vmm_alloc_in(&n.vmm, 1, 4096, 4096);
	memset(p, 0, n.hdr_len);
	frame_fill(p + n.hdr_len, 60, 20);
	seg = (struct gseg){ vnet_addr(&n, p), n.hdr_len + 60 };
	for (i = 0; i < 40; i++)
		if (i == 20)
			EXPECT(gring_add(r, &seg, 1, 0, p) >= 0);
		else
			EXPECT(add_chain(i, 1 + some(3), false) >= 0);
	gring_kick(r);
	OK(vmm_iotlb_read(&n.vmm, &m, WAIT_MS));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
	EXPECT(test_until(gring_pending(r) == 20, WAIT_MS));
	OK(vmm_iotlb_update(&n.vmm, vnet_addr(&n, p), 4096, p, VHOST_ACCESS_RO));
	for (i = 20; i < 40; i++)
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
}

#define IN_ORDER(fn) TEST_WITH(fn, TEST_IN_ORDER)

static const struct test tests[] = {
	IN_ORDER(one_entry_a_batch), IN_ORDER(batches_of_chains),
	IN_ORDER(stop_start_chains), IN_ORDER(moves_to_another_device),
	IN_ORDER(rx_entries), IN_ORDER(refused_is_no_hole),
	TEST_WITH(event_within_batch, TEST_IN_ORDER | TEST_EVENT_IDX),
	IN_ORDER(busy_polling), IN_ORDER(miss_in_batch),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
