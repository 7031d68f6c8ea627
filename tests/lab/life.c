/* SPDX-License-Identifier: Apache-2.0
 * What tells network namespaces apart. */
#include "life.h"

#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

bool life_cookie(uint64_t *ret_cookie)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*ret_cookie);
	bool good = fd >= 0 &&
		    getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret_cookie, &size) == 0;

	if (fd >= 0)
		close(fd);
	return good;
}
