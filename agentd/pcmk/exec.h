/* SPDX-License-Identifier: Apache-2.0
 * Runs fence agents by Pacemaker's libcrmservice, on GLib's default main context. */
#ifndef DOMUS_PCMK_EXEC_H
#define DOMUS_PCMK_EXEC_H

#include "fence/device.h"

/*
 * A runner of the agents in @fence_dir (absolute; /usr/sbin in the product). The loop must run on
 * the default context, and SIGPIPE must be ignored (loop_new does both). It takes SIGCHLD: watch
 * other children by pidfd.
 *
 * look, call: -ENOENT when there is no such agent, -EACCES when it cannot be executed, -EINVAL for a name
 * with anything but [a-z0-9_], or a value that libcrmservice would take for one of Pacemaker's
 * secrets. Parameters go to the agent's standard input only. @why of a failure is the last line
 * that the agent wrote to its standard error.
 */
struct fence_runner pcmk_runner_new(const char *fence_dir);
/* Kills the agents that still run, and calls nobody. */
void pcmk_runner_free(struct fence_runner *r);

#endif
