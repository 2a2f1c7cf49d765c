"""Takes jobs through the worker: feeds it ahead, and finds the picture that kills it. No image code."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from watcher.errors import (
    OUT_OF_MEMORY_TEXT,
    UNFORESEEN_TEXT,
    DamagedJournalError,
    DestinationError,
    ModelError,
    NoAnswerError,
    NobgError,
    PassingError,
    WorkerError,
    advise,
)
from watcher.guard import errnos
from watcher.matting import modes
from watcher.matting.modes import DEFAULT, Mode
from watcher.matting.touchup import hints
from watcher.matting.touchup.edits import Edit
from watcher.queue.job import Job
from watcher.queue.job_queue import InMemoryQueue, JobQueue
from watcher.queue.journal import Journal
from watcher.recipe import Recipe, RecipeError, parse_key
from watcher.worker import answers, protocol
from watcher.worker.answers import Answer
from watcher.worker.publish import handle_answer
from watcher.worker.supervisor import (
    PICTURE_TIMEOUT_SECONDS,
    StoppedError,
    Supervisor,
    Worker,
    WorkerDiedError,
    never_stop,
)
from watcher.worker.tasks import Task, prepare_task

logger = logging.getLogger(__name__)

Outcome = TypeVar("Outcome")

MAX_TASKS_IN_FLIGHT = 3
"""Pictures that the worker may have: the first is encoded, the second is in the networks, the third is decoded."""
MAX_BYTES_IN_FLIGHT = 64 << 20
"""While the worker has files of this many bytes or more, it gets no further picture."""
MAX_WORKER_DEATHS = 3
"""How often the worker may die with a picture, or something unforeseen may happen to it, before the picture fails."""
FINISH_GRACE_SECONDS = 2.0 if sys.platform == "win32" else 5.0
"""Seconds that the worker may still take for its pictures when the caller stops dispatch.

Windows ends a program 5 s after it has asked for that, at log-off or when a console is closed.
"""


def process_queue(
    queue: JobQueue, journal: Journal, supervisor: Supervisor, should_stop: Callable[[], bool] = never_stop
) -> Generator[Job]:
    """Process the jobs of `queue` until none can be done now; yield each with its result.

    Once `should_stop` returns True, dispatch takes no further job, and gives the worker FINISH_GRACE_SECONDS for its
    pictures. At the end, also after an error, unfinished jobs go back to the queue. Raises ModelError, WorkerError, and
    DestinationError if the journal cannot be written.
    """
    with closing(_process_queue(queue, journal, supervisor, should_stop)) as jobs:
        for job in jobs:
            journal.failures.supersede(job)
            yield job


def _process_queue(
    queue: JobQueue, journal: Journal, supervisor: Supervisor, should_stop: Callable[[], bool]
) -> Generator[Job]:
    in_flight: deque[Task] = deque()
    should_abort = _after_grace_period(should_stop, FINISH_GRACE_SECONDS)
    supervisor.discard_ended_worker()
    try:
        while in_flight or not should_stop():
            try:
                yield from _feed_worker(in_flight, queue, journal, supervisor, should_stop)
                if not in_flight:
                    return
                worker = supervisor.ensure_worker(should_stop=should_stop)
                answer = _receive(worker, in_flight[0], should_abort)
            except WorkerDiedError as death:
                supervisor.stop_worker()
                yield from _requeue_after_death(death, in_flight, queue, journal)
                continue
            except StoppedError:
                return
            task = in_flight[0]
            result = _survive(lambda: handle_answer(task, answer, queue, journal), task.job, queue, journal)  # noqa: B023
            in_flight.popleft()
            if result is not None:
                yield result
    finally:
        if in_flight:
            supervisor.stop_worker()  # otherwise its answers would reach the next caller
            with suppress(DestinationError, DamagedJournalError):  # the next start of the program recovers them
                for task in in_flight:
                    queue.put_back(task.job)


def _after_grace_period(should_stop: Callable[[], bool], seconds: float) -> Callable[[], bool]:
    """Return a function that returns True once `should_stop` has returned True to it and `seconds` have passed."""
    stop_time: float | None = None

    def is_over() -> bool:
        nonlocal stop_time
        if should_stop() and stop_time is None:
            stop_time = time.monotonic()
        return stop_time is not None and time.monotonic() - stop_time >= seconds

    return is_over


def _feed_worker(
    in_flight: deque[Task], queue: JobQueue, journal: Journal, supervisor: Supervisor, should_stop: Callable[[], bool]
) -> Iterator[Job]:
    """Send the worker as many pictures as it may have; yield the jobs that end without it.

    Raises ModelError and WorkerError if no worker starts in the default mode.
    """
    while not should_stop() and (job := queue.take(lambda job: _has_room(in_flight, job, supervisor))) is not None:
        prepared = _survive(lambda: _prepare(job, queue, journal, in_flight, supervisor), job, queue, journal)
        if isinstance(prepared, Task) and (prepared.is_waiting or _needs_other_worker(prepared, in_flight, supervisor)):
            queue.put_back(prepared.job)
            return
        if isinstance(prepared, Task):
            in_flight.append(prepared)
            try:
                mode = _mode(prepared.job, supervisor)
                # One that applies edits takes pictures one by one, so the next ones get an ordinary worker again.
                for_touchup = True if prepared.edits else False if len(in_flight) == 1 else None
                worker = supervisor.ensure_worker(mode, should_stop, for_touchup=for_touchup)
            except (ModelError, WorkerError) as error:
                if prepared.job.model == supervisor.default_mode.name:
                    raise  # without the default mode, other jobs would fail as well
                in_flight.pop()
                sentence = f"the model {prepared.job.model} cannot be used: {error.text}"
                sentence = sentence if sentence.endswith(".") else advise(sentence)
                yield journal.record(prepared.job, state="failed", reason="unsupported", detail=sentence)
                continue
            worker.send(*prepared.message())
        elif prepared is not None:
            yield prepared


def _needs_other_worker(task: Task, in_flight: deque[Task], supervisor: Supervisor) -> bool:
    """Return whether the task has edits, and the worker, which cannot apply them, has to finish its pictures first."""
    return bool(task.edits) and bool(in_flight) and not supervisor.touches_up


def _prepare(
    job: Job, queue: JobQueue, journal: Journal, in_flight: Iterable[Task], supervisor: Supervisor
) -> Task | Job | None:
    """Return a task for the worker, or the job that ends without it, or None if it waits."""
    try:
        prepared = prepare_task(replace(job, model=_model_name(job, supervisor)), queue, journal, in_flight)
    except NoAnswerError as error:
        queue.pause_destination(job, error, 0)
        return None
    except RecipeError as error:
        reason, detail = "unsupported", f"its recipe cannot be used: {error}."
    except OSError as error:
        if error.errno in errnos.PASSING and queue.defer_if_passing(job, PassingError(error).detail):
            return None
        reason, detail = "unreadable", str(error)
    except MemoryError:
        reason, detail = "too_large", OUT_OF_MEMORY_TEXT
    else:
        if isinstance(prepared, Task) and prepared.known_answer is not None:
            return handle_answer(prepared, prepared.known_answer, queue, journal)
        return prepared
    return journal.record(job, state="failed", reason=reason, detail=detail)


def _survive(step: Callable[[], Outcome], job: Job, queue: JobQueue, journal: Journal) -> Outcome | Job | None:
    """Return what `step` returns: one picture must not stop the others, whatever goes wrong with it.

    An error that nobody foresaw counts like a worker's death: the job is put back, to be processed alone, and fails the
    third time. The log gets the traceback. Raises the errors that concern all pictures.
    """
    try:
        return step()
    except NobgError:
        raise
    except Exception:
        logger.exception("Something unforeseen went wrong with %s", job.source)
        failures = job.worker_deaths + (job.state != "active")  # only a started job counts this attempt already
        if failures >= MAX_WORKER_DEATHS:
            return journal.record(job, state="failed", reason="worker_died", detail=UNFORESEEN_TEXT)
        queue.put_back(job, count_attempt=True)
        return None


def _model_name(job: Job, supervisor: Supervisor) -> str:
    """Return the name of the mode, or of the single model, for the job."""
    return parse_key(job.recipe).model or supervisor.default_mode.name


def _mode(job: Job, supervisor: Supervisor) -> Mode:
    """Return the mode for `job.model`. Raises ModelError if there is no mode or model of that name."""
    return supervisor.default_mode if job.model == supervisor.default_mode.name else modes.find(job.model)


def _has_room(in_flight: deque[Task], next_job: Job, supervisor: Supervisor) -> bool:
    """Return whether the worker may get `next_job` as well. A picture whose worker died is processed alone."""
    if not in_flight:
        return True
    if next_job.attempts or in_flight[-1].job.attempts > 1:
        return False
    try:
        if in_flight[-1].job.model != _model_name(next_job, supervisor):
            return False
    except RecipeError:
        return False
    size = sum(len(task.source.data) for task in in_flight)
    return len(in_flight) < MAX_TASKS_IN_FLIGHT and size < MAX_BYTES_IN_FLIGHT


def _requeue_after_death(
    death: WorkerDiedError, in_flight: deque[Task], queue: JobQueue, journal: Journal
) -> Iterator[Job]:
    """Put the dead worker's jobs back, to be processed alone; fail and yield those whose workers died too often."""
    was_alone = len(in_flight) == 1
    while in_flight:
        job = in_flight[-1].job
        if job.worker_deaths < MAX_WORKER_DEATHS and not (was_alone and death.reason == "timeout"):
            queue.put_back(job, count_attempt=True)
        else:
            yield journal.record(job, state="failed", reason=death.reason, detail=death.detail or None)
        in_flight.pop()


def _receive(worker: Worker, task: Task, should_abort: Callable[[], bool]) -> Answer:
    """Wait for the worker's answer to `task`. Raises WorkerDiedError also if the answer is nonsense."""
    message = worker.receive(PICTURE_TIMEOUT_SECONDS, should_abort)
    try:
        return answers.check(*message, parse_key(task.job.recipe).format)
    except protocol.ProtocolError as error:
        logger.warning("The worker is ended: it sent %s", error)
        raise WorkerDiedError("worker_died") from error


def _forward_notice(header: protocol.Header, on_notice: Callable[[str], None]) -> None:
    """Pass on the notice of a new worker, if any: that it could not use an accelerator."""
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
    listed: Mapping[Path, Path | None] = MappingProxyType({}),
    new_hints: Sequence[Edit] = (),
    with_edits: bool = True,
) -> Iterator[Job]:
    """Process `sources` in order, and yield each job when it ends.

    `recipe`: None is the default one. `force`: include pictures that are already done or show no clear subject. `mode`:
    for recipes that name none. `on_notice`: gets each notice about the worker that a person should see.
    `listed`: the folder in which a source was found that no person named. `new_hints`: for each source, in place of its
    earlier hints; the journal keeps them. `with_edits`: False leaves out what the journal has of a person's edits.
    Raises ModelError and WorkerError; and, after all other pictures, DestinationError if one could not be written.
    """
    key, now = (recipe or Recipe()).key(), time.time()
    jobs = (Job(path, key, force=force, asked_at=now, listed=listed.get(path)) for path in sources)
    queue = InMemoryQueue(jobs, journal, _edits_changer(new_hints, with_edits=with_edits))
    supervisor = Supervisor(mode, on_ready=lambda header: _forward_notice(header, on_notice))
    try:
        yield from process_queue(queue, journal, supervisor)
    finally:
        supervisor.stop_worker()
    if queue.error is not None:
        raise queue.error


def _edits_changer(new_hints: Sequence[Edit], *, with_edits: bool) -> Callable[[str], str] | None:
    """Return what InMemoryQueue does with the edits of each photo."""
    if not with_edits:
        return None
    return lambda text: hints.replace_hints(text, new_hints) if new_hints else text
