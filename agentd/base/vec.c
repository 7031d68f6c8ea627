/* SPDX-License-Identifier: Apache-2.0
 * Growable arrays: the one function behind the macros. */
#include "vec.h"

#include <stdint.h>
#include <stdlib.h>

#define FIRST_CAP 8

void vec_reserve_(void **v, size_t *cap, size_t need, size_t elem)
{
	size_t want = *cap ? *cap : FIRST_CAP;

	if (need <= *cap)
		return;
	while (want < need) {
		if (want > SIZE_MAX / 2)
			abort();
		want *= 2;
	}
	*v = mem_resize(*v, want, elem);
	*cap = want;
}
