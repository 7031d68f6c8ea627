/* SPDX-License-Identifier: Apache-2.0
 * ledger.db: reading it back, and all the checks that it must pass before it is believed. */
#include "base/mem.h"
#include "ledger_db_priv.h"
#include "schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static sqlite3_stmt *prepare(struct ledger_db *db, const char *sql)
{
	sqlite3_stmt *st = NULL;

	sqlite3_prepare_v2(db->db, sql, -1, &st, NULL);
	return st;
}

/* Torn pages and broken trees; what the numbers mean is checked while reading them. */
static int quick_check(struct ledger_db *db, struct err *ret_err)
{
	sqlite3_stmt *st = prepare(db, "PRAGMA quick_check(1)");
	const char *said = NULL;
	int r = 0;

	if (!st || sqlite3_step(st) != SQLITE_ROW)
		r = ledger_db_failed(db, "check", ret_err);
	else
		said = (const char *)sqlite3_column_text(st, 0);
	if (r == 0 && (!said || strcmp(said, "ok") != 0))
		r = ledger_db_refuse(db, -EUCLEAN, said ? said : "no answer", ret_err);
	sqlite3_finalize(st);
	return r;
}

static bool id_column(sqlite3_stmt *st, int column, struct id *ret)
{
	if (sqlite3_column_bytes(st, column) != (int)sizeof(ret->b))
		return false;
	memcpy(ret->b, sqlite3_column_blob(st, column), sizeof(ret->b));
	return true;
}

static const char *fault_in_state(sqlite3_stmt *st, struct state *ret)
{
	if (!id_column(st, 0, &ret->store) || !id_column(st, 1, &ret->cluster) ||
	    id_is_none(&ret->store) || sqlite3_column_int64(st, 2) < 0 ||
	    sqlite3_column_int64(st, 3) < 0)
		return "its first record is malformed";
	ret->promised = (uint64_t)sqlite3_column_int64(st, 2);
	ret->committed = (uint64_t)sqlite3_column_int64(st, 3);
	if (sqlite3_column_int64(st, 4) != ledger_sum_state(ret))
		return "its first record has changed by itself";
	return NULL;
}

static int load_state(struct ledger_db *db, struct ledger_image *image, struct err *ret_err)
{
	sqlite3_stmt *st = prepare(db, "SELECT id, cluster, promised, committed, sum FROM store");
	const char *fault = "its first record is missing";

	if (st && sqlite3_step(st) == SQLITE_ROW)
		fault = fault_in_state(st, &db->state);
	sqlite3_finalize(st);
	if (fault)
		return ledger_db_refuse(db, -EUCLEAN, fault, ret_err);
	image->store = db->state.store;
	image->cluster = db->state.cluster;
	image->promised = db->state.promised;
	image->committed = db->state.committed;
	return 0;
}

/* Why the row cannot be the part of @s that comes next; NULL when it can. */
static const char *fault_in_part(sqlite3_stmt *st, struct part *p, const struct ledger_snapshot *s)
{
	const sqlite3_int64 index = sqlite3_column_int64(st, 2), term = sqlite3_column_int64(st, 3);

	if (sqlite3_column_int64(st, 0) != (sqlite3_int64)p->number)
		return "a part of its snapshot is missing";
	if (index < 1 || term < 1 || (p->number > 0 && (uint64_t)index != s->index))
		return "its snapshot is malformed";
	p->count = (uint64_t)sqlite3_column_int64(st, 1);
	p->of = (struct ledger_snapshot){ .index = (uint64_t)index,
					  .term = (uint64_t)term,
					  .voted = sqlite3_column_int64(st, 4) != 0,
					  .len = (size_t)sqlite3_column_bytes(st, 5) };
	p->of.data = (void *)sqlite3_column_blob(st, 5);
	if (p->of.len > SNAPSHOT_PART_MAX || s->len + p->of.len > SNAPSHOT_BYTES_MAX)
		return "its snapshot is too long";
	if (sqlite3_column_int64(st, 6) != ledger_sum_part(p))
		return "its snapshot has changed by itself";
	return NULL;
}

static void add_part(struct ledger_snapshot *s, const struct part *p)
{
	char *data = mem_resize(s->data, s->len + p->of.len, 1);

	if (p->of.len)
		memcpy(data + s->len, p->of.data, p->of.len);
	*s = (struct ledger_snapshot){ .index = p->of.index,
				       .term = p->of.term,
				       .voted = p->of.voted,
				       .data = data,
				       .len = s->len + p->of.len };
}

/* A file of the first version knows none; that later ones have the table has been checked. */
static bool knows_snapshots(const struct ledger_db *db)
{
	return sqlite3_table_column_metadata(db->db, "main", "snapshot", NULL, NULL, NULL, NULL,
					     NULL, NULL) == SQLITE_OK;
}

static int load_snapshot(struct ledger_db *db, struct ledger_image *image, struct err *ret_err)
{
	sqlite3_stmt *st = prepare(db, "SELECT part, parts, idx, term, voted, data, sum "
				       "FROM snapshot ORDER BY part");
	const char *fault = NULL;
	struct part p = { 0 };
	int rc = SQLITE_ERROR, r = 0;

	while (st && !fault && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		fault = fault_in_part(st, &p, &image->snapshot);
		if (!fault)
			add_part(&image->snapshot, &p);
		p.number++;
	}
	if (!fault && rc != SQLITE_DONE)
		r = ledger_db_failed(db, "read", ret_err);
	else if (!fault && p.number != p.count)
		fault = "a part of its snapshot is missing";
	if (fault)
		r = ledger_db_refuse(db, -EUCLEAN, fault, ret_err);
	sqlite3_finalize(st);
	return r;
}

/* The term of the last entry that was read, and its index. */
static uint64_t last_read(const struct ledger_image *image, uint64_t *ret_term)
{
	size_t n = image->entries.n;

	*ret_term = n ? image->entries.v[n - 1].term : image->snapshot.term;
	return image->snapshot.index + n;
}

/* Why the row cannot be entry @index after @last_term; NULL when it can. */
static const char *fault_in(sqlite3_stmt *st, uint64_t index, uint64_t last_term)
{
	sqlite3_int64 node = sqlite3_column_int64(st, 3), kind = sqlite3_column_int64(st, 2);

	if (sqlite3_column_int64(st, 0) != (sqlite3_int64)index)
		return "an index is missing";
	if (sqlite3_column_int64(st, 1) < 1 || (uint64_t)sqlite3_column_int64(st, 1) < last_term)
		return "its term is lower than the one before";
	if (kind < 0 || kind >= ENTRY_KIND_MAX || node < 0 || node > UINT32_MAX)
		return "its kind or node is out of range";
	if (sqlite3_column_bytes(st, 7) > ENTRY_DATA_MAX)
		return "it is too long";
	return NULL;
}

static int refuse_entry(const struct ledger_db *db, uint64_t index, const char *fault,
			struct err *ret_err)
{
	char text[80];

	snprintf(text, sizeof(text), "entry %" PRIu64 ": %s", index, fault);
	return ledger_db_refuse(db, -EUCLEAN, text, ret_err);
}

static int load_entry(struct ledger_db *db, sqlite3_stmt *st, struct ledger_image *image,
		      struct err *ret_err)
{
	uint64_t last_term, index = last_read(image, &last_term) + 1;
	const char *fault = fault_in(st, index, last_term);
	struct id incarnation;
	struct ledger_entry *e;

	if (!fault && !id_column(st, 4, &incarnation))
		fault = "its proposer is malformed";
	if (fault)
		return refuse_entry(db, index, fault, ret_err);
	e = vec_add(&image->entries);
	e->index = index;
	e->term = (uint64_t)sqlite3_column_int64(st, 1);
	e->kind = (enum entry_kind)sqlite3_column_int64(st, 2);
	e->id.node = (uint32_t)sqlite3_column_int64(st, 3);
	e->id.incarnation = incarnation;
	e->id.nonce = (uint64_t)sqlite3_column_int64(st, 5);
	e->stamp_us = sqlite3_column_int64(st, 6);
	e->len = (size_t)sqlite3_column_bytes(st, 7);
	e->data = mem_dup(e->len ? sqlite3_column_blob(st, 7) : "", e->len);
	if (sqlite3_column_int64(st, 8) != ledger_sum_entry(e))
		return refuse_entry(db, index, "it has changed by itself", ret_err);
	return 0;
}

static int load_entries(struct ledger_db *db, struct ledger_image *image, struct err *ret_err)
{
	sqlite3_stmt *st =
		prepare(db, "SELECT idx, term, kind, node, incarnation, nonce, stamp_us, data, sum "
			    "FROM entry ORDER BY idx");
	int r = 0, rc = SQLITE_ERROR;

	while (st && r == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW)
		r = load_entry(db, st, image, ret_err);
	if (r == 0 && rc != SQLITE_DONE)
		r = ledger_db_failed(db, "read", ret_err);
	sqlite3_finalize(st);
	return r;
}

/* The state and the entries were written together, so they must agree. */
static int check_whole(const struct ledger_db *db, const struct ledger_image *image,
		       struct err *ret_err)
{
	uint64_t last = image->snapshot.index + image->entries.n;

	if (image->committed > last)
		return ledger_db_refuse(db, -EUCLEAN, "committed entries are missing", ret_err);
	if (image->committed < image->snapshot.index)
		return ledger_db_refuse(db, -EUCLEAN,
					"its snapshot holds what is not committed", ret_err);
	if (last && id_is_none(&image->cluster))
		return ledger_db_refuse(db, -EUCLEAN, "it has entries but no cluster", ret_err);
	return 0;
}

static void image_free(struct ledger_image *image)
{
	mem_freep(&image->snapshot.data);
	for (size_t i = 0; i < image->entries.n; i++)
		mem_freep(&image->entries.v[i].data);
	vec_free(&image->entries);
}

int ledger_db_load(struct ledger_db *db, struct ledger_image *ret_image, struct err *ret_err)
{
	struct ledger_image image = { 0 };
	int r = schema_check(db->db, db->path, ret_err);

	if (r == 0)
		r = quick_check(db, ret_err);
	if (r == 0)
		r = load_state(db, &image, ret_err);
	if (r == 0 && knows_snapshots(db))
		r = load_snapshot(db, &image, ret_err);
	if (r == 0)
		r = load_entries(db, &image, ret_err);
	if (r == 0)
		r = check_whole(db, &image, ret_err);
	/* What was refused until here is as it was. */
	if (r == 0 && schema_migrate(db->db) != SQLITE_OK)
		r = ledger_db_failed(db, "bring to this version's format", ret_err);
	if (r == 0)
		r = schema_check(db->db, db->path, ret_err);
	if (r == 0 && ledger_db_sql(db, "PRAGMA journal_mode = WAL") != SQLITE_OK)
		r = ledger_db_failed(db, "turn its log on", ret_err);
	if (r == 0)
		r = ledger_db_ready(db, ret_err);
	if (r < 0)
		image_free(&image);
	else
		*ret_image = image;
	return r;
}
