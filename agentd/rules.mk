# SPDX-License-Identifier: Apache-2.0
# The agent's own files beside main.c.
ROOMS += agent
agent.dir := agentd
agent.may := base hypervisor
agent.adapters := main.c

PROGRAMS += domus-agentd
domus-agentd.main := agentd/main.c
domus-agentd.may := agent base policy storage hypervisor cluster store fence pcmk proto exec engine ctl agent
domus-agentd.install := sbin
MANUALS += agentd/domus-agentd.8.scd
