/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VHOST_COMPAT_LINUX_EXPORT_H
#define VHOST_COMPAT_LINUX_EXPORT_H

#include_next <linux/export.h>

/*
 * The namespace argument of EXPORT_SYMBOL_NS_GPL() and MODULE_IMPORT_NS() was a
 * bare word until 6.12 and is a string since 6.13. What both expand to takes a
 * string on either.
 */
#define VHC_EXPORT(sym)		__EXPORT_SYMBOL(sym, "GPL", "VHOST_CORE")
#define VHC_IMPORT()		MODULE_INFO(import_ns, "VHOST_CORE")

#endif
