"""fusion.py: several views' alphas become one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from watcher.matting import fusion, regions
from watcher.matting.fusion import Opinion
from watcher.matting.models import SHIPPED
from watcher.matting.modes import BALANCED, BEST, FAST, MODES, Mode, View, single_model_mode

Values = NDArray[np.float32]
RAMP = np.linspace(0, 1, 64, dtype=np.float32)[None, :].repeat(64, axis=0)


def disc(side: int, radius: float, inside: float = 1.0, outside: float = 0.0) -> Values:
    """Return a disc in the middle of (side, side). `radius`: as a fraction of the side."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    return np.where(np.hypot(x, y) < radius, inside, outside).astype(np.float32)


def opinions(views: Sequence[View], alphas: Sequence[Values]) -> list[Opinion]:
    """Return what each view says."""
    return [Opinion(view, alpha) for view, alpha in zip(views, alphas, strict=True)]


def test_a_single_alpha_stays_unchanged_except_for_its_haze() -> None:
    fused = fusion.pool_opinions([RAMP])
    assert fused == pytest.approx(np.clip((RAMP - 0.02) / 0.96, 0, 1), abs=1e-5)
    assert fusion.pool_opinions([np.full((8, 8), 0.015, np.float32)]).max() == 0


def test_the_surer_network_decides() -> None:
    sure, unsure = disc(64, 0.3), np.full((64, 64), 0.6, np.float32)
    for alphas in ([sure, unsure], [unsure, sure]):
        fused = fusion.pool_opinions(alphas)
        assert fused[32, 32] > 0.95
        assert fused[0, 0] < 0.05


def test_two_networks_that_are_equally_sure_and_disagree_leave_it_undecided() -> None:
    half = disc(64, 0.3)
    assert fusion.pool_opinions([half, 1 - half]) == pytest.approx(0.5, abs=0.3)


def test_a_network_that_finds_nothing_counts_in_full() -> None:
    """Otherwise, a doubtful subject that only one of the two finds would be cut out as if it were certain."""
    nothing, doubtful = np.zeros((64, 64), np.float32), disc(64, 0.3, inside=0.8)
    assert fusion.softness(nothing) == 0
    assert fusion.pool_opinions([doubtful, nothing]).max() < 0.1


def test_each_view_counts() -> None:
    sure, other = disc(64, 0.3), disc(64, 0.2)
    between = (sure == 1) & (other == 0)
    once, twice = fusion.pool_opinions([sure, other]), fusion.pool_opinions([sure, other, other])
    assert twice[between].mean() < once[between].mean() - 0.1


def test_the_outline_is_that_of_the_finer_network_and_the_regions_are_the_fused_ones() -> None:
    fine = disc(128, 0.3)
    coarse = regions.resize_bilinear(disc(32, 0.3), (128, 128))
    result = fusion.transfer_outline(coarse, fine, radius=4)
    edge = (coarse > 0.1) & (coarse < 0.9)
    assert np.abs(result - fine)[edge].mean() < 0.5 * np.abs(coarse - fine)[edge].mean()
    elsewhere = np.zeros_like(fine)
    assert fusion.transfer_outline(coarse, elsewhere, radius=4)[64, 64] == pytest.approx(1, abs=0.05)
    assert fusion.transfer_outline(elsewhere, fine, radius=4).max() == 0


@pytest.mark.parametrize("radius", [1, 3, 14])
def test_box_mean_is_the_mean_of_its_window(radius: int) -> None:
    values = np.random.default_rng(1).random((40, 30)).astype(np.float32)
    padded = np.pad(values, radius, "symmetric")
    window = 2 * radius + 1
    expected = np.lib.stride_tricks.sliding_window_view(padded, (window, window)).mean(axis=(2, 3))
    assert fusion.box_mean(values, radius) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("mode", [*MODES, single_model_mode(SHIPPED[0])], ids=lambda mode: mode.name)
def test_the_alphas_of_each_mode_become_one_of_its_largest_side(mode: Mode) -> None:
    small = [replace(view, side=view.side // 8) for view in mode.all_views]
    alpha = fusion.fuse_views(opinions(small, [disc(view.side, 0.3) for view in small]))
    assert alpha.shape == (max(view.side for view in small),) * 2
    assert alpha.dtype == np.float32
    assert (alpha.min(), alpha.max()) == pytest.approx((0, 1), abs=0.01)
    assert alpha.mean() == pytest.approx(np.pi * 0.09, abs=0.02)


def test_the_outline_of_several_networks_is_that_of_the_first() -> None:
    views = (View(SHIPPED[0], 128), View(SHIPPED[1], 32))
    fine, coarse = disc(128, 0.3), disc(32, 0.3)
    alpha = fusion.fuse_views(opinions(views, [fine, coarse]))
    assert np.abs(alpha - fine).mean() < 0.01
    twice = (View(SHIPPED[0], 128), *views)
    between = (disc(128, 0.32) == 1) & (fine == 0)
    drawn_by_two = fusion.fuse_views(opinions(twice, [disc(128, 0.32), fine, coarse]))[between]
    assert drawn_by_two.mean() > alpha[between].mean() + 0.1
    assert BEST.models[0] == BALANCED.models[0] == SHIPPED[0]
    assert len(FAST.models) == 1


WITH_PEOPLE = (View(SHIPPED[0], 512), View(SHIPPED[1], 128), View(SHIPPED[2], 256))
BODY = np.zeros((512, 512), np.float32)
BODY[160:, 120:392] = 1
HEAD = BODY.copy()
HEAD[320:] = 0


def shrink(alpha: Values, side: int) -> Values:
    factor = len(alpha) // side
    smaller: Values = alpha.reshape(side, factor, side, factor).mean(axis=(1, 3), dtype=np.float32)
    return smaller


def test_the_network_for_people_brings_back_a_body_that_the_others_miss() -> None:
    seen = opinions(WITH_PEOPLE, [HEAD, shrink(BODY * 0.6, 128), shrink(BODY, 256)])
    without, with_person = (fusion.fuse_views(seen, person) for person in (0.0, 1.0))
    missing = np.index_exp[370:500, 150:360]
    assert with_person[missing].mean() > 0.8
    assert without[missing].mean() < 0.5
    assert with_person[:, :80].max() < 0.1


def test_the_network_for_people_confirms_a_body_as_far_as_it_is_trusted() -> None:
    seen = opinions(WITH_PEOPLE, [BODY, shrink(BODY, 128), shrink(BODY, 256)])
    confirmed = [fusion.confirmed_by_people(seen, BODY, person) for person in (0.0, 0.5, 1.0)]
    assert confirmed[0] == 0
    assert 0 < confirmed[1] < confirmed[2] < 1
    assert fusion.confirmed_by_people(seen, 1 - BODY, 1.0) < 0.05
    assert fusion.confirmed_by_people(seen[:1], BODY, 1.0) == 0


def test_the_network_for_people_has_no_say_where_there_is_probably_no_person() -> None:
    thing, nonsense = [disc(512, 0.3), disc(128, 0.3)], shrink(BODY, 256)
    for person in (0.0, 0.34):
        fused = fusion.fuse_views(opinions(WITH_PEOPLE, [*thing, nonsense]), person)
        assert np.array_equal(fused, fusion.fuse_views(opinions(WITH_PEOPLE[:2], thing)))
    assert fusion.has_clear_subject(opinions(WITH_PEOPLE, [*thing, np.zeros((256, 256), np.float32)]))


def test_a_person_keeps_what_only_the_other_networks_see() -> None:
    bag = BODY.copy()
    bag[240:400, 392:480] = 1
    fused = fusion.fuse_views(opinions(WITH_PEOPLE, [bag, shrink(bag, 128), shrink(BODY, 256)]), 1.0)
    assert fused[270:370, 420:460].mean() > 0.9


def test_what_two_networks_contradict_each_other_about_is_not_left_grey() -> None:
    # One says 0.3, the other 0.95: the mean of their log odds is about 0.7.
    ghost = disc(512, 0.4)
    ghost[170:340, 170:340] = 0.3
    fused = fusion.fuse_views(opinions(WITH_PEOPLE[:2], [ghost, disc(128, 0.4, inside=0.95)]))
    inside = fused[230:280, 230:280]
    assert ((inside > 0.1) & (inside < 0.9)).mean() < 0.05


def test_a_region_that_the_finer_network_lacks_has_an_outline() -> None:
    unsure = HEAD * np.float32(0.9) + (BODY - HEAD) * np.float32(0.1)
    row = fusion.fuse_views(opinions(WITH_PEOPLE[:2], [unsure, shrink(BODY, 128)]))[420]
    assert row[150:360].min() > 0.9
    assert ((row > 0.1) & (row < 0.9)).sum() < 24  # two outlines; the filter alone blurred each over 57 pixels


def test_a_small_hole_that_only_the_finer_network_sees_is_not_closed() -> None:
    fine = disc(512, 0.4)
    fine[252:260, 252:260] = 0.2
    fused = fusion.fuse_views(opinions(WITH_PEOPLE[:2], [fine, disc(128, 0.4)]))
    assert fused[252:260, 252:260].max() < 0.8
    assert fused[230:240, 230:240].min() > 0.95


def test_a_subject_is_clear_where_the_networks_agree_and_are_sure() -> None:
    views = (View(SHIPPED[0], 128), View(SHIPPED[1], 32))
    two_networks, one_network = views, views[:1]

    def is_clear(views: Sequence[View], *alphas: Values) -> bool:
        return fusion.has_clear_subject(opinions(views, alphas))

    small, large = disc(32, 0.3), disc(128, 0.3)
    assert is_clear(two_networks, large, small)
    assert is_clear(one_network, large)
    assert is_clear(one_network, disc(128, 0.03))
    assert not is_clear(two_networks, large, np.roll(small, 16))  # each sees another subject
    assert not is_clear(two_networks, large, np.zeros_like(small))
    assert not is_clear(one_network, disc(128, 0.3, inside=0.55, outside=0.4))  # undecided everywhere
    assert not is_clear(one_network, disc(128, 0.005))  # a speck
    assert not is_clear(one_network, np.zeros_like(large))


def test_the_subject_is_where_alpha_is_at_least_half() -> None:
    assert fusion.subject_area_fraction(np.array([[0.0, 0.49], [0.5, 1.0]], np.float32)) == 0.5
