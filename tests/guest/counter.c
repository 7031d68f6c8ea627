/* SPDX-License-Identifier: Apache-2.0
 * The test guest's counter: a number that is on the disk before anybody is told of it. */
#include "guest.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_SIZE 4096
#define RECORD_MAGIC "DOMUSCNT"

/* All that matters lies in the first sector, which disks write whole. The rest is zero. */
struct record {
	char magic[8];
	uint64_t value;
	uint64_t sum;
};

/* FNV-1a over what stands before the sum. */
static uint64_t record_sum(const struct record *record)
{
	const unsigned char *bytes = (const unsigned char *)record;
	uint64_t sum = 0xcbf29ce484222325ULL;
	size_t i;

	for (i = 0; i < offsetof(struct record, sum); i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3ULL;
	return sum;
}

static bool is_blank(const unsigned char *bytes)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, RECORD_SIZE - 1) == 0;
}

static void counter_read(struct counter *counter)
{
	const struct record *record = counter->record;

	counter->damaged = true;
	if (pread(counter->fd, counter->record, RECORD_SIZE, 0) != RECORD_SIZE)
		return;
	if (is_blank(counter->record)) {
		counter->damaged = false;
	} else if (memcmp(record->magic, RECORD_MAGIC, sizeof(record->magic)) == 0 &&
		   record->sum == record_sum(record)) {
		counter->value = record->value;
		counter->damaged = false;
	}
}

void counter_open(struct counter *counter, const char *path)
{
	counter->fd = open(path, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
	if (counter->fd < 0)
		return;
	counter->record = aligned_alloc(RECORD_SIZE, RECORD_SIZE);
	if (!counter->record)
		abort();
	counter_read(counter);
}

bool counter_add(struct counter *counter, unsigned n)
{
	struct record *record = counter->record;

	if (counter->fd < 0 || counter->damaged)
		return false;
	memset(record, 0, RECORD_SIZE);
	memcpy(record->magic, RECORD_MAGIC, sizeof(record->magic));
	record->value = counter->value + n;
	record->sum = record_sum(record);
	if (pwrite(counter->fd, record, RECORD_SIZE, 0) != RECORD_SIZE) {
		/* What is on the disk now is unknown, so nothing more is promised. */
		counter->damaged = true;
		return false;
	}
	counter->value += n;
	return true;
}

const char *counter_state(const struct counter *counter)
{
	if (counter->fd < 0)
		return "none";
	return counter->damaged ? "damaged" : "good";
}
