# SPDX-License-Identifier: Apache-2.0
ROOMS += fence
fence.dir := agentd/fence
fence.may := base
fence.units := fence_device
