# SPDX-License-Identifier: Apache-2.0
# Whole engines in one process and in virtual time.
ROOMS += world worldkit explore
world.dir := tests/sim/world
world.may := base policy storage hypervisor cluster fence exec proto engine
world.units := world_disk world_order world_clock world_fence

# For unit tests.
worldkit.dir := tests/sim/worldkit
worldkit.may := kit world

explore.dir := tests/sim/explore
explore.may := base policy storage hypervisor cluster fence exec proto engine world
explore.units := world_check cases
test_world_check.may := worldkit
test_cases.may := worldkit
test_world_disk.may := worldkit
test_world_order.may := worldkit
test_world_clock.may := worldkit
test_world_fence.may := worldkit

# Not installed; BUILD/domus-sim is what people say.
PROGRAMS += domus-sim
domus-sim.main := tests/sim/main.c
domus-sim.may := base policy storage hypervisor cluster fence exec proto engine world explore
all: $(B)/domus-sim
$(B)/domus-sim: $(B)/bin/domus-sim
	@ln -sfn bin/domus-sim $@

.PHONY: sim
sim: $(B)/domus-sim
	@BUILD=$(abspath $(B)) SEEDS=$(SEEDS) FIRST=$(FIRST) $(PYTHON) tests/sim/sim.py
