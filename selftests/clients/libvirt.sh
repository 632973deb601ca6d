#!/bin/bash
# The examples of docs/libvirt, as libvirt's own daemon takes them: defined, and
# a guest of them started, whose network, disk and sockets are then ours.
#
#   libvirt.sh
#
# There is no KVM here, and no system on a disk: the guest that is started has
# the example's devices, and besides the kernel, ramdisk and agent of lib.sh. To
# a guest without KVM libvirt gives no vhost-net, whatever its XML says: of the
# network card it is shown only that libvirt takes the example.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

own_network "$@"
begin_test
ctl=/build/tools/vhostctl
examples=/src/docs/libvirt
domain=accelerated # as guest.xml has it
MIB=16

virsh() { command virsh -q -c qemu:///system "$@"; }
# What virsh says is the reason, should it fail.
tell() { why=$(virsh "$@" 2>&1); }

# shellcheck disable=SC2317 # called by the trap
end_libvirt() {
	local status=$?
	if [ -n "${m_pid[a]:-}" ]; then
		# It is the daemon's child, not ours.
		kill -KILL "${m_pid[a]}" 2>/dev/null || true
		until_true 20 gone "${m_pid[a]}" || true
	fi
	for pid in "${pids[@]}"; do
		stop "$pid" || true
	done
	"$ctl" blk del disk0 2>/dev/null || true
	find /sys/fs/cgroup/machine* -depth -type d -exec rmdir {} + 2>/dev/null || true
	(exit "$status")
	end_test
}
trap end_libvirt EXIT

# shellcheck disable=SC2317 # until_true calls it
gone() { ! kill -0 "$1" 2>/dev/null; }

valid() {
	why=$(virt-xml-validate "$examples/guest.xml" domain 2>&1)
}

# shellcheck disable=SC2317 # until_true calls it
answers() { [ -S "/run/libvirt/$1" ]; }

daemon() { # command, socket
	"$1" >"$tmp/$1.log" 2>&1 &
	pids+=("$!")
	why="$1 does not answer"
	until_true 60 answers "$2"
}
daemons() {
	daemon virtlogd virtlogd-sock && daemon libvirtd libvirt-sock && tell list --all
}

backings() {
	modprobe bridge && bridge br0 10.81.0.1/24 &&
		head -c "${MIB}M" /dev/urandom >"$tmp/backing" &&
		"$ctl" blk add disk0 path "$tmp/backing" queues 2 serial EXAMPLE
}

# The example, but for KVM.
emulated() { sed "s/<domain type='kvm'>/<domain type='qemu' xmlns:qemu='http:\/\/libvirt.org\/schemas\/domain\/qemu\/1.0'>/" "$examples/guest.xml"; }

defines() {
	emulated >"$tmp/whole.xml"
	tell define --validate "$tmp/whole.xml" && tell undefine "$domain"
}

# Each device by itself, put into a guest that has none.
attaches() {
	local device
	emulated | sed "/<disk/,/<\/vsock>/d" >"$tmp/bare.xml"
	tell define "$tmp/bare.xml" || return
	for device in disk interface vsock; do
		tell attach-device "$domain" "$examples/$device.xml" --config || return
	done
	virsh dumpxml "$domain" --inactive >"$tmp/has.xml"
	why="missing in $(cat "$tmp/has.xml")"
	grep -q "<source dev='/dev/vhost-blk/disk0'" "$tmp/has.xml" &&
		grep -q "<driver name='vhost' queues='2'/>" "$tmp/has.xml" &&
		grep -q "<cid auto='yes'" "$tmp/has.xml" && tell undefine "$domain"
}

# What the lab wants beside: less memory, the agent's kernel, its pipe.
in_the_lab() {
	emulated | sed "
		s/>1024</>256</; s/<vcpu>2</<vcpu>1</
		s:<boot dev='hd'/>:<loader readonly='yes' type='rom'>/usr/share/qemu/qboot.rom</loader><kernel>/opt/guest/vmlinux-$guest_kernel</kernel><initrd>$tmp/initrd</initrd><cmdline>$guest_append</cmdline>:
		s:<features>:<cputune><emulatorpin cpuset='1'/></cputune><clock offset='utc'><timer name='hpet' present='no'/></clock>&:
		s:<serial type='pty'/>:<serial type='file'><source path='$tmp/a/console'/></serial><serial type='pipe'><source path='$tmp/a/ctl'/></serial>:
		/<console/d
		s:</emulator>:&<controller type='usb' model='none'/><memballoon model='none'/>:
		s:</devices>:&<qemu\:commandline><qemu\:arg value='-cpu'/><qemu\:arg value='$guest_cpu'/></qemu\:commandline>:"
}

starts() {
	local fd pipe
	cat "/build/clients/guest-$guest_kernel.cpio" /build/clients/guest-vsock.cpio >"$tmp/initrd"
	# The machine runs as another user.
	chmod 755 "$tmp"
	mkdir "$tmp/a"
	for pipe in in out; do
		mkfifo "$tmp/a/ctl.$pipe"
		exec {fd}<>"$tmp/a/ctl.$pipe"
		declare -g "m_ctl_${pipe}[a]=$fd"
	done
	in_the_lab >"$tmp/lab.xml"
	tell define "$tmp/lab.xml" && tell start "$domain" || return
	m_pid[a]=$(cat "/run/libvirt/qemu/$domain.pid")
}

boots() {
	guest_reply a 400 &&
		guest a 'busybox xargs -n 1 -I M busybox insmod /modules/M </modules/disk; busybox xargs -n 1 -I M busybox insmod /modules/M </modules/vsock; ls /dev/vda /dev/vsock'
}

# vhostctl knows them by the machine's process.
served() {
	"$ctl" -j dev >"$tmp/dev"
	why="vhostctl dev says: $(cat "$tmp/dev")"
	[ "$(jq -r --argjson pid "${m_pid[a]}" '[.[] | select(.pid == $pid) | .driver] | sort | join(" ")' "$tmp/dev")" = "blk vsock" ]
}

workers_on() { # CPUs
	"$ctl" -j worker >"$tmp/worker"
	why="workers are not on CPU $1: $(cat "$tmp/worker")"
	jq -e --arg cpus "$1" 'length == 3 and all(.[]; .cpus == $cpus)' "$tmp/worker" >/dev/null
}

# They began where emulatorpin had the machine by then, and go with it; within
# that they go where vhostctl says.
pinned() {
	workers_on 1 && tell emulatorpin "$domain" 0-1 --live && workers_on 0-1 || return
	"$ctl" -j worker >"$tmp/worker"
	jq -r '.[] | "\(.dev) \(.worker)"' "$tmp/worker" | while read -r dev worker; do
		"$ctl" worker set dev "$dev" worker "$worker" cpus 0 || exit 1
	done && workers_on 0
}

disk() {
	local sum
	guest a "busybox dd if=/dev/vda bs=1M count=4 iflag=direct 2>/dev/null | sha256sum" || return
	sum=$(head -c 4M "$tmp/backing" | sha256sum)
	need "the guest reads something else" [ "${reply%% *}" = "${sum%% *}" ] || return
	guest a "busybox dd if=/dev/urandom of=/t/new bs=1M count=2 2>/dev/null; busybox dd if=/t/new of=/dev/vda bs=1M seek=8 conv=fsync 2>/dev/null; sha256sum /t/new" || return
	sum=$(tail -c +$(((8 << 20) + 1)) "$tmp/backing" | head -c 2M | sha256sum)
	need "the host reads something else" [ "${reply%% *}" = "${sum%% *}" ] &&
		need "vhost_blk counts nothing" grep -q ' reads=[1-9].* writes=[1-9]' <<<"$(vhost_counters "${m_pid[a]}" blk)"
}

network() {
	guest a 'ip addr add 10.81.0.2/24 dev eth0 && ip link set eth0 up' && guest a 'channels eth0 2' || return
	need "no answer" ping -q -c 3 -i 0.2 -W 20 10.81.0.2 >/dev/null
}

sockets() {
	local cid
	cid=$(virsh dumpxml "$domain" | sed -n "s/.*<cid .*address='\([0-9]*\)'.*/\1/p")
	guest_tell a 'socat -u VSOCK-LISTEN:5000 CREATE:/t/heard' || return
	echo "hello $cid" | socat -u STDIN "VSOCK-CONNECT:$cid:5000,retry=600,interval=0.2" || { why="socat to CID '$cid': status $?"; return 1; }
	guest_reply a 60 && guest a 'cat /t/heard' && need "the guest heard '$reply'" [ "$reply" = "hello $cid"$'\n' ]
}

ends() {
	tell destroy "$domain" && tell undefine "$domain" || return
	why="the machine, a device or a worker is left: $("$ctl" dev)"
	until_true 20 gone "${m_pid[a]}" && [ -z "$(vhost_workers "${m_pid[a]}")" ] && [ "$("$ctl" -j dev)" = "[]" ] || return
	m_pid[a]=
	why=$("$ctl" blk del disk0 2>&1)
}

report() {
	tail -n 5 "$tmp"/*.log /var/log/libvirt/qemu/"$domain".log "$tmp/a/console" 2>/dev/null || true
}

check "guest.xml is valid" valid || true
check "disk0 and br0, as the examples have them" backings || exit 1
check "virtlogd, libvirtd" daemons || { report; exit 1; }
check "virsh define guest.xml" defines || true
check "virsh attach-device disk.xml, interface.xml, vsock.xml" attaches || true
check "virsh start" starts || { report; exit 1; }
check "boot to the agent, drivers" boots || { report; exit 1; }
check "vhostctl: disk and sockets are the machine's" served || true
check "workers are where emulatorpin, then vhostctl says" pinned || true
check "disk, both ways" disk || true
check "network: two queue pairs, ping" network || true
check "sockets: from the host to the guest" sockets || true
check "virsh destroy, undefine; nothing is left" ends || { report; true; }
