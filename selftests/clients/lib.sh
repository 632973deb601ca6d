# shellcheck shell=bash
# What the clients' tests share: results, waiting, networks, QEMU machines.
# Sourced, inside the lab.
#
# Nothing here sleeps a fixed time for something to happen: a wait is for a
# line, an event or a condition, and has a limit. What a test makes goes with
# it: its processes by their ids, its bridges and taps with its own network
# namespace, its files with one directory.

set -euo pipefail

AGENT=/build/clients/agent
failed=0
why=''
pids=()

# --- results ------------------------------------------------------------------

# check NAME FUNCTION [ARGUMENT...]: one test. A function that returns non-zero
# has left the reason in $why.
check() {
	local name=$1 begin=$EPOCHREALTIME ms
	shift
	why=''
	if "$@"; then
		ms=$(((${EPOCHREALTIME/./} - ${begin/./}) / 1000))
		printf 'ok - %s # %d.%d s\n' "$name" $((ms / 1000)) $((ms % 1000 / 100))
	else
		printf 'not ok - %s: %s\n' "$name" "${why:-$* failed}"
		failed=1
		return 1
	fi
}

# need REASON COMMAND...: runs it; if it fails, that is why.
need() {
	local reason=$1
	shift
	"$@" || {
		why=$reason
		return 1
	}
}

note() { printf '# %s\n' "$*"; }

# until_true SECONDS COMMAND...: for conditions that no event announces. On a
# kernel that is so many times slower, TEST_SLOW tells.
until_true() {
	local end=$((SECONDS + $1 * ${TEST_SLOW:-1}))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# --- surroundings -------------------------------------------------------------

# Makes this process the only one in a new network namespace (and starts the
# calling script again in it). Without IPv6 nobody sends a packet unasked.
own_network() {
	if [ -z "${CLIENTS_NETWORK:-}" ]; then
		exec env CLIENTS_NETWORK=1 unshare --net -- "$0" "$@"
	fi
	# The debug kernel has none.
	[ ! -d /proc/sys/net/ipv6 ] ||
		sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	ip link set lo up
}

begin_test() {
	tmp=$(mktemp -d)
	trap end_test EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# shellcheck disable=SC2317 # called by the trap
end_test() {
	local status=$? pid
	trap - EXIT INT TERM HUP
	if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
		printf 'not ok - %s: ended with status %d\n' "$(basename "$0")" "$status"
	fi
	for pid in "${pids[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	for pid in "${pids[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$tmp"
	[ "$status" -ne 0 ] || status=$failed
	exit "$status"
}

# stop PID: kills one of ours and forgets it.
stop() {
	local pid left=()
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
	for pid in "${pids[@]}"; do
		[ "$pid" = "$1" ] || left+=("$pid")
	done
	pids=("${left[@]}")
}

# bridge NAME ADDRESS/PREFIX
bridge() {
	ip link add name "$1" type bridge forward_delay 0 mcast_snooping 0
	ip addr add "$2" dev "$1"
	ip link set "$1" up
}

# tap NAME BRIDGE [multi_queue]
tap() {
	# shellcheck disable=SC2086 # no third word, no argument
	ip tuntap add name "$1" mode tap vnet_hdr ${3:-}
	ip link set "$1" master "$2" up
}

# counter INTERFACE rx_bytes|rx_packets|rx_drop|tx_bytes|tx_packets|tx_drop
# A tap's rx is what came out of vhost's TX queue.
counter() {
	awk -v dev="$1:" -v name="$2" '
		BEGIN { split("rx_bytes rx_packets rx_errs rx_drop - - - - tx_bytes tx_packets tx_errs tx_drop", n); for (i in n) at[n[i]] = i + 1 }
		$1 == dev { print $at[name]; found = 1 }
		END { exit !found }' /proc/self/net/dev
}

# --- vhost --------------------------------------------------------------------

ours() { [ -d /sys/module/vhost_core ]; }

# Names of the vhost workers of a process: kthreads of their own (ours), or
# threads of the process (in-tree since 6.4).
vhost_workers() {
	grep -hs "^vhost-$1" /proc/[0-9]*/comm "/proc/$1"/task/*/comm | sort || true
}

# vhost_counters PID [KIND]: our counters of a process, of its devices of that
# kind (net), one line a queue: "DEVICE/vqN name=value ...".
vhost_counters() {
	local file
	for file in "/sys/kernel/debug/vhost/$1-${2:-net}"-*/vq*; do
		[ -e "$file" ] || continue
		printf '%s' "${file#/sys/kernel/debug/vhost/}"
		awk 'NF == 2 { printf " %s=%s", $1, $2 } END { print "" }' "$file"
	done
}

# The same for people: without zeros.
vhost_report() { vhost_counters "$1" | sed -E 's/ [a-z_]+=0\b//g; s/^/# /'; }

# vhost_sum PID COUNTER [vqN]: that counter added up over all queues.
vhost_sum() {
	vhost_counters "$1" | awk -v name="$2" -v vq="${3:-}" '
		vq != "" && $1 !~ "/" vq "$" { next }
		{ for (i = 2; i <= NF; i++) { split($i, kv, "="); if (kv[1] == name) sum += kv[2] } }
		END { print sum + 0 }'
}

# Names of all rejections, from the lists that the modules are made of.
rejection_names() {
	awk '
		/^#define [A-Z_]*(ERRORS|REJECTIONS)\(X\)/ { on = 1 }
		on && match($0, /X\([A-Z_0-9]+, *[a-z_0-9]+/) {
			name = substr($0, RSTART, RLENGTH)
			sub(/.*[ ,]/, "", name)
			print name
		}
		!/\\$/ { on = 0 }
	' /src/vhost_core/ring/ring.h /src/vhost_core/stats.h /src/vhost_net/net.h \
		/src/vhost_vsock/vsock.h /src/vhost_blk/blk.h
}

# vhost_rejections PID [KIND]: rejections of a process' queues, if any: a
# well-behaved client causes none.
vhost_rejections() {
	local names
	names=$(rejection_names | paste -sd'|')
	[ -n "$names" ] || { echo "no rejection has a name"; return; }
	vhost_counters "$1" "${2:-net}" | tr ' ' '\n' | grep -E "^($names)=[1-9]" || true
}

# rings_are PID KIND DEVICES: that many devices of a process have rings of that
# kind, split or packed, each perhaps with "+in_order". Only ours can tell.
rings_are() {
	local dir devices=0 kind file features
	for dir in "/sys/kernel/debug/vhost/$1"-net-*; do
		features=$(awk '$1 == "features" { print $2 }' "$dir/info") || return
		for file in "$dir"/vq*; do
			kind=$(awk '$1 == "layout" { print $2 }' "$file") || return
			[ $((features >> 34 & 1)) -eq "$([ "$kind" = packed ] && echo 1 || echo 0)" ] ||
				{ why="$file is $kind with features $features"; return 1; }
			[ $((features >> 35 & 1)) -eq 0 ] || kind+=+in_order
			[ "$kind" = "$2" ] || continue 2
		done
		devices=$((devices + 1))
	done
	need "$devices of $3 devices have rings that are $2" [ "$devices" -eq "$3" ]
}

# in_use PID DEVICES: vhost really serves this process.
in_use() {
	local devices workers
	devices=$(find "/proc/$1/fd" -lname /dev/vhost-net | wc -l)
	workers=$(vhost_workers "$1" | wc -l)
	need "$devices of $2 vhost-net devices open" [ "$devices" -eq "$2" ] &&
		need "$workers workers for $2 devices" [ "$workers" -ge "$2" ] || return
	if ours; then
		need "no counter of ours moved" [ "$(vhost_sum "$1" chains)" -gt 0 ] || return
		why=$(vhost_rejections "$1")
		[ -z "$why" ]
	fi
}

# --- QEMU ---------------------------------------------------------------------
#
# A machine has a name. Its two pipes: qmp, and ctl, which is the guest's second
# serial port with the agent behind it (guest/agent.c).

declare -A m_pid m_qmp_in m_qmp_out m_ctl_in m_ctl_out m_events
reply=

# The nested guest's kernel is Debian's own: CLIENTS_GUEST says which. The command line leaves out what
# costs seconds under two levels of emulation and does not matter here:
# self-tests, certificates, parsing of type information, security modules.
guest_kernel=${CLIENTS_GUEST:-6.12}
guest_blacklist=load_system_certificate_list,jent_mod_init,bpf_tcp_ca_kfunc_init,bpf_dummy_struct_ops_init
guest_blacklist+=,trace_eval_init,init_kprobe_trace,init_encrypted,bpf_kfunc_init,sed_opal_init,ext4_init_fs
guest_blacklist+=,ftrace_check_sync,i8042_init,init_ima,init_evm,crypto_kdf108_init,blake2s_mod_init,fuse_init
guest_blacklist+=,nvme_core_init,journal_init,fanotify_user_setup,init_mqueue_fs,vga_arb_device_init,cmos_init
guest_blacklist+=,apparmor_nf_ip_init,ksm_init,digsig_init,dmi_sysfs_init
guest_blacklist+=,bert_init,hpet_init
guest_append="console=ttyS0 quiet panic=-1 nokaslr mitigations=off random.trust_cpu=on tsc=reliable no_timer_check"
guest_append+=" cryptomgr.notests ipv6.disable=1 lsm= rodata=off init_on_alloc=0 initcall_blacklist=$guest_blacklist"

# An emulated TSC is the machine's own, so its rate is known here. Finding it
# out costs the guest more than anything else: the emulated timers to compare
# it with are far too slow.
guest_append+=" tsc_early_khz=$(awk '/^cpu MHz/ { printf "%d", $4 * 1000; exit }' /proc/cpuinfo)"

# A copy costs least where it is neither "rep movsb" nor guarded.
guest_cpu=max,-la57,-smap,-smep,-umip,-erms,-fsrm,-pku,-pks

# machine_start NAME KERNEL-WORDS QEMU-ARGUMENT...
machine_start() {
	local name=$1 words=$2 dir=$tmp/$1 fd pipe
	shift 2
	mkdir "$dir"
	for pipe in qmp ctl; do
		mkfifo "$dir/$pipe.in" "$dir/$pipe.out"
		exec {fd}<>"$dir/$pipe.in"
		declare -g "m_${pipe}_in[$name]=$fd"
		exec {fd}<>"$dir/$pipe.out"
		declare -g "m_${pipe}_out[$name]=$fd"
	done
	setpriv --pdeathsig KILL -- qemu-system-x86_64 -nodefaults -no-user-config -display none \
		-accel tcg -cpu "$guest_cpu" -m 256 -machine q35,hpet=off,vmport=off,smbus=off,sata=off,usb=off \
		-bios /usr/share/qemu/qboot.rom -kernel "/opt/guest/vmlinux-$guest_kernel" \
		-initrd "/build/clients/guest-$guest_kernel.cpio" -append "$guest_append $words" \
		-chardev "file,id=con,path=$dir/console" -serial chardev:con \
		-chardev "pipe,id=ctl,path=$dir/ctl" -serial chardev:ctl \
		-chardev "pipe,id=qmp,path=$dir/qmp" -mon chardev=qmp,mode=control \
		"$@" </dev/null 2>"$dir/stderr" &
	m_pid[$name]=$!
	m_events[$name]=
	pids+=("$!")
	qmp_line "$name" 60 && qmp "$name" qmp_capabilities
}

# machine_end NAME: quits it and closes our ends of its pipes.
machine_end() {
	local fd
	stop "${m_pid[$1]}"
	for fd in "${m_qmp_in[$1]}" "${m_qmp_out[$1]}" "${m_ctl_in[$1]}" "${m_ctl_out[$1]}"; do
		exec {fd}>&-
	done
	rm -rf "${tmp:?}/$1"
}

# line_from FD PID SECONDS: one line into $line.
line_from() {
	local end=$((SECONDS + $3)) part
	line=
	until IFS= read -r -t 1 part <&"$1"; do
		line+=$part
		kill -0 "$2" 2>/dev/null || { why="process $2 is gone"; return 1; }
		[ "$SECONDS" -lt "$end" ] || { why="nothing heard for $3 s"; return 1; }
	done
	line+=${part%$'\r'}
}

# qmp_line NAME SECONDS: one message; events are remembered.
qmp_line() {
	line_from "${m_qmp_out[$1]}" "${m_pid[$1]}" "$2" || {
		why="QMP: $why $(tail -n 3 "$tmp/$1/stderr")"
		return 1
	}
	case $line in
	*'"event":'*) m_events[$1]+=$line$'\n' ;;
	esac
}

# qmp NAME COMMAND [ARGUMENTS-AS-JSON]: $reply is the answer.
qmp() {
	printf '{"execute":"%s"%s}\n' "$2" "${3:+,\"arguments\":$3}" >&"${m_qmp_in[$1]}"
	while qmp_line "$1" 60; do
		case $line in
		*'"event":'*) ;;
		'{"error"'*) why="QMP $2: $line"; return 1 ;;
		*) reply=$line; return 0 ;;
		esac
	done
	return 1
}

# qmp_event NAME SECONDS PATTERN: waits for an event, takes all up to it.
qmp_event() {
	local end=$((SECONDS + $2)) first
	while :; do
		while [ -n "${m_events[$1]}" ]; do
			first=${m_events[$1]%%$'\n'*}
			m_events[$1]=${m_events[$1]#*$'\n'}
			# shellcheck disable=SC2053 # a pattern
			[[ $first != *$3* ]] || { reply=$first; return 0; }
		done
		[ "$SECONDS" -lt "$end" ] || { why="no event $3 in $2 s"; return 1; }
		qmp_line "$1" $((end - SECONDS)) || return
	done
}

# guest_tell NAME LINE: a command, not waiting for its end.
guest_tell() { printf '%s\n' "$2" >&"${m_ctl_in[$1]}"; }

# guest_line NAME SECONDS
guest_line() {
	line_from "${m_ctl_out[$1]}" "${m_pid[$1]}" "$2" || {
		why="guest: $why; console: $(tail -n 3 "$tmp/$1/console")"
		return 1
	}
}

# guest_reply NAME SECONDS: the output up to the closing line into $reply.
guest_reply() {
	reply=
	while guest_line "$1" "$2"; do
		case $line in
		'= '*)
			why="guest: $reply(status ${line#= })"
			return "${line#= }"
			;;
		esac
		reply+=$line$'\n'
	done
	return 1
}

guest() { guest_tell "$1" "$2" && guest_reply "$1" 120; }

# to_guest NAME ADDRESS MIB FILE: new random data into the guest's /t/file.
to_guest() {
	local size=$(($3 << 20)) sum
	head -c "$size" /dev/urandom >"$4"
	guest_tell "$1" 'recv 5001 /t/file' && guest_line "$1" 60 || return
	sent=$("$AGENT" send "$2" 5001 "$4") || { why="send: $sent"; return 1; }
	guest_reply "$1" 300 && guest "$1" 'sha256sum /t/file' || return
	sum=$(sha256sum <"$4")
	need "the guest's file has another SHA-256" [ "${reply%% *}" = "${sum%% *}" ]
}

# from_guest NAME ADDRESS MIB FILE: the guest's /t/file is what FILE holds.
from_guest() {
	local sum got fd pid
	truncate -s 0 "$4.back"
	truncate -s "$3M" "$4.back"
	exec {fd}< <(exec "$AGENT" recv 5002 "$4.back")
	pid=$!
	pids+=("$pid")
	line_from "$fd" "$pid" 30 && guest_tell "$1" "send $2 5002 /t/file" && guest_reply "$1" 300 || return
	sent=${reply%$'\n'}
	line_from "$fd" $$ 30 || return
	exec {fd}<&-
	stop "$pid"
	got=$(sha256sum <"$4.back")
	sum=$(sha256sum <"$4")
	rm -f "$4.back"
	need "the file from the guest has another SHA-256" [ "$got" = "$sum" ]
}
