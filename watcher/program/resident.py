"""The resident program: one instance, its threads, its start and its clean stop. It decides nothing about pictures."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from watcher import lock as file_lock
from watcher import paths
from watcher.errors import NobgError, for_terminal
from watcher.folders.watch import Watcher
from watcher.matting import modes
from watcher.program import damage
from watcher.program.live_config import Settings
from watcher.program.log import LOG_FILE_NAME, set_up_logging
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import JournalQueue
from watcher.settings.config import LAST_GOOD_FILE
from watcher.worker import protocol
from watcher.worker.dispatch import process_queue
from watcher.worker.supervisor import Supervisor

logger = logging.getLogger(__name__)

WORKER_IDLE_SECONDS = 60.0  # time without work after which the worker is stopped, to free its memory
QUEUE_POLL_SECONDS = 3.0  # time between checks of the queue; a client that adds a job also wakes the program
SUMMARY_POLL_SECONDS = 0.5  # the same while a notification about finished jobs is due
CHECK_INTERVAL_SECONDS = 5.0  # time between checks of paused destinations and of jobs.db
RESTART_DELAY_SECONDS = 5.0  # pause after a session has failed
WORKER_RETRY_SECONDS = 60.0  # pause after the worker or its model has failed; a client's wake-up ends it early
SHUTDOWN_TIMEOUT_SECONDS = 10.0  # how long to wait for the threads to end when the program stops
DESKTOP_TIMEOUT_SECONDS = 10.0  # how long the rest of the program may take after them: a frozen desktop can block it
_JOIN_POLL_SECONDS = 0.05  # time between checks whether they have ended
ENDING_TIMEOUT_SECONDS = 30.0  # how long to wait for a program that is ending
LOCK_TIMEOUT_SECONDS = 1.0  # how long to try to get the lock: a command that checks whether nobg runs holds it briefly


def take_lock(state: Path, inherited: int | None = None) -> int | None:
    """Return the descriptor of the lock that only one program can hold, or None if another nobg runs.

    If the other one is ending, wait for its end: it takes no more jobs.

    `inherited`: the descriptor of the client that started this process and holds the lock already.
    """
    if inherited is not None:
        os.set_inheritable(inherited, False)  # else the worker would hold the lock after the program has ended
    lock = inherited if inherited is not None else file_lock.acquire(str(state), LOCK_TIMEOUT_SECONDS)
    deadline = time.monotonic() + ENDING_TIMEOUT_SECONDS
    while lock is None and file_lock.is_ending(str(state)) and time.monotonic() < deadline:
        lock = file_lock.acquire(str(state), LOCK_TIMEOUT_SECONDS)
    if lock is not None:
        file_lock.write_pid(lock)
    return lock


class UserInterface(Protocol):
    """Shows the running program to a person. Implemented in desktop.ui, because this wing cannot import desktop."""

    def run(self, stop: threading.Event) -> None:
        """Show the program until `stop` is set. Called in the main thread."""

    def on_job_finished(self, job: Job) -> None:
        """Take note of a job that has reached a final state."""

    def on_queue_idle(self, *, notifications: bool) -> bool:
        """Take note that no job can be done now. Return whether a notification is still due: then call again soon."""

    def on_records_damaged(self, text: str) -> None:
        """Show what happened to damaged records. `text` is in parts."""


def run(
    state: Path,
    lock: int,
    on_started: Callable[[str | None], None],
    open_ui: Callable[[Path, Callable[[], None]], UserInterface] | None = None,
) -> None:
    """Do all jobs, old and new, until SIGTERM, SIGINT or SIGHUP arrives, Windows asks for the end or the person quits.

    `state`: the state folder. `lock`: from take_lock. `on_started` is called once, with the problem of the settings or
    None. `open_ui` returns the user interface, given the state folder and the function that ends the program; None:
    there is no user interface (`--no-tray`). Raises DestinationError if the log cannot be written.
    """
    handler = set_up_logging(state / LOG_FILE_NAME)
    warnings.filterwarnings("ignore", module="watchdog")  # it issues long warnings when two folders appear at once
    stop, session_over = threading.Event(), threading.Event()
    program: _SessionThread | None = None

    def request_stop(*_: object) -> None:
        stop.set()
        session_over.set()
        if program is not None:
            program.write_ending()

    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):  # nohup ignores it
            signal.signal(number, request_stop)
    logger.info("Started, process %d", os.getpid())
    settings = Settings(paths.config_path(), state / LAST_GOOD_FILE)
    settings.reload_if_changed()
    on_started(settings.problem)
    ui = None if open_ui is None else open_ui(state, request_stop)
    program = _SessionThread(lambda: _Session(state, settings, ui, stop, session_over).run(), state, lock, stop)
    with _system_requests(request_stop):  # the block's end may be the end of the process
        try:
            program.start()
            if ui is not None:
                ui.run(stop)
            program.join()
        finally:
            logger.info("Stopped")
            logging.getLogger().removeHandler(handler)
            with contextlib.suppress(OSError):  # the disk may be full
                handler.close()
    if program.failure is not None:
        raise program.failure


def _system_requests(request_stop: Callable[[], object]) -> contextlib.AbstractContextManager[object]:
    """While the block runs, call `request_stop` if the system asks nobg to end by other means than a signal."""
    if sys.platform == "win32":
        from watcher.program.windows_end import EndRequests

        return EndRequests(request_stop)
    return contextlib.nullcontext()


class _SessionThread(threading.Thread):
    """Runs one session after another. The icon has the main thread, because macOS requires it there."""

    def __init__(self, run_session: Callable[[], None], state: Path, lock: int, stop: threading.Event) -> None:
        """`run_session` runs one session and returns at its end. `lock`: from take_lock. `stop` ends the program."""
        super().__init__(name="program")
        self._run_session = run_session
        self._state = state
        self._lock = lock
        self._stop_program = stop
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Run sessions until the program must stop. An exception here stops it and is stored in `failure`."""
        try:
            while not self._stop_program.is_set() and self._ensure_lock():
                self._run_session()
        except BaseException as error:  # noqa: BLE001  the main thread raises it again
            self.failure = error
        finally:
            self._stop_program.set()
            self.write_ending()
            threading.Thread(target=self._end_process, name="end", daemon=True).start()

    def write_ending(self) -> None:
        """Write into the lock that this program takes no more jobs: a click from now on is the next program's."""
        file_lock.write_ending(self._lock)

    def _end_process(self) -> None:
        """End the process if the main thread does not: all work has stopped cleanly, and only the desktop is left.

        The main thread, or a thread that Python waits for at the end, can wait for an X server that does not answer.
        """
        time.sleep(DESKTOP_TIMEOUT_SECONDS)
        logger.warning("The desktop does not answer, so nobg ends without taking its icon away")
        logger.info("Stopped")
        os._exit(0 if self.failure is None else 1)

    def _ensure_lock(self) -> bool:
        """Take the lock again if the state folder was deleted. Return False if another nobg has it now."""
        if not file_lock.is_current(self._lock, str(self._state)):
            new_lock = take_lock(paths.state_dir())
            if new_lock is None:
                logger.warning("Another nobg is running now; this one stops")
                return False
            file_lock.release(self._lock)
            self._lock = new_lock
        return True


class _Session:
    """The threads that work with one jobs.db. All end if one fails, jobs.db is replaced or nobg stops."""

    def __init__(
        self,
        state: Path,
        settings: Settings,
        user_interface: UserInterface | None,
        stop: threading.Event,
        session_stop: threading.Event,
    ) -> None:
        """`session_stop` is set to end this session, and `stop` to end the program."""
        self._state = state
        self._settings = settings
        self._user_interface = user_interface
        self._stop = stop
        self._session_stop = session_stop
        self._wakeup = threading.Event()
        self._last_job_at = self._last_check_at = time.monotonic()
        self._failure: Exception | None = None

    def run(self) -> None:
        """Run the session until its end. If it failed, log why and wait for RESTART_DELAY_SECONDS."""
        threads: list[threading.Thread] = []
        self._session_stop.clear()
        try:
            journal = Journal(self._state, check_integrity=True, check_indexes=True)
            journal.recover()
            journal.start_rebuild_if_new(has_watched_folders=bool(self._settings.config.folders))
            self._tell_of_damage(journal)
            journal.close()
            threads = [
                self._start_thread(target, name)
                for target, name in ((self._dispatch, "dispatch"), (self._watch_folders, "folders"))
            ]
            if not self._stop.is_set():
                self._session_stop.wait()
        except NobgError as error:
            self._failure = error
        self._session_stop.set()
        self._wakeup.set()
        self._join_threads(threads)
        if self._failure is not None and not self._stop.is_set():
            if isinstance(self._failure, NobgError):
                logger.error("%s", self._failure)
            else:
                logger.error("An unexpected error ended the session; nobg starts a new one", exc_info=self._failure)
            self._stop.wait(RESTART_DELAY_SECONDS)

    def _tell_of_damage(self, journal: Journal) -> None:
        """Log, and show once, what became of damaged records; a command or a click may have replaced them."""
        name = damage.untold(journal)
        if name is None:
            return
        text = damage.describe(self._state / name, damage.read_report(journal))
        logger.warning("%s", for_terminal(text))
        if self._user_interface is not None:
            self._user_interface.on_records_damaged(text)
        damage.mark_told(journal, name)

    def _join_threads(self, threads: list[threading.Thread]) -> None:
        """Wait until the threads have ended, so that the next session is the only one that does jobs.

        When the program stops, wait for SHUTDOWN_TIMEOUT_SECONDS at most: a dead network drive can block a thread for
        ever.
        """
        seconds_left = SHUTDOWN_TIMEOUT_SECONDS
        while any(thread.is_alive() for thread in threads) and seconds_left > 0:
            time.sleep(_JOIN_POLL_SECONDS)
            if self._stop.is_set():
                seconds_left -= _JOIN_POLL_SECONDS

    def _should_stop(self) -> bool:
        return self._session_stop.is_set() or self._stop.is_set()

    def _start_thread(self, target: Callable[[Journal], None], name: str) -> threading.Thread:
        """Run `target` in a thread with a journal of its own. However it ends, the session ends with it."""

        def body() -> None:
            try:
                journal = Journal(self._state)
                try:
                    target(journal)
                finally:
                    journal.close()
            except Exception as error:  # noqa: BLE001  run() logs it and a new session starts
                self._failure = error
            self._session_stop.set()

        thread = threading.Thread(target=body, name=name, daemon=True)
        thread.start()
        return thread

    def _dispatch(self, journal: Journal) -> None:
        """Repeat until the session ends: do the jobs in the queue, then wait for new ones."""

        def record_worker_state(header: protocol.Header) -> None:
            layers = [layer for layer in header["jail"] if "network" in layer["name"]]
            is_offline = bool(layers) and all(layer["active"] for layer in layers)
            mechanisms = dict.fromkeys(layer["detail"].partition(":")[0] for layer in layers)
            journal.set_setting("offline_by", ", ".join(mechanisms) if is_offline else "")
            journal.set_setting("trouble", None)

        supervisor, queue = Supervisor(on_ready=record_worker_state), JournalQueue(journal)
        has_trouble = True  # the last session may have recorded a problem
        try:
            while not self._should_stop():
                self._wakeup.clear()
                try:
                    supervisor.default_mode = modes.find(self._settings.config.model)
                    self._process_queue(journal, queue, supervisor)
                    if has_trouble and not any(journal.pending_counts()):
                        journal.set_setting("trouble", None)  # if it persists, the next picture shows it
                        has_trouble = False
                except NobgError as error:
                    if error.exit_code != 3:  # not the model's or the worker's error, but the journal's
                        raise
                    logger.error("%s", error)  # noqa: TRY400  the message is enough
                    journal.set_setting("trouble", error.text)
                    has_trouble = True
                    self._wakeup.clear()
                    self._wakeup.wait(WORKER_RETRY_SECONDS)
                if time.monotonic() - self._last_job_at > WORKER_IDLE_SECONDS:
                    supervisor.stop_worker()
                self._wakeup.wait(SUMMARY_POLL_SECONDS if self._report_idle() else QUEUE_POLL_SECONDS)
        finally:
            supervisor.stop_worker()

    def _report_idle(self) -> bool:
        """Tell the user interface that no job can be done now. Return whether a notification is still due."""
        return self._user_interface is not None and self._user_interface.on_queue_idle(
            notifications=self._settings.config.notifications
        )

    def _process_queue(self, journal: Journal, queue: JournalQueue, supervisor: Supervisor) -> None:
        """Do all jobs that can be done now."""
        with contextlib.closing(process_queue(queue, journal, supervisor, self._should_stop)) as jobs:
            for job in jobs:
                _log_job(job)
                if self._user_interface is not None:
                    self._user_interface.on_job_finished(job)
                self._last_job_at = time.monotonic()
                self._check_periodically(journal, queue)
        self._check_periodically(journal, queue)

    def _check_periodically(self, journal: Journal, queue: JournalQueue) -> None:
        """After each interval, resume destinations that work again, and end the session if jobs.db was replaced."""
        if time.monotonic() - self._last_check_at > CHECK_INTERVAL_SECONDS:
            self._last_check_at = time.monotonic()
            queue.check_pauses()
            if not journal.is_current():
                logger.warning("jobs.db was replaced")
                self._session_stop.set()

    def _watch_folders(self, journal: Journal) -> None:
        """Watch the folders, and reload the settings that name them."""
        watcher = Watcher(journal, self._wakeup.set)
        watcher.start(self._state)
        try:
            watcher.configure(self._settings.config.folders)
            while not self._should_stop():
                if self._settings.reload_if_changed():
                    watcher.configure(self._settings.config.folders)
                    self._wakeup.set()
                watcher.wait(watcher.step())
        finally:
            watcher.stop()


def _log_job(job: Job) -> None:
    """Log the outcome of a job in one line."""
    outcome = job.state if job.reason is None else f"{job.state}, {job.reason}"
    output = "" if job.output is None else f" -> {job.output}"
    logger.info("Job %s: %s: %s%s (%.2f s)", job.id, outcome, job.source, output, job.seconds or 0.0)
