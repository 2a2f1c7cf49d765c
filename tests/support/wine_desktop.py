"""A Windows desktop for tests: wine's explorer with its taskbar, on a display of its own, and the kit's Python."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageChops, ImageGrab

from tests.support.program import ROOT, wait_for

SIZE = (1024, 768)
_SHELL = f"/desktop=shell,{SIZE[0]}x{SIZE[1]}"
"""Only a desktop of this name has a taskbar in wine."""
START_SECONDS = 300.0
"""The longest wait for something under wine: the first start of a program there reads a gigabyte of libraries."""


def find_kit() -> Path:
    """Return the folder of the kit that tests/windows/make_kit.sh makes. Skip the test unless it is asked for."""
    folder = os.environ.get("NOBG_WINDOWS_KIT")
    if not folder:
        pytest.skip("on request: bash tests/run --windows, or set NOBG_WINDOWS_KIT to the folder of the kit")
    if missing := [name for name in ("wine", "Xvfb", "xdotool") if shutil.which(name) is None]:
        pytest.skip(f"needs {' and '.join(missing)}")
    return Path(folder)


def windows_path(path: Path) -> str:
    """Return how a program under wine calls this file: wine shows the whole system as drive Z."""
    return "Z:" + str(path).replace("/", "\\")


class Desktop:
    """A desktop, in a prefix (a Windows) of its own. `home`: the folder of nobg's settings and records."""

    def __init__(self, kit: Path, prefix: Path, display: str, home: Path) -> None:
        self.state = home / "state"
        self._python, self._without_console = (str(kit / "py" / name) for name in ("python.exe", "pythonw.exe"))
        self.display = display
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {
            "WINEPREFIX": str(prefix),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree=;mshtml=",
            "DISPLAY": display,
            "LC_ALL": "C.UTF-8",
            "PYTHONUTF8": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": windows_path(ROOT),
            "NOBG_HOME": windows_path(home),
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, on_shell: bool = False) -> subprocess.Popen[bytes]:
        """Start a Windows program, with pipes, which Python under wine needs. `on_shell`: where the taskbar is."""
        words = ["explorer.exe", _SHELL] if on_shell else []
        process = subprocess.Popen(
            ["wine", *words, *command],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._started.append(process)
        return process

    def run(self, *command: str, on_shell: bool = False) -> str:
        """Run a Windows program, and all that it starts, to the end; return what they print."""
        process = self.start(*command, on_shell=on_shell)
        return process.communicate(timeout=START_SECONDS)[0].decode("utf-8", "replace").replace("\r", "")

    def nobg(self, *arguments: str) -> str:
        """Run a command of nobg; return what it prints."""
        return self.run(self._python, "-m", "watcher", *arguments)

    def python(self, code: str, *arguments: str) -> str:
        """Run Python code; return what it prints."""
        return self.run(self._python, "-c", code, *arguments)

    def start_python(self, code: str) -> subprocess.Popen[bytes]:
        """Start Python code."""
        return self.start(self._python, "-c", code)

    def click_in_file_manager(self, *paths: Path) -> str:
        """Do what nobg-add.exe does, in a Python without a console, on the desktop with the taskbar."""
        code = "import sys; from watcher.enqueue import main; sys.exit(main())"
        return self.run(self._without_console, "-c", code, *map(windows_path, paths), on_shell=True)

    def start_nobg(self, *options: str, on_shell: bool = True) -> subprocess.Popen[bytes]:
        """Start the resident program, and wait until it runs: on the desktop without a console, else with one."""
        program = self._without_console if on_shell else self._python
        process = self.start(program, "-m", "watcher", "run", *options, on_shell=on_shell)
        wait_for(lambda: "Started" in self.log(), START_SECONDS)
        return process

    def log(self) -> str:
        """Return nobg's log."""
        path = self.state / "nobg.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def processes(self) -> list[list[str]]:
        """Return the command lines of nobg's processes, workers included."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                is_here = process.environ().get("WINEPREFIX") == self.environment["WINEPREFIX"]
                if is_here and "python" in words[0] and "-m" in words:
                    found.append(words)
        return found

    def enlarge(self, percent: int) -> None:
        """Draw everything larger, as for a screen of small pixels. To be called before anything is started."""
        key, dots = r"HKCU\Control Panel\Desktop", str(96 * percent // 100)
        self.run("reg.exe", "add", key, "/v", "LogPixels", "/t", "REG_DWORD", "/d", dots, "/f")
        subprocess.run(["wineserver", "-w"], env=self.environment, check=True)  # programs read it when they start

    def screenshot(self) -> Image.Image:
        """Return what is on the desktop."""
        return ImageGrab.grab(xdisplay=self.display).crop((0, 0, *SIZE)).convert("RGB")

    def click(self, x: int, y: int, button: int = 1) -> None:
        """Click with a mouse button: 1 is the left one, 3 the right one."""
        words = ["mousemove", "--sync", str(x), str(y), "click", str(button)]
        subprocess.run(["xdotool", *words], env=self.environment, check=True)

    def find(self, picture: Image.Image) -> tuple[int, int] | None:
        """Return where the middle of this small picture is on the taskbar, pixel by pixel; None: it is not there."""
        screen, (width, height) = self.screenshot(), picture.size
        for y in range(SIZE[1] - height - 8, SIZE[1] - height + 1):
            for x in range(SIZE[0] - 200, SIZE[0] - width + 1):
                if ImageChops.difference(screen.crop((x, y, x + width, y + height)), picture).getbbox() is None:
                    return x + width // 2, y + height // 2
        return None

    def close(self) -> None:
        """End everything in this Windows."""
        subprocess.run(["wineserver", "-k"], env=self.environment, check=False)
        for process in self._started:
            with suppress(OSError):
                process.communicate(timeout=60)


def text_rows(menu: Image.Image) -> list[int]:
    """Return the middle of each line of text in the picture of a menu, from top to bottom."""
    background = menu.getpixel((12, 4))
    flat = Image.new("RGB", menu.size, background)
    inside = ImageChops.difference(menu, flat).convert("L").crop((8, 2, menu.width - 8, menu.height - 2))
    is_used = [inside.crop((0, y, inside.width, y + 1)).getbbox() is not None for y in range(inside.height)]
    rows, start = [], None
    for y, used in enumerate([*is_used, False]):
        if used and start is None:
            start = y
        elif not used and start is not None:
            if y - start > 4:  # a separator is thinner
                rows.append(2 + (start + y) // 2)
            start = None
    return rows


def box_of_change(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int] | None:
    """Return the box of what differs above the taskbar; None: nothing does."""
    above = (0, 0, SIZE[0], SIZE[1] - 24)
    return ImageChops.difference(before.crop(above), after.crop(above)).getbbox()


@contextmanager
def desktop(home: Path) -> Iterator[Desktop]:
    """A display, and a Windows of its own with its taskbar."""
    kit = find_kit()
    prefix = kit / f"prefix-desktop-{os.getpid()}"
    display, taskbar = _start_display()
    try:
        subprocess.run(["cp", "-al", str(kit / "prefix"), str(prefix)], check=True)
        for registry in prefix.glob("*.reg"):  # wine writes them in place, and so into the kit's
            registry.unlink()
            shutil.copy(kit / "prefix" / registry.name, registry)
        result = Desktop(kit, prefix, taskbar, home)
        try:
            yield result
        finally:
            result.close()
    finally:
        display.terminate()
        display.wait()
        shutil.rmtree(prefix, ignore_errors=True)


def _start_display() -> tuple[subprocess.Popen[bytes], str]:
    """Start Xvfb on a free number; return it and its name."""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-nolisten", "tcp"]
    devnull = subprocess.DEVNULL
    process = subprocess.Popen(command, pass_fds=[write_end], stdout=devnull, stderr=devnull)
    os.close(write_end)
    with open(read_end, "rb") as file:
        return process, f":{int(file.readline())}"
