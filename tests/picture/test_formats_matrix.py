"""Every kind of picture, made and read by programs that share no code with nobg."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import ROOT
from tests.picture.samples import (
    ANIMATION_OPTIONS,
    XMP,
    animation,
    decoded,
    heif_with_code_points,
    noise,
    rgba_pixels,
    rich_exif,
    saved,
)
from tests.support.pictures import HEIGHT, WIDTH, magick_pixels, make_tiff, run_tool, scene, scene8, vips_pixels
from watcher.errors import PictureError
from watcher.picture import codecs
from watcher.worker import protocol
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Worker

# Pillow warns of other programs' tags
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]

# Name of the file -> the command that makes it from the scene's files ({rgb16} and so on). The command loses nothing:
# the decoded pixels must be those of the source, but for rounding.
EXACT = {
    "interlaced.png": "convert {rgba8} -interlace PNG {out}",
    "interlaced16.png": "convert {rgba16} -interlace PNG {out}",
    "sixteen.png": "convert {rgba16} {out}",
    "none.tif": "convert {rgb8} -compress None {out}",
    "lzw.tif": "convert {rgb8} -compress LZW {out}",
    "packbits.tif": "convert {rgb8} -compress RLE {out}",
    "zstd.tif": "convert {rgb8} -compress ZSTD {out}",
    "none16.tif": "convert {rgb16} -compress None {out}",
    "lzw16.tif": "convert {rgb16} -compress LZW {out}",
    "deflate16.tif": "convert {rgb16} -compress Zip {out}",
    "packbits16.tif": "convert {rgb16} -compress RLE {out}",
    "zstd16.tif": "convert {rgb16} -compress ZSTD {out}",
    "lzma16.tif": "convert {rgb16} -compress LZMA {out}",
    "bigendian16.tif": "convert {rgb16} -endian MSB -compress LZW {out}",
    "alpha.tif": "convert {rgba8} -compress Zip {out}",
    "alpha16.tif": "convert {rgba16} -compress Zip {out}",
    "planes.tif": "convert {rgb8} -interlace plane {out}",
    "planes16.tif": "convert {rgba16} -interlace plane -compress LZW {out}",
    "planes16-msb.tif": "convert {rgba16} -interlace plane -endian MSB {out}",
    "float.tif": "convert {rgb16} -depth 32 -define quantum:format=floating-point {out}",
    "double.tif": "convert {rgb16} -depth 64 -define quantum:format=floating-point {out}",
    "thirtytwo.tif": "convert {rgb16} -depth 32 {out}",
    "tiles.tif": "vips tiffsave {rgba8} {out} --tile",
    "tiles16.tif": "vips tiffsave {rgba16} {out} --tile --tile-width 32 --tile-height 16",
    "bigtiff.tif": "vips tiffsave {rgb16} {out} --tile --bigtiff",
    "pyramid.tif": "vips tiffsave {rgb8} {out} --tile --pyramid",
    "predictor.tif": "vips tiffsave {rgba16} {out} --compression lzw --predictor horizontal",
    "predictor-tiles.tif": "vips tiffsave {rgb16} {out} --compression zstd --predictor horizontal --tile "
    "--tile-width 32 --tile-height 16",
    "float-predictor.tif": "vips tiffsave {float} {out} --compression deflate --predictor float",
    "float-predictor-tiles.tif": "vips tiffsave {float} {out} --compression lzw --predictor float --tile "
    "--tile-width 32 --tile-height 16",
    "plain.bmp": "convert {rgb8} {out}",
    "alpha.bmp": "convert {rgba8} {out}",
    "lossless.jxl": "cjxl -d 0 {rgb8} {out}",
    "alpha.jxl": "cjxl -d 0 {rgba8} {out}",
    "grey.jxl": "cjxl -d 0 {grey8} {out}",
    "sixteen.jxl": "cjxl -d 0 {rgba16} {out}",
}


# Pillow or libjxl rounds these, so that they may differ by one level.
ROUNDED = {"sixteen.jxl"}


@pytest.mark.parametrize("name", EXACT)
def test_what_another_program_stored_without_loss_comes_back_exactly(name: str, files: Path) -> None:
    path = make_file(files, name, EXACT[name])
    actual = rgba_pixels(decoded(path.read_bytes()))
    expected = scene8().astype(np.int64)
    if "grey8" in EXACT[name]:
        expected = np.dstack([expected[..., 1]] * 3 + [expected[..., 3]])
    if "rgba" not in EXACT[name]:
        expected[..., 3] = 255
    assert np.abs(actual - expected).max() <= (name in ROUNDED)


def make_file(files: Path, name: str, command: str) -> Path:
    """Make a file in the scene's folder, if it is not there yet."""
    path = files / name
    if "{float}" in command and not (files / "float.v").exists():
        run_tool("vips", "linear", files / "rgb16.png", files / "float.v", str(1 / 65535), "0")
    sources = {source.stem: source for source in [*files.glob("*.png"), *files.glob("*.v")]}
    if not path.exists():
        run_tool(*(part.format(out=path, **sources) for part in command.split()))
    return path


# Name of the file -> the command that makes it, and by how many levels a pixel may differ at most and on average from
# what a second program shows. These files differ from the scene (quantised, lossy, another colour space).
READ_BY_MAGICK = {
    "palette.png": ("convert {rgb8} -colors 99 PNG8:{out}", 0, 0.0),
    "palette-alpha.png": ("convert {rgba8} -colors 99 PNG8:{out}", 0, 0.0),
    "one.png": ("convert {grey8} -monochrome {out}", 0, 0.0),
    "two.png": ("convert {grey8} -depth 2 -define png:color-type=0 -define png:bit-depth=2 {out}", 0, 0.0),
    "four.png": ("convert {grey8} -depth 4 -define png:color-type=0 -define png:bit-depth=4 {out}", 0, 0.0),
    "grey-alpha16.png": ("convert {rgba16} -colorspace Gray -define png:color-type=4 {out}", 1, 0.6),
    "grey16.tif": ("convert {rgb16} -colorspace Gray -compress LZW {out}", 1, 0.6),
    "grey-alpha16.tif": ("convert {rgba16} -colorspace Gray -type GrayscaleAlpha {out}", 1, 0.6),
    "white-is-zero.tif": ("convert {grey8} -define quantum:polarity=min-is-white {out}", 0, 0.0),
    "white-is-zero16.tif": (
        "convert {rgb16} -colorspace Gray -endian MSB -define quantum:polarity=min-is-white {out}",
        1,
        0.6,
    ),
    "cmyk.tif": ("convert {rgb8} -colorspace CMYK -compress LZW {out}", 1, 0.6),
    "cmyk16.tif": ("convert {rgb16} -colorspace CMYK -compress Zip {out}", 1, 0.6),
    "palette.tif": ("convert {rgb8} -colors 99 -type Palette {out}", 1, 0.6),
    "fax.tif": ("convert {grey8} -monochrome -compress Group4 {out}", 0, 0.0),
    "jpeg.tif": ("convert {rgb8} -compress JPEG {out}", 0, 0.0),
    "progressive.jpg": ("convert {rgb8} -interlace JPEG {out}", 0, 0.0),
    "grey.jpg": ("convert {grey8} {out}", 0, 0.0),
    "cmyk.jpg": ("convert {rgb8} -colorspace CMYK {out}", 1, 0.6),
    "rle.bmp": ("convert {rgb8} -colors 64 -type Palette -compress RLE {out}", 0, 0.0),
    "five-six-five.bmp": ("convert {rgb8} -define bmp:subtype=RGB565 {out}", 8, 3.0),
    "plain.gif": ("convert {rgb8} {out}", 0, 0.0),
    "transparent.gif": ("convert {rgba8} {out}", 0, 0.0),
    "lossy.webp": ("convert {rgb8} -quality 80 {out}", 0, 0.0),
    "lossy-alpha.webp": ("convert {rgba8} -quality 80 {out}", 0, 0.0),
    "lossless.webp": ("convert {rgba8} -define webp:lossless=true {out}", 0, 0.0),
}


READ_BY_VIPS = {
    "straight.tif": ("convert {rgba16} -define tiff:alpha=unassociated {out}", 0, 0.0),
    "premultiplied16.tif": ("convert {rgba16} -define tiff:alpha=associated {out}", 0, 0.0),
    "photo.heic": ("heif-enc -q 90 {rgb8} -o {out}", 1, 0.1),
    "alpha.heic": ("heif-enc -q 90 {rgba8} -o {out}", 1, 0.1),
    "grey.heic": ("heif-enc -q 90 {grey8} -o {out}", 0, 0.0),
    "ten.heic": ("vips heifsave {rgb16} {out} --bitdepth 10 --Q 90", 1, 0.3),
    "twelve.heic": ("vips heifsave {rgb16} {out} --bitdepth 12 --Q 90", 1, 0.3),
    "full.heic": ("vips heifsave {rgb8} {out} --bitdepth 8 --Q 90 --subsample-mode off", 1, 0.1),
    "grey.avif": ("heif-enc -A -q 90 {grey8} -o {out}", 0, 0.0),
    "full.avif": ("vips heifsave {rgb8} {out} --bitdepth 8 --Q 90 --subsample-mode off --compression av1", 1, 0.3),
    "alpha.avif": ("heif-enc -A -q 90 {rgba8} -o {out}", 99, 3.0),  # colours at half size: there are ways to enlarge
    "twelve.avif": ("vips heifsave {rgb16} {out} --bitdepth 12 --Q 90 --compression av1", 3, 0.8),
    "lossy.jxl": ("cjxl -d 1 {rgb8} {out}", 1, 0.3),
    "lossy-alpha16.jxl": ("cjxl -d 1 {rgba16} {out}", 1, 0.6),
    "container.jxl": ("cjxl -d 1 --container=1 {rgb8} {out}", 1, 0.3),
}


@pytest.mark.parametrize("name", [*READ_BY_MAGICK, *READ_BY_VIPS])
def test_a_picture_looks_as_another_program_shows_it(name: str, files: Path, tmp_path: Path) -> None:
    command, max_difference, max_mean = {**READ_BY_MAGICK, **READ_BY_VIPS}[name]
    path = make_file(files, name, command)
    actual = rgba_pixels(decoded(path.read_bytes()))
    if name in READ_BY_MAGICK:
        expected = magick_pixels(path).astype(np.int64)
    else:
        expected = vips_pixels(path, tmp_path).astype(np.int64)
        actual = {1: actual[..., :1], 2: actual[..., 2:], 3: actual[..., :3], 4: actual}[expected.shape[2]]
    seen = expected[..., 3:] > 0 if expected.shape[2] == 4 else np.True_
    difference = np.abs(actual - expected) * seen
    assert (difference.max(), difference.mean()) <= (max_difference, difference.mean())
    assert difference.mean() <= max_mean


def test_a_jpeg_inside_a_jxl_is_the_same_picture(files: Path) -> None:
    jpeg = make_file(files, "inside.jpg", "convert {rgb8} -quality 90 {out}")
    jxl = files / "inside.jxl"
    run_tool("cjxl", jpeg, jxl)
    assert np.array_equal(rgba_pixels(decoded(jxl.read_bytes())), rgba_pixels(decoded(jpeg.read_bytes())))


def test_grey_with_alpha_and_sixteen_bits_in_a_jxl(files: Path) -> None:
    png = files / "deep-grey.png"
    pixels = scene()
    grey = np.dstack([pixels[..., 1], pixels[..., 3]]).astype("<u2")
    (files / "deep-grey.raw").write_bytes(grey.tobytes())
    size = ("-size", f"{WIDTH}x{HEIGHT}", "-depth", "16", "-endian", "LSB")
    run_tool("convert", *size, f"GRAYA:{files / 'deep-grey.raw'}", "-define", "png:exclude-chunk=gAMA", png)
    jxl = make_file(files, "deep-grey.jxl", f"cjxl -d 0 {png} {{out}}")
    actual = rgba_pixels(decoded(jxl.read_bytes()))
    assert np.abs(actual[..., 0] - scene8()[..., 1]).max() <= 1
    assert np.abs(actual[..., 3] - scene8()[..., 3]).max() <= 1


def test_lab_agrees_with_the_formulas() -> None:
    colours = scene8()[..., :3]
    lab = to_lab(colours)
    for pixels in lab_files(lab):
        picture = decoded(make_tiff(pixels, photometric=8))
        difference = np.abs(rgba_pixels(picture)[..., :3] - colours)
        assert picture.icc is None
        if pixels.dtype.itemsize == 1:  # a step of eight bits is many levels of a dark colour
            assert difference[colours.min(axis=2) > 40].max() <= 4
            assert difference.mean() < 1.5
        else:
            assert difference.max() <= 1


def lab_files(lab: NDArray[np.float64]) -> Iterator[NDArray[Any]]:
    """Yield the samples of Lab TIFFs: 8 bits (TIFF 6.0, section 23), and 16 bits as Photoshop writes them."""
    yield np.dstack([np.round(lab[..., 0] * 2.55), np.round(lab[..., 1:])]).astype(np.int64).astype(np.uint8)
    sixteen = np.round(lab * (655.35, 256, 256)).astype(np.int64).astype(np.uint16)
    yield sixteen
    yield sixteen.astype(">u2")


def to_lab(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert sRGB (IEC 61966-2-1) to Lab under D50 (CIE 15:2004, 8.2.1)."""
    code = colours / 255.0
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    # Bruce Lindbloom's matrix of sRGB, adapted to D50 by Bradford's method
    matrix = np.array(
        [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
    )
    ratio = linear @ matrix.T / (0.96422, 1.0, 0.82521)
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def test_floats_beyond_white_are_white_and_nan_is_black() -> None:
    values = np.array([[[0.5, -1.0, 7.0], [np.nan, np.inf, 1.0]]], np.float32)
    assert rgba_pixels(decoded(make_tiff(values, photometric=2)))[0, :, :3].tolist() == [[128, 0, 255], [0, 255, 255]]
    grey = np.array([[[0.25], [2.0]]], ">f4")
    assert rgba_pixels(decoded(make_tiff(grey, photometric=1)))[0, :, 0].tolist() == [64, 255]


def test_alpha_beside_cmyk_is_kept() -> None:
    values = np.array([[[0, 255, 255, 0, 255], [0, 0, 0, 0, 99]]], np.uint8)
    picture = decoded(make_tiff(values, photometric=5, extra=(2,)))
    assert rgba_pixels(picture)[0].tolist() == [[255, 0, 0, 255], [255, 255, 255, 99]]


def test_a_tiff_of_unknown_layout_fails_and_says_what_to_do() -> None:
    for data in (make_tiff(np.zeros((2, 2, 3), np.uint8), photometric=32845), make_tiff(np.zeros((2, 2, 1), "u8"), 1)):
        with pytest.raises(PictureError) as caught:
            decoded(data)
        assert caught.value.reason == "unsupported"
        assert str(caught.value).endswith("as PNG.")


# EXIF orientation -> the stored pixels of an upright picture (EXIF 3.0, table 6).
STORED_FROM_UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: np.rot90,
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


COMMANDS_BY_KIND = {
    "jpg": "convert {png} -quality 95 {out}",
    "png": "convert {png} {out}",
    "tif": "convert {png} -compress LZW {out}",
    "16.tif": "convert {png} -depth 16 {out}",
    "webp": "convert {png} -define webp:lossless=true {out}",
    "heic": "",
    "avif": "",
    "jxl": "cjxl -d 1 {png} {out}",
    "jpeg.jxl": "cjxl {jpg} {out}",
}


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", COMMANDS_BY_KIND)
def test_pictures_are_decoded_upright(kind: str, orientation: int, tmp_path: Path) -> None:
    upright = coloured_quarters()
    path = oriented_file(tmp_path, kind, orientation, STORED_FROM_UPRIGHT[orientation](upright))
    image = codecs.open_header(path.read_bytes())
    assert image.size in ((48, 32), (32, 48))
    assert_near(rgba_pixels(codecs.decode(image))[..., :3], upright)


def assert_near(actual: NDArray[Any], upright: NDArray[np.uint8]) -> None:
    assert actual.shape == upright.shape
    difference = np.abs(actual.astype(np.int64) - upright)[4::8, 4::8]  # away from the edges, which may be blurred
    assert difference.max() < 30  # any other orientation is 255 off somewhere


def coloured_quarters() -> NDArray[np.uint8]:
    """Return pixels (32, 48, 3) with a different colour in each quarter."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:16, :24] = (255, 0, 0)
    pixels[:16, 24:] = (0, 255, 0)
    pixels[16:, :24] = (0, 0, 255)
    pixels[16:, 24:] = 255
    return pixels


def oriented_file(folder: Path, kind: str, orientation: int, stored: NDArray[np.uint8]) -> Path:
    """Return a file, made by another program, whose tags have this orientation."""
    png, jpg, path = folder / "stored.png", folder / "stored.jpg", folder / f"turned.{kind}"
    Image.fromarray(np.ascontiguousarray(stored)).save(png)
    tag = (f"-Orientation#={orientation}", "-overwrite_original", "-q")
    if kind in ("heic", "avif"):  # heif-enc writes no orientation; Pillow's plugins write irot and imir
        exif = Image.Exif()
        exif[0x0112] = orientation
        full_colour = {"chroma": 444} if kind == "heic" else {"subsampling": "4:4:4"}
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif.tobytes(), quality=90, **full_colour)
        assert_near(vips_pixels(path, folder)[..., :3], coloured_quarters())
        return path
    if kind in ("jxl", "jpeg.jxl"):  # cjxl puts the orientation of EXIF into the codestream
        Image.fromarray(np.ascontiguousarray(stored)).save(jpg, quality=95, subsampling=0)
        run_tool("exiftool", *tag, jpg if kind == "jpeg.jxl" else png)
    run_tool(*(part.format(png=png, jpg=jpg, out=path) for part in COMMANDS_BY_KIND[kind].split()))
    if "jxl" not in kind:
        run_tool("exiftool", *tag, path)
    return path


def every_file(files: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of every file above, and of pictures with metadata, and of animations."""
    for name, command in EXACT.items():
        yield name, make_file(files, name, command).read_bytes()
    for name, (command, _, _) in {**READ_BY_MAGICK, **READ_BY_VIPS}.items():
        yield name, make_file(files, name, command).read_bytes()
    for number, pixels in enumerate(lab_files(to_lab(scene8()[..., :3]))):
        yield f"lab{number}.tif", make_tiff(pixels, photometric=8)
    yield "pq.avif", heif_with_code_points(files, "avif", (9, 16))
    exif = rich_exif().tobytes()
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF", "JXL"):
        yield f"exif {kind}", saved(noise(), kind, exif=exif, xmp=XMP, use_container=True)
    for kind, options in ANIMATION_OPTIONS:
        yield f"animation {kind}", animation(kind, **options)[0]


def test_every_way_of_decoding_works_in_the_jail(files: Path) -> None:
    command = [sys.executable, "-m", "tests.support.workers.jailed_decoder"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        sink, source = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
        message = protocol.read_message(source)
        assert message is not None
        assert message[0]["layers"]
        assert all(message[0]["refused"].values())
        for name, data in every_file(files):
            protocol.write_message(sink, {"id": name}, data)
            message = protocol.read_message(source)
            assert message is not None
            assert message[0]["state"] == "done", (name, message[0])
            assert message[0]["frames"] == (3 if name.startswith("animation") else 1)
            assert message[0].get("exif") or not name.startswith("exif"), name
        sink.close()


def test_heic_avif_and_jpeg_xl_pass_through_the_worker_and_damage_fails_alone(worker: Worker, files: Path) -> None:
    commands = {**EXACT, **{name: command for name, (command, _, _) in READ_BY_VIPS.items()}}
    good = {
        name: make_file(files, name, commands[name]).read_bytes() for name in ("ten.heic", "full.avif", "lossy.jxl")
    }
    signatures = {"heic": b"\0\0\0\x1cftypheic", "avif": b"\0\0\0\x1cftypavif", "jxl": b"\xff\x0a\0\0"}
    bad = {kind: signature + b"\0" * 99 for kind, signature in signatures.items()}
    for number, (name, data) in enumerate({**bad, **good}.items()):
        worker.send({"id": number, "force": True}, data)
        header, output = worker.receive(PICTURE_TIMEOUT_SECONDS)
        assert header["state"] == ("failed" if name in bad else "done"), (name, header)
        assert output.startswith(b"\x89PNG") is (name in good)
