"""Pure: which finished jobs belong together, and what a person is told of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watcher.errors import words
from watcher.naming import visible
from watcher.queue.journal import Job

QUIET = 1.0  # seconds after the last job until a batch is over: the next picture may just be on its way
BETWEEN = 10.0  # seconds from one summary to the next
LINES = 3  # pictures that could not be done and are named

# The texts; of two, the first is for one thing, the other for any other number of them.
DONE = ("Cut-out ready", "{count} cut-outs ready")
DONE_AND_NOT = ("1 cut-out ready, {missed} not", "{count} cut-outs ready, {missed} not")
NOT = ("{name} could not be done", "{count} pictures could not be done")
NO_SUBJECT = ("No clear subject", "No clear subject in {count} pictures")
BEFORE = "Nothing new to do"
BEFORE_WHICH = (
    "{name} was done before and has not changed",
    "{count} pictures were done before and have not changed",
)
WHERE = "{name} in {folder}"
WHERE_ALL = ("In {folder}", "In {count} folders")
WHY = "{name}: {reason}"
WHY_NO_SUBJECT = "{name} shows no clear subject, so nothing was written"
UNSAID = "it could not be done."
MORE = "… and {count} more"
PROGRESS = "{finished} of {total}"
PROGRESS_LEFT = "{finished} of {total}, about {left}"
SECONDS, MINUTES, HOURS = "{count} s", "{count} min", "{count} h"

_SENTENCE_END = re.compile(r"(?<=\.) ")
_COMMANDS = ("`", "nobg models")  # what a sentence speaks of that is meant for a terminal


@dataclass(frozen=True)
class Summary:
    """What to tell of a batch, as plain text, and what its buttons need: `done` has the jobs to undo.

    A click opens `target`: the one output, or the folder with most of them. `shown` is an output in `folder`.
    """

    title: str
    body: str
    done: tuple[int, ...] = ()
    target: Path | None = None
    folder: Path | None = None
    shown: Path | None = None


@dataclass(slots=True)
class _Pictures:
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
        self._told_at = self._finished_at = -float("inf")
        self._began_at = 0.0
        self.finished = 0
        """The jobs that finished since work last came to rest."""
        self._forget()

    def _forget(self) -> None:
        """Begin a new summary."""
        self._done: dict[int, None] = {}
        self._folders: dict[str, _Pictures] = {}
        self._missed: list[Job] = []  # the first few
        self._missed_count = self._no_subject_count = 0
        self._before, self._outputs_before = _Pictures(), _Pictures()

    @property
    def owes(self) -> bool:
        """Is there something to tell?"""
        return bool(self._done or self._missed or self._before.count)

    @property
    def elapsed(self) -> float:
        """Seconds since the first of those that finished began; 0.0 at rest."""
        return self._clock() - self._began_at if self.finished else 0.0

    def add(self, job: Job) -> None:
        """A job has finished: it is done, skipped or failed."""
        self._finished_at = self._clock()
        if not self.finished:
            self._began_at = self._finished_at - (job.seconds or 0.0)
        self.finished += 1
        if job.state == "done":
            self._add_done(job)
        elif job.reason != "already_done":
            self._missed_count += 1
            self._no_subject_count += job.reason == "no_clear_subject"
            if len(self._missed) < LINES:
                self._missed.append(job)
        elif job.watch is None:  # a person asked; that a folder was looked through again is no news
            self._before.add(job.source)
            self._outputs_before.add(job.output)

    def _add_done(self, job: Job) -> None:
        assert job.id is not None
        assert job.output is not None
        if job.id not in self._done:  # else done anew, at a person's wish
            self._done[job.id] = None
            self._folders.setdefault(str(job.output.parent), _Pictures()).add(job.output)

    def rest(self) -> Summary | None:
        """There is nothing that can be done now. What to tell, if it is time to; call it again and again."""
        now = self._clock()
        if now - self._finished_at < QUIET:
            return None
        self.finished = 0
        if not self.owes or now - self._told_at < BETWEEN:
            return None
        summary = self._summary()
        self._told_at = now
        self._forget()
        return summary

    def _summary(self) -> Summary:
        if not self._done and not self._missed:
            shown = self._outputs_before.first
            place = shown and shown.parent
            target = shown if self._before.count == 1 else place
            return Summary(BEFORE, _either(BEFORE_WHICH, self._before), target=target, folder=place, shown=shown)
        if not self._done:
            return Summary(self._title(), "\n".join(self._whys()))
        folder, pictures = max(self._folders.items(), key=lambda item: item[1].count)
        shown = pictures.first
        return Summary(
            title=self._title(),
            body="\n".join((self._where(), *self._whys())),
            done=tuple(self._done),
            target=shown if len(self._done) == 1 else Path(folder),
            folder=Path(folder),
            shown=shown,
        )

    def _title(self) -> str:
        done, missed = len(self._done), self._missed_count
        if done and missed:
            return _plural(DONE_AND_NOT, done).format(count=done, missed=missed)
        if done:
            return _plural(DONE, done).format(count=done)
        texts = NO_SUBJECT if missed == self._no_subject_count else NOT
        return _either(texts, _Pictures(missed, self._missed[0].source))

    def _where(self) -> str:
        folder, pictures = next(iter(self._folders.items()))
        name = visible(Path(folder).name or folder)
        if len(self._done) == 1:
            assert pictures.first is not None
            return WHERE.format(name=visible(pictures.first.name), folder=name)
        return _plural(WHERE_ALL, len(self._folders)).format(folder=name, count=len(self._folders))

    def _whys(self) -> list[str]:
        """A line for each of the first few that could not be done."""
        if not self._done and self._missed_count == 1 and not self._no_subject_count:  # the title has its name
            reason = _reason(self._missed[0])
            return [reason[0].upper() + reason[1:]]
        left = self._missed_count - len(self._missed)
        return [*map(_why, self._missed), *([MORE.format(count=left)] if left else [])]


def _why(job: Job) -> str:
    name = visible(job.source.name)
    if job.reason == "no_clear_subject":
        return WHY_NO_SUBJECT.format(name=name)
    return WHY.format(name=name, reason=_reason(job))


def _reason(job: Job) -> str:
    """Why it was not done, without the sentences that tell what to type: who reads this may never use a terminal."""
    assert job.reason is not None
    sentences = _SENTENCE_END.split(visible(words(job.reason, job.detail or "")))
    kept = [sentence for sentence in sentences if not any(command in sentence for command in _COMMANDS)]
    return " ".join(kept) or UNSAID


def _plural(texts: tuple[str, str], count: int) -> str:
    return texts[count != 1]


def _either(texts: tuple[str, str], pictures: _Pictures) -> str:
    """The text that names the one picture, or says how many there are."""
    name = visible(pictures.first.name) if pictures.first else ""
    return _plural(texts, pictures.count).format(name=name, count=pictures.count)


def progress(finished: int, waiting: int, elapsed: float) -> str:
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
