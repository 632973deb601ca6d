# shellcheck shell=bash
# What all lab scripts share: places, messages, root in a user namespace.
# Sourced, never run.

set -euo pipefail

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_REPO=$(cd "$LAB_DIR/../.." && pwd)
LAB_CACHE=${VHOST_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vhost-lab}
LAB_SELF=$(basename "$0")
export LAB_DIR LAB_REPO LAB_CACHE

# What makes the root what it is. A change in any of these files makes a new
# root; nothing else does.
LAB_RECIPE=("$LAB_DIR/root.packages" "$LAB_DIR/root-build.sh" "$LAB_DIR/root-install.sh")

# The kernels that KERNEL= accepts, which the root holds; and "debug", which
# debug-kernel.sh builds when it is wanted.
LAB_KERNELS=(6.12 7.2)

# What makes the debug kernel what it is, beside its source and the compiler.
LAB_DEBUG_RECIPE=("$LAB_DIR/debug.config" "$LAB_DIR/debug-inside.sh")

say()  { printf '%s: %s\n' "$LAB_SELF" "$*" >&2; }
fail() { say "$*"; exit 1; }

# Non-root users get root's powers over files of their own only: a user
# namespace with their subordinate ids. Re-executes the calling script in it.
lab_become_root() {
	if [ "$(id -u)" -eq 0 ]; then
		return 0
	fi
	unshare --user --map-root-user --map-auto true 2>/dev/null ||
		fail "neither root nor able to make a user namespace with subordinate ids (see newuidmap(1), /etc/subuid)"
	exec unshare --user --map-root-user --map-auto \
		env VHOST_LAB_USERNS=1 HOME="$HOME" "$0" "$@"
}

# The key of the root: the hash of its recipe.
lab_root_key() {
	cat "${LAB_RECIPE[@]}" | sha256sum | cut -c1-16
}

# Path of the root; it may not exist yet.
lab_root() {
	printf '%s/root-%s\n' "$LAB_CACHE" "$(lab_root_key)"
}

# Path of the debug kernel, named by the hash of all that makes it; it may not
# exist yet. The root does: its source and compiler are taken.
lab_debug_kernel() {
	local root
	root=$(lab_root)
	printf '%s/debug-%s\n' "$LAB_CACHE" "$(cat "${LAB_DEBUG_RECIPE[@]}" \
		"$root/opt/lab/linux-source/version" "$root/opt/lab/compiler" | sha256sum | cut -c1-16)"
}

# Where the files "release" and "vmlinux" of a kernel are.
lab_kernel_dir() {
	case $1 in
	debug) lab_debug_kernel ;;
	*) printf '%s/opt/lab/kernels/%s\n' "$(lab_root)" "$1" ;;
	esac
}

# Full release (uname -r) of a kernel, "6.12" -> "6.12.1+deb13-amd64".
lab_release() {
	local file
	file="$(lab_kernel_dir "$1")/release"
	[ -r "$file" ] || fail "no kernel '$1' in the lab (have: ${LAB_KERNELS[*]} debug)"
	cat "$file"
}

# Where build.sh builds for a kernel (obj/) and puts what the lab sees as
# /build (out/). Each checkout of the repository has its own.
lab_build_dir() {
	printf '%s/build-%s/%s\n' "$LAB_CACHE" "$(printf %s "$LAB_REPO" | sha256sum | cut -c1-8)" "$1"
}

# Runs a command inside the root, the repository read-only at /src, a directory
# writable at /build, the debug kernel if there is one at /opt/lab/debug:
# lab_in_root DIRECTORY COMMAND... Its mounts and processes are gone with it: it
# has namespaces of its own for both.
lab_in_root() {
	local root debug
	root=$(lab_root)
	debug=$(lab_debug_kernel)
	# shellcheck disable=SC2016 # the inner shell expands
	setpriv --pdeathsig KILL -- unshare --mount --pid --fork --kill-child --mount-proc -- bash -euc '
		root=$1 debug=$2 repo=$3 dir=$4
		mount --bind "$root" "$root"
		mount -o remount,bind,ro "$root"
		mount -t tmpfs tmp "$root/tmp"
		mount --rbind /dev "$root/dev"
		mount --rbind /proc "$root/proc"
		mount --bind "$repo" "$root/src"
		mount -o remount,bind,ro "$root/src"
		mount --bind "$dir" "$root/build"
		if [ -d "$debug" ]; then
			mount --bind "$debug" "$root/opt/lab/debug"
			mount -o remount,bind,ro "$root/opt/lab/debug"
		fi
		shift 4
		exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			LC_ALL=C.UTF-8 HOME=/tmp TERM="${TERM:-dumb}" "$@"
	' lab_in_root "$root" "$debug" "$LAB_REPO" "$@"
}

# Makes a directory that is the caller's alone and sets $LAB_TMP. It goes with
# lab_cleanup, which every script that calls this runs from an EXIT trap.
lab_make_tmp() {
	local dir pid
	mkdir -p "$LAB_CACHE/tmp"
	# What a killed run left behind: named after a process that is gone.
	for dir in "$LAB_CACHE"/tmp/*; do
		pid=${dir%.*}
		pid=${pid##*.}
		[ ! -d "$dir" ] || [ -d "/proc/$pid" ] || rm -rf --one-file-system "$dir"
	done
	LAB_TMP=$(mktemp -d "$LAB_CACHE/tmp/$1.$$.XXXXXX")
}

lab_cleanup() {
	local pid
	for pid in "${LAB_STEP:-}" "${LAB_TICKER:-}"; do
		[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	done
	# The step may still write into the directory that is about to go.
	[ -z "${LAB_STEP:-}" ] || wait "$LAB_STEP" 2>/dev/null || true
	if [ -n "${LAB_TMP:-}" ]; then
		rm -rf --one-file-system "$LAB_TMP"
		LAB_TMP=
	fi
}

# Sleeps; fails at once when told to end, and leaves no sleep(1) behind.
lab_sleep() {
	local pid
	sleep "$1" &
	pid=$!
	# shellcheck disable=SC2064 # this very process
	trap "kill $pid 2>/dev/null; exit 1" TERM
	wait "$pid"
}

# Says every 10 s how long a step has run, and the last line of its log.
# $1 label, $2 log file; runs until killed.
lab_progress() {
	local start=$SECONDS line
	while lab_sleep 10; do
		line=$(tail -n 1 "$2" 2>/dev/null | tr '\r' '\n' | tail -n 1 | cut -c1-70 || true)
		say "$1: $((SECONDS - start)) s ... $line"
	done
}

# Runs a long command with its output in a log file. $1 label, $2 log,
# then the command. On failure, shows the end of the log. lab_cleanup ends it.
lab_long_step() {
	local label=$1 log=$2 status=0
	shift 2
	: >"$log"
	lab_progress "$label" "$log" &
	LAB_TICKER=$!
	"$@" >>"$log" 2>&1 </dev/null &
	LAB_STEP=$!
	wait "$LAB_STEP" || status=$?
	LAB_STEP=
	kill "$LAB_TICKER" 2>/dev/null || true
	wait "$LAB_TICKER" 2>/dev/null || true
	LAB_TICKER=
	if [ "$status" -ne 0 ]; then
		tail -n 40 "$log" >&2
		say "$label failed (status $status); whole log: $log"
	fi
	return "$status"
}
