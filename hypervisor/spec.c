/* SPDX-License-Identifier: Apache-2.0
 * The guest specification as a value: limits, derived fields, canonical printing. */
#include "spec.h"

#include "base/jsonw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const spec_after_names[SPEC_AFTER_MAX] = {
	[SPEC_AFTER_STOP] = "stop",
	[SPEC_AFTER_RESTART] = "restart",
};
TABLE_DEFINE(spec_after, enum spec_after, SPEC_AFTER_MAX);

static bool alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool spec_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= SPEC_NAME_MAX || !alnum(name[0]))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!alnum(name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

/*
 * 52 is a locally administered unicast prefix. Forty bits of a random uuid follow, so two guests
 * of one site do not meet; the index makes the guest's own NICs differ.
 */
static void derive_mac(const struct id *uuid, size_t index, char *ret, size_t size)
{
	const uint8_t *b = uuid->b;

	snprintf(ret, size, "52:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
		 (unsigned int)(b[4] + index) & 0xff);
}

void spec_complete(struct guest_spec *spec)
{
	for (size_t i = 0; i < spec->nics.n; i++) {
		struct spec_nic *nic = &spec->nics.v[i];

		if (!nic->mac[0] && !id_is_none(&spec->uuid))
			derive_mac(&spec->uuid, i, nic->mac, sizeof(nic->mac));
	}
}

static void print_disks(const struct guest_spec *spec, struct jsonw *j)
{
	const struct spec_disk *d;

	jsonw_key(j, "disks");
	jsonw_array(j);
	vec_each(d, &spec->disks) {
		jsonw_object(j);
		jsonw_kv_str(j, "pool", d->pool);
		jsonw_kv_bool(j, "readonly", d->readonly);
		jsonw_kv_str(j, "volume", d->volume);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void print_nics(const struct guest_spec *spec, struct jsonw *j)
{
	const struct spec_nic *nic;

	jsonw_key(j, "nics");
	jsonw_array(j);
	vec_each(nic, &spec->nics) {
		jsonw_object(j);
		jsonw_kv_str(j, "bridge", nic->bridge);
		if (nic->mac[0])
			jsonw_kv_str(j, "mac", nic->mac);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void print_given(struct jsonw *j, const char *key, const char *value)
{
	if (value)
		jsonw_kv_str(j, key, value);
}

void spec_print(const struct guest_spec *spec, struct buf *out)
{
	struct jsonw j = jsonw_begin(out);
	char uuid[ID_TEXT_SIZE];

	jsonw_object(&j);
	print_given(&j, "cmdline", spec->cmdline);
	print_given(&j, "cpu", spec->cpu);
	print_disks(spec, &j);
	print_given(&j, "initrd", spec->initrd);
	print_given(&j, "kernel", spec->kernel);
	jsonw_kv_u64(&j, "memory_mib", spec->memory_mib);
	jsonw_kv_str(&j, "name", spec->name);
	print_nics(spec, &j);
	jsonw_kv_str(&j, "on_crash", spec_after_text(spec->on_crash));
	jsonw_kv_str(&j, "on_poweroff", spec_after_text(spec->on_poweroff));
	jsonw_kv_str(&j, "on_reboot", spec_after_text(spec->on_reboot));
	jsonw_kv_u64(&j, "restart_max", spec->restart_max);
	jsonw_kv_u64(&j, "restart_window_s", spec->restart_window_s);
	jsonw_kv_u64(&j, "stop_timeout_s", spec->stop_timeout_s);
	if (!id_is_none(&spec->uuid))
		jsonw_kv_str(&j, "uuid", id_text(&spec->uuid, uuid));
	jsonw_kv_u64(&j, "vcpus", spec->vcpus);
	jsonw_kv_bool(&j, "vnc", spec->vnc);
	jsonw_object_end(&j);
}

void spec_free(struct guest_spec *spec)
{
	if (!spec)
		return;
	free(spec->kernel);
	free(spec->initrd);
	free(spec->cmdline);
	free(spec->cpu);
	vec_free(&spec->disks);
	vec_free(&spec->nics);
	free(spec);
}

void spec_freep(struct guest_spec **spec)
{
	spec_free(*spec);
	*spec = NULL;
}
