"""Checks what the worker answers to the requests of touch-up: see `answers`, which does so for ordinary ones.

A request is {"id", "touchup": KIND, ...}; the kinds and their answers:

    open       {"recipe"} + a photo's bytes        {"width", "height", "notes"}
    edits      the edits as JSON                   {"changed": a box or null, "area": 0..1, "ways": names}
    tile       {"layer", "box", "pixels": [w, h]}  RGB bytes of the layer `photo`, RGBA bytes of all others
    preview    {"recipe", "pixels"} + background   {"width", "height"} + RGBA bytes
    thumbnail  {"pixels"} + a picture's bytes      {"width", "height"} + RGBA bytes
"""

from __future__ import annotations

from typing import Any

from watcher.errors import NOTES, REASONS, SEPARATOR
from watcher.formats import MAX_PIXELS
from watcher.worker.protocol import Header, ProtocolError

MAX_SIDE = 4096
"""Of a tile, a preview and a thumbnail."""
PHOTO_LAYER = "photo"
_LAYERS = (PHOTO_LAYER, "cutout")
WAY = "way:"
"""Before the name of another way: its layer."""
_MAX_DETAIL_CHARACTERS = 5000
_MAX_NAME_CHARACTERS = 64
_MAX_WAYS = 50


def is_request(request: Header) -> bool:
    """Return whether a request may be sent to the worker: the window that asked for it is not trusted."""
    kind, size = request.get("touchup"), request.get("pixels")
    if kind in ("tile", "preview", "thumbnail"):
        if not isinstance(size, list) or not _is_list_of_integers(size, 2):
            return False
        if not all(1 <= side <= MAX_SIDE for side in size):
            return False
        layer = request.get("layer")
        is_layer = layer in _LAYERS or (isinstance(layer, str) and layer.startswith(WAY) and len(layer) <= 80)
        return kind != "tile" or (is_layer and _is_box(request.get("box")))
    return kind in ("open", "edits")


def max_payload(request: Header) -> int:
    """Return the largest number of bytes that may follow the answer's header."""
    if request["touchup"] not in ("tile", "preview", "thumbnail"):
        return 0
    width, height = request["pixels"]
    return int(width) * int(height) * (3 if request.get("layer") == PHOTO_LAYER else 4)


def check(request: Header, header: Header, payload: bytes) -> Header:
    """Return what may be passed on of an answer whose header `answers.Expected.check` has passed.

    Raises ProtocolError if the message is not what nobg's worker answers.
    """
    if header.get("state") == "failed":
        reason, detail = header.get("reason"), header.get("detail")
        _demand(isinstance(reason, str) and reason in REASONS and not payload, "reason")
        _demand(detail is None or (isinstance(detail, str) and len(detail) <= _MAX_DETAIL_CHARACTERS), "detail")
        return {"state": "failed", "reason": reason, "detail": printable(detail or "")}
    _demand(header.get("state") == "done", "state")
    kind = request["touchup"]
    values: Header = {"state": "done"}
    if kind == "edits":
        return values | _check_edits(header)
    if kind == "tile":
        _demand(len(payload) == max_payload(request), "tile")
        return values
    width, height = header.get("width"), header.get("height")
    _demand(_is_list_of_integers([width, height], 2), "size")
    assert isinstance(width, int)
    assert isinstance(height, int)
    _demand(width >= 1 and height >= 1 and width * height <= MAX_PIXELS, "size")
    values |= {"width": width, "height": height}
    if kind == "open":
        notes = header.get("notes") or []
        _demand(isinstance(notes, list) and all(isinstance(note, str) and note in NOTES for note in notes), "notes")
        _demand(len(notes) <= len(NOTES), "notes")
        return values | {"notes": notes}
    _demand(width <= request["pixels"][0] and height <= request["pixels"][1], "size")
    _demand(len(payload) == width * height * 4, "payload")
    return values


def _check_edits(header: Header) -> Header:
    changed, area, ways = (header.get(name) for name in ("changed", "area", "ways"))
    _demand(changed is None or _is_box(changed), "box")
    _demand(isinstance(area, int | float) and not isinstance(area, bool), "area")
    assert isinstance(area, int | float)
    _demand(0 <= area <= 1, "area")  # NaN is not in the range
    _demand(isinstance(ways, list) and len(ways) <= _MAX_WAYS, "ways")
    assert isinstance(ways, list)
    _demand(all(isinstance(name, str) and 0 < len(name) <= _MAX_NAME_CHARACTERS for name in ways), "ways")
    return {"changed": changed, "area": float(area), "ways": [printable(name) for name in ways]}


def printable(text: str) -> str:
    r"""Return the text without characters that could change how other text is shown, such as \x1b or U+202E."""
    return "".join(character if character.isprintable() or character == SEPARATOR else " " for character in text)


def _is_box(value: Any) -> bool:
    """Return whether it is left, top, right and bottom of a box that has pixels."""
    return _is_list_of_integers(value, 4) and 0 <= value[0] < value[2] and 0 <= value[1] < value[3]


def _is_list_of_integers(value: Any, count: int) -> bool:
    if not isinstance(value, list) or len(value) != count:
        return False
    return all(
        isinstance(number, int) and not isinstance(number, bool) and abs(number) <= MAX_PIXELS for number in value
    )


def _demand(is_right: bool, what: str) -> None:
    if not is_right:
        raise ProtocolError(f"an answer with a wrong {what}")
