"""What a watched folder leaves alone though a person may expect it to be done. Looks at names only, and not at many."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from watcher.folders.listing import Rules, is_separate
from watcher.folders.watched_folder import WatchedFolder
from watcher.guard.long_paths import entry_path, for_system
from watcher.naming import DEFAULT_SUFFIX, is_output_name, is_source_name

MAX_ENTRIES = 2000
"""How many names in sub-folders one look reads. A sweep of a folder that is not recursive must stay cheap."""
MAX_DEPTH = 3
"""How many levels of sub-folders one look goes down."""


def look_inside(folder: WatchedFolder, rules: Rules) -> tuple[int, bool]:
    """Count the pictures that a recursive watch of `folder` would find as well. Return also whether there may be more.

    `rules`: which sub-folders are watched, or switched off, for themselves.
    """
    suffix, count, entries_left, has_deeper = folder.config.recipe.suffix, 0, MAX_ENTRIES, False
    waiting: list[tuple[str, int]] = [(folder.path, 0)]
    while waiting:
        directory, depth = waiting.pop()
        try:
            with os.scandir(for_system(directory)) as entries:
                for entry in entries:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if depth == 0 and not is_folder:
                        continue
                    entries_left -= 1
                    if entries_left < 0:
                        return count, count > 0
                    if not is_folder:
                        count += is_source_name(entry.name) and not is_output_name(entry.name, suffix)
                    elif _counts(folder, entry) and not is_separate(entry, rules):
                        has_deeper = has_deeper or depth == MAX_DEPTH
                        waiting += [(entry_path(directory, entry), depth + 1)] if depth < MAX_DEPTH else []
        except OSError:  # what may not be read could not be watched either
            continue
    return count, has_deeper and count > 0


def _counts(folder: WatchedFolder, entry: os.DirEntry[str]) -> bool:
    """Return whether a sub-folder may hold a person's pictures: not if it is hidden, `done/` or for cut-outs."""
    output = folder.config.recipe.output
    is_for_outputs = output is not None and (entry.path == str(output) or entry.name == str(output))
    return folder.descends_into(entry.name) and not is_for_outputs


def unknown_with_output_names(
    directory: str, names: Iterable[str], stems: set[str], is_output: Callable[[str], bool]
) -> list[str]:
    """Return those of `names` that are like the names of cut-outs, though nobg knows of no such cut-out.

    A file that lies beside its picture is a cut-out, of another nobg or from before the records were lost.
    `stems`: the names of the directory's pictures, without their extensions. `is_output`: whether nobg wrote the file
    of this path.
    """
    return sorted(
        name
        for name in names
        if name.rpartition(DEFAULT_SUFFIX)[0] not in stems and not is_output(os.path.join(directory, name))
    )
