# shellcheck shell=bash
# What the tests of tools share. Sourced, inside the lab.

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=../clients/lib.sh
. "$here/../clients/lib.sh"

# Starts a process that owns a device with two stopped virtqueues and (of
# vhost-net) one worker, and sets $vmm, its process id. $node is what it opens.
start_vmm() {
	exec {ready}< <(exec "$here/vmm.py" 1 "${node:-/dev/vhost-net}")
	vmm=$!
	pids+=("$vmm")
	read -r _ <&"$ready"
}
