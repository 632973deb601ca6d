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
# docs/performance.md if all rows were measured. Ends with 1 if a row costs
# more than rows.txt allows.
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

# The rows asked for, then who has to run what for them.
select_rows() {
	local row rest word
	grep -v '^#' "$here/rows.txt" | while read -r row rest; do
		[ -n "$row" ] || continue
		if [ -z "${T:-}" ]; then
			echo "$row $rest"
			continue
		fi
		for word in ${T//,/ }; do
			case $row in *"$word"*) echo "$row $rest"; break ;; esac
		done
	done
}

make_plan() { # "side mode case..." lines out of the rows
	awk '
	function want(side, modes, name,    list, n, i, key) {
		n = split(modes, list, ",")
		for (i = 1; i <= n; i++) {
			key = side " " list[i]
			if (!(key in plan))
				order[++keys] = key
			if (index(plan[key] " ", " " name " ") == 0)
				plan[key] = plan[key] " " name
		}
	}
	{ want("ours", $3, $2); want("in-tree", $4, $2) }
	END { for (i = 1; i <= keys; i++) print order[i] plan[order[i]] }' "$1"
}

# Puts file $3 into $2 between the markers of kernel $1.
insert_section() {
	local begin="<!-- bench $1 begin -->" end="<!-- bench $1 end -->"
	if ! grep -qF -- "$begin" "$2" 2>/dev/null; then
		[ -s "$2" ] || cat "$here/performance.head.md" >"$2"
		printf '\n%s\n%s\n' "$begin" "$end" >>"$2"
	fi
	awk -v begin="$begin" -v end="$end" -v file="$3" '
	$0 == end { skip = 0 }
	!skip { print }
	$0 == begin { skip = 1; while ((getline line < file) > 0) print line }' "$2" >"$tmp/doc"
	cat "$tmp/doc" >"$2"
}

select_rows >"$tmp/rows"
[ -s "$tmp/rows" ] || { say "no row is called '${T:-}'"; exit 2; }

failed=0
for kernel in ${KERNEL:-6.12 7.2}; do
	"$lab/build.sh" "$kernel" "$([ ${#phases[@]} -gt 1 ] && echo all || echo user)" >"$tmp/build.log" 2>&1 ||
		{ tail -n 40 "$tmp/build.log" >&2; say "build for $kernel failed"; exit 1; }
	mkdir "$tmp/$kernel"
	make_plan "$tmp/rows" >"$tmp/$kernel/plan"
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
		insert_section "$kernel" "$doc" "$tmp/$kernel/section"
	fi
done
[ $failed -eq 0 ] || say "not within the limits of selftests/bench/rows.txt"
exit $failed
