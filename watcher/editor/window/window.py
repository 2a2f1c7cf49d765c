"""The main window: a page with a sentence, the page to paint on, and the review grid, as the host tells."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow, QMessageBox, QStackedWidget, QVBoxLayout, QWidget

from watcher.editor import strings
from watcher.editor.window.bars import KEYS
from watcher.editor.window.connection import Connection
from watcher.editor.window.controls import label, push_button
from watcher.editor.window.look import style_sheet
from watcher.editor.window.page import Page
from watcher.editor.window.review import Review
from watcher.worker.protocol import Header


class Window(QMainWindow):
    """Shows what the host tells. `closed`: the person has closed it, or the host has gone."""

    closed = Signal()

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self._came_from_review = False
        self._may_close = False
        self.message = Message()
        self.message.close_button.clicked.connect(self.close)
        self.page = Page(connection)
        self.page.modified.connect(self.setWindowModified)
        self.page.back.connect(self._go_back)
        self.review = Review(connection)
        self.review.said.connect(self._say)
        self.review.touching_up.connect(lambda: self.message.show_sentence(strings.OPENING))
        self._stack = QStackedWidget()
        for page in (self.message, self.page, self.review):
            self._stack.addWidget(page)
        self.setCentralWidget(self._stack)
        self.setWindowTitle(strings.TITLE_EMPTY)
        self.message.show_sentence(strings.OPENING)
        shortcut = QShortcut(QKeySequence(KEYS["close"]), self)
        shortcut.activated.connect(self.close)
        connection.told.connect(self._told)
        connection.ended.connect(self._host_ended)
        self._follow_palette()

    def sizeHint(self) -> QSize:
        """Return a size that leaves the picture room, within the screen."""
        available = self.screen().availableSize()
        return QSize(1280, 860).boundedTo(QSize(available.width() * 9 // 10, available.height() * 9 // 10))

    # What the host tells

    def _told(self, header: Header, payload: bytes) -> None:
        kind, text = header["tell"], str(header.get("text", ""))
        if kind == "opened":
            self._show(self.page, strings.TITLE.format(name=header["name"]))
            self.page.open(header, payload, can_go_back=self._came_from_review)
        elif kind == "review":
            self._show_review()
        elif kind == "refused":
            self.message.show_sentence(text, can_close=True)
            self._show(self.message, strings.TITLE_EMPTY)
            self.message.close_button.setFocus()
        elif kind == "trouble":
            self._say(text)
        elif kind == "busy":
            self.page.show_busy(text)
            if self._stack.currentWidget() is self.review:
                self.review.show_note(text)
            elif self._stack.currentWidget() is self.message and text:
                self.message.show_sentence(text)

    def _say(self, text: str) -> None:
        """Show a sentence on the page that is visible."""
        if self._stack.currentWidget() is self.message:
            self.message.show_sentence(text)
        self.page.show_note(text)
        self.review.show_note(text)

    def _show(self, page: QWidget, title: str) -> None:
        self.setWindowModified(False)
        self.setWindowTitle(title)
        self._stack.setCurrentWidget(page)

    def _show_review(self) -> None:
        self._came_from_review = True
        self._show(self.review, strings.TITLE_REVIEW)
        self.review.refresh()
        self.review.grid.setFocus()

    def _go_back(self) -> None:
        if self.page.is_modified:
            self._ask_to_save(self._leave_page)
        else:
            self._leave_page()

    def _leave_page(self) -> None:
        self._connection.ask("back")  # the host then tells "review"

    def _host_ended(self) -> None:
        self.close_for_good()

    # Closing

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close; if there is something to save, ask first."""
        if self._stack.currentWidget() is self.page and self.page.is_modified and not self._may_close:
            event.ignore()
            self._ask_to_save(self.close_for_good)
            return
        self._connection.ask("close")
        event.accept()
        self.closed.emit()

    def close_for_good(self) -> None:
        """Close without a question."""
        self._may_close = True
        self.close()

    def _ask_to_save(self, then: object) -> None:
        assert callable(then)
        question = QMessageBox(self)
        question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        question.setWindowTitle(strings.TITLE_EMPTY)
        question.setText(strings.CLOSE_QUESTION)
        question.setInformativeText(strings.CLOSE_DETAIL)
        save = question.addButton(strings.SAVE, QMessageBox.ButtonRole.AcceptRole)
        question.addButton(strings.CLOSE_WITHOUT, QMessageBox.ButtonRole.DestructiveRole)
        cancel = question.addButton(strings.CANCEL, QMessageBox.ButtonRole.RejectRole)
        question.setDefaultButton(save)
        question.setEscapeButton(cancel)

        def answered() -> None:
            chosen = question.clickedButton()
            if chosen is save:
                self.page.save(then)
            elif chosen is not cancel:
                then()

        question.finished.connect(answered)
        question.open()

    # Keys that are held, and the palette

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space moves the picture, O shows the photo as it was, while they are held."""
        self._hold(event, held=True)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """A held key was released."""
        self._hold(event, held=False)

    def _hold(self, event: QKeyEvent, *, held: bool) -> None:
        if self._stack.currentWidget() is not self.page or event.isAutoRepeat():
            return
        if event.key() == Qt.Key.Key_Space:
            self.page.canvas.hold_space(held)
        elif event.key() == Qt.Key.Key_O:
            self.page.hold_before(held)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the system between dark and light; a key that is held when another window comes counts as released."""
        if event.type() == QEvent.Type.PaletteChange:
            self._follow_palette()
        elif event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.page.canvas.hold_space(False)
            self.page.hold_before(False)
        super().changeEvent(event)

    def _follow_palette(self) -> None:
        sheet = style_sheet(self.palette())
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)
            self.page.repaint_icons()
            self.page.canvas.redraw()


class Message(QWidget):
    """A sentence in the middle: the picture is being opened, or cannot be shown."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(60, 40, 60, 40)
        column.addStretch(1)
        self.sentence = label("", "sentence", wraps=True)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self.sentence)
        column.addSpacing(16)
        self.close_button = push_button(strings.CLOSE, strings.CLOSE, KEYS["close"], "primary")
        column.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignCenter)
        column.addStretch(1)

    def show_sentence(self, text: str, *, can_close: bool = False) -> None:
        """Show a sentence, with a Close button if nothing else will come."""
        self.sentence.setText(text)
        self.close_button.setVisible(can_close)
