# SPDX-License-Identifier: Apache-2.0
ROOMS += hypervisor
hypervisor.dir := hypervisor
hypervisor.may := base
hypervisor.pkg := jansson
hypervisor.adapters := qmp_conn.c qemu.c qemu_create.c qemu_watch.c \
	qemu_adopt.c qemu_incoming.c qemu_migrate.c qemu_taps.c qemu_console.c
hypervisor.units := spec qmp accel qemu_argv qemu_record qemu_proc qemu_tap qemu qemu_move hyp_sim
MANUALS += hypervisor/hypervisor.7.scd
