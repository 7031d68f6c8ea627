/* SPDX-License-Identifier: Apache-2.0
 * A guest's network interface on the host: a tap on a bridge, gone with the last descriptor. */
#include "qemu_tap.h"

#include "base/mem.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ends what began with a socket: keeps errno's meaning. */
static int fail(const char *what, const char *tap, const char *bridge, struct err *ret_err)
{
	int code = -errno;

	return err_set(ret_err, code, "cannot %s %s for bridge %s: %s", what, tap, bridge,
		       strerror(-code));
}

/*
 * The tap's own address must not be the lowest on the bridge, or the bridge would take it over and
 * give it up again with the guest: so it begins with fe, and the rest is the guest's.
 */
static int set_mac(int sock, struct ifreq *req, const char *mac)
{
	unsigned int b[6];
	unsigned char *to = (unsigned char *)req->ifr_hwaddr.sa_data;

	if (sscanf(mac, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6) {
		errno = EINVAL;
		return -1;
	}
	req->ifr_hwaddr.sa_family = ARPHRD_ETHER;
	to[0] = 0xfe;
	for (size_t i = 1; i < 6; i++)
		to[i] = (unsigned char)b[i];
	return ioctl(sock, SIOCSIFHWADDR, req);
}

/* A bridge has the smallest MTU of its ports: the tap must not lower it for all. */
static int copy_mtu(int sock, const char *bridge, struct ifreq *req)
{
	struct ifreq of_bridge = { 0 };

	STRCPY(of_bridge.ifr_name, bridge);
	if (ioctl(sock, SIOCGIFMTU, &of_bridge) < 0)
		return -1;
	req->ifr_mtu = of_bridge.ifr_mtu;
	return ioctl(sock, SIOCSIFMTU, req);
}

static int plug_in(int sock, const char *tap, const char *bridge)
{
	struct ifreq req = { 0 };

	STRCPY(req.ifr_name, bridge);
	req.ifr_ifindex = (int)if_nametoindex(tap);
	return ioctl(sock, SIOCBRADDIF, &req);
}

static int bring_up(int sock, struct ifreq *req)
{
	if (ioctl(sock, SIOCGIFFLAGS, req) < 0)
		return -1;
	req->ifr_flags |= IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, req);
}

static int configure(const char *tap, const struct spec_nic *nic, struct err *ret_err)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;
	struct ifreq req = { 0 };

	if (sock < 0)
		return fail("configure", tap, nic->bridge, ret_err);
	STRCPY(req.ifr_name, tap);
	if (set_mac(sock, &req, nic->mac) < 0 || copy_mtu(sock, nic->bridge, &req) < 0)
		r = fail("configure", tap, nic->bridge, ret_err);
	else if (plug_in(sock, tap, nic->bridge) < 0)
		r = fail("plug in", tap, nic->bridge, ret_err);
	else if (bring_up(sock, &req) < 0)
		r = fail("bring up", tap, nic->bridge, ret_err);
	close(sock);
	return r;
}

/*
 * The same name on every attempt, so that a second process of one guest on one host is refused
 * here too.
 */
static int make_tap(const struct id *uuid, size_t index, struct ifreq *req)
{
	const uint8_t *b = uuid->b;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	req->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	snprintf(req->ifr_name, sizeof(req->ifr_name), "dom%02x%02x%02x%02x%02x%x", b[0], b[1],
		 b[2], b[3], b[4], (unsigned int)index & 0xf);
	if (ioctl(fd, TUNSETIFF, req) < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int qemu_tap_open(const struct id *uuid, size_t index, const struct spec_nic *nic,
		  struct err *ret_err)
{
	struct ifreq req = { 0 };
	int fd, r;

	if (if_nametoindex(nic->bridge) == 0)
		return err_set(ret_err, -ENODEV,
			       "this node has no bridge %s: make it, or name another "
			       "in the guest's \"nics\"",
			       nic->bridge);
	fd = make_tap(uuid, index, &req);
	if (fd < 0)
		return fail("make tap", req.ifr_name, nic->bridge, ret_err);
	r = configure(req.ifr_name, nic, ret_err);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
