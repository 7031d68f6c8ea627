/* SPDX-License-Identifier: Apache-2.0
 * The arena: applying with checks, deciding, and a log of both. */
#include "arena.h"

#include "kit/kit.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 40

struct id arena_life(const struct arena *a, uint32_t node)
{
	struct id id = { { 0 } };

	id.b[0] = 0xaa;
	id.b[14] = (uint8_t)node;
	id.b[15] = (uint8_t)a->life[node];
	return id;
}

#define TAIL 6000

const char *arena_tail(const struct arena *a)
{
	const char *line = buf_cstr(&a->log);
	const char *end;

	if (a->log.len > TAIL)
		line += a->log.len - TAIL;
	for (; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		print_error("%.*s\n", (int)(end - line), line);
	}
	return "";
}

static struct apply_at at(struct arena *a)
{
	return (struct apply_at){ ++a->index, a->term, a->now };
}

static void log_events(struct arena *a)
{
	const struct event *e;

	vec_each(e, &a->m->events) {
		if (e->seq <= a->logged)
			continue;
		buf_printf(&a->log, "\t%s: %s\n", e->subject, e->text);
		a->logged = e->seq;
	}
}

static void log_command(struct arena *a, const struct command *c)
{
	buf_printf(&a->log, "%s", command_kind_text(c->kind));
	if (c->kind >= CMD_REPORT_DONE && c->operation && model_operation(a->m, c->operation))
		buf_printf(&a->log, " %s", op_kind_text(model_operation(a->m, c->operation)->kind));
	if (c->name[0])
		buf_printf(&a->log, " %s", c->name);
	if (c->kind == CMD_GUEST_WANT)
		buf_printf(&a->log, " %s", desired_text(c->desired));
	if (c->node)
		buf_printf(&a->log, " %s", model_node_name(a->m, c->node));
	if (c->kind == CMD_REPORT_DONE)
		buf_printf(&a->log, " %s", c->ok ? "ok" : "failed");
	buf_char(&a->log, '\n');
}

static struct buf json_of(const struct arena *a)
{
	struct buf json = { 0 };

	model_json(a->m, &json);
	return json;
}

/* A refused command leaves everything but index and time as it was. */
static void check_refusal(struct arena *a, struct buf *before, uint64_t index, int64_t time_us)
{
	uint64_t index_now = a->m->index;
	int64_t time_now = a->m->time_us;
	struct buf after;

	assert_true(a->err.code < 0);
	assert_true(a->err.text[0]);
	a->m->index = index;
	a->m->time_us = time_us;
	after = json_of(a);
	assert_string_equal(buf_cstr(before), buf_cstr(&after));
	a->m->index = index_now;
	a->m->time_us = time_now;
	buf_free(&after);
}

int arena_apply(struct arena *a, struct command *c)
{
	struct buf before = a->quick ? (struct buf){ 0 } : json_of(a);
	struct apply_at here = at(a);
	uint64_t index = a->m->index;
	int64_t time_us = a->m->time_us;
	int rc;

	a->err = (struct err){ 0 };
	log_command(a, c);
	rc = model_apply(a->m, &here, c, &a->err);
	if (rc < 0) {
		buf_printf(&a->log, "\trefused: %s\n", a->err.text);
		if (!a->quick)
			check_refusal(a, &before, index, time_us);
	} else {
		assert_int_equal(a->err.code, 0);
	}
	buf_free(&before);
	command_free(c);
	log_events(a);
	arena_check(a);
	return rc;
}

size_t arena_decide(struct arena *a)
{
	struct ha_out out;
	struct command *c;
	size_t n = 0;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		ha_step(a->m, &a->conf, a->now, &out);
		a->again_us = out.again_us;
		vec_each(c, &out.commands) {
			assert_true(c->reason[0]);
			if (arena_apply(a, c) < 0)
				fail_msg("policy's own order was refused: %s\n%s", a->err.text,
					 arena_tail(a));
		}
		n += out.commands.n;
		if (!out.commands.n) {
			assert_true(out.again_us > a->now);
			ha_out_free(&out);
			return n;
		}
		ha_out_free(&out);
	}
	fail_msg("policy does not come to rest:\n%s", arena_tail(a));
	return n;
}

void arena_wait(struct arena *a, int64_t us)
{
	a->now += us;
	buf_printf(&a->log, "-- %lld ms later\n", (long long)(us / 1000));
	arena_decide(a);
}

void arena_open(struct arena *a, unsigned agents, unsigned ring)
{
	struct apply_member members[ARENA_NODES];
	uint32_t in_ring[ARENA_NODES];
	size_t n = 0, n_ring = 0;
	struct apply_at here;

	a->term++;
	buf_printf(&a->log, "open %llu:", (unsigned long long)a->term);
	for (uint32_t i = 1; i <= a->n_nodes; i++) {
		if (agents & N(i))
			members[n++] = (struct apply_member){ i, arena_life(a, i) };
		if (ring & N(i))
			in_ring[n_ring++] = i;
		if (agents & N(i))
			buf_printf(&a->log, " n%u", i);
	}
	buf_char(&a->log, '\n');
	here = at(a);
	model_open(a->m, &here, members, n, in_ring, n_ring);
	log_events(a);
	arena_check(a);
}

void arena_reboot(struct arena *a, uint32_t node)
{
	a->life[node]++;
}

static void set_fence(struct arena *a, uint32_t node)
{
	struct command c = { .kind = CMD_NODE_FENCE_SET, .node = node };
	struct fence_conf_param p = { .key = "password", .value = "hidden-word" };

	STRCPY(c.name, "fence_test");
	vec_push(&c.params, p);
	assert_int_equal(arena_apply(a, &c), 0);
}

struct arena *arena_new(uint32_t n_nodes, bool bare)
{
	struct arena *a = mem_new(struct arena);
	struct apply_voter voters[ARENA_NODES];
	struct apply_at here;

	a->m = model_new();
	a->n_nodes = n_nodes;
	a->conf = ha_conf_default;
	a->now = 1000 * US_PER_S;
	for (uint32_t i = 1; i <= n_nodes; i++) {
		struct buf name = { 0 };

		a->life[i] = 1;
		buf_printf(&name, "n%u", i);
		voters[i - 1].node = i;
		STRCPY(voters[i - 1].name, buf_cstr(&name));
		buf_free(&name);
	}
	here = at(a);
	model_voters(a->m, &here, voters, n_nodes);
	arena_open(a, ~0u, ~0u);
	for (uint32_t i = 1; i <= n_nodes; i++) {
		struct command c = {
			.kind = CMD_REPORT_FACTS, .node = i, .memory_mib = ARENA_MEMORY, .cpus = 2
		};

		assert_int_equal(arena_apply(a, &c), 0);
		if (!bare)
			set_fence(a, i);
	}
	buf_clear(&a->log);
	return a;
}

void arena_free(struct arena *a)
{
	model_free(a->m);
	buf_free(&a->log);
	free(a);
}

struct guest *arena_guest(struct arena *a, const char *name)
{
	struct guest *g = model_guest(a->m, name);

	if (!g)
		fail_msg("no guest %s", name);
	return g;
}

int arena_define(struct arena *a, const char *name, uint32_t memory)
{
	struct command c = { .kind = CMD_GUEST_DEFINE };
	struct guest *g = c.guest = mem_new(struct guest);
	size_t len = strlen(name);

	STRCPY(c.name, name);
	STRCPY(g->name, name);
	memcpy(g->uuid.b, name, len < sizeof(g->uuid.b) ? len : sizeof(g->uuid.b));
	g->spec = mem_strdup("{}");
	g->memory_mib = memory;
	g->vcpus = 1;
	g->on_poweroff = AFTER_STOP;
	g->on_reboot = g->on_crash = AFTER_RESTART;
	g->stop_timeout_s = 20;
	g->restart_max = 2;
	g->restart_window_s = 600;
	return arena_apply(a, &c);
}

int arena_want(struct arena *a, const char *name, enum desired desired)
{
	struct command c = { .kind = CMD_GUEST_WANT, .desired = desired };

	STRCPY(c.name, name);
	return arena_apply(a, &c);
}

int arena_kind(struct arena *a, enum command_kind kind, const char *name, uint32_t node)
{
	struct command c = { .kind = kind, .node = node };

	STRCPY(c.name, name);
	return arena_apply(a, &c);
}

static int report(struct arena *a, uint64_t operation, const char *name, const char *failure)
{
	struct command c = { .kind = CMD_REPORT_DONE, .operation = operation, .ok = !failure };

	STRCPY(c.name, name);
	STRCPY(c.text, failure ? failure : "");
	STRCPY(c.detail, "tcp:10.0.0.2:4444");
	c.downtime_ms = 12;
	c.total_ms = 345;
	return arena_apply(a, &c);
}

int arena_done(struct arena *a, const char *name, enum op_kind kind, const char *failure)
{
	const struct operation *op = model_operation(a->m, arena_guest(a, name)->operation);

	if (!op || op->kind != kind)
		fail_msg("%s: %s is under way, not %s\n%s", name,
			 op ? op_kind_text(op->kind) : "nothing", op_kind_text(kind),
			 arena_tail(a));
	return report(a, op->id, name, failure);
}

int arena_fenced(struct arena *a, uint32_t victim, const char *failure)
{
	const struct node *n = model_node(a->m, victim);

	if (!n->fence_operation)
		fail_msg("%s is not being fenced\n%s", n->name, arena_tail(a));
	return report(a, n->fence_operation, "", failure);
}

int arena_ended(struct arena *a, const char *name, enum end_cause cause)
{
	struct command c = { .kind = CMD_REPORT_ENDED,
			     .cause = cause,
			     .epoch = arena_guest(a, name)->owner.epoch };

	STRCPY(c.name, name);
	return arena_apply(a, &c);
}

void arena_run(struct arena *a, const char *name, uint32_t memory, uint32_t node)
{
	assert_int_equal(arena_define(a, name, memory), 0);
	assert_int_equal(arena_want(a, name, DESIRED_RUNNING), 0);
	arena_decide(a);
	assert_int_equal(arena_done(a, name, OP_START, NULL), 0);
	arena_decide(a);
	arena_is(a, name, GUEST_RUNNING, node);
}

void arena_is(struct arena *a, const char *name, enum guest_state state, uint32_t owner)
{
	const struct guest *g = arena_guest(a, name);

	if (g->state != state || g->owner.node != owner)
		fail_msg("%s is %s at node %u, not %s at node %u\n%s", name,
			 guest_state_text(g->state), g->owner.node, guest_state_text(state), owner,
			 arena_tail(a));
}

bool arena_said(const struct arena *a, const char *text)
{
	const struct event *e;

	vec_each(e, &a->m->events)
		if (strstr(e->text, text))
			return true;
	return false;
}

static void must(struct arena *a, bool holds, const char *subject, const char *what)
{
	if (!holds)
		fail_msg("%s: %s\n%s", subject, what, arena_tail(a));
}

static void check_guest(struct arena *a, const struct guest *g)
{
	bool down =
		g->state == GUEST_STOPPED || g->state == GUEST_RECOVERING || g->state == GUEST_HELD;
	bool ordered = g->state == GUEST_STARTING;
	bool moving = g->move.phase != MOVE_NONE;

	must(a, down == !g->owner.node, g->name, "owned exactly when it is not down");
	must(a, !g->operation || model_operation(a->m, g->operation), g->name,
	     "its operation is in the model");
	must(a, !down || !g->operation, g->name, "no operation while down");
	must(a, !ordered || g->operation, g->name, "an operation while it starts");
	must(a, g->state != GUEST_MIGRATING || moving, g->name, "a phase while it migrates");
	must(a, !moving || g->state == GUEST_MIGRATING || g->state == GUEST_LOST, g->name,
	     "no phase otherwise");
	must(a,
	     g->state != GUEST_LOST ||
		     (g->move.phase != MOVE_PREPARING && g->move.phase != MOVE_SENDING),
	     g->name, "no target waits for one that is lost");
	must(a, g->revision <= a->m->index, g->name, "no revision from the future");
}

/* Each operation belongs to the one record that waits for it. */
static void check_operation(struct arena *a, const struct operation *op)
{
	const struct guest *g = model_guest(a->m, op->guest);
	const struct node *victim = model_node(a->m, op->victim);
	const struct volume *v = model_volume(a->m, op->pool, op->volume);
	const struct node *n = model_node(a->m, op->node);

	must(a, n && id_equal(&n->incarnation, &op->incarnation), op_kind_text(op->kind),
	     "its executor's life is not over");
	must(a,
	     (g && g->operation == op->id) || (victim && victim->fence_operation == op->id) ||
		     (v && v->operation == op->id),
	     op_kind_text(op->kind), "somebody waits for it");
}

void arena_check(struct arena *a)
{
	struct map_iter guests = { 0 }, operations = { 0 }, nodes = { 0 };
	const struct operation *op;
	const struct guest *g;
	const struct node *n;

	while ((g = map_next(a->m->guests, &guests)))
		check_guest(a, g);
	while ((op = map_next(a->m->operations, &operations)))
		check_operation(a, op);
	while ((n = map_next(a->m->nodes, &nodes)))
		must(a, !n->fence_operation || model_operation(a->m, n->fence_operation), n->name,
		     "its fencing is in the model");
}
