# SPDX-License-Identifier: Apache-2.0
ROOMS += policy
policy.dir := policy
policy.may := base
policy.cflags := -Wconversion
policy.pure := %
