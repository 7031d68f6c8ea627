# SPDX-License-Identifier: Apache-2.0
"""What lab tests and the demo are written with: the lab itself, guests, a web client, the double-run checker.

    lab = Lab("demo"); lab.up(3)
    status = domus(lab.nodes[0], "status")
    client = WebClient(lab, guest_address(1)); client.start() ... fetches = client.stop()
"""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Iterable, NamedTuple

from labcore import SOURCE, Lab, Node
from labproc import LabError, wait_for
from labtext import NETWORK

__all__ = ["Checker", "DomusFailed", "Fetch", "Lab", "LabError", "Node", "Qmp", "WebClient", "answer", "domus", "get_page",
           "guest_address", "guest_cmdline", "guest_spec", "longest_gap", "lost_acknowledged", "read_counter",
           "wait_for"]

PYTHON = "/usr/bin/python3"
# What spares the test guest's kernel time when it is emulated; panic=-1 lets a crash end without a person.
GUEST_CMDLINE = ("console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests no_timer_check noreplace-smp "
                 "8250.nr_uarts=1 i8042.noaux i8042.nokbd initcall_blacklist=init_kprobe_trace")
COUNTER_MAGIC = b"DOMUSCNT"


class DomusFailed(LabError):
    """The program domus ended with a status other than 0."""

    def __init__(self, node: Node, arguments: tuple[str, ...], status: int, text: str) -> None:
        super().__init__(f"{node.name}: domus {' '.join(arguments)}: status {status}: {text}")
        self.status = status
        self.text = text


def domus(node: Node, *arguments: str, timeout: float = 60, stdin: str | None = None) -> dict | list:
    """Runs domus on a node and returns the result of its answer."""
    return answer(node, *arguments, timeout=timeout, stdin=stdin)["result"]


def answer(node: Node, *arguments: str, timeout: float = 60, stdin: str | None = None) -> dict:
    """Runs domus on a node and returns its whole answer: result, index, term, age_ms, current."""
    done = node.exec("domus", *arguments, "--json", check=False, timeout=timeout, stdin=stdin)
    if done.returncode != 0:
        raise DomusFailed(node, arguments, done.returncode, done.stderr.strip())
    return json.loads(done.stdout)


def guest_address(number: int) -> str:
    """The address of the lab's guest @number (from 1)."""
    return f"{NETWORK}.{100 + number}"


def guest_cmdline(name: str, number: int) -> str:
    """The kernel command line of the test guest."""
    return f"{GUEST_CMDLINE} domus.ip={guest_address(number)}/24 domus.name={name}"


def guest_spec(lab: Lab, name: str, number: int, volume: str | None = None, **wishes: object) -> dict:
    """The specification of a test guest, as `guest define` takes it. Its volume is named as the guest if not given."""
    return {"name": name, "memory_mib": 128, "vcpus": 1, "vnc": False,
            "kernel": str(lab.build / "guest/vmlinux"), "initrd": str(lab.build / "guest/initrd.img"),
            "cmdline": guest_cmdline(name, number), "disks": [{"volume": volume or name}],
            "nics": [{"bridge": "br0"}], **wishes}


def read_counter(path: Path) -> int:
    """The number that a test guest has written to its volume; a blank one counts as 0."""
    with open(path, "rb") as file:
        magic, value, total = struct.unpack("<8sQQ", file.read(24))
    if magic == bytes(8):
        return 0
    check = 0xcbf29ce484222325
    for byte in struct.pack("<8sQ", magic, value):
        check = (check ^ byte) * 0x100000001b3 % 2**64
    if magic != COUNTER_MAGIC or total != check:
        raise LabError(f"{path}: no good counter")
    return value


class Fetch(NamedTuple):
    """One fetch of a web client; times in seconds of CLOCK_MONOTONIC. A fetch that failed has no boot id."""
    start: float
    end: float
    boot: str = ""
    count: int = -1
    error: str = ""

    @property
    def good(self) -> bool:
        """True when it brought a page."""
        return not self.error


class WebClient:
    """A client in the lab's switch that starts a fetch every so often, whether or not earlier ones are back."""

    def __init__(self, lab: Lab, address: str, page: str = "/", every_ms: int = 10, limit_ms: int = 2000) -> None:
        self.lab = lab
        self.address = address
        self.path = lab.folder / f"client-{address}{page.replace('/', '-')}.log"
        self.arguments = (PYTHON, str(SOURCE / "webclient.py"), address, page, str(every_ms), str(limit_ms))
        self.process: subprocess.Popen | None = None

    def start(self) -> "WebClient":
        """Begins; the record of an earlier run is forgotten."""
        with open(self.path, "w") as out:
            self.process = subprocess.Popen(self.lab.switch.command(*self.arguments), stdout=out,
                                            stdin=subprocess.DEVNULL, env=self.lab.switch.environment())
        return self

    def fetches(self) -> list[Fetch]:
        """What has ended by now, in the order of its end."""
        lines = self.path.read_text().split("\n")[:-1]
        return [Fetch(**json.loads(line)) for line in lines]

    def wait_for_page(self, deadline_s: float = 30, boot: str = "", other_than: str = "", since: float = 0) -> Fetch:
        """Waits for a page (of the boot @boot, or of another than @other_than) that was asked for after @since."""
        def find() -> Fetch | None:
            return next((fetch for fetch in self.fetches() if fetch.good and fetch.start >= since and
                         (not boot or fetch.boot == boot) and fetch.boot != other_than), None)
        return wait_for(find, deadline_s, f"no page from {self.address}", 0.02)

    def stop(self) -> list[Fetch]:
        """Ends; returns all fetches that have ended."""
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None
        return self.fetches()


def get_page(lab: Lab, address: str, page: str = "/", limit_ms: int = 5000) -> Fetch:
    """One page, fetched from the lab's switch."""
    client = WebClient(lab, address, page, every_ms=3600 * 1000, limit_ms=limit_ms).start()
    try:
        return wait_for(client.fetches, limit_ms / 1000 + 5, f"no answer from {address}", 0.01)[0]
    finally:
        client.stop()


def longest_gap(fetches: Iterable[Fetch], since: float = 0, until: float = float("inf")) -> float:
    """The longest time in seconds between two successful completions, of those between @since and @until."""
    ends = sorted(fetch.end for fetch in fetches if fetch.good and since <= fetch.end <= until)
    return max((later - earlier for earlier, later in zip(ends, ends[1:])), default=0.0)


def lost_acknowledged(fetches: Iterable[Fetch]) -> int:
    """How many pages show a counter that is lower than one that was shown before they were asked for."""
    good = [fetch for fetch in fetches if fetch.good]
    ends = sorted((fetch.end, fetch.count) for fetch in good)
    lost = known = at = 0
    for fetch in sorted(good):
        while at < len(ends) and ends[at][0] < fetch.start:
            known = max(known, ends[at][1])
            at += 1
        lost += fetch.count < known
    return lost


class Checker:
    """The double-run checker of a lab, as a process of its own; see checker.py.

    It runs in the lab's switch: whatever becomes of who started it, the end of the lab is its end too.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.out = lab.folder / "checker.json"
        self.process: subprocess.Popen | None = None

    def start(self) -> "Checker":
        """Begins; returns when it watches what runs already."""
        command = (PYTHON, str(SOURCE / "checker.py"), "--lab", self.lab.name, str(self.out))
        self.process = subprocess.Popen(self.lab.switch.command(*command), env=self.lab.switch.environment(),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "watching\n":
            raise LabError("the checker did not start")
        return self

    def stop(self) -> dict:
        """Ends; returns its report: double_runs, unclear, processes. Fails if it has not seen all."""
        self.out.unlink(missing_ok=True)
        self.process.terminate()
        self.process.communicate(timeout=20)
        if self.process.returncode != 0 or not self.out.exists():
            raise LabError(f"the checker ended with status {self.process.returncode} and gives no verdict")
        report = json.loads(self.out.read_text())
        if report["failures"]:
            raise LabError(f"the checker gives no verdict, it could not watch all: {report['failures']}")
        return report

    def abandon(self) -> None:
        """Ends it if it still runs; for tests that failed."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()


class Qmp:
    """A QMP connection that waits for each answer; for what tests do to a QEMU themselves."""

    def __init__(self, path: str, deadline_s: float = 10) -> None:
        self.events: list[dict] = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(deadline_s)
        # Not there yet, or left by a process that was killed.
        wait_for(lambda: self.socket.connect_ex(path) == 0, deadline_s, f"{path} does not answer")
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.do("qmp_capabilities")

    def do(self, command: str, **arguments: object) -> dict:
        """Runs a command; events that come meanwhile are kept."""
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            line = self.file.readline()
            if not line:
                raise LabError(f"QEMU ended during {command}")
            message = json.loads(line)
            if "error" in message:
                raise LabError(f"{command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]
            self.events.append(message)

    def wait_for_status(self, status: str, deadline_s: float = 20) -> None:
        """Waits for a state such as `running`, `paused`, `shutdown`."""
        wait_for(lambda: self.do("query-status")["status"] == status, deadline_s, f"QEMU is not {status}")

    def close(self) -> None:
        """Frees the socket for the next one: QEMU serves one connection at a time."""
        self.file.close()
        self.socket.close()


def now() -> float:
    """The clock of Fetch."""
    return time.monotonic()
