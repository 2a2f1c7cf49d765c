"""A desktop of a test's own: X server, message bus, window manager and a home, for file managers as people run them."""

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

OTHERS = ("XDG_", "DBUS_", "GTK_", "QT_", "WAYLAND", "AT_SPI", "NOBG_", "PYTHON")
"""Beginnings of the variables that would lead out of the test's desktop, or that a person does not have."""

OPENBOX = """<openbox_config xmlns="http://openbox.org/3.4/rc"><applications>
<application class="*" type="normal"><decor>no</decor><maximized>yes</maximized></application>
</applications></openbox_config>"""
"""Windows fill the screen: so is it known where they are empty, and a picture of the screen is one of the window."""


class Desktop:
    """`home` becomes HOME; `before` stands before every command, to be another user.

    Openbox manages the windows, unless there comes a shell that does so itself (`openbox=False`).
    Its processes are known by their private XDG_RUNTIME_DIR, whoever started them: so are the services that the bus
    starts, and nobg itself, which outlives the file manager.
    """

    def __init__(self, home: Path, before: tuple[str, ...] = (), *, openbox: bool = True) -> None:
        self.home = home
        self.before = before
        self.openbox = openbox
        self.runtime = Path(tempfile.mkdtemp(prefix="nobg-desktop-"))  # 0700, as the specification wants it
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
        ours, its = os.pipe()
        self.spawn("Xvfb", "-displayfd", str(its), "-screen", "0", f"{SIZE}x24", "-nolisten", "tcp", pass_fds=[its])
        os.close(its)
        with open(ours) as pipe:  # the number and its line end may come one after the other
            self.environment["DISPLAY"] = f":{pipe.readline().strip()}"
        ours, its = os.pipe()
        self.spawn("dbus-daemon", "--session", "--nofork", f"--print-address={its}", pass_fds=[its])
        os.close(its)
        with open(ours) as pipe:
            self.environment["DBUS_SESSION_BUS_ADDRESS"] = pipe.readline().strip()
        if self.openbox:
            (self.runtime / "openbox.xml").write_text(OPENBOX)
            self.spawn("openbox", "--config-file", str(self.runtime / "openbox.xml"))
        # GTK 3 comes to the accessibility bus only if somebody wants it.
        bus = ("--session", "-d", "org.a11y.Bus", "-o", "/org/a11y/bus")
        setting = ("-m", "org.freedesktop.DBus.Properties.Set", "org.a11y.Status", "IsEnabled", "<true>")
        self.run("gdbus", "call", *bus, *setting).check_returncode()

    def spawn(self, *command: str, **options: Any) -> None:
        """Start what stays until the end."""
        process = subprocess.Popen(
            [*self.before, *command],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )
        threading.Thread(target=process.wait, daemon=True).start()  # whoever ends it, it is waited for

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command as a person of this desktop runs it. Output by files: who it starts may keep a pipe open."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            done = subprocess.run(
                [*self.before, *command],
                env=self.environment,
                cwd=self.home,
                stdout=output,
                stderr=errors,
                timeout=120,
                check=False,
            )
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), errors.read())

    def nobg(self, *arguments: str) -> str:
        """What the command that is tested prints."""
        done = self.run(str(Path(sys.executable).with_name("nobg")), *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def visit(self, manager: str, folder: Path, item: str, *options: str) -> str:
        """Select all in the folder and click the item (driver.py has the options); what the file manager said."""
        done = self.run(SYSTEM_PYTHON, str(DRIVER), manager, str(folder), item, *options)
        print(done.stdout, done.stderr)  # shown where a test fails
        assert done.returncode == 0
        return done.stderr

    def processes(self) -> list[psutil.Process]:
        """All that belong to this desktop."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("XDG_RUNTIME_DIR") == str(self.runtime):
                    found.append(process)
        return found

    def end(self) -> None:
        """End all processes: nobg may finish what it does, the others need no time."""
        processes = self.processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, stubborn = psutil.wait_procs(processes, timeout=10)
        for process in {*stubborn, *self.processes()}:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(self.runtime, ignore_errors=True)


def lacking(*programs: str) -> list[str]:
    """What is not installed of these and of what a desktop needs."""
    lacks = [program for program in (*PROGRAMS, *programs) if not shutil.which(program)]
    if not os.path.exists(ACCESSIBILITY_BUS):
        lacks.append("at-spi2-core")
    imports = "import gi; gi.require_version('Atspi', '2.0'); from gi.repository import Atspi"
    python = os.path.exists(SYSTEM_PYTHON)
    if not python or subprocess.run([SYSTEM_PYTHON, "-c", imports], capture_output=True, check=False).returncode:
        lacks.append("gir1.2-atspi-2.0")
    return lacks


def _environment(home: Path, runtime: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    return {
        **kept,
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
