#!/bin/bash
# Builds the modules for one of the lab's kernels, and the test programs, with
# the compiler and headers of the lab's root.
#
#   build.sh KERNEL [modules|user|all] [VARIABLE=VALUE...]
#
# Products lie in the directory that the lab shows as /build: vhost_*.ko, and
# kernel/, clients/, bench/ with what the Makefiles of selftests/ make there.
# Modules are built with W=1 KCFLAGS=-Werror. Variables (W=, C=1, LLVM=1 ...) go to
# make; each set of them but C has a build directory of its own. --print-out prints the
# directory of products.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

kernel=${1:?usage: build.sh KERNEL [modules|user|all] [VARIABLE=VALUE...]}
what=all
vars=()
variant=
for word in "${@:2}"; do
	case $word in
	--print-out) what=print ;;
	modules | user | all) what=$word ;;
	# What sparse says changes no product.
	C=*) vars+=("$word") ;;
	*=*)
		vars+=("$word")
		variant+=-$(printf %s "$word" | tr -c 'A-Za-z0-9=.\n' _)
		;;
	*) fail "'$word'?" ;;
	esac
done
dir=$(lab_build_dir "$kernel")$variant
[ "$what" != print ] || { echo "$dir/out"; exit 0; }

"$LAB_DIR/setup.sh" --kernel "$kernel"
lab_become_root "$@"
release=$(lab_release "$kernel")
headers=/usr/lib/modules/$release/build
[ "$kernel" != debug ] || headers=/opt/lab/debug/linux
mkdir -p "$dir/obj" "$dir/out"
exec 9>"$dir/lock"
flock 9

lab_in_root "$dir" /bin/bash /src/selftests/lab/build-inside.sh \
	"$release" "$headers" "$what" "${vars[@]}" 9>&-
