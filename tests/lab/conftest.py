# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the lab tests: labs that are taken down whatever happens, and whose logs are shown when a test fails."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from clusterkit import Cluster  # noqa: E402
from labkit import Checker, Lab, LabError  # noqa: E402

LOG_LINES = 60
numbers = itertools.count(1)


def pytest_configure() -> None:
    """A terminated run ends like an interrupted one, so that its labs are taken down."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root there are no namespaces: say so, and go on."""
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="a lab needs root: it makes network namespaces"))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Lets fixtures see how the test went."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.stash[FAILED] = True


FAILED = pytest.StashKey[bool]()


def show_logs(lab: Lab) -> None:
    """The ends of all logs."""
    for place in sorted(lab.folder.glob("*/")):
        for path in sorted([*place.glob("*.log"), *place.glob("*.out"), *place.glob("log/corosync/*")]):
            print(f"==> {path}")
            print("\n".join(path.read_text(errors="replace").splitlines()[-LOG_LINES:]))


@pytest.fixture
def make_lab(request: pytest.FixtureRequest) -> Iterator[Callable[..., Lab]]:
    """Makes labs with names of their own: make_lab(nodes, agents=False, ...)."""
    labs: list[Lab] = []

    def make(nodes: int, **wishes: object) -> Lab:
        lab = Lab(f"test-{os.getpid()}-{next(numbers)}")
        labs.append(lab)
        lab.up(nodes, **wishes)
        return lab

    yield make
    failed = request.node.stash.get(FAILED, False)
    for lab in labs:
        if failed:
            show_logs(lab)
        lab.down(keep_logs=failed)


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """Three nodes with agents."""
    return make_lab(3)


@pytest.fixture
def bare_lab(make_lab: Callable[..., Lab]) -> Lab:
    """Three nodes with corosync only."""
    return make_lab(3, agents=False)


@pytest.fixture(scope="module")
def formed() -> Iterator[Cluster]:
    """Three nodes that are one cluster, with power switches and a pool; shared by the tests of a file."""
    lab = Lab(f"test-{os.getpid()}-{next(numbers)}")
    try:
        lab.up(3)
        cluster = Cluster(lab)
        cluster.form()
        yield cluster
    except BaseException:
        show_logs(lab)
        raise
    finally:
        lab.down()


@pytest.fixture
def cluster(request: pytest.FixtureRequest, formed: Cluster) -> Iterator[Cluster]:
    """The shared cluster, all of it well, and watched: whatever a test does, no guest may run twice."""
    try:
        formed.repair()
    except LabError:
        show_logs(formed.lab)
        formed.rebuild()        # for the next test; this one fails, since what it found could not be put right
        raise
    checker = Checker(formed.lab).start()
    try:
        yield formed
        assert checker.stop()["double_runs"] == []
    finally:
        checker.abandon()
        formed.stop_clients()
        if request.node.stash.get(FAILED, False):
            show_logs(formed.lab)
