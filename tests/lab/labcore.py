# SPDX-License-Identifier: Apache-2.0
"""A lab: nodes of a cluster on one machine, each with namespaces of its own, and a switch between them.

Everything of a lab lies in its folder, BUILD/lab/NAME:
    config.json        what `up` was asked for
    switch/ n1/ ...    life (pid and network namespace), control (socket of lab_node), holder.log
    n1/etc lib log     the node's /etc/corosync, /var/lib, /var/log; they outlive its boots
    n1/agentd.log      what the node's agent says;  n1/fault  how its power switch is to fail
    srv/domus          seen by all nodes as /srv/domus: the shared storage
    cuts               cables that are cut;  power  the program by which fence_lab switches a node on
Nothing of it is in the host's own namespaces but the processes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import labtext
from labproc import (Life, LabError, all_pids, arguments_of, ask_holder, end_process, is_alive, is_zombie, name_of,
                     parent, processes_in, read_life, send_signal, stat_fields, wait_for)

SOURCE = Path(__file__).resolve().parent
SWITCH = "switch"
DAEMONS = {"agent": "domus-agentd", "corosync": "corosync"}
DEFAULTS = {"nodes": 0, "token": 1000, "token_coefficient": 0, "agents": True, "agent_args": []}


def build_folder() -> Path:
    """Where the programs are and labs live: BUILD, or build in the source tree."""
    return Path(os.environ.get("BUILD") or SOURCE.parent.parent / "build").resolve()


def require_root() -> None:
    """Namespaces need it."""
    if os.geteuid() != 0:
        raise LabError("a lab needs root: it makes network namespaces")


class Place:
    """A set of namespaces of the lab: a node, or the switch."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.folder = lab.folder / name

    @property
    def life(self) -> Life:
        """The present life; fails when the power is off."""
        life = read_life(self.folder)
        if life is None or not is_alive(life):
            raise LabError(f"{self.name} is off: try lab boot {self.name}")
        return life

    @property
    def is_on(self) -> bool:
        """True while the place has its namespaces."""
        return is_alive(read_life(self.folder))

    def processes(self) -> list[int]:
        """All processes that run in the place."""
        return [pid for pid in processes_in(self.life) if not is_zombie(pid)]

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs a command in the place."""
        return ["nsenter", f"--net=/proc/{self.life.pid}/ns/net", "--", *arguments]

    def environment(self) -> dict[str, str]:
        """What programs in the lab find in their environment."""
        programs = self.lab.build / "bin"
        path = os.environ.get("PATH", "/usr/bin:/bin")
        return {**os.environ, "BUILD": str(self.lab.build), "LAB_DIR": str(self.lab.folder),
                "PATH": f"{programs}:/usr/sbin:/sbin:{path}"}

    def exec(self, *arguments: str, check: bool = True, timeout: float = 60,
             stdin: str | None = None) -> subprocess.CompletedProcess:
        """Runs a command in the place; returns its output and status."""
        done = subprocess.run(self.command(*arguments), env=self.environment(), timeout=timeout, text=True,
                              input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if check and done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise LabError(f"{self.name}: {shlex.join(arguments)}: status {done.returncode}: {said}")
        return done

    def shell(self, script: str) -> None:
        """Runs a shell script in the place."""
        self.exec("sh", "-s", stdin=script)

    def start(self, log: str, *arguments: str) -> int:
        """Starts a program that goes on by itself; returns its pid."""
        return ask_holder(self.folder, self.folder / log, list(arguments))

    def wait_for_life(self, old: Life | None) -> None:
        """Waits until lab_node has written down a new life."""
        wait_for(lambda: read_life(self.folder) not in (None, old) and self.is_on, 10,
                 f"{self.name}: its first process did not come up (see {self.folder}/holder.log)", 0.001)

    def power_off(self, faults: bool = False) -> None:
        """Ends all processes of the place at once."""
        subprocess.run([self.lab.program("fence_lab"), f"lab_dir={self.lab.folder}", f"port={self.name}",
                        "action=off", f"faults={'yes' if faults else 'no'}"], check=True)


class Node(Place):
    """One node of the cluster."""

    def __init__(self, lab: Lab, number: int) -> None:
        super().__init__(lab, f"n{number}")
        self.number = number
        self.address = labtext.address(number)

    def command(self, *arguments: str) -> list[str]:
        return ["nsenter", "-t", str(self.life.pid), "-m", "-u", "-n", "--", *arguments]

    def prepare(self, corosync_conf: str) -> None:
        """Makes the node's folders: they stand for its disk."""
        for folder in ("mnt", "etc", "lib/corosync", "lib/domus", "lib/pacemaker", "log/corosync"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        (self.folder / "etc/corosync.conf").write_text(corosync_conf)

    def boot(self) -> None:
        """Switches the node on: fresh namespaces, an empty /run, corosync and the agent."""
        if self.is_on:
            raise LabError(f"{self.name} is on already")
        self.power_off()        # what an ended first process may have left
        old = read_life(self.folder)
        self.lab.switch.start("nodes.log", str(self.lab.program("lab_node")), str(self.folder), self.name)
        self.wait_for_life(old)
        self.lab.switch.shell(labtext.cable(self.name, self.number, self.life.pid))
        self.shell(labtext.node_setup(self.folder, self.lab.folder / "srv", self.lab.build, self.number))
        self.daemon("corosync", "start")
        if self.lab.config["agents"]:
            self.daemon("agent", "start")

    def crash(self) -> None:
        """The power fails."""
        self.power_off()

    def daemon_pid(self, daemon: str) -> int:
        """The pid of the node's corosync or agent, 0 when it does not run. Their children do not count."""
        life = self.life
        pids = [pid for pid in processes_in(life)
                if name_of(pid) == DAEMONS[daemon] and parent(pid) == life.pid and not is_zombie(pid)]
        return pids[0] if pids else 0

    def daemon_command(self, daemon: str) -> list[str]:
        """How a daemon of the node is started."""
        if daemon == "corosync":
            return ["corosync", "-f"]
        return [str(self.lab.program("domus-agentd")), "--run-dir", "/run/domus", "--state-dir", "/var/lib/domus",
                "--fence-dir", str(self.lab.build / "bin"), *self.lab.config["agent_args"]]

    def daemon(self, daemon: str, verb: str) -> int:
        """start, stop, kill or restart; returns the pid that now runs, 0 for none."""
        pid = self.daemon_pid(daemon)
        if verb in ("stop", "kill", "restart") and pid:
            end_process(pid, signal.SIGKILL if verb == "kill" else signal.SIGTERM, 20)
            pid = 0
        if verb in ("start", "restart") and not pid:
            log = "agentd.log" if daemon == "agent" else "corosync.out"
            pid = self.start(log, *self.daemon_command(daemon))
        return pid

    def agent(self, verb: str) -> int:
        """start, stop, kill or restart."""
        return self.daemon("agent", verb)

    def corosync(self, verb: str) -> int:
        """start, stop, kill or restart."""
        return self.daemon("corosync", verb)

    def pause(self) -> None:
        """Stops all of the node's processes where they stand, as a virtual machine can be stopped."""
        def stop() -> bool:
            running = [pid for pid in self.processes() if stat_fields(pid)[:1] not in ([], ["T"], ["Z"])]
            for pid in running:
                send_signal(pid, signal.SIGSTOP)
            return not running
        wait_for(stop, 10, f"{self.name} does not stop", 0.001)

    def resume(self) -> None:
        """Lets them go on; the holder last, so that it sees no more than it would have."""
        for pid in sorted(self.processes(), key=lambda pid: pid == self.life.pid):
            send_signal(pid, signal.SIGCONT)

    def fault(self, kind: str) -> None:
        """How the node's power switch is to fail: fail, hang, lie, in-band (needs the cable); none."""
        path = self.folder / "fault"
        if kind == "none":
            path.unlink(missing_ok=True)
        else:
            path.write_text(kind + "\n")

    def quorum(self) -> tuple[bool, int]:
        """What corosync says on this node: whether it is quorate, and with how many members."""
        done = self.exec("corosync-quorumtool", "-s", check=False)
        words = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
        return words.get("Quorate", "").strip() == "Yes", int(words.get("Nodes", "0"))

    def logs(self) -> dict[str, Path]:
        """The node's logs by name."""
        return {"agentd": self.folder / "agentd.log", "corosync": self.folder / "log/corosync/corosync.log",
                "corosync output": self.folder / "corosync.out", "first process": self.lab.switch.folder / "nodes.log"}

    def guests(self) -> list[int]:
        """The QEMU processes of the node."""
        return [pid for pid in self.processes()
                if os.path.basename((arguments_of(pid) or [""])[0]).startswith("qemu-system-")]

    def status(self) -> dict[str, object]:
        """What `lab status` shows of the node."""
        if not self.is_on:
            return {"power": "off"}
        paused = stat_fields(self.life.pid)[:1] == ["T"]
        return {"power": "paused" if paused else "on", "pid": self.life.pid,
                "corosync": self.daemon_pid("corosync"), "agent": self.daemon_pid("agent"),
                "guests": len(self.guests())}


class Lab:
    """A lab by its name. The object holds no state: all of it is in the lab's folder and in the kernel."""

    def __init__(self, name: str = "default", build: Path | None = None) -> None:
        if not name or not all(c.isalnum() or c in "-_" for c in name):
            raise LabError(f"{name!r} is no name for a lab: letters, digits, - and _")
        self.name = name
        self.build = build or build_folder()
        self.folder = self.build / "lab" / name
        self.switch = Place(self, SWITCH)

    def program(self, name: str) -> Path:
        """A program of the build."""
        path = self.build / "bin" / name
        if not path.exists():
            raise LabError(f"{path} is missing: run make, or make {path}")
        return path

    @property
    def config(self) -> dict:
        """What `up` was asked for."""
        try:
            return json.loads((self.folder / "config.json").read_text())
        except OSError as error:
            raise LabError(f"there is no lab named {self.name}: try lab up 3") from error

    @property
    def nodes(self) -> list[Node]:
        """All nodes, on or off."""
        return [Node(self, number) for number in range(1, self.config["nodes"] + 1)]

    def node(self, name: str) -> Node:
        """A node by its name."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise LabError(f"{name} is no node of this lab: {', '.join(node.name for node in self.nodes)}")

    def place(self, name: str) -> Place:
        """A node or the switch."""
        return self.switch if name == SWITCH else self.node(name)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One change at a time. The lock's file stays: another may just be waiting for it."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with open(self.folder.parent / f".{self.name}.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def up(self, nodes: int, **wishes: object) -> None:
        """Makes a lab of @nodes nodes and waits until corosync is quorate on all. An old one of this name goes."""
        require_root()
        if not 1 <= nodes <= 16:
            raise LabError(f"{nodes} nodes: a lab has 1 to 16")
        config = {**DEFAULTS, "nodes": nodes, **wishes}
        for name in ("lab_node", "fence_lab", *(["domus-agentd"] if config["agents"] else [])):
            self.program(name)
        with self.lock():
            self.take_down()
            self.prepare(config)
            self.start_switch()
            for node in self.nodes:
                node.boot()
        self.wait_quorate()

    def prepare(self, config: dict) -> None:
        """Makes the lab's folder."""
        (self.folder / SWITCH).mkdir(parents=True)
        (self.folder / "srv/domus").mkdir(parents=True)
        (self.folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        (self.folder / "cuts").touch()
        power = self.folder / "power"
        arguments = ("/usr/bin/python3", str(SOURCE / "lab"), "--name", self.name, "boot")
        power.write_text(f"#!/bin/sh\nBUILD={shlex.quote(str(self.build))} exec {shlex.join(arguments)} \"$1\"\n")
        power.chmod(0o755)
        conf = labtext.corosync_conf(self.name, config["nodes"], config["token"], config["token_coefficient"])
        for node in self.nodes:
            node.prepare(conf)

    def start_switch(self) -> None:
        """Starts the process that holds the lab's network and is every node's parent."""
        with open(self.switch.folder / "holder.log", "w") as log:
            subprocess.Popen([self.program("lab_node"), self.switch.folder, SWITCH], stdin=subprocess.DEVNULL,
                             stdout=log, stderr=log, env=self.switch.environment(), start_new_session=True)
        self.switch.wait_for_life(None)
        self.switch.shell(labtext.switch_setup())

    def wait_quorate(self, nodes: list[Node] | None = None, deadline_s: float = 30) -> None:
        """Waits until corosync sees all of @nodes (all nodes, if not given) on each of them."""
        wanted = nodes or self.nodes
        for node in wanted:
            wait_for(lambda: node.quorum() == (True, len(wanted)), deadline_s,
                     f"{node.name}: corosync does not see {len(wanted)} nodes", 0.02)

    def down(self, keep_logs: bool = False) -> None:
        """Ends the lab: no process, and so no namespace, mount or link of it remains. Good when there is none, too."""
        require_root()
        with self.lock():
            self.take_down(keep_logs)

    def take_down(self, keep_logs: bool = False) -> None:
        """Ends what runs, also what a killed `up` has left, and removes the folder (but the logs, if wished)."""
        while True:
            places = sorted(path.parent.name for path in self.folder.glob("*/life"))
            # The switch last: it is the one that reaps.
            for name in sorted(places, key=lambda name: name == SWITCH):
                Place(self, name).power_off()
            left = self.holders()
            for pid, folder in left.items():
                if not (folder / "life").exists():
                    end_process(pid, signal.SIGKILL, 10)
            if not left:
                break
        for name in ("srv", "power", "config.json", "cuts") if keep_logs else ():
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if not keep_logs and self.folder.exists():
            shutil.rmtree(self.folder)

    def holders(self) -> dict[int, Path]:
        """The first processes of this lab's places and their folders, whatever lies in these."""
        found = {}
        for pid in all_pids():
            arguments = arguments_of(pid)
            if len(arguments) == 3 and os.path.basename(arguments[0]) == "lab_node" and \
                    Path(arguments[1]).parent == self.folder and not is_zombie(pid):
                found[pid] = Path(arguments[1])
        return found

    @property
    def cuts(self) -> set[tuple[str, str]]:
        """Who does not reach whom: (from, to), * is everybody."""
        words = (line.split() for line in (self.folder / "cuts").read_text().splitlines())
        return {(source, target) for source, target in words}

    def set_cuts(self, cuts: set[tuple[str, str]]) -> None:
        """Makes these the only cuts, in one step."""
        self.switch.exec("nft", "-f", "-", stdin=labtext.cut_rules(cuts))
        (self.folder / "cuts").write_text("".join(f"{source} {target}\n" for source, target in sorted(cuts)))

    def cut(self, a: str, b: str, one_way: bool = False) -> None:
        """Nothing goes between two nodes any more, or (one way) nothing from @a to @b."""
        names = {self.node(a).name, self.node(b).name}
        if len(names) != 2:
            raise LabError("a cut is between two nodes")
        self.set_cuts(self.cuts | ({(a, b)} if one_way else {(a, b), (b, a)}))

    def isolate(self, name: str) -> None:
        """Pulls a node's cable."""
        node = self.node(name).name
        self.set_cuts(self.cuts | {(node, "*"), ("*", node)})

    def heal(self) -> None:
        """All cables are good again."""
        self.set_cuts(set())

    def boot(self, name: str) -> None:
        """Switches a node on."""
        with self.lock():
            self.node(name).boot()

    def status(self) -> dict[str, dict[str, object]]:
        """What each node does."""
        return {node.name: node.status() for node in self.nodes}


def labs(build: Path | None = None) -> list[str]:
    """The names of the labs that are up."""
    folder = (build or build_folder()) / "lab"
    return sorted(path.parent.name for path in folder.glob("*/config.json"))


if __name__ == "__main__":
    sys.exit("the program is lab")
