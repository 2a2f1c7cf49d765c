"""A Watcher that runs step by step, on real folders, with a clock that the test advances."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from watchdog.events import FileCreatedEvent

from watcher.folders.watch import SWEEP_INTERVAL_SECONDS, Watcher
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import SETTLE_SECONDS
from watcher.settings.config import Folder


class Rig:
    """A Watcher without watchdog: it gets only the hints that the test gives. The test sets the clock."""

    def __init__(self, tmp_path: Path) -> None:
        self.now = 1000.0
        self.folder = tmp_path / "pictures"
        self.folder.mkdir()
        self.state_folder = tmp_path / "state"
        self.state_folder.mkdir()
        self.journal = Journal(self.state_folder)
        self.watcher = Watcher(self.journal, clock=lambda: self.now, wall_clock=lambda: self.now)

    def watch(self, **options: Any) -> None:
        """Watch `folder` with these options."""
        self.watcher.configure([Folder(self.folder, **options)])

    def write(self, name: str, content: str = "x") -> Path:
        """Write a file in `folder`."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def hint(self, path: Path) -> None:
        """Give the hint that watchdog would give."""
        self.watcher._observer.hints.on_any_event(FileCreatedEvent(str(path)))

    def step_after(self, seconds: float) -> None:
        """Advance the clock and run a round."""
        self.now += seconds
        self.watcher.step()

    def sweep(self) -> None:
        """Run a sweep and let the files that it found settle."""
        self.step_after(SWEEP_INTERVAL_SECONDS + 1)
        self.step_after(SETTLE_SECONDS)

    def finish_queued(self) -> list[str]:
        """Do all queued jobs; return their paths, relative to `folder` and sorted."""
        paths = []
        while (job := self.journal.next_job()) is not None:
            paths.append(str(job.source.relative_to(self.folder)))
            self.journal.record(replace(job, source_hash=os.urandom(4).hex()), state="done")
        return sorted(paths)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)
