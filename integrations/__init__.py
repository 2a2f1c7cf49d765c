"""nobg in the menus of file managers and in the start at login, for each system.

It uses the standard library only and imports nothing of `watcher`. The functions import what they need when called, so
`import integrations` loads no other module of the package.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # type checkers know the name; typing.TYPE_CHECKING would load `typing`
if TYPE_CHECKING:
    from integrations.target import Target


def file_managers(platform: str = sys.platform) -> tuple[Target, ...]:
    """Return the file managers that `nobg menu` supports on this system, in the order in which it lists them."""
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
    from integrations.linux.pcmanfm import PCMANFM, PCMANFM_QT
    from integrations.linux.thunar import THUNAR

    return (NAUTILUS, NEMO, CAJA, DOLPHIN, THUNAR, PCMANFM, PCMANFM_QT, OPEN_WITH)


def autostart_target(platform: str = sys.platform) -> Target:
    """Return the target of `nobg autostart` on this system."""
    if platform == "win32":
        from integrations.windows.autostart import RUN_KEY_AUTOSTART

        return RUN_KEY_AUTOSTART
    if platform == "darwin":
        from integrations.macos.autostart import LAUNCH_AGENT

        return LAUNCH_AGENT
    from integrations.linux.autostart import XDG_AUTOSTART

    return XDG_AUTOSTART
