# SPDX-License-Identifier: Apache-2.0
"""The checker outside the agents: it sees every double run, and none where there is none."""

from __future__ import annotations

import time
from typing import Callable, Iterator

import pytest

from checker import SILENCE_S, Span, Watched, overlaps
from labkit import PYTHON, Checker, Fetch, Lab, LabError, longest_gap, lost_acknowledged, wait_for
from rawguest import RUN, RawGuest

UUID = "0b4c5a52-7f0f-4c5e-9a55-00000000000a"
OTHER = "0b4c5a52-7f0f-4c5e-9a55-00000000000b"
# Something like a QEMU: it listens at its last argument, and after a good answer says what it was told to say.
ODD_QEMU = """import json, socket, sys
said, path = sys.argv[1], sys.argv[-1].split("path=")[1].split(",")[0]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
connection = server.accept()[0]
questions = (json.loads(line) for line in connection.makefile())
answered = 0
for question in questions:
    if question["execute"] == "query-status":
        answer = {"return": {"running": True}, "id": question["id"]}
        connection.sendall((said if answered else json.dumps(answer)).encode() + b"\\n")
        answered += 1"""


@pytest.fixture
def watched(make_lab: Callable[..., Lab]) -> Iterator[tuple[Lab, Checker]]:
    """Two nodes, and the checker looking at them."""
    lab = make_lab(2, agents=False)
    checker = Checker(lab)
    yield lab, checker.start()
    checker.abandon()


def until_seen(seconds: float) -> None:
    """Lets guests run for a while: here passing time is what is tested."""
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > end, seconds + 1, "time")


def test_two_that_run_at_once_are_a_double_run(watched: tuple[Lab, Checker]) -> None:
    """Also when it is for a moment only, between a RESUME and a STOP."""
    lab, checker = watched
    one, two = (RawGuest(lab.node(name), UUID) for name in ("n1", "n2"))
    one.qmp.do("cont")
    two.qmp.do("cont")
    until_seen(0.03)
    two.qmp.do("stop")
    until_seen(0.3)
    report = checker.stop()
    assert len(report["double_runs"]) == 1
    assert sorted(report["double_runs"][0]["nodes"]) == ["n1", "n2"]
    assert 0.02 < report["double_runs"][0]["seconds"] < 5


def test_a_hand_over_is_none(watched: tuple[Lab, Checker]) -> None:
    """One stops, then the other goes on, many times, as fast as it can be done; other guests do not matter."""
    lab, checker = watched
    one, two = (RawGuest(lab.node(name), UUID) for name in ("n1", "n2"))
    other = RawGuest(lab.node("n2"), OTHER)
    other.qmp.do("cont")
    one.qmp.do("cont")
    for _ in range(20):
        one.qmp.do("stop")
        two.qmp.do("cont")
        two.qmp.do("stop")
        one.qmp.do("cont")
    report = checker.stop()
    assert report["double_runs"] == [] and report["unclear"] == []
    spans = {process["node"]: len(process["spans"]) for process in report["processes"] if process["uuid"] == UUID}
    assert spans["n1"] == 21 and spans["n2"] == 20


def test_start_after_a_death_or_a_crash_is_none(watched: tuple[Lab, Checker]) -> None:
    """A killed process, a crashed node, a node that stands still: what runs after that runs alone."""
    lab, checker = watched
    one = RawGuest(lab.node("n1"), UUID, paused=False)
    until_seen(0.2)
    one.kill()
    two = RawGuest(lab.node("n2"), UUID, paused=False)
    until_seen(0.2)
    lab.node("n2").pause()
    three = RawGuest(lab.node("n1"), UUID, paused=False)
    until_seen(2 * SILENCE_S)
    three.qmp.do("quit")
    wait_for(lambda: three.pid not in lab.node("n1").processes(), 10, "the third does not end")
    lab.node("n2").resume()
    until_seen(0.2)
    two.qmp.do("stop")
    report = checker.stop()
    assert report["double_runs"] == []
    assert len(report["processes"]) == 3
    assert all(process["spans"] for process in report["processes"])


@pytest.mark.parametrize("said, words", [
    ('{"error": {"class": "GenericError", "desc": "not now"}, "id": 1}', "not now"), ("hello", "JSONDecodeError"),
    ('{"return": {}, "id": 1}', "KeyError")], ids=["error", "no JSON", "no answer"])
def test_a_watch_that_fails_is_no_verdict(watched: tuple[Lab, Checker], said: str, words: str) -> None:
    """Whose answers make no sense is not watched any more: the checker must not end as if all had been well."""
    lab, checker = watched
    node, program = lab.node("n1"), lab.folder / "qemu-system-odd"
    program.symlink_to(PYTHON)
    node.exec("mkdir", "-p", RUN)
    pid = node.start("odd.out", str(program), "-c", ODD_QEMU, said, "-uuid", UUID, "-chardev",
                     f"socket,id=guard,path={RUN}/{UUID}.guard.qmp,server=on")
    wait_for(lambda: pid not in node.processes(), 10, "the checker does not hang up")
    with pytest.raises(LabError, match=words):
        checker.stop()


def test_a_checker_that_ended_by_itself_is_no_verdict(watched: tuple[Lab, Checker]) -> None:
    """Nor is one that was killed."""
    checker = watched[1]
    checker.process.kill()
    with pytest.raises(LabError, match="no verdict"):
        checker.stop()


def test_spans_have_no_doubtful_time() -> None:
    """Silence ends what is certain; events are exact; a death is only certain up to the last answer."""
    process = Watched("u", "n1", 1)
    process.resumed(10.0)
    process.said(True, asked=10.1, now=10.2)
    process.said(True, asked=10.3, now=10.4)
    process.said(True, asked=12.0, now=12.1)
    process.stopped(12.2)
    assert process.spans == [Span(10.0, 10.3), Span(12.1, 12.2)]
    process.resumed(13.0)
    process.said(True, asked=13.1, now=13.1)
    process.gone = 13.2
    after = Watched("u", "n2", 2, [Span(13.15, 14.0)])
    assert overlaps([process, after], doubtful=False) == []
    assert len(overlaps([process, after], doubtful=True)) == 1
    before = Watched("u", "n2", 2, [Span(13.05, 14.0)])
    assert overlaps([process, before], doubtful=False)[0]["seconds"] == pytest.approx(0.05)
    assert overlaps([process, before], doubtful=True) == []


def test_a_stop_after_silence_does_not_fill_it() -> None:
    """A process that stood still for long and then says STOP did not certainly run until then."""
    process = Watched("u", "n1", 1)
    process.resumed(10.0)
    process.said(True, asked=10.1, now=10.1)
    process.stopped(20.0)
    assert process.spans == [Span(10.0, 10.1)]


def test_lost_acknowledged_writes_are_counted() -> None:
    """A page asked for after a number was shown must show it or a higher one; those under way need not."""
    shown = Fetch(0.0, 1.0, "a", 5)
    assert lost_acknowledged([shown, Fetch(1.1, 1.2, "b", 5), Fetch(0.9, 1.1, "a", 4)]) == 0
    assert lost_acknowledged([shown, Fetch(1.1, 1.2, "b", 4)]) == 1
    assert lost_acknowledged([shown, Fetch(1.1, 1.2, error="timeout")]) == 0


def test_longest_gap_is_between_completions() -> None:
    """Failures do not fill a gap; order of start does not matter."""
    fetches = [Fetch(0.0, 1.0, "a", 1), Fetch(0.1, 3.0, "a", 1), Fetch(0.2, 2.0, error="timeout")]
    assert longest_gap(fetches) == 2.0
    assert longest_gap(fetches, since=1.5) == 0.0
