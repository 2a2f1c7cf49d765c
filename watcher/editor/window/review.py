"""The review grid: the pictures that want a look, the most doubtful first, and what to do with each."""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QListView, QStackedWidget, QVBoxLayout, QWidget

from watcher.editor import strings
from watcher.editor.window.cards import CardDelegate, Job, Jobs
from watcher.editor.window.connection import Connection
from watcher.editor.window.controls import label, push_button
from watcher.worker.protocol import Header

ACTIONS = {
    "accept": ("A", strings.ACCEPT, strings.ACCEPT_TIP),
    "touch_up": ("T", strings.TOUCH_UP, strings.TOUCH_UP_TIP),
    "try_best": ("B", strings.TRY_BEST, strings.TRY_BEST_TIP),
    "undo": ("U", strings.UNDO_JOB, strings.UNDO_JOB_TIP),
}
"""What the person does with a picture: the host's name of it -> its key, its text, its tooltip."""


class Review(QWidget):
    """The grid. `said`: a sentence for the person; `touching_up`: a picture is being opened."""

    said = Signal(str)
    touching_up = Signal()

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self.jobs = Jobs(connection, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 18, 24, 16)
        column.setSpacing(4)
        column.addWidget(label(strings.REVIEW_HEADING, "heading"))
        self._count = label("", "dim")
        column.addWidget(self._count)
        column.addSpacing(10)
        self.grid = _grid(self.jobs)
        self.grid.doubleClicked.connect(lambda _index: self._act("touch_up"))
        self._stack = QStackedWidget()
        self._stack.addWidget(self.grid)
        self._stack.addWidget(_empty())
        column.addWidget(self._stack, 1)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.note = label(_keys(), "dim", wraps=True)
        row.addWidget(self.note, 1)
        self.buttons = {}
        for action, (key, text, tip) in ACTIONS.items():
            button = push_button(text, tip, key, "primary" if action == "accept" else "plain")
            button.clicked.connect(lambda _checked=False, action=action: self._act(action))
            self.buttons[action] = button
            for sequence in (key, "Return", "Enter") if action == "touch_up" else (key,):
                shortcut = QShortcut(QKeySequence(sequence), self)
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                shortcut.activated.connect(lambda action=action: self._act(action))
        for action in ("undo", "try_best", "touch_up", "accept"):
            row.addWidget(self.buttons[action])
        column.addLayout(row)

    def refresh(self) -> None:
        """Ask the host for the list."""
        self.jobs.ratio = self.devicePixelRatioF()
        self._connection.ask("review_list", self._fill)

    def show_note(self, text: str) -> None:
        """Show a sentence until the person goes on."""
        self.note.setText(text or _keys())

    def chosen(self) -> Job | None:
        """Return the chosen job."""
        row = self.grid.currentIndex().row()
        return self.jobs.jobs[row] if 0 <= row < len(self.jobs.jobs) else None

    def _fill(self, header: Header, _payload: bytes) -> None:
        chosen = self.chosen()
        self.jobs.fill([Job.of(entry) for entry in header.get("jobs", [])])
        rows = [row for row, job in enumerate(self.jobs.jobs) if chosen is not None and job.id == chosen.id]
        self._choose(rows[0] if rows else 0)

    def _choose(self, row: int) -> None:
        count = len(self.jobs.jobs)
        self._stack.setCurrentIndex(0 if count else 1)
        self._count.setText(strings.counted(strings.REVIEW_COUNT, count) if count else "")
        for button in self.buttons.values():
            button.setEnabled(count > 0)
        if count:
            index = self.jobs.index(min(row, count - 1), 0, QModelIndex())
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect
            self.grid.selectionModel().setCurrentIndex(index, flags)

    def _act(self, action: str) -> None:
        job = self.chosen()
        if job is None or job.id in self.jobs.busy:
            return
        row = self.grid.currentIndex().row()
        self.show_note("")
        if action == "touch_up":
            self.touching_up.emit()
        elif action == "try_best":
            self.jobs.set_busy(job.id, busy=True)

        def receive(header: Header, _payload: bytes) -> None:
            if action == "try_best":
                self.jobs.set_busy(job.id, busy=False)
                self.refresh()
            if header.get("state") == "failed":
                self.said.emit(header.get("text") or strings.REVIEW_FAILED)
            elif action in ("accept", "undo"):
                at = self.grid.currentIndex().row()
                self.jobs.remove(job.id)
                self._choose(min(row, at if at >= 0 else row))

        self._connection.ask(action, receive, job=job.id)


def _keys() -> str:
    """Return the line that names the keys."""
    keys = (strings.KEY.format(key=key, text=text) for key, text, _tip in ACTIONS.values())
    return strings.KEY_SEPARATOR.join((strings.REVIEW_KEYS, *keys))


def _grid(jobs: Jobs) -> QListView:
    grid = QListView()
    grid.setModel(jobs)
    grid.setItemDelegate(CardDelegate(grid))
    grid.setViewMode(QListView.ViewMode.IconMode)
    grid.setResizeMode(QListView.ResizeMode.Adjust)
    grid.setMovement(QListView.Movement.Static)
    grid.setUniformItemSizes(True)
    grid.setSpacing(6)
    grid.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
    grid.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
    grid.setSelectionRectVisible(False)
    grid.keyboardSearch = lambda _text: None  # type: ignore[method-assign]  # letters are keys here
    grid.setAccessibleName(strings.REVIEW_HEADING)
    return grid


def _empty() -> QWidget:
    page = QWidget()
    column = QVBoxLayout(page)
    column.addStretch(1)
    for text, name in ((strings.REVIEW_EMPTY, "heading"), (strings.REVIEW_EMPTY_DETAIL, "dim")):
        made = label(text, name)
        made.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(made)
    column.addStretch(1)
    return page
