/* SPDX-License-Identifier: Apache-2.0
 * Simulated live migration: a stream in phases, each of which can break or fall silent. */
#include "sim_int.h"

#include <stdlib.h>
#include <string.h>

#define TRANSFER_STEPS 4
#define SILENCE_US     (50 * US_PER_MS) /* how often a silent stream is looked at again */

static void stream_steps(void *ctx);

static void step_in(struct sim_process *source, int64_t us)
{
	env_timer(&source->world->env, &source->stream->timer, us, stream_steps, source);
}

static bool link_up(const struct sim_process *source)
{
	const struct sim_world *w = source->world;

	return !w->hooks.linked ||
	       w->hooks.linked(w->hooks_ctx, source->node, source->stream->target_node);
}

/* The process at the other end, or NULL when that very one is no more. */
static struct sim_process *target_of(const struct sim_process *source)
{
	const struct sim_stream *s = source->stream;
	struct sim_process *t = sim_find(source->world, s->target_node, &source->info.uuid);

	return t && t->serial == s->target_serial ? t : NULL;
}

void sim_stream_free(struct sim_process *source)
{
	if (!source->stream)
		return;
	env_cancel(&source->world->env, &source->stream->timer);
	free(source->stream);
	source->stream = NULL;
}

static void break_target(struct sim_process *source, const char *why)
{
	struct sim_process *target = target_of(source);

	if (target && target->info.state == DOMAIN_INCOMING && link_up(source))
		sim_tell(target, DOMAIN_EV_FAILED, why);
}

/* Gives up: the source is again what it was, the target has only its end left. */
void sim_stream_cancel(struct sim_process *source, const char *why)
{
	bool paused;

	if (!source->stream)
		return;
	paused = source->stream->paused_before;
	break_target(source, why);
	sim_stream_free(source);
	sim_set_state(source, paused ? DOMAIN_PAUSED : DOMAIN_RUNNING, why);
	sim_tell(source, DOMAIN_EV_FAILED, why);
}

static bool sends_to(const struct sim_process *source, const struct sim_process *target)
{
	return source->stream && target_of(source) == target;
}

/* A process that dies resets its connections; a node that loses power does not. */
void sim_stream_lost_peer(struct sim_process *gone)
{
	struct map_iter it = { 0 };
	struct sim_process *p;

	if (gone->stream) {
		break_target(gone, "the source's process is gone");
		sim_stream_free(gone);
	}
	while ((p = map_next(gone->world->processes, &it)))
		if (sends_to(p, gone) && link_up(p))
			sim_stream_cancel(p, "the target's process is gone");
}

/* Takes the node from "sim:NODE:UUID:EPOCH". No process there leaves target_serial 0. */
static void connect_to(struct sim_process *source, const char *address)
{
	const char *node = address + 4, *end = strchr(node, ':');
	struct sim_stream *s = source->stream;
	struct sim_process *t;

	if (!end || (size_t)(end - node) >= sizeof(s->target_node))
		return;
	memcpy(s->target_node, node, (size_t)(end - node));
	t = sim_find(source->world, s->target_node, &source->info.uuid);
	if (t && t->info.state == DOMAIN_INCOMING && strcmp(t->address, address) == 0)
		s->target_serial = t->serial;
}

void sim_stream_begin(struct sim_process *source)
{
	const struct sim_conf *conf = &source->world->conf;
	struct sim_stream *s = mem_new(struct sim_stream);

	s->paused_before = source->info.state == DOMAIN_PAUSED;
	s->steps_left = TRANSFER_STEPS;
	source->stream = s;
	source->info.sent_bytes = 0;
	source->info.remaining_bytes = source->info.total_bytes;
	sim_set_state(source, DOMAIN_SENDING, "is being sent");
	source->vcpus = !s->paused_before;
	connect_to(source, source->send_to);
	step_in(source, conf->transfer_us / TRANSFER_STEPS);
}

static const char *transfer(struct sim_process *source)
{
	struct sim_stream *s = source->stream;
	const struct sim_conf *conf = &source->world->conf;
	const char *broken = sim_fault(source, SIM_TRANSFER);

	if (broken)
		return broken;
	s->steps_left--;
	source->info.sent_bytes =
		source->info.total_bytes / TRANSFER_STEPS * (TRANSFER_STEPS - s->steps_left);
	source->info.remaining_bytes = source->info.total_bytes - source->info.sent_bytes;
	sim_tell(source, DOMAIN_EV_PROGRESS, "sending");
	if (s->steps_left > 0) {
		step_in(source, conf->transfer_us / TRANSFER_STEPS);
		return NULL;
	}
	s->phase = SIM_SWITCHING_OVER;
	source->vcpus = false;
	source->world->changes++;
	step_in(source, conf->switchover_us);
	return NULL;
}

static const char *switch_over(struct sim_process *source)
{
	const char *broken = sim_fault(source, SIM_SWITCHOVER);
	struct sim_process *target = target_of(source);

	if (broken)
		return broken;
	target->info.state = DOMAIN_LOADED;
	target->world->changes++;
	sim_tell(target, DOMAIN_EV_LOADED, "everything is here");
	source->stream->phase = SIM_CONFIRMING;
	step_in(source, source->world->conf.confirm_us);
	return NULL;
}

static const char *confirm(struct sim_process *source)
{
	const struct sim_conf *conf = &source->world->conf;
	const char *broken = sim_fault(source, SIM_CONFIRM);

	if (broken)
		return broken;
	sim_stream_free(source);
	source->info.downtime_ms = (uint32_t)((conf->switchover_us + conf->confirm_us) / US_PER_MS);
	source->info.total_ms =
		source->info.downtime_ms + (uint32_t)(conf->transfer_us / US_PER_MS);
	source->info.state = DOMAIN_SENT;
	source->world->changes++;
	sim_tell(source, DOMAIN_EV_SENT, "sent and confirmed");
	return NULL;
}

/* A cut link, or a node that lost power, is silence: only a cancel or the deadline ends it. */
static bool stream_is_silent(const struct sim_process *source)
{
	return !link_up(source) || (source->stream->target_serial != 0 && !target_of(source));
}

static void stream_steps(void *ctx)
{
	static const char *(*const phases[])(struct sim_process *) = {
		[SIM_TRANSFERRING] = transfer,
		[SIM_SWITCHING_OVER] = switch_over,
		[SIM_CONFIRMING] = confirm,
	};
	struct sim_process *source = ctx;
	const char *broken;

	if (stream_is_silent(source)) {
		step_in(source, SILENCE_US);
		return;
	}
	broken = source->stream->target_serial == 0 ? "nobody listens at the target's address"
						    : phases[source->stream->phase](source);
	if (broken)
		sim_stream_cancel(source, broken);
}
