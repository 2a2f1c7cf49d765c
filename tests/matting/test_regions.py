"""regions.py: what is decided about whole regions of an alpha."""

import numpy as np
import pytest
from numpy.typing import NDArray

from watcher.matting import fusion, regions

Values = NDArray[np.float32]


def box(left: int, right: int, shape: tuple[int, int] = (448, 448)) -> Values:
    """An alpha that is 1 between two columns, but for a margin of a quarter above and below, and 0 elsewhere."""
    alpha = np.zeros(shape, np.float32)
    alpha[shape[0] // 4 : -(shape[0] // 4), left:right] = 1
    return alpha


@pytest.mark.parametrize("shape", [(448, 448), (448, 700), (224, 100)])
def test_a_region_that_only_the_other_alpha_has_is_adopted(shape: tuple[int, int]) -> None:
    other = box(20, 90, shape)
    adopted = regions.adopt_regions(np.zeros(shape, np.float32), other, 0.3, reach=3)
    assert adopted.shape == shape
    assert adopted.dtype == np.float32
    assert np.abs(adopted - other).max() < 0.01


def test_a_region_that_the_other_alpha_does_not_have_goes() -> None:
    adopted = regions.adopt_regions(box(100, 200) + box(300, 400), box(100, 200), 0.3, reach=3)
    assert np.abs(adopted - box(100, 200)).max() < 0.01


def test_outlines_lines_and_small_holes_stay() -> None:
    alpha = box(96, 304)
    alpha[200:206, 200:206] = 0
    alpha[:100, 150:156] = 1
    assert np.array_equal(regions.adopt_regions(alpha, box(100, 300), 0.3, reach=3), alpha)


def test_what_is_far_from_the_region_stays() -> None:
    alpha = box(50, 150)
    alpha[200:206, 80:86] = 0
    adopted = regions.adopt_regions(alpha, box(50, 150) + box(300, 400), 0.3, reach=3)
    assert np.array_equal(adopted[:, :200], alpha[:, :200])
    assert adopted[224, 350] == 1


def test_a_difference_counts_as_far_as_it_is_large_enough() -> None:
    adopted = [
        regions.adopt_regions(box(100, 300), box(100, 300) * np.float32(inside), 0.1, reach=3)[224, 200]
        for inside in (0.92, 0.85, 0.75)
    ]
    assert adopted == pytest.approx([1, 1 - 0.15 / 2, 0.75], abs=1e-3)


def test_a_region_that_only_one_network_sees_gets_no_blurred_rim() -> None:
    """The outline filter alone left it soft over its window of 57 pixels."""
    decided, guide = box(300, 700, (896, 896)), np.zeros((896, 896), np.float32)
    blurred = fusion.transfer_outline(decided, guide)[448]
    sharp = fusion.transfer_outline(decided, regions.adopt_regions(guide, decided, 0.3, reach=3))[448]
    assert ((blurred > 0.1) & (blurred < 0.9)).sum() > 40
    assert ((sharp > 0.1) & (sharp < 0.9)).sum() < 4


def with_island(inside: float, side: int) -> Values:
    alpha = box(100, 300)
    alpha[40 : 40 + side, 380 : 380 + side] = inside
    return alpha


@pytest.mark.parametrize("shape", [(448, 448), (300, 448)])
def test_a_faint_speck_goes(shape: tuple[int, int]) -> None:
    cleared = regions.remove_specks(with_island(0.3, 8)[: shape[0]])
    assert cleared.max() == 1
    assert np.array_equal(cleared, box(100, 300)[: shape[0]])


@pytest.mark.parametrize(("inside", "side"), [(1.0, 8), (0.6, 8), (0.3, 40)])
def test_a_ball_stays_and_so_does_what_is_larger_than_a_speck(inside: float, side: int) -> None:
    alpha = with_island(inside, side)
    assert np.array_equal(regions.remove_specks(alpha), alpha)


def test_many_small_things_stay() -> None:
    birds = np.zeros((448, 448), np.float32)
    birds[4::16, 4::16] = birds[5::16, 4::16] = birds[4::16, 5::16] = birds[5::16, 5::16] = 0.9
    assert np.array_equal(regions.remove_specks(birds), birds)
    faint = birds * np.float32(0.4)  # each is more than a thousandth of them all
    assert np.array_equal(regions.remove_specks(faint), faint)


def test_a_speck_beside_the_subject_takes_nothing_of_it_away() -> None:
    alpha = box(100, 300)
    alpha[200:206, 306:312] = 0.3
    cleared = regions.remove_specks(alpha)
    assert np.array_equal(cleared[:, :302], alpha[:, :302])
    assert cleared[202, 310] < 0.05


def test_an_empty_alpha_has_no_specks() -> None:
    assert regions.remove_specks(np.zeros((64, 64), np.float32)).max() == 0


def test_regions_are_numbered_apart() -> None:
    picture = ["##..#", "..#.#", "###.#", "#.#.#", "#...."]
    labels = regions.label(np.array([[letter == "#" for letter in row] for row in picture]))
    assert labels.max() == 3
    assert labels[0, 0] == labels[0, 1]
    assert labels[0, 4] == labels[3, 4]
    assert labels[1, 2] == labels[2, 0] == labels[4, 0]
    assert len({labels[0, 0], labels[0, 4], labels[4, 0]}) == 3
    assert labels[4, 2] == 0


def test_an_empty_mask_has_no_regions_and_a_full_one_has_one() -> None:
    assert regions.label(np.zeros((3, 4), np.bool_)).max() == 0
    assert (regions.label(np.ones((3, 4), np.bool_)) == 1).all()


def test_each_pair_of_neighbours_is_in_one_region() -> None:
    mask = np.random.default_rng(1).random((60, 80)) < 0.6
    labels = regions.label(mask)
    assert np.array_equal(labels > 0, mask)
    for first, second in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        together = (first > 0) & (second > 0)
        assert np.array_equal(first[together], second[together])
