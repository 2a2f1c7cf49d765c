"""metadata.resolution and encode: the resolution (dpi) of a picture in its cut-out."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.picture.samples import decoded, noise, saved, srgb_profile
from watcher.picture import metadata
from watcher.picture.encode import Extras, encode
from watcher.recipe import read_recipe


def exif_of(across: float, down: float, unit: int | None = 2, orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0112] = across, down, orientation
    if unit is not None:
        exif[0x0128] = unit
    return exif


SOURCES: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {"dpi": (300, 150)}),
    ("JPEG", {"exif": exif_of(300, 150)}),
    ("JPEG", {"exif": exif_of(300, 150, None)}),
    ("PNG", {"dpi": (300, 150)}),
    ("BMP", {"dpi": (300, 150)}),
    ("TIFF", {"dpi": (300, 150)}),
    ("TIFF", {"resolution_unit": 3, "x_resolution": 300 / 2.54, "y_resolution": 150 / 2.54}),
    *((kind, {"exif": exif_of(300 / 2.54, 150 / 2.54, 3).tobytes()}) for kind in ("WEBP", "HEIF", "AVIF")),
]


@pytest.mark.parametrize(("kind", "options"), SOURCES, ids=lambda value: value if isinstance(value, str) else "")
def test_the_resolution_is_read_wherever_it_is_stated(kind: str, options: dict[str, Any]) -> None:
    assert decoded(saved(noise(), kind, **options)).dpi == pytest.approx((300, 150), abs=0.1)


@pytest.mark.parametrize("exif", [exif_of(300, 300, 1), exif_of(0, 0), exif_of(1e9, 1e9), Image.Exif()])
def test_a_resolution_without_a_unit_or_sense_is_none(exif: Image.Exif) -> None:
    exif[0x010F] = "Camera"
    assert decoded(saved(noise(), "JPEG", exif=exif)).dpi is None


def test_a_picture_that_is_turned_upright_exchanges_its_resolutions() -> None:
    assert decoded(saved(noise(), "JPEG", exif=exif_of(300, 150, orientation=6))).dpi == (150, 300)


def test_a_scaled_resolution_keeps_the_size_on_paper() -> None:
    assert metadata.scaled_resolution((300, 150), 0.5) == (150, 75)
    assert metadata.scaled_resolution((2, 2), 0.1) is metadata.scaled_resolution(None, 2) is None


def written_dpi(image: Image.Image) -> tuple[float, float] | None:
    if image.format != "WEBP":
        return image.info.get("dpi")
    exif = image.getexif()
    return (float(exif[0x011A]), float(exif[0x011B])) if exif.get(0x0128) == 2 else None


@pytest.mark.parametrize("metadata_exif", [False, True])
@pytest.mark.parametrize("effort", ["normal", "small"])
@pytest.mark.parametrize("kind", ["png", "webp", "jpeg", "tiff"])
def test_the_resolution_is_carried_into_every_format(kind: str, effort: str, metadata_exif: bool) -> None:
    if kind != "png" and effort == "small":
        pytest.skip("effort is a setting of PNG")
    exif = exif_of(72, 72)
    exif[0x010F] = "Camera"
    settings = {"format": kind} | ({"background": "white"} if kind == "jpeg" else {})
    settings |= {"effort": effort} if effort != "normal" else {}
    extras = Extras(srgb_profile(), exif.tobytes() if metadata_exif else None, dpi=(300, 150))
    frame = np.full((30, 40, 3), 90, np.uint8)
    with Image.open(io.BytesIO(encode([frame], read_recipe(settings), extras))) as image:
        assert written_dpi(image) == pytest.approx((300, 150), abs=0.1)
        stated = image.getexif()
        assert (stated.get(0x010F) == "Camera") is metadata_exif
        if metadata_exif:
            assert (float(stated[0x011A]), float(stated[0x011B])) == pytest.approx((300, 150), abs=0.1)


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_no_resolution_is_made_up(kind: str) -> None:
    frame = np.full((30, 40, 4), 90, np.uint8)
    with Image.open(io.BytesIO(encode([frame], read_recipe({"format": kind}), Extras()))) as image:
        assert image.info.get("dpi") in (None, (1, 1))  # Pillow's TIFF writer states 1 without a unit
        assert 0x011A not in image.getexif() or kind == "tiff"
