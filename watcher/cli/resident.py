"""The commands of the resident program: what they print. What they do is in `program.control`."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watcher import enqueue, paths, session
from watcher import lock as file_lock
from watcher.cli import terminal
from watcher.errors import NobgError, UsageError, describe_reason
from watcher.program import control, edit_config, review
from watcher.queue import store
from watcher.queue import undo as undoing
from watcher.queue.job import Job

if TYPE_CHECKING:
    from watcher.program import resident


def add(options: argparse.Namespace) -> int:
    """Run `nobg add`, which does what the right-click client does."""
    chosen = ["--edit"] if options.edit else [] if options.recipe is None else ["--recipe", options.recipe]
    return enqueue.main([*chosen, *(["--from-env"] if options.from_env else ["--", *options.paths])])


def run(options: argparse.Namespace) -> int:
    """Run `nobg run`: become the resident program, unless it is running already."""
    try:
        return _run(options)
    except NobgError as error:  # at login nobody sees what a program prints
        enqueue.show_notification([str(error)])
        raise


def _run(options: argparse.Namespace) -> int:
    from watcher.program import resident  # imports watchdog, which would slow down the other commands

    state = paths.state_dir()
    store.check_access(str(state))
    lock = resident.take_lock(state, options.lock)
    pid = os.getpid() if lock is not None else file_lock.holder_pid(str(state))
    if options.json:
        terminal.print_json({"running": True, "started": lock is not None, "process": pid})
    elif lock is None:
        terminal.print_line(f"nobg is already running (process {pid}).")
    if lock is None:
        if not options.no_tray:  # at login, the program of the last session, or one without any, still runs
            session.hand_over(str(state))
        return 0

    def report_start(problem: str | None) -> None:
        if problem is not None:
            terminal.print_error(f"{problem} Until then, the last good settings stay in force.")
        if not options.json:
            terminal.print_line(
                "nobg is running. It cuts out the pictures in watched folders and in the queue. Press Ctrl-C to end it."
            )
        terminal.flush()

    resident.run(state, lock, report_start, None if options.no_tray else _open_ui)
    return 0


def _open_ui(state: Path, stop_program: Callable[[], None]) -> resident.UserInterface:
    from watcher.desktop.ui import UserInterface  # imports everything that a desktop needs

    return UserInterface(state, stop_program, terminal.print_error)


def watch_add(options: argparse.Namespace) -> int:
    """Run `nobg watch add`."""
    values = options.values if options.output is None else {**options.values, "output": options.output}
    with terminal.open_journal() as journal:  # before the settings change: if it fails, nothing has changed
        folder = control.watch_folder(
            options.folder,
            recursive=options.recursive,
            recipe=options.recipe,
            values=values,
            move_originals=options.move_originals,
        )
        count = control.count_pictures(folder, journal)
    is_running = file_lock.holder_pid(str(paths.state_dir())) is not None
    if options.json:
        terminal.print_json({"folders": [control.folder_as_dict(folder)], "pictures": count})
        return 0
    count_texts = {0: "There is no new picture in it.", 1: "The picture already in it will be done, too."}
    terminal.print_line(
        f"{folder.path} is now watched"
        if is_running
        else f"{folder.path} is watched while nobg runs; start it with: nobg run"
    )
    terminal.print_line(count_texts.get(count, f"The {count} pictures already in it will be done, too."))
    return 0


def watch_remove(options: argparse.Namespace) -> int:
    """Run `nobg watch remove`."""
    folder = Path(os.path.abspath(options.folder))
    edit_config.remove_folder(paths.config_path(), folder)
    if options.json:
        return watch_list(options)
    terminal.print_line(f"{folder} is no longer watched. The cut-outs made so far stay.")
    return 0


def watch_list(options: argparse.Namespace) -> int:
    """Run `nobg watch list`."""
    with terminal.open_journal() as journal:
        status = control.status(journal)
    folders = status["folders"]
    for problem in status["problems"]:
        terminal.print_error(problem)
    if options.json:
        terminal.print_json({"folders": folders})
        return 0
    for folder in folders:
        terminal.print_line(_folder_line(folder))
    if not folders:
        terminal.print_line("No folder is watched. Watch one with: nobg watch add DIR")
    return 0


def _folder_line(folder: dict[str, Any]) -> str:
    details = ["with its sub-folders"] if folder["recursive"] else []
    if folder["recipe"] is not None:
        details.append(f"recipe {folder['recipe']}")
    details += [f"{name.replace('_', ' ')} {value}" for name, value in folder["settings"].items()]
    if folder["output"] is not None:
        details.append(f"cut-outs in {folder['output']}")
    if folder["move_originals"] is not None:
        details.append(f"originals go to {folder['move_originals']}")
    parenthesis = f" ({', '.join(details)})" if details else ""
    states = [] if folder["state"] == "does not answer" else [folder["state"]]  # the problem says it in a sentence
    return ": ".join([f"{folder['path']}{parenthesis}", *states, *filter(None, [folder["problem"]])])


def _left_out_lines(folder: dict[str, Any]) -> list[str]:
    """Return what the folder leaves alone though a person may expect it to be done, and what to do then."""
    left_out, lines = folder["left_out"], []
    if count := left_out.get("inside"):
        pictures = "1 picture" if count == 1 else f"{count} pictures"
        at_least = "at least " if left_out["more_inside"] else ""
        command = f"nobg watch add --recursive {shlex.quote(folder['path'])}"
        verb = "is" if count == 1 else "are"
        lines.append(
            f"{folder['path']}: {at_least}{pictures} in folders inside it {verb} not watched. To watch them: {command}"
        )
    if count := left_out.get("named_like_cut_outs"):
        example = left_out["example"]
        names = example if count == 1 else f"{count} pictures, such as {example},"
        said = "it has the name of a cut-out" if count == 1 else "they have names of cut-outs"
        lines.append(
            f"{folder['path']}: {names} {'is' if count == 1 else 'are'} left, since {said} (*_nobg.*). "
            f"To have {'it' if count == 1 else 'them'} done: rename {'it' if count == 1 else 'them'}, or nobg add FILE"
        )
    return lines


def pause(options: argparse.Namespace) -> int:
    """Run `nobg pause`."""
    return _set_paused(options, paused=True)


def resume(options: argparse.Namespace) -> int:
    """Run `nobg resume`."""
    return _set_paused(options, paused=False)


def _set_paused(options: argparse.Namespace, *, paused: bool) -> int:
    with terminal.open_journal() as journal:
        control.set_paused(journal, paused=paused)
    if options.json:
        terminal.print_json({"paused": paused})
    elif paused:
        terminal.print_line("nobg is paused. New pictures wait in the queue. To continue: nobg resume")
    else:
        terminal.print_line("nobg continues.")
    return 0


def status(options: argparse.Namespace) -> int:
    """Run `nobg status`."""
    with terminal.open_journal() as journal:
        status = control.status(journal)
    if options.json:
        terminal.print_json(status)
        return 0
    summary = "nobg is running" if status["running"] else "nobg is not running; start it with: nobg run"
    terminal.print_line(summary + (", paused (continue with: nobg resume)." if status["paused"] else "."))
    terminal.print_line(f"{status['queued']} waiting, {status['active']} being done, {status['failed']} failed.")
    for folder in status["folders"]:
        terminal.print_line(f"Watched folder: {_folder_line(folder)}")
        for line in _left_out_lines(folder):
            terminal.print_line(f"Left: {line}")
    for pause in status["waiting"]:
        terminal.print_line(f"Waiting: {pause['place']}: {pause['text']}")
    for problem in status["problems"]:
        terminal.print_line(f"Problem: {problem}")
    return 0


MAX_SHOWN_JOBS = 30
"""The largest number of jobs that `nobg history` prints."""


def history(options: argparse.Namespace) -> int:
    """Run `nobg history`."""
    if options.forget is not None or options.all or options.older is not None:
        return _forget(options)
    with terminal.open_journal() as journal:
        jobs = journal.history()
        page = control.write_history_page(journal) if options.open else None
    if options.json:
        terminal.print_json({"jobs": [job.as_dict() for job in jobs]})
    elif page is None:
        for job in jobs[:MAX_SHOWN_JOBS]:
            terminal.print_line(_history_line(job))
        if len(jobs) > MAX_SHOWN_JOBS:
            terminal.print_line(f"{len(jobs) - MAX_SHOWN_JOBS} older jobs: nobg history --json")
        if not jobs:
            terminal.print_line("Nothing has been done yet.")
    if page is not None:
        import webbrowser

        if not webbrowser.open(page.as_uri()):
            terminal.print_error(f"No browser could be started. The page is {page}")
            return 1
    return 0


def _forget(options: argparse.Namespace) -> int:
    """Run `nobg history --forget`."""
    ways = [bool(options.forget), options.all, options.older is not None]
    if options.forget is None or sum(ways) != 1 or options.open:
        raise UsageError("Say what to forget: nobg history --forget JOB…, or --forget --all, or --forget --older 30d.")
    with terminal.open_journal() as journal:
        jobs = control.forget(journal, options.forget, options.older)
    if options.json:
        terminal.print_json({"forgotten": len(jobs)})
    else:
        count = "1 job is" if len(jobs) == 1 else f"{len(jobs)} jobs are"
        terminal.print_line(f"{count} forgotten. The pictures and cut-outs stay where they are.")
    return 0


def _history_line(job: Job) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.changed_at))
    outcome = f": {describe_reason(job.reason, job.detail or '')}" if job.reason else ""
    if job.output is not None and job.state == "done":
        outcome = f" -> {job.output.name}"
    state = "undone" if job.undone else job.state
    remark = review.describe(job)
    return f"{job.id:>6}  {when}  {state:<10}  {job.source}{outcome}{f' ({remark})' if remark else ''}"


def undo(options: argparse.Namespace) -> int:
    """Run `nobg undo`. Return 1 if a job was not undone."""
    if options.jobs and options.last:
        raise UsageError("Name jobs or give --last, not both.")
    with terminal.open_journal() as journal:
        results = list(undoing.undo(control.jobs_to_undo(journal, options.jobs), journal, undoing.move_to_trash))
    if options.json:
        terminal.print_json(
            {"jobs": [{**job.as_dict(), "undone": reason is None, "left": reason} for job, reason in results]}
        )
    for job, reason in results:
        name = str(job.output or job.source)
        if reason is not None:
            terminal.print_error(f"{name} was not undone: {reason}")
        elif not options.json:
            terminal.print_line(f"{name} is in the trash.")
    return 1 if any(reason is not None for _, reason in results) else 0


def retry(options: argparse.Namespace) -> int:
    """Run `nobg retry`."""
    with terminal.open_journal() as journal:
        jobs = control.retry(journal, options.jobs)
    if jobs:
        store.wake_program(str(paths.state_dir()))
        enqueue.start_program(str(paths.state_dir()))
    if options.json:
        terminal.print_json({"jobs": [job.as_dict() for job in jobs]})
    elif jobs:
        count = "1 picture" if len(jobs) == 1 else f"{len(jobs)} pictures"
        terminal.print_line(f"nobg will try {count} again.")
    else:
        terminal.print_line("These pictures are already in the queue." if options.jobs else "Nothing has failed.")
    return 0
