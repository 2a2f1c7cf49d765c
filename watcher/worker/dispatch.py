"""Takes jobs through the worker: feeds it ahead, and finds the picture that kills it. No image code."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from watcher.errors import DamagedJournalError, DestinationError, ModelError, NoAnswerError, WorkerError, advise
from watcher.matting import modes
from watcher.matting.modes import DEFAULT, Mode
from watcher.queue.job import Job
from watcher.queue.job_queue import InMemoryQueue, JobQueue
from watcher.queue.journal import Journal
from watcher.recipe import Recipe, parse_key
from watcher.worker import protocol
from watcher.worker.publish import handle_answer
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, StoppedError, Supervisor, WorkerDiedError, never_stop
from watcher.worker.tasks import Task, prepare_task

MAX_TASKS_IN_FLIGHT = 3
"""Pictures that the worker may have: the first is encoded, the second is in the networks, the third is decoded."""
MAX_BYTES_IN_FLIGHT = 64 << 20
"""While the worker has files of this many bytes or more, it gets no further picture."""
MAX_WORKER_DEATHS = 3
"""How often the worker may die with a picture before the picture fails."""
FINISH_GRACE_SECONDS = 5.0
"""Seconds that the worker may still take for its pictures when the caller stops dispatch."""


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
                answer = worker.receive(PICTURE_TIMEOUT_SECONDS, should_abort)
            except WorkerDiedError as death:
                supervisor.stop_worker()
                yield from _requeue_after_death(death, in_flight, queue, journal)
                continue
            except StoppedError:
                return
            result = handle_answer(in_flight[0], *answer, queue, journal)
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
        try:
            prepared = prepare_task(replace(job, model=_model_name(job, supervisor)), queue, journal, in_flight)
        except NoAnswerError as error:
            queue.pause_destination(job, error, 0)
            continue
        except (OSError, MemoryError) as error:  # one picture must not stop the others
            reason = "too_large" if isinstance(error, MemoryError) else "unreadable"
            prepared = journal.record(job, state="failed", reason=reason, detail=str(error))
        if isinstance(prepared, Task) and prepared.is_waiting:
            queue.put_back(prepared.job, count_attempt=True)  # it was not started: the number of attempts stays
            return
        if isinstance(prepared, Task) and prepared.known_answer is not None:
            prepared = handle_answer(prepared, *prepared.known_answer, queue, journal)
        if isinstance(prepared, Task):
            in_flight.append(prepared)
            try:
                worker = supervisor.ensure_worker(_mode(prepared.job, supervisor), should_stop)
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
    if (
        next_job.attempts
        or in_flight[-1].job.attempts > 1
        or in_flight[-1].job.model != _model_name(next_job, supervisor)
    ):
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
) -> Iterator[Job]:
    """Process `sources` in order, and yield each job when it ends.

    `recipe`: None is the default one. `force`: include pictures that are already done or show no clear subject. `mode`:
    for recipes that name none. `on_notice`: gets each notice about the worker that a person should see.
    Raises ModelError and WorkerError; and, after all other pictures, DestinationError if one could not be written.
    """
    key, now = (recipe or Recipe()).key(), time.time()
    queue = InMemoryQueue((Job(path, key, force=force, asked_at=now) for path in sources), journal)
    supervisor = Supervisor(mode, on_ready=lambda header: _forward_notice(header, on_notice))
    try:
        yield from process_queue(queue, journal, supervisor)
    finally:
        supervisor.stop_worker()
    if queue.error is not None:
        raise queue.error
