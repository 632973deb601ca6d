#!/bin/bash
# Runs inside root-build.sh, with the bare root made: installs what
# root.packages names and lays out /opt/lab. root-install.sh ROOT LIST
set -euo pipefail

root=$1
list=$2

in_root() {
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@"
}

# Prints the newest release of a series: "7.2" -> "7.2.12+deb13-amd64".
newest_release() {
	in_root apt-cache pkgnames "linux-image-$1." |
		sed -n 's/^linux-image-\([0-9.]*+deb13-amd64\)$/\1/p' | sort -V | tail -n 1
}

# Prints the 4-byte little-endian number at an offset of a file.
le32() { od -An -tu4 -j"$2" -N4 "$1" | tr -d ' '; }

# Unpacks the ELF kernel inside a bzImage. Where it lies is written in the
# image's header (the kernel's Documentation/arch/x86/boot.rst: setup_sects,
# payload_offset, payload_length). extract_vmlinux BZIMAGE ELF
extract_vmlinux() {
	local sectors offset length payload=$2.payload
	sectors=$(od -An -tu1 -j$((0x1f1)) -N1 "$1" | tr -d ' ')
	offset=$(((sectors + 1) * 512 + $(le32 "$1" $((0x248)))))
	length=$(le32 "$1" $((0x24c)))
	tail -c +$((offset + 1)) "$1" | head -c "$length" >"$payload" || true
	case $(od -An -tx1 -N4 "$payload" | tr -d ' ') in
	28b52ffd) zstd -dqc "$payload" ;;
	fd377a58) xz -dc "$payload" ;;
	1f8b*) gzip -dc "$payload" ;;
	02214c18) lz4 -dc "$payload" ;;
	*) echo "unknown compression in $1" >&2 ;;
	esac >"$2" 2>/dev/null || true # the length appended to the payload is "garbage"
	rm "$payload"
	[ "$(od -An -c -N4 "$2" | tr -d ' ')" = '177ELF' ] || { echo "no kernel found in $1" >&2; return 1; }
}

packages=()
while read -r word; do
	case $word in
	'' | '#'*) ;;
	KERNEL-*)
		release=$(newest_release "${word#KERNEL-}")
		[ -n "$release" ] || { echo "no kernel ${word#KERNEL-} in the archive" >&2; exit 1; }
		packages+=("linux-image-$release" "linux-headers-$release")
		;;
	*) packages+=("$word") ;;
	esac
done <"$list"

# The source of 6.12: of it debug-kernel.sh makes the debug kernel, and
# checkpatch and the netlink tool ynl are in no other package. Fetching it runs
# beside the installation.
get_source() {
	local dir=$root/opt/lab/linux-source
	mkdir -p "$dir"
	in_root bash -c 'cd /opt/lab/linux-source && apt-get download linux-source-6.12'
	dpkg-deb -f "$dir"/*.deb Version >"$dir/version"
	dpkg-deb --fsys-tarfile "$dir"/*.deb |
		tar -xO --wildcards './usr/src/linux-source-*.tar.xz' >"$dir/linux.tar.xz"
	rm "$dir"/*.deb
	# checkpatch, ynl, and tests of the kernel's that clients are made of: one pass.
	tar -x -f "$dir/linux.tar.xz" -C "$dir" --strip-components=1 --anchored --wildcards \
		'linux-source-6.12/scripts/checkpatch.pl' 'linux-source-6.12/scripts/spelling.txt' \
		'linux-source-6.12/scripts/const_structs.checkpatch' \
		'linux-source-6.12/tools/testing/vsock/*' 'linux-source-6.12/tools/include/*' \
		'linux-source-6.12/tools/net/ynl/*' 'linux-source-6.12/Documentation/netlink/genetlink.yaml'
	mv -T "$dir/scripts" "$root/opt/lab/scripts"
	[ -s "$root/opt/lab/scripts/checkpatch.pl" ] && [ -s "$dir/tools/testing/vsock/vsock_test.c" ] &&
		[ -s "$dir/tools/net/ynl/cli.py" ]
}
get_source &
source=$!

in_root apt-get install -y --no-install-recommends "${packages[@]}"
wait "$source" || { echo "no linux-source" >&2; exit 1; }
# Who compiles the debug kernel is part of its name.
in_root gcc -v 2>&1 | tail -n 1 >"$root/opt/lab/compiler"
in_root apt-get clean
rm -rf "$root"/var/lib/apt/lists/*

# The modules that the lab and its tests load are kept unpacked: modprobe
# unpacks in user space, and under emulation that is slow.
for dir in "$root"/usr/lib/modules/*; do
	for sub in net drivers/net drivers/vhost drivers/virtio drivers/vdpa drivers/block \
		drivers/char fs/9p fs/netfs fs/overlayfs lib crypto; do
		[ -d "$dir/kernel/$sub" ] || continue
		find "$dir/kernel/$sub" -name '*.ko.xz' -print0 | xargs -0 -r -n 50 -P "$(nproc)" xz -dq
	done
	in_root depmod "${dir##*/}"
done

# /opt/lab/kernels/NAME/{release,vmlinux}: what vm.sh boots. QEMU starts an
# uncompressed kernel by PVH, which spares unpacking it under emulation.
# /opt/guest/vmlinux-NAME: the same under the names that nested guests use.
mkdir -p "$root/opt/guest"
for image in "$root"/boot/vmlinuz-*; do
	release=${image##*/vmlinuz-}
	name=$(echo "$release" | cut -d. -f1-2)
	case $release in
	*-cloud-*) name=$name-cloud ;;
	esac
	dir=$root/opt/lab/kernels/$name
	mkdir -p "$dir"
	echo "$release" >"$dir/release"
	extract_vmlinux "$image" "$dir/vmlinux"
	ln -s "../lab/kernels/$name/vmlinux" "$root/opt/guest/vmlinux-$name"
	rm -f "$root/boot/initrd.img-$release"
done

# Mount points of build.sh and vm.sh: the root itself is never written later.
mkdir -p "$root/src" "$root/build" "$root/out" "$root/opt/lab/debug"
