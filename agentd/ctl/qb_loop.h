/* SPDX-License-Identifier: Apache-2.0
 * libqb's IPC server on our main loop. */
#ifndef DOMUS_CTL_QB_LOOP_H
#define DOMUS_CTL_QB_LOOP_H

#include <qb/qbipcs.h>

/* For qb_ipcs_poll_handlers_set, in a process that runs base/loop.h. */
struct qb_ipcs_poll_handlers qb_loop_handlers(void);

#endif
