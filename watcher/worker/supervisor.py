"""The worker process seen from outside: how it is started, fed, listened to and ended; no image code."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Self, cast

from watcher import config, paths
from watcher.errors import ModelError, WorkerError
from watcher.matting import providers
from watcher.matting.modes import DEFAULT, Mode
from watcher.worker import protocol

logger = logging.getLogger(__name__)

PICTURE_TIMEOUT_SECONDS = (
    300.0  # seconds without an answer: the fastest machine takes 10 s for 250 megapixels, slow ones 100 s
)
START_TIMEOUT_SECONDS = 120.0  # seconds to load the model from a slow disk
_STOP_POLL_SECONDS = 0.25  # seconds between looks at whether to stop


def never_stop() -> bool:
    """Nobody wants us to stop."""
    return False


class WorkerDiedError(Exception):
    """The worker ended, or had to be ended, while it had pictures in hand. `reason` is a job reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DriverError(Exception):
    """The worker ended while it tried an accelerator, `name`."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.name = key.partition(" ")[0]


class StoppedError(Exception):
    """We are to stop; the worker was not asked."""


def worker_environment() -> dict[str, str]:
    """All that the worker knows of the outside: where Python's modules are, and how to keep quiet and small."""
    environment = {
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",  # numpy's threads would start before the jail that must hold them
        "MALLOC_ARENA_MAX": "2",  # glibc otherwise keeps memory apart for every thread
        "NOBG_MODELS": str(paths.models_dir()),  # it has no HOME to find them by
    }
    for name in ("SYSTEMROOT", "TEMP"):  # Windows starts no program without the first
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment


def worker_command(mode: Mode) -> list[str]:
    """How the worker is started; -P: not with a module from the folder a person happens to be in."""
    return [sys.executable, "-P", "-m", "watcher.worker.process", mode.name]


class Worker:
    """One worker process. Use as a context manager; it is ended at the end, whatever it is doing."""

    def __init__(self, mode: Mode = DEFAULT, provider: str = providers.CPU) -> None:
        """Start it, without waiting until it is ready. `provider`: one of providers.NAMES."""
        self.is_accelerated = self.has_died = False
        self._log = paths.open_log("worker.log")
        self._process = subprocess.Popen(
            worker_command(mode),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=worker_environment() | providers.environment(provider, providers.recall(time.time())),
            cwd=os.path.abspath(os.sep),
            start_new_session=True,  # Ctrl-C is for us; we end the worker
        )
        self._stdin = cast("BinaryIO", self._process.stdin)
        self._stdout = cast("BinaryIO", self._process.stdout)
        self._outgoing: queue.Queue[tuple[protocol.Header, bytes] | None] = queue.Queue()
        self._incoming: queue.Queue[tuple[protocol.Header, bytes] | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=act, daemon=True) for act in (self._write_messages, self._read_messages)
        ]
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
    def has_ended(self) -> bool:
        """Is the process gone?"""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The worker's process number."""
        return self._process.pid

    def wait_until_ready(self, should_stop: Callable[[], bool] = never_stop) -> protocol.Header:
        """The worker's first frame: what jails it. Raises ModelError, WorkerError, DriverError, StoppedError."""
        trying = None
        try:
            while "trying" in (header := self.receive(START_TIMEOUT_SECONDS, should_stop)[0]):
                trying = header["trying"]
        except WorkerDiedError as error:
            if trying is not None:
                providers.remember({trying: "its driver does not come to an end, or ends the program"}, time.time())
                raise DriverError(trying) from error
            raise WorkerError(
                "The part of nobg that works on pictures does not start. "
                f"{paths.state_dir() / 'worker.log'} says why; installing nobg again may help."
            ) from error
        if not header["ready"]:
            raise ModelError(header["message"])
        provider = header.get("provider", {})
        providers.remember(provider.get("tried", {}), time.time())
        self.is_accelerated = provider.get("name", providers.CPU) != providers.CPU
        if provider.get("told"):
            logger.info("%s", provider["told"])
        for layer in header["jail"]:
            if not layer["active"]:
                logger.info("The jail lacks a layer, %s: %s", layer["name"], layer["detail"])
        return header

    def send(self, header: protocol.Header, data: bytes = b"") -> None:
        """Put a frame on its way, without waiting until the worker takes it."""
        self._outgoing.put((header, data))

    def receive(self, timeout: float, should_stop: Callable[[], bool] = never_stop) -> tuple[protocol.Header, bytes]:
        """The next answer. Raises WorkerDiedError, and StoppedError as soon as `stop` says so.

        `timeout`: seconds without a sign of life; each frame of an animation is one.
        """
        looks = most = max(
            1, round(timeout / _STOP_POLL_SECONDS)
        )  # in time that we were running: somebody may press Ctrl-Z
        while looks > 0:
            looks -= 1
            if should_stop():
                raise StoppedError
            with contextlib.suppress(queue.Empty):
                frame = self._incoming.get(timeout=_STOP_POLL_SECONDS)
                if frame is None:
                    self.has_died = True
                    raise WorkerDiedError("worker_died")
                if "frames" not in frame[0]:
                    return frame
                looks = most
        self._process.kill()
        self.has_died = True
        raise WorkerDiedError("timeout")

    def _write_messages(self) -> None:
        while (frame := self._outgoing.get()) is not None:
            try:
                protocol.write_message(self._stdin, *frame)
            except OSError:
                return  # the worker is gone; _read tells

    def _read_messages(self) -> None:
        try:
            while (frame := protocol.read_message(self._stdout)) is not None:
                self._incoming.put(frame)
        except (protocol.ProtocolError, OSError) as error:
            logger.info("The worker's stream broke off: %s", error)
        self._incoming.put(None)


def start_worker(
    mode: Mode, provider: str, should_stop: Callable[[], bool] = never_stop
) -> tuple[Worker, protocol.Header]:
    """A worker that is ready, and what it said. Raises ModelError, WorkerError, StoppedError.

    One that a driver takes down is followed by one that knows of it; the last knows of all, and uses the processor.
    """
    failed: set[str] = set()
    told: str | None = None
    while True:
        worker = Worker(mode, provider)
        try:
            header = worker.wait_until_ready(should_stop)
        except DriverError as error:
            worker.close()
            told = f"nobg cannot compute on {error.name}: its driver ends the program, or does not come to an end."
            logger.info(told)
            if provider != providers.AUTO or error.name in failed:
                provider = providers.CPU  # asked for by name; or what was learnt could not be kept
            failed.add(error.name)
        except BaseException:
            worker.close()
            raise
        else:
            if told is not None:
                header.setdefault("provider", {})["told"] = told
            return worker, header


def configured_provider() -> str:
    """What the settings say of accelerators; while they are wrong, their last good copy."""
    return config.load_or_last_good(paths.config_path(), paths.state_dir() / config.LAST_GOOD_FILE).provider


class Supervisor:
    """The one worker of a program: started when there is work, kept until it is sent home, replaced when it dies."""

    def __init__(
        self, default_mode: Mode = DEFAULT, on_ready: Callable[[protocol.Header], None] = lambda _header: None
    ) -> None:
        """`mode`: for what asks for no other. `ready` is told what each new worker says of itself."""
        self.default_mode = default_mode
        self._on_ready = on_ready
        self._provider_override: str | None = None
        self._worker: Worker | None = None
        self._worker_mode: Mode | None = None

    def ensure_worker(self, mode: Mode | None = None, should_stop: Callable[[], bool] = never_stop) -> Worker:
        """The worker, started now if need be; `mode`: None is that of the worker that is there, else the usual one.

        A worker in another mode is sent home: to be asked for only while it has nothing in hand.
        Raises ModelError, WorkerError, StoppedError.
        """
        if mode is not None and mode != self._worker_mode:
            self.stop_worker()
        if self._worker is None:
            self._worker_mode = mode or self.default_mode
            self._worker, header = start_worker(
                self._worker_mode, self._provider_override or configured_provider(), should_stop
            )
            self._on_ready(header)
        return self._worker

    def discard_ended_worker(self) -> None:
        """To be called while the worker has nothing in hand: one that has ended all the same is forgotten."""
        if self._worker is not None and self._worker.has_ended:
            self.stop_worker()

    def stop_worker(self) -> None:
        """End the worker, whatever it is doing."""
        worker, self._worker = self._worker, None
        if worker is not None:
            if worker.is_accelerated and (worker.has_died or worker.has_ended):
                logger.warning("The worker died while it computed on an accelerator; the next uses the processor.")
                self._provider_override = providers.CPU
            worker.close()
