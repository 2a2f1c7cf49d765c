"""Write PNG fast.

Pillow tries five filters on every row, which at 12 megapixels takes as long as the network. One filter and ISA-L's
deflate take a ninth of that time, for a smaller file (benchmarks/png.py). This module writes the chunks that nobg needs
(PNG specification, W3C, third edition): signature, IHDR, pHYs, iCCP, eXIf, IDAT, IEND.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP_FILTER = 2  # filter type: each byte minus the byte above it, modulo 256
_DEFAULT_LEVEL, _FAST_LEVEL = 2, 0  # of ISA-L's levels 0..3
_BAND_ROWS = 256  # rows filtered at a time
_BIT_DEPTH = 8
_METRES_PER_INCH, _PER_METRE = 0.0254, 1
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # number of channels -> colour type: grey, RGB, RGBA


def encode(
    pixels: NDArray[np.uint8],
    icc: bytes | None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    *,
    fast: bool = False,
) -> bytes:
    """Return a PNG of `pixels` (H, W, C) uint8; C: 4 straight RGBA, 3 RGB, 1 grey.

    `icc`: the colour profile, or None. `exif`: a TIFF block without the prefix "Exif", or None. `dpi`: pixels per inch,
    across and down, or None. `fast`: take less time and make a larger file.
    """
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, _BIT_DEPTH, _COLOUR_TYPES[channels], 0, 0, 0)
    parts = [_SIGNATURE, *_chunk(b"IHDR", header)]
    if dpi:
        parts += _chunk(b"pHYs", struct.pack(">IIB", *(round(value / _METRES_PER_INCH) for value in dpi), _PER_METRE))
    if icc:
        parts += _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
    if exif:
        parts += _chunk(b"eXIf", exif)
    for piece in _compress_rows(pixels.reshape(height, width * channels), _FAST_LEVEL if fast else _DEFAULT_LEVEL):
        parts += _chunk(b"IDAT", piece)
    parts += _chunk(b"IEND", b"")
    return b"".join(parts)


def _chunk(kind: bytes, body: bytes) -> list[bytes]:
    """The parts of a chunk: length, kind, body, checksum."""
    checksum = isal_zlib.crc32(body, isal_zlib.crc32(kind))
    return [struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)]


def _compress_rows(rows: NDArray[np.uint8], level: int) -> Iterator[bytes]:
    """Yield the zlib stream of the filtered rows in pieces; `rows`: (H, W * C)."""
    deflate = isal_zlib.compressobj(level)
    above = np.zeros_like(rows[0])
    for top in range(0, len(rows), _BAND_ROWS):
        band = rows[top : top + _BAND_ROWS]
        filtered = np.empty((len(band), 1 + rows.shape[1]), np.uint8)
        filtered[:, 0] = _UP_FILTER
        np.subtract(band[0], above, out=filtered[0, 1:])
        np.subtract(band[1:], band[:-1], out=filtered[1:, 1:])
        above = band[-1]
        piece = deflate.compress(filtered)
        if piece:
            yield piece
    yield deflate.flush()
