#!/bin/bash
# Inside the lab: runs the fuzzer of the live interface.
#
#   fuzz.sh run SECONDS    the corpus, then new inputs for so long; 0: without end
#   fuzz.sh regress        every input that once broke something, and the corpus
#   fuzz.sh merge DIR...   the corpus and what these add to its coverage, into
#                          FUZZ_NEW
#   fuzz.sh cover DIR...   runs what is there once; FUZZ_COVER says where to
#                          write what code was met
#
#   FUZZ_OUT=DIR           for findings (/out)
#   FUZZ_NEW=DIR           for inputs that reach new code (in memory, not kept)
#
# A finding is a file in FUZZ_OUT: crash-*, timeout-*, or hang-* if the program's
# watchdog ended it; what the machine died of is in FUZZ_OUT/input.
set -euo pipefail

here=$(dirname "$0")
fuzz=/build/fuzz-kernel/fuzz
out=${FUZZ_OUT:-/out}
new=${FUZZ_NEW:-$(mktemp -d)}
# Nobody signals a timeout: the program's own
# watchdog also notices one in the kernel.
flags=(-rss_limit_mb=0 -timeout=300 -max_len=512 -len_control=20 -artifact_prefix="$out/"
	-print_final_stats=1)

# Grace periods are most of what opening and closing a device takes.
echo 1 >/sys/kernel/rcu_expedited
# Failures that inputs ask for: without a stack trace each, and of any allocation
# that may sleep. Pages are left out: the kernel complains of each.
for file in /sys/kernel/debug/fail*/verbose; do
	[ ! -w "$file" ] || echo 0 >"$file"
done
if [ -w /sys/kernel/debug/failslab/ignore-gfp-wait ]; then
	echo N >/sys/kernel/debug/failslab/ignore-gfp-wait
fi

# Tracepoints run, too. What they record is thrown away.
if [ -w /sys/kernel/tracing/events/vhost/enable ]; then
	echo 1 >/sys/kernel/tracing/events/vhost/enable
fi

# libFuzzer is not quite silent about what it is built without.
quiet() {
	grep --line-buffered -vE 'Failed to find function|DEDUP_TOKEN|^INFO: (Running|Seed)' || true
}

show_findings() {
	local file
	for file in "$out"/crash-* "$out"/timeout-* "$out"/hang-*; do
		[ -f "$file" ] || continue
		echo "finding: $file ($(stat -c %s "$file") bytes), base64:"
		base64 -w 100 "$file"
	done
}

# What nobody points to any more, if the kernel looks for that.
leaks() {
	local file=/sys/kernel/debug/kmemleak
	[ -w "$file" ] || return 0
	# What is younger than five seconds is not judged, and two scans have to agree.
	sleep 6
	echo scan >"$file"
	sleep 1
	echo scan >"$file"
	if grep -qE '\[vhost_|vh[cn]_' "$file"; then
		cat "$file"
		echo "not ok - leaks"
		return 1
	fi
}

mode=${1:?usage: fuzz.sh run|regress|merge|cover ...}
shift
mkdir -p "$new"
case $mode in
run)
	status=0
	seconds=$1
	FUZZ_CURRENT=$out/input "$fuzz" "${flags[@]}" -max_total_time="$seconds" \
		"$new" "$here/corpus" "$here/regressions" 2>&1 | quiet || status=$?
	if [ "$status" -eq 99 ]; then
		mv "$out/input" "$out/hang-$(sha1sum "$out/input" | cut -c1-40)"
	fi
	show_findings
	[ "$status" -eq 0 ] || { echo "not ok - fuzzing (status $status)"; exit 1; }
	rm -f "$out/input"
	leaks
	echo "ok - fuzzing"
	;;
regress)
	status=0
	for file in "$here"/regressions/*; do
		[ -f "$file" ] || continue
		name=$(basename "$file")
		# Some need luck with timing.
		if FUZZ_CURRENT=$out/input timeout 120 "$fuzz" "${flags[@]}" -runs=10 "$file" \
			>"$out/regress.log" 2>&1; then
			echo "ok - $name"
		else
			quiet <"$out/regress.log" | tail -n 40
			echo "not ok - $name"
			status=1
		fi
	done
	if FUZZ_CURRENT=$out/input "$fuzz" "${flags[@]}" -runs=1 "$here"/corpus/* \
		>"$out/regress.log" 2>&1; then
		echo "ok - corpus ($(find "$here/corpus" -type f | wc -l) inputs)"
	else
		quiet <"$out/regress.log" | tail -n 40
		echo "not ok - corpus"
		status=1
	fi
	show_findings
	leaks || status=1
	exit "$status"
	;;
merge)
	FUZZ_CURRENT=$out/input "$fuzz" "${flags[@]}" -merge=1 "$new" "$here/corpus" "$@" 2>&1 | quiet
	;;
cover)
	files=()
	for dir in "$here/corpus" "$here/regressions" "$@"; do
		for file in "$dir"/*; do
			[ ! -f "$file" ] || files+=("$file")
		done
	done
	FUZZ_CURRENT=$out/input "$fuzz" "${flags[@]}" -runs=1 "${files[@]}" 2>&1 | quiet | tail -n 5
	;;
*)
	echo "fuzz.sh: '$mode'?" >&2
	exit 2
	;;
esac
