#!/bin/bash
# make install puts our modules before the kernel's own, make uninstall brings
# those back and touches nothing else. Runs in the lab's root, where the modules
# of a kernel lie as on any machine, on a copy of them.  test-install.sh [KERNEL]
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

expect() { # name, command...
	if "${@:2}"; then
		echo "ok - install: $1"
	else
		echo "not ok - install: $1"
		failed=1
	fi
}

# These have the names of the kernel's own.
replaced=(vhost_net vhost_vsock)

taken() { # where from, relative to the kernel's modules
	local module
	for module in "${replaced[@]}"; do
		[[ $(modinfo -b /build -k "$release" -n "$module") == */$1/$module.ko* ]] || return 1
	done
}
ours_taken() { taken updates; }
own_taken() { taken kernel/drivers/vhost; }
core_first() {
	local module
	for module in "${replaced[@]}"; do
		modprobe -d /build -S "$release" --show-depends "$module" | grep -q updates/vhost_core || return 1
	done
}
list() { (cd /build && find lib usr -name '*.ko*' -o -name '*.rules' | sort); }
# As build-inside.sh builds, whose objects are still good.
run_make() { make -j"$(nproc)" "$1" W=1 KCFLAGS=-Werror KDIR="/lib/modules/$release/build" INSTALL_MOD_PATH=/build >/build/log 2>&1 || { cat /build/log; exit 1; }; }

inside() {
	failed=0
	release=$1
	mkdir -p /build/lib/modules/"$release" /build/obj /build/usr
	cp -r /lib/modules/"$release"/{kernel,modules.*} /build/lib/modules/"$release"/
	rsync -a /src/Kbuild /src/Makefile /src/vhost_* /src/uapi /src/compat /src/packaging /build/obj/
	cd /build/obj
	list >/build/before
	run_make install
	expect "modprobe takes ours" ours_taken
	expect "ours comes with vhost_core" core_first
	expect "udev knows disks" test -e /build/usr/lib/udev/rules.d/70-vhost-accel.rules
	run_make uninstall
	expect "the kernel's own is back" own_taken
	list >/build/after
	expect "nothing else changed" cmp /build/before /build/after
	exit "$failed"
}

[ "${1:-}" != --inside ] || inside "$2"
"$LAB_DIR/setup.sh"
lab_become_root "$@"
lab_make_tmp install
trap lab_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
built=$(lab_build_dir "${1:-6.12}")
[ ! -d "$built/obj" ] || flock -s "$built/lock" cp -a "$built/obj" "$LAB_TMP/obj"
lab_in_root "$LAB_TMP" /src/selftests/lab/test-install.sh --inside "$(lab_release "${1:-6.12}")"
