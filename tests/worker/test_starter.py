"""starter.py: the worker outlives the thread that first needed it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.program import ROOT

PREPARE = f"""
import asyncio, multiprocessing, sys, threading
from concurrent.futures import ThreadPoolExecutor
from watcher import remove_background
from watcher.worker import supervisor
supervisor.worker_command = lambda mode: [sys.executable, {str(ROOT / "tests/support/workers/mortal.py")!r}]
results = []
def call(*_):
    try:
        results.append(remove_background(b"picture").size)
    except Exception as error:
        results.append(str(error))
"""

SCENARIOS = {
    "a thread for each request": """
for _ in range(50):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
""",
    "fifty threads at once": """
threads = [threading.Thread(target=call) for _ in range(50)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
    "pools that end": """
for _ in range(10):
    with ThreadPoolExecutor(5) as pool: list(pool.map(call, range(5)))
""",
    "asyncio": """
async def main():
    for _ in range(5): await asyncio.gather(*(asyncio.to_thread(call) for _ in range(10)))
asyncio.run(main())
""",
    "forked processes": """
thread = threading.Thread(target=call)
thread.start()
thread.join()
def work(connection):
    results.clear()
    for _ in range(7):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    connection.send(results)
context = multiprocessing.get_context("fork")
for _ in range(7):
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs,))
    process.start()
    results += ours.recv()
    process.join()
assert process.exitcode == 0
""",
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_python_call_works_from_threads_that_come_and_go(name: str) -> None:
    code = PREPARE + SCENARIOS[name] + "assert results == [(3, 2)] * 50, results"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
