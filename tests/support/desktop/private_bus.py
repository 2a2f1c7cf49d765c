"""A message bus for a single test, on which only the test starts programs."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir={folder}</listen>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"""
"""A session bus that starts none of this machine's services."""


@contextlib.contextmanager
def private_bus() -> Iterator[str]:
    """Start a session bus for the length of the block, and yield its address. Skips the test without dbus-daemon."""
    if not shutil.which("dbus-daemon"):
        pytest.skip("needs dbus-daemon (Debian: dbus)")
    with tempfile.TemporaryDirectory(prefix="nobg-bus-") as folder:
        configuration = Path(folder, "bus.conf")
        configuration.write_text(CONFIGURATION.format(folder=folder))
        command = ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                assert process.stdout is not None
                yield process.stdout.readline().strip()
            finally:
                process.terminate()
