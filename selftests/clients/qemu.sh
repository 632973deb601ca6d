#!/bin/bash
# A stock guest in QEMU on vhost-net: one boot, many checks.
#
#   qemu.sh [SECTION...]     all sections if none is named:
#     bulk offload link rebind iommu packed migrate reboot
#
# The machine has a network card with two queue pairs on bridge br0 (the host
# is 10.77.0.1, the guest 10.77.0.2), one behind an emulated IOMMU, with a
# device IOTLB, on br1 (10.78.0.1 and 10.78.0.2), and one with packed rings,
# used in order if the guest's driver can (from 7.0 on), on br2 (10.79.0.1, .2).
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

own_network "$@"
begin_test
sections=" ${*:-bulk offload link rebind iommu packed migrate reboot} "
wanted() { [[ $sections == *" $1 "* ]]; }

MIB=${CLIENTS_MIB:-64}		# of the file on the plain card
# TCP makes segments as large as the card lets it only if the connection is
# fast. Under emulation none is: large ones are asked for.
segments=40
IOMMU_MIB=${CLIENTS_IOMMU_MIB:-8}
PACKED_MIB=${CLIENTS_PACKED_MIB:-8}
# What is on its way while the machine moves. The guest has 256 MiB: with more
# its TCP runs short of memory, drops what arrives, and the test takes minutes.
MOVE_MIB=${CLIENTS_MOVE_MIB:-24}
case $guest_kernel in
6.*) packed=packed ;;
*) packed="packed+in_order" ;;
esac

# start NAME TAP0 TAP1 TAP2 QEMU-ARGUMENT...
start() {
	local name=$1 tap0=$2 tap1=$3 tap2=$4
	shift 4
	machine_start "$name" intel_iommu=on \
		-device intel-iommu,device-iotlb=on,intremap=off \
		-netdev "tap,id=n0,ifname=$tap0,script=no,downscript=no,vhost=on,queues=2" \
		-device virtio-net-pci,netdev=n0,mac=52:54:00:00:77:02,mq=on,vectors=6,romfile= \
		-netdev "tap,id=n1,ifname=$tap1,script=no,downscript=no,vhost=on" \
		-device virtio-net-pci,netdev=n1,mac=52:54:00:00:78:02,iommu_platform=on,ats=on,disable-legacy=on,romfile= \
		-netdev "tap,id=n2,ifname=$tap2,script=no,downscript=no,vhost=on" \
		-device virtio-net-pci,netdev=n2,mac=52:54:00:00:79:02,packed=on,in_order=on,disable-legacy=on,romfile= \
		"$@"
}

boot() {
	start a vct0 vct1 vct2 && guest_reply a 400
}

# What every start of the guest's drivers needs.
configure() {
	guest "$1" 'ip addr add 10.77.0.2/24 dev eth0 && ip link set eth0 up' &&
		guest "$1" 'ip addr add 10.78.0.2/24 dev eth1 && ip link set eth1 up' &&
		guest "$1" 'ip addr add 10.79.0.2/24 dev eth2 && ip link set eth2 up' &&
		guest "$1" 'channels eth0 2' &&
		guest "$1" "echo $segments >/proc/sys/net/ipv4/tcp_min_tso_segs" &&
		guest "$1" "hugefile /t/file $MIB"
}

ping_it() { # address
	need "no answer from $1" ping -q -c 3 -i 0.2 -W 20 "$1" >/dev/null
}

tap0=vct0 tap2=vct2
# Bytes a packet since the last call, both ways, of a tap: segments or frames?
declare -A mark
average() { # tap
	local rb rp tb tp
	rb=$(counter "$1" rx_bytes) rp=$(counter "$1" rx_packets)
	tb=$(counter "$1" tx_bytes) tp=$(counter "$1" tx_packets)
	from_avg=$(((rb - ${mark[$1.rb]:-0}) / (rp - ${mark[$1.rp]:-0} + 1)))
	to_avg=$(((tb - ${mark[$1.tb]:-0}) / (tp - ${mark[$1.tp]:-0} + 1)))
	mark[$1.rb]=$rb mark[$1.rp]=$rp mark[$1.tb]=$tb mark[$1.tp]=$tp
}

ready() {
	configure a && pings
}

pings() {
	ping_it 10.77.0.2 && ping_it 10.78.0.2 && ping_it 10.79.0.2
}

bulk_to() { # address, tap, MiB, size expected: large|small
	average "$2"
	to_guest a "$1" "$3" "$tmp/file" || return
	average "$2"
	note "$sent, $to_avg bytes a packet"
	case $4 in
	large) need "packets of $to_avg bytes: not segmented late" [ "$to_avg" -gt 4000 ] ;;
	small) need "packets of $to_avg bytes: offloads are not off" [ "$to_avg" -le 1514 ] ;;
	esac
}

bulk_from() { # host's address, tap, MiB, size expected
	average "$2"
	from_guest a "$1" "$3" "$tmp/file" || return
	average "$2"
	note "$sent, $from_avg bytes a packet"
	case $4 in
	large) need "packets of $from_avg bytes: not segmented late" [ "$from_avg" -gt 4000 ] ;;
	small) need "packets of $from_avg bytes: offloads are not off" [ "$from_avg" -le 1514 ] ;;
	esac
}

# Many flows one way and the other: each queue has its share. What the driver
# counts by queue and shows: interrupts of the receiving ones, kicks of the others.
both_queues() {
	local n
	"$AGENT" spray 10.77.0.2 9 64 && guest a 'spray 10.77.0.1 9 64' && guest a 'kicks eth0' || return
	for n in 0 1; do
		need "queue tx$n is idle: ${reply//$'\n'/ }" grep -q "^tx${n}_kicks=[1-9]" <<<"$reply" || return
	done
	guest a 'cat /proc/interrupts' || return
	for n in 0 1; do
		need "queue rx$n is idle: ${reply//$'\n'/ }" \
			grep -qE "^ *[0-9]+: +[1-9].*virtio0-input\.$n" <<<"$reply" || return
	done
	if ours; then
		for n in vq0 vq1; do
			need "no chain in $n of some device" [ "$(vhost_counters "${m_pid[a]}" |
				grep -c "/$n .* chains=[1-9]")" -ge 2 ] || return
		done
	fi
}

offload() { # on|off
	local dev
	guest a "offload eth0 $1" || return
	for dev in vct0 br0; do
		ethtool -K "$dev" tx "$1" sg "$1" tso "$1" gso "$1" gro "$1" >/dev/null
	done
}

link_down_up() {
	qmp a set_link '{"name":"n0","up":false}' && guest a 'carrier eth0 0 60' || return
	! ping -q -c 1 -W 1 10.77.0.2 >/dev/null || { why="a ping passes a link that is down"; return 1; }
	qmp a set_link '{"name":"n0","up":true}' && guest a 'carrier eth0 1 60' && ping_it 10.77.0.2
}

rebind() { # number of the card
	local driver=/sys/bus/virtio/drivers/virtio_net
	guest a "echo virtio$1 >$driver/unbind" || return
	! guest a "ls /sys/class/net/eth$1" || { why="eth$1 outlived its driver"; return 1; }
	guest a "echo virtio$1 >$driver/bind" &&
		guest a "ip addr add 10.7$((7 + $1)).0.2/24 dev eth$1 && ip link set eth$1 up"
}

rebind_plain() {
	rebind 0 && guest a 'channels eth0 2' && ping_it 10.77.0.2 && both_queues
}

# The second card's addresses are translated, and vhost asks for them.
iommu_used() {
	guest a 'cat /sys/class/net/eth1/device/../iommu_group/type' || return
	need "the guest's IOMMU domain is '$reply'" grep -q '^DMA' <<<"$reply" || return
	if ours; then
		need "no IOTLB miss was ever asked" [ "$(vhost_sum "${m_pid[a]}" iotlb_misses)" -gt 0 ]
	fi
}

# What the driver of the third card agreed to, and what vhost makes of it. In-tree
# has no packed rings: there it is one more card.
packed_used() {
	ours || return 0
	guest a 'cat /sys/bus/virtio/devices/virtio2/features' || return
	need "guest: no packed ring in $reply" [ "${reply:34:1}" = 1 ] &&
		need "guest: VIRTIO_F_IN_ORDER is ${reply:35:1}" \
			[ "${reply:35:1}" -eq "$([ "$packed" = packed ] && echo 0 || echo 1)" ] || return
	rings_are "${m_pid[a]}" "$packed" 1
}

packed_rebind() {
	rebind 2 && ping_it 10.79.0.2 && packed_used
}

# What lies unread in pages that vhost wrote to behind a packed ring, while the
# machine moves: a second transfer. The agent has the first one, the shell this.
# It is small and slow: what the guest keeps for both must not come near to what
# its TCP may have, for then it drops what arrives, and the first one stalls.
packed_hold() {
	guest a 'hugefile /t/packed 4' && guest a 'busybox mkfifo /t/go' &&
		guest a '/init recv 5003 /t/packed hold <>/t/go >/t/held 2>&1 &' || return
	until_true 60 guest a 'busybox grep -q listening /t/held' || return
	head -c 4M /dev/urandom >"$tmp/packed"
	mkfifo "$tmp/packed_sender"
	exec {packed_in}<>"$tmp/packed_sender"
	exec {packed_out}< <(exec "$AGENT" send 10.79.0.2 5003 "$tmp/packed" 65536 <&"$packed_in")
	packed_pid=$!
	pids+=("$packed_pid")
	until_true 60 guest a 'busybox grep -q holding /t/held'
}

packed_acked() {
	echo tell >&"$packed_in"
	line_from "$packed_out" "$packed_pid" 20 && packed_acked=${line#acked }
}

packed_release() { # machine
	local sum
	guest "$1" 'echo go >/t/go' || return
	echo go >&"$packed_in"
	line_from "$packed_out" $$ 180 || return
	exec {packed_in}>&- {packed_out}<&-
	stop "$packed_pid"
	until_true 60 guest "$1" 'busybox grep -q received /t/held' || return
	guest "$1" 'cat /t/held' || return
	note "packed ring: ${reply//$'\n'/ }"
	guest "$1" 'sha256sum /t/packed' || return
	sum=$(sha256sum <"$tmp/packed")
	need "the file over the packed ring has another SHA-256" [ "${reply%% *}" = "${sum%% *}" ]
}

# While a file is on its way and lies, unread, in pages that vhost wrote, the
# machine moves. Pages that the dirty log missed would show in the checksum.
migrate() {
	local fd pid before after sum packed_before packed_in packed_out packed_pid packed_acked
	start b vct3 vct4 vct5 -incoming "unix:$tmp/migration" || return
	packed_hold || return
	guest a "hugefile /t/file $MOVE_MIB" || return
	head -c $((MOVE_MIB << 20)) /dev/urandom >"$tmp/file"
	guest_tell a 'recv 5001 /t/file hold' && guest_line a 60 || return
	mkfifo "$tmp/sender"
	exec {fd}<>"$tmp/sender"
	exec {out}< <(exec "$AGENT" send 10.77.0.2 5001 "$tmp/file" 524288 <&"$fd")
	pid=$!
	pids+=("$pid")
	guest_line a 60 && need "the guest is $line" [ "$line" = holding ] || return

	acked() {
		echo tell >&"$fd"
		line_from "$out" "$pid" 20 && acked=${line#acked }
	}
	# shellcheck disable=SC2317 # until_true calls it
	enough() { acked && [ "$acked" -ge 1048576 ]; }
	until_true 30 enough || { why="the transfer does not start"; return 1; }
	before=$acked
	packed_acked || return
	packed_before=$packed_acked
	# Slowly, so that a good part of the file arrives meanwhile.
	qmp b migrate-set-capabilities '{"capabilities":[{"capability":"events","state":true}]}' &&
		qmp a migrate-set-parameters '{"max-bandwidth":16777216}' || return
	qmp a migrate-set-capabilities '{"capabilities":[{"capability":"events","state":true}]}' &&
		qmp a migrate "{\"uri\":\"unix:$tmp/migration\"}" || return
	qmp_event a 180 '"MIGRATION"*"status": "@(completed|failed)"' || return
	case $reply in
	*failed*) why="migration failed: $(tail -n 2 "$tmp/b/stderr")"; return 1 ;;
	esac
	qmp_event b 60 '"RESUME"' || return
	acked || return
	after=$acked
	packed_acked || return
	need "nothing was received while it moved" [ "$after" -gt "$before" ] &&
		need "nothing was received by the packed ring while it moved" [ "$packed_acked" -gt "$packed_before" ] || return
	qmp a query-migrate || return
	note "moved in $(sed -E 's/.*"total-time": ([0-9]+).*/\1/' <<<"$reply") ms, down for" \
		"$(sed -E 's/.*"downtime": ([0-9]+).*/\1/' <<<"$reply") ms; received meanwhile: $((after - before)) bytes," \
		"by the packed ring $((packed_acked - packed_before))"
	machine_end a

	# From here on the guest runs in the second QEMU: "a" again.
	pings || return
	guest_tell b go
	echo go >&"$fd"
	guest_reply b 300 || return
	note "${reply//$'\n'/ }"
	line_from "$out" $$ 60 || return
	exec {fd}>&- {out}<&-
	stop "$pid"
	guest b 'sha256sum /t/file' || return
	sum=$(sha256sum <"$tmp/file")
	need "the guest's file has another SHA-256" [ "${reply%% *}" = "${sum%% *}" ] || return
	packed_release b || return
	adopt
}

# What is known of the machines when the move has failed, or the transfers after it.
after_failure() {
	local name dev
	for dev in vct{0..5}; do
		note "$dev: out of the guest $(counter "$dev" rx_packets), into it $(counter "$dev" tx_packets)," \
			"dropped $(counter "$dev" tx_drop)"
	done
	for name in a b; do
		[ -e "$tmp/$name" ] || continue
		note "machine $name: $(qmp "$name" query-status && echo "$reply")"
		sed 's/^/# /' "$tmp/$name/stderr"
		vhost_report "${m_pid[$name]}"
	done
	ss -tin state established | sed 's/^/# /'
}

# Names the machine "b" "a".
adopt() {
	local array
	for array in m_pid m_qmp_in m_qmp_out m_ctl_in m_ctl_out m_events; do
		local -n map=$array
		# shellcheck disable=SC2034 # the map is one of m_*
		map[a]=${map[b]}
	done
	mv "$tmp/b" "$tmp/a"
	tap0=vct3 tap2=vct5
}

after_migration() {
	pings && both_queues && in_use "${m_pid[a]}" 4 && packed_used
}

reboot() {
	guest_tell a reboot
	qmp_event a 60 '"RESET"' && guest_reply a 400
}

reboot_bulk() {
	guest a 'hugefile /t/file 8' && bulk_to 10.77.0.2 "$tap0" 8 large
}

shopt -s extglob
modprobe bridge
echo "$segments" >/proc/sys/net/ipv4/tcp_min_tso_segs
bridge br0 10.77.0.1/24
bridge br1 10.78.0.1/24
bridge br2 10.79.0.1/24
for n in 0 3; do
	tap "vct$n" br0 multi_queue
	tap "vct$((n + 1))" br1
	tap "vct$((n + 2))" br2
done

check "boot to the agent" boot || { cat "$tmp/a/stderr" "$tmp/a/console"; exit 1; }
check "ping, all cards" ready || exit 1
check "vhost-net serves all queue pairs" in_use "${m_pid[a]}" 4 || true
vhost_workers "${m_pid[a]}" | sort | uniq -c | sed 's/^ */# workers: /'
check "both queue pairs carry packets" both_queues || true
if wanted bulk; then
	check "$MIB MiB to the guest, offloads on, SHA-256" bulk_to 10.77.0.2 vct0 "$MIB" large || true
	check "$MIB MiB from the guest, offloads on, SHA-256" bulk_from 10.77.0.1 vct0 "$MIB" large || true
fi
if wanted offload; then
	check "offloads off" offload off || true
	check "$MIB MiB to the guest, offloads off, SHA-256" bulk_to 10.77.0.2 vct0 "$MIB" small || true
	check "$MIB MiB from the guest, offloads off, SHA-256" bulk_from 10.77.0.1 vct0 "$MIB" small || true
	check "offloads on again" offload on || true
fi
if wanted link; then
	check "link down and up" link_down_up || true
fi
if wanted rebind; then
	check "driver unbound and bound" rebind_plain || true
fi
if wanted iommu; then
	guest a "hugefile /t/file $IOMMU_MIB" || true
	check "vIOMMU: $IOMMU_MIB MiB to the guest, SHA-256" bulk_to 10.78.0.2 vct1 "$IOMMU_MIB" any || true
	check "vIOMMU: $IOMMU_MIB MiB from the guest, SHA-256" bulk_from 10.78.0.1 vct1 "$IOMMU_MIB" any || true
	check "vIOMMU: addresses are translated" iommu_used || true
	guest a "hugefile /t/file $MIB" || true
fi
if wanted packed; then
	check "negotiated: $packed" packed_used || true
	guest a "hugefile /t/file $PACKED_MIB" || true
	check "$packed: $PACKED_MIB MiB to the guest, SHA-256" bulk_to 10.79.0.2 "$tap2" "$PACKED_MIB" large || true
	check "$packed: $PACKED_MIB MiB from the guest, SHA-256" bulk_from 10.79.0.1 "$tap2" "$PACKED_MIB" large || true
	check "$packed: driver unbound and bound" packed_rebind || true
	check "$packed: $PACKED_MIB MiB to the guest after that, SHA-256" bulk_to 10.79.0.2 "$tap2" "$PACKED_MIB" large || true
	guest a "hugefile /t/file $MIB" || true
fi
if wanted migrate; then
	check "migration under traffic, SHA-256" migrate || { after_failure; exit 1; }
	check "all cards and queues work after migration" after_migration || true
fi
if wanted reboot; then
	check "reboot" reboot || exit 1
	check "ping after reboot, all cards" ready || exit 1
	check "both queue pairs carry packets after reboot" both_queues || true
	check "8 MiB to the guest after reboot, SHA-256" reboot_bulk || true
	check "negotiated after reboot: $packed" packed_used || true
fi
check "vhost-net serves all queue pairs to the end" in_use "${m_pid[a]}" 4 || true
vhost_report "${m_pid[a]}"
