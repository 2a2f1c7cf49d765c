"""A worker that pictures take over: `python forger.py LOG`. For the content `forge NAME`, it tells the lie NAME.

Any other picture is answered as by the stand-in worker. LOG gets a line for each picture.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.outputs import stand_in_output
from watcher.worker import protocol

Parts = Iterator[bytes | memoryview]

MEBIBYTE = 1 << 20


def message(header: dict[str, Any], payload: bytes = b"", size: Any = None) -> bytes:
    """Return a message; `size` may lie."""
    text = json.dumps({**header, "size": len(payload) if size is None else size}).encode()
    return struct.pack(">I", len(text)) + text + payload


def raw(header: bytes) -> bytes:
    """Return a message whose header need not be JSON."""
    return struct.pack(">I", len(header)) + header


def changed(**values: Any) -> Callable[[dict[str, Any]], Parts]:
    """Return a lie: the failed answer with other values; None removes the value."""

    def lie(failed: dict[str, Any]) -> Parts:
        yield message({name: value for name, value in {**failed, **values}.items() if value != "(absent)"})

    return lie


def done(payload: bytes, **values: Any) -> Callable[[dict[str, Any]], Parts]:
    """Return a lie: a done answer with this output."""

    def lie(failed: dict[str, Any]) -> Parts:
        header = {**failed, "state": "done", "reason": None, "detail": None, **values}
        yield message({name: value for name, value in header.items() if value != "(absent)"}, payload)

    return lie


def flood(payload: bytes, count: int, **values: Any) -> Callable[[dict[str, Any]], Parts]:
    """Return a lie: `count` messages with the payload."""

    def lie(failed: dict[str, Any]) -> Parts:
        for _ in range(count):
            yield message({**failed, **values}, payload)

    return lie


def claim(failed: dict[str, Any]) -> Parts:
    """Claim two gibibytes and send none."""
    yield message(failed, size=2 << 30)


def send_all(failed: dict[str, Any]) -> Parts:
    """Claim two gibibytes and send them."""
    yield message(failed, size=2 << 30)
    for _ in range(2048):
        yield memoryview(bytes(MEBIBYTE))


def progress_flood(failed: dict[str, Any]) -> Parts:
    """Report the same frame for ever."""
    while True:
        yield message({"id": failed["id"], "frames": 1})


def two_answers(failed: dict[str, Any]) -> Parts:
    """Answer twice."""
    yield message(failed) + message(failed)


PNG = stand_in_output("forged")

LIES: dict[str, Callable[[dict[str, Any]], Parts]] = {
    "wrong id": changed(id=1_000_000),
    "no id": changed(id="(absent)"),
    "id is true": changed(id=True),
    "id is a list": changed(id=[1]),
    "no seconds": changed(seconds="(absent)"),
    "seconds is text": changed(seconds="abc"),
    "seconds is huge": changed(seconds=10**30),
    "seconds is beyond every float": changed(seconds=10**400),
    "seconds is infinite": changed(seconds=float("inf")),
    "seconds is no number": changed(seconds=float("nan")),
    "seconds is negative": changed(seconds=-1e300),
    "no state": changed(state="(absent)"),
    "unknown state": changed(state="owned"),
    "queued": changed(state="queued"),
    "active": changed(state="active", reason=None),
    "state is a list": changed(state=["done"]),
    "verdict is a dictionary": changed(verdict={"a": 1}),
    "unknown verdict": changed(verdict="owned"),
    "doubt is text": changed(doubt="0.5"),
    "doubt is true": changed(doubt=True),
    "doubt is a list": changed(doubt=[0.5]),
    "doubt is no number": done(PNG, doubt=float("nan")),
    "doubt is infinite": done(PNG, doubt=float("inf")),
    "doubt is negative": done(PNG, doubt=-0.001),
    "doubt is above one": done(PNG, doubt=1.001),
    "why is text": changed(why="soft"),
    "why is a dictionary": changed(why={"soft": 1}),
    "unknown why": done(PNG, why=["owned"]),
    "why is a list of lists": done(PNG, why=[["soft"]]),
    "too many whys": done(PNG, why=["soft"] * 1000),
    "unknown reason": changed(reason="owned", detail="no sentence"),
    "reason of another": changed(reason="already_done"),
    "reason is a number": changed(reason=7),
    "no reason": changed(reason=None),
    "detail is a number": changed(detail=7),
    "detail is endless": changed(detail="a" * 60_000),
    "notes is a number": done(PNG, notes=5),
    "unknown notes": done(PNG, notes=["owned"]),
    "endless notes": done(PNG, notes=["enlarged"] * 4000),
    "done with a reason": done(PNG, reason="unreadable"),
    "no picture": done(b"<html><script>alert(1)</script></html>"),
    "another format": done(stand_in_output("forged", "tiff")),
    "half a picture": done(PNG[:-4]),
    "empty output": done(b""),
    "skipped with an output": changed(state="skipped", reason="unreadable"),
    "two answers": two_answers,
    "deep JSON": lambda _failed: iter([raw(b"[" * 60_000)]),
    "long number": lambda _failed: iter([raw(b'{"size": ' + b"9" * 60_000 + b"}")]),
    "long header": lambda _failed: iter([b"\xff\xff\xff\xff"]),
    "no dictionary": lambda _failed: iter([raw(b"[1]")]),
    "size is true": lambda failed: iter([message(failed, b"x", size=True)]),
    "size is a fraction": lambda failed: iter([message(failed, b"x", size=1.0)]),
    "size is negative": lambda failed: iter([message(failed, size=-1)]),
    "size is impossible": claim,
    "impossible size is sent": send_all,
    "frames fall": lambda failed: iter(
        [message({"id": failed["id"], "frames": number}) for number in (2, 1)],
    ),
    "frames is text": lambda failed: iter([message({"id": failed["id"], "frames": "1"})]),
    "too many frames": lambda failed: iter([message({"id": failed["id"], "frames": 10**6})]),
    "frames with a payload": flood(bytes(64 * MEBIBYTE), 60, frames=1),
    "the same frame for ever": progress_flood,
    "second ready message": lambda _failed: iter([message({"ready": True, "jail": []})]),
    "flood of answers": flood(bytes(16 * MEBIBYTE), 200),
    "closed pipe": lambda _failed: iter([]),
}


def main() -> None:
    """Answer pictures until stdin ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    protocol.write_message(out, {"ready": True, "jail": [], "telemetry_off": True})
    with open(sys.argv[1], "ab", buffering=0) as log:
        while (received := protocol.read_message(sys.stdin.buffer)) is not None:
            header, data = received
            log.write(data.rstrip() + b"\n")
            failed = {
                "id": header["id"],
                "state": "failed",
                "reason": "unreadable",
                "detail": "forged",
                "verdict": None,
            }
            failed |= {"notes": [], "seconds": 0.1}
            if data.startswith(b"forge "):
                name = data.decode().removeprefix("forge ")
                for part in LIES[name](failed):
                    out.write(part)
                    out.flush()
                if name == "closed pipe":
                    out.close()
                time.sleep(1000)
            answer = {**failed, "state": "done", "reason": None, "detail": None, "verdict": "subject"}
            protocol.write_message(out, answer, stand_in_output(data))


if __name__ == "__main__":
    main()
