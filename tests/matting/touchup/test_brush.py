"""What is under a stroke."""

from __future__ import annotations

import numpy as np
import pytest

from watcher.matting.touchup import brush
from watcher.matting.touchup.edits import Edit

LINE = Edit("keep", ((20.0, 50.0), (80.0, 50.0)), 20.0)
WHOLE = (0.0, 0.0, 100.0, 100.0)


def test_a_stroke_is_as_wide_as_the_brush_and_has_round_ends() -> None:
    cover = brush.cover(LINE, WHOLE, (100, 100))
    assert cover[50, 50] == cover[42, 50] == 1
    assert cover[38, 50] == cover[62, 50] == 0
    assert cover[50, 12] > 0.9
    assert cover[42, 12] < 0.1
    assert cover.sum() == pytest.approx(60 * 20 + np.pi * 10**2, rel=0.05)


def test_a_part_at_another_scale_shows_the_same_stroke() -> None:
    whole = brush.cover(LINE, WHOLE, (400, 400))
    part = brush.cover(LINE, (50.0, 25.0, 100.0, 75.0), (200, 200))
    assert np.abs(whole[100:300, 200:400] - part).max() <= 0.5  # on the rim alone
    assert np.abs(whole[100:300, 200:400] - part).mean() < 0.005


def test_a_soft_brush_fades() -> None:
    soft = brush.cover(Edit("keep", LINE.points, LINE.size, 1.0), WHOLE, (100, 100))
    assert 0.6 < soft[50, 50] <= 1
    assert 0.1 < soft[40, 50] < 0.9
    left, top, right, bottom = brush.bounds(Edit("keep", LINE.points, LINE.size, 1.0))
    outside = np.ones((100, 100), np.bool_)
    outside[max(0, int(top)) : int(bottom), max(0, int(left)) : int(right)] = False
    assert soft[outside].max(initial=0) < 0.02


def test_a_stroke_outside_the_part_is_not_seen() -> None:
    assert not brush.cover(LINE, (0.0, 70.0, 100.0, 100.0), (100, 30)).any()


def test_a_tiny_stroke_is_not_lost_in_a_small_view() -> None:
    dot = Edit("keep", ((500.0, 500.0),), 1.0)
    assert brush.cover(dot, (0.0, 0.0, 1000.0, 1000.0), (50, 50)).max() > 0.4
