"""Shows a photo in the window, without host and worker: `python -m tests.support.editor PHOTO [MASK] [--dark] …`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from typing import BinaryIO

from PIL import Image

from tests.support.editor.stand_in_host import StandInHost, plain_photo

DARK = (
    "import sys, os; from PySide6.QtGui import QGuiApplication; from PySide6.QtWidgets import QApplication;"
    "from PySide6.QtCore import Qt; import watcher.editor.window.__main__ as window;"
    "real = QApplication.setStyle;"
    "QApplication.setStyle = lambda self, name: (self.styleHints().setColorScheme(Qt.ColorScheme.Dark), real(name));"
    "os._exit(window.main())"
)
REASONS = [
    ("The two networks disagree about the lower part.", 0.82),
    ("The subject touches the edge of the picture.", 0.61),
    ("Much of the outline is soft: hair, fur or glass.", 0.44),
    ("A part far from the subject was kept.", 0.73),
    ("The subject is small.", 0.38),
]


def main() -> None:
    """Start the window, and answer it until it is closed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photo", nargs="?")
    parser.add_argument("mask", nargs="?")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--review", action="store_true")
    parser.add_argument("--refuse", default="")
    parser.add_argument("--tool", default="")
    options = parser.parse_args()
    photo, alpha = plain_photo(4000, 3000)
    if options.photo:
        photo = Image.open(options.photo).convert("RGB")
        alpha = (
            Image.open(options.mask).convert("L").resize(photo.size)
            if options.mask
            else Image.new("L", photo.size, 255)
        )
    host = StandInHost(photo, alpha)
    host.jobs = [
        {
            "id": number,
            "name": f"IMG_{4200 + 7 * number}.jpg",
            "folder": "Shop",
            "why": why,
            "doubt": doubt,
            "state": "done",
        }
        for number, (why, doubt) in enumerate(REASONS)
    ]
    command = [sys.executable, "-c", DARK] if options.dark else [sys.executable, "-m", "watcher.editor.window"]
    window = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    source, sink = window.stdout, window.stdin
    assert source is not None
    assert sink is not None
    start(host, source, sink)
    if options.refuse:
        host.tell("refused", text=options.refuse)
    elif options.review:
        host.tell("review")
    else:
        host.open(tool=options.tool)
    sys.exit(window.wait())


def start(host: StandInHost, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer in a thread of its own."""
    host._sink = sink
    threading.Thread(target=host.serve, args=(source, sink), daemon=True).start()


if __name__ == "__main__":
    main()
