/* SPDX-License-Identifier: Apache-2.0
 * The one map: ordered by key, so that walking it is the same on every machine. */
#ifndef DOMUS_BASE_MAP_H
#define DOMUS_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Keys are byte strings compared by memcmp, the shorter one first where one is the
 * other's beginning; they are copied. Values are pointers that the caller owns,
 * unless map_new was given @free_value: then remove, replace (by another value)
 * and free call it. O(log n).
 */
struct map;

struct map *map_new(void (*free_value)(void *value));
void map_free(struct map *m);
void map_freep(struct map **m);
size_t map_count(const struct map *m);

/*
 * Text keys. map_put replaces; map_get gives NULL when there is none; map_remove says
 * whether there was one.
 */
void map_put(struct map *m, const char *key, void *value);
void *map_get(const struct map *m, const char *key);
int map_remove(struct map *m, const char *key);

/*
 * Number keys (kept big-endian, so that the order is the numbers'). Do not mix with
 * text keys in one map.
 */
void map_put_u64(struct map *m, uint64_t key, void *value);
void *map_get_u64(const struct map *m, uint64_t key);
int map_remove_u64(struct map *m, uint64_t key);

/*
 * Walking in key order:
 *	struct map_iter it = {0};
 *	while ((guest = map_next(m, &it)))
 * The entry just returned may be removed while walking, and values may be replaced;
 * other changes abort at the next step.
 */
struct map_iter {
	const void *node;	/* private */
	uint64_t generation;	/* private */
	void *next;		/* private */
};
void *map_next(const struct map *m, struct map_iter *it);
void *map_first(const struct map *m);
void *map_last(const struct map *m);

#endif
