/* SPDX-License-Identifier: Apache-2.0
 * The handlers of domus guest that stand in files of their own. */
#ifndef DOMUS_CLI_GUEST_VERBS_H
#define DOMUS_CLI_GUEST_VERBS_H

#include "cli.h"

int guest_list(struct cli *cli);
int guest_show(struct cli *cli);
int guest_migrate(struct cli *cli);
int guest_console(struct cli *cli);

#endif
