/* SPDX-License-Identifier: Apache-2.0
 * Memory: allocation that cannot fail, and ownership by attribute.
 *
 * An agent that cannot allocate ends at once (abort): its guests go on and its
 * successor adopts them, while a half-done change would be worse. */
#ifndef DOMUS_BASE_MEM_H
#define DOMUS_BASE_MEM_H

#include <stddef.h>

/* All abort when memory is out. A size of 0 gives a unique pointer. mem_new zeroes. */
void *mem_alloc0(size_t size);
void *mem_resize(void *p, size_t count, size_t size);	/* checks count * size for overflow */
void *mem_dup(const void *p, size_t size);
char *mem_strdup(const char *s);			/* NULL gives NULL */
char *mem_strndup(const char *s, size_t n);

#define mem_new(type) ((type *)mem_alloc0(sizeof(type)))

/* free() that accepts NULL, for _cleanup_(mem_freep). */
void mem_freep(void *pp);

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Gives the pointer away: the variable becomes NULL, so its cleanup does nothing. */
#define TAKE_PTR(p) ({ __typeof__(p) take_ptr_ = (p); (p) = NULL; take_ptr_; })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* Copies @src into an array, terminated; returns 0 or -ENAMETOOLONG (nothing is copied then). */
int mem_strcpy(char *dst, size_t size, const char *src);
#define STRCPY(dst, src) mem_strcpy((dst), sizeof(dst), (src))

#endif
