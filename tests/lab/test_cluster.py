# SPDX-License-Identifier: Apache-2.0
"""The cluster itself: its birth, one answer from all nodes, what is refused, and which losses it goes on after."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import pytest

from clusterkit import NOT_QUORATE, REFUSED, UNKNOWN, Cluster, keeps, refusal
from labcore import SOURCE
from labkit import Lab, Node, answer, domus, lost_acknowledged, read_counter, wait_for

PYTHON = "/usr/bin/python3"
# Where an SQLite file says whose it is and in which format (big-endian numbers).
FORMAT_AT = 60
ORDER_S = 15            # in which orders must work again after a loss: token, consensus, and room for a busy machine
LATE_S = 5              # how long a node is late for that is waited for: much less than the minute that it has


def test_birth(make_lab: Callable[..., Lab]) -> None:
    """Nodes that belong to nothing say so; one gives birth, once; the others join, even if they ask too early."""
    lab = make_lab(3)
    one, two, three = lab.nodes
    wait_for(lambda: Cluster(lab).status(one).get("quorate"), 20, "n1: no agent that is in a ring")
    early = subprocess.Popen(two.command("domus", "cluster", "join"), env=two.environment(), text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    blank = refusal(lambda: domus(one, "volume", "create", "v", "1M"))
    assert (blank.status, "belongs to no cluster yet" in blank.text) == (NOT_QUORATE, True)
    assert domus(one, "cluster", "init", "lab") == {"cluster": "lab", "node": "n1"}
    assert early.communicate(timeout=40) == ("n2 is a member of cluster lab\n", "")
    again = refusal(lambda: domus(one, "cluster", "init", "other"))
    assert (again.status, "already" in again.text) == (REFUSED, True)
    second = refusal(lambda: domus(three, "cluster", "init", "other"))
    assert (second.status, "domus cluster join" in second.text) == (REFUSED, True)
    assert domus(three, "cluster", "join") == {"cluster": "lab", "node": "n3"}
    assert refusal(lambda: domus(three, "cluster", "join")).status == REFUSED
    said = Cluster(lab).settle()
    assert said["cluster"] == "lab"
    assert said["voters"] == [{"name": name, "votes": 1} for name in ("n1", "n2", "n3")]


def test_any_node_may_be_asked(cluster: Cluster) -> None:
    """Orders are taken by every node, and all nodes then say the same: index, digest, guests, nodes."""
    cluster.run("web1")
    for node in cluster.lab.nodes:
        domus(node, "volume", "create", f"of-{node.name}", "64K")
    settled = cluster.settle()
    said = [domus(node, "status") for node in cluster.lab.nodes]
    for key in ("applied", "digest", "cluster", "leader", "voters", "guests", "nodes", "operations"):
        assert [one[key] for one in said] == [settled[key]] * 3, key
    assert [(one["node"], one["role"]) for one in said] == [("n1", "voter"), ("n2", "voter"), ("n3", "voter")]
    lists = [node.exec("domus", "volume", "list").stdout.rpartition("as of index ") for node in cluster.lab.nodes]
    assert [shown for shown, _, _ in lists] == [lists[0][0]] * 3
    assert all(int(index) >= settled["applied"] for _, _, index in lists)
    assert all(f"of-{node.name}" in lists[0][0] for node in cluster.lab.nodes)
    for node in cluster.lab.nodes:
        domus(node, "volume", "delete", f"of-{node.name}")


def start_refused(node: Node, *options: str) -> str:
    """Runs an agent that is expected to end by itself; returns the one error that it tells."""
    limited = ("timeout", "-s", "KILL", "20", *node.daemon_command("agent"), *options)
    ended = node.exec(*limited, check=False, timeout=30)
    errors = [line for line in ended.stderr.splitlines() if " error " in line]
    assert (ended.returncode, len(errors)) == (1, 1), ended
    return errors[0]


def fold(path: Path) -> None:
    """Moves what is in SQLite's write-ahead log into the file itself: one file to spoil, or to put back."""
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    assert not path.with_name(path.name + "-wal").exists()


@pytest.mark.parametrize("options, folder", [
    ((), "/run/domus"), (("--state-dir", "/run/other", "--socket", "other"), "/run/domus"),
    (("--run-dir", "/run/other", "--socket", "other"), "/var/lib/domus")], ids=["same", "state", "run"])
def test_a_second_agent_is_refused(cluster: Cluster, options: tuple[str, ...], folder: str) -> None:
    """The second one, if it shares but one folder with the first, says who is there; the first does not even notice."""
    node = cluster.node("n2")
    pid = node.daemon_pid("agent")
    assert f"{folder}: in use by another domus-agentd, pid {pid}; stop that one first" in start_refused(node, *options)
    assert node.daemon_pid("agent") == pid
    assert cluster.status(node)["current"]


def damage(path: Path) -> None:
    """A disk that gives back another letter than was written, within an entry."""
    content = path.read_bytes()
    assert b"fence_lab" in content
    path.write_bytes(content.replace(b"fence_lab", b"fence_lob", 1))


def other_program(path: Path) -> None:
    """Somebody else's database, good in itself."""
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE invoices (amount INTEGER)")
    database.close()


def of_the_future(path: Path) -> None:
    """Written by a version that is to come."""
    content = bytearray(path.read_bytes())
    content[FORMAT_AT:FORMAT_AT + 4] = (99).to_bytes(4, "big")
    path.write_bytes(content)


@pytest.fixture
def store(cluster: Cluster) -> Path:
    """The ledger of n3, whose agent has ended; afterwards it is as it was."""
    node = cluster.node("n3")
    node.agent("stop")
    path = node.folder / "lib/domus/ledger.db"
    fold(path)
    saved = path.read_bytes()
    yield path
    for leftover in path.parent.glob("ledger.db*"):
        leftover.unlink()
    path.write_bytes(saved)


@pytest.mark.parametrize("make, words", [
    (damage, "damaged"), (lambda path: path.write_text("hello\n"), "damaged"),
    (other_program, "another program"), (of_the_future, "newer Domus")],
    ids=["damaged", "text", "foreign", "future"])
def test_a_bad_database_is_refused(cluster: Cluster, store: Path, make: Callable[[Path], None], words: str) -> None:
    """The agent ends with one line that says what is wrong and what to do, and does not touch the file."""
    make(store)
    before = store.read_bytes()
    error = start_refused(cluster.node("n3"))
    assert words in error and "left untouched; " in error
    assert store.read_bytes() == before
    assert cluster.status(cluster.node("n1"))["current"]


def test_a_store_that_was_set_back_has_no_vote(cluster: Cluster) -> None:
    """An old copy of a ledger is noticed: its node says so, and has no vote until it is told to join."""
    node = cluster.node("n3")
    path = node.folder / "lib/domus/ledger.db"
    node.agent("stop")
    fold(path)
    old = path.read_bytes()
    node.agent("start")
    cluster.settle()
    cluster.ask("volume", "create", "since", "64K")
    cluster.settle()
    node.agent("stop")
    fold(path)
    path.write_bytes(old)
    node.agent("start")
    wait_for(lambda: cluster.status(node).get("role") == "learner", 20, "the old store was not noticed")
    refused = refusal(lambda: domus(node, "volume", "create", "other", "64K"))
    assert (refused.status, "was set back" in refused.text) == (NOT_QUORATE, True)
    assert any("has lost entries" in alarm for alarm in cluster.status(cluster.node("n1"))["alarms"])
    domus(node, "cluster", "join")
    assert cluster.status(node)["role"] == "voter"
    cluster.settle()
    assert "since" in node.exec("domus", "volume", "list").stdout
    cluster.ask("volume", "delete", "since")


@pytest.fixture
def small_disk(cluster: Cluster) -> Iterator[Node]:
    """n3 with its ledger on a disk of 2 MiB of its own; afterwards the ledger is where it was, as it is then."""
    node = cluster.node("n3")
    node.agent("stop")
    node.shell("mkdir -p /run/disk && mount -n -t tmpfs -o size=2m lab /run/disk && cp -a /var/lib/domus/. /run/disk\n"
               "mount -n --move /run/disk /var/lib/domus")
    node.agent("start")
    cluster.settle()
    yield node
    node.agent("stop")
    node.shell("mkdir -p /run/disk && mount -n --move /var/lib/domus /run/disk && rm -f /run/disk/filler\n"
               "cp -a /run/disk/. /var/lib/domus && umount -n /run/disk && rmdir /run/disk")
    node.agent("start")


def test_a_full_ledger_disk(cluster: Cluster, small_disk: Node) -> None:
    """The node says what to do, the others say that it is silent, and go on; with room and a new start it is back."""
    one = cluster.node("n1")
    small_disk.exec("dd", "if=/dev/zero", "of=/var/lib/domus/filler", "bs=4k", check=False)

    def is_told() -> bool:
        """One more change to be written, until there is no room for it."""
        cluster.ask("volume", "create", "v", "64K")
        cluster.ask("volume", "delete", "v")
        return any(alarm.startswith("n3 is silent: ") for alarm in cluster.status(one)["alarms"])

    wait_for(is_told, 60, "nobody notices that n3 writes no more")
    [alarm] = cluster.status(small_disk)["alarms"]
    assert "no space left on its disk; make room, then restart the agent" in alarm
    assert (cluster.node_state("n3")["state"], cluster.node_state("n3")["silent"]) == ("online", True)
    assert cluster.status(one)["current"]
    small_disk.exec("rm", "/var/lib/domus/filler")
    small_disk.agent("restart")
    cluster.settle()
    wait_for(lambda: cluster.status(one)["alarms"] == [], 20, "the alarm does not end")


def test_a_fence_agent_that_is_not_there(cluster: Cluster) -> None:
    """It is refused by name when it is set, and the device that was set before stays."""
    refused = refusal(lambda: cluster.ask("fence", "set", "n1", "fence_nosuch", "ip=10.0.0.1"))
    assert (refused.status, "fence_nosuch: no such fence agent; install" in refused.text) == (REFUSED, True)
    assert cluster.node_state("n1")["fence_agent"] == "fence_lab"
    assert not [alarm for alarm in cluster.settle()["alarms"] if "cannot fence" in alarm]


def test_a_mistyped_pool(cluster: Cluster) -> None:
    """A folder that is not there is refused; when one goes later, its volumes and the pool can be deleted."""
    folder = cluster.lab.folder / "srv"
    refused = refusal(lambda: cluster.ask("pool", "create", "typo", "/srv/typo"))
    assert (refused.status, "the folder is not there: create it" in refused.text) == (REFUSED, True)
    (folder / "typo").mkdir()
    cluster.ask("pool", "create", "typo", "/srv/typo")
    (folder / "typo").rmdir()
    assert "the folder is not there" in refusal(lambda: cluster.ask("volume", "create", "typo/v", "64K")).text
    full = refusal(lambda: cluster.ask("pool", "delete", "typo"))
    assert (full.status, "volume typo/v is in it" in full.text) == (REFUSED, True)
    cluster.ask("volume", "delete", "typo/v")
    cluster.ask("pool", "delete", "typo")
    assert [pool["name"] for pool in cluster.ask("pool", "list")] == ["default"]
    (folder / "right").mkdir()
    cluster.ask("pool", "create", "typo", "/srv/right")
    cluster.ask("volume", "create", "typo/v", "64K")
    assert (folder / "right/v.raw").exists()
    cluster.ask("volume", "delete", "typo/v")
    cluster.ask("pool", "delete", "typo")


def test_malformed_messages_do_no_harm(cluster: Cluster) -> None:
    """Garbage on the socket, nonsense in good messages, headers that lie: others are served all the while."""
    node = cluster.node("n2")
    pid = node.daemon_pid("agent")
    said = {kind: json.loads(node.exec(PYTHON, str(SOURCE / "bad_client.py"), kind).stdout)
            for kind in ("raw", "text", "header")}
    assert said["text"] == ["bad-request"] * (len(said["text"]) - 1) + ["good"]
    assert node.daemon_pid("agent") == pid
    before = cluster.settle()["applied"]
    domus(node, "volume", "create", "after-all", "64K")
    domus(node, "volume", "delete", "after-all")
    assert cluster.settle()["applied"] > before


@pytest.mark.parametrize("how", ["at once", "after it was missed"])
def test_corosync_restarts_on_a_node_without_guests(cluster: Cluster, how: str) -> None:
    """The agent says why it knows nothing new, connects again by itself, and its node is not fenced."""
    cluster.run("web1", on="n1")
    node, mark = cluster.node("n3"), cluster.mark()
    pid, life = node.daemon_pid("agent"), cluster.node_state("n3")["incarnation"]
    node.corosync("kill")
    if how != "at once":
        cluster.wait_event("n3: lost", mark)
        refused = refusal(lambda: domus(node, "guest", "stop", "web1"))
        assert (refused.status, "see that it runs" in refused.text) == (NOT_QUORATE, True)
    node.corosync("start")
    wait_for(lambda: cluster.status(node).get("current"), 20, "n3 does not come back")
    cluster.settle()
    assert (node.daemon_pid("agent"), cluster.node_state("n3")["incarnation"]) == (pid, life)
    assert not [event for event in cluster.events(mark) if "fenced" in event or event.startswith("web1")]
    assert cluster.guest("web1")["node"] == "n1"


def holdings(cluster: Cluster) -> dict:
    """What the cluster holds of itself, but for what changes as guests and nodes come and go."""
    status = cluster.settle()
    guests = [cluster.guest(guest["name"]) for guest in status["guests"]]
    parts = {"guests": (guests, ("name", "uuid", "desired", "spec")),
             "volumes": (cluster.ask("volume", "list"), ("pool", "name", "size", "state", "reason", "guest")),
             "nodes": (cluster.ask("node", "list"), ("id", "name", "fence_agent", "drain", "cpus", "memory_mib"))}
    held = {name: [{key: row[key] for key in keys} for row in rows] for name, (rows, keys) in parts.items()}
    fences = cluster.ask("fence", "list")
    assert fences and str(cluster.lab.folder) not in json.dumps(fences), "what parameters hold may be secret"
    return {**held, "fences": fences, "pools": cluster.ask("pool", "list"), "voters": status["voters"],
            "cluster": status["cluster"]}


def fencing(cluster: Cluster, mark: int) -> list[str]:
    """The events of nodes that were fenced, tried or done."""
    return [event for event in cluster.events(mark) if "being fenced" in event or ": proven off" in event]


class Ledger(NamedTuple):
    """A node's ledger: whose it is, and its entries by index."""
    store: bytes
    cluster: bytes
    entries: dict[int, tuple]


def ledgers(cluster: Cluster, folder: Path) -> dict[str, Ledger]:
    """The ledgers of all nodes as their disks have them; copies are read, since an agent lets nobody else in."""
    found = {}
    for node in cluster.lab.nodes:
        copy = folder / node.name
        copy.mkdir(parents=True)
        for path in (node.folder / "lib/domus").glob("ledger.db*"):
            shutil.copy(path, copy)
        with contextlib.closing(sqlite3.connect(copy / "ledger.db")) as database:
            [(store, owner)] = database.execute("SELECT id, cluster FROM store")
            rows = database.execute("SELECT idx, term, kind, node, stamp_us, data FROM entry ORDER BY idx")
            found[node.name] = Ledger(store, owner, {row[0]: row[1:] for row in rows})
    return found


class Memory:
    """What a cluster knew when all was well, to be compared with what it knows afterwards."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.held = holdings(cluster)
        self.status = cluster.settle()
        self.lives = self.incarnations()
        self.mark = cluster.mark()

    def incarnations(self) -> dict[str, str]:
        """The lives of all nodes."""
        return {node["name"]: node["incarnation"] for node in self.cluster.settle()["nodes"]}

    def all_is_off(self) -> None:
        """Reads what the disks have while nobody writes to them."""
        self.disks = ledgers(self.cluster, self.folder / "before")
        assert len({ledger.cluster for ledger in self.disks.values()}) == 1
        assert len({ledger.store for ledger in self.disks.values()}) == 3

    def is_kept(self) -> None:
        """All that was held is held again, the ledgers are the same ones and have every entry that was committed."""
        assert holdings(self.cluster) == self.held
        after = self.cluster.settle()
        assert after["applied"] > self.status["applied"]
        for name, now in ledgers(self.cluster, self.folder / "after").items():
            then = self.disks[name]
            assert (now.store, now.cluster) == (then.store, then.cluster), name
            for index in range(1, self.status["committed"] + 1):
                assert now.entries[index] == then.entries[index], (name, index)
        assert fencing(self.cluster, self.mark) == []


def test_all_nodes_lose_power(cluster: Cluster, tmp_path: Path) -> None:
    """What was known is known again; the guest runs again, with every count that was acknowledged; nobody is fenced."""
    boot = cluster.run("web1").boot
    cluster.define("idle")
    memory, client = Memory(cluster, tmp_path), cluster.client("web1")
    client.wait_for_page()
    for node in cluster.lab.nodes:
        node.crash()
    memory.all_is_off()
    told = max(fetch.count for fetch in client.stop())
    assert read_counter(cluster.disk("web1")) >= told > 0
    for node in cluster.lab.nodes:
        cluster.lab.boot(node.name)
    assert cluster.page("web1", other_than=boot).count >= told
    cluster.wait_guest("web1", state="running")
    memory.is_kept()
    assert not memory.lives.items() & memory.incarnations().items()


def test_all_nodes_are_stopped_in_order(cluster: Cluster, tmp_path: Path) -> None:
    """All agents, then all corosyncs, end when they are told to. Guests go on meanwhile, and are adopted afterwards."""
    page = cluster.run("web1", on="n2")
    cluster.define("idle")
    memory, client, processes = Memory(cluster, tmp_path), cluster.client("web1"), cluster.processes("web1")
    for daemon in ("agent", "corosync"):
        for node in cluster.lab.nodes:
            assert node.daemon_pid(daemon) and node.daemon(daemon, "stop") == 0
    memory.all_is_off()
    client.wait_for_page(since=time.monotonic())
    for daemon in ("corosync", "agent"):
        for node in cluster.lab.nodes:
            node.daemon(daemon, "start")
    memory.is_kept()
    assert (cluster.page("web1").boot, cluster.processes("web1")) == (page.boot, processes)
    assert memory.incarnations() == memory.lives
    assert lost_acknowledged(client.stop()) == 0
    cluster.ask("guest", "pause", "web1")
    cluster.ask("guest", "resume", "web1")


def test_a_node_that_is_late_when_all_come_up(cluster: Cluster) -> None:
    """Two of three are a majority, but they wait for the third: its new life is a proof, and its guest runs again."""
    before = cluster.run("web1", on="n3")
    client, mark = cluster.client("web1"), cluster.mark()
    client.wait_for_page()
    for node in cluster.lab.nodes:
        node.crash()
    told = max(fetch.count for fetch in client.stop())
    for name in ("n1", "n2"):
        cluster.lab.boot(name)
    events = cluster.wait_event("n3: is not here yet, as the whole cluster comes up", mark)
    keeps(lambda: not fencing(cluster, mark) and cluster.guest("web1")["state"] == "lost" and
          not cluster.processes("web1"), f"n3 is not waited for: {events}", LATE_S)
    cluster.lab.boot("n3")
    assert cluster.page("web1", other_than=before.boot).count >= told
    cluster.wait_guest("web1", state="running")
    cluster.settle()
    assert fencing(cluster, mark) == []
    assert cluster.node_state("n3")["proof"]["kind"] == "restarted"


def test_the_leader_crashes(cluster: Cluster) -> None:
    """Another node leads within seconds, and an order that was given in between is carried out once."""
    cluster.run("web1", on="n3")
    leader, mark = cluster.leader(), cluster.mark()
    assert leader != "n3"
    other = cluster.others(leader)[0]
    cluster.node(leader).crash()
    crashed = time.monotonic()
    domus(other, "volume", "create", "meanwhile", "64K", timeout=60)
    took = time.monotonic() - crashed
    print(f"order taken {took:.2f} s after the crash of the leader")
    assert took < ORDER_S
    assert cluster.leader() in {node.name for node in cluster.others(leader)}
    assert [event for event in cluster.events(mark) if "default/meanwhile" in event] == \
        ["meanwhile: volume default/meanwhile creating", "meanwhile: volume default/meanwhile ready"]
    assert cluster.guest("web1")["state"] == "running"
    cluster.ask("volume", "delete", "meanwhile")


def test_a_minority_refuses_orders(cluster: Cluster) -> None:
    """It says that it is one, shows what it knew, takes no order; healed it knows what the others did meanwhile."""
    page = cluster.run("web1", on="n1")
    node = cluster.node("n3")
    cluster.lab.isolate("n3")
    wait_for(lambda: not cluster.status(node)["current"], 20, "n3 does not notice that it is alone")
    knew = cluster.status(node)["applied"]
    for order in (("guest", "start", "web1"), ("guest", "stop", "web1", "--now"), ("volume", "create", "v", "1M"),
                  ("node", "fence", "n1", "--yes"), ("node", "confirm-off", "n1", "--yes")):
        refused = refusal(lambda: domus(node, *order))
        assert refused.status == NOT_QUORATE
        assert "cannot reach the majority: 2 of 3 votes needed, 1 here" in refused.text
    text = node.exec("domus", "status").stdout
    assert text.startswith("n3: this node cannot reach the majority") and "not quorate" in text
    shown = answer(node, "guest", "show", "web1")
    assert (shown["result"]["state"], shown["current"], shown["index"]) == ("running", False, knew)
    cluster.wait_node("n3", "lost")
    cluster.ask("volume", "create", "majority", "64K")
    assert cluster.status(node)["applied"] == knew
    cluster.lab.heal()
    cluster.settle()
    assert "majority" in node.exec("domus", "volume", "list").stdout
    assert cluster.page("web1").boot == page.boot
    cluster.ask("volume", "delete", "majority")


def test_an_order_is_not_waited_for_without_the_majority(cluster: Cluster) -> None:
    """A node that is cut off while a start is waited for says that it cannot know; the others start the guest, once."""
    cluster.define("web1")
    cluster.ask("guest", "stop", "web1", "--now")
    asked, target = cluster.others(cluster.leader())
    mark, agent = cluster.mark(), target.daemon_pid("agent")
    os.kill(agent, signal.SIGSTOP)
    waiting = subprocess.Popen(asked.command("domus", "guest", "start", "web1", "--on", target.name), text=True,
                               env=asked.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    wait_for(lambda: domus(asked, "guest", "show", "web1")["state"] == "starting", 20, "it is not being started", 0.05)
    cluster.lab.isolate(asked.name)
    os.kill(agent, signal.SIGCONT)
    said, errors = waiting.communicate(timeout=60)
    assert (waiting.returncode, said) == (UNKNOWN, "")
    assert [any(words in line for words in ("not current: ", "outcome not known: this node has lost the majority"))
            for line in errors.splitlines()] == [True, True], errors
    cluster.wait_guest("web1", state="running", node=target.name)
    cluster.lab.heal()
    cluster.settle()
    assert [len(pids) for pids in cluster.processes("web1").values()] == [1]
    assert len([event for event in cluster.events(mark) if event.startswith("web1: starting")]) == 1
