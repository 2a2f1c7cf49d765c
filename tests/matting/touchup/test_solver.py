"""What follows a stroke."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from watcher.matting.touchup.hair import solve_unknown
from watcher.matting.touchup.solver import Solver, Stroke

HEIGHT, WIDTH = 120, 160
CUP = (slice(40, 100), slice(100, 140))
"""A blue thing on grey ground that the networks have missed."""


def photo() -> NDArray[Any]:
    rgb = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    rgb[30:100, 20:70] = (200, 60, 40)
    rgb[CUP] = (40, 60, 200)
    noise = np.random.default_rng(5).integers(-6, 7, rgb.shape)
    noisy: NDArray[Any] = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    return noisy


def automatic() -> NDArray[Any]:
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    alpha[30:100, 20:70] = 1
    return alpha


def dot(row: int, column: int, radius: int = 4) -> NDArray[Any]:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    mask: NDArray[Any] = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return mask


def seen() -> list[NDArray[Any]]:
    """Return the opinions of two networks: one has a faint idea of the cup, the other one of nothing else."""
    faint = automatic()
    faint[CUP] = 0.2
    return [automatic(), faint]


@pytest.fixture
def solver() -> Solver:
    return Solver(photo(), seen(), automatic())


def test_without_strokes_the_automatic_alpha_stays(solver: Solver) -> None:
    assert np.array_equal(solver.solve([]), automatic())


def test_a_stroke_brings_back_the_thing_that_it_is_on_and_nothing_else(solver: Solver) -> None:
    alpha = solver.solve([Stroke(keeps=True, mask=dot(70, 120))])
    assert (alpha[45:95, 105:135] > 0.5).mean() > 0.95
    outside = np.ones((HEIGHT, WIDTH), np.bool_)
    outside[36:104, 96:144] = outside[26:104, 16:74] = False
    assert (alpha[outside] > 0.5).mean() < 0.01
    assert (alpha[35:95, 25:65] > 0.5).all()


def test_a_stroke_drops_the_thing_that_it_is_on(solver: Solver) -> None:
    alpha = solver.solve([Stroke(keeps=False, mask=dot(65, 45))])
    assert (alpha[35:95, 25:65] < 0.5).mean() > 0.95


def test_what_is_under_a_stroke_stays_and_a_later_stroke_wins(solver: Solver) -> None:
    kept, erased = dot(70, 120, 8), dot(70, 120, 3)
    alpha = solver.solve([Stroke(keeps=True, mask=kept), Stroke(keeps=False, mask=erased)])
    assert (alpha[erased] < 0.1).all()
    assert (alpha[kept & ~dot(70, 120, 5)] > 0.9).all()


def test_undo_and_another_sitting_give_the_same_answer(solver: Solver) -> None:
    first, second = Stroke(keeps=True, mask=dot(70, 120)), Stroke(keeps=False, mask=dot(65, 45))
    both = solver.solve([first, second])
    one = solver.solve([first])
    assert np.array_equal(solver.solve([first, second]), both)
    anew = Solver(photo(), seen(), automatic())
    assert np.abs(anew.solve([first, second]) - both).max() < 0.05
    assert np.abs(Solver(photo(), seen(), automatic()).solve([first]) - one).max() < 0.05


def test_a_photo_without_opinions_has_an_answer() -> None:
    alpha = Solver(photo(), [], automatic()).solve([Stroke(keeps=True, mask=dot(70, 120))])
    assert (alpha[45:95, 105:135] > 0.5).mean() > 0.9


def test_hair_is_solved_from_the_colours_around() -> None:
    true = np.clip((np.mgrid[:60, :60][1] - 20) / 20, 0, 1).astype(np.float32)
    dark, bright = np.array([20.0, 30.0, 40.0]), np.array([220.0, 210.0, 190.0])
    rgb = (true[..., None] * bright + (1 - true[..., None]) * dark).round().astype(np.uint8)
    unknown = np.zeros((60, 60), np.bool_)
    unknown[:, 15:45] = True
    wrong = np.where(unknown, np.float32(0.5), true)
    solved = solve_unknown(rgb, wrong, unknown)
    assert np.abs(solved - true).max() < 0.06
    assert np.abs(solved[~unknown] - true[~unknown]).max() == 0
    assert np.array_equal(solve_unknown(rgb, wrong, np.zeros_like(unknown)), wrong)
