# SPDX-License-Identifier: Apache-2.0
# Models of the protocol, checked by Spin; not part of make check, see README.md in this folder.
#	make model [QUICK=1] [M="ledger/OLD_TERM guard"]
.PHONY: model model-deps

model-deps:
	@packaging/deps.sh install model

model: model-deps
	@$(PYTHON) tests/model/run.py --build $(B)/model $(if $(QUICK),--quick) $(M)
