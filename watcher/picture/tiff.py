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

Bytes = NDArray[np.uint8]

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _PER_PIXEL, _ROWS, _STRIP_SIZES, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES, _EXTRA, _FORMAT, _ICC = 322, 323, 324, 325, 338, 339, 34675

_OF_BYTES = (1, 5, 8, 32773, 32946, 34925, 50000)
"""Compressions that pack bytes, whatever they mean: none, LZW, Deflate, PackBits, Deflate, LZMA, Zstandard."""
_WEBP = 50001
_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4, 8: 3, 9: 3}
"""Photometric interpretation (white or black is zero, RGB, CMYK, CIELab, ICCLab) -> its number of colours."""
_WHITE_IS_ZERO, _RGB, _CIELAB, _ICCLAB = 0, 2, 8, 9
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_KINDS = {1: "u", 2: "i", 3: "f"}  # SampleFormat -> numpy's letter
_BAND = 32 << 20  # bytes unpacked at a time
_ROWS_AT_ONCE = 128  # converted at a time: a file may be one block


@dataclass(frozen=True)
class Layout:
    """What the tags say of the samples, checked."""

    width: int
    height: int
    colours: int
    samples: int
    kind: np.dtype[np.generic]
    photometric: int
    alpha: int | None
    """Which sample is the alpha."""
    premultiplied: bool
    compression: int
    predictor: int
    planes: int
    block_width: int
    block_height: int
    tiled: bool
    blocks: tuple[tuple[int, int], ...]
    """Offset and length in the file, row by row, plane by plane."""

    @property
    def across(self) -> int:
        """Blocks side by side."""
        return math.ceil(self.width / self.block_width)

    @property
    def down(self) -> int:
        """Blocks one below the other."""
        return math.ceil(self.height / self.block_height)

    @property
    def per_plane(self) -> int:
        """Samples of a pixel in each plane."""
        return self.samples // self.planes

    @property
    def row(self) -> int:
        """Bytes of a block's row."""
        return self.block_width * self.per_plane * self.kind.itemsize


class TiffImage(TiffImagePlugin.TiffImageFile):
    """Decodes itself where the samples have more than eight bits or Pillow does not know the layout.

    `own_alpha`: after load(), the alpha that no mode of Pillow's can hold (of CMYK and Lab), mode L, or None.
    """

    _layout: Layout | None = None
    own_alpha: Image.Image | None = None

    def _setup(self) -> None:
        self._layout = _known(self.tag_v2) if _smallest_depth(self.tag_v2) > 8 else None
        if self._layout is None:
            try:
                super()._setup()
            except (SyntaxError, KeyError) as error:
                self._layout = _known(self.tag_v2)
                if self._layout is None:
                    raise SyntaxError("an unknown layout") from error
            if self.tag_v2.get(_COMPRESSION) == _WEBP:
                raise SyntaxError("libtiff was built without it")
        if self._layout is not None:
            self._prepare(self._layout)

    def _prepare(self, found: Layout) -> None:
        turned = self.tag_v2.get(0x0112) in (5, 6, 7, 8)
        self._tile_size = (found.width, found.height)
        self._size = (found.height, found.width) if turned else self._tile_size
        self._mode = "LAB" if found.photometric in (_CIELAB, _ICCLAB) else _MODES[found.colours]
        self.tile = []
        if _ICC in self.tag_v2:
            self.info["icc_profile"] = self.tag_v2[_ICC]

    def load(self) -> Any:
        """Decode the page; its orientation is not applied if the layout is ours."""
        if self._layout is None:
            return super().load()
        found, self._layout = self._layout, None
        assert self._fp is not None
        self._fp.seek(0)
        decoded, self.own_alpha = _picture(self._fp.read(), found)
        self.im, self._mode, self._size = decoded.im, decoded.mode, decoded.size
        return Image.Image.load(self)


def register() -> None:
    """Take the place of Pillow's own plugin."""
    Image.register_open("TIFF", TiffImage, Image.OPEN["TIFF"][1])


def _numbers(tags: TiffImagePlugin.ImageFileDirectory_v2, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    value = tags.get(tag, default)
    return tuple(int(part) for part in value) if isinstance(value, tuple) else (int(value),)


def _smallest_depth(tags: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    try:
        return min(_numbers(tags, _BITS, (1,)), default=1)
    except (TypeError, ValueError):
        return 1


def _known(tags: TiffImagePlugin.ImageFileDirectory_v2) -> Layout | None:
    try:
        return layout(tags)
    except (TypeError, KeyError, ValueError):
        return None


def layout(tags: TiffImagePlugin.ImageFileDirectory_v2) -> Layout:
    """Raises ValueError, KeyError or TypeError where the tags make no sense or name what we cannot do."""
    width, height = int(tags[_WIDTH]), int(tags[_HEIGHT])
    samples = int(tags.get(_PER_PIXEL, 1))
    bits, kinds = set(_numbers(tags, _BITS, (1,))), set(_numbers(tags, _FORMAT, (1,)))
    photometric, compression = int(tags[_PHOTOMETRIC]), int(tags.get(_COMPRESSION, 1))
    colours, extra = _COLOURS[photometric], _numbers(tags, _EXTRA)
    if len(bits) != 1 or len(kinds) != 1 or compression not in _OF_BYTES or not colours <= samples <= 32:
        raise ValueError("a layout of samples that nobg does not know")
    tiled = _TILES in tags
    block = (int(tags[_TILE_WIDTH]), int(tags[_TILE_HEIGHT])) if tiled else (width, int(tags.get(_ROWS, height)))
    block = (block[0], block[1] if tiled else min(block[1], height))
    alphas = [number for number, kind in enumerate(extra) if kind in (1, 2)]
    found = Layout(
        width=width,
        height=height,
        colours=colours,
        samples=samples,
        kind=_kind(tags.prefix, kinds.pop(), bits.pop()),
        photometric=photometric,
        alpha=colours + alphas[0] if alphas and colours + alphas[0] < samples else None,
        premultiplied=bool(alphas) and extra[alphas[0]] == 1,
        compression=compression,
        predictor=int(tags.get(_PREDICTOR, 1)) if compression not in (1, 32773) else 1,
        planes=samples if int(tags.get(_PLANAR, 1)) == 2 else 1,
        block_width=block[0],
        block_height=block[1],
        tiled=tiled,
        blocks=tuple(
            zip(
                _numbers(tags, _TILES if tiled else _STRIPS),
                _numbers(tags, _TILE_SIZES if tiled else _STRIP_SIZES),
                strict=True,
            )
        ),
    )
    if min(width, height, *block) < 1 or len(found.blocks) != found.across * found.down * found.planes:
        raise ValueError("not as many blocks as the picture has")
    if found.block_width * found.block_height > 4 * (width * height + (1 << 20)):
        raise ValueError("blocks much larger than the picture")
    return found


def _kind(prefix: bytes, sample_format: int, bits: int) -> np.dtype[np.generic]:
    letter = _KINDS[sample_format]
    if bits not in ((16, 32, 64) if letter == "f" else (8, 16, 32)):
        raise ValueError(f"{bits} bits a sample")
    return np.dtype(f"{'<' if prefix == b'II' else '>'}{letter}{bits // 8}")


def _picture(data: bytes, found: Layout) -> tuple[Image.Image, Image.Image | None]:
    """The picture in a mode of Pillow's at eight bits, and the alpha that the mode has no place for."""
    pixels = np.empty((found.height, found.width, found.colours), np.uint8)
    alpha = None if found.alpha is None else np.empty((found.height, found.width), np.uint8)
    found, transform = _deep_transform(found)
    for plane in range(found.planes):
        for top, stored in _bands(data, found, plane):
            samples = transform(stored)
            rows = slice(top, top + len(samples))
            for number in range(found.per_plane):
                sample = plane + number
                if sample < found.colours:
                    pixels[rows, :, sample] = _colour(samples[..., number], found, sample)
                elif alpha is not None and sample == found.alpha:
                    alpha[rows] = to_eight_bits(samples[..., number])
    return _in_mode(pixels, alpha, found)


def _deep_transform(found: Layout) -> tuple[Layout, Callable[[NDArray[np.generic]], NDArray[np.generic]]]:
    """What is better done while all bits are there, and the layout after it."""
    if found.planes > 1 or found.kind.itemsize == 1:
        return found, lambda samples: samples
    if found.photometric in (_CIELAB, _ICCLAB):
        return replace(found, photometric=_RGB), lambda samples: _lab(samples, found)
    if found.premultiplied and found.alpha is not None:
        return replace(found, premultiplied=False), lambda samples: _straight(samples, found)
    return found, lambda samples: samples


def _lab(samples: NDArray[np.generic], found: Layout) -> NDArray[np.generic]:
    """sRGB, 0..1, of Lab in 16 bits (TIFF 6.0, section 23: a*, b* signed; ICCLab: ICC version 2) or in floats."""
    result = samples.astype(np.float32)
    if found.kind.kind != "f":
        if found.photometric == _CIELAB:
            result[..., 1:3] = samples[..., 1:3].view(found.kind.str.replace("u", "i"))
            result[..., :3] *= (100 / 65535, 1 / 256, 1 / 256)
        else:
            result[..., :3] = (result[..., :3] - (0, 0x8000, 0x8000)) * (100 / 0xFF00, 1 / 256, 1 / 256)
        result[..., 3:] /= 65535
    result[..., :3] = profiles.lab_to_srgb(result[..., :3])
    return result


def _straight(samples: NDArray[np.generic], found: Layout) -> NDArray[np.generic]:
    """Premultiplied colours divided by their alpha, as 0..1, while all bits are there."""
    top = 1.0 if found.kind.kind == "f" else float(np.iinfo(found.kind.str).max)
    straight = samples.astype(np.float32) / np.float32(top)
    alpha = straight[..., found.alpha][..., None]
    straight[..., : found.colours] /= np.where(alpha > 0, alpha, 1)
    return straight


def _in_mode(pixels: Bytes, alpha: Bytes | None, found: Layout) -> tuple[Image.Image, Image.Image | None]:
    if found.colours == 1 or (found.colours == 3 and found.photometric == _RGB):
        mode = "L" if found.colours == 1 else "RGB"
        if alpha is None:
            return Image.fromarray(pixels[..., 0] if mode == "L" else pixels), None
        mode += "a" if found.premultiplied else "A"
        return Image.frombytes(mode, (found.width, found.height), np.dstack([pixels, alpha]).tobytes()), None
    mode = "CMYK" if found.colours == 4 else "LAB"
    image = Image.new(mode, (found.width, found.height))
    image = Image.merge(mode, [Image.fromarray(pixels[..., number]) for number in range(found.colours)])
    return image, None if alpha is None else Image.fromarray(alpha)


def _colour(values: NDArray[np.generic], found: Layout, number: int) -> Bytes:
    """One colour at eight bits, as Pillow's mode has it."""
    if found.photometric == _CIELAB and number > 0:  # TIFF 6.0, section 23: signed, whatever SampleFormat says
        signed = values.view(values.dtype.str.replace("u", "i"))
        return _signed_to_offset(signed)
    if found.photometric == _ICCLAB and values.dtype.itemsize == 2:  # ICC version 2: 0xFF00 is L 100, 0x8000 is neutral
        return _signed_to_offset((values.astype(np.int32) - 0x8000).astype(np.int16))
    result = to_eight_bits(values)
    return 255 - result if found.photometric == _WHITE_IS_ZERO else result


def _signed_to_offset(values: NDArray[np.generic]) -> Bytes:
    """a* and b* of Lab: -128..127 in the upper eight bits -> 0..255 with 128 for neutral."""
    wide = values.astype(np.int32)
    if values.dtype.itemsize == 2:
        wide = (wide + 128) >> 8
    return np.clip(wide + 128, 0, 255).astype(np.uint8)


def to_eight_bits(values: NDArray[np.generic]) -> Bytes:
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


def _bands(data: bytes, found: Layout, plane: int) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """The rows of one plane from the top down: the number of the first, and samples (rows, width, samples a pixel)."""
    blocks = found.blocks[plane * found.across * found.down :][: found.across * found.down]
    at_once = max(1, _BAND // (found.row * found.across * found.block_height))
    for first in range(0, found.down, at_once):
        part = blocks[first * found.across : (first + at_once) * found.across]
        top = first * found.block_height
        rows = len(part) // found.across * found.block_height
        if not found.tiled:
            rows = min(rows, found.height - top)
        samples = _samples(_unpacked(data, found, part, rows), found)[: found.height - top, : found.width]
        for row in range(0, len(samples), _ROWS_AT_ONCE):
            yield top + row, samples[row : row + _ROWS_AT_ONCE]


def _samples(raw: Bytes, found: Layout) -> NDArray[np.generic]:
    """Bytes (rows, bytes of a row) -> samples (rows, at least width, samples a pixel), the predictor undone."""
    rows, each, size = len(raw), found.per_plane, found.kind.itemsize
    if found.predictor == 3:  # the bytes of a row sorted by significance, the most significant first
        sums = np.cumsum(raw.reshape(rows, found.across, -1, each), axis=2, dtype=np.uint8)
        planes = sums.reshape(rows, found.across, size, found.block_width * each)
        floats = np.ascontiguousarray(planes.swapaxes(2, 3)).view(f">f{size}")
        return floats.reshape(rows, -1, each)
    values = raw.view(found.kind)
    if found.predictor == 2:
        whole = np.dtype(f"u{size}")
        blocks = values.view(found.kind.str.replace(found.kind.kind, "u")).astype(whole)
        sums = np.cumsum(blocks.reshape(rows, found.across, found.block_width, each), axis=2, dtype=whole)
        values = sums.view(found.kind.newbyteorder("="))
    return values.reshape(rows, -1, each)


def _unpacked(data: bytes, found: Layout, blocks: tuple[tuple[int, int], ...], rows: int) -> Bytes:
    """The blocks' bytes without compression, (rows, bytes of a row)."""
    pieces = [data[offset : offset + length] for offset, length in blocks]
    if any(len(piece) < length for piece, (_, length) in zip(pieces, blocks, strict=True)):
        raise EOFError("truncated: blocks beyond the end")
    if found.compression == 1:
        raw = np.frombuffer(b"".join(pieces), np.uint8)
        if not found.tiled:
            return raw[: rows * found.row].reshape(rows, found.row)
        return raw.reshape(-1, found.across, found.block_height, found.row).swapaxes(1, 2).reshape(rows, -1)
    with _Unpacker(io.BytesIO(_as_grey(pieces, found, rows))) as image:
        image.load()
        return np.asarray(image)


class _Unpacker(TiffImagePlugin.TiffImageFile):
    """Its pixels are bytes: more than a picture may have. The size of the picture itself was checked."""

    def load_prepare(self) -> None:
        self.im = Image.new(self.mode, self.size).im


def _as_grey(pieces: list[bytes], found: Layout, rows: int) -> bytes:
    """A TIFF of these blocks, in which each byte is a grey pixel (section 2: header, directory, values)."""
    sizes = [len(piece) for piece in pieces]
    offsets = [8 + sum(sizes[:number]) for number in range(len(sizes))]
    shape = (
        {_TILE_WIDTH: [found.row], _TILE_HEIGHT: [found.block_height], _TILES: offsets, _TILE_SIZES: sizes}
        if found.tiled
        else {_STRIPS: offsets, _ROWS: [found.block_height], _STRIP_SIZES: sizes}
    )
    tags = {_WIDTH: [found.row * found.across], _HEIGHT: [rows], _BITS: [8], _COMPRESSION: [found.compression]}
    tags |= {_PHOTOMETRIC: [1], _PER_PIXEL: [1], _PLANAR: [1]} | shape
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
