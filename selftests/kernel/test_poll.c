// SPDX-License-Identifier: GPL-2.0
/* Adaptive busy polling: its modes, and a window that grows and shrinks. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"
#include "vnet.h"

#define N(a) (sizeof(a) / sizeof(*(a)))
#define WAIT_MS 10000
#define PARAMETER "/sys/module/vhost_core/parameters/poll_adaptive"
#define BOUND_US 1000000
#define ROUNDS 300

static struct vnet n;

static int set_mode(unsigned int vq, unsigned int mode)
{
	struct vhost_vring_state s = { .index = vq, .num = mode };

	return vmm_ioctl(&n.vmm, VHOST_EXT_SET_VRING_POLL_MODE, &s);
}

static int mode_of(unsigned int vq)
{
	struct vhost_vring_state s = { .index = vq, .num = 99 };

	OK(vmm_ioctl(&n.vmm, VHOST_EXT_GET_VRING_POLL_MODE, &s));
	return s.num;
}

static void set_parameter(char value)
{
	int fd = open(PARAMETER, O_WRONLY | O_CLOEXEC);

	EXPECT_EQ(write(fd, &value, 1), 1);
	close(fd);
}

static long long window(void)
{
	char val[32];

	OK(vmm_stat(&n.vmm, VMM_TX, "poll_window_ns", val, sizeof(val)));
	return atoll(val);
}

static void one_packet(void)
{
	vnet_tx_add(&n, 0, 60);
	gring_kick(&n.ring[VMM_TX]);
	EXPECT(vnet_tx_drain(&n, WAIT_MS));
}

static void modes(void)
{
	test_need_ours();
	OK(vmm_open(&n.vmm, NULL, 1 << 20));
	FAILS(set_mode(VMM_TX, VHOST_EXT_POLL_ADAPTIVE), EPERM);
	OK(vmm_set_owner(&n.vmm));
	EXPECT_EQ(mode_of(VMM_TX), VHOST_EXT_POLL_FIXED);
	OK(set_mode(VMM_TX, VHOST_EXT_POLL_ADAPTIVE));
	EXPECT_EQ(mode_of(VMM_TX), VHOST_EXT_POLL_ADAPTIVE);
	EXPECT_EQ(mode_of(VMM_RX), VHOST_EXT_POLL_FIXED);
	FAILS(set_mode(VMM_TX, VHOST_EXT_POLL_ADAPTIVE + 1), EINVAL);
	EXPECT_EQ(mode_of(VMM_TX), VHOST_EXT_POLL_ADAPTIVE);
	FAILS(set_mode(VMM_VQS, VHOST_EXT_POLL_ADAPTIVE), ENOBUFS);
	FAILS(vmm_ioctl(&n.vmm, VHOST_EXT_GET_VRING_POLL_MODE, (void *)4096), EFAULT);
	OK(set_mode(VMM_TX, VHOST_EXT_POLL_FIXED));
	EXPECT_EQ(mode_of(VMM_TX), VHOST_EXT_POLL_FIXED);
	OK(set_mode(VMM_TX, VHOST_EXT_POLL_ADAPTIVE));
	OK(vmm_reset_owner(&n.vmm));
	OK(vmm_set_owner(&n.vmm));
	EXPECT_EQ(mode_of(VMM_TX), VHOST_EXT_POLL_FIXED);
}

static void mode_of_new_devices(void)
{
	test_need_ours();
	set_parameter('Y');
	OK(vmm_open(&n.vmm, NULL, 1 << 20));
	set_parameter('N');
	OK(vmm_set_owner(&n.vmm));
	EXPECT_EQ(mode_of(VMM_RX), VHOST_EXT_POLL_ADAPTIVE);
	EXPECT_EQ(mode_of(VMM_TX), VHOST_EXT_POLL_ADAPTIVE);
}

/* A fixed window is what BUSYLOOP_TIMEOUT says, an adaptive one begins at 0. */
static void begins_with_nothing(void)
{
	test_need_ours();
	vnet_start(&n, NULL);
	OK(vmm_vring_busyloop(&n.vmm, VMM_TX, 7));
	EXPECT_EQ(window(), 7000);
	OK(set_mode(VMM_TX, VHOST_EXT_POLL_ADAPTIVE));
	EXPECT_EQ(window(), 0);
}

/* Work that comes soon lets it grow, to the bound and no further. */
static void grow_to_bound(void)
{
	unsigned int i;

	OK(vmm_vring_busyloop(&n.vmm, VMM_TX, BOUND_US));
	OK(set_mode(VMM_TX, VHOST_EXT_POLL_ADAPTIVE));
	for (i = 0; i < ROUNDS && window() < BOUND_US * 1000LL; i++)
		one_packet();
	EXPECT_EQ(window(), BOUND_US * 1000LL);
}

static void grows(void)
{
	long long grown;

	test_need_ours();
	vnet_start(&n, NULL);
	grow_to_bound();
	grown = vmm_counter(&n.vmm, VMM_TX, "poll_grown");
	/* From 2 us on it was doubled. */
	EXPECT(grown >= 20);
	one_packet();
	EXPECT_EQ(vmm_counter(&n.vmm, VMM_TX, "poll_grown"), grown);
	EXPECT(vmm_counter(&n.vmm, VMM_TX, "poll_hits") +
	       vmm_counter(&n.vmm, VMM_TX, "poll_misses") > 0);
	EXPECT_EQ(vmm_counter(&n.vmm, VMM_RX, "poll_grown"), 0);
}

/* Work that comes later than it may poll lets it shrink, to no polling at all. */
static void shrinks(void)
{
	long long misses;
	unsigned int i;

	test_need_ours();
	vnet_start(&n, NULL);
	grow_to_bound();
	/* Nothing comes within a microsecond of another packet. */
	OK(vmm_vring_busyloop(&n.vmm, VMM_TX, 1));
	EXPECT_EQ(window(), 1000);
	for (i = 0; i < ROUNDS && window(); i++)
		one_packet();
	EXPECT_EQ(window(), 0);
	EXPECT(vmm_counter(&n.vmm, VMM_TX, "poll_shrunk") >= 19);
	misses = vmm_counter(&n.vmm, VMM_TX, "poll_misses");
	for (i = 0; i < 10; i++)
		one_packet();
	EXPECT_EQ(vmm_counter(&n.vmm, VMM_TX, "poll_misses"), misses);
}

/* Whatever the window, everything arrives. */
static void under_load(void)
{
	unsigned int i;

	test_need_ours();
	vnet_start(&n, NULL);
	for (i = VMM_RX; i < VMM_VQS; i++) {
		OK(vmm_vring_busyloop(&n.vmm, i, 50));
		OK(set_mode(i, VHOST_EXT_POLL_ADAPTIVE));
	}
	for (i = 0; i < 10; i++) {
		vnet_tx_check(&n, 0, 100, 60);
		vnet_rx_check(&n, 0, 100, 60);
	}
}

static const struct test tests[] = {
	TEST_ONCE(modes), TEST_ONCE(mode_of_new_devices),
	TEST_ONCE(begins_with_nothing),
	TEST(grows), TEST(shrinks), TEST(under_load),
};

int main(int argc, char **argv)
{
	return test_main(tests, N(tests), argc, argv);
}
