# SPDX-License-Identifier: GPL-2.0
# What a developer or an administrator types. What is built into the modules
# is listed in Kbuild; what the targets do is in selftests/.

KDIR ?= /lib/modules/$(shell uname -r)/build
# Where install puts the modules: beside the kernel's own, which they override.
INSTALL_MOD_DIR ?= updates
# Who may open the disks of vhost_blk.
UDEV_RULES_DIR ?= /usr/lib/udev/rules.d
UDEV_RULES := packaging/udev/70-vhost-accel.rules
DEB_DIR ?= dist
KERNEL ?= 6.12
# Of the modules, the packages and everything in them.
VERSION := 0.1

LAB := selftests/lab
# The release that KDIR belongs to, for depmod and uninstall.
RELEASE = $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)
MODULES := vhost_core vhost_net vhost_blk vhost_vsock
TOOLS_BUILT := $(addprefix tools/,vhostctl/vhostctl $(addprefix vhosttop/,vhosttop vhosttop.bpf.o vhosttop.skel.h))

.DEFAULT_GOAL := help

help: ## show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | \
		awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

modules: ## build the modules for the running kernel (or KDIR=...)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

tools: ## build vhostctl and vhosttop where their sources are
	$(MAKE) -C tools/vhostctl
	$(MAKE) -C tools/vhosttop

demo: ## a QEMU guest talks to its host through our modules, in a throw-away VM
	$(LAB)/build.sh $(KERNEL)
	$(LAB)/vm.sh -k $(KERNEL) --mem 6144 --timeout 1800 --modules ours /src/selftests/clients/demo.sh

lab: ## a shell in a throw-away VM with the modules loaded (KERNEL=6.12, 7.2 or debug)
	$(LAB)/build.sh $(KERNEL)
	$(LAB)/vm.sh -k $(KERNEL) --mem 4096 --timeout 0 --modules ours --shell

check: ## the tests but check-long's (T=name or part of it: only those)
	$(LAB)/check.sh '$(T)'

check-host: ## only the tests that need neither VM nor root: seconds
	$(LAB)/setup.sh --host
	$(LAB)/check.sh --only host '$(T)'

check-long: ## the tests that take long: stress, soak
	$(LAB)/check.sh --only k72all,trace72,long612,long72,longdebug,pkg612,pkg72 '$(T)'

bench: ## cost in instructions a packet and a request, ours against others (docs/performance.md)
	$(LAB)/setup.sh
	status=0; for bench in run blk; do selftests/bench/$$bench.sh || status=1; done; exit $$status

fuzz: ## fuzz the ring and memory code on this machine until Ctrl-C (TARGET=fuzz_split)
	$(LAB)/setup.sh --host
	$(MAKE) -C selftests/host fuzz $(if $(TARGET),TARGET=$(TARGET))

fuzz-kernel: ## fuzz the devices on the debug kernel until Ctrl-C (FUZZ_TARGET=net, blk or vsock)
	$(LAB)/setup.sh
	selftests/fuzz-kernel/forever.sh

lint: ## sparse, checkpatch, clang-format, shellcheck, the compat rule
	selftests/lint.sh

install: modules ## install the modules so that modprobe prefers them to the kernel's
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_DIR=$(INSTALL_MOD_DIR) modules_install
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(RELEASE)
	install -D -m 644 -t $(INSTALL_MOD_PATH)$(UDEV_RULES_DIR) $(UDEV_RULES)

uninstall: ## remove what install put there: the kernel's own are back
	rm -f $(foreach m,$(MODULES),$(INSTALL_MOD_PATH)/lib/modules/$(RELEASE)/$(INSTALL_MOD_DIR)/$(m).ko*)
	-rmdir $(INSTALL_MOD_PATH)/lib/modules/$(RELEASE)/$(INSTALL_MOD_DIR) 2>/dev/null
	rm -f $(addprefix $(INSTALL_MOD_PATH)$(UDEV_RULES_DIR)/,$(notdir $(UDEV_RULES)))
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(RELEASE)

deb: ## Debian packages into DEB_DIR (dist/): vhost-accel-dkms, vhost-accel-tools
	packaging/make-deb.sh $(DEB_DIR)

clean: ## remove what modules and tools built here (the lab's cache stays)
	if [ -d $(KDIR) ]; then $(MAKE) -C $(KDIR) M=$(CURDIR) clean; fi
	if [ -e selftests/host/Makefile ]; then $(MAKE) -C selftests/host clean; fi
	rm -f $(TOOLS_BUILT)

.PHONY: help modules tools demo lab check check-host check-long bench fuzz fuzz-kernel lint install uninstall deb clean
