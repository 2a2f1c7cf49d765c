"""The right-click client `nobg-add`: put the selected pictures in the queue, start the resident program, exit.

With `--edit`, it opens the one selected picture in the window "Touch up", and does nothing else.

It uses only file names and stat, and imports little of the standard library: a person has just clicked and is waiting.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence

from watcher import lock as file_lock
from watcher import paths, places, session
from watcher.errors import (
    NoAnswerError,
    NobgError,
    advise,
    for_desktop,
    for_terminal,
    reason_text,
    refused_access_error,
)
from watcher.formats import is_picture_name
from watcher.guard.long_paths import entry_path, for_system
from watcher.naming import escape_unprintable, is_source_name
from watcher.queue import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ANSWER_SECONDS = 1.0
"""How long the drive of a picture may take to answer: a person is waiting."""

SCRIPT_VARIABLES = tuple(f"{manager}_SCRIPT_SELECTED_URIS" for manager in ("CAJA", "NEMO", "NAUTILUS"))
"""The variables in which file managers pass the selection to a script, one URI per line. Caja also sets Nautilus's."""

USAGE = (
    "usage: nobg-add [--recipe NAME] [--] PICTURE-OR-FOLDER…   "
    "or, in a file manager's script: nobg-add [--recipe NAME] --from-env   "
    "or, to touch up one picture: nobg-add --edit [--] PICTURE, nobg-add --edit --from-env"
)

EDITOR_MISSING = advise(
    "Touch up needs one more package, PySide6-Essentials, for its window.",
    desktop="Ask the person who installed nobg to add it.",
    terminal="Add it with: pipx inject nobg-watcher PySide6-Essentials, or with: pip install 'nobg-watcher[editor]'",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run nobg-add. Returns the exit code: 0, 1 if an argument is no picture, else that of the error."""
    paths.leave_pythonpath()
    remaining = list(sys.argv[1:] if arguments is None else arguments)  # argparse would take too long to load
    recipe, is_edit = None, remaining[:1] == ["--edit"]
    if is_edit:
        del remaining[0]
    elif remaining[:1] == ["--recipe"] and len(remaining) > 1:
        recipe = remaining[1]
        del remaining[:2]
    if remaining == ["--from-env"]:
        selected = _selected_uris(os.environ)
        return edit(selected) if is_edit else add(selected, recipe)
    if remaining and remaining[0] == "--":
        del remaining[0]
    elif any(argument.startswith("--") for argument in remaining):
        remaining = []
    if not remaining:
        _print_error(USAGE)
        return 2
    return edit(remaining) if is_edit else add(remaining, recipe)


def add(arguments: Iterable[str], recipe: str | None = None) -> int:
    """Put pictures in the queue and start the resident program if it is not running. Returns the exit code.

    `arguments`: paths and `file://` URIs of pictures, and of folders, which stand for the pictures directly in them.
    `recipe`: the name of the recipe to use; None: the default recipe.
    """
    code, messages = _add_to_queue(arguments, recipe)
    _show(messages)
    return code


def edit(arguments: Sequence[str]) -> int:
    """Open the window "Touch up" on a picture or its cut-out and return at once. Returns the exit code.

    `arguments`: a path or a `file://` URI. The menus ask for one picture; not every file manager can see to that.
    """
    if len(arguments) != 1:
        _show(["Select one picture to touch up."])
        return 1
    try:
        path = to_path(arguments[0])
        if not is_picture_name(path):
            raise ValueError(reason_text("unsupported"))  # noqa: TRY301  handled like what to_path() raises
        start_editor(["--", os.path.abspath(path)])
    except NobgError as error:
        _show([error.text])
        return error.exit_code
    except (ValueError, OSError) as error:  # OSError: relative to a folder that was deleted
        reason = str(error) if isinstance(error, ValueError) else reason_text("vanished")
        _show([f"{arguments[0]}: {reason}"])
        return 1
    return 0


def _show(messages: list[str]) -> None:
    """Print the messages, and show them on the desktop if nobody sees what is printed."""
    for message in messages:
        _print_error(message)
    if messages:
        show_notification(messages)


def _add_to_queue(arguments: Iterable[str], recipe: str | None) -> tuple[int, list[str]]:
    """Do the work of `add`. Returns the exit code and messages for the person."""
    messages: list[str] = []
    pictures: dict[str, tuple[int | None, bool]] = {}
    silent_drives: dict[str, None] = {}
    for argument in arguments:
        try:
            pictures.update(_find_pictures(argument, silent_drives))
        except ValueError as error:
            messages.append(f"{argument}: {error}")
    if not pictures:
        return 1, messages or ["Nothing is selected. Select one or more pictures first."]
    code = 1 if messages else 0
    messages += [f"{drive} does not answer. Its pictures wait until it does." for drive in silent_drives]
    try:
        folder = paths.make_state_folder()
        sources = [(os.fsencode(path), device, is_from_folder) for path, (device, is_from_folder) in pictures.items()]
        if store.open_and_enqueue(folder, sources, **_enqueue_options(recipe)):
            messages.append(
                advise(
                    "nobg is paused, so the pictures wait.",
                    desktop="To go on, click Pause in the menu of nobg's icon.",
                    terminal="To start it again: nobg resume",
                )
            )
        start_program(folder)
    except NobgError as error:
        return error.exit_code, [*messages, error.text]
    except PermissionError as error:
        refusal = refused_access_error(error)
        return refusal.exit_code, [*messages, refusal.text]
    return code, messages


def _enqueue_options(recipe: str | None) -> dict[str, Any]:
    """Return the options of `store.open_and_enqueue` for this recipe. Raises UsageError if there is no such recipe."""
    if recipe is None and not _has_default_recipe(os.path.join(paths.config_folder(), "config.toml")):
        return {}
    from watcher.settings import (
        config,  # this takes as long as everything else, so only clicks that need it wait for it
    )

    if recipe is None:
        settings = config.load_or_last_good(paths.config_path(), paths.state_dir() / config.LAST_GOOD_FILE)
        chosen = settings.base_recipe(None, ())
    else:
        chosen = config.load(paths.config_path()).recipe(recipe)
    return {"recipe": chosen.key(), "subfolder": b"" if chosen.output is None else os.fsencode(chosen.output)}


def _has_default_recipe(path: str) -> bool:
    """Return whether config.toml may name a default recipe, on a line of its own before the first table."""
    try:
        with open(paths.open_regular(path), "rb") as file:
            for line in file:
                start = line.lstrip(b" \t\xef\xbb\xbf")  # some editors begin a file with a byte order mark
                if start.startswith(b"["):
                    return False
                if start.startswith((b"recipe", b'"', b"'")):
                    return True
    except FileNotFoundError:
        return False
    except OSError:  # the resident program reports it; the client uses the last good settings
        return True
    return False


def _print_error(text: str) -> None:
    """Write a line to stderr, which pythonw on Windows does not have."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"nobg: {escape_unprintable(for_terminal(text))}\n")
    except OSError:  # the reader of a pipe has ended; that does not affect the queue
        return


MAX_SHOWN_MESSAGES = 4
"""The most messages that one notification shows."""


def show_notification(messages: list[str]) -> None:
    """Show the messages on the desktop if a file manager or the login has started nobg: stderr is invisible then.

    Without notify-send(1), nothing is shown.
    """
    on_desktop = "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if sys.platform != "linux" or not on_desktop or (sys.stderr is not None and sys.stderr.isatty()):
        return
    import subprocess

    lines = [escape_unprintable(for_desktop(text)) for text in messages[:MAX_SHOWN_MESSAGES]]
    if len(messages) > MAX_SHOWN_MESSAGES:
        lines.append(f"… and {len(messages) - MAX_SHOWN_MESSAGES} more.")
    text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;")
    command = ["notify-send", "--app-name=nobg", "--icon=nobg", "--", "nobg", text]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        process.returncode = 0  # otherwise Popen warns that it still runs
    except OSError:
        return


def _selected_uris(environment: Mapping[str, str]) -> list[str]:
    """The URIs of what is selected in the file manager that has started the client."""
    for name in SCRIPT_VARIABLES:
        if environment.get(name):
            return [line for line in environment[name].split("\n") if line]
    return []


def to_path(argument: str) -> str:
    """Return a path unchanged, and the path of a `file://` URI (RFC 8089). Raises ValueError for any other URI."""
    if argument.startswith("file:/") and not argument.startswith("file://"):
        argument = f"file://{argument[5:]}"
    scheme, separator, rest = argument.partition("://")
    if not separator or "/" in scheme:
        return argument
    if scheme == "recent":  # only the file manager knows which picture this is
        raise ValueError("this is only an entry of a list. Open the folder of the picture, and choose it there.")
    if scheme != "file":
        raise ValueError("this is not a file on this computer. Copy it into a folder first.")
    # urllib could do this, but loading it takes a tenth of the client's time.
    encoded = os.fsencode(rest[rest.find("/") :])
    path = os.fsdecode(re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match[1].decode()), encoded))
    return path[1:] if sys.platform == "win32" and path[2:3] == ":" else path  # /C:/a.jpg


def _find_pictures(argument: str, silent_drives: dict[str, None]) -> dict[str, tuple[int | None, bool]]:
    """Return the pictures that the argument stands for: absolute path -> device number, whether it is from a folder.

    A picture on a drive that does not answer is taken by its name, and the drive is added to `silent_drives`. Raises
    ValueError with the reason if there are none.
    """
    path = to_path(argument)
    if "\0" in path:
        raise ValueError(reason_text("vanished"))
    try:
        path = os.path.abspath(path)
    except OSError as error:  # relative to a folder that was deleted
        raise ValueError(reason_text("vanished")) from error
    try:
        return places.ask(path, _look_for_pictures, path, limit=ANSWER_SECONDS)
    except NoAnswerError as error:
        if not is_picture_name(path):
            raise ValueError("its drive does not answer. Try again when it does.") from error
    mount = places.find(path)
    if mount is not None:
        silent_drives[mount.point] = None
    return {path: (None if mount is None else mount.device, False)}


def _look_for_pictures(path: str) -> dict[str, tuple[int | None, bool]]:
    try:
        status = os.stat(for_system(path))
        if stat.S_ISDIR(status.st_mode):
            return _pictures_in_folder(path)
    except PermissionError as error:
        raise ValueError(reason_text("no_permission")) from error
    except OSError as error:
        raise ValueError(reason_text("vanished")) from error
    if not is_picture_name(path) or not stat.S_ISREG(status.st_mode):
        raise ValueError(reason_text("unsupported"))
    return {path: (status.st_dev, False)}


def _pictures_in_folder(folder: str) -> dict[str, tuple[int | None, bool]]:
    pictures: dict[str, tuple[int | None, bool]] = {}
    with os.scandir(for_system(folder)) as entries:
        for entry in entries:
            places.note_progress()
            if not is_source_name(entry.name):
                continue
            try:
                if entry.is_file(follow_symlinks=False):
                    pictures[entry_path(folder, entry)] = (entry.stat(follow_symlinks=False).st_dev, True)
            except OSError:  # it is gone
                continue
    if not pictures:
        raise ValueError("there is no picture in this folder that nobg can open. Select the pictures themselves.")
    return dict(sorted(pictures.items()))


def _is_for_program(variable: str) -> bool:
    """Return whether the resident program gets the variable: neither a selection nor what a shell tells its Python."""
    return "_SCRIPT_" not in variable and (
        not variable.startswith("PYTHON") or variable in ("PYTHONPATH", "PYTHONHOME")  # they say where Python's own are
    )


def start_program(folder: str) -> None:
    """Start the resident program; if it runs, hand it this desktop session.

    It inherits the lock, so that only one of many clients starts it. If the program is ending, the next one waits for
    the lock.

    `folder`: the state folder. Raises NobgError.
    """
    lock = file_lock.acquire(folder)
    # No process number: a reader holds the lock for an instant, or the program has just started.
    if lock is None and not file_lock.holder_pid(folder):
        lock = file_lock.acquire(folder, timeout=0.3)
    if lock is None and not file_lock.is_ending(folder):
        session.hand_over(folder)  # the program may have been started without a desktop, or in an earlier session
        return
    if lock is not None and sys.platform == "win32":
        file_lock.release(lock)  # a process cannot inherit a lock on Windows
        lock = None
    try:
        if lock is None:
            _start_detached(["watcher", "run"])
        else:
            _start_detached(["watcher", "run", "--lock", str(lock)], [lock])
    except OSError as error:
        text = advise(
            f"The pictures are in the queue, but nobg could not be started ({error}).",
            desktop="Log out and in again; if that does not help, install nobg again.",
            terminal="Try: nobg run",
        )
        raise NobgError(text) from error
    if lock is not None:
        file_lock.release(lock)


def start_editor(arguments: Sequence[str]) -> None:
    """Run `watcher.editor` with these arguments in a process of its own, and return at once.

    The arguments: a picture (after `--tool box`: with the tool that draws a box), or `--review`. Raises NobgError if
    the window is not installed, or if the system starts no process.
    """
    from importlib.util import find_spec

    if find_spec("PySide6") is None:
        raise NobgError(EDITOR_MISSING)
    try:
        _start_detached(["watcher.editor", *arguments])
    except OSError as error:
        text = advise(f"The window could not be opened ({error}).", desktop="Log out and in again, then try again.")
        raise NobgError(text) from error


def _start_detached(words: Sequence[str], kept_files: Sequence[int] = ()) -> None:
    """Start a module of nobg, with arguments, in a session of its own, which inherits `kept_files`. Raises OSError."""
    import subprocess

    command = [paths.background_python(), "-P", "-m", *words]
    environment = {name: value for name, value in os.environ.items() if _is_for_program(name)}
    root = os.path.abspath(os.sep)  # any other folder could not be unmounted meanwhile
    options: dict[str, Any] = {"pass_fds": kept_files, "start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": paths.NO_CONSOLE | subprocess.CREATE_NEW_PROCESS_GROUP}
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )
    process.returncode = 0  # otherwise Popen warns that it still runs
