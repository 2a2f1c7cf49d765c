"""TIFFs whose layout Pillow refuses: planes with more than the colours, and old-style JPEG."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.picture.samples import decoded, noise, saved

UNSPECIFIED, PREMULTIPLIED, STRAIGHT = 0, 1, 2


def planar_tiff(pixels: NDArray[np.uint8], photometric: int, extra: tuple[int, ...]) -> bytes:
    """Return a TIFF of 8-bit samples (H, W, C), each sample in a plane of its own and each plane in two strips."""
    height, width, samples = pixels.shape
    rows = (height + 1) // 2
    strips = [pixels[top : top + rows, :, sample].tobytes() for sample in range(samples) for top in (0, rows)]
    values = {
        256: [width],
        257: [height],
        258: [8] * samples,
        259: [1],
        262: [photometric],
        273: [8 + sum(map(len, strips[:number])) for number in range(len(strips))],
        277: [samples],
        278: [rows],
        279: [len(strip) for strip in strips],
        284: [2],
        338: list(extra),
    }
    return b"II*\0" + struct.pack("<I", 8 + sum(map(len, strips))) + b"".join(strips) + directory(values, strips)


def directory(values: dict[int, list[int]], before: list[bytes]) -> bytes:
    """Return a TIFF's directory of LONG values, which follows the header and the pieces `before`."""
    tags = {tag: numbers for tag, numbers in sorted(values.items()) if numbers}
    tail_offset = 8 + sum(map(len, before)) + 2 + 12 * len(tags) + 4
    entries, tail = struct.pack("<H", len(tags)), b""
    for tag, numbers in tags.items():
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        field = packed if len(packed) == 4 else struct.pack("<I", tail_offset + len(tail))
        tail += packed if len(packed) > 4 else b""
        entries += struct.pack("<HHI", tag, 4, len(numbers)) + field
    return entries + b"\0\0\0\0" + tail


@pytest.mark.parametrize(
    ("colours", "photometric", "extra", "alpha_index"),
    [
        (3, 2, (UNSPECIFIED,), None),
        (3, 2, (UNSPECIFIED, STRAIGHT), 4),
        (3, 2, (STRAIGHT,), 3),
        (1, 1, (UNSPECIFIED,), None),
        (1, 1, (STRAIGHT,), 1),
    ],
)
def test_a_planar_tiff_with_extra_channels_is_opened(
    colours: int, photometric: int, extra: tuple[int, ...], alpha_index: int | None
) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (30, 40, colours + len(extra)), np.uint8)
    picture = decoded(planar_tiff(pixels, photometric, extra))
    assert np.array_equal(np.asarray(picture.rgb), np.broadcast_to(pixels[..., :colours], (30, 40, 3)))
    assert (picture.alpha is None) == (alpha_index is None)
    if picture.alpha is not None:
        assert np.array_equal(np.asarray(picture.alpha), pixels[..., alpha_index])


def test_a_planar_tiff_with_premultiplied_channels_is_opened() -> None:
    straight = np.asarray(noise()).astype(np.float64)
    alpha = np.full((30, 40, 1), 128, np.uint8)
    premultiplied = (straight * 128 / 255).round().astype(np.uint8)
    picture = decoded(planar_tiff(np.dstack([premultiplied, alpha]), 2, (PREMULTIPLIED,)))
    assert picture.alpha is not None
    assert picture.alpha.getextrema() == (128, 128)
    assert np.abs(np.asarray(picture.rgb) - straight).max() <= 2


def old_style_jpeg_tiff(jpeg: bytes, channels: int, photometric: int, kind: str) -> bytes:
    """Return an old-style JPEG TIFF. `kind`: where the JPEG is (TIFF 6.0, section 22, and what programs wrote)."""
    scan = jpeg.index(b"\xff\xda")
    header_size = scan + 2 + int.from_bytes(jpeg[scan + 2 : scan + 4])
    values = {256: [40], 257: [30], 258: [8], 259: [6], 262: [photometric], 277: [channels], 278: [30], 512: [1]}
    values |= {273: [8], 279: [len(jpeg)]}
    if kind == "all of it":
        values |= {513: [8], 514: [len(jpeg)]}
    elif kind == "its header":
        values |= {513: [8], 514: [header_size], 273: [8 + header_size], 279: [len(jpeg) - header_size]}
    elif kind == "without end marker":
        jpeg = jpeg[:-2]
        values |= {513: [8], 514: [len(jpeg)], 279: [len(jpeg)]}
    return b"II*\0" + struct.pack("<I", 8 + len(jpeg)) + jpeg + directory(values, [jpeg])


@pytest.mark.parametrize("kind", ["all of it", "its header", "its only strip", "without end marker"])
@pytest.mark.parametrize(("mode", "photometric"), [("L", 1), ("L", 0), ("RGB", 6)])
def test_an_old_style_jpeg_tiff_is_the_jpeg_in_it(mode: str, photometric: int, kind: str) -> None:
    jpeg = saved(noise().convert(mode), "JPEG", quality=95)
    expected = np.asarray(decoded(jpeg).rgb)
    actual = np.asarray(decoded(old_style_jpeg_tiff(jpeg, len(mode), photometric, kind)).rgb)
    assert np.array_equal(actual, 255 - expected if photometric == 0 else expected)
