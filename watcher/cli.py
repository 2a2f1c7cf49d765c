"""The `nobg` command: reads its arguments, calls the module that does it, prints, and answers with an exit code."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watcher import __version__, terminal
from watcher.errors import NobgError, PlaceError, UsageError, exit_code, words

if TYPE_CHECKING:
    from watcher.jobs import Job

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 1 some pictures failed, 2 usage, 3 no model, 4 no room, 130)."""
    terminal.prepare()
    options = _parser().parse_args(arguments)
    try:
        code: int = options.act(options)
    except NobgError as error:
        terminal.say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        terminal.say("Stopped. What was finished is complete; run the same command again for the rest.")
        return INTERRUPTED
    finally:
        terminal.flush()
    return code


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
    """The commands of the resident program; each but `add` with --json."""
    add = commands.add_parser("add", help="put pictures in the queue of the resident program and return at once")
    add.add_argument("paths", nargs="*", metavar="PATH", help="a picture, a folder for those directly in it, or a URI")
    add.add_argument("--from-env", action="store_true", help="what is selected in the file manager that runs us")
    add.set_defaults(act=_resident("add"))

    run = _command(commands, "run", "run", "the resident program: does what is in watched folders and in the queue")
    run.add_argument("--no-tray", action="store_true", help="without an icon (there is none yet)")
    run.add_argument("--lock", type=int, help=argparse.SUPPRESS)  # inherited from the client that starts it

    watch = commands.add_parser("watch", help="the folders in which every picture is done")
    actions = watch.add_subparsers(metavar="ACTION", required=True)
    watch_add = _command(actions, "add", "watch_add", "watch a folder, or change how it is watched")
    watch_add.add_argument("folder", type=Path, metavar="DIR")
    watch_add.add_argument("--recursive", action="store_true", help="and the folders in it")
    watch_add.add_argument(
        "-o", "--output", metavar="DIR", help="where cut-outs go: the name of a sub-folder, or another folder"
    )
    watch_add.add_argument(
        "--move-originals", nargs="?", const="done", metavar="NAME", help="move what is done into a sub-folder (done)"
    )
    watch_remove = _command(actions, "remove", "watch_remove", "watch a folder no longer")
    watch_remove.add_argument("folder", type=Path, metavar="DIR")
    _command(actions, "list", "watch_list", "which folders are watched, and how")

    _command(commands, "pause", "pause", "do nothing for now; what comes waits")
    _command(commands, "resume", "resume", "go on")
    _command(commands, "status", "status", "what is going on?")
    history = _command(commands, "history", "history", "what was done, newest first")
    history.add_argument("--open", action="store_true", help="as a page with pictures, before and after")
    undo = _command(commands, "undo", "undo", "move cut-outs to the trash, unless they were changed")
    retry = _command(commands, "retry", "retry", "try again what failed")
    for parser, what in ((undo, "those of the last request"), (retry, "all that failed")):
        parser.add_argument("jobs", nargs="*", type=int, metavar="JOB", help=f"numbers of jobs; none: {what}")
    undo.add_argument("--last", action="store_true", help="those of the last request; the same as no numbers")


def _command(parent: Any, name: str, function: str, text: str) -> argparse.ArgumentParser:
    """A command with --json, done by that function of `commands`."""
    parser: argparse.ArgumentParser = parent.add_parser(name, help=text)
    _add_json(parser)
    parser.set_defaults(act=_resident(function))
    return parser


def _resident(name: str) -> Callable[[argparse.Namespace], int]:
    """The function of `commands` with this name, imported when it is called."""

    def act(options: argparse.Namespace) -> int:
        from watcher import commands

        function: Callable[[argparse.Namespace], int] = getattr(commands, name)
        return function(options)

    return act


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")


def _remove(options: argparse.Namespace) -> int:
    from watcher import dispatch, jobs, models, selection

    sources = selection.pictures(options.paths, recursive=options.recursive)
    folder = None if options.output is None else _output_folder(options.output)
    results: list[Job] = []
    error: NobgError | None = None
    with (
        terminal.open_journal() as journal,
        _progress(len(sources), shown=not options.json and sys.stderr.isatty()) as step,
    ):
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
        terminal.print_json({"jobs": [result.as_dict() for result in results]})
    else:
        _say_done_before(sum(result.reason == "already_done" for result in results))
    if error is not None:
        raise error
    return max((exit_code(result.reason or "") for result in results if result.state == "failed"), default=0)


def _say_done_before(count: int) -> None:
    """One line, however many: a folder may be named again and again."""
    if count == 1:
        terminal.say("1 picture was done before and has not changed. --force does it again.")
    elif count:
        terminal.say(f"{count} pictures were done before and have not changed. --force does them again.")


def _report(result: Job) -> None:
    """The output's path to stdout; anything a person should know to stderr."""
    name = terminal.printable(str(result.source))
    if result.reason is not None and result.reason != "already_done":
        text = words(result.reason, result.detail or "")
        terminal.write(f"nobg: {name}: {terminal.printable(text)}", sys.stderr)
    for note in result.notes.split():
        terminal.write(f"nobg: {name}: {NOTES[note]}", sys.stderr)
    if result.output is not None:
        path = str(result.output)
        terminal.write(terminal.printable(path) if sys.stdout.isatty() else path, sys.stdout)


NOTES = {"first_frame": "it has several frames or pages; only the first one was done."}


@contextlib.contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[Callable[[], object]]:
    """A bar with how many are done and how long the rest takes; yields what counts one more."""
    from tqdm import tqdm

    layout = "{bar} {n_fmt} of {total_fmt}, {remaining} left"
    with tqdm(total=total, disable=not shown, leave=False, bar_format=layout) as bar:
        yield bar.update


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
        terminal.print_json({"checks": [check.as_dict() for check in checks]})
    else:
        for check in checks:
            terminal.tell(f"{doctor.MARKS[check.state]} {check.name}: {check.detail}")
    return max(check.exit_code for check in checks)
