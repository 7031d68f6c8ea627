# SPDX-License-Identifier: Apache-2.0
"""A lab whose nodes are one Domus cluster: what the lab tests of the product ask of it, and its repair between tests.

    cluster = Cluster(lab); cluster.form()
    web1 = cluster.run("web1", on="n1")         running, its first page fetched
    cluster.wait_guest("web1", state="running", node="n2")
    cluster.repair()                            all nodes on, joined, in agreement
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Callable

from labkit import DomusFailed, Fetch, Lab, LabError, Node, WebClient, domus, guest_address, guest_spec, wait_for

NAME = "lab"
VOLUME_SIZE = "1M"
SETTLE_S = 30
OBSERVED_S = 3          # how long a test looks on to see that nothing happens: more than fencing and a start take
ANSWER_S = 5            # an agent that was stopped by a signal answers never
REFUSED = 4             # exit codes of domus, as its manual lists them
NOT_QUORATE = 5
UNKNOWN = 6


class Cluster:
    """The cluster of one lab. What it knows it asks of the nodes; only the numbers of guests are its own."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.numbers: dict[str, int] = {}
        self.clients: list[WebClient] = []

    def rebuild(self) -> None:
        """Begins anew, after something that could not be put right."""
        self.lab.up(self.lab.config["nodes"])
        self.numbers.clear()
        self.form()

    # ---- the nodes ----

    def node(self, name: str) -> Node:
        """A node by its name."""
        return self.lab.node(name)

    def others(self, *names: str) -> list[Node]:
        """All nodes but these."""
        return [node for node in self.lab.nodes if node.name not in names]

    def form(self) -> None:
        """Makes one cluster of the lab's fresh nodes, with a power switch each and a pool."""
        for node in self.lab.nodes:
            wait_for(lambda: self.status(node).get("quorate"), SETTLE_S, f"{node.name}: no agent that is in a ring")
        first, *rest = self.lab.nodes
        domus(first, "cluster", "init", NAME)
        for node in rest:
            domus(node, "cluster", "join")
        for node in self.lab.nodes:
            self.set_fence(node.name)
        domus(first, "pool", "create", "default", "/srv/domus")

    def set_fence(self, name: str) -> None:
        """Gives a node its power switch."""
        self.ask("fence", "set", name, "fence_lab", f"lab_dir={self.lab.folder}", f"port={name}")

    def status(self, node: Node) -> dict:
        """What `domus status` says on a node; nothing if no agent answers there."""
        try:
            return domus(node, "status", timeout=ANSWER_S)
        except (LabError, subprocess.TimeoutExpired):
            return {}

    def current(self) -> Node | None:
        """A node that knows what the majority knows."""
        return next((node for node in self.lab.nodes if self.status(node).get("current")), None)

    def ask(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> dict | list:
        """Runs domus on a node of the majority."""
        node = wait_for(self.current, SETTLE_S, "no node knows what the majority knows", 0.05)
        return domus(node, *arguments, stdin=stdin, timeout=timeout)

    def leader(self) -> str:
        """The name of the node that decides."""
        return wait_for(lambda: next((found for node in self.lab.nodes
                                      if (found := self.status(node).get("leader"))), None), SETTLE_S, "no leader")

    def node_state(self, name: str) -> dict:
        """What the cluster holds of a node."""
        return self.ask("node", "show", name)

    def wait_node(self, name: str, state: str, deadline_s: float = 20) -> dict:
        """Waits until the cluster holds a node for online, lost, fenced ..."""
        def find() -> dict | None:
            shown = self.node_state(name)
            return shown if shown["state"] == state else None
        return wait_for(find, deadline_s, f"{name} is not held for {state}", 0.05)

    def agreed(self) -> dict | None:
        """The status, if all nodes are online and say the same, and nothing is under way."""
        said = [self.status(node) for node in self.lab.nodes]
        same = {(one.get("current"), one.get("applied"), one.get("digest")) for one in said}
        if len(same) != 1 or not said[0].get("current") or said[0]["operations"]:
            return None
        return said[0] if {node["state"] for node in said[0]["nodes"]} == {"online"} else None

    def settle(self, deadline_s: float = SETTLE_S) -> dict:
        """Waits until all nodes are online and agree; returns their status."""
        return wait_for(self.agreed, deadline_s, "the nodes do not agree", 0.05)

    def repair(self) -> None:
        """Puts right what a test has broken: cables, power, switches, daemons, maintenance."""
        self.lab.heal()
        for node in self.lab.nodes:
            node.fault("none")
            if not node.is_on:
                self.lab.boot(node.name)
            node.resume()
            node.corosync("start")
            node.agent("start")
        self.lab.wait_quorate()
        for node in self.ask("node", "list"):
            if node["drain"]:
                self.ask("node", "activate", node["name"])
            if not node["fence_agent"]:
                self.set_fence(node["name"])
        self.settle()

    # ---- what has happened ----

    def mark(self) -> int:
        """The number of the last event, for events()."""
        return self.ask("events", "--after", "999999999")["last"]

    def events(self, after: int = 0) -> list[str]:
        """What has happened since a mark, as `subject: text`."""
        return [f"{event['subject']}: {event['text']}" for event in self.ask("events", "--after", str(after))["events"]]

    def wait_event(self, text: str, after: int, deadline_s: float = 20) -> list[str]:
        """Waits for an event that contains @text; returns all since the mark."""
        def find() -> list[str] | None:
            events = self.events(after)
            return events if any(text in event for event in events) else None
        return wait_for(find, deadline_s, f"no event: {text}", 0.05)

    # ---- guests ----

    def define(self, name: str = "web1", **wishes: object) -> None:
        """Defines a test guest with a volume of its own, if it is not there yet."""
        if name in self.numbers:
            return
        number = len(self.numbers) + 1
        self.ask("volume", "create", name, VOLUME_SIZE)
        self.ask("guest", "define", "-", stdin=json.dumps(guest_spec(self.lab, name, number, **wishes)))
        self.numbers[name] = number

    def guest(self, name: str = "web1") -> dict:
        """What the cluster holds of a guest."""
        return self.ask("guest", "show", name)

    def wait_guest(self, name: str = "web1", deadline_s: float = 30, **wanted: object) -> dict:
        """Waits until the cluster holds a guest for what is wanted: state=, node=, desired= ..."""
        def find() -> dict | None:
            shown = self.guest(name)
            return shown if all(shown[key] == value for key, value in wanted.items()) else None
        return wait_for(find, deadline_s, f"{name} is not {wanted}", 0.05)

    def run(self, name: str = "web1", on: str | None = None) -> Fetch:
        """Lets a guest run, on a node if named, and waits for a page of it."""
        self.define(name)
        guest = self.guest(name)
        if guest["state"] != "running":
            self.ask("guest", "start", name, *(["--on", on] if on else []), timeout=120)
        elif on not in (None, guest["node"]):
            self.ask("guest", "migrate", name, on, timeout=120)
        self.wait_guest(name, state="running", **({"node": on} if on else {}))
        return self.page(name)

    def client(self, name: str = "web1", page: str = "/count", every_ms: int = 20) -> WebClient:
        """A web client of a guest, started."""
        client = WebClient(self.lab, guest_address(self.numbers[name]), page, every_ms)
        self.clients.append(client)
        return client.start()

    def stop_clients(self) -> None:
        """Ends the clients that a failed test has left: the next one's write to the same records."""
        while self.clients:
            self.clients.pop().stop()

    def page(self, name: str = "web1", other_than: str = "", page: str = "/", deadline_s: float = 40) -> Fetch:
        """The first page that a guest serves from now on (of another boot than @other_than)."""
        client = self.client(name, page, every_ms=50)
        try:
            return client.wait_for_page(deadline_s, other_than=other_than)
        finally:
            client.stop()

    def disk(self, name: str = "web1") -> Path:
        """The file behind a guest's volume."""
        return self.lab.folder / f"srv/domus/{name}.raw"

    def processes(self, name: str = "web1") -> dict[str, list[int]]:
        """The pids of a guest's QEMU processes by node, of those nodes that have one."""
        uuid = self.guest(name)["uuid"]
        found = {node.name: [pid for pid in node.guests() if uuid in cmdline(pid)]
                 for node in self.lab.nodes if node.is_on}
        return {name: pids for name, pids in found.items() if pids}


def cmdline(pid: int) -> str:
    """A process's arguments, as one text; nothing when it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def keeps(condition: Callable[[], object], what: str, seconds: float = OBSERVED_S) -> None:
    """Looks on for a while, in which the condition must not cease to hold."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            raise LabError(what)
        time.sleep(0.1)


def refusal(call: Callable[[], object]) -> DomusFailed:
    """What a domus command that has to fail fails with: one line, never more."""
    try:
        said = call()
    except DomusFailed as error:
        if error.text.count("\n"):
            raise LabError(f"not one line: {error.text!r}") from error
        return error
    raise LabError(f"domus was expected to refuse, but said {said}")
