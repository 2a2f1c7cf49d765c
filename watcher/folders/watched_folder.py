"""A watched folder: its configuration and its state."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from watcher.config import Folder
from watcher.folders.candidates import is_excluded_folder

if TYPE_CHECKING:
    from watchdog.observers.api import ObservedWatch


@dataclass
class WatchedFolder:
    """A watched folder and its state. FolderObserver and Watcher change the state."""

    config: Folder
    known_recipes: list[str]  # the recipes under which its files count as known
    watch: ObservedWatch | None = None  # watchdog's handle; None: the system does not report changes
    identity: tuple[int, int] | None = None  # device and inode of the existing folder; None: it is missing
    is_polled: bool = False
    sweep_at: float = 0.0  # time of the next sweep
    directory_count: int = 0  # directories in the last sweep
    is_silent: bool = False  # it is on a drive that does not answer
    mounts_below: frozenset[tuple[str, str]] = frozenset()  # see places.mounts_below()
    problem: str | None = None  # why the folder is missing, or polled
    sweep_problem: str | None = None  # why the last sweep could not read the folder
    inside_due_at: float = 0.0  # time of the next look at the sub-folders of a watch that is not recursive
    inside: tuple[int, bool] = (0, False)  # pictures there, and whether there may be more
    output_names: dict[str, list[str]] = field(default_factory=dict)  # directory -> files left for their names
    path: str = field(init=False)

    def __post_init__(self) -> None:
        self.path = str(self.config.path)

    @property
    def state(self) -> str:
        """`missing`, `does not answer`, `polled` or `watched`, as `nobg status --json` shows it."""
        if self.is_silent:
            return "does not answer"
        if self.identity is None:
            return "missing"
        return "polled" if self.is_polled else "watched"

    @property
    def left_out(self) -> dict[str, object]:
        """What the folder leaves alone though a person may expect it to be done, as the program reports it."""
        names = [name for names in self.output_names.values() for name in names]
        return {
            "inside": self.inside[0],
            "more_inside": self.inside[1],
            "named_like_cut_outs": len(names),
            "example": min(names, default=None),
        }

    def covers(self, path: str) -> bool:
        """Return whether this watch includes the folder that contains `path`."""
        relative_folder = os.path.relpath(os.path.dirname(path), self.path)
        if relative_folder == os.curdir:
            return True
        return self.config.recursive and all(self.descends_into(name) for name in relative_folder.split(os.sep))

    def descends_into(self, name: str) -> bool:
        """Return whether a recursive watch goes into sub-folders of this name."""
        return not is_excluded_folder(name) and name != self.config.move_originals
