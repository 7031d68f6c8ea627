/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver: the taps of a guest, from before its process to after it.
 *
 * The kernel takes some 15 ms to remove a tap, and whoever closes its last descriptor waits for
 * that: a killed QEMU would be dead so much later, or this agent deaf. So the agent keeps its own
 * descriptors as long as the process lives, and then hands them to a child that only ends. Until
 * it has, the guest's next process waits, since its taps have the same names. */
#include "qemu_int.h"
#include "qemu_tap.h"

#include <stdlib.h>
#include <unistd.h>

#define LAST_HOLDER "/bin/true"
/* Then something is wrong with the host's network: who waits is told that its tap is busy. */
#define LEAVE_MAX_US (5 * US_PER_S)

/* The taps of a guest whose process is gone. */
struct qemu_leaving {
	struct qemu *q;
	struct id uuid;
	struct child *child;
	struct env_timer *late;
};

void qemu_taps_close(struct domain *d)
{
	for (size_t i = 0; i < d->n_taps; i++)
		close(d->taps[i]);
	d->n_taps = 0;
}

int qemu_taps_open(struct domain *d, struct err *ret_err)
{
	for (size_t i = 0; i < d->nics.n; i++) {
		int fd = qemu_tap_open(&d->info.uuid, i, &d->nics.v[i], ret_err);

		if (fd < 0)
			return fd;
		d->taps[d->n_taps++] = fd;
	}
	return 0;
}

static void leaving_free(struct qemu_leaving *l)
{
	vec_drop(&l->q->leaving, l);
	env_cancel(&l->q->env, &l->late);
	free(l);
}

static void have_left(void *ctx, const struct child_end *end)
{
	struct qemu_leaving *l = ctx;
	struct qemu *q = l->q;

	(void)end;
	leaving_free(l);
	qemu_create_go_on(q);
}

static void forget_child(struct qemu_leaving *l)
{
	l->q->children.ops->cancel(l->q->children.ctx, l->child);
}

static void too_late(void *ctx)
{
	struct qemu_leaving *l = ctx;

	forget_child(l);
	have_left(l, NULL);
}

/* If no child can be made we are the last holder ourselves: slow, and right. */
void qemu_taps_leave(struct domain *d)
{
	static const char *const argv[] = { LAST_HOLDER, NULL };
	struct qemu *q = d->q;
	struct child_spec spec = { .argv = argv, .fds = d->taps, .n_fds = d->n_taps };
	struct qemu_leaving *l;

	if (!d->n_taps)
		return;
	l = mem_new(struct qemu_leaving);
	l->q = q;
	l->uuid = d->info.uuid;
	if (q->children.ops->spawn(q->children.ctx, &spec, have_left, l, &l->child, NULL) == 0) {
		vec_push(&q->leaving, l);
		env_timer(&q->env, &l->late, LEAVE_MAX_US, too_late, l);
	} else {
		free(l);
	}
	qemu_taps_close(d);
}

bool qemu_taps_are_leaving(const struct qemu *q, const struct id *uuid)
{
	struct qemu_leaving *const *l;

	vec_each(l, &q->leaving)
		if (id_equal(&(*l)->uuid, uuid))
			return true;
	return false;
}

void qemu_taps_forget(struct qemu *q)
{
	while (q->leaving.n) {
		forget_child(q->leaving.v[0]);
		leaving_free(q->leaving.v[0]);
	}
	vec_free(&q->leaving);
}
