#!/bin/bash
# What the test of vhost_vsock wants in the nested guest: socat with its
# libraries, vsock_test and vsock_perf. A ramdisk to be put behind the guest's
# own.   vsock.sh DIRECTORY-OF-PROGRAMS OUTPUT
set -euo pipefail

programs=$1
output=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

mkdir -p "$dir/bin"
cp "$programs/vsock_test" "$programs/vsock_perf" "$dir/bin/"
cp -L "$(command -v socat)" "$dir/bin/socat"
ldd "$dir/bin/socat" | grep -o '/[^ ]*' | while read -r file; do
	cp -L --parents "$file" "$dir"
done
strip "$dir"/bin/*

(cd "$dir" && find . -print0 | LC_ALL=C sort -z |
	cpio --null --create --format=newc --quiet --owner=0:0) >"$output.new"
mv "$output.new" "$output"
