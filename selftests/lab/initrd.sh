#!/bin/bash
# Makes the initial ramdisk of one kernel and prints its path; cached.
# initrd.sh KERNEL       Needs the root (setup.sh).
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# What the kernel needs before it can see the root; the rest it loads from
# the root like any machine. Debian builds virtio-pci and the console in.
needed=(9pnet_virtio 9p overlay)

# Fills $LAB_TMP/initrd/modules.
add_modules() {
	local root=$1 release=$2 dir=$LAB_TMP/initrd
	local moddir=$root/usr/lib/modules/$release name file
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
}

make_initrd() {
	local kernel=$1 out=$2 dir=$LAB_TMP/initrd root
	root=$(lab_root)
	mkdir -p "$dir"/{bin,dev,proc,sys,ro,rw,new,modules}
	cp "$root/bin/busybox" "$dir/bin/"
	cp "$LAB_DIR/initrd-init.sh" "$dir/init"
	chmod 755 "$dir/init"
	: >"$dir/modules/order"
	if [ "$kernel" = debug ]; then
		# All that is needed is built in. The few modules, and the list of
		# what is built in, are not in the root: they are laid over it.
		mkdir -p "$dir/over/usr"
		cp -a "$(lab_kernel_dir debug)/modules/lib" "$dir/over/usr/"
	else
		add_modules "$root" "$(lab_release "$kernel")"
	fi
	(cd "$dir" && find . -print0 | LC_ALL=C sort -z |
		cpio --null --create --format=newc --quiet --owner=0:0) >"$LAB_TMP/initrd.cpio"
	mv "$LAB_TMP/initrd.cpio" "$out"
}

kernel=${1:?usage: initrd.sh KERNEL}
# The debug kernel has a name of its own; others come with the root.
key=$({
	cat "$LAB_DIR/initrd.sh" "$LAB_DIR/initrd-init.sh"
	[ "$kernel" != debug ] || lab_debug_kernel
} | sha256sum | cut -c1-12)
out=$LAB_CACHE/initrd-$(lab_root_key)-$kernel-$key.cpio
if [ ! -e "$out" ]; then
	lab_make_tmp initrd
	trap 'lab_cleanup' EXIT
	make_initrd "$kernel" "$out"
fi
echo "$out"
