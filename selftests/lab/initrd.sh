#!/bin/bash
# Makes the initial ramdisk of one kernel and prints its path; cached.
# initrd.sh KERNEL       Needs the root (setup.sh).
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# What the kernel needs before it can see the root; the rest it loads from
# the root like any machine. Debian builds virtio-pci and the console in.
needed=(9pnet_virtio 9p overlay)

make_initrd() {
	local root=$1 release=$2 out=$3 dir=$LAB_TMP/initrd
	local moddir=$root/usr/lib/modules/$release name file
	mkdir -p "$dir"/{bin,dev,proc,sys,ro,rw,new,modules}
	cp "$root/bin/busybox" "$dir/bin/"
	cp "$LAB_DIR/initrd-init.sh" "$dir/init"
	chmod 755 "$dir/init"
	for name in "${needed[@]}"; do
		# Prints "insmod PATH" lines, dependencies first.
		chroot "$root" modprobe --set-version "$release" --show-depends "$name"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$LAB_TMP/order"
	while read -r file; do
		name=$(basename "$file")
		case $name in
		*.xz) name=${name%.xz}; xz -dc "$moddir/${file#*"/$release/"}" >"$dir/modules/$name" ;;
		*) cp "$moddir/${file#*"/$release/"}" "$dir/modules/$name" ;;
		esac
		echo "$name" >>"$dir/modules/order"
	done <"$LAB_TMP/order"
	(cd "$dir" && find . -print0 | LC_ALL=C sort -z |
		cpio --null --create --format=newc --quiet --owner=0:0) >"$LAB_TMP/initrd.cpio"
	mv "$LAB_TMP/initrd.cpio" "$out"
}

kernel=${1:?usage: initrd.sh KERNEL}
root=$(lab_root)
release=$(lab_release "$kernel")
key=$(cat "$LAB_DIR/initrd.sh" "$LAB_DIR/initrd-init.sh" | sha256sum | cut -c1-12)
out=$LAB_CACHE/initrd-$(lab_root_key)-$kernel-$key.cpio
if [ ! -e "$out" ]; then
	lab_make_tmp initrd
	trap 'lab_cleanup' EXIT
	make_initrd "$root" "$release" "$out"
fi
echo "$out"
