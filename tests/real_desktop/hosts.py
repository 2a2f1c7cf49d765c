"""Real desktops on a test's X server: their panels, and what shows their notifications."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.real_desktop.screen import press_key, take_screenshot, visible_elements, wait_for_drawing
from tests.real_desktop.session import Desktop, missing_programs
from tests.real_desktop.tray_bus import has_owner, has_watcher
from tests.support.program import wait_for

NOTIFICATIONS = "org.freedesktop.Notifications"
NOTIFYD = "/usr/lib/x86_64-linux-gnu/xfce4/notifyd/xfce4-notifyd"
MATE_NOTIFICATIONS = "/usr/libexec/mate-notification-daemon/mate-notification-daemon"
XAPP_ICONS = "/usr/lib/x86_64-linux-gnu/xapps/xapp-sn-watcher"
PLASMA_PANEL = "const p = panels()[0]; p.location = 'top'; p.height = 30; p.floating = false;"
"""A script for Plasma: the panel along the upper edge, as on the other desktops here."""

XFCE_PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/><property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="30"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property></property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/></property>
    <property name="plugin-2" type="string" value="clock"/>
  </property>
</channel>
"""
"""Settings of Xfce's panel: along the upper edge, with the plug-in for icons first."""

GNOME_BANNERS = ("org.gnome.desktop.notifications", "show-banners")
GNOME_SETTINGS = (
    ("org.gnome.shell", "enabled-extensions", "['ubuntu-appindicators@ubuntu.com']"),
    ("org.gnome.shell", "disable-user-extensions", "false"),
    ("org.gnome.shell", "welcome-dialog-last-shown-version", "'99'"),
    ("org.gnome.desktop.interface", "enable-animations", "false"),
    (*GNOME_BANNERS, "false"),  # GNOME shows notifications of its own at the start
)


@contextlib.contextmanager
def desktop_with(start: Callable[[Desktop], None], *programs: str, openbox: bool = True) -> Iterator[Desktop]:
    """Yield a desktop on which `start` has started panel and notifications; on failure, print the log."""
    missing = missing_programs("scrot", *programs)
    assert not missing, f"not installed: {', '.join(missing)}"
    with tempfile.TemporaryDirectory(prefix="nobg-person-") as home, Desktop(Path(home), openbox=openbox) as desktop:
        start(desktop)
        try:
            yield desktop
        except Exception:
            take_screenshot(desktop, "failed")
            print((desktop.home / ".local" / "state" / "nobg" / "nobg.log").read_text())
            raise


def _set_environment(desktop: Desktop, **variables: str) -> None:
    """Set variables of the desktop, also for what its bus starts: the portal chooses by them whose window it shows."""
    desktop.environment.update(variables)
    words = [f"{name}={value}" for name, value in variables.items()]
    desktop.run("dbus-update-activation-environment", *words).check_returncode()


def start_xfce(desktop: Desktop) -> None:
    """Start Xfce's panel and notifications."""
    settings = desktop.home / ".config" / "xfce4" / "xfconf" / "xfce-perchannel-xml" / "xfce4-panel.xml"
    settings.parent.mkdir(parents=True)
    settings.write_text(XFCE_PANEL)
    _set_environment(desktop, XDG_CURRENT_DESKTOP="XFCE")
    desktop.spawn("xfce4-panel", "--disable-wm-check")
    wait_for(lambda: has_watcher(desktop))
    desktop.spawn(NOTIFYD)
    wait_for(lambda: has_owner(desktop, NOTIFICATIONS))


def start_dunst(desktop: Desktop) -> None:
    """Start dunst alone."""
    _set_environment(desktop, XDG_CURRENT_DESKTOP="openbox")
    desktop.spawn("dunst")
    wait_for(lambda: has_owner(desktop, NOTIFICATIONS))


def start_gnome(desktop: Desktop) -> None:
    """Start GNOME Shell with the extension for icons."""
    # GNOME Shell looks for services on the system bus. There is no such bus here; on the session bus, it finds none.
    desktop.environment["DBUS_SYSTEM_BUS_ADDRESS"] = desktop.environment["DBUS_SESSION_BUS_ADDRESS"]
    for setting in GNOME_SETTINGS:
        desktop.run("gsettings", "set", *setting).check_returncode()
    desktop.spawn("gnome-shell", "--x11")
    wait_for(lambda: has_watcher(desktop))
    wait_for(lambda: [element for element in visible_elements(desktop) if element.name == "Activities"])
    wait_for_drawing(2)
    press_key(desktop, "Escape")  # GNOME starts in its overview


def start_mate(desktop: Desktop) -> None:
    """Start MATE's panel and notifications."""
    _set_environment(desktop, XDG_CURRENT_DESKTOP="MATE")
    desktop.spawn(MATE_NOTIFICATIONS)  # first: else the bus would start another desktop's for the panel
    wait_for(lambda: has_owner(desktop, NOTIFICATIONS))
    desktop.spawn("mate-panel")
    wait_for(lambda: has_watcher(desktop))


def start_plasma(desktop: Desktop) -> None:
    """Start Plasma with its window manager."""
    _set_environment(
        desktop,
        DBUS_SYSTEM_BUS_ADDRESS=desktop.environment["DBUS_SESSION_BUS_ADDRESS"],  # as for GNOME
        XDG_CURRENT_DESKTOP="KDE",
        KDE_FULL_SESSION="true",
        KDE_SESSION_VERSION="6",
        XDG_MENU_PREFIX="plasma-",
        QT_QUICK_BACKEND="software",
    )
    for command in (("kwin_x11",), ("kded6",), ("plasmashell", "--no-respawn")):
        desktop.spawn(*command)
    wait_for(lambda: has_watcher(desktop) and has_owner(desktop, NOTIFICATIONS))
    address = ("--session", "-d", "org.kde.plasmashell", "-o", "/PlasmaShell")
    script = ("gdbus", "call", *address, "-m", "org.kde.PlasmaShell.evaluateScript", PLASMA_PANEL)
    wait_for(lambda: desktop.run(*script).returncode == 0)
    wait_for(lambda: [element for element in visible_elements(desktop) if element.name.startswith("Desktop @")])
    wait_for_drawing(5)


def start_cinnamon(desktop: Desktop) -> None:
    """Start Cinnamon, and the program that takes its icons."""
    _set_environment(
        desktop,
        DBUS_SYSTEM_BUS_ADDRESS=desktop.environment["DBUS_SESSION_BUS_ADDRESS"],  # as for GNOME
        XDG_CURRENT_DESKTOP="X-Cinnamon",
        XDG_SESSION_TYPE="x11",
    )
    desktop.run("gsettings", "set", "org.cinnamon", "panels-enabled", "['1:0:top']").check_returncode()
    desktop.run("gsettings", "set", "org.cinnamon", "panels-height", "['1:30']").check_returncode()
    desktop.spawn("cinnamon")
    desktop.spawn(XAPP_ICONS)
    wait_for(lambda: has_watcher(desktop) and has_owner(desktop, NOTIFICATIONS))
    wait_for_drawing(10)  # nothing signals that it is ready
