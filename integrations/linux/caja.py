"""Caja (MATE): scripts, as Nautilus has them."""

from __future__ import annotations

from integrations.base import Manager
from integrations.linux.nautilus import scripts

CAJA = Manager(
    key="caja",
    label="Caja",
    present=lambda setup: setup.has("caja"),
    pieces=lambda setup: scripts(setup.config / "caja" / "scripts", setup),
)
