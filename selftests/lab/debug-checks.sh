#!/bin/bash
# Inside the lab, on the debug kernel, after its other tests: what each of them
# cannot see by itself.
#
#   debug-checks.sh alive      the kernel's checks have not turned themselves off
#   debug-checks.sh kmemleak   no memory is lost: nothing points to it any more
set -euo pipefail

failed=0
result() { # name, what is wrong
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1: $2"
		failed=1
	fi
}

alive() {
	local taint
	# After its first finding, and when its tables are full, lockdep stops.
	if grep -qE '^ *debug_locks: +1$' /proc/lockdep_stats; then
		result "lockdep is on" ''
	else
		result "lockdep is on" "it turned itself off"
	fi
	grep -E 'lock-classes|direct dependencies|stack-trace entries|max locking depth' /proc/lockdep_stats |
		sed 's/^/#/'
	# A finding before the first test, that no test's log has: warnings and
	# KASAN's reports leave a mark. Modules out of tree leave one, too.
	taint=$(cat /proc/sys/kernel/tainted)
	result "the kernel is not tainted" "$([ $((taint & ~4096)) -eq 0 ] || echo "taint $taint")"
}

leaks() {
	local file=/sys/kernel/debug/kmemleak report
	# What is younger than 5 s is not reported, and what one scan finds may
	# be in a register or on its way: two have to agree.
	sleep 6
	echo scan >"$file"
	sleep 1
	echo scan >"$file"
	report=$(cat "$file")
	result "no memory is lost" "${report:+$(grep -c '^unreferenced' <<<"$report") objects}"
	[ -z "$report" ] || echo "$report"
}

case ${1:-} in
alive) alive ;;
kmemleak) leaks ;;
*) echo "debug-checks.sh alive|kmemleak" >&2; exit 2 ;;
esac
exit "$failed"
