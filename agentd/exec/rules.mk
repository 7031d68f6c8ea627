# SPDX-License-Identifier: Apache-2.0
ROOMS += exec
exec.dir := agentd/exec
exec.may := base policy storage hypervisor fence
exec.adapters := incarnation.c
