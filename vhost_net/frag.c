// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers for packets on their way to the backend.
 *
 * They are cut from large pages; the network stack gives each back by dropping
 * a page reference. We hold many references of a page from the start and give
 * one away with every buffer: no atomic operation per packet. Pages take turns;
 * when one comes round again and all its buffers have come back, it is used
 * once more, neither freed nor allocated nor cleared. What is left in it is
 * this guest's own.
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "net.h"

#define FRAG_ORDER	3
#define FRAG_SIZE	(PAGE_SIZE << FRAG_ORDER)
#define FRAG_REFS	(1u << 20)

static bool fresh_page(struct vhn_frag_page *p)
{
	struct page *page;

	page = alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_COMP | __GFP_NOWARN |
			   __GFP_NORETRY, FRAG_ORDER);
	if (!page)
		return false;
	page_ref_add(page, FRAG_REFS - 1);
	p->page = page;
	p->refs = FRAG_REFS;
	return true;
}

static void drop_page(struct vhn_frag_page *p)
{
	if (!p->page)
		return;
	__page_frag_cache_drain(p->page, p->refs);
	p->page = NULL;
}

/*
 * Make the next page current, with all its buffers free. Without one nothing is
 * left of the old one either: no buffer until there is memory again.
 */
bool vhn_frag_refill(struct vhn_frag *frag)
{
	struct vhn_frag_page *p = frag->cur ? frag->cur + 1 : frag->page;

	if (p == frag->page + VHN_FRAG_PAGES)
		p = frag->page;
	frag->cur = p;
	frag->left = 0;
	if (!p->page || page_ref_count(p->page) != p->refs ||
	    p->refs <= FRAG_REFS / 2 || page_is_pfmemalloc(p->page)) {
		drop_page(p);
		if (!fresh_page(p))
			return false;
	}
	frag->base = page_address(p->page);
	frag->left = FRAG_SIZE;
	return true;
}

/* Free a buffer as the network stack does. */
void vhn_frag_free(void *buf)
{
	put_page(virt_to_head_page(buf));
}

void vhn_frag_exit(struct vhn_frag *frag)
{
	unsigned int i;

	for (i = 0; i < VHN_FRAG_PAGES; i++)
		drop_page(&frag->page[i]);
	frag->left = 0;
}
