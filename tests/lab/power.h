/* SPDX-License-Identifier: Apache-2.0
 * The power switch of a lab node. */
#ifndef DOMUS_LAB_POWER_H
#define DOMUS_LAB_POWER_H

#include "life.h"

/* Milliseconds of a clock that only goes forward. */
int64_t power_now_ms(void);
/* True while at least one process of the life runs. */
bool power_is_on(const struct life *life);
/*
 * Takes the life's uplink down and kills all its processes, whichever they are.
 * True when all have ended, which a search that found none has shown; false if
 * some still run at @deadline_ms.
 */
bool power_off(const struct life *life, int64_t deadline_ms);

#endif
