#!/bin/bash
# Inside the lab: a test of the test runner itself. A runner that overlooks a
# failure would make every other test worthless.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
failed=0
trap 'rm -rf "$dir"; dmesg -C' EXIT

expect() { # name, "passed failed skipped", command, time-out
	local got
	printf '%s\t%s\t%s\n' "$1" "${4:-10}" "$3" >"$dir/plan"
	mkdir -p "$dir/$1"
	"$here/runtests.sh" "$dir/plan" "$dir/$1" >"$dir/$1/report" 2>&1 || true
	# Forget what was logged on purpose, or it is held against this test.
	dmesg -C
	got=$(cut -f2- "$dir/$1/results" | tr '\t' ' ')
	if [ "$got" = "$2" ]; then
		echo "ok - runner: $1"
	else
		failed=1
		echo "not ok - runner: $1 (wanted $2, got $got)"
		sed 's/^/  /' "$dir/$1/report"
	fi
}

expect good "1 0 0" 'true'
expect name/mode "1 0 0" 'true'
expect bad "0 1 0" 'false'
expect slow "0 1 0" 'sleep 60' 1
expect skip "0 0 1" 'echo "SKIP: no such device"; exit 77'
expect skip-without-reason "0 1 0" 'exit 77'
expect counted "2 1 0" 'echo "ok - a"; echo "not ok - b"; echo "ok - c"; exit 1'
expect counted-but-crashed "2 1 0" 'echo "ok - a"; echo "ok - b"; kill -SEGV $$'
expect log-before "1 0 0" 'echo quiet >/dev/kmsg'
for line in 'WARNING: CPU: 0' 'INFO: task x blocked for more than 60 seconds' 'UBSAN: shift' \
	'BUG: KASAN: slab-out-of-bounds in x' 'kmemleak: 1 new suspected memory leaks' \
	'BUG: sleeping function called from invalid context' 'BUG: MAX_LOCKDEP_ENTRIES too low!' \
	'turning off the locking correctness validator.' 'ODEBUG: free active timer_list'; do
	expect "log-${line//[^A-Za-z]/-}" "0 1 0" "echo '$line' >/dev/kmsg"
done
starved="printf '<4>x: page allocation failure: order:0\\n' >/dev/kmsg; echo 'Call Trace:' >/dev/kmsg"
expect log-starved "1 0 0" "$starved"
expect log-starved-and-more "0 1 0" "$starved; echo 'Call Trace:' >/dev/kmsg"
expect module-in-use "0 1 0" 'exec 3<>/dev/net/tun; modprobe vhost_iotlb'
expect swept "1 0 0" 'setsid sleep 1000 & sleep 0.3'
if pgrep -x sleep >/dev/null; then
	failed=1
	echo "not ok - runner: a process outlived its test"
else
	echo "ok - runner: nothing outlives a test"
fi
# That one stays loaded, which was its purpose; this test leaves no trace.
modprobe -r vhost_iotlb 2>/dev/null || true
exit "$failed"
