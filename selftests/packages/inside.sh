#!/bin/bash
# The part of build.sh that runs inside the copy of the root, from a place of its
# own: the sources are at /src at first, and not there at all later.
set -u

expect() { # name, command...
	if "${@:2}" >/build/log 2>&1; then
		echo "ok - packages: $1"
	else
		echo "not ok - packages: $1"
		tail -n 40 /build/log
		for log in /var/lib/dkms/vhost-accel/*/build/make.log; do
			[ ! -e "$log" ] || tail -n 20 "$log"
		done
		exit 1
	fi
}

releases() { # with headers
	local dir
	for dir in /lib/modules/*/build; do
		basename "${dir%/build}"
	done
}
dkms_everywhere() {
	local release
	for release in $(releases); do
		dkms autoinstall -k "$release" || return
	done
}
# modprobe takes ours, in all kernels.
preferred() {
	local release module
	for release in $(releases); do
		for module in vhost_net vhost_vsock vhost_blk vhost_core; do
			[[ $(modinfo -k "$release" -n "$module") == */updates/dkms/$module.ko* ]] || return 1
		done
	done
}
rpm_clean() { rpmlint --strict --config /tmp/src/packaging/rpm/rpmlint.toml /tmp/src/packaging/rpm/*.spec; }
no_sources() { [ ! -e /src/Kbuild ]; }
make_packages() { cp -r /src /tmp/src && make -C /tmp/src deb DEB_DIR=/build/packages; }
lintian_clean() {
	# Nobody uploads this to Debian, and there is no address to write to yet.
	lintian --fail-on error,warning --suppress-tags \
		initial-upload-closes-no-bugs,bogus-mail-host,bogus-mail-host-in-debian-changelog \
		/build/packages/*.deb
}
install_packages() { dpkg --force-unsafe-io --install /build/packages/vhost-accel-{dkms,tools}_*.deb; }

expect "make deb" make_packages
expect "lintian" lintian_clean
expect "rpmlint" rpm_clean
rm -rf /tmp/src
cd / && umount /src || exit
expect "no sources from here on" no_sources
expect "dpkg --install" install_packages
expect "DKMS builds for all kernels" dkms_everywhere
expect "modprobe prefers ours" preferred
