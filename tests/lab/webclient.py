#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client that starts a fetch every so many milliseconds, whether or not earlier ones are back.

    webclient.py ADDRESS PAGE EVERY_MS LIMIT_MS      one line of JSON a fetch, as it ends, until SIGTERM

A line has start and end (seconds of CLOCK_MONOTONIC, the same for all processes of a machine) and either the page's
boot and count, or error.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time

PAGE = re.compile(r"boot=(\S+) count=(\d+) ")
WAITING_MAX = 800       # below the usual limit of open files


async def answer(address: str, page: str) -> dict:
    """Fetches a page; returns what it says."""
    reader, writer = await asyncio.open_connection(address, 80)
    try:
        writer.write(f"GET {page} HTTP/1.0\r\n\r\n".encode())
        text = (await reader.read()).decode(errors="replace")
    finally:
        writer.close()
    found = PAGE.search(text)
    if not found:
        return {"error": text.split("\r\n")[0] or "empty answer"}
    return {"boot": found.group(1), "count": int(found.group(2))}


async def fetch(address: str, page: str, limit_s: float) -> None:
    """One fetch, one line."""
    start = time.monotonic()
    try:
        result = await asyncio.wait_for(answer(address, page), limit_s)
    except asyncio.TimeoutError:
        result = {"error": "timeout"}
    except OSError as error:
        result = {"error": error.strerror or str(error)}
    line = {"start": round(start, 6), "end": round(time.monotonic(), 6), **result}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def run(address: str, page: str, every_s: float, limit_s: float) -> None:
    """Starts fetches at their times until told to stop; those under way are abandoned then."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    waiting: set[asyncio.Task] = set()
    due = time.monotonic()
    while not stop.is_set():
        if len(waiting) < WAITING_MAX:
            task = asyncio.create_task(fetch(address, page, limit_s))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        # A client that was held up does not make up for it.
        due = max(due + every_s, time.monotonic())
        try:
            await asyncio.wait_for(stop.wait(), due - time.monotonic())
        except asyncio.TimeoutError:
            pass
    for task in waiting:
        task.cancel()


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]) / 1000, int(sys.argv[4]) / 1000))
