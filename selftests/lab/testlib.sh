# shellcheck shell=bash
# How one test is run and judged, on the host and in the lab alike. Sourced by
# check.sh (host) and runtests.sh (lab).
#
# A test is a command. It passes with status 0, is skipped with status 77 and
# a line "SKIP: <what is missing>", and fails otherwise. If it prints lines
# "ok - NAME" or "not ok - NAME", each of them counts as one test.

# Prints why a finished command did not simply pass, and sets
# T_PASSED, T_FAILED, T_SKIPPED. $1 status, $2 output, $3 timeout.
judge() {
	local status=$1 output=$2
	read -r T_PASSED T_FAILED < <(awk '/^ok([ -]|$)/ { ok++ } /^not ok([ -]|$)/ { bad++ }
		END { print ok + 0, bad + 0 }' "$output")
	T_SKIPPED=0
	case $status in
	0)
		[ $((T_PASSED + T_FAILED)) -gt 0 ] || T_PASSED=1
		;;
	77)
		if grep -q '^SKIP: .' "$output"; then
			T_SKIPPED=1
		else
			echo "status 77 without a line 'SKIP: <what is missing>'"
			T_FAILED=$((T_FAILED + 1))
		fi
		;;
	124 | 137)
		echo "status $status: killed, time-out $3 s"
		T_FAILED=$((T_FAILED + 1))
		;;
	*)
		echo "status $status"
		[ "$T_FAILED" -gt 0 ] || T_FAILED=1
		;;
	esac
	return 0
}

# Prints one test's line and, if it failed, what explains it.
# $1 name, $2 seconds, $3 output, $4 reasons file
report() {
	local extra=
	[ $((T_PASSED + T_FAILED)) -le 1 ] || extra=" ($T_PASSED ok, $T_FAILED not ok)"
	if [ "$T_FAILED" -gt 0 ]; then
		printf 'FAIL  %-40s %4s s%s\n' "$1" "$2" "$extra"
		grep -E '^not ok' "$3" | head -n 20 | sed 's/^/      | /' || true
		tail -n 30 "$3" | sed 's/^/      | /'
		sed 's/^/      ! /' "$4"
	elif [ "$T_SKIPPED" -gt 0 ]; then
		printf 'skip  %-40s %4s s  %s\n' "$1" "$2" "$(grep -m1 '^SKIP: ' "$3")"
	else
		printf 'pass  %-40s %4s s%s\n' "$1" "$2" "$extra"
	fi
}
