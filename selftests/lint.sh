#!/bin/bash
# Every rule that a machine can check.   lint.sh [SECTION...]
#
# Sections: compat, ifdef, shellcheck, format, checkpatch, sparse; all if none
# is named. Tools are those of the lab's root, so that everyone sees the same.
# shellcheck source=lab/common.sh
. "$(dirname "$0")/lab/common.sh"

sections=()
for word in "$@"; do
	case $word in
	-*) sed -n '2,/^# shellcheck/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
	*) sections+=("$word") ;;
	esac
done
[ "${#sections[@]}" -gt 0 ] || sections=(compat ifdef shellcheck format checkpatch sparse)

# What checkpatch is told not to complain about, and why:
ignore=(
	FILE_PATH_CHANGES   # speaks of MAINTAINERS, which is the kernel's
	LINUX_VERSION_CODE  # our compat rule decides where it belongs
	COMPLEX_MACRO       # lists of names, expanded several times
	MULTISTATEMENT_MACRO_USE_DO_WHILE # the same
	TRAILING_SEMICOLON  # the same
	MACRO_WITH_FLOW_CONTROL # the same: of functions
	MACRO_ARG_UNUSED    # the same: one expansion takes the name, another the text
	BRACKET_SPACE       # the same: [INDEX] = value after a line's backslash
	CONST_STRUCT        # knows no file_operations that are members, filled per device
)
# ... and in programs, which do not have the kernel's helpers, and in the seam
# (env/), which defines what others use:
ignore_user=(
	STRCPY STRNCPY STRLCPY ARRAY_SIZE VOLATILE NEW_TYPEDEFS MEMORY_BARRIER
	SPLIT_STRING        # usage texts
	PREFER_DEFINED_ATTRIBUTE_MACRO
	EMBEDDED_FUNCTION_NAME
	MACRO_WITH_FLOW_CONTROL # EXPECT() and the like end a test
	PREFER_FALLTHROUGH SSCANF_TO_KSTRTO NAKED_SSCANF
	ENOSYS ENOTSUPP CONSIDER_KSTRTO USLEEP_RANGE AVOID_EXTERNS
)

cd "$LAB_REPO"
find_files() { # name patterns
	local args=() name
	for name in "$@"; do
		args+=(-o -name "$name")
	done
	find . -name .git -prune -o -name .build -prune -o -type f \( "${args[@]:1}" \) -print |
		grep -v '\.mod\.c$' | sed 's|^\./||' | LC_ALL=C sort
}
mapfile -t c_files < <(find_files '*.c' '*.h')
mapfile -t shell_files < <(find_files '*.sh' shellrc
	grep -lE '^#!/bin/(ba)?sh' .ci/* tools/* tools/systemd/* tools/*/completion/* 2>/dev/null | grep -v '\.sh$' || true)

lab_make_tmp lint
trap lab_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
failed=0

# result NAME FILE: the section passed if the file of complaints is empty.
result() {
	if [ -s "$2" ]; then
		failed=1
		cat "$2"
		echo "not ok - lint: $1 ($(wc -l <"$2") lines)"
	else
		echo "ok - lint: $1"
	fi
}

# Runs a tool of the root, in the repository's top directory.
inside() {
	# shellcheck disable=SC2016
	lab_in_root "$LAB_TMP" bash -c 'cd /src && exec "$@"' inside "$@"
}

# Kernel versions are compat/'s business alone.
lint_compat() {
	grep -nE '\b(LINUX_VERSION_CODE|KERNEL_VERSION|HAVE_[A-Z])' "${c_files[@]}" Kbuild /dev/null 2>/dev/null |
		grep -vE '^compat/' >"$LAB_TMP/compat" || true
	result "compat: versions and HAVE_ only in compat/" "$LAB_TMP/compat"
}

# A function's body begins with "{" and ends with "}" in the first column.
lint_ifdef() {
	awk '
		FNR == 1 { inside = 0 }
		/^\{/ { inside = 1 }
		/^\}/ { inside = 0 }
		inside && /^[ \t]*#[ \t]*(if|el|endif)/ { print FILENAME ":" FNR ": " $0 }
	' "${c_files[@]}" /dev/null >"$LAB_TMP/ifdef"
	result "no #if in a function's body" "$LAB_TMP/ifdef"
}

lint_shellcheck() {
	inside shellcheck -x -P SCRIPTDIR -f gcc "${shell_files[@]}" >"$LAB_TMP/shellcheck" 2>&1 || true
	result "shellcheck" "$LAB_TMP/shellcheck"
}

# What clang-format would change, less what is the author's choice: columns
# aligned by hand (runs of blanks inside a line), where a line breaks (a hunk
# that has the same text in another number of lines), and how far the rest of
# a broken line is indented. Nor does clang-format know lists that a macro
# expands, LIST(X), and the language of tracepoints.
lint_format() {
	# shellcheck disable=SC2016
	inside bash -c '
		squeeze() { sed -E "s/([^ \t])[ \t]+/\1 /g; s/[ \t]+$//; s/\{ \}/{}/g"; }
		for file; do
			case $file in */trace.h) continue ;; esac
			squeeze <"$file" >/tmp/was
			clang-format --style=file "$file" | squeeze >/tmp/is
			diff -U0 /tmp/was /tmp/is | awk -v file="$file" -f <(echo "$0")
		done' '
		function flush() {
			if (hunk != "" && (was != is || (lines_was == lines_is && !continued && !listed)))
				printf "%s %s", file, hunk
			hunk = was = is = ""
			lines_was = lines_is = 0
		}
		BEGIN { while ((getline source[++n] < "/tmp/was") > 0); }
		/^(---|\+\+\+) / { next }
		/^@@/ {
			flush()
			split(substr($2, 2), at, ",")
			previous = source[at[1] - 1]
			listed = previous ~ /^([ \t]*[A-Z_]+\(X\)|#undef X)$/
			continued = previous !~ /([;{}:]|\*\/)$/ && previous !~ /^(#.*)?$/
		}
		{ hunk = hunk $0 "\n"; text = substr($0, 2); gsub(/[ \t\\]/, "", text) }
		/^-/ { was = was text; lines_was++; if (text ~ /^[A-Z_]+\(X\)$/) listed = 1 }
		/^\+/ { is = is text; lines_is++ }
		END { flush() }
	' "${c_files[@]}" >"$LAB_TMP/format" 2>&1 || true
	result "clang-format" "$LAB_TMP/format"
}

checkpatch() { # types to ignore, separated by commas; files
	[ $# -gt 1 ] || return 0
	inside perl /opt/lab/scripts/checkpatch.pl --no-tree --no-summary --terse --show-types \
		--color=never --max-line-length=100 --ignore "$1" --file "${@:2}" 2>&1 || true
}

lint_checkpatch() {
	local kernel=() user=() file ignored
	for file in "${c_files[@]}"; do
		case $file in
		selftests/* | tools/* | */env/*) user+=("$file") ;;
		*) kernel+=("$file") ;;
		esac
	done
	ignored=$(IFS=,; echo "${ignore[*]}")
	checkpatch "$ignored" "${kernel[@]}" >"$LAB_TMP/checkpatch"
	checkpatch "$ignored,$(IFS=,; echo "${ignore_user[*]}")" "${user[@]}" >>"$LAB_TMP/checkpatch"
	result "checkpatch" "$LAB_TMP/checkpatch"
}

# C=2 has sparse look at every file, compiled anew or not. What it says of the
# kernel's own headers is not ours to mend.
lint_sparse() {
	local kernel
	for kernel in "${LAB_KERNELS[@]}"; do
		: >"$LAB_TMP/sparse"
		"$LAB_DIR/build.sh" "$kernel" modules C=2 >"$LAB_TMP/log" 2>&1 ||
			tail -n 20 "$LAB_TMP/log" >"$LAB_TMP/sparse"
		grep -E '^(/build/obj/)?(vhost_|compat|uapi)[^ ]*: (warning|error):' "$LAB_TMP/log" >>"$LAB_TMP/sparse" || true
		result "sparse $kernel" "$LAB_TMP/sparse"
	done
}

"$LAB_DIR/setup.sh"
lab_become_root "$@"
for section in "${sections[@]}"; do
	case $section in
	compat) lint_compat ;;
	ifdef) lint_ifdef ;;
	shellcheck) lint_shellcheck ;;
	format) lint_format ;;
	checkpatch) lint_checkpatch ;;
	sparse) lint_sparse ;;
	*) fail "no section '$section'" ;;
	esac
done
exit "$failed"
