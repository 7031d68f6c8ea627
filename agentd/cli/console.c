/* SPDX-License-Identifier: Apache-2.0
 * domus guest console: the terminal becomes the guest's serial line. */
#include "guest_verbs.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE 0x1d /* Ctrl-] */

static int connect_path(struct cli *cli, const char *path, int *ret_status)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s;

	if (STRCPY(a.sun_path, path) < 0) {
		*ret_status = cli_error(cli, 1, "guest console %s: path too long: %s", cli->args[0], path);
		return -1;
	}
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s >= 0 && connect(s, (struct sockaddr *)&a, sizeof(a)) == 0)
		return s;
	if (errno == EACCES)
		*ret_status = cli_error(cli, reply_exit_code(REPLY_DENIED),
					"guest console %s: permission denied: become root or join "
					"the group " PROTO_GROUP,
					cli->args[0]);
	else
		*ret_status = cli_error(cli, 1, "guest console %s: %s: %s%s", cli->args[0], path,
					strerror(errno),
					errno == EAGAIN ? ": is somebody else on it?" : "");
	if (s >= 0)
		close(s);
	return -1;
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno != EINTR)
			return false;
		if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
	}
	return true;
}

/* What came in on @from goes to @to, up to Ctrl-] from a person. False: that was the end. */
static bool pass(int from, int to, bool person)
{
	char chunk[4096];
	ssize_t n = read(from, chunk, sizeof(chunk));
	const char *end = NULL;

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	if (person)
		end = memchr(chunk, ESCAPE, (size_t)n);
	return write_all(to, chunk, end ? (size_t)(end - chunk) : (size_t)n) && !end;
}

/* Until the guest's end closes, or Ctrl-]. An input that ends is just not listened to any more. */
static void copy(struct cli *cli, int s, int in, int out)
{
	struct pollfd fds[] = { { s, POLLIN, 0 }, { in, POLLIN, 0 } };

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents && !pass(s, out, false))
			return;
		if (fds[1].revents && !pass(in, s, true)) {
			if (cli->io->in_tty)
				return;
			fds[1].fd = -1;
		}
	}
}

static void talk(struct cli *cli, int s)
{
	int in = fileno(cli->io->in), out = fileno(cli->io->out);
	struct termios before, raw;
	bool tty = cli->io->in_tty && tcgetattr(in, &before) == 0;

	if (tty) {
		fprintf(cli->io->err, "console of %s; Ctrl-] ends\n", cli->args[0]);
		raw = before;
		cfmakeraw(&raw);
		tcsetattr(in, TCSADRAIN, &raw);
	}
	copy(cli, s, in, out);
	if (tty) {
		tcsetattr(in, TCSADRAIN, &before);
		fputs("\nconsole ended\n", cli->io->err);
	}
}

int guest_console(struct cli *cli)
{
	const char *guest = cli->args[0];
	struct reply r;
	int ret = cli_call(cli, METHOD_GUEST_CONSOLE, json_pack("{s:s}", "name", guest), &r);
	int s;

	if (ret == 0 && cli_json(cli, &r)) {
		reply_clear(&r);
		return 0;
	}
	if (ret == 0 && !cli_bool(r.result, "here"))
		ret = cli_error(cli, EXIT_REFUSED,
				"%s runs on %s: run there: domus guest console %s", guest,
				cli_str(r.result, "node"), guest);
	if (ret == 0) {
		s = connect_path(cli, cli_str(r.result, "path"), &ret);
		if (s >= 0) {
			talk(cli, s);
			close(s);
		}
	}
	reply_clear(&r);
	return ret;
}
