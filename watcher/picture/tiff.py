"""Decode TIFF for Pillow, with the sample layouts that Pillow refuses or cuts to eight bits.

Pillow takes the high bytes only of 16-bit colour, mixes up 16-bit planes, and cannot read 16-bit Lab, 16-bit grey with
alpha, floating-point colour, or planes with an alpha or further channels. For these layouts libtiff only undoes the
compression: it gets the file's blocks under tags that declare every byte a grey pixel. This module then interprets the
bytes (TIFF revision 6.0; Adobe Photoshop TIFF Technical Note 3 for the floating-point predictor). Old-style JPEG, which
scanners wrote, is taken out of the file and decoded as the JPEG that it is.
"""

from __future__ import annotations

import io
import itertools
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, TiffImagePlugin

from watcher.picture import jpeg, profiles
from watcher.picture.pixels import to_eight_bits
from watcher.picture.tiff_layout import (
    BLACK_IS_ZERO,
    CIELAB,
    DAMAGE_ERRORS,
    FLOATING_POINT_PREDICTOR,
    HORIZONTAL_PREDICTOR,
    ICCLAB,
    OLD_STYLE_JPEG,
    RGB,
    UNCOMPRESSED,
    WEBP_COMPRESSION,
    WHITE_IS_ZERO,
    SampleLayout,
    Tag,
    Tags,
    has_separate_planes,
    has_signed_samples,
    layout_or_none,
    min_bits_per_sample,
    old_style_jpeg_parts,
    old_style_jpeg_span,
)

ByteArray = NDArray[np.uint8]
SampleArray = NDArray[np.generic]

_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
"""Number of colour channels -> Pillow's mode; Lab is an exception."""
_TRANSPOSING_ORIENTATIONS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_BAND_BYTES = 32 << 20  # bytes decompressed at a time
_BAND_ROWS = 128  # rows converted at a time: a file may be a single block
_LONG = 4  # TIFF's type of an unsigned 32-bit value


class TiffImage(TiffImagePlugin.TiffImageFile):
    """Pillow's TIFF image, decoded by nobg if the samples have more than eight bits or Pillow refuses the layout.

    `separate_alpha`: after load(), the alpha that no mode of Pillow can hold (of CMYK and Lab), mode L, or None.
    """

    _layout: SampleLayout | None = None
    _old_style_jpeg: bytes = b""
    separate_alpha: Image.Image | None = None

    def _setup(self) -> None:
        self._old_style_jpeg, self._layout = b"", None
        if self.tag_v2.get(Tag.COMPRESSION) == OLD_STYLE_JPEG and self._find_old_style_jpeg():
            return
        tags = self.tag_v2
        if min_bits_per_sample(tags) > 8 or has_separate_planes(tags) or has_signed_samples(tags):
            self._layout = layout_or_none(tags)
        if self._layout is None:
            try:
                super()._setup()
            except (SyntaxError, KeyError, IndexError) as error:
                self._layout = layout_or_none(self.tag_v2)
                if self._layout is None:
                    raise SyntaxError("an unknown layout") from error
            if self.tag_v2.get(Tag.COMPRESSION) == WEBP_COMPRESSION:
                raise SyntaxError("Pillow's libtiff has no WebP")
        if self._layout is not None:
            self._apply_layout(self._layout)

    def _apply_layout(self, layout: SampleLayout) -> None:
        """Set what Pillow's _setup() would set."""
        mode = "LAB" if layout.photometric in (CIELAB, ICCLAB) else _MODES[layout.colour_channels]
        self._apply_size_and_mode((layout.width, layout.height), mode)

    def _apply_size_and_mode(self, size: tuple[int, int], mode: str) -> None:
        is_transposed = self.tag_v2.get(Tag.ORIENTATION) in _TRANSPOSING_ORIENTATIONS
        self._tile_size = size
        self._size = (size[1], size[0]) if is_transposed else size
        self._mode = mode
        self.tile = []
        if Tag.ICC_PROFILE in self.tag_v2:
            self.info["icc_profile"] = self.tag_v2[Tag.ICC_PROFILE]

    def _find_old_style_jpeg(self) -> bool:
        """Whether the page is a JPEG of the size that the tags declare."""
        for find in (_old_style_jpeg, _jpeg_from_tables):
            try:
                data = find(self._file_bytes(), self.tag_v2)
                with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
                    size, mode = image.size, image.mode
            except (OSError, *DAMAGE_ERRORS):
                continue
            if size == (self.tag_v2.get(Tag.WIDTH), self.tag_v2.get(Tag.HEIGHT)):
                self._old_style_jpeg = data
                self._apply_size_and_mode(size, mode)
                return True
        return False

    def _file_bytes(self) -> bytes:
        assert self._fp is not None
        self._fp.seek(0)
        return self._fp.read()

    def load(self) -> Any:
        """Decode the page. If nobg decodes it, the orientation is not applied."""
        if self._old_style_jpeg:
            data, self._old_style_jpeg = self._old_style_jpeg, b""
            with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
                image.load()
            is_negative = image.mode == "L" and self.tag_v2.get(Tag.PHOTOMETRIC) == WHITE_IS_ZERO
            self.im, self._size = (ImageChops.invert(image) if is_negative else image).im, image.size
            return Image.Image.load(self)
        if self._layout is None:
            return super().load()
        layout, self._layout = self._layout, None
        decoded, self.separate_alpha = _decode_page(self._file_bytes(), layout)
        self.im, self._mode, self._size = decoded.im, decoded.mode, decoded.size
        return Image.Image.load(self)

    def load_end(self) -> None:
        """Make the picture upright by its tag. Pillow would also turn it by its XMP, which browsers do not read."""
        xmp = self.info.pop("xmp", None)
        super().load_end()
        if xmp is not None:
            self.info["xmp"] = xmp


def register() -> None:
    """Replace Pillow's own TIFF plugin."""
    Image.register_open("TIFF", TiffImage, Image.OPEN["TIFF"][1])


def _old_style_jpeg(data: bytes, tags: Tags) -> bytes:
    """The JPEG of an old-style JPEG page, ended if it has no end marker."""
    start, end = old_style_jpeg_span(tags)
    return jpeg.with_end(data[start:end])


def _jpeg_from_tables(data: bytes, tags: Tags) -> bytes:
    """The JPEG of an old-style JPEG page whose tables are in tags; each strip starts anew, as after a restart."""
    parts = old_style_jpeg_parts(tags)
    scans = [data[offset : offset + length] for offset, length in parts.strips]
    interval, (across, down) = parts.restart_interval, parts.subsampling
    if len(scans) > 1:
        if interval or parts.rows_per_strip % (8 * down):
            raise ValueError("restarts within strips")
        interval = math.ceil(parts.size[0] / (8 * across)) * parts.rows_per_strip // (8 * down)

    def huffman_table(offset: int) -> bytes:
        return data[offset : offset + 16 + sum(data[offset : offset + 16])]

    tables = [(data[q : q + 64], huffman_table(dc), huffman_table(ac)) for q, dc, ac in parts.tables]
    samplings = [(across, down), *[(1, 1)] * (len(tables) - 1)]
    return jpeg.from_tables(parts.size, samplings, tables, scans, interval)


def _decode_page(data: bytes, layout: SampleLayout) -> tuple[Image.Image, Image.Image | None]:
    """The picture at eight bits in a mode of Pillow, and the alpha if that mode has no place for it."""
    pixels = np.empty((layout.height, layout.width, layout.colour_channels), np.uint8)
    alpha = None if layout.alpha_index is None else np.empty((layout.height, layout.width), np.uint8)
    layout, transform = _full_depth_transform(layout)
    for plane in range(layout.plane_count):
        for top, stored in _bands(data, layout, plane):
            samples = transform(stored)
            rows = slice(top, top + len(samples))
            for number in range(layout.samples_per_plane):
                index = plane + number
                if index < layout.colour_channels:
                    pixels[rows, :, index] = _channel_to_eight_bits(samples[..., number], layout, index)
                elif alpha is not None and index == layout.alpha_index:
                    alpha[rows] = to_eight_bits(samples[..., number])
    return _to_pillow_image(pixels, alpha, layout)


def _full_depth_transform(layout: SampleLayout) -> tuple[SampleLayout, Callable[[SampleArray], SampleArray]]:
    """The conversion that needs all bits of the samples, and the layout that describes its result.

    Separate planes and 8-bit samples pass unchanged; pixels.to_rgb() converts them at eight bits.
    """
    if layout.plane_count > 1 or layout.dtype.itemsize == 1:
        return layout, lambda samples: samples
    if layout.photometric in (CIELAB, ICCLAB):
        return replace(layout, photometric=RGB), lambda samples: _lab_to_srgb(samples, layout)
    if layout.premultiplied and layout.alpha_index is not None:
        return replace(layout, premultiplied=False), lambda samples: _unpremultiply(samples, layout)
    return layout, lambda samples: samples


def _lab_to_srgb(samples: SampleArray, layout: SampleLayout) -> SampleArray:
    """Lab samples (rows, width, samples a pixel), 16-bit or float -> sRGB and the other samples, float32, 0..1.

    Encodings: TIFF 6.0, section 23 (CIELab: a*, b* signed); ICC version 2 (ICCLab).
    """
    result = samples.astype(np.float32)
    if layout.dtype.kind != "f":
        if layout.photometric == CIELAB:
            result[..., 0] = samples[..., 0].view(layout.dtype.str.replace("i", "u"))
            result[..., 1:3] = samples[..., 1:3].view(layout.dtype.str.replace("u", "i"))
            result[..., :3] *= (100 / 65535, 1 / 256, 1 / 256)
        else:
            result[..., :3] = (result[..., :3] - (0, 0x8000, 0x8000)) * (100 / 0xFF00, 1 / 256, 1 / 256)
        result[..., 3:] /= 65535
    result[..., :3] = profiles.lab_to_srgb(result[..., :3])
    return result


def _unpremultiply(samples: SampleArray, layout: SampleLayout) -> SampleArray:
    """The samples (rows, width, samples a pixel) as float32, 0..1, the colours divided by the alpha."""
    maximum = 1.0 if layout.dtype.kind == "f" else float(np.iinfo(layout.dtype.str).max)
    straight = samples.astype(np.float32) / np.float32(maximum)
    alpha = straight[..., layout.alpha_index][..., None]
    straight[..., : layout.colour_channels] /= np.where(alpha > 0, alpha, 1)
    return straight


def _to_pillow_image(
    pixels: ByteArray, alpha: ByteArray | None, layout: SampleLayout
) -> tuple[Image.Image, Image.Image | None]:
    """Pixels (H, W, C) as a picture, and the alpha (H, W) if the picture's mode has no place for it."""
    if layout.colour_channels == 1 or (layout.colour_channels == 3 and layout.photometric == RGB):
        mode = _MODES[layout.colour_channels]
        if alpha is None:
            return Image.fromarray(pixels[..., 0] if mode == "L" else pixels), None
        mode += "a" if layout.premultiplied else "A"
        return Image.frombytes(mode, (layout.width, layout.height), np.dstack([pixels, alpha]).tobytes()), None
    mode = "CMYK" if layout.colour_channels == 4 else "LAB"
    image = Image.merge(mode, [Image.fromarray(pixels[..., channel]) for channel in range(layout.colour_channels)])
    return image, None if alpha is None else Image.fromarray(alpha)


def _channel_to_eight_bits(samples: SampleArray, layout: SampleLayout, channel: int) -> ByteArray:
    """One colour channel at eight bits, encoded as Pillow's mode expects."""
    if layout.photometric == CIELAB:  # TIFF 6.0, section 23: only a* and b* are signed, whatever SampleFormat says
        if channel > 0:
            return _signed_to_offset(samples.view(samples.dtype.str.replace("u", "i")))
        samples = samples.view(samples.dtype.str.replace("i", "u"))
    if layout.photometric == ICCLAB and samples.dtype.itemsize == 2:  # ICC version 2: L 100 is 0xFF00, neutral 0x8000
        return _signed_to_offset((samples.astype(np.int32) - 0x8000).astype(np.int16))
    result = to_eight_bits(samples)
    return 255 - result if layout.photometric == WHITE_IS_ZERO else result


def _signed_to_offset(values: SampleArray) -> ByteArray:
    """Lab's a* and b*, -128..127 in the upper eight bits -> 0..255, where 128 is neutral."""
    wide = values.astype(np.int32)
    if values.dtype.itemsize == 2:
        wide = (wide + 128) >> 8
    return np.clip(wide + 128, 0, 255).astype(np.uint8)


def _bands(data: bytes, layout: SampleLayout, plane: int) -> Iterator[tuple[int, SampleArray]]:
    """Yield one plane from the top down: the number of the first row, and samples (rows, width, samples a pixel)."""
    blocks = layout.blocks[plane * layout.blocks_per_plane :][: layout.blocks_per_plane]
    bytes_per_block_row = layout.block_row_bytes * layout.blocks_across * layout.block_height
    step = max(1, _BAND_BYTES // bytes_per_block_row)
    for first in range(0, layout.blocks_down, step):
        band_blocks = blocks[first * layout.blocks_across : (first + step) * layout.blocks_across]
        top = first * layout.block_height
        rows = len(band_blocks) // layout.blocks_across * layout.block_height
        if not layout.tiled:
            rows = min(rows, layout.height - top)
        band = _samples_from_bytes(_decompress_blocks(data, layout, band_blocks, rows), layout)
        samples = band[: layout.height - top, : layout.width]
        for row in range(0, len(samples), _BAND_ROWS):
            yield top + row, samples[row : row + _BAND_ROWS]


def _samples_from_bytes(raw: ByteArray, layout: SampleLayout) -> SampleArray:
    """Bytes (rows, bytes of a row) -> samples (rows, at least width, samples a pixel), with the predictor undone."""
    rows, samples, size = len(raw), layout.samples_per_plane, layout.dtype.itemsize
    if layout.predictor == FLOATING_POINT_PREDICTOR:  # bytes of a row by significance, the most significant first
        sums = np.cumsum(raw.reshape(rows, layout.blocks_across, -1, samples), axis=2, dtype=np.uint8)
        byte_planes = sums.reshape(rows, layout.blocks_across, size, layout.block_width * samples)
        floats = np.ascontiguousarray(byte_planes.swapaxes(2, 3)).view(f">f{size}")
        return floats.reshape(rows, -1, samples)
    if layout.packed_bits:
        return _unpack_samples(raw, layout)
    values = raw.view(layout.dtype)
    if layout.predictor == HORIZONTAL_PREDICTOR:
        unsigned = np.dtype(f"u{size}")
        differences = values.view(layout.dtype.str.replace(layout.dtype.kind, "u")).astype(unsigned)
        blocks = differences.reshape(rows, layout.blocks_across, layout.block_width, samples)
        values = np.cumsum(blocks, axis=2, dtype=unsigned).view(layout.dtype.newbyteorder("="))
    return values.reshape(rows, -1, samples)


def _unpack_samples(raw: ByteArray, layout: SampleLayout) -> SampleArray:
    """Samples of 9 to 15 bits, of which each row of a block starts with a byte, as 16 bits."""
    bits, count = layout.packed_bits, layout.block_width * layout.samples_per_plane
    result = np.empty((len(raw), layout.blocks_across, count), np.uint16)
    for row in range(0, len(raw), _BAND_ROWS):
        bytes_ = raw[row : row + _BAND_ROWS].reshape(-1, layout.blocks_across, layout.block_row_bytes)
        unpacked = np.unpackbits(bytes_, axis=2)[..., : count * bits].reshape(*bytes_.shape[:2], count, bits)
        values = np.packbits(unpacked, axis=3).view(">u2")[..., 0] >> (16 - bits)
        result[row : row + _BAND_ROWS] = values.astype(np.uint32) * 0xFFFF // ((1 << bits) - 1)
    return result.reshape(len(raw), -1, layout.samples_per_plane)


def _decompress_blocks(data: bytes, layout: SampleLayout, blocks: tuple[tuple[int, int], ...], rows: int) -> ByteArray:
    """The bytes of the blocks without compression, (rows, bytes of a row). Raises EOFError if the file is cut off."""
    pieces = [data[offset : offset + length] for offset, length in blocks]
    if any(len(piece) < length for piece, (_, length) in zip(pieces, blocks, strict=True)):
        raise EOFError("truncated: blocks beyond the end")
    if layout.compression == UNCOMPRESSED:
        raw = np.frombuffer(b"".join(pieces), np.uint8)
        if not layout.tiled:
            return raw[: rows * layout.block_row_bytes].reshape(rows, layout.block_row_bytes)
        tiles = raw.reshape(-1, layout.blocks_across, layout.block_height, layout.block_row_bytes)
        return tiles.swapaxes(1, 2).reshape(rows, -1)
    with _UncheckedTiffImage(io.BytesIO(_wrap_as_grey_tiff(pieces, layout, rows))) as image:
        image.load()
        return np.asarray(image)


class _UncheckedTiffImage(TiffImagePlugin.TiffImageFile):
    """A TIFF without Pillow's limit of pixels: here each byte is one. The picture's own size is already checked."""

    def load_prepare(self) -> None:
        self.im = Image.new(self.mode, self.size).im


def _wrap_as_grey_tiff(pieces: list[bytes], layout: SampleLayout, rows: int) -> bytes:
    """A TIFF of these blocks in which each byte is a grey pixel (TIFF 6.0, section 2: header, directory, values)."""
    lengths = [len(piece) for piece in pieces]
    offsets = list(itertools.accumulate(lengths[:-1], initial=8))
    if layout.tiled:
        block_tags = {
            Tag.TILE_WIDTH: [layout.block_row_bytes],
            Tag.TILE_HEIGHT: [layout.block_height],
            Tag.TILE_OFFSETS: offsets,
            Tag.TILE_BYTE_COUNTS: lengths,
        }
    else:
        block_tags = {
            Tag.STRIP_OFFSETS: offsets,
            Tag.ROWS_PER_STRIP: [layout.block_height],
            Tag.STRIP_BYTE_COUNTS: lengths,
        }
    tags = {
        Tag.WIDTH: [layout.block_row_bytes * layout.blocks_across],
        Tag.HEIGHT: [rows],
        Tag.BITS_PER_SAMPLE: [8],
        Tag.COMPRESSION: [layout.compression],
        Tag.PHOTOMETRIC: [BLACK_IS_ZERO],
        Tag.SAMPLES_PER_PIXEL: [1],
        Tag.PLANAR_CONFIGURATION: [1],
        **block_tags,
    }
    body = b"".join(pieces)
    body += b"\0" * (len(body) % 2)
    values_offset = 8 + len(body) + 2 + 12 * len(tags) + 4
    directory, values = struct.pack("<H", len(tags)), b""
    for tag in sorted(tags):
        packed = struct.pack(f"<{len(tags[tag])}I", *tags[tag])
        if len(packed) == 4:  # a single value is stored in the directory itself
            field = packed
        else:
            field = struct.pack("<I", values_offset + len(values))
            values += packed
        directory += struct.pack("<HHI", tag, _LONG, len(tags[tag])) + field
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + directory + b"\0\0\0\0" + values
