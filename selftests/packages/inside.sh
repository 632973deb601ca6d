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

# RPMs of what a checkout holds. Debian's rpm lacks the macros of Fedora's
# systemd, bash-completion and kmodtool packages: their values are given here.
rpm_sources() {
	rpm_version=$(sed -n 's/^Version: *//p' /tmp/src/packaging/rpm/vhost-accel.spec)
	mkdir -p /tmp/rpm/SOURCES &&
		tar -C /tmp --exclude-vcs --transform "s:^src:vhost-accel-$rpm_version:" \
			-cJf "/tmp/rpm/SOURCES/vhost-accel-$rpm_version.tar.xz" src
}
rpm_build() { # stage, specification, macro...
	local macros=() macro
	for macro in '_topdir /tmp/rpm' 'debug_package %{nil}' "${@:3}"; do
		macros+=(--define "$macro")
	done
	rpmbuild --nodeps "${macros[@]}" "$1" "/tmp/src/packaging/rpm/$2.spec"
}
rpm_tools() {
	rpm_build -ba vhost-accel '_unitdir /usr/lib/systemd/system' '_udevrulesdir /usr/lib/udev/rules.d' \
		'_modulesloaddir /usr/lib/modules-load.d' 'bash_completions_dir /usr/share/bash-completion/completions' \
		'systemd_post() %{nil}' 'systemd_preun() %{nil}' 'systemd_postun() %{nil}' || return
	# All that the Debian package has, but for their own ways.
	dpkg-deb --fsys-tarfile /build/packages/vhost-accel-tools_*.deb | tar -t |
		sed -n 's:^\.\(/usr/.*[^/]\)$:\1:p' | grep -vE '/doc/[^/]*/(changelog|copyright)|/lintian/' | sort >/tmp/deb.files
	rpm -qpl --nosignature /tmp/rpm/RPMS/*/vhost-accel-"$rpm_version"*.rpm | sort >/tmp/rpm.files
	[ -s /tmp/deb.files ] && [ -z "$(comm -23 /tmp/deb.files /tmp/rpm.files | tee /dev/stderr)" ]
}
# Without kmodtool there is no package in it, but all that would be.
rpm_modules() {
	local release
	release=$(releases | head -n 1)
	rpm_build -bi vhost-accel-kmod "kernel_versions ${release}___/lib/modules/$release/build" \
		'kmodinstdir_prefix /lib/modules/' 'kmodinstdir_postfix /extra/vhost-accel/' \
		'_unpackaged_files_terminate_build 0' || return
	[ "$(find /tmp/rpm/BUILD -path '*/BUILDROOT/*/extra/vhost-accel/vhost_*.ko' | wc -l)" -eq 4 ]
}
no_sources() { [ ! -e /src/Kbuild ]; }
make_packages() { cp -r /src /tmp/src && make -C /tmp/src deb DEB_DIR=/build/packages; }
# What docs/install.md has one install before `make deb` is all that this wants.
documented() {
	local package
	while read -r package; do
		sed -n '/apt install build-essential/,/[^\\]$/p' /tmp/src/docs/install.md | grep -qw -- "$package" ||
			{ echo "docs/install.md does not name $package" && return 1; }
	done < <(sed -n '/^Build-Depends:/,/^[^ B]/{s/^Build-Depends://;/^[^ ]/d;s/([^)]*)//g;s/-compat//;s/[, ]//g;p}' \
		/tmp/src/packaging/debian/control)
}
# The documents are where manual pages and programs say.
documents() {
	local page
	dpkg-deb --fsys-tarfile /build/packages/vhost-accel-tools_*.deb | tar -t | sed 's:^\.::; s:/$::' >/tmp/deb.files
	while read -r page; do
		grep -qx -- "$page" /tmp/deb.files || { echo "no $page" && return 1; }
	done < <(grep -rohIE '/usr/share/doc/[a-z./-]*[a-z]' /tmp/src/tools | sort -u | tee /tmp/pages)
	[ -s /tmp/pages ]
}
lintian_clean() {
	# Nobody uploads this to Debian, and there is no address to write to yet.
	lintian --fail-on error,warning --suppress-tags \
		initial-upload-closes-no-bugs,bogus-mail-host,bogus-mail-host-in-debian-changelog \
		/build/packages/*.deb
}
install_packages() { dpkg --force-unsafe-io --install /build/packages/vhost-accel-{dkms,tools}_*.deb; }

expect "make deb" make_packages
expect "the build's dependencies are documented" documented
expect "documents are where they are said to be" documents
expect "lintian" lintian_clean
expect "rpmlint" rpm_clean
expect "an archive of the sources" rpm_sources
expect "rpmbuild of the tools" rpm_tools
expect "rpmbuild of the modules" rpm_modules
rm -rf /tmp/src /tmp/rpm
cd / && umount /src || exit
expect "no sources from here on" no_sources
expect "dpkg --install" install_packages
expect "DKMS builds for all kernels" dkms_everywhere
expect "modprobe prefers ours" preferred
