# SPDX-License-Identifier: Apache-2.0
ROOMS += store
store.dir := agentd/store
store.may := base cluster
store.pkg := sqlite3
store.adapters := store.c
store.units := store ledger_db
