#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures agents in a lab of three nodes: how long a change takes, what an idle agent uses, how a death is noticed.

A change is timed as a person meets it, from the start of `domus` to its answer, and beside it a question, which is
the same without the agreement. A commit is timed by the agents' stamps: from the proposal that a guest has crashed to
the proposal to start it again, which the leader makes when it has applied the first. The figures go to
BUILD/figures/agent.json.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab"))

from demo_measure import Figures, find, kill_and_wait, last_event, measure_idle, wait_for_event  # noqa: E402
from demo_text import table  # noqa: E402
from labkit import Lab, LabError, Node, domus, guest_spec, wait_for  # noqa: E402

CHANGES = 50
DEATHS = 20
IDLE_S = 20
GUEST = "bench"
TITLES = {
    "cli.question_ms": ("a question: domus guest show", ""),
    "cli.change_ms": ("a change: domus guest define, undefine", ""),
    "commit.latency_ms": ("a commit and the decision that follows", ""),
    "qemu_start.ordered_to_running_ms": ("guest ordered to run: QEMU running", ""),
    "qemu_death.noticed_ms": ("QEMU killed: noticed", "<= 5"),
    "qemu_death.dying_ms": ("  of which the kernel took to end it", ""),
    "agent.rss_kib": ("agent: resident memory", ""),
    "agent.idle_cpu_percent": ("agent: processor time when idle", ""),
}


def form_cluster(lab: Lab) -> None:
    """Three nodes, one cluster, a guest that runs."""
    lab.up(3)
    one, *rest = lab.nodes
    wait_for(lambda: domus(one, "status")["quorate"], 30, "n1: no ring", 0.1)
    domus(one, "cluster", "init", "bench")
    for node in rest:
        domus(node, "cluster", "join")
    domus(one, "pool", "create", "default", "/srv/domus")
    domus(one, "volume", "create", GUEST, "1M")
    domus(one, "guest", "define", "-", stdin=json.dumps(guest_spec(lab, GUEST, 1, restart_max=2 * DEATHS)))
    domus(one, "guest", "start", GUEST)


def timed(node: Node, *arguments: str, stdin: str | None = None) -> float:
    """The seconds that domus takes."""
    began = time.monotonic()
    domus(node, *arguments, stdin=stdin)
    return time.monotonic() - began


def measure_changes(lab: Lab, figures: Figures) -> None:
    """Questions and changes in turn, at each node in turn."""
    spec = json.dumps(guest_spec(lab, "trial", 2, disks=[]))
    for number in range(CHANGES):
        node = lab.nodes[number % len(lab.nodes)]
        figures.add_ms("cli.question_ms", timed(node, "guest", "show", GUEST))
        for arguments, text in ((("define", "-"), spec), (("undefine", "trial"), None)):
            figures.add_ms("cli.change_ms", timed(node, "guest", *arguments, stdin=text))


def measure_deaths(lab: Lab, figures: Figures) -> None:
    """Kills the guest's process; each time it is started again."""
    for _ in range(DEATHS):
        node = lab.node(domus(lab.nodes[0], "guest", "show", GUEST)["node"])
        since = last_event(node)
        killed, gone = kill_and_wait(node.guests()[0])
        events = wait_for_event(node, since, GUEST, "running")
        crashed, starting, running = (find(events, GUEST, text).time for text in
                                      ("recovering: crashed", "starting", "running"))
        figures.add_ms("qemu_death.noticed_ms", crashed - killed)
        figures.add_ms("qemu_death.dying_ms", gone - killed)
        figures.add_ms("commit.latency_ms", starting - crashed)
        figures.add_ms("qemu_start.ordered_to_running_ms", running - starting)


def main() -> int:
    """Measures, prints, writes; whatever happens, the lab is taken down."""
    lab, figures = Lab("bench-agent"), Figures()
    try:
        form_cluster(lab)
        measure_changes(lab, figures)
        measure_deaths(lab, figures)
        measure_idle(lab, figures, IDLE_S)
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        lab.down()
    table(("", "median", "min", "max", "runs", "aim"), figures.rows(TITLES))
    figures.save(lab.build / "figures/agent.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
