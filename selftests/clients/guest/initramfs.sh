#!/bin/bash
# Makes the nested guest's initial ramdisk, which is all of its user space:
# the agent as /init, busybox, mkfs.ext4, the modules of the stock kernel that a
# virtio network card needs, and those for disks and sockets, which a test loads by
# itself (/modules/disk, /modules/vsock). initramfs.sh AGENT OUTPUT [KERNEL]
set -euo pipefail

agent=$1
output=$2
kernel=${3:-6.12}

release=$(cat "/opt/lab/kernels/$kernel/release")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

mkdir -p "$dir"/{bin,dev,proc,sys,t,modules}
cp "$agent" "$dir/init"
cp /bin/busybox "$dir/bin/"
for name in sh ip ping sha256sum cat echo ls dmesg; do
	ln -s busybox "$dir/bin/$name"
done
mknod "$dir/dev/console" c 5 1 2>/dev/null || true

# mkfs.ext4 and the libraries that it wants.
cp -L --parents /sbin/mkfs.ext4 "$dir"
ldd /sbin/mkfs.ext4 | grep -o '/[^ ]*' | while read -r file; do
	cp -L --parents "$file" "$dir"
done

# modules FILE MODULE...: into /modules, and FILE lists them, dependencies first.
modules() {
	local list=$1
	shift
	modprobe --set-version "$release" --show-depends -a "$@" |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
		while read -r file; do
			name=$(basename "$file")
			case $name in
			*.xz) name=${name%.xz}; xz -dc "$file" >"$dir/modules/$name" ;;
			*) cp "$file" "$dir/modules/$name" ;;
			esac
			# Its signature goes with it, which spares checking it.
			strip --strip-debug "$dir/modules/$name"
			echo "$name"
		done >"$dir/modules/$list"
}
modules order virtio_net
modules disk virtio_blk ext4
modules vsock vmw_vsock_virtio_transport

(cd "$dir" && find . -print0 | LC_ALL=C sort -z |
	cpio --null --create --format=newc --quiet --owner=0:0) >"$output.new"
mv "$output.new" "$output"
