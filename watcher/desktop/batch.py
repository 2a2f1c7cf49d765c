"""Pure: which finished jobs belong to one notification, and what it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watcher.desktop import strings
from watcher.errors import NOTES, for_desktop, reason_text
from watcher.naming import escape_unprintable
from watcher.program import review
from watcher.queue.job import Job

QUIET_SECONDS = 1.0  # a batch ends this long after its last job: the next picture may be on its way
SUMMARY_INTERVAL_SECONDS = 10.0  # the shortest time from one summary to the next
MAX_NAMED_FAILURES = 3  # failed pictures that a summary names


@dataclass(frozen=True)
class Summary:
    """What a notification says of a batch, as plain text, and what its buttons need.

    `done_ids` are the jobs to undo. A click opens `target`: the only output, or else `folder`, which has most outputs.
    `first_output` is an output in `folder`.

    `only_output`: the output of a batch with one. `doubtful_count`: how many outputs want a look. `unclear_ids` are the
    jobs without a clear subject; `only_unclear` is the picture if the batch is one such picture.
    """

    title: str
    body: str
    done_ids: tuple[int, ...] = ()
    target: Path | None = None
    folder: Path | None = None
    first_output: Path | None = None
    only_output: Path | None = None
    doubtful_count: int = 0
    unclear_ids: tuple[int, ...] = ()
    only_unclear: Path | None = None


@dataclass(slots=True)
class _PictureGroup:
    """Pictures with the same outcome: how many, and the first of them."""

    count: int = 0
    first: Path | None = None

    def add(self, path: Path | None) -> None:
        self.count += 1
        self.first = self.first or path


class Batch:
    """The jobs that finished since the last summary. It keeps little of each job: there may be very many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_summary_at = self._last_finished_at = -float("inf")
        self._started_at = 0.0
        self.finished_count = 0
        """Jobs that finished since the queue was last idle."""
        self._reset()

    def _reset(self) -> None:
        """Begin a new summary."""
        self._done_ids: dict[int, None] = {}
        self._folders: dict[str, _PictureGroup] = {}
        self._missed: list[Job] = []  # the first MAX_NAMED_FAILURES of them
        self._unclear_ids: dict[int, None] = {}
        self._missed_count = self._no_subject_count = self._noted_count = self._doubtful_count = 0
        self._first_reason = ""  # of the first cut-out that wants a look
        self._noted: list[Job] = []  # the first MAX_NAMED_FAILURES that are done with a remark
        self._unchanged, self._unchanged_outputs = _PictureGroup(), _PictureGroup()

    @property
    def has_pending_summary(self) -> bool:
        """Whether there is anything to notify of."""
        return bool(self._done_ids or self._missed or self._unchanged.count)

    @property
    def elapsed(self) -> float:
        """Seconds since the first finished job started; 0.0 while the queue is idle."""
        return self._clock() - self._started_at if self.finished_count else 0.0

    def add(self, job: Job) -> None:
        """Add a job that is done, skipped or failed."""
        self._last_finished_at = self._clock()
        if not self.finished_count:
            self._started_at = self._last_finished_at - (job.seconds or 0.0)
        self.finished_count += 1
        if job.state == "done":
            self._add_done(job)
        elif job.reason != "already_done":
            self._missed_count += 1
            if job.reason == "no_clear_subject":
                self._no_subject_count += 1
                self._unclear_ids.update({} if job.id is None else {job.id: None})
            if len(self._missed) < MAX_NAMED_FAILURES:
                self._missed.append(job)
        elif job.watch is None:  # only for a person's own request: a folder's sweep finds done pictures all the time
            self._unchanged.add(job.source)
            self._unchanged_outputs.add(job.output)

    def _add_done(self, job: Job) -> None:
        assert job.id is not None
        assert job.output is not None
        if job.id not in self._done_ids:  # a person may have asked for the same job twice
            self._done_ids[job.id] = None
            if review.wants_a_look(job):
                self._doubtful_count += 1
                self._first_reason = self._first_reason or review.reason(job)
            self._noted_count += bool(job.notes)
            if job.notes and len(self._noted) < MAX_NAMED_FAILURES:
                self._noted.append(job)
            self._folders.setdefault(str(job.output.parent), _PictureGroup()).add(job.output)

    def take_due_summary(self) -> Summary | None:
        """Return the summary if it is due, and begin a new one. Call this repeatedly while the queue is idle."""
        now = self._clock()
        if now - self._last_finished_at < QUIET_SECONDS:
            return None
        self.finished_count = 0
        if not self.has_pending_summary or now - self._last_summary_at < SUMMARY_INTERVAL_SECONDS:
            return None
        summary = self._make_summary()
        self._last_summary_at = now
        self._reset()
        return summary

    def _make_summary(self) -> Summary:
        if not self._done_ids and not self._missed:
            output = self._unchanged_outputs.first
            parent = output and output.parent
            return Summary(
                strings.NOTHING_NEW,
                _name_or_count(strings.DONE_BEFORE, self._unchanged),
                target=output if self._unchanged.count == 1 else parent,
                folder=parent,
                first_output=output,
            )
        if not self._done_ids:
            is_one = self._missed_count == self._no_subject_count == 1
            return Summary(
                self._title(),
                "\n".join(self._failure_lines()),
                unclear_ids=tuple(self._unclear_ids),
                only_unclear=self._missed[0].source if is_one else None,
            )
        folder, outputs = max(self._folders.items(), key=lambda item: item[1].count)
        return Summary(
            title=self._title(),
            body="\n".join((self._location_line(), *self._doubt_lines(), *self._failure_lines(), *self._note_lines())),
            done_ids=tuple(self._done_ids),
            target=outputs.first if len(self._done_ids) == 1 else Path(folder),
            folder=Path(folder),
            first_output=outputs.first,
            only_output=outputs.first if len(self._done_ids) == 1 else None,
            doubtful_count=self._doubtful_count,
            unclear_ids=tuple(self._unclear_ids),
        )

    def _title(self) -> str:
        done_count, missed_count = len(self._done_ids), self._missed_count
        if done_count and missed_count:
            return strings.pluralize(strings.PARTLY_DONE, done_count, missed=missed_count)
        if done_count:
            return strings.pluralize(strings.DONE, done_count)
        forms = strings.NO_SUBJECT if missed_count == self._no_subject_count else strings.NONE_DONE
        return _name_or_count(forms, _PictureGroup(missed_count, self._missed[0].source))

    def _location_line(self) -> str:
        folder, outputs = next(iter(self._folders.items()))
        folder_name = escape_unprintable(Path(folder).name or folder)
        if len(self._done_ids) == 1:
            assert outputs.first is not None
            return strings.ONE_LOCATION.format(name=escape_unprintable(outputs.first.name), folder=folder_name)
        return strings.pluralize(strings.LOCATIONS, len(self._folders), folder=folder_name)

    def _failure_lines(self) -> list[str]:
        """Return a line for each of the first few pictures that could not be done."""
        if not self._done_ids and self._missed_count == 1 and not self._no_subject_count:  # the title names it
            reason = _plain_reason(self._missed[0])
            return [reason[0].upper() + reason[1:]]
        unnamed_count = self._missed_count - len(self._missed)
        return [
            *map(_failure_line, self._missed),
            *([strings.MORE.format(count=unnamed_count)] if unnamed_count else []),
        ]

    def _doubt_lines(self) -> list[str]:
        """Return a line if cut-outs want a look; it says why if the batch is a single one."""
        if not self._doubtful_count:
            return []
        if len(self._done_ids) == 1:
            return [strings.IT_WANTS_A_LOOK.format(reason=self._first_reason)]
        return [strings.pluralize(strings.OF_THEM_WANT_A_LOOK, self._doubtful_count)]

    def _note_lines(self) -> list[str]:
        """Return a line for each of the first few cut-outs that were made with a remark."""
        unnamed_count = self._noted_count - len(self._noted)
        more = [strings.MORE.format(count=unnamed_count)] if unnamed_count else []
        return [*map(_note_line, self._noted), *more]


def _failure_line(job: Job) -> str:
    name = escape_unprintable(job.source.name)
    if job.reason == "no_clear_subject":
        return strings.NO_SUBJECT_LINE.format(name=name)
    return strings.FAILURE_LINE.format(name=name, reason=_plain_reason(job))


def _plain_reason(job: Job) -> str:
    """Return why the picture was not done, without commands: the reader may never use a terminal."""
    assert job.reason is not None
    return escape_unprintable(for_desktop(reason_text(job.reason, job.detail or "")))


def _note_line(job: Job) -> str:
    """Return what the person should know of a cut-out that was made."""
    notes = " ".join(NOTES[note] for note in job.notes.split() if note in NOTES)
    name = escape_unprintable(job.source.name)
    return strings.FAILURE_LINE.format(name=name, reason=notes)


def _name_or_count(forms: tuple[str, str], pictures: _PictureGroup) -> str:
    """Return the form that names the only picture, or the form that says how many there are."""
    name = escape_unprintable(pictures.first.name) if pictures.first else ""
    return strings.pluralize(forms, pictures.count, name=name)


def describe_progress(finished: int, waiting: int, elapsed: float) -> str:
    """Return how far the work is, such as "3 of 12, about 8 s".

    `finished` and `waiting` count pictures; the current picture counts as waiting. `elapsed`: seconds since the start.
    """
    total = finished + waiting
    if not finished or not waiting or elapsed <= 0:
        return strings.PROGRESS.format(finished=finished, total=total)
    left = _describe_duration(elapsed / finished * waiting)
    return strings.PROGRESS_LEFT.format(finished=finished, total=total, left=left)


def _describe_duration(seconds: float) -> str:
    """Return the time, rounded, in the largest unit of which there is at least one."""
    if round(seconds) < 60:
        return strings.SECONDS.format(count=max(1, round(seconds)))
    if round(seconds / 60) < 60:
        return strings.MINUTES.format(count=round(seconds / 60))
    return strings.HOURS.format(count=round(seconds / 3600))
