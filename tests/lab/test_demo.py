# SPDX-License-Identifier: Apache-2.0
"""What the demo shows and reckons is what was measured."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from demo_measure import Event, Figures, find, kill_and_wait, log_time, new_rings
from demo_text import Mark, show_strip, strip
from labkit import Fetch, LabError


def answered(*ends: float) -> list[Fetch]:
    """Good fetches that ended at these times."""
    return [Fetch(end - 0.001, end, "boot", 1) for end in ends]


def test_a_strip_has_a_character_for_each_10_ms() -> None:
    """Who answered is told by the hand-over; no answer, and nothing but failures, look different."""
    fetches = [*answered(5.001, 5.011, 5.012, 5.041), Fetch(4.0, 5.031, error="timeout")]
    assert strip(fetches, 5.0, 5.05, handed_over=5.035) == ".._x+"


def test_what_is_outside_of_a_strip_is_not_in_it() -> None:
    """Neither earlier nor later answers."""
    assert strip(answered(4.99, 5.06), 5.0, 5.05) == "_____"


def test_marks_point_at_their_characters(capsys: pytest.CaptureFixture) -> None:
    """Also when two do not fit beside each other, and at the right edge."""
    show_strip("." * 94, 0.0, [Mark(0.1, "ordered"), Mark(0.15, "handed over"), Mark(0.93, "late")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].index("^") == 2 + 10 and "ordered" in lines[1]
    assert lines[2].index("^") == 2 + 15 and "handed over" in lines[2]
    assert lines[1].rindex("^") == 2 + 93 and lines[1].endswith("late ^")


def test_rings_without_a_node_are_found_in_corosyncs_log(tmp_path: Path) -> None:
    """Those that others joined are not; times have the log's fractions."""
    log = tmp_path / "log/corosync/corosync.log"
    log.parent.mkdir(parents=True)
    log.write_text("Nov 24 03:49:28.791 [1] n1 corosync notice  [TOTEM ] A new membership (1.9) was formed. "
                   "Members joined: 2 3\n"
                   "Nov 24 03:50:07.471 [1] n1 corosync notice  [TOTEM ] A new membership (1.d) was formed. "
                   "Members left: 2 3\n")
    rings = new_rings(SimpleNamespace(folder=tmp_path))
    assert [left for _, left in rings] == [{2, 3}]
    when = time.localtime(rings[0][0])
    assert (when.tm_year, when.tm_mon, when.tm_hour, when.tm_sec) == (time.localtime().tm_year, 11, 3, 7)
    assert log_time("Nov 24 03:50:07.471") - log_time("Nov 24 03:50:07.000") == pytest.approx(0.471)


def test_an_event_that_is_not_there_is_an_error() -> None:
    """And the first one that is there is taken."""
    events = [Event(1, 1.0, "web1", "running: a"), Event(2, 2.0, "web1", "running: b")]
    assert find(events, "web1", "lost", "running").seq == 1
    with pytest.raises(LabError, match="no event of web1"):
        find(events, "web1", "handed over")


def test_figures_are_medians_with_their_spread(tmp_path: Path) -> None:
    """As they are written for programs and as they stand in the table."""
    figures = Figures()
    for seconds in (0.003, 0.250, 0.0204):
        figures.add_ms("a_ms", seconds)
    figures.save(tmp_path / "figures/demo.json")
    assert json.loads((tmp_path / "figures/demo.json").read_text()) == {
        "a_ms": {"value": 20.4, "unit": "ms", "runs": 3, "min": 3, "max": 250}}
    assert figures.rows({"a_ms": ("a", "<= 1"), "b_ms": ("not measured", "")}) == [
        ("a", "20.4 ms", "3", "250", "3", "<= 1")]


def test_a_killed_process_is_gone_afterwards() -> None:
    """The moment of its end is not before that of the kill."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        killed, gone = kill_and_wait(process.pid)
        assert killed <= gone < killed + 5
        assert process.wait() == -9
