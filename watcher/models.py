"""The catalogue of models, and whether a model's file is what it should be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from watcher import paths
from watcher.errors import ModelError


@dataclass(frozen=True)
class Model:
    """One catalogue row.

    `side`: the network takes (1, 3, side, side); `mean`, `std`: what is subtracted from, and divides, each channel
    of the picture in 0..1. The network answers the alpha, 0..1.
    """

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


CATALOGUE = (
    Model(
        name="isnet-int8",
        file="isnet-int8.onnx",
        sha256="007a0e9a9d5e39325e1e87c94bafcede622fe7b0ef1f2901737dcc8f1eb6d582",
        size=44_551_292,
        licence="Apache-2.0",
        side=1024,
        mean=(0.5, 0.5, 0.5),
        std=(1.0, 1.0, 1.0),
    ),
)
DEFAULT = CATALOGUE[0]


def find(name: str) -> Model:
    """The catalogue row called `name`. Raises ModelError."""
    for model in CATALOGUE:
        if model.name == name:
            return model
    raise ModelError(f"There is no model called {name}. `nobg models list` shows those there are.")


def path_of(model: Model) -> Path:
    """Where the model's file is (or should be)."""
    return paths.asset(f"models/{model.file}")


def read(model: Model) -> bytes:
    """The model's bytes, known to be the right ones. Raises ModelError when missing or changed."""
    path = path_of(model)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model {path} cannot be read ({error.strerror}). Install nobg again.") from error
    if hashlib.sha256(data).hexdigest() != model.sha256:
        raise ModelError(f"The model {path} is damaged: it is not the file nobg was released with. Install nobg again.")
    return data
