# SPDX-License-Identifier: Apache-2.0
# Models of the protocol, checked by Spin; not part of make check, see README.md in this folder.
#	make model [QUICK=1] [M="ledger/OLD_TERM guard"]
.PHONY: model model-deps check-trace

model-deps:
	@packaging/deps.sh install model

model: model-deps check-trace
	@$(PYTHON) tests/model/run.py --build $(B)/model $(if $(QUICK),--quick) $(M)

# The checker of traces is Python alone.
check-trace:
	@$(PYTHON) -m unittest discover -q -s tests/model -p 'test_*.py'
