/* SPDX-License-Identifier: Apache-2.0
 * The test guest's first and only process: loads drivers, brings up the network, serves pages. */
#include "guest.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MODULES_LIST "/modules/order"
#define CMDLINE_MAX 4096

static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return n > 0;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "guest: cannot write %s: %s\n", path, strerror(errno));
	close(fd);
}

static void load_module(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/modules/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
		fprintf(stderr, "guest: cannot load %s: %s\n", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* The list names dependencies first. */
static void load_modules(void)
{
	char line[64];
	FILE *list = fopen(MODULES_LIST, "re");

	if (!list)
		return;
	while (fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		load_module(line);
	}
	fclose(list);
}

/* Copies the value of KEY=VALUE in the kernel's command line. */
static bool cmdline_value(const char *key, char *value, size_t size)
{
	char cmdline[CMDLINE_MAX], *word, *rest = NULL;
	size_t len = strlen(key);

	if (!read_text("/proc/cmdline", cmdline, sizeof(cmdline)))
		return false;
	for (word = strtok_r(cmdline, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (strncmp(word, key, len) == 0 && word[len] == '=') {
			snprintf(value, size, "%s", word + len + 1);
			return true;
		}
	}
	return false;
}

static bool if_address(int fd, struct ifreq *ifr, unsigned long request, uint32_t address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = address };

	memcpy(&ifr->ifr_addr, &in, sizeof(in));
	return ioctl(fd, request, ifr) == 0;
}

/* @address is A.B.C.D/BITS. */
static bool if_up(const char *name, const char *address)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };
	char text[32];
	unsigned bits = 24;
	struct in_addr in;
	bool good;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (sscanf(address, "%31[0-9.]/%u", text, &bits) < 1 || inet_aton(text, &in) == 0 ||
	    bits < 1 || bits > 32) {
		close(fd);
		return false;
	}
	good = if_address(fd, &ifr, SIOCSIFADDR, in.s_addr) &&
	       if_address(fd, &ifr, SIOCSIFNETMASK, htonl(~0U << (32 - bits)));
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	good = ioctl(fd, SIOCSIFFLAGS, &ifr) == 0 && good;
	close(fd);
	return good;
}

/* The power button may be any of the event files. */
static int open_button(void)
{
	char path[32];
	int i, fd;

	for (i = 0; i < 4; i++) {
		char name[64] = "";

		snprintf(path, sizeof(path), "/dev/input/event%d", i);
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (ioctl(fd, EVIOCGNAME(sizeof(name)), name) > 0 &&
		    strstr(name, "Power Button"))
			return fd;
		close(fd);
	}
	return -1;
}

static void end(enum guest_end how)
{
	/* The last answers are still in the network card, which ends with the guest. */
	usleep(50 * 1000);
	if (how == GUEST_CRASH)
		write_text("/proc/sysrq-trigger", "c");
	reboot(how == GUEST_REBOOT ? RB_AUTOBOOT : RB_POWER_OFF);
}

int main(void)
{
	struct guest guest = { .counter.fd = -1 };
	char address[64];

	/* devtmpfs may be there already, and stdio points at the console if there is one. */
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	load_modules();
	read_text("/proc/sys/kernel/random/boot_id", guest.boot, sizeof(guest.boot));
	if (!cmdline_value("domus.name", guest.name, sizeof(guest.name)))
		snprintf(guest.name, sizeof(guest.name), "guest");
	if_up("lo", "127.0.0.1/8");
	/* Tells switches and neighbours at once where this address lives now. */
	write_text("/proc/sys/net/ipv4/conf/all/arp_notify", "1");
	if (!cmdline_value("domus.ip", address, sizeof(address)) || !if_up("eth0", address))
		printf("guest without network\n");
	counter_open(&guest.counter, "/dev/vda");
	guest.button = open_button();
	printf("guest up boot=%s name=%s disk=%s button=%s\n", guest.boot, guest.name,
	       counter_state(&guest.counter), guest.button < 0 ? "none" : "good");
	web_serve(&guest);
	end(guest.end);
	return 1;
}
