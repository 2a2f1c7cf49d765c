"""Harnesses of the parsers in watcher/picture."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from unittest import mock

import numpy as np
from PIL import Image, TiffImagePlugin

from watcher.errors import PictureError
from watcher.picture import codecs, compose, containers, encode, jpeg, jxl, metadata, pixels, profiles, tiff_layout
from watcher.recipe import Recipe

MAX_PIXELS = 1 << 18
"""Limit of pixels while fuzzing: the decoders of large pictures are not what is tested."""
MAX_TOTAL_FRAME_PIXELS = 1 << 20

_PIXEL = np.zeros((1, 1, 4), np.uint8)
_RECIPES = (
    Recipe(),
    Recipe(effort="small"),
    Recipe(format="webp"),
    Recipe(format="tiff"),
    Recipe(format="jpeg", background="#ffffff"),
)
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error)


@contextlib.contextmanager
def small_pictures() -> Iterator[None]:
    """Refuse pictures that are large, as nobg refuses those of more than 250 megapixels."""
    with (
        mock.patch.object(codecs, "MAX_PIXELS", MAX_PIXELS),
        mock.patch.object(codecs, "MAX_TOTAL_FRAME_PIXELS", MAX_TOTAL_FRAME_PIXELS),
        mock.patch.object(Image, "MAX_IMAGE_PIXELS", MAX_PIXELS),
        warnings.catch_warnings(action="ignore"),
    ):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def fuzz_containers(data: bytes) -> None:
    """containers.py: nothing but ValueError."""
    for function in (
        containers.brands,
        containers.is_truncated,
        containers.nclx,
        containers.png_cicp,
        containers.raw_format,
        containers.other_kind,
        containers.full_pages,
        containers.with_full_page_first,
        containers.without_damaged_chunks,
    ):
        with contextlib.suppress(ValueError):
            function(data)
    with contextlib.suppress(ValueError):
        box = containers.clean_aperture(data, (64, 48))
        assert box is None or (0 <= box[0] < box[2] <= 64 and 0 <= box[1] < box[3] <= 48)
    for _kind, start, end in containers.boxes(data):
        assert start >= 0
        assert end <= len(data)


def fuzz_tiff_layout(data: bytes) -> None:
    """parse_layout() and old_style_jpeg_span(): DAMAGE_ERRORS. The other functions: nothing."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        with warnings.catch_warnings(action="ignore"):
            tags.load(file)
    except _PILLOW_ERRORS:
        return
    try:
        layout = tiff_layout.parse_layout(tags)
    except tiff_layout.DAMAGE_ERRORS:
        assert tiff_layout.layout_or_none(tags) is None
    else:
        assert layout.blocks_per_plane * layout.plane_count == len(layout.blocks)
    tiff_layout.min_bits_per_sample(tags)
    tiff_layout.has_separate_planes(tags)
    tiff_layout.has_signed_samples(tags)
    for function in (tiff_layout.old_style_jpeg_span, tiff_layout.old_style_jpeg_parts):
        with contextlib.suppress(*tiff_layout.DAMAGE_ERRORS):
            function(tags)


def fuzz_tiff(data: bytes) -> None:
    """A TIFF from its header to its pixels: PictureError."""
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        _decode_all(data)


def fuzz_frames(data: bytes) -> None:
    """An animation from its header to its last frame: PictureError."""
    if data[:4] in (b"GIF8", b"\x89PNG", b"RIFF"):
        _decode_all(data)


def _decode_all(data: bytes) -> None:
    with small_pictures(), contextlib.suppress(PictureError):
        image = codecs.open_header(data)
        assert image.width * image.height <= MAX_PIXELS
        if codecs.frame_count(image) == 1:
            codecs.decode(image, metadata.ALL)
            return
        codecs.loop_count(image)
        for picture in codecs.decode_frames(image):
            assert picture.rgb.mode == "RGB"
            assert picture.duration >= 0


def fuzz_jpeg(data: bytes) -> None:
    """jpeg.py: nothing; a JPEG from its header to its pixels: PictureError."""
    assert len(jpeg.without_excess_exif(data)) <= len(data)
    ended = jpeg.with_end(data)
    assert jpeg.with_end(ended) == ended
    if data.startswith(jpeg.START):
        jpeg._has_all_coefficients(data, jpeg._scans(data))
        _decode_all(data)


def fuzz_jxl(data: bytes) -> None:
    """jxl_header(): ValueError. The other functions: nothing."""
    jxl.is_jxl(data)
    with contextlib.suppress(ValueError):
        header = jxl.jxl_header(data)
        assert min(header.width, header.height) >= 0
    jxl.jxl_box(data, b"Exif")
    jxl._image_info(data, b"")


def fuzz_metadata(data: bytes) -> None:
    """metadata.py: nothing. The encoders take what it returns, but for size."""
    image = Image.new("RGB", (2, 2))
    image.info = {"exif": b"Exif\0\0" + data, "xmp": data}
    with small_pictures():
        assert 1 <= metadata.orientation(image) <= 8
        metadata.is_adobe_rgb(image)
        dpi = metadata.resolution(image)
        assert metadata.exif_for_output(image, metadata.DROP) is metadata.xmp_for_output(image, metadata.KEEP) is None
        for level in (metadata.KEEP, metadata.ALL):
            exif, xmp = metadata.exif_for_output(image, level), metadata.xmp_for_output(image, level)
            recipe = _RECIPES[len(data) % len(_RECIPES)]
            frame = _PIXEL if recipe.format != "jpeg" else _PIXEL[..., :3]
            with contextlib.suppress(PictureError):
                encode.encode([frame], recipe, encode.Extras(None, exif, xmp, dpi=dpi))


def fuzz_profiles(data: bytes) -> None:
    """Every use of a profile: nothing."""
    usable = profiles.is_usable(data)
    if usable and data[16:20] == b"RGB ":
        nameless = profiles.without_names(data)
        assert len(nameless) < len(data) + 1000
        assert profiles.is_usable(nameless)
    profiles.is_srgb(data)
    for mode in ("RGB", "L", "CMYK"):
        rgb, _alpha, kept = pixels.to_rgb(Image.new(mode, (2, 2)), data)
        assert rgb.mode == "RGB"
        assert kept is None or (usable and kept == data)
    compose.convert_profile(Image.new("RGB", (2, 2)), data, None)
    compose.convert_profile(Image.new("RGB", (2, 2)), None, data)
    if len(data) >= 72:
        gamma, *chromaticities = struct.unpack_from("9d", data)
        profiles.from_png(gamma, tuple(chromaticities))
        profiles.from_cicp(data[0], data[1])
