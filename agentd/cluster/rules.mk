# SPDX-License-Identifier: Apache-2.0
ROOMS += cluster
cluster.dir := agentd/cluster
cluster.may := base
cluster.pkg := libcpg libquorum libcmap libcfg libcorosync_common
cluster.adapters := corosync.c corosync_map.c
cluster.units := membership corosync corosync_map ledger_msg ledger ledger_voters ledger_leader ledger_snapshot ledger_explore
