"""`python -m tests.fuzz.make_corpus`: write the inputs that the search starts from. All are small, and made here."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from tests.fuzz import harnesses, menus
from tests.fuzz.messages import MODEL_BYTES
from tests.support.menus import SYSTEM_ACTIONS
from watcher.matting.touchup import hints
from watcher.matting.touchup.edits import STROKES, Edit, encode
from watcher.picture import codecs, profiles
from watcher.recipe import BUILT_IN

SIDE = 8


def main() -> None:
    """Write the corpus of every harness."""
    codecs.load_decoders()
    for name, makers in MAKERS.items():
        folder = harnesses.CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(data for maker in makers for data in maker()):
            (folder / f"{number:02}").write_bytes(data)


def photo(mode: str = "RGB") -> Image.Image:
    """A small picture of this mode, no two pixels alike."""
    ramp = np.arange(SIDE * SIDE * 3, dtype=np.uint8).reshape(SIDE, SIDE, 3)
    image = Image.fromarray(ramp)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(ramp[..., 0]))
        return image
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file of the picture."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif_blocks() -> Iterator[bytes]:
    """TIFFs as they are in EXIF: a camera's, one with places, one in the other byte order."""
    camera = Image.Exif()
    camera[0x0112], camera[0x010F], camera[0x011A], camera[0x011B] = 6, "Camera", 72, 72
    camera.get_ifd(0x8769).update({0x829A: 0.01, 0x9003: "2026:01:01 00:00:00", 0xA001: 2, 0x927C: b"note"})
    yield camera.tobytes().removeprefix(b"Exif\0\0")
    camera.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
    camera.get_ifd(0x8769)[0xA005] = {1: "R03"}
    yield camera.tobytes().removeprefix(b"Exif\0\0")
    yield b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)


def xmp_packets() -> Iterator[bytes]:
    """XMP with both ways to write an orientation."""
    yield b"<rdf:Description tiff:Orientation='6'/><tiff:Orientation> 8 </tiff:Orientation>"


def jpegs() -> Iterator[bytes]:
    """JPEGs: sequential, progressive, grey, cut off."""
    exif = b"Exif\0\0" + next(exif_blocks())
    yield saved(photo(), "JPEG", exif=exif)
    yield saved(photo(), "JPEG", progressive=True)
    yield saved(photo("L"), "JPEG")
    yield saved(photo("CMYK"), "JPEG", progressive=True)[:-8]


def animations() -> Iterator[bytes]:
    """Animations of three frames, and still PNGs with chunks that nobg reads."""
    frames = {"save_all": True, "append_images": [photo().rotate(90), photo().rotate(180)], "duration": 50}
    yield saved(photo(), "GIF", **frames, loop=2)
    yield saved(photo("P"), "GIF", **frames, transparency=3)
    yield saved(photo("RGBA"), "PNG", **frames)
    yield saved(photo("RGBA"), "PNG", **frames, default_image=True)
    yield saved(photo("RGBA"), "WEBP", **frames, lossless=True)
    yield from pngs()


def pngs() -> Iterator[bytes]:
    """Still PNGs of several depths."""
    text = PngImagePlugin.PngInfo()
    text.add(b"cICP", bytes([9, 16, 0, 1]))
    text.add(b"gAMA", struct.pack(">I", 50000))
    text.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))
    yield saved(photo(), "PNG", pnginfo=text, icc_profile=profiles.adobe_rgb())
    yield saved(photo("P"), "PNG", transparency=3)
    yield saved(photo("L").convert("I;16"), "PNG")
    yield saved(photo("1"), "PNG", transparency=1)


def tiffs() -> Iterator[bytes]:
    """TIFFs: those that Pillow decodes, and those that nobg decodes."""
    yield saved(photo(), "TIFF", compression="tiff_lzw")
    yield saved(photo("CMYK"), "TIFF")
    yield saved(photo("L").convert("I;16"), "TIFF", compression="tiff_adobe_deflate")
    yield saved(photo("RGBA"), "TIFF", tiffinfo={0x0112: 6})
    yield saved(photo(), "TIFF", compression="jpeg")
    for photometric, samples, extra, sample_format, planar in ((2, 3, 0, 1, 1), (2, 4, 1, 3, 2), (8, 4, 2, 1, 1)):
        yield deep_tiff(photometric, samples, extra, sample_format, planar)


def deep_tiff(photometric: int, samples: int, extra: int, sample_format: int, planar: int) -> bytes:
    """An uncompressed TIFF with 16 bits a sample and a strip for each four rows (of each plane)."""
    planes = samples if planar == 2 else 1
    strip_bytes = SIDE * 4 * 2 * samples // planes
    strips = planes * SIDE // 4
    values = [
        (256, [SIDE]),
        (257, [SIDE]),
        (258, [16] * samples),
        (259, [1]),
        (262, [photometric]),
        (273, [strip_bytes * number for number in range(strips)]),
        (277, [samples]),
        (278, [4]),
        (279, [strip_bytes] * strips),
        (284, [planar]),
        (338, [extra]),
        (339, [sample_format] * samples),
    ]
    directory, outside = struct.pack("<H", len(values)), b""
    start = 8 + 2 + 12 * len(values) + 4
    data_start = start + sum(4 * len(numbers) for _, numbers in values if len(numbers) > 1)
    for tag, stored in values:
        numbers = [data_start + number for number in stored] if tag == 273 else stored
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        directory += struct.pack("<HHI", tag, 4, len(numbers))
        directory += packed if len(packed) == 4 else struct.pack("<I", start + len(outside))
        outside += packed if len(packed) > 4 else b""
    pixels = bytes(index % 251 for index in range(strip_bytes * strips))
    return b"II*\0" + struct.pack("<I", 8) + directory + b"\0\0\0\0" + outside + pixels


def odd_tiffs() -> Iterator[bytes]:
    """TIFFs in which one number is infinity, no number, a division by zero, text, or not there."""
    numbers = struct.pack("<IId", 1, 0, float("inf"))
    sound = [(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 1, 16), (259, 3, 1, 6), (262, 3, 1, 1), (273, 4, 1, 160)]
    sound += [(277, 3, 1, 1), (279, 4, 1, 32), (513, 4, 1, 160), (514, 4, 1, 32)]
    odd = ((11, 1, 0x7F800000), (11, 1, 0x7FC00000), (5, 1, 142), (12, 1, 150), (2, 1, 0x41), (4, 0, 0))
    for index, (tag, *_) in enumerate(sound):
        kind, count, value = odd[index % len(odd)]
        entries = [*sound[:index], (tag, kind, count, value), *sound[index + 1 :]]
        directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        start = b"II*\0" + struct.pack("<I", 8) + directory + bytes(4)
        yield start.ljust(142, b"\0") + numbers + bytes(50)


def odd_exif() -> Iterator[bytes]:
    """EXIF in which one tag that nobg reads is of an odd type."""
    odd = ((11, 1, 0x7F800000), (5, 1, 40), (12, 1, 48), (2, 4, 0x31313131), (4, 0, 0), (13, 1, 8), (10, 1, 40))
    for number, tag in enumerate((0x0112, 0x011A, 0x0128, 0x8769, 0x8825, 0xA005, 0x010F)):
        for kind, count, value in (odd[number], odd[(number + 3) % len(odd)]):
            entry = struct.pack("<HHHII", 1, tag, kind, count, value)
            yield (b"II*\0" + struct.pack("<I", 8) + entry).ljust(40, b"\0") + struct.pack("<IId", 1, 0, float("inf"))


def packed_tiffs() -> Iterator[bytes]:
    """A TIFF of 12 bits a sample, and old-style JPEG whose tables are in tags: made of a JPEG's parts."""
    start = 8 + 2 + 12 * 9 + 4
    page = [(256, SIDE), (257, SIDE), (258, 12), (259, 1), (262, 1), (273, start), (277, 1), (278, SIDE), (279, 96)]
    yield _one_page(page) + bytes(range(96))
    encoded = saved(photo("L"), "JPEG")
    quantization, dc, ac = (encoded.index(mark) for mark in (b"\xff\xdb", b"\xff\xc4\0\x1f\0", b"\xff\xc4\0\xb5\x10"))
    scan = encoded.index(b"\xff\xda") + 10
    start = 8 + 2 + 12 * 12 + 4
    page = [(256, SIDE), (257, SIDE), (258, 8), (259, 6), (262, 1), (273, start + scan), (277, 1), (278, SIDE)]
    page += [(279, len(encoded) - scan), (519, start + quantization + 5), (520, start + dc + 5), (521, start + ac + 5)]
    yield _one_page(page) + encoded


def _one_page(entries: list[tuple[int, int]]) -> bytes:
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries
    )
    return b"II*\0" + struct.pack("<I", 8) + directory + bytes(4)


def other_files() -> Iterator[bytes]:
    """Files that are no pictures, and TIFFs whose first page is a preview, the second with longer numbers."""
    yield b'<?xml version="1.0"?><!-- a --><!DOCTYPE svg [<!ENTITY a "b">]> <svg xmlns="x"/>'
    yield b"<!DOCTYPE html>\n<!-- a --><html><body>\xc3\xa4</body></html>"
    yield "a text\n".encode("utf-16")
    yield b"PK\3\4" + bytes(26) + b"word/document.xml"
    yield b"\0\0\0\x18ftypisom\0\0\0\1isommp42" + b"\0\0\0\x08moov"
    preview, full = struct.pack("<HHHII", 2, 254, 4, 1, 1), struct.pack("<HHHII", 2, 254, 4, 1, 0)
    pixels = struct.pack("<HHII", 273, 4, 1, 8)
    yield b"II*\0" + struct.pack("<I", 8) + preview + pixels + struct.pack("<I", 38) + full + pixels + bytes(4)
    entry = struct.pack(">HHQQ", 273, 16, 1, 16)
    yield b"MM\0+\0\x08\0\0" + struct.pack(">Q", 16) + struct.pack(">Q", 1) + entry + bytes(8)


def modern_stills() -> Iterator[bytes]:
    """One picture of each kind that is made of boxes, or of its own header."""
    exif = b"Exif\0\0" + next(exif_blocks())
    yield saved(photo(), "HEIF", exif=exif)
    yield saved(photo(), "AVIF", exif=exif)
    yield saved(photo("RGBA"), "WEBP")
    yield saved(photo(), "GIF")
    yield saved(photo(), "BMP")


def jxls() -> Iterator[bytes]:
    """JPEG XL: the headers of bare files and of containers."""
    yield saved(photo(), "JXL")
    yield saved(photo(), "JXL", lossless=True, use_container=True, exif=next(exif_blocks()))
    codestream = b"\xff\x0a" + bytes([0b11100001, 0b10010110, 0x55, 0x3C, 0, 0])
    boxes = ((b"ftyp", b"jxl \0\0\0\0jxl "), (b"Exif", b"\0\0\0\0II*\0"), (b"xml ", b"<x/>"), (b"jxlp", bytes(4)))
    container = b"\0\0\0\x0cJXL \r\n\x87\n"
    for kind, content in (*boxes, (b"jxlp", b"\x80\0\0\1" + codestream), (b"jxlc", codestream)):
        container += struct.pack(">I4s", 8 + len(content), kind) + content
    yield container


def icc_profiles() -> Iterator[bytes]:
    """Profiles: nobg's own, littlecms' sRGB, and one without a table."""
    yield profiles.adobe_rgb()
    yield profiles.without_names(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    yield profiles.build_profile(profiles.DISPLAY_P3, struct.pack(">4sIIH", b"curv", 0, 1, 0x0233))
    yield struct.pack("9d", 0.5, 0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)


def configurations() -> Iterator[bytes]:
    """Settings: as people write them, and wrong ones."""
    yield (
        b'model = "best"\nrecipe = "shop"\nnotifications = false\nprovider = "cpu"\n\n[recipes.shop]\nmenu = true\n'
        b'label = "For the shop"\nbackground = "#fff"\ncanvas = "1:1"\npadding = "5%"\nformat = "jpeg"\nquality = 90\n'
        b'\n[[folders]]\npath = "/a"\nrecursive = true\nrecipe = "white"\nmove_originals = "done"\n'
        b'\n[[folders]]\npath = "~/b"\noutput = "out"\nmask = true\nshadow = 3\n'
    )
    yield b'[recipes.a]\ncrop = true\n"effort" = \'small\'\n[recipes."b c"]\nlongest_side = 99999\n'
    yield b"a.b.c = [[1, {x = 2}], [3]]\nd = 2026-01-01T00:00:00Z\ne = 1e5\n"


def recipes() -> Iterator[bytes]:
    """Recipes: as a person's settings, and as the journal's keys."""
    yield from (recipe.key().encode() for recipe in BUILT_IN.values())
    yield json.dumps({"background": "/a/b.png", "fit": "contain", "suffix": "_x", "output": "~/out"}).encode()
    yield json.dumps({"canvas": "20x30", "padding": "3px", "placement": "top", "quality": "7"}).encode()
    yield json.dumps({"background": "2f612e706e67", "folder": "2f61", "crop": "5%", "canvas": "1:1"}).encode()


def job_rows() -> Iterator[bytes]:
    """A row as nobg writes it, and one of other kinds of values (settings.row() reads them)."""
    real = [b"/a.jpg", "{}", 1, "ab", "best", "done", None, None, "clear", 1, 0, 0.5, b"/a.png", "cd", 1, "x", None]
    yield packed_row([*real, 0, 0, None, None, 1.5, 2.5, 3.5, 0, "first_frame"])
    yield packed_row(["/a.jpg", '{"folder": "zz"}', 1.5, b"ab"])


def packed_row(values: list[Any]) -> bytes:
    """The bytes from which settings.row() makes these values."""
    result = b""
    for value in values:
        kind, chunk = 0, b""
        if isinstance(value, int):
            kind, chunk = 1, value.to_bytes(8, signed=True)
        elif isinstance(value, float):
            kind, chunk = 2, struct.pack("d", value)
        elif isinstance(value, str):
            kind, chunk = 3, value.encode()
        elif isinstance(value, bytes):
            kind, chunk = 4, value
        result += bytes([kind, len(chunk)]) + chunk
    return result


def messages() -> Iterator[bytes]:
    """Two messages of the worker."""
    result = b""
    for header, payload in (({"id": 1, "frames": 2}, b""), ({"id": 1, "state": "done", "notes": []}, b"\x89PNG")):
        encoded = json.dumps({**header, "size": len(payload)}).encode()
        result += struct.pack(">I", len(encoded)) + encoded + payload
    yield result


def touchup_headers() -> Iterator[bytes]:
    """Answers of a worker in touch-up mode, and requests of the window."""
    yield json.dumps({"state": "done", "width": 4, "height": 2, "notes": ["first_frame"]}).encode()
    yield json.dumps({"state": "done", "changed": [0, 1, 2, 3], "area": 0.5, "ways": ["fast", "best"]}).encode()
    yield json.dumps({"state": "failed", "reason": "unreadable", "detail": "x"}).encode()
    yield json.dumps({"touchup": "tile", "layer": "way:best", "box": [0, 0, 40, 20], "pixels": [4, 2]}).encode()


def edit_lists() -> Iterator[bytes]:
    """Edits with every tool."""
    points = ((1.5, 2.0), (30.0, 40.25))
    strokes = [Edit(tool, points, 20.0, 0.5, exact=tool == "erase") for tool in STROKES]
    others = [*hints.make((1, 2, 30, 40), [(5, 6)], [(7, 8)], "largest"), Edit("way", name="best")]
    yield encode([*strokes, *others]).encode()
    yield b'[{"tool": "keep", "points": [[1e308, -1e308]], "size": NaN}]'


def zip_packages() -> Iterator[bytes]:
    """A wheel with a file of a model's size, stored in each way."""
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as package:
            package.writestr(zipfile.ZipInfo("a/model.onnx"), bytes(MODEL_BYTES), method)
            package.writestr(zipfile.ZipInfo("a/readme.txt"), b"text", method)
        yield buffer.getvalue()


def npm_packages() -> Iterator[bytes]:
    """The unpacked npm package: two pieces and their list, in each of tar's formats."""
    pieces = [bytes(MODEL_BYTES // 2), b"\1" * (MODEL_BYTES // 2)]
    names = [hashlib.sha256(piece).hexdigest() for piece in pieces]
    half = MODEL_BYTES // 2
    chunks = [{"hash": names[0], "offsets": [0, half]}, {"hash": names[1], "offsets": [half, MODEL_BYTES]}]
    index = {"/models/isnet": {"size": MODEL_BYTES, "mime": "x", "chunks": chunks}}
    files = [*zip(names, pieces, strict=True), ("resources.json", json.dumps(index).encode())]
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form, bufsize=512) as package:
            for name, data in files:
                entry = tarfile.TarInfo(f"package/dist/{name}")
                entry.size = len(data)
                entry.pax_headers = {"comment": "x" * 40} if form == tarfile.PAX_FORMAT else {}
                package.addfile(entry, io.BytesIO(data))
        yield buffer.getvalue().rstrip(b"\0") + bytes(1024)


def uca_files() -> Iterator[bytes]:
    """Thunar's actions: the system's, with nobg's, none, in another encoding."""
    yield SYSTEM_ACTIONS
    yield menus.custom_actions().insert(SYSTEM_ACTIONS)
    yield b"<actions/>"
    yield b'<?xml version="1.0" encoding="ISO-8859-1"?>\r\n<actions>\r\n<action><name>\xe4</name></action></actions>'


def mimeapps_lists() -> Iterator[bytes]:
    """The person's default applications."""
    yield b"[Default Applications]\nimage/png=a.desktop;\ntext/x=b.desktop\n\n[Added Associations]\nimage/png=c.desktop"
    yield menus.default_applications().insert(b"# mine\r\n[Removed Associations]\r\nimage/jpeg=viewer.desktop;\r\n")


def desktop_entries() -> Iterator[bytes]:
    """The autostart entry of nobg, as it is written and as desktops change it."""
    entry = b"[Desktop Entry]\nType=Application\nName=nobg\nExec=/usr/bin/nobg run\nTryExec=/usr/bin/nobg\n"
    yield entry
    yield entry + b"Hidden=true\nX-GNOME-Autostart-enabled=false\nX-GNOME-Autostart-Delay=3\nOnlyShowIn=GNOME;X;\n"


def menu_records() -> Iterator[bytes]:
    """The record of what nobg installed."""
    entry = {"kind": "file", "address": "/a", "sha256": ["ab"], "client": ["/b"], "users": ["thunar"]}
    merged = {"kind": "thunar", "address": "/c", "sha256": "ab", "before": None, "part": None}
    entries = {"/a": entry, "/c": {**merged, "client": ["/b"], "users": ["thunar"]}}
    yield json.dumps({"entries": entries, "folders": ["/d"]}).encode()
    yield b'{"entries": {"/a": {"users": null}}, "folders": []}'


MAKERS = {
    "containers": (modern_stills, pngs, jpegs, tiffs, jxls, other_files),
    "tiff_layout": (tiffs, odd_tiffs, packed_tiffs),
    "tiff": (tiffs, odd_tiffs, packed_tiffs),
    "jpeg": (jpegs,),
    "jxl": (jxls,),
    "metadata": (exif_blocks, xmp_packets, odd_exif),
    "profiles": (icc_profiles,),
    "frames": (animations,),
    "config": (configurations,),
    "recipe": (recipes,),
    "job_row": (job_rows,),
    "protocol": (messages,),
    "touchup": (touchup_headers,),
    "edits": (edit_lists,),
    "zip_package": (zip_packages,),
    "npm_package": (npm_packages,),
    "uca_xml": (uca_files,),
    "mimeapps": (mimeapps_lists,),
    "desktop_entry": (desktop_entries,),
    "menu_json": (menu_records,),
}
"""Harness -> the functions that make its corpus."""

if __name__ == "__main__":
    main()
