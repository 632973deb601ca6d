// SPDX-License-Identifier: GPL-2.0
/*
 * Packets of which the data lies in pages that are used again.
 *
 * A page that comes from the kernel has to be cleared, lest it show what somebody
 * else had in it (init_on_alloc, which distributions turn on): half as much work
 * as the copy. Ours have had data to or from the same guest only, and of a packet
 * every byte is written before anybody sees it. A page's turn comes when all
 * packets in it have been read; if it has not yet, the packet is made the usual
 * way.
 */
#include <linux/mm.h>

#include "vsock.h"

#define PAGE_BYTES	(PAGE_SIZE << VHV_POOL_ORDER)

/* The page to take from, or NULL if it is in use still. */
static struct page *current_page(struct vhv_pool *pool, gfp_t gfp)
{
	struct page **at = &pool->page[pool->next];

	if (pool->used)
		return *at;
	if (!*at)
		*at = alloc_pages(gfp | __GFP_COMP | __GFP_NOWARN | __GFP_NORETRY,
				  VHV_POOL_ORDER);
	else if (page_ref_count(*at) != 1)
		return NULL;
	return *at;
}

/**
 * vhv_pool_add() - give a packet room for data
 * @pool: where from; calls are serialised by the caller
 * @skb: the packet, with nothing but its header
 * @len: bytes of data, at most VIRTIO_VSOCK_MAX_PKT_BUF_SIZE, to be written by the
 *	caller, all of them
 * @gfp: how to get pages, which are used again
 *
 * Return: false if there is none at the moment; the packet is to be freed then.
 */
bool vhv_pool_add(struct vhv_pool *pool, struct sk_buff *skb, u32 len, gfp_t gfp)
{
	unsigned int i;

	for (i = 0; len; i++) {
		struct page *page = current_page(pool, gfp);
		u32 n = min_t(u32, len, PAGE_BYTES - pool->used);

		if (!page)
			return false;
		get_page(page);
		skb_add_rx_frag(skb, i, page, pool->used, n, n);
		len -= n;
		/* Pieces begin at whole cache lines. */
		pool->used = ALIGN(pool->used + n, SMP_CACHE_BYTES);
		if (pool->used == PAGE_BYTES) {
			pool->used = 0;
			pool->next = (pool->next + 1) % VHV_POOL_PAGES;
		}
	}
	return true;
}

/* Nobody takes from it any more. */
void vhv_pool_exit(struct vhv_pool *pool)
{
	unsigned int i;

	for (i = 0; i < VHV_POOL_PAGES; i++) {
		if (pool->page[i])
			put_page(pool->page[i]);
	}
}
