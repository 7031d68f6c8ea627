# SPDX-License-Identifier: Apache-2.0
# Measurements of whole agents. They say what is; no test depends on them.
BENCHES += bench-agent
.PHONY: bench-agent

# A make of its own: what the lab needs is not known yet where this is read.
bench-agent:
	+@$(MAKE) --no-print-directory all $(LAB_NEEDS)
	@BUILD=$(abspath $(B)) $(PYTHON) tests/bench/bench_agent.py
