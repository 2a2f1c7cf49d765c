"""The jailed process: pictures in on stdin, cut-outs out on stdout, and nothing else to be had.

`python -m watcher.worker.process MODE`, with what `providers.environment` says. It answers with one frame when
it is ready (what jails it, or why it cannot work; before it, {"trying": key} for each accelerator that may end the process), then
with one frame for each frame it gets, in the order of arrival:

    in   {"id", "force", "recipe", "first"} + the file's bytes (`first` of them) and those of the background picture,
         or {"id", "probe": true}
    out  {"id", "state", "reason", "detail", "verdict", "subject", "notes", "seconds"} + the output's bytes;
         before it, for an animation, {"id", "frames"} now and then: how many are done

Three threads, so that the next picture is decoded and the last one encoded while the network works on this one. An
animation goes through them frame by frame.
"""

from __future__ import annotations

import functools
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from watcher import recipe
from watcher.errors import ModelError, PictureError, describe_reason
from watcher.jail import enter
from watcher.matting import accelerator, edges, fusion, inference, memory, modes, providers
from watcher.picture import codecs, compose, encode
from watcher.recipe import Recipe
from watcher.worker import protocol

_HELPER_PRIORITY = 19  # nice value of decoding and encoding
MAX_PIXELS_IN_FLIGHT = 40_000_000
"""Decoded pixels between the three threads; a larger picture is alone. Keeps the memory in bounds."""


class Budget:
    """Lets in as many pixels as are free, waiting until they are; one picture always gets in."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    def acquire(self, amount: int) -> None:
        """Wait until there is room for `amount`, and occupy it."""
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + amount <= self._limit)
            self._used += amount

    def release(self, amount: int) -> None:
        """Free what take() occupied."""
        with self._changed:
            self._used -= amount
            self._changed.notify_all()


@dataclass
class Work:
    """One picture on its way: what is asked, what is answered, and, frame by frame, what the network made of it."""

    header: protocol.Header
    answer: protocol.Header
    data: bytes = b""
    recipe: Recipe = field(default_factory=Recipe)
    background: codecs.Picture | None = None
    pictures: Iterator[codecs.Picture] = field(default_factory=lambda: iter(()))
    frame_count: int = 1
    loops: int = 0
    pixels: int = 0
    mattes: list[tuple[codecs.Picture, NDArray[np.uint8]]] = field(default_factory=list)
    area_fraction: float = 0.0
    has_clear_subject: bool = False
    subject_box: compose.Box | None = None
    busy_seconds: float = 0.0
    output: bytes = b""

    def fail(self, reason: str, detail: str) -> None:
        """It has failed, and nothing more is done for it."""
        self.answer.update(state="failed", reason=reason, detail=detail)


@dataclass
class Frame:
    """One frame of a picture, in the hands of one thread after the other; `last`: none follows."""

    work: Work
    is_last: bool = True
    picture: codecs.Picture | None = None
    tensors: list[NDArray[np.float32]] = field(default_factory=list)
    busy_seconds: float = 0.0

    def run_step(self, step: Callable[[Frame], None]) -> None:
        """Do one step, unless an earlier one ended it. Whatever goes wrong is this picture's failure alone."""
        if "state" in self.work.answer:
            return
        start = time.perf_counter()
        try:
            step(self)
        except PictureError as error:
            self.work.fail(error.reason, error.detail)
        except MemoryError:
            self.work.fail("too_large", "not enough memory")
        except Exception as error:  # noqa: BLE001  decoders meet hostile bytes: one picture must not end the worker
            reason = "too_large" if "alloc" in str(error) else "unreadable"
            self.work.fail(reason, f"{type(error).__name__}: {error}"[:200])
        self.busy_seconds += time.perf_counter() - start


@dataclass(frozen=True)
class Pipeline:
    """What the three steps work with."""

    ensemble: inference.Ensemble
    budget: Budget
    is_accelerated: bool = False

    def decode(self, work: Work) -> Iterator[Frame]:
        """The first step: the file's bytes -> each frame with the networks' inputs."""
        frame = Frame(work)
        frame.run_step(self._open_picture)
        for number in range(1, work.frame_count + 1):
            frame.run_step(self._decode_frame)
            frame.is_last = number == work.frame_count or "state" in work.answer
            yield frame
            if frame.is_last:
                return
            frame = Frame(work)

    def _open_picture(self, frame: Frame) -> None:
        """Find out what is asked for, and open the picture."""
        work = frame.work
        data, work.data = work.data, b""
        work.recipe = recipe.parse(work.header.get("recipe", "{}"))
        first = work.header.get("first", len(data))
        work.background = _decode_background(work.recipe, data[first:])
        image = codecs.open_header(data[:first])
        if not work.recipe.first_frame and work.recipe.format in encode.ANIMATED_FORMATS:
            work.frame_count, work.loops = codecs.frame_count(image), codecs.loop_count(image)
        work.pixels = image.width * image.height * work.frame_count
        self.budget.acquire(work.pixels)
        keep = work.recipe.metadata
        work.pictures = (
            codecs.decode_frames(image, keep) if work.frame_count > 1 else iter([codecs.decode(image, keep)])
        )

    def _decode_frame(self, frame: Frame) -> None:
        frame.picture = next(frame.work.pictures)
        frame.tensors = [inference.network_input(frame.picture.rgb, view) for view in self.ensemble.mode.views]

    def infer(self, frame: Frame) -> None:
        """The second step: the networks' inputs -> their answers."""
        try:
            frame.tensors = inference.infer_views(self.ensemble, frame.tensors)
        except Exception:
            if not self.is_accelerated:
                raise
            traceback.print_exc()
            os._exit(1)  # no picture is to blame: the next worker computes on the processor

    def postprocess(self, frame: Frame) -> None:
        """The third step: one alpha, at full size, and, with the last frame, the output if there is a subject."""
        work, picture, answers = frame.work, frame.picture, frame.tensors
        assert picture is not None
        frame.picture, frame.tensors = None, []
        values = fusion.fuse_views(self.ensemble.mode, answers)
        work.has_clear_subject |= fusion.has_clear_subject(self.ensemble.mode, answers, values)
        del answers
        alpha = edges.upscale_alpha(values, picture.rgb)
        share = fusion.subject_area_fraction(values)
        if picture.alpha is not None:
            alpha = codecs.multiply_alpha(alpha, picture.alpha)
            picture = replace(picture, alpha=None)
            share = min(share, compose.visible_fraction(alpha))
        elif not work.recipe.mask:  # a cut-out already has its own colours
            picture = replace(picture, rgb=edges.estimate_foreground(picture.rgb, alpha))
        work.area_fraction = max(work.area_fraction, share)
        if work.recipe.crop is not None:
            work.subject_box = compose.union_box(work.subject_box, compose.subject_box(alpha))
        work.mattes.append((picture, alpha))
        if not frame.is_last:
            return
        verdict = "subject" if work.area_fraction and work.has_clear_subject else "no_clear_subject"
        work.answer.update(verdict=verdict, subject=round(work.area_fraction, 4), notes=picture.notes)
        del picture, values, alpha
        if verdict == "subject" or work.header.get("force"):
            self._encode_output(work)
        else:
            work.answer.update(state="skipped", reason=verdict)

    def process(self, request: protocol.Header, data: bytes) -> tuple[protocol.Header, bytes]:
        """All steps of one picture, here and now; as a worker's answer."""
        work = Work(header=request, answer={"id": request["id"]}, data=data)
        try:
            for frame in self.decode(work):
                frame.run_step(self.infer)
                frame.run_step(self.postprocess)
        finally:
            self.budget.release(work.pixels)
        return {"reason": None, **work.answer}, work.output

    def _encode_output(self, work: Work) -> None:
        """All mattes -> the file."""
        first = work.mattes[0][0]
        plan = compose.compute_layout(first.rgb.width, first.rgb.height, work.subject_box, work.recipe)
        ground = compose.render_background(work.recipe, work.background, first.icc, (plan.width, plan.height))
        durations, rendered = [], []
        work.mattes.reverse()
        while work.mattes:  # each is given back when it is rendered: the encoder needs memory, too
            picture, alpha = work.mattes.pop()
            durations.append(picture.duration)
            rendered.append(compose.render(picture, alpha, plan, work.recipe, ground))
            del picture, alpha
        extras = encode.Extras(first.icc, first.exif, first.xmp, tuple(durations), work.loops)
        notes = [*first.notes, *(["enlarged"] if plan.scale > 1 else [])]
        del first
        work.output = encode.encode(rendered, work.recipe, extras)
        work.answer.update(state="done", notes=notes)


def _decode_background(recipe: Recipe, data: bytes) -> codecs.Picture | None:
    """The recipe's background, where it is a picture. `data`: its file's bytes."""
    if recipe.background_picture is None:
        return None
    try:
        return _decode_cached(data)
    except PictureError as error:
        text = f"the background picture {recipe.background_picture} cannot be used: {describe_reason(error.reason, error.detail)}"
        raise PictureError(error.reason, text) from error


@functools.lru_cache(maxsize=1)
def _decode_cached(data: bytes) -> codecs.Picture:
    """The background of the last picture is most likely that of the next."""
    return codecs.decode(codecs.open_header(data))


def serve(stdin: BinaryIO, stdout: BinaryIO, pipeline: Pipeline) -> None:
    """Answer frames until stdin ends."""
    decoded: queue.Queue[Frame | None] = queue.Queue(1)
    matted: queue.Queue[Frame | None] = queue.Queue(1)

    def read_and_decode() -> None:
        while (message := protocol.read_message(stdin)) is not None:
            work = Work(header=message[0], answer={"id": message[0]["id"]}, data=message[1])
            del message
            if work.header.get("probe"):
                work.answer.update(state="done", refused=enter.probe())
            for frame in pipeline.decode(work):
                decoded.put(frame)
            del work, frame
        decoded.put(None)

    def gather_and_write() -> None:
        while (frame := matted.get()) is not None:
            work = frame.work
            frame.run_step(pipeline.postprocess)
            work.busy_seconds += frame.busy_seconds
            if not frame.is_last:
                protocol.write_message(stdout, {"id": work.answer["id"], "frames": len(work.mattes)})
                continue
            work.mattes.clear()
            pipeline.budget.release(work.pixels)
            protocol.write_message(
                stdout, {"reason": None, **work.answer, "seconds": round(work.busy_seconds, 3)}, work.output
            )
            del work, frame

    threads = [_start_thread(read_and_decode), _start_thread(gather_and_write)]
    while (frame := decoded.get()) is not None:
        frame.run_step(pipeline.infer)
        matted.put(frame)
        del frame
    matted.put(None)
    for thread in threads:
        thread.join()


def _start_thread(target: Callable[[], None]) -> threading.Thread:
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


def _usable_cpu_count() -> int:
    """The processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def open_pipeline(mode: modes.Mode) -> Pipeline:
    """What it takes to work on pictures in this process, without a jail. Raises ModelError."""
    memory.check(mode)
    data = mode.read_models()
    codecs.load_decoders()
    return Pipeline(inference.load_ensemble(data, mode, _usable_cpu_count()), Budget(MAX_PIXELS_IN_FLIGHT))


def _report_trial(stdout: BinaryIO, key: str) -> None:
    """Say what is tried: a driver may end the process."""
    protocol.write_message(stdout, {"trying": key})


def _verify_in_jail(
    start_result: accelerator.StartResult, data: Mapping[str, bytes], mode: modes.Mode
) -> inference.Ensemble:
    """Does the accelerator also work in the jail? If not, the processor does, which needs nothing from outside."""
    assert start_result.ensemble is not None
    try:
        accelerator.warm_up(start_result.ensemble)
    except Exception as error:  # noqa: BLE001  onnxruntime's and the drivers' errors have no base in common
        start_result.fall_back_to_cpu(f"it does not work in the jail ({inference.first_line(error)})")
    return start_result.ensemble or inference.load_ensemble(data, mode, _usable_cpu_count())


def main() -> int:
    """Load everything, lock the door, say so, then work."""
    stdin = os.fdopen(os.dup(0), "rb")
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not write into the frames
    sys.stdin.close()
    try:
        mode = modes.find(sys.argv[1])
        memory.check(mode)
        data = mode.read_models()
        codecs.load_decoders()
        begun = accelerator.start(
            data,
            mode,
            _usable_cpu_count(),
            *providers.read_environment(),
            on_try=lambda key: _report_trial(stdout, key),
        )
        layers = enter.enter_before_threads(mode.memory, accelerated=begun.ensemble is not None)
        ensemble = begun.ensemble or inference.load_ensemble(data, mode, _usable_cpu_count())
    except ModelError as error:
        protocol.write_message(stdout, {"ready": False, "message": str(error)})
        return error.exit_code
    layers += enter.enter_with_threads(mode.memory)
    if begun.ensemble is not None:
        ensemble = _verify_in_jail(begun, data, mode)
    del data
    ready = {
        "ready": True,
        "model": mode.name,
        "jail": [layer.as_dict() for layer in layers],
        "telemetry_off": os.environ.get("ORT_DISABLE_TELEMETRY") == "1",
        "provider": begun.as_dict(),
    }
    protocol.write_message(stdout, ready)
    serve(stdin, stdout, Pipeline(ensemble, Budget(MAX_PIXELS_IN_FLIGHT), begun.name != providers.CPU))
    return 0


if __name__ == "__main__":
    sys.exit(main())
