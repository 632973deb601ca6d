#!/bin/bash
# Makes the lab's root in an empty directory: root-build.sh DIRECTORY
# setup.sh calls this with a directory of its own and renames it when done.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$1
mirror=${VHOST_LAB_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Nobody reads manuals here, and no hardware is behind most drivers: what is
# not unpacked costs no time. /etc/kernel's hooks would make initial ramdisks
# that nothing boots.
excludes=(
	'/usr/share/doc/*' '/usr/share/man/*' '/usr/share/info/*'
	'/usr/share/locale/*' '/usr/share/lintian/overrides/*' '/usr/share/bug/*'
	'/usr/share/icons/*' '/usr/share/gir-1.0/*'
	'/etc/kernel/postinst.d/*' '/etc/kernel/postrm.d/*'
)
for dir in drivers/gpu drivers/media drivers/staging drivers/iio drivers/hid \
	drivers/usb drivers/bluetooth drivers/net/wireless drivers/net/ethernet \
	drivers/net/can drivers/net/usb drivers/net/phy drivers/infiniband \
	drivers/hwmon drivers/mtd drivers/input drivers/video drivers/platform \
	drivers/thunderbolt drivers/crypto drivers/comedi drivers/mfd \
	drivers/leds drivers/power drivers/accel sound; do
	excludes+=("/lib/modules/*/kernel/$dir/*" "/usr/lib/modules/*/kernel/$dir/*")
done
dpkgopts=("--dpkgopt=force-unsafe-io")
for path in "${excludes[@]}"; do
	dpkgopts+=("--dpkgopt=path-exclude=$path")
done

# shellcheck disable=SC2016 # mmdebstrap's shell expands the hooks' $1
build() {
	mmdebstrap --mode="$1" --variant=apt --architectures=amd64 --verbose \
		--skip=check/empty,cleanup/apt \
		--aptopt='Acquire::Languages "none"' \
		--aptopt='Apt::Install-Recommends "false"' \
		--aptopt='Acquire::Retries "4"' \
		"${dpkgopts[@]}" \
		--customize-hook='echo lab >"$1/etc/hostname"' \
		--customize-hook="'$here/root-install.sh' \"\$1\" '$here/root.packages'" \
		trixie "$2" \
		"deb [signed-by=$keyring] $mirror trixie main" \
		"deb [signed-by=$keyring] $mirror trixie-backports main"
}

if [ -z "${VHOST_LAB_USERNS:-}" ]; then
	build root "$root"
else
	# Inside a user namespace device nodes cannot be made: unpack all else.
	build unshare - | tar -C "$root" -x --numeric-owner --exclude='./dev/*'
fi
