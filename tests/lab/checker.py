#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Watches from outside that no guest runs twice.

    checker.py --lab NAME OUT       watches the lab until SIGTERM, then writes what it saw to OUT, as JSON

It knows nothing of agents: it finds the QEMU processes of the lab's nodes and asks each over its second QMP socket.
Two processes with one uuid that ran at the same moment are a double run. How it can tell:

A process certainly ran between two moments if it said `running` at both, no more than a moment apart, without having
said STOP in between; QEMU stamps RESUME and STOP with the time, which makes a span's ends exact. Where it did not
answer for long (it was stopped by a signal, or is dead) nothing is certain, so such a time is in no span: a double run
is never invented. What can be missed is an overlap shorter than PERIOD_S whose end was a sudden death. Overlaps that
need the doubtful time between the last answer and a death that was noticed are listed apart, as unclear. So are watches
that failed: nothing is known of such a process from then on, and no verdict can be given.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.dont_write_bytecode = True

from labcore import Lab, Node  # noqa: E402  (nothing may be written beside the sources)
from labproc import LabError, arguments_of  # noqa: E402

PERIOD_S = 0.01         # between two questions to one process
SILENCE_S = 0.25        # an answer older than this says nothing of the time since
SEARCH_S = 0.3          # between searches for processes, if no socket has appeared before
GUESTS = "run/domus/guests"


@dataclass
class Span:
    """A time in which a process certainly ran; open while it does. Wall clock seconds, as in QEMU's events."""
    start: float
    end: float


@dataclass
class Watched:
    """One QEMU process."""
    uuid: str
    node: str
    pid: int
    spans: list[Span] = field(default_factory=list)
    running: bool = False
    answered: float = 0.0   # when the last question that got an answer was asked
    sign: float = 0.0       # the last moment that is known of
    gone: float = 0.0       # when its death was noticed

    def resumed(self, when: float) -> None:
        """It runs from @when on."""
        if not self.running:
            self.spans.append(Span(when, when))
        self.running = True
        self.sign = max(self.sign, when)

    def stopped(self, when: float) -> None:
        """It ran until @when."""
        if self.running and when - self.sign <= SILENCE_S:
            self.spans[-1].end = max(self.spans[-1].end, when)
        self.running = False
        self.sign = max(self.sign, when)

    def said(self, running: bool, asked: float, now: float) -> None:
        """An answer: true at some time between @asked and @now."""
        if asked - self.sign > SILENCE_S:
            self.running = False        # what it did meanwhile is unknown: a new span begins
        if running:
            self.resumed(now)
            self.spans[-1].end = max(self.spans[-1].end, asked)
        else:
            self.running = False
        self.answered = self.sign = asked


def option(arguments: list[str], name: str) -> str:
    """The word after an option."""
    return arguments[arguments.index(name) + 1] if name in arguments[:-1] else ""


def guard_socket(pid: int, arguments: list[str]) -> str:
    """The second QMP socket's path, as it can be reached from here."""
    for argument in arguments:
        if argument.startswith("socket,") and "id=guard," in argument:
            path = re.search(r"path=([^,]+)", argument)
            return f"/proc/{pid}/root{path.group(1)}" if path else ""
    return ""


class Checker:
    """Watches all nodes of a lab."""

    def __init__(self, lab: Lab) -> None:
        self.nodes = lab.nodes
        self.watched: dict[tuple[int, str], Watched] = {}
        self.tasks: set[asyncio.Task] = set()
        self.failures: list[dict] = []

    def find(self) -> None:
        """Begins to watch processes that are new."""
        for node in self.nodes:
            try:
                pids = node.guests()
            except LabError:
                continue        # off
            for pid in pids:
                arguments = arguments_of(pid)
                uuid = option(arguments, "-uuid")
                if uuid and (pid, uuid) not in self.watched:
                    self.begin(node, pid, uuid, guard_socket(pid, arguments))

    def begin(self, node: Node, pid: int, uuid: str, path: str) -> None:
        """Starts the watch of one process."""
        process = Watched(uuid, node.name, pid)
        self.watched[pid, uuid] = process
        task = asyncio.create_task(self.watch(process, path))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def watch(self, process: Watched, path: str) -> None:
        """Watches one process until it is gone. One whose socket does not answer yet will be found again."""
        try:
            reader, writer = await asyncio.open_unix_connection(path)
        except OSError:
            del self.watched[process.pid, process.uuid]
            return
        try:
            await listen(process, reader, writer)
        except Exception as error:      # whatever it is: nobody looks at this process any more
            self.failures.append({"uuid": process.uuid, "node": process.node, "pid": process.pid,
                                  "error": f"{type(error).__name__}: {error}"})

    def sockets_changed(self, seen: dict[str, int]) -> bool:
        """True when sockets have come or gone in a node since the last call; a cheap question."""
        before = dict(seen)
        for node in self.nodes:
            try:
                seen[node.name] = os.stat(f"/proc/{node.life.pid}/root/{GUESTS}").st_mtime_ns
            except (OSError, LabError):
                seen[node.name] = 0
        return seen != before

    async def run(self, stop: asyncio.Event) -> None:
        """Watches until told to stop."""
        seen: dict[str, int] = {}
        searched = 0.0
        while not stop.is_set():
            if self.sockets_changed(seen) or time.monotonic() - searched > SEARCH_S:
                self.find()
                searched = time.monotonic()
            await asyncio.sleep(PERIOD_S)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def report(self) -> dict:
        """What was seen."""
        return {
            "double_runs": overlaps(list(self.watched.values()), doubtful=False),
            "unclear": overlaps(list(self.watched.values()), doubtful=True),
            "failures": self.failures,
            "processes": [{"uuid": process.uuid, "node": process.node, "pid": process.pid,
                           "spans": [[span.start, span.end] for span in process.spans]}
                          for process in self.watched.values()],
        }


def overlaps(processes: list[Watched], doubtful: bool) -> list[dict]:
    """Where two processes of one guest ran at once; @doubtful: only thanks to the time before a death was noticed."""
    found = []
    for a, b in itertools.combinations(processes, 2):
        if a.uuid != b.uuid:
            continue
        certain = overlap(a.spans, b.spans)
        possible = overlap(with_doubt(a), with_doubt(b))
        seconds = possible if doubtful and not certain else certain if not doubtful else 0
        if seconds > 0:
            found.append({"uuid": a.uuid, "nodes": [a.node, b.node], "pids": [a.pid, b.pid],
                          "seconds": round(seconds, 6)})
    return found


def with_doubt(process: Watched) -> list[Span]:
    """The spans, the last one drawn out until the death was noticed if it had not stopped before."""
    if not process.gone or not process.running:
        return process.spans
    return [*process.spans[:-1], Span(process.spans[-1].start, process.gone)]


def overlap(a: list[Span], b: list[Span]) -> float:
    """The longest time that a span of @a and one of @b have in common."""
    return max(0.0, *(min(x.end, y.end) - max(x.start, y.start) for x in a for y in b), 0.0)


async def listen(process: Watched, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Asks one process again and again, until it is gone."""
    asker = asyncio.create_task(ask(writer, process))
    try:
        while (line := await reader.readline()).endswith(b"\n"):     # else it died, in the middle of a word maybe
            heard(process, json.loads(line))
    except OSError:
        pass        # it died
    finally:
        asker.cancel()
        writer.close()
    process.gone = time.time()


async def ask(writer: asyncio.StreamWriter, process: Watched) -> None:
    """Sends a question, and the next when the answer is there. Its id is the time it was asked."""
    writer.write(b'{"execute":"qmp_capabilities"}\n')
    while True:
        asked = time.time()
        writer.write(json.dumps({"execute": "query-status", "id": asked}).encode() + b"\n")
        while process.answered < asked:
            await asyncio.sleep(PERIOD_S)


def heard(process: Watched, message: dict) -> None:
    """One message of QEMU: an answer, or an event with its time."""
    event = message.get("event")
    if event in ("STOP", "RESUME"):
        stamp = message["timestamp"]
        when = stamp["seconds"] + stamp["microseconds"] / 1e6
        (process.stopped if event == "STOP" else process.resumed)(when)
    elif "error" in message:
        raise LabError(f"QEMU refused a question: {message['error'].get('desc')}")
    elif "id" in message:
        process.said(message["return"]["running"], message["id"], time.time())


async def main() -> None:
    """Watches until SIGTERM, then writes the report whole."""
    parser = argparse.ArgumentParser(description="Watches from outside that no guest of a lab runs twice.")
    parser.add_argument("--lab", default="default")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    checker = Checker(Lab(args.lab))
    checker.find()
    print("watching", flush=True)
    await checker.run(stop)
    draft = args.out.with_suffix(".new")
    draft.write_text(json.dumps(checker.report(), indent=1) + "\n")
    draft.rename(args.out)


if __name__ == "__main__":
    asyncio.run(main())
