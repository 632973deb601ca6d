#!/bin/bash
# libblkio on the disks of vhost_blk: through nbdkit's plugin with nbdcopy,
# through QEMU's own block driver with qemu-img, and through many queues at once
# with blkmq; on every kind of backing, also on ones that fail and that are slow.
#
#   blkio.sh [BACKING...]      default: ram null file tmpfs loop dm
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

begin_test
backings=("$@")
[ "$#" -gt 0 ] || backings=(ram null file tmpfs loop dm)
ctl=/build/tools/vhostctl
MIB=16

# --- disks ----------------------------------------------------------------------

# disk NAME PATH [WORD...]: a disk with four queues.
disk() {
	local name=$1 path=$2
	shift 2
	why=$("$ctl" blk add "$name" path "$path" queues 4 "$@" 2>&1)
}

gone() { why=$("$ctl" blk del "$1" 2>&1); }

# nbd NAME COMMAND [OPTION...]: a shell command with $uri for the disk as an NBD server.
nbd() {
	nbdkit -U - "${@:3}" --exit-with-parent blkio virtio-blk-vhost-vdpa "path=/dev/vhost-blk/$1" \
		--run "$2" >"$tmp/nbd" 2>&1 || { why=$(tail -n 3 "$tmp/nbd"); return 1; }
}

# Both ways, several requests at a time, and what came back is what went.
copy() {
	# shellcheck disable=SC2016 # nbdkit's shell expands it
	nbd "$1" "nbdcopy --flush '$tmp/data' \$uri && nbdcopy \$uri '$tmp/back'" &&
		need "what was read is not what was written" cmp -n "$((MIB << 20))" "$tmp/data" "$tmp/back"
}

# multi_queue NAME PATH QUEUES: nbdkit's plugin and QEMU take one.
multi_queue() {
	why=$(/build/clients/blkmq "/dev/vhost-blk/$1" "$2" "$3" 2>&1) || return
	note "requests (writes/reads): $why"
}

options() { # disk
	echo "driver=virtio-blk-vhost-vdpa,path=/dev/vhost-blk/$1,cache.direct=on"
}

qemu_compare() {
	why=$(qemu-img compare --image-opts "driver=raw,file.filename=$tmp/data,file.driver=file" \
		"$(options "$1")" 2>&1) || return 1
	[[ $why == *identical* ]]
}

# Not qemu-img bench: its buffer is not aligned as libblkio's drivers want it.
qemu_io() {
	why=$(qemu-io --image-opts -c "aio_write -P 7 0 1M" -c "aio_write -P 8 1M 64k" -c aio_flush \
		-c "write -z -u 2M 64k" -c flush -c "read -P 7 0 1M" -c "read -P 8 1M 64k" \
		-c "read -P 0 2M 64k" -c "discard 3M 1M" "$(options "$1")" 2>&1) || return
	[[ $why != *failed* ]]
}

# --- backings --------------------------------------------------------------------

backing_ram() { modprobe brd rd_nr=1 rd_size=$((MIB << 10)) && path=/dev/ram0; }

backing_null() {
	local dir=/sys/kernel/config/nullb/vblk
	modprobe null_blk nr_devices=0
	mountpoint -q "${dir%/*/*}" || mount -t configfs none "${dir%/*/*}"
	# The same disk once more: it is there, and has its power.
	[ ! -d "$dir" ] || { path=/dev/vblk; return; }
	mkdir "$dir"
	echo "$MIB" >"$dir/size"
	echo 1 >"$dir/memory_backed"
	echo 1 >"$dir/discard"
	echo 1 >"$dir/power" && path=/dev/vblk
}

backing_file() { path=$tmp/file; truncate -s "${MIB}M" "$path"; }

backing_tmpfs() {
	mkdir "$tmp/tmpfs"
	mount -t tmpfs none "$tmp/tmpfs"
	path=$tmp/tmpfs/file
	truncate -s "${MIB}M" "$path"
}

# A loop device on a file, ext4 on that, and the disk is a file there.
backing_loop() {
	truncate -s $((MIB * 4))M "$tmp/image"
	modprobe loop
	loop=$(losetup --find --show --direct-io=off "$tmp/image") && mkfs.ext4 -q "$loop" &&
		mkdir "$tmp/ext4" && mount "$loop" "$tmp/ext4" || return
	path=$tmp/ext4/file
	fallocate -l "${MIB}M" "$path"
}

# 30 ms for each read and write.
backing_dm() {
	modprobe -a brd dm-delay
	[ -e /dev/ram0 ] || modprobe brd rd_nr=1 rd_size=$((MIB << 10))
	echo "0 $((MIB << 11)) delay /dev/ram0 0 30" | dmsetup create --noudevsync vblk-slow &&
		dmsetup mknodes && path=/dev/mapper/vblk-slow
}

# shellcheck disable=SC2317 # called by the trap
end_blkio() {
	local status=$?
	for name in t ro err; do
		"$ctl" blk del "$name" 2>/dev/null || true
	done
	umount "$tmp/ext4" "$tmp/tmpfs" 2>/dev/null || true
	[ -z "${loop:-}" ] || losetup -d "$loop"
	dmsetup remove --noudevsync vblk-slow 2>/dev/null || true
	rmdir /sys/kernel/config/nullb/vblk 2>/dev/null || true
	dmsetup remove --noudevsync vblk-err 2>/dev/null || true
	dmsetup remove --noudevsync vblk-stall 2>/dev/null || true
	modprobe -r brd null_blk dm-delay 2>/dev/null || true
	(exit "$status")
	end_test
}
trap end_blkio EXIT

# --- what is checked ---------------------------------------------------------------

# Errors of the backing are errors of the request, and end nothing.
errors() {
	modprobe -a brd dm-mod
	[ -e /dev/ram0 ] || modprobe brd rd_nr=1 rd_size=$((MIB << 10))
	printf '%s\n' "0 2048 linear /dev/ram0 0" "2048 $(((MIB << 11) - 2048)) error" | dmsetup create --noudevsync vblk-err
	dmsetup mknodes
	disk err /dev/mapper/vblk-err || return
	# shellcheck disable=SC2016 # nbdkit's shell expands it
	if nbd err 'nbdcopy $uri null:'; then
		why="reads of bad sectors succeeded"
		return 1
	fi
	grep -qi "input/output error" "$tmp/nbd" || { why="no I/O error: $(tail -n 1 "$tmp/nbd")"; return 1; }
	# shellcheck disable=SC2016
	nbd err 'nbdsh -u $uri -c "h.pread(65536, 0)" || nbdinfo $uri' && gone err && dmsetup remove --noudevsync vblk-err
}

# Of all queues of the disk that is open: requests completed, those with errors too.
completed() { cat /sys/kernel/debug/vhost/*-blk-*/vq* 2>/dev/null | awk '$1 ~ /^(reads|writes)$/ { n += $2 } END { print n + 0 }'; }

# shellcheck disable=SC2317 # until_true calls it
busy() { [ "$(completed)" -gt 20 ]; }

# A device that stops answering for a while: what is under way waits, and then
# goes on where it was.
stall() {
	local before copying status=0
	[ -e /dev/ram0 ] || modprobe brd rd_nr=1 rd_size=$((MIB << 10))
	modprobe dm-delay
	echo "0 $((MIB << 11)) delay /dev/ram0 0 5" | dmsetup create --noudevsync vblk-stall && dmsetup mknodes &&
		disk t /dev/mapper/vblk-stall || return
	# shellcheck disable=SC2016 # nbdkit's shell expands it
	nbd t "nbdcopy --flush '$tmp/data' \$uri && nbdcopy \$uri '$tmp/back'" &
	copying=$!
	until_true 60 busy || { why="nothing is copied"; return 1; }
	dmsetup suspend --noflush vblk-stall
	before=$(completed)
	sleep 0.5 # a stall is what is tested
	need "$(completed) completed, $before before the stall" [ "$(completed)" -le $((before + 64)) ]
	dmsetup resume vblk-stall
	wait "$copying" || status=$?
	need "the copy failed: $(tail -n 1 "$tmp/nbd")" [ "$status" -eq 0 ] &&
		need "what was read is not what was written" cmp -n "$((MIB << 20))" "$tmp/data" "$tmp/back" &&
		gone t && dmsetup remove --noudevsync vblk-stall
}

# A device that goes away: errors, and the disk can be deleted.
disappears() {
	local dir=/sys/kernel/config/nullb/vblk copying
	backing_null && disk t "$path" || return
	# shellcheck disable=SC2016
	nbd t "while nbdcopy '$tmp/data' \$uri; do :; done" &
	copying=$!
	until_true 60 busy || { why="nothing is copied"; return 1; }
	echo 0 >"$dir/power"
	wait "$copying" || true
	# A copy that begins only then finds a disk of no size.
	gone t && rmdir "$dir" &&
		need "no error: $(tail -n 1 "$tmp/nbd")" grep -qiE "input/output error|size \(0\)" "$tmp/nbd"
}

read_only() {
	disk ro "$path" ro || return
	# shellcheck disable=SC2016
	nbd ro 'nbdinfo $uri | grep "is_read_only: true"' -r && gone ro
}

# With udev's own rules and ours: members of group kvm open a disk, others do not.
udev_rule() {
	local mode
	mkdir -p /run/udev/rules.d
	cp /src/packaging/udev/*.rules /run/udev/rules.d/
	/usr/lib/systemd/systemd-udevd --daemon >/dev/null 2>&1 &&
		backing_file && disk t "$path" && udevadm settle --timeout=60 || return
	mode=$(stat -c '%G %a' /dev/vhost-blk/t)
	udevadm control --exit
	rm -r /run/udev
	need "the node is $mode" [ "$mode" = "kvm 660" ] &&
		gone t && rm "$path"
}

head -c "${MIB}M" /dev/urandom >"$tmp/data"
for kind in "${backings[@]}"; do
	check "backing: $kind" "backing_$kind" || continue
	check "add a disk on $kind" disk t "$path" || continue
	check "$kind: $MIB MiB there and back" copy t || true
	check "$kind: qemu-img compare" qemu_compare t || true
	check "$kind: qemu-io" qemu_io t || true
	for queues in 2 4; do
		check "$kind: $queues queues, verified across" multi_queue t "$path" "$queues" || true
	done
	check "$kind: delete it" gone t || true
	[ "$kind" != file ] || check "read-only" read_only || true
done
check "a backing with bad sectors" errors || true
check "a backing that stalls" stall || true
check "a backing that disappears" disappears || true
check "udev: group kvm may open it" udev_rule || true
