# SPDX-License-Identifier: Apache-2.0
"""How the test guest's kernel is fetched, with package lists that are good, old or not there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from labcore import SOURCE

sys.path.insert(0, str(SOURCE.parent / "guest"))

import kernel  # noqa: E402

# Debian's tools in small. Files beside them tell what there is: known (lists), fresh (the mirror has what they name),
# mirror (lists can be renewed); did holds what was called.
TOOLS = {
    "apt-cache": """
        test -e "$APT/known" || { echo "N: a remark" >&2; echo "E: No packages found" >&2; exit 100; }
        echo "  Depends: linux-image-9-cloud-amd64" """,
    "apt-get": """
        case "$*" in
        *update) echo update >>"$APT/did"
            test -e "$APT/mirror" || { echo "E: no mirror answers" >&2; exit 100; }
            touch "$APT/known" "$APT/fresh" ;;
        *download*) echo download >>"$APT/did"
            test -e "$APT/fresh" || { echo "E: 404 Not Found" >&2; exit 100; }
            touch linux-image-9.deb ;;
        esac""",
    "dpkg-deb": """mkdir -p "$3/boot" && touch "$3/boot/vmlinuz-9" """,
}


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the tools look into."""
    for name, script in TOOLS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("APT", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def there_is(apt: Path, *names: str) -> None:
    """What the tools find."""
    for name in names:
        (apt / name).touch()


def did(apt: Path) -> list[str]:
    """What apt-get was asked for."""
    return (apt / "did").read_text().split() if (apt / "did").exists() else []


@pytest.mark.parametrize("names, calls", [
    (("known", "fresh"), ["download"]), (("mirror",), ["update", "download"]),
    (("known", "mirror"), ["download", "update", "download"])], ids=["good", "missing", "old"])
def test_lists_are_renewed_when_they_do_not_help(apt: Path, names: tuple[str, ...], calls: list[str]) -> None:
    """Once, and only then; what an older kernel has left is gone."""
    (apt / "guest/root/boot").mkdir(parents=True)
    there_is(apt, *names, "guest/root/boot/vmlinuz-8", "guest/linux-image-8.deb")
    kernel.fetch(apt / "guest")
    assert did(apt) == calls
    assert (apt / "guest/package").read_text() == "linux-image-9.deb\n"
    assert [path.name for path in (apt / "guest/root/boot").iterdir()] == ["vmlinuz-9"]


def test_who_may_not_renew_them_is_told_to(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, with the cause and what to do."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    there_is(apt, "mirror")
    with pytest.raises(SystemExit, match="No packages found; run apt-get update as root") as ended:
        kernel.fetch(apt / "guest")
    assert "\n" not in str(ended.value) and did(apt) == []


def test_when_nothing_helps_one_line_says_why(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirror, or no such tools: no traceback, and no package is named as fetched."""
    with pytest.raises(SystemExit, match="cannot be fetched: apt-get -q update: E: no mirror answers"):
        kernel.fetch(apt / "guest")
    monkeypatch.setenv("PATH", str(apt / "nosuch"))
    with pytest.raises(SystemExit, match="cannot be fetched: apt-get: No such file"):
        kernel.fetch(apt / "guest")
    assert not (apt / "guest/package").exists()
