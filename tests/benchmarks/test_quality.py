"""The share of half-transparent pixels deep in a subject, as the benchmark of quality measures it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("py_sod_metrics", reason="needs pip install -e '.[bench]'")

from benchmarks import quality

SIDE = 200
"""Of the picture; 1 % of its diagonal is 2.8 pixels."""


def square() -> quality.Mask:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[50:150, 50:150] = True
    return mask


NOTHING = np.zeros((SIDE, SIDE), np.bool_)


def test_grey_at_the_border_of_the_subject_does_not_count_and_grey_inside_does() -> None:
    predicted = square().astype(float)
    predicted[50:52, 50:150] = 0.5
    assert quality.grey_inside(predicted, square(), NOTHING) == 0
    predicted[90:100, 50:150] = 0.5
    share = quality.grey_inside(predicted, square(), NOTHING)
    assert share == pytest.approx(10 / 96)  # more than 2.83 pixels from the outside: 96 rows


@pytest.mark.parametrize(("level", "is_grey"), [(25, False), (26, True), (229, True), (230, False)])
def test_the_limits_of_grey(level: int, *, is_grey: bool) -> None:
    predicted = np.full((SIDE, SIDE), level / 255)
    assert quality.grey_inside(predicted, square(), NOTHING) == is_grey


def test_the_border_of_the_picture_is_no_border_of_the_subject() -> None:
    true = np.zeros((SIDE, SIDE), np.bool_)
    true[100:] = True
    predicted = true.astype(float)
    predicted[-1] = 0.5
    assert quality.grey_inside(predicted, true, NOTHING)
    assert quality.grey_inside(np.full((SIDE, SIDE), 0.5), np.ones((SIDE, SIDE), np.bool_), NOTHING) == 1


def test_void_pixels_and_thin_subjects_do_not_count() -> None:
    predicted = square().astype(float)
    predicted[90:100] = 0.5
    void = NOTHING.copy()
    void[90:100] = True
    assert quality.grey_inside(predicted, square(), void) == 0
    thin = NOTHING.copy()
    thin[100:104] = True
    assert quality.grey_inside(predicted, thin, NOTHING) is None


@pytest.mark.parametrize("kind", ["mask", "alpha"])
def test_only_masks_are_judged_and_the_table_has_the_column(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "masks").mkdir()
    Image.fromarray(square()).convert("L").save(tmp_path / "masks" / "a.png")
    grey = Image.new("L", (SIDE, SIDE), 128)
    Image.merge("LA", (grey, grey)).save(tmp_path / "a_nobg.png")
    row = {"id": "a", "dataset": "set", "kind": kind}
    measures = quality.score(row, tmp_path, tmp_path)
    assert measures is not None
    assert measures.get("grey inside") == (1 if kind == "mask" else None)
    quality.print_datasets([row], [measures])
    head, line, *rows = [text.split("|") for text in capsys.readouterr().out.splitlines()]
    assert head[-2] == " grey inside "
    assert {len(cells) for cells in (head, line, *rows)} == {len(head)}
    assert rows[0][-2].strip() == ("1.0000" if kind == "mask" else "-")
