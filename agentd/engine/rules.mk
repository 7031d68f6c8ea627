# SPDX-License-Identifier: Apache-2.0
ROOMS += engine
engine.dir := agentd/engine
engine.may := base policy storage hypervisor cluster fence exec proto
engine.pkg := libcrypto
engine.units := command state engine engine_snapshot engine_explore
test_engine.may := world worldkit
test_engine_snapshot.may := world worldkit
test_engine_explore.may := world worldkit explore
