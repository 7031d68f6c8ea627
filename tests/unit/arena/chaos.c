/* SPDX-License-Identifier: Apache-2.0
 * Chaos: the world outside the ledger, and one choice after the other. */
#include "chaos.h"

#include "kit/kit.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[CHAOS_GUESTS] = { "web0", "web1", "web2" };

static uint32_t pick(struct chaos *c, uint32_t n)
{
	c->seed ^= c->seed << 13;
	c->seed ^= c->seed >> 7;
	c->seed ^= c->seed << 17;
	return (uint32_t)(c->seed >> 20) % n;
}

static bool mishap(struct chaos *c, uint32_t one_in)
{
	return !c->kind && pick(c, one_in) == 0;
}

static bool in_group(const struct chaos *c, uint32_t node)
{
	const struct chaos_node *n = &c->nodes[node];

	return n->powered && n->agent && !n->cut;
}

/* An agent acts only while it is in an open view. */
static bool acts(const struct chaos *c, uint32_t node)
{
	return c->open && (c->agents & N(node)) && in_group(c, node) &&
	       c->lives[node] == c->a->life[node];
}

/* ---- views ---- */

static void look_around(struct chaos *c)
{
	unsigned agents = 0, ring = 0, count = 0;

	for (uint32_t i = 1; i <= c->a->n_nodes; i++) {
		if (in_group(c, i))
			agents |= N(i), count++;
		if (c->nodes[i].powered && !c->nodes[i].cut)
			ring |= N(i);
	}
	if (agents == c->agents && ring == c->ring &&
	    !memcmp(c->lives, c->a->life, sizeof(c->lives)))
		return;
	c->agents = agents;
	c->ring = ring;
	memcpy(c->lives, c->a->life, sizeof(c->lives));
	c->open = count * 2 > c->a->n_nodes;
	if (c->open)
		arena_open(c->a, agents, ring);
}

static void view_changes(struct chaos *c)
{
	c->agents = 0;
	look_around(c);
}

/* ---- processes ---- */

static struct chaos_proc *proc(struct chaos *c, uint32_t node, size_t guest)
{
	return &c->nodes[node].procs[guest];
}

static void kill_proc(struct chaos_proc *p)
{
	p->state = PROC_NONE;
	p->epoch = 0;
}

static void forget_reports(struct chaos *c, uint32_t node)
{
	for (size_t i = c->reports.n; i-- > 0;)
		if (c->reports.v[i].node == node)
			vec_remove(&c->reports, i);
	c->nodes[node].reported_fence = 0;
	for (size_t g = 0; g < CHAOS_GUESTS; g++) {
		struct chaos_proc *p = proc(c, node, g);

		p->reported_op = p->reported_loaded = p->reported_end = 0;
	}
}

static void power_off(struct chaos *c, uint32_t node)
{
	c->nodes[node].powered = c->nodes[node].agent = false;
	forget_reports(c, node);
	for (size_t g = 0; g < CHAOS_GUESTS; g++)
		kill_proc(proc(c, node, g));
}

static void power_on(struct chaos *c, uint32_t node)
{
	if (c->nodes[node].powered)
		return;
	arena_reboot(c->a, node);
	c->nodes[node].powered = c->nodes[node].agent = true;
}

static bool active(const struct chaos_proc *p)
{
	return p->state == PROC_RUNS || p->state == PROC_PAUSED || p->state == PROC_IO_ERROR;
}

/* The promise: whatever happens, a guest is active at one place at most. */
static void check_once(struct chaos *c)
{
	for (size_t g = 0; g < CHAOS_GUESTS; g++) {
		unsigned n = 0;

		for (uint32_t i = 1; i <= c->a->n_nodes; i++)
			n += active(proc(c, i, g));
		if (n > 1)
			fail_msg("%s is active at %u places\n%s", names[g], n, arena_tail(c->a));
	}
}

/* ---- executors ---- */

static void send(struct chaos *c, uint32_t node, struct command *cmd)
{
	struct chaos_report r = { .node = node, .life = c->a->life[node], .c = *cmd };

	vec_push(&c->reports, r);
}

static void done(struct chaos *c, uint32_t node, size_t g, uint64_t op, bool ok)
{
	struct command cmd = {
		.kind = CMD_REPORT_DONE, .operation = op, .ok = ok, .detail = "tcp:x:1"
	};

	STRCPY(cmd.name, names[g]);
	STRCPY(cmd.text, ok ? "" : "bad luck");
	proc(c, node, g)->reported_op = op;
	send(c, node, &cmd);
}

static void make(struct chaos_proc *p, const struct operation *op, enum chaos_proc_state state)
{
	p->state = state;
	p->epoch = op->epoch;
}

static void do_start(struct chaos *c, uint32_t node, size_t g, const struct operation *op)
{
	struct chaos_proc *p = proc(c, node, g);

	if (mishap(c, 10)) {
		kill_proc(p);
		done(c, node, g, op->id, false);
		return;
	}
	if (p->state == PROC_NONE || p->epoch != op->epoch)
		make(p, op, PROC_RUNS);
	if (!mishap(c, 4)) /* else the word comes later, from the same agent or the next */
		done(c, node, g, op->id, true);
}

static void do_end(struct chaos *c, uint32_t node, size_t g, const struct operation *op)
{
	if (mishap(c, 3))
		return;
	kill_proc(proc(c, node, g));
	done(c, node, g, op->id, true);
}

static void do_switch(struct chaos *c, uint32_t node, size_t g, const struct operation *op)
{
	struct chaos_proc *p = proc(c, node, g);
	bool ok = active(p) && !mishap(c, 4);

	if (ok)
		p->state = op->kind == OP_PAUSE ? PROC_PAUSED : PROC_RUNS;
	done(c, node, g, op->id, ok);
}

static void do_prepare(struct chaos *c, uint32_t node, size_t g, const struct operation *op)
{
	struct chaos_proc *p = proc(c, node, g);

	if (mishap(c, 4)) {
		kill_proc(p);
		done(c, node, g, op->id, false);
		return;
	}
	make(p, op, PROC_INCOMING);
	done(c, node, g, op->id, true);
}

static void do_send(struct chaos *c, uint32_t node, size_t g, const struct operation *op)
{
	const struct guest *guest = model_guest(c->a->m, names[g]);
	struct chaos_proc *from = proc(c, node, g), *to = proc(c, guest->move.target.node, g);

	if (from->epoch != op->epoch || from->state == PROC_NONE)
		return; /* its end is reported for itself */
	if (from->state == PROC_RUNS && to->state == PROC_INCOMING &&
	    to->epoch == guest->move.target.epoch && !c->nodes[node].cut &&
	    !c->nodes[guest->move.target.node].cut && !mishap(c, 5)) {
		from->state = PROC_SENT;
		to->state = PROC_LOADED;
	}
	if (from->state == PROC_SENT && mishap(c, 3))
		return;
	done(c, node, g, op->id, from->state == PROC_SENT);
}

static void do_activate(struct chaos *c, uint32_t node, size_t g, const struct operation *op)
{
	struct chaos_proc *p = proc(c, node, g);
	bool ok = (p->state == PROC_LOADED || p->state == PROC_RUNS) && p->epoch == op->epoch &&
		  !mishap(c, 5);

	if (ok)
		p->state = PROC_RUNS;
	else
		kill_proc(p);
	if (!mishap(c, 4) || !ok)
		done(c, node, g, op->id, ok);
}

static void do_resume_source(struct chaos *c, uint32_t node, size_t g, const struct operation *op)
{
	struct chaos_proc *p = proc(c, node, g);
	bool ok = p->state != PROC_NONE && p->epoch == op->epoch && !mishap(c, 5);

	if (mishap(c, 4))
		return;
	if (ok && p->state == PROC_SENT)
		p->state = PROC_RUNS;
	else if (!ok)
		kill_proc(p);
	done(c, node, g, op->id, ok);
}

typedef void do_fn(struct chaos *c, uint32_t node, size_t g, const struct operation *op);
static do_fn *const deeds[OP_KIND_MAX] = {
	[OP_START] = do_start,  [OP_STOP] = do_end,          [OP_KILL] = do_end,
	[OP_PAUSE] = do_switch, [OP_RESUME] = do_switch,     [OP_PREPARE_IN] = do_prepare,
	[OP_SEND] = do_send,    [OP_ACTIVATE] = do_activate, [OP_RESUME_SOURCE] = do_resume_source,
};

static bool mine(const struct chaos *c, uint32_t node, const struct owner *o)
{
	struct id life = arena_life(c->a, node);

	return owner_is(o, node, &life);
}

/* Ends what neither the owner nor the target of a migration has here. */
static void clean_up(struct chaos *c, uint32_t node, size_t g, const struct guest *guest)
{
	struct chaos_proc *p = proc(c, node, g);
	bool owner = guest && mine(c, node, &guest->owner) && guest->owner.epoch == p->epoch;
	bool target = guest && guest->move.phase != MOVE_NONE &&
		      mine(c, node, &guest->move.target) && guest->move.target.epoch == p->epoch;

	if (!owner && !target)
		kill_proc(p);
}

static void say_ended(struct chaos *c, uint32_t node, size_t g, enum command_kind kind,
		      uint64_t epoch)
{
	struct command cmd = { .kind = kind,
			       .epoch = epoch,
			       .cause = pick(c, 4) ? END_CRASH : END_POWEROFF };

	if (proc(c, node, g)->reported_end == epoch)
		return;
	proc(c, node, g)->reported_end = epoch;
	STRCPY(cmd.name, names[g]);
	send(c, node, &cmd);
}

static void say_state(struct chaos *c, uint32_t node, size_t g, const struct guest *guest)
{
	static const enum guest_state seen[] = { [PROC_RUNS] = GUEST_RUNNING,
						 [PROC_PAUSED] = GUEST_PAUSED,
						 [PROC_IO_ERROR] = GUEST_IO_ERROR };
	const struct chaos_proc *p = proc(c, node, g);
	struct command cmd = { .kind = CMD_REPORT_STATE, .epoch = p->epoch };

	if (!active(p) || guest->operation || guest->move.phase != MOVE_NONE ||
	    seen[p->state] == guest->state)
		return;
	cmd.state = seen[p->state];
	STRCPY(cmd.name, names[g]);
	send(c, node, &cmd);
}

/* What an agent sees without any operation, and says. */
static void reconcile(struct chaos *c, uint32_t node, size_t g, const struct guest *guest)
{
	struct chaos_proc *p = proc(c, node, g);
	struct command loaded = { .kind = CMD_REPORT_LOADED, .operation = p->epoch };

	if (mine(c, node, &guest->owner) && p->state == PROC_NONE)
		say_ended(c, node, g, CMD_REPORT_ENDED, guest->owner.epoch);
	else if (guest->move.phase == MOVE_SENDING && mine(c, node, &guest->move.target) &&
		 p->state == PROC_NONE)
		say_ended(c, node, g, CMD_REPORT_BROKEN, guest->move.target.epoch);
	else if (mine(c, node, &guest->owner))
		say_state(c, node, g, guest);
	else if (p->state == PROC_LOADED && !guest->move.loaded && p->reported_loaded != p->epoch) {
		p->reported_loaded = p->epoch;
		STRCPY(loaded.name, names[g]);
		send(c, node, &loaded);
	}
}

static const struct operation *my_operation(const struct chaos *c, uint32_t node,
					    const struct guest *guest)
{
	const struct operation *op = guest ? model_operation(c->a->m, guest->operation) : NULL;

	return op && mine(c, node, &(struct owner){ op->node, op->incarnation, 0 }) ? op : NULL;
}

static void work_at_guest(struct chaos *c, uint32_t node, size_t g)
{
	const struct guest *guest = model_guest(c->a->m, names[g]);
	const struct operation *op = my_operation(c, node, guest);
	bool reported = op && proc(c, node, g)->reported_op == op->id;
	bool in_charge = op && op->kind != OP_SEND && op->kind != OP_PAUSE && op->kind != OP_RESUME;

	clean_up(c, node, g, guest);
	if (guest && !in_charge)
		reconcile(c, node, g, guest);
	if (op && !reported)
		deeds[op->kind](c, node, g, op);
}

static void work_at_fencing(struct chaos *c, uint32_t node)
{
	struct map_iter it = { 0 };
	const struct operation *op;

	while ((op = map_next(c->a->m->operations, &it))) {
		struct command cmd = { .kind = CMD_REPORT_DONE,
				       .operation = op->id,
				       .ok = !mishap(c, 3),
				       .text = "no" };

		if (op->kind != OP_FENCE ||
		    !mine(c, node, &(struct owner){ op->node, op->incarnation, 0 }) ||
		    c->nodes[node].reported_fence == op->id || mishap(c, 3))
			continue;
		if (cmd.ok || mishap(c, 2)) /* a failure may have cut the power all the same */
			power_off(c, op->victim);
		c->nodes[node].reported_fence = op->id;
		send(c, node, &cmd);
		return;
	}
}

static void work(struct chaos *c, uint32_t node)
{
	if (!acts(c, node))
		return;
	work_at_fencing(c, node);
	for (size_t g = 0; g < CHAOS_GUESTS && acts(c, node); g++)
		work_at_guest(c, node, g);
}

/* The oldest report of some node reaches the ledger, if that node can still speak. */
static void deliver(struct chaos *c)
{
	struct chaos_report r;
	size_t i;

	if (!c->reports.n)
		return;
	i = pick(c, (uint32_t)c->reports.n);
	for (size_t k = 0; k < i; k++)
		if (c->reports.v[k].node == c->reports.v[i].node)
			i = k;
	r = c->reports.v[i];
	if (!acts(c, r.node))
		return;
	vec_remove(&c->reports, i);
	arena_apply(c->a, &r.c);
}

/* ---- the leader and people ---- */

static uint32_t some_node(struct chaos *c)
{
	return 1 + pick(c, c->a->n_nodes);
}

/* Now and then something comes between a decision and its place in the ledger. */
static void decide(struct chaos *c)
{
	struct ha_out out;
	struct command *cmd;

	if (!c->open)
		return;
	if (c->kind || pick(c, 3)) {
		arena_decide(c->a);
		return;
	}
	ha_step(c->a->m, &c->a->conf, c->a->now, &out);
	if (pick(c, 2))
		deliver(c);
	else
		view_changes(c);
	vec_each(cmd, &out.commands)
		if (c->open)
			arena_apply(c->a, cmd);
	ha_out_free(&out);
}

static void order(struct chaos *c)
{
	static const enum command_kind kinds[] = { CMD_GUEST_WANT,    CMD_GUEST_WANT,
						   CMD_GUEST_WANT,    CMD_GUEST_MIGRATE,
						   CMD_GUEST_MIGRATE, CMD_GUEST_MIGRATE,
						   CMD_NODE_DRAIN,    CMD_NODE_ACTIVATE,
						   CMD_NODE_FENCE };
	struct command cmd = { .kind = kinds[pick(c, ARRAY_SIZE(kinds))] };

	if (!c->open)
		return;
	STRCPY(cmd.name, names[pick(c, CHAOS_GUESTS)]);
	cmd.node = cmd.kind >= CMD_NODE_DRAIN ? some_node(c) : pick(c, c->a->n_nodes + 1);
	cmd.desired = pick(c, 6) ? DESIRED_RUNNING : (enum desired)pick(c, DESIRED_MAX);
	cmd.stop_now = cmd.kind == CMD_GUEST_WANT && cmd.desired == DESIRED_STOPPED && pick(c, 2);
	if (cmd.desired == DESIRED_STOPPED)
		cmd.node = 0;
	arena_apply(c->a, &cmd);
}

/* ---- what befalls them ---- */

static void befall_process(struct chaos *c)
{
	struct chaos_proc *p = proc(c, some_node(c), pick(c, CHAOS_GUESTS));
	uint32_t what = pick(c, 4);

	if (what == 0)
		kill_proc(p);
	else if (p->state == PROC_RUNS && what == 1)
		p->state = PROC_IO_ERROR;
	else if (p->state == PROC_RUNS && what == 2)
		p->state = PROC_PAUSED;
}

static void befall_node(struct chaos *c)
{
	uint32_t node = some_node(c);
	struct chaos_node *n = &c->nodes[node];

	uint32_t what = pick(c, 12);

	if (what < 1)
		power_off(c, node);
	else if (what < 5)
		power_on(c, node);
	else if (what < 6)
		n->agent = false, forget_reports(c, node);
	else if (what < 8)
		n->agent = n->powered;
	else
		n->cut = what == 8;
	if (pick(c, 4))
		look_around(c);
}

void chaos_step(struct chaos *c)
{
	uint32_t what = pick(c, 64);

	c->a->quick = c->steps++ % 16 != 0;
	if (what < 22)
		work(c, some_node(c));
	else if (what < 38)
		deliver(c);
	else if (what < 50)
		decide(c);
	else if (what < 55)
		order(c);
	else if (what < 57)
		befall_process(c);
	else if (what < 60)
		befall_node(c);
	else if (what < 63)
		look_around(c);
	else
		c->a->now += (int64_t)pick(c, 40) * US_PER_S;
	check_once(c);
}

/* ---- the end ---- */

static void all_well(struct chaos *c)
{
	c->kind = true;
	for (uint32_t i = 1; i <= c->a->n_nodes; i++) {
		power_on(c, i);
		c->nodes[i].agent = true;
		c->nodes[i].cut = false;
	}
	look_around(c);
	for (uint32_t i = 1; i <= c->a->n_nodes; i++)
		arena_kind(c->a, CMD_NODE_ACTIVATE, "", i);
}

static bool settled(struct chaos *c)
{
	struct map_iter it = { 0 };
	const struct guest *g;

	if (c->reports.n || map_count(c->a->m->operations))
		return false;
	while ((g = map_next(c->a->m->guests, &it)))
		if (g->state == GUEST_LOST || g->state == GUEST_RECOVERING ||
		    g->state == GUEST_MIGRATING ||
		    (g->state == GUEST_STOPPED && g->desired != DESIRED_STOPPED) || g->wants_move)
			return false;
	return true;
}

/* What the model says is what is there. */
static void check_truth(struct chaos *c)
{
	for (size_t g = 0; g < CHAOS_GUESTS; g++) {
		const struct guest *guest = model_guest(c->a->m, names[g]);

		for (uint32_t i = 1; i <= c->a->n_nodes; i++) {
			struct chaos_proc *p = proc(c, i, g);
			bool here = guest->owner.node == i;

			if (here != (p->state != PROC_NONE) ||
			    (here && p->epoch != guest->owner.epoch) ||
			    (here && (guest->state == GUEST_RUNNING) != (p->state == PROC_RUNS)))
				fail_msg("%s is %s at n%u, but its process at n%u says %d\n%s",
					 names[g], guest_state_text(guest->state),
					 guest->owner.node, i, p->state, arena_tail(c->a));
		}
	}
}

void chaos_settle(struct chaos *c)
{
	all_well(c);
	for (int round = 0; round < 300; round++) {
		for (uint32_t i = 1; i <= c->a->n_nodes; i++)
			work(c, i);
		for (uint32_t i = 1; i <= c->a->n_nodes; i++)
			power_on(c, i); /* a fencing under way has its way, once */
		look_around(c);
		for (size_t n = c->reports.n; n > 0; n--)
			deliver(c);
		arena_decide(c->a);
		check_once(c);
		if (settled(c)) {
			for (uint32_t i = 1; i <= c->a->n_nodes; i++)
				work(c, i);
			if (!c->reports.n) {
				check_truth(c);
				return;
			}
		}
		c->a->now += US_PER_S;
	}
	arena_tail(c->a);
	for (size_t g = 0; g < CHAOS_GUESTS; g++)
		print_error("%s: %s, wanted %s, at n%u\n", names[g],
			    guest_state_text(model_guest(c->a->m, names[g])->state),
			    desired_text(model_guest(c->a->m, names[g])->desired),
			    model_guest(c->a->m, names[g])->owner.node);
	fail_msg("it does not settle: %zu operations, %zu reports", map_count(c->a->m->operations),
		 c->reports.n);
}

struct chaos *chaos_new(uint64_t seed, uint32_t n_nodes)
{
	struct chaos *c = mem_new(struct chaos);

	c->a = arena_new(n_nodes, false);
	c->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	c->open = true;
	for (uint32_t i = 1; i <= n_nodes; i++) {
		c->nodes[i].powered = c->nodes[i].agent = true;
		c->agents |= N(i);
	}
	c->ring = c->agents;
	memcpy(c->lives, c->a->life, sizeof(c->lives));
	for (size_t g = 0; g < CHAOS_GUESTS; g++) {
		arena_define(c->a, names[g], 200);
		arena_want(c->a, names[g], DESIRED_RUNNING);
	}
	return c;
}

void chaos_free(struct chaos *c)
{
	arena_free(c->a);
	vec_free(&c->reports);
	free(c);
}
