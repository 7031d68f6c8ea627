# SPDX-License-Identifier: Apache-2.0
"""How the demo writes: headings, commands with their output, a strip of answers, a timeline, a table."""

from __future__ import annotations

import sys
import textwrap
from typing import Iterable, NamedTuple

WIDTH = 98
INDENT = "  "
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
SLOT_S = 0.01
OLD, NEW, NONE, FAILED = ".+_x"


def styled(text: str, style: str) -> str:
    """The text in a style, if this is a terminal."""
    return f"\033[{STYLES[style]}m{text}\033[0m" if sys.stdout.isatty() else text


def say(text: str = "", style: str = "") -> None:
    """One indented line, at once."""
    line = INDENT + text if text else ""
    print(styled(line, style) if style else line, flush=True)


def tell(text: str) -> None:
    """A paragraph, broken to the width."""
    for line in textwrap.wrap(text, WIDTH - len(INDENT)):
        say(line)


def heading(text: str) -> None:
    """A step begins."""
    print("\n" + styled(text, "bold"), flush=True)


def shown(place: str, command: str, output: str = "", status: int = 0) -> None:
    """A command as it was typed, with what it answered."""
    say(styled(f"{place}# ", "dim") + command)
    for line in output.rstrip().splitlines():
        say(line[:WIDTH], "red" if status else "")


class Mark(NamedTuple):
    """Something that happened during a strip."""
    time: float
    text: str


def strip(fetches: Iterable, begin: float, end: float, handed_over: float = float("inf")) -> str:
    """One character for each 10 ms: who answered a fetch that ended then."""
    slots = [NONE] * max(1, round((end - begin) / SLOT_S))
    for fetch in fetches:
        at = int((fetch.end - begin) // SLOT_S)
        if not 0 <= at < len(slots):
            continue
        if fetch.good:
            slots[at] = NEW if fetch.end >= handed_over else OLD
        elif slots[at] == NONE:
            slots[at] = FAILED
    return "".join(slots)


def show_strip(text: str, begin: float, marks: Iterable[Mark]) -> None:
    """Rows of the strip; below each, what happened at which character."""
    width = WIDTH - len(INDENT)
    for start in range(0, len(text), width):
        row = text[start:start + width]
        say("".join(styled(c, "yellow") if c in NONE + FAILED else styled(c, "green") if c == NEW else c for c in row))
        places = [(int((mark.time - begin) / SLOT_S) - start, mark.text) for mark in marks]
        show_marks([(at, what) for at, what in sorted(places) if 0 <= at < width], width)


def show_marks(places: list[tuple[int, str]], width: int) -> None:
    """Each mark points at its character; what does not fit beside the others gets a line of its own."""
    while places:
        line, later = "", []
        for at, what in places:
            words = f"^ {what}" if at + len(what) + 2 <= width else f"{what} ^"
            start = at if words[0] == "^" else at - len(words) + 1
            if line and start < len(line) + 2:
                later.append((at, what))
            else:
                line = line.ljust(start) + words
        say(line, "dim")
        places = later


def timeline(title: str, rows: Iterable[tuple[float, str]]) -> None:
    """What happened when, in milliseconds."""
    say(f"{'ms':>6}  {title}", "dim")
    for ms, what in sorted(rows):
        say(f"{ms:6.0f}  {what}")


def table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """A table whose first and last columns are words and whose others are numbers."""
    rows = list(rows)
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]

    def line(row: tuple[str, ...]) -> str:
        cells = [cell.ljust(width) if i in (0, len(row) - 1) else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        return "  ".join(cells).rstrip()

    say(line(headers), "dim")
    for row in rows:
        say(line(row))
