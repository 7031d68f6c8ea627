# SPDX-License-Identifier: Apache-2.0
"""Processes and namespaces of a lab's nodes, as /proc shows them."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import Callable, NamedTuple


class LabError(Exception):
    """What could not be done, in one sentence for a person."""


class Life(NamedTuple):
    """A node's life, as lab_node wrote it down when it began."""
    pid: int
    started: int
    inode: int
    cookie: int


def wait_for(condition: Callable[[], object], deadline_s: float, what: str, every_s: float = 0.005):
    """Waits until the condition gives something true, and returns that; fails when the time is up."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {deadline_s:g} s")
        time.sleep(every_s)


def stat_fields(pid: int) -> list[str]:
    """/proc/PID/stat from field 3 on: the name before it may hold blanks. Empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def is_zombie(pid: int) -> bool:
    """True for what has ended and only waits to be asked for its status."""
    fields = stat_fields(pid)
    return not fields or fields[0] == "Z"


def parent(pid: int) -> int:
    """The parent's pid, 0 when there is no such process."""
    fields = stat_fields(pid)
    return int(fields[1]) if fields else 0


def name_of(pid: int) -> str:
    """The program's short name."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def arguments_of(pid: int) -> list[str]:
    """The command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def all_pids() -> list[int]:
    """Every process that can be seen."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def read_life(folder: Path) -> Life | None:
    """The last life that began in a node's folder, over or not."""
    try:
        return Life(*map(int, (folder / "life").read_text().split()))
    except (OSError, ValueError, TypeError):
        return None


def is_alive(life: Life | None) -> bool:
    """True while the life's first process runs, so that its namespaces exist and are its own."""
    if life is None:
        return False
    fields = stat_fields(life.pid)
    return bool(fields) and fields[0] != "Z" and int(fields[19]) == life.started


def processes_in(life: Life) -> list[int]:
    """The processes in a living node's network namespace."""
    target = f"net:[{life.inode}]"
    found = []
    for pid in all_pids():
        try:
            if os.readlink(f"/proc/{pid}/ns/net") == target:
                found.append(pid)
        except OSError:
            continue
    return found


def send_signal(pid: int, number: int) -> None:
    """Signals a process that may just have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def end_process(pid: int, number: int, deadline_s: float) -> None:
    """Signals a process and waits until all of its threads are gone."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(fd, number)
        if not select.select([fd], [], [], deadline_s)[0]:
            raise LabError(f"process {pid} ({name_of(pid)}) did not end within {deadline_s:g} s")
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def ask_holder(folder: Path, log: Path, arguments: list[str]) -> int:
    """Has a node's first process start a program; returns its pid."""
    request = b"".join(os.fsencode(text) + b"\0" for text in (str(log), *arguments))
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(5)
            # Through the descriptor, since an address of a socket may only be short.
            connection.connect(f"/proc/self/fd/{directory}/control")
            connection.send(request)
            pid = int(connection.recv(32) or b"0")
    except OSError as error:
        raise LabError(f"{folder.name}: cannot start {arguments[0]}: {error}") from error
    finally:
        os.close(directory)
    if pid <= 0:
        raise LabError(f"{folder.name}: cannot start {arguments[0]}")
    return pid
