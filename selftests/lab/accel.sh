#!/bin/bash
# Prints the accelerator to use: kvm if a guest really starts under it, else
# tcg. That /dev/kvm exists proves nothing, so a probe guest decides; its
# verdict is kept until the machine restarts. VHOST_LAB_ACCEL=tcg|kvm overrides.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

if [ -n "${VHOST_LAB_ACCEL:-}" ]; then
	echo "$VHOST_LAB_ACCEL"
	exit 0
fi
if ! [ -w /dev/kvm ] || ! grep -qE '^flags.*\b(vmx|svm)\b' /proc/cpuinfo; then
	echo tcg
	exit 0
fi
verdict=$LAB_CACHE/accel-$(cat /proc/sys/kernel/random/boot_id)
if [ ! -s "$verdict" ]; then
	initrd=$("$LAB_DIR/initrd.sh" 6.12)
	accel=tcg
	if timeout -k 1 20 qemu-system-x86_64 -accel kvm -cpu host -m 512 -nodefaults \
		-no-user-config -display none -no-reboot -serial stdio \
		-kernel "$(lab_root)/opt/lab/kernels/6.12/vmlinux" -initrd "$initrd" \
		-append "console=ttyS0 panic=-1 lab.probe" </dev/null 2>/dev/null |
		grep -q "lab probe: guest runs"; then
		accel=kvm
	fi
	rm -f "$LAB_CACHE"/accel-*
	echo "$accel" >"$verdict"
	say "probe: using $accel"
fi
cat "$verdict"
