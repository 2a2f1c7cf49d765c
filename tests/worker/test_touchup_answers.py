"""touchup_answers.py, and what answers.Expected makes of touch-up: what a worker that was taken over cannot say."""

from __future__ import annotations

from typing import Any

import pytest

from watcher.worker import answers, touchup_answers
from watcher.worker.protocol import ProtocolError

TILE = {"touchup": "tile", "layer": "cutout", "box": [0, 0, 4, 2], "pixels": [4, 2]}
PREVIEW = {"touchup": "preview", "recipe": "{}", "pixels": [4, 2]}
EDITS = {"touchup": "edits"}
OPEN = {"touchup": "open", "recipe": "{}"}
EDITED = {"state": "done", "changed": None, "area": 0.5, "ways": ["fast"]}

REFUSED: list[tuple[dict[str, Any], dict[str, Any], bytes]] = [
    (TILE, {"state": "skipped"}, b""),
    (TILE, {"state": "done"}, bytes(31)),
    (TILE, {"state": "done"}, b""),
    (TILE, {"state": "failed", "reason": "gone mad"}, b""),
    (TILE, {"state": "failed", "reason": "unreadable"}, b"x"),
    (TILE, {"state": "failed", "reason": "unreadable", "detail": "x" * 6000}, b""),
    (PREVIEW, {"state": "done", "width": 5, "height": 1}, bytes(20)),
    (PREVIEW, {"state": "done", "width": 4, "height": 2}, bytes(31)),
    (PREVIEW, {"state": "done", "width": 0, "height": 2}, b""),
    (PREVIEW, {"state": "done", "width": True, "height": 1}, bytes(4)),
    (OPEN, {"state": "done", "width": 1 << 20, "height": 1 << 20, "notes": []}, b""),
    (OPEN, {"state": "done", "width": 1, "height": 1, "notes": ["hello"]}, b""),
    (OPEN, {"state": "done", "width": "1", "height": 1, "notes": []}, b""),
    (EDITS, {**EDITED, "changed": [0, 0, 0, 1]}, b""),
    (EDITS, {**EDITED, "changed": [0, 0, 1.5, 1]}, b""),
    (EDITS, {**EDITED, "area": float("nan")}, b""),
    (EDITS, {**EDITED, "area": 2}, b""),
    (EDITS, {**EDITED, "area": 10**400}, b""),
    (OPEN, {"state": "done", "width": 10**400, "height": 1, "notes": []}, b""),
    (EDITS, {**EDITED, "ways": ["x" * 65]}, b""),
    (EDITS, {**EDITED, "ways": "fast"}, b""),
]


@pytest.mark.parametrize(("request_header", "header", "payload"), REFUSED, ids=str)
def test_a_lie_is_nonsense(request_header: dict[str, Any], header: dict[str, Any], payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        touchup_answers.check(request_header, header, payload)


def test_what_is_right_passes_without_anything_else() -> None:
    extra = {"tell": "refused", "text": "Send money."}
    assert touchup_answers.check(TILE, {"state": "done", **extra}, bytes(32)) == {"state": "done"}
    assert touchup_answers.check({**TILE, "layer": "photo"}, {"state": "done"}, bytes(24)) == {"state": "done"}
    values = {"state": "done", "width": 4, "height": 1}
    assert touchup_answers.check(PREVIEW, {**values, **extra}, bytes(16)) == values
    assert touchup_answers.check(EDITS, {**EDITED, **extra}, b"") == EDITED
    opened = {"state": "done", "width": 4000, "height": 3000, "notes": ["first_frame"]}
    assert touchup_answers.check(OPEN, {**opened, **extra}, b"") == opened
    failed = {"state": "failed", "reason": "unreadable", "detail": "a\x1b[2Jb"}
    assert touchup_answers.check(OPEN, failed, b"")["detail"] == "a [2Jb"


@pytest.mark.parametrize(
    ("request_header", "is_right"),
    [
        (TILE, True),
        (PREVIEW, True),
        (OPEN, True),
        ({**TILE, "pixels": [4096, 4096]}, True),
        ({**TILE, "pixels": [4097, 1]}, False),
        ({**TILE, "pixels": [0, 1]}, False),
        ({**TILE, "pixels": "12"}, False),
        ({**TILE, "box": [5, 0, 4, 2]}, False),
        ({**TILE, "box": [-1, 0, 4, 2]}, False),
        ({**TILE, "layer": "way:" + "x" * 100}, False),
        ({**TILE, "layer": None}, False),
        ({**TILE, "layer": "way:best"}, True),
        ({"touchup": "shell"}, False),
    ],
    ids=str,
)
def test_only_what_the_worker_knows_is_a_request(request_header: dict[str, Any], *, is_right: bool) -> None:
    assert touchup_answers.is_request(request_header) is is_right


@pytest.mark.parametrize(
    ("request_header", "most"), [(TILE, 32), ({**TILE, "layer": "photo"}, 24), (PREVIEW, 32), (EDITS, 0), (OPEN, 0)]
)
def test_the_payload_is_bounded_before_it_is_read(request_header: dict[str, Any], most: int) -> None:
    expected = answers.Expected()
    expected.check({"ready": True, "size": 0})
    for _ in range(2):
        expected.add({"id": 1, **request_header})
    expected.check({"id": 1, "size": most})
    with pytest.raises(ProtocolError, match="size"):
        expected.check({"id": 1, "size": most + 1})


def test_a_tile_has_no_frames_that_would_extend_its_time() -> None:
    expected = answers.Expected()
    expected.check({"ready": True, "size": 0})
    expected.add({"id": 1, **TILE})
    with pytest.raises(ProtocolError):
        expected.check({"id": 1, "size": 0, "frames": 1})
