/* SPDX-License-Identifier: Apache-2.0
 * Commands as bytes: a version, the kind, then its fields, driven by tables. */
#include "engine/command.h"

#include "base/wire.h"
#include "engine/fields.h"

#include <stdlib.h>
#include <string.h>

#define VERSION		 1

static const struct field command_fields[] = {
	FIELD(1, FIELD_TEXT, struct command, name),
	FIELD(2, FIELD_TEXT, struct command, pool),
	FIELD(3, FIELD_U32, struct command, node),
	FIELD(4, FIELD_ID, struct command, incarnation),
	FIELD(5, FIELD_U32, struct command, executor),
	FIELD(6, FIELD_U64, struct command, operation),
	FIELD(7, FIELD_U64, struct command, epoch),
	FIELD(8, FIELD_BOOL, struct command, ok),
	FIELD(9, FIELD_BOOL, struct command, stop_now),
	FIELD(10, FIELD_BOOL, struct command, power_on),
	FIELD_OF_ENUM(11, struct command, desired, DESIRED_MAX),
	FIELD_OF_ENUM(12, struct command, state, GUEST_STATE_MAX),
	FIELD_OF_ENUM(13, struct command, cause, END_CAUSE_MAX),
	FIELD(14, FIELD_U64, struct command, size),
	FIELD(15, FIELD_U64, struct command, memory_mib),
	FIELD(16, FIELD_U32, struct command, cpus),
	FIELD(17, FIELD_U32, struct command, downtime_ms),
	FIELD(18, FIELD_U32, struct command, total_ms),
	FIELD(19, FIELD_TEXT, struct command, detail),
	FIELD(20, FIELD_TEXT, struct command, text),
	FIELD(21, FIELD_TEXT, struct command, reason),
};

static const struct field guest_fields[] = {
	FIELD(1, FIELD_TEXT, struct guest, name),
	FIELD(2, FIELD_ID, struct guest, uuid),
	FIELD(3, FIELD_U32, struct guest, memory_mib),
	FIELD(4, FIELD_U32, struct guest, vcpus),
	FIELD_OF_ENUM(5, struct guest, on_poweroff, AFTER_MAX),
	FIELD_OF_ENUM(6, struct guest, on_reboot, AFTER_MAX),
	FIELD_OF_ENUM(7, struct guest, on_crash, AFTER_MAX),
	FIELD(8, FIELD_U32, struct guest, stop_timeout_s),
	FIELD(9, FIELD_U32, struct guest, restart_max),
	FIELD(10, FIELD_U32, struct guest, restart_window_s),
};

static const struct field read_fields[] = {
	FIELD_OF_ENUM(1, struct command_read, kind, RECORD_KIND_MAX),
	FIELD(2, FIELD_TEXT, struct command_read, guest),
	FIELD(3, FIELD_U32, struct command_read, node),
	FIELD(4, FIELD_U64, struct command_read, revision),
};

static const struct field volume_fields[] = {
	FIELD(1, FIELD_TEXT, struct guest_volume, pool),
	FIELD(2, FIELD_TEXT, struct guest_volume, name),
	FIELD(3, FIELD_BOOL, struct guest_volume, readonly),
};

static const struct field param_fields[] = {
	FIELD(1, FIELD_TEXT, struct fence_conf_param, key),
	FIELD(2, FIELD_TEXT, struct fence_conf_param, value),
};

static void guest_out(const struct guest *g, struct buf *out)
{
	const struct guest_volume *v;

	FIELDS_OUT(guest_fields, g, out);
	wire_put_str(out, g->spec);
	wire_put_u8(out, (uint8_t)g->volumes.n);
	vec_each(v, &g->volumes)
		FIELDS_OUT(volume_fields, v, out);
}

static bool guest_in(struct guest *g, struct wire *w)
{
	uint8_t n;

	if (!FIELDS_IN(guest_fields, g, w))
		return false;
	g->spec = wire_str_dup(w, COMMAND_SPEC_MAX);
	n = wire_u8(w);
	if (n > COMMAND_VOLUMES_MAX)
		return false;
	while (n--)
		if (!FIELDS_IN(volume_fields, vec_add(&g->volumes), w))
			return false;
	return !w->failed;
}

void command_out(const struct command *c, struct buf *out)
{
	const struct fence_conf_param *p;

	wire_put_u8(out, VERSION);
	wire_put_u8(out, (uint8_t)c->kind);
	wire_put_u8(out, (uint8_t)c->n_reads);
	for (size_t i = 0; i < c->n_reads; i++)
		FIELDS_OUT(read_fields, &c->reads[i], out);
	FIELDS_OUT(command_fields, c, out);
	wire_put_u8(out, (uint8_t)c->params.n);
	vec_each(p, &c->params)
		FIELDS_OUT(param_fields, p, out);
	wire_put_u8(out, c->guest != NULL);
	if (c->guest)
		guest_out(c->guest, out);
}

static bool params_in(struct command *c, struct wire *w)
{
	uint8_t n = wire_u8(w);

	if (n > MODEL_PARAMS_MAX)
		return false;
	while (n--)
		if (!FIELDS_IN(param_fields, vec_add(&c->params), w))
			return false;
	return !w->failed;
}

static bool reads_in(struct command *c, struct wire *w)
{
	c->n_reads = wire_u8(w);
	if (c->n_reads > COMMAND_READS_MAX) {
		c->n_reads = 0;
		return false;
	}
	for (size_t i = 0; i < c->n_reads; i++)
		if (!FIELDS_IN(read_fields, &c->reads[i], w))
			return false;
	return true;
}

static bool body_in(struct command *c, struct wire *w)
{
	uint8_t kind, has_guest;

	if (wire_u8(w) != VERSION)
		return false;
	kind = wire_u8(w);
	if (kind >= COMMAND_KIND_MAX)
		return false;
	c->kind = (enum command_kind)kind;
	if (!reads_in(c, w) || !FIELDS_IN(command_fields, c, w) || !params_in(c, w))
		return false;
	has_guest = wire_u8(w);
	if (has_guest > 1 || has_guest != (c->kind == CMD_GUEST_DEFINE))
		return false;
	if (!has_guest)
		return true;
	c->guest = mem_new(struct guest);
	return guest_in(c->guest, w);
}

int command_in(const void *data, size_t len, struct command *ret, struct err *ret_err)
{
	struct wire w = wire_reader(data, len);
	struct command c = { 0 };

	if (!body_in(&c, &w) || !wire_done(&w)) {
		command_free(&c);
		return err_set(ret_err, -EBADMSG, "a command of %zu bytes does not decode", len);
	}
	*ret = c;
	return 0;
}
