# SPDX-License-Identifier: Apache-2.0
"""The test guest: its pages, its counter, and all the ways in which it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from labkit import Lab, LabError, WebClient, get_page, guest_address, longest_gap, lost_acknowledged, read_counter, wait_for
from rawguest import RawGuest, web_guest

UUID = "0b4c5a52-7f0f-4c5e-9a55-000000000001"
ADDRESS = guest_address(1)


class Run:
    """A guest with a disk, which can be started again."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.disk = lab.folder / "srv/domus/web1.raw"
        self.disk.write_bytes(bytes(64 * 1024))
        self.guest = self.start()

    def start(self) -> RawGuest:
        """Starts the guest and waits for its first page."""
        self.guest = web_guest(self.lab.node("n1"), UUID, "web1", 1, "/srv/domus/web1.raw")
        self.first = self.page()
        return self.guest

    def page(self, page: str = "/", other_than: str = ""):
        """The first page that comes, of another boot than @other_than."""
        client = WebClient(self.lab, ADDRESS, page, every_ms=20, limit_ms=2000).start()
        try:
            return client.wait_for_page(40, other_than=other_than)
        finally:
            client.stop()


@pytest.fixture
def run(make_lab) -> Iterator[Run]:
    """A guest that has served its first page."""
    yield Run(make_lab(1, agents=False))


def test_counts_are_on_the_disk_before_they_are_told(run: Run) -> None:
    """Every number told is on the disk, also when QEMU is killed in the middle; the next boot goes on from there."""
    assert run.first.count == 0
    client = WebClient(run.lab, ADDRESS, "/count", every_ms=10).start()
    client.wait_for_page()
    run.guest.kill()
    fetches = client.stop()
    told = max(fetch.count for fetch in fetches)
    assert told >= 1
    assert read_counter(run.disk) >= told
    assert len({fetch.count for fetch in fetches if fetch.good}) == sum(fetch.good for fetch in fetches)
    run.start()
    assert run.first.count >= told
    assert run.first.boot != fetches[0].boot


def test_a_client_every_10_ms_is_served(run: Run) -> None:
    """Pages and counts asked for at once all get good answers, and the counter never goes back."""
    pages, counts = (WebClient(run.lab, ADDRESS, page, every_ms=10).start() for page in ("/", "/count"))
    for client in (pages, counts):
        end = client.wait_for_page().start + 1
        client.wait_for_page(since=end)
    fetches = pages.stop() + counts.stop()
    assert len(fetches) > 50
    assert {fetch.error for fetch in fetches} == {""}
    assert lost_acknowledged(fetches) == 0
    assert 0 < longest_gap(fetches) < 1


def shutdown_reasons(guest: RawGuest) -> list[str]:
    """Why the guest has shut down, by QEMU's events so far."""
    guest.qmp.do("query-status")
    return [event["data"]["reason"] for event in guest.qmp.events if event["event"] == "SHUTDOWN"]


def test_power_button_powers_it_off(run: Run) -> None:
    """system_powerdown is all that a graceful stop needs."""
    run.guest.qmp.do("system_powerdown")
    run.guest.qmp.wait_for_status("shutdown")
    # QEMU is in that state a moment before it says why.
    assert wait_for(lambda: shutdown_reasons(run.guest), 10, "no word of the shutdown") == ["guest-shutdown"]


def test_it_ends_as_it_is_told(run: Run) -> None:
    """reboot gives a new boot id, crash is a panic that QEMU notices, poweroff is a shutdown."""
    first = run.first.boot
    assert get_page(run.lab, ADDRESS, "/count").count == 1
    get_page(run.lab, ADDRESS, "/reboot")
    again = run.page(other_than=first)
    assert again.count == 1
    get_page(run.lab, ADDRESS, "/crash")
    run.guest.qmp.wait_for_status("guest-panicked")
    run.guest.qmp.do("system_reset")
    run.guest.qmp.do("cont")
    run.page(other_than=again.boot)
    get_page(run.lab, ADDRESS, "/poweroff")
    run.guest.qmp.wait_for_status("shutdown")
    console = (run.lab.node("n1").folder / "web1.console.log").read_text()
    assert f"guest up boot={first} name=web1 disk=good button=good" in console


def test_a_disk_with_something_else_is_not_written_to(run: Run) -> None:
    """A record that is not its own is left alone: it serves pages, but counts nothing."""
    run.guest.kill()
    foreign = b"something else".ljust(64 * 1024, b".")
    Path(run.disk).write_bytes(foreign)
    run.start()
    assert get_page(run.lab, ADDRESS, "/count").error.endswith("503 Service Unavailable")
    assert run.disk.read_bytes() == foreign
    with pytest.raises(LabError, match="no good counter"):
        read_counter(run.disk)
