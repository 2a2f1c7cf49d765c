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
def test_a_region_that_the_guide_lacks_comes_from_the_decided_alpha(shape: tuple[int, int]) -> None:
    decided, guide = box(20, 90, shape), np.zeros(shape, np.float32)
    completed = regions.complete_guide(guide, decided)
    assert completed.shape == shape
    assert completed.dtype == np.float32
    assert np.abs(completed - decided).max() < 0.01


def test_a_region_that_the_guide_invents_goes() -> None:
    invented = box(100, 200) + box(300, 400)
    completed = regions.complete_guide(invented, box(100, 200))
    assert np.abs(completed - box(100, 200)).max() < 0.01


def test_outlines_and_small_holes_stay_as_the_guide_draws_them() -> None:
    decided = box(100, 300)
    guide = box(96, 304)
    guide[200:206, 200:206] = 0
    assert np.array_equal(regions.complete_guide(guide, decided), guide)


def test_a_region_far_from_an_outline_does_not_change_it() -> None:
    guide = box(50, 150)
    guide[200:206, 80:86] = 0
    completed = regions.complete_guide(guide, box(50, 150) + box(300, 400))
    assert np.array_equal(completed[:, :200], guide[:, :200])
    assert completed[224, 350] == 1


def test_a_region_that_only_one_network_sees_gets_no_blurred_rim() -> None:
    """The outline filter alone left it soft over its window of 57 pixels."""
    decided, guide = box(300, 700, (896, 896)), np.zeros((896, 896), np.float32)
    blurred = fusion.transfer_outline(decided, guide)[448]
    sharp = fusion.transfer_outline(decided, regions.complete_guide(guide, decided))[448]
    assert ((blurred > 0.1) & (blurred < 0.9)).sum() > 40
    assert ((sharp > 0.1) & (sharp < 0.9)).sum() < 4


def test_regions_are_numbered_apart() -> None:
    picture = ["##..#", "..#.#", "###.#", "#.#.#", "#...."]
    labels = regions.label(np.array([[letter == "#" for letter in row] for row in picture]))
    assert labels.max() == 3
    assert [labels[0, 0], labels[0, 4], labels[4, 0]] == pytest.approx([labels[0, 1], labels[3, 4], labels[1, 2]])
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
