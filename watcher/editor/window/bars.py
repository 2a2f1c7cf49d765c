"""The bars around the picture: tools on the left, undo, view and zoom at the top, state and Save at the bottom."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from watcher.editor import strings
from watcher.editor.window.controls import IconButton, label, line, push_button, slider
from watcher.editor.window.icons import swatch
from watcher.editor.window.look import Colours
from watcher.editor.window.tools import BOX, BRUSHES, HAIR, SIZE_STEPS, TOOL_KEYS, Brush, position_of, size_at

KEYS = {
    "undo": "Ctrl+Z",
    "redo": "Ctrl+Shift+Z",
    "save": "Ctrl+S",
    "fit": "Ctrl+0",
    "full": "Ctrl+1",
    "zoom_in": "+",
    "zoom_out": "-",
    "smaller": "[",
    "larger": "]",
    "switch": "S",
    "preview": "R",
    "before": "O",
    "remove_box": "Delete",
    "back": "Alt+Left",
    "close": "Ctrl+W",
}
"""The keys that are shown in tooltips, besides those of the tools and views."""
VIEW_KEYS = {kind: str(number) for number, kind in enumerate(strings.VIEWS, 1)}
_COLUMN = 196


class ToolColumn(QWidget):
    """The tools, and the settings of the brush. `chosen`: a tool. `changed`: a Brush. `box_removed`."""

    chosen = Signal(str)
    changed = Signal(object)
    box_removed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._brush = Brush()
        self.setFixedWidth(_COLUMN)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(4)
        self.buttons: dict[str, IconButton] = {}
        group = QButtonGroup(self)
        for tool, key in TOOL_KEYS.items():
            name, tip, _hint = strings.TOOLS[tool]
            button = IconButton(tool, name, tip, key, name="tool", side=22).checkable()
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _checked=False, tool=tool: self.chosen.emit(tool))
            group.addButton(button)
            column.addWidget(button)
            self.buttons[tool] = button
        column.addSpacing(8)
        column.addWidget(line())
        column.addSpacing(8)
        self._hint = label("", "sentence", wraps=True)
        self._hint.setStyleSheet("font-size: 13px;")
        column.addWidget(self._hint)
        self._settings = self._brush_settings()
        column.addWidget(self._settings)
        self.remove_box = push_button(strings.BOX_REMOVE, strings.BOX_REMOVE_TIP, KEYS["remove_box"], "plain")
        self.remove_box.clicked.connect(self.box_removed)
        column.addWidget(self.remove_box)
        column.addStretch(1)
        self._more = label("", "dim", wraps=True)
        self._more.setStyleSheet("font-size: 12px;")
        column.addWidget(self._more)
        self.show_brush(self._brush)

    def _brush_settings(self) -> QWidget:
        settings = QWidget()
        column = QVBoxLayout(settings)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(4)
        self.size_slider = slider(strings.SIZE, strings.with_key(strings.SIZE_TIP, "[  ]"), SIZE_STEPS)
        self.softness_slider = slider(strings.SOFTNESS, strings.SOFTNESS_TIP, 100)
        self._size_value, self._softness_value = label("", "dim"), label("", "dim")
        for name, value, made in (
            (strings.SIZE, self._size_value, self.size_slider),
            (strings.SOFTNESS, self._softness_value, self.softness_slider),
        ):
            row = QHBoxLayout()
            row.addWidget(label(name, "section"), 1)
            row.addWidget(value)
            column.addLayout(row)
            column.addWidget(made)
            column.addSpacing(4)
            made.valueChanged.connect(self._slid)
        row = QHBoxLayout()
        row.setSpacing(6)
        self.smart = push_button(strings.SMART, strings.SMART_TIP, KEYS["switch"], "switch")
        self.exact = push_button(strings.EXACT, strings.EXACT_TIP, KEYS["switch"], "switch")
        group = QButtonGroup(self)
        for button in (self.smart, self.exact):
            button.setCheckable(True)
            group.addButton(button)
            row.addWidget(button, 1)
        self.smart.clicked.connect(lambda: self._switch(exact=False))
        self.exact.clicked.connect(lambda: self._switch(exact=True))
        self._switch_row = QWidget()
        self._switch_row.setLayout(row)
        row.setContentsMargins(0, 6, 0, 0)
        column.addWidget(self._switch_row)
        return settings

    def show_brush(self, brush: Brush) -> None:
        """Show a tool as the chosen one, with its settings and what to do."""
        self._brush = brush
        with QSignalBlocker(self.size_slider), QSignalBlocker(self.softness_slider):
            self.size_slider.setValue(position_of(brush.size))
            self.softness_slider.setValue(round(100 * brush.softness))
        self._size_value.setText(strings.SIZE_VALUE.format(size=round(brush.size)))
        self._softness_value.setText(strings.SOFTNESS_VALUE.format(percent=round(100 * brush.softness)))
        self.buttons[brush.tool].setChecked(True)
        (self.exact if brush.exact else self.smart).setChecked(True)
        is_brush = brush.tool in BRUSHES
        self._settings.setVisible(is_brush)
        self._switch_row.setVisible(is_brush and brush.tool != HAIR)
        self.remove_box.setVisible(brush.tool == BOX)
        self._hint.setText(strings.TOOLS[brush.tool][2])
        more = ""
        if is_brush and brush.tool != HAIR:
            more = f"{strings.EXACT_HINT if brush.exact else strings.SMART_HINT}\n\n{strings.SWAP_HINT}"
        self._more.setText(more)

    def _slid(self) -> None:
        size, softness = size_at(self.size_slider.value()), self.softness_slider.value() / 100
        self.changed.emit(Brush(self._brush.tool, size, softness, self._brush.exact))

    def _switch(self, *, exact: bool) -> None:
        self.changed.emit(Brush(self._brush.tool, self._brush.size, self._brush.softness, exact))


class TopBar(QWidget):
    """Undo, redo, what is behind the picture, before and after, the whole result, zoom. `view_chosen`: a kind."""

    view_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 7, 12, 7)
        row.setSpacing(2)
        self.back = IconButton("back", strings.BACK, strings.BACK_TIP, KEYS["back"])
        self.undo = IconButton("undo", strings.UNDO, strings.UNDO_TIP, KEYS["undo"]).icon_only()
        self.redo = IconButton("redo", strings.REDO, strings.REDO_TIP, KEYS["redo"]).icon_only()
        for button in (self.back, self.undo, self.redo):
            row.addWidget(button)
        row.addStretch(1)
        self.views: dict[str, IconButton] = {}
        group = QButtonGroup(self)
        for kind, key in VIEW_KEYS.items():
            button = (
                IconButton("", strings.VIEWS[kind], strings.VIEWS[kind], key, name="swatch").icon_only().checkable()
            )
            button.setIconSize(QSize(24, 24))
            button.clicked.connect(lambda _checked=False, kind=kind: self.view_chosen.emit(kind))
            group.addButton(button)
            row.addWidget(button)
            self.views[kind] = button
        row.addSpacing(10)
        self.compare = IconButton("compare", strings.COMPARE, strings.COMPARE_TIP, KEYS["before"])
        self.preview = IconButton("preview", strings.PREVIEW, strings.PREVIEW_TIP, KEYS["preview"]).checkable()
        row.addWidget(self.compare)
        row.addWidget(self.preview)
        row.addStretch(1)
        self.zoom_out = IconButton("zoom_out", strings.ZOOM_OUT, strings.ZOOM_OUT, KEYS["zoom_out"]).icon_only()
        self._percent = label("", "dim")
        self._percent.setFixedWidth(52)
        self._percent.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.zoom_in = IconButton("zoom_in", strings.ZOOM_IN, strings.ZOOM_IN, KEYS["zoom_in"]).icon_only()
        self.fit = IconButton("fit", strings.FIT, strings.FIT_TIP, KEYS["fit"])
        self.full = IconButton("", strings.FULL, strings.FULL_TIP, KEYS["full"])
        for widget in (self.zoom_out, self._percent, self.zoom_in, self.fit, self.full):
            row.addWidget(widget)

    def show_view(self, kind: str) -> None:
        """Show a view as the chosen one."""
        self.views[kind].setChecked(True)

    def show_zoom(self, percent: float) -> None:
        """Show how large the picture is."""
        digits = 0 if percent >= 10 else 1
        self._percent.setText(strings.PERCENT.format(percent=f"{percent:.{digits}f}"))

    def repaint_swatches(self, custom: QColor, recipe: QColor, look: Colours) -> None:
        """Draw the icons of the views."""
        for kind, button in self.views.items():
            button.setIcon(swatch(kind, recipe if kind == "recipe" else custom, look.dim))


class BottomBar(QWidget):
    """What nobg does at the moment, what Save writes, and Save."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._busy = QProgressBar()
        self._busy.setRange(0, 1)
        self._busy.setTextVisible(False)
        self._busy.setAccessibleName(strings.WORKING)
        column.addWidget(self._busy)
        row = QHBoxLayout()
        row.setContentsMargins(16, 7, 16, 12)
        row.setSpacing(12)
        column.addLayout(row)
        self._state = label("", "dim")
        self._state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row.addWidget(self._state, 1)
        self._saved = label("", "")
        row.addWidget(self._saved)
        self.recipe = QComboBox()
        self.recipe.setAccessibleName(strings.RECIPE)
        self.recipe.setToolTip(strings.RECIPE_TIP)
        self.recipe.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.recipe.setMinimumHeight(34)
        row.addWidget(self.recipe)
        self.save = push_button(strings.SAVE, strings.SAVE_TIP, KEYS["save"], "primary")
        row.addWidget(self.save)

    def show_state(self, text: str, *, busy: bool) -> None:
        """Show what happens, or a sentence."""
        self._state.setText(text)
        self._state.setToolTip(text)
        self._busy.setRange(0, 0 if busy else 1)  # 0 to 0: it moves

    def show_saved(self, name: str) -> None:
        """Show the file that Save has written; "" for none."""
        self._saved.setText(strings.SAVED.format(name=name) if name else "")

    def show_recipes(self, recipes: Sequence[Sequence[str]]) -> None:
        """Offer the kinds of output; a single one is no choice."""
        with QSignalBlocker(self.recipe):
            self.recipe.clear()
            for name, text in recipes:
                self.recipe.addItem(text, name)
        self.recipe.setVisible(len(recipes) > 1)

    @property
    def state(self) -> QLabel:
        """The label with what happens."""
        return self._state

    @property
    def saved(self) -> QLabel:
        """The label with the file that was written."""
        return self._saved
