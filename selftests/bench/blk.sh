#!/bin/bash
# What a request costs in vhost_blk, in qemu-storage-daemon, and without either:
# the second part of `make bench`.
#
#   blk.sh
#
# KERNEL= one of the lab's kernels (both); T= only the rows whose name contains
# one of these words. BLK_ROUNDS= rounds under the clock (3).
#
# Boots the lab once for each kernel under the instruction clock, and once more
# without it for the row that needs two CPUs. Prints a table, and writes it to
# docs/performance.md if all rows were measured. Ends with 1 if a row costs more
# than blk-rows.txt allows.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
lab=$repo/selftests/lab
doc=$repo/docs/performance.md

[ $# -eq 0 ] || { sed -n '2,/^$/p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2; }

say() { printf 'bench: %s\n' "$*" >&2; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=lib.sh
. "$here/lib.sh"

# inside KERNEL PLAN OPTION...: a boot, if there is anything to do
inside() {
	local kernel=$1 plan=$2
	shift 2
	[ -s "$plan" ] || return 0
	cp "$plan" "$tmp/$kernel/plan"
	"$lab/vm.sh" -k "$kernel" --modules ours --timeout 1200 --out "$tmp/$kernel" \
		--env "BLK_ROUNDS=${BLK_ROUNDS:-}" "$@" -- \
		/src/selftests/bench/blk-inside.sh /out/plan | tee -a "$tmp/$kernel/lines" >&2
}

select_rows "$here/blk-rows.txt" >"$tmp/rows"
[ -s "$tmp/rows" ] || exit 0

failed=0
for kernel in ${KERNEL:-6.12 7.2}; do
	"$lab/build.sh" "$kernel" all >"$tmp/build.log" 2>&1 ||
		{ tail -n 40 "$tmp/build.log" >&2; say "build for $kernel failed"; exit 1; }
	mkdir "$tmp/$kernel"
	awk '$2 != "two-queues"' "$tmp/rows" >"$tmp/clocked"
	make_plan "$tmp/clocked" other >"$tmp/plan"
	say "$kernel: vhost_blk"
	inside "$kernel" "$tmp/plan" --icount
	# Both sides in turns: one line of the plan for both.
	awk '$2 == "two-queues" { print "both both two-queues" }' "$tmp/rows" >"$tmp/plan"
	inside "$kernel" "$tmp/plan" --smp 2
	cat "$tmp/rows" "$tmp/$kernel/lines" |
		awk -v kernel="$kernel" -v release="$(cat "$tmp/$kernel/release")" \
			-v date="$(date -u +%Y-%m-%d)" -v doc="$tmp/$kernel/section" \
			-v ours=1 -v other=other -f "$here/table.awk" || failed=1
	[ -n "${T:-}" ] || insert_section "blk $kernel" "$doc" "$tmp/$kernel/section"
done
[ $failed -eq 0 ] || say "not within the limits of selftests/bench/blk-rows.txt"
exit $failed
