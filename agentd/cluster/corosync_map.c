/* SPDX-License-Identifier: Apache-2.0
 * Reading corosync's configuration map. */
#include "cluster/corosync_map.h"

#include <corosync/cmap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define NODES_MAX 64
#define REMOVE_IT "remove it from corosync.conf and restart corosync"

/* Options under which `quorate` can become true without a majority, or stay false with one. */
static const struct {
	const char *key, *unsafe;
	bool only_three;		/* refused with three or more nodes only */
} refused[] = {
	{ "quorum.wait_for_all", "quorum.wait_for_all is set, so that a returned majority would wait for all: " REMOVE_IT, true },
	{ "quorum.last_man_standing", "quorum.last_man_standing is set: " REMOVE_IT, false },
	{ "quorum.auto_tie_breaker", "quorum.auto_tie_breaker is set: " REMOVE_IT, false },
	{ "quorum.allow_downscale", "quorum.allow_downscale is set: " REMOVE_IT, false },
};

enum setting { SETTING_OFF, SETTING_ON, SETTING_UNREADABLE };

static enum setting read_setting(cmap_handle_t h, const char *key)
{
	uint8_t number = 0;
	char *text = NULL;
	cs_error_t rc = cmap_get_uint8(h, key, &number);
	bool set = number != 0;

	if (rc == CS_ERR_INVALID_PARAM) {	/* there, but of another type */
		rc = cmap_get_string(h, key, &text);
		set = rc == CS_OK && atoi(text) != 0;
		free(text);
	}
	if (rc != CS_OK && rc != CS_ERR_NOT_EXIST)
		return SETTING_UNREADABLE;
	return rc == CS_OK && set ? SETTING_ON : SETTING_OFF;
}

static void read_text(cmap_handle_t h, char *ret, size_t size, size_t i, const char *what)
{
	char key[CMAP_KEYNAME_MAXLEN];
	char *text = NULL;

	snprintf(key, sizeof(key), "nodelist.node.%zu.%s", i, what);
	if (cmap_get_string(h, key, &text) != CS_OK)
		return;
	mem_strcpy(ret, size, text);
	free(text);
}

static bool read_node(cmap_handle_t h, size_t i, struct corosync_node *n)
{
	char key[CMAP_KEYNAME_MAXLEN];

	*n = (struct corosync_node){ 0 };
	snprintf(key, sizeof(key), "nodelist.node.%zu.nodeid", i);
	if (cmap_get_uint32(h, key, &n->node) != CS_OK)
		return false;
	read_text(h, n->address, sizeof(n->address), i, "ring0_addr");
	read_text(h, n->name, sizeof(n->name), i, "name");
	if (!n->name[0])
		STRCPY(n->name, n->address);
	return true;
}

static void read_nodes(struct corosync_map *m, cmap_handle_t h)
{
	struct corosync_node node;

	vec_clear(&m->nodes);
	for (size_t i = 0; i < NODES_MAX && read_node(h, i, &node); i++)
		vec_push(&m->nodes, node);
}

static bool read_refused(struct corosync_map *m, cmap_handle_t h)
{
	m->unsafe = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		enum setting s = read_setting(h, refused[i].key);

		if (s == SETTING_UNREADABLE)
			return false;
		if (s == SETTING_ON && !m->unsafe && (!refused[i].only_three || m->nodes.n >= 3))
			m->unsafe = refused[i].unsafe;
	}
	return true;
}

bool corosync_map_read(struct corosync_map *m)
{
	cmap_handle_t h;

	m->known = false;
	if (cmap_initialize(&h) != CS_OK)
		return false;
	read_nodes(m, h);
	m->known = read_refused(m, h);
	cmap_finalize(h);
	return m->known;
}

void corosync_map_clear(struct corosync_map *m)
{
	vec_free(&m->nodes);
}

static const struct corosync_node *find(const struct corosync_map *m, uint32_t node)
{
	const struct corosync_node *n;

	vec_each(n, &m->nodes)
		if (n->node == node)
			return n;
	return NULL;
}

const char *corosync_map_name(const struct corosync_map *m, uint32_t node)
{
	const struct corosync_node *n = find(m, node);

	return n ? n->name : NULL;
}

const char *corosync_map_address(const struct corosync_map *m, uint32_t node)
{
	const struct corosync_node *n = find(m, node);

	return n ? n->address : NULL;
}

const char *corosync_map_unsafe(const struct corosync_map *m)
{
	return m->known ? m->unsafe : "corosync's settings cannot be read";
}
