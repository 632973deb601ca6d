// SPDX-License-Identifier: GPL-2.0
/*
 * agent - process 1 of the nested guest, and the same program on its host.
 *
 * As process 1 it mounts what is needed, loads /modules in the order of
 * /modules/order, then serves /dev/ttyS1: one command a line, its output
 * lines, and a closing line "= STATUS". "= 0" is sent once unasked, when
 * the guest is ready. There is nothing to time: whoever holds the other end
 * reads until the closing line.
 *
 * With arguments it runs that one command and exits with its status, so both
 * ends of a transfer are this program:
 *
 *   recv PORT FILE [hold]        take one connection's bytes into FILE; with
 *                                "hold" leave them in the socket's buffer
 *                                until a line "go" arrives
 *   send HOST PORT FILE [RATE]   send FILE; with RATE (bytes a second) that
 *                                slowly until a line "go" arrives; any other
 *                                line asks how many bytes are acknowledged
 *   spray HOST PORT N            N datagrams from as many sockets, which the
 *                                two ends spread over their queues
 *   offload IF on|off            checksum, scatter-gather, GSO, TSO, GRO
 *   channels IF N                queue pairs in use
 *   kicks IF                     the driver's kick counters, queue by queue
 *   carrier IF 0|1 SECONDS       wait until the link is down or up
 *   hugefile FILE MIB            make FILE, its memory touched
 *   reboot                       (process 1 only)
 *   anything else                goes to the shell
 *
 * Bulk data must cost the guest little: under two levels of emulation a
 * copy more is seconds more. Hence mmap on the one side, sendfile on the other.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define HOLD_BUFFER (16 << 20)	/* what a held socket may keep */
#define PACED_CHUNK (16 << 10)	/* what is sent at once at a given rate */

static int ctl_in, ctl_out = 1;

static void say(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 1)
		n = sizeof(line) - 1;
	if (write(ctl_out, line, n) != n)
		return;
}

static int fail(const char *what)
{
	say("%s: %s\n", what, strerror(errno));
	return 1;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* Reads one line, byte by byte: what follows it belongs to the next reader. */
static int read_line(char *line, size_t size)
{
	size_t n = 0;
	char c;

	for (;;) {
		ssize_t got = read(ctl_in, &c, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		if (c == '\r' || c == '\n')
			break;
		if (n < size - 1)
			line[n++] = c;
	}
	line[n] = 0;
	return n;
}

static int report(const char *verb, uint64_t bytes, uint64_t start)
{
	uint64_t ms = now_ms() - start;

	say("%s %llu bytes %llu ms\n", verb, (unsigned long long)bytes, (unsigned long long)ms);
	return 0;
}

static int cmd_recv(char **arg)
{
	int hold = arg[3] && !strcmp(arg[3], "hold"), one = 1, big = HOLD_BUFFER;
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(atoi(arg[1])) };
	int file, listener, sock;
	uint64_t start, done = 0;
	struct stat st;
	char line[64];
	char *map;

	file = open(arg[2], O_RDWR | O_CREAT, 0600);
	if (file < 0 || fstat(file, &st))
		return fail(arg[2]);
	/* The file has its final size beforehand: see hugefile. */
	map = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
	if (map == MAP_FAILED)
		return fail("mmap");
	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (hold)
		setsockopt(listener, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	if (bind(listener, (void *)&sin, sizeof(sin)) || listen(listener, 1))
		return fail("listen");
	say("listening\n");
	sock = accept(listener, NULL, NULL);
	if (sock < 0)
		return fail("accept");
	close(listener);
	start = now_ms();
	if (hold) {
		say("holding\n");
		if (read_line(line, sizeof(line)) < 0 || strcmp(line, "go"))
			return fail("no go");
		if (ioctl(sock, SIOCINQ, &big) == 0)
			say("held %d bytes\n", big);
	}
	while (done < (uint64_t)st.st_size) {
		ssize_t got = recv(sock, map + done, st.st_size - done, MSG_WAITALL);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail("recv");
		if (!got)
			break;
		done += got;
	}
	munmap(map, st.st_size);
	close(sock);
	close(file);
	if (done != (uint64_t)st.st_size) {
		say("short: %llu of %llu bytes\n", (unsigned long long)done,
		    (unsigned long long)st.st_size);
		return 1;
	}
	return report("received", done, start);
}

static int cmd_send(char **arg)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(atoi(arg[2])) };
	uint64_t start, rate = arg[4] ? strtoull(arg[4], NULL, 0) : 0;
	struct tcp_info info;
	socklen_t len = sizeof(info);
	struct stat st;
	off_t done = 0;
	int file, sock, blocked = 0;
	char line[64];
	char c;

	file = open(arg[3], O_RDONLY);
	if (file < 0 || fstat(file, &st))
		return fail(arg[3]);
	if (inet_pton(AF_INET, arg[1], &sin.sin_addr) != 1)
		return fail(arg[1]);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(sock, (void *)&sin, sizeof(sin)))
		return fail("connect");
	start = now_ms();
	while (rate && done < st.st_size) {
		struct pollfd in = { .fd = ctl_in, .events = POLLIN };
		uint64_t due = start + done * 1000 / rate, now = now_ms();
		int wait = due > now ? due - now : 0;
		size_t chunk = st.st_size - done;

		/* While the peer takes nothing, look again now and then. */
		if (blocked && wait < 20)
			wait = 20;
		if (poll(&in, 1, wait) > 0) {
			if (read_line(line, sizeof(line)) < 0 || !strcmp(line, "go"))
				break;
			getsockopt(sock, IPPROTO_TCP, TCP_INFO, &info, &len);
			say("acked %llu\n", (unsigned long long)info.tcpi_bytes_acked);
			continue;
		}
		if (chunk > PACED_CHUNK)
			chunk = PACED_CHUNK;
		/* Not to block: a question may come. */
		fcntl(sock, F_SETFL, O_NONBLOCK);
		blocked = sendfile(sock, file, &done, chunk) < 0;
		if (blocked && errno != EAGAIN && errno != EINTR)
			return fail("sendfile");
	}
	fcntl(sock, F_SETFL, 0);
	while (done < st.st_size)
		if (sendfile(sock, file, &done, st.st_size - done) < 0 && errno != EINTR)
			return fail("sendfile");
	/* The peer closes once it has read everything. */
	shutdown(sock, SHUT_WR);
	if (recv(sock, &c, 1, 0) < 0)
		return fail("peer");
	close(sock);
	close(file);
	return report("sent", done, start);
}

static int ethtool(const char *ifname, void *data)
{
	struct ifreq ifr = { .ifr_data = data };
	int sock = socket(AF_INET, SOCK_DGRAM, 0), ret;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	ret = ioctl(sock, SIOCETHTOOL, &ifr);
	close(sock);
	return ret;
}

static int cmd_offload(char **arg)
{
	static const struct {
		const char *name;
		uint32_t get, set;
	} all[] = {
		/* In the order in which they depend on each other. */
		{ "rx", ETHTOOL_GRXCSUM, ETHTOOL_SRXCSUM },
		{ "tx", ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM },
		{ "sg", ETHTOOL_GSG, ETHTOOL_SSG },
		{ "tso", ETHTOOL_GTSO, ETHTOOL_STSO },
		{ "gso", ETHTOOL_GGSO, ETHTOOL_SGSO },
		{ "gro", ETHTOOL_GGRO, ETHTOOL_SGRO },
	};
	int on = !strcmp(arg[2], "on"), n = sizeof(all) / sizeof(all[0]), i, bad = 0;

	for (i = 0; i < n; i++) {
		int at = on ? i : n - 1 - i;
		struct ethtool_value val = { .cmd = all[at].set, .data = on };
		int err = ethtool(arg[1], &val) ? errno : 0;

		val.cmd = all[at].get;
		if (ethtool(arg[1], &val))
			return fail(all[at].name);
		say("%s=%u%s%s ", all[at].name, val.data, err ? ":" : "", err ? strerror(err) : "");
		/* virtio_net has no switch for receive checksums. */
		if (!!val.data != on && strcmp(all[at].name, "rx"))
			bad = 1;
	}
	say("\n");
	return bad;
}

static int cmd_channels(char **arg)
{
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };

	if (ethtool(arg[1], &ch))
		return fail("channels");
	ch.cmd = ETHTOOL_SCHANNELS;
	ch.combined_count = atoi(arg[2]);
	if (ethtool(arg[1], &ch) && errno != EINVAL)
		return fail("channels");
	ch.cmd = ETHTOOL_GCHANNELS;
	if (ethtool(arg[1], &ch))
		return fail("channels");
	say("combined %u of %u\n", ch.combined_count, ch.max_combined);
	return ch.combined_count != (unsigned int)atoi(arg[2]);
}

static int cmd_kicks(char **arg)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t n;
	} sset = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1 << ETH_SS_STATS } };
	struct ethtool_gstrings *names;
	struct ethtool_stats *stats;
	uint32_t i;

	if (ethtool(arg[1], &sset))
		return fail("sset");
	names = calloc(1, sizeof(*names) + sset.n * ETH_GSTRING_LEN);
	stats = calloc(1, sizeof(*stats) + sset.n * sizeof(uint64_t));
	if (!names || !stats)
		return fail("memory");
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_STATS;
	names->len = sset.n;
	stats->cmd = ETHTOOL_GSTATS;
	stats->n_stats = sset.n;
	if (ethtool(arg[1], names) || ethtool(arg[1], stats))
		return fail("stats");
	for (i = 0; i < sset.n; i++) {
		const char *name = (char *)names->data + i * ETH_GSTRING_LEN;
		char dir[2];
		unsigned int queue;
		int end = 0;

		if (sscanf(name, "%1[rt]x%u_kicks%n", dir, &queue, &end) == 2 && end && !name[end])
			say("%s=%llu\n", name, (unsigned long long)stats->data[i]);
	}
	free(names);
	free(stats);
	return 0;
}

static int cmd_spray(char **arg)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(atoi(arg[2])) };
	int n = atoi(arg[3]), i, sock;

	if (inet_pton(AF_INET, arg[1], &sin.sin_addr) != 1)
		return fail(arg[1]);
	for (i = 0; i < n; i++) {
		sock = socket(AF_INET, SOCK_DGRAM, 0);
		if (sendto(sock, "spray", 5, 0, (void *)&sin, sizeof(sin)) != 5)
			return fail("sendto");
		close(sock);
	}
	return 0;
}

static int carrier_is(const char *ifname, int want)
{
	char path[128], c = '0';
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", ifname);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		if (read(fd, &c, 1) != 1)
			c = '0';
		close(fd);
	}
	return (c == '1') == want;
}

static int cmd_carrier(char **arg)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), want = atoi(arg[2]);
	uint64_t end = now_ms() + atoi(arg[3]) * 1000ull, now;
	char buf[8192];

	if (bind(sock, (void *)&nl, sizeof(nl)))
		return fail("netlink");
	while (!carrier_is(arg[1], want)) {
		struct pollfd p = { .fd = sock, .events = POLLIN };

		now = now_ms();
		if (now >= end || poll(&p, 1, end - now) <= 0) {
			say("timeout\n");
			close(sock);
			return 1;
		}
		if (recv(sock, buf, sizeof(buf), 0) < 0)
			continue;
	}
	close(sock);
	return 0;
}

static int cmd_hugefile(char **arg)
{
	size_t size = strtoul(arg[2], NULL, 0) << 20;
	int file = open(arg[1], O_RDWR | O_CREAT, 0600);
	char *map;

	if (file < 0 || ftruncate(file, size))
		return fail(arg[1]);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
	if (map == MAP_FAILED)
		return fail("mmap");
	munmap(map, size);
	close(file);
	return 0;
}

static int cmd_shell(const char *line)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return fail("fork");
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(ctl_out, 1);
		dup2(ctl_out, 2);
		execl("/bin/busybox", "sh", "-c", line, NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(char *line)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **arg);
	} commands[] = {
		{ "recv", 2, cmd_recv },
		{ "send", 3, cmd_send },
		{ "offload", 2, cmd_offload },
		{ "channels", 2, cmd_channels },
		{ "kicks", 1, cmd_kicks },
		{ "spray", 3, cmd_spray },
		{ "carrier", 3, cmd_carrier },
		{ "hugefile", 2, cmd_hugefile },
	};
	char copy[512], *arg[8] = { NULL }, *save = NULL;
	size_t i;
	int n = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (arg[0] = strtok_r(copy, " ", &save); n < 7 && arg[n];)
		arg[++n] = strtok_r(NULL, " ", &save);
	if (!n)
		return 0;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(arg[0], commands[i].name))
			continue;
		if (n - 1 < commands[i].args) {
			say("%s: arguments missing\n", arg[0]);
			return 2;
		}
		return commands[i].run(arg);
	}
	if (!strcmp(arg[0], "reboot") && getpid() == 1)
		return reboot(RB_AUTOBOOT);
	return cmd_shell(line);
}

static void load_modules(void)
{
	FILE *order = fopen("/modules/order", "r");
	char name[128], path[160];

	while (order && fscanf(order, "%127s", name) == 1) {
		int fd;

		snprintf(path, sizeof(path), "/modules/%s", name);
		fd = open(path, O_RDONLY);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			say("%s: %s\n", name, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	if (order)
		fclose(order);
}

static void become_init(void)
{
	struct termios tio;
	int console;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("tmp", "/t", "tmpfs", 0, "huge=always,size=90%");
	console = open("/dev/console", O_WRONLY);
	ctl_out = console;
	load_modules();
	ctl_in = open("/dev/ttyS1", O_RDWR | O_NOCTTY);
	if (ctl_in < 0) {
		fail("/dev/ttyS1");
		reboot(RB_POWER_OFF);
	}
	tcgetattr(ctl_in, &tio);
	cfmakeraw(&tio);
	tcsetattr(ctl_in, TCSANOW, &tio);
	ctl_out = ctl_in;
	setenv("PATH", "/bin", 1);
}

int main(int argc, char **argv)
{
	char line[512] = "";
	int i;

	if (getpid() != 1) {
		for (i = 1; i < argc; i++) {
			strncat(line, argv[i], sizeof(line) - strlen(line) - 2);
			strcat(line, " ");
		}
		return run(line);
	}
	become_init();
	say("= 0\n");
	while (read_line(line, sizeof(line)) >= 0)
		say("= %d\n", run(line));
	return 1;
}
