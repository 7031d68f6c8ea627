/* SPDX-License-Identifier: Apache-2.0
 * Enum <-> text by one designated string table.
 *
 * In the header:
 *	enum guest_state { GUEST_STOPPED, ..., GUEST_STATE_MAX, GUEST_STATE_INVALID = -1 };
 *	TABLE_DECLARE(guest_state, enum guest_state);
 * In the source:
 *	static const char *const guest_state_names[GUEST_STATE_MAX] = {
 *		[GUEST_STOPPED] = "stopped", ...
 *	};
 *	TABLE_DEFINE(guest_state, enum guest_state, GUEST_STATE_MAX)
 * which gives guest_state_text(s) (never NULL; "?" outside the range) and
 * guest_state_parse(text) (-1 if unknown, or NULL). */
#ifndef DOMUS_BASE_TABLE_H
#define DOMUS_BASE_TABLE_H

#define TABLE_DECLARE(name, type) \
	const char *name##_text(type value); \
	type name##_parse(const char *text)

#define TABLE_DEFINE(name, type, max) \
	const char *name##_text(type value) \
	{ \
		return table_text_(name##_names, (int)(max), (int)value); \
	} \
	type name##_parse(const char *text) \
	{ \
		return (type)table_parse_(name##_names, (int)(max), text); \
	}

const char *table_text_(const char *const *names, int max, int value);
int table_parse_(const char *const *names, int max, const char *text);

#endif
