#!/bin/bash
# Inside the lab: loads vhost modules. load-modules.sh ours|in-tree|none
#   ours     what build.sh made (/build/*.ko), after what they depend on
#   in-tree  the kernel's own vhost_net and vhost_vsock
set -euo pipefail

want=$1
for module in tun tap macvtap; do
	modprobe "$module"
done
case $want in
none) ;;
in-tree) modprobe -a vhost_net vhost_vsock ;;
ours)
	# In the order of their dependencies.
	for module in vhost_core vhost_net vhost_blk vhost_vsock; do
		file=/build/$module.ko
		if [ -e "$file" ]; then
			# insmod loads no dependencies: do as modprobe would.
			for dep in $(modinfo -F depends "$file" | tr , ' '); do
				case $dep in
				vhost_core | vhost_net) ;;
				*) modprobe "$dep" ;;
				esac
			done
			insmod "$file"
		fi
	done
	;;
*) echo "load-modules.sh: '$want'?" >&2; exit 2 ;;
esac
