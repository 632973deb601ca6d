#!/bin/bash
# Inside the lab, with the kernel's own modules loaded: the packages that
# build.sh installed take over, serve QEMU, and go again.   installed.sh
#
# The sources are out of reach: it runs as a copy, with /src and /build hidden.
# shellcheck disable=SC2317 # check calls the functions
set -u

failed=0
check() { # name, command...
	if "${@:2}" >/tmp/log 2>&1; then
		echo "ok - $1"
	else
		echo "not ok - $1: $(tail -n 8 /tmp/log | tr '\n' ' ')"
		failed=1
	fi
}

if [ "${1:-}" != copied ]; then
	cp -r /build/packages /tmp/packages && cp "$0" /tmp/installed.sh || exit 1
	exec /tmp/installed.sh copied
fi
cd / || exit 1
trap 'umount /src /build; umount /usr/lib/modules 2>/dev/null' EXIT
for dir in /src /build; do
	mount -t tmpfs hidden "$dir" || exit 1
done

loaded() { [ -d "/sys/module/$1" ]; }
ours() { [ "$(cat /sys/module/vhost_net/version)" = "$version" ] && loaded vhost_core; }
own() { loaded vhost && [ "$(cat /sys/module/vhost_net/version)" != "$version" ]; }
own_alone() { own && ! loaded vhost_core && ! loaded vhost_blk; }
version=$(dpkg-deb -f /tmp/packages/vhost-accel-dkms_*.deb Version)

# --- a machine: QEMU's firmware asks for an address, through the queues -------------

qemu=
start() {
	ip tuntap add name pkg0 mode tap vnet_hdr 2>/dev/null
	ip link set pkg0 up
	qemu-system-x86_64 -nodefaults -no-user-config -display none -machine q35 -cpu max,-la57 -m 128 \
		-netdev tap,id=n0,ifname=pkg0,script=no,downscript=no,vhost=on,vhostforce=on \
		-device virtio-net-pci,netdev=n0,bootindex=1 >/tmp/qemu.log 2>&1 &
	qemu=$!
}
# Its first packet, a question to all, reaches the host.
asked() { timeout 240 tcpdump -i pkg0 -c 1 -nn 'udp dst port 67' 2>/dev/null | grep -q DHCP; }
worker() { [ -n "$(pgrep -f "^\[vhost-$qemu")" ]; }
stop() {
	kill "$qemu" && wait "$qemu"
	ip link del pkg0
}

postinst() { /var/lib/dpkg/info/vhost-accel-dkms.postinst configure; }
says_in_use() { postinst 2>&1 | tee /dev/stderr | grep -q 'vhost_net is in use'; }
purge() { dpkg --purge vhost-accel-dkms vhost-accel-tools; }
nothing_left() {
	local left
	left=$(find /usr/src /lib/modules/*/updates /etc /usr/lib/udev /usr/lib/modules-load.d /var/lib/dkms /usr/sbin /run \
		\( -name '*vhost-accel*' -o -name 'vhost_*.ko*' -o -name 'vhostctl*' -o -name 'vhosttop*' \) 2>/dev/null)
	echo "left: $left"
	[ -z "$left" ]
}

# The modules that this machine needs, in memory, and no others: depmod reads
# each there is, which through 9p is minutes.
few_modules() {
	local dir release
	mkdir /tmp/modules || return
	for dir in /lib/modules/*/build; do
		dir=${dir%/build}
		release=${dir##*/}
		mkdir "/tmp/modules/$release"
		cp -P "$dir"/modules.{builtin,builtin.modinfo,order} "$dir/build" "/tmp/modules/$release" || return
		modprobe --set-version "$release" --show-depends -a vhost_net vhost_vsock tun tap |
			sed -n "s:^insmod $dir/\([^ ]*\).*:\1:p" | sort -u >/tmp/wanted
		tar -C "$dir" -c -T /tmp/wanted | tar -C "/tmp/modules/$release" -x || return
	done
	mount --bind /tmp/modules /usr/lib/modules
}
depmod_all() {
	local dir
	for dir in /lib/modules/*; do
		depmod "${dir##*/}" || return
	done
}

check "the kernel's own at first" own_alone
few_modules || exit 1
# What dpkg did elsewhere, where there was no machine to load modules.
tar -C / -xf /tmp/packages/installed.tar
depmod_all || exit 1
# DKMS has built there already; here it would take minutes to do it again.
touch /etc/dkms/no-autoinstall
start
check "QEMU on the kernel's own: packets" asked
check "while QEMU uses them, installing leaves them" says_in_use
check "the kernel's own serve on" own
stop
check "installing takes over" postinst
check "ours are loaded, version $version" ours
check "vhost_blk waits for disks" test -c /dev/vhost-blk/control
check "vhostctl" vhostctl blk show
start
check "QEMU on ours: packets" asked
check "a worker serves it" worker
stop
check "purge" purge
check "the kernel's own are back, without a reboot" own_alone
rm /etc/dkms/no-autoinstall
check "nothing is left" nothing_left
start
check "QEMU on the kernel's own again: packets" asked
stop
exit "$failed"
