# SPDX-License-Identifier: Apache-2.0
# The test guest: Debian's cloud kernel and an initramfs with one program of ours.
GUEST := $(B)/guest
GUEST_SRC := $(addprefix tests/guest/,init.c web.c counter.c)
# Downloaded once, for all kinds of builds.
GUEST_CACHE := $(BUILD)/cache/guest

LAB_NEEDS += $(GUEST)/vmlinux $(GUEST)/initrd.img

$(GUEST)/init: $(GUEST_SRC) tests/guest/guest.h
	@mkdir -p $(@D)
	$(if $(V),,@echo "  GUEST $@")
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O2 -static -s -o $@ $(GUEST_SRC)

$(GUEST_CACHE)/package: | tests/guest/kernel.py
	$(if $(V),,@echo "  FETCH $@")
	$(Q)$(PYTHON) tests/guest/kernel.py fetch $(@D)

$(GUEST)/vmlinux: $(GUEST_CACHE)/package tests/guest/kernel.py
	$(if $(V),,@echo "  GUEST $@")
	$(Q)$(PYTHON) tests/guest/kernel.py vmlinux $(GUEST_CACHE) $@

$(GUEST)/initrd.img: $(GUEST)/init $(GUEST_CACHE)/package tests/guest/kernel.py
	$(if $(V),,@echo "  GUEST $@")
	$(Q)$(PYTHON) tests/guest/kernel.py initrd $(GUEST_CACHE) $(GUEST)/init $@
