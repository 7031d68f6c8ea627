/* SPDX-License-Identifier: Apache-2.0
 * Views from raw upcalls: which group, on which ring, and whether that ring is quorate (rule
 * L6). */
#include "membership.h"

#include "base/mem.h"

#include <string.h>

/* An answer about one ring. It is kept beside the one for the ring before: it may come early. */
struct answer {
	bool known;
	struct order_ring ring;
	bool quorate;
};

/*
 * Invariant: @stands says that @view is (the ring, the group) that were heard
 * last, no ring is awaited and every agent is on a node of the ring.
 */
struct membership {
	bool has_group, has_ring;
	bool ring_awaited;
	bool stands;
	bool quorate; /* of @view, as last told to the caller */
	struct view view;
	struct order_member group[ORDER_MEMBERS_MAX];
	size_t n_group;
	struct order_ring ring;
	uint32_t nodes[ORDER_MEMBERS_MAX];
	size_t n_nodes;
	struct answer answers[2]; /* the newest first */
};

struct membership *membership_new(void)
{
	return mem_new(struct membership);
}

void membership_free(struct membership *m)
{
	mem_freep(&m);
}

static bool ring_equal(const struct order_ring *a, const struct order_ring *b)
{
	return a->node == b->node && a->seq == b->seq;
}

static bool member_equal(const struct order_member *a, const struct order_member *b)
{
	return a->node == b->node && a->pid == b->pid;
}

static bool member_before(const struct order_member *a, const struct order_member *b)
{
	return a->node != b->node ? a->node < b->node : a->pid < b->pid;
}

bool view_equal(const struct view *a, const struct view *b)
{
	if (!ring_equal(&a->ring, &b->ring) || a->n_members != b->n_members)
		return false;
	for (size_t i = 0; i < a->n_members; i++) {
		if (!member_equal(&a->members[i], &b->members[i]))
			return false;
	}
	return true;
}

static bool answer_for(const struct membership *m, const struct order_ring *ring)
{
	for (size_t i = 0; i < ARRAY_SIZE(m->answers); i++) {
		const struct answer *a = &m->answers[i];

		if (a->known && ring_equal(&a->ring, ring))
			return a->quorate;
	}
	return false;
}

static bool on_ring(const struct membership *m, uint32_t node)
{
	for (size_t i = 0; i < m->n_nodes; i++) {
		if (m->nodes[i] == node)
			return true;
	}
	return false;
}

/* An agent whose node is not on the ring: half of a change has not been heard yet. */
static bool complete(const struct membership *m)
{
	if (!m->has_group || !m->has_ring || m->ring_awaited)
		return false;
	for (size_t i = 0; i < m->n_group; i++) {
		if (!on_ring(m, m->group[i].node))
			return false;
	}
	return true;
}

static enum membership_change gone(struct membership *m)
{
	bool stood = m->stands;

	m->stands = m->quorate = false;
	return stood ? MEMBERSHIP_GONE : MEMBERSHIP_NONE;
}

/* Looks whether what has been heard so far makes a view, and whether it is another one. */
static enum membership_change review(struct membership *m)
{
	struct view v = { .ring = m->ring, .n_members = m->n_group, .n_nodes = m->n_nodes };
	bool quorate, same;

	if (!complete(m))
		return gone(m);
	memcpy(v.members, m->group, m->n_group * sizeof(*m->group));
	memcpy(v.nodes, m->nodes, m->n_nodes * sizeof(*m->nodes));
	same = m->stands && view_equal(&v, &m->view);
	quorate = answer_for(m, &m->ring);
	if (same && quorate == m->quorate)
		return MEMBERSHIP_NONE;
	m->view = v;
	m->stands = true;
	m->quorate = quorate;
	return same ? MEMBERSHIP_GATE : MEMBERSHIP_VIEW;
}

enum membership_change membership_group(struct membership *m, const struct order_member *members,
					size_t n, bool ring_follows)
{
	m->n_group = 0;
	for (size_t i = 0; i < n && i < ORDER_MEMBERS_MAX; i++) {
		size_t at = m->n_group++;

		for (; at > 0 && member_before(&members[i], &m->group[at - 1]); at--)
			m->group[at] = m->group[at - 1];
		m->group[at] = members[i];
	}
	m->has_group = true;
	m->ring_awaited = m->ring_awaited || ring_follows;
	return review(m);
}

enum membership_change membership_ring(struct membership *m, const struct order_ring *ring,
				       const uint32_t *nodes, size_t n)
{
	m->n_nodes = 0;
	for (size_t i = 0; i < n && i < ORDER_MEMBERS_MAX; i++) {
		size_t at = m->n_nodes++;

		for (; at > 0 && nodes[i] < m->nodes[at - 1]; at--)
			m->nodes[at] = m->nodes[at - 1];
		m->nodes[at] = nodes[i];
	}
	m->ring = *ring;
	m->has_ring = true;
	m->ring_awaited = false;
	return review(m);
}

enum membership_change membership_quorum(struct membership *m, const struct order_ring *ring,
					 bool quorate)
{
	struct answer *newest = &m->answers[0];

	if (!newest->known || !ring_equal(&newest->ring, ring))
		m->answers[1] = *newest;
	*newest = (struct answer){ .known = true, .ring = *ring, .quorate = quorate };
	return review(m);
}

enum membership_change membership_lost(struct membership *m)
{
	m->has_group = m->has_ring = m->ring_awaited = false;
	memset(m->answers, 0, sizeof(m->answers));
	return gone(m);
}

const struct view *membership_view(const struct membership *m)
{
	return m->stands ? &m->view : NULL;
}

bool membership_quorate(const struct membership *m)
{
	return m->stands && m->quorate;
}
