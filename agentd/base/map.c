/* SPDX-License-Identifier: Apache-2.0
 * The one map: an AVL tree whose nodes also stand in a list, in key order. */
#include "map.h"
#include "mem.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Invariant: the heights of @left and @right differ by at most one. */
struct node {
	struct node *left, *right;
	struct node *before, *after;	/* in key order */
	int height;
	void *value;
	size_t len;
	uint8_t key[];
};

struct map {
	struct node *root, *first, *last;
	size_t count;
	uint64_t generation;	/* +1 for each removal, +2 for each new key: see map_next */
	void (*free_value)(void *value);
};

struct map *map_new(void (*free_value)(void *value))
{
	struct map *m = mem_new(struct map);

	m->free_value = free_value;
	return m;
}

static void drop_value(const struct map *m, void *value)
{
	if (m->free_value)
		m->free_value(value);
}

void map_free(struct map *m)
{
	struct node *after;

	if (!m)
		return;
	for (struct node *n = m->first; n; n = after) {
		after = n->after;
		drop_value(m, n->value);
		free(n);
	}
	free(m);
}

void map_freep(struct map **m)
{
	map_free(*m);
	*m = NULL;
}

size_t map_count(const struct map *m)
{
	return m->count;
}

static int compare(const void *key, size_t len, const struct node *n)
{
	int c = memcmp(key, n->key, len < n->len ? len : n->len);

	return c ? c : (len > n->len) - (len < n->len);
}

static int height(const struct node *n)
{
	return n ? n->height : 0;
}

static void measure(struct node *n)
{
	int left = height(n->left), right = height(n->right);

	n->height = 1 + (left > right ? left : right);
}

static struct node *rotate_right(struct node *n)
{
	struct node *top = n->left;

	n->left = top->right;
	top->right = n;
	measure(n);
	measure(top);
	return top;
}

static struct node *rotate_left(struct node *n)
{
	struct node *top = n->right;

	n->right = top->left;
	top->left = n;
	measure(n);
	measure(top);
	return top;
}

/* Restores the invariant of @n, one of whose subtrees was changed by a node; gives the new top. */
static struct node *balance(struct node *n)
{
	int lean = height(n->left) - height(n->right);

	measure(n);
	if (lean > 1) {
		if (height(n->left->left) < height(n->left->right))
			n->left = rotate_left(n->left);
		return rotate_right(n);
	}
	if (lean < -1) {
		if (height(n->right->right) < height(n->right->left))
			n->right = rotate_right(n->right);
		return rotate_left(n);
	}
	return n;
}

/* Recursion is as deep as the tree is high: below 1.5 * log2(count). */
static struct node *insert(struct node *n, struct node *new)
{
	if (!n)
		return new;
	if (compare(new->key, new->len, n) < 0)
		n->left = insert(n->left, new);
	else
		n->right = insert(n->right, new);
	return balance(n);
}

/* Nodes are relinked, never copied into one another, so that pointers to other nodes stay valid. */
static struct node *extract(struct node *n, const struct node *victim)
{
	struct node *heir;
	int c = compare(victim->key, victim->len, n);

	if (c < 0) {
		n->left = extract(n->left, victim);
		return balance(n);
	}
	if (c > 0) {
		n->right = extract(n->right, victim);
		return balance(n);
	}
	if (!n->left || !n->right)
		return n->left ? n->left : n->right;
	heir = n->after;
	heir->right = extract(n->right, heir);
	heir->left = n->left;
	return balance(heir);
}

/* The node with this key, or NULL; then @ret_before and @ret_after are where it would stand. */
static struct node *find(const struct map *m, const void *key, size_t len,
			 struct node **ret_before, struct node **ret_after)
{
	struct node *n = m->root;

	*ret_before = *ret_after = NULL;
	while (n) {
		int c = compare(key, len, n);

		if (c == 0)
			return n;
		*(c < 0 ? ret_after : ret_before) = n;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static void enlist(struct map *m, struct node *n, struct node *before, struct node *after)
{
	n->before = before;
	n->after = after;
	*(before ? &before->after : &m->first) = n;
	*(after ? &after->before : &m->last) = n;
}

static void delist(struct map *m, const struct node *n)
{
	*(n->before ? &n->before->after : &m->first) = n->after;
	*(n->after ? &n->after->before : &m->last) = n->before;
}

static void put(struct map *m, const void *key, size_t len, void *value)
{
	struct node *before, *after;
	struct node *n = find(m, key, len, &before, &after);

	if (n) {
		if (n->value != value)
			drop_value(m, n->value);
		n->value = value;
		return;
	}
	n = mem_alloc0(sizeof(*n) + len);
	memcpy(n->key, key, len);
	n->len = len;
	n->value = value;
	n->height = 1;
	m->root = insert(m->root, n);
	enlist(m, n, before, after);
	m->count++;
	m->generation += 2;
}

static void *get(const struct map *m, const void *key, size_t len)
{
	struct node *before, *after;
	struct node *n = find(m, key, len, &before, &after);

	return n ? n->value : NULL;
}

static int discard(struct map *m, const void *key, size_t len)
{
	struct node *before, *after;
	struct node *n = find(m, key, len, &before, &after);

	if (!n)
		return 0;
	m->root = extract(m->root, n);
	delist(m, n);
	m->count--;
	m->generation++;
	drop_value(m, n->value);
	free(n);
	return 1;
}

void map_put(struct map *m, const char *key, void *value)
{
	put(m, key, strlen(key), value);
}

void *map_get(const struct map *m, const char *key)
{
	return get(m, key, strlen(key));
}

int map_remove(struct map *m, const char *key)
{
	return discard(m, key, strlen(key));
}

void map_put_u64(struct map *m, uint64_t key, void *value)
{
	uint64_t big_endian = htobe64(key);

	put(m, &big_endian, sizeof(big_endian), value);
}

void *map_get_u64(const struct map *m, uint64_t key)
{
	uint64_t big_endian = htobe64(key);

	return get(m, &big_endian, sizeof(big_endian));
}

int map_remove_u64(struct map *m, uint64_t key)
{
	uint64_t big_endian = htobe64(key);

	return discard(m, &big_endian, sizeof(big_endian));
}

void *map_next(const struct map *m, struct map_iter *it)
{
	struct node *n = it->node ? it->next : m->first;

	/* One removal (of the entry just returned) is allowed; anything else may have freed @n. */
	if (it->node && m->generation - it->generation > 1)
		abort();
	if (!n) {
		*it = (struct map_iter){ .node = m, .generation = m->generation };
		return NULL;
	}
	*it = (struct map_iter){ .node = n, .generation = m->generation, .next = n->after };
	return n->value;
}

void *map_first(const struct map *m)
{
	return m->first ? m->first->value : NULL;
}

void *map_last(const struct map *m)
{
	return m->last ? m->last->value : NULL;
}
