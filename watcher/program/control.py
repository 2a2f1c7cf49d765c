"""What `watch`, `pause`, `resume`, `status`, `history`, `undo` and `retry` do, as commands or as clicks."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from watcher import lock, paths, places
from watcher.errors import DESTINATION_REASONS, UsageError, advise, for_terminal
from watcher.formats import is_picture_name
from watcher.matting import modes
from watcher.program import damage, edit_config, log
from watcher.queue import store
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import is_deleted
from watcher.queue.undo import reason_to_keep, restore_original
from watcher.recipe import Recipe, RecipeError, config_values, read_recipe
from watcher.settings import config
from watcher.settings.config import Config, Folder


def resolve_recipe(settings: Config, name: str | None, values: Mapping[str, object]) -> Recipe:
    """Return the recipe that a command's options describe.

    `name`: the recipe to start from; None: the default recipe if `values` set nothing but the output folder, else the
    plain one. `values`: settings that override it. Raises UsageError if there is no such recipe or its settings
    contradict each other, and ModelError if there is no such model.
    """
    values = dict(values)
    background = values.get("background")
    if isinstance(background, str) and is_picture_name(background):
        # A command may name it relative to the current folder; read_recipe takes full paths only.
        values["background"] = os.path.abspath(os.path.expanduser(background))
    try:
        recipe = read_recipe(values, settings.base_recipe(name, values))
    except RecipeError as error:
        option = f"--{error.field.replace('_', '-')}"
        raise UsageError(f"{option}: {error}. Correct it and try again.") from error
    if recipe.model is not None:
        modes.find(recipe.model)
    if "background" in values and recipe.background_picture is not None and not _is_file(recipe.background_picture):
        raise UsageError(f"The background picture {recipe.background_picture} does not exist. Check its name.")
    return recipe


def _is_file(path: Path) -> bool:
    return places.ask(path, path.is_file)


def watch_folder(path: Path, **options: Any) -> Folder:
    """Watch a folder from now on. `options`: see make_folder_table. Raises UsageError and DestinationError.

    A folder that is watched already gets these options in place of its own. But `recursive` alone only adds the folders
    inside it; all else stays.
    """
    absolute = Path(os.path.abspath(path))
    is_watched = any(folder.path == absolute for folder in config.load(paths.config_path()).folders)
    if (
        is_watched
        and options.get("recursive")
        and not any(value for name, value in options.items() if name != "recursive")
    ):
        settings = edit_config.set_folder_value(paths.config_path(), absolute, "recursive", True)
        return next(folder for folder in settings.folders if folder.path == absolute)
    table = make_folder_table(path, config.load(paths.config_path()), **options)
    settings = edit_config.add_folder(paths.config_path(), table)
    added = Path(table["path"])  # on Windows, the settings may spell the same path in other letters
    return next(folder for folder in settings.folders if folder.path == added)


def make_folder_table(
    path: Path,
    settings: Config,
    *,
    recursive: bool = False,
    recipe: str | None = None,
    values: Mapping[str, object] = MappingProxyType({}),
    move_originals: str | None = None,
) -> dict[str, Any]:
    """Return the table for a watched folder in config.toml.

    `recipe` and `values`: see resolve_recipe. `move_originals`: the sub-folder for finished originals; None: they stay.
    Raises UsageError if a folder does not exist or the settings are wrong.
    """
    absolute = Path(os.path.abspath(path))
    if not places.ask(absolute, absolute.is_dir):
        raise UsageError(f"{absolute} is not a folder. Make it first, then watch it.")
    if "output" in values:
        output = Path(str(values["output"]))
        if len(output.parts) > 1:
            output = Path(os.path.abspath(output))
            if not places.ask(output, output.is_dir):
                raise UsageError(f"{output} is not a folder. Make it first, or give just a name for a sub-folder.")
        values = {**values, "output": str(output)}
    if move_originals is not None and not config.is_valid_folder_name(move_originals):
        raise UsageError(f"{move_originals} is not the name of a sub-folder. Give one, such as: done")
    table = {"path": str(absolute), "recursive": recursive or None, "recipe": recipe, "move_originals": move_originals}
    table |= config_values(resolve_recipe(settings, recipe, values), values)
    return {key: value for key, value in table.items() if value is not None}


def count_pictures(folder: Folder, journal: Journal) -> int:
    """Return how many pictures in the watched folder the program will do now. The rule is that of its own sweep."""
    from watcher.folders.watch import Watcher  # imports watchdog, which would slow down the other commands

    return Watcher(journal).count_new(folder, config.load(paths.config_path()).folders)


def status(journal: Journal) -> dict[str, Any]:
    """Return what `nobg status --json` prints."""
    counts = journal.counts_by_state()
    is_running = lock.holder_pid(str(paths.state_dir())) is not None
    problems = []
    try:
        settings = config.load(paths.config_path())
    except UsageError as error:
        settings = config.load_last_good(paths.state_dir() / config.LAST_GOOD_FILE)
        problems.append(f"{error} Until then, the last good settings stay in force.")
    worker_problem = journal.get_setting("trouble")
    if worker_problem is not None and is_running:
        problems.append(for_terminal(worker_problem))
    problems += map(for_terminal, damage.texts(journal, paths.state_dir()))
    offline_by = journal.get_setting("offline_by")
    waiting = [
        {"place": place, "reason": reason, "text": DESTINATION_REASONS[reason]}
        for place, reason in waiting_places(journal)
    ]
    return {
        "running": is_running,
        "paused": journal.get_setting("paused") is not None,
        "queued": counts["queued"],
        "active": counts["active"],
        "failed": journal.failures.count(),
        "folders": list(_describe_folders(settings.folders, journal, is_running=is_running)),
        "waiting": waiting,
        "model": settings.model or modes.DEFAULT.name,
        "offline": None if offline_by is None else offline_by != "",
        "problems": problems,
    }


MAX_TROUBLED_SOURCES = 3
"""How many pictures that the system cannot read now are named."""


def waiting_places(journal: Journal) -> list[tuple[str, str]]:
    """Return the folders whose pictures wait, and why. Of those on a drive that does not answer, the drive.

    Pictures that the system cannot read now are named themselves, the first few of them.
    """
    waiting = []
    for pause in journal.pauses():
        mount = places.find(pause.folder) if pause.reason == "no_answer" else None
        waiting.append((str(pause.folder) if mount is None else mount.point, pause.reason))
    waiting += [(str(source), "trouble") for source in journal.troubled_sources(MAX_TROUBLED_SOURCES)]
    return list(dict.fromkeys(waiting))


def _describe_folders(folders: Sequence[Folder], journal: Journal, *, is_running: bool) -> Iterator[dict[str, Any]]:
    """Yield each folder as `--json` shows it, with the state that the running program has recorded."""
    states = json.loads(journal.get_setting("folders") or "{}") if is_running else {}
    for folder in folders:
        state, problem, *left_out = states.get(str(folder.path), ["not watched", None])
        details = {"state": state if folder.enabled else "off", "problem": problem and for_terminal(problem)}
        yield {**folder_as_dict(folder), **details, "left_out": (left_out or [{}])[0]}


def folder_as_dict(folder: Folder) -> dict[str, Any]:
    """Return a watched folder's settings as `--json` shows them."""
    output = folder.recipe.output
    return {
        "path": str(folder.path),
        "enabled": folder.enabled,
        "recursive": folder.recursive,
        "recipe": folder.base_recipe_name,
        "settings": config_values(
            folder.recipe, [name for name in folder.recipe.non_default_settings() if name != "output"]
        ),
        "output": None if output is None else str(output),
        "move_originals": folder.move_originals,
    }


def retry(journal: Journal, job_ids: Sequence[int]) -> list[Job]:
    """Put jobs back into the queue and return them: those with these numbers or, without numbers, all failed ones.

    A job named by its number is done even if it was done before or has no clear subject: the person knows the picture.
    Jobs that are queued or active are left out. Without numbers, so are pictures that the person has deleted, renamed
    or moved since: their failures no longer count. Raises UsageError for a number that no job has.
    """
    chosen = _find_jobs(journal, job_ids) if job_ids else journal.failures.all()
    retried = [job for job in chosen if job.state not in ("queued", "active")]
    if not job_ids:
        gone = [job for job in retried if is_deleted(job)]
        for job in gone:
            journal.failures.drop(os.fsencode(job.source))
        retried = [job for job in retried if job not in gone]
    for job in retried:
        restore_original(job, journal)
        request = {
            "recipe": job.recipe,
            "subfolder": os.fsencode(job.destination),
            "force": bool(job_ids),
            "move_to": job.move_to,
        }
        journal.enqueue([(os.fsencode(job.source), job.device, None)], **request)
    return [replace(job, state="queued", reason=None, output=None, moved_to=None, undone=False) for job in retried]


def jobs_to_undo(journal: Journal, job_ids: Sequence[int]) -> list[Job]:
    """Return the jobs with these numbers or, without numbers, those of the last request.

    Raises UsageError if there are none.
    """
    chosen = _find_jobs(journal, job_ids) if job_ids else latest_undoable_jobs(journal)
    if not chosen:
        raise UsageError(advise("There is nothing to undo.", terminal="`nobg history` shows what was done."))
    return chosen


MAX_SEARCHED_REQUESTS = 50  # how many requests to search for one that can be undone


def latest_undoable_jobs(journal: Journal) -> list[Job]:
    """Return the jobs of the newest request with a job that can be undone; if there is none, of the newest one."""
    newest: list[Job] = []
    searched_times: list[float] = []
    while len(searched_times) < MAX_SEARCHED_REQUESTS and (jobs := journal.jobs_of_last_request(searched_times)):
        if any(reason_to_keep(job, journal) is None for job in jobs):
            return jobs
        newest = newest or jobs
        searched_times.append(jobs[0].asked_at)
    return newest


def _find_jobs(journal: Journal, job_ids: Sequence[int]) -> list[Job]:
    """Return the jobs with these numbers. Raises UsageError for a number that no job has."""
    jobs = journal.find_jobs(job_ids)
    missing = sorted(set(job_ids) - {job.id for job in jobs})
    if missing:
        raise UsageError(
            advise(f"There is no job {missing[0]}.", terminal="`nobg history` shows the jobs and their numbers.")
        )
    return jobs


def write_history_page(journal: Journal) -> Path:
    """Write the newest jobs as a page that only its owner can read, and return its path. Raises DestinationError."""
    from watcher.program.history_page import MAX_JOBS, render_page

    jobs = journal.history(MAX_JOBS)
    counts = journal.counts_by_state()
    older_count = sum(counts.values()) - counts["queued"] - len(jobs)
    with paths.open_log("history.html") as file:
        file.write(render_page(jobs, max(0, older_count)).encode())
    return paths.state_dir() / "history.html"


def forget(journal: Journal, job_ids: Sequence[int] = (), older_than_days: int | None = None) -> list[Job]:
    """Remove the records of finished jobs, and their names from the history page and the logs. Return these jobs.

    `job_ids`: the jobs; none: all that are older than `older_than_days`, or all if that is None. The pictures and
    cut-outs stay. Raises UsageError for a number that no finished job has.
    """
    is_everything = not job_ids and older_than_days is None
    jobs = _find_jobs(journal, job_ids) if job_ids else journal.history()
    for job in jobs:
        if job_ids and job.state in ("queued", "active"):
            raise UsageError(f"Job {job.id} is not finished yet. Wait until it is, then forget it.")
    if older_than_days is not None:
        end = time.time() - older_than_days * 86400
        jobs = [job for job in jobs if job.changed_at < end]
    forgotten = journal.forgotten.forget(jobs, and_lost_names=is_everything)
    state = paths.state_dir()
    (state / "history.html").unlink(missing_ok=True)
    if is_everything:
        for path in state.glob("jobs.damaged-*.db*"):
            path.unlink(missing_ok=True)
    names = [path for job in forgotten for path in (job.source, job.output, job.moved_to) if path is not None]
    log.erase(state, None if is_everything else names)
    return forgotten


def set_paused(journal: Journal, *, paused: bool) -> None:
    """Pause or resume the program. A pause persists after the program ends."""
    journal.set_setting("paused", "1" if paused else None)
    store.wake_program(str(paths.state_dir()))
