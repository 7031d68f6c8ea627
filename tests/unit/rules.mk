# SPDX-License-Identifier: Apache-2.0
# What all unit tests share. The tests themselves are declared by the rooms (NAME.units).
ROOMS += kit
kit.dir := tests/unit/kit
kit.may := base
kit.pkg := cmocka
kit.adapters := %

# Whole engines in one process and in virtual time.
ROOMS += world
world.dir := tests/unit/world
world.may := base policy storage hypervisor cluster fence engine kit
world.pkg := cmocka
