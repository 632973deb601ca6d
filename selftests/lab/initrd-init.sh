#!/bin/busybox sh
# shellcheck shell=dash
# /init of the lab's initial ramdisk: finds the root on 9p, puts a memory file
# system over it, hands over to guest-init.sh of the repository.

busybox=/bin/busybox
die() {
	echo "lab initrd: $*" >/dev/console
	$busybox sleep 1
	$busybox reboot -f
}

$busybox mount -t devtmpfs dev /dev
$busybox mount -t proc proc /proc

# The probe for KVM only wants to know that a guest gets this far.
if $busybox grep -q lab.probe /proc/cmdline; then
	echo "lab probe: guest runs" >/dev/console
	$busybox reboot -f
fi

while read -r module; do
	$busybox insmod "/modules/$module" || die "insmod $module"
done </modules/order

p9=trans=virtio,version=9p2000.L,msize=512000
$busybox mount -t 9p -o ro,$p9,cache=loose root /ro || die "no root"
$busybox mount -t tmpfs -o size=75%,mode=755 rw /rw
$busybox mkdir /rw/upper /rw/work
[ ! -d /over ] || $busybox cp -a /over/. /rw/upper/
$busybox mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work overlay /new ||
	die "no overlay"

# cache=mmap: sees files changed on the host, and can run programs.
$busybox mount -t 9p -o ro,$p9,cache=mmap src /new/src || die "no /src"
$busybox mount -t 9p -o ro,$p9,cache=mmap build /new/build || die "no /build"
$busybox mount -t 9p -o rw,$p9 out /new/out || die "no /out"

$busybox mount --move /proc /new/proc
$busybox mount --move /dev /new/dev
exec $busybox switch_root /new /bin/bash /src/selftests/lab/guest-init.sh
