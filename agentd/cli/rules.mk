# SPDX-License-Identifier: Apache-2.0
ROOMS += cli
cli.dir := agentd/cli
cli.may := base proto client
cli.pkg := jansson
cli.adapters := %
cli.units := cli_text cli_args cli_show cli_follow

PROGRAMS += domus
domus.main := agentd/cli/main.c
domus.may := base proto client cli
domus.install := bin
MANUALS += agentd/cli/domus.8.scd
