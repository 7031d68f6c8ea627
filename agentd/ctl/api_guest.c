/* SPDX-License-Identifier: Apache-2.0
 * Methods that order something of guests. */
#include "api_priv.h"

#include "base/mem.h"
#include "hypervisor/spec.h"

#include <stdlib.h>
#include <string.h>

static const enum after after_of_spec[SPEC_AFTER_MAX] = {
	[SPEC_AFTER_STOP] = AFTER_STOP,
	[SPEC_AFTER_RESTART] = AFTER_RESTART,
};

/* The guest's record as its specification wants it. */
static struct guest *guest_of_spec(const struct guest_spec *spec)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct guest *g = mem_new(struct guest);
	const struct spec_disk *d;

	STRCPY(g->name, spec->name);
	g->uuid = spec->uuid;
	g->memory_mib = spec->memory_mib;
	g->vcpus = spec->vcpus;
	g->on_poweroff = after_of_spec[spec->on_poweroff];
	g->on_reboot = after_of_spec[spec->on_reboot];
	g->on_crash = after_of_spec[spec->on_crash];
	g->stop_timeout_s = spec->stop_timeout_s;
	g->restart_max = spec->restart_max;
	g->restart_window_s = spec->restart_window_s;
	vec_each(d, &spec->disks) {
		struct guest_volume *v = vec_add(&g->volumes);

		STRCPY(v->pool, d->pool);
		STRCPY(v->name, d->volume);
		v->readonly = d->readonly;
	}
	spec_print(spec, &text);
	g->spec = buf_take(&text);
	return g;
}

/*
 * A guest keeps its uuid for life: given anew it must be the same, left out it is the one that it
 * has, and a new guest's is random. Two guests never have the same.
 */
static int settle_uuid(struct api *api, struct guest_spec *spec, struct err *ret_err)
{
	const struct model *m = engine_model(api->engine);
	const struct guest *old = model_guest(m, spec->name), *g;
	struct map_iter it = { 0 };

	if (id_is_none(&spec->uuid))
		spec->uuid = old ? old->uuid : id_random(&api->env);
	if (old && !id_equal(&old->uuid, &spec->uuid))
		return err_set(ret_err, -EINVAL,
			       "%s: a guest's uuid cannot be changed: leave \"uuid\" out",
			       spec->name);
	while ((g = map_next(m->guests, &it)))
		if (g != old && id_equal(&g->uuid, &spec->uuid))
			return err_set(ret_err, -EEXIST, "%s: its uuid is that of %s: give another",
				       spec->name, g->name);
	return 0;
}

void api_guest_define(void *ctx, struct call *call)
{
	_cleanup_(mem_freep) char *text = params_text(call->params.spec);
	_cleanup_(spec_freep) struct guest_spec *spec = NULL;
	struct api *api = ctx;
	struct err err = { 0 };
	struct command c;

	if (spec_parse(text, strlen(text), &spec, &err) < 0) {
		call_fail(call, REPLY_BAD_REQUEST, "%s", err.text);
		return;
	}
	if (settle_uuid(api, spec, &err) < 0) {
		call_fail_err(call, &err);
		return;
	}
	spec_complete(spec);
	STRCPY(call->params.name, spec->name);
	c = api_command(api, call, CMD_GUEST_DEFINE);
	c.guest = guest_of_spec(spec);
	api_order(api, call, &c);
}

void api_guest_undefine(void *ctx, struct call *call)
{
	struct command c;

	if (!api_guest(ctx, call))
		return;
	c = api_command(ctx, call, CMD_GUEST_UNDEFINE);
	api_order(ctx, call, &c);
}

/* The node that was asked for, if one was. False: it has been answered that there is none. */
static bool wanted_node(struct api *api, struct call *call, uint32_t *ret_node)
{
	const struct node *n;

	*ret_node = 0;
	if (!call->params.node[0])
		return true;
	n = api_node(api, call);
	if (n)
		*ret_node = n->id;
	return n != NULL;
}

static void order_want(struct api *api, struct call *call, enum desired desired)
{
	struct command c = api_command(api, call, CMD_GUEST_WANT);

	c.desired = desired;
	c.stop_now = desired == DESIRED_STOPPED && call->params.now;
	if (wanted_node(api, call, &c.node))
		api_order(api, call, &c);
}

void api_guest_start(void *ctx, struct call *call)
{
	if (api_guest(ctx, call))
		order_want(ctx, call, DESIRED_RUNNING);
}

void api_guest_stop(void *ctx, struct call *call)
{
	if (api_guest(ctx, call))
		order_want(ctx, call, DESIRED_STOPPED);
}

void api_guest_pause(void *ctx, struct call *call)
{
	if (api_guest(ctx, call))
		order_want(ctx, call, DESIRED_PAUSED);
}

/* What is ordered is "running"; said of a guest that was not paused it would be a start. */
void api_guest_resume(void *ctx, struct call *call)
{
	const struct guest *g = api_guest(ctx, call);

	if (!g)
		return;
	if (g->desired == DESIRED_STOPPED)
		call_fail(call, REPLY_REFUSED,
			  "%s is %s, not paused: start it with: domus guest start %s", g->name,
			  guest_state_text(g->state), g->name);
	else
		order_want(ctx, call, DESIRED_RUNNING);
}

void api_guest_migrate(void *ctx, struct call *call)
{
	struct command c = api_command(ctx, call, CMD_GUEST_MIGRATE);

	if (api_guest(ctx, call) && wanted_node(ctx, call, &c.node))
		api_order(ctx, call, &c);
}

void api_guest_console(void *ctx, struct call *call)
{
	struct api *api = ctx;
	const struct guest *g = api_guest(api, call);
	struct domain_info info;
	bool here;
	struct jsonw *j;

	if (!g)
		return;
	if (!g->owner.node) {
		call_fail(call, REPLY_REFUSED, "%s is %s: it has no console now", g->name,
			  guest_state_text(g->state));
		return;
	}
	here = engine_domain(api->engine, g->name, &info) == 0;
	if (here && !info.serial[0]) {
		call_fail(call, REPLY_REFUSED, "%s has no serial console", g->name);
		return;
	}
	j = call_result(call);
	jsonw_object(j);
	jsonw_kv_bool(j, "here", here);
	api_node_json(j, "node", engine_model(api->engine), g->owner.node);
	jsonw_kv_str(j, "path", here ? info.serial : NULL);
	jsonw_object_end(j);
	call_answer(call);
}
