#!/bin/bash
# How much of the modules the corpora reach.   coverage.sh [--lines] [DIRECTORY...]
#
# Runs each corpus once on the debug kernel and prints covered and all lines for
# each source file: all are those at which the compiler asks KCOV to take note.
# --lines prints the lines that were not met. FUZZ_TARGET=net, blk or vsock is
# about that one alone; then inputs of directories below the repository can be named.
# shellcheck source=../lab/common.sh
. "$(dirname "$0")/../lab/common.sh"

kernel=${KERNEL:-debug}
lines='' dirs=()
for word in "$@"; do
	case $word in
	--lines) lines=1 ;;
	-*) sed -n '2,/^# shellcheck/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
	*) dirs+=("/src/${word#"$LAB_REPO"/}") ;;
	esac
done
if [ "${#dirs[@]}" -gt 0 ] && [ -z "${FUZZ_TARGET:-}" ]; then
	echo "coverage.sh: inputs of which target? FUZZ_TARGET=net, blk or vsock" >&2
	exit 2
fi
lab_become_root "$@"
lab_make_tmp coverage
trap lab_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The kernel has no debug information, so that the modules have none either.
build=("$LAB_DIR/build.sh" "$kernel" KCFLAGS=-g)
"${build[@]}" all >"$LAB_TMP/log" 2>&1 || { tail -n 20 "$LAB_TMP/log"; exit 1; }
products=$("${build[@]}" --print-out)
for target in ${FUZZ_TARGET:-net blk vsock}; do
	"$LAB_DIR/vm.sh" -k "$kernel" --mem 4096 --timeout 3600 --modules ours --build "$products" \
		--out "$LAB_TMP" --env FUZZ_COVER="/out/met.$target" --env FUZZ_TARGET="$target" \
		/src/selftests/fuzz-kernel/fuzz.sh cover "${dirs[@]}"
done
cat "$LAB_TMP"/met.* >"$LAB_TMP/met"
cp "$products"/*.ko "$LAB_TMP/"

# Each place where KCOV is called: the address behind the call, which is what it
# notes, and the line of the call.
# shellcheck disable=SC2016
lab_in_root "$LAB_TMP" bash -euc '
	cd /build
	for ko in vhost_*.ko; do
		objdump -dr --no-show-raw-insn "$ko" | perl -sne '\''
			$section = $1 if /^Disassembly of section (.*):$/;
			printf "%s %s %x %x\n", $module, $section, hex($1) + 4, hex($1) + 3
				if /^\s*([0-9a-f]+): R_X86_64_P(?:LT|C)32\s+__sanitizer_cov_trace_pc-/;
		'\'' -- -module="${ko%.ko}"
	done >places
	cut -d" " -f1,2 places | sort -u >parts
	while read -r module section; do
		grep -F "$module $section " places >part
		cut -d" " -f4 part | addr2line -e "$module.ko" -j "$section" | paste -d" " part -
	done <parts >lines
'
awk -v all="$lines" '
	NR == FNR { met[$1, $2, $3] = 1; next }
	{
		line = $5
		sub(/^.*\/obj\//, "", line)
		sub(/\/\.\//, "/", line)
		if (line !~ /^vhost_(core|net|blk|vsock)\//)
			next
		known[line] = 1
		if (($1, $2, $3) in met)
			covered[line] = 1
	}
	END {
		for (line in known) {
			file = line
			sub(/:.*/, "", file)
			dir = file
			sub(/\/.*/, "", dir)
			total[file]++
			total[dir]++
			if (line in covered) {
				hit[file]++
				hit[dir]++
			} else if (all) {
				print "not met: " line | "sort -t: -k2,2 -k3,3n"
			}
		}
		close("sort -t: -k2,2 -k3,3n")
		for (file in total)
			printf "%-28s %4d of %4d lines  %5.1f %%\n", file, hit[file], total[file],
				100 * hit[file] / total[file] | "sort"
	}
' "$LAB_TMP/met" "$LAB_TMP/lines"
