#!/bin/bash
# tools/ynl/vhost.yaml: the kernel's schema accepts it, its names and numbers are
# those of vhost_netlink.h, and the kernel's own tool drives the family by it.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

begin_test
export PYTHONDONTWRITEBYTECODE=1
ynl=/opt/lab/linux-source/tools/net/ynl
spec=/src/tools/ynl/vhost.yaml
schema=/opt/lab/linux-source/Documentation/netlink/genetlink.yaml

run() { # words of cli.py..., jq expression
	python3 "$ynl/cli.py" --spec "$spec" --schema "$schema" --output-json "${@:1:$#-1}" >"$tmp/out" 2>&1 || {
		why=$(tail -n 3 "$tmp/out")
		return 1
	}
	why="${*: -1} is not so in $(cat "$tmp/out")"
	jq -e --argjson pid "$vmm" "${@: -1}" "$tmp/out" >/dev/null
}

# Every name of the specification is one of the header's, of the same number,
# and none of the header's is missing.
header() {
	python3 "$here/ynl-names.py" "$ynl" "$spec" "$schema" >"$tmp/names.c" 2>"$tmp/err" || {
		why=$(tail -n 1 "$tmp/err")
		return 1
	}
	why=$(gcc -fsyntax-only -I/src/uapi "$tmp/names.c" 2>&1)
}

start_vmm

# jq has a $pid of its own.
# shellcheck disable=SC2016
devices() { run --dump dev-get 'length == 1 and .[0].driver == "net" and .[0].state == "owned" and .[0]["owner-pid"] == $pid'; }
queues() { run --dump vq-get 'map(.name) == ["rx", "tx"] and all(.state == "stopped" and .["poll-mode"] == "fixed")'; }
workers() { run --dump worker-get 'length == 1 and .[0].policy == "normal" and .[0].nice == -3 and .[0].vq == [0, 1]'; }
stats() { run --dump stat-get 'map(.counter) | add | map(select(.name == "kicks")) | length == 2'; }

change() {
	local dev
	dev=$(/build/tools/vhostctl -j dev | jq '.[0].dev')
	run --do vq-set --json "{\"dev-id\": $dev, \"index\": 1, \"poll-mode\": \"adaptive\", \"poll-us\": 30}" true || return 1
	run --do vq-get --json "{\"dev-id\": $dev, \"index\": 1}" '.["poll-mode"] == "adaptive" and .["poll-us"] == 30'
}

for name in header devices queues workers stats change; do
	check "$name" "$name" || true
done
