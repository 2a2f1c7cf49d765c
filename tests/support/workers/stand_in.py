"""A worker without a model or a jail that obeys each picture's first word.

The words are ok, doubtful, unclear, slow, second, large, die and hang.

Its first argument is the path of a log. It writes a line `started` there, then the bytes of each picture.
"""

import os
import signal
import sys
import time

from tests.support.outputs import stand_in_output
from watcher.recipe import parse_key
from watcher.worker import protocol

protocol.write_message(sys.stdout.buffer, {"ready": True, "jail": [], "telemetry_off": True, "seconds": 0.0})
with open(sys.argv[1], "ab", buffering=0) as log:
    log.write(b"started\n")
    while (message := protocol.read_message(sys.stdin.buffer)) is not None:
        header, data = message
        log.write(data.rstrip() + b"\n")
        if data.startswith(b"die"):
            os._exit(11)
        if data.startswith(b"killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        if data.startswith(b"hang"):
            time.sleep(1000)
        if data.startswith(b"slow"):
            time.sleep(0.05)
        if data.startswith(b"second"):
            time.sleep(1)
        if data.startswith(b"large"):
            data += bytes(1 << 20)
        answer = {
            "id": header["id"],
            "state": "done",
            "reason": None,
            "verdict": "subject",
            "seconds": 0.1,
            "doubt": 0.125,
            "why": ["soft"],
            "notes": [],
        }
        if data.startswith(b"doubtful"):
            answer["doubt"] = 0.5
        data += header.get("edits", "").encode()
        if data.startswith(b"unclear") and not header.get("force"):
            answer |= {"state": "skipped", "reason": "no_clear_subject", "verdict": "no_clear_subject"}
            protocol.write_message(sys.stdout.buffer, answer)
            continue
        recipe = parse_key(header.get("recipe", "{}"))
        text = b"mask of " + data if recipe.mask else data
        protocol.write_message(sys.stdout.buffer, answer, stand_in_output(text, recipe.format))
