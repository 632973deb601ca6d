#!/bin/bash
# vhostctl on devices: what it prints, that its JSON is such, and how it ends.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

begin_test
ctl=/build/tools/vhostctl

# Valid JSON, and no key twice in an object; then a jq expression has to be true.
json() { # command's words..., jq expression
	"$ctl" -j "${@:1:$#-1}" >"$tmp/json" 2>"$tmp/err" || { why="status $?: $(cat "$tmp/err")"; return 1; }
	why=$(python3 -c '
import json, sys
def unique(pairs):
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)
json.load(sys.stdin, object_pairs_hook=unique)' <"$tmp/json" 2>&1) || return 1
	why="${*: -1} is not so in $(cat "$tmp/json")"
	jq -e --argjson pid "$vmm" "${@: -1}" "$tmp/json" >/dev/null
}

# ends STATUS TEXT WORDS...: with that status, and says so.
ends() {
	local status=0
	"$ctl" "${@:3}" >"$tmp/out" 2>&1 || status=$?
	why="status $status, not $1: $(cat "$tmp/out")"
	[ "$status" -eq "$1" ] || return 1
	why="no '$2' in: $(cat "$tmp/out")"
	[ -z "$2" ] || grep -q -- "$2" "$tmp/out"
}

says() { # regular expression, words...
	"$ctl" "${@:2}" >"$tmp/out" 2>&1
	why="not like '$1': $(cat "$tmp/out")"
	grep -Eqx -- "$1" "$tmp/out"
}

start_vmm
dev=$("$ctl" -j dev | jq '.[0].dev')
worker=$("$ctl" -j worker | jq '.[0].worker')
tid=$(pgrep -o "^vhost-$vmm")

# jq has a $pid of its own.
# shellcheck disable=SC2016
dev_show() {
	says "dev $dev: driver net node vhost-net state owned pid $vmm comm vmm.py vqs 2 workers 1 features 0x0 features_high 0x0 netns_cookie [0-9]+" dev &&
		json dev 'length == 1 and .[0].pid == $pid and .[0].state == "owned" and .[0].vqs == 2' &&
		json dev show "$dev" "length == 1 and .[0].dev == $dev" &&
		ends 2 'no such device' dev show 999999
}

pretty() {
	why=$("$ctl" -j -p dev)
	[ "$(wc -l <<<"$why")" -gt 5 ] && jq -e . <<<"$why" >/dev/null
}

vq_show() {
	says "dev $dev vq 1: name tx state stopped layout split size 0 last_avail 0 last_used 0 in_flight 0 worker $worker poll fixed poll_us 0 poll_window_ns 0" vq &&
		json vq 'map(.name) == ["rx", "tx"] and all(has("counters") | not)' &&
		json vq dev "$dev" vq 1 'length == 1 and .[0].name == "tx"' &&
		json -s vq dev "$dev" 'length == 2 and all(.counters.kicks == 0)' &&
		ends 0 '^    chains 0$' -s vq dev "$dev" vq 0
}

vq_set() {
	ends 0 '' vq set dev "$dev" vq 1 poll adaptive poll_us 40 &&
		json vq dev "$dev" '.[1].poll == "adaptive" and .[1].poll_us == 40 and .[0].poll_us == 0' &&
		ends 2 'no such worker' vq set dev "$dev" vq 1 worker 77 &&
		ends 1 'poll_us: a number' vq set dev "$dev" vq 1 poll_us 1000001
}

worker_show() {
	says "dev $dev worker $worker: tid $tid cpus 0-[0-9]+ class normal prio 0 nice -3 vqs 0,1" worker &&
		json worker "length == 1 and .[0].tid == $tid and .[0].vqs == [0, 1]"
}

worker_changes() {
	local new
	new=$("$ctl" -j worker add dev "$dev" | jq '.[0].worker') || return 1
	ends 0 '' vq set dev "$dev" vq 1 worker "$new" &&
		json worker dev "$dev" worker "$new" '.[0].vqs == [1]' &&
		ends 0 '' worker set dev "$dev" worker "$new" cpus 0 &&
		ends 0 '' worker set dev "$dev" worker "$new" class fifo prio 5 &&
		json worker dev "$dev" worker "$new" '.[0].cpus == "0" and .[0].class == "fifo" and .[0].prio == 5' &&
		ends 0 '' worker set dev "$dev" worker "$new" class normal nice -7 &&
		json worker dev "$dev" worker "$new" '.[0].class == "normal" and .[0].nice == -7' &&
		ends 0 '' worker set dev "$dev" worker "$new" class batch nice 3 &&
		json worker dev "$dev" worker "$new" '.[0].class == "batch" and .[0].nice == 3' &&
		ends 2 'serves virtqueues' worker del dev "$dev" worker "$new" &&
		ends 0 '' vq set dev "$dev" vq 1 worker "$worker" &&
		ends 0 '' worker del dev "$dev" worker "$new" &&
		ends 2 'no such worker' worker show dev "$dev" worker "$new"
}

# A socket device has a CID, and a worker for each queue, one of them patient.
vsock_show() {
	local net=$vmm dev sock
	node=/dev/vhost-vsock start_vmm
	dev=$("$ctl" -j dev | jq '.[] | select(.driver == "vsock") | .dev')
	sock=$vmm
	says "dev $dev: driver vsock node vhost-vsock state owned pid $sock .* workers 2 .* netns_cookie [0-9]+ cid [0-9]+" dev show "$dev" &&
		json dev 'map(.driver) == ["net", "vsock"] and (.[0] | has("cid") | not)' &&
		json worker dev "$dev" 'map([.class, .nice, .vqs]) == [["batch", -3, [0]], ["normal", -3, [1]]]' &&
		json stat dev "$dev" 'map(.counters.tx_src) == [0, 0]'
	local status=$?
	stop "$sock"
	vmm=$net
	return "$status"
}

# The same names as debugfs has, in the same order.
stat_names() {
	local want
	want=$(sed -n '/^poll_window_ns/,$p' /sys/kernel/debug/vhost/"$vmm"-net-*/vq1 | sed 1d | cut -d' ' -f1)
	why="$("$ctl" -j stat dev "$dev" vq 1 | jq -r '.[0].counters | keys_unsorted[]' | diff - <(echo "$want"))" &&
		json stat 'map([.vq, .counters.chains]) == [[0, 0], [1, 0]]'
}

# The script for machines without vhostctl prints the same, and nothing that is no counter.
counters_script() {
	why=$(/src/tools/vhost-counters -a "$vmm" | awk '$2 == "tx" { print $4 }' |
		diff - <("$ctl" -j stat dev "$dev" vq 1 | jq -r '.[0].counters | keys_unsorted[]'))
}

# What happens is printed as it happens; the first event shows that it listens.
monitor() {
	local monitor first
	mkfifo "$tmp/events"
	"$ctl" -j monitor >"$tmp/events" &
	monitor=$!
	pids+=("$monitor")
	exec {events}<"$tmp/events"
	until_true 20 listening || { why='it does not listen'; return 1; }
	first=$("$ctl" -j worker add dev "$dev" | jq '.[0].worker')
	"$ctl" worker set dev "$dev" worker "$first" cpus 0 || true
	"$ctl" worker del dev "$dev" worker "$first"
	wait_event "select(.event == \"worker_add\" and .dev == $dev and .worker == $first)" || return 1
	stop "$monitor"
}

listening() {
	: <>/dev/vhost-net
	read -r -t 1 why <&"$events" && jq -e '.event == "dev_add"' <<<"$why" >/dev/null
}

wait_event() {
	while read -r -t 20 why <&"$events"; do
		! jq -e "$1" <<<"$why" >/dev/null || return 0
	done
	return 1
}

# What somebody else chose is no control code of ours, and text.
blk_show() {
	truncate -s 1M "$tmp/disk"
	"$ctl" blk add text path "$tmp/disk" buffered serial $'a\x1b\xff\xc3\xa9' || return
	json blk show text '.[0].serial == "a??é"'
	local status=$?
	"$ctl" blk del text
	return "$status"
}

# A list that nobody got is an error.
cannot_write() {
	local words status
	for words in '-j dev' '-s vq' '-h' 'dev help'; do
		status=0
		# shellcheck disable=SC2086 # words
		why="$words: $("$ctl" $words 2>&1 >/dev/full)" || status=$?
		[ "$status" -eq 2 ] && [[ $why == *'cannot write' ]] || return
	done
}

usage() {
	ends 0 '^Usage: vhostctl' -h && ends 1 '^Usage' && ends 1 'no such object' nonsense || return 1
	local object
	for object in dev vq worker stat monitor blk cid doctor; do
		ends 0 "^Usage: vhostctl.* $object" "$object" help &&
			ends 0 "^Usage: vhostctl.* $object" "$object" -h || return 1
	done
	ends 1 'no such command' dev nonsense && ends 1 'what is "nonsense"' vq nonsense &&
		ends 1 'is missing' vq set dev 1 && ends 1 'dev ID alone' worker add dev 1 worker 1 &&
		ends 1 'cpus: a list' worker set dev 1 worker 0 cpus 3-1 &&
		ends 1 'class: normal, batch or fifo' worker set dev 1 worker 0 class rr &&
		ends 1 'dev: a number' vq dev x
}

unprivileged() {
	local status=0
	why=$(setpriv --bounding-set=-all --inh-caps=-all "$ctl" dev 2>&1) || status=$?
	[ "$status" -eq 2 ] && [[ $why == *"Operation not permitted"* ]]
}

for name in dev_show pretty vq_show vq_set worker_show worker_changes vsock_show stat_names counters_script blk_show cannot_write monitor usage unprivileged; do
	check "$name" "$name" || true
done
