/* SPDX-License-Identifier: Apache-2.0
 * Playing in a process apart. */
#include "apart.h"

#include "world/fail.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_S 600		/* of real time: it turns in a circle */

typedef void play_fn(struct script *script, int64_t us, struct outcome *ret);

static void only_script(struct script *script, int64_t us, struct outcome *ret)
{
	(void)us;
	play_script(script, NULL, ret);
}

static void whole_seed(struct script *script, int64_t us, struct outcome *ret)
{
	play_seed(script, us, NULL, ret);
}

static void judge(int status, struct outcome *ret)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	ret->failed = true;
	STRCPY(ret->what, WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "it has no end" : "it ended itself");
}

static void apart(play_fn *fn, struct script *script, int64_t us, struct outcome *ret)
{
	struct outcome *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t pid;

	world_must(shared != MAP_FAILED);
	fflush(stdout);
	pid = fork();
	world_must(pid >= 0);
	if (!pid) {
		alarm(LONG_S);
		fn(script, us, shared);
		_exit(0);
	}
	world_must(waitpid(pid, &status, 0) == pid);
	judge(status, shared);
	*ret = *shared;
	munmap(shared, sizeof(*shared));
}

void apart_script(const struct script *script, struct outcome *ret)
{
	struct script copy = *script;	/* the other process has its own troubles */

	apart(only_script, &copy, 0, ret);
}

/* What the other process has drawn is drawn again here: it is a function of the seed. */
void apart_seed(struct script *script, int64_t us, struct outcome *ret)
{
	uint64_t random = script->seed * 977 + 1;

	apart(whole_seed, script, us, ret);
	while (script->troubles.n <= ret->done && (ret->failed || script->troubles.n < ret->done))
		trouble_draw(&random, &script->shape, &script->troubles);
	if (script->troubles.n > ret->done + 1)
		script->troubles.n = ret->done + 1;
}
