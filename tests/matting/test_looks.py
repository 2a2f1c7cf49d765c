"""looks.py: where the networks look, and how closely."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from watcher.matting import looks
from watcher.matting.fusion import Opinion
from watcher.matting.looks import WHOLE, Look
from watcher.matting.models import CATALOGUE, SHIPPED, Model
from watcher.matting.modes import BALANCED, BEST, FAST, View, single_model_mode
from watcher.matting.networks import inference

ISNET, U2NET, MODNET = SHIPPED
PHOTO = (4000, 3000)


def glances(alpha: NDArray[np.float32], people: NDArray[np.float32] | None = None) -> list[Opinion]:
    """Return what the glances of `balanced` see: `alpha`, and `people`, or nobody."""
    nobody = np.zeros((384, 384), np.float32)
    return [Opinion(BALANCED.glances[0], alpha), Opinion(BALANCED.glances[1], nobody if people is None else people)]


CLEAR, UNCLEAR = 0.97, 0.7  # alphas of softness 0.03 and 0.3


def rectangle(box: tuple[float, float, float, float], value: float = CLEAR, side: int = 256) -> NDArray[np.float32]:
    """Return (side, side), `value` inside the box and 0 outside."""
    left, top, right, bottom = (round(share * side) for share in box)
    alpha = np.zeros((side, side), np.float32)
    alpha[top:bottom, left:right] = value
    return alpha


def work(some: list[Look]) -> float:
    """Return the pixels of the inputs, relative to a look at the whole picture at 896."""
    return sum(look.size[0] * look.size[1] for look in some) / 896**2


@pytest.mark.parametrize("size", [(100, 100), (4000, 3000), (3000, 4000), (1990, 1000), (1000, 1990)])
def test_a_picture_of_an_ordinary_shape_is_squashed_to_a_square(size: tuple[int, int]) -> None:
    assert looks.whole_look(View(ISNET, 896), size) == Look(View(ISNET, 896), (896, 896), WHOLE)


@pytest.mark.parametrize(("model", "side"), [(ISNET, 896), (U2NET, 256), (MODNET, 384)])
@pytest.mark.parametrize("size", [(2000, 1000), (4000, 1000), (12000, 1000), (500, 6000)])
def test_a_wide_or_tall_picture_keeps_its_shape_for_the_same_work(
    model: Model, side: int, size: tuple[int, int]
) -> None:
    width, height = looks.whole_look(View(model, side), size).size
    assert width % model.multiple == height % model.multiple == 0
    assert width / height == pytest.approx(size[0] / size[1], rel=0.35)
    assert width * height == pytest.approx(side**2, rel=0.35)


def test_a_glance_at_a_long_picture_takes_more_pixels() -> None:
    sizes = [looks.first_looks(BALANCED, size)[0].size for size in ((1000, 1000), (4000, 1000), (1000, 12000))]
    assert [width * height / 256**2 for width, height in sizes] == pytest.approx([1, 2, 2], rel=0.25)


def test_a_picture_like_a_thread_is_squashed_all_the_same() -> None:
    width, height = looks.whole_look(View(ISNET, 896), (60000, 10)).size
    assert height >= 192
    assert width * height < 1.3 * 896**2


@pytest.mark.parametrize("name", ["u2net", "birefnet-general-lite"])
def test_a_network_that_takes_one_size_gets_that(name: str) -> None:
    mode = single_model_mode(next(model for model in looks_at_one_size() if model.name == name))
    (look,) = looks.first_looks(mode, (9000, 1000))
    assert look.size == (mode.views[0].side,) * 2


def looks_at_one_size() -> list[Model]:
    """Return the models of the catalogue whose input is of one size."""
    return [model for model in CATALOGUE if not model.multiple]


def test_an_accelerator_gets_squares_and_the_whole_picture() -> None:
    size = (6000, 1000)
    first = looks.first_looks(BALANCED, size, square=True)
    assert [look.size for look in first] == [(256, 256), (384, 384)]
    closer = looks.closer_looks(BALANCED, glances(rectangle((0.4, 0.4, 0.6, 0.6))), size, square=True)
    assert closer == [Look(BALANCED.views[0], (896, 896), WHOLE)]


def test_where_the_subject_is_clear_the_finer_network_looks_at_its_surroundings_alone() -> None:
    (look,) = looks.closer_looks(BALANCED, glances(rectangle((0.3, 0.2, 0.6, 0.8))), PHOTO)
    assert look.view == BALANCED.views[0]
    left, top, right, bottom = look.box
    assert left < 0.27 and top < 0.14 and right > 0.63 and bottom > 0.86  # noqa: PT018  the subject and a margin
    assert work([look]) < 0.5


def test_a_look_at_a_part_has_the_pixels_of_the_look_at_the_whole() -> None:
    (look,) = looks.closer_looks(BALANCED, glances(rectangle((0.33, 0.21, 0.61, 0.77))), PHOTO)
    left, top, right, bottom = (share * 896 for share in look.box)
    assert look.size == pytest.approx((right - left, bottom - top))
    assert (left, top) == pytest.approx((round(left), round(top)))
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (896, 896, 3), dtype=np.uint8))
    part = inference.network_input(photo, look)
    whole = inference.network_input(photo, Look(look.view, (896, 896)))
    assert np.array_equal(part, whole[..., round(top) : round(bottom), round(left) : round(right)])


@pytest.mark.parametrize("corner", [0.0, 0.45, 0.98])
def test_the_surroundings_stay_inside_the_picture_and_are_not_too_small(corner: float) -> None:
    seen = glances(rectangle((corner, corner, corner + 0.02, corner + 0.02)))
    (look,) = looks.closer_looks(BALANCED, seen, PHOTO)
    left, top, right, bottom = look.box
    assert 0 <= left < corner + 0.01 < right <= 1
    assert 0 <= top < corner + 0.01 < bottom <= 1
    assert min(look.size) >= 256


def test_where_the_subject_is_unclear_it_looks_at_all_and_again_at_the_surroundings() -> None:
    whole, closer = looks.closer_looks(BALANCED, glances(rectangle((0.3, 0.2, 0.6, 0.8), UNCLEAR)), PHOTO)
    assert (whole.size, whole.box) == ((896, 896), WHOLE)
    left, top, right, bottom = closer.box
    assert closer.size[0] / closer.size[1] == pytest.approx(4000 * (right - left) / (3000 * (bottom - top)), rel=0.2)
    assert 0.2 < work([closer]) < 0.5


def test_a_person_who_is_seen_by_the_network_for_people_alone_is_in_the_surroundings() -> None:
    seen = glances(rectangle((0.3, 0.2, 0.5, 0.5)), rectangle((0.3, 0.2, 0.6, 1.0), side=384))
    (look,) = looks.closer_looks(BALANCED, seen, PHOTO)
    assert look.box[3] == 1.0


def test_nothing_in_sight_is_looked_for_everywhere() -> None:
    (look,) = looks.closer_looks(BALANCED, glances(np.zeros((256, 256), np.float32)), PHOTO)
    assert look.box == WHOLE


def test_best_always_looks_twice() -> None:
    seen = [Opinion(view, rectangle((0.3, 0.2, 0.6, 0.8), side=view.side)) for view in BEST.glances]
    closer = looks.closer_looks(BEST, seen, PHOTO)
    assert [look.box == WHOLE for look in closer] == [True, False]
    assert looks.closer_looks(FAST, [], PHOTO) == []


def test_a_look_at_a_part_becomes_an_opinion_on_the_whole() -> None:
    view = BALANCED.views[0]
    part = Look(view, (320, 448), (0.25, 0.5, 0.5, 1.0))
    (alone,) = looks.opinions_of([part], [np.ones((448, 320), np.float32)], PHOTO)
    assert alone.alpha.shape == (896, 896)
    assert alone.alpha[448:, 224:448].min() == 1
    assert alone.alpha.sum() == 448 * 224
    faint = np.full((896, 896), 0.2, np.float32)
    whole, again = looks.opinions_of([Look(view, (896, 896)), part], [faint, np.ones((448, 320), np.float32)], PHOTO)
    assert np.array_equal(whole.alpha, faint)
    assert again.alpha[448:, 224:448].min() == 1
    assert again.alpha[0, 0] == np.float32(0.2)


def test_a_subject_that_goes_on_outside_the_box_is_noticed() -> None:
    view = BALANCED.views[0]
    part, at_the_border = Look(view, (320, 448), (0.25, 0.5, 0.5, 1.0)), Look(view, (320, 448), (0.0, 0.0, 0.5, 0.5))
    inside, beyond = np.zeros((448, 320), np.float32), np.zeros((448, 320), np.float32)
    inside[100:, 50:300] = 1  # it touches the bottom, which is that of the picture
    beyond[100:200, 50:] = 1
    assert not looks.cuts_the_subject(part, inside)
    assert looks.cuts_the_subject(part, beyond)
    assert not looks.cuts_the_subject(part, beyond * np.float32(0.4))
    assert looks.cuts_the_subject(at_the_border, inside)


def test_the_same_look_is_not_made_twice() -> None:
    seen = glances(rectangle((0.0, 0.0, 1.0, 1.0), UNCLEAR))
    assert looks.closer_looks(BALANCED, seen, (1000, 1000)) == [Look(BALANCED.views[0], (896, 896), WHOLE)]
