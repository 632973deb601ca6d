#!/bin/bash
# Inside the lab: a test of the test runner itself. A runner that overlooks a
# failure would make every other test worthless.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
failed=0
trap 'rm -rf "$dir"; dmesg -C' EXIT

# All in one plan: what one leaves must not be held against the next.
wanted=() names=()
expect() { # name, "passed failed skipped", command, time-out
	names+=("$1")
	wanted+=("$2")
	printf '%s\t%s\t%s\n' "$1" "${4:-10}" "$3" >>"$dir/plan"
}

expect good "1 0 0" 'true'
expect name/mode "1 0 0" 'true'
expect bad "0 1 0" 'false'
expect slow "0 1 0" 'sleep 60' 1
expect skip "0 0 1" 'echo "SKIP: no such device"; exit 77'
expect skip-without-reason "0 1 0" 'exit 77'
expect counted "2 1 0" 'echo "ok - a"; echo "not ok - b"; echo "ok - c"; exit 1'
expect counted-but-crashed "2 1 0" 'echo "ok - a"; echo "ok - b"; kill -SEGV $$'
for line in 'WARNING: CPU: 0' 'INFO: task x blocked for more than 60 seconds' 'UBSAN: shift' \
	'BUG: KASAN: slab-out-of-bounds in x' 'kmemleak: 1 new suspected memory leaks' \
	'BUG: sleeping function called from invalid context' 'BUG: MAX_LOCKDEP_ENTRIES too low!' \
	'turning off the locking correctness validator.' 'ODEBUG: free active timer_list'; do
	expect "log-${line//[^A-Za-z]/-}" "0 1 0" "echo '$line' >/dev/kmsg"
done
expect log-quiet "1 0 0" 'echo quiet >/dev/kmsg'
starved="printf '<4>x: page allocation failure: order:0\\n' >/dev/kmsg; echo 'Call Trace:' >/dev/kmsg"
expect log-starved "1 0 0" "$starved"
expect log-starved-and-more "0 1 0" "$starved; echo 'Call Trace:' >/dev/kmsg"
expect module-in-use "0 1 0" 'exec 3<>/dev/net/tun; modprobe vhost_iotlb'
expect swept "1 0 0" 'setsid sleep 1000 & sleep 0.3'

mkdir "$dir/out"
"$here/runtests.sh" "$dir/plan" "$dir/out" >"$dir/report" 2>&1 || true
# Forget what was logged on purpose, or it is held against this test.
dmesg -C
for i in "${!names[@]}"; do
	got=$(awk -F '\t' -v name="${names[i]}" '$1 == name { print $2, $3, $4 }' "$dir/out/results")
	if [ "$got" = "${wanted[i]}" ]; then
		echo "ok - runner: ${names[i]}"
	else
		failed=1
		echo "not ok - runner: ${names[i]} (wanted ${wanted[i]}, got $got)"
		grep -A 40 "  ${names[i]}@" "$dir/report" | sed 's/^/  /'
	fi
done
if pgrep -x sleep >/dev/null; then
	failed=1
	echo "not ok - runner: a process outlived its test"
else
	echo "ok - runner: nothing outlives a test"
fi
# That one stays loaded, which was its purpose; this test leaves no trace.
modprobe -r vhost_iotlb 2>/dev/null || true
exit "$failed"
