#!/bin/bash
# bash's completion of vhostctl, asked as bash asks: what it offers behind a line.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

begin_test
ctl=/build/tools/vhostctl
PATH=/build/tools:$PATH
# shellcheck source=../../tools/vhostctl/completion/vhostctl
. /src/tools/vhostctl/completion/vhostctl
# shellcheck source=../../tools/vhosttop/completion/vhosttop
. /src/tools/vhosttop/completion/vhosttop

# offers LINE WORDS: the line's last word is being typed; that is offered.
offers() {
	local line=$1
	shift
	read -ra COMP_WORDS <<<"$line"
	[[ $line != *' ' ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	"_${line%% *}"
	why="behind '$line': ${COMPREPLY[*]}, not $*"
	[ "$(printf '%s\n' "${COMPREPLY[@]}" | sort)" = "$(printf '%s\n' "$@" | sort)" ]
}

# All objects that there are, and every command.
objects() {
	local all
	mapfile -t all < <("$ctl" -h | sed -nE 's/^  ([a-z]+)  .*/\1/p')
	offers 'vhostctl ' "${all[@]}" && offers 'vhostctl -j w' worker && offers 'vhostctl -' -s -j -p -h &&
		offers 'vhostctl worker ' show set add del dev help && offers 'vhostctl vq s' show set &&
		offers 'vhostctl stat --' --openmetrics --prometheus && offers 'vhostctl doctor ' help
}

numbers() {
	offers 'vhostctl dev show ' "$dev" && offers 'vhostctl worker set dev ' "$dev" &&
		offers "vhostctl vq set dev $dev vq " 0 1 && offers "vhostctl worker show dev $dev worker " "$worker" &&
		offers "vhostctl -s vq dev $dev vq 1" 1 && offers "vhostctl vq set dev $dev vq 1 worker " "$worker"
}

words() {
	offers "vhostctl vq set dev $dev vq 1 po" poll poll_us && offers "vhostctl vq set dev $dev vq 1 poll " fixed adaptive &&
		offers "vhostctl worker set dev $dev worker 0 " cpus class &&
		offers "vhostctl worker set dev $dev worker 0 class " normal batch fifo &&
		offers "vhostctl worker set dev $dev worker 0 class fifo " prio &&
		offers "vhostctl worker set dev $dev worker 0 cpus " '' && offers 'vhostctl cid set 3 group ' none
}

disks() {
	truncate -s 1M "$tmp/disk"
	"$ctl" blk add complete path "$tmp/disk" buffered
	offers 'vhostctl blk del ' complete && offers 'vhostctl blk show c' complete &&
		offers "vhostctl blk add x path $tmp/d" "$tmp/disk" &&
		offers 'vhostctl blk add x path /x poll r' ro && offers 'vhostctl blk add x path /x worker ' device queue
	local status=$?
	"$ctl" blk del complete
	return "$status"
}

vhosttop_options() {
	offers 'vhosttop ' -b -j -d -n -p -x -h && offers 'vhosttop -b -p ' "$vmm" && offers 'vhosttop -d ' ''
}

start_vmm
dev=$("$ctl" -j dev | jq '.[0].dev')
worker=$("$ctl" -j worker | jq '.[0].worker')
for name in objects numbers words disks vhosttop_options; do
	check "$name" "$name" || true
done
