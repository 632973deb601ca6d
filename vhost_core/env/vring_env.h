/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's side of the seam that ring/ is written against.
 *
 * selftests/host/env/vring_env.h supplies the same names for a program. Only
 * the compiler's -I chooses between the two.
 *
 * A window is a stretch between vring_access_begin() and vring_access_end() in
 * which user memory may be touched by the accessors. No function may be called
 * inside (objtool checks), and the fault label has to close the window. A page
 * fault inside a window is served as usual and may sleep.
 */
#ifndef VHOST_VRING_ENV_H
#define VHOST_VRING_ENV_H

#include <linux/types.h>
#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/uaccess.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>

typedef void __user *vring_ptr;

/* Ring memory was checked with access_ok() when it was set. */
#define vring_access_begin(ptr, size)	user_access_begin(ptr, size)
#define vring_access_end()		user_access_end()

#define vring_get16(x, ptr, label)					\
	do {								\
		__le16 _v;						\
		unsafe_get_user(_v, (__le16 __user *)(ptr), label);	\
		(x) = le16_to_cpu(_v);					\
	} while (0)

#define vring_get32(x, ptr, label)					\
	do {								\
		__le32 _v;						\
		unsafe_get_user(_v, (__le32 __user *)(ptr), label);	\
		(x) = le32_to_cpu(_v);					\
	} while (0)

#define vring_get64(x, ptr, label)					\
	do {								\
		__le64 _v;						\
		unsafe_get_user(_v, (__le64 __user *)(ptr), label);	\
		(x) = le64_to_cpu(_v);					\
	} while (0)

#define vring_put16(x, ptr, label)					\
	unsafe_put_user(cpu_to_le16(x), (__le16 __user *)(ptr), label)

#define vring_put32(x, ptr, label)					\
	unsafe_put_user(cpu_to_le32(x), (__le32 __user *)(ptr), label)

#define vring_put64(x, ptr, label)					\
	unsafe_put_user(cpu_to_le64(x), (__le64 __user *)(ptr), label)

/* Order loads after a load, stores before a store, and stores before loads. */
#define vring_rmb()	smp_rmb()
#define vring_wmb()	smp_wmb()
#define vring_mb()	smp_mb()

struct vring_dev;

/**
 * vring_read_guest() - copy an indirect table out of guest memory
 * @r: the ring whose owner knows the guest's memory
 * @addr: guest address
 * @dst: private memory
 * @len: bytes, a multiple of 16
 *
 * Context: no window is open; may sleep.
 * Return: 0, -VRING_E_INDIRECT_ADDR, -VRING_E_FAULT or -VRING_E_AGAIN.
 */
int vring_read_guest(const struct vring_dev *r, u64 addr, void *dst, u32 len);

#endif /* VHOST_VRING_ENV_H */
