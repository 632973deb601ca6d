#!/bin/bash
# DPDK's virtio_user ports on vhost-net, in dpdk-testpmd: sending, receiving and
# forwarding, with 1 and 2 queue pairs, with and without mergeable buffers, on
# split and packed rings, used in order and not. Every packet is counted at both
# ends, and the counts are equal.
#
#   testpmd.sh [QUEUES/MERGEABLE[/RING]...]
#
# RING: split (default), split+in_order, packed, packed+in_order. By default all
# of split, and of each other kind two cases, which differ in both.
#
#   port 0 <-> vhost-net <-> tap dp0 \
#                                      bridge br0
#   port 1 <-> vhost-net <-> tap dp1 /
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

own_network "$@"
begin_test
cases=("$@")
[ "$#" -gt 0 ] || cases=(1/0 1/1 2/0 2/1 1/0/packed 2/1/packed 1/1/split+in_order 2/0/split+in_order
	1/1/packed+in_order 2/0/packed+in_order)

SEND=${CLIENTS_PACKETS:-50000}	# at least so many to be sent or forwarded
RECEIVE=20000			# exactly so many to be received

# --- testpmd ------------------------------------------------------------------

# One command, its output into $reply. How many prompts it answers with is not
# worth knowing: a comment follows, and what comes before its echo is the answer.
serial=0
pmd() {
	local end=$((SECONDS + 90 * ${TEST_SLOW:-1})) part
	serial=$((serial + 1))
	printf '%s\n#%d#\n' "$*" "$serial" >&"$tp_in"
	reply=
	while [ "$SECONDS" -lt "$end" ]; do
		if IFS= read -r -d '#' -t 5 part <&"$tp_out"; then
			[ "$part" != "$serial" ] || return 0
			reply+=$part
		else
			reply+=$part
			kill -0 "$tp" 2>/dev/null || break
		fi
	done
	why="testpmd: no answer to '$*': ${reply: -300}"
	return 1
}

# port_counter PORT RX-packets|TX-packets|RX-missed ...
port_counter() {
	pmd "show port stats $1" || return
	port_counter=$(tr -d '\r' <<<"$reply" | sed -nE "s/.*\b$2: *([0-9]+).*/\1/p" | head -n 1)
	[ -n "$port_counter" ] || { why="no $2 in: $reply"; return 1; }
}

start() { # queues, mergeable, kind of ring
	local args=() port ring=packed_vq=0,in_order=0
	[[ $3 != packed* ]] || ring=${ring/packed_vq=0/packed_vq=1}
	[[ $3 != *in_order ]] || ring=${ring/in_order=0/in_order=1}
	for port in 0 1; do
		args+=("--vdev=net_virtio_user$port,path=/dev/vhost-net,queues=$1,queue_size=1024,iface=dp$port,mrg_rxbuf=$2,$ring")
	done
	# Buffers smaller than a frame: it takes several, which only mergeable
	# ones allow.
	[ "$2" -eq 0 ] || set -- "$1" "$2" "$3" --mbuf-size=768 --enable-scatter
	mkfifo "$tmp/in" "$tmp/out"
	exec {tp_in}<>"$tmp/in" {tp_out}<>"$tmp/out"
	rm "$tmp/in" "$tmp/out"
	setpriv --pdeathsig KILL -- stdbuf -oL dpdk-testpmd -l 0-1 -m 64 --in-memory --no-pci --no-telemetry \
		"${args[@]}" -- -i --total-num-mbufs=16384 --no-mlockall --nb-cores=1 \
		--rxq="$1" --txq="$1" "${@:4}" <&"$tp_in" >&"$tp_out" 2>&1 &
	tp=$!
	pids+=("$tp")
	pmd
}

open_ports() { # queues, mergeable, kind of ring
	local mq=
	generated=0
	[ "$1" -eq 1 ] || mq=multi_queue
	tap dp0 br0 $mq
	tap dp1 br0 $mq
	start "$1" "$2" "$3" || return
	# It gives taps its ports' addresses. To the bridge those are on the wire.
	ip link set dp0 address 02:00:00:00:01:00
	ip link set dp1 address 02:00:00:00:01:01
	need "ports are not up" until_true 20 carrier || return
	in_use_by_testpmd "$1" || return
	! ours || rings_are "$tp" "$3" $((2 * $1))
}

carrier() {
	[[ $(ip link show dp0) == *LOWER_UP* && $(ip link show dp1) == *LOWER_UP* ]]
}

in_use_by_testpmd() { # queues
	local devices workers
	devices=$(find "/proc/$tp/fd" -lname /dev/vhost-net | wc -l)
	workers=$(vhost_workers "$tp" | wc -l)
	need "$devices vhost-net devices open" [ "$devices" -eq $((2 * $1)) ] &&
		need "$workers workers" [ "$workers" -ge $((2 * $1)) ]
}

close_ports() {
	if ours; then
		why=$(vhost_rejections "$tp")
		[ -z "$why" ] || return
		need "no counter of ours moved" [ "$(vhost_sum "$tp" chains)" -gt 0 ] || return
	fi
	echo quit >&"$tp_in"
	need "testpmd does not end" until_true 30 gone || return
	wait "$tp" || { why="testpmd ended with status $?"; return 1; }
	ours || return 0
	need "debugfs entry left" [ -z "$(find /sys/kernel/debug/vhost -name "$tp-*" -print -quit)" ]
}

gone() { ! kill -0 "$tp" 2>/dev/null || [ "$(awk '{ print $3 }' "/proc/$tp/stat" 2>/dev/null)" = Z ]; }

cleanup_ports() {
	stop "$tp"
	exec {tp_in}>&- {tp_out}>&-
	ip link del dp0 2>/dev/null || true
	ip link del dp1 2>/dev/null || true
}

# --- cases --------------------------------------------------------------------
#
# Ports and taps are new in each case, so their counts since they exist are
# compared. Ports are never cleared: what one case leaves in a ring is received
# in the next.

beyond() { [ "$(counter "$1" "$2")" -ge "$3" ]; }
same() { [ "$(counter "$1" "$2")" -eq "$3" ]; }

# What port N put into its ring came out of its tap, all of it.
all_sent() {
	port_counter "$1" TX-packets || return
	need "port $1 sent $port_counter, its tap got $(counter "dp$1" rx_packets)" \
		until_true 10 same "dp$1" rx_packets "$port_counter"
}

# What tap N passed on arrived at its port, all of it.
all_received() {
	need "tap passed on $(counter "dp$1" tx_packets), port $1 received ${port_counter:-?}" \
		until_true 10 received "$1"
}
received() { port_counter "$1" RX-packets && same "dp$1" tx_packets "$port_counter"; }

txonly() {
	local before
	before=$(counter dp0 rx_packets)
	pmd 'set portlist 0' && pmd 'set fwd txonly' && pmd 'set txpkts 64' && pmd start || return
	need "too slow: $(($(counter dp0 rx_packets) - before)) packets" \
		until_true 60 beyond dp0 rx_packets $((before + SEND)) || return
	pmd stop && all_sent 0 && note "$port_counter packets"
}

# The kernel's packet generator puts packets of many flows and many sizes into
# tap dp0; what the tap did not drop arrives at port 0.
rxonly() { # queues
	local sent dropped n
	sent=$(counter dp0 tx_packets) dropped=$(counter dp0 tx_drop)
	pmd 'set portlist 0' && pmd 'set fwd rxonly' && pmd start || return
	echo rem_device_all >/proc/net/pktgen/kpktgend_0
	echo add_device dp0 >/proc/net/pktgen/kpktgend_0
	for n in "count $RECEIVE" "min_pkt_size 60" "max_pkt_size 1514" "flag TXSIZE_RND" "flag UDPSRC_RND" \
		"udp_src_min 1000" "udp_src_max 2000" "queue_map_min 0" "queue_map_max $(($1 - 1))" \
		"dst 10.77.0.2" "dst_mac 02:00:00:00:00:77" "ratep 20000"; do
		echo "$n" >/proc/net/pktgen/dp0
	done
	echo start >/proc/net/pktgen/pgctrl
	need "pktgen: $(tail -n 1 /proc/net/pktgen/dp0)" grep -q 'Result: OK' /proc/net/pktgen/dp0 || return
	echo rem_device_all >/proc/net/pktgen/kpktgend_0
	need "packets left in the tap" until_true 20 beyond dp0 tx_packets $((sent + RECEIVE)) || return
	all_received 0 && pmd stop || return
	for ((n = 0; n < $1 && $1 > 1; n++)); do
		need "RX queue $n is idle: $reply" grep -q "RX Port= 0/Queue= $n" <<<"$reply" || return
	done
	sent=$(($(counter dp0 tx_packets) - sent)) dropped=$(($(counter dp0 tx_drop) - dropped))
	# What was dropped, the generator sent once more.
	need "only $sent packets of $RECEIVE" [ "$sent" -ge "$RECEIVE" ] || return
	generated=$((generated + sent + dropped))
	note "$sent packets, $dropped more dropped by the tap (ring full)"
}

# Each port's first packets go round: out of its ring into its tap, over the
# bridge into the other tap, up through the other ring, and on to this port.
forward() {
	local port from was=()
	for port in 0 1; do
		was+=("$(counter "dp$port" rx_packets)")
	done
	pmd 'set portlist 0,1' && pmd 'set fwd io' && pmd 'start tx_first 4' || return
	for port in 0 1; do
		need "too slow: $(($(counter "dp$port" rx_packets) - was[port])) packets" \
			until_true 60 beyond "dp$port" rx_packets $((was[port] + SEND)) || return
	done
	# Nobody forwards any more; what is still on its way arrives and stays.
	pmd stop && pmd 'set fwd rxonly' && pmd start || return
	for port in 0 1; do
		all_sent "$port" || return
		until_true 10 bridged "$port" || { why="packets lost between dp$port and dp$((1 - port))$(traffic)"; return 1; }
	done
	all_received 0 && all_received 1 && pmd stop || return
	for port in 0 1; do
		from=$(($(counter "dp$port" rx_packets) - was[port]))
		note "port $port to port $((1 - port)): $from packets"
	done
}

# What the two taps and our modules counted.
traffic() {
	local n
	for n in 0 1; do
		printf '; dp%d: in %d, out %d, dropped %d' "$n" "$(counter "dp$n" rx_packets)" \
			"$(counter "dp$n" tx_packets)" "$(counter "dp$n" tx_drop)"
	done
	printf '; generated %d\n' "$generated"
	vhost_report "$tp"
	awk '{ print "softnet", $1, $2, $3 }' /proc/net/softnet_stat
	tc -s qdisc show dev dp0
	tc -s qdisc show dev dp1
}

# All that came out of tap N went to the other tap: passed on, or dropped there.
bridged() {
	local other=$((1 - $1)) extra=0
	[ "$other" -eq 1 ] || extra=$generated
	[ "$(counter "dp$1" rx_packets)" -eq \
		$(($(counter "dp$other" tx_packets) + $(counter "dp$other" tx_drop) - extra)) ]
}

# --- surroundings -------------------------------------------------------------

pages_before=$(cat /proc/sys/vm/nr_hugepages)
give_back() { echo "$pages_before" >/proc/sys/vm/nr_hugepages; }
trap 'give_back; end_test' EXIT
echo 160 >/proc/sys/vm/nr_hugepages
pages=$(cat /proc/sys/vm/nr_hugepages)
if [ "$pages" -lt 160 ]; then
	echo "SKIP: 160 huge pages of 2 MiB (got $pages)"
	give_back
	exit 77
fi
modprobe -a bridge pktgen
bridge br0 10.77.0.1/24

for pair in "${cases[@]}"; do
	IFS=/ read -r queues mergeable ring <<<"$pair"
	ring=${ring:-split}
	with="queues $queues, mrg_rxbuf $mergeable, $ring"
	if check "testpmd starts: $with" open_ports "$queues" "$mergeable" "$ring"; then
		check "txonly: $with" txonly || true
		check "rxonly: $with" rxonly "$queues" || true
		check "forwarding: $with" forward || true
		check "testpmd ends: $with" close_ports || true
	fi
	cleanup_ports
done
