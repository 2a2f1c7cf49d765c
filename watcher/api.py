"""The Python call: a picture in, a picture out; nothing is written but the worker's log."""

from __future__ import annotations

import atexit
import functools
import io
import os
import struct
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from watcher import commit, config, paths, recipe
from watcher.errors import PictureError, UsageError
from watcher.matting import modes
from watcher.picture import metadata
from watcher.recipe import Recipe, RecipeError
from watcher.worker.dispatch import read_background
from watcher.worker.protocol import Header
from watcher.worker.supervisor import PICTURE_TIME, Staff, WorkerDiedError

if TYPE_CHECKING:
    from watcher.worker.process import Bench

Source = str | os.PathLike[str] | bytes | Image.Image


def remove_background(
    picture: Source,
    recipe: Recipe | Mapping[str, object] | str | None = None,
    *,
    force: bool = False,
    jailed: bool = True,
) -> Image.Image:
    """Cut the subject out of a picture.

    `picture`: a path, the bytes of a file, or a PIL image (the frame it is at). `recipe`: what the output looks like:
    None (mode RGBA, transparent around the subject), the name of a recipe in config.toml, or settings as they are
    written there, such as `{"background": "white", "crop": "5%"}`. `force`: return something even if no clear subject
    is found.

    `jailed`: the picture is decoded and worked on in a process that can open no file and no connection; it is started
    by the first call, and stays for the next ones. False: in this process, which saves 0.5 s on the first call and
    changes Pillow's limits for all of it (250 megapixels; larger pictures are refused).

    Returns the output as its file would be read again: mode RGBA, RGB (with a background) or L (a mask), with the
    picture's RGB profile in `info["icc_profile"]`; with several frames if the picture is an animation.

    Raises PictureError (`reason` says why; `no_clear_subject` among them), UsageError for settings that make no sense,
    ModelError and WorkerError where there is nothing to do it with. All are watcher.errors.NobgError.
    """
    wanted = _recipe(recipe)
    mode = modes.find(wanted.model or config.load(paths.config_path()).model)
    data, background = _bytes_of(picture), read_background(wanted)
    asked = {"id": 0, "force": force, "recipe": wanted.key(), "first": len(data)}
    header, output = (_in_worker if jailed else _here)(mode, asked, data + background)
    if header["state"] != "done":
        raise PictureError(header["reason"], header.get("detail") or "")
    return _opened(output)


def _opened(output: bytes) -> Image.Image:
    """The output, which is large only where the person asked for that: Pillow's warning would be a false alarm.

    What comes from the worker has seen hostile bytes: no other decoders than those of our own formats.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            result = Image.open(io.BytesIO(output), formats=("PNG", "WEBP", "JPEG", "TIFF"))
            result.load()
    except Image.DecompressionBombError as error:
        text = "the result is larger than Image.MAX_IMAGE_PIXELS allows here. Raise that, or ask for a smaller one."
        raise PictureError("too_large", text) from error
    return result


def _recipe(wanted: Recipe | Mapping[str, object] | str | None) -> Recipe:
    if isinstance(wanted, Recipe):
        return wanted
    if isinstance(wanted, str):
        return config.load(paths.config_path()).recipe(wanted)
    try:
        return recipe.read(wanted or {})
    except RecipeError as error:
        raise UsageError(f"{error.field}: {error}.") from error


def _bytes_of(picture: Source) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, Image.Image):
        return _saved(picture)
    return commit.read_source(Path(os.path.abspath(picture))).data


def _saved(image: Image.Image) -> bytes:
    """The image as a TIFF file, without loss, with its profile and with what EXIF says of it that holds for any file.

    Nothing else of the file that the image came from goes with it: compression, sizes and the like would be wrong.
    """
    exif, icc = Image.Exif(), image.info.get("icc_profile")
    block = metadata.exif(image, metadata.ALL)
    if block is not None:
        exif.load(block)
    exif[_ORIENTATION] = metadata.orientation(image)
    try:
        buffer = io.BytesIO()
        _bare(image).save(buffer, "TIFF", compression="raw", exif=exif.tobytes(), icc_profile=icc)
    except (OSError, ValueError, TypeError, struct.error) as error:
        raise PictureError("unsupported", f"an image of mode {image.mode} and size {image.size}: {error}.") from error
    return buffer.getvalue()


def _bare(image: Image.Image) -> Image.Image:
    """The pixels alone, in a mode that TIFF knows."""
    if image.mode in ("F", "I"):  # as Pillow's own conversions mean them: 0..255, or 0..65535 in I
        deep = image.mode == "I" and np.asarray(image).max(initial=0) > 255
        image = image.convert("I;16" if deep else "L")
    elif "transparency" in image.info or image.mode in ("PA", "RGBa", "La", "P"):
        image = image.convert("RGBA")
    elif image.mode == "HSV":
        image = image.convert("RGB")
    return Image.frombytes(image.mode, image.size, image.tobytes())


_ORIENTATION = 0x0112


Answer = tuple[Header, bytes]

_staff = Staff()
_one_at_a_time = threading.Lock()
_of_parents: list[Staff] = []


def _begin_anew() -> None:
    """In a process that was forked: the parent's worker is not ours, nor are the threads that speak to it."""
    global _staff, _one_at_a_time  # one worker for each process
    _of_parents.append(_staff)  # kept, since taking it apart would wait for those threads
    _staff, _one_at_a_time = Staff(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


@atexit.register
def _end() -> None:
    """Of this process's worker, whichever it is by then."""
    _staff.send_home()


def _in_worker(mode: modes.Mode, asked: dict[str, object], data: bytes) -> Answer:
    with _one_at_a_time:
        _staff.look()
        try:
            worker = _staff.worker(mode)
            worker.send(asked, data)
            return worker.receive(PICTURE_TIME)
        except WorkerDiedError as death:
            _staff.send_home()
            raise PictureError(death.reason) from death
        except BaseException:
            _staff.send_home()  # it would answer what nobody asks any more
            raise


def _here(mode: modes.Mode, asked: dict[str, object], data: bytes) -> Answer:
    with _one_at_a_time:
        return _bench(mode).do(asked, data)


@functools.lru_cache(maxsize=1)
def _bench(mode: modes.Mode) -> Bench:
    from watcher.worker.process import open_bench

    return open_bench(mode)
