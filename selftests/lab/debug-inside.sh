#!/bin/bash
# The part of debug-kernel.sh that runs inside the root: the debug kernel from
# Debian's source into /build/done.   debug-inside.sh
set -euo pipefail

config=/src/selftests/lab/debug.config
source=/opt/lab/linux-source/linux.tar.xz
out=/build/done

# Code of other machines and of drivers that nobody compiles here stays packed;
# Kconfig reads all of their Kconfig files.
echo "unpacking the source"
mkdir /build/linux
tar -x -f "$source" -C /build/linux --strip-components=1 --anchored --wildcards \
	--exclude='*/Documentation/*/*' --exclude='*/tools/testing/*' --exclude='*/tools/perf/*' \
	--exclude='*/arch/[!x]*/*.[chS]' --exclude='*/arch/[!x]*/*.dts*' \
	--exclude='*/drivers/gpu/drm/*/*.[ch]' --exclude='*/sound/*/*.[ch]'
cd /build/linux

make KCONFIG_ALLCONFIG="$config" allnoconfig >/dev/null
# An option whose dependencies are not met is dropped without a word.
missing=$(grep -E '^CONFIG_' "$config" | grep -vxFf .config || true)
if [ -n "$missing" ]; then
	echo "debug.config: did not come out as written:"
	echo "$missing"
	exit 1
fi
# The entry that QEMU takes, by PVH, compares strings before KASAN has memory.
make -j"$(nproc)" KASAN_SANITIZE_string.o=n vmlinux modules

release=$(cat include/config/kernel.release)
mkdir -p "$out/linux/arch/x86" "$out/linux/tools/objtool"
make INSTALL_MOD_PATH="$out/modules" modules_install
rm -f "$out/modules/lib/modules/$release/build"
# For modules out of tree: the same as in a headers package.
cp -a Makefile .config Module.symvers include scripts "$out/linux/"
cp -a arch/x86/Makefile* arch/x86/include "$out/linux/arch/x86/"
cp -a tools/objtool/objtool "$out/linux/tools/objtool/"
find "$out/linux" \( -name '*.o' -o -name '.*.cmd' \) -delete
cp -a vmlinux "$out/"
echo "$release" >"$out/release"
