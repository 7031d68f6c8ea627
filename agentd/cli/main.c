/* SPDX-License-Identifier: Apache-2.0
 * domus: the command line of a cluster. */
#include "cli/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static enum reply_code connect_agent(void *ctx, const char *suffix, struct client *ret,
				     struct err *ret_err)
{
	(void)ctx;
	return client_connect(suffix, ret, ret_err);
}

int main(int argc, char **argv)
{
	struct cli_io io = {
		.in = stdin,
		.out = stdout,
		.err = stderr,
		.in_tty = isatty(STDIN_FILENO),
		.out_tty = isatty(STDOUT_FILENO),
		.socket = getenv("DOMUS_SOCKET"),
		.connect = connect_agent,
	};

	/* An agent that goes away is an error to be told, not an end by signal. */
	signal(SIGPIPE, SIG_IGN);
	return cli_main(argc, argv, &io);
}
