"""The process of the window: `python -m watcher.editor.window`. The host starts it; stdin and stdout are messages."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Show the window until the person closes it, or the host ends. Returns the exit code."""
    source, sink = take_pipes()

    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication

    from watcher.editor import strings
    from watcher.editor.window.connection import Connection
    from watcher.editor.window.window import Window
    from watcher.jail.window import enter_window

    QApplication.setApplicationName(strings.APP)
    QApplication.setDesktopFileName("nobg")
    # A stroke has every place of the pointer, even if the computer is busy: Qt would leave some out.
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_CompressHighFrequencyEvents, False)
    application = QApplication(["nobg"])
    application.setStyle("Fusion")  # looks the same everywhere, and follows the system between dark and light
    for layer in enter_window():  # the display is connected, and nothing from the host has been read
        if not layer.active:
            print(f"Jail of the window, {layer.name}: {layer.detail}", file=sys.stderr)
    connection = Connection(os.fdopen(source, "rb"), os.fdopen(sink, "wb"))
    window = Window(connection)
    window.closed.connect(application.quit)
    window.resize(window.sizeHint())
    window.show()
    connection.start()
    code = application.exec()
    connection.close()
    return code


def take_pipes() -> tuple[int, int]:
    """Return descriptors of the pipes from and to the host. What libraries print goes where errors go."""
    source, sink = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return source, sink


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # a thread still waits for the host, and Python would wait for the thread
