"""Checks the worker's word: what it answers becomes an `Answer`, or it is nonsense and ends the worker.

The worker decodes hostile pictures, so it may have been taken over. Nothing of an answer goes further unchecked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from watcher.errors import DOUBTS, NOTES, SUPERSEDED
from watcher.formats import MAX_FRAMES, MAX_PIXELS
from watcher.worker import touchup_answers
from watcher.worker.protocol import IS_CUT_OUT, Header, ProtocolError

MAX_OUTPUT_BYTES = 4 * MAX_PIXELS + (64 << 20)
"""The largest output: RGBA without compression, and metadata."""
MAX_DETAIL_CHARACTERS = 5000
"""The longest detail: a sentence with the path of a background picture, which has at most 4,096 bytes on Linux."""
MAX_SECONDS = 86_400.0
"""The longest time that a picture can have taken: a day."""

_NOTES = NOTES.keys() - {SUPERSEDED}
_STATES = ("done", "skipped", "failed")
_VERDICTS = (None, "subject", "no_clear_subject")
_FAILURES = ("unreadable", "truncated", "too_large", "unsupported")
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_MIN_OUTPUT_BYTES = 16


@dataclass(frozen=True)
class Answer:
    """What became of a picture: a checked answer of the worker, or one that nobg knows without it.

    `state` is done, skipped or failed; `reason` a key of errors.REASONS, None when done; `detail` as in PictureError;
    `seconds` the time that the steps took; `output` the output's bytes, empty unless done; `doubt` how doubtful the
    alpha is, 0..1, None if no network ran; `why` the reasons of that, keys of errors.DOUBTS.
    """

    state: str
    reason: str | None = None
    detail: str | None = None
    verdict: str | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    output: bytes = b""
    doubt: float | None = None
    why: tuple[str, ...] = ()


class Expected:
    """The requests that the worker has not answered yet. It answers them in their order.

    One thread adds requests, another one checks headers.
    """

    def __init__(self) -> None:
        self._requests: deque[Header] = deque()
        self._frames = 0
        self._is_ready = False

    def add(self, request: Header) -> None:
        """Note a request before it is sent."""
        self._requests.append(request)

    def check(self, header: Header) -> None:
        """Check a header before its payload is read. Raises ProtocolError if nobody asked for such a message.

        So the worker cannot fill the memory of its parent, or extend its time without end.
        """
        if not self._is_ready:
            if "id" in header or header["size"]:
                raise ProtocolError("an answer before the worker is ready")
            self._is_ready = "ready" in header
            return
        if not self._requests or not _is_integer(header.get("id")) or header["id"] != self._requests[0]["id"]:
            raise ProtocolError("an answer that nobody asked for")
        is_touchup = "touchup" in self._requests[0]
        limit = touchup_answers.max_payload(self._requests[0]) if is_touchup else MAX_OUTPUT_BYTES
        if header["size"] > limit:
            raise ProtocolError("an output of an impossible size")
        if "frames" not in header:
            self._requests.popleft()
            self._frames = 0
        elif (
            is_touchup
            or not _is_integer(header["frames"])
            or not self._frames < header["frames"] <= MAX_FRAMES
            or header["size"]
        ):
            raise ProtocolError("a number of frames that does not rise")
        else:
            self._frames = header["frames"]


def check(header: Header, output: bytes, output_format: str) -> Answer:
    """Return the answer in a message whose header `Expected.check` has passed.

    `output_format`: the recipe's. Raises ProtocolError if the message is not what nobg's worker answers.
    """
    names = ("state", "reason", "detail", "verdict", "seconds", "doubt")
    state, reason, detail, verdict, seconds, doubt = (cast("Any", header.get(name)) for name in names)
    notes, why = _keys(header, "notes", _NOTES), _keys(header, "why", DOUBTS.keys())
    _demand(isinstance(state, str) and state in _STATES, "state")
    _demand(verdict is None or (isinstance(verdict, str) and verdict in _VERDICTS), "verdict")
    _demand(detail is None or (isinstance(detail, str) and len(detail) <= MAX_DETAIL_CHARACTERS), "detail")
    _demand(isinstance(seconds, int | float) and not isinstance(seconds, bool), "seconds")
    _demand(0 <= seconds <= MAX_SECONDS, "seconds")  # NaN is not in the range; a very large integer is no float
    _demand(doubt is None or (isinstance(doubt, float) and 0 <= doubt <= 1), "doubt")  # NaN is not in the range
    if state == "done":
        _demand(reason is None and detail is None, "reason")
        _demand(is_complete_file(output, output_format), "output")
    else:
        reasons = _FAILURES if state == "failed" else ("no_clear_subject", IS_CUT_OUT)
        _demand(isinstance(reason, str) and reason in reasons, "reason")
        _demand(not output, "output")
    return Answer(
        state,
        reason,
        None if detail is None else touchup_answers.printable(detail),
        verdict,
        notes,
        float(seconds),
        output,
        doubt,
        why,
    )


def _keys(header: Header, name: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the list of keys in a header under this name, empty if there is none. Raises ProtocolError."""
    keys = cast("Any", header.get(name))
    keys = [] if keys is None else keys
    _demand(isinstance(keys, list) and all(isinstance(key, str) and key in known for key in keys), name)
    _demand(len(keys) <= len(known), name)
    return tuple(keys)


def is_complete_file(data: bytes, file_format: str) -> bool:
    """Return whether `data` begins and ends as a file of this format does: png, webp, jpeg or tiff."""
    if len(data) < _MIN_OUTPUT_BYTES:
        return False
    if file_format == "png":
        return data.startswith(_PNG_START) and data.endswith(_PNG_END)
    if file_format == "jpeg":
        return data.startswith(_JPEG_START) and data.endswith(_JPEG_END)
    if file_format == "webp":
        size = int.from_bytes(data[4:8], "little")
        return data[:4] == b"RIFF" and data[8:12] == b"WEBP" and 0 <= len(data) - size - 8 <= 1  # RIFF pads to even
    first_directory = int.from_bytes(data[4:8], "little" if data.startswith(b"II") else "big")
    return data[:4] in _TIFF_STARTS and 8 <= first_directory < len(data)


def _demand(is_right: bool, what: str) -> None:
    if not is_right:
        raise ProtocolError(f"an answer with a wrong {what}")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
