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
from typing import TYPE_CHECKING, TextIO

from watcher import __version__
from watcher.errors import NobgError, PlaceError, UsageError, exit_code, words

if TYPE_CHECKING:
    from watcher.dispatch import Result
    from watcher.jobs import Journal

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

    models = commands.add_parser("models", help="the model that finds the subject")
    actions = models.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("list", help="which there are").set_defaults(act=_models_list)
    actions.add_parser("verify", help="is its file undamaged?").set_defaults(act=_models_verify)

    doctor = commands.add_parser("doctor", help="check that everything works, and that nothing can leave the machine")
    _add_json(doctor)
    doctor.set_defaults(act=_doctor)
    return parser


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")


def _remove(options: argparse.Namespace) -> int:
    from watcher import dispatch, selection

    sources = selection.pictures(options.paths, recursive=options.recursive)
    folder = None if options.output is None else _output_folder(options.output)
    results: list[Result] = []
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
        results += [dispatch.Result(None, path, "queued") for path in sources if path not in finished]
        print(json.dumps({"jobs": [result.as_dict() for result in results]}, indent=1))
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


def _report(result: Result) -> None:
    """The output's path to stdout; anything a person should know to stderr."""
    name = _printable(str(result.source))
    if result.reason is not None and result.reason != "already_done":
        text = words(result.reason, result.detail)
        _write(f"nobg: {name}: {_printable(text)}", sys.stderr)
    for note in result.notes:
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
    import sqlite3

    from watcher import jobs, paths

    place = paths.state_dir()
    try:
        journal, damaged = jobs.open_journal(place)
    except (OSError, sqlite3.OperationalError) as error:
        raise paths.cannot_write(place, error) from error
    if damaged is not None:
        _say(f"The record of earlier jobs was damaged; it is now {damaged}, and a new one was begun.")
    with contextlib.closing(journal):
        yield journal


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
        print(json.dumps({"checks": [check.as_dict() for check in checks]}, indent=1))
    else:
        for check in checks:
            print(f"{doctor.MARKS[check.state]} {check.name}: {_printable(check.detail)}")
    return max(check.exit_code for check in checks)
