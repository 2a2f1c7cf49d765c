"""What is in a folder: the pictures and sub-folders that count for a watch. Knows neither journal nor settings.

Both ways use it: the folders of this machine are listed at once, those of a drive that may not answer in a thread.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from watcher import places
from watcher.folders.candidates import is_local_nonempty_file
from watcher.formats import is_picture_name
from watcher.guard.long_paths import entry_path, for_system
from watcher.naming import is_output_name, is_source_name

MAX_ENTRIES_AT_ONCE = 2000


@dataclass(frozen=True)
class Rules:
    """Which sub-folders count.

    `descends_into`: by name. `separate_paths` and `separate_identities` (device and inode): folders that are looked at
    for themselves, or not at all.
    """

    descends_into: Callable[[str], bool]
    separate_paths: frozenset[str] = frozenset()
    separate_identities: frozenset[tuple[int, int]] = frozenset()

    @functools.cached_property
    def separate_inodes(self) -> frozenset[int]:
        """The inodes of `separate_identities`, on any device."""
        return frozenset(inode for _, inode in self.separate_identities)


@dataclass(frozen=True)
class Listing:
    """A folder's pictures with their lstat, and its sub-folders. `problem`: why it could not be read to its end.

    `output_names`: the names that are like those of cut-outs.
    """

    path: str
    files: list[tuple[str, os.stat_result]]
    subfolders: list[str]
    output_names: list[str]
    problem: str | None = None

    @property
    def stems(self) -> set[str]:
        """The names of the pictures, without their extensions."""
        return {os.path.splitext(os.path.basename(path))[0] for path, _ in self.files}


def list_folder(path: str, rules: Rules) -> Listing:
    """Return what is in the folder."""
    files: list[tuple[str, os.stat_result]] = []
    subfolders: list[str] = []
    output_names: list[str] = []
    try:
        with os.scandir(for_system(path)) as entries:
            for entry in entries:
                places.note_progress()
                if entry.is_dir(follow_symlinks=False):
                    if rules.descends_into(entry.name) and not is_separate(entry, rules):
                        subfolders.append(entry_path(path, entry))
                elif is_source_name(entry.name) and entry.is_file(follow_symlinks=False):
                    file = entry_path(path, entry)
                    status = lstat(file)
                    if status and is_local_nonempty_file(status):
                        files.append((file, status))
                elif is_named_like_output(entry.name):
                    output_names.append(entry.name)
    except OSError as error:
        return Listing(path, files, subfolders, output_names, str(error.strerror))
    return Listing(path, files, subfolders, output_names)


def list_some(paths: Iterable[str], rules: Rules) -> tuple[list[Listing], list[str]]:
    """List folders and what is below them, about MAX_ENTRIES_AT_ONCE entries. Return also the folders that are left."""
    listings: list[Listing] = []
    left = list(paths)
    count = 0
    while left and count < MAX_ENTRIES_AT_ONCE:
        listing = list_folder(left.pop(), rules)
        listings.append(listing)
        left += listing.subfolders
        count += 1 + len(listing.files)
    return listings, left


def is_separate(entry: os.DirEntry[str], rules: Rules) -> bool:
    """Return whether the sub-folder is looked at for itself, or not at all."""
    if entry.path in rules.separate_paths:
        return True
    if entry.inode() not in rules.separate_inodes:  # scandir has read it already; stat is asked only where it matches
        return False
    return (entry.stat(follow_symlinks=False).st_dev, entry.inode()) in rules.separate_identities


def lstat(path: str) -> os.stat_result | None:
    """Return the status of a file, or None if it has none."""
    places.note_progress()
    try:
        return os.lstat(for_system(path))
    except OSError:
        return None


def lstat_all(paths: Iterable[str]) -> list[tuple[str, os.stat_result | None]]:
    """Return each path with its status."""
    return [(path, lstat(path)) for path in paths]


def stems_in(path: str) -> set[str]:
    """Return the names of the pictures in a folder, without their extensions."""
    try:
        return {os.path.splitext(name)[0] for name in os.listdir(path) if is_source_name(name)}
    except OSError:
        return set()


def is_named_like_output(name: str) -> bool:
    """Return whether a watched folder leaves the picture of this name, because a cut-out would have such a name."""
    return is_picture_name(name) and not name.startswith(".") and is_output_name(name)
