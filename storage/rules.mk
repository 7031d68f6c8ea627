# SPDX-License-Identifier: Apache-2.0
ROOMS += storage
storage.dir := storage
storage.may := base
storage.units := storage storage_dir storage_sim
MANUALS += storage/storage.7.scd
