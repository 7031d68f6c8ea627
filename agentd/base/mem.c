/* SPDX-License-Identifier: Apache-2.0
 * Memory: allocation that cannot fail. */
#include "mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *or_abort(void *p)
{
	if (!p)
		abort();
	return p;
}

void *mem_alloc0(size_t size)
{
	return or_abort(calloc(1, size ? size : 1));
}

void *mem_resize(void *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		abort();
	return or_abort(realloc(p, bytes ? bytes : 1));
}

void *mem_dup(const void *p, size_t size)
{
	void *copy = mem_alloc0(size);

	if (size)
		memcpy(copy, p, size);
	return copy;
}

char *mem_strdup(const char *s)
{
	return s ? mem_dup(s, strlen(s) + 1) : NULL;
}

char *mem_strndup(const char *s, size_t n)
{
	size_t len;
	char *copy;

	if (!s)
		return NULL;
	len = strnlen(s, n);
	copy = mem_alloc0(len + 1);
	memcpy(copy, s, len);
	return copy;
}

void mem_freep(void *pp)
{
	void *p;

	/* By memcpy: the variable is a pointer of some other type. */
	memcpy(&p, pp, sizeof(p));
	free(p);
	p = NULL;
	memcpy(pp, &p, sizeof(p));
}

int mem_strcpy(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);

	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(dst, src, len + 1);
	return 0;
}
