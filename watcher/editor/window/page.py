"""The page where a person paints: bars, canvas and strip, and what passes between them and the host."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from watcher.editor import strings
from watcher.editor.window.bars import KEYS, VIEW_KEYS, BottomBar, ToolColumn, TopBar
from watcher.editor.window.canvas.layers import Layers, to_image
from watcher.editor.window.canvas.selection import Selection
from watcher.editor.window.canvas.widget import Canvas
from watcher.editor.window.connection import Connection
from watcher.editor.window.controls import ask_for_colour, line, repaint_icons
from watcher.editor.window.look import colours
from watcher.editor.window.tools import BOX, TOOL_KEYS, WAY, Brush, History
from watcher.editor.window.ways import WayStrip
from watcher.matting.touchup.edits import Edit, Point, encode, parse
from watcher.worker.protocol import Header


class Page(QWidget):
    """The editor of one photo. `modified`: whether there is something to save."""

    modified = Signal(bool)
    back = Signal()

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self.layers = Layers(connection)
        self.canvas = Canvas(self.layers)
        self.tools, self.top, self.bottom = ToolColumn(), TopBar(), BottomBar()
        self.ways = WayStrip(connection)
        self.history = History()
        self.is_modified = False
        self._name, self._kind, self._sent_first = "", "checkerboard", False
        self._custom, self._recipe_colour = QColor(255, 176, 59), QColor(Qt.GlobalColor.transparent)
        self._unanswered = 0
        self._note, self._busy_text, self._is_saving = "", "", False
        self._lay_out()
        self._connect()
        self._bind_keys()
        self._set_brush(self.canvas.brush)

    def _lay_out(self) -> None:
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.canvas, 1)
        middle.addWidget(self.ways)
        self.ways.hide()
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.tools)
        row.addWidget(line(upright=True))
        row.addLayout(middle, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.top)
        column.addWidget(line())
        column.addLayout(row, 1)
        column.addWidget(line())
        column.addWidget(self.bottom)

    def _connect(self) -> None:
        canvas, top, bottom, tools = self.canvas, self.top, self.bottom, self.tools
        canvas.stroke_done.connect(self._add)
        canvas.box_done.connect(self._add)
        canvas.part_clicked.connect(self._click_part)
        canvas.view_changed.connect(self._show_state)
        canvas.resize_brush.connect(self._resize_brush)
        self.layers.changed.connect(self._check_settled)
        canvas.asked.connect(self._check_settled)
        tools.chosen.connect(self.choose_tool)
        tools.changed.connect(self._set_brush)
        tools.box_removed.connect(lambda: self._remove("box"))
        self.ways.chosen.connect(lambda name: self._add(Edit("way", name=name)))
        top.back.clicked.connect(self.back)
        top.undo.clicked.connect(self.undo)
        top.redo.clicked.connect(self.redo)
        top.view_chosen.connect(self.choose_view)
        top.compare.pressed.connect(lambda: self.hold_before(True))
        top.compare.released.connect(lambda: self.hold_before(False))
        top.preview.clicked.connect(lambda: self.show_preview(self.top.preview.isChecked()))
        top.zoom_in.clicked.connect(lambda: canvas.zoom(1.25))
        top.zoom_out.clicked.connect(lambda: canvas.zoom(0.8))
        top.fit.clicked.connect(canvas.fit)
        top.full.clicked.connect(canvas.full)
        bottom.save.clicked.connect(lambda _checked: self.save())
        bottom.recipe.currentIndexChanged.connect(self._recipe_chosen)

    def _bind_keys(self) -> None:
        actions: dict[str, Any] = {
            KEYS["undo"]: self.undo,
            KEYS["redo"]: self.redo,
            "Ctrl+Y": self.redo,
            KEYS["save"]: self.save,
            KEYS["fit"]: self.canvas.fit,
            KEYS["full"]: self.canvas.full,
            KEYS["zoom_in"]: lambda: self.canvas.zoom(1.25),
            "=": lambda: self.canvas.zoom(1.25),
            KEYS["zoom_out"]: lambda: self.canvas.zoom(0.8),
            KEYS["smaller"]: lambda: self._resize_brush(-1),
            KEYS["larger"]: lambda: self._resize_brush(1),
            KEYS["switch"]: self._switch,
            KEYS["preview"]: lambda: self.show_preview(not self.top.preview.isChecked()),
            KEYS["remove_box"]: self._remove_shown_box,
            KEYS["back"]: self.top.back.click,
            "Escape": self.cancel,
            **{key: lambda tool=tool: self.choose_tool(tool) for tool, key in TOOL_KEYS.items()},
            **{key: lambda kind=kind: self.choose_view(kind) for kind, key in VIEW_KEYS.items()},
        }
        for key, action in actions.items():
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.setAutoRepeat(key in (KEYS["smaller"], KEYS["larger"], KEYS["undo"], KEYS["redo"], "+", "-", "="))
            shortcut.activated.connect(action)

    # What the host tells

    def open(self, header: Header, payload: bytes, *, can_go_back: bool) -> None:
        """Show another photo, with the edits that it has."""
        self._name = str(header["name"])
        self.history = History(parse(payload))
        self._unanswered, self._sent_first, self._is_saving, self._note = 0, False, False, ""
        self.layers.open(int(header["width"]), int(header["height"]))
        self.ways.forget()
        self.top.back.setVisible(can_go_back)
        self.bottom.show_recipes(header.get("recipes") or [])
        self.bottom.show_saved("")
        self._recipe_colour = QColor(header.get("background") or Qt.GlobalColor.transparent)
        self.choose_view("checkerboard" if self._kind == "recipe" else self._kind)
        self.top.preview.setChecked(False)
        self._set_modified(False)
        self.canvas.open()
        self.choose_tool(BOX if header.get("tool") == "box" else "keep")
        if header.get("tool") == "box":
            self._note = strings.NO_SUBJECT_BOX
        self._show_edits()
        self.repaint_icons()
        self.canvas.setFocus()

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is missing, or strokes are still faintly visible."""
        return self._is_saving or self._unanswered > 0 or bool(self.canvas.pending_edits)

    def show_busy(self, text: str) -> None:
        """Show what the host is doing; "" for nothing."""
        self._busy_text = text
        self._show_state()

    def show_note(self, text: str) -> None:
        """Show a sentence until the next edit."""
        self._note = text
        self._show_state()

    # Tools and views

    def choose_tool(self, tool: str) -> None:
        """Take a tool; a preview of the result ends."""
        self.show_preview(False)
        brush = self.canvas.brush
        self._set_brush(Brush(tool, brush.size, brush.softness, brush.exact))
        self.ways.setVisible(tool == WAY)
        if tool == WAY:
            self.ways.fill()
            self.ways.show_chosen(self._chosen_way())
        self.canvas.setFocus()

    def choose_view(self, kind: str) -> None:
        """Show the cut-out on something else. Choosing "colour" twice asks for a colour."""
        self.show_preview(False)
        if kind == "colour" and self._kind == "colour":
            ask_for_colour(self, self._custom, self._set_colour)
        self._kind = kind
        self.top.show_view(kind)
        self.canvas.set_backdrop(kind, self._recipe_colour if kind == "recipe" else self._custom)
        self._show_state()

    def _set_colour(self, colour: QColor) -> None:
        self._custom = colour
        self.repaint_icons()
        if self._kind == "colour":
            self.canvas.set_backdrop("colour", colour)

    def _set_brush(self, brush: Brush) -> None:
        self.canvas.set_brush(brush)
        self.tools.show_brush(brush)
        self._show_state()

    def _resize_brush(self, steps: int) -> None:
        self._set_brush(self.canvas.brush.resized(steps))

    def _switch(self) -> None:
        brush = self.canvas.brush
        self._set_brush(Brush(brush.tool, brush.size, brush.softness, not brush.exact))

    def hold_before(self, held: bool) -> None:
        """Show the photo as it was while a key or a button is held."""
        self.canvas.set_before(held)
        self._show_state()

    def cancel(self) -> None:
        """Escape: forget the stroke or the box that is being drawn; otherwise end the preview."""
        if not self.canvas.cancel():
            self.show_preview(False)

    def show_preview(self, shown: bool) -> None:
        """Show the whole result, or the picture to paint on."""
        self.top.preview.setChecked(shown)
        if shown:
            self._ask_for_preview()
        else:
            self.canvas.set_preview(None)
        self._show_state()

    def _ask_for_preview(self) -> None:
        self._unanswered += 1

        def receive(header: Header, payload: bytes) -> None:
            self._unanswered -= 1
            if self.top.preview.isChecked():
                size = int(header.get("width", 0)), int(header.get("height", 0))
                image = to_image(payload, size, 4) if header.get("state") == "done" else None
                self.canvas.set_preview(image)
                if image is None:
                    self.top.preview.setChecked(False)
                    self._note = header.get("text") or strings.PREVIEW_FAILED
            self._show_state()

        self._connection.ask("preview", receive, recipe=self._recipe(), pixels=self.canvas.room())

    def _recipe(self) -> str:
        return str(self.bottom.recipe.currentData() or "")

    def _recipe_chosen(self) -> None:
        self._set_modified(True)
        self.bottom.show_saved("")
        if self.top.preview.isChecked():
            self._ask_for_preview()

    # Edits

    def undo(self) -> None:
        """Take the last change back; while a stroke is being painted, that stroke."""
        if not self.canvas.cancel() and self.history.undo():
            self._edited(())

    def redo(self) -> None:
        """Make the change that was taken back again."""
        if self.history.redo():
            self._edited(())

    def _add(self, edit: Edit) -> None:
        if self.history.add(edit):
            self._edited((edit,))
        else:
            self.show_note(strings.FULL_LIST)

    def _remove(self, tool: str) -> None:
        if self.history.remove(tool):
            self._edited(())

    def _remove_shown_box(self) -> None:
        if self.canvas.brush.tool == BOX:
            self._remove("box")

    def _click_part(self, point: Point) -> None:
        alpha = self.layers.alpha_at(*point)
        if alpha is not None:
            self._add(Edit("drop_part" if alpha > 127 else "keep_part", (point,)))

    def _edited(self, new: tuple[Edit, ...]) -> None:
        self._note = ""
        self.bottom.show_saved("")
        self._set_modified(True)
        self.canvas.set_pending([*self._pending(), *new] if new else ())
        self._send_edits()
        self._show_edits()

    def _pending(self) -> tuple[Edit, ...]:
        return tuple(self.canvas.pending_edits) if self._unanswered else ()

    def _send_edits(self) -> None:
        self._unanswered += 1
        self._sent_first = True
        self._connection.ask("edits", self._edits_answered, encode(self.history.edits).encode())
        self._show_state()

    def _edits_answered(self, header: Header, _payload: bytes) -> None:
        self._unanswered -= 1
        if header.get("state") == "done":
            if not self.canvas.has_cutout:
                self.canvas.show_cutout()
            if header.get("changed"):
                left, top, right, bottom = map(int, header["changed"])
                self.layers.outdate((left, top, right, bottom))
            self.ways.offer(header.get("ways") or [], (self.layers.pyramid.width, self.layers.pyramid.height))
        else:
            self._note = header.get("text") or strings.FAILED
        if self.top.preview.isChecked():
            self._ask_for_preview()
        self._drop_pending()
        self._show_state()

    def _check_settled(self) -> None:
        if self._name and not self._sent_first and self.canvas.is_settled():
            self._send_edits()  # the photo is here: now the networks may take their time
        self._drop_pending()

    def _drop_pending(self) -> None:
        """Once the answer is visible, the strokes' colour goes."""
        if not self._unanswered and self.canvas.is_settled() and self.canvas.pending_edits:
            self.canvas.set_pending(())

    def _show_edits(self) -> None:
        self.top.undo.setEnabled(self.history.can_undo)
        self.top.redo.setEnabled(self.history.can_redo)
        box = self.history.find("box")
        self.canvas.set_selection(None if box is None else Selection.of(box))
        self.tools.remove_box.setEnabled(box is not None)
        self.ways.show_chosen(self._chosen_way())

    def _chosen_way(self) -> str:
        way = self.history.find("way")
        return "" if way is None else way.name

    # Saving

    def save(self, then: Any = None) -> None:
        """Have the host write the cut-out. `then` is called if it has."""
        if self._is_saving:
            return
        self._is_saving = True
        edits = self.history.edits

        def receive(header: Header, _payload: bytes) -> None:
            self._is_saving = False
            if header.get("state") == "done":
                self.bottom.show_saved(str(header.get("output", "")))
                if edits == self.history.edits:
                    self._set_modified(False)
            else:
                self._note = header.get("text") or strings.NOT_SAVED
            self._show_state()
            if then is not None and header.get("state") == "done":
                then()

        self._note = ""
        self._connection.ask("save", receive, recipe=self._recipe())
        self._show_state()

    def _set_modified(self, modified: bool) -> None:
        self.is_modified = modified
        self.modified.emit(modified)

    # State

    def repaint_icons(self) -> None:
        """Draw the icons in the palette's colours."""
        look = colours(self.palette())
        repaint_icons(self, look)
        recipe = self._recipe_colour if self._recipe_colour.alpha() else QColor(225, 225, 225)
        self.top.repaint_swatches(self._custom, recipe, look)

    def _show_state(self) -> None:
        canvas, pyramid = self.canvas, self.layers.pyramid
        self.top.show_zoom(100 * canvas.view.scale)
        self.bottom.save.setEnabled(not self._is_saving)
        busy = self._is_saving or self._unanswered > 0 or bool(self._busy_text)
        text = self._busy_text
        if self._is_saving:
            text = strings.SAVING
        elif not text and self._unanswered:
            text = strings.WORKING if canvas.has_cutout else strings.LOOKING
        elif not text and self.top.preview.isChecked():
            text = strings.PREVIEW_HINT
        self.bottom.show_state(self._note or text, busy=busy)
        canvas.setAccessibleName(
            strings.CANVAS_NAME.format(name=self._name, width=pyramid.width, height=pyramid.height)
            if self._name
            else strings.CANVAS_EMPTY
        )
        canvas.setAccessibleDescription(
            strings.CANVAS_STATE.format(
                tool=strings.TOOLS[canvas.brush.tool][0],
                view=strings.VIEWS[self._kind],
                zoom=round(100 * canvas.view.scale),
                count=len(self.history.edits),
            )
        )
