/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The program's side of the seam that ring/ and mem.c are written against.
 *
 * vhost_core/env/vring_env.h supplies the same names for the kernel. Only the
 * compiler's -I chooses between the two. Here every access to ring memory is a
 * function call (env.c), which
 *
 *  - lets a hook change the memory before and after each load,
 *  - faults where and when a test asked for it,
 *  - insists that a window is open, that windows do not nest, and that every
 *    access is aligned and lies inside one registered part of the ring,
 *  - writes down what was loaded and stored, in which order, and where the
 *    barriers were.
 */
#ifndef HOST_VRING_ENV_H
#define HOST_VRING_ENV_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
typedef u16 __le16;
typedef u32 __le32;
typedef u64 __le64;

#define __user
#define __force

#define U16_MAX		UINT16_MAX
#define U32_MAX		UINT32_MAX
#define U64_MAX		UINT64_MAX

#define le16_to_cpu(x)	le16toh(x)
#define le32_to_cpu(x)	le32toh(x)
#define le64_to_cpu(x)	le64toh(x)
#define cpu_to_le16(x)	htole16(x)
#define cpu_to_le32(x)	htole32(x)
#define cpu_to_le64(x)	htole64(x)

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define min(a, b)							\
	({								\
		__typeof__(a) _min_a = (a);				\
		__typeof__(b) _min_b = (b);				\
		_min_a < _min_b ? _min_a : _min_b;			\
	})

#define max(a, b)							\
	({								\
		__typeof__(a) _max_a = (a);				\
		__typeof__(b) _max_b = (b);				\
		_max_a > _max_b ? _max_a : _max_b;			\
	})

#define min3(a, b, c)							\
	({								\
		__typeof__(a) _min_ab = min(a, b);			\
		__typeof__(c) _min_c = (c);				\
		_min_ab < _min_c ? _min_ab : _min_c;			\
	})

typedef void *vring_ptr;

bool env_window_open(vring_ptr ptr, size_t size);
void env_window_close(void);
bool env_load(vring_ptr ptr, unsigned int size, u64 *val);
bool env_store(vring_ptr ptr, unsigned int size, u64 val);
void env_rmb(void);
void env_wmb(void);
void env_mb(void);

#define vring_access_begin(ptr, size)	env_window_open(ptr, size)
#define vring_access_end()		env_window_close()

#define vring_get(x, ptr, size, label)					\
	do {								\
		u64 _v;							\
		if (!env_load(ptr, size, &_v))				\
			goto label;					\
		(x) = _v;						\
	} while (0)

#define vring_put(x, ptr, size, label)					\
	do {								\
		if (!env_store(ptr, size, x))				\
			goto label;					\
	} while (0)

#define vring_get16(x, ptr, label)	vring_get(x, ptr, 2, label)
#define vring_get32(x, ptr, label)	vring_get(x, ptr, 4, label)
#define vring_get64(x, ptr, label)	vring_get(x, ptr, 8, label)
#define vring_put16(x, ptr, label)	vring_put(x, ptr, 2, label)
#define vring_put32(x, ptr, label)	vring_put(x, ptr, 4, label)
#define vring_put64(x, ptr, label)	vring_put(x, ptr, 8, label)

#define vring_rmb()	env_rmb()
#define vring_wmb()	env_wmb()
#define vring_mb()	env_mb()

struct vring_dev;

int vring_read_guest(const struct vring_dev *r, u64 addr, void *dst, u32 len);

#endif /* HOST_VRING_ENV_H */
