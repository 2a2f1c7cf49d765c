"""A desktop for one test: an X server, a session bus, a window manager and a home, to run real file managers in."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

DRIVER = Path(__file__).with_name("driver.py")
SYSTEM_PYTHON = "/usr/bin/python3"
PROGRAMS = ("Xvfb", "openbox", "xdotool", "dbus-daemon", "gdbus")
ACCESSIBILITY_BUS = "/usr/share/dbus-1/services/org.a11y.Bus.service"
SIZE = "1000x760"

DROPPED_PREFIXES = ("XDG_", "DBUS_", "GTK_", "QT_", "WAYLAND", "AT_SPI", "NOBG_", "PYTHON")
"""Prefixes of environment variables that lead out of the test's desktop or that a person does not have."""

OPENBOX = """<openbox_config xmlns="http://openbox.org/3.4/rc"><applications>
<application class="*" type="normal"><decor>no</decor><maximized>yes</maximized></application>
</applications></openbox_config>"""
"""Windows fill the screen, so that their empty part is known and a screenshot shows the window alone."""


class Desktop:
    """A desktop. `home` becomes HOME; `command_prefix` goes before every command, for instance to switch the user.

    Openbox manages the windows, unless the test starts a shell that does so itself (`openbox=False`).
    A process belongs to the desktop if it has its private XDG_RUNTIME_DIR, whichever process started it: this includes
    the services that the bus starts, and nobg, which outlives the file manager.
    """

    def __init__(
        self, home: Path, command_prefix: tuple[str, ...] = (), *, openbox: bool = True, size: str = SIZE
    ) -> None:
        self.home = home
        self.size = size
        self.command_prefix = command_prefix
        self.openbox = openbox
        self.runtime = Path(tempfile.mkdtemp(prefix="nobg-desktop-"))  # mode 0700, as the specification requires
        owner = home.stat()
        os.chown(self.runtime, owner.st_uid, owner.st_gid)
        self.environment = _environment(home, self.runtime)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _start(self) -> None:
        self._start_display()
        self._start_bus()
        self._start_windows()
        # GTK 3 is on the accessibility bus only if it is enabled.
        bus = ("--session", "-d", "org.a11y.Bus", "-o", "/org/a11y/bus")
        setting = ("-m", "org.freedesktop.DBus.Properties.Set", "org.a11y.Status", "IsEnabled", "<true>")
        self.run("gdbus", "call", *bus, *setting).check_returncode()

    def _start_display(self) -> None:
        read_end, write_end = os.pipe()
        screen = ("-screen", "0", f"{self.size}x24", "-nolisten", "tcp")
        self.spawn("Xvfb", "-displayfd", str(write_end), *screen, pass_fds=[write_end])
        os.close(write_end)
        with open(read_end) as pipe:  # the number and its line end may arrive separately
            self.environment["DISPLAY"] = f":{pipe.readline().strip()}"

    def _start_bus(self) -> None:
        read_end, write_end = os.pipe()
        self.spawn("dbus-daemon", "--session", "--nofork", f"--print-address={write_end}", pass_fds=[write_end])
        os.close(write_end)
        with open(read_end) as pipe:
            self.environment["DBUS_SESSION_BUS_ADDRESS"] = pipe.readline().strip()

    def _start_windows(self) -> None:
        if self.openbox:
            (self.runtime / "openbox.xml").write_text(OPENBOX)
            self.spawn("openbox", "--config-file", str(self.runtime / "openbox.xml"))

    def spawn(self, *command: str, **options: Any) -> None:
        """Start a process that runs until the desktop ends."""
        process = subprocess.Popen(
            [*self.command_prefix, *command],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )
        threading.Thread(target=process.wait, daemon=True).start()  # reaps the process however it ends

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the person does. Output goes to files: processes that it starts could keep a pipe open."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            result = subprocess.run(
                [*self.command_prefix, *command],
                env=self.environment,
                cwd=self.home,
                stdout=output,
                stderr=errors,
                timeout=120,
                check=False,
            )
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(result.args, result.returncode, output.read(), errors.read())

    def nobg(self, *arguments: str) -> str:
        """Run the nobg command that is tested; return what it prints."""
        result = self.run(str(Path(sys.executable).with_name("nobg")), *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def visit(self, manager: str, folder: Path, item: str, *options: str) -> str:
        """Select everything in the folder and click the item; return the file manager's standard error.

        `options` are those of driver.py.
        """
        result = self.run(SYSTEM_PYTHON, str(DRIVER), manager, str(folder), item, *options)
        print(result.stdout, result.stderr)  # pytest shows it if the test fails
        assert result.returncode == 0
        return result.stderr

    def processes(self) -> list[psutil.Process]:
        """Return all processes of this desktop."""
        processes = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("XDG_RUNTIME_DIR") == str(self.runtime):
                    processes.append(process)
        return processes

    def end(self) -> None:
        """End all processes; each has ten seconds to finish what it does."""
        processes = self.processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        psutil.wait_procs(processes, timeout=10)
        while remaining := self.processes():  # also those that the bus has started anew in the meantime
            for process in remaining:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(remaining, timeout=10)
        shutil.rmtree(self.runtime, ignore_errors=True)


def missing_programs(*programs: str) -> list[str]:
    """Return what is not installed, of these programs and of what every desktop needs."""
    missing = [program for program in (*PROGRAMS, *programs) if not shutil.which(program)]
    if not os.path.exists(ACCESSIBILITY_BUS):
        missing.append("at-spi2-core")
    imports = "import gi; gi.require_version('Atspi', '2.0'); from gi.repository import Atspi"
    has_python = os.path.exists(SYSTEM_PYTHON)
    if not has_python or subprocess.run([SYSTEM_PYTHON, "-c", imports], capture_output=True, check=False).returncode:
        missing.append("gir1.2-atspi-2.0")
    return missing


def _environment(home: Path, runtime: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED_PREFIXES)}
    return {
        **inherited,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_CURRENT_DESKTOP": "GNOME",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "GDK_BACKEND": "x11",
        "GSK_RENDERER": "cairo",  # no graphics card
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "QT_QPA_PLATFORM": "xcb",
        "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",
    }
