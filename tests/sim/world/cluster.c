/* SPDX-License-Identifier: Apache-2.0
 * Ready-made clusters in a world. */
#include "cluster.h"

#include "fail.h"
#include "hypervisor/spec.h"

#include <string.h>

#define S US_PER_S

/* Current, and its facts are known: it can be given guests. */
static bool is_in(struct world *w, void *ctx)
{
	uint32_t i = *(uint32_t *)ctx;
	const struct node *node = model_node(engine_model(world_engine(w, i)), i);
	struct engine_status s;

	engine_status(world_engine(w, i), &s);
	return s.current && node && node->memory_mib;
}

static bool all_current(struct world *w, void *ctx)
{
	(void)ctx;
	for (uint32_t i = 1; i <= WORLD_NODES_MAX; i++) {
		if (world_engine(w, i) && !is_in(w, &i))
			return false;
	}
	return true;
}

static bool has_ledger(struct world *w, void *ctx)
{
	struct engine_status s;

	engine_status(world_engine(w, *(uint32_t *)ctx), &s);
	return s.ledger.has_view;
}

/* A cluster of three with fence devices, a pool and one guest defined. */
bool cluster_all_current(struct world *w, int64_t us)
{
	return world_until(w, all_current, NULL, us);
}

const struct guest *cluster_guest(struct world *w, uint32_t ask, const char *name)
{
	return model_guest(engine_model(world_engine(w, ask)), name);
}

struct world *cluster_new_with(uint64_t seed, uint32_t n_nodes, uint64_t log_entries)
{
	struct world *w = world_new(seed, n_nodes);
	struct err err = { 0 };
	uint32_t first = 1;

	world_set_log(w, log_entries);
	for (uint32_t i = 1; i <= n_nodes; i++)
		world_boot(w, i);
	for (uint32_t i = 1; i <= n_nodes; i++)
		world_must(world_until(w, has_ledger, &i, 10 * S));
	world_must(engine_cluster_init(world_engine(w, 1), "test", &err) == 0);
	world_must(world_until(w, is_in, &first, 10 * S));
	for (uint32_t i = 2; i <= n_nodes; i++) {
		world_must(engine_cluster_join(world_engine(w, i), &err) == 0);
		world_must(world_until(w, is_in, &i, 20 * S));
	}
	for (uint32_t i = 1; i <= n_nodes; i++) {
		struct command c = { .kind = CMD_NODE_FENCE_SET, .node = i };
		struct fence_conf_param p = { .key = "port" };

		STRCPY(c.name, "fence_world");
		p.value[0] = (char)('0' + i);
		vec_push(&c.params, p);
		world_must(world_order(w, 1, &c, &err) == 0);
	}
	return w;
}

struct world *cluster_new(uint64_t seed, uint32_t n_nodes)
{
	return cluster_new_with(seed, n_nodes, 0);
}

void cluster_pool(struct world *w)
{
	struct command c = { .kind = CMD_POOL_DEFINE };
	struct err err = { 0 };

	STRCPY(c.name, CLUSTER_POOL);
	STRCPY(c.detail, "sim");
	STRCPY(c.text, CLUSTER_POOL_PATH);
	if (world_order(w, 1, &c, &err))
		world_fail("%s", err.text);
}

struct command cluster_volume(enum command_kind kind, const char *name)
{
	struct command c = { .kind = kind, .size = 1 << 20 };

	STRCPY(c.pool, CLUSTER_POOL);
	STRCPY(c.name, name);
	return c;
}

static void print_spec(const struct cluster_guest_conf *conf, struct buf *out)
{
	static const char start[] = "{\"name\":\"%s\",\"uuid\":\"00000000-0000-4000-8000-%012x\",\"memory_mib\":%u,\"vcpus\":1";
	unsigned sum = 0;

	for (const char *p = conf->name; *p; p++)
		sum = sum * 31 + (unsigned char)*p;
	buf_printf(out, start, conf->name, sum, conf->memory_mib);
	buf_printf(out, ",\"disks\":[");
	for (size_t i = 0; i < CLUSTER_VOLUMES_MAX && conf->volumes[i]; i++)
		buf_printf(out, "%s{\"pool\":\"%s\",\"volume\":\"%s\"}", i ? "," : "", CLUSTER_POOL, conf->volumes[i]);
	buf_printf(out, "]}");
}

static void use_volumes(struct guest *g, const struct cluster_guest_conf *conf)
{
	for (size_t i = 0; i < CLUSTER_VOLUMES_MAX && conf->volumes[i]; i++) {
		struct guest_volume *v = vec_add(&g->volumes);

		STRCPY(v->pool, CLUSTER_POOL);
		STRCPY(v->name, conf->volumes[i]);
	}
}

struct command cluster_definition(const struct cluster_guest_conf *conf)
{
	struct command c = { .kind = CMD_GUEST_DEFINE };
	struct guest_spec *spec;
	struct buf text = { 0 };
	struct err err = { 0 };

	print_spec(conf, &text);
	world_must(spec_parse(buf_cstr(&text), text.len, &spec, &err) == 0);
	buf_clear(&text);
	spec_print(spec, &text);
	STRCPY(c.name, conf->name);
	c.guest = mem_new(struct guest);
	STRCPY(c.guest->name, conf->name);
	c.guest->uuid = spec->uuid;
	c.guest->memory_mib = conf->memory_mib;
	c.guest->vcpus = 1;
	c.guest->on_reboot = c.guest->on_crash = AFTER_RESTART;
	c.guest->stop_timeout_s = 10;
	c.guest->restart_max = 3;
	c.guest->restart_window_s = 600;
	c.guest->spec = buf_take(&text);
	use_volumes(c.guest, conf);
	spec_free(spec);
	return c;
}

void cluster_define(struct world *w, const char *name, uint32_t memory_mib)
{
	struct cluster_guest_conf conf = { .name = name, .memory_mib = memory_mib };
	struct command c = cluster_definition(&conf);
	struct err err = { 0 };

	if (world_order(w, 1, &c, &err))
		world_fail("%s", err.text);
}

void cluster_want(struct world *w, uint32_t node, const char *name, enum desired desired)
{
	struct command c = { .kind = CMD_GUEST_WANT, .desired = desired };
	struct err err = { 0 };

	STRCPY(c.name, name);
	if (world_order(w, node, &c, &err))
		world_fail("%s", err.text);
}

static bool is_so(struct world *w, void *ctx)
{
	const struct cluster_wish *wish = ctx;
	const struct guest *g = cluster_guest(w, wish->ask, wish->guest);

	return g && g->state == wish->state && (!wish->not_on || g->owner.node != wish->not_on) &&
	       (!wish->on || g->owner.node == wish->on);
}

void cluster_until(struct world *w, struct cluster_wish wish, int64_t us)
{
	if (!world_until(w, is_so, &wish, us)) {
		const struct guest *g = cluster_guest(w, wish.ask, wish.guest);

		world_fail("%s is %s on node %u, not %s\n%s", wish.guest, g ? guest_state_text(g->state) : "unknown",
			 g ? g->owner.node : 0, guest_state_text(wish.state), world_trace(w));
	}
}
