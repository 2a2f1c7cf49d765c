"""Tests of metadata.py."""

import io
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from tests.picture.samples import XMP, noise, rich_exif, saved
from watcher.picture import codecs


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "JXL"])
def test_the_level_decides_which_metadata_is_kept(kind: str) -> None:
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
        written = Image.open(io.BytesIO(saved(picture.rgb, "JPEG", exif=picture.exif))).getexif()
        assert (written[0x010F], written[0x8298], float(written[0x011A])) == ("Maker", "Ada", 300.0)
        assert 0x0112 not in written
        inner = written.get_ifd(0x8769)
        assert (float(inner[0x829A]), inner[0x9003]) == (0.01, "2024:05:06 07:08:09")
        assert not {0x927C, 0xA002} & inner.keys()
        if kind != "TIFF":  # Pillow's TIFF writer loses it
            assert written.get_ifd(0xA005)[1] == "R98"
        assert (written.get_ifd(0x8825).get(2) == (48.0, 8.0, 15.0)) is (picture is everything)
    assert everything.xmp is not None
    assert b"GPSLatitude" in everything.xmp
    assert b'tiff:Orientation="6"' not in everything.xmp


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of the damage
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "JXL"])
@pytest.mark.parametrize(
    "damage", [b"Exif\0\0II*\0garbage" * 9, b"Exif\0\0" + b"\xff" * 99, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_a_picture_with_damaged_metadata_is_decoded_without_it(kind: str, damage: bytes) -> None:
    options = {"use_container": True} if kind == "JXL" else {}
    try:
        data = saved(noise(), kind, exif=damage, **options)
    except (SyntaxError, ValueError):
        pytest.skip("the encoder refuses it")
    picture = codecs.decode(codecs.open_header(data), "all")
    assert picture.rgb.size == (40, 30)
    assert picture.exif is None


def test_kept_metadata_has_no_text_that_may_name_a_place() -> None:
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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JXL"])
@pytest.mark.parametrize("packet", [XMP, XMP.replace(b"<r", b"<tiff:Orientation>6</tiff:Orientation><r")])
def test_an_orientation_in_xmp_alone_does_not_turn_the_picture(kind: str, packet: bytes) -> None:
    assert codecs.decode(codecs.open_header(with_xmp(kind, packet))).rgb.size == (40, 30)


def with_xmp(kind: str, packet: bytes) -> bytes:
    """Return a picture of 40 x 30 that has the packet and no EXIF; as JPEG XL, one that contains a JPEG."""
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        return saved(noise(), "PNG", pnginfo=info)
    if kind == "TIFF":
        exif = Image.Exif()
        exif[700] = packet
        return saved(noise(), "TIFF", exif=exif)
    return saved(noise(), kind, xmp=packet, **({"use_container": True} if kind == "JXL" else {}))
