#!/bin/bash
# Makes the debug kernel, once: from Debian's source of 6.12, with what
# debug.config names. Prints nothing if it is there. The root must be.
#
# The product is LAB_CACHE/debug-HASH: release and vmlinux, as vm.sh boots them;
# modules/ for the guest; linux/, the headers that modules are built with. A
# change of debug.config, debug-inside.sh, the source or the compiler makes
# another.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

lab_become_root "$@"
kernel=$(lab_debug_kernel)
if [ ! -d "$kernel" ]; then
	exec 9>"$LAB_CACHE/debug.lock"
	flock -n 9 || { say "waiting for another build of the debug kernel"; flock 9; }
fi
if [ ! -d "$kernel" ]; then
	start=$SECONDS
	lab_make_tmp debug
	trap 'lab_cleanup' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir "$LAB_TMP/work"
	say "making the debug kernel (once; about 8 minutes, 2 GB while it is built)"
	lab_long_step "debug kernel" "$LAB_CACHE/debug.log" \
		lab_in_root "$LAB_TMP/work" /bin/bash /src/selftests/lab/debug-inside.sh 9>&-
	mv -T "$LAB_TMP/work/done" "$kernel"
	# Those of older recipes that nobody has used for a week.
	find "$LAB_CACHE" -maxdepth 1 -name 'debug-*' -type d -mtime +7 ! -path "$kernel" \
		-exec rm -rf --one-file-system {} +
	say "debug kernel made in $((SECONDS - start)) s: $kernel"
fi
touch -c "$kernel"
