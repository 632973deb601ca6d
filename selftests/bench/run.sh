#!/bin/bash
# What a packet costs in our modules and in the kernel's own: `make bench`.
#
#   run.sh [--in-tree-only]
#
# KERNEL= one of the lab's kernels (both); T= only the rows whose name
# contains one of these words. VBENCH_ARGS= more options for vbench.
#
# Boots the lab once for each kernel, under the instruction clock, and measures
# in-tree, ours, in-tree again. Prints a table, and writes it to
# docs/performance.md if all rows were measured; with DOC=1 and T= those rows
# alone. Ends with 1 if a row is not within the limits of rows.txt.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
lab=$repo/selftests/lab
doc=$repo/docs/performance.md
phases=(in-tree ours in-tree)

case ${1:-} in
'') ;;
--in-tree-only) phases=(in-tree) ;;
*) sed -n '2,/^$/p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac

say() { printf 'bench: %s\n' "$*" >&2; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# shellcheck source=lib.sh
. "$here/lib.sh"

select_rows "$here/rows.txt" >"$tmp/rows"
[ -s "$tmp/rows" ] || { say "no row is called '${T:-}'"; exit 2; }

failed=0
for kernel in ${KERNEL:-6.12 7.2}; do
	"$lab/build.sh" "$kernel" "$([ ${#phases[@]} -gt 1 ] && echo all || echo user)" >"$tmp/build.log" 2>&1 ||
		{ tail -n 40 "$tmp/build.log" >&2; say "build for $kernel failed"; exit 1; }
	mkdir "$tmp/$kernel"
	make_plan "$tmp/rows" in-tree >"$tmp/$kernel/plan"
	say "$kernel: ${phases[*]}"
	"$lab/vm.sh" -k "$kernel" --icount --timeout 1200 --out "$tmp/$kernel" \
		--env "VBENCH_ARGS=${VBENCH_ARGS:-}" -- \
		/src/selftests/bench/inside.sh /out/plan "${phases[@]}" |
		tee "$tmp/$kernel/lines" >&2
	cat "$tmp/rows" "$tmp/$kernel/lines" |
		awk -v kernel="$kernel" -v release="$(cat "$tmp/$kernel/release")" \
			-v date="$(date -u +%Y-%m-%d)" -v doc="$tmp/$kernel/section" \
			-v ours="$([ ${#phases[@]} -gt 1 ] && echo 1 || echo 0)" \
			-f "$here/table.awk" || failed=1
	if [ -z "${T:-}${VBENCH_ARGS:-}" ] && [ ${#phases[@]} -gt 1 ]; then
		insert_section "bench $kernel" "$doc" "$tmp/$kernel/section"
	elif [ -n "${T:-}" ] && [ -n "${DOC:-}" ] && [ ${#phases[@]} -gt 1 ]; then
		insert_rows "bench $kernel" "$doc" "$tmp/$kernel/section"
	fi
done
[ $failed -eq 0 ] || say "not within the limits of selftests/bench/rows.txt"
exit $failed
