#!/bin/bash
# Boots the lab and runs one command in it; its exit status is ours.
#
#   vm.sh [options] [--] COMMAND [ARGUMENT...]    (one word: a shell command)
#   vm.sh [options] --shell                       (an interactive shell)
#
#   -k, --kernel K     6.12 (default), 7.2 or debug; also KERNEL=
#   --icount           one CPU whose clock counts instructions (measuring)
#   --smp N            CPUs (default 2)
#   --mem MIB          memory (default 2048)
#   --timeout S        whole boot and run; 0 = none (default 600)
#   --build DIR        seen as /build, read-only (default: what build.sh makes)
#   --out DIR          seen as /out, writable (default: a directory that goes)
#   --log FILE         keep the kernel's serial log there
#   --append WORDS     more kernel command line
#   --env NAME=VALUE   variable for the command (repeatable)
#   --modules WHAT     none (default), ours, in-tree: see load-modules.sh
#
# Inside: the root over 9p with a memory file system on top, the repository
# at /src. The kernel log goes to a file; on a panic, a hang or a time-out its
# end is shown and the status is 125 (no status from the guest) or 124.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

usage() { sed -n '2,/^# shellcheck/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2; }

kernel=${KERNEL:-6.12}
icount='' smp=2 mem=2048 timeout=600 build='' out='' log='' append='' shell='' modules=none
vars=()
args=("$@")
while [ $# -gt 0 ]; do
	case $1 in
	-k | --kernel) kernel=$2; shift ;;
	--icount) icount=1 ;;
	--smp) smp=$2; shift ;;
	--mem) mem=$2; shift ;;
	--timeout) timeout=$2; shift ;;
	--build) build=$2; shift ;;
	--out) out=$2; shift ;;
	--log) log=$2; shift ;;
	--append) append=$2; shift ;;
	--env) vars+=("$2"); shift ;;
	--modules) modules=$2; shift ;;
	--shell) shell=1 ;;
	--) shift; break ;;
	-*) usage ;; # -h too
	*) break ;;
	esac
	shift
done
[ $# -gt 0 ] || [ -n "$shell" ] || usage
case $modules in none | ours | in-tree) ;; *) usage ;; esac

"$LAB_DIR/setup.sh" --kernel "$kernel"
lab_become_root "${args[@]}"
root=$(lab_root)
release=$(lab_release "$kernel")
initrd=$("$LAB_DIR/initrd.sh" "$kernel")
build=${build:-$(lab_build_dir "$kernel")/out}
mkdir -p "$build"

qemu_pid=
tty_state=
# shellcheck disable=SC2317 # called by the trap
finish() {
	local status=$?
	trap - EXIT INT TERM HUP
	if [ -n "$qemu_pid" ]; then
		kill -TERM "$qemu_pid" 2>/dev/null || true
		wait "$qemu_pid" 2>/dev/null || true
	fi
	[ -z "$tty_state" ] || stty "$tty_state" || true
	lab_cleanup
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
lab_make_tmp vm
mkdir "$LAB_TMP/ctl"
[ -n "$out" ] || { out=$LAB_TMP/out; mkdir "$out"; }
if [ -z "$shell" ]; then
	# A copy, so that a build beside us changes nothing under a running test.
	# The shell sees the real one: there one rebuilds and loads again.
	if [ -e "${build%/out}/lock" ]; then
		flock -s "${build%/out}/lock" cp -a "$build" "$LAB_TMP/build"
	else
		cp -a "$build" "$LAB_TMP/build"
	fi
	build=$LAB_TMP/build
fi
[ -n "$log" ] || log=$LAB_TMP/serial.log
: >"$log"

# The command travels as a script, every word quoted.
{
	printf 'LAB_SHELL=%q\n' "$shell"
	printf 'export KERNEL=%q LAB_ICOUNT=%q LAB_RELEASE=%q\n' "$kernel" "$icount" "$release"
	for var in "${vars[@]}"; do
		printf 'export %s=%q\n' "${var%%=*}" "${var#*=}"
	done
} >"$LAB_TMP/ctl/env"
{
	[ "$modules" = none ] || printf '/src/selftests/lab/load-modules.sh %q || exit 1\n' "$modules"
	if [ -n "$shell" ]; then
		size=$(stty size 2>/dev/null) || size='24 80'
		echo "stty rows ${size% *} cols ${size#* }"
		echo 'exec bash --rcfile /src/selftests/lab/shellrc -i'
	elif [ $# -eq 1 ]; then
		printf 'exec bash -c %q\n' "$1"
	else
		printf 'exec'
		printf ' %q' "$@"
		echo
	fi
} >"$LAB_TMP/ctl/command"

# shellcheck disable=SC2054 # QEMU's own commas
qemu=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -m "$mem"
	-machine q35 -kernel "$(lab_kernel_dir "$kernel")/vmlinux" -initrd "$initrd"
	-chardev "file,id=log,path=$log" -serial chardev:log
	-device virtio-serial-pci -device virtconsole,chardev=con
	-object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng)
if [ -n "$icount" ]; then
	qemu+=(-accel "tcg,thread=single" -icount "shift=0,sleep=off" -smp 1 -cpu "max,-erms,-fsrm")
elif [ "$("$LAB_DIR/accel.sh")" = kvm ]; then
	qemu+=(-accel kvm -smp "$smp" -cpu host)
else
	qemu+=(-accel "tcg,thread=multi" -smp "$smp" -cpu "max,-la57")
fi
share() { # tag, path, options
	qemu+=(-fsdev "local,id=$1,path=$2,security_model=none,multidevs=remap$3"
		-device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}
share root "$root" ,readonly=on
share src "$LAB_REPO" ,readonly=on
share build "$build" ,readonly=on
share out "$out" ''
share ctl "$LAB_TMP/ctl" ''
if [ -n "$shell" ]; then
	# Ctrl-C belongs to the guest; Ctrl-A x ends the machine.
	[ -t 0 ] || fail "--shell needs a terminal"
	tty_state=$(stty -g)
	# shellcheck disable=SC2054
	qemu+=(-chardev stdio,id=con,signal=off,mux=on -mon chardev=con)
	exec 3<&0
else
	# shellcheck disable=SC2054
	qemu+=(-chardev stdio,id=con,signal=off)
	exec 3</dev/null
fi
# Lock statistics are for who asks; /proc/sys/kernel/lock_stat switches them on. To
# wait for RCU was half of a test's time; what is freed sooner KASAN sees sooner.
[ "$kernel" != debug ] || append="lockdep.lock_stat=0 rcupdate.rcu_expedited=1 $append"
# Any oops ends the machine at once: what follows one proves nothing.
qemu+=(-append "console=ttyS0 loglevel=5 panic=-1 oops=panic tsc=reliable no_timer_check log_buf_len=4M ${append}")

# Should this script be killed outright, its QEMU goes with it.
setpriv --pdeathsig KILL -- timeout --foreground --kill-after=3 "$timeout" \
	setpriv --pdeathsig KILL -- "${qemu[@]}" <&3 &
qemu_pid=$!
ended=0
wait "$qemu_pid" 2>/dev/null || ended=$?
qemu_pid=

if [ -s "$LAB_TMP/ctl/status" ]; then
	exit "$(cat "$LAB_TMP/ctl/status")"
fi
# Left by Ctrl-A x.
if [ -n "$shell" ] && [ "$ended" -eq 0 ] && ! grep -q 'Kernel panic' "$log"; then
	exit 0
fi
{
	echo "---- end of the kernel log ($kernel) ----"
	tail -n 60 "$log"
	echo "-----------------------------------------"
} >&2
if [ "$ended" -eq 124 ] || [ "$ended" -eq 137 ]; then
	say "no end after $timeout s: the machine was stopped"
	exit 124
fi
say "the machine died (panic or crash of the emulator)"
exit 125
