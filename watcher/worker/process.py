"""The jailed process: starts, enters the jail, then reads pictures from stdin and writes cut-outs to stdout.

`python -m watcher.worker.process MODE [touchup]`, with the variables that `providers.environment` adds for
accelerators. At its start it writes a message {"trying": key} for each accelerator whose driver may end the process,
then its ready message: the layers of its jail, or why it cannot work. From then on it answers each message, in the
order of their arrival:

    in   {"id", "force", "recipe", "named", "first"} + the file's bytes (`first` of them) and those of the background
         picture; `named`: a person named the picture, so that it is done even if its last rows are missing;
         or {"id", "probe": true}, on Windows with what `probe.targets` adds
    out  {"id", "state", "reason", "detail", "verdict", "subject", "doubt", "why", "notes", "seconds"}
         + the output's bytes;
         before it, for an animation, {"id", "frames"} now and then: the number of frames done

With `touchup`, it can also apply a person's edits, and answers the messages of `touchup`, one after the other.
Otherwise, three threads run the steps of `pipeline`, so that the next picture is decoded and the previous one encoded
while the networks work on the current one. Everything is imported before the jail, which refuses to open a module's
file.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import BinaryIO

from watcher.errors import ModelError
from watcher.jail import enter
from watcher.jail.probe import probe
from watcher.matting import memory, modes
from watcher.matting.networks import accelerator, inference, providers
from watcher.picture import codecs
from watcher.worker import protocol
from watcher.worker.pipeline import (
    MAX_PIXELS_IN_FLIGHT,
    Frame,
    Pipeline,
    Work,
    end_process,
    usable_cpu_count,
)

_HELPER_NICENESS = 19
"""Nice value of the threads that decode and encode; the networks' threads keep the default."""


def serve(stdin: BinaryIO, stdout: BinaryIO, pipeline: Pipeline) -> None:
    """Answer messages until stdin ends."""
    decoded_frames: queue.Queue[Frame | None] = queue.Queue(1)
    inferred_frames: queue.Queue[Frame | None] = queue.Queue(1)

    def read_and_decode() -> None:
        while (message := protocol.read_message(stdin)) is not None:
            work = Work(header=message[0], answer={"id": message[0]["id"]}, data=message[1])
            del message
            if work.header.get("probe"):
                work.answer.update(state="done", refused=probe(work.header))
            for frame in pipeline.decode(work):
                decoded_frames.put(frame)
            del work, frame
        decoded_frames.put(None)

    def postprocess_and_write() -> None:
        while (frame := inferred_frames.get()) is not None:
            work = frame.work
            frame.run_step(pipeline.postprocess)
            work.busy_seconds += frame.busy_seconds
            if not frame.is_last:
                protocol.write_progress(stdout, work.answer, len(work.mattes))
                continue
            work.mattes.clear()
            pipeline.budget.release(work.pixel_count)
            protocol.write_message(
                stdout, {"reason": None, **work.answer, "seconds": round(work.busy_seconds, 3)}, work.output
            )
            del work, frame

    threads = [_start_thread(read_and_decode), _start_thread(postprocess_and_write)]
    while (frame := decoded_frames.get()) is not None:
        frame.run_step(pipeline.infer)
        inferred_frames.put(frame)
        del frame
    inferred_frames.put(None)
    for thread in threads:
        thread.join()


def _start_thread(target: Callable[[], None]) -> threading.Thread:
    """Start a thread whose error ends the process: a worker without one of its threads would hang its caller."""

    def run() -> None:
        if sys.platform == "linux":  # the networks' threads have priority: each step waits for the slowest one
            with contextlib.suppress(OSError):  # a container may refuse it, which costs speed only
                os.setpriority(os.PRIO_PROCESS, 0, _HELPER_NICENESS)  # 0: on Linux, this thread
        try:
            target()
        except BaseException:  # noqa: BLE001  whatever the cause: no caller, an invalid message, no memory left
            end_process()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def _report_trial(stdout: BinaryIO, key: str) -> None:
    """Name the accelerator before its trial: its driver may end the process."""
    protocol.write_message(stdout, {"trying": key})


def _load_in_jail(
    start_result: accelerator.StartResult, data: Mapping[str, bytes], mode: modes.Mode
) -> inference.Ensemble:
    """Return the ensemble on the accelerator if there is one and it works in the jail, otherwise on the processor.

    Raises ModelError.
    """
    if start_result.ensemble is not None:
        try:
            accelerator.warm_up(start_result.ensemble)
        except Exception as error:  # noqa: BLE001  onnxruntime's and the drivers' errors have no common base class
            start_result.fall_back_to_cpu(f"it does not work in the jail ({inference.first_line(error)})")
    return start_result.ensemble or inference.load_ensemble(data, mode, usable_cpu_count())


def main() -> int:
    """Load everything, enter the jail, report it, then serve; return the exit code.

    The order matters: ARCHITECTURE.md explains it.
    """
    stdin = os.fdopen(os.dup(0), "rb")
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not write into the messages
    sys.stdin.close()
    try:
        mode = modes.find(sys.argv[1])
        touches_up = protocol.TOUCHUP_ARGUMENT in sys.argv[2:]
        if touches_up:
            from watcher.matting.touchup.mender import Mender
            from watcher.worker import touchup  # imports scipy, which takes time that ordinary work need not wait
        heaviest = max(mode, modes.BEST, key=lambda one: one.memory) if touches_up else mode
        memory.check(heaviest)
        data = mode.read_models() | (modes.BEST.read_models() if touches_up else {})
        codecs.load_decoders()
        start_result = accelerator.start(
            data,
            mode,
            usable_cpu_count(),
            *providers.read_environment(),
            on_try=lambda key: _report_trial(stdout, key),
        )
        is_accelerated = start_result.ensemble is not None
        layers = enter.enter_before_threads(heaviest.memory, accelerated=is_accelerated)
        layers += enter.enter_with_threads(heaviest.memory, accelerated=is_accelerated)
        ensemble = None if touches_up else _load_in_jail(start_result, data, mode)
    except ModelError as error:
        protocol.write_message(stdout, {"ready": False, "message": str(error)})
        return error.exit_code
    ready = {
        "ready": True,
        "model": mode.name,
        "jail": [layer.as_dict() for layer in layers],
        "telemetry_off": os.environ.get("ORT_DISABLE_TELEMETRY") == "1",
        "provider": start_result.as_dict(),
    }
    protocol.write_message(stdout, ready)
    budget = memory.Budget(MAX_PIXELS_IN_FLIGHT)
    if ensemble is not None:
        serve(stdin, stdout, Pipeline(ensemble, budget))
        return 0

    def load_pipeline() -> Pipeline:
        own = _load_in_jail(start_result, data, mode)
        every = inference.with_models(own, data, modes.BEST.models, usable_cpu_count())
        return Pipeline(every, budget, Mender)

    touchup.serve(stdin, stdout, load_pipeline)
    return 0


if __name__ == "__main__":
    sys.exit(main())
