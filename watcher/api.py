"""The Python call: a picture in, a cut-out out. It writes no file but the worker's log."""

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
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from watcher import commit, paths, recipe
from watcher.errors import PictureError, UsageError
from watcher.matting import modes
from watcher.matting.touchup import hints as touchup_hints
from watcher.matting.touchup.edits import Edit, EditsError, encode
from watcher.picture import metadata
from watcher.recipe import Recipe, RecipeError
from watcher.settings import config
from watcher.worker import answers
from watcher.worker.answers import Answer
from watcher.worker.protocol import Header, ProtocolError
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Supervisor, WorkerDiedError
from watcher.worker.tasks import read_background

if TYPE_CHECKING:
    from watcher.worker.pipeline import Pipeline

_HINTS = ("box", "keep_points", "drop_points", "keep")

Picture = str | os.PathLike[str] | bytes | Image.Image

_EXIF_ORIENTATION_TAG = 0x0112


def remove_background(
    picture: Picture,
    recipe: Recipe | Mapping[str, object] | str | None = None,
    *,
    force: bool = False,
    jailed: bool = True,
    hints: Mapping[str, Any] | None = None,
) -> Image.Image:
    """Cut the subject out of a picture.

    `picture`: a path, the bytes of a file, or a PIL image, whose current frame is used. `recipe`: what the output
    looks like: None (mode RGBA, transparent around the subject), a Recipe, the name of a recipe in config.toml, or
    settings as in config.toml, such as `{"background": "white", "crop": "5%"}`. `force`: return a cut-out even if no
    clear subject is found.

    `hints`: what to keep, in pixels of the upright photo: `box` (left, top, right, bottom), `keep_points` and
    `drop_points` (lists of x and y: the part there comes back, or goes), `keep` ("largest" or "all" parts).

    `jailed`: decode and process the picture in another process, which can open no file and no connection. The first
    call starts it; later calls use it again. False: use this process, which saves 0.5 s on the first call and changes
    Pillow's limit for the whole process (to 250 megapixels; larger pictures are refused).

    Returns the cut-out as Pillow reads its file: mode RGBA, RGB (with a background) or L (a mask), with the picture's
    RGB profile in `info["icc_profile"]`, and with several frames if the picture is an animation. `info["doubt"]` says
    how doubtful the cut-out is, 0..1; it is None if the picture is a cut-out already.

    Raises PictureError, whose `reason` may be `no_clear_subject`; UsageError for settings that make no sense;
    ModelError or WorkerError if the model or the worker cannot be used. All are watcher.errors.NobgError.
    """
    resolved_recipe = _resolve_recipe(recipe)
    mode = modes.find(resolved_recipe.model or config.load(paths.config_path()).model)
    data, background = _read_picture_bytes(picture), read_background(resolved_recipe)
    request = {"id": 0, "force": force, "recipe": resolved_recipe.key(), "first": len(data)}
    edits = _resolve_hints(hints or {})
    if edits:
        request |= {"edits": encode(edits), "force": force or touchup_hints.names_a_subject(edits)}
    process = _process_in_worker if jailed else _process_unjailed
    answer = process(mode, request, data + background, resolved_recipe.format)
    if answer.state != "done":
        assert answer.reason is not None
        raise PictureError(answer.reason, answer.detail or "")
    result = _open_output(answer.output, resolved_recipe.format)
    result.info["doubt"] = answer.doubt
    return result


def _open_output(output: bytes, output_format: str) -> Image.Image:
    """Open the bytes of an output. Raises PictureError if it is larger than Pillow allows.

    A large output is what the caller asked for, so Pillow's warning would be a false alarm. The worker that sends the
    bytes has decoded hostile ones, so only the decoder of the output's format may read them.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            result = Image.open(io.BytesIO(output), formats=(output_format.upper(),))
            result.load()
    except Image.DecompressionBombError as error:
        text = (
            "the cut-out is larger than Image.MAX_IMAGE_PIXELS allows. Raise that limit, or ask for a smaller cut-out."
        )
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


def _resolve_hints(hints: Mapping[str, Any]) -> tuple[Edit, ...]:
    """Return the hints as edits. Raises UsageError."""
    unknown = hints.keys() - _HINTS
    if unknown:
        raise UsageError(f"hints: there is no {min(map(str, unknown))}. Choose from: {', '.join(_HINTS)}.")
    try:
        return touchup_hints.make(**hints)
    except (EditsError, TypeError) as error:
        raise UsageError(f"hints: {error}.") from error


def _read_picture_bytes(picture: Picture) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, Image.Image):
        return _encode_as_tiff(picture)
    return commit.read_source(Path(os.path.abspath(picture))).data


def _encode_as_tiff(image: Image.Image) -> bytes:
    """Encode the image as a TIFF file without loss, with its profile and those EXIF tags that apply to any file.

    Tags such as compression and size describe the file that the image came from, and would be wrong.
    """
    exif, icc = Image.Exif(), image.info.get("icc_profile")
    dpi = metadata.resolution(image)
    options = {} if dpi is None else {"dpi": dpi}
    block = metadata.exif_for_output(image, metadata.ALL)
    if block is not None:
        exif.load(block)
    exif[_EXIF_ORIENTATION_TAG] = metadata.orientation(image)
    try:
        buffer = io.BytesIO()
        _pixels_only(image).save(buffer, "TIFF", compression="raw", exif=exif.tobytes(), icc_profile=icc, **options)
    except (OSError, ValueError, TypeError, struct.error) as error:
        raise PictureError("unsupported", f"an image of mode {image.mode} and size {image.size}: {error}.") from error
    return buffer.getvalue()


def _pixels_only(image: Image.Image) -> Image.Image:
    """Copy the pixels without metadata, in a mode that TIFF supports."""
    if image.mode in ("F", "I"):  # with the ranges of Pillow's conversions: 0..255, or 0..65535 in I
        is_16_bit = image.mode == "I" and np.asarray(image).max(initial=0) > 255
        image = image.convert("I;16" if is_16_bit else "L")
    elif "transparency" in image.info or image.mode in ("PA", "RGBa", "La", "P"):
        image = image.convert("RGBA")
    elif image.mode == "HSV":
        image = image.convert("RGB")
    return Image.frombytes(image.mode, image.size, image.tobytes())


_supervisor = Supervisor()
_call_lock = threading.Lock()
_parent_supervisors: list[Supervisor] = []


def _reset_after_fork() -> None:
    """Give a forked process a worker of its own: it has no threads that read from the parent's worker."""
    global _supervisor, _call_lock  # one of each per process
    _parent_supervisors.append(_supervisor)  # kept alive, because its finalisation would wait for those threads
    _supervisor, _call_lock = Supervisor(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


@atexit.register
def _stop_worker_at_exit() -> None:
    _supervisor.stop_worker()  # looked up at exit, since a fork replaces it


def _process_in_worker(mode: modes.Mode, request: Header, data: bytes, output_format: str) -> Answer:
    with _call_lock:
        _supervisor.discard_ended_worker()
        try:
            worker = _supervisor.ensure_worker(mode, for_touchup="edits" in request)
            worker.send(request, data)
            return answers.check(*worker.receive(PICTURE_TIMEOUT_SECONDS), output_format)
        except WorkerDiedError as error:
            _supervisor.stop_worker()
            raise PictureError(error.reason, error.detail) from error
        except ProtocolError as error:
            _supervisor.stop_worker()
            raise PictureError("worker_died", str(error)) from error
        except BaseException:
            _supervisor.stop_worker()  # otherwise the next request would receive its late answer
            raise


def _process_unjailed(mode: modes.Mode, request: Header, data: bytes, output_format: str) -> Answer:
    with _call_lock:
        header, output = _cached_pipeline(mode).process(request, data)
    return answers.check({**header, "notes": list(header.get("notes", ())), "seconds": 0.0}, output, output_format)


@functools.lru_cache(maxsize=1)
def _cached_pipeline(mode: modes.Mode) -> Pipeline:
    from watcher.worker.pipeline import open_pipeline

    return open_pipeline(mode)
