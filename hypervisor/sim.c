/* SPDX-License-Identifier: Apache-2.0
 * The simulated driver: one agent's calls into the world, and what it hears from there. */
#include "sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Everything is told from the loop, one notice at a time. A GONE event is the last that a domain's
 * pointer is good for, so it frees the domain.
 */

static void forget_domain(struct sim_driver *drv, struct domain *d)
{
	vec_drop(&drv->domains, d);
	env_cancel(&drv->env, &d->deadline);
	env_cancel(&drv->env, &d->deaf);
	vec_free(&d->kills);
	free(d);
}

static void tell_next(void *ctx);

static struct sim_notice *notice_add(struct sim_driver *drv, struct domain *d)
{
	struct sim_notice *n = vec_add(&drv->notices);

	n->domain = d;
	n->event = DOMAIN_EVENT_INVALID;
	if (!drv->timer)
		env_defer(&drv->env, &drv->timer, tell_next, drv);
	return n;
}

static void notice_done(struct sim_driver *drv, struct sim_waiter waiter, int code,
			const char *text)
{
	struct sim_notice *n = notice_add(drv, NULL);

	n->waiter = waiter;
	if (code)
		err_set(&n->err, code, "%s", text);
}

static void tell(struct sim_driver *drv, struct sim_notice *n)
{
	if (n->adopted)
		drv->events->adopted(drv->ctx);
	else if (n->found)
		drv->events->found(drv->ctx, n->domain);
	else if (n->waiter.done)
		n->waiter.done(n->waiter.ctx, &n->err);
	else
		drv->events->event(drv->ctx, n->domain, n->event, n->err.text);
	if (n->event == DOMAIN_EV_GONE)
		forget_domain(drv, n->domain);
}

static void tell_next(void *ctx)
{
	struct sim_driver *drv = ctx;
	struct sim_notice n = drv->notices.v[0];

	vec_remove(&drv->notices, 0);
	if (drv->notices.n > 0)
		env_defer(&drv->env, &drv->timer, tell_next, drv);
	tell(drv, &n);
}

void sim_tell(struct sim_process *p, enum domain_event event, const char *why)
{
	struct sim_notice *n;

	if (!p->domain || (p->domain->deaf && event != DOMAIN_EV_GONE))
		return;
	n = notice_add(p->domain->driver, p->domain);
	n->event = event;
	err_set(&n->err, 0, "guest %s: %s", p->info.name, why);
}

void sim_step_done(struct sim_process *p, int code, const char *why)
{
	enum step step = p->step;
	char text[ERR_TEXT_MAX];

	if (step == STEP_NONE)
		return;
	p->step = STEP_NONE;
	if (!p->domain)
		return;
	snprintf(text, sizeof(text), "guest %s: cannot %s: %s", p->info.name, step_text(step), why);
	notice_done(p->domain->driver, p->domain->waiter, code, text);
}

void sim_tell_gone(struct sim_process *p, const char *why)
{
	struct domain *d = p->domain;

	if (!d)
		return;
	if (p->step == STEP_CREATE || p->step == STEP_PREPARE_IN)
		sim_step_done(p, -ECHILD, why);
	sim_tell(p, DOMAIN_EV_GONE, why);
	sim_step_done(p, -ECHILD, why);
	for (size_t i = 0; i < d->kills.n; i++)
		notice_done(d->driver, d->kills.v[i], 0, "");
	vec_clear(&d->kills);
	env_cancel(&d->driver->env, &d->deadline);
	env_cancel(&d->driver->env, &d->deaf);
	d->last = p->info;
	d->process = NULL;
	p->domain = NULL;
}

static struct domain *domain_new(struct sim_driver *drv, struct sim_process *p)
{
	struct domain *d = mem_new(struct domain);

	d->driver = drv;
	d->process = p;
	p->domain = d;
	vec_push(&drv->domains, d);
	return d;
}

static struct sim_process *process_new(struct sim_driver *drv, const struct domain_args *args)
{
	const struct guest_spec *spec = args->spec;
	struct sim_process *p = mem_new(struct sim_process);
	char uuid[ID_TEXT_SIZE];

	p->world = drv->world;
	p->serial = ++drv->world->serial;
	STRCPY(p->node, drv->node);
	p->info.uuid = spec->uuid;
	STRCPY(p->info.name, spec->name);
	p->info.epoch = args->epoch;
	p->info.pid = (int)p->serial;
	p->info.total_bytes = (uint64_t)spec->memory_mib << 20;
	p->reboots_in_place = spec->on_reboot == SPEC_AFTER_RESTART;
	snprintf(p->key, sizeof(p->key), "%s/%s", p->node, id_text(&spec->uuid, uuid));
	map_put(drv->world->processes, p->key, p);
	drv->world->changes++;
	return p;
}

static int make(struct sim_driver *drv, enum step step, const struct domain_args *args,
		struct sim_waiter waiter, struct domain **ret_domain, struct err *ret_err)
{
	struct sim_process *p;

	if (drv->cut)
		return err_set(ret_err, -ESHUTDOWN, "node %s has lost power", drv->node);
	if (sim_find(drv->world, drv->node, &args->spec->uuid))
		return err_set(ret_err, -EEXIST, "guest %s: has a process on this node already",
			       args->spec->name);
	p = process_new(drv, args);
	*ret_domain = domain_new(drv, p);
	(*ret_domain)->waiter = waiter;
	sim_step_begin(p, step);
	return 0;
}

static int sim_create(void *drv, const struct domain_args *args, driver_done_fn *done, void *ctx,
		      struct domain **ret_domain, struct err *ret_err)
{
	return make(drv, STEP_CREATE, args, (struct sim_waiter){ done, ctx }, ret_domain, ret_err);
}

static int sim_prepare_in(void *drv, const struct domain_args *args, driver_done_fn *done,
			  void *ctx, struct domain **ret_domain, struct err *ret_err)
{
	return make(drv, STEP_PREPARE_IN, args, (struct sim_waiter){ done, ctx }, ret_domain,
		    ret_err);
}

static int begin(struct domain *d, enum step step, driver_done_fn *done, void *ctx,
		 struct err *ret_err)
{
	struct sim_process *p = d->process;
	int r;

	if (!p)
		return err_set(ret_err, -ESRCH, "guest %s: its process is gone", d->last.name);
	if (d->deaf)
		return err_set(ret_err, -ENOTCONN, "guest %s: it does not listen", p->info.name);
	r = step_check(step, p->info.name, p->info.state, p->step, ret_err);
	if (r < 0)
		return r;
	d->waiter = (struct sim_waiter){ done, ctx };
	sim_step_begin(p, step);
	return 0;
}

/* The operations that differ in nothing but the step. */
#define SIM_STEP(name, step) \
	static int name(void *drv, struct domain *d, driver_done_fn *done, void *ctx, \
			struct err *ret_err) \
	{ \
		(void)drv; \
		return begin(d, step, done, ctx, ret_err); \
	}

SIM_STEP(sim_cont, STEP_CONT)
SIM_STEP(sim_pause, STEP_PAUSE)
SIM_STEP(sim_shutdown, STEP_SHUTDOWN)
SIM_STEP(sim_cancel_send, STEP_CANCEL_SEND)
SIM_STEP(sim_activate, STEP_ACTIVATE)
SIM_STEP(sim_resume_source, STEP_RESUME_SOURCE)

static void deadline_over(void *ctx)
{
	struct domain *d = ctx;

	if (d->process)
		sim_stream_cancel(d->process, "its deadline is over");
}

static int sim_send(void *drv, struct domain *d, const struct send_params *params,
		    driver_done_fn *done, void *ctx, struct err *ret_err)
{
	struct sim_driver *sim = drv;
	char to[SIM_ADDRESS_MAX];
	int r;

	if (strncmp(params->address, "sim:", 4) != 0 || STRCPY(to, params->address) < 0)
		return err_set(ret_err, -EINVAL, "the target's address is not one of prepare_in's");
	r = begin(d, STEP_SEND, done, ctx, ret_err);
	if (r < 0)
		return r;
	STRCPY(d->process->send_to, to);
	env_timer(&sim->env, &d->deadline, params->deadline_us, deadline_over, d);
	return 0;
}

static int sim_kill(void *drv, struct domain *d, driver_done_fn *done, void *ctx,
		    struct err *ret_err)
{
	(void)ret_err;
	if (!d->process) {
		/* Its GONE is on its way: @done comes after it. */
		notice_done(drv, (struct sim_waiter){ done, ctx }, 0, "");
		return 0;
	}
	vec_push(&d->kills, (struct sim_waiter){ done, ctx });
	sim_end(d->process);
	return 0;
}

static const char *sim_incoming_address(void *drv, struct domain *d)
{
	(void)drv;
	return d->process ? d->process->address : "";
}

static void answers_again(void *ctx)
{
	struct domain *d = ctx;

	sim_tell(d->process, DOMAIN_EV_STATE, "it answers again");
}

static void adopt(struct sim_driver *drv, struct sim_process *p)
{
	struct domain *d = domain_new(drv, p);

	if (sim_fault(p, SIM_ADOPT))
		env_timer(&drv->env, &d->deaf, drv->world->conf.deaf_us, answers_again, d);
	notice_add(drv, d)->found = true;
}

static void sim_adopt(void *ctx)
{
	struct sim_driver *drv = ctx;
	struct map_iter it = { 0 };
	struct sim_process *p;

	while (!drv->cut && (p = map_next(drv->world->processes, &it)))
		if (strcmp(p->node, drv->node) == 0 && !p->domain)
			adopt(drv, p);
	notice_add(drv, NULL)->adopted = true;
}

static int sim_note(void *drv, struct domain *d, uint64_t note, struct err *ret_err)
{
	(void)drv;
	if (!d->process)
		return err_set(ret_err, -ESRCH, "guest %s: its process is gone", d->last.name);
	d->process->info.note = note;
	return 0;
}

static void sim_info(void *drv, const struct domain *d, struct domain_info *ret_info)
{
	(void)drv;
	*ret_info = d->process ? d->process->info : d->last;
	if (d->deaf)
		ret_info->state = DOMAIN_BEING_CREATED;
}

void sim_driver_cut(struct sim_driver *drv)
{
	drv->cut = true;
	if (map_get(drv->world->drivers, drv->node) == drv)
		map_remove(drv->world->drivers, drv->node);
	env_cancel(&drv->env, &drv->timer);
	vec_clear(&drv->notices);
	for (size_t i = 0; i < drv->domains.n; i++) {
		struct domain *d = drv->domains.v[i];

		env_cancel(&drv->env, &d->deadline);
		env_cancel(&drv->env, &d->deaf);
		if (d->process) {
			d->last = d->process->info;
			d->process->domain = NULL;
			d->process = NULL;
		}
	}
}

static void sim_free(void *ctx)
{
	struct sim_driver *drv = ctx;

	if (!drv)
		return;
	sim_driver_cut(drv);
	while (drv->domains.n > 0)
		forget_domain(drv, drv->domains.v[0]);
	vec_free(&drv->domains);
	vec_free(&drv->notices);
	free(drv);
}

static const struct driver_ops sim_ops = {
	.name = "sim",
	.create = sim_create,
	.cont = sim_cont,
	.pause = sim_pause,
	.shutdown = sim_shutdown,
	.kill = sim_kill,
	.prepare_in = sim_prepare_in,
	.incoming_address = sim_incoming_address,
	.send = sim_send,
	.cancel_send = sim_cancel_send,
	.activate = sim_activate,
	.abort_in = sim_kill,
	.resume_source = sim_resume_source,
	.adopt = sim_adopt,
	.note = sim_note,
	.info = sim_info,
	.free = sim_free,
};

struct driver sim_driver_new(struct sim_world *w, const char *node, const struct env *env,
			     const struct driver_events *events, void *ctx)
{
	struct sim_driver *drv = mem_new(struct sim_driver);

	drv->world = w;
	STRCPY(drv->node, node);
	drv->env = *env;
	drv->events = events;
	drv->ctx = ctx;
	map_put(w->drivers, node, drv);
	return (struct driver){ &sim_ops, drv };
}
