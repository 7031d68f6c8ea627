# SPDX-License-Identifier: Apache-2.0
ROOMS += pcmk
pcmk.dir := agentd/pcmk
pcmk.may := base fence
pcmk.pkg := pacemaker-service glib-2.0
pcmk.adapters := %
pcmk.units := pcmk_exec
