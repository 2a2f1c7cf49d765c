"""Caja (MATE): the same scripts as for Nautilus, in Caja's folder."""

from __future__ import annotations

from integrations.linux.nautilus import SCRIPT_LIMIT, scripts
from integrations.target import Target

CAJA = Target(
    key="caja",
    label="Caja",
    is_present=lambda setup: setup.has_program("caja"),
    artifacts=lambda setup: scripts(setup.config_home / "caja" / "scripts", setup),
    hint=lambda _setup: SCRIPT_LIMIT,
)
