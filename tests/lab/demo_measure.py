# SPDX-License-Identifier: Apache-2.0
"""Where the demo's and the benchmark's figures come from.

All times are of one machine's clock. An event's time is the stamp that an agent gave the command when it proposed
it: the moment it noticed or decided. Only what is asked of corosync's log is coarser (4 ms).
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import statistics
import time
from pathlib import Path
from typing import Iterable, NamedTuple

from labkit import Lab, LabError, Node, domus, wait_for
from labproc import stat_fields

NEW_RING = re.compile(r"A new membership .* was formed\. Members(?: joined:[ \d]+)? left: ([\d ]+)")


class Event(NamedTuple):
    """What the cluster wrote down; time in seconds of the wall clock."""
    seq: int
    time: float
    subject: str
    text: str


def to_monotonic() -> float:
    """What has to be added to a time of the wall clock to get the web client's clock."""
    return time.monotonic() - time.time()


def last_event(node: Node) -> int:
    """The number of the newest event."""
    return domus(node, "events")["last"]


def events_after(node: Node, after: int) -> list[Event]:
    """What happened since the event @after."""
    return [Event(event["seq"], event["time_us"] / 1e6, event["subject"], event["text"])
            for event in domus(node, "events", "--after", str(after))["events"]]


def find(events: Iterable[Event], subject: str, *starts: str) -> Event:
    """The first event about @subject whose text begins in one of these ways."""
    for event in events:
        if event.subject == subject and event.text.startswith(starts):
            return event
    raise LabError(f"no event of {subject} begins with {' or '.join(starts)}")


def wait_for_event(node: Node, after: int, subject: str, start: str, deadline_s: float = 60) -> list[Event]:
    """Waits for an event; returns all since @after."""
    def seen() -> list[Event]:
        events = events_after(node, after)
        return events if any(e.subject == subject and e.text.startswith(start) for e in events) else []
    return wait_for(seen, deadline_s, f"{subject}: {start}", 0.1)


def ring_without(nodes: Iterable[Node], lost: Node, since: float) -> float:
    """When the first of @nodes had a ring that @lost is not in, by corosync's own logs."""
    found = [when for node in nodes for when, left in new_rings(node) if lost.number in left and when >= since]
    if not found:
        raise LabError(f"corosync's logs show no ring without {lost.name}")
    return min(found)


def new_rings(node: Node) -> list[tuple[float, set[int]]]:
    """The rings that some have left, with their times."""
    found = []
    for line in (node.folder / "log/corosync/corosync.log").read_text(errors="replace").splitlines():
        match = NEW_RING.search(line)
        if match:
            found.append((log_time(line), {int(number) for number in match.group(1).split()}))
    return found


def log_time(line: str) -> float:
    """The wall clock time that a line of corosync's log begins with; it does not say the year."""
    month, day, clock = line.split()[:3]
    seconds, _, fraction = clock.partition(".")
    parsed = time.strptime(f"{time.localtime().tm_year} {month} {day} {seconds}", "%Y %b %d %H:%M:%S")
    return time.mktime(parsed) + float(f"0.{fraction or 0}")


def kill_and_wait(pid: int) -> tuple[float, float]:
    """Kills a process; returns when that was, and when the process was gone for anybody who looks."""
    fd = os.pidfd_open(pid)
    try:
        killed = time.time()
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        select.select([fd], [], [], 10)
        return killed, time.time()
    finally:
        os.close(fd)


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used, in all its threads."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except OSError:
        fields = stat_fields(pid)
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid: int) -> int:
    """A process's resident memory."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


def measure_idle(lab: Lab, figures: Figures, seconds: float) -> None:
    """What the agents use while nothing is asked of them: one run for each node."""
    pids = [node.daemon_pid("agent") for node in lab.nodes]
    before, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
    time.sleep(seconds)
    used = time.monotonic() - began
    for pid, earlier in zip(pids, before):
        figures.add("agent.idle_cpu_percent", "%", 100 * (cpu_seconds(pid) - earlier) / used)
        figures.add("agent.rss_kib", "KiB", rss_kib(pid))


class Figures:
    """Figures by name, each with all its runs."""

    def __init__(self) -> None:
        self.runs: dict[str, list[float]] = {}
        self.units: dict[str, str] = {}

    def add(self, name: str, unit: str, value: float) -> None:
        """One more run."""
        self.runs.setdefault(name, []).append(value)
        self.units[name] = unit

    def add_ms(self, name: str, seconds: float) -> None:
        """One more run of a time."""
        self.add(name, "ms", 1000 * seconds)

    def summary(self) -> dict[str, dict[str, object]]:
        """Medians and spread."""
        return {name: {"value": tidy(statistics.median(runs)), "unit": self.units[name], "runs": len(runs),
                       "min": tidy(min(runs)), "max": tidy(max(runs))} for name, runs in self.runs.items()}

    def save(self, path: Path) -> None:
        """Writes them whole, as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(self.summary(), indent=1) + "\n")
        draft.rename(path)

    def rows(self, titles: dict[str, tuple[str, str]]) -> list[tuple[str, ...]]:
        """Rows of a table: title, median, smallest, greatest, runs, aim; for those that have a title."""
        shown = self.summary()
        return [(title, f"{shown[name]['value']:g} {shown[name]['unit']}", f"{shown[name]['min']:g}",
                 f"{shown[name]['max']:g}", str(shown[name]["runs"]), aim)
                for name, (title, aim) in titles.items() if name in shown]


def tidy(value: float) -> float:
    """With as many digits as mean something."""
    return round(value) if abs(value) >= 100 else round(value, 1 if abs(value) >= 10 else 2)
