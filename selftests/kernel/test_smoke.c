// SPDX-License-Identifier: GPL-2.0
/* The library itself: packets go both ways, in each ring flavour. */
#include "test.h"
#include "vnet.h"

static void both_ways(const struct vnet_conf *conf)
{
	struct vnet n;

	vnet_start(&n, conf);
	vnet_tx_check(&n, 100, 600, 60);
	vnet_rx_check(&n, 9000, 600, 1514);
	vnet_stop(&n);
}

static void default_features(void)
{
	both_ways(NULL);
}

static void no_features(void)
{
	both_ways(&(struct vnet_conf){ .legacy = true });
}

static void through_iommu(void)
{
	both_ways(&(struct vnet_conf){ .iommu = true });
}

static const struct test tests[] = {
	TEST(default_features),
	TEST_ONCE(no_features),
	TEST(through_iommu),
};

int main(int argc, char **argv)
{
	return test_main(tests, sizeof(tests) / sizeof(*tests), argc, argv);
}
