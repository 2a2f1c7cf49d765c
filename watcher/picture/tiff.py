"""TIFF for Pillow, with the sample layouts that Pillow refuses or cuts to eight bits.

Pillow takes 16-bit colour's high bytes only, mixes up planes of 16 bits, and knows neither 16-bit Lab, nor grey with
alpha at 16 bits, nor colour in floating point. Here libtiff only undoes the compression: the file's blocks go to it
under tags that call every byte a grey pixel; what the bytes mean is read here (TIFF revision 6.0; Adobe Photoshop TIFF
Technical Note 3 for the floating point predictor).
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from watcher.picture import profiles

ByteArray = NDArray[np.uint8]

_WIDTH, _HEIGHT, _BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES_PER_PIXEL, _ROWS_PER_STRIP, _STRIP_BYTE_COUNTS, _PLANAR_CONFIGURATION, _PREDICTOR = (
    273,
    277,
    278,
    279,
    284,
    317,
)
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTE_COUNTS, _EXTRA_SAMPLES, _SAMPLE_FORMAT, _ICC_PROFILE = (
    322,
    323,
    324,
    325,
    338,
    339,
    34675,
)

_BYTE_COMPRESSIONS = (1, 5, 8, 32773, 32946, 34925, 50000)
"""Compressions that pack bytes, whatever they mean: none, LZW, Deflate, PackBits, Deflate, LZMA, Zstandard."""
_WEBP_COMPRESSION = 50001
_COLOUR_CHANNELS = {0: 1, 1: 1, 2: 3, 5: 4, 8: 3, 9: 3}
"""Photometric interpretation (white or black is zero, RGB, CMYK, CIELab, ICCLab) -> its number of colours."""
_WHITE_IS_ZERO, _RGB, _CIELAB, _ICCLAB = 0, 2, 8, 9
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_DTYPE_KINDS = {1: "u", 2: "i", 3: "f"}  # SampleFormat -> numpy's letter
_BAND_BYTES = 32 << 20  # bytes unpacked at a time
_BAND_ROWS = 128  # converted at a time: a file may be one block


@dataclass(frozen=True)
class SampleLayout:
    """What the tags say of the samples, checked."""

    width: int
    height: int
    colour_channels: int
    samples_per_pixel: int
    dtype: np.dtype[np.generic]
    photometric: int
    alpha_index: int | None
    """Which sample is the alpha."""
    premultiplied: bool
    compression: int
    predictor: int
    plane_count: int
    block_width: int
    block_height: int
    tiled: bool
    blocks: tuple[tuple[int, int], ...]
    """Offset and length in the file, row by row, plane by plane."""

    @property
    def blocks_across(self) -> int:
        """Blocks side by side."""
        return math.ceil(self.width / self.block_width)

    @property
    def blocks_down(self) -> int:
        """Blocks one below the other."""
        return math.ceil(self.height / self.block_height)

    @property
    def samples_per_plane(self) -> int:
        """Samples of a pixel in each plane."""
        return self.samples_per_pixel // self.plane_count

    @property
    def block_row_bytes(self) -> int:
        """Bytes of a block's row."""
        return self.block_width * self.samples_per_plane * self.dtype.itemsize


class TiffImage(TiffImagePlugin.TiffImageFile):
    """Decodes itself where the samples have more than eight bits or Pillow does not know the layout.

    `separate_alpha`: after load(), the alpha that no mode of Pillow's can hold (of CMYK and Lab), mode L, or None.
    """

    _layout: SampleLayout | None = None
    separate_alpha: Image.Image | None = None

    def _setup(self) -> None:
        self._layout = _layout_or_none(self.tag_v2) if _min_bits_per_sample(self.tag_v2) > 8 else None
        if self._layout is None:
            try:
                super()._setup()
            except (SyntaxError, KeyError) as error:
                self._layout = _layout_or_none(self.tag_v2)
                if self._layout is None:
                    raise SyntaxError("an unknown layout") from error
            if self.tag_v2.get(_COMPRESSION) == _WEBP_COMPRESSION:
                raise SyntaxError("libtiff was built without it")
        if self._layout is not None:
            self._apply_layout(self._layout)

    def _apply_layout(self, layout: SampleLayout) -> None:
        turned = self.tag_v2.get(0x0112) in (5, 6, 7, 8)
        self._tile_size = (layout.width, layout.height)
        self._size = (layout.height, layout.width) if turned else self._tile_size
        self._mode = "LAB" if layout.photometric in (_CIELAB, _ICCLAB) else _MODES[layout.colour_channels]
        self.tile = []
        if _ICC_PROFILE in self.tag_v2:
            self.info["icc_profile"] = self.tag_v2[_ICC_PROFILE]

    def load(self) -> Any:
        """Decode the page; its orientation is not applied if the layout is ours."""
        if self._layout is None:
            return super().load()
        found, self._layout = self._layout, None
        assert self._fp is not None
        self._fp.seek(0)
        decoded, self.separate_alpha = _decode_picture(self._fp.read(), found)
        self.im, self._mode, self._size = decoded.im, decoded.mode, decoded.size
        return Image.Image.load(self)


def register() -> None:
    """Take the place of Pillow's own plugin."""
    Image.register_open("TIFF", TiffImage, Image.OPEN["TIFF"][1])


def _tag_values(
    tags: TiffImagePlugin.ImageFileDirectory_v2, tag: int, default: tuple[int, ...] = ()
) -> tuple[int, ...]:
    value = tags.get(tag, default)
    return tuple(int(part) for part in value) if isinstance(value, tuple) else (int(value),)


def _min_bits_per_sample(tags: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    try:
        return min(_tag_values(tags, _BITS_PER_SAMPLE, (1,)), default=1)
    except (TypeError, ValueError):
        return 1


def _layout_or_none(tags: TiffImagePlugin.ImageFileDirectory_v2) -> SampleLayout | None:
    try:
        return parse_layout(tags)
    except (TypeError, KeyError, ValueError):
        return None


def parse_layout(tags: TiffImagePlugin.ImageFileDirectory_v2) -> SampleLayout:
    """Raises ValueError, KeyError or TypeError where the tags make no sense or name what we cannot do."""
    width, height = int(tags[_WIDTH]), int(tags[_HEIGHT])
    samples = int(tags.get(_SAMPLES_PER_PIXEL, 1))
    bits, kinds = set(_tag_values(tags, _BITS_PER_SAMPLE, (1,))), set(_tag_values(tags, _SAMPLE_FORMAT, (1,)))
    photometric, compression = int(tags[_PHOTOMETRIC]), int(tags.get(_COMPRESSION, 1))
    colours, extra = _COLOUR_CHANNELS[photometric], _tag_values(tags, _EXTRA_SAMPLES)
    if len(bits) != 1 or len(kinds) != 1 or compression not in _BYTE_COMPRESSIONS or not colours <= samples <= 32:
        raise ValueError("a layout of samples that nobg does not know")
    tiled = _TILE_OFFSETS in tags
    block = (
        (int(tags[_TILE_WIDTH]), int(tags[_TILE_HEIGHT])) if tiled else (width, int(tags.get(_ROWS_PER_STRIP, height)))
    )
    block = (block[0], block[1] if tiled else min(block[1], height))
    alphas = [number for number, kind in enumerate(extra) if kind in (1, 2)]
    found = SampleLayout(
        width=width,
        height=height,
        colour_channels=colours,
        samples_per_pixel=samples,
        dtype=_dtype(tags.prefix, kinds.pop(), bits.pop()),
        photometric=photometric,
        alpha_index=colours + alphas[0] if alphas and colours + alphas[0] < samples else None,
        premultiplied=bool(alphas) and extra[alphas[0]] == 1,
        compression=compression,
        predictor=int(tags.get(_PREDICTOR, 1)) if compression not in (1, 32773) else 1,
        plane_count=samples if int(tags.get(_PLANAR_CONFIGURATION, 1)) == 2 else 1,
        block_width=block[0],
        block_height=block[1],
        tiled=tiled,
        blocks=tuple(
            zip(
                _tag_values(tags, _TILE_OFFSETS if tiled else _STRIP_OFFSETS),
                _tag_values(tags, _TILE_BYTE_COUNTS if tiled else _STRIP_BYTE_COUNTS),
                strict=True,
            )
        ),
    )
    if (
        min(width, height, *block) < 1
        or len(found.blocks) != found.blocks_across * found.blocks_down * found.plane_count
    ):
        raise ValueError("not as many blocks as the picture has")
    if found.block_width * found.block_height > 4 * (width * height + (1 << 20)):
        raise ValueError("blocks much larger than the picture")
    return found


def _dtype(prefix: bytes, sample_format: int, bits: int) -> np.dtype[np.generic]:
    letter = _DTYPE_KINDS[sample_format]
    if bits not in ((16, 32, 64) if letter == "f" else (8, 16, 32)):
        raise ValueError(f"{bits} bits a sample")
    return np.dtype(f"{'<' if prefix == b'II' else '>'}{letter}{bits // 8}")


def _decode_picture(data: bytes, layout: SampleLayout) -> tuple[Image.Image, Image.Image | None]:
    """The picture in a mode of Pillow's at eight bits, and the alpha that the mode has no place for."""
    pixels = np.empty((layout.height, layout.width, layout.colour_channels), np.uint8)
    alpha = None if layout.alpha_index is None else np.empty((layout.height, layout.width), np.uint8)
    layout, transform = _full_depth_transform(layout)
    for plane in range(layout.plane_count):
        for top, stored in _bands(data, layout, plane):
            samples = transform(stored)
            rows = slice(top, top + len(samples))
            for number in range(layout.samples_per_plane):
                sample = plane + number
                if sample < layout.colour_channels:
                    pixels[rows, :, sample] = _channel_to_eight_bits(samples[..., number], layout, sample)
                elif alpha is not None and sample == layout.alpha_index:
                    alpha[rows] = to_eight_bits(samples[..., number])
    return _to_pillow_image(pixels, alpha, layout)


def _full_depth_transform(
    layout: SampleLayout,
) -> tuple[SampleLayout, Callable[[NDArray[np.generic]], NDArray[np.generic]]]:
    """What is better done while all bits are there, and the layout after it."""
    if layout.plane_count > 1 or layout.dtype.itemsize == 1:
        return layout, lambda samples: samples
    if layout.photometric in (_CIELAB, _ICCLAB):
        return replace(layout, photometric=_RGB), lambda samples: _lab_to_srgb(samples, layout)
    if layout.premultiplied and layout.alpha_index is not None:
        return replace(layout, premultiplied=False), lambda samples: _unpremultiply(samples, layout)
    return layout, lambda samples: samples


def _lab_to_srgb(samples: NDArray[np.generic], layout: SampleLayout) -> NDArray[np.generic]:
    """sRGB, 0..1, of Lab in 16 bits (TIFF 6.0, section 23: a*, b* signed; ICCLab: ICC version 2) or in floats."""
    result = samples.astype(np.float32)
    if layout.dtype.kind != "f":
        if layout.photometric == _CIELAB:
            result[..., 1:3] = samples[..., 1:3].view(layout.dtype.str.replace("u", "i"))
            result[..., :3] *= (100 / 65535, 1 / 256, 1 / 256)
        else:
            result[..., :3] = (result[..., :3] - (0, 0x8000, 0x8000)) * (100 / 0xFF00, 1 / 256, 1 / 256)
        result[..., 3:] /= 65535
    result[..., :3] = profiles.lab_to_srgb(result[..., :3])
    return result


def _unpremultiply(samples: NDArray[np.generic], layout: SampleLayout) -> NDArray[np.generic]:
    """Premultiplied colours divided by their alpha, as 0..1, while all bits are there."""
    top = 1.0 if layout.dtype.kind == "f" else float(np.iinfo(layout.dtype.str).max)
    straight = samples.astype(np.float32) / np.float32(top)
    alpha = straight[..., layout.alpha_index][..., None]
    straight[..., : layout.colour_channels] /= np.where(alpha > 0, alpha, 1)
    return straight


def _to_pillow_image(
    pixels: ByteArray, alpha: ByteArray | None, layout: SampleLayout
) -> tuple[Image.Image, Image.Image | None]:
    if layout.colour_channels == 1 or (layout.colour_channels == 3 and layout.photometric == _RGB):
        mode = "L" if layout.colour_channels == 1 else "RGB"
        if alpha is None:
            return Image.fromarray(pixels[..., 0] if mode == "L" else pixels), None
        mode += "a" if layout.premultiplied else "A"
        return Image.frombytes(mode, (layout.width, layout.height), np.dstack([pixels, alpha]).tobytes()), None
    mode = "CMYK" if layout.colour_channels == 4 else "LAB"
    image = Image.new(mode, (layout.width, layout.height))
    image = Image.merge(mode, [Image.fromarray(pixels[..., number]) for number in range(layout.colour_channels)])
    return image, None if alpha is None else Image.fromarray(alpha)


def _channel_to_eight_bits(values: NDArray[np.generic], layout: SampleLayout, channel: int) -> ByteArray:
    """One colour at eight bits, as Pillow's mode has it."""
    if layout.photometric == _CIELAB and channel > 0:  # TIFF 6.0, section 23: signed, whatever SampleFormat says
        signed = values.view(values.dtype.str.replace("u", "i"))
        return _signed_to_offset(signed)
    if (
        layout.photometric == _ICCLAB and values.dtype.itemsize == 2
    ):  # ICC version 2: 0xFF00 is L 100, 0x8000 is neutral
        return _signed_to_offset((values.astype(np.int32) - 0x8000).astype(np.int16))
    result = to_eight_bits(values)
    return 255 - result if layout.photometric == _WHITE_IS_ZERO else result


def _signed_to_offset(values: NDArray[np.generic]) -> ByteArray:
    """a* and b* of Lab: -128..127 in the upper eight bits -> 0..255 with 128 for neutral."""
    wide = values.astype(np.int32)
    if values.dtype.itemsize == 2:
        wide = (wide + 128) >> 8
    return np.clip(wide + 128, 0, 255).astype(np.uint8)


def to_eight_bits(values: NDArray[np.generic]) -> ByteArray:
    """Whole numbers over their whole range, fractions from 0 to 1 -> 0..255, rounded; what is outside is clipped."""
    kind = values.dtype
    if kind.kind == "f":
        wide = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0)
        return (np.clip(wide, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    if kind.itemsize == 1:
        return np.maximum(values, 0).astype(np.uint8) if kind.kind == "i" else values.astype(np.uint8)
    if kind == np.dtype("u2").newbyteorder(kind.byteorder):
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    top = float(np.iinfo(kind.str).max)
    return (np.clip(values.astype(np.float64), 0, top) * (255 / top) + 0.5).astype(np.uint8)


def _bands(data: bytes, layout: SampleLayout, plane: int) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """The rows of one plane from the top down: the number of the first, and samples (rows, width, samples a pixel)."""
    blocks = layout.blocks[plane * layout.blocks_across * layout.blocks_down :][
        : layout.blocks_across * layout.blocks_down
    ]
    at_once = max(1, _BAND_BYTES // (layout.block_row_bytes * layout.blocks_across * layout.block_height))
    for first in range(0, layout.blocks_down, at_once):
        part = blocks[first * layout.blocks_across : (first + at_once) * layout.blocks_across]
        top = first * layout.block_height
        rows = len(part) // layout.blocks_across * layout.block_height
        if not layout.tiled:
            rows = min(rows, layout.height - top)
        samples = _samples_from_bytes(_decompress_blocks(data, layout, part, rows), layout)[
            : layout.height - top, : layout.width
        ]
        for row in range(0, len(samples), _BAND_ROWS):
            yield top + row, samples[row : row + _BAND_ROWS]


def _samples_from_bytes(raw: ByteArray, layout: SampleLayout) -> NDArray[np.generic]:
    """Bytes (rows, bytes of a row) -> samples (rows, at least width, samples a pixel), the predictor undone."""
    rows, each, size = len(raw), layout.samples_per_plane, layout.dtype.itemsize
    if layout.predictor == 3:  # the bytes of a row sorted by significance, the most significant first
        sums = np.cumsum(raw.reshape(rows, layout.blocks_across, -1, each), axis=2, dtype=np.uint8)
        planes = sums.reshape(rows, layout.blocks_across, size, layout.block_width * each)
        floats = np.ascontiguousarray(planes.swapaxes(2, 3)).view(f">f{size}")
        return floats.reshape(rows, -1, each)
    values = raw.view(layout.dtype)
    if layout.predictor == 2:
        whole = np.dtype(f"u{size}")
        blocks = values.view(layout.dtype.str.replace(layout.dtype.kind, "u")).astype(whole)
        sums = np.cumsum(blocks.reshape(rows, layout.blocks_across, layout.block_width, each), axis=2, dtype=whole)
        values = sums.view(layout.dtype.newbyteorder("="))
    return values.reshape(rows, -1, each)


def _decompress_blocks(data: bytes, layout: SampleLayout, blocks: tuple[tuple[int, int], ...], rows: int) -> ByteArray:
    """The blocks' bytes without compression, (rows, bytes of a row)."""
    pieces = [data[offset : offset + length] for offset, length in blocks]
    if any(len(piece) < length for piece, (_, length) in zip(pieces, blocks, strict=True)):
        raise EOFError("truncated: blocks beyond the end")
    if layout.compression == 1:
        raw = np.frombuffer(b"".join(pieces), np.uint8)
        if not layout.tiled:
            return raw[: rows * layout.block_row_bytes].reshape(rows, layout.block_row_bytes)
        return (
            raw.reshape(-1, layout.blocks_across, layout.block_height, layout.block_row_bytes)
            .swapaxes(1, 2)
            .reshape(rows, -1)
        )
    with _UncheckedTiffImage(io.BytesIO(_wrap_as_grey_tiff(pieces, layout, rows))) as image:
        image.load()
        return np.asarray(image)


class _UncheckedTiffImage(TiffImagePlugin.TiffImageFile):
    """Its pixels are bytes: more than a picture may have. The size of the picture itself was checked."""

    def load_prepare(self) -> None:
        self.im = Image.new(self.mode, self.size).im


def _wrap_as_grey_tiff(pieces: list[bytes], layout: SampleLayout, rows: int) -> bytes:
    """A TIFF of these blocks, in which each byte is a grey pixel (section 2: header, directory, values)."""
    sizes = [len(piece) for piece in pieces]
    offsets = [8 + sum(sizes[:number]) for number in range(len(sizes))]
    shape = (
        {
            _TILE_WIDTH: [layout.block_row_bytes],
            _TILE_HEIGHT: [layout.block_height],
            _TILE_OFFSETS: offsets,
            _TILE_BYTE_COUNTS: sizes,
        }
        if layout.tiled
        else {_STRIP_OFFSETS: offsets, _ROWS_PER_STRIP: [layout.block_height], _STRIP_BYTE_COUNTS: sizes}
    )
    tags = {
        _WIDTH: [layout.block_row_bytes * layout.blocks_across],
        _HEIGHT: [rows],
        _BITS_PER_SAMPLE: [8],
        _COMPRESSION: [layout.compression],
    }
    tags |= {_PHOTOMETRIC: [1], _SAMPLES_PER_PIXEL: [1], _PLANAR_CONFIGURATION: [1]} | shape
    body = b"".join(pieces)
    body += b"\0" * (len(body) % 2)
    directory, place = struct.pack("<H", len(tags)), 8 + len(body) + 2 + 12 * len(tags) + 4
    values = b""
    for tag in sorted(tags):
        numbers = struct.pack(f"<{len(tags[tag])}I", *tags[tag])
        field = numbers if len(numbers) == 4 else struct.pack("<I", place + len(values))
        values += b"" if len(numbers) == 4 else numbers
        directory += struct.pack("<HHI", tag, 4, len(tags[tag])) + field
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + directory + b"\0\0\0\0" + values
