"""The icon on Linux desktops, over the session bus alone: it needs no display, no GTK and no X.

`icon` has pystray's `Icon` for it. On the bus the icon is an org.kde.StatusNotifierItem (`item`; freedesktop.org's
StatusNotifierItem) with a com.canonical.dbusmenu (`menu`; libdbusmenu's dbus-menu.xml). Import these modules only on
Linux and only when an icon is needed: they load pystray and dbus_fast, which takes a tenth of a second.
"""
