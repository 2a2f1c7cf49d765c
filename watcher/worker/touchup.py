"""Touch up, on the worker's side: one open photo, parts of it as pixels, and a person's edits to its alpha.

A worker that is started for it answers these messages besides the ordinary ones, one after the other:

    in   {"id", "touchup": "open", "recipe"} + the file's bytes
    out  {"id", "state", "width", "height", "notes"}
    in   {"id", "touchup": "tile", "layer", "box", "pixels"}     `layer`: photo, cutout, or way:NAME
    out  {"id", "state"} + RGB bytes of the photo, or RGBA bytes (straight alpha) of the others, for `pixels`
    in   {"id", "touchup": "edits"} + the whole list of edits as JSON
    out  {"id", "state", "changed", "area", "ways"}            `changed`: a box, or null
    in   {"id", "touchup": "preview", "recipe", "pixels"} + the bytes of the background picture
    out  {"id", "state", "width", "height"} + RGBA bytes of the whole output, within `pixels`
    in   {"id", "touchup": "thumbnail", "pixels"} + the bytes of any picture
    out  {"id", "state", "width", "height"} + its RGBA bytes, within `pixels`

Boxes are left, top, right, bottom in pixels of the upright photo; `pixels` are width and height.
"""

from __future__ import annotations

import functools
import hashlib
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watcher import recipe as recipes
from watcher.errors import OUT_OF_MEMORY_TEXT, ModelError, PictureError
from watcher.matting import foreground, transparency
from watcher.matting.touchup import edits as edit_lists
from watcher.matting.touchup.mender import Box, Mender, at_scale
from watcher.picture import codecs, compose, encode
from watcher.worker import protocol
from watcher.worker.pipeline import NO_ANIMATIONS, Pipeline, Work, decode_background

MAX_TILE_SIDE = 4096
_LEVELS = 6  # of the pyramid: the last one is a 32nd of the photo's side
_MIN_LEVEL_SIDE = 512

Answer = tuple[dict[str, Any], bytes]


def serve(stdin: BinaryIO, stdout: BinaryIO, load_pipeline: Callable[[], Pipeline]) -> None:
    """Answer messages until stdin ends. The networks are loaded when they are needed: the photo is seen before."""
    table = Table(load_pipeline, stdout)
    while (message := protocol.read_message(stdin)) is not None:
        answer, payload = table.answer(*message)
        del message
        protocol.write_message(stdout, {"id": answer.pop("id"), "reason": None, **answer}, payload)


class Table:
    """What a person has before them: no photo, or one."""

    def __init__(self, load_pipeline: Callable[[], Pipeline], stdout: BinaryIO) -> None:
        """`stdout`: where the progress of animations is reported."""
        self._load_pipeline, self._stdout = functools.cache(load_pipeline), stdout
        self._photo: OpenPhoto | None = None

    def answer(self, header: protocol.Header, data: bytes) -> Answer:
        """Return the answer to any message. An error fails this message alone."""
        answer: dict[str, Any] = {"id": header["id"], "state": "done"}
        try:
            values, payload = self._answer(header, data)
        except PictureError as error:
            answer.update(state="failed", reason=error.reason, detail=error.detail)
        except ModelError as error:
            answer.update(state="failed", reason="unsupported", detail=str(error))
        except MemoryError:
            answer.update(state="failed", reason="too_large", detail=OUT_OF_MEMORY_TEXT)
        except Exception as error:  # noqa: BLE001  decoders meet hostile bytes: one message must not end the worker
            traceback.print_exc()
            answer.update(state="failed", reason="unreadable", detail=f"{type(error).__name__}: {error}"[:200])
        else:
            return {**answer, **values}, payload
        return answer, b""

    def _answer(self, header: protocol.Header, data: bytes) -> Answer:
        kind = header.get("touchup")
        if kind is None:
            return self._process(header, data)
        if kind == "open":
            self._photo = None  # its memory is free before the next one is decoded
            self._photo = OpenPhoto(self._load_pipeline, data, recipes.parse_key(header.get("recipe", "{}")))
            return self._photo.description(), b""
        if kind == "thumbnail":
            return thumbnail(data, _checked_size(header))
        if self._photo is None:
            raise PictureError("unsupported", "no photo is open.")
        if kind == "tile":
            return {}, self._photo.tile(str(header.get("layer")), _checked_box(header), _checked_size(header))
        if kind == "edits":
            return self._photo.edit(data), b""
        if kind == "preview":
            return self._photo.preview(recipes.parse_key(header.get("recipe", "{}")), data, _checked_size(header))
        raise PictureError("unsupported", f"nobody knows what {kind} is.")

    def _process(self, header: protocol.Header, data: bytes) -> Answer:
        """Answer an ordinary message; the networks need not look at the open photo again."""
        work = Work(header=header, answer={"id": header["id"]}, data=data)
        photo, pipeline = self._photo, self._load_pipeline()
        is_open = photo is not None and photo.is_of(data[: header.get("first", len(data))])
        if is_open and photo is not None:  # what it has found out about strokes need not be found again
            pipeline = replace(pipeline, make_mender=lambda *_: photo.mender)
        try:
            for frame in pipeline.decode(work):
                if is_open and photo is not None and frame.visible is not None:
                    frame.opinions, frame.person = photo.opinions
                else:
                    frame.run_step(pipeline.infer)
                frame.run_step(pipeline.postprocess)
                work.busy_seconds += frame.busy_seconds
                if not frame.is_last:
                    protocol.write_progress(self._stdout, work.answer, len(work.mattes))
        finally:
            pipeline.budget.release(work.pixel_count)
        return {"seconds": round(work.busy_seconds, 3), **work.answer}, work.output


class OpenPhoto:
    """One decoded photo, and what its alpha is by now."""

    def __init__(self, load_pipeline: Callable[[], Pipeline], data: bytes, recipe: recipes.Recipe) -> None:
        """Decode the photo in `data`. Raises PictureError."""
        self._load_pipeline, self._hash = load_pipeline, hashlib.sha256(data).digest()
        header = codecs.open_header(data)
        is_animated = not recipe.first_frame and recipe.format in encode.ANIMATED_FORMATS
        if is_animated and codecs.frame_count(header) > 1:
            raise PictureError("unsupported", NO_ANIMATIONS)
        self._picture = codecs.decode(header, recipe.metadata)
        alpha = self._picture.alpha
        self._is_cut_out = alpha is not None and transparency.is_cut_out(alpha)
        rgb = self._picture.rgb
        self._visible = rgb if alpha is None or self._is_cut_out else transparency.visible_picture(rgb, alpha)
        self._levels = [rgb]
        self._mender: Mender | None = None
        self._looks: dict[str, Any] = {}
        self._reduced: Image.Image | None = None
        self._colours: tuple[Image.Image, Image.Image] | None = None

    def description(self) -> dict[str, Any]:
        """Return what is known without the networks."""
        width, height = self._picture.rgb.size
        return {"width": width, "height": height, "notes": list(self._picture.notes)}

    def is_of(self, data: bytes) -> bool:
        """Return whether an ordinary request is for this photo, after the networks have seen it."""
        return "" in self._looks and hashlib.sha256(data).digest() == self._hash

    @property
    def opinions(self) -> Any:
        """What the networks make of the photo: opinions, and the probability of a person."""
        return self._looks[""]

    @property
    def mender(self) -> Mender:
        """The photo's alpha. The first call lets the networks look."""
        if self._mender is None:
            alpha = None
            if self._is_cut_out and self._picture.alpha is not None:
                alpha = np.asarray(self._picture.alpha, np.float32) * np.float32(1 / 255)
            self._mender = Mender(self._visible, self._look, alpha)
        return self._mender

    def _look(self, rgb: Image.Image, way: str) -> Any:
        if rgb is not self._visible:
            return self._load_pipeline().look(rgb, way)
        if way not in self._looks:
            self._looks[way] = self._load_pipeline().look(rgb, way)
        return self._looks[way]

    def edit(self, data: bytes) -> dict[str, Any]:
        """Make these the edits of the photo. Return the answer's fields. Raises PictureError."""
        try:
            edits = edit_lists.parse(data)
        except edit_lists.EditsError as error:
            raise PictureError("unsupported", f"{error}.") from error
        changed = self.mender.apply(edits)
        self.mender.prepare()  # the networks have taken seconds, and the first stroke must not wait
        self._colours = None
        area = float(np.count_nonzero(self.mender.alpha >= 0.5) / self.mender.alpha.size)
        ways = [] if self._is_cut_out else self._load_pipeline().ways()
        return {"changed": None if changed is None else list(changed), "area": round(area, 4), "ways": ways}

    def tile(self, layer: str, box: Box, size: tuple[int, int]) -> bytes:
        """Return the pixels of a part of a layer. Raises PictureError."""
        width, height = self._picture.rgb.size
        box = (max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height))
        if box[0] >= box[2] or box[1] >= box[3]:
            raise PictureError("unsupported", "this part is outside the photo.")
        pixels = self._photo_part(box, size)
        if layer == "photo":
            return pixels.tobytes()
        way = layer.partition(":")[2] if layer.startswith("way:") else None
        alpha = self.mender.region(box, size, None if way is None else self.mender.way(way))
        if self._picture.alpha is not None and not self._is_cut_out:
            own = self._picture.alpha.resize(size, Image.Resampling.BOX, box=box, reducing_gap=2.0)
            alpha = compose.multiply_alpha(alpha, own)
        elif way is None and not self._is_cut_out:
            pixels = self._own_colours(pixels, alpha, box)
        return _rgba(pixels, alpha)

    def _photo_part(self, box: Box, size: tuple[int, int]) -> Image.Image:
        """Return a part of the photo, of `size` (width, height), from the level of the pyramid that is large enough."""
        scale = min((box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1])
        level = 0
        while level < _LEVELS - 1 and scale >= 2 ** (level + 1) and min(self._levels[level].size) >= _MIN_LEVEL_SIDE:
            level += 1
            if level == len(self._levels):
                self._levels.append(self._levels[-1].reduce(2))
        image = self._levels[level]
        across, down = image.width / self._levels[0].width, image.height / self._levels[0].height
        part = (box[0] * across, box[1] * down, min(box[2] * across, image.width), min(box[3] * down, image.height))
        return image.resize(size, Image.Resampling.BILINEAR, box=part)

    def _own_colours(self, pixels: Image.Image, alpha: NDArray[np.uint8], box: Box) -> Image.Image:
        """Return the part's pixels without the old background's colour."""
        if self._reduced is None:
            self._reduced = foreground.reduce_photo(self._picture.rgb)
        if self._colours is None:
            small = np.clip(self.mender.alpha * np.float32(255), 0, 255).astype(np.uint8)
            self._colours = foreground.smooth_colours(self._reduced, Image.fromarray(small))
        region, whole = at_scale(box, pixels.size, self._picture.rgb.size)
        return foreground.recover_part(pixels, alpha, self._colours, region, whole)

    def preview(self, recipe: recipes.Recipe, background: bytes, size: tuple[int, int]) -> Answer:
        """Return the whole output under a recipe, within `size`. It is composed from a photo of about that size."""
        width, height = self._picture.rgb.size
        scale = min(1.0, size[0] / width, size[1] / height)
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = self._photo_part((0, 0, width, height), small)
        alpha = self.mender.region((0, 0, width, height), small)
        if not self._is_cut_out:
            pixels = self._own_colours(pixels, alpha, (0, 0, width, height))
        picture = replace(self._picture, rgb=pixels, alpha=None)
        layout = compose.compute_layout(*small, compose.subject_box(alpha), recipe)
        size_of_output = (layout.width, layout.height)
        backdrop = compose.render_background(recipe, decode_background(recipe, background), picture.icc, size_of_output)
        image = Image.fromarray(compose.render(picture, alpha, layout, recipe, backdrop)).convert("RGBA")
        image.thumbnail(size)
        return {"width": image.width, "height": image.height}, image.tobytes()


def thumbnail(data: bytes, size: tuple[int, int]) -> Answer:
    """Return any picture within `size`. Raises PictureError."""
    header = codecs.open_header(data)
    picture = codecs.decode(header)
    image = picture.rgb
    image.thumbnail(size, Image.Resampling.BOX, reducing_gap=2.0)
    if picture.alpha is not None:
        image.putalpha(picture.alpha.resize(image.size, Image.Resampling.BOX, reducing_gap=2.0))
    return {"width": image.width, "height": image.height}, image.convert("RGBA").tobytes()


def _rgba(pixels: Image.Image, alpha: NDArray[np.uint8]) -> bytes:
    """Return RGBA bytes; where alpha is 0, no colour is left."""
    image = pixels.copy()
    image.putalpha(Image.fromarray(alpha))
    result = np.array(image).view(np.uint32)[..., 0]  # a pixel in one number: four times as fast
    result *= alpha > 0
    return result.tobytes()


def _checked_box(header: protocol.Header) -> Box:
    left, top, right, bottom = (int(value) for value in header["box"])
    return left, top, right, bottom


def _checked_size(header: protocol.Header) -> tuple[int, int]:
    width, height = (int(value) for value in header["pixels"])
    if not (0 < width <= MAX_TILE_SIDE and 0 < height <= MAX_TILE_SIDE):
        raise PictureError("too_large", f"a part of {width} x {height} pixels")
    return width, height
