"""Pictures through the worker: starts it, feeds it ahead, names the culprit when it dies, publishes what it makes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from watcher import commit, frames, paths
from watcher.errors import ModelError, PictureError, PlaceError, WorkerError
from watcher.jobs import Journal
from watcher.models import DEFAULT, Model
from watcher.naming import output_paths

logger = logging.getLogger(__name__)

AHEAD = 3  # pictures in the worker's hands: one being decoded, one in the network, one being encoded
BYTES_AHEAD = 64 << 20  # file bytes in the worker's hands, beyond the first picture
PICTURE_TIME = 300.0  # seconds without an answer: the fastest machine takes 10 s for 250 megapixels, slow ones 100 s
START_TIME = 120.0  # seconds to load the model from a slow disk
DEATHS = 3  # so often may a picture take the worker down before it has failed


@dataclass(frozen=True)
class Result:
    """What became of one source; the fields are those of `--json`. `detail` completes the reason in words."""

    id: int | None
    source: Path
    state: str
    output: Path | None = None
    reason: str | None = None
    detail: str = ""
    seconds: float = 0.0
    model: str = DEFAULT.name
    verdict: str | None = None
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The job as the contract of `--json` names it."""
        return {
            "id": self.id,
            "source": str(self.source),
            "output": None if self.output is None else str(self.output),
            "state": self.state,
            "reason": self.reason,
            "seconds": self.seconds,
            "model": self.model,
            "verdict": self.verdict,
            "notes": list(self.notes),
        }


class WorkerDiedError(Exception):
    """The worker ended, or had to be ended, while it had pictures in hand. `reason` is a job reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def worker_environment() -> dict[str, str]:
    """All that the worker knows of the outside: where Python's modules are, and how to keep quiet and small."""
    environment = {
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",  # numpy's threads would start before the jail that must hold them
        "MALLOC_ARENA_MAX": "2",  # glibc otherwise keeps memory apart for every thread
    }
    for name in ("SYSTEMROOT", "TEMP"):  # Windows starts no program without the first
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment


def worker_command(model: Model) -> list[str]:
    """How the worker is started; -P: not with a module from the folder a person happens to be in."""
    return [sys.executable, "-P", "-m", "watcher.worker", model.name]


class Worker:
    """One worker process. Use as a context manager; it is ended at the end, whatever it is doing."""

    def __init__(self, model: Model = DEFAULT) -> None:
        """Start it, without waiting until it is ready."""
        self._log = paths.open_log("worker.log")
        self._process = subprocess.Popen(
            worker_command(model),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=worker_environment(),
            cwd=os.path.abspath(os.sep),
            start_new_session=True,  # Ctrl-C is for us; we end the worker
        )
        self._stdin = cast("BinaryIO", self._process.stdin)
        self._stdout = cast("BinaryIO", self._process.stdout)
        self._outgoing: queue.Queue[tuple[frames.Header, bytes] | None] = queue.Queue()
        self._incoming: queue.Queue[tuple[frames.Header, bytes] | None] = queue.Queue()
        self._threads = [threading.Thread(target=act, daemon=True) for act in (self._write, self._read)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._outgoing.put(None)
        for thread in self._threads:
            thread.join()
        for stream in (self._stdin, self._stdout, self._log):
            with contextlib.suppress(OSError):
                stream.close()

    @property
    def pid(self) -> int:
        """The worker's process number."""
        return self._process.pid

    def wait_until_ready(self) -> frames.Header:
        """The worker's first frame: what jails it. Raises ModelError, WorkerError."""
        try:
            header, _ = self.receive(START_TIME)
        except WorkerDiedError as error:
            raise WorkerError(
                "The part of nobg that works on pictures does not start. "
                f"{paths.state_dir() / 'worker.log'} says why; installing nobg again may help."
            ) from error
        if not header["ready"]:
            raise ModelError(header["message"])
        for layer in header["jail"]:
            if not layer["active"]:
                logger.info("The jail lacks a layer, %s: %s", layer["name"], layer["detail"])
        return header

    def send(self, header: frames.Header, data: bytes = b"") -> None:
        """Put a frame on its way, without waiting until the worker takes it."""
        self._outgoing.put((header, data))

    def receive(self, timeout: float) -> tuple[frames.Header, bytes]:
        """The next answer. Raises WorkerDiedError."""
        for _ in range(max(1, round(timeout))):  # in seconds that we were running: a person may have pressed Ctrl-Z
            with contextlib.suppress(queue.Empty):
                frame = self._incoming.get(timeout=1.0)
                if frame is None:
                    raise WorkerDiedError("worker_died")
                return frame
        self._process.kill()
        raise WorkerDiedError("timeout")

    def _write(self) -> None:
        while (frame := self._outgoing.get()) is not None:
            try:
                frames.write(self._stdin, *frame)
            except OSError:
                return  # the worker is gone; _read tells

    def _read(self) -> None:
        try:
            while (frame := frames.read(self._stdout)) is not None:
                self._incoming.put(frame)
        except (frames.FrameError, OSError) as error:
            logger.info("The worker's stream broke off: %s", error)
        self._incoming.put(None)


@dataclass
class _Task:
    """One source on its way."""

    path: Path
    source: commit.Source | None = None
    deaths: int = field(default=0)


def run(
    sources: Iterable[Path],
    journal: Journal,
    *,
    folder: Path | None = None,
    force: bool = False,
    model: Model = DEFAULT,
) -> Iterator[Result]:
    """Do `sources`, in order, and yield what became of each as it is known.

    `folder`: where outputs go; None: beside each source. `force`: also what was done before, or shows no clear subject.
    Raises ModelError, WorkerError, and PlaceError when the disk is full; what was yielded until then is done.
    """
    waiting = deque(_Task(path) for path in sources)
    under_way: deque[_Task] = deque()
    worker: Worker | None = None
    settings = _Settings(journal, folder, force, model)
    try:
        while waiting or under_way:
            while waiting and _has_room(under_way, waiting[0]):
                task = waiting.popleft()
                result = _take_up(task, settings)
                if result is not None:
                    yield result
                    continue
                if worker is None:
                    worker = Worker(model)
                    worker.wait_until_ready()
                assert task.source is not None
                worker.send({"id": id(task), "force": force}, task.source.data)
                under_way.append(task)
            if not under_way:
                continue
            assert worker is not None
            try:
                header, png = worker.receive(PICTURE_TIME)
            except WorkerDiedError as death:
                worker.close()
                worker = None
                yield from _after_death(death.reason, under_way, waiting, settings)
                continue
            yield _conclude(under_way.popleft(), header, png, settings)
    finally:
        if worker is not None:
            worker.close()


@dataclass(frozen=True)
class _Settings:
    """What is the same for all pictures of a run."""

    journal: Journal
    folder: Path | None
    force: bool
    model: Model

    @property
    def recipe(self) -> str:
        """What tells this way of doing a source from others, as the journal keeps it: JSON, defaults left out."""
        return json.dumps({} if self.folder is None else {"folder": os.fsencode(self.folder).hex()})

    def record(self, path: Path, source_hash: str, **result: Any) -> int:
        return self.journal.record(path, source_hash, self.recipe, self.model.name, **result)


def _has_room(under_way: deque[_Task], following: _Task) -> bool:
    """May the worker be given one more? A picture that was there when it died is given alone."""
    if not under_way:
        return True
    if following.deaths or under_way[-1].deaths:
        return False
    size = sum(len(task.source.data) for task in under_way if task.source)
    return len(under_way) < AHEAD and size < BYTES_AHEAD


def _take_up(task: _Task, settings: _Settings) -> Result | None:
    """Read the source; the result, if there is nothing for the worker to do."""
    try:
        task.source = commit.read_source(task.path)
    except PictureError as error:
        return _failed(task, error.reason, error.detail, settings)
    if settings.force:
        return None
    known = settings.journal.find(task.path, task.source.sha256, settings.recipe)
    if known is None or known.output is None or not os.path.lexists(known.output):
        return None
    there = commit.sha256_of(known.output)
    if there != known.output_hash and (
        known.state == "active" or (there and settings.journal.wrote(task.path, known.output, there))
    ):
        return None  # planned, but never published; or since replaced by us, when the source was another for a while
    if known.state == "active":  # published, and then the power went
        settings.journal.finish(known.id)
    return Result(
        known.id, task.path, "skipped", known.output, "already_done", model=known.model, verdict=known.verdict
    )


def _after_death(reason: str, under_way: deque[_Task], waiting: deque[_Task], settings: _Settings) -> Iterator[Result]:
    """Put back what the worker had in hand, to be given alone; fail what has seen it die too often."""
    alone = len(under_way) == 1
    for task in reversed(under_way):
        task.deaths += 1
        if task.deaths < DEATHS and not (alone and reason == "timeout"):
            waiting.appendleft(task)
        else:
            yield _failed(task, reason, "", settings)
    under_way.clear()


def _failed(task: _Task, reason: str, detail: str, settings: _Settings, seconds: float = 0.0) -> Result:
    source_hash = task.source.sha256 if task.source else ""
    number = settings.record(
        task.path, source_hash, state="failed", reason=reason, detail=detail, seconds=seconds, attempts=task.deaths
    )
    return Result(number, task.path, "failed", None, reason, detail, seconds, settings.model.name)


def _conclude(task: _Task, header: frames.Header, png: bytes, settings: _Settings) -> Result:
    """Publish what the worker made of `task`, or record why there is nothing to publish."""
    assert task.source is not None
    assert header["id"] == id(task)
    verdict, seconds = header.get("verdict"), header["seconds"]
    if header["state"] == "failed":
        return _failed(task, header["reason"], header["detail"], settings, seconds)
    if header["state"] == "skipped":
        number = settings.record(
            task.path, task.source.sha256, state="skipped", reason=header["reason"], verdict=verdict, seconds=seconds
        )
        return Result(number, task.path, "skipped", None, header["reason"], "", seconds, settings.model.name, verdict)
    try:
        number, output = _publish(task, png, settings, verdict=verdict, seconds=seconds)
    except PictureError as error:
        return _failed(task, error.reason, error.detail, settings, seconds)
    notes = tuple(header["notes"])
    return Result(number, task.path, "done", output, None, "", seconds, settings.model.name, verdict, notes)


def _publish(task: _Task, png: bytes, settings: _Settings, **known: Any) -> tuple[int, Path]:
    """Enter the output in the journal, then let it appear, under the first name that is free or ours."""
    assert task.source is not None
    digest = hashlib.sha256(png).hexdigest()
    for target in output_paths(task.path, settings.folder):
        there = None
        if os.path.lexists(target):
            there = None if target.is_symlink() else commit.sha256_of(target)
            if there is None or not settings.journal.wrote(task.path, target, there):
                continue
        number = settings.record(
            task.path, task.source.sha256, state="active", output=target, output_hash=digest, **known
        )
        try:
            if there is None:
                commit.publish(target, png, task.source.mode)
            else:
                commit.replace(target, png, task.source.mode, there)
        except FileExistsError:
            if commit.sha256_of(target) != digest:  # the same: a second run on this picture was faster
                continue
        except PlaceError:
            settings.record(task.path, task.source.sha256, state="queued", **known)
            raise
        settings.journal.finish(number)
        return number, target
    raise AssertionError("there is always a next name")
