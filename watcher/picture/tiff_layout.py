"""Read from a TIFF's tags how its samples are stored: numbers, types, planes and blocks.

Source of tags and values: TIFF revision 6.0; the compressions after 32773 are registered with libtiff.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from PIL import TiffImagePlugin

Tags = TiffImagePlugin.ImageFileDirectory_v2


class Tag(IntEnum):
    """The tags that nobg reads or writes."""

    WIDTH = 256
    HEIGHT = 257
    BITS_PER_SAMPLE = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES_PER_PIXEL = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTE_COUNTS = 279
    PLANAR_CONFIGURATION = 284
    PREDICTOR = 317
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_BYTE_COUNTS = 325
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_INTERCHANGE_FORMAT = 513
    JPEG_INTERCHANGE_FORMAT_LENGTH = 514
    JPEG_RESTART_INTERVAL = 515
    JPEG_QUANTIZATION_TABLES = 519
    JPEG_DC_TABLES = 520
    JPEG_AC_TABLES = 521
    YCBCR_SUBSAMPLING = 530
    XMP = 700
    ICC_PROFILE = 34675


UNCOMPRESSED, OLD_STYLE_JPEG, PACKBITS, WEBP_COMPRESSION = 1, 6, 32773, 50001
_BYTE_COMPRESSIONS = (UNCOMPRESSED, 5, 8, PACKBITS, 32946, 34925, 50000)
"""Compressions of bytes, whatever the bytes mean: none, LZW, Deflate, PackBits, old Deflate, LZMA, Zstandard."""

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 5, 6, 8, 9
"""Photometric interpretations, the meaning of the colour samples."""
_COLOUR_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4, CIELAB: 3, ICCLAB: 3}

HORIZONTAL_PREDICTOR, FLOATING_POINT_PREDICTOR = 2, 3
"""Values of Predictor: TIFF 6.0, section 14; Adobe Photoshop TIFF Technical Note 3."""

_PREMULTIPLIED_ALPHA, _STRAIGHT_ALPHA = 1, 2  # ExtraSamples
_SEPARATE_PLANES = 2  # PlanarConfiguration
_UNSIGNED, _SIGNED = 1, 2  # SampleFormat
_DTYPE_KINDS = {_UNSIGNED: "u", _SIGNED: "i", 3: "f"}  # SampleFormat -> numpy's letter
_MAX_SAMPLES_PER_PIXEL = 32
DAMAGE_ERRORS = (ValueError, KeyError, TypeError, IndexError, OverflowError)
"""What tags raise whose values are missing or not what their tag means: text, nothing, infinity."""


@dataclass(frozen=True)
class SampleLayout:
    """How the samples of a page are stored. parse_layout() has checked the values.

    `width`, `height`: of the stored picture, in pixels. `colour_channels`: 1, 3 or 4; these are the first samples of a
    pixel. `dtype`: of a sample, with the file's byte order. `packed_bits`: 0, or the 9 to 15 bits that a sample has in
    the file, without gaps; decoded, it has 16, and `dtype` says so. `photometric`: one of the constants above.
    `alpha_index`: the sample that is the alpha, or None. `premultiplied`: whether the colours are multiplied by the
    alpha. `plane_count`: 1, or `samples_per_pixel` if each sample has its own plane. `block_width`, `block_height`: of
    a tile or strip, in pixels. `blocks`: offset and length of each in the file, row by row, plane by plane.
    """

    width: int
    height: int
    colour_channels: int
    samples_per_pixel: int
    dtype: np.dtype[np.generic]
    packed_bits: int
    photometric: int
    alpha_index: int | None
    premultiplied: bool
    compression: int
    predictor: int
    plane_count: int
    block_width: int
    block_height: int
    tiled: bool
    blocks: tuple[tuple[int, int], ...]

    @property
    def blocks_across(self) -> int:
        """The number of blocks side by side."""
        return math.ceil(self.width / self.block_width)

    @property
    def blocks_down(self) -> int:
        """The number of blocks one below the other."""
        return math.ceil(self.height / self.block_height)

    @property
    def blocks_per_plane(self) -> int:
        """The number of blocks in each plane."""
        return self.blocks_across * self.blocks_down

    @property
    def samples_per_plane(self) -> int:
        """The number of samples that a pixel has in each plane."""
        return self.samples_per_pixel // self.plane_count

    @property
    def block_row_bytes(self) -> int:
        """The length of one row of a block, in bytes."""
        return math.ceil(self.block_width * self.samples_per_plane * (self.packed_bits or 8 * self.dtype.itemsize) / 8)


def parse_layout(tags: Tags) -> SampleLayout:
    """Return the layout that the tags describe.

    Raises one of DAMAGE_ERRORS if the tags contradict each other or name a layout that nobg cannot read.
    """
    width, height = int(tags[Tag.WIDTH]), int(tags[Tag.HEIGHT])
    samples = int(tags.get(Tag.SAMPLES_PER_PIXEL, 1))
    depths = set(_integers(tags, Tag.BITS_PER_SAMPLE, (1,)))
    formats = set(_integers(tags, Tag.SAMPLE_FORMAT, (1,)))
    photometric, compression = int(tags[Tag.PHOTOMETRIC]), int(tags.get(Tag.COMPRESSION, UNCOMPRESSED))
    colours = _COLOUR_CHANNELS[photometric]
    if (
        len(depths) != 1
        or len(formats) != 1
        or compression not in _BYTE_COMPRESSIONS
        or not colours <= samples <= _MAX_SAMPLES_PER_PIXEL
    ):
        raise ValueError("a layout of samples that nobg cannot read")
    alpha_index, premultiplied = _find_alpha(_integers(tags, Tag.EXTRA_SAMPLES), colours, samples)
    (depth,), (sample_format,) = depths, formats
    packed_bits = depth if 8 < depth < 16 and sample_format == _UNSIGNED else 0
    tiled = Tag.TILE_OFFSETS in tags
    block_width, block_height = _block_size(tags, width, height, tiled=tiled)
    layout = SampleLayout(
        width=width,
        height=height,
        colour_channels=colours,
        samples_per_pixel=samples,
        dtype=np.dtype(np.uint16) if packed_bits else _sample_dtype(tags.prefix, sample_format, depth),
        packed_bits=packed_bits,
        photometric=photometric,
        alpha_index=alpha_index,
        premultiplied=premultiplied,
        compression=compression,
        predictor=int(tags.get(Tag.PREDICTOR, 1)) if compression not in (UNCOMPRESSED, PACKBITS) else 1,
        plane_count=samples if int(tags.get(Tag.PLANAR_CONFIGURATION, 1)) == _SEPARATE_PLANES else 1,
        block_width=block_width,
        block_height=block_height,
        tiled=tiled,
        blocks=_block_positions(tags, tiled=tiled),
    )
    if packed_bits and (layout.predictor != 1 or tags.get(Tag.FILL_ORDER, 1) != 1):
        raise ValueError("bits in an order that nobg cannot read")
    _check_blocks(layout)
    return layout


def layout_or_none(tags: Tags) -> SampleLayout | None:
    """Return what parse_layout() returns, or None if it raises."""
    try:
        return parse_layout(tags)
    except DAMAGE_ERRORS:
        return None


def min_bits_per_sample(tags: Tags) -> int:
    """Return the lowest depth of the samples in bits; 1 if the tag is missing or damaged."""
    try:
        return min(_integers(tags, Tag.BITS_PER_SAMPLE, (1,)), default=1)
    except DAMAGE_ERRORS:
        return 1


def has_signed_samples(tags: Tags) -> bool:
    """Return whether the samples are signed integers; those of CIELab are, and are no brightness."""
    try:
        return _SIGNED in _integers(tags, Tag.SAMPLE_FORMAT, (1,)) and tags.get(Tag.PHOTOMETRIC) != CIELAB
    except DAMAGE_ERRORS:
        return False


def has_separate_planes(tags: Tags) -> bool:
    """Return whether each sample of a pixel has its own plane."""
    return tags.get(Tag.PLANAR_CONFIGURATION) == _SEPARATE_PLANES and tags.get(Tag.SAMPLES_PER_PIXEL, 1) != 1


def old_style_jpeg_span(tags: Tags) -> tuple[int, int]:
    """Return where the JPEG of an old-style JPEG page starts and should end in the file (TIFF 6.0, section 22).

    The JPEG may hold the whole picture, or its header only, which the strips then follow. Files without the tag may
    have the JPEG as their only strip. Raises one of DAMAGE_ERRORS if the tags are damaged.
    """
    offsets, lengths = (_integers(tags, tag, (0,)) for tag in (Tag.STRIP_OFFSETS, Tag.STRIP_BYTE_COUNTS))
    (start, *_), (length, *_) = (
        _integers(tags, tag, (0,)) for tag in (Tag.JPEG_INTERCHANGE_FORMAT, Tag.JPEG_INTERCHANGE_FORMAT_LENGTH)
    )
    start = start or offsets[0]
    return start, max(start + length, offsets[-1] + lengths[-1])


@dataclass(frozen=True)
class JpegParts:
    """An old-style JPEG page without JPEG headers (TIFF 6.0, section 22).

    `tables`: per component the offsets of its tables of quantization, DC and AC. `subsampling`: of the first component,
    across and down. `restart_interval`: in MCUs; 0: none. `strips`: offset and length of each in the file.
    """

    size: tuple[int, int]
    tables: tuple[tuple[int, int, int], ...]
    subsampling: tuple[int, int]
    rows_per_strip: int
    restart_interval: int
    strips: tuple[tuple[int, int], ...]


def old_style_jpeg_parts(tags: Tags) -> JpegParts:
    """Return the parts of a page that has its tables in tags. Raises one of DAMAGE_ERRORS."""
    kinds = (Tag.JPEG_QUANTIZATION_TABLES, Tag.JPEG_DC_TABLES, Tag.JPEG_AC_TABLES)
    tables = tuple(zip(*(_integers(tags, kind) for kind in kinds), strict=True))
    if len(tables) != tags.get(Tag.SAMPLES_PER_PIXEL, 1) or len(tables) not in (1, 3):
        raise ValueError("not as many tables as samples")
    has_chroma = tags[Tag.PHOTOMETRIC] == YCBCR
    across, down = _integers(tags, Tag.YCBCR_SUBSAMPLING, (2, 2)) if has_chroma else (1, 1)
    (restart_interval, *_) = _integers(tags, Tag.JPEG_RESTART_INTERVAL, (0,))
    height = int(tags[Tag.HEIGHT])
    return JpegParts(
        size=(int(tags[Tag.WIDTH]), height),
        tables=tables,
        subsampling=(across, down),
        rows_per_strip=min(int(tags.get(Tag.ROWS_PER_STRIP, height)), height),
        restart_interval=restart_interval,
        strips=_block_positions(tags, tiled=False),
    )


def _integers(tags: Tags, tag: Tag, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The values of a tag. Pillow gives a single value without a tuple."""
    values = tags.get(tag, default)
    return tuple(int(value) for value in values) if isinstance(values, tuple) else (int(values),)


def _find_alpha(extra_samples: tuple[int, ...], colours: int, samples: int) -> tuple[int | None, bool]:
    """The index of the alpha among the samples, or None; whether the colours are premultiplied."""
    for number, kind in enumerate(extra_samples):
        if kind in (_PREMULTIPLIED_ALPHA, _STRAIGHT_ALPHA):
            index = colours + number
            return index if index < samples else None, kind == _PREMULTIPLIED_ALPHA
    return None, False


def _block_size(tags: Tags, width: int, height: int, *, tiled: bool) -> tuple[int, int]:
    """Width and height of a tile or strip, in pixels."""
    if tiled:
        return int(tags[Tag.TILE_WIDTH]), int(tags[Tag.TILE_HEIGHT])
    return width, min(int(tags.get(Tag.ROWS_PER_STRIP, height)), height)


def _block_positions(tags: Tags, *, tiled: bool) -> tuple[tuple[int, int], ...]:
    """Offset and length of each block in the file, in bytes."""
    offsets = _integers(tags, Tag.TILE_OFFSETS if tiled else Tag.STRIP_OFFSETS)
    lengths = _integers(tags, Tag.TILE_BYTE_COUNTS if tiled else Tag.STRIP_BYTE_COUNTS)
    return tuple(zip(offsets, lengths, strict=True))


def _sample_dtype(prefix: bytes, sample_format: int, bits: int) -> np.dtype[np.generic]:
    """The type of a sample, in the byte order that the file's first two bytes name."""
    kind = _DTYPE_KINDS[sample_format]
    if bits not in ((16, 32, 64) if kind == "f" else (8, 16, 32)):
        raise ValueError(f"{bits} bits a sample")
    return np.dtype(f"{'<' if prefix == b'II' else '>'}{kind}{bits // 8}")


def _check_blocks(layout: SampleLayout) -> None:
    """Raise ValueError if the blocks are not those that a picture of this size has."""
    if (
        min(layout.width, layout.height, layout.block_width, layout.block_height) < 1
        or len(layout.blocks) != layout.blocks_per_plane * layout.plane_count
    ):
        raise ValueError("not as many blocks as the picture has")
    if layout.block_width * layout.block_height > 4 * (layout.width * layout.height + (1 << 20)):
        raise ValueError("blocks much larger than the picture")
