"""The files in watched folders that have a job, and the recipes that those folders followed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from watcher.queue.database import Database
from watcher.queue.job import Job


class WatchedFiles:
    """The files in watched folders that have a job already. Raises what Database raises."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def known_recipes(self, watched_folder: Path, recipe: str, default_overrides: str | None) -> list[str]:
        """Record `recipe`, the one in force. Return all under which a file of this folder counts as known.

        A folder that follows the default recipe applies a new default to new files only. So its files also count as
        known under every earlier default, for as long as its own settings (`default_overrides`, as a recipe) stay the
        same. `default_overrides` is None for a folder with a recipe of its own.
        """
        rows = self._db.execute("SELECT recipe, said FROM followed WHERE watch = ?", (os.fsencode(watched_folder),))
        recipes = [row[0] for row in rows if row[1] == default_overrides]
        if len(recipes) < len(rows):
            self._db.execute(
                "DELETE FROM followed WHERE watch = ? AND said IS NOT ?",
                (os.fsencode(watched_folder), default_overrides),
            )
        if recipe in recipes:
            return recipes
        if default_overrides is not None:
            self._db.execute(
                "INSERT INTO followed VALUES (?, ?, ?)", (os.fsencode(watched_folder), recipe, default_overrides)
            )
        return [*recipes, recipe]

    def known_signatures(self, folder: str, recipes: list[str]) -> set[tuple[bytes, str]]:
        """Return path and signature of the files directly in `folder` that have a job under one of `recipes`.

        A file has one entry for each content that nobg has seen. The files that are cut-outs are among them.
        """
        query = f"SELECT source, signature FROM jobs WHERE folder = ? AND recipe IN ({_placeholders(recipes)})"  # noqa: S608
        copies = "SELECT path, signature FROM copies WHERE folder = ?"
        values = (os.fsencode(folder), *recipes, os.fsencode(folder))
        return set(self._db.execute(f"{query} AND signature IS NOT NULL UNION ALL {copies}", values))

    def has_job(self, source: bytes, recipes: list[str], signature: str) -> bool:
        """Return whether the file with this signature has a job under one of `recipes`, or is a cut-out."""
        query = f"SELECT 1 FROM jobs WHERE source = ? AND signature = ? AND recipe IN ({_placeholders(recipes)})"  # noqa: S608
        copies = "SELECT 1 FROM copies WHERE folder = ? AND path = ? AND signature = ?"
        values = (source, signature, *recipes, os.path.dirname(source), source, signature)
        return bool(self._db.execute(f"{query} UNION ALL {copies}", values))

    def mark_as_cut_out(self, job: Job) -> None:
        """Record that the source of `job` is a cut-out of nobg under another name, and remove the job."""
        source = os.fsencode(job.source)
        self._db.execute(
            "INSERT OR REPLACE INTO copies VALUES (?, ?, ?)", (os.path.dirname(source), source, job.signature)
        )
        self._db.execute("DELETE FROM jobs WHERE id = ? AND asked_at = ?", (job.id, job.asked_at))

    def find_settled_under_earlier_recipe(self, job: Job) -> Job | None:
        """Return the finished job of this content under an earlier recipe of the job's watched folder, or None."""
        if job.watch is None:
            return None
        jobs = self._db.select_jobs(
            "source = ? AND source_hash = ? AND state IN ('done', 'skipped', 'failed') "
            "AND recipe IN (SELECT recipe FROM followed WHERE watch = ?) ORDER BY changed_at DESC LIMIT 1",
            *(os.fsencode(job.source), job.source_hash, os.fsencode(job.watch)),
        )
        return jobs[0] if jobs else None

    def drop_unwatched_jobs(self, recipes: Mapping[Path, str]) -> None:
        """Remove queued jobs from folders that are no longer watched, or no longer under the same recipe.

        `recipes`: watched folder -> its recipe.
        """
        rows = ",".join(["(?, ?)"] * len(recipes))
        self._db.execute(
            "DELETE FROM jobs WHERE state = 'queued' AND watch IS NOT NULL "  # noqa: S608
            f"AND (watch, recipe) NOT IN (VALUES {rows or '(NULL, 0)'})",
            [value for folder, recipe in recipes.items() for value in (os.fsencode(folder), recipe)],
        )


def _placeholders(values: list[str]) -> str:
    return ", ".join("?" * len(values))
