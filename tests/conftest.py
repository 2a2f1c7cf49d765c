"""Fixtures that the tests share: a home of their own, pictures, the command, the resident program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.drive import StandInDrive
from tests.support.program import ROOT, Program, wait_for
from watcher.matting import modes
from watcher.worker.supervisor import Worker

__all__ = ["ROOT", "wait_for"]

SAMPLES = ROOT / "assets" / "samples"

Nobg = Callable[..., "subprocess.CompletedProcess[str]"]


SHARED_SETUP = ("tests/test_recipe_settings.py", "tests/test_docs.py", "tests/real_desktop/test_nautilus.py")
"""Files whose tests share a costly set-up, or a screen: one process runs all of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow tests first, so that no process is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each free process the next test, but keep the tests of SHARED_SETUP together.

    (xdist's own `--dist loadgroup` is for that, but does nothing with pytest 9.2.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
        """Starts the largest groups first, then single tests in their order."""

        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return path if path in SHARED_SETUP else nodeid

        def remove_node(self, node: Any) -> str | None:
            """Forget a process that has crashed, but not its other tests. Returns the test that it was running.

            (xdist 3.8 runs that test again, so a test that always hangs does so for ever.)
            """
            units = self.assigned_work[node]
            crashed = next((name for unit in units.values() for name, is_done in unit.items() if not is_done), None)
            if crashed is not None:
                units[self._split_scope(crashed)][crashed] = True
                self.assigned_work[node] = {scope: unit for scope, unit in units.items() if not all(unit.values())}
            super().remove_node(node)
            return crashed

        def _reschedule(self, node: Any) -> None:
            """Give a new process two tests: it starts a test only when it knows the next, or that there is none.

            (xdist 3.8 gives the replacement of a crashed process one test, and both wait for ever.)
            """
            super()._reschedule(node)
            if self._pending_of(self.assigned_work[node]) < 2:
                super()._reschedule(node)

    return Scheduler(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Print failures at once, in the process that prints: a run that is cut off has said what failed."""
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(FailurePrinter(session.config))


class FailurePrinter:
    """The name and the text of each failure, on lines of their own between the dots."""

    def __init__(self, config: pytest.Config) -> None:
        self._terminal = config.pluginmanager.get_plugin("terminalreporter")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print the report of a test or a fixture that failed."""
        if report.failed and self._terminal is not None:
            self._terminal.write_line(f"\nFAILED {report.nodeid} ({report.when})\n{report.longreprtext}")


@pytest.fixture(scope="session", autouse=True)
def default_hangup() -> None:
    """nohup(1) ignores SIGHUP, and programs inherit that; a program started by a test must not.

    A handler that does nothing protects the tests in the same way, and a program does not inherit it.
    """
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set NOBG_HOME to a new folder, and hide the desktop that the tests may run on. Returns the folder."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NOBG_HOME", str(folder))
    return folder


@pytest.fixture
def fast_model(home: Path) -> None:
    """Make `fast` the default mode: the quickest real networks, for tests that are not about masks."""
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text('model = "fast"\n')


@pytest.fixture
def nobg(tmp_path: Path) -> Nobg:
    """Run `nobg ARGUMENTS…` in tmp_path, in a process of its own. `prefix`: words before the command."""

    def run(*arguments: str | Path, prefix: tuple[str, ...] = (), timeout: float = 300) -> Any:
        command = [*prefix, sys.executable, "-m", "watcher", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=timeout, check=False)

    return run


@pytest.fixture
def remove_json(nobg: Nobg) -> Callable[..., tuple[int, dict[str, dict[str, Any]]]]:
    """Run `nobg remove --json ARGUMENTS…`. Returns the exit code, and the jobs by the names of their sources."""

    def run(*arguments: str | Path, **options: Any) -> tuple[int, dict[str, dict[str, Any]]]:
        result = nobg("remove", "--json", *arguments, **options)
        assert result.stdout, result.stderr
        return result.returncode, {Path(job["source"]).name: job for job in json.loads(result.stdout)["jobs"]}

    return run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo with a clear subject, 256 x 256."""
    return make_photo(tmp_path / "photo.jpg")


def make_photo(path: Path, *, quarter_turns: int = 0, **save_options: Any) -> Path:
    """Save the astronaut at 256 x 256, in the format that the path's extension names. Returns the path."""
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        small = image.resize((256, 256))
    for _ in range(quarter_turns):
        small = small.transpose(Image.Transpose.ROTATE_90)
    small.save(path, **save_options)
    return path


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A real, jailed worker. Tests that only send it pictures share it."""
    os.environ["NOBG_HOME"] = str(tmp_path_factory.mktemp("worker-home"))
    with Worker() as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(scope="session")
def fast_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """The same in the mode `fast`, for many pictures whose masks do not matter."""
    os.environ["NOBG_HOME"] = str(tmp_path_factory.mktemp("fast-worker-home"))
    with Worker(modes.find("fast")) as process:
        process.wait_until_ready()
        yield process


def unprivileged_prefix() -> tuple[str, ...]:
    """The words before a command that make permission bits apply even to root."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return ()
    bits = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={bits}", f"--inh-caps={bits}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for pictures."""
    path = tmp_path / "pictures"
    path.mkdir()
    return path


@pytest.fixture
def program(home: Path, folder: Path) -> Iterator[Program]:
    """The resident program. The test starts it; the fixture ends it."""
    instance = Program(home, folder)
    yield instance
    instance.kill()


@pytest.fixture
def stand_in(home: Path, folder: Path) -> Iterator[Program]:
    """The same, with a worker that does what the text of the pictures says."""
    instance = Program(home, folder, stand_in=True)
    yield instance
    instance.kill()


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInDrive]:
    """A folder `nas` in tmp_path that counts as a network drive in this process."""
    if sys.platform != "linux":
        pytest.skip("the stand-in is a line of /proc/self/mountinfo")
    point = tmp_path / "nas"
    point.mkdir()
    instance = StandInDrive(point, monkeypatch)
    yield instance
    instance.answer_again()
    instance.wait_until_answered()
