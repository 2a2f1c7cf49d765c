"""Every kind of picture, against programs that share no code with ours: made by one of them, read by one of them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tests.conftest import ROOT
from tests.picture.test_codecs import MOVING, XMP, moving, noise, rich_exif, saved
from tests.support.pictures import (
    HEIGHT,
    WIDTH,
    magick_pixels,
    make_tiff,
    run_tool,
    scene,
    scene8,
    vips_pixels,
    write_scene,
)
from watcher.errors import PictureError
from watcher.picture import codecs, profiles
from watcher.worker import protocol
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Worker

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow remarks on other programs' tags


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scene in it, for the files made from it."""
    return write_scene(tmp_path_factory.mktemp("matrix"))


def read(data: bytes, metadata: str = "drop") -> codecs.Picture:
    return codecs.decode(codecs.open_header(data), metadata)


def rgba(picture: codecs.Picture) -> NDArray[np.int64]:
    """(H, W, 4)."""
    alpha = picture.alpha or Image.new("L", picture.rgb.size, 255)
    return np.dstack([np.asarray(picture.rgb), np.asarray(alpha)]).astype(np.int64)


# Name of the file -> how it is made: {rgb16} and the like are the scene's files, {out} is the result.
# The source says what the pixels must be, but for rounding: nothing is lost on the way.
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
# Pillow's and libjxl's own rounding: within one level.
ROUNDED = {"sixteen.jxl"}


@pytest.mark.parametrize("name", EXACT)
def test_what_another_program_stored_without_loss_comes_back_exactly(name: str, files: Path) -> None:
    path = make(files, name, EXACT[name])
    got = rgba(read(path.read_bytes()))
    want = scene8().astype(np.int64)
    if "grey8" in EXACT[name]:
        want = np.dstack([want[..., 1]] * 3 + [want[..., 3]])
    if "rgba" not in EXACT[name]:
        want[..., 3] = 255
    assert np.abs(got - want).max() <= (name in ROUNDED)


def make(files: Path, name: str, command: str) -> Path:
    path = files / name
    if "{float}" in command and not (files / "float.v").exists():
        run_tool("vips", "linear", files / "rgb16.png", files / "float.v", str(1 / 65535), "0")
    sources = {source.stem: source for source in [*files.glob("*.png"), *files.glob("*.v")]}
    if not path.exists():
        run_tool(*(part.format(out=path, **sources) for part in command.split()))
    return path


# Here the file is another picture than the scene (quantised, lossy, another colour space), and a second program says
# how it should look. The number: levels that a pixel may differ, and on average.
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
def test_it_looks_as_another_program_shows_it(name: str, files: Path, tmp_path: Path) -> None:
    command, most, mean = {**READ_BY_MAGICK, **READ_BY_VIPS}[name]
    path = make(files, name, command)
    got = rgba(read(path.read_bytes()))
    if name in READ_BY_MAGICK:
        want = magick_pixels(path).astype(np.int64)
    else:
        want = vips_pixels(path, tmp_path).astype(np.int64)
        got = {1: got[..., :1], 2: got[..., 2:], 3: got[..., :3], 4: got}[want.shape[2]]
    seen = want[..., 3:] > 0 if want.shape[2] == 4 else np.True_
    difference = np.abs(got - want) * seen
    assert (difference.max(), difference.mean()) <= (most, difference.mean())
    assert difference.mean() <= mean


def test_a_jpeg_inside_a_jxl_is_the_same_picture(files: Path) -> None:
    jpeg = make(files, "inside.jpg", "convert {rgb8} -quality 90 {out}")
    jxl = files / "inside.jxl"
    run_tool("cjxl", jpeg, jxl)
    assert np.array_equal(rgba(read(jxl.read_bytes())), rgba(read(jpeg.read_bytes())))


def test_grey_with_alpha_and_sixteen_bits_in_a_jxl(files: Path) -> None:
    png = files / "deep-grey.png"
    pixels = scene()
    grey = np.dstack([pixels[..., 1], pixels[..., 3]]).astype("<u2")
    (files / "deep-grey.raw").write_bytes(grey.tobytes())
    size = ("-size", f"{WIDTH}x{HEIGHT}", "-depth", "16", "-endian", "LSB")
    run_tool("convert", *size, f"GRAYA:{files / 'deep-grey.raw'}", "-define", "png:exclude-chunk=gAMA", png)
    jxl = make(files, "deep-grey.jxl", f"cjxl -d 0 {png} {{out}}")
    got = rgba(read(jxl.read_bytes()))
    assert np.abs(got[..., 0] - scene8()[..., 1]).max() <= 1
    assert np.abs(got[..., 3] - scene8()[..., 3]).max() <= 1


def test_lab_is_what_the_formulas_say() -> None:
    colours = scene8()[..., :3]
    lab = to_lab(colours)
    for pixels in lab_files(lab):
        picture = read(make_tiff(pixels, photometric=8))
        difference = np.abs(rgba(picture)[..., :3] - colours)
        assert picture.icc is None
        if pixels.dtype.itemsize == 1:  # a step of eight bits is many levels of a dark colour
            assert difference[colours.min(axis=2) > 40].max() <= 4
            assert difference.mean() < 1.5
        else:
            assert difference.max() <= 1


def lab_files(lab: NDArray[np.float64]) -> Iterator[NDArray[Any]]:
    """TIFF 6.0, section 23, and Photoshop's 16 bits."""
    yield np.dstack([np.round(lab[..., 0] * 2.55), np.round(lab[..., 1:])]).astype(np.int64).astype(np.uint8)
    sixteen = np.round(lab * (655.35, 256, 256)).astype(np.int64).astype(np.uint16)
    yield sixteen
    yield sixteen.astype(">u2")


def to_lab(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE 15:2004, 8.2.1, under D50, from sRGB (IEC 61966-2-1)."""
    code = colours / 255.0
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    # Bruce Lindbloom's matrix of sRGB, adapted to D50 by Bradford
    matrix = np.array(
        [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
    )
    ratio = linear @ matrix.T / (0.96422, 1.0, 0.82521)
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def test_fractions_beyond_white_are_white_and_what_is_no_number_is_black() -> None:
    values = np.array([[[0.5, -1.0, 7.0], [np.nan, np.inf, 1.0]]], np.float32)
    assert rgba(read(make_tiff(values, photometric=2)))[0, :, :3].tolist() == [[128, 0, 255], [0, 255, 255]]
    grey = np.array([[[0.25], [2.0]]], ">f4")
    assert rgba(read(make_tiff(grey, photometric=1)))[0, :, 0].tolist() == [64, 255]


def test_alpha_beside_cmyk_is_kept() -> None:
    values = np.array([[[0, 255, 255, 0, 255], [0, 0, 0, 0, 99]]], np.uint8)
    picture = read(make_tiff(values, photometric=5, extra=(2,)))
    assert rgba(picture)[0].tolist() == [[255, 0, 0, 255], [255, 255, 255, 99]]


def test_half_known_tiffs_say_what_to_do() -> None:
    for data in (make_tiff(np.zeros((2, 2, 3), np.uint8), photometric=32845), make_tiff(np.zeros((2, 2, 1), "u8"), 1)):
        with pytest.raises(PictureError) as caught:
            read(data)
        assert caught.value.reason == "unsupported"
        assert str(caught.value).endswith("as PNG.")


# EXIF 3.0, table 6: stored pixels of a picture that must be turned so.
STORED: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: np.rot90,
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}
TURNED = {
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
@pytest.mark.parametrize("kind", TURNED)
def test_pictures_stand_upright(kind: str, orientation: int, tmp_path: Path) -> None:
    upright = corners()
    path = turned(tmp_path, kind, orientation, STORED[orientation](upright))
    image = codecs.open_header(path.read_bytes())
    assert image.size in ((48, 32), (32, 48))
    assert_near(rgba(codecs.decode(image))[..., :3], upright)


def assert_near(got: NDArray[Any], upright: NDArray[np.uint8]) -> None:
    assert got.shape == upright.shape
    difference = np.abs(got.astype(np.int64) - upright)[4::8, 4::8]  # away from the edges, which may be blurred
    assert difference.max() < 30  # any other turn is 255 off somewhere


def corners() -> NDArray[np.uint8]:
    """(32, 48, 3): a colour for each quarter."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:16, :24] = (255, 0, 0)
    pixels[:16, 24:] = (0, 255, 0)
    pixels[16:, :24] = (0, 0, 255)
    pixels[16:, 24:] = 255
    return pixels


def turned(folder: Path, kind: str, orientation: int, stored: NDArray[np.uint8]) -> Path:
    """A file of another program whose tags ask for a turn."""
    png, jpg, path = folder / "stored.png", folder / "stored.jpg", folder / f"turned.{kind}"
    Image.fromarray(np.ascontiguousarray(stored)).save(png)
    tag = (f"-Orientation#={orientation}", "-overwrite_original", "-q")
    if kind in ("heic", "avif"):  # heif-enc writes no turn; these write irot and imir, and libvips reads them
        exif = Image.Exif()
        exif[0x0112] = orientation
        full = {"chroma": 444} if kind == "heic" else {"subsampling": "4:4:4"}
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif.tobytes(), quality=90, **full)
        assert_near(vips_pixels(path, folder)[..., :3], corners())
        return path
    if kind in ("jxl", "jpeg.jxl"):  # cjxl puts the orientation of EXIF into the codestream
        Image.fromarray(np.ascontiguousarray(stored)).save(jpg, quality=95, subsampling=0)
        run_tool("exiftool", *tag, jpg if kind == "jpeg.jxl" else png)
    run_tool(*(part.format(png=png, jpg=jpg, out=path) for part in TURNED[kind].split()))
    if "jxl" not in kind:
        run_tool("exiftool", *tag, path)
    return path


# Wide gamut: the pixels stay, the profile comes along.
KEEPS_PROFILE = {
    "jpg": "convert {png} -profile {icc} -quality 95 -sampling-factor 1x1 {out}",
    "png": "convert {png} -profile {icc} {out}",
    "tif": "convert {png} -profile {icc} -compress LZW {out}",
    "16.tif": "convert {png} -depth 16 -profile {icc} {out}",
    "webp": "convert {png} -profile {icc} -define webp:lossless=true {out}",
    "heic": "vips heifsave {tagged} {out} --bitdepth 8 --Q 95 --subsample-mode off",
    "avif": "vips heifsave {tagged} {out} --bitdepth 8 --Q 95 --subsample-mode off --compression av1",
    "jxl": "cjxl -d 0 {tagged} {out}",
}


@pytest.mark.parametrize("name", ["p3", "adobe"])
@pytest.mark.parametrize("kind", KEEPS_PROFILE)
def test_wide_gamut_stays_what_it_is(kind: str, name: str, files: Path, tmp_path: Path) -> None:
    icc, path, tagged = tmp_path / "wide.icc", tmp_path / f"wide.{kind}", tmp_path / "tagged.png"
    icc.write_bytes(libvips_p3(tmp_path) if name == "p3" else profiles.adobe_rgb())
    run_tool("convert", files / "rgb8.png", "-profile", icc, tagged)
    run_tool(
        *(part.format(png=files / "rgb8.png", icc=icc, tagged=tagged, out=path) for part in KEEPS_PROFILE[kind].split())
    )
    picture = read(path.read_bytes())
    assert picture.icc is not None
    assert same_colours(picture.icc, icc.read_bytes())
    if kind != "jxl":  # where the codestream names the colours, the decoder makes the profile
        assert picture.icc == icc.read_bytes()
    lossy = kind in ("jpg", "heic", "avif")
    want = vips_pixels(path, tmp_path)[..., :3] if lossy else scene8()[..., :3]
    assert np.abs(rgba(picture)[..., :3] - want).max() <= 1


def libvips_p3(folder: Path) -> bytes:
    """The Display P3 profile that comes with libvips."""
    Image.new("RGB", (8, 8)).save(folder / "black.png")
    run_tool("vips", "icc_transform", folder / "black.png", folder / "p3.png", "p3", "--input-profile", "srgb")
    with Image.open(folder / "p3.png") as image:
        return bytes(image.info["icc_profile"])


def in_srgb(icc: bytes, colours: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Colours (N, 3) of a profile in sRGB."""
    image = ImageCms.profileToProfile(
        Image.fromarray(colours[None]),
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert image is not None
    converted: NDArray[np.int64] = np.asarray(image)[0].astype(np.int64)
    return converted


def same_colours(one: bytes, other: bytes) -> bool:
    colours = np.random.default_rng(3).integers(0, 256, (400, 3), np.uint8)
    return int(np.abs(in_srgb(one, colours) - in_srgb(other, colours)).max()) <= 1


@pytest.mark.parametrize("kind", ["jpg", "tif", "16.tif"])
def test_cmyk_goes_through_its_profile_as_in_another_program(kind: str, files: Path, tmp_path: Path) -> None:
    cmyk, path, reference = tmp_path / "cmyk.tif", tmp_path / f"cmyk.{kind}", tmp_path / "reference.png"
    run_tool("vips", "icc_transform", files / "rgb8.png", cmyk, "cmyk", "--input-profile", "srgb")
    if kind == "16.tif":
        run_tool("convert", cmyk, "-depth", "16", "-compress", "LZW", path)
    else:
        run_tool("convert", cmyk, "-quality", "95", "-sampling-factor", "1x1", path)
    arguments = ("srgb", "--embedded", "--intent", "relative", "--black-point-compensation")
    run_tool("vips", "icc_transform", path, reference, *arguments)
    picture = read(path.read_bytes())
    assert picture.icc is None
    difference = np.abs(rgba(picture)[..., :3] - vips_pixels(reference, tmp_path)[..., :3])
    assert difference.max() <= 3
    assert difference.mean() <= 0.6
    plain = np.asarray(Image.open(path).convert("RGB")) if kind == "jpg" else None
    assert plain is None or np.abs(rgba(picture)[..., :3] - plain).mean() > 5  # the profile makes a difference


def test_a_grey_profile_is_applied(files: Path) -> None:
    gamma = grey_profile(profiles.gamma_curve(1.0))
    data = io.BytesIO()
    Image.open(files / "grey8.png").save(data, "PNG", icc_profile=gamma)
    picture = read(data.getvalue())
    linear = scene8()[..., 1] / 255
    want = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert picture.icc is None
    assert np.abs(rgba(picture)[..., 1] - want).max() <= 1.5


def grey_profile(curve: bytes) -> bytes:
    """A grey profile made of a colour one: ICC.1:2022, 8.4.2."""
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    data = profiles._assemble([(b"wtpt", white), (b"kTRC", curve)])
    return data[:16] + b"GRAY" + data[20:]


# Wide gamut without a profile: other tags.
def with_png_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """The chunk after the header."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:33] + chunk + data[33:]


def as_png() -> bytes:
    data = io.BytesIO()
    Image.fromarray(scene8()[..., :3].copy()).save(data, "PNG")
    return data.getvalue()


CODES = {(12, 13): "P3", (9, 13): "2020", (9, 1): "2020", (1, 8): "linear", (9, 16): "PQ", (9, 18): "HLG"}


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("kind", ["png", "heic", "avif"])
def test_colours_named_by_code_points_get_a_profile(codes: tuple[int, int], kind: str, files: Path) -> None:
    if kind == "png":
        data = with_png_chunk(as_png(), b"cICP", bytes([*codes, 0, 1]))
    else:
        data = tagged_heif(files, kind, codes)
    picture = read(data)
    assert picture.icc is not None
    assert picture.icc == profiles.from_cicp(*codes)
    assert profiles.is_usable(picture.icc)


def tagged_heif(files: Path, kind: str, codes: tuple[int, int]) -> bytes:
    """A file of libheif or libavif with other numbers in its colr box."""
    data = io.BytesIO()
    image = Image.open(files / "rgb8.png")
    if kind == "avif":
        image.save(data, "AVIF", quality=90)
    else:
        image.save(data, "HEIF", quality=90, color_primaries=9, transfer_characteristics=13, save_nclx_profile=True)
    raw = bytearray(data.getvalue())
    place = raw.index(b"colrnclx") + 8
    raw[place : place + 4] = struct.pack(">HH", *codes)
    return bytes(raw)


@pytest.mark.parametrize("kind", ["png", "heic", "avif"])
@pytest.mark.parametrize("codes", [(1, 13), (1, 1), (2, 2), (1, 6), (77, 99)])
def test_colours_named_srgb_or_nothing_known_need_no_profile(codes: tuple[int, int], kind: str, files: Path) -> None:
    if kind == "heic" and codes == (77, 99):
        pytest.skip("libheif refuses the whole file")
    data = (
        with_png_chunk(as_png(), b"cICP", bytes([*codes, 0, 1])) if kind == "png" else tagged_heif(files, kind, codes)
    )
    assert read(data).icc is None


def test_a_png_says_its_colours_by_gamma_and_chromaticities() -> None:
    p3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    data = with_png_chunk(as_png(), b"cHRM", struct.pack(">8I", *p3))
    icc = read(with_png_chunk(data, b"gAMA", struct.pack(">I", 45455))).icc
    assert icc is not None
    assert same_colours(icc, profiles.from_cicp(12, 13) or b"")
    linear = read(with_png_chunk(as_png(), b"gAMA", struct.pack(">I", 100000))).icc
    assert linear is not None
    assert same_colours(linear, profiles.from_cicp(1, 8) or b"")
    usual = with_png_chunk(as_png(), b"gAMA", struct.pack(">I", 45455))
    assert read(usual).icc is None
    assert read(with_png_chunk(data, b"sRGB", b"\0")).icc is None
    assert read(with_png_chunk(as_png(), b"gAMA", b"\0\0\0\0")).icc is None
    assert read(with_png_chunk(as_png(), b"cHRM", b"\0" * 32)).icc is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("space", "index", "is_adobe"), [(65535, "R03", True), (2, "R98", True), (65535, "R98", False)]
)
def test_adobe_rgb_is_known_by_exif(space: int, index: str, is_adobe: bool, kind: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = space
    exif.get_ifd(0x8769)[0xA005] = {1: index}
    data = io.BytesIO()
    Image.fromarray(scene8()[..., :3].copy()).save(data, kind, exif=exif.tobytes())
    assert read(data.getvalue()).icc == (profiles.adobe_rgb() if is_adobe else None)


@pytest.mark.parametrize("damage", [b"", b"nonsense" * 40, b"\0" * 16 + b"RGB " + b"\0" * 200])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_profile_that_is_nonsense_costs_no_picture_and_is_not_handed_on(damage: bytes, kind: str) -> None:
    data = io.BytesIO()
    Image.fromarray(scene8()[..., :3].copy()).save(data, kind, icc_profile=damage)
    picture = read(data.getvalue())
    assert picture.icc is None
    assert picture.rgb.size == (WIDTH, HEIGHT)


def made(files: Path) -> Iterator[tuple[str, bytes]]:
    """Everything above, and pictures with metadata, and animations."""
    for name, command in EXACT.items():
        yield name, make(files, name, command).read_bytes()
    for name, (command, _, _) in {**READ_BY_MAGICK, **READ_BY_VIPS}.items():
        yield name, make(files, name, command).read_bytes()
    for number, pixels in enumerate(lab_files(to_lab(scene8()[..., :3]))):
        yield f"lab{number}.tif", make_tiff(pixels, photometric=8)
    yield "pq.avif", tagged_heif(files, "avif", (9, 16))
    exif = rich_exif().tobytes()
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF", "JXL"):
        yield f"exif {kind}", saved(noise(), kind, exif=exif, xmp=XMP, use_container=True)
    for kind, options in MOVING:
        yield f"moving {kind}", moving(kind, **options)[0]


def test_every_way_of_decoding_works_in_the_jail(files: Path) -> None:
    command = [sys.executable, "-m", "tests.jailed_decoder"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        sink, source = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
        message = protocol.read_message(source)
        assert message is not None
        assert message[0]["walls"]
        assert all(message[0]["refused"].values())
        for name, data in made(files):
            protocol.write_message(sink, {"id": name}, data)
            message = protocol.read_message(source)
            assert message is not None
            assert message[0]["state"] == "done", (name, message[0])
            assert message[0]["frames"] == (3 if name.startswith("moving") else 1)
            assert message[0].get("exif") or not name.startswith("exif"), name
        sink.close()


def test_the_new_kinds_pass_through_the_worker_and_damaged_ones_fail_alone(worker: Worker, files: Path) -> None:
    commands = {**EXACT, **{name: command for name, (command, _, _) in READ_BY_VIPS.items()}}
    good = {name: make(files, name, commands[name]).read_bytes() for name in ("ten.heic", "full.avif", "lossy.jxl")}
    first = {"heic": b"\0\0\0\x1cftypheic", "avif": b"\0\0\0\x1cftypavif", "jxl": b"\xff\x0a\0\0"}
    bad = {kind: head + b"\0" * 99 for kind, head in first.items()}
    for name, data in {**bad, **good}.items():
        worker.send({"id": name, "force": True}, data)
        header, output = worker.receive(PICTURE_TIMEOUT_SECONDS)
        assert header["state"] == ("failed" if name in bad else "done"), (name, header)
        assert output.startswith(b"\x89PNG") is (name in good)
