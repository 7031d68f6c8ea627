# SPDX-License-Identifier: Apache-2.0
ROOMS += base
base.dir := agentd/base
base.pkg := glib-2.0 libqb
base.cflags := -Wconversion
base.pure := err.c mem.c vec.c buf.c map.c table.c id.c wire.c jsonw.c timers.c venv.c
base.adapters := loop.c log.c child.c
base.units := err mem vec buf map table env id wire jsonw loop child log lock
