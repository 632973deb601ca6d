#!/bin/bash
# Process 1 of the lab: mounts what a Linux system has, runs the one command,
# leaves its exit status where vm.sh finds it, and ends the machine.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LC_ALL=C.UTF-8 TERM=${TERM:-linux}

mount -t sysfs sys /sys
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts --mkdir
mount -t tmpfs -o mode=1777 shm /dev/shm --mkdir
mount -t tmpfs -o mode=755,nodev,nosuid,noexec run /run
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -sfn /proc/self/fd /dev/fd
ln -sfn /proc/self/fd/0 /dev/stdin
ln -sfn /proc/self/fd/1 /dev/stdout
ln -sfn /proc/self/fd/2 /dev/stderr

# A control directory of vm.sh's own: the command, and its exit status.
mkdir /run/lab
mount -t 9p -o rw,trans=virtio,version=9p2000.L ctl /run/lab
# shellcheck source=/dev/null
. /run/lab/env

ip link set lo up
hostname lab
echo 0 >/proc/sys/kernel/dmesg_restrict 2>/dev/null
# A hang is to be seen within the time-out of a test. Emulation is slow, so
# the limits are long enough that a busy machine does not trip them.
sysctl -q kernel.hung_task_timeout_secs=60 kernel.hung_task_warnings=-1 kernel.printk_ratelimit=0
# From here on the serial log gets every kernel message.
dmesg -n 8

cd /root || exit 1

if [ -n "$LAB_SHELL" ]; then
	setsid -c bash /run/lab/command </dev/hvc0 >/dev/hvc0 2>&1
else
	stty -F /dev/hvc0 raw -echo
	setsid bash /run/lab/command </dev/null >/dev/hvc0 2>&1
fi
status=$?
echo "$status" >/run/lab/status
sync
# What was written to the console is out once it is drained.
stty -F /dev/hvc0 raw 2>/dev/null
echo b >/proc/sysrq-trigger
sleep 60
