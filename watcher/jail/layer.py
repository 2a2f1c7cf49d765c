"""What all backends share: the layer that they report, and the limit of memory that they enforce."""

from __future__ import annotations

from dataclasses import asdict, dataclass

MEMORY_LIMIT_BYTES = 6 << 30
"""Bytes that the worker may take beyond its libraries and its model: a picture of 250 megapixels takes 3 GiB."""


@dataclass(frozen=True)
class Layer:
    """One layer of the jail: what it protects, whether it is active, and by what means or why not."""

    name: str
    active: bool
    detail: str

    def as_dict(self) -> dict[str, str | bool]:
        """Return the layer as an entry of the worker's ready message."""
        return asdict(self)
