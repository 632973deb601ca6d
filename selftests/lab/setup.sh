#!/bin/bash
# Makes the lab ready: installs what the host lacks, builds the root once.
#   setup.sh [--print-root]   all; a second run takes a fraction of a second
#   setup.sh --kernel K       all that kernel K takes: "debug" is built first
#   setup.sh --host           only what make check-host needs: compilers
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# command:package; the host needs little, the root has its own tools.
host_needs=(/usr/share/keyrings/debian-archive-trixie-stable.gpg:debian-archive-keyring
	mmdebstrap:mmdebstrap qemu-system-x86_64:qemu-system-x86 cpio:cpio
	zstd:zstd xz:xz-utils flock:util-linux busybox:busybox-static)

# For make check-host; a path stands for what is no command.
test_needs=(make:make gcc:gcc clang:clang /usr/include/stdio.h:libc6-dev
	/usr/include/cmocka.h:libcmocka-dev)

install_packages() { # pairs
	local missing=() pair
	for pair in "$@"; do
		case $pair in
		/*) [ -e "${pair%%:*}" ] ;;
		*) command -v "${pair%%:*}" >/dev/null ;;
		esac || missing+=("${pair##*:}")
	done
	[ "${#missing[@]}" -eq 0 ] && return 0
	if [ "$(id -u)" -ne 0 ] || [ -n "${VHOST_LAB_USERNS:-}" ] || ! command -v apt-get >/dev/null; then
		say "missing on this machine; please run:"
		echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	say "installing ${missing[*]}"
	mkdir -p "$LAB_CACHE"
	lab_long_step "apt-get" "$LAB_CACHE/apt.log" bash -c \
		'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"' \
		apt "${missing[@]}"
}

build_root() {
	local root=$1 start=$SECONDS
	lab_make_tmp root
	trap 'lab_cleanup' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir "$LAB_TMP/root"
	say "making the lab's root (once; about 3 minutes, 2 GB in $LAB_CACHE)"
	# Namespaces of its own: no mount and no process outlives it.
	lab_long_step "root" "$LAB_CACHE/root.log" \
		unshare --mount --pid --fork --kill-child --mount-proc -- "$LAB_DIR/root-build.sh" "$LAB_TMP/root"
	chmod 755 "$LAB_TMP/root"
	mv -T "$LAB_TMP/root" "$root"
	# Roots of older recipes that nobody has used for a week.
	find "$LAB_CACHE" -maxdepth 1 -name 'root-*' -mtime +7 ! -path "$root" \
		-exec rm -rf --one-file-system {} +
	say "root made in $((SECONDS - start)) s: $root"
}

if [ "${1:-}" = --host ]; then
	# clang alone has no sanitizer and fuzzer libraries.
	compgen -G '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a' >/dev/null ||
		test_needs+=("/nonexistent:libclang-rt-dev")
	install_packages "${test_needs[@]}"
	exit 0
fi
# Others than root get a user namespace, which takes newuidmap.
[ "$(id -u)" -eq 0 ] || host_needs+=(newuidmap:uidmap)
install_packages "${host_needs[@]}"
lab_become_root "$@"
root=$(lab_root)
if [ ! -d "$root" ]; then
	mkdir -p "$LAB_CACHE"
	exec 9>"$LAB_CACHE/setup.lock"
	flock -n 9 || { say "waiting for another setup"; flock 9; }
	[ -d "$root" ] || build_root "$root"
	exec 9>&-
fi
touch -c "$root"
[ "$*" != "--kernel debug" ] || "$LAB_DIR/debug-kernel.sh"
[ "${1:-}" != --print-root ] || echo "$root"
