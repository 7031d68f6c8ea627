# SPDX-License-Identifier: Apache-2.0
ROOMS += policy
policy.dir := policy
policy.may := base
policy.cflags := -Wconversion
policy.pure := %
policy.units := model model_json apply ha_guest ha_node ha_fence ha_move place ha

# A model, a leader that decides, and a test that plays everybody else.
ROOMS += arena
arena.dir := tests/unit/arena
arena.may := base policy kit
arena.pkg := cmocka
arena.adapters := %
$(foreach t,model model_json apply ha_guest ha_node ha_fence ha_move place ha, \
	$(eval test_$t.may := arena))
