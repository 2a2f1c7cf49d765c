"""The file managers' side of nobg. Standard library only, and nothing of it before it is needed."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from integrations.base import Manager


def managers(platform: str = sys.platform) -> tuple[Manager, ...]:
    """What `nobg menu` knows on this system. A new file manager is a file here and a line below."""
    if platform == "win32":
        from integrations.explorer import EXPLORER

        return (EXPLORER,)
    if platform == "darwin":
        from integrations.finder import FINDER

        return (FINDER,)
    from integrations.caja import CAJA
    from integrations.dolphin import DOLPHIN
    from integrations.nautilus import NAUTILUS
    from integrations.nemo import NEMO
    from integrations.open_with import OPEN_WITH
    from integrations.pcmanfm import PCMANFM
    from integrations.thunar import THUNAR

    return (NAUTILUS, NEMO, CAJA, DOLPHIN, THUNAR, PCMANFM, OPEN_WITH)


def start_at_login(platform: str = sys.platform) -> Manager:
    """What `nobg autostart` knows on this system."""
    from integrations.autostart import LAUNCH_AGENT, RUN, XDG

    return {"win32": RUN, "darwin": LAUNCH_AGENT}.get(platform, XDG)
