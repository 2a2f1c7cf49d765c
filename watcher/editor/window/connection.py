"""The window's side of the pipes to the host: threads read and write, so that the window never waits."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import BinaryIO

from PySide6.QtCore import QObject, Qt, Signal

from watcher.worker.protocol import Header, ProtocolError, read_message, write_message

Then = Callable[[Header, bytes], None]
"""What to do with an answer: its header and its bytes."""


class Connection(QObject):
    """Asks the host, gives answers to whoever asked, and passes on what the host tells.

    `told`: a header and its bytes. `ended`: the host has gone.
    """

    told = Signal(object, object)
    ended = Signal()
    _arrived = Signal(object, object)

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        super().__init__()
        self._source, self._sink = source, sink
        self._outbox: queue.SimpleQueue[tuple[Header, bytes] | None] = queue.SimpleQueue()
        self._then: dict[int, Then] = {}
        self._last = 0
        self._arrived.connect(self._receive, Qt.ConnectionType.QueuedConnection)
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._reader = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        """Start to read and to write."""
        self._reader.start()
        self._writer.start()

    def ask(self, kind: str, then: Then | None = None, payload: bytes = b"", **fields: object) -> int:
        """Ask the host. `then` gets the answer, in the window's thread. Returns the number of the request."""
        self._last += 1
        if then is not None:
            self._then[self._last] = then
        self._outbox.put(({"ask": kind, "id": self._last, **fields}, payload))
        return self._last

    def close(self, timeout: float = 1.0) -> None:
        """Write what is left to say, and stop writing. Waits `timeout` seconds at most: the host may be gone."""
        self._outbox.put(None)
        self._writer.join(timeout)

    def _read(self) -> None:
        try:
            while (message := read_message(self._source)) is not None:
                self._arrived.emit(*message)
        except (OSError, ValueError, ProtocolError):  # ValueError: the stream is closed
            pass
        self._arrived.emit(None, b"")

    def _write(self) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                write_message(self._sink, *message)
            except (OSError, ValueError):  # the reader sees that the host has gone
                return

    def _receive(self, header: Header | None, payload: bytes) -> None:
        if header is None:
            self.ended.emit()
        elif "tell" in header:
            self.told.emit(header, payload)
        elif (then := self._then.pop(header.get("answer", 0), None)) is not None:
            then(header, payload)
