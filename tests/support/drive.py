"""Drives that stop answering: a FUSE mount by bindfs, whose process is stopped; and a stand-in in this process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.program import wait_for
from watcher import enqueue, places

CAN_MOUNT = os.path.exists("/dev/fuse") and bool(shutil.which("bindfs")) and bool(shutil.which("fusermount3"))


class BindDrive:
    """The folder `disk`, mounted at `point`. Call `close` whatever happens: a silent drive holds processes.

    `options`: of bindfs.
    """

    def __init__(self, disk: Path, point: Path, *options: str) -> None:
        self.disk = disk
        self.point = point
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        disk.mkdir(exist_ok=True)
        point.mkdir(exist_ok=True)

    def mount(self) -> None:
        """Mount the drive."""
        self._process = subprocess.Popen(
            ["bindfs", "-f", *self._options, str(self.disk), str(self.point)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: os.path.ismount(self.point))

    def stop_answering(self) -> None:
        """From now on, every call on the drive blocks."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def answer_again(self) -> None:
        """Answer the calls that wait, and later ones."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Unmount the drive, even if it does not answer."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(signal.SIGCONT)
        subprocess.run(["fusermount3", "-uz", str(self.point)], check=False, capture_output=True)
        process.kill()
        process.wait()


class StandInDrive:
    """A folder that counts as a network drive, in this process. While it is silent, every call on it blocks.

    No time passes in the tests: a silent drive is overdue at once, and one that answers is never.
    """

    def __init__(self, point: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.point = point
        self.calls: list[str] = []
        self.number = 51
        self.is_mounted = True
        self._patch = monkeypatch
        self._answers = threading.Event()
        table = places.MountTable()
        monkeypatch.setattr(table, "_read", self._mountinfo)
        monkeypatch.setattr(table, "_has_changed", lambda: True)
        monkeypatch.setattr(places, "table", table)
        run = places.Question.run

        def wait_and_run(question: places.Question) -> None:
            self.calls.append(question.mount.number)
            self._answers.wait()
            run(question)

        monkeypatch.setattr(places.Question, "run", wait_and_run)
        self.answer_again()

    def _mountinfo(self) -> str:
        drive = f"{self.number} 27 0:47 / {self.point} rw,relatime - nfs4 server:/a rw\n" if self.is_mounted else ""
        return f"27 1 254:0 / / rw,relatime - ext4 /dev/vda2 rw\n{drive}"

    def stop_answering(self) -> None:
        """From now on, every call blocks."""
        self._answers.clear()
        self._patch.setattr(places, "ANSWER_SECONDS", 0.0)
        self._patch.setattr(enqueue, "ANSWER_SECONDS", 0.0)

    def answer_again(self) -> None:
        """Answer the calls that wait, and later ones."""
        self._patch.setattr(places, "ANSWER_SECONDS", 60.0)
        self._patch.setattr(enqueue, "ANSWER_SECONDS", 60.0)
        self._answers.set()

    def wait_until_answered(self) -> None:
        """Wait until no call waits for an answer."""
        wait_for(lambda: not places._open_questions)
