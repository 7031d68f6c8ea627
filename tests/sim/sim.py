#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Plays many seeds, each in a process of its own, and says how fast that goes.

    SEEDS=N     so many (default 500)       FIRST=K     from this one on (default 1)

A seed that fails prints the line that repeats it. Time is what the processor spent on it: on a core that has
nothing else to do that is the real time. The figures go to BUILD/figures/sim.json.
"""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

BLOCKS = 5
RUNS = 3
NODES, GUESTS = 5, 50
TROUBLE_HOURS = "0.1"
QUIET = f"seed 1\nnodes {NODES}\nguests {GUESTS}\n3600000.000 settle\n"     # an hour in which nothing happens
ENDING = re.compile(r"trace ([0-9a-f]{16}), ([\d.]+) s simulated")


class Run(NamedTuple):
    """One run of the program."""
    options: tuple[str, ...]
    failed: bool
    text: str
    hash: str
    simulated_s: float
    processor_s: float


def play(*options: str, script: str | None = None) -> Run:
    """Runs domus-sim with these options, or this script."""
    program = Path(os.environ.get("BUILD", "build")) / "domus-sim"
    if script is not None:
        options = ("--script", "/dev/stdin")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([program, "--quiet", *options], input=script or "", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ending = ENDING.search(done.stdout)
    return Run(options, done.returncode != 0, done.stdout, ending.group(1) if ending else "",
               float(ending.group(2)) if ending else 0,
               after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def play_seed(seed: int) -> Run:
    """As test_engine_explore does: five nodes at each fourth seed."""
    return play("--seed", str(seed), "--nodes", "3" if seed % 4 else "5")


def figure(values: list[float], unit: str) -> dict:
    """The median of the runs, as all figures are written."""
    return {"value": round(statistics.median(values)), "unit": unit, "runs": len(values),
            "min": round(min(values)), "max": round(max(values))}


def seeds_per_minute(first: int, count: int, failed: list[Run]) -> float:
    """Plays so many seeds; those that fail are added to @failed."""
    runs = [play_seed(seed) for seed in range(first, first + count)]
    failed += [run for run in runs if run.failed]
    return 60 * count / sum(run.processor_s for run in runs)


def ratios(failed: list[Run]) -> dict:
    """Simulated to real time: with trouble all the time, and with none."""
    trouble = [play("--seed", str(seed), "--nodes", str(NODES), "--guests", str(GUESTS), "--hours", TROUBLE_HOURS)
               for seed in range(1, RUNS + 1)]
    quiet = [play(script=QUIET) for _ in range(RUNS)]
    failed += [run for run in trouble + quiet if run.failed]
    return {name: figure([run.simulated_s / run.processor_s for run in runs], ": 1")
            for name, runs in (("sim.ratio", trouble), ("sim.ratio_quiet", quiet))}


def main() -> int:
    """The exit status says whether every promise was kept."""
    first, count = int(os.environ.get("FIRST") or 1), int(os.environ.get("SEEDS") or 500)
    failed: list[Run] = []
    if play_seed(first).hash != play_seed(first).hash:
        print(f"seed {first} gave two traces")
        return 1
    each = max(count // BLOCKS, 1)
    rates = [seeds_per_minute(first + i * each, each, failed) for i in range(BLOCKS)]
    figures = {"sim.seeds_per_minute": figure(rates, "seeds/min"), **ratios(failed)}
    for name, row in figures.items():
        print(f"{name:24}{row['value']:10} {row['unit']}  ({row['min']} to {row['max']}, {row['runs']} runs)")
    for run in failed:
        print(f"{run.text}again: build/domus-sim {' '.join(run.options)}\n")
    print(f"{each * BLOCKS} seeds: {len(failed)} runs failed")
    out = Path(os.environ.get("BUILD", "build")) / "figures/sim.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
