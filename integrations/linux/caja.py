"""Caja (MATE): scripts, as Nautilus has them."""

from __future__ import annotations

from integrations.base import Target
from integrations.linux.nautilus import scripts

CAJA = Target(
    key="caja",
    label="Caja",
    is_present=lambda setup: setup.has_program("caja"),
    artifacts=lambda setup: scripts(setup.config_home / "caja" / "scripts", setup),
)
