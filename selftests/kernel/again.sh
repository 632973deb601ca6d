#!/bin/bash
# Runs every program of selftests/kernel again and again: races that one run
# does not meet. A program counts as one result a round; what failed in it is
# shown.
#
#   again.sh ROUNDS [MODE...]
#
# With modes (lib/test.h) a round is one of these in turn; a program without
# tests for it is left out.
set -euo pipefail

rounds=${1:?usage: again.sh ROUNDS [MODE...]}
shift
modes=("$@")
dir=/build/kernel
# The rounds are what takes long here.
export SOAK_SECONDS=10
status=0
for round in $(seq "$rounds"); do
	args=()
	[ $# -eq 0 ] || args=(--mode "${modes[(round - 1) % $#]}")
	for prog in "$dir"/*; do
		if [ ! -f "$prog" ] || [ ! -x "$prog" ]; then
			continue
		fi
		name=$(basename "$prog")
		if "$prog" "${args[@]}" >/tmp/again.log 2>&1; then
			echo "ok - $name, round $round"
		elif grep -q '^not ok - no such test in mode' /tmp/again.log; then
			continue
		else
			echo "not ok - $name, round $round: $(grep '^not ok' /tmp/again.log | head -n 1)"
			status=1
		fi
	done
done
exit $status
