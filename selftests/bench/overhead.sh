#!/bin/bash
# What it costs to be watched.   overhead.sh
#
# Instructions a packet, in one boot under the instruction clock:
#   on    vhosttop looks on, its BPF programs are attached; against off
#   off   nobody looks: counters count, tracepoints are disabled
#   bare  modules without counters and tracepoints, of a copy of the sources; off
#         against that
# KERNEL= one of the lab's kernels (both). About 6 minutes a kernel. Ends with 1 if
# watching costs 5 % or more, or being watchable 1 % or more (docs/tracing.md).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
cases=('tx64 160' 'tx64-kick 16') # and rounds: more than a second each

# In the lab. Lines: side case instructions.
bench() { # side
	local case rounds
	for case in "${cases[@]}"; do
		rounds=${case#* }
		/build/bench/vbench --rounds "$rounds" "${case% *}" | awk -v side="$1" '{ print side, $1, $3 }'
	done
}

measure() {
	local top
	bench off
	# What a sample costs does not count here, that is the user's to choose: the
	# median round has none in it.
	/build/tools/vhosttop -j -d 0.5 >/tmp/top &
	top=$!
	until [ -s /tmp/top ]; do sleep 0.1; done
	bench on
	kill "$top"
	wait "$top" || true
	grep -q '"kick_to_run_p50_us":[0-9]' /tmp/top || { echo "vhosttop has seen no turn"; return 1; }
	bench off
	rmmod vhost_vsock vhost_blk vhost_net vhost_core
	insmod /out/vhost_core.ko
	insmod /out/vhost_net.ko
	bench bare
}

case ${1:-} in
'') ;;
in-lab) measure; exit ;;
*) sed -n '2,/^set/{/^#/p}' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac

tmp=$(mktemp -d)
built=
trap 'rm -rf "$tmp" ${built:+"$built"}' EXIT

# A copy of the sources that counts nothing.
mkdir "$tmp/bare" "$tmp/bare/selftests"
cp -a "$repo"/{Kbuild,compat,uapi,vhost_*} "$tmp/bare"
cp -a "$repo/selftests/lab" "$tmp/bare/selftests"
sed -i '/^\tvq->counter\[c\] += n;$/d' "$tmp/bare/vhost_core/internal.h"
sed -i -E '/^\t*(tx->q\.|q->)counter\[VHN_C_[A-Z]+\] \+= (i|tx->nr_xdp);$/d' "$tmp/bare/vhost_net/tx.c"
for file in vhost_core/internal.h vhost_net/tx.c; do
	! cmp -s "$repo/$file" "$tmp/bare/$file" || { echo "overhead: nothing to take out of $file" >&2; exit 1; }
done

status=0
for kernel in ${KERNEL:-6.12 7.2}; do
	{
		"$repo/selftests/lab/build.sh" "$kernel" all
		"$tmp/bare/selftests/lab/build.sh" "$kernel" modules KCFLAGS=-DNOTRACE
	} >"$tmp/log" 2>&1 || { tail -n 40 "$tmp/log" >&2; exit 1; }
	out=$("$tmp/bare/selftests/lab/build.sh" "$kernel" KCFLAGS=-DNOTRACE --print-out)
	built=${out%/*/out}
	rm -rf "$tmp/out"
	mkdir "$tmp/out"
	cp "$out"/*.ko "$tmp/out"
	"$repo/selftests/lab/vm.sh" -k "$kernel" --icount --timeout 1200 --modules ours --out "$tmp/out" -- \
		/src/selftests/bench/overhead.sh in-lab >"$tmp/lines"
	awk -v kernel="$kernel" '
		{ sub(/\r$/, ""); sum[$1, $2] += $3; n[$1, $2]++; if (!($2 in seen)) { seen[$2]; order[++cases] = $2 } }
		function figure(side, name) { return sum[side, name] / n[side, name] }
		END {
			for (i = 1; i <= cases; i++) {
				name = order[i]
				bare = figure("bare", name); off = figure("off", name); on = figure("on", name)
				watchable = 100 * (off - bare) / bare; watched = 100 * (on - off) / off
				bad = bad || watchable >= 1 || watched >= 5
				printf "%-5s %-10s bare %8.1f  off %8.1f (%+.2f %%)  on %8.1f (%+.2f %%)\n",
					kernel, name, bare, off, watchable, on, watched
			}
			exit bad
		}' "$tmp/lines" || status=1
done
exit "$status"
