# SPDX-License-Identifier: Apache-2.0
# What all unit tests share. The tests themselves are declared by the rooms (NAME.units).
ROOMS += kit
kit.dir := tests/unit/kit
kit.may := base
kit.pkg := cmocka
kit.adapters := %
