"""codecs.py"""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from tests.support.pictures import make_tiff
from watcher.errors import PictureError
from watcher.picture import codecs, jxl, png


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def read(data: bytes) -> codecs.Picture:
    return codecs.decode(codecs.open_header(data))


def noise(width: int = 40, height: int = 30, channels: int = 3) -> Image.Image:
    values = np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_lossless_formats_come_back_bit_for_bit(kind: str, options: dict[str, Any]) -> None:
    image = noise()
    picture = read(saved(image, kind, **options))
    assert picture.rgb.tobytes() == image.tobytes()
    assert (picture.alpha, picture.icc, picture.notes) == (None, None, ())


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_comes_back_as_pillow_decodes_it(options: dict[str, Any]) -> None:
    data = saved(noise(), "JPEG", **options)
    assert read(data).rgb.tobytes() == Image.open(io.BytesIO(data)).tobytes()


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
    picture = read(saved(Image.fromarray(np.ascontiguousarray(stored)), kind, **options))
    assert picture.rgb.size == (32, 16)
    assert np.abs(np.asarray(picture.rgb).astype(int) - upright).max() < 20


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    values = np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16)
    picture = read(saved(Image.fromarray(values), kind))
    assert np.abs(np.asarray(picture.rgb)[..., 1] - values / 257.0).max() <= 0.51


def test_sixteen_bit_colour_is_scaled_not_clipped() -> None:
    values = np.linspace(0, 65535, 300).astype(">u2").reshape(10, 10, 3)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    data = png_header(10, 10, depth=16, colour=2) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    assert np.abs(np.asarray(read(data).rgb) - values / 257.0).max() <= 1.0


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int, depth: int, colour: int) -> bytes:
    body = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", body)


def test_the_alpha_of_the_input_is_read_from_wherever_it_is() -> None:
    rgba = noise(channels=4)
    expected = np.asarray(rgba)[..., 3]
    assert np.array_equal(np.asarray(read(saved(rgba, "PNG")).alpha), expected)
    assert np.array_equal(np.asarray(read(saved(rgba.convert("LA"), "PNG")).alpha), expected)
    assert np.array_equal(np.asarray(read(saved(rgba, "WEBP", lossless=True, exact=True)).alpha), expected)
    palette = noise().convert("P")
    alpha = read(saved(palette, "PNG", transparency=palette.getpixel((3, 2)))).alpha
    assert alpha is not None
    assert alpha.getpixel((3, 2)) == 0
    assert alpha.getextrema() == (0, 255)
    colour_key = saved(Image.new("RGB", (9, 9), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    assert read(colour_key).alpha is not None


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_found_at_every_depth(depth: int) -> None:
    key = 1 if depth < 16 else 0x1234
    rows = {1: "40", 2: "10", 4: "0100", 8: "00010000", 16: "1235 1234 3400 0000"}
    row = bytes.fromhex(rows[depth])
    alpha = read(png_of(4, depth, 0, row, struct.pack(">H", key))).alpha
    assert alpha is not None
    assert np.asarray(alpha).tolist() == [[255, 0, 255, 255]]


def test_a_transparent_sixteen_bit_colour_is_found_and_no_other() -> None:
    row = struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0x3400, 0x7800, 0xBC00)
    alpha = read(png_of(2, 16, 2, row, struct.pack(">3H", 0x1234, 0x5678, 0x9ABC))).alpha
    assert alpha is not None
    assert np.asarray(alpha).tolist() == [[0, 255]]


def png_of(width: int, depth: int, colour: int, row: bytes, key: bytes) -> bytes:
    """One row of pixels with a transparent colour."""
    chunks = png_chunk(b"tRNS", key) + png_chunk(b"IDAT", zlib.compress(b"\0" + row)) + png_chunk(b"IEND", b"")
    return png_header(width, 1, depth, colour) + chunks


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow remarks on the damage
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_a_damaged_exif_block_costs_no_picture(kind: str) -> None:
    assert read(saved(noise(), kind, exif=b"Exif\0\0II*\0garbage" * 9)).rgb.size == (40, 30)


def test_much_text_costs_no_picture() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("history", "x" * 3_000_000, zip=True)
    assert read(saved(noise(), "PNG", pnginfo=text)).rgb.size == (40, 30)


def test_an_alpha_that_is_opaque_everywhere_is_none() -> None:
    assert read(saved(Image.new("RGBA", (9, 9), (1, 2, 3, 255)), "PNG")).alpha is None


def test_the_first_frame_is_taken_and_said() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "TIFF", "WEBP"):
        picture = read(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
        assert picture.notes == ("first_frame",)
        red, green, blue = np.asarray(picture.rgb)[10, 10]
        assert red > 230
        assert green < 30
        assert blue < 30


def test_cmyk_becomes_rgb_and_loses_its_profile() -> None:
    cmyk = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    fake = b"\0" * 16 + b"CMYK" + b"\0" * 200
    picture = read(saved(cmyk, "JPEG", icc_profile=fake))
    assert picture.icc is None
    assert np.asarray(picture.rgb)[10, 10].tolist() == pytest.approx([255, 0, 0], abs=4)


def test_the_inks_of_a_cmyk_jpeg_are_read_the_same_with_and_without_adobes_marker() -> None:
    data = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    marker = data.index(b"Adobe") - 4
    bare = data[:marker] + data[marker + 2 + int.from_bytes(data[marker + 2 : marker + 4]) :]
    for one in (data, bare):
        assert read(one).rgb.getpixel((8, 8)) == (255, 0, 0)


def test_a_grey_picture_with_a_grey_profile_loses_it() -> None:
    picture = read(saved(Image.new("L", (9, 9), 77), "PNG", icc_profile=b"\0" * 16 + b"GRAY" + b"\0" * 200))
    assert picture.icc is None
    assert np.asarray(picture.rgb)[4, 4].tolist() == [77, 77, 77]


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_the_output_keeps_the_colour_profile_and_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
    data = saved(noise(), "JPEG", exif=exif, icc_profile=srgb(), comment=b"SecretComment", dpi=(300, 300))
    assert b"SecretCamera" in data
    picture = read(data)
    alpha = np.full((30, 40), 255, np.uint8)
    data = png.encode(codecs.cut_out(picture, alpha), picture.icc)
    assert b"Secret" not in data
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert set(image.info) == {"icc_profile"}
        assert image.info["icc_profile"] == srgb()
        assert not image.getexif()


def test_the_cut_out_has_the_colours_of_the_picture_the_alpha_and_no_hidden_colour() -> None:
    picture = read(saved(noise(50, 600), "PNG"))
    alpha = np.random.default_rng(2).integers(0, 256, (600, 50), np.uint8)
    alpha[::3] = 0
    result = codecs.cut_out(picture, alpha)
    assert np.array_equal(result[..., 3], alpha)
    assert np.array_equal(result[alpha > 0][:, :3], np.asarray(picture.rgb)[alpha > 0])
    assert not result[alpha == 0].any()


def test_the_alpha_of_the_input_multiplies() -> None:
    own = np.random.default_rng(4).integers(0, 256, (300, 40), np.uint8)
    rgba = np.dstack([np.full((300, 40, 3), 9, np.uint8), own])
    picture = read(saved(Image.fromarray(rgba), "PNG"))
    alpha = np.random.default_rng(5).integers(0, 256, (300, 40), np.uint8)
    result = codecs.cut_out(picture, alpha)[..., 3]
    assert np.abs(result - own.astype(float) * alpha / 255.0).max() <= 0.5


def bomb() -> bytes:
    """900 megapixels of one bit each, in a few kilobytes."""
    rows = zlib.compress(b"\0" * (30000 // 8 + 1) * 100)
    return png_header(30000, 30000, depth=1, colour=0) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"


def jxl_bomb() -> bytes:
    """The header of 30,000 x 30,000 pixels (ISO/IEC 18181-1, D.2): not small, 30 bits of height, ratio 1."""
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
        (saved(noise(200, 200), "JXL")[:9000], "unreadable"),  # a bare codestream does not say how long it is
        (jxl_bomb(), "too_large"),
    ],
    ids=[
        *("empty", "random", "eps", "jpeg-start", "twelve-bit-jpeg", "ppm", "bomb", "cut-jpeg", "cut-png", "cut-webp"),
        *("cut-tiff", "cut-gif", "cut-heif", "cut-avif", "cut-jxl", "cut-bare-jxl", "jxl-bomb"),
    ],
)
def test_what_cannot_be_done_fails_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError) as caught:
        read(data)
    assert caught.value.reason == reason


def sixteen_bit_tiff() -> bytes:
    return make_tiff(np.asarray(noise(64, 64)).astype(np.uint16) * 257, photometric=2)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow remarks on what it repairs
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF", "AVIF", "JXL", "16-bit TIFF"])
def test_cut_off_or_garbled_files_never_raise_anything_else(kind: str) -> None:
    whole = saved(noise(64, 64), kind) if kind != "16-bit TIFF" else sixteen_bit_tiff()
    random = np.random.default_rng(6)
    failed = 0
    for _ in range(150):
        data = bytearray(whole[: random.integers(1, len(whole) + 1)])
        for _ in range(random.integers(0, 8)):
            data[random.integers(0, len(data))] = random.integers(0, 256)
        try:
            read(bytes(data))
        except PictureError:
            failed += 1
    assert failed > 50


def moving(kind: str, **options: Any) -> tuple[bytes, list[np.ndarray[Any, Any]]]:
    """An animation of three frames, each a half transparent square elsewhere, and what is to be seen."""
    pixels = np.zeros((3, 40, 60, 4), np.uint8)
    for number in range(3):
        pixels[number, 10:30, 20 * number : 20 * number + 15] = (250, 80 * number, 10, 255)
    images = [Image.fromarray(frame) for frame in pixels]
    options = {"duration": [100, 200, 300], "append_images": images[1:], "save_all": True, **options}
    return saved(images[0], kind, **options), list(pixels)


MOVING: list[tuple[str, dict[str, Any]]] = [
    ("GIF", {"disposal": 2}),
    ("PNG", {"disposal": 1, "blend": 0}),
    ("WEBP", {"lossless": True, "exact": True}),
    ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
]


@pytest.mark.parametrize(("kind", "options"), MOVING, ids=[kind for kind, _ in MOVING])
def test_each_frame_of_an_animation_is_what_is_seen_and_stays_so(kind: str, options: dict[str, Any]) -> None:
    data, want = moving(kind, **options)
    image = codecs.open_header(data)
    assert codecs.frame_count(image) == 3
    pictures = list(codecs.decode_frames(image))
    assert [picture.duration for picture in pictures] == [100, 200, 300]
    assert [picture.notes for picture in pictures] == [()] * 3
    for picture, seen in zip(pictures, want, strict=True):
        assert picture.alpha is not None
        assert np.abs(np.asarray(picture.alpha).astype(int) - seen[..., 3]).max() <= 3
        difference = np.abs(np.asarray(picture.rgb).astype(int) - seen[..., :3])
        assert difference[seen[..., 3] > 0].max() <= 3
    assert read(data).notes == ("first_frame",)


def test_frames_without_alpha_are_independent_of_each_other() -> None:
    images = [noise(), noise().transpose(Image.Transpose.ROTATE_180)]
    for kind in ("PNG", "GIF"):
        data = saved(images[0], kind, save_all=True, append_images=images[1:])
        first, second = codecs.decode_frames(codecs.open_header(data))
        assert np.abs(np.asarray(first.rgb).astype(int) - np.asarray(read(data).rgb)).max() == 0
        assert np.array_equal(np.asarray(second.rgb.rotate(180)), np.asarray(first.rgb))


def test_a_default_image_that_is_no_part_of_the_animation_is_passed_over() -> None:
    images = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    data = saved(images[0], "PNG", save_all=True, append_images=images[1:], default_image=True, duration=50)
    image = codecs.open_header(data)
    assert codecs.frame_count(image) == 2
    assert [picture.rgb.getpixel((9, 9)) for picture in codecs.decode_frames(image)] == [(0, 255, 0), (0, 0, 255)]


@pytest.mark.parametrize("kind", ["TIFF", "MPO", "HEIF", "JPEG", "PNG"])
def test_pages_and_further_images_are_no_animation(kind: str) -> None:
    several = {"save_all": True, "append_images": [noise(), noise()]} if kind in ("TIFF", "MPO", "HEIF") else {}
    data = saved(noise(), kind, **several)
    assert codecs.frame_count(codecs.open_header(data)) == 1
    assert read(data).notes == (("first_frame",) if kind == "TIFF" else ())


@pytest.mark.parametrize(
    ("kind", "loop", "times"),
    [("GIF", None, 1), ("GIF", 0, 0), ("GIF", 4, 5), ("PNG", 0, 0), ("PNG", 3, 3), ("WEBP", 0, 0), ("WEBP", 3, 3)],
)
def test_how_often_an_animation_is_played(kind: str, loop: int | None, times: int) -> None:
    data, _ = moving(kind, **({} if loop is None else {"loop": loop}))
    assert codecs.loop_count(codecs.open_header(data)) == times


def test_too_many_frames_and_too_large_ones_are_refused_before_any_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = moving("GIF", disposal=2)
    for name, limit in (("MAX_FRAMES", 2), ("MAX_FRAME_PIXELS", 40 * 60 * 3 - 1)):
        with monkeypatch.context() as patch:
            patch.setattr(codecs, name, limit)
            with pytest.raises(PictureError, match=r"`--first-frame` only its first frame is done\.$") as caught:
                next(codecs.decode_frames(codecs.open_header(data)))
            assert caught.value.reason == "too_large"
    assert len(list(codecs.decode_frames(codecs.open_header(data)))) == 3


def rich_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x8298], exif[0x011A] = "Maker", 6, "Ada", 300.0
    inner = exif.get_ifd(0x8769)
    inner[0x829A], inner[0x9003], inner[0x927C], inner[0xA002] = 0.01, "2024:05:06 07:08:09", b"SECRET" * 9, 4000
    inner[0xA001], inner[0xA005] = 1, {1: "R98"}
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 15.0)
    return exif


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6" exif:GPSLatitude="48,8N"/></x:xmpmeta>'


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "JXL"])
def test_metadata_is_kept_as_far_as_asked(kind: str) -> None:
    exif = rich_exif()
    if kind == "TIFF":
        exif[700] = XMP
    options: dict[str, Any] = {"exif": exif.tobytes()}
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    elif kind != "TIFF":
        options["xmp"] = XMP
    options |= {"use_container": True} if kind == "JXL" else {}
    data = saved(noise(), kind, **options)
    dropped, kept, everything = (codecs.decode(codecs.open_header(data), level) for level in ("drop", "keep", "all"))
    assert (dropped.exif, dropped.xmp, kept.xmp) == (None, None, None)
    for picture in (kept, everything):
        assert picture.exif is not None
        assert b"SECRET" not in picture.exif
        again = Image.open(io.BytesIO(saved(picture.rgb, "JPEG", exif=picture.exif))).getexif()
        assert (again[0x010F], again[0x8298], float(again[0x011A])) == ("Maker", "Ada", 300.0)
        assert 0x0112 not in again
        inner = again.get_ifd(0x8769)
        assert (float(inner[0x829A]), inner[0x9003]) == (0.01, "2024:05:06 07:08:09")
        assert not {0x927C, 0xA002} & inner.keys()
        if kind != "TIFF":  # Pillow's TIFF writer loses it
            assert again.get_ifd(0xA005)[1] == "R98"
        assert (again.get_ifd(0x8825).get(2) == (48.0, 8.0, 15.0)) is (picture is everything)
    assert everything.xmp is not None
    assert b"GPSLatitude" in everything.xmp
    assert b'tiff:Orientation="6"' not in everything.xmp


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow remarks on the damage
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "JXL"])
@pytest.mark.parametrize(
    "damage", [b"Exif\0\0II*\0garbage" * 9, b"Exif\0\0" + b"\xff" * 99, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_metadata_that_is_damaged_costs_no_picture(kind: str, damage: bytes) -> None:
    options = {"use_container": True} if kind == "JXL" else {}
    try:
        data = saved(noise(), kind, exif=damage, **options)
    except (SyntaxError, ValueError):
        pytest.skip("the encoder refuses it")
    picture = codecs.decode(codecs.open_header(data), "all")
    assert picture.rgb.size == (40, 30)
    assert picture.exif is None


def test_without_its_package_a_jpeg_xl_fails_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(noise(), "JXL")
    monkeypatch.setattr(jxl, "Decoder", None)
    with pytest.raises(PictureError, match=r"pip install 'nobg-watcher\[jxl\]'") as caught:
        read(data)
    assert caught.value.reason == "unsupported"


def test_keeping_metadata_keeps_no_words_that_may_name_a_place() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    inner = exif.get_ifd(0x8769)
    inner[0x9003] = "2026:11:24 12:00:00"
    for tag in (0x9286, 0x9999, 0x501B, 0xC4A5, 0xA431, 0x927C):
        inner[tag] = b"Alexanderplatz"
    data = saved(noise(), "JPEG", exif=exif)
    kept = codecs.decode(codecs.open_header(data), "keep").exif
    assert kept is not None
    assert b"Alexanderplatz" not in kept
    assert b"2026:11:24" in kept
    everything = codecs.decode(codecs.open_header(data), "all").exif
    assert everything is not None
    assert b"Alexanderplatz" in everything
