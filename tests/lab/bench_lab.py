#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the lab and the test guest: three nodes up and down, a guest from QEMU's start to its first page."""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Callable

sys.dont_write_bytecode = True

from labkit import Lab, WebClient, guest_address  # noqa: E402  (nothing may be written beside the sources)
from rawguest import web_guest  # noqa: E402

RUNS = 10
UUID = "0b4c5a52-7f0f-4c5e-9a55-0000000000bb"


def milliseconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    start = time.monotonic()
    action()
    return (time.monotonic() - start) * 1000


def first_page(lab: Lab) -> float:
    """From the start of QEMU to the end of the first fetch that brings a page."""
    client = WebClient(lab, guest_address(1)).start()
    start = time.monotonic()
    guest = web_guest(lab.node("n1"), UUID, "bench", 1, "/srv/domus/bench.raw")
    try:
        return (client.wait_for_page(60).end - start) * 1000
    finally:
        client.stop()
        guest.kill()


def figure(values: list[float]) -> dict:
    """The median of the runs, as all figures are written."""
    return {"value": round(statistics.median(values), 1), "unit": "ms", "runs": len(values),
            "min": round(min(values), 1), "max": round(max(values), 1)}


def main() -> None:
    """Measures, prints, and writes BUILD/figures/lab.json."""
    lab = Lab("bench")
    up, down, page = [], [], []
    try:
        for _ in range(RUNS):
            up.append(milliseconds(lambda: lab.up(3, agents=False)))
            down.append(milliseconds(lab.down))
        lab.up(1, agents=False)
        (lab.folder / "srv/domus/bench.raw").write_bytes(bytes(64 * 1024))
        page = [first_page(lab) for _ in range(RUNS)]
    finally:
        lab.down()
    figures = {"lab.up_ms": figure(up), "lab.down_ms": figure(down), "guest.first_page_ms": figure(page)}
    for name, row in figures.items():
        print(f"{name:24}{row['value']:10} {row['unit']}  ({row['min']} to {row['max']}, {row['runs']} runs)")
    out = lab.build / "figures/lab.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
