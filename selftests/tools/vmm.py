#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Owns vhost-net devices until it is killed: vmm.py [HOW-MANY]"""
import fcntl
import signal
import sys

VHOST_SET_OWNER = 0xAF01

nodes = []
for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
    node = open("/dev/vhost-net", "r+b", buffering=0)
    fcntl.ioctl(node, VHOST_SET_OWNER)
    nodes.append(node)
print("ready", flush=True)
signal.pause()
