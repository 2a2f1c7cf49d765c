"""The resident program: one instance, its threads, its start and its clean stop. It decides nothing about pictures."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from watcher import config, paths
from watcher import lock as file_lock
from watcher.config import LAST_GOOD_FILE
from watcher.errors import NobgError, UsageError, unwritable_records_error
from watcher.folders.watch import Watcher
from watcher.matting import modes
from watcher.naming import escape_unprintable
from watcher.queue.journal import Job, Journal
from watcher.queue.waiting import JournalQueue
from watcher.worker import protocol
from watcher.worker.dispatch import process_queue
from watcher.worker.supervisor import Supervisor

logger = logging.getLogger(__name__)

LOG_FILE_NAME = "nobg.log"
MAX_LOG_BYTES, LOG_BACKUP_COUNT = 1 << 20, 3
WORKER_IDLE_SECONDS = 60.0  # seconds without work after which the worker, and the memory it has, is given back
QUEUE_POLL_SECONDS = 3.0  # seconds between looks at the queue; whoever puts a job in also knocks
SUMMARY_POLL_SECONDS = 0.5  # the same, while a person is to be told of what was done
CHECK_INTERVAL_SECONDS = 5.0  # seconds between looks at the places that were full or gone
RESTART_DELAY_SECONDS = 5.0  # seconds before another try, when something of our own is in the way
WORKER_RETRY_SECONDS = 60.0  # the same, when there is nothing to do the pictures with; a knock is a reason to try, too
SHUTDOWN_TIMEOUT_SECONDS = 10.0  # seconds for the threads to end
_JOIN_POLL_SECONDS = 0.05  # seconds between looks whether they have
LOCK_TIMEOUT_SECONDS = 1.0  # seconds to wait for the lock: somebody may just be looking whether we run


def take_lock(state: Path, inherited: int | None = None) -> int | None:
    """The lock that only one program has; `inherited`: from the client that started us. None: another one runs."""
    if inherited is not None:
        os.set_inheritable(inherited, False)  # the worker must not keep it
    lock = inherited if inherited is not None else file_lock.acquire(str(state), LOCK_TIMEOUT_SECONDS)
    if lock is not None:
        file_lock.write_pid(lock)
    return lock


class UserInterface(Protocol):
    """What shows the running program to a person. `desktop.ui` has the real one: this wing is below it."""

    def run(self, stop: threading.Event) -> None:
        """Be there until `stop` is set. Called in the main thread."""

    def on_job_finished(self, job: Job) -> None:
        """A job has reached a final state."""

    def on_queue_idle(self, *, notifications: bool) -> bool:
        """Nothing can be done now. True: a notification is still to come, so ask again soon."""


def run(
    state: Path,
    lock: int,
    on_started: Callable[[str | None], None],
    open_ui: Callable[[Path, Callable[[], None]], UserInterface] | None = None,
) -> None:
    """Do the jobs that come, until SIGTERM, SIGINT or SIGHUP, or until the person quits.

    `lock`: from take_lock. `on_started` is called once with the problem of the settings, or None. `open_ui` makes the
    user interface from the state folder and the function that ends the program; None: there is none (`--no-tray`).
    Raises DestinationError.
    """
    handler = _set_up_logging(state / LOG_FILE_NAME)
    warnings.filterwarnings("ignore", module="watchdog")  # a page of text where two folders are made at once
    stop, over = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        stop.set()
        over.set()

    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):  # nohup(1)
            signal.signal(number, end)
    logger.info("Started, process %d", os.getpid())
    settings = Settings(paths.config_path(), state / LAST_GOOD_FILE)
    settings.reload_if_changed()
    on_started(settings.problem)
    ui = None if open_ui is None else open_ui(state, end)
    program = _SessionThread(lambda: _Session(state, settings, ui, stop, over).run(), state, lock, stop)
    try:
        program.start()
        if ui is not None:
            ui.run(stop)
        program.join()
    finally:
        logger.info("Stopped")
        logging.getLogger().removeHandler(handler)
        with contextlib.suppress(OSError):  # its disk may be full
            handler.close()
    if program.failure is not None:
        raise program.failure


class _SessionThread(threading.Thread):
    """One session after the other. The main thread is the icon's: macOS wants it so."""

    def __init__(self, run_session: Callable[[], None], state: Path, lock: int, stop: threading.Event) -> None:
        """`session`: one of them, from its beginning to its end."""
        super().__init__(name="program")
        self._run_session = run_session
        self._state = state
        self._lock = lock
        self._stop_all = stop
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Until all is to stop; also when that is because of what happens here."""
        try:
            while not self._stop_all.is_set() and self._ensure_lock():
                self._run_session()
        except BaseException as error:  # noqa: BLE001  it is raised in the main thread
            self.failure = error
        finally:
            self._stop_all.set()

    def _ensure_lock(self) -> bool:
        if not file_lock.is_current(self._lock, str(self._state)):  # somebody has deleted the state folder
            again = take_lock(paths.state_dir())
            if again is None:
                logger.warning("Another nobg runs by now; this one ends")
                return False
            file_lock.release(self._lock)
            self._lock = again
        return True


class Settings:
    """The configuration in force: that of the file or, while that is wrong, the last good one."""

    def __init__(self, path: Path, backup_path: Path) -> None:
        """`copy`: where the last good one is kept, for a start with a broken file."""
        self._path = path
        self._backup_path = backup_path
        self._last_stamp: object = ()
        self.config = config.Config()
        self.problem: str | None = None

    def reload_if_changed(self) -> bool:
        """Read the file if it has changed. True: there is something new to know."""
        try:
            status = self._path.stat()
            seen: object = (status.st_ino, status.st_size, status.st_mtime_ns)
        except OSError as error:
            seen = error.errno
        if seen == self._last_stamp:
            return False
        first, self._last_stamp = self._last_stamp == (), seen
        try:
            text = config.read_text(self._path)
            self.config = config.Config() if text is None else config.parse(text, self._path)
        except UsageError as error:
            self.problem = str(error)
            logger.error("%s The last good settings stay in force.", error)  # noqa: TRY400  the person's, not ours
            if first:
                self.config = config.load_last_good(self._backup_path)
        else:
            self.problem = None
            self._write_backup(text or "")
        return True

    def _write_backup(self, text: str) -> None:
        try:
            with open(
                os.open(self._backup_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
            ) as file:
                file.write(text)
        except OSError as error:
            logger.warning("No copy of the settings could be kept: %s", error)


class _Session:
    """From opening jobs.db to closing it: until we are to stop, or something of our own is in the way."""

    def __init__(
        self,
        state: Path,
        settings: Settings,
        user_interface: UserInterface | None,
        stop: threading.Event,
        session_stop: threading.Event,
    ) -> None:
        """`over` is set when this session is to end, `stop` when it was the last."""
        self._state = state
        self._settings = settings
        self._user_interface = user_interface
        self._stop = stop
        self._session_stop = session_stop
        self._wakeup = threading.Event()
        self._last_job_at = self._checked_at = time.monotonic()
        self._failure: Exception | None = None

    def run(self) -> None:
        """Returns when it is over, after a pause if it failed."""
        threads: list[threading.Thread] = []
        self._session_stop.clear()
        try:
            journal = Journal(self._state, check_integrity=True)
            journal.recover()
            if journal.damaged_path is not None:
                logger.warning(
                    "The records were damaged; they are now %s, and new ones were begun", journal.damaged_path
                )
            journal.close()
            threads = [
                self._start_thread(act, name)
                for act, name in ((self._dispatch, "dispatch"), (self._watch_folders, "folders"))
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
                logger.error("Something unforeseen happened; nobg begins again", exc_info=self._failure)
            self._stop.wait(RESTART_DELAY_SECONDS)

    def _join_threads(self, threads: list[threading.Thread]) -> None:
        """Until they have ended: two that do the jobs would be one too many. A network drive may keep one for ever; it
        must not keep the whole program when that is to stop.
        """
        patience = SHUTDOWN_TIMEOUT_SECONDS
        while any(thread.is_alive() for thread in threads) and patience > 0:
            time.sleep(_JOIN_POLL_SECONDS)
            if self._stop.is_set():
                patience -= _JOIN_POLL_SECONDS

    def _should_stop(self) -> bool:
        return self._session_stop.is_set() or self._stop.is_set()

    def _start_thread(self, target: Callable[[Journal], None], name: str) -> threading.Thread:
        def body() -> None:
            try:
                journal = Journal(self._state)
                try:
                    target(journal)
                finally:
                    journal.close()
            except Exception as error:  # noqa: BLE001  whatever it is: the program says so and begins again
                self._failure = error
            self._session_stop.set()

        thread = threading.Thread(target=body, name=name, daemon=True)
        thread.start()
        return thread

    def _dispatch(self, journal: Journal) -> None:
        """Do what is in the queue, then wait for a knock."""

        def ready(header: protocol.Header) -> None:
            walls = [layer for layer in header["jail"] if "network" in layer["name"]]
            offline = bool(walls) and all(layer["active"] for layer in walls)
            means = dict.fromkeys(layer["detail"].partition(":")[0] for layer in walls)
            journal.set_setting("offline_by", ", ".join(means) if offline else "")
            journal.set_setting("trouble", None)

        staff, waiting = Supervisor(on_ready=ready), JournalQueue(journal)
        troubled = True  # the last program may have been
        try:
            while not self._should_stop():
                self._wakeup.clear()
                try:
                    staff.default_mode = modes.find(self._settings.config.model)
                    self._process_queue(journal, waiting, staff)
                    if troubled and not any(journal.pending_counts()):
                        journal.set_setting("trouble", None)  # if it is still there, the next picture tells
                        troubled = False
                except NobgError as error:
                    if error.exit_code != 3:  # the model, or the worker: others are the journal's
                        raise
                    logger.error("%s", error)  # noqa: TRY400  said in words
                    journal.set_setting("trouble", str(error))
                    troubled = True
                    self._wakeup.clear()
                    self._wakeup.wait(WORKER_RETRY_SECONDS)
                if time.monotonic() - self._last_job_at > WORKER_IDLE_SECONDS:
                    staff.stop_worker()
                self._wakeup.wait(SUMMARY_POLL_SECONDS if self._report_idle() else QUEUE_POLL_SECONDS)
        finally:
            staff.stop_worker()

    def _report_idle(self) -> bool:
        """Nothing can be done now; is a person still to be told what was?"""
        return self._user_interface is not None and self._user_interface.on_queue_idle(
            notifications=self._settings.config.notifications
        )

    def _process_queue(self, journal: Journal, waiting: JournalQueue, supervisor: Supervisor) -> None:
        """Do all that can be done now."""
        with contextlib.closing(process_queue(waiting, journal, supervisor, self._should_stop)) as jobs:
            for job in jobs:
                _log_job(job)
                if self._user_interface is not None:
                    self._user_interface.on_job_finished(job)
                self._last_job_at = time.monotonic()
                self._check_periodically(journal, waiting)
        self._check_periodically(journal, waiting)

    def _check_periodically(self, journal: Journal, waiting: JournalQueue) -> None:
        """Every few seconds, also while there is much to do: which places can be used again? Is jobs.db the same?"""
        if time.monotonic() - self._checked_at > CHECK_INTERVAL_SECONDS:
            self._checked_at = time.monotonic()
            waiting.check_pauses()
            if not journal.is_current():
                logger.warning("jobs.db was replaced")
                self._session_stop.set()

    def _watch_folders(self, journal: Journal) -> None:
        """Look after the folders, and the configuration that names them."""
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
    """One line for what became of a job."""
    outcome = job.state if job.reason is None else f"{job.state}, {job.reason}"
    target = "" if job.output is None else f" -> {job.output}"
    logger.info("Job %s: %s: %s%s (%.2f s)", job.id, outcome, job.source, target, job.seconds or 0.0)


class _PrivateFileHandler(logging.handlers.RotatingFileHandler):
    """A rotating log that only its owner can read."""

    def _open(self) -> Any:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def _set_up_logging(path: Path) -> logging.Handler:
    try:
        handler = _PrivateFileHandler(path, maxBytes=MAX_LOG_BYTES, backupCount=LOG_BACKUP_COUNT)
    except OSError as error:
        raise unwritable_records_error(path.parent, error) from error
    handler.setFormatter(_OneLineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.raiseExceptions = False  # a full disk must not fill stderr, too
    logging.getLogger("watcher").setLevel(logging.INFO)
    sys.excepthook = lambda *exception: logger.critical("It ended unexpectedly", exc_info=exception)
    return handler


class _OneLineFormatter(logging.Formatter):
    """A file's name may hold line ends; a line of the log holds none."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """The line, with control characters made visible."""
        record.message = escape_unprintable(record.message)
        return super().formatMessage(record)
