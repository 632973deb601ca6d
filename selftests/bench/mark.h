/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How vbench tells the emulator where counting begins and ends: by an
 * instruction that does nothing, with an operand that nobody else would write.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_START_TEXT	"0x76626761"
#define MARK_STOP_TEXT	"0x76626762"

static inline void mark_start(void)
{
	__asm__ volatile("nopl 0x76626761(%%rax)" ::: "memory");
}

static inline void mark_stop(void)
{
	__asm__ volatile("nopl 0x76626762(%%rax)" ::: "memory");
}

#endif
