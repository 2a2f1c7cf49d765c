"""Messages between nobg and its worker: a JSON header and, behind it, bytes. Nothing is ever unpickled.

On the wire: 4 bytes, big-endian, the header's length; the header in UTF-8, whose `size` is the number of bytes that
follow; those bytes.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

Header = dict[str, Any]

_LENGTH = struct.Struct(">I")
_MAX_HEADER_BYTES = 1 << 16
_MAX_PAYLOAD_BYTES = 4 << 30


class ProtocolError(Exception):
    """The stream ended inside a frame, or what came is no frame."""


def write_message(stream: BinaryIO, header: Header, payload: bytes | memoryview = b"") -> None:
    """Write one frame and flush. Raises OSError when the other side is gone."""
    view = memoryview(payload)
    head = json.dumps({**header, "size": view.nbytes}).encode()
    stream.write(_LENGTH.pack(len(head)) + head)
    stream.write(view)
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[Header, bytes] | None:
    """The next frame, or None where the stream ends between frames. Raises FrameError."""
    start = stream.read(_LENGTH.size)
    if not start:
        return None
    if len(start) < _LENGTH.size:
        raise ProtocolError("the stream ended inside a frame")
    length = _LENGTH.unpack(start)[0]
    if length > _MAX_HEADER_BYTES:
        raise ProtocolError(f"a header of {length} bytes")
    try:
        header = json.loads(_read_exactly(stream, length))
        size = header["size"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError("the header is not what it should be") from error
    if not isinstance(size, int) or not 0 <= size <= _MAX_PAYLOAD_BYTES:
        raise ProtocolError(f"a payload of {size} bytes")
    return header, _read_exactly(stream, size)


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ProtocolError("the stream ended inside a frame")
    return data
