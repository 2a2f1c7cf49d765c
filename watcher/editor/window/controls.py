"""The small parts that bars and columns are made of: buttons with drawn icons, names for a screen reader, and keys."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QKeySequence
from PySide6.QtWidgets import QColorDialog, QFrame, QLabel, QPushButton, QSlider, QToolButton, QWidget

from watcher.editor import strings
from watcher.editor.window.icons import icon
from watcher.editor.window.look import Colours


class IconButton(QToolButton):
    """A button with a drawn icon, which follows the palette. `key`: shown in the tooltip; the window acts on it."""

    def __init__(self, drawing: str, text: str, tip: str, key: str, *, name: str = "", side: int = 20) -> None:
        super().__init__()
        self.drawing, self._side = drawing, side
        self.setObjectName(name)
        self.setText(f"  {text}" if drawing else text)  # Qt leaves no room between them
        self.setToolTip(strings.with_key(tip, QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)))
        self.setAccessibleName(text)
        self.setAccessibleDescription(self.toolTip())
        self.setIconSize(QSize(side, side))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the picture
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def icon_only(self) -> IconButton:
        """Show no text; a screen reader still has it."""
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        return self

    def checkable(self) -> IconButton:
        """Make the button stay down when it is pressed."""
        self.setCheckable(True)
        return self

    def repaint_icon(self, look: Colours) -> None:
        """Draw the icon in the palette's colours."""
        if self.drawing:
            self.setIcon(icon(self.drawing, look.text, look.line, self._side))


def push_button(text: str, tip: str, key: str, name: str) -> QPushButton:
    """Return a button with a text. `name` is its style: plain, primary or switch."""
    button = QPushButton(text)
    button.setObjectName(name)
    sequence = QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
    button.setToolTip(strings.with_key(tip, sequence) if key else tip)
    button.setAccessibleName(text)
    button.setAccessibleDescription(button.toolTip())
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    button.setAutoDefault(False)
    return button


def slider(name: str, tip: str, maximum: int) -> QSlider:
    """Return a slider from 0 to `maximum`."""
    made = QSlider(Qt.Orientation.Horizontal)
    made.setRange(0, maximum)
    made.setPageStep(max(1, maximum // 10))
    made.setAccessibleName(name)
    made.setAccessibleDescription(tip)
    made.setToolTip(tip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


def label(text: str, name: str, *, wraps: bool = False) -> QLabel:
    """Return a text. `name` is its style: dim, section, heading or sentence."""
    made = QLabel(text)
    made.setObjectName(name)
    made.setWordWrap(wraps)
    made.setTextFormat(Qt.TextFormat.PlainText)  # names of files are no markup
    return made


def line(*, upright: bool = False) -> QFrame:
    """Return a thin line between two parts of the window."""
    made = QFrame()
    made.setObjectName("line")
    if upright:
        made.setFixedWidth(1)
    else:
        made.setFixedHeight(1)
    return made


def repaint_icons(parent: QWidget, look: Colours) -> None:
    """Draw all icons in a widget in the palette's colours."""
    for button in parent.findChildren(IconButton):
        button.repaint_icon(look)


def ask_for_colour(parent: QWidget, colour: QColor, then: Callable[[QColor], None]) -> None:
    """Show a dialog to choose a colour. `then` gets each one that is tried."""
    dialog = QColorDialog(colour, parent)
    dialog.setWindowTitle(strings.CHOOSE_COLOUR)
    dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.currentColorChanged.connect(then)
    dialog.open()
