#!/bin/bash
# Runs every program of selftests/kernel again and again: races that one run
# does not meet. A program counts as one result a round; what failed in it is
# shown.
#
#   again.sh ROUNDS
set -euo pipefail

rounds=${1:?usage: again.sh ROUNDS}
dir=/build/kernel
status=0
for round in $(seq "$rounds"); do
	for prog in "$dir"/*; do
		if [ ! -f "$prog" ] || [ ! -x "$prog" ]; then
			continue
		fi
		name=$(basename "$prog")
		if "$prog" >/tmp/again.log 2>&1; then
			echo "ok - $name, round $round"
		else
			echo "not ok - $name, round $round: $(grep '^not ok' /tmp/again.log | head -n 1)"
			status=1
		fi
	done
done
exit $status
