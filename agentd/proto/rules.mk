# SPDX-License-Identifier: Apache-2.0
ROOMS += proto
proto.dir := agentd/proto
proto.may := base
proto.units := methods
