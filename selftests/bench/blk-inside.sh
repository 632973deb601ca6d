#!/bin/bash
# The part of blk.sh and profile.sh that runs inside the lab, with our modules
# loaded.
#
#   blk-inside.sh PLAN
#
# PLAN has lines: side mode case... Each line that is printed is one of
# table.awk's: phase, side, case, mode, median, least and most of the rounds'
# figures, title.
#
# Cases, and what their modes are:
# - those of blkbench: vhost_blk (on a disk), qsd and qsd-native (the
#   vhost-user-blk export of qemu-storage-daemon, with aio=io_uring and
#   aio=native), io_uring (the device itself). Instructions a request. NAME@fifo:
#   with workers that are SCHED_FIFO.
# - those of blkclass: whose requests have a class. p99-...: the reader's 99th
#   percentile; bulk-...: time a write of the writer's.
# - two-queues, without the instruction clock: 1-worker and 2-workers in turns,
#   whatever mode the plan says. Time a request.
#
# As a VM, driver and server run in a control group with the cpu controller.
# BLK_ROUNDS= rounds under the clock (3). BLK_EXACT= marks for the emulator: see
# profile.sh.
set -euo pipefail
shopt -s inherit_errexit

plan=$1
rounds=${BLK_ROUNDS:-3}
tmp=$(mktemp -d)
ctl=/build/tools/vhostctl
configfs=/sys/kernel/config
cgroup=/sys/fs/cgroup/vm
echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
mkdir -p "$cgroup"

# --- what is measured ----------------------------------------------------------

# null NAME [ATTRIBUTE=VALUE...]: a null_blk device of 1 GiB, without memory
null() {
	local dir=$configfs/nullb/$1 word
	[ -d "$configfs/nullb" ] || {
		modprobe null_blk nr_devices=0
		mountpoint -q "$configfs" || mount -t configfs none "$configfs"
	}
	mkdir "$dir"
	for word in size=1024 irqmode=0 blocksize=4096 submit_queues=2 "${@:2}"; do
		echo "${word#*=}" >"$dir/${word%%=*}"
	done
	echo 1 >"$dir/power"
}

in_vm() { # as a VM's process
	echo "$BASHPID" >"$cgroup/cgroup.procs"
	exec "$@"
}

# serve MODE [WORD...]: sets driver and path
serve() {
	local aio=io_uring
	case $1 in
	vhost_blk)
		"$ctl" blk add bench path /dev/bench0 "${@:2}"
		driver=virtio-blk-vhost-vdpa path=/dev/vhost-blk/bench
		;;
	io_uring)
		driver=io_uring path=/dev/bench0
		;;
	qsd | qsd-native)
		[ "$1" = qsd ] || aio=native
		driver=virtio-blk-vhost-user path=$tmp/qsd.sock
		(in_vm qemu-storage-daemon --pidfile "$tmp/qsd.pid" --daemonize \
			--blockdev "driver=host_device,filename=/dev/bench0,cache.direct=on,aio=$aio,node-name=d" \
			--export "type=vhost-user-blk,id=e,node-name=d,addr.type=unix,addr.path=$path,num-queues=1,writable=on")
		;;
	esac
}

unserve() {
	case $1 in
	vhost_blk) "$ctl" blk del bench ;;
	qsd*)
		local pid
		pid=$(cat "$tmp/qsd.pid")
		kill "$pid"
		tail --pid="$pid" -f /dev/null
		rm -f "$tmp/qsd.pid"
		;;
	esac
}

# --- figures -------------------------------------------------------------------

# A row out of the figures in file $1: median, least, most.
print_row() { # file side mode case title
	sort -n "$1" | awk -v head="1 $2 $4 $3" -v title="$5" '
	{ a[NR] = $1 }
	END { print head, a[int((NR + 1) / 2)], a[1], a[NR], title }'
}

# blkbench's words for a case, and the title
words_of() {
	case ${1%@*} in
	read4k-d32) words=(read 4096 32 8000) title='4 KiB reads, depth 32' ;;
	read4k-d1) words=(read 4096 1 8000) title='4 KiB reads, depth 1' ;;
	write4k-d32) words=(write 4096 32 8000) title='4 KiB writes, depth 32' ;;
	read128k-d32) words=(read 131072 32 4000) title='128 KiB reads, depth 32' ;;
	*) echo "blk-inside.sh: no case is called $1" >&2; exit 2 ;;
	esac
	[ "$1" = "${1%@fifo}" ] || title+=', workers SCHED_FIFO'
}

bench() { # side mode case
	local fifo=N round words title driver path
	words_of "$3"
	[ "$3" = "${3%@fifo}" ] || fifo=Y
	echo "$fifo" >/sys/module/vhost_core/parameters/worker_fifo
	serve "$2"
	: >"$tmp/figures"
	for ((round = 0; round < rounds; round++)); do
		(in_vm /build/bench/blkbench ${BLK_EXACT:+--exact} "$driver" "$path" "${words[@]}") >"$tmp/line"
		awk '{ print $2 }' "$tmp/line" >>"$tmp/figures"
		[ -z "${BLK_EXACT:-}" ] || { echo "1 $1 exact $(cut -d ' ' -f 1 "$tmp/line")"; break; }
	done
	unserve "$2"
	print_row "$tmp/figures" "$1" "$2" "$3" "$title"
}

# Devices that take their time, for so many requests at once.
class_device() {
	case $1 in
	*-fast) null "$2" irqmode=2 completion_nsec=80000 hw_queue_depth=64 max_sectors=256 ;;
	*) null "$2" irqmode=2 completion_nsec=100000 hw_queue_depth=32 max_sectors=64 ;;
	esac
}

class() { # side mode case
	local device=slow title file
	[ "$3" = "${3%-fast}" ] || device=fast
	[ -b "/dev/$device" ] || class_device "-$device" "$device"
	file=$tmp/class-$device-$2
	# Both figures are of one run.
	[ -e "$file" ] || /build/bench/blkclass "/dev/$device" "$2" 1000 >"$file"
	case $3 in
	p99-*) cut -d ' ' -f 3 "$file" >"$tmp/figures"; title='4 KiB read beside 128 writes of 128 KiB, p99' ;;
	bulk-*) cut -d ' ' -f 4 "$file" >"$tmp/figures"; title='a write beside it' ;;
	esac
	[ "$device" = slow ] || title+=', fast device'
	print_row "$tmp/figures" "$1" "$2" "$3" "$title"
}

# Two queues with one worker and with two, in turns.
two_queues() {
	local driver path round workers title='4 KiB reads, 2 queues, depth 32'
	for ((round = 0; round < 15; round++)); do
		for workers in 1 2; do
			if [ "$workers" = 1 ]; then
				serve vhost_blk queues 2
			else
				serve vhost_blk queues 2 worker queue
			fi
			(in_vm /build/bench/blkbench "$driver" "$path" read 4096 32 40000 2) |
				awk '{ print $2 }' >>"$tmp/workers-$workers"
			unserve vhost_blk
		done
	done
	print_row "$tmp/workers-1" other 1-worker two-queues "$title"
	print_row "$tmp/workers-2" ours 2-workers two-queues "$title"
}

uname -r >"$(dirname "$plan")/release"
null bench0
while read -r side mode cases; do
	for case in $cases; do
		case $case in
		p99-* | bulk-*) class "$side" "$mode" "$case" ;;
		two-queues) two_queues ;;
		*) bench "$side" "$mode" "$case" ;;
		esac
	done
done <"$plan"
[ -z "${BLK_EXACT:-}" ] || cat /proc/kallsyms >"$(dirname "$plan")/kallsyms"
