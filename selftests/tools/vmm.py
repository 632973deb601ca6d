#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Owns vhost devices until it is killed: vmm.py [HOW-MANY [NODE]]"""
import fcntl
import signal
import sys

VHOST_SET_OWNER = 0xAF01
VHOST_VSOCK_ALLOC_CID = 0x8008AFC5

path = sys.argv[2] if len(sys.argv) > 2 else "/dev/vhost-net"

nodes = []
for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
    node = open(path, "r+b", buffering=0)
    fcntl.ioctl(node, VHOST_SET_OWNER)
    if path == "/dev/vhost-vsock":
        fcntl.ioctl(node, VHOST_VSOCK_ALLOC_CID, bytearray(8))
    nodes.append(node)
print("ready", flush=True)
signal.pause()
