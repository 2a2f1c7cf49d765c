"""The `nobg` command: reads its arguments, calls the module that does it, prints, and answers with an exit code."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from watcher import __version__
from watcher.errors import NobgError, PlaceError, UsageError, exit_code, words

if TYPE_CHECKING:
    from watcher.jobs import Job, Journal

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 1 some pictures failed, 2 usage, 3 no model, 4 no room, 130)."""
    _prepare_streams()
    options = _parser().parse_args(arguments)
    try:
        code: int = options.act(options)
    except NobgError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("Stopped. What was finished is complete; run the same command again for the rest.")
        return INTERRUPTED
    finally:
        _flush()
    return code


def _prepare_streams() -> None:
    """Whatever a file is called, and wherever our output goes, the work goes on."""
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  same
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal gets what it can show; a program that reads our output gets the bytes of the name.
            errors = "backslashreplace" if stream.isatty() else "surrogateescape"
            encoding = stream.encoding if stream.isatty() else sys.getfilesystemencoding()
            stream.reconfigure(encoding=encoding, errors=errors)


def _flush() -> None:
    """What cannot be written goes nowhere, without a complaint at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _write(text: str, stream: TextIO) -> None:
    """One line above the progress bar. Whoever read our output may have gone, or its disk be full: we go on."""
    from tqdm import tqdm

    with contextlib.suppress(OSError):
        tqdm.write(text, stream)
        stream.flush()


def _say(text: str) -> None:
    """To the person, not into the output."""
    with contextlib.suppress(OSError):
        print(f"nobg: {_printable(text)}", file=sys.stderr)


def _printable(text: str) -> str:
    """File names may hold line ends, or what makes a terminal do things; what we say does not."""
    return "".join(f"\\x{ord(sign):02x}" if unicodedata.category(sign) == "Cc" else sign for sign in text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nobg", description="Remove the background of pictures, on this machine: nothing is uploaded."
    )
    parser.add_argument("--version", action="version", version=f"nobg {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    remove = commands.add_parser("remove", help="cut the subject out of pictures: photo.jpg gives photo_nobg.png")
    remove.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a picture, or a folder for those in it")
    remove.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write into this folder, not beside the picture"
    )
    remove.add_argument("--recursive", action="store_true", help="take the folders in a folder, too")
    remove.add_argument(
        "--force", action="store_true", help="do again what was done, and write even if no clear subject is found"
    )
    _add_json(remove)
    remove.set_defaults(act=_remove)

    _add_resident(commands)

    models = commands.add_parser("models", help="the model that finds the subject")
    actions = models.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("list", help="which there are").set_defaults(act=_models_list)
    actions.add_parser("verify", help="is its file undamaged?").set_defaults(act=_models_verify)

    doctor = commands.add_parser("doctor", help="check that everything works, and that nothing can leave the machine")
    _add_json(doctor)
    doctor.set_defaults(act=_doctor)
    return parser


def _add_resident(commands: Any) -> None:
    """The commands of the resident program."""
    add = commands.add_parser("add", help="put pictures in the queue of the resident program and return at once")
    add.add_argument("paths", nargs="+", metavar="PATH", help="a picture, a folder for those directly in it, or a URI")
    add.set_defaults(act=_add)

    run = commands.add_parser("run", help="the resident program: does what is put in watched folders and in the queue")
    run.add_argument("--no-tray", action="store_true", help="without an icon (there is none yet)")
    run.add_argument("--lock", type=int, help=argparse.SUPPRESS)  # inherited from the client that starts it
    _add_json(run)
    run.set_defaults(act=_run)

    watch = commands.add_parser("watch", help="the folders in which every picture is done").add_subparsers(
        metavar="ACTION", required=True
    )
    watch_add = watch.add_parser("add", help="watch a folder, or change how it is watched")
    watch_add.add_argument("folder", type=Path, metavar="DIR")
    watch_add.add_argument("--recursive", action="store_true", help="and the folders in it")
    watch_add.add_argument(
        "-o", "--output", metavar="DIR", help="where cut-outs go: the name of a sub-folder, or another folder"
    )
    watch_add.add_argument(
        "--move-originals", nargs="?", const="done", metavar="NAME", help="move what is done into a sub-folder (done)"
    )
    watch_remove = watch.add_parser("remove", help="watch a folder no longer")
    watch_remove.add_argument("folder", type=Path, metavar="DIR")
    watch_list = watch.add_parser("list", help="which folders are watched, and how")
    for parser, act in ((watch_add, _watch_add), (watch_remove, _watch_remove), (watch_list, _watch_list)):
        _add_json(parser)
        parser.set_defaults(act=act)

    retry = commands.add_parser("retry", help="try again what failed")
    undo = commands.add_parser("undo", help="move cut-outs to the trash, unless they were changed")
    for parser, what in ((retry, "all that failed"), (undo, "those of the last request")):
        parser.add_argument("jobs", nargs="*", type=int, metavar="JOB", help=f"numbers of jobs; none: {what}")
    undo.add_argument("--last", action="store_true", help="those of the last request; the same as no numbers")

    history = commands.add_parser("history", help="what was done, newest first")
    history.add_argument("--open", action="store_true", help="as a page with pictures, before and after")
    simple = {
        "pause": ("do nothing for now; what comes waits", _pause),
        "resume": ("go on", _resume),
        "status": ("what is going on?", _status),
    }
    for name, (text, act) in simple.items():
        parser = commands.add_parser(name, help=text)
        _add_json(parser)
        parser.set_defaults(act=act)
    for parser, act in ((retry, _retry), (undo, _undo), (history, _history)):
        _add_json(parser)
        parser.set_defaults(act=act)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")


def _remove(options: argparse.Namespace) -> int:
    from watcher import dispatch, jobs, models, selection

    sources = selection.pictures(options.paths, recursive=options.recursive)
    folder = None if options.output is None else _output_folder(options.output)
    results: list[Job] = []
    error: NobgError | None = None
    with _journal() as journal, _progress(len(sources), shown=not options.json and sys.stderr.isatty()) as step:
        try:
            for result in dispatch.run(sources, journal, folder=folder, force=options.force):
                results.append(result)
                if not options.json:
                    _report(result)
                step()
        except NobgError as what_ended_it:
            error = what_ended_it
    if options.json:
        finished = {result.source for result in results}
        results += [jobs.Job(path, model=models.DEFAULT.name) for path in sources if path not in finished]
        _print_json({"jobs": [result.as_dict() for result in results]})
    else:
        _say_done_before(sum(result.reason == "already_done" for result in results))
    if error is not None:
        raise error
    return max((exit_code(result.reason or "") for result in results if result.state == "failed"), default=0)


def _say_done_before(count: int) -> None:
    """One line, however many: a folder may be named again and again."""
    if count == 1:
        _say("1 picture was done before and has not changed. --force does it again.")
    elif count:
        _say(f"{count} pictures were done before and have not changed. --force does them again.")


def _report(result: Job) -> None:
    """The output's path to stdout; anything a person should know to stderr."""
    name = _printable(str(result.source))
    if result.reason is not None and result.reason != "already_done":
        text = words(result.reason, result.detail or "")
        _write(f"nobg: {name}: {_printable(text)}", sys.stderr)
    for note in result.notes.split():
        _write(f"nobg: {name}: {NOTES[note]}", sys.stderr)
    if result.output is not None:
        path = str(result.output)
        _write(_printable(path) if sys.stdout.isatty() else path, sys.stdout)


NOTES = {"first_frame": "it has several frames or pages; only the first one was done."}


@contextlib.contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[Callable[[], object]]:
    """A bar with how many are done and how long the rest takes; yields what counts one more."""
    from tqdm import tqdm

    layout = "{bar} {n_fmt} of {total_fmt}, {remaining} left"
    with tqdm(total=total, disable=not shown, leave=False, bar_format=layout) as bar:
        yield bar.update


@contextlib.contextmanager
def _journal() -> Iterator[Journal]:
    from watcher import jobs, paths

    with contextlib.closing(jobs.Journal(paths.state_dir(), thorough=True)) as journal:
        if journal.aside is not None:
            _say(f"The record of earlier jobs was damaged; it is now {journal.aside}, and a new one was begun.")
        yield journal


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1))


def _output_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{folder} is not a folder. Name one with -o.") from error
    except OSError as error:
        raise PlaceError(
            f"The folder {folder} cannot be made ({error.strerror}). Choose another one with -o."
        ) from error
    return Path(os.path.abspath(folder))  # one spelling: the journal tells places apart by it


def _models_list(_options: argparse.Namespace) -> int:
    from watcher import models

    for model in models.CATALOGUE:
        print(f"{model.name}  {model.size / 1e6:.0f} MB  {model.licence}  {models.path_of(model)}")
    return 0


def _models_verify(_options: argparse.Namespace) -> int:
    from watcher import models

    for model in models.CATALOGUE:
        models.read(model)
        print(f"{model.name} is undamaged: SHA-256 {model.sha256}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from watcher import doctor

    checks = doctor.examine()
    if options.json:
        _print_json({"checks": [check.as_dict() for check in checks]})
    else:
        for check in checks:
            print(f"{doctor.MARKS[check.state]} {check.name}: {_printable(check.detail)}")
    return max(check.exit_code for check in checks)


def _add(options: argparse.Namespace) -> int:
    from watcher import enqueue

    return enqueue.add(options.paths)


def _run(options: argparse.Namespace) -> int:
    from watcher import app, instance, paths

    state = paths.state_dir()
    lock = app.take_lock(state, options.lock)
    pid = os.getpid() if lock is not None else instance.holder(str(state))
    if options.json:
        _print_json({"running": True, "started": lock is not None, "process": pid})
    elif lock is None:
        print(f"nobg is already running (process {pid}).")
    if lock is None:
        return 0

    def started(problem: str | None) -> None:
        if problem is not None:
            _say(f"{problem} Until then, the last good settings stay in force.")
        if not options.json:
            print("nobg is running. It does what you put in watched folders or in the queue; Ctrl-C ends it.")
        _flush()

    app.run(state, started)
    return 0


def _watch_add(options: argparse.Namespace) -> int:
    from watcher import config, control, instance, paths

    folder = control.folder_to_watch(
        options.folder, recursive=options.recursive, output=options.output, move_originals=options.move_originals
    )
    config.add_folder(paths.config_path(), folder)
    running = instance.holder(str(paths.state_dir())) is not None
    count = control.waiting_pictures(folder)
    if options.json:
        _print_json({"folders": [control.describe(folder)], "pictures": count})
        return 0
    there = {0: "There is no picture in it yet.", 1: "The picture in it is done, too."}
    when = "now" if running else "while nobg runs; start it with: nobg run"
    text = there.get(count, f"The {count} pictures in it are done, too.")
    print(_printable(f"{folder.path} is watched {when}"))
    print(text)
    return 0


def _watch_remove(options: argparse.Namespace) -> int:
    from watcher import config, paths

    folder = Path(os.path.abspath(options.folder.expanduser()))
    config.remove_folder(paths.config_path(), folder)
    if options.json:
        return _watch_list(options)
    print(f"{_printable(str(folder))} is no longer watched. What was done stays.")
    return 0


def _watch_list(options: argparse.Namespace) -> int:
    from watcher import control

    with _journal() as journal:
        folders = control.status(journal)["folders"]
    if options.json:
        _print_json({"folders": folders})
        return 0
    for folder in folders:
        print(_printable(_folder_line(folder)))
    if not folders:
        print("No folder is watched. Watch one with: nobg watch add DIR")
    return 0


def _folder_line(folder: dict[str, Any]) -> str:
    ways = ["with its sub-folders"] if folder["recursive"] else []
    if folder["output"] is not None:
        ways.append(f"cut-outs in {folder['output']}")
    if folder["move_originals"] is not None:
        ways.append(f"originals go to {folder['move_originals']}")
    described = f" ({', '.join(ways)})" if ways else ""
    problem = f": {folder['problem']}" if folder["problem"] else ""
    return f"{folder['path']}{described}: {folder['state']}{problem}"


def _pause(options: argparse.Namespace) -> int:
    return _set_paused(options, paused=True)


def _resume(options: argparse.Namespace) -> int:
    return _set_paused(options, paused=False)


def _set_paused(options: argparse.Namespace, *, paused: bool) -> int:
    with _journal() as journal:
        journal.set("paused", "1" if paused else None)
    if options.json:
        _print_json({"paused": paused})
    else:
        print("nobg is paused. What comes waits until: nobg resume" if paused else "nobg goes on.")
    return 0


def _status(options: argparse.Namespace) -> int:
    from watcher import control

    with _journal() as journal:
        status = control.status(journal)
    if options.json:
        _print_json(status)
        return 0
    running = "nobg is running" if status["running"] else "nobg is not running; start it with: nobg run"
    print(running + (", paused (nobg resume goes on)." if status["paused"] else "."))
    print(f"{status['queued']} waiting, {status['active']} being done, {status['failed']} failed.")
    for folder in status["folders"]:
        print(_printable(f"Watched folder: {_folder_line(folder)}"))
    for place in status["waiting"]:
        print(_printable(f"Waiting: {place['place']}: {place['text']}"))
    for problem in status["problems"]:
        print(_printable(f"Problem: {problem}"))
    return 0


SHOWN = 30
"""Jobs that `nobg history` prints."""


def _history(options: argparse.Namespace) -> int:
    from watcher import control

    with _journal() as journal:
        jobs = journal.history()
        path = control.write_page(journal) if options.open else None
    if options.json:
        _print_json({"jobs": [job.as_dict() for job in jobs]})
    elif path is None:
        for job in jobs[:SHOWN]:
            print(_printable(_history_line(job)))
        if len(jobs) > SHOWN:
            print(f"{len(jobs) - SHOWN} older ones: nobg history --json")
        if not jobs:
            print("Nothing has been done yet.")
    if path is not None:
        import webbrowser

        if not webbrowser.open(path.as_uri()):
            _say(f"No browser could be started. The page is {path}")
            return 1
    return 0


def _history_line(job: Job) -> str:
    import time

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.changed_at))
    what = f": {words(job.reason, job.detail or '')}" if job.reason else ""
    if job.output is not None and job.state == "done":
        what = f" -> {job.output.name}"
    state = "taken back" if job.undone else job.state
    return f"{job.id:>6}  {when}  {state:<10}  {job.source}{what}"


def _undo(options: argparse.Namespace) -> int:
    from watcher import control, undo

    if options.jobs and options.last:
        raise UsageError("Name jobs, or --last, not both.")
    with _journal() as journal:
        results = list(undo.undo(control.to_undo(journal, options.jobs), journal, undo.to_trash))
    if options.json:
        _print_json({"jobs": [{**job.as_dict(), "undone": left is None, "left": left} for job, left in results]})
    for job, left in results:
        name = str(job.output or job.source)
        if left is not None:
            _say(f"{name} was left: {left}")
        elif not options.json:
            print(_printable(f"{name} is in the trash."))
    return 1 if any(left is not None for _, left in results) else 0


def _retry(options: argparse.Namespace) -> int:
    from watcher import control, enqueue, paths

    with _journal() as journal:
        jobs = control.retry(journal, options.jobs)
    if jobs:
        enqueue.start_program(str(paths.state_dir()))
    if options.json:
        _print_json({"jobs": [job.as_dict() for job in jobs]})
    elif jobs:
        print("1 picture is tried again." if len(jobs) == 1 else f"{len(jobs)} pictures are tried again.")
    else:
        print("Nothing has failed.")
    return 0
