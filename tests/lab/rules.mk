# SPDX-License-Identifier: Apache-2.0
# The lab's own programs: a node's first process, and the nodes' power switch.
LAB_PROGRAMS := $(B)/bin/lab_node $(B)/bin/fence_lab
LAB_NEEDS += $(LAB_PROGRAMS)

$(B)/bin/lab_node: tests/lab/lab_node.c tests/lab/life.c tests/lab/life.h
$(B)/bin/fence_lab: tests/lab/fence_lab.c tests/lab/power.c tests/lab/life.c \
	tests/lab/power.h tests/lab/life.h

# Static, since a power switch has to be fast.
$(LAB_PROGRAMS):
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LAB  $@")
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O2 -static -s -o $@ $(filter %.c,$^)

BENCHES += bench-lab
.PHONY: bench-lab
bench-lab: $(LAB_NEEDS)
	@BUILD=$(abspath $(B)) $(PYTHON) tests/lab/bench_lab.py
