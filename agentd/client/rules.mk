# SPDX-License-Identifier: Apache-2.0
ROOMS += client
client.dir := agentd/client
client.may := base proto
client.pkg := libqb jansson
client.adapters := %
client.units := client
