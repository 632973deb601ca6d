#!/bin/bash
# vhosttop beside real traffic: its figures, its BPF programs, its screen.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

begin_test
top=/build/tools/vhosttop
ctl=/build/tools/vhostctl

# json WORDS OF VHOSTTOP... JQ: all objects as one array; the expression has to be true.
json() {
	"$top" -j "${@:1:$#-1}" >"$tmp/json" 2>"$tmp/err" || { why="status $?: $(cat "$tmp/err")"; return 1; }
	holds "${@: -1}"
}

holds() { # expression
	why="$1 is not so in $(cat "$tmp/json")"
	jq -es "$1" "$tmp/json" >/dev/null
}

# ends STATUS TEXT COMMAND...: with that status, and says so.
ends() {
	local status=0
	"${@:3}" >"$tmp/out" 2>&1 </dev/null || status=$?
	why="status $status, not $1: $(cat "$tmp/out")"
	[ "$status" -eq "$1" ] && grep -q -- "$2" "$tmp/out"
}

running() { "$ctl" -j dev | jq -e 'any(.state == "running")' >/dev/null; }

# The guest driver of the benches, until it is killed: rows of 64 packets. What looks
# at it goes first.
start_traffic() {
	nice -n 19 /build/bench/vbench --rounds 1000000 tx64 >/dev/null 2>&1 &
	guest=$!
	pids+=("$guest")
	until_true 30 running || { why='no device runs'; return 1; }
	dev=$("$ctl" -j dev | jq '.[] | select(.state == "running") | .dev')
}

keys='["dev","vq","pid","vm","driver","node","queue","state","worker_tid","worker_cpu","worker_cpu_percent",
	"worker_wait_percent","packets_per_s","read_bytes_per_s","written_bytes_per_s","kicks_per_s",
	"kicks_suppressed_per_s","interrupts_per_s","interrupts_suppressed_per_s","batch_chains",
	"poll_hit_percent","ring_size","ring_in_flight","ring_percent","kick_to_run_turns",
	"kick_to_run_p50_us","kick_to_run_p99_us"]'

# A packet is 64 bytes and a header of 12.
figures() {
	local tid
	tid=$(pgrep -o "^vhost-$guest")
	json -n 2 -d 0.7 'length == 2 and all(.interval_s > 0.6 and .interval_s < 5 and .no_latencies == null)' &&
		holds "all(.queues | length == 2 and all(keys_unsorted == $keys))" &&
		holds "all(.queues[1] | .dev == $dev and .vq == 1 and .pid == $guest and .queue == \"tx\" and .worker_tid == $tid)" &&
		holds 'all(.queues[1] | .packets_per_s > 0 and .kicks_per_s > 0 and .interrupts_per_s > 0 and .worker_cpu_percent > 0)' &&
		holds 'all(.queues[1] | (.read_bytes_per_s / .packets_per_s - 76 | fabs) < 1 and .written_bytes_per_s == 0)' &&
		holds 'all(.queues[1] | .batch_chains > 1 and .batch_chains < 65 and .ring_size == 256)' &&
		holds 'all(.queues[1] | .kick_to_run_turns > 0 and .kick_to_run_p50_us > 0 and .kick_to_run_p50_us <= .kick_to_run_p99_us)' &&
		holds 'all(.queues[0] | .packets_per_s == 0 and .batch_chains == null and .kick_to_run_p50_us == null)'
}

# A guest that sleeps after each row has a turn for a kick; interval and counters are
# not taken at the very same time.
turns() {
	# shellcheck disable=SC2016 # jq's variable
	json -n 2 -d 0.7 '.[1] as $s | $s.queues[1] | .kick_to_run_turns / (.kicks_per_s * $s.interval_s) | . > 0.5 and . < 1.5'
}

table() {
	"$top" -b -n 1 -d 0.5 >"$tmp/out" || { why="status $?"; return 1; }
	why=$(cat "$tmp/out")
	[ "$(wc -l <"$tmp/out")" -eq 5 ] && grep -Eq '^ +PID VM +DEVICE +QUEUE .* P50us +P99us$' "$tmp/out" &&
		grep -Eq "^ +$guest vbench +$dev:net +tx .* [0-9.]+ +[0-9.]+\$" "$tmp/out"
}

polling() {
	"$ctl" vq set dev "$dev" vq 1 poll_us 200 &&
		json -n 1 '.[0].queues[1] | .poll_hit_percent >= 0 and .poll_hit_percent <= 100' || return
	"$ctl" vq set dev "$dev" vq 1 poll_us 0
}

filter() {
	json -n 1 -d 0.1 -p "$guest" '.[0].queues | length == 2' && json -n 1 -d 0.1 -p 1 '.[0].queues == []'
}

programs() { bpftool -j prog show | jq '[.[] | select(.name == "on_kick" or .name == "on_run")] | length'; }

# The programs are there while somebody looks, and gone when he is, however he ends.
programs_gone() {
	local how watcher
	for how in TERM KILL; do
		"$top" -j -d 100 >/dev/null &
		watcher=$!
		pids+=("$watcher")
		until_true 20 has_programs 2 || { why="$(programs) programs while it runs"; return 1; }
		kill "-$how" "$watcher"
		wait "$watcher" || true
		until_true 20 has_programs 0 || { why="$(programs) programs after SIG$how"; return 1; }
	done
}

has_programs() { [ "$(programs)" -eq "$1" ]; }

without() {
	json -x -n 1 -d 0.3 '.[0] | .no_latencies == "switched off" and .queues[1].kick_to_run_p50_us == null and .queues[1].packets_per_s > 0' &&
		has_programs 0
}

unprivileged() {
	ends 2 'CAP_NET_ADMIN' setpriv --bounding-set=-all --inh-caps=-all "$top" -b -n 1 &&
		ends 0 'no latencies: .*Operation not permitted' \
			setpriv --bounding-set=-all,+net_admin --inh-caps=-all "$top" -b -n 1 -d 0.2 &&
		grep -Eq " tx .* - +-\$" "$tmp/out"
}

usage() {
	ends 0 '^Usage: vhosttop' "$top" -h && ends 1 '^Usage' "$top" -z && ends 1 'no terminal' "$top" &&
		ends 1 'seconds, not' "$top" -b -d 0 && ends 1 'a number' "$top" -b -n x && ends 1 'what is' "$top" -b x &&
		ends 1 'process id' "$top" -b -p -3 && ends 2 'cannot write' sh -c "$top -b -n 2 -d 0.1 >/dev/full"
}

# What another process chose is not for the terminal. A VM has the name that QEMU was given.
names() {
	start_vmm_that 'name=a\x1b[31mb'
	"$top" -b -x -n 1 -d 0.1 >"$tmp/out"
	why=$(cat -v "$tmp/out")
	grep -q " $vmm a?\[31mb " "$tmp/out" && ! grep -q $'\x1b' "$tmp/out" || return
	stop "$vmm"
	start_vmm_that -name guest=web-1,debug-threads=on
	json -x -n 1 -d 0.1 -p "$vmm" '.[0].queues | length == 2 and all(.vm == "web-1")'
	local status=$? long
	stop "$vmm"
	[ "$status" -eq 0 ] || return
	# Longer than there is room for, and cut in the middle of a character.
	long=$(printf 'x%.0s' {1..126})
	start_vmm_that -name "${long}é"
	json -x -n 1 -d 0.1 -p "$vmm" ".[0].queues | length == 2 and all(.vm == \"$long?\")"
	status=$?
	stop "$vmm"
	return "$status"
}

# Stopped for 4 s (Ctrl-Z), it does not make up for the 20 intervals that it missed.
stopped() {
	local watcher before begin
	"$top" -j -x -d 0.2 >"$tmp/json" &
	watcher=$!
	pids+=("$watcher")
	until_true 20 [ -s "$tmp/json" ] || { why='it prints nothing'; return 1; }
	before=$(wc -l <"$tmp/json")
	begin=${EPOCHREALTIME/./}
	kill -STOP "$watcher"
	sleep 4
	kill -CONT "$watcher"
	sleep 2
	stop "$watcher"
	holds "length <= $before + $((${EPOCHREALTIME/./} - begin - 4000000)) / 200000 + 2"
}

# Devices that come and go meanwhile: no figure is made of two devices' counters.
changes() {
	local watcher
	"$top" -j -d 0.2 >"$tmp/json" &
	watcher=$!
	pids+=("$watcher")
	for _ in 1 2; do
		until_true 20 flows "$guest" || { why="no packets of $guest"; return 1; }
		stop "$guest"
		start_traffic || return
	done
	until_true 20 flows "$guest" || { why="no packets of $guest"; return 1; }
	stop "$watcher"
	holds '[.[].queues[] | .packets_per_s, .kicks_per_s, .kick_to_run_p99_us] | all(. == null or (. >= 0 and . < 1e8))'
}

flows() { jq -es --argjson p "$1" 'any(.[].queues[]; .pid == $p and .packets_per_s > 0)' "$tmp/json" >/dev/null 2>&1; }

# --- the screen -------------------------------------------------------------------

mux() { tmux -L top -f /dev/null "$@"; }

shows() { # regular expression
	mux capture-pane -p -t top >"$tmp/screen"
	grep -Eq -- "$1" "$tmp/screen"
}

await() {
	until_true 20 shows "$1" || { why="no '$1' on the screen: $(cat "$tmp/screen")"; return 1; }
}

screen() {
	mux new-session -d -s top -x 140 -y 12 "stty -g >$tmp/tty; $top; echo ended \$?; stty -g >$tmp/tty2; exec sleep 1000" || return
	await '^ +PID VM .* P99us' && await " $guest vbench .* tx .* [0-9.]+ +[0-9.]+\$" && await 'sorted by DEVICE' &&
		await '^q quit' || return
	why=$(mux display -p -t top 'alternate #{alternate_on}, cursor #{cursor_flag}')
	[ "$why" = 'alternate 1, cursor 0' ] || return
	mux send-keys -t top b && await 'sorted by B/s' || return
	# The first line below the caption is the queue with most bytes now.
	await '.' && why=$(sed -n 4p "$tmp/screen") && [[ $why == *' tx '* ]] || return
	mux resize-window -t top -x 60 -y 6 && await '^q quit.{0,53}$' && await 'virtqueues, 1-2 ' || return
	mux send-keys -t top Right Right Right Right Right && await '^ *TID CPU .*OP/s' || return
	mux send-keys -t top q && await '^ended 0' || return
	why=$(mux display -p -t top 'alternate #{alternate_on}, cursor #{cursor_flag}')
	[ "$why" = 'alternate 0, cursor 1' ] && until_true 10 cmp -s "$tmp/tty" "$tmp/tty2" || return
	until_true 10 has_programs 0
}

start_traffic || { echo "not ok - traffic: $why"; exit 1; }
for name in figures turns table polling filter programs_gone without unprivileged usage names stopped screen changes; do
	check "$name" "$name" || true
done
mux kill-server 2>/dev/null || true
