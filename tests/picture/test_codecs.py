"""Tests of codecs.py."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.picture.samples import EPS, bomb, decoded, noise, png_chunk, png_header, saved, srgb_profile
from tests.support.pictures import make_tiff
from watcher.errors import PictureError
from watcher.picture import compose, jxl, png


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_lossless_formats_come_back_bit_for_bit(kind: str, options: dict[str, Any]) -> None:
    image = noise()
    picture = decoded(saved(image, kind, **options))
    assert picture.rgb.tobytes() == image.tobytes()
    assert (picture.alpha, picture.icc, picture.notes) == (None, None, ())


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_comes_back_as_pillow_decodes_it(options: dict[str, Any]) -> None:
    data = saved(noise(), "JPEG", **options)
    assert decoded(data).rgb.tobytes() == Image.open(io.BytesIO(data)).tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_picture_is_turned_as_its_exif_says(orientation: int, kind: str) -> None:
    # EXIF 2.3, table 6: where row 0 and column 0 of the stored pixels are on the upright picture.
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 255  # the top left quarter is white
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif, "lossless": True} if kind == "WEBP" else {"exif": exif}
    picture = decoded(saved(Image.fromarray(np.ascontiguousarray(stored)), kind, **options))
    assert picture.rgb.size == (32, 16)
    assert np.abs(np.asarray(picture.rgb).astype(int) - upright).max() < 20


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    values = np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16)
    picture = decoded(saved(Image.fromarray(values), kind))
    assert np.abs(np.asarray(picture.rgb)[..., 1] - values / 257.0).max() <= 0.51


def test_sixteen_bit_colour_is_scaled_not_clipped() -> None:
    values = np.linspace(0, 65535, 300).astype(">u2").reshape(10, 10, 3)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    data = png_header(10, 10, depth=16, colour=2) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    assert np.abs(np.asarray(decoded(data).rgb) - values / 257.0).max() <= 1.0


def test_the_alpha_of_the_input_is_read_from_wherever_it_is() -> None:
    rgba = noise(channels=4)
    expected = np.asarray(rgba)[..., 3]
    assert np.array_equal(np.asarray(decoded(saved(rgba, "PNG")).alpha), expected)
    assert np.array_equal(np.asarray(decoded(saved(rgba.convert("LA"), "PNG")).alpha), expected)
    assert np.array_equal(np.asarray(decoded(saved(rgba, "WEBP", lossless=True, exact=True)).alpha), expected)
    palette = noise().convert("P")
    alpha = decoded(saved(palette, "PNG", transparency=palette.getpixel((3, 2)))).alpha
    assert alpha is not None
    assert alpha.getpixel((3, 2)) == 0
    assert alpha.getextrema() == (0, 255)
    colour_key = saved(Image.new("RGB", (9, 9), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    assert decoded(colour_key).alpha is not None


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_applied_at_every_depth(depth: int) -> None:
    key = 1 if depth < 16 else 0x1234
    rows = {1: "40", 2: "10", 4: "0100", 8: "00010000", 16: "1235 1234 3400 0000"}
    row = bytes.fromhex(rows[depth])
    alpha = decoded(png_with_colour_key(4, depth, 0, row, struct.pack(">H", key))).alpha
    assert alpha is not None
    assert np.asarray(alpha).tolist() == [[255, 0, 255, 255]]


def test_a_transparent_sixteen_bit_colour_is_applied_and_no_other() -> None:
    row = struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0x3400, 0x7800, 0xBC00)
    alpha = decoded(png_with_colour_key(2, 16, 2, row, struct.pack(">3H", 0x1234, 0x5678, 0x9ABC))).alpha
    assert alpha is not None
    assert np.asarray(alpha).tolist() == [[0, 255]]


def png_with_colour_key(width: int, depth: int, colour: int, row: bytes, key: bytes) -> bytes:
    """Return a PNG of one row of pixels with a transparent colour."""
    chunks = png_chunk(b"tRNS", key) + png_chunk(b"IDAT", zlib.compress(b"\0" + row)) + png_chunk(b"IEND", b"")
    return png_header(width, 1, depth, colour) + chunks


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of the damage
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_a_picture_with_a_damaged_exif_block_is_decoded(kind: str) -> None:
    assert decoded(saved(noise(), kind, exif=b"Exif\0\0II*\0garbage" * 9)).rgb.size == (40, 30)


def test_a_picture_with_much_text_is_decoded() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("history", "x" * 3_000_000, zip=True)
    assert decoded(saved(noise(), "PNG", pnginfo=text)).rgb.size == (40, 30)


def test_an_alpha_that_is_opaque_everywhere_is_none() -> None:
    assert decoded(saved(Image.new("RGBA", (9, 9), (1, 2, 3, 255)), "PNG")).alpha is None


def test_only_the_first_frame_is_decoded_and_a_note_says_so() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "TIFF", "WEBP"):
        picture = decoded(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
        assert picture.notes == ("first_frame",)
        red, green, blue = np.asarray(picture.rgb)[10, 10]
        assert red > 230
        assert green < 30
        assert blue < 30


def test_cmyk_becomes_rgb_and_loses_its_profile() -> None:
    cmyk = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    damaged_profile = b"\0" * 16 + b"CMYK" + b"\0" * 200
    picture = decoded(saved(cmyk, "JPEG", icc_profile=damaged_profile))
    assert picture.icc is None
    assert np.asarray(picture.rgb)[10, 10].tolist() == pytest.approx([255, 0, 0], abs=4)


def test_the_inks_of_a_cmyk_jpeg_are_read_the_same_with_and_without_adobes_marker() -> None:
    data = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    marker = data.index(b"Adobe") - 4
    bare = data[:marker] + data[marker + 2 + int.from_bytes(data[marker + 2 : marker + 4]) :]
    for jpeg in (data, bare):
        assert decoded(jpeg).rgb.getpixel((8, 8)) == (255, 0, 0)


def test_a_grey_picture_with_a_grey_profile_loses_it() -> None:
    picture = decoded(saved(Image.new("L", (9, 9), 77), "PNG", icc_profile=b"\0" * 16 + b"GRAY" + b"\0" * 200))
    assert picture.icc is None
    assert np.asarray(picture.rgb)[4, 4].tolist() == [77, 77, 77]


def test_the_output_keeps_the_colour_profile_and_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
    data = saved(noise(), "JPEG", exif=exif, icc_profile=srgb_profile(), comment=b"SecretComment", dpi=(300, 300))
    assert b"SecretCamera" in data
    picture = decoded(data)
    alpha = np.full((30, 40), 255, np.uint8)
    data = png.encode(compose.cut_out(picture, alpha), picture.icc)
    assert b"Secret" not in data
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert set(image.info) == {"icc_profile"}
        assert image.info["icc_profile"] == srgb_profile()
        assert not image.getexif()


def jxl_bomb() -> bytes:
    """Return the header of 30,000 x 30,000 pixels (ISO/IEC 18181-1, D.2): not small, 30 bits of height, ratio 1."""
    return b"\xff\x0a" + (3 << 1 | 29_999 << 3 | 1 << 33).to_bytes(8, "little") + bytes(20)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unreadable"),
        (b"x" * 5000, "unsupported"),
        (EPS, "unsupported"),
        (b"\xff\xd8\xff\xe0", "truncated"),
        (saved(noise(), "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"), "unsupported"),
        (saved(Image.new("RGB", (9, 9)), "PPM"), "unsupported"),
        (bomb(), "too_large"),
        (saved(noise(200, 200), "JPEG")[:9000], "truncated"),
        (saved(noise(200, 200), "PNG")[:9000], "truncated"),
        (saved(noise(200, 200), "WEBP")[:9000], "truncated"),
        (saved(noise(200, 200), "TIFF", compression="tiff_lzw")[:9000], "truncated"),
        (saved(noise(200, 200), "GIF")[:9000], "truncated"),
        (saved(noise(200, 200), "HEIF")[:9000], "truncated"),
        (saved(noise(200, 200), "AVIF")[:9000], "truncated"),
        (saved(noise(200, 200), "JXL", use_container=True)[:9000], "truncated"),
        (saved(noise(200, 200), "JXL")[:9000], "unreadable"),  # a bare codestream does not declare its length
        (jxl_bomb(), "too_large"),
    ],
    ids=[
        *("empty", "random", "eps", "jpeg-start", "twelve-bit-jpeg", "ppm", "bomb", "cut-jpeg", "cut-png", "cut-webp"),
        *("cut-tiff", "cut-gif", "cut-heif", "cut-avif", "cut-jxl", "cut-bare-jxl", "jxl-bomb"),
    ],
)
def test_a_file_that_cannot_be_decoded_fails_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError) as caught:
        decoded(data)
    assert caught.value.reason == reason


def sixteen_bit_tiff() -> bytes:
    return make_tiff(np.asarray(noise(64, 64)).astype(np.uint16) * 257, photometric=2)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of what it repairs
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF", "AVIF", "JXL", "16-bit TIFF"])
def test_cut_off_or_garbled_files_raise_only_picture_errors(kind: str) -> None:
    whole = saved(noise(64, 64), kind) if kind != "16-bit TIFF" else sixteen_bit_tiff()
    random = np.random.default_rng(6)
    failed = 0
    for _ in range(150):
        data = bytearray(whole[: random.integers(1, len(whole) + 1)])
        for _ in range(random.integers(0, 8)):
            data[random.integers(0, len(data))] = random.integers(0, 256)
        try:
            decoded(bytes(data))
        except PictureError:
            failed += 1
    assert failed > 50


def test_without_its_package_a_jpeg_xl_fails_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(noise(), "JXL")
    monkeypatch.setattr(jxl, "Decoder", None)
    with pytest.raises(PictureError, match=r"pip install 'nobg-watcher\[jxl\]'") as caught:
        decoded(data)
    assert caught.value.reason == "unsupported"
