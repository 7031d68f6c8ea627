# SPDX-License-Identifier: Apache-2.0
"""A guest's life on a cluster that is well: orders, ends of its own, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from clusterkit import REFUSED, Cluster, refusal
from labkit import (DomusFailed, Fetch, domus, get_page, guest_address, guest_spec, lost_acknowledged,
                    read_counter, wait_for)

FAILED, USAGE, MISSING = 1, 2, 3    # exit codes of domus, as its manual lists them
ENDS_S = 10                         # in which a guest has gone that was told to, far below its stop timeout of 60 s
# Tests end one guest again and again, so what has failed is forgotten at once.
FORGIVING = {"restart_max": 30, "restart_window_s": 1, "vnc": True}


def ready(cluster: Cluster, name: str = "web1", on: str | None = None, **wishes: object) -> Fetch:
    """A guest that runs, defined as wished; its first page."""
    wanted = {**FORGIVING, **wishes}
    cluster.define(name, **wanted)
    spec = cluster.guest(name)["spec"]
    if any(spec[key] != value for key, value in {**AS_BORN, **wanted}.items()):
        cluster.ask("guest", "stop", name, "--now")
        redefine(cluster, name, **wanted)
    return cluster.run(name, on)


AS_BORN = {"on_poweroff": "stop", "on_reboot": "restart", "on_crash": "restart"}


def redefine(cluster: Cluster, name: str, **wishes: object) -> dict:
    """Defines a guest anew."""
    number = cluster.numbers[name]
    return cluster.ask("guest", "define", "-", stdin=json.dumps(guest_spec(cluster.lab, name, number, **wishes)))


def ended(cluster: Cluster, name: str = "web1") -> dict:
    """Waits until a guest is stopped, and wanted so; there must be nothing left of it on any node."""
    guest = cluster.wait_guest(name, ENDS_S, state="stopped", desired="stopped")
    assert (guest["node"], guest["operation"]) == (None, 0)
    assert cluster.processes(name) == {}
    wait_for(lambda: left_files(cluster, guest["uuid"]) == [], ENDS_S, "files of the guest are left")
    assert {volume["access"] for volume in guest["volumes"]} <= {"not in use"}
    return guest


def left_files(cluster: Cluster, uuid: str) -> list[Path]:
    """What stands in the nodes' run folders for a guest."""
    return [path for node in cluster.lab.nodes for path in run_folder(node.life.pid).glob(f"{uuid}*")]


def run_folder(pid: int) -> Path:
    """The folder of guests' sockets, as the process @pid sees it."""
    return Path(f"/proc/{pid}/root/run/domus/guests")


def press(cluster: Cluster, page: str, name: str = "web1") -> None:
    """Asks a guest to end in some way. It may be too quick to say yes."""
    get_page(cluster.lab, guest_address(cluster.numbers[name]), page, limit_ms=1000)


def starts(cluster: Cluster, mark: int, name: str = "web1") -> list[str]:
    """The times that a guest was started since a mark."""
    return [event for event in cluster.events(mark) if event.startswith(f"{name}: starting")]


# ---- orders ----


def test_define_never_starts(cluster: Cluster) -> None:
    """A guest that is defined, also anew, stays stopped until somebody says start; undefine keeps its volume."""
    mark = cluster.mark()
    cluster.define("web9")
    redefine(cluster, "web9", memory_mib=160)
    guest = cluster.guest("web9")
    assert (guest["state"], guest["desired"], guest["memory_mib"]) == ("stopped", "stopped", 160)
    cluster.settle()
    assert starts(cluster, mark, "web9") == [] and cluster.processes("web9") == {}
    cluster.ask("guest", "undefine", "web9")
    assert refusal(lambda: cluster.guest("web9")).status == MISSING
    assert cluster.disk("web9").exists()
    cluster.ask("volume", "delete", "web9")
    assert not cluster.disk("web9").exists()
    del cluster.numbers["web9"]


def test_start_and_stop(cluster: Cluster) -> None:
    """It serves, tells only counts that are on its disk, powers itself off when asked, and goes on counting later."""
    first = ready(cluster, on="n2")
    [pid] = cluster.processes()["n2"]
    cluster.ask("guest", "start", "web1")
    assert cluster.processes() == {"n2": [pid]}
    assert cluster.guest()["volumes"][0]["access"] == "private"
    told = cluster.page(page="/count").count
    assert read_counter(cluster.disk()) >= told == first.count + 1
    mark = cluster.mark()
    cluster.ask("guest", "stop", "web1")
    ended(cluster)
    assert any("web1: stopped" in event for event in cluster.events(mark))
    cluster.ask("guest", "stop", "web1")
    again = cluster.run("web1", on="n3")
    assert again.boot != first.boot and again.count == told
    domus(cluster.node("n1"), "guest", "shutdown", "web1")
    ended(cluster)


def test_stop_now(cluster: Cluster) -> None:
    """Ended at once, as by pulling its cord, every count that was told is on its disk."""
    ready(cluster)
    client = cluster.client()
    client.wait_for_page()
    cluster.ask("guest", "stop", "web1", "--now")
    fetches = client.stop()
    ended(cluster)
    assert lost_acknowledged(fetches) == 0
    assert read_counter(cluster.disk()) >= max(fetch.count for fetch in fetches)


def test_a_guest_that_does_not_listen_is_ended(cluster: Cluster) -> None:
    """One that does nothing when asked to power off, here since its process stands, is ended when its time is over."""
    ready(cluster, stop_timeout_s=1)
    [(_, [pid])] = cluster.processes().items()
    os.kill(pid, signal.SIGSTOP)
    cluster.ask("guest", "stop", "web1")
    ended(cluster)


def test_pause_and_resume(cluster: Cluster) -> None:
    """It stands still where it is, says so, refuses to be moved, and goes on as if nothing had been."""
    before = ready(cluster)
    client = cluster.client()
    client.wait_for_page()
    cluster.ask("guest", "pause", "web1")
    assert (cluster.guest()["state"], cluster.guest()["desired"]) == ("paused", "paused")
    assert get_page(cluster.lab, guest_address(1), limit_ms=300).error
    assert refusal(lambda: cluster.ask("guest", "migrate", "web1")).status == REFUSED
    cluster.ask("guest", "pause", "web1")
    cluster.ask("guest", "resume", "web1")
    assert cluster.page().boot == before.boot
    assert {fetch.boot for fetch in client.stop() if fetch.good} == {before.boot}
    cluster.ask("guest", "pause", "web1")
    cluster.ask("guest", "stop", "web1", "--now")
    ended(cluster)


def test_console(cluster: Cluster) -> None:
    """On its node it shows what the guest writes; elsewhere it names the node; of a stopped guest there is none."""
    before = ready(cluster, on="n2")
    elsewhere = refusal(lambda: person(cluster, "n1", "guest", "console", "web1"))
    assert (elsewhere.status, "n2" in elsewhere.text) == (REFUSED, True)
    node, out = cluster.node("n2"), cluster.lab.folder / "console.out"
    with open(out, "w") as file:
        console = subprocess.Popen(node.command("domus", "guest", "console", "web1"), env=node.environment(),
                                   stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        press(cluster, "/reboot")
        after = cluster.page(other_than=before.boot)
        wait_for(lambda: f"guest up boot={after.boot}" in out.read_text(errors="replace"), 5,
                 "the console shows nothing")
        assert console.poll() is None
        cluster.ask("guest", "stop", "web1", "--now")
        console.wait(5)
    finally:
        console.kill()
        console.wait()
    assert refusal(lambda: person(cluster, "n2", "guest", "console", "web1")).status == REFUSED


def person(cluster: Cluster, node: str, *arguments: str) -> str:
    """Runs domus as a person does; returns what it prints."""
    done = cluster.node(node).exec("domus", *arguments, check=False)
    if done.returncode:
        raise DomusFailed(cluster.node(node), arguments, done.returncode, done.stderr.strip())
    return done.stdout


def test_vnc(cluster: Cluster) -> None:
    """Its screen is on a socket of its node."""
    ready(cluster, on="n3")
    domain = domus(cluster.node("n3"), "guest", "show", "web1")["domain"]
    with socket.socket(socket.AF_UNIX) as screen:
        screen.settimeout(5)
        screen.connect(f"/proc/{domain['pid']}/root{domain['vnc']}")
        assert screen.recv(12) == b"RFB 003.008\n"


# ---- ends of its own ----


def test_powers_itself_off(cluster: Cluster) -> None:
    """Whoever powers off wants to be off: stopped, and not started again."""
    ready(cluster)
    mark = cluster.mark()
    press(cluster, "/poweroff")
    ended(cluster)
    assert any("powered itself off" in event for event in cluster.events(mark))
    cluster.settle()
    assert starts(cluster, mark) == []


def test_reboots(cluster: Cluster) -> None:
    """A reboot is the guest's own business: same process, new boot, and no failure."""
    before = ready(cluster)
    processes, mark = cluster.processes(), cluster.mark()
    press(cluster, "/reboot")
    assert cluster.page(other_than=before.boot).count >= before.count
    assert cluster.processes() == processes
    assert starts(cluster, mark) == [] and cluster.guest()["state"] == "running"


def test_its_kernel_panics(cluster: Cluster) -> None:
    """It is started anew, says why, and its counts are kept."""
    before = ready(cluster)
    told, mark = cluster.page(page="/count").count, cluster.mark()
    press(cluster, "/crash")
    assert cluster.page(other_than=before.boot).count >= told
    cluster.wait_guest(state="running", desired="running")
    assert any("crashed" in event and "panic" in event for event in cluster.events(mark))
    assert len(starts(cluster, mark)) == 1


def test_its_process_is_killed(cluster: Cluster) -> None:
    """QEMU is gone without a word: noticed at once, started anew, counts kept."""
    before = ready(cluster)
    client = cluster.client()
    client.wait_for_page()
    [(_, [pid])] = cluster.processes().items()
    mark = cluster.mark()
    os.kill(pid, signal.SIGKILL)
    assert len(wait_for(lambda: starts(cluster, mark), 2, "nobody notices")) == 1
    told = max(fetch.count for fetch in client.stop())
    assert cluster.page(other_than=before.boot).count >= told
    cluster.wait_guest(state="running", desired="running")


@pytest.mark.parametrize("end", ["poweroff", "reboot", "crash"])
def test_its_definition_says_what_follows(cluster: Cluster, end: str) -> None:
    """Each end can be given the other consequence than the usual one."""
    usual = AS_BORN[f"on_{end}"]
    before = ready(cluster, **{f"on_{end}": "stop" if usual == "restart" else "restart"})
    press(cluster, f"/{end}")
    if usual == "restart":
        ended(cluster)
    else:
        assert cluster.page(other_than=before.boot).count >= before.count
        cluster.wait_guest(state="running")


def test_failing_too_often_in_one_place(cluster: Cluster) -> None:
    """After so many restarts on a node it is tried on another, and on the last it is given up; start tries anew."""
    before = ready(cluster, on="n1", restart_max=0, restart_window_s=600)
    seen = ["n1"]
    for _ in range(2):
        [(_, [pid])] = cluster.processes().items()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: cluster.guest()["node"] not in (None, *seen) and cluster.guest()["state"] == "running", 10,
                 f"it is not tried elsewhere than on {seen}")
        seen.append(cluster.guest()["node"])
    [(_, [pid])] = cluster.processes().items()
    os.kill(pid, signal.SIGKILL)
    held = cluster.wait_guest(state="held")
    assert "given up" in held["reason"] and cluster.processes() == {}
    cluster.ask("guest", "start", "web1")
    assert cluster.page(other_than=before.boot).count >= before.count


# ---- what is refused ----

SPECS = {
    "unknown key": ({"memroy_mib": 128}, USAGE, "memroy_mib"),
    "text for a number": ({"memory_mib": "128"}, USAGE, "memory_mib"),
    "number for a text": ({"name": 7}, USAGE, "name"),
    "no processor": ({"vcpus": 0}, USAGE, "vcpus"),
    "less than nothing": ({"memory_mib": -1}, USAGE, "memory_mib"),
    "name that is a path": ({"name": "../bad"}, USAGE, "name"),
    "line end": ({"cmdline": "a\nb"}, USAGE, "cmdline"),
    "relative path": ({"kernel": "vmlinux"}, USAGE, "kernel"),
    "unknown key of a disk": ({"disks": [{"volume": "v", "size": 1}]}, USAGE, "size"),
    "volume twice": ({"disks": [{"volume": "web1"}, {"volume": "web1"}]}, USAGE, "web1"),
    "no such volume": ({"disks": [{"volume": "nosuch"}]}, MISSING, "nosuch"),
    "no such pool": ({"disks": [{"pool": "nopool", "volume": "web1"}]}, MISSING, "nopool"),
    "another's volume": ({"disks": [{"volume": "web1"}]}, REFUSED, "web1"),
    "too long": ({"cmdline": "x" * 70000}, USAGE, "too long"),
}


def holdings(cluster: Cluster) -> object:
    """All that the cluster holds of guests and volumes, but for what happens by itself."""
    guests = [{key: guest[key] for key in ("name", "state", "desired", "node", "memory_mib")}
              for guest in cluster.ask("guest", "list")]
    return guests, cluster.ask("volume", "list"), cluster.ask("pool", "list")


@pytest.fixture
def bystander(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster with a guest that runs; whatever is refused must not change anything about it."""
    before = ready(cluster)
    held = holdings(cluster)
    yield cluster
    assert holdings(cluster) == held
    assert cluster.page().boot == before.boot


def test_bad_specifications(bystander: Cluster) -> None:
    """Each is refused with its exit code and one line that names what is wrong, and leaves nothing."""
    cluster = bystander
    for what, (wrong, status, word) in SPECS.items():
        spec = {**guest_spec(cluster.lab, "bad", 8), "disks": [], **wrong}
        said = refusal(lambda: cluster.ask("guest", "define", "-", stdin=json.dumps(spec)))
        assert (said.status, word in said.text) == (status, True), (what, said)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": "bad"}', '{"name": "bad", "name": "bad"}',
                                  "{" * 5000, "\x00"],
                         ids=["nothing", "half", "array", "null", "no memory", "key twice", "deep", "no text"])
def test_no_specification(cluster: Cluster, text: str) -> None:
    """What is no specification is wrong usage."""
    assert refusal(lambda: cluster.ask("guest", "define", "-", stdin=text)).status == USAGE


def test_duplicates(bystander: Cluster) -> None:
    """Names and uuids are given once; what is in use is neither changed nor taken away."""
    cluster = bystander
    uuid = cluster.guest()["uuid"]
    twin = json.dumps({**guest_spec(cluster.lab, "bad", 8), "disks": [], "uuid": uuid})
    other = json.dumps({**guest_spec(cluster.lab, "web1", 1), "uuid": "0b4c5a52-7f0f-4c5e-9a55-00000000000f"})
    orders = {
        "uuid of another": (("guest", "define", "-"), twin, REFUSED),
        "name with another uuid": (("guest", "define", "-"), other, REFUSED),
        "defined while it runs": (("guest", "define", "-"), json.dumps(guest_spec(cluster.lab, "web1", 1)), REFUSED),
        "undefined while it runs": (("guest", "undefine", "web1"), None, REFUSED),
        "volume again": (("volume", "create", "web1", "1M"), None, REFUSED),
        "volume in use": (("volume", "delete", "web1"), None, REFUSED),
        "pool again": (("pool", "create", "default", "/srv/other"), None, REFUSED),
    }
    for what, (order, stdin, status) in orders.items():
        said = refusal(lambda: cluster.ask(*order, stdin=stdin))
        assert said.status == status, (what, said)


def test_orders_that_make_no_sense(bystander: Cluster) -> None:
    """Who or what is not there is exit code 3; what cannot be in this state 4; what nobody can read 2."""
    cluster = bystander
    cluster.ask("volume", "create", "spare", "1M")
    idle = json.dumps({**guest_spec(cluster.lab, "idle", 8), "disks": [{"volume": "spare"}]})
    cluster.ask("guest", "define", "-", stdin=idle)
    orders = {
        MISSING: ["guest start nosuch", "guest stop nosuch", "guest pause nosuch", "guest resume nosuch",
                  "guest migrate nosuch", "guest undefine nosuch", "guest show nosuch", "guest console nosuch",
                  "why nosuch", "guest start idle --on n9", "volume delete nosuch", "volume create nopool/v 1M",
                  "node show n9"],
        REFUSED: ["guest pause idle", "guest resume idle", "guest migrate idle", "guest migrate idle n2",
                  "guest console idle"],
        USAGE: ["volume create v 1X", "volume create v -1", "volume create v 1000", "volume create v",
                "pool create other srv", "guest start", "guest frobnicate idle", "guest start idle --frobnicate"],
    }
    for status, lines in orders.items():
        for line in lines:
            said = refusal(lambda: cluster.ask(*line.split()))
            assert said.status == status, (line, said)
    cluster.ask("guest", "undefine", "idle")
    cluster.ask("volume", "delete", "spare")


def does_not_start(cluster: Cluster, name: str, *words: str) -> str:
    """A start that has to fail, with all of @words in its one line, leaving no process; then the guest is undefined."""
    said = refusal(lambda: cluster.ask("guest", "start", name, timeout=60))
    assert said.status == REFUSED and all(word in said.text for word in words), said
    guest = cluster.guest(name)
    assert guest["state"] in ("stopped", "held") and guest["operation"] == 0
    assert cluster.processes(name) == {}
    wait_for(lambda: left_files(cluster, guest["uuid"]) == [], ENDS_S, "files of the guest are left")
    return said.text


@pytest.mark.parametrize("wrong, words", [
    ({"memory_mib": 8 * 1024 * 1024}, ("fits on no node", "needed")),
    ({"kernel": "/srv/nosuch"}, ("/srv/nosuch",)),
    ({"initrd": "/srv/nosuch"}, ("/srv/nosuch",)),
    ({"kernel": "/etc/hostname"}, ("the start on",)),
    ({"nics": [{"bridge": "br9"}]}, ("br9",)),
    ({"cpu": "nosuch"}, ("nosuch",)),
], ids=["memory", "kernel", "initrd", "no kernel", "bridge", "cpu"])
def test_a_guest_that_cannot_start(cluster: Cluster, wrong: dict, words: tuple[str, ...]) -> None:
    """The order fails in one line that names the cause; once it is put right the same guest starts."""
    cluster.define("web2", **FORGIVING)
    cluster.ask("guest", "stop", "web2", "--now")
    redefine(cluster, "web2", **wrong)
    does_not_start(cluster, "web2", *words)
    redefine(cluster, "web2", **FORGIVING)
    cluster.run("web2")
    cluster.ask("guest", "stop", "web2", "--now")
    ended(cluster, "web2")


def test_its_image_is_missing(cluster: Cluster) -> None:
    """A volume whose file somebody took away fails the start, and is not made anew and empty."""
    ready(cluster)
    cluster.ask("guest", "stop", "web1", "--now")
    disk = cluster.disk()
    aside = disk.with_name("aside")
    disk.rename(aside)
    try:
        does_not_start(cluster, "web1", "web1")
        assert not disk.exists()
    finally:
        aside.rename(disk)
    cluster.run("web1")


@pytest.fixture
def small_pool(cluster: Cluster) -> Iterator[Cluster]:
    """A pool `small` on a disk of 256 KiB in each node."""
    for node in cluster.lab.nodes:
        node.shell("mkdir -p /run/small && mount -n -t tmpfs -o size=256k lab /run/small")
    if "small" not in {pool["name"] for pool in cluster.ask("pool", "list")}:
        cluster.ask("pool", "create", "small", "/run/small")
    yield cluster
    for node in cluster.lab.nodes:
        node.shell("umount -n /run/small")


@pytest.mark.parametrize("size", ["1M", "1000T"], ids=["too big", "absurd"])
def test_a_full_disk(small_pool: Cluster, size: str) -> None:
    """A volume that there is no room for leaves no file and serves no guest; it stands as failed, with the reason."""
    cluster = small_pool
    said = refusal(lambda: cluster.ask("volume", "create", "small/big", size))
    assert said.status in (FAILED, REFUSED) and ("space" in said.text or "large" in said.text), said
    [volume] = [volume for volume in cluster.ask("volume", "list") if volume["name"] == "big"]
    assert volume["state"] == "failed"
    left = [path.name for node in cluster.lab.nodes for path in Path(f"/proc/{node.life.pid}/root/run/small").iterdir()]
    assert left == []
    spec = json.dumps({**guest_spec(cluster.lab, "bad", 8), "disks": [{"pool": "small", "volume": "big"}]})
    assert refusal(lambda: cluster.ask("guest", "define", "-", stdin=spec)).status == MISSING
    cluster.ask("volume", "delete", "small/big")
    cluster.ask("volume", "create", "small/big", "128K")
    cluster.ask("volume", "delete", "small/big")
    assert "big" not in {volume["name"] for volume in cluster.ask("volume", "list")}
