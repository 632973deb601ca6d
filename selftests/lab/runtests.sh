#!/bin/bash
# Inside the lab: runs the tests of one boot.   runtests.sh PLAN RESULTS
#
# PLAN has lines "name<TAB>timeout<TAB>command"; RESULTS (a directory) gets
#   current   the test that runs now: should the machine die, it is the culprit
#   results   a line "name<TAB>passed<TAB>failed<TAB>skipped" for each that ended
#   NAME.log  its output        NAME.kmsg   the kernel log it caused
#             (a slash in the name is a dot here)
# Ends with status 3 when the machine is no longer fit for the next test.
set -euo pipefail
. "$(dirname "$0")/testlib.sh"

plan=$1
dir=$2
cgroup=/sys/fs/cgroup/lab-test-$$
mkdir "$cgroup"
trap 'rmdir "$cgroup"' EXIT

# What no test may cause.
bad_lines='WARNING:|BUG:|Oops|hung task|blocked for more than|possible circular locking'
bad_lines+='|possible recursive locking|suspicious RCU|inconsistent lock state|inconsistent \{'
bad_lines+='|general protection|Call Trace|KASAN|KCSAN|UBSAN|kmemleak: [0-9]+ new|detector disabled|refcount_t|soft lockup'
bad_lines+='|rcu_(sched|preempt).*stall|scheduling while atomic|sleeping function called'
bad_lines+='|Bad page state|list_(add|del) corruption|unregister_netdevice: waiting'
bad_lines+='|ODEBUG|non-static key|turning off the locking|workqueue lockup|Bad rss-counter'

# Prints what is bad in a log, without what the allocator says of memory that it
# could not give, and where: some tests starve us on purpose.
bad_in() { # file
	bad=$bad_lines awk '
		/page allocation failure: order|vmalloc error: size/ { starved = 1; next }
		starved && /Call Trace:/ { starved = 0; next }
		$0 ~ ENVIRON["bad"] && found < 5 { found++; follow = 26 }
		follow && printed < 60 { if (!printed++) print "the kernel log says:"; print }
		follow { follow-- }' "$1"
}

# Users of our modules, and our threads: the same after a test as before it.
# Few commands here: each is a tenth of a second without KVM.
footprint() {
	local module users
	for module in /sys/module/vhost*/; do
		[ -e "$module/refcnt" ] || continue
		read -r users <"$module/refcnt"
		echo "module ${module:12:-1} users $users"
	done
	grep -hE '^vhost-' /proc/[0-9]*/comm 2>/dev/null || true
}

# KiB allocated with kmalloc, all caches together. Shrinking them first gives
# back what CPUs keep for themselves, which would be counted as allocated.
slab() {
	local cache
	for cache in /sys/kernel/slab/kmalloc-*; do
		echo 1 >"$cache/shrink"
	done
	awk '/^kmalloc-/ { bytes += $2 * $4 } END { printf "%d\n", bytes / 1024 }' /proc/slabinfo
}

# Not on the debug kernel: there KASAN keeps freed memory for a while, and
# kmemleak finds what is lost.
measure_slab=1
[ ! -e /sys/kernel/debug/kmemleak ] || measure_slab=

# What may be more after a program of selftests/kernel than before it: the rest
# of the machine is not quite still. Every one opens its devices some dozen
# times. Clients make the kernel keep more than that: modules, name spaces.
slab_limit=1024

populated() {
	local key value
	while read -r key value; do
		[ "$key" != populated ] || [ "$value" = 0 ] || return 0
	done <"$cgroup/cgroup.events"
	return 1
}

# Kills what a test left behind; fails if something cannot be killed.
sweep() {
	local i pid
	for ((i = 0; i < 50; i++)); do
		if ! populated; then
			! compgen -G "$cgroup/*/" >/dev/null ||
				find "$cgroup" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
			return 0
		fi
		echo 1 >"$cgroup/cgroup.kill"
		sleep 0.2
	done
	echo "processes that cannot be killed:"
	while read -r pid; do
		echo "$pid $(cat "/proc/$pid/comm")"
		cat "/proc/$pid/stack"
	done < <(find "$cgroup" -name cgroup.procs -exec cat {} +)
	return 1
}

# What was there after the test before, and so is there before this one.
footprint_now='' slab_now=''

run_test() { # name, timeout, command
	local name=$1 timeout=$2 command=$3 status=0 fit=0 i begin footprint_before slab_before
	local file=$dir/${1//\//.}
	local output=$file.log kmsg=$file.kmsg why=$file.why
	begin=$EPOCHSECONDS
	echo "$name $timeout" >"$dir/current"
	echo "lab: test $name begins" >/dev/kmsg
	footprint_before=${footprint_now:-$(footprint)}
	case $measure_slab$command in
	1/build/kernel/*) slab_before=${slab_now:-$(slab)} ;;
	*) slab_before=0 slab_now='' ;;
	esac

	# timeout(1) has the test's process group; the control group also
	# catches those that left it.
	(
		echo "$BASHPID" >"$cgroup/cgroup.procs"
		exec timeout --kill-after=5 "$timeout" bash -c "$command"
	) >"$output" 2>&1 </dev/null || status=$?
	judge "$status" "$output" "$timeout" >"$why"
	sweep >>"$why" || fit=1

	# Files and threads may take a moment to go.
	for ((i = 0; i < 25; i++)); do
		footprint_now=$(footprint)
		[ "$footprint_before" != "$footprint_now" ] || break
		sleep 0.2
	done
	if [ "$footprint_before" != "$footprint_now" ]; then
		echo "left behind (- before, + after):"
		diff -U0 <(echo "$footprint_before") <(echo "$footprint_now") | grep -E '^[-+][a-z]' || true
	fi >>"$why"

	for ((i = 0; i < 25 && slab_before; i++)); do
		slab_now=$(slab)
		[ "$((slab_now - slab_before))" -gt "$slab_limit" ] || break
		sleep 0.2
	done
	if [ "$slab_before" -gt 0 ] && [ "$((slab_now - slab_before))" -gt "$slab_limit" ]; then
		echo "kernel memory: $slab_before KiB of kmalloc before, $slab_now KiB after"
	fi >>"$why"

	# What was logged before the next test begins is this one's.
	dmesg -c >"$kmsg"
	bad_in "$kmsg" >>"$why"

	# A reason beside the status' own makes a failure of what passed.
	if [ -s "$why" ] && [ "$T_FAILED" -eq 0 ]; then
		T_FAILED=1
		[ "$T_PASSED" -ne 1 ] || T_PASSED=0
		T_SKIPPED=0
	fi
	report "$name@${LAB_GROUP:-lab}" "$((EPOCHSECONDS - begin))" "$output" "$why"
	printf '%s\t%s\t%s\t%s\n' "$name" "$T_PASSED" "$T_FAILED" "$T_SKIPPED" >>"$dir/results"
	return "$fit"
}

if [ -w /sys/fs/cgroup/cgroup.subtree_control ]; then
	while read -r -d ' ' controller; do
		echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
	done < <(tr '\n' ' ' </sys/fs/cgroup/cgroup.controllers)
fi
# Stays: when the last cpuset goes the kernel patches its own code, and with the
# next one again. Multi-threaded emulation does not survive that every time
# ("Oops: int3" in the page allocator).
mkdir -p /sys/fs/cgroup/lab-stays 2>/dev/null || true
dmesg -C
while IFS=$'\t' read -r name timeout command <&3; do
	run_test "$name" "$timeout" "$command" || exit 3
done 3<"$plan"
rm -f "$dir/current"
