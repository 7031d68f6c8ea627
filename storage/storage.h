/* SPDX-License-Identifier: Apache-2.0
 * Storage: pools and the volumes in them, as one node sees them. All asynchronous.
 *
 * The truth about who may use a volume is in the ledger's model. This room gets a ticket and obeys
 * it. */
#ifndef DOMUS_STORAGE_STORAGE_H
#define DOMUS_STORAGE_STORAGE_H

#include "base/child.h"
#include "base/env.h"
#include "base/err.h"
#include "base/table.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define STORAGE_NAME_MAX 64 /* with the zero: [A-Za-z0-9][A-Za-z0-9._-]* */
#define STORAGE_PATH_MAX 1024

enum access_mode {
	ACCESS_DEPORTED, /* nobody; shown to people as "not in use" */
	ACCESS_PRIVATE,  /* one owner */
	ACCESS_SHARED,   /* owner and migration target */
	ACCESS_MODE_MAX,
	ACCESS_MODE_INVALID = -1
};
TABLE_DECLARE(access_mode, enum access_mode); /* "not-in-use", "private", "shared" */

/* The right to use a volume on this node. A plain value. @epoch is the ledger index of the grant;
 * of two tickets the higher epoch wins. */
struct ticket {
	char pool[STORAGE_NAME_MAX], volume[STORAGE_NAME_MAX];
	uint32_t node;
	uint64_t epoch;
	enum access_mode mode;
};

/* One pool's place. @path: the folder of a `dir` pool (absolute). */
struct pool_conf {
	char name[STORAGE_NAME_MAX];
	char backend[16];
	char path[STORAGE_PATH_MAX];
};

struct volume_info {
	char name[STORAGE_NAME_MAX];
	uint64_t size; /* bytes */
};

/* Called exactly once for each call that returned 0, from the loop, never from inside the call.
 * @err->code is 0 on success. */
typedef void storage_done_fn(void *ctx, const struct err *err);
/* @path: what a hypervisor opens. */
typedef void storage_mapped_fn(void *ctx, const struct err *err, const char *path);
typedef void storage_list_fn(void *ctx, const struct err *err, const struct volume_info *volumes,
			     size_t n);

/*
 * A backend. @ctx is what open gave. Names are checked before they come here. close cancels what
 * runs without calling its done functions, unmaps nothing, and may be called from inside a done.
 * create: -EEXIST if it is there, -ENOSPC if it does not fit (nothing is left
 * half made). remove: -ENOENT if it is gone already. map: readable and, unless
 * deported, writable at the returned path. unmap: what is not mapped is no error.
 */
struct storage_backend {
	const char *name;
	void *shared; /* what all its pools share: the simulator's world, else NULL; not owned */
	int (*open)(void *shared, const struct pool_conf *conf, const struct env *env,
		    const struct children *children, void **ret_ctx, struct err *ret_err);
	void (*close)(void *ctx);
	int (*create)(void *ctx, const char *volume, uint64_t size, storage_done_fn *done,
		      void *arg, struct err *ret_err);
	int (*remove)(void *ctx, const char *volume, storage_done_fn *done, void *arg,
		      struct err *ret_err);
	int (*list)(void *ctx, storage_list_fn *done, void *arg, struct err *ret_err);
	int (*map)(void *ctx, const struct ticket *ticket, storage_mapped_fn *done, void *arg,
		   struct err *ret_err);
	int (*unmap)(void *ctx, const struct ticket *ticket, storage_done_fn *done, void *arg,
		     struct err *ret_err);
};

extern const struct storage_backend storage_dir;
/* In memory, with faults; storage_world_backend (storage/sim.h) makes one that has a world. */
extern const struct storage_backend storage_sim;

/* A node's storage: its pools by name. @backends ends with NULL. @env, @children outlive it. */
struct storage;
struct storage *storage_new(const struct env *env, const struct children *children,
			    const struct storage_backend *const *backends);
/* Running calls are cancelled; their done functions are not called. */
void storage_free(struct storage *s);

/*
 * Adds a pool, or changes its place while none of its volumes is mapped and no call on it is
 * running (-EBUSY otherwise). -EINVAL for an unknown backend or a bad path.
 */
int storage_pool(struct storage *s, const struct pool_conf *conf, struct err *ret_err);
/*
 * Whether this node sees a pool's place, for one that is yet to be made: it is listed. What is wrong
 * with it comes by @done, or at once (as storage_pool). cancel: @done with this @arg will not be
 * called.
 */
int storage_look(struct storage *s, const struct pool_conf *conf, storage_done_fn *done, void *arg,
		 struct err *ret_err);
void storage_look_cancel(struct storage *s, const void *arg);
/* Running calls end as usual; what was mapped stays open in whoever opened it, but is no longer
 * known here. */
void storage_pool_forget(struct storage *s, const char *name);

int storage_create(struct storage *s, const char *pool, const char *volume, uint64_t size,
		   storage_done_fn *done, void *arg, struct err *ret_err);
int storage_remove(struct storage *s, const char *pool, const char *volume, storage_done_fn *done,
		   void *arg, struct err *ret_err);
int storage_list(struct storage *s, const char *pool, storage_list_fn *done, void *arg,
		 struct err *ret_err);

/*
 * Maps a volume under @ticket. -ESTALE when a newer epoch of this volume has been seen on this
 * node, -EBUSY when it is mapped under another ticket that excludes it. Asked twice with the same
 * ticket it answers the same path. unmap with an older epoch than the mapped one is -ESTALE; of
 * what this agent has not mapped it goes to the backend all the same (an earlier agent may have).
 */
int storage_map(struct storage *s, const struct ticket *ticket, storage_mapped_fn *done, void *arg,
		struct err *ret_err);
int storage_unmap(struct storage *s, const struct ticket *ticket, storage_done_fn *done, void *arg,
		  struct err *ret_err);
/*
 * What this node holds of a volume: the ticket, or NULL, also while a call that may change it is
 * under way. Valid until the next call.
 */
const struct ticket *storage_held(const struct storage *s, const char *pool, const char *volume);
bool storage_name_ok(const char *name);

#endif
