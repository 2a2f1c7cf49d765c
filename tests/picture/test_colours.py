"""Colour profiles and colour tags in files of every kind, compared with programs that share no code with nobg."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tests.picture.samples import decoded, heif_with_code_points, png_chunk, rgba_pixels
from tests.support.pictures import HEIGHT, WIDTH, run_tool, scene8, vips_pixels
from watcher.picture import profiles

# Pillow warns of other programs' tags
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]


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
"""Kind of file -> the command that makes it: {png} has no profile, {tagged} is the same picture with {icc}."""


@pytest.mark.parametrize("name", ["p3", "adobe"])
@pytest.mark.parametrize("kind", KEEPS_PROFILE)
def test_a_wide_gamut_picture_keeps_its_pixels_and_profile(kind: str, name: str, files: Path, tmp_path: Path) -> None:
    icc, path, tagged = tmp_path / "wide.icc", tmp_path / f"wide.{kind}", tmp_path / "tagged.png"
    icc.write_bytes(libvips_p3(tmp_path) if name == "p3" else profiles.adobe_rgb())
    run_tool("convert", files / "rgb8.png", "-profile", icc, tagged)
    run_tool(
        *(part.format(png=files / "rgb8.png", icc=icc, tagged=tagged, out=path) for part in KEEPS_PROFILE[kind].split())
    )
    picture = decoded(path.read_bytes())
    assert picture.icc is not None
    assert same_colours(picture.icc, icc.read_bytes())
    if kind != "jxl":  # the codestream names the colours, and the decoder builds the profile
        assert picture.icc == icc.read_bytes()
    lossy = kind in ("jpg", "heic", "avif")
    expected = vips_pixels(path, tmp_path)[..., :3] if lossy else scene8()[..., :3]
    assert np.abs(rgba_pixels(picture)[..., :3] - expected).max() <= 1


def libvips_p3(folder: Path) -> bytes:
    """Return the Display P3 profile that comes with libvips."""
    Image.new("RGB", (8, 8)).save(folder / "black.png")
    run_tool("vips", "icc_transform", folder / "black.png", folder / "p3.png", "p3", "--input-profile", "srgb")
    with Image.open(folder / "p3.png") as image:
        return bytes(image.info["icc_profile"])


def in_srgb(icc: bytes, colours: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return colours (N, 3) of a profile in sRGB."""
    image = ImageCms.profileToProfile(
        Image.fromarray(colours[None]),
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert image is not None
    converted: NDArray[np.int64] = np.asarray(image)[0].astype(np.int64)
    return converted


def same_colours(first: bytes, second: bytes) -> bool:
    """Return whether two profiles describe the same colours, up to one level in sRGB."""
    colours = np.random.default_rng(3).integers(0, 256, (400, 3), np.uint8)
    return int(np.abs(in_srgb(first, colours) - in_srgb(second, colours)).max()) <= 1


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
    picture = decoded(path.read_bytes())
    assert picture.icc is None
    difference = np.abs(rgba_pixels(picture)[..., :3] - vips_pixels(reference, tmp_path)[..., :3])
    assert difference.max() <= 3
    assert difference.mean() <= 0.6
    plain = np.asarray(Image.open(path).convert("RGB")) if kind == "jpg" else None
    assert plain is None or np.abs(rgba_pixels(picture)[..., :3] - plain).mean() > 5  # the profile makes a difference


def test_a_grey_profile_is_applied(files: Path) -> None:
    gamma = grey_profile(profiles.gamma_curve(1.0))
    data = io.BytesIO()
    Image.open(files / "grey8.png").save(data, "PNG", icc_profile=gamma)
    picture = decoded(data.getvalue())
    linear = scene8()[..., 1] / 255
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert picture.icc is None
    assert np.abs(rgba_pixels(picture)[..., 1] - expected).max() <= 1.5


def grey_profile(curve: bytes) -> bytes:
    """Return a grey profile (ICC.1:2022, 8.4.2), made from the parts of a colour profile."""
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    data = profiles._assemble([(b"wtpt", white), (b"kTRC", curve)])
    return data[:16] + b"GRAY" + data[20:]


def with_png_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """Return the PNG `data` with one more chunk after its header."""
    return data[:33] + png_chunk(kind, body) + data[33:]


def png_of_the_scene() -> bytes:
    data = io.BytesIO()
    Image.fromarray(scene8()[..., :3].copy()).save(data, "PNG")
    return data.getvalue()


CODE_POINTS = {(12, 13): "P3", (9, 13): "2020", (9, 1): "2020", (1, 8): "linear", (9, 16): "PQ", (9, 18): "HLG"}


@pytest.mark.parametrize("code_points", CODE_POINTS)
@pytest.mark.parametrize("kind", ["png", "heic", "avif"])
def test_code_points_of_other_colours_give_a_profile(code_points: tuple[int, int], kind: str, files: Path) -> None:
    if kind == "png":
        data = with_png_chunk(png_of_the_scene(), b"cICP", bytes([*code_points, 0, 1]))
    else:
        data = heif_with_code_points(files, kind, code_points)
    picture = decoded(data)
    assert picture.icc is not None
    assert picture.icc == profiles.from_cicp(*code_points)
    assert profiles.is_usable(picture.icc)


@pytest.mark.parametrize("kind", ["png", "heic", "avif"])
@pytest.mark.parametrize("code_points", [(1, 13), (1, 1), (2, 2), (1, 6), (77, 99)])
def test_code_points_of_srgb_or_unknown_give_no_profile(code_points: tuple[int, int], kind: str, files: Path) -> None:
    if kind == "heic" and code_points == (77, 99):
        pytest.skip("libheif refuses the whole file")
    if kind == "png":
        data = with_png_chunk(png_of_the_scene(), b"cICP", bytes([*code_points, 0, 1]))
    else:
        data = heif_with_code_points(files, kind, code_points)
    assert decoded(data).icc is None


def test_gamma_and_chromaticities_of_a_png_give_a_profile() -> None:
    p3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    data = with_png_chunk(png_of_the_scene(), b"cHRM", struct.pack(">8I", *p3))
    icc = decoded(with_png_chunk(data, b"gAMA", struct.pack(">I", 45455))).icc
    assert icc is not None
    assert same_colours(icc, profiles.from_cicp(12, 13) or b"")
    linear = decoded(with_png_chunk(png_of_the_scene(), b"gAMA", struct.pack(">I", 100000))).icc
    assert linear is not None
    assert same_colours(linear, profiles.from_cicp(1, 8) or b"")
    usual = with_png_chunk(png_of_the_scene(), b"gAMA", struct.pack(">I", 45455))
    assert decoded(usual).icc is None
    assert decoded(with_png_chunk(data, b"sRGB", b"\0")).icc is None
    assert decoded(with_png_chunk(png_of_the_scene(), b"gAMA", b"\0\0\0\0")).icc is None
    assert decoded(with_png_chunk(png_of_the_scene(), b"cHRM", b"\0" * 32)).icc is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("space", "index", "is_adobe"), [(65535, "R03", True), (2, "R98", True), (65535, "R98", False)]
)
def test_adobe_rgb_is_recognised_by_exif(space: int, index: str, is_adobe: bool, kind: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = space
    exif.get_ifd(0x8769)[0xA005] = {1: index}
    data = io.BytesIO()
    Image.fromarray(scene8()[..., :3].copy()).save(data, kind, exif=exif.tobytes())
    assert decoded(data.getvalue()).icc == (profiles.adobe_rgb() if is_adobe else None)


@pytest.mark.parametrize("damage", [b"", b"nonsense" * 40, b"\0" * 16 + b"RGB " + b"\0" * 200])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_damaged_profile_is_dropped_and_the_picture_is_decoded(damage: bytes, kind: str) -> None:
    data = io.BytesIO()
    Image.fromarray(scene8()[..., :3].copy()).save(data, kind, icc_profile=damage)
    picture = decoded(data.getvalue())
    assert picture.icc is None
    assert picture.rgb.size == (WIDTH, HEIGHT)
