"""Two computers with nobg and one folder that the real Syncthing shares, to run on request (20 minutes).

    apt-get install --no-install-recommends syncthing
    bash tests/run tests/real_desktop/syncthing.py -s        (-s shows the figures)

Both computers are on this machine: two homes of nobg, two Syncthings that talk over the loopback interface only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from tests.conftest import SAMPLES
from tests.support.program import ROOT, Program, wait_for

pytestmark = pytest.mark.skipif(shutil.which("syncthing") is None, reason="apt-get install syncthing")

PICTURES = 6
QUIET_SECONDS = float(os.environ.get("NOBG_TEST_QUIET_SECONDS", "120"))
"""For how long no file may change, on either computer, before a scenario counts as over."""
_OPTIONS = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "startBrowser": "false",
    "crashReportingEnabled": "false",
    "autoUpgradeIntervalH": "0",
    "urAccepted": "-1",
    "reconnectionIntervalS": "2",
    "announceLANAddresses": "false",
}
_FOLDER_ATTRIBUTES = {"id": "shared", "type": "sendreceive", "fsWatcherEnabled": "true", "fsWatcherDelayS": "1"}


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Computer:
    """A computer: the shared folder, a Syncthing and a resident nobg with the real worker."""

    def __init__(self, top: Path, suffix: str, model: str = "fast") -> None:
        self.folder, self.home, self.syncthing_home = top / "shared", top / "home", top / "syncthing"
        self.suffix, self.address, self.gui = suffix, f"tcp4://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.syncthing: subprocess.Popen[bytes] | None = None
        self.is_started = False
        self.folder.mkdir(parents=True)
        (self.home / "config").mkdir(parents=True)
        (self.home / "config" / "config.toml").write_text(f'model = "{model}"\n')
        generate = ["syncthing", "generate", f"--home={self.syncthing_home}", "--no-default-folder"]
        subprocess.run([*generate, "--skip-port-probing"], check=True, capture_output=True)
        root = ET.parse(self.syncthing_home / "config.xml").getroot()
        self.device = str(root.find("device").get("id"))  # type: ignore[union-attr]
        self.program = Program(self.home, self.folder)
        self.log = top / "pictures.log"
        counting = str(ROOT / "tests" / "support" / "counting_program.py")
        self.program.command = [sys.executable, counting, str(self.log)]

    def share_with(self, other: Computer, order: str) -> None:
        """Write Syncthing's settings, and start it. `order`: in which it fetches files."""
        path = self.syncthing_home / "config.xml"
        tree = ET.parse(path)
        root = tree.getroot()
        options = root.find("options")
        assert options is not None
        for name, value in _OPTIONS.items():
            options.find(name).text = value  # type: ignore[union-attr]
        options.find("listenAddress").text = self.address  # type: ignore[union-attr]
        root.find("gui/address").text = self.gui  # type: ignore[union-attr]
        self.key = root.findtext("gui/apikey")
        root.find("device/address").text = self.address  # type: ignore[union-attr]
        device = ET.SubElement(root, "device", {"id": other.device, "name": "other"})
        ET.SubElement(device, "address").text = other.address
        folder = ET.SubElement(root, "folder", {**_FOLDER_ATTRIBUTES, "path": str(self.folder), "label": "shared"})
        ET.SubElement(folder, "order").text = order
        ET.SubElement(folder, "maxConflicts").text = "10"  # without the element, some versions make no conflict copy
        for computer in (self, other):
            ET.SubElement(folder, "device", {"id": computer.device})
        tree.write(path)
        command = ["syncthing", "serve", f"--home={self.syncthing_home}", "--no-browser", "--no-restart"]
        environment = {**os.environ, "STNOUPGRADE": "1", "HOME": str(self.syncthing_home)}
        with (self.syncthing_home / "log").open("wb") as log:
            self.syncthing = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def ask(self, path: str, method: str = "GET", value: object = None) -> Any:
        """Call Syncthing's REST interface."""
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"http://{self.gui}/rest/{path}", data, method=method)
        request.add_header("X-API-Key", str(self.key))
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def is_connected(self) -> bool:
        """Return whether Syncthing has a connection to the other computer."""
        try:
            connections = self.ask("system/connections")["connections"]
        except OSError:
            return False
        return any(connection["connected"] for connection in connections.values())

    def start(self, *options: str) -> None:
        """Start nobg, which watches the shared folder with these options of its recipe."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NOBG_HOME", str(self.home))
            suffix = [] if self.suffix == "_nobg" else [f"--suffix={self.suffix}"]
            self.program.watch("--recursive", *suffix, *options)
            self.program.start()
        self.is_started = True

    def stop(self) -> None:
        """End nobg and Syncthing."""
        self.program.stop()
        if self.syncthing is not None:
            self.syncthing.terminate()
            self.syncthing.wait(30)

    def files(self) -> dict[str, bytes]:
        """Return name -> content of the shared files."""
        paths = [path for path in self.folder.rglob("*") if path.is_file() and not is_syncthings(path)]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def runs(self) -> Counter[str]:
        """Return how often the networks got each content, by its hash."""
        return Counter(self.log.read_text().split()) if self.log.exists() else Counter()

    def is_idle(self) -> bool:
        """Return whether nobg has nothing to do."""
        if not self.is_started:
            return True
        counts = self.program.counts()
        return not counts["queued"] + counts["active"]


def has_done(computer: Computer, picture: Path) -> bool:
    """Return whether the computer has cut out this content."""
    content = hashlib.sha256(picture.read_bytes()).hexdigest()
    return computer.runs()[content] > 0 and computer.is_idle()


def is_syncthings(path: Path) -> bool:
    """Return whether the file is Syncthing's own, and not shared."""
    return path.name.startswith((".syncthing.", "~syncthing~", ".stignore")) or ".stfolder" in path.parts


class Pair:
    """Two computers that share a folder."""

    def __init__(self, top: Path, suffixes: tuple[str, str], models: tuple[str, str]) -> None:
        self.a, self.b = (
            Computer(top / name, suffix, model) for name, suffix, model in zip("ab", suffixes, models, strict=True)
        )

    def share(self, order: str) -> None:
        """Start both Syncthings. `order`: in which they fetch files."""
        self.a.share_with(self.b, order)
        self.b.share_with(self.a, order)
        wait_for(lambda: self.a.is_connected() and self.b.is_connected(), 120)

    def disconnect(self) -> None:
        """Take computer B off the network."""
        self.b.ask("system/pause", "POST")
        wait_for(lambda: not self.a.is_connected())

    def connect(self) -> None:
        """Put computer B on the network again, when both Syncthings have seen what changed meanwhile."""
        for computer in (self.a, self.b):
            computer.ask("db/scan?folder=shared", "POST")
        self.b.ask("system/resume", "POST")
        wait_for(self.a.is_connected)

    def wait_until_quiet(self, seconds: float = QUIET_SECONDS) -> None:
        """Wait until both folders have been the same, and have stayed so, for `seconds`. A loop fails here."""
        deadline = time.monotonic() + 10 * max(60.0, seconds)
        state: Any = None
        since = time.monotonic()
        while time.monotonic() - since < seconds:
            assert time.monotonic() < deadline, "the folders do not come to rest"
            time.sleep(1)
            try:
                a, b = self.a.files(), self.b.files()
            except FileNotFoundError:  # Syncthing has renamed a file meanwhile
                continue
            now = (a, len(self.a.runs()), len(self.b.runs()))
            if now != state or a != b or not self.a.is_idle() or not self.b.is_idle():
                state, since = now, time.monotonic()

    def report(self, scenario: str) -> None:
        """Print the figures, and check that no network ran twice for one content on one computer."""
        names = sorted(self.a.files())
        runs = [sum(computer.runs().values()) for computer in (self.a, self.b)]
        print(f"\n{scenario}: {len(names)} files; networks ran {runs[0]} + {runs[1]} times\n  {' '.join(names)}")
        assert sorted(self.b.files()) == names
        for computer in (self.a, self.b):
            assert set(computer.runs().values()) <= {1}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def make_pair(
    stack: ExitStack,
    top: Path,
    suffixes: tuple[str, str] = ("_nobg", "_nobg"),
    order: str = "random",
    models: tuple[str, str] = ("fast", "fast"),
) -> Pair:
    """Return two computers, whose programs end with the test."""
    pair = Pair(top, suffixes, models)
    stack.callback(pair.b.stop)
    stack.callback(pair.a.stop)
    pair.share(order)
    return pair


def write_pictures(folder: Path, names: list[str]) -> None:
    """Write small pictures that differ in content."""
    for number, name in enumerate(names):
        sample = ("astronaut.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg")[number % 4]
        with Image.open(SAMPLES / sample) as image:
            image.thumbnail((320, 320))
            image.rotate(3 * number, expand=True, fillcolor="grey").save(folder / name, quality=90)


NAMES = [f"{number}.jpg" for number in range(PICTURES)]


def with_cut_outs(*suffixes: str) -> list[str]:
    """Return the names of the pictures, and of one cut-out of each for each suffix."""
    cut_outs = [f"{Path(name).stem}{suffix}.png" for name in NAMES for suffix in suffixes]
    return sorted([*NAMES, *cut_outs])


SUFFIXES = [("_nobg", "_nobg"), ("-cut", "-cut"), ("-cut", "-frei"), ("_nobg", "-frei")]


@pytest.mark.parametrize("suffixes", SUFFIXES, ids=" ".join)
@pytest.mark.parametrize("order", ["random", "alphabetic"])
def test_both_computers_run(tmp_path: Path, stack: ExitStack, suffixes: tuple[str, str], order: str) -> None:
    pair = make_pair(stack, tmp_path, suffixes, order)
    pair.a.start()
    pair.b.start()
    write_pictures(pair.a.folder, NAMES)
    pair.wait_until_quiet()
    pair.report(f"both run, {suffixes}, {order}")
    assert sorted(pair.a.files()) == with_cut_outs(*dict.fromkeys(suffixes))


@pytest.mark.parametrize("suffixes", SUFFIXES, ids=" ".join)
@pytest.mark.parametrize("has_synced", [True, False], ids=["synced before", "synced while it runs"])
def test_one_computer_starts_later(
    tmp_path: Path, stack: ExitStack, suffixes: tuple[str, str], has_synced: bool
) -> None:
    pair = make_pair(stack, tmp_path, suffixes, "alphabetic")
    if not has_synced:
        pair.b.start()  # its records are not new when the files come
        pair.disconnect()
    pair.a.start()
    write_pictures(pair.a.folder, NAMES)
    wait_for(lambda: len(pair.a.files()) >= 2 * PICTURES and pair.a.is_idle(), 300)
    if has_synced:
        pair.wait_until_quiet(3)
        pair.b.start()
    else:
        pair.connect()
    pair.wait_until_quiet()
    pair.report(f"one starts later, {suffixes}, {'synced before' if has_synced else 'synced while it runs'}")
    assert sorted(pair.a.files()) == with_cut_outs(*dict.fromkeys(suffixes))


@pytest.mark.parametrize("suffixes", SUFFIXES[1:], ids=" ".join)
def test_cut_outs_arrive_before_their_pictures(tmp_path: Path, stack: ExitStack, suffixes: tuple[str, str]) -> None:
    pair = make_pair(stack, tmp_path, suffixes)
    pair.b.ask("db/ignores?folder=shared", "POST", {"ignore": ["*.jpg"]})
    pair.a.start()
    pair.b.start()
    write_pictures(pair.a.folder, NAMES)
    wait_for(lambda: len(pair.b.files()) >= PICTURES, 300)
    time.sleep(10)  # longer than files take to settle: computer B looks at the cut-outs before it has the pictures
    pair.b.ask("db/ignores?folder=shared", "POST", {"ignore": []})
    pair.wait_until_quiet()
    pair.report(f"cut-outs first, {suffixes}")
    assert sorted(pair.a.files()) == with_cut_outs(*dict.fromkeys(suffixes))


@pytest.mark.parametrize("suffixes", SUFFIXES, ids=" ".join)
def test_the_computers_have_different_models_and_a_white_ground(
    tmp_path: Path, stack: ExitStack, suffixes: tuple[str, str]
) -> None:
    """Their cut-outs differ, and show no transparency: names alone end what would be a loop."""
    pair = make_pair(stack, tmp_path, suffixes, "alphabetic", ("fast", "balanced"))
    pair.a.start("--background=white")
    pair.b.start("--background=white")
    write_pictures(pair.a.folder, NAMES)
    pair.wait_until_quiet()
    pair.report(f"different models, {suffixes}")


@pytest.mark.parametrize("suffixes", SUFFIXES[:3], ids=" ".join)
def test_a_picture_is_changed_on_both_computers_while_they_are_not_connected(
    tmp_path: Path, stack: ExitStack, suffixes: tuple[str, str]
) -> None:
    pair = make_pair(stack, tmp_path, suffixes)
    pair.a.start()
    pair.b.start()
    write_pictures(pair.a.folder, NAMES)
    pair.wait_until_quiet(10)
    pair.disconnect()
    for computer, turn in ((pair.a, 90), (pair.b, 180)):
        with Image.open(computer.folder / "1.jpg") as image:
            changed = image.rotate(turn, expand=True)
        changed.save(computer.folder / "1.jpg", quality=90)
        time.sleep(1)
    for computer in (pair.a, pair.b):
        wait_for(partial(has_done, computer, computer.folder / "1.jpg"), 300)
    pair.connect()
    pair.wait_until_quiet()
    pair.report(f"conflict, {suffixes}")
    conflict = r"\.sync-conflict-\d{8}-\d{6}-\w{7}"
    pictures = [name for name in pair.a.files() if re.fullmatch(rf"\d({conflict})?\.jpg", name)]
    cut_outs = [name for name in pair.a.files() if name.endswith(".png") and not re.search(rf"{conflict}\.png", name)]
    assert len(pictures) == PICTURES + 1
    expected = [f"{Path(name).stem}{suffix}.png" for name in pictures for suffix in dict.fromkeys(suffixes)]
    assert sorted(cut_outs) == sorted(expected)
