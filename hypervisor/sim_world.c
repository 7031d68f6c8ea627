/* SPDX-License-Identifier: Apache-2.0
 * The simulated world: guest processes, what they do when asked and by themselves. */
#include "sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sim_point_names[SIM_POINT_MAX] = {
	[SIM_CREATE] = "create",     [SIM_PREPARE_IN] = "prepare-in",
	[SIM_CONT] = "cont",         [SIM_PAUSE] = "pause",
	[SIM_SHUTDOWN] = "shutdown", [SIM_SEND] = "send",
	[SIM_TRANSFER] = "transfer", [SIM_SWITCHOVER] = "switchover",
	[SIM_CONFIRM] = "confirm",   [SIM_CANCEL_SEND] = "cancel-send",
	[SIM_ACTIVATE] = "activate", [SIM_RESUME_SOURCE] = "resume-source",
	[SIM_ADOPT] = "adopt",
};
TABLE_DEFINE(sim_point, enum sim_point, SIM_POINT_MAX);

/* Measured with QEMU 7.2 under TCG on a small machine, rounded. */
const struct sim_conf sim_conf_default = {
	.create_us = 150 * US_PER_MS,
	.command_us = 1 * US_PER_MS,
	.kill_us = 20 * US_PER_MS,
	.shutdown_us = 2 * US_PER_S,
	.transfer_us = 200 * US_PER_MS,
	.switchover_us = 30 * US_PER_MS,
	.confirm_us = 1 * US_PER_MS,
	.deaf_us = 4 * US_PER_S,
};

static void process_free(void *value)
{
	struct sim_process *p = value;

	p->world->changes++;
	sim_stream_free(p);
	env_cancel(&p->world->env, &p->step_timer);
	env_cancel(&p->world->env, &p->guest_timer);
	env_cancel(&p->world->env, &p->end_timer);
	free(p);
}

struct sim_world *sim_world_new(const struct env *env, const struct sim_conf *conf,
				const struct sim_hooks *hooks, void *hooks_ctx)
{
	struct sim_world *w = mem_new(struct sim_world);

	w->env = *env;
	w->conf = conf ? *conf : sim_conf_default;
	if (hooks)
		w->hooks = *hooks;
	w->hooks_ctx = hooks_ctx;
	w->processes = map_new(process_free);
	w->drivers = map_new(NULL);
	return w;
}

void sim_world_free(struct sim_world *w)
{
	if (!w)
		return;
	map_free(w->processes);
	map_free(w->drivers);
	free(w);
}

struct sim_process *sim_find(const struct sim_world *w, const char *node, const struct id *uuid)
{
	char key[SIM_NODE_MAX + ID_TEXT_SIZE], text[ID_TEXT_SIZE];

	snprintf(key, sizeof(key), "%s/%s", node, id_text(uuid, text));
	return map_get(w->processes, key);
}

const char *sim_fault(const struct sim_process *p, enum sim_point point)
{
	const struct sim_world *w = p->world;

	return w->hooks.fault ? w->hooks.fault(w->hooks_ctx, p->node, &p->info.uuid, point) : NULL;
}

void sim_set_state(struct sim_process *p, enum domain_state state, const char *why)
{
	p->world->changes++;
	p->info.state = state;
	p->vcpus = state_runs(state);
	p->info.was_running |= p->vcpus;
	sim_tell(p, DOMAIN_EV_STATE, why);
}

static void listen_at(struct sim_process *p)
{
	char uuid[ID_TEXT_SIZE];

	snprintf(p->address, sizeof(p->address), "sim:%s:%s:%llu", p->node,
		 id_text(&p->info.uuid, uuid), (unsigned long long)p->info.epoch);
}

static void powers_off(void *ctx)
{
	struct sim_process *p = ctx;

	if (!p->vcpus)
		return; /* it could not hear the button: the caller's deadline ends it */
	sim_stream_cancel(p, "the guest powered itself off");
	sim_set_state(p, DOMAIN_POWERED_OFF, "the guest powered itself off");
}

static void effect_create(struct sim_process *p)
{
	sim_set_state(p, DOMAIN_CREATED, "created");
}

static void effect_prepare_in(struct sim_process *p)
{
	listen_at(p);
	sim_set_state(p, DOMAIN_INCOMING, "waits for the stream");
}

static void effect_run(struct sim_process *p)
{
	sim_set_state(p, DOMAIN_RUNNING, "runs");
}

static void effect_pause(struct sim_process *p)
{
	sim_set_state(p, DOMAIN_PAUSED, "paused");
}

static void effect_shutdown(struct sim_process *p)
{
	if (!sim_fault(p, SIM_SHUTDOWN))
		env_timer(&p->world->env, &p->guest_timer, p->world->conf.shutdown_us, powers_off,
			  p);
}

static void effect_cancel_send(struct sim_process *p)
{
	sim_stream_cancel(p, "cancelled");
}

/* What a step does when its time has come. @ends: its failure leaves no process. */
static const struct step_row {
	void (*effect)(struct sim_process *p);
	enum sim_point point;
	bool ends;
} step_rows[STEP_MAX] = {
	[STEP_CREATE] = { effect_create, SIM_CREATE, true },
	[STEP_PREPARE_IN] = { effect_prepare_in, SIM_PREPARE_IN, true },
	[STEP_CONT] = { effect_run, SIM_CONT, false },
	[STEP_PAUSE] = { effect_pause, SIM_PAUSE, false },
	[STEP_SHUTDOWN] = { effect_shutdown, SIM_POINT_INVALID, false },
	[STEP_SEND] = { sim_stream_begin, SIM_SEND, false },
	[STEP_CANCEL_SEND] = { effect_cancel_send, SIM_CANCEL_SEND, false },
	[STEP_ACTIVATE] = { effect_run, SIM_ACTIVATE, false },
	[STEP_RESUME_SOURCE] = { effect_run, SIM_RESUME_SOURCE, false },
};

/*
 * The guest may have changed by itself since the step was asked for: then the step fails as a
 * command to QEMU would. A cancel that comes too late succeeds and does nothing.
 */
static const char *step_obstacle(const struct sim_process *p, const struct step_row *row)
{
	if (!row->ends && p->step != STEP_CANCEL_SEND && !step_allowed(p->step, p->info.state))
		return "its state has changed meanwhile";
	return row->point == SIM_POINT_INVALID ? NULL : sim_fault(p, row->point);
}

static void step_fires(void *ctx)
{
	struct sim_process *p = ctx;
	const struct step_row *row = &step_rows[p->step];
	const char *obstacle = step_obstacle(p, row);

	if (!obstacle) {
		row->effect(p);
		sim_step_done(p, 0, "");
		return;
	}
	sim_step_done(p, -EIO, obstacle);
	if (row->ends)
		sim_die(p, obstacle);
}

void sim_step_begin(struct sim_process *p, enum step step)
{
	const struct sim_conf *conf = &p->world->conf;
	bool slow = step == STEP_CREATE || step == STEP_PREPARE_IN;

	p->step = step;
	env_timer(&p->world->env, &p->step_timer, slow ? conf->create_us : conf->command_us,
		  step_fires, p);
}

static void end_fires(void *ctx)
{
	sim_die(ctx, "killed");
}

void sim_end(struct sim_process *p)
{
	if (p->ending)
		return;
	p->ending = true;
	env_cancel(&p->world->env, &p->step_timer);
	sim_stream_lost_peer(p);
	sim_set_state(p, DOMAIN_ENDING, "killed");
	env_timer(&p->world->env, &p->end_timer, p->world->conf.kill_us, end_fires, p);
}

void sim_die(struct sim_process *p, const char *why)
{
	sim_stream_lost_peer(p);
	sim_tell_gone(p, why);
	map_remove(p->world->processes, p->key);
}

void sim_node_crash(struct sim_world *w, const char *node)
{
	struct sim_driver *drv = map_get(w->drivers, node);
	struct map_iter it = { 0 };
	struct sim_process *p;

	if (drv)
		sim_driver_cut(drv);
	while ((p = map_next(w->processes, &it)))
		if (strcmp(p->node, node) == 0)
			map_remove(w->processes, p->key);
}

static void deed_poweroff(struct sim_process *p)
{
	powers_off(p);
}

static void deed_panic(struct sim_process *p)
{
	sim_stream_cancel(p, "the guest's kernel panicked");
	sim_set_state(p, DOMAIN_CRASHED, "the guest's kernel panicked");
}

static void deed_reboot(struct sim_process *p)
{
	if (p->reboots_in_place) {
		sim_tell(p, DOMAIN_EV_RESET, "the guest rebooted");
		return;
	}
	p->info.rebooted = true;
	sim_stream_cancel(p, "the guest rebooted");
	sim_set_state(p, DOMAIN_POWERED_OFF, "the guest rebooted");
}

static void deed_lose_disk(struct sim_process *p)
{
	sim_stream_cancel(p, "its disk failed");
	sim_set_state(p, DOMAIN_IO_ERROR, "its disk failed");
}

int sim_guest_deed(struct sim_world *w, const char *node, const struct id *uuid, enum sim_deed deed)
{
	static void (*const deeds[])(struct sim_process *) = {
		[SIM_POWERS_OFF] = deed_poweroff,
		[SIM_PANICS] = deed_panic,
		[SIM_REBOOTS] = deed_reboot,
		[SIM_LOSES_DISK] = deed_lose_disk,
	};
	struct sim_process *p = sim_find(w, node, uuid);

	if (!p)
		return -ENOENT;
	if (deed == SIM_DIES)
		return sim_die(p, "the process died"), 0;
	if (!p->vcpus)
		return -EINVAL;
	deeds[deed](p);
	return 0;
}

void sim_world_walk(const struct sim_world *w, void (*fn)(void *ctx, const struct sim_seen *seen),
		    void *ctx)
{
	struct map_iter it = { 0 };
	const struct sim_process *p;

	while ((p = map_next(w->processes, &it))) {
		struct sim_seen seen = { p->node, p->info.uuid, p->info.epoch, p->info.state,
					 p->vcpus };

		fn(ctx, &seen);
	}
}

uint64_t sim_world_changes(const struct sim_world *w)
{
	return w->changes;
}

struct running_count {
	const struct id *uuid;
	size_t n;
};

static void count_running(void *ctx, const struct sim_seen *seen)
{
	struct running_count *count = ctx;

	count->n += seen->vcpus_run && id_equal(&seen->uuid, count->uuid);
}

size_t sim_world_running(const struct sim_world *w, const struct id *uuid)
{
	struct running_count count = { uuid, 0 };

	sim_world_walk(w, count_running, &count);
	return count.n;
}
