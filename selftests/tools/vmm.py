#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Owns vhost devices until it is killed: vmm.py [HOW-MANY [NODE]] [WORD...]

Words say what is particular about it:
  name=TEXT    the process is called so (Python's escapes, for any byte)
  memory=MIB   that much memory of small pages, all of it used
  broken       of one vhost-net device the transmit queue is broken
  rejected     of one vhost-net device the transmit queue has rejected a packet
  loses        it passes its device on, and nobody takes it: no process has it open
  heir         the devices' owner is a process that has exited
"""
import array
import ctypes
import fcntl
import mmap
import os
import signal
import socket
import struct
import sys

VHOST_SET_FEATURES = 0x4008AF00
VHOST_SET_OWNER = 0xAF01
VHOST_SET_MEM_TABLE = 0x4008AF03
VHOST_SET_VRING_NUM = 0x4008AF10
VHOST_SET_VRING_ADDR = 0x4028AF11
VHOST_SET_VRING_BASE = 0x4008AF12
VHOST_SET_VRING_KICK = 0x4008AF20
VHOST_SET_VRING_CALL = 0x4008AF21
VHOST_SET_VRING_ERR = 0x4008AF22
VHOST_NET_SET_BACKEND = 0x4008AF30
VHOST_VSOCK_ALLOC_CID = 0x8008AFC5
TX = 1
RING = 256

numbers = [word for word in sys.argv[1:] if word.isdigit() or word.startswith("/")]
words = [word for word in sys.argv[1:] if word not in numbers]
path = numbers[1] if len(numbers) > 1 else "/dev/vhost-net"
kept = []


def own(node):
    fcntl.ioctl(node, VHOST_SET_OWNER)
    if path == "/dev/vhost-vsock":
        fcntl.ioctl(node, VHOST_VSOCK_ALLOC_CID, bytearray(8))


def misbehave(node, breaks):
    """A driver that sends a packet shorter than its header, or that says it made
    more available than its ring is long."""
    memory = mmap.mmap(-1, 65536)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    avail, used = 0x2000, 0x4000
    fcntl.ioctl(node, VHOST_SET_FEATURES, struct.pack("Q", 1 << 32))
    fcntl.ioctl(node, VHOST_SET_MEM_TABLE, struct.pack("IIQQQQ", 1, 0, 0, len(memory), address, 0))
    fcntl.ioctl(node, VHOST_SET_VRING_NUM, struct.pack("II", TX, RING))
    fcntl.ioctl(node, VHOST_SET_VRING_BASE, struct.pack("II", TX, 0))
    fcntl.ioctl(node, VHOST_SET_VRING_ADDR,
                struct.pack("IIQQQQ", TX, 0, address, address + used, address + avail, 0))
    told = os.eventfd(0)
    kick = os.eventfd(1)
    backend = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    backend.bind(("lo", 0))
    memory[0:16] = struct.pack("<QIHH", 0x8000, 5, 0, 0)
    memory[avail + 2:avail + 4] = struct.pack("<H", RING + 1 if breaks else 1)
    fcntl.ioctl(node, VHOST_SET_VRING_ERR if breaks else VHOST_SET_VRING_CALL,
                struct.pack("Ii", TX, told))
    fcntl.ioctl(node, VHOST_SET_VRING_KICK, struct.pack("Ii", TX, kick))
    fcntl.ioctl(node, VHOST_NET_SET_BACKEND, struct.pack("Ii", TX, backend.fileno()))
    os.read(told, 8)
    kept.extend((memory, kick, backend))


def use_memory(mib):
    memory = mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for offset in range(0, len(memory), 4096):
        memory[offset] = 1
    kept.append(memory)


for word in words:
    if word.startswith("name="):
        with open("/proc/self/comm", "wb") as comm:
            comm.write(word[5:].encode().decode("unicode_escape").encode("latin-1"))
    elif word.startswith("memory="):
        use_memory(int(word[7:]))

nodes = []
for _ in range(int(numbers[0]) if numbers else 1):
    node = open(path, "r+b", buffering=0)
    if "heir" in words:
        if not os.fork():
            own(node)
            os._exit(0)
        os.wait()
    else:
        own(node)
    nodes.append(node)
if "broken" in words or "rejected" in words:
    misbehave(nodes[0], "broken" in words)
if "loses" in words:
    kept.extend(socket.socketpair())
    files = array.array("i", [node.fileno() for node in nodes])
    kept[-1].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    for node in nodes:
        node.close()
print("ready", flush=True)
signal.pause()
