#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demo: three nodes on this machine keep a real guest alive, and what happens is shown and measured.

With KEEP=1 in the environment the nodes stay up afterwards; else nothing is left, whatever happens.
The figures go to BUILD/figures/demo.json.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from typing import Iterator

sys.dont_write_bytecode = True

from demo_measure import (Figures, events_after, find, kill_and_wait, last_event, measure_idle,  # noqa: E402
                          ring_without, to_monotonic, wait_for_event)
from demo_text import Mark, heading, say, shown, show_strip, strip, styled, table, tell, timeline  # noqa: E402
from labcore import SOURCE  # noqa: E402
from labkit import (Checker, Fetch, Lab, LabError, Node, WebClient, domus, guest_address, guest_spec,  # noqa: E402
                    longest_gap, lost_acknowledged, wait_for)

GUEST = "web1"
MIGRATIONS, FAILOVERS, DEATHS = 5, 3, 5
IDLE_S = 5
WRITE_EVERY_MS = 100
KNOCK_EVERY_MS = 20     # how often a client tries while the guest is down: it must not keep the processor busy
MARGIN_S = 0.15         # of a strip, before what it shows
WARM_UP_S = 0.3         # a client is at work this long before anything is done to its guest
AFTER_S = 0.5           # and this long after it
TCP_ESTABLISHED = "01"
# A total of 0 ms means that QEMU was asked before it had reckoned.
DOWNTIME = re.compile(r"in [1-9]\d* ms, downtime (\d+) ms")

# What of the figures stands in the table at the end, and the aim.
TITLES = {
    "start.first_page_ms": ("guest started: first page", ""),
    "migration.total_ms": ("migration: ordered to running there", ""),
    "migration.qemu_downtime_ms": ("migration: downtime, says QEMU", ""),
    "migration.client_gap_ms": ("migration: longest gap of the client", "<= 100"),
    "failover.view_change_ms": ("owner crashed: corosync's ring without it", ""),
    "failover.fence_proof_ms": ("  + fenced and proven off", ""),
    "failover.own_share_ms": ("  + agents' own share: QEMU running", "<= 250"),
    "failover.qemu_start_ms": ("    of which from the order to start", ""),
    "failover.total_ms": ("owner crashed: first page again", ""),
    "qemu_death.noticed_ms": ("QEMU killed: noticed", "<= 5"),
    "qemu_death.dying_ms": ("  of which the kernel took to end it", ""),
    "agent.rss_kib": ("agent: resident memory", ""),
    "agent.idle_cpu_percent": ("agent: processor time when idle", ""),
}


@contextlib.contextmanager
def children_deaf() -> Iterator[None]:
    """What is started meanwhile never hears of Ctrl-C, and is ended by us; we hear of it afterwards."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class Demo:
    """The lab, who watches it, and what was measured."""

    def __init__(self) -> None:
        self.lab = Lab("demo")
        self.checker = Checker(self.lab)
        self.figures = Figures()
        self.writer = WebClient(self.lab, guest_address(1), "/count", WRITE_EVERY_MS)
        self.reader = WebClient(self.lab, guest_address(1))
        self.knocker = WebClient(self.lab, guest_address(1), every_ms=KNOCK_EVERY_MS)

    # ---- what the steps are made of

    def run(self, node: Node, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        """Runs domus on a node and shows it; returns what it printed."""
        done = node.exec("domus", *arguments, check=False, stdin=stdin)
        said = (done.stdout + done.stderr).strip()
        shown(node.name, shlex.join(("domus", *arguments)), said, done.returncode)
        if check and done.returncode != 0:
            raise LabError(f"{node.name}: domus {' '.join(arguments)}: status {done.returncode}")
        return said

    def others(self, *nodes: Node) -> list[Node]:
        """The other nodes that are on."""
        names = {node.name for node in nodes}
        return [node for node in self.lab.nodes if node.name not in names and node.is_on]

    def owner(self) -> Node:
        """The node that runs the guest, by the word of any node whose answer is current."""
        def ask() -> Node | None:
            for node in self.others():
                status = domus(node, "status")
                if status["current"]:
                    guest = status["guests"][0]
                    return self.lab.node(guest["node"]) if guest["state"] == "running" else None
            return None
        return wait_for(ask, 60, f"{GUEST} does not run", 0.05)

    def wait_online(self, asked: Node) -> float:
        """Waits until a node sees all as online; returns the seconds it took."""
        began = time.monotonic()

        def all_online() -> bool:
            status = domus(asked, "status")
            return status["current"] and all(node["state"] == "online" for node in status["nodes"])
        wait_for(all_online, 60, "not all nodes come online", 0.1)
        return time.monotonic() - began

    @staticmethod
    def watch(client: WebClient | Checker) -> WebClient | Checker:
        """Starts one of those who watch from outside."""
        with children_deaf():
            return client.start()

    def read(self) -> Fetch:
        """Starts the client that fetches a page every 10 ms; returns a page, once it gets them all the time."""
        began = time.monotonic()
        self.watch(self.reader)
        return self.reader.wait_for_page(60, since=began + WARM_UP_S)

    def read_on(self) -> list[Fetch]:
        """Lets the client go on for a while after the next page that it asks for, then ends it."""
        page = self.reader.wait_for_page(60, since=time.monotonic())
        time.sleep(max(0.0, page.end + AFTER_S - time.monotonic()))
        return self.reader.stop()

    @staticmethod
    def same_boot(fetches: list[Fetch], boot: str) -> None:
        """Fails if the guest has booted anew."""
        if any(fetch.boot != boot for fetch in fetches if fetch.good):
            raise LabError(f"{GUEST} has booted anew during a migration: see why, with domus why {GUEST}")

    def acknowledged(self, before: float) -> int:
        """The highest number that was acknowledged before a time of the client's clock."""
        return max((fetch.count for fetch in self.writer.fetches() if fetch.good and fetch.end <= before), default=0)

    # ---- the steps

    def bring_up(self) -> None:
        """Three nodes, one cluster, fence devices, a pool, a volume."""
        heading("Three nodes, each with its own network, corosync and agent")
        began = time.monotonic()
        self.lab.up(3)
        one, two, three = self.lab.nodes
        say(f"corosync is quorate on all three after {time.monotonic() - began:.1f} s")
        self.run(one, "cluster", "init", "demo")
        self.run(two, "cluster", "join")
        self.run(three, "cluster", "join")
        for node in self.lab.nodes:
            domus(one, "fence", "set", node.name, "fence_lab", f"lab_dir={self.lab.folder}", f"port={node.name}")
        shown("n1", "domus fence set n1 fence_lab port=n1 ...        and so for n2 and n3")
        self.run(two, "pool", "create", "default", "/srv/domus")
        self.run(three, "volume", "create", GUEST, "16M")
        self.wait_online(one)

    def start_guest(self) -> None:
        """The guest, from the order to its first page."""
        heading("A real guest: a Linux kernel and a web server that counts on its disk")
        one = self.lab.node("n1")
        spec = json.dumps(guest_spec(self.lab, GUEST, 1, restart_max=2 * DEATHS))
        self.watch(self.checker)
        domus(one, "guest", "define", "-", stdin=spec)
        shown("n1", f"domus guest define {GUEST}.json")
        self.watch(self.knocker)
        since, wall = last_event(one), time.time()
        self.run(one, "guest", "start", GUEST)
        page = self.knocker.wait_for_page(60)
        self.knocker.stop()
        running = find(events_after(one, since), GUEST, "running")
        first = page.end - to_monotonic() - wall
        self.figures.add_ms("start.first_page_ms", first)
        say(f"QEMU runs after {1000 * (running.time - wall):.0f} ms, the first page comes after {1000 * first:.0f} ms "
            f"(boot {page.boot[:8]})")
        if not domus(self.owner(), "guest", "show", GUEST)["domain"]["kvm"]:
            say("this machine has no KVM that works: the guest's processor is emulated, and slow")
        self.watch(self.writer)

    def first_migration(self) -> None:
        """A migration under a client's eyes."""
        heading("Live migration while a client starts a fetch every 10 ms")
        self.migrate(self.lab.node("n2"), show=True)

    def migrate(self, target: Node, show: bool = False) -> None:
        """One good migration, measured."""
        source = self.owner()
        boot = self.read().boot
        since, began = last_event(source), time.time()
        domus(source, "guest", "migrate", GUEST, target.name)
        fetches = self.read_on()
        events = events_after(target, since)
        ordered = find(events, GUEST, "is to migrate")
        handed, running = find(events, GUEST, "handed over"), find(events, GUEST, "running: migrated")
        self.same_boot(fetches, boot)
        downtime = DOWNTIME.search(running.text)
        gap = longest_gap(fetches, since=began + to_monotonic() - MARGIN_S)
        self.figures.add_ms("migration.total_ms", running.time - ordered.time)
        if downtime:
            self.figures.add("migration.qemu_downtime_ms", "ms", int(downtime.group(1)))
        self.figures.add_ms("migration.client_gap_ms", gap)
        if show:
            self.show_migration(source, target, fetches, (ordered.time, handed.time, running.time))
            say(f"same boot {boot[:8]} before and after; {1000 * (running.time - ordered.time):.0f} ms in all, "
                f"downtime {downtime.group(1) if downtime else '?'} ms, client's longest gap {1000 * gap:.0f} ms")

    def show_migration(self, source: Node, target: Node, fetches: list[Fetch], moments: tuple[float, ...]) -> None:
        """The strip of a migration."""
        ordered, handed, running = (moment + to_monotonic() for moment in moments)
        begin = ordered - MARGIN_S
        answered = min((fetch.end for fetch in fetches if fetch.good and fetch.end >= handed), default=running)
        end = max(running, answered) + 2 * MARGIN_S
        shown(source.name, f"domus guest migrate {GUEST} {target.name}")
        say(f"one character per 10 ms: . answered by {source.name}   + answered by {target.name}   _ no answer", "dim")
        show_strip(strip(fetches, begin, end, handed), begin,
                   [Mark(ordered, "ordered"), Mark(handed, f"handed over to {target.name}")])

    def cut_migration(self) -> None:
        """A migration whose target loses its cable in the middle."""
        heading("The next migration: the cable of the target is cut in the middle")
        source, target = self.owner(), self.lab.node("n3")
        boot = self.read().boot
        for _ in range(3):
            cut, ended, output = self.migrate_and_cut(source, target)
            if self.owner().name == source.name:
                break
            # It was over before the cable was cut: back, and again.
            self.lab.heal()
            self.wait_online(source)
            domus(source, "guest", "migrate", GUEST, source.name)
        else:
            raise LabError("the cable could not be cut in time")
        fetches = self.read_on()
        self.same_boot(fetches, boot)
        self.show_cut(source, target, fetches, cut)
        say(output, "red")
        gap = longest_gap(fetches, since=cut + to_monotonic() - MARGIN_S)
        say(f"{GUEST} never left {source.name} (boot {boot[:8]}); given up {1000 * (ended - cut):.0f} ms after the "
            f"cut; client's longest gap {1000 * gap:.0f} ms")
        self.lab.heal()
        say(f"cable mended: {target.name} is online again after {self.wait_online(source):.1f} s")

    def migrate_and_cut(self, source: Node, target: Node) -> tuple[float, float, str]:
        """Orders a migration, cuts the cable once the stream flows; returns when, when it ended, what domus said."""
        before = self.streams(target)
        with subprocess.Popen(source.command("domus", "guest", "migrate", GUEST, target.name), text=True,
                              env=source.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as order:
            wait_for(lambda: self.streams(target) > before or order.poll() is not None, 60, "no stream begins", 0.002)
            cut = time.time()
            self.lab.isolate(target.name)
            output = order.communicate(timeout=60)[0]
        return cut, time.time(), output.strip()

    @staticmethod
    def streams(node: Node) -> int:
        """How many TCP connections a node has: in a lab only a migration is one."""
        with open(f"/proc/{node.life.pid}/net/tcp", encoding="ascii") as file:
            return sum(line.split()[3] == TCP_ESTABLISHED for line in file)

    def show_cut(self, source: Node, target: Node, fetches: list[Fetch], cut: float) -> None:
        """The strip around the cut."""
        at = cut + to_monotonic()
        begin = at - 2 * MARGIN_S
        shown(source.name, f"domus guest migrate {GUEST} {target.name}")
        show_strip(strip(fetches, begin, begin + 0.96), begin, [Mark(at, f"cable of {target.name} cut")])

    def first_failover(self) -> None:
        """The owner crashes."""
        heading(f"The node that runs {GUEST} crashes")
        self.fail_over(show=True)

    def fail_over(self, show: bool = False) -> None:
        """One crash of the owner, measured; the node is back at the end."""
        owner = self.owner()
        survivors = self.others(owner)
        before = self.watch(self.knocker).wait_for_page(60, since=time.monotonic())
        since, crashed = last_event(survivors[0]), time.time()
        owner.crash()
        written = self.acknowledged(crashed + to_monotonic())
        page = self.knocker.wait_for_page(120, other_than=before.boot)
        self.knocker.stop()
        events = events_after(survivors[0], since)
        first_page = page.end - to_monotonic()
        moments = {"ring": ring_without(survivors, owner, crashed), "lost": find(events, owner.name, "lost").time,
                   "fencing": find(events, owner.name, "is being fenced").time,
                   "proven": find(events, owner.name, "proven off").time,
                   "starting": find(events, GUEST, "starting").time, "running": find(events, GUEST, "running").time,
                   "page": first_page}
        self.add_failover(crashed, moments)
        if page.count < written:
            raise LabError(f"{GUEST} has lost acknowledged numbers: {page.count} < {written}")
        if show:
            where = find(events, GUEST, "running: runs on").text.split()[-1]
            self.show_failover(owner.name, where, crashed, moments)
            tell(f"boot {before.boot[:8]} is now {page.boot[:8]}; counter on its disk {page.count}, last acknowledged "
                 f"before the crash {written}")
        self.lab.boot(owner.name)
        took = self.wait_online(survivors[0])
        if show:
            say(f"{owner.name} switched on: online again after {took:.1f} s")

    def add_failover(self, crashed: float, moments: dict[str, float]) -> None:
        """What belongs to corosync, to the fence device, to the agents, to the guest."""
        view = moments["ring"] - crashed
        proof = moments["proven"] - moments["fencing"]
        self.figures.add_ms("failover.view_change_ms", view)
        self.figures.add_ms("failover.fence_proof_ms", proof)
        self.figures.add_ms("failover.own_share_ms", moments["running"] - crashed - view - proof)
        self.figures.add_ms("failover.qemu_start_ms", moments["running"] - moments["starting"])
        self.figures.add_ms("failover.total_ms", moments["page"] - crashed)

    @staticmethod
    def show_failover(owner: str, where: str, crashed: float, moments: dict[str, float]) -> None:
        """The timeline of a crash."""
        texts = {"ring": f"corosync has a ring without {owner} (its token: 1000 ms, its consensus: 1200 ms)",
                 "lost": f"{owner} is lost, agreed by the majority; nothing happens before it is proven off",
                 "fencing": f"{owner} is being fenced", "proven": f"{owner} proven off",
                 "starting": f"{GUEST} starts on {where}", "running": "QEMU running", "page": "first page"}
        timeline(f"since {owner} crashed", [(0, f"the power of {owner} fails, {GUEST} with it"), *(
            (1000 * (moments[name] - crashed), text) for name, text in texts.items())])

    def refuse(self) -> None:
        """A node that is cut off."""
        owner = self.owner()
        alone = self.others(owner)[-1]
        heading(f"{alone.name} is cut off: it takes no orders")
        self.lab.isolate(alone.name)
        wait_for(lambda: not domus(alone, "status")["current"], 30, f"{alone.name} does not notice", 0.05)
        done = self.run(alone, "guest", "start", GUEST, check=False)
        if "majority" not in done:
            raise LabError(f"{alone.name} does not refuse an order")
        self.lab.heal()
        say(f"cable mended: {alone.name} is online again after {self.wait_online(owner):.1f} s")

    def explain(self) -> None:
        """What the cluster says about all that, by a node that does not run the guest."""
        heading("Asked afterwards, at any node")
        node = self.others(self.owner())[0]
        self.run(node, "why", GUEST)
        self.run(node, "status")

    def measure(self) -> None:
        """More rounds of the same, for the figures."""
        heading(f"Again, for the figures: {MIGRATIONS} migrations, {FAILOVERS} crashes of the owner, "
                f"{DEATHS} deaths of QEMU")
        for _ in range(MIGRATIONS - 1):
            self.migrate(self.others(self.owner())[0])
        self.show_runs("gaps of the client in migrations", "migration.client_gap_ms")
        for _ in range(FAILOVERS - 1):
            self.fail_over()
        self.show_runs("crash of the owner to first page", "failover.total_ms")
        for _ in range(DEATHS):
            self.kill_qemu()
        self.show_runs("QEMU killed to noticed", "qemu_death.noticed_ms")
        self.writer.wait_for_page(60, since=time.monotonic())

    def show_runs(self, title: str, name: str) -> None:
        """All runs of one figure."""
        say(f"{title:34}" + "".join(f"{value:8.1f}" for value in self.figures.runs[name]) + " ms")

    def kill_qemu(self) -> None:
        """Ends the guest's process, and waits until it runs again."""
        node = self.owner()
        since = last_event(node)
        killed, gone = kill_and_wait(node.guests()[0])
        events = wait_for_event(node, since, GUEST, "running")
        self.figures.add_ms("qemu_death.noticed_ms", find(events, GUEST, "recovering: crashed").time - killed)
        self.figures.add_ms("qemu_death.dying_ms", gone - killed)

    def sum_up(self) -> bool:
        """The verdict of those who watched, the table; true when nothing was done wrong."""
        writes = self.writer.stop()
        report = self.checker.stop()
        measure_idle(self.lab, self.figures, IDLE_S)
        path = self.lab.build / "figures/demo.json"
        self.figures.save(path)
        heading("Medians")
        table(("", "median", "min", "max", "runs", "aim"), self.figures.rows(TITLES))
        doubles, lost = len(report["double_runs"]), lost_acknowledged(writes)
        good = sum(fetch.good for fetch in writes)
        watched = sum(bool(process["spans"]) for process in report["processes"])
        say()
        say(f"double runs {doubles}, lost acknowledged writes {lost}", "red" if doubles or lost else "green")
        tell(f"counted from outside: {watched} QEMU processes that ran, asked every 10 ms; {good} acknowledged writes"
              + (f"; unclear: {len(report['unclear'])}" if report["unclear"] else ""))
        return not doubles and not lost

    def play(self) -> bool:
        """All steps; true when nothing was done wrong."""
        for step in (self.bring_up, self.start_guest, self.first_migration, self.cut_migration, self.first_failover,
                     self.refuse, self.explain, self.measure):
            step()
        return self.sum_up()

    def end(self, good: bool, keep: bool) -> None:
        """Ends what runs here; the nodes too, if they are not to be kept. After a failure their logs stay."""
        self.checker.abandon()
        for client in (self.reader, self.knocker, self.writer):
            if client.process:
                client.stop()
        if not keep:
            self.lab.down(keep_logs=not good)


def how_to_play(lab: Lab) -> None:
    """What can be done with nodes that were kept."""
    default = SOURCE.parent.parent / "build"
    setting = "" if lab.build == default else f"BUILD={shlex.quote(str(lab.build))} "
    program = min(str(SOURCE / "lab"), os.path.relpath(SOURCE / "lab"), key=len)
    heading("The nodes are still up (KEEP=1). Some things to try, as root:")
    for arguments, what in (
            ("exec n1 domus status", "any node answers for the cluster"),
            (f"exec n1 domus guest migrate {GUEST} n2", ""),
            ("exec n2 domus events --follow", ""),
            (f"exec switch curl -s http://{guest_address(1)}/count", "counts on the guest's disk"),
            ("crash n1", f"if it runs {GUEST}: 5 s later another does"),
            ("boot n1", ""),
            ("isolate n3", "its cable; heal mends all cables"),
            ("logs n1", ""),
            ("--help", "")):
        say(f"{setting}{program} --name {lab.name} {arguments}" + (styled(f"    # {what}", "dim") if what else ""))
    say()
    say("and to end them, without a trace:")
    say(f"{setting}{program} --name {lab.name} down", "bold")


def on_signals(action: object) -> None:
    """What Ctrl-C and other wishes to end it do from now on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, action)


def interrupted(*_: object) -> None:
    """Ends the demo, once: nothing may disturb what cleans up."""
    on_signals(signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Runs the demo; returns the exit status."""
    keep = os.environ.get("KEEP", "") not in ("", "0")
    on_signals(interrupted)
    demo, began, status = Demo(), time.monotonic(), 1
    try:
        status = 0 if demo.play() else 1
        say(f"{time.monotonic() - began:.0f} s; all figures: {demo.lab.build / 'figures/demo.json'}")
    except (LabError, OSError, subprocess.SubprocessError) as error:
        print(styled(f"demo: {error}\ndemo: logs are in {demo.lab.folder}", "red"), file=sys.stderr)
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        status = 130
    finally:
        on_signals(signal.SIG_IGN)
        demo.end(good=status in (0, 130), keep=keep and status == 0)
    if keep and status == 0:
        how_to_play(demo.lab)
    return status


if __name__ == "__main__":
    sys.exit(main())
