/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VHOST_COMPAT_LINUX_KCOV_H
#define VHOST_COMPAT_LINUX_KCOV_H

#include_next <linux/kcov.h>

/*
 * In newer kernels the handle of remote coverage is a struct, which is empty in a
 * kernel without CONFIG_KCOV; before, it was a u64.
 */
#ifndef HAVE_KCOV_HANDLE_ID
#ifdef CONFIG_KCOV
struct kcov_common_handle_id {
	u64 val;
};

static inline struct kcov_common_handle_id vhc_kcov_common_handle(void)
{
	return (struct kcov_common_handle_id){ kcov_common_handle() };
}

static inline void vhc_kcov_remote_start_common(struct kcov_common_handle_id id)
{
	kcov_remote_start_common(id.val);
}
#else
struct kcov_common_handle_id {
};

static inline struct kcov_common_handle_id vhc_kcov_common_handle(void)
{
	return (struct kcov_common_handle_id){};
}

static inline void vhc_kcov_remote_start_common(struct kcov_common_handle_id id)
{
}
#endif

#define kcov_common_handle()		vhc_kcov_common_handle()
#define kcov_remote_start_common(id)	vhc_kcov_remote_start_common(id)
#endif

#endif
