#!/bin/bash
# Writes docs/vhosttop.txt and docs/vhostctl-dev.txt: what vhosttop and "vhostctl dev
# show" say in the lab, beside guest drivers that keep a network device and a disk busy.
#
#   capture.sh      (KERNEL= one of the lab's kernels)
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
repo=$(cd "$here/../.." && pwd)

case ${1:-} in
'')
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	"$repo/selftests/lab/build.sh" "${KERNEL:-6.12}" all >"$tmp/log" 2>&1 || { tail -n 40 "$tmp/log" >&2; exit 1; }
	"$repo/selftests/lab/vm.sh" --modules ours --smp 1 --timeout 300 --out "$tmp" -- \
		/src/selftests/tools/capture.sh in-lab
	cp "$tmp/vhosttop.txt" "$tmp/vhostctl-dev.txt" "$repo/docs"
	exit
	;;
in-lab) ;;
*) sed -n '2,/^set/{/^#/p}' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac

# shellcheck source=lib.sh
. "$here/lib.sh"
begin_test

mux() { tmux -L capture -f /dev/null "$@"; }

# Three virtqueues with a figure for everything.
complete() {
	mux capture-pane -p -t top >/out/vhosttop.txt
	[ "$(grep -cE '[0-9.]+ +[0-9.]+$' /out/vhosttop.txt)" -ge 3 ]
}

running() { [ "$(/build/tools/vhostctl -j dev | jq '[.[] | select(.state == "running")] | length')" -eq 3 ]; }

modprobe null_blk nr_devices=1
for command in "/build/bench/vbench --rounds 1000000 tx64" "/build/bench/vbench --rounds 1000000 --node /dev/vhost-net rx64" \
	"/build/bench/blkclass /dev/nullb0 none 10000000"; do
	# shellcheck disable=SC2086 # words
	nice -n 19 $command >/dev/null 2>&1 &
	pids+=("$!")
done
until_true 60 running
/build/tools/vhostctl dev show >/out/vhostctl-dev.txt
mux new-session -d -s top -x 130 -y 12 /build/tools/vhosttop
until_true 60 complete
cat /out/vhosttop.txt
mux kill-server
