#!/bin/bash
# Stock guests in QEMU with vhost-vsock-pci: a with split rings and CID 42, b
# with packed rings and CID 43.
#
#   qemu-vsock.sh
#
# Programs that know nothing of us talk both ways: socat, and the kernel's own
# vsock_test (which wants TCP beside: a has a network card for that, the host is
# 10.80.0.1, the guest 10.80.0.2) and vsock_perf. Then guests talk to each other,
# if they may, and one of them dies.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

own_network "$@"
begin_test
ctl=/build/tools/vhostctl
MIB=${CLIENTS_VSOCK_MIB:-4}

boot() {
	cat "/build/clients/guest-$guest_kernel.cpio" /build/clients/guest-vsock.cpio >"$tmp/initrd"
	machine_start a "" -initrd "$tmp/initrd" \
		-device vhost-vsock-pci,guest-cid=42,disable-legacy=on \
		-netdev tap,id=n0,ifname=vct0,script=no,downscript=no \
		-device virtio-net-pci,netdev=n0,mac=52:54:00:00:80:02,romfile= &&
		machine_start b "" -initrd "$tmp/initrd" \
			-device vhost-vsock-pci,guest-cid=43,packed=on,disable-legacy=on &&
		guest_reply a 600 && guest_reply b 600
}

drivers() {
	local name
	for name in a b; do
		guest "$name" 'busybox xargs -n 1 -I M busybox insmod /modules/M </modules/vsock' || return
	done
	guest a 'ip addr add 10.80.0.2/24 dev eth0 && ip link set eth0 up' &&
		need "no answer from 10.80.0.2" ping -q -c 3 -i 0.2 -W 20 10.80.0.2 >/dev/null
}

served() {
	local name
	for name in a b; do
		vhost_counters "${m_pid[$name]}" vsock >"$tmp/counters"
		need "queues of $name do not run: $(cat "$tmp/counters")" \
			[ "$(grep -c ' name=.*state=running' "$tmp/counters")" -eq 2 ] || return
	done
	layouts a split && layouts b packed
}

layouts() { # machine, layout
	need "rings of $1 are not $2" \
		[ "$(vhost_counters "${m_pid[$1]}" vsock | grep -c " layout=$2 ")" -eq 2 ]
}

# A well-behaved driver's packets are all good.
no_rejections() {
	why=$(vhost_rejections "${m_pid[a]}" vsock; vhost_rejections "${m_pid[b]}" vsock)
	[ -z "$why" ]
}

cids() {
	local got
	got=$("$ctl" -j cid show) || return
	need "vhostctl says: $got" grep -q "\"cid\":42,\"owner_pid\":${m_pid[a]},\"group\":0" <<<"$got" &&
		need "vhostctl says: $got" grep -q "\"cid\":43,\"owner_pid\":${m_pid[b]},\"group\":0" <<<"$got"
}

# Who connects waits until there is somebody.
patience=retry=600,interval=0.2

socat_to_guest() { # machine, CID
	local sum
	head -c $((MIB << 20)) /dev/urandom >"$tmp/data"
	guest_tell "$1" 'socat -u VSOCK-LISTEN:5000 CREATE:/t/data' || return
	socat -u "OPEN:$tmp/data" "VSOCK-CONNECT:$2:5000,$patience" || { why="socat: status $?"; return 1; }
	guest_reply "$1" 120 && guest "$1" 'sha256sum /t/data' || return
	sum=$(sha256sum <"$tmp/data")
	need "the guest's file has another SHA-256" [ "${reply%% *}" = "${sum%% *}" ]
}

socat_from_guest() { # machine
	local pid
	rm -f "$tmp/back"
	socat -u VSOCK-LISTEN:5001 "CREATE:$tmp/back" &
	pid=$!
	pids+=("$pid")
	guest "$1" "socat -u OPEN:/t/data VSOCK-CONNECT:2:5001,$patience" || return
	why="socat: not done"
	wait "$pid" && need "the file from the guest is another one" cmp "$tmp/data" "$tmp/back"
}

# --- vsock_test -------------------------------------------------------------------

# All cases passed, as the kernel's program has it: "7 - NAME...ok".
all_ok() { # file
	local cases ok
	cases=$(/build/clients/vsock_test --list | grep -c '^[0-9]')
	ok=$(grep -c '^[0-9]* - .*ok$' "$1" || true)
	note "$ok of $cases cases"
	need "$ok of $cases cases: $(tail -n 2 "$1")" [ "$ok" -eq "$cases" ]
}

# shellcheck disable=SC2317 # until_true calls it
listens() { ss -Hltn "sport = :$1" | grep -q .; }

vsock_test_host_serves() {
	local pid
	/build/clients/vsock_test --mode=server --control-port=1234 --peer-cid=42 >"$tmp/server" 2>&1 &
	pid=$!
	pids+=("$pid")
	why="the host does not listen"
	until_true 30 listens 1234 || return
	guest_tell a 'vsock_test --mode=client --control-host=10.80.0.1 --control-port=1234 --peer-cid=2 2>&1'
	guest_reply a 400 || return
	why="the server: $(tail -n 2 "$tmp/server")"
	wait "$pid" || return
	printf '%s' "$reply" >"$tmp/client"
	all_ok "$tmp/client"
}

# shellcheck disable=SC2317 # until_true calls it
guest_listens() { guest a "busybox grep -qi ':$(printf %04x "$1") .* 0A ' /proc/net/tcp"; }
# shellcheck disable=SC2317 # until_true calls it
server_ended() { guest a '[ -e /t/ended ]'; }

vsock_test_guest_serves() {
	guest a '(vsock_test --mode=server --control-port=1235 --peer-cid=2; echo >/t/ended) >/t/server 2>&1 </dev/null &' || return
	why="the guest does not listen"
	until_true 60 guest_listens 1235 || return
	/build/clients/vsock_test --mode=client --control-host=10.80.0.2 --control-port=1235 \
		--peer-cid=42 >"$tmp/client" 2>&1 || { why=$(tail -n 2 "$tmp/client"); return 1; }
	all_ok "$tmp/client" || return
	why="the guest's server does not end"
	until_true 60 server_ended && guest a 'cat /t/server' || return
	printf '%s' "$reply" >"$tmp/server"
	all_ok "$tmp/server"
}

# --- vsock_perf -------------------------------------------------------------------

perf() { note "$(grep -h 'performance' "$tmp/perf" | tr '\n' ' ')"; }

# shellcheck disable=SC2317 # until_true calls it
perf_send() { /build/clients/vsock_perf --sender 42 --port 5002 --bytes "${MIB}M" --buf-size 64K >"$tmp/perf" 2>&1; }

perf_to_guest() {
	guest_tell a 'vsock_perf --port 5002 --buf-size 64K --vsk-size 256K 2>&1'
	why="vsock_perf: nobody listens"
	until_true 60 perf_send || { why=$(tail -n 1 "$tmp/perf"); return 1; }
	guest_reply a 60 || return
	printf '%s' "$reply" >>"$tmp/perf"
	perf
}

perf_from_guest() {
	local pid
	/build/clients/vsock_perf --port 5003 --buf-size 64K --vsk-size 256K >"$tmp/perf" 2>&1 &
	pid=$!
	pids+=("$pid")
	why="the host does not listen"
	until_true 30 vsock_listens 5003 || return
	guest a "vsock_perf --sender 2 --port 5003 --bytes ${MIB}M --buf-size 64K 2>&1" || return
	why="vsock_perf on the host: $(tail -n 1 "$tmp/perf")"
	wait "$pid" && perf
}

# shellcheck disable=SC2317 # until_true calls it
vsock_listens() { ss -Hl --vsock | grep -q ":$1 "; }

# --- guest to guest ----------------------------------------------------------------

# b takes files from whoever comes; the host comes first, which shows that it does.
b_listens() {
	guest b 'socat -u VSOCK-LISTEN:6000,fork OPEN:/t/got,creat,trunc </dev/null >/dev/null 2>&1 &' &&
		socat -u OPEN:/dev/null "VSOCK-CONNECT:43:6000,$patience"
}

a_to_b() { guest a 'socat -u OPEN:/t/data VSOCK-CONNECT:43:6000 2>&1'; }

strangers() {
	! a_to_b || { why="a guest reaches another one of no group"; return 1; }
	need "vhostctl cid set" "$ctl" cid set 42 group 7 &&
		need "vhostctl cid set" "$ctl" cid set 43 group 8 || return
	! a_to_b || { why="a guest reaches another one of another group"; return 1; }
	need "no rejection says so: $reply" grep -q 'tx_dst=[1-9]' <<<"$(vhost_counters "${m_pid[a]}" vsock)"
}

# shellcheck disable=SC2317 # until_true calls it
b_has_it() {
	guest b 'sha256sum /t/got' && [ "${reply%% *}" = "$sum" ]
}

together() {
	local sum
	need "vhostctl cid set" "$ctl" cid set 43 group 7 || return
	guest a 'sha256sum /t/data' || return
	sum=${reply%% *}
	a_to_b || return
	why="b does not have a's file"
	until_true 60 b_has_it || return
	need "the group counts nothing: $("$ctl" cid)" \
		grep -qE '^group 7: members 2 .*bytes [1-9]' <<<"$("$ctl" cid)"
}

apart() {
	need "vhostctl cid set" "$ctl" cid set 43 group none || return
	! a_to_b || { why="a guest reaches another one that left the group"; return 1; }
}

# --- ends ----------------------------------------------------------------------------

# shellcheck disable=SC2317 # until_true calls it
ended() { ! kill -0 "$1" 2>/dev/null; }
# shellcheck disable=SC2317 # until_true calls it
b_sees_one() { guest b 'busybox grep -l socat /proc/[0-9]*/comm | busybox wc -l' && [ "${reply%%$'\n'*}" -ge 2 ]; }

# A connection is open when its guest is killed: the peer knows at once.
killed() {
	local pid
	socat -u VSOCK-CONNECT:43:6000,"$patience" STDOUT >"$tmp/peer" 2>&1 &
	pid=$!
	pids+=("$pid")
	why="b sees no connection"
	until_true 60 b_sees_one || return
	kill -KILL "${m_pid[b]}"
	why="the peer of a guest that was killed waits"
	until_true 10 ended "$pid" || return
	! wait "$pid" || { why="the peer was told that all is well"; return 1; }
	need "the peer was told: $(cat "$tmp/peer")" grep -qi 'reset by peer' "$tmp/peer"
}

cid_is_free() {
	need "CID 43 is still listed" [ "$("$ctl" cid show 43 2>/dev/null | wc -l)" -eq 0 ]
}

report() {
	vhost_counters "${m_pid[a]}" vsock | sed -E 's/ [a-z_0-9]+=0\b//g; s/^/# /'
	cat "$tmp/a/stderr" "$tmp/a/console" "$tmp/b/stderr" "$tmp/b/console"
}

ip tuntap add name vct0 mode tap vnet_hdr
ip addr add 10.80.0.1/24 dev vct0
ip link set vct0 up

check "boot two guests to the agent" boot || { report; exit 1; }
check "drivers, control network" drivers || { report; exit 1; }
check "vhost serves both, split and packed" served || { report; exit 1; }
check "CIDs and their owners" cids || true
check "split: $MIB MiB to the guest, socat" socat_to_guest a 42 || true
check "split: $MIB MiB from the guest, socat" socat_from_guest a || true
check "packed: $MIB MiB to the guest, socat" socat_to_guest b 43 || true
check "packed: $MIB MiB from the guest, socat" socat_from_guest b || true
check "vsock_test, the host serves" vsock_test_host_serves || true
check "vsock_test, the guest serves" vsock_test_guest_serves || true
check "vsock_perf to the guest" perf_to_guest || true
check "vsock_perf from the guest" perf_from_guest || true
check "no packet was rejected" no_rejections || true
check "a guest that listens to all" b_listens || exit 1
check "guests of no or other groups do not reach each other" strangers || true
check "guests of one group do" together || true
check "who left the group does not" apart || true
check "killed with an open connection: the peer knows" killed || { report; true; }
check "its CID is free" cid_is_free || true
