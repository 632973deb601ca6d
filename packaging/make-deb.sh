#!/bin/bash
# Builds vhost-accel-dkms and vhost-accel-tools, with the tools of the system it
# runs on.   make-deb.sh OUTPUT-DIRECTORY
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

version=$(sed -n '1s/^[^(]*(\([^)]*\)).*/\1/p' "$repo/packaging/debian/changelog")
# DKMS compares what the modules say with what the package says.
others=$(cd "$repo"
	grep -Lx "VERSION := $version" Makefile
	grep -L "MODULE_VERSION(\"$version\")" vhost_*/main.c
	grep -LE "^Version: +$version\$" packaging/rpm/*.spec) || true
[ -z "$others" ] || { echo "make-deb.sh: not version $version, as debian/changelog has it:" "$others" >&2; exit 1; }

# debian/ has to be at the top; here it is not, so it is built in a copy.
tree=$work/vhost-accel-$version
mkdir "$tree"
cd "$repo"
cp -r Kbuild LICENSE Makefile README.md compat docs packaging tools uapi vhost_* "$tree"
cp -r packaging/debian "$tree/debian"
find "$tree" \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' -o -name '.*.cmd' \) -delete
cd "$tree"
# Without what Debian takes for granted: a C++ compiler, which nothing here wants.
dpkg-checkbuilddeps -I
dpkg-buildpackage --build=binary --no-sign --no-check-builddeps
mv "$work"/*.deb "$out"
