// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>

#include "netdev.h"

int net_private(void)
{
	if (unshare(CLONE_NEWNET))
		return -errno;
	return netdev_up("lo");
}

int tap_open(char name[IFNAMSIZ], int flags)
{
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags,
	};
	int fd, err;

	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		err = -errno;
		close(fd);
		return err;
	}
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	return fd;
}

int tap_hdr_len(int fd, int len)
{
	return ioctl(fd, TUNSETVNETHDRSZ, &len) ? -errno : 0;
}

int tap_offload(int fd, unsigned int flags)
{
	return ioctl(fd, TUNSETOFFLOAD, (unsigned long)flags) ? -errno : 0;
}

int netdev_run(const char *fmt, ...)
{
	char cmd[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd) ? -EIO : 0;
}

long long netdev_stat(const char *name, unsigned int column)
{
	char line[512], *at, *word;
	long long value = -1;
	/* Of the thread's network name space; /sys is of the first one. */
	FILE *f = fopen("/proc/thread-self/net/dev", "re");

	while (f && value < 0 && fgets(line, sizeof(line), f)) {
		at = strchr(line, ':');
		if (!at)
			continue;
		*at = '\0';
		if (strcmp(line + strspn(line, " "), name))
			continue;
		for (word = strtok(at + 1, " "); word && column--;)
			word = strtok(NULL, " ");
		value = word ? atoll(word) : -1;
	}
	if (f)
		fclose(f);
	return value;
}

int macvtap_open(const char *parent, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	char path[64];
	int fd, err;

	err = netdev_run("ip link add link %s name %s type macvtap mode vepa",
			 parent, name);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/dev/tap%d", netdev_index(name));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int packet_open(const char *name, int type, int proto)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(proto),
		.sll_ifindex = netdev_index(name),
	};
	int fd, err, one = 1, size = 4 << 20;

	if (sll.sll_ifindex < 0)
		return sll.sll_ifindex;
	fd = socket(AF_PACKET, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sll, sizeof(sll))) {
		err = -errno;
		close(fd);
		return err;
	}
	/* What we send ourselves is not what we want to see. */
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

/* One interface ioctl. */
static int if_ioctl(unsigned long req, struct ifreq *ifr, const char *name)
{
	int fd, ret;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	memset(ifr->ifr_name, 0, IFNAMSIZ);
	strncpy(ifr->ifr_name, name, IFNAMSIZ - 1);
	ret = ioctl(fd, req, ifr) ? -errno : 0;
	close(fd);
	return ret;
}

int netdev_index(const char *name)
{
	struct ifreq ifr;
	int err = if_ioctl(SIOCGIFINDEX, &ifr, name);

	return err ? err : ifr.ifr_ifindex;
}

static int change_flags(const char *name, short set, short clear)
{
	struct ifreq ifr;
	int err = if_ioctl(SIOCGIFFLAGS, &ifr, name);

	if (err)
		return err;
	ifr.ifr_flags = (ifr.ifr_flags & ~clear) | set;
	return if_ioctl(SIOCSIFFLAGS, &ifr, name);
}

int netdev_up(const char *name)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
		 name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		/* May fail without IPv6: all the better. */
		(void)!write(fd, "1", 1);
		close(fd);
	}
	return change_flags(name, IFF_UP | (strcmp(name, "lo") ? IFF_NOARP : 0), 0);
}

int netdev_down(const char *name)
{
	return change_flags(name, 0, IFF_UP);
}

int netdev_mtu(const char *name, int mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };

	return if_ioctl(SIOCSIFMTU, &ifr, name);
}

int netdev_txqueuelen(const char *name, int len)
{
	struct ifreq ifr = { .ifr_qlen = len };

	return if_ioctl(SIOCSIFTXQLEN, &ifr, name);
}

int netdev_mac(const char *name, __u8 mac[6])
{
	struct ifreq ifr;
	int err = if_ioctl(SIOCGIFHWADDR, &ifr, name);

	if (!err)
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return err;
}

static int bpf(int cmd, union bpf_attr *attr)
{
	int ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

static int xdp_load(const struct bpf_insn *insn, unsigned int n)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uintptr_t)insn;
	attr.insn_cnt = n;
	attr.license = (uintptr_t)"GPL";
	return bpf(BPF_PROG_LOAD, &attr);
}

int xdp_prog_return(int action)
{
	const struct bpf_insn insn[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = action },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return xdp_load(insn, 2);
}

int xdp_prog_redirect(int ifindex)
{
	const struct bpf_insn insn[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = ifindex },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return xdp_load(insn, 4);
}

int xdp_attach(int ifindex, int prog)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = prog;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = XDP_FLAGS_DRV_MODE;
	return bpf(BPF_LINK_CREATE, &attr);
}

static __u8 frame_byte(__u32 seq, size_t at)
{
	return seq * 31 + at * 7 + (at >> 8);
}

static const __u8 head[14] = {
	/* Locally administered, not the tap's: as a bridge's traffic. */
	0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1,
	NET_ETH_P_TEST >> 8, NET_ETH_P_TEST & 0xff,
};

void frame_fill(void *buf, size_t len, __u32 seq)
{
	__u8 *p = buf;
	size_t i;

	memcpy(p, head, sizeof(head));
	memcpy(p + 14, &seq, 4);
	for (i = FRAME_MIN; i < len; i++)
		p[i] = frame_byte(seq, i);
}

long long frame_check(const void *buf, size_t len)
{
	const __u8 *p = buf;
	__u32 seq;
	size_t i;

	if (len < FRAME_MIN || memcmp(p, head, sizeof(head)))
		return -1;
	memcpy(&seq, p + 14, 4);
	for (i = FRAME_MIN; i < len; i++)
		if (p[i] != frame_byte(seq, i))
			return -1;
	return seq;
}

int sock_recv(int fd, void *buf, size_t size, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	n = recv(fd, buf, size, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN) {
		if (poll(&p, 1, ms) <= 0)
			return -ETIMEDOUT;
		n = recv(fd, buf, size, MSG_DONTWAIT);
	}
	return n < 0 ? -errno : n;
}
