"""What is in a folder: the pictures and sub-folders that count for a watch. Knows neither journal nor settings.

Both ways use it: the folders of this machine are listed at once, those of a drive that may not answer in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from watcher import places
from watcher.folders.candidates import is_local_nonempty_file
from watcher.naming import is_source_name

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


@dataclass(frozen=True)
class Listing:
    """A folder's pictures with their lstat, and its sub-folders. `problem`: why it could not be read to its end."""

    path: str
    files: list[tuple[str, os.stat_result]]
    subfolders: list[str]
    problem: str | None = None


def list_folder(path: str, rules: Rules) -> Listing:
    """Return what is in the folder."""
    files: list[tuple[str, os.stat_result]] = []
    subfolders: list[str] = []
    inodes = {inode for _, inode in rules.separate_identities}
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                places.note_progress()
                if entry.is_dir(follow_symlinks=False):
                    if rules.descends_into(entry.name) and not _is_separate(entry, rules, inodes):
                        subfolders.append(entry.path)
                elif is_source_name(entry.name) and entry.is_file(follow_symlinks=False):
                    status = lstat(entry.path)
                    if status and is_local_nonempty_file(status):
                        files.append((entry.path, status))
    except OSError as error:
        return Listing(path, files, subfolders, str(error.strerror))
    return Listing(path, files, subfolders)


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


def _is_separate(entry: os.DirEntry[str], rules: Rules, inodes: set[int]) -> bool:
    if entry.path in rules.separate_paths:
        return True
    if entry.inode() not in inodes:  # scandir has read it already; stat is asked only where it matches
        return False
    return (entry.stat(follow_symlinks=False).st_dev, entry.inode()) in rules.separate_identities


def lstat(path: str) -> os.stat_result | None:
    """Return the status of a file, or None if it has none."""
    places.note_progress()
    try:
        return os.lstat(path)
    except OSError:
        return None


def lstat_all(paths: Iterable[str]) -> list[tuple[str, os.stat_result | None]]:
    """Return each path with its status."""
    return [(path, lstat(path)) for path in paths]
