#!/bin/bash
# vhostctl stat --openmetrics and --prometheus: parsers of both accept them,
# promtool has nothing to say, names and values are the kernel's.
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=lib.sh
. "$here/lib.sh"

begin_test
export PYTHONDONTWRITEBYTECODE=1
ctl=/build/tools/vhostctl
samples=$tmp/samples

# A sample for which a jq expression is true.
has() { # jq expression
	why="no sample with $1"
	jq -e -s "any(.[]; $1)" "$samples" >/dev/null
}

parsers() {
	"$ctl" stat --openmetrics >"$tmp/openmetrics" && "$ctl" stat --prometheus >"$tmp/prometheus" || return
	why=$(python3 "$here/metrics-parse.py" "$tmp/openmetrics" "$tmp/prometheus" 2>&1 >"$samples" | tail -n 1)
	[ -z "$why" ] && [ -s "$samples" ]
}

promtool_accepts() {
	why=$(promtool check metrics <"$tmp/prometheus" 2>&1 | head -n 5)
	[ -z "$why" ]
}

# The name of a process may have whatever it likes in it.
labels() {
	has ".name == \"vhost_device_info\" and .pid == \"$vmm\" and .comm == \"a\\\"b\\\\c ?d?\" and .state == \"broken\" and .node == \"vhost-net\"" &&
		has ".name == \"vhost_queue_broken\" and .queue == \"tx\" and .value == 1" &&
		has ".name == \"vhost_queue_broken\" and .queue == \"rx\" and .value == 0" &&
		has '.name == "vhost_worker_cpu_seconds_total" and .value > 0 and .worker != null'
}

rejections() {
	has '.name == "vhost_rejections_total" and .queue == "tx" and .reason == "avail_idx" and .value == 1' &&
		has '.name == "vhost_rejected_total" and .queue == "tx" and .value == 1' &&
		has '.name == "vhost_rejected_total" and .queue == "rx" and .value == 0' &&
		! has '.name == "vhost_rejections_total" and .reason != "avail_idx"'
}

disks() {
	has '.name == "vhost_blk_request_seconds_bucket" and .driver == "blk" and .type == "flush" and .le == "1.024e-06"' &&
		has '.name == "vhost_blk_request_seconds_bucket" and .le == "+Inf"' &&
		has '.name == "vhost_blk_reads_total"' && has '.name == "vhost_vsock_merged_total" and .driver == "vsock"'
}

# All that the kernel counts is known, each rejection as such, with its text.
names() {
	local known=/src/tools/vhostctl/counters.c
	"$ctl" -j stat | jq -r '.[].counters | keys_unsorted[]' | grep -vE '^(read|write|flush)_us_' | sort -u >"$tmp/kernels"
	sed -nE 's/^\t\{ "([a-z_]+)",.*/\1/p' "$known" | sort >"$tmp/known"
	why=$(diff "$tmp/kernels" "$tmp/known")
	[ -z "$why" ] || return
	why=$(diff <(rejection_names | sort -u) \
		<(sed -nE 's/^\t\{ "([a-z_]+)", (true|false), .*/\1/p' "$known" | sort)) &&
		why=$(diff <(breaking_names) <(sed -nE 's/^\t\{ "([a-z_]+)", true, .*/\1/p' "$known"))
}

breaking_names() {
	sed -nE '/^#define (VRING_ERRORS|VHC_REJECTIONS)\(X\)/,/[^\\]$/s/^\tX\([A-Z_]+, *([a-z_]+),.*/\1/p' \
		/src/vhost_core/ring/ring.h /src/vhost_core/stats.h
}

one_device() {
	local dev
	dev=$("$ctl" -j dev | jq '.[] | select(.driver == "net").dev')
	"$ctl" stat --openmetrics dev "$dev" vq 1 >"$tmp/one" || return
	why=$(grep -v '^#' "$tmp/one" | grep -v "device=\"$dev\".*queue=\"tx\"" | grep -v '^vhost_device_info' | head -n 1)
	[ -z "$why" ] && [ "$(tail -n 1 "$tmp/one")" = '# EOF' ] && grep -q 'queue="tx"' "$tmp/one"
}

# The file for node_exporter is whole, and goes if there is nothing to say.
textfile() {
	local writer=/src/tools/systemd/vhost-accel-metrics
	mkdir "$tmp/dir"
	PATH=/build/tools:$PATH "$writer" "$tmp/dir" || return
	why="$(ls -l "$tmp/dir")"
	[ "$(ls "$tmp/dir")" = vhost.prom ] && [ "$(stat -c %a "$tmp/dir/vhost.prom")" = 644 ] || return
	why=$(diff <(grep '^#' "$tmp/prometheus") <(grep '^#' "$tmp/dir/vhost.prom")) || return
	why='written without CAP_NET_ADMIN'
	! PATH=/build/tools:$PATH setpriv --bounding-set=-all --inh-caps=-all "$writer" "$tmp/dir" 2>/dev/null || return
	why="$(ls -l "$tmp/dir")"
	[ -z "$(ls "$tmp/dir")" ]
}

truncate -s 1M "$tmp/disk"
"$ctl" blk add metrics path "$tmp/disk" buffered
node=/dev/vhost-blk/metrics start_vmm
disk=$vmm
node=/dev/vhost-vsock start_vmm
start_vmm_that broken 'name=a"b\\c \x1bd\xff'
for name in parsers promtool_accepts labels rejections disks names one_device textfile; do
	check "$name" "$name" || true
done
stop "$disk"
"$ctl" blk del metrics
