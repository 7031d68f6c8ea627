/* SPDX-License-Identifier: Apache-2.0
 * Commands as bytes: a version, the kind, then (field number, value) pairs in rising order, driven by tables. */
#include "engine/command.h"

#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

#define VERSION		 1
#define FIELDS_END	 0
#define SPEC_TEXT_LIMIT	 (20 * 1024)
#define GUEST_VOLUMES	 16

enum field_type { FIELD_U32, FIELD_U64, FIELD_BOOL, FIELD_ENUM, FIELD_ID, FIELD_TEXT };

struct field {
	uint8_t number;			/* never used anew for something else */
	enum field_type type;
	size_t offset, size;		/* FIELD_TEXT: the array's size; FIELD_ENUM: how many values there are */
};

#define F(number, type, owner, member) { number, type, offsetof(owner, member), sizeof(((owner *)0)->member) }
#define E(number, owner, member, max)  { number, FIELD_ENUM, offsetof(owner, member), max }

static const struct field command_fields[] = {
	F(1, FIELD_TEXT, struct command, name),
	F(2, FIELD_TEXT, struct command, pool),
	F(3, FIELD_U32, struct command, node),
	F(4, FIELD_ID, struct command, incarnation),
	F(5, FIELD_U32, struct command, executor),
	F(6, FIELD_U64, struct command, operation),
	F(7, FIELD_U64, struct command, epoch),
	F(8, FIELD_BOOL, struct command, ok),
	F(9, FIELD_BOOL, struct command, stop_now),
	F(10, FIELD_BOOL, struct command, power_on),
	E(11, struct command, desired, DESIRED_MAX),
	E(12, struct command, state, GUEST_STATE_MAX),
	E(13, struct command, cause, END_CAUSE_MAX),
	F(14, FIELD_U64, struct command, size),
	F(15, FIELD_U64, struct command, memory_mib),
	F(16, FIELD_U32, struct command, cpus),
	F(17, FIELD_U32, struct command, downtime_ms),
	F(18, FIELD_U32, struct command, total_ms),
	F(19, FIELD_TEXT, struct command, detail),
	F(20, FIELD_TEXT, struct command, text),
	F(21, FIELD_TEXT, struct command, reason),
};

static const struct field guest_fields[] = {
	F(1, FIELD_TEXT, struct guest, name),
	F(2, FIELD_ID, struct guest, uuid),
	F(3, FIELD_U32, struct guest, memory_mib),
	F(4, FIELD_U32, struct guest, vcpus),
	E(5, struct guest, on_poweroff, AFTER_MAX),
	E(6, struct guest, on_reboot, AFTER_MAX),
	E(7, struct guest, on_crash, AFTER_MAX),
	F(8, FIELD_U32, struct guest, stop_timeout_s),
	F(9, FIELD_U32, struct guest, restart_max),
	F(10, FIELD_U32, struct guest, restart_window_s),
};

static const struct field read_fields[] = {
	E(1, struct command_read, kind, RECORD_KIND_MAX),
	F(2, FIELD_TEXT, struct command_read, guest),
	F(3, FIELD_U32, struct command_read, node),
	F(4, FIELD_U64, struct command_read, revision),
};

static const struct field volume_fields[] = {
	F(1, FIELD_TEXT, struct guest_volume, pool),
	F(2, FIELD_TEXT, struct guest_volume, name),
	F(3, FIELD_BOOL, struct guest_volume, readonly),
};

static const struct field param_fields[] = {
	F(1, FIELD_TEXT, struct fence_conf_param, key),
	F(2, FIELD_TEXT, struct fence_conf_param, value),
};

static bool is_zero(const struct field *f, const char *p)
{
	static const struct id none;

	switch (f->type) {
	case FIELD_U32: return *(const uint32_t *)p == 0;
	case FIELD_U64: return *(const uint64_t *)p == 0;
	case FIELD_BOOL: return !*(const bool *)p;
	case FIELD_ENUM: return *(const int *)p == 0;
	case FIELD_ID: return memcmp(p, &none, sizeof(none)) == 0;
	case FIELD_TEXT: return !*p;
	}
	return true;
}

static void field_out(const struct field *f, const char *p, struct buf *out)
{
	switch (f->type) {
	case FIELD_U32: wire_put_u32(out, *(const uint32_t *)p); break;
	case FIELD_U64: wire_put_u64(out, *(const uint64_t *)p); break;
	case FIELD_BOOL: wire_put_u8(out, 1); break;
	case FIELD_ENUM: wire_put_u8(out, (uint8_t)*(const int *)p); break;
	case FIELD_ID: wire_put_id(out, (const struct id *)p); break;
	case FIELD_TEXT: wire_put_str(out, p); break;
	}
}

static void fields_out(const struct field *fields, size_t n, const void *owner, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const char *p = (const char *)owner + fields[i].offset;

		if (is_zero(&fields[i], p))
			continue;
		wire_put_u8(out, fields[i].number);
		field_out(&fields[i], p, out);
	}
	wire_put_u8(out, FIELDS_END);
}

/* False for a value that only its absence may say (zero), or that is out of range. */
static bool field_in(const struct field *f, char *p, struct wire *w)
{
	switch (f->type) {
	case FIELD_U32: *(uint32_t *)p = wire_u32(w); break;
	case FIELD_U64: *(uint64_t *)p = wire_u64(w); break;
	case FIELD_BOOL: *(bool *)p = wire_u8(w) == 1; break;
	case FIELD_ENUM: {
		uint8_t v = wire_u8(w);

		if (v >= f->size)
			return false;
		*(int *)p = v;
		break;
	}
	case FIELD_ID: *(struct id *)p = wire_id(w); break;
	case FIELD_TEXT: wire_str(w, p, f->size); break;
	}
	return !w->failed && !is_zero(f, p);
}

static bool fields_in(const struct field *fields, size_t n, void *owner, struct wire *w)
{
	uint8_t number;
	size_t i = 0;

	while ((number = wire_u8(w)) != FIELDS_END) {
		while (i < n && fields[i].number < number)
			i++;
		if (i == n || fields[i].number != number || !field_in(&fields[i], (char *)owner + fields[i].offset, w))
			return false;
		i++;
	}
	return !w->failed;
}

#define OUT(fields, owner, out) fields_out(fields, ARRAY_SIZE(fields), owner, out)
#define IN(fields, owner, w)	fields_in(fields, ARRAY_SIZE(fields), owner, w)

static void guest_out(const struct guest *g, struct buf *out)
{
	const struct guest_volume *v;

	OUT(guest_fields, g, out);
	wire_put_str(out, g->spec);
	wire_put_u8(out, (uint8_t)g->volumes.n);
	vec_each(v, &g->volumes)
		OUT(volume_fields, v, out);
}

static bool guest_in(struct guest *g, struct wire *w)
{
	uint8_t n;

	if (!IN(guest_fields, g, w))
		return false;
	g->spec = wire_str_dup(w, SPEC_TEXT_LIMIT);
	n = wire_u8(w);
	if (n > GUEST_VOLUMES)
		return false;
	while (n--)
		if (!IN(volume_fields, vec_add(&g->volumes), w))
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
		OUT(read_fields, &c->reads[i], out);
	OUT(command_fields, c, out);
	wire_put_u8(out, (uint8_t)c->params.n);
	vec_each(p, &c->params)
		OUT(param_fields, p, out);
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
		if (!IN(param_fields, vec_add(&c->params), w))
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
		if (!IN(read_fields, &c->reads[i], w))
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
	if (!reads_in(c, w) || !IN(command_fields, c, w) || !params_in(c, w))
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
