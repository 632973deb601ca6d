#!/bin/bash
# The part of build.sh that runs inside the root: sources at /src, work and
# products at /build. build-inside.sh RELEASE HEADERS modules|user|all [VARIABLE=VALUE...]
set -euo pipefail

release=$1
headers=$2
what=$3
vars=("${@:4}")

build_modules() {
	if [ ! -e /src/Kbuild ]; then
		echo "build: no Kbuild, no modules" >&2
		return 0
	fi
	# kbuild writes beside its sources, so it gets a copy of them. Objects
	# stay; sources that are gone go.
	rsync -a --delete \
		--include='/Kbuild' --include='/vhost_*/' --include='/uapi/' --include='/compat/' \
		--exclude='/*' \
		--exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' --exclude='.*.cmd' \
		/src/ /build/obj/
	make -C "$headers" M=/build/obj -j"$(nproc)" \
		W=1 KCFLAGS=-Werror "${vars[@]}" modules
	# Objects of modules that no longer exist must not reach the lab.
	rm -f /build/out/*.ko
	cp -a /build/obj/*.ko /build/out/
}

build_user() {
	local dir
	for dir in vhostctl vhosttop; do
		make -C "/src/tools/$dir" --no-print-directory OUT=/build/out/tools
	done
	for dir in kernel clients bench fuzz-kernel; do
		if [ -e "/src/selftests/$dir/Makefile" ]; then
			mkdir -p "/build/out/$dir"
			make -C "/src/selftests/$dir" -j"$(nproc)" --no-print-directory \
				OUT="/build/out/$dir" RELEASE="$release" "${vars[@]}"
		fi
	done
}

case $what in
modules) build_modules ;;
user) build_user ;;
all) build_modules; build_user ;;
esac
