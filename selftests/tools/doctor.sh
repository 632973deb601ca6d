#!/bin/bash
# vhostctl doctor: each finding, provoked; with ours loaded, or in-tree.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

begin_test
ctl=/build/tools/vhostctl
modules_dep=/lib/modules/$(uname -r)/modules.dep
cgroup=/sys/fs/cgroup/doctor

# doctor STATUS [WORDS...]: ends with that status; what it found is kept. WORDS run it.
doctor() {
	local status=0
	"${@:2}" "$ctl" -j doctor >"$tmp/found" 2>"$tmp/err" || status=$?
	why="status $status, not $1: $(cat "$tmp/err" "$tmp/found")"
	[ "$status" -eq "$1" ]
}

found() { # severity, id, regular expression
	why="no $1 $2 like '$3' in $(cat "$tmp/found")"
	jq -e --arg severity "$1" --arg id "$2" --arg like "$3" \
		'any(.[]; .severity == $severity and .finding == $id and (.what | test($like)))' "$tmp/found" >/dev/null
}

found_no() { # id
	why="$1 in $(cat "$tmp/found")"
	jq -e --arg id "$1" 'all(.[]; .finding != $id)' "$tmp/found" >/dev/null
}

# with FILE TEXT COMMAND...: as if the file had that text.
with() {
	printf '%s\n' "$2" >"$tmp/with"
	# shellcheck disable=SC2016 # the inner shell expands
	unshare --mount -- sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' with "$tmp/with" "$1" "${@:3}"
}

# --- with either ---------------------------------------------------------------------

# Nobody uses anything; modprobe takes the kernel's, and the lab loads ours by hand.
at_rest() {
	doctor 0 || return
	if ours; then
		found warning not-installed 'vhost_net 0.1 of this project' && found_no no-netlink && found ok devices '0 devices'
	else
		found note in-tree "own vhost_vsock" && found note no-netlink vhost_core && found_no not-installed
	fi && found note node-root-only '/dev/vhost-net .mode 0600' && found_no in-use && found_no small-pages && found_no node-open-to-all
}

# modprobe would take ours.
updates() {
	doctor 0 with "$modules_dep" 'updates/dkms/vhost_net.ko.xz: updates/dkms/vhost_core.ko.xz' || return
	if ours; then
		found ok loaded 'vhost_net 0.1 .* is loaded' && found warning not-installed 'vhost_vsock .* modprobe takes none'
	else
		found warning switch-pending "kernel's own vhost_net .* takes updates/dkms/vhost_net.ko.xz" && found note in-tree vhost_vsock
	fi
}

nodes() {
	chmod 666 /dev/vhost-net
	mv /dev/vhost-vsock /dev/vhost-away
	doctor 1
	local status=$?
	mv /dev/vhost-away /dev/vhost-vsock
	chmod 600 /dev/vhost-net
	[ "$status" -eq 0 ] && found warning node-open-to-all 'mode 0666' && found problem node-missing /dev/vhost-vsock &&
		[ "$(jq -r '.[0].finding' "$tmp/found")" = node-missing ]
}

# Its memory, and that it keeps the module.
users() {
	start_vmm_that name=guest1 memory=80
	doctor 0 && found note in-use "^guest1 .process $vmm. has 1 node of vhost_net open" &&
		found note small-pages "^guest1 .process $vmm.: of [0-9]+ MiB [0-9]% are"
	local status=$?
	stop "$vmm"
	start_vmm_that loses
	[ "$status" -eq 0 ] && doctor 0 && found warning users-hidden 'vhost_net is used 1 times' && found_no in-use
	status=$?
	stop "$vmm"
	return "$status"
}

nobody() {
	# The build's directory may be closed to others.
	cp "$ctl" /tmp/doctor-vhostctl
	local ctl=/tmp/doctor-vhostctl status
	doctor 0 setpriv --reuid 65534 --clear-groups --bounding-set=-all --inh-caps=-all && found warning not-root 'not run as root' &&
		if ours; then found warning no-rights 'does not tell'; fi
	status=$?
	rm "$ctl"
	return "$status"
}

text() {
	why=$("$ctl" doctor)
	grep -q '^note node-root-only: only its owner' <<<"$why" && grep -q '^    Nothing, if VMMs' <<<"$why" &&
		why=$("$ctl" doctor nonsense 2>&1) && return 1
	[[ $why == *'what is "nonsense"'* ]]
}

# Every finding is in the manual, and here.
documented() {
	sed -nE 's/.*found\(FOUND_[A-Z]+, "([a-z-]+)".*/\1/p' /src/tools/vhostctl/doctor*.c | sort -u >"$tmp/ids"
	[ -s "$tmp/ids" ] && why=$(diff "$tmp/ids" <(sed -n 's/^### //p' /src/docs/troubleshooting.md | sort)) &&
		why=$(diff "$tmp/ids" <(grep -oE 'found (ok|note|warning|problem) [a-z-]+' "$here/doctor.sh" | cut -d' ' -f3 | sort -u))
}

# --- with in-tree -------------------------------------------------------------------

unloaded() {
	modprobe -r vhost_vsock
	doctor 0 && found note not-loaded "vhost_vsock is not loaded; modprobe takes the kernel's own" && found_no node-missing
	local status=$?
	modprobe vhost_vsock
	return "$status"
}

signatures() {
	doctor 0 with /sys/module/module/parameters/sig_enforce Y && found warning signatures sig_enforce
}

# Not doctor's, but only to be seen here: who has the kernel's own vhost_vsock is told so.
no_groups() {
	local status=0
	why=$("$ctl" cid set 3 group 1 2>&1) || status=$?
	[ "$status" -eq 2 ] && [[ $why == *"/dev/vhost-vsock is the kernel's own, which knows no groups" ]]
}

# --- with ours ------------------------------------------------------------------------

loaded_anyhow() {
	modprobe vhost
	doctor 0 with /sys/module/vhost_net/version 0.0
	local status=$?
	modprobe -r vhost vhost_iotlb
	[ "$status" -eq 0 ] && found note in-tree-beside 'for nobody' &&
		found warning versions-differ 'vhost_net is version 0.0, vhost_core 0.1' &&
		found note unsigned vhost_core
}

queues() {
	local first
	start_vmm_that broken name=bad1
	first=$vmm
	start_vmm_that rejected name=bad2
	doctor 1 && found problem queue-broken "of bad1, process $first.: virtqueue tx is broken: avail_idx .available index" &&
		found warning rejections "of bad2, process $vmm.: virtqueue tx has rejected: tx_short 1" &&
		found ok devices '^2 devices, 4 virtqueues, 2 workers'
	local status=$?
	stop "$first"
	stop "$vmm"
	return "$status"
}

owner() {
	start_vmm_that heir
	doctor 0 && found warning owner-exited '.vhost-net.' && found note in-use "process $vmm"
	local status=$?
	stop "$vmm"
	return "$status"
}

# Two workers on one of two CPUs; and their VMM may no longer use the other.
workers() {
	local id status
	exec {ready}< <(exec "$here/vmm.py" 2)
	vmm=$!
	pids+=("$vmm")
	read -r _ <&"$ready"
	for id in $("$ctl" -j dev | jq '.[].dev'); do
		"$ctl" worker set dev "$id" worker "$("$ctl" -j worker show dev "$id" | jq '.[0].worker')" cpus 1
	done
	echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control
	mkdir "$cgroup"
	echo 0 >"$cgroup/cpuset.cpus"
	echo "$vmm" >"$cgroup/cgroup.procs"
	doctor 0 && found warning workers-share-cpu '^2 workers are pinned to CPU 1, and none to CPU 0' &&
		found warning worker-outside-cpuset 'may run on CPU 1'
	status=$?
	stop "$vmm"
	until_true 10 rmdir "$cgroup" 2>/dev/null
	return "$status"
}

tests=(at_rest updates nodes users nobody text documented)
if ours; then
	tests+=(loaded_anyhow queues owner workers)
else
	tests+=(unloaded signatures no_groups)
fi
for name in "${tests[@]}"; do
	check "$name" "$name" || true
done
