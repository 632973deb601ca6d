#!/bin/bash
# clang for modules of a kernel that gcc built: it drops the options that only
# gcc knows. The result is for clang's warnings, not for loading.
#   build.sh KERNEL modules CC=/src/selftests/lab/kernel-clang.sh
args=()
for arg in "$@"; do
	case $arg in
	-mindirect-branch=thunk-extern) args+=(-mretpoline-external-thunk) ;;
	-mrecord-mcount | -fmin-function-alignment=* | -fconserve-stack | -fno-allow-store-data-races | \
	-mindirect-branch-register | -mharden-sls=* | \
	-fzero-init-padding-bits=* | -fno-var-tracking-assignments | -ftrivial-auto-var-init=* | \
	-mpreferred-stack-boundary=* | -falign-jumps=* | -falign-loops=* | -fplugin* | \
	-mstack-protector-guard* | --param=* | -Wimplicit-fallthrough=* | -Wno-maybe-uninitialized | \
	-Wno-alloc-size-larger-than | -Wno-stringop-* | -Wno-restrict | -Wno-packed-not-aligned | \
	-Wno-format-overflow | -Wno-format-truncation | -Wno-dangling-pointer | -Wpacked-not-aligned | \
	-Wno-override-init | -Wformat-overflow | -Wformat-truncation | -Wcast-function-type | \
	-Wunused-const-variable=* | -Wunused-but-set-variable | -Wunterminated-string-initialization | \
	-Wno-shift-negative-value | -fsanitize* | -Wno-unterminated-string-initialization | -Wno-unused-but-set-* ) ;;
	*) args+=("$arg") ;;
	esac
done
# Last what clang-built kernels switch off as well, for their own headers.
exec clang -Wno-unknown-warning-option -Wno-gnu -fms-extensions -Wno-microsoft -Wno-duplicate-decl-specifier \
	-Wno-address-of-packed-member "${args[@]}" -Wno-enum-enum-conversion -Wno-enum-compare-conditional
