#!/bin/bash
# Fuzzes the live interface on the debug kernel, boot after boot, until Ctrl-C.
#
#   forever.sh [DIRECTORY]
#
# FUZZ_TARGET is net, blk or vsock; without it they take turns, boot by boot. DIRECTORY
# (default: in the lab's cache) gets a directory for each with new/, inputs that
# reach new code, with which the next run begins, and findings/: for each the
# input, and the kernel's log if the machine died of it. FUZZ_SECONDS is how long
# a boot lasts.
# shellcheck source=../lab/common.sh
. "$(dirname "$0")/../lab/common.sh"

kernel=${KERNEL:-debug}
seconds=${FUZZ_SECONDS:-3600}
top=${1:-$(lab_build_dir fuzz-kernel)}
"$LAB_DIR/build.sh" "$kernel" all
say "new inputs: $top/*/new, findings: $top/*/findings"

# What a boot left: inputs that found something, or the one that it died in.
collect() { # directory, status of the boot
	local file name dir=$1
	for file in "$dir"/crash-* "$dir"/timeout-* "$dir"/hang-*; do
		[ -f "$file" ] || continue
		mv "$file" "$dir/findings/"
		say "finding: $dir/findings/$(basename "$file")"
	done
	if [ -s "$dir/input" ] && [ "$2" -ge 99 ]; then
		name=died-$(sha1sum "$dir/input" | cut -c1-16)
		mv "$dir/input" "$dir/findings/$name"
		cp "$dir/serial.log" "$dir/findings/$name.log"
		say "finding: $dir/findings/$name (status $2)"
	fi
	rm -f "$dir/input"
}

boot() { # target
	local status=0 dir=$top/$1
	mkdir -p "$dir/new" "$dir/findings"
	"$LAB_DIR/vm.sh" -k "$kernel" --mem 4096 --timeout $((seconds + 900)) --modules ours \
		--out "$dir" --log "$dir/serial.log" --env FUZZ_NEW=/out/new --env FUZZ_TARGET="$1" \
		/src/selftests/fuzz-kernel/fuzz.sh run "$seconds" || status=$?
	collect "$dir" "$status"
	# Stopped by hand, or not able to start at all.
	case $status in 130 | 143 | 2) exit "$status" ;; esac
}

while :; do
	for target in ${FUZZ_TARGET:-net blk vsock}; do
		boot "$target"
	done
done
