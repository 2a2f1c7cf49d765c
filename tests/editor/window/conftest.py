"""The window in this process, on a screen in memory, with a stand-in for the host."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.support.editor.stand_in_host import StandInHost, plain_photo

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6")

from PySide6.QtCore import QEventLoop, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QToolButton, QWidget

from watcher.editor.window.canvas.widget import Canvas
from watcher.editor.window.connection import Connection
from watcher.editor.window.page import Page
from watcher.editor.window.window import Window

LONGEST = 120_000
"""Milliseconds after which a test fails that waits for something."""


@pytest.fixture(scope="session")
def application() -> QApplication:
    """Qt's application: one for all tests of this process."""
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(["nobg"])
    application.setStyle("Fusion")
    return application


class Shown:
    """A window, its host, and a person at pointer and keys. Points are pixels of the photo."""

    def __init__(self, host: StandInHost) -> None:
        self.host = host
        to_host, from_window = os.pipe()
        to_window, from_host = os.pipe()
        self._from_host = os.fdopen(from_host, "wb")
        self._source, self._sink = os.fdopen(to_window, "rb"), os.fdopen(from_window, "wb")
        self._server = threading.Thread(target=host.serve, args=(os.fdopen(to_host, "rb"),), daemon=True)
        self._connection = Connection(self._source, self._sink)
        self.window = Window(self._connection)
        self.window.resize(1000, 760)
        self.window.show()
        host.attach(self._from_host)
        self._server.start()
        self._connection.start()

    @property
    def page(self) -> Page:
        """Return the page to paint on."""
        return self.window.page

    @property
    def canvas(self) -> Canvas:
        """Return the picture in the middle."""
        return self.window.page.canvas

    def open(self, **fields: object) -> None:
        """Have the host open the photo; wait until the cut-out is visible."""
        self.host.open(**fields)  # type: ignore[arg-type]  # fields of the message
        self.wait(lambda: self.canvas.has_cutout and self.is_quiet())

    def is_quiet(self) -> bool:
        """Whether nothing is on its way."""
        return self.canvas.is_settled() and not self.page.is_waiting

    def wait(self, is_true: Callable[[], bool]) -> None:
        """Handle events until a condition holds."""
        loop, poll, end = QEventLoop(), QTimer(), QTimer()
        poll.timeout.connect(lambda: loop.quit() if is_true() else None)
        end.timeout.connect(lambda: loop.exit(1))
        poll.start(2)
        end.start(LONGEST)
        assert loop.exec() == 0, "waited for too long"

    def at(self, x: float, y: float) -> QPoint:
        """Return where a point of the photo is on the canvas."""
        return QPointF(*self.canvas.view.to_screen(x, y)).toPoint()

    def drag(
        self,
        *points: tuple[float, float],
        button: Qt.MouseButton = Qt.MouseButton.LeftButton,
        modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
        release: bool = True,
    ) -> None:
        """Press at the first point, move through the others, release."""
        QTest.mousePress(self.canvas, button, modifier, self.at(*points[0]))
        for point in points[1:]:
            QTest.mouseMove(self.canvas, self.at(*point))
        if release:
            QTest.mouseRelease(self.canvas, button, modifier, self.at(*points[-1]))

    def key(
        self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier, widget: QWidget | None = None
    ) -> None:
        """Press and release a key."""
        QTest.keyClick(widget or self.canvas, key, modifier)

    def click(self, button: QPushButton | QToolButton) -> None:
        """Click a button."""
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def colour(self, x: float, y: float) -> tuple[int, int, int]:
        """Return what is visible at a point of the photo."""
        image = self.canvas.grab().toImage()
        colour: QColor = image.pixelColor(self.at(x, y))
        return colour.red(), colour.green(), colour.blue()

    def end_host(self) -> None:
        """Close the host's end of the pipe."""
        self._from_host.close()

    def close(self) -> None:
        """Close window and pipes."""
        self.window.close_for_good()
        self._connection.close()
        self._sink.close()
        self._server.join()
        with contextlib.suppress(BrokenPipeError):
            self._from_host.close()
        self._connection._reader.join()
        self._source.close()
        self.window.deleteLater()


@pytest.fixture
def host() -> StandInHost:
    """A host with a red disc on blue, 1200 x 800."""
    return StandInHost(*plain_photo())


@pytest.fixture
def shown(application: QApplication, host: StandInHost) -> Iterator[Shown]:
    """The window, before the host has told it anything."""
    shown = Shown(host)
    yield shown
    shown.close()
    application.processEvents()


@pytest.fixture
def opened(shown: Shown) -> Shown:
    """The window with the photo in it, and its cut-out."""
    shown.open()
    return shown
