/* SPDX-License-Identifier: Apache-2.0
 * libqb's IPC server on our main loop. */
#ifndef DOMUS_CTL_QB_LOOP_H
#define DOMUS_CTL_QB_LOOP_H

#include <qb/qbipcs.h>

/*
 * qb_ipcs_run on our loop, in a process that runs base/loop.h; returns what that returns.
 *
 * Who connects and has not said within @stranger_us who it is is dropped; so is the oldest of
 * too many such. When none can be accepted (no descriptors left) the loop pauses accepting.
 */
int32_t qb_loop_listen(qb_ipcs_service_t *service, int64_t stranger_us);

#endif
