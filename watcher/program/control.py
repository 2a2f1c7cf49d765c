"""What `nobg run`, `watch`, `pause`, `resume`, `status`, `history`, `undo` and `retry` do; the words are cli's."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from watcher import config, lock, paths
from watcher.config import Config, Folder
from watcher.errors import DESTINATION_REASONS, UsageError
from watcher.folders.selection import find_pictures
from watcher.formats import is_picture_name
from watcher.matting import modes
from watcher.program import edit_config
from watcher.queue import store
from watcher.queue.journal import Job, Journal
from watcher.queue.undo import reason_to_keep, restore_original
from watcher.recipe import Recipe, RecipeError, config_values, read_recipe


def resolve_recipe(settings: Config, name: str | None, values: Mapping[str, object]) -> Recipe:
    """The recipe that the options of a command ask for: the one of that name, changed by `values`; where they say
    nothing but where outputs go, the default recipe.

    Raises UsageError where there is no such recipe, or its settings make no sense together, and ModelError where there
    is no such model.
    """
    values = dict(values)
    ground = values.get("background")
    if isinstance(ground, str) and is_picture_name(ground):
        values["background"] = os.path.abspath(
            os.path.expanduser(ground)
        )  # as in every command: seen from where the person is
    try:
        recipe = read_recipe(values, settings.base_recipe(name, values))
    except RecipeError as error:
        option = f"--{error.field.replace('_', '-')}"
        raise UsageError(f"{option}: {error}. Correct it and try again.") from error
    if recipe.model is not None:
        modes.find(recipe.model)
    if "background" in values and recipe.background_picture is not None and not recipe.background_picture.is_file():
        raise UsageError(f"The background picture {recipe.background_picture} is not there. Check the name.")
    return recipe


def watch_folder(path: Path, **options: Any) -> Folder:
    """Watch a folder from now on; `ways`: as folder_to_watch takes them. Raises UsageError, PlaceError."""
    table = make_folder_table(path, config.load(paths.config_path()), **options)
    settings = edit_config.add_folder(paths.config_path(), table)
    return next(folder for folder in settings.folders if str(folder.path) == table["path"])


def make_folder_table(
    path: Path,
    settings: Config,
    *,
    recursive: bool = False,
    recipe: str | None = None,
    values: Mapping[str, object] = MappingProxyType({}),
    move_originals: str | None = None,
) -> dict[str, Any]:
    """A folder's table for config.toml. `values`: what the options say of a recipe.

    Raises UsageError where that makes no sense.
    """
    absolute = Path(os.path.abspath(path))
    if not absolute.is_dir():
        raise UsageError(f"{absolute} is not a folder. Make it first, then watch it.")
    if "output" in values:
        place = Path(str(values["output"]))
        if len(place.parts) > 1:
            place = Path(os.path.abspath(place))
            if not place.is_dir():
                raise UsageError(f"{place} is not a folder. Make it first; or give a name alone, for a sub-folder.")
        values = {**values, "output": str(place)}
    if move_originals is not None and not config.is_valid_folder_name(move_originals):
        raise UsageError(f"{move_originals} is not the name of a sub-folder. Give one, such as: done")
    table = {"path": str(absolute), "recursive": recursive or None, "recipe": recipe, "move_originals": move_originals}
    table |= config_values(resolve_recipe(settings, recipe, values), values)
    return {key: value for key, value in table.items() if value is not None}


def count_pictures(folder: Folder) -> int:
    """How many pictures are in the folder now."""
    found = find_pictures([folder.path], recursive=folder.recursive)
    return len([path for path in found if path != folder.path])


def status(journal: Journal) -> dict[str, Any]:
    """What `nobg status --json` prints."""
    counts = journal.counts_by_state()
    running = lock.holder_pid(str(paths.state_dir())) is not None
    problems = []
    try:
        settings = config.load(paths.config_path())
    except UsageError as error:
        settings = config.load_last_good(paths.state_dir() / config.LAST_GOOD_FILE)
        problems.append(f"{error} Until then, the last good settings stay in force.")
    trouble = journal.get_setting("trouble")
    if trouble is not None and running:
        problems.append(trouble)
    problems += [_DAMAGED_RECORDS.format(path=path) for path in sorted(paths.state_dir().glob("jobs.damaged-*.db"))]
    offline_by = journal.get_setting("offline_by")
    waits = [
        {"place": str(pause.folder), "reason": pause.reason, "text": DESTINATION_REASONS[pause.reason]}
        for pause in journal.pauses()
    ]
    return {
        "running": running,
        "paused": journal.get_setting("paused") is not None,
        "queued": counts["queued"],
        "active": counts["active"],
        "failed": counts["failed"],
        "folders": list(_describe_folders(settings.folders, journal, running=running)),
        "waiting": waits,
        "model": settings.model or modes.DEFAULT.name,
        "offline": None if offline_by is None else offline_by != "",
        "problems": problems,
    }


_DAMAGED_RECORDS = (
    "The records of earlier jobs were damaged. They are now {path}, and new ones were begun. Pictures that you had "
    "right-clicked and that are not done must be chosen again. Delete that file when you have read this."
)


def _describe_folders(folders: Sequence[Folder], journal: Journal, *, running: bool) -> Iterator[dict[str, Any]]:
    told = json.loads(journal.get_setting("folders") or "{}") if running else {}
    for folder in folders:
        state, problem = told.get(str(folder.path), ["not watched", None])
        yield {**folder_as_dict(folder), "state": state if folder.enabled else "off", "problem": problem}


def folder_as_dict(folder: Folder) -> dict[str, Any]:
    """A watched folder as `--json` names it."""
    output = folder.recipe.output
    return {
        "path": str(folder.path),
        "enabled": folder.enabled,
        "recursive": folder.recursive,
        "recipe": folder.based_on,
        "settings": config_values(
            folder.recipe, [name for name in folder.recipe.non_default_settings() if name != "output"]
        ),
        "output": None if output is None else str(output),
        "move_originals": folder.move_originals,
    }


def retry(journal: Journal, job_ids: Sequence[int]) -> list[Job]:
    """Put these jobs back in the queue, whatever became of them; without numbers, all that failed. Returns them.

    A job that is named is done even if it was done before or shows no clear subject: the person has looked at it.
    Raises UsageError for a number that no job has.
    """
    chosen = _find_jobs(journal, job_ids) if job_ids else journal.failed_jobs()
    again = [job for job in chosen if job.state not in ("queued", "active")]
    for job in again:
        restore_original(job, journal)
        request = {
            "recipe": job.recipe,
            "subfolder": os.fsencode(job.destination),
            "force": bool(job_ids),
            "move_to": job.move_to,
        }
        journal.enqueue([(os.fsencode(job.source), job.device, None)], **request)
    return [replace(job, state="queued", reason=None, output=None, moved_to=None, undone=False) for job in again]


def jobs_to_undo(journal: Journal, job_ids: Sequence[int]) -> list[Job]:
    """The jobs to take back: those named or, without numbers, those of the last request. Raises UsageError."""
    chosen = _find_jobs(journal, job_ids) if job_ids else latest_undoable_jobs(journal)
    if not chosen:
        raise UsageError("There is nothing to take back. `nobg history` shows what was done.")
    return chosen


MAX_SEARCHED_REQUESTS = 50  # that are looked through for one that can be taken back


def latest_undoable_jobs(journal: Journal) -> list[Job]:
    """The jobs of the newest request of which something can be taken back; where there is none, of the newest."""
    newest: list[Job] = []
    passed: list[float] = []
    while len(passed) < MAX_SEARCHED_REQUESTS and (jobs := journal.jobs_of_last_request(passed)):
        if any(reason_to_keep(job, journal) is None for job in jobs):
            return jobs
        newest = newest or jobs
        passed.append(jobs[0].asked_at)
    return newest


def _find_jobs(journal: Journal, job_ids: Sequence[int]) -> list[Job]:
    found = journal.find_jobs(job_ids)
    missing = sorted(set(job_ids) - {job.id for job in found})
    if missing:
        raise UsageError(f"There is no job {missing[0]}. `nobg history` shows the jobs and their numbers.")
    return found


def write_history_page(journal: Journal) -> Path:
    """Write the newest jobs as a page into the state folder, for its owner alone (0600). Raises PlaceError."""
    from watcher.program.history_page import MAX_JOBS, render_page

    jobs = journal.history(MAX_JOBS)
    counts = journal.counts_by_state()
    older = sum(counts.values()) - counts["queued"] - len(jobs)
    with paths.open_log("history.html") as file:
        file.write(render_page(jobs, max(0, older)).encode())
    return paths.state_dir() / "history.html"


def set_paused(journal: Journal, *, paused: bool) -> None:
    """Do nothing for now; or go on."""
    journal.set_setting("paused", "1" if paused else None)
    store.wake_program(str(paths.state_dir()))
