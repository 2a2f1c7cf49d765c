"""The system calls of the window "Touch up" and of its host, as strace shows them, while a person paints and saves."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SAMPLES, wait_for
from tests.real_desktop.painting import Painter, host_of
from tests.real_desktop.session import Desktop, missing_programs
from tests.real_desktop.suite import cut_out

MISSING = missing_programs("strace")
if importlib.util.find_spec("PySide6") is None:
    MISSING.append("the extra `editor`")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")]

TRACED = "trace=open,openat,openat2,creat,socket,execve,clone,clone3,fork,vfork"
NEW_THREAD = re.compile(r"^(\d+) +(?:<\.\.\. )?(?:clone3?|v?fork)\b.* = (\d+)$", re.MULTILINE)
FORBIDDEN = re.compile(
    r"AF_(?:INET6?|NETLINK|PACKET)\b|\.(?:jpe?g|png|webp|tiff?|heic|heif|avif|jxl|bmp|gif|psd|svg|ico)\"", re.IGNORECASE
)
"""What the window must not do: make a socket that leads out of the computer, or open the file of a picture."""


def tracing(trace: Path) -> list[str]:
    return ["strace", "-f", "-qq", "-e", TRACED, "-o", str(trace)]


def calls_of(trace: str, module: str) -> list[str]:
    """Return the calls of the process that runs a module, in all its threads, from the start of that module on."""
    lines = trace.splitlines()
    (start,) = (number for number, line in enumerate(lines) if "execve(" in line and f'"{module}"' in line)
    threads = {lines[start].split()[0]}
    parents = NEW_THREAD.findall("\n".join(lines[start:]))
    while new := {child for parent, child in parents if parent in threads} - threads:
        threads |= new
    return [line for line in lines[start + 1 :] if line.split()[0] in threads]


def forbidden(calls: list[str]) -> list[str]:
    return [call for call in calls if FORBIDDEN.search(call)]


def test_the_window_opens_no_picture_and_no_internet_socket_and_the_host_only_reads_the_photo(
    tmp_path: Path, folder: Path
) -> None:
    home, trace = tmp_path / "person", tmp_path / "trace.txt"
    home.mkdir()
    photo = Path(shutil.copy(SAMPLES / "astronaut.jpg", folder / "photo.jpg"))
    with Desktop(home) as desktop:
        desktop.spawn(*tracing(trace), sys.executable, "-m", "watcher", "edit", str(photo))
        painter = Painter(desktop, photo, (512, 512))
        painter.press("e", "s")
        painter.paint((90, 330), (150, 330))
        painter.wait_for_edits(1)
        painter.press("ctrl+s")
        painter.wait_for_text("Saved: photo_nobg.png")
        editor = host_of(desktop)
        painter.press("ctrl+w")
        wait_for(lambda: not editor.is_running())
    assert cut_out(photo).exists()
    text = trace.read_text()
    window = calls_of(text, "watcher.editor.window")
    assert any("AF_UNIX" in call for call in window)  # of the display: these are its calls
    assert any(".ttf" in call for call in window)
    assert not forbidden(window)
    assert not forbidden(calls_of(text, "watcher.worker.process"))
    opened = [line for line in text.splitlines() if str(photo) in line and "execve(" not in line]
    assert opened
    assert all("O_RDONLY" in call for call in opened)


def test_the_same_trace_catches_a_process_that_does_both(tmp_path: Path) -> None:
    trace, photo = tmp_path / "trace.txt", SAMPLES / "astronaut.jpg"
    code = f"""
import socket, threading
for act in (socket.socket, lambda: open({str(photo)!r}).close()):
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
"""
    subprocess.run([*tracing(trace), sys.executable, "-W", "ignore", "-c", code, "stand-in"], check=True)
    calls = forbidden(calls_of(trace.read_text(), "stand-in"))
    assert ["AF_INET" in call for call in calls] == [True, False]
    assert str(photo) in calls[1]
