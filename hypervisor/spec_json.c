/* SPDX-License-Identifier: Apache-2.0
 * The guest specification from JSON: one table of keys, the first fault named. */
#include "spec.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MIN_MIB 16
#define MEMORY_MAX_MIB (16u * 1024 * 1024)

/*
 * One key that an object may have. @read gets the value and the field it fills; @min and @max
 * bound a number. Errors name @name; the caller puts the place in front.
 */
struct key {
	const char *name;
	int (*read)(const struct key *key, json_t *value, void *field, struct err *ret_err);
	size_t offset;
	bool required;
	uint32_t min, max;
};

static int not_of_type(const struct key *key, const char *wanted, struct err *ret_err)
{
	return err_set(ret_err, -EINVAL, "\"%s\" must be %s", key->name, wanted);
}

static int read_number(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;

	if (n < (json_int_t)key->min || n > (json_int_t)key->max)
		return err_set(ret_err, -EINVAL, "\"%s\" must be a whole number from %u to %u",
			       key->name, key->min, key->max);
	*(uint32_t *)field = (uint32_t)n;
	return 0;
}

static int read_bool(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	if (!json_is_boolean(value))
		return not_of_type(key, "true or false", ret_err);
	*(bool *)field = json_is_true(value);
	return 0;
}

/* Fields of this kind are char[SPEC_NAME_MAX]. */
static int read_name(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	const char *s = json_string_value(value);

	if (!s || !spec_name_ok(s))
		return not_of_type(
			key,
			"a name of up to 63 letters, digits, '.', '_' and '-' that begins "
			"with a letter or a digit",
			ret_err);
	return mem_strcpy(field, SPEC_NAME_MAX, s);
}

static int read_after(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	const char *s = json_string_value(value);
	enum spec_after after = s ? spec_after_parse(s) : SPEC_AFTER_INVALID;

	if (after == SPEC_AFTER_INVALID)
		return not_of_type(key, "\"stop\" or \"restart\"", ret_err);
	*(enum spec_after *)field = after;
	return 0;
}

static int read_uuid(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	const char *s = json_string_value(value);
	struct id id;

	if (!s || id_parse(s, &id) < 0 || id_is_none(&id))
		return not_of_type(key, "a UUID (8-4-4-4-12 hexadecimal digits, not all zero)",
				   ret_err);
	*(struct id *)field = id;
	return 0;
}

/* One line of printable text: it becomes an argument of a command, and a line of a table. */
static bool plain_text(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return strlen(s) < SPEC_TEXT_MAX;
}

static void replace_text(char **field, const char *s)
{
	free(*field);
	*field = mem_strdup(s);
}

static int read_text(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	const char *s = json_string_value(value);

	if (!s || !plain_text(s))
		return not_of_type(key, "a text of one line, shorter than 4096 bytes", ret_err);
	replace_text(field, s);
	return 0;
}

static int read_path(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	const char *s = json_string_value(value);

	if (!s || s[0] != '/' || !plain_text(s))
		return not_of_type(key, "an absolute path of one line, shorter than 4096 bytes",
				   ret_err);
	replace_text(field, s);
	return 0;
}

static int read_cpu(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		"+-._,=";
	const char *s = json_string_value(value);

	if (!s || strspn(s, allowed) != strlen(s) || strlen(s) > 255 || !s[0] ||
	    strchr("+-._,=", s[0]))
		return not_of_type(key, "a QEMU CPU model, such as \"max\" or \"Nehalem,+aes\"",
				   ret_err);
	replace_text(field, s);
	return 0;
}

static int read_bridge(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	const char *s = json_string_value(value);

	if (!s || !spec_name_ok(s) || strlen(s) > 15)
		return not_of_type(key, "the name of a bridge of the hosts, of up to 15 characters",
				   ret_err);
	return mem_strcpy(field, sizeof(((struct spec_nic *)NULL)->bridge), s);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c | 0x20) : NULL;

	return p && *p ? (int)(p - digits) : -1;
}

/* Accepts six bytes of a unicast address; writes them in lower case. */
static int read_mac(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	const char *s = json_string_value(value);
	char *mac = field;
	bool ok = s && strlen(s) == 17, zero = true;

	for (size_t i = 0; ok && i < 17; i++) {
		if (i % 3 == 2) {
			ok = s[i] == ':';
			continue;
		}
		ok = hex_digit(s[i]) >= 0;
		zero = zero && s[i] == '0';
	}
	if (!ok || zero || hex_digit(s[1]) & 1)
		return not_of_type(key, "a unicast MAC address, such as \"52:54:00:12:34:56\"",
				   ret_err);
	for (size_t i = 0; i < 18; i++)
		mac[i] = i % 3 == 2 || !s[i] ? s[i] : "0123456789abcdef"[hex_digit(s[i])];
	mac[17] = '\0';
	return 0;
}

static const struct key *find_key(const struct key *keys, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

/* Fills @base from @object by the table; unknown keys are listed with what there is instead. */
static int read_object(const struct key *keys, size_t n, json_t *object, void *base,
		       struct err *ret_err)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return err_set(ret_err, -EINVAL, "must be an object");
	json_object_foreach(object, name, value)
	{
		const struct key *key = find_key(keys, n, name);
		int r;

		if (!key)
			return err_set(ret_err, -EINVAL, "unknown key \"%.40s\"", name);
		r = key->read(key, value, (char *)base + key->offset, ret_err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n; i++)
		if (keys[i].required && !json_object_get(object, keys[i].name))
			return err_set(ret_err, -EINVAL, "\"%s\" is missing", keys[i].name);
	return 0;
}

static int prefix_index(struct err *err, const char *what, size_t i)
{
	char place[32];

	snprintf(place, sizeof(place), "\"%s\"[%zu]", what, i);
	return err_prefix(err, place);
}

static const struct key disk_keys[] = {
	{ "pool", read_name, offsetof(struct spec_disk, pool), false, 0, 0 },
	{ "readonly", read_bool, offsetof(struct spec_disk, readonly), false, 0, 0 },
	{ "volume", read_name, offsetof(struct spec_disk, volume), true, 0, 0 },
};

static int check_disk(const struct guest_spec *spec, const struct spec_disk *disk,
		      struct err *ret_err)
{
	const struct spec_disk *d;

	vec_each(d, &spec->disks)
		if (strcmp(d->pool, disk->pool) == 0 && strcmp(d->volume, disk->volume) == 0)
			return err_set(ret_err, -EINVAL,
				       "volume %s/%s stands in an earlier disk already", d->pool,
				       d->volume);
	return 0;
}

static int read_disks(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	struct guest_spec *spec = container_of(field, struct guest_spec, disks);
	json_t *item;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) > SPEC_DISKS_MAX)
		return not_of_type(key, "an array of up to 16 disks", ret_err);
	json_array_foreach(value, i, item)
	{
		struct spec_disk disk = { .pool = "default" };
		int r = read_object(disk_keys, ARRAY_SIZE(disk_keys), item, &disk, ret_err);

		if (r == 0)
			r = check_disk(spec, &disk, ret_err);
		if (r < 0)
			return prefix_index(ret_err, key->name, i), r;
		vec_push(&spec->disks, disk);
	}
	return 0;
}

static const struct key nic_keys[] = {
	{ "bridge", read_bridge, offsetof(struct spec_nic, bridge), true, 0, 0 },
	{ "mac", read_mac, offsetof(struct spec_nic, mac), false, 0, 0 },
};

static int check_nic(const struct guest_spec *spec, const struct spec_nic *nic, struct err *ret_err)
{
	const struct spec_nic *n;

	vec_each(n, &spec->nics)
		if (nic->mac[0] && strcmp(n->mac, nic->mac) == 0)
			return err_set(ret_err, -EINVAL, "mac %s stands in an earlier NIC already",
				       nic->mac);
	return 0;
}

static int read_nics(const struct key *key, json_t *value, void *field, struct err *ret_err)
{
	struct guest_spec *spec = container_of(field, struct guest_spec, nics);
	json_t *item;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) > SPEC_NICS_MAX)
		return not_of_type(key, "an array of up to 8 NICs", ret_err);
	json_array_foreach(value, i, item)
	{
		struct spec_nic nic = { .bridge = "" };
		int r = read_object(nic_keys, ARRAY_SIZE(nic_keys), item, &nic, ret_err);

		if (r == 0)
			r = check_nic(spec, &nic, ret_err);
		if (r < 0)
			return prefix_index(ret_err, key->name, i), r;
		vec_push(&spec->nics, nic);
	}
	return 0;
}

#define AT(field) offsetof(struct guest_spec, field)

static const struct key spec_keys[] = {
	{ "cmdline", read_text, AT(cmdline), false, 0, 0 },
	{ "cpu", read_cpu, AT(cpu), false, 0, 0 },
	{ "disks", read_disks, AT(disks), false, 0, 0 },
	{ "initrd", read_path, AT(initrd), false, 0, 0 },
	{ "kernel", read_path, AT(kernel), false, 0, 0 },
	{ "memory_mib", read_number, AT(memory_mib), true, MEMORY_MIN_MIB, MEMORY_MAX_MIB },
	{ "name", read_name, AT(name), true, 0, 0 },
	{ "nics", read_nics, AT(nics), false, 0, 0 },
	{ "on_crash", read_after, AT(on_crash), false, 0, 0 },
	{ "on_poweroff", read_after, AT(on_poweroff), false, 0, 0 },
	{ "on_reboot", read_after, AT(on_reboot), false, 0, 0 },
	{ "restart_max", read_number, AT(restart_max), false, 0, 30 },
	{ "restart_window_s", read_number, AT(restart_window_s), false, 1, 7 * 24 * 3600 },
	{ "stop_timeout_s", read_number, AT(stop_timeout_s), false, 1, 24 * 3600 },
	{ "uuid", read_uuid, AT(uuid), false, 0, 0 },
	{ "vcpus", read_number, AT(vcpus), false, 1, 255 },
	{ "vnc", read_bool, AT(vnc), false, 0, 0 },
};

static int check_whole(const struct guest_spec *spec, struct err *ret_err)
{
	if (!spec->kernel && (spec->initrd || spec->cmdline))
		return err_set(ret_err, -EINVAL, "\"%s\" needs a \"kernel\"",
			       spec->initrd ? "initrd" : "cmdline");
	return 0;
}

static struct guest_spec *spec_new(void)
{
	struct guest_spec *spec = mem_new(struct guest_spec);

	spec->vcpus = 1;
	spec->vnc = true;
	spec->on_poweroff = SPEC_AFTER_STOP;
	spec->on_reboot = SPEC_AFTER_RESTART;
	spec->on_crash = SPEC_AFTER_RESTART;
	spec->stop_timeout_s = 60;
	spec->restart_max = 3;
	spec->restart_window_s = 600;
	return spec;
}

static int read_root(json_t *root, struct guest_spec *spec, struct err *ret_err)
{
	int r = read_object(spec_keys, ARRAY_SIZE(spec_keys), root, spec, ret_err);

	return r < 0 ? r : check_whole(spec, ret_err);
}

int spec_parse(const char *text, size_t len, struct guest_spec **ret_spec, struct err *ret_err)
{
	_cleanup_(spec_freep) struct guest_spec *spec = spec_new();
	struct err err = { 0 };
	json_error_t je;
	json_t *root;
	int r;

	if (len > SPEC_JSON_MAX)
		return err_set(ret_err, -E2BIG, "guest specification: longer than %d bytes",
			       SPEC_JSON_MAX);
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (!root)
		return err_set(ret_err, -EINVAL, "guest specification: line %d, column %d: %s",
			       je.line, je.column, je.text);
	r = read_root(root, spec, &err);
	json_decref(root);
	if (r < 0)
		return err_set(ret_err, r, "guest specification: %s", err.text);
	*ret_spec = TAKE_PTR(spec);
	return 0;
}
