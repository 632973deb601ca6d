#!/bin/bash
# Where the instructions of a case go.
#
#   profile.sh [--show SYMBOL]... [--sample] CASE [SIDE...]
#
# SIDE: ours (default), in-tree. Cases are those of vbench. KERNEL= 6.12
# (default) or 7.2; MODE= as vbench --mode; VBENCH_ARGS= more of its options;
# LINES= symbols shown (40). Or a case of blkbench, as in blk-rows.txt; a side is
# then one of its modes (vhost_blk, qsd, io_uring). No --sample for these.
#
# First the cost of a packet, undisturbed; then its share by symbol. The
# emulator counts each instruction of the timed windows, so nothing is left out
# and the sum is the cost. --show lists a symbol's instructions, each with how
# often it runs for a packet.
#
# --sample: perf's cpu-clock samples instead, which know the callers: shares of
# a symbol with all that it calls. Its shares are rough: a clock interrupt
# comes only where the emulator looks for one and interrupts are on, and what
# repeats with every packet is hit at the same places again and again.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lab=$here/../lab
usage() { sed -n '2,/^set/{/^#/p}' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2; }

exact=1 show='' blk=''
while [ $# -gt 0 ]; do
	case $1 in
	--sample) exact= ;;
	--show) show="$show ${2:?}"; shift ;;
	-*) usage ;;
	*) break ;;
	esac
	shift
done
[ $# -gt 0 ] || usage
case=$1
shift
if grep -qE "^blk-.*[[:space:]]${case%@fifo}[[:space:]]" "$here/blk-rows.txt"; then
	blk=1
	[ -n "$exact" ] || usage
fi
[ $# -gt 0 ] || set -- "$([ -n "$blk" ] && echo vhost_blk || echo ours)"
kernel=${KERNEL:-6.12}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
what=user
case " $* " in *" ours "*) what=all ;; esac
[ -z "$blk" ] || what=all
"$lab/build.sh" "$kernel" "$what" >"$tmp/build.log" 2>&1 || { tail -n 40 "$tmp/build.log" >&2; exit 1; }

run_inside() { # vbench's options, then sides
	local args=$1
	shift
	mkdir -p "$tmp/out"
	if [ -n "$blk" ]; then
		echo "$1 $1 $case" >"$tmp/out/plan"
		"$lab/vm.sh" -k "$kernel" --icount --modules ours --timeout 1200 --out "$tmp/out" \
			--env BLK_EXACT=1 -- /src/selftests/bench/blk-inside.sh /out/plan
		return
	fi
	printf '%s\n' "in-tree ${MODE:-split} $case" "ours ${MODE:-split} $case" >"$tmp/out/plan"
	"$lab/vm.sh" -k "$kernel" --icount --timeout 1200 --out "$tmp/out" \
		--env "VBENCH_ARGS=$args ${VBENCH_ARGS:-}" -- \
		/src/selftests/bench/inside.sh /out/plan "$@"
}

if [ -z "$exact" ]; then
	run_inside "--profile=${LINES:-40}" "$@" | cut -d ' ' -f 2-
	exit
fi

# The emulator with the counting plugin, found in front of the real one.
version=$(qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9]*\).*/\1/p')
plugin=exact-$([ "$version" -lt 9 ] && echo 1 || echo 2).so
mkdir "$tmp/bin"
cp "$("$lab/build.sh" "$kernel" --print-out)/bench/$plugin" "$tmp/"
printf '#!/bin/sh\nexec %q "$@" -plugin %q\n' "$(command -v qemu-system-x86_64)" \
	"file=$tmp/$plugin,out=$tmp/counts" >"$tmp/bin/qemu-system-x86_64"
chmod +x "$tmp/bin/qemu-system-x86_64"
PATH=$tmp/bin:$PATH

# A boot for each side: addresses of modules are used again otherwise.
for side in "$@"; do
	run_inside --exact "$side" >"$tmp/lines" || { cat "$tmp/lines" >&2; exit 1; }
	grep -v ' exact ' "$tmp/lines" | cut -d ' ' -f 2-
	sort "$tmp/out/kallsyms" >"$tmp/symbols"
	awk -v packets="$(awk '$3 == "exact" { print $4 }' "$tmp/lines")" \
		-v lines="${LINES:-40}" -v show="$show" -f "$here/exact.awk" \
		"$tmp/symbols" "$tmp/counts"
done
