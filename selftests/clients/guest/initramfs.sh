#!/bin/bash
# Makes the nested guest's initial ramdisk, which is all of its user space:
# the agent as /init, busybox, the modules of the stock kernel that a
# virtio network card needs. initramfs.sh AGENT OUTPUT [KERNEL]
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

# Prints "insmod PATH" lines, dependencies first.
modprobe --set-version "$release" --show-depends virtio_net |
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
	done >"$dir/modules/order"

(cd "$dir" && find . -print0 | LC_ALL=C sort -z |
	cpio --null --create --format=newc --quiet --owner=0:0) >"$output.new"
mv "$output.new" "$output"
