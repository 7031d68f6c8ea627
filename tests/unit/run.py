# SPDX-License-Identifier: Apache-2.0
"""Runs unit test programs one after the other: a line for each, and the sum of all.

cmocka's output is shown only of programs that failed. A program that ends by a signal, or
with an error that no test explains (a leak, say), or takes too long counts as one failure.
Each has a folder for its temporary files, so that a failed test leaves nothing behind either; and
processes that a program leaves (it was killed, say, and its QEMU was not) are ended and count as one more.
"""
import ctypes
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

LIMIT_S = 120
GRACE_S = 2     # in which what was told to end may do so
PR_SET_CHILD_SUBREAPER = 36


def counted(output, word):
    """Adds up the numbers behind cmocka's [  WORD  ] lines."""
    found = re.findall(r"\[\s+%s\s+\] (?:[^:\n]*: )?(\d+) test\(s\)" % word, output)
    return sum(int(n) for n in found)


def run(program, folder):
    """Runs one program; gives (exit status, output)."""
    try:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False,
                              env={**os.environ, "TMPDIR": folder})
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return -1, (late.stdout or b"").decode(errors="replace") + f"\nno end after {LIMIT_S} s\n"
    except OSError as error:
        return -1, f"{error}\n"


def children():
    """Our own children by pid, with their names: what a program left is ours, as we are the subreaper."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                name, _, fields = file.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if int(fields.split()[1]) == os.getpid():
            found[int(entry)] = name
    return found


def end_leftovers():
    """Ends all that a program has left; gives the names of what did not end by itself."""
    names, end = [], time.monotonic() + GRACE_S
    while left := children():
        for pid, name in left.items():
            if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() < end:
                continue
            names.append(name)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)      # its own children are ours now: the next round finds them
        time.sleep(0.01)
    return names


def main(programs):
    """Runs all; the exit status says whether every test passed."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    sums = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
    for program in programs:
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="domus-unit-") as folder:
            status, output = run(program, folder)
            if leftovers := end_leftovers():
                status, output = status or -1, output + f"\nprocesses were left: {', '.join(leftovers)}\n"
        counts = {word: counted(output, word) for word in sums}
        if status != 0 and counts["FAILED"] == 0:
            counts["FAILED"] = 1
        if counts["FAILED"]:
            print(output, end="")
        line = f"{os.path.basename(program):24} {counts['PASSED']:3} passed"
        line += f", {counts['FAILED']} FAILED" if counts["FAILED"] else ""
        line += f", {counts['SKIPPED']} skipped" if counts["SKIPPED"] else ""
        print(f"{line}  ({time.monotonic() - start:.2f} s)", flush=True)
        for word in sums:
            sums[word] += counts[word]
    skipped = f", {sums['SKIPPED']} skipped" if sums["SKIPPED"] else ""
    print(f"unit tests: {sums['PASSED']} passed, {sums['FAILED']} failed{skipped}")
    return 1 if sums["FAILED"] or not sums["PASSED"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
