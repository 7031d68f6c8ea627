# SPDX-License-Identifier: Apache-2.0
"""The lab itself: what its verbs promise, and that nothing of it remains."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from clusterkit import Cluster
from labcore import SOURCE, Lab, Node
from labkit import PYTHON, LabError, wait_for
from labproc import all_pids, arguments_of, is_zombie, read_life, stat_fields

LAB = str(SOURCE / "lab")
# Refused at once when the other end is reached: nobody listens there.
REACHES = """import errno, socket, sys
s = socket.socket(); s.settimeout(1)
sys.exit(0 if s.connect_ex((sys.argv[1], 9)) == errno.ECONNREFUSED else 1)"""
# A demo or a test run in small: a lab and all that watches it.
WATCH = """import sys
from labkit import Checker, Lab, WebClient
lab = Lab(sys.argv[1])
lab.up(1, agents=False)
watchers = Checker(lab).start(), WebClient(lab, lab.nodes[0].address).start()
print("up", flush=True)
sys.stdin.read()"""


def reaches(lab: Lab, source: str, target: str) -> bool:
    """True when a packet from one node gets an answer from another."""
    address = lab.node(target).address
    return lab.place(source).exec(PYTHON, "-c", REACHES, address, check=False).returncode == 0


def sees(node: Node, quorate: bool, members: int) -> None:
    """Waits until corosync on the node has this view."""
    wait_for(lambda: node.quorum() == (quorate, members), 20,
             f"{node.name} does not see {members} nodes, quorate {quorate}", 0.05)


def fence(lab: Lab, caller: str, action: str, victim: str, timeout: float = 15) -> int:
    """Runs the fence agent on a node as Pacemaker would: the parameters come by standard input."""
    text = f"# a comment\nlab_dir={lab.folder}\nport={victim}\naction={action}\nunknown=1\n"
    return lab.place(caller).exec("fence_lab", stdin=text, check=False, timeout=timeout).returncode


def traces(lab: Lab) -> list[str]:
    """All that is there of a lab: its processes, what they hold open elsewhere, its mounts and links here."""
    found = [f"process {pid} {arguments_of(pid)}" for pid in all_pids()
             if pid != os.getpid() and not is_zombie(pid) and belongs(lab, pid)]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(lab.folder) in line]
    return found


def belongs(lab: Lab, pid: int) -> bool:
    """True for a process of the lab, wherever it is: all of them inherit LAB_DIR or name the folder."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    marks = (f"LAB_DIR={lab.folder}\0".encode(), f"{lab.folder}/")
    return marks[0] in environment or any(marks[1] in argument for argument in arguments_of(pid))


def born_with(mark: str) -> list[int]:
    """The processes that have a word in their environment: it passes from parent to child, wherever that lives."""
    found = []
    for pid in all_pids():
        try:
            if mark.encode() + b"\0" in Path(f"/proc/{pid}/environ").read_bytes() and not is_zombie(pid):
                found.append(pid)
        except OSError:
            continue
    return found


def host_links() -> set[str]:
    """The network interfaces of the host's own namespace."""
    return set(os.listdir("/sys/class/net"))


def test_up_gives_quorate_nodes_that_reach_each_other(bare_lab: Lab) -> None:
    """up returns when corosync is quorate on every node; nodes have their own name, address, /run and state."""
    for node in bare_lab.nodes:
        assert node.quorum() == (True, 3)
        assert node.exec("uname", "-n").stdout.strip() == node.name
        assert node.exec("ls", "/srv").stdout.split() == ["domus"]
        node.exec("touch", f"/run/mark-{node.name}", f"/var/lib/domus/mark-{node.name}", f"/srv/domus/{node.name}")
    assert bare_lab.nodes[0].exec("sh", "-c", "ls -d /run/mark* /var/lib/domus/mark*").stdout.split() == \
        ["/run/mark-n1", "/var/lib/domus/mark-n1"]
    assert bare_lab.nodes[0].exec("ls", "/srv/domus").stdout.split() == ["n1", "n2", "n3"]
    assert all(reaches(bare_lab, source, target) for source in ("n1", "n2", "n3", "switch")
               for target in ("n1", "n2", "n3") if source != target)


def test_isolate_and_heal_are_seen_by_corosync(bare_lab: Lab) -> None:
    """A node whose cable is pulled loses quorum, the others keep it; after heal all are together."""
    one, two, three = bare_lab.nodes
    bare_lab.isolate("n3")
    sees(one, True, 2)
    sees(two, True, 2)
    sees(three, False, 1)
    assert not reaches(bare_lab, "switch", "n3")
    bare_lab.heal()
    for node in bare_lab.nodes:
        sees(node, True, 3)


def test_cut_is_between_two_nodes_only(bare_lab: Lab) -> None:
    """A cut stops what goes between two nodes, one way if asked, and nothing else."""
    bare_lab.cut("n1", "n2")
    assert not reaches(bare_lab, "n1", "n2") and not reaches(bare_lab, "n2", "n1")
    assert reaches(bare_lab, "n1", "n3") and reaches(bare_lab, "n3", "n2") and reaches(bare_lab, "switch", "n1")
    bare_lab.heal()
    assert reaches(bare_lab, "n1", "n2")
    bare_lab.cut("n1", "n2", one_way=True)
    assert bare_lab.cuts == {("n1", "n2")}
    assert not reaches(bare_lab, "n1", "n2")


def test_pause_stops_everything_and_resume_goes_on(bare_lab: Lab) -> None:
    """All processes of a paused node stand still; the others lose it; resumed, it comes back."""
    one, two, three = bare_lab.nodes
    three.start("sleep.out", "sleep", "1000")
    three.pause()
    assert {stat_fields(pid)[0] for pid in three.processes()} == {"T"}
    assert bare_lab.status()["n3"]["power"] == "paused"
    sees(one, True, 2)
    three.resume()
    for node in bare_lab.nodes:
        sees(node, True, 3)


def test_fence_kills_everything_and_leaves_the_node_off(bare_lab: Lab) -> None:
    """off, called inside another node, ends what ignores signals and what has left its session, and stays off."""
    victim = bare_lab.node("n2")
    victim.start("stubborn.out", "sh", "-c", "trap '' TERM INT HUP; setsid sleep 1000 & while :; do sleep 0.01; done")
    victim.exec("touch", "/run/volatile", "/var/lib/domus/durable")
    wait_for(lambda: len(victim.processes()) > 4, 10, "the stubborn processes do not run")
    life = read_life(victim.folder)
    assert fence(bare_lab, "n1", "status", "n2") == 0
    assert fence(bare_lab, "n1", "off", "n2") == 0
    assert not [pid for pid in all_pids() if in_namespace(pid, life.inode)]
    assert fence(bare_lab, "n1", "status", "n2") == 2
    assert fence(bare_lab, "n1", "off", "n2") == 0
    assert not victim.is_on
    sees(bare_lab.node("n1"), True, 2)
    assert fence(bare_lab, "n1", "on", "n2") == 0
    assert fence(bare_lab, "n1", "status", "n2") == 0
    wait_for(lambda: victim.daemon_pid("corosync"), 10, "n2 does not start corosync")
    assert victim.exec("sh", "-c", "ls /run/volatile /var/lib/domus/durable", check=False).stdout.split() == \
        ["/var/lib/domus/durable"]
    for node in bare_lab.nodes:
        sees(node, True, 3)


def in_namespace(pid: int, inode: int) -> bool:
    """True for a process in the network namespace with this inode number."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == f"net:[{inode}]"
    except OSError:
        return False


def test_fence_tells_a_new_life_from_an_old_one(bare_lab: Lab) -> None:
    """A life whose namespace number now means another namespace is over: nobody else is killed."""
    life = read_life(bare_lab.node("n2").folder)
    other = read_life(bare_lab.node("n3").folder)
    bare_lab.node("n2").crash()
    (bare_lab.node("n2").folder / "life").write_text(f"{life.pid} {life.started} {other.inode} {life.cookie}\n")
    assert fence(bare_lab, "n1", "status", "n2") == 2
    assert fence(bare_lab, "n1", "off", "n2") == 0
    assert bare_lab.node("n3").is_on


@pytest.mark.parametrize("kind, off, still_on", [("fail", 1, True), ("lie", 0, True), ("none", 0, False)])
def test_fence_can_be_told_to_fail(make_lab: Callable[..., Lab], kind: str, off: int, still_on: bool) -> None:
    """A switch that fails says so; one that lies says that it is done, but its status tells the truth."""
    lab = make_lab(2, agents=False)
    lab.node("n2").fault(kind)
    assert fence(lab, "n1", "off", "n2") == off
    assert fence(lab, "n1", "status", "n2") == (0 if still_on else 2)


def test_fence_can_hang_and_can_need_the_cable(make_lab: Callable[..., Lab]) -> None:
    """A hanging switch never answers; one in the node's band fails while the node's cable is cut, others do not."""
    lab = make_lab(2, agents=False)
    lab.node("n2").fault("hang")
    with pytest.raises(subprocess.TimeoutExpired):
        fence(lab, "n1", "off", "n2", timeout=1)
    assert lab.node("n2").is_on
    lab.isolate("n2")
    lab.node("n2").fault("in-band")
    assert fence(lab, "n1", "off", "n2") == 1
    lab.node("n2").fault("none")
    assert fence(lab, "n1", "off", "n2") == 0


def test_fence_describes_itself(bare_lab: Lab) -> None:
    """metadata is XML with the actions; monitor and list work; what is unknown or missing is an error."""
    import xml.etree.ElementTree as xml
    node = bare_lab.node("n1")
    described = xml.fromstring(node.exec("fence_lab", "action=metadata").stdout)
    assert {"on", "off", "reboot", "status", "monitor", "metadata"} <= \
        {action.get("name") for action in described.iter("action")}
    assert fence(bare_lab, "n1", "monitor", "n2") == 0
    assert fence(bare_lab, "n1", "dance", "n2") == 1
    assert fence(bare_lab, "n1", "off", "") == 1
    assert fence(bare_lab, "n1", "off", "../n2") == 1


def test_two_nodes_go_on_alone(make_lab: Callable[..., Lab]) -> None:
    """With two nodes corosync's two_node leaves the other one quorate after a crash."""
    lab = make_lab(2, agents=False)
    lab.node("n2").crash()
    sees(lab.node("n1"), True, 1)
    lab.boot("n2")
    lab.wait_quorate()


def test_corosync_can_be_restarted_alone(bare_lab: Lab) -> None:
    """kill and start of one daemon leave the node and its other processes as they are."""
    node = bare_lab.node("n1")
    sleeper = node.start("sleep.out", "sleep", "1000")
    assert node.corosync("kill") == 0 and node.daemon_pid("corosync") == 0
    sees(bare_lab.node("n2"), True, 2)
    assert node.corosync("start") > 0
    sees(node, True, 3)
    assert sleeper in node.processes()


def with_a_guest(lab: Lab) -> Cluster:
    """A cluster with a guest that runs on n1: an empty machine, since nothing asks what is in it."""
    cluster = Cluster(lab)
    cluster.form()
    cluster.ask("guest", "define", "-", stdin=json.dumps({"name": "empty", "memory_mib": 64, "vnc": False}))
    cluster.ask("guest", "start", "empty", "--on", "n1")
    cluster.wait_guest("empty", state="running", node="n1")
    return cluster


def test_labs_side_by_side_do_not_disturb_each_other(make_lab: Callable[..., Lab]) -> None:
    """Same addresses, same names of nodes and guests: what happens to one is not seen by the other."""
    first, second = with_a_guest(make_lab(3)), with_a_guest(make_lab(3))
    processes, mark = second.processes("empty"), second.mark()
    lives = [node["incarnation"] for node in second.settle()["nodes"]]
    first.lab.isolate("n3")
    sees(first.node("n1"), True, 2)
    first.lab.heal()
    first.settle()
    first.node("n1").crash()
    first.wait_node("n1", "fenced")
    assert first.wait_guest("empty", state="running")["node"] != "n1"
    first.lab.down()
    assert traces(first.lab) == []
    for node in second.lab.nodes:
        assert node.quorum() == (True, 3)
    assert reaches(second.lab, "n1", "n2")
    assert second.processes("empty") == processes and [len(pids) for pids in processes.values()] == [1]
    assert second.guest("empty")["state"] == "running"
    assert [node["incarnation"] for node in second.settle()["nodes"]] == lives
    assert not [event for event in second.events(mark) if "fenced" in event or event.startswith("empty")]


def test_down_leaves_nothing_and_may_be_called_twice(make_lab: Callable[..., Lab]) -> None:
    """No process, mount or link remains, the folder is gone; a lab that is up is replaced by the next up."""
    links = host_links()
    lab = make_lab(2, agents=False)
    lab.node("n1").start("sleep.out", "setsid", "sleep", "1000")
    lab.node("n2").pause()
    lives = [read_life(place.folder) for place in (*lab.nodes, lab.switch)]
    lab.up(1, agents=False)
    assert [node.name for node in lab.nodes] == ["n1"]
    lives.append(read_life(lab.node("n1").folder))
    assert host_links() == links
    lab.down()
    lab.down()
    assert traces(lab) == []
    assert not lab.folder.exists()
    assert host_links() == links
    assert not [pid for pid in all_pids() for life in lives if in_namespace(pid, life.inode) and belongs(lab, pid)]


@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.25, 0.6])
def test_down_after_a_killed_up(after_s: float) -> None:
    """However far up has come when it is killed, down ends what it has begun."""
    lab = Lab(f"test-{os.getpid()}-killed")
    up = subprocess.Popen([LAB, "--name", lab.name, "up", "3", "--no-agent"], start_new_session=True)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            up.wait(after_s)
        up.send_signal(signal.SIGKILL)
        up.wait()
    finally:
        lab.down()
    assert traces(lab) == []
    assert not lab.folder.exists()


def test_down_after_a_killed_run() -> None:
    """Whoever used the lab is killed: down ends the checker and the clients that it had started, too."""
    lab = Lab(f"test-{os.getpid()}-watched")
    mark = f"LAB_TEST_RUN={lab.name}"
    run = subprocess.Popen([PYTHON, "-c", WATCH, lab.name], cwd=SOURCE, env={**os.environ, "LAB_TEST_RUN": lab.name},
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert run.stdout.readline() == "up\n"
        wait_for(lambda: {os.path.basename(argument) for pid in born_with(mark) for argument in arguments_of(pid)} >=
                 {"checker.py", "webclient.py", "lab_node", "corosync"}, 10, "not all of them run")
    finally:
        run.kill()
        run.communicate()
        lab.down()
    assert [arguments_of(pid) for pid in born_with(mark)] == []
    assert traces(lab) == []


def test_what_an_ended_first_process_leaves_is_ended_too(make_lab: Callable[..., Lab]) -> None:
    """If only a node's first process dies, the rest is still the node: boot and down end it."""
    lab = make_lab(1, agents=False)
    node = lab.node("n1")
    for end in (lambda: lab.boot("n1"), lab.down):
        sleeper = node.start("sleep.out", "sleep", "1000")
        os.kill(node.life.pid, signal.SIGKILL)
        wait_for(lambda: not node.is_on, 10, "the first process does not end")
        assert not is_zombie(sleeper)
        end()
        assert is_zombie(sleeper)
    assert traces(lab) == []


def test_mistakes_get_one_sentence(make_lab: Callable[..., Lab]) -> None:
    """A wrong name, a node that is on or off already, a missing lab: one line that says what to do."""
    lab = make_lab(1, agents=False)
    for call, text in ((lambda: lab.node("n9"), "n9 is no node of this lab: n1"),
                       (lambda: lab.boot("n1"), "n1 is on already"),
                       (lambda: lab.cut("n1", "n1"), "between two nodes"),
                       (lambda: Lab("no/name"), "no name for a lab"),
                       (lambda: lab.up(99), "1 to 16")):
        with pytest.raises(LabError, match=text):
            call()
    lab.node("n1").crash()
    with pytest.raises(LabError, match="n1 is off: try lab boot n1"):
        lab.node("n1").exec("true")
    done = subprocess.run([LAB, "--name", "test-none", "cut", "n1", "n2"], text=True, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "lab: there is no lab named test-none: try lab up 3\n"
