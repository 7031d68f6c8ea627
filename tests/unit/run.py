# SPDX-License-Identifier: Apache-2.0
"""Runs unit test programs one after the other: a line for each, and the sum of all.

cmocka's output is shown only of programs that failed. A program that ends by a signal, or
with an error that no test explains (a leak, say), or takes too long counts as one failure.
Each has a folder for its temporary files, so that a failed test leaves nothing behind either.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

LIMIT_S = 120


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


def main(programs):
    """Runs all; the exit status says whether every test passed."""
    sums = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
    for program in programs:
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="domus-unit-") as folder:
            status, output = run(program, folder)
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
