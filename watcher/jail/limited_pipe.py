"""A pipe for what a jailed process prints: a thread of its parent copies a limited part of it into a file.

If the process had the file itself, it could fill the disk, also without writing (fallocate).
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import BinaryIO, Self

MAX_BYTES = 1 << 20
"""What a process may print. A traceback takes some thousand bytes."""
_CHUNK_BYTES = 1 << 16
_DROPPED_TEXT = "\n[nobg keeps {:,} bytes of what this process printed; the rest was dropped]\n"


class LimitedPipe:
    """A pipe whose content a thread copies into `sink`, up to `limit` bytes. The rest is read, and dropped."""

    def __init__(self, sink: BinaryIO, limit: int = MAX_BYTES) -> None:
        self._sink = sink
        self._limit = limit
        read_end, self.write_end = os.pipe()
        self._thread = threading.Thread(target=self._copy, args=(read_end,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.join()

    def close_write_end(self) -> None:
        """Close this process's copy of `write_end`: the other process has its own as soon as it has started."""
        descriptor, self.write_end = self.write_end, -1
        if descriptor >= 0:
            os.close(descriptor)

    def join(self) -> None:
        """Wait until everything is in the sink. The other process must have ended."""
        self.close_write_end()
        self._thread.join()

    def _copy(self, read_end: int) -> None:
        bytes_left, has_dropped = self._limit, False
        with open(read_end, "rb", buffering=0) as source:
            while chunk := source.read(_CHUNK_BYTES):  # to the end: a process whose pipe is full would wait
                self._keep(chunk[:bytes_left])
                if len(chunk) > bytes_left and not has_dropped:
                    self._keep(_DROPPED_TEXT.format(self._limit).encode())
                    has_dropped = True
                bytes_left = max(0, bytes_left - len(chunk))

    def _keep(self, data: bytes) -> None:
        if data:
            with contextlib.suppress(OSError):  # the disk is full: the process goes on
                self._sink.write(data)
                self._sink.flush()
