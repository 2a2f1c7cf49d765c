"""The jailed process: pictures in on stdin, cut-outs out on stdout, and nothing else to be had.

`python -m watcher.worker MODEL`. It answers with one frame when it is ready (what jails it, or why it cannot work),
then with one frame for each frame it gets, in the order of arrival:

    in   {"id", "force"} + the file's bytes, or {"id", "probe": true}
    out  {"id", "state", "reason", "detail", "verdict", "subject", "notes", "seconds"} + the PNG's bytes

Three threads, so that the next picture is decoded and the last one encoded while the network works on this one.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from watcher import codecs, edges, frames, jail, matting, models, png
from watcher.errors import ModelError, PictureError

_HELPER_PRIORITY = 19  # nice value of decoding and encoding
PIXELS_AT_ONCE = 40_000_000
"""Decoded pixels between the three threads; a larger picture is alone. Keeps the memory in bounds."""


class Budget:
    """Lets in as many pixels as are free, waiting until they are; one picture always gets in."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    def take(self, amount: int) -> None:
        """Wait until there is room for `amount`, and occupy it."""
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + amount <= self._limit)
            self._used += amount

    def give(self, amount: int) -> None:
        """Free what take() occupied."""
        with self._changed:
            self._used -= amount
            self._changed.notify_all()


@dataclass
class Work:
    """One picture on its way through the three threads; each takes what the one before left, and adds its part."""

    header: frames.Header
    answer: frames.Header
    data: bytes = b""
    pixels: int = 0
    picture: codecs.Picture | None = None
    values: NDArray[np.float32] | None = None
    png: bytes = b""
    busy: float = 0.0

    def step(self, act: Callable[[Work], None]) -> None:
        """Do one step, unless an earlier one ended it. Whatever goes wrong is this picture's failure alone."""
        if "state" in self.answer:
            return
        start = time.perf_counter()
        try:
            act(self)
        except PictureError as error:
            self._fail(error.reason, error.detail)
        except MemoryError:
            self._fail("too_large", "not enough memory")
        except Exception as error:  # noqa: BLE001  decoders meet hostile bytes: one picture must not end the worker
            reason = "too_large" if "alloc" in str(error) else "unreadable"
            self._fail(reason, f"{type(error).__name__}: {error}"[:200])
        self.busy += time.perf_counter() - start

    def _fail(self, reason: str, detail: str) -> None:
        self.answer.update(state="failed", reason=reason, detail=detail)


@dataclass(frozen=True)
class Bench:
    """What the three steps work with."""

    session: Any
    model: models.Model
    budget: Budget

    def decode(self, work: Work) -> None:
        """The file's bytes -> the picture and the network's input."""
        data, work.data = work.data, b""
        image = codecs.open_header(data)
        work.pixels = image.width * image.height
        self.budget.take(work.pixels)
        work.picture = codecs.decode(image)
        work.values = matting.network_input(work.picture.rgb, self.model)

    def infer(self, work: Work) -> None:
        """The network's input -> its alpha."""
        assert work.values is not None
        work.values = matting.alpha(self.session, work.values)

    def finish(self, work: Work) -> None:
        """Picture and alpha -> the verdict, and the PNG if there is a subject."""
        picture, values = work.picture, work.values
        assert picture is not None
        assert values is not None
        share = matting.subject_share(values)
        verdict = "subject" if share > 0 else "no_clear_subject"
        work.answer.update(verdict=verdict, subject=round(share, 4), notes=picture.notes)
        if verdict == "no_clear_subject" and not work.header.get("force"):
            work.answer.update(state="skipped", reason=verdict)
            return
        alpha = edges.full_size(values, picture.rgb.width, picture.rgb.height)
        pixels = codecs.cut_out(picture, alpha)
        icc = picture.icc
        del alpha, picture
        work.picture = None  # the encoder needs memory, too
        work.png = png.encode(pixels, icc)
        work.answer.update(state="done")


def serve(stdin: BinaryIO, stdout: BinaryIO, bench: Bench) -> None:
    """Answer frames until stdin ends."""
    decoded: queue.Queue[Work | None] = queue.Queue(1)
    matted: queue.Queue[Work | None] = queue.Queue(1)

    def read_and_decode() -> None:
        while (frame := frames.read(stdin)) is not None:
            work = Work(header=frame[0], answer={"id": frame[0]["id"]}, data=frame[1])
            del frame
            if work.header.get("probe"):
                work.answer.update(state="done", refused=jail.probe())
            work.step(bench.decode)
            decoded.put(work)
        decoded.put(None)

    def finish_and_write() -> None:
        while (work := matted.get()) is not None:
            work.step(bench.finish)
            work.picture = work.values = None
            bench.budget.give(work.pixels)
            frames.write(stdout, {"reason": None, **work.answer, "seconds": round(work.busy, 3)}, work.png)
            del work

    threads = [_start(read_and_decode), _start(finish_and_write)]
    while (work := decoded.get()) is not None:
        work.step(bench.infer)
        matted.put(work)
        del work
    matted.put(None)
    for thread in threads:
        thread.join()


def _start(target: Callable[[], None]) -> threading.Thread:
    """A thread that takes the process down with it: a worker with a part missing would hang its caller."""

    def run() -> None:
        if sys.platform == "linux":  # the network's threads first: each of its steps waits for the slowest of them
            os.setpriority(os.PRIO_PROCESS, 0, _HELPER_PRIORITY)  # 0: on Linux, this thread
        try:
            target()
        except BaseException:  # noqa: BLE001  whatever it is: the caller gone, nonsense in the pipe, no memory left
            traceback.print_exc()
            os._exit(1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def _cores() -> int:
    """The processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def main() -> int:
    """Load everything, lock the door, say so, then work."""
    stdin = os.fdopen(os.dup(0), "rb")
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not write into the frames
    sys.stdin.close()
    try:
        model = models.find(sys.argv[1])
        data = models.read(model)
    except ModelError as error:
        frames.write(stdout, {"ready": False, "message": str(error)})
        return error.exit_code

    codecs.prepare()
    layers = jail.enter_before_threads()
    session = matting.load(data, model, _cores())
    del data
    layers += jail.enter_with_threads()
    ready = {
        "ready": True,
        "model": model.name,
        "jail": [layer.as_dict() for layer in layers],
        "telemetry_off": os.environ.get("ORT_DISABLE_TELEMETRY") == "1",
    }
    frames.write(stdout, ready)
    serve(stdin, stdout, Bench(session, model, Budget(PIXELS_AT_ONCE)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
