"""What other programs on the bus may send to icon and menu, and that it does no harm."""

from typing import Any

import pytest
from dbus_fast import DBusError, Message, MessageFlag, Variant

from tests.support.desktop.running_icon import named, shown
from tests.support.desktop.tray_host import BUS, BUS_PATH, ITEM, ITEM_PATH, MENU, PROPERTIES, Host
from watcher.desktop.status_notifier import protocol

BAD_CALLS: list[tuple[Any, ...]] = [
    (MENU, "/MenuBar", "GetLayout", "iias", 99, -1, []),
    (MENU, "/MenuBar", "GetLayout", "ii", 0, -1),
    (MENU, "/MenuBar", "GetProperty", "is", 99, "label"),
    (MENU, "/MenuBar", "GetProperty", "is", 1, "colour"),
    (MENU, "/MenuBar", "AboutToShow", "i", -5),
    (MENU, "/MenuBar", "AboutToShow", "s", "all"),
    (MENU, "/MenuBar", "Explode", ""),
    (MENU, "/elsewhere", "AboutToShow", "i", 0),
    (ITEM, ITEM_PATH, "Activate", ""),
    (ITEM, ITEM_PATH, "ProvideXdgActivationToken", "s", "token"),
    (PROPERTIES, ITEM_PATH, "Get", "ss", ITEM, "Colour"),
    (PROPERTIES, ITEM_PATH, "Get", "ss", "org.example", "Title"),
    (PROPERTIES, ITEM_PATH, "Set", "ssv", ITEM, "Title", Variant("s", "ours now")),
    (PROPERTIES, "/elsewhere", "GetAll", "s", ITEM),
]


def test_bad_calls_get_an_error_and_harm_nothing(host: Host) -> None:
    with shown(host, *named("One")) as icon:
        for interface, path, member, signature, *body in BAD_CALLS:
            with pytest.raises(DBusError):
                host.call(member, signature, *body, interface=interface, path=path)
        for member in ("SecondaryActivate", "ContextMenu"):
            host.call(member, "ii", 0, 0, interface=ITEM, path=ITEM_PATH)
        host.call("Scroll", "is", 1, "vertical", interface=ITEM, path=ITEM_PATH)
        host.call("Event", "isvu", 1, "clicked", Variant("a{sv}", {"x": Variant("i", 1)}), 0)
        assert host.labels() == ["One"]
        assert icon.registered


def test_bad_calls_without_a_reply_harm_nothing(host: Host) -> None:
    with shown(host, *named("One")) as icon:
        for interface, path, member, signature, *body in BAD_CALLS:
            name = host.wait_for_icon()
            no_reply = MessageFlag.NO_REPLY_EXPECTED
            host.send(Message(name, path, interface, member, signature=signature, body=body, flags=no_reply))
        assert host.labels() == ["One"]
        assert icon.registered


def test_another_program_cannot_announce_that_the_panel_is_gone(host: Host) -> None:
    with shown(host, *named("One")) as icon:
        forged_change = [protocol.WATCHER, host.wait_for_icon(), ""]
        host.send(
            Message(
                destination=host.wait_for_icon(),
                path=BUS_PATH,
                interface=BUS,
                member="NameOwnerChanged",
                signature="sss",
                body=forged_change,
            )
        )
        assert host.labels() == ["One"]
        assert icon.registered
