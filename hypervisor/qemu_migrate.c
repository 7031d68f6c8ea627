/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver: live migration, the source's end, in the steps that policy orders.
 *
 * The source finishes and stands still; who runs then is decided above us. Until it has said
 * "completed" QEMU resumes it by itself on any failure, which is right: only the source may run
 * before the hand-over. */
#include "qemu_int.h"

#include <stdio.h>
#include <string.h>

#define PROGRESS_US      (100 * US_PER_MS)
#define DOWNTIME_MAX_MS  1000 /* raised no further than this */
#define PASSES_PER_RAISE 3    /* passes over memory without an end before the limit is doubled */
/* The vCPUs stand in the last pass; with 1 s of downtime allowed, this long means a silent peer. */
#define LAST_PASS_MAX_US (3 * US_PER_S)
/* QEMU writes the last pass with its main lock held: a silent peer then makes it deaf, but for the
 * monitor's own thread, where yank cuts the socket. */
#define YANK_AFTER_US    (300 * US_PER_MS)
#define SETTLE_US        (20 * US_PER_MS)
#define SETTLE_TRIES_MAX 100
/* It says "completed" a moment before it has reckoned its figures. */
#define FIGURES_US        (1 * US_PER_MS)
#define FIGURES_TRIES_MAX 5

void qemu_send_forget(struct domain *d)
{
	const struct env *env = &d->q->env;

	env_cancel(env, &d->send.deadline);
	env_cancel(env, &d->send.poll);
	env_cancel(env, &d->send.last_pass);
	env_cancel(env, &d->send.cancel);
}

static void read_progress(struct domain *d, const struct json_t *data)
{
	const struct json_t *ram = qmp_object(data, "ram");

	if (ram) {
		d->info.sent_bytes = qmp_u64(ram, "transferred");
		d->info.total_bytes = qmp_u64(ram, "total");
		d->info.remaining_bytes = qmp_u64(ram, "remaining");
	}
	d->info.total_ms = (uint32_t)qmp_u64(data, "total-time");
	d->info.downtime_ms = (uint32_t)qmp_u64(data, "downtime");
}

static void poll_progress(void *ctx);
static void source_event(struct domain *d, const char *status);

static void progress_known(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;

	if (d->info.state != DOMAIN_SENDING || d->send.ending)
		return;
	env_timer(&d->q->env, &d->send.poll, PROGRESS_US, poll_progress, d);
	if (err->code)
		return;
	/* The event of its end may have been lost with a connection. */
	source_event(d, qmp_str(data, "status"));
	if (d->send.ending)
		return;
	read_progress(d, data);
	qemu_event(d, DOMAIN_EV_PROGRESS, "sending");
}

static void poll_progress(void *ctx)
{
	struct domain *d = ctx;

	if (d->qmp)
		qmp_conn_call(d->qmp, "query-migrate", NULL, progress_known, d);
	else
		env_timer(&d->q->env, &d->send.poll, PROGRESS_US, poll_progress, d);
}

static void ignore_answer(void *ctx, const struct err *err, const struct json_t *data)
{
	(void)ctx;
	(void)err;
	(void)data;
}

static void yank(void *ctx)
{
	struct domain *d = ctx;

	if (d->info.state != DOMAIN_SENDING || d->send.ending)
		return;
	if (d->qmp)
		qmp_conn_call_oob(d->qmp, "yank", "{\"instances\":[{\"type\":\"migration\"}]}",
				  ignore_answer, NULL);
	env_timer(&d->q->env, &d->send.cancel, US_PER_S, yank, d);
}

/* QEMU says how it ended by an event, also when the cancel came too late. */
static void give_up(struct domain *d, const char *why, qmp_done_fn *answered, void *ctx)
{
	if (!d->send.why[0])
		snprintf(d->send.why, sizeof(d->send.why), "%s", why);
	qmp_conn_call(d->qmp, "migrate_cancel", NULL, answered, ctx);
	env_timer(&d->q->env, &d->send.cancel, YANK_AFTER_US, yank, d);
}

void qemu_send_stop(struct domain *d, const char *why)
{
	if (d->qmp && d->info.state == DOMAIN_SENDING && !d->send.ending)
		give_up(d, why, ignore_answer, NULL);
}

static void deadline_over(void *ctx)
{
	qemu_send_stop(ctx, "its deadline is over");
}

static void last_pass_over(void *ctx)
{
	qemu_send_stop(ctx, "the target fell silent in the last pass");
}

void qemu_last_pass(struct domain *d)
{
	if (!d->send.ending)
		env_timer(&d->q->env, &d->send.last_pass, LAST_PASS_MAX_US, last_pass_over, d);
}

/* The guest writes faster than we send: let it stand longer in the last pass. */
static void raise_downtime(struct domain *d)
{
	char args[64];

	d->send.downtime_ms = d->send.downtime_ms * 2 > DOWNTIME_MAX_MS ? DOWNTIME_MAX_MS
									: d->send.downtime_ms * 2;
	snprintf(args, sizeof(args), "{\"downtime-limit\":%u}", d->send.downtime_ms);
	qmp_conn_call(d->qmp, "migrate-set-parameters", args, ignore_answer, NULL);
}

void qemu_migration_pass(struct domain *d, const struct json_t *data)
{
	(void)data;
	if (d->info.state != DOMAIN_SENDING || d->send.ending)
		return;
	d->send.passes++;
	if (d->send.passes % PASSES_PER_RAISE == 0 && d->send.downtime_ms < DOWNTIME_MAX_MS)
		raise_downtime(d);
}

static void is_sent(struct domain *d)
{
	d->info.state = DOMAIN_SENT;
	qemu_event(d, DOMAIN_EV_SENT, "sent and confirmed");
}

static void source_completed(void *ctx);

static void completed(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;

	if (d->info.state != DOMAIN_SENDING)
		return;
	if (!err->code)
		read_progress(d, data);
	if (!err->code && !d->info.total_ms && d->send.figures_tries++ < FIGURES_TRIES_MAX) {
		env_timer(&d->q->env, &d->send.poll, FIGURES_US, source_completed, d);
		return;
	}
	is_sent(d);
}

static void failed(struct domain *d, enum domain_state state, const char *trouble)
{
	struct err why;

	err_set(&why, 0, "%s%s%s", d->send.why, trouble[0] ? ": " : "", trouble);
	qemu_set_state(d, state, why.text);
	qemu_event(d, DOMAIN_EV_FAILED, why.text);
}

static void ask_settled(void *ctx);

static void resumed(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;

	(void)data;
	if (d->info.state != DOMAIN_SENDING)
		return;
	if (err->code)
		failed(d, DOMAIN_PAUSED, err->text);
	else
		failed(d, DOMAIN_RUNNING, "");
}

/*
 * After a failure QEMU runs the guest again by itself, some moments after it said so. If it did
 * not, it is our turn: "completed" was never said, so nobody else may run it.
 */
static void settled(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;
	const char *status = qmp_str(data, "status");
	enum domain_state state = qemu_state_of(d, status);

	if (d->info.state != DOMAIN_SENDING)
		return;
	if ((err->code || state == DOMAIN_SENDING) && d->send.settle_tries++ < SETTLE_TRIES_MAX) {
		env_timer(&d->q->env, &d->send.poll, SETTLE_US, ask_settled, d);
		return;
	}
	if (state == DOMAIN_RUNNING || state >= DOMAIN_POWERED_OFF)
		failed(d, state, "");
	else if (d->send.paused_before)
		failed(d, DOMAIN_PAUSED, "");
	else
		qmp_conn_call(d->qmp, "cont", NULL, resumed, d);
}

static void ask_settled(void *ctx)
{
	struct domain *d = ctx;

	if (d->qmp)
		qmp_conn_call(d->qmp, "query-status", NULL, settled, d);
	else
		env_timer(&d->q->env, &d->send.poll, SETTLE_US, ask_settled, d);
}

static void reason_known(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;
	const char *said = qmp_str(data, "error-desc");

	if (!d->send.why[0])
		snprintf(d->send.why, sizeof(d->send.why), "%s",
			 !err->code && said[0] ? said : "the stream to the target broke");
	ask_settled(d);
}

static void source_completed(void *ctx)
{
	struct domain *d = ctx;

	if (d->qmp)
		qmp_conn_call(d->qmp, "query-migrate", NULL, completed, d);
	else
		is_sent(d);
}

static void source_failed(void *ctx)
{
	struct domain *d = ctx;

	d->send.settle_tries = 0;
	qmp_conn_call(d->qmp, "query-migrate", NULL, reason_known, d);
}

static const struct {
	const char *status;
	void (*end)(void *domain);
} send_ends[] = {
	{ "completed", source_completed },
	{ "failed", source_failed },
	{ "cancelled", source_failed },
};

static void source_event(struct domain *d, const char *status)
{
	for (size_t i = 0; i < ARRAY_SIZE(send_ends); i++) {
		if (strcmp(send_ends[i].status, status) != 0 || d->send.ending)
			continue;
		d->send.ending = true;
		qemu_send_forget(d);
		send_ends[i].end(d);
	}
}

void qemu_migration_event(struct domain *d, const struct json_t *data)
{
	const char *status = qmp_str(data, "status");

	if (d->info.state == DOMAIN_INCOMING)
		qemu_incoming_event(d, status);
	else if (d->info.state == DOMAIN_SENDING)
		source_event(d, status);
}

static void under_way(struct domain *d)
{
	env_timer(&d->q->env, &d->send.deadline, d->send.deadline_us, deadline_over, d);
	env_timer(&d->q->env, &d->send.poll, PROGRESS_US, poll_progress, d);
}

static void send_failed(struct domain *d, const struct err *err)
{
	qemu_set_state(d, d->send.paused_before ? DOMAIN_PAUSED : DOMAIN_RUNNING, err->text);
	qemu_step_done(d, err);
}

static void send_accepted(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;

	(void)data;
	if (d->info.state == DOMAIN_ENDING)
		return;
	if (err->code) {
		send_failed(d, err);
		return;
	}
	under_way(d);
	qemu_step_done(d, err);
}

/*
 * The state changes before the command, since its events may overtake the answer. If the guest
 * ended by itself meanwhile there is nothing to send.
 */
static void parameters_set(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;
	char args[QEMU_ADDRESS_MAX + 32];
	struct err changed;

	(void)data;
	if (d->info.state == DOMAIN_ENDING)
		return;
	if (err->code) {
		qemu_step_done(d, err);
		return;
	}
	if (!step_allowed(STEP_SEND, d->info.state)) {
		err_set(&changed, -EINVAL, "its state changed meanwhile");
		qemu_step_done(d, &changed);
		return;
	}
	d->send.paused_before = d->info.state == DOMAIN_PAUSED;
	qemu_set_state(d, DOMAIN_SENDING, "is being sent");
	snprintf(args, sizeof(args), "{\"uri\":\"%s\"}", d->send.address);
	qmp_conn_call(d->qmp, "migrate", args, send_accepted, d);
}

static void source_capable(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;
	char args[96];

	(void)data;
	if (d->info.state == DOMAIN_ENDING)
		return;
	if (err->code) {
		qemu_step_done(d, err);
		return;
	}
	snprintf(args, sizeof(args), "{\"max-bandwidth\":%llu,\"downtime-limit\":%u}",
		 (unsigned long long)d->send.max_bytes_per_s, d->send.downtime_ms);
	qmp_conn_call(d->qmp, "migrate-set-parameters", args, parameters_set, d);
}

int qemu_send(void *drv, struct domain *d, const struct send_params *params, driver_done_fn *done,
	      void *ctx, struct err *ret_err)
{
	struct qemu_send send = {
		.max_bytes_per_s = params->max_bytes_per_s,
		.downtime_ms = params->downtime_ms ? params->downtime_ms : 1,
		.deadline_us = params->deadline_us,
	};
	int r;

	(void)drv;
	if (strncmp(params->address, "tcp:", 4) != 0 || !qemu_address_ok(params->address) ||
	    STRCPY(send.address, params->address) < 0)
		return err_set(ret_err, -EINVAL,
			       "guest %s: the target's address is not one of "
			       "prepare_in's",
			       d->info.name);
	if (!send.max_bytes_per_s || send.max_bytes_per_s > INT64_MAX)
		return err_set(ret_err, -EINVAL, "guest %s: the bandwidth is out of range",
			       d->info.name);
	r = qemu_step_begin(d, STEP_SEND, done, ctx, ret_err);
	if (r < 0)
		return r;
	qemu_send_forget(d);
	d->send = send;
	qmp_conn_call(d->qmp, "migrate-set-capabilities", qemu_migrate_capabilities, source_capable,
		      d);
	return 0;
}

static void cancel_answered(void *ctx, const struct err *err, const struct json_t *data)
{
	(void)data;
	qemu_step_done(ctx, err);
}

int qemu_cancel_send(void *drv, struct domain *d, driver_done_fn *done, void *ctx,
		     struct err *ret_err)
{
	int r = qemu_step_begin(d, STEP_CANCEL_SEND, done, ctx, ret_err);

	(void)drv;
	if (r < 0)
		return r;
	give_up(d, "cancelled", cancel_answered, d);
	return 0;
}

/*
 * The deadline ended with the agent that had set it: the successor's caller sets another, or
 * cancels.
 */
void qemu_send_resumed(struct domain *d)
{
	d->send.downtime_ms = DOWNTIME_MAX_MS;
	poll_progress(d);
}
