/* SPDX-License-Identifier: Apache-2.0
 * The sums that the rows of ledger.db carry. */
#include "ledger_db_priv.h"

/*
 * Each row carries a sum over what it says, since SQLite does not notice a bit that has turned over
 * in a value. 64-bit FNV-1a: it finds accidents, not forgery. Numbers are summed up as eight bytes,
 * the lowest first.
 */
#define SUM_START UINT64_C(0xcbf29ce484222325)
#define SUM_PRIME UINT64_C(0x100000001b3)

static uint64_t sum_bytes(uint64_t sum, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ p[i]) * SUM_PRIME;
	return sum;
}

static uint64_t sum_number(uint64_t sum, uint64_t value)
{
	for (int i = 0; i < 64; i += 8)
		sum = (sum ^ (value >> i & 0xff)) * SUM_PRIME;
	return sum;
}

sqlite3_int64 ledger_sum_state(const struct state *s)
{
	uint64_t sum = sum_bytes(SUM_START, s->store.b, sizeof(s->store.b));

	sum = sum_bytes(sum, s->cluster.b, sizeof(s->cluster.b));
	return (sqlite3_int64)sum_number(sum_number(sum, s->promised), s->committed);
}

sqlite3_int64 ledger_sum_entry(const struct ledger_entry *e)
{
	uint64_t sum = sum_number(sum_number(SUM_START, e->index), e->term);

	sum = sum_number(sum_number(sum, (uint64_t)e->kind), e->id.node);
	sum = sum_bytes(sum, e->id.incarnation.b, sizeof(e->id.incarnation.b));
	sum = sum_number(sum_number(sum, e->id.nonce), (uint64_t)e->stamp_us);
	return (sqlite3_int64)sum_bytes(sum, e->data, e->len);
}

sqlite3_int64 ledger_sum_part(const struct part *p)
{
	uint64_t sum = sum_number(sum_number(SUM_START, p->number), p->count);

	sum = sum_number(sum_number(sum, p->of.index), p->of.term);
	return (sqlite3_int64)sum_bytes(sum_number(sum, p->of.voted), p->of.data, p->of.len);
}
