"""Pure: which finished jobs belong together, and what a person is told of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watcher.errors import describe_reason
from watcher.naming import escape_unprintable
from watcher.queue.journal import Job

QUIET_SECONDS = 1.0  # seconds after the last job until a batch is over: the next picture may just be on its way
SUMMARY_INTERVAL_SECONDS = 10.0  # seconds from one summary to the next
MAX_NAMED_FAILURES = 3  # pictures that could not be done and are named

# The texts; of two, the first is for one thing, the other for any other number of them.
DONE = ("Cut-out ready", "{count} cut-outs ready")
PARTLY_DONE = ("1 cut-out ready, {missed} not", "{count} cut-outs ready, {missed} not")
NONE_DONE = ("{name} could not be done", "{count} pictures could not be done")
NO_SUBJECT = ("No clear subject", "No clear subject in {count} pictures")
NOTHING_NEW = "Nothing new to do"
DONE_BEFORE = (
    "{name} was done before and has not changed",
    "{count} pictures were done before and have not changed",
)
ONE_LOCATION = "{name} in {folder}"
ALL_LOCATIONS = ("In {folder}", "In {count} folders")
FAILURE_LINE = "{name}: {reason}"
NO_SUBJECT_LINE = "{name} shows no clear subject, so nothing was written"
UNKNOWN_REASON = "it could not be done."
MORE = "… and {count} more"
PROGRESS = "{finished} of {total}"
PROGRESS_LEFT = "{finished} of {total}, about {left}"
SECONDS, MINUTES, HOURS = "{count} s", "{count} min", "{count} h"

_SENTENCE_END = re.compile(r"(?<=\.) ")
_COMMAND_MARKERS = ("`", "nobg models")  # what a sentence speaks of that is meant for a terminal


@dataclass(frozen=True)
class Summary:
    """What to tell of a batch, as plain text, and what its buttons need: `done` has the jobs to undo.

    A click opens `target`: the one output, or the folder with most of them. `shown` is an output in `folder`.
    """

    title: str
    body: str
    done_ids: tuple[int, ...] = ()
    target: Path | None = None
    folder: Path | None = None
    first_output: Path | None = None


@dataclass(slots=True)
class _PictureGroup:
    """Pictures that met the same fate: how many, and the first."""

    count: int = 0
    first: Path | None = None

    def add(self, path: Path | None) -> None:
        self.count += 1
        self.first = self.first or path


class Batch:
    """The jobs that finished since the last summary. It keeps little of each: there may be very many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_summary_at = self._last_finished_at = -float("inf")
        self._started_at = 0.0
        self.finished_count = 0
        """The jobs that finished since work last came to rest."""
        self._reset()

    def _reset(self) -> None:
        """Begin a new summary."""
        self._done_ids: dict[int, None] = {}
        self._folders: dict[str, _PictureGroup] = {}
        self._missed: list[Job] = []  # the first few
        self._missed_count = self._no_subject_count = 0
        self._unchanged, self._unchanged_outputs = _PictureGroup(), _PictureGroup()

    @property
    def has_pending_summary(self) -> bool:
        """Is there something to tell?"""
        return bool(self._done_ids or self._missed or self._unchanged.count)

    @property
    def elapsed(self) -> float:
        """Seconds since the first of those that finished began; 0.0 at rest."""
        return self._clock() - self._started_at if self.finished_count else 0.0

    def add(self, job: Job) -> None:
        """A job has finished: it is done, skipped or failed."""
        self._last_finished_at = self._clock()
        if not self.finished_count:
            self._started_at = self._last_finished_at - (job.seconds or 0.0)
        self.finished_count += 1
        if job.state == "done":
            self._add_done(job)
        elif job.reason != "already_done":
            self._missed_count += 1
            self._no_subject_count += job.reason == "no_clear_subject"
            if len(self._missed) < MAX_NAMED_FAILURES:
                self._missed.append(job)
        elif job.watch is None:  # a person asked; that a folder was looked through again is no news
            self._unchanged.add(job.source)
            self._unchanged_outputs.add(job.output)

    def _add_done(self, job: Job) -> None:
        assert job.id is not None
        assert job.output is not None
        if job.id not in self._done_ids:  # else done anew, at a person's wish
            self._done_ids[job.id] = None
            self._folders.setdefault(str(job.output.parent), _PictureGroup()).add(job.output)

    def take_due_summary(self) -> Summary | None:
        """There is nothing that can be done now. What to tell, if it is time to; call it again and again."""
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
            shown = self._unchanged_outputs.first
            place = shown and shown.parent
            target = shown if self._unchanged.count == 1 else place
            return Summary(
                NOTHING_NEW,
                _name_or_count(DONE_BEFORE, self._unchanged),
                target=target,
                folder=place,
                first_output=shown,
            )
        if not self._done_ids:
            return Summary(self._title(), "\n".join(self._failure_lines()))
        folder, pictures = max(self._folders.items(), key=lambda item: item[1].count)
        shown = pictures.first
        return Summary(
            title=self._title(),
            body="\n".join((self._location_line(), *self._failure_lines())),
            done_ids=tuple(self._done_ids),
            target=shown if len(self._done_ids) == 1 else Path(folder),
            folder=Path(folder),
            first_output=shown,
        )

    def _title(self) -> str:
        done, missed = len(self._done_ids), self._missed_count
        if done and missed:
            return _plural(PARTLY_DONE, done).format(count=done, missed=missed)
        if done:
            return _plural(DONE, done).format(count=done)
        texts = NO_SUBJECT if missed == self._no_subject_count else NONE_DONE
        return _name_or_count(texts, _PictureGroup(missed, self._missed[0].source))

    def _location_line(self) -> str:
        folder, pictures = next(iter(self._folders.items()))
        name = escape_unprintable(Path(folder).name or folder)
        if len(self._done_ids) == 1:
            assert pictures.first is not None
            return ONE_LOCATION.format(name=escape_unprintable(pictures.first.name), folder=name)
        return _plural(ALL_LOCATIONS, len(self._folders)).format(folder=name, count=len(self._folders))

    def _failure_lines(self) -> list[str]:
        """A line for each of the first few that could not be done."""
        if not self._done_ids and self._missed_count == 1 and not self._no_subject_count:  # the title has its name
            reason = _plain_reason(self._missed[0])
            return [reason[0].upper() + reason[1:]]
        left = self._missed_count - len(self._missed)
        return [*map(_failure_line, self._missed), *([MORE.format(count=left)] if left else [])]


def _failure_line(job: Job) -> str:
    name = escape_unprintable(job.source.name)
    if job.reason == "no_clear_subject":
        return NO_SUBJECT_LINE.format(name=name)
    return FAILURE_LINE.format(name=name, reason=_plain_reason(job))


def _plain_reason(job: Job) -> str:
    """Why it was not done, without the sentences that tell what to type: who reads this may never use a terminal."""
    assert job.reason is not None
    sentences = _SENTENCE_END.split(escape_unprintable(describe_reason(job.reason, job.detail or "")))
    kept = [sentence for sentence in sentences if not any(command in sentence for command in _COMMAND_MARKERS)]
    return " ".join(kept) or UNKNOWN_REASON


def _plural(texts: tuple[str, str], count: int) -> str:
    return texts[count != 1]


def _name_or_count(texts: tuple[str, str], pictures: _PictureGroup) -> str:
    """The text that names the one picture, or says how many there are."""
    name = escape_unprintable(pictures.first.name) if pictures.first else ""
    return _plural(texts, pictures.count).format(name=name, count=pictures.count)


def describe_progress(finished: int, waiting: int, elapsed: float) -> str:
    """How far the work is, such as "3 of 12, about 8 s". The picture that is being done counts as waiting."""
    total = finished + waiting
    if not finished or not waiting or elapsed <= 0:
        return PROGRESS.format(finished=finished, total=total)
    return PROGRESS_LEFT.format(finished=finished, total=total, left=_duration(elapsed / finished * waiting))


def _duration(seconds: float) -> str:
    """Rounded as people say it."""
    if round(seconds) < 60:
        return SECONDS.format(count=max(1, round(seconds)))
    if round(seconds / 60) < 60:
        return MINUTES.format(count=round(seconds / 60))
    return HOURS.format(count=round(seconds / 3600))
