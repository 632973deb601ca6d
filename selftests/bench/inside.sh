#!/bin/bash
# The part of run.sh and profile.sh that runs inside the lab.
#
#   inside.sh PLAN PHASE...    PHASE: in-tree or ours, one after the other
#
# PLAN has lines: side mode case...; those whose side is the phase's are run.
# Every line of vbench is printed behind the number and side of its phase.
# VBENCH_ARGS: more options for vbench.
set -euo pipefail
shopt -s inherit_errexit

plan=$1
shift

unload() {
	local module try
	for module in vhost_net vhost_core vhost vhost_iotlb; do
		for try in 1 2 3 4 5; do
			[ -d "/sys/module/$module" ] || break
			# The last close of a device may still be under way.
			rmmod "$module" && break
			[ "$try" -lt 5 ] || exit 1
			sleep 0.2
		done
	done
}

uname -r >"$(dirname "$plan")/release"
phase=0
for side in "$@"; do
	phase=$((phase + 1))
	unload
	/src/selftests/lab/load-modules.sh "$side"
	while read -r who mode cases; do
		[ "$who" = "$side" ] || continue
		status=0
		# shellcheck disable=SC2086 # words
		/build/bench/vbench --mode "$mode" ${VBENCH_ARGS:-} $cases >/tmp/lines || status=$?
		sed "s/^/$phase $side /" /tmp/lines
		[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || exit "$status"
	done <"$plan"
	# For profile.sh: where the modules lie now.
	case ${VBENCH_ARGS:-} in *--exact*) cat /proc/kallsyms >"$(dirname "$plan")/kallsyms" ;; esac
done
unload
