#!/bin/bash
# A stock guest in QEMU on two disks of vhost_blk, vhost-vdpa-device-pci: one
# with split rings on a file, one with packed rings on a block device. (QEMU's
# device has no say in that: it passes on what the disk offers.)
#
#   qemu-blk.sh
#
# The guest makes file systems, writes, and loses its power: what it had synced
# has to be there, and the file systems sound.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

begin_test
ctl=/build/tools/vhostctl
MIB=64

# Other machines can do without.
guest_append=${guest_append//ext4_init_fs,/}
guest_append=${guest_append//journal_init,/}

# shellcheck disable=SC2317 # called by the trap
end_disks() {
	local status=$?
	for pid in "${pids[@]}"; do
		stop "$pid" || true
	done
	umount "$tmp/mnt" 2>/dev/null || true
	"$ctl" blk del file0 2>/dev/null || true
	"$ctl" blk del ram0 2>/dev/null || true
	modprobe -r loop brd 2>/dev/null || true
	(exit "$status")
	end_test
}
trap end_disks EXIT

disks() {
	truncate -s "${MIB}M" "$tmp/file"
	modprobe loop && modprobe brd rd_nr=1 rd_size=$((MIB << 10)) &&
		"$ctl" blk add file0 path "$tmp/file" queues 2 serial FILE-0 worker queue split &&
		"$ctl" blk add ram0 path /dev/ram0 queues 2 serial RAM-0
}

boot() {
	machine_start a "" \
		-device vhost-vdpa-device-pci,vhostdev=/dev/vhost-blk/file0 \
		-device vhost-vdpa-device-pci,vhostdev=/dev/vhost-blk/ram0 &&
		guest_reply a 400 &&
		guest a 'busybox xargs -n 1 -I M busybox insmod /modules/M </modules/disk; ls /sys/block'
}

# Which of vda and vdb is which: the serial numbers tell.
find_disks() {
	# It does not end its line.
	guest a 'busybox xargs </sys/block/vda/serial' || return
	case $reply in
	*FILE-0*) file=vda ram=vdb ;;
	*RAM-0*) file=vdb ram=vda ;;
	*) why="serial of vda is $reply"; return 1 ;;
	esac
	guest a "cat /sys/block/$file/size" || return
	need "size is $reply" [ "${reply%%$'\n'*}" -eq $((MIB << 11)) ]
}

served() {
	local dir
	why="vhost does not serve the disks"
	for dir in "/sys/kernel/debug/vhost/${m_pid[a]}"-blk-*; do
		grep -q '^state running' "$dir/vq0" || return
	done
	[ "$(cat "/sys/kernel/debug/vhost/${m_pid[a]}"-blk-*/vq0 | grep '^layout' | sort)" = $'layout packed\nlayout split' ]
}

file_systems() {
	for disk in "$file" "$ram"; do
		guest a "/sbin/mkfs.ext4 -q -F /dev/$disk && busybox mkdir -p /t/$disk && busybox mount /dev/$disk /t/$disk" || return
	done
}

# Many files, rewritten, renamed and removed, on both disks at once; and one that
# is synced, whose sum is told.
load() {
	# shellcheck disable=SC2016 # the guest's shell expands it
	local script='i=0; while [ $i -lt 30 ]; do busybox dd if=/dev/urandom of=$1/f$((i % 20)) bs=3k count=$((i % 7 + 1)) 2>/dev/null; busybox mv $1/f$((i % 20)) $1/g$((i % 10)); [ $((i % 8)) -gt 0 ] || busybox rm -f $1/g*; i=$((i + 1)); done'
	guest a "echo '$script' >/t/load" || return
	guest_tell a "sh /t/load /t/$file & sh /t/load /t/$ram; wait"
	guest_reply a 500 || return
	guest a "busybox dd if=/dev/urandom of=/t/$file/synced bs=64k count=32 conv=fsync 2>/dev/null && busybox sync && sha256sum /t/$file/synced" || return
	sum_file=${reply%% *}
	guest a "busybox dd if=/dev/urandom of=/t/$ram/synced bs=64k count=32 conv=fsync 2>/dev/null && busybox sync && sha256sum /t/$ram/synced" || return
	sum_ram=${reply%% *}
}

# The hole shows in what the file takes on the host.
discard() {
	local before after
	guest a "busybox dd if=/dev/urandom of=/t/$file/big bs=1M count=16 2>/dev/null; busybox sync" || return
	before=$(du -k "$tmp/file" | cut -f1)
	guest a "busybox rm /t/$file/big; busybox sync; busybox fstrim /t/$file" || return
	after=$(du -k "$tmp/file" | cut -f1)
	need "the file took $before KiB, now $after" [ "$after" -lt $((before - 12000)) ]
}

resize() {
	truncate -s "$((MIB * 2))M" "$tmp/file"
	until_true 30 grown
}

# shellcheck disable=SC2317 # until_true calls it
grown() {
	guest a "cat /sys/block/$file/size" && [ "${reply%%$'\n'*}" -eq $((MIB << 12)) ]
}

# In the middle of writing: sync has the page cache written while it fills.
power_cut() {
	guest_tell a "sh /t/load /t/$file & sh /t/load /t/$ram & while busybox sync; do :; done"
	why="the guest does not write"
	until_true 60 writing || return
	kill -KILL "${m_pid[a]}"
	wait "${m_pid[a]}" 2>/dev/null || true
	why="the disks stay open"
	until_true 60 closed
}

# shellcheck disable=SC2317 # until_true calls it
writing() {
	local now
	now=$(awk '$1 == "writes" { n += $2 } END { print n }' "/sys/kernel/debug/vhost/${m_pid[a]}"-blk-*/vq*)
	[ "$now" -ge "${written:=$((now + 20))}" ]
}

# shellcheck disable=SC2317 # until_true calls it
closed() { [ "$(cat /sys/class/vhost-blk/{file0,ram0}/open)" = $'0\n0' ]; }

# survives PATH SUM: the file system after its journal was replayed, as at a mount.
survives() {
	local sum
	mkdir -p "$tmp/mnt"
	mount "$1" "$tmp/mnt" || { why="mount of $1"; return 1; }
	sum=$(sha256sum <"$tmp/mnt/synced") || return
	umount "$tmp/mnt"
	need "$1: synced data are lost" [ "${sum%% *}" = "$2" ] &&
		why=$(e2fsck -f -n "$1" 2>&1)
}

report() {
	cat "$tmp/a/stderr" "$tmp/a/console"
	grep -v ' 0$' "/sys/kernel/debug/vhost/${m_pid[a]}"-blk-*/*
}

check "two disks" disks || exit 1
check "boot to the agent, driver loaded" boot || { report; exit 1; }
check "serial numbers, sizes" find_disks || { report; exit 1; }
check "vhost serves both, split and packed" served || true
check "mkfs.ext4 and mount on both" file_systems || exit 1
check "files, rewritten, renamed, removed, on both at once" load || exit 1
check "discard makes a hole" discard || true
check "the guest sees a new size" resize || true
check "power cut while writing" power_cut || true
"$ctl" blk del file0
"$ctl" blk del ram0
check "file: e2fsck is clean, synced data are there" survives "$tmp/file" "$sum_file" || true
check "block device: e2fsck is clean, synced data are there" survives /dev/ram0 "$sum_ram" || true
