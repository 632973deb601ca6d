// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: which pages of guest memory we wrote to, for a VMM that
 * migrates the guest while it runs.
 *
 * The log is a bitmap in the VMM's memory, a bit for every VHOST_PAGE_SIZE
 * bytes of guest address, set by us and cleared by the VMM at any time. A bit
 * is set after the write that it tells of and before the guest is told: a page
 * copied too early is copied again.
 *
 * What we know at the time of a write is the VMM's address. The memory table
 * says which guest addresses that is (several, if the VMM aliases memory), with
 * and without an IOTLB in between.
 */
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <asm/futex.h>

#include "internal.h"

#define PAGES_PER_WORD	32

/* Set bits in one 32-bit word of the log, atomically against the VMM. */
static int set_bits(u32 __user *word, __le32 bits)
{
	int oldval, err;

	err = arch_futex_atomic_op_inuser(FUTEX_OP_OR, (__force int)bits, &oldval, word);
	return err == -EAGAIN ? -EFAULT : err;
}

/* Mark guest addresses @addr to @addr + @len - 1; @len is not 0. */
static int log_guest(struct vhc_dev *dev, u64 addr, u64 len)
{
	u64 page = addr / VHOST_PAGE_SIZE;
	u64 last = (addr + (len - 1)) / VHOST_PAGE_SIZE;
	u32 __user *base = (u32 __user *)dev->log_base;

	if (!base || last / 8 >= dev->log_bytes)
		return -EFAULT;
	while (page <= last) {
		u64 word = page / PAGES_PER_WORD;
		u64 end = min(last, word * PAGES_PER_WORD + (PAGES_PER_WORD - 1));
		u32 bits = GENMASK((u32)(end % PAGES_PER_WORD),
				   (u32)(page % PAGES_PER_WORD));

		if (set_bits(base + word, cpu_to_le32(bits)))
			return -EFAULT;
		page = end + 1;
	}
	return 0;
}

/* Mark what lies behind the VMM's addresses @user to @user + @len - 1. */
int vhc_log_user(struct vhc_dev *dev, u64 user, u64 len)
{
	u32 cursor = 0;
	u64 addr, n;

	if (!dev->mem || !len)
		return 0;
	while (vhc_mem_reverse(dev->mem, &cursor, user, len, &addr, &n)) {
		if (log_guest(dev, addr, n))
			return -EFAULT;
	}
	return 0;
}

/* Mark the bytes written to a chain. */
int vhc_log_chain(struct vhc_dev *dev, const struct vhc_chain *c)
{
	const struct iovec *iov = c->iov + c->nr_out;
	u64 left = c->written;
	unsigned int i;

	for (i = 0; i < c->nr_in && left; i++) {
		u64 n = min_t(u64, left, iov[i].iov_len);

		if (vhc_log_user(dev, (uintptr_t)iov[i].iov_base, n))
			return -EFAULT;
		left -= n;
	}
	if (dev->log_call)
		eventfd_signal(dev->log_call);
	return 0;
}

/* Mark a write to a part of the ring by where it is in the VMM's memory. */
static int log_part(struct vhc_vq *vq, const struct vring_part *part, u32 off, u32 len)
{
	while (len) {
		/* A scattered ring is in one piece up to the page's end. */
		u32 n = (1u << VRING_PAGE_SHIFT) -
			((part->off + off) & VRING_PAGE_MASK);

		n = min(n, len);
		if (vhc_log_user(vq->dev, (uintptr_t)vring_at(part, off), n))
			return -VHC_R_LOG_FAULT;
		off += n;
		len -= n;
	}
	return 0;
}

/*
 * Mark a write to the used ring, or to our event suppression structure. Without
 * an IOTLB the VMM told us its guest address.
 */
int vhc_log_used_ring(struct vhc_vq *vq, u32 off, u32 len)
{
	if (vq->dev->iotlb)
		return log_part(vq, &vq->ring.used, off, len);
	return log_guest(vq->dev, vq->log_addr + off, len) ? -VHC_R_LOG_FAULT : 0;
}

/* Mark a write to a packed ring, whose guest address nobody told us. */
int vhc_log_desc(struct vhc_vq *vq, u32 off, u32 len)
{
	return log_part(vq, &vq->ring.desc, off, len);
}

/* The bytes of log that a memory table needs, and whether they are there. */
bool vhc_log_covers(const struct vhc_dev *dev, const struct vhc_mem *mem,
		    u64 base, u64 *bytes)
{
	u64 last = mem && mem->nr ? mem->region[mem->nr - 1].last : 0;

	/* Whole words: that is what we write. */
	*bytes = (last / VHOST_PAGE_SIZE / PAGES_PER_WORD + 1) * sizeof(u32);
	return base % sizeof(u32) == 0 && (u64)(uintptr_t)base == base &&
	       access_ok((void __user *)(uintptr_t)base, *bytes);
}

/*
 * Set where the log is. Device locked, all queues locked.
 */
int vhc_log_set_base(struct vhc_dev *dev, u64 base)
{
	u64 bytes;

	if (!vhc_log_covers(dev, dev->mem, base, &bytes))
		return -EFAULT;
	dev->log_base = (unsigned long __user *)(uintptr_t)base;
	dev->log_bytes = bytes;
	return 0;
}
