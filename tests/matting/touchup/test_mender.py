"""Edits, and the alpha that they make: with networks that see one red thing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from watcher.matting import modes
from watcher.matting.fusion import Opinion
from watcher.matting.touchup.edits import Edit
from watcher.matting.touchup.mender import Mender

SIZE = (800, 600)
RED, BLUE = (100, 150, 350, 500), (500, 200, 700, 500)
VIEW = modes.BALANCED.views[0]
looks: list[tuple[tuple[int, int], str]] = []


def photo() -> Image.Image:
    image = Image.new("RGB", SIZE, (128, 128, 128))
    draw = ImageDraw.Draw(image)
    draw.rectangle(RED, (200, 60, 40))
    draw.rectangle(BLUE, (40, 60, 200))
    noise = np.random.default_rng(3).integers(-5, 6, (SIZE[1], SIZE[0], 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def look(rgb: Image.Image, way: str) -> tuple[list[Opinion], float]:
    """See what is red; in the way `blue`, what is blue."""
    looks.append((rgb.size, way))
    small = np.asarray(rgb.resize((256, 256)), np.int16)
    seen = small[..., 2] - small[..., 0] if way == "blue" else small[..., 0] - small[..., 2]
    return [Opinion(VIEW, (seen > 60).astype(np.float32))], 0.0


@pytest.fixture
def mender() -> Mender:
    looks.clear()
    return Mender(photo(), look)


def share(alpha: NDArray[Any], box: tuple[int, int, int, int]) -> float:
    """Return the share of the inside of a box that is subject."""
    part = alpha[box[1] + 20 : box[3] - 20, box[0] + 20 : box[2] - 20]
    return float((part >= 128).mean())


def test_without_edits_it_is_the_automatic_alpha(mender: Mender) -> None:
    assert mender.apply([]) is None
    alpha = mender.full_alpha()
    assert alpha.shape == (600, 800)
    assert (share(alpha, RED), share(alpha, BLUE)) == (1, 0)


def test_a_stroke_changes_what_it_says_and_undo_takes_it_back(mender: Mender) -> None:
    automatic = mender.full_alpha()
    changed = mender.apply([Edit("keep", ((600, 300), (600, 400)), 30)])
    assert share(mender.full_alpha(), BLUE) > 0.95
    assert changed is not None
    assert changed[0] <= BLUE[0] + 10
    assert changed[2] >= BLUE[2] - 10
    assert changed[0] > RED[0]
    assert mender.apply([]) == changed
    assert np.array_equal(mender.full_alpha(), automatic)


def test_an_exact_stroke_changes_what_is_under_it_alone(mender: Mender) -> None:
    mender.apply([Edit("keep", ((600, 300),), 40, exact=True)])
    alpha = mender.full_alpha()
    assert alpha[300, 600] == alpha[285, 600] == 255
    rows = np.flatnonzero(alpha[:, 450:].any(axis=1))
    assert (rows.min(), rows.max()) == pytest.approx((280, 319), abs=2)


def test_a_smart_stroke_after_an_exact_one_wins_where_it_is(mender: Mender) -> None:
    exact = Edit("erase", ((200, 300),), 100, exact=True)
    mender.apply([exact, Edit("keep", ((200, 300),), 20)])
    alpha = mender.full_alpha()
    assert alpha[300, 200] == 255
    assert alpha[300, 240] == 0


def test_a_part_goes_and_comes_back(mender: Mender) -> None:
    dropped = Edit("drop_part", ((200, 300),))
    mender.apply([dropped])
    assert share(mender.full_alpha(), RED) == 0
    mender.apply([dropped, Edit("keep_part", ((200, 300),))])
    assert share(mender.full_alpha(), RED) == 1


def test_a_part_that_no_network_sees_comes_by_its_colour(mender: Mender) -> None:
    mender.apply([Edit("keep_part", ((600, 350),))])
    assert share(mender.full_alpha(), BLUE) > 0.9


def test_only_the_largest_part_stays(mender: Mender) -> None:
    both = Edit("keep", ((600, 300), (600, 400)), 30)
    mender.apply([both, Edit("keep_only", name="largest")])
    alpha = mender.full_alpha()
    assert share(alpha, RED) == 1
    assert share(alpha, BLUE) < 0.05
    mender.apply([both, Edit("keep_only", name="all")])
    assert share(mender.full_alpha(), BLUE) > 0.9


def test_the_networks_look_at_a_box_alone_and_nothing_is_outside(mender: Mender) -> None:
    box = Edit("box", ((150, 200), (300, 400)))
    assert mender.apply([box]) == (0, 0, *SIZE)
    alpha = mender.full_alpha()
    assert share(alpha, (150, 200, 300, 400)) == 1
    outside = alpha.copy()
    outside[196:404, 146:304] = 0
    assert not outside.any()
    assert looks[-1][0] == (168, 224)  # the box and its margin


def test_a_thin_box_on_a_wide_photo_is_at_least_a_pixel_wide() -> None:
    wide = Mender(Image.new("RGB", (9000, 40), (90, 90, 90)), look)
    wide.apply([Edit("box", ((4500, 0), (4501, 1)))])
    assert not wide.full_alpha().any()
    assert wide.apply([Edit("box", ((100, 0), (2000, 40)))]) is not None


def test_a_picture_of_one_colour_has_an_answer() -> None:
    flat = Mender(Image.new("RGB", (400, 300), (240, 240, 240)), look)
    flat.apply([Edit("keep", ((0, 150), (400, 150)), 280)])
    assert (flat.full_alpha()[100:200] == 255).all()


def test_another_way_is_another_start(mender: Mender) -> None:
    mender.apply([Edit("way", name="blue")])
    alpha = mender.full_alpha()
    assert (share(alpha, RED), share(alpha, BLUE)) == (0, 1)
    assert mender.way("blue").max() == 1
    assert [way for _, way in looks] == ["", "blue"]  # each is looked at once


def test_a_part_of_the_photo_at_any_scale_is_that_part_of_the_whole(mender: Mender) -> None:
    mender.apply([Edit("keep", ((600, 300),), 30, exact=True), Edit("hair", ((350, 200), (350, 400)), 30)])
    whole = mender.full_alpha()
    part = mender.region((300, 100, 700, 400), (400, 300))
    assert np.abs(part.astype(int) - whole[100:400, 300:700]).mean() < 1
    half = mender.region((0, 0, *SIZE), (400, 300))
    reduced = np.asarray(Image.fromarray(whole).reduce(2)).astype(int)
    assert np.abs(half - reduced).mean() < 2


def test_a_photo_that_is_a_cut_out_already_needs_no_network() -> None:
    looks.clear()
    alpha = np.zeros((600, 800), np.float32)
    alpha[150:500, 100:350] = 1
    cut_out = Mender(photo(), look, alpha)
    cut_out.apply([Edit("erase", ((200, 300), (200, 400)), 60, exact=True)])
    assert cut_out.full_alpha()[350, 200] == 0
    assert cut_out.full_alpha()[200, 120] == 255
    assert not looks
