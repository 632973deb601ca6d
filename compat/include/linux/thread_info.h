/* SPDX-License-Identifier: GPL-2.0 */
/* Lazy preemption is since 6.13; without it there is one flag for both. */
#ifndef COMPAT_LINUX_THREAD_INFO_H
#define COMPAT_LINUX_THREAD_INFO_H

#include_next <linux/thread_info.h>

#ifndef TIF_NEED_RESCHED_LAZY
#define TIF_NEED_RESCHED_LAZY TIF_NEED_RESCHED
#endif

#endif /* COMPAT_LINUX_THREAD_INFO_H */
