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
from typing import TYPE_CHECKING, Any

from watcher import config, paths
from watcher import lock as file_lock
from watcher.config import LAST_GOOD
from watcher.errors import NobgError, UsageError, cannot_write
from watcher.folders.watch import Watcher
from watcher.matting import modes
from watcher.naming import visible
from watcher.queue.journal import Job, Journal
from watcher.queue.waiting import Waiting
from watcher.worker import protocol
from watcher.worker.dispatch import work
from watcher.worker.supervisor import Staff

if TYPE_CHECKING:
    from watcher.desktop.ui import Front

logger = logging.getLogger(__name__)

LOG = "nobg.log"
LOG_BYTES, LOG_FILES = 1 << 20, 3
AT_REST = 60.0  # seconds without work after which the worker, and the memory it has, is given back
TICK = 3.0  # seconds between looks at the queue; whoever puts a job in also knocks
SOON = 0.5  # the same, while a person is to be told of what was done
CHECK = 5.0  # seconds between looks at the places that were full or gone
AGAIN = 5.0  # seconds before another try, when something of our own is in the way
TROUBLE = 60.0  # the same, when there is nothing to do the pictures with; a knock is a reason to try, too
LAST_WORD = 10.0  # seconds for the threads to end
_LOOK = 0.05  # seconds between looks whether they have
PATIENCE = 1.0  # seconds to wait for the lock: somebody may just be looking whether we run


def take_lock(state: Path, inherited: int | None = None) -> int | None:
    """The lock that only one program has; `inherited`: from the client that started us. None: another one runs."""
    if inherited is not None:
        os.set_inheritable(inherited, False)  # the worker must not keep it
    lock = inherited if inherited is not None else file_lock.take(str(state), PATIENCE)
    if lock is not None:
        file_lock.sign(lock)
    return lock


def run(
    state: Path, lock: int, started: Callable[[str | None], None], say: Callable[[str], None] | None = None
) -> None:
    """Do the jobs that come, until SIGTERM, SIGINT or SIGHUP, or until the person quits.

    `lock`: from take_lock. `started` is called once with what is wrong, or None. `say` tells a person what else is to
    be said once; None: nothing of all this is to be seen on the desktop. Raises PlaceError.
    """
    handler = _log_to(state / LOG)
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
    settings = Settings(paths.config_path(), state / LAST_GOOD)
    settings.look()
    started(settings.problem)
    front = None if say is None else _front(state, end, say)
    program = _Program(lambda: _Session(state, settings, front, stop, over).run(), state, lock, stop)
    try:
        program.start()
        if front is not None:
            front.run(stop)
        program.join()
    finally:
        logger.info("Stopped")
        logging.getLogger().removeHandler(handler)
        with contextlib.suppress(OSError):  # its disk may be full
            handler.close()
    if program.failure is not None:
        raise program.failure


def _front(state: Path, end: Callable[[], None], say: Callable[[str], None]) -> Front:
    from watcher.desktop.ui import Front  # with what a desktop needs

    return Front(state, end, say)


class _Program(threading.Thread):
    """One session after the other. The main thread is the icon's: macOS wants it so."""

    def __init__(self, session: Callable[[], None], state: Path, lock: int, stop: threading.Event) -> None:
        """`session`: one of them, from its beginning to its end."""
        super().__init__(name="program")
        self._session = session
        self._state = state
        self._lock = lock
        self._stop_all = stop
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Until all is to stop; also when that is because of what happens here."""
        try:
            while not self._stop_all.is_set() and self._has_the_lock():
                self._session()
        except BaseException as error:  # noqa: BLE001  it is raised in the main thread
            self.failure = error
        finally:
            self._stop_all.set()

    def _has_the_lock(self) -> bool:
        if not file_lock.is_at_its_place(self._lock, str(self._state)):  # somebody has deleted the state folder
            again = take_lock(paths.state_dir())
            if again is None:
                logger.warning("Another nobg runs by now; this one ends")
                return False
            file_lock.give_back(self._lock)
            self._lock = again
        return True


class Settings:
    """The configuration in force: that of the file or, while that is wrong, the last good one."""

    def __init__(self, path: Path, copy: Path) -> None:
        """`copy`: where the last good one is kept, for a start with a broken file."""
        self._path = path
        self._copy = copy
        self._seen: object = ()
        self.config = config.Config()
        self.problem: str | None = None

    def look(self) -> bool:
        """Read the file if it has changed. True: there is something new to know."""
        try:
            status = self._path.stat()
            seen: object = (status.st_ino, status.st_size, status.st_mtime_ns)
        except OSError as error:
            seen = error.errno
        if seen == self._seen:
            return False
        first, self._seen = self._seen == (), seen
        try:
            text = config.read(self._path)
            self.config = config.Config() if text is None else config.parse(text, self._path)
        except UsageError as error:
            self.problem = str(error)
            logger.error("%s The last good settings stay in force.", error)  # noqa: TRY400  the person's, not ours
            if first:
                self.config = config.last_good(self._copy)
        else:
            self.problem = None
            self._keep(text or "")
        return True

    def _keep(self, text: str) -> None:
        try:
            with open(os.open(self._copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            logger.warning("No copy of the settings could be kept: %s", error)


class _Session:
    """From opening jobs.db to closing it: until we are to stop, or something of our own is in the way."""

    def __init__(
        self, state: Path, settings: Settings, front: Front | None, stop: threading.Event, over: threading.Event
    ) -> None:
        """`over` is set when this session is to end, `stop` when it was the last."""
        self._state = state
        self._settings = settings
        self._front = front
        self._stop = stop
        self._over = over
        self._knock = threading.Event()
        self._worked_at = self._checked_at = time.monotonic()
        self._failure: Exception | None = None

    def run(self) -> None:
        """Returns when it is over, after a pause if it failed."""
        threads: list[threading.Thread] = []
        self._over.clear()
        try:
            journal = Journal(self._state, thorough=True)
            journal.recover()
            if journal.aside is not None:
                logger.warning("The records were damaged; they are now %s, and new ones were begun", journal.aside)
            journal.close()
            threads = [self._start(act, name) for act, name in ((self._dispatch, "dispatch"), (self._watch, "folders"))]
            if not self._stop.is_set():
                self._over.wait()
        except NobgError as error:
            self._failure = error
        self._over.set()
        self._knock.set()
        self._wait_for(threads)
        if self._failure is not None and not self._stop.is_set():
            if isinstance(self._failure, NobgError):
                logger.error("%s", self._failure)
            else:
                logger.error("Something unforeseen happened; nobg begins again", exc_info=self._failure)
            self._stop.wait(AGAIN)

    def _wait_for(self, threads: list[threading.Thread]) -> None:
        """Until they have ended: two that do the jobs would be one too many. A network drive may keep one for ever; it
        must not keep the whole program when that is to stop.
        """
        patience = LAST_WORD
        while any(thread.is_alive() for thread in threads) and patience > 0:
            time.sleep(_LOOK)
            if self._stop.is_set():
                patience -= _LOOK

    def _is_over(self) -> bool:
        return self._over.is_set() or self._stop.is_set()

    def _start(self, act: Callable[[Journal], None], name: str) -> threading.Thread:
        def body() -> None:
            try:
                journal = Journal(self._state)
                try:
                    act(journal)
                finally:
                    journal.close()
            except Exception as error:  # noqa: BLE001  whatever it is: the program says so and begins again
                self._failure = error
            self._over.set()

        thread = threading.Thread(target=body, name=name, daemon=True)
        thread.start()
        return thread

    def _dispatch(self, journal: Journal) -> None:
        """Do what is in the queue, then wait for a knock."""

        def ready(header: protocol.Header) -> None:
            walls = [layer for layer in header["jail"] if "network" in layer["name"]]
            offline = bool(walls) and all(layer["active"] for layer in walls)
            means = dict.fromkeys(layer["detail"].partition(":")[0] for layer in walls)
            journal.set("offline_by", ", ".join(means) if offline else "")
            journal.set("trouble", None)

        staff, waiting = Staff(ready=ready), Waiting(journal)
        troubled = True  # the last program may have been
        try:
            while not self._is_over():
                self._knock.clear()
                try:
                    staff.mode = modes.find(self._settings.config.model)
                    self._work(journal, waiting, staff)
                    if troubled and not any(journal.waiting()):
                        journal.set("trouble", None)  # if it is still there, the next picture tells
                        troubled = False
                except NobgError as error:
                    if error.exit_code != 3:  # the model, or the worker: others are the journal's
                        raise
                    logger.error("%s", error)  # noqa: TRY400  said in words
                    journal.set("trouble", str(error))
                    troubled = True
                    self._knock.clear()
                    self._knock.wait(TROUBLE)
                if time.monotonic() - self._worked_at > AT_REST:
                    staff.send_home()
                self._knock.wait(SOON if self._rests() else TICK)
        finally:
            staff.send_home()

    def _rests(self) -> bool:
        """Nothing can be done now; is a person still to be told what was?"""
        return self._front is not None and self._front.rest(notifications=self._settings.config.notifications)

    def _work(self, journal: Journal, waiting: Waiting, staff: Staff) -> None:
        """Do all that can be done now."""
        with contextlib.closing(work(waiting, journal, staff, self._is_over)) as jobs:
            for job in jobs:
                _log(job)
                if self._front is not None:
                    self._front.finished(job)
                self._worked_at = time.monotonic()
                self._check(journal, waiting)
        self._check(journal, waiting)

    def _check(self, journal: Journal, waiting: Waiting) -> None:
        """Every few seconds, also while there is much to do: which places can be used again? Is jobs.db the same?"""
        if time.monotonic() - self._checked_at > CHECK:
            self._checked_at = time.monotonic()
            waiting.check_pauses()
            if not journal.is_current():
                logger.warning("jobs.db was replaced")
                self._over.set()

    def _watch(self, journal: Journal) -> None:
        """Look after the folders, and the configuration that names them."""
        watcher = Watcher(journal, self._knock.set)
        watcher.start(self._state)
        try:
            watcher.configure(self._settings.config.folders)
            while not self._is_over():
                if self._settings.look():
                    watcher.configure(self._settings.config.folders)
                    self._knock.set()
                watcher.wait(watcher.step())
        finally:
            watcher.stop()


def _log(job: Job) -> None:
    """One line for what became of a job."""
    outcome = job.state if job.reason is None else f"{job.state}, {job.reason}"
    target = "" if job.output is None else f" -> {job.output}"
    logger.info("Job %s: %s: %s%s (%.2f s)", job.id, outcome, job.source, target, job.seconds or 0.0)


class _PrivateLog(logging.handlers.RotatingFileHandler):
    """A rotating log that only its owner can read."""

    def _open(self) -> Any:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def _log_to(path: Path) -> logging.Handler:
    try:
        handler = _PrivateLog(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.raiseExceptions = False  # a full disk must not fill stderr, too
    logging.getLogger("watcher").setLevel(logging.INFO)
    sys.excepthook = lambda *exception: logger.critical("It ended unexpectedly", exc_info=exception)
    return handler


class _OneLine(logging.Formatter):
    """A file's name may hold line ends; a line of the log holds none."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """The line, with control characters made visible."""
        record.message = visible(record.message)
        return super().formatMessage(record)
