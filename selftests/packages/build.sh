#!/bin/bash
# Builds the packages with the compiler and debhelper of the lab's root, and
# installs them in a copy of that root, where DKMS builds for all its kernels.
# What that leaves, and the packages, lies in each kernel's /build/packages for
# installed.sh, which goes on where modules can be loaded.   build.sh
# shellcheck source=../lab/common.sh
. "$(dirname "$0")/../lab/common.sh"

"$LAB_DIR/setup.sh"
lab_become_root "$@"
lab_make_tmp packages
trap lab_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir "$LAB_TMP"/{upper,work,merged,build}
# The root of the lab, writable, and what is written kept apart.
# shellcheck disable=SC2016 # the inner shell expands
setpriv --pdeathsig KILL -- unshare --mount --pid --fork --kill-child --mount-proc -- bash -euc '
	root=$1 repo=$2 tmp=$3
	mount -t overlay overlay -o "lowerdir=$root,upperdir=$tmp/upper,workdir=$tmp/work" "$tmp/merged"
	cd "$tmp/merged"
	mount -t tmpfs tmp tmp
	mount --rbind /dev dev
	mount --rbind /proc proc
	mount --bind "$repo" src
	mount --bind "$tmp/build" build
	cp "$repo/selftests/packages/inside.sh" tmp
	exec chroot . /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/tmp \
		DEBIAN_FRONTEND=noninteractive /tmp/inside.sh
' packages "$(lab_root)" "$LAB_REPO" "$LAB_TMP"

# What changed, as the installed system's own files.
(cd "$LAB_TMP/upper" && find . ! -type c ! -path './tmp*' ! -path './build*' ! -path './src*' -print0 |
	tar -cf "$LAB_TMP/build/packages/installed.tar" --null --no-recursion --files-from=-)
for kernel in "${LAB_KERNELS[@]}"; do
	out=$(lab_build_dir "$kernel")/out
	mkdir -p "$out"
	rm -rf "$out/packages"
	cp -r "$LAB_TMP/build/packages" "$out/packages"
done
