/* SPDX-License-Identifier: Apache-2.0
 * Scripts as text. */
#include "script.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUESTS_MAX 200

uint64_t script_log_entries(uint64_t seed)
{
	return seed % 3 ? 5 + seed % 40 : 0;
}

void script_free(struct script *s)
{
	vec_free(&s->troubles);
}

void script_print(const struct script *s, struct buf *out)
{
	const struct trouble *t;

	buf_printf(out, "seed %llu\nnodes %u\nguests %u\nlog %llu\n", (unsigned long long)s->seed, s->shape.nodes, s->shape.guests,
		   (unsigned long long)s->shape.log_entries);
	vec_each(t, &s->troubles) {
		trouble_print(t, out);
		buf_char(out, '\n');
	}
}

static int parse_head(const char *line, struct script *s)
{
	uint64_t value;
	char word[16];
	int end = 0;

	if (sscanf(line, "%15[a-z] %" SCNu64 "%n", word, &value, &end) != 2 || line[end])
		return -EINVAL;
	if (!strcmp(word, "seed"))
		s->seed = value;
	else if (!strcmp(word, "nodes") && value >= 1 && value <= WORLD_NODES_MAX)
		s->shape.nodes = (uint32_t)value;
	else if (!strcmp(word, "guests") && value >= 1 && value <= GUESTS_MAX)
		s->shape.guests = (uint32_t)value;
	else if (!strcmp(word, "log"))
		s->shape.log_entries = value;
	else
		return -EINVAL;
	return 0;
}

static int parse_line(const char *line, struct script *s, struct err *ret_err)
{
	struct trouble t;
	int rc;

	if (!*line || *line == '#')
		return 0;
	if (!isdigit((unsigned char)*line))
		return parse_head(line, s) < 0 ? err_set(ret_err, -EINVAL, "not a line of a script: %s", line) : 0;
	rc = trouble_parse(line, &s->shape, &t, ret_err);
	if (rc == 0)
		vec_push(&s->troubles, t);
	return rc;
}

int script_parse(const char *text, struct script *ret, struct err *ret_err)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(text);
	struct script s = { .seed = 1, .shape = { 3, 4, 0 } };
	char *rest = copy;

	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
		if (parse_line(line, &s, ret_err) < 0) {
			script_free(&s);
			return -EINVAL;
		}
	*ret = s;
	return 0;
}

int script_read(const char *path, struct script *ret, struct err *ret_err)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;

	if (!f)
		return err_set(ret_err, -EIO, "cannot open %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	fclose(f);
	if (script_parse(buf_cstr(&text), ret, ret_err) < 0)
		return err_prefix(ret_err, path);
	return 0;
}
