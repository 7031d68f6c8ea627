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
/* What follows from the guest's end goes first: a process is a millisecond's work. */
#define LEAVE_US     (2 * US_PER_MS)
/* Then something is wrong with the host's network: who waits is told that its tap is busy. */
#define LEAVE_MAX_US (5 * US_PER_S)

/* The taps of a guest whose process is gone. */
struct qemu_leaving {
	struct qemu *q;
	struct id uuid;
	struct qemu_taps taps; /* until the child has them */
	struct child *child;
	struct env_timer *timer; /* to the child, and to its end */
};

void qemu_taps_close(struct qemu_taps *t)
{
	for (size_t i = 0; i < t->n; i++)
		close(t->fds[i]);
	t->n = 0;
}

int qemu_taps_open(struct domain *d, struct err *ret_err)
{
	for (size_t i = 0; i < d->nics.n; i++) {
		int fd = qemu_tap_open(&d->info.uuid, i, &d->nics.v[i], ret_err);

		if (fd < 0)
			return fd;
		d->taps.fds[d->taps.n++] = fd;
	}
	return 0;
}

static void leaving_free(struct qemu_leaving *l)
{
	vec_drop(&l->q->leaving, l);
	env_cancel(&l->q->env, &l->timer);
	qemu_taps_close(&l->taps);
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
	if (l->child)
		l->q->children.ops->cancel(l->q->children.ctx, l->child);
}

static void too_late(void *ctx)
{
	struct qemu_leaving *l = ctx;

	forget_child(l);
	have_left(l, NULL);
}

/* If no child can be made we are the last holder ourselves: slow, and right. */
static void give_to_child(void *ctx)
{
	static const char *const argv[] = { LAST_HOLDER, NULL };
	struct qemu_leaving *l = ctx;
	const struct children *children = &l->q->children;
	struct child_spec spec = { .argv = argv, .fds = l->taps.fds, .n_fds = l->taps.n };
	int r = children->ops->spawn(children->ctx, &spec, have_left, l, &l->child, NULL);

	qemu_taps_close(&l->taps);
	if (r == 0)
		env_timer(&l->q->env, &l->timer, LEAVE_MAX_US, too_late, l);
	else
		have_left(l, NULL);
}

void qemu_taps_leave(struct domain *d)
{
	struct qemu_leaving *l;

	if (!d->taps.n)
		return;
	l = mem_new(struct qemu_leaving);
	*l = (struct qemu_leaving){ .q = d->q, .uuid = d->info.uuid, .taps = d->taps };
	d->taps.n = 0;
	vec_push(&d->q->leaving, l);
	env_timer(&d->q->env, &l->timer, LEAVE_US, give_to_child, l);
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
