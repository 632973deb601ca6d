#!/bin/bash
# What a packet costs, by how many are made available at once: a plot of 1 to
# 256, ours and the kernel's own, for docs/performance.md.
#
#   burst.sh
#
# KERNEL= one of the lab's kernels (both). Needs gnuplot (Debian: gnuplot-nox).
# Writes docs/burst-KERNEL.svg and the figures behind it, burst-KERNEL.dat. Takes
# about 10 minutes a kernel.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
lab=$repo/selftests/lab

command -v gnuplot >/dev/null || { echo "burst: no gnuplot: apt-get install gnuplot-nox" >&2; exit 2; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# In the lab. Lines: side mode burst case instructions.
measure() {
	local side mode burst modes
	for side in in-tree ours; do
		rmmod vhost_vsock vhost_blk vhost_net vhost_core vhost vhost_iotlb 2>/dev/null || true
		/src/selftests/lab/load-modules.sh "$side"
		modes='split packed+in-order'
		[ "$side" = ours ] || modes='split split+in-order'
		for mode in $modes; do
			for burst in 1 2 4 8 16 32 64 128 256; do
				/build/bench/vbench --mode "$mode" --burst "$burst" --rounds 3 \
					--packets 5120 tx64 rx64 |
					awk -v side="$side" -v burst="$burst" \
						'{ print side, $2, burst, $1, $3 }' || return
			done
		done
	done
}

for kernel in ${KERNEL:-6.12 7.2}; do
	"$lab/build.sh" "$kernel" all >"$tmp/build.log" 2>&1 || { tail -n 40 "$tmp/build.log" >&2; exit 1; }
	data=$repo/docs/burst-$kernel.dat
	echo "# side mode burst case instructions-a-packet" >"$tmp/data"
	"$lab/vm.sh" -k "$kernel" --icount --timeout 1800 -- \
		"$(declare -f measure); measure" | grep -v "^vbench: SKIP" | tee -a "$tmp/data" >&2
	cp "$tmp/data" "$data"
	gnuplot -e "kernel='$kernel'; data='$data'; out='$repo/docs/burst-$kernel.svg'" "$here/burst.gnuplot"
done
