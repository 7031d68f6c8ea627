/* SPDX-License-Identifier: Apache-2.0
 * Making a guest's process: its specification, its volumes one after the other, then the driver. */
#include "exec_priv.h"

#include <stdlib.h>
#include <string.h>

static bool read_spec(struct job *j, const struct guest *g)
{
	struct err err;

	if (j->spec)
		return true;
	if (spec_parse(g->spec, strlen(g->spec), &j->spec, &err) < 0) {
		job_fail(j, err.text);
		return false;
	}
	spec_complete(j->spec);
	return true;
}

static void mapped(void *job, const struct err *err, const char *path)
{
	struct job *j = job;

	if (!err->code)
		vec_push(&j->paths, mem_strdup(path));
	job_called(j, err);
}

/* The next volume that is not yet mapped; false when all are. */
static bool map_next_volume(struct job *j, enum access_mode mode)
{
	const struct spec_disk *disk;
	struct ticket t = { .node = j->x->node, .epoch = j->op.epoch, .mode = mode };
	struct err err;

	if (j->paths.n == j->spec->disks.n)
		return false;
	disk = &j->spec->disks.v[j->paths.n];
	STRCPY(t.pool, disk->pool);
	STRCPY(t.volume, disk->volume);
	if (job_begin(j, storage_map(j->x->conf.storage, &t, mapped, j, &err), &err))
		vec_push(&j->tickets, t);
	return true;
}

static void create(struct job *j, enum access_mode mode, bool incoming)
{
	const struct driver_ops *ops = j->x->conf.driver.ops;
	struct exec *x = j->x;
	struct domain_args args = {
		.spec = j->spec, .epoch = j->op.epoch, .disk_paths = (const char *const *)j->paths.v,
		.listen_address = incoming ? x->conf.events->address(x->conf.ctx) : NULL,
	};
	struct domain *d = NULL;
	struct local *l;
	struct err err = { 0 };
	int rc;

	if (incoming && !args.listen_address) {
		job_fail(j, "this node's address is not known to corosync");
		return;
	}
	rc = incoming ? ops->prepare_in(x->conf.driver.drv, &args, job_called, j, &d, &err)
		      : ops->create(x->conf.driver.drv, &args, job_called, j, &d, &err);
	if (!job_begin(j, rc, &err))
		return;
	j->created = true;
	l = local_add(x, j->op.guest, d, j->op.epoch);
	l->tickets_known = true;
	l->asked_mode = mode;
	l->tickets = j->tickets;
	j->tickets = (tickets){ 0 };
}

void job_release_volumes(struct job *j)
{
	if (!j->tickets.n)
		return;
	volumes_release(j->x, j->op.guest, &j->tickets, NULL, NULL);
	vec_clear(&j->tickets);
}

bool job_is_clear(struct job *j)
{
	if (!j->released) {
		j->released = true;
		volumes_release_known(j->x, j->op.guest, j->op.epoch, NULL, NULL);
	}
	return !j->done && !volumes_leave(j->x, j->op.guest);
}

/* A failed job ends its process first and says so only then: nothing is left behind. */
static void clean_up(struct job *j, struct local *l)
{
	if (l) {
		local_end(j->x, l);
		return;
	}
	vec_clear(&j->tickets);
	if (job_is_clear(j))
		job_report(j, "");
}

bool job_has_process(struct job *j, enum access_mode mode, bool incoming)
{
	const struct guest *g = model_guest(j->x->conf.model, j->op.guest);
	struct local *l = local_get(j->x, j->op.guest);

	if (!g)
		return false;
	if (l && l->epoch != j->op.epoch) {
		local_end(j->x, l);		/* an older copy, in nobody's name: its end steps us again */
		return false;
	}
	if (!l && j->created && !j->failure[0])
		job_fail(j, "its process ended at once");
	if (!l && !j->created && !j->failure[0] && exec_may_run(j->x) && read_spec(j, g) && !map_next_volume(j, mode) && !j->failure[0])
		create(j, mode, incoming);
	if (j->busy)
		return false;
	l = local_get(j->x, j->op.guest);
	if (j->failure[0]) {
		clean_up(j, l);
		return false;
	}
	return l != NULL;
}
