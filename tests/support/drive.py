"""A real drive that can stop answering: a FUSE mount by bindfs, whose process is stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.support.program import wait_for

CAN_MOUNT = os.path.exists("/dev/fuse") and bool(shutil.which("bindfs")) and bool(shutil.which("fusermount3"))


class BindDrive:
    """The folder `disk`, mounted at `point`. Call `close` whatever happens: a silent drive holds processes."""

    def __init__(self, disk: Path, point: Path) -> None:
        self.disk = disk
        self.point = point
        self._process: subprocess.Popen[bytes] | None = None
        disk.mkdir(exist_ok=True)
        point.mkdir(exist_ok=True)

    def mount(self) -> None:
        """Mount the drive."""
        self._process = subprocess.Popen(
            ["bindfs", "-f", str(self.disk), str(self.point)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
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
