"""Pictures through the worker: feeds it ahead, finds who made it die, publishes what it makes; no image code."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from watcher import commit, recipe
from watcher.errors import DamagedError, ModelError, PictureError, PlaceError, WorkerError, words
from watcher.matting import modes
from watcher.matting.modes import DEFAULT, Mode
from watcher.naming import numbered
from watcher.queue.journal import Job, Journal
from watcher.recipe import Recipe
from watcher.worker import protocol
from watcher.worker.supervisor import PICTURE_TIME, Staff, StoppedError, WorkerDiedError, never

AHEAD = 3  # pictures in the worker's hands: one being decoded, one in the network, one being encoded
BYTES_AHEAD = 64 << 20  # file bytes in the worker's hands, beyond the first picture
DEATHS = 3  # so often may a picture take the worker down before it has failed
FINISH = 5.0  # seconds for what is in the worker's hands when we are to stop
INTERRUPTIONS = 10  # so often may all of nobg end while it has a picture: an innocent one does not have that bad luck

BACKGROUND = 60.0  # seconds before a watched folder's picture looks again for a background that is not there

logger = logging.getLogger(__name__)

_tickets = itertools.count(1)


@dataclass(frozen=True)
class Task:
    """One job whose source has been read."""

    job: Job
    source: commit.Source
    background: bytes = b""
    ticket: int = field(default_factory=lambda: next(_tickets))

    def message(self) -> tuple[protocol.Header, bytes]:
        """What the worker gets."""
        asked = {"id": self.ticket, "force": self.job.force, "recipe": self.job.recipe, "first": len(self.source.data)}
        return asked, self.source.data + self.background if self.background else self.source.data


class Queue(Protocol):
    """Where jobs come from: the pictures of one `nobg remove`, or the journal of the resident program."""

    def take(self, fits: Callable[[Job], bool]) -> Job | None:
        """The job whose turn it is; None if there is none, or it does not fit now."""

    def start(self, job: Job) -> Job | None:
        """The job is about to be given to a worker, and that is counted. None: it has been withdrawn."""

    def put_back(self, job: Job, *, delay: float = 0.0, counted: bool = False) -> None:
        """The job waits again, for `delay` seconds at least. `counted`: it saw its worker die."""

    def pause(self, job: Job, error: PlaceError, needed: int) -> None:
        """Where the job's output belongs, nothing can be written now; it, and all others that belong there, wait."""

    def refused(self, job: Job) -> bool:
        """Nothing may be written where its output belongs: does the job wait until something may?"""

    def waits(self, job: Job, source: commit.Source | None) -> bool:
        """Is this not the time to do the job, since its file is still changing, or its drive is gone?

        Called when its source has been read, or (None) is not there. Puts it back where so.
        """

    def known(self, job: Job) -> Job | None:
        """The earlier job that makes this one, whose content is known by now, superfluous."""

    def done(self, job: Job) -> Path | None:
        """The job's output is there. Where the original has been moved to, if the person asked for that."""


def work(queue: Queue, journal: Journal, staff: Staff, stop: Callable[[], bool] = never) -> Generator[Job]:
    """Do the jobs of `queue` until none is left that can be done now; yields each with what became of it.

    Raises ModelError, WorkerError, and PlaceError when the journal cannot be written; what was in hand is back in the
    queue then. `stop` is asked while we wait: when it says so, nothing more is taken up; what is in the worker's hands
    may still be finished, for five seconds; what is not goes back, and we end.
    """
    under_way: deque[Task] = deque()
    late = _after(stop, FINISH)
    staff.look()
    try:
        while under_way or not stop():
            try:
                yield from _feed(under_way, queue, journal, staff, stop)
                if not under_way:
                    return
                answer = staff.worker(stop=stop).receive(PICTURE_TIME, late)
            except WorkerDiedError as death:
                staff.send_home()
                yield from _after_death(death.reason, under_way, queue, journal)
                continue
            except StoppedError:
                return
            result = _conclude(under_way[0], *answer, queue, journal)
            under_way.popleft()
            if result is not None:
                yield result
    finally:
        if under_way:
            staff.send_home()  # it would answer what nobody asks any more
            with suppress(PlaceError, DamagedError):  # the next start of the program recovers them
                for task in under_way:
                    queue.put_back(task.job)


def _after(stop: Callable[[], bool], seconds: float) -> Callable[[], bool]:
    """Has `stop` said so for that long?"""
    since: list[float] = []

    def late() -> bool:
        if stop() and not since:
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] >= seconds

    return late


def _feed(
    under_way: deque[Task], queue: Queue, journal: Journal, staff: Staff, stop: Callable[[], bool]
) -> Iterator[Job]:
    """Give the worker what it can take; yields the jobs for which there is nothing to do."""
    while not stop() and (job := queue.take(lambda job: _has_room(under_way, job, staff))) is not None:
        try:
            taken = _take_up(replace(job, model=_model_name(job, staff)), queue, journal)
        except (OSError, MemoryError) as error:  # one picture must not keep the others from being done
            reason = "too_large" if isinstance(error, MemoryError) else "unreadable"
            taken = journal.record(job, state="failed", reason=reason, detail=str(error))
        if isinstance(taken, Task):
            under_way.append(taken)
            try:
                worker = staff.worker(_mode(taken.job, staff), stop)
            except (ModelError, WorkerError) as error:
                if taken.job.model == staff.mode.name:
                    raise  # nothing can be done with that one
                under_way.pop()
                sentence = f"the model {taken.job.model} cannot be used: {str(error).rstrip('.')}."
                yield journal.record(taken.job, state="failed", reason="unsupported", detail=sentence)
                continue
            worker.send(*taken.message())
        elif taken is not None:
            yield taken


def _model_name(job: Job, staff: Staff) -> str:
    return recipe.parse(job.recipe).model or staff.mode.name


def _mode(job: Job, staff: Staff) -> Mode:
    """The mode, or the model alone, that the job asks for. Raises ModelError where there is none of that name."""
    return staff.mode if job.model == staff.mode.name else modes.find(job.model)


def _has_room(under_way: deque[Task], following: Job, staff: Staff) -> bool:
    """May the worker be given one more? A picture that was there when it died is given alone."""
    if not under_way:
        return True
    if following.attempts or under_way[-1].job.attempts > 1 or under_way[-1].job.model != _model_name(following, staff):
        return False
    size = sum(len(task.source.data) for task in under_way)
    return len(under_way) < AHEAD and size < BYTES_AHEAD


def _take_up(job: Job, queue: Queue, journal: Journal) -> Task | Job | None:
    """Read the source: a task for the worker; or the job, if there is nothing to do; or None, if it waits."""
    if job.interrupted >= INTERRUPTIONS:
        return journal.record(job, state="failed", reason="worker_died")
    try:
        source = commit.read_source(job.source)
    except PictureError as error:
        return _without_source(job, error, queue, journal)
    if queue.waits(job, source):
        return None
    job = replace(job, source_hash=source.sha256, signature=source.signature)
    known = queue.known(job)
    if known is not None:
        is_there = known.state == "done" and known.output is not None and os.path.lexists(known.output)
        moved_to = queue.done(job) if is_there and not known.undone else None
        if known.id is not None and (moved_to or known.id == job.id):  # the latter: published, then the power went
            journal.finish(known.id, moved_to)
        journal.known_already(job, known)
        return replace(known, state="skipped", reason="already_done", watch=job.watch)  # who asks now is told
    return _begin(job, source, queue, journal)


def _begin(job: Job, source: commit.Source, queue: Queue, journal: Journal) -> Task | Job | None:
    """With its background picture, if there is one: a task for the worker; or the failed job; or None, if it waits."""
    try:
        background = read_background(recipe.parse(job.recipe))
    except PictureError as error:
        if error.reason != "vanished" or job.watch is None:
            return journal.record(job, state="failed", reason=error.reason, detail=error.detail)
        logger.warning("%s waits: %s", job.source, error)
        queue.put_back(job, delay=BACKGROUND)
        return None
    started = queue.start(job)
    return None if started is None else Task(started, source, background)


def read_background(recipe: Recipe) -> bytes:
    """The background picture's file, where the recipe names one. Raises PictureError."""
    path = recipe.picture
    if path is None:
        return b""
    try:
        return commit.read_source(path).data
    except PictureError as error:
        text = f"the background picture {path} cannot be read: {words(error.reason, error.detail)}"
        raise PictureError(error.reason, text) from error


def _without_source(job: Job, error: PictureError, queue: Queue, journal: Journal) -> Job | None:
    """The source cannot be read: done all the same, waiting, or failed."""
    known = done_before(job, journal) if job.output is not None else None
    if known is not None and known.id is not None:  # published, its original moved, and then the power went
        journal.finish(known.id, _moved(job))
        journal.known_already(job, known)
        return known
    if error.reason == "vanished" and queue.waits(job, None):
        return None
    return journal.record(job, state="failed", reason=error.reason, detail=error.detail)


def _moved(job: Job) -> Path | None:
    """Where the original of `job` has been moved to."""
    for name in numbered(job.source.name):
        path = job.source.parent / (job.move_to or "") / name
        if not os.path.lexists(path):
            return None
        if commit.sha256_of(path) == job.source_hash:
            return path
    return None


def _after_death(reason: str, under_way: deque[Task], queue: Queue, journal: Journal) -> Iterator[Job]:
    """Put back what the worker had in hand, to be given alone; fail what has seen it die too often."""
    alone = len(under_way) == 1
    while under_way:
        job = under_way[-1].job
        if job.deaths < DEATHS and not (alone and reason == "timeout"):
            queue.put_back(job, counted=True)
        else:
            yield journal.record(job, state="failed", reason=reason)
        under_way.pop()


def _conclude(task: Task, header: protocol.Header, output: bytes, queue: Queue, journal: Journal) -> Job | None:
    """Publish what the worker made of a picture, or record why there is nothing to publish. None: the job waits."""
    job, known = task.job, {"verdict": header.get("verdict"), "seconds": header["seconds"]}
    assert header["id"] == task.ticket
    state, reason, detail = header["state"], header["reason"], header.get("detail")
    if state == "failed" and queue.waits(job, task.source):
        return None
    if state == "done":
        try:
            return _publish(task, output, queue, journal, notes=" ".join(header["notes"]), **known)
        except PictureError as error:
            if error.reason == "no_permission" and queue.refused(job):
                return None
            state, reason, detail = "failed", error.reason, error.detail
        except MemoryError:
            state, reason, detail = "failed", "too_large", "not enough memory"
        except PlaceError as error:
            if error.place is None:
                raise
            queue.pause(job, error, len(output))
            return None
    return journal.record(job, state=state, reason=reason, detail=detail, **known)


def _publish(task: Task, output: bytes, queue: Queue, journal: Journal, **known: Any) -> Job:
    """Enter the output in the journal, then let it appear, under the first name that is free or ours."""
    digest = hashlib.sha256(output).hexdigest()
    job, wanted = task.job, recipe.parse(task.job.recipe)
    if wanted.is_made:
        _make(job.place, job.source.parent)
    for target in wanted.outputs(job.source):
        there = None
        if os.path.lexists(target):
            there = None if target.is_symlink() else commit.sha256_of(target)
            if there is None or not journal.may_replace(job, target, there, digest):
                continue
        job = journal.record(job, state="active", output=target, output_hash=digest, **known)
        try:
            if there is None:
                commit.publish(target, output, task.source.mode)
            else:
                commit.replace(target, output, task.source.mode, there)
        except FileExistsError:
            if commit.sha256_of(target) != digest:  # the same: a second run on this picture was faster
                continue
        assert job.id is not None
        moved_to = queue.done(job)
        journal.finish(job.id, moved_to)
        return replace(job, state="done", moved_to=moved_to)
    raise AssertionError("there is always a next name")


def _make(place: Path, base: Path) -> None:
    """The sub-folder for outputs; but not the folder of the originals, whose drive may not be plugged in."""
    if not base.is_dir():
        raise PlaceError(f"The folder {base} is gone. Is the drive still there?", place, "missing")
    try:
        with commit.place_errors(place):
            place.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise PictureError("no_permission", f"{place} is not a folder. Rename it, or choose another one.") from error


class Listed:
    """The pictures of one `nobg remove`. A place that can take nothing ends its own pictures; the others go on."""

    def __init__(self, jobs: Iterable[Job], journal: Journal) -> None:
        self._waiting = deque(jobs)
        self._journal = journal
        self._closed: set[Path] = set()
        self._before: dict[Path, Job | None] = {}
        self.error: PlaceError | None = None

    def take(self, fits: Callable[[Job], bool]) -> Job | None:
        """The first whose place can still be written."""
        while self._waiting and self._waiting[0].place in self._closed:
            self._waiting.popleft()
        return self._waiting.popleft() if self._waiting and fits(self._waiting[0]) else None

    def start(self, job: Job) -> Job:
        """Counted in memory alone."""
        self._before[job.source] = self._journal.find(job.source, job.source_hash, job.recipe)
        return replace(job, attempts=job.attempts + 1)

    def put_back(self, job: Job, *, delay: float = 0.0, counted: bool = False) -> None:  # noqa: ARG002  see Queue
        """To the front: the order of the results stays what it was."""
        self._waiting.appendleft(job if counted else replace(job, attempts=job.attempts - 1))

    def pause(self, job: Job, error: PlaceError, needed: int) -> None:  # noqa: ARG002  see Queue
        """Nobody waits for it here."""
        if job.id is None:
            job = self._journal.find(job.source, job.source_hash, job.recipe) or job
        self._journal.unplan(job, self._before[job.source])
        self._closed.add(job.place)
        self.error = self.error or error

    def refused(self, job: Job) -> bool:  # noqa: ARG002  see Queue
        """It fails, and the person sees it."""
        return False

    def waits(self, job: Job, source: commit.Source | None) -> bool:  # noqa: ARG002  see Queue
        """Nothing waits here."""
        return False

    def known(self, job: Job) -> Job | None:
        """Done before, unless it is forced."""
        return None if job.force else done_before(job, self._journal)

    def done(self, job: Job) -> None:  # noqa: ARG002  see Queue
        """Originals stay."""
        return


def done_before(job: Job, journal: Journal) -> Job | None:
    """The job of this source, content, recipe and model, if its output is there, also edited; but not replaced by us
    since.
    """
    known = journal.find(job.source, job.source_hash, job.recipe)
    if known is None or known.undone or known.output is None or not os.path.lexists(known.output):
        return None
    planned = known.state in ("active", "queued")
    if not planned and known.model != job.model:  # another one has been chosen since, or come with a newer nobg
        return None
    there = commit.sha256_of(known.output)
    if there != known.output_hash and (planned or (there and journal.wrote_from_any(known.output, there))):
        return None  # planned, but never published; or since replaced by us: the source was another, or another took it
    return replace(known, state="done")  # published, even if the power went before that was entered


def _tell(header: protocol.Header, tell: Callable[[str], None]) -> None:
    """What a person should know of the new worker: that an accelerator was tried, and is of no use."""
    if text := header.get("provider", {}).get("told"):
        tell(text)


def run(
    sources: Iterable[Path],
    journal: Journal,
    *,
    recipe: Recipe | None = None,
    force: bool = False,
    mode: Mode = DEFAULT,
    tell: Callable[[str], None] = lambda _text: None,
) -> Iterator[Job]:
    """Do `sources`, in order, here and now, and yield what became of each as it is known.

    `recipe`: how; None: the default. `force`: also what was done before, or shows no clear subject. `mode`: that of
    the recipe, if it names one.
    Raises ModelError, WorkerError; and, after all others are done, PlaceError if a place could not be written.
    """
    wanted = recipe or Recipe()
    key, now = wanted.key(), time.time()
    queue = Listed((Job(path, key, force=force, asked_at=now) for path in sources), journal)
    staff = Staff(mode, ready=lambda header: _tell(header, tell))
    try:
        yield from work(queue, journal, staff)
    finally:
        staff.send_home()
    if queue.error is not None:
        raise queue.error
