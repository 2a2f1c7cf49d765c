"""What containers.py finds outside the pixels: clean apertures, damaged chunks, camera raw."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.picture.samples import animation, decoded, noise, png_chunk, saved
from watcher.errors import PictureError
from watcher.picture import codecs


def avif(*properties: bytes) -> bytes:
    """Return an AVIF of 64 x 48 whose only item has these boxes as further, essential properties."""
    data = saved(noise(64, 48), "AVIF", quality=100, subsampling="4:4:4")
    end_of_properties, added = data.index(b"ipma") - 4, b"".join(properties)
    count_offset = data.index(b"ipma") + 4 + 4 + 4 + 2  # version and flags, number of items, item
    end = count_offset + 1 + data[count_offset]
    indices = bytes(0x80 | data[count_offset] + number for number in range(1, len(properties) + 1))
    result = bytearray(data[:end_of_properties] + added + data[end_of_properties:end] + indices + data[end:])
    result[count_offset + len(added)] += len(properties)
    grown = len(added) + len(indices)
    extent = data.index(b"iloc") + 4 + 4 + 2 + 2 + 2 + 2 + 2  # version, sizes, count, item, reference, extents
    ipma = data.index(b"ipma") + len(added)
    offsets = {data.index(b"meta"): grown, data.index(b"iprp"): grown, data.index(b"ipco"): len(added)}
    for offset, growth in {**offsets, ipma: len(indices), extent + 4: grown}.items():
        result[offset - 4 : offset] = (int.from_bytes(result[offset - 4 : offset]) + growth).to_bytes(4)
    return bytes(result)


def clean_aperture(*fields: int) -> bytes:
    """Return the box of a clean aperture: width, height, and the offset of its centre, as fractions."""
    return struct.pack(">I4s8I", 40, b"clap", *(number & 0xFFFFFFFF for number in fields))


@pytest.mark.parametrize(
    ("fields", "box"),
    [
        ((32, 1, 24, 1, 0, 1, 0, 1), (16, 12, 48, 36)),
        ((20, 1, 48, 1, -22, 1, 0, 1), (0, 0, 20, 48)),
        ((63, 1, 48, 1, 1, 2, 0, 1), (1, 0, 64, 48)),
        ((40, 1, 48, 1, 22, 1, 0, 1), (0, 0, 64, 48)),  # beyond the edge: invalid
        ((31, 1, 24, 1, 0, 1, 0, 1), (0, 0, 64, 48)),  # half a pixel: invalid
        ((32, 0, 24, 1, 0, 1, 0, 1), (0, 0, 64, 48)),
    ],
    ids=["centre", "left", "half offset", "beyond", "half pixel", "division by zero"],
)
def test_the_clean_aperture_of_an_avif_is_the_picture(fields: tuple[int, ...], box: tuple[int, ...]) -> None:
    whole = np.asarray(decoded(saved(noise(64, 48), "AVIF", quality=100, subsampling="4:4:4")).rgb)
    left, top, right, bottom = box
    picture = np.asarray(decoded(avif(clean_aperture(*fields))).rgb)
    assert np.array_equal(picture, whole[top:bottom, left:right])


def test_an_avif_is_cut_to_its_clean_aperture_before_it_is_turned() -> None:
    turn = struct.pack(">I4sB", 9, b"irot", 1)  # anticlockwise
    upright = decoded(avif(clean_aperture(20, 1, 48, 1, -22, 1, 0, 1), turn)).rgb
    flat = decoded(avif(clean_aperture(20, 1, 48, 1, -22, 1, 0, 1))).rgb
    assert upright.size == (48, 20)
    assert upright.tobytes() == flat.transpose(Image.Transpose.ROTATE_90).tobytes()


def damaged_chunk(kind: bytes, body: bytes) -> bytes:
    chunk = png_chunk(kind, body)
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


@pytest.mark.parametrize(
    ("kind", "body"),
    [(b"tEXt", b"Comment\0hello"), (b"pHYs", bytes(9)), (b"iCCP", b"x\0\0junk"), (b"tRNS", bytes(6)), (b"prVt", b"?")],
)
def test_a_png_with_a_wrong_checksum_in_an_ancillary_chunk_is_decoded_without_it(kind: bytes, body: bytes) -> None:
    data = saved(noise(), "PNG")
    for position in (33, len(data) - 12):  # after IHDR; before IEND
        picture = decoded(data[:position] + damaged_chunk(kind, body) + data[position:])
        assert picture.alpha is None
        assert picture.rgb.tobytes() == noise().tobytes()


def test_an_animated_png_with_a_damaged_frame_is_its_default_image() -> None:
    data, frames = animation("PNG")
    start = data.rindex(b"fdAT") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    image = codecs.open_header(data[:start] + damaged_chunk(b"fdAT", data[start + 8 : end - 4]) + data[end:])
    assert codecs.frame_count(image) == 1
    assert np.array_equal(np.asarray(codecs.decode(image).rgb)[12, 5], frames[0][12, 5, :3])


def tiff_directory(entries: dict[int, tuple[int, int]], following: int = 0) -> bytes:
    """Return a directory. `entries`: tag -> the number of values and the value, or where the values are."""
    body = b"".join(struct.pack("<HHII", tag, 4, *entries[tag]) for tag in sorted(entries))
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", following)


def camera_raw(make: bytes, *, is_dng: bool = False, photometric: int = 32803) -> bytes:
    """Return a TIFF of a preview, 16 x 12, and of sensor data in a directory below it."""
    preview = noise(16, 12).tobytes()
    sensor_offset = 8 + len(preview)
    sensor = tiff_directory({256: (1, 6000), 257: (1, 4000), 262: (1, photometric)})
    make_offset = sensor_offset + len(sensor)
    main_offset = make_offset + len(make)
    entries = {254: (1, 1), 256: (1, 16), 257: (1, 12), 258: (1, 8), 259: (1, 1), 262: (1, 2), 273: (1, 8), 277: (1, 3)}
    entries |= {
        278: (1, 12),
        279: (1, len(preview)),
        330: (1, sensor_offset),
        **({50706: (1, 0x401)} if is_dng else {}),
    }
    main = bytearray(tiff_directory({**entries, 271: (len(make), make_offset)}))
    main[main.index(struct.pack("<HH", 271, 4)) + 2] = 2  # text
    return struct.pack("<2sHI", b"II", 42, main_offset) + preview + sensor + make + main


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (camera_raw(b"NIKON CORPORATION\0"), "NEF"),
        (camera_raw(b"SONY\0"), "ARW"),
        (camera_raw(b"PENTAX\0"), "PEF"),
        (camera_raw(b"SAMSUNG\0"), "SRW"),
        (camera_raw(b"Somebody\0"), "TIFF/EP"),
        (camera_raw(b"Apple\0", is_dng=True), "DNG"),
        (camera_raw(b"Apple\0", is_dng=True, photometric=34892), "DNG"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(500), "CR2"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(500), "CR3"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(500), "RAF"),
        (b"IIU\0\x18\0\0\0" + bytes(500), "RW2"),
        (b"IIRO\x08\0\0\0" + bytes(500), "ORF"),
        (b"II\x1a\0\0\0HEAPCCDR" + bytes(500), "CRW"),
        (b"II*\0\x20\0\0\0IIII\1waR" + bytes(500), "IIQ"),
        (b"MM\0*\0\0\0\x20MMMM\1Raw" + bytes(500), "IIQ"),
    ],
)
def test_a_camera_raw_file_is_never_cut_out_from_its_thumbnail(data: bytes, name: str) -> None:
    with pytest.raises(PictureError, match=rf"camera raw file \({name}\)") as caught:
        codecs.open_header(data)
    assert caught.value.reason == "unsupported"


def test_a_camera_raw_file_in_a_big_tiff_is_found_too() -> None:
    below = struct.pack("<Q", 1) + struct.pack("<HHQQ", 262, 3, 1, 32803) + bytes(8)
    main = struct.pack("<Q", 2) + struct.pack("<HHQQ", 330, 18, 1, 16) + struct.pack("<HHQQ", 50706, 1, 4, 1) + bytes(8)
    data = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16 + len(below)) + below + main
    with pytest.raises(PictureError, match=r"camera raw file \(DNG\)"):
        codecs.open_header(data)


def test_a_tiff_of_a_scanner_or_a_photo_editor_is_no_camera_raw_file() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[50706] = "NIKON", b"\1\4\0\0"  # exiftool copies DNGVersion, too
    assert decoded(saved(noise(), "TIFF", exif=exif)).rgb.tobytes() == noise().tobytes()
    assert decoded(camera_raw(b"Canon\0", photometric=2)).rgb.size == (16, 12)


def bmp(alpha: int, header_size: int) -> bytes:
    """Return a BMP of 32 bits. With a header of 108 bytes or more, the fourth byte is declared to be the alpha."""
    source = noise().convert("RGB")
    pixels = Image.merge("RGBA", [*source.split(), Image.new("L", source.size, alpha)]).tobytes("raw", "BGRA", 0, -1)
    compression = 3 if header_size > 40 else 0
    header = struct.pack("<IiiHHIIiiII", header_size, 40, 30, 1, 32, compression, len(pixels), 0, 0, 0, 0)
    if header_size > 40:
        header += struct.pack("<4I4s", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, b"BGRs")
    header += bytes(header_size - len(header))
    return struct.pack("<2sIHHI", b"BM", 14 + len(header) + len(pixels), 0, 0, 14 + len(header)) + header + pixels


@pytest.mark.parametrize("header_size", [40, 108, 124])
def test_a_bmp_whose_alpha_is_0_everywhere_is_opaque(header_size: int) -> None:
    picture = decoded(bmp(0, header_size))
    assert picture.alpha is None
    assert picture.rgb.tobytes() == noise().tobytes()


def test_a_bmp_with_an_alpha_keeps_it() -> None:
    alpha = decoded(bmp(128, 108)).alpha
    assert alpha is not None
    assert alpha.getextrema() == (128, 128)


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "application/vnd.oasis.opendocument.text" if name == "mimetype" else "x" * 99)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.jpg"))
    return buffer.getvalue()


MP4 = bytes.fromhex("00000020667479706d703432000000006d7034326d70343169736f6d61766331") + b"\0\0\0\x08free"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (MP4, "a video"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0qt  \0\0\0\x08wide", "a video"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x84webm", "a video"),
        (b"RIFF\x24\0\0\0AVI LIST\x10\0\0\0hdrlavih", "a video"),
        (b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom", "a sound recording"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", "a sound recording"),
        (b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>", "a web page"),
        (b"\xef\xbb\xbf\n  <HTML lang=de>\n<body>Nicht gefunden</body>", "a web page"),
        (b"<!-- saved -->\n<!doctype HTML PUBLIC '-//W3C//DTD'>\n<html>", "a web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "a drawing of lines (SVG)"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript document"),
        (b"8BPS\0\1\0\0\0\0\0\0\0\3", "a Photoshop document"),
        (zipped("a.jpg"), "an archive of files"),
        (zipped("[Content_Types].xml", "word/document.xml"), "an office document"),
        (zipped("mimetype", "content.xml"), "an office document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64), "an office document"),
        (gzip.compress(b"x", mtime=0), "an archive of files"),
        (bz2.compress(b"x"), "an archive of files"),
        (lzma.compress(b"x"), "an archive of files"),
        (tarred(), "an archive of files"),
        (b"Rar!\x1a\x07\x01\0", "an archive of files"),
        (b'{"error": "not found"}', "a text"),
        ("Bild nicht gefunden, schöne Grüße\n".encode(), "a text"),
        ("Bild nicht gefunden\n".encode("utf-16"), "a text"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "a text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a text"),
        (b"\x7fELF\2\1\1", "a program"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(data: bytes, kind: str) -> None:
    with pytest.raises(PictureError) as caught:
        codecs.open_header(data)
    assert caught.value.reason == "unsupported"
    assert str(caught.value).startswith(f"this is {kind}, not a picture. ")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty. Copy or download it again."),
        (bytes(5000), "the file contains nothing but zeros. Copy or download it again."),
    ],
)
def test_an_empty_file_is_called_that_and_not_damaged(data: bytes, says: str) -> None:
    with pytest.raises(PictureError) as caught:
        codecs.open_header(data)
    assert (caught.value.reason, str(caught.value)) == ("unreadable", says)


def test_what_nothing_knows_is_not_guessed_at() -> None:
    data = bytes(range(128, 256)) * 40
    with pytest.raises(PictureError, match="this is not a kind of picture nobg can open"):
        codecs.open_header(data)


def test_a_damaged_picture_is_still_called_damaged() -> None:
    data = bytearray(saved(noise(64, 48), "PNG"))
    data[40:] = b"<html>" * 30
    with pytest.raises(PictureError) as caught:
        codecs.decode(codecs.open_header(bytes(data)))
    assert "a web page" not in str(caught.value)
    assert "empty" not in str(caught.value)


def test_an_eight_bit_tiff_is_not_told_to_become_one() -> None:
    data = b"II*\0\x08\0\0\0\1\0\3\1\3\0\1\0\0\0\x99\x99\0\0\0\0\0\0"
    with pytest.raises(PictureError) as caught:
        codecs.open_header(data)
    assert "bits" not in str(caught.value)
