#!/bin/bash
# What `make demo` runs inside the lab: a stock QEMU guest talks to its host
# through the project's modules, for a person to watch.   demo.sh [--any]
#
# --any accepts the kernel's own vhost_net, to compare.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

own_network "$@"
begin_test
MIB=64
begin=$SECONDS

title() { printf '\n== %s\n' "$*"; }
show() { sed 's/^/   /'; }
die() {
	failed=1
	printf '\ndemo FAILED: %s\n' "$*"
	[ ! -e "$tmp/a/console" ] || tail -n 5 "$tmp/a/console" | sed 's/^/   guest console| /'
	exit 1
}

boot() {
	local start=$SECONDS next=5 last shown=
	machine_start a '' \
		-netdev tap,id=n0,ifname=vct0,script=no,downscript=no,vhost=on,queues=2 \
		-device virtio-net-pci,netdev=n0,mac=52:54:00:00:77:02,mq=on,vectors=6,romfile= || return
	# The guest's kernel messages tell how far it is.
	until IFS= read -r -t 1 reply <&"${m_ctl_out[a]}"; do
		kill -0 "${m_pid[a]}" 2>/dev/null || { why="QEMU is gone: $(cat "$tmp/a/stderr")"; return 1; }
		[ $((SECONDS - start)) -lt 400 ] || { why="no sign of the guest in 400 s"; return 1; }
		if [ $((SECONDS - start)) -ge "$next" ]; then
			last=$(tail -n 1 "$tmp/a/console" | tr -d '\r' | cut -c1-64)
			[ "$last" != "$shown" ] || last=...
			printf '   %3d s  guest| %s\n' $((SECONDS - start)) "$last"
			[ "$last" = ... ] || shown=$last
			next=$((SECONDS - start + 5))
		fi
	done
	printf '   %3d s  guest is up\n' $((SECONDS - start))
}

configure() {
	guest a 'ip addr add 10.77.0.2/24 dev eth0 && ip link set eth0 up' && guest a 'channels eth0 2' &&
		guest a 'echo 40 >/proc/sys/net/ipv4/tcp_min_tso_segs' && guest a "hugefile /t/file $MIB"
}

# One line a queue: what our modules counted for it.
counters() {
	vhost_counters "${m_pid[a]}" | awk '
		function row(first, from,    i) {
			printf "   %-12s", first
			for (i = 1; i <= n; i++)
				printf " %*s", length(names[i]) < 9 ? 9 : length(names[i]), from[names[i]]
			print ""
		}
		BEGIN {
			n = split("chains batches bytes_read bytes_written kicks signals signals_suppressed", names)
			for (i = 1; i <= n; i++) head[names[i]] = names[i]
			row("queue", head)
		}
		{
			delete value
			for (i = 2; i <= NF; i++) { split($i, kv, "="); value[kv[1]] = kv[2] }
			sub(/^[0-9]*-/, "", $1)
			sub(/\/.*/, "", $1)
			row($1 " " value["name"], value)
		}'
}

rate() { # "sent N bytes M ms"
	local bytes ms
	read -r _ bytes _ ms _ <<<"$1"
	printf '%d MiB in %d.%d s: %d.%d MiB/s' $((bytes >> 20)) $((ms / 1000)) $((ms % 1000 / 100)) \
		$((bytes * 1000 / ms >> 20)) $(((bytes * 10000 / ms >> 20) % 10))
}

title "The modules"
if ours; then
	whose='vhost_core + vhost_net of this project'
	lsmod | grep -E '^(Module|vhost)' | show
	[ -e /sys/module/vhost ] || echo "   (the kernel's own vhost.ko is not loaded)"
else
	whose="the kernel's own vhost_net"
	[ "${1:-}" = --any ] || die "the project's modules are not loaded"
	modprobe vhost_net
fi
echo "   /dev/vhost-net: $whose, on kernel $(uname -r)"

title "A bridge and a tap, then QEMU: -netdev tap,vhost=on,queues=2 -device virtio-net-pci,mq=on"
echo "   The guest: Debian's own kernel, as shipped. It is emulated inside an emulated machine,"
echo "   so it needs one to two minutes where hardware virtualization needs a second."
modprobe bridge
bridge br0 10.77.0.1/24
tap vct0 br0 multi_queue
echo 40 >/proc/sys/net/ipv4/tcp_min_tso_segs
guest_append=${guest_append/ quiet / loglevel=6 }
boot || die "$why"
guest a 'uname -sr' || die "$why"
echo "   $(head -n 1 <<<"$reply") speaking"
configure || die "$why"

title "Who serves it"
for task in /proc/[0-9]*/comm "/proc/${m_pid[a]}"/task/*/comm; do
	name=$(cat "$task" 2>/dev/null) || continue
	if [[ $name == "vhost-${m_pid[a]}"* ]]; then
		task=${task%/comm}
		printf '   worker %s, thread %s\n' "$name" "${task##*/}"
	fi
done
if ours; then
	echo "   counters in /sys/kernel/debug/vhost; before:"
	counters
fi

title "Ping, host to guest and guest to host"
ping -c 4 -i 0.5 -W 20 10.77.0.2 | grep -E 'bytes from|loss|rtt' | show || die "no answer"
guest a 'ping -c 3 -W 20 10.77.0.1' || die "$why"
grep -E 'bytes from|loss|round' <<<"$reply" | sed 's/^/   guest| /'
in_use "${m_pid[a]}" 2 || die "vhost-net is not in use: $why"

title "$MIB MiB over TCP each way, contents compared by SHA-256"
to_guest a 10.77.0.2 "$MIB" "$tmp/file" || die "$why"
echo "   host to guest  $(rate "$sent"), SHA-256 equal"
from_guest a 10.77.0.1 "$MIB" "$tmp/file" || die "$why"
echo "   guest to host  $(rate "$sent"), SHA-256 equal"

if ours; then
	title "The counters after"
	counters
	rejected=$(vhost_rejections "${m_pid[a]}")
	[ -z "$rejected" ] || die "something was rejected: $rejected"
	echo "   nothing rejected"
fi

title "The guest goes"
kill -TERM "${m_pid[a]}"
wait "${m_pid[a]}" 2>/dev/null || true
no_workers() { ! grep -qs "^vhost-${m_pid[a]}" /proc/[0-9]*/comm; }
until_true 10 no_workers || die "a worker stayed"
echo "   no worker is left"

printf '\ndemo ok: an unmodified QEMU guest exchanged %d MiB with its host through %s (%d s)\n' \
	$((2 * MIB)) "$whose" $((SECONDS - begin))
