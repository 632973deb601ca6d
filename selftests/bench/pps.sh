#!/bin/bash
# Packets a second out of dpdk-testpmd, through vhost-net, into a tap that drops
# them (XDP_DROP): our modules and the kernel's own, in turns, in one boot.
#
#   pps.sh
#
# KERNEL= one of the lab's kernels (both). PPS_ROUNDS= rounds (5), PPS_SECONDS=
# how long each run is counted (5).
#
# A round measures in-tree's split ring, then each other kind of ring, ours and
# in-tree's; one more of in-tree's split ring ends the last. Every run has
# modules, a device and a testpmd of its own. Seconds under emulation on a shared
# machine are noise: what counts is a run against in-tree's before and after its
# round. Prints every run and a table, which goes into docs/performance.md.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
rounds=${PPS_ROUNDS:-5}
seconds=${PPS_SECONDS:-5}

# --- in the lab: pps.sh --inside ------------------------------------------------

unload() {
	local module try
	for module in vhost_vsock vhost_blk vhost_net vhost_core vhost vhost_iotlb; do
		for try in 1 2 3 4 5; do
			[ -d "/sys/module/$module" ] || break
			# The last close of a device may still be under way.
			rmmod "$module" && break
			[ "$try" -lt 5 ] || exit 1
			sleep 0.2
		done
	done
}

statistic() { read -r "$1" <"/sys/class/net/dp0/statistics/$2"; }

# shellcheck disable=SC2317 # until_true calls it
flowing() { local now; statistic now rx_dropped; [ "$now" -gt "$((dropped + 1000))" ]; }

# run SIDE RING: one line "run SIDE RING PACKETS-A-SECOND"
run() {
	local side=$1 ring=$2 options=packed_vq=0,in_order=0 tp in
	local passed passed_before dropped dropped_before dropped_first begin end sent
	[[ $ring != packed* ]] || options=${options/packed_vq=0/packed_vq=1}
	[[ $ring != *in_order ]] || options=${options/in_order=0/in_order=1}
	unload
	/src/selftests/lab/load-modules.sh "$side"
	statistic dropped rx_dropped
	dropped_first=$dropped
	statistic passed_before rx_packets
	# It would end with its standard input.
	rm -f "$tmp/in"
	mkfifo "$tmp/in"
	exec {in}<>"$tmp/in"
	(
		# Where a VM's threads are: see performance.md.
		echo "$BASHPID" >"$cgroup/cgroup.procs"
		exec setpriv --pdeathsig KILL -- dpdk-testpmd -l 0-1 -m 192 --in-memory --no-pci --no-telemetry \
			"--vdev=net_virtio_user0,path=/dev/vhost-net,queues=1,queue_size=1024,iface=dp0,$options" -- \
			--forward-mode=txonly --txpkts=64 --auto-start --total-num-mbufs=16384 --no-mlockall --nb-cores=1
	) <"$tmp/in" >"$tmp/testpmd" 2>&1 &
	tp=$!
	pids+=("$tp")
	until_true 60 flowing || { tail -n 20 "$tmp/testpmd" >&2; return 1; }
	sleep 1
	statistic dropped_before rx_dropped
	begin=${EPOCHREALTIME/./}
	sleep "$seconds"
	statistic dropped rx_dropped
	end=${EPOCHREALTIME/./}
	statistic passed rx_packets
	[ "$passed" -eq "$passed_before" ] || { echo "packets get past XDP_DROP" >&2; return 1; }
	if [ "$side" = ours ]; then
		rings_are "$tp" "$ring" 1 || { echo "$why" >&2; return 1; }
		why=$(vhost_rejections "$tp")
		[ -z "$why" ] || { echo "$why" >&2; return 1; }
	fi
	echo >&"$in"
	until_true 20 ended "$tp" || true
	stop "$tp"
	exec {in}>&-
	# What testpmd has sent is what the tap has counted, but for a last ring full.
	sent=$(tr -d '\r' <"$tmp/testpmd" | sed -nE 's/.*\bTX-packets: *([0-9]+).*/\1/p' | tail -n 1)
	statistic passed rx_dropped
	passed=$((passed - dropped_first))
	if [ -z "$sent" ] || [ "$passed" -gt "$sent" ] || [ "$((sent - passed))" -gt 1024 ]; then
		echo "testpmd sent ${sent:-?} packets, the tap counted $passed" >&2
		return 1
	fi
	echo "run $side $ring $(((dropped - dropped_before) * 1000000 / (end - begin)))"
}

# shellcheck disable=SC2317 # until_true calls it
ended() { ! kill -0 "$1" 2>/dev/null || [ "$(awk '{ print $3 }' "/proc/$1/stat" 2>/dev/null)" = Z ]; }

inside() {
	local round kind kinds=("ours split" "ours packed" "ours packed+in_order")
	# shellcheck source=../clients/lib.sh
	. /src/selftests/clients/lib.sh
	begin_test
	sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	echo 120 >/proc/sys/vm/nr_hugepages
	cgroup=/sys/fs/cgroup/vm
	mkdir -p "$cgroup"
	echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
	modprobe tun
	ip tuntap add name dp0 mode tap vnet_hdr
	echo '__attribute__((section("xdp"))) int drop(void *c) { return 1; }' |
		clang -O2 -target bpf -x c -c -o "$tmp/drop.o" -
	ip link set dev dp0 xdpdrv obj "$tmp/drop.o" sec xdp
	ip link set dp0 up
	uname -r >/out/release
	# In-tree has it since 6.17.
	if printf '6.17\n%s\n' "$(uname -r)" | sort -VC; then
		kinds+=("in-tree split+in_order")
	fi
	for ((round = 0; round < rounds; round++)); do
		run in-tree split
		for kind in "${kinds[@]}"; do
			# shellcheck disable=SC2086 # two words
			run $kind
		done
	done
	run in-tree split
	unload
}

if [ "${1:-}" = --inside ]; then
	inside
	exit
fi

# --- outside ------------------------------------------------------------------

[ $# -eq 0 ] || { sed -n '2,/^$/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2; }

say() { printf 'pps: %s\n' "$*" >&2; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The table, out of the runs of one kernel.
table() {
	awk -v release="$2" -v date="$(date -u +%Y-%m-%d)" -v rounds="$rounds" -v seconds="$seconds" '
	function sort(a, n,    i, j, t) {
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && a[j - 1] > a[j]; j--) {
				t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
			}
	}
	function middle(a, n) { return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2 }
	$1 == "run" {
		runs++
		kind[runs] = $2 " " $3
		pps[runs] = $4 + 0
		if (!(kind[runs] in seen)) { seen[kind[runs]] = 1; order[++kinds] = kind[runs] }
	}
	END {
		printf "Kernel %s, %s. %d rounds, %d s a run.\n\n", release, date, rounds, seconds
		print "| ring | median | lowest | highest | ratio of medians | ratio to in-tree around it |"
		print "| --- | ---: | ---: | ---: | ---: | ---: |"
		for (k = 1; k <= kinds; k++) {
			n = m = 0
			for (i = 1; i <= runs; i++) {
				if (kind[i] != order[k]) continue
				a[++n] = pps[i]
				for (before = i; kind[before] != order[1]; before--) ;
				for (after = i; kind[after] != order[1]; after++) ;
				if (k > 1) b[++m] = pps[i] / ((pps[before] + pps[after]) / 2)
			}
			sort(a, n)
			if (k == 1) base = middle(a, n)
			line = sprintf("| %s | %d | %d | %d |", order[k], middle(a, n), a[1], a[n])
			if (k == 1) { print line " 1 | 1 |"; continue }
			sort(b, m)
			printf "%s %.2f | %.2f (%.2f to %.2f) |\n", line, middle(a, n) / base, middle(b, m), b[1], b[m]
		}
	}' "$1"
}

# shellcheck source=lib.sh
. "$here/lib.sh"

for kernel in ${KERNEL:-6.12 7.2}; do
	"$repo/selftests/lab/build.sh" "$kernel" all >"$tmp/build.log" 2>&1 ||
		{ tail -n 40 "$tmp/build.log" >&2; say "build for $kernel failed"; exit 1; }
	mkdir "$tmp/$kernel"
	"$repo/selftests/lab/vm.sh" -k "$kernel" --mem 3072 --timeout $((300 + rounds * 5 * (seconds + 60))) \
		--out "$tmp/$kernel" --env "PPS_ROUNDS=$rounds" --env "PPS_SECONDS=$seconds" -- \
		/src/selftests/bench/pps.sh --inside | sed -u 's/\r$//' | tee "$tmp/$kernel/runs" >&2
	table "$tmp/$kernel/runs" "$(cat "$tmp/$kernel/release")" | tee "$tmp/$kernel/section"
	# Fewer would not be worth writing down.
	if [ "$rounds" -ge 5 ]; then
		insert_section "pps $kernel" "$repo/docs/performance.md" "$tmp/$kernel/section"
	fi
done
