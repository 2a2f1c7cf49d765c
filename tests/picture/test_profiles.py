"""Tests of profiles.py."""

import datetime as dt
import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from watcher.picture import profiles

COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 100, 50], [12, 200, 160], [128, 128, 128]], np.uint8)


def in_srgb(icc: bytes, colours: NDArray[np.uint8] = COLOURS) -> NDArray[np.uint8]:
    """Return colours (N, 3) of a profile in sRGB, as littlecms computes them."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    srgb = ImageCms.createProfile("sRGB")
    intent, exact = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.NOOPTIMIZE
    image = ImageCms.profileToProfile(
        Image.fromarray(colours[None]), profile, srgb, renderingIntent=intent, flags=exact
    )
    assert image is not None
    converted: NDArray[np.uint8] = np.asarray(image)[0]
    return converted


def srgb_by_formula(matrix: list[list[float]], light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert linear light by `matrix` to sRGB codes, 0..255 (IEC 61966-2-1), clipped."""
    linear = np.clip(light @ np.array(matrix).T, 0, 1)
    codes: NDArray[np.float64] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return codes * 255


def linear_light(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert sRGB codes, 0..255, to linear light, 0..1 (IEC 61966-2-1)."""
    code = colours / 255.0
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


# Published: CSS Color 4's sample code (P3), BT.2407 (2020, table 3-1's inverse), Lindbloom (Adobe RGB), linear -> sRGB
P3_TO_SRGB = [[1.2249402, -0.2249402, 0.0], [-0.0420570, 1.0420570, 0.0], [-0.0196376, -0.0786360, 1.0982736]]
BT2020_TO_SRGB = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
ADOBE_TO_SRGB = [[1.3983, -0.3983, 0.0], [0.0, 1.0, 0.0], [0.0, -0.0429, 1.0429]]


def test_display_p3_agrees_with_the_formulas() -> None:
    icc = profiles.from_cicp(12, 13)
    assert icc is not None
    assert np.abs(in_srgb(icc) - srgb_by_formula(P3_TO_SRGB, linear_light(COLOURS))).max() <= 1.5


def test_bt2020_agrees_with_the_formulas_for_each_curve() -> None:
    for transfer in (13, 1, 14):
        icc = profiles.from_cicp(9, transfer)
        assert icc is not None
        assert np.abs(in_srgb(icc) - srgb_by_formula(BT2020_TO_SRGB, linear_light(COLOURS))).max() <= 1.5
    linear = profiles.from_cicp(9, 8)
    assert linear is not None
    assert np.abs(in_srgb(linear) - srgb_by_formula(BT2020_TO_SRGB, COLOURS / 255)).max() <= 1.5


def test_adobe_rgb_agrees_with_the_formulas() -> None:
    light = (COLOURS / 255) ** (563 / 256)
    assert np.abs(in_srgb(profiles.adobe_rgb()) - srgb_by_formula(ADOBE_TO_SRGB, light)).max() <= 1.5


def test_the_colorants_are_those_apple_ships() -> None:
    icc = profiles.from_cicp(12, 13)
    assert icc is not None
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile
    published = {"red": (0.51512, 0.24120, -0.00105), "green": (0.29198, 0.69225, 0.04189)}
    for colour, xyz in {**published, "blue": (0.15710, 0.06657, 0.78407)}.items():
        assert getattr(profile, f"{colour}_colorant")[0] == pytest.approx(xyz, abs=2e-4)
    assert profile.profile_description == "nobg: from the picture's colour tags"
    assert profile.version == pytest.approx(4.4)


def test_hdr_is_shown_up_to_the_reference_white() -> None:
    # BT.2408, table 1: the reference white is 58 % of PQ's signal, and 75 % of HLG's
    for transfer, white in ((16, 0.58), (18, 0.75)):
        icc = profiles.from_cicp(9, transfer)
        assert icc is not None
        codes = np.round(np.array([0, white * 0.6, white, 1]) * 255).astype(np.uint8)
        greys = in_srgb(icc, np.stack([codes] * 3, axis=-1))[:, 0].tolist()
        assert greys[0] == 0
        assert 60 < greys[1] < 180
        assert greys[2] >= 252
        assert greys[3] == 255


def test_srgb_and_unknown_code_points_get_no_profile() -> None:
    assert [profiles.from_cicp(*codes) for codes in ((1, 13), (1, 1), (2, 2), (2, 13), (200, 13), (9, 200))] == [
        None
    ] * 6
    assert profiles.from_png(None, None) is None
    assert profiles.from_png(0.45455, (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)) is None


@pytest.mark.parametrize(
    "chromaticities",
    [(0.0,) * 8, (0.3,) * 8, (0.3127, 0.329, 0.9, 0.9, 0.3, 0.6, 0.15, 0.06), (9.0, 0.329) * 4, (0.3127, 0.329)],
)
def test_implausible_chromaticities_are_ignored(chromaticities: tuple[float, ...]) -> None:
    assert profiles.from_png(0.45455, chromaticities) is None


def test_a_png_gamma_is_its_inverse_power() -> None:
    icc = profiles.from_png(1 / 1.8, None)
    assert icc is not None
    identity = np.eye(3).tolist()
    assert np.abs(in_srgb(icc) - srgb_by_formula(identity, (COLOURS / 255) ** 1.8)).max() <= 1.5


def test_damaged_profiles_are_not_usable() -> None:
    profile = profiles.adobe_rgb()
    assert profiles.is_usable(profile)
    assert not profiles.is_usable(b"")
    assert not profiles.is_usable(b"\0" * 300)
    assert not profiles.is_usable(profile[:200])
    assert not profiles.is_usable(profile[:128] + b"\xff" * 12 + profile[140:])


def test_srgb_is_recognised_by_its_colours() -> None:
    assert profiles.is_srgb(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert not profiles.is_srgb(profiles.adobe_rgb())
    assert not profiles.is_srgb(b"nonsense")


SECRETS = (b"Anna", b"A\0n\0n\0a", b"mmod", b"vcgt", b"SERIAL42", b"APPL", b"DEL\0")


def calibrated(version: int, colours: str) -> bytes:
    """Return the profile of Anna's screen, with her name wherever a profile can hold one."""
    secret = b"text\0\0\0\0Anna's screen SERIAL42\0"
    described = {
        2: b"desc\0\0\0\0\0\0\0\x05Anna\0" + bytes(78),
        4: profiles._text_element("Anna's screen SERIAL42"),
    }[version]
    if colours == "table":  # lut8Type: two grid points a colour, so that the table is the identity
        ramp = bytes(range(256)) * 3
        grid = bytes(255 * value for index in range(8) for value in (index >> 2 & 1, index >> 1 & 1, index & 1))
        packed = struct.pack(">9i", *(65536 * (index % 4 == 0) for index in range(9)))
        kept = [(b"A2B0", b"mft1\0\0\0\0\x03\x03\x02\0" + packed + ramp + grid + ramp)]
    else:
        matrix, _ = profiles.rgb_to_xyz_d50(profiles.DISPLAY_P3)
        curve = {
            "gamma": profiles.gamma_curve(2.1),
            "samples": struct.pack(">4sII3H", b"curv", 0, 3, 0, 20000, 65535),
        }[colours]
        kept = [(name, profiles._xyz_element(matrix[:, i])) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))]
        kept = [(name, element + b"Anna") for name, element in kept]
        kept += [(name, curve + b"Anna\0\0") for name in (b"rTRC", b"gTRC", b"bTRC")]
        kept += [(b"wtpt", profiles._xyz_element(profiles._D50))]
    private = [(name, secret) for name in (b"cprt", b"dmnd", b"dmdd", b"mmod", b"vcgt", b"ndin", b"meta", b"Anna")]
    icc = bytearray(profiles._assemble([(b"desc", described), *private, *kept]))
    icc[8] = version
    icc[4:8], icc[40:44], icc[48:52], icc[80:84] = b"APPL", b"APPL", b"DEL\0", b"APPL"
    icc[84:100] = b"Anna" * 4  # the profile's own checksum; littlecms does not compare it
    if colours == "table":
        icc[20:24] = b"Lab "
    return bytes(icc)


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("colours", ["gamma", "samples", "table"])
def test_a_profile_without_names_has_the_same_colours_and_nothing_else(version: int, colours: str) -> None:
    icc = calibrated(version, colours)
    assert profiles.is_usable(icc)
    nameless = profiles.without_names(icc)
    assert not [secret for secret in SECRETS if secret in nameless]
    assert (in_srgb(nameless) == in_srgb(icc)).all()
    opened = ImageCms.ImageCmsProfile(io.BytesIO(nameless)).profile
    assert (opened.profile_description, opened.copyright) == (
        "nobg: from the picture's colour tags",
        "No copyright, use freely",
    )
    assert opened.version == pytest.approx(version, abs=0.5)
    assert opened.creation_date == dt.datetime(2022, 1, 1)  # noqa: DTZ001  littlecms gives no zone
    assert opened.manufacturer is None
    assert profiles.without_names(nameless) == nameless


def test_a_profile_that_keeps_its_colours_in_other_tags_loses_only_its_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "_COLOUR_TAGS", frozenset())
    icc = calibrated(4, "gamma")
    nameless = profiles.without_names(icc)
    assert b"Anna" not in nameless
    assert (in_srgb(nameless) == in_srgb(icc)).all()


def test_nobgs_own_profiles_stay_as_they_are() -> None:
    for icc in (profiles.adobe_rgb(), profiles.from_cicp(12, 13), profiles.from_cicp(9, 16)):
        assert icc is not None
        assert profiles.without_names(icc) == icc


def test_tags_that_share_the_same_bytes_many_times_do_not_make_a_profile_larger() -> None:
    icc = bytearray(calibrated(4, "gamma") + bytes(100_000))
    entries = [(b"A2B%d" % (number % 4), 200 + number, len(icc) - 300) for number in range(90)]
    table = b"".join(struct.pack(">4sII", *entry) for entry in entries)
    icc[128 : 132 + len(table)] = struct.pack(">I", len(entries)) + table
    assert len(profiles.without_names(bytes(icc))) < len(icc) + 2000


def test_a_tag_that_says_it_is_shorter_than_its_curve_keeps_the_curve() -> None:
    """Little CMS reads the whole curve all the same, so the profile is usable, and must stay so."""
    icc = bytearray(profiles.adobe_rgb())
    entry = icc.index(b"bTRC", 128)
    size = int.from_bytes(icc[entry + 8 : entry + 12])
    icc[entry + 8 : entry + 12] = (size - 2).to_bytes(4)
    assert profiles.is_usable(bytes(icc))
    nameless = profiles.without_names(bytes(icc))
    assert profiles.is_usable(nameless)
    assert (in_srgb(nameless) == in_srgb(profiles.adobe_rgb())).all()
