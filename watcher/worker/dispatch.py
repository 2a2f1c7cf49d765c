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
from typing import Any

from watcher import commit, recipe
from watcher.errors import DamagedJournalError, DestinationError, ModelError, PictureError, WorkerError, describe_reason
from watcher.matting import modes
from watcher.matting.modes import DEFAULT, Mode
from watcher.naming import numbered_names
from watcher.queue.in_memory import InMemoryQueue
from watcher.queue.job_queue import JobQueue, find_done_job
from watcher.queue.journal import Job, Journal
from watcher.recipe import Recipe
from watcher.worker import protocol
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, StoppedError, Supervisor, WorkerDiedError, never_stop

MAX_TASKS_IN_FLIGHT = 3  # pictures in the worker's hands: one being decoded, one in the network, one being encoded
MAX_BYTES_IN_FLIGHT = 64 << 20  # file bytes in the worker's hands, beyond the first picture
MAX_WORKER_DEATHS = 3  # so often may a picture take the worker down before it has failed
FINISH_GRACE_SECONDS = 5.0  # seconds for what is in the worker's hands when we are to stop
MAX_INTERRUPTIONS = (
    10  # so often may all of nobg end while it has a picture: an innocent one does not have that bad luck
)

BACKGROUND_RETRY_SECONDS = (
    60.0  # seconds before a watched folder's picture looks again for a background that is not there
)

logger = logging.getLogger(__name__)

_request_ids = itertools.count(1)


@dataclass(frozen=True)
class Task:
    """One job whose source has been read."""

    job: Job
    source: commit.Source
    background: bytes = b""
    request_id: int = field(default_factory=lambda: next(_request_ids))

    def message(self) -> tuple[protocol.Header, bytes]:
        """What the worker gets."""
        asked = {
            "id": self.request_id,
            "force": self.job.force,
            "recipe": self.job.recipe,
            "first": len(self.source.data),
        }
        return asked, self.source.data + self.background if self.background else self.source.data


def process_queue(
    queue: JobQueue, journal: Journal, supervisor: Supervisor, should_stop: Callable[[], bool] = never_stop
) -> Generator[Job]:
    """Do the jobs of `queue` until none is left that can be done now; yields each with what became of it.

    Raises ModelError, WorkerError, and PlaceError when the journal cannot be written; what was in hand is back in the
    queue then. `stop` is asked while we wait: when it says so, nothing more is taken up; what is in the worker's hands
    may still be finished, for five seconds; what is not goes back, and we end.
    """
    under_way: deque[Task] = deque()
    late = _after_grace_period(should_stop, FINISH_GRACE_SECONDS)
    supervisor.discard_ended_worker()
    try:
        while under_way or not should_stop():
            try:
                yield from _feed_worker(under_way, queue, journal, supervisor, should_stop)
                if not under_way:
                    return
                answer = supervisor.ensure_worker(should_stop=should_stop).receive(PICTURE_TIMEOUT_SECONDS, late)
            except WorkerDiedError as death:
                supervisor.stop_worker()
                yield from _requeue_after_death(death.reason, under_way, queue, journal)
                continue
            except StoppedError:
                return
            result = _handle_answer(under_way[0], *answer, queue, journal)
            under_way.popleft()
            if result is not None:
                yield result
    finally:
        if under_way:
            supervisor.stop_worker()  # it would answer what nobody asks any more
            with suppress(DestinationError, DamagedJournalError):  # the next start of the program recovers them
                for task in under_way:
                    queue.put_back(task.job)


def _after_grace_period(should_stop: Callable[[], bool], seconds: float) -> Callable[[], bool]:
    """Has `stop` said so for that long?"""
    since: list[float] = []

    def late() -> bool:
        if should_stop() and not since:
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] >= seconds

    return late


def _feed_worker(
    in_flight: deque[Task], queue: JobQueue, journal: Journal, supervisor: Supervisor, should_stop: Callable[[], bool]
) -> Iterator[Job]:
    """Give the worker what it can take; yields the jobs for which there is nothing to do."""
    while not should_stop() and (job := queue.take(lambda job: _has_room(in_flight, job, supervisor))) is not None:
        try:
            taken = _prepare_task(replace(job, model=_model_name(job, supervisor)), queue, journal)
        except (OSError, MemoryError) as error:  # one picture must not keep the others from being done
            reason = "too_large" if isinstance(error, MemoryError) else "unreadable"
            taken = journal.record(job, state="failed", reason=reason, detail=str(error))
        if isinstance(taken, Task):
            in_flight.append(taken)
            try:
                worker = supervisor.ensure_worker(_mode(taken.job, supervisor), should_stop)
            except (ModelError, WorkerError) as error:
                if taken.job.model == supervisor.default_mode.name:
                    raise  # nothing can be done with that one
                in_flight.pop()
                sentence = f"the model {taken.job.model} cannot be used: {str(error).rstrip('.')}."
                yield journal.record(taken.job, state="failed", reason="unsupported", detail=sentence)
                continue
            worker.send(*taken.message())
        elif taken is not None:
            yield taken


def _model_name(job: Job, supervisor: Supervisor) -> str:
    return recipe.parse(job.recipe).model or supervisor.default_mode.name


def _mode(job: Job, supervisor: Supervisor) -> Mode:
    """The mode, or the model alone, that the job asks for. Raises ModelError where there is none of that name."""
    return supervisor.default_mode if job.model == supervisor.default_mode.name else modes.find(job.model)


def _has_room(in_flight: deque[Task], next_job: Job, supervisor: Supervisor) -> bool:
    """May the worker be given one more? A picture that was there when it died is given alone."""
    if not in_flight:
        return True
    if (
        next_job.attempts
        or in_flight[-1].job.attempts > 1
        or in_flight[-1].job.model != _model_name(next_job, supervisor)
    ):
        return False
    size = sum(len(task.source.data) for task in in_flight)
    return len(in_flight) < MAX_TASKS_IN_FLIGHT and size < MAX_BYTES_IN_FLIGHT


def _prepare_task(job: Job, queue: JobQueue, journal: Journal) -> Task | Job | None:
    """Read the source: a task for the worker; or the job, if there is nothing to do; or None, if it waits."""
    if job.interrupted >= MAX_INTERRUPTIONS:
        return journal.record(job, state="failed", reason="worker_died")
    try:
        source = commit.read_source(job.source)
    except PictureError as error:
        return _handle_unreadable_source(job, error, queue, journal)
    if queue.defer_if_not_ready(job, source):
        return None
    job = replace(job, source_hash=source.sha256, signature=source.signature)
    known = queue.find_earlier_job(job)
    if known is not None:
        is_there = known.state == "done" and known.output is not None and os.path.lexists(known.output)
        moved_to = queue.move_original(job) if is_there and not known.undone else None
        if known.id is not None and (moved_to or known.id == job.id):  # the latter: published, then the power went
            journal.finish(known.id, moved_to)
        journal.merge_duplicate(job, known)
        return replace(known, state="skipped", reason="already_done", watch=job.watch)  # who asks now is told
    return _start_task(job, source, queue, journal)


def _start_task(job: Job, source: commit.Source, queue: JobQueue, journal: Journal) -> Task | Job | None:
    """With its background picture, if there is one: a task for the worker; or the failed job; or None, if it waits."""
    try:
        background = read_background(recipe.parse(job.recipe))
    except PictureError as error:
        if error.reason != "vanished" or job.watch is None:
            return journal.record(job, state="failed", reason=error.reason, detail=error.detail)
        logger.warning("%s waits: %s", job.source, error)
        queue.put_back(job, delay=BACKGROUND_RETRY_SECONDS)
        return None
    started = queue.start(job)
    return None if started is None else Task(started, source, background)


def read_background(recipe: Recipe) -> bytes:
    """The background picture's file, where the recipe names one. Raises PictureError."""
    path = recipe.background_picture
    if path is None:
        return b""
    try:
        return commit.read_source(path).data
    except PictureError as error:
        text = f"the background picture {path} cannot be read: {describe_reason(error.reason, error.detail)}"
        raise PictureError(error.reason, text) from error


def _handle_unreadable_source(job: Job, error: PictureError, queue: JobQueue, journal: Journal) -> Job | None:
    """The source cannot be read: done all the same, waiting, or failed."""
    known = find_done_job(job, journal) if job.output is not None else None
    if known is not None and known.id is not None:  # published, its original moved, and then the power went
        journal.finish(known.id, _find_moved_original(job))
        journal.merge_duplicate(job, known)
        return known
    if error.reason == "vanished" and queue.defer_if_not_ready(job, None):
        return None
    return journal.record(job, state="failed", reason=error.reason, detail=error.detail)


def _find_moved_original(job: Job) -> Path | None:
    """Where the original of `job` has been moved to."""
    for name in numbered_names(job.source.name):
        path = job.source.parent / (job.move_to or "") / name
        if not os.path.lexists(path):
            return None
        if commit.sha256_of(path) == job.source_hash:
            return path
    return None


def _requeue_after_death(reason: str, in_flight: deque[Task], queue: JobQueue, journal: Journal) -> Iterator[Job]:
    """Put back what the worker had in hand, to be given alone; fail what has seen it die too often."""
    alone = len(in_flight) == 1
    while in_flight:
        job = in_flight[-1].job
        if job.worker_deaths < MAX_WORKER_DEATHS and not (alone and reason == "timeout"):
            queue.put_back(job, count_attempt=True)
        else:
            yield journal.record(job, state="failed", reason=reason)
        in_flight.pop()


def _handle_answer(task: Task, header: protocol.Header, output: bytes, queue: JobQueue, journal: Journal) -> Job | None:
    """Publish what the worker made of a picture, or record why there is nothing to publish. None: the job waits."""
    job, known = task.job, {"verdict": header.get("verdict"), "seconds": header["seconds"]}
    assert header["id"] == task.request_id
    state, reason, detail = header["state"], header["reason"], header.get("detail")
    if state == "failed" and queue.defer_if_not_ready(job, task.source):
        return None
    if state == "done":
        try:
            return _publish(task, output, queue, journal, notes=" ".join(header["notes"]), **known)
        except PictureError as error:
            if error.reason == "no_permission" and queue.defer_if_unwritable(job):
                return None
            state, reason, detail = "failed", error.reason, error.detail
        except MemoryError:
            state, reason, detail = "failed", "too_large", "not enough memory"
        except DestinationError as error:
            if error.folder is None:
                raise
            queue.pause_destination(job, error, len(output))
            return None
    return journal.record(job, state=state, reason=reason, detail=detail, **known)


def _publish(task: Task, output: bytes, queue: JobQueue, journal: Journal, **record_fields: Any) -> Job:
    """Enter the output in the journal, then let it appear, under the first name that is free or ours."""
    digest = hashlib.sha256(output).hexdigest()
    job, wanted = task.job, recipe.parse(task.job.recipe)
    if wanted.should_create_destination:
        _make_destination(job.destination, job.source.parent)
    for target in wanted.outputs(job.source):
        there = None
        if os.path.lexists(target):
            there = None if target.is_symlink() else commit.sha256_of(target)
            if there is None or not journal.may_replace(job, target, there, digest):
                continue
        job = journal.record(job, state="active", output=target, output_hash=digest, **record_fields)
        try:
            if there is None:
                commit.publish(target, output, task.source.mode)
            else:
                commit.replace(target, output, task.source.mode, there)
        except FileExistsError:
            if commit.sha256_of(target) != digest:  # the same: a second run on this picture was faster
                continue
        assert job.id is not None
        moved_to = queue.move_original(job)
        journal.finish(job.id, moved_to)
        return replace(job, state="done", moved_to=moved_to)
    raise AssertionError("there is always a next name")


def _make_destination(destination: Path, source_folder: Path) -> None:
    """The sub-folder for outputs; but not the folder of the originals, whose drive may not be plugged in."""
    if not source_folder.is_dir():
        raise DestinationError(f"The folder {source_folder} is gone. Is the drive still there?", destination, "missing")
    try:
        with commit.destination_errors(destination):
            destination.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise PictureError(
            "no_permission", f"{destination} is not a folder. Rename it, or choose another one."
        ) from error


def _forward_notice(header: protocol.Header, on_notice: Callable[[str], None]) -> None:
    """What a person should know of the new worker: that an accelerator was tried, and is of no use."""
    if text := header.get("provider", {}).get("told"):
        on_notice(text)


def run(
    sources: Iterable[Path],
    journal: Journal,
    *,
    recipe: Recipe | None = None,
    force: bool = False,
    mode: Mode = DEFAULT,
    on_notice: Callable[[str], None] = lambda _text: None,
) -> Iterator[Job]:
    """Do `sources`, in order, here and now, and yield what became of each as it is known.

    `recipe`: how; None: the default. `force`: also what was done before, or shows no clear subject. `mode`: that of
    the recipe, if it names one.
    Raises ModelError, WorkerError; and, after all others are done, PlaceError if a place could not be written.
    """
    wanted = recipe or Recipe()
    key, now = wanted.key(), time.time()
    queue = InMemoryQueue((Job(path, key, force=force, asked_at=now) for path in sources), journal)
    staff = Supervisor(mode, on_ready=lambda header: _forward_notice(header, on_notice))
    try:
        yield from process_queue(queue, journal, staff)
    finally:
        staff.stop_worker()
    if queue.error is not None:
        raise queue.error
