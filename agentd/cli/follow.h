/* SPDX-License-Identifier: Apache-2.0
 * Waiting for what was ordered to happen, and telling how far it is. */
#ifndef DOMUS_CLI_FOLLOW_H
#define DOMUS_CLI_FOLLOW_H

#include "cli.h"

#include "base/buf.h"

enum verdict { FOLLOW_ON, FOLLOW_DONE, FOLLOW_FAILED };

/*
 * What is being followed. Time is the agent's, as its replies tell it.
 */
struct follow {
	struct cli *cli;
	enum method method;		/* what to ask again and again, with */
	const char *key, *name;		/* {key: name}; NULL: nothing */
	int timeout_s;
	int wait_ms;			/* looks at least so often, even if nothing happens */
	/* Looks at an answer: done, failed (@text: why), or on (@text: how far; may be empty). */
	enum verdict (*look)(struct follow *f, const struct reply *r, struct buf *text);
	int failed_code;		/* exit code of FOLLOW_FAILED */
	void *ctx;

	/* For `look`. */
	uint64_t since;			/* ledger index of the order */
	int64_t began_us, now_us;

	int64_t old_since_us;		/* answers are not current since then; 0: they are */
};

/*
 * Follows until done, failed or the timeout (exit code 6). Progress is one line that is
 * written over, on a terminal only. The last answer is in @ret: reply_clear it.
 *
 * A node that loses the majority meanwhile sees no more of it: that is said at once, and after
 * 10 s it ends with exit code 6. What an old answer says was done was done; what it says has
 * failed is not believed, since the others may be at it.
 */
int follow(struct follow *f, struct reply *ret);

#endif
