# SPDX-License-Identifier: Apache-2.0
"""Guests whose node, cable, power switch or agent is lost: they run again, at one place, and only after a proof."""

from __future__ import annotations

import os
import signal
import time
from typing import Iterator

import pytest

from clusterkit import REFUSED, Cluster, keeps, refusal
from labkit import Fetch, WebClient, domus, get_page, guest_address, lost_acknowledged, wait_for

AGENT_GRACE_S = 30      # an agent that is away for longer counts as lost


def acknowledged(client: WebClient) -> int:
    """Ends a client; the highest count that it was told."""
    fetches = client.stop()
    assert lost_acknowledged(fetches) == 0
    return max(fetch.count for fetch in fetches)


def counting(cluster: Cluster) -> WebClient:
    """A client that counts, and has been told so already."""
    client = cluster.client("web1")
    client.wait_for_page()
    return client


def recovered(cluster: Cluster, before: Fetch, told: int, lost: str, mark: int) -> None:
    """Waits until web1 runs elsewhere: booted anew, all counts kept, one process, and after the proof."""
    page = cluster.page("web1", other_than=before.boot)
    assert page.count >= told
    guest = cluster.wait_guest("web1", state="running")
    assert guest["node"] != lost
    assert list(cluster.processes("web1")) == [guest["node"]] and len(cluster.processes("web1")[guest["node"]]) == 1
    events = cluster.events(mark)
    starts = [number for number, event in enumerate(events) if event.startswith("web1: starting")]
    proofs = [number for number, event in enumerate(events) if event.startswith(f"{lost}: proven off")]
    assert len(starts) == 1 and proofs and proofs[0] < starts[0], events


@pytest.mark.parametrize("owner", ["n1", "n3"], ids=["and leader", "not leader"])
def test_the_owner_crashes(cluster: Cluster, owner: str) -> None:
    """It is proven off, then its guest starts elsewhere with every count that was acknowledged."""
    before = cluster.run("web1", on=owner)
    assert (cluster.leader() == owner) == (owner == "n1")
    client, mark = counting(cluster), cluster.mark()
    cluster.node(owner).crash()
    recovered(cluster, before, acknowledged(client), owner, mark)
    assert cluster.node_state(owner)["state"] == "fenced"
    assert cluster.node_state(owner)["proof"]["kind"] == "fenced"


def test_the_node_crashes_that_a_guest_has_just_come_to(cluster: Cluster) -> None:
    """A guest that was migrated a moment ago belongs to its new node, and is recovered from there."""
    before = cluster.run("web1", on="n1")
    client, mark = counting(cluster), cluster.mark()
    cluster.ask("guest", "migrate", "web1", "n2")
    cluster.node("n2").crash()
    recovered(cluster, before, acknowledged(client), "n2", mark)


def test_the_node_crashes_that_a_guest_has_just_left(cluster: Cluster) -> None:
    """The guest has nothing more to do with it: it goes on, and nobody is fenced."""
    before = cluster.run("web1", on="n2")
    mark = cluster.mark()
    cluster.ask("guest", "migrate", "web1", "n1")
    cluster.node("n2").crash()
    cluster.wait_node("n2", "lost")
    keeps(lambda: not any("being fenced" in event for event in cluster.events(mark)), "it owned nothing", 1)
    assert cluster.page("web1").boot == before.boot
    assert cluster.guest("web1")["node"] == "n1"


def test_the_owner_is_cut_off(cluster: Cluster) -> None:
    """Its guest runs on without a cable until its power is cut; only then does another begin."""
    before = cluster.run("web1", on="n1")
    client, mark = counting(cluster), cluster.mark()
    cluster.lab.isolate("n1")
    cluster.wait_event("n1: proven off", mark)
    assert not cluster.node("n1").is_on
    recovered(cluster, before, acknowledged(client), "n1", mark)


@pytest.fixture
def no_device(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster in which n1 has no power switch; repair gives it back."""
    cluster.ask("fence", "set", "n1", "none")
    yield cluster


def test_without_a_fence_device_a_person_is_waited_for(no_device: Cluster) -> None:
    """The guest waits and says for whom; a person's word counts for the lost node, and only for a lost one."""
    cluster = no_device
    before = cluster.run("web1", on="n1")
    client = counting(cluster)
    early = refusal(lambda: cluster.ask("node", "confirm-off", "n1", "--yes"))
    assert early.status == REFUSED, early
    cluster.node("n1").crash()
    lost = cluster.wait_guest("web1", state="lost")
    assert "has no fence device" in lost["reason"] and "domus node confirm-off n1" in lost["reason"]
    keeps(lambda: cluster.guest("web1")["state"] == "lost", "it started without a proof")
    assert cluster.processes("web1") == {}
    told = acknowledged(client)
    domus(cluster.node("n2"), "node", "confirm-off", "n1", "--yes")
    assert cluster.page("web1", other_than=before.boot).count >= told
    assert cluster.node_state("n1")["proof"]["kind"] == "confirmed"
    assert cluster.guest("web1")["node"] != "n1"


@pytest.mark.parametrize("how", ["cable", "pause"])
def test_a_node_that_comes_back_unfenced_keeps_its_guest(no_device: Cluster, how: str) -> None:
    """While it was lost the others waited; back in the same life it goes on with the same process."""
    cluster = no_device
    before = cluster.run("web1", on="n1")
    processes, mark = cluster.processes("web1"), cluster.mark()
    cluster.lab.isolate("n1") if how == "cable" else cluster.node("n1").pause()
    cluster.wait_guest("web1", state="lost")
    cluster.lab.heal() if how == "cable" else cluster.node("n1").resume()
    cluster.wait_guest("web1", state="running", node="n1")
    assert cluster.page("web1").boot == before.boot
    assert cluster.processes("web1") == processes
    assert not [event for event in cluster.events(mark) if "web1: starting" in event or "being fenced" in event]


@pytest.mark.parametrize("fault", ["fail", "lie"])
def test_a_power_switch_that_fails_is_tried_again(cluster: Cluster, fault: str) -> None:
    """Neither its failure nor a success that its status denies is a proof; when it works the guest is recovered."""
    before = cluster.run("web1", on="n1")
    client, mark = counting(cluster), cluster.mark()
    cluster.node("n1").fault(fault)
    cluster.lab.isolate("n1")
    wait_for(lambda: sum("fencing failed" in event for event in cluster.events(mark)) >= 2, 30, "it is not tried again")
    executors = {event.split("being fenced by ")[1][:2] for event in cluster.events(mark) if "being fenced by" in event}
    assert executors == {"n2", "n3"}
    assert cluster.guest("web1")["state"] == "lost"
    assert list(cluster.processes("web1")) == ["n1"]
    cluster.node("n1").fault("none")
    recovered(cluster, before, acknowledged(client), "n1", mark)


def test_a_person_fences_a_node(cluster: Cluster) -> None:
    """A node that is well is switched off because a person says so, and its guest starts elsewhere."""
    before = cluster.run("web1", on="n2")
    client, mark = counting(cluster), cluster.mark()
    cluster.ask("node", "fence", "n2", "--yes")
    assert not cluster.node("n2").is_on
    recovered(cluster, before, acknowledged(client), "n2", mark)


def test_the_majority_is_lost_with_the_owner(cluster: Cluster) -> None:
    """The one node that is left does nothing; as soon as it has company again the guest is recovered."""
    before = cluster.run("web1", on="n1")
    client, mark = counting(cluster), cluster.mark()
    cluster.node("n1").crash()
    cluster.node("n2").crash()
    left = cluster.node("n3")
    wait_for(lambda: not cluster.status(left)["current"], 20, "n3 does not notice that it is alone")
    keeps(lambda: not left.guests() and domus(left, "guest", "show", "web1")["node"] == "n1", "a minority acted")
    cluster.lab.boot("n2")
    recovered(cluster, before, acknowledged(client), "n1", mark)


def untouched(cluster: Cluster, before: Fetch, processes: dict[str, list[int]], mark: int) -> None:
    """web1 has not noticed anything: same process, same boot, and nobody thought of fencing its node."""
    [(owner, [pid])] = processes.items()
    cluster.settle()
    assert cluster.processes("web1") == processes
    assert cluster.page("web1").boot == before.boot
    shown = domus(cluster.node(owner), "guest", "show", "web1")
    assert (shown["node"], shown["state"], shown["domain"]["pid"]) == (owner, "running", pid)
    assert not [event for event in cluster.events(mark) if "being fenced" in event or "web1: starting" in event]


@pytest.mark.parametrize("names", [["n1"], ["n3"], ["n1", "n2", "n3"]], ids=["leader", "other", "all"])
def test_the_agent_is_killed_and_comes_back(cluster: Cluster, names: list[str]) -> None:
    """The guest is untouched meanwhile and adopted afterwards: it obeys again."""
    owner = names[-1]
    before = cluster.run("web1", on=owner)
    processes, mark, client = cluster.processes("web1"), cluster.mark(), counting(cluster)
    for name in names:
        cluster.node(name).agent("kill")
    if len(names) == 1:
        cluster.wait_node(owner, "away")
    client.wait_for_page(since=time.monotonic())
    for name in names:
        cluster.node(name).agent("start")
    untouched(cluster, before, processes, mark)
    acknowledged(client)
    cluster.ask("guest", "pause", "web1")
    cluster.ask("guest", "resume", "web1")
    assert cluster.page("web1").boot == before.boot


def test_the_agent_is_stopped_in_order_and_comes_back(cluster: Cluster) -> None:
    """As for an upgrade: it says good-bye, and its guest goes on."""
    before = cluster.run("web1", on="n2")
    processes, mark = cluster.processes("web1"), cluster.mark()
    cluster.node("n2").agent("restart")
    untouched(cluster, before, processes, mark)


def test_a_guest_powers_itself_off_while_no_agent_looks(cluster: Cluster) -> None:
    """The agent that comes back notices: stopped, and wanted so."""
    cluster.run("web1", on="n2")
    mark = cluster.mark()
    cluster.node("n2").agent("kill")
    get_page(cluster.lab, guest_address(1), "/poweroff")
    wait_for(lambda: get_page(cluster.lab, guest_address(1), limit_ms=500).error, 20, "the guest does not power off")
    assert cluster.guest("web1")["state"] == "running"
    cluster.node("n2").agent("start")
    guest = cluster.wait_guest("web1", state="stopped", desired="stopped")
    assert guest["node"] is None
    assert any(event.startswith("web1: stopped: ") for event in cluster.events(mark))
    assert cluster.processes("web1") == {}


def test_a_guest_is_killed_while_no_agent_looks(cluster: Cluster) -> None:
    """The agent that comes back notices, and the guest runs again with every count that was acknowledged."""
    before = cluster.run("web1", on="n2")
    client = counting(cluster)
    cluster.node("n2").agent("kill")
    [pid] = cluster.processes("web1")["n2"]
    os.kill(pid, signal.SIGKILL)
    told = acknowledged(client)
    cluster.node("n2").agent("start")
    assert cluster.page("web1", other_than=before.boot).count >= told
    cluster.wait_guest("web1", state="running", desired="running")


def test_an_agent_that_stays_away_loses_its_node(cluster: Cluster) -> None:
    """Its guest goes on while the agent may still come back; then the node is fenced and the guest recovered."""
    before = cluster.run("web1", on="n2")
    client, mark = counting(cluster), cluster.mark()
    cluster.node("n2").agent("kill")
    killed = time.monotonic()
    cluster.wait_node("n2", "away")
    cluster.wait_event("n2: is being fenced", mark, AGENT_GRACE_S + 20)
    assert time.monotonic() - killed > AGENT_GRACE_S - 1
    recovered(cluster, before, acknowledged(client), "n2", mark)


def test_corosync_restarts_under_a_guest(cluster: Cluster) -> None:
    """Back before it is missed it is as if nothing had happened: the guest is untouched."""
    before = cluster.run("web1", on="n2")
    processes, mark = cluster.processes("web1"), cluster.mark()
    cluster.node("n2").corosync("kill")
    cluster.node("n2").corosync("start")
    wait_for(lambda: cluster.status(cluster.node("n2")).get("current"), 20, "n2 does not come back")
    untouched(cluster, before, processes, mark)


def test_corosync_is_gone_under_a_guest(cluster: Cluster) -> None:
    """Who is missed in the ring is lost, whatever runs there: fenced, and the guest recovered."""
    before = cluster.run("web1", on="n2")
    client, mark = counting(cluster), cluster.mark()
    cluster.node("n2").corosync("kill")
    cluster.wait_event("n2: proven off", mark)
    recovered(cluster, before, acknowledged(client), "n2", mark)
