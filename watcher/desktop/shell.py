"""What the desktop's own programs do for nobg: open files and folders, show a file in its folder, choose a folder."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from watcher import paths
from watcher.desktop import session_bus, strings
from watcher.errors import NobgError

if TYPE_CHECKING:
    import asyncio

    from dbus_fast import Message
    from dbus_fast.aio import MessageBus


def open_path(path: Path) -> None:
    """Open a file in the person's program for such files, or a folder in the file manager. Raises NobgError."""
    try:
        if sys.platform == "win32":
            os.startfile(path)
            return
        opener = "open" if sys.platform == "darwin" else "xdg-open"
        code = _run_command(opener, str(path))
    except OSError as error:
        raise NobgError(strings.CANNOT_OPEN.format(name=path)) from error
    if code:
        raise NobgError(strings.CANNOT_OPEN.format(name=path))


def _run_command(*command: str) -> int:
    """Run a program in a session of its own, so that it can outlive nobg. Return its exit code."""
    devnull = subprocess.DEVNULL
    return subprocess.run(
        command,
        stdin=devnull,
        stdout=devnull,
        stderr=devnull,
        start_new_session=True,
        creationflags=paths.NO_CONSOLE,
        check=False,
    ).returncode


_REVEAL_SCRIPT = """
import sys, showinfm
showinfm.valid_file_manager() or sys.exit(1)  # without a file manager, the next line does nothing and raises nothing
showinfm.show_in_file_manager(sys.argv[1])
"""


def reveal(path: Path) -> None:
    """Show a file in its folder, selected; if that fails, open the folder. Raises NobgError.

    The library runs in a process of its own: it takes 10 MB, which the resident program would keep.
    """
    if _run_command(sys.executable, "-P", "-c", _REVEAL_SCRIPT, str(path)):
        open_path(path.parent)


def choose_folder(start: Path) -> Path | None:
    """Return the folder that the person chooses in the desktop's own window, which opens at `start`.

    None: the person cancelled. Raises NobgError.
    """
    if sys.platform == "linux":
        return _choose_on_linux(start)
    import crossfiledialog
    from crossfiledialog.exceptions import FileDialogException

    try:
        chosen = crossfiledialog.choose_folder(title=strings.CHOOSE_FOLDER, start_dir=str(start))
    except FileDialogException as error:
        if "(-128)" in str(error):  # AppleScript's userCanceledErr
            return None
        raise NobgError(strings.CHOOSER_FAILED) from error
    return Path(chosen) if chosen else None


def _choose_on_linux(start: Path) -> Path | None:
    """Do as `choose_folder`, by a program, or where there is none, by the desktop's portal.

    Not by crossfiledialog, which decodes names as UTF-8, strips them, and starts in the last chosen folder, which may
    be gone.
    """
    commands = {
        "zenity": ["--file-selection", "--directory", f"--title={strings.CHOOSE_FOLDER}", f"--filename={start}/"],
        "kdialog": ["--getexistingdirectory", str(start), "--title", strings.CHOOSE_FOLDER],
    }
    available = [program for program in commands if shutil.which(program)]
    if not available:
        return _choose_by_portal(start)
    is_plasma = "KDE" in os.environ.get("XDG_CURRENT_DESKTOP", "").split(":")
    program = available[-1] if is_plasma else available[0]
    devnull = subprocess.DEVNULL
    process = subprocess.run(
        [program, *commands[program]], stdin=devnull, stdout=subprocess.PIPE, stderr=devnull, check=False
    )
    if process.returncode not in (0, 1):  # 1: the person cancelled
        raise NobgError(strings.CHOOSER_FAILED)
    answer = process.stdout.removesuffix(b"\n")
    return Path(os.fsdecode(answer)) if answer else None


# The portal: what GNOME, Plasma and others offer on the session bus, also where neither program is installed.

_PORTAL, _PORTAL_PATH = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
_FILE_CHOOSER, _REQUEST = "org.freedesktop.portal.FileChooser", "org.freedesktop.portal.Request"
_PORTAL_VERSION = 3  # the first one that lets people choose folders
_PORTAL_SECONDS = 30.0  # for the portal to start, or to open its window
_BUS, _BUS_PATH, _PROPERTIES = "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Properties"
_CHOSEN, _CANCELLED = 0, 1


def _choose_by_portal(start: Path) -> Path | None:
    import asyncio

    from dbus_fast import DBusFastError
    from dbus_fast.aio import MessageBus

    async def choose() -> Path | None:
        session_bus.ignore_lost_messages(asyncio.get_running_loop())
        bus = await MessageBus(session_bus.address()).connect()
        disconnected = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
        try:
            return await _ask_portal(bus, start, disconnected)
        finally:
            bus.disconnect()
            await asyncio.wait({disconnected}, timeout=1)

    try:
        return asyncio.run(choose())
    except (OSError, EOFError, ValueError, DBusFastError) as error:  # OSError: also if there is no bus
        raise NobgError(strings.NO_CHOOSER) from error


async def _ask_portal(bus: MessageBus, start: Path, disconnected: asyncio.Future[None]) -> Path | None:
    """Show the portal's window. Raises NobgError. `disconnected` is done when the bus has ended."""
    import asyncio

    from dbus_fast import Variant

    version = await _call(bus, (_PORTAL, _PORTAL_PATH, _PROPERTIES, "Get"), "ss", _FILE_CHOOSER, "version")
    if version.value < _PORTAL_VERSION:
        raise NobgError(strings.NO_CHOOSER)
    assert bus.unique_name is not None
    token = f"nobg{secrets.token_hex(8)}"
    request = f"{_PORTAL_PATH}/request/{bus.unique_name[1:].replace('.', '_')}/{token}"
    answered = await _await_answer(bus, request)
    options = {
        "handle_token": Variant("s", token),
        "directory": Variant("b", True),
        "current_folder": Variant("ay", os.fsencode(start) + b"\0"),
    }
    method = (_PORTAL, _PORTAL_PATH, _FILE_CHOOSER, "OpenFile")
    await _call(bus, method, "ssa{sv}", "", strings.CHOOSE_FOLDER, options)
    events: set[asyncio.Future[Any]] = {answered, disconnected}
    await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
    code, addresses = answered.result() if answered.done() else (None, [])
    if code == _CANCELLED:
        return None
    if code != _CHOSEN or not addresses or not addresses[0].startswith("file://"):
        raise NobgError(strings.CHOOSER_FAILED)
    return Path(os.fsdecode(unquote_to_bytes(addresses[0].removeprefix("file://"))))


async def _await_answer(bus: MessageBus, request: str) -> asyncio.Future[tuple[int | None, list[str]]]:
    """Return a future of the portal's answer to a request: its code (None: the portal has ended) and addresses."""
    import asyncio

    answered: asyncio.Future[tuple[int | None, list[str]]] = asyncio.get_running_loop().create_future()

    def on_message(message: Message) -> None:
        if answered.done():
            return
        if message.member == "Response" and message.path == request:
            code, results = message.body
            answered.set_result((code, results["uris"].value if "uris" in results else []))
        elif message.member == "NameOwnerChanged" and message.sender == _BUS and message.body[0] == _PORTAL:
            answered.set_result((None, []))

    bus.add_message_handler(on_message)
    for rule in (
        f"type='signal',sender='{_PORTAL}',interface='{_REQUEST}',member='Response',path='{request}'",
        f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{_PORTAL}'",
    ):
        await _call(bus, (_BUS, _BUS_PATH, _BUS, "AddMatch"), "s", rule)
    return answered


async def _call(bus: MessageBus, method: tuple[str, str, str, str], signature: str, *body: object) -> Any:
    """Call a method, named by bus name, path, interface and member; return the first value of its answer."""
    import asyncio

    from dbus_fast import Message, MessageType

    async with asyncio.timeout(_PORTAL_SECONDS):
        answer = await bus.call(Message(*method, signature=signature, body=list(body)))
    if answer.message_type is not MessageType.METHOD_RETURN:
        raise NobgError(strings.NO_CHOOSER)
    return answer.body[0] if answer.body else None
