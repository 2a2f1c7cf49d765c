"""The parent's side of the worker process: starts, feeds, reads, ends and replaces it. No image code."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Self, cast

from watcher import paths
from watcher.errors import ModelError, WorkerError
from watcher.jail.limited_pipe import LimitedPipe
from watcher.matting import memory
from watcher.matting.modes import DEFAULT, Mode
from watcher.matting.networks import providers, runtime
from watcher.settings import config
from watcher.worker import answers, protocol, starter

logger = logging.getLogger(__name__)

PICTURE_TIMEOUT_SECONDS = 300.0
"""Longest wait for a message: for 250 megapixels, the fastest machine takes 10 s, a slow one 100 s."""
FRAME_SECONDS = 30.0
"""The longest time that one more frame of an animation plausibly takes, on a slow machine in the mode `best`."""
START_TIMEOUT_SECONDS = 120.0
"""Longest wait for a message at the start: the worker may load its models from a slow disk."""
_STOP_POLL_SECONDS = 0.25
_DEATH_WAIT_SECONDS = 5.0
"""Longest wait for the exit code of a worker whose output has ended."""


def never_stop() -> bool:
    """Return False: the default of `should_stop` parameters."""
    return False


class WorkerDiedError(Exception):
    """The worker ended, or its parent had to end it, before it answered.

    `reason` is a key of errors.REASONS; `detail`, if not empty, is the sentence to show in its place.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


NO_MEMORY_TEXT = (
    "there was not enough memory, so the system ended nobg's worker. Close other programs, or make the picture smaller."
)
"""What a job's `detail` says if the system's out-of-memory killer has ended the worker."""
KILLED_TEXT = "another program ended nobg's worker, perhaps because memory ran short. Try again."
"""The same if the signal SIGKILL or SIGTERM came from a program."""


TOO_SLOW_TEXT = "It took longer than two minutes. Try again when the computer or its disk is less busy."
"""What follows if a worker is ended since it did not start in time."""


class DriverError(Exception):
    """The worker ended while it tried the accelerator `name`; `key` is the key of the trial."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.name = key.partition(" ")[0]


class StoppedError(Exception):
    """`should_stop` returned True during a wait for the worker."""


def worker_environment() -> dict[str, str]:
    """Return the worker's whole environment: the paths of modules and added models, no telemetry, little memory."""
    environment = {
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": os.pathsep.join(paths.module_folders()),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",  # numpy would start its threads before the jail that must bind them
        "MALLOC_ARENA_MAX": "2",  # glibc otherwise gives each thread an arena of its own
        "NOBG_MODELS": str(paths.models_dir()),  # without HOME, the worker cannot derive it
    }
    for name in ("SYSTEMROOT", "TEMP"):  # Windows starts no program without SYSTEMROOT
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment


def worker_command(mode: Mode) -> list[str]:
    """Return the command that starts the worker. -P keeps modules in the current folder out of it."""
    return [sys.executable, "-P", "-m", "watcher.worker.process", mode.name]


class Worker:
    """One worker process. As a context manager, it ends the process at the end, whatever it is doing."""

    def __init__(
        self,
        mode: Mode = DEFAULT,
        provider: str = providers.CPU,
        *,
        for_touchup: bool = False,
        contained: bool = True,
    ) -> None:
        """Start the process, without waiting until it is ready. `provider`: one of `providers.NAMES`.

        `contained`: in an AppContainer, where there are any.
        """
        command = [*worker_command(mode), protocol.TOUCHUP_ARGUMENT] if for_touchup else worker_command(mode)
        self.is_accelerated = self.has_died = self._has_lied = False
        self._log = paths.open_log("worker.log")
        self._log_pipe = LimitedPipe(self._log)
        self._kill_count_before = memory.kill_count()
        try:
            environment = worker_environment() | providers.environment(provider, providers.recall(time.time()))
            errors = self._log_pipe.write_end
            process = starter.start_contained(command, environment, errors) if contained else None
            self.is_contained = process is not None
            self._process = process or starter.start_in_lasting_thread(
                lambda: subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=environment,
                    cwd=os.path.abspath(os.sep),
                    start_new_session=True,  # Ctrl-C must reach the parent only, which ends the worker
                    creationflags=paths.NO_CONSOLE,  # so it does on Windows
                )
            )
        finally:
            self._log_pipe.close_write_end()
        self._stdin = cast("BinaryIO", self._process.stdin)
        self._stdout = cast("BinaryIO", self._process.stdout)
        # Ctrl-C may arrive inside `put`: in a Queue, it can lose the wake-up of the thread that `close` then waits for.
        self._outgoing: queue.SimpleQueue[tuple[protocol.Header, bytes] | None] = queue.SimpleQueue()
        self._incoming: queue.SimpleQueue[tuple[protocol.Header, bytes] | None] = queue.SimpleQueue()
        self._expected = answers.Expected()
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._write_messages, self._read_messages)
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
        self._log_pipe.join()
        for stream in (self._stdin, self._stdout, self._log):
            with contextlib.suppress(OSError):
                stream.close()

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    def wait_until_ready(self, should_stop: Callable[[], bool] = never_stop) -> protocol.Header:
        """Wait for the worker's ready message and return its header, with the layers of the jail.

        Raises ModelError, WorkerError, DriverError, StoppedError.
        """
        trial_key = None
        try:
            while "trying" in (header := self.receive(START_TIMEOUT_SECONDS, should_stop)[0]):
                trial_key = header["trying"]
        except WorkerDiedError as error:
            if trial_key is not None:
                providers.remember({trial_key: "its driver crashes or hangs"}, time.time())
                raise DriverError(trial_key) from error
            if error.detail:
                raise WorkerError(f"The part of nobg that works on pictures does not start: {error.detail}") from error
            why = TOO_SLOW_TEXT if error.reason == "timeout" else runtime.why_missing()
            why = why or f"{paths.state_dir() / 'worker.log'} says why; installing nobg again may help."
            raise WorkerError(f"The part of nobg that works on pictures does not start. {why}") from error
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
        """Queue a message to the worker, without waiting until it is read."""
        self._expected.add(header)
        self._outgoing.put((header, data))

    def receive(self, timeout: float, should_stop: Callable[[], bool] = never_stop) -> tuple[protocol.Header, bytes]:
        """Wait for the next answer. Raises WorkerDiedError, and StoppedError as soon as `should_stop` returns True.

        `timeout`: seconds without a message. Each progress message of an animation restarts the count, but all of them
        together extend it by at most `FRAME_SECONDS` each.
        """
        max_polls = max(1, round(timeout / _STOP_POLL_SECONDS))
        polls_left = max_polls  # not a deadline: the clock runs on while Ctrl-Z has stopped this process
        spare_polls = max_polls
        while polls_left > 0:
            polls_left -= 1
            if should_stop():
                raise StoppedError
            with contextlib.suppress(queue.Empty):
                message = self._incoming.get(timeout=_STOP_POLL_SECONDS)
                if message is None:
                    self.has_died = True
                    raise WorkerDiedError("worker_died", self._describe_death())
                if "frames" not in message[0]:
                    return message
                spare_polls += round(FRAME_SECONDS / _STOP_POLL_SECONDS)
                extension = min(max_polls - polls_left, spare_polls)
                polls_left += extension
                spare_polls -= extension
        self._process.kill()
        self.has_died = True
        raise WorkerDiedError("timeout")

    def _describe_death(self) -> str:
        """Return the sentence if the system or another program killed the process; "" if it ended by itself or lied."""
        try:
            code = self._process.wait(_DEATH_WAIT_SECONDS)
        except subprocess.TimeoutExpired:  # it has closed its output, but goes on
            return ""
        if self._has_lied or sys.platform == "win32" or code not in (-signal.SIGKILL, -signal.SIGTERM):
            return ""
        counts = self._kill_count_before, memory.kill_count()
        return NO_MEMORY_TEXT if code == -signal.SIGKILL and counts[0] != counts[1] else KILLED_TEXT

    def _write_messages(self) -> None:
        while (message := self._outgoing.get()) is not None:
            try:
                protocol.write_message(self._stdin, *message)
            except OSError:
                return  # the worker is gone; `_read_messages` notices that, too

    def _read_answer(self) -> tuple[protocol.Header, bytes] | None:
        return protocol.read_message(self._stdout, self._expected.check, protocol.MAX_ANSWER_HEADER_BYTES)

    def _read_messages(self) -> None:
        try:
            while (message := self._read_answer()) is not None:
                self._incoming.put(message)
        except (protocol.ProtocolError, OSError, MemoryError) as error:
            logger.warning("The worker's output ended early: %s", error)
            if not isinstance(error, protocol.TruncatedError):
                self._has_lied = True
                self._process.kill()  # it may have been taken over
        self._incoming.put(None)


def start_worker(
    mode: Mode,
    provider: str,
    should_stop: Callable[[], bool] = never_stop,
    *,
    for_touchup: bool = False,
) -> tuple[Worker, protocol.Header]:
    """Start a worker; return it when it is ready, with the header of its ready message.

    If an accelerator's driver crashes or hangs a worker, the next worker does not use that accelerator. If a worker
    does not become ready in an AppContainer, the next is in none. Raises ModelError, WorkerError, StoppedError.
    """
    failed: set[str] = set()
    notice: str | None = None
    container_failure = ""
    while True:
        worker = Worker(mode, provider, for_touchup=for_touchup, contained=not container_failure)
        try:
            header = worker.wait_until_ready(should_stop)
        except DriverError as error:
            worker.close()
            notice = f"nobg cannot compute on {error.name}: its driver crashes or hangs."
            logger.info(notice)
            if provider != providers.AUTO or error.name in failed:
                provider = providers.CPU  # nothing else was requested, or providers.json could not be written
            failed.add(error.name)
        except (ModelError, WorkerError) as error:
            worker.close()
            if not worker.is_contained:
                raise
            container_failure = starter.describe_failure(error, getattr(error.__cause__, "reason", ""))
        except BaseException:
            worker.close()
            raise
        else:
            if notice is not None:
                header.setdefault("provider", {})["told"] = notice
            if container_failure:  # now that the other way has worked, the AppContainer is the cause
                starter.give_up_container(container_failure)
            _report_container(header)
            return worker, header


def _report_container(header: protocol.Header) -> None:
    """Add to the layers that the worker reports why this program starts it in no AppContainer, if it cannot."""
    if problem := starter.container_problem():
        logger.info("The worker is in no AppContainer: %s", problem)
        header["jail"].append({"name": "AppContainer", "active": False, "detail": f"not used: {problem}"})


def configured_provider() -> str:
    """Return the setting `provider`; while config.toml is invalid, that of its last good copy."""
    return config.load_or_last_good(paths.config_path(), paths.state_dir() / config.LAST_GOOD_FILE).provider


class Supervisor:
    """Manages the one worker of a program: starts it when there is work, keeps it, and replaces it when it dies."""

    def __init__(
        self,
        default_mode: Mode = DEFAULT,
        on_ready: Callable[[protocol.Header], None] = lambda _header: None,
        *,
        for_touchup: bool = False,
    ) -> None:
        """`default_mode`: for recipes that name none. `on_ready`: gets the header of each worker's ready message.

        `for_touchup`: start workers that also touch up.
        """
        self.default_mode = default_mode
        self._on_ready = on_ready
        self._provider_override: str | None = None
        self._worker: Worker | None = None
        self._worker_mode: Mode | None = None
        self._for_touchup = self._always_for_touchup = for_touchup

    @property
    def touches_up(self) -> bool:
        """Whether the running worker, or else the next one, can apply a person's edits."""
        return self._for_touchup

    def ensure_worker(
        self, mode: Mode | None = None, should_stop: Callable[[], bool] = never_stop, *, for_touchup: bool | None = None
    ) -> Worker:
        """Return the worker; start one if there is none, or if the worker has another mode than `mode`.

        `mode`: None keeps the running worker, or starts one in the default mode. Request another mode only while
        the worker has no picture, since its process ends. `for_touchup`: whether it must be able to apply edits;
        None: no matter. Raises ModelError, WorkerError, StoppedError.
        """
        wanted = self._for_touchup if for_touchup is None else for_touchup or self._always_for_touchup
        if wanted != self._for_touchup:
            self.stop_worker()
            self._for_touchup = wanted
        if mode is not None and mode != self._worker_mode:
            self.stop_worker()
        if self._worker is None:
            self._worker_mode = mode or self.default_mode
            options = {"for_touchup": True} if self._for_touchup else {}
            provider = self._provider_override or configured_provider()
            self._worker, header = start_worker(self._worker_mode, provider, should_stop, **options)
            self._on_ready(header)
        return self._worker

    def discard_ended_worker(self) -> None:
        """Forget a worker whose process has ended. Call it while the worker has no picture."""
        if self._worker is not None and self._worker.has_ended:
            self.stop_worker()

    def stop_worker(self) -> None:
        """End the worker, whatever it is doing; if it died on an accelerator, the next ones use the processor."""
        worker, self._worker = self._worker, None
        if worker is not None:
            if worker.is_accelerated and (worker.has_died or worker.has_ended):
                logger.warning("The worker died while it computed on an accelerator; the next uses the processor.")
                self._provider_override = providers.CPU
            worker.close()
