# SPDX-License-Identifier: Apache-2.0
# cluster, storage and fence: what engine.h shows of itself; nothing here calls them.
ROOMS += ctl
ctl.dir := agentd/ctl
ctl.may := base policy hypervisor engine proto cluster storage fence
ctl.pkg := libqb jansson glib-2.0
ctl.adapters := ctl.c ipc.c qb_loop.c
ctl.units := dispatch ipc
test_ipc.may := client
