#!/bin/bash
# Tracepoints: they are what docs/tracing.md says; perf, bpftrace and the scripts of
# tools/bpf see real traffic in them.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

begin_test
ctl=/build/tools/vhostctl
doc=/src/docs/tracing.md
events=/sys/kernel/tracing/events/vhost

# Lines "event field field ..." of the document's table, and those of the kernel.
documented() { sed -nE 's/^\| (vhost_[a-z_]+) \| ([a-z_ ]+) \|.*/\1 \2/p' "$doc" | sort; }
formats() {
	local file
	for file in "$events"/*/format; do
		awk '/^name:/ { line = $2 }
			/^\tfield:/ && !/ common_/ { sub(/;.*/, ""); sub(/\[.*\] /, " "); line = line " " $NF }
			END { print line }' "$file"
	done | sort
}

fields() {
	why=$(diff <(documented) <(formats))
	[ -z "$why" ] && [ "$(formats | wc -l)" -ge 11 ]
}

# Each field of an event has its type and unit in the second table, and no other.
types() {
	sed -nE 's/^\| ([a-z]+) \| ([a-z0-9 ]+(\[\])?) \|.*/\1 \2/p' "$doc" | grep -vE '^(event|field|question|script) ' | sort >"$tmp/doc"
	sed -nE '/ common_/d; s/^\tfield:(__data_loc )?([^;]*[] ])([a-z]+);.*/\3 \2/p' "$events"/*/format | sed 's/ *$//' | sort -u >"$tmp/kernel"
	why=$(diff "$tmp/doc" "$tmp/kernel")
	[ -z "$why" ] && [ "$(wc -l <"$tmp/doc")" -ge 12 ]
}

# The document's examples have the words of the events' format, in its order.
examples() {
	sed -nE 's/^    (vhost_[a-z_]+): (dev=.*)/\1 \2/p' "$doc" | sed -E 's/=[^ ]*//g' | sort >"$tmp/doc"
	awk '/^name:/ { name = $2 } /^print fmt:/ { split($0, s, "\""); gsub(/=%[a-z]+/, "", s[2]); print name, s[2] }' \
		"$events"/*/format | sort >"$tmp/kernel"
	why=$(diff "$tmp/doc" "$tmp/kernel")
	[ -z "$why" ]
}

running() { [ "$("$ctl" -j dev | jq '[.[] | select(.state == "running")] | length')" -eq 2 ]; }

perf_stat() {
	perf stat -x, -a -e 'vhost:*' sleep 1 2>"$tmp/out" || { why=$(cat "$tmp/out"); return 1; }
	local event
	for event in kick wake run fetch publish signal blk_issue blk_complete; do
		why="vhost_$event: $(grep "vhost_$event," "$tmp/out")"
		[ "$(awk -F, -v e="vhost:vhost_$event" '$3 == e { print $1 }' "$tmp/out")" -gt 0 ] || return
	done
}

perf_trace() {
	perf trace -a -e vhost:vhost_fetch,vhost:vhost_blk_complete sleep 0.3 >"$tmp/out" 2>&1 ||
		{ why=$(tail -n 3 "$tmp/out"); return 1; }
	why=$(tail -n 3 "$tmp/out")
	grep -Eq "vhost:vhost_fetch\(dev[=:] $net, vq[=:] 1, owner[=:] .*driver[=:] \"net\", value[=:] [0-9]+" "$tmp/out" &&
		grep -Eq "vhost:vhost_blk_complete\(dev[=:] $disk, .*ns[=:] [0-9]+" "$tmp/out"
}

# Each start takes seconds, so all run at once.
start_scripts() {
	local script
	for script in /src/tools/bpf/*.bt; do
		timeout 120 "$script" 5 >"$tmp/$(basename "$script")" 2>&1 &
		scripts+=("$!")
		pids+=("$!")
	done
}

end_scripts() {
	local pid
	for pid in "${scripts[@]}"; do
		wait "$pid" || { why="status $?: $(tail -n 5 "$tmp"/*.bt)"; return 1; }
	done
	[ "${#scripts[@]}" -ge 4 ]
}

# printed SCRIPT REGULAR EXPRESSION...
printed() {
	local regex
	for regex in "${@:2}"; do
		why="$1: no '$regex' in $(cat "$tmp/$1")"
		grep -Eq -- "$regex" "$tmp/$1" || return
	done
	why="$1 leaves what is its own: $(grep -E '^@(seconds|kicked|ready|on|name)' "$tmp/$1")"
	! grep -Eq '^@(seconds|kicked|ready|on|name)\b' "$tmp/$1"
}

script_kick_to_run() { printed kick-to-run.bt "^@us\[$net, 1\]:" '^\[.*\) +[0-9]+ \|.*@'; }
script_requests() { printed requests.bt "^@us\[$disk, read\]:" "^@us\[$disk, write\]:" "^@bytes\[$disk, write\]: [0-9]+"; }
script_batches() {
	printed batches.bt "^@fetched\[$net, 1\]:" "^@published\[$net, 1\]:" "^@kicks\[$net, 1\]: [0-9]+" \
		"^@interrupts\[$net, 1\]: [0-9]+" '^\[64, 128\) +[1-9]'
}
script_noise() {
	printed noise.bt "^@wait_us\[vhost-$guest-net\]:" "^@cpu_us\[vhost-$guest-net\]: [0-9]+" \
		"^@behind_us\[vhost-$guest-net, [^]]+\]: [0-9]+" "^@turns\[vhost-$guest-net, $net, 1\]: [0-9]+"
}

# What a script's head says that it prints is what it does print.
heads() {
	local script name
	for script in /src/tools/bpf/*.bt; do
		while read -r name; do
			why="$(basename "$script") prints @$name, and its head does not say so"
			grep -q "^ \* @$name\[" "$script" || return
		done < <(grep -oE '^@[a-z_]+\[' "$tmp/$(basename "$script")" | tr -d '@[' | sort -u)
	done
}

modprobe null_blk nr_devices=1
nice -n 19 /build/bench/vbench --rounds 1000000 tx64 >/dev/null 2>&1 &
guest=$!
nice -n 5 /build/bench/blkclass /dev/nullb0 none 10000000 >/dev/null 2>&1 &
reader=$!
pids+=("$guest" "$reader")
scripts=()
until_true 30 running || { echo "not ok - traffic: no two devices run"; exit 1; }
net=$("$ctl" -j dev | jq '.[] | select(.driver == "net") | .dev')
disk=$("$ctl" -j dev | jq '.[] | select(.driver == "blk") | .dev')
for name in fields types examples perf_stat perf_trace; do
	check "$name" "$name" || true
done
start_scripts
for name in end_scripts script_kick_to_run script_requests script_batches script_noise heads; do
	check "$name" "$name" || true
done
stop "$reader"
"$ctl" -j blk | jq -r '.[].name' | while read -r name; do "$ctl" blk del "$name"; done
stop "$guest"
modprobe -r null_blk
