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
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Supervisor, WorkerDiedError

if TYPE_CHECKING:
    from watcher.worker.process import Pipeline

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
    wanted = _resolve_recipe(recipe)
    mode = modes.find(wanted.model or config.load(paths.config_path()).model)
    data, background = _read_picture_bytes(picture), read_background(wanted)
    asked = {"id": 0, "force": force, "recipe": wanted.key(), "first": len(data)}
    header, output = (_process_in_worker if jailed else _process_unjailed)(mode, asked, data + background)
    if header["state"] != "done":
        raise PictureError(header["reason"], header.get("detail") or "")
    return _open_output(output)


def _open_output(output: bytes) -> Image.Image:
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


def _resolve_recipe(recipe_or_settings: Recipe | Mapping[str, object] | str | None) -> Recipe:
    if isinstance(recipe_or_settings, Recipe):
        return recipe_or_settings
    if isinstance(recipe_or_settings, str):
        return config.load(paths.config_path()).recipe(recipe_or_settings)
    try:
        return recipe.read_recipe(recipe_or_settings or {})
    except RecipeError as error:
        raise UsageError(f"{error.field}: {error}.") from error


def _read_picture_bytes(picture: Source) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, Image.Image):
        return _encode_as_tiff(picture)
    return commit.read_source(Path(os.path.abspath(picture))).data


def _encode_as_tiff(image: Image.Image) -> bytes:
    """The image as a TIFF file, without loss, with its profile and with what EXIF says of it that holds for any file.

    Nothing else of the file that the image came from goes with it: compression, sizes and the like would be wrong.
    """
    exif, icc = Image.Exif(), image.info.get("icc_profile")
    block = metadata.exif_for_output(image, metadata.ALL)
    if block is not None:
        exif.load(block)
    exif[_EXIF_ORIENTATION_TAG] = metadata.orientation(image)
    try:
        buffer = io.BytesIO()
        _pixels_only(image).save(buffer, "TIFF", compression="raw", exif=exif.tobytes(), icc_profile=icc)
    except (OSError, ValueError, TypeError, struct.error) as error:
        raise PictureError("unsupported", f"an image of mode {image.mode} and size {image.size}: {error}.") from error
    return buffer.getvalue()


def _pixels_only(image: Image.Image) -> Image.Image:
    """The pixels alone, in a mode that TIFF knows."""
    if image.mode in ("F", "I"):  # as Pillow's own conversions mean them: 0..255, or 0..65535 in I
        deep = image.mode == "I" and np.asarray(image).max(initial=0) > 255
        image = image.convert("I;16" if deep else "L")
    elif "transparency" in image.info or image.mode in ("PA", "RGBa", "La", "P"):
        image = image.convert("RGBA")
    elif image.mode == "HSV":
        image = image.convert("RGB")
    return Image.frombytes(image.mode, image.size, image.tobytes())


_EXIF_ORIENTATION_TAG = 0x0112


Answer = tuple[Header, bytes]

_supervisor = Supervisor()
_call_lock = threading.Lock()
_parent_supervisors: list[Supervisor] = []


def _reset_after_fork() -> None:
    """In a process that was forked: the parent's worker is not ours, nor are the threads that speak to it."""
    global _supervisor, _call_lock  # one worker for each process
    _parent_supervisors.append(_supervisor)  # kept, since taking it apart would wait for those threads
    _supervisor, _call_lock = Supervisor(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


@atexit.register
def _stop_worker_at_exit() -> None:
    """Of this process's worker, whichever it is by then."""
    _supervisor.stop_worker()


def _process_in_worker(mode: modes.Mode, request: dict[str, object], data: bytes) -> Answer:
    with _call_lock:
        _supervisor.discard_ended_worker()
        try:
            worker = _supervisor.ensure_worker(mode)
            worker.send(request, data)
            return worker.receive(PICTURE_TIMEOUT_SECONDS)
        except WorkerDiedError as death:
            _supervisor.stop_worker()
            raise PictureError(death.reason) from death
        except BaseException:
            _supervisor.stop_worker()  # it would answer what nobody asks any more
            raise


def _process_unjailed(mode: modes.Mode, request: dict[str, object], data: bytes) -> Answer:
    with _call_lock:
        return _cached_pipeline(mode).process(request, data)


@functools.lru_cache(maxsize=1)
def _cached_pipeline(mode: modes.Mode) -> Pipeline:
    from watcher.worker.process import open_pipeline

    return open_pipeline(mode)
