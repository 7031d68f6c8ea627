/* SPDX-License-Identifier: Apache-2.0
 * A disk of the ledger's world: what a store holds, and what a write makes of it. */
#ifndef DOMUS_TESTS_LEDGER_DISK_H
#define DOMUS_TESTS_LEDGER_DISK_H

#include "base/mem.h"
#include "cluster/log_store.h"

static inline void image_free(struct ledger_image *image)
{
	for (size_t i = 0; i < image->entries.n; i++)
		mem_freep(&image->entries.v[i].data);
	vec_free(&image->entries);
	mem_freep(&image->snapshot.data);
	*image = (struct ledger_image){ 0 };
}

static inline void image_append(struct ledger_image *image, const struct ledger_entry *e)
{
	struct ledger_entry copy = *e;

	copy.data = mem_dup(e->data, e->len);
	vec_push(&image->entries, copy);
}

static inline struct ledger_image image_copy(const struct ledger_image *image)
{
	struct ledger_image copy = *image;

	memset(&copy.entries, 0, sizeof(copy.entries));
	copy.snapshot.data = mem_dup(image->snapshot.data, image->snapshot.len);
	for (size_t i = 0; i < image->entries.n; i++)
		image_append(&copy, &image->entries.v[i]);
	return copy;
}

static inline uint64_t image_last(const struct ledger_image *image)
{
	return image->snapshot.index + image->entries.n;
}

static inline uint64_t image_last_term(const struct ledger_image *image)
{
	size_t n = image->entries.n;

	return n > 0 ? image->entries.v[n - 1].term : image->snapshot.term;
}

static inline void image_drop(struct ledger_image *image, size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++)
		mem_freep(&image->entries.v[i].data);
	vec_cut(&image->entries, at, n);
}

static inline void image_truncate(struct ledger_image *image, uint64_t from)
{
	while (image->entries.n > 0 && image->entries.v[image->entries.n - 1].index >= from)
		image_drop(image, image->entries.n - 1, 1);
}

static inline void image_compact(struct ledger_image *image, struct ledger_snapshot *s)
{
	size_t n = 0;

	while (n < image->entries.n && image->entries.v[n].index <= s->index)
		n++;
	image_drop(image, 0, n);
	mem_freep(&image->snapshot.data);
	image->snapshot = *s;
	s->data = NULL;
}

/*
 * One transaction; the entries and the snapshot of @brought become the image's. False if there
 * would be a gap, or a snapshot of what is not committed.
 */
static inline bool image_commit(struct ledger_image *image, const struct ledger_write *w,
				struct ledger_image *brought)
{
	if (w->truncate_from > 0)
		image_truncate(image, w->truncate_from);
	if (brought->snapshot.index > 0)
		image_compact(image, &brought->snapshot);
	if (!id_is_none(&w->cluster))
		image->cluster = w->cluster;
	if (w->promised > 0)
		image->promised = w->promised;
	for (size_t i = 0; i < brought->entries.n; i++) {
		if (brought->entries.v[i].index != image_last(image) + 1)
			return false;
		vec_push(&image->entries, brought->entries.v[i]);
		brought->entries.v[i].data = NULL;
	}
	if (w->committed > 0)
		image->committed = w->committed;
	return image->committed >= image->snapshot.index;
}

#endif
