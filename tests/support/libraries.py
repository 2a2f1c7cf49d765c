"""A stand-in for a C library of another system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class FakeLibrary:
    """A C library whose functions record their calls and return prepared answers, or call a function for them."""

    def __init__(self, **answers: int | Callable[..., int]) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        for name, answer in answers.items():
            setattr(self, name, self._function(name, answer))

    def _function(self, name: str, answer: int | Callable[..., int]) -> Any:
        def function(*arguments: Any) -> int:
            self.calls.append((name, arguments))
            return answer(*arguments) if callable(answer) else answer

        return function

    @property
    def names(self) -> list[str]:
        """Return the names of the functions that were called, in order."""
        return [name for name, _ in self.calls]
