"""JPEGs whose end is missing: all their pixels count, and what is missing is found out."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from tests.picture.samples import decoded, noise, saved
from tests.support.pictures import run_tool
from watcher.errors import PictureError
from watcher.formats import END_MISSING
from watcher.picture import jpeg

VARIETIES: dict[str, dict[str, Any]] = {
    "baseline": {},
    "full colour": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
}


def photo(mode: str = "RGB", **options: Any) -> bytes:
    """Return a whole JPEG of a real photo, 512 x 512."""
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        return saved(image.convert(mode), "JPEG", quality=90, **options)


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(decoded(data).rgb)


@pytest.mark.parametrize("options", VARIETIES.values(), ids=VARIETIES)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_without_its_end_marker_has_all_its_pixels(mode: str, options: dict[str, Any]) -> None:
    whole = photo(mode, **options)
    for cut in (whole[:-2], whole[:-1]):
        picture = decoded(cut)
        assert picture.notes == ()
        assert np.array_equal(np.asarray(picture.rgb), pixels(whole))


@pytest.mark.slow
@pytest.mark.parametrize("removed", [2, 40, 5000])
@pytest.mark.parametrize("options", ["", "-progressive", "-grayscale", "-arithmetic", "-restart 1"])
def test_what_is_left_of_a_jpeg_is_what_djpeg_shows(removed: int, options: str, tmp_path: Path) -> None:
    source, whole, cut = tmp_path / "photo.ppm", tmp_path / "whole.jpg", tmp_path / "cut.jpg"
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        image.save(source)
    run_tool("cjpeg", *options.split(), "-outfile", whole, source)
    cut.write_bytes(whole.read_bytes()[:-removed])
    subprocess.run(["djpeg", "-pnm", "-outfile", source, cut], capture_output=True, check=False)  # it warns: status 2
    picture = decoded(cut.read_bytes())
    with Image.open(source) as image:
        assert np.array_equal(np.asarray(picture.rgb), np.asarray(image.convert("RGB")))
    assert picture.notes == (() if removed == 2 else (END_MISSING,))


@pytest.mark.parametrize("options", VARIETIES.values(), ids=VARIETIES)
@pytest.mark.parametrize("removed", [20, 40, 3000])
def test_a_jpeg_whose_last_rows_are_missing_is_taken_with_a_note(removed: int, options: dict[str, Any]) -> None:
    whole = photo(**options)
    picture = decoded(whole[:-removed])
    assert picture.notes == (END_MISSING,)
    if "progressive" not in options:
        assert np.array_equal(np.asarray(picture.rgb)[:400], pixels(whole)[:400])


def test_zeros_that_a_download_left_after_the_data_are_not_pixels() -> None:
    whole, zeros = photo(), bytes(100_000)
    assert decoded(whole[:-2] + zeros).notes == ()
    assert np.array_equal(pixels(whole[:-2] + zeros), pixels(whole))
    assert decoded(whole[:-3000] + zeros).notes == (END_MISSING,)


def test_a_progressive_jpeg_that_ends_between_two_scans_lacks_its_details() -> None:
    whole = photo(progressive=True)
    scans = [match.start() for match in re.finditer(rb"\xff\xda", whole)]
    assert decoded(whole[: scans[-1]]).notes == (END_MISSING,)
    tables = whole.rfind(b"\xff\xc4", 0, scans[-1])  # the last scan's Huffman table
    assert decoded(whole[:tables]).notes == (END_MISSING,)


@pytest.mark.parametrize("options", VARIETIES.values(), ids=VARIETIES)
def test_a_jpeg_of_which_most_is_missing_is_truncated(options: dict[str, Any]) -> None:
    whole = photo(**options)
    with pytest.raises(PictureError) as caught:
        decoded(whole[: len(whole) // 10])
    assert caught.value.reason == "truncated"


def test_bytes_after_a_whole_jpeg_are_no_reason_to_end_it_again() -> None:
    for data in (photo(), photo() + b"trailer" * 1000, photo() + photo()[:-40], b"", b"\xff\xd8", b"GIF89a"):
        assert jpeg.with_end(data) is data


def test_the_second_view_of_a_photo_may_be_cut_off() -> None:
    buffer = io.BytesIO()
    noise(200, 200).save(buffer, "MPO", save_all=True, append_images=[noise(200, 200)])
    assert decoded(buffer.getvalue()[:-200]).notes == ()


def test_exif_in_a_few_parts_stays_and_thousands_are_cut() -> None:
    whole = photo(exif=b"Exif\0\0MM\0*\0\0\0\x08" + bytes(6))
    part = b"\xff\xe1\0\x0aExif\0\0xx"
    for data in (whole, whole[:2] + part * 63 + whole[2:], whole[:-2], b"", b"\xff\xd8", part):
        assert jpeg.without_excess_exif(data) is data
    other = b"\xff\xfe\0\x04no"
    many = whole[:2] + (part + other) * 1000 + whole[2:]
    kept = jpeg.without_excess_exif(many)
    assert kept.count(b"Exif\0\0") == 64
    assert kept.count(other) == 1000
    assert decoded(kept).rgb.tobytes() == decoded(whole).rgb.tobytes()
    assert decoded(many[:-2]).notes == decoded(whole[:-2]).notes


def test_counting_the_scans_of_a_jpeg_that_ends_within_a_header_raises_nothing() -> None:
    whole = photo(progressive=True)
    last_scan = whole.rfind(b"\xff\xda")
    for length in range(last_scan, last_scan + 10):
        for data in (whole[:length], whole[:length] + jpeg.END):
            assert jpeg._has_all_coefficients(data, jpeg._scans(data)) in (True, False)
    frame = whole.index(b"\xff\xc2")
    assert jpeg._has_all_coefficients(whole[:frame] + b"\xff\xc2\0\2", []) in (True, False)
