#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Find out by compiling what the kernel's headers offer, and write HAVE_*
# macros into a header.
#
#	probe.sh HEADER COMPILER FLAGS...
#
# Only for what a macro's presence does not tell. Stable and distribution
# kernels change interfaces in place, so version numbers are no answer.
#
# A probe that fails for a reason of its own would select the wrong interface
# and corrupt memory. So each is tried twice: with the thing in question, and
# without it, and the second must compile. What the compiler said is in
# HEADER.log.
set -eu

out=$1
shift
new=$out.new.$$
log=$out.log
trap 'rm -f "$new"' EXIT

# Warnings are no verdict: those of the kernel's headers are not ours (-w).
compiles() {
	"$@" -w -DKBUILD_MODNAME='"probe"' -DKBUILD_MODFILE='"probe"' \
		-DKBUILD_BASENAME='"probe"' -c -x c -o /dev/null - >>"$log" 2>&1
}

# try NAME HEADER TEXT COMPILER FLAGS...: does TEXT compile after the header?
try() {
	name=$1
	header=$2
	text=$3
	shift 3
	printf '%s\n' "--- $name" >>"$log"
	if ! printf '#include <%s>\n' "$header" | compiles "$@"; then
		echo "compat/probe.sh: <$header> does not compile, see $log" >&2
		exit 1
	fi
	if printf '#include <%s>\n%s\n' "$header" "$text" | compiles "$@"; then
		printf '#define %s 1\n' "$name" >>"$new"
	fi
}

: >"$log"
printf '/* Made by compat/probe.sh. */\n' >"$new"

# Batches for tun: is the frame's own header there, or just the virtio one?
try HAVE_TUN_XDP_HDR linux/if_tun.h \
	'int probe_size[sizeof(struct tun_xdp_hdr)];' "$@"

# UDP tunnel segmentation offload and its longer header.
try HAVE_VIRTIO_NET_TUNNEL linux/virtio_net.h \
	'int probe_size[sizeof(struct virtio_net_hdr_v1_hash_tunnel)];' "$@"

# Queues of a tap that stop when its ring is full: who takes packets wakes them.
try HAVE_TUN_WAKE_QUEUE linux/if_tun.h \
	'__typeof__(tun_wake_queue) *probe_function;' "$@"

# The handle of remote coverage: a struct, or a bare u64?
try HAVE_KCOV_HANDLE_ID linux/types.h \
	'int probe_size[sizeof(struct kcov_common_handle_id) + 1];' "$@"

# Transports of AF_VSOCK: are their callbacks told the namespace and the socket?
try HAVE_VSOCK_NET linux/virtio_vsock.h \
	'int probe_size[__builtin_types_compatible_p(
		__typeof__(((struct virtio_transport *)0)->send_pkt),
		int (*)(struct sk_buff *, struct net *)) ? 1 : -1];' "$@"

# ... and may they say which CIDs are theirs?
try HAVE_VSOCK_HAS_REMOTE_CID linux/virtio_vsock.h \
	'int probe_size[sizeof(((struct vsock_transport *)0)->has_remote_cid)];' "$@"

# Leave the file alone if nothing changed: everything depends on it.
cmp -s "$new" "$out" 2>/dev/null || mv "$new" "$out"
echo ok
