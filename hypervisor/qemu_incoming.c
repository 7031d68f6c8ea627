/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver: live migration, the target's end: it loads everything and stands still.
 *
 * With late-block-activate and -S neither its disks nor its vCPUs begin before activate. */
#include "qemu_int.h"

#include <stdio.h>
#include <string.h>

const char qemu_migrate_capabilities[] = "{\"capabilities\":["
					 "{\"capability\":\"return-path\",\"state\":true},"
					 "{\"capability\":\"late-block-activate\",\"state\":true},"
					 "{\"capability\":\"events\",\"state\":true}]}";

/* It stands in JSON and in a URI unescaped, and came from another node. */
bool qemu_address_ok(const char *address)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.:[]-%";

	return address[0] && strspn(address, allowed) == strlen(address);
}

int qemu_listen_address(struct domain *d, const char *address, struct err *ret_err)
{
	bool v6 = address && strchr(address, ':');
	int n;

	if (!address || !qemu_address_ok(address))
		return err_set(ret_err, -EINVAL, "no address to listen at");
	n = snprintf(d->address, sizeof(d->address), v6 ? "tcp:[%s]:" : "tcp:%s:", address);
	if (n < 0 || (size_t)n + sizeof("65535") > sizeof(d->address))
		return err_set(ret_err, -EINVAL, "the address to listen at is too long");
	return 0;
}

/* The port that the kernel chose goes behind the address. */
static void port_known(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;
	struct err none;
	const char *port = qmp_first_str(data, "socket-address", "port");
	size_t len = strlen(d->address);

	if (d->info.state == DOMAIN_ENDING)
		return;
	if (err->code) {
		qemu_create_fail(d, err);
	} else if (!port[0] || !qemu_address_ok(port) ||
		   mem_strcpy(d->address + len, sizeof(d->address) - len, port) < 0) {
		err_set(&none, -EPROTO, "QEMU does not say where it listens");
		qemu_create_fail(d, &none);
	} else {
		qemu_set_state(d, DOMAIN_INCOMING, "waits for the stream");
		qemu_step_done(d, err);
	}
}

static void listening(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;

	(void)data;
	if (d->info.state == DOMAIN_ENDING)
		return;
	if (err->code)
		qemu_create_fail(d, err);
	else
		qmp_conn_call(d->qmp, "query-migrate", NULL, port_known, d);
}

static void target_capable(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;
	char args[QEMU_ADDRESS_MAX + 32];

	(void)data;
	if (d->info.state == DOMAIN_ENDING)
		return;
	if (err->code) {
		qemu_create_fail(d, err);
		return;
	}
	snprintf(args, sizeof(args), "{\"uri\":\"%s0\"}", d->address);
	qmp_conn_call(d->qmp, "migrate-incoming", args, listening, d);
}

void qemu_listen(struct domain *d)
{
	qmp_conn_call(d->qmp, "migrate-set-capabilities", qemu_migrate_capabilities, target_capable,
		      d);
}

static void target_loaded(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;
	enum domain_state state;

	if (err->code || d->info.state != DOMAIN_INCOMING)
		return;
	state = qemu_state_of(d, qmp_str(data, "status"));
	if (state != DOMAIN_LOADED) {
		qemu_event(d, DOMAIN_EV_FAILED, "what arrived is not a guest that could go on");
		return;
	}
	d->info.state = DOMAIN_LOADED;
	qemu_event(d, DOMAIN_EV_LOADED, "everything is here");
}

void qemu_incoming_event(struct domain *d, const char *status)
{
	if (strcmp(status, "completed") == 0)
		qmp_conn_call(d->qmp, "query-status", NULL, target_loaded, d);
	else if (strcmp(status, "failed") == 0)
		qemu_event(d, DOMAIN_EV_FAILED, "the stream broke");
}
