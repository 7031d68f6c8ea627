/* SPDX-License-Identifier: Apache-2.0
 * A guest's network interface on the host: a tap on a bridge, gone with the last descriptor. */
#ifndef DOMUS_HYPERVISOR_QEMU_TAP_H
#define DOMUS_HYPERVISOR_QEMU_TAP_H

#include "base/err.h"
#include "base/id.h"
#include "spec.h"

/*
 * Makes the tap of NIC number @index of guest @uuid and plugs it into its bridge. Returns the
 * descriptor (close-on-exec), or -ENODEV when there is no such bridge,
 * -EBUSY when another process on this host has this guest's tap already.
 */
int qemu_tap_open(const struct id *uuid, size_t index, const struct spec_nic *nic,
		  struct err *ret_err);

#endif
