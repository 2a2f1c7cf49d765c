"""Shows a photo in the window, without host and worker: `python -m tests.support.editor PHOTO [MASK] [--dark] …`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from typing import BinaryIO, cast

from PIL import Image

from tests.support.editor.stand_in_host import StandInHost, plain_photo

DARK = """
import os
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication
import watcher.editor.window.__main__ as window

def set_style(application, name, real=QApplication.setStyle):
    real(name)
    palette = QPalette(QColor(46, 46, 50), QColor(36, 36, 40))
    palette.setColor(QPalette.ColorRole.Highlight, QColor(61, 139, 253))
    palette.setColor(QPalette.ColorRole.HighlightedText, QColor("white"))
    application.setPalette(palette)

QApplication.setStyle = set_style
os._exit(window.main())
"""
"""The window with a dark palette, as a desktop that is set to dark gives it."""
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
        alpha = Image.new("L", photo.size, 255)
    if options.mask:
        alpha = Image.open(options.mask).convert("L").resize(photo.size)
    host = StandInHost(photo, alpha)
    host.jobs = [
        {
            "id": number,
            "name": f"IMG_{4200 + 7 * number}.jpg",
            "folder": "Shop",
            "why": why,
            "doubt": doubt,
        }
        for number, (why, doubt) in enumerate(REASONS)
    ]
    command = [sys.executable, "-c", DARK] if options.dark else [sys.executable, "-m", "watcher.editor.window"]
    window = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert window.stdout is not None
    assert window.stdin is not None
    start(host, cast("BinaryIO", window.stdout), cast("BinaryIO", window.stdin))
    if options.refuse:
        host.tell("refused", text=options.refuse)
    elif options.review:
        host.tell("review")
    else:
        host.open(tool=options.tool)
    sys.exit(window.wait())


def start(host: StandInHost, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer in a thread of its own."""
    host.attach(sink)
    threading.Thread(target=host.serve, args=(source,), daemon=True).start()


if __name__ == "__main__":
    main()
