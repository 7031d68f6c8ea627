# SPDX-License-Identifier: Apache-2.0
# Builds, tests and installs Domus. One make for all folders: each rules.mk declares its room.
#
#	make [SAN=1] [V=1]	all programs (SAN=1: with ASan and UBSan, apart, in BUILD/san)
#	make check		install what is missing (as root), build, lint, unit and lab tests
#	make demo [KEEP=1]	three nodes on this machine keep a guest alive
#	make unit [T="buf map"]	unit tests, or only test_buf and test_map
#	make sim [SEEDS=N]	a simulated cluster in trouble, N times (default 500)
#	make model [QUICK=1]	check the models of the protocol with Spin (tests/model)
#	make check-lab lint golden bench install clean
#
# A rules.mk sets plain variables (NAME is the room's or the program's):
#	ROOMS += NAME		a folder that becomes BUILD/lib/NAME.a
#	NAME.dir		that folder; main.c in it is left to a program
#	NAME.may		rooms that it may include and link
#	NAME.pkg NAME.libs	its pkg-config packages, other libraries
#	NAME.cflags		more flags for the compiler
#	NAME.adapters		files (% = all) that may use the loop, GLib, libqb, corosync
#	NAME.pure		files that may call nothing but tests/lint/pure_symbols.txt
#	NAME.units		its tests: X stands for tests/unit/test_X.c
#	test_X.may		rooms that this test needs beyond the room and its own
#	PROGRAMS += NAME	BUILD/bin/NAME, with NAME.main, NAME.may, NAME.install (sbin, bin; none: stays here)
#	MANUALS			its manual pages (scdoc): NAME.SECTION.scd
#	LAB_NEEDS DEMO BENCHES	what the lab tests need; what make demo runs; targets of make bench

BUILD ?= build
B := $(BUILD)$(if $(SAN),/san)
PREFIX ?= /usr
CC ?= cc
PYTHON := PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3
CFLAGS ?= -O2 -g $(if $(SAN),,-D_FORTIFY_SOURCE=2)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
ifdef SAN
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
STRICT_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -fstack-protector-strong -pthread $(SANITIZE)
Q := $(if $(V),,@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all check check-unit check-lab unit demo lint golden bench install clean deps FORCE

RULES := $(wildcard policy/rules.mk storage/rules.mk hypervisor/rules.mk agentd/rules.mk \
	agentd/*/rules.mk tests/*/rules.mk packaging/rules.mk)
include $(RULES)
DEMO ?= tests/lab/demo.py

# The rooms, those that they may use, and those that these may use.
closure = $(sort $1 $(foreach r,$1,$($r.may) $(foreach s,$($r.may),$($s.may))))
libs_of = $(foreach r,$(call closure,$1),$(B)/lib/$r.a)
pkgs_of = $(sort $(foreach r,$(call closure,$1),$($r.pkg)))

# Asked late and once for each list, since make check may have to install the packages first.
# Their folders count as the system's, so that our warnings are about our code.
pkg_cflags = $(if $(strip $1),$(call once,cflags $(strip $1),pkg-config --cflags $1))
pkg_libs = $(if $(strip $1),$(call once,libs $(strip $1),pkg-config --libs $1))
once = $(or $(once.$(key)),$(eval once.$(key) := $(call ask,$2) )$(once.$(key)))
ask = $(patsubst -I%,-isystem%,$(shell $1))
key = $(subst $(space),.,$1)
empty :=
space := $(empty) $(empty)

# All that a file can include stands in the forest of its room or program: links to the rooms that
# it may know, and nothing else, so that the compiler proves the layers.

# $1 is the room.
define room_rules
$1.src := $$(filter-out $$($1.dir)/main.c,$$(wildcard $$($1.dir)/*.c))
$1.obj := $$(patsubst %.c,$(B)/obj/%.o,$$($1.src))
$$($1.obj): private OWNER := $1
$$($1.obj): private PKGS = $$($1.pkg)
$$($1.obj): | $(B)/include/$1
$(B)/include/$1: private LINKS := $1 $$($1.may)
$(B)/lib/$1.a: $$($1.obj) $(B)/stamp/$1
$(B)/stamp/$1: private TEXT := $$($1.obj)
UNITS += $$($1.units)
$$(foreach u,$$($1.units),$$(eval unit.$$u := $1))
endef

# $1 is the program, $2 the object of its main.c.
define program_rules
$2: private OWNER := $1
$2: private PKGS = $$(call pkgs_of,$$($1.may))
$2: | $(B)/include/$1
$(B)/include/$1: private LINKS := $$($1.may)
$(B)/bin/$1: private LINK := $$($1.may)
$(B)/bin/$1: $2 $$(call libs_of,$$($1.may))
endef

# $1 is the X of tests/unit/test_X.c, $2 the rooms that it links: the kit, its own, its wishes.
define unit_rules
$(B)/obj/tests/unit/test_$1.o: private OWNER := unit
$(B)/obj/tests/unit/test_$1.o: private PKGS = $$(call pkgs_of,$2)
$(B)/obj/tests/unit/test_$1.o: | $(B)/include/unit
$(B)/unit/test_$1: private LINK := $2
$(B)/unit/test_$1: $(B)/obj/tests/unit/test_$1.o $$(call libs_of,$2)
endef

$(foreach r,$(ROOMS),$(eval $(call room_rules,$r)))
main_obj = $(patsubst %.c,$(B)/obj/%.o,$($1.main))
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$p,$(call main_obj,$p))))
$(foreach u,$(UNITS),$(eval $(call unit_rules,$u,kit $(unit.$u) $(test_$u.may))))
FORESTS := $(ROOMS) $(PROGRAMS) unit
$(B)/include/unit: private LINKS := $(ROOMS)

all: $(PROGRAMS:%=$(B)/bin/%)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC   $<")
	$(Q)$(CC) $(STRICT_CFLAGS) $(CFLAGS) $($(OWNER).cflags) -I$(B)/include/$(OWNER) \
		$(call pkg_cflags,$(sort $(PKGS))) -MMD -MP -c -o $@ $<

$(FORESTS:%=$(B)/include/%): $(RULES)
	@mkdir -p $@
	@find $@ -type l -delete
	@$(foreach r,$(LINKS),ln -sfn $(CURDIR)/$($r.dir) $@/$r;)
	@touch $@

# The list of a library's objects: a deleted source changes it, so the library is made anew.
$(ROOMS:%=$(B)/stamp/%): FORCE
	@mkdir -p $(@D)
	@echo '$(TEXT)' | cmp -s - $@ || echo '$(TEXT)' > $@

$(ROOMS:%=$(B)/lib/%.a):
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

link = $(CC) $(SANITIZE) -pthread $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--as-needed \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
	$(call pkg_libs,$(call pkgs_of,$(LINK))) $(foreach r,$(call closure,$(LINK)),$($r.libs))

$(PROGRAMS:%=$(B)/bin/%) $(UNITS:%=$(B)/unit/test_%):
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(link)

TESTS := $(foreach u,$(or $(T),$(UNITS)),$(B)/unit/test_$u)
unit: $(TESTS)
	@$(PYTHON) tests/unit/run.py $(TESTS)

# The golden files are written anew by the tests that compare with them: look at the difference.
golden: $(TESTS)
	@DOMUS_GOLDEN_UPDATE=1 $(PYTHON) tests/unit/run.py $(TESTS)

check-unit: unit

check-lab: all $(LAB_NEEDS)
	@BUILD=$(abspath $(B)) $(PYTHON) -m pytest -q -p no:cacheprovider \
		--basetemp=$(abspath $(B))/pytest tests/lab

lint: $(foreach r,$(ROOMS),$(B)/lib/$r.a)
	@$(PYTHON) tests/lint/lint.py --self-test
	@$(PYTHON) tests/lint/lint.py --objects $(B)/obj \
		$(foreach r,$(ROOMS),--room "$r:$($r.dir):$($r.adapters):$($r.pure)")

# The packages first: what follows asks pkg-config, so it is a make of its own.
deps:
	@packaging/deps.sh install

check: deps
	+@$(MAKE) -s --no-print-directory all $(LAB_NEEDS)
	+@$(MAKE) --no-print-directory lint
	+@$(MAKE) --no-print-directory check-unit
	+@$(MAKE) --no-print-directory check-lab

demo: deps
	+@$(MAKE) -s --no-print-directory all $(LAB_NEEDS)
	@BUILD=$(abspath $(B)) KEEP=$(KEEP) $(PYTHON) $(DEMO)

bench: $(BENCHES)

# storage/storage.7.scd is installed as domus-storage(7), agentd/cli/domus.8.scd as domus(8).
PAGES := $(foreach m,$(MANUALS),$(B)/man/$(if $(filter domus%,$(notdir $m)),,domus-)$(basename $(notdir $m)))
vpath %.scd $(sort $(dir $(MANUALS)))
$(B)/man/domus-%: %.scd
	@mkdir -p $(@D)
	$(Q)scdoc <$< >$@
$(B)/man/%: %.scd
	@mkdir -p $(@D)
	$(Q)scdoc <$< >$@

install: all $(PAGES)
	$(foreach p,$(PROGRAMS),$(if $($p.install),install -D -m 0755 $(B)/bin/$p \
		$(DESTDIR)$(PREFIX)/$($p.install)/$p$(newline)))
	$(foreach p,$(PAGES),install -D -m 0644 $p \
		$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $p))/$(notdir $p)$(newline))
	install -D -m 0644 packaging/completion/domus.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/domus

define newline


endef

clean:
	rm -rf $(BUILD)

-include $(foreach r,$(ROOMS),$($r.obj:.o=.d)) $(UNITS:%=$(B)/obj/tests/unit/test_%.d)
-include $(foreach p,$(PROGRAMS),$(patsubst %.o,%.d,$(call main_obj,$p)))
