/* SPDX-License-Identifier: Apache-2.0
 * What storage.c and volume.c share. Private to storage/. */
#ifndef DOMUS_STORAGE_STORAGE_PRIV_H
#define DOMUS_STORAGE_STORAGE_PRIV_H

#include "storage.h"

#include "base/map.h"
#include "base/mem.h"

/* What this node knows of one volume. It outlives its mapping, since @seen must. */
struct volume {
	uint64_t seen; /* the highest epoch that a ticket brought here */
	bool held;
	struct ticket ticket; /* if @held */
	char *path;           /* if @held */
	struct call *call;    /* the map, unmap or remove that the backend is at, or NULL */
};

/* Invariant: in storage.pools until it is forgotten, in storage.leaving from then until @calls is
 * 0. One that is only looked at is forgotten from the beginning. */
struct pool {
	struct pool_conf conf;
	const struct storage_backend *backend;
	void *ctx;           /* the backend's */
	struct map *volumes; /* name -> struct volume */
	size_t calls;
	bool forgotten;
};

enum call_kind { CALL_CREATE, CALL_REMOVE, CALL_LIST, CALL_LOOK, CALL_MAP, CALL_UNMAP };

/*
 * One running call. Map and unmap are the only ones that can be answered without the backend: then
 * @soon is armed and @result and @path are the answer.
 */
struct call {
	struct storage *storage;
	struct pool *pool;
	enum call_kind kind;
	char volume[STORAGE_NAME_MAX];
	struct ticket ticket; /* of map and unmap */
	bool joined;          /* waits for the same answer as volume->call */
	struct env_timer *soon;
	struct err result;
	char *path;
	union {
		storage_done_fn *done;
		storage_mapped_fn *mapped;
		storage_list_fn *list;
	} fn;
	void *arg;
};

struct storage {
	struct env env;
	const struct children *children;
	const struct storage_backend *const *backends;
	struct map *pools; /* name -> struct pool */
	VEC(struct pool *) leaving;
	VEC(struct call *) calls;
};

/* Starts the bookkeeping of a call of @volume (NULL: of the pool). */
struct call *storage_call_new(struct storage *s, struct pool *pool, enum call_kind kind,
			      const char *volume);
/* Passes on what the backend said to the start of the call: @r < 0 takes the call back. */
int storage_refused(struct call *c, int r);
/* Ends the call and tells its result; the last thing done with it, since whoever is told may free
 * the storage. */
void storage_answer(struct call *c);
void storage_answer_soon(struct call *c); /* the same, from the loop */

struct pool *storage_find_pool(const struct storage *s, const char *name, struct err *ret_err);
struct volume *storage_get_volume(struct pool *pool,
				  const char *name); /* makes it when it is new here */

#endif
