/* SPDX-License-Identifier: Apache-2.0
 * A corosync for tests of its adapters: stands in front of the real libraries. For tests only, included by them whole. */
#ifndef DOMUS_TESTS_COROSYNC_FAKE_H
#define DOMUS_TESTS_COROSYNC_FAKE_H

#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What it answers, and what was asked of it. One test at a time. */
static struct {
	cs_error_t send;		/* to the next multicasts */
	unsigned int sends, joins, finalized;
	cs_error_t cmap, key;		/* to cmap_initialize; to the reading of any key that is there */
	const char *number, *text;	/* the one key of each type that is there; both read as 1 */
	unsigned int reads;
	int idle[2];			/* a descriptor that is never ready */
	cpg_model_v1_data_t cpg_calls;
	quorum_model_v1_data_t quorum_calls;
	void *cpg_ctx;
	const void *quorum_ctx;
} fake;

static inline void fake_begin(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.send = fake.cmap = fake.key = CS_OK;
	if (pipe(fake.idle) < 0)
		abort();
}

static inline void fake_end(void)
{
	close(fake.idle[0]);
	close(fake.idle[1]);
}

/* ---- cpg ---- */

cs_error_t cpg_model_initialize(cpg_handle_t *handle, cpg_model_t model, cpg_model_data_t *data, void *ctx)
{
	(void)model;
	memcpy(&fake.cpg_calls, data, sizeof(fake.cpg_calls));
	fake.cpg_ctx = ctx;
	*handle = 1;
	return CS_OK;
}

cs_error_t cpg_finalize(cpg_handle_t handle)
{
	(void)handle;
	fake.finalized++;
	return CS_OK;
}

cs_error_t cpg_context_get(cpg_handle_t handle, void **ctx)
{
	(void)handle;
	*ctx = fake.cpg_ctx;
	return CS_OK;
}

cs_error_t cpg_local_get(cpg_handle_t handle, unsigned int *node)
{
	(void)handle;
	*node = 1;
	return CS_OK;
}

cs_error_t cpg_fd_get(cpg_handle_t handle, int *fd)
{
	(void)handle;
	*fd = fake.idle[0];
	return CS_OK;
}

cs_error_t cpg_join(cpg_handle_t handle, const struct cpg_name *group)
{
	(void)handle, (void)group;
	fake.joins++;
	return CS_OK;
}

cs_error_t cpg_dispatch(cpg_handle_t handle, cs_dispatch_flags_t flags)
{
	(void)handle, (void)flags;
	return CS_OK;
}

cs_error_t cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee, const struct iovec *iov, unsigned int n)
{
	(void)handle, (void)guarantee, (void)iov, (void)n;
	fake.sends++;
	return fake.send;
}

/* ---- quorum ---- */

cs_error_t quorum_model_initialize(quorum_handle_t *handle, quorum_model_t model, quorum_model_data_t *data,
				   uint32_t *type, void *ctx)
{
	(void)model;
	memcpy(&fake.quorum_calls, data, sizeof(fake.quorum_calls));
	fake.quorum_ctx = ctx;
	*type = QUORUM_SET;
	*handle = 2;
	return CS_OK;
}

cs_error_t quorum_finalize(quorum_handle_t handle)
{
	(void)handle;
	return CS_OK;
}

cs_error_t quorum_context_get(quorum_handle_t handle, const void **ctx)
{
	(void)handle;
	*ctx = fake.quorum_ctx;
	return CS_OK;
}

cs_error_t quorum_fd_get(quorum_handle_t handle, int *fd)
{
	(void)handle;
	*fd = fake.idle[0];
	return CS_OK;
}

cs_error_t quorum_trackstart(quorum_handle_t handle, unsigned int flags)
{
	(void)handle, (void)flags;
	return CS_OK;
}

cs_error_t quorum_dispatch(quorum_handle_t handle, cs_dispatch_flags_t flags)
{
	(void)handle, (void)flags;
	return CS_OK;
}

/* Says to the adapter that ring 4 is quorate, as the library does from its dispatch. */
static inline void fake_say_quorate(void)
{
	fake.quorum_calls.quorum_notify_fn(2, 1, (struct quorum_ring_id){ .nodeid = 1, .seq = 4 }, 0, NULL);
}

/* ---- cmap ---- */

cs_error_t cmap_initialize(cmap_handle_t *handle)
{
	fake.reads++;
	*handle = 3;
	return fake.cmap;
}

cs_error_t cmap_finalize(cmap_handle_t handle)
{
	(void)handle;
	return CS_OK;
}

cs_error_t cmap_get_uint8(cmap_handle_t handle, const char *key, uint8_t *ret)
{
	(void)handle;
	if (fake.text && !strcmp(key, fake.text))
		return CS_ERR_INVALID_PARAM;	/* of another type */
	if (!fake.number || strcmp(key, fake.number) != 0)
		return CS_ERR_NOT_EXIST;
	*ret = 1;
	return fake.key;
}

cs_error_t cmap_get_uint32(cmap_handle_t handle, const char *key, uint32_t *ret)
{
	(void)handle;
	if (strcmp(key, "nodelist.node.0.nodeid") != 0)
		return CS_ERR_NOT_EXIST;
	*ret = 1;
	return CS_OK;
}

cs_error_t cmap_get_string(cmap_handle_t handle, const char *key, char **ret)
{
	(void)handle;
	if (fake.number && !strcmp(key, fake.number))
		return CS_ERR_INVALID_PARAM;
	if (!fake.text || strcmp(key, fake.text) != 0)
		return CS_ERR_NOT_EXIST;
	if (fake.key == CS_OK)
		*ret = strdup("1");
	return fake.key;
}

#endif
