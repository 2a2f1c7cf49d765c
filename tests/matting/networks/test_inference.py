"""Tests of inference.py."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from tests.support.tiny_onnx import FLOAT16, network
from watcher.errors import ModelError
from watcher.matting import fusion, models
from watcher.matting.looks import Look
from watcher.matting.models import SHIPPED
from watcher.matting.modes import BALANCED, BEST, View
from watcher.matting.networks import inference

TINY = replace(SHIPPED[0], name="tiny", side=4)
VALUES = np.linspace(-2, 3, 3 * 4 * 4, dtype=np.float32).reshape(1, 3, 4, 4)
MEAN = VALUES.mean(axis=1)[0]


def test_the_input_is_x_over_255_minus_mean_over_std_plane_by_plane() -> None:
    model = replace(SHIPPED[0], side=2, mean=(0.5, 0.25, 0.0), std=(1.0, 0.5, 2.0))
    image = Image.new("RGB", (2, 2), (255, 51, 102))
    image.putpixel((1, 0), (0, 0, 0))
    values = inference.network_input(image, Look(View(model, 2), (2, 2)))
    assert values.shape == (1, 3, 2, 2)
    assert values.dtype == np.float32
    assert values[0, :, 0, 0] == pytest.approx([0.5, (0.2 - 0.25) / 0.5, 0.4 / 2.0])
    assert values[0, :, 0, 1] == pytest.approx([-0.5, -0.5, 0.0])


def test_the_input_is_what_the_look_s_box_shows() -> None:
    image = Image.new("RGB", (300, 100))
    image.paste((255, 255, 255), (100, 25, 200, 75))
    look = Look(View(replace(SHIPPED[0], mean=(0.0, 0.0, 0.0)), 64), (64, 32), (1 / 3, 0.25, 2 / 3, 0.75))
    values = inference.network_input(image, look)
    assert values.shape == (1, 3, 32, 64)
    assert values[..., 2:-2, 2:-2].min() == pytest.approx(
        1
    )  # at the border, resizing takes a little of what is outside


@pytest.mark.parametrize("side", [4, "height", "n"], ids=["fixed", "named as in the package", "another name"])
def test_the_alpha_is_the_first_output_and_is_not_stretched(side: int | str) -> None:
    loaded = inference.load_network(network("ReduceMean", side=side), TINY, threads=1)
    faint = VALUES / np.float32(100)
    alpha = inference.infer_alpha(loaded, faint)
    assert alpha.dtype == np.float32
    assert alpha == pytest.approx(faint.mean(axis=1)[0], abs=1e-6)
    assert 0 < alpha.max() < 0.03


def test_logits_go_through_the_sigmoid_however_large_they_are() -> None:
    model = replace(TINY, outputs_logits=True)
    loaded = inference.load_network(network("ReduceMean", side=4), model, threads=1)
    assert inference.infer_alpha(loaded, VALUES) == pytest.approx(1 / (1 + np.exp(-MEAN)), abs=1e-6)
    extremes = VALUES.copy()
    extremes[:, :, 0, 0], extremes[:, :, 0, 1] = -1e4, 1e4
    alpha = inference.infer_alpha(loaded, extremes)
    assert (alpha[0, 0], alpha[0, 1]) == (0.0, 1.0)


def test_a_network_may_need_half_precision() -> None:
    loaded = inference.load_network(network("ReduceMean", side=4, dtype=FLOAT16), TINY, threads=1)
    alpha = inference.infer_alpha(loaded, VALUES)
    assert alpha.dtype == np.float32
    assert alpha == pytest.approx(MEAN, abs=2e-3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (network("Relu", side=4, channels=3), "not a mask of 4 x 4"),
        (network("ReduceMean", "GlobalAveragePool", side="n"), "not a mask of 4 x 4"),
        (network("ReduceMean", "Zero", "Log", side=4), "not finite numbers"),
    ],
    ids=["three channels", "another size", "infinite"],
)
def test_an_output_that_is_not_a_mask_is_refused(data: bytes, words: str) -> None:
    loaded = inference.load_network(data, TINY, threads=1)
    with pytest.raises(ModelError, match=words):
        inference.infer_alpha(loaded, VALUES)


@pytest.mark.parametrize("data", [b"", b"\x08\x08", b"not a model", network("NoSuchOperator", side=4)])
def test_a_file_that_is_not_a_network_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(ModelError, match="tiny cannot be loaded"):
        inference.load_network(data, TINY, threads=1)


def test_a_network_for_which_there_is_no_memory_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_arguments: Any) -> None:
        raise RuntimeError(
            "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Failed to load model with error: std::bad_alloc"
        )

    monkeypatch.setattr("watcher.matting.networks.providers.create_session", no_memory)
    with pytest.raises(ModelError, match=r"not enough memory for the model tiny \(.+\)\. Close other programs\.$"):
        inference.load_network(b"", TINY, threads=1)


def test_each_view_goes_through_its_network() -> None:
    first, second = replace(TINY, name="first"), replace(TINY, name="second")
    views = (View(first, 4), View(second, 8))
    mode = replace(BEST, views=views, glances=())
    assert mode.models == (first, second)
    data = {"first": network("ReduceMean", side="n"), "second": network("ReduceMean", "Sigmoid", side="n")}
    ensemble = inference.load_ensemble(data, mode, threads=1)
    image = Image.fromarray(np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3) * 5)
    opinions, person = inference.infer(ensemble, image)
    small, larger = (opinion.alpha for opinion in opinions)
    assert [opinion.view for opinion in opinions] == list(views)
    assert person == 0  # no network says anything about it
    assert np.ptp(small[0]) > 0.1
    assert larger.shape == (8, 8)


def test_the_network_for_people_knows_a_person_from_a_cup() -> None:
    model = SHIPPED[2]
    mode = replace(BEST, views=(View(model, 384),), glances=())
    ensemble = inference.load_ensemble({model.name: models.read(model)}, mode, threads=1)
    persons = []
    for name in ("astronaut.jpg", "coffee.jpg", "chelsea.jpg", "rocket.jpg"):
        with Image.open(SAMPLES / name) as image:
            (opinion,), person = inference.infer(ensemble, image.convert("RGB"))
        assert opinion.alpha.shape == (384, 384)
        assert opinion.alpha.any() == (person > fusion.MIN_PERSON)  # it skips its mask where nobody would ask for it
        persons.append(person)
    assert persons[0] > 0.9
    assert max(persons[1:]) < 0.35


def test_the_modes_use_all_models_in_the_package() -> None:
    assert {model for mode in (BALANCED, BEST) for model in mode.models} == set(SHIPPED)


def test_where_the_subject_goes_on_outside_the_part_the_whole_picture_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise, what lies beside the subject would be cut off in a straight line."""
    fine, coarse = replace(TINY, name="fine", side=896, multiple=64), replace(TINY, name="coarse", side=64)
    mode = replace(BALANCED, views=(View(fine, 896),), glances=(View(coarse, 64),))
    first = np.zeros((64, 64), np.float32)
    first[24:40, 8:24] = 1
    boxes: list[tuple[int, ...]] = []

    def run(network: inference.Network, values: inference.FloatArray, *_: object) -> tuple[inference.FloatArray, float]:
        if network is coarse_network:
            return first, 0.0
        boxes.append(values.shape[-2:])
        alpha = np.zeros(values.shape[-2:], np.float32)
        alpha[len(alpha) // 3 : len(alpha) // 2, len(alpha[0]) // 4 :] = 1  # further than the glance has seen
        return alpha, 0.0

    coarse_network, fine_network = (inference.Network(None, "", "", np.float32, model) for model in (coarse, fine))
    monkeypatch.setattr(inference, "_run", run)
    ensemble = inference.Ensemble(mode, {"fine": fine_network, "coarse": coarse_network})
    opinions, _ = inference.infer(ensemble, Image.new("RGB", (600, 600)))
    assert len(boxes) == 2
    assert boxes[0][1] < 896
    assert boxes[1] == (896, 896)
    assert [opinion.view for opinion in opinions] == list(mode.all_views)
    assert opinions[0].alpha[300:440, -1].min() == 1
