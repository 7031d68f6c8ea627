# SPDX-License-Identifier: Apache-2.0
"""Checks the models with Spin: each rule must pass, each variant without a rule must be refuted.

    run.py --build FOLDER [--quick] [--memory MIB] [--limit SECONDS] [MODEL | MODEL/VARIANT ...]

Prints a line for each run, as it ends; the exit status is 1 if any verdict is not the right one.
"""
import argparse
import os
import re
import resource
import subprocess
import sys
import time
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))

# A variant is a word that is defined; "": the rules as they are. quick None: only in the full run.
Run = namedtuple("Run", "model variant quick full")


def variants(model, bounds, names):
    """Broken variants are found fast: the same bounds in both runs."""
    return [Run(model, name, bounds, bounds) for name in names.split()]


RUNS = [
    Run("ledger", "", "MAXV=2 MAXC=1 CRASHES=1", "MAXV=3 MAXC=0 CRASHES=1"),
    Run("ledger", "", None, "MAXV=2 MAXC=2 CRASHES=1"),
    Run("ledger", "", None, "MAXV=3 MAXC=1 CRASHES=0"),
    Run("ledger", "", "MAXV=2 MAXC=0 CRASHES=0 LOSSES=1", "MAXV=2 MAXC=1 CRASHES=1 LOSSES=1"),
    *variants("ledger", "MAXV=2 MAXC=1 CRASHES=1", "ACK_EARLY"),
    *variants("ledger", "MAXV=2 MAXC=1 CRASHES=0", "LATE SMALL"),
    *variants("ledger", "MAXV=3 MAXC=0 CRASHES=1", "TERM_VOL TERM_ONE"),
    *variants("ledger", "MAXV=3 MAXC=0 CRASHES=0", "CUT_ALL"),
    *variants("ledger", "MAXV=4 MAXC=0 CRASHES=0", "LONGEST"),
    *variants("ledger", "MAXV=4 MAXC=2 CRASHES=0 PAIRS=1", "OLD_TERM"),
    *variants("ledger", "MAXV=2 MAXC=1 CRASHES=0 LOSSES=1", "WIPE REGRESS"),
    Run("ledger", "SNAPSHOT", "MAXV=2 MAXC=1 CRASHES=0", "MAXV=2 MAXC=1 CRASHES=1"),
    Run("ledger", "SNAPSHOT", None, "MAXV=3 MAXC=0 CRASHES=0"),
    *variants("ledger", "MAXV=2 MAXC=1 CRASHES=1 SNAPSHOT=1", "SNAP_TAIL SNAP_EARLY"),
    Run("operation", "", "MAXC=4 BOOTS=1 RESTARTS=1", "MAXC=5 BOOTS=1 RESTARTS=1"),
    Run("operation", "", None, "MAXC=4 BOOTS=2 RESTARTS=1"),
    *variants("operation", "MAXC=5 BOOTS=2 RESTARTS=1", "NO_PROOF ANY_LIFE OLD_PROOF TWICE"),
    *variants("operation", "MAXC=2 BOOTS=0 RESTARTS=1", "NO_LOOK"),
    Run("guard", "", "MAXT=7 FAULTS=1 MOVES=2", "MAXT=7 FAULTS=2 MOVES=2"),
    Run("guard", "", None, "MAXT=9 FAULTS=1 MOVES=2"),
    *variants("guard", "MAXT=9 FAULTS=2 MOVES=2", "SELF_TICK WAIT_SHORT STALE_PROOF NO_GATE FORGET "
              "SUSPEND EARLY_HAND LATE_WORD DOUBT"),
]
# What is more to the rules, not less: it has to pass.
ADDITIONS = {"", "SNAPSHOT"}

Found = namedtuple("Found", "verdict states seconds peak")


def compile_model(run, bounds, folder, memory):
    """Spin writes C, the compiler makes the checker of it."""
    words = bounds.split() + ([run.variant] if run.variant else [])
    model = os.path.join(HERE, run.model + ".pml")
    subprocess.run(["spin", "-a", *("-D" + word for word in words), model], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    # One process: no partial order to be reduced. A rule's search is exact: states are kept whole,
    # in parts that are shared (COLLAPSE) when there are many. Hash compaction (HC4) loses about 1
    # in 2,000, which does not matter for a variant: what it finds is there.
    rule = ["-DCOLLAPSE"] if bounds == run.full else []
    keep = rule if run.variant in ADDITIONS else ["-DHC4"]
    subprocess.run(["cc", "-O1", "-w", "-DSAFETY", "-DNOCLAIM", "-DNOREDUCE", *keep,
                    f"-DMEMLIM={memory}", "-o", "pan", "pan.c"], cwd=folder, check=True)


def judge(output):
    """What the checker's report says."""
    if "pan: wrote" in output or "assertion violated" in output:
        return "broken" if "invalid array index" in output else "refuted"
    done = re.search(r"errors: 0\b", output)
    cut = re.search(r"too small|out of memory|reached -DMEMLIM|bytes more needed|Interrupted|"
                    r"Search not completed", output)
    return "passed" if done and not cut else "unfinished"


def search(folder, limit):
    """Runs the checker; a search that takes too long is unfinished."""
    start = time.monotonic()
    try:
        done = subprocess.run(["./pan", "-E", "-m200000"], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=limit, check=False, text=True)
        output = done.stdout
    except subprocess.TimeoutExpired:
        output = ""
    states = re.search(r"(\d+) states, stored", output)
    memory = re.search(r"([\d.]+)\s+total (?:actual )?memory usage", output)
    return Found(judge(output), int(states.group(1)) if states else 0, time.monotonic() - start,
                 float(memory.group(1)) if memory else 0)


def check(run, bounds, options):
    """One run, in a folder of its own."""
    name = "-".join([run.model, run.variant or "rules", *re.split(r"[ =]", bounds)])
    folder = os.path.join(options.build, name)
    os.makedirs(folder, exist_ok=True)
    try:
        compile_model(run, bounds, folder, options.memory)
    except subprocess.CalledProcessError as error:
        print(error, file=sys.stderr)
        return Found("broken", 0, 0, 0)
    return search(folder, options.limit)


def wanted(run, names):
    """Without names all are."""
    return not names or run.model in names or f"{run.model}/{run.variant or 'rules'}" in names


def main():
    """The table, and whether it is the one that was expected."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--memory", type=int, default=4000)
    parser.add_argument("--limit", type=int, default=1800)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wrong, states, refuted, start = 0, 0, 0, time.monotonic()
    print(f"{'model':10} {'variant':12} {'bounds':34} {'states':>12} {'seconds':>8} {'MiB':>6}  "
          "verdict")
    for run in RUNS:
        bounds = run.quick if options.quick else run.full
        if bounds is None or not wanted(run, options.names):
            continue
        found = check(run, bounds, options)
        right = found.verdict == ("passed" if run.variant in ADDITIONS else "refuted")
        wrong += not right
        states += found.states
        refuted += found.verdict == "refuted"
        print(f"{run.model:10} {run.variant or '-':12} {bounds:34} {found.states:12,} "
              f"{found.seconds:8.1f} {found.peak:6.0f}  {found.verdict}{'' if right else '  WRONG'}",
              flush=True)
    print(f"model: {states:,} states, {refuted} broken variants refuted, {wrong} wrong verdicts, "
          f"{time.monotonic() - start:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
