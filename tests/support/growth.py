"""Measure how the cost of a function grows with its input, in processor time, which does not depend on the load."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TypeVar

Input = TypeVar("Input")

FACTOR = 8
"""How much larger the second input is: a linear cost grows as much, a quadratic one 64 times."""
MAX_GROWTH = 24
ENOUGH_SECONDS = 0.05
"""Below this, the cost of the larger input says nothing; such a function is fast enough."""
_TRIES = 5


def assert_linear(function: Callable[[Input], object], make_input: Callable[[int], Input], size: int) -> None:
    """Fail if the cost for an input of FACTOR * `size` is out of proportion to that for one of `size`.

    `make_input` returns the input of a size. The lowest cost of several tries counts for each: what else the machine
    does only adds to a cost.
    """
    small, large = make_input(size), make_input(FACTOR * size)
    small_seconds = large_seconds = math.inf
    for _ in range(_TRIES):
        small_seconds = min(small_seconds, _cost(function, small))
        large_seconds = min(large_seconds, _cost(function, large))
        if large_seconds < max(ENOUGH_SECONDS, MAX_GROWTH * small_seconds):
            return
    raise AssertionError(f"{FACTOR} times the input costs {large_seconds / small_seconds:.1f} times as much")


def _cost(function: Callable[[Input], object], data: Input) -> float:
    """The processor time that this process needs for the call, in seconds."""
    start = time.process_time()
    function(data)
    return time.process_time() - start
