"""The right-click client `nobg-add`: puts the selected pictures in the queue and is gone. Standard library only.

It looks at names and stat alone, and imports little: a person has just clicked.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence

from watcher import lock as file_lock
from watcher import paths
from watcher.errors import NobgError, describe_reason
from watcher.formats import is_picture_name
from watcher.naming import escape_unprintable, is_source_name
from watcher.queue import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCRIPT_VARIABLES = tuple(f"{manager}_SCRIPT_SELECTED_URIS" for manager in ("CAJA", "NEMO", "NAUTILUS"))
"""Where file managers tell their scripts what is selected, a URI on each line. Caja sets Nautilus's, too."""

USAGE = (
    "usage: nobg-add [--recipe NAME] [--] PICTURE-OR-FOLDER…   "
    "or, in a file manager's script: nobg-add [--recipe NAME] --from-env"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Put what is named in the queue: 0; 1 if some of it is no picture; 2, 4 as everywhere."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    recipe = None
    if given[:1] == ["--recipe"] and len(given) > 1:
        recipe = given[1]
        del given[:2]
    if given == ["--from-env"]:
        return add(_selected_uris(os.environ), recipe)
    if given and given[0] == "--":
        del given[0]
    elif any(argument.startswith("--") for argument in given):
        given = []
    if not given:
        _print_error(USAGE)
        return 2
    return add(given, recipe)


def add(arguments: Iterable[str], recipe: str | None = None) -> int:
    """Put pictures, the pictures in folders, and `file://` URIs in the queue, then see that the program runs.

    `recipe`: the name of the one under which they are to be done.
    """
    code, messages = _add_to_queue(arguments, recipe)
    for text in messages:
        _print_error(text)
    if messages:
        _show_notification(messages)
    return code


def _add_to_queue(arguments: Iterable[str], recipe: str | None) -> tuple[int, list[str]]:
    """The exit code, and what the person should know."""
    messages: list[str] = []
    found: dict[str, tuple[int, bool]] = {}
    for argument in arguments:
        try:
            pictures = _find_pictures(argument)
        except ValueError as error:
            messages.append(f"{argument}: {error}")
        else:
            found.update(pictures)
    if not found:
        return 1, messages or ["Nothing is selected. Select one or more pictures first."]
    code = 1 if messages else 0
    try:
        folder = paths.make_state_folder()
        sources = [(os.fsencode(path), device, listed) for path, (device, listed) in found.items()]
        if store.open_and_enqueue(folder, sources, **_enqueue_options(recipe)):
            messages.append("nobg is paused, so the pictures wait; `nobg resume` goes on.")
        start_program(folder)
    except NobgError as error:
        return error.exit_code, [*messages, str(error)]
    return code, messages


def _enqueue_options(recipe: str | None) -> dict[str, Any]:
    """How the pictures are to be done, as store.add() takes it. Raises UsageError where there is no such recipe."""
    if recipe is None and not _has_default_recipe(os.path.join(paths.config_folder(), "config.toml")):
        return {}
    from watcher import config  # reading the settings takes as long as all the rest, so only who asks waits

    if recipe is None:
        chosen = config.load_or_last_good(paths.config_path(), paths.state_dir() / config.LAST_GOOD_FILE).base_recipe(
            None, ()
        )
    else:
        chosen = config.load(paths.config_path()).recipe(recipe)
    return {"recipe": chosen.key(), "subfolder": b"" if chosen.output is None else os.fsencode(chosen.output)}


def _has_default_recipe(path: str) -> bool:
    """May the settings name a default recipe? Then it stands on a line of its own, before the first table."""
    try:
        with open(path, "rb") as file:
            for line in file:
                start = line.lstrip(b" \t\xef\xbb\xbf")  # some editors begin a file with a mark
                if start.startswith(b"["):
                    return False
                if start.startswith((b"recipe", b'"', b"'")):
                    return True
    except FileNotFoundError:
        return False
    except OSError:  # somebody else says so; here, the last good settings count
        return True
    return False


def _print_error(text: str) -> None:
    """To the person. There may be no stderr (pythonw on Windows), and a name may not be text."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"nobg: {escape_unprintable(text)}\n")
    except OSError:  # whoever listened has gone; the pictures go in the queue all the same
        return


MAX_SHOWN_MESSAGES = 4
"""Messages in a notification."""


def _show_notification(messages: list[str]) -> None:
    """On the desktop, where a file manager has started us and nobody reads stderr; notify-send(1) is not everywhere."""
    on_desktop = "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if sys.platform != "linux" or not on_desktop or (sys.stderr is not None and sys.stderr.isatty()):
        return
    import subprocess

    lines = [escape_unprintable(text) for text in messages[:MAX_SHOWN_MESSAGES]]
    if len(messages) > MAX_SHOWN_MESSAGES:
        lines.append(f"… and {len(messages) - MAX_SHOWN_MESSAGES} more.")
    text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;")
    command = ["notify-send", "--app-name=nobg", "--icon=nobg", "--", "nobg", text]
    try:
        shown = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        shown.returncode = 0  # nobody waits for it
    except OSError:
        return


def _selected_uris(environment: Mapping[str, str]) -> list[str]:
    """The URIs that the file manager which started us has selected."""
    for name in SCRIPT_VARIABLES:
        if environment.get(name):
            return [line for line in environment[name].split("\n") if line]
    return []


def to_path(argument: str) -> str:
    """A path as it is, or the path in a `file://` URI (RFC 8089). Raises ValueError for other places."""
    if argument.startswith("file:/") and not argument.startswith("file://"):
        argument = f"file://{argument[5:]}"
    scheme, separator, rest = argument.partition("://")
    if not separator or "/" in scheme:
        return argument
    if scheme != "file":
        raise ValueError("this is not a file on this computer. Copy it into a folder first.")
    path = os.fsencode(rest[rest.find("/") :])  # urllib would do this, and cost a tenth of the client's time
    return os.fsdecode(re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes.fromhex(code[1].decode()), path))


def _find_pictures(argument: str) -> dict[str, tuple[int, bool]]:
    """Absolute path -> device number, and whether it was only found in a folder. ValueError says why not."""
    path = os.path.abspath(to_path(argument))
    if "\0" in path:
        raise ValueError(describe_reason("vanished"))
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return _pictures_in_folder(path)
    except PermissionError as error:
        raise ValueError(describe_reason("no_permission")) from error
    except OSError as error:
        raise ValueError(describe_reason("vanished")) from error
    if not is_picture_name(path) or not stat.S_ISREG(status.st_mode):
        raise ValueError(describe_reason("unsupported"))
    return {path: (status.st_dev, False)}


def _pictures_in_folder(folder: str) -> dict[str, tuple[int, bool]]:
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_source_name(entry.name):
                continue
            try:
                if entry.is_file():
                    found[entry.path] = (entry.stat().st_dev, True)
            except OSError:  # a link that leads nowhere or back to itself is no picture
                continue
    if not found:
        raise ValueError("there is no picture in this folder that nobg can open. Select the pictures themselves.")
    return dict(sorted(found.items()))


def start_program(folder: str) -> None:
    """Start the resident program unless it runs. It inherits the lock, so that of many clients one starts it."""
    lock = file_lock.acquire(folder)
    if lock is None and not file_lock.holder_pid(folder):  # somebody who only looks, or a program that has just begun
        lock = file_lock.acquire(folder, timeout=0.3)
    if lock is None:
        return
    import subprocess

    command = [sys.executable, "-P", "-m", "watcher", "run"]
    environment = {name: value for name, value in os.environ.items() if "_SCRIPT_" not in name}
    try:
        if sys.platform == "win32":
            file_lock.release(lock)  # a lock is not inherited there
            flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
            subprocess.Popen(command, env=environment, cwd=folder, creationflags=flags)
            return
        program = subprocess.Popen(
            [*command, "--lock", str(lock)],
            env=environment,
            cwd=os.path.abspath(os.sep),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock],
            start_new_session=True,
        )
        program.returncode = 0  # it lives on, and Popen need not warn that nobody waits for it
    except OSError as error:
        raise NobgError(
            f"The pictures are in the queue, but nobg could not be started ({error}). Try: nobg run"
        ) from error
    file_lock.release(lock)
