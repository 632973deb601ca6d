// SPDX-License-Identifier: GPL-2.0
/*
 * Packed rings, section 2.8: what is particular to the layout. What holds for
 * rings of either kind is tested by the other programs, in packed modes.
 */
#include <stdint.h>
#include <unistd.h>

#include "bad.h"
#include "test.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS BAD_WAIT_MS

/* ---- places ---------------------------------------------------------------- */

/* Frame @seq in @nr descriptors. */
static void add_chain(__u32 seq, unsigned int nr)
{
	unsigned int i, len = n.hdr_len + 60, at = 0;
	struct gseg seg[16];
	char *buf = vnet_buf(&n, VMM_TX);

	memset(buf, 0, n.hdr_len);
	frame_fill(buf + n.hdr_len, 60, seq);
	for (i = 0; i < nr; i++) {
		seg[i].addr = vnet_addr(&n, buf + at);
		seg[i].len = i + 1 < nr ? 4 : len - at;
		at += seg[i].len;
	}
	EXPECT(gring_add(&n.ring[VMM_TX], seg, nr, 0, buf) >= 0);
}

static void send_chain(__u32 seq, unsigned int nr)
{
	add_chain(seq, nr);
	gring_kick(&n.ring[VMM_TX]);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), seq);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
}

/* Chains of each length that begin at each slot, with either wrap counter. */
static void chains_across_wrap(void)
{
	unsigned int place, nr, seq = 0;

	vnet_start(&n, &(struct vnet_conf){ .num = 8 });
	for (place = 0; place < 16; place++) {
		for (nr = 1; nr <= 8; nr++) {
			vnet_restart(&n, VMM_TX, place);
			send_chain(seq++, nr);
			send_chain(seq++, 9 - nr);
		}
	}
}

static void rx_chains_across_wrap(void)
{
	struct gring *ring = &n.ring[VMM_RX];
	unsigned int place, nr, i, seq = 0;
	struct gseg seg[8];
	void *token;
	__u32 len;

	vnet_start(&n, &(struct vnet_conf){ .num = 8 });
	for (place = 0; place < 16; place++) {
		for (nr = 1; nr <= 8; nr += 1 + place % 2, seq++) {
			char *buf = vnet_buf(&n, VMM_RX);

			vnet_restart(&n, VMM_RX, place);
			for (i = 0; i < nr; i++)
				seg[i] = (struct gseg){
					vnet_addr(&n, buf + i * 15),
					i + 1 < nr ? 15 : 200 };
			EXPECT(gring_add(ring, seg, 0, nr, buf) >= 0);
			gring_kick(ring);
			vnet_host_send(&n, seq, 60);
			EXPECT(gring_pending(ring) || gring_wait(ring, WAIT_MS));
			EXPECT(gring_get(ring, &len, &token) >= 0);
			EXPECT_EQ(len, 72);
			EXPECT_EQ(frame_check(buf + 12, 60), seq);
		}
	}
}

/* Once round for each slot that a ring may be taken up at. */
static void restart_everywhere(void)
{
	unsigned int place;

	vnet_start(&n, &(struct vnet_conf){ .num = 16 });
	for (place = 0; place < 32; place++) {
		vnet_restart(&n, VMM_TX, place);
		vnet_restart(&n, VMM_RX, place);
		vnet_tx_check(&n, 0, 20, 60);
		vnet_rx_check(&n, 0, 20, 60);
	}
}

/* As QEMU does it: both halves are where it left them, on a new device. */
static void base_of_qemu(void)
{
	unsigned int base[VMM_VQS], i, vq;
	__u64 features;

	vnet_start(&n, &(struct vnet_conf){ .num = 16 });
	features = n.features;
	for (vq = 0; vq < VMM_VQS; vq++) {
		OK(vmm_get_vring_base(&n.vmm, vq, &base[vq]));
		EXPECT_EQ(base[vq], 0x80008000);
	}
	for (i = 0; i < 12; i++) {
		vnet_tx_check(&n, i, 1 + i, 60);
		send_chain(i, 1 + i);
		vnet_rx_check(&n, i, 2 * i, 60);
		vnet_backend(&n, -1);
		for (vq = 0; vq < VMM_VQS; vq++) {
			OK(vmm_get_vring_base(&n.vmm, vq, &base[vq]));
			EXPECT_EQ(base[vq], gring_stopped_base(&n.ring[vq]));
			EXPECT_EQ(base[vq] >> 16, base[vq] & 0xffff);
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

/* As DPDK does it: the lower half of a fresh ring, and no upper half. */
static void base_of_dpdk(void)
{
	unsigned int vq, base;

	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	for (vq = 0; vq < VMM_VQS; vq++)
		OK(vmm_vring_base(&n.vmm, vq, 0x8000));
	vnet_backend(&n, n.tapfd);
	vnet_tx_check(&n, 0, 300, 60);
	vnet_rx_check(&n, 0, 300, 60);
	vnet_backend(&n, -1);
	for (vq = 0; vq < VMM_VQS; vq++) {
		OK(vmm_get_vring_base(&n.vmm, vq, &base));
		EXPECT_EQ(base, gring_stopped_base(&n.ring[vq]));
	}
}

/* Slots outside of the ring are refused when the queue is to start. */
static void base_outside(void)
{
	static const unsigned int bad[] = {
		0x80008010, 0x80108000, 0x80000010, 0x00108000, 0xffffffff,
	};
	unsigned int i;

	test_need_ours();
	vnet_start(&n, &(struct vnet_conf){ .num = 16, .no_backend = true });
	for (i = 0; i < N(bad); i++) {
		OK(vmm_vring_base(&n.vmm, VMM_TX, bad[i]));
		FAILS(vmm_net_backend(&n.vmm, VMM_TX, n.tapfd), EINVAL);
	}
	vnet_restart(&n, VMM_TX, 15);
	vnet_tx_check(&n, 0, 20, 60);
}

/* The event suppression areas are aligned to 4 bytes (2.8.10.1). */
static void events_misaligned(void)
{
	struct gring *ring = &n.ring[VMM_TX];
	struct vring_packed_desc_event *driver;
	int err;

	test_need_ours();
	vnet_start(&n, &(struct vnet_conf){ .no_backend = true });
	driver = ring->driver;
	ring->driver = (void *)((char *)driver + 2);
	err = gring_set_addr(ring, &n.vmm, VMM_TX, 0, 0);
	/* Refused here, or at the latest when the queue is to start. */
	if (!err)
		err = vmm_net_backend(&n.vmm, VMM_TX, n.tapfd);
	EXPECT_EQ(err, -EINVAL);
	ring->driver = driver;
	vnet_restart(&n, VMM_TX, 0);
	vnet_tx_check(&n, 0, 20, 60);
}

/* RING_RESET as the VMM does it, in the middle of a round and of work. */
static void ring_reset(void)
{
	unsigned int i, k;

	vnet_start(&n, &(struct vnet_conf){ .num = 32 });
	for (i = 0; i < 20; i++) {
		vnet_tx_check(&n, 0, 10 + 3 * i, 60);
		for (k = 0; k < 5; k++)
			vnet_tx_add(&n, 1000 + k, 60);
		gring_kick(&n.ring[VMM_TX]);
		vnet_rx_post(&n, 7);
		vnet_restart(&n, VMM_TX, 0);
		vnet_restart(&n, VMM_RX, 0);
		while (vnet_host_recv(&n, NULL, 0) >= 0)
			;
		vnet_rx_check(&n, 0, 10, 60);
	}
}

/* ---- ids ------------------------------------------------------------------- */

/*
 * What ids are is the driver's business: the one in the last descriptor of the
 * chain comes back as it is, in the slot of the first one.
 */
static void id_is_returned(void)
{
	static const __u16 ids[] = { 0, 255, 7, 7, 256, 0x7fff, 0x8000, 0xffff };
	struct gring *ring = &n.ring[VMM_TX];
	unsigned int i, slot = 0;

	vnet_start(&n, NULL);
	for (i = 0; i < N(ids); i++) {
		char *buf = vnet_buf(&n, VMM_TX);
		__u64 addr = vnet_addr(&n, buf);
		__u16 pos = GPACKED_WRAP | slot;

		memset(buf, 0, 12);
		frame_fill(buf + 12, 60, i);
		if (i % 2) {
			gpacked_put(ring, addr, 12, ~ids[i], NEXT);
			gpacked_put(ring, addr + 12, 60, ids[i], 0);
		} else {
			gpacked_put(ring, addr, 72, ids[i], 0);
		}
		gring_kick(ring);
		EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), i);
		EXPECT(test_until(gpacked_is_used(ring, pos), WAIT_MS));
		EXPECT_EQ(ring->pdesc[slot].id, ids[i]);
		EXPECT_EQ(ring->pdesc[slot].len, 0);
		EXPECT_EQ(ring->pdesc[slot].flags & WRITE, 0);
		/* The second one stays the driver's. */
		if (i % 2)
			EXPECT_EQ(ring->pdesc[slot + 1].flags,
				  gpacked_avail_bits(pos));
		slot += 1 + i % 2;
	}
}

/* Only used descriptors are written, and of these the first one of a chain. */
static void nothing_else_is_written(void)
{
	struct gring *ring = &n.ring[VMM_TX];
	struct vring_packed_desc before[16];
	unsigned int i;

	vnet_start(&n, &(struct vnet_conf){ .num = 16 });
	add_chain(1, 5);
	memcpy(before, ring->pdesc, sizeof(before));
	before[0].flags = ring->hidden;
	gring_kick(ring);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 1);
	EXPECT(test_until(gring_pending(ring) == 1, WAIT_MS));
	EXPECT_EQ(ring->pdesc[0].addr, before[0].addr);
	for (i = 1; i < 16; i++)
		EXPECT(!memcmp(&ring->pdesc[i], &before[i], 16));
}

/* ---- indirect tables -------------------------------------------------------- */

/* Ids and flags mean nothing in a table, but for WRITE (2.8.7). */
static void indirect_table_is_a_list(void)
{
	struct vring_packed_desc *t;
	struct gring *ring = &n.ring[VMM_TX];
	unsigned int i;
	char *buf;

	vnet_start(&n, NULL);
	buf = vnet_buf(&n, VMM_TX);
	memset(buf, 0, 12);
	frame_fill(buf + 12, 60, 5);
	t = (void *)ring->table;
	for (i = 0; i < 8; i++)
		t[i] = (struct vring_packed_desc){
			vnet_addr(&n, buf + i * 9), 9, 0x1234,
			i % 2 ? (__u16)~WRITE : 0 };
	gpacked_take_id(ring, 1, 0, buf);
	gpacked_put(ring, ring->table_addr, 8 * 16, 255, INDIRECT | WRITE);
	gring_kick(ring);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 5);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
}

/* ---- events ---------------------------------------------------------------- */

static void settle(void)
{
	OK(vmm_vring_err(&n.vmm, VMM_TX, n.ring[VMM_TX].err));
}

/* One packet, used, and no more to be decided about it. */
static void send_one(__u32 seq)
{
	struct gring *ring = &n.ring[VMM_TX];
	unsigned int before = gring_pending(ring);

	EXPECT(vnet_tx_add(&n, seq, 60) >= 0);
	gring_kick(ring);
	EXPECT(test_until(gring_pending(ring) == before + 1, WAIT_MS));
	settle();
}

static void start_for_events(unsigned int place)
{
	struct gring *ring = &n.ring[VMM_TX];

	vnet_start(&n, &(struct vnet_conf){ .num = 16 });
	/* Nobody has to read what is sent. */
	close(n.sock);
	n.sock = -1;
	vnet_restart(&n, VMM_TX, place);
	/* The first decision after a start may be on the safe side. */
	send_one(0);
	EXPECT_EQ(vnet_tx_reap(&n), 1);
	evt_wait(ring->call, 0);
}

/* The interrupt comes with the descriptor that was named, and only with it. */
static void call_at_descriptor(void)
{
	static const __u16 places[] = { 0, 6, 14, 15, 16, 30 };
	static const unsigned int ahead[] = { 0, 3, 14 };
	struct gring *ring = &n.ring[VMM_TX];
	unsigned int i, k, seq;

	for (i = 0; i < N(places); i++) {
		start_for_events(places[i]);
		for (k = 0; k < N(ahead); k++) {
			gring_call_at(ring, ahead[k]);
			for (seq = 0; seq < 15; seq++) {
				send_one(seq);
				EXPECT_EQ(evt_wait(ring->call, 0), seq == ahead[k]);
			}
			EXPECT_EQ(vnet_tx_reap(&n), 15);
		}
		vnet_stop(&n);
	}
}

/* The same slot, but a round later: nothing, until the ring has gone round. */
static void call_a_round_later(void)
{
	struct gring *ring = &n.ring[VMM_TX];
	unsigned int seq;

	start_for_events(3);
	/* At slot 4 now; slot 4 of the next round is 16 further. */
	ring->driver->off_wrap = ring->last_used ^ GPACKED_WRAP;
	__atomic_store_n(&ring->driver->flags, VRING_PACKED_EVENT_FLAG_DESC,
			 __ATOMIC_SEQ_CST);
	for (seq = 0; seq < 17; seq++) {
		send_one(seq);
		EXPECT_EQ(vnet_tx_reap(&n), 1);
		EXPECT_EQ(evt_wait(ring->call, 0), seq == 16);
	}
}

/* A chain passes the event if any of its descriptors is the one. */
static void call_within_chain(void)
{
	struct gring *ring = &n.ring[VMM_TX];
	unsigned int i;

	for (i = 0; i < 6; i++) {
		start_for_events(12);
		gring_call_at(ring, i);
		add_chain(1, 5);
		gring_kick(ring);
		EXPECT(test_until(gring_pending(ring) == 1, WAIT_MS));
		settle();
		EXPECT_EQ(evt_wait(ring->call, 0), i < 5);
		vnet_stop(&n);
	}
}

static void call_enabled_and_disabled(void)
{
	struct gring *ring = &n.ring[VMM_TX];
	unsigned int seq;

	start_for_events(10);
	for (seq = 0; seq < 40; seq++) {
		bool on = seq / 3 % 2;

		__atomic_store_n(&ring->driver->flags,
				 on ? VRING_PACKED_EVENT_FLAG_ENABLE :
				      VRING_PACKED_EVENT_FLAG_DISABLE,
				 __ATOMIC_SEQ_CST);
		/* Of no account in these modes. */
		ring->driver->off_wrap = ring->last_used;
		send_one(seq);
		EXPECT_EQ(vnet_tx_reap(&n), 1);
		EXPECT_EQ(evt_wait(ring->call, 0), on);
	}
}

/* What an idle device asks for, at each place of the ring. */
static void kick_at_descriptor(void)
{
	struct gring *ring = &n.ring[VMM_TX];
	unsigned int seq;

	start_for_events(0);
	for (seq = 0; seq < 40; seq++) {
		EXPECT(test_until(gring_kick_wanted(ring), WAIT_MS));
		if (!ring->event_idx)
			EXPECT_EQ(ring->device->flags,
				  VRING_PACKED_EVENT_FLAG_ENABLE);
		EXPECT(vnet_tx_add(&n, seq, 60) >= 0);
		/* It is the only one, so there is no packet without. */
		EXPECT(gring_kick(ring));
		EXPECT(vnet_tx_drain(&n, WAIT_MS));
		settle();
	}
}

/* A device that polls does not want to be told. */
static void kick_disabled_while_polling(void)
{
	struct gring *ring = &n.ring[VMM_TX];
	bool wanted = true;
	unsigned int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		test_skip("one CPU only: nobody polls while another wants it");
	start_for_events(0);
	OK(vmm_vring_busyloop(&n.vmm, VMM_TX, 200000));
	/* An interrupt would wake us, and that might end the polling. */
	gring_call_disable(ring);
	for (i = 0; i < 2000 && wanted; i++) {
		EXPECT(vnet_tx_add(&n, i, 60) >= 0);
		wanted = gring_kick(ring);
		EXPECT(test_until(gring_pending(ring) == 1, WAIT_MS));
		EXPECT_EQ(vnet_tx_reap(&n), 1);
	}
	EXPECT(!wanted);
}

/* ---- flags ----------------------------------------------------------------- */

/* Whatever else is in flags: these bits mean nothing. */
static void reserved_flags(void)
{
	char *buf;

	bad_start(VMM_TX, NULL);
	buf = vnet_buf(&n, VMM_TX);
	memset(buf, 0, 12);
	frame_fill(buf + 12, 60, 9);
	gpacked_take_id(r, 1, 0, buf);
	gpacked_put(r, vnet_addr(&n, buf), 72, 255, 0x7f78);
	gring_kick(r);
	EXPECT_EQ(vnet_host_recv(&n, NULL, WAIT_MS), 9);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
	bad_counted_once("");
}

#define PACKED(fn) TEST_WITH(fn, TEST_PACKED)
#define PACKED_EVENT(fn) TEST_WITH(fn, TEST_PACKED | TEST_EVENT_IDX)

static const struct test tests[] = {
	PACKED(chains_across_wrap), PACKED(rx_chains_across_wrap),
	PACKED(restart_everywhere), PACKED(base_of_qemu), PACKED(base_of_dpdk),
	PACKED(base_outside), PACKED(events_misaligned),
	PACKED(ring_reset), PACKED(id_is_returned),
	PACKED(nothing_else_is_written), PACKED(indirect_table_is_a_list),
	PACKED_EVENT(call_at_descriptor), PACKED_EVENT(call_a_round_later),
	PACKED_EVENT(call_within_chain), PACKED(call_enabled_and_disabled),
	PACKED(kick_at_descriptor), PACKED(kick_disabled_while_polling),
	PACKED(reserved_flags),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
