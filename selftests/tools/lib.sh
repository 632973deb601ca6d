# shellcheck shell=bash
# What the tests of tools share. Sourced, inside the lab.

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=../clients/lib.sh
. "$here/../clients/lib.sh"

# Starts a process that owns a device with two stopped virtqueues and (of
# vhost-net) one worker, and sets $vmm, its process id. $node is what it opens.
# shellcheck disable=SC2119 # no words
start_vmm() { start_vmm_that; }

# The same, with words for vmm.py.
# shellcheck disable=SC2120 # not by all tests
start_vmm_that() { # words...
	exec {ready}< <(exec "$here/vmm.py" 1 "${node:-/dev/vhost-net}" "$@")
	vmm=$!
	pids+=("$vmm")
	read -r _ <&"$ready"
}
