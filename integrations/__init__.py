"""The file managers' side of nobg. Standard library only, and nothing of it before it is needed."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from integrations.base import Target


def file_managers(platform: str = sys.platform) -> tuple[Target, ...]:
    """What `nobg menu` knows on this system. A new file manager is a file here and a line below."""
    if platform == "win32":
        from integrations.windows.explorer import EXPLORER

        return (EXPLORER,)
    if platform == "darwin":
        from integrations.macos.finder import FINDER

        return (FINDER,)
    from integrations.linux.caja import CAJA
    from integrations.linux.dolphin import DOLPHIN
    from integrations.linux.nautilus import NAUTILUS
    from integrations.linux.nemo import NEMO
    from integrations.linux.open_with import OPEN_WITH
    from integrations.linux.pcmanfm import PCMANFM
    from integrations.linux.thunar import THUNAR

    return (NAUTILUS, NEMO, CAJA, DOLPHIN, THUNAR, PCMANFM, OPEN_WITH)


def autostart_target(platform: str = sys.platform) -> Target:
    """What `nobg autostart` knows on this system."""
    from integrations.autostart import LAUNCH_AGENT, RUN_KEY_AUTOSTART, XDG_AUTOSTART

    return {"win32": RUN_KEY_AUTOSTART, "darwin": LAUNCH_AGENT}.get(platform, XDG_AUTOSTART)
