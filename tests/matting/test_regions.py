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
