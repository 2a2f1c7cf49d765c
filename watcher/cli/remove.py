"""`nobg remove`: cuts out the named pictures, in this process, and prints the result of each."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from watcher import commit, paths, places
from watcher.cli import terminal
from watcher.errors import NOTES, DestinationError, NobgError, UsageError, describe_reason, exit_code
from watcher.folders import selection
from watcher.matting import modes
from watcher.matting.touchup import hints
from watcher.matting.touchup.edits import Edit, EditsError
from watcher.program import control
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.recipe import OUTPUT_EXTENSIONS
from watcher.settings import config
from watcher.worker import dispatch


def remove(options: argparse.Namespace) -> int:
    """Run `nobg remove`. Return the largest exit code of its pictures' failures, or 0."""
    settings = config.load(paths.config_path())
    recipe = control.resolve_recipe(settings, options.recipe, options.values)
    if options.output is not None:
        recipe = replace(recipe, output=_make_output_folder(options.output))
    mode = modes.find(recipe.model or settings.model)
    new_hints = _read_hints(options)
    found = selection.find_pictures(options.paths, recursive=options.recursive)
    named_paths = {os.path.abspath(path) for path in options.paths}
    jobs: list[Job] = []
    error: NobgError | None = None
    with (
        terminal.open_journal() as journal,
        _progress_bar(len(found), shown=not options.json and sys.stderr.isatty()) as advance,
    ):
        # A folder stands for its pictures, not for their cut-outs, whatever suffix these have.
        sources = [path for path in found if str(path) in named_paths or not _is_cut_out(path, journal)]
        try:
            for job in dispatch.run(
                sources,
                journal,
                recipe=recipe,
                force=options.force,
                mode=mode,
                on_notice=_print_notice,
                listed=found,
                new_hints=new_hints,
                with_edits=not options.without_edits,
            ):
                jobs.append(job)
                if not options.json:
                    _print_job(job)
                advance()
        except NobgError as run_error:
            error = run_error
    if options.json:
        finished = {job.source for job in jobs}
        jobs += [Job(path, model=mode.name) for path in sources if path not in finished]
        terminal.print_json({"jobs": [job.as_dict() for job in jobs]})
    else:
        _print_done_before(sum(job.reason == "already_done" for job in jobs))
    if error is not None:
        raise error
    return max((exit_code(job.reason or "") for job in jobs if job.state == "failed"), default=0)


def _read_hints(options: argparse.Namespace) -> tuple[Edit, ...]:
    """Return what --box and the like say. Raises UsageError."""
    try:
        new_hints = hints.make(options.box, options.keep_points, options.drop_points, options.keep)
    except EditsError as error:
        name, _, text = str(error).partition(": ")
        raise UsageError(f"--{_HINT_OPTIONS.get(name, name)}: {text}. Correct it and try again.") from error
    if new_hints and options.without_edits:
        raise UsageError("--without-edits leaves out what --box and the like say. Give one or the other.")
    return new_hints


_HINT_OPTIONS = {"keep_points": "keep-point", "drop_points": "drop-point"}


def _is_cut_out(path: Path, journal: Journal) -> bool:
    """Return whether nobg wrote the file, or one with its content: it may have been renamed, or moved."""
    if journal.outputs.is_output(os.fsencode(path)):
        return True
    if path.suffix.lower() not in OUTPUT_EXTENSIONS.values():
        return False
    content_hash = commit.sha256_of(path)
    return content_hash is not None and journal.outputs.is_output_content(content_hash)


def _make_output_folder(folder: Path) -> Path:
    try:
        places.ask(folder, lambda: folder.mkdir(parents=True, exist_ok=True))
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{folder} is not a folder. Name one with -o.") from error
    except OSError as error:
        raise DestinationError(
            f"The folder {folder} cannot be created ({error.strerror}). Choose another one with -o."
        ) from error
    return Path(os.path.abspath(folder))  # the journal compares destinations by their spelling


@contextlib.contextmanager
def _progress_bar(total: int, *, shown: bool) -> Iterator[Callable[[], object]]:
    """Show how many pictures are done and how long the rest takes. Yields the function that advances the bar by one."""
    layout = "{bar} {n_fmt} of {total_fmt}, {remaining} left"
    with tqdm(total=total, disable=not shown, leave=False, bar_format=layout) as bar:
        yield bar.update


def _print_notice(text: str) -> None:
    """Print a notice of dispatch to standard error."""
    terminal.write_above_progress(terminal.printable(text), sys.stderr)


def _print_job(job: Job) -> None:
    """Print the output's path to standard output, and reasons and notes to standard error."""
    name = terminal.printable(str(job.source))
    if job.reason is not None and job.reason != "already_done":
        text = describe_reason(job.reason, job.detail or "")
        terminal.write_above_progress(f"nobg: {name}: {terminal.printable(text)}", sys.stderr)
    for note in job.notes.split():
        terminal.write_above_progress(f"nobg: {name}: {NOTES[note]}", sys.stderr)
    if job.output is not None:
        path = str(job.output)
        terminal.write_above_progress(terminal.printable(path) if sys.stdout.isatty() else path, sys.stdout)


def _print_done_before(count: int) -> None:
    """Print one line for all pictures that were done before: a folder may be named again and again."""
    if count == 1:
        terminal.print_error("1 picture was done before and has not changed. --force does it again.")
    elif count:
        terminal.print_error(f"{count} pictures were done before and have not changed. --force does them again.")
