"""doubt.py: what raises the doubt about an alpha, and what does not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from watcher.errors import DOUBTS
from watcher.matting.doubt import doubt, reasons

Values = NDArray[np.float32]


def box(inside: float = 1.0, left: int = 64, side: int = 256) -> Values:
    """An alpha (side, side) that is `inside` in a rectangle from the column `left`, of 256, and 0 elsewhere."""
    alpha = np.zeros((256, 256), np.float32)
    alpha[64:192, left:192] = inside
    return np.kron(alpha, np.ones((side // 256, side // 256), np.float32))


def test_a_whole_subject_on_which_all_agree_is_clear() -> None:
    assert doubt([box(), box()], box()) == 0
    assert doubt([box()], box()) == 0  # a mode with one view


def test_the_size_of_the_alphas_does_not_matter() -> None:
    alphas = [box(left=64), box(left=80)]
    larger = [box(left=64, side=1024), box(left=80, side=512)]
    assert doubt(larger, box(0.9, side=1024)) == pytest.approx(doubt(alphas, box(0.9)), abs=1e-5)
    wide = [alpha[:, ::2] for alpha in alphas]  # views that keep the shape of a tall picture
    assert doubt(wide, box(0.9)[:, ::2]) == pytest.approx(doubt(alphas, box(0.9)), abs=1e-5)


def test_an_alpha_of_any_memory_layout_is_taken() -> None:
    assert doubt([box()[:, ::-1]], box()) == 0


def test_disagreement_raises_the_doubt() -> None:
    doubts = [doubt([box(), box(left=left)], box()) for left in (64, 72, 96, 128, 160)]
    assert doubts == sorted(set(doubts))
    assert doubts[1] == pytest.approx(1 / 16, abs=1e-5)  # 1 - soft IoU
    assert doubt([box(), np.zeros((256, 256), np.float32)], box()) == 1


def test_a_soft_inside_raises_the_doubt() -> None:
    doubts = [doubt([box()], box(inside)) for inside in (1.0, 0.95, 0.8, 0.5)]
    assert doubts == sorted(set(doubts))
    assert doubts[1] == pytest.approx(1 - 0.95 * 0.95, abs=1e-5)  # the view also disagrees with it
    assert doubt([box(0.95)], box(0.95)) == pytest.approx(0.05, abs=1e-5)  # softness


def test_a_subject_cut_by_the_frame_is_no_more_doubtful() -> None:
    assert doubt([box(left=0)], box(left=0)) == 0
    assert doubt([np.ones((256, 256), np.float32)], np.ones((256, 256), np.float32)) == 0


def test_the_view_that_sees_something_else_than_the_answer_counts() -> None:
    answer = box()
    assert doubt([box(left=80), box(left=96)], answer) == pytest.approx(32 / 128, abs=1e-5)
    # Two views that disagree with each other, but surround the answer, are less doubtful than one that is far from it.
    assert doubt([box(left=56), box(left=72)], answer) < doubt([answer, box(left=80)], answer)


def test_what_the_network_for_people_confirms_is_less_doubtful() -> None:
    views = [box(), box(left=128)]
    assert doubt(views, box(), 0.5) == pytest.approx(doubt(views, box()) / 2, abs=1e-5)
    assert doubt(views, box(), 1.0) == 0
    assert doubt([box(0.9)], box(0.9), 1.0) == doubt([box(0.9)], box(0.9)) > 0  # it is as soft as before


def test_each_cause_adds_to_the_other() -> None:
    together = doubt([box(0.95), box(left=96)], box(0.95))
    assert together > doubt([box(0.95), box(0.95)], box(0.95))
    assert together > doubt([box(), box(left=96)], box())


def test_where_nothing_is_found_the_doubt_is_full() -> None:
    empty = np.zeros((256, 256), np.float32)
    assert doubt([empty, empty], empty) == 1
    assert doubt([empty + np.float32(1e-4)], empty + np.float32(1e-4)) == 1
    assert doubt([box(0.49)], box(0.49)) == 1


def test_it_is_a_number_from_0_to_1_for_any_alpha() -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        views = [random.random((64, 64), np.float32) ** random.uniform(0, 9) for _ in range(3)]
        value = doubt(views, views[0], random.random())
        assert type(value) is float
        assert 0 <= value <= 1


def test_a_clear_subject_has_no_reasons() -> None:
    assert reasons([box(), box()], box()) == []
    assert reasons([box(), box(left=66)], box()) == []  # the outlines of two networks always differ a little
    assert reasons([box(left=0)], box(left=0)) == []  # many portraits are cut by the frame


@pytest.mark.parametrize(
    ("part", "rows", "columns"),
    [
        ("upper", slice(32, 64), slice(64, 192)),
        ("lower", slice(192, 224), slice(64, 192)),
        ("left", slice(64, 192), slice(32, 64)),
        ("right", slice(64, 192), slice(192, 224)),
    ],
)
def test_the_reason_names_the_part_in_which_a_network_sees_something_else(
    part: str, rows: slice, columns: slice
) -> None:
    other = box()
    other[rows, columns] = 1
    for views, alpha in (([other, box()], box()), ([box(), box()], other)):  # more than the answer, or less
        assert reasons(views, alpha) == [f"disagree_{part}"]


def test_a_disagreement_all_around_names_no_part() -> None:
    larger = np.zeros((256, 256), np.float32)
    larger[48:208, 48:208] = 1
    assert reasons([larger], box()) == ["disagree"]


def test_what_the_network_for_people_confirms_is_no_reason() -> None:
    assert reasons([box(left=96)], box(), 0.5) == ["disagree_left"]
    assert reasons([box(left=96)], box(), 0.9) == []


def test_a_soft_inside_and_a_side_that_cuts_the_subject_are_reasons() -> None:
    assert reasons([box(0.9)], box(0.9)) == ["soft"]
    assert reasons([box(0.9, left=0)], box(0.9, left=0)) == ["soft", "touches_edge"]
    assert reasons([box(0.9, left=0).T], box(0.9, left=0).T) == ["soft"]  # at the top, it tells nothing


def test_where_nothing_is_found_that_is_the_only_reason() -> None:
    assert reasons([box()], box(0.4)) == ["faint"]


def test_all_reasons_have_words_and_whatever_wants_a_look_has_a_reason() -> None:
    random = np.random.default_rng(5)
    seen = set()
    for _ in range(300):
        views = [box(random.random() ** 0.2, left=int(random.integers(0, 190))) for _ in range(2)]
        alpha, confirmed = views[int(random.integers(0, 2))], random.random()
        found = reasons(views, alpha, confirmed)
        seen.update(found)
        assert found or doubt(views, alpha, confirmed) < 0.127
    assert seen <= DOUBTS.keys()
