# SPDX-License-Identifier: Apache-2.0
# Whole engines in one process and in virtual time.
ROOMS += world
world.dir := tests/sim/world
world.may := base policy storage hypervisor cluster fence engine kit
world.pkg := cmocka
