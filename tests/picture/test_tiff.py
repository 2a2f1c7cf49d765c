"""TIFFs that Pillow refuses or shows wrong: planes with more than the colours, old-style JPEG, depths, previews."""

from __future__ import annotations

import itertools
import re
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


@pytest.mark.parametrize("strip_rows", [30, 16])
@pytest.mark.parametrize(
    ("mode", "photometric", "subsampling"), [("L", 1, (1, 1)), ("L", 0, (1, 1)), ("RGB", 6, (1, 1)), ("RGB", 6, (2, 2))]
)
def test_an_old_style_jpeg_tiff_whose_tables_are_tags_is_opened(
    mode: str, photometric: int, subsampling: tuple[int, int], strip_rows: int
) -> None:
    across, down = subsampling
    interval = 0 if strip_rows == 30 else (40 + 8 * across - 1) // (8 * across) * strip_rows // (8 * down)
    options = {"quality": 95, "subsampling": "4:4:4" if across == 1 else "4:2:0", "restart_marker_blocks": interval}
    jpeg = saved(noise().convert(mode), "JPEG", **options)
    expected = np.asarray(decoded(jpeg).rgb)
    tiff = old_style_jpeg_tiff_of_tables(jpeg, len(mode), photometric, subsampling, strip_rows)
    actual = np.asarray(decoded(tiff).rgb)
    assert np.array_equal(actual, 255 - expected if photometric == 0 else expected)


def old_style_jpeg_tiff_of_tables(
    jpeg: bytes, channels: int, photometric: int, subsampling: tuple[int, int], strip_rows: int
) -> bytes:
    """Return the JPEG as an old-style JPEG TIFF that has no JPEG headers: tags lead to tables and coded data."""
    tables: dict[tuple[int, int], bytes] = {}
    offset = 2
    while jpeg[offset + 1] != 0xDA:
        end = offset + 2 + int.from_bytes(jpeg[offset + 2 : offset + 4])
        if jpeg[offset + 1] in (0xDB, 0xC4):
            body = jpeg[offset + 4 : end]
            while body:
                length = 65 if jpeg[offset + 1] == 0xDB else 17 + sum(body[1:17])
                tables[jpeg[offset + 1], body[0]] = body[1:length]
                body = body[length:]
        offset = end
    coded = jpeg[offset + 2 + int.from_bytes(jpeg[offset + 2 : offset + 4]) : -2]
    strips = re.split(rb"\xff[\xd0-\xd7]", coded)
    assert len(strips) == (1 if strip_rows == 30 else 2)
    chroma = [0, 1, 1][:channels]
    pieces = [*strips, *(tables[0xDB, number] for number in chroma), *(tables[0xC4, number] for number in chroma)]
    pieces += [tables[0xC4, 0x10 | number] for number in chroma]
    offsets = [8 + sum(map(len, pieces[:number])) for number in range(len(pieces))]
    first = len(strips)
    values = {256: [40], 257: [30], 258: [8], 259: [6], 262: [photometric], 277: [channels], 278: [strip_rows]}
    values |= {273: offsets[:first], 279: [len(strip) for strip in strips], 512: [1], 530: list(subsampling)}
    values |= {519 + kind: offsets[first + kind * channels :][:channels] for kind in range(3)}
    return b"II*\0" + struct.pack("<I", 8 + sum(map(len, pieces))) + b"".join(pieces) + directory(values, pieces)


def tiff(samples: bytes, size: tuple[int, int], bits: int, photometric: int, **tags: list[int]) -> bytes:
    """Return a TIFF of one strip; `tags`: further ones, such as `t339`."""
    channels = 1 if photometric < 2 else 3
    values = {256: [size[0]], 257: [size[1]], 258: [bits] * channels, 259: [1], 262: [photometric], 273: [8]}
    values |= {277: [channels], 278: [size[1]], 279: [len(samples)]}
    values |= {int(name[1:]): numbers for name, numbers in tags.items()}
    return b"II*\0" + struct.pack("<I", 8 + len(samples)) + samples + directory(values, [samples])


def packed(values: NDArray[np.uint16], bits: int) -> bytes:
    """Return rows of samples without gaps between them, each row filled up to whole bytes."""
    rows = ["".join(f"{value:0{bits}b}" for value in row.ravel()) for row in values]
    return b"".join(int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8)) for row in rows)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("photometric", [0, 1, 2])
def test_a_tiff_of_10_to_14_bits_is_as_bright_as_one_of_16(bits: int, photometric: int) -> None:
    shape = (7, 13, 3) if photometric == 2 else (7, 13)
    values = np.random.default_rng(4).integers(0, 1 << bits, shape, np.uint16)
    expected = np.round(values / ((1 << bits) - 1) * 255)
    actual = np.asarray(decoded(tiff(packed(values, bits), (13, 7), bits, photometric)).rgb).astype(int)
    expected = 255 - expected if photometric == 0 else expected
    assert np.abs(actual - (expected if photometric == 2 else expected[..., None])).max() <= 1


@pytest.mark.parametrize("photometric", [1, 2])
def test_a_tiff_of_signed_bytes_is_as_bright_as_one_of_signed_words(photometric: int) -> None:
    values = np.linspace(-128, 127, 7 * 13).astype(np.int8).reshape(7, 13)
    values = np.dstack([values] * 3) if photometric == 2 else values
    formats = {"t339": [2] * (3 if photometric == 2 else 1)}
    small = decoded(tiff(values.tobytes(), (13, 7), 8, photometric, **formats))
    large = decoded(
        tiff(
            np.clip(values.astype(int) * 258, -32768, 32767).astype("<i2").tobytes(),
            (13, 7),
            16,
            photometric,
            **formats,
        )
    )
    assert small.rgb.getextrema() == ((0, 255),) * 3
    assert np.abs(np.asarray(small.rgb).astype(int) - np.asarray(large.rgb)).max() <= 1


def test_the_lightness_of_a_lab_tiff_is_unsigned_whatever_the_sample_format_says() -> None:
    lab = np.zeros((7, 13, 3), "<u2")
    lab[..., 0] = np.linspace(0, 65535, 13)
    usual, signed = (
        np.asarray(decoded(tiff(lab.tobytes(), (13, 7), 16, 8, t339=[sample_format] * 3)).rgb)
        for sample_format in (1, 2)
    )
    assert np.array_equal(usual, signed)
    assert usual[0, -1].tolist() == [255, 255, 255]


PREVIEW, MASK = 1, 4


def pages_tiff(kinds: list[int], *, is_below: bool = False) -> bytes:
    """Return a TIFF of grey pages, one for each NewSubfileType: 40 x 30, previews 20 x 15.

    `is_below`: the further ones are not pages but directories below the first.
    """
    body, positions = b"\0" * 8, []
    for number, kind in enumerate(kinds):
        width, height = (20, 15) if kind == PREVIEW else (40, 30)
        samples = bytes([10 * (number + 1)]) * (width * height)
        values = {254: [kind], 256: [width], 257: [height], 258: [8], 259: [1], 262: [1], 273: [len(body)], 277: [1]}
        values |= {278: [height], 279: [len(samples)]}
        if is_below and number == 0:
            values[330] = [0]
        positions.append(len(body) + len(samples))
        body += samples + directory(values, [])
    result = bytearray(body)
    result[:8] = b"II*\0" + struct.pack("<I", positions[0])
    for position, following in itertools.pairwise(positions):
        entry_count = int.from_bytes(result[position : position + 2], "little")
        pointer = position + 2 + 12 * entry_count
        if is_below:
            pointer = result.index(struct.pack("<HHI", 330, 4, 1), position) + 8
        result[pointer : pointer + 4] = struct.pack("<I", following)
    return bytes(result)


@pytest.mark.parametrize("is_below", [False, True])
@pytest.mark.parametrize("first", [PREVIEW, MASK, PREVIEW | MASK])
def test_a_tiff_that_starts_with_a_preview_or_a_mask_is_opened_at_its_full_page(first: int, *, is_below: bool) -> None:
    picture = decoded(pages_tiff([first, 0], is_below=is_below))
    assert (picture.rgb.size, picture.rgb.getpixel((0, 0)), picture.notes) == ((40, 30), (20, 20, 20), ())


@pytest.mark.parametrize(
    ("kinds", "notes"), [([0, PREVIEW], ()), ([0, 0], ("first_frame",)), ([PREVIEW, 0, 0], ("first_frame",))]
)
def test_only_further_full_pages_of_a_tiff_are_worth_a_note(kinds: list[int], notes: tuple[str, ...]) -> None:
    assert decoded(pages_tiff(kinds)).notes == notes


def test_a_tiff_of_nothing_but_a_preview_is_that_preview() -> None:
    assert decoded(pages_tiff([PREVIEW])).rgb.size == (20, 15)


@pytest.mark.parametrize("kind", ["all of it", "its header", "its only strip", "without end marker"])
@pytest.mark.parametrize(("mode", "photometric"), [("L", 1), ("L", 0), ("RGB", 6)])
def test_an_old_style_jpeg_tiff_is_the_jpeg_in_it(mode: str, photometric: int, kind: str) -> None:
    jpeg = saved(noise().convert(mode), "JPEG", quality=95)
    expected = np.asarray(decoded(jpeg).rgb)
    actual = np.asarray(decoded(old_style_jpeg_tiff(jpeg, len(mode), photometric, kind)).rgb)
    assert np.array_equal(actual, 255 - expected if photometric == 0 else expected)
