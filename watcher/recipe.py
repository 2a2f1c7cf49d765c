"""How a picture is to be done: the output settings that tell one cut-out of a picture from another."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from watcher.naming import place_of


@dataclass(frozen=True)
class Recipe:
    """One way of doing a picture. `output`: the folder for cut-outs, absolute or seen from the picture's folder."""

    output: Path | None = None

    def key(self) -> str:
        """The recipe as the journal keeps it: JSON, defaults left out, so that new settings change no old recipe."""
        return json.dumps({} if self.output is None else {"folder": os.fsencode(self.output).hex()})

    def place(self, source: Path) -> Path:
        """The folder in which the cut-out of `source` belongs."""
        return source.parent if self.output is None else Path(place_of(str(source.parent), str(self.output)))

    @property
    def is_made(self) -> bool:
        """Is the folder made where it is missing? One elsewhere is not: its drive may not be plugged in."""
        return self.output is not None and not self.output.is_absolute()


def parse(key: str) -> Recipe:
    """The recipe that key() wrote."""
    values = json.loads(key)
    return Recipe(Path(os.fsdecode(bytes.fromhex(values["folder"]))) if "folder" in values else None)
