/* SPDX-License-Identifier: Apache-2.0
 * Growable arrays of any type, as macros: VEC(struct claim) claims = {0}; */
#ifndef DOMUS_BASE_VEC_H
#define DOMUS_BASE_VEC_H

#include "mem.h"

#include <stddef.h>
#include <string.h>

/* Zero-initialised is empty. The elements are @v[0] .. @v[n - 1]. Pushing may move them. */
#define VEC(type) struct { type *v; size_t n, cap; }

void vec_reserve_(void **v, size_t *cap, size_t need, size_t elem);

/* Appends a copy of @item. */
#define vec_push(vec, ...) \
	do { \
		vec_reserve_((void **)&(vec)->v, &(vec)->cap, (vec)->n + 1, sizeof(*(vec)->v)); \
		(vec)->v[(vec)->n++] = (__VA_ARGS__); \
	} while (0)

/* Appends a zeroed element and gives its address (valid until the next push). */
#define vec_add(vec) \
	({ \
		vec_reserve_((void **)&(vec)->v, &(vec)->cap, (vec)->n + 1, sizeof(*(vec)->v)); \
		memset(&(vec)->v[(vec)->n], 0, sizeof(*(vec)->v)); \
		&(vec)->v[(vec)->n++]; \
	})

/* Removes @count elements from the one at @i on, keeping the order. */
#define vec_cut(vec, i, count) \
	do { \
		size_t vec_i_ = (i), vec_k_ = (count); \
		if (!vec_k_) \
			break; \
		memmove(&(vec)->v[vec_i_], &(vec)->v[vec_i_ + vec_k_], \
			((vec)->n - vec_i_ - vec_k_) * sizeof(*(vec)->v)); \
		(vec)->n -= vec_k_; \
	} while (0)
#define vec_remove(vec, i) vec_cut(vec, i, 1)

/* Removes the first element that equals @item (by ==), keeping the order; does nothing when there is none. */
#define vec_drop(vec, item) \
	do { \
		for (size_t vec_j_ = 0; vec_j_ < (vec)->n; vec_j_++) { \
			if ((vec)->v[vec_j_] != (item)) \
				continue; \
			vec_remove(vec, vec_j_); \
			break; \
		} \
	} while (0)

/*
 * Forgets the elements, keeps the memory / gives the memory back. The elements' own
 * memory is the caller's.
 */
#define vec_clear(vec) ((void)((vec)->n = 0))
#define vec_free(vec) \
	do { \
		mem_freep(&(vec)->v); \
		(vec)->n = (vec)->cap = 0; \
	} while (0)

#define vec_each(p, vec) for ((p) = (vec)->v; (p) < (vec)->v + (vec)->n; (p)++)

#endif
