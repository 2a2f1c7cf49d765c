"""Messages between nobg and its worker: a JSON header, followed by bytes. Nothing is ever unpickled.

On the wire: 4 bytes, big-endian, the header's length; the header in UTF-8, whose `size` is the number of bytes that
follow; those bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

from watcher.formats import MAX_BYTES

Header = dict[str, Any]

TOUCHUP_ARGUMENT = "touchup"
"""The last word of the command that starts a worker which also applies edits, and answers what touchup.py says."""

IS_CUT_OUT = "is_cut_out"
"""The worker's reason for skipping a file of a watched folder that is a cut-out itself. It stays out of the journal."""

_LENGTH = struct.Struct(">I")
MAX_ANSWER_HEADER_BYTES = 1 << 16
"""The longest header that comes from a process which is not trusted."""
_MAX_HEADER_BYTES = 32 << 20
"""The longest header of a request: the edits of a photo are in it, at most 8 MB before JSON escapes them."""
_MAX_PAYLOAD_BYTES = 2 * MAX_BYTES
"""A picture and a background picture; outputs are smaller."""


class ProtocolError(Exception):
    """The stream ended inside a message, or its bytes are not a message."""


class TruncatedError(ProtocolError):
    """The stream ended inside a message, perhaps because the other side was killed."""


def write_message(stream: BinaryIO, header: Header, payload: bytes | memoryview = b"") -> None:
    """Write one message and flush. Raises OSError if the other side has closed the pipe."""
    view = memoryview(payload)
    encoded_header = json.dumps({**header, "size": view.nbytes}).encode()
    stream.write(_LENGTH.pack(len(encoded_header)) + encoded_header)
    stream.write(view)
    stream.flush()


def write_progress(stream: BinaryIO, answer: Header, frames: int) -> None:
    """Say how many frames are done. After a failure, the number does not rise, and its repetition would be a lie."""
    if "state" not in answer:
        write_message(stream, {"id": answer["id"], "frames": frames})


def read_message(
    stream: BinaryIO, check: Callable[[Header], None] = lambda _header: None, max_header: int = _MAX_HEADER_BYTES
) -> tuple[Header, bytes] | None:
    """Read the next message; return None if the stream ends between messages. Raises ProtocolError.

    `check` gets the header before the payload is read; it may raise ProtocolError. `max_header`: bytes.
    """
    prefix = stream.read(_LENGTH.size)
    if not prefix:
        return None
    if len(prefix) < _LENGTH.size:
        raise TruncatedError("the stream ended inside a message")
    length = _LENGTH.unpack(prefix)[0]
    if length > max_header:
        raise ProtocolError(f"a header of {length} bytes")
    try:
        header = json.loads(_read_exactly(stream, length))
        size = header["size"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError("the header is not JSON with a size") from error
    if type(size) is not int or not 0 <= size <= _MAX_PAYLOAD_BYTES:  # True is an int, too
        raise ProtocolError("a payload of an impossible size")
    check(header)
    return header, _read_exactly(stream, size)


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)  # the system gives memory as bytes arrive, not as they are claimed
    if len(data) != size:
        raise TruncatedError("the stream ended inside a message")
    return data
