"""The cards of the review grid: which pictures want a look, their thumbnails, and how a card is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QGuiApplication, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from watcher.editor import strings
from watcher.editor.window.canvas.layers import to_image
from watcher.editor.window.connection import Connection
from watcher.editor.window.look import colours
from watcher.worker.protocol import Header

Index = QModelIndex | QPersistentModelIndex

THUMBNAIL = 150
_MOST_THUMBNAILS = 300  # more than any screen shows; those that are gone are asked for again
_PADDING, _GAP, _TEXT = 12, 8, 84  # of the text: a name and three lines
CARD = QSize(2 * THUMBNAIL + 2 * _PADDING + _GAP, THUMBNAIL + 2 * _PADDING + _TEXT)


@dataclass(frozen=True)
class Job:
    """One picture that wants a look. `why`: the reason in words; `doubt`: 0 to 1."""

    id: int
    name: str
    folder: str
    why: str
    doubt: float

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Job:
        """Return the job of an entry of the host's list."""
        return cls(
            int(entry["id"]),
            str(entry.get("name", "")),
            str(entry.get("folder", "")),
            str(entry.get("why", "")),
            float(entry.get("doubt") or 0.0),
        )


class Jobs(QAbstractListModel):
    """The jobs, the most doubtful first, with their thumbnails, which are asked for when they are drawn."""

    def __init__(self, connection: Connection, parent: QObject) -> None:
        super().__init__(parent)
        self._connection = connection
        self.jobs: list[Job] = []
        self.busy: set[int] = set()
        self._thumbnails: dict[tuple[int, str], QImage | None] = {}  # in the order in which they were asked for
        self.ratio = 1.0

    def fill(self, jobs: Sequence[Job]) -> None:
        """Show these jobs."""
        self.beginResetModel()
        self.jobs = sorted(jobs, key=lambda job: -job.doubt)
        self.endResetModel()

    def remove(self, job: int) -> None:
        """A job was looked at."""
        for row, other in enumerate(self.jobs):
            if other.id == job:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self.jobs[row]
                self.endRemoveRows()
                return

    def set_busy(self, job: int, *, busy: bool) -> None:
        """A job is done again, or has been: then its thumbnail is a new one."""
        if busy:
            self.busy.add(job)
        else:
            self.busy.discard(job)
            self._thumbnails.pop((job, "after"), None)
        self._changed(job)

    def thumbnail(self, job: int, which: str) -> QImage | None:
        """Return a thumbnail, `before` or `after`, if it is here; ask for it otherwise."""
        key = job, which
        if key not in self._thumbnails:
            if len(self._thumbnails) >= _MOST_THUMBNAILS:
                del self._thumbnails[next(iter(self._thumbnails))]
            self._thumbnails[key] = None
            side = round(THUMBNAIL * self.ratio)

            def receive(header: Header, payload: bytes) -> None:
                if header.get("state") == "done" and key in self._thumbnails:
                    size = int(header["width"]), int(header["height"])
                    self._thumbnails[key] = to_image(payload, size, 4)
                    self._changed(job)

            self._connection.ask("review_thumbnail", receive, job=job, which=which, pixels=[side, side])
        return self._thumbnails[key]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  as Qt declares it
        """Return how many jobs there are."""
        return 0 if parent.isValid() else len(self.jobs)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a job's texts."""
        if not index.isValid():
            return None
        job = self.jobs[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return job.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return strings.CARD.format(name=job.name, why=job.why)
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{job.folder}\n{job.why}" if job.folder else job.why
        if role == Qt.ItemDataRole.UserRole:
            return job
        return None

    def _changed(self, job: int) -> None:
        for row, other in enumerate(self.jobs):
            if other.id == job:
                self.dataChanged.emit(self.index(row), self.index(row))


class CardDelegate(QStyledItemDelegate):
    """Draws a card: the photo, its cut-out, the name, and why it wants a look."""

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """Return the size of each card."""
        return CARD

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one card."""
        jobs = index.model()
        assert isinstance(jobs, Jobs)
        job: Job = jobs.jobs[index.row()]
        look = colours(QGuiApplication.palette())  # the view's own has lost its background to the style
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        card: QRect = QRect(option.rect).adjusted(3, 3, -3, -3)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        path = QPainterPath()
        path.addRoundedRect(card.adjusted(1, 1, -1, -1), 10, 10)
        painter.fillPath(path, look.chosen if is_chosen else look.hover)
        if is_chosen:
            painter.setPen(QPen(look.accent, 2.5))
            painter.drawPath(path)
        left, top, side = card.left() + _PADDING - 3, card.top() + _PADDING - 3, THUMBNAIL
        for which, x in (("before", left), ("after", left + side + _GAP)):
            _draw_thumbnail(painter, QRect(x, top, side, side), jobs.thumbnail(job.id, which), jobs.ratio)
        text = QRect(left, top + side + 6, 2 * side + _GAP, 20)
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(look.text)
        name = painter.fontMetrics().elidedText(job.name, Qt.TextElideMode.ElideMiddle, text.width())
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, name)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(look.dim)
        why = strings.TRYING if job.id in jobs.busy else job.why
        wrapped = Qt.AlignmentFlag.AlignTop.value | Qt.TextFlag.TextWordWrap.value
        painter.drawText(text.translated(0, 21).adjusted(0, 0, 0, 34), wrapped, why)
        painter.restore()


def _draw_thumbnail(painter: QPainter, field: QRect, image: QImage | None, ratio: float) -> None:
    if image is None:
        painter.fillRect(field, QColor(128, 128, 128, 40))
        return
    width, height = round(image.width() / ratio), round(image.height() / ratio)
    target = QRect(
        field.left() + (field.width() - width) // 2, field.top() + (field.height() - height) // 2, width, height
    )
    painter.fillRect(target, QColor("white"))
    painter.setBrushOrigin(target.topLeft())
    painter.fillRect(target, QBrush(QColor(205, 205, 205), Qt.BrushStyle.Dense4Pattern))
    painter.drawImage(target, image)
