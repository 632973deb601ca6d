#!/bin/bash
# Inside the lab: runs the fuzzers of the live interface.
#
#   fuzz.sh run SECONDS    the corpus, then new inputs for so long; 0: without end
#   fuzz.sh regress        every input that once broke something, and the corpus
#   fuzz.sh merge DIR...   the corpus and what these add to its coverage, into
#                          FUZZ_NEW
#   fuzz.sh cover DIR...   runs what is there once; FUZZ_COVER says where to
#                          write what code was met
#
#   FUZZ_TARGET=net|blk|vsock
#                          what of it: /dev/vhost-net (default), with corpus and
#                          regressions; or vhost_blk, with corpus-blk and
#                          regressions-blk; or /dev/vhost-vsock, in the same way
#   FUZZ_LEAKS=no          nobody looks for leaks, as that is done later
#   FUZZ_OUT=DIR           for findings (/out)
#   FUZZ_NEW=DIR           for inputs that reach new code (in memory, not kept)
#
# A finding is a file in FUZZ_OUT: crash-*, timeout-*, or hang-* if the program's
# watchdog ended it; what the machine died of is in FUZZ_OUT/input.
set -euo pipefail

here=$(dirname "$0")
target=${FUZZ_TARGET:-net}
case $target in
net) fuzz=/build/fuzz-kernel/fuzz suffix='' ;;
blk | vsock) fuzz=/build/fuzz-kernel/fuzz-$target suffix=-$target ;;
*) echo "fuzz.sh: FUZZ_TARGET=$target?" >&2; exit 2 ;;
esac
corpus=$here/corpus$suffix
regressions=$here/regressions$suffix
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

# The block devices that blk.c knows. What this kernel lacks is left out, and said.
prepare_blk() {
	local null=/sys/kernel/config/nullb/fznull image
	# Another test may have loaded it with other disks.
	modprobe -r brd 2>/dev/null || true
	modprobe brd rd_nr=2 rd_size=1024
	if modprobe null_blk nr_devices=0; then
		mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
		if mkdir "$null" 2>/dev/null; then
			# Answers from a timer's interrupt, or to polls; blocks of 4 KiB.
			printf '%s\n' 'size 1' 'blocksize 4096' 'memory_backed 1' 'discard 1' 'irqmode 2' \
				'completion_nsec 300000' 'poll_queues 1' |
				while read -r name value; do
					echo "$value" >"$null/$name" || echo "null_blk without $name"
				done
			echo 1 >"$null/power"
		fi
	fi
	# A file system whose files need not wait, if there is one.
	if modprobe ext4 2>/dev/null && modprobe loop; then
		image=$(mktemp)
		truncate -s 16M "$image"
		mkfs.ext4 -q "$image"
		mkdir -p /run/fuzz-blk
		mount -o loop "$image" /run/fuzz-blk
		export FUZZ_BLK_DIR=/run/fuzz-blk
	fi
}

# Disks keep the module in use.
end_blk() {
	local status=$? disk
	for disk in /sys/class/vhost-blk/*; do
		[ ! -e "$disk" ] || /build/tools/vhostctl blk del "$(basename "$disk")"
	done
	mountpoint -q /run/fuzz-blk && umount /run/fuzz-blk
	[ ! -d /sys/kernel/config/nullb/fznull ] || rmdir /sys/kernel/config/nullb/fznull
	# Other tests want other disks.
	modprobe -r brd null_blk 2>/dev/null || true
	exit "$status"
}

if [ "$target" = blk ]; then
	prepare_blk
	trap end_blk EXIT
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
	[ -w "$file" ] && [ "${FUZZ_LEAKS:-}" != no ] || return 0
	# What is younger than five seconds is not judged, and two scans have to agree.
	sleep 6
	echo scan >"$file"
	sleep 1
	echo scan >"$file"
	if grep -qE '\[vhost_|vh[bcnv]_' "$file"; then
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
	known=("$corpus")
	[ ! -d "$regressions" ] || known+=("$regressions")
	FUZZ_CURRENT=$out/input "$fuzz" "${flags[@]}" -max_total_time="$seconds" \
		"$new" "${known[@]}" 2>&1 | quiet || status=$?
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
	for file in "$regressions"/*; do
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
	if FUZZ_CURRENT=$out/input "$fuzz" "${flags[@]}" -runs=1 "$corpus"/* \
		>"$out/regress.log" 2>&1; then
		echo "ok - corpus ($(find "$corpus" -type f | wc -l) inputs)"
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
	FUZZ_CURRENT=$out/input "$fuzz" "${flags[@]}" -merge=1 "$new" "$corpus" "$@" 2>&1 | quiet
	;;
cover)
	files=()
	for dir in "$corpus" "$regressions" "$@"; do
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
