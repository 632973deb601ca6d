#!/bin/bash
# The part of run.sh and profile.sh that runs inside the lab.
#
#   inside.sh PLAN PHASE...    PHASE: in-tree or ours, one after the other
#
# PLAN has lines: side mode case...; those whose side is the phase's are run.
# Every line of vbench is printed behind the number and side of its phase.
#
# The driver runs in a control group with the cpu controller, which is where
# libvirt and others put a VM, and where our worker and in-tree's follow it. A
# case called NAME@root runs in the root group instead, NAME@fifo in that group
# with workers of ours that are SCHED_FIFO.
# Cases that begin with "vs-" are vsockbench's.
# VBENCH_ARGS: more options for vbench.
set -euo pipefail
shopt -s inherit_errexit

plan=$1
shift

unload() {
	local module try
	for module in vhost_vsock vhost_blk vhost_net vhost_core vhost vhost_iotlb; do
		for try in {1..60}; do
			[ -d "/sys/module/$module" ] || break
			# The last close of a device may still be under way, and in-tree
			# a socket waits 8 s for the answer of a guest that is gone.
			rmmod "$module" 2>/dev/null && break
			[ "$try" -lt 60 ] || { rmmod "$module"; exit 1; }
			sleep 0.2
		done
	done
}

cgroup=/sys/fs/cgroup/vm
echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
mkdir -p "$cgroup"

# run PROGRAM SIDE MODE PLACE CASE...: PLACE is in a line behind the case's name
run() {
	local program=$1 side=$2 mode=$3 place=$4 status=0
	shift 4
	[ $# -gt 0 ] || return 0
	if [ "$side" = ours ]; then
		local fifo=N
		[ "$place" != @fifo ] || fifo=Y
		echo "$fifo" >/sys/module/vhost_core/parameters/worker_fifo
	fi
	(
		[ "$place" = @root ] || echo "$BASHPID" >"$cgroup/cgroup.procs"
		# shellcheck disable=SC2086 # words
		exec "/build/bench/$program" --mode "$mode" ${VBENCH_ARGS:-} "$@"
	) >/tmp/lines || status=$?
	sed "s/^\([^ ]*\)/$phase $side \1$place/" /tmp/lines
	[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || exit "$status"
}

uname -r >"$(dirname "$plan")/release"
phase=0
for side in "$@"; do
	phase=$((phase + 1))
	unload
	/src/selftests/lab/load-modules.sh "$side"
	while read -r who mode cases; do
		[ "$who" = "$side" ] || continue
		for place in '' @root @fifo; do
			names=() sockets=()
			for name in $cases; do
				[ "$name" = "${name%@*}$place" ] || continue
				case $name in
				vs-*) sockets+=("${name%@*}") ;;
				*) names+=("${name%@*}") ;;
				esac
			done
			run vbench "$side" "$mode" "$place" "${names[@]}"
			run vsockbench "$side" "$mode" "$place" "${sockets[@]}"
		done
	done <"$plan"
	# For profile.sh: where the modules lie now.
	case ${VBENCH_ARGS:-} in *--exact*) cat /proc/kallsyms >"$(dirname "$plan")/kallsyms" ;; esac
done
unload
