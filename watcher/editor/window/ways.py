"""The strip of "Another way": a thumbnail of each automatic cut-out, to start from."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QIcon, QImage, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QToolButton, QVBoxLayout, QWidget

from watcher.editor import strings
from watcher.editor.window.canvas.layers import to_image
from watcher.editor.window.connection import Connection
from watcher.editor.window.controls import label
from watcher.worker.protocol import Header

_WIDTH, _HEIGHT = 128, 110


class WayStrip(QWidget):
    """Thumbnails to choose from. `chosen`: the name of a way."""

    chosen = Signal(str)

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self._photo = 1, 1
        self._names: tuple[str, ...] = ()
        self._is_filled = False
        self._buttons: dict[str, QToolButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 4)
        self._heading = label(strings.NO_WAYS, "section")
        column.addWidget(self._heading)
        inner = QWidget()
        self._row = QHBoxLayout(inner)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addStretch(1)
        area = QScrollArea()
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setFixedHeight(_HEIGHT + 58)
        column.addWidget(area)

    def offer(self, names: Sequence[str], photo: tuple[int, int]) -> None:
        """Offer ways by their names, for a photo of this size."""
        if tuple(names) == self._names and photo == self._photo:
            return
        self._names, self._photo, self._is_filled = tuple(names), photo, False
        if self.isVisible():
            self.fill()

    def forget(self) -> None:
        """Another photo comes."""
        self._names, self._is_filled = (), False
        self._clear()

    def fill(self) -> None:
        """Show the thumbnails; the worker is asked only when the person looks for another way."""
        if self._is_filled:
            return
        self._is_filled = True
        self._clear()
        self._heading.setText(strings.WAYS if self._names else strings.NO_WAYS)
        scale = min(_WIDTH / self._photo[0], _HEIGHT / self._photo[1])
        ratio = self.devicePixelRatioF()
        size = [max(1, round(side * scale * ratio)) for side in self._photo]
        for index, name in enumerate(self._names):
            button = self._button(name)
            self._row.insertWidget(index, button)
            self._buttons[name] = button

            def receive(header: Header, payload: bytes, button: QToolButton = button, name: str = name) -> None:
                image = to_image(payload, (size[0], size[1]), 4) if header.get("state") == "done" else None
                if image is not None and self._buttons.get(name) is button:
                    button.setIcon(_thumbnail(image, ratio))

            self._connection.ask("tile", receive, layer=f"way:{name}", box=[0, 0, *self._photo], pixels=size)

    def show_chosen(self, name: str) -> None:
        """Show a way as the chosen one; "" for none."""
        for other, button in self._buttons.items():
            button.setChecked(other == name)

    def _button(self, name: str) -> QToolButton:
        button = QToolButton()
        text = strings.WAY_NAMES.get(name, name)
        button.setText(text)
        button.setAccessibleName(text)
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(_WIDTH, _HEIGHT))
        button.setIcon(_thumbnail(QImage(), 1.0))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(lambda: self.chosen.emit(name))
        return button

    def _clear(self) -> None:
        for button in self._buttons.values():
            self._row.removeWidget(button)
            button.deleteLater()
        self._buttons = {}


def _thumbnail(image: QImage, ratio: float) -> QIcon:
    """Return a cut-out on a checkerboard; a grey field if there is none."""
    pixmap = QPixmap(round(_WIDTH * ratio), round(_HEIGHT * ratio))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    left, top = (pixmap.width() - image.width()) // 2, (pixmap.height() - image.height()) // 2
    if image.isNull():
        painter.fillRect(pixmap.rect(), QColor(128, 128, 128, 60))
    else:
        painter.fillRect(left, top, image.width(), image.height(), QColor("white"))
        painter.setBrushOrigin(left, top)
        painter.fillRect(
            left, top, image.width(), image.height(), QBrush(QColor(205, 205, 205), Qt.BrushStyle.Dense4Pattern)
        )
        painter.drawImage(left, top, image)
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return QIcon(pixmap)
