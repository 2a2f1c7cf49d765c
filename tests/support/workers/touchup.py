"""A worker without networks that touches up: `python touchup.py LOG DEATHS GATE touchup`.

LOG gets a line for each request: its kind, and what is particular to it. DEATHS: a file of kinds, one a line; a request
of the kind in its first line removes that line and ends the process; `lie-` or `flood-` before the kind answers too few
or too many bytes. GATE: a FIFO; the layer `way:gate` waits until
somebody opens it for writing. Every photo has 400 x 300 pixels, except one whose bytes begin with `unreadable`.
"""

import os
import sys
from typing import Any

from tests.support.outputs import stand_in_output
from watcher.matting.touchup.edits import EditsError, parse
from watcher.recipe import parse_key
from watcher.worker import protocol

log_path, deaths_path, gate_path, mode = sys.argv[1:]
assert mode == "touchup"


def should_die(kind: str) -> bool:
    """Return whether this request ends the process, and remove it from the list."""
    try:
        with open(deaths_path) as file:
            lines = file.read().split()
    except FileNotFoundError:
        return False
    if lines[:1] != [kind]:
        return False
    with open(deaths_path, "w") as file:
        file.write("\n".join(lines[1:]))
    return True


class Photo:
    """What the worker knows: whether a photo is open, and its edits."""

    is_open = False
    edits = ""

    def answer(self, header: protocol.Header, data: bytes) -> tuple[dict[str, Any], bytes]:  # noqa: PLR0911
        """Return the answer to a request."""
        kind = header.get("touchup")
        if kind is None:
            return self.cut_out(header, data)
        if kind == "open":
            Photo.is_open, Photo.edits = not data.startswith(b"unreadable"), ""
            if not Photo.is_open:
                return {"state": "failed", "reason": "unreadable", "detail": "not a picture"}, b""
            return {"state": "done", "width": 400, "height": 300, "notes": []}, b""
        if kind == "thumbnail":
            return {"state": "done", "width": 2, "height": 1}, data[:1] * 8
        if not Photo.is_open:
            return {"state": "failed", "reason": "unreadable", "detail": "no photo is open."}, b""
        if kind == "edits":
            try:
                parse(data)
            except EditsError as error:
                return {"state": "failed", "reason": "unsupported", "detail": str(error)}, b""
            Photo.edits = data.decode()
            return {"state": "done", "changed": [1, 2, 30, 40], "area": 0.25, "ways": ["fast", "balanced"]}, b""
        width, height = header["pixels"]
        value = bytes([len(parse(Photo.edits))])
        if kind == "preview":
            return {"state": "done", "width": width, "height": height}, value * width * height * 4
        return {"state": "done"}, value * width * height * (3 if header["layer"] == "photo" else 4)

    def cut_out(self, header: protocol.Header, data: bytes) -> tuple[dict[str, Any], bytes]:
        """Return the answer to an ordinary request."""
        answer: dict[str, Any] = {
            "state": "done",
            "reason": None,
            "verdict": "subject",
            "seconds": 0.1,
            "doubt": 0.5,
            "notes": [],
        }
        text = data[: header["first"]] + header.get("edits", "").encode() + header["recipe"].encode()
        if data.endswith(b"nothing") and not header["force"]:
            return {**answer, "state": "skipped", "reason": "no_clear_subject"}, b""
        return answer, stand_in_output(text, parse_key(header["recipe"]).format)


protocol.write_message(sys.stdout.buffer, {"ready": True, "jail": [], "telemetry_off": True, "seconds": 0.0})
with open(log_path, "a") as log:
    log.write("started\n")
    photo = Photo()
    while (message := protocol.read_message(sys.stdin.buffer)) is not None:
        header, data = message
        kind = header.get("touchup", "cut_out")
        detail = header.get("layer") or header.get("edits") or (data.decode() if kind == "edits" else "")
        log.write(f"{kind} {detail} {header.get('box', '')}".strip() + "\n")
        log.flush()
        if should_die(kind):
            os._exit(11)
        if should_die(f"lie-{kind}"):
            protocol.write_message(sys.stdout.buffer, {"id": header["id"], "state": "done"}, b"short")
            continue
        if should_die(f"flood-{kind}"):
            protocol.write_message(sys.stdout.buffer, {"id": header["id"], "state": "done"}, bytes(1 << 20))
            continue
        if detail == "way:gate":
            with open(gate_path):
                pass
        answer, payload = photo.answer(header, data)
        protocol.write_message(sys.stdout.buffer, {"id": header["id"], **answer}, payload)
